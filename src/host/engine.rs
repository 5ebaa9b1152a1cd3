//! The stack under its lock: what application threads and the driver share.

use super::{clock, link::Links, listener::Listener};
use crate::{Error, Result, Stack, stack::InterfaceId};
use nix::sys::eventfd::EventFd;
use smoltcp::time::Instant;
use std::{
    sync::{
        Condvar, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

/// The stack of a host.
pub(crate) type HostStack = Stack<'static, Listener>;

/// Everything of a host that its lock guards.
pub(super) struct Engine {
    pub(super) stack: HostStack,
    pub(super) links: Links,
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
    pub(super) fn new(mut stack: HostStack, links: Links) -> Engine {
        stack.share(true);
        Engine {
            stack,
            links,
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
        self.links.poll(&mut self.stack, now)
    }

    /// When to end at the latest and whether there is no need to wait for it, once the host is stopping.
    pub(super) fn drains_until(&self) -> Option<(Instant, bool)> {
        match self.phase {
            Phase::Draining(until) => Some((until, self.stack.is_drained())),
            _ => None,
        }
    }

    /// As far as the servers' hardware addresses are known: nobody waits for them now.
    #[cfg(feature = "ipv4")]
    fn give_leases_back(&mut self) {
        for interface in self.links.interfaces() {
            // Where there is none, there is nothing to give back.
            let _ = self.stack.stop_dhcp(interface);
        }
        let _ = self.poll();
    }

    /// No call from now on; whether all was sent is known only of a stack that is whole. The devices are dropped, and with
    /// them what Linux holds for them.
    fn end(&mut self, is_whole: bool) {
        if !matches!(self.phase, Phase::Ended { .. }) {
            let drained = is_whole && self.stack.is_drained();
            #[cfg(feature = "ipv4")]
            if is_whole {
                self.give_leases_back();
            }
            self.phase = Phase::Ended { drained };
            self.links = Links::default();
        }
        // The pool of wakers is whole, whatever happened around it.
        self.stack.wake_all();
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

    /// One call at the present time, and then the work that it causes: a segment to send, or one that has come meanwhile.
    pub(super) fn call<R>(&self, operation: impl FnOnce(&mut HostStack) -> Result<R>) -> Result<R> {
        let _alarm = Alarm(self);
        let mut engine = self.lock();
        if engine.phase != Phase::Running || self.is_broken() {
            return Err(Error::NetworkDown);
        }
        let now = engine.now();
        engine.stack.set_now(now);
        let result = operation(&mut engine.stack);
        self.work(&mut engine);
        self.let_go(engine);
        result
    }

    /// Opens the lock, and wakes those who were to be woken: they may call.
    pub(super) fn let_go(&self, mut engine: MutexGuard<'_, Engine>) {
        let mut woken = engine.stack.woken();
        drop(engine);
        while woken.wake() {
            woken = self.lock().stack.woken();
        }
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
        engine.stack.close_all();
        // Whoever waits finds the host at its end.
        engine.stack.wake_all();
        self.work(&mut engine);
        self.wake_driver();
        self.let_go(engine);
    }

    /// An interface's device is gone: nothing takes the way over it any more.
    pub(super) fn lose(&self, interface: InterfaceId) {
        let mut engine = self.lock();
        if !self.is_broken() {
            let now = engine.now();
            engine.stack.set_now(now);
            // The stack knows the interface: it was made for the device.
            let _ = engine.stack.set_link(interface, false);
        }
        self.let_go(engine);
    }

    /// The driver's last act, also when it panics.
    pub(super) fn end(&self) {
        let mut engine = self.lock();
        engine.end(!self.is_broken());
        self.ended.notify_all();
        self.let_go(engine);
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
