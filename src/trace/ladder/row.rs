//! One row of a ladder, and how it is drawn.

use core::fmt::{self, Write};
use core::time::Duration;

use super::flight::Digest;
use super::layout::Layout;
use super::style::{Glyphs, Paint};
use super::text::{Span, Text, clipped};

/// One of the two lifelines.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Side {
    /// The left one.
    Left,
    /// The right one.
    Right,
}

impl Side {
    pub(super) fn other(self) -> Side {
        match self {
            Side::Left => Side::Right,
            Side::Right => Side::Left,
        }
    }

    pub(super) fn index(self) -> usize {
        self as usize
    }
}

/// Painted text.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Cell {
    pub(super) text: Text,
    pub(super) paint: Paint,
}

impl Cell {
    pub(super) fn new(paint: Paint, arguments: fmt::Arguments<'_>) -> Cell {
        Cell {
            text: Text::new(arguments),
            paint,
        }
    }
}

impl Cell {
    /// Adds `cell`, where both are not wider than `width`; else gives it back.
    pub(super) fn join(&mut self, cell: Cell, width: usize) -> Option<Cell> {
        if self.text.is_empty() && cell.text.width() <= width {
            *self = cell;
        } else if !self.text.is_empty() && self.text.width() + 2 + cell.text.width() <= width {
            self.text.push(format_args!(", {}", cell.text.as_str()));
        } else {
            return Some(cell);
        }
        None
    }
}

/// What became of a frame.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Fate {
    Arrived,
    /// Given up on the way, with the word for it.
    Lost(&'static str),
    /// Not told.
    Unknown,
}

/// A frame on its way.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Arrow {
    pub(super) from: Side,
    pub(super) label: Cell,
    pub(super) fate: Fate,
    /// How long it took, where that is known.
    pub(super) flight: Duration,
    /// Which it is.
    pub(super) digest: Digest,
}

/// What stands between the lifelines.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) enum Middle {
    #[default]
    Empty,
    Arrow(Arrow),
    /// What the host on this side did or had.
    Note(Side, Cell),
    /// What concerns both sides.
    Both(Cell),
}

/// A row, before it is drawn.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Row {
    /// Since the first event; `None` leaves the column empty.
    pub(super) time: Option<Duration>,
    /// Beside the lifelines: left, right.
    pub(super) cells: [Cell; 2],
    pub(super) middle: Middle,
}

impl Row {
    pub(super) fn new(time: Duration, middle: Middle) -> Row {
        Row {
            time: Some(time),
            cells: Default::default(),
            middle,
        }
    }
}

/// Writes rows to `out`.
#[derive(Debug)]
pub(super) struct Pen<'w, W> {
    pub(super) out: &'w mut W,
    pub(super) layout: &'w Layout,
    pub(super) glyphs: &'static Glyphs,
    pub(super) ascii: bool,
    pub(super) colour: bool,
}

impl<W: Write> Pen<'_, W> {
    /// Draws `row` without the line's end; `last` is the time of the row above.
    pub(super) fn row(&mut self, row: &Row, last: Option<Duration>) -> fmt::Result {
        if let Middle::Both(cell) = &row.middle
            && cell.text.width() + 2 > self.layout.middle
        {
            return self.title(cell);
        }
        self.times(row.time, last)?;
        let side = self.layout.side;
        let [left, right] = &row.cells;
        let text = clipped(left.text.as_str(), side, self.glyphs.ellipsis);
        self.gap(side - text.width())?;
        self.paint(left.paint, text.as_str())?;
        let (mut left_line, mut right_line) = (self.glyphs.line, self.glyphs.line);
        if let Middle::Arrow(arrow) = &row.middle {
            match arrow.from {
                Side::Left => left_line = self.glyphs.from_left,
                Side::Right => right_line = self.glyphs.from_right,
            }
        }
        write!(self.out, " {left_line}")?;
        self.middle(&row.middle)?;
        write!(self.out, "{right_line}")?;
        let text = clipped(right.text.as_str(), side, self.glyphs.ellipsis);
        if !text.is_empty() {
            self.out.write_char(' ')?;
            self.paint(right.paint, text.as_str())?;
        }
        Ok(())
    }

    /// The names of the columns and of the two ends.
    pub(super) fn header(&mut self, names: [&str; 2]) -> fmt::Result {
        let Layout {
            time,
            side,
            middle,
            width,
            ..
        } = *self.layout;
        let mut titles = Text::default();
        titles.push(format_args!(
            "{:>time$} {:>since$}",
            "time",
            "since",
            since = Layout::SINCE
        ));
        self.paint(Paint::Dim, titles.as_str())?;
        self.out.write_char(' ')?;
        // A name stands at its lifeline: outside where the calls are too, else astride.
        let reach = if self.layout.notes_outside() {
            0
        } else {
            middle / 2 - 1
        };
        let left = clipped(names[0], side + reach, self.glyphs.ellipsis);
        let right = clipped(names[1], side + reach, self.glyphs.ellipsis);
        let (left_start, right_start) = match reach {
            0 => (side - left.width(), side + middle + 4),
            _ => {
                let line = self.layout.left_line() - time - Layout::SINCE - 2;
                let other = line + middle + 1;
                let most = width - time - Layout::SINCE - 2;
                let left_start = line.saturating_sub(left.width() / 2);
                let right_start = other
                    .saturating_sub(right.width() / 2)
                    .min(most - right.width());
                (left_start, right_start)
            }
        };
        self.gap(left_start)?;
        self.paint(Paint::Name, left.as_str())?;
        self.gap(right_start.saturating_sub(left_start + left.width()).max(1))?;
        self.paint(Paint::Name, right.as_str())
    }

    /// What is too wide for the middle: across the lifelines.
    fn title(&mut self, cell: &Cell) -> fmt::Result {
        let text = clipped(cell.text.as_str(), self.layout.width, self.glyphs.ellipsis);
        let centre = self.layout.left_line() + self.layout.middle / 2;
        let before = centre.saturating_sub(text.width() / 2);
        self.gap(before.min(self.layout.width - text.width()))?;
        self.paint(cell.paint, text.as_str())
    }

    fn times(&mut self, time: Option<Duration>, last: Option<Duration>) -> fmt::Result {
        let (width, since_width) = (self.layout.time, Layout::SINCE);
        let (mut text, mut since) = (Text::default(), Text::default());
        if let Some(time) = time {
            let (seconds, micros) = (time.as_secs(), time.subsec_micros());
            let (millis, rest) = (micros / 1_000, micros % 1_000);
            match (self.layout.has_micros(), rest) {
                (false, _) => text.push(format_args!("{seconds:>3}.{millis:03}")),
                (true, 0) => text.push(format_args!("{seconds:>4}.{millis:03}   ")),
                (true, _) => text.push(format_args!("{seconds:>4}.{micros:06}")),
            }
            if text.width() > width {
                text = Text::new(format_args!("{seconds}"));
            }
            let last = last.unwrap_or(time);
            // What was sent before the row above happened is told when it arrives.
            let (sign, passed) = match time.checked_sub(last) {
                Some(passed) => ('+', self.span(passed)),
                None => ('-', self.span(last - time)),
            };
            let fitting =
                [2, 1, 0].map(|figures| Text::new(format_args!("{sign}{passed:.figures$}")));
            let fitting = fitting.into_iter().find(|text| text.width() <= since_width);
            since = fitting.filter(|_| time != last).unwrap_or_default();
        }
        let text = clipped(text.as_str(), width, self.glyphs.ellipsis);
        let text = Text::new(format_args!(
            "{:>width$} {:>since_width$} ",
            text.as_str(),
            since.as_str()
        ));
        self.paint(Paint::Dim, text.as_str())
    }

    fn middle(&mut self, middle: &Middle) -> fmt::Result {
        let width = self.layout.middle;
        match middle {
            Middle::Empty => self.gap(width),
            Middle::Arrow(arrow) => self.arrow(arrow),
            Middle::Note(side, cell) => {
                let text = clipped(cell.text.as_str(), width - 2, self.glyphs.ellipsis);
                let rest = width - text.width() - 1;
                let (before, after) = match side {
                    Side::Left => (1, rest),
                    Side::Right => (rest, 1),
                };
                self.gap(before)?;
                self.paint(cell.paint, text.as_str())?;
                self.gap(after)
            }
            Middle::Both(cell) => {
                let text = clipped(cell.text.as_str(), width - 2, self.glyphs.ellipsis);
                let before = (width - text.width()) / 2;
                self.gap(before)?;
                self.paint(cell.paint, text.as_str())?;
                self.gap(width - before - text.width())
            }
        }
    }

    /// `─ label ───── 10ms ─►`, or its mirror image.
    fn arrow(&mut self, arrow: &Arrow) -> fmt::Result {
        let Glyphs {
            shaft,
            lost,
            unknown,
            ..
        } = *self.glyphs;
        let width = self.layout.middle;
        // What stands at the far end, in the order in which the arrow flies.
        let mut far = Text::default();
        let mut blank = 0;
        match arrow.fate {
            Fate::Arrived => {
                if !arrow.flight.is_zero() {
                    far.push(format_args!("{}", self.span(arrow.flight)));
                }
            }
            Fate::Lost(word) => {
                far.push(format_args!("{lost} {word}"));
                blank = 3;
            }
            Fate::Unknown => {}
        }
        // "─ label " and at least one of the shaft and the head.
        let room = width - 5;
        let needs_far = matches!(arrow.fate, Fate::Lost(_));
        let label_room = match needs_far {
            true => room.saturating_sub(far.width()),
            false => room,
        };
        let label = clipped(arrow.label.text.as_str(), label_room, self.glyphs.ellipsis);
        let used = label.width() + 3;
        let mut tail = if far.is_empty() { 0 } else { far.width() + 3 };
        if !needs_far && used + tail + 2 > width {
            far = Text::default();
            tail = 0;
        }
        if needs_far {
            tail = far.width() + 1;
            blank = blank.min(width.saturating_sub(used + tail + 1));
        }
        let head = usize::from(!needs_far);
        let fill = width - used - tail - head - blank;
        let paint = match arrow.fate {
            Fate::Lost(_) => Paint::Lost,
            _ => arrow.label.paint,
        };
        let label_paint = arrow.label.paint;
        let shaft = if arrow.fate == Fate::Unknown {
            unknown
        } else {
            shaft
        };
        match arrow.from {
            Side::Left => {
                self.shaft(paint, shaft, 1)?;
                self.out.write_char(' ')?;
                self.paint(label_paint, label.as_str())?;
                self.out.write_char(' ')?;
                self.shaft(paint, shaft, fill)?;
                if needs_far {
                    self.out.write_char(' ')?;
                    self.paint(Paint::Lost, far.as_str())?;
                    self.gap(blank)
                } else {
                    if !far.is_empty() {
                        self.out.write_char(' ')?;
                        self.paint(Paint::Dim, far.as_str())?;
                        self.out.write_char(' ')?;
                        self.shaft(paint, shaft, 1)?;
                    }
                    self.shaft(paint, self.glyphs.right, 1)
                }
            }
            Side::Right => {
                if needs_far {
                    self.gap(blank)?;
                    // Mirrored, so that the break is where the arrow ends.
                    if let Fate::Lost(word) = arrow.fate {
                        let mut mirrored = Text::default();
                        mirrored.push(format_args!("{word} {lost}"));
                        self.paint(Paint::Lost, mirrored.as_str())?;
                    }
                    self.out.write_char(' ')?;
                } else {
                    self.shaft(paint, self.glyphs.left, 1)?;
                    if !far.is_empty() {
                        self.shaft(paint, shaft, 1)?;
                        self.out.write_char(' ')?;
                        self.paint(Paint::Dim, far.as_str())?;
                        self.out.write_char(' ')?;
                    }
                }
                self.shaft(paint, shaft, fill)?;
                self.out.write_char(' ')?;
                self.paint(label_paint, label.as_str())?;
                self.out.write_char(' ')?;
                self.shaft(paint, shaft, 1)
            }
        }
    }

    fn span(&self, duration: Duration) -> Span {
        Span {
            duration,
            ascii: self.ascii,
        }
    }

    fn shaft(&mut self, paint: Paint, glyph: char, count: usize) -> fmt::Result {
        self.painted(paint, |out| {
            (0..count).try_for_each(|_| out.write_char(glyph))
        })
    }

    fn gap(&mut self, width: usize) -> fmt::Result {
        write!(self.out, "{:width$}", "")
    }

    pub(super) fn paint(&mut self, paint: Paint, text: &str) -> fmt::Result {
        self.painted(paint, |out| out.write_str(text))
    }

    fn painted(&mut self, paint: Paint, draw: impl Fn(&mut W) -> fmt::Result) -> fmt::Result {
        match paint.sgr().filter(|_| self.colour) {
            None => draw(self.out),
            Some(sgr) => {
                write!(self.out, "\x1b[{sgr}m")?;
                draw(self.out)?;
                self.out.write_str("\x1b[m")
            }
        }
    }
}
