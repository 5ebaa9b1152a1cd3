//! The ladder: cause beside effect. Two lifelines with the segments between them, beside each the application's calls, the
//! connection's states and its timers.
//!
//! ```text
//!    time  since       client 10.0.0.1                       server 10.0.0.2
//!   0.000            SYN-SENT │ connect(10.0.0.2:9999)              │
//!   0.000           RTO in 1s ├─ SYN seq=0 win=2048 ──────── 10ms ─►│ SYN-RECEIVED
//!   0.010  +10ms  ESTABLISHED │◄─ 10ms ─────── SYN,ACK seq=0 ack=1 ─┤ RTO in 1s
//!   0.020  +10ms              ├─ ACK seq=1 ack=1 win=2048 ── 10ms ─►│ ESTABLISHED
//!   0.030  +10ms              │    accept() = 1 from 10.0.0.1:49152 │
//!   0.030                     │ send(7)                             │
//!   0.030           RTO in 1s ├─ PSH,ACK seq=1 len=7 ───── ╳ lost   │
//!   1.030    +1s              │ ◷ RTO fired ↻ repeats 0.030         │
//!   1.030           RTO in 2s ├─ ↻ PSH,ACK seq=1 len=7 ─── ╳ lost   │
//!   3.030    +2s              │ ◷ RTO fired (2nd) ↻ repeats 0.030   │
//!   3.030           RTO in 4s ├─ ↻ PSH,ACK seq=1 ack=1 len=7 ──────►│ ACK in 10ms
//! ```
//!
//! Time runs downwards. A frame is one row, drawn when its fate is known: when the other end tells that it came, or the link
//! that it was lost. The row has the time at which it was sent, and the arrow says how long it flew. So a row can be older
//! than the one above it; then the time since is negative.
//!
//! What is above an arrow on its sender's side is what caused it; what is beside its head and below is what came of it.

mod flight;
mod frames;
mod host;
mod layout;
mod page;
mod row;
mod run;
mod streams;
pub(super) mod style;
mod text;
mod told;

#[cfg(feature = "std")]
mod terminal;

use core::fmt;
use core::time::Duration;

use super::analysis::Analyzer;
use super::line::change_name;
use super::{
    Call, Cause, Direction, Event, Flow, Happening, Instant, Outcome, Protocol,
    RetransmissionCause, Sink, State, Station, TimerChange,
};

use flight::{Before, Flight};
use page::Page;
use row::{Cell, Fate, Middle, Row};
use run::Item;
use streams::Streams;
use style::Paint;
use text::Text;
use told::Conversation;

pub use row::Side;
#[cfg(feature = "std")]
pub use terminal::Terminal;

/// How a ladder is drawn.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Options {
    /// Columns: 80 to 200. The wider, the more is told: from 120 on times have microseconds, from 136 on calls and timers stand
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

/// Frames that a [`Ladder`] keeps in mind, where nothing else is said: about 400 octets each.
pub const FRAMES_IN_FLIGHT: usize = if cfg!(feature = "std") { 256 } else { 32 };

/// Conversations that a [`Ladder`] follows at once, where nothing else is said: about 1.4 kB each.
pub const FLOWS_AT_ONCE: usize = if cfg!(feature = "std") { 64 } else { 8 };

/// Draws a ladder to `W`.
///
/// Of frames that one station sent and no one has told the fate of, it keeps `IN_FLIGHT` in mind; where there are more, the
/// oldest is drawn with a dotted arrow, and its arrival is not. Of more than `FLOWS` TCP conversations at once the one that was
/// silent for longest is forgotten.
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
pub struct Ladder<W, const IN_FLIGHT: usize = FRAMES_IN_FLIGHT, const FLOWS: usize = FLOWS_AT_ONCE>
{
    page: Page<W>,
    ends: Ends,
    analyzer: Analyzer<FLOWS>,
    streams: Streams,
    flight: Flight<IN_FLIGHT>,
    origin: Option<Instant>,
    changes: [Option<Change>; 2],
    again: [Option<(Option<Conversation>, RetransmissionCause)>; 2],
    /// Calls that would block.
    blocked: heapless::Vec<(Side, Option<Conversation>, Call), 16>,
}

/// Where and when, and of which conversation.
#[derive(Debug, Clone, Copy)]
struct Place {
    side: Side,
    now: Instant,
    time: Duration,
    of: Option<Conversation>,
}

impl<W: fmt::Write, const IN_FLIGHT: usize, const FLOWS: usize> Ladder<W, IN_FLIGHT, FLOWS> {
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
            blocked: heapless::Vec::new(),
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
        self.page.tells_streams.then_some(of.number)
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
        self.page.tells_streams = self.streams.are_many() && self.page.options.stream.is_none();
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
}

impl<W: fmt::Write, const IN_FLIGHT: usize, const FLOWS: usize> Sink
    for Ladder<W, IN_FLIGHT, FLOWS>
{
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
        // The segment that follows may have to wait: for the neighbor's address, for room in a window.
        let is_patient = match event.happening {
            Happening::Frame { .. } | Happening::Drop { .. } => true,
            Happening::Timer { change, .. } => change != TimerChange::Fired,
            _ => false,
        };
        if held.is_some_and(|held| is_change || (held.time < time && !is_patient)) {
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
            Happening::Address {
                address, change, ..
            } => {
                let text = Text::new(format_args!("{address} {}", change_name(change)));
                self.note(place, Paint::State, text, Item::Other);
            }
            Happening::Link { is_up } => {
                let text = Text::new(format_args!("link {}", if is_up { "up" } else { "down" }));
                self.note(place, Paint::State, text, Item::Other);
            }
            Happening::Frame { .. } | Happening::Drop { .. } => {}
        }
    }
}
