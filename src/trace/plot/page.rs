//! The page: a title, the drawing between its axes, a legend. What there is no room for is left out.

use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;
use core::fmt::{self, Write};

use super::Options;
use super::axis::{SequenceAxis, Tick, TimeAxis};
use super::canvas::Canvas;
use super::connection::{Connection, Way};
use super::label::{OCTETS, TIMES, TIMES_ASCII, quantity};
use super::stroke::Kind;
use super::style::{ASCII, Glyphs, Mark, UTF_8};
use crate::trace::ladder::style::Paint;

/// Rows of the drawing that a title, a legend and axes leave it.
const FEWEST_ROWS: usize = 4;
/// Columns of the drawing that axes leave it.
const FEWEST_COLUMNS: usize = 16;
/// The time axis, and the labels below it.
const AXIS: usize = 2;

/// A page for one direction of a connection.
pub(super) struct Page<'p> {
    options: &'p Options,
    glyphs: &'static Glyphs,
}

impl<'p> Page<'p> {
    pub(super) fn new(options: &'p Options) -> Page<'p> {
        Page {
            options,
            glyphs: if options.ascii { &ASCII } else { &UTF_8 },
        }
    }

    fn width(&self) -> usize {
        self.options.width.clamp(1, Options::WIDEST)
    }

    /// There is nothing to be drawn, and why.
    pub(super) fn nothing(&self, f: &mut fmt::Formatter<'_>, why: &str) -> fmt::Result {
        self.write(f, &[(why, Paint::Plain)])
    }

    pub(super) fn draw(&self, f: &mut fmt::Formatter<'_>, connection: &Connection) -> fmt::Result {
        let (source, destination, way) = connection.way(self.options.sender);
        let number = connection.number;
        let ends = format!("tcp {number}  {source} {} {destination}", self.glyphs.to());
        let Some((low, high)) = extent(way) else {
            return self.nothing(f, &format!("{ends}  nothing was sent"));
        };
        let times = times_of(way);
        let last = times.last().copied().unwrap_or(0);
        let title = format!(
            "{ends}  {} in {}",
            quantity(OCTETS, way.octets),
            quantity(self.time_units(), last),
        );

        let height = self.options.height.clamp(1, Options::HIGHEST);
        // The more rows, the longer the numbers: there are no longer ones than these.
        let numbers = SequenceAxis::new(low, high, height).ticks();
        let margin = numbers.iter().map(|tick| columns_of(&tick.label)).max();
        // A space, and the axis itself.
        let beside = margin.unwrap_or(0) + 2;
        let has_axes = height >= FEWEST_ROWS + AXIS && self.width() >= FEWEST_COLUMNS + beside;
        let left = if has_axes { beside } else { 0 };
        let columns = self.width() - left;
        let time_axis = TimeAxis::new(&times, columns, self.options.linear, self.options.ascii);

        let mut rows = height - if has_axes { AXIS } else { 0 };
        let has_title = rows > FEWEST_ROWS;
        rows -= usize::from(has_title);
        let legend = self.legend(way, high, &time_axis);
        let has_legend = rows >= FEWEST_ROWS + legend.len();
        rows -= if has_legend { legend.len() } else { 0 };
        let sequence_axis = SequenceAxis::new(low, high, rows);
        let canvas = Canvas::draw(way, &time_axis, &sequence_axis, columns, rows);

        if has_title {
            self.write(f, &[(&title, Paint::Name)])?;
        }
        self.rows(f, left, &sequence_axis, &canvas)?;
        if has_axes {
            self.time_axis(f, left, &time_axis, &canvas)?;
        }
        if has_legend {
            for line in &legend {
                self.write(f, &line.as_slices())?;
            }
        }
        Ok(())
    }

    /// The drawing, with its numbers in the `left` columns, if there are such.
    fn rows(
        &self,
        f: &mut fmt::Formatter<'_>,
        left: usize,
        axis: &SequenceAxis,
        canvas: &Canvas,
    ) -> fmt::Result {
        let numbers = axis.ticks();
        for row in (0..canvas.rows).rev() {
            let axis = match numbers.iter().find(|tick| tick.place == row) {
                _ if left == 0 => String::new(),
                Some(tick) => {
                    let margin = left - 2;
                    format!("{:>margin$} {}", tick.label, self.glyphs.sequence_tick)
                }
                None => {
                    let margin = left - 1;
                    format!("{:margin$}{}", "", self.glyphs.sequence_axis)
                }
            };
            let mut pieces = Pieces::default();
            pieces.push_str(&axis, Paint::Dim);
            for (glyph, mark) in canvas.row(row, self.glyphs) {
                pieces.push(glyph, mark.paint());
            }
            self.write(f, &pieces.as_slices())?;
        }
        Ok(())
    }

    fn time_axis(
        &self,
        f: &mut fmt::Formatter<'_>,
        left: usize,
        axis: &TimeAxis,
        canvas: &Canvas,
    ) -> fmt::Result {
        let glyphs = self.glyphs;
        let ticks = self.with_room(axis.ticks(), left);
        let cuts: Vec<usize> = axis.cuts().map(|(column, _)| column).collect();
        let mut pieces = Pieces::default();
        let corner = format!("{:1$}{2}", "", left - 1, glyphs.corner);
        pieces.push_str(&corner, Paint::Dim);
        for (column, has_fired) in canvas.timeouts.iter().enumerate() {
            let is_tick = ticks.iter().any(|(tick, _)| tick.place == column);
            if *has_fired {
                pieces.push(glyphs.mark(Mark::Timeout), Mark::Timeout.paint());
            } else if cuts.contains(&column) {
                pieces.push(glyphs.mark(Mark::Cut), Mark::Cut.paint());
            } else if is_tick {
                pieces.push(glyphs.time_tick, Paint::Dim);
            } else {
                pieces.push(glyphs.time_axis, Paint::Dim);
            }
        }
        self.write(f, &pieces.as_slices())?;

        let mut labels = String::new();
        for (tick, start) in &ticks {
            let gap = start - columns_of(&labels);
            labels.extend(core::iter::repeat_n(' ', gap));
            labels.push_str(&tick.label);
        }
        self.write(f, &[(&labels, Paint::Dim)])
    }

    /// The ticks whose labels have room, each with where its label begins: centred below it, as far as the page reaches.
    fn with_room(&self, ticks: Vec<Tick>, left: usize) -> Vec<(Tick, usize)> {
        let mut free = 0;
        let mut placed = Vec::new();
        for tick in ticks {
            let width = columns_of(&tick.label);
            let Some(rightmost) = self.width().checked_sub(width) else {
                continue;
            };
            let start = (left + tick.place).saturating_sub(width / 2).min(rightmost);
            if start >= free {
                free = start + width + 1;
                placed.push((tick, start));
            }
        }
        placed
    }

    /// What stands for what, of that which there is; as many lines as it takes.
    fn legend(&self, way: &Way, high: i64, axis: &TimeAxis) -> Vec<Pieces> {
        let has = |kind| way.strokes.iter().any(|stroke| stroke.kind == kind);
        let marks = [
            (Mark::Data, has(Kind::Data)),
            (Mark::Retransmission, has(Kind::Retransmission)),
            (Mark::Lost, has(Kind::Lost)),
            (Mark::Timeout, has(Kind::Timeout)),
            (Mark::Acknowledged, way.acknowledged.last().is_some()),
            (Mark::DuplicateAck, has(Kind::DuplicateAck)),
            (Mark::LostAck, has(Kind::LostAck)),
            (
                Mark::Window,
                way.window.iter().any(|(_, edge)| edge <= high),
            ),
        ];
        let there = marks.into_iter().filter(|(_, is_there)| *is_there);
        let mut items: Vec<(Mark, String)> = there
            .map(|(mark, _)| (mark, mark.name().to_string()))
            .collect();
        let cuts: Vec<String> = axis
            .cuts()
            .map(|(_, pause)| quantity(self.time_units(), pause).to_string())
            .collect();
        if !cuts.is_empty() {
            let name = Mark::Cut.name();
            items.push((Mark::Cut, format!("{} {name}", cuts.join(", "))));
        }

        let mut lines: Vec<Pieces> = Vec::new();
        for (mark, name) in items {
            let glyph = self.glyphs.mark(mark);
            let width = columns_of(&name) + 2;
            let gap = 2;
            let line = match lines.last_mut() {
                Some(line) if line.columns() + gap + width <= self.width() => {
                    line.push_str("  ", Paint::Plain);
                    line
                }
                _ => {
                    lines.push(Pieces::default());
                    let Some(line) = lines.last_mut() else {
                        break;
                    };
                    line
                }
            };
            line.push(glyph, mark.paint());
            line.push_str(" ", Paint::Plain);
            line.push_str(&name, Paint::Dim);
        }
        lines
    }

    fn time_units(&self) -> &'static [(u64, &'static str)] {
        if self.options.ascii {
            TIMES_ASCII
        } else {
            TIMES
        }
    }

    /// A line: cut to the page's width, without what is blank at its end.
    fn write(&self, f: &mut fmt::Formatter<'_>, pieces: &[(&str, Paint)]) -> fmt::Result {
        let columns: usize = pieces.iter().map(|(text, _)| columns_of(text)).sum();
        let is_long = columns > self.width();
        let mut room = self.width() - usize::from(is_long);
        let filled = pieces
            .iter()
            .rposition(|(text, _)| !text.trim_end().is_empty())
            .map_or(0, |last| last + 1);
        for (i, (text, paint)) in pieces.iter().take(filled).enumerate() {
            let text = if i + 1 == filled {
                text.trim_end()
            } else {
                text
            };
            let end = text
                .char_indices()
                .nth(room)
                .map_or(text.len(), |(at, _)| at);
            let text = text.get(..end).unwrap_or_default();
            room -= columns_of(text).min(room);
            match paint
                .sgr()
                .filter(|_| self.options.colour && !text.is_empty())
            {
                Some(sgr) => write!(f, "\x1b[{sgr}m{text}\x1b[m")?,
                None => f.write_str(text)?,
            }
        }
        if is_long {
            f.write_char(self.glyphs.ellipsis())?;
        }
        f.write_char('\n')
    }
}

/// A line's text, where each piece has one colour.
#[derive(Debug, Default)]
struct Pieces(Vec<(String, Paint)>);

impl Pieces {
    fn push(&mut self, character: char, paint: Paint) {
        match self.0.last_mut() {
            Some((text, last)) if *last == paint => text.push(character),
            _ => self.0.push((character.to_string(), paint)),
        }
    }

    fn push_str(&mut self, text: &str, paint: Paint) {
        text.chars()
            .for_each(|character| self.push(character, paint));
    }

    fn columns(&self) -> usize {
        self.0.iter().map(|(text, _)| columns_of(text)).sum()
    }

    fn as_slices(&self) -> Vec<(&str, Paint)> {
        self.0
            .iter()
            .map(|(text, paint)| (text.as_str(), *paint))
            .collect()
    }
}

/// Columns on a terminal: every glyph that is used here takes one.
fn columns_of(text: &str) -> usize {
    text.chars().count()
}

/// The sequence numbers that are drawn: those of what was sent and acknowledged. A window that reaches further would press
/// the rest down.
fn extent(way: &Way) -> Option<(i64, i64)> {
    let strokes = way.strokes.iter();
    let strokes = strokes.map(|stroke| (stroke.low, stroke.high));
    let acknowledged = way.acknowledged.iter().map(|(_, octet)| (octet, octet));
    let extents = strokes.chain(acknowledged);
    extents
        .reduce(|(low, high), (other_low, other_high)| (low.min(other_low), high.max(other_high)))
}

/// When something happened, in order and each time once; the connection began at 0.
fn times_of(way: &Way) -> Vec<u64> {
    let mut times = Vec::from([0]);
    times.extend(way.strokes.iter().map(|stroke| stroke.time));
    times.extend(way.acknowledged.iter().map(|(time, _)| time));
    times.extend(way.window.iter().map(|(time, _)| time));
    times.sort_unstable();
    times.dedup();
    times
}
