//! What is kept of a connection: where something was on the plane of time and sequence numbers, as finely as there is room
//! for. Times are microseconds since the connection's first segment.

use alloc::vec::Vec;

/// Strokes, or changes of a line, that are kept. Where there are more, they are thinned out to half of it at the most.
pub(super) const POINTS: usize = 2048;

/// Shifts beyond this leave nothing to tell apart.
const MAX_SHIFT: u32 = 62;

/// What a stroke tells.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Kind {
    Data,
    Retransmission,
    /// Data that the link lost.
    Lost,
    /// An acknowledgment that the link lost, at the octet that it asked for.
    LostAck,
    /// At the octet that it asked for.
    DuplicateAck,
    /// The retransmission timer fired; at the octet that nobody had acknowledged.
    Timeout,
}

/// Sequence numbers from `low` to before `high` at one time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Stroke {
    pub(super) kind: Kind,
    pub(super) time: u64,
    pub(super) low: i64,
    pub(super) high: i64,
}

impl Stroke {
    /// Takes another one in, if it is of the same kind and time and the two touch.
    fn absorb(&mut self, other: &Stroke) -> bool {
        let touches = other.low <= self.high && self.low <= other.high;
        let is_same = (self.kind, self.time) == (other.kind, other.time) && touches;
        if is_same {
            self.low = self.low.min(other.low);
            self.high = self.high.max(other.high);
        }
        is_same
    }
}

/// Strokes on a grid, which is as fine as the clock and the octets until there are too many.
#[derive(Debug, Default)]
pub(super) struct Strokes {
    strokes: Vec<Stroke>,
    /// The grid's steps: 2 to this power, in microseconds and in octets.
    time_shift: u32,
    sequence_shift: u32,
}

impl Strokes {
    pub(super) fn iter(&self) -> impl Iterator<Item = &Stroke> {
        self.strokes.iter()
    }

    pub(super) fn push(&mut self, stroke: Stroke) {
        let stroke = self.on_grid(stroke);
        if self
            .strokes
            .last_mut()
            .is_some_and(|last| last.absorb(&stroke))
        {
            return;
        }
        if self.strokes.len() < POINTS {
            return self.strokes.push(stroke);
        }
        self.thin();
        self.strokes.push(self.on_grid(stroke));
    }

    /// A stroke that begins and ends with the grid's steps, and covers what it did.
    fn on_grid(&self, stroke: Stroke) -> Stroke {
        let down = |octet: i64| octet >> self.sequence_shift << self.sequence_shift;
        let step = 1 << self.sequence_shift;
        Stroke {
            time: stroke.time >> self.time_shift << self.time_shift,
            low: down(stroke.low),
            high: down(stroke.high.saturating_add(step - 1)),
            ..stroke
        }
    }

    /// Merges what touches, and doubles the grid's steps, each time those of the axis that has more of them, until half of
    /// the room is free.
    fn thin(&mut self) {
        self.merge();
        while self.strokes.len() > POINTS / 2 {
            let (time_steps, sequence_steps) = self.steps();
            if time_steps >= sequence_steps && self.time_shift < MAX_SHIFT {
                self.time_shift += 1;
            } else if self.sequence_shift < MAX_SHIFT {
                self.sequence_shift += 1;
            } else {
                // There are not so many kinds, in the few steps that are left.
                return;
            }
            self.merge();
        }
    }

    fn merge(&mut self) {
        let mut strokes = core::mem::take(&mut self.strokes);
        for stroke in &mut strokes {
            *stroke = self.on_grid(*stroke);
        }
        strokes.sort_unstable_by_key(|stroke| (stroke.kind, stroke.time, stroke.low));
        strokes.dedup_by(|next, stroke| stroke.absorb(next));
        self.strokes = strokes;
    }

    /// How many steps of each axis the strokes cover.
    fn steps(&self) -> (u64, u64) {
        let times = self.strokes.iter().map(|stroke| stroke.time);
        let last = times.clone().max().unwrap_or(0);
        let first = times.min().unwrap_or(0);
        let highs = self.strokes.iter().map(|stroke| stroke.high);
        let lows = self.strokes.iter().map(|stroke| stroke.low);
        let high = highs.max().unwrap_or(0);
        let low = lows.min().unwrap_or(0);
        (
            (last - first) >> self.time_shift,
            high.abs_diff(low) >> self.sequence_shift,
        )
    }
}

/// A line that goes on as it is until it changes: what is acknowledged, how far the window reaches.
#[derive(Debug, Default)]
pub(super) struct Steps {
    /// When, and to what.
    steps: Vec<(u64, i64)>,
    /// Of changes within 2 to this power of microseconds, the last is kept.
    time_shift: u32,
}

impl Steps {
    pub(super) fn iter(&self) -> impl Iterator<Item = (u64, i64)> {
        self.steps.iter().copied()
    }

    pub(super) fn last(&self) -> Option<i64> {
        self.steps.last().map(|(_, octet)| *octet)
    }

    pub(super) fn change(&mut self, time: u64, octet: i64) {
        let shift = self.time_shift;
        match self.steps.last_mut() {
            Some((_, last)) if *last == octet => return,
            // A line does not go back where a capture's clock does.
            Some(last) if time >> shift <= last.0 >> shift => {
                *last = (time.max(last.0), octet);
                return;
            }
            _ => {}
        }
        if self.steps.len() >= POINTS {
            self.thin();
        }
        self.steps.push((time, octet));
    }

    fn thin(&mut self) {
        while self.steps.len() > POINTS / 2 && self.time_shift < MAX_SHIFT {
            self.time_shift += 1;
            let shift = self.time_shift;
            self.steps.dedup_by(|next, step| {
                let is_same = next.0 >> shift == step.0 >> shift;
                if is_same {
                    *step = *next;
                }
                is_same
            });
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn data(time: u64, low: i64, len: i64) -> Stroke {
        Stroke {
            kind: Kind::Data,
            time,
            low,
            high: low + len,
        }
    }

    #[test]
    fn what_touches_at_one_time_is_one_stroke() {
        let mut strokes = Strokes::default();
        strokes.push(data(5, 1, 1000));
        strokes.push(data(5, 1001, 1000));
        strokes.push(data(5, 4001, 1000));
        let mut again = data(5, 4001, 1000);
        again.kind = Kind::Retransmission;
        strokes.push(again);
        let kept: Vec<_> = strokes.iter().copied().collect();
        assert_eq!(kept, [data(5, 1, 2000), data(5, 4001, 1000), again]);
    }

    #[test]
    fn of_too_many_each_is_still_covered() {
        let mut strokes = Strokes::default();
        let sent = |i: u64| data(i * 1_000, i as i64 * 1460, 1460);
        for i in 0..1_000_000 {
            strokes.push(sent(i));
            assert!(strokes.strokes.len() <= POINTS);
        }
        let step = 1 << strokes.time_shift;
        // Half of the room at least is used.
        assert!(step <= 1_000_000_000 / (POINTS as u64 / 4), "{step}");
        for i in (0..1_000_000).step_by(997) {
            let sent = sent(i);
            let covers = |stroke: &&Stroke| {
                stroke.low <= sent.low
                    && sent.high <= stroke.high
                    && (stroke.time..stroke.time + step).contains(&sent.time)
            };
            assert_eq!(strokes.iter().filter(covers).count(), 1, "{i}");
        }
    }

    #[test]
    fn whatever_comes_the_bound_holds() {
        let mut strokes = Strokes::default();
        let mut steps = Steps::default();
        let mut random = 1_u64;
        for _ in 0..100_000 {
            random = random
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(1_442_695_040_888_963_407);
            let mut stroke = data(random >> (random % 60), (random << 7) as i64 >> 9, 1);
            if random & 0x100 != 0 {
                stroke.kind = Kind::Lost;
            }
            strokes.push(stroke);
            steps.change(stroke.time, stroke.low);
            assert!(strokes.strokes.len() <= POINTS && steps.steps.len() <= POINTS);
        }
    }

    #[test]
    fn a_line_keeps_its_last_change_of_each_step() {
        let mut steps = Steps::default();
        for i in 0..100_000 {
            steps.change(i, i as i64 / 2);
        }
        assert!(steps.steps.len() > POINTS / 4);
        for (time, octet) in steps.iter() {
            assert_eq!(time as i64 / 2, octet);
        }
        assert_eq!(steps.last(), Some(49_999));
        // The clock goes back.
        steps.change(7, 60_000);
        assert_eq!(steps.last(), Some(60_000));
        assert!(steps.iter().is_sorted());
    }
}
