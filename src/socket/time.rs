//! Time on a network's clock, for tasks that run in any world.

use core::future::{Future, poll_fn};
use core::pin::{Pin, pin};
use core::task::{Context, Poll};
use core::time::Duration;

use smoltcp::time::Instant;

use super::{Network, attempt::give_up};
use crate::stack::Waiting;
use crate::{Error, Result};

/// Waits for so long, on the network's own clock: virtual time in a simulation, real time elsewhere. Counted from this call.
///
/// # Errors
/// None but [`NetworkDown`](Error::NetworkDown).
pub fn sleep<N: Network>(network: N, duration: Duration) -> Sleep<N> {
    let now = network.call(|stack| Ok(stack.now()));
    // What no clock can hold is for ever, or as good as that.
    let micros = i64::try_from(duration.as_micros()).unwrap_or(i64::MAX);
    let at = |now: Instant| Instant::from_micros(now.total_micros().saturating_add(micros));
    Sleep {
        network,
        at: now.map(at),
        waiting: Waiting::default(),
    }
}

/// Waits for a time: what [`sleep`] gives.
#[must_use = "nobody sleeps before it is awaited"]
pub struct Sleep<N: Network> {
    network: N,
    at: Result<Instant>,
    waiting: Waiting,
}

/// Nothing of it is ever pinned.
impl<N: Network> Unpin for Sleep<N> {}

impl<N: Network> Future for Sleep<N> {
    type Output = Result<()>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Result<()>> {
        let this = &mut *self;
        let at = match this.at {
            Ok(at) => at,
            Err(error) => return Poll::Ready(Err(error)),
        };
        let waiting = &mut this.waiting;
        let is_to_come = this
            .network
            .call(|stack| Ok(stack.wait_until(at, waiting, context.waker())));
        match is_to_come {
            Ok(true) => Poll::Pending,
            result => Poll::Ready(result.map(drop)),
        }
    }
}

impl<N: Network> Drop for Sleep<N> {
    fn drop(&mut self) {
        give_up(&self.network, &mut self.waiting);
    }
}

/// What a future comes to, if it does in so long: it is dropped then. Counted from this call.
///
/// # Errors
/// [`TimedOut`](Error::TimedOut) where it does not.
pub fn timeout<N: Network, F: Future>(
    network: N,
    duration: Duration,
    future: F,
) -> impl Future<Output = Result<F::Output>> {
    let mut sleep = sleep(network, duration);
    async move {
        let mut future = pin!(future);
        poll_fn(move |context| {
            if let Poll::Ready(output) = future.as_mut().poll(context) {
                return Poll::Ready(Ok(output));
            }
            match Pin::new(&mut sleep).poll(context) {
                Poll::Ready(Ok(())) => Poll::Ready(Err(Error::TimedOut)),
                Poll::Ready(Err(error)) => Poll::Ready(Err(error)),
                Poll::Pending => Poll::Pending,
            }
        })
        .await
    }
}
