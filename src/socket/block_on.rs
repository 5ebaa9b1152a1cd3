//! An executor for one future, for those who have none.

use core::cell::Cell;
use core::future::Future;
use core::pin::pin;
use core::task::{Context, Poll, Waker};

use smoltcp::time::Instant;

use super::flag::Flag;
use super::runner::Wait;

/// How [`block_on`] sleeps.
pub trait Park {
    /// What ends the sleep.
    fn waker(&self) -> Waker;

    /// Sleeps until the waker is woken, or was since the last sleep; may return too early.
    fn park(&self);
}

impl<P: Park + ?Sized> Park for &P {
    fn waker(&self) -> Waker {
        (**self).waker()
    }

    fn park(&self) {
        (**self).park();
    }
}

/// Runs a future to its end, sleeping while it waits. With a [`Runner`](super::Runner) in it: `runner.run_until(program)`.
pub fn block_on<F: Future>(park: impl Park, future: F) -> F::Output {
    let waker = park.waker();
    let mut context = Context::from_waker(&waker);
    let mut future = pin!(future);
    loop {
        if let Poll::Ready(output) = future.as_mut().poll(&mut context) {
            return output;
        }
        park.park();
    }
}

/// A microcontroller's main loop: sleeps until an interrupt, of a device or of a timer. A reference to it is both the
/// [`Wait`] of a [`Runner`](super::Runner) and the [`Park`] of [`block_on`]. It needs no heap. Several runners share it where
/// each turn has them all: in a `join` or a `select`.
///
/// `sleep` is given the time that the timer is to interrupt at (`None` is never), and whether there is a reason to sleep no
/// more. It asks for that with interrupts off: wait-for-interrupt ends for one that is pending, too, so none is slept through.
///
/// ```
/// # use glasstack::{Stack, Result, stack::Capacity, smoltcp::time::Instant};
/// # use glasstack::socket::{block_on, sleep, Interrupts, Local, Network, Runner};
/// # use core::{cell::Cell, time::Duration};
/// # let time = Cell::new(Instant::ZERO);
/// # let stack = Stack::with_capacity(Capacity::default(), [7; 16], ());
/// let interrupts = Interrupts::new(|until, is_woken: &dyn Fn() -> bool| {
///     // cortex_m::interrupt::free(|_| {
///     if !is_woken() {
///         // timer.set_alarm(until); cortex_m::asm::wfi();
///         # time.set(until.unwrap_or(Instant::ZERO));
///     }
///     // });
/// });
/// let network = Local::new(stack, || time.get());
/// let mut runner = Runner::loopback(&network, &interrupts);
/// block_on(&interrupts, runner.run_until(async {
///     sleep(&network, Duration::from_secs(1)).await
/// }))??;
/// assert_eq!(time.get(), Instant::from_secs(1));
/// # Result::Ok(())
/// ```
pub struct Interrupts<F> {
    sleep: F,
    /// The first time that a runner has asked for since the last sleep.
    until: Cell<Option<Instant>>,
    flag: Flag,
}

impl<F: Fn(Option<Instant>, &dyn Fn() -> bool)> Interrupts<F> {
    /// Sleeps by `sleep`.
    pub fn new(sleep: F) -> Self {
        Interrupts {
            sleep,
            until: Cell::new(None),
            flag: Flag::new(),
        }
    }
}

impl<D: ?Sized, F> Wait<D> for &Interrupts<F> {
    fn poll_wait(&mut self, _: &mut D, until: Option<Instant>, _: &mut Context<'_>) -> Poll<()> {
        // After each interrupt all is polled again.
        let first = [self.until.get(), until].into_iter().flatten().min();
        self.until.set(first);
        Poll::Pending
    }
}

impl<F: Fn(Option<Instant>, &dyn Fn() -> bool)> Park for Interrupts<F> {
    fn waker(&self) -> Waker {
        Flag::waker()
    }

    fn park(&self) {
        (self.sleep)(self.until.take(), &|| self.flag.is_raised());
        self.flag.lower();
    }
}
