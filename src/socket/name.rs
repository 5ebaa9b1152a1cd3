//! Names.

use core::future::poll_fn;
use core::task::Poll;

use super::{Network, attempt::give_up};
use crate::stack::{Addresses, Lookup, Waiting};
use crate::{Error, Result};

/// The addresses of a name (or of an address in text form), as `getaddrinfo(3)`: from the static table, then from the name
/// servers. Waits for the answer. `localhost` is this host, whatever they say.
///
/// # Errors
/// [`NameNotFound`](Error::NameNotFound) where the name does not exist or has no address; [`TimedOut`](Error::TimedOut) where
/// no server answers; [`Exhausted`](Error::Exhausted) where too many names are looked up.
pub async fn resolve<N: Network>(network: &N, name: &str) -> Result<Addresses> {
    let lookup = network.call(|stack| stack.resolve(name))?;
    let mut asking = Asking {
        network,
        lookup: Some(lookup),
        waiting: Waiting::default(),
    };
    poll_fn(move |context| {
        let result = network.call(|stack| match stack.resolved(lookup) {
            Err(Error::WouldBlock) => {
                stack.wait_for_lookup(lookup, &mut asking.waiting, context.waker())?;
                Err(Error::WouldBlock)
            }
            result => {
                asking.lookup = None;
                stack.stop_waiting(&mut asking.waiting);
                result
            }
        });
        match result {
            Err(Error::WouldBlock) => Poll::Pending,
            result => Poll::Ready(result),
        }
    })
    .await
}

/// A lookup under way; dropped, it is given up.
struct Asking<'n, N: Network> {
    network: &'n N,
    lookup: Option<Lookup>,
    waiting: Waiting,
}

impl<N: Network> Drop for Asking<'_, N> {
    fn drop(&mut self) {
        if let Some(lookup) = self.lookup {
            give_up(self.network, &mut self.waiting);
            // Without a stack there is nothing to give up.
            let _ = self.network.call(|stack| {
                stack.cancel(lookup);
                Ok(())
            });
        }
    }
}
