//! Runs of the same thing, folded into one row.

use super::layout::Layout;
use super::row::{Cell, Middle, Row, Side};
use super::style::{Glyphs, Paint};
use super::text::{Grouped, Text};
use super::told::Conversation;

/// A row, as far as folding is concerned.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Item {
    /// New data that arrived, of so many octets; nothing is remarkable about it.
    Data { from: Side, len: u32 },
    /// A datagram that arrived.
    Datagram { from: Side, len: u32 },
    /// A pure acknowledgment.
    Acknowledgment { from: Side },
    /// A duplicate acknowledgment after the third.
    Duplicate { from: Side },
    /// The application gave data, or took some.
    Transfer { side: Side, gives: bool },
    /// Worth a row, but not the end of a run.
    Minor,
    /// Anything else: it ends the run.
    Other,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Data,
    Datagrams,
}

/// What to do with a row.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Verdict {
    Draw,
    /// Draw what was folded so far, then the row.
    EndThenDraw,
    Fold,
}

/// A run of data in one direction.
#[derive(Debug, Default)]
pub(super) struct Run {
    is: Option<(Kind, Side)>,
    of: Option<Conversation>,
    /// There are others among it.
    is_mixed: bool,
    /// Rows of it that were drawn.
    drawn: u32,
    folded: u64,
    octets: u64,
    acknowledgments: u64,
    duplicates: u64,
    /// Calls on each side.
    transfers: [u64; 2],
    /// The run that was before went the same way: nothing new is to be seen at the beginning of this one.
    resumes: Option<(Kind, Side)>,
    /// The first that was folded: alone it is not worth folding.
    first: Option<Row>,
}

/// So many rows of a run are drawn before the rest is folded, and so many where it goes on after something else.
const DRAWN: u32 = 4;
const DRAWN_AGAIN: u32 = 1;

impl Run {
    /// What becomes of `row`.
    pub(super) fn offer(&mut self, item: Item, of: Option<Conversation>, row: &Row) -> Verdict {
        match item {
            Item::Data { from, len } => self.segment((Kind::Data, from), len, of, row),
            Item::Datagram { from, len } => self.segment((Kind::Datagrams, from), len, of, row),
            Item::Acknowledgment { from } => {
                let is_of = self.is == Some((Kind::Data, from.other()));
                self.aside(is_of, |run| run.acknowledgments += 1)
            }
            Item::Duplicate { from } => {
                let is_of = self.is == Some((Kind::Data, from.other()));
                self.aside(is_of, |run| run.duplicates += 1)
            }
            Item::Transfer { side, gives } => {
                let is_of = self.is.is_some_and(|(_, from)| (from == side) == gives);
                self.aside(is_of, |run| run.transfers[side.index()] += 1)
            }
            Item::Minor if self.folded > 0 => Verdict::Fold,
            Item::Minor => Verdict::Draw,
            Item::Other => Verdict::EndThenDraw,
        }
    }

    fn segment(
        &mut self,
        is: (Kind, Side),
        len: u32,
        of: Option<Conversation>,
        row: &Row,
    ) -> Verdict {
        if self.is != Some(is) {
            // What is folded is still to be told; `end` clears it, `begin` comes after.
            return Verdict::EndThenDraw;
        }
        let drawn = if self.resumes == Some(is) {
            DRAWN_AGAIN
        } else {
            DRAWN
        };
        if self.drawn < drawn {
            self.drawn += 1;
            return Verdict::Draw;
        }
        if self.folded == 0 {
            self.first = Some(row.clone());
        }
        self.is_mixed |= self.of != of;
        self.folded += 1;
        self.octets += u64::from(len);
        Verdict::Fold
    }

    /// What belongs to a run but does not make one: drawn as long as nothing is folded.
    fn aside(&mut self, is_of: bool, count: impl Fn(&mut Run)) -> Verdict {
        match (is_of, self.folded) {
            (true, 0) => Verdict::Draw,
            (true, _) => {
                count(self);
                Verdict::Fold
            }
            (false, _) => Verdict::EndThenDraw,
        }
    }

    /// The run that `item` begins, after [`end`](Run::end).
    pub(super) fn begin(&mut self, item: Item, of: Option<Conversation>) {
        self.of = of;
        self.is = match item {
            Item::Data { from, .. } => Some((Kind::Data, from)),
            Item::Datagram { from, .. } => Some((Kind::Datagrams, from)),
            _ => None,
        };
        self.drawn = u32::from(self.is.is_some());
    }

    /// Ends the run.
    pub(super) fn end(&mut self) {
        let resumes = if self.folded > 0 {
            self.is
        } else {
            self.resumes
        };
        *self = Run {
            resumes,
            ..Run::default()
        };
    }

    /// Whether a live reader wants to see the count.
    pub(super) fn is_worth_telling(&self) -> bool {
        self.folded < 64 || self.folded.is_multiple_of(64)
    }

    /// What is folded so far.
    pub(super) fn row(&self, glyphs: &Glyphs, layout: &Layout, tells_streams: bool) -> Option<Row> {
        let (kind, from) = self.is.filter(|_| self.folded > 0)?;
        let asides = self.acknowledgments + self.duplicates + self.transfers[0] + self.transfers[1];
        if self.folded + asides == 1 {
            return self.first.clone();
        }
        let (what, short) = match kind {
            Kind::Data => ("data segments", "segments"),
            Kind::Datagrams => ("datagrams", "datagrams"),
        };
        let mut more = Text::default();
        if let Some(of) = self.of.filter(|_| tells_streams && !self.is_mixed) {
            more.push(format_args!("#{} ", of.number));
        }
        more.push(format_args!("{}", glyphs.more));
        let (more, count) = (more.as_str(), Grouped(self.folded));
        let octets = Grouped(self.octets);
        let wordings = [
            Text::new(format_args!("{more} {count} more {what}, {octets} bytes")),
            Text::new(format_args!("{more} {count} more {short}, {octets} bytes")),
            Text::new(format_args!("{more} {count} more, {octets} bytes")),
        ];
        let [.., shortest] = &wordings;
        let fitting = wordings
            .iter()
            .find(|text| text.width() + 2 <= layout.middle);
        let mut row = Row {
            middle: Middle::Both(Cell {
                text: fitting.unwrap_or(shortest).clone(),
                paint: Paint::Dim,
            }),
            ..Row::default()
        };
        let counts = |side: Side| match side == from {
            true => [("send", self.transfers[side.index()]), ("", 0), ("", 0)],
            false => [
                ("ACK", self.acknowledgments),
                ("dup ACK", self.duplicates),
                ("recv", self.transfers[side.index()]),
            ],
        };
        for side in [Side::Left, Side::Right] {
            let cell = &mut row.cells[side.index()];
            cell.paint = Paint::Dim;
            for (name, count) in counts(side).into_iter().filter(|(_, count)| *count > 0) {
                let gap = if cell.text.is_empty() { "" } else { ", " };
                let text = Text::new(format_args!(
                    "{gap}{name} {}{}",
                    glyphs.times,
                    Grouped(count)
                ));
                // What does not fit is left out; the first matters most.
                if cell.text.width() + text.width() <= layout.side {
                    cell.text.push(format_args!("{}", text.as_str()));
                }
            }
        }
        Some(row)
    }
}
