//! What ICMP errors mean to a TCP connection (RFC 5461), and which of them are believed (RFC 5927): a soft error ends nothing,
//! a packet that was too big makes the next ones smaller, and a forgery changes nothing.
#![cfg(all(feature = "std", feature = "ipv4", feature = "ipv6"))]
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a test says what broke by panicking"
)]

mod frames;

use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use frames::packet::{self, ACK, Packet, SYN, Segment};
use frames::{Cable, FAMILIES, at, domain, ip, plug};
use glasstack::smoltcp::time::{Duration as Time, Instant};
use glasstack::stack::option::{
    Congestion, CongestionControl, MaximumSegmentSize, PathMtu, SoftError, TcpInfo, UserTimeout,
};
use glasstack::stack::{Capacity, InterfaceId, Type};
use glasstack::{Error, Fd, Stack};
use proptest::prelude::*;

/// A host whose peer and router are the test.
struct Host {
    stack: Stack<'static>,
    link: InterfaceId,
    cable: Cable,
    now: Instant,
    neighbor: IpAddr,
    router: IpAddr,
}

/// A connection of the host's.
struct Stream {
    fd: Fd,
    local: SocketAddr,
    peer: SocketAddr,
    /// The next sequence number of the host's.
    next: u32,
}

impl Host {
    fn new([address, neighbor, router]: [&str; 3]) -> Host {
        let mut stack = Stack::with_capacity(Capacity::default(), [7; 16], ());
        let (cable, link) = plug(&mut stack, ip(address));
        let now = Instant::from_secs(1_000);
        stack.set_now(now);
        Host {
            stack,
            link,
            cable,
            now,
            neighbor: ip(neighbor),
            router: ip(router),
        }
    }

    fn families() -> impl Iterator<Item = Host> {
        FAMILIES.into_iter().map(Host::new)
    }

    fn is_v4(&self) -> bool {
        self.router.is_ipv4()
    }

    /// Octets of an IP and a TCP header.
    fn headers(&self) -> usize {
        if self.is_v4() { 40 } else { 60 }
    }

    fn poll(&mut self) -> Option<Instant> {
        self.stack.poll(self.link, self.now, &mut self.cable)
    }

    /// Lets time pass, from deadline to deadline.
    fn run_for(&mut self, time: Time) {
        let end = self.now + time;
        while let Some(next) = self.poll().filter(|next| *next <= end) {
            self.now = self.now.max(next);
        }
        self.now = end;
        self.poll();
    }

    fn receive(&mut self, packet: Vec<u8>) {
        self.cable.incoming.push_back(packet);
        self.poll();
    }

    /// What the host has sent since it was asked last.
    fn sent(&mut self) -> Vec<Vec<u8>> {
        self.cable.sent.drain(..).collect()
    }

    /// An established connection to a port of the neighbor's, without congestion control.
    fn stream(&mut self, port: u16) -> Stream {
        let fd = self
            .stack
            .socket(domain(self.neighbor), Type::Stream)
            .unwrap();
        let control = CongestionControl::None;
        self.stack.setsockopt(fd, Congestion, control).unwrap();
        let peer = at(self.neighbor, port);
        assert_eq!(self.stack.connect(fd, peer), Err(Error::WouldBlock));
        self.poll();
        let syn = Packet::read(&self.sent()[0]);
        assert_eq!(syn.segment().flags, SYN);
        let next = syn.segment().seq.wrapping_add(1);
        let mut answer = Segment::new(SYN | ACK, 5_000, next);
        let [high, low] = 1_460u16.to_be_bytes();
        answer.options = vec![2, 4, high, low];
        self.receive(answer.packet(peer, syn.from()));
        assert_eq!(self.stack.connect(fd, peer), Ok(()));
        self.run_for(Time::from_millis(20));
        self.sent();
        Stream {
            fd,
            local: syn.from(),
            peer,
            next,
        }
    }

    /// One that gives a silent peer twenty seconds.
    fn impatient_stream(&mut self) -> Stream {
        let stream = self.stream(80);
        let patience = Some(Duration::from_secs(20));
        let set = self.stack.setsockopt(stream.fd, UserTimeout, patience);
        set.unwrap();
        stream
    }

    /// Sends octets and says which packets they left in.
    fn send(&mut self, stream: &mut Stream, len: usize) -> Vec<Vec<u8>> {
        assert_eq!(self.stack.send(stream.fd, &vec![7; len]), Ok(len));
        self.poll();
        stream.next = stream.next.wrapping_add(len as u32);
        self.sent()
    }

    /// The peer acknowledges all that the host has written.
    fn acknowledge(&mut self, stream: &Stream) {
        let all = Segment::new(ACK, 5_001, stream.next);
        self.receive(all.packet(stream.peer, stream.local));
    }

    /// An error of the router's, with its own word.
    fn error(&self, kind: u8, code: u8, word: u32, quoted: &[u8]) -> Vec<u8> {
        let to = Packet::read(quoted).source;
        let body = [&word.to_be_bytes(), quoted].concat();
        packet::icmp(self.router, to, kind, code, &body)
    }

    /// "Host unreachable", or what is nearest to it.
    fn unreachable(&self, quoted: &[u8]) -> Vec<u8> {
        match self.is_v4() {
            true => self.error(3, 1, 0, quoted),
            false => self.error(1, 3, 0, quoted),
        }
    }

    /// "Fragmentation needed", "packet too big".
    fn too_big(&self, mtu: u32, quoted: &[u8]) -> Vec<u8> {
        match self.is_v4() {
            true => self.error(3, 4, mtu, quoted),
            false => self.error(2, 0, mtu, quoted),
        }
    }

    fn soft_error(&mut self, stream: &Stream) -> Option<Error> {
        self.stack.getsockopt(stream.fd, SoftError).unwrap()
    }

    fn path_mtu(&mut self, stream: &Stream) -> u16 {
        self.stack.getsockopt(stream.fd, PathMtu).unwrap()
    }
}

fn lens(packets: &[Vec<u8>]) -> Vec<usize> {
    packets.iter().map(Vec::len).collect()
}

#[test]
fn a_soft_error_is_kept_and_told_when_the_peer_stays_silent() {
    for mut host in Host::families() {
        let mut stream = host.impatient_stream();
        let sent = host.send(&mut stream, 100);
        host.receive(host.unreachable(&sent[0]));
        // It is no error yet.
        assert_eq!(host.stack.take_error(stream.fd), Ok(None));
        assert_eq!(host.soft_error(&stream), Some(Error::HostUnreachable));
        assert_eq!(host.stack.send(stream.fd, b"more"), Ok(4));
        host.run_for(Time::from_secs(30));
        assert_eq!(
            host.stack.take_error(stream.fd),
            Ok(Some(Error::HostUnreachable))
        );
    }
}

#[test]
fn it_is_forgotten_when_the_peer_is_heard() {
    for mut host in Host::families() {
        let mut stream = host.impatient_stream();
        let sent = host.send(&mut stream, 100);
        host.receive(host.unreachable(&sent[0]));
        host.acknowledge(&stream);
        assert_eq!(host.soft_error(&stream), None);
        host.send(&mut stream, 100);
        host.run_for(Time::from_secs(30));
        assert_eq!(host.stack.take_error(stream.fd), Ok(Some(Error::TimedOut)));
    }
}

#[test]
fn a_narrow_path_gets_shorter_packets_and_what_was_lost_at_once() {
    for mut host in Host::families() {
        let mut stream = host.stream(80);
        let full = 1_500 - host.headers();
        let sent = host.send(&mut stream, 4 * full);
        assert_eq!(lens(&sent), [1_500; 4]);
        let before = host.now;
        host.receive(host.too_big(1_300, &sent[0]));
        let again = host.sent();
        let fits = 1_300 - host.headers();
        let octets: usize = again
            .iter()
            .map(|packet| packet.len() - host.headers())
            .sum();
        assert!(again.iter().all(|packet| packet.len() <= 1_300));
        // No timeout was waited for; what does not fill a segment waits for Nagle's algorithm.
        assert_eq!(host.now, before);
        assert_eq!(octets, 4 * full / fits * fits);
        assert_eq!(
            Packet::read(&again[0]).segment().seq,
            Packet::read(&sent[0]).segment().seq
        );
        assert_eq!(host.path_mtu(&stream), 1_300);
        let size = host.stack.getsockopt(stream.fd, MaximumSegmentSize);
        assert_eq!(size, Ok(fits as u16));
        let info = host.stack.getsockopt(stream.fd, TcpInfo).unwrap();
        assert_eq!(
            (info.path_mtu, usize::from(info.segment_size)),
            (1_300, fits)
        );
        assert_eq!(info.retransmissions, 4);
        // The rest, and what is written now, in short packets too.
        host.acknowledge(&stream);
        host.sent();
        assert_eq!(lens(&host.send(&mut stream, 2 * fits)), [1_300; 2]);
    }
}

/// A held-back acknowledgment has a timer, too, and an earlier one.
#[test]
fn what_was_lost_is_sent_again_at_once_while_an_acknowledgment_is_held_back() {
    for mut host in Host::families() {
        let mut stream = host.stream(80);
        let full = 1_500 - host.headers();
        let sent = host.send(&mut stream, 2 * full);
        let first = Packet::read(&sent[0]).segment().seq;
        let mut data = Segment::new(ACK, 5_001, first);
        data.data = b"hello".to_vec();
        host.receive(data.packet(stream.peer, stream.local));
        assert_eq!(host.sent(), Vec::<Vec<u8>>::new());
        host.receive(host.too_big(1_300, &sent[0]));
        let again = host.sent();
        assert_eq!(lens(&again)[..2], [1_300; 2]);
        assert_eq!(Packet::read(&again[0]).segment().seq, first);
    }
}

#[test]
fn the_other_messages_about_the_same_flight_change_nothing_more() {
    for mut host in Host::families() {
        let mut stream = host.stream(80);
        let full = 1_500 - host.headers();
        let sent = host.send(&mut stream, 4 * full);
        host.receive(host.too_big(1_300, &sent[0]));
        host.sent();
        for quoted in &sent {
            host.receive(host.too_big(1_300, quoted));
            host.receive(host.too_big(1_400, quoted));
        }
        assert_eq!(lens(&host.sent()), []);
        assert_eq!(host.path_mtu(&stream), 1_300);
        // Another router on the way takes less.
        host.receive(host.too_big(1_280, &sent[0]));
        assert_eq!(host.path_mtu(&stream), 1_280);
        assert!(host.sent().iter().all(|packet| packet.len() <= 1_280));
    }
}

#[test]
fn it_is_known_to_other_connections_and_datagrams_for_ten_minutes() {
    for mut host in Host::families() {
        let mut first = host.stream(80);
        let mut second = host.stream(81);
        let full = 1_500 - host.headers();
        let sent = host.send(&mut first, full);
        host.receive(host.too_big(1_300, &sent[0]));
        host.acknowledge(&first);
        host.sent();
        assert_eq!(lens(&host.send(&mut second, 1_300)).first(), Some(&1_300));
        let mut third = host.stream(82);
        assert_eq!(host.path_mtu(&third), 1_300);
        host.acknowledge(&second);
        let udp = host
            .stack
            .socket(domain(host.neighbor), Type::Datagram)
            .unwrap();
        host.stack.connect(udp, first.peer).unwrap();
        assert_eq!(host.stack.getsockopt(udp, PathMtu), Ok(1_300));
        host.sent();
        host.stack.send(udp, &[7; 1_400]).unwrap();
        host.poll();
        let fragments = lens(&host.sent());
        assert!(
            fragments.len() == 2 && fragments[0] <= 1_300,
            "{fragments:?}"
        );

        host.now += Time::from_secs(601);
        host.stack.set_now(host.now);
        assert_eq!(lens(&host.send(&mut third, full)), [1_500]);
        assert_eq!(host.path_mtu(&third), 1_500);
        assert_eq!(host.stack.getsockopt(udp, PathMtu), Ok(1_500));
    }
}

#[test]
fn a_datagrams_router_is_believed_as_well() {
    for mut host in Host::families() {
        let udp = host
            .stack
            .socket(domain(host.neighbor), Type::Datagram)
            .unwrap();
        let to = at(host.neighbor, 9);
        host.stack.sendto(udp, &[7; 1_400], to).unwrap();
        host.poll();
        let sent = host.sent();
        // Another port's, then its own.
        let mut wrong = sent[0].clone();
        wrong[if host.is_v4() { 21 } else { 41 }] ^= 1;
        host.receive(host.too_big(1_300, &wrong));
        host.stack.connect(udp, to).unwrap();
        assert_eq!(host.stack.getsockopt(udp, PathMtu), Ok(1_500));
        host.receive(host.too_big(1_300, &sent[0]));
        assert_eq!(host.stack.getsockopt(udp, PathMtu), Ok(1_300));
        assert_eq!(host.stack.take_error(udp), Ok(None));
    }
}

/// Nobody's port stands in an echo reply: what counts is that there has just been a long one.
#[test]
fn an_echo_replys_router_is_believed_about_whom_was_answered() {
    for mut host in Host::families() {
        let stream = host.stream(80);
        let (request, reply) = if host.is_v4() { (8, 0) } else { (128, 129) };
        let len = 1_400 - host.headers();
        let message = |from, to, kind| packet::icmp(from, to, kind, 0, &vec![7; len]);
        let (own, neighbor) = (stream.local.ip(), host.neighbor);
        let forged = message(own, neighbor, reply);
        host.receive(host.too_big(1_300, &forged));
        assert_eq!(host.path_mtu(&stream), 1_500);
        host.receive(message(neighbor, own, request));
        let answers = host.sent();
        assert_eq!(answers.len(), 1);
        let elsewhere = message(own, host.router, reply);
        host.receive(host.too_big(1_300, &elsewhere));
        assert_eq!(host.path_mtu(&stream), 1_500);
        host.receive(host.too_big(1_300, &answers[0]));
        assert_eq!(host.path_mtu(&stream), 1_300);
    }
}

/// RFC 1191 §7: a router of before its time leaves it to the host to guess.
#[test]
fn a_router_that_does_not_say_is_answered_by_plateaus() {
    let mut host = Host::new(FAMILIES[0]);
    let mut stream = host.stream(80);
    let mut last = host.send(&mut stream, 10 * 1_460);
    for mtu in [1_492, 1_006, 552, 552] {
        host.receive(host.too_big(0, &last[0]));
        assert_eq!(host.path_mtu(&stream), mtu);
        last = [host.sent(), last].concat();
    }
}

#[test]
fn what_is_smaller_than_any_link_is_not_obeyed() {
    for mut host in Host::families() {
        let mut stream = host.stream(80);
        let full = 1_500 - host.headers();
        let sent = host.send(&mut stream, full);
        host.receive(host.too_big(68, &sent[0]));
        // RFC 8201 §4: discarded; Linux's least for IPv4.
        let least = if host.is_v4() { 552 } else { 1_500 };
        assert_eq!(host.path_mtu(&stream), least);
    }
}

#[test]
fn an_error_about_a_handshake_is_for_its_own_syn() {
    for mut host in Host::families() {
        let fd = host
            .stack
            .socket(domain(host.neighbor), Type::Stream)
            .unwrap();
        let peer = at(host.neighbor, 80);
        assert_eq!(host.stack.connect(fd, peer), Err(Error::WouldBlock));
        host.poll();
        let syn = host.sent().remove(0);
        let mut other = syn.clone();
        other[host.headers() - 20 + 7] ^= 1;
        host.receive(host.unreachable(&other));
        assert_eq!(host.stack.connect(fd, peer), Err(Error::WouldBlock));
        host.receive(host.unreachable(&syn));
        assert_eq!(host.stack.connect(fd, peer), Err(Error::HostUnreachable));
    }
}

/// RFC 6633, RFC 1122 §3.2.2.2, RFC 4861 §8.
#[test]
fn quenches_and_redirects_are_not_obeyed() {
    for mut host in Host::families() {
        let mut stream = host.stream(80);
        let sent = host.send(&mut stream, 1_000);
        let kinds: &[u8] = if host.is_v4() { &[4, 5, 12] } else { &[4, 137] };
        for kind in kinds {
            for code in 0..2 {
                host.receive(host.error(*kind, code, 0, &sent[0]));
            }
        }
        assert_eq!(host.soft_error(&stream), None);
        assert_eq!(host.path_mtu(&stream), 1_500);
        assert_eq!(host.sent(), Vec::<Vec<u8>>::new());
    }
}

/// How a forged error differs from one that a router would send.
#[derive(Debug, Clone)]
enum Forgery {
    /// The sequence number is not one that is under way.
    Sequence(u32),
    /// A port, or an address, by one bit.
    Bit(usize),
    /// The quote ends before the sequence number does.
    Truncated(usize),
    /// The checksum of the message.
    Checksum(u16),
    /// From an old segment, acknowledged by now.
    Old,
}

fn forgery() -> impl Strategy<Value = Forgery> {
    prop_oneof![
        any::<u32>().prop_map(Forgery::Sequence),
        (0..12 * 8usize).prop_map(Forgery::Bit),
        any::<usize>().prop_map(Forgery::Truncated),
        (1..u16::MAX).prop_map(Forgery::Checksum),
        Just(Forgery::Old),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(512))]
    #[test]
    fn forged_errors_change_nothing(
        family in 0..2usize,
        forgery in forgery(),
        kind in prop_oneof![Just(1u8), Just(2), Just(3), Just(4), Just(5), Just(11), any::<u8>()],
        code in 0..16u8,
        mtu in any::<u32>(),
    ) {
        let mut host = Host::new(FAMILIES[family]);
        let mut stream = host.stream(80);
        let full = 1_500 - host.headers();
        let old = host.send(&mut stream, full);
        host.acknowledge(&stream);
        let first = stream.next;
        let sent = host.send(&mut stream, 3 * full);
        let ip_header = host.headers() - 20;
        let mut quoted = sent[0].clone();
        match &forgery {
            Forgery::Sequence(number) => {
                prop_assume!(number.wrapping_sub(first) >= 3 * full as u32);
                quoted[ip_header + 4..ip_header + 8].copy_from_slice(&number.to_be_bytes());
            }
            // The addresses and the ports stand side by side.
            Forgery::Bit(bit) => {
                let len = if host.is_v4() { 12 } else { 36 };
                let place = ip_header + 4 - len + bit / 8;
                quoted[place] ^= 1 << (bit % 8);
            }
            Forgery::Truncated(len) => quoted.truncate(len % (ip_header + 8)),
            Forgery::Checksum(_) => {}
            Forgery::Old => quoted = old[0].clone(),
        }
        let to = stream.local.ip();
        let body = [&mtu.to_be_bytes(), &quoted[..]].concat();
        let mut message = packet::icmp(host.router, to, kind, code, &body);
        if let Forgery::Checksum(change) = forgery {
            let place = ip_header + 2;
            let sum = u16::from_be_bytes([message[place], message[place + 1]]);
            // The two zeros of one's complement are one.
            prop_assume!(![0, u16::MAX].contains(&sum) && ![0, u16::MAX].contains(&(sum ^ change)));
            message[place..place + 2].copy_from_slice(&(sum ^ change).to_be_bytes());
        }
        // What no error is: an echo is answered, a neighbor heard.
        let is_error = if host.is_v4() { ![0, 8].contains(&kind) } else { kind < 128 };
        prop_assume!(is_error);
        host.receive(message);
        prop_assert_eq!(host.soft_error(&stream), None);
        prop_assert_eq!(host.stack.take_error(stream.fd), Ok(None));
        prop_assert_eq!(host.path_mtu(&stream), 1_500);
        prop_assert_eq!(lens(&host.sent()), Vec::<usize>::new());
        host.acknowledge(&stream);
        prop_assert_eq!(lens(&host.send(&mut stream, full)), vec![1_500]);
    }

    /// What a router on the way may say is believed as far as it can be true.
    #[test]
    fn a_believable_size_lowers_the_path_within_its_bounds(family in 0..2usize, mtu in any::<u32>()) {
        let mut host = Host::new(FAMILIES[family]);
        let mut stream = host.stream(80);
        let sent = host.send(&mut stream, 1_500 - host.headers());
        let mtu = mtu % 3_000;
        host.receive(host.too_big(mtu, &sent[0]));
        let found = u32::from(host.path_mtu(&stream));
        let expected = match (host.is_v4(), mtu) {
            (true, 0) => 1_492,
            (_, 1_500..) => 1_500,
            (true, mtu) => mtu.max(552),
            (false, 0..1_280) => 1_500,
            (false, mtu) => mtu,
        };
        prop_assert_eq!(found, expected);
    }
}
