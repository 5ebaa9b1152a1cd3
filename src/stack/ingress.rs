//! What comes in: each frame finds the one socket it is for and is handed to smoltcp with that socket alone.

use smoltcp::iface::SocketSet;
use smoltcp::phy::{DeviceCapabilities, PacketMeta, TxToken};
use smoltcp::socket::tcp::State;
use smoltcp::wire::HardwareAddress;

use super::Stack;
use super::challenge::Verdict;
use super::connection::Role;
use super::door::{DoorIn, Sent, Watch};
use super::fd::Socket;
use super::flow::{Flow, to_smoltcp};
use super::fragment::{self, Outcome};
use super::frame::{self, Frame, ICMP, ICMPV6, Packet, Segment, TCP, UDP, is_link_unicast};
use super::glass::is_checksum_right;
use super::interface::LOOPBACK;
use super::listen::{Arrival, Syn};
use super::resolver::Step;
use super::slot::{Kind, Slot};
use super::stamp::Stamp;
use crate::trace::{Cause, DropReason, Observer};

/// A frame on its way in. The device's token for an answer goes beside it: it is given away, this is only looked at.
pub(super) struct Incoming<'f> {
    pub(super) interface: u8,
    pub(super) frame: &'f [u8],
    pub(super) meta: PacketMeta,
    pub(super) capabilities: &'f DeviceCapabilities,
}

impl<'a, O: Observer> Stack<'a, O> {
    /// Takes one frame in.
    #[inline]
    pub(super) fn ingress<T: TxToken>(&mut self, incoming: &Incoming<'_>, token: T) {
        self.cause = Cause::Segment;
        self.tell_in(incoming);
        match Frame::parse(incoming.capabilities.medium, incoming.frame) {
            Frame::Ip { link, packet } if fragment::is_fragment(packet) => {
                self.ingress_fragment(incoming, token, link, packet);
            }
            Frame::Ip { link, packet } => self.ingress_packet(incoming, token, link, packet),
            Frame::Other => {
                // ARP, or nothing we know.
                self.deliver(incoming, token, None);
                if frame::is_arp(incoming.frame) {
                    self.unblock(incoming.interface);
                }
            }
        }
    }

    /// Takes in a fragment, and the packet that it makes whole.
    fn ingress_fragment<T: TxToken>(
        &mut self,
        incoming: &Incoming<'_>,
        token: T,
        link: &[u8],
        packet: &[u8],
    ) {
        if !self.is_for_us(incoming.interface, link) {
            return;
        }
        match self
            .reassemblies
            .add(self.now, incoming.interface, link, packet)
        {
            Outcome::Incomplete => {}
            Outcome::Complete(complete) => {
                let whole = Incoming {
                    frame: complete.frame(),
                    ..*incoming
                };
                let parts = Frame::parse(incoming.capabilities.medium, whole.frame);
                if let Frame::Ip { link, packet } = parts {
                    self.ingress_packet(&whole, token, link, packet);
                }
                self.reassemblies.restore(complete);
            }
            Outcome::Dropped(reason) => self.tell_drop(incoming, reason.into()),
        }
    }

    /// Takes in a frame with a whole IP packet.
    #[inline]
    fn ingress_packet<T: TxToken>(
        &mut self,
        incoming: &Incoming<'_>,
        token: T,
        link: &[u8],
        packet: &[u8],
    ) {
        let Some(packet) = Packet::parse(packet) else {
            return self.tell_drop(incoming, DropReason::Malformed);
        };
        if self.observer.is_listening() && !is_checksum_right(incoming, &packet) {
            // smoltcp drops it without a word.
            self.tell_drop(incoming, DropReason::Checksum);
        }
        if packet.protocol == TCP {
            return self.ingress_tcp(incoming, token, link, &packet);
        }
        if !self.is_for_us(incoming.interface, link) {
            return self.tell_drop(incoming, DropReason::NotForUs);
        }
        if self.is_martian(incoming, &packet) {
            return self.tell_drop(incoming, DropReason::Martian);
        }
        // What went to a group must not be answered by all its members (RFC 1122 §3.2.2, §3.2.2.6, RFC 4443 §2.4, e.3).
        let is_to_group = || !is_link_unicast(link) || !self.is_own(packet.destination);
        match packet.protocol {
            UDP => self.ingress_udp(incoming, token, link, &packet),
            ICMP if !self.is_own(packet.destination) => {}
            ICMP | ICMPV6 => {
                self.hear_icmp(incoming.interface, incoming.capabilities, &packet);
                self.deliver(incoming, token, None);
                if packet.is_neighbor_discovery() {
                    self.unblock(incoming.interface);
                }
            }
            _ if is_to_group() => {}
            _ => self.deliver(incoming, token, None),
        }
    }

    #[inline]
    fn ingress_tcp<T: TxToken>(
        &mut self,
        incoming: &Incoming<'_>,
        token: T,
        link: &[u8],
        packet: &Packet<'_>,
    ) {
        let Some(segment) = Segment::parse(packet.transport) else {
            return;
        };
        // A flow that is in the table has passed the tests below; smoltcp compares the hardware address itself.
        if let Some(slot) = self.flow_of(packet) {
            if self.slots[usize::from(slot)].interface != incoming.interface {
                return; // a connection stays on the interface it began on
            }
            if !(segment.is_syn() && self.is_succeeded(slot, segment.seq)) {
                if segment.has_syn() {
                    self.note_scale(slot, packet, &segment);
                }
                let verdict = match segment.is_syn() || segment.has_rst() {
                    true => self.judge(slot, &segment),
                    false => self.amend(incoming, packet, slot, &segment),
                };
                return match verdict {
                    Verdict::Pass => self.deliver(incoming, token, Some((slot, Some(segment)))),
                    Verdict::Challenge => self.challenge(incoming, token, link, packet, slot),
                    Verdict::Drop => {}
                };
            }
            self.release(slot);
        }
        let Some(flow) = packet.flow() else {
            return;
        };
        // An address belongs to its link: the strong host model (RFC 1122 §3.3.4.2), smoltcp's too.
        if !is_link_unicast(link)
            || !self.is_for_us(incoming.interface, link)
            || !self.is_local_to(incoming.interface, &flow)
            || self.is_martian(incoming, packet)
            || self.is_broadcast(flow.remote.addr)
        {
            return self.tell_drop(incoming, DropReason::NotForUs);
        }
        if segment.is_syn()
            && let Some(listener) = self.find_listener(&flow)
        {
            let syn = Syn::parse(incoming.interface, &flow, packet, incoming.capabilities);
            if syn.is_some_and(|syn| !self.hear_syn(listener, syn, Arrival::Wire)) {
                self.tell_drop(incoming, DropReason::BacklogFull);
            }
            return;
        }
        // For nobody: smoltcp answers with RST.
        self.tell_drop(incoming, DropReason::NoListener);
        self.deliver(incoming, token, None);
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

    /// Nobody else sends from our addresses, or from or to 127.0.0.0/8 (RFC 1122 §3.2.1.3).
    fn is_martian(&self, incoming: &Incoming<'_>, packet: &Packet<'_>) -> bool {
        incoming.interface != LOOPBACK
            && (self.is_own(packet.source) || packet.destination.is_loopback())
    }

    /// A SYN beyond the last connection of a flow in TIME-WAIT begins the next one (RFC 9293 §3.10.7.8).
    fn is_succeeded(&self, slot: u16, seq: u32) -> bool {
        self.slots[usize::from(slot)]
            .connection()
            .is_some_and(|connection| {
                connection.state == State::TimeWait
                    && connection.role == Role::Orphan
                    && frame::before(connection.receive_next, seq)
            })
    }

    fn ingress_udp<T: TxToken>(
        &mut self,
        incoming: &Incoming<'_>,
        token: T,
        link: &[u8],
        packet: &Packet<'_>,
    ) {
        let Some(flow) = packet.flow() else {
            return;
        };
        let slot = match self.find_datagram_socket(&flow) {
            Some(slot) => Some(slot),
            None if self.resolver.expects(&flow) => {
                let message = packet.transport.get(8..).unwrap_or_default();
                if !self.hear_server(&flow, message) {
                    return;
                }
                Some(self.resolver.slot)
            }
            // "Port unreachable" is never the answer to a group (RFC 1122 §3.2.2, RFC 4443 §2.4, e.3).
            None => {
                self.tell_drop(incoming, DropReason::NoSocket);
                if !is_link_unicast(link) || !self.is_own(flow.local.addr) {
                    return;
                }
                None
            }
        };
        let queued = self.queued_octets(slot);
        self.deliver(incoming, token, slot.map(|slot| (slot, None)));
        if self.observer.is_listening()
            && packet.transport.len() > 8
            && queued.is_some()
            && queued == self.queued_octets(slot)
            && is_checksum_right(incoming, packet)
        {
            self.tell_drop(incoming, DropReason::ReceiveQueueFull);
        }
    }

    /// Octets that wait to be received from a datagram socket.
    fn queued_octets(&self, slot: Option<u16>) -> Option<usize> {
        let place = &self.slots[usize::from(slot?)];
        place.udp_ref().map(|socket| socket.recv_queue())
    }

    /// The connection of a packet; the one that the last segment was for comes first, as frames come in trains.
    #[inline]
    fn flow_of(&mut self, packet: &Packet<'_>) -> Option<u16> {
        let recent = self.slots.get(usize::from(self.recent));
        let recent = recent.and_then(Slot::connection);
        if recent.is_some_and(|connection| connection.routed && packet.is_of(&connection.flow)) {
            return Some(self.recent);
        }
        let found = self.find_flow(&packet.flow()?)?;
        self.recent = found;
        Some(found)
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
    pub(super) fn find_datagram_socket(&self, flow: &Flow) -> Option<u16> {
        let hash = self.secret.port_hash(false, flow.local.port);
        let mut best: Option<(u8, u32, u16)> = None;
        for index in self.ports.candidates(hash) {
            let row = self.descriptors.peek(index);
            let Socket::Datagram { slot, peer } = row.socket else {
                continue;
            };
            if row.local.port != flow.local.port
                || !row.scope().contains(flow.local.addr)
                || peer.is_some_and(|peer| peer != flow.remote)
            {
                continue;
            }
            let fit = row.scope().precision() + if peer.is_some() { 4 } else { 0 };
            let rank = self.rank(index, flow);
            if best.is_none_or(|(so_far, highest, _)| (fit, rank) > (so_far, highest)) {
                best = Some((fit, rank, slot));
            }
        }
        best.map(|(_, _, slot)| slot)
    }

    /// Hands a frame to smoltcp, with the socket it is for or with none.
    pub(super) fn deliver<T: TxToken>(
        &mut self,
        incoming: &Incoming<'_>,
        token: T,
        to: Option<(u16, Option<Segment>)>,
    ) {
        let medium = incoming.capabilities.medium;
        let pane = self.pane(incoming.interface, medium, to.map(|(slot, _)| slot));
        let place = to.and_then(|(slot, _)| self.slots[usize::from(slot)].tcp_ref());
        let stamp = place.map_or(Stamp::NONE, |(socket, connection)| connection.stamp(socket));
        let Some(interface) = &mut self.interfaces[usize::from(incoming.interface)] else {
            return;
        };
        let mut sent = Sent::nothing_yet(incoming.capabilities.medium);
        let mut watch = Watch {
            sent: &mut sent,
            pane,
            stamp,
            observer: &mut self.observer,
        };
        let mut door = DoorIn {
            frame: Some(incoming.frame),
            meta: incoming.meta,
            token: Some(token),
            capabilities: incoming.capabilities,
            watch: &mut watch,
        };
        let Some((slot, segment)) = to else {
            let mut nobody = SocketSet::new(&mut [][..]);
            interface
                .inner
                .poll_ingress_single(self.now, &mut door, &mut nobody);
            return;
        };
        let Some(set) = &mut self.slots[usize::from(slot)].set else {
            return;
        };
        interface
            .inner
            .poll_ingress_single(self.now, &mut door, set);
        if let Some(segment) = &segment {
            self.glimpse_arrival(slot, segment);
        }
        if sent.packets > 0 {
            self.note_sent(slot, &sent);
        }
        let place = &mut self.slots[usize::from(slot)];
        match (segment, &mut place.kind) {
            // In the middle of a conversation nothing changes but the queues, and egress looks after those.
            (Some(segment), Kind::Connection(connection))
                if connection.is_conversing() && segment.is_plain() =>
            {
                connection.hear(&segment, self.now);
                return self.make_due(slot);
            }
            (Some(segment), _) => self.settle(slot, Some(segment)),
            (None, Kind::Resolver) => self.settle_lookups(Step::Answer),
            (None, _) => return self.settle_datagram(slot, false, false),
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
