//! The least of the analysis, until the whole of it is there: streams, relative numbers, and what is sent again.

use core::fmt;
use core::net::SocketAddr;

use super::{Instant, Segment};

/// What a segment is, in the conversation it belongs to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Analysis {
    /// The number of the conversation, from 0.
    pub stream: u32,
    /// Sent by the end that sent the first segment.
    pub from_initiator: bool,
    /// The sequence number, from the sender's first.
    pub sequence: u32,
    /// The acknowledgment number, from the other end's first.
    pub acknowledgment: Option<u32>,
    /// The window in octets.
    pub window: u32,
    /// What it is marked as.
    pub marks: Marks,
    /// The number of this duplicate acknowledgment; 0 for none.
    pub duplicate_ack: u32,
    /// When the octets were first seen, where they are seen again.
    pub repeats: Option<Instant>,
}

/// What a segment can be marked as, in Wireshark's words.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[allow(missing_docs, reason = "Wireshark's words")]
pub enum Mark {
    Retransmission,
    FastRetransmission,
    SpuriousRetransmission,
    OutOfOrder,
    LostSegment,
    AckedLostSegment,
    DuplicateAck,
    WindowUpdate,
    WindowFull,
    ZeroWindow,
    ZeroWindowProbe,
    ZeroWindowProbeAck,
    KeepAlive,
    KeepAliveAck,
    ReusedPorts,
}

/// A set of marks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Marks(u16);

impl Marks {
    /// Whether the mark is in the set.
    pub const fn contains(self, mark: Mark) -> bool {
        self.0 & 1 << mark as u16 != 0
    }

    fn insert(&mut self, mark: Mark) {
        self.0 |= 1 << mark as u16;
    }
}

#[derive(Debug, Clone, Copy, Default)]
struct Half {
    base: Option<u32>,
    next: u32,
    ack: Option<u32>,
    window: u16,
    duplicate_acks: u32,
    last_duplicate: Option<Instant>,
}

#[derive(Debug, Clone, Copy)]
struct Conversation {
    stream: u32,
    ends: (SocketAddr, SocketAddr),
    halves: [Half; 2],
}

/// Follows conversations by their segments: at most `FLOWS` of them, the oldest is forgotten first.
pub struct Analyzer<const FLOWS: usize = 64> {
    flows: [Option<Conversation>; FLOWS],
    streams: u32,
}

impl<const FLOWS: usize> fmt::Debug for Analyzer<FLOWS> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Analyzer").finish_non_exhaustive()
    }
}

impl<const FLOWS: usize> Default for Analyzer<FLOWS> {
    fn default() -> Self {
        Analyzer::new()
    }
}

fn before(a: u32, b: u32) -> bool {
    (a.wrapping_sub(b) as i32) < 0
}

impl<const FLOWS: usize> Analyzer<FLOWS> {
    /// Knows no conversation.
    pub const fn new() -> Self {
        Analyzer {
            flows: [None; FLOWS],
            streams: 0,
        }
    }

    /// Follows a segment.
    pub fn segment(&mut self, segment: &Segment) -> Analysis {
        let ends = (segment.source, segment.destination);
        let is_of = |flow: &Conversation| flow.ends == ends || flow.ends == (ends.1, ends.0);
        let mut marks = Marks::default();
        let mut place = self
            .flows
            .iter()
            .position(|flow| flow.as_ref().is_some_and(is_of));
        let is_open = segment.flags.syn && segment.acknowledgment.is_none();
        if is_open
            && let Some(found) = place
            && let Some(flow) = self.flows[found]
            && flow.halves[usize::from(segment.source != flow.ends.0)]
                .base
                .is_some_and(|base| base != segment.sequence)
        {
            marks.insert(Mark::ReusedPorts);
            self.flows[found] = None;
            place = None;
        }
        let mut forgotten = Conversation {
            stream: self.streams,
            ends,
            halves: [Half::default(); 2],
        };
        let conversation = match place {
            Some(found) => self.flows[found].as_mut(),
            None => {
                self.streams = self.streams.wrapping_add(1);
                let oldest = |flow: &Option<Conversation>| flow.map(|flow| flow.stream);
                let place = (0..FLOWS).min_by_key(|i| oldest(&self.flows[*i]));
                place.map(|i| &mut *self.flows[i].insert(forgotten))
            }
        };
        let flow = conversation.unwrap_or(&mut forgotten);
        let from_initiator = segment.source == flow.ends.0;
        let (own, other) = if from_initiator { (0, 1) } else { (1, 0) };
        let (mut half, reply) = (flow.halves[own], flow.halves[other]);
        let base = *half.base.get_or_insert(segment.sequence);
        let len = segment.sequence_len();
        let end = segment.sequence.wrapping_add(len);
        let is_known = half.next != 0;
        let plain = !segment.flags.syn && !segment.flags.fin && !segment.flags.rst;
        if is_known && plain && segment.len <= 1 && segment.sequence == half.next.wrapping_sub(1) {
            marks.insert(Mark::KeepAlive);
        } else if is_known && len > 0 && before(segment.sequence, half.next) {
            let is_fast = reply.duplicate_acks >= 2
                && reply.ack == Some(segment.sequence)
                && reply
                    .last_duplicate
                    .is_some_and(|at| segment.time - at < smoltcp::time::Duration::from_millis(20));
            marks.insert(match reply.ack {
                Some(ack) if !before(ack, end) => Mark::SpuriousRetransmission,
                _ if is_fast => Mark::FastRetransmission,
                _ => Mark::Retransmission,
            });
        }
        let is_duplicate = plain
            && segment.len == 0
            && half.ack.is_some()
            && half.ack == segment.acknowledgment
            && half.window == segment.window
            && segment.sequence == half.next
            && segment.acknowledgment != Some(reply.next);
        half.duplicate_acks = if is_duplicate {
            half.duplicate_acks + 1
        } else {
            0
        };
        if is_duplicate {
            marks.insert(Mark::DuplicateAck);
            half.last_duplicate = Some(segment.time);
        }
        if !is_known || before(half.next, end) {
            half.next = end;
        }
        half.ack = segment.acknowledgment.or(half.ack);
        half.window = segment.window;
        flow.halves[own] = half;
        Analysis {
            stream: flow.stream,
            from_initiator,
            sequence: segment.sequence.wrapping_sub(base),
            acknowledgment: segment
                .acknowledgment
                .map(|ack| ack.wrapping_sub(reply.base.unwrap_or(ack))),
            window: u32::from(segment.window),
            marks,
            duplicate_ack: half.duplicate_acks,
            repeats: None,
        }
    }
}
