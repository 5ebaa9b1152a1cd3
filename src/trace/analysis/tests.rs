//! Each mark by the smallest dialogue that has it. A line is a time in milliseconds, a segment, and what is said of it.

use core::mem::size_of;
use core::net::SocketAddr;
use std::string::ToString;

use super::*;
use crate::trace::Flags;

/// The sequence numbers of the SYNs.
const CLIENT: u32 = 1_000;
const SERVER: u32 = u32::MAX - 20;

const SYN: Flags = flags(true, false, false);
const FIN: Flags = flags(false, true, false);
const RST: Flags = flags(false, false, true);

const fn flags(syn: bool, fin: bool, rst: bool) -> Flags {
    let psh = false;
    Flags { syn, fin, rst, psh }
}

/// A segment of the client's, by its numbers relative to the SYNs.
fn client(sequence: u32, acknowledgment: u32, len: u32) -> Segment {
    Segment {
        time: Instant::ZERO,
        source: SocketAddr::from(([10, 0, 0, 1], 40_000)),
        destination: SocketAddr::from(([10, 0, 0, 2], 9_999)),
        sequence: CLIENT.wrapping_add(sequence),
        acknowledgment: Some(SERVER.wrapping_add(acknowledgment)),
        flags: Flags::default(),
        window: 5_000,
        window_scale: None,
        max_segment_size: None,
        sack_permitted: false,
        sack: [None; 3],
        timestamps: None,
        len,
    }
}

/// One of the server's.
fn server(sequence: u32, acknowledgment: u32, len: u32) -> Segment {
    let segment = client(0, 0, len);
    Segment {
        source: segment.destination,
        destination: segment.source,
        sequence: SERVER.wrapping_add(sequence),
        acknowledgment: Some(CLIENT.wrapping_add(acknowledgment)),
        ..segment
    }
}

fn syn() -> Segment {
    Segment {
        acknowledgment: None,
        flags: SYN,
        ..client(0, 0, 0)
    }
}

fn syn_ack() -> Segment {
    Segment {
        flags: SYN,
        ..server(0, 1, 0)
    }
}

fn with_window(window: u16, segment: Segment) -> Segment {
    Segment { window, ..segment }
}

fn with_scale(shift: u8, segment: Segment) -> Segment {
    Segment {
        window_scale: Some(shift),
        ..segment
    }
}

/// Who listens.
struct Ear(Analyzer<2>);

impl Ear {
    fn new() -> Ear {
        Ear(Analyzer::new())
    }

    /// After a handshake that took ten milliseconds.
    fn connected() -> Ear {
        let mut ear = Ear::new();
        ear.hears(0, syn(), "");
        ear.hears(9, syn_ack(), "");
        ear.hears(10, client(1, 1, 0), "");
        ear
    }

    #[track_caller]
    fn hears(&mut self, millis: i64, segment: Segment, words: &str) -> Analysis {
        let time = Instant::from_millis(millis);
        let analysis = self.0.segment(&Segment { time, ..segment });
        assert_eq!(analysis.to_string(), words);
        analysis
    }
}

#[test]
fn nothing_is_said_of_a_dialogue_without_faults() {
    let mut ear = Ear::connected();
    ear.hears(20, client(1, 1, 100), "");
    ear.hears(30, server(1, 101, 50), "");
    ear.hears(40, client(101, 51, 0), "");
    ear.hears(
        50,
        Segment {
            flags: FIN,
            ..client(101, 51, 0)
        },
        "",
    );
    ear.hears(60, server(51, 102, 0), "");
    ear.hears(
        70,
        Segment {
            flags: FIN,
            ..server(51, 102, 0)
        },
        "",
    );
    ear.hears(80, client(102, 52, 0), "");
}

#[test]
fn numbers_are_counted_from_the_syns_and_know_who_opened() {
    let mut ear = Ear::new();
    let analysis = ear.hears(0, syn(), "");
    assert_eq!((analysis.sequence, analysis.acknowledgment), (0, None));
    assert!(analysis.from_initiator);
    let analysis = ear.hears(1, syn_ack(), "");
    assert_eq!((analysis.sequence, analysis.acknowledgment), (0, Some(1)));
    assert!(!analysis.from_initiator);
    let analysis = ear.hears(2, server(1, 1, 100), "");
    assert_eq!((analysis.stream, analysis.sequence), (0, 1));
    // Past 2³² the count goes on.
    let analysis = ear.hears(3, client(1, 101, 0), "");
    assert_eq!(analysis.acknowledgment, Some(101));
}

#[test]
fn numbers_begin_at_one_where_the_handshake_was_not_seen() {
    let mut ear = Ear::new();
    let analysis = ear.hears(0, client(700, 300, 10), "");
    assert_eq!((analysis.sequence, analysis.acknowledgment), (1, Some(1)));
    let analysis = ear.hears(1, server(300, 710, 0), "");
    assert_eq!((analysis.sequence, analysis.acknowledgment), (1, Some(11)));
}

#[test]
fn windows_are_scaled_after_the_syns_where_both_offer_it() {
    let mut ear = Ear::new();
    assert_eq!(ear.hears(0, with_scale(3, syn()), "").window, 5_000);
    assert_eq!(ear.hears(1, with_scale(14, syn_ack()), "").window, 5_000);
    assert_eq!(ear.hears(2, client(1, 1, 0), "").window, 5_000 << 3);
    assert_eq!(ear.hears(3, server(1, 1, 10), "").window, 5_000 << 14);

    for (request, answer) in [
        (with_scale(3, syn()), syn_ack()),
        (syn(), with_scale(3, syn_ack())),
    ] {
        let mut ear = Ear::new();
        ear.hears(0, request, "");
        ear.hears(1, answer, "");
        assert_eq!(ear.hears(2, client(1, 1, 0), "").window, 5_000);
        assert_eq!(ear.hears(3, server(1, 1, 10), "").window, 5_000);
    }
}

#[test]
fn retransmission_and_what_it_repeats() {
    let mut ear = Ear::connected();
    assert_eq!(ear.hears(20, client(1, 1, 100), "").repeats, None);
    let analysis = ear.hears(1_020, client(1, 1, 100), "[TCP Retransmission]");
    assert_eq!(analysis.repeats, Some(Instant::from_millis(20)));
    let analysis = ear.hears(3_020, client(51, 1, 50), "[TCP Retransmission]");
    assert_eq!(analysis.repeats, Some(Instant::from_millis(20)));
}

#[test]
fn a_syn_and_a_fin_are_sent_again_like_data() {
    let mut ear = Ear::new();
    ear.hears(0, syn(), "");
    ear.hears(1_000, syn(), "[TCP Retransmission]");
    ear.hears(1_010, syn_ack(), "");
    ear.hears(2_010, syn_ack(), "[TCP Retransmission]");
    ear.hears(2_020, client(1, 1, 0), "");
    ear.hears(
        2_030,
        Segment {
            flags: FIN,
            ..client(1, 1, 0)
        },
        "",
    );
    let fin = Segment {
        flags: FIN,
        ..client(1, 1, 0)
    };
    let analysis = ear.hears(3_030, fin, "[TCP Retransmission]");
    assert_eq!(analysis.repeats, Some(Instant::from_millis(2_030)));
}

#[test]
fn fast_retransmission_after_duplicate_acks() {
    let mut ear = Ear::connected();
    for i in 0..4 {
        ear.hears(20, client(1 + 100 * i, 1, 100), "");
    }
    ear.hears(30, server(1, 101, 0), "");
    let analysis = ear.hears(31, server(1, 101, 0), "[TCP Dup ACK #1]");
    assert_eq!(analysis.duplicate_ack, 1);
    ear.hears(32, server(1, 101, 0), "[TCP Dup ACK #2]");
    ear.hears(33, client(101, 1, 100), "[TCP Fast Retransmission]");
    // What is acknowledged anew begins another count.
    ear.hears(40, server(1, 201, 0), "");
    ear.hears(41, server(1, 201, 0), "[TCP Dup ACK #1]");
}

#[test]
fn a_duplicate_ack_that_is_old_makes_no_fast_retransmission() {
    let mut ear = Ear::connected();
    ear.hears(20, client(1, 1, 100), "");
    ear.hears(20, client(101, 1, 100), "");
    ear.hears(20, client(201, 1, 100), "");
    ear.hears(30, server(1, 101, 0), "");
    ear.hears(31, server(1, 101, 0), "[TCP Dup ACK #1]");
    ear.hears(32, server(1, 101, 0), "[TCP Dup ACK #2]");
    ear.hears(52, client(101, 1, 100), "[TCP Retransmission]");
}

#[test]
fn spurious_retransmission_of_what_is_acknowledged() {
    let mut ear = Ear::connected();
    ear.hears(20, client(1, 1, 100), "");
    ear.hears(30, server(1, 101, 0), "");
    let analysis = ear.hears(1_020, client(1, 1, 100), "[TCP Spurious Retransmission]");
    assert_eq!(analysis.repeats, Some(Instant::from_millis(20)));
}

#[test]
fn out_of_order_is_what_fills_a_hole_within_a_round_trip() {
    let mut ear = Ear::connected();
    ear.hears(20, client(1, 1, 100), "");
    ear.hears(
        21,
        client(201, 1, 100),
        "[TCP Previous segment not captured]",
    );
    ear.hears(30, client(101, 1, 100), "[TCP Out-Of-Order]");
    // Ten milliseconds after the newest octets it was sent again.
    ear.hears(
        40,
        client(401, 1, 100),
        "[TCP Previous segment not captured]",
    );
    let analysis = ear.hears(50, client(301, 1, 100), "[TCP Retransmission]");
    assert_eq!(analysis.repeats, None);
}

#[test]
fn acked_unseen_segment_is_said_once() {
    let mut ear = Ear::connected();
    ear.hears(20, client(1, 1, 100), "");
    ear.hears(30, server(1, 301, 0), "[TCP ACKed unseen segment]");
    ear.hears(40, server(1, 301, 50), "");
}

#[test]
fn window_update_and_window_full() {
    let mut ear = Ear::connected();
    ear.hears(20, client(1, 1, 4_000), "");
    ear.hears(30, client(4_001, 1, 1_000), "[TCP Window Full]");
    ear.hears(40, with_window(100, server(1, 5_001, 0)), "");
    ear.hears(
        50,
        with_window(300, server(1, 5_001, 0)),
        "[TCP Window Update]",
    );
    ear.hears(60, client(5_001, 1, 300), "[TCP Window Full]");
}

#[test]
fn a_window_is_full_by_its_scale() {
    let mut ear = Ear::new();
    ear.hears(0, with_scale(0, syn()), "");
    ear.hears(9, with_scale(1, syn_ack()), "");
    ear.hears(10, client(1, 1, 0), "");
    // The window of a SYN is not scaled yet.
    ear.hears(20, client(1, 1, 5_000), "[TCP Window Full]");
    ear.hears(30, server(1, 5_001, 0), "");
    ear.hears(40, client(5_001, 1, 5_000), "");
    ear.hears(50, client(10_001, 1, 5_000), "[TCP Window Full]");
}

#[test]
fn a_shut_window_is_probed_and_opens() {
    let mut ear = Ear::connected();
    ear.hears(20, client(1, 1, 5_000), "[TCP Window Full]");
    let shut = with_window(0, server(1, 5_001, 0));
    ear.hears(30, shut, "[TCP ZeroWindow]");
    ear.hears(1_030, client(5_001, 1, 1), "[TCP ZeroWindowProbe]");
    ear.hears(1_040, shut, "[TCP ZeroWindowProbeAck] [TCP ZeroWindow]");
    ear.hears(2_000, server(1, 5_001, 0), "[TCP Window Update]");
    // The probe's octet comes again, and that is no retransmission.
    ear.hears(2_010, client(5_001, 1, 100), "");
}

#[test]
fn keep_alive_and_its_answer() {
    let mut ear = Ear::connected();
    ear.hears(20, client(1, 1, 100), "");
    ear.hears(30, server(1, 101, 0), "");
    for (second, len) in [(10, 0), (20, 1)] {
        let analysis = ear.hears(second * 1_000, client(100, 1, len), "[TCP Keep-Alive]");
        assert_eq!(analysis.repeats, None);
        ear.hears(
            second * 1_000 + 10,
            server(1, 101, 0),
            "[TCP Keep-Alive ACK]",
        );
    }
}

#[test]
fn reused_ports_are_another_stream() {
    let mut ear = Ear::connected();
    ear.hears(
        20,
        Segment {
            flags: RST,
            ..client(1, 1, 0)
        },
        "",
    );
    let other = Segment {
        sequence: 77,
        ..syn()
    };
    let analysis = ear.hears(30, other, "[TCP Port numbers reused]");
    assert_eq!((analysis.stream, analysis.sequence), (1, 0));
    // With the number of the one before it is that one's SYN again.
    let analysis = ear.hears(1_030, other, "[TCP Retransmission]");
    assert_eq!(analysis.stream, 1);
}

#[test]
fn who_refuses_a_connection_has_no_numbers() {
    let mut ear = Ear::new();
    ear.hears(0, syn(), "");
    let refusal = Segment {
        sequence: 0,
        flags: RST,
        ..server(0, 1, 0)
    };
    ear.hears(10, refusal, "");
    ear.hears(1_000, syn(), "[TCP Retransmission]");
    ear.hears(1_010, syn_ack(), "[TCP Port numbers reused]");
}

#[test]
fn the_stream_that_was_silent_for_longest_is_forgotten() {
    let mut ear = Ear::new();
    let from = |port| Segment {
        source: SocketAddr::from(([10, 0, 0, 1], port)),
        ..client(1, 1, 10)
    };
    for (millis, port, stream) in [(0, 1, 0), (1, 2, 1)] {
        assert_eq!(ear.hears(millis, from(port), "").stream, stream);
    }
    assert_eq!(ear.hears(1_000, from(1), "[TCP Retransmission]").stream, 0);
    assert_eq!(ear.hears(1_001, from(3), "").stream, 2);
    assert_eq!(ear.hears(2_000, from(1), "[TCP Retransmission]").stream, 0);
    assert_eq!(ear.hears(2_001, from(2), "").stream, 3);
}

#[test]
fn what_is_not_acknowledged_is_remembered_longest() {
    let mut ear = Ear::connected();
    ear.hears(20, client(1, 1, 10), "");
    ear.hears(20, server(1, 11, 0), "");
    for i in 1..40 {
        ear.hears(20 + i, client(1 + 10 * i as u32, 1, 10), "");
    }
    let first_seen = |ear: &mut Ear, i: u32| {
        let analysis = ear.hears(5_000, client(1 + 10 * i, 1, 10), "[TCP Retransmission]");
        analysis.repeats.map(|time| time.total_millis())
    };
    assert_eq!(first_seen(&mut ear, 1), Some(21));
    assert_eq!(first_seen(&mut ear, 32), Some(52));
    assert_eq!(first_seen(&mut ear, 33), None);
    let spurious = ear.hears(5_000, client(1, 1, 10), "[TCP Spurious Retransmission]");
    assert_eq!(spurious.repeats, None);
}

#[test]
fn two_ends_that_are_one_are_judged_too() {
    let mut ear = Ear::new();
    let end = SocketAddr::from(([10, 0, 0, 1], 1));
    let to_itself = |segment| Segment {
        source: end,
        destination: end,
        ..segment
    };
    ear.hears(0, to_itself(syn()), "");
    ear.hears(1, to_itself(client(1, 1, 10)), "");
    ear.hears(1_001, to_itself(client(1, 1, 10)), "[TCP Retransmission]");
}

#[test]
fn marks_are_a_set_that_prints() {
    let marks = Marks::from_iter([Mark::Retransmission, Mark::ZeroWindow]);
    assert_eq!(marks.to_string(), "[TCP ZeroWindow] [TCP Retransmission]");
    assert_eq!(std::format!("{marks:?}"), "{ZeroWindow, Retransmission}");
    assert!(marks.is_retransmission() && !marks.contains(Mark::KeepAlive));
    assert_eq!(Marks::from_iter(Mark::ALL).iter().count(), 15);
    assert!(Marks::NONE.is_empty());
}

#[test]
fn a_conversation_takes_little_more_than_a_kilobyte() {
    assert!(size_of::<Analyzer<2>>() - size_of::<Analyzer<1>>() < 1_400);
}

#[test]
fn no_segment_is_too_strange() {
    let mut ear = Ear::new();
    let mut state: u64 = 1;
    let mut random = || {
        state = state
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        // Often one of a few, so that segments meet.
        let word = (state >> 32) as u32;
        if word.is_multiple_of(3) {
            word
        } else {
            u32::MAX.wrapping_add(word % 4)
        }
    };
    for _ in 0..100_000 {
        let (low, high) = (random(), random());
        let segment = Segment {
            time: Instant::from_micros(i64::from(low) << 32 | i64::from(high)),
            source: SocketAddr::from(([10, 0, 0, random() as u8], random() as u16)),
            sequence: random(),
            acknowledgment: (random() > 1).then(&mut random),
            flags: flags(random() == 0, random() == 0, random() == 0),
            window: random() as u16,
            window_scale: Some(random() as u8),
            len: random(),
            ..client(0, 0, 0)
        };
        let _ = ear.0.segment(&segment).to_string();
    }
}
