//! Whether an IPv4 address is somebody else's already, and what is done when it turns out so later (RFC 5227).
//!
//! [`Detection`] sends and hears nothing itself: it says which ARP request is due, is told of the ARP packets that arrive, and
//! says what they come to.

#[cfg(test)]
mod tests;

use core::net::Ipv4Addr;

use smoltcp::time::{Duration, Instant};

/// RFC 5227 §1.1.
const PROBE_WAIT: Duration = Duration::from_secs(1);
const PROBE_NUM: u8 = 3;
const PROBE_MIN: Duration = Duration::from_secs(1);
const PROBE_MAX: Duration = Duration::from_secs(2);
const ANNOUNCE_WAIT: Duration = Duration::from_secs(2);
const ANNOUNCE_NUM: u8 = 2;
const ANNOUNCE_INTERVAL: Duration = Duration::from_secs(2);
const DEFEND_INTERVAL: Duration = Duration::from_secs(10);

/// What has been found out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Finding {
    /// Nobody has the address: it may be used, and is announced from now on.
    Free,
    /// Somebody has it: it must not be used any more.
    Taken,
}

/// The addresses of an ARP packet for IPv4 over Ethernet, request or reply.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Arp {
    pub(super) is_request: bool,
    pub(super) sender_hardware: [u8; 6],
    pub(super) sender: Ipv4Addr,
    pub(super) target: Ipv4Addr,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    /// Nobody knows yet.
    Probing {
        unsent: u8,
        at: Instant,
    },
    /// The address is used. `at` is meaningless where nothing is to be announced.
    Using {
        unsent: u8,
        at: Instant,
        /// When somebody else was last seen with it.
        conflict: Option<Instant>,
    },
    Taken,
}

/// The detection for one address. [`note_sent`](Detection::note_sent), [`poll`](Detection::poll) and
/// [`hear`](Detection::hear) move it on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Detection {
    address: Ipv4Addr,
    hardware_address: [u8; 6],
    random: u64,
    state: State,
}

impl Detection {
    /// Begins within a second: `random` says when, so that hosts which start together do not ask together.
    pub(super) fn new(
        address: Ipv4Addr,
        hardware_address: [u8; 6],
        random: u64,
        now: Instant,
    ) -> Detection {
        Detection {
            address,
            hardware_address,
            random,
            state: State::Probing {
                unsent: PROBE_NUM,
                at: now + up_to(PROBE_WAIT, random),
            },
        }
    }

    /// The address in question: the target of every request.
    pub(super) fn address(&self) -> Ipv4Addr {
        self.address
    }

    /// When something is [due](Detection::due), or [found out](Detection::poll), next.
    pub(super) fn poll_at(&self) -> Option<Instant> {
        match self.state {
            State::Probing { at, .. } => Some(at),
            State::Using { unsent, at, .. } => (unsent > 0).then_some(at),
            State::Taken => None,
        }
    }

    /// The sender's protocol address of the ARP request that is due: 0.0.0.0 in a probe (so that nobody learns from it), the
    /// address itself in an announcement.
    pub(super) fn due(&self, now: Instant) -> Option<Ipv4Addr> {
        match self.state {
            State::Probing { unsent, at } if unsent > 0 && at <= now => Some(Ipv4Addr::UNSPECIFIED),
            State::Using { unsent, at, .. } if unsent > 0 && at <= now => Some(self.address),
            _ => None,
        }
    }

    /// It has left.
    pub(super) fn note_sent(&mut self, now: Instant) {
        match &mut self.state {
            State::Probing { unsent, at } => {
                *unsent = unsent.saturating_sub(1);
                let random = self.random.rotate_left(16 * u32::from(*unsent));
                *at = match unsent {
                    0 => now + ANNOUNCE_WAIT,
                    _ => now + PROBE_MIN + up_to(PROBE_MAX - PROBE_MIN, random),
                };
            }
            State::Using { unsent, at, .. } => {
                *unsent = unsent.saturating_sub(1);
                *at = now + ANNOUNCE_INTERVAL;
            }
            State::Taken => {}
        }
    }

    /// Whether the silence has lasted long enough.
    pub(super) fn poll(&mut self, now: Instant) -> Option<Finding> {
        match self.state {
            State::Probing { unsent: 0, at } if at <= now => {
                self.state = State::Using {
                    unsent: ANNOUNCE_NUM,
                    at: now,
                    conflict: None,
                };
                Some(Finding::Free)
            }
            _ => None,
        }
    }

    /// Hears an ARP packet. One that somebody sends from the address in use is answered by one announcement; the next within ten
    /// seconds takes it away (RFC 5227 §2.4, b).
    pub(super) fn hear(&mut self, now: Instant, arp: &Arp) -> Option<Finding> {
        if arp.sender_hardware == self.hardware_address {
            return None; // our own, come back
        }
        let is_from_it = arp.sender == self.address;
        let is_probe = arp.is_request && arp.sender.is_unspecified() && arp.target == self.address;
        match &mut self.state {
            State::Probing { .. } if is_from_it || is_probe => {}
            State::Using {
                unsent,
                at,
                conflict,
            } if is_from_it => {
                if conflict.is_none_or(|before| before + DEFEND_INTERVAL <= now) {
                    *conflict = Some(now);
                    *unsent = (*unsent).max(1);
                    *at = now;
                    return None;
                }
            }
            _ => return None,
        }
        self.state = State::Taken;
        Some(Finding::Taken)
    }
}

/// A part of a time that chance gives.
fn up_to(most: Duration, random: u64) -> Duration {
    Duration::from_micros(random % (most.total_micros() + 1))
}
