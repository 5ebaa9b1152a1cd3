//! IPv4 (RFC 791).

use core::net::Ipv4Addr;

use super::checksum::{Checksum, Sum};
use super::ip::Fragment;
use super::octets::{Options, at_most, ipv4_at, u16_at};

/// An IPv4 header.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Ipv4<'f> {
    /// Who sent it.
    pub source: Ipv4Addr,
    /// Whom it is for.
    pub destination: Ipv4Addr,
    /// Differentiated services and ECN (RFC 2474, RFC 3168).
    pub traffic_class: u8,
    /// Hops that it may still go.
    pub time_to_live: u8,
    /// What it carries.
    pub protocol: u8,
    /// The number that fragments of one packet share.
    pub identification: u16,
    /// Nobody may cut it.
    pub dont_fragment: bool,
    /// Where it is a piece of a packet.
    pub fragment: Option<Fragment>,
    header: &'f [u8],
}

impl<'f> Ipv4<'f> {
    /// The header and what follows it: the octets that are here, and how many there are on the wire.
    pub(super) fn parse(packet: &'f [u8], wire_len: usize) -> Option<(Ipv4<'f>, &'f [u8], usize)> {
        let first = *packet.first()?;
        let header_len = usize::from(first & 0x0f) * 4;
        let (header, body) = packet.split_at_checked(header_len)?;
        if first >> 4 != 4 || header_len < 20 {
            return None;
        }
        // Zero is said by a capture before the network card cut the packet: all that is there.
        let total_len = match usize::from(u16_at(header, 2)?) {
            0 => wire_len,
            total_len => total_len.min(wire_len),
        };
        let body_len = total_len.checked_sub(header_len)?;
        let cut = u16_at(header, 6)?;
        let identification = u16_at(header, 4)?;
        let fragment = Fragment {
            offset: u32::from(cut & 0x1fff) * 8,
            more: cut & 0x2000 != 0,
            identification: u32::from(identification),
        };
        let parsed = Ipv4 {
            source: ipv4_at(header, 12)?,
            destination: ipv4_at(header, 16)?,
            traffic_class: *header.get(1)?,
            time_to_live: *header.get(8)?,
            protocol: *header.get(9)?,
            identification,
            dont_fragment: cut & 0x4000 != 0,
            fragment: (fragment.offset > 0 || fragment.more).then_some(fragment),
            header,
        };
        Some((parsed, at_most(body, body_len), body_len))
    }

    /// The options (RFC 791 §3.1) with their data, up to the end of the list.
    pub fn options(&self) -> impl Iterator<Item = (u8, &'f [u8])> + use<'f> {
        Options(self.header.get(20..).unwrap_or_default())
    }

    /// The header's checksum.
    pub fn checksum(&self) -> Checksum {
        Checksum::of(Sum::ZERO.add(self.header))
    }
}
