//! Raw sockets: packets of any protocol, as they are. They see copies; what the stack does with a packet goes on.

use core::net::IpAddr;

use super::datagram::{Content, Envelope, Posted};
use super::fd::Socket;
use super::flow::Endpoint;
use super::frame::{ICMP, ICMPV6, Packet};
use super::ingress::Incoming;
use super::{Domain, Protocol, Stack};
use crate::trace::{DropReason, Observer};

impl<'a, O: Observer> Stack<'a, O> {
    /// Gives a copy of a packet to each raw socket that is for its protocol: in IPv4 with the IP header, in IPv6 without
    /// (as Linux; RFC 3542 §3). Says whether there is one.
    pub(super) fn copy_to_raw_sockets(
        &mut self,
        incoming: &Incoming<'_>,
        packet: &Packet<'_>,
    ) -> bool {
        let envelope = Envelope {
            from: Endpoint {
                addr: packet.source,
                port: 0,
            },
            to: Endpoint {
                addr: packet.destination,
                port: 0,
            },
            interface: incoming.interface,
            hop_limit: packet.hop_limit,
            traffic_class: packet.traffic_class,
            content: Content::Raw(Protocol(packet.protocol)),
        };
        let whole = packet.header.len() + packet.transport.len();
        let octets = match packet.source {
            IpAddr::V4(_) => incoming.packet().get(..whole).unwrap_or_default(),
            IpAddr::V6(_) => packet.transport,
        };
        let mut is_copied = false;
        for index in 0..self.descriptors.len() {
            if let Some(slot) = self.raw_slot(index, packet) {
                is_copied = true;
                if self.put_into(slot, &envelope, &[octets]) == Posted::Full {
                    self.tell_drop(incoming, DropReason::ReceiveQueueFull);
                }
            }
        }
        is_copied
    }

    /// The slot of a raw socket, if a packet is for it.
    fn raw_slot(&self, index: u16, packet: &Packet<'_>) -> Option<u16> {
        let row = self.descriptors.peek(index);
        let Socket::Datagram {
            slot,
            peer,
            protocol: Some(protocol),
        } = row.socket
        else {
            return None;
        };
        let is_of_domain = packet.source.is_ipv4() == (row.domain == Domain::Inet);
        let is_icmp = matches!(packet.protocol, ICMP | ICMPV6);
        let kind = packet.transport.first().copied().unwrap_or_default();
        let is_for_it = protocol.0 == packet.protocol
            && protocol != Protocol::RAW
            && is_of_domain
            && (row.local.addr.is_unspecified() || row.local.addr == packet.destination)
            && peer.is_none_or(|peer| peer.addr == packet.source)
            && (!is_icmp || row.options.icmp_filter.passes(kind));
        is_for_it.then_some(slot)
    }
}
