//! Listeners: the backlog, the queues, and what happens when they are full.
#![cfg(all(feature = "std", feature = "ipv4", feature = "ipv6"))]
// A step that fails fails its test.
#![allow(clippy::unwrap_used, clippy::panic)]

mod net;

use std::collections::BTreeSet;
use std::net::SocketAddr;
use std::time::Duration;

use glasstack::smoltcp::phy::Medium;
use glasstack::smoltcp::time::Duration as Time;
use glasstack::stack::option::{
    Congestion, CongestionControl, HopLimit, KeepAliveIdle, NoDelay, UserTimeout,
};
use glasstack::stack::{Capacity, Domain};
use glasstack::trace::State;
use glasstack::{Error, Fd, Limit};
use net::segment::{ACK, RST, SYN, Segment};
use net::{Net, PORT, SERVER, SERVER_V6, Side, capacity, nth};

fn address() -> SocketAddr {
    SERVER.parse().unwrap()
}

fn with_connections(connections: usize, pending_syns: usize) -> Net {
    let server = Capacity {
        connections,
        pending_syns,
        ..capacity()
    };
    Net::with(Medium::Ethernet, capacity(), server)
}

fn resets(net: &Net, from: Side) -> usize {
    net.segments(from)
        .iter()
        .filter(|segment| segment.has(RST))
        .count()
}

/// A SYN from a host that is not there, so that nobody answers the SYN-ACK.
fn syn(port: u16) -> Segment {
    Segment::new(&format!("10.0.0.77:{port}"), SERVER, SYN, 1_000, 0)
}

fn is_connected(net: &mut Net, fd: Fd) -> bool {
    net.client.stack.connect(fd, address()) == Ok(())
}

#[test]
fn a_syn_beyond_the_backlog_waits_and_is_replayed_when_accept_makes_room() {
    let mut net = Net::new();
    let listener = net.server.listen(Domain::Inet, PORT, 1);
    let first = net.client.connect(SERVER);
    net.run();
    let second = net.client.connect(SERVER);
    net.run();
    assert!(is_connected(&mut net, first));
    assert!(!is_connected(&mut net, second));
    let sent = net
        .segments(Side::Client)
        .iter()
        .filter(|s| s.has(SYN))
        .count();

    let before = net.now;
    net.server.stack.accept(listener).unwrap();
    net.run();
    assert!(is_connected(&mut net, second));
    // The SYN that waited was answered, not a repetition of it.
    assert_eq!(net.now, before);
    assert_eq!(
        net.segments(Side::Client)
            .iter()
            .filter(|s| s.has(SYN))
            .count(),
        sent
    );
    assert_eq!(resets(&net, Side::Server), 0);
}

/// A server with a single slot: the first client's socket and the second's, which waits, and the first's at the server.
fn one_in_and_one_waiting() -> (Net, [Fd; 2], Fd) {
    let mut net = with_connections(1, 8);
    let listener = net.server.listen(Domain::Inet, PORT, 16);
    let first = net.client.connect(SERVER);
    net.run();
    let (accepted, _) = net.server.stack.accept(listener).unwrap();
    let second = net.client.connect(SERVER);
    net.run();
    assert!(is_connected(&mut net, first));
    assert!(!is_connected(&mut net, second));
    (net, [first, second], accepted)
}

#[test]
fn a_syn_waits_while_no_slot_is_free_and_is_replayed_when_one_is() {
    let (mut net, [first, second], accepted) = one_in_and_one_waiting();

    // The client closes first, so that the server's slot is free at once.
    net.client.stack.close(first).unwrap();
    net.run_for(Time::from_millis(20));
    net.server.stack.close(accepted).unwrap();
    net.run_for(Time::from_millis(20));
    assert!(is_connected(&mut net, second));
    assert_eq!(resets(&net, Side::Server), 0);
}

#[test]
fn where_the_queue_is_full_the_syn_is_dropped_in_silence_and_the_clients_retry_succeeds() {
    let mut net = with_connections(4, 0);
    let listener = net.server.listen(Domain::Inet, PORT, 1);
    let first = net.client.connect(SERVER);
    net.run();
    let second = net.client.connect(SERVER);
    net.frames.clear();
    net.run();
    assert!(is_connected(&mut net, first));
    assert_eq!(net.segments(Side::Server), []);

    net.server.stack.accept(listener).unwrap();
    net.run();
    assert!(!is_connected(&mut net, second));
    net.run_for(Time::from_secs(2));
    assert!(is_connected(&mut net, second));
    assert_eq!(resets(&net, Side::Server), 0);
}

#[test]
fn a_port_that_nobody_listens_on_is_refused_at_once() {
    // Two neighbors at once: neither waits for the other's discovery.
    let mut net = Net::new();
    for server in [SERVER, SERVER_V6] {
        let fd = net.client.connect(server);
        let before = net.now;
        net.run();
        assert_eq!(net.now, before);
        let address = server.parse().unwrap();
        assert_eq!(
            net.client.stack.connect(fd, address),
            Err(Error::ConnectionRefused)
        );
    }
    assert_eq!(resets(&net, Side::Server), 2);
}

#[test]
fn a_bound_socket_that_does_not_listen_refuses() {
    let mut net = Net::new();
    let fd = net
        .server
        .stack
        .socket(Domain::Inet, glasstack::stack::Type::Stream)
        .unwrap();
    net.server.stack.bind(fd, address()).unwrap();
    let client = net.client.connect(SERVER);
    net.run();
    assert_eq!(
        net.client.stack.connect(client, address()),
        Err(Error::ConnectionRefused)
    );
}

#[test]
fn under_pressure_the_oldest_half_open_connection_goes_first() {
    let mut net = with_connections(2, 8);
    let listener = net.server.listen(Domain::Inet, PORT, 16);
    net.inject(Side::Server, &syn(1));
    net.run_for(Time::from_millis(500));
    net.inject(Side::Server, &syn(2));
    net.run();
    assert_eq!(net.server.stack.usage().connections, 2);

    // Younger than a second: its ACK may be on the way.
    let client = net.client.connect(SERVER);
    net.run_for(Time::from_millis(400));
    assert!(!is_connected(&mut net, client));
    assert_eq!(net.server.stack.usage().connections, 2);

    // The client's SYN comes again after a second and finds the first half-open one old enough.
    net.run_for(Time::from_millis(1_000));
    assert!(is_connected(&mut net, client));
    assert!(net.server.stack.accept(listener).is_ok());
    let closed = net
        .server
        .stack
        .observer()
        .0
        .iter()
        .filter(|change| change.to == State::Closed)
        .map(|change| change.remote.port());
    assert_eq!(closed.collect::<Vec<_>>(), [1]);
}

#[test]
fn under_pressure_the_oldest_time_wait_goes_when_no_half_open_one_is_old() {
    let mut net = with_connections(2, 8);
    let listener = net.server.listen(Domain::Inet, PORT, 16);
    let mut remotes = Vec::new();
    for _ in 0..2 {
        let client = net.client.connect(SERVER);
        net.run();
        let (accepted, remote) = net.server.stack.accept(listener).unwrap();
        remotes.push(remote);
        // The server closes first: its end goes to TIME-WAIT.
        net.server.stack.close(accepted).unwrap();
        net.run();
        net.client.stack.close(client).unwrap();
        net.run_for(Time::from_millis(50));
    }
    assert_eq!(net.server.stack.usage().connections, 2);
    let client = net.client.connect(SERVER);
    net.run();
    assert!(is_connected(&mut net, client));
    let closed = net
        .server
        .stack
        .observer()
        .0
        .iter()
        .filter(|change| change.from == State::TimeWait)
        .map(|change| change.remote);
    assert_eq!(closed.collect::<Vec<_>>(), [remotes[0]]);
}

#[test]
fn a_waiting_syn_takes_the_place_of_a_connection_that_enters_time_wait() {
    let (mut net, [first, second], accepted) = one_in_and_one_waiting();

    net.server.stack.close(accepted).unwrap();
    net.run();
    net.client.stack.close(first).unwrap();
    // Long before the client sends its SYN again.
    net.run_for(Time::from_millis(50));
    assert!(is_connected(&mut net, second));
    // The first one's FIN was acknowledged before.
    assert_eq!(resets(&net, Side::Server), 0);
    assert_eq!(net.client.stack.usage().connections, 1);
}

#[test]
fn accept_gives_the_oldest_connection_first() {
    let mut net = Net::new();
    let listener = net.server.listen(Domain::Inet, PORT, 16);
    let mut locals = Vec::new();
    for _ in 0..5 {
        let fd = net.client.connect(SERVER);
        net.run();
        locals.push(net.client.stack.getsockname(fd).unwrap());
    }
    let accepted: Vec<_> = (0..5)
        .map(|_| net.server.stack.accept(listener).unwrap().1)
        .collect();
    assert_eq!(accepted, locals);
    assert_eq!(net.server.stack.accept(listener), Err(Error::WouldBlock));
}

#[test]
fn a_connection_that_was_reset_in_the_queue_says_so_in_its_first_recv() {
    let mut net = Net::new();
    let listener = net.server.listen(Domain::Inet, PORT, 16);
    let reset = net.client.connect(SERVER);
    net.run();
    let alive = net.client.connect(SERVER);
    net.run();
    assert!(is_connected(&mut net, reset));
    // Unread data makes close a reset; nobody has sent any yet, so the reset is made by hand.
    let last = net.segments(Side::Client)[1].clone();
    let local = net.client.stack.getsockname(reset).unwrap();
    assert_eq!(last.source, local);
    let rst = Segment {
        flags: RST | ACK,
        ..last
    };
    net.inject(Side::Server, &rst);
    net.run();
    let (first, from) = net.server.stack.accept(listener).unwrap();
    assert_eq!(from, local);
    assert_eq!(net.server.recv(first), Err(Error::ConnectionReset));
    assert_eq!(net.server.recv(first), Ok(vec![]));
    assert_eq!(net.server.stack.send(first, b"x"), Err(Error::BrokenPipe));
    let (second, _) = net.server.stack.accept(listener).unwrap();
    assert_eq!(net.server.recv(second), Err(Error::WouldBlock));
    assert!(is_connected(&mut net, alive));
}

#[test]
fn accept_without_a_descriptor_left_keeps_the_connection() {
    let server = Capacity {
        sockets: 2,
        ..capacity()
    };
    let mut net = Net::with(Medium::Ethernet, capacity(), server);
    let listener = net.server.listen(Domain::Inet, PORT, 16);
    let last = net
        .server
        .stack
        .socket(Domain::Inet, glasstack::stack::Type::Stream)
        .unwrap();
    let client = net.client.connect(SERVER);
    net.run();
    assert!(is_connected(&mut net, client));
    net.client.stack.send(client, b"hello").unwrap();
    net.run();
    assert_eq!(
        net.server.stack.accept(listener),
        Err(Error::Exhausted(Limit::Sockets))
    );
    assert!(net.server.stack.readiness(listener).unwrap().readable);
    net.server.stack.close(last).unwrap();
    let (accepted, _) = net.server.stack.accept(listener).unwrap();
    assert_eq!(net.server.recv(accepted), Ok(b"hello".to_vec()));
}

#[test]
fn closing_a_listener_resets_those_who_wait_and_frees_port_and_slots() {
    let mut net = Net::new();
    let listener = net.server.listen(Domain::Inet, PORT, 16);
    let queued = net.client.connect(SERVER);
    net.run();
    net.inject(Side::Server, &syn(7));
    // The half-open peer's SYN-ACK goes to a neighbor that is not there; its reset is given up with it.
    net.run();
    assert!(is_connected(&mut net, queued));
    assert_eq!(net.server.stack.usage().connections, 2);
    net.server.stack.close(listener).unwrap();
    net.run();
    assert_eq!(net.client.recv(queued), Err(Error::ConnectionReset));
    let again = net.server.listen(Domain::Inet, PORT, 16);
    net.run_for(Time::from_secs(10));
    assert_eq!(net.server.stack.usage().connections, 0);
    let client = net.client.connect(SERVER);
    net.run();
    assert!(is_connected(&mut net, client));
    assert!(net.server.stack.accept(again).is_ok());
}

#[test]
fn an_accepted_connection_has_its_listeners_options() {
    let mut net = Net::new();
    let listener = net.server.listen(Domain::Inet, PORT, 16);
    let timeout = Some(Duration::from_secs(33));
    net.server
        .stack
        .setsockopt(listener, NoDelay, true)
        .unwrap();
    net.server.stack.setsockopt(listener, HopLimit, 7).unwrap();
    net.server
        .stack
        .setsockopt(listener, UserTimeout, timeout)
        .unwrap();
    net.server.keep_alive(listener, timeout);
    net.server
        .stack
        .setsockopt(listener, Congestion, CongestionControl::Cubic)
        .unwrap();
    net.client.connect(SERVER);
    net.run();
    let (accepted, _) = net.server.stack.accept(listener).unwrap();
    assert_eq!(net.server.stack.getsockopt(accepted, NoDelay), Ok(true));
    assert_eq!(net.server.stack.getsockopt(accepted, HopLimit), Ok(7));
    assert_eq!(
        net.server.stack.getsockopt(accepted, UserTimeout),
        Ok(timeout)
    );
    assert_eq!(
        net.server
            .stack
            .getsockopt(accepted, KeepAliveIdle)
            .map(Some),
        Ok(timeout)
    );
    assert_eq!(
        net.server.stack.getsockopt(accepted, Congestion),
        Ok(CongestionControl::Cubic)
    );
    // The SYN-ACK already has the hop limit.
    let from_server = net.segments(Side::Server);
    assert!(!from_server.is_empty() && from_server.iter().all(|segment| segment.hop_limit == 7));
}

#[test]
fn listen_again_changes_the_backlog() {
    let mut net = Net::new();
    let listener = net.server.listen(Domain::Inet, PORT, 1);
    let clients: Vec<Fd> = (0..3).map(|_| net.client.connect(SERVER)).collect();
    net.run();
    let connected = |net: &mut Net| {
        clients
            .iter()
            .filter(|fd| net.client.stack.readiness(**fd).unwrap().writable)
            .count()
    };
    assert_eq!(connected(&mut net), 1);
    net.server.stack.listen(listener, 3).unwrap();
    net.run();
    assert_eq!(connected(&mut net), 3);
}

#[test]
fn a_repeated_syn_of_a_half_open_connection_is_answered_again_with_the_same_number() {
    let mut net = Net::new();
    net.server.listen(Domain::Inet, PORT, 16);
    let client = net.client.connect(SERVER);
    net.lose(nth(1, |frame| {
        frame.segment().is_some_and(|s| s.flags == SYN | ACK)
    }));
    net.run_for(Time::from_secs(3));
    assert!(is_connected(&mut net, client));
    let numbers: BTreeSet<u32> = net
        .segments(Side::Server)
        .iter()
        .filter(|s| s.has(SYN))
        .map(|s| s.seq)
        .collect();
    assert_eq!(numbers.len(), 1);
}

#[test]
fn a_full_backlog_gives_up_its_oldest_half_open_connection_after_a_second() {
    let mut net = Net::with(Medium::Ip, capacity(), capacity());
    let listener = net.server.listen(Domain::Inet, PORT, 2);
    net.inject(Side::Server, &syn(1));
    net.inject(Side::Server, &syn(2));
    net.run();
    let client = net.client.connect(SERVER);
    net.run_for(Time::from_millis(900));
    assert!(!is_connected(&mut net, client));
    net.run_for(Time::from_millis(200));
    assert!(is_connected(&mut net, client));
    assert!(net.server.stack.accept(listener).is_ok());
}

#[test]
fn through_a_syn_flood_of_100_000_sources_a_client_still_gets_in_and_memory_stays_bounded() {
    let server = Capacity {
        sockets: 80,
        connections: 64,
        ..capacity()
    };
    let mut net = Net::with(Medium::Ip, capacity(), server.clone());
    let gateway = [10, 0, 0, 254].into();
    let interface = net.server.interface;
    net.server.stack.set_gateway(interface, gateway).unwrap();
    let listener = net.server.listen(Domain::Inet, PORT, 64);
    let mut random: u32 = 1;
    let mut served = 0;
    let mut client = None;
    for round in 0..1_000 {
        for _ in 0..100 {
            // Any spread over 11.0.0.0 to 110.255.255.255 will do.
            random = random.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            let [a, b, c, d] = random.to_be_bytes();
            let source = format!("{}.{b}.{c}.{d}:{}", 11 + a % 100, 1_024 + u16::from(d));
            net.inject(Side::Server, &Segment::new(&source, SERVER, SYN, random, 0));
        }
        if client.is_none() && served < 3 && round >= 100 {
            client = Some(net.client.connect(SERVER));
        }
        net.run_for(Time::from_millis(100));
        net.frames.clear();
        net.server.stack.observer().0.clear();
        let usage = net.server.stack.usage();
        assert!(usage.connections <= server.connections && usage.sockets <= server.sockets);
        let Some(fd) = client else { continue };
        let outcome = net.client.stack.connect(fd, address());
        if outcome == Err(Error::TimedOut) {
            net.client.stack.close(fd).unwrap();
            client = None; // another try
        } else if outcome == Ok(()) {
            net.client.stack.send(fd, b"hello").unwrap();
            net.run();
            let (accepted, _) = net.server.stack.accept(listener).unwrap();
            assert_eq!(net.server.recv(accepted), Ok(b"hello".to_vec()));
            net.client.stack.close(fd).unwrap();
            net.server.stack.close(accepted).unwrap();
            net.run();
            client = None;
            served += 1;
        }
    }
    assert!(served >= 1, "the client never got in");
    // When the flood is over everything is given back.
    net.run_for(Time::from_secs(200));
    assert_eq!(net.server.stack.usage().connections, 0);
}

#[test]
fn two_hundred_clients_at_backlog_5_and_64_slots_are_all_served_and_none_is_reset() {
    const CLIENTS: usize = 200;
    let client = Capacity {
        sockets: CLIENTS + 1,
        connections: CLIENTS,
        receive_buffer: 1_024,
        send_buffer: 1_024,
        ..capacity()
    };
    let server = Capacity {
        sockets: 128,
        connections: 64,
        pending_syns: 256,
        ..capacity()
    };
    let mut net = Net::with(Medium::Ethernet, client, server);
    let listener = net.server.listen(Domain::Inet, PORT, 5);
    let clients: Vec<Fd> = (0..CLIENTS).map(|_| net.client.connect(SERVER)).collect();
    let mut open: Vec<Fd> = Vec::new();
    let mut greeted = [false; CLIENTS];
    let start = net.now;
    while greeted.contains(&false) {
        assert!(
            net.now < start + Time::from_secs(120),
            "{} are still waiting",
            greeted.iter().filter(|g| !**g).count()
        );
        net.run_for(Time::from_millis(10));
        while let Ok((fd, _)) = net.server.stack.accept(listener) {
            net.server.stack.send(fd, b"Welcome!").unwrap();
            open.push(fd);
        }
        for (index, fd) in clients.iter().enumerate() {
            if greeted[index] {
                continue;
            }
            match net.client.stack.connect(*fd, address()) {
                Ok(()) | Err(Error::AlreadyConnected) => {}
                other => {
                    assert_eq!(other, Err(Error::WouldBlock));
                    continue;
                }
            }
            if let Ok(text) = net.client.recv(*fd) {
                assert_eq!(text, b"Welcome!");
                greeted[index] = true;
                net.client.stack.close(*fd).unwrap();
            }
        }
        open.retain(|fd| {
            let is_over = net.server.recv(*fd) == Ok(vec![]);
            if is_over {
                net.server.stack.close(*fd).unwrap();
            }
            !is_over
        });
    }
    assert_eq!(resets(&net, Side::Server) + resets(&net, Side::Client), 0);
}
