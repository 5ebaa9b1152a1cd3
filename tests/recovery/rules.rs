//! RFC 6298 by the letter, beside each end of a recorded conversation: when its retransmission timer runs, when it expires, what
//! is sent again then. And RFC 5681's fast retransmit.
//!
//! Where smoltcp 0.14 does something else, it says so here:
//!
//! - after a timeout all that is unacknowledged is as good as not sent ("go back n"), not only the first segment (§5.4);
//! - a fast retransmit starts the timer anew;
//! - after a lost SYN data begins with the doubled timeout of 2 s, not with 3 s (§5.7);
//! - round trips are counted in whole milliseconds.

use std::net::SocketAddr;

use glasstack::smoltcp::time::{Duration, Instant};
use glasstack::trace::{Capture, Direction, Happening, Segment, Station};

/// §2.1, and the least that §2.4 lets it be.
const LEAST: Duration = Duration::from_secs(1);
/// §2.5 wants 60 s at least.
const MOST: Duration = Duration::from_secs(60);
/// RFC 5681 §3.2.
const DUPLICATES: u32 = 3;

/// The sender of one end.
struct Sender {
    end: SocketAddr,
    /// The first number that is not acknowledged, the next that is sent, and the highest that was sent, plus one.
    unacknowledged: u32,
    next: u32,
    highest: u32,
    /// When the timer expires.
    timer: Option<Instant>,
    timeout: Duration,
    /// Smoothed round trip and its variation, in milliseconds.
    round_trip: Option<(u64, u64)>,
    backed_off: u32,
    /// What is timed: its end, and when it was sent (§3, Karn's algorithm).
    timed: Option<(u32, Instant)>,
    /// The peer's last acknowledgment, its window, and how often it came again.
    heard: Option<(u32, u16)>,
    duplicates: u32,
    is_fast: bool,
    repeats: Repeats,
}

/// What was sent again, and so at the time that the rules give.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Repeats {
    pub(crate) after_timeout: usize,
    pub(crate) fast: usize,
}

fn before(one: u32, other: u32) -> bool {
    (one.wrapping_sub(other) as i32) < 0
}

/// Checks both ends of the only conversation of a capture.
pub(crate) fn check(capture: &Capture) -> Repeats {
    let [one, other] = [Station(0), Station(1)].map(|station| check_end(capture, station));
    Repeats {
        after_timeout: one.after_timeout + other.after_timeout,
        fast: one.fast + other.fast,
    }
}

fn check_end(capture: &Capture, station: Station) -> Repeats {
    let mut sender: Option<Sender> = None;
    for captured in capture.at(station).iter() {
        let (Some(segment), Happening::Frame { direction, .. }) =
            (&captured.segment, captured.event().happening)
        else {
            continue;
        };
        match (direction, &mut sender) {
            (Direction::Out, sender) => {
                let sender = sender.get_or_insert_with(|| Sender::new(segment));
                sender.sends(segment);
            }
            (Direction::In, Some(sender)) => sender.hears(segment),
            (Direction::In, None) => {}
        }
    }
    let sender = sender.expect("it sent something");
    assert_eq!(sender.timer, None, "all came to an end");
    sender.repeats
}

impl Sender {
    fn new(first: &Segment) -> Sender {
        Sender {
            end: first.source,
            unacknowledged: first.sequence,
            next: first.sequence,
            highest: first.sequence,
            timer: None,
            timeout: LEAST,
            round_trip: None,
            backed_off: 0,
            timed: None,
            heard: None,
            duplicates: 0,
            is_fast: false,
            repeats: Repeats::default(),
        }
    }

    fn sends(&mut self, segment: &Segment) {
        let now = segment.time;
        assert!(!segment.flags.rst, "{}: reset at {now}", self.end);
        let len = segment.len + u32::from(segment.flags.syn) + u32::from(segment.flags.fin);
        self.expire(now);
        if len == 0 {
            return;
        }
        let end = segment.sequence.wrapping_add(len);
        if self.is_fast {
            self.is_fast = false;
            assert_eq!(segment.sequence, self.unacknowledged, "fast, at {now}");
            self.timed = None;
            self.repeats.fast += 1;
        } else {
            assert_eq!(
                segment.sequence, self.next,
                "{}: at {now} sends what is not due; its timer: {:?}",
                self.end, self.timer
            );
            let is_repeat = before(segment.sequence, self.highest);
            self.repeats.after_timeout += usize::from(is_repeat);
        }
        if before(self.next, end) {
            self.next = end;
        }
        if before(self.highest, end) {
            // §3: what is sent again is not timed.
            if self.timed.is_none() {
                self.timed = Some((end, now));
            }
            self.highest = end;
        }
        // §5.1
        self.timer.get_or_insert(now + self.timeout);
    }

    /// What the timer does at its time: everything is sent again, from now on.
    fn expire(&mut self, now: Instant) {
        let Some(at) = self.timer else { return };
        assert!(
            at >= now,
            "{}: {at} went by in silence, until {now}",
            self.end
        );
        if at == now {
            // §5.4 to §5.6
            self.next = self.unacknowledged;
            self.timeout = (self.timeout * 2).min(MOST);
            self.timer = None;
            self.timed = None;
            self.backed_off += 1;
            if self.backed_off == 3 {
                self.backed_off = 0;
                self.round_trip = None;
            }
        }
    }

    fn hears(&mut self, segment: &Segment) {
        let now = segment.time;
        // What arrives in the very moment is heard first.
        let in_time = self.timer.is_none_or(|at| at >= now);
        assert!(in_time, "{}: silent at {:?}", self.end, self.timer);
        let Some(acknowledgment) = segment.acknowledgment else {
            return;
        };
        let is_new = before(self.unacknowledged, acknowledgment);
        let is_duplicate = self.heard == Some((acknowledgment, segment.window))
            && segment.len == 0
            && before(acknowledgment, self.next);
        let is_more = !before(acknowledgment, self.unacknowledged);
        if !is_more {
            return;
        }
        self.heard = Some((acknowledgment, segment.window));
        if is_duplicate {
            self.duplicates += 1;
            if self.duplicates == DUPLICATES {
                self.is_fast = true;
                self.timer = None;
            }
            return;
        }
        self.duplicates = 0;
        if let Some((end, sent)) = self.timed
            && !before(acknowledgment, end)
        {
            self.timed = None;
            self.sample((now - sent).total_millis());
        }
        self.unacknowledged = acknowledgment;
        if before(self.next, acknowledgment) {
            self.next = acknowledgment;
        }
        if !before(acknowledgment, self.next) {
            // §5.2
            self.timer = None;
        } else if is_new {
            // §5.3
            self.timer = Some(now + self.timeout);
        }
    }

    /// §2.2 and §2.3.
    fn sample(&mut self, millis: u64) {
        let (smoothed, variation) = match self.round_trip {
            None => (millis, millis / 2),
            Some((smoothed, variation)) => (
                (smoothed * 7 + millis).div_ceil(8),
                (variation * 3 + smoothed.abs_diff(millis)).div_ceil(4),
            ),
        };
        self.round_trip = Some((smoothed, variation));
        self.backed_off = 0;
        let timeout = Duration::from_millis(smoothed + (4 * variation).max(5));
        self.timeout = timeout.clamp(LEAST, MOST);
    }
}
