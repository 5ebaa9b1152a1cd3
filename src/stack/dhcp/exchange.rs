//! An exchange with servers: its transaction number, and when its request is sent again.

use core::hash::Hasher;

use siphasher::sip::SipHasher13;
use smoltcp::time::{Duration, Instant};

/// The first wait for an answer (RFC 2131 §4.1); each further one is twice as long, up to the longest.
const FIRST_WAIT: Duration = Duration::from_secs(4);
const LONGEST_WAIT: Duration = Duration::from_secs(64);
/// By so much at most is a wait longer or shorter, so that clients that began together do not go on together.
const JITTER: Duration = Duration::from_secs(1);

/// A lease is asked for again after half of the time that is left, and not before this (RFC 2131 §4.4.5) …
const LEAST_RENEWAL_WAIT: Duration = Duration::from_secs(60);
/// … unless that were most of a short lease: then not before a quarter of the time that there was, or this.
const LEAST_SHORT_WAIT: Duration = Duration::from_secs(1);

/// Numbers that nobody foresees who does not know the seed.
#[derive(Debug)]
pub(super) struct Random {
    seed: u64,
    draws: u64,
}

impl Random {
    pub(super) fn new(seed: u64) -> Random {
        Random { seed, draws: 0 }
    }

    fn draw(&mut self) -> u64 {
        let mut hasher = SipHasher13::new_with_keys(self.seed, 0);
        hasher.write_u64(self.draws);
        self.draws = self.draws.wrapping_add(1);
        hasher.finish()
    }

    /// A transaction number.
    pub(super) fn xid(&mut self) -> u32 {
        self.draw() as u32
    }

    /// `wait`, or up to a second more or less.
    fn around(&mut self, wait: Duration) -> Duration {
        let shift = self.draw() % (2 * JITTER.total_micros() + 1);
        wait + Duration::from_micros(shift) - JITTER
    }
}

/// A request that waits for its answer.
#[derive(Debug)]
pub(super) struct Exchange {
    pub(super) xid: u32,
    /// When it was sent first, or is to be.
    pub(super) began: Instant,
    /// When it was sent last.
    pub(super) sent_at: Instant,
    /// How often it has been sent.
    pub(super) sent: u8,
    /// When it is sent next.
    pub(super) next: Instant,
}

impl Exchange {
    /// One that begins at a time, under a new number.
    pub(super) fn new(random: &mut Random, at: Instant) -> Exchange {
        Exchange {
            xid: random.xid(),
            began: at,
            sent_at: at,
            sent: 0,
            next: at,
        }
    }

    /// The same transaction with the next request (RFC 2131 §4.4.1, table 5).
    pub(super) fn go_on(&self, now: Instant) -> Exchange {
        Exchange {
            xid: self.xid,
            began: now,
            sent_at: now,
            sent: 0,
            next: now,
        }
    }

    pub(super) fn is_due(&self, now: Instant) -> bool {
        self.next <= now
    }

    /// Whether an answer with this number can be its own.
    pub(super) fn expects(&self, xid: u32) -> bool {
        self.sent > 0 && self.xid == xid
    }

    /// `secs`: for how long the client has been asking.
    pub(super) fn secs(&self, now: Instant) -> u16 {
        let seconds = (now - self.began).secs();
        u16::try_from(seconds).unwrap_or(u16::MAX)
    }

    /// It is sent, and will be again with exponential backoff.
    pub(super) fn note_sent(&mut self, random: &mut Random, now: Instant) {
        if self.sent == 0 {
            self.began = now;
        }
        let wait = FIRST_WAIT * (1 << self.sent.min(4));
        self.sent_at = now;
        self.sent = self.sent.saturating_add(1);
        self.next = now + random.around(wait.min(LONGEST_WAIT));
    }

    /// It is sent, and will be again before `end`; its time began at `start`. Each time under a new number, so that an answer
    /// tells which request it is to, and so from when on the lease runs.
    pub(super) fn note_renewal(
        &mut self,
        random: &mut Random,
        now: Instant,
        start: Instant,
        end: Instant,
    ) {
        if self.sent == 0 {
            self.began = now;
        }
        let least = ((end - start) / 4).clamp(LEAST_SHORT_WAIT, LEAST_RENEWAL_WAIT);
        let left = if end > now { end - now } else { Duration::ZERO };
        self.xid = random.xid();
        self.sent_at = now;
        self.sent = self.sent.saturating_add(1);
        self.next = now + (left / 2).max(least);
    }
}
