//! What somebody on the link may send to make the host do what it should not: pass one for another, answer what must not be
//! answered, forget whom it speaks to, or run in circles.

#![allow(clippy::unwrap_used, clippy::panic)] // it is a test

mod frames;

use std::net::{IpAddr, SocketAddr};

use frames::ethernet::{self, BROADCAST, Mac, Sent};
use frames::packet::{self, ACK, FIN, ICMPV6, SYN, Segment};
use frames::{Cable, FAMILIES, at, ip};
use glasstack::smoltcp::phy::{Device, DeviceCapabilities, Medium};
use glasstack::smoltcp::time::{Duration, Instant};
use glasstack::stack::{Capacity, Domain, Fd, InterfaceId, InterfaceIdentifier, Message, Type};
use glasstack::{Error, Stack};

const OWN: Mac = [2, 0, 0, 0, 0, 1];
const OTHER: Mac = [2, 0, 0, 0, 0, 9];

struct Host {
    stack: Stack<'static>,
    link: InterfaceId,
    cable: Cable,
    now: Instant,
}

impl Host {
    fn new() -> Host {
        let mut cable = Cable::ethernet();
        let mut stack = Stack::with_capacity(Capacity::default(), [7; 16], ());
        let link = stack.add_interface(&mut cable, Some(OWN)).unwrap();
        for ([own, ..], prefix_len) in FAMILIES.iter().zip([24, 64]) {
            stack.add_address(link, ip(own), prefix_len).unwrap();
        }
        let mut host = Host {
            stack,
            link,
            cable,
            now: Instant::from_secs(1),
        };
        host.pass(Duration::from_secs(60)); // what it says of its groups
        host.cable.sent.clear();
        host
    }

    fn poll(&mut self) -> Option<Instant> {
        self.stack.poll(self.link, self.now, &mut self.cable)
    }

    fn pass(&mut self, duration: Duration) {
        let end = self.now + duration;
        while let Some(next) = self.poll().filter(|next| *next <= end) {
            self.now = next.max(self.now);
        }
        self.now = end;
    }

    /// What the host sends after a frame came in.
    fn hears(&mut self, frame: Vec<u8>) -> Vec<Vec<u8>> {
        self.cable.sent.clear();
        self.cable.incoming.push_back(frame);
        let _ = self.poll();
        self.cable.sent.drain(..).collect()
    }

    /// The same of a packet that was sent to the host's station by its neighbor's.
    fn hears_packet(&mut self, packet: &[u8]) -> Vec<Vec<u8>> {
        self.hears(ethernet::frame(OTHER, OWN, packet))
    }

    /// The neighbor's hardware address becomes known.
    fn meet(&mut self, own: IpAddr, neighbor: IpAddr) {
        let fd = self.bound(0);
        let to = at(mapped(neighbor), 9);
        self.stack.sendto(fd, b"?", to).unwrap();
        let _ = self.poll();
        self.hears(ethernet::answer(own, OWN, neighbor));
        self.stack.close(fd).unwrap();
    }

    /// A datagram socket of both families.
    fn bound(&mut self, port: u16) -> Fd {
        let fd = self.stack.socket(Domain::Inet6, Type::Datagram).unwrap();
        self.stack.bind(fd, at(ip("::"), port)).unwrap();
        fd
    }
}

fn mapped(address: IpAddr) -> IpAddr {
    match address {
        IpAddr::V4(v4) => v4.to_ipv6_mapped().into(),
        v6 => v6,
    }
}

/// An ARP packet to all: somebody asks for `target`.
fn arp_request(sender: (Mac, [u8; 4]), target: [u8; 4]) -> Vec<u8> {
    let kind = [0x08, 0x06, 0, 1, 8, 0, 6, 4, 0, 1];
    let parts: [&[u8]; 7] = [
        &BROADCAST, &sender.0, &kind, &sender.0, &sender.1, &[0; 6], &target,
    ];
    parts.concat()
}

/// A neighbor advertisement of `target`, with or without a hardware address.
fn advertisement(flags: u8, target: &str, hardware: Option<Mac>) -> Vec<u8> {
    let (target, own) = (ip(target), ip("fd00::1"));
    let IpAddr::V6(v6) = target else { panic!() };
    let mut body = [&[flags, 0, 0, 0][..], &v6.octets()].concat();
    if let Some(hardware) = hardware {
        body.extend([&[2, 1][..], &hardware].concat());
    }
    let mut packet = packet::icmp(target, own, 136, 0, &body);
    packet[7] = 255;
    ethernet::frame(ethernet::mac_of(target), OWN, &packet)
}

/// Where the host sends a datagram for a neighbor whose hardware address it knows; none where it asks for it first.
fn station_of(host: &mut Host, neighbor: &str) -> Option<Mac> {
    let fd = host.bound(0);
    let to = at(mapped(ip(neighbor)), 9);
    host.stack.sendto(fd, b"!", to).unwrap();
    host.cable.sent.clear();
    let _ = host.poll();
    host.stack.close(fd).unwrap();
    let sent: Vec<Vec<u8>> = host.cable.sent.drain(..).collect();
    sent.iter().find_map(|frame| match ethernet::read(frame) {
        Sent::Packet(station, _) => Some(station),
        _ => None,
    })
}

#[test]
fn who_has_no_address_or_a_mapped_one_is_not_heard() {
    let mut host = Host::new();
    let fd = host.bound(7000);
    let listener = host.stack.socket(Domain::Inet6, Type::Stream).unwrap();
    host.stack.bind(listener, at(ip("::"), 80)).unwrap();
    host.stack.listen(listener, 4).unwrap();
    for (source, own) in [
        ("0.0.0.0", "10.0.0.1"),
        ("::", "fd00::1"),
        ("::ffff:10.0.0.2", "fd00::1"),
        ("::ffff:127.0.0.1", "fd00::1"),
        ("127.0.0.1", "10.0.0.1"),
        ("::1", "fd00::1"),
        ("10.0.0.255", "10.0.0.1"),
        ("255.255.255.255", "10.0.0.1"),
        ("224.0.0.1", "10.0.0.1"),
        ("ff02::1", "fd00::1"),
        ("10.0.0.1", "10.0.0.1"),
        ("fd00::1", "fd00::1"),
    ] {
        let from = at(ip(source), 5000);
        let echo = packet::icmp(
            ip(source),
            ip(own),
            if ip(own).is_ipv4() { 8 } else { 128 },
            0,
            &[0; 8],
        );
        for packet in [
            packet::udp(from, at(ip(own), 7000), b"forged"),
            packet::udp(from, at(ip(own), 7001), b"forged"),
            Segment::new(SYN, 1, 0).packet(from, at(ip(own), 80)),
            Segment::new(SYN, 1, 0).packet(from, at(ip(own), 81)),
            Segment::new(ACK, 1, 1).packet(from, at(ip(own), 80)),
            echo,
        ] {
            assert_eq!(host.hears_packet(&packet), [[0; 0]; 0], "from {source}");
        }
        let received = host.stack.recv(fd, &mut [0; 16]);
        assert_eq!(received, Err(Error::WouldBlock), "from {source}");
    }
    // They are heard where there is no other way to say it: by all.
    let to_all = packet::udp(
        at(ip("0.0.0.0"), 68),
        at(ip("255.255.255.255"), 7000),
        b"all",
    );
    host.hears(ethernet::frame(OTHER, BROADCAST, &to_all));
    assert_eq!(host.stack.recv(fd, &mut [0; 16]), Ok(3));
}

#[test]
fn an_error_is_not_answered_with_an_error() {
    let mut host = Host::new();
    // In the options of each hop stands one that nobody knows, and that asks for an error.
    for (kind, is_answered) in [(129, true), (1, false), (127, false), (137, false)] {
        let message = packet::icmp(ip("fd00::2"), ip("fd00::1"), kind, 0, &[0; 60]);
        let options = [ICMPV6, 0, 0x9e, 4, 0, 0, 0, 0];
        let payload = [&options[..], &message[40..]].concat();
        let packet = packet::ip(ip("fd00::2"), ip("fd00::1"), 0, &payload);
        let sent = host.hears_packet(&packet);
        assert_eq!(!sent.is_empty(), is_answered, "type {kind}: {sent:?}");
    }
}

#[test]
fn a_header_that_says_it_is_shorter_than_one_is_none() {
    let mut host = Host::new();
    let fd = host.bound(7000);
    for words in 0..=5 {
        let from = at(ip("10.0.0.2"), 5000);
        let mut packet = packet::udp(from, at(ip("10.0.0.1"), 7000), b"short");
        packet[0] = 0x40 | words;
        packet[10..12].fill(0);
        let sum = packet::checksum(&[&packet[..20]]);
        packet[10..12].copy_from_slice(&sum.to_be_bytes());
        host.hears_packet(&packet);
        let received = host.stack.recv(fd, &mut [0; 16]);
        let expected = if words == 5 {
            Ok(5)
        } else {
            Err(Error::WouldBlock)
        };
        assert_eq!(received, expected, "{words} words");
    }
}

#[test]
fn a_segment_for_another_station_is_nothing_to_a_connection() {
    for [own, neighbor, _] in FAMILIES.map(|family| family.map(ip)) {
        let mut host = Host::new();
        let domain = if own.is_ipv4() {
            Domain::Inet
        } else {
            Domain::Inet6
        };
        host.meet(own, neighbor);
        let fd = host.stack.socket(domain, Type::Stream).unwrap();
        let to = at(neighbor, 80);
        assert_eq!(host.stack.connect(fd, to), Err(Error::WouldBlock));
        let _ = host.poll();
        let syn = host.cable.sent.pop_back().unwrap();
        let Sent::Packet(_, syn) = ethernet::read(&syn) else {
            panic!()
        };
        let from: SocketAddr = syn.from();
        let next = syn.segment().seq.wrapping_add(1);
        host.hears_packet(&Segment::new(SYN | ACK, 1000, next).packet(to, from));
        assert_eq!(host.stack.connect(fd, to), Ok(()));
        let mut data = Segment::new(ACK | FIN, 1001, next);
        data.data = b"for others".to_vec();
        let packet = data.packet(to, from);
        for station in [OTHER, BROADCAST, [1, 0, 0x5e, 0, 0, 1]] {
            host.hears(ethernet::frame(OTHER, station, &packet));
            let received = host.stack.recv(fd, &mut [0; 16]);
            assert_eq!(received, Err(Error::WouldBlock), "{station:?}");
        }
        host.hears_packet(&packet);
        assert_eq!(host.stack.recv(fd, &mut [0; 16]), Ok(10));
    }
}

#[test]
fn who_waits_for_a_neighbor_is_not_woken_by_others() {
    let mut host = Host::new();
    let fd = host.bound(0);
    let to = at(mapped(ip("10.0.0.2")), 9);
    host.stack.sendto(fd, b"?", to).unwrap();
    let asked = host.now;
    assert_eq!(host.poll(), Some(asked + Duration::from_secs(1)));
    host.now += Duration::from_millis(500);
    let questions = host.hears(arp_request((OTHER, [10, 0, 0, 9]), [10, 0, 0, 1]));
    assert_eq!(questions.len(), 1, "the answer");
    assert_eq!(host.poll(), Some(asked + Duration::from_secs(1)));
    // The one that it waits for is heard at once.
    let sent = host.hears(ethernet::answer(ip("10.0.0.1"), OWN, ip("10.0.0.2")));
    assert_eq!(sent.len(), 1, "the datagram");
}

#[test]
fn a_neighbor_that_says_no_address_is_there() {
    let mut host = Host::new();
    let neighbor = ip("fd00::2");
    host.meet(ip("fd00::1"), neighbor);
    // It is asked where it was, and its answer need not name that again (RFC 4861 §7.2.4).
    for _ in 0..10 {
        host.pass(Duration::from_secs(31));
        assert!(station_of(&mut host, "fd00::2").is_some());
        host.hears(advertisement(0x40, "fd00::2", None));
    }
    assert_eq!(
        station_of(&mut host, "fd00::2"),
        Some(ethernet::mac_of(neighbor))
    );
}

#[test]
fn a_neighbor_is_not_replaced_without_override_nor_by_our_own_station() {
    let mut host = Host::new();
    let neighbor = ip("fd00::2");
    host.meet(ip("fd00::1"), neighbor);
    let known = Some(ethernet::mac_of(neighbor));
    for (flags, station) in [
        (0x40, OTHER),
        (0x00, OTHER),
        (0x60, OWN),
        (0x60, BROADCAST),
        (0x60, [0; 6]),
    ] {
        host.hears(advertisement(flags, "fd00::2", Some(station)));
        assert_eq!(station_of(&mut host, "fd00::2"), known, "{flags:#x}");
    }
    host.hears(advertisement(0x20, "fd00::2", Some(OTHER)));
    assert_eq!(station_of(&mut host, "fd00::2"), Some(OTHER));
    // In ARP, too, nobody else has our station's address.
    let mut host = Host::new();
    host.meet(ip("10.0.0.1"), ip("10.0.0.2"));
    host.hears(arp_request((OWN, [10, 0, 0, 2]), [10, 0, 0, 1]));
    let known = Some(ethernet::mac_of(ip("10.0.0.2")));
    assert_eq!(station_of(&mut host, "10.0.0.2"), known);
}

#[test]
fn a_router_that_refuses_a_fragment_is_believed() {
    let mut host = Host::new();
    let neighbor = ip("fd00::2");
    host.meet(ip("fd00::1"), neighbor);
    let fd = host.bound(7000);
    let to = at(neighbor, 9);
    host.stack.connect(fd, to).unwrap();
    host.stack.send(fd, &[7; 3000]).unwrap();
    host.cable.sent.clear();
    let _ = host.poll();
    let first = host.cable.sent.pop_front().unwrap();
    assert_eq!(first[20], 44, "a fragment");
    let quoted = &first[14..14 + 1232];
    let body = [&1300u32.to_be_bytes()[..], quoted].concat();
    host.hears_packet(&packet::icmp(ip("fd00::3"), ip("fd00::1"), 2, 0, &body));
    let _ = host.stack.recv(fd, &mut [0; 8]); // the error that goes with it, if any
    host.cable.sent.clear();
    host.stack.send(fd, &[7; 3000]).unwrap();
    let _ = host.poll();
    let longest = host.cable.sent.iter().map(Vec::len).max().unwrap();
    assert!((1200..=1314).contains(&longest), "{longest}");
}

#[test]
fn nothing_is_sent_from_an_address_that_is_gone() {
    for (addresses, to) in [
        (["10.0.0.1", "10.0.0.7"], "10.0.0.2"),
        (["fd00::1", "fd00::7"], "fd00::2"),
    ] {
        let mut host = Host::new();
        let prefix_len = if ip(to).is_ipv4() { 24 } else { 64 };
        let [own, gone] = addresses.map(ip);
        host.stack.add_address(host.link, gone, prefix_len).unwrap();
        let fd = host.bound(7000);
        for from in [gone, own] {
            let message = Message::new(&[b"hello"]);
            let message = message.to(at(mapped(ip(to)), 9)).from(mapped(from));
            host.stack.sendmsg(fd, &message).unwrap();
        }
        let _ = host.poll();
        host.stack.remove_address(host.link, gone).unwrap();
        host.cable.incoming.clear();
        let sent = host.hears(ethernet::answer(own, OWN, ip(to)));
        let later = {
            host.pass(Duration::from_secs(2));
            host.hears(ethernet::answer(own, OWN, ip(to)))
        };
        let sent: Vec<IpAddr> = sent
            .iter()
            .chain(&later)
            .filter_map(|frame| match ethernet::read(frame) {
                Sent::Packet(_, packet) if packet.protocol == packet::UDP => Some(packet.source),
                _ => None,
            })
            .collect();
        assert_eq!(sent, [own]);
    }
}

/// Takes frames in, and has no room for any.
struct Full(Cable);

impl Device for Full {
    type RxToken<'a> = frames::Frame;
    type TxToken<'a> = frames::Room<'a>;

    fn receive(&mut self, now: Instant) -> Option<(frames::Frame, frames::Room<'_>)> {
        self.0.receive(now)
    }

    fn transmit(&mut self, _: Instant) -> Option<frames::Room<'_>> {
        None
    }

    fn capabilities(&self) -> DeviceCapabilities {
        let mut capabilities = self.0.capabilities();
        capabilities.medium = Medium::Ethernet;
        capabilities
    }
}

#[test]
fn a_device_without_room_is_not_tried_in_a_circle() {
    let mut device = Full(Cable::ethernet());
    let mut stack = Stack::with_capacity(Capacity::default(), [7; 16], ());
    let link = stack.add_interface(&mut device, Some(OWN)).unwrap();
    stack.add_address(link, ip("10.0.0.1"), 24).unwrap();
    stack.set_duplicate_detection(link, true).unwrap();
    stack.add_address(link, ip("fd00::1"), 64).unwrap();
    let identifier = InterfaceIdentifier::HardwareAddress;
    stack.autoconfigure(link, Some(identifier)).unwrap();
    stack.start_dhcp(link).unwrap();
    stack.add_name_server(ip("10.0.0.2")).unwrap();
    let fd = stack.socket(Domain::Inet, Type::Datagram).unwrap();
    stack.join_group(fd, ip("224.0.0.251"), Some(link)).unwrap();
    stack.sendto(fd, b"all", at(ip("224.0.0.251"), 9)).unwrap();
    let _ = stack.resolve("example.com").unwrap();
    let end = Instant::from_secs(20);
    let mut now = Instant::ZERO;
    let mut at_once = 0;
    while now < end {
        let next = stack.poll(link, now, &mut device).unwrap_or(end);
        at_once = if next <= now { at_once + 1 } else { 0 };
        assert!(at_once < 10, "at {now}, {next}");
        now = next.max(now);
        if now > Instant::from_secs(5) && now < Instant::from_secs(6) {
            stack.set_link(link, false).unwrap();
            stack.stop_dhcp(link).unwrap();
        }
        if now > Instant::from_secs(8) && now < Instant::from_secs(9) {
            stack.set_link(link, true).unwrap();
            stack.start_dhcp(link).unwrap();
        }
    }
}

/// An echo request of so many octets of data, in fragments, perhaps with options in front of it in the first.
fn fragmented_echo(options: bool, len: usize) -> Vec<Vec<u8>> {
    let (neighbor, own) = (ip("fd00::2"), ip("fd00::1"));
    let request = packet::icmp(neighbor, own, 128, 0, &vec![7; len]);
    if !options {
        return packet::fragments(&request, 1, 1024);
    }
    let payload = [&[ICMPV6, 0, 1, 4, 0, 0, 0, 0], &request[40..]].concat();
    packet::fragments(&packet::ip(neighbor, own, 0, &payload), 1, 1024)
}

#[test]
fn options_within_fragments_do_not_come_back_as_data() {
    for options in [false, true] {
        let mut host = Host::new();
        host.meet(ip("fd00::1"), ip("fd00::2"));
        let mut sent = Vec::new();
        for fragment in fragmented_echo(options, 3000) {
            sent = host.hears_packet(&fragment);
        }
        let firsts = sent.iter().map(|frame| frame[14 + 48]);
        let firsts: Vec<u8> = firsts.take(1).collect();
        // The first octet behind the first fragment's header is the message's type: an echo reply.
        assert_eq!(firsts, if options { vec![] } else { vec![129] });
        if options {
            continue;
        }
        let first = &sent[0][14 + 48..];
        assert_eq!(&first[8..16], &[7; 8]);
    }
}

#[test]
fn an_answer_that_waits_for_a_link_is_not_sent_once_that_is_down() {
    let mut device = Full(Cable::ethernet());
    let mut stack = Stack::with_capacity(Capacity::default(), [7; 16], ());
    let link = stack.add_interface(&mut device, Some(OWN)).unwrap();
    stack.add_address(link, ip("fd00::1"), 64).unwrap();
    let now = Instant::from_secs(1);
    for fragment in fragmented_echo(false, 3000) {
        let frame = ethernet::frame(OTHER, OWN, &fragment);
        device.0.incoming.push_back(frame);
    }
    let _ = stack.poll(link, now, &mut device);
    stack.set_link(link, false).unwrap();
    assert_eq!(stack.poll(link, now, &mut device.0), None);
    assert_eq!(device.0.sent, [[0; 0]; 0]);
}

#[test]
fn a_router_that_said_too_little_may_say_more() {
    let mut host = Host::new();
    let identifier = Some(InterfaceIdentifier::HardwareAddress);
    host.stack.autoconfigure(host.link, identifier).unwrap();
    host.pass(Duration::from_secs(30));
    host.meet(ip("fd00::1"), ip("fd00::2"));
    let fd = host.bound(7000);
    for (advertised, taken) in [
        (1280, 1280),
        (1500, 1500),
        (1400, 1400),
        (1279, 1400),
        (1501, 1400),
        (1500, 1500),
    ] {
        let mut body = vec![64, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 5, 1, 0, 0, 0, 0];
        body.extend(u16::to_be_bytes(advertised));
        let mut packet = packet::icmp(ip("fe80::9"), ip("fd00::1"), 134, 0, &body);
        packet[7] = 255;
        host.hears_packet(&packet);
        host.stack
            .sendto(fd, &[7; 3000], at(ip("fd00::2"), 9))
            .unwrap();
        host.cable.sent.clear();
        let _ = host.poll();
        let longest = host.cable.sent.iter().map(|frame| frame.len() - 14).max();
        // What is cut ends at eight octets.
        let expected = 48 + (taken - 48) / 8 * 8;
        assert_eq!(longest, Some(expected), "{advertised}");
    }
}
