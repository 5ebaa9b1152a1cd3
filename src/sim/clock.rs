//! Virtual time: it stands still while anything can be done, then leaps to what is due next.

use std::{
    cell::{Cell, RefCell},
    collections::BTreeSet,
    rc::Rc,
    task::{Context, Poll, Waker},
    time::Duration,
};

use smoltcp::time::Instant;

use crate::{
    device::{Absent, WireEnd},
    socket::{Clock, Wait},
    stack::LAST_MOMENT,
};

/// So long after `start`. What no clock can hold is its last moment, which is as good as never.
pub(super) fn later(start: Instant, time: Duration) -> Instant {
    let micros = i64::try_from(time.as_micros()).unwrap_or(i64::MAX);
    let at = start.total_micros().saturating_add(micros);
    Instant::from_micros(at).min(LAST_MOMENT)
}

/// The clock of a simulation, and who sleeps until when.
pub(super) struct Time {
    now: Cell<Instant>,
    sleepers: RefCell<Vec<Sleeper>>,
    /// Numbers of those who are gone.
    free: RefCell<Vec<usize>>,
    /// In the order of their times; of equals the first who began to sleep at all, for the same run every time.
    due: RefCell<BTreeSet<(Instant, usize)>>,
}

struct Sleeper {
    at: Option<Instant>,
    waker: Waker,
}

impl Time {
    pub(super) fn new() -> Time {
        Time {
            now: Cell::new(Instant::ZERO),
            sleepers: RefCell::default(),
            free: RefCell::default(),
            due: RefCell::default(),
        }
    }

    pub(super) fn now(&self) -> Instant {
        self.now.get()
    }

    /// When the first sleeper is to be woken.
    pub(super) fn next(&self) -> Option<Instant> {
        self.due.borrow().first().map(|(at, _)| *at)
    }

    /// Lets it be that late, and wakes those whose time has come.
    pub(super) fn leap(&self, to: Instant) {
        self.now.set(self.now().max(to));
        loop {
            let first = self.due.borrow().first().copied();
            let Some((_, number)) = first.filter(|(at, _)| *at <= self.now()) else {
                return;
            };
            self.set(number, None, Waker::noop());
        }
    }

    /// A sleeper more, by its number.
    fn enter(&self) -> usize {
        if let Some(number) = self.free.borrow_mut().pop() {
            return number;
        }
        let mut sleepers = self.sleepers.borrow_mut();
        sleepers.push(Sleeper {
            at: None,
            waker: Waker::noop().clone(),
        });
        sleepers.len() - 1
    }

    /// From now on the sleeper sleeps until then; with `None` it is woken.
    fn set(&self, number: usize, at: Option<Instant>, waker: &Waker) {
        let mut sleepers = self.sleepers.borrow_mut();
        let mut due = self.due.borrow_mut();
        let Some(sleeper) = sleepers.get_mut(number) else {
            return;
        };
        if let Some(old) = sleeper.at.take() {
            due.remove(&(old, number));
        }
        match at {
            Some(at) => {
                due.insert((at, number));
                sleeper.at = Some(at);
                sleeper.waker.clone_from(waker);
            }
            None => sleeper.waker.wake_by_ref(),
        }
    }

    /// The sleeper sleeps no more, and is not woken.
    fn leave(&self, number: usize) {
        let mut sleepers = self.sleepers.borrow_mut();
        if let Some(sleeper) = sleepers.get_mut(number) {
            sleeper.waker = Waker::noop().clone();
            if let Some(old) = sleeper.at.take() {
                self.due.borrow_mut().remove(&(old, number));
            }
        }
    }
}

/// What a host reads the time from.
#[derive(Clone)]
pub struct VirtualClock(pub(super) Rc<Time>);

impl Clock for VirtualClock {
    fn now(&self) -> Instant {
        self.0.now()
    }
}

/// Waits in virtual time.
pub(super) struct Virtual {
    time: Rc<Time>,
    number: usize,
}

impl Virtual {
    pub(super) fn new(time: Rc<Time>) -> Virtual {
        let number = time.enter();
        Virtual { time, number }
    }

    /// Sleeps until then, whatever else wakes.
    pub(super) fn sleep(&self, until: Option<Instant>, waker: &Waker) -> Poll<()> {
        match until {
            Some(at) if at <= self.time.now() => return Poll::Ready(()),
            Some(at) => self.time.set(self.number, Some(at), waker),
            None => self.time.leave(self.number),
        }
        Poll::Pending
    }
}

impl Wait<Absent> for Virtual {
    fn poll_wait(
        &mut self,
        _: &mut Absent,
        until: Option<Instant>,
        context: &mut Context<'_>,
    ) -> Poll<()> {
        self.sleep(until, context.waker())
    }
}

impl Wait<WireEnd> for Virtual {
    fn poll_wait(
        &mut self,
        end: &mut WireEnd,
        until: Option<Instant>,
        context: &mut Context<'_>,
    ) -> Poll<()> {
        end.register_waker(context.waker());
        let until = [until, end.next_arrival()].into_iter().flatten().min();
        self.sleep(until, context.waker())
    }
}

impl Drop for Virtual {
    fn drop(&mut self) {
        self.time.leave(self.number);
        self.time.free.borrow_mut().push(self.number);
    }
}
