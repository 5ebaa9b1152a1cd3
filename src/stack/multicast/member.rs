//! A group's member towards a router, as IGMPv2 (RFC 2236 §6) and MLDv1 (RFC 2710 §5) have it in common.
//!
//! ```text
//!               join: report at once, again within 10 s
//!   non-member ──────────────────────────────────────────▶ delaying member
//!       ▲  ▲                                       report sent, or │  ▲ query: report
//!       │  └── leave ──────────────────────── of another member    │  │ within the time
//!       │                                        heard (not ours)  ▼  │ that it gives
//!       └───── leave: told, if the last report was ours ──── idle member
//! ```

use smoltcp::time::{Duration, Instant};

use super::{Random, random_delay};
use crate::{Error, Limit, Result};

/// RFC 2236 §8.10, RFC 2710 §7.10: how soon the first report is repeated.
const UNSOLICITED_REPORT_INTERVAL: Duration = Duration::from_secs(10);

/// A group that somebody of this host joined, or has just left.
#[derive(Debug, Clone, Copy)]
pub(super) struct Member<A> {
    pub(super) group: A,
    /// Who joined; nobody, while the routers are being told of its end.
    users: u16,
    /// When the next message about it is due.
    pub(super) due: Option<Instant>,
    /// Reports that follow the first unasked, in case that is lost.
    repeats: u8,
    /// The next report is the first since the interface became a member.
    is_first: bool,
    /// Nobody has reported it since we did.
    is_last_reporter: bool,
}

impl<A: Copy + PartialEq> Member<A> {
    /// Somebody's first wish.
    pub(super) fn new(group: A) -> Member<A> {
        Member {
            group,
            users: 1,
            due: None,
            repeats: 0,
            is_first: false,
            is_last_reporter: false,
        }
    }

    pub(super) fn users(&self) -> u16 {
        self.users
    }

    pub(super) fn is_used(&self) -> bool {
        self.users != 0
    }

    /// Says whether that was the first.
    pub(super) fn add_user(&mut self) -> Result<bool> {
        let users = self.users.checked_add(1);
        self.users = users.ok_or(Error::Exhausted(Limit::Groups))?;
        Ok(self.users == 1)
    }

    /// Says whether that was the last.
    pub(super) fn remove_user(&mut self) -> bool {
        self.users = self.users.saturating_sub(1);
        self.users == 0
    }

    /// Nothing is to be said any more.
    pub(super) fn rest(&mut self) {
        self.due = None;
        self.repeats = 0;
        self.is_first = false;
    }

    /// The interface becomes a member.
    pub(super) fn joined(&mut self, now: Instant) {
        self.due = Some(now);
        self.repeats = 1;
        self.is_first = true;
        self.is_last_reporter = false;
    }

    /// The interface ceases to be one. Says whether the routers are to be told.
    pub(super) fn left(&mut self, now: Instant) -> bool {
        self.repeats = 0;
        self.due = self.is_last_reporter.then_some(now);
        self.is_last_reporter
    }

    /// A router wants to know by a time. A timer that runs is only ever shortened.
    pub(super) fn asked(&mut self, longest: Duration, now: Instant, random: Random<'_>) {
        let at = now + random_delay(longest, random);
        self.due = Some(self.due.map_or(at, |due| due.min(at)));
    }

    /// Another member has told the routers of it. The first report goes out all the same: RFC 2236 §3 sends it at once,
    /// and the switches on the way learn from it.
    pub(super) fn overheard(&mut self) {
        if !self.is_first && self.due.is_some() {
            self.rest();
            self.is_last_reporter = false;
        }
    }

    /// Our own report has left.
    pub(super) fn reported(&mut self, now: Instant, random: Random<'_>) {
        self.is_first = false;
        self.is_last_reporter = true;
        self.due = match self.repeats.checked_sub(1) {
            Some(repeats) => {
                self.repeats = repeats;
                Some(now + random_delay(UNSOLICITED_REPORT_INTERVAL, random))
            }
            None => None,
        };
    }

    pub(super) fn is_due(&self, now: Instant) -> bool {
        self.due.is_some_and(|due| due <= now)
    }
}
