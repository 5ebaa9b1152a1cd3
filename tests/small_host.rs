//! A host that has streams and datagrams on a link, and nothing else: what it says to who asks for more, or for what is wrong.
#![allow(unused_imports, reason = "no build has all of these tests")]

use std::net::{Ipv4Addr, SocketAddr};

use glasstack::smoltcp::phy::Medium;
use glasstack::smoltcp::time::{Duration, Instant};
use glasstack::stack::{Domain, InterfaceId, Message, Protocol, Route, Storage, Type};
use glasstack::{Error, Limit, Result, Stack};

mod cable;

use cable::{
    HERE, Host, Hosts, NOBODY, THERE, after, at, cable, datagram, listener, run, stream, two_hosts,
};

#[test]
#[cfg(not(any(feature = "fragments", feature = "raw", feature = "path-mtu")))]
fn a_datagram_fills_a_packet_which_routers_may_cut_and_is_no_longer_than_that() -> Result<()> {
    let (mut end, other) = cable(Medium::Ip);
    end.mtu = 600;
    let mut memory = Storage::<2, 0, 1, 2048>::new();
    let mut host = Host::new(Stack::new(&mut memory, [7; 16], ()), end, HERE)?;
    let socket = datagram(&mut host.stack)?;

    let refused = host.stack.sendto(socket, &[0; 573], at(THERE, 9999));
    assert_eq!(refused, Err(Error::MessageTooLong));
    let sent = host.stack.sendto(socket, &[0; 572], at(THERE, 9999));
    assert_eq!(sent, Ok(572));
    host.poll(Instant::ZERO);
    let packets = Vec::from(other.receive.take());
    let [packet] = &packets[..] else {
        panic!("{} packets", packets.len());
    };
    assert_eq!(packet.len(), 600);
    assert_eq!(
        packet[6..8],
        [0, 0],
        "neither \"don't fragment\" nor a piece"
    );
    Ok(())
}

#[test]
#[cfg(not(feature = "raw"))]
fn there_are_no_raw_sockets() {
    let mut memory = Storage::<3, 1, 1, 64>::new();
    let mut stack = Stack::new(&mut memory, [7; 16], ());
    let socket = stack.socket(Domain::Inet, Type::Raw(Protocol::ICMP));
    assert_eq!(socket, Err(Error::NotSupported));
    assert_eq!(stack.usage().sockets, 0);
}

/// The errno of a call is the same whatever else is in the build.
#[test]
fn calls_say_what_is_wrong() -> Result<()> {
    let mut memory = Storage::<5, 2, 2, 512>::new();
    let stack = Stack::new(&mut memory, [1; 16], ());
    let stack = &mut Host::new(stack, cable(Medium::Ip).0, HERE)?.stack;
    let (tcp, udp) = (stream(stack)?, datagram(stack)?);
    for fd in [tcp, udp] {
        assert_eq!(stack.bind(fd, at(NOBODY, 7)), Err(Error::AddrNotAvailable));
        for v6 in ["[::1]:7", "[::]:7"] {
            let v6 = v6.parse().unwrap();
            assert_eq!(stack.bind(fd, v6), Err(Error::AddressFamilyNotSupported));
            assert_eq!(stack.connect(fd, v6), Err(Error::AddressFamilyNotSupported));
        }
        assert_eq!(stack.bind(fd, at(HERE, 7)), Ok(()));
        assert_eq!(stack.bind(fd, at(HERE, 8)), Err(Error::InvalidArgument));
        assert_eq!(stack.getpeername(fd), Err(Error::NotConnected));
        assert_eq!(stack.getsockname(fd), Ok(at(HERE, 7)));
    }
    let other = stream(stack)?;
    assert_eq!(stack.bind(other, at(HERE, 7)), Err(Error::AddrInUse));
    assert_eq!(stack.recv(tcp, &mut [0]), Err(Error::NotConnected));
    assert_eq!(stack.send(udp, b"x"), Err(Error::DestinationRequired));
    let again = stack.add_interface(&mut cable(Medium::Ip).0, None);
    assert_eq!(again, Err(Error::Exhausted(Limit::Interfaces)));
    let multicast = at(Ipv4Addr::new(224, 0, 0, 251), 7);
    let refused = stack.connect(other, multicast);
    assert_eq!(refused, Err(Error::NetworkUnreachable));
    stack.close(other)?;
    assert_eq!(stack.close(other), Err(Error::BadDescriptor));
    Ok(())
}

#[test]
#[cfg(not(feature = "ipv6"))]
fn what_is_ipv6_is_of_no_known_family() -> Result<()> {
    let mut memory = Storage::<3, 1, 1, 512>::new();
    let stack = Stack::new(&mut memory, [1; 16], ());
    let Host { stack, link, .. } = &mut Host::new(stack, cable(Medium::Ip).0, HERE)?;
    let strange = "2001:db8::1".parse().unwrap();
    assert_eq!(stack.source_for(strange), None);
    for kind in [Type::Stream, Type::Datagram] {
        let refused = stack.socket(Domain::Inet6, kind);
        assert_eq!(refused, Err(Error::AddressFamilyNotSupported));
    }
    let refused = Err(Error::AddressFamilyNotSupported);
    assert_eq!(stack.add_address(*link, strange, 64), refused);
    assert_eq!(stack.add_route(*link, Route::default_by(strange)), refused);
    assert_eq!(stack.set_gateway(*link, strange), refused);
    let removed = stack.remove_address(*link, strange);
    assert_eq!(removed, Err(Error::AddrNotAvailable));
    let udp = datagram(stack)?;
    for addr in ["[2001:db8::1]:7", "[::]:7", "[::ffff:10.0.0.2]:7"] {
        let sent = stack.sendto(udp, b"x", addr.parse().unwrap());
        assert_eq!(sent, Err(Error::AddressFamilyNotSupported), "{addr}");
    }
    for (from, expected) in [
        ("2001:db8::1", Err(Error::AddrNotAvailable)),
        ("::ffff:10.0.0.2", Err(Error::AddrNotAvailable)),
        ("::ffff:10.0.0.1", Ok(1)),
        ("::", Ok(1)),
    ] {
        let message = Message::new(&[b"x"]).to(at(THERE, 7));
        let message = message.from(from.parse().unwrap());
        assert_eq!(stack.sendmsg(udp, &message), expected, "{from}");
    }
    Ok(())
}

#[test]
#[cfg(feature = "ipv6")]
fn an_ipv6_socket_speaks_ipv4() -> Result<()> {
    two_hosts(Medium::Ip, |mut hosts| {
        let strange: SocketAddr = "[2001:db8::1]:7".parse().unwrap();
        assert_eq!(hosts.here.stack.source_for(strange.ip()), None);
        let server = hosts.there.stack.socket(Domain::Inet6, Type::Stream)?;
        let refused = hosts.there.stack.bind(server, at(THERE, 7));
        assert_eq!(refused, Err(Error::AddressFamilyNotSupported));
        let refused = hosts.there.stack.bind(server, strange);
        assert_eq!(refused, Err(Error::AddrNotAvailable));
        let any = "[::]:7".parse().unwrap();
        assert_eq!(hosts.there.stack.bind(server, any), Ok(()));
        hosts.there.stack.listen(server, 4)?;
        let client = hosts.here.stack.socket(Domain::Inet6, Type::Stream)?;
        let refused = hosts.here.stack.connect(client, strange);
        assert_eq!(refused, Err(Error::NetworkUnreachable));
        let mapped: SocketAddr = "[::ffff:10.0.0.2]:7".parse().unwrap();
        let begun = hosts.here.stack.connect(client, mapped);
        assert_eq!(begun, Err(Error::WouldBlock));
        hosts.run(Duration::from_secs(1));
        assert_eq!(hosts.here.stack.connect(client, mapped), Ok(()));
        assert_eq!(hosts.here.stack.getpeername(client), Ok(mapped));
        let (_, from) = hosts.there.stack.accept(server)?;
        assert_eq!(from, hosts.here.stack.getsockname(client)?);
        Ok(())
    })
}

#[test]
fn a_host_reaches_itself_where_it_has_a_loopback() -> Result<()> {
    let mut memory = Storage::<6, 2, 2, 512, 1, 4, 600>::new();
    let stack = Stack::new(&mut memory, [1; 16], ());
    let mut host = Host::new(stack, cable(Medium::Ethernet).0, HERE)?;
    let mut now = Instant::ZERO;
    for addr in [HERE, Ipv4Addr::LOCALHOST, Ipv4Addr::UNSPECIFIED] {
        let server = listener(&mut host.stack, 7)?;
        let fd = stream(&mut host.stack)?;
        let udp = datagram(&mut host.stack)?;
        let expected = if cfg!(feature = "loopback") {
            Error::WouldBlock
        } else {
            Error::NetworkUnreachable
        };
        assert_eq!(host.stack.connect(fd, at(addr, 7)), Err(expected), "{addr}");
        let sent = host.stack.sendto(udp, b"x", at(addr, 7));
        assert_eq!(sent.is_ok(), cfg!(feature = "loopback"), "{sent:?}");
        let until = after(now, 1_000);
        run(&mut [&mut host], &mut now, until);
        if cfg!(feature = "loopback") {
            assert_eq!(host.stack.connect(fd, at(addr, 7)), Ok(()));
        }
        for fd in [server, fd, udp] {
            host.stack.close(fd)?;
        }
        let until = after(now, 100_000);
        run(&mut [&mut host], &mut now, until);
    }
    Ok(())
}

#[test]
fn a_host_without_a_link_is_alone() -> Result<()> {
    let mut memory = Storage::<4, 1, 1, 512, 0>::new();
    let mut stack = Stack::new(&mut memory, [1; 16], ());
    let mut end = cable(Medium::Ip).0;
    let added = stack.add_interface(&mut end, None);
    assert_eq!(added, Err(Error::Exhausted(Limit::Interfaces)));
    let server = listener(&mut stack, 7)?;
    let fd = stream(&mut stack)?;
    for addr in [HERE, Ipv4Addr::LOCALHOST, Ipv4Addr::BROADCAST] {
        let refused = stack.connect(fd, at(addr, 7));
        assert_eq!(refused, Err(Error::NetworkUnreachable));
    }
    assert_eq!(stack.poll_loopback(Instant::ZERO), None);
    for index in 0..=255 {
        let link = InterfaceId::from_index(index).unwrap();
        assert_eq!(stack.poll(link, Instant::from_secs(1), &mut end), None);
        let added = stack.add_address(link, HERE.into(), 24);
        assert_eq!(added, Err(Error::InvalidArgument));
    }
    assert_eq!(stack.accept(server), Err(Error::WouldBlock));
    Ok(())
}

#[test]
fn a_host_without_a_link_reaches_itself_where_it_has_a_loopback() -> Result<()> {
    let mut memory = Storage::<4, 2, 1, 512, 0, 0, 600>::new();
    let mut stack = Stack::new(&mut memory, [1; 16], ());
    let (server, fd) = (listener(&mut stack, 7)?, stream(&mut stack)?);
    let begun = stack.connect(fd, at(Ipv4Addr::LOCALHOST, 7));
    let _ = stack.poll_loopback(Instant::ZERO);
    if cfg!(feature = "loopback") {
        assert_eq!(begun, Err(Error::WouldBlock));
        assert_eq!(stack.connect(fd, at(Ipv4Addr::LOCALHOST, 7)), Ok(()));
        assert!(stack.accept(server).is_ok());
    } else {
        assert_eq!(begun, Err(Error::NetworkUnreachable));
    }
    Ok(())
}

/// The least memory that there can be: what there is none of is exhausted.
#[test]
fn a_host_with_next_to_no_memory_says_so() -> Result<()> {
    let mut memory = Storage::<1, 0, 0, 0, 1, 0>::new();
    let mut other = Storage::<2, 1, 0, 512>::new();
    let here = Stack::new(&mut memory, [1; 16], ());
    let there = Stack::new(&mut other, [2; 16], ());
    let mut hosts = Hosts::new(Medium::Ethernet, [here, there], [HERE, THERE])?;
    let stack = &mut hosts.here.stack;
    assert_eq!(datagram(stack), Err(Error::Exhausted(Limit::Datagrams)));
    let fd = stream(stack)?;
    assert_eq!(stream(stack), Err(Error::Exhausted(Limit::Sockets)));
    let refused = stack.connect(fd, at(THERE, 7));
    assert_eq!(refused, Err(Error::Exhausted(Limit::Connections)));
    stack.bind(fd, at(HERE, 7))?;
    stack.listen(fd, 1)?;
    let client = stream(&mut hosts.there.stack)?;
    for expected in [Error::WouldBlock, Error::WouldBlock, Error::TimedOut] {
        let connected = hosts.there.stack.connect(client, at(HERE, 7));
        assert_eq!(connected, Err(expected));
        hosts.run(Duration::from_secs(100));
    }
    hosts.here.stack.close(fd)
}
