//! An event, with of its frame what a ladder tells: small enough to be kept.

use glasstack::trace::{Direction, DropReason, Event, Flow, Happening, Instant, Medium};

/// Octets of a frame that are kept: the headers of Ethernet, IPv6 and TCP with options.
const OCTETS: usize = 96;

/// Octets of the longest frame.
const FRAME: usize = 1514;

/// An [`Event`] that borrows nothing.
#[derive(Clone, Copy)]
pub struct Record {
    time: Instant,
    interface: Option<u8>,
    socket: Option<u16>,
    what: What,
}

#[derive(Clone, Copy)]
enum What {
    Frame(Direction, Medium, Beginning),
    Drop(DropReason, Medium, Beginning),
    /// What has no frame.
    Other(Happening<'static>, Option<Flow>),
}

impl Record {
    pub fn of(event: &Event<'_>) -> Option<Record> {
        let other = |happening| What::Other(happening, event.flow);
        let what = match event.happening {
            Happening::Frame {
                direction,
                medium,
                bytes,
            } => What::Frame(direction, medium, Beginning::of(bytes)),
            Happening::Drop {
                reason,
                medium,
                bytes,
            } => What::Drop(reason, medium, Beginning::of(bytes)),
            Happening::Call { call, outcome } => other(Happening::Call { call, outcome }),
            Happening::State { from, to, cause } => other(Happening::State { from, to, cause }),
            Happening::Timer { timer, change } => other(Happening::Timer { timer, change }),
            Happening::Retransmission { cause } => other(Happening::Retransmission { cause }),
            Happening::Address {
                address,
                prefix_len,
                change,
                origin,
                cause,
            } => other(Happening::Address {
                address,
                prefix_len,
                change,
                origin,
                cause,
            }),
            Happening::Link { is_up } => other(Happening::Link { is_up }),
            _ => return None,
        };
        Some(Record {
            time: event.time,
            interface: event.interface,
            socket: event.socket,
            what,
        })
    }

    /// Tells the event again.
    pub fn tell(&self, hear: impl FnOnce(&Event<'_>)) {
        let mut frame = [0; FRAME];
        let (happening, flow) = match &self.what {
            What::Other(happening, flow) => (*happening, *flow),
            What::Frame(direction, medium, beginning) => {
                let (direction, medium) = (*direction, *medium);
                let bytes = beginning.lengthen(&mut frame);
                let frame = Happening::Frame {
                    direction,
                    medium,
                    bytes,
                };
                (frame, None)
            }
            What::Drop(reason, medium, beginning) => {
                let (reason, medium) = (*reason, *medium);
                let bytes = beginning.lengthen(&mut frame);
                let drop = Happening::Drop {
                    reason,
                    medium,
                    bytes,
                };
                (drop, None)
            }
        };
        hear(&Event {
            time: self.time,
            interface: self.interface,
            socket: self.socket,
            flow,
            happening,
        });
    }
}

/// How a frame begins, and how long it was.
#[derive(Clone, Copy)]
struct Beginning {
    len: u16,
    octets: [u8; OCTETS],
}

impl Beginning {
    fn of(frame: &[u8]) -> Beginning {
        let mut octets = [0; OCTETS];
        for (to, from) in octets.iter_mut().zip(frame) {
            *to = *from;
        }
        Beginning {
            len: frame.len().min(FRAME) as u16,
            octets,
        }
    }

    /// The frame; what was not kept of it is nought.
    fn lengthen<'f>(&self, frame: &'f mut [u8; FRAME]) -> &'f [u8] {
        let frame = &mut frame[..usize::from(self.len).min(FRAME)];
        for (to, from) in frame.iter_mut().zip(self.octets) {
            *to = from;
        }
        frame
    }
}
