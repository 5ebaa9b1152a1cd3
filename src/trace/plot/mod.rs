//! The plot: the sequence numbers of one direction of a TCP connection over time, as Wireshark's time-sequence graph
//! (tcptrace) has it, in text.
//!
//! ```text
//! tcp 0  10.0.0.1:52536 → 10.0.0.2:9999  300 kB in 516 ms
//! 300 kB ┤                                                           ·▗▄▛▘──
//!        │                                                        ··▄▐▀┌─┘
//!        │                                                     ·▗▄▐▀▘──┘
//!        │                                                 ··▗▄▐▀──┘
//! 200 kB ┤                                              ··▗▄▛▀──┘
//!        │                                           ··▄▛▘▀──┘
//!        │                                       ··▖▄▟▘▘──┘
//!        │                                   ··▗▖▟▀▘──┘
//!        │                               ··▗▄▟▝▀──┘
//! 100 kB ┤                          ▗▖···▌─▝───┘
//!        │                       ·▗▟▀    │
//!        │                ······▄╳▀┌─↻╪╪╪┘
//!        │  ···············▗ ▄▐─▘──┘
//!      0 ┤▖ ─▗───▗──▗──▐─▘▝▝──┘
//!        └┬───────────┬────────────┬────────────┬───────────┬────────────┬──
//!         0        100 ms       200 ms       300 ms      400 ms       500 ms
//! ▞ data  ↻ retransmission  ╳ lost  ─ ACK  ╪ dup ACK  · window
//! ```
//!
//! Time runs to the right, sequence numbers upwards, counted from the SYN's (RFC 9293 §3.4). What an end sent stands where
//! it left; a retransmission has a mark of its own, and so has what the link lost, if the link tells. The line below is what
//! the other end has acknowledged, as the sender learns it (SND.UNA, RFC 9293 §3.3.1): from there up to the data is what is
//! under way, and to the left the round trip. The dots above, where they are low enough to be seen, are the edge of the
//! window (SND.UNA + SND.WND). On the time axis stands where the retransmission timer fired (RFC 6298 §5), if a host tells.
//!
//! # Time is linear
//! And so are sequence numbers. But where a connection waits for a second amid a tenth of one, a linear axis shows the wait
//! and nothing else. So a pause that takes at least twice as long as all that is left without it is cut out: a line
//! from top to bottom has its place, and the legend says how long it was. Between the cuts there is one scale, and the
//! labels tell the true time. With [`Options::linear`] nothing is cut out.
//!
//! # Bounds
//! A [`Plot`] keeps [`Plot::CONNECTIONS`] connections, and of each direction [`Plot::POINTS`] segments and events, changes
//! of what is acknowledged, and changes of the window. Where there are more, their times and sequence numbers are made
//! coarser, by doubling the steps of the grid that they stand on, until there is room: what was sent is still covered, and
//! a transfer of any length still has hundreds of steps.

mod axis;
mod canvas;
mod connection;
mod label;
mod page;
mod stroke;
mod style;
#[cfg(feature = "std")]
mod terminal;

use alloc::boxed::Box;
use alloc::format;
use alloc::vec::Vec;
use core::fmt::{self, Display, Formatter};

use super::{
    Analyzer, Direction, Event, Happening, Protocol, Segment, Sink, Station, Timer, TimerChange,
};

use connection::Connection;
use page::Page;

/// Which end's sequence numbers are plotted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Sender {
    /// The end that opened the connection; where the SYN was not seen, the one that was heard first.
    Initiator,
    /// The other.
    Responder,
}

/// What is plotted, and how.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Options {
    /// Columns: 1 to 500.
    pub width: usize,
    /// Lines: 1 to 200. Where they are few, the legend is left out, then the title, then the axes.
    pub height: usize,
    /// This TCP stream, as Wireshark counts them: from 0, by its first segment. `None` is the one with the most data.
    pub stream: Option<u32>,
    /// Whose data. `None` is the end that sent more.
    pub sender: Option<Sender>,
    /// No pause is cut out of the time.
    pub linear: bool,
    /// Draw with ASCII alone.
    pub ascii: bool,
    /// Colour by ANSI escape sequences (ECMA-48 §8.3.117).
    pub colour: bool,
}

impl Options {
    const WIDEST: usize = 500;
    const HIGHEST: usize = 200;
}

impl Default for Options {
    fn default() -> Self {
        Options {
            width: 80,
            height: 24,
            stream: None,
            sender: None,
            linear: false,
            ascii: false,
            colour: false,
        }
    }
}

/// Keeps what connections sent and when; it prints as a plot of one of them.
///
/// Each segment is counted once, even if both ends tell it: where it is sent, and acknowledgments where they arrive. Of a
/// capture, at which only one place is watched, both are as they were seen there.
///
/// ```
/// use std::{cell::RefCell, net::Ipv4Addr, rc::Rc};
/// use glasstack::smoltcp::time::Instant;
/// use glasstack::stack::{Capacity, Domain, Type};
/// use glasstack::trace::plot::{Options, Plot};
/// use glasstack::trace::{At, Station};
/// use glasstack::{Error, Stack};
///
/// # fn main() -> glasstack::Result<()> {
/// let plot = Rc::new(RefCell::new(Plot::new(Options { height: 12, ..Options::default() })));
/// let mut stack = Stack::with_capacity(Capacity::default(), [7; 16], At(Station(0), plot.clone()));
/// let address = (Ipv4Addr::LOCALHOST, 9999).into();
/// let server = stack.socket(Domain::Inet, Type::Stream)?;
/// stack.bind(server, address)?;
/// stack.listen(server, 5)?;
/// let client = stack.socket(Domain::Inet, Type::Stream)?;
/// assert_eq!(stack.connect(client, address), Err(Error::WouldBlock));
/// let mut now = Instant::ZERO;
/// while stack.connect(client, address).is_err() {
///     now = stack.poll_loopback(now).unwrap_or(now);
/// }
/// stack.send(client, b"Michael")?;
/// stack.poll_loopback(now);
///
/// let page = plot.borrow().to_string();
/// assert!(page.contains("7 B in"));
/// print!("{page}");
/// # Ok(())
/// # }
/// ```
pub struct Plot {
    options: Options,
    /// One for each place that a connection is watched from.
    analyzers: [Box<Analyzer>; 2],
    connections: Vec<Connection>,
    /// How many connections there were.
    count: u32,
}

impl Plot {
    /// Connections that are kept; where there are more, the one with the least data is forgotten.
    pub const CONNECTIONS: usize = 64;
    /// Points that are kept of each kind and direction. A connection takes a quarter of a megabyte if it is full.
    pub const POINTS: usize = stroke::POINTS;

    /// Nothing is kept yet.
    pub fn new(options: Options) -> Plot {
        Plot {
            options,
            analyzers: [Box::new(Analyzer::new()), Box::new(Analyzer::new())],
            connections: Vec::new(),
            count: 0,
        }
    }

    /// Draws what is kept otherwise. A stream that is asked for is not forgotten from now on.
    pub fn set_options(&mut self, options: Options) {
        self.options = options;
    }

    fn hear(&mut self, station: Station, direction: Direction, segment: &Segment) {
        let index = self.place_of(segment);
        let Some(connection) = self.connections.get_mut(index) else {
            return;
        };
        connection.note(segment);
        let Some(sighting) = connection.hear(station, direction, segment) else {
            return;
        };
        if let Some(analyzer) = self.analyzers.get_mut(sighting.place) {
            let analysis = analyzer.segment(segment);
            connection.follow(&sighting, segment, &analysis);
        }
    }

    /// Where the connection is that a segment belongs to: the last one between these ends, or a new one.
    fn place_of(&mut self, segment: &Segment) -> usize {
        let is_of = |connection: &Connection| connection.is_of(segment);
        let last = self.connections.iter().rposition(is_of).filter(|index| {
            let connection = self.connections.get(*index);
            connection.is_some_and(|connection| !connection.is_followed_by(segment))
        });
        if let Some(last) = last {
            return last;
        }
        if self.connections.len() >= Plot::CONNECTIONS {
            let connections = self.connections.iter().enumerate();
            let least = connections.min_by_key(|(_, connection)| {
                let is_asked_for = self.options.stream == Some(connection.number);
                (is_asked_for, connection.octets())
            });
            if let Some((least, _)) = least {
                self.connections.remove(least);
            }
        }
        self.connections.push(Connection::new(self.count, segment));
        self.count = self.count.saturating_add(1);
        self.connections.len() - 1
    }

    /// The last connection that `is_it` is said of.
    fn last(&mut self, is_it: impl Fn(&Connection) -> bool) -> Option<&mut Connection> {
        let mut connections = self.connections.iter_mut().rev();
        connections.find(|connection| is_it(connection))
    }

    /// The connection that is drawn.
    fn shown(&self) -> Option<&Connection> {
        let mut connections = self.connections.iter().rev();
        match self.options.stream {
            Some(stream) => connections.find(|connection| connection.number == stream),
            None => connections.max_by_key(|connection| connection.octets()),
        }
    }
}

impl Sink for Plot {
    fn event(&mut self, station: Station, event: &Event<'_>) {
        let flow = event.flow.filter(|flow| flow.protocol == Protocol::Tcp);
        match event.happening {
            Happening::Frame {
                direction,
                medium,
                bytes,
            } => {
                if let Some(segment) = Segment::parse(event.time, medium, bytes) {
                    self.hear(station, direction, &segment);
                }
            }
            // What a host gives up has arrived at least.
            Happening::Drop { medium, bytes, .. } if station == Station::LINK => {
                if let Some(segment) = Segment::parse(event.time, medium, bytes)
                    && let Some(connection) = self.last(|connection| connection.is_of(&segment))
                {
                    connection.lose(&segment);
                }
            }
            Happening::Timer {
                timer: Timer::Retransmission,
                change: TimerChange::Fired,
            } => {
                if let Some(flow) = flow
                    && let Some(connection) =
                        self.last(|connection| connection.is_between(flow.local, flow.remote))
                {
                    connection.time_out(flow.local, event.time);
                }
            }
            Happening::Retransmission { .. } => {
                if let Some(flow) = flow
                    && let Some(connection) =
                        self.last(|connection| connection.is_between(flow.local, flow.remote))
                {
                    connection.send_again(flow.local);
                }
            }
            _ => {}
        }
    }
}

/// Lines not wider than [`Options::width`], as many as [`Options::height`].
impl Display for Plot {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let page = Page::new(&self.options);
        match (self.shown(), self.options.stream) {
            (Some(connection), _) => page.draw(f, connection),
            (None, Some(stream)) if stream < self.count => {
                page.nothing(f, &format!("TCP stream {stream} is forgotten"))
            }
            (None, Some(stream)) => page.nothing(f, &format!("there was no TCP stream {stream}")),
            (None, None) => page.nothing(f, "there was no TCP connection"),
        }
    }
}

impl fmt::Debug for Plot {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        f.debug_struct("Plot")
            .field("options", &self.options)
            .field("connections", &self.connections.len())
            .finish_non_exhaustive()
    }
}
