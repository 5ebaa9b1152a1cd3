//! Blocking sockets on one host that talks to itself: threads, clones, timeouts, shutdown.
#![cfg(all(
    target_os = "linux",
    feature = "std",
    feature = "ipv4",
    feature = "ipv6"
))]

use glasstack::{
    device::Loopback,
    host::Host,
    smoltcp::{
        phy::{Device, DeviceCapabilities, Medium, TxToken},
        time::Instant as Time,
    },
    socket::blocking::{TcpListener, TcpStream, UdpSocket},
    stack::Capacity,
};
use std::{
    io::{self, ErrorKind, Read, Write},
    net::{IpAddr, Shutdown, SocketAddr},
    os::fd::{AsFd, BorrowedFd},
    sync::mpsc,
    thread,
    time::{Duration, Instant},
};

const FAMILIES: [&str; 2] = ["127.0.0.1:0", "[::1]:0"];

fn host() -> io::Result<Host> {
    Host::builder().start_loopback()
}

/// Two ends of one connection: the client's, the server's.
fn connection(host: &Host, address: &str) -> io::Result<(TcpStream, TcpStream)> {
    let listener = TcpListener::bind(host, address)?;
    let client = TcpStream::connect(host, listener.local_addr()?)?;
    let (server, peer) = listener.accept()?;
    assert_eq!(peer, client.local_addr()?);
    Ok((client, server))
}

fn join<T>(thread: thread::JoinHandle<io::Result<T>>) -> io::Result<T> {
    thread.join().expect("the thread does not panic")
}

/// Bytes in which a piece that is lost, doubled or moved shows.
fn pattern(len: usize) -> Vec<u8> {
    (0..len as u32)
        .map(|i| (i.wrapping_mul(2_654_435_761) >> 24) as u8)
        .collect()
}

#[test]
fn a_thread_per_connection_echoes() -> io::Result<()> {
    let host = host()?;
    for address in FAMILIES {
        let listener = TcpListener::bind(&host, address)?;
        let server = listener.local_addr()?;
        let serve = thread::spawn(move || -> io::Result<()> {
            let mut threads = Vec::new();
            for stream in listener.incoming().take(3) {
                let mut stream = stream?;
                threads.push(thread::spawn(move || {
                    let mut name = String::new();
                    stream.read_to_string(&mut name)?;
                    write!(stream, "Hello, {name}!")
                }));
            }
            threads.into_iter().try_for_each(join)
        });
        let clients = ["Michael", "Tracy", "Sarah"].map(|name| {
            let host = host.clone();
            thread::spawn(move || -> io::Result<()> {
                let mut stream = TcpStream::connect(&host, server)?;
                assert_eq!(stream.peer_addr()?, server);
                stream.write_all(name.as_bytes())?;
                stream.shutdown(Shutdown::Write)?;
                let mut answer = String::new();
                stream.read_to_string(&mut answer)?;
                assert_eq!(answer, format!("Hello, {name}!"));
                Ok(())
            })
        });
        clients.into_iter().try_for_each(join)?;
        join(serve)?;
    }
    Ok(())
}

#[test]
fn clones_read_and_write_at_the_same_time() -> io::Result<()> {
    let host = host()?;
    let (client, mut server) = connection(&host, "127.0.0.1:0")?;
    let echo = thread::spawn(move || -> io::Result<()> {
        let mut buffer = [0; 1000];
        loop {
            match server.read(&mut buffer)? {
                0 => return Ok(()),
                len => server.write_all(&buffer[..len])?,
            }
        }
    });
    let sent = pattern(1_000_000);
    let mut writer = client.try_clone()?;
    let data = sent.clone();
    let write = thread::spawn(move || {
        writer.write_all(&data)?;
        writer.shutdown(Shutdown::Write)
    });
    let mut received = Vec::new();
    (&client).read_to_end(&mut received)?;
    assert!(received == sent);
    join(write)?;
    join(echo)
}

#[test]
fn ten_megabytes_pass_through_small_buffers_to_a_slow_reader() -> io::Result<()> {
    let host = Host::builder()
        .capacity(Capacity {
            receive_buffer: 4096,
            send_buffer: 4096,
            ..Capacity::default()
        })
        .start_loopback()?;
    let (mut client, mut server) = connection(&host, "[::1]:0")?;
    let sent = pattern(10_000_000);
    let data = sent.clone();
    let write = thread::spawn(move || client.write_all(&data));
    let mut received = Vec::with_capacity(sent.len());
    let mut buffer = [0; 1777];
    loop {
        match server.read(&mut buffer)? {
            0 => break,
            len => received.extend_from_slice(&buffer[..len]),
        }
        thread::yield_now();
    }
    assert!(received == sent);
    join(write)
}

#[test]
fn every_message_of_a_ping_pong_wakes_the_other_thread() -> io::Result<()> {
    let host = host()?;
    let (mut client, mut server) = connection(&host, "127.0.0.1:0")?;
    client.set_nodelay(true)?;
    server.set_nodelay(true)?;
    let pong = thread::spawn(move || -> io::Result<()> {
        let mut ball = [0];
        while server.read(&mut ball)? != 0 {
            server.write_all(&ball)?;
        }
        Ok(())
    });
    for round in 0..5000u32 {
        let mut ball = [round as u8];
        client.write_all(&ball)?;
        client.read_exact(&mut ball)?;
        assert_eq!(ball, [round as u8]);
    }
    client.shutdown(Shutdown::Write)?;
    join(pong)
}

#[test]
fn several_threads_wait_in_accept() -> io::Result<()> {
    let host = host()?;
    let listener = TcpListener::bind(&host, "127.0.0.1:0")?;
    let address = listener.local_addr()?;
    let mut threads = Vec::new();
    for _ in 0..4 {
        let listener = listener.try_clone()?;
        threads.push(thread::spawn(move || listener.accept()));
    }
    drop(listener);
    let mut clients = Vec::new();
    for _ in 0..4 {
        clients.push(TcpStream::connect(&host, address)?.local_addr()?.port());
    }
    let mut accepted = Vec::new();
    for thread in threads {
        accepted.push(join(thread)?.1.port());
    }
    clients.sort_unstable();
    accepted.sort_unstable();
    assert_eq!(accepted, clients);
    Ok(())
}

#[test]
fn several_threads_read_one_stream() -> io::Result<()> {
    let host = host()?;
    let (mut client, server) = connection(&host, "127.0.0.1:0")?;
    let mut threads = Vec::new();
    for _ in 0..3 {
        let mut server = server.try_clone()?;
        threads.push(thread::spawn(move || -> io::Result<usize> {
            let mut total = 0;
            let mut buffer = [0; 100];
            loop {
                match server.read(&mut buffer)? {
                    0 => return Ok(total),
                    len => total += len,
                }
            }
        }));
    }
    client.write_all(&pattern(100_000))?;
    client.shutdown(Shutdown::Write)?;
    let mut total = 0;
    for thread in threads {
        total += join(thread)?;
    }
    assert_eq!(total, 100_000);
    Ok(())
}

#[test]
fn timeouts_are_those_of_std() -> io::Result<()> {
    let host = host()?;
    let timeout = Duration::from_millis(30);
    let (mut client, _server) = connection(&host, "127.0.0.1:0")?;
    assert_eq!(client.read_timeout()?, None);
    client.set_read_timeout(Some(timeout))?;
    assert_eq!(client.try_clone()?.read_timeout()?, Some(timeout));
    let start = Instant::now();
    let error = client.read(&mut [0; 8]).expect_err("nothing was sent");
    assert_eq!(error.kind(), ErrorKind::WouldBlock);
    assert!(start.elapsed() >= timeout);

    // The send buffer and the peer's receive buffer fill up; the write that finds no room gives up.
    client.set_write_timeout(Some(timeout))?;
    let block = [0; 4096];
    let error = loop {
        if let Err(error) = client.write_all(&block) {
            break error;
        }
    };
    assert_eq!(error.kind(), ErrorKind::WouldBlock);

    let udp = UdpSocket::bind(&host, "[::1]:0")?;
    udp.set_read_timeout(Some(timeout))?;
    let error = udp.recv_from(&mut [0; 8]).expect_err("nothing was sent");
    assert_eq!(error.kind(), ErrorKind::WouldBlock);

    for result in [
        client.set_read_timeout(Some(Duration::ZERO)),
        client.set_write_timeout(Some(Duration::ZERO)),
        udp.set_read_timeout(Some(Duration::ZERO)),
        udp.set_write_timeout(Some(Duration::ZERO)),
        TcpStream::connect_timeout(&host, &client.peer_addr()?, Duration::ZERO).map(drop),
    ] {
        assert_eq!(result.expect_err("zero").kind(), ErrorKind::InvalidInput);
    }
    assert_eq!(client.read_timeout()?, Some(timeout));
    client.set_read_timeout(None)?;
    assert_eq!(client.read_timeout()?, None);
    Ok(())
}

#[test]
fn a_timeout_does_not_lose_what_comes_later() -> io::Result<()> {
    let host = host()?;
    let (mut client, mut server) = connection(&host, "127.0.0.1:0")?;
    server.set_read_timeout(Some(Duration::from_millis(1)))?;
    let mut buffer = [0; 8];
    assert!(server.read(&mut buffer).is_err());
    client.write_all(b"later")?;
    server.set_read_timeout(None)?;
    assert_eq!(server.read(&mut buffer)?, 5);
    Ok(())
}

#[test]
fn nonblocking_sockets_say_would_block() -> io::Result<()> {
    fn would_block<T>(result: io::Result<T>) {
        let error = result.map(drop).expect_err("it would block");
        assert_eq!(error.kind(), ErrorKind::WouldBlock);
    }
    let host = host()?;
    let listener = TcpListener::bind(&host, "[::1]:0")?;
    listener.set_nonblocking(true)?;
    would_block(listener.accept());
    let mut client = TcpStream::connect(&host, listener.local_addr()?)?;
    let (mut server, _) = listener.accept()?;
    client.set_nonblocking(true)?;
    would_block(client.read(&mut [0; 8]));
    would_block(client.try_clone()?.peek(&mut [0; 8]));
    let mut written = 0;
    let error = loop {
        match client.write(&[7; 4096]) {
            Ok(len) => written += len,
            Err(error) => break error,
        }
    };
    assert_eq!(error.kind(), ErrorKind::WouldBlock);
    client.set_nonblocking(false)?;
    // What was accepted arrives.
    let mut buffer = vec![0; written];
    server.read_exact(&mut buffer)?;
    server.write_all(b"done")?;
    client.read_exact(&mut buffer[..4])?;

    let udp = UdpSocket::bind(&host, "127.0.0.1:0")?;
    udp.set_nonblocking(true)?;
    would_block(udp.recv_from(&mut [0; 8]));
    Ok(())
}

#[test]
fn shutdown_of_a_stream_wakes_its_blocked_reader() -> io::Result<()> {
    let host = host()?;
    let (client, _server) = connection(&host, "127.0.0.1:0")?;
    for how in [Shutdown::Read, Shutdown::Both] {
        let mut reader = client.try_clone()?;
        let read = thread::spawn(move || reader.read(&mut [0; 8]));
        client.shutdown(how)?;
        assert_eq!(join(read)?, 0);
    }
    let error = (&client).write(b"x").expect_err("shut down");
    assert_eq!(error.kind(), ErrorKind::BrokenPipe);
    Ok(())
}

#[test]
fn dropping_the_last_clone_closes() -> io::Result<()> {
    let host = host()?;
    let (client, mut server) = connection(&host, "127.0.0.1:0")?;
    let clone = client.try_clone()?;
    drop(client);
    (&clone).write_all(b"still open")?;
    drop(clone);
    let mut received = Vec::new();
    server.read_to_end(&mut received)?;
    assert_eq!(received, b"still open");
    Ok(())
}

#[test]
fn a_dropped_listener_frees_its_port_and_refuses() -> io::Result<()> {
    let host = host()?;
    let listener = TcpListener::bind(&host, "127.0.0.1:9999")?;
    let error = TcpListener::bind(&host, "127.0.0.1:9999").expect_err("taken");
    assert_eq!(error.kind(), ErrorKind::AddrInUse);
    let address = listener.local_addr()?;
    let clone = listener.try_clone()?;
    drop(listener);
    TcpStream::connect(&host, address)?;
    drop(clone);
    let error = TcpStream::connect(&host, address).expect_err("nobody listens");
    assert_eq!(error.kind(), ErrorKind::ConnectionRefused);
    TcpListener::bind(&host, address)?;
    Ok(())
}

#[test]
fn datagrams_keep_their_boundaries() -> io::Result<()> {
    let host = host()?;
    for address in FAMILIES {
        let server = UdpSocket::bind(&host, address)?;
        let client = UdpSocket::bind(&host, address)?;
        let to = server.local_addr()?;
        for name in ["Michael", "", "Sarah"] {
            assert_eq!(client.send_to(name.as_bytes(), to)?, name.len());
        }
        let mut buffer = [0; 100];
        assert_eq!(server.peek_from(&mut buffer)?.0, 7);
        for name in ["Michael", "", "Sarah"] {
            let (len, from) = server.recv_from(&mut buffer)?;
            assert_eq!(&buffer[..len], name.as_bytes());
            assert_eq!(from, client.local_addr()?);
        }
        client.connect(to)?;
        assert_eq!(client.peer_addr()?, to);
        client.send(b"a long one")?;
        let received = server.recv_message(&mut buffer[..6])?;
        assert_eq!((received.len, received.size), (6, 10));
        assert_eq!(&buffer[..6], b"a long");
    }
    Ok(())
}

#[test]
fn a_datagram_wakes_a_blocked_receiver() -> io::Result<()> {
    let host = host()?;
    let server = UdpSocket::bind(&host, "127.0.0.1:0")?;
    let to = server.local_addr()?;
    let client = UdpSocket::bind(&host, "127.0.0.1:0")?;
    let echo = thread::spawn(move || -> io::Result<()> {
        let mut buffer = [0; 16];
        for _ in 0..1000 {
            let (len, from) = server.recv_from(&mut buffer)?;
            server.send_to(&buffer[..len], from)?;
        }
        Ok(())
    });
    for round in 0..1000u32 {
        client.send_to(&round.to_be_bytes(), to)?;
        let mut answer = [0; 4];
        assert_eq!(client.recv(&mut answer)?, 4);
        assert_eq!(answer, round.to_be_bytes());
    }
    join(echo)
}

#[test]
fn names_are_the_hosts_own() -> io::Result<()> {
    let host = Host::builder()
        .name("server", IpAddr::from([127, 0, 0, 1]))
        .start_loopback()?;
    assert_eq!(host.resolve("server")?, [IpAddr::from([127, 0, 0, 1])]);
    assert_eq!(host.resolve("10.0.0.2")?, [IpAddr::from([10, 0, 0, 2])]);
    let listener = TcpListener::bind(&host, "server:9999")?;
    TcpStream::connect(&host, ("server", 9999))?;
    TcpStream::connect(&host, String::from("localhost:9999"))?;
    // Each address is tried; the first that answers is taken.
    let candidates = [
        SocketAddr::from(([127, 0, 0, 1], 1)),
        listener.local_addr()?,
    ];
    let stream = TcpStream::connect(&host, &candidates[..])?;
    assert_eq!(stream.peer_addr()?, listener.local_addr()?);
    for text in ["server", "server:", "server:70000"] {
        let error = TcpStream::connect(&host, text).expect_err(text);
        assert_eq!(error.kind(), ErrorKind::InvalidInput, "{text}");
    }
    Ok(())
}

#[test]
fn shutdown_of_the_host_wakes_everybody() -> io::Result<()> {
    let host = host()?;
    let listener = TcpListener::bind(&host, "127.0.0.1:0")?;
    let (client, mut server) = connection(&host, "127.0.0.1:0")?;
    let udp = UdpSocket::bind(&host, "127.0.0.1:0")?;
    let accept = thread::spawn(move || listener.accept().map(drop));
    let read = thread::spawn(move || server.read(&mut [0; 8]).map(drop));
    let receive = thread::spawn(move || udp.recv_from(&mut [0; 8]).map(drop));
    host.shutdown(Duration::from_secs(60))?;
    for thread in [accept, read, receive] {
        let error = join(thread).expect_err("the host is gone");
        assert_eq!(error.kind(), ErrorKind::NetworkDown);
    }
    let error = (&client).write(b"x").expect_err("the host is gone");
    assert_eq!(error.kind(), ErrorKind::NetworkDown);
    // Once more is once.
    host.shutdown(Duration::ZERO)
}

#[test]
fn the_driver_ends_with_the_last_handle() -> io::Result<()> {
    // The observer lives as long as the stack, and that as long as a handle or the driver.
    let (alive, dead) = mpsc::channel::<()>();
    let host = Host::builder()
        .observer(move |_: &glasstack::trace::Event| {
            let _ = alive.send(());
        })
        .start_loopback()?;
    let (client, server) = connection(&host, "127.0.0.1:0")?;
    drop(host);
    drop(client);
    drop(server);
    while dead.recv().is_ok() {}
    Ok(())
}

#[test]
fn a_panic_of_the_observer_ends_the_host_and_hangs_nobody() -> io::Result<()> {
    let host = Host::builder()
        .observer(|event: &glasstack::trace::Event| {
            if let glasstack::trace::Happening::State { .. } = event.happening {
                panic!("this observer's first state is its last");
            }
        })
        .start_loopback()?;
    let listener = TcpListener::bind(&host, "127.0.0.1:0")?;
    let address = listener.local_addr()?;
    let accept = thread::spawn(move || listener.accept().map(drop));
    let client = host.clone();
    let connect = thread::spawn(move || TcpStream::connect(&client, address).map(drop));
    assert!(connect.join().is_err(), "the panic is the caller's");
    let error = join(accept).expect_err("nobody will come");
    assert_eq!(error.kind(), ErrorKind::NetworkDown);
    let error = UdpSocket::bind(&host, "127.0.0.1:0").expect_err("the host is gone");
    assert_eq!(error.kind(), ErrorKind::NetworkDown);
    let error = host
        .shutdown(Duration::ZERO)
        .expect_err("what was sent is not known");
    assert_eq!(error.kind(), ErrorKind::TimedOut);
    Ok(())
}

/// A device whose other side is gone: `poll(2)` says so at once, every time, and no frame comes.
struct Gone(io::PipeReader);

impl Device for Gone {
    type RxToken<'a> = <Loopback<'static> as Device>::RxToken<'a>;
    type TxToken<'a> = Void;

    fn receive(&mut self, _: Time) -> Option<(Self::RxToken<'_>, Void)> {
        None
    }

    fn transmit(&mut self, _: Time) -> Option<Void> {
        Some(Void)
    }

    fn capabilities(&self) -> DeviceCapabilities {
        let mut capabilities = DeviceCapabilities::default();
        capabilities.medium = Medium::Ip;
        capabilities.max_transmission_unit = 1500;
        capabilities
    }
}

impl AsFd for Gone {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }
}

struct Void;

impl TxToken for Void {
    fn consume<R, F: FnOnce(&mut [u8]) -> R>(self, len: usize, f: F) -> R {
        f(&mut vec![0; len])
    }
}

#[test]
fn a_device_that_is_gone_is_no_longer_waited_for() -> io::Result<()> {
    let (reader, writer) = io::pipe()?;
    drop(writer);
    let host = Host::builder()
        .address(IpAddr::from([10, 0, 0, 1]), 24)
        .start(Gone(reader))?;
    // There is no way over it, once the driver has seen that, and all else goes on: the driver is alive, and does not spin.
    let timeout = Duration::from_millis(100);
    let address = SocketAddr::from(([10, 0, 0, 2], 9999));
    let connect = || TcpStream::connect_timeout(&host, &address, timeout).map(drop);
    let error = loop {
        match connect().expect_err("nobody is there") {
            early if early.kind() == ErrorKind::TimedOut => {}
            error => break error,
        }
    };
    assert_eq!(error.kind(), ErrorKind::NetworkUnreachable);
    let (mut client, mut server) = connection(&host, "127.0.0.1:0")?;
    client.write_all(b"still here")?;
    assert_eq!(server.read(&mut [0; 16])?, 10);
    // A spinning driver makes a million turns a second; this one a few for the timers of what was sent.
    assert!(host.turns() < 100, "{} turns", host.turns());
    Ok(())
}

#[test]
fn handles_are_send_and_sync() {
    fn check<T: Send + Sync>() {}
    check::<Host>();
    check::<TcpListener>();
    check::<TcpStream>();
    check::<UdpSocket>();
}
