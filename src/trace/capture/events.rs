//! Questions to a capture: which events, how many, and what they say.

use alloc::vec::Vec;
use core::fmt::{self, Display, Formatter};
use core::net::SocketAddr;
use core::time::Duration;

use super::{Capture, Captured};
use crate::trace::{
    Analysis, Call, Direction, DropReason, Flow, Happening, Instant, Mark, Outcome, Protocol,
    RetransmissionCause, Segment, State, Station, Timer, TimerChange,
};

/// Some of a capture's events, narrowed down step by step: `capture.at(Station(1)).stream(0).sent()`.
#[derive(Clone, Copy)]
pub struct Events<'c> {
    capture: &'c Capture,
    station: Option<Station>,
    direction: Option<Direction>,
    protocol: Option<Protocol>,
    socket: Option<u16>,
    stream: Option<u32>,
    flow: Option<(SocketAddr, SocketAddr)>,
}

impl<'c> Events<'c> {
    pub(super) fn of(capture: &'c Capture) -> Self {
        Events {
            capture,
            station: None,
            direction: None,
            protocol: None,
            socket: None,
            stream: None,
            flow: None,
        }
    }

    /// Those of TCP conversations.
    pub fn tcp(self) -> Self {
        Events {
            protocol: Some(Protocol::Tcp),
            ..self
        }
    }

    /// Those of UDP conversations.
    pub fn udp(self) -> Self {
        Events {
            protocol: Some(Protocol::Udp),
            ..self
        }
    }

    /// Those that one station told.
    pub fn at(self, station: Station) -> Self {
        Events {
            station: Some(station),
            ..self
        }
    }

    /// Frames that left their station, and nothing else.
    pub fn sent(self) -> Self {
        Events {
            direction: Some(Direction::Out),
            ..self
        }
    }

    /// Frames that came to their station, and nothing else.
    pub fn received(self) -> Self {
        Events {
            direction: Some(Direction::In),
            ..self
        }
    }

    /// Those of one socket, by its descriptor's number; use it [at](Events::at) one station.
    pub fn socket(self, number: u16) -> Self {
        Events {
            socket: Some(number),
            ..self
        }
    }

    /// Those of one TCP conversation, by its number in the capture, from 0. Where two conversations had the same ends,
    /// what is no segment belongs to both.
    pub fn stream(self, stream: u32) -> Self {
        Events {
            stream: Some(stream),
            ..self
        }
    }

    /// Those between these two ends, whoever sees it as which.
    pub fn between(self, one: SocketAddr, other: SocketAddr) -> Self {
        Events {
            flow: Some((one, other)),
            ..self
        }
    }

    /// The events, in order.
    pub fn iter(self) -> impl Iterator<Item = &'c Captured> {
        // The ends of the stream, for the events that have no number.
        let ends = self.stream.and_then(|stream| {
            let is_of = |captured: &&Captured| captured.stream == Some(stream);
            self.capture.events.iter().find(is_of)?.ends()
        });
        let events = self.capture.events.iter();
        events.filter(move |captured| self.includes(captured, ends))
    }

    fn includes(&self, captured: &Captured, stream_ends: Option<(SocketAddr, SocketAddr)>) -> bool {
        let event = &captured.event;
        let is_between = |ends: (SocketAddr, SocketAddr)| {
            let own = captured.ends();
            own == Some(ends) || own == Some((ends.1, ends.0))
        };
        let direction = match event.happening {
            Happening::Frame { direction, .. } => Some(direction),
            _ => None,
        };
        let protocol = match (&captured.segment, event.flow) {
            (Some(_), _) => Some(Protocol::Tcp),
            (None, flow) => flow.map(|flow| flow.protocol),
        };
        let in_stream = |stream| match captured.stream {
            Some(own) => own == stream,
            None => stream_ends.is_some_and(is_between),
        };
        self.station
            .is_none_or(|station| captured.station == station)
            && self
                .direction
                .is_none_or(|wanted| direction == Some(wanted))
            && self.protocol.is_none_or(|wanted| protocol == Some(wanted))
            && self
                .socket
                .is_none_or(|wanted| event.socket == Some(wanted))
            && self.flow.is_none_or(is_between)
            && self.stream.is_none_or(in_stream)
    }

    /// How many events.
    pub fn count(self) -> usize {
        self.iter().count()
    }

    /// The TCP segments with what they are, each once: of one [station](Events::at), as it sees them; of all, each where
    /// its sender tells it, or else where it arrives.
    pub fn segments(self) -> impl Iterator<Item = (&'c Segment, &'c Analysis)> {
        let counts = move |captured: &&Captured| self.station.is_some() || captured.is_first_hand;
        let pair = |captured: &'c Captured| {
            Some((captured.segment.as_ref()?, captured.analysis.as_ref()?))
        };
        self.iter().filter(counts).filter_map(pair)
    }

    /// How many segments carry a mark.
    pub fn marked(self, mark: Mark) -> usize {
        let is_marked = |(_, analysis): &(&Segment, &Analysis)| analysis.marks.contains(mark);
        self.segments().filter(is_marked).count()
    }

    /// How many segments were sent again, for whatever reason.
    pub fn retransmissions(self) -> usize {
        let kinds = [
            Mark::Retransmission,
            Mark::FastRetransmission,
            Mark::SpuriousRetransmission,
        ];
        let is_one = |(_, analysis): &(&Segment, &Analysis)| {
            kinds.iter().any(|kind| analysis.marks.contains(*kind))
        };
        self.segments().filter(is_one).count()
    }

    /// Why stacks sent segments again, as they say themselves.
    pub fn causes(self) -> impl Iterator<Item = RetransmissionCause> {
        self.iter()
            .filter_map(|captured| match captured.event.happening {
                Happening::Retransmission { cause } => Some(cause),
                _ => None,
            })
    }

    /// The states that the connections at a local end went through, the first included.
    pub fn walk(self, local: SocketAddr) -> Vec<State> {
        self.states_of(|flow| flow.local == local)
    }

    /// The states that a connection went through, the first included, where these are the events of one at one end:
    /// `capture.at(client).stream(0).states()` needs not know which port the client was given.
    pub fn states(self) -> Vec<State> {
        self.states_of(|_| true)
    }

    fn states_of(self, is_its: impl Fn(Flow) -> bool) -> Vec<State> {
        let mut states = Vec::new();
        for captured in self.iter() {
            if let Happening::State { from, to, .. } = captured.event.happening
                && captured.event.flow.is_some_and(&is_its)
            {
                if states.last() != Some(&from) {
                    states.push(from);
                }
                states.push(to);
            }
        }
        states
    }

    /// The calls, with what they returned.
    pub fn calls(self) -> impl Iterator<Item = (Call, Outcome)> {
        self.iter()
            .filter_map(|captured| match captured.event.happening {
                Happening::Call { call, outcome } => Some((call, outcome)),
                _ => None,
            })
    }

    /// What became of a timer, and when.
    pub fn timer(self, timer: Timer) -> impl Iterator<Item = (Instant, TimerChange)> {
        self.iter()
            .filter_map(move |captured| match captured.event.happening {
                Happening::Timer { timer: of, change } if of == timer => {
                    Some((captured.event.time, change))
                }
                _ => None,
            })
    }

    /// For how long a timer was armed, each time: the back-off of a retransmission timer is 1 s, 2 s, 4 s.
    pub fn armed(self, timer: Timer) -> Vec<Duration> {
        let after = |(_, change)| match change {
            TimerChange::Armed { after, .. } => Some(after),
            _ => None,
        };
        self.timer(timer).filter_map(after).collect()
    }

    /// How often a timer fired.
    pub fn fired(self, timer: Timer) -> usize {
        let fired = |(_, change): &(Instant, TimerChange)| *change == TimerChange::Fired;
        self.timer(timer).filter(fired).count()
    }

    /// How many frames were given up for a reason.
    pub fn drops(self, reason: DropReason) -> usize {
        let is_it = |captured: &&Captured| matches!(captured.event.happening, Happening::Drop { reason: of, .. } if of == reason);
        self.iter().filter(is_it).count()
    }
}

/// A line an event.
impl Display for Events<'_> {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        self.iter()
            .try_for_each(|captured| writeln!(f, "{captured}"))
    }
}

impl fmt::Debug for Events<'_> {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        Display::fmt(self, f)
    }
}
