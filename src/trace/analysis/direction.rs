//! What one end of a conversation has sent, as far as the next segment is judged by it.

use super::Marks;
use super::history::History;
use crate::trace::Segment;

/// RFC 7323 §2.3: a larger shift is taken for this one.
const MAX_SHIFT: u8 = 14;

/// What is known of a direction's window scale (RFC 7323 §2.2).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Scale {
    /// Its SYN was not seen.
    Unknown,
    /// One of the SYNs did not offer it.
    Unused,
    /// The window field is shifted left by this.
    Shift(u8),
}

/// A round of duplicate acknowledgments.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Duplicates {
    /// So many, and the next one is one more.
    Counted(u32),
    /// The peer acknowledged more than was seen: that is said once, until the next duplicate.
    Stalled,
}

/// What one end has sent.
#[derive(Debug, Clone)]
pub(super) struct Direction {
    /// The sequence number that is shown as 0: the SYN's.
    pub(super) base: Option<u32>,
    pub(super) scale: Scale,
    /// The last segment's window field.
    pub(super) window: Option<u16>,
    /// A SYN is the last that was heard of it.
    pub(super) is_opening: bool,
    /// The last segment's acknowledgment, and when that was.
    pub(super) acknowledgment: Option<u32>,
    pub(super) acknowledged_at: i64,
    /// The sequence number after the highest that was seen, when it was seen first.
    pub(super) next: Option<u32>,
    pub(super) next_at: i64,
    /// The sequence number after the highest that was seen without a hole before it.
    pub(super) contiguous: Option<u32>,
    pub(super) duplicates: Duplicates,
    /// What the last segment was.
    pub(super) last: Marks,
    pub(super) history: History,
}

impl Direction {
    pub(super) const fn new() -> Direction {
        Direction {
            base: None,
            scale: Scale::Unknown,
            window: None,
            is_opening: false,
            acknowledgment: None,
            acknowledged_at: 0,
            next: None,
            next_at: 0,
            contiguous: None,
            duplicates: Duplicates::Counted(0),
            last: Marks::NONE,
            history: History::new(),
        }
    }

    pub(super) fn scaled(&self, window: u16) -> u32 {
        match self.scale {
            Scale::Shift(shift) => u32::from(window) << shift,
            Scale::Unknown | Scale::Unused => u32::from(window),
        }
    }

    /// The sequence number after the last that this end lets the other send.
    pub(super) fn window_edge(&self) -> Option<u32> {
        if self.scale == Scale::Unknown {
            return None;
        }
        // A SYN's own window is not scaled (RFC 7323 §2.2).
        let window = if self.is_opening {
            u32::from(self.window?)
        } else {
            self.scaled(self.window?)
        };
        Some(self.acknowledgment?.wrapping_add(window))
    }

    /// Takes a SYN, and says whether it is another conversation's: an answer to a request that was not seen.
    pub(super) fn open(&mut self, segment: &Segment) -> bool {
        let known = self.base.filter(|_| segment.flags.syn);
        if known.is_some() && segment.acknowledgment.is_none() {
            // The request comes again: a reset in between may have moved the edge.
            self.next = self.contiguous;
            return false;
        }
        if segment.flags.syn {
            self.base = Some(segment.sequence);
        }
        known.is_some_and(|base| base != segment.sequence)
    }
}

/// The window scale is used where both SYNs offer it (RFC 7323 §2.2).
pub(super) fn negotiate(segment: &Segment, forward: &mut Direction, reverse: &mut Direction) {
    if let Some(shift) = segment.window_scale {
        forward.scale = Scale::Shift(shift.min(MAX_SHIFT));
    }
    if forward.scale == Scale::Unknown {
        forward.scale = Scale::Unused;
        reverse.scale = Scale::Unused;
    } else if segment.acknowledgment.is_some() && reverse.scale == Scale::Unused {
        forward.scale = Scale::Unused;
    }
}
