//! One address of several, as the traits ask for it.

use core::net::IpAddr;

use embedded_nal::AddrType;

use crate::trace::Observer;
use crate::{Error, Result, Stack};

/// The first address of the kind that there is a way to (RFC 6724 §5, rule 1); if to none, the first, so that connecting says
/// what is wrong.
pub(super) fn choose<O: Observer>(
    stack: &Stack<'_, O>,
    addresses: &[IpAddr],
    kind: AddrType,
) -> Result<IpAddr> {
    let fits = |address: &&IpAddr| match kind {
        AddrType::IPv4 => address.is_ipv4(),
        AddrType::IPv6 => address.is_ipv6(),
        AddrType::Either => true,
    };
    let mut fitting = addresses.iter().filter(fits);
    let reachable = fitting
        .clone()
        .find(|address| stack.is_reachable(**address));
    let address = reachable.or_else(|| fitting.next());
    address.copied().ok_or(Error::NameNotFound)
}
