//! The account of one connection, and how it looks.

use core::fmt::{self, Display, Formatter};
use core::net::SocketAddr;
use core::time::Duration;

use smoltcp::time::Instant;

use super::round_trip::{RoundTrip, Stopwatch};
use crate::trace::vantage::{Sighting, Vantage};
use crate::trace::{Analysis, Direction, Mark, Segment};

/// What one end of a connection sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Way {
    /// Segments, those without payload too.
    pub segments: u64,
    /// Octets of payload, each counted once however often it was sent.
    pub octets: u64,
    /// Segments that were sent again because an acknowledgment did not come in time.
    pub timeouts: u32,
    /// Segments that were sent again on duplicate acknowledgments.
    pub fast: u32,
    /// Segments that were sent again although they had been acknowledged.
    pub spurious: u32,
    /// Duplicate acknowledgments.
    pub duplicate_acks: u32,
    /// How long the other end's acknowledgments took; `None` where that cannot be measured.
    pub round_trip: Option<RoundTrip>,
    first: Option<u32>,
    stopwatch: Stopwatch,
    /// The sequence number after the furthest octet of payload.
    furthest: Option<u32>,
    fin: Option<u32>,
    fin_acknowledged: bool,
}

impl Way {
    /// Segments that were sent again, for whatever reason.
    pub fn retransmissions(&self) -> u32 {
        self.timeouts
            .saturating_add(self.fast)
            .saturating_add(self.spurious)
    }

    fn count(&mut self, segment: &Segment, analysis: &Analysis) {
        self.segments += 1;
        self.octets += u64::from(self.new_octets(segment));
        let marks = analysis.marks;
        // Wireshark also calls the special kinds "retransmission".
        if marks.contains(Mark::SpuriousRetransmission) {
            self.spurious = self.spurious.saturating_add(1);
        } else if marks.contains(Mark::FastRetransmission) {
            self.fast = self.fast.saturating_add(1);
        } else if marks.contains(Mark::Retransmission) {
            self.timeouts = self.timeouts.saturating_add(1);
        }
        if marks.contains(Mark::DuplicateAck) {
            self.duplicate_acks = self.duplicate_acks.saturating_add(1);
        }
        if segment.flags.fin {
            let end = segment.sequence.wrapping_add(segment.sequence_len());
            self.fin.get_or_insert(end);
        }
        self.first.get_or_insert(segment.sequence);
    }

    /// Octets that no segment carried before, as far as they lie behind the furthest.
    fn new_octets(&mut self, segment: &Segment) -> u32 {
        if segment.len == 0 {
            return 0;
        }
        let start = segment.sequence.wrapping_add(u32::from(segment.flags.syn));
        let end = start.wrapping_add(segment.len);
        let furthest = self.furthest.unwrap_or(start);
        let new = end.wrapping_sub(furthest) as i32;
        self.furthest = Some(if new > 0 { end } else { furthest });
        (new.max(0) as u32).min(segment.len)
    }
}

/// How a connection ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Closing {
    /// It did not, as far as was seen.
    Open,
    /// One end has said its last; the other goes on.
    HalfClosed {
        /// Who.
        by: SocketAddr,
    },
    /// Both ends have sent FIN, and both FINs are acknowledged.
    Finished {
        /// Whose FIN came first.
        first: SocketAddr,
    },
    /// An end sent RST.
    Reset {
        /// Which.
        by: SocketAddr,
    },
    /// An end gave the other up; no frame says so, a stack does.
    TimedOut,
}

/// What became of a connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Account {
    number: u32,
    pub(super) vantage: Vantage,
    began: Instant,
    last: Instant,
    /// The end that opened the connection; before a SYN is seen, the one that was heard first.
    opener: usize,
    syn: Option<Instant>,
    established: Option<Instant>,
    ways: [Way; 2],
    /// Whose FIN was seen first.
    first_fin: Option<usize>,
    reset: Option<usize>,
    gave_up: bool,
}

impl Account {
    pub(super) fn new(number: u32, vantage: Vantage, segment: &Segment) -> Account {
        Account {
            number,
            vantage,
            began: segment.time,
            last: segment.time,
            // Who answers a SYN has not opened.
            opener: usize::from(segment.flags.syn && segment.acknowledgment.is_some()),
            syn: None,
            established: None,
            ways: [Way::default(); 2],
            first_fin: None,
            reset: None,
            gave_up: false,
        }
    }

    /// A SYN that is not this connection's begins the next one between the same ends.
    pub(super) fn is_followed_by(&self, segment: &Segment) -> bool {
        let sender = usize::from(segment.source != self.vantage.ends().0);
        segment.flags.syn
            && segment.acknowledgment.is_none()
            && self.ways[sender]
                .first
                .is_some_and(|first| first != segment.sequence)
    }

    pub(super) fn follow(
        &mut self,
        sighting: &Sighting,
        direction: Direction,
        segment: &Segment,
        analysis: &Analysis,
    ) {
        let (sender, other) = (sighting.sender, 1 - sighting.sender);
        // Where the acknowledgment passes the place that the data left from.
        if sighting.is_at_receiver {
            self.ways[other].stopwatch.stop(segment);
            self.ways[other].round_trip = self.ways[other].stopwatch.round_trip;
            if let (Some(fin), Some(ack)) = (self.ways[other].fin, segment.acknowledgment) {
                self.ways[other].fin_acknowledged |= ack.wrapping_sub(fin) as i32 >= 0;
            }
        }
        if !sighting.is_first_hand {
            return;
        }
        self.last = self.last.max(segment.time);
        self.ways[sender].count(segment, analysis);
        // What arrives from elsewhere has a part of its way behind it.
        if direction == Direction::Out {
            self.ways[sender].stopwatch.start(segment);
        }
        if segment.flags.syn && segment.acknowledgment.is_none() && self.syn.is_none() {
            self.syn = Some(segment.time);
            self.opener = sender;
        }
        // The ACK of the SYN, ACK; in a simultaneous open there is none.
        let is_third = sender == self.opener
            && !segment.flags.syn
            && !segment.flags.rst
            && segment.acknowledgment.is_some()
            && self.ways[other].first.is_some();
        if is_third && self.syn.is_some() {
            self.established.get_or_insert(segment.time);
        }
        if segment.flags.fin {
            self.first_fin.get_or_insert(sender);
        }
        if segment.flags.rst {
            self.reset.get_or_insert(sender);
        }
    }

    pub(super) fn give_up(&mut self) {
        self.gave_up = true;
    }

    fn end(&self, end: usize) -> SocketAddr {
        let (first, second) = self.vantage.ends();
        if end == 0 { first } else { second }
    }

    /// Its number, from 0, in the order in which the connections began.
    pub fn number(&self) -> u32 {
        self.number
    }

    /// Who opened it; where the SYN was not seen, who was heard first.
    pub fn initiator(&self) -> SocketAddr {
        self.end(self.opener)
    }

    /// The other end.
    pub fn responder(&self) -> SocketAddr {
        self.end(1 - self.opener)
    }

    /// What the initiator sent.
    pub fn sent(&self) -> &Way {
        &self.ways[self.opener]
    }

    /// What the responder sent.
    pub fn received(&self) -> &Way {
        &self.ways[1 - self.opener]
    }

    /// From the first SYN to the ACK of the SYN, ACK.
    pub fn handshake(&self) -> Option<Duration> {
        Some(elapsed(self.syn?, self.established?))
    }

    /// From the first segment to the last.
    pub fn duration(&self) -> Duration {
        elapsed(self.began, self.last)
    }

    /// How it ended.
    pub fn closing(&self) -> Closing {
        match (self.reset, self.first_fin) {
            (Some(end), _) => Closing::Reset { by: self.end(end) },
            (None, Some(end)) if self.ways.iter().all(|way| way.fin_acknowledged) => {
                Closing::Finished {
                    first: self.end(end),
                }
            }
            _ if self.gave_up => Closing::TimedOut,
            (None, Some(end)) => Closing::HalfClosed { by: self.end(end) },
            (None, None) => Closing::Open,
        }
    }

    fn role(&self, end: SocketAddr) -> &'static str {
        if end == self.initiator() {
            "the initiator"
        } else {
            "the responder"
        }
    }
}

/// The time between two others; none where a capture's clock went back.
pub(super) fn elapsed(from: Instant, to: Instant) -> Duration {
    let micros = to.total_micros().saturating_sub(from.total_micros());
    Duration::from_micros(u64::try_from(micros).unwrap_or(0))
}

/// A block of lines, not wider than 80 columns.
impl Display for Account {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let (initiator, responder) = (self.initiator(), self.responder());
        // Two long IPv6 addresses have no room on one line.
        let is_long = initiator.is_ipv6();
        let gap = if is_long { "\n       " } else { " " };
        writeln!(f, "tcp {}  {initiator} ->{gap}{responder}", self.number)?;
        match self.handshake() {
            Some(time) => write!(f, "  handshake {}", Time(time))?,
            None => write!(f, "  no handshake")?,
        }
        write!(f, ", lasted {}, ", Time(self.duration()))?;
        match self.closing() {
            Closing::Open => writeln!(f, "open")?,
            Closing::HalfClosed { by } => writeln!(f, "half closed by {}", self.role(by))?,
            Closing::Finished { first } => {
                writeln!(f, "FIN both ways, {} first", self.role(first))?;
            }
            Closing::Reset { by } => {
                let what = if self.established.is_none() && by == responder {
                    "refused"
                } else {
                    "reset"
                };
                writeln!(f, "{what} by {}", self.role(by))?;
            }
            Closing::TimedOut => writeln!(f, "timed out")?,
        }
        writeln!(
            f,
            "     {:>8}  {:>14}  {:>12}  {:>7}  {:>4}  {:>8}  {:>8}",
            "segments", "octets", "throughput", "timeout", "fast", "spurious", "dup ACKs",
        )?;
        for (arrow, way) in [("->", self.sent()), ("<-", self.received())] {
            writeln!(
                f,
                "  {arrow} {:>8}  {:>14}  {:>12}  {:>7}  {:>4}  {:>8}  {:>8}",
                way.segments,
                Text::of(&Grouped(way.octets)),
                Text::of(&Rate::of(way.octets, self.duration())),
                way.timeouts,
                way.fast,
                way.spurious,
                way.duplicate_acks,
            )?;
        }
        for (arrow, way) in [("->", self.sent()), ("<-", self.received())] {
            if let Some(time) = &way.round_trip {
                writeln!(
                    f,
                    "  RTT {arrow} smoothed {}, min {}, avg {}, max {}, {}x",
                    Time(time.smoothed),
                    Time(time.min),
                    Time(time.average()),
                    Time(time.max),
                    time.samples,
                )?;
            }
        }
        Ok(())
    }
}

/// A time in the unit that suits it, in eight characters at most.
struct Time(Duration);

impl Display for Time {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let (seconds, micros) = (self.0.as_secs(), self.0.subsec_micros());
        match (seconds, seconds / 86_400) {
            (0, _) if micros < 1_000 => write!(f, "{micros} us"),
            (0, _) => write!(f, "{}.{} ms", micros / 1_000, micros % 1_000 / 100),
            (..100, _) => write!(f, "{seconds}.{:03} s", micros / 1_000),
            (..100_000, _) => write!(f, "{seconds} s"),
            (_, days @ ..100_000) => write!(f, "{days} d"),
            _ => write!(f, ">99999 d"),
        }
    }
}

/// A number in groups of three.
struct Grouped(u64);

impl Display for Grouped {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        if self.0 >= 1_000 {
            write!(f, "{},{:03}", Grouped(self.0 / 1_000), self.0 % 1_000)
        } else {
            write!(f, "{}", self.0)
        }
    }
}

/// Bits per second, where there was time for any.
struct Rate(Option<u128>);

impl Rate {
    fn of(octets: u64, time: Duration) -> Rate {
        Rate((u128::from(octets) * 8_000_000).checked_div(time.as_micros()))
    }
}

impl Display for Rate {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let (bits, unit) = match self.0 {
            None => return write!(f, "-"),
            Some(bits @ ..1_000) => return write!(f, "{bits} bit/s"),
            Some(bits @ ..1_000_000) => (bits * 100 / 1_000, "kbit/s"),
            Some(bits @ ..1_000_000_000) => (bits * 100 / 1_000_000, "Mbit/s"),
            Some(bits @ ..1_000_000_000_000) => (bits * 100 / 1_000_000_000, "Gbit/s"),
            Some(bits) => return write!(f, "{} Tbit/s", bits / 1_000_000_000_000),
        };
        write!(f, "{}.{:02} {unit}", bits / 100, bits % 100)
    }
}

/// A short text, so that it can be padded. What is too long for it is cut.
struct Text(heapless::String<32>);

impl Text {
    fn of(value: &dyn Display) -> Text {
        let mut text = heapless::String::new();
        // What does not fit is not shown.
        let _ = fmt::write(&mut text, format_args!("{value}"));
        Text(text)
    }
}

impl Display for Text {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}
