//! ICMP errors reach the socket they speak of, and no other; forged ones reach none (RFC 1122 §4.1.3.3 and §4.2.3.9,
//! RFC 4443 §2.4, RFC 5927).
#![cfg(all(feature = "std", feature = "ipv4", feature = "ipv6"))]
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a test says what broke by panicking"
)]

mod frames;

use std::net::{IpAddr, SocketAddr};

use frames::packet::{self, ACK, Packet, RST, SYN, Segment};
use frames::{Alarm, Cable, FAMILIES, at, domain, ip, plug};
use glasstack::{
    Error, Fd, Stack,
    smoltcp::time::Instant,
    stack::{Capacity, Interest, InterfaceId, Type},
};

const NOW: Instant = Instant::ZERO;

struct Host {
    stack: Stack<'static>,
    link: InterfaceId,
    cable: Cable,
    address: IpAddr,
    neighbor: IpAddr,
    /// Whoever sends the errors.
    router: IpAddr,
}

impl Host {
    fn new([address, neighbor, router]: [&str; 3]) -> Host {
        let mut stack = Stack::with_capacity(Capacity::default(), [7; 16], ());
        let (cable, link) = plug(&mut stack, ip(address));
        Host {
            stack,
            link,
            cable,
            address: ip(address),
            neighbor: ip(neighbor),
            router: ip(router),
        }
    }

    fn families() -> impl Iterator<Item = Host> {
        FAMILIES.into_iter().map(Host::new)
    }

    fn poll(&mut self) {
        let _ = self.stack.poll(self.link, NOW, &mut self.cable);
    }

    fn receive(&mut self, packet: Vec<u8>) {
        self.cable.incoming.push_back(packet);
        self.poll();
    }

    fn socket(&mut self, kind: Type) -> Fd {
        self.stack.socket(domain(self.address), kind).unwrap()
    }

    fn peer(&self) -> SocketAddr {
        at(self.neighbor, 80)
    }

    /// A stream socket that has just sent its SYN, and the packet.
    fn connecting(&mut self) -> (Fd, Vec<u8>) {
        let fd = self.socket(Type::Stream);
        let connect = self.stack.connect(fd, self.peer());
        assert_eq!(connect, Err(Error::WouldBlock));
        self.poll();
        let syn = self.cable.sent.pop_back().unwrap();
        assert_eq!(Packet::read(&syn).segment().flags, SYN);
        (fd, syn)
    }

    /// A connected datagram socket that has just sent a datagram, and the packet.
    fn datagram(&mut self) -> (Fd, Vec<u8>) {
        let fd = self.socket(Type::Datagram);
        self.stack.connect(fd, self.peer()).unwrap();
        assert_eq!(self.stack.send(fd, b"hello"), Ok(5));
        self.poll();
        (fd, self.cable.sent.pop_back().unwrap())
    }

    fn error(&self, kind: u8, code: u8, quoted: &[u8]) -> Vec<u8> {
        packet::icmp_error(self.router, kind, code, quoted)
    }

    /// An error that any socket would hear: "port unreachable".
    fn unreachable(&self, quoted: &[u8]) -> Vec<u8> {
        let (kind, code) = self.port_unreachable();
        self.error(kind, code, quoted)
    }

    fn port_unreachable(&self) -> (u8, u8) {
        if self.address.is_ipv4() {
            (3, 3)
        } else {
            (1, 4)
        }
    }

    fn header_len(&self) -> usize {
        if self.address.is_ipv4() { 20 } else { 40 }
    }

    /// Type, code, and what a socket makes of them.
    fn meanings(&self) -> &'static [(u8, u8, Error)] {
        if self.address.is_ipv4() {
            &[
                (3, 0, Error::NetworkUnreachable),
                (3, 1, Error::HostUnreachable),
                (3, 2, Error::ConnectionRefused),
                (3, 3, Error::ConnectionRefused),
                (3, 6, Error::NetworkUnreachable),
                (3, 9, Error::NetworkUnreachable),
                (3, 10, Error::HostUnreachable),
                (3, 13, Error::HostUnreachable),
                (11, 0, Error::HostUnreachable),
            ]
        } else {
            &[
                (1, 0, Error::NetworkUnreachable),
                (1, 1, Error::PermissionDenied),
                (1, 3, Error::HostUnreachable),
                (1, 4, Error::ConnectionRefused),
                (1, 5, Error::PermissionDenied),
                (3, 0, Error::HostUnreachable),
            ]
        }
    }
}

#[test]
fn connect_hears_why_it_cannot() {
    for mut host in Host::families() {
        for &(kind, code, error) in host.meanings() {
            let (fd, syn) = host.connecting();
            let (alarm, waker) = Alarm::new();
            for interest in [Interest::Readable, Interest::Writable] {
                host.stack.register_waker(fd, interest, &waker).unwrap();
            }
            // Eight octets behind the header are all that a router must quote (RFC 792).
            let quoted = &syn[..host.header_len() + 8];
            host.receive(host.error(kind, code, quoted));
            assert_eq!(alarm.count(), 2, "{kind} {code}");
            let readiness = host.stack.readiness(fd).unwrap();
            assert!(readiness.error && readiness.readable && readiness.writable);
            let peer = host.peer();
            assert_eq!(host.stack.connect(fd, peer), Err(error), "{kind} {code}");
            assert_eq!(host.stack.usage().connections, 0);
            assert!(host.cable.sent.is_empty(), "it ends without a word");

            // It may try again.
            assert_eq!(host.stack.connect(fd, peer), Err(Error::WouldBlock));
            host.poll();
            let again = Packet::read(&host.cable.sent.pop_back().unwrap());
            assert_eq!(again.segment().flags, SYN);
            host.stack.close(fd).unwrap();
        }
    }
}

#[test]
fn a_connected_datagram_socket_hears_it_once_at_send_or_recv() {
    for mut host in Host::families() {
        for (round, &(kind, code, error)) in host.meanings().iter().cycle().take(20).enumerate() {
            let (fd, datagram) = host.datagram();
            let (alarm, waker) = Alarm::new();
            let interest = Interest::Readable;
            host.stack.register_waker(fd, interest, &waker).unwrap();
            let quoted = &datagram[..host.header_len() + 8];
            host.receive(host.error(kind, code, quoted));
            assert_eq!(alarm.count(), 1, "{kind} {code}");
            let readiness = host.stack.readiness(fd).unwrap();
            assert!(readiness.error && readiness.readable && readiness.writable);
            match round % 3 {
                0 => assert_eq!(host.stack.send(fd, b"again"), Err(error)),
                1 => assert_eq!(host.stack.recv(fd, &mut [0; 8]), Err(error)),
                _ => assert_eq!(host.stack.take_error(fd), Ok(Some(error))),
            }
            assert!(!host.stack.readiness(fd).unwrap().error);
            assert_eq!(host.stack.recv(fd, &mut [0; 8]), Err(Error::WouldBlock));
            assert_eq!(host.stack.send(fd, b"again"), Ok(5));
            host.poll();
            host.cable.sent.clear();
            host.stack.close(fd).unwrap();
        }
    }
}

/// What must change nothing, as ways to spoil the "port unreachable" that quotes a packet.
fn forgeries(host: &Host, sent: &[u8]) -> Vec<(&'static str, Vec<u8>)> {
    let header = host.header_len();
    let (kind, code) = host.port_unreachable();
    let with = |quoted: &[u8]| {
        let body = [&[0; 4], quoted].concat();
        packet::icmp(host.router, host.address, kind, code, &body)
    };
    let alter = |at: usize| {
        let mut quoted = sent.to_vec();
        quoted[at] ^= 1;
        with(&quoted)
    };
    let mut bad_checksum = host.unreachable(sent);
    bad_checksum[header + 2] ^= 1;
    // Its addressee is another of this link, or a group.
    let body = [&[0; 4], sent].concat();
    let all_hosts = ip(if host.address.is_ipv4() {
        "224.0.0.1"
    } else {
        "ff02::1"
    });
    let other = packet::icmp(host.router, host.router, kind, code, &body);
    let group = packet::icmp(host.router, all_hosts, kind, code, &body);
    let source = header - if host.address.is_ipv4() { 5 } else { 17 };
    let mut forged = vec![
        ("another local port", alter(header + 1)),
        ("another remote port", alter(header + 3)),
        ("another local address", alter(source)),
        ("another remote address", alter(header - 1)),
        (
            "another protocol",
            alter(if host.address.is_ipv4() { 9 } else { 6 }),
        ),
        (
            "another version",
            with(&[&[sent[0] ^ 0x20], &sent[1..]].concat()),
        ),
        ("a bad checksum", bad_checksum),
        ("an informational message", host.error(128, 0, sent)),
        (
            "a redirect",
            host.error(if host.address.is_ipv4() { 5 } else { 137 }, 0, sent),
        ),
        (
            "fragmentation needed",
            host.error(if host.address.is_ipv4() { 3 } else { 2 }, 4, sent),
        ),
        ("sent to another host", other),
        ("sent to a group", group),
    ];
    if host.address.is_ipv4() {
        let short = [&[0x44], &sent[1..]].concat();
        forged.push(("a header that is too short", with(&short)));
        // What looks like ports there is data.
        let later = [&sent[..6], &[0, 1], &sent[8..]].concat();
        forged.push(("a later fragment", with(&later)));
    }
    forged.extend((0..header + 8).map(|len| ("a truncated quote", with(&sent[..len]))));
    forged
}

#[test]
fn forged_errors_change_nothing_for_a_connect() {
    for mut host in Host::families() {
        let (fd, syn) = host.connecting();
        let (alarm, waker) = Alarm::new();
        host.stack
            .register_waker(fd, Interest::Writable, &waker)
            .unwrap();
        let mut forged = forgeries(&host, &syn);
        for octet in 4..8 {
            let mut quoted = syn.clone();
            quoted[host.header_len() + octet] ^= 0x80;
            forged.push(("another sequence number", host.unreachable(&quoted)));
        }
        for (what, packet) in forged {
            host.receive(packet);
            let peer = host.peer();
            assert_eq!(
                host.stack.connect(fd, peer),
                Err(Error::WouldBlock),
                "{what}"
            );
            assert_eq!(alarm.count(), 0, "{what}");
        }
        // The real one still ends it.
        host.receive(host.unreachable(&syn));
        let peer = host.peer();
        assert_eq!(host.stack.connect(fd, peer), Err(Error::ConnectionRefused));
    }
}

#[test]
fn forged_errors_change_nothing_for_a_datagram_socket() {
    for mut host in Host::families() {
        let (fd, datagram) = host.datagram();
        let (alarm, waker) = Alarm::new();
        host.stack
            .register_waker(fd, Interest::Readable, &waker)
            .unwrap();
        for (what, packet) in forgeries(&host, &datagram) {
            host.receive(packet);
            assert_eq!(host.stack.take_error(fd), Ok(None), "{what}");
            assert_eq!(alarm.count(), 0, "{what}");
        }
        host.receive(host.unreachable(&datagram));
        assert_eq!(
            host.stack.take_error(fd),
            Ok(Some(Error::ConnectionRefused))
        );
    }
}

#[test]
fn an_error_from_another_interface_changes_nothing() {
    for mut host in Host::families() {
        let mut other = Cable::ip();
        let elsewhere = host.stack.add_interface(&mut other, None).unwrap();
        let (stream, syn) = host.connecting();
        let (socket, datagram) = host.datagram();
        for quoted in [&syn, &datagram] {
            other.incoming.push_back(host.unreachable(quoted));
        }
        let _ = host.stack.poll(elsewhere, NOW, &mut other);
        let peer = host.peer();
        assert_eq!(host.stack.connect(stream, peer), Err(Error::WouldBlock));
        assert_eq!(host.stack.take_error(socket), Ok(None));
    }
}

/// RFC 5927 §5.2: an established connection outlives the errors that a stranger could send.
#[test]
fn an_established_connection_goes_on() {
    for mut host in Host::families() {
        let (fd, syn) = host.connecting();
        let (local, peer) = (Packet::read(&syn).from(), host.peer());
        let next = Packet::read(&syn).segment().seq.wrapping_add(1);
        host.receive(Segment::new(SYN | ACK, 5000, next).packet(peer, local));
        assert_eq!(host.stack.connect(fd, peer), Ok(()));
        host.stack.send(fd, b"hello").unwrap();
        host.poll();
        let data = host.cable.sent.pop_back().unwrap();
        for &(kind, code, _) in host.meanings() {
            for quoted in [&syn, &data] {
                host.receive(host.error(kind, code, quoted));
                assert_eq!(host.stack.take_error(fd), Ok(None), "{kind} {code}");
            }
        }
        let mut answer = Segment::new(ACK, 5001, next.wrapping_add(5));
        answer.data = b"welcome".to_vec();
        host.receive(answer.packet(peer, local));
        let mut buffer = [0; 16];
        assert_eq!(host.stack.recv(fd, &mut buffer), Ok(7));
    }
}

/// A listener's half-open connection is not ended by a message that anybody can forge, either.
#[test]
fn a_handshake_from_outside_goes_on() {
    for mut host in Host::families() {
        let listener = host.socket(Type::Stream);
        let (local, remote) = (at(host.address, 9999), at(host.neighbor, 50000));
        host.stack.bind(listener, local).unwrap();
        host.stack.listen(listener, 1).unwrap();
        host.receive(Segment::new(SYN, 1000, 0).packet(remote, local));
        let answer = host.cable.sent.pop_back().unwrap();
        host.receive(host.unreachable(&answer));
        let next = Packet::read(&answer).segment().seq.wrapping_add(1);
        host.receive(Segment::new(ACK, 1001, next).packet(remote, local));
        assert!(host.stack.accept(listener).is_ok());
    }
}

/// As POSIX systems do: without a peer there is nobody to speak of.
#[test]
fn an_unconnected_datagram_socket_hears_nothing() {
    for mut host in Host::families() {
        let fd = host.socket(Type::Datagram);
        let (alarm, waker) = Alarm::new();
        let peer = host.peer();
        host.stack.sendto(fd, b"hello", peer).unwrap();
        host.poll();
        host.stack
            .register_waker(fd, Interest::Readable, &waker)
            .unwrap();
        let datagram = host.cable.sent.pop_back().unwrap();
        host.receive(host.unreachable(&datagram));
        assert_eq!(host.stack.take_error(fd), Ok(None));
        assert_eq!(host.stack.recv(fd, &mut [0; 8]), Err(Error::WouldBlock));
        assert_eq!(host.stack.sendto(fd, b"again", peer), Ok(5));
        assert_eq!(alarm.count(), 0);
    }
}

#[test]
fn only_the_socket_that_is_spoken_of_hears_it() {
    for mut host in Host::families() {
        let (first, datagram) = host.datagram();
        let (second, _) = host.datagram();
        let (third, syn) = host.connecting();
        let (fourth, _) = host.connecting();
        host.receive(host.unreachable(&datagram));
        host.receive(host.unreachable(&syn));
        let errors = [first, second].map(|fd| host.stack.take_error(fd));
        assert_eq!(errors, [Ok(Some(Error::ConnectionRefused)), Ok(None)]);
        let peer = host.peer();
        let connects = [third, fourth].map(|fd| host.stack.connect(fd, peer));
        assert_eq!(
            connects,
            [Err(Error::ConnectionRefused), Err(Error::WouldBlock)]
        );
    }
}

#[test]
fn a_port_that_nobody_listens_on_is_refused_at_once() {
    for mut host in Host::families() {
        let (from, to) = (at(host.neighbor, 50000), at(host.address, 9));
        host.receive(Segment::new(SYN, 1000, 0).packet(from, to));
        let answer = Packet::read(&host.cable.sent.pop_front().unwrap());
        assert_eq!((answer.from(), answer.to()), (to, from));
        let segment = answer.segment();
        assert_eq!(
            (segment.flags, segment.seq, segment.ack),
            (RST | ACK, 0, 1001)
        );

        let datagram = packet::udp(from, to, b"hello");
        host.receive(datagram.clone());
        let answer = Packet::read(&host.cable.sent.pop_front().unwrap());
        assert_eq!((answer.source, answer.destination), (to.ip(), from.ip()));
        assert_eq!(answer.icmp(), host.port_unreachable());
        assert!(answer.payload[8..].starts_with(&datagram[..host.header_len() + 8]));
        assert!(host.cable.sent.is_empty());

        // A reset is never answered, nor is what came for a group or from one (RFC 1122 §3.2.2).
        host.receive(Segment::new(RST, 1000, 0).packet(from, to));
        let group = ip(if host.address.is_ipv4() {
            "224.0.0.1"
        } else {
            "ff02::1"
        });
        host.receive(packet::udp(from, at(group, 9), b"hello"));
        host.receive(Segment::new(SYN, 1000, 0).packet(from, at(group, 9)));
        host.receive(packet::udp(at(group, 5), to, b"hello"));
        host.receive(Segment::new(SYN, 1000, 0).packet(at(group, 5), to));
        let sent: Vec<_> = host
            .cable
            .sent
            .iter()
            .map(|frame| Packet::read(frame))
            .collect();
        assert_eq!(sent, []);
    }
}
