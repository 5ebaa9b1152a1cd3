//! What a segment is, seen among the others of its conversation: a retransmission, the third duplicate acknowledgment,
//! a probe of a shut window. In Wireshark's words and by its rules, from frames alone.

mod flow;
mod history;
mod mark;
#[cfg(test)]
mod tests;

use core::fmt;

use smoltcp::time::Instant;

pub use mark::{Mark, Marks};

use super::Segment;
use flow::Flow;

/// Judges the segments of up to `FLOWS` conversations at once; of those, the one that was silent for longest is
/// forgotten first.
#[derive(Debug)]
pub struct Analyzer<const FLOWS: usize = 64> {
    flows: [Option<Flow>; FLOWS],
    /// Conversations so far.
    streams: u32,
    /// Segments so far.
    heard: u64,
}

/// What there is to say about a segment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Analysis {
    /// The number of its conversation, from 0 on.
    pub stream: u32,
    /// Whether its sender has opened the conversation; where no SYN was seen, whether it was the first to be seen.
    pub from_initiator: bool,
    /// The sequence number, counted from the SYN's.
    pub sequence: u32,
    /// The acknowledgment, counted from the other end's SYN, where there is one.
    pub acknowledgment: Option<u32>,
    /// The window in octets. It is the field as it stands where the window scale is not known.
    pub window: u32,
    /// What it is.
    pub marks: Marks,
    /// The how manieth duplicate acknowledgment in a row it is; 0 where it is none.
    pub duplicate_ack: u32,
    /// When its first octet was seen before; `None` where it was not, or is not remembered.
    pub repeats: Option<Instant>,
}

impl<const FLOWS: usize> Analyzer<FLOWS> {
    /// One that knows nothing yet.
    pub const fn new() -> Self {
        const { assert!(FLOWS > 0, "an analyzer of no flows") }
        Analyzer {
            flows: [const { None }; FLOWS],
            streams: 0,
            heard: 0,
        }
    }

    /// Judges the next segment, in the order of the capture.
    pub fn segment(&mut self, segment: &Segment) -> Analysis {
        self.heard += 1;
        let is_of = |flow: &Option<Flow>| flow.as_ref().is_some_and(|flow| flow.is_of(segment));
        let known = self.flows.iter().position(is_of);
        let slot = &mut self.flows[known.unwrap_or_else(|| self.silent())];
        let followed = known.is_some()
            && slot
                .as_ref()
                .is_some_and(|flow| flow.is_followed_by(segment));
        if known.is_none() || followed {
            *slot = None;
        }
        let flow = slot.get_or_insert_with(|| {
            let stream = self.streams;
            self.streams = self.streams.wrapping_add(1);
            Flow::new(segment, stream)
        });
        flow.heard = self.heard;
        flow.segment(segment, followed)
    }

    /// The slot that is free, or whose conversation was silent for longest.
    fn silent(&self) -> usize {
        let heard = |flow: &Option<Flow>| flow.as_ref().map_or(0, |flow| flow.heard);
        let slots = self.flows.iter().enumerate();
        slots
            .min_by_key(|(_, flow)| heard(flow))
            .map_or(0, |(slot, _)| slot)
    }
}

impl<const FLOWS: usize> Default for Analyzer<FLOWS> {
    fn default() -> Self {
        Self::new()
    }
}

/// As Wireshark's Info column begins, without the number of the frame whose acknowledgment is duplicated:
/// `[TCP Dup ACK #2]`.
impl fmt::Display for Analysis {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (i, mark) in self.marks.iter().enumerate() {
            let gap = if i == 0 { "" } else { " " };
            match mark {
                Mark::DuplicateAck => write!(f, "{gap}[TCP {mark} #{}]", self.duplicate_ack)?,
                _ => write!(f, "{gap}[TCP {mark}]")?,
            }
        }
        Ok(())
    }
}

/// Whether a sequence number comes after another (RFC 9293 §3.4).
fn is_after(sequence: u32, other: u32) -> bool {
    (sequence.wrapping_sub(other) as i32) > 0
}
