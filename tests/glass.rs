//! What an observer hears: the application's calls, the frames, the states and timers, and why a segment is sent again.
#![cfg(all(feature = "std", feature = "ipv4", feature = "ipv6"))]
#![allow(clippy::unwrap_used, clippy::panic)] // a test may fail

mod net;

use core::time::Duration;
use std::collections::HashMap;

use glasstack::smoltcp::time::{Duration as Time, Instant};
use glasstack::stack::{Domain, Shutdown, Type};
use glasstack::trace::RetransmissionCause;
use net::segment::{ACK, SYN};
use net::{Frame, Net, SERVER, Side, nth};

/// What a host told since `from`, without the frames of other protocols.
fn told(net: &mut Net, side: Side, from: usize) -> Vec<String> {
    let events = &net.host(side).stack.observer().1[from..];
    let lines = events.iter().map(|told| told.line.clone());
    lines.filter(|line| !line.ends_with("other")).collect()
}

fn count(net: &mut Net, side: Side) -> usize {
    net.host(side).stack.observer().1.len()
}

#[test]
fn a_lost_segment_is_sent_again_after_the_timer() {
    let mut net = Net::new();
    let (client, accepted, _) = net.pair(SERVER);
    net.lose(nth(1, Frame::has_data));
    let from = count(&mut net, Side::Client);
    net.client.stack.send(client, b"Michael").unwrap();
    net.run_for(Time::from_secs(3));
    assert_eq!(
        told(&mut net, Side::Client, from),
        [
            "Send { len: 7 } = Octets(7)",
            "--> ACK 7 octets",
            "Retransmission armed for 1s",
            "Retransmission Fired",
            "retransmission: Timeout(1)",
            "--> ACK 7 octets",
            "Retransmission armed for 2s",
            "<-- ACK",
            "Retransmission Stopped",
        ]
    );
    assert_eq!(net.server.recv(accepted).unwrap(), b"Michael");
}

#[test]
fn the_back_off_counts_its_timeouts() {
    let mut net = Net::new();
    let (client, ..) = net.pair(SERVER);
    net.run_for(Time::from_secs(1));
    net.lose(Frame::has_data);
    let from = count(&mut net, Side::Client);
    net.client.stack.send(client, b"Tracy").unwrap();
    net.run_for(Time::from_secs(20));
    let lines = told(&mut net, Side::Client, from);
    let timers: Vec<_> = lines.iter().filter(|line| !line.contains("-->")).collect();
    assert_eq!(
        timers,
        [
            "Send { len: 5 } = Octets(5)",
            "Retransmission armed for 1s",
            "Retransmission Fired",
            "retransmission: Timeout(1)",
            "Retransmission armed for 2s",
            "Retransmission Fired",
            "retransmission: Timeout(2)",
            "Retransmission armed for 4s",
            "Retransmission Fired",
            "retransmission: Timeout(3)",
            "Retransmission armed for 8s",
            "Retransmission Fired",
            "retransmission: Timeout(4)",
            "Retransmission armed for 16s",
        ]
    );
}

#[test]
fn the_handshake_and_the_end_tell_their_causes() {
    let mut net = Net::new();
    let listener = net.server.listen(Domain::Inet, 9999, 4);
    let client = net.client.connect("10.0.0.2:9999");
    net.run();
    let (accepted, _) = net.server.stack.accept(listener).unwrap();
    net.client.stack.shutdown(client, Shutdown::Write).unwrap();
    net.run();
    net.server.stack.close(accepted).unwrap();
    net.run_for(Time::from_secs(15));
    let states = |lines: Vec<String>| -> Vec<String> {
        lines
            .into_iter()
            .filter(|line| line.contains(" by "))
            .collect()
    };
    assert_eq!(
        states(told(&mut net, Side::Client, 0)),
        [
            "CLOSED -> SYN-SENT by Call",
            "SYN-SENT -> ESTABLISHED by Segment",
            "ESTABLISHED -> FIN-WAIT-1 by Call",
            "FIN-WAIT-1 -> FIN-WAIT-2 by Segment",
            "FIN-WAIT-2 -> TIME-WAIT by Segment",
            "TIME-WAIT -> CLOSED by Timer",
        ]
    );
    assert_eq!(
        states(told(&mut net, Side::Server, 0)),
        [
            "LISTEN -> SYN-RECEIVED by Segment",
            "SYN-RECEIVED -> ESTABLISHED by Segment",
            "ESTABLISHED -> CLOSE-WAIT by Segment",
            "CLOSE-WAIT -> LAST-ACK by Call",
            "LAST-ACK -> CLOSED by Segment",
        ]
    );
}

#[test]
fn the_third_duplicate_acknowledgment_is_the_cause_of_a_fast_retransmission() {
    let mut net = Net::new();
    let (client, accepted, _) = net.pair(SERVER);
    // Warm up, so that the congestion window lets more than three segments follow the lost one.
    for _ in 0..8 {
        net.client.stack.send(client, &[1; 8_000]).unwrap();
        net.run_for(Time::from_secs(1));
        while net.server.recv(accepted).is_ok_and(|part| !part.is_empty()) {}
        net.run_for(Time::from_secs(1));
    }
    net.lose(nth(1, Frame::has_data));
    let from = count(&mut net, Side::Client);
    net.client.stack.send(client, &[2; 8_000]).unwrap();
    net.run_for(Time::from_millis(500));
    let lines = told(&mut net, Side::Client, from);
    let causes: Vec<_> = lines
        .iter()
        .filter(|line| line.starts_with("retransmission"))
        .collect();
    assert_eq!(causes, ["retransmission: FastRetransmit"], "{lines:#?}");
}

#[test]
fn a_probe_is_no_retransmission() {
    let mut net = Net::new();
    let (client, ..) = net.pair(SERVER);
    // Nobody reads at the other end: its window shuts.
    let from = count(&mut net, Side::Client);
    for _ in 0..40 {
        let _ = net.client.stack.send(client, &[3; 4_000]);
        net.run_for(Time::from_secs(1));
    }
    net.run_for(Time::from_secs(60));
    let lines = told(&mut net, Side::Client, from);
    assert!(
        lines.iter().any(|line| line == "ZeroWindowProbe Fired"),
        "{lines:#?}"
    );
    assert!(
        !lines.iter().any(|line| line.starts_with("retransmission")),
        "{lines:#?}"
    );

    let mut net = Net::new();
    let (client, ..) = net.pair(SERVER);
    net.client.keep_alive(client, Some(Duration::from_secs(10)));
    net.run_for(Time::from_secs(65));
    let lines = told(&mut net, Side::Client, 0);
    assert!(
        lines.iter().any(|line| line == "KeepAlive Fired"),
        "{lines:#?}"
    );
    assert!(
        !lines.iter().any(|line| line.starts_with("retransmission")),
        "{lines:#?}"
    );
}

#[test]
fn a_dropped_frame_has_a_reason() {
    let mut net = Net::new();
    let (client, _accepted, _) = net.pair(SERVER);
    // Nobody listens, nobody is bound.
    let from = count(&mut net, Side::Server);
    let other = net.client.connect("10.0.0.2:1");
    net.run();
    let socket = net
        .client
        .stack
        .socket(Domain::Inet, Type::Datagram)
        .unwrap();
    let to = "10.0.0.2:2".parse().unwrap();
    net.client.stack.sendto(socket, b"hello", to).unwrap();
    net.run();
    let drops = |lines: Vec<String>| -> Vec<String> {
        lines
            .into_iter()
            .filter(|line| line.starts_with("dropped"))
            .collect()
    };
    let lines = drops(told(&mut net, Side::Server, from));
    assert_eq!(lines, ["dropped: NoListener", "dropped: NoSocket"]);
    let _ = other;

    // A flipped bit.
    net.client.stack.send(client, b"flip").unwrap();
    net.client.poll(net.now);
    let mut frame = net.client.card.sent.pop_front().unwrap();
    *frame.last_mut().unwrap() ^= 1;
    let from = count(&mut net, Side::Server);
    net.server.card.received.push_back(frame);
    net.server.poll(net.now);
    assert_eq!(
        drops(told(&mut net, Side::Server, from)),
        ["dropped: Checksum"]
    );
}

/// Every retransmission of a thousand runs, judged by who knows what was lost and when.
#[test]
fn every_retransmission_is_explained_by_its_right_cause() {
    let mut seen = HashMap::new();
    for seed in 0..1_000u32 {
        let mut net = Net::new();
        let (client, accepted, _) = net.pair(SERVER);
        let loss = [0, 3, 8, 20][seed as usize % 4];
        let mut random = seed.wrapping_mul(2_654_435_761).wrapping_add(1);
        net.lose(move |_| {
            random = random.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            (random >> 16) % 100 < loss
        });
        let from = count(&mut net, Side::Client);
        let data = vec![seed as u8; 20_000];
        let (mut sent, mut received) = (0, 0);
        while received < data.len() {
            if let Ok(count) = net.client.stack.send(client, &data[sent..]) {
                sent += count;
            }
            net.run_for(Time::from_millis(20));
            while let Ok(part) = net.server.recv(accepted) {
                received += part.len();
            }
            assert!(
                net.now < Instant::from_secs(20_000),
                "seed {seed} stands still"
            );
        }
        judge(&mut net, from, seed, &mut seen);
        if loss == 0 {
            assert_eq!(causes(&mut net, from), [], "seed {seed}");
        }
    }
    // All kinds have been seen, or the test shows nothing.
    assert!(seen[&"timeout"] > 100 && seen[&"fast"] > 20, "{seen:?}");
}

fn causes(net: &mut Net, from: usize) -> Vec<RetransmissionCause> {
    let told = &net.client.stack.observer().1[from..];
    told.iter().filter_map(|told| told.retransmission).collect()
}

/// Compares what the sender says of its repetitions with what the wire saw.
fn judge(net: &mut Net, from: usize, seed: u32, seen: &mut HashMap<&'static str, usize>) {
    let causes = causes(net, from);
    // The duplicate ACKs that arrived before, and how long nothing was acknowledged since it had left.
    let mut furthest: Option<u32> = None;
    let mut repetitions = Vec::new();
    let (mut last_ack, mut duplicates) = (None, 0);
    let (mut window, mut progress) = (1, Instant::ZERO);
    let mut left: HashMap<u32, Instant> = HashMap::new();
    for frame in &net.frames {
        let Some(segment) = frame.segment() else {
            continue;
        };
        match frame.from {
            Side::Server if !frame.is_lost && segment.has(ACK) && !segment.has(SYN) => {
                window = segment.window;
                if last_ack == Some(segment.ack) && segment.payload.is_empty() {
                    duplicates += 1;
                } else {
                    if last_ack != Some(segment.ack) {
                        progress = frame.time;
                    }
                    (last_ack, duplicates) = (Some(segment.ack), 0);
                }
            }
            // A probe of a shut window: its octet is sent again with the others.
            Side::Client if window == 0 && segment.payload.len() == 1 => {}
            Side::Client if !segment.payload.is_empty() => {
                let is_new =
                    furthest.is_none_or(|furthest| segment.seq.wrapping_sub(furthest) as i32 >= 0);
                if is_new {
                    furthest = Some(segment.seq.wrapping_add(segment.payload.len() as u32));
                } else {
                    let since = left
                        .get(&segment.seq)
                        .map_or(progress, |left| progress.max(*left));
                    repetitions.push((duplicates, frame.time - since));
                }
                left.insert(segment.seq, frame.time);
            }
            _ => {}
        }
    }
    assert_eq!(
        repetitions.len(),
        causes.len(),
        "seed {seed}: each repetition is told, and nothing else"
    );
    let mut previous = None;
    for ((duplicates, silence), cause) in repetitions.into_iter().zip(causes) {
        match cause {
            RetransmissionCause::FastRetransmit => {
                assert!(
                    duplicates >= 3,
                    "seed {seed}: fast after {duplicates} duplicate ACKs"
                );
                *seen.entry("fast").or_default() += 1;
            }
            RetransmissionCause::Timeout(number) => {
                // What goes on where a timeout began needs no silence of its own.
                let begins = previous != Some(cause);
                assert!(
                    number > 0 && (!begins || silence >= Time::from_secs(1)),
                    "seed {seed}: {cause:?} after {silence}"
                );
                *seen.entry("timeout").or_default() += 1;
            }
        }
        previous = Some(cause);
    }
}
