//! Raw sockets, and messages in parts, in the asynchronous face under virtual time and in the blocking one.
#![cfg(all(feature = "std", feature = "ipv4", feature = "ipv6"))]
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a test says what broke by panicking"
)]

use std::{io::ErrorKind, net::SocketAddr, time::Duration};

use glasstack::{
    Error, Result,
    host::Host,
    sim::{HostId, HostNetwork, Link, Output, Simulation},
    socket::{Domain, Message, Protocol, RawSocket, UdpSocket, blocking, sleep, timeout},
    stack::option::{HeaderIncluded, HopLimit, IcmpFilter, IcmpTypes},
};

/// RFC 3692: for experiments.
const PROTOCOL: Protocol = Protocol(253);
/// Of two hosts on a link.
const SERVER: [&str; 2] = ["10.0.0.2:0", "[fd00::2]:0"];
const NOBODY: [&str; 2] = ["10.0.0.9:0", "[fd00::9]:0"];

fn address(text: &str) -> SocketAddr {
    text.parse().unwrap()
}

fn domain(address: SocketAddr) -> Domain {
    match address {
        SocketAddr::V4(_) => Domain::Inet,
        SocketAddr::V6(_) => Domain::Inet6,
    }
}

/// How long what is received is before its payload.
fn header_len(address: SocketAddr) -> usize {
    if address.is_ipv4() { 20 } else { 0 }
}

fn two_hosts() -> (Simulation, HostId, HostId) {
    let mut simulation = Simulation::new(1);
    let client = simulation.host("client").unwrap();
    let server = simulation.host("server").unwrap();
    let ends = [["10.0.0.1/24", "fd00::1/64"], ["10.0.0.2/24", "fd00::2/64"]];
    let link = Link::ethernet(1514);
    simulation
        .link(link, (client, &ends[0]), (server, &ends[1]))
        .unwrap();
    (simulation, client, server)
}

fn outcome<T>(simulation: &mut Simulation, output: &Output<Result<T>>) -> Result<T> {
    simulation.run().unwrap();
    output.take().unwrap()
}

/// Sends back what comes, backwards.
async fn echo(network: HostNetwork, domain: Domain) -> Result<()> {
    let socket = RawSocket::new(network, domain, PROTOCOL)?;
    let mut buffer = vec![0; 70_000];
    loop {
        let received = socket.recv_from(&mut buffer).await?;
        let payload = &mut buffer[header_len(received.from)..received.len];
        payload.reverse();
        socket.send_to(payload, received.from).await?;
    }
}

#[test]
fn packets_of_all_lengths_go_there_and_back() {
    for server_address in SERVER.map(address) {
        let (mut simulation, client, server) = two_hosts();
        let domain = domain(server_address);
        simulation
            .serve(server, "echo", move |network| echo(network, domain))
            .unwrap();
        let asked = simulation.spawn(client, "client", move |network| async move {
            let socket = RawSocket::new(network, domain, PROTOCOL)?;
            socket.connect(server_address)?;
            assert_eq!(socket.peer_addr(), Ok(server_address));
            assert_eq!(socket.local_addr()?.port(), 253);
            for len in [0, 1, 1_460, 1_480, 1_481, 8_000, 65_495] {
                let data: Vec<u8> = (0..len).map(|index| (index % 251) as u8).collect();
                let (front, rest) = data.split_at(len / 3);
                assert_eq!(
                    socket.send_msg(&Message::new(&[front, rest])).await,
                    Ok(len)
                );
                let (mut header, mut front) = ([0; 20], vec![0; len / 2]);
                let mut rest = vec![0; len];
                let header = &mut header[..header_len(server_address)];
                let mut buffers = [header, &mut front, &mut rest];
                let received = socket.recv_msg(&mut buffers).await?;
                assert_eq!((received.from, received.hop_limit), (server_address, 64));
                assert_eq!(received.len, header_len(server_address) + len);
                let mut back = [&front[..], &rest[..len - len / 2]].concat();
                back.reverse();
                assert_eq!(back, data);
            }
            Ok(())
        });
        let asked = asked.unwrap();
        assert_eq!(outcome(&mut simulation, &asked), Ok(()));
    }
}

#[test]
fn who_has_no_neighbor_there_is_told() {
    for nobody in NOBODY.map(address) {
        let (mut simulation, client, _) = two_hosts();
        let told = simulation.spawn(client, "client", move |network| async move {
            let socket = RawSocket::new(network, domain(nobody), PROTOCOL)?;
            socket.send_to(b"Michael", nobody).await?;
            let mut buffer = [0; 64];
            assert_eq!(socket.recv(&mut buffer).await, Err(Error::HostUnreachable));
            assert_eq!(socket.take_error(), Ok(None));
            Ok(())
        });
        let told = told.unwrap();
        assert_eq!(outcome(&mut simulation, &told), Ok(()));
        assert!(simulation.elapsed() >= Duration::from_secs(3));
    }
}

#[test]
fn a_receive_that_is_dropped_has_taken_nothing() {
    for server_address in SERVER.map(address) {
        let (mut simulation, client, server) = two_hosts();
        let domain = domain(server_address);
        let heard = simulation.spawn(server, "server", move |network| async move {
            let socket = RawSocket::new(&network, domain, PROTOCOL)?;
            let mut buffer = [0; 64];
            let second = Duration::from_secs(1);
            for _ in 0..5 {
                let received = timeout(&network, second, socket.recv(&mut buffer)).await;
                assert!(received.is_err(), "nothing was sent yet");
            }
            let peeked = socket.peek_from(&mut buffer).await?.len;
            assert_eq!(socket.recv(&mut buffer).await, Ok(peeked));
            Ok(buffer[header_len(server_address)..peeked].to_vec())
        });
        let sent = simulation
            .spawn(client, "client", move |network| async move {
                let socket = RawSocket::new(&network, domain, PROTOCOL)?;
                sleep(&network, Duration::from_secs(10)).await?;
                socket.send_to(b"Michael", server_address).await
            })
            .unwrap();
        let heard = heard.unwrap();
        assert_eq!(outcome(&mut simulation, &heard).unwrap(), b"Michael");
        assert_eq!(sent.take(), Some(Ok(7)));
    }
}

#[test]
fn datagrams_go_in_parts_too() {
    for server_address in SERVER.map(address) {
        let (mut simulation, client, server) = two_hosts();
        let to = SocketAddr::new(server_address.ip(), 9999);
        let heard = simulation.spawn(server, "server", move |network| async move {
            let socket = UdpSocket::bind(network, to)?;
            let (mut header, mut body) = ([0; 2], [0; 16]);
            let received = socket.recv_msg(&mut [&mut header, &mut body]).await?;
            assert_eq!((&header, &body[..received.len - 2]), (b"Mi", &b"chael"[..]));
            Ok((received.hop_limit, received.traffic_class, received.to))
        });
        let sent = simulation
            .spawn(client, "client", move |network| async move {
                let any = match to {
                    SocketAddr::V4(_) => address("0.0.0.0:0"),
                    SocketAddr::V6(_) => address("[::]:0"),
                };
                let socket = UdpSocket::bind(&network, any)?;
                // The server may not be there yet.
                sleep(&network, Duration::from_millis(1)).await?;
                let parts: [&[u8]; 2] = [b"Mich", b"ael"];
                let message = Message::new(&parts).to(to).hop_limit(3).traffic_class(0xb8);
                socket.send_msg(&message).await
            })
            .unwrap();
        let heard = heard.unwrap();
        assert_eq!(outcome(&mut simulation, &heard), Ok((3, 0xb8, to)));
        assert_eq!(sent.take(), Some(Ok(7)));
    }
}

#[test]
fn a_group_is_heard_while_the_socket_is_in_it() {
    for (server_address, group) in SERVER
        .map(address)
        .into_iter()
        .zip(["224.0.1.77", "ff05::77"])
    {
        let group = group.parse().unwrap();
        let (mut simulation, client, server) = two_hosts();
        let domain = domain(server_address);
        let heard = simulation.spawn(server, "server", move |network| async move {
            let socket = RawSocket::new(&network, domain, PROTOCOL)?;
            let mut buffer = [0; 64];
            socket.join_multicast(group, None)?;
            assert_eq!(socket.join_multicast(group, None), Err(Error::AddrInUse));
            let received = socket.recv_from(&mut buffer).await?;
            assert_eq!((received.to.ip(), received.hop_limit), (group, 1));
            assert_eq!(buffer[header_len(server_address)], 0);
            socket.leave_multicast(group, None)?;
            assert_eq!(
                socket.leave_multicast(group, None),
                Err(Error::AddrNotAvailable)
            );
            let second = Duration::from_secs(1);
            let later = timeout(&network, second, socket.recv_from(&mut buffer)).await;
            Ok(later.is_err())
        });
        let sent = simulation
            .spawn(client, "client", move |network| async move {
                let socket = RawSocket::new(&network, domain, PROTOCOL)?;
                for number in 0..4 {
                    sleep(&network, Duration::from_millis(100)).await?;
                    socket.send_to(&[number], SocketAddr::new(group, 0)).await?;
                }
                Result::Ok(())
            })
            .unwrap();
        let heard = heard.unwrap();
        assert_eq!(outcome(&mut simulation, &heard), Ok(true));
        assert_eq!(sent.take(), Some(Ok(())));
    }
}

#[test]
fn options_are_typed() {
    let (mut simulation, client, _) = two_hosts();
    let set = simulation.spawn(client, "client", |network| async move {
        let socket = RawSocket::new(&network, Domain::Inet, Protocol::ICMP)?;
        assert_eq!(socket.getsockopt(HeaderIncluded), Ok(false));
        socket.setsockopt(HeaderIncluded, true)?;
        assert_eq!(socket.getsockopt(HeaderIncluded), Ok(true));
        assert_eq!(socket.setsockopt(HopLimit, 0), Err(Error::InvalidArgument));
        socket.setsockopt(IcmpTypes, IcmpFilter::ALL.pass(0))?;
        assert!(socket.getsockopt(IcmpTypes)?.passes(0));
        let none = RawSocket::new(&network, Domain::Inet, Protocol(0));
        assert_eq!(none.map(drop), Err(Error::InvalidArgument));
        Ok(())
    });
    let set = set.unwrap();
    assert_eq!(outcome(&mut simulation, &set), Ok(()));
}

#[test]
fn the_blocking_face_does_the_same() {
    let host = Host::builder().start_loopback().unwrap();
    for here in ["127.0.0.1:0", "[::1]:0"].map(address) {
        let socket = blocking::RawSocket::new(&host, domain(here), PROTOCOL).unwrap();
        socket.bind(here).unwrap();
        let bound = SocketAddr::new(here.ip(), 253);
        assert_eq!(socket.local_addr().unwrap(), bound);
        assert_eq!(
            socket.peer_addr().unwrap_err().kind(),
            ErrorKind::NotConnected
        );

        let mut buffer = [0; 64];
        socket.set_nonblocking(true).unwrap();
        let none = socket.recv(&mut buffer).unwrap_err();
        assert_eq!(none.kind(), ErrorKind::WouldBlock);
        socket.set_nonblocking(false).unwrap();
        socket
            .set_read_timeout(Some(Duration::from_millis(1)))
            .unwrap();
        let none = socket.recv_from(&mut buffer).unwrap_err();
        assert_eq!(none.kind(), ErrorKind::WouldBlock);
        socket.set_read_timeout(None).unwrap();

        // A clone is the same socket.
        let other = socket.try_clone().unwrap();
        other.connect(here).unwrap();
        assert_eq!(socket.peer_addr().unwrap(), here);
        assert_eq!(other.send(b"Michael").unwrap(), 7);
        let header = header_len(here);
        let (len, from) = socket.peek_from(&mut buffer).unwrap();
        assert_eq!((&buffer[header..len], from), (&b"Michael"[..], here));
        assert_eq!(socket.recv(&mut buffer).unwrap(), len);
        let parts: [&[u8]; 2] = [b"Tra", b"cy"];
        socket.send_msg(&Message::new(&parts).hop_limit(9)).unwrap();
        let (mut front, mut rest) = (vec![0; header], [0; 16]);
        let received = socket.recv_msg(&mut [&mut front, &mut rest]).unwrap();
        assert_eq!((&rest[..5], received.hop_limit), (&b"Tracy"[..], 9));

        let long = socket.send_to(&[0; 65_536], here).unwrap_err();
        assert_eq!(long.to_string(), "message too long (EMSGSIZE)");
        let nobody = blocking::RawSocket::new(&host, domain(here), Protocol(0));
        assert_eq!(nobody.unwrap_err().kind(), ErrorKind::InvalidInput);
        let foreign = if here.is_ipv4() {
            "192.0.2.1:0"
        } else {
            "[2001:db8::1]:0"
        };
        let unbound = blocking::RawSocket::new(&host, domain(here), PROTOCOL).unwrap();
        let foreign = unbound.send_to(b"x", foreign).unwrap_err();
        assert_eq!(foreign.kind(), ErrorKind::NetworkUnreachable);
    }
    // Datagrams, too.
    let one = blocking::UdpSocket::bind(&host, "127.0.0.1:0").unwrap();
    let other = blocking::UdpSocket::bind(&host, "127.0.0.1:0").unwrap();
    let parts: [&[u8]; 2] = [b"Sa", b"rah"];
    let to = other.local_addr().unwrap();
    assert_eq!(one.send_msg(&Message::new(&parts).to(to)).unwrap(), 5);
    let (mut front, mut rest) = ([0; 1], [0; 16]);
    let received = other.recv_msg(&mut [&mut front, &mut rest]).unwrap();
    assert_eq!((&front, &rest[..4]), (b"S", &b"arah"[..]));
    assert_eq!(
        (received.from, received.to),
        (one.local_addr().unwrap(), to)
    );
}
