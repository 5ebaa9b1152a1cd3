//! The glass as a pcapng file: every frame with the call that caused it and what became of it, for Wireshark and tshark.
//!
//! ```
//! use std::cell::RefCell;
//! use std::rc::Rc;
//! use glasstack::Stack;
//! use glasstack::stack::Capacity;
//! use glasstack::trace::pcapng::{Options, Pcapng};
//! use glasstack::trace::{At, Station};
//!
//! let file = Pcapng::new(Vec::new(), Options::default()).name(Station(0), "client");
//! let file = Rc::new(RefCell::new(file));
//! let mut client = Stack::with_capacity(Capacity::default(), [7; 16], At(Station(0), file.clone()));
//! // ... and all that the client does.
//! file.borrow_mut().finish()?;
//! # std::io::Result::Ok(())
//! ```
//!
//! What a stack does with a frame (a change of state, a drop) is heard after it and belongs into the same comment, so frames
//! wait: a live one for its station's next frame or call, others for the 64 that follow. [`flush`](Pcapng::flush) does not
//! wait.

mod block;
mod cause;
mod comment;
mod echo;
mod frame;
mod interface;

use core::time::Duration;
use std::collections::VecDeque;
use std::fs::File;
use std::io::{self, BufWriter, Write};
use std::path::Path;

use super::line::change_name;
use super::{
    Analysis, Analyzer, Cause, Direction, DropReason, Event, Flow, Happening, Instant, Marks,
    Medium, Segment, Sink, Station,
};
use cause::Causes;
use comment::{Comment, Lost};
use echo::Sent;
use frame::Seen;
use interface::{Interfaces, Place};

/// Frames that wait for what may still be said of them: a link may lose one of a burst that it was given as a whole.
const WAITING: usize = 64;

/// What goes into the file, and how.
#[derive(Debug, Clone, Copy, Default)]
pub struct Options {
    /// Where frames are looked at.
    pub point: Point,
    /// What the clock's zero is in the file, since 1970-01-01 00:00 UTC: nothing for virtual time. Of a clock that began to
    /// run with the program, the time of day at that moment.
    pub epoch: Duration,
    /// Write each frame as soon as its station's next frame or call is heard, and flush the writer after it, for a reader
    /// at the other end of a pipe (`wireshark -k -i -`).
    pub live: bool,
}

/// Where frames are looked at.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Point {
    /// At every station. A frame that arrives is there twice, as it left and as it came: a capture at both ends, for the
    /// eye. Wireshark's analysis does not look at interfaces, and takes the second for a retransmission.
    Every,
    /// At one station, as a capture on that host: what it sends, lost or not, and what reaches it.
    Station(Station),
    /// On the link: each frame once, where it is sent, lost or not. Where it arrives there is only what no station has sent
    /// so: a frame of a peer that is no station, a doubled frame, a damaged one.
    #[default]
    Once,
}

/// A [`Sink`] that writes pcapng (draft-ietf-opsawg-pcapng): nanosecond time, an interface for each station's, the calls
/// and the stack's own reasons as the frames' comments.
///
/// An error of the writer ends the writing; [`finish`](Pcapng::finish) reports it.
pub struct Pcapng<W: Write> {
    writer: W,
    options: Options,
    /// The writer failed; nothing is written any more.
    has_failed: bool,
    /// Its error, until it is reported.
    error: Option<io::Error>,
    interfaces: Interfaces,
    causes: Causes,
    waiting: VecDeque<Waiting>,
    /// What may arrive at another station.
    sent: Sent,
    arrivals: u64,
    /// One for each place where every segment passes once.
    analyzers: Vec<(Station, Box<Analyzer>)>,
}

/// A frame that is not written yet.
struct Waiting {
    place: Place,
    time: Instant,
    direction: Option<Direction>,
    flow: Option<Flow>,
    comment: Comment,
    bytes: Vec<u8>,
    /// Which arrival it was the last time it arrived as another station's; 0 is none.
    arrival: u64,
    /// All that can be said is said.
    is_done: bool,
}

impl Pcapng<BufWriter<File>> {
    /// A capture into a file, which is made or emptied.
    ///
    /// # Errors
    ///
    /// As [`File::create`].
    pub fn create(path: impl AsRef<Path>, options: Options) -> io::Result<Self> {
        let file = File::create(path)?;
        Ok(Pcapng::new(BufWriter::new(file), options))
    }
}

impl<W: Write> Pcapng<W> {
    /// A capture into a writer, which should be buffered: a frame is one write.
    pub fn new(writer: W, options: Options) -> Self {
        let mut pcapng = Pcapng {
            writer,
            options,
            has_failed: false,
            error: None,
            interfaces: Interfaces::default(),
            causes: Causes::default(),
            waiting: VecDeque::new(),
            sent: Sent::default(),
            arrivals: 0,
            analyzers: Vec::new(),
        };
        pcapng.write(&block::section_header());
        // A live reader wants to know at once what this is.
        if options.live {
            pcapng.flush_writer();
        }
        pcapng
    }

    /// Names a station, and with it its interfaces: `client:1`, `client:lo`. To be called before its first frame.
    pub fn name(mut self, station: Station, name: impl Into<String>) -> Self {
        self.interfaces.name(station, name.into());
        self
    }

    /// Describes a station's interface: words, and the hardware address, which otherwise is taken from its first frame
    /// where that goes out. To be called before its first frame.
    pub fn describe(
        mut self,
        station: Station,
        interface: u8,
        description: impl Into<String>,
        hardware_address: Option<[u8; 6]>,
    ) -> Self {
        let note = (description.into(), hardware_address);
        self.interfaces.describe(station, interface, note);
        self
    }

    /// Writes all frames that were heard of, without what may still be said of them, and flushes the writer.
    pub fn flush(&mut self) {
        for frame in core::mem::take(&mut self.waiting) {
            self.write_frame(&frame);
        }
        self.flush_writer();
    }

    /// Flushes, and says whether all went well so far.
    ///
    /// # Errors
    ///
    /// The writer's first error; after it nothing was written any more. It is reported once.
    pub fn finish(&mut self) -> io::Result<()> {
        self.flush();
        self.error.take().map_or(Ok(()), Err)
    }

    /// The writer, without the frames that wait.
    pub fn get_ref(&self) -> &W {
        &self.writer
    }

    fn write(&mut self, block: &[u8]) {
        if !self.has_failed {
            let written = self.writer.write_all(block);
            self.note(written);
        }
    }

    fn flush_writer(&mut self) {
        if !self.has_failed {
            let flushed = self.writer.flush();
            self.note(flushed);
        }
    }

    fn note(&mut self, result: io::Result<()>) {
        if let Err(error) = result {
            self.has_failed = true;
            self.error = Some(error);
        }
    }

    fn write_frame(&mut self, frame: &Waiting) {
        let source = match frame.direction {
            Some(Direction::Out) if frame.place.medium == Medium::Ethernet => {
                let source = frame.bytes.get(6..12);
                source.and_then(|address| address.try_into().ok())
            }
            _ => None,
        };
        let (interface, description) = self.interfaces.number(frame.place, source);
        if let Some(description) = description {
            self.write(&description);
        }
        let time = self.options.epoch.checked_add(since_zero(frame.time));
        let block = block::enhanced_packet(
            interface,
            time.unwrap_or(Duration::MAX),
            frame.direction,
            frame.comment.as_str(),
            &frame.bytes,
        );
        self.write(&block);
        if self.options.live {
            self.flush_writer();
        }
    }

    /// Whether there are only frames of other places.
    fn is_elsewhere(&self, station: Station) -> bool {
        matches!(self.options.point, Point::Station(only) if only != station)
    }

    /// Whether a frame that came in was written when it was sent.
    fn is_echo(&mut self, place: Place, bytes: &[u8]) -> bool {
        // What the loopback sends is what it receives.
        if place.interface == Some(0) {
            return true;
        }
        if self.options.point != Point::Once || !self.sent.reaches(place.station, bytes) {
            return false;
        }
        self.arrivals += 1;
        let arrived = |frame: &&mut Waiting| {
            let is_sent = frame.direction == Some(Direction::Out);
            is_sent && frame.place.station != place.station && frame.bytes == bytes
        };
        if let Some(frame) = self.waiting.iter_mut().rev().find(arrived) {
            frame.arrival = self.arrivals;
        }
        true
    }

    fn frame(&mut self, place: Place, event: &Event<'_>, direction: Direction, bytes: &[u8]) {
        if self.is_elsewhere(place.station) {
            return;
        }
        match direction {
            Direction::In if self.is_echo(place, bytes) => return,
            Direction::In => {}
            Direction::Out => self.sent.leaves(place.station, bytes),
        }
        self.done_with(place.station);
        let seen = Seen::parse(event, place.medium, direction, bytes);
        let mut comment = Comment::default();
        let analysis = seen
            .segment
            .as_ref()
            .map(|segment| self.analyze(place.station, segment));
        if direction == Direction::Out {
            let marks = analysis.map_or(Marks::NONE, |analysis| analysis.marks);
            self.causes
                .explain(place.station, event.socket, &seen, marks, &mut comment);
        }
        if let Some(analysis) = analysis.filter(|analysis| !analysis.marks.is_empty()) {
            comment.add(analysis);
        }
        // A link may tell of a loss before the sender tells of the frame.
        if direction == Direction::Out
            && let Some(lost) = self.take_lost(place.medium, bytes)
        {
            comment.add(lost.comment.as_str());
        }
        self.wait(Waiting {
            place,
            time: event.time,
            direction: Some(direction),
            flow: seen.flow,
            comment,
            bytes: bytes.to_vec(),
            arrival: 0,
            is_done: false,
        });
    }

    /// Judges a segment among all that pass where it was seen.
    fn analyze(&mut self, station: Station, segment: &Segment) -> Analysis {
        let station = match self.options.point {
            Point::Once => Station::LINK,
            _ => station,
        };
        let known = self.analyzers.iter().position(|known| known.0 == station);
        let index = known.unwrap_or_else(|| {
            self.analyzers.push((station, Box::default()));
            self.analyzers.len() - 1
        });
        self.analyzers[index].1.segment(segment)
    }

    /// A frame was given up: the one that was heard of just now, or one that nobody spoke of before.
    fn dropped(&mut self, place: Place, event: &Event<'_>, reason: DropReason, bytes: &[u8]) {
        let lost = Lost(reason);
        let wanted = match lost.before_arrival() {
            true => Direction::Out,
            false => Direction::In,
        };
        let from_link = place.station == Station::LINK;
        let same = self.waiting.iter_mut().rev().find(|frame| {
            let by_whom = match from_link {
                true => frame.direction == Some(Direction::Out),
                false => frame.place.station == place.station || frame.arrival != 0,
            };
            by_whom && frame.bytes == bytes
        });
        if let Some(frame) = same {
            let by = match from_link {
                true => String::new(),
                false => by(&self.interfaces, place.station, frame),
            };
            frame.comment.add(format_args!("{by}{lost}"));
            return;
        }
        // What the link loses was sent by somebody: by the one station of interest it was not.
        if self.is_elsewhere(place.station) {
            return;
        }
        self.done_with(place.station);
        let mut comment = Comment::default();
        comment.add(lost);
        self.wait(Waiting {
            place,
            time: event.time,
            direction: (!from_link).then_some(wanted),
            flow: None,
            comment,
            bytes: bytes.to_vec(),
            arrival: 0,
            is_done: false,
        });
    }

    /// A segment changed a connection's state: the last one that came in for it.
    fn changed(&mut self, station: Station, flow: Flow, change: core::fmt::Arguments<'_>) {
        let turned = Flow {
            protocol: flow.protocol,
            local: flow.remote,
            remote: flow.local,
        };
        // What it was sent as by another station, where that is what is written; on the loopback, by itself.
        let arrived = self.waiting.iter_mut().filter(|frame| {
            let by_itself = frame.place.station == station && frame.place.interface == Some(0);
            frame.flow == Some(turned) && (frame.arrival != 0 || by_itself)
        });
        let arrived = arrived.max_by_key(|frame| frame.arrival);
        let cause = match arrived {
            Some(frame) => Some(frame),
            None => self.waiting.iter_mut().rev().find(|frame| {
                let came_in = frame.direction == Some(Direction::In);
                came_in && frame.place.station == station && frame.flow == Some(flow)
            }),
        };
        if let Some(frame) = cause {
            let by = by(&self.interfaces, station, frame);
            frame.comment.add(format_args!("{by}{change}"));
        }
    }

    /// What has just come in changed an address.
    fn settled(&mut self, station: Station, change: core::fmt::Arguments<'_>) {
        let arrivals = self.arrivals;
        let cause = self.waiting.iter_mut().rev().find(|frame| {
            let came_in = frame.direction == Some(Direction::In) && frame.place.station == station;
            came_in || frame.arrival != 0 && frame.arrival == arrivals
        });
        if let Some(frame) = cause {
            let by = by(&self.interfaces, station, frame);
            frame.comment.add(format_args!("{by}{change}"));
        }
    }

    /// What a link told of the loss of a frame that its sender tells of only now.
    fn take_lost(&mut self, medium: Medium, bytes: &[u8]) -> Option<Waiting> {
        let index = self.waiting.iter().position(|frame| {
            let place = frame.place;
            place.station == Station::LINK && place.medium == medium && frame.bytes == bytes
        })?;
        self.waiting.remove(index)
    }

    fn wait(&mut self, frame: Waiting) {
        self.waiting.push_back(frame);
        self.write_those_done();
    }

    /// Of this station's frames nothing more will be said; nor, any more, of what the link lost before.
    fn done_with(&mut self, station: Station) {
        for frame in &mut self.waiting {
            frame.is_done |= [station, Station::LINK].contains(&frame.place.station);
        }
    }

    /// In the order in which they were heard of.
    fn write_those_done(&mut self) {
        while let Some(first) = self.waiting.front()
            && (self.options.live && first.is_done || self.waiting.len() > WAITING)
            && let Some(frame) = self.waiting.pop_front()
        {
            self.write_frame(&frame);
        }
    }
}

impl<W: Write> Sink for Pcapng<W> {
    fn event(&mut self, station: Station, event: &Event<'_>) {
        let place = |medium| Place {
            station,
            interface: event.interface,
            medium,
        };
        match event.happening {
            Happening::Frame {
                direction,
                medium,
                bytes,
            } => self.frame(place(medium), event, direction, bytes),
            Happening::Drop {
                reason,
                medium,
                bytes,
            } => self.dropped(place(medium), event, reason, bytes),
            Happening::Call { call, outcome } => {
                self.causes.call(station, event, call, outcome);
                self.done_with(station);
                self.write_those_done();
            }
            Happening::State { from, to, cause } => match (event.flow, cause) {
                (Some(flow), Cause::Call) => self.causes.change(station, flow, from, to),
                (Some(flow), Cause::Segment) => {
                    self.changed(station, flow, format_args!("{from} → {to}"));
                }
                _ => {}
            },
            Happening::Retransmission { cause } => {
                if let Some(flow) = event.flow {
                    self.causes.again(station, flow, cause);
                }
            }
            Happening::Address {
                address,
                change,
                cause: Cause::Segment,
                ..
            } => {
                let change = change_name(change);
                self.settled(station, format_args!("{address} is {change}"));
            }
            Happening::Timer { .. } | Happening::Address { .. } | Happening::Link { .. } => {}
        }
    }
}

impl<W: Write> Drop for Pcapng<W> {
    fn drop(&mut self) {
        // Who wants to know whether it went well has called `finish`.
        self.flush();
    }
}

impl<W: Write> core::fmt::Debug for Pcapng<W> {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_struct("Pcapng")
            .field("options", &self.options)
            .field("error", &self.error)
            .finish_non_exhaustive()
    }
}

/// Who says something of a frame, where it is not the station that shows it.
fn by(interfaces: &Interfaces, station: Station, frame: &Waiting) -> String {
    match frame.place.station == station {
        true => String::new(),
        false => format!("{}: ", interfaces.station(station)),
    }
}

/// What comes before the clock's zero is at zero: the file's time has no sign.
fn since_zero(time: Instant) -> Duration {
    Duration::from_micros(u64::try_from(time.total_micros()).unwrap_or(0))
}
