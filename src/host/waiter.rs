//! How a thread waits for a future, and until when.

use std::{
    cell::Cell,
    future::Future,
    pin::pin,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    task::{Context, Poll, Wake, Waker},
    thread::{self, Thread},
    time::{Duration, Instant},
};

/// Waits for a future in this thread, parked in between. `None`: its time was up, and it was dropped.
pub(crate) fn wait<F: Future>(future: F, deadline: Deadline) -> Option<F::Output> {
    // Who waits inside another wait of this thread (a waker may drop what flushes a socket) has a bell of its own, lest it take
    // the other's rings.
    let bell = BELL.try_with(Cell::take).ok().flatten();
    let bell = bell.unwrap_or_else(Bell::new);
    let output = wait_for(future, deadline, &bell);
    // A thread at its end has no place for it.
    let _ = BELL.try_with(|place| place.set(Some(bell)));
    output
}

fn wait_for<F: Future>(future: F, deadline: Deadline, bell: &Arc<Bell>) -> Option<F::Output> {
    let mut future = pin!(future);
    let waker = Waker::from(bell.clone());
    let mut context = Context::from_waker(&waker);
    loop {
        if let Poll::Ready(output) = future.as_mut().poll(&mut context) {
            return Some(output);
        }
        while !bell.has_rung.swap(false, Ordering::Acquire) {
            match deadline.remaining() {
                Some(Duration::ZERO) => return None,
                Some(left) => thread::park_timeout(left),
                None => thread::park(),
            }
        }
    }
}

/// Wakes a parked thread. A wake before it parks counts: it looks before, and the park then ends at once.
struct Bell {
    thread: Thread,
    has_rung: AtomicBool,
}

thread_local! {
    /// One for all waits of a thread: a wake of the one before is one try too many.
    static BELL: Cell<Option<Arc<Bell>>> = const { Cell::new(None) };
}

impl Bell {
    fn new() -> Arc<Bell> {
        Arc::new(Bell {
            thread: thread::current(),
            has_rung: AtomicBool::new(false),
        })
    }
}

impl Wake for Bell {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        self.has_rung.store(true, Ordering::Release);
        self.thread.unpark();
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
    use std::future::{pending, poll_fn};

    #[test]
    fn a_wake_counts_even_when_the_thread_is_not_parked_yet() {
        let mut polls = 0;
        let twice = poll_fn(|context| {
            polls += 1;
            context.waker().wake_by_ref();
            if polls == 2 {
                Poll::Ready(polls)
            } else {
                Poll::Pending
            }
        });
        assert_eq!(wait(twice, Deadline::NEVER), Some(2));
    }

    #[test]
    fn a_wait_inside_a_wait_takes_no_ring_of_the_other() {
        let mut is_rung = false;
        let outer = poll_fn(|context| {
            if is_rung {
                return Poll::Ready(wait(pending::<()>(), Deadline::now()));
            }
            is_rung = true;
            context.waker().wake_by_ref();
            let _ = wait(pending::<()>(), Deadline::now());
            Poll::Pending
        });
        let soon = Deadline::after(Some(Duration::from_secs(60)));
        assert_eq!(wait(outer, soon), Some(None));
    }

    #[test]
    fn what_has_no_time_is_tried_once() {
        assert_eq!(wait(async { 7 }, Deadline::now()), Some(7));
        assert_eq!(wait(pending::<()>(), Deadline::now()), None);
    }

    #[test]
    fn an_unreachable_deadline_is_never() {
        let never = Deadline::after(Some(Duration::MAX));
        assert_eq!(never.remaining(), None);
        assert_eq!(Deadline::now().remaining(), Some(Duration::ZERO));
    }
}
