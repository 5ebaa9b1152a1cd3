//! Raw sockets: packets of any protocol, as they are (`raw(7)`, RFC 3542 §3). They see copies; what the stack does with a
//! packet goes on.

use core::net::Ipv4Addr;

use smoltcp::phy::ChecksumCapabilities;

use super::checksum::Sum;
use super::datagram::{Content, Envelope, Posted, gather, length};
use super::fd::Socket;
use super::flow::{Endpoint, Flow};
use super::frame::{ICMP, ICMPV6, Packet};
use super::header::{IPV4_HEADER, IPV6_HEADER, Part};
use super::ingress::Incoming;
use super::ip::IpAddr;
use super::option::Options;
use super::sequence::Secret;
use super::{Domain, Protocol, Stack};
use crate::trace::{DropReason, Observer};
use crate::{Error, Result};

/// The protocol of a raw socket.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct RawProtocol(Protocol);

impl RawProtocol {
    /// Protocol 0 is none.
    pub(super) fn of(protocol: Protocol) -> Result<RawProtocol> {
        match protocol {
            Protocol(0) => Err(Error::InvalidArgument),
            protocol => Ok(RawProtocol(protocol)),
        }
    }

    pub(super) fn number(self) -> Protocol {
        self.0
    }

    /// What its socket sends to an address.
    pub(super) fn content(self, to: IpAddr, options: &Options) -> Content {
        Content::Raw(match options.raw.header_included {
            true => Raw::Packet,
            false => Raw::Payload {
                protocol: self.0,
                checksum_at: checksum_at(self.0, to, options),
            },
        })
    }
}

/// What a raw socket sends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Raw {
    /// What is behind an IP header. The stack writes the checksum, if it is told where.
    Payload {
        protocol: Protocol,
        checksum_at: Option<u16>,
    },
    /// It begins with its IP header.
    Packet,
}

impl Raw {
    pub(super) fn protocol(self) -> Protocol {
        match self {
            Raw::Payload { protocol, .. } => protocol,
            Raw::Packet => Protocol::RAW,
        }
    }

    /// Whether its sender wrote the IP header.
    pub(super) fn has_header(self) -> bool {
        self == Raw::Packet
    }
}

/// How many are open.
pub(super) struct RawSockets(u16);

impl RawSockets {
    pub(super) const NONE: RawSockets = RawSockets(0);

    pub(super) fn are_open(&self) -> bool {
        self.0 > 0
    }
}

impl<'a, O: Observer> Stack<'a, O> {
    /// A descriptor is a raw socket's from now on.
    pub(super) fn open_raw_socket(&mut self, index: u16, protocol: RawProtocol) {
        self.raw_sockets.0 += 1;
        let options = &mut self.descriptors.row(index).options;
        options.raw.header_included = protocol.0 == Protocol::RAW;
    }

    pub(super) fn close_raw_socket(&mut self, _: RawProtocol) {
        self.raw_sockets.0 -= 1;
    }

    /// Whether somebody sends packets of a protocol.
    #[cfg(feature = "path-mtu")]
    pub(super) fn has_raw_socket(&self, protocol: Protocol) -> bool {
        let is_of = |row: &super::fd::Descriptor| {
            let Socket::Datagram { protocol: own, .. } = row.socket else {
                return false;
            };
            own.is_some_and(|RawProtocol(own)| own == protocol || own == Protocol::RAW)
        };
        self.raw_sockets.are_open() && self.descriptors.open_rows().any(|(_, row)| is_of(row))
    }

    /// Gives a copy of a packet to each raw socket that is for its protocol: in IPv4 with the IP header, in IPv6 without
    /// (as Linux; RFC 3542 §3). Says whether there is one.
    pub(super) fn copy_to_raw_sockets(
        &mut self,
        incoming: &Incoming<'_>,
        packet: &Packet<'_>,
    ) -> bool {
        let protocol = Protocol(packet.protocol);
        let envelope = Envelope {
            from: Endpoint {
                addr: packet.source,
                port: 0,
            },
            to: Endpoint {
                addr: packet.destination,
                port: 0,
            },
            interface: incoming.interface.into(),
            hop_limit: packet.hop_limit,
            traffic_class: packet.traffic_class,
            content: Content::Raw(Raw::Payload {
                protocol,
                checksum_at: None,
            }),
        };
        let whole = packet.header.len() + packet.transport.len();
        let octets = match packet.source {
            IpAddr::V4(_) => incoming.packet().get(..whole).unwrap_or_default(),
            IpAddr::V6(_) => packet.transport,
        };
        let kind = packet.transport.first().copied();
        let len = packet.transport.len() as u32;
        let sum = Sum::pseudo_header(packet.source, packet.destination, packet.protocol, len);
        let is_right = || sum.add(packet.transport).is_right();
        let mut is_copied = false;
        for index in 0..self.descriptors.len() {
            if let Some(slot) = self.raw_slot(index, &envelope, protocol, kind) {
                is_copied = true;
                let offset = self.descriptors.peek(index).options.raw.checksum_offset;
                if packet.source.is_ipv6() && offset.is_some() && !is_right() {
                    continue;
                }
                let write = |place: &mut [u8]| place.copy_from_slice(octets);
                if self.put_into(slot, &envelope, octets.len(), write) == Posted::Full {
                    self.tell_drop(incoming, DropReason::ReceiveQueueFull);
                }
            }
        }
        is_copied
    }

    /// The same with what a raw socket of this host sends to a group that the host is in.
    pub(super) fn copy_own(&mut self, envelope: &Envelope, raw: Raw, parts: &[&[u8]]) {
        let Raw::Payload { protocol, .. } = raw else {
            return;
        };
        let header = envelope.header(Part::Whole);
        let header_len = match envelope.from.addr {
            IpAddr::V4(_) => header.len(),
            IpAddr::V6(_) => 0,
        };
        let len = length(parts);
        let kind = parts.iter().find_map(|part| part.first()).copied();
        for index in 0..self.descriptors.len() {
            let Some(slot) = self.raw_slot(index, envelope, protocol, kind) else {
                continue;
            };
            let _ = self.put_into(slot, envelope, header_len + len, |place| {
                let (front, rest) = place.split_at_mut(header_len);
                header.write(front, len, &ChecksumCapabilities::default());
                gather(parts, rest);
                envelope.seal(rest);
            });
        }
    }

    /// The slot of a raw socket, if a packet is for it; `kind` is the packet's first octet, which is an ICMP message's type.
    fn raw_slot(
        &self,
        index: u16,
        envelope: &Envelope,
        protocol: Protocol,
        kind: Option<u8>,
    ) -> Option<u16> {
        let row = self.descriptors.peek(index);
        let Socket::Datagram {
            slot,
            peer,
            protocol: Some(RawProtocol(own)),
        } = row.socket
        else {
            return None;
        };
        let (from, to) = (envelope.from.addr, envelope.to.addr);
        let is_of_domain = from.is_ipv4() == (row.domain == Domain::Inet);
        let is_icmp = matches!(protocol.0, ICMP | ICMPV6);
        let passes = |kind| row.options.raw.icmp_filter.passes(kind);
        let is_for_it = own == protocol
            && own != Protocol::RAW
            && is_of_domain
            && (row.local.addr.is_unspecified() || row.local.addr == to)
            && peer.is_none_or(|peer| peer.addr == from)
            && (!is_icmp || kind.is_some_and(passes));
        is_for_it.then_some(slot)
    }

    /// An ICMP error about a packet that this host sent, for the raw sockets that are connected to where it went (as Linux
    /// without `IP_RECVERR`).
    pub(super) fn raw_error(
        &mut self,
        interface: u8,
        protocol: Protocol,
        flow: &Flow,
        error: Error,
    ) {
        if !self.raw_sockets.are_open() {
            return;
        }
        for index in 0..self.descriptors.len() {
            let row = self.descriptors.peek(index);
            if let Socket::Datagram {
                slot,
                peer: Some(peer),
                protocol: Some(RawProtocol(own)),
            } = row.socket
                && own == protocol
                && peer.addr == flow.remote.addr
                && row.local.addr == flow.local.addr
                && self.slots[usize::from(slot)].interface == interface
            {
                self.datagram_error(slot, error);
            }
        }
    }
}

impl Envelope {
    /// Whether octets hold the header that their sender is to write, and the place of the checksum that the stack is to.
    pub(super) fn takes(&self, parts: &[&[u8]]) -> bool {
        let len = length(parts);
        let first = parts.iter().find_map(|part| part.first());
        let first = first.copied().unwrap_or_default();
        match (self.content, self.to.addr) {
            (Content::Raw(Raw::Packet), IpAddr::V4(_)) => {
                let header_len = usize::from(first & 0x0f) * 4;
                first >> 4 == 4 && (IPV4_HEADER..=len).contains(&header_len)
            }
            (Content::Raw(Raw::Packet), IpAddr::V6(_)) => first >> 4 == 6 && len >= IPV6_HEADER,
            (Content::Raw(Raw::Payload { checksum_at, .. }), _) => {
                checksum_at.is_none_or(|at| len >= usize::from(at) + 2)
            }
            _ => true,
        }
    }

    /// Fills in what the stack sees to in what a raw socket sends.
    pub(super) fn complete(&self, octets: &mut [u8], secret: &mut Secret) {
        match (self.content, self.from.addr) {
            (Content::Raw(Raw::Packet), IpAddr::V4(source)) => {
                complete_header(octets, source, secret)
            }
            _ => self.seal(octets),
        }
    }

    /// Writes the checksum, if that is the stack's work.
    fn seal(&self, octets: &mut [u8]) {
        let Content::Raw(Raw::Payload {
            protocol,
            checksum_at: Some(at),
        }) = self.content
        else {
            return;
        };
        let len = octets.len() as u32;
        let sum = Sum::pseudo_header(self.from.addr, self.to.addr, protocol.0, len);
        let place = usize::from(at)..usize::from(at) + 2;
        if let Some(place) = octets.get_mut(place.clone()) {
            place.fill(0);
        }
        let checksum = match sum.add(octets).checksum() {
            // Zero is for "no checksum" (RFC 768).
            [0, 0] if protocol == Protocol::UDP => [0xff; 2],
            checksum => checksum,
        };
        if let Some(place) = octets.get_mut(place) {
            place.copy_from_slice(&checksum);
        }
    }
}

/// Where in what a raw socket sends the stack writes the checksum: in ICMPv6 always, else as the socket's option says, and
/// never in IPv4 (RFC 3542 §3.1).
fn checksum_at(protocol: Protocol, to: IpAddr, options: &Options) -> Option<u16> {
    match (to, protocol) {
        (IpAddr::V4(_), _) => None,
        (IpAddr::V6(_), Protocol::ICMPV6) => Some(2),
        (IpAddr::V6(_), _) => options.raw.checksum_offset,
    }
}

/// Fills in the fields of an IPv4 header that its writer need not know (`raw(7)`): always the length and the checksum, the
/// identification and the source where they are zero. IPv6's stays as it is (as on Linux).
fn complete_header(packet: &mut [u8], source: Ipv4Addr, secret: &mut Secret) {
    let total = packet.len() as u16;
    let header_len = usize::from(packet.first().copied().unwrap_or_default() & 0x0f) * 4;
    let Some(header) = packet.get_mut(..header_len) else {
        return;
    };
    let Some(fixed) = header.first_chunk_mut::<IPV4_HEADER>() else {
        return;
    };
    fixed[2..4].copy_from_slice(&total.to_be_bytes());
    if fixed[4..6] == [0; 2] {
        let identification = (secret.random_u64() as u16).max(1);
        fixed[4..6].copy_from_slice(&identification.to_be_bytes());
    }
    fixed[10..12].fill(0);
    if fixed[12..16] == [0; 4] {
        fixed[12..16].copy_from_slice(&source.octets());
    }
    let checksum = Sum::ZERO.add(header).checksum();
    if let Some(place) = header.get_mut(10..12) {
        place.copy_from_slice(&checksum);
    }
}
