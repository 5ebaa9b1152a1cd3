//! A hash table from a keyed 32-bit hash to rows: open addressing with linear probing (Knuth, TAOCP 6.4, algorithms L and R).

use super::list::NONE;
use managed::ManagedSlice;

/// One place of a [`Table`]: a row under its hash, or nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Bucket {
    hash: u32,
    value: u16,
}

impl Bucket {
    pub(crate) const EMPTY: Bucket = Bucket {
        hash: 0,
        value: NONE,
    };

    fn is_empty(&self) -> bool {
        self.value == NONE
    }
}

/// Rows by hash. What has the same hash is told apart by the caller, who knows the keys.
/// One bucket stays empty, so that every walk ends; twice as many buckets as rows keep the walks short.
#[derive(Debug)]
pub(crate) struct Table<'a> {
    buckets: ManagedSlice<'a, Bucket>,
    len: usize,
}

impl<'a> Table<'a> {
    pub(crate) fn new(buckets: impl Into<ManagedSlice<'a, Bucket>>) -> Table<'a> {
        let mut buckets = buckets.into();
        buckets.fill(Bucket::EMPTY);
        Table { buckets, len: 0 }
    }

    /// How many values are stored.
    #[cfg(test)]
    pub(crate) fn len(&self) -> usize {
        self.len
    }

    /// Stores `value` under `hash`, beside what is there; `false` if the table is full.
    pub(crate) fn insert(&mut self, hash: u32, value: u16) -> bool {
        if value == NONE || self.len + 1 >= self.buckets.len() {
            return false;
        }
        let mut i = self.home(hash);
        while !self.get(i).is_empty() {
            i = self.after(i);
        }
        self.set(i, Bucket { hash, value });
        self.len += 1;
        true
    }

    /// Removes one `value` stored under `hash`; `false` if there is none.
    pub(crate) fn remove(&mut self, hash: u32, value: u16) -> bool {
        if self.len == 0 || value == NONE {
            return false;
        }
        let wanted = Bucket { hash, value };
        let mut hole = self.home(hash);
        while self.get(hole) != wanted {
            if self.get(hole).is_empty() {
                return false;
            }
            hole = self.after(hole);
        }
        // Shifts back what would no longer be found behind the hole, so that no tombstones pile up.
        let mut i = self.after(hole);
        loop {
            let bucket = self.get(i);
            if bucket.is_empty() {
                break;
            }
            let home = self.home(bucket.hash);
            if self.distance(home, i) >= self.distance(hole, i) {
                self.set(hole, bucket);
                hole = i;
            }
            i = self.after(i);
        }
        self.set(hole, Bucket::EMPTY);
        self.len -= 1;
        true
    }

    /// All values stored under exactly this hash.
    pub(crate) fn candidates(&self, hash: u32) -> impl Iterator<Item = u16> {
        let mut walked = 0;
        core::iter::from_fn(move || self.next_candidate(hash, &mut walked))
    }

    /// The next of them, for who changes what they name on the way: `walked` counts the buckets that lie behind.
    pub(crate) fn next_candidate(&self, hash: u32, walked: &mut usize) -> Option<u16> {
        let home = self.home(hash);
        while *walked < self.buckets.len() {
            let place = home + *walked;
            // Around the end, once.
            let place = place.checked_sub(self.buckets.len()).unwrap_or(place);
            let bucket = self.get(place);
            if bucket.is_empty() {
                break;
            }
            *walked += 1;
            if bucket.hash == hash {
                return Some(bucket.value);
            }
        }
        None
    }

    /// A bucket; behind the last one they are empty.
    fn get(&self, i: usize) -> Bucket {
        self.buckets.get(i).copied().unwrap_or(Bucket::EMPTY)
    }

    fn set(&mut self, i: usize, bucket: Bucket) {
        if let Some(place) = self.buckets.get_mut(i) {
            *place = bucket;
        }
    }

    /// Where the walk for `hash` starts: multiply and shift, for any number of buckets without a division.
    fn home(&self, hash: u32) -> usize {
        ((u64::from(hash) * self.buckets.len() as u64) >> 32) as usize
    }

    fn after(&self, i: usize) -> usize {
        if i + 1 == self.buckets.len() {
            0
        } else {
            i + 1
        }
    }

    /// Steps from one bucket on to another.
    fn distance(&self, from: usize, to: usize) -> usize {
        if from <= to {
            to - from
        } else {
            to + self.buckets.len() - from
        }
    }
}

#[cfg(test)]
mod tests {
    extern crate std;
    use super::*;
    use proptest::prelude::*;
    use std::{vec, vec::Vec};

    #[test]
    fn a_walk_step_by_step_finds_the_same() {
        let mut memory = [Bucket::EMPTY; 9];
        let mut table = Table::new(&mut memory[..]);
        for value in 0..8 {
            table.insert(u32::MAX - u32::from(value % 2), value);
        }
        for hash in [u32::MAX, u32::MAX - 1, 0] {
            let mut walked = 0;
            let steps = std::iter::from_fn(|| table.next_candidate(hash, &mut walked));
            let found: Vec<u16> = steps.collect();
            assert_eq!(found, table.candidates(hash).collect::<Vec<_>>());
            assert_eq!(found.is_empty(), hash == 0);
        }
    }

    #[test]
    fn keeps_one_bucket_empty() {
        for buckets in 0..4usize {
            let mut memory = vec![Bucket::EMPTY; buckets];
            let mut table = Table::new(&mut memory[..]);
            for value in 0..8u16 {
                let room = usize::from(value) + 1 < buckets;
                assert_eq!(table.insert(u32::MAX, value), room, "{buckets} buckets");
            }
            assert_eq!(table.candidates(0).count(), 0);
            assert!(!table.remove(0, 0));
            assert!(!table.insert(0, NONE) && !table.remove(0, NONE));
        }
    }

    #[test]
    fn forgets_what_the_memory_held() {
        let mut memory = [Bucket { hash: 0, value: 3 }; 4];
        let table = Table::new(&mut memory[..]);
        assert_eq!(table.candidates(0).next(), None);
    }

    /// Few hashes at both ends of the range: long walks that wrap around.
    fn hash() -> impl Strategy<Value = u32> {
        prop_oneof![0..4u32, (u32::MAX - 3)..=u32::MAX, any::<u32>()]
    }

    proptest! {
        #[test]
        fn behaves_as_a_multimap(
            buckets in 1..20usize,
            steps in prop::collection::vec((any::<bool>(), hash(), 0..4u16), 0..200),
        ) {
            let mut memory = vec![Bucket::EMPTY; buckets];
            let mut table = Table::new(&mut memory[..]);
            let mut model: Vec<(u32, u16)> = Vec::new();
            for (insert, hash, value) in steps {
                if insert {
                    let room = model.len() + 1 < buckets;
                    prop_assert_eq!(table.insert(hash, value), room);
                    if room {
                        model.push((hash, value));
                    }
                } else {
                    // Mostly something that is there, or the table would only ever fill up.
                    let stored = model.get(usize::from(value)).copied().unwrap_or((hash, value));
                    let found = model.iter().position(|&entry| entry == stored);
                    prop_assert_eq!(table.remove(stored.0, stored.1), found.is_some());
                    if let Some(i) = found {
                        model.swap_remove(i);
                    }
                }
                prop_assert_eq!(table.len(), model.len());
                for &(hash, _) in model.iter().chain(&[(hash, value)]) {
                    let mut found: Vec<u16> = table.candidates(hash).collect();
                    let same = model.iter().filter(|entry| entry.0 == hash);
                    let mut expected: Vec<u16> = same.map(|entry| entry.1).collect();
                    found.sort_unstable();
                    expected.sort_unstable();
                    prop_assert_eq!(found, expected);
                }
            }
        }
    }
}
