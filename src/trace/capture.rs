//! The events themselves, kept for a test to ask about.

use alloc::boxed::Box;
use alloc::collections::BTreeMap;
use alloc::vec::Vec;
use core::fmt::{self, Display, Formatter, Write};
use core::hash::Hasher;
use core::net::SocketAddr;
use core::time::Duration;

use siphasher::sip::SipHasher13;

use super::vantage::Vantage;
use super::{
    Analysis, Analyzer, Call, Direction, DropReason, Event, Flow, Happening, Instant, Line, Mark,
    Observer, Outcome, Protocol, RetransmissionCause, Segment, Sink, State, Station, Timer,
    TimerChange,
};

/// Keeps the events of one stack, or of several stations, with their frames and what each TCP segment is.
///
/// It keeps the first events up to its bounds and counts the others as [left out](Capture::left_out).
///
/// ```
/// use std::{cell::RefCell, rc::Rc};
/// use glasstack::Stack;
/// use glasstack::stack::{Capacity, Domain, Type};
/// use glasstack::trace::{At, Capture, Station};
///
/// let capture = Rc::new(RefCell::new(Capture::new()));
/// let observer = At(Station(1), capture.clone());
/// let mut stack = Stack::with_capacity(Capacity::default(), [7; 16], observer);
/// stack.socket(Domain::Inet, Type::Stream).unwrap();
///
/// let events = capture.borrow();
/// assert!(events.tcp().retransmissions() == 0);
/// println!("{events}"); // a line an event
/// ```
///
/// The same seed gives the same events: two captures are equal if all of their events are, octet by octet, and their
/// [digests](Capture::digest) tell it across processes.
pub struct Capture {
    events: Vec<Captured>,
    /// Octets of the frames that are kept.
    octets: usize,
    max_events: usize,
    max_octets: usize,
    left_out: u64,
    conversations: BTreeMap<(SocketAddr, SocketAddr), Conversation>,
    /// One for each place that a conversation is watched from.
    analyzers: [Box<Analyzer>; 2],
}

/// A conversation's places, and its number in the capture.
struct Conversation {
    vantage: Vantage,
    stream: u32,
}

/// An event that was kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Captured {
    /// Who told it.
    pub station: Station,
    /// The TCP segment, where it is a frame with one.
    pub segment: Option<Segment>,
    /// What the segment is, at its station.
    pub analysis: Option<Analysis>,
    /// The number of the TCP conversation in this capture, from 0, where it is a segment.
    pub stream: Option<u32>,
    /// The segment is told by its sender, or its sender is no station; it is not told for the second time.
    is_first_hand: bool,
    event: Event<'static>,
    bytes: Box<[u8]>,
}

impl Captured {
    /// The event, as it was told.
    pub fn event(&self) -> Event<'_> {
        let mut event: Event<'_> = self.event;
        if let Happening::Frame { bytes, .. } | Happening::Drop { bytes, .. } = &mut event.happening
        {
            *bytes = &self.bytes;
        }
        event
    }

    /// The conversation it is of: of its segment, or as the event says.
    fn ends(&self) -> Option<(SocketAddr, SocketAddr)> {
        match (&self.segment, self.event.flow) {
            (Some(segment), _) => Some((segment.source, segment.destination)),
            (None, flow) => flow.map(|flow| (flow.local, flow.remote)),
        }
    }
}

impl Display for Captured {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        Line(self.station, &self.event()).fmt(f)
    }
}

impl Default for Capture {
    fn default() -> Capture {
        Capture::new()
    }
}

impl Capture {
    /// Events that [`Capture::new`] keeps.
    pub const MAX_EVENTS: usize = 1 << 20;
    /// Octets of frames that [`Capture::new`] keeps.
    pub const MAX_OCTETS: usize = 1 << 28;

    /// Nothing is kept yet.
    pub fn new() -> Capture {
        Capture::with_limits(Capture::MAX_EVENTS, Capture::MAX_OCTETS)
    }

    /// The same with other bounds: on the events, and on the octets of their frames.
    pub fn with_limits(max_events: usize, max_octets: usize) -> Capture {
        Capture {
            events: Vec::new(),
            octets: 0,
            max_events,
            max_octets,
            left_out: 0,
            conversations: BTreeMap::new(),
            analyzers: [Box::new(Analyzer::new()), Box::new(Analyzer::new())],
        }
    }

    /// Forgets all events; its bounds stay.
    pub fn clear(&mut self) {
        *self = Capture::with_limits(self.max_events, self.max_octets);
    }

    /// Events that were not kept: there were too many, or too many octets in their frames.
    pub fn left_out(&self) -> u64 {
        self.left_out
    }

    /// A number that all of the events go into, every octet of their frames included: the same for the same events, on
    /// every machine.
    pub fn digest(&self) -> u64 {
        let mut digest = Digest(SipHasher13::new());
        // It does not fail: the hasher takes whatever it is given.
        let _ = write!(digest, "{self}");
        for captured in &self.events {
            digest.0.write(&captured.bytes);
        }
        digest.0.finish()
    }

    /// All events.
    pub fn all(&self) -> Events<'_> {
        Events {
            capture: self,
            station: None,
            direction: None,
            protocol: None,
            socket: None,
            stream: None,
            flow: None,
        }
    }

    /// What TCP conversations did.
    pub fn tcp(&self) -> Events<'_> {
        self.all().tcp()
    }

    /// What UDP conversations did.
    pub fn udp(&self) -> Events<'_> {
        self.all().udp()
    }

    /// What one station told.
    pub fn at(&self, station: Station) -> Events<'_> {
        self.all().at(station)
    }

    /// One TCP conversation, by its number.
    pub fn stream(&self, stream: u32) -> Events<'_> {
        self.all().stream(stream)
    }

    /// What one socket did, by its descriptor's number.
    pub fn socket(&self, number: u16) -> Events<'_> {
        self.all().socket(number)
    }

    /// What happened between these two ends, whoever sees it as which.
    pub fn between(&self, one: SocketAddr, other: SocketAddr) -> Events<'_> {
        self.all().between(one, other)
    }

    /// The states that the connections at a local end went through, the first included.
    pub fn walk(&self, local: SocketAddr) -> Vec<State> {
        self.all().walk(local)
    }

    /// The events, in order.
    pub fn iter(&self) -> core::slice::Iter<'_, Captured> {
        self.events.iter()
    }

    /// Tells all events once more, in order, to another sink: a ladder, a summary, a file.
    pub fn replay(&self, sink: &mut impl Sink) {
        for captured in &self.events {
            sink.event(captured.station, &captured.event());
        }
    }

    /// How many events were kept.
    pub fn len(&self) -> usize {
        self.events.len()
    }

    /// Whether none was kept.
    pub fn is_empty(&self) -> bool {
        self.events.is_empty()
    }

    fn keep(&mut self, station: Station, event: &Event<'_>) {
        let (happening, bytes) = without_bytes(event.happening);
        let octets = self.octets.saturating_add(bytes.len());
        if self.events.len() >= self.max_events || octets > self.max_octets {
            self.left_out += 1;
            return;
        }
        self.octets = octets;
        let mut captured = Captured {
            station,
            segment: None,
            analysis: None,
            stream: None,
            is_first_hand: false,
            event: Event {
                time: event.time,
                interface: event.interface,
                socket: event.socket,
                flow: event.flow,
                happening,
            },
            bytes: bytes.into(),
        };
        match event.happening {
            Happening::Frame {
                direction,
                medium,
                bytes,
            } => {
                captured.segment = Segment::parse(event.time, medium, bytes);
                self.analyze(direction, &mut captured);
            }
            Happening::Drop { medium, bytes, .. } => {
                captured.segment = Segment::parse(event.time, medium, bytes);
            }
            _ => {}
        }
        self.events.push(captured);
    }

    fn analyze(&mut self, direction: Direction, captured: &mut Captured) {
        let Some(segment) = &captured.segment else {
            return;
        };
        let ends = (segment.source, segment.destination);
        // As many as there are segments at the most, which are counted.
        let conversation = self
            .conversations
            .entry((ends.0.min(ends.1), ends.0.max(ends.1)))
            .or_insert_with(|| Conversation {
                vantage: Vantage::of(segment),
                stream: 0,
            });
        let sighting = conversation
            .vantage
            .hear(captured.station, direction, segment);
        let Some(sighting) = sighting else { return };
        let analysis = self.analyzers[sighting.place].segment(segment);
        // Whoever tells first of a conversation tells of every new one; the numbers are taken from there.
        if sighting.place == 0 {
            conversation.stream = analysis.stream;
        }
        captured.stream = Some(conversation.stream);
        captured.is_first_hand = sighting.is_first_hand;
        captured.analysis = Some(Analysis {
            stream: conversation.stream,
            ..analysis
        });
    }
}

/// A happening that borrows nothing, and the octets that it borrowed.
fn without_bytes(happening: Happening<'_>) -> (Happening<'static>, &[u8]) {
    let none: &[u8] = &[];
    match happening {
        Happening::Frame {
            direction,
            medium,
            bytes,
        } => {
            let frame = Happening::Frame {
                direction,
                medium,
                bytes: &[],
            };
            (frame, bytes)
        }
        Happening::Drop {
            reason,
            medium,
            bytes,
        } => {
            let drop = Happening::Drop {
                reason,
                medium,
                bytes: &[],
            };
            (drop, bytes)
        }
        Happening::Call { call, outcome } => (Happening::Call { call, outcome }, none),
        Happening::State { from, to, cause } => (Happening::State { from, to, cause }, none),
        Happening::Timer { timer, change } => (Happening::Timer { timer, change }, none),
        Happening::Retransmission { cause } => (Happening::Retransmission { cause }, none),
    }
}

struct Digest(SipHasher13);

impl Write for Digest {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        self.0.write(text.as_bytes());
        Ok(())
    }
}

impl Sink for Capture {
    fn event(&mut self, station: Station, event: &Event<'_>) {
        self.keep(station, event);
    }
}

/// A single stack is station 0.
impl Observer for Capture {
    fn event(&mut self, event: &Event<'_>) {
        self.keep(Station(0), event);
    }
}

impl PartialEq for Capture {
    fn eq(&self, other: &Capture) -> bool {
        self.events == other.events && self.left_out == other.left_out
    }
}

impl Eq for Capture {}

impl<'c> IntoIterator for &'c Capture {
    type Item = &'c Captured;
    type IntoIter = core::slice::Iter<'c, Captured>;

    fn into_iter(self) -> Self::IntoIter {
        self.iter()
    }
}

/// A line an event.
impl Display for Capture {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        self.all().fmt(f)?;
        match self.left_out {
            0 => Ok(()),
            count => writeln!(f, "{count} events left out"),
        }
    }
}

impl fmt::Debug for Capture {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        Display::fmt(self, f)
    }
}

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
        let mut states = Vec::new();
        for captured in self.iter() {
            let is_here = |flow: Flow| flow.local == local;
            if let Happening::State { from, to, .. } = captured.event.happening
                && captured.event.flow.is_some_and(is_here)
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
