//! Streams: what is sent arrives once and in order, whatever the wire does.
#![cfg(all(feature = "std", feature = "ipv4", feature = "ipv6"))]
// A step that fails fails its test.
#![allow(clippy::unwrap_used)]

mod net;

use std::net::SocketAddr;

use glasstack::smoltcp::phy::Medium;
use glasstack::smoltcp::time::Duration as Time;
use glasstack::smoltcp::wire::TcpPacket;
use glasstack::stack::option::{Congestion, CongestionControl};
use glasstack::stack::{Domain, Type};
use glasstack::trace::State;
use glasstack::{Error, Fd};
use net::segment::{ACK, FIN, RST, SYN, Segment};
use net::{Frame, Net, PORT, SERVER, SERVER_V6, Side, capacity, nth};

fn address() -> SocketAddr {
    SERVER.parse().unwrap()
}

fn octets(count: usize) -> Vec<u8> {
    (0..count).map(|i| (i % 251) as u8).collect()
}

/// Sends `data` from the client to the server and closes; gives what arrived before the end, and how long it took.
fn transfer(net: &mut Net, client: Fd, accepted: Fd, data: &[u8]) -> (Vec<u8>, Time) {
    let start = net.now;
    let mut sent = 0;
    let mut received = Vec::new();
    loop {
        while sent < data.len()
            && let Ok(count) = net.client.stack.send(client, &data[sent..])
        {
            sent += count;
            if sent == data.len() {
                net.client.stack.close(client).unwrap();
            }
        }
        loop {
            match net.server.recv(accepted) {
                Ok(part) if part.is_empty() => return (received, net.now - start),
                Ok(part) => received.extend(part),
                Err(error) => {
                    assert_eq!(error, Error::WouldBlock);
                    break;
                }
            }
        }
        net.run_for(Time::from_millis(10));
        assert!(net.now < start + Time::from_secs(3_600), "it stands still");
    }
}

#[test]
fn every_octet_arrives_once_and_in_order_through_loss() {
    for congestion in [
        CongestionControl::None,
        CongestionControl::Reno,
        CongestionControl::Cubic,
    ] {
        for period in [3, 7, 20] {
            let mut net = Net::new();
            let (client, accepted, _) = net.pair(SERVER);
            net.client
                .stack
                .setsockopt(client, Congestion, congestion)
                .unwrap();
            // A spread that never falls into step with a round of repetitions.
            let mut random: u32 = period;
            net.lose(move |_| {
                random = random.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
                (random >> 16).is_multiple_of(period)
            });
            let data = octets(100_000);
            let (received, _) = transfer(&mut net, client, accepted, &data);
            assert!(received == data, "{congestion:?}, one in {period} lost");
        }
    }
}

#[test]
fn every_octet_arrives_through_a_card_that_takes_one_frame_at_a_time() {
    for server in [SERVER, SERVER_V6] {
        let mut net = Net::new();
        let (client, accepted, _) = net.pair(server);
        net.client.card.room = 1;
        net.server.card.room = 1;
        let data = octets(50_000);
        let (received, time) = transfer(&mut net, client, accepted, &data);
        assert!(received == data);
        assert!(time < Time::from_secs(5));
    }
}

#[test]
fn a_send_larger_than_the_buffer_is_taken_in_part() {
    let mut net = Net::new();
    let (client, ..) = net.pair(SERVER);
    assert_eq!(net.client.stack.send(client, &octets(10_000)), Ok(8_192));
    assert_eq!(net.client.stack.send(client, b"x"), Err(Error::WouldBlock));
    assert_eq!(net.client.stack.send(client, b""), Ok(0));
}

#[test]
fn peek_leaves_what_it_shows() {
    let mut net = Net::new();
    let (client, accepted, _) = net.pair(SERVER);
    let mut buffer = [0; 4];
    assert_eq!(
        net.server.stack.peek(accepted, &mut buffer),
        Err(Error::WouldBlock)
    );
    net.client.stack.send(client, b"hello").unwrap();
    net.run();
    for _ in 0..2 {
        assert_eq!(net.server.stack.peek(accepted, &mut buffer), Ok(4));
        assert_eq!(&buffer, b"hell");
    }
    assert_eq!(net.server.recv(accepted), Ok(b"hello".to_vec()));
    net.client.stack.close(client).unwrap();
    net.run();
    assert_eq!(net.server.stack.peek(accepted, &mut buffer), Ok(0));
}

#[test]
fn one_lost_segment_is_repeated_fast_and_the_data_waits_for_it() {
    let mut net = Net::new();
    let (client, accepted, _) = net.pair(SERVER);
    net.client
        .stack
        .setsockopt(client, Congestion, CongestionControl::None)
        .unwrap();
    net.lose(nth(1, Frame::has_data));
    let data = octets(8_000);
    net.client.stack.send(client, &data).unwrap();
    // Well before the first retransmission time-out of a second.
    net.run_for(Time::from_millis(100));
    assert!(net.server.recv(accepted) == Ok(data));
}

#[test]
fn what_came_before_accept_is_there_and_the_end_too() {
    let mut net = Net::new();
    let listener = net.server.listen(Domain::Inet, PORT, 4);
    let client = net.client.connect(SERVER);
    net.run();
    assert_eq!(net.client.stack.connect(client, address()), Ok(()));
    net.client.stack.send(client, b"early").unwrap();
    net.client.stack.close(client).unwrap();
    net.run();
    let (accepted, _) = net.server.stack.accept(listener).unwrap();
    assert_eq!(net.server.recv(accepted), Ok(b"early".to_vec()));
    assert_eq!(net.server.recv(accepted), Ok(vec![]));
    assert_eq!(net.server.stack.send(accepted, b"x"), Ok(1));
}

#[test]
fn both_connect_to_each_other_at_once() {
    let mut net = Net::new();
    let (left, right): (SocketAddr, SocketAddr) = (
        "10.0.0.1:4000".parse().unwrap(),
        "10.0.0.2:4000".parse().unwrap(),
    );
    let client = net.client.stack.socket(Domain::Inet, Type::Stream).unwrap();
    net.client.stack.bind(client, left).unwrap();
    let server = net.server.stack.socket(Domain::Inet, Type::Stream).unwrap();
    net.server.stack.bind(server, right).unwrap();
    // Neighbors first, so that the SYNs cross.
    let warm = net.client.datagram(Domain::Inet, 1);
    net.client.stack.sendto(warm, b"x", right).unwrap();
    net.run();
    assert_eq!(
        net.client.stack.connect(client, right),
        Err(Error::WouldBlock)
    );
    assert_eq!(
        net.server.stack.connect(server, left),
        Err(Error::WouldBlock)
    );
    let now = net.now;
    net.client.poll(now);
    net.server.poll(now);
    net.run_for(Time::from_secs(10));
    assert_eq!(net.client.stack.connect(client, right), Ok(()));
    assert_eq!(net.server.stack.connect(server, left), Ok(()));
    assert!(net.client.states().contains(&State::SynReceived));
    net.client.stack.send(client, b"hello").unwrap();
    net.server.stack.send(server, b"world").unwrap();
    net.run_for(Time::from_secs(2));
    assert_eq!(net.server.recv(server), Ok(b"hello".to_vec()));
    assert_eq!(net.client.recv(client), Ok(b"world".to_vec()));
}

#[test]
fn a_reset_of_a_half_open_connection_frees_its_slot_and_its_place_in_the_backlog() {
    let mut net = Net::with(Medium::Ip, capacity(), capacity());
    let listener = net.server.listen(Domain::Inet, PORT, 1);
    for round in 0..20_u32 {
        let from = format!("10.0.0.77:{}", 1_000 + round);
        net.inject(Side::Server, &Segment::new(&from, SERVER, SYN, 7, 0));
        net.run();
        assert_eq!(net.server.stack.usage().connections, 1);
        let answer = net.segments(Side::Server).last().cloned().unwrap();
        assert_eq!(answer.flags, SYN | ACK);
        net.inject(
            Side::Server,
            &Segment::new(&from, SERVER, RST | ACK, 8, answer.seq.wrapping_add(1)),
        );
        net.run();
        assert_eq!(net.server.stack.usage().connections, 0);
    }
    assert_eq!(net.server.stack.accept(listener), Err(Error::WouldBlock));
    let client = net.client.connect(SERVER);
    net.run();
    assert_eq!(net.client.stack.connect(client, address()), Ok(()));
}

#[test]
fn a_handshake_ack_that_is_lost_is_made_good_by_the_first_data() {
    let mut net = Net::new();
    let listener = net.server.listen(Domain::Inet, PORT, 1);
    let client = net.client.connect(SERVER);
    net.lose(|frame| {
        let is_bare = frame
            .segment()
            .is_some_and(|s| s.flags == ACK && s.payload.is_empty());
        is_bare && frame.from == Side::Client
    });
    net.run();
    assert_eq!(net.client.stack.connect(client, address()), Ok(()));
    assert_eq!(net.server.stack.accept(listener), Err(Error::WouldBlock));
    net.client.stack.send(client, b"hello").unwrap();
    net.run();
    let (accepted, _) = net.server.stack.accept(listener).unwrap();
    assert_eq!(net.server.recv(accepted), Ok(b"hello".to_vec()));
}

#[test]
fn data_with_the_fin_in_one_segment_is_read_before_the_end() {
    let mut net = Net::with(Medium::Ip, capacity(), capacity());
    let listener = net.server.listen(Domain::Inet, PORT, 1);
    let from = "10.0.0.77:1000";
    net.inject(Side::Server, &Segment::new(from, SERVER, SYN, 99, 0));
    net.run();
    let next = net.segments(Side::Server)[0].end();
    // The handshake's ACK, the data and the FIN at once.
    net.inject(
        Side::Server,
        &Segment::new(from, SERVER, FIN | ACK, 100, next).with(b"all in one"),
    );
    net.run();
    let (accepted, _) = net.server.stack.accept(listener).unwrap();
    assert_eq!(net.server.recv(accepted), Ok(b"all in one".to_vec()));
    assert_eq!(net.server.recv(accepted), Ok(vec![]));
}

#[test]
fn a_host_talks_to_itself_by_each_of_its_addresses() {
    let mut net = Net::new();
    let listener = net.client.listen(Domain::Inet6, PORT, 8);
    for to in [
        "[::1]:9999",
        "[fd00::1]:9999",
        "[::ffff:127.0.0.1]:9999",
        "[::ffff:10.0.0.1]:9999",
    ] {
        let fd = net.client.connect(to);
        net.run();
        assert_eq!(
            net.client.stack.connect(fd, to.parse().unwrap()),
            Ok(()),
            "{to}"
        );
        let (accepted, from) = net.client.stack.accept(listener).unwrap();
        assert_eq!(net.client.stack.getsockname(fd), Ok(from));
        assert_eq!(net.client.stack.getpeername(fd), Ok(to.parse().unwrap()));
        let data = octets(8_192);
        assert_eq!(net.client.stack.send(accepted, &data), Ok(8_192));
        net.client.stack.close(accepted).unwrap();
        let mut received = Vec::new();
        for _ in 0..100 {
            net.run_for(Time::from_millis(10));
            while let Ok(part) = net.client.recv(fd)
                && !part.is_empty()
            {
                received.extend(part);
            }
        }
        assert!(received == data, "{to}");
        net.client.stack.close(fd).unwrap();
    }
    let is_segment = |frame: &net::Frame| frame.segment().is_some();
    assert!(
        !net.frames.iter().any(is_segment),
        "nothing of it is on the wire"
    );
    net.run_for(Time::from_secs(11));
    assert_eq!(net.client.stack.usage().connections, 0);
}

#[test]
fn a_socket_that_connects_to_itself_comes_to_rest() {
    let mut net = Net::new();
    let own = "127.0.0.1:4000".parse().unwrap();
    let fd = net.client.stack.socket(Domain::Inet, Type::Stream).unwrap();
    net.client.stack.bind(fd, own).unwrap();
    // As on Linux: the SYN meets itself, a simultaneous open.
    let _ = net.client.stack.connect(fd, own);
    net.run_for(Time::from_secs(300));
    if net.client.stack.connect(fd, own).is_ok() {
        net.client.stack.send(fd, b"echo").unwrap();
        net.run_for(Time::from_secs(1));
        assert_eq!(net.client.recv(fd), Ok(b"echo".to_vec()));
    }
    net.client.stack.close(fd).unwrap();
    net.run_for(Time::from_secs(300));
    assert_eq!(net.client.stack.usage().connections, 0);
    assert_eq!(net.client.deadline, None);
}

#[test]
fn a_socket_whose_connect_failed_may_try_again() {
    let mut net = Net::new();
    let client = net.client.stack.socket(Domain::Inet, Type::Stream).unwrap();
    let mut ports = Vec::new();
    for _ in 0..3 {
        assert_eq!(
            net.client.stack.connect(client, address()),
            Err(Error::WouldBlock)
        );
        ports.push(net.client.stack.getsockname(client).unwrap().port());
        net.run();
        assert_eq!(
            net.client.stack.connect(client, address()),
            Err(Error::ConnectionRefused)
        );
        // The port that it was given is given back.
        assert_eq!(net.client.stack.getsockname(client).unwrap().port(), 0);
    }
    net.server.listen(Domain::Inet, PORT, 1);
    assert_eq!(
        net.client.stack.connect(client, address()),
        Err(Error::WouldBlock)
    );
    net.run();
    assert_eq!(net.client.stack.connect(client, address()), Ok(()));
    assert_eq!(
        net.client.stack.connect(client, address()),
        Err(Error::AlreadyConnected)
    );
}

#[test]
fn a_name_that_the_application_chose_for_its_end_outlives_a_failed_connect() {
    let mut net = Net::new();
    let local = "10.0.0.1:4000".parse().unwrap();
    let client = net.client.stack.socket(Domain::Inet, Type::Stream).unwrap();
    net.client.stack.bind(client, local).unwrap();
    for _ in 0..3 {
        assert_eq!(
            net.client.stack.connect(client, address()),
            Err(Error::WouldBlock)
        );
        net.run();
        assert_eq!(
            net.client.stack.connect(client, address()),
            Err(Error::ConnectionRefused)
        );
        assert_eq!(net.client.stack.getsockname(client), Ok(local));
    }
}

#[test]
fn where_all_slots_are_taken_connect_is_exhausted_and_time_wait_gives_way() {
    let two = glasstack::stack::Capacity {
        connections: 2,
        ..capacity()
    };
    let mut net = Net::with(Medium::Ethernet, two, capacity());
    let (first, accepted, listener) = net.pair(SERVER);
    let second = net.client.connect(SERVER);
    net.run();
    let third = net.client.stack.socket(Domain::Inet, Type::Stream).unwrap();
    let exhausted = Err(Error::Exhausted(glasstack::Limit::Connections));
    assert_eq!(net.client.stack.connect(third, address()), exhausted);
    assert_eq!(net.client.stack.getsockname(third).unwrap().port(), 0);
    net.client.stack.close(first).unwrap();
    net.run();
    net.server.stack.close(accepted).unwrap();
    net.run();
    assert_eq!(net.client.states().last(), Some(&State::TimeWait));
    assert_eq!(
        net.client.stack.connect(third, address()),
        Err(Error::WouldBlock)
    );
    net.run();
    assert_eq!(net.client.stack.connect(third, address()), Ok(()));
    for _ in 0..2 {
        net.server.stack.accept(listener).unwrap();
    }
    assert_eq!(net.client.stack.connect(second, address()), Ok(()));
}

#[test]
fn what_a_wrong_checksum_carries_is_not_heard() {
    let mut net = Net::new();
    let (client, accepted, _) = net.pair(SERVER);
    let next = net.segments(Side::Client).last().cloned().unwrap();
    let mut frame = Segment {
        flags: RST | ACK,
        ..next
    }
    .emit(Medium::Ethernet, Side::Server);
    let last = frame.len() - 1;
    frame[last] ^= 1;
    net.server.card.received.push_back(frame);
    net.run();
    net.client.stack.send(client, b"alive").unwrap();
    net.run();
    assert_eq!(net.server.recv(accepted), Ok(b"alive".to_vec()));
}

/// As with Linux's `SO_OOBINLINE`, which RFC 6093 §5 asks for.
#[test]
fn urgent_data_is_read_where_it_stands() {
    let mut net = Net::new();
    let (client, accepted, _) = net.pair(SERVER);
    let next = net.segments(Side::Client).last().cloned().unwrap();
    let (source, destination) = (next.source.ip().into(), next.destination.ip().into());
    let mut frame = next.with(b"abc").emit(Medium::Ethernet, Side::Server);
    let mut segment = TcpPacket::new_unchecked(&mut frame[34..]);
    segment.set_urg(true);
    segment.set_urgent_at(2); // the "b" is what Linux would take out
    segment.fill_checksum(&source, &destination);
    net.server.card.received.push_back(frame);
    net.run();
    assert_eq!(net.server.recv(accepted), Ok(b"abc".to_vec()));
    assert_eq!(net.server.recv(accepted), Err(Error::WouldBlock));
    net.client.stack.send(client, b"abcd").unwrap();
    net.run();
    assert_eq!(net.server.recv(accepted), Ok(b"d".to_vec()));
}
