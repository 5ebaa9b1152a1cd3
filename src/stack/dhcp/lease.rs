//! A lease: what a server's acknowledgment comes to, once it has been looked through.

use core::net::Ipv4Addr;
use core::time::Duration;

use heapless::Vec;
use smoltcp::time::Instant;

use super::message::{Options, Reply};

/// A lease time that means "for ever" (RFC 2131 §3.3).
const INFINITE: u32 = u32::MAX;

/// The least MTU that a link may be said to have (RFC 2132 §5.1).
const LEAST_MTU: u16 = 68;

/// What a DHCP server lent: an address, for a time, and what goes with it.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Lease {
    /// The address.
    pub address: Ipv4Addr,
    /// The length in bits of its network's prefix.
    pub prefix_len: u8,
    /// The router that the server prefers, of those on the link.
    pub router: Option<Ipv4Addr>,
    /// The name servers, in the server's order of preference; the first four.
    pub name_servers: Vec<Ipv4Addr, 4>,
    /// The largest IP packet that the server wants on the link.
    pub mtu: Option<u16>,
    /// Who lent it.
    pub server: Ipv4Addr,
    /// When it was asked for: from then on it runs (RFC 2131 §4.4.1).
    pub since: Instant,
    /// For how long; `None`: for ever.
    pub terms: Option<Terms>,
}

/// The times of a lease, from its beginning.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Terms {
    /// T1: then the server is asked for more time.
    pub renewal: Duration,
    /// T2: then any server is.
    pub rebinding: Duration,
    /// Then the address is not the host's any more.
    pub expiry: Duration,
}

impl Terms {
    /// T1 and T2 are the server's where they come in order, else 0.5 and 0.875 of the whole (RFC 2131 §4.4.5).
    fn read(options: &Options<'_>, lease_time: u32) -> Option<Terms> {
        let expiry = Duration::from_secs(lease_time.into());
        let given = |seconds: Option<u32>, limit: Duration| {
            let time = Duration::from_secs(seconds?.into());
            (!time.is_zero() && time < limit).then_some(time)
        };
        let rebinding = given(options.rebinding_time, expiry).unwrap_or(expiry * 7 / 8);
        let renewal = given(options.renewal_time, rebinding).unwrap_or(rebinding * 4 / 7);
        (lease_time != INFINITE).then_some(Terms {
            renewal,
            rebinding,
            expiry,
        })
    }
}

impl Lease {
    /// The lease that a reply offers or acknowledges. `None` where the address cannot be a host's, or something is missing
    /// that must be there (RFC 2131 §4.3.1, table 3).
    pub(super) fn read(reply: &Reply<'_>, since: Instant) -> Option<Lease> {
        let address = reply.your_address;
        let options = &reply.options;
        let lease_time = options.lease_time.filter(|seconds| *seconds > 0)?;
        let prefix_len = match options.subnet_mask {
            Some(mask) => prefix_len(mask)?,
            None => natural_prefix_len(address),
        };
        if !is_host(address, prefix_len) {
            return None;
        }
        let is_router = |router: &&Ipv4Addr| {
            **router != address
                && is_host(**router, prefix_len)
                && network(**router, prefix_len) == network(address, prefix_len)
        };
        let mut name_servers = options.name_servers.clone();
        name_servers.retain(|server| is_unicast(*server));
        Some(Lease {
            address,
            prefix_len,
            router: options.routers.iter().find(is_router).copied(),
            name_servers,
            mtu: options.mtu.filter(|mtu| *mtu >= LEAST_MTU),
            server: options.server.filter(|server| is_unicast(*server))?,
            since,
            terms: Terms::read(options, lease_time),
        })
    }

    /// When T1 is over.
    pub(super) fn renewal(&self) -> Option<Instant> {
        Some(self.since + self.terms?.renewal.into())
    }

    /// When T2 is over.
    pub(super) fn rebinding(&self) -> Option<Instant> {
        Some(self.since + self.terms?.rebinding.into())
    }

    /// When it is over.
    pub(in crate::stack) fn expiry(&self) -> Option<Instant> {
        Some(self.since + self.terms?.expiry.into())
    }

    pub(super) fn is_over(&self, now: Instant) -> bool {
        self.expiry().is_some_and(|at| at <= now)
    }
}

/// `None` for a mask with holes, and for that of all addresses.
fn prefix_len(mask: Ipv4Addr) -> Option<u8> {
    let bits = mask.to_bits();
    let ones = bits.leading_ones();
    (ones > 0 && ones + bits.trailing_zeros() >= 32).then_some(ones as u8)
}

/// Of an address that came without a mask: its class's (RFC 950 §2.1).
fn natural_prefix_len(address: Ipv4Addr) -> u8 {
    match address.octets() {
        [0..=127, ..] => 8,
        [128..=191, ..] => 16,
        _ => 24,
    }
}

fn network(address: Ipv4Addr, prefix_len: u8) -> u32 {
    let host_bits = 32 - u32::from(prefix_len.min(32));
    address.to_bits().checked_shr(host_bits).unwrap_or(0)
}

/// Whether some host may have the address (RFC 1122 §3.2.1.3).
fn is_unicast(address: Ipv4Addr) -> bool {
    matches!(address.octets(), [1..=126 | 128..=223, ..])
}

/// Whether a host of the network may have it: where there is room for them, neither the network's own address nor its
/// broadcast address (RFC 1122 §3.2.1.3, RFC 3021).
fn is_host(address: Ipv4Addr, prefix_len: u8) -> bool {
    let hosts = u32::MAX.checked_shr(prefix_len.into()).unwrap_or(0);
    let host = address.to_bits() & hosts;
    is_unicast(address) && (prefix_len > 30 || (host != 0 && host != hosts))
}
