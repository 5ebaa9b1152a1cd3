//! The events themselves, kept for a test to ask about.

mod events;

use alloc::boxed::Box;
use alloc::collections::BTreeMap;
use alloc::vec::Vec;
use core::fmt::{self, Display, Formatter, Write};
use core::hash::Hasher;
use core::net::SocketAddr;

use siphasher::sip::SipHasher13;

use super::vantage::Vantage;
pub use events::Events;

use super::{
    Analysis, Analyzer, Direction, Event, Happening, Line, Observer, Segment, Sink, State, Station,
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
#[derive(Clone)]
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
#[derive(Clone)]
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
        Events::of(self)
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
        Happening::Address {
            address,
            prefix_len,
            change,
            origin,
            cause,
        } => {
            let address = Happening::Address {
                address,
                prefix_len,
                change,
                origin,
                cause,
            };
            (address, none)
        }
        Happening::Link { is_up } => (Happening::Link { is_up }, none),
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
