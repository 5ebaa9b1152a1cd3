//! Servers that are silent, fail or are not there: who is asked again, when, and how it ends.

use glasstack::Error;
use glasstack::smoltcp::time::Duration as Time;
use glasstack::stack::Domain;

use crate::answers::{A, SERVFAIL};
use crate::net::Net;
use crate::server::*;

/// The server does not want to.
const REFUSED: u8 = 5;

/// How long one server is asked: after 1, 3 and 7 seconds again.
const PATIENCE: Time = Time::from_secs(15);
/// How long two servers are: two rounds of a second each, then of two and of four.
const PATIENCE_OF_TWO: Time = Time::from_secs(16);

#[test]
fn one_family_answered_and_the_other_silent_gives_what_there_is_in_the_end() {
    let (mut net, server) = start();
    let lookup = resolve(&mut net, NAME);
    let mut asked = questions(&mut net.server, server);
    asked.retain(|question| question.kind() == A);
    reply(&mut net, server, &asked, Question::address);
    assert_eq!(resolved(&mut net, lookup), Err(Error::WouldBlock));
    net.run_for(PATIENCE + Time::from_secs(1));
    assert_eq!(resolved(&mut net, lookup), Ok(vec![V4]));
}

#[test]
fn a_lost_query_is_repeated_after_1_2_4_seconds() {
    let (mut net, server) = start();
    let lookup = resolve(&mut net, NAME);
    let mut asked = questions(&mut net.server, server);
    for seconds in [1, 2, 4] {
        assert_eq!(asked.len(), 2, "with {seconds} s to go");
        net.run_for(Time::from_secs(seconds) - Time::from_millis(1));
        assert_eq!(questions(&mut net.server, server).len(), 0);
        net.run_for(Time::from_millis(1));
        asked = questions(&mut net.server, server);
    }
    assert_eq!(asked.len(), 2);
    reply(&mut net, server, &asked, Question::address);
    assert_eq!(resolved(&mut net, lookup), Ok(BOTH.to_vec()));
}

#[test]
fn a_silent_server_times_out() {
    let (mut net, server) = start();
    let lookup = resolve(&mut net, NAME);
    net.run_for(Time::from_secs(10));
    assert_eq!(resolved(&mut net, lookup), Err(Error::WouldBlock));
    net.run_for(PATIENCE - Time::from_secs(10) + Time::from_millis(10));
    assert_eq!(resolved(&mut net, lookup), Err(Error::TimedOut));
    assert_eq!(net.client.deadline, None);
    still_works(&mut net, server);
}

#[test]
fn a_server_that_is_not_there_times_out() {
    let mut net = Net::new();
    net.client.stack.add_name_server(ip("10.0.0.9")).unwrap();
    let lookup = resolve(&mut net, NAME);
    net.run_for(Time::from_secs(60));
    assert!(matches!(
        resolved(&mut net, lookup),
        Err(Error::TimedOut | Error::HostUnreachable)
    ));
    net.run_for(Time::from_secs(60));
    assert_eq!(net.client.deadline, None);
}

#[test]
fn a_server_whose_host_is_not_there_costs_a_second_in_both_families() {
    let mut net = Net::new();
    net.client.stack.add_name_server(ip("10.0.0.9")).unwrap();
    let server = add_name_server(&mut net, SERVER);
    let lookup = resolve(&mut net, NAME);
    net.run_for(Time::from_millis(999));
    assert!(questions(&mut net.server, server).is_empty());
    net.run_for(Time::from_millis(1));
    is_answered_by(&mut net, server, lookup);
}

#[test]
fn a_neighbor_that_answers_late_gets_the_question_then() {
    let (mut net, server) = start();
    // ARP.
    net.lose(|frame| frame.octets[12..14] == [0x08, 0x06]);
    let lookup = resolve(&mut net, NAME);
    net.run_for(Time::from_millis(400));
    net.pass_all();
    // It makes itself known by asking for us.
    let other = net.server.datagram(Domain::Inet, 9);
    let to = "10.0.0.1:9".parse().unwrap();
    say(&mut net, other, b"hello", to);
    net.run();
    is_answered_by(&mut net, server, lookup);
}

#[test]
fn where_the_first_server_is_silent_the_second_is_asked() {
    let (mut net, first) = start();
    let second = add_name_server(&mut net, SECOND);
    let lookup = resolve(&mut net, NAME);
    net.run_for(Time::from_millis(999));
    assert_eq!(questions(&mut net.server, first).len(), 2);
    assert_eq!(questions(&mut net.server, second).len(), 0);
    net.run_for(Time::from_millis(1));
    is_answered_by(&mut net, second, lookup);
}

#[test]
fn where_both_servers_are_silent_it_times_out() {
    let (mut net, _) = start();
    let second = add_name_server(&mut net, SECOND);
    let lookup = resolve(&mut net, NAME);
    let mut asked = 0;
    for _ in 0..15 {
        net.run_for(Time::from_secs(1));
        asked += questions(&mut net.server, second).len();
    }
    net.run_for(PATIENCE_OF_TWO - Time::from_secs(15) - Time::from_millis(1));
    assert_eq!(resolved(&mut net, lookup), Err(Error::WouldBlock));
    net.run_for(Time::from_millis(1));
    assert_eq!(resolved(&mut net, lookup), Err(Error::TimedOut));
    assert_eq!(asked, 8);
    assert_eq!(net.client.deadline, None);
}

#[test]
fn where_the_first_server_fails_the_second_is_asked() {
    for rcode in [SERVFAIL, REFUSED] {
        let (mut net, first) = start();
        let second = add_name_server(&mut net, SECOND);
        let lookup = resolve(&mut net, NAME);
        let count = serve(&mut net, first, |question| question.answer(rcode, &[]));
        assert_eq!(count, 2);
        assert_eq!(resolved(&mut net, lookup), Err(Error::WouldBlock));
        // At once: no time has passed.
        is_answered_by(&mut net, second, lookup);
    }
}

/// "Port unreachable" is an answer, too.
#[test]
fn where_nobody_serves_the_next_server_is_asked_at_once() {
    let mut net = Net::new();
    net.client.stack.add_name_server(ip(SERVER)).unwrap();
    let second = add_name_server(&mut net, SECOND);
    let lookup = resolve(&mut net, NAME);
    let before = net.now;
    is_answered_by(&mut net, second, lookup);
    assert_eq!(net.now, before);
}

#[test]
fn where_nobody_serves_at_all_it_ends_at_once() {
    let mut net = Net::new();
    net.client.stack.add_name_server(ip(SERVER)).unwrap();
    let lookup = resolve(&mut net, NAME);
    assert_eq!(resolved(&mut net, lookup), Err(Error::TimedOut));
}

#[test]
fn where_all_servers_fail_the_lookup_fails_and_does_not_say_that_the_name_does_not_exist() {
    let (mut net, server) = start();
    let lookup = resolve(&mut net, NAME);
    serve(&mut net, server, |question| question.answer(SERVFAIL, &[]));
    assert_eq!(resolved(&mut net, lookup), Err(Error::TimedOut));
    still_works(&mut net, server);
}
