//! Malformed frames of every protocol, into a host that is busy: it drops them and goes on.
//!
//! Each frame below is right as it stands. It is sent cut at every length, and with every single bit flipped, both with
//! the checksums as they were and with checksums made right again. The host listens, has a connection of each family, a
//! datagram socket and a name lookup under way, and all of that must still work.

#![allow(clippy::unwrap_used, clippy::panic)] // it is a test

mod pair;

use std::net::SocketAddr;

use glasstack::smoltcp::time::Duration;
use glasstack::smoltcp::wire::IpProtocol;
use glasstack::stack::{Capacity, Domain, Fd, Lookup, Type};
use glasstack::{Error, Stack};

use pair::frames::{ETHERNET, fix_checksums, fragments, icmp_error, packet, udp};
use pair::{Pair, Sender, address, at, small};

const LISTENER: u16 = 7000;
const DATAGRAMS: u16 = 7001;
const NAME: &str = "www.example.com";
const FAMILIES: [Domain; 2] = [Domain::Inet, Domain::Inet6];

/// The client is the host that is tried; the server sends the malformed frames and is the other end of the rest.
struct World {
    pair: Pair<'static>,
    connections: [(Fd, Fd); 2],
    listener: Fd,
    datagrams: Fd,
    remote: Fd,
    names: Fd,
    lookup: Lookup,
    /// The queries for A and AAAA, with their sender.
    queries: [Option<(SocketAddr, Vec<u8>)>; 2],
    echoes: u32,
}

impl World {
    fn new() -> World {
        let capacity = Capacity {
            connections: 8,
            sockets: 24,
            ..small()
        };
        let stack = |key| Stack::with_capacity(capacity.clone(), [key; 16], ());
        let mut pair = Pair::new(stack(1), stack(2));
        let [v4, v6] = FAMILIES.map(|domain| pair.listen(domain, 80));
        let connections = [
            pair.connect(Domain::Inet, v4).unwrap(),
            pair.connect(Domain::Inet6, v6).unwrap(),
        ];
        let any: SocketAddr = format!("[::]:{LISTENER}").parse().unwrap();
        let client = &mut pair.client.stack;
        let listener = client.socket(Domain::Inet6, Type::Stream).unwrap();
        client.bind(listener, any).unwrap();
        client.listen(listener, 4).unwrap();
        let datagrams = client.socket(Domain::Inet6, Type::Datagram).unwrap();
        client
            .bind(datagrams, SocketAddr::new(any.ip(), DATAGRAMS))
            .unwrap();
        client.add_name_server(address(Domain::Inet, 2)).unwrap();
        let lookup = client.resolve(NAME).unwrap();
        let server = &mut pair.server.stack;
        let names = server.socket(Domain::Inet, Type::Datagram).unwrap();
        server.bind(names, at(Domain::Inet, 2, 53)).unwrap();
        let remote = server.socket(Domain::Inet6, Type::Datagram).unwrap();
        server.bind(remote, "[::]:5000".parse().unwrap()).unwrap();
        let mut world = World {
            pair,
            connections,
            listener,
            datagrams,
            remote,
            names,
            lookup,
            queries: [None, None],
            echoes: 0,
        };
        for turn in 0..2 {
            world.echo(turn).unwrap();
        }
        world
    }

    fn deliver(&mut self, frame: Vec<u8>) {
        self.pair.client.port.incoming.push_back(frame);
        self.pair.now += Duration::from_millis(20);
        self.pair.exchange();
    }

    /// The server tells where it is: nothing protects ARP and Neighbor Discovery from lies, only the truth does.
    fn tell_neighbors(&mut self) {
        for frame in [arp(2), neighbor_advertisement()] {
            self.pair.client.port.incoming.push_back(frame);
        }
        self.pair.exchange();
    }

    fn echo(&mut self, turn: usize) -> Result<(), Error> {
        self.echoes += 1;
        let text = self.echoes.to_be_bytes();
        let (client, server) = self.connections[turn % 2];
        self.pair.echo(client, server, &text)
    }

    /// A datagram arrives, after whatever else has arrived before.
    fn datagram_arrives(&mut self, domain: Domain) {
        let (client, server) = (&mut self.pair.client.stack, &mut self.pair.server.stack);
        let mut buffer = [0; 2048];
        while client.recv(self.datagrams, &mut buffer).is_ok() {}
        server
            .sendto(self.remote, b"datagram", mapped(at(domain, 1, DATAGRAMS)))
            .unwrap();
        self.pair.exchange();
        assert_eq!(
            self.pair.client.stack.recv(self.datagrams, &mut buffer),
            Ok(8)
        );
        assert_eq!(&buffer[..8], b"datagram");
    }

    /// Starts the lookup anew if it is done.
    fn keep_looking(&mut self) {
        self.take_queries();
        match self.pair.client.stack.resolved(self.lookup) {
            Err(Error::WouldBlock) => {}
            Ok(_) | Err(Error::NameNotFound | Error::TimedOut) => self.look_again(),
            Err(other) => panic!("a lookup ends in {other:?}"),
        }
    }

    fn take_queries(&mut self) {
        let mut buffer = [0; 512];
        while let Ok(query) = self.pair.server.stack.recvfrom(self.names, &mut buffer) {
            let message = buffer[..query.len].to_vec();
            let is_v6 = message.get(query.len - 3) == Some(&28);
            self.queries[usize::from(is_v6)] = Some((query.from, message));
        }
    }

    /// The lookup under way, or the next, has the right answer.
    fn name_resolves(&mut self) {
        let start = self.pair.now;
        self.keep_looking();
        // A query that was sent long ago is repeated in its time.
        while self.queries.iter().any(Option::is_none) {
            self.pair.pass(Duration::from_secs(1));
            self.keep_looking();
            assert!(self.pair.now < start + Duration::from_secs(60), "no query");
        }
        self.answer_both();
        let found = self.pair.client.stack.resolved(self.lookup).unwrap();
        assert!(found.contains(&address(Domain::Inet, 7)), "{found:?}");
        assert!(found.contains(&address(Domain::Inet6, 7)), "{found:?}");
        self.look_again();
    }

    /// The lookup under way comes to an end, if not to a good one.
    fn name_is_settled(&mut self) {
        self.answer_both();
        let start = self.pair.now;
        loop {
            match self.pair.client.stack.resolved(self.lookup) {
                Err(Error::WouldBlock) => self.pair.pass(Duration::from_secs(1)),
                Ok(_) | Err(Error::NameNotFound | Error::TimedOut) => break,
                Err(other) => panic!("a lookup ends in {other:?}"),
            }
            assert!(self.pair.now < start + Duration::from_secs(60), "no end");
        }
        self.look_again();
    }

    fn answer_both(&mut self) {
        for v6 in [false, true] {
            let answer = answer(self, v6, 0);
            self.pair.client.port.incoming.push_back(answer);
        }
        self.pair.exchange();
    }

    fn look_again(&mut self) {
        self.take_queries();
        self.lookup = self.pair.client.stack.resolve(NAME).unwrap();
        self.queries = [None, None];
        self.pair.exchange();
        self.take_queries();
    }

    /// The host takes a new connection, and makes one.
    fn takes_connections(&mut self, domain: Domain) {
        let listener = self.pair.listen(domain, 81);
        let (client, server) = self
            .pair
            .connect(domain, listener)
            .expect("a new connection");
        self.pair.echo(client, server, b"made").unwrap();
        self.pair.client.stack.close(client).unwrap();
        for fd in [server, listener] {
            self.pair.server.stack.close(fd).unwrap();
        }
        let caller = self.pair.server.stack.socket(domain, Type::Stream).unwrap();
        let to = at(domain, 1, LISTENER);
        let _ = self.pair.server.stack.connect(caller, to);
        self.pair.pass(Duration::from_secs(5));
        assert_eq!(self.pair.server.stack.connect(caller, to), Ok(()));
        self.pair.server.stack.close(caller).unwrap();
        while let Ok((taken, _)) = self.pair.client.stack.accept(self.listener) {
            self.pair.client.stack.close(taken).unwrap();
        }
        self.pair.pass(Duration::from_secs(1));
    }
}

/// IPv4 as an IPv6 socket writes it.
fn mapped(to: SocketAddr) -> SocketAddr {
    match to {
        SocketAddr::V4(v4) => SocketAddr::new(v4.ip().to_ipv6_mapped().into(), v4.port()),
        v6 => v6,
    }
}

/// An ARP request (1) or reply (2) from the server to the client.
fn arp(operation: u8) -> Vec<u8> {
    let mut frame = vec![2, 0, 0, 0, 0, 1, 2, 0, 0, 0, 0, 2, 0x08, 0x06];
    frame.extend([0, 1, 8, 0, 6, 4, 0, operation]);
    frame.extend([2, 0, 0, 0, 0, 2, 10, 0, 0, 2]);
    frame.extend([2, 0, 0, 0, 0, 1, 10, 0, 0, 1]);
    frame
}

fn v6_octets(last: u8) -> [u8; 16] {
    [0xfd, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, last]
}

/// A Neighbor Discovery message, whose hop limit has to be 255.
fn neighbor(message: &[u8]) -> Vec<u8> {
    let mut frame = packet(true, 2, 1, IpProtocol::Icmpv6, message);
    frame[ETHERNET + 7] = 255;
    frame
}

fn neighbor_advertisement() -> Vec<u8> {
    let mut message = vec![136, 0, 0, 0, 0x60, 0, 0, 0];
    message.extend(v6_octets(2));
    message.extend([2, 1, 2, 0, 0, 0, 0, 2]);
    neighbor(&message)
}

fn neighbor_solicitation() -> Vec<u8> {
    let mut message = vec![135, 0, 0, 0, 0, 0, 0, 0];
    message.extend(v6_octets(1));
    message.extend([1, 1, 2, 0, 0, 0, 0, 2]);
    neighbor(&message)
}

fn router_advertisement() -> Vec<u8> {
    let mut message = vec![134, 0, 0, 0, 64, 0, 7, 8, 0, 0, 0, 0, 0, 0, 0, 0];
    message.extend([1, 1, 2, 0, 0, 0, 0, 2]);
    message.extend([5, 1, 0, 0, 0, 0, 5, 220]);
    message.extend([3, 4, 64, 0xc0, 0, 0, 14, 16, 0, 0, 14, 16, 0, 0, 0, 0]);
    message.extend(v6_octets(0));
    neighbor(&message)
}

fn redirect() -> Vec<u8> {
    let mut message = vec![137, 0, 0, 0, 0, 0, 0, 0];
    message.extend(v6_octets(3));
    message.extend(v6_octets(4));
    message.extend([2, 1, 2, 0, 0, 0, 0, 3]);
    // The redirected header: an IPv6 packet in an option of 7 units.
    message.extend([4, 7, 0, 0, 0, 0, 0, 0, 0x60, 0, 0, 0, 0, 8, 17, 64]);
    message.extend(v6_octets(1));
    message.extend(v6_octets(4));
    message.extend(udp(1, 2, b""));
    neighbor(&message)
}

fn datagram(v6: bool) -> Vec<u8> {
    packet(
        v6,
        2,
        1,
        IpProtocol::Udp,
        &udp(5000, DATAGRAMS, b"datagram"),
    )
}

/// A datagram behind IPv4 options: record route, router alert, no operation, end of list.
fn ipv4_options() -> Vec<u8> {
    let mut frame = datagram(false);
    let options = [7, 7, 4, 0, 0, 0, 0, 148, 4, 0, 0, 1, 1, 1, 1, 0];
    frame[ETHERNET] = 0x45 + options.len() as u8 / 4;
    frame[ETHERNET + 3] += options.len() as u8;
    frame.splice(ETHERNET + 20..ETHERNET + 20, options);
    fix_checksums(&mut frame);
    frame
}

/// A datagram behind a hop-by-hop header: router alert and padding of both kinds.
fn hop_by_hop() -> Vec<u8> {
    let mut frame = datagram(true);
    let header = [17, 1, 5, 2, 0, 0, 1, 6, 0, 0, 0, 0, 0, 0, 0, 0];
    frame[ETHERNET + 6] = 0;
    frame[ETHERNET + 5] += header.len() as u8;
    frame.splice(ETHERNET + 40..ETHERNET + 40, header);
    fix_checksums(&mut frame);
    frame
}

/// A SYN with every option that smoltcp reads, and one that nobody does.
fn syn(v6: bool) -> Vec<u8> {
    let options = [
        2, 4, 5, 180, 3, 3, 7, 4, 2, 8, 10, 0, 0, 0, 1, 0, 0, 0, 0, 5, 10, 0, 0, 0, 1, 0, 0, 0, 9,
        30, 3, 0, 1, 1, 1, 0,
    ];
    let mut segment = vec![0x13, 0x88];
    segment.extend(LISTENER.to_be_bytes());
    segment.extend([
        0,
        0,
        0,
        9,
        0,
        0,
        0,
        0,
        0x50 + (options.len() as u8 / 4) * 16,
        2,
        4,
        0,
        0,
        0,
        0,
        0,
    ]);
    segment.extend(options);
    packet(v6, 2, 1, IpProtocol::Tcp, &segment)
}

/// The last segment with data that the server sent, which has been acknowledged already.
fn duplicate(world: &mut World, v6: bool) -> Vec<u8> {
    world.echo(usize::from(v6)).unwrap();
    let protocol = if v6 { [0x86, 0xdd] } else { [0x08, 0x00] };
    let len = if v6 { ETHERNET + 64 } else { ETHERNET + 44 };
    let mut frames = world.pair.history.iter().rev();
    let found = frames.find(|(sender, frame)| {
        *sender == Sender::Server && frame[12..14] == protocol && frame.len() == len
    });
    found.expect("an echo").1.clone()
}

/// The same with a selective acknowledgment and a timestamp.
fn duplicate_with_options(world: &mut World, v6: bool) -> Vec<u8> {
    let mut frame = duplicate(world, v6);
    let options = [
        1, 1, 5, 10, 0, 0, 0, 1, 0, 0, 0, 9, 8, 10, 0, 0, 0, 1, 0, 0, 0, 1, 1, 0,
    ];
    let (len, transport) = if v6 {
        (ETHERNET + 5, ETHERNET + 40)
    } else {
        (ETHERNET + 3, ETHERNET + 20)
    };
    frame[len] += options.len() as u8;
    frame[transport + 12] = 0x50 + (options.len() as u8 / 4) * 16;
    frame.splice(transport + 20..transport + 20, options);
    fix_checksums(&mut frame);
    frame
}

fn echo_request(v6: bool) -> Vec<u8> {
    let (kind, protocol) = if v6 {
        (128, IpProtocol::Icmpv6)
    } else {
        (8, IpProtocol::Icmp)
    };
    packet(
        v6,
        2,
        1,
        protocol,
        &[kind, 0, 0, 0, 0, 1, 0, 1, b'e', b'c', b'h', b'o'],
    )
}

/// An ICMP error that quotes what the client sent last over the connection.
fn error(world: &mut World, v6: bool, kind: u8, code: u8) -> Vec<u8> {
    world.echo(usize::from(v6)).unwrap();
    let protocol = if v6 { [0x86, 0xdd] } else { [0x08, 0x00] };
    let len = if v6 { ETHERNET + 64 } else { ETHERNET + 44 };
    let mut frames = world.pair.history.iter().rev();
    let sent = frames.find(|(sender, frame)| {
        *sender == Sender::Client && frame[12..14] == protocol && frame.len() == len
    });
    icmp_error(&sent.expect("an echo").1, 2, 1, kind, code).unwrap()
}

/// A DNS answer to the query for A or AAAA, with a CNAME in between and compressed names.
fn answer(world: &World, v6: bool, rcode: u8) -> Vec<u8> {
    let (from, query) = world.queries[usize::from(v6)].clone().expect("a query");
    let mut message = query.clone();
    message[2..8].copy_from_slice(&[0x81, 0x80 | rcode, 0, 1, 0, 2]);
    // The name's end, "example.com", is at 12 + 4.
    message.extend([0xc0, 12, 0, 5, 0, 1, 0, 0, 0, 60, 0, 4, 1, b'a', 0xc0, 16]);
    let alias = (query.len() + 12) as u8;
    let (kind, rdata) = if v6 {
        (28, v6_octets(7).to_vec())
    } else {
        (1, vec![10, 0, 0, 7])
    };
    message.extend([
        0xc0,
        alias,
        0,
        kind,
        0,
        1,
        0,
        0,
        0,
        60,
        0,
        rdata.len() as u8,
    ]);
    message.extend(rdata);
    packet(
        false,
        2,
        1,
        IpProtocol::Udp,
        &udp(53, from.port(), &message),
    )
}

/// What a frame is about.
#[derive(Clone, Copy, PartialEq, Eq)]
enum About {
    /// A connection: with its checksum right, a flipped bit may make another segment of it that is as good as any.
    Connection,
    Lookup,
    Other,
}

type Template = (&'static str, About, fn(&mut World) -> Vec<u8>);

const TEMPLATES: &[Template] = &[
    ("ARP request", About::Other, |_| arp(1)),
    ("ARP reply", About::Other, |_| arp(2)),
    ("UDP over IPv4", About::Other, |_| datagram(false)),
    ("UDP over IPv6", About::Other, |_| datagram(true)),
    ("IPv4 options", About::Other, |_| ipv4_options()),
    ("hop-by-hop options", About::Other, |_| hop_by_hop()),
    ("SYN over IPv4", About::Other, |_| syn(false)),
    ("SYN over IPv6", About::Other, |_| syn(true)),
    ("TCP over IPv4", About::Connection, |world| {
        duplicate(world, false)
    }),
    ("TCP over IPv6", About::Connection, |world| {
        duplicate(world, true)
    }),
    ("TCP options over IPv4", About::Connection, |world| {
        duplicate_with_options(world, false)
    }),
    ("TCP options over IPv6", About::Connection, |world| {
        duplicate_with_options(world, true)
    }),
    ("echo request", About::Other, |_| echo_request(false)),
    ("port unreachable", About::Other, |world| {
        error(world, false, 3, 3)
    }),
    ("fragmentation needed", About::Other, |world| {
        error(world, false, 3, 4)
    }),
    ("time exceeded", About::Other, |world| {
        error(world, false, 11, 0)
    }),
    ("echo request over IPv6", About::Other, |_| {
        echo_request(true)
    }),
    ("port unreachable over IPv6", About::Other, |world| {
        error(world, true, 1, 4)
    }),
    ("packet too big", About::Other, |world| {
        error(world, true, 2, 0)
    }),
    ("parameter problem", About::Other, |world| {
        error(world, true, 4, 0)
    }),
    ("neighbor solicitation", About::Other, |_| {
        neighbor_solicitation()
    }),
    ("neighbor advertisement", About::Other, |_| {
        neighbor_advertisement()
    }),
    ("router advertisement", About::Other, |_| {
        router_advertisement()
    }),
    ("redirect", About::Other, |_| redirect()),
    ("DNS answer A", About::Lookup, |world| {
        answer(world, false, 0)
    }),
    ("DNS answer AAAA", About::Lookup, |world| {
        answer(world, true, 0)
    }),
    ("DNS no such name", About::Lookup, |world| {
        answer(world, false, 3)
    }),
];

/// How often, in frames, a new connection and a lookup are tried.
const TRY_EVERY: usize = 256;

struct Trial {
    world: World,
    count: usize,
}

impl Trial {
    fn new() -> Trial {
        Trial {
            world: World::new(),
            count: 0,
        }
    }

    /// Delivers frames, and sees that everything goes on. They come with whether they may be right as they are.
    fn send(&mut self, about: About, make: impl FnOnce(&mut World) -> (Vec<Vec<u8>>, bool)) {
        self.count += 1;
        let turn = self.count;
        let domain = FAMILIES[turn % 2];
        let world = &mut self.world;
        world.keep_looking();
        if about == About::Lookup && world.queries.iter().any(Option::is_none) {
            world.name_resolves();
        }
        let (frames, may_be_right) = make(world);
        for frame in frames {
            world.deliver(frame);
        }
        world.tell_neighbors();
        world.datagram_arrives(domain);
        match about {
            About::Lookup if may_be_right => world.name_is_settled(),
            About::Lookup => world.name_resolves(),
            _ => {}
        }
        world.keep_looking();
        if turn.is_multiple_of(TRY_EVERY) {
            world.takes_connections(domain);
            world.name_resolves();
        }
        if about == About::Connection && may_be_right {
            // Whoever knows the sequence numbers can reset a connection, or say something in the peer's name; TCP cannot
            // tell (RFC 5961 §1). The host goes on.
            self.world.takes_connections(domain);
            self.world = World::new();
            return;
        }
        for turn in [0, 1] {
            if let Err(error) = self.world.echo(turn) {
                panic!("the connection ended: {error}");
            }
        }
    }

    fn finish(mut self) {
        for domain in FAMILIES {
            self.world.takes_connections(domain);
        }
        self.world.name_resolves();
    }
}

/// Says which frame it was if the host does not survive it.
struct Blame(String);

impl Drop for Blame {
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("after {}", self.0);
        }
    }
}

/// A shorter packet, whose header knows.
fn shorten(frame: &mut [u8]) {
    match frame.get(12..14) {
        Some([0x08, 0x00]) if frame.len() >= ETHERNET + 20 => {
            let len = (frame.len() - ETHERNET) as u16;
            frame[ETHERNET + 2..ETHERNET + 4].copy_from_slice(&len.to_be_bytes());
        }
        Some([0x86, 0xdd]) if frame.len() >= ETHERNET + 40 => {
            let len = (frame.len() - ETHERNET - 40) as u16;
            frame[ETHERNET + 4..ETHERNET + 6].copy_from_slice(&len.to_be_bytes());
        }
        _ => {}
    }
    fix_checksums(frame);
}

#[test]
fn truncated_at_every_length() {
    for (name, about, template) in TEMPLATES {
        let mut trial = Trial::new();
        trial.world.name_resolves();
        for fixed in [false, true] {
            for len in 0.. {
                let _blame = Blame(format!("{name} cut at {len}, fixed: {fixed}"));
                let mut is_whole = false;
                trial.send(*about, |world| {
                    let mut frame = template(world);
                    is_whole = len >= frame.len();
                    frame.truncate(len);
                    if fixed {
                        shorten(&mut frame);
                    }
                    (vec![frame], fixed || is_whole)
                });
                if is_whole {
                    break;
                }
            }
        }
        trial.finish();
    }
}

#[test]
fn every_bit_flipped() {
    for (name, about, template) in TEMPLATES {
        let mut trial = Trial::new();
        trial.world.name_resolves();
        for fixed in [false, true] {
            for bit in 0.. {
                let _blame = Blame(format!("{name}, bit {bit} flipped, fixed: {fixed}"));
                let mut is_over = false;
                trial.send(*about, |world| {
                    let mut frame = template(world);
                    is_over = bit >= frame.len() * 8;
                    if !is_over {
                        frame[bit / 8] ^= 0x80 >> (bit % 8);
                    }
                    if fixed {
                        fix_checksums(&mut frame);
                    }
                    // Only the device checks an Ethernet header.
                    (vec![frame], fixed || is_over || bit < ETHERNET * 8)
                });
                if is_over {
                    break;
                }
            }
        }
        trial.finish();
    }
}

/// Either fragment of a datagram damaged, the other one whole, in both orders.
#[test]
fn fragments_flipped_and_truncated() {
    for v6 in [false, true] {
        let mut trial = Trial::new();
        let whole = packet(v6, 2, 1, IpProtocol::Udp, &udp(5000, DATAGRAMS, &[7; 24]));
        let mut id = 0;
        for (victim, swapped) in [(0, false), (0, true), (1, false), (1, true)] {
            let len = fragments(&whole, 16, 0, 0).unwrap()[victim].len();
            for change in 0..len * 9 {
                for fixed in [false, true] {
                    let _blame = Blame(format!(
                        "fragment {victim}, v6: {v6}, change {change}, fixed: {fixed}"
                    ));
                    id += 1;
                    let mut parts = fragments(&whole, 16, 0, id).unwrap();
                    let frame = &mut parts[victim];
                    match change.checked_sub(len * 8) {
                        Some(length) => frame.truncate(length),
                        None => frame[change / 8] ^= 0x80 >> (change % 8),
                    }
                    if fixed && v6 {
                        shorten(frame);
                    } else if fixed {
                        fix_ipv4_header(frame);
                    }
                    if swapped {
                        parts.swap(0, 1);
                    }
                    trial.send(About::Other, |_| (parts.into(), true));
                }
            }
        }
        trial.finish();
    }
}

/// A fragment has no transport checksum of its own.
fn fix_ipv4_header(frame: &mut [u8]) {
    use glasstack::smoltcp::wire::Ipv4Packet;
    if let Some(packet) = frame.get_mut(ETHERNET..)
        && let Ok(mut packet) = Ipv4Packet::new_checked(packet)
    {
        packet.fill_checksum();
    }
}

/// Unknown EtherTypes, protocols and extension headers, each of them.
#[test]
fn every_protocol_number() {
    let mut trial = Trial::new();
    for number in 0..=u8::MAX {
        for v6 in [false, true] {
            trial.send(About::Other, |_| {
                (
                    vec![packet(v6, 2, 1, IpProtocol::from(number), &[number; 40])],
                    true,
                )
            });
        }
        trial.send(About::Other, |_| {
            let mut frame = datagram(false);
            frame[12..14].copy_from_slice(&(u16::from(number) << 3).to_be_bytes());
            (vec![frame], true)
        });
    }
    trial.finish();
}
