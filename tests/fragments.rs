//! Datagrams and segments that arrive in fragments reach their socket whole or not at all, whatever the order
//! (RFC 791 §3.2, RFC 8200 §4.5, RFC 5722, RFC 6946).
#![cfg(all(feature = "std", feature = "ipv4", feature = "ipv6"))]
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a test says what broke by panicking"
)]

mod frames;

use std::net::SocketAddr;

use frames::packet::{ACK, Packet, SYN, Segment, fragment, fragments, udp};
use frames::{Cable, FAMILIES, at, domain, ip, plug};
use glasstack::{
    Error, Fd, Stack,
    smoltcp::time::{Duration, Instant},
    stack::{Capacity, Domain, InterfaceId, Storage, Type},
};

/// Datagrams that the hosts of these tests put together at once.
const REASSEMBLIES: usize = 3;
const PORT: u16 = 9999;

struct Host<'a> {
    stack: Stack<'a>,
    link: InterfaceId,
    cable: Cable,
    now: Instant,
    domain: Domain,
    local: SocketAddr,
    remote: SocketAddr,
}

impl<'a> Host<'a> {
    fn new(mut stack: Stack<'a>, [address, neighbor, _]: [&str; 3]) -> Host<'a> {
        let (cable, link) = plug(&mut stack, ip(address));
        let local = at(ip(address), PORT);
        Host {
            stack,
            link,
            cable,
            now: Instant::ZERO,
            domain: domain(local.ip()),
            local,
            remote: at(ip(neighbor), 50000),
        }
    }

    fn families() -> impl Iterator<Item = Host<'static>> {
        let capacity = Capacity {
            reassemblies: REASSEMBLIES,
            ..Capacity::default()
        };
        FAMILIES.into_iter().map(move |family| {
            let stack = Stack::with_capacity(capacity.clone(), [7; 16], ());
            Host::new(stack, family)
        })
    }

    fn receive<'f>(&mut self, frames: impl IntoIterator<Item = &'f Vec<u8>>) {
        self.cable.incoming.extend(frames.into_iter().cloned());
        self.poll();
    }

    fn poll(&mut self) {
        let _ = self.stack.poll(self.link, self.now, &mut self.cable);
    }

    fn socket(&mut self, kind: Type) -> Fd {
        let fd = self.stack.socket(self.domain, kind).unwrap();
        self.stack.bind(fd, self.local).unwrap();
        fd
    }

    /// A datagram for the host whose octets tell which one it is.
    fn datagram(&self, number: u8, len: usize) -> Vec<u8> {
        udp(self.remote, self.local, &content(number, len))
    }

    /// What the socket has heard.
    fn heard(&mut self, fd: Fd) -> Vec<Vec<u8>> {
        let mut heard = Vec::new();
        let mut buffer = vec![0; 70_000];
        loop {
            match self.stack.recvfrom(fd, &mut buffer) {
                Ok(received) => {
                    assert_eq!((received.len, received.from), (received.size, self.remote));
                    heard.push(buffer[..received.len].to_vec());
                }
                Err(error) => {
                    assert_eq!(error, Error::WouldBlock);
                    return heard;
                }
            }
        }
    }
}

fn content(number: u8, len: usize) -> Vec<u8> {
    (0..len)
        .map(|i| (i as u8).wrapping_mul(31) ^ number)
        .collect()
}

/// Every order of `0..count`.
fn orders(count: usize) -> Vec<Vec<usize>> {
    let Some(last) = count.checked_sub(1) else {
        return vec![vec![]];
    };
    let mut all = Vec::new();
    for order in orders(last) {
        for place in 0..count {
            let mut longer = order.clone();
            longer.insert(place, last);
            all.push(longer);
        }
    }
    all
}

#[test]
fn a_datagram_arrives_whole_in_every_order() {
    for mut host in Host::families() {
        let fd = host.socket(Type::Datagram);
        for (id, order) in orders(5).into_iter().enumerate() {
            // 5 fragments of 24 octets, the last a shorter one.
            let datagram = host.datagram(id as u8, 5 * 24 - 8 - 13);
            let cut = fragments(&datagram, id as u16, 24);
            assert_eq!(cut.len(), 5);
            for (sent, &which) in order.iter().enumerate() {
                assert_eq!(
                    host.heard(fd),
                    Vec::<Vec<u8>>::new(),
                    "{order:?} after {sent}"
                );
                host.receive([&cut[which]]);
            }
            assert_eq!(host.heard(fd), [content(id as u8, 99)], "{order:?}");
        }
    }
}

#[test]
fn copies_of_a_fragment_do_no_harm() {
    for mut host in Host::families() {
        let fd = host.socket(Type::Datagram);
        for (id, order) in orders(3).into_iter().enumerate() {
            let cut = fragments(&host.datagram(1, 60), id as u16, 24);
            let (last, others) = order.split_last().unwrap();
            for &which in others.iter().chain(others) {
                host.receive([&cut[which], &cut[which]]);
            }
            assert_eq!(host.heard(fd), Vec::<Vec<u8>>::new());
            host.receive([&cut[*last]]);
            assert_eq!(host.heard(fd), [content(1, 60)], "{order:?}");
        }
    }
}

/// Fragments that overlap are an attack or a fault: nothing of the datagram arrives, in whatever order.
#[test]
fn an_overlap_ends_the_datagram() {
    for mut host in Host::families() {
        let fd = host.socket(Type::Datagram);
        let datagram = host.datagram(1, 80);
        let mut evil = host.datagram(1, 80);
        let end = evil.len();
        evil[end - 48..].fill(0xee);
        for (id, order) in orders(4).into_iter().enumerate() {
            let id = id as u16;
            let mut cut = fragments(&datagram, id, 32);
            // Reaches from the second into the third.
            cut.push(fragment(&evil, id, 40, 32, true));
            let whole_before_the_overlap = order[3] == 3;
            for &which in &order {
                host.receive([&cut[which]]);
            }
            let heard = host.heard(fd);
            if whole_before_the_overlap {
                assert_eq!(heard, [content(1, 80)]);
            } else {
                assert_eq!(heard, Vec::<Vec<u8>>::new(), "{order:?}");
            }
            host.now += Duration::from_secs(61);
        }
        host.receive([&host.datagram(2, 10)]);
        assert_eq!(host.heard(fd), [content(2, 10)]);
    }
}

#[test]
fn interleaved_datagrams_do_not_mix() {
    for mut host in Host::families() {
        let fd = host.socket(Type::Datagram);
        let cut: Vec<_> = (0..REASSEMBLIES as u8)
            .map(|number| fragments(&host.datagram(number, 200), 40_000 + u16::from(number), 64))
            .collect();
        for round in 0..cut[0].len() {
            // The first fragment of each comes last.
            for datagram in &cut {
                host.receive([datagram.iter().rev().nth(round).unwrap()]);
            }
        }
        let all: Vec<_> = (0..REASSEMBLIES as u8)
            .map(|number| content(number, 200))
            .collect();
        assert_eq!(host.heard(fd), all);
    }
}

/// The same identification from another host is another datagram.
#[test]
fn what_two_hosts_send_does_not_mix() {
    for (mut host, [_, _, third]) in Host::families().zip(FAMILIES) {
        let fd = host.socket(Type::Datagram);
        let ours = fragments(&host.datagram(1, 40), 5, 24);
        let theirs = fragments(
            &udp(at(ip(third), 50000), host.local, &content(2, 40)),
            5,
            24,
        );
        host.receive([&ours[0], &theirs[1]]);
        assert_eq!(host.heard(fd), Vec::<Vec<u8>>::new());
        host.receive([&ours[1]]);
        assert_eq!(host.heard(fd), [content(1, 40)]);
    }
}

/// Where more datagrams are under way than there is room for, the oldest gives way and the others arrive.
#[test]
fn the_oldest_gives_way_when_storage_is_exhausted() {
    for mut host in Host::families() {
        let fd = host.socket(Type::Datagram);
        let count = 2 * REASSEMBLIES as u8;
        let cut: Vec<_> = (0..count)
            .map(|number| fragments(&host.datagram(number, 40), u16::from(number), 24))
            .collect();
        for datagram in &cut {
            host.receive([&datagram[0]]);
            host.now += Duration::from_millis(1);
        }
        // The youngest first: the late fragments of the others take up room again.
        for datagram in cut.iter().rev() {
            host.receive([&datagram[1]]);
        }
        let young = (REASSEMBLIES as u8..count).rev();
        let expected: Vec<_> = young.map(|number| content(number, 40)).collect();
        assert_eq!(host.heard(fd), expected);
        // What never becomes whole is forgotten, and its room is there again.
        host.now += Duration::from_secs(61);
        host.poll();
        for number in 0..REASSEMBLIES as u8 {
            host.receive(&fragments(
                &host.datagram(number, 40),
                100 + u16::from(number),
                24,
            ));
        }
        assert_eq!(host.heard(fd).len(), REASSEMBLIES);
    }
}

#[test]
fn the_wait_for_a_missing_fragment_ends() {
    for mut host in Host::families() {
        let fd = host.socket(Type::Datagram);
        let cut = fragments(&host.datagram(1, 40), 5, 24);
        host.receive([&cut[0]]);
        let deadline = host.stack.poll(host.link, host.now, &mut host.cable);
        let deadline = deadline.expect("the stack wants to be called to forget it");
        assert!(deadline <= host.now + Duration::from_secs(60));
        host.now = deadline;
        assert_eq!(host.stack.poll(host.link, host.now, &mut host.cable), None);
        host.receive([&cut[1]]);
        assert_eq!(host.heard(fd), Vec::<Vec<u8>>::new());
    }
}

#[test]
fn the_largest_datagram_arrives() {
    for mut host in Host::families() {
        let fd = host.socket(Type::Datagram);
        let largest = if host.local.is_ipv4() { 65_507 } else { 65_527 };
        let cut = fragments(&host.datagram(1, largest), 5, 1480);
        host.receive(cut.iter().rev());
        assert_eq!(host.heard(fd), [content(1, largest)]);
    }
}

/// A connection all of whose segments come in fragments, the handshake's SYN first.
#[test]
fn a_connection_in_fragments() {
    for mut host in Host::families() {
        let listener = host.socket(Type::Stream);
        host.stack.listen(listener, 1).unwrap();
        let mut syn = Segment::new(SYN, 1000, 0);
        // MSS 1460, window scale 7, and two fillers: 28 octets of header.
        syn.options = vec![2, 4, 5, 180, 3, 3, 7, 1];
        let cut = fragments(&syn.packet(host.remote, host.local), 1, 24);
        assert_eq!(cut.len(), 2);
        host.receive([&cut[1]]);
        assert!(host.cable.sent.is_empty());
        host.receive([&cut[0]]);
        let answer = Packet::read(&host.cable.sent.pop_back().expect("SYN-ACK"));
        assert_eq!(answer.segment().flags, SYN | ACK);
        assert_eq!(answer.segment().ack, 1001);
        assert!(
            answer
                .segment()
                .options
                .windows(2)
                .any(|option| option == [3, 3])
        );
        let next = answer.segment().seq.wrapping_add(1);
        host.receive([&Segment::new(ACK, 1001, next).packet(host.remote, host.local)]);
        let (fd, _) = host.stack.accept(listener).unwrap();

        let mut seq = 1001u32;
        for (id, order) in orders(4).into_iter().enumerate() {
            let mut segment = Segment::new(ACK, seq, next);
            segment.data = content(id as u8, 120);
            let cut = fragments(&segment.packet(host.remote, host.local), 2 + id as u16, 40);
            assert_eq!(cut.len(), 4);
            for which in order {
                assert_eq!(host.stack.recv(fd, &mut [0; 256]), Err(Error::WouldBlock));
                host.receive([&cut[which]]);
            }
            let mut buffer = [0; 256];
            assert_eq!(host.stack.recv(fd, &mut buffer), Ok(120));
            assert_eq!(buffer[..120], content(id as u8, 120));
            seq += 120;
        }
    }
}

/// A first fragment too short for the TCP header hides the flags from filters on the way (RFC 1858 §3).
#[test]
fn a_tiny_first_fragment_is_refused() {
    for mut host in Host::families() {
        let listener = host.socket(Type::Stream);
        host.stack.listen(listener, 1).unwrap();
        let syn = Segment::new(SYN, 1000, 0).packet(host.remote, host.local);
        for size in [8, 16] {
            host.receive(&fragments(&syn, size, size.into()));
        }
        assert!(host.cable.sent.is_empty());
        assert_eq!(host.stack.usage().connections, 0);
    }
}

/// A datagram put together from fragments with one octet wrong is dropped as any other with a bad checksum is.
#[test]
fn the_checksum_is_of_the_whole() {
    for mut host in Host::families() {
        let fd = host.socket(Type::Datagram);
        for octet in 0..40 {
            let mut datagram = host.datagram(1, 40);
            let end = datagram.len();
            datagram[end - 40 + octet] ^= 0x10;
            host.receive(&fragments(&datagram, octet as u16, 24));
        }
        assert_eq!(host.heard(fd), Vec::<Vec<u8>>::new());
    }
}

/// Whole, yet with a Fragment header: each is a packet of its own, even among fragments of the same identification.
#[test]
fn ipv6_atomic_fragments_are_packets() {
    let mut host = Host::families().find(|host| host.local.is_ipv6()).unwrap();
    let fd = host.socket(Type::Datagram);
    let atomic = |packet: &[u8]| fragment(packet, 5, 0, Packet::read(packet).payload.len(), false);
    let cut = fragments(&host.datagram(1, 40), 5, 24);
    host.receive([
        &cut[0],
        &atomic(&host.datagram(2, 30)),
        &atomic(&host.datagram(3, 0)),
    ]);
    assert_eq!(host.heard(fd), [content(2, 30), vec![]]);
    host.receive([&cut[1]]);
    assert_eq!(host.heard(fd), [content(1, 40)]);

    let listener = host.socket(Type::Stream);
    host.stack.listen(listener, 1).unwrap();
    host.receive([&atomic(
        &Segment::new(SYN, 1000, 0).packet(host.remote, host.local),
    )]);
    let answer = Packet::read(&host.cable.sent.pop_back().expect("SYN-ACK"));
    assert_eq!(answer.segment().flags, SYN | ACK);
}

/// On borrowed storage: none takes no fragments and comes to no harm, some takes what fits.
#[test]
fn borrowed_storage_bounds_what_arrives() {
    for family in FAMILIES {
        let mut storage = Storage::<8, 2, 2, 2048>::new();
        let mut host = Host::new(Stack::new(&mut storage, [7; 16], ()), family);
        let fd = host.socket(Type::Datagram);
        host.receive(&fragments(&host.datagram(1, 40), 1, 24));
        host.receive([&host.datagram(2, 40)]);
        assert_eq!(host.heard(fd), [content(2, 40)]);
    }
    for family in FAMILIES {
        let mut storage = Storage::<8, 2, 2, 2048, 2, 4, 0, 1200>::new();
        let mut host = Host::new(Stack::new(&mut storage, [7; 16], ()), family);
        let fd = host.socket(Type::Datagram);
        host.receive(&fragments(&host.datagram(1, 1_500), 1, 504));
        host.receive(&fragments(&host.datagram(2, 1_000), 2, 504));
        assert_eq!(host.heard(fd), [content(2, 1_000)]);
    }
}
