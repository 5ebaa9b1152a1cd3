//! close and shutdown, while the peer is there.

use glasstack::smoltcp::time::Duration as Time;
use glasstack::stack::{Domain, Shutdown, Type};
use glasstack::trace::State;
use glasstack::{Error, Fd};

use crate::net::segment::FIN;
use crate::net::{Frame, Host, Net, SERVER, SERVER_V6, Side, nth};
use crate::{ends_in_order, resets, slots};

/// Reads what comes until there is no more, or the end.
fn drain(host: &mut Host, fd: Fd) -> (usize, bool) {
    let mut total = 0;
    loop {
        match host.recv(fd) {
            Ok(data) if data.is_empty() => return (total, true),
            Ok(data) => total += data.len(),
            Err(_) => return (total, false),
        }
    }
}

fn has_fin(frame: &Frame) -> bool {
    frame.segment().is_some_and(|segment| segment.has(FIN))
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
            let (count, end) = drain(&mut net.server, accepted);
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
        let walk = [
            State::SynSent,
            State::Established,
            State::FinWait1,
            State::FinWait2,
            State::TimeWait,
            State::Closed,
        ];
        assert_eq!(net.client.states(), walk);
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
        ends_in_order(&mut net);
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
    assert!(!net.frames.iter().any(has_fin));
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
    ends_in_order(&mut net);
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
    let _warm = net.pair(SERVER);
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
    for side in [Side::Client, Side::Server] {
        let states = net.host(side).states();
        assert!(states.ends_with(&closing), "{side:?}: {states:?}");
    }
    ends_in_order(&mut net);
}

#[test]
fn a_lost_fin_is_sent_again() {
    let mut net = Net::new();
    let (client, accepted, _) = net.pair(SERVER);
    net.lose(nth(1, has_fin));
    net.client.stack.close(client).unwrap();
    net.run();
    assert_eq!(net.server.recv(accepted), Err(Error::WouldBlock));
    net.run_for(Time::from_secs(3));
    assert_eq!(net.server.recv(accepted), Ok(vec![]));
}
