//! Keep-alive's three times.

use std::time::Duration;

use glasstack::Error;
use glasstack::smoltcp::time::Duration as Time;
use glasstack::stack::option::{
    KeepAlive, KeepAliveCount, KeepAliveIdle, KeepAliveInterval, TcpInfo, UserTimeout,
};

use crate::net::{Net, SERVER, SERVER_V6, Side};

/// A connection whose client is to probe after 60 s, each 10 s, three times; and the client's end.
fn scene(server: &str) -> (Net, glasstack::Fd) {
    let mut net = Net::new();
    let (client, ..) = net.pair(server);
    let stack = &mut net.client.stack;
    stack.setsockopt(client, KeepAlive, true).unwrap();
    let [minute, ten] = [60, 10].map(Duration::from_secs);
    stack.setsockopt(client, KeepAliveIdle, minute).unwrap();
    stack.setsockopt(client, KeepAliveInterval, ten).unwrap();
    stack.setsockopt(client, KeepAliveCount, 3).unwrap();
    net.run();
    net.frames.clear();
    (net, client)
}

/// When the client sent something, in seconds.
fn probes(net: &Net, since: glasstack::smoltcp::time::Instant) -> Vec<u64> {
    let sent = net.frames.iter().filter(|frame| frame.from == Side::Client);
    let times = sent.filter(|frame| frame.segment().is_some());
    times.map(|frame| (frame.time - since).secs()).collect()
}

#[test]
fn the_defaults_are_linuxs() {
    let mut net = Net::new();
    let (client, ..) = net.pair(SERVER);
    let stack = &mut net.client.stack;
    assert_eq!(stack.getsockopt(client, KeepAlive), Ok(false));
    let [idle, interval] = [7_200, 75].map(Duration::from_secs);
    assert_eq!(stack.getsockopt(client, KeepAliveIdle), Ok(idle));
    assert_eq!(stack.getsockopt(client, KeepAliveInterval), Ok(interval));
    assert_eq!(stack.getsockopt(client, KeepAliveCount), Ok(9));
    for count in [0, 128] {
        assert_eq!(
            stack.setsockopt(client, KeepAliveCount, count),
            Err(Error::InvalidArgument)
        );
    }
}

#[test]
fn a_peer_that_answers_is_probed_at_the_idle_time_alone() {
    for server in [SERVER, SERVER_V6] {
        let (mut net, client) = scene(server);
        let start = net.now;
        net.run_for(Time::from_secs(250));
        assert_eq!(probes(&net, start), [60, 120, 180, 240]);
        assert_eq!(net.client.stack.take_error(client), Ok(None));
    }
}

#[test]
fn a_silent_one_is_probed_at_the_interval_and_then_given_up() {
    let (mut net, client) = scene(SERVER);
    let start = net.now;
    net.lose_segments();
    net.run_until(start + Time::from_secs(90) - Time::from_micros(1));
    assert_eq!(probes(&net, start), [60, 70, 80]);
    let info = net.client.stack.getsockopt(client, TcpInfo).unwrap();
    assert_eq!(info.probes, 3);
    assert!(!net.client.stack.readiness(client).unwrap().closed);
    net.run_until(start + Time::from_secs(90));
    assert_eq!(net.client.recv(client), Err(Error::TimedOut));
}

#[test]
fn an_answer_begins_the_idle_time_anew() {
    let (mut net, client) = scene(SERVER);
    let start = net.now;
    net.lose_segments();
    net.run_for(Time::from_secs(75));
    net.pass_all();
    net.run_for(Time::from_secs(100));
    // The probe at 80 is answered.
    assert_eq!(probes(&net, start), [60, 70, 80, 140]);
    let info = net.client.stack.getsockopt(client, TcpInfo).unwrap();
    assert_eq!(info.probes, 0);
}

#[test]
fn turned_on_late_it_probes_at_once_and_gives_the_peer_its_time() {
    let mut net = Net::new();
    let (client, ..) = net.pair(SERVER);
    net.run_for(Time::from_secs(100_000));
    net.frames.clear();
    net.lose_segments();
    let start = net.now;
    net.client
        .stack
        .setsockopt(client, KeepAlive, true)
        .unwrap();
    net.run_until(start + Time::from_secs(9 * 75) - Time::from_micros(1));
    let expected: Vec<u64> = (0..9).map(|probe| probe * 75).collect();
    assert_eq!(probes(&net, start), expected);
    assert!(!net.client.stack.readiness(client).unwrap().closed);
    net.run_until(start + Time::from_secs(9 * 75));
    assert_eq!(net.client.recv(client), Err(Error::TimedOut));
}

#[test]
fn turned_off_while_it_probes_it_is_silent() {
    let (mut net, client) = scene(SERVER);
    net.lose_segments();
    net.run_for(Time::from_secs(75));
    net.client
        .stack
        .setsockopt(client, KeepAlive, false)
        .unwrap();
    net.run();
    net.frames.clear();
    net.run_for(Time::from_secs(100_000));
    assert_eq!(net.segments(Side::Client), []);
    assert_eq!(net.client.deadline, None);
}

/// Linux's `tcp_keepalive_timer`: it is looked at when a probe would be due.
#[test]
fn a_user_timeout_counts_in_place_of_the_probes() {
    for (timeout, end) in [(30, 70), (75, 80), (200, 200)] {
        let (mut net, client) = scene(SERVER);
        let timeout = Some(Duration::from_secs(timeout));
        net.client
            .stack
            .setsockopt(client, UserTimeout, timeout)
            .unwrap();
        let start = net.now;
        net.lose_segments();
        net.run_until(start + Time::from_secs(end) - Time::from_micros(1));
        assert!(!net.client.stack.readiness(client).unwrap().closed);
        net.run_until(start + Time::from_secs(end));
        assert_eq!(net.client.recv(client), Err(Error::TimedOut), "{end}");
    }
}
