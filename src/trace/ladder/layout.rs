//! Which column holds what.

/// The columns of a ladder, from its width.
///
/// ```text
/// time since  side │ middle │ side
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Layout {
    pub(super) time: usize,
    pub(super) side: usize,
    pub(super) middle: usize,
    pub(super) width: usize,
}

/// `999.999` and `9999.999999`.
const MILLIS: usize = 7;
const MICROS: usize = 11;
/// A middle with room for a data segment's numbers, its window, and how long the arrow flew.
const ROOMY_MIDDLE: usize = 47;
/// A TCP state's name at its longest: `SYN-RECEIVED`.
const STATE: usize = 12;
/// A change of state at its longest: `SYN-RECEIVED → ESTABLISHED`.
const TRANSITION: usize = 26;
/// Calls and timers as they often are: `recvfrom() = 15 from 10.0.0.2:9999`.
const NOTE: usize = 34;

impl Layout {
    pub(super) const SINCE: usize = 6;
    pub(super) const NARROWEST: usize = 80;
    pub(super) const WIDEST: usize = 200;

    pub(super) fn new(width: usize) -> Layout {
        let width = width.clamp(Self::NARROWEST, Self::WIDEST);
        // Seconds and milliseconds, and microseconds too where there is room.
        let time = if width >= 120 { MICROS } else { MILLIS };
        // The gaps: before and after `since`, and a space and a lifeline on each side.
        let rest = width - time - Self::SINCE - 2 - 4;
        let outside = (rest - rest * 2 / 5) / 2;
        let side = match outside {
            NOTE.. => outside,
            _ => (rest.saturating_sub(ROOMY_MIDDLE) / 2).clamp(STATE, TRANSITION),
        };
        let middle = rest - 2 * side;
        Layout {
            time,
            side,
            middle,
            width,
        }
    }

    /// Calls and timers stand outside the lifelines; where that is too narrow, inside beside their own.
    pub(super) fn notes_outside(&self) -> bool {
        self.side >= NOTE
    }

    /// A change of state shows both states.
    pub(super) fn is_detailed(&self) -> bool {
        self.side >= TRANSITION
    }

    /// Times show microseconds.
    pub(super) fn has_micros(&self) -> bool {
        self.time >= MICROS
    }

    /// The column of the left lifeline.
    pub(super) fn left_line(&self) -> usize {
        self.time + Self::SINCE + 2 + self.side + 1
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_width_is_used_whole_and_has_room_for_what_matters() {
        for width in 0..300 {
            let layout = Layout::new(width);
            let Layout {
                time,
                side,
                middle,
                width,
                ..
            } = layout;
            assert_eq!(time + Layout::SINCE + 2 + 2 * side + middle + 4, width);
            // An arrow with `ACK seq=312441 ack=1 len=1460` in it.
            assert!(middle >= 37 && side >= STATE);
        }
        assert!(!Layout::new(80).notes_outside());
        assert!(Layout::new(140).notes_outside());
        assert!(Layout::new(140).is_detailed());
    }
}
