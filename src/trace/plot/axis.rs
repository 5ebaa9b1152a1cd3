//! The two axes: where a time and a sequence number stand, and the numbers beside them. Both are linear. From the time
//! axis pauses may be cut out; each cut takes a column of its own.

use alloc::string::{String, ToString};
use alloc::vec::Vec;

use super::label::{OCTETS, Scale, TIMES, TIMES_ASCII, round_steps};

/// A cut's column, and one that keeps the halves of the columns beside it apart.
const CUT: usize = 2;
/// One cut for so many columns, at the most.
const COLUMNS_A_PIECE: usize = 8;
const MOST_CUTS: usize = 8;
/// A pause is cut out if it takes so many times as long as all that is left.
const PAUSE: u64 = 2;
/// There is something to be seen between the cuts: so many times for each piece.
const TIMES_A_PIECE: usize = 3;
/// Rows between two numbers, at least.
const ROWS_A_TICK: u64 = 3;

/// A round number, and the row or column that it stands beside.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Tick {
    pub(super) place: usize,
    pub(super) label: String,
}

/// A stretch of time without a cut.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Piece {
    begin: u64,
    end: u64,
    /// How much time is drawn before it.
    before: u64,
}

/// Columns for times.
#[derive(Debug)]
pub(super) struct TimeAxis {
    pieces: Vec<Piece>,
    /// Half columns, without those of the cuts.
    halves: usize,
    drawn: u64,
    ascii: bool,
}

impl TimeAxis {
    /// An axis for these `times`, which are sorted, over so many columns.
    pub(super) fn new(times: &[u64], columns: usize, linear: bool, ascii: bool) -> TimeAxis {
        let begin = times.first().copied().unwrap_or(0);
        let end = times.last().copied().unwrap_or(0);
        let mut pieces = Vec::new();
        let mut next = Piece {
            begin,
            end,
            before: 0,
        };
        if !linear {
            for (from, to) in pauses(times, columns / COLUMNS_A_PIECE) {
                pieces.push(Piece { end: from, ..next });
                next = Piece {
                    begin: to,
                    end,
                    before: next.before + (from - next.begin),
                };
            }
        }
        pieces.push(next);
        let cuts = pieces.len() - 1;
        TimeAxis {
            drawn: next.before + (next.end - next.begin),
            halves: 2 * columns.saturating_sub(CUT * cuts),
            pieces,
            ascii,
        }
    }

    /// The half column of a time, from 0.
    pub(super) fn half(&self, time: u64) -> usize {
        let is_later = |piece: &&Piece| piece.begin > time;
        let later = self.pieces.iter().rev().take_while(is_later).count();
        let index = self.pieces.len().saturating_sub(later + 1);
        let Some(piece) = self.pieces.get(index) else {
            return 0;
        };
        let within = time.clamp(piece.begin, piece.end) - piece.begin;
        self.half_of(piece.before + within) + 2 * CUT * index
    }

    fn half_of(&self, drawn: u64) -> usize {
        let last = self.halves.saturating_sub(1) as u128;
        (u128::from(drawn) * last / u128::from(self.drawn.max(1))) as usize
    }

    /// The pauses that are cut out, each with its column.
    pub(super) fn cuts(&self) -> impl Iterator<Item = (usize, u64)> {
        let neighbors = self.pieces.iter().zip(self.pieces.iter().skip(1));
        neighbors.map(|(piece, next)| {
            let column = self.half(piece.end) / 2 + 1;
            (column, next.begin - piece.end)
        })
    }

    /// Round times whose labels have room beside one another, and for a piece that has none, about when it begins.
    pub(super) fn ticks(&self) -> Vec<Tick> {
        let units = if self.ascii { TIMES_ASCII } else { TIMES };
        let last = self.pieces.last().map_or(0, |piece| piece.end);
        let label = |step: u64, time: u64| {
            let scale = Scale::new(units, step, last);
            scale.label(i64::try_from(time).unwrap_or(i64::MAX))
        };
        let has_room = |step: &u64| {
            let width = label(*step, last - last % step).to_string().chars().count();
            let columns = u128::from(*step) * self.halves as u128 / 2;
            columns >= (width as u128 + 2) * u128::from(self.drawn)
        };
        let step = round_steps().find(has_room).unwrap_or(u64::MAX);
        let mut ticks = Vec::new();
        for piece in &self.pieces {
            let first = piece.begin.div_ceil(step).saturating_mul(step);
            let before = ticks.len();
            let times = core::iter::successors(Some(first), |time| time.checked_add(step));
            let times = times.take_while(|time| *time <= piece.end);
            ticks.extend(times.map(|time| Tick {
                place: self.half(time) / 2,
                label: label(step, time).to_string(),
            }));
            if ticks.len() == before {
                ticks.push(Tick {
                    place: self.half(piece.begin) / 2,
                    label: label(step, piece.begin).to_string(),
                });
            }
        }
        ticks
    }
}

/// The pauses to cut out, in their order: the longest, if each of them takes far longer than all that would be left.
fn pauses(times: &[u64], most: usize) -> Vec<(u64, u64)> {
    let (Some(first), Some(last)) = (times.first(), times.last()) else {
        return Vec::new();
    };
    let neighbors = times.iter().zip(times.iter().skip(1));
    let mut pauses: Vec<(u64, u64)> = neighbors.map(|(from, to)| (*from, *to)).collect();
    pauses.sort_unstable_by_key(|(from, to)| core::cmp::Reverse(to - from));
    pauses.truncate(most.min(MOST_CUTS));
    let mut left = last - first;
    let mut cut = 0;
    for (i, (from, to)) in pauses.iter().enumerate() {
        left -= to - from;
        let has_substance = left > 0 && times.len() >= TIMES_A_PIECE * (i + 2);
        if has_substance && to - from >= left.saturating_mul(PAUSE) {
            cut = i + 1;
        }
    }
    pauses.truncate(cut);
    pauses.sort_unstable();
    pauses
}

/// Rows for sequence numbers, counted from below.
#[derive(Debug, Clone, Copy)]
pub(super) struct SequenceAxis {
    low: i64,
    high: i64,
    rows: usize,
}

impl SequenceAxis {
    /// From `low` to before `high`.
    pub(super) fn new(low: i64, high: i64, rows: usize) -> SequenceAxis {
        SequenceAxis {
            low,
            high: high.max(low.saturating_add(1)),
            rows,
        }
    }

    fn span(&self) -> u64 {
        self.high.abs_diff(self.low)
    }

    /// The half row of an octet, from 0; what lies above the axis is above its last.
    pub(super) fn half(&self, octet: i64) -> usize {
        let above = octet.max(self.low).abs_diff(self.low);
        let half = u128::from(above) * 2 * self.rows as u128 / u128::from(self.span());
        usize::try_from(half).unwrap_or(usize::MAX)
    }

    /// Round numbers, each beside its row.
    pub(super) fn ticks(&self) -> Vec<Tick> {
        let rows = self.rows as u128;
        let has_room = |step: &u64| {
            u128::from(*step) * rows >= u128::from(ROWS_A_TICK) * u128::from(self.span())
        };
        let largest = self.high.unsigned_abs().max(self.low.unsigned_abs());
        let step = round_steps().find(has_room).unwrap_or(u64::MAX);
        let scale = Scale::new(OCTETS, step, largest);
        let Ok(step) = i64::try_from(step) else {
            return Vec::new();
        };
        let first = self.low.div_euclid(step).saturating_mul(step);
        let numbers = core::iter::successors(Some(first), |number| number.checked_add(step));
        let numbers = numbers
            .skip_while(|number| *number < self.low)
            .take_while(|number| *number <= self.high);
        let place = |number| (self.half(number) / 2).min(self.rows.saturating_sub(1));
        numbers
            .map(|number| Tick {
                place: place(number),
                label: scale.label(number).to_string(),
            })
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::vec;

    #[test]
    fn time_is_linear_where_nothing_is_cut() {
        let times: Vec<u64> = (0..=100).map(|i| i * 1_000).collect();
        let axis = TimeAxis::new(&times, 80, false, false);
        assert_eq!(axis.cuts().count(), 0);
        assert_eq!(axis.half(0), 0);
        assert_eq!(axis.half(50_000), 79);
        assert_eq!(axis.half(100_000), 159);
        assert_eq!(axis.half(u64::MAX), 159);
        let labels: Vec<_> = axis.ticks().into_iter().map(|tick| tick.label).collect();
        assert_eq!(
            labels,
            [
                "0", "10 ms", "20 ms", "30 ms", "40 ms", "50 ms", "60 ms", "70 ms", "80 ms",
                "90 ms", "100 ms"
            ]
        );
    }

    #[test]
    fn a_pause_that_leaves_no_room_for_the_rest_is_cut_out() {
        let mut times: Vec<u64> = (0..50).map(|i| i * 1_000).collect();
        times.extend((0..50).map(|i| 60_000_000 + i * 1_000));
        let axis = TimeAxis::new(&times, 80, false, false);
        let cuts: Vec<_> = axis.cuts().collect();
        assert_eq!(cuts, [(39, 60_000_000 - 49_000)]);
        // Both pieces have the same scale, and nothing stands in the cut's column.
        assert_eq!(axis.half(49_000) / 2, 38);
        assert_eq!(axis.half(60_000_000) / 2, 40);
        assert_eq!(axis.half(60_049_000) / 2, 79);
        assert_eq!(axis.half(30_000_000) / 2, 38, "within the pause");
        let linear = TimeAxis::new(&times, 80, true, false);
        assert_eq!(linear.cuts().count(), 0);
        assert_eq!(linear.half(60_000_000), 158);
    }

    #[test]
    fn pauses_that_are_all_there_is_are_drawn() {
        // A SYN that nobody answers.
        let times = vec![0, 1_000_000, 3_000_000, 7_000_000, 15_000_000, 31_000_000];
        assert_eq!(pauses(&times, 5), []);
        // Somebody who types.
        let times: Vec<u64> = (0..50).map(|i| i * i * 1_000_000).collect();
        assert_eq!(pauses(&times, 5), []);
        assert_eq!(pauses(&[], 5), []);
        assert_eq!(pauses(&[7], 5), []);
    }

    #[test]
    fn every_time_has_a_column_of_the_axis_and_no_cut_s() {
        for columns in 0..100 {
            for seed in 1..40_u64 {
                let step = |i: u64| seed * 31 * i * i * i * (1 + u64::from(i % 7 == 3) * 100_000);
                let mut times: Vec<u64> = (0..40).map(step).collect();
                times.sort_unstable();
                let axis = TimeAxis::new(&times, columns, false, false);
                let cuts: Vec<_> = axis.cuts().map(|(column, _)| column).collect();
                assert!(cuts.iter().all(|column| *column < columns.max(1)));
                for time in &times {
                    let column = axis.half(*time) / 2;
                    assert!(column < columns.max(1), "{column} of {columns}");
                    assert!(!cuts.contains(&column));
                }
                assert!(times.is_sorted_by_key(|time| axis.half(*time)));
                assert!(axis.ticks().iter().all(|tick| tick.place < columns.max(1)));
            }
        }
    }

    #[test]
    fn sequence_numbers_have_round_ticks() {
        let labels = |low, high, rows| -> Vec<_> {
            let ticks = SequenceAxis::new(low, high, rows).ticks();
            ticks
                .into_iter()
                .map(|tick| (tick.place, tick.label))
                .collect()
        };
        let tick = |place, label: &str| (place, label.to_string());
        assert_eq!(
            labels(0, 50_000, 20),
            [
                tick(0, "0"),
                tick(4, "10 kB"),
                tick(8, "20 kB"),
                tick(12, "30 kB"),
                tick(16, "40 kB"),
                tick(19, "50 kB")
            ]
        );
        assert_eq!(labels(0, 0, 20), [tick(0, "0"), tick(19, "1 B")]);
        assert_eq!(labels(-3_000, 3_000, 9).len(), 3);
        assert_eq!(labels(5, 6, 0), []);
        assert!(!labels(i64::MIN, i64::MAX, 20).is_empty());
    }

    #[test]
    fn what_is_above_the_axis_is_above_its_last_row() {
        let axis = SequenceAxis::new(0, 1_000, 10);
        assert_eq!((axis.half(0), axis.half(999)), (0, 19));
        assert!(axis.half(1_000) >= 20);
        assert_eq!(axis.half(-5), 0);
    }
}
