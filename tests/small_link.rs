//! Hosts with as few of the features as there are, and with all of them: what they do on links that lose and refuse frames.
#![cfg_attr(not(feature = "ipv4"), allow(dead_code, unused_imports))]

use std::net::{IpAddr, Ipv4Addr, SocketAddr};

use glasstack::smoltcp::phy::Medium;
use glasstack::smoltcp::time::{Duration, Instant};
use glasstack::stack::{Domain, Fd, Route, Storage, Type};
use glasstack::{Error, Result, Stack};

mod cable;

use cable::{
    HERE, Host, Hosts, NOBODY, THERE, after, at, cable, datagram, listener, run, stream, two_hosts,
};

const A_WHILE: Duration = Duration::from_secs(1);
/// All that is under way, to the last TIME-WAIT and neighbor.
const LONG: Duration = Duration::from_secs(100);

/// Sends so many octets from here, and as many back, whatever the link does.
fn there_and_back(hosts: &mut Hosts<'_>, fd: Fd, peer: Fd, len: usize) -> Result<()> {
    let Hosts { here, there, now } = hosts;
    carry([here, there], now, [fd, peer], len)?;
    carry([there, here], now, [peer, fd], len)
}

fn carry<'s>(
    [sender, receiver]: [&mut Host<'s>; 2],
    now: &mut Instant,
    [from, to]: [Fd; 2],
    len: usize,
) -> Result<()> {
    let data: Vec<u8> = (0..len).map(|at| (at % 251) as u8).collect();
    let (mut sent, mut received) = (0, Vec::new());
    let end = after(*now, 600_000);
    while received.len() < len {
        match sender.stack.send(from, &data[sent..]) {
            Ok(more) => sent += more,
            Err(Error::WouldBlock) => {}
            Err(error) => return Err(error),
        }
        let mut buffer = [0; 700];
        match receiver.stack.recv(to, &mut buffer) {
            Ok(more) => received.extend_from_slice(&buffer[..more]),
            Err(Error::WouldBlock) => {}
            Err(error) => return Err(error),
        }
        let until = after(*now, 20);
        run(&mut [sender, receiver], now, until);
        assert!(*now < end, "{} of {len} came", received.len());
    }
    assert!(received == data);
    Ok(())
}

#[test]
fn four_connections_at_once_and_four_more_when_they_are_over() -> Result<()> {
    for medium in [Medium::Ethernet, Medium::Ip] {
        if cfg!(feature = "ipv4") {
            four_and_four_more(medium, Domain::Inet, ["10.0.0.1", "10.0.0.2", "0.0.0.0"])?;
        }
        if cfg!(feature = "ipv6") {
            four_and_four_more(medium, Domain::Inet6, ["fd00::1", "fd00::2", "::"])?;
        }
    }
    Ok(())
}

fn four_and_four_more(medium: Medium, domain: Domain, addrs: [&str; 3]) -> Result<()> {
    let [own, other, any] = addrs.map(|addr| addr.parse::<IpAddr>().expect(addr));
    let to = SocketAddr::new(other, 7);
    // There is no room for a request that waits.
    let mut memory = Storage::<5, 4, 0, 1024, 1, 0>::new();
    let mut another = Storage::<5, 4, 0, 1024, 1, 0>::new();
    let here = Stack::new(&mut memory, [1; 16], ());
    let there = Stack::new(&mut another, [2; 16], ());
    let mut hosts = Hosts::new(medium, [here, there], [own, other])?;
    let server = hosts.there.stack.socket(domain, Type::Stream)?;
    hosts.there.stack.bind(server, SocketAddr::new(any, 7))?;
    hosts.there.stack.listen(server, 8)?;
    for _ in 0..3 {
        let mut fds = Vec::new();
        for _ in 0..4 {
            let fd = hosts.here.stack.socket(domain, Type::Stream)?;
            assert_eq!(hosts.here.stack.connect(fd, to), Err(Error::WouldBlock));
            fds.push(fd);
        }
        hosts.run(Duration::from_secs(20));
        let mut accepted = Vec::new();
        for fd in &fds {
            assert_eq!(hosts.here.stack.connect(*fd, to), Ok(()));
            accepted.push(hosts.there.stack.accept(server)?);
        }
        assert_eq!(hosts.there.stack.accept(server), Err(Error::WouldBlock));
        for fd in fds {
            let name = hosts.here.stack.getsockname(fd)?;
            let peer = accepted.iter().find(|(_, from)| *from == name);
            let (peer, _) = *peer.expect("it was accepted");
            there_and_back(&mut hosts, fd, peer, 3_000)?;
            hosts.here.stack.close(fd)?;
            hosts.run(Duration::from_millis(50));
            assert_eq!(hosts.there.stack.recv(peer, &mut [0; 8]), Ok(0));
            hosts.there.stack.close(peer)?;
        }
        hosts.run(A_WHILE);
    }
    hosts.run(LONG);
    for host in [&hosts.here, &hosts.there] {
        assert_eq!(host.stack.usage().connections, 0);
        assert_eq!(host.next, None, "nothing is due");
    }
    Ok(())
}

#[test]
#[cfg(feature = "ipv4")]
fn one_connection_too_many_gets_in_when_another_ends_whether_its_request_waits_or_not() -> Result<()>
{
    one_too_many::<0>()?;
    one_too_many::<1>()
}

fn one_too_many<const SYNS: usize>() -> Result<()> {
    let mut memory = Storage::<3, 2, 0, 512>::new();
    let mut other = Storage::<2, 1, 0, 512, 1, SYNS>::new();
    let here = Stack::new(&mut memory, [1; 16], ());
    let there = Stack::new(&mut other, [2; 16], ());
    let mut hosts = Hosts::new(Medium::Ethernet, [here, there], [HERE, THERE])?;
    let server = listener(&mut hosts.there.stack, 7)?;
    let first = stream(&mut hosts.here.stack)?;
    let begun = hosts.here.stack.connect(first, at(THERE, 7));
    assert_eq!(begun, Err(Error::WouldBlock));
    hosts.run(A_WHILE);
    let (peer, _) = hosts.there.stack.accept(server)?;
    let second = stream(&mut hosts.here.stack)?;
    let begun = hosts.here.stack.connect(second, at(THERE, 7));
    assert_eq!(begun, Err(Error::WouldBlock));
    hosts.run(Duration::from_secs(20));
    let waits = hosts.here.stack.connect(second, at(THERE, 7));
    assert_eq!(waits, Err(Error::WouldBlock));
    there_and_back(&mut hosts, first, peer, 5_000)?;
    hosts.here.stack.close(first)?;
    hosts.run(A_WHILE);
    hosts.there.stack.close(peer)?;
    hosts.run(A_WHILE);
    let is_in = hosts.here.stack.getpeername(second).is_ok();
    assert_eq!(is_in, SYNS > 0, "else it is when it asks again");
    hosts.run(Duration::from_secs(60));
    let (peer, _) = hosts.there.stack.accept(server)?;
    assert_eq!(hosts.here.stack.connect(second, at(THERE, 7)), Ok(()));
    there_and_back(&mut hosts, second, peer, 100)
}

#[test]
#[cfg(feature = "ipv4")]
fn a_fin_is_acknowledged_before_its_connection_gives_way_to_another() -> Result<()> {
    let mut memory = Storage::<3, 2, 0, 512>::new();
    let mut other = Storage::<2, 1, 0, 512, 1, 1>::new();
    let here = Stack::new(&mut memory, [1; 16], ());
    let there = Stack::new(&mut other, [2; 16], ());
    let mut hosts = Hosts::new(Medium::Ethernet, [here, there], [HERE, THERE])?;
    let server = listener(&mut hosts.there.stack, 7)?;
    let fds = [
        stream(&mut hosts.here.stack)?,
        stream(&mut hosts.here.stack)?,
    ];
    for fd in fds {
        let begun = hosts.here.stack.connect(fd, at(THERE, 7));
        assert_eq!(begun, Err(Error::WouldBlock));
        hosts.run(Duration::from_millis(100));
    }
    let (peer, _) = hosts.there.stack.accept(server)?;
    hosts.there.stack.close(peer)?;
    hosts.run(Duration::from_millis(100));
    // The last FIN finds a driver that has no room for the answer.
    hosts.there.end.room = 0;
    hosts.here.stack.close(fds[0])?;
    hosts.run(Duration::from_millis(5));
    let waits = hosts.here.stack.connect(fds[1], at(THERE, 7));
    assert_eq!(waits, Err(Error::WouldBlock));
    hosts.there.end.room = usize::MAX;
    hosts.run(Duration::from_millis(200));
    assert_eq!(hosts.here.stack.connect(fds[1], at(THERE, 7)), Ok(()));
    // It is not sent again, nor was it refused.
    assert_eq!(hosts.here.stack.usage().connections, 1);
    Ok(())
}

#[test]
#[cfg(feature = "ipv4")]
fn what_is_lost_or_finds_no_room_is_sent_again() -> Result<()> {
    two_hosts(Medium::Ethernet, |mut hosts| {
        let server = listener(&mut hosts.there.stack, 7)?;
        let fd = stream(&mut hosts.here.stack)?;
        hosts.here.end.room = 0;
        let begun = hosts.here.stack.connect(fd, at(THERE, 7));
        assert_eq!(begun, Err(Error::WouldBlock));
        hosts.run(Duration::from_millis(100));
        hosts.here.end.room = usize::MAX;
        hosts.here.end.loses = 1; // questions for the neighbor
        hosts.run(Duration::from_secs(10));
        assert_eq!(hosts.here.stack.connect(fd, at(THERE, 7)), Ok(()));
        let (peer, _) = hosts.there.stack.accept(server)?;
        for patience in [1, 2, 3] {
            (hosts.here.end.patience, hosts.there.end.patience) = (patience, patience + 1);
            (hosts.here.end.loses, hosts.there.end.loses) = (2, 1);
            there_and_back(&mut hosts, fd, peer, 20_000)?;
            let from = datagram(&mut hosts.here.stack)?;
            let to = datagram(&mut hosts.there.stack)?;
            hosts.there.stack.bind(to, at(THERE, 9))?;
            hosts.run(LONG); // the neighbors are known no more
            let sent = hosts.here.stack.sendto(from, b"datagram", at(THERE, 9));
            assert_eq!(sent, Ok(8));
            hosts.run(Duration::from_secs(3));
            assert_eq!(hosts.there.stack.recv(to, &mut [0; 100]), Ok(8));
            hosts.here.stack.close(from)?;
            hosts.there.stack.close(to)?;
        }
        Ok(())
    })
}

#[test]
#[cfg(feature = "ipv4")]
fn what_found_no_room_leaves_as_soon_as_there_is_some() -> Result<()> {
    two_hosts(Medium::Ethernet, |mut hosts| {
        let server = listener(&mut hosts.there.stack, 7)?;
        let fd = stream(&mut hosts.here.stack)?;
        let begun = hosts.here.stack.connect(fd, at(THERE, 7));
        assert_eq!(begun, Err(Error::WouldBlock));
        hosts.run(A_WHILE);
        let (peer, _) = hosts.there.stack.accept(server)?;
        hosts.here.end.room = 0;
        assert_eq!(hosts.here.stack.send(fd, b"octets"), Ok(6));
        hosts.here.poll(hosts.now);
        assert!(!hosts.there.has_unread());
        // Who polls because the driver says that there is room does not wait for a clock as well.
        hosts.here.end.room = usize::MAX;
        hosts.here.poll(hosts.now);
        hosts.there.poll(hosts.now);
        assert_eq!(hosts.there.stack.recv(peer, &mut [0; 8]), Ok(6));
        Ok(())
    })
}

#[test]
#[cfg(feature = "ipv4")]
fn who_does_not_answer_is_unreachable() -> Result<()> {
    two_hosts(Medium::Ethernet, |mut hosts| {
        let fd = stream(&mut hosts.here.stack)?;
        let begun = hosts.here.stack.connect(fd, at(NOBODY, 7));
        assert_eq!(begun, Err(Error::WouldBlock));
        hosts.run(Duration::from_secs(20));
        let failed = hosts.here.stack.connect(fd, at(NOBODY, 7));
        assert_eq!(failed, Err(Error::HostUnreachable));
        Ok(())
    })
}

#[test]
#[cfg(feature = "ipv4")]
fn another_gateway_serves_where_one_does_not_answer() -> Result<()> {
    two_hosts(Medium::Ethernet, |mut hosts| {
        let fd = stream(&mut hosts.here.stack)?;
        let far = at(Ipv4Addr::new(192, 0, 2, 1), 7);
        let refused = hosts.here.stack.connect(fd, far);
        assert_eq!(refused, Err(Error::NetworkUnreachable));
        for (gateway, metric) in [(NOBODY, 1), (THERE, 2)] {
            let mut route = Route::default_by(gateway.into());
            route.metric = metric;
            hosts.here.stack.add_route(hosts.here.link, route)?;
        }
        // The second host is a router, and the far host itself.
        let Host { stack, link, .. } = &mut hosts.there;
        stack.add_address(*link, far.ip(), 32)?;
        let server = listener(stack, 7)?;
        let begun = hosts.here.stack.connect(fd, far);
        assert_eq!(begun, Err(Error::WouldBlock));
        hosts.run(Duration::from_secs(60));
        assert_eq!(hosts.here.stack.connect(fd, far), Ok(()));
        let (peer, _) = hosts.there.stack.accept(server)?;
        there_and_back(&mut hosts, fd, peer, 2_000)
    })
}

#[test]
#[cfg(feature = "ipv4")]
fn a_port_that_nobody_has_refuses() -> Result<()> {
    two_hosts(Medium::Ethernet, |mut hosts| {
        let tcp = stream(&mut hosts.here.stack)?;
        let begun = hosts.here.stack.connect(tcp, at(THERE, 7));
        assert_eq!(begun, Err(Error::WouldBlock));
        let udp = datagram(&mut hosts.here.stack)?;
        hosts.here.stack.connect(udp, at(THERE, 7))?;
        assert_eq!(hosts.here.stack.send(udp, b"hello"), Ok(5));
        hosts.run(Duration::from_secs(5));
        let refused = hosts.here.stack.connect(tcp, at(THERE, 7));
        assert_eq!(refused, Err(Error::ConnectionRefused));
        let refused = hosts.here.stack.recv(udp, &mut [0; 8]);
        assert_eq!(refused, Err(Error::ConnectionRefused));
        let empty = hosts.here.stack.recv(udp, &mut [0; 8]);
        assert_eq!(empty, Err(Error::WouldBlock));
        Ok(())
    })
}

#[test]
#[cfg(feature = "ipv4")]
fn two_links_lead_to_two_networks() -> Result<()> {
    two_hosts(Medium::Ethernet, |mut hosts| {
        let (mut end, far_end) = cable(Medium::Ip);
        let second = hosts.here.stack.add_interface(&mut end, None)?;
        let own = Ipv4Addr::new(10, 1, 0, 1);
        hosts.here.stack.add_address(second, own.into(), 24)?;
        let away = Ipv4Addr::new(10, 1, 0, 2);
        let mut memory = Storage::<2, 1, 0, 512>::new();
        let mut far = Host::new(Stack::new(&mut memory, [3; 16], ()), far_end, away)?;

        listener(&mut hosts.there.stack, 7)?;
        listener(&mut far.stack, 7)?;
        let [one, two] = [THERE, away].map(|addr| {
            let fd = stream(&mut hosts.here.stack)?;
            let begun = hosts.here.stack.connect(fd, at(addr, 7));
            assert_eq!(begun, Err(Error::WouldBlock));
            Ok(fd)
        });
        let (one, two) = (one?, two?);
        for _ in 0..20 {
            let _ = hosts.here.stack.poll(second, hosts.now, &mut end);
            far.poll(hosts.now);
            hosts.run(Duration::from_millis(10));
        }
        assert_eq!(hosts.here.stack.connect(one, at(THERE, 7)), Ok(()));
        assert_eq!(hosts.here.stack.connect(two, at(away, 7)), Ok(()));
        assert_eq!(hosts.here.stack.getsockname(two)?.ip(), own);
        Ok(())
    })
}
