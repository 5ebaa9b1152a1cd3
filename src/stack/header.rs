//! The IP headers that the heart writes itself: of all packets but TCP's segments.

use smoltcp::phy::ChecksumCapabilities;

use super::checksum::Sum;
use super::datagram::gather;
use super::fragment::Piece;
use super::ip::IpAddr;

pub(super) const IPV4_HEADER: usize = 20;
pub(super) const IPV6_HEADER: usize = 40;
/// Both families' router alert (RFC 2113, RFC 2711): with it, an IPv6 packet has a header of hop-by-hop options.
const IPV4_ROUTER_ALERT: [u8; 4] = [0x94, 4, 0, 0];
const IPV6_ROUTER_ALERT: [u8; 6] = [5, 2, 0, 0, 1, 0];
const IPV6_EXTENSION: usize = 8;
const HOP_BY_HOP: u8 = 0;
const FRAGMENT: u8 = 44;

/// Which part of a packet is sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Part {
    /// All of it, and nobody may cut it (RFC 6864 §4.1).
    Whole,
    /// All of it, with an identification for the pieces if a router cuts it. IPv6's do not.
    #[cfg(not(feature = "path-mtu"))]
    Fragmentable(u16),
    /// Some octets of its payload.
    #[cfg_attr(
        not(feature = "fragments"),
        expect(dead_code, reason = "there are no pieces")
    )]
    Fragment(Piece),
}

/// An IP header, to be written.
#[derive(Debug, Clone, Copy)]
pub(super) struct Header {
    pub(super) source: IpAddr,
    pub(super) destination: IpAddr,
    pub(super) protocol: u8,
    pub(super) hop_limit: u8,
    pub(super) traffic_class: u8,
    /// Routers are to look into the packet.
    pub(super) router_alert: bool,
    pub(super) part: Part,
}

impl Header {
    /// How many octets it takes.
    pub(super) fn len(&self) -> usize {
        let is_fragment = matches!(self.part, Part::Fragment(_));
        match self.source {
            IpAddr::V4(_) => IPV4_HEADER + if self.router_alert { 4 } else { 0 },
            IpAddr::V6(_) => {
                let extensions = usize::from(self.router_alert) + usize::from(is_fragment);
                IPV6_HEADER + extensions * IPV6_EXTENSION
            }
        }
    }

    /// Writes it before a payload of this length; `packet` begins with its place.
    pub(super) fn write(
        &self,
        packet: &mut [u8],
        payload_len: usize,
        checksums: &ChecksumCapabilities,
    ) {
        match (self.source, self.destination) {
            (IpAddr::V4(source), IpAddr::V4(destination)) => {
                let addresses = [source.octets(), destination.octets()];
                self.write_ipv4(packet, addresses, payload_len, checksums.ipv4.tx());
            }
            (IpAddr::V6(source), IpAddr::V6(destination)) => {
                let addresses = [source.octets(), destination.octets()];
                self.write_ipv6(packet, addresses, payload_len);
            }
            _ => {}
        }
    }

    fn write_ipv4(
        &self,
        packet: &mut [u8],
        addresses: [[u8; 4]; 2],
        payload_len: usize,
        has_checksum: bool,
    ) {
        let len = self.len();
        let Some((header, options)) = packet
            .get_mut(..len)
            .and_then(|header| header.split_first_chunk_mut::<IPV4_HEADER>())
        else {
            return;
        };
        let total = (len + payload_len) as u16;
        let (identification, flags) = match self.part {
            Part::Whole => (0, 0x4000), // "don't fragment"
            #[cfg(not(feature = "path-mtu"))]
            Part::Fragmentable(identification) => (identification, 0),
            Part::Fragment(piece) => piece.ipv4_fields(),
        };
        header[0] = 0x40 | (len / 4) as u8;
        header[1] = self.traffic_class;
        [header[2], header[3]] = total.to_be_bytes();
        [header[4], header[5]] = identification.to_be_bytes();
        [header[6], header[7]] = flags.to_be_bytes();
        header[8] = self.hop_limit;
        header[9] = self.protocol;
        [header[10], header[11]] = [0; 2];
        header[12..20].copy_from_slice(addresses.as_flattened());
        if self.router_alert
            && let Some(options) = options.first_chunk_mut()
        {
            *options = IPV4_ROUTER_ALERT;
        }
        if has_checksum {
            [header[10], header[11]] = Sum::ZERO.add(&header[..]).add(options).checksum();
        }
    }

    fn write_ipv6(&self, packet: &mut [u8], addresses: [[u8; 16]; 2], payload_len: usize) {
        let len = self.len();
        let Some((header, mut extensions)) = packet
            .get_mut(..len)
            .and_then(|header| header.split_at_mut_checked(IPV6_HEADER))
        else {
            return;
        };
        let payload_len = (len - IPV6_HEADER + payload_len) as u16;
        let after_options = match self.part {
            Part::Fragment(_) => FRAGMENT,
            _ => self.protocol,
        };
        header[0] = 0x60 | self.traffic_class >> 4;
        header[1] = self.traffic_class << 4;
        header[2..4].fill(0);
        header[4..6].copy_from_slice(&payload_len.to_be_bytes());
        header[6] = if self.router_alert {
            HOP_BY_HOP
        } else {
            after_options
        };
        header[7] = self.hop_limit;
        header[8..].copy_from_slice(addresses.as_flattened());
        if self.router_alert
            && let Some(options) = extensions.split_off_mut(..IPV6_EXTENSION)
        {
            gather(&[&[after_options, 0], &IPV6_ROUTER_ALERT], options);
        }
        if let Part::Fragment(piece) = self.part
            && let Some(place) = extensions.first_chunk_mut::<IPV6_EXTENSION>()
        {
            *place = piece.ipv6_header(self.protocol);
        }
    }
}

#[cfg(all(test, feature = "ipv4", feature = "ipv6", feature = "fragments"))]
#[allow(clippy::unwrap_used)] // A test may fail.
mod tests {
    use super::*;
    #[cfg(feature = "ipv4")]
    use smoltcp::wire::Ipv4Packet;
    #[cfg(feature = "ipv6")]
    use smoltcp::wire::Ipv6Packet;

    fn header(source: &str, destination: &str) -> Header {
        Header {
            source: source.parse().unwrap(),
            destination: destination.parse().unwrap(),
            protocol: 17,
            hop_limit: 64,
            traffic_class: 0xb8,
            router_alert: false,
            part: Part::Whole,
        }
    }

    #[test]
    #[cfg(feature = "ipv4")]
    fn an_ipv4_header_reads_as_it_was_written() {
        let mut packet = [0xaa; 64];
        let header = Header {
            part: Part::Fragment(Piece {
                identification: 0x1234,
                offset: 1480,
                more: true,
            }),
            ..header("10.0.0.1", "10.0.0.2")
        };
        header.write(&mut packet, 44, &ChecksumCapabilities::default());
        let packet = Ipv4Packet::new_checked(&packet[..]).unwrap();
        assert!(packet.verify_checksum());
        assert_eq!((packet.header_len(), packet.total_len()), (20, 64));
        assert_eq!((packet.frag_offset(), packet.more_frags()), (1480, true));
        assert!(!packet.dont_frag());
        assert_eq!(packet.ident(), 0x1234);
        assert_eq!((packet.dscp(), packet.ecn()), (46, 0));
        assert_eq!(packet.src_addr().octets(), [10, 0, 0, 1]);
    }

    #[test]
    #[cfg(feature = "ipv6")]
    fn an_ipv6_header_has_its_extensions_in_order() {
        let mut packet = [0xaa; 60];
        let header = Header {
            router_alert: true,
            part: Part::Fragment(Piece {
                identification: 7,
                offset: 8,
                more: false,
            }),
            ..header("fd00::1", "fd00::2")
        };
        assert_eq!(header.len(), 56);
        header.write(&mut packet, 4, &ChecksumCapabilities::default());
        assert_eq!(
            &packet[40..56],
            &[44, 0, 5, 2, 0, 0, 1, 0, 17, 0, 0, 8, 0, 0, 0, 7]
        );
        let packet = Ipv6Packet::new_checked(&packet[..]).unwrap();
        assert_eq!(packet.payload_len(), 20);
        assert_eq!(packet.traffic_class(), 0xb8);
        assert_eq!(packet.hop_limit(), 64);
    }

    #[test]
    fn too_short_a_place_is_left_alone() {
        for destination in ["10.0.0.2", "fd00::2"] {
            let source = if destination.contains(':') {
                "fd00::1"
            } else {
                "10.0.0.1"
            };
            header(source, destination).write(&mut [0; 19], 0, &ChecksumCapabilities::default());
        }
    }
}
