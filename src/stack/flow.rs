//! Who talks to whom: endpoints, flows, and how IPv4 looks to an IPv6 socket.

use core::net::{self, Ipv4Addr, SocketAddr};

use smoltcp::wire::{IpAddress, IpEndpoint};

use super::Domain;
use super::ip::{self, IpAddr};
use crate::Result;

/// An address and a port. An unspecified address means "any of this host's".
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Endpoint {
    pub(crate) addr: IpAddr,
    pub(crate) port: u16,
}

/// The two ends of a conversation, as this host sees them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Flow {
    pub(crate) local: Endpoint,
    pub(crate) remote: Endpoint,
}

pub(crate) const UNSPECIFIED: Endpoint = Endpoint {
    addr: IpAddr::V4(Ipv4Addr::UNSPECIFIED),
    port: 0,
};

impl Endpoint {
    /// The endpoint that an application named; an IPv4-mapped address is IPv4 (RFC 4291 §2.5.5.2).
    ///
    /// [`Error::AddressFamilyNotSupported`] where this build has not the family; "any address" of IPv6 is IPv4's there.
    pub(crate) fn from_socket_addr(address: SocketAddr) -> Result<Endpoint> {
        let addr = match ip::inward(address.ip().to_canonical()) {
            Err(_) if address.ip().is_unspecified() => UNSPECIFIED.addr,
            addr => addr?,
        };
        Ok(Endpoint {
            addr,
            port: address.port(),
        })
    }

    /// This endpoint as a socket of `domain` shows it: IPv4 is mapped for an IPv6 socket (RFC 3493 §3.7).
    pub(crate) fn to_socket_addr(self, domain: Domain) -> SocketAddr {
        let addr = match (domain, self.addr) {
            (Domain::Inet6, IpAddr::V4(v4)) => net::IpAddr::V6(v4.to_ipv6_mapped()),
            (_, addr) => ip::outward(addr),
        };
        SocketAddr::new(addr, self.port)
    }

    /// The same; an address of a link's own says which interface leads to that link (RFC 4007 §6).
    pub(crate) fn to_socket_addr_on(self, domain: Domain, interface: u8) -> SocketAddr {
        let mut address = self.to_socket_addr(domain);
        if let SocketAddr::V6(v6) = &mut address
            && self.addr.is_ipv6()
            && is_link_local(self.addr)
        {
            v6.set_scope_id(interface.into());
        }
        address
    }

    /// The endpoint as it is, whatever socket it is of.
    pub(crate) fn shown(self) -> SocketAddr {
        SocketAddr::new(ip::outward(self.addr), self.port)
    }

    pub(crate) fn pair(self) -> (IpAddr, u16) {
        (self.addr, self.port)
    }

    /// smoltcp's form, if this build has the family.
    pub(crate) fn to_smoltcp(self) -> Option<IpEndpoint> {
        Some(IpEndpoint {
            addr: to_smoltcp(self.addr)?,
            port: self.port,
        })
    }
}

impl From<IpEndpoint> for Endpoint {
    fn from(endpoint: IpEndpoint) -> Endpoint {
        Endpoint {
            addr: endpoint.addr.into(),
            port: endpoint.port,
        }
    }
}

/// smoltcp's form of an address, if this build has the family.
pub(crate) fn to_smoltcp(addr: IpAddr) -> Option<IpAddress> {
    match addr {
        #[cfg(feature = "ipv4")]
        IpAddr::V4(v4) => Some(IpAddress::Ipv4(v4)),
        #[cfg(feature = "ipv6")]
        IpAddr::V6(v6) => Some(IpAddress::Ipv6(v6)),
        #[allow(unreachable_patterns)]
        _ => None,
    }
}

/// Which addresses a bound socket takes in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Scope {
    /// Every address of these families.
    Any { v4: bool, v6: bool },
    /// This one.
    Only(IpAddr),
}

impl Scope {
    pub(crate) fn of(domain: Domain, addr: IpAddr, v6_only: bool) -> Scope {
        match (domain, addr) {
            (_, addr) if !addr.is_unspecified() => Scope::Only(addr),
            // `::ffff:0.0.0.0` is IPv4 alone, whatever the socket's domain.
            (_, IpAddr::V4(_)) => Scope::Any {
                v4: true,
                v6: false,
            },
            (_, IpAddr::V6(_)) => Scope::Any {
                v4: !v6_only && cfg!(feature = "ipv4"),
                v6: true,
            },
        }
    }

    pub(crate) fn contains(self, addr: IpAddr) -> bool {
        match self {
            Scope::Any { v4, v6 } => match addr {
                IpAddr::V4(_) => v4,
                IpAddr::V6(_) => v6,
            },
            Scope::Only(own) => own == addr,
        }
    }

    /// Whether some address is in both.
    pub(crate) fn overlaps(self, other: Scope) -> bool {
        match (self, other) {
            (Scope::Only(addr), other) | (other, Scope::Only(addr)) => other.contains(addr),
            (
                Scope::Any { v4, v6 },
                Scope::Any {
                    v4: other_v4,
                    v6: other_v6,
                },
            ) => v4 && other_v4 || v6 && other_v6,
        }
    }

    /// The narrower, the better it fits.
    pub(crate) fn precision(self) -> u8 {
        match self {
            Scope::Only(_) => 2,
            Scope::Any { v4: true, v6: true } => 0,
            Scope::Any { .. } => 1,
        }
    }
}

/// Whether an address means something on one link alone (RFC 4291 §2.5.6, §2.7): which link that is it does not say.
pub(crate) fn is_link_local(addr: IpAddr) -> bool {
    match addr {
        IpAddr::V4(v4) => v4.is_link_local(),
        IpAddr::V6(v6) => {
            let [first, ..] = v6.segments();
            v6.is_unicast_link_local() || first & 0xff0f == 0xff02
        }
    }
}

/// "Any address" of the domain.
pub(crate) fn unspecified(domain: Domain) -> IpAddr {
    let v6 = match domain {
        Domain::Inet => None,
        Domain::Inet6 => ip::v6([0; 16]),
    };
    v6.map_or(UNSPECIFIED.addr, IpAddr::V6)
}

/// Linux takes "connect to the unspecified address" as "to this host".
pub(crate) fn loopback_if_unspecified(addr: IpAddr) -> IpAddr {
    let localhost = match addr {
        _ if !addr.is_unspecified() => None,
        IpAddr::V4(_) => Some(IpAddr::V4(Ipv4Addr::LOCALHOST)),
        IpAddr::V6(_) => ip::v6(net::Ipv6Addr::LOCALHOST.octets()).map(IpAddr::V6),
    };
    localhost.unwrap_or(addr)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_ipv6_socket_shows_ipv4_mapped() {
        let endpoint = Endpoint {
            addr: IpAddr::V4(Ipv4Addr::new(10, 0, 0, 1)),
            port: 7,
        };
        let shown = endpoint.to_socket_addr(Domain::Inet6);
        assert_eq!(std::format!("{shown}"), "[::ffff:10.0.0.1]:7");
        assert_eq!(Endpoint::from_socket_addr(shown), Ok(endpoint));
        assert_eq!(
            std::format!("{}", endpoint.to_socket_addr(Domain::Inet)),
            "10.0.0.1:7"
        );
    }

    #[test]
    #[cfg(feature = "ipv4")]
    fn the_ipv6_wildcard_overlaps_ipv4_unless_v6_only() {
        let v6 = IpAddr::V6(net::Ipv6Addr::UNSPECIFIED);
        let v4 = IpAddr::V4(Ipv4Addr::UNSPECIFIED);
        let dual = Scope::of(Domain::Inet6, v6, false);
        let only = Scope::of(Domain::Inet6, v6, true);
        let inet = Scope::of(Domain::Inet, v4, false);
        assert!(dual.overlaps(inet) && inet.overlaps(dual));
        assert!(!only.overlaps(inet) && !inet.overlaps(only));
        assert!(dual.overlaps(only));
        let host = Scope::Only(IpAddr::V4(Ipv4Addr::LOCALHOST));
        assert!(dual.overlaps(host) && inet.overlaps(host) && !only.overlaps(host));
    }
}
