//! What comes in: each frame finds the one socket it is for and is handed to smoltcp with that socket alone.

use smoltcp::iface::SocketSet;
use smoltcp::phy::{DeviceCapabilities, Medium, PacketMeta};
use smoltcp::socket::tcp::State;

use super::Stack;
use super::challenge::Verdict;
use super::checksum::Sum;
use super::connection::Role;
use super::datagram::{Content, Envelope, Posted};
use super::door::{Door, Sent, Watch};
use super::flow::Flow;
use super::frame::is_link_unicast;
use super::frame::{
    self, ETHERNET_HEADER, Frame, ICMP, ICMPV6, IGMP, NO_NEXT_HEADER, Packet, Segment, TCP, UDP,
};
use super::glass::is_checksum_right;
use super::interface::LOOPBACK;
use super::ip::IpAddr;
use super::link::{Link, Transmit};
use super::listen::{Arrival, Syn};
use super::slot::{Kind, Slot};
use crate::trace::{Cause, DropReason, Observer};

/// A frame on its way in. The device's token for an answer goes beside it: it is given away, this is only looked at.
pub(super) struct Incoming<'f> {
    pub(super) interface: u8,
    pub(super) frame: &'f [u8],
    pub(super) meta: PacketMeta,
    pub(super) capabilities: &'f DeviceCapabilities,
    /// It came in fragments.
    pub(super) is_reassembled: bool,
}

impl<'f> Incoming<'f> {
    fn parts(&self) -> (&'f [u8], &'f [u8]) {
        let header_len = match self.capabilities.medium {
            Medium::Ethernet => ETHERNET_HEADER,
            _ => 0,
        };
        self.frame.split_at_checked(header_len).unwrap_or_default()
    }

    /// The link's header.
    pub(super) fn link(&self) -> &'f [u8] {
        self.parts().0
    }

    /// What is behind it.
    pub(super) fn packet(&self) -> &'f [u8] {
        self.parts().1
    }
}

impl<'a, O: Observer> Stack<'a, O> {
    /// Takes one frame in.
    #[inline]
    pub(super) fn ingress(&mut self, incoming: &Incoming<'_>, token: &mut dyn Transmit) {
        self.cause = Cause::Segment;
        self.tell_in(incoming);
        let interface = self.interfaces.get(incoming.interface);
        if interface.is_some_and(|interface| !interface.is_up) {
            return self.tell_drop(incoming, DropReason::LinkDown);
        }
        match Frame::parse(incoming.capabilities.medium, incoming.frame) {
            Frame::Ip { link, packet } if frame::is_fragment(packet) => {
                self.ingress_fragment(incoming, token, link, packet);
            }
            Frame::Ip { link, packet } => self.ingress_packet(incoming, token, link, packet),
            Frame::Other if frame::is_arp(incoming.frame) => self.hear_arp(incoming, token),
            Frame::Other => {}
        }
    }

    /// Takes in a frame with a whole IP packet.
    #[inline]
    pub(super) fn ingress_packet(
        &mut self,
        incoming: &Incoming<'_>,
        token: &mut dyn Transmit,
        link: &[u8],
        packet: &[u8],
    ) {
        let Some(packet) = Packet::parse(packet) else {
            return self.tell_drop(incoming, DropReason::Malformed);
        };
        if packet.protocol == TCP {
            if self.observer.is_listening() && !is_checksum_right(incoming, &packet) {
                // smoltcp drops it without a word.
                self.tell_drop(incoming, DropReason::Checksum);
            }
            if self.raw_sockets.are_open()
                && self.is_for_this_host(incoming, link, &packet)
                && !self.is_martian(incoming, &packet)
                && is_header_right(incoming, &packet)
            {
                self.copy_to_raw_sockets(incoming, &packet);
            }
            return self.ingress_tcp(incoming, token, link, &packet);
        }
        if self.is_answer(incoming, &packet)
            && is_header_right(incoming, &packet)
            && is_checksum_right(incoming, &packet)
        {
            self.hear_answer(incoming.interface, &packet);
            if !self.is_for_this_host(incoming, link, &packet) {
                return;
            }
        }
        if !self.is_for_this_host(incoming, link, &packet) {
            if !is_of_routers(packet.destination) {
                self.tell_drop(incoming, DropReason::NotForUs);
            }
            return;
        }
        if self.is_martian(incoming, &packet) {
            return self.tell_drop(incoming, DropReason::Martian);
        }
        if !is_header_right(incoming, &packet) {
            return self.tell_drop(incoming, DropReason::Checksum);
        }
        let is_right = is_checksum_right(incoming, &packet);
        if is_right && let Some(pointer) = packet.refused_option() {
            return self.refuse_option(incoming, token, &packet, pointer);
        }
        // A raw socket sees checksums as they are, but for ICMPv6's, which the stack sees to (RFC 3542 §3.1).
        let is_shown = self.raw_sockets.are_open() && (is_right || packet.protocol != ICMPV6);
        let is_copied = is_shown && self.copy_to_raw_sockets(incoming, &packet);
        if !is_right {
            return self.tell_drop(incoming, DropReason::Checksum);
        }
        match (packet.protocol, packet.source) {
            (UDP, _) => self.ingress_udp(incoming, token, &packet),
            (ICMP, IpAddr::V4(_)) | (ICMPV6, IpAddr::V6(_)) => {
                self.ingress_icmp(incoming, token, &packet);
            }
            (IGMP, IpAddr::V4(_)) => self.hear_membership(incoming, &packet),
            // Nothing is meant to be behind this header (RFC 8200 §4.7).
            (NO_NEXT_HEADER, IpAddr::V6(_)) => {}
            _ if is_copied => {}
            _ => {
                self.tell_drop(incoming, DropReason::UnknownProtocol);
                self.refuse_protocol(incoming, token, &packet);
            }
        }
    }

    #[inline]
    fn ingress_tcp(
        &mut self,
        incoming: &Incoming<'_>,
        token: &mut dyn Transmit,
        link: &[u8],
        packet: &Packet<'_>,
    ) {
        let Some(segment) = Segment::parse(packet.transport) else {
            return;
        };
        // The addresses of a flow that is in the table have passed the tests below.
        if let Some(slot) = self.flow_of(packet) {
            if self.slots[usize::from(slot)].interface != incoming.interface
                || !is_link_unicast(link)
                || !self.is_for_us(incoming.interface, link)
            {
                return; // a connection stays on the interface it began on, and is with one station
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
        if !is_link_unicast(link)
            || !self.is_for_us(incoming.interface, link)
            || !self.is_local_to(incoming.interface, flow.local.addr)
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
    pub(super) fn is_for_us(&self, interface: u8, link: &[u8]) -> bool {
        let Some(to) = link.first_chunk().filter(|_| is_link_unicast(link)) else {
            return true;
        };
        let interface = self.interfaces.get(interface);
        interface.is_some_and(|interface| interface.hardware.is_none_or(|own| own == *to))
    }

    /// Whether a packet is for one of the interface's own addresses, or for a group that it is in. An address belongs to its
    /// link: the strong host model (RFC 1122 §3.3.4.2).
    fn is_for_this_host(&self, incoming: &Incoming<'_>, link: &[u8], packet: &Packet<'_>) -> bool {
        let to = packet.destination;
        self.is_for_us(incoming.interface, link)
            && (self.is_local_to(incoming.interface, to)
                || self
                    .interfaces
                    .get(incoming.interface)
                    .is_some_and(|interface| interface.is_broadcast(to) || interface.is_member(to)))
    }

    /// Nobody else sends from our addresses, from or to 127.0.0.0/8, or from a group's address; who has no address yet speaks
    /// to all or to a group (RFC 1122 §3.2.1.3). An IPv4 address within IPv6 is the interface's to applications alone: on a
    /// link it is a forgery, whose sender would pass for another (as Linux; RFC 4942 §2.2).
    fn is_martian(&self, incoming: &Incoming<'_>, packet: &Packet<'_>) -> bool {
        let Packet {
            source,
            destination,
            ..
        } = *packet;
        let is_nobody = || match source {
            IpAddr::V4(v4) => {
                v4.is_unspecified()
                    && !destination.is_multicast()
                    && !self.is_broadcast(destination)
            }
            IpAddr::V6(v6) => {
                v6.is_unspecified() && !destination.is_multicast() || v6.to_ipv4_mapped().is_some()
            }
        };
        let is_group = || source.is_multicast() || self.is_broadcast(source);
        incoming.interface != LOOPBACK
            && (self.is_own(source) || destination.is_loopback() || is_group() || is_nobody())
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

    fn ingress_udp(
        &mut self,
        incoming: &Incoming<'_>,
        token: &mut dyn Transmit,
        packet: &Packet<'_>,
    ) {
        let Some((flow, payload)) = packet.datagram() else {
            return self.tell_drop(incoming, DropReason::Malformed);
        };
        if self.resolver.expects(&flow) && self.find_datagram_socket(&flow).is_none() {
            return self.hear_server(&flow, payload);
        }
        let envelope = Envelope {
            from: flow.remote,
            to: flow.local,
            interface: incoming.interface.into(),
            hop_limit: packet.hop_limit,
            traffic_class: packet.traffic_class,
            content: Content::Udp,
        };
        match self.post(&envelope, &[payload]) {
            Posted::Delivered => {}
            Posted::Unknown if self.is_for_client(incoming.interface, &flow) => {}
            Posted::Full => self.tell_drop(incoming, DropReason::ReceiveQueueFull),
            Posted::Unknown => {
                self.tell_drop(incoming, DropReason::NoSocket);
                self.refuse_port(incoming, token, packet);
            }
        }
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

    /// Hands a frame to smoltcp, with the socket it is for or with none.
    pub(super) fn deliver(
        &mut self,
        incoming: &Incoming<'_>,
        token: &mut dyn Transmit,
        to: Option<(u16, Option<Segment>)>,
    ) {
        let pane = self.pane_of(incoming.interface, to.map(|(slot, _)| slot));
        let stamp = to.and_then(|(slot, _)| self.slots[usize::from(slot)].stamp());
        let Some(interface) = self.interfaces.get_mut(incoming.interface) else {
            return;
        };
        // smoltcp answers to where the frame came from.
        let Some(link) = Link::back(interface.hardware, incoming.link()) else {
            return;
        };
        let mut sent = Sent::default();
        let mut watch = Watch {
            sent: &mut sent,
            link: Some(link),
            pane,
            stamp,
            observer: &mut self.observer,
        };
        let mut door = Door {
            packet: Some(incoming.packet()),
            meta: incoming.meta,
            device: token,
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
            (None, _) => {}
        }
        if self.is_live(slot) {
            self.make_due(slot);
        }
    }

    /// Whether an address is one of an interface's own.
    pub(super) fn is_local_to(&self, interface: u8, addr: IpAddr) -> bool {
        match interface {
            LOOPBACK => addr.is_loopback() || self.is_own(addr),
            _ => self
                .interfaces
                .get(interface)
                .is_some_and(|interface| interface.has(addr)),
        }
    }
}

/// Whether an IPv4 header is as it was sent, or the device has seen to it.
fn is_header_right(incoming: &Incoming<'_>, packet: &Packet<'_>) -> bool {
    let is_checked = packet.source.is_ipv4() && incoming.capabilities.checksum.ipv4.rx();
    !is_checked || Sum::ZERO.add(packet.header).is_right()
}

/// Whether a group is that of routers: no host is in it, and misses nothing.
fn is_of_routers(group: IpAddr) -> bool {
    match group {
        IpAddr::V4(v4) => matches!(v4.octets(), [224, 0, 0, 2 | 22]),
        IpAddr::V6(v6) => matches!(v6.segments(), [0xff02, 0, 0, 0, 0, 0, 0, 2 | 0x16]),
    }
}
