//! Neighbor discovery packets, read and written (RFC 4861 §4).

use smoltcp::phy::ChecksumCapabilities;
use smoltcp::wire::Icmpv6Packet;

use crate::stack::datagram::gather;
use crate::stack::ip::Ipv6Addr;
use crate::stack::neighbor::{NEIGHBOR_SOLICITATION, solicited_node};

pub(super) const ROUTER_SOLICITATION: u8 = 133;
pub(super) const ROUTER_ADVERTISEMENT: u8 = 134;

/// All routers of the link (RFC 4291 §2.7.1).
const ALL_ROUTERS: Ipv6Addr = Ipv6Addr::new(0xff02, 0, 0, 0, 0, 0, 0, 2);

/// An ICMPv6 packet of neighbor discovery that came in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Message<'p> {
    pub(super) source: Ipv6Addr,
    pub(super) destination: Ipv6Addr,
    pub(super) kind: u8,
    /// What is behind type, code and checksum.
    pub(super) body: &'p [u8],
}

impl<'p> Message<'p> {
    /// `None` if it is damaged, or was not sent by a host of the link: a router lowers the hop limit of what it forwards
    /// (RFC 4861 §6.1, §7.1).
    pub(super) fn parse(
        source: Ipv6Addr,
        destination: Ipv6Addr,
        hop_limit: u8,
        packet: &'p [u8],
        checksum: &ChecksumCapabilities,
    ) -> Option<Message<'p>> {
        let [kind, 0, _, _, body @ ..] = packet else {
            return None;
        };
        let icmp = Icmpv6Packet::new_checked(packet).ok()?;
        let is_damaged = checksum.icmpv6.rx() && !icmp.verify_checksum(&source, &destination);
        (hop_limit == 255 && !is_damaged).then_some(Message {
            source,
            destination,
            kind: *kind,
            body,
        })
    }
}

/// A packet that autoconfiguration sends: with hop limit 255, and multicast.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::stack) struct Solicitation {
    pub(in crate::stack) source: Ipv6Addr,
    pub(in crate::stack) destination: Ipv6Addr,
    question: Question,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Question {
    /// Which routers are there? With the own hardware address.
    Router(Option<[u8; 6]>),
    /// Who has this address? With a nonce.
    Neighbor(Ipv6Addr, [u8; 6]),
}

impl Solicitation {
    /// Asks routers to advertise (RFC 4861 §4.1). From the unspecified address no hardware address goes with it.
    pub(super) fn for_routers(source: Ipv6Addr, hardware_address: Option<[u8; 6]>) -> Solicitation {
        Solicitation {
            source,
            destination: ALL_ROUTERS,
            question: Question::Router(hardware_address.filter(|_| !source.is_unspecified())),
        }
    }

    /// Asks whether another host has an address that is about to be taken (RFC 4862 §5.4.2).
    pub(super) fn for_duplicates(target: Ipv6Addr, nonce: [u8; 6]) -> Solicitation {
        Solicitation {
            source: Ipv6Addr::UNSPECIFIED,
            destination: solicited_node(target),
            question: Question::Neighbor(target, nonce),
        }
    }

    /// The address in question, where it is not the routers.
    pub(in crate::stack) fn target(&self) -> Option<Ipv6Addr> {
        match self.question {
            Question::Router(_) => None,
            Question::Neighbor(target, _) => Some(target),
        }
    }

    /// How many octets `write` takes.
    pub(in crate::stack) fn len(&self) -> usize {
        match self.question {
            Question::Router(None) => 8,
            Question::Router(Some(_)) => 16,
            Question::Neighbor(..) => 32,
        }
    }

    /// Writes the ICMPv6 packet with its checksum; nothing if the buffer is too short.
    pub(in crate::stack) fn write(&self, buffer: &mut [u8]) {
        let Some(packet) = buffer.get_mut(..self.len()) else {
            return;
        };
        let fixed = |kind| [kind, 0, 0, 0, 0, 0, 0, 0];
        match self.question {
            Question::Router(hardware_address) => {
                // Without an address there is no room for the option.
                let address = hardware_address.unwrap_or_default();
                gather(&[&fixed(ROUTER_SOLICITATION), &[1, 1], &address], packet);
            }
            Question::Neighbor(target, nonce) => {
                let fixed = fixed(NEIGHBOR_SOLICITATION);
                gather(&[&fixed, &target.octets(), &[14, 1], &nonce], packet);
            }
        }
        Icmpv6Packet::new_unchecked(packet).fill_checksum(&self.source, &self.destination);
    }
}
