//! Carries a judge's verdicts out: frames into the queue, drops to whoever listens.

use std::fmt;

use super::{
    conditions::Faults,
    judge::{Judge, Verdict, flip},
    queue::Queue,
};
use crate::{
    Result,
    trace::{
        Direction, DropReason, Event, Flow, Happening, Instant, Medium, Protocol, Segment, Sink,
        Station,
    },
};

/// A link's judge and the sink that hears of the drops.
pub(super) struct Referee {
    judge: Judge,
    medium: Medium,
    sink: Option<Box<dyn Sink + Send>>,
}

impl Referee {
    pub(super) fn new(medium: Medium, faults: Faults) -> Result<Referee> {
        Ok(Referee {
            judge: Judge::new(medium, &faults)?,
            medium,
            sink: faults.sink,
        })
    }

    /// Puts a frame into the queue as often, as late and as damaged as the judge says; how many were dropped.
    pub(super) fn send(
        &mut self,
        direction: Direction,
        now: Instant,
        frame: &mut Vec<u8>,
        queue: &mut Queue,
    ) -> u64 {
        let delivery = match self.judge.judge(direction, now, frame) {
            Verdict::Deliver(delivery) => delivery,
            Verdict::Drop(reason) => {
                self.tell(now, reason, frame);
                return 1;
            }
        };
        if let Some(bit) = delivery.flipped {
            flip(frame, bit);
        }
        let mut dropped = 0;
        // The copy goes first, while the frame is here: one is as the other.
        if delivery.twice && !queue.push_copy(delivery.at, frame) {
            self.tell(now, DropReason::LinkQueueFull, frame);
            dropped += 1;
        }
        if !queue.push(delivery.at, frame) {
            self.tell(now, DropReason::LinkQueueFull, frame);
            dropped += 1;
        }
        dropped
    }

    /// Tells the sink of a frame that is given up.
    pub(super) fn tell(&mut self, time: Instant, reason: DropReason, bytes: &[u8]) {
        let Some(sink) = &mut self.sink else {
            return;
        };
        // As its sender sees it.
        let flow = Segment::parse(time, self.medium, bytes).map(|segment| Flow {
            protocol: Protocol::Tcp,
            local: segment.source,
            remote: segment.destination,
        });
        let event = Event {
            time,
            interface: None,
            socket: None,
            flow,
            happening: Happening::Drop {
                reason,
                medium: self.medium,
                bytes,
            },
        };
        sink.event(Station::LINK, &event);
    }
}

impl fmt::Debug for Referee {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Referee")
            .field("judge", &self.judge)
            .finish_non_exhaustive()
    }
}
