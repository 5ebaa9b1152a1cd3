//! Which octets of one direction were seen when.

use heapless::Vec;
use smoltcp::time::Instant;

use super::is_after;

/// Segments that are remembered in each direction of a conversation.
const SEGMENTS: usize = 32;

/// A stretch of sequence numbers.
#[derive(Debug, Clone, Copy)]
struct Seen {
    begin: u32,
    end: u32,
    time: Instant,
}

/// The segments that may be sent again. Where it is full, the oldest that is acknowledged makes room; where none is,
/// the newest is not remembered, for what is sent again is the oldest.
#[derive(Debug, Clone)]
pub(super) struct History(Vec<Seen, SEGMENTS>);

impl History {
    pub(super) const fn new() -> History {
        History(Vec::new())
    }

    /// When the octet with this sequence number was seen first.
    pub(super) fn first_seen(&self, sequence: u32) -> Option<Instant> {
        let contains =
            |seen: &&Seen| sequence.wrapping_sub(seen.begin) < seen.end.wrapping_sub(seen.begin);
        let seen = self.0.iter().filter(contains);
        seen.map(|seen| seen.time).min()
    }

    /// Remembers a segment from `begin` to before `end`; the peer has acknowledged everything before `acknowledged`.
    pub(super) fn insert(
        &mut self,
        begin: u32,
        end: u32,
        time: Instant,
        acknowledged: Option<u32>,
    ) {
        let last = end.wrapping_sub(1);
        if self.first_seen(begin).is_some() && self.first_seen(last).is_some() {
            return;
        }
        if self.0.is_full() {
            let is_acknowledged =
                |seen: &Seen| acknowledged.is_some_and(|at| !is_after(seen.end, at));
            match self.0.iter().position(is_acknowledged) {
                Some(oldest) => drop(self.0.remove(oldest)),
                None => return,
            }
        }
        // There is room now.
        let _ = self.0.push(Seen { begin, end, time });
    }
}
