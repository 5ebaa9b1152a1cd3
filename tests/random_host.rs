//! Whatever a host is told to do and whatever arrives, in whatever order: interfaces that configure themselves, groups, raw
//! sockets, every option, ancillary data; forged control messages of every protocol. Nothing panics, nothing leaks, no
//! deadline runs in a circle, and the host goes on.
//!
//! As `random.rs`, which does the same with connections. The cases are the same in every run.

#![allow(clippy::unwrap_used, clippy::panic)] // it is a test

mod cases;
mod pair;

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::time::Duration;

use glasstack::smoltcp::time;
use glasstack::smoltcp::wire::IpProtocol;
use glasstack::stack::option::*;
use glasstack::stack::{
    Capacity, Domain, Events, Fd, InterfaceIdentifier, Message, PollFd, Protocol, Route, Storage,
    Type, Usage,
};
use glasstack::{Error, Stack};
use proptest::prelude::*;

use pair::frames::{self, ETHERNET};
use pair::{Host, Pair, Sender, address, at, small};

const CASES: u32 = 3_000;
const STEPS: usize = 100;

fn any_host(kind: u8) -> IpAddr {
    match kind % 18 {
        0 | 1 => address(Domain::Inet, 1),
        2 | 3 => address(Domain::Inet, 2),
        4 => address(Domain::Inet6, 1),
        5 => address(Domain::Inet6, 2),
        6 => IpAddr::from([0xfe80, 0, 0, 0, 0, 0, 0, 9]),
        7 => address(Domain::Inet, 50),
        8 => IpAddr::V4(Ipv4Addr::LOCALHOST),
        9 => IpAddr::V6(Ipv6Addr::LOCALHOST),
        10 => IpAddr::V4(Ipv4Addr::BROADCAST),
        11 => address(Domain::Inet, 255),
        12 => IpAddr::from([224, 0, 0, 251]),
        13 => IpAddr::from([0xff02, 0, 0, 0, 0, 0, 0, 0xfb]),
        14 => IpAddr::V6(Ipv6Addr::UNSPECIFIED),
        15 => IpAddr::from([192, 0, 2, 1]),
        16 => IpAddr::V6(Ipv4Addr::new(10, 0, 0, 2).to_ipv6_mapped()),
        _ => IpAddr::from([224, 0, 0, 1]),
    }
}

fn any_end(kind: u8, port: u8) -> SocketAddr {
    let port = [0, 7, 7, 53, 67, 68, 5353, 65_535][usize::from(port % 8)];
    match any_host(kind) {
        IpAddr::V6(v6) if kind > 128 => std::net::SocketAddrV6::new(v6, port, 0, 1).into(),
        ip => SocketAddr::new(ip, port),
    }
}

#[derive(Debug, Clone)]
enum Call {
    Socket {
        v6: bool,
        kind: u8,
    },
    Bind(u8, u8),
    Connect(u8, u8),
    Send {
        len: u16,
        to: Option<(u8, u8)>,
        ancillary: [u8; 5],
    },
    Receive(u16),
    Join {
        group: u8,
        named: bool,
    },
    Leave {
        group: u8,
        named: bool,
    },
    Option {
        which: u8,
        value: u32,
    },
    Poll,
    Close,
    Resolve,
}

/// What is done to the interface.
#[derive(Debug, Clone)]
enum Setting {
    Link(bool),
    Dhcp(bool),
    Autoconfigure(u8),
    Duplicates(bool),
    AddAddress(u8),
    RemoveAddress(u8),
    AddRoute(u8, u8),
    RemoveRoute(u8),
    Servers(u8),
    Full(bool),
}

#[derive(Debug, Clone)]
enum Step {
    Call {
        server: bool,
        socket: u8,
        call: Call,
    },
    Set {
        server: bool,
        setting: Setting,
    },
    /// A control message that somebody forged, and changed here and there.
    Forge {
        to_server: bool,
        kind: u8,
        arguments: [u8; 4],
        changes: Vec<(u8, u8)>,
        station: u8,
    },
    /// A host gets a lease, if it can: what chance alone would seldom bring about.
    Lease {
        server: bool,
        arguments: [u8; 4],
    },
    /// The client connects to the server, if it can.
    Converse(bool),
    Exchange,
    Milliseconds(u16),
    Hours(u8),
    Cut(bool),
}

fn any_call() -> impl Strategy<Value = Call> {
    let len = prop_oneof![0..64u16, 0..2000u16];
    prop_oneof![
        6 => any::<(bool, u8)>().prop_map(|(v6, kind)| Call::Socket { v6, kind }),
        4 => any::<(u8, u8)>().prop_map(|(host, port)| Call::Bind(host, port)),
        4 => any::<(u8, u8)>().prop_map(|(host, port)| Call::Connect(host, port)),
        8 => (len.clone(), prop::option::of(any::<(u8, u8)>()), any::<[u8; 5]>())
            .prop_map(|(len, to, ancillary)| Call::Send { len, to, ancillary }),
        4 => len.prop_map(Call::Receive),
        4 => any::<(u8, bool)>().prop_map(|(group, named)| Call::Join { group, named }),
        2 => any::<(u8, bool)>().prop_map(|(group, named)| Call::Leave { group, named }),
        6 => any::<(u8, u32)>().prop_map(|(which, value)| Call::Option { which, value }),
        1 => Just(Call::Poll),
        3 => Just(Call::Close),
        1 => Just(Call::Resolve),
    ]
}

fn any_setting() -> impl Strategy<Value = Setting> {
    prop_oneof![
        2 => any::<bool>().prop_map(Setting::Link),
        3 => prop::bool::weighted(0.8).prop_map(Setting::Dhcp),
        3 => any::<u8>().prop_map(Setting::Autoconfigure),
        1 => any::<bool>().prop_map(Setting::Duplicates),
        2 => any::<u8>().prop_map(Setting::AddAddress),
        1 => any::<u8>().prop_map(Setting::RemoveAddress),
        2 => any::<(u8, u8)>().prop_map(|(to, by)| Setting::AddRoute(to, by)),
        1 => any::<u8>().prop_map(Setting::RemoveRoute),
        1 => any::<u8>().prop_map(Setting::Servers),
        2 => any::<bool>().prop_map(Setting::Full),
    ]
}

fn any_step() -> impl Strategy<Value = Step> {
    let changes = prop_oneof![
        2 => Just(Vec::new()),
        1 => prop::collection::vec(any::<(u8, u8)>(), 1..4),
    ];
    prop_oneof![
        16 => (any::<bool>(), any::<u8>(), any_call())
            .prop_map(|(server, socket, call)| Step::Call { server, socket, call }),
        6 => (any::<bool>(), any_setting())
            .prop_map(|(server, setting)| Step::Set { server, setting }),
        14 => (any::<bool>(), any::<u8>(), any::<[u8; 4]>(), changes, any::<u8>()).prop_map(
            |(to_server, kind, arguments, changes, station)| {
                Step::Forge { to_server, kind, arguments, changes, station }
            }
        ),
        1 => any::<(bool, [u8; 4])>()
            .prop_map(|(server, arguments)| Step::Lease { server, arguments }),
        2 => any::<bool>().prop_map(Step::Converse),
        6 => Just(Step::Exchange),
        4 => any::<u16>().prop_map(Step::Milliseconds),
        1 => any::<u8>().prop_map(Step::Hours),
        1 => any::<bool>().prop_map(Step::Cut),
    ]
}

fn call(host: &mut Host<'_>, sockets: &mut Vec<Fd>, socket: u8, call: &Call) {
    let stack = &mut host.stack;
    if let Call::Socket { v6, kind } = *call {
        let domain = if v6 { Domain::Inet6 } else { Domain::Inet };
        let raw = [1, 2, 6, 17, 58, 99, 255][usize::from(kind) / 4 % 7];
        let kind = match kind % 4 {
            0 => Type::Stream,
            1 => Type::Datagram,
            _ => Type::Raw(Protocol(raw)),
        };
        sockets.extend(stack.socket(domain, kind));
        return;
    }
    if sockets.is_empty() {
        return;
    }
    let fd = sockets[usize::from(socket) % sockets.len()];
    let named = |named: bool| named.then_some(host.interface);
    let mut buffer = [0x45; 2000];
    match *call {
        Call::Socket { .. } => {}
        Call::Bind(host, port) => {
            let _ = stack.bind(fd, any_end(host, port));
        }
        Call::Connect(host, port) => {
            let _ = stack.connect(fd, any_end(host, port));
        }
        Call::Send { len, to, ancillary } => {
            let (front, rest) = buffer.split_at(usize::from(len) / 3);
            let rest = &rest[..usize::from(len) - front.len()];
            let parts = [front, rest];
            let mut message = Message::new(&parts);
            if let Some((host, port)) = to {
                message = message.to(any_end(host, port));
            }
            let [given, from, hops, class, _] = ancillary;
            if given & 1 != 0 {
                message = message.from(any_host(from));
            }
            if given & 2 != 0 {
                message = message.interface(host.interface);
            }
            if given & 4 != 0 {
                message = message.hop_limit(hops / 64);
            }
            if given & 8 != 0 {
                message = message.traffic_class(class);
            }
            let _ = stack.sendmsg(fd, &message);
        }
        Call::Receive(len) => {
            let (a, b) = buffer.split_at_mut(usize::from(len) / 2);
            let _ = stack.recvmsg(fd, &mut [a, b]);
        }
        Call::Join { group, named: is } => {
            let _ = stack.join_group(fd, any_group(group), named(is));
        }
        Call::Leave { group, named: is } => {
            let _ = stack.leave_group(fd, any_group(group), named(is));
        }
        Call::Option { which, value } => set_option(stack, fd, which, value),
        Call::Poll => {
            let mut fds: Vec<PollFd> = sockets
                .iter()
                .map(|fd| PollFd::new(*fd, Events::POLLIN | Events::POLLOUT))
                .collect();
            stack.poll_fds(&mut fds);
        }
        Call::Close => {
            let _ = stack.close(fd);
        }
        Call::Resolve => {
            if let Ok(lookup) = stack.resolve("example.com") {
                stack.cancel(lookup);
                let _ = stack.resolve("example.org");
            }
        }
    }
}

fn any_group(kind: u8) -> IpAddr {
    match kind % 8 {
        0 => any_host(kind / 8),
        n @ 1..4 => IpAddr::from([239, 1, 2, n]),
        n @ 4..7 => IpAddr::from([0xff02, 0, 0, 0, 0, 0, 1, u16::from(n)]),
        _ => IpAddr::from([224, 0, 0, 1]),
    }
}

fn set_option(stack: &mut Stack<'_>, fd: Fd, which: u8, value: u32) {
    let is = value.is_multiple_of(2);
    let octet = value as u8;
    let time = Duration::from_millis(u64::from(value));
    let time = [None, Some(time), Some(Duration::ZERO), Some(Duration::MAX)][value as usize % 4];
    let some = time.unwrap_or_default();
    let size = value as usize % 5000;
    let _ = match which % 24 {
        0 => stack.setsockopt(fd, NoDelay, is),
        1 => stack.setsockopt(fd, Cork, is),
        2 => stack.setsockopt(fd, KeepAlive, is),
        3 => stack.setsockopt(fd, KeepAliveIdle, some),
        4 => stack.setsockopt(fd, KeepAliveInterval, some),
        5 => stack.setsockopt(fd, KeepAliveCount, octet),
        6 => stack.setsockopt(fd, HopLimit, octet),
        7 => stack.setsockopt(fd, V6Only, is),
        8 => stack.setsockopt(fd, UserTimeout, time),
        9 => stack.setsockopt(fd, Linger, time),
        10 => stack.setsockopt(fd, ReuseAddress, is),
        11 => stack.setsockopt(fd, ReusePort, is),
        12 => stack.setsockopt(fd, SendTimeout, time),
        13 => stack.setsockopt(fd, ReceiveTimeout, time),
        14 => stack.setsockopt(fd, TypeOfService, octet),
        15 => stack.setsockopt(fd, Broadcast, is),
        16 => stack.setsockopt(fd, MulticastHopLimit, octet / 100),
        17 => stack.setsockopt(fd, MulticastLoop, is),
        18 => {
            let first = stack.interfaces().next();
            stack.setsockopt(fd, MulticastInterface, first.filter(|_| is))
        }
        19 => stack.setsockopt(fd, HeaderIncluded, is),
        20 => stack.setsockopt(fd, IcmpTypes, IcmpFilter::ALL.block(octet)),
        21 => stack.setsockopt(fd, SendBuffer, size),
        22 => stack.setsockopt(fd, ReceiveBuffer, size),
        _ => Err(Error::NotSupported),
    };
    let _ = stack.getsockopt(fd, TcpInfo);
    let _ = stack.getsockopt(fd, PathMtu);
    let _ = stack.getsockopt(fd, SendQueued);
    let _ = stack.getsockopt(fd, ReceiveQueued);
}

fn set(host: &mut Host<'_>, setting: &Setting) {
    let (stack, link) = (&mut host.stack, host.interface);
    match *setting {
        Setting::Link(is_up) => {
            let _ = stack.set_link(link, is_up);
        }
        Setting::Dhcp(true) => {
            let _ = stack.start_dhcp(link);
        }
        Setting::Dhcp(false) => {
            let _ = stack.stop_dhcp(link);
        }
        Setting::Autoconfigure(kind) => {
            let identifier = match kind % 4 {
                0 => None,
                1 => Some(InterfaceIdentifier::HardwareAddress),
                2 => Some(InterfaceIdentifier::Stable([kind; 16])),
                _ => Some(InterfaceIdentifier::Opaque),
            };
            let _ = stack.autoconfigure(link, identifier);
        }
        Setting::Duplicates(is_on) => {
            let _ = stack.set_duplicate_detection(link, is_on);
        }
        Setting::AddAddress(kind) => {
            let prefix_len = [0, 24, 31, 32, 64, 128][usize::from(kind % 6)];
            let _ = stack.add_address(link, any_host(kind), prefix_len);
        }
        Setting::RemoveAddress(kind) => {
            let rows: Vec<IpAddr> = stack.addresses(link).map(|row| row.address).collect();
            if let Some(address) = rows.get(usize::from(kind) % rows.len().max(1)) {
                let _ = stack.remove_address(link, *address);
            }
        }
        Setting::AddRoute(to, by) => {
            let _ = stack.add_route(
                link,
                Route {
                    destination: any_host(to),
                    prefix_len: by % 130,
                    gateway: (by % 3 > 0).then(|| any_host(by)),
                    metric: u32::from(by),
                },
            );
        }
        Setting::RemoveRoute(n) => {
            let routes: Vec<Route> = stack.routes(link).map(|row| row.route).collect();
            if let Some(route) = routes.get(usize::from(n) % routes.len().max(1)) {
                let _ = stack.remove_route(link, *route);
            }
        }
        Setting::Servers(kind) => {
            stack.set_learned_name_servers(link, &[any_host(kind), any_host(kind / 2)]);
        }
        Setting::Full(full) => host.port.full = full,
    }
}

fn octets(address: IpAddr) -> Vec<u8> {
    match address {
        IpAddr::V4(v4) => v4.octets().to_vec(),
        IpAddr::V6(v6) => v6.octets().to_vec(),
    }
}

fn v6(kind: u8) -> Vec<u8> {
    match any_host(kind) {
        IpAddr::V6(v6) => octets(v6.into()),
        IpAddr::V4(_) => octets(address(Domain::Inet6, kind % 3)),
    }
}

/// The last frame that a host sent to a UDP port, but for its link header.
fn last_to(pair: &Pair<'_>, by_server: bool, port: u16) -> Option<Vec<u8>> {
    let by = if by_server {
        Sender::Server
    } else {
        Sender::Client
    };
    let mut frames = pair.history.iter().rev();
    frames.find_map(|(sender, frame)| {
        let at = frames::transport_offset(frame)?;
        let is_it = *sender == by && frame.get(at + 2..at + 4)? == port.to_be_bytes();
        is_it.then(|| frame.clone())
    })
}

/// A DHCP server's answer to the last message of a client.
fn lease(pair: &Pair<'_>, to_server: bool, [kind, a, b, c]: [u8; 4]) -> Option<Vec<u8>> {
    let asked = last_to(pair, to_server, 67)?;
    let mut message = asked.get(ETHERNET + 28..)?.get(..240)?.to_vec();
    message[0] = 2;
    message[16..20].copy_from_slice(&[10, 0, 0, 50 + a % 4]);
    let kind = [2, 5, 5, 6][usize::from(kind % 4)];
    message.extend([53, 1, kind, 54, 4, 10, 0, 0, 9]);
    message.extend([
        51,
        4,
        0,
        if b > 200 { b } else { 0 },
        b / 4,
        b,
        1,
        4,
        255,
        255,
        255,
        c & 0xfe,
    ]);
    message.extend([3, 4, 10, 0, 0, 9, 6, 4, 10, 0, 0, 2, 26, 2, c % 8, a, 255]);
    let to = if to_server { 2 } else { 1 };
    let mut frame = frames::packet(
        false,
        9,
        to,
        IpProtocol::Udp,
        &frames::udp(67, 68, &message),
    );
    if b % 2 == 0 {
        frame[..6].fill(0xff);
        frame[ETHERNET + 16..ETHERNET + 20].fill(255);
    } else {
        frame[ETHERNET + 16..ETHERNET + 20].copy_from_slice(&[10, 0, 0, 50 + a % 4]);
    }
    frames::fix_checksums(&mut frame);
    Some(frame)
}

/// A control message from somebody to a host.
fn control(pair: &Pair<'_>, to_server: bool, kind: u8, arguments: [u8; 4]) -> Option<Vec<u8>> {
    let [a, b, c, d] = arguments;
    let (own, other) = if to_server { (2, 1) } else { (1, 2) };
    let from = [other, other, 9, own][usize::from(a % 4)];
    let hardware = [2, 0, 0, 0, 0, from];
    let discovery = |message: &[u8]| {
        let mut frame = frames::packet(true, from, own, IpProtocol::Icmpv6, message);
        if d % 8 > 0 {
            frame[ETHERNET + 7] = 255;
        }
        Some(frame)
    };
    let local = |mut frame: Vec<u8>| {
        frame[ETHERNET + 8..ETHERNET + 24].copy_from_slice(&octets(any_host(6)));
        frame
    };
    match kind % 12 {
        0 => {
            let mut frame = vec![2, 0, 0, 0, 0, own];
            frame.extend(hardware);
            frame.extend([0x08, 0x06, 0, 1, 8, 0, 6, 4, 0, 1 + b % 3]);
            frame.extend(hardware);
            frame.extend([10, 0, 0, c % 4 * 25]);
            frame.extend([
                2,
                0,
                0,
                0,
                0,
                own,
                10,
                0,
                0,
                [own, 50, 51, other][usize::from(d % 4)],
            ]);
            Some(frame)
        }
        1 | 2 => {
            let mut message = vec![135 + kind % 2, 0, 0, 0, b, 0, 0, 0];
            message.extend(match pair_addresses(pair, to_server).get(usize::from(c)) {
                Some(address) => octets(*address),
                None => v6(c),
            });
            message.extend([1 + kind % 2, 1]);
            message.extend(hardware);
            discovery(&message)
        }
        3 | 4 => {
            let mut message = vec![134, 0, 0, 0, 64, b, 0, c % 4, 0, 0, 0, 0, 0, 0, 0, d];
            message.extend([1, 1]);
            message.extend(hardware);
            message.extend([5, 1, 0, 0, 0, 0, 4 + b % 4, c]);
            message.extend([
                3,
                4,
                if d > 200 { d } else { 64 },
                0xc0,
                0,
                0,
                0,
                b,
                0,
                0,
                0,
                c / 2,
                0,
                0,
                0,
                0,
            ]);
            message.extend([0xfd, 0, 0, 0, 0, 0, 0, b % 3, 0, 0, 0, 0, 0, 0, 0, 0]);
            message.extend([25, 3, 0, 0, 0, 0, 0, c]);
            message.extend(v6(d));
            discovery(&message).map(local)
        }
        5 => {
            let mut message = vec![137, 0, 0, 0, 0, 0, 0, 0];
            message.extend(v6(6));
            message.extend(v6(b));
            discovery(&message).map(local)
        }
        6 => {
            let message = [
                [0x11, 0x16, 0x12, 0x17][usize::from(b % 4)],
                c,
                0,
                0,
                239,
                1,
                2,
                d % 4,
            ];
            let mut message = message.to_vec();
            let sum = glasstack_checksum(&message);
            message[2..4].copy_from_slice(&sum);
            Some(frames::packet(false, from, own, IpProtocol::Igmp, &message))
        }
        7 => {
            let mut message = vec![
                [130, 131, 132, 143][usize::from(b % 4)],
                0,
                0,
                0,
                c,
                d,
                0,
                0,
            ];
            message.extend(octets(any_group(4 + a % 4)));
            if c % 2 == 0 {
                message.extend([0, 0, 0, 1]);
                message.extend(v6(d));
            }
            // Routers are to look into it (RFC 2711).
            let packet = [&[58, 0, 5, 2, 0, 0, 1, 0], &message[..]].concat();
            let mut frame = frames::packet(true, from, own, IpProtocol::HopByHop, &packet);
            frame[ETHERNET + 7] = 1;
            Some(local(frame))
        }
        8 | 9 => lease(pair, to_server, arguments),
        10 => {
            let (sender, quoted) = pair
                .history
                .get(usize::from(b) % pair.history.len().max(1))?;
            let is_its = (*sender == Sender::Server) == to_server;
            is_its.then(|| {
                frames::icmp_error(quoted, from, own, [3, 1, 2, 11][usize::from(c % 4)], d % 6)
            })?
        }
        _ => {
            let mut frame = last_to(pair, to_server, 53)?;
            let at = frames::transport_offset(&frame)?;
            let half = if frame[12] == 8 { 4 } else { 16 };
            frame[..12].rotate_left(6);
            frame[at - 2 * half..at].rotate_left(half);
            frame[at..at + 4].rotate_left(2);
            *frame.get_mut(at + 10)? |= if b % 2 == 0 { 0x82 } else { 0x80 };
            *frame.get_mut(at + 11)? |= c % 6;
            Some(frame)
        }
    }
}

/// The addresses that a host has or wants.
fn pair_addresses(pair: &Pair<'_>, of_server: bool) -> Vec<IpAddr> {
    let host = if of_server {
        &pair.server
    } else {
        &pair.client
    };
    let rows = host.stack.addresses(host.interface);
    rows.map(|row| row.address)
        .filter(IpAddr::is_ipv6)
        .collect()
}

fn glasstack_checksum(octets: &[u8]) -> [u8; 2] {
    let sum: u32 = octets
        .chunks(2)
        .map(|pair| u32::from(pair[0]) << 8 | u32::from(pair[1]))
        .sum();
    (!((sum & 0xffff) + (sum >> 16)) as u16).to_be_bytes()
}

/// As [`Pair::pass`]; but that a host has nothing to do all the time.
fn pass(pair: &mut Pair<'_>, duration: time::Duration) {
    let end = pair.now + duration;
    let most = 1_000 + 20 * duration.secs();
    for _ in 0..most {
        match pair.exchange().filter(|next| *next <= end) {
            Some(next) => pair.now = next,
            None => {
                pair.now = end;
                pair.exchange();
                return;
            }
        }
    }
    panic!("more than {most} deadlines within {duration}");
}

fn live<'a>(client: Stack<'a>, server: Stack<'a>, steps: &[Step]) {
    let mut pair = Pair::new(client, server);
    let mut sockets = [Vec::new(), Vec::new()];
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
                call: it,
            } => {
                let host = pair.host(*server);
                call(host, &mut sockets[usize::from(*server)], *socket, it);
            }
            Step::Set { server, setting } => {
                let host = pair.host(*server);
                set(host, setting);
            }
            Step::Forge {
                to_server,
                kind,
                arguments,
                changes,
                station,
            } => {
                if let Some(mut frame) = control(&pair, *to_server, *kind, *arguments) {
                    match station % 8 {
                        0 => frame[..6].fill(0xff),
                        1 => frame[0] |= 1,
                        2 => frame[6] |= 1,
                        3 => frame[5] ^= 4,
                        _ => {}
                    }
                    for (position, bits) in changes {
                        let position = usize::from(*position) % frame.len();
                        frame[position] ^= bits;
                    }
                    frames::fix_checksums(&mut frame);
                    let host = pair.host(*to_server);
                    host.port.incoming.push_back(frame);
                }
                exchange(&mut pair);
            }
            Step::Lease { server, arguments } => get_lease(&mut pair, *server, *arguments),
            Step::Converse(v6) => converse(&mut pair, &mut sockets, *v6),
            Step::Exchange => exchange(&mut pair),
            Step::Milliseconds(count) => {
                let duration = time::Duration::from_millis(u64::from(*count));
                if pair.client.port.full || pair.server.port.full {
                    pair.now += duration;
                } else {
                    pass(&mut pair, duration);
                }
            }
            Step::Hours(count) => {
                pair.now += time::Duration::from_secs(3600) * u32::from(*count);
                exchange(&mut pair);
            }
            Step::Cut(cut) => pair.cut = *cut,
        }
    }
    for (host, sockets) in [&mut pair.client, &mut pair.server]
        .into_iter()
        .zip(sockets)
    {
        for fd in sockets {
            let _ = host.stack.close(fd);
        }
    }
    for (host, last) in [(&mut pair.client, 1), (&mut pair.server, 2)] {
        restore(host, last);
        // A lookup that went on over TCP has a socket of its own, until it is done.
        let usage = host.stack.usage();
        assert!(usage.sockets <= 2 * usage.lookups, "{usage:?}");
    }
    pass(&mut pair, time::Duration::from_secs(2 * 3600));
    pair.cut = false;
    for (host, last) in [(&mut pair.client, 1), (&mut pair.server, 2)] {
        restore(host, last);
        is_unused(host);
    }
    for domain in [Domain::Inet, Domain::Inet6] {
        serves(&mut pair, domain);
    }
    is_unused(&pair.client);
    is_unused(&pair.server);
}

fn get_lease(pair: &mut Pair<'_>, by_server: bool, [_, b, c, d]: [u8; 4]) {
    let host = pair.host(by_server);
    let _ = host.stack.start_dhcp(host.interface);
    for kind in [0, 1] {
        for _ in 0..11 * (1 - kind) + 1 {
            pair.now += time::Duration::from_secs(1);
            exchange(pair);
        }
        if let Some(frame) = lease(pair, by_server, [kind, b, c, d]) {
            let host = pair.host(by_server);
            host.port.incoming.push_back(frame);
            exchange(pair);
        }
    }
    for _ in 0..8 {
        pair.now += time::Duration::from_secs(1);
        exchange(pair);
    }
}

fn converse(pair: &mut Pair<'_>, [client, server]: &mut [Vec<Fd>; 2], v6: bool) {
    let domain = if v6 { Domain::Inet6 } else { Domain::Inet };
    let to = at(domain, 2, 7);
    let mut listener = None;
    if let Ok(fd) = pair.server.stack.socket(domain, Type::Stream) {
        server.push(fd);
        let stack = &mut pair.server.stack;
        let listening = stack.bind(fd, to).and_then(|()| stack.listen(fd, 2));
        listener = listening.ok().map(|()| fd);
    }
    if let Ok(fd) = pair.client.stack.socket(domain, Type::Stream) {
        client.push(fd);
        let _ = pair.client.stack.connect(fd, to);
        exchange(pair);
        let _ = pair.client.stack.connect(fd, to);
        let _ = pair.client.stack.send(fd, &[7; 1000]);
    }
    if let Some(accepted) = listener.and_then(|fd| pair.server.stack.accept(fd).ok()) {
        server.push(accepted.0);
    }
}

fn exchange(pair: &mut Pair<'_>) {
    let _ = pair.exchange();
}

/// Takes all settings back.
fn restore(host: &mut Host<'_>, last: u8) {
    host.port.full = false;
    let (stack, link) = (&mut host.stack, host.interface);
    stack.set_link(link, true).unwrap();
    stack.stop_dhcp(link).unwrap();
    stack.set_duplicate_detection(link, false).unwrap();
    stack.autoconfigure(link, None).unwrap();
    let routes: Vec<Route> = stack.routes(link).map(|row| row.route).collect();
    for route in routes {
        stack.remove_route(link, route).unwrap();
    }
    for (domain, prefix_len) in [(Domain::Inet, 24), (Domain::Inet6, 64)] {
        let own = address(domain, last);
        let rows: Vec<IpAddr> = stack.addresses(link).map(|row| row.address).collect();
        for other in rows
            .into_iter()
            .filter(|row| row.is_ipv4() == own.is_ipv4())
        {
            stack.remove_address(link, other).unwrap();
        }
        stack.add_address(link, own, prefix_len).unwrap();
    }
}

fn is_unused(host: &Host<'_>) {
    let nothing = Usage {
        sockets: 0,
        connections: 0,
        datagrams: 0,
        lookups: host.stack.usage().lookups, // nobody has asked for what came of them
        wakers: 0,
    };
    assert_eq!(host.stack.usage(), nothing);
    let groups: Vec<(IpAddr, u16)> = host.stack.groups(host.interface).collect();
    assert_eq!(groups.len(), 1, "of its own address: {groups:?}");
    assert_eq!(groups[0].1, 1, "{groups:?}");
}

/// A new connection works, and datagrams do.
fn serves(pair: &mut Pair<'_>, domain: Domain) {
    let listener = pair.listen(domain, 80);
    let (client, server) = pair.connect(domain, listener).expect("a new connection");
    pair.echo(client, server, b"still here").unwrap();
    for (host, fd) in [(&mut pair.client, client), (&mut pair.server, server)] {
        host.stack.close(fd).unwrap();
    }
    pair.server.stack.close(listener).unwrap();
    pair.pass(time::Duration::from_secs(120));
    pair.deliver(domain, 80);
}

fn tiny() -> Capacity {
    Capacity {
        sockets: 8,
        connections: 3,
        datagrams: 4,
        datagram_packets: 3,
        pending_syns: 2,
        loopback_buffer: 3 * 1500,
        reassemblies: 1,
        lookups: 1,
        ..small()
    }
}

#[test]
fn a_host_lives_through_anything() {
    let case = (any::<bool>(), prop::collection::vec(any_step(), 1..STEPS));
    cases::test(CASES, &case, |(borrowed, steps)| {
        if borrowed {
            let storage = Storage::<8, 3, 4, 2048, 2, 2, 1500, 2048, 1>::new;
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

/// What the cases above found first.
#[test]
fn a_connection_that_ended_before_it_was_accepted_goes_with_its_listener() {
    let mut pair = Pair::small();
    let listener = pair.listen(Domain::Inet, 80);
    let to = at(Domain::Inet, 2, 80);
    let client = &mut pair.client.stack;
    let fd = client.socket(Domain::Inet, Type::Stream).unwrap();
    assert_eq!(client.connect(fd, to), Err(Error::WouldBlock));
    pass(&mut pair, time::Duration::from_secs(1));
    let server = &mut pair.server;
    assert_eq!(server.stack.usage().connections, 1);
    let own = address(Domain::Inet, 2);
    server.stack.remove_address(server.interface, own).unwrap();
    server.stack.close(listener).unwrap();
    assert_eq!(server.stack.usage().connections, 0);
}
