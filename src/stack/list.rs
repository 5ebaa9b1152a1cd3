//! Doubly linked lists whose links lie in a slice of the caller's: a row is in at most one list per slice of links.

/// No row: the end of a list, a free bucket.
pub(crate) const NONE: u16 = u16::MAX;

/// A row's place in its list.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Link {
    prev: u16,
    next: u16,
}

impl Link {
    /// The link of a row that is in no list.
    pub(crate) const UNLINKED: Link = Link {
        prev: NONE,
        next: NONE,
    };

    /// The row behind this one's.
    pub(crate) fn next(self) -> Option<u16> {
        (self.next != NONE).then_some(self.next)
    }
}

/// A queue of rows: O(1) at both ends and in the middle.
#[derive(Debug)]
pub(crate) struct List {
    head: u16,
    tail: u16,
    len: u16,
}

impl List {
    pub(crate) const fn new() -> List {
        List {
            head: NONE,
            tail: NONE,
            len: 0,
        }
    }

    /// Appends row `i`. A row that is linked already, or does not exist, is left as it is.
    pub(crate) fn push_back(&mut self, links: &mut [Link], i: u16) {
        if i == self.head || link(links, i).map(|link| *link) != Some(Link::UNLINKED) {
            return;
        }
        match link(links, self.tail) {
            Some(last) => last.next = i,
            None => self.head = i,
        }
        if let Some(link) = link(links, i) {
            link.prev = self.tail;
        }
        self.tail = i;
        self.len += 1;
    }

    /// Takes row `i` out. A row that is not in this list is left as it is, as far as its link can tell.
    pub(crate) fn remove(&mut self, links: &mut [Link], i: u16) {
        let Some(&mut Link { prev, next }) = link(links, i) else {
            return;
        };
        // An end of the list must be this list's end: so a foreign or unlinked row is told apart.
        if (prev == NONE) != (self.head == i) || (next == NONE) != (self.tail == i) {
            return;
        }
        match link(links, prev) {
            Some(link) => link.next = next,
            None => self.head = next,
        }
        match link(links, next) {
            Some(link) => link.prev = prev,
            None => self.tail = prev,
        }
        if let Some(link) = link(links, i) {
            *link = Link::UNLINKED;
        }
        self.len = self.len.saturating_sub(1);
    }

    /// Takes the oldest row out.
    pub(crate) fn pop_front(&mut self, links: &mut [Link]) -> Option<u16> {
        let front = self.front()?;
        self.remove(links, front);
        Some(front)
    }

    /// The oldest row.
    pub(crate) fn front(&self) -> Option<u16> {
        (self.head != NONE).then_some(self.head)
    }

    pub(crate) fn len(&self) -> usize {
        usize::from(self.len)
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.head == NONE
    }

    /// The rows, oldest first.
    pub(crate) fn iter(&self, links: &[Link]) -> impl Iterator<Item = u16> {
        let following = |&i: &u16| links.get(usize::from(i))?.next();
        // Bounded, so that links which the caller mixed up cannot make a walk without end.
        core::iter::successors(self.front(), following).take(self.len())
    }
}

/// The row's link; `NONE` has none, however long the slice is.
fn link(links: &mut [Link], i: u16) -> Option<&mut Link> {
    links.get_mut(usize::from(i)).filter(|_| i != NONE)
}

#[cfg(test)]
mod tests {
    extern crate std;
    use super::*;
    use proptest::prelude::*;
    use std::{collections::VecDeque, vec, vec::Vec};

    #[test]
    fn a_row_of_another_list_stays_there() {
        let mut links = [Link::UNLINKED; 4];
        let (mut a, mut b) = (List::new(), List::new());
        a.push_back(&mut links, 0);
        b.push_back(&mut links, 1);
        b.push_back(&mut links, 2);
        for row in [1, 2, 3, 4, NONE] {
            a.remove(&mut links, row);
        }
        b.push_back(&mut links, 2);
        assert_eq!(a.iter(&links).collect::<Vec<_>>(), [0]);
        assert_eq!(b.iter(&links).collect::<Vec<_>>(), [1, 2]);
    }

    #[test]
    fn rows_that_do_not_exist_are_ignored() {
        let mut list = List::new();
        for row in [0, 7, NONE] {
            list.push_back(&mut [], row);
            list.remove(&mut [], row);
        }
        assert!(list.is_empty());
        assert_eq!(list.pop_front(&mut []), None);
    }

    proptest! {
        /// Two lists over one slice of links behave as two queues do.
        #[test]
        fn behaves_as_a_queue(steps in prop::collection::vec((0..3u8, 0..2usize, 0..8u16), 0..200)) {
            let mut links = vec![Link::UNLINKED; 8];
            let mut lists = [List::new(), List::new()];
            let mut models = [VecDeque::new(), VecDeque::new()];
            for (step, which, row) in steps {
                let (list, other) = (&mut lists[which], 1 - which);
                match step {
                    0 if !models[other].contains(&row) => {
                        list.push_back(&mut links, row);
                        if !models[which].contains(&row) {
                            models[which].push_back(row);
                        }
                    }
                    1 if !models[other].contains(&row) => {
                        list.remove(&mut links, row);
                        models[which].retain(|&r| r != row);
                    }
                    2 => prop_assert_eq!(list.pop_front(&mut links), models[which].pop_front()),
                    _ => {}
                }
                for (list, model) in lists.iter().zip(&models) {
                    prop_assert_eq!(&list.iter(&links).collect::<VecDeque<_>>(), model);
                    prop_assert_eq!(list.len(), model.len());
                    prop_assert_eq!(list.is_empty(), model.is_empty());
                    prop_assert_eq!(list.front(), model.front().copied());
                }
            }
        }
    }
}
