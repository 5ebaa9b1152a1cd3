//! Nobody outside can guess a sequence number, a port or a query's id: what is on the wire, seen as an attacker sees it.
//!
//! The key is fixed, so each test gives the same verdict on every run. Statistics are held to six standard
//! deviations: chance is outside of them once in 500 million.
#![cfg(all(feature = "std", feature = "ipv4", feature = "ipv6"))]
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a test says what broke by panicking"
)]

#[path = "../frames/mod.rs"]
mod frames;
mod generator;

use std::collections::BTreeMap;
use std::net::SocketAddr;

use frames::packet::{ACK, Packet, RST, SYN, Segment};
use frames::{Cable, FAMILIES, at, ip};
use glasstack::{
    Error, Fd, Stack,
    smoltcp::{
        iface::{Config, Interface, SocketSet},
        socket::tcp,
        time::{Duration, Instant},
        wire::{HardwareAddress, IpAddress, IpCidr},
    },
    stack::{Capacity, Domain, InterfaceId, Type},
};

const KEY: [u8; 16] = *b"a key of 16 byte";
const COUNT: usize = 10_000;
/// RFC 6335 §6.
const DYNAMIC_PORTS: usize = 16_384;

struct Host {
    stack: Stack<'static>,
    link: InterfaceId,
    cable: Cable,
    now: Instant,
    local: SocketAddr,
    neighbor: SocketAddr,
}

impl Host {
    fn new(key: [u8; 16], [address, neighbor, _]: [&str; 3]) -> Host {
        let capacity = Capacity {
            connections: 8,
            datagrams: 8,
            receive_buffer: 1 << 16,
            ..Capacity::default()
        };
        let mut stack = Stack::with_capacity(capacity, key, ());
        let mut cable = Cable::ip();
        let link = stack.add_interface(&mut cable, None).unwrap();
        // Every neighbor's address is on the link.
        stack.add_address(link, ip(address), 8).unwrap();
        Host {
            stack,
            link,
            cable,
            now: Instant::ZERO,
            local: at(ip(address), 9999),
            neighbor: at(ip(neighbor), 80),
        }
    }

    fn poll(&mut self) {
        let _ = self.stack.poll(self.link, self.now, &mut self.cable);
    }

    fn socket(&mut self, kind: Type) -> Fd {
        let domain = if self.local.is_ipv4() {
            Domain::Inet
        } else {
            Domain::Inet6
        };
        self.stack.socket(domain, kind).unwrap()
    }

    fn sent(&mut self) -> Packet {
        self.poll();
        let packet = Packet::read(&self.cable.sent.pop_front().expect("a packet"));
        assert!(self.cable.sent.is_empty());
        packet
    }

    /// The SYN of a new connection, which is given up then.
    fn syn_to(&mut self, peer: SocketAddr) -> Packet {
        let fd = self.socket(Type::Stream);
        assert_eq!(self.stack.connect(fd, peer), Err(Error::WouldBlock));
        let syn = self.sent();
        assert_eq!(syn.segment().flags, SYN);
        self.stack.close(fd).unwrap();
        syn
    }

    /// The numbers of connections that this host begins, one after another, to one port of one host.
    fn active(&mut self, count: usize) -> Vec<u32> {
        let peer = self.neighbor;
        (0..count)
            .map(|_| self.syn_to(peer).segment().seq)
            .collect()
    }

    /// The numbers of connections that others begin, each from another address or port.
    fn passive(&mut self, count: usize) -> Vec<u32> {
        let listener = self.socket(Type::Stream);
        self.stack.bind(listener, self.local).unwrap();
        self.stack.listen(listener, 8).unwrap();
        let numbers = (0..count).map(|i| {
            let peer = self.peer(i);
            let (local, syn) = (self.local, Segment::new(SYN, 1000, 0));
            self.cable.incoming.push_back(syn.packet(peer, local));
            let answer = self.sent();
            assert_eq!(answer.segment().flags, SYN | ACK);
            let reset = Segment::new(RST, 1001, 0);
            self.cable.incoming.push_back(reset.packet(peer, local));
            self.now += Duration::from_micros(40);
            answer.segment().seq
        });
        numbers.collect()
    }

    /// One of many peers.
    fn peer(&self, i: usize) -> SocketAddr {
        let [high, low] = (i as u16).to_be_bytes();
        let address = match self.local {
            SocketAddr::V4(_) => [10, 1, high, low].into(),
            SocketAddr::V6(_) => [0xfd00, 0, 0, 0, 0, 0, 1, i as u16].into(),
        };
        at(address, 1024 + (i % 7) as u16)
    }
}

/// How many pairs of equal values there are.
fn equal_pairs<T: Ord + Copy>(values: &[T]) -> u64 {
    let mut counts = BTreeMap::new();
    for value in values {
        *counts.entry(*value).or_insert(0u64) += 1;
    }
    counts.values().map(|n| n * (n - 1) / 2).sum()
}

/// The birthday bound: n values of N have n(n−1)/2N equal pairs on average, with a variance of about as many.
fn assert_repeats_as_chance<T: Ord + Copy>(values: &[T], range: usize) {
    let n = values.len() as f64;
    let expected = n * (n - 1.0) / 2.0 / range as f64;
    let pairs = equal_pairs(values) as f64;
    let bound = 6.0 * expected.sqrt();
    assert!(
        (pairs - expected).abs() < bound,
        "{pairs} equal pairs, {expected} ± {bound} expected"
    );
}

/// Pearson's chi-square over 256 buckets: 255 on average, with a variance of 510. Neither uneven, nor too even for chance.
fn assert_spread(buckets: impl Iterator<Item = u8>) {
    let mut counts = [0u32; 256];
    buckets.for_each(|bucket| counts[usize::from(bucket)] += 1);
    let expected = f64::from(counts.iter().sum::<u32>()) / 256.0;
    let deviation = |count: u32| (f64::from(count) - expected).powi(2) / expected;
    let chi_square: f64 = counts.into_iter().map(deviation).sum();
    assert!(
        (255.0 - chi_square).abs() < 6.0 * 510f64.sqrt(),
        "chi-square is {chi_square}"
    );
}

/// 10,000 of 2³² values have 0.012 equal pairs on average: one happens once in 86 keys, two once in 15,000.
fn assert_unpredictable(numbers: &[u32]) {
    assert_eq!(numbers.len(), COUNT);
    assert!(equal_pairs(numbers) <= 1);
    for shift in [24, 16, 8, 0] {
        assert_spread(numbers.iter().map(|number| (number >> shift) as u8));
    }
    // And so are the steps between them: no counter is underneath.
    let steps: Vec<u32> = numbers
        .windows(2)
        .map(|pair| pair[1].wrapping_sub(pair[0]))
        .collect();
    assert!(equal_pairs(&steps) <= 1);
    assert_spread(steps.iter().map(|step| (step >> 24) as u8));
    assert_not_from_the_generator(numbers);
}

/// Three consecutive numbers are explained if smoltcp's generator gives the third after the first two: of its 2⁶⁴ states all
/// that give these are found, about one, and its next output compared. By chance it fits once in 2³² times. (A single
/// number says nothing: 2³² states give it, and their next outputs are all numbers there are.)
///
/// Gives how many triples were tried, and how many explained; of 9,998 as many as an unoptimised build does in seconds.
fn explained_by_the_generator(numbers: &[u32]) -> (usize, usize) {
    let triples = numbers.windows(3).step_by((numbers.len() / TRIPLES).max(1));
    let explained = triples
        .clone()
        .filter(|triple| generator::explain(triple).is_some());
    (triples.clone().count(), explained.count())
}

/// What [`plain_smoltcp_gives_its_numbers_away`] shows to succeed fails here.
fn assert_not_from_the_generator(numbers: &[u32]) {
    let (tried, explained) = explained_by_the_generator(numbers);
    assert!(tried >= TRIPLES - 1);
    assert_eq!(explained, 0);
}

const TRIPLES: usize = 500;

#[test]
fn sequence_numbers_of_connections_from_here() {
    for family in FAMILIES {
        // Time stands still, so that the numbers are the bare keyed hash.
        assert_unpredictable(&Host::new(KEY, family).active(COUNT));
    }
}

#[test]
fn sequence_numbers_of_connections_from_others() {
    for family in FAMILIES {
        assert_unpredictable(&Host::new(KEY, family).passive(COUNT));
    }
}

/// What the tests above would find if the numbers were smoltcp's own.
#[test]
fn plain_smoltcp_gives_its_numbers_away() {
    for seed in [1, 0xdead_beef, 0x0123_4567_89ab_cdef, u64::MAX] {
        let mut cable = Cable::ip();
        let mut config = Config::new(HardwareAddress::Ip);
        config.random_seed = seed;
        let mut interface = Interface::new(config, &mut cable, Instant::ZERO);
        let own = IpCidr::new(IpAddress::v4(10, 0, 0, 1), 24);
        interface.update_ip_addrs(|addresses| addresses.push(own).unwrap());
        let mut numbers = Vec::new();
        for port in 50_000..50_100 {
            let buffer = || tcp::SocketBuffer::new(vec![0; 64]);
            let mut socket = tcp::Socket::new(buffer(), buffer());
            let server = (IpAddress::v4(10, 0, 0, 2), 80);
            socket.connect(interface.context(), server, port).unwrap();
            let mut sockets = SocketSet::new(Vec::new());
            sockets.add(socket);
            interface.poll(Instant::ZERO, &mut cable, &mut sockets);
            let syn = Packet::read(&cable.sent.pop_back().unwrap());
            numbers.push(syn.segment().seq);
        }
        // From any three in a row, all that follow.
        for start in [0, 1, 2, 50] {
            let seen = &numbers[start..start + 3];
            let mut state = generator::explain(seen).expect("the state behind three numbers");
            for &number in &numbers[start + 3..] {
                state = generator::step(state);
                assert_eq!(generator::output(state), number);
            }
        }
        // As the tests of our numbers see it.
        assert_eq!(explained_by_the_generator(&numbers), (98, 98));
    }
}

#[test]
fn the_key_decides() {
    for family in FAMILIES {
        let numbers = |key| {
            let mut host = Host::new(key, family);
            (host.active(100), host.passive(100))
        };
        let mut other = KEY;
        other[15] ^= 1;
        let (active, passive) = numbers(KEY);
        assert_eq!((active.clone(), passive.clone()), numbers(KEY));
        let (other_active, other_passive) = numbers(other);
        assert!(active.iter().zip(&other_active).all(|(a, b)| a != b));
        assert!(passive.iter().zip(&other_passive).all(|(a, b)| a != b));
    }
}

/// RFC 6528 §3: the same 4-tuple's numbers follow the clock, one every four microseconds.
#[test]
fn the_clock_runs_for_each_tuple() {
    for family in FAMILIES {
        let mut host = Host::new(KEY, family);
        let listener = host.socket(Type::Stream);
        host.stack.bind(listener, host.local).unwrap();
        host.stack.listen(listener, 1).unwrap();
        let mut last: Option<u32> = None;
        for _ in 0..5 {
            let (peer, local) = (host.neighbor, host.local);
            host.cable
                .incoming
                .push_back(Segment::new(SYN, 1000, 0).packet(peer, local));
            let number = host.sent().segment().seq;
            if let Some(last) = last {
                // And two for the SYN: the next one starts above it even if no time has passed.
                let step = number.wrapping_sub(last);
                assert!((250_000..=250_002).contains(&step), "{step}");
            }
            last = Some(number);
            host.cable
                .incoming
                .push_back(Segment::new(RST, 1001, 0).packet(peer, local));
            host.poll();
            host.now += Duration::from_secs(1);
        }
    }
}

/// RFC 6056 §3.3.4: towards one destination the ports count through the range, and none returns before its end; where they
/// start says nothing about those towards another.
#[test]
fn ports_of_connections() {
    for family in FAMILIES {
        let mut host = Host::new(KEY, family);
        let peer = host.neighbor;
        let ports: Vec<u16> = (0..COUNT)
            .map(|_| host.syn_to(peer).from().port())
            .collect();
        assert_eq!(equal_pairs(&ports), 0);
        assert!(ports.iter().all(|port| *port >= 49_152));

        let ports: Vec<u16> = (0..COUNT)
            .map(|i| {
                let peer = host.peer(i);
                host.syn_to(peer).from().port()
            })
            .collect();
        assert_repeats_as_chance(&ports, DYNAMIC_PORTS);
        assert_spread(ports.iter().map(|port| (port >> 6) as u8));
        assert_spread(ports.iter().map(|port| *port as u8));
    }
}

#[test]
fn ports_of_datagram_sockets() {
    for family in FAMILIES {
        let mut host = Host::new(KEY, family);
        let peer = host.neighbor;
        let mut ports = Vec::new();
        for _ in 0..COUNT {
            let fd = host.socket(Type::Datagram);
            host.stack.sendto(fd, b"", peer).unwrap();
            ports.push(host.sent().from().port());
            host.stack.close(fd).unwrap();
        }
        assert!(ports.iter().all(|port| *port >= 49_152));
        assert_repeats_as_chance(&ports, DYNAMIC_PORTS);
        assert_spread(ports.iter().map(|port| (port >> 6) as u8));
        assert_spread(ports.iter().map(|port| *port as u8));
    }
}

/// A forged answer must guess both (RFC 5452 §9.2).
#[test]
fn ids_and_ports_of_name_queries() {
    for family in FAMILIES {
        let mut host = Host::new(KEY, family);
        host.stack.add_name_server(host.neighbor.ip()).unwrap();
        let (mut ids, mut ports) = (Vec::new(), Vec::new());
        while ids.len() < COUNT {
            let lookup = host.stack.resolve("www.example.com").unwrap();
            host.poll();
            for frame in host.cable.sent.drain(..) {
                let query = Packet::read(&frame);
                assert_eq!(query.to().port(), 53);
                ports.push(query.from().port());
                ids.push(u16::from_be_bytes([
                    query.datagram()[0],
                    query.datagram()[1],
                ]));
            }
            host.stack.cancel(lookup);
        }
        assert_eq!(ids.len(), COUNT);
        assert_repeats_as_chance(&ids, 1 << 16);
        assert_spread(ids.iter().map(|id| (id >> 8) as u8));
        assert_spread(ids.iter().map(|id| *id as u8));
        // Of those above 1024.
        assert_repeats_as_chance(&ports, (1 << 16) - 1025);
        assert_spread(ports.iter().map(|port| *port as u8));
        // Nor does the one tell the other.
        let mixed = ids.iter().zip(&ports).map(|(id, port)| (id ^ port) as u8);
        assert_spread(mixed);
    }
}

/// One end's sequence numbers of a connection.
#[derive(Debug, Clone, Copy, Default)]
struct Span {
    first: u32,
    end: u32,
}

/// Two hosts, and what a connection between them used up.
struct Pair {
    hosts: [Host; 2],
    spans: [Span; 2],
}

const CLIENT: usize = 0;
const SERVER: usize = 1;

impl Pair {
    fn new([client, server, _]: [&'static str; 3]) -> Pair {
        let mut other = KEY;
        other[0] ^= 1;
        Pair {
            hosts: [
                Host::new(KEY, [client, server, ""]),
                Host::new(other, [server, client, ""]),
            ],
            spans: [Span::default(); 2],
        }
    }

    /// Carries frames until both are quiet; says whether there were any.
    fn carry(&mut self) -> bool {
        let mut any = false;
        loop {
            let mut moved = false;
            for from in [CLIENT, SERVER] {
                self.hosts[from].poll();
                while let Some(frame) = self.hosts[from].cable.sent.pop_front() {
                    self.note(from, &Packet::read(&frame).segment());
                    self.hosts[1 - from].cable.incoming.push_back(frame);
                    moved = true;
                }
            }
            any |= moved;
            if !moved {
                return any;
            }
        }
    }

    fn note(&mut self, from: usize, segment: &Segment) {
        let control = segment.flags & 3; // SYN and FIN
        let len = segment.data.len() as u32 + control.count_ones();
        let end = segment.seq.wrapping_add(len);
        let span = &mut self.spans[from];
        if segment.flags & SYN != 0 {
            *span = Span {
                first: segment.seq,
                end,
            };
        } else if is_above(end, span.end) {
            span.end = end;
        }
    }

    fn wait(&mut self, duration: Duration) {
        let now = self.hosts[0].now + duration;
        self.hosts.iter_mut().for_each(|host| host.now = now);
    }

    /// A connection from port 50000, `len` octets each way, closed by `closer` first; gives what it used up.
    fn connection(&mut self, listener: Fd, len: usize, closer: usize) -> [Span; 2] {
        let [client, server] = &mut self.hosts;
        let (peer, own) = (server.local, at(client.local.ip(), 50_000));
        let fd = client.socket(Type::Stream);
        client.stack.bind(fd, own).unwrap();
        assert_eq!(client.stack.connect(fd, peer), Err(Error::WouldBlock));
        self.carry();
        assert_eq!(self.hosts[CLIENT].stack.connect(fd, peer), Ok(()));
        let (accepted, _) = self.hosts[SERVER].stack.accept(listener).unwrap();
        let fds = [fd, accepted];
        let (mut sent, mut received) = ([0; 2], [0; 2]);
        let mut buffer = vec![0; 1 << 16];
        while received != [len; 2] {
            for i in [CLIENT, SERVER] {
                let stack = &mut self.hosts[i].stack;
                let chunk = (len - sent[i]).min(1 << 16);
                sent[i] += stack.send(fds[i], &buffer[..chunk]).unwrap_or(0);
                received[i] += stack.recv(fds[i], &mut buffer).unwrap_or(0);
            }
            if !self.carry() {
                // A delayed acknowledgment.
                self.wait(Duration::from_millis(10));
            }
        }
        for i in [closer, 1 - closer] {
            self.hosts[i].stack.close(fds[i]).unwrap();
            self.carry();
            self.wait(Duration::from_millis(10));
            self.carry();
        }
        let waits = [CLIENT, SERVER].map(|i| self.hosts[i].stack.usage().connections);
        assert_eq!(waits[closer], 1, "TIME-WAIT");
        assert_eq!(waits[1 - closer], 0);
        self.spans
    }
}

fn is_above(a: u32, b: u32) -> bool {
    a.wrapping_sub(b) as i32 > 0
}

/// Old segments must not be taken for new ones (RFC 9293 §3.4.1): each end starts above where it ended, also where it sent
/// more than the clock's one octet in four microseconds, and whoever kept TIME-WAIT.
#[test]
fn the_next_connection_of_a_tuple_starts_above_the_last_ones_end() {
    const LEN: usize = 3_000_000;
    for family in FAMILIES {
        let mut pair = Pair::new(family);
        let server = &mut pair.hosts[SERVER];
        let listener = server.socket(Type::Stream);
        server.stack.bind(listener, server.local).unwrap();
        server.stack.listen(listener, 5).unwrap();
        let mut last: Option<[Span; 2]> = None;
        // The server keeps TIME-WAIT at first, and the client's SYN takes the tuple straight from it.
        for (len, closer) in [
            (LEN, SERVER),
            (10, SERVER),
            (0, SERVER),
            (LEN, CLIENT),
            (10, CLIENT),
            (LEN, SERVER),
        ] {
            let begun = pair.hosts[CLIENT].now;
            let spans = pair.connection(listener, len, closer);
            let took = (pair.hosts[CLIENT].now - begun).total_micros() / 4;
            for (i, span) in spans.iter().enumerate() {
                let used = span.end.wrapping_sub(span.first) as usize;
                assert_eq!(used, len + 2, "SYN, data, FIN");
                assert!(
                    len < LEN || used as u64 > 4 * took,
                    "the clock was not outrun: {took}"
                );
                if let Some(last) = last {
                    assert!(
                        is_above(span.first, last[i].end),
                        "{span:x?} after {last:x?}"
                    );
                }
            }
            last = Some(spans);
            if closer == CLIENT {
                // Its own TIME-WAIT stands in the way until it has passed.
                let client = &mut pair.hosts[CLIENT];
                let (peer, own) = (client.neighbor.ip(), at(client.local.ip(), 50_000));
                let fd = client.socket(Type::Stream);
                client.stack.bind(fd, own).unwrap();
                let again = client.stack.connect(fd, at(peer, 9999));
                assert_eq!(again, Err(Error::AddrNotAvailable));
                client.stack.close(fd).unwrap();
                pair.wait(Duration::from_secs(10));
                pair.carry();
                assert_eq!(pair.hosts[CLIENT].stack.usage().connections, 0);
            }
        }
    }
}
