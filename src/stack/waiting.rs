//! Who waits for what: wakers, in a bounded pool. A waker has a row of its own, so any number of tasks wait on one socket,
//! and one that gives up takes back its own row and no other.

use core::task::Waker;

use managed::ManagedSlice;
use smoltcp::time::Instant;

use super::list::{Link, List};
use super::resolver::Lookup;
use super::{Fd, Interest, Stack};
use crate::Result;
use crate::trace::Observer;

/// A place in a stack's pool of wakers: what a future keeps between two attempts, so that it waits once, and no longer than
/// it lives. New ones wait for nothing.
#[derive(Debug, Default)]
#[must_use = "what waits is to be given up in the end, by `Stack::stop_waiting`"]
pub struct Waiting(Option<Key>);

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Key {
    row: u16,
    generation: u32,
}

/// What is waited for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Subject {
    /// That the socket of the descriptor with this index is ready.
    Socket(u16, Interest),
    /// That the lookup with this index is done.
    Lookup(u16),
    /// That the stack wants to be polled sooner than it said.
    Work,
    /// A time.
    Time,
}

/// A waker's row.
pub(super) struct WakerRow {
    generation: u32,
    waker: Option<Waker>,
    subject: Subject,
    /// When, where it waits for a time.
    at: Instant,
}

impl WakerRow {
    /// A row without a waker.
    pub(super) const FREE: WakerRow = WakerRow {
        generation: 0,
        waker: None,
        subject: Subject::Work,
        at: Instant::ZERO,
    };
}

/// The pool.
pub(super) struct Wakers<'a> {
    rows: ManagedSlice<'a, WakerRow>,
    /// Where a row stands among those that wait for the same, or among the free ones.
    links: ManagedSlice<'a, Link>,
    free: List,
    sockets: ManagedSlice<'a, [List; 2]>,
    lookups: ManagedSlice<'a, List>,
    work: List,
    sleepers: List,
    /// When the first of the sleepers is to be woken.
    earliest: Option<Instant>,
    /// Until when those who poll the stack were told that it has nothing to do.
    idle_until: Option<Instant>,
    /// The row that must go next where there is no free one.
    victim: u16,
}

impl Waiting {
    /// Whether it may have a place.
    pub(crate) fn is_waiting(&self) -> bool {
        self.0.is_some()
    }
}

impl<'a> Wakers<'a> {
    pub(super) fn new(
        rows: impl Into<ManagedSlice<'a, WakerRow>>,
        links: impl Into<ManagedSlice<'a, Link>>,
        sockets: impl Into<ManagedSlice<'a, [List; 2]>>,
        lookups: impl Into<ManagedSlice<'a, List>>,
    ) -> Wakers<'a> {
        let (rows, mut links) = (rows.into(), links.into());
        let mut free = List::new();
        let count = rows.len().min(links.len()).min(usize::from(u16::MAX)) as u16;
        for row in 0..count {
            free.push_back(&mut links, row);
        }
        Wakers {
            rows,
            links,
            free,
            sockets: sockets.into(),
            lookups: lookups.into(),
            work: List::new(),
            sleepers: List::new(),
            earliest: None,
            idle_until: None,
            victim: 0,
        }
    }

    fn list(&mut self, subject: Subject) -> Option<&mut List> {
        match subject {
            Subject::Socket(index, interest) => {
                let lists = self.sockets.get_mut(usize::from(index))?;
                Some(&mut lists[interest as usize])
            }
            Subject::Lookup(index) => self.lookups.get_mut(usize::from(index)),
            Subject::Work => Some(&mut self.work),
            Subject::Time => Some(&mut self.sleepers),
        }
    }

    fn front(&self, subject: Subject) -> Option<u16> {
        match subject {
            Subject::Socket(index, interest) => {
                let lists = self.sockets.get(usize::from(index))?;
                lists[interest as usize].front()
            }
            Subject::Lookup(index) => self.lookups.get(usize::from(index))?.front(),
            Subject::Work => self.work.front(),
            Subject::Time => self.sleepers.front(),
        }
    }

    /// Whether anybody waits for the socket.
    pub(super) fn is_awaited(&self, socket: u16) -> bool {
        let lists = self.sockets.get(usize::from(socket));
        lists.is_some_and(|lists| lists.iter().any(|list| !list.is_empty()))
    }

    /// Has `waker` woken once the subject comes true; where `waiting` waits for it already, the waker is renewed.
    fn wait(&mut self, subject: Subject, at: Instant, waiting: &mut Waiting, waker: &Waker) {
        if let Some(row) = self.row(waiting)
            && row.subject == subject
            && row.at == at
        {
            if let Some(registered) = &mut row.waker
                && !registered.will_wake(waker)
            {
                registered.clone_from(waker);
            }
            return;
        }
        self.give_up(waiting);
        waiting.0 = self.enter(subject, at, waker);
    }

    /// The same for who keeps no [`Waiting`]: the same waker waits once.
    fn register(&mut self, subject: Subject, waker: &Waker) {
        let mut next = self.front(subject);
        while let Some(row) = next {
            let registered = self.rows[usize::from(row)].waker.as_ref();
            if registered.is_some_and(|registered| registered.will_wake(waker)) {
                return;
            }
            next = self.links[usize::from(row)].next();
        }
        self.enter(subject, Instant::ZERO, waker);
    }

    /// Puts a waker into a free row; where there is none, into that of a waker which is woken for it: whoever that was tries
    /// again, and waits anew.
    fn enter(&mut self, subject: Subject, at: Instant, waker: &Waker) -> Option<Key> {
        if self.free.is_empty() {
            let victim = self.front(subject).unwrap_or(self.victim);
            self.victim = (victim + 1) % self.rows.len().clamp(1, usize::from(u16::MAX)) as u16;
            self.take(victim)?.wake();
        }
        let Some(row) = self.free.pop_front(&mut self.links) else {
            waker.wake_by_ref();
            return None;
        };
        let place = &mut self.rows[usize::from(row)];
        place.waker = Some(waker.clone());
        place.subject = subject;
        place.at = at;
        let generation = place.generation;
        if subject == Subject::Time {
            self.earliest = Some(self.earliest.map_or(at, |earliest| earliest.min(at)));
        }
        let mut list = core::mem::replace(self.list(subject)?, List::new());
        list.push_back(&mut self.links, row);
        *self.list(subject)? = list;
        Some(Key { row, generation })
    }

    /// Frees a row and gives its waker.
    fn take(&mut self, row: u16) -> Option<Waker> {
        let place = self.rows.get_mut(usize::from(row))?;
        let waker = place.waker.take()?;
        place.generation = place.generation.wrapping_add(1);
        let (subject, at) = (place.subject, place.at);
        let mut list = core::mem::replace(self.list(subject)?, List::new());
        list.remove(&mut self.links, row);
        *self.list(subject)? = list;
        self.free.push_back(&mut self.links, row);
        if subject == Subject::Time && self.earliest == Some(at) {
            let sleepers = self.sleepers.iter(&self.links);
            self.earliest = sleepers.map(|row| self.rows[usize::from(row)].at).min();
        }
        Some(waker)
    }

    fn row(&mut self, waiting: &Waiting) -> Option<&mut WakerRow> {
        let key = waiting.0?;
        let row = self.rows.get_mut(usize::from(key.row))?;
        (row.generation == key.generation && row.waker.is_some()).then_some(row)
    }

    /// Frees the row that `waiting` has, if it still has one.
    fn give_up(&mut self, waiting: &mut Waiting) {
        if self.row(waiting).is_some()
            && let Some(key) = waiting.0
        {
            self.take(key.row);
        }
        waiting.0 = None;
    }

    /// Wakes all who wait for it.
    pub(super) fn wake(&mut self, subject: Subject) {
        while let Some(row) = self.front(subject) {
            let Some(waker) = self.take(row) else { return };
            waker.wake();
        }
    }

    /// Wakes both directions of a socket.
    pub(super) fn wake_socket(&mut self, index: u16) {
        self.wake(Subject::Socket(index, Interest::Readable));
        self.wake(Subject::Socket(index, Interest::Writable));
    }

    /// Wakes those whose time has come.
    pub(super) fn expire(&mut self, now: Instant) {
        while self.earliest.is_some_and(|at| at <= now) {
            let is_due = |row: &u16| Some(self.rows[usize::from(*row)].at) == self.earliest;
            let due = self.sleepers.iter(&self.links).find(is_due);
            let Some(waker) = due.and_then(|row| self.take(row)) else {
                self.earliest = None;
                return;
            };
            waker.wake();
        }
    }

    /// When the first sleeper is to be woken.
    pub(super) fn next(&self) -> Option<Instant> {
        self.earliest
    }

    /// How many wait.
    pub(super) fn count(&self) -> usize {
        self.rows.iter().filter(|row| row.waker.is_some()).count()
    }
}

impl<'a, O: Observer> Stack<'a, O> {
    /// Has `waker` woken, once, when the socket is (or already was) ready for what it is interested in, or failed, or was
    /// closed. Any number of wakers wait on a socket, each of them once; more of them than the stack has
    /// [room](super::Storage) for wake each other.
    pub fn register_waker(&mut self, fd: Fd, interest: Interest, waker: &Waker) -> Result<()> {
        if self.is_ready(fd, interest)? {
            waker.wake_by_ref();
        } else {
            let subject = Subject::Socket(fd.index, interest);
            self.wakers.register(subject, waker);
        }
        Ok(())
    }

    /// As [`register_waker`](Stack::register_waker), for a future: `waiting` waits once, with the waker given last, until it
    /// is woken or [stopped](Stack::stop_waiting).
    pub fn wait(
        &mut self,
        fd: Fd,
        interest: Interest,
        waiting: &mut Waiting,
        waker: &Waker,
    ) -> Result<()> {
        if self.is_ready(fd, interest)? {
            self.wakers.give_up(waiting);
            waker.wake_by_ref();
        } else {
            let subject = Subject::Socket(fd.index, interest);
            self.wakers.wait(subject, Instant::ZERO, waiting, waker);
        }
        Ok(())
    }

    /// Has `waker` woken, once, when the lookup is done or given up.
    pub fn wait_for_lookup(
        &mut self,
        lookup: Lookup,
        waiting: &mut Waiting,
        waker: &Waker,
    ) -> Result<()> {
        match self.pending_lookup(lookup)? {
            Some(index) => {
                let subject = Subject::Lookup(index);
                self.wakers.wait(subject, Instant::ZERO, waiting, waker);
            }
            None => waker.wake_by_ref(),
        }
        Ok(())
    }

    /// Has `waker` woken, once, at the first [`poll`](Stack::poll) at or after a time; says whether that time is still to
    /// come. `poll` wants to be called then.
    pub fn wait_until(&mut self, at: Instant, waiting: &mut Waiting, waker: &Waker) -> bool {
        let is_to_come = at > self.now;
        if is_to_come {
            self.wakers.wait(Subject::Time, at, waiting, waker);
        } else {
            self.wakers.give_up(waiting);
        }
        is_to_come
    }

    /// For who polls this stack and sleeps in between: until when, as [`poll`](Stack::poll) says it. Should that change, for
    /// a call that gives the stack something to do, [`wake_driver`](Stack::wake_driver) wakes `waker`.
    pub fn wait_for_work(&mut self, waiting: &mut Waiting, waker: &Waker) -> Option<Instant> {
        self.wakers
            .wait(Subject::Work, Instant::ZERO, waiting, waker);
        self.wakers.idle_until = self.next_deadline();
        self.wakers.idle_until
    }

    /// After a call: wakes who [waits for work](Stack::wait_for_work) if there is some before the time that they were told.
    pub fn wake_driver(&mut self) {
        if self.wakers.work.is_empty() {
            return;
        }
        let is_sooner = match (self.next_deadline(), self.wakers.idle_until) {
            (Some(next), Some(until)) => next < until,
            (next, None) => next.is_some(),
            (None, Some(_)) => false,
        };
        if is_sooner {
            self.wakers.wake(Subject::Work);
        }
    }

    /// Waits no longer.
    pub fn stop_waiting(&mut self, waiting: &mut Waiting) {
        self.wakers.give_up(waiting);
    }

    /// Wakes everybody: this stack is at its end.
    #[cfg(feature = "std")]
    pub(crate) fn wake_all(&mut self) {
        for row in 0..self.wakers.rows.len().min(usize::from(u16::MAX)) as u16 {
            if let Some(waker) = self.wakers.take(row) {
                waker.wake();
            }
        }
    }

    fn is_ready(&self, fd: Fd, interest: Interest) -> Result<bool> {
        let readiness = self.readiness(fd)?;
        Ok(match interest {
            Interest::Readable => readiness.readable,
            Interest::Writable => readiness.writable,
        })
    }
}
