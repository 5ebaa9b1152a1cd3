//! Frames under way in one direction, in the order in which they arrive.

use std::{collections::VecDeque, mem};

use smoltcp::time::Instant;

/// A bounded queue by time of arrival; among equals, the first sent is the first to arrive. Its buffers are used again: a
/// link in use allocates nothing.
#[derive(Debug)]
pub(super) struct Queue {
    frames: VecDeque<(Instant, Vec<u8>)>,
    /// With those in `frames` never more than `limit` and the few that its users hold.
    free: Vec<Vec<u8>>,
    limit: usize,
}

impl Queue {
    pub(super) fn new(limit: usize) -> Queue {
        Queue {
            frames: VecDeque::new(),
            free: Vec::new(),
            limit,
        }
    }

    pub(super) fn len(&self) -> usize {
        self.frames.len()
    }

    pub(super) fn is_full(&self) -> bool {
        self.frames.len() >= self.limit
    }

    /// When the first frame arrives.
    pub(super) fn next(&self) -> Option<Instant> {
        self.frames.front().map(|(at, _)| *at)
    }

    /// When the last frame arrives.
    pub(super) fn last(&self) -> Option<Instant> {
        self.frames.back().map(|(at, _)| *at)
    }

    /// Takes a frame in and leaves a spare buffer in its place; says `false`, and leaves the frame, where there is no room.
    pub(super) fn push(&mut self, at: Instant, frame: &mut Vec<u8>) -> bool {
        if self.is_full() {
            return false;
        }
        let spare = self.free.pop().unwrap_or_default();
        let frame = mem::replace(frame, spare);
        // Nearly always behind the last.
        let earlier = self
            .frames
            .iter()
            .rev()
            .take_while(|(other, _)| *other > at);
        let place = self.frames.len() - earlier.count();
        self.frames.insert(place, (at, frame));
        true
    }

    /// The same for a copy of the frame.
    pub(super) fn push_copy(&mut self, at: Instant, frame: &[u8]) -> bool {
        let mut copy = self.free.pop().unwrap_or_default();
        copy.clear();
        copy.extend_from_slice(frame);
        let is_taken = self.push(at, &mut copy);
        self.free.push(copy);
        is_taken
    }

    /// The first frame.
    pub(super) fn front(&self) -> Option<&[u8]> {
        self.frames.front().map(|(_, frame)| frame.as_slice())
    }

    /// Gives the first frame in exchange for a buffer.
    pub(super) fn pop(&mut self, frame: &mut Vec<u8>) -> bool {
        let Some((_, next)) = self.frames.pop_front() else {
            return false;
        };
        self.free.push(mem::replace(frame, next));
        true
    }

    /// Gives up the first frame.
    pub(super) fn discard(&mut self) {
        self.free
            .extend(self.frames.pop_front().map(|(_, frame)| frame));
    }

    #[cfg(test)]
    pub(super) fn buffers(&self) -> usize {
        self.frames.len() + self.free.len()
    }
}
