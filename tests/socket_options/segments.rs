//! What options change in every segment: `IP_TOS`, `TCP_MAXSEG`.

use glasstack::Error;
use glasstack::smoltcp::phy::Medium;
use glasstack::smoltcp::time::Duration as Time;
use glasstack::smoltcp::wire::{Ipv4Packet, Ipv6Packet, TcpOption, TcpPacket};
use glasstack::stack::Type;
use glasstack::stack::option::{MaximumSegmentSize, PathMtu, TypeOfService};

use crate::net::{Frame, Net, SERVER, SERVER_V6, Side, capacity, domain_of};

/// The traffic class of a frame's packet; its checksums are looked at where its segment is parsed.
fn traffic_class(frame: &Frame) -> u8 {
    let packet = &frame.octets[14..];
    match packet[0] >> 4 {
        4 => {
            let packet = Ipv4Packet::new_checked(packet).unwrap();
            assert!(packet.verify_checksum());
            packet.dscp() << 2 | packet.ecn()
        }
        _ => Ipv6Packet::new_checked(packet).unwrap().traffic_class(),
    }
}

fn classes(net: &Net, side: Side) -> Vec<u8> {
    let sent = net.frames.iter().filter(|frame| frame.from == side);
    sent.filter(|frame| frame.segment().is_some())
        .map(traffic_class)
        .collect()
}

#[test]
fn the_type_of_service_is_in_every_segment_from_the_syn_on() {
    for server in [SERVER, SERVER_V6] {
        let mut net = Net::new();
        let address: std::net::SocketAddr = server.parse().unwrap();
        let domain = domain_of(address);
        let listener = net.server.listen(domain, address.port(), 1);
        // Expedited forwarding for one side; the ECN field stays TCP's.
        net.server
            .stack
            .setsockopt(listener, TypeOfService, 0xbb)
            .unwrap();
        let client = net.client.stack.socket(domain, Type::Stream).unwrap();
        net.client
            .stack
            .setsockopt(client, TypeOfService, 0x28)
            .unwrap();
        let _ = net.client.stack.connect(client, address);
        net.run();
        let (accepted, _) = net.server.stack.accept(listener).unwrap();
        assert_eq!(
            net.server.stack.getsockopt(accepted, TypeOfService),
            Ok(0xbb)
        );
        net.client.stack.send(client, &[7; 4_000]).unwrap();
        net.server.stack.send(accepted, b"hello").unwrap();
        net.run_for(Time::from_millis(100));
        for (side, class) in [(Side::Client, 0x28), (Side::Server, 0xb8)] {
            let classes = classes(&net, side);
            assert!(
                classes.len() >= 4 && classes.iter().all(|is| *is == class),
                "{classes:x?}"
            );
        }
        net.frames.clear();
        net.client
            .stack
            .setsockopt(client, TypeOfService, 0)
            .unwrap();
        net.client.stack.close(client).unwrap();
        net.run();
        assert_eq!(classes(&net, Side::Client)[0], 0);
    }
}

/// The segment size that a side's SYN offers.
fn offered(net: &Net, side: Side) -> Option<u16> {
    let mut sent = net.frames.iter().filter(|frame| frame.from == side);
    let syn = sent.find(|frame| frame.segment().is_some())?;
    let header = if syn.octets[14] >> 4 == 4 { 20 } else { 40 };
    let segment = TcpPacket::new_checked(&syn.octets[14 + header..]).unwrap();
    let mut options = segment.options();
    while let Ok((rest, option)) = TcpOption::parse(options) {
        if let TcpOption::MaxSegmentSize(size) = option {
            return Some(size);
        }
        options = rest;
    }
    None
}

#[test]
fn the_segment_size_is_offered_kept_and_told() {
    for (server, full) in [(SERVER, 1_460), (SERVER_V6, 1_440)] {
        for medium in [Medium::Ethernet] {
            let mut net = Net::with(medium, capacity(), capacity());
            let address: std::net::SocketAddr = server.parse().unwrap();
            let domain = domain_of(address);
            let listener = net.server.listen(domain, address.port(), 1);
            let client = net.client.stack.socket(domain, Type::Stream).unwrap();
            let stack = &mut net.client.stack;
            assert_eq!(stack.getsockopt(client, MaximumSegmentSize), Ok(536));
            for size in [0, 87, 32_768] {
                let refused = stack.setsockopt(client, MaximumSegmentSize, size);
                assert_eq!(refused, Err(Error::InvalidArgument));
            }
            stack.setsockopt(client, MaximumSegmentSize, 700).unwrap();
            assert_eq!(stack.getsockopt(client, MaximumSegmentSize), Ok(700));
            let _ = stack.connect(client, address);
            net.run();
            let (accepted, _) = net.server.stack.accept(listener).unwrap();
            assert_eq!(offered(&net, Side::Client), Some(700));
            assert_eq!(offered(&net, Side::Server), Some(full));
            for (stack, fd) in [
                (&mut net.client.stack, client),
                (&mut net.server.stack, accepted),
            ] {
                assert_eq!(stack.getsockopt(fd, MaximumSegmentSize), Ok(700));
                assert_eq!(stack.getsockopt(fd, PathMtu), Ok(1_500));
                assert_eq!(stack.send(fd, &[7; 3_000]), Ok(3_000));
            }
            net.run_for(Time::from_secs(2));
            for side in [Side::Client, Side::Server] {
                let sent = net.segments(side);
                let longest = sent.iter().map(|segment| segment.payload.len()).max();
                assert_eq!(longest, Some(700), "{side:?}");
            }
            assert_eq!(net.server.recv(accepted).unwrap().len(), 3_000);
        }
    }
}

#[test]
fn a_listeners_segment_size_is_in_its_answer() {
    let mut net = Net::new();
    let listener = net.server.listen(glasstack::stack::Domain::Inet, 9999, 1);
    net.server
        .stack
        .setsockopt(listener, MaximumSegmentSize, 600)
        .unwrap();
    let client = net.client.connect(SERVER);
    net.run();
    assert_eq!(offered(&net, Side::Server), Some(600));
    net.client
        .stack
        .connect(client, SERVER.parse().unwrap())
        .unwrap();
    assert_eq!(
        net.client.stack.getsockopt(client, MaximumSegmentSize),
        Ok(600)
    );
}
