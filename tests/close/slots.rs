//! What comes after a connection: its slot is free and carries nothing over, its port is free, TIME-WAIT gives way to the
//! next one.

use std::net::SocketAddr;

use glasstack::smoltcp::phy::Medium;
use glasstack::smoltcp::time::Duration as Time;
use glasstack::stack::option::{Congestion, CongestionControl};
use glasstack::stack::{Capacity, Domain, Type};
use glasstack::trace::State;
use glasstack::{Error, Fd};

use crate::net::segment::{ACK, RST, SYN};
use crate::net::{Net, PORT, SERVER, Side, capacity};
use crate::slots;

fn address() -> SocketAddr {
    SERVER.parse().unwrap()
}

/// Two hosts with a slot each: the next connection gets that of the last one.
fn with_one_slot() -> Net {
    let one_slot = Capacity {
        connections: 1,
        ..capacity()
    };
    Net::with(Medium::Ethernet, one_slot.clone(), one_slot)
}

/// From now on the wire loses the client's first octets, however often they are sent.
fn lose_first_octets(net: &mut Net) {
    let first = net.segments(Side::Client)[1].seq;
    net.lose(move |frame| frame.has_data() && frame.segment().is_some_and(|s| s.seq == first));
}

/// Ends a connection, lets its slots become free, and opens the next one in them.
fn reconnect(net: &mut Net, (client, accepted, listener): (Fd, Fd, Fd)) -> (Fd, Fd) {
    net.pass_all();
    net.server.stack.close(accepted).unwrap();
    net.run_for(Time::from_secs(5));
    net.client.stack.close(client).unwrap();
    net.run_for(Time::from_secs(100));
    assert_eq!(slots(net), (0, 0));

    net.frames.clear();
    let client = net.client.connect(SERVER);
    net.run();
    assert_eq!(net.client.stack.connect(client, address()), Ok(()));
    let (accepted, _) = net.server.stack.accept(listener).unwrap();
    (client, accepted)
}

/// So many rounds of so many octets arrive, each as it was sent.
fn delivers(net: &mut Net, client: Fd, accepted: Fd, rounds: u8, len: usize) {
    for round in 0..rounds {
        let data = vec![round; len];
        net.client.stack.send(client, &data).unwrap();
        net.run_for(Time::from_millis(20));
        assert_eq!(net.server.recv(accepted), Ok(data));
    }
}

/// A client's socket that has begun to connect from this address.
fn connect_from(net: &mut Net, local: SocketAddr) -> Fd {
    let fd = net.client.stack.socket(Domain::Inet, Type::Stream).unwrap();
    net.client.stack.bind(fd, local).unwrap();
    let connecting = net.client.stack.connect(fd, address());
    assert_eq!(connecting, Err(Error::WouldBlock));
    fd
}

/// The server closes before the client, so that TIME-WAIT is on its side.
fn close_server_first(net: &mut Net, client: Fd, accepted: Fd) {
    net.server.stack.close(accepted).unwrap();
    net.run();
    net.client.stack.close(client).unwrap();
    net.run();
    assert_eq!(net.server.states().last(), Some(&State::TimeWait));
}

#[test]
fn a_slot_carries_nothing_over_after_a_fast_retransmit() {
    let mut net = with_one_slot();
    let first @ (client, ..) = net.pair(SERVER);
    // The socket stays in recovery.
    lose_first_octets(&mut net);
    // Without a congestion window enough segments follow the lost one for three duplicate ACKs.
    net.client
        .stack
        .setsockopt(client, Congestion, CongestionControl::None)
        .unwrap();
    net.client.stack.send(client, &[7; 8_000]).unwrap();
    net.run_for(Time::from_millis(100));
    let lost = net.frames.iter().filter(|frame| frame.is_lost).count();
    assert!(lost > 1, "no fast retransmission");

    let (client, accepted) = reconnect(&mut net, first);
    delivers(&mut net, client, accepted, 20, 500);
    // Each octet left once.
    let octets: usize = net
        .segments(Side::Client)
        .iter()
        .map(|s| s.payload.len())
        .sum();
    assert_eq!(octets, 20 * 500);
}

#[test]
fn a_slot_carries_nothing_over_after_data_out_of_order() {
    let mut net = with_one_slot();
    let first @ (client, accepted, _) = net.pair(SERVER);
    lose_first_octets(&mut net);
    net.client.stack.send(client, &[7; 8_000]).unwrap();
    net.run_for(Time::from_millis(100));
    // The server holds what came after the hole; its slot is given up in this state.
    let mut rst = net.segments(Side::Client)[1].clone();
    rst.flags = RST | ACK;
    net.inject(Side::Server, &rst);
    net.run();
    assert_eq!(net.server.recv(accepted), Err(Error::ConnectionReset));

    let (client, accepted) = reconnect(&mut net, first);
    delivers(&mut net, client, accepted, 10, 700);
}

#[test]
fn the_port_is_free_again_at_once() {
    let mut net = Net::new();
    let (client, accepted, listener) = net.pair(SERVER);
    close_server_first(&mut net, client, accepted);
    net.server.stack.close(listener).unwrap();
    let listener = net.server.listen(Domain::Inet, PORT, 1);
    let client = net.client.connect(SERVER);
    net.run();
    assert_eq!(net.client.stack.connect(client, address()), Ok(()));
    assert!(net.server.stack.accept(listener).is_ok());
}

#[test]
fn a_bound_port_is_free_after_close_in_every_state() {
    let mut net = Net::new();
    let local = "10.0.0.1:4000".parse().unwrap();
    for _ in 0..3 {
        let fd = connect_from(&mut net, local);
        net.client.stack.close(fd).unwrap();
    }
}

#[test]
fn a_syn_beyond_the_last_connection_begins_the_next_one_in_time_wait() {
    let mut net = Net::new();
    let listener = net.server.listen(Domain::Inet, PORT, 4);
    let local: SocketAddr = "10.0.0.1:4000".parse().unwrap();
    for round in 0..3 {
        let client = connect_from(&mut net, local);
        let before = net.now;
        net.run();
        assert_eq!(
            net.client.stack.connect(client, address()),
            Ok(()),
            "{round}"
        );
        assert_eq!(net.now, before);
        let (accepted, from) = net.server.stack.accept(listener).unwrap();
        assert_eq!(from, local);
        close_server_first(&mut net, client, accepted);
        // The same 4-tuple comes again.
        assert_eq!(slots(&net), (0, 1));
    }
}

#[test]
fn an_old_syn_in_time_wait_begins_nothing() {
    let mut net = Net::new();
    let (client, accepted, listener) = net.pair(SERVER);
    close_server_first(&mut net, client, accepted);
    let syn = net.segments(Side::Client)[0].clone();
    assert_eq!(syn.flags, SYN);
    net.frames.clear();
    net.inject(Side::Server, &syn);
    net.run_for(Time::from_millis(50));
    assert_eq!(net.server.stack.accept(listener), Err(Error::WouldBlock));
    assert!(
        net.segments(Side::Server)
            .iter()
            .all(|segment| !segment.has(SYN))
    );
}

#[test]
fn ten_thousand_connections_leave_no_slot_behind() {
    let mut net = Net::with(Medium::Ip, capacity(), capacity());
    let listener = net.server.listen(Domain::Inet, PORT, 16);
    for round in 0..10_000_u32 {
        let client = net.client.connect(SERVER);
        net.run();
        let (accepted, _) = net.server.stack.accept(listener).unwrap();
        if round % 3 == 0 {
            net.client.stack.send(client, b"x").unwrap();
            net.run();
        }
        net.server.stack.close(accepted).unwrap();
        if round % 2 == 0 {
            net.run();
        }
        net.client.stack.close(client).unwrap();
        net.run();
        net.frames.clear();
    }
    net.run_for(Time::from_secs(100));
    assert_eq!(slots(&net), (0, 0));
    assert_eq!(
        (
            net.client.stack.usage().sockets,
            net.server.stack.usage().sockets
        ),
        (0, 1)
    );
}
