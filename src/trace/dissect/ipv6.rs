//! IPv6 and its extension headers (RFC 8200).

use core::net::Ipv6Addr;

use super::ip::Fragment;
use super::octets::{array, at_most, ipv6_at, u16_at, u32_at};

const HOP_BY_HOP: u8 = 0;
const ROUTING: u8 = 43;
const FRAGMENT: u8 = 44;
const AUTHENTICATION: u8 = 51;
const DESTINATION: u8 = 60;
const MOBILITY: u8 = 135;
const HOST_IDENTITY: u8 = 139;
const SHIM6: u8 = 140;

/// Whether a number is an extension header's, where a protocol's is expected.
pub(super) fn is_extension(number: u8) -> bool {
    matches!(
        number,
        HOP_BY_HOP
            | ROUTING
            | FRAGMENT
            | AUTHENTICATION
            | DESTINATION
            | MOBILITY
            | HOST_IDENTITY
            | SHIM6
    )
}

/// An IPv6 header and the extension headers that follow it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Ipv6<'f> {
    /// Who sent it.
    pub source: Ipv6Addr,
    /// Whom it is for; with a routing header, whom it is for next.
    pub destination: Ipv6Addr,
    /// Differentiated services and ECN (RFC 2474, RFC 3168).
    pub traffic_class: u8,
    /// The flow label, 20 bits (RFC 6437).
    pub flow_label: u32,
    /// Hops that it may still go.
    pub hop_limit: u8,
    /// What it carries behind all extension headers.
    pub protocol: u8,
    /// Where it is a piece of a packet.
    pub fragment: Option<Fragment>,
    /// A routing header names stations that it has still to visit, so the transport's checksum is for another address.
    pub is_source_routed: bool,
    first_header: u8,
    extensions: &'f [u8],
}

/// An extension header.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Extension<'f> {
    /// Options for every station on the way, behind the first two octets (RFC 8200 §4.3).
    HopByHop(&'f [u8]),
    /// Options for the destination, likewise (RFC 8200 §4.6).
    Destination(&'f [u8]),
    /// Stations to visit (RFC 8200 §4.4).
    Routing {
        /// How they are listed.
        kind: u8,
        /// How many are still ahead.
        segments_left: u8,
    },
    /// A piece, or a whole packet that says so (RFC 8200 §4.5, RFC 6946).
    Fragment(Fragment),
    /// Another, by its number, whole.
    Other(u8, &'f [u8]),
}

impl<'f> Ipv6<'f> {
    /// The headers and what follows them: the octets that are here, and how many there are on the wire.
    pub(super) fn parse(packet: &'f [u8], wire_len: usize) -> Option<(Ipv6<'f>, &'f [u8], usize)> {
        let (header, rest) = packet.split_at_checked(40)?;
        let first = u32_at(header, 0)?;
        if first >> 28 != 6 {
            return None;
        }
        let len = usize::from(u16_at(header, 4)?).min(wire_len.checked_sub(40)?);
        let rest = at_most(rest, len);

        let mut parsed = Ipv6 {
            source: ipv6_at(header, 8)?,
            destination: ipv6_at(header, 24)?,
            traffic_class: (first >> 20) as u8,
            flow_label: first & 0xf_ffff,
            hop_limit: *header.get(7)?,
            protocol: *header.get(6)?,
            fragment: None,
            is_source_routed: false,
            first_header: *header.get(6)?,
            extensions: rest,
        };
        let mut chain = Chain {
            next: parsed.first_header,
            octets: rest,
        };
        for extension in chain.by_ref() {
            match extension {
                Extension::Fragment(fragment) if fragment.offset > 0 || fragment.more => {
                    parsed.fragment = Some(fragment);
                    break;
                }
                Extension::Routing { segments_left, .. } => {
                    parsed.is_source_routed |= segments_left > 0;
                }
                _ => {}
            }
        }
        let body = chain.octets;
        parsed.protocol = chain.next;
        parsed.extensions = rest.get(..rest.len() - body.len())?;
        Some((parsed, body, len - parsed.extensions.len()))
    }

    /// The extension headers, in order.
    pub fn extensions(&self) -> impl Iterator<Item = Extension<'f>> + use<'f> {
        Chain {
            next: self.first_header,
            octets: self.extensions,
        }
    }
}

/// Walks extension headers; each is eight octets at least, so their number is bounded by the packet.
struct Chain<'f> {
    next: u8,
    octets: &'f [u8],
}

impl<'f> Iterator for Chain<'f> {
    type Item = Extension<'f>;

    fn next(&mut self) -> Option<Extension<'f>> {
        let [next, len] = array(self.octets, 0)?;
        let len = match self.next {
            HOP_BY_HOP | ROUTING | DESTINATION | MOBILITY | HOST_IDENTITY | SHIM6 => {
                (usize::from(len) + 1) * 8
            }
            FRAGMENT => 8,
            // RFC 4302 §2.2: counted in 32 bits, minus two.
            AUTHENTICATION => (usize::from(len) + 2) * 4,
            _ => return None,
        };
        let (header, rest) = self.octets.split_at_checked(len)?;
        let extension = match self.next {
            HOP_BY_HOP => Extension::HopByHop(header.get(2..)?),
            DESTINATION => Extension::Destination(header.get(2..)?),
            ROUTING => Extension::Routing {
                kind: *header.get(2)?,
                segments_left: *header.get(3)?,
            },
            FRAGMENT => {
                let cut = u16_at(header, 2)?;
                Extension::Fragment(Fragment {
                    offset: u32::from(cut & 0xfff8),
                    more: cut & 1 != 0,
                    identification: u32_at(header, 4)?,
                })
            }
            other => Extension::Other(other, header),
        };
        self.next = next;
        self.octets = rest;
        Some(extension)
    }
}
