//! A host on two Ethernet links: which way a packet takes, from which address, and what waiting for a neighbor means.
#![cfg(all(feature = "std", feature = "ipv4", feature = "ipv6"))]
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a test says what broke by panicking"
)]

mod frames;

use std::net::{IpAddr, SocketAddr};

use frames::ethernet::{self, BROADCAST, Mac, Sent, mac_of};
use frames::packet::{self, ACK, Packet, RST, SYN, Segment, TCP, UDP};
use frames::{Alarm, Cable, at, domain, ip};
use glasstack::{
    Error, Fd, Stack,
    smoltcp::time::{Duration, Instant},
    stack::{Capacity, Domain, Interest, InterfaceId, Type},
};

const MAC: [Mac; 2] = [[2, 0, 0, 0, 0, 1], [2, 0, 0, 0, 0, 2]];

/// The host's addresses on its links. The second link's IPv4 prefix holds the first's.
const ADDRESSES: [&[(&str, u8)]; 2] = [
    &[("10.0.0.1", 24), ("fd00::1", 64)],
    &[
        ("10.0.200.1", 16),
        ("172.16.0.1", 24),
        ("fd00:0:0:1::1", 64),
        ("fd77::1", 64),
    ],
];

/// Routers on the second link.
const GATEWAYS: [&str; 2] = ["10.0.200.254", "fd00:0:0:1::fe"];

/// A neighbor on each link, by family.
const NEIGHBORS: [[&str; 2]; 2] = [["10.0.0.2", "10.0.200.2"], ["fd00::2", "fd00:0:0:1::2"]];

struct Host {
    stack: Stack<'static>,
    links: [InterfaceId; 2],
    cables: [Cable; 2],
    now: Instant,
    /// Neighbors that do not answer.
    silent: Vec<IpAddr>,
    /// How often a neighbor was asked for.
    requests: Vec<IpAddr>,
}

impl Host {
    fn new() -> Host {
        let capacity = Capacity {
            datagrams: 256,
            datagram_buffer: 2048,
            ..Capacity::default()
        };
        let mut stack = Stack::with_capacity(capacity, [7; 16], ());
        let mut cables = [Cable::ethernet(), Cable::ethernet()];
        let links = [0, 1].map(|i| {
            let link = stack.add_interface(&mut cables[i], Some(MAC[i])).unwrap();
            for &(address, prefix_len) in ADDRESSES[i] {
                stack.add_address(link, ip(address), prefix_len).unwrap();
            }
            link
        });
        for gateway in GATEWAYS {
            stack.set_gateway(links[1], ip(gateway)).unwrap();
        }
        Host {
            stack,
            links,
            cables,
            now: Instant::ZERO,
            silent: Vec::new(),
            requests: Vec::new(),
        }
    }

    fn socket(&mut self, peer: IpAddr, kind: Type) -> Fd {
        self.stack.socket(domain(peer), kind).unwrap()
    }

    /// Polls until nothing more is sent; neighbors that are asked for answer. Gives what was sent on each link.
    fn poll(&mut self) -> [Vec<(Mac, Packet)>; 2] {
        let mut sent = [Vec::new(), Vec::new()];
        loop {
            for i in [0, 1] {
                let _ = self
                    .stack
                    .poll(self.links[i], self.now, &mut self.cables[i]);
            }
            if self.cables.iter().all(|cable| cable.sent.is_empty()) {
                return sent;
            }
            for i in [0, 1] {
                for frame in self.cables[i].sent.drain(..) {
                    match ethernet::read(&frame) {
                        Sent::Report => {}
                        Sent::Packet(station, packet) => sent[i].push((station, packet)),
                        Sent::Request(neighbor) => {
                            self.requests.push(neighbor);
                            if !self.silent.contains(&neighbor) {
                                let reply = ethernet::answer(own(i, neighbor), MAC[i], neighbor);
                                self.cables[i].incoming.push_back(reply);
                            }
                        }
                    }
                }
            }
        }
    }

    /// The one packet that is sent, and the link and station it goes to.
    fn poll_one(&mut self) -> (usize, Mac, Packet) {
        let [first, second] = self.poll();
        match (&first[..], &second[..]) {
            ([(station, packet)], []) => (0, *station, packet.clone()),
            ([], [(station, packet)]) => (1, *station, packet.clone()),
            other => panic!("not one packet: {other:?}"),
        }
    }

    /// Has a packet arrive on a link, from the station that the sender should have.
    fn receive(&mut self, link: usize, packet: &[u8]) -> [Vec<(Mac, Packet)>; 2] {
        let from = mac_of(Packet::read(packet).source);
        self.cables[link]
            .incoming
            .push_back(ethernet::frame(from, MAC[link], packet));
        self.poll()
    }

    fn receives_nothing_to_answer(&mut self, link: usize, packet: &[u8]) {
        assert_eq!(self.receive(link, packet), [vec![], vec![]]);
    }

    fn connect(&mut self, peer: SocketAddr) -> Fd {
        let fd = self.socket(peer.ip(), Type::Stream);
        assert_eq!(self.stack.connect(fd, peer), Err(Error::WouldBlock));
        fd
    }

    /// Polls at the times the stack asks for, until `end`.
    fn run_until(&mut self, end: Instant) {
        loop {
            self.poll();
            let next = [0, 1].map(|i| {
                self.stack
                    .poll(self.links[i], self.now, &mut self.cables[i])
            });
            match next.into_iter().flatten().min() {
                Some(at) if at < end => self.now = self.now.max(at),
                _ => break,
            }
        }
        self.now = end;
    }
}

/// The host's address on a link that a neighbor would speak to.
fn own(link: usize, neighbor: IpAddr) -> IpAddr {
    let addresses = ADDRESSES[link].iter().map(|(address, _)| ip(address));
    addresses
        .into_iter()
        .find(|own| own.is_ipv4() == neighbor.is_ipv4())
        .unwrap()
}

#[test]
fn the_longest_prefix_leads_and_the_gateway_takes_the_rest() {
    let mut host = Host::new();
    // Destination, link, next hop, source.
    let ways = [
        ("10.0.0.2", 0, "10.0.0.2", "10.0.0.1"),
        ("10.0.1.2", 1, "10.0.1.2", "10.0.200.1"),
        ("172.16.0.9", 1, "172.16.0.9", "172.16.0.1"),
        ("192.0.2.1", 1, GATEWAYS[0], "10.0.200.1"),
        ("fd00::2", 0, "fd00::2", "fd00::1"),
        ("fd00:0:0:1::2", 1, "fd00:0:0:1::2", "fd00:0:0:1::1"),
        ("fd77::2", 1, "fd77::2", "fd77::1"),
        ("2001:db8::1", 1, GATEWAYS[1], "fd00:0:0:1::1"),
    ];
    for (destination, link, next_hop, source) in ways {
        let to = at(ip(destination), 80);
        let datagram = host.socket(to.ip(), Type::Datagram);
        host.stack.sendto(datagram, b"hello", to).unwrap();
        let (on, station, packet) = host.poll_one();
        assert_eq!((on, station), (link, mac_of(ip(next_hop))), "{destination}");
        assert_eq!((packet.protocol, packet.to()), (UDP, to));
        if destination != "2001:db8::1" {
            assert_eq!(packet.source, ip(source), "{destination}");
        }

        let stream = host.connect(to);
        let (on, station, packet) = host.poll_one();
        assert_eq!((on, station), (link, mac_of(ip(next_hop))), "{destination}");
        assert_eq!((packet.protocol, packet.to()), (TCP, to));
        assert_eq!(host.stack.getsockname(stream), Ok(packet.from()));
        host.stack.close(stream).unwrap();
        // A connected datagram socket knows its address before it sends.
        let connected = host.socket(to.ip(), Type::Datagram);
        host.stack.connect(connected, to).unwrap();
        assert_eq!(
            host.stack.getsockname(connected).unwrap().ip(),
            packet.source
        );
    }
}

#[test]
fn a_bound_address_chooses_the_link() {
    let mut host = Host::new();
    for (bound, destination) in [("10.0.200.1", "10.0.0.2"), ("fd00:0:0:1::1", "fd00::2")] {
        let to = at(ip(destination), 80);
        let fd = host.socket(to.ip(), Type::Datagram);
        host.stack.bind(fd, at(ip(bound), 5000)).unwrap();
        host.stack.sendto(fd, b"hello", to).unwrap();
        let (on, _, packet) = host.poll_one();
        assert_eq!((on, packet.from()), (1, at(ip(bound), 5000)));
    }
}

#[test]
fn without_a_route_the_network_is_unreachable() {
    let mut stack = Stack::with_capacity(Capacity::default(), [7; 16], ());
    let mut cable = Cable::ethernet();
    let link = stack.add_interface(&mut cable, Some(MAC[0])).unwrap();
    stack.add_address(link, ip("10.0.0.1"), 24).unwrap();
    for (domain, to) in [(Domain::Inet, "192.0.2.1"), (Domain::Inet6, "2001:db8::1")] {
        let to = at(ip(to), 80);
        let stream = stack.socket(domain, Type::Stream).unwrap();
        assert_eq!(stack.connect(stream, to), Err(Error::NetworkUnreachable));
        let datagram = stack.socket(domain, Type::Datagram).unwrap();
        assert_eq!(
            stack.sendto(datagram, b"", to),
            Err(Error::NetworkUnreachable)
        );
        assert_eq!(stack.connect(datagram, to), Err(Error::NetworkUnreachable));
    }
    assert!(cable.sent.is_empty());
}

#[test]
fn a_connection_stays_on_its_interface() {
    for [neighbor, _] in NEIGHBORS {
        let mut host = Host::new();
        let peer = at(ip(neighbor), 80);
        let fd = host.connect(peer);
        let (on, _, syn) = host.poll_one();
        assert_eq!(on, 0);
        let local = syn.from();
        let next = syn.segment().seq.wrapping_add(1);

        // The other link's word is not taken, neither for the handshake nor for a reset.
        let answer = Segment::new(SYN | ACK, 5000, next).packet(peer, local);
        let reset = Segment::new(RST | ACK, 0, next).packet(peer, local);
        host.receives_nothing_to_answer(1, &answer);
        host.receives_nothing_to_answer(1, &reset);
        assert_eq!(host.stack.connect(fd, peer), Err(Error::WouldBlock));
        host.receive(0, &answer);
        assert_eq!(host.stack.connect(fd, peer), Ok(()));
        host.receives_nothing_to_answer(1, &Segment::new(RST, 5001, 0).packet(peer, local));
        assert_eq!(host.stack.send(fd, b"hello"), Ok(5));
        let (on, station, data) = host.poll_one();
        assert_eq!(
            (on, station, &data.segment().data[..]),
            (0, mac_of(peer.ip()), &b"hello"[..])
        );
    }
}

/// What came in by the second link is answered there, although the route to the sender is the first's.
#[test]
fn a_handshake_is_answered_where_it_began() {
    let mut host = Host::new();
    let listener = host.stack.socket(Domain::Inet, Type::Stream).unwrap();
    host.stack.bind(listener, at(ip("0.0.0.0"), 9999)).unwrap();
    host.stack.listen(listener, 2).unwrap();
    let (remote, local) = (at(ip("10.0.0.9"), 50000), at(ip("10.0.200.1"), 9999));
    let [first, second] = host.receive(1, &Segment::new(SYN, 1000, 0).packet(remote, local));
    assert_eq!(first, []);
    let (station, answer) = &second[0];
    assert_eq!(
        (*station, answer.from(), answer.to()),
        (mac_of(remote.ip()), local, remote)
    );
    assert_eq!(answer.segment().flags, SYN | ACK);
}

/// One socket, two destinations on two links, in turns: the queue waits, nothing is lost or doubled.
#[test]
fn a_datagram_socket_alternates_between_interfaces() {
    for neighbors in NEIGHBORS {
        let mut host = Host::new();
        let peers = neighbors.map(|neighbor| at(ip(neighbor), 53));
        let fd = host.socket(peers[0].ip(), Type::Datagram);
        let (alarm, waker) = Alarm::new();
        let mut received = [Vec::new(), Vec::new()];
        for number in 0..100u8 {
            let link = usize::from(number) % 2;
            let mut wakes = alarm.count();
            while let Err(error) = host.stack.sendto(fd, &[number], peers[link]) {
                assert_eq!(error, Error::WouldBlock);
                host.stack
                    .register_waker(fd, Interest::Writable, &waker)
                    .unwrap();
                let sent = host.poll();
                assert!(
                    sent.iter().any(|packets| !packets.is_empty()),
                    "it waits for ever"
                );
                assert_eq!(alarm.count(), wakes + 1, "whoever waits for room is woken");
                wakes += 1;
                for (received, sent) in received.iter_mut().zip(sent) {
                    received.extend(sent.into_iter().map(|(_, packet)| packet.datagram()[0]));
                }
            }
        }
        for (received, sent) in received.iter_mut().zip(host.poll()) {
            received.extend(sent.into_iter().map(|(_, packet)| packet.datagram()[0]));
        }
        let numbers = |first: u8| (first..100).step_by(2).collect::<Vec<_>>();
        assert_eq!(received, [numbers(0), numbers(1)]);
    }
}

#[test]
fn own_addresses_are_reached_without_a_link() {
    let mut host = Host::new();
    // And what the host speaks to it from: itself, but for 127.0.0.0/8, which is one loopback (as Linux).
    for (own, speaker) in [
        ("10.0.0.1", "10.0.0.1"),
        ("10.0.200.1", "10.0.200.1"),
        ("127.0.0.1", "127.0.0.1"),
        ("127.3.2.1", "127.0.0.1"),
        ("fd00::1", "fd00::1"),
        ("::1", "::1"),
    ] {
        let server = at(ip(own), 9999);
        let listener = host.socket(server.ip(), Type::Stream);
        let datagram = host.socket(server.ip(), Type::Datagram);
        host.stack.bind(listener, server).unwrap();
        host.stack.bind(datagram, server).unwrap();
        host.stack.listen(listener, 1).unwrap();

        let client = host.connect(server);
        assert_eq!(host.poll(), [vec![], vec![]], "{own}");
        assert_eq!(host.stack.connect(client, server), Ok(()), "{own}");
        let (accepted, from) = host.stack.accept(listener).unwrap();
        assert_eq!(Ok(from), host.stack.getsockname(client));
        assert_eq!(from.ip(), ip(speaker));
        host.stack.send(client, b"hello").unwrap();
        let sender = host.socket(server.ip(), Type::Datagram);
        host.stack.sendto(sender, b"hello", server).unwrap();
        assert_eq!(host.poll(), [vec![], vec![]], "{own}");
        let mut buffer = [0; 8];
        assert_eq!(host.stack.recv(accepted, &mut buffer), Ok(5));
        let received = host.stack.recvfrom(datagram, &mut buffer).unwrap();
        assert_eq!((received.len, received.from.ip()), (5, ip(speaker)));
    }
}

/// What comes from the wire in this host's name, or in loopback's, is a lie (RFC 1122 §3.2.1.3, RFC 4291 §2.5.3).
#[test]
fn martians_are_dropped() {
    let mut host = Host::new();
    let pairs = [
        ("10.0.0.1", "10.0.0.1"),
        ("10.0.200.1", "10.0.0.1"),
        ("127.0.0.1", "10.0.0.1"),
        ("127.9.9.9", "10.0.0.1"),
        ("127.0.0.1", "127.0.0.1"),
        ("10.0.0.2", "127.0.0.1"),
        ("10.0.0.2", "127.0.0.2"),
        ("0.0.0.0", "10.0.0.1"),
        ("10.0.0.255", "10.0.0.1"),
        ("255.255.255.255", "10.0.0.1"),
        ("224.0.0.1", "10.0.0.1"),
        ("fd00::1", "fd00::1"),
        ("::1", "fd00::1"),
        ("fd00::2", "::1"),
        ("::1", "::1"),
        ("::", "fd00::1"),
        ("ff02::1", "fd00::1"),
    ];
    let mut sockets = Vec::new();
    for (domain, any) in [(Domain::Inet, "0.0.0.0"), (Domain::Inet6, "::")] {
        let listener = host.stack.socket(domain, Type::Stream).unwrap();
        let datagram = host.stack.socket(domain, Type::Datagram).unwrap();
        for fd in [listener, datagram] {
            if domain == Domain::Inet6 {
                host.stack
                    .setsockopt(fd, glasstack::stack::option::V6Only, true)
                    .unwrap();
            }
            host.stack.bind(fd, at(ip(any), 9999)).unwrap();
        }
        host.stack.listen(listener, 5).unwrap();
        sockets.push(datagram);
    }
    for (source, destination) in pairs {
        for port in [9999, 9] {
            let (from, to) = (at(ip(source), 7777), at(ip(destination), port));
            let packets = [
                Segment::new(SYN, 1000, 0).packet(from, to),
                Segment::new(ACK, 1000, 77).packet(from, to),
                packet::udp(from, to, b"hello"),
            ];
            for packet in packets {
                let answer = host.receive(0, &packet);
                assert_eq!(answer, [vec![], vec![]], "{from} to {to}");
                assert_eq!(host.stack.usage().connections, 0, "{from} to {to}");
            }
        }
        for fd in &sockets {
            let received = host.stack.recvfrom(*fd, &mut [0; 8]);
            // RFC 1122 §3.2.1.3 lets a host that does not know its address speak from 0.0.0.0: DHCP does.
            if !ip(source).is_unspecified() {
                assert_eq!(
                    received,
                    Err(Error::WouldBlock),
                    "{source} to {destination}"
                );
            }
        }
    }
    assert_eq!(host.requests, Vec::<IpAddr>::new(), "nobody was looked for");
    // An honest packet still arrives.
    host.receive(
        0,
        &packet::udp(at(ip("10.0.0.2"), 7), at(ip("10.0.0.1"), 9999), b"hello"),
    );
    assert!(host.stack.recvfrom(sockets[0], &mut [0; 8]).is_ok());
}

/// An address belongs to its link: the other link's neighbors do not reach it.
#[test]
fn another_links_address_is_not_answered_for() {
    let mut host = Host::new();
    let listener = host.stack.socket(Domain::Inet, Type::Stream).unwrap();
    host.stack.bind(listener, at(ip("0.0.0.0"), 9999)).unwrap();
    host.stack.listen(listener, 5).unwrap();
    let (from, to) = (at(ip("10.0.200.2"), 7777), at(ip("10.0.0.1"), 9999));
    host.receives_nothing_to_answer(1, &Segment::new(SYN, 1000, 0).packet(from, to));
    host.receives_nothing_to_answer(1, &packet::udp(from, to, b"hello"));
    assert_eq!(host.stack.usage().connections, 0);
}

#[test]
fn a_frame_for_another_station_is_not_heard() {
    let mut host = Host::new();
    for (domain, any, pair) in [
        (Domain::Inet, "0.0.0.0", ["10.0.0.2", "10.0.0.1"]),
        (Domain::Inet6, "::", ["fd00::2", "fd00::1"]),
    ] {
        let listener = host.stack.socket(domain, Type::Stream).unwrap();
        let datagram = host.stack.socket(domain, Type::Datagram).unwrap();
        for fd in [listener, datagram] {
            host.stack
                .setsockopt(fd, glasstack::stack::option::V6Only, true)
                .unwrap();
            host.stack.bind(fd, at(ip(any), 9999)).unwrap();
        }
        host.stack.listen(listener, 5).unwrap();
        let [from, to] = pair.map(ip);
        let (from, to) = (at(from, 7777), at(to, 9999));
        let syn = Segment::new(SYN, 1000, 0).packet(from, to);
        let hello = packet::udp(from, to, b"hello");
        let fragments = packet::fragments(&packet::udp(from, to, &[7; 40]), 1, 24);
        let other = [2, 0, 0, 0, 0, 9];
        let stations = [
            (other, true),
            (BROADCAST, false),
            ([0x33, 0x33, 0, 0, 0, 1], false),
        ];
        for (station, is_unicast) in stations {
            let frame = ethernet::frame(mac_of(from.ip()), station, &syn);
            host.cables[0].incoming.push_back(frame);
            assert_eq!(host.poll(), [vec![], vec![]], "TCP is for one station");
            assert_eq!(host.stack.usage().connections, 0);
            if is_unicast {
                let frames = [&hello].into_iter().chain(&fragments);
                let frames =
                    frames.map(|packet| ethernet::frame(mac_of(from.ip()), station, packet));
                host.cables[0].incoming.extend(frames);
                assert_eq!(host.poll(), [vec![], vec![]]);
                let received = host.stack.recvfrom(datagram, &mut [0; 8]);
                assert_eq!(received, Err(Error::WouldBlock));
            }
        }
    }
}

#[test]
fn a_neighbor_that_never_answers_is_unreachable_after_three_seconds() {
    for [neighbor, _] in NEIGHBORS {
        let mut host = Host::new();
        let peer = at(ip(neighbor), 80);
        host.silent.push(peer.ip());
        let stream = host.connect(peer);
        let datagram = host.socket(peer.ip(), Type::Datagram);
        host.stack.sendto(datagram, b"hello", peer).unwrap();
        let alarms: Vec<_> = [(stream, Interest::Writable), (datagram, Interest::Readable)]
            .into_iter()
            .map(|(fd, interest)| {
                let (alarm, waker) = Alarm::new();
                host.stack.register_waker(fd, interest, &waker).unwrap();
                alarm
            })
            .collect();
        host.run_until(Instant::from_millis(2_999));
        assert_eq!(host.stack.connect(stream, peer), Err(Error::WouldBlock));
        assert_eq!(host.stack.take_error(datagram), Ok(None));
        assert!(alarms.iter().all(|alarm| alarm.count() == 0));

        host.run_until(Instant::from_millis(3_001));
        assert!(alarms.iter().all(|alarm| alarm.count() == 1));
        assert_eq!(
            host.stack.connect(stream, peer),
            Err(Error::HostUnreachable)
        );
        assert_eq!(
            host.stack.recv(datagram, &mut [0; 8]),
            Err(Error::HostUnreachable)
        );
        assert!(
            (3..=4).contains(&host.requests.len()),
            "{:?}",
            host.requests
        );
        assert_eq!(host.stack.usage().connections, 0);

        // It is back: the socket works again, and what was given up stays so.
        host.silent.clear();
        host.run_until(Instant::from_secs(10));
        host.stack.sendto(datagram, b"again", peer).unwrap();
        let (_, _, packet) = host.poll_one();
        assert_eq!(packet.datagram(), b"again");
    }
}

/// A host behind a router that is gone is unreachable just the same.
#[test]
fn a_gateway_that_never_answers_makes_its_hosts_unreachable() {
    for (gateway, destination) in [(GATEWAYS[0], "192.0.2.1"), (GATEWAYS[1], "2001:db8::1")] {
        let mut host = Host::new();
        host.silent.push(ip(gateway));
        let peer = at(ip(destination), 80);
        let stream = host.connect(peer);
        host.run_until(Instant::from_millis(3_001));
        assert_eq!(
            host.stack.connect(stream, peer),
            Err(Error::HostUnreachable)
        );
    }
}

/// Whoever waits for a silent neighbor holds up nobody else, and of one socket's datagrams only those before it.
#[test]
fn others_go_on_while_one_neighbor_is_silent() {
    for neighbors in [["10.0.0.2", "10.0.0.3"], ["fd00::2", "fd00::3"]] {
        let mut host = Host::new();
        let [silent, awake] = neighbors.map(|neighbor| at(ip(neighbor), 80));
        host.silent.push(silent.ip());
        let stuck = host.socket(silent.ip(), Type::Datagram);
        host.stack.sendto(stuck, b"lost", silent).unwrap();
        host.stack.sendto(stuck, b"lost too", silent).unwrap();
        host.stack.sendto(stuck, b"late", awake).unwrap();
        host.poll();
        let other = host.socket(awake.ip(), Type::Datagram);
        for _ in 0..3 {
            host.stack.sendto(other, b"prompt", awake).unwrap();
            let (_, _, packet) = host.poll_one();
            assert_eq!(packet.datagram(), b"prompt");
        }

        let mut arrived = Vec::new();
        while host.now < Instant::from_secs(12) {
            host.now += Duration::from_millis(100);
            let [sent, _] = host.poll();
            arrived.extend(
                sent.into_iter()
                    .map(|(_, packet)| packet.datagram().to_vec()),
            );
        }
        assert_eq!(arrived, [b"late"]);
        assert_eq!(
            host.stack.take_error(stuck),
            Ok(Some(Error::HostUnreachable))
        );
    }
}

/// A scan of a link that is mostly empty does not keep the host from those who are there.
#[test]
fn fifty_silent_neighbors_do_not_delay_another() {
    for prefix in ["10.0.0.", "fd00::"] {
        let mut host = Host::new();
        let awake = at(ip(&format!("{prefix}99")), 80);
        let silent: Vec<_> = (10..60)
            .map(|i| at(ip(&format!("{prefix}{i}")), 80))
            .collect();
        host.silent.extend(silent.iter().map(SocketAddr::ip));
        let scan: Vec<_> = silent.iter().map(|peer| host.connect(*peer)).collect();
        assert_eq!(host.poll(), [vec![], vec![]]);
        host.connect(awake);
        let (_, station, packet) = host.poll_one();
        assert_eq!((station, packet.to()), (mac_of(awake.ip()), awake));

        host.run_until(Instant::from_millis(3_001));
        for (fd, peer) in scan.into_iter().zip(silent) {
            let outcome = host.stack.connect(fd, peer);
            assert_eq!(outcome, Err(Error::HostUnreachable), "{peer}");
            let asked = host
                .requests
                .iter()
                .filter(|neighbor| **neighbor == peer.ip());
            assert!((3..=4).contains(&asked.count()), "{peer}");
        }
    }
}

/// More silent neighbors than can be asked for in a second: each gets its turn, and none is given up unasked.
#[test]
fn nobody_is_unreachable_who_was_not_asked_for() {
    for prefix in ["10.0.0.", "fd00::"] {
        let mut host = Host::new();
        let peer = |i: usize| at(ip(&format!("{prefix}{i}")), 80);
        let silent: Vec<_> = (10..200).map(peer).collect();
        host.silent.extend(silent.iter().map(SocketAddr::ip));
        let scan: Vec<_> = silent.iter().map(|peer| host.connect(*peer)).collect();
        let awake = peer(250);
        let datagram = host.socket(awake.ip(), Type::Datagram);
        host.stack.sendto(datagram, b"hello", awake).unwrap();
        let mut arrived = 0;
        let mut over = 0;
        while over < scan.len() && host.now < Instant::from_secs(60) {
            let [sent, _] = host.poll();
            arrived += sent
                .iter()
                .filter(|(_, packet)| packet.to() == awake)
                .count();
            for (fd, peer) in scan.iter().zip(&silent) {
                if host.stack.take_error(*fd) == Ok(Some(Error::HostUnreachable)) {
                    over += 1;
                    let asked = host
                        .requests
                        .iter()
                        .filter(|neighbor| **neighbor == peer.ip());
                    assert!(asked.count() >= 3, "{peer} at {}", host.now);
                }
            }
            host.now += Duration::from_millis(250);
        }
        assert_eq!(over, scan.len());
        assert_eq!(arrived, 1);
        assert_eq!(host.stack.take_error(datagram), Ok(None));
    }
}

#[test]
fn two_hundred_sockets_proceed_at_a_late_answer() {
    for [neighbor, _] in NEIGHBORS {
        let mut host = Host::new();
        let peer = at(ip(neighbor), 80);
        host.silent.push(peer.ip());
        let mut ports = Vec::new();
        for _ in 0..100 {
            let stream = host.connect(peer);
            let datagram = host.socket(peer.ip(), Type::Datagram);
            host.stack.sendto(datagram, b"hello", peer).unwrap();
            for fd in [stream, datagram] {
                ports.push(host.stack.getsockname(fd).unwrap().port());
            }
        }
        host.run_until(Instant::from_millis(2_500));
        assert!(
            (2..=4).contains(&host.requests.len()),
            "{}",
            host.requests.len()
        );
        assert_eq!(host.poll(), [vec![], vec![]]);

        let reply = ethernet::answer(own(0, peer.ip()), MAC[0], peer.ip());
        host.cables[0].incoming.push_back(reply);
        let [sent, other] = host.poll();
        assert_eq!(other, []);
        assert!(
            sent.iter()
                .all(|(station, _)| *station == mac_of(peer.ip()))
        );
        let mut seen: Vec<_> = sent
            .iter()
            .map(|(_, packet)| packet.from().port())
            .collect();
        ports.sort_unstable();
        seen.sort_unstable();
        assert_eq!(seen, ports);
    }
}
