#![allow(clippy::unwrap_used, clippy::panic)]

use super::*;
use std::vec::Vec;

const ADDRESS: Ipv4Addr = Ipv4Addr::new(192, 168, 69, 50);
const OTHER: Ipv4Addr = Ipv4Addr::new(192, 168, 69, 51);
const NOBODY: Ipv4Addr = Ipv4Addr::UNSPECIFIED;
const OWN: [u8; 6] = [2, 0, 0, 0, 0, 1];
const THEIRS: [u8; 6] = [2, 0, 0, 0, 0, 2];

/// What it sends now.
fn emit(detection: &mut Detection, now: Instant) -> Option<Ipv4Addr> {
    let sender = detection.due(now)?;
    detection.note_sent(now);
    Some(sender)
}

fn detection(random: u64) -> Detection {
    Detection::new(ADDRESS, OWN, random, Instant::ZERO)
}

/// What it sends and finds in silence, with the times in milliseconds.
fn in_silence(random: u64) -> (Vec<(u64, Ipv4Addr)>, u64) {
    let mut detection = detection(random);
    let mut sent = Vec::new();
    let mut free = None;
    while let Some(now) = detection.poll_at() {
        let millis = (now - Instant::ZERO).total_millis();
        if let Some(finding) = detection.poll(now) {
            assert_eq!((finding, free), (Finding::Free, None));
            free = Some(millis);
        }
        while let Some(sender) = emit(&mut detection, now) {
            sent.push((millis, sender));
        }
        assert!(detection.poll_at().is_none_or(|at| at > now));
    }
    (sent, free.unwrap())
}

/// One that has found its address free; the time.
fn using() -> (Detection, Instant) {
    let mut detection = detection(3);
    loop {
        let now = detection.poll_at().unwrap();
        if detection.poll(now).is_some() {
            while emit(&mut detection, now).is_some() {}
            return (detection, now);
        }
        emit(&mut detection, now);
    }
}

fn arp(sender_hardware: [u8; 6], sender: Ipv4Addr, target: Ipv4Addr) -> Arp {
    Arp {
        is_request: true,
        sender_hardware,
        sender,
        target,
    }
}

#[test]
fn three_probes_two_seconds_of_silence_and_two_announcements() {
    let mut starts = Vec::new();
    for seed in 0..500_u64 {
        let random = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15);
        let (sent, free) = in_silence(random);
        let senders: Vec<_> = sent.iter().map(|(_, sender)| *sender).collect();
        assert_eq!(senders, [NOBODY, NOBODY, NOBODY, ADDRESS, ADDRESS]);
        let times: Vec<_> = sent.iter().map(|(millis, _)| *millis).collect();
        assert!(times[0] <= 1_000);
        for pair in times[..3].windows(2) {
            assert!((1_000..=2_000).contains(&(pair[1] - pair[0])), "{times:?}");
        }
        assert_eq!(free, times[2] + 2_000);
        assert_eq!(times[3], free, "announced at once");
        assert_eq!(times[4], free + 2_000);
        starts.push(times[0]);
    }
    // All over the first second.
    assert!(starts.iter().any(|start| *start < 50) && starts.iter().any(|start| *start > 950));
}

#[test]
fn whoever_sends_from_the_address_has_it() {
    for is_request in [false, true] {
        let mut detection = detection(3);
        let claim = Arp {
            is_request,
            ..arp(THEIRS, ADDRESS, OTHER)
        };
        let found = detection.hear(Instant::ZERO, &claim);
        assert_eq!(found, Some(Finding::Taken));
        assert_eq!(detection.poll_at(), None);
        assert_eq!(emit(&mut detection, Instant::from_secs(10)), None);
        assert_eq!(detection.hear(Instant::ZERO, &claim), None, "told once");
    }
}

#[test]
fn whoever_probes_for_it_as_well_wants_it_as_well() {
    let mut early = detection(3);
    let probe = arp(THEIRS, NOBODY, ADDRESS);
    assert_eq!(early.hear(Instant::ZERO, &probe), Some(Finding::Taken));
    let (mut late, now) = using();
    assert_eq!(late.hear(now, &probe), None, "it is ours: ARP answers");
}

#[test]
fn the_last_moment_of_the_silence_counts() {
    let mut detection = detection(3);
    for _ in 0..PROBE_NUM {
        let now = detection.poll_at().unwrap();
        assert_eq!(emit(&mut detection, now), Some(NOBODY));
    }
    let end = detection.poll_at().unwrap();
    let before = end - Duration::from_micros(1);
    assert_eq!(detection.poll(before), None);
    let claim = arp(THEIRS, ADDRESS, OTHER);
    assert_eq!(detection.hear(before, &claim), Some(Finding::Taken));
    assert_eq!(detection.poll(end), None);
}

#[test]
fn other_packets_say_nothing_of_it() {
    let mut detection = detection(3);
    let before = detection;
    for packet in [
        arp(OWN, ADDRESS, ADDRESS), // our own, from a bridge
        arp(OWN, NOBODY, ADDRESS),
        arp(THEIRS, OTHER, ADDRESS), // they look for whoever has it
        arp(THEIRS, NOBODY, OTHER),
        Arp {
            is_request: false,
            ..arp(THEIRS, NOBODY, ADDRESS)
        },
    ] {
        assert_eq!(detection.hear(Instant::ZERO, &packet), None);
        assert_eq!(detection, before, "{packet:?}");
    }
}

#[test]
fn an_address_in_use_is_defended_once_in_ten_seconds() {
    let (mut detection, start) = using();
    let claim = arp(THEIRS, ADDRESS, OTHER);
    let mut now = start + Duration::from_secs(100);
    while emit(&mut detection, now).is_some() {}
    for _ in 0..5 {
        assert_eq!(detection.hear(now, &claim), None);
        assert_eq!(detection.poll_at(), Some(now));
        assert_eq!(emit(&mut detection, now), Some(ADDRESS));
        assert_eq!(emit(&mut detection, now), None, "one announcement");
        now += DEFEND_INTERVAL;
    }
    assert_eq!(detection.hear(now, &claim), None);
    now += DEFEND_INTERVAL - Duration::from_micros(1);
    assert_eq!(detection.hear(now, &claim), Some(Finding::Taken));
    assert_eq!(detection.poll_at(), None);
}
