//! Socket options: each getter gives what was set, and each shows on the wire.
#![cfg(all(feature = "std", feature = "ipv4", feature = "ipv6"))]
// A step that fails fails its test.
#![allow(clippy::unwrap_used, clippy::panic)]

mod net;

use std::time::Duration;

use glasstack::smoltcp::time::Duration as Time;
use glasstack::smoltcp::wire::{Ipv4Packet, Ipv6Packet};
use glasstack::stack::option::{
    Congestion, CongestionControl, HopLimit, KeepAlive, NoDelay, UserTimeout, V6Only,
};
use glasstack::stack::{Domain, Type};
use glasstack::{Error, Fd};
use net::segment::SYN;
use net::{Net, SERVER, SERVER_V6, Side, capacity};

/// Sets each option to each of its values and reads it back.
fn every_option_reads_back(net: &mut Net, fd: Fd) {
    let stack = &mut net.client.stack;
    for value in [true, false] {
        stack.setsockopt(fd, NoDelay, value).unwrap();
        assert_eq!(stack.getsockopt(fd, NoDelay), Ok(value));
    }
    for value in [
        None,
        Some(Duration::from_millis(1)),
        Some(Duration::from_secs(7_200)),
        None,
    ] {
        stack.setsockopt(fd, UserTimeout, value).unwrap();
        assert_eq!(stack.getsockopt(fd, UserTimeout), Ok(value));
    }
    for value in [1, 255, 64] {
        stack.setsockopt(fd, HopLimit, value).unwrap();
        assert_eq!(stack.getsockopt(fd, HopLimit), Ok(value));
    }
    for value in [
        CongestionControl::None,
        CongestionControl::Cubic,
        CongestionControl::Reno,
    ] {
        stack.setsockopt(fd, Congestion, value).unwrap();
        assert_eq!(stack.getsockopt(fd, Congestion), Ok(value));
    }
    // Out of range: refused, and the old value stays.
    assert_eq!(
        stack.setsockopt(fd, HopLimit, 0),
        Err(Error::InvalidArgument)
    );
    assert_eq!(stack.getsockopt(fd, HopLimit), Ok(64));
    let zero = Some(Duration::ZERO);
    assert_eq!(
        stack.setsockopt(fd, UserTimeout, zero),
        Err(Error::InvalidArgument)
    );
    assert_eq!(stack.getsockopt(fd, UserTimeout), Ok(None));
}

#[test]
fn the_defaults_are_the_documented_ones() {
    let mut net = Net::new();
    for kind in [Type::Stream, Type::Datagram] {
        let fd = net.client.stack.socket(Domain::Inet6, kind).unwrap();
        let stack = &mut net.client.stack;
        assert_eq!(stack.getsockopt(fd, NoDelay), Ok(false));
        assert_eq!(stack.getsockopt(fd, KeepAlive), Ok(false));
        assert_eq!(stack.getsockopt(fd, HopLimit), Ok(64));
        assert_eq!(stack.getsockopt(fd, V6Only), Ok(false));
        assert_eq!(stack.getsockopt(fd, UserTimeout), Ok(None));
        assert_eq!(
            stack.getsockopt(fd, Congestion),
            Ok(CongestionControl::Reno)
        );
    }
}

#[test]
fn a_getter_gives_what_was_set_in_every_state() {
    let mut net = Net::new();
    let idle = net.client.stack.socket(Domain::Inet, Type::Stream).unwrap();
    every_option_reads_back(&mut net, idle);
    let datagram = net
        .client
        .stack
        .socket(Domain::Inet, Type::Datagram)
        .unwrap();
    every_option_reads_back(&mut net, datagram);
    let listener = net.client.listen(Domain::Inet, 1, 1);
    every_option_reads_back(&mut net, listener);
    let (client, ..) = net.pair(SERVER);
    every_option_reads_back(&mut net, client);
    let connecting = net.client.connect(SERVER);
    every_option_reads_back(&mut net, connecting);
    net.client.stack.close(idle).unwrap();
    assert_eq!(
        net.client.stack.getsockopt(idle, NoDelay),
        Err(Error::BadDescriptor)
    );
    assert_eq!(
        net.client.stack.setsockopt(idle, NoDelay, true),
        Err(Error::BadDescriptor)
    );
}

#[test]
fn v6_only_reads_back_and_is_fixed_once_bound() {
    let mut net = Net::new();
    let fd = net
        .client
        .stack
        .socket(Domain::Inet6, Type::Stream)
        .unwrap();
    net.client.stack.setsockopt(fd, V6Only, true).unwrap();
    assert_eq!(net.client.stack.getsockopt(fd, V6Only), Ok(true));
    net.client
        .stack
        .bind(fd, "[::]:1".parse().unwrap())
        .unwrap();
    assert_eq!(
        net.client.stack.setsockopt(fd, V6Only, false),
        Err(Error::InvalidArgument)
    );
    assert_eq!(net.client.stack.getsockopt(fd, V6Only), Ok(true));
}

#[test]
fn the_next_socket_of_the_same_slot_has_the_defaults_again() {
    let capacity = glasstack::stack::Capacity {
        connections: 1,
        datagrams: 1,
        ..capacity()
    };
    let mut net = Net::with(
        glasstack::smoltcp::phy::Medium::Ethernet,
        capacity,
        net::capacity(),
    );
    let (client, ..) = net.pair(SERVER);
    net.client.stack.setsockopt(client, HopLimit, 3).unwrap();
    net.client.keep_alive(client, Some(Duration::from_secs(1)));
    net.client.stack.close(client).unwrap();
    net.run_for(Time::from_secs(100));
    net.frames.clear();
    net.client.connect(SERVER);
    net.run_for(Time::from_secs(100));
    let sent = net.segments(Side::Client);
    assert_eq!(sent.len(), 2, "the SYN and its ACK, no keep-alive");
    assert!(sent.iter().all(|segment| segment.hop_limit == 64));

    for hops in [9, 64] {
        let fd = net.client.datagram(Domain::Inet, 1);
        if hops != 64 {
            net.client.stack.setsockopt(fd, HopLimit, hops).unwrap();
        }
        net.frames.clear();
        net.client
            .stack
            .sendto(fd, b"x", SERVER.parse().unwrap())
            .unwrap();
        net.run_for(Time::from_secs(2));
        assert!(hop_limits(&net).contains(&hops));
        net.client.stack.close(fd).unwrap();
        net.run();
    }
}

/// The hop limits of the UDP packets that the client sent.
fn hop_limits(net: &Net) -> Vec<u8> {
    let sent = net.frames.iter().filter(|frame| frame.from == Side::Client);
    let hop_limit = |packet: &[u8]| match packet[0] >> 4 {
        4 => Ipv4Packet::new_checked(packet)
            .ok()
            .filter(|p| u8::from(p.next_header()) == 17)
            .map(|p| p.hop_limit()),
        6 => Ipv6Packet::new_checked(packet)
            .ok()
            .filter(|p| u8::from(p.next_header()) == 17)
            .map(|p| p.hop_limit()),
        _ => None,
    };
    sent.filter_map(|frame| hop_limit(&frame.octets[14..]))
        .collect()
}

#[test]
fn the_hop_limit_is_in_every_packet_from_the_syn_on() {
    for server in [SERVER, SERVER_V6] {
        let mut net = Net::new();
        let address: std::net::SocketAddr = server.parse().unwrap();
        let domain = net::domain_of(address);
        net.server.listen(domain, address.port(), 1);
        let fd = net.client.stack.socket(domain, Type::Stream).unwrap();
        net.client.stack.setsockopt(fd, HopLimit, 9).unwrap();
        let _ = net.client.stack.connect(fd, address);
        net.run();
        net.client.stack.send(fd, b"x").unwrap();
        net.run();
        let sent = net.segments(Side::Client);
        assert!(sent[0].has(SYN) && sent.len() >= 3);
        assert!(sent.iter().all(|segment| segment.hop_limit == 9));
        // And changes with the option.
        net.client.stack.setsockopt(fd, HopLimit, 10).unwrap();
        net.client.stack.send(fd, b"x").unwrap();
        net.run_for(Time::from_millis(50));
        assert_eq!(net.segments(Side::Client).last().unwrap().hop_limit, 10);

        let udp = net.client.stack.socket(domain, Type::Datagram).unwrap();
        net.client.stack.setsockopt(udp, HopLimit, 11).unwrap();
        net.client.stack.sendto(udp, b"x", address).unwrap();
        net.run();
        assert_eq!(hop_limits(&net), [11]);
    }
}

#[test]
fn nagle_holds_small_segments_back_until_the_first_is_acknowledged_and_no_delay_does_not() {
    for (no_delay, at_once) in [(false, vec![1]), (true, vec![1, 2, 3])] {
        let mut net = Net::new();
        let (client, ..) = net.pair(SERVER);
        net.client
            .stack
            .setsockopt(client, NoDelay, no_delay)
            .unwrap();
        net.run_for(Time::from_secs(1));
        net.frames.clear();
        for len in [1, 2, 3] {
            net.client.stack.send(client, &vec![7; len]).unwrap();
            net.run();
        }
        let lens = |net: &Net| -> Vec<usize> {
            net.segments(Side::Client)
                .iter()
                .map(|s| s.payload.len())
                .collect()
        };
        assert_eq!(lens(&net), at_once);
        // The peer's delayed ACK lets the rest go, as one segment.
        net.run_for(Time::from_millis(20));
        let all = if no_delay { vec![1, 2, 3] } else { vec![1, 5] };
        assert_eq!(lens(&net), all);
    }
}

#[test]
fn turning_no_delay_on_sends_what_nagle_held_back() {
    let mut net = Net::new();
    let (client, ..) = net.pair(SERVER);
    net.run_for(Time::from_secs(1));
    net.frames.clear();
    net.client.stack.send(client, b"a").unwrap();
    net.run();
    net.client.stack.send(client, b"b").unwrap();
    net.run();
    assert_eq!(net.segments(Side::Client).len(), 1);
    net.client.stack.setsockopt(client, NoDelay, true).unwrap();
    net.run();
    assert_eq!(net.segments(Side::Client).len(), 2);
}

#[test]
fn keep_alive_turned_off_again_is_silent() {
    let mut net = Net::new();
    let (client, ..) = net.pair(SERVER);
    net.client.keep_alive(client, Some(Duration::from_secs(1)));
    net.run_for(Time::from_secs(10));
    net.client.keep_alive(client, None);
    net.run();
    net.frames.clear();
    net.run_for(Time::from_secs(1_000));
    assert_eq!(net.segments(Side::Client), []);
    assert_eq!(net.client.deadline, None);
}

#[test]
fn congestion_control_decides_how_much_leaves_at_first() {
    let first_flight = |congestion| {
        let mut net = Net::new();
        let (client, ..) = net.pair(SERVER);
        net.client
            .stack
            .setsockopt(client, Congestion, congestion)
            .unwrap();
        net.run_for(Time::from_secs(1));
        net.frames.clear();
        net.cut();
        net.client.stack.send(client, &[7; 8_192]).unwrap();
        net.run();
        net.segments(Side::Client)
            .iter()
            .map(|segment| segment.payload.len())
            .sum::<usize>()
    };
    // Nagle holds back what does not fill a segment.
    assert_eq!(first_flight(CongestionControl::None), 5 * 1_460);
    assert!(first_flight(CongestionControl::Reno) < 8_192);
    assert!(first_flight(CongestionControl::Cubic) < 8_192);
}
