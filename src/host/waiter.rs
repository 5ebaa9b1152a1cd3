//! Where threads wait for a socket, and how the stack wakes them.

use crate::stack::Interest;
use std::{
    sync::{
        Arc, Condvar, MutexGuard, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    task::{Wake, Waker},
    time::{Duration, Instant},
};

/// One place to wait, for any number of threads.
///
/// The stack calls its wakers under the engine's lock, and a thread reads `wakes` under the same lock before it tries its call:
/// a wake between that attempt and the wait shows as a changed count, so none is lost.
#[derive(Debug, Clone)]
pub(crate) struct Waiter {
    place: Arc<Place>,
    waker: Waker,
}

#[derive(Debug, Default)]
struct Place {
    wakes: AtomicU64,
    condvar: Condvar,
}

impl Wake for Place {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        self.wakes.fetch_add(1, Ordering::Relaxed);
        self.condvar.notify_all();
    }
}

impl Default for Waiter {
    fn default() -> Waiter {
        let place = Arc::new(Place::default());
        // Threads that wait together register the same waker, and the stack must know it again (`Waker::will_wake`): that is
        // sure among the clones of a clone, but not between the first waker and its clones.
        let first = Waker::from(place.clone());
        #[allow(clippy::redundant_clone)]
        let waker = first.clone();
        Waiter { place, waker }
    }
}

impl Waiter {
    /// What the stack is to wake.
    pub(super) fn waker(&self) -> &Waker {
        &self.waker
    }

    /// How often this waiter was woken so far.
    pub(super) fn wakes(&self) -> u64 {
        self.place.wakes.load(Ordering::Relaxed)
    }

    /// Gives the lock up until a wake, or for `timeout` at most; it may also return early.
    pub(super) fn wait<'a, T>(
        &self,
        guard: MutexGuard<'a, T>,
        timeout: Option<Duration>,
    ) -> MutexGuard<'a, T> {
        let condvar = &self.place.condvar;
        // Whoever tries the stack again looks at the poison first: see `Shared::is_broken`.
        match timeout {
            None => condvar.wait(guard).unwrap_or_else(PoisonError::into_inner),
            Some(timeout) => {
                condvar
                    .wait_timeout(guard, timeout)
                    .unwrap_or_else(PoisonError::into_inner)
                    .0
            }
        }
    }
}

/// A socket's two waiters: a reader and a writer do not wake each other.
#[derive(Debug, Clone, Default)]
pub(crate) struct Waiters {
    readable: Waiter,
    writable: Waiter,
}

impl Waiters {
    pub(super) fn of(&self, interest: Interest) -> &Waiter {
        match interest {
            Interest::Readable => &self.readable,
            Interest::Writable => &self.writable,
        }
    }

    /// Lets every waiting thread try again.
    pub(super) fn wake(&self) {
        self.readable.waker.wake_by_ref();
        self.writable.waker.wake_by_ref();
    }
}

/// The moment at which a blocked call gives up.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Deadline(Option<Instant>);

impl Deadline {
    /// Waits as long as it takes.
    pub(crate) const NEVER: Deadline = Deadline(None);

    /// A timeout from now on. `None`, or one beyond what the clock can hold, is never.
    pub(crate) fn after(timeout: Option<Duration>) -> Deadline {
        Deadline(timeout.and_then(|timeout| Instant::now().checked_add(timeout)))
    }

    /// Does not wait at all.
    pub(crate) fn now() -> Deadline {
        Deadline(Some(Instant::now()))
    }

    /// What is left: `None` is forever.
    pub(super) fn remaining(self) -> Option<Duration> {
        self.0
            .map(|end| end.saturating_duration_since(Instant::now()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_wake_counts_even_when_nobody_waits_yet() {
        let waiter = Waiter::default();
        let seen = waiter.wakes();
        waiter.waker().wake_by_ref();
        assert_ne!(waiter.wakes(), seen);
    }

    #[test]
    fn a_stack_knows_its_waker_again() {
        let waiter = Waiter::default();
        let registered = waiter.clone().waker().clone();
        assert!(registered.will_wake(waiter.waker()));
        assert!(!registered.will_wake(Waiter::default().waker()));
    }

    #[test]
    fn an_unreachable_deadline_is_never() {
        let never = Deadline::after(Some(Duration::MAX));
        assert_eq!(never.remaining(), None);
        assert_eq!(Deadline::now().remaining(), Some(Duration::ZERO));
    }
}
