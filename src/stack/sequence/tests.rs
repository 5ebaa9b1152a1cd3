extern crate std;
use super::*;
use core::net::Ipv4Addr;
use smoltcp::phy::{Device, DeviceCapabilities, RxToken, TxToken};
use smoltcp::{
    iface::{SocketSet, SocketStorage},
    socket::tcp,
    wire::{IpCidr, TcpPacket},
};
use std::{collections::BTreeSet, vec, vec::Vec};

const KEY: [u8; 16] = *b"0123456789abcdef";

// Plain numbers.

const LOCAL: (IpAddr, u16) = (IpAddr::V4(Ipv4Addr::new(10, 0, 0, 1)), 50000);
const REMOTE: (IpAddr, u16) = (IpAddr::V4(Ipv4Addr::new(10, 0, 0, 2)), 9999);
const OTHER: (IpAddr, u16) = (IpAddr::V6(Ipv6Addr::LOCALHOST), 9999);

#[test]
fn hashes_depend_on_the_key_the_purpose_and_every_part() {
    let secret = Secret::new(KEY);
    let hashes = [
        secret.flow_hash(LOCAL, REMOTE),
        secret.flow_hash(REMOTE, LOCAL),
        secret.flow_hash(LOCAL, OTHER),
        secret.flow_hash(LOCAL, (REMOTE.0, 9998)),
        secret.flow_hash((LOCAL.0, 50001), REMOTE),
        secret.initial_sequence_number(Instant::ZERO, LOCAL, REMOTE),
        secret.port_hash(true, 9999),
        secret.port_hash(false, 9999),
        secret.port_hash(true, 9998),
        Secret::new([0; 16]).flow_hash(LOCAL, REMOTE),
        Secret::new([0; 16]).port_hash(true, 9999),
    ];
    assert_eq!(BTreeSet::from(hashes).len(), hashes.len());
    assert_eq!(hashes[0], Secret::new(KEY).flow_hash(LOCAL, REMOTE));
}

#[test]
fn random_numbers_do_not_repeat() {
    let mut secret = Secret::new(KEY);
    let numbers: BTreeSet<u64> = (0..10_000).map(|_| secret.random_u64()).collect();
    assert_eq!(numbers.len(), 10_000);
}

#[test]
fn sequence_numbers_follow_the_clock_of_four_microseconds() {
    let secret = Secret::new(KEY);
    let at =
        |micros: i64| secret.initial_sequence_number(Instant::from_micros(micros), LOCAL, REMOTE);
    assert_eq!(at(3), at(0));
    assert_eq!(at(4), at(0).wrapping_add(1));
    assert_eq!(at(1_000_000), at(0).wrapping_add(250_000));
    assert_eq!(at(-1), at(0).wrapping_sub(1));
    // The clock wraps around after 4.8 hours.
    assert_eq!(at(4 << 32), at(0));
}

#[test]
fn a_new_connection_starts_above_the_last_one() {
    let mut secret = Secret::new(KEY);
    let mut now = Instant::ZERO;
    for sent in [0, 1, 249_999, 250_000, 250_001, 5_000_000, i32::MAX as u32] {
        let first = secret.initial_sequence_number(now, LOCAL, REMOTE);
        now = Instant::from_micros(now.total_micros() + 1_000_000);
        let last = first.wrapping_add(sent);
        secret.outrun(now, LOCAL, REMOTE, last);
        let next = secret.initial_sequence_number(now, LOCAL, REMOTE);
        assert!(next.wrapping_sub(last) as i32 > 0, "after {sent} bytes");
    }
}

#[test]
fn a_slow_connection_leaves_the_clock_alone() {
    let mut secret = Secret::new(KEY);
    let now = Instant::from_micros(1_000_000);
    let next = secret.initial_sequence_number(now, LOCAL, REMOTE);
    for behind in [1, 1000, i32::MAX as u32] {
        secret.outrun(now, LOCAL, REMOTE, next.wrapping_sub(behind));
        assert_eq!(secret.initial_sequence_number(now, LOCAL, REMOTE), next);
    }
}

#[test]
fn ports_to_one_destination_do_not_repeat_until_all_were_used() {
    let mut secret = Secret::new(KEY);
    let mut seen = BTreeSet::new();
    for i in 0..EPHEMERAL_COUNT {
        // Others that connect in between advance the counters, but never turn one back.
        if i % 1000 == 0 {
            secret.ephemeral_port(OTHER.0, (OTHER.0, i), |_| false);
        }
        let port = secret.ephemeral_port(LOCAL.0, REMOTE, |port| seen.contains(&port));
        assert!(port.is_some_and(|port| seen.insert(port)));
    }
    assert!(seen.into_iter().eq(EPHEMERAL_PORTS));

    let mut secret = Secret::new(KEY);
    let ports = EPHEMERAL_PORTS.filter_map(|_| secret.ephemeral_port(LOCAL.0, REMOTE, |_| false));
    let ports: BTreeSet<u16> = ports.collect();
    assert!(ports.into_iter().eq(EPHEMERAL_PORTS));
}

#[test]
fn ports_to_one_destination_tell_nothing_about_another() {
    let mut secret = Secret::new(KEY);
    let mut starts = BTreeSet::new();
    for port in 0..100 {
        starts.extend(secret.ephemeral_port(LOCAL.0, (REMOTE.0, port), |_| false));
    }
    assert!(starts.len() > 90);
}

#[test]
fn random_ports_cover_the_range() {
    let mut secret = Secret::new(KEY);
    let mut seen = BTreeSet::new();
    for _ in EPHEMERAL_PORTS {
        let port = secret.random_port(|port| seen.contains(&port));
        assert!(port.is_some_and(|port| seen.insert(port)));
    }
    assert!(seen.into_iter().eq(EPHEMERAL_PORTS));
}

#[test]
fn a_port_in_use_is_never_given_out() {
    let mut secret = Secret::new(KEY);
    for free in [49152, 50000, 65535] {
        let in_use = |port| port != free;
        assert_eq!(secret.ephemeral_port(LOCAL.0, REMOTE, in_use), Some(free));
        assert_eq!(secret.random_port(in_use), Some(free));
    }
    assert_eq!(secret.ephemeral_port(LOCAL.0, REMOTE, |_| true), None);
    assert_eq!(secret.random_port(|_| true), None);
}

// What smoltcp makes of the seeds. These tests pin this file to smoltcp's version: a release that draws otherwise fails here.

#[cfg(feature = "ipv4")]
const CLIENT: IpAddress = IpAddress::v4(10, 0, 0, 1);
#[cfg(feature = "ipv4")]
const SERVER: IpAddress = IpAddress::v4(10, 0, 0, 2);
#[cfg(not(feature = "ipv4"))]
const CLIENT: IpAddress = IpAddress::v6(0xfd00, 0, 0, 0, 0, 0, 0, 1);
#[cfg(not(feature = "ipv4"))]
const SERVER: IpAddress = IpAddress::v6(0xfd00, 0, 0, 0, 0, 0, 0, 2);
const IP_HEADER: usize = if cfg!(feature = "ipv4") { 20 } else { 40 };

const NUMBERS: [u32; 9] = [
    0,
    1,
    2,
    0xffff,
    0x7fff_ffff,
    0x8000_0000,
    0xdead_beef,
    0xffff_fffe,
    0xffff_ffff,
];

/// A device that yields at most one frame and keeps what is sent.
#[derive(Default)]
struct Desk {
    received: Option<Vec<u8>>,
    sent: Vec<Vec<u8>>,
}
struct Received(Vec<u8>);
struct Sending<'a>(&'a mut Vec<Vec<u8>>);

impl RxToken for Received {
    fn consume<R, F: FnOnce(&[u8]) -> R>(self, read: F) -> R {
        read(&self.0)
    }
}

impl TxToken for Sending<'_> {
    fn consume<R, F: FnOnce(&mut [u8]) -> R>(self, len: usize, write: F) -> R {
        let mut frame = vec![0; len];
        let result = write(&mut frame);
        self.0.push(frame);
        result
    }
}

impl Device for Desk {
    type RxToken<'a> = Received;
    type TxToken<'a> = Sending<'a>;

    fn receive(&mut self, _: Instant) -> Option<(Received, Sending<'_>)> {
        let frame = self.received.take()?;
        Some((Received(frame), Sending(&mut self.sent)))
    }

    fn transmit(&mut self, _: Instant) -> Option<Sending<'_>> {
        Some(Sending(&mut self.sent))
    }

    fn capabilities(&self) -> DeviceCapabilities {
        Absent.capabilities()
    }
}

/// The one frame that an ordinary interface sends for this socket.
fn frame_of(address: IpAddress, sockets: &mut SocketSet<'_>) -> Vec<u8> {
    let mut desk = Desk::default();
    let config = Config::new(HardwareAddress::Ip);
    let mut interface = Interface::new(config, &mut desk, Instant::ZERO);
    interface.update_ip_addrs(|addresses| addresses.push(IpCidr::new(address, 24)).unwrap());
    interface.poll_egress(Instant::ZERO, &mut desk, sockets);
    assert_eq!(desk.sent.len(), 1);
    desk.sent.remove(0)
}

fn sequence_number(frame: &[u8]) -> u32 {
    let segment = TcpPacket::new_checked(&frame[IP_HEADER..]).unwrap();
    assert!(segment.syn());
    segment.seq_number().0 as u32
}

/// The SYN of a socket that connects through a throw-away interface.
fn syn(seed: u64) -> Vec<u8> {
    let (mut receive, mut send) = ([0; 64], [0; 64]);
    let mut socket = tcp::Socket::new(
        tcp::SocketBuffer::new(&mut receive[..]),
        tcp::SocketBuffer::new(&mut send[..]),
    );
    let context = &mut throw_away(seed);
    socket
        .connect(context.context(), (SERVER, 9999), (CLIENT, 50000))
        .unwrap();
    let mut storage = [SocketStorage::EMPTY];
    let mut sockets = SocketSet::new(&mut storage[..]);
    sockets.add(socket);
    frame_of(CLIENT, &mut sockets)
}

#[test]
fn connect_takes_exactly_the_sequence_number_wanted() {
    for isn in NUMBERS {
        for low_bits in [0, 1, 0x1fff_ffff, u64::MAX, 0x0123_4567_89ab_cdef] {
            let syn = syn(seed_for(isn, low_bits));
            assert_eq!(sequence_number(&syn), isn, "low bits {low_bits:#x}");
        }
    }
    let mut secret = Secret::new(KEY);
    for _ in 0..1000 {
        let isn = secret.random_u64() as u32;
        assert_eq!(
            sequence_number(&syn(seed_for(isn, secret.random_u64()))),
            isn
        );
    }
}

/// An IPv4 id of zero is drawn again, which would shift every draw after it.
#[test]
#[cfg(feature = "ipv4")]
fn low_bits_that_would_draw_the_ipv4_id_twice_are_passed_over() {
    for isn in [1, 0x8000_0000] {
        let draws_zero = |&low_bits: &u64| {
            let state = (u64::from(isn) << 29) | low_bits;
            fold(Generator { state }.before().output()) == 0
        };
        let low_bits = (0..1 << 29).find(draws_zero).unwrap();
        let state = (u64::from(isn) << 29) | low_bits;
        let naive = Generator { state }.before().before().state;
        assert_ne!(sequence_number(&syn(naive)), isn);
        assert_eq!(sequence_number(&syn(seed_for(isn, low_bits))), isn);
    }
}

#[test]
fn a_listener_answers_with_exactly_the_sequence_number_wanted() {
    for isn in NUMBERS {
        let (mut receive, mut send) = ([0; 64], [0; 64]);
        let mut socket = tcp::Socket::new(
            tcp::SocketBuffer::new(&mut receive[..]),
            tcp::SocketBuffer::new(&mut send[..]),
        );
        socket.listen(9999).unwrap();
        let mut storage = [SocketStorage::EMPTY];
        let mut sockets = SocketSet::new(&mut storage[..]);
        sockets.add(socket);

        let mut desk = Desk {
            received: Some(syn(7)),
            sent: Vec::new(),
        };
        let mut interface = throw_away(seed_for(isn, 12345));
        interface.poll_ingress_single(Instant::ZERO, &mut desk, &mut sockets);
        assert!(desk.sent.is_empty());
        assert_eq!(sequence_number(&frame_of(SERVER, &mut sockets)), isn);
    }
}
