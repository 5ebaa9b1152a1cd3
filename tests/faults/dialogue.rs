//! TCP between two stacks over a faulty wire: what is lost is sent again when RFC 6298 says so, and what arrives is what was sent.

use std::time::Duration;

use glasstack::device::wire::{Conditions, Faults};
use glasstack::trace::{DropReason, Instant, Medium, Segment};

use crate::link::{Loss, Losses};
use crate::pair::{Frame, Pair};

/// One way.
const LATENCY: Duration = Duration::from_millis(10);
/// RFC 6298 §2.1 and §2.4: the timeout before a round trip was measured, and the least one after.
const TIMEOUT: i64 = 1_000;

fn slow() -> Conditions {
    Conditions::default().latency(LATENCY)
}

/// A connection and some data over a link that loses what is chosen; what was lost, and the dialogue.
fn dialogue(lose: &str, octets: usize) -> (Vec<Segment>, Pair) {
    let losses = Losses::default();
    let faults = Faults::new(1).both(slow()).lose(lose.parse().unwrap());
    let mut pair = Pair::new(faults.sink(losses.clone()));
    pair.connect();
    let data: Vec<u8> = (0..octets).map(|i| (i % 251) as u8).collect();
    assert!(pair.transfer(&data) == data);
    let lost = losses.take().into_iter().map(|(time, reason, bytes)| {
        assert_eq!(reason, DropReason::InjectedLoss);
        Segment::parse(time, Medium::Ip, &bytes).unwrap()
    });
    (lost.collect(), pair)
}

/// The times, in milliseconds since the first, at which the host sent a segment with these numbers.
fn times(pair: &Pair, host: u8, lost: &Segment) -> Vec<i64> {
    let is_repeat = |sent: &Segment| {
        (sent.sequence, sent.flags.syn, sent.flags.fin, sent.len > 0)
            == (lost.sequence, lost.flags.syn, lost.flags.fin, lost.len > 0)
    };
    let sent = pair.sent(host);
    let times = sent.iter().filter(|sent| is_repeat(sent));
    times
        .map(|sent| (sent.time - lost.time).total_millis() as i64)
        .collect()
}

#[test]
fn a_lost_syn_is_sent_again_after_the_initial_timeout() {
    let (lost, pair) = dialogue("SYN", 100);
    assert_eq!(lost.len(), 1);
    assert!(lost[0].flags.syn && lost[0].acknowledgment.is_none());
    assert_eq!(times(&pair, 1, &lost[0]), [0, TIMEOUT]);
}

#[test]
fn each_timeout_in_a_row_is_twice_as_long() {
    let (lost, pair) = dialogue("SYN 1..4", 100);
    assert_eq!(lost.len(), 4);
    assert_eq!(times(&pair, 1, &lost[0]), [0, 1000, 3000, 7000, 15000]);
}

#[test]
fn a_lost_syn_ack_is_sent_again() {
    let (lost, pair) = dialogue("SYN-ACK", 100);
    assert_eq!(lost.len(), 1);
    assert!(lost[0].flags.syn && lost[0].acknowledgment.is_some());
    let times = times(&pair, 2, &lost[0]);
    assert_eq!(times[..2], [0, TIMEOUT]);
}

#[test]
fn the_second_data_segment_is_sent_again() {
    for selector in ["data 2 of stream 0", "data 2 from client", "data 2"] {
        let (lost, pair) = dialogue(selector, 3000);
        assert_eq!(lost.len(), 1);
        let data: Vec<Segment> = (pair.sent(1).into_iter())
            .filter(|segment| segment.len > 0)
            .collect();
        assert_eq!(lost[0].sequence, data[1].sequence);
        // §5.3: the acknowledgment of the first, a round trip and 10 ms of delay later, starts the timer anew.
        assert_eq!(times(&pair, 1, &lost[0]), [0, 30 + TIMEOUT]);
    }
}

#[test]
fn a_lost_fin_is_sent_again() {
    let (lost, pair) = dialogue("FIN from client", 0);
    assert_eq!(lost.len(), 1);
    assert!(lost[0].flags.fin && lost[0].destination.port() == 9999);
    assert_eq!(times(&pair, 1, &lost[0]), [0, TIMEOUT]);

    let (lost, _) = dialogue("FIN from server", 0);
    assert!(lost[0].flags.fin && lost[0].source.port() == 9999);
}

#[test]
fn a_selector_that_fits_nothing_loses_nothing() {
    for selector in ["data 1.. of stream 1", "RST", "FIN 3", "data from server"] {
        let (lost, pair) = dialogue(selector, 3000);
        assert_eq!(lost, [], "{selector}");
        let sent = pair.sent(1);
        let mut numbers: Vec<u32> = (sent.iter())
            .filter(|segment| segment.len > 0)
            .map(|segment| segment.sequence)
            .collect();
        numbers.dedup();
        assert_eq!(numbers.len(), 3, "three segments, none of them twice");
    }
}

#[test]
fn frames_are_counted_over_both_directions() {
    // SYN, SYN-ACK, ACK.
    let (lost, _) = dialogue("frame 2", 100);
    assert!(lost[0].flags.syn && lost[0].acknowledgment.is_some());
    let (lost, _) = dialogue("ACK", 100);
    assert_eq!((lost[0].len, lost[0].flags.syn), (0, false));
}

/// A megabyte under everything at once.
fn storm(seed: u64) -> (Vec<Frame>, Vec<Loss>) {
    let losses = Losses::default();
    let bad = slow()
        .jitter(Duration::from_millis(2))
        .loss(0.02)
        .burst(2.0)
        .duplicate(0.01)
        .reorder(0.01, Duration::from_millis(5))
        .corrupt(0.01)
        .rate(100_000_000, 100);
    let mut pair = Pair::new(Faults::new(seed).both(bad).sink(losses.clone()));
    pair.connect();
    let data: Vec<u8> = (0..1_000_000u32).map(|i| (i % 251) as u8).collect();
    assert!(pair.transfer(&data) == data, "seed {seed}");
    (pair.frames(), losses.take())
}

#[test]
fn a_megabyte_crosses_a_bad_link_whole_and_the_same_way_each_time() {
    let first = storm(1);
    assert!(first.1.len() > 5, "some were lost: {}", first.1.len());
    assert!(first == storm(1), "the same seed, the same run to the byte");
    assert!(first != storm(2), "another seed, another run");
}

#[test]
fn damaged_segments_are_not_believed() {
    let bad = slow().corrupt(0.2);
    let mut pair = Pair::new(Faults::new(3).both(bad));
    pair.connect();
    let data: Vec<u8> = (0..50_000u32).map(|i| (i % 251) as u8).collect();
    assert!(pair.transfer(&data) == data);
}

#[test]
fn a_connection_outlives_a_link_that_is_down_for_a_while() {
    let down = slow().down(Instant::from_millis(1030), Instant::from_millis(4500));
    let mut pair = Pair::new(Faults::new(1).both(down));
    pair.connect();
    // Just in time: the third segment of the handshake was the last to arrive.
    assert_eq!(pair.now, Instant::from_millis(1030));
    assert!(pair.transfer(&[7; 100]) == [7; 100]);
    let first = pair.sent(1).into_iter().find(|segment| segment.len > 0);
    // The timeouts at 1 and 3 seconds fall into it; the one at 7 does not.
    assert_eq!(times(&pair, 1, &first.unwrap())[..4], [0, 1000, 3000, 7000]);
}
