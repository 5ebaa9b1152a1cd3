//! Timers: when a connection gives up, when it tries again, and that nothing happens in between.
#![cfg(all(feature = "std", feature = "ipv4", feature = "ipv6"))]
// A step that fails fails its test.
#![allow(clippy::unwrap_used, clippy::panic)]

mod net;

use std::net::SocketAddr;
use std::time::Duration;

use glasstack::smoltcp::time::{Duration as Time, Instant};
use glasstack::stack::option::UserTimeout;
use glasstack::stack::{
    CONNECT_TIMEOUT, DATA_TIMEOUT, Domain, HANDSHAKE_TIMEOUT, KEEP_ALIVE_PROBES, Type,
};
use glasstack::{Error, Fd};
use net::segment::{ACK, RST, SYN, Segment};
use net::{Frame, Net, PORT, SERVER, Side};

const MICROSECOND: Time = Time::from_micros(1);

fn address() -> SocketAddr {
    SERVER.parse().unwrap()
}

/// The client's connection is open until this moment, and then has timed out.
fn times_out_at(net: &mut Net, client: Fd, end: Instant) {
    net.run_until(end - MICROSECOND);
    assert!(!net.client.stack.readiness(client).unwrap().closed);
    net.run_until(end);
    assert_eq!(net.client.recv(client), Err(Error::TimedOut));
}

/// When segments that the closure picks left, in seconds after the first.
fn departures(net: &Net, from: Side, pick: impl Fn(&Segment) -> bool) -> Vec<u64> {
    let picked = |frame: &&Frame| {
        frame.from == from && frame.segment().is_some_and(|segment| pick(&segment))
    };
    let times: Vec<Instant> = net
        .frames
        .iter()
        .filter(picked)
        .map(|frame| frame.time)
        .collect();
    times.iter().map(|time| (*time - times[0]).secs()).collect()
}

/// A stream socket, and a wire on which SYNs are answered by nobody although the neighbor is known.
fn silent_server(net: &mut Net) -> Fd {
    let (client, accepted, listener) = net.pair(SERVER);
    net.client.stack.close(client).unwrap();
    net.server.stack.close(accepted).unwrap();
    net.server.stack.close(listener).unwrap();
    net.run_for(Time::from_secs(20));
    net.frames.clear();
    net.lose_segments();
    net.client.stack.socket(Domain::Inet, Type::Stream).unwrap()
}

#[test]
fn connect_times_out_exactly_at_its_limit() {
    for timeout in [
        None,
        Some(Duration::from_millis(2_500)),
        Some(Duration::from_secs(300)),
    ] {
        let mut net = Net::new();
        let fd = silent_server(&mut net);
        net.client
            .stack
            .setsockopt(fd, UserTimeout, timeout)
            .unwrap();
        let start = net.now;
        assert_eq!(
            net.client.stack.connect(fd, address()),
            Err(Error::WouldBlock)
        );
        let end = start + timeout.unwrap_or(CONNECT_TIMEOUT).into();
        net.run_until(end - MICROSECOND);
        assert_eq!(
            net.client.stack.connect(fd, address()),
            Err(Error::WouldBlock)
        );
        assert_eq!(
            net.client.deadline,
            Some(end),
            "the host must ask to be woken then"
        );
        net.run_until(end);
        assert_eq!(
            net.client.stack.connect(fd, address()),
            Err(Error::TimedOut)
        );
        assert_eq!(net.client.stack.usage().connections, 0);
        assert!(
            net.segments(Side::Client)
                .iter()
                .all(|segment| !segment.has(RST))
        );
    }
}

#[test]
fn the_syn_is_repeated_after_1_2_4_seconds_and_so_on() {
    let mut net = Net::new();
    let fd = silent_server(&mut net);
    assert_eq!(
        net.client.stack.connect(fd, address()),
        Err(Error::WouldBlock)
    );
    net.run();
    let start = net.now;
    for seconds in [1, 3, 7, 15, 31, 63] {
        assert_eq!(net.client.deadline, Some(start + Time::from_secs(seconds)));
        net.run_until(start + Time::from_secs(seconds));
    }
    net.run_for(Time::from_secs(100));
    // It never waits longer than a minute (RFC 6298 §2.5).
    assert_eq!(
        departures(&net, Side::Client, |s| s.has(SYN)),
        [0, 1, 3, 7, 15, 31, 63, 123]
    );
}

#[test]
fn data_is_repeated_after_1_2_4_seconds_and_polls_deadline_shows_it() {
    let mut net = Net::new();
    let (client, ..) = net.pair(SERVER);
    net.run_for(Time::from_secs(1));
    net.frames.clear();
    net.cut();
    net.client.stack.send(client, b"hello").unwrap();
    net.run();
    let start = net.now;
    for seconds in [1, 3, 7, 15, 31] {
        assert_eq!(net.client.deadline, Some(start + Time::from_secs(seconds)));
        net.run_until(start + Time::from_secs(seconds));
    }
    assert_eq!(
        departures(&net, Side::Client, |s| !s.payload.is_empty()),
        [0, 1, 3, 7, 15, 31]
    );
}

#[test]
fn unacknowledged_data_times_out_exactly_at_the_user_timeout() {
    for timeout in [
        None,
        Some(Duration::from_secs(5)),
        Some(Duration::from_millis(300)),
    ] {
        let mut net = Net::new();
        let (client, ..) = net.pair(SERVER);
        net.client
            .stack
            .setsockopt(client, UserTimeout, timeout)
            .unwrap();
        net.run_for(Time::from_secs(1_000));
        net.cut();
        net.client.stack.send(client, b"hello").unwrap();
        net.run();
        let end = net.now + timeout.unwrap_or(DATA_TIMEOUT).into();
        net.run_until(end - MICROSECOND);
        assert!(!net.client.stack.readiness(client).unwrap().closed);
        net.run_until(end);
        let readiness = net.client.stack.readiness(client).unwrap();
        assert!(readiness.closed && readiness.error);
        assert_eq!(net.client.recv(client), Err(Error::TimedOut));
        assert_eq!(net.client.recv(client), Ok(vec![]));
        assert_eq!(net.client.stack.send(client, b"x"), Err(Error::BrokenPipe));
        assert!(
            net.segments(Side::Client)
                .iter()
                .all(|segment| !segment.has(RST))
        );
        assert_eq!(net.client.deadline, None);
        net.client.stack.close(client).unwrap();
        assert_eq!(net.client.stack.usage().connections, 0);
    }
}

#[test]
fn the_user_timeout_counts_from_when_the_data_was_sent_whatever_was_sent_before() {
    let mut net = Net::new();
    let (client, ..) = net.pair(SERVER);
    let timeout = Some(Duration::from_secs(10));
    net.client
        .stack
        .setsockopt(client, UserTimeout, timeout)
        .unwrap();
    net.client.stack.send(client, b"acknowledged").unwrap();
    net.run_for(Time::from_secs(1));
    net.cut();
    net.run_for(Time::from_secs(500));
    net.client.stack.send(client, b"lost").unwrap();
    net.run();
    let start = net.now;
    // More data does not start the time anew.
    net.run_for(Time::from_secs(9));
    net.client.stack.send(client, b"lost too").unwrap();
    times_out_at(&mut net, client, start + Time::from_secs(10));
}

#[test]
fn an_idle_connection_with_a_user_timeout_never_ends() {
    let mut net = Net::new();
    let (client, accepted, _) = net.pair(SERVER);
    let timeout = Some(Duration::from_secs(1));
    net.client
        .stack
        .setsockopt(client, UserTimeout, timeout)
        .unwrap();
    net.server
        .stack
        .setsockopt(accepted, UserTimeout, timeout)
        .unwrap();
    net.run_for(Time::from_secs(100_000));
    net.client.stack.send(client, b"still here").unwrap();
    net.run();
    assert_eq!(net.server.recv(accepted), Ok(b"still here".to_vec()));
}

#[test]
fn an_idle_connection_wakes_nobody() {
    let mut net = Net::new();
    let (client, accepted, _) = net.pair(SERVER);
    net.client.stack.send(client, b"hello").unwrap();
    net.run_for(Time::from_secs(5));
    net.server.recv(accepted).unwrap();
    net.run_for(Time::from_secs(5));
    assert_eq!((net.client.deadline, net.server.deadline), (None, None));
    let before = (net.client.polls, net.frames.len());
    net.run_for(Time::from_secs(1_000_000));
    // The first look and the last.
    assert!(net.client.polls - before.0 <= 4);
    assert_eq!(net.frames.len(), before.1);
}

#[test]
fn keep_alive_probes_at_its_interval_and_the_peer_answers() {
    let mut net = Net::new();
    let (client, ..) = net.pair(SERVER);
    net.client.keep_alive(client, Some(Duration::from_secs(10)));
    net.run();
    net.frames.clear();
    net.run_for(Time::from_secs(95));
    let probes = departures(&net, Side::Client, |_| true);
    assert_eq!(probes, [0, 10, 20, 30, 40, 50, 60, 70, 80]);
    assert_eq!(departures(&net, Side::Server, |_| true).len(), probes.len());
    assert!(!net.client.stack.readiness(client).unwrap().closed);
}

#[test]
fn nine_unanswered_keep_alive_probes_time_the_connection_out() {
    let mut net = Net::new();
    let (client, ..) = net.pair(SERVER);
    net.run_for(Time::from_secs(1));
    net.client.keep_alive(client, Some(Duration::from_secs(10)));
    net.run();
    let sent = |net: &Net| net.segments(Side::Client).len();
    // One round in which the peer answers, then silence.
    net.run_for(Time::from_secs(15));
    let heard = net.frames.last().unwrap().time;
    net.lose_segments();
    let before = sent(&net);
    let end = heard + Time::from_secs(10 * (u64::from(KEEP_ALIVE_PROBES) + 1));
    net.run_until(end - MICROSECOND);
    assert!(!net.client.stack.readiness(client).unwrap().closed);
    assert_eq!(sent(&net) - before, KEEP_ALIVE_PROBES as usize);
    net.run_until(end);
    assert_eq!(net.client.recv(client), Err(Error::TimedOut));
    net.run_for(Time::from_secs(100));
    assert_eq!(sent(&net) - before, KEEP_ALIVE_PROBES as usize);
}

#[test]
fn keep_alive_times_out_as_exactly_where_the_neighbor_vanished_with_its_address() {
    let mut net = Net::new();
    let (client, ..) = net.pair(SERVER);
    net.client
        .keep_alive(client, Some(Duration::from_secs(100)));
    net.run();
    let heard = net.frames.last().unwrap().time;
    net.cut();
    let end = heard + Time::from_secs(100 * (u64::from(KEEP_ALIVE_PROBES) + 1));
    times_out_at(&mut net, client, end);
}

/// RFC 5961 §1: who cannot see the numbers may still send segments of the flow. They are no sign of the peer's life.
#[test]
fn a_blind_forger_does_not_keep_a_dead_connection_open() {
    let mut net = Net::new();
    let (client, ..) = net.pair(SERVER);
    net.client
        .keep_alive(client, Some(Duration::from_secs(100)));
    net.run();
    let heard = net.frames.last().unwrap().time;
    let own = net.client.stack.getsockname(client).unwrap().to_string();
    net.cut();
    let end = heard + Time::from_secs(100 * (u64::from(KEEP_ALIVE_PROBES) + 1));
    let mut number = 1u32;
    while net.now + Time::from_secs(50) < end {
        net.run_for(Time::from_secs(50));
        number = number.wrapping_mul(2_654_435_761).wrapping_add(1);
        let forged = Segment::new(SERVER, &own, ACK, number, number.rotate_left(16));
        net.inject(Side::Client, &forged);
        net.run();
    }
    times_out_at(&mut net, client, end);
}

#[test]
fn a_half_open_connection_ends_at_the_handshake_timeout() {
    let mut net = Net::with(
        glasstack::smoltcp::phy::Medium::Ip,
        net::capacity(),
        net::capacity(),
    );
    net.server.listen(Domain::Inet, PORT, 4);
    net.inject(
        Side::Server,
        &Segment::new("10.0.0.77:1", SERVER, SYN, 7, 0),
    );
    net.run();
    let start = net.now;
    net.run_until(start + Time::from(HANDSHAKE_TIMEOUT) - MICROSECOND);
    assert_eq!(net.server.stack.usage().connections, 1);
    net.run_until(start + Time::from(HANDSHAKE_TIMEOUT));
    assert_eq!(net.server.stack.usage().connections, 0);
    assert_eq!(net.server.deadline, None);
    let times = departures(&net, Side::Server, |s| s.flags == SYN | ACK);
    assert_eq!(times, [0, 1, 3, 7, 15, 31]);
}

#[test]
fn a_zero_window_is_probed_until_it_opens() {
    let mut net = Net::new();
    let (client, accepted, _) = net.pair(SERVER);
    let mut sent = 0;
    loop {
        match net.client.stack.send(client, &[7; 4_096]) {
            Ok(count) => sent += count,
            Err(error) => {
                assert_eq!(error, Error::WouldBlock);
                break;
            }
        }
        net.run_for(Time::from_millis(100));
    }
    assert_eq!(net.segments(Side::Server).last().unwrap().window, 0);
    let before = net.segments(Side::Client).len();
    // The window's opening is lost, so that only a probe can find it.
    net.run_for(Time::from_secs(100));
    let probes = net.segments(Side::Client).len() - before;
    assert!((3..=20).contains(&probes), "{probes} probes in 100 s");
    assert!(!net.client.stack.readiness(client).unwrap().closed);
    net.lose(|frame| frame.from == Side::Server);
    let mut received = net.server.recv(accepted).unwrap().len();
    net.run();
    net.pass_all();
    while received < sent {
        net.run_for(Time::from_secs(60));
        received += net.server.recv(accepted).unwrap().len();
    }
    assert_eq!(received, sent);
}

#[test]
fn a_peer_that_answers_zero_window_probes_is_not_timed_out() {
    let mut net = Net::new();
    let (client, accepted, _) = net.pair(SERVER);
    while net.client.stack.send(client, &[7; 4_096]).is_ok() {
        net.run_for(Time::from_millis(100));
    }
    net.run_for(Time::from_secs(3_000));
    let mut received = 0;
    for _ in 0..50 {
        if let Ok(data) = net.server.recv(accepted) {
            received += data.len();
        }
        net.run_for(Time::from_secs(1));
    }
    assert_eq!(received, 16_384);
    assert_eq!(net.client.stack.take_error(client), Ok(None));
}

#[test]
fn no_state_makes_poll_ask_for_itself_without_end() {
    // Each of these leaves hosts that wait for something; a second of waiting may not take many polls.
    type Scene = (&'static str, fn(&mut Net));
    let scenes: [Scene; 12] = [
        ("idle", |net| {
            net.pair(SERVER);
        }),
        ("connecting", |net| {
            silent_server(net);
            net.client.connect(SERVER);
        }),
        ("connecting to a neighbor that is not there", |net| {
            net.client.connect("10.0.0.9:1");
            net.client.connect("[fd00::9]:1");
        }),
        ("data unacknowledged", |net| {
            let (client, ..) = net.pair(SERVER);
            net.cut();
            net.client.stack.send(client, &[7; 5_000]).unwrap();
        }),
        ("zero window", |net| {
            let (client, ..) = net.pair(SERVER);
            while net.client.stack.send(client, &[7; 4_096]).is_ok() {
                net.run_for(Time::from_millis(100));
            }
        }),
        ("zero window and closed", |net| {
            let (client, ..) = net.pair(SERVER);
            while net.client.stack.send(client, &[7; 4_096]).is_ok() {
                net.run_for(Time::from_millis(100));
            }
            net.client.stack.close(client).unwrap();
        }),
        ("half open", |net| {
            net.server.listen(Domain::Inet, PORT, 4);
            net.inject(
                Side::Server,
                &Segment::new("10.0.0.77:1", SERVER, SYN, 7, 0),
            );
        }),
        ("orphans everywhere", |net| {
            let (client, accepted, _) = net.pair(SERVER);
            net.cut();
            net.client.stack.close(client).unwrap();
            net.server.stack.close(accepted).unwrap();
        }),
        ("a datagram for nobody", |net| {
            let fd = net.client.datagram(Domain::Inet, 1_000);
            net.client
                .stack
                .sendto(fd, b"x", "10.0.0.9:1".parse().unwrap())
                .unwrap();
        }),
        ("a lookup that nobody answers", |net| {
            net.client
                .stack
                .add_name_server("10.0.0.2".parse().unwrap())
                .unwrap();
            net.server.datagram(Domain::Inet, 53);
            net.client.stack.resolve("www.example.com").unwrap();
        }),
        ("TIME-WAIT and an end that is never closed", |net| {
            let (client, accepted, _) = net.pair(SERVER);
            net.client.stack.close(client).unwrap();
            net.run();
            let both = glasstack::stack::Shutdown::Both;
            net.server.stack.shutdown(accepted, both).unwrap();
        }),
        ("keep-alive", |net| {
            let (client, ..) = net.pair(SERVER);
            net.client.keep_alive(client, Some(Duration::from_secs(1)));
            net.cut();
        }),
    ];
    for (name, scene) in scenes {
        let mut net = Net::new();
        scene(&mut net);
        net.run();
        for second in 0..200 {
            let before = net.client.polls + net.server.polls;
            net.run_for(Time::from_secs(1));
            let polls = net.client.polls + net.server.polls - before;
            assert!(polls <= 60, "{name}: {polls} polls in second {second}");
        }
    }
}

#[test]
fn a_full_card_makes_no_busy_loop_and_loses_nothing() {
    let mut net = Net::new();
    let (client, accepted, _) = net.pair(SERVER);
    net.client.stack.send(client, b"hello").unwrap();
    net.client.card.room = 0;
    let now = net.now;
    for _ in 0..10 {
        net.client.poll(now);
        assert!(
            net.client.deadline.is_some_and(|at| at > now),
            "it would be polled at once, again and again"
        );
    }
    net.client.card.room = usize::MAX;
    net.run_for(Time::from_millis(10));
    assert_eq!(net.server.recv(accepted), Ok(b"hello".to_vec()));
}

#[test]
fn a_neighbor_that_is_not_there_is_unreachable_after_three_requests() {
    let mut net = Net::new();
    let to = "10.0.0.9:1".parse().unwrap();
    let fd = net.client.connect("10.0.0.9:1");
    net.run();
    let start = net.now;
    net.run_until(start + Time::from_secs(3) - MICROSECOND);
    assert_eq!(net.client.stack.connect(fd, to), Err(Error::WouldBlock));
    net.run_until(start + Time::from_secs(3));
    assert_eq!(
        net.client.stack.connect(fd, to),
        Err(Error::HostUnreachable)
    );
    let asks = |frame: &&net::Frame| frame.octets[12..14] == [8, 6];
    assert_eq!(net.frames.iter().filter(asks).count(), 3);
}
