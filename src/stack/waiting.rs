//! Who waits for what: wakers, in a bounded pool. A waker has a row of its own, so any number of tasks wait on one socket,
//! and one that gives up takes back its own row and no other.

mod call;

use core::mem;
use core::task::Waker;

use heapless::Vec;
use managed::ManagedSlice;
use smoltcp::time::Instant;

use super::list::{Link, List};
use super::storage::filled;
use super::{Events, Interest, LAST_MOMENT};

/// A place in a stack's pool of wakers: what a future keeps between two attempts, so that it waits once, and no longer than
/// it lives. New ones wait for nothing.
#[derive(Debug, Default)]
#[must_use = "what waits is to be given up in the end, by `Stack::stop_waiting`"]
pub struct Waiting(Option<Key>);

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Key {
    row: u16,
    generation: u32,
}

/// What is waited for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Subject {
    /// That the socket of the descriptor with this index is ready.
    Socket(u16, Interest),
    /// That one of the sockets that it [watches](Watch) has an event.
    Poll,
    /// That the lookup with this index is done.
    #[cfg(feature = "dns")]
    Lookup(u16),
    /// That the stack wants the interface with this index to be polled sooner than it said.
    Work(u8),
    /// That an address, a route or a link of this host changes.
    Configured,
    /// That one connection less has something left to send.
    Drained,
    /// A time.
    Time,
    /// Nothing any more: it is to be woken once the stack is let go of.
    Woken,
}

/// A waker's row.
struct WakerRow {
    generation: u32,
    waker: Option<Waker>,
    subject: Subject,
    /// The time that it waits for, or until which who polls the stack was told that there is nothing to do.
    at: Instant,
    /// A [`Waiting`] has it, and may give it up.
    is_kept: bool,
}

/// Who polls a socket among others, and for which events. A poll has one row, however many sockets it watches; each of those
/// remembers it.
#[derive(Clone, Copy)]
enum Watch {
    Nobody,
    /// This one, if it still waits.
    One(Key, Events),
    /// More than one, whoever they are: an event wakes all polls.
    Several(Events),
}

/// Never.
const NEVER: Instant = Instant::from_micros_const(i64::MAX);

/// How many wakers are woken in one go.
const WOKEN: usize = 8;

/// Wakers that left a shared stack, to be woken once nobody holds it: who is woken may run at once, and call.
#[must_use = "who is not woken waits for ever"]
pub(crate) struct Woken {
    wakers: Vec<Waker, WOKEN>,
    /// The last reference to a task may be among those that nobody needs any more, and the task has sockets.
    _unneeded: Option<Waker>,
}

impl Woken {
    /// Says whether there may be more.
    pub(crate) fn wake(self) -> bool {
        let is_full = self.wakers.is_full();
        self.wakers.into_iter().for_each(Waker::wake);
        is_full
    }
}

impl WakerRow {
    /// A row without a waker.
    const FREE: WakerRow = WakerRow {
        generation: 0,
        waker: None,
        subject: Subject::Woken,
        at: Instant::ZERO,
        is_kept: false,
    };
}

/// Memory for two tasks a socket, in the caller's.
pub(super) struct Memory<const SOCKETS: usize> {
    rows: Vec<[WakerRow; 2], SOCKETS>,
    links: Vec<[Link; 2], SOCKETS>,
    sockets: Vec<[List; 2], SOCKETS>,
    watches: Vec<Watch, SOCKETS>,
}

impl<const SOCKETS: usize> Memory<SOCKETS> {
    pub(super) const fn new() -> Self {
        Memory {
            rows: Vec::new(),
            links: Vec::new(),
            sockets: Vec::new(),
            watches: Vec::new(),
        }
    }

    pub(super) fn wakers(&mut self) -> Wakers<'_> {
        Wakers::new(
            filled(&mut self.rows, || [const { WakerRow::FREE }; 2]).as_flattened_mut(),
            filled(&mut self.links, || [Link::UNLINKED; 2]).as_flattened_mut(),
            filled(&mut self.sockets, || [const { List::new() }; 2]),
            filled(&mut self.watches, || Watch::Nobody),
        )
    }
}

/// The pool.
pub(super) struct Wakers<'a> {
    rows: ManagedSlice<'a, WakerRow>,
    /// Where a row stands among those that wait for the same, or among the free ones.
    links: ManagedSlice<'a, Link>,
    free: List,
    sockets: ManagedSlice<'a, [List; 2]>,
    watches: ManagedSlice<'a, Watch>,
    polls: List,
    #[cfg(feature = "dns")]
    lookups: List,
    work: List,
    drained: List,
    configured: List,
    sleepers: List,
    /// When the first of the sleepers is to be woken.
    earliest: Option<Instant>,
    /// The row that must go next where there is no free one.
    victim: u16,
    /// The stack is shared: who is to be woken waits here until it is let go of.
    is_shared: bool,
    woken: List,
    /// One more of them, which has no row.
    beside: Option<Waker>,
    unneeded: Option<Waker>,
}

impl Waiting {
    /// Whether it may have a place.
    pub(crate) fn is_waiting(&self) -> bool {
        self.0.is_some()
    }
}

impl<'a> Wakers<'a> {
    fn new(
        rows: impl Into<ManagedSlice<'a, WakerRow>>,
        links: impl Into<ManagedSlice<'a, Link>>,
        sockets: impl Into<ManagedSlice<'a, [List; 2]>>,
        watches: impl Into<ManagedSlice<'a, Watch>>,
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
            watches: watches.into(),
            polls: List::new(),
            #[cfg(feature = "dns")]
            lookups: List::new(),
            work: List::new(),
            drained: List::new(),
            configured: List::new(),
            sleepers: List::new(),
            earliest: None,
            victim: 0,
            is_shared: false,
            woken: List::new(),
            beside: None,
            unneeded: None,
        }
    }

    /// The same, for so many sockets and so many who wait.
    #[cfg(feature = "alloc")]
    pub(super) fn on_the_heap(sockets: usize, wakers: usize) -> Wakers<'static> {
        use alloc::vec;
        use alloc::vec::Vec;
        let wakers = wakers.clamp(1, usize::from(u16::MAX) - 2);
        Wakers::new(
            (0..wakers).map(|_| WakerRow::FREE).collect::<Vec<_>>(),
            vec![Link::UNLINKED; wakers],
            (0..sockets)
                .map(|_| [const { List::new() }; 2])
                .collect::<Vec<_>>(),
            vec![Watch::Nobody; sockets],
        )
    }

    fn list(&mut self, subject: Subject) -> Option<&mut List> {
        match subject {
            Subject::Socket(index, interest) => {
                let lists = self.sockets.get_mut(usize::from(index))?;
                Some(&mut lists[interest as usize])
            }
            Subject::Poll => Some(&mut self.polls),
            #[cfg(feature = "dns")]
            Subject::Lookup(_) => Some(&mut self.lookups),
            Subject::Work(_) => Some(&mut self.work),
            Subject::Drained => Some(&mut self.drained),
            Subject::Configured => Some(&mut self.configured),
            Subject::Time => Some(&mut self.sleepers),
            Subject::Woken => Some(&mut self.woken),
        }
    }

    fn front(&self, subject: Subject) -> Option<u16> {
        match subject {
            Subject::Socket(index, interest) => {
                let lists = self.sockets.get(usize::from(index))?;
                lists[interest as usize].front()
            }
            Subject::Poll => self.polls.front(),
            #[cfg(feature = "dns")]
            Subject::Lookup(_) => {
                let its = |row: &u16| self.rows.get(usize::from(*row));
                let is_its = |row: &u16| its(row).is_some_and(|row| row.subject == subject);
                self.lookups.iter(&self.links).find(is_its)
            }
            Subject::Work(_) => self.work.front(),
            Subject::Drained => self.drained.front(),
            Subject::Configured => self.configured.front(),
            Subject::Time => self.sleepers.front(),
            Subject::Woken => self.woken.front(),
        }
    }

    /// Whether anybody waits for the socket.
    pub(super) fn is_awaited(&self, socket: u16) -> bool {
        let lists = self.sockets.get(usize::from(socket));
        lists.is_some_and(|lists| lists.iter().any(|list| !list.is_empty()))
            || match self.watches.get(usize::from(socket)) {
                Some(Watch::One(key, _)) => self.is_waiting(*key),
                Some(Watch::Several(_)) => !self.polls.is_empty(),
                Some(Watch::Nobody) | None => false,
            }
    }

    /// Has `waker` woken once the subject comes true; where `waiting` waits for it already, the waker is renewed.
    fn wait(&mut self, subject: Subject, at: Instant, waiting: &mut Waiting, waker: &Waker) {
        if let Some(row) = self.row(waiting)
            && row.subject == subject
            && (row.at == at || subject != Subject::Time)
        {
            row.at = at;
            if let Some(registered) = &mut row.waker
                && !registered.will_wake(waker)
            {
                let registered = mem::replace(registered, waker.clone());
                self.discard(registered);
            }
            return;
        }
        self.give_up(waiting);
        waiting.0 = self.enter(subject, at, waker, true);
    }

    /// The same for one of many sockets: these, by their index, for these events.
    pub(super) fn wait_for_any(
        &mut self,
        sockets: impl Iterator<Item = (u16, Events)>,
        is_ready: bool,
        waiting: &mut Waiting,
        waker: &Waker,
    ) {
        if is_ready {
            self.give_up(waiting);
            return self.wake_beside(waker);
        }
        self.wait(Subject::Poll, Instant::ZERO, waiting, waker);
        // Without a row it is woken already.
        if let Some(key) = waiting.0 {
            sockets.for_each(|(index, events)| self.watch(index, key, events));
        }
    }

    fn watch(&mut self, index: u16, key: Key, events: Events) {
        let events = events | Events::UNASKED;
        let Some(watch) = self.watches.get(usize::from(index)).copied() else {
            return;
        };
        self.watches[usize::from(index)] = match watch {
            Watch::One(other, asked) if other == key => Watch::One(key, asked | events),
            Watch::One(other, asked) if self.is_waiting(other) => Watch::Several(asked | events),
            Watch::Several(asked) => Watch::Several(asked | events),
            Watch::One(..) | Watch::Nobody => Watch::One(key, events),
        };
    }

    /// The same for who keeps no [`Waiting`]: the same waker waits once.
    fn register(&mut self, subject: Subject, waker: &Waker) {
        let mut next = self.front(subject);
        while let Some(index) = next {
            let row = &self.rows[usize::from(index)];
            let is_same = |registered: &Waker| !row.is_kept && registered.will_wake(waker);
            if row.waker.as_ref().is_some_and(is_same) {
                return;
            }
            next = self.links[usize::from(index)].next();
        }
        self.enter(subject, Instant::ZERO, waker, false);
    }

    /// Puts a waker into a free row. Where there is none, another is woken for it: whoever that was tries again, and waits
    /// anew.
    fn enter(
        &mut self,
        subject: Subject,
        at: Instant,
        waker: &Waker,
        is_kept: bool,
    ) -> Option<Key> {
        if self.free.is_empty() {
            let victim = self.front(subject).unwrap_or(self.victim);
            self.victim = (victim + 1) % self.rows.len().clamp(1, usize::from(u16::MAX)) as u16;
            self.wake_row(victim);
        }
        let Some(row) = self.free.pop_front(&mut self.links) else {
            // The row is free once its waker is woken: this one tries again, too.
            self.wake_beside(waker);
            return None;
        };
        let place = self.rows.get_mut(usize::from(row))?;
        place.waker = Some(waker.clone());
        place.at = at;
        place.is_kept = is_kept;
        let generation = place.generation;
        if subject == Subject::Time {
            self.earliest = Some(self.earliest.map_or(at, |earliest| earliest.min(at)));
        }
        self.join(row, subject)?;
        Some(Key { row, generation })
    }

    fn join(&mut self, row: u16, subject: Subject) -> Option<()> {
        self.rows.get_mut(usize::from(row))?.subject = subject;
        let mut list = mem::replace(self.list(subject)?, List::new());
        list.push_back(&mut self.links, row);
        *self.list(subject)? = list;
        Some(())
    }

    /// Takes a row that has a waker out of its list.
    fn leave(&mut self, row: u16) -> Option<()> {
        let place = self.rows.get_mut(usize::from(row))?;
        place.waker.as_ref()?;
        place.generation = place.generation.wrapping_add(1);
        let (subject, at) = (place.subject, place.at);
        let mut list = mem::replace(self.list(subject)?, List::new());
        list.remove(&mut self.links, row);
        *self.list(subject)? = list;
        if subject == Subject::Time && self.earliest == Some(at) {
            let sleepers = self.sleepers.iter(&self.links);
            self.earliest = sleepers.filter_map(|row| self.time_of(row)).min();
        }
        Some(())
    }

    /// Frees a row and gives its waker.
    fn take(&mut self, row: u16) -> Option<Waker> {
        self.leave(row)?;
        self.free.push_back(&mut self.links, row);
        self.rows.get_mut(usize::from(row))?.waker.take()
    }

    /// Wakes who has a row: at once where nobody shares the stack, for then nobody can call it meanwhile.
    fn wake_row(&mut self, row: u16) -> Option<()> {
        if self.is_shared {
            self.leave(row)?;
            self.join(row, Subject::Woken)
        } else {
            self.take(row)?.wake();
            Some(())
        }
    }

    /// Wakes who has no row.
    fn wake_beside(&mut self, waker: &Waker) {
        if self.is_shared && self.beside.is_none() {
            self.beside = Some(waker.clone());
        } else {
            waker.wake_by_ref();
        }
    }

    /// Drops a waker, of a shared stack once it is let go of.
    fn discard(&mut self, waker: Waker) {
        if self.is_shared && self.unneeded.is_none() {
            self.unneeded = Some(waker);
        }
    }

    fn is_waiting(&self, key: Key) -> bool {
        let row = self.rows.get(usize::from(key.row));
        row.is_some_and(|row| row.generation == key.generation && row.waker.is_some())
    }

    fn row(&mut self, waiting: &Waiting) -> Option<&mut WakerRow> {
        let key = waiting.0.filter(|key| self.is_waiting(*key))?;
        self.rows.get_mut(usize::from(key.row))
    }

    /// Frees the row that `waiting` has, if it still has one.
    fn give_up(&mut self, waiting: &mut Waiting) {
        if self.row(waiting).is_some()
            && let Some(key) = waiting.0
            && let Some(waker) = self.take(key.row)
        {
            self.discard(waker);
        }
        waiting.0 = None;
    }

    /// Wakes all who wait for it.
    pub(super) fn wake(&mut self, subject: Subject) {
        while let Some(row) = self.front(subject)
            && self.wake_row(row).is_some()
        {}
    }

    /// Wakes those who poll a socket for any of these events.
    pub(super) fn wake_polls(&mut self, index: u16, events: Events) {
        let Some(watch) = self.watches.get_mut(usize::from(index)) else {
            return;
        };
        match *watch {
            Watch::One(key, asked) if asked.intersects(events) => {
                *watch = Watch::Nobody;
                if self.is_waiting(key) {
                    self.wake_row(key.row);
                }
            }
            Watch::Several(asked) if asked.intersects(events) => {
                *watch = Watch::Nobody;
                self.wake(Subject::Poll);
            }
            _ => {}
        }
    }

    /// Wakes all who wait for a socket.
    pub(super) fn wake_socket(&mut self, index: u16) {
        self.wake_polls(index, Events::ALL);
        self.wake(Subject::Socket(index, Interest::Readable));
        self.wake(Subject::Socket(index, Interest::Writable));
    }

    /// Wakes those whose time has come.
    pub(super) fn expire(&mut self, now: Instant) {
        while self.earliest.is_some_and(|at| at <= now) {
            let is_due = |row: &u16| self.time_of(*row) == self.earliest;
            let due = self.sleepers.iter(&self.links).find(is_due);
            if due.and_then(|row| self.wake_row(row)).is_none() {
                self.earliest = None;
            }
        }
    }

    fn time_of(&self, row: u16) -> Option<Instant> {
        self.rows.get(usize::from(row)).map(|row| row.at)
    }

    /// When the first sleeper is to be woken.
    pub(super) fn next(&self) -> Option<Instant> {
        self.earliest.filter(|at| *at <= LAST_MOMENT)
    }

    /// What those wait for who are woken by this waker.
    #[cfg(feature = "std")]
    pub(super) fn subjects(&self, waker: &Waker) -> impl Iterator<Item = Subject> {
        let is_its = |row: &&WakerRow| {
            let registered = row.waker.as_ref();
            registered.is_some_and(|registered| registered.will_wake(waker))
        };
        self.rows.iter().filter(is_its).map(|row| row.subject)
    }

    /// How many wait.
    pub(super) fn count(&self) -> usize {
        let waits = |row: &&WakerRow| row.waker.is_some() && row.subject != Subject::Woken;
        self.rows.iter().filter(waits).count()
    }
}
