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
        call(&mut stack, self.clock.now(), operation)
    }
}

/// A stack for the tasks of several threads, behind a lock: a mutex with feature `std`, else the one of the
/// [`critical-section`](https://docs.rs/critical-section) crate (the feature of this name), for the cores and the interrupts
/// of a microcontroller. A call, and a turn of a [`Runner`](super::Runner), is one critical section.
///
/// If an observer panics, the stack stands between two of its own steps and is at its end: every call then fails with
/// [`Error::NetworkDown`].
#[cfg(any(feature = "std", feature = "critical-section"))]
pub struct Locked<'a, C, O: Observer = ()> {
    stack: Lock<Stack<'a, O>>,
    clock: C,
}

#[cfg(feature = "std")]
type Lock<T> = std::sync::Mutex<T>;
#[cfg(all(feature = "critical-section", not(feature = "std")))]
type Lock<T> = critical_section::Mutex<RefCell<T>>;

#[cfg(any(feature = "std", feature = "critical-section"))]
impl<'a, C: Clock, O: Observer> Locked<'a, C, O> {
    /// Shares a stack that has its interfaces and addresses.
    pub fn new(stack: Stack<'a, O>, clock: C) -> Self {
        #[cfg(not(feature = "std"))]
        let stack = RefCell::new(stack);
        Locked {
            stack: Lock::new(stack),
            clock,
        }
    }
}

#[cfg(any(feature = "std", feature = "critical-section"))]
impl<C: Clock, O: Observer> Network for Locked<'_, C, O> {
    type Observer = O;

    #[cfg(feature = "std")]
    fn call<R>(&self, operation: impl FnOnce(&mut Stack<'_, O>) -> Result<R>) -> Result<R> {
        match self.stack.lock() {
            Ok(mut stack) => call(&mut stack, self.clock.now(), operation),
            Err(poisoned) => {
                // The pool of wakers is whole whatever happened around it: nobody shall wait for what cannot come.
                poisoned.into_inner().wake_all();
                Err(Error::NetworkDown)
            }
        }
    }

    #[cfg(not(feature = "std"))]
    fn call<R>(&self, operation: impl FnOnce(&mut Stack<'_, O>) -> Result<R>) -> Result<R> {
        critical_section::with(|section| {
            let mut stack = self.stack.borrow(section).try_borrow_mut();
            // Taken already: an observer, or a waker, calls from inside the stack.
            let stack = stack.as_mut().map_err(|_| Error::InvalidArgument)?;
            call(stack, self.clock.now(), operation)
        })
    }
}

/// A call at the present time; who drives the stack is woken for what comes of it.
fn call<'a, O: Observer, R>(
    stack: &mut Stack<'a, O>,
    now: Instant,
    operation: impl FnOnce(&mut Stack<'a, O>) -> Result<R>,
) -> Result<R> {
    stack.set_now(now);
    let result = operation(stack);
    stack.wake_driver();
    result
}
