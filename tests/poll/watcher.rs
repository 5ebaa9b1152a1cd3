//! One who waits for many sockets, and counts how often it is woken.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Wake, Waker};

use glasstack::Fd;
use glasstack::Stack;
use glasstack::stack::{Events, PollFd, Waiting};
use glasstack::trace::Observer;

#[derive(Default)]
struct Bell(AtomicUsize);

impl Wake for Bell {
    fn wake(self: Arc<Self>) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }
}

pub(crate) struct Watcher {
    bell: Arc<Bell>,
    waiting: Waiting,
    pub(crate) rows: Vec<PollFd>,
}

impl Watcher {
    pub(crate) fn new(rows: &[(Fd, Events)]) -> Watcher {
        let rows = rows.iter().map(|(fd, events)| PollFd::new(*fd, *events));
        Watcher {
            bell: Arc::default(),
            waiting: Waiting::default(),
            rows: rows.collect(),
        }
    }

    /// What there is for it now.
    pub(crate) fn ready<O: Observer>(&mut self, stack: &mut Stack<'_, O>) -> usize {
        stack.poll_fds(&mut self.rows)
    }

    /// Begins to wait, or goes on to.
    pub(crate) fn wait<O: Observer>(&mut self, stack: &mut Stack<'_, O>) {
        let waker = Waker::from(self.bell.clone());
        stack.wait_for_any(&self.rows, &mut self.waiting, &waker);
    }

    /// Begins to wait for what is not there yet.
    pub(crate) fn begin<O: Observer>(stack: &mut Stack<'_, O>, rows: &[(Fd, Events)]) -> Watcher {
        let mut watcher = Watcher::new(rows);
        assert_eq!(watcher.ready(stack), 0, "{:?}", watcher.rows);
        watcher.wait(stack);
        assert_eq!(watcher.rings(), 0);
        watcher
    }

    pub(crate) fn stop<O: Observer>(&mut self, stack: &mut Stack<'_, O>) {
        stack.stop_waiting(&mut self.waiting);
    }

    pub(crate) fn rings(&self) -> usize {
        self.bell.0.load(Ordering::Relaxed)
    }

    /// How many hold its waker beside itself.
    pub(crate) fn holders(&self) -> usize {
        Arc::strong_count(&self.bell) - 1
    }
}
