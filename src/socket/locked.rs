//! A stack behind a lock.

use smoltcp::time::Instant;

use super::network::{Clock, Network, call};
#[cfg(feature = "std")]
use crate::stack::Woken;
use crate::trace::Observer;
use crate::{Error, Result, Stack};

#[cfg(feature = "std")]
type Lock<T> = std::sync::Mutex<T>;
#[cfg(not(feature = "std"))]
type Lock<T> = critical_section::Mutex<core::cell::RefCell<T>>;

/// A stack for the tasks of several threads, behind a lock: a mutex with feature `std`, else the one of the
/// [`critical-section`](https://docs.rs/critical-section) crate (the feature of this name), for the cores and the interrupts
/// of a microcontroller. A call, and a turn of a [`Runner`](super::Runner), is one critical section then. Where its type is to
/// be written, it is `Locked<'static>`, unless the clock is more than a function or somebody observes.
///
/// If an observer panics, the stack stands between two of its own steps and is at its end: every call, waiting or new, then
/// fails with [`Error::NetworkDown`]. An observer must not call the sockets of the network it hears of: that would wait for
/// itself, or without `std` be an [`Error::InvalidArgument`]. Wakers may, for they are woken when the lock is open.
pub struct Locked<'a, C = fn() -> Instant, O: Observer = ()> {
    stack: Lock<Stack<'a, O>>,
    clock: C,
}

impl<'a, C: Clock, O: Observer> Locked<'a, C, O> {
    /// Shares a stack that has its interfaces and addresses.
    pub fn new(mut stack: Stack<'a, O>, clock: C) -> Self {
        stack.share(true);
        #[cfg(not(feature = "std"))]
        let stack = core::cell::RefCell::new(stack);
        Locked {
            stack: Lock::new(stack),
            clock,
        }
    }
}

#[cfg(feature = "std")]
impl<'a, C, O: Observer> Locked<'a, C, O> {
    /// The pool of wakers is whole, whatever happened around it.
    fn lock(&self) -> std::sync::MutexGuard<'_, Stack<'a, O>> {
        self.stack
            .lock()
            .unwrap_or_else(std::sync::PoisonError::into_inner)
    }

    fn wake(&self, mut woken: Woken) {
        while woken.wake() {
            woken = self.lock().woken();
        }
    }
}

/// Wakes everybody if an observer panics: nobody shall wait for what cannot come. To be made before the lock is taken, so
/// that it is dropped after the lock.
#[cfg(feature = "std")]
struct Alarm<'l, 'a, C, O: Observer>(&'l Locked<'a, C, O>);

#[cfg(feature = "std")]
impl<C, O: Observer> Drop for Alarm<'_, '_, C, O> {
    fn drop(&mut self) {
        if self.0.stack.is_poisoned() {
            let mut stack = self.0.lock();
            stack.wake_all();
            let woken = stack.woken();
            drop(stack);
            self.0.wake(woken);
        }
    }
}

#[cfg(feature = "std")]
impl<C: Clock, O: Observer> Network for Locked<'_, C, O> {
    type Observer = O;

    fn call<R>(&self, operation: impl FnOnce(&mut Stack<'_, O>) -> Result<R>) -> Result<R> {
        let _alarm = Alarm(self);
        let mut stack = self.stack.lock().map_err(|_| Error::NetworkDown)?;
        let (result, woken) = call(&mut stack, self.clock.now(), operation);
        drop(stack);
        self.wake(woken);
        result
    }
}

#[cfg(not(feature = "std"))]
impl<C: Clock, O: Observer> Network for Locked<'_, C, O> {
    type Observer = O;

    fn call<R>(&self, operation: impl FnOnce(&mut Stack<'_, O>) -> Result<R>) -> Result<R> {
        let (result, mut woken) = critical_section::with(|section| {
            let mut stack = self.stack.borrow(section).try_borrow_mut();
            // Taken already: an observer calls from inside the stack.
            let stack = stack.as_mut().map_err(|_| Error::InvalidArgument)?;
            Ok(call(stack, self.clock.now(), operation))
        })?;
        while woken.wake() {
            woken = critical_section::with(|section| {
                let mut stack = self.stack.borrow(section).try_borrow_mut();
                let stack = stack.as_mut().map_err(|_| Error::InvalidArgument)?;
                Ok::<_, Error>(stack.woken())
            })?;
        }
        result
    }
}
