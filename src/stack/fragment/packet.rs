//! What the headers of one fragment say, and the header of the datagram that comes of it.

#[cfg(feature = "ipv6")]
use super::BLOCK;
use super::{LINK_HEADER_MAX, Reason};
use crate::stack::ip::IpAddr;
use smoltcp::wire::IpProtocol;
#[cfg(feature = "ipv4")]
use smoltcp::wire::Ipv4Packet;
#[cfg(feature = "ipv6")]
use smoltcp::wire::{Ipv6FragmentHeader, Ipv6Packet};

#[cfg(feature = "ipv6")]
use crate::stack::frame::{fragment_header, skip_options};

/// A first fragment must show the ports and flags, or filters on the way judge what they cannot see (RFC 1858 §3).
fn holds_transport_header(protocol: IpProtocol, payload: &[u8]) -> bool {
    match protocol {
        IpProtocol::Tcp => payload.len() >= 20,
        IpProtocol::Udp => payload.len() >= 8,
        _ => true,
    }
}

/// Fragments of one datagram have this in common: RFC 791 §3.2, RFC 8200 §4.5. The interface is ours: what two
/// networks send does not mix.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Key {
    pub(super) interface: u8,
    pub(super) source: IpAddr,
    pub(super) destination: IpAddr,
    /// IPv4 only.
    pub(super) protocol: Option<IpProtocol>,
    pub(super) identification: u32,
}

/// A fragment as it came: what its headers say, with its bytes unread.
pub(super) struct Fragment<'p> {
    pub(super) key: Key,
    pub(super) link_header: &'p [u8],
    /// The IP header with its options (IPv4), or the fixed header alone (IPv6).
    pub(super) ip_header: &'p [u8],
    /// What follows the IP header of the whole datagram.
    pub(super) next_header: IpProtocol,
    /// The headers up to the transport's end in this fragment, if it is the first.
    pub(super) headers_whole: bool,
    /// In bytes.
    pub(super) offset: usize,
    pub(super) more: bool,
    pub(super) payload: &'p [u8],
}

impl<'p> Fragment<'p> {
    pub(super) fn parse(
        interface: u8,
        link_header: &'p [u8],
        ip_packet: &'p [u8],
    ) -> Result<Self, Reason> {
        if link_header.len() > LINK_HEADER_MAX {
            return Err(Reason::Malformed);
        }
        match ip_packet.first().map(|byte| byte >> 4) {
            #[cfg(feature = "ipv4")]
            Some(4) => Self::parse_ipv4(interface, link_header, ip_packet),
            #[cfg(feature = "ipv6")]
            Some(6) => Self::parse_ipv6(interface, link_header, ip_packet),
            _ => Err(Reason::Malformed),
        }
    }

    #[cfg(feature = "ipv4")]
    fn parse_ipv4(
        interface: u8,
        link_header: &'p [u8],
        ip_packet: &'p [u8],
    ) -> Result<Self, Reason> {
        let packet = Ipv4Packet::new_checked(ip_packet).map_err(|_| Reason::Malformed)?;
        if !packet.verify_checksum() {
            return Err(Reason::Checksum);
        }
        let next_header = packet.next_header();
        let fragment = Fragment {
            key: Key {
                interface,
                source: packet.src_addr().into(),
                destination: packet.dst_addr().into(),
                protocol: Some(next_header),
                identification: packet.ident().into(),
            },
            link_header,
            ip_header: &ip_packet[..packet.header_len().into()],
            next_header,
            headers_whole: holds_transport_header(next_header, packet.payload()),
            offset: packet.frag_offset().into(),
            more: packet.more_frags(),
            payload: packet.payload(),
        };
        // IPv4 has no atomic fragments: this one is a whole datagram.
        if fragment.is_atomic() {
            return Err(Reason::Malformed);
        }
        Ok(fragment)
    }

    #[cfg(feature = "ipv6")]
    fn parse_ipv6(
        interface: u8,
        link_header: &'p [u8],
        ip_packet: &'p [u8],
    ) -> Result<Self, Reason> {
        let packet = Ipv6Packet::new_checked(ip_packet).map_err(|_| Reason::Malformed)?;
        let (header, payload) = fragment_header(&packet)
            .and_then(<[u8]>::split_first_chunk::<8>)
            .ok_or(Reason::Malformed)?;
        let next_header = IpProtocol::from(header[0]);
        let header = Ipv6FragmentHeader::new_unchecked(&header[2..]);
        let offset = usize::from(header.frag_offset()) * BLOCK;
        let transport = skip_options(next_header, payload);
        // A fragment of a fragment: nobody sends that, and whoever reads the frame would come back here with it.
        if offset == 0 && transport.is_some_and(|(protocol, _)| protocol == IpProtocol::Ipv6Frag) {
            return Err(Reason::Malformed);
        }
        Ok(Fragment {
            key: Key {
                interface,
                source: packet.src_addr().into(),
                destination: packet.dst_addr().into(),
                protocol: None,
                identification: header.ident(),
            },
            link_header,
            ip_header: &ip_packet[..packet.header_len()],
            next_header,
            headers_whole: transport
                .is_some_and(|(protocol, rest)| holds_transport_header(protocol, rest)),
            offset,
            more: header.more_frags(),
            payload,
        })
    }

    /// The only fragment of its datagram. RFC 6946: no other fragment has to do with it, even one of the same key.
    pub(super) fn is_atomic(&self) -> bool {
        self.offset == 0 && !self.more
    }
}

/// Makes the first fragment's IP header that of the whole datagram.
pub(super) fn rewrite(
    header: &mut [u8],
    next_header: IpProtocol,
    payload_len: usize,
) -> Result<(), Reason> {
    match header[0] >> 4 {
        #[cfg(feature = "ipv4")]
        4 => {
            let total = u16::try_from(header.len() + payload_len).map_err(|_| Reason::TooLarge)?;
            let mut packet = Ipv4Packet::new_unchecked(header);
            packet.set_total_len(total);
            packet.set_next_header(next_header);
            packet.set_more_frags(false);
            packet.set_frag_offset(0);
            packet.fill_checksum();
        }
        #[cfg(feature = "ipv6")]
        6 => {
            let total = u16::try_from(payload_len).map_err(|_| Reason::TooLarge)?;
            let mut packet = Ipv6Packet::new_unchecked(header);
            packet.set_payload_len(total);
            packet.set_next_header(next_header);
        }
        _ => return Err(Reason::Malformed),
    }
    Ok(())
}
