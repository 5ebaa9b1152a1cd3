//! The plane between the axes, cell by cell.

use alloc::vec;
use alloc::vec::Vec;

use super::axis::{SequenceAxis, TimeAxis};
use super::connection::Way;
use super::stroke::{Kind, Steps};
use super::style::{Glyphs, Mark};

/// The quarters of a cell: below, and above by this much further.
const LEFT_BELOW: u8 = 1;
const ABOVE: u8 = 2;
/// From a cell's middle, this way, there is a piece of the line of what is acknowledged.
const LEFT: u8 = 1;
const RIGHT: u8 = 2;
const UP: u8 = 4;
const DOWN: u8 = 8;

/// What there is in a cell; of several things the first that is here is shown.
#[derive(Debug, Clone, Copy, Default)]
struct Cell {
    /// It is a cut's.
    is_cut: bool,
    /// The one to be shown of its marks.
    mark: Option<Mark>,
    /// The quarters with data, one bit each.
    data: u8,
    /// The line of what is acknowledged, one bit for each way that it goes.
    line: u8,
    /// The window's edge passes here.
    is_edge: bool,
}

/// The drawing, and in which of its columns a retransmission timer fired.
#[derive(Debug)]
pub(super) struct Canvas {
    columns: usize,
    pub(super) rows: usize,
    cells: Vec<Cell>,
    pub(super) timeouts: Vec<bool>,
}

impl Canvas {
    pub(super) fn draw(
        way: &Way,
        times: &TimeAxis,
        octets: &SequenceAxis,
        columns: usize,
        rows: usize,
    ) -> Canvas {
        let mut canvas = Canvas {
            columns,
            rows,
            cells: vec![Cell::default(); columns.saturating_mul(rows)],
            timeouts: vec![false; columns],
        };
        // Up to the octet before it, it is so.
        let row = |octet: i64| octets.half(octet.saturating_sub(1)) / 2;
        canvas.staircase(&way.window, times, row, |cell, _| cell.is_edge = true);
        canvas.staircase(&way.acknowledged, times, row, |cell, ways| {
            cell.line |= ways;
        });
        for stroke in way.strokes.iter() {
            let half = times.half(stroke.time);
            let (column, is_right) = (half / 2, half % 2);
            let mark = match stroke.kind {
                Kind::Data => None,
                Kind::Retransmission => Some(Mark::Retransmission),
                Kind::Lost => Some(Mark::Lost),
                Kind::LostAck => Some(Mark::LostAck),
                Kind::DuplicateAck => Some(Mark::DuplicateAck),
                Kind::Timeout => {
                    if let Some(timeout) = canvas.timeouts.get_mut(column) {
                        *timeout = true;
                    }
                    continue;
                }
            };
            let (first, last) = if stroke.low < stroke.high {
                (octets.half(stroke.low), octets.half(stroke.high - 1))
            } else {
                let half = 2 * row(stroke.low);
                (half, half)
            };
            for half in first..=last.min(2 * rows) {
                canvas.paint(column, half / 2, |cell| match mark {
                    None => cell.data |= LEFT_BELOW << is_right << (ABOVE * (half % 2) as u8),
                    Some(_) => cell.mark = cell.mark.max(mark),
                });
            }
        }
        for (column, _) in times.cuts() {
            for row in 0..rows {
                canvas.paint(column, row, |cell| cell.is_cut = true);
            }
        }
        canvas
    }

    /// Beyond the edges nothing is painted.
    fn paint(&mut self, column: usize, row: usize, paint: impl FnOnce(&mut Cell)) {
        if column < self.columns
            && row < self.rows
            && let Some(cell) = self.cells.get_mut(row * self.columns + column)
        {
            paint(cell);
        }
    }

    /// A line that goes on as it is from change to change, to the right edge. What is above the drawing is left out.
    fn staircase(
        &mut self,
        steps: &Steps,
        times: &TimeAxis,
        row: impl Fn(i64) -> usize,
        mut paint: impl FnMut(&mut Cell, u8),
    ) {
        let mut at: Option<(usize, usize)> = None;
        let changes = steps.iter().map(|(time, octet)| {
            let column = times.half(time) / 2;
            (column, row(octet).min(self.rows))
        });
        let changes: Vec<_> = changes.collect();
        for (column, row) in changes {
            if let Some((from, level)) = at {
                self.level(from, column, level, &mut paint);
                for below in level.min(row)..level.max(row) {
                    self.paint(column, below, |cell| paint(cell, UP));
                    self.paint(column, below + 1, |cell| paint(cell, DOWN));
                }
            }
            at = Some((column, row));
        }
        if let Some((from, level)) = at {
            self.level(from, self.columns.saturating_sub(1), level, &mut paint);
        }
    }

    fn level(&mut self, from: usize, to: usize, row: usize, paint: &mut impl FnMut(&mut Cell, u8)) {
        for column in from..to {
            self.paint(column, row, |cell| paint(cell, RIGHT));
            self.paint(column + 1, row, |cell| paint(cell, LEFT));
        }
    }

    /// A row, counted from below: what each cell shows.
    pub(super) fn row(&self, row: usize, glyphs: &Glyphs) -> impl Iterator<Item = (char, Mark)> {
        let first = row * self.columns;
        let cells = self.cells.get(first..first + self.columns);
        let cells = cells.unwrap_or_default().iter();
        cells.map(|cell| cell.shown(glyphs))
    }
}

impl Cell {
    fn shown(&self, glyphs: &Glyphs) -> (char, Mark) {
        let mark = self.mark;
        let hides_data = mark.filter(|mark| *mark > Mark::Data);
        match (hides_data, self.data, mark, self.line) {
            _ if self.is_cut => (glyphs.mark(Mark::Cut), Mark::Cut),
            (Some(mark), ..) => (glyphs.mark(mark), mark),
            (None, 1.., ..) => (glyphs.quarters(self.data), Mark::Data),
            (None, 0, Some(mark), _) => (glyphs.mark(mark), mark),
            (None, 0, None, 1..) => (glyphs.line(self.line), Mark::Acknowledged),
            (None, 0, None, 0) if self.is_edge => (glyphs.mark(Mark::Window), Mark::Window),
            (None, 0, None, 0) => (' ', Mark::Nothing),
        }
    }
}
