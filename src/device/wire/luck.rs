//! Luck that can be had again: one seed, one sequence of draws for each fault in each direction.

use crate::trace::Direction;

/// What a draw decides. Each has draws of its own, so that one more fault does not change the luck of the others.
#[derive(Debug, Clone, Copy)]
pub(super) enum Purpose {
    Loss,
    Duplicate,
    Reorder,
    Corrupt,
    Bit,
    Jitter,
}

/// SplitMix64 (Steele, Lea, Flood: "Fast splittable pseudorandom number generators", 2014): small, quick, and good enough
/// for faults. Nothing secret is drawn from it.
#[derive(Debug, Clone)]
pub(crate) struct Luck(u64);

impl Luck {
    pub(super) fn new(seed: u64, direction: Direction, purpose: Purpose) -> Luck {
        let number = 2 * purpose as u64 + u64::from(direction == Direction::In);
        // Far from each other: the place of a sequence is itself a draw.
        let offset = Luck(number).draw();
        Luck(Luck(seed).draw() ^ offset)
    }

    /// The draws of a seed.
    pub(crate) fn of(seed: u64) -> Luck {
        Luck(seed)
    }

    pub(crate) fn draw(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut word = self.0;
        word = (word ^ (word >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        word = (word ^ (word >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        word ^ (word >> 31)
    }

    /// From 0 to 1, without 1.
    pub(super) fn unit(&mut self) -> f64 {
        // A float has 53 bits for it.
        (self.draw() >> 11) as f64 / (1u64 << 53) as f64
    }

    /// Draws whatever `probability` is: the next draw does not depend on it.
    pub(super) fn happens(&mut self, probability: f64) -> bool {
        self.unit() < probability
    }

    /// From 0 to `limit`, without `limit`; 0 where that is 0.
    pub(crate) fn below(&mut self, limit: u64) -> u64 {
        ((u128::from(self.draw()) * u128::from(limit)) >> 64) as u64
    }
}

/// Loss at random: each frame for itself, or in bursts.
///
/// Bursts follow Gilbert's model (E. N. Gilbert: "Capacity of a burst-noise channel", 1960; E. O. Elliott, 1963): a state
/// that loses every frame and one that loses none.
#[derive(Debug, Clone)]
pub(super) struct Loss {
    rate: f64,
    /// The mean number of frames lost in a row.
    burst: Option<f64>,
    is_bad: bool,
    luck: Luck,
}

impl Loss {
    pub(super) fn new(rate: f64, burst: Option<f64>, luck: Luck) -> Loss {
        Loss {
            rate,
            burst,
            is_bad: false,
            luck,
        }
    }

    /// The probability to enter the bad state, so that `rate` of all frames fall into it.
    pub(super) fn entry(rate: f64, burst: f64) -> f64 {
        rate / (burst * (1.0 - rate))
    }

    /// Whether the next frame is lost.
    pub(super) fn strikes(&mut self) -> bool {
        let draw = self.luck.unit();
        let Some(burst) = self.burst else {
            return draw < self.rate;
        };
        self.is_bad = match self.is_bad {
            true => draw >= 1.0 / burst,
            false => draw < Loss::entry(self.rate, burst),
        };
        self.is_bad
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn directions_and_purposes_draw_for_themselves() {
        let draws = |direction, purpose| {
            let mut luck = Luck::new(7, direction, purpose);
            [luck.draw(), luck.draw()]
        };
        let one = draws(Direction::Out, Purpose::Loss);
        assert_eq!(one, draws(Direction::Out, Purpose::Loss));
        assert_ne!(one, draws(Direction::In, Purpose::Loss));
        assert_ne!(one, draws(Direction::Out, Purpose::Bit));
    }

    #[test]
    fn the_generator_is_splitmix64() {
        // The first outputs of the reference implementation for the seed 1234567.
        let mut luck = Luck(1_234_567);
        let draws = [luck.draw(), luck.draw(), luck.draw()];
        assert_eq!(
            draws,
            [
                6_457_827_717_110_365_317,
                3_203_168_211_198_807_973,
                9_817_491_932_198_370_423
            ]
        );
    }

    #[test]
    fn a_bounded_draw_stays_in_its_bounds() {
        let mut luck = Luck(1);
        assert!((0..1000).all(|_| luck.below(3) < 3));
        assert_eq!(luck.below(0), 0);
    }
}
