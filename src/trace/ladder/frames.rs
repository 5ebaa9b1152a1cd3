//! Frames: read when they are sent, drawn when their fate is known.

use core::fmt;
use core::time::Duration;

use super::flight::{Arrival, Before, Digest, Flying};
use super::row::{Arrow, Cell, Fate, Middle, Row, Side};
use super::run::Item;
use super::style::Paint;
use super::text::{Ordinal, Span, Text};
use super::told::{self, Conversation, Heard, Told};
use super::{Ladder, Place};
use crate::trace::analysis::Mark;
use crate::trace::{DropReason, Flow, Instant, Medium, Protocol, RetransmissionCause};

impl<W: fmt::Write, const IN_FLIGHT: usize, const FLOWS: usize> Ladder<W, IN_FLIGHT, FLOWS> {
    /// What a frame from `from` says, seen among the others.
    pub(super) fn judge(
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

    pub(super) fn sent(&mut self, place: Place, medium: Medium, bytes: &[u8]) {
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
            self.fly(frame, Fate::Arrived, Some(time), None);
        }
    }

    /// Says what a frame repeats, and why it is sent again; whether it is.
    pub(super) fn repeats(
        &mut self,
        place: Place,
        told: &Told,
        cause: Option<RetransmissionCause>,
    ) -> bool {
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
        self.note(Place { of, ..place }, Paint::Again, text, Item::Other);
        true
    }

    pub(super) fn received(&mut self, place: Place, medium: Medium, bytes: &[u8]) {
        let Place {
            side, now, time, ..
        } = place;
        let from = side.other();
        let arrival = self.flight.arrive(from, bytes);
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
    pub(super) fn fly(
        &mut self,
        frame: Flying,
        fate: Fate,
        until: Option<Duration>,
        remark: Option<&str>,
    ) {
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
            (Fate::Arrived | Fate::Unknown, None) if !frame.repeats && frame.lost.is_none() => {
                item(&frame)
            }
            _ => Item::Other,
        };
        let arrow = Arrow {
            from: frame.from,
            label: Cell { text, paint },
            fate,
            flight,
            digest: frame.digest,
        };
        let mut row = Row::new(sent, Middle::Arrow(arrow));
        row.cells[frame.from.index()] = frame.beside;
        self.page.put(row, item, of, until);
    }

    /// The link gave a frame up.
    pub(super) fn lost(&mut self, now: Instant, reason: DropReason, medium: Medium, bytes: &[u8]) {
        let fate = Fate::Lost(word(reason));
        if let Some(from) = self.flight.lose(bytes, word(reason)) {
            return self.lost_of(from, Before::UnderWay);
        }
        // Of one station: it has told of the frame just now, or never will.
        if self.is_latest(bytes) {
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

    /// Whether the last row is this frame's, as one that arrived.
    fn is_latest(&self, bytes: &[u8]) -> bool {
        self.page.open().is_some_and(|open| match &open.row.middle {
            Middle::Arrow(arrow) => {
                arrow.fate == Fate::Arrived && arrow.digest == Digest::of(bytes)
            }
            _ => false,
        })
    }

    /// Draws those lost frames of `from`.
    pub(super) fn lost_of(&mut self, from: Side, before: Before) {
        while let Some(frame) = self.flight.take_lost(from, before) {
            self.fly(frame, Fate::Unknown, None, None);
        }
    }

    /// A station gave a frame up.
    pub(super) fn refused(
        &mut self,
        place: Place,
        reason: DropReason,
        medium: Medium,
        bytes: &[u8],
    ) {
        let Place { side, now, .. } = place;
        let lost = self.page.glyphs.lost;
        let cell = Cell::new(Paint::Lost, format_args!("{lost} {}", word(reason)));
        if self.is_latest(bytes) {
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
        self.note(place, Paint::Lost, text, Item::Other);
    }

    /// A frame of the loopback.
    pub(super) fn looped(&mut self, place: Place, medium: Medium, bytes: &[u8]) {
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
        DropReason::UnknownProtocol => "no protocol",
        DropReason::BacklogFull => "backlog",
        DropReason::ReceiveQueueFull => "queue full",
        DropReason::Fragment => "fragment",
        DropReason::NeighborUnreachable => "no neighbor",
        DropReason::InjectedLoss => "lost",
        DropReason::LinkDown => "down",
        DropReason::LinkQueueFull => "queue full",
    }
}
