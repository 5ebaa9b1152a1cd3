//! Whatever is called and whatever arrives, in whatever order: nothing panics, nothing leaks, and the host goes on.
//!
//! Two hosts on a link make random calls with random arguments, on sockets that are open and on such as are not, while
//! forged frames arrive and time passes. Then all is closed: no slot may stay in use, and a new connection must work.
//! The cases are the same in every run; one that fails is made as short as it can be and printed.

#![allow(clippy::unwrap_used, clippy::panic)] // it is a test

mod cases;
mod pair;

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::time::Duration;

use glasstack::smoltcp::time;
use glasstack::stack::option::{
    Congestion, CongestionControl, HopLimit, KeepAliveIdle, NoDelay, UserTimeout, V6Only,
};
use glasstack::stack::{Capacity, Domain, Fd, Interest, Lookup, Shutdown, Storage, Type, Usage};
use glasstack::{Error, Stack};
use proptest::prelude::*;

use pair::frames::{self, ETHERNET};
use pair::{Bell, Host, Pair, Sender, address, at, small};

const CASES: u32 = 10_000;
const STEPS: usize = 40;

/// An address that somebody may come up with.
#[derive(Debug, Clone, Copy)]
struct Address {
    kind: u8,
    port: u8,
}

impl Address {
    fn get(self) -> SocketAddr {
        let ip = match self.kind {
            0 | 1 => address(Domain::Inet, 1),
            2 | 3 => address(Domain::Inet, 2),
            4 | 5 => address(Domain::Inet6, 1),
            6 | 7 => address(Domain::Inet6, 2),
            8 => IpAddr::V4(Ipv4Addr::UNSPECIFIED),
            9 => IpAddr::V6(Ipv6Addr::UNSPECIFIED),
            10 => IpAddr::V4(Ipv4Addr::LOCALHOST),
            11 => IpAddr::V6(Ipv6Addr::LOCALHOST),
            12 => IpAddr::V4(Ipv4Addr::BROADCAST),
            13 => address(Domain::Inet, 255),
            14 => IpAddr::from([224, 0, 0, 1]),
            15 => IpAddr::from([0xff02, 0, 0, 0, 0, 0, 0, 1]),
            16 => address(Domain::Inet, 9),
            17 => address(Domain::Inet6, 9),
            18 => IpAddr::from([192, 0, 2, 1]),
            19 => IpAddr::V6(Ipv4Addr::new(10, 0, 0, 2).to_ipv6_mapped()),
            _ => IpAddr::V6(Ipv4Addr::UNSPECIFIED.to_ipv6_mapped()),
        };
        let port = [0, 7, 7, 7, 8, 53, 65_535][usize::from(self.port)];
        SocketAddr::new(ip, port)
    }
}

#[derive(Debug, Clone)]
enum Call {
    Socket { v6: bool, datagram: bool },
    Bind(Address),
    Listen(u8),
    Accept,
    Connect(Address),
    Send(u16),
    Sendto(u16, Address),
    Recv(u16),
    Recvfrom(u16),
    Peek(u16),
    Peekfrom(u16),
    Shutdown(u8),
    Close,
    Names,
    Option { which: u8, value: u32 },
    Waker(bool),
    Resolve(u8),
    Cancel,
}

/// A frame that is not what it seems.
#[derive(Debug, Clone)]
enum Forgery {
    Random(Vec<u8>),
    /// An earlier frame with some octets changed.
    Mutated {
        frame: u8,
        changes: Vec<(u8, u8)>,
        cut: Option<u8>,
        fixed: bool,
    },
    /// An earlier segment with other flags and numbers.
    Segment {
        frame: u8,
        flags: u8,
        sequence: i32,
        acknowledgment: i32,
        window: u16,
    },
    /// An answer to an earlier frame: ports and addresses the other way round.
    Reply {
        frame: u8,
        changes: Vec<(u8, u8)>,
    },
    /// An ICMP error about an earlier frame.
    Icmp {
        frame: u8,
        kind: u8,
        code: u8,
    },
    /// An earlier frame in two fragments that may overlap, be out of order or come alone.
    Fragments {
        frame: u8,
        at: u8,
        overlap: u8,
        id: u8,
        order: u8,
    },
}

#[derive(Debug, Clone)]
enum Step {
    Call {
        server: bool,
        socket: u8,
        call: Call,
    },
    Frame {
        to_server: bool,
        forgery: Forgery,
    },
    /// The client connects to the server, if it can: what chance alone would seldom bring about.
    Converse {
        v6: bool,
    },
    /// Both hosts talk until they are quiet.
    Exchange,
    /// Time passes from deadline to deadline.
    Milliseconds(u16),
    /// Nobody polls for so long.
    Hours(u8),
    Cut(bool),
}

fn any_address() -> impl Strategy<Value = Address> {
    (0..=20u8, 0..7u8).prop_map(|(kind, port)| Address { kind, port })
}

fn length() -> impl Strategy<Value = u16> {
    prop_oneof![0..64u16, 0..2000u16]
}

fn any_call() -> impl Strategy<Value = Call> {
    prop_oneof![
        4 => any::<(bool, bool)>().prop_map(|(v6, datagram)| Call::Socket { v6, datagram }),
        4 => any_address().prop_map(Call::Bind),
        4 => any::<u8>().prop_map(Call::Listen),
        4 => Just(Call::Accept),
        6 => any_address().prop_map(Call::Connect),
        4 => length().prop_map(Call::Send),
        3 => (length(), any_address()).prop_map(|(len, to)| Call::Sendto(len, to)),
        2 => length().prop_map(Call::Recv),
        1 => length().prop_map(Call::Recvfrom),
        1 => length().prop_map(Call::Peek),
        1 => length().prop_map(Call::Peekfrom),
        2 => (0..3u8).prop_map(Call::Shutdown),
        3 => Just(Call::Close),
        1 => Just(Call::Names),
        2 => (0..6u8, any::<u32>()).prop_map(|(which, value)| Call::Option { which, value }),
        1 => any::<bool>().prop_map(Call::Waker),
        1 => any::<u8>().prop_map(Call::Resolve),
        1 => Just(Call::Cancel),
    ]
}

fn changes() -> impl Strategy<Value = Vec<(u8, u8)>> {
    prop::collection::vec(any::<(u8, u8)>(), 0..4)
}

fn any_forgery() -> impl Strategy<Value = Forgery> {
    let near = prop_oneof![Just(0), -3000..3000i32, any::<i32>()];
    let flags = prop_oneof![
        prop::sample::select(vec![0x02u8, 0x04, 0x10, 0x11, 0x12, 0x14, 0x18]),
        any::<u8>()
    ];
    prop_oneof![
        1 => prop::collection::vec(any::<u8>(), 0..100).prop_map(Forgery::Random),
        3 => (any::<u8>(), changes(), prop::option::of(any::<u8>()), any::<bool>())
            .prop_map(|(frame, changes, cut, fixed)| Forgery::Mutated { frame, changes, cut, fixed }),
        4 => (any::<u8>(), flags, near.clone(), near, any::<u16>()).prop_map(
            |(frame, flags, sequence, acknowledgment, window)| Forgery::Segment {
                frame, flags, sequence, acknowledgment, window,
            }
        ),
        2 => (any::<u8>(), changes()).prop_map(|(frame, changes)| Forgery::Reply { frame, changes }),
        2 => (any::<u8>(), prop_oneof![Just(3), Just(1), any::<u8>()], 0..6u8)
            .prop_map(|(frame, kind, code)| Forgery::Icmp { frame, kind, code }),
        2 => (any::<u8>(), any::<u8>(), 0..3u8, 0..3u8, 0..4u8).prop_map(
            |(frame, at, overlap, id, order)| Forgery::Fragments { frame, at, overlap, id, order }
        ),
    ]
}

fn any_step() -> impl Strategy<Value = Step> {
    prop_oneof![
        24 => (any::<bool>(), any::<u8>(), any_call())
            .prop_map(|(server, socket, call)| Step::Call { server, socket, call }),
        8 => (any::<bool>(), any_forgery())
            .prop_map(|(to_server, forgery)| Step::Frame { to_server, forgery }),
        3 => any::<bool>().prop_map(|v6| Step::Converse { v6 }),
        8 => Just(Step::Exchange),
        3 => any::<u16>().prop_map(Step::Milliseconds),
        1 => any::<u8>().prop_map(Step::Hours),
        1 => any::<bool>().prop_map(Step::Cut),
    ]
}

/// What a host's applications hold.
#[derive(Default)]
struct Applications {
    /// Every descriptor that there ever was.
    sockets: Vec<Fd>,
    lookups: Vec<Lookup>,
}

impl Applications {
    fn call(&mut self, stack: &mut Stack<'_>, socket: u8, call: &Call) {
        let made = match *call {
            Call::Socket { v6, datagram } => {
                let domain = if v6 { Domain::Inet6 } else { Domain::Inet };
                stack.socket(
                    domain,
                    if datagram {
                        Type::Datagram
                    } else {
                        Type::Stream
                    },
                )
            }
            _ => Err(Error::WouldBlock),
        };
        self.sockets.extend(made);
        if self.sockets.is_empty() {
            return;
        }
        let fd = self.sockets[usize::from(socket) % self.sockets.len()];
        let mut buffer = [0; 2000];
        match *call {
            Call::Socket { .. } => {}
            Call::Bind(to) => {
                let _ = stack.bind(fd, to.get());
            }
            Call::Listen(backlog) => {
                let _ = stack.listen(fd, usize::from(backlog % 8));
            }
            Call::Accept => self
                .sockets
                .extend(stack.accept(fd).map(|(accepted, _)| accepted)),
            Call::Connect(to) => {
                let _ = stack.connect(fd, to.get());
            }
            Call::Send(len) => {
                let _ = stack.send(fd, &buffer[..usize::from(len)]);
            }
            Call::Sendto(len, to) => {
                let _ = stack.sendto(fd, &buffer[..usize::from(len)], to.get());
            }
            Call::Recv(len) => {
                let _ = stack.recv(fd, &mut buffer[..usize::from(len)]);
            }
            Call::Recvfrom(len) => {
                let _ = stack.recvfrom(fd, &mut buffer[..usize::from(len)]);
            }
            Call::Peek(len) => {
                let _ = stack.peek(fd, &mut buffer[..usize::from(len)]);
            }
            Call::Peekfrom(len) => {
                let _ = stack.peekfrom(fd, &mut buffer[..usize::from(len)]);
            }
            Call::Shutdown(how) => {
                let how = [Shutdown::Read, Shutdown::Write, Shutdown::Both][usize::from(how)];
                let _ = stack.shutdown(fd, how);
            }
            Call::Close => {
                let _ = stack.close(fd);
            }
            Call::Names => {
                let _ = stack.getsockname(fd);
                let _ = stack.getpeername(fd);
                let _ = stack.readiness(fd);
                let _ = stack.take_error(fd);
            }
            Call::Option { which, value } => set_option(stack, fd, which, value),
            Call::Waker(readable) => {
                let interest = if readable {
                    Interest::Readable
                } else {
                    Interest::Writable
                };
                let _ = stack.register_waker(fd, interest, &Bell::new().1);
            }
            Call::Resolve(n) => {
                let name = ["example.com", "a.b.c.d.e.f", "", ".", "10.0.0.1", "x..y"];
                self.lookups
                    .extend(stack.resolve(name[usize::from(n) % name.len()]));
            }
            Call::Cancel => {
                if let Some(lookup) = self.lookups.first() {
                    let _ = stack.resolved(*lookup);
                    stack.cancel(*lookup);
                    self.lookups.rotate_left(1);
                }
            }
        }
    }

    /// Closes all there is.
    fn close(&mut self, stack: &mut Stack<'_>) {
        for fd in self.sockets.drain(..) {
            let _ = stack.close(fd);
        }
        for lookup in self.lookups.drain(..) {
            stack.cancel(lookup);
        }
    }
}

fn set_option(stack: &mut Stack<'_>, fd: Fd, which: u8, value: u32) {
    let time = Duration::from_millis(u64::from(value));
    let time = [None, Some(time), Some(Duration::ZERO), Some(Duration::MAX)][value as usize % 4];
    let _ = match which {
        0 => stack.setsockopt(fd, NoDelay, value.is_multiple_of(2)),
        1 => stack.setsockopt(fd, KeepAliveIdle, time.unwrap_or_default()),
        2 => stack.setsockopt(fd, HopLimit, value as u8),
        3 => stack.setsockopt(fd, V6Only, value.is_multiple_of(2)),
        4 => stack.setsockopt(fd, UserTimeout, time),
        _ => {
            use CongestionControl::{Cubic, None, Reno};
            stack.setsockopt(fd, Congestion, [None, Reno, Cubic][value as usize % 3])
        }
    };
    let _ = stack.getsockopt(fd, KeepAliveIdle);
}

/// The frames of a forgery; none where there is no earlier frame for it.
fn forge(pair: &Pair<'_>, forgery: &Forgery) -> Vec<Vec<u8>> {
    let earlier = |index: u8| {
        let count = pair.history.len();
        (count > 0).then(|| pair.history[usize::from(index) % count].clone())
    };
    let change = |frame: &mut Vec<u8>, changes: &[(u8, u8)]| {
        for (position, bits) in changes {
            let len = frame.len().max(1);
            if let Some(octet) = frame.get_mut(usize::from(*position) % len) {
                *octet ^= bits;
            }
        }
    };
    let made = match forgery {
        Forgery::Random(octets) => Some(vec![octets.clone()]),
        Forgery::Mutated {
            frame,
            changes,
            cut,
            fixed,
        } => earlier(*frame).map(|(_, mut frame)| {
            change(&mut frame, changes);
            frame.truncate(cut.map_or(usize::MAX, usize::from));
            if *fixed {
                frames::fix_checksums(&mut frame);
            }
            vec![frame]
        }),
        Forgery::Segment {
            frame,
            flags,
            sequence,
            acknowledgment,
            window,
        } => earlier(*frame).and_then(|(_, mut frame)| {
            let tcp = &mut frame[..];
            let offset = frames::tcp_offset(tcp)?;
            let tcp = &mut tcp[offset..];
            for (range, change) in [(4..8, sequence), (8..12, acknowledgment)] {
                let number = i32::from_be_bytes(tcp[range.clone()].try_into().ok()?);
                tcp[range].copy_from_slice(&number.wrapping_add(*change).to_be_bytes());
            }
            tcp[13] = *flags;
            tcp[14..16].copy_from_slice(&window.to_be_bytes());
            frames::fix_checksums(&mut frame);
            Some(vec![frame])
        }),
        Forgery::Reply { frame, changes } => earlier(*frame).and_then(|(_, mut frame)| {
            let transport =
                frames::transport_offset(&frame).filter(|offset| offset + 4 <= frame.len())?;
            frame[..12].rotate_left(6);
            let addresses = match frame[12] {
                0x08 => ETHERNET + 12..ETHERNET + 20,
                _ => ETHERNET + 8..ETHERNET + 40,
            };
            let half = addresses.len() / 2;
            frame.get_mut(addresses)?.rotate_left(half);
            frame[transport..transport + 4].rotate_left(2);
            if frame[transport..].len() > 12 {
                frame[transport + 10] |= 0x80; // a DNS answer
            }
            change(&mut frame, changes);
            frames::fix_checksums(&mut frame);
            Some(vec![frame])
        }),
        Forgery::Icmp { frame, kind, code } => earlier(*frame).and_then(|(sender, frame)| {
            let (from, to) = if sender == Sender::Client {
                (2, 1)
            } else {
                (1, 2)
            };
            frames::icmp_error(&frame, from, to, *kind, *code).map(|frame| vec![frame])
        }),
        Forgery::Fragments {
            frame,
            at,
            overlap,
            id,
            order,
        } => earlier(*frame).and_then(|(_, frame)| {
            let (at, overlap) = (usize::from(*at), usize::from(*overlap));
            let [first, last] = frames::fragments(&frame, at, overlap, u16::from(*id))?;
            Some(match order {
                0 => vec![first, last],
                1 => vec![last, first],
                2 => vec![first],
                _ => vec![last],
            })
        }),
    };
    made.unwrap_or_default()
}

/// Lives through a case, and asserts what has to be true afterwards.
fn live<'a>(client: Stack<'a>, server: Stack<'a>, steps: &[Step]) {
    let mut pair = Pair::new(client, server);
    let mut applications = [Applications::default(), Applications::default()];
    for host in [&mut pair.client, &mut pair.server] {
        host.stack
            .add_name_server(address(Domain::Inet, 2))
            .unwrap();
    }
    for step in steps {
        match step {
            Step::Call {
                server,
                socket,
                call,
            } => {
                let host = pair.host(*server);
                applications[usize::from(*server)].call(&mut host.stack, *socket, call);
            }
            Step::Frame { to_server, forgery } => {
                let frames = forge(&pair, forgery);
                let host = pair.host(*to_server);
                host.port.incoming.extend(frames);
                pair.exchange();
            }
            Step::Converse { v6 } => converse(&mut pair, &mut applications, *v6),
            Step::Exchange => {
                let _ = pair.exchange();
            }
            Step::Milliseconds(count) => pair.pass(time::Duration::from_millis(u64::from(*count))),
            Step::Hours(count) => {
                pair.now += time::Duration::from_secs(3600) * u32::from(*count);
                pair.exchange();
            }
            Step::Cut(cut) => pair.cut = *cut,
        }
    }
    // Half of the cases end in the middle of things.
    pair.cut &= steps.len().is_multiple_of(2);
    let [client, server] = &mut applications;
    client.close(&mut pair.client.stack);
    server.close(&mut pair.server.stack);
    for host in [&pair.client, &pair.server] {
        assert_eq!(
            host.stack.usage().sockets,
            0,
            "open sockets after closing all"
        );
    }
    pair.pass(time::Duration::from_secs(2 * 3600));
    is_unused(&pair.client);
    is_unused(&pair.server);
    pair.cut = false;
    for domain in [Domain::Inet, Domain::Inet6] {
        serves(&mut pair, domain);
    }
    is_unused(&pair.client);
    is_unused(&pair.server);
}

/// As far as it goes: the tables may be full, the port taken, or the link cut.
fn converse(pair: &mut Pair<'_>, [client, server]: &mut [Applications; 2], v6: bool) {
    let domain = if v6 { Domain::Inet6 } else { Domain::Inet };
    let to = at(domain, 2, 7);
    let mut listener = None;
    if let Ok(fd) = pair.server.stack.socket(domain, Type::Stream) {
        server.sockets.push(fd);
        let listening = pair
            .server
            .stack
            .bind(fd, to)
            .and_then(|()| pair.server.stack.listen(fd, 2));
        listener = listening.ok().map(|()| fd);
    }
    if let Ok(fd) = pair.client.stack.socket(domain, Type::Stream) {
        client.sockets.push(fd);
        let _ = pair.client.stack.connect(fd, to);
        pair.exchange();
        let _ = pair.client.stack.connect(fd, to);
        let _ = pair.client.stack.send(fd, &[7; 100]);
    }
    if let Some(accepted) = listener.and_then(|fd| pair.server.stack.accept(fd).ok()) {
        server.sockets.push(accepted.0);
    }
}

fn is_unused(host: &Host<'_>) {
    let nothing = Usage {
        sockets: 0,
        connections: 0,
        datagrams: 0,
        lookups: 0,
        wakers: 0,
    };
    assert_eq!(host.stack.usage(), nothing);
}

/// A new connection works, and as many of them at once as there is memory for.
fn serves(pair: &mut Pair<'_>, domain: Domain) {
    let listener = pair.listen(domain, 80);
    let mut open = Vec::new();
    for _ in 0..2 {
        let (client, server) = pair.connect(domain, listener).expect("a new connection");
        pair.echo(client, server, b"still here").unwrap();
        open.push((client, server));
    }
    for (client, server) in open {
        pair.client.stack.close(client).unwrap();
        pair.exchange();
        assert_eq!(
            pair.server.stack.recv(server, &mut [0; 8]),
            Ok(0),
            "the end"
        );
        pair.server.stack.close(server).unwrap();
    }
    pair.server.stack.close(listener).unwrap();
    // TIME-WAIT is over.
    pair.pass(time::Duration::from_secs(120));
    pair.deliver(domain, 80);
}

fn tiny() -> Capacity {
    Capacity {
        sockets: 6,
        connections: 2,
        datagrams: 2,
        receive_buffer: 256,
        send_buffer: 300,
        datagram_buffer: 512,
        datagram_packets: 2,
        pending_syns: 2,
        loopback_buffer: 3 * 600,
        reassemblies: 1,
        lookups: 1,
        ..small()
    }
}

#[test]
fn nothing_panics_and_nothing_leaks() {
    let case = (any::<bool>(), prop::collection::vec(any_step(), 1..STEPS));
    cases::test(CASES, &case, |(borrowed, steps)| {
        if borrowed {
            let storage = Storage::<6, 3, 2, 256, 2, 2, 600, 2048, 1>::new;
            let (mut client, mut server) = (storage(), storage());
            live(
                Stack::new(&mut client, [1; 16], ()),
                Stack::new(&mut server, [2; 16], ()),
                &steps,
            );
        } else {
            let stack = |key| Stack::with_capacity(tiny(), [key; 16], ());
            live(stack(1), stack(2), &steps);
        }
    });
}
