//! What a host tells beside its frames: its application's calls, its connections' states and timers.

use core::fmt;

use super::row::{Cell, Middle, Row, Side};
use super::run::Item;
use super::style::Paint;
use super::text::{Called, Span, Text};
use super::told::Conversation;
use super::{Change, Ladder, Place};
use crate::Error;
use crate::trace::{Call, Instant, Outcome, State, Timer, TimerChange};

impl<W: fmt::Write, const IN_FLIGHT: usize, const FLOWS: usize> Ladder<W, IN_FLIGHT, FLOWS> {
    /// A row of what a host did or had.
    pub(super) fn note(&mut self, place: Place, paint: Paint, text: Text, item: Item) {
        let Place { side, time, of, .. } = place;
        let row = self.page.note(side, Cell { text, paint }, time);
        self.page.put(row, item, of, time);
    }

    pub(super) fn state_cell(&self, from: State, to: State) -> Cell {
        match self.page.layout.is_detailed() {
            true => Cell::new(
                Paint::State,
                format_args!("{from} {} {to}", self.page.glyphs.change),
            ),
            false => Cell::new(Paint::State, format_args!("{to}")),
        }
    }

    pub(super) fn state(&mut self, place: Place, from: State, to: State) {
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
    pub(super) fn release(&mut self, side: Side) {
        if let Some(change) = self.changes[side.index()].take() {
            let Change { of, from, to, time } = change;
            let now = self.origin.unwrap_or(Instant::ZERO);
            let place = Place {
                side,
                now,
                time,
                of,
            };
            self.state(place, from, to);
        }
    }

    pub(super) fn call(&mut self, place: Place, call: Call, outcome: Outcome) {
        let Place { side, time, of, .. } = place;
        let would_block = outcome == Outcome::Failed(Error::WouldBlock);
        let is_transfer = |call| matches!(call, Call::Send { .. } | Call::SendTo { .. });
        let is_awaited = match would_block {
            // What waits for the peer asks again and again.
            true if !is_transfer(call) && !matches!(call, Call::Connect(_)) => return,
            // What the peer holds up is told once.
            true if !self.blocks(side, of, call) => return,
            true => false,
            false => self.unblocks(side, of) == Some(call),
        };
        let item = match (call, outcome) {
            // Where data streams, it is held up all the time.
            _ if would_block && is_transfer(call) => Item::Minor,
            // And it is what a server that polls does before each call.
            (Call::Poll { .. }, _) => Item::Minor,
            (Call::Send { .. } | Call::SendTo { .. }, Outcome::Octets(_)) => {
                Item::Transfer { side, gives: true }
            }
            (
                Call::Recv { .. } | Call::RecvFrom { .. },
                Outcome::Octets(1..) | Outcome::Datagram(..),
            ) => Item::Transfer { side, gives: false },
            _ => Item::Other,
        };
        let text = match (call, outcome) {
            // Its address stands where it began, beside its SYN.
            (Call::Connect(_), Outcome::Done) if is_awaited => {
                self.tagged(of, format_args!("connect() = 0"))
            }
            _ => self.tagged(of, format_args!("{}", Called(call, outcome))),
        };
        self.note(place, Paint::Call, text, item);
        if self.page.layout.notes_outside() {
            return;
        }
        if let (Call::Listen { .. }, Outcome::Done) = (call, outcome) {
            let cell = Cell::new(Paint::State, format_args!("{}", State::Listen));
            self.page.beside(side, cell, of, time);
        }
        self.release(side);
    }

    /// A call would block; whether that is news.
    fn blocks(&mut self, side: Side, of: Option<Conversation>, call: Call) -> bool {
        let blocked = (side, of, call);
        if self.blocked.contains(&blocked) {
            return false;
        }
        if self.blocked.is_full() {
            self.blocked.remove(0);
        }
        // There is room now.
        let _ = self.blocked.push(blocked);
        true
    }

    /// A call did not block; the answer is the one that did, before it.
    fn unblocks(&mut self, side: Side, of: Option<Conversation>) -> Option<Call> {
        let mut blocked = self.blocked.iter();
        let at = blocked.position(|(at, conversation, _)| (*at, *conversation) == (side, of))?;
        let (_, _, call) = self.blocked.remove(at);
        Some(call)
    }

    pub(super) fn timer(&mut self, place: Place, timer: Timer, change: TimerChange) {
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
                // That an acknowledgment is late is no news where data streams.
                let item = match timer {
                    Timer::DelayedAck => Item::Minor,
                    _ => Item::Other,
                };
                self.note(place, Paint::Timer, text, item);
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
                    Timer::TimeWait => Text::new(format_args!("TIME-WAIT ends in {after}")),
                    Timer::User => Text::new(format_args!("gives up in {after}")),
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
                    let text = self.tagged(of, format_args!("{}", cell.text.as_str()));
                    self.note(place, Paint::Timer, text, Item::Minor);
                }
            }
        }
    }
}
