//! What a plot is drawn with. The marks and colours that a ladder has, too, are the same ones.

use crate::trace::ladder::style::{self, Paint};

/// What a cell shows. Of several marks in a cell the greatest is shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Mark {
    Nothing,
    Window,
    Acknowledged,
    DuplicateAck,
    LostAck,
    Data,
    Retransmission,
    Lost,
    Timeout,
    Cut,
}

impl Mark {
    /// What the legend calls it.
    pub(super) const fn name(self) -> &'static str {
        match self {
            Mark::Nothing => "",
            Mark::Window => "window",
            Mark::Acknowledged => "ACK",
            Mark::DuplicateAck => "dup ACK",
            Mark::LostAck => "lost ACK",
            Mark::Data => "data",
            Mark::Retransmission => "retransmission",
            Mark::Lost => "lost",
            Mark::Timeout => "RTO fired",
            Mark::Cut => "cut out",
        }
    }

    pub(super) const fn paint(self) -> Paint {
        match self {
            Mark::Nothing | Mark::Data => Paint::Plain,
            Mark::Window | Mark::Cut => Paint::Dim,
            Mark::Acknowledged => Paint::State,
            Mark::DuplicateAck => Paint::Call,
            Mark::Retransmission => Paint::Again,
            Mark::Lost | Mark::LostAck => Paint::Lost,
            Mark::Timeout => Paint::Timer,
        }
    }
}

/// The characters of a drawing; each takes one column.
#[derive(Debug)]
pub(super) struct Glyphs {
    shared: &'static style::Glyphs,
    /// By the quarters that are filled: left below 1, right below 2, left above 4, right above 8.
    quarters: [char; 16],
    /// By the ways that a line goes: left 1, right 2, up 4, down 8.
    lines: [char; 16],
    window: char,
    duplicate_ack: char,
    lost_ack: char,
    cut: char,
    pub(super) corner: char,
    pub(super) sequence_axis: char,
    pub(super) sequence_tick: char,
    pub(super) time_axis: char,
    pub(super) time_tick: char,
}

pub(super) const UTF_8: Glyphs = Glyphs {
    shared: &style::UTF_8,
    quarters: [
        ' ', '▖', '▗', '▄', '▘', '▌', '▚', '▙', '▝', '▞', '▐', '▟', '▀', '▛', '▜', '█',
    ],
    lines: [
        ' ', '─', '─', '─', '│', '┘', '└', '┴', '│', '┐', '┌', '┬', '│', '┤', '├', '┼',
    ],
    window: '·',
    duplicate_ack: '╪',
    lost_ack: '×',
    cut: '┊',
    corner: '└',
    sequence_axis: '│',
    sequence_tick: '┤',
    time_axis: '─',
    time_tick: '┬',
};

pub(super) const ASCII: Glyphs = Glyphs {
    shared: &style::ASCII,
    quarters: [
        ' ', '#', '#', '#', '#', '#', '#', '#', '#', '#', '#', '#', '#', '#', '#', '#',
    ],
    lines: [
        ' ', '-', '-', '-', '|', '+', '+', '+', '|', '+', '+', '+', '|', '+', '+', '+',
    ],
    window: '.',
    duplicate_ack: '=',
    lost_ack: 'x',
    cut: ':',
    corner: '+',
    sequence_axis: '|',
    sequence_tick: '+',
    time_axis: '-',
    time_tick: '+',
};

impl Glyphs {
    pub(super) fn quarters(&self, quarters: u8) -> char {
        self.quarters[usize::from(quarters % 16)]
    }

    pub(super) fn line(&self, ways: u8) -> char {
        self.lines[usize::from(ways % 16)]
    }

    pub(super) fn mark(&self, mark: Mark) -> char {
        match mark {
            Mark::Nothing => ' ',
            Mark::Window => self.window,
            Mark::Acknowledged => self.line(3),
            Mark::DuplicateAck => self.duplicate_ack,
            Mark::LostAck => self.lost_ack,
            // As it rises.
            Mark::Data => self.quarters(9),
            Mark::Retransmission => self.shared.again,
            Mark::Lost => self.shared.lost,
            Mark::Timeout => self.shared.clock,
            Mark::Cut => self.cut,
        }
    }

    pub(super) fn ellipsis(&self) -> char {
        self.shared.ellipsis
    }

    /// From one end to the other.
    pub(super) fn to(&self) -> &'static str {
        self.shared.change
    }
}
