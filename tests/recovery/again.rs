//! The same segment is lost again and again: each timeout is twice as long as the one before (RFC 6298 §5.5), up to a minute.

use std::time::Duration;

use glasstack::stack::HANDSHAKE_TIMEOUT;
use glasstack::trace::State;

use crate::dialogue::{Closer, LATENCY, Scene, address, since_start};
use crate::rules;

/// When a segment is sent whose first ones are lost, in seconds after the first.
const TIMES: [u64; 8] = [0, 1, 3, 7, 15, 31, 63, 123];

/// The dialogue without the first `count` of such segments; when the segment that was lost was sent.
fn without_first(count: usize, selector: &str) -> Vec<Duration> {
    let selector = selector.replace("{}", &format!("1..{count}"));
    let mut scene = Scene::new(Some(&selector));
    scene.dialogue(Closer::Client);
    scene.settle();
    let lost = scene.lost();
    assert_eq!(lost.len(), count, "{selector}");
    rules::check(&scene.recording.events());
    scene.times(&lost[0])
}

fn seconds(times: &[u64]) -> Vec<Duration> {
    times.iter().copied().map(Duration::from_secs).collect()
}

#[test]
fn each_timeout_is_twice_as_long_as_the_one_before_up_to_a_minute() {
    for count in 1..TIMES.len() {
        for selector in [
            "SYN {}",
            "data {} from client",
            "FIN {} from client",
            "FIN {} from server",
        ] {
            let times = without_first(count, selector);
            assert_eq!(times, seconds(&TIMES[..=count]), "{count} times {selector}");
        }
    }
    // Before they would come a seventh time the server has given up.
    for count in 1..6 {
        let times = without_first(count, "SYN-ACK {}");
        assert_eq!(times, seconds(&TIMES[..=count]), "{count} times SYN-ACK");
    }
}

#[test]
fn a_handshake_that_the_server_gave_up_begins_anew_with_the_next_syn() {
    let mut scene = Scene::new(Some("SYN-ACK 1..6"));
    scene.dialogue(Closer::Client);
    scene.settle();
    let lost = scene.lost();
    assert_eq!(scene.times(&lost[0]), seconds(&TIMES[..6]));
    assert_eq!(HANDSHAKE_TIMEOUT, Duration::from_secs(TIMES[6]));
    let walk = scene.recording.events().walk(address());
    assert_eq!(
        walk[..4],
        [
            State::Listen,
            State::SynReceived,
            State::Closed,
            State::Listen
        ]
    );
    // The SYN of the 63rd second came in that very moment: it was the one after it.
    let events = scene.recording.events();
    let opened = events
        .tcp()
        .segments()
        .map(|(segment, _)| segment)
        .find(|segment| {
            let is_syn_ack = segment.flags.syn && segment.acknowledgment.is_some();
            is_syn_ack && segment.sequence != lost[0].sequence
        });
    // Forty octets, and the SYN's options, take 42 µs.
    let expected = Duration::from_secs(TIMES[7]) + LATENCY + Duration::from_micros(42);
    assert_eq!(
        opened.map(|segment| since_start(segment.time)),
        Some(expected)
    );
}

/// A limit: RFC 6298 §5.7 wants 3 s for data after a lost SYN.
#[test]
fn data_after_a_lost_syn_has_the_syns_doubled_timeout() {
    let mut scene = Scene::losing(&["SYN", "data from client"]);
    scene.dialogue(Closer::Client);
    scene.settle();
    rules::check(&scene.recording.events());
    let lost = scene.lost();
    assert_eq!(scene.times(&lost[0]), seconds(&[0, 1]));
    assert_eq!(scene.times(&lost[1]), seconds(&[0, 2]));
}
