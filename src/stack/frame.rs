//! What the heart reads of a frame before smoltcp does: just enough to find the socket it is for.
//!
//! Nothing here trusts a length; a header that does not fit is "not IP" and smoltcp, which checks everything
//! (checksums included), gets the frame without a socket and drops it.

use core::net::Ipv4Addr;

use smoltcp::phy::Medium;
#[cfg(feature = "ipv4")]
use smoltcp::wire::Ipv4Packet;
#[cfg(feature = "ipv6")]
use smoltcp::wire::{IpProtocol, Ipv6Packet};

use super::flow::{Endpoint, Flow};
use super::ip::{self, IpAddr};

/// Octets of an Ethernet header.
pub(crate) const ETHERNET_HEADER: usize = 14;

pub(crate) const ICMP: u8 = 1;
pub(crate) const IGMP: u8 = 2;
pub(crate) const TCP: u8 = 6;
pub(crate) const UDP: u8 = 17;
pub(crate) const ICMPV6: u8 = 58;
pub(crate) const NO_NEXT_HEADER: u8 = 59;
const HOP_BY_HOP: u8 = 0;
/// Hop-by-hop options (RFC 8200 §4.2, RFC 2711).
const PAD1: u8 = 0;
const PADN: u8 = 1;
const ROUTER_ALERT: u8 = 5;

/// A frame's link header (empty on an IP medium) and what follows it.
#[derive(Clone, Copy)]
pub(crate) enum Frame<'f> {
    Ip { link: &'f [u8], packet: &'f [u8] },
    Other,
}

impl<'f> Frame<'f> {
    pub(crate) fn parse(medium: Medium, frame: &'f [u8]) -> Frame<'f> {
        let link_len = match medium {
            Medium::Ethernet => ETHERNET_HEADER,
            _ => 0,
        };
        let Some((link, packet)) = frame.split_at_checked(link_len) else {
            return Frame::Other;
        };
        match link {
            [] | [.., 0x08, 0x00] | [.., 0x86, 0xdd] => Frame::Ip { link, packet },
            _ => Frame::Other,
        }
    }
}

/// Whether a frame that is not IP is ARP.
pub(crate) fn is_arp(frame: &[u8]) -> bool {
    frame.get(12..ETHERNET_HEADER) == Some(&[0x08, 0x06])
}

/// Is this IP packet a fragment? An IPv6 packet with a Fragment header is one even if it is whole (RFC 6946).
pub(crate) fn is_fragment(ip_packet: &[u8]) -> bool {
    match ip_packet.first().map(|byte| byte >> 4) {
        #[cfg(feature = "ipv4")]
        Some(4) => Ipv4Packet::new_checked(ip_packet)
            .is_ok_and(|packet| packet.more_frags() || packet.frag_offset() != 0),
        #[cfg(feature = "ipv6")]
        Some(6) => Ipv6Packet::new_checked(ip_packet)
            .is_ok_and(|packet| fragment_header(&packet).is_some()),
        _ => false,
    }
}

/// The packet from its Fragment header on.
#[cfg(feature = "ipv6")]
pub(super) fn fragment_header<'p>(packet: &Ipv6Packet<&'p [u8]>) -> Option<&'p [u8]> {
    let (next_header, rest) = skip_options(packet.next_header(), packet.payload())?;
    (next_header == IpProtocol::Ipv6Frag).then_some(rest)
}

/// Walks over the extension headers that may stand before a Fragment or transport header (RFC 8200 §4.1).
#[cfg(feature = "ipv6")]
pub(super) fn skip_options(
    mut next_header: IpProtocol,
    mut rest: &[u8],
) -> Option<(IpProtocol, &[u8])> {
    use IpProtocol::{HopByHop, Ipv6Opts, Ipv6Route};
    while matches!(next_header, HopByHop | Ipv6Route | Ipv6Opts) {
        let &[following, length, ..] = rest else {
            return None;
        };
        next_header = following.into();
        rest = rest.get(8 + 8 * usize::from(length)..)?;
    }
    Some((next_header, rest))
}

/// Whether an Ethernet header is addressed to one station (RFC 1122 §4.2.3.10: TCP is never broadcast).
pub(crate) fn is_link_unicast(link: &[u8]) -> bool {
    link.first().is_none_or(|first| first & 1 == 0)
}

/// An IP packet's addresses and its transport.
#[derive(Clone, Copy)]
pub(crate) struct Packet<'f> {
    pub(crate) source: IpAddr,
    pub(crate) destination: IpAddr,
    pub(crate) protocol: u8,
    pub(crate) hop_limit: u8,
    pub(crate) traffic_class: u8,
    /// The IP header with its options or extensions.
    pub(crate) header: &'f [u8],
    /// Where the transport header starts.
    pub(crate) transport: &'f [u8],
}

impl<'f> Packet<'f> {
    // In a register, or it is copied more often than it is read.
    #[inline(always)]
    pub(crate) fn parse(packet: &'f [u8]) -> Option<Packet<'f>> {
        match packet.first()? >> 4 {
            4 if cfg!(feature = "ipv4") => {
                let header_len = usize::from(packet[0] & 0x0f) * 4;
                let fixed = packet.first_chunk::<20>()?;
                if header_len < fixed.len() {
                    return None;
                }
                let total = usize::from(u16::from_be_bytes([fixed[2], fixed[3]]));
                Some(Packet {
                    source: ipv4(&fixed[12..16])?,
                    destination: ipv4(&fixed[16..20])?,
                    protocol: fixed[9],
                    hop_limit: fixed[8],
                    traffic_class: fixed[1],
                    header: packet.get(..header_len)?,
                    transport: packet.get(header_len..total)?,
                })
            }
            6 if cfg!(feature = "ipv6") => {
                let fixed = packet.first_chunk::<40>()?;
                let total = 40 + usize::from(u16::from_be_bytes([fixed[4], fixed[5]]));
                let mut protocol = fixed[6];
                let mut transport = packet.get(40..total)?;
                let mut header_len = 40;
                // smoltcp walks over this one extension header and no other.
                if protocol == HOP_BY_HOP {
                    protocol = *transport.first()?;
                    let len = 8 + usize::from(*transport.get(1)?) * 8;
                    transport = transport.get(len..)?;
                    header_len += len;
                }
                Some(Packet {
                    source: ipv6(&fixed[8..24])?,
                    destination: ipv6(&fixed[24..40])?,
                    protocol,
                    hop_limit: fixed[7],
                    traffic_class: fixed[0] << 4 | fixed[1] >> 4,
                    header: packet.get(..header_len)?,
                    transport,
                })
            }
            _ => None,
        }
    }

    /// The UDP datagram in this packet, seen from its receiver (RFC 768).
    pub(crate) fn datagram(&self) -> Option<(Flow, &'f [u8])> {
        let flow = self.flow()?;
        let [_, _, _, _, l0, l1, ..] = *self.transport.first_chunk::<8>()?;
        let len = usize::from(u16::from_be_bytes([l0, l1]));
        // A "jumbogram" (RFC 2675) has 0 here; nobody sends one over a link of ours.
        Some((flow, self.transport.get(8..len)?))
    }

    /// Where in the packet an option of its header stands that forbids to take the packet without knowing the option
    /// (RFC 8200 §4.2), and which it is.
    pub(crate) fn refused_option(&self) -> Option<(usize, u8)> {
        let mut at = 42; // behind the IPv6 header and the first two octets of its options
        while self.source.is_ipv6() && at < self.header.len() {
            let kind = *self.header.get(at)?;
            match kind {
                PAD1 => at += 1,
                PADN | ROUTER_ALERT => at += 2 + usize::from(*self.header.get(at + 1)?),
                _ if kind >> 6 != 0 => return Some((at, kind)),
                _ => at += 2 + usize::from(*self.header.get(at + 1)?),
            }
        }
        None
    }

    /// Whether an IPv6 packet asks routers to look into it (RFC 2711).
    #[cfg(feature = "ipv6")]
    pub(crate) fn has_router_alert(&self) -> bool {
        let mut at = 42; // behind the IPv6 header and the first two octets of its options
        while let Some(&kind) = self.header.get(at) {
            at += match (kind, self.header.get(at + 1)) {
                (ROUTER_ALERT, _) => return true,
                (PAD1, _) => 1,
                (_, Some(&len)) => 2 + usize::from(len),
                (_, None) => return false,
            };
        }
        false
    }

    /// Whether this packet belongs to a flow. Compared where it lies: most packets belong to the flow of the last one.
    #[inline]
    pub(crate) fn is_of(&self, flow: &Flow) -> bool {
        let remote = flow.remote.port.to_be_bytes();
        let local = flow.local.port.to_be_bytes();
        self.transport.first_chunk() == Some(&[remote[0], remote[1], local[0], local[1]])
            && self.source == flow.remote.addr
            && self.destination == flow.local.addr
    }

    /// The flow this packet belongs to, seen from its receiver.
    #[inline]
    pub(crate) fn flow(&self) -> Option<Flow> {
        let [s0, s1, d0, d1] = *self.transport.first_chunk::<4>()?;
        Some(Flow {
            local: Endpoint {
                addr: self.destination,
                port: u16::from_be_bytes([d0, d1]),
            },
            remote: Endpoint {
                addr: self.source,
                port: u16::from_be_bytes([s0, s1]),
            },
        })
    }
}

fn ipv4(octets: &[u8]) -> Option<IpAddr> {
    let octets: [u8; 4] = octets.try_into().ok()?;
    Some(IpAddr::V4(Ipv4Addr::from(octets)))
}

fn ipv6(octets: &[u8]) -> Option<IpAddr> {
    ip::v6(octets.try_into().ok()?).map(IpAddr::V6)
}

/// The fields of a TCP header that the heart follows.
#[derive(Clone, Copy)]
pub(crate) struct Segment {
    pub(crate) seq: u32,
    pub(crate) ack: u32,
    flags: u8,
    /// As it stands in the header, without its scale.
    pub(crate) window: u16,
    /// Sequence numbers it takes up: payload, SYN and FIN.
    pub(crate) len: u32,
}

impl Segment {
    #[inline]
    pub(crate) fn parse(transport: &[u8]) -> Option<Segment> {
        let fixed = transport.first_chunk::<20>()?;
        let header_len = usize::from(fixed[12] >> 4) * 4;
        let payload = transport.len().checked_sub(header_len.max(20))?;
        let flags = fixed[13];
        Some(Segment {
            seq: u32::from_be_bytes([fixed[4], fixed[5], fixed[6], fixed[7]]),
            ack: u32::from_be_bytes([fixed[8], fixed[9], fixed[10], fixed[11]]),
            flags,
            window: u16::from_be_bytes([fixed[14], fixed[15]]),
            len: payload as u32 + u32::from(flags & 1) + u32::from(flags >> 1 & 1),
        })
    }

    pub(crate) fn is_syn(&self) -> bool {
        // SYN, and neither RST nor ACK.
        self.flags & 0x16 == 0x02
    }

    /// Neither SYN, FIN nor RST, and its sender takes more.
    pub(crate) fn is_plain(&self) -> bool {
        self.flags & 0x07 == 0 && self.window != 0
    }

    pub(crate) fn has_rst(&self) -> bool {
        self.flags & 0x04 != 0
    }

    /// Octets of payload.
    pub(crate) fn octets(&self) -> u32 {
        self.len - u32::from(self.has_syn()) - u32::from(self.has_fin())
    }

    pub(crate) fn has_syn(&self) -> bool {
        self.flags & 0x02 != 0
    }

    pub(crate) fn has_fin(&self) -> bool {
        self.flags & 0x01 != 0
    }

    pub(crate) fn has_ack(&self) -> bool {
        self.flags & 0x10 != 0
    }
}

/// Whether sequence number `a` is before `b` (RFC 9293 §3.4, modulo 2³²).
pub(crate) fn before(a: u32, b: u32) -> bool {
    (a.wrapping_sub(b) as i32) < 0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_truncation_is_not_a_packet_or_a_shorter_one() {
        let mut packet = [0u8; 60];
        packet[0] = 0x45;
        packet[3] = 60;
        packet[9] = TCP;
        packet[32] = 0x50;
        for len in 0..packet.len() {
            assert!(Packet::parse(&packet[..len]).is_none(), "{len}");
        }
        let whole = Packet::parse(&packet);
        assert_eq!(whole.is_some(), cfg!(feature = "ipv4"));
    }

    #[test]
    #[cfg(feature = "ipv6")]
    fn a_router_alert_is_found_among_other_options() {
        let alert = |options: &[u8]| {
            let mut packet = [0; 40 + 16];
            (packet[0], packet[5], packet[40]) = (0x60, 16, 59);
            packet[41] = (options.len() > 6).into();
            packet[42..][..options.len()].copy_from_slice(options);
            Packet::parse(&packet).unwrap().has_router_alert()
        };
        assert!(alert(&[5, 2, 0, 0, 1, 0]));
        assert!(alert(&[0, 1, 0, 5, 2, 0]));
        assert!(alert(&[1, 6, 5, 5, 5, 5, 5, 5, 5, 2, 0, 0, 0, 0]));
        for options in [
            &[1, 4, 5, 5, 5, 5][..],
            &[1, 255, 5, 2, 0, 0],
            &[0, 0, 0, 0, 0, 1],
        ] {
            assert!(!alert(options), "{options:?}");
        }
    }

    #[test]
    fn a_segment_counts_syn_and_fin() {
        let mut header = [0u8; 25];
        header[12] = 0x50;
        header[13] = 0x03;
        let segment = Segment::parse(&header).map(|s| s.len);
        assert_eq!(segment, Some(7));
    }

    #[test]
    fn order_is_modulo_two_to_the_32() {
        assert!(before(u32::MAX, 0));
        assert!(before(1, 2));
        assert!(!before(2, 2));
        assert!(!before(0, u32::MAX));
    }
}
