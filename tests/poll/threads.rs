//! Threads that wait for many sockets of a host.

use std::io::{ErrorKind, Read, Write};
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

use glasstack::host::Host;
use glasstack::socket::Network;
use glasstack::socket::blocking::{
    Domain, Protocol, RawSocket, TcpListener, TcpStream, UdpSocket, poll,
};
use glasstack::stack::{Events, PollFd};

fn wakers(host: &Host) -> usize {
    host.call(|stack| Ok(stack.usage().wakers)).unwrap()
}

#[test]
fn the_hosts_end_ends_the_wait() {
    let host = Host::builder().start_loopback().unwrap();
    let socket = UdpSocket::bind(&host, "127.0.0.1:9999").unwrap();
    let waiting: Vec<_> = [vec![socket.fd()], Vec::new()]
        .into_iter()
        .map(|fds| {
            let host = host.clone();
            thread::spawn(move || {
                let rows = fds.iter().map(|fd| PollFd::new(*fd, Events::POLLIN));
                poll(&host, &mut rows.collect::<Vec<_>>(), None)
            })
        })
        .collect();
    while wakers(&host) < 2 {
        thread::yield_now();
    }
    host.shutdown(Duration::from_secs(5)).unwrap();
    for waits in waiting {
        let polled = waits.join().unwrap();
        // The first may have seen its socket close before the host was at its end.
        match polled {
            Ok(count) => assert_eq!(count, 1),
            Err(error) => assert_eq!(error.kind(), ErrorKind::NetworkDown),
        }
    }
    let error = poll(&host, &mut [], Some(Duration::ZERO)).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::NetworkDown);
}

#[test]
fn a_limit_leaves_no_waker() {
    let host = Host::builder().start_loopback().unwrap();
    let socket = UdpSocket::bind(&host, "127.0.0.1:9999").unwrap();
    let mut rows = [PollFd::new(socket.fd(), Events::POLLIN)];
    for limit in [Duration::ZERO, Duration::from_millis(5)] {
        assert_eq!(poll(&host, &mut rows, Some(limit)).unwrap(), 0);
        assert_eq!(wakers(&host), 0);
    }
    // What no clock can hold is for ever.
    socket.send_to(b"x", socket.local_addr().unwrap()).unwrap();
    assert_eq!(poll(&host, &mut rows, Some(Duration::MAX)).unwrap(), 1);
    assert_eq!(wakers(&host), 0);
}

/// Four threads poll one listener, each beside connections of its own; two hundred clients come.
#[test]
fn threads_share_a_listener() {
    let host = Host::builder().start_loopback().unwrap();
    let listener = TcpListener::bind(&host, "127.0.0.1:9999").unwrap();
    listener.set_nonblocking(true).unwrap();
    let (greeted, greetings) = mpsc::channel();
    for _ in 0..4 {
        let (host, listener, greeted) =
            (host.clone(), listener.try_clone().unwrap(), greeted.clone());
        thread::spawn(move || {
            let mut streams: Vec<TcpStream> = Vec::new();
            loop {
                let fds = [listener.fd()]
                    .into_iter()
                    .chain(streams.iter().map(TcpStream::fd));
                let mut rows: Vec<_> = fds.map(|fd| PollFd::new(fd, Events::POLLIN)).collect();
                if poll(&host, &mut rows, None).is_err() {
                    return; // the host's end
                }
                let mut told = rows[1..].iter();
                streams.retain_mut(|stream| {
                    if told.next().unwrap().revents.is_empty() {
                        return true;
                    }
                    let mut name = [0; 16];
                    let len = stream.read(&mut name).unwrap();
                    stream.write_all(&name[..len]).unwrap();
                    len > 0
                });
                // Another thread may have been quicker.
                if let Ok((stream, _)) = listener.accept() {
                    streams.push(stream);
                    greeted.send(()).unwrap();
                }
            }
        });
    }
    let clients: Vec<_> = (0..8)
        .map(|_| {
            let host = host.clone();
            thread::spawn(move || {
                for _ in 0..25 {
                    let mut stream = TcpStream::connect(&host, "127.0.0.1:9999").unwrap();
                    stream.write_all(b"Michael").unwrap();
                    let mut name = [0; 7];
                    stream.read_exact(&mut name).unwrap();
                    assert_eq!(&name, b"Michael");
                }
            })
        })
        .collect();
    for client in clients {
        client.join().unwrap();
    }
    assert_eq!(greetings.try_iter().count(), 200);
    host.shutdown(Duration::from_secs(5)).unwrap();
}

#[test]
fn a_raw_socket_is_one_of_them() {
    let host = Host::builder().start_loopback().unwrap();
    let raw = RawSocket::new(&host, Domain::Inet, Protocol(253)).unwrap();
    let udp = UdpSocket::bind(&host, "127.0.0.1:9999").unwrap();
    let mut rows = [raw.fd(), udp.fd()].map(|fd| PollFd::new(fd, Events::POLLIN));
    assert_eq!(poll(&host, &mut rows, Some(Duration::ZERO)).unwrap(), 0);
    raw.send_to(b"x", "127.0.0.1:0").unwrap();
    assert_eq!(poll(&host, &mut rows, None).unwrap(), 1);
    assert_eq!(rows.map(|row| row.revents), [Events::POLLIN, Events::NONE]);
}
