//! What a segment is, seen among the others of its conversation: a retransmission, the third duplicate acknowledgment,
//! a probe of a shut window. In Wireshark's words and by its rules, from frames alone.
//!
//! ```
//! use glasstack::trace::analysis::{Analyzer, Mark};
//! use glasstack::trace::{Flags, Instant, Segment};
//!
//! let hello = Segment {
//!     time: Instant::from_millis(10),
//!     source: "10.0.0.1:40000".parse().unwrap(),
//!     destination: "10.0.0.2:9999".parse().unwrap(),
//!     sequence: 1_001,
//!     acknowledgment: Some(5_001),
//!     flags: Flags::default(),
//!     window: 8_192,
//!     window_scale: None,
//!     max_segment_size: None,
//!     sack_permitted: false,
//!     sack: [None; 3],
//!     timestamps: None,
//!     len: 5,
//! };
//! let again = Segment { time: Instant::from_millis(1_010), ..hello };
//!
//! let mut analyzer = Analyzer::<4>::new();
//! assert!(analyzer.segment(&hello).marks.is_empty());
//! let analysis = analyzer.segment(&again);
//! assert!(analysis.marks.contains(Mark::Retransmission));
//! assert_eq!(analysis.repeats, Some(hello.time));
//! ```
//!
//! # Bounds
//! An [`Analyzer`] knows so many conversations as it is made for, each in a little more than a kilobyte. Of each direction
//! it remembers when the last 32 segments were seen first, those that are not acknowledged before those that are; what
//! is sent again beyond them is marked like any other, but has no [`repeats`](Analysis::repeats).
//!
//! # Where Wireshark says otherwise
//! `tests/tshark` compares every frame of captures from the stack and of random dialogues with tshark 4.0. What is left:
//!
//! | frame | tshark | here | why |
//! |---|---|---|---|
//! | a sequence number or an acknowledgment that is exactly 0, or no acknowledgment at all | taken for "not known": no mark, or one that compares with 0 | judged as any other | 0 is a number as good as the others (RFC 9293 §3.4) |
//! | an acknowledgment field where ACK is not set | shown as it stands, not relative | `None` | it has no meaning (RFC 9293 §3.1) |
//! | the window scale option in a segment that is no SYN | changes the scale | ignored | RFC 7323 §2.2 says so |
//! | a segment that an ICMP error quotes | begins a stream, or times the handshake anew | not a segment | it travels nowhere |
//! | a fragment, or a frame that the capture cuts short | a fragment is put together, or else its header shown; a cut frame judged by its header's length | not judged | [`Segment::parse`] reads whole packets |
//! | times finer than a microsecond | compared | cut off | [`Instant`] counts microseconds |
//! | a FIN behind 10,000 segments that nobody acknowledges | not counted | counted | there is no list here that could be full |
//! | more conversations at once than there is room for | all known | one forgotten begins anew as another stream | nothing grows without a bound |

mod direction;
mod flow;
mod history;
mod judge;
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
#[derive(Debug, Clone)]
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
