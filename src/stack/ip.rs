//! IP addresses of the families that this build has.
//!
//! Where IPv6 is left out to save flash and memory, so is its half of every address: its variant is one that has no values,
//! takes no room, and needs no code.

#[cfg(any(feature = "ipv6", feature = "std", test))]
mod family {
    pub(crate) use core::net::{IpAddr, Ipv6Addr};

    use crate::Result;

    /// What the heart makes of an application's address: [`Error::AddressFamilyNotSupported`](crate::Error) where this build
    /// has not the family.
    pub(crate) const fn inward(addr: IpAddr) -> Result<IpAddr> {
        Ok(addr)
    }

    /// The application's form.
    pub(crate) const fn outward(addr: IpAddr) -> IpAddr {
        addr
    }

    /// An address as it stands in a packet; `None` where this build has no IPv6.
    pub(crate) fn v6(octets: [u8; 16]) -> Option<Ipv6Addr> {
        Some(octets.into())
    }
}

#[cfg(not(any(feature = "ipv6", feature = "std", test)))]
mod family {
    use core::fmt;
    use core::net::{self, Ipv4Addr};

    use crate::{Error, Result};

    /// An address of IPv4 alone.
    #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
    pub(crate) enum IpAddr {
        V4(Ipv4Addr),
        V6(Ipv6Addr),
    }

    /// There is none.
    #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
    pub(crate) enum Ipv6Addr {}

    /// What the heart makes of an application's address.
    pub(crate) const fn inward(addr: net::IpAddr) -> Result<IpAddr> {
        match addr {
            net::IpAddr::V4(v4) => Ok(IpAddr::V4(v4)),
            net::IpAddr::V6(_) => Err(Error::AddressFamilyNotSupported),
        }
    }

    /// The application's form.
    pub(crate) const fn outward(addr: IpAddr) -> net::IpAddr {
        match addr {
            IpAddr::V4(v4) => net::IpAddr::V4(v4),
            IpAddr::V6(v6) => match v6 {},
        }
    }

    /// An address as it stands in a packet; `None` where this build has no IPv6.
    pub(crate) const fn v6(_: [u8; 16]) -> Option<Ipv6Addr> {
        None
    }

    impl IpAddr {
        const fn v4(self) -> Ipv4Addr {
            match self {
                IpAddr::V4(v4) => v4,
                IpAddr::V6(v6) => match v6 {},
            }
        }

        pub(crate) const fn is_ipv4(&self) -> bool {
            true
        }

        pub(crate) const fn is_ipv6(&self) -> bool {
            false
        }

        pub(crate) const fn is_unspecified(&self) -> bool {
            self.v4().is_unspecified()
        }

        pub(crate) const fn is_multicast(&self) -> bool {
            self.v4().is_multicast()
        }

        pub(crate) const fn is_loopback(&self) -> bool {
            self.v4().is_loopback()
        }
    }

    impl Ipv6Addr {
        pub(crate) const fn octets(&self) -> [u8; 16] {
            match *self {}
        }

        pub(crate) const fn segments(&self) -> [u16; 8] {
            match *self {}
        }

        pub(crate) const fn is_unspecified(&self) -> bool {
            match *self {}
        }

        pub(crate) const fn is_multicast(&self) -> bool {
            match *self {}
        }

        pub(crate) const fn is_loopback(&self) -> bool {
            match *self {}
        }

        pub(crate) const fn is_unicast_link_local(&self) -> bool {
            match *self {}
        }

        pub(crate) const fn to_bits(self) -> u128 {
            match self {}
        }

        pub(crate) const fn to_ipv4_mapped(self) -> Option<Ipv4Addr> {
            match self {}
        }
    }

    impl From<Ipv4Addr> for IpAddr {
        fn from(v4: Ipv4Addr) -> IpAddr {
            IpAddr::V4(v4)
        }
    }

    impl From<[u8; 4]> for IpAddr {
        fn from(octets: [u8; 4]) -> IpAddr {
            IpAddr::V4(octets.into())
        }
    }

    impl From<Ipv6Addr> for IpAddr {
        fn from(v6: Ipv6Addr) -> IpAddr {
            match v6 {}
        }
    }

    impl From<IpAddr> for net::IpAddr {
        fn from(addr: IpAddr) -> net::IpAddr {
            outward(addr)
        }
    }

    impl From<smoltcp::wire::IpAddress> for IpAddr {
        fn from(addr: smoltcp::wire::IpAddress) -> IpAddr {
            let smoltcp::wire::IpAddress::Ipv4(v4) = addr;
            IpAddr::V4(v4)
        }
    }

    impl fmt::Display for Ipv6Addr {
        fn fmt(&self, _: &mut fmt::Formatter<'_>) -> fmt::Result {
            match *self {}
        }
    }

    impl fmt::Display for IpAddr {
        fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
            self.v4().fmt(formatter)
        }
    }
}

pub(crate) use family::{IpAddr, Ipv6Addr, inward, outward, v6};
