//! Raw sockets, as `raw(7)` and RFC 3542 §3 have them: what is sent with and without a header, who sees what comes in, and
//! that the stack's own work goes on; what nobody takes is refused, at a limited rate.
#![cfg(all(feature = "std", feature = "ipv4", feature = "ipv6"))]
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a test says what broke by panicking"
)]

mod frames;

use std::net::{IpAddr, SocketAddr};

use frames::packet::{self, ACK, ICMP, ICMPV6, Packet, SYN, Segment, UDP};
use frames::{Cable, FAMILIES, at, domain, ip, plug};
use glasstack::{
    Error, Fd, Stack,
    smoltcp::time::{Duration, Instant},
    stack::{
        Capacity, InterfaceId, Message, Protocol, Received, Type,
        option::{
            Broadcast, ChecksumOffset, HeaderIncluded, HopLimit, IcmpFilter, IcmpTypes,
            MulticastLoop, TypeOfService,
        },
    },
    trace::{DropReason, Event, Happening, Observer},
};

/// RFC 3692: for experiments.
const PROTOCOL: Protocol = Protocol(253);
const MTU: usize = 1500;

/// What was dropped, and why.
#[derive(Default)]
struct Drops(Vec<DropReason>);

impl Observer for Drops {
    fn event(&mut self, event: &Event<'_>) {
        if let Happening::Drop { reason, .. } = event.happening {
            self.0.push(reason);
        }
    }
}

struct Host {
    stack: Stack<'static, Drops>,
    link: InterfaceId,
    cable: Cable,
    now: Instant,
    address: IpAddr,
    neighbor: IpAddr,
    other: IpAddr,
}

impl Host {
    fn new([address, neighbor, other]: [&str; 3]) -> Host {
        let mut stack = Stack::with_capacity(Capacity::default(), [7; 16], Drops::default());
        let (cable, link) = plug(&mut stack, ip(address));
        Host {
            stack,
            link,
            cable,
            now: Instant::from_secs(1),
            address: ip(address),
            neighbor: ip(neighbor),
            other: ip(other),
        }
    }

    fn families() -> impl Iterator<Item = Host> {
        FAMILIES.into_iter().map(Host::new)
    }

    fn is_v4(&self) -> bool {
        self.address.is_ipv4()
    }

    fn icmp(&self) -> Protocol {
        match self.is_v4() {
            true => Protocol::ICMP,
            false => Protocol::ICMPV6,
        }
    }

    fn echo(&self) -> (u8, u8) {
        if self.is_v4() { (8, 0) } else { (128, 129) }
    }

    fn wildcard(&self) -> SocketAddr {
        match self.is_v4() {
            true => "0.0.0.0:0".parse().unwrap(),
            false => "[::]:0".parse().unwrap(),
        }
    }

    fn loopback(&self) -> SocketAddr {
        match self.is_v4() {
            true => "127.0.0.1:0".parse().unwrap(),
            false => "[::1]:0".parse().unwrap(),
        }
    }

    fn raw(&mut self, protocol: Protocol) -> Fd {
        let domain = domain(self.address);
        self.stack.socket(domain, Type::Raw(protocol)).unwrap()
    }

    fn socket(&mut self, kind: Type) -> Fd {
        let domain = domain(self.address);
        self.stack.socket(domain, kind).unwrap()
    }

    fn poll(&mut self) {
        let _ = self.stack.poll(self.link, self.now, &mut self.cable);
    }

    fn receive(&mut self, packet: Vec<u8>) {
        self.cable.incoming.push_back(packet);
        self.poll();
    }

    /// A packet of the neighbor's, for this host.
    fn packet_of(&self, protocol: Protocol, payload: &[u8]) -> Vec<u8> {
        packet::ip(self.neighbor, self.address, protocol.0, payload)
    }

    fn sent(&mut self) -> Vec<Vec<u8>> {
        self.poll();
        self.cable.sent.drain(..).collect()
    }

    /// The one packet that was sent.
    fn sent_one(&mut self) -> Vec<u8> {
        let mut sent = self.sent();
        assert_eq!(sent.len(), 1, "{sent:?}");
        sent.remove(0)
    }

    fn receive_on(&mut self, fd: Fd) -> Result<(Vec<u8>, Received), Error> {
        let mut buffer = vec![0; 70_000];
        let received = self.stack.recvfrom(fd, &mut buffer)?;
        buffer.truncate(received.len);
        Ok((buffer, received))
    }

    /// What a raw socket received, without the IP header that IPv4 has it with.
    fn payload_on(&mut self, fd: Fd) -> Option<Vec<u8>> {
        let header = if self.is_v4() { 20 } else { 0 };
        match self.receive_on(fd) {
            Ok((packet, _)) => Some(packet[header..].to_vec()),
            Err(error) => {
                assert_eq!(error, Error::WouldBlock);
                None
            }
        }
    }

    fn drops(&mut self) -> Vec<DropReason> {
        std::mem::take(&mut self.stack.observer().0)
    }
}

/// An IPv4 or IPv6 header whose other fields are right for these.
fn header(source: IpAddr, destination: IpAddr, protocol: Protocol, payload: &[u8]) -> Vec<u8> {
    packet::ip(source, destination, protocol.0, payload)
}

fn is_checksum_right(message: &[u8]) -> bool {
    packet::checksum(&[message]) == 0
}

#[test]
fn what_is_sent_gets_an_ip_header_as_the_options_say() {
    for mut host in Host::families() {
        let fd = host.raw(PROTOCOL);
        host.stack.setsockopt(fd, HopLimit, 7).unwrap();
        host.stack.setsockopt(fd, TypeOfService, 0xb8).unwrap();
        let to = at(host.neighbor, 0);
        assert_eq!(host.stack.sendto(fd, b"Michael", to), Ok(7));
        let sent = host.sent_one();
        let read = Packet::read(&sent);
        assert_eq!(
            (read.source, read.destination),
            (host.address, host.neighbor)
        );
        assert_eq!(
            (read.protocol, &read.payload[..]),
            (PROTOCOL.0, &b"Michael"[..])
        );
        match host.is_v4() {
            true => {
                assert_eq!((sent[1], sent[8]), (0xb8, 7));
                assert!(is_checksum_right(&sent[..20]));
            }
            false => assert_eq!((sent[0], sent[1], sent[7]), (0x6b, 0x80, 7)),
        }
        // An empty one is one, too; and one in parts, whose ancillary data goes before the options.
        assert_eq!(host.stack.sendto(fd, b"", to), Ok(0));
        assert_eq!(Packet::read(&host.sent_one()).payload, b"");
        let message = Message::new(&[b"Mich", b"", b"ael"]).to(to).hop_limit(9);
        assert_eq!(host.stack.sendmsg(fd, &message), Ok(7));
        let sent = host.sent_one();
        assert_eq!(Packet::read(&sent).payload, b"Michael");
        assert_eq!(sent[if host.is_v4() { 8 } else { 7 }], 9);
    }
}

#[test]
fn ipv4_is_received_with_its_header_and_ipv6_without() {
    for mut host in Host::families() {
        let fd = host.raw(PROTOCOL);
        let packet = host.packet_of(PROTOCOL, b"Tracy");
        host.receive(packet.clone());
        let expected = packet[if host.is_v4() { 0 } else { 40 }..].to_vec();
        let (octets, received) = host.receive_on(fd).unwrap();
        assert_eq!(octets, expected);
        assert_eq!(received.from, at(host.neighbor, 0));
        assert_eq!(received.to, at(host.address, 0));
        assert_eq!((received.hop_limit, received.interface), (64, host.link));
        // Cut, and in parts.
        host.receive(packet.clone());
        host.receive(packet);
        let mut short = [0; 3];
        let received = host.stack.recvfrom(fd, &mut short).unwrap();
        assert_eq!((received.len, received.size), (3, expected.len()));
        assert_eq!(short, expected[..3]);
        let (mut front, mut rest) = ([0; 2], [0; 100]);
        let received = host
            .stack
            .recvmsg(fd, &mut [&mut front, &mut rest])
            .unwrap();
        assert_eq!(
            (&front[..], &rest[..received.len - 2]),
            expected.split_at(2)
        );
        assert_eq!(host.receive_on(fd), Err(Error::WouldBlock));
    }
}

#[test]
fn two_sockets_of_a_protocol_both_see_a_packet_and_none_of_another_protocol() {
    for mut host in Host::families() {
        let (one, other) = (host.raw(PROTOCOL), host.raw(PROTOCOL));
        let foreign = host.raw(Protocol(254));
        let packet = host.packet_of(PROTOCOL, b"Sarah");
        host.receive(packet);
        for fd in [one, other] {
            assert_eq!(host.payload_on(fd).as_deref(), Some(&b"Sarah"[..]));
            assert_eq!(host.payload_on(fd), None);
        }
        assert_eq!(host.payload_on(foreign), None);
        // One is closed: the other goes on.
        host.stack.close(one).unwrap();
        let packet = host.packet_of(PROTOCOL, b"again");
        host.receive(packet);
        assert_eq!(host.payload_on(other).as_deref(), Some(&b"again"[..]));
    }
}

#[test]
fn a_packet_that_came_in_fragments_is_seen_whole() {
    for mut host in Host::families() {
        let fd = host.raw(PROTOCOL);
        let payload: Vec<u8> = (0..4_000).map(|index| index as u8).collect();
        let packet = host.packet_of(PROTOCOL, &payload);
        for fragment in packet::fragments(&packet, 7, 1_400) {
            host.receive(fragment);
        }
        assert_eq!(host.payload_on(fd), Some(payload));
    }
}

#[test]
fn bound_it_hears_what_is_for_its_address_and_speaks_from_it() {
    for mut host in Host::families() {
        let second = match host.is_v4() {
            true => ip("10.0.0.77"),
            false => ip("fd00::77"),
        };
        let prefix_len = if host.is_v4() { 24 } else { 64 };
        let link = host.link;
        host.stack.add_address(link, second, prefix_len).unwrap();
        let (bound, open) = (host.raw(PROTOCOL), host.raw(PROTOCOL));
        let unbound = host.stack.getsockname(bound).unwrap();
        assert_eq!(unbound.ip(), host.wildcard().ip());
        assert_eq!(host.stack.bind(bound, at(second, 0)), Ok(()));
        // The port says which protocol, as on Linux.
        assert_eq!(host.stack.getsockname(bound), Ok(at(second, 253)));
        let first = host.packet_of(PROTOCOL, b"first");
        host.receive(first);
        assert_eq!(host.payload_on(bound), None);
        assert_eq!(host.payload_on(open).as_deref(), Some(&b"first"[..]));
        let packet = header(host.neighbor, second, PROTOCOL, b"second");
        host.receive(packet);
        assert_eq!(host.payload_on(bound).as_deref(), Some(&b"second"[..]));
        host.stack
            .sendto(bound, b"x", at(host.neighbor, 0))
            .unwrap();
        assert_eq!(Packet::read(&host.sent_one()).source, second);

        let foreign = host.raw(PROTOCOL);
        assert_eq!(
            host.stack.bind(foreign, at(host.other, 0)),
            Err(Error::AddrNotAvailable)
        );
        assert_eq!(
            host.stack.bind(bound, at(host.address, 0)),
            Err(Error::InvalidArgument)
        );
    }
}

#[test]
fn connected_it_hears_its_peer_alone() {
    for mut host in Host::families() {
        let fd = host.raw(PROTOCOL);
        assert_eq!(host.stack.getpeername(fd), Err(Error::NotConnected));
        assert_eq!(host.stack.send(fd, b"x"), Err(Error::DestinationRequired));
        assert_eq!(host.stack.connect(fd, at(host.neighbor, 0)), Ok(()));
        assert_eq!(host.stack.getpeername(fd), Ok(at(host.neighbor, 0)));
        assert_eq!(host.stack.getsockname(fd), Ok(at(host.address, 253)));
        assert_eq!(host.stack.send(fd, b"Michael"), Ok(7));
        assert_eq!(Packet::read(&host.sent_one()).destination, host.neighbor);
        let others = header(host.other, host.address, PROTOCOL, b"other");
        host.receive(others);
        assert_eq!(host.sent().len(), 1); // nobody takes it: the sender is told
        assert_eq!(host.payload_on(fd), None);
        let packet = host.packet_of(PROTOCOL, b"peer");
        host.receive(packet);
        assert_eq!(host.payload_on(fd).as_deref(), Some(&b"peer"[..]));
        // It may still send elsewhere, and take another peer.
        assert_eq!(host.stack.sendto(fd, b"x", at(host.other, 0)), Ok(1));
        assert_eq!(Packet::read(&host.sent_one()).destination, host.other);
        assert_eq!(host.stack.connect(fd, at(host.other, 0)), Ok(()));
        assert_eq!(host.stack.getpeername(fd), Ok(at(host.other, 0)));
    }
}

#[test]
fn an_icmp_error_is_told_to_who_is_connected_there() {
    for mut host in Host::families() {
        let (connected, open) = (host.raw(PROTOCOL), host.raw(PROTOCOL));
        host.stack.connect(connected, at(host.neighbor, 0)).unwrap();
        host.stack.send(connected, b"Michael, or so").unwrap();
        let sent = host.sent_one();
        let (kind, code) = if host.is_v4() { (3, 2) } else { (1, 4) };
        let error = packet::icmp_error(host.neighbor, kind, code, &sent);
        host.receive(error);
        assert_eq!(host.stack.take_error(open), Ok(None));
        assert_eq!(
            host.stack.send(connected, b"x"),
            Err(Error::ConnectionRefused)
        );
        assert_eq!(host.stack.send(connected, b"x"), Ok(1));
        // About what went to somebody else it hears nothing.
        let to_other = header(host.address, host.other, PROTOCOL, b"Michael, or so");
        let error = packet::icmp_error(host.neighbor, kind, code, &to_other);
        host.receive(error);
        assert_eq!(host.stack.take_error(connected), Ok(None));
    }
}

#[test]
fn what_can_never_be_is_an_error() {
    for mut host in Host::families() {
        let domain = domain(host.address);
        let none = host.stack.socket(domain, Type::Raw(Protocol(0)));
        assert_eq!(none, Err(Error::InvalidArgument));
        let fd = host.raw(PROTOCOL);
        let longest = if host.is_v4() { 65_515 } else { 65_535 };
        let to = at(host.neighbor, 0);
        let long = vec![0; longest + 1];
        assert_eq!(host.stack.sendto(fd, &long, to), Err(Error::MessageTooLong));
        assert_eq!(host.stack.sendto(fd, &long[1..], to), Ok(longest));
        let nowhere = if host.is_v4() {
            "192.0.2.1:0"
        } else {
            "[2001:db8::1]:0"
        };
        let nowhere = nowhere.parse().unwrap();
        assert_eq!(
            host.stack.sendto(fd, b"x", nowhere),
            Err(Error::NetworkUnreachable)
        );
        assert_eq!(
            host.stack.connect(fd, nowhere),
            Err(Error::NetworkUnreachable)
        );
        for call in [host.stack.listen(fd, 1), host.stack.accept(fd).map(drop)] {
            assert_eq!(call, Err(Error::NotSupported));
        }
    }
}

#[test]
fn a_raw_socket_is_of_one_family() {
    let mut host = Host::new(FAMILIES[1]);
    let v4 = ip("10.0.0.1");
    let link = host.link;
    host.stack.add_address(link, v4, 24).unwrap();
    let fd = host.raw(PROTOCOL);
    let mapped = |text: &str| format!("[::ffff:{text}]:0").parse::<SocketAddr>().unwrap();
    assert_eq!(
        host.stack.bind(fd, mapped("10.0.0.1")),
        Err(Error::AddrNotAvailable)
    );
    assert_eq!(
        host.stack.sendto(fd, b"x", mapped("10.0.0.2")),
        Err(Error::NetworkUnreachable)
    );
    assert_eq!(
        host.stack.connect(fd, mapped("10.0.0.2")),
        Err(Error::NetworkUnreachable)
    );
    let v4_only = at(ip("10.0.0.2"), 0);
    assert_eq!(
        host.stack.sendto(fd, b"x", v4_only),
        Err(Error::AddressFamilyNotSupported)
    );
    host.receive(header(ip("10.0.0.2"), v4, PROTOCOL, b"IPv4"));
    assert_eq!(host.payload_on(fd), None);
    // In IPv6 the port names the protocol, if anything.
    for (port, result) in [(0, Ok(1)), (253, Ok(1)), (254, Err(Error::InvalidArgument))] {
        assert_eq!(
            host.stack.sendto(fd, b"x", at(host.neighbor, port)),
            result,
            "{port}"
        );
    }
    let mut host = Host::new(FAMILIES[0]);
    let fd = host.raw(PROTOCOL);
    assert_eq!(host.stack.sendto(fd, b"x", at(host.neighbor, 254)), Ok(1));
    let v6 = at(ip("fd00::2"), 0);
    assert_eq!(
        host.stack.sendto(fd, b"x", v6),
        Err(Error::AddressFamilyNotSupported)
    );
}

#[test]
fn a_long_packet_leaves_in_fragments() {
    for mut host in Host::families() {
        let fd = host.raw(PROTOCOL);
        let payload: Vec<u8> = (0..5_000).map(|index| (index % 251) as u8).collect();
        host.stack
            .sendto(fd, &payload, at(host.neighbor, 0))
            .unwrap();
        let sent = host.sent();
        assert_eq!(sent.len(), 4);
        let skipped = if host.is_v4() { 0 } else { 8 };
        let whole: Vec<u8> = sent
            .iter()
            .inspect(|fragment| assert!(fragment.len() <= MTU))
            .flat_map(|fragment| Packet::read(fragment).payload[skipped..].to_vec())
            .collect();
        assert_eq!(whole, payload);
    }
}

#[test]
fn of_icmpv6_the_checksum_is_written_of_other_protocols_it_is_not() {
    let message = [128, 0, 0xab, 0xcd, 0, 7, 0, 1, 9];
    let mut host = Host::new(FAMILIES[1]);
    let fd = host.raw(Protocol::ICMPV6);
    let to = at(host.neighbor, 0);
    host.stack.sendto(fd, &message, to).unwrap();
    let sent = host.sent_one();
    assert_eq!(
        sent,
        packet::icmp(host.address, host.neighbor, 128, 0, &message[4..])
    );
    for len in 0..4 {
        // There is no place for it.
        assert_eq!(
            host.stack.sendto(fd, &message[..len], to),
            Err(Error::InvalidArgument)
        );
    }
    // In fragments it is that of the whole.
    let body = vec![7; 4_000];
    host.stack
        .sendto(fd, &[&message[..4], &body].concat(), to)
        .unwrap();
    let sent = host.sent();
    let whole = packet::icmp(host.address, host.neighbor, 128, 0, &body);
    assert_eq!(Packet::read(&sent[0]).payload[8..12], whole[40..44]);
    // Its own message comes back to who sends it to itself: the checksum is right.
    let listener = host.raw(Protocol::ICMPV6);
    host.stack.sendto(fd, &message, host.loopback()).unwrap();
    host.poll();
    let heard = host.payload_on(listener).unwrap();
    assert_eq!(heard[4..], message[4..]);

    let mut host = Host::new(FAMILIES[0]);
    let fd = host.raw(Protocol::ICMP);
    host.stack
        .sendto(fd, &message, at(host.neighbor, 0))
        .unwrap();
    assert_eq!(Packet::read(&host.sent_one()).payload, message);
    for mut host in Host::families() {
        let fd = host.raw(Protocol::UDP);
        let datagram = [0, 7, 0, 7, 0, 8, 0, 0];
        host.stack
            .sendto(fd, &datagram, at(host.neighbor, 0))
            .unwrap();
        assert_eq!(Packet::read(&host.sent_one()).payload, datagram);
    }
}

#[test]
fn where_an_option_says_so_a_checksum_is_written_over_ipv6_and_looked_at() {
    let mut host = Host::new(FAMILIES[1]);
    let fd = host.raw(Protocol::UDP);
    let odd = host.stack.setsockopt(fd, ChecksumOffset, Some(5));
    assert_eq!(odd, Err(Error::InvalidArgument));
    host.stack.setsockopt(fd, ChecksumOffset, Some(6)).unwrap();
    let (from, to) = (at(host.address, 7), at(host.neighbor, 9));
    let expected = packet::udp(from, to, b"Sarah");
    let mut datagram = Packet::read(&expected).payload;
    datagram[6..8].fill(0xaa);
    let whereto = at(host.neighbor, 0);
    host.stack.sendto(fd, &datagram, whereto).unwrap();
    assert_eq!(host.sent_one(), expected);
    let short = host.stack.sendto(fd, &datagram[..7], whereto);
    assert_eq!(short, Err(Error::InvalidArgument));
    let other = host.raw(Protocol::UDP);
    let right = packet::udp(to, from, b"Tracy");
    let mut wrong = right.clone();
    *wrong.last_mut().unwrap() ^= 1;
    host.receive(wrong);
    assert_eq!(host.payload_on(fd), None);
    assert!(host.payload_on(other).is_some());
    host.receive(right.clone());
    assert_eq!(host.payload_on(fd), Some(Packet::read(&right).payload));
    // Over IPv4 it means nothing.
    let mut host = Host::new(FAMILIES[0]);
    let fd = host.raw(PROTOCOL);
    host.stack.setsockopt(fd, ChecksumOffset, Some(6)).unwrap();
    host.stack.sendto(fd, b"x", at(host.neighbor, 0)).unwrap();
    assert_eq!(Packet::read(&host.sent_one()).payload, b"x");
}

#[test]
fn of_an_ipv4_header_length_and_checksum_are_filled_in_and_what_is_zero() {
    let mut host = Host::new(FAMILIES[0]);
    let fd = host.raw(Protocol::RAW);
    assert_eq!(host.stack.getsockopt(fd, HeaderIncluded), Ok(true));
    let to = at(host.neighbor, 0);
    let mut written = header(ip("0.0.0.0"), host.neighbor, PROTOCOL, b"Michael");
    written[1] = 0x10;
    written[2..4].copy_from_slice(&[0xaa, 0xbb]); // a wrong length
    written[8] = 3;
    written[10..12].copy_from_slice(&[0xcc, 0xdd]); // a wrong checksum
    host.stack.sendto(fd, &written, to).unwrap();
    let sent = host.sent_one();
    assert_eq!(sent[2..4], [0, 27]);
    assert_ne!(sent[4..6], [0, 0]);
    assert!(is_checksum_right(&sent[..20]));
    assert_eq!(sent[12..16], [10, 0, 0, 1]);
    // The rest is as it was written.
    assert_eq!((sent[0], sent[1], sent[8], sent[9]), (0x45, 0x10, 3, 253));
    assert_eq!((&sent[6..8], &sent[16..]), (&written[6..8], &written[16..]));

    // What is not zero stays; so does a destination that is not where the packet goes, and an option.
    let mut written = header(
        ip("192.0.2.1"),
        ip("192.0.2.2"),
        PROTOCOL,
        b"\x94\x04\0\0Tracy",
    );
    written[0] = 0x46;
    written[4..6].copy_from_slice(&[0x12, 0x34]);
    host.stack.sendto(fd, &written, to).unwrap();
    let sent = host.sent_one();
    assert_eq!(sent[4..6], [0x12, 0x34]);
    assert!(is_checksum_right(&sent[..24]));
    assert_eq!(sent[12..], written[12..]);

    // Any raw socket may ask for it, and this one may do without.
    let other = host.raw(PROTOCOL);
    host.stack.setsockopt(other, HeaderIncluded, true).unwrap();
    let written = header(host.address, host.neighbor, Protocol(254), b"x");
    host.stack.sendto(other, &written, to).unwrap();
    assert_eq!(Packet::read(&host.sent_one()).protocol, 254);
    host.stack.setsockopt(fd, HeaderIncluded, false).unwrap();
    host.stack.sendto(fd, b"x", to).unwrap();
    assert_eq!(Packet::read(&host.sent_one()).protocol, 255);
}

#[test]
fn an_ipv6_header_leaves_as_it_was_written() {
    let mut host = Host::new(FAMILIES[1]);
    let fd = host.raw(Protocol::RAW);
    let mut written = header(ip("::"), ip("fd00::9"), PROTOCOL, b"Michael");
    written[4..6].copy_from_slice(&[0xaa, 0xbb]);
    host.stack
        .sendto(fd, &written, at(host.neighbor, 0))
        .unwrap();
    assert_eq!(host.sent_one(), written);
}

#[test]
fn a_header_that_is_none_is_invalid_and_one_too_long_is_not_cut() {
    for mut host in Host::families() {
        let fd = host.raw(Protocol::RAW);
        let to = at(host.neighbor, 0);
        let whole = header(host.address, host.neighbor, PROTOCOL, b"");
        let mut bad: Vec<Vec<u8>> = (0..whole.len()).map(|len| whole[..len].to_vec()).collect();
        for first in match host.is_v4() {
            true => &[0x44, 0x46, 0x4f, 0x65, 0x05][..], // the length in words is wrong, or the version
            false => &[0x40, 0x50, 0x00],
        } {
            bad.push([&[*first][..], &whole[1..]].concat());
        }
        for packet in bad {
            let result = host.stack.sendto(fd, &packet, to);
            assert_eq!(result, Err(Error::InvalidArgument), "{packet:?}");
        }
        let long = header(host.address, host.neighbor, PROTOCOL, &[0; MTU]);
        assert_eq!(host.stack.sendto(fd, &long, to), Err(Error::MessageTooLong));
        assert_eq!(host.stack.sendto(fd, &long[..MTU], to), Ok(MTU));
        assert_eq!(host.sent_one().len(), MTU);
        // Of this protocol nothing is received (raw(7)).
        let packet = host.packet_of(Protocol::RAW, b"x");
        host.receive(packet);
        assert_eq!(host.payload_on(fd), None);
    }
}

#[test]
fn what_a_host_sends_to_itself_comes_back() {
    for mut host in Host::families() {
        let fd = host.raw(PROTOCOL);
        for to in [host.loopback(), at(host.address, 0)] {
            host.stack.sendto(fd, b"Michael", to).unwrap();
            host.poll();
            let (_, received) = host.receive_on(fd).unwrap();
            assert_eq!((received.from, received.to), (to, to));
            assert_eq!(received.interface, InterfaceId::LOOPBACK);
        }
        // With a header, too.
        let with_header = host.raw(Protocol::RAW);
        let loopback = host.loopback();
        let packet = header(loopback.ip(), loopback.ip(), PROTOCOL, b"Tracy");
        host.stack.sendto(with_header, &packet, loopback).unwrap();
        host.poll();
        assert_eq!(host.payload_on(fd).as_deref(), Some(&b"Tracy"[..]));
        assert!(host.sent().is_empty());
    }
}

#[test]
fn what_is_sent_to_a_group_that_the_host_is_in_comes_back_unless_switched_off() {
    for mut host in Host::families() {
        let fd = host.raw(host.icmp());
        let all = at(ip(if host.is_v4() { "224.0.0.1" } else { "ff02::1" }), 0);
        let message = [200, 0, 0, 0, 1, 2, 3, 4]; // RFC 4443: for experiments
        host.stack.sendto(fd, &message, all).unwrap();
        let sent = host.sent_one();
        assert_eq!(Packet::read(&sent).destination, all.ip());
        assert_eq!(sent[if host.is_v4() { 8 } else { 7 }], 1); // hops
        let heard = host.payload_on(fd).unwrap();
        assert_eq!(heard, Packet::read(&sent).payload);
        host.stack.setsockopt(fd, MulticastLoop, false).unwrap();
        host.stack.sendto(fd, &message, all).unwrap();
        assert_eq!(host.sent().len(), 1);
        assert_eq!(host.payload_on(fd), None);
    }
}

#[test]
fn broadcasting_takes_permission_and_broadcasts_are_heard() {
    let mut host = Host::new(FAMILIES[0]);
    let fd = host.raw(PROTOCOL);
    for to in ["255.255.255.255:0", "10.0.0.255:0"] {
        let to: SocketAddr = to.parse().unwrap();
        host.stack.setsockopt(fd, Broadcast, false).unwrap();
        assert_eq!(
            host.stack.sendto(fd, b"x", to),
            Err(Error::PermissionDenied)
        );
        host.stack.setsockopt(fd, Broadcast, true).unwrap();
        assert_eq!(host.stack.sendto(fd, b"x", to), Ok(1));
        assert_eq!(Packet::read(&host.sent_one()).destination, to.ip());
        while host.payload_on(fd).is_some() {}
        host.receive(header(host.neighbor, to.ip(), PROTOCOL, b"all"));
        assert_eq!(host.payload_on(fd).as_deref(), Some(&b"all"[..]));
    }
}

#[test]
fn what_is_not_for_this_host_is_not_seen() {
    for mut host in Host::families() {
        let fd = host.raw(PROTOCOL);
        let tcp = host.raw(Protocol::TCP);
        for (source, destination) in [
            (host.neighbor, host.other),
            (host.address, host.address), // nobody else has our address
            (host.loopback().ip(), host.address),
        ] {
            host.receive(header(source, destination, PROTOCOL, b"x"));
            let (from, to) = (at(source, 1), at(destination, 2));
            host.receive(Segment::new(SYN, 1, 0).packet(from, to));
        }
        assert_eq!((host.payload_on(fd), host.payload_on(tcp)), (None, None));
        if host.is_v4() {
            let mut packet = host.packet_of(PROTOCOL, b"x");
            packet[10] ^= 1; // its header's checksum
            host.receive(packet);
            assert_eq!(host.payload_on(fd), None);
        }
    }
}

#[test]
fn an_echo_is_answered_though_a_raw_socket_sees_it() {
    for mut host in Host::families() {
        let fd = host.raw(host.icmp());
        let (request, reply) = host.echo();
        let body = [0, 7, 0, 1, b'M'];
        host.receive(packet::icmp(host.neighbor, host.address, request, 0, &body));
        let expected = packet::icmp(host.address, host.neighbor, reply, 0, &body);
        assert_eq!(host.sent_one()[20..], expected[20..]);
        assert_eq!(host.payload_on(fd).unwrap()[..2], [request, 0]);
    }
}

#[test]
fn a_filter_keeps_icmp_types_away() {
    for mut host in Host::families() {
        let (filtered, open) = (host.raw(host.icmp()), host.raw(host.icmp()));
        let (request, reply) = host.echo();
        let wanted = IcmpFilter::ALL.pass(reply);
        host.stack.setsockopt(filtered, IcmpTypes, wanted).unwrap();
        for kind in [request, reply, 200] {
            host.receive(packet::icmp(host.neighbor, host.address, kind, 0, &[0; 4]));
        }
        assert_eq!(host.payload_on(filtered).unwrap()[0], reply);
        assert_eq!(host.payload_on(filtered), None);
        for kind in [request, reply, 200] {
            assert_eq!(host.payload_on(open).unwrap()[0], kind);
        }
    }
}

#[test]
fn a_wrong_checksum_is_seen_but_not_icmpv6s() {
    for mut host in Host::families() {
        let (udp, icmp) = (host.raw(Protocol::UDP), host.raw(host.icmp()));
        let mut datagram = packet::udp(at(host.neighbor, 9), at(host.address, 9), b"x");
        *datagram.last_mut().unwrap() ^= 1;
        host.receive(datagram);
        assert!(host.payload_on(udp).is_some());
        let mut message = packet::icmp(host.neighbor, host.address, 200, 0, &[0; 4]);
        *message.last_mut().unwrap() ^= 1;
        host.receive(message);
        assert_eq!(host.payload_on(icmp).is_some(), host.is_v4());
        assert_eq!(host.drops(), [DropReason::Checksum; 2]);
        assert!(host.sent().is_empty());
    }
}

#[test]
fn a_datagram_socket_gets_its_datagram_though_a_raw_socket_sees_it() {
    for mut host in Host::families() {
        let raw = host.raw(Protocol::UDP);
        let socket = host.socket(Type::Datagram);
        host.stack.bind(socket, at(host.address, 9)).unwrap();
        let datagram = packet::udp(at(host.neighbor, 9), at(host.address, 9), b"Tracy");
        host.receive(datagram.clone());
        assert_eq!(host.receive_on(socket).unwrap().0, b"Tracy");
        assert_eq!(
            host.payload_on(raw).unwrap(),
            Packet::read(&datagram).payload
        );
        // A port that is nobody's is nobody's, whoever looks on.
        host.receive(packet::udp(
            at(host.neighbor, 9),
            at(host.address, 10),
            b"x",
        ));
        let expected = if host.is_v4() { (3, 3) } else { (1, 4) };
        assert_eq!(Packet::read(&host.sent_one()).icmp(), expected);
        assert!(host.payload_on(raw).is_some());
    }
}

#[test]
fn a_connection_works_with_a_raw_socket_of_tcp_open() {
    for mut host in Host::families() {
        let raw = host.raw(Protocol::TCP);
        let listener = host.socket(Type::Stream);
        host.stack.bind(listener, at(host.address, 80)).unwrap();
        host.stack.listen(listener, 1).unwrap();
        let (peer, here) = (at(host.neighbor, 9), at(host.address, 80));
        host.receive(Segment::new(SYN, 100, 0).packet(peer, here));
        let answer = Packet::read(&host.sent_one()).segment();
        assert_eq!((answer.flags, answer.ack), (SYN | ACK, 101));
        let next = answer.seq.wrapping_add(1);
        let mut data = Segment::new(ACK, 101, next);
        data.data = b"Michael".to_vec();
        host.receive(data.packet(peer, here));
        let (connection, from) = host.stack.accept(listener).unwrap();
        assert_eq!(from, peer);
        let mut buffer = [0; 16];
        assert_eq!(host.stack.recv(connection, &mut buffer), Ok(7));
        let flags: Vec<u8> = std::iter::from_fn(|| host.payload_on(raw))
            .map(|segment| segment[13])
            .collect();
        assert_eq!(flags, [SYN, ACK]);
    }
}

#[test]
fn a_full_queue_loses_the_newest_and_tells() {
    for mut host in Host::families() {
        let fd = host.raw(PROTOCOL);
        let packets = Capacity::default().datagram_packets;
        for number in 0..packets + 3 {
            let packet = host.packet_of(PROTOCOL, &[number as u8]);
            host.receive(packet);
        }
        assert_eq!(host.drops(), [DropReason::ReceiveQueueFull; 3]);
        for number in 0..packets {
            assert_eq!(host.payload_on(fd), Some(vec![number as u8]));
        }
        assert_eq!(host.payload_on(fd), None);
        assert!(host.sent().is_empty());
    }
}

#[test]
fn what_nobody_takes_is_refused_and_what_a_raw_socket_takes_is_not() {
    for mut host in Host::families() {
        let packet = host.packet_of(PROTOCOL, b"Michael, or so");
        host.receive(packet.clone());
        let error = host.sent_one();
        let read = Packet::read(&error);
        let expected = if host.is_v4() { (3, 2) } else { (4, 1) };
        assert_eq!(read.icmp(), expected);
        assert_eq!(
            (read.source, read.destination),
            (host.address, host.neighbor)
        );
        assert_eq!(host.drops(), [DropReason::UnknownProtocol]);
        let pointer = if host.is_v4() { [0; 4] } else { [0, 0, 0, 6] };
        assert_eq!(
            (&read.payload[4..8], &read.payload[8..]),
            (&pointer[..], &packet[..])
        );

        // A raw socket that is not for it makes no difference.
        let fd = host.raw(PROTOCOL);
        host.stack.connect(fd, at(host.other, 0)).unwrap();
        host.receive(packet.clone());
        assert_eq!(host.sent().len(), 1);
        host.stack.connect(fd, at(host.neighbor, 0)).unwrap();
        host.receive(packet.clone());
        assert!(host.sent().is_empty());
        host.stack.close(fd).unwrap();
        host.receive(packet);
        assert_eq!(host.sent().len(), 1);

        // ICMP of the other family is as unknown as any; "no next header" is nothing at all.
        let strange = if host.is_v4() { ICMPV6 } else { ICMP };
        let packet = host.packet_of(Protocol(strange), &[128, 0, 0, 0, 0, 0, 0, 0]);
        host.receive(packet);
        assert_eq!(Packet::read(&host.sent_one()).icmp(), expected);
        if !host.is_v4() {
            let packet = host.packet_of(Protocol(59), b"");
            host.receive(packet);
            assert!(host.sent().is_empty());
        }
    }
}

#[test]
fn nobody_is_told_of_a_group_a_broadcast_or_an_error() {
    for mut host in Host::families() {
        let groups = match host.is_v4() {
            true => vec![ip("224.0.0.1"), ip("255.255.255.255"), ip("10.0.0.255")],
            false => vec![ip("ff02::1")],
        };
        for group in groups {
            host.receive(header(host.neighbor, group, PROTOCOL, b"x"));
            host.receive(packet::udp(at(host.neighbor, 9), at(group, 9), b"x"));
        }
        for nobody in match host.is_v4() {
            true => ["0.0.0.0", "224.0.0.1", "10.0.0.255"].map(ip),
            false => ["::", "ff02::1", "ff05::2"].map(ip),
        } {
            host.receive(header(nobody, host.address, PROTOCOL, b"x"));
            host.receive(packet::udp(at(nobody, 9), at(host.address, 9), b"x"));
        }
        // An error about a packet that this host never sent, and an unknown kind of error.
        let quoted = header(host.address, host.neighbor, PROTOCOL, b"Michael, or so");
        for kind in if host.is_v4() { [3, 11] } else { [1, 100] } {
            let error = packet::icmp_error(host.neighbor, kind, 0, &quoted);
            host.receive(error);
        }
        assert!(host.sent().is_empty());
    }
}

/// What `refused` packets at once, and then one each millisecond for ten seconds, are answered with.
fn errors_at_a_rate(host: &mut Host, packet: &[u8]) -> (usize, usize) {
    host.now += Duration::from_secs(100); // as if nothing had been before
    for _ in 0..1_000 {
        host.receive(packet.to_vec());
    }
    let at_once = host.sent().len();
    let mut later = 0;
    for _ in 0..10_000 {
        host.now += Duration::from_millis(1);
        host.receive(packet.to_vec());
        later += host.sent().len();
    }
    (at_once, later)
}

#[test]
fn errors_leave_at_a_limited_rate() {
    for mut host in Host::families() {
        let protocol = host.packet_of(PROTOCOL, b"x");
        let port = packet::udp(at(host.neighbor, 9), at(host.address, 9), b"x");
        assert_eq!(Packet::read(&port).protocol, UDP);
        for packet in [protocol, port] {
            // RFC 1812 §4.3.2.8, RFC 4443 §2.4: a bucket of 50, and 100 a second.
            assert_eq!(errors_at_a_rate(&mut host, &packet), (50, 1_000));
        }
        // Both kinds, and all senders, have one bucket.
        host.now += Duration::from_secs(100);
        for number in 0..100 {
            let neighbor = at(host.neighbor, 9);
            let other = header(host.other, host.address, PROTOCOL, b"x");
            match number % 2 {
                0 => host.receive(packet::udp(neighbor, at(host.address, 9), b"x")),
                _ => host.receive(other),
            }
        }
        assert_eq!(host.sent().len(), 50);
        // It has nothing to do with echo replies.
        let (request, _) = host.echo();
        host.receive(packet::icmp(
            host.neighbor,
            host.address,
            request,
            0,
            &[0; 4],
        ));
        assert_eq!(host.sent().len(), 1);
    }
}

#[test]
fn the_table_of_sockets_has_them() {
    for mut host in Host::families() {
        let fd = host.raw(Protocol::SCTP);
        host.stack.connect(fd, at(host.neighbor, 0)).unwrap();
        let table = host.stack.sockets().to_string();
        let row = table.lines().nth(1).unwrap();
        assert!(row.starts_with("raw   ESTAB"), "{table}");
        assert!(row.contains(":132 "), "{table}");
        let usage = host.stack.usage();
        assert_eq!((usage.sockets, usage.datagrams), (1, 1));
        host.stack.close(fd).unwrap();
        assert_eq!(host.stack.usage().datagrams, 0);
    }
}

#[test]
fn what_is_queued_at_close_still_leaves() {
    for mut host in Host::families() {
        let fd = host.raw(PROTOCOL);
        let to = at(host.neighbor, 0);
        host.stack.sendto(fd, b"one", to).unwrap();
        host.stack.sendto(fd, b"two", to).unwrap();
        host.stack.close(fd).unwrap();
        let sent = host.sent();
        let payloads: Vec<_> = sent
            .iter()
            .map(|packet| Packet::read(packet).payload)
            .collect();
        assert_eq!(payloads, [b"one", b"two"]);
    }
}
