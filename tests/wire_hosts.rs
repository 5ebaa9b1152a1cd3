//! Two hosts, each with its own thread, on a wire: what one sends wakes the other.
#![cfg(all(
    target_os = "linux",
    feature = "std",
    feature = "ipv4",
    feature = "ipv6"
))]

use glasstack::{
    device::{Wire, WireEnd},
    host::Host,
    smoltcp::phy::Medium,
    socket::blocking::{TcpListener, TcpStream, UdpSocket},
};
use std::{
    io::{self, ErrorKind, Read, Write},
    net::IpAddr,
    thread,
    time::Duration,
};

const LONG: Duration = Duration::from_secs(60);
const SERVERS: [&str; 2] = ["10.0.0.2:9999", "[fd00::2]:9999"];

fn start(end: WireEnd, number: u8) -> io::Result<Host> {
    Host::builder()
        .address(IpAddr::from([10, 0, 0, number]), 24)
        .address(
            IpAddr::from([0xfd00, 0, 0, 0, 0, 0, 0, u16::from(number)]),
            64,
        )
        .start(end)
}

fn hosts(medium: Medium) -> io::Result<(Host, Host)> {
    let mtu = if medium == Medium::Ethernet {
        1514
    } else {
        1500
    };
    let (left, right) = Wire::pair(medium, mtu);
    Ok((start(left, 1)?, start(right, 2)?))
}

fn join<T>(thread: thread::JoinHandle<io::Result<T>>) -> io::Result<T> {
    thread.join().expect("the thread does not panic")
}

#[test]
fn a_stream_crosses_the_wire_both_ways() -> io::Result<()> {
    for medium in [Medium::Ethernet, Medium::Ip] {
        let (client, server) = hosts(medium)?;
        for address in SERVERS {
            let listener = TcpListener::bind(&server, address)?;
            let echo = thread::spawn(move || -> io::Result<u64> {
                let (stream, _) = listener.accept()?;
                io::copy(&mut &stream, &mut &stream)
            });
            let mut stream = TcpStream::connect(&client, address)?;
            let sent: Vec<u8> = (0..100_000u32).map(|i| (i % 251) as u8).collect();
            let mut writer = stream.try_clone()?;
            let data = sent.clone();
            let write = thread::spawn(move || {
                writer.write_all(&data)?;
                writer.shutdown(std::net::Shutdown::Write)
            });
            let mut received = Vec::new();
            stream.read_to_end(&mut received)?;
            assert!(received == sent);
            join(write)?;
            assert_eq!(join(echo)?, 100_000);
        }
    }
    Ok(())
}

#[test]
fn datagrams_cross_the_wire() -> io::Result<()> {
    let (client, server) = hosts(Medium::Ethernet)?;
    for address in SERVERS {
        let udp = UdpSocket::bind(&server, address)?;
        let echo = thread::spawn(move || -> io::Result<()> {
            let mut buffer = [0; 100];
            for _ in 0..3 {
                let (len, from) = udp.recv_from(&mut buffer)?;
                udp.send_to(&buffer[..len], from)?;
            }
            Ok(())
        });
        let any = if address.starts_with('[') {
            "[::]:0"
        } else {
            "0.0.0.0:0"
        };
        let udp = UdpSocket::bind(&client, any)?;
        udp.connect(address)?;
        for name in ["Michael", "Tracy", "Sarah"] {
            udp.send(name.as_bytes())?;
            let mut buffer = [0; 100];
            let len = udp.recv(&mut buffer)?;
            assert_eq!(&buffer[..len], name.as_bytes());
        }
        join(echo)?;
    }
    Ok(())
}

#[test]
fn shutdown_of_the_host_delivers_what_was_written() -> io::Result<()> {
    let (client, server) = hosts(Medium::Ethernet)?;
    let listener = TcpListener::bind(&server, SERVERS[0])?;
    let read = thread::spawn(move || -> io::Result<usize> {
        let (mut stream, _) = listener.accept()?;
        let mut received = Vec::new();
        stream.read_to_end(&mut received)
    });
    let mut stream = TcpStream::connect(&client, SERVERS[0])?;
    stream.write_all(&[7; 200_000])?;
    drop(stream);
    client.shutdown(LONG)?;
    assert_eq!(join(read)?, 200_000);
    Ok(())
}

#[test]
fn dropping_the_host_delivers_what_was_written() -> io::Result<()> {
    let (client, server) = hosts(Medium::Ethernet)?;
    let listener = TcpListener::bind(&server, SERVERS[1])?;
    let mut stream = TcpStream::connect(&client, SERVERS[1])?;
    stream.write_all(b"the last words")?;
    drop(stream);
    drop(client);
    let (mut stream, _) = listener.accept()?;
    let mut received = String::new();
    stream.read_to_string(&mut received)?;
    assert_eq!(received, "the last words");
    Ok(())
}

#[test]
fn shutdown_of_the_host_says_what_did_not_arrive() -> io::Result<()> {
    let (client, server) = hosts(Medium::Ethernet)?;
    let listener = TcpListener::bind(&server, SERVERS[0])?;
    let mut stream = TcpStream::connect(&client, SERVERS[0])?;
    let (_reads_nothing, _) = listener.accept()?;
    stream.set_write_timeout(Some(Duration::from_millis(100)))?;
    while stream.write(&[7; 4096]).is_ok() {}
    let error = client
        .shutdown(Duration::from_millis(100))
        .expect_err("the peer's window is full");
    assert_eq!(error.kind(), ErrorKind::TimedOut);
    Ok(())
}

#[test]
fn shutdown_of_the_host_closes_what_is_accepted_meanwhile() -> io::Result<()> {
    let (client, server) = hosts(Medium::Ip)?;
    let listener = TcpListener::bind(&server, SERVERS[0])?;
    let streams: Vec<_> = (0..64)
        .map(|_| TcpStream::connect(&client, SERVERS[0]))
        .collect::<io::Result<_>>()?;
    let accept =
        thread::spawn(move || -> Vec<_> { listener.incoming().map_while(Result::ok).collect() });
    server.shutdown(LONG)?;
    // Accepted or not, no client waits for a host that is gone: it sees the end, or a reset.
    for mut stream in streams {
        stream.set_read_timeout(Some(LONG))?;
        match stream.read(&mut [0; 8]) {
            Ok(len) => assert_eq!(len, 0),
            Err(error) => assert_eq!(error.kind(), ErrorKind::ConnectionReset),
        }
    }
    drop(accept.join().expect("the thread does not panic"));
    Ok(())
}

#[test]
fn connect_gives_up_on_a_silent_peer() -> io::Result<()> {
    let (left, _nobody) = Wire::pair(Medium::Ip, 1500);
    let host = start(left, 1)?;
    let address = "10.0.0.2:9999".parse().expect("an address");
    let timeout = Duration::from_millis(50);
    let error = TcpStream::connect_timeout(&host, &address, timeout).expect_err("nobody is there");
    assert_eq!(error.kind(), ErrorKind::TimedOut);
    Ok(())
}

#[test]
fn a_port_nobody_listens_on_is_refused() -> io::Result<()> {
    let (client, _server) = hosts(Medium::Ethernet)?;
    for address in SERVERS {
        let error = TcpStream::connect(&client, address).expect_err("nobody listens");
        assert_eq!(error.kind(), ErrorKind::ConnectionRefused);
    }
    Ok(())
}
