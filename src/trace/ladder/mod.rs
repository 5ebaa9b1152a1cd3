//! The ladder: cause beside effect. Two lifelines with the segments between them, beside each the application's calls, the
//! connection's states and its timers.
//!
//! ```text
//!    time  since        client 10.0.0.1                       server 10.0.0.2
//!   0.020        ESTABLISHED │ send(7) = 7                         │
//!   0.020          RTO in 1s ├─ PSH,ACK seq=1 ack=1 len=7 ─ ╳ lost │
//!   1.020 +1s                │ ◷ RTO fired ↻ repeats 0.020         │
//!   1.020          RTO in 2s ├─ ↻ PSH,ACK seq=1 ack=1 len=7 ──────►│
//!   1.020                    │                       recv(1024) = 7 │
//! ```
//!
//! Time runs downwards. A frame is one row, drawn when its fate is known: when the other end tells that it came, or the link
//! that it was lost. The row has the time at which it was sent, and the arrow says how long it flew. So a row can be older
//! than the one above it; then the time since is negative.
//!
//! What is above an arrow on its sender's side is what caused it; what is beside its head and below is what came of it.

mod flight;
mod layout;
mod page;
mod row;
mod run;
mod streams;
mod style;
mod text;
mod told;

#[cfg(feature = "std")]
mod terminal;

use core::fmt;
use core::time::Duration;

use super::analysis::{Analyzer, Mark};
use super::{
    Call, Cause, Direction, DropReason, Event, Flow, Happening, Instant, Medium, Outcome, Protocol,
    RetransmissionCause, Sink, State, Station, Timer, TimerChange,
};
use crate::Error;

use flight::{Arrival, Before, Digest, Flight, Flying};
use page::Page;
use row::{Arrow, Cell, Fate, Middle, Row};
use run::Item;
use streams::Streams;
use style::Paint;
use text::{Called, Ordinal, Span, Text};
use told::{Conversation, Heard, Told};

pub use row::Side;
#[cfg(feature = "std")]
pub use terminal::Terminal;

/// How a ladder is drawn.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Options {
    /// Columns: 80 to 200. The wider, the more is told: from 120 on times have microseconds, from 140 on calls and timers stand
    /// outside the lifelines, and changes of state show both states.
    pub width: usize,
    /// Draw with ASCII alone.
    pub ascii: bool,
    /// Colour by ANSI escape sequences (ECMA-48 §8.3.117).
    pub colour: bool,
    /// This TCP stream alone, as Wireshark counts them: from 0, by its first segment.
    pub stream: Option<u32>,
    /// Draw a row at once, and again in its place (after a carriage return) when something comes to stand beside it or what
    /// is folded grows: for a terminal. Otherwise a row is written when it is complete.
    pub live: bool,
}

impl Default for Options {
    fn default() -> Self {
        Options {
            width: 80,
            ascii: false,
            colour: false,
            stream: None,
            live: false,
        }
    }
}

/// Who stands at the two lifelines.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Ends {
    stations: [Option<Station>; 2],
    names: [&'static str; 2],
}

impl Ends {
    /// Two stations that both tell what they do; the left one is best the client.
    pub const fn between(left: (Station, &'static str), right: (Station, &'static str)) -> Ends {
        Ends {
            stations: [Some(left.0), Some(right.0)],
            names: [left.1, right.1],
        }
    }

    /// One station that tells what it does, on `side`; of its `peer` only the frames are known.
    pub const fn beside(side: Side, station: (Station, &'static str), peer: &'static str) -> Ends {
        match side {
            Side::Left => Ends {
                stations: [Some(station.0), None],
                names: [station.1, peer],
            },
            Side::Right => Ends {
                stations: [None, Some(station.0)],
                names: [peer, station.1],
            },
        }
    }

    fn side(&self, station: Station) -> Option<Side> {
        [Side::Left, Side::Right]
            .into_iter()
            .find(|side| self.stations[side.index()] == Some(station))
    }
}

/// A change of state by a call, which stands beside the call or the segment that follows from it.
#[derive(Debug, Clone, Copy)]
struct Change {
    of: Option<Conversation>,
    from: State,
    to: State,
    time: Duration,
}

/// Draws a ladder to `W`.
///
/// Of frames that one station sent and no one has told the fate of, it keeps `IN_FLIGHT` in mind; where there are more, the
/// oldest is drawn with a dotted arrow, and its arrival is not. Each takes about 400 octets.
///
/// ```
/// use glasstack::trace::ladder::{Ends, Ladder, Options};
/// use glasstack::trace::{At, Station};
///
/// let ends = Ends::between((Station(0), "client"), (Station(1), "server"));
/// let mut ladder = Ladder::<_>::new(String::new(), ends, Options::default());
/// // A station's observer: `At(Station(0), &mut ladder)`, or with the ladder behind a lock or a cell.
/// let observer = At(Station(0), &mut ladder);
/// # let _ = observer;
/// ladder.finish().unwrap();
/// print!("{}", ladder.into_inner());
/// ```
#[derive(Debug)]
pub struct Ladder<W, const IN_FLIGHT: usize = 64> {
    page: Page<W>,
    ends: Ends,
    analyzer: Analyzer,
    streams: Streams,
    flight: Flight<IN_FLIGHT>,
    origin: Option<Instant>,
    changes: [Option<Change>; 2],
    again: [Option<(Option<Conversation>, RetransmissionCause)>; 2],
    /// The frame of the row that was drawn last.
    latest: Option<Digest>,
    /// The last call that would block, on each side.
    blocked: [Option<Call>; 2],
}

/// Where and when, and of which conversation.
#[derive(Debug, Clone, Copy)]
struct Place {
    side: Side,
    now: Instant,
    time: Duration,
    of: Option<Conversation>,
}

impl<W: fmt::Write, const IN_FLIGHT: usize> Ladder<W, IN_FLIGHT> {
    /// A ladder between `ends`, drawn to `out`.
    pub fn new(out: W, ends: Ends, options: Options) -> Self {
        Ladder {
            page: Page::new(out, ends.names, options),
            ends,
            analyzer: Analyzer::new(),
            streams: Streams::new(),
            flight: Flight::new(),
            origin: None,
            changes: [None; 2],
            again: [None; 2],
            latest: None,
            blocked: [None; 2],
        }
    }

    /// Draws what is still held back: the last row, and the frames whose fate nobody told. A summary goes below.
    ///
    /// # Errors
    /// The first error of `W`, after which nothing more was drawn.
    pub fn finish(&mut self) -> fmt::Result {
        while let Some(frame) = self.flight.take_oldest() {
            self.fly(frame, Fate::Unknown, None, None);
        }
        for side in [Side::Left, Side::Right] {
            self.release(side);
        }
        self.page.finish();
        self.page.result
    }

    /// What it is drawn to.
    pub fn into_inner(self) -> W {
        self.page.out
    }

    fn since_origin(&self, time: Instant) -> Duration {
        let origin = self.origin.unwrap_or(time);
        Duration::from_micros(
            time.total_micros()
                .saturating_sub(origin.total_micros())
                .max(0) as u64,
        )
    }

    fn shows(&self, of: Option<Conversation>) -> bool {
        let wanted = self.page.options.stream.map(|number| Conversation {
            protocol: Protocol::Tcp,
            number,
        });
        wanted.is_none() || wanted == of
    }

    /// The number that tells a row's stream from others.
    fn tag(&self, of: Option<Conversation>) -> Option<u32> {
        let of = of.filter(|of| of.protocol == Protocol::Tcp)?;
        let is_told = self.streams.are_many() && self.page.options.stream.is_none();
        is_told.then_some(of.number)
    }

    fn tagged(&self, of: Option<Conversation>, text: fmt::Arguments<'_>) -> Text {
        match self.tag(of) {
            Some(number) => Text::new(format_args!("#{number} {text}")),
            None => Text::new(text),
        }
    }

    /// The conversation between two ends; what is new is announced.
    fn conversation(&mut self, flow: &Flow, side: Side, number: Option<u32>) -> Conversation {
        let ends = [flow.local, flow.remote];
        let (conversation, is_new) = self.streams.of(flow.protocol, ends, number);
        if is_new && flow.protocol == Protocol::Tcp && self.shows(Some(conversation)) {
            let [left, right] = match side {
                Side::Left => ends,
                Side::Right => [ends[1], ends[0]],
            };
            let both = self.page.glyphs.both;
            let text = self.tagged(Some(conversation), format_args!("{left} {both} {right}"));
            let row = Row {
                middle: Middle::Both(Cell {
                    text,
                    paint: Paint::Dim,
                }),
                ..Row::default()
            };
            self.page
                .put(row, Item::Other, Some(conversation), Duration::ZERO);
        }
        conversation
    }

    /// What a frame from `from` says, seen among the others.
    fn judge(
        &mut self,
        from: Side,
        now: Instant,
        medium: Medium,
        bytes: &[u8],
    ) -> (Told, Option<Conversation>) {
        let (heard, source) = told::hear(now, medium, bytes);
        if let Some(source) = source {
            self.streams.lives(source, from);
        }
        match heard {
            Heard::Tcp(segment) => {
                let analysis = self.analyzer.segment(&segment);
                let flow = Flow {
                    protocol: Protocol::Tcp,
                    local: segment.source,
                    remote: segment.destination,
                };
                let of = self.conversation(&flow, from, Some(analysis.stream));
                (Told::Tcp(segment, analysis), Some(of))
            }
            Heard::Udp { flow, len } => {
                let of = self.conversation(&flow, from, None);
                (Told::Udp { flow, len }, Some(of))
            }
            Heard::Other(text) => (Told::Other(text), None),
        }
    }

    fn sent(&mut self, place: Place, medium: Medium, bytes: &[u8]) {
        let Place {
            side, now, time, ..
        } = place;
        let (told, of) = self.judge(side, now, medium, bytes);
        let cause = self.again[side.index()].take_if(|(again, _)| *again == of);
        let cause = cause.map(|(_, cause)| cause);
        let repeats = self.repeats(Place { of, ..place }, &told, cause);
        let change = self.changes[side.index()].take_if(|change| change.of == of);
        let beside = change.map(|change| self.state_cell(change.from, change.to));
        let is_told_twice = self.ends.stations[side.other().index()].is_some();
        let frame = Flying::new(
            side,
            now,
            bytes,
            told,
            of,
            repeats,
            beside.unwrap_or_default(),
        );
        if is_told_twice {
            if let Some(evicted) = self.flight.send(frame) {
                self.fly(evicted, Fate::Unknown, None, None);
            }
        } else {
            self.latest = Some(frame.digest);
            self.fly(frame, Fate::Arrived, Some(time), None);
        }
    }

    /// Says what a frame repeats, and why it is sent again; whether it is.
    fn repeats(&mut self, place: Place, told: &Told, cause: Option<RetransmissionCause>) -> bool {
        let Place { side, time, of, .. } = place;
        let Told::Tcp(_, analysis) = told else {
            return false;
        };
        if cause.is_none() && !analysis.marks.is_retransmission() {
            return false;
        }
        if !self.shows(of) {
            return true;
        }
        let again = self.page.glyphs.again;
        let mut repeats = Text::new(format_args!("{again} "));
        match analysis.repeats.map(|first| self.since_origin(first)) {
            Some(first) => {
                let (seconds, millis) = (first.as_secs(), first.subsec_millis());
                repeats.push(format_args!("repeats {seconds}.{millis:03}"));
            }
            None => repeats.push(format_args!("sent again")),
        }
        let open = self.page.open();
        let has_fired = open.is_some_and(|open| {
            open.of == of && open.until == time && is_fired(&open.row, side, self.page.glyphs.clock)
        });
        if has_fired && matches!(cause, Some(RetransmissionCause::Timeout(_))) {
            self.page.amend(|open| {
                let cell = note_of(&mut open.row, side);
                cell.paint = Paint::Again;
                if let Some(RetransmissionCause::Timeout(count @ 2..)) = cause {
                    cell.text.push(format_args!(" ({})", Ordinal(count)));
                }
                cell.text.push(format_args!(" {}", repeats.as_str()));
            });
            return true;
        }
        match cause {
            Some(RetransmissionCause::Timeout(count)) => {
                repeats.push(format_args!(" ({} timeout)", Ordinal(count)));
            }
            Some(RetransmissionCause::FastRetransmit) => {
                repeats.push(format_args!(" (fast retransmit)"));
            }
            None if analysis.marks.contains(Mark::FastRetransmission) => {
                repeats.push(format_args!(" (fast retransmit)"));
            }
            None => {}
        }
        let text = self.tagged(of, format_args!("{}", repeats.as_str()));
        let row = self.page.note(
            side,
            Cell {
                text,
                paint: Paint::Again,
            },
            time,
        );
        self.page.put(row, Item::Other, of, time);
        true
    }

    fn received(&mut self, place: Place, medium: Medium, bytes: &[u8]) {
        let Place {
            side, now, time, ..
        } = place;
        let from = side.other();
        let arrival = self.flight.arrive(from, bytes);
        self.latest = Some(Digest::of(bytes));
        match arrival {
            Some(Arrival::First(frame)) => {
                self.lost_of(from, Before::Frame(frame.serial));
                self.fly(frame, Fate::Arrived, Some(time), None);
                self.lost_of(from, Before::UnderWay);
            }
            Some(Arrival::Overtaken(frame)) => {
                self.fly(frame, Fate::Arrived, Some(time), Some("overtaken"));
            }
            Some(Arrival::Corrupted(frame)) => {
                self.fly(frame, Fate::Arrived, Some(time), Some("corrupt"));
            }
            Some(Arrival::Duplicate(frame)) => {
                self.fly(frame, Fate::Arrived, Some(time), Some("copy"));
            }
            // Its sending was drawn when it was given up.
            None if !self.flight.is_complete() => {}
            None => {
                let (told, of) = self.judge(from, now, medium, bytes);
                let repeats = self.repeats(
                    Place {
                        side: from,
                        of,
                        ..place
                    },
                    &told,
                    None,
                );
                let frame = Flying::new(from, now, bytes, told, of, repeats, Cell::default());
                self.fly(frame, Fate::Arrived, Some(time), None);
            }
        }
    }

    /// Draws a frame's row.
    fn fly(&mut self, frame: Flying, fate: Fate, until: Option<Duration>, remark: Option<&str>) {
        let of = frame.conversation;
        if !self.shows(of) {
            return;
        }
        let sent = self.since_origin(frame.sent);
        let until = until.unwrap_or(sent);
        let fate = frame.lost.map_or(fate, Fate::Lost);
        let again = frame.repeats.then_some(self.page.glyphs.again);
        // The ends of the arrow, and what stands at its far one.
        let flight = until.saturating_sub(sent);
        let ascii = self.page.options.ascii;
        let span = Text::new(format_args!(
            "{}",
            Span {
                duration: flight,
                ascii
            }
        ));
        let (far, reserved) = match fate {
            // A break, its word, and a space before the lifeline; better with a longer shaft and more space.
            Fate::Lost(word) => (word.len() + 3, (4, told::ACKNOWLEDGMENT)),
            _ if flight.is_zero() => (0, (0, told::WINDOW)),
            _ => (0, (span.width() + 3, told::WINDOW)),
        };
        let said = remark.map_or(0, |remark| remark.len() + 1);
        let room = self.page.layout.middle.saturating_sub(5 + far + said);
        let mut text = told::label(&frame.told, self.tag(of), again, room, reserved);
        if let Some(remark) = remark {
            text.push(format_args!(" {remark}"));
        }
        let is_shut = matches!(&frame.told, Told::Tcp(_, analysis) if analysis.marks.contains(Mark::ZeroWindow));
        let paint = match (again.is_some() || is_shut || remark.is_some(), &frame.told) {
            (true, _) => Paint::Again,
            (false, Told::Other(_)) => Paint::Dim,
            _ => Paint::Plain,
        };
        let item = match (fate, remark) {
            (Fate::Arrived, None) if !frame.repeats => item(&frame),
            _ => Item::Other,
        };
        let arrow = Arrow {
            from: frame.from,
            label: Cell { text, paint },
            fate,
            flight,
        };
        let mut row = Row::new(sent, Middle::Arrow(arrow));
        row.cells[frame.from.index()] = frame.beside;
        self.page.put(row, item, of, until);
    }

    fn state_cell(&self, from: State, to: State) -> Cell {
        match self.page.layout.is_detailed() {
            true => Cell::new(
                Paint::State,
                format_args!("{from} {} {to}", self.page.glyphs.change),
            ),
            false => Cell::new(Paint::State, format_args!("{to}")),
        }
    }

    fn state(&mut self, place: Place, from: State, to: State) {
        let Place { side, time, of, .. } = place;
        let cell = self.state_cell(from, to);
        let Some(cell) = self.page.beside(side, cell, of, time) else {
            return;
        };
        let middle = match self.tag(of) {
            Some(number) => Middle::Note(side, Cell::new(Paint::Dim, format_args!("#{number}"))),
            None => Middle::Empty,
        };
        let mut row = Row::new(time, middle);
        row.cells[side.index()] = cell;
        self.page.put(row, Item::Other, of, time);
    }

    /// A change that nothing followed from stands alone.
    fn release(&mut self, side: Side) {
        if let Some(change) = self.changes[side.index()].take() {
            let Change { of, from, to, time } = change;
            let now = self.origin.unwrap_or(Instant::ZERO);
            self.state(
                Place {
                    side,
                    now,
                    time,
                    of,
                },
                from,
                to,
            );
        }
    }

    fn call(&mut self, place: Place, call: Call, outcome: Outcome) {
        let Place { side, time, of, .. } = place;
        if outcome == Outcome::Failed(Error::WouldBlock) {
            // What waits for the peer asks again and again; what the peer holds up is told once.
            let is_told = self.blocked[side.index()].replace(call) == Some(call);
            if is_told || !matches!(call, Call::Send { .. } | Call::SendTo { .. }) {
                return;
            }
        } else {
            self.blocked[side.index()] = None;
        }
        let item = match (call, outcome) {
            (Call::Send { .. } | Call::SendTo { .. }, Outcome::Octets(_)) => {
                Item::Transfer { side, gives: true }
            }
            (
                Call::Recv { .. } | Call::RecvFrom { .. },
                Outcome::Octets(1..) | Outcome::Datagram(..),
            ) => Item::Transfer { side, gives: false },
            _ => Item::Other,
        };
        let text = self.tagged(of, format_args!("{}", Called(call, outcome)));
        let row = self.page.note(
            side,
            Cell {
                text,
                paint: Paint::Call,
            },
            time,
        );
        self.page.put(row, item, of, time);
        if self.page.layout.notes_outside() {
            return;
        }
        if let (Call::Listen { .. }, Outcome::Done) = (call, outcome) {
            let cell = Cell::new(Paint::State, format_args!("{}", State::Listen));
            self.page.beside(side, cell, of, time);
        }
        self.release(side);
    }

    fn timer(&mut self, place: Place, timer: Timer, change: TimerChange) {
        let Place {
            side,
            now,
            time,
            of,
        } = place;
        let ascii = self.page.options.ascii;
        match change {
            TimerChange::Stopped => {}
            TimerChange::Fired => {
                let clock = self.page.glyphs.clock;
                let words = match timer {
                    Timer::Retransmission => "RTO fired",
                    Timer::DelayedAck => "delayed ACK is due",
                    Timer::KeepAlive => "keep-alive is due",
                    Timer::ZeroWindowProbe => "window probe is due",
                    Timer::TimeWait => "TIME-WAIT is over",
                    Timer::User => "peer given up",
                };
                let tag = self.tag(of);
                let mut text = Text::new(format_args!("{clock} "));
                if let Some(number) = tag {
                    text.push(format_args!("#{number} "));
                }
                text.push(format_args!("{words}"));
                let row = self.page.note(
                    side,
                    Cell {
                        text,
                        paint: Paint::Timer,
                    },
                    time,
                );
                self.page.put(row, Item::Other, of, time);
            }
            TimerChange::Armed { after, .. } => {
                let after = Span {
                    duration: after,
                    ascii,
                };
                let text = match timer {
                    Timer::Retransmission => Text::new(format_args!("RTO in {after}")),
                    Timer::DelayedAck => Text::new(format_args!("ACK in {after}")),
                    Timer::KeepAlive | Timer::ZeroWindowProbe => {
                        Text::new(format_args!("probe in {after}"))
                    }
                    Timer::TimeWait => self.tagged(of, format_args!("TIME-WAIT ends in {after}")),
                    Timer::User => self.tagged(of, format_args!("gives up in {after}")),
                };
                let cell = Cell {
                    text,
                    paint: Paint::Timer,
                };
                let width = self.page.layout.side;
                let mut rest = Some(cell);
                if let Some(frame) = self.flight.youngest(side, now, of) {
                    rest = rest.and_then(|cell| frame.beside.join(cell, width));
                }
                rest = rest.and_then(|cell| self.page.beside(side, cell, of, time));
                if let Some(cell) = rest {
                    let row = self.page.note(side, cell, time);
                    self.page.put(row, Item::Minor, of, time);
                }
            }
        }
    }

    /// The link gave a frame up.
    fn lost(&mut self, now: Instant, reason: DropReason, medium: Medium, bytes: &[u8]) {
        let fate = Fate::Lost(word(reason));
        if let Some(from) = self.flight.lose(bytes, word(reason)) {
            return self.lost_of(from, Before::UnderWay);
        }
        // Of one station: it has told of the frame just now, or never will.
        if self.latest == Some(Digest::of(bytes)) && self.page.open().is_some_and(is_arrow) {
            return self.page.amend(|open| {
                if let Middle::Arrow(arrow) = &mut open.row.middle {
                    arrow.fate = fate;
                }
            });
        }
        let (_, source) = told::hear(now, medium, bytes);
        let known = source.and_then(|source| self.streams.side_of(source));
        let unheard = self.ends.stations.iter().position(Option::is_none);
        let from = match (known, unheard) {
            (Some(side), _) => side,
            (None, Some(1)) => Side::Right,
            _ => Side::Left,
        };
        let (told, of) = self.judge(from, now, medium, bytes);
        let place = Place {
            side: from,
            now,
            time: self.since_origin(now),
            of,
        };
        let repeats = self.repeats(place, &told, None);
        let frame = Flying::new(from, now, bytes, told, of, repeats, Cell::default());
        self.fly(frame, fate, None, None);
    }

    /// Draws those lost frames of `from`.
    fn lost_of(&mut self, from: Side, before: Before) {
        while let Some(frame) = self.flight.take_lost(from, before) {
            self.fly(frame, Fate::Unknown, None, None);
        }
    }

    /// A station gave a frame up.
    fn refused(&mut self, place: Place, reason: DropReason, medium: Medium, bytes: &[u8]) {
        let Place {
            side, now, time, ..
        } = place;
        let lost = self.page.glyphs.lost;
        let cell = Cell::new(Paint::Lost, format_args!("{lost} {}", word(reason)));
        if self.latest == Some(Digest::of(bytes)) && self.page.open().is_some_and(is_arrow) {
            return self.page.amend(|open| open.row.cells[side.index()] = cell);
        }
        if !self.shows(place.of) {
            return;
        }
        let (heard, _) = told::hear(now, medium, bytes);
        let mut text = cell.text;
        match heard {
            Heard::Tcp(segment) => text.push(format_args!(": TCP to {}", segment.destination)),
            Heard::Udp { flow, .. } => text.push(format_args!(": UDP to {}", flow.remote)),
            Heard::Other(other) => text.push(format_args!(": {}", other.as_str())),
        }
        let row = self.page.note(
            side,
            Cell {
                text,
                paint: Paint::Lost,
            },
            time,
        );
        self.page.put(row, Item::Other, place.of, time);
    }
}

impl<W: fmt::Write, const IN_FLIGHT: usize> Sink for Ladder<W, IN_FLIGHT> {
    fn event(&mut self, station: Station, event: &Event<'_>) {
        let now = event.time;
        self.origin.get_or_insert(now);
        let time = self.since_origin(now);
        if let (
            Station::LINK,
            Happening::Drop {
                reason,
                medium,
                bytes,
            },
        ) = (station, event.happening)
        {
            return self.lost(now, reason, medium, bytes);
        }
        let Some(side) = self.ends.side(station) else {
            return;
        };
        let held = self.changes[side.index()];
        let is_change = matches!(event.happening, Happening::State { .. });
        let is_sent = matches!(
            event.happening,
            Happening::Frame {
                direction: Direction::Out,
                ..
            }
        );
        if held.is_some_and(|held| is_change || (held.time < time && !is_sent)) {
            self.release(side);
        }
        if let Happening::Retransmission { .. }
        | Happening::Timer {
            change: TimerChange::Fired,
            ..
        } = event.happening
        {
            // What comes of a loss stands below it.
            self.lost_of(side, Before::Anything);
        }
        let of = match (event.flow, event.happening) {
            // A listener's call, of the connection that it gives.
            (
                _,
                Happening::Call {
                    outcome: Outcome::Accepted(_, peer),
                    ..
                },
            ) => self.streams.with_end(peer),
            // A frame says itself whose it is.
            (_, Happening::Frame { .. } | Happening::Drop { .. }) | (None, _) => None,
            (Some(flow), _) => Some(self.conversation(&flow, side, None)),
        };
        let place = Place {
            side,
            now,
            time,
            of,
        };
        if let Happening::Frame {
            direction,
            medium,
            bytes,
        } = event.happening
        {
            return match (direction, event.interface) {
                // A frame to itself has one lifeline.
                (Direction::Out, Some(0)) => self.looped(place, medium, bytes),
                (Direction::In, Some(0)) => {}
                (Direction::Out, _) => self.sent(place, medium, bytes),
                (Direction::In, _) => self.received(place, medium, bytes),
            };
        }
        if let Happening::Drop {
            reason,
            medium,
            bytes,
        } = event.happening
        {
            return self.refused(place, reason, medium, bytes);
        }
        if !self.shows(of) {
            return;
        }
        match event.happening {
            Happening::Call { call, outcome } => self.call(place, call, outcome),
            Happening::State {
                from,
                to,
                cause: Cause::Call,
            } => {
                self.changes[side.index()] = Some(Change { of, from, to, time });
            }
            Happening::State { from, to, .. } => self.state(place, from, to),
            Happening::Timer { timer, change } => self.timer(place, timer, change),
            Happening::Retransmission { cause } => self.again[side.index()] = Some((of, cause)),
            Happening::Frame { .. } | Happening::Drop { .. } => {}
        }
    }
}

impl<W: fmt::Write, const IN_FLIGHT: usize> Ladder<W, IN_FLIGHT> {
    /// A frame of the loopback.
    fn looped(&mut self, place: Place, medium: Medium, bytes: &[u8]) {
        let Place {
            side, now, time, ..
        } = place;
        let (told, of) = self.judge(side, now, medium, bytes);
        if !self.shows(of) {
            return;
        }
        let again = self.page.glyphs.again;
        let label = told::label(
            &told,
            self.tag(of),
            None,
            self.page.layout.middle - 4,
            (0, 0),
        );
        let text = Text::new(format_args!("{again} {}", label.as_str()));
        let row = Row::new(
            time,
            Middle::Note(
                side,
                Cell {
                    text,
                    paint: Paint::Plain,
                },
            ),
        );
        self.page.put(row, Item::Other, of, time);
    }
}

/// What a frame is for folding.
fn item(frame: &Flying) -> Item {
    let from = frame.from;
    match &frame.told {
        Told::Udp { len, .. } => Item::Datagram {
            from,
            len: u32::try_from(*len).unwrap_or(u32::MAX),
        },
        Told::Tcp(segment, analysis) => {
            let flags = segment.flags;
            let is_plain = !flags.syn && !flags.fin && !flags.rst;
            // A sender that the window holds up, and a receiver that reads, are no news.
            let unremarkable = [Mark::WindowFull, Mark::WindowUpdate];
            let is_remarkable = analysis
                .marks
                .iter()
                .any(|mark| !unremarkable.contains(&mark));
            match (is_plain, is_remarkable, segment.len) {
                (true, false, 0) => Item::Acknowledgment { from },
                (true, false, len) => Item::Data { from, len },
                (true, true, 0) if analysis.duplicate_ack > 3 => Item::Duplicate { from },
                _ => Item::Other,
            }
        }
        Told::Other(_) => Item::Other,
    }
}

fn is_arrow(open: &page::Open) -> bool {
    matches!(open.row.middle, Middle::Arrow(_))
}

/// Where a note on `side` stands.
fn note_of(row: &mut Row, side: Side) -> &mut Cell {
    match &mut row.middle {
        Middle::Note(_, cell) => cell,
        _ => &mut row.cells[side.index()],
    }
}

/// Whether a row tells that a timer of this side fired.
fn is_fired(row: &Row, side: Side, clock: char) -> bool {
    let cell = match &row.middle {
        Middle::Note(of, cell) if *of == side => cell,
        _ => &row.cells[side.index()],
    };
    cell.paint == Paint::Timer && cell.text.as_str().starts_with(clock)
}

/// A word or two for a reason.
fn word(reason: DropReason) -> &'static str {
    match reason {
        DropReason::Malformed => "malformed",
        DropReason::Checksum => "checksum",
        DropReason::NotForUs => "not for us",
        DropReason::Martian => "martian",
        DropReason::NoListener => "no listener",
        DropReason::NoSocket => "no socket",
        DropReason::BacklogFull => "backlog",
        DropReason::ReceiveQueueFull => "queue full",
        DropReason::Fragment => "fragment",
        DropReason::NeighborUnreachable => "no neighbor",
        DropReason::InjectedLoss => "lost",
        DropReason::LinkDown => "down",
        DropReason::LinkQueueFull => "queue full",
    }
}
