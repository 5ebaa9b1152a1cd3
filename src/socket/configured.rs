//! Waiting for an address.

use core::future::poll_fn;
use core::task::Poll;

use super::{Network, attempt::give_up};
use crate::Result;
use crate::stack::Waiting;

/// Waits until every interface that is to get its address by itself ([`Stack::start_dhcp`](crate::Stack::start_dhcp)) has
/// one; where there is none that is to, that is now.
///
/// # Errors
/// None but [`NetworkDown`](crate::Error::NetworkDown).
pub async fn configured<N: Network>(network: &N) -> Result<()> {
    let mut asking = Asking {
        network,
        waiting: Waiting::default(),
    };
    poll_fn(move |context| {
        let waiting = &mut asking.waiting;
        match network.call(|stack| Ok(stack.wait_until_configured(waiting, context.waker()))) {
            Ok(false) => Poll::Pending,
            result => Poll::Ready(result.map(drop)),
        }
    })
    .await
}

/// A wait; dropped, it is given up.
struct Asking<'n, N: Network> {
    network: &'n N,
    waiting: Waiting,
}

impl<N: Network> Drop for Asking<'_, N> {
    fn drop(&mut self) {
        give_up(self.network, &mut self.waiting);
    }
}
