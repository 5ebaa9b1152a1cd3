//! What stands beside an axis: round numbers with their units.

use core::fmt;

/// A unit: how much it is, and its name.
type Unit = (u64, &'static str);

/// Octets.
pub(super) const OCTETS: &[Unit] = &[
    (1, "B"),
    (1_000, "kB"),
    (1_000_000, "MB"),
    (1_000_000_000, "GB"),
    (1_000_000_000_000, "TB"),
];

/// Microseconds.
pub(super) const TIMES: &[Unit] = &[(1, "µs"), (1_000, "ms"), (1_000_000, "s")];
pub(super) const TIMES_ASCII: &[Unit] = &[(1, "us"), (1_000, "ms"), (1_000_000, "s")];

/// The largest unit of which there is one at least.
fn unit_of(units: &'static [Unit], value: u64) -> Unit {
    let mut fitting = units.iter().rev().filter(|(size, _)| *size <= value);
    let fitting = fitting.next().or(units.first());
    fitting.copied().unwrap_or((1, ""))
}

/// 1, 2, 5, 10, 20, 50 and so on.
pub(super) fn round_steps() -> impl Iterator<Item = u64> {
    let decades = core::iter::successors(Some(1_u64), |decade| decade.checked_mul(10));
    decades.flat_map(|decade| [1, 2, 5].map(|factor| decade.saturating_mul(factor)))
}

/// How an axis writes its numbers: all in one unit, with the decimals that its step asks for.
#[derive(Debug, Clone, Copy)]
pub(super) struct Scale {
    unit: Unit,
    decimals: u32,
}

impl Scale {
    /// For multiples of `step`, up to `largest`.
    pub(super) fn new(units: &'static [Unit], step: u64, largest: u64) -> Scale {
        let unit = unit_of(units, largest);
        let is_whole = |decimals: &u32| {
            let parts = u128::from(step) * 10_u128.pow(*decimals);
            parts.is_multiple_of(u128::from(unit.0))
        };
        Scale {
            unit,
            decimals: (0..12).find(is_whole).unwrap_or(0),
        }
    }

    pub(super) fn label(&self, value: i64) -> Label {
        Label {
            value,
            unit: self.unit,
            decimals: self.decimals,
        }
    }
}

/// A quantity in three figures or a little more, in the unit that suits it: `312 kB`, `1.07 s`.
pub(super) fn quantity(units: &'static [Unit], value: u64) -> Label {
    let unit = unit_of(units, value);
    let figures = match value / unit.0 {
        0..10 => 2,
        10..100 => 1,
        _ => 0,
    };
    let shown = |decimals: u32| u128::from(value) * 10_u128.pow(decimals) / u128::from(unit.0);
    // A zero at the end says nothing.
    let says_more = |decimals: &u32| *decimals == 0 || !shown(*decimals).is_multiple_of(10);
    Label {
        value: i64::try_from(value).unwrap_or(i64::MAX),
        unit,
        decimals: (0..=figures).rev().find(says_more).unwrap_or(0),
    }
}

/// A number with its unit: `0`, `20 kB`, `1.5 s`.
#[derive(Debug, Clone, Copy)]
pub(super) struct Label {
    value: i64,
    unit: Unit,
    decimals: u32,
}

impl fmt::Display for Label {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (size, name) = self.unit;
        let sign = if self.value < 0 { "-" } else { "" };
        let (value, size) = (u128::from(self.value.unsigned_abs()), u128::from(size));
        let (whole, rest) = (value / size, value % size);
        match (value, self.decimals) {
            (0, _) => f.write_str("0"),
            (_, 0) => write!(f, "{sign}{whole} {name}"),
            (_, decimals) => {
                let parts = rest * 10_u128.pow(decimals) / size;
                let width = decimals as usize;
                write!(f, "{sign}{whole}.{parts:0width$} {name}")
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::string::ToString;
    use std::vec::Vec;

    #[test]
    fn an_axis_writes_its_numbers_in_one_unit() {
        let labels = |units, step, largest, values: &[i64]| -> Vec<_> {
            let scale = Scale::new(units, step, largest);
            values
                .iter()
                .map(|value| scale.label(*value).to_string())
                .collect()
        };
        assert_eq!(
            labels(OCTETS, 20_000, 60_000, &[0, 20_000, 40_000]),
            ["0", "20 kB", "40 kB"]
        );
        assert_eq!(
            labels(TIMES, 500_000, 1_500_000, &[500_000, 1_500_000]),
            ["0.5 s", "1.5 s"]
        );
        assert_eq!(labels(TIMES, 20, 60_000_000, &[20]), ["0.00002 s"]);
        assert_eq!(labels(TIMES_ASCII, 200, 600, &[200]), ["200 us"]);
        assert_eq!(labels(OCTETS, 500, 3_000, &[-500]), ["-0.5 kB"]);
        assert_eq!(labels(OCTETS, 1, 0, &[0]), ["0"]);
    }

    #[test]
    fn steps_are_round() {
        let steps: Vec<_> = round_steps().take(7).collect();
        assert_eq!(steps, [1, 2, 5, 10, 20, 50, 100]);
        assert!(round_steps().count() < 100);
    }

    #[test]
    fn a_quantity_has_three_figures() {
        let octets = |value| quantity(OCTETS, value).to_string();
        assert_eq!(octets(0), "0");
        assert_eq!(octets(7), "7 B");
        assert_eq!(octets(1_460), "1.46 kB");
        assert_eq!(octets(312_440), "312 kB");
        assert_eq!(octets(20_000_000), "20 MB");
        assert_eq!(quantity(TIMES, 1_070_000).to_string(), "1.07 s");
        assert_eq!(quantity(TIMES, 1_500_000).to_string(), "1.5 s");
        assert_eq!(quantity(TIMES, 999_400).to_string(), "999 ms");
        let longest = quantity(TIMES, u64::MAX).to_string();
        assert!(longest.ends_with(" s"), "{longest}");
    }
}
