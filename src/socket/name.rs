//! Names.

use core::future::poll_fn;
use core::net::IpAddr;
use core::task::Poll;

use super::{Network, attempt::give_up};
use crate::stack::{Addresses, Lookup, Waiting};
use crate::{Error, Result};

/// What `localhost` means.
const LOOPBACK: &[IpAddr] = &[
    #[cfg(feature = "ipv4")]
    IpAddr::V4(core::net::Ipv4Addr::LOCALHOST),
    #[cfg(feature = "ipv6")]
    IpAddr::V6(core::net::Ipv6Addr::LOCALHOST),
];

/// The addresses of a name (or of an address in text form), as `getaddrinfo(3)`: from the static table, then from the name
/// servers. Waits for the answer. `localhost` is this host, whatever they say.
///
/// # Errors
/// [`NameNotFound`](Error::NameNotFound) where the name does not exist or has no address; [`TimedOut`](Error::TimedOut) where
/// no server answers; [`Exhausted`](Error::Exhausted) where too many names are looked up.
pub async fn resolve<N: Network>(network: &N, name: &str) -> Result<Addresses> {
    if let Some(addresses) = localhost(name) {
        return Ok(addresses);
    }
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

/// The addresses of `localhost`, for this name if it is that.
pub(crate) fn localhost(name: &str) -> Option<Addresses> {
    is_localhost(name).then(|| LOOPBACK.iter().copied().collect())
}

/// RFC 6761 §6.3: `localhost` and the names under it are never a question for a server.
fn is_localhost(name: &str) -> bool {
    let name = name.strip_suffix('.').unwrap_or(name);
    let last = name.rsplit('.').next().unwrap_or(name);
    last.eq_ignore_ascii_case("localhost")
}

#[cfg(test)]
mod tests {
    use super::is_localhost;

    #[test]
    fn localhost_and_what_is_under_it_is_this_host() {
        for name in ["localhost", "LocalHost", "localhost.", "www.localhost"] {
            assert!(is_localhost(name), "{name}");
        }
        for name in ["localhost.example.com", "notlocalhost", "", "."] {
            assert!(!is_localhost(name), "{name}");
        }
    }
}
