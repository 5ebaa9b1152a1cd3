//! Where sockets find their stack: on one thread without a lock, across threads behind one.

use core::cell::RefCell;

use smoltcp::time::Instant;

use crate::trace::Observer;
use crate::{Error, Result, Stack};

/// A stack that sockets share, with a clock: what every socket of this module is over. Which one it is decides whether there
/// is a lock, by its type:
///
/// | | for | lock |
/// |---|---|---|
/// | [`Local`] | tasks on one thread: a microcontroller's main loop, `block_on`, a single-threaded executor | none |
/// | `Locked` (feature `std`) | tasks on several threads | a mutex |
/// | [`Host`](crate::host::Host) (feature `std`, Linux) | the same, with a thread that drives the stack | a mutex |
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
/// See the [module](super) for a program.
pub struct Local<'a, C, O: Observer = ()> {
    stack: RefCell<Stack<'a, O>>,
    clock: C,
}

impl<'a, C: Clock, O: Observer> Local<'a, C, O> {
    /// Shares a stack that has its interfaces and addresses.
    pub fn new(stack: Stack<'a, O>, clock: C) -> Self {
        Local {
            stack: RefCell::new(stack),
            clock,
        }
    }

    /// The stack, to be configured: a call that needs its own lifetime. [`Error::InvalidArgument`] from inside the stack.
    #[cfg(feature = "std")]
    pub(crate) fn with<R>(&self, look: impl FnOnce(&mut Stack<'a, O>) -> Result<R>) -> Result<R> {
        let mut stack = self
            .stack
            .try_borrow_mut()
            .map_err(|_| Error::InvalidArgument)?;
        look(&mut stack)
    }

    /// The stack again.
    pub fn into_inner(self) -> Stack<'a, O> {
        self.stack.into_inner()
    }
}

impl<C: Clock, O: Observer> Network for Local<'_, C, O> {
    type Observer = O;

    fn call<R>(&self, operation: impl FnOnce(&mut Stack<'_, O>) -> Result<R>) -> Result<R> {
        // Taken already: an observer, or a waker, calls from inside the stack.
        let mut stack = self
            .stack
            .try_borrow_mut()
            .map_err(|_| Error::InvalidArgument)?;
        stack.set_now(self.clock.now());
        let result = operation(&mut stack);
        stack.wake_driver();
        result
    }
}

/// A stack for the tasks of several threads, behind a mutex.
///
/// If an observer panics, the stack stands between two of its own steps and is at its end: every call then fails with
/// [`Error::NetworkDown`].
#[cfg(feature = "std")]
pub struct Locked<'a, C, O: Observer = ()> {
    stack: std::sync::Mutex<Stack<'a, O>>,
    clock: C,
}

#[cfg(feature = "std")]
impl<'a, C: Clock, O: Observer> Locked<'a, C, O> {
    /// Shares a stack that has its interfaces and addresses.
    pub fn new(stack: Stack<'a, O>, clock: C) -> Self {
        Locked {
            stack: std::sync::Mutex::new(stack),
            clock,
        }
    }
}

#[cfg(feature = "std")]
impl<C: Clock, O: Observer> Network for Locked<'_, C, O> {
    type Observer = O;

    fn call<R>(&self, operation: impl FnOnce(&mut Stack<'_, O>) -> Result<R>) -> Result<R> {
        match self.stack.lock() {
            Ok(mut stack) => {
                stack.set_now(self.clock.now());
                let result = operation(&mut stack);
                stack.wake_driver();
                result
            }
            Err(poisoned) => {
                // The pool of wakers is whole whatever happened around it: nobody shall wait for what cannot come.
                poisoned.into_inner().wake_all();
                Err(Error::NetworkDown)
            }
        }
    }
}
