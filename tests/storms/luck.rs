//! Where the networks come from.

/// SplitMix64, as the simulation's own.
#[derive(Debug, Clone)]
pub(crate) struct Luck(u64);

impl Luck {
    /// The seed of a network, from the number of all and its place among them.
    pub(crate) fn seed(number: u64, place: u64) -> u64 {
        // Short, to be typed.
        (Luck(number).draw() ^ Luck(!place).draw()) >> 16
    }

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

    /// From `least` to `most`, both included.
    pub(crate) fn between(&mut self, least: u64, most: u64) -> u64 {
        least + self.draw() % (most - least + 1)
    }

    /// The same, where each order of magnitude is as likely as the next.
    pub(crate) fn magnitude(&mut self, least: u64, most: u64) -> u64 {
        let (least, most) = (least as f64, most as f64);
        let value = least * (most / least).powf(self.share());
        value.round() as u64
    }

    /// From 0 to 1.
    pub(crate) fn share(&mut self) -> f64 {
        (self.draw() >> 11) as f64 / (1u64 << 53) as f64
    }

    /// Once in so many times.
    pub(crate) fn once_in(&mut self, times: u64) -> bool {
        self.draw().is_multiple_of(times)
    }

    pub(crate) fn pick<T: Copy>(&mut self, of: &[T]) -> T {
        of[self.between(0, of.len() as u64 - 1) as usize]
    }
}
