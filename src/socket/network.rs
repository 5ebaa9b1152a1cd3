//! Where sockets find their stack: on one thread without a lock, across threads behind one.

use core::cell::{Cell, RefCell};

use smoltcp::time::Instant;

use crate::stack::Woken;
use crate::trace::Observer;
use crate::{Error, Result, Stack};

/// A stack that sockets share, with a clock: what every socket of this module is over. Which one it is decides whether there
/// is a lock, by its type:
///
/// | | for | lock |
/// |---|---|---|
/// | [`Local`] | tasks on one thread: a microcontroller's main loop, `block_on`, a single-threaded executor | none |
/// | `Locked` (feature `std` or `critical-section`) | tasks on several threads or cores | a mutex, or a critical section |
/// | [`Host`](../host/struct.Host.html) (feature `std`, Linux) | the same, with a thread that drives the stack | a mutex |
///
/// References to a network, and its `Rc`s and `Arc`s, are networks too.
pub trait Network {
    /// Who hears the stack's events.
    type Observer: Observer;

    /// Calls the stack at the present time, and sees to what comes of it: whoever drives the stack is woken.
    ///
    /// # Errors
    /// That of `operation`; [`Error::NetworkDown`] where the stack is at its end.
    fn call<R>(
        &self,
        operation: impl FnOnce(&mut Stack<'_, Self::Observer>) -> Result<R>,
    ) -> Result<R>;
}

macro_rules! pointer {
    ($($pointer:ty),* $(,)?) => {$(
        impl<N: Network + ?Sized> Network for $pointer {
            type Observer = N::Observer;

            fn call<R>(
                &self,
                operation: impl FnOnce(&mut Stack<'_, Self::Observer>) -> Result<R>,
            ) -> Result<R> {
                (**self).call(operation)
            }
        }
    )*};
}

pointer!(&N);
#[cfg(feature = "alloc")]
pointer!(alloc::rc::Rc<N>, alloc::sync::Arc<N>);

/// What the time is.
///
/// A function without arguments is a clock: `|| Instant::from_micros(timer.now())`. Where it starts does not matter; it never
/// goes back.
pub trait Clock {
    /// The present time.
    fn now(&self) -> Instant;
}

impl<F: Fn() -> Instant> Clock for F {
    fn now(&self) -> Instant {
        self()
    }
}

/// A stack for the tasks of one thread. There is no lock, and so no waiting for one.
///
/// An observer that calls a socket of the network it hears of is inside the stack already: it gets
/// [`Error::InvalidArgument`]. Wakers may call, for they are woken when the stack is let go of. If an observer panics, the stack
/// stands between two of its own steps and is at its end: every call, waiting or new, then fails with [`Error::NetworkDown`].
///
/// Where its type is to be written, it is `Local<'static>`, unless the clock is more than a function or somebody observes.
/// See the [module](super) for a program.
pub struct Local<'a, C = fn() -> Instant, O: Observer = ()> {
    stack: RefCell<Stack<'a, O>>,
    is_broken: Cell<bool>,
    clock: C,
}

impl<'a, C: Clock, O: Observer> Local<'a, C, O> {
    /// Shares a stack that has its interfaces and addresses.
    pub fn new(mut stack: Stack<'a, O>, clock: C) -> Self {
        stack.share(true);
        Local {
            stack: RefCell::new(stack),
            is_broken: Cell::new(false),
            clock,
        }
    }

    /// [`call`](Network::call) for what needs the stack's own lifetime.
    pub(crate) fn with<R>(
        &self,
        operation: impl FnOnce(&mut Stack<'a, O>) -> Result<R>,
    ) -> Result<R> {
        if self.is_broken.get() {
            return Err(Error::NetworkDown);
        }
        let now = self.clock.now();
        let broken;
        // Taken already: an observer calls from inside the stack.
        let mut stack = self
            .stack
            .try_borrow_mut()
            .map_err(|_| Error::InvalidArgument)?;
        broken = Broken(self);
        let (result, woken) = call(&mut stack, now, operation);
        drop(stack);
        core::mem::forget(broken);
        self.wake(woken);
        result
    }

    /// The stack again.
    pub fn into_inner(self) -> Stack<'a, O> {
        let mut stack = self.stack.into_inner();
        stack.share(false);
        stack
    }
}

impl<C, O: Observer> Local<'_, C, O> {
    fn wake(&self, mut woken: Woken) {
        while woken.wake()
            && let Ok(mut stack) = self.stack.try_borrow_mut()
        {
            woken = stack.woken();
        }
    }
}

/// Nobody shall wait for what cannot come: where a call does not come to its end, the network does. To be made before the
/// stack is taken, so that it is dropped after it.
struct Broken<'l, 'a, C, O: Observer>(&'l Local<'a, C, O>);

impl<C, O: Observer> Drop for Broken<'_, '_, C, O> {
    fn drop(&mut self) {
        self.0.is_broken.set(true);
        if let Ok(mut stack) = self.0.stack.try_borrow_mut() {
            stack.wake_all();
            let woken = stack.woken();
            drop(stack);
            self.0.wake(woken);
        }
    }
}

impl<C: Clock, O: Observer> Network for Local<'_, C, O> {
    type Observer = O;

    fn call<R>(&self, operation: impl FnOnce(&mut Stack<'_, O>) -> Result<R>) -> Result<R> {
        self.with(operation)
    }
}

/// A call at the present time, and who is to be woken for what came of it once the stack is let go of: who waits for a socket,
/// and who drives the stack.
pub(super) fn call<'a, O: Observer, R>(
    stack: &mut Stack<'a, O>,
    now: Instant,
    operation: impl FnOnce(&mut Stack<'a, O>) -> Result<R>,
) -> (Result<R>, Woken) {
    stack.set_now(now);
    let result = operation(stack);
    stack.wake_driver();
    (result, stack.woken())
}
