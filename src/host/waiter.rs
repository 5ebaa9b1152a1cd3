//! Where threads wait for a socket, and how the stack wakes them.

use crate::stack::Interest;
use std::{
    sync::{
        Arc, Condvar,
        atomic::{AtomicU64, Ordering},
    },
    task::Wake,
    time::{Duration, Instant},
};

/// One place to wait, for any number of threads.
///
/// The stack calls its wakers under the engine's lock, and a thread reads `wakes` under the same lock before it tries its call:
/// a wake between that attempt and the wait shows as a changed count, so none is lost.
#[derive(Debug, Default)]
pub(crate) struct Waiter {
    wakes: AtomicU64,
    pub(super) condvar: Condvar,
}

impl Waiter {
    /// How often this waiter was woken so far.
    pub(super) fn wakes(&self) -> u64 {
        self.wakes.load(Ordering::Relaxed)
    }

    /// Lets every waiting thread try again.
    pub(super) fn notify(&self) {
        self.wakes.fetch_add(1, Ordering::Relaxed);
        self.condvar.notify_all();
    }
}

impl Wake for Waiter {
    fn wake(self: Arc<Self>) {
        self.notify();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        self.notify();
    }
}

/// A socket's two waiters: a reader and a writer do not wake each other.
#[derive(Debug, Clone, Default)]
pub(crate) struct Waiters {
    readable: Arc<Waiter>,
    writable: Arc<Waiter>,
}

impl Waiters {
    pub(super) fn of(&self, interest: Interest) -> &Arc<Waiter> {
        match interest {
            Interest::Readable => &self.readable,
            Interest::Writable => &self.writable,
        }
    }

    pub(super) fn notify(&self) {
        self.readable.notify();
        self.writable.notify();
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
    use std::task::Waker;

    #[test]
    fn a_wake_counts_even_when_nobody_waits_yet() {
        let waiter = Arc::new(Waiter::default());
        let seen = waiter.wakes();
        Waker::from(waiter.clone()).wake();
        assert_ne!(waiter.wakes(), seen);
    }

    #[test]
    fn an_unreachable_deadline_is_never() {
        assert!(Deadline::after(Some(Duration::MAX)).remaining().is_none());
        assert_eq!(Deadline::now().remaining(), Some(Duration::ZERO));
    }
}
