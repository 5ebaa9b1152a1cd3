//! Rows in their order: the header above, the last one open for what comes to stand beside it, runs folded.

use core::fmt::{self, Write};
use core::time::Duration;

use super::Options;
use super::layout::Layout;
use super::row::{Cell, Middle, Pen, Row, Side};
use super::run::{Item, Run, Verdict};
use super::style::{ASCII, Glyphs, UTF_8};
use super::text::Line;
use super::told::Conversation;

/// The last row, to which the next event may still add.
#[derive(Debug)]
pub(super) struct Open {
    pub(super) row: Row,
    pub(super) of: Option<Conversation>,
    /// When what it tells was over: an arrow's arrival.
    pub(super) until: Duration,
    /// It tells what was folded: nothing stands beside it.
    is_folded: bool,
    /// It is on the terminal, as it was.
    is_drawn: bool,
    /// The time of the row above.
    last: Option<Duration>,
}

#[derive(Debug)]
pub(super) struct Page<W> {
    pub(super) out: W,
    pub(super) layout: Layout,
    pub(super) glyphs: &'static Glyphs,
    pub(super) options: Options,
    /// Rows say which TCP stream they are of.
    pub(super) tells_streams: bool,
    names: [&'static str; 2],
    is_begun: bool,
    open: Option<Open>,
    last: Option<Duration>,
    /// The time of the last row that was folded.
    folded: Option<Duration>,
    run: Run,
    /// The first error of `out`; nothing is written after it.
    pub(super) result: fmt::Result,
}

impl<W: Write> Page<W> {
    pub(super) fn new(out: W, names: [&'static str; 2], options: Options) -> Self {
        Page {
            out,
            layout: Layout::new(options.width),
            glyphs: if options.ascii { &ASCII } else { &UTF_8 },
            options,
            tells_streams: false,
            names,
            is_begun: false,
            open: None,
            last: None,
            folded: None,
            run: Run::default(),
            result: Ok(()),
        }
    }

    /// The next row; what it tells was over at `until`.
    pub(super) fn put(&mut self, row: Row, item: Item, of: Option<Conversation>, until: Duration) {
        match self.run.offer(item, of, &row) {
            Verdict::Draw => {}
            Verdict::EndThenDraw => {
                self.end_run();
                self.run.begin(item, of);
            }
            Verdict::Fold => return self.fold(row.time, until),
        }
        self.begin(row, of, until, false);
    }

    /// What the host on `side` did or had: outside its lifeline, or where that is too narrow, inside.
    pub(super) fn note(&self, side: Side, cell: Cell, time: Duration) -> Row {
        let mut row = Row::new(time, Middle::Empty);
        if self.layout.notes_outside() {
            row.cells[side.index()] = cell;
        } else {
            row.middle = Middle::Note(side, cell);
        }
        row
    }

    /// Puts `cell` beside the open row, if that is of the same conversation and moment and has the room; else gives it back.
    pub(super) fn beside(
        &mut self,
        side: Side,
        cell: Cell,
        of: Option<Conversation>,
        time: Duration,
    ) -> Option<Cell> {
        let width = self.layout.side;
        let Some(open) = self.open.as_mut().filter(|open| !open.is_folded) else {
            return Some(cell);
        };
        let place = &mut open.row.cells[side.index()];
        // A sender's moment is that of sending, which is the row's; a receiver's is that of arrival.
        let (is_arrow, is_sender) = match &open.row.middle {
            Middle::Arrow(arrow) => (true, arrow.from == side && open.row.time == Some(time)),
            _ => (false, false),
        };
        let is_then = open.until == time || is_sender;
        if open.of != of || !is_then || !(is_arrow || place.text.is_empty()) {
            return Some(cell);
        }
        let rest = place.join(cell, width);
        if rest.is_none() {
            self.redraw();
        }
        rest
    }

    /// The row that may still be added to.
    pub(super) fn open(&self) -> Option<&Open> {
        self.open.as_ref().filter(|open| !open.is_folded)
    }

    /// Adds to the open row.
    pub(super) fn amend(&mut self, amend: impl FnOnce(&mut Open)) {
        if let Some(open) = &mut self.open {
            amend(open);
            self.redraw();
        }
    }

    /// Writes out what is still open.
    pub(super) fn finish(&mut self) {
        self.end_run();
        self.close();
    }

    fn fold(&mut self, time: Option<Duration>, until: Duration) {
        self.folded = time.or(self.folded);
        let is_open = self.open.as_ref().is_some_and(|open| open.is_folded);
        if !self.options.live {
            self.close();
        } else if let Some(row) = self.folded() {
            match is_open {
                // A terminal need not be told of each.
                true if !self.run.is_worth_telling() => {}
                true => self.amend(|open| open.row = row),
                false => self.begin(row, None, until, true),
            }
        }
    }

    fn folded(&self) -> Option<Row> {
        self.run.row(self.glyphs, &self.layout, self.tells_streams)
    }

    fn end_run(&mut self) {
        let folded = self.folded();
        self.run.end();
        let Some(row) = folded else {
            return;
        };
        let until = self.folded.take();
        match self.options.live {
            true => self.amend(|open| open.row = row),
            false => self.begin(row, None, until.unwrap_or_default(), true),
        }
        self.close();
        self.last = until.or(self.last);
    }

    fn begin(&mut self, row: Row, of: Option<Conversation>, until: Duration, is_folded: bool) {
        self.close();
        if !self.is_begun {
            self.is_begun = true;
            let names = self.names;
            self.write(|pen| {
                pen.header(names)?;
                pen.out.write_char('\n')
            });
        }
        let last = self.last;
        self.last = row.time.or(last);
        self.open = Some(Open {
            row,
            of,
            until,
            is_folded,
            is_drawn: false,
            last,
        });
        self.redraw();
    }

    /// A live row is drawn when it begins, and again, in its place, when something is added.
    fn redraw(&mut self) {
        let Some(mut open) = self.open.take_if(|_| self.options.live) else {
            return;
        };
        let width = self.layout.width;
        let is_drawn = core::mem::replace(&mut open.is_drawn, true);
        self.write(|pen| {
            if is_drawn {
                write!(pen.out, "\r{:width$}\r", "")?;
            }
            pen.row(&open.row, open.last)
        });
        self.open = Some(open);
    }

    fn close(&mut self) {
        let Some(open) = self.open.take() else {
            return;
        };
        let is_live = self.options.live;
        self.write(|pen| {
            if !is_live {
                pen.row(&open.row, open.last)?;
            }
            pen.out.write_char('\n')
        });
    }

    /// A row is one write: what others print stays between rows, and a slow port is not asked letter by letter.
    fn write(&mut self, write: impl FnOnce(&mut Pen<'_, Line>) -> fmt::Result) {
        let mut line = Line::default();
        let drawn = write(&mut Pen {
            out: &mut line,
            layout: &self.layout,
            glyphs: self.glyphs,
            ascii: self.options.ascii,
            colour: self.options.colour,
        });
        self.result = self
            .result
            .and(drawn)
            .and_then(|()| self.out.write_str(line.as_str()));
    }
}
