//! Which slot is due next: an indexed binary min-heap, so that no poll scans all slots.

use super::list::NONE;
use managed::ManagedSlice;
use smoltcp::time::Instant;

/// Two things that happen to be as many: the heap's i-th place, and the i-th slot's deadline.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Entry {
    /// The slot at this place of the heap.
    slot: u16,
    /// Where in the heap this entry's slot is; `NONE` without a deadline.
    place: u16,
    /// This entry's slot's deadline.
    at: Instant,
}

impl Entry {
    pub(crate) const EMPTY: Entry = Entry {
        slot: NONE,
        place: NONE,
        at: Instant::ZERO,
    };
}

/// The deadlines of the slots `0..entries.len()`, each at most one.
#[derive(Debug)]
pub(crate) struct Deadlines<'a> {
    entries: ManagedSlice<'a, Entry>,
    len: usize,
}

impl<'a> Deadlines<'a> {
    /// As many slots as entries, up to `NONE` of them.
    pub(crate) fn new(entries: impl Into<ManagedSlice<'a, Entry>>) -> Deadlines<'a> {
        let mut entries = entries.into();
        entries.fill(Entry::EMPTY);
        Deadlines { entries, len: 0 }
    }

    /// Arms, moves or (with `None`) disarms the slot's deadline. A slot that does not exist has none.
    pub(crate) fn set(&mut self, slot: u16, at: Option<Instant>) {
        let entry = self.entries.get_mut(usize::from(slot));
        let Some(entry) = entry.filter(|_| slot != NONE) else {
            return;
        };
        let (place, old) = (entry.place, entry.at);
        match at {
            None if place == NONE => {}
            None => self.remove(usize::from(place)),
            Some(at) => {
                entry.at = at;
                if place == NONE {
                    self.put(self.len, slot);
                    self.len += 1;
                    self.sift_up(self.len - 1);
                } else if at < old {
                    self.sift_up(usize::from(place));
                } else if at > old {
                    self.sift_down(usize::from(place));
                }
            }
        }
    }

    /// The slot's deadline.
    #[cfg(test)]
    pub(crate) fn get(&self, slot: u16) -> Option<Instant> {
        let entry = self.entries.get(usize::from(slot))?;
        (entry.place != NONE).then_some(entry.at)
    }

    /// The earliest deadline of all.
    pub(crate) fn next(&self) -> Option<Instant> {
        (self.len > 0).then(|| self.key(0).0)
    }

    /// Disarms and returns the slot with the earliest deadline that is not after `now`; of several the lowest, for the
    /// same run every time.
    pub(crate) fn pop_due(&mut self, now: Instant) -> Option<u16> {
        if self.next()? > now {
            return None;
        }
        let slot = self.slot(0);
        self.remove(0);
        Some(slot)
    }

    /// The slot at a place of the heap; behind the last place there is none.
    fn slot(&self, place: usize) -> u16 {
        self.entries.get(place).map_or(NONE, |entry| entry.slot)
    }

    /// What the heap is ordered by.
    fn key(&self, place: usize) -> (Instant, u16) {
        let slot = self.slot(place);
        let entry = self.entries.get(usize::from(slot));
        (entry.unwrap_or(&Entry::EMPTY).at, slot)
    }

    fn put(&mut self, place: usize, slot: u16) {
        if let Some(entry) = self.entries.get_mut(place) {
            entry.slot = slot;
        }
        if let Some(entry) = self.entries.get_mut(usize::from(slot)) {
            // Fits: a slot's number is below `NONE`, and there are no more places in use than slots.
            entry.place = place as u16;
        }
    }

    fn swap(&mut self, a: usize, b: usize) {
        let (slot_a, slot_b) = (self.slot(a), self.slot(b));
        self.put(a, slot_b);
        self.put(b, slot_a);
    }

    fn remove(&mut self, place: usize) {
        let last = self.len - 1;
        self.swap(place, last);
        let slot = self.slot(last);
        if let Some(entry) = self.entries.get_mut(usize::from(slot)) {
            entry.place = NONE;
        }
        self.len = last;
        if place < last {
            self.sift_down(place);
            self.sift_up(place);
        }
    }

    fn sift_up(&mut self, mut place: usize) {
        while place > 0 {
            let parent = (place - 1) / 2;
            if self.key(parent) <= self.key(place) {
                break;
            }
            self.swap(parent, place);
            place = parent;
        }
    }

    fn sift_down(&mut self, mut place: usize) {
        loop {
            let (left, right) = (2 * place + 1, 2 * place + 2);
            if left >= self.len {
                break;
            }
            let child = if right < self.len && self.key(right) < self.key(left) {
                right
            } else {
                left
            };
            if self.key(place) <= self.key(child) {
                break;
            }
            self.swap(place, child);
            place = child;
        }
    }
}

#[cfg(test)]
mod tests {
    extern crate std;
    use super::*;
    use proptest::prelude::*;
    use std::{collections::BTreeSet, vec};

    #[test]
    fn slots_that_do_not_exist_have_no_deadline() {
        let mut memory = [Entry::EMPTY; 2];
        let mut deadlines = Deadlines::new(&mut memory[..]);
        for slot in [2, NONE] {
            deadlines.set(slot, Some(Instant::ZERO));
            assert_eq!(deadlines.get(slot), None);
        }
        assert_eq!(deadlines.next(), None);
        assert_eq!(deadlines.pop_due(Instant::from_micros(i64::MAX)), None);
    }

    #[test]
    fn all_slots_that_a_number_can_name() {
        let mut memory = vec![Entry::EMPTY; usize::from(NONE) + 10];
        let mut deadlines = Deadlines::new(&mut memory[..]);
        for slot in (0..=NONE).rev() {
            deadlines.set(slot, Some(Instant::ZERO));
        }
        for slot in 0..NONE {
            assert_eq!(deadlines.pop_due(Instant::ZERO), Some(slot));
        }
        assert_eq!(deadlines.pop_due(Instant::ZERO), None);
    }

    proptest! {
        #[test]
        fn behaves_as_an_ordered_set(
            steps in prop::collection::vec((0..4u8, 0..12u16, -8..8i64), 0..300),
        ) {
            let mut memory = [Entry::EMPTY; 12];
            let mut deadlines = Deadlines::new(&mut memory[..]);
            let mut model: BTreeSet<(Instant, u16)> = BTreeSet::new();
            for (step, slot, micros) in steps {
                let at = Instant::from_micros(micros);
                if step == 3 {
                    let due = model.first().copied().filter(|&(first, _)| first <= at);
                    prop_assert_eq!(deadlines.pop_due(at), due.map(|(_, slot)| slot));
                    model.retain(|&entry| Some(entry) != due);
                } else {
                    let at = (step > 0).then_some(at);
                    deadlines.set(slot, at);
                    model.retain(|entry| entry.1 != slot);
                    model.extend(at.map(|at| (at, slot)));
                }
                prop_assert_eq!(deadlines.next(), model.first().map(|entry| entry.0));
                for slot in 0..12 {
                    let expected = model.iter().find(|entry| entry.1 == slot);
                    prop_assert_eq!(deadlines.get(slot), expected.map(|entry| entry.0));
                }
            }
        }
    }
}
