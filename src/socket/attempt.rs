//! How every face waits: it tries the stack's call, and where that would block it waits until another try is worth it.

use core::future::Future;
use core::pin::Pin;
use core::task::{Context, Poll, Waker};

use super::Network;
use crate::stack::{Interest, Waiting};
use crate::{Error, Fd, Result, Stack};

/// A call of the stack that may have to wait for its socket.
///
/// Nothing is taken from the stack before the call succeeds, and then the future is ready at once: dropped at any moment, it
/// has lost nothing, and it takes its waker back.
#[must_use = "nothing is tried before it is awaited"]
pub(crate) struct Attempt<N: Network, F> {
    network: N,
    fd: Fd,
    interest: Interest,
    waiting: Waiting,
    call: F,
}

impl<N: Network, F> Attempt<N, F> {
    pub(crate) fn new(network: N, fd: Fd, interest: Interest, call: F) -> Self {
        Attempt {
            network,
            fd,
            interest,
            waiting: Waiting::default(),
            call,
        }
    }
}

/// No reference to the call is ever pinned.
impl<N: Network, F> Unpin for Attempt<N, F> {}

impl<N, F, R> Future for Attempt<N, F>
where
    N: Network,
    F: FnMut(&mut Stack<'_, N::Observer>, Fd) -> Result<R>,
{
    type Output = Result<R>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Result<R>> {
        let this = &mut *self;
        let (fd, interest) = (this.fd, this.interest);
        let (network, call) = (&this.network, &mut this.call);
        poll(
            network,
            fd,
            interest,
            &mut this.waiting,
            context.waker(),
            call,
        )
    }
}

impl<N: Network, F> Drop for Attempt<N, F> {
    fn drop(&mut self) {
        give_up(&self.network, &mut self.waiting);
    }
}

/// One try: the call, or a place among those who wait for the socket.
pub(super) fn poll<N: Network, R>(
    network: &N,
    fd: Fd,
    interest: Interest,
    waiting: &mut Waiting,
    waker: &Waker,
    mut call: impl FnMut(&mut Stack<'_, N::Observer>, Fd) -> Result<R>,
) -> Poll<Result<R>> {
    let result = network.call(|stack| match call(stack, fd) {
        Err(Error::WouldBlock) => {
            stack.wait(fd, interest, waiting, waker)?;
            Err(Error::WouldBlock)
        }
        result => {
            stack.stop_waiting(waiting);
            result
        }
    });
    match result {
        Err(Error::WouldBlock) => Poll::Pending,
        result => Poll::Ready(result),
    }
}

/// Waits no longer, if it did.
pub(super) fn give_up<N: Network>(network: &N, waiting: &mut Waiting) {
    if waiting.is_waiting() {
        // Without a stack there is nobody who would wake it either.
        let _ = network.call(|stack| {
            stack.stop_waiting(waiting);
            Ok(())
        });
    }
}
