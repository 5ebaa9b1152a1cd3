//! Hosts with as few of the features as there are, and with all of them: what they do on links that lose and refuse frames, and
//! with calls and frames of all kinds.

#![cfg_attr(not(feature = "ipv4"), allow(dead_code, unused_imports))]

use std::cell::{Cell, RefCell};
use std::collections::VecDeque;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::rc::Rc;

use glasstack::smoltcp::phy::{Device, DeviceCapabilities, Medium, RxToken, TxToken};
use glasstack::smoltcp::time::{Duration, Instant};
use glasstack::stack::{Domain, Fd, InterfaceId, Message, Shutdown, Storage, Type};
use glasstack::{Error, Limit, Result, Stack};

type Frames = Rc<RefCell<VecDeque<Vec<u8>>>>;

const HERE: Ipv4Addr = Ipv4Addr::new(10, 0, 0, 1);
const THERE: Ipv4Addr = Ipv4Addr::new(10, 0, 0, 2);
const NOBODY: Ipv4Addr = Ipv4Addr::new(10, 0, 0, 9);

/// An end of a cable, and what its driver makes of it.
struct End {
    receive: Frames,
    send: Frames,
    medium: Medium,
    /// For how many frames the driver has room.
    room: usize,
    /// How many times it has said so.
    asked: Cell<usize>,
    /// How often it may be asked before it has no room, each time anew.
    patience: usize,
    /// How many frames it loses.
    loses: usize,
}

fn cable(medium: Medium) -> (End, End) {
    let (a, b) = (Frames::default(), Frames::default());
    let end = |receive: &Frames, send: &Frames| End {
        receive: receive.clone(),
        send: send.clone(),
        medium,
        room: usize::MAX,
        asked: Cell::new(0),
        patience: usize::MAX,
        loses: 0,
    };
    (end(&a, &b), end(&b, &a))
}

struct Received(Vec<u8>);

impl RxToken for Received {
    fn consume<R, F: FnOnce(&[u8]) -> R>(self, f: F) -> R {
        f(&self.0)
    }
}

struct Room<'e> {
    send: Frames,
    loses: &'e mut usize,
    room: &'e mut usize,
}

impl TxToken for Room<'_> {
    fn consume<R, F: FnOnce(&mut [u8]) -> R>(self, len: usize, f: F) -> R {
        let mut frame = vec![0; len];
        let result = f(&mut frame);
        *self.room = self.room.saturating_sub(1);
        if *self.loses > 0 {
            *self.loses -= 1;
        } else {
            self.send.borrow_mut().push_back(frame);
        }
        result
    }
}

impl Device for End {
    type RxToken<'a> = Received;
    type TxToken<'a> = Room<'a>;

    fn receive(&mut self, _: Instant) -> Option<(Received, Room<'_>)> {
        let frame = self.receive.borrow_mut().pop_front()?;
        let room = Room {
            send: self.send.clone(),
            loses: &mut self.loses,
            room: &mut self.room,
        };
        Some((Received(frame), room))
    }

    fn transmit(&mut self, _: Instant) -> Option<Room<'_>> {
        self.asked.set(self.asked.get() + 1);
        if self.room == 0 || self.asked.get() > self.patience {
            self.asked.set(0);
            return None;
        }
        Some(Room {
            send: self.send.clone(),
            loses: &mut self.loses,
            room: &mut self.room,
        })
    }

    fn capabilities(&self) -> DeviceCapabilities {
        let mut capabilities = DeviceCapabilities::default();
        capabilities.medium = self.medium;
        capabilities.max_transmission_unit = 1_514;
        capabilities
    }
}

/// A host on the cable.
struct Host<'s> {
    stack: Stack<'s>,
    link: InterfaceId,
    end: End,
    next: Option<Instant>,
}

impl<'s> Host<'s> {
    fn new(mut stack: Stack<'s>, mut end: End, addr: impl Into<IpAddr>) -> Result<Host<'s>> {
        let addr = addr.into();
        let (last, prefix_len) = match addr {
            IpAddr::V4(v4) => (v4.octets()[3], 24),
            IpAddr::V6(v6) => (v6.octets()[15], 64),
        };
        let hardware = (end.medium == Medium::Ethernet).then_some([2, 0, 0, 0, 0, last]);
        let link = stack.add_interface(&mut end, hardware)?;
        stack.add_address(link, addr, prefix_len)?;
        Ok(Host {
            stack,
            link,
            end,
            next: None,
        })
    }

    fn poll(&mut self, now: Instant) {
        self.next = self.stack.poll(self.link, now, &mut self.end);
    }

    fn has_unread(&self) -> bool {
        !self.end.receive.borrow().is_empty()
    }
}

/// Lets the hosts run until nothing is to be done before `until`. Time stands still only for so many turns.
fn run<'s>(hosts: &mut [&mut Host<'s>], now: &mut Instant, until: Instant) {
    let mut turns = 0;
    loop {
        for host in hosts.iter_mut() {
            host.poll(*now);
        }
        let has_unread = hosts.iter().any(|host| host.has_unread());
        let next = hosts.iter().filter_map(|host| host.next).min();
        let next = if has_unread { Some(*now) } else { next };
        match next {
            Some(at) if at <= *now => turns += 1,
            Some(at) if at <= until => (*now, turns) = (at, 0),
            _ => break,
        }
        assert!(turns < 2_000, "polled for ever at {now}");
    }
    *now = until.max(*now);
}

fn after(now: Instant, millis: u64) -> Instant {
    now + Duration::from_millis(millis)
}

fn at(addr: Ipv4Addr, port: u16) -> SocketAddr {
    (addr, port).into()
}

fn stream(stack: &mut Stack<'_>) -> Result<Fd> {
    stack.socket(Domain::Inet, Type::Stream)
}

fn datagram(stack: &mut Stack<'_>) -> Result<Fd> {
    stack.socket(Domain::Inet, Type::Datagram)
}

fn listener(stack: &mut Stack<'_>, port: u16) -> Result<Fd> {
    let fd = stream(stack)?;
    stack.bind(fd, at(Ipv4Addr::UNSPECIFIED, port))?;
    stack.listen(fd, 8)?;
    Ok(fd)
}

/// Sends all of it, whatever the link does.
fn carry<'s>(
    here: &mut Host<'s>,
    there: &mut Host<'s>,
    now: &mut Instant,
    from: Fd,
    to: Fd,
    len: usize,
) -> Result<()> {
    let data: Vec<u8> = (0..len).map(|at| (at % 251) as u8).collect();
    let (mut sent, mut received) = (0, Vec::new());
    let end = after(*now, 600_000);
    while received.len() < len {
        match here.stack.send(from, &data[sent..]) {
            Ok(more) => sent += more,
            Err(Error::WouldBlock) => {}
            Err(error) => return Err(error),
        }
        let mut buffer = [0; 700];
        match there.stack.recv(to, &mut buffer) {
            Ok(more) => received.extend_from_slice(&buffer[..more]),
            Err(Error::WouldBlock) => {}
            Err(error) => return Err(error),
        }
        let until = after(*now, 20);
        run(&mut [here, there], now, until);
        assert!(*now < end, "{} of {len} came", received.len());
    }
    assert!(received == data);
    Ok(())
}

#[test]
fn four_connections_at_once_and_four_more_when_they_are_over() -> Result<()> {
    let v4 = cfg!(feature = "ipv4").then_some((Domain::Inet, ["10.0.0.1", "10.0.0.2", "0.0.0.0"]));
    let v6 = cfg!(feature = "ipv6").then_some((Domain::Inet6, ["fd00::1", "fd00::2", "::"]));
    let families = v4.into_iter().chain(v6);
    let media = [Medium::Ethernet, Medium::Ip];
    for (medium, (domain, addresses)) in media
        .into_iter()
        .flat_map(|medium| families.clone().map(move |it| (medium, it)))
    {
        let [own, other_addr, any] = addresses.map(|addr| addr.parse::<IpAddr>().unwrap());
        let to = SocketAddr::new(other_addr, 7);
        let (a, b) = cable(medium);
        let (mut memory, mut other) = (
            Storage::<5, 4, 0, 1024>::new(),
            Storage::<5, 4, 0, 1024, 1, 0>::new(),
        );
        let mut here = Host::new(Stack::new(&mut memory, [1; 16], ()), a, own)?;
        let mut there = Host::new(Stack::new(&mut other, [2; 16], ()), b, other_addr)?;
        let mut now = Instant::ZERO;
        let server = there.stack.socket(domain, Type::Stream)?;
        there.stack.bind(server, SocketAddr::new(any, 7))?;
        there.stack.listen(server, 8)?;
        for _ in 0..3 {
            let mut pairs = Vec::new();
            for _ in 0..4 {
                let fd = here.stack.socket(domain, Type::Stream)?;
                assert_eq!(here.stack.connect(fd, to), Err(Error::WouldBlock));
                pairs.push(fd);
            }
            let until = after(now, 20_000);
            run(&mut [&mut here, &mut there], &mut now, until);
            let mut accepted = Vec::new();
            for fd in &pairs {
                assert_eq!(here.stack.connect(*fd, to), Ok(()));
                accepted.push(there.stack.accept(server)?);
            }
            assert_eq!(there.stack.accept(server), Err(Error::WouldBlock));
            for fd in pairs {
                let from_own = here.stack.getsockname(fd)?;
                let (peer, _) = accepted[accepted
                    .iter()
                    .position(|(_, from)| *from == from_own)
                    .unwrap()];
                carry(&mut here, &mut there, &mut now, fd, peer, 3_000)?;
                carry(&mut there, &mut here, &mut now, peer, fd, 3_000)?;
                here.stack.close(fd)?;
                let until = after(now, 50);
                run(&mut [&mut here, &mut there], &mut now, until);
                assert_eq!(there.stack.recv(peer, &mut [0; 8]), Ok(0));
                there.stack.close(peer)?;
            }
            let until = after(now, 1_000);
            run(&mut [&mut here, &mut there], &mut now, until);
        }
        let until = after(now, 100_000);
        run(&mut [&mut here, &mut there], &mut now, until);
        assert_eq!(here.stack.usage().connections, 0);
        assert_eq!(there.stack.usage().connections, 0);
        assert_eq!((here.next, there.next), (None, None), "nothing is due");
    }
    Ok(())
}

#[test]
#[cfg(feature = "ipv4")]
fn one_connection_too_many_gets_in_when_another_ends_whether_its_request_waits_or_not() -> Result<()>
{
    let (a, b) = cable(Medium::Ethernet);
    let (mut memory, mut other) = (
        Storage::<4, 3, 0, 512>::new(),
        Storage::<2, 1, 0, 512, 1, 0>::new(),
    );
    let mut here = Host::new(Stack::new(&mut memory, [1; 16], ()), a, HERE)?;
    let mut there = Host::new(Stack::new(&mut other, [2; 16], ()), b, THERE)?;
    let mut now = Instant::ZERO;
    let server = listener(&mut there.stack, 7)?;
    let first = stream(&mut here.stack)?;
    assert_eq!(
        here.stack.connect(first, at(THERE, 7)),
        Err(Error::WouldBlock)
    );
    run(
        &mut [&mut here, &mut there],
        &mut now,
        Instant::from_secs(1),
    );
    let (peer, _) = there.stack.accept(server)?;
    let second = stream(&mut here.stack)?;
    assert_eq!(
        here.stack.connect(second, at(THERE, 7)),
        Err(Error::WouldBlock)
    );
    run(
        &mut [&mut here, &mut there],
        &mut now,
        Instant::from_secs(20),
    );
    assert_eq!(
        here.stack.connect(second, at(THERE, 7)),
        Err(Error::WouldBlock)
    );
    carry(&mut here, &mut there, &mut now, first, peer, 5_000)?;
    here.stack.close(first)?;
    there.stack.close(peer)?;
    let until = after(now, 60_000);
    run(&mut [&mut here, &mut there], &mut now, until);
    let (peer, _) = there.stack.accept(server)?;
    assert_eq!(
        here.stack.connect(first, at(THERE, 7)),
        Err(Error::BadDescriptor)
    );
    assert_eq!(here.stack.connect(second, at(THERE, 7)), Ok(()));
    carry(&mut here, &mut there, &mut now, second, peer, 100)
}

#[test]
#[cfg(feature = "ipv4")]
fn what_is_lost_or_finds_no_room_is_sent_again() -> Result<()> {
    let (a, b) = cable(Medium::Ethernet);
    let (mut memory, mut other) = (
        Storage::<4, 2, 1, 2048>::new(),
        Storage::<4, 2, 1, 2048>::new(),
    );
    let mut here = Host::new(Stack::new(&mut memory, [1; 16], ()), a, HERE)?;
    let mut there = Host::new(Stack::new(&mut other, [2; 16], ()), b, THERE)?;
    let mut now = Instant::ZERO;
    let server = listener(&mut there.stack, 7)?;
    let fd = stream(&mut here.stack)?;
    here.end.room = 0;
    assert_eq!(here.stack.connect(fd, at(THERE, 7)), Err(Error::WouldBlock));
    run(
        &mut [&mut here, &mut there],
        &mut now,
        Instant::from_millis(100),
    );
    here.end.room = usize::MAX;
    here.end.loses = 1; // questions for the neighbor
    run(
        &mut [&mut here, &mut there],
        &mut now,
        Instant::from_secs(10),
    );
    assert_eq!(here.stack.connect(fd, at(THERE, 7)), Ok(()));
    let (peer, _) = there.stack.accept(server)?;
    for patience in [1, 2, 3] {
        (here.end.patience, there.end.patience) = (patience, patience + 1);
        (here.end.loses, there.end.loses) = (2, 1);
        carry(&mut here, &mut there, &mut now, fd, peer, 20_000)?;
        carry(&mut there, &mut here, &mut now, peer, fd, 20_000)?;
        let (from, to) = (datagram(&mut here.stack)?, datagram(&mut there.stack)?);
        there.stack.bind(to, at(THERE, 9))?;
        let until = after(now, 60_000);
        run(&mut [&mut here, &mut there], &mut now, until); // the neighbors are known no more
        assert_eq!(here.stack.sendto(from, b"datagram", at(THERE, 9)), Ok(8));
        let until = after(now, 3_000);
        run(&mut [&mut here, &mut there], &mut now, until);
        assert_eq!(there.stack.recv(to, &mut [0; 100]), Ok(8));
        here.stack.close(from)?;
        there.stack.close(to)?;
    }
    Ok(())
}

#[test]
#[cfg(feature = "ipv4")]
fn who_does_not_answer_is_unreachable_and_another_gateway_serves() -> Result<()> {
    let (a, b) = cable(Medium::Ethernet);
    let (mut memory, mut other) = (
        Storage::<4, 2, 1, 512>::new(),
        Storage::<4, 2, 1, 512>::new(),
    );
    let mut here = Host::new(Stack::new(&mut memory, [1; 16], ()), a, HERE)?;
    let mut there = Host::new(Stack::new(&mut other, [2; 16], ()), b, THERE)?;
    let mut now = Instant::ZERO;
    let fd = stream(&mut here.stack)?;
    let far = at(Ipv4Addr::new(192, 0, 2, 1), 7);
    assert_eq!(here.stack.connect(fd, far), Err(Error::NetworkUnreachable));
    assert_eq!(
        here.stack.connect(fd, at(NOBODY, 7)),
        Err(Error::WouldBlock)
    );
    run(
        &mut [&mut here, &mut there],
        &mut now,
        Instant::from_secs(20),
    );
    assert_eq!(
        here.stack.connect(fd, at(NOBODY, 7)),
        Err(Error::HostUnreachable)
    );

    // The second host is a router, and the far host itself.
    let link = here.link;
    for gateway in [(NOBODY, 1), (THERE, 2)] {
        let mut route = glasstack::stack::Route::default_by(gateway.0.into());
        route.metric = gateway.1;
        here.stack.add_route(link, route)?;
    }
    there.stack.add_address(there.link, far.ip(), 32)?;
    let server = listener(&mut there.stack, 7)?;
    assert_eq!(here.stack.connect(fd, far), Err(Error::WouldBlock));
    run(
        &mut [&mut here, &mut there],
        &mut now,
        Instant::from_secs(60),
    );
    assert_eq!(here.stack.connect(fd, far), Ok(()));
    let (peer, _) = there.stack.accept(server)?;
    carry(&mut here, &mut there, &mut now, fd, peer, 2_000)
}

#[test]
#[cfg(feature = "ipv4")]
fn a_port_that_nobody_has_refuses() -> Result<()> {
    let (a, b) = cable(Medium::Ethernet);
    let (mut memory, mut other) = (
        Storage::<4, 1, 2, 512>::new(),
        Storage::<4, 1, 2, 512>::new(),
    );
    let mut here = Host::new(Stack::new(&mut memory, [1; 16], ()), a, HERE)?;
    let mut there = Host::new(Stack::new(&mut other, [2; 16], ()), b, THERE)?;
    let mut now = Instant::ZERO;
    let tcp = stream(&mut here.stack)?;
    assert_eq!(
        here.stack.connect(tcp, at(THERE, 7)),
        Err(Error::WouldBlock)
    );
    let udp = datagram(&mut here.stack)?;
    here.stack.connect(udp, at(THERE, 7))?;
    assert_eq!(here.stack.send(udp, b"hello"), Ok(5));
    run(
        &mut [&mut here, &mut there],
        &mut now,
        Instant::from_secs(5),
    );
    assert_eq!(
        here.stack.connect(tcp, at(THERE, 7)),
        Err(Error::ConnectionRefused)
    );
    let refused = here.stack.recv(udp, &mut [0; 8]);
    assert_eq!(refused, Err(Error::ConnectionRefused));
    assert_eq!(here.stack.recv(udp, &mut [0; 8]), Err(Error::WouldBlock));
    Ok(())
}

/// The errno of a call is the same whatever else is in the build.
#[test]
#[cfg(feature = "ipv4")]
fn calls_say_what_is_wrong() -> Result<()> {
    let (a, _b) = cable(Medium::Ip);
    let mut memory = Storage::<5, 2, 2, 512>::new();
    let mut host = Host::new(Stack::new(&mut memory, [1; 16], ()), a, HERE)?;
    let stack = &mut host.stack;
    let (tcp, udp) = (stream(stack)?, datagram(stack)?);
    for fd in [tcp, udp] {
        assert_eq!(stack.bind(fd, at(NOBODY, 7)), Err(Error::AddrNotAvailable));
        let v6 = "[::1]:7".parse().unwrap();
        assert_eq!(stack.bind(fd, v6), Err(Error::AddressFamilyNotSupported));
        assert_eq!(stack.connect(fd, v6), Err(Error::AddressFamilyNotSupported));
        let any = "[::]:7".parse().unwrap();
        assert_eq!(stack.bind(fd, any), Err(Error::AddressFamilyNotSupported));
        assert_eq!(
            stack.connect(fd, any),
            Err(Error::AddressFamilyNotSupported)
        );
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
    assert_eq!(
        stack.connect(other, multicast),
        Err(Error::NetworkUnreachable)
    );
    stack.close(other)?;
    assert_eq!(stack.close(other), Err(Error::BadDescriptor));
    Ok(())
}

/// IPv4 over an IPv6 socket, where there are any; and what is IPv6 elsewhere.
#[test]
#[cfg(feature = "ipv4")]
fn an_ipv6_socket_speaks_ipv4() -> Result<()> {
    let (a, b) = cable(Medium::Ip);
    let (mut memory, mut other) = (
        Storage::<6, 2, 2, 512>::new(),
        Storage::<6, 2, 2, 512>::new(),
    );
    let mut here = Host::new(Stack::new(&mut memory, [1; 16], ()), a, HERE)?;
    let mut there = Host::new(Stack::new(&mut other, [2; 16], ()), b, THERE)?;
    let mut now = Instant::ZERO;
    let strange: SocketAddr = "[2001:db8::1]:7".parse().unwrap();
    assert_eq!(here.stack.source_for(strange.ip()), None);
    if !cfg!(feature = "ipv6") {
        for kind in [Type::Stream, Type::Datagram] {
            let refused = here.stack.socket(Domain::Inet6, kind);
            assert_eq!(refused, Err(Error::AddressFamilyNotSupported));
        }
        let (link, refused) = (here.link, Err(Error::AddressFamilyNotSupported));
        assert_eq!(here.stack.add_address(link, strange.ip(), 64), refused);
        let route = glasstack::stack::Route::default_by(strange.ip());
        assert_eq!(here.stack.add_route(link, route), refused);
        let removed = here.stack.remove_address(link, strange.ip());
        assert_eq!(removed, Err(Error::AddrNotAvailable));
        assert_eq!(here.stack.set_gateway(link, strange.ip()), refused);
        let udp = datagram(&mut here.stack)?;
        for addr in ["[2001:db8::1]:7", "[::]:7", "[::ffff:10.0.0.2]:7"] {
            let sent = here.stack.sendto(udp, b"x", addr.parse().unwrap());
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
            assert_eq!(here.stack.sendmsg(udp, &message), expected, "{from}");
        }
        return Ok(());
    }
    let server = there.stack.socket(Domain::Inet6, Type::Stream)?;
    let refused = there.stack.bind(server, at(THERE, 7));
    assert_eq!(refused, Err(Error::AddressFamilyNotSupported));
    let refused = there.stack.bind(server, strange);
    assert_eq!(refused, Err(Error::AddrNotAvailable));
    assert_eq!(there.stack.bind(server, "[::]:7".parse().unwrap()), Ok(()));
    there.stack.listen(server, 4)?;
    let client = here.stack.socket(Domain::Inet6, Type::Stream)?;
    let refused = here.stack.connect(client, strange);
    assert_eq!(refused, Err(Error::NetworkUnreachable));
    let mapped: SocketAddr = "[::ffff:10.0.0.2]:7".parse().unwrap();
    assert_eq!(here.stack.connect(client, mapped), Err(Error::WouldBlock));
    run(
        &mut [&mut here, &mut there],
        &mut now,
        Instant::from_secs(1),
    );
    assert_eq!(here.stack.connect(client, mapped), Ok(()));
    assert_eq!(here.stack.getpeername(client), Ok(mapped));
    let (_, from) = there.stack.accept(server)?;
    assert_eq!(from, here.stack.getsockname(client)?);
    Ok(())
}

#[test]
#[cfg(feature = "ipv4")]
fn a_host_reaches_itself_where_it_has_a_loopback() -> Result<()> {
    let (a, _b) = cable(Medium::Ethernet);
    let mut memory = Storage::<6, 2, 2, 512, 1, 4, 600>::new();
    let mut host = Host::new(Stack::new(&mut memory, [1; 16], ()), a, HERE)?;
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
#[cfg(feature = "ipv4")]
fn a_host_without_a_link_is_alone() -> Result<()> {
    let mut memory = Storage::<4, 1, 1, 512, 0>::new();
    let mut stack = Stack::new(&mut memory, [1; 16], ());
    let added = stack.add_interface(&mut cable(Medium::Ip).0, None);
    assert_eq!(added, Err(Error::Exhausted(Limit::Interfaces)));
    let server = listener(&mut stack, 7)?;
    let fd = stream(&mut stack)?;
    for addr in [HERE, Ipv4Addr::LOCALHOST, Ipv4Addr::BROADCAST] {
        assert_eq!(
            stack.connect(fd, at(addr, 7)),
            Err(Error::NetworkUnreachable)
        );
    }
    assert_eq!(stack.poll_loopback(Instant::ZERO), None);
    let mut end = cable(Medium::Ip).0;
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
#[cfg(feature = "ipv4")]
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
#[cfg(feature = "ipv4")]
fn a_host_with_next_to_no_memory_says_so() -> Result<()> {
    let (a, b) = cable(Medium::Ethernet);
    let (mut memory, mut other) = (
        Storage::<1, 0, 0, 0, 1, 0>::new(),
        Storage::<2, 1, 0, 512>::new(),
    );
    let mut here = Host::new(Stack::new(&mut memory, [1; 16], ()), a, HERE)?;
    let mut there = Host::new(Stack::new(&mut other, [2; 16], ()), b, THERE)?;
    let mut now = Instant::ZERO;
    assert_eq!(
        datagram(&mut here.stack),
        Err(Error::Exhausted(Limit::Datagrams))
    );
    let fd = stream(&mut here.stack)?;
    assert_eq!(
        stream(&mut here.stack),
        Err(Error::Exhausted(Limit::Sockets))
    );
    let refused = here.stack.connect(fd, at(THERE, 7));
    assert_eq!(refused, Err(Error::Exhausted(Limit::Connections)));
    here.stack.bind(fd, at(HERE, 7))?;
    here.stack.listen(fd, 1)?;
    let client = stream(&mut there.stack)?;
    assert_eq!(
        there.stack.connect(client, at(HERE, 7)),
        Err(Error::WouldBlock)
    );
    run(
        &mut [&mut here, &mut there],
        &mut now,
        Instant::from_secs(100),
    );
    assert_eq!(
        there.stack.connect(client, at(HERE, 7)),
        Err(Error::WouldBlock)
    );
    run(
        &mut [&mut here, &mut there],
        &mut now,
        Instant::from_secs(200),
    );
    assert_eq!(
        there.stack.connect(client, at(HERE, 7)),
        Err(Error::TimedOut)
    );
    here.stack.close(fd)
}

#[test]
#[cfg(feature = "ipv4")]
fn two_links_lead_to_two_networks() -> Result<()> {
    let (a, b) = cable(Medium::Ethernet);
    let (mut c, d) = cable(Medium::Ip);
    let (mut memory, mut other, mut third) = (
        Storage::<4, 3, 0, 512, 2>::new(),
        Storage::<4, 2, 1, 512>::new(),
        Storage::<4, 2, 1, 512>::new(),
    );
    let mut here = Host::new(Stack::new(&mut memory, [1; 16], ()), a, HERE)?;
    let mut there = Host::new(Stack::new(&mut other, [2; 16], ()), b, THERE)?;
    let away = Ipv4Addr::new(10, 1, 0, 2);
    let mut far = Host::new(Stack::new(&mut third, [3; 16], ()), d, away)?;
    let second = here.stack.add_interface(&mut c, None)?;
    here.stack
        .add_address(second, Ipv4Addr::new(10, 1, 0, 1).into(), 24)?;
    listener(&mut there.stack, 7)?;
    listener(&mut far.stack, 7)?;
    let (one, two) = (stream(&mut here.stack)?, stream(&mut here.stack)?);
    assert_eq!(
        here.stack.connect(one, at(THERE, 7)),
        Err(Error::WouldBlock)
    );
    assert_eq!(here.stack.connect(two, at(away, 7)), Err(Error::WouldBlock));
    let mut now = Instant::ZERO;
    for _ in 0..20 {
        let _ = here.stack.poll(second, now, &mut c);
        let until = after(now, 10);
        for host in [&mut here, &mut there, &mut far] {
            host.poll(now);
        }
        now = until;
    }
    assert_eq!(here.stack.connect(one, at(THERE, 7)), Ok(()));
    assert_eq!(here.stack.connect(two, at(away, 7)), Ok(()));
    assert_eq!(
        here.stack.getsockname(two)?.ip(),
        Ipv4Addr::new(10, 1, 0, 1)
    );
    Ok(())
}

/// A generator of numbers that are the same with each run (Marsaglia's xorshift).
struct Random(u64);

impl Random {
    fn below(&mut self, limit: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 >> 11) as usize % limit.max(1)
    }

    fn of<T: Copy>(&mut self, all: &[T]) -> T {
        all[self.below(all.len())]
    }
}

/// Puts a frame on the cable that was sent before, with some octets changed, or cut; or one of noise.
#[cfg(feature = "ipv4")]
fn disturb(random: &mut Random, seen: &[Vec<u8>], to: &Frames) {
    let mut frame = match random.below(4) {
        0 => (0..random.below(90))
            .map(|_| random.below(256) as u8)
            .collect(),
        _ if seen.is_empty() => return,
        _ => seen[random.below(seen.len())].clone(),
    };
    for _ in 0..random.below(4) {
        let at = random.below(frame.len().min(70));
        if let Some(octet) = frame.get_mut(at) {
            *octet = random.of(&[0, 1, 0x45, 0x46, 0x7f, 0x80, 0xff, 6, 17]);
        }
    }
    if random.below(5) == 0 {
        frame.truncate(random.below(frame.len() + 1));
    }
    if random.below(2) == 0 {
        mend(&mut frame);
    }
    to.borrow_mut().push_back(frame);
}

/// Makes the checksums of an IPv4 packet right, so that what is behind them is looked at.
#[cfg(feature = "ipv4")]
fn mend(frame: &mut [u8]) {
    use glasstack::smoltcp::wire::{Icmpv4Packet, IpProtocol, Ipv4Packet, TcpPacket, UdpPacket};
    let Some(packet) = frame.get_mut(14..) else {
        return;
    };
    let Ok(mut ip) = Ipv4Packet::new_checked(packet) else {
        return;
    };
    ip.fill_checksum();
    let (from, to) = (ip.src_addr().into(), ip.dst_addr().into());
    match ip.next_header() {
        IpProtocol::Tcp => {
            if let Ok(mut segment) = TcpPacket::new_checked(ip.payload_mut()) {
                segment.fill_checksum(&from, &to);
            }
        }
        IpProtocol::Udp => {
            if let Ok(mut datagram) = UdpPacket::new_checked(ip.payload_mut()) {
                datagram.fill_checksum(&from, &to);
            }
        }
        IpProtocol::Icmp => {
            if let Ok(mut message) = Icmpv4Packet::new_checked(ip.payload_mut()) {
                message.fill_checksum();
            }
        }
        _ => {}
    }
}

/// One call of any kind, with arguments that may be anything.
fn call(random: &mut Random, stack: &mut Stack<'_>, fds: &mut Vec<Fd>) {
    let addr = random.of(&[
        "10.0.0.1",
        "10.0.0.2",
        "10.0.0.9",
        "0.0.0.0",
        "127.0.0.1",
        "255.255.255.255",
        "10.0.0.255",
        "224.0.0.1",
        "192.0.2.1",
        "::",
        "::1",
        "::ffff:10.0.0.2",
        "fe80::1",
    ]);
    let address = SocketAddr::new(addr.parse().unwrap(), random.of(&[0, 7, 7, 7, 8, 9]));
    let mut buffer = [0; 600];
    let len = random.of(&[0, 1, 100, 600]);
    let fd = match fds.len() {
        0 => None,
        count => Some(fds[random.below(count)]),
    };
    let Some(fd) = fd.filter(|_| random.below(6) > 0) else {
        let domain = random.of(&[Domain::Inet, Domain::Inet, Domain::Inet, Domain::Inet6]);
        fds.extend(stack.socket(
            domain,
            random.of(&[Type::Stream, Type::Stream, Type::Datagram]),
        ));
        return;
    };
    match random.below(13) {
        0 => {
            let _ = stack.bind(fd, address);
        }
        1 => {
            let _ = stack.listen(fd, random.below(4));
        }
        2 => fds.extend(stack.accept(fd).map(|(fd, _)| fd)),
        3 | 4 => {
            let _ = stack.connect(fd, address);
        }
        5 => {
            let _ = stack.send(fd, &buffer[..len]);
        }
        6 => {
            let _ = stack.sendto(fd, &buffer[..len], address);
        }
        7 => {
            let _ = stack.recv(fd, &mut buffer[..len]);
        }
        8 => {
            let _ = stack.recvfrom(fd, &mut buffer[..len]);
        }
        9 => {
            let how = random.of(&[Shutdown::Read, Shutdown::Write, Shutdown::Both]);
            let _ = stack.shutdown(fd, how);
        }
        10 => {
            let _ = stack.readiness(fd);
        }
        11 => drop((
            stack.getsockname(fd),
            stack.getpeername(fd),
            stack.take_error(fd),
        )),
        _ => {
            let _ = stack.close(fd);
            if random.below(2) == 0 {
                fds.retain(|other| *other != fd); // else it is used on
            }
        }
    }
}

/// Whatever is called, and whatever comes over a link that loses frames and has no room at times: nothing panics, nobody is
/// called for ever, and once all is closed and time has gone by everything is free again.
#[test]
#[cfg(feature = "ipv4")]
fn any_calls_and_frames_do_no_harm() -> Result<()> {
    for seed in 1..=40_u64 {
        let random = &mut Random(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15));
        let (a, b) = cable(Medium::Ethernet);
        let (mut memory, mut other) = (
            Storage::<7, 3, 2, 600, 1, 0, 600>::new(),
            Storage::<5, 2, 1, 600, 1, 2>::new(),
        );
        let mut here = Host::new(Stack::new(&mut memory, [1; 16], ()), a, HERE)?;
        let mut there = Host::new(Stack::new(&mut other, [2; 16], ()), b, THERE)?;
        let mut fds = [Vec::new(), Vec::new()];
        let mut seen = Vec::new();
        let mut now = Instant::ZERO;
        for _ in 0..400 {
            for (host, fds) in [&mut here, &mut there].into_iter().zip(&mut fds) {
                for _ in 0..random.below(4) {
                    call(random, &mut host.stack, fds);
                }
                host.end.loses = random.of(&[0, 0, 0, 1, 3]);
                host.end.room = random.of(&[0, 1, 2, usize::MAX, usize::MAX, usize::MAX]);
                host.end.patience = random.of(&[1, 2, 3, usize::MAX]);
                let from = host.end.receive.clone();
                seen.extend(from.borrow().iter().cloned());
                if random.below(3) == 0 {
                    disturb(random, &seen, &from);
                }
                host.poll(now);
            }
            let keep = seen.len().saturating_sub(50);
            seen.drain(..keep);
            let until = after(now, random.of(&[0, 1, 10, 300, 3_000, 90_000]));
            run(&mut [&mut here, &mut there], &mut now, until);
        }
        for (host, fds) in [&mut here, &mut there].into_iter().zip(&fds) {
            (host.end.loses, host.end.room, host.end.patience) = (0, usize::MAX, usize::MAX);
            for fd in fds {
                let _ = host.stack.close(*fd);
            }
            assert_eq!(host.stack.usage().sockets, 0, "seed {seed}");
        }
        let until = after(now, 1_000_000);
        run(&mut [&mut here, &mut there], &mut now, until);
        for host in [&here, &there] {
            let usage = host.stack.usage();
            assert_eq!((usage.connections, usage.datagrams), (0, 0), "seed {seed}");
            assert!(host.stack.is_drained(), "seed {seed}");
        }
    }
    Ok(())
}
