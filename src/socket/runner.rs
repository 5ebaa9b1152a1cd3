//! Who drives a shared stack: a future, over a device.

use core::convert::Infallible;
use core::future::{Future, poll_fn};
use core::pin::pin;
use core::task::{Context, Poll};

use smoltcp::phy::Device;
use smoltcp::time::Instant;

use super::{Network, attempt::give_up};
use crate::Result;
use crate::device::Absent;
use crate::stack::{InterfaceId, Waiting};

/// A way to wait for a device and for a time: `epoll(7)`, an executor's timer, the next event of a simulation, an interrupt.
///
/// | implementation | waits |
/// |---|---|
/// | [`Interrupts`](super::Interrupts) | for an interrupt, in a loop without an executor |
/// | `host::Parker` (feature `std`, Linux) | in `epoll(7)`, in a thread without an executor |
/// | `socket::tokio::Reactor` (feature `tokio`, Linux) | as tokio does |
/// | `socket::embassy::Timer` (feature `embassy`) | as embassy does |
/// | `sim` (feature `std`) | in virtual time |
pub trait Wait<D: ?Sized> {
    /// Ready when `device` may have received a frame, or room to send one again, or at `until` (`None` is never): now, or by
    /// a wake of the context's waker. May be ready too early; what was asked for before does not count any more.
    fn poll_wait(
        &mut self,
        device: &mut D,
        until: Option<Instant>,
        context: &mut Context<'_>,
    ) -> Poll<()>;
}

impl<D: ?Sized, W: Wait<D> + ?Sized> Wait<D> for &mut W {
    fn poll_wait(
        &mut self,
        device: &mut D,
        until: Option<Instant>,
        context: &mut Context<'_>,
    ) -> Poll<()> {
        (**self).poll_wait(device, until, context)
    }
}

/// Drives the stack of a [`Network`] over a device: one runner for each interface, each a task of its own (or beside the
/// program's, with [`run_until`](Runner::run_until)).
///
/// See the [module](super) for a program.
pub struct Runner<N: Network, D, W> {
    network: N,
    /// `None` is the loopback alone.
    interface: Option<InterfaceId>,
    device: D,
    wait: W,
    /// For work, and until all is sent.
    waiting: Waiting,
    draining: Waiting,
}

impl<N: Network, D: Device, W: Wait<D>> Runner<N, D, W> {
    /// For the interface that was made for this device ([`add_interface`](crate::Stack::add_interface)).
    pub fn new(network: N, interface: InterfaceId, device: D, wait: W) -> Self {
        Runner {
            network,
            interface: Some(interface),
            device,
            wait,
            waiting: Waiting::default(),
            draining: Waiting::default(),
        }
    }
}

impl<N: Network, W: Wait<Absent>> Runner<N, Absent, W> {
    /// For a stack without a device, which reaches itself.
    pub fn loopback(network: N, wait: W) -> Self {
        Runner {
            network,
            interface: None,
            device: Absent,
            wait,
            waiting: Waiting::default(),
            draining: Waiting::default(),
        }
    }
}

impl<N: Network, D: Device, W: Wait<D>> Runner<N, D, W> {
    /// Drives the stack, for ever.
    ///
    /// # Errors
    /// [`NetworkDown`](crate::Error::NetworkDown), and then it ends.
    pub async fn run(&mut self) -> Result<Infallible> {
        let driving = Driving(self);
        poll_fn(|context| match driving.0.turn(context) {
            Ok(()) => Poll::Pending,
            Err(error) => Poll::Ready(Err(error)),
        })
        .await
    }

    /// Drives the stack while `future` runs, and gives what that comes to.
    ///
    /// # Errors
    /// [`NetworkDown`](crate::Error::NetworkDown).
    pub async fn run_until<F: Future>(&mut self, future: F) -> Result<F::Output> {
        let driving = Driving(self);
        let mut future = pin!(future);
        poll_fn(|context| {
            let output = future.as_mut().poll(context);
            // Afterwards: what the future's calls caused leaves now.
            match (driving.0.turn(context), output) {
                (_, Poll::Ready(output)) => Poll::Ready(Ok(output)),
                (Ok(()), Poll::Pending) => Poll::Pending,
                (Err(error), Poll::Pending) => Poll::Ready(Err(error)),
            }
        })
        .await
    }

    /// Drives the stack until what was sent on the sockets that are closed by now has arrived, FIN included, or was given up:
    /// for the end of `main`. A [`timeout`](super::timeout) around it limits how long.
    ///
    /// # Errors
    /// [`NetworkDown`](crate::Error::NetworkDown).
    pub async fn drain(&mut self) -> Result<()> {
        let driving = Driving(self);
        poll_fn(|context| driving.0.poll_drained(context)).await
    }

    fn poll_drained(&mut self, context: &mut Context<'_>) -> Poll<Result<()>> {
        self.turn(context)?;
        // Another interface's runner may send the last of it.
        let draining = &mut self.draining;
        let is_drained = self.network.call(|stack| {
            let is_drained = stack.is_drained();
            if !is_drained {
                stack.wait_until_drained(draining, context.waker());
            }
            Ok(is_drained)
        })?;
        if is_drained {
            Poll::Ready(Ok(()))
        } else {
            Poll::Pending
        }
    }

    /// Once around. One turn a poll, so that the tasks beside it have theirs.
    fn turn(&mut self, context: &mut Context<'_>) -> Result<()> {
        let (interface, device, waiting) = (self.interface, &mut self.device, &mut self.waiting);
        let (now, until) = self.network.call(|stack| {
            let now = stack.now();
            // When it is to be called again for this interface's sake alone, `wait_for_work` says.
            let _ = match interface {
                Some(interface) => stack.poll(interface, now, device),
                None => stack.poll_loopback(now),
            };
            Ok((
                now,
                stack.wait_for_work(interface, waiting, context.waker()),
            ))
        })?;
        if until.is_some_and(|until| until <= now)
            || self
                .wait
                .poll_wait(&mut self.device, until, context)
                .is_ready()
        {
            context.waker().wake_by_ref();
        }
        Ok(())
    }

    /// The device.
    pub fn device(&mut self) -> &mut D {
        &mut self.device
    }
}

/// A runner while it drives: it waits for work no longer than that.
struct Driving<'r, N: Network, D, W>(&'r mut Runner<N, D, W>);

impl<N: Network, D, W> Drop for Driving<'_, N, D, W> {
    fn drop(&mut self) {
        give_up(&self.0.network, &mut self.0.waiting);
        give_up(&self.0.network, &mut self.0.draining);
    }
}
