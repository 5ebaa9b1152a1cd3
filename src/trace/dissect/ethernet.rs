//! Ethernet II (RFC 894).

use core::fmt;

use super::octets::{array, u16_at};

/// A station's address on an Ethernet; shown as `02:00:00:00:00:01`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct MacAddress(pub [u8; 6]);

impl fmt::Display for MacAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [a, b, c, d, e, g] = self.0;
        write!(f, "{a:02x}:{b:02x}:{c:02x}:{d:02x}:{e:02x}:{g:02x}")
    }
}

/// An Ethernet header.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Ethernet {
    /// Whom the frame is for.
    pub destination: MacAddress,
    /// Who sent it.
    pub source: MacAddress,
    /// What it carries: [`IPV4`](Ethernet::IPV4), …; below 1536 it is a length (IEEE 802.3).
    pub ethertype: u16,
}

impl Ethernet {
    /// Octets of the header.
    pub const HEADER_LEN: usize = 14;
    /// The EtherType of IPv4.
    pub const IPV4: u16 = 0x0800;
    /// The EtherType of ARP.
    pub const ARP: u16 = 0x0806;
    /// The EtherType of IPv6.
    pub const IPV6: u16 = 0x86dd;

    pub(super) fn parse(frame: &[u8]) -> Option<(Ethernet, &[u8])> {
        let header = Ethernet {
            destination: MacAddress(array(frame, 0)?),
            source: MacAddress(array(frame, 6)?),
            ethertype: u16_at(frame, 12)?,
        };
        Some((header, frame.get(Self::HEADER_LEN..)?))
    }
}
