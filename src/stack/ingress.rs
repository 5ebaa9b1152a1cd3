//! What comes in: each frame finds the one socket it is for and is handed to smoltcp with that socket alone.

use smoltcp::iface::SocketSet;
use smoltcp::phy::{DeviceCapabilities, PacketMeta, TxToken};
use smoltcp::socket::tcp::State;
use smoltcp::wire::HardwareAddress;

use super::Stack;
use super::connection::Role;
use super::door::{DoorIn, Sent};
use super::fd::Socket;
use super::flow::{Flow, to_smoltcp};
use super::fragment::{self, Outcome};
use super::frame::{self, Frame, ICMP, ICMPV6, Packet, Segment, TCP, UDP, is_link_unicast};
use super::interface::LOOPBACK;
use super::listen::{Arrival, Syn};
use super::resolver::Step;
use crate::trace::Observer;

/// A frame on its way in, with the device's token for an answer.
pub(super) struct Incoming<'f, T> {
    pub(super) interface: u8,
    pub(super) frame: &'f [u8],
    pub(super) meta: PacketMeta,
    pub(super) token: T,
    pub(super) capabilities: &'f DeviceCapabilities,
}

impl<'a, O: Observer> Stack<'a, O> {
    /// Takes one frame in.
    pub(super) fn ingress<T: TxToken>(&mut self, incoming: Incoming<'_, T>) {
        match Frame::parse(incoming.capabilities.medium, incoming.frame) {
            Frame::Ip { link, .. } if !self.is_for_us(incoming.interface, link) => {}
            Frame::Ip { link, packet } if fragment::is_fragment(packet) => {
                let now = self.now;
                let added = self.reassemblies.add(now, incoming.interface, link, packet);
                if let Outcome::Complete(complete) = added {
                    self.ingress_packet(Incoming {
                        frame: complete.frame(),
                        ..incoming
                    });
                    self.reassemblies.restore(complete);
                }
            }
            Frame::Ip { .. } => self.ingress_packet(incoming),
            Frame::Other => {
                // ARP, or nothing we know.
                let interface = incoming.interface;
                self.deliver(incoming, None);
                self.unblock(interface);
            }
        }
    }

    /// Whether a link header names this station, or a group: a device may hear what is for others, too.
    fn is_for_us(&self, interface: u8, link: &[u8]) -> bool {
        let Some(to) = link.first_chunk().filter(|_| is_link_unicast(link)) else {
            return true;
        };
        let interface = self.interfaces[usize::from(interface)].as_ref();
        interface.is_some_and(|interface| match interface.inner.hardware_addr() {
            HardwareAddress::Ethernet(own) => own.0 == *to,
            HardwareAddress::Ip => true,
        })
    }

    /// Takes in a frame with a whole IP packet.
    fn ingress_packet<T: TxToken>(&mut self, incoming: Incoming<'_, T>) {
        let Frame::Ip { link, packet } = Frame::parse(incoming.capabilities.medium, incoming.frame)
        else {
            return;
        };
        let Some(packet) = Packet::parse(packet) else {
            return;
        };
        // Nobody else sends from our addresses, or from or to 127.0.0.0/8 (RFC 1122 §3.2.1.3).
        let is_martian = self.is_own(packet.source) || packet.destination.is_loopback();
        if incoming.interface != LOOPBACK && is_martian {
            return;
        }
        match packet.protocol {
            TCP => self.ingress_tcp(incoming, link, &packet),
            UDP => self.ingress_udp(incoming, &packet),
            ICMP | ICMPV6 => {
                self.hear_icmp(incoming.interface, incoming.capabilities, &packet);
                let interface = incoming.interface;
                self.deliver(incoming, None);
                self.unblock(interface);
            }
            _ => self.deliver(incoming, None),
        }
    }

    fn ingress_tcp<T: TxToken>(&mut self, incoming: Incoming<'_, T>, link: &[u8], packet: &Packet<'_>) {
        let (Some(flow), Some(segment)) = (packet.flow(), Segment::parse(packet.transport)) else {
            return;
        };
        // An address belongs to its link: the strong host model (RFC 1122 §3.3.4.2), smoltcp's too.
        let is_ours = self.is_local_to(incoming.interface, &flow);
        if !is_link_unicast(link) || !is_ours || self.is_broadcast(flow.remote.addr) {
            return;
        }
        if let Some(slot) = self.find_flow(&flow) {
            if self.slots[usize::from(slot)].interface != incoming.interface {
                return; // a connection stays on the interface it began on
            }
            if !(segment.is_syn() && self.is_succeeded(slot, segment.seq)) {
                self.deliver(incoming, Some((slot, Some(segment))));
                return;
            }
            self.release(slot);
        }
        if segment.is_syn()
            && let Some(listener) = self.find_listener(&flow)
        {
            if let Some(syn) = Syn::parse(incoming.interface, &flow, packet, incoming.capabilities) {
                self.hear_syn(listener, syn, Arrival::Wire);
            }
            return;
        }
        // For nobody: smoltcp answers with RST.
        self.deliver(incoming, None);
    }

    /// A SYN beyond the last connection of a flow in TIME-WAIT begins the next one (RFC 9293 §3.10.7.8).
    fn is_succeeded(&self, slot: u16, seq: u32) -> bool {
        self.slots[usize::from(slot)].connection().is_some_and(|connection| {
            connection.state == State::TimeWait
                && connection.role == Role::Orphan
                && frame::before(connection.receive_next, seq)
        })
    }

    fn ingress_udp<T: TxToken>(&mut self, incoming: Incoming<'_, T>, packet: &Packet<'_>) {
        let Some(flow) = packet.flow() else {
            return;
        };
        let slot = match self.find_datagram_socket(&flow) {
            Some(slot) => Some(slot),
            None if self.resolver.expects(&flow) => {
                if !self.resolver.is_answer(packet.transport.get(8..)) {
                    return;
                }
                Some(self.resolver.slot)
            }
            // "Port unreachable" is never the answer to a group (RFC 4443 §2.4, e.3).
            None if !self.is_own(flow.local.addr) => return,
            None => None,
        };
        self.deliver(incoming, slot.map(|slot| (slot, None)));
    }

    /// The connection of a flow.
    pub(super) fn find_flow(&self, flow: &Flow) -> Option<u16> {
        let hash = self.secret.flow_hash(flow.local.pair(), flow.remote.pair());
        let is_it = |slot: &u16| {
            let connection = self.slots[usize::from(*slot)].connection();
            connection.is_some_and(|connection| connection.flow == *flow)
        };
        self.flows.candidates(hash).find(is_it)
    }

    /// The datagram socket that fits best: connected to the sender, then bound to the address, then any.
    fn find_datagram_socket(&self, flow: &Flow) -> Option<u16> {
        let hash = self.secret.port_hash(false, flow.local.port);
        let mut best: Option<(u8, u16)> = None;
        for index in self.ports.candidates(hash) {
            let row = self.descriptors.peek(index);
            let Socket::Datagram { slot, peer } = row.socket else {
                continue;
            };
            let is_ours = row.scope().contains(flow.local.addr) || self.is_broadcast(flow.local.addr);
            if row.local.port != flow.local.port
                || !is_ours
                || peer.is_some_and(|peer| peer != flow.remote)
            {
                continue;
            }
            let fit = row.scope().precision() + if peer.is_some() { 4 } else { 0 };
            if best.is_none_or(|(so_far, _)| fit > so_far) {
                best = Some((fit, slot));
            }
        }
        best.map(|(_, slot)| slot)
    }

    /// Hands a frame to smoltcp, with the socket it is for or with none.
    fn deliver<T: TxToken>(&mut self, incoming: Incoming<'_, T>, to: Option<(u16, Option<Segment>)>) {
        let Some(interface) = &mut self.interfaces[usize::from(incoming.interface)] else {
            return;
        };
        let mut sent = Sent::default();
        let mut door = DoorIn {
            frame: Some(incoming.frame),
            meta: incoming.meta,
            token: Some(incoming.token),
            capabilities: incoming.capabilities,
            sent: &mut sent,
        };
        let Some((slot, segment)) = to else {
            let mut nobody = SocketSet::new(&mut [][..]);
            interface.inner.poll_ingress_single(self.now, &mut door, &mut nobody);
            return;
        };
        let Some(set) = &mut self.slots[usize::from(slot)].set else {
            return;
        };
        interface.inner.poll_ingress_single(self.now, &mut door, set);
        self.note_sent(slot, &sent);
        match (segment, slot == self.resolver.slot) {
            (Some(segment), _) => self.settle(slot, Some(segment)),
            (None, true) => self.settle_lookups(Step::Answer),
            (None, false) => return self.settle_datagram(slot, false, false),
        }
        if self.is_live(slot) {
            self.make_due(slot);
        }
    }

    /// Whether smoltcp may speak from `flow.local` on this interface.
    pub(super) fn is_local_to(&self, interface: u8, flow: &Flow) -> bool {
        interface == LOOPBACK
            || self.interfaces[usize::from(interface)]
                .as_ref()
                .zip(to_smoltcp(flow.local.addr))
                .is_some_and(|(interface, addr)| interface.inner.has_ip_addr(addr))
    }
}
