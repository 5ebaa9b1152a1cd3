//! How connections end: close, shutdown, reset, and what the slot does afterwards.
#![cfg(all(feature = "std", feature = "ipv4", feature = "ipv6"))]
// A step that fails fails its test.
#![allow(clippy::unwrap_used, clippy::panic)]

mod net;

use std::net::SocketAddr;
use std::time::Duration;

use glasstack::smoltcp::phy::Medium;
use glasstack::smoltcp::time::Duration as Time;
use glasstack::stack::option::{Congestion, CongestionControl};
use glasstack::stack::{CLOSE_TIMEOUT, Capacity, Domain, ORPHAN_TIMEOUT, Shutdown, Type};
use glasstack::trace::State;
use glasstack::{Error, Fd};
use net::segment::{ACK, FIN, RST, SYN, Segment};
use net::{Net, PORT, SERVER, SERVER_V6, Side, capacity, nth};

fn address() -> SocketAddr {
    SERVER.parse().unwrap()
}

fn slots(net: &Net) -> (usize, usize) {
    (
        net.client.stack.usage().connections,
        net.server.stack.usage().connections,
    )
}

fn resets(net: &Net, from: Side) -> usize {
    net.segments(from)
        .iter()
        .filter(|segment| segment.has(RST))
        .count()
}

/// Reads what comes until there is no more, or the end.
fn drain(net: &mut Net, side: Side, fd: Fd) -> (usize, bool) {
    let mut total = 0;
    loop {
        match net.host(side).recv(fd) {
            Ok(data) if data.is_empty() => return (total, true),
            Ok(data) => total += data.len(),
            Err(_) => return (total, false),
        }
    }
}

#[test]
fn close_sends_what_is_queued_then_fin_in_the_background() {
    for server in [SERVER, SERVER_V6] {
        let mut net = Net::new();
        let (client, accepted, _) = net.pair(server);
        assert_eq!(net.client.stack.send(client, &[7; 8_192]), Ok(8_192));
        net.client.stack.close(client).unwrap();
        assert_eq!(
            net.client.stack.send(client, b"x"),
            Err(Error::BadDescriptor)
        );
        assert_eq!(net.client.stack.usage().sockets, 0);
        assert_eq!(slots(&net), (1, 1));
        let mut received = 0;
        let mut is_over = false;
        for _ in 0..100 {
            net.run_for(Time::from_millis(10));
            let (count, end) = drain(&mut net, Side::Server, accepted);
            received += count;
            is_over |= end;
        }
        assert_eq!((received, is_over), (8_192, true));
        assert_eq!(resets(&net, Side::Client), 0);
        net.server.stack.close(accepted).unwrap();
        net.run();
        // The client closed first: TIME-WAIT holds its slot for ten seconds, as smoltcp has it.
        assert_eq!(slots(&net), (1, 0));
        net.run_for(Time::from_millis(9_900));
        assert_eq!(slots(&net), (1, 0));
        net.run_for(Time::from_millis(200));
        assert_eq!(slots(&net), (0, 0));
        let states = net.client.states();
        let walk = [
            State::SynSent,
            State::Established,
            State::FinWait1,
            State::FinWait2,
            State::TimeWait,
            State::Closed,
        ];
        assert_eq!(states, walk);
        let walk = [
            State::SynReceived,
            State::Established,
            State::CloseWait,
            State::LastAck,
            State::Closed,
        ];
        assert_eq!(net.server.states(), walk);
    }
}

#[test]
fn close_with_unread_data_resets() {
    let mut net = Net::new();
    let (client, accepted, _) = net.pair(SERVER);
    net.client.stack.send(client, b"never read").unwrap();
    net.run();
    net.server.stack.close(accepted).unwrap();
    net.run();
    assert_eq!(resets(&net, Side::Server), 1);
    assert_eq!(net.client.recv(client), Err(Error::ConnectionReset));
    assert_eq!(net.server.stack.usage().connections, 0);
    net.client.stack.close(client).unwrap();
    net.run();
    assert_eq!(slots(&net), (0, 0));
}

#[test]
fn new_data_after_close_resets() {
    let mut net = Net::new();
    let (client, accepted, _) = net.pair(SERVER);
    net.server.stack.close(accepted).unwrap();
    net.run();
    assert_eq!(net.client.recv(client), Ok(vec![]));
    // The client may still send: it has only heard a FIN. Nobody is there to read it.
    assert_eq!(net.client.stack.send(client, b"too late"), Ok(8));
    net.run();
    assert_eq!(resets(&net, Side::Server), 1);
    assert_eq!(net.server.stack.usage().connections, 0);
    assert_eq!(net.client.stack.send(client, b"x"), Err(Error::BrokenPipe));
}

#[test]
fn data_after_shutdown_of_the_write_side_is_still_welcome() {
    for (first, second) in [(Side::Client, Side::Server), (Side::Server, Side::Client)] {
        let mut net = Net::new();
        let (client, accepted, _) = net.pair(SERVER);
        let fd = |side| {
            if side == Side::Client {
                client
            } else {
                accepted
            }
        };
        net.host(first).stack.send(fd(first), b"question").unwrap();
        net.host(first)
            .stack
            .shutdown(fd(first), Shutdown::Write)
            .unwrap();
        net.run_for(Time::from_millis(20));
        assert_eq!(net.host(second).recv(fd(second)), Ok(b"question".to_vec()));
        assert_eq!(net.host(second).recv(fd(second)), Ok(vec![]));
        assert_eq!(
            net.host(first).stack.send(fd(first), b"x"),
            Err(Error::BrokenPipe)
        );
        // Half closed it goes on in the other direction, for as long as it likes.
        for _ in 0..5 {
            net.run_for(Time::from_secs(100));
            assert_eq!(net.host(second).stack.send(fd(second), b"answer"), Ok(6));
            net.run();
            assert_eq!(net.host(first).recv(fd(first)), Ok(b"answer".to_vec()));
        }
        net.host(second)
            .stack
            .shutdown(fd(second), Shutdown::Write)
            .unwrap();
        net.run();
        assert_eq!(net.host(first).recv(fd(first)), Ok(vec![]));
        net.client.stack.close(client).unwrap();
        net.server.stack.close(accepted).unwrap();
        net.run_for(Time::from_secs(11));
        assert_eq!(slots(&net), (0, 0));
        assert_eq!(resets(&net, Side::Client) + resets(&net, Side::Server), 0);
    }
}

#[test]
fn shutdown_of_the_read_side_reads_what_is_there_then_the_end_and_still_sends() {
    let mut net = Net::new();
    let (client, accepted, _) = net.pair(SERVER);
    net.server.stack.send(accepted, b"hello").unwrap();
    net.run();
    net.client.stack.shutdown(client, Shutdown::Read).unwrap();
    assert_eq!(net.client.recv(client), Ok(b"hello".to_vec()));
    assert_eq!(net.client.recv(client), Ok(vec![]));
    assert!(net.client.stack.readiness(client).unwrap().readable);
    assert_eq!(net.client.stack.send(client, b"still here"), Ok(10));
    net.run();
    assert_eq!(net.server.recv(accepted), Ok(b"still here".to_vec()));
    // Nothing went over the wire for it: the peer does not know.
    assert!(
        net.segments(Side::Client)
            .iter()
            .all(|segment| !segment.has(FIN))
    );
}

#[test]
fn shutdown_of_both_sides_ends_both_and_keeps_the_descriptor() {
    let mut net = Net::new();
    let (client, accepted, _) = net.pair(SERVER);
    net.client.stack.shutdown(client, Shutdown::Both).unwrap();
    net.run();
    assert_eq!(net.client.recv(client), Ok(vec![]));
    assert_eq!(net.client.stack.send(client, b"x"), Err(Error::BrokenPipe));
    assert_eq!(net.server.recv(accepted), Ok(vec![]));
    assert!(net.client.stack.readiness(client).unwrap().closed);
    net.server.stack.close(accepted).unwrap();
    net.run();
    net.client.stack.close(client).unwrap();
    net.run_for(Time::from_secs(11));
    assert_eq!(slots(&net), (0, 0));
    assert_eq!(resets(&net, Side::Client) + resets(&net, Side::Server), 0);
}

#[test]
fn shutdown_without_a_connection_is_not_connected() {
    let mut net = Net::new();
    let fd = net.client.stack.socket(Domain::Inet, Type::Stream).unwrap();
    assert_eq!(
        net.client.stack.shutdown(fd, Shutdown::Both),
        Err(Error::NotConnected)
    );
}

#[test]
fn close_before_the_handshake_is_done_says_nothing_to_the_peer() {
    let mut net = Net::new();
    let warm = net.pair(SERVER);
    net.frames.clear();
    let client = net.client.connect(SERVER);
    net.client.stack.close(client).unwrap();
    net.run_for(Time::from_secs(5));
    assert_eq!(net.segments(Side::Client), []);

    // The same when the SYN is on its way already.
    net.cut();
    let client = net.client.connect(SERVER);
    net.run();
    assert_eq!(net.segments(Side::Client).len(), 1);
    net.client.stack.close(client).unwrap();
    net.run_for(Time::from_secs(5));
    assert_eq!(net.segments(Side::Client).len(), 1);
    assert_eq!(net.client.stack.usage().connections, 1);
    let _ = warm;
}

#[test]
fn an_orphan_in_fin_wait_2_ends_after_the_close_timeout() {
    let mut net = Net::new();
    let (client, _accepted, _) = net.pair(SERVER);
    net.client.stack.close(client).unwrap();
    net.run();
    let closed = net.now;
    assert_eq!(net.client.states().last(), Some(&State::FinWait2));
    net.run_until(closed + CLOSE_TIMEOUT.into() - Time::from_micros(1));
    assert_eq!(net.client.stack.usage().connections, 1);
    net.run_until(closed + CLOSE_TIMEOUT.into());
    assert_eq!(net.client.stack.usage().connections, 0);
}

#[test]
fn an_orphan_in_fin_wait_2_ends_however_often_its_peer_speaks() {
    let mut net = Net::new();
    let (client, _accepted, _) = net.pair(SERVER);
    net.client.keep_alive(client, Some(Duration::from_secs(1)));
    net.client.stack.close(client).unwrap();
    net.run_for(Time::from_secs(59));
    assert_eq!(net.client.stack.usage().connections, 1);
    net.run_for(Time::from_secs(1));
    assert_eq!(net.client.stack.usage().connections, 0);
}

#[test]
fn a_half_closed_connection_that_is_still_held_does_not_end_by_itself() {
    let mut net = Net::new();
    let (client, accepted, _) = net.pair(SERVER);
    net.client.stack.shutdown(client, Shutdown::Write).unwrap();
    net.run_for(Time::from_secs(10_000));
    assert_eq!(net.server.stack.send(accepted, b"late"), Ok(4));
    net.run_for(Time::from_secs(5));
    assert_eq!(net.client.recv(client), Ok(b"late".to_vec()));
}

#[test]
fn an_orphan_whose_peer_vanished_ends() {
    for data in [0, 5_000] {
        let mut net = Net::new();
        let (client, _accepted, _) = net.pair(SERVER);
        net.cut();
        if data > 0 {
            net.client.stack.send(client, &vec![7; data]).unwrap();
        }
        net.client.stack.close(client).unwrap();
        let closed = net.now;
        net.run_until(closed + ORPHAN_TIMEOUT.into() - Time::from_micros(1));
        assert_eq!(net.client.stack.usage().connections, 1);
        net.run_until(closed + ORPHAN_TIMEOUT.into());
        assert_eq!(
            net.client.stack.usage().connections,
            0,
            "with {data} octets queued"
        );
        // And nothing goes on afterwards.
        assert_eq!(net.client.deadline, None);
    }
}

#[test]
fn an_orphan_with_much_to_send_is_not_given_up_while_its_peer_reads() {
    let mut net = Net::new();
    let (client, accepted, _) = net.pair(SERVER);
    // The peer's window fills, then the send buffer: more than one window is left when the socket closes.
    let mut sent = 0;
    while let Ok(count) = net.client.stack.send(client, &[7; 1_000]) {
        sent += count;
        net.run_for(Time::from_millis(20));
    }
    assert!(sent > 12_000);
    net.client.stack.close(client).unwrap();
    let mut received = 0;
    let mut is_over = false;
    // Two hundred octets every two seconds: far longer than the close timeout.
    for _ in 0..1_000 {
        net.run_for(Time::from_secs(2));
        let mut buffer = [0; 200];
        match net.server.stack.recv(accepted, &mut buffer) {
            Ok(0) => {
                is_over = true;
                break;
            }
            Ok(count) => received += count,
            Err(error) => assert_eq!(error, Error::WouldBlock),
        }
    }
    assert_eq!((received, is_over), (sent, true));
}

#[test]
fn both_close_at_once() {
    let mut net = Net::new();
    let (client, accepted, _) = net.pair(SERVER);
    net.client.stack.close(client).unwrap();
    net.server.stack.close(accepted).unwrap();
    net.run();
    let closing = [
        State::Established,
        State::FinWait1,
        State::Closing,
        State::TimeWait,
    ];
    assert!(
        net.client.states().ends_with(&closing),
        "{:?}",
        net.client.states()
    );
    assert!(
        net.server.states().ends_with(&closing),
        "{:?}",
        net.server.states()
    );
    net.run_for(Time::from_secs(11));
    assert_eq!(slots(&net), (0, 0));
    assert_eq!(resets(&net, Side::Client) + resets(&net, Side::Server), 0);
}

#[test]
fn a_lost_fin_is_sent_again() {
    let mut net = Net::new();
    let (client, accepted, _) = net.pair(SERVER);
    net.lose(nth(1, |frame| {
        frame.segment().is_some_and(|segment| segment.has(FIN))
    }));
    net.client.stack.close(client).unwrap();
    net.run();
    assert_eq!(net.server.recv(accepted), Err(Error::WouldBlock));
    net.run_for(Time::from_secs(3));
    assert_eq!(net.server.recv(accepted), Ok(vec![]));
}

#[test]
fn a_slot_carries_nothing_over_after_a_fast_retransmit() {
    let one_slot = Capacity {
        connections: 1,
        ..capacity()
    };
    let mut net = Net::with(Medium::Ethernet, one_slot.clone(), one_slot);
    let (client, accepted, listener) = net.pair(SERVER);
    // The first data segment is lost, and so are its repetitions: the socket stays in recovery.
    let first = net.segments(Side::Client)[1].seq;
    net.lose(move |frame| {
        frame
            .segment()
            .is_some_and(|s| s.seq == first && !s.payload.is_empty())
    });
    // Without a congestion window enough segments follow the lost one for three duplicate ACKs.
    net.client
        .stack
        .setsockopt(client, Congestion, CongestionControl::None)
        .unwrap();
    net.client.stack.send(client, &[7; 8_000]).unwrap();
    net.run_for(Time::from_millis(100));
    let again = net
        .segments(Side::Client)
        .iter()
        .filter(|s| s.seq == first && !s.payload.is_empty())
        .count();
    assert!(again > 1, "no fast retransmission");
    net.pass_all();
    net.server.stack.close(accepted).unwrap();
    net.run_for(Time::from_secs(5));
    net.client.stack.close(client).unwrap();
    net.run_for(Time::from_secs(100));
    assert_eq!(slots(&net), (0, 0));

    net.frames.clear();
    let client = net.client.connect(SERVER);
    net.run();
    assert_eq!(net.client.stack.connect(client, address()), Ok(()));
    let (accepted, _) = net.server.stack.accept(listener).unwrap();
    for round in 0..20_u8 {
        net.client.stack.send(client, &[round; 500]).unwrap();
        net.run_for(Time::from_millis(20));
        assert_eq!(net.server.recv(accepted), Ok(vec![round; 500]));
    }
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
    let one_slot = Capacity {
        connections: 1,
        ..capacity()
    };
    let mut net = Net::with(Medium::Ethernet, one_slot.clone(), one_slot);
    let (client, accepted, listener) = net.pair(SERVER);
    let first = net.segments(Side::Client)[1].seq;
    net.lose(move |frame| {
        frame
            .segment()
            .is_some_and(|s| s.seq == first && !s.payload.is_empty())
    });
    net.client.stack.send(client, &[7; 8_000]).unwrap();
    net.run_for(Time::from_millis(100));
    // The server holds what came after the hole; its slot is given up in this state.
    let mut rst = net.segments(Side::Client)[1].clone();
    rst.flags = RST | ACK;
    net.inject(Side::Server, &rst);
    net.run();
    assert_eq!(net.server.recv(accepted), Err(Error::ConnectionReset));
    net.server.stack.close(accepted).unwrap();
    net.pass_all();
    net.run_for(Time::from_secs(5));
    net.client.stack.close(client).unwrap();
    net.run_for(Time::from_secs(100));
    assert_eq!(slots(&net), (0, 0));
    let client = net.client.connect(SERVER);
    net.run();
    let (accepted, _) = net.server.stack.accept(listener).unwrap();
    for round in 0..10_u8 {
        net.client.stack.send(client, &[round; 700]).unwrap();
        net.run_for(Time::from_millis(20));
        assert_eq!(net.server.recv(accepted), Ok(vec![round; 700]));
    }
}

#[test]
fn the_port_is_free_again_at_once() {
    let mut net = Net::new();
    let (client, accepted, listener) = net.pair(SERVER);
    // The server closes first, so TIME-WAIT is on its side.
    net.server.stack.close(accepted).unwrap();
    net.run();
    net.client.stack.close(client).unwrap();
    net.run();
    net.server.stack.close(listener).unwrap();
    assert_eq!(net.server.states().last(), Some(&State::TimeWait));
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
        let fd = net.client.stack.socket(Domain::Inet, Type::Stream).unwrap();
        net.client.stack.bind(fd, local).unwrap();
        assert_eq!(
            net.client.stack.connect(fd, address()),
            Err(Error::WouldBlock)
        );
        net.client.stack.close(fd).unwrap();
    }
}

#[test]
fn a_syn_beyond_the_last_connection_begins_the_next_one_in_time_wait() {
    let mut net = Net::new();
    let listener = net.server.listen(Domain::Inet, PORT, 4);
    let local: SocketAddr = "10.0.0.1:4000".parse().unwrap();
    for round in 0..3 {
        let client = net.client.stack.socket(Domain::Inet, Type::Stream).unwrap();
        net.client.stack.bind(client, local).unwrap();
        assert_eq!(
            net.client.stack.connect(client, address()),
            Err(Error::WouldBlock),
            "{round}"
        );
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
        net.server.stack.close(accepted).unwrap();
        net.run();
        net.client.stack.close(client).unwrap();
        net.run_for(Time::from_millis(50));
        // TIME-WAIT is on the server's side; the same 4-tuple comes again.
        assert_eq!(slots(&net), (0, 1));
    }
}

#[test]
fn an_old_syn_in_time_wait_begins_nothing() {
    let mut net = Net::new();
    let (client, accepted, listener) = net.pair(SERVER);
    net.server.stack.close(accepted).unwrap();
    net.run();
    net.client.stack.close(client).unwrap();
    net.run_for(Time::from_millis(50));
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
fn a_reset_gives_connection_reset_once_and_then_the_end() {
    let mut net = Net::new();
    let (client, accepted, _) = net.pair(SERVER);
    net.client.stack.send(client, b"unread").unwrap();
    net.run();
    net.server.stack.close(accepted).unwrap();
    net.run();
    let readiness = net.client.stack.readiness(client).unwrap();
    assert!(readiness.error && readiness.closed && readiness.readable && readiness.writable);
    assert_eq!(
        net.client.stack.send(client, b"x"),
        Err(Error::ConnectionReset)
    );
    assert_eq!(net.client.stack.send(client, b"x"), Err(Error::BrokenPipe));
    assert_eq!(net.client.recv(client), Ok(vec![]));
    assert_eq!(
        net.client.stack.getpeername(client),
        Err(Error::NotConnected)
    );
    assert_eq!(
        net.client.stack.shutdown(client, Shutdown::Both),
        Err(Error::NotConnected)
    );
}

#[test]
fn a_reset_outside_the_window_is_ignored() {
    let mut net = Net::new();
    let (client, accepted, _) = net.pair(SERVER);
    let last = net.segments(Side::Client).last().cloned().unwrap();
    let blind = Segment {
        flags: RST,
        seq: last.seq.wrapping_add(1 << 30),
        ..last
    };
    net.inject(Side::Server, &blind);
    net.run();
    net.client.stack.send(client, b"alive").unwrap();
    net.run();
    assert_eq!(net.server.recv(accepted), Ok(b"alive".to_vec()));
}

#[test]
fn what_arrived_before_a_reset_is_read_first() {
    let mut net = Net::new();
    let (client, accepted, _) = net.pair(SERVER);
    net.server.stack.send(accepted, b"last words").unwrap();
    net.client.stack.send(client, b"unread").unwrap();
    net.run();
    net.server.stack.close(accepted).unwrap();
    net.run();
    assert_eq!(net.client.recv(client), Ok(b"last words".to_vec()));
    assert_eq!(net.client.recv(client), Err(Error::ConnectionReset));
    assert_eq!(net.client.recv(client), Ok(vec![]));
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
