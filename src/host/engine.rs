//! The stack under its lock: what application threads and the driver share.

use super::{
    clock,
    draining::Draining,
    link::Link,
    waiter::{Deadline, Waiter, Waiters},
};
use crate::{Error, Fd, Result, Stack};
use nix::sys::eventfd::EventFd;
use smoltcp::time::Instant;
use std::{
    collections::HashMap,
    io,
    sync::{
        Condvar, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    task::Waker,
    time::Duration,
};

/// The stack of a host.
pub(crate) type HostStack = Stack<'static, Draining>;

/// Everything of a host that its lock guards.
pub(super) struct Engine {
    pub(super) stack: HostStack,
    link: Box<dyn Link>,
    /// The open sockets and who waits on them. Bounded by `Capacity::sockets`.
    open: HashMap<Fd, Waiters>,
    /// The deadline that the driver sleeps towards; `None`: until it is woken.
    pub(super) sleeps_until: Option<Instant>,
    phase: Phase,
}

/// The life of a host.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Phase {
    Running,
    /// All sockets are closed; what they had queued may still leave until then.
    Draining(Instant),
    Ended {
        drained: bool,
    },
}

impl Engine {
    pub(super) fn new(stack: HostStack, link: Box<dyn Link>) -> Engine {
        Engine {
            stack,
            link,
            open: HashMap::new(),
            // The driver's first turn is due at once, and learns the next deadline by itself.
            sleeps_until: Some(Instant::ZERO),
            phase: Phase::Running,
        }
    }

    pub(super) fn now(&self) -> Instant {
        clock::now()
    }

    /// Does what is due; the next deadline.
    pub(super) fn poll(&mut self) -> Option<Instant> {
        let now = self.now();
        self.link.poll(&mut self.stack, now)
    }

    /// When to end at the latest and whether there is no need to wait for it, once the host is stopping.
    pub(super) fn drains_until(&mut self) -> Option<(Instant, bool)> {
        match self.phase {
            Phase::Draining(until) => Some((until, self.stack.observer().is_done())),
            _ => None,
        }
    }

    /// Takes note of a socket, under the lock under which it was made: the end of the host misses none.
    pub(super) fn opened(&mut self, fd: Fd) -> Waiters {
        let waiters = Waiters::default();
        self.open.insert(fd, waiters.clone());
        waiters
    }

    /// No call from now on; whether all was sent is known only of a stack that is whole. The device is dropped, and with it
    /// what Linux holds for it.
    fn end(&mut self, is_whole: bool) {
        if !matches!(self.phase, Phase::Ended { .. }) {
            let drained = is_whole && self.stack.observer().is_done();
            self.phase = Phase::Ended { drained };
            self.link = Box::new(super::link::Loopback);
        }
        for (_, waiters) in self.open.drain() {
            waiters.wake();
        }
    }
}

/// What the handles of a host and its driver share.
pub(super) struct Shared {
    engine: Mutex<Engine>,
    /// Ends the driver's sleep.
    pub(super) wake: EventFd,
    ended: Condvar,
    pub(super) turns: AtomicU64,
}

impl Shared {
    pub(super) fn new(engine: Engine, wake: EventFd) -> Shared {
        Shared {
            engine: Mutex::new(engine),
            wake,
            ended: Condvar::new(),
            turns: AtomicU64::new(0),
        }
    }

    /// Who calls the stack under the lock sounds the [`Alarm`], and does not call it once it is [broken](Shared::is_broken).
    pub(super) fn lock(&self) -> MutexGuard<'_, Engine> {
        self.engine.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// An observer or a device panicked under the lock: the stack stands between two of its own steps, and the host is at its end.
    pub(super) fn is_broken(&self) -> bool {
        self.engine.is_poisoned()
    }

    pub(super) fn turns(&self) -> u64 {
        self.turns.load(Ordering::Relaxed)
    }

    pub(super) fn call<R>(
        &self,
        operation: impl FnOnce(&mut Engine) -> Result<R>,
    ) -> io::Result<R> {
        let _alarm = Alarm(self);
        Ok(self.attempt(&mut self.lock(), operation)??)
    }

    /// Tries `operation` until it does not say `WouldBlock`; `register` asks the stack to wake `waiter` when it is worth another
    /// attempt. At the deadline the error is `WouldBlock`, as from a socket of the kernel.
    pub(super) fn block<R>(
        &self,
        waiter: &Waiter,
        deadline: Deadline,
        mut operation: impl FnMut(&mut Engine) -> Result<R>,
        register: impl Fn(&mut HostStack, &Waker) -> Result<()>,
    ) -> io::Result<R> {
        let _alarm = Alarm(self);
        let mut engine = self.lock();
        loop {
            let seen = waiter.wakes();
            match self.attempt(&mut engine, &mut operation)? {
                Err(Error::WouldBlock) => {}
                result => return Ok(result?),
            }
            if deadline.remaining() == Some(Duration::ZERO) {
                return Err(Error::WouldBlock.into());
            }
            register(&mut engine.stack, waiter.waker())?;
            while waiter.wakes() == seen {
                let left = deadline.remaining();
                if left == Some(Duration::ZERO) {
                    return Err(Error::WouldBlock.into());
                }
                engine = waiter.wait(engine, left);
            }
        }
    }

    /// One call at the present time, and then the work that it causes: a segment to send, or one that has come meanwhile.
    fn attempt<R>(
        &self,
        engine: &mut Engine,
        operation: impl FnOnce(&mut Engine) -> Result<R>,
    ) -> io::Result<Result<R>> {
        if engine.phase != Phase::Running || self.is_broken() {
            return Err(io::Error::new(
                io::ErrorKind::NetworkDown,
                "the host was shut down",
            ));
        }
        let now = engine.now();
        engine.stack.set_now(now);
        let result = operation(engine);
        self.work(engine);
        Ok(result)
    }

    /// Does what is due in this thread, and wakes the driver if it would sleep past the next deadline.
    fn work(&self, engine: &mut Engine) {
        let next = engine.poll();
        let earlier = match (next, engine.sleeps_until) {
            (Some(next), Some(until)) => next < until,
            (next, None) => next.is_some(),
            (None, _) => false,
        };
        if earlier {
            engine.sleeps_until = next;
            self.wake_driver();
        }
    }

    fn wake_driver(&self) {
        // It fails only when the counter is about to overflow: then the driver is awake already.
        let _ = self.wake.write(1);
    }

    pub(super) fn close(&self, fd: Fd) {
        let _alarm = Alarm(self);
        let mut engine = self.lock();
        let is_open = engine.open.remove(&fd).is_some();
        if !is_open || matches!(engine.phase, Phase::Ended { .. }) || self.is_broken() {
            return;
        }
        let now = engine.now();
        engine.stack.set_now(now);
        // A descriptor in the table is open: close has no other error.
        let _ = engine.stack.close(fd);
        self.work(&mut engine);
        if engine.phase != Phase::Running {
            self.wake_driver();
        }
    }

    /// Closes all sockets and lets the driver end when all is sent, or after `linger`.
    pub(super) fn stop(&self, linger: Duration) {
        let _alarm = Alarm(self);
        let mut engine = self.lock();
        if engine.phase != Phase::Running || self.is_broken() {
            return;
        }
        let now = engine.now();
        let linger = smoltcp::time::Duration::from_micros(
            // Half of what the clock can hold, lest the sum overflow.
            u64::try_from(linger.as_micros())
                .unwrap_or(u64::MAX)
                .min(i64::MAX as u64 / 2),
        );
        engine.phase = Phase::Draining(now + linger);
        engine.stack.set_now(now);
        let open = std::mem::take(&mut engine.open);
        for (fd, waiters) in open {
            // As above.
            let _ = engine.stack.close(fd);
            waiters.wake();
        }
        self.work(&mut engine);
        self.wake_driver();
    }

    /// The driver's last act, also when it panics.
    pub(super) fn end(&self) {
        self.lock().end(!self.is_broken());
        self.ended.notify_all();
    }

    /// Waits for [`end`](Shared::end); whether all was sent by then.
    pub(super) fn wait_for_end(&self) -> bool {
        let mut engine = self.lock();
        loop {
            if let Phase::Ended { drained } = engine.phase {
                return drained;
            }
            engine = self
                .ended
                .wait(engine)
                .unwrap_or_else(PoisonError::into_inner);
        }
    }
}

/// Wakes the driver if this thread panics in the stack: the driver then ends the host, and nobody waits for what cannot come.
///
/// To be declared before the lock is taken, so that it is dropped after the lock.
struct Alarm<'a>(&'a Shared);

impl Drop for Alarm<'_> {
    fn drop(&mut self) {
        if self.0.is_broken() {
            self.0.wake_driver();
        }
    }
}
