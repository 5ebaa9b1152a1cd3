//! Neighbors: whose hardware address is known, and who is asked for it (RFC 826, RFC 4861 §7).
//!
//! Who has been silent for long is asked again while it is still spoken to (RFC 4861 §7.3), so that a conversation does not
//! stop each minute. Any number of neighbors is asked for at once, each of them once a second.

use heapless::Vec;
use smoltcp::time::{Duration, Instant};

use super::Stack;
use super::datagram::gather;
use super::frame::{ETHERNET_HEADER, ICMPV6, Packet};
use super::header::{Header, Part};
use super::ingress::Incoming;
use super::interface::NetworkInterface;
use super::ip::{self, IpAddr, Ipv6Addr};
use super::link::{
    self, BROADCAST, ETHERTYPE_ARP, Hardware, Link, Transmit, group_hardware, is_unicast,
};
use super::outgoing::Outgoing;
use crate::trace::Observer;

/// How long a neighbor counts as reachable after it was heard (RFC 4861 §10, `REACHABLE_TIME`).
const REACHABLE: Duration = Duration::from_secs(30);

/// How long what was heard is believed: who has not been spoken to for so long is asked first (RFC 1122 §2.3.2.1).
const LIFETIME: Duration = Duration::from_secs(60);

/// One question a second for each neighbor (RFC 1122 §2.3.2.1, RFC 4861 §10).
const INTERVAL: Duration = Duration::from_secs(1);

/// Questions without an answer after which a neighbor is forgotten (RFC 4861 §10, `MAX_UNICAST_SOLICIT`).
const PROBES: u8 = 3;

/// Neighbors that are known; a further one takes the place of who has been silent the longest.
const NEIGHBORS: usize = if cfg!(feature = "std") { 64 } else { 8 };

/// Neighbors that are asked for within a second; further ones wait for the next.
const QUESTIONS: usize = if cfg!(feature = "std") { 64 } else { 4 };

/// An ARP packet for IPv4 on Ethernet.
const ARP_LEN: usize = 28;
const ARP_KIND: [u8; 6] = [0, 1, 0x08, 0, 6, 4];
pub(super) const ARP_REQUEST: u8 = 1;
const ARP_REPLY: u8 = 2;

pub(super) const NEIGHBOR_SOLICITATION: u8 = 135;
pub(super) const NEIGHBOR_ADVERTISEMENT: u8 = 136;
const SOURCE_LINK_LAYER: u8 = 1;
const TARGET_LINK_LAYER: u8 = 2;
/// A solicitation or an advertisement up to its target, and with a hardware address behind it.
const TARGET_LEN: usize = 24;
const WITH_HARDWARE_LEN: usize = TARGET_LEN + 8;
const SOLICITED: u8 = 0x40;
const OVERRIDE: u8 = 0x20;

/// A neighbor whose hardware address is known.
struct Neighbor {
    address: IpAddr,
    hardware: Hardware,
    /// When it was heard last.
    heard: Instant,
    /// Questions since then, and how many milliseconds after it the last of them was sent.
    probes: u8,
    probed: u32,
}

impl Neighbor {
    fn probed(&self) -> Instant {
        self.heard + Duration::from_millis(self.probed.into())
    }

    /// Who is silent for longer than the number takes is long forgotten.
    fn note_probed(&mut self, at: Instant) {
        self.probed = (at - self.heard).total_millis() as u32;
    }
}

/// Who is asked for, and when that was done.
struct Question {
    address: IpAddr,
    asked: Instant,
}

/// The neighbors of an interface.
pub(super) struct Neighbors {
    known: Vec<Neighbor, NEIGHBORS>,
    questions: Vec<Question, QUESTIONS>,
    /// One that was spoken to and has been silent for long.
    silent: Option<IpAddr>,
}

impl Neighbors {
    pub(super) const fn new() -> Neighbors {
        Neighbors {
            known: Vec::new(),
            questions: Vec::new(),
            silent: None,
        }
    }

    /// A neighbor's hardware address.
    pub(super) fn hardware(&mut self, address: IpAddr, now: Instant) -> Option<Hardware> {
        let index = self.known.iter().position(|n| n.address == address)?;
        let neighbor = self.known.get(index)?;
        let hardware = neighbor.hardware;
        if now >= neighbor.heard + REACHABLE {
            let is_asked = neighbor.probes > 0 && now < neighbor.probed() + INTERVAL;
            let is_over = now >= neighbor.heard + LIFETIME;
            if is_over || neighbor.probes >= PROBES && !is_asked {
                self.forget(index);
                return None;
            }
            if !is_asked {
                self.silent = Some(address);
            }
        }
        Some(hardware)
    }

    /// Takes a neighbor out; the last one takes its place.
    fn forget(&mut self, index: usize) {
        if let Some(last) = self.known.pop()
            && let Some(place) = self.known.get_mut(index)
        {
            *place = last;
        }
    }

    /// Whom to ask whether it is still there, and at which hardware address.
    fn probe(&mut self, now: Instant) -> Option<(IpAddr, Hardware)> {
        let address = self.silent.take()?;
        let neighbor = self.known.iter_mut().find(|n| n.address == address)?;
        neighbor.probes = neighbor.probes.saturating_add(1);
        neighbor.note_probed(now);
        Some((address, neighbor.hardware))
    }

    /// Notes that a neighbor is asked for now; says whether it has to be done, or has been within this second.
    /// None where too many are asked for.
    fn ask(&mut self, address: IpAddr, now: Instant) -> Option<bool> {
        self.questions.retain(|q| now < q.asked + INTERVAL);
        if self.questions.iter().any(|q| q.address == address) {
            return Some(false);
        }
        let question = Question {
            address,
            asked: now,
        };
        self.questions.push(question).ok().map(|()| true)
    }

    /// A neighbor's hardware address was heard. One that nobody knows, and nobody asked for, is not worth a place, unless it
    /// `speaks` to this host. Says whether it is one that was asked for and not known until now.
    fn learn(&mut self, address: IpAddr, hardware: Hardware, now: Instant, speaks: bool) -> bool {
        if !is_unicast(hardware) {
            return false;
        }
        let is_asked_for = self.questions.iter().any(|q| q.address == address);
        let learned = Neighbor {
            address,
            hardware,
            heard: now,
            probes: 0,
            probed: 0,
        };
        if let Some(known) = self.known.iter_mut().find(|n| n.address == address) {
            *known = learned;
            return false;
        }
        if is_asked_for || speaks {
            if self.known.is_full()
                && let Some((oldest, _)) = (0..).zip(&self.known).min_by_key(|(_, n)| n.heard)
            {
                self.forget(oldest);
            }
            let _ = self.known.push(learned);
        }
        is_asked_for
    }

    /// A neighbor advertisement was heard (RFC 4861 §7.2.5). It need not name the hardware address to who knows it: it says
    /// then that the neighbor is there. Says the same as `learn`.
    fn hear(
        &mut self,
        address: IpAddr,
        hardware: Option<Hardware>,
        flags: u8,
        now: Instant,
    ) -> bool {
        let Some(known) = self.known.iter_mut().find(|n| n.address == address) else {
            return hardware.is_some_and(|hardware| self.learn(address, hardware, now, false));
        };
        let other = hardware.filter(|hardware| *hardware != known.hardware);
        if other.is_some_and(|other| !is_unicast(other)) {
            return false;
        }
        let replaces = flags & OVERRIDE != 0;
        if other.is_none() || replaces {
            known.hardware = other.unwrap_or(known.hardware);
            if flags & SOLICITED != 0 {
                (known.heard, known.probes) = (now, 0);
                return false;
            }
        }
        if other.is_some() {
            // Whoever it is, the neighbor itself is asked before that is believed for long.
            let probed = known.probed();
            known.heard = known.heard.min(now - REACHABLE);
            known.note_probed(probed);
        }
        false
    }
}

impl NetworkInterface {
    /// The way over the link towards a destination, if it is known.
    #[inline]
    pub(super) fn link_to(&mut self, destination: IpAddr, now: Instant) -> Option<Link> {
        match self.hardware {
            _ if !self.is_up => None,
            None => Some(Link::Ip),
            Some(from) => self.ethernet_to(from, destination, now),
        }
    }

    /// A neighbor's hardware address was heard; it may be a gateway that had not answered. Says whether somebody has waited
    /// for it. Nobody else has this interface's own.
    fn learn(&mut self, address: IpAddr, hardware: Hardware, now: Instant, speaks: bool) -> bool {
        if self.hardware == Some(hardware) {
            return false;
        }
        self.routes.gateway_answered(address);
        self.neighbors.learn(address, hardware, now, speaks)
    }

    /// The same of an advertisement.
    fn hear(&mut self, message: &Message, now: Instant) -> bool {
        if message.target_hardware.is_some() && message.target_hardware == self.hardware {
            return false;
        }
        let target = IpAddr::from(message.target);
        self.routes.gateway_answered(target);
        let hardware = message.target_hardware;
        self.neighbors.hear(target, hardware, message.flags, now)
    }

    fn ethernet_to(&mut self, from: Hardware, destination: IpAddr, now: Instant) -> Option<Link> {
        let to = if destination.is_multicast() {
            group_hardware(destination)
        } else if self.is_broadcast(destination) {
            BROADCAST
        } else {
            let next_hop = self.next_hop(destination);
            self.neighbors.hardware(next_hop, now)?
        };
        Some(Link::Ethernet { from, to })
    }
}

impl<'a, O: Observer> Stack<'a, O> {
    /// Asks for the neighbor that leads to a destination, unless it has just been asked for; from the address that the packet
    /// comes from, if that is known (RFC 4861 §7.2.2). Says whether it is being asked for: a neighbor that was not has had no
    /// chance to answer.
    pub(super) fn solicit(
        &mut self,
        index: u8,
        source: Option<IpAddr>,
        destination: IpAddr,
        device: &mut dyn Transmit,
    ) -> bool {
        let now = self.now;
        let Some(interface) = self.interfaces.get_mut(index) else {
            return true;
        };
        if !interface.is_up {
            return true; // nobody can be asked
        }
        let next_hop = interface.next_hop(destination);
        match interface.neighbors.ask(next_hop, now) {
            Some(true) => {
                self.ask_for(index, source, next_hop, None, device);
                true
            }
            Some(false) => true,
            None => false,
        }
    }

    /// Asks the neighbor that was spoken to and has been silent for long, if there is one.
    #[inline]
    pub(super) fn probe_neighbor(&mut self, index: u8, device: &mut dyn Transmit) {
        let now = self.now;
        if let Some(interface) = self.interfaces.get_mut(index)
            && interface.neighbors.silent.is_some()
            && let Some((address, hardware)) = interface.neighbors.probe(now)
        {
            self.ask_for(index, None, address, Some(hardware), device);
        }
    }

    /// Sends an ARP request or a neighbor solicitation: to all, or to where the neighbor was last.
    fn ask_for(
        &mut self,
        index: u8,
        source: Option<IpAddr>,
        address: IpAddr,
        at: Option<Hardware>,
        device: &mut dyn Transmit,
    ) {
        let Some(interface) = self.interfaces.get(index) else {
            return;
        };
        let source = source
            .filter(|source| interface.has(*source) && source.is_ipv4() == address.is_ipv4())
            .or_else(|| interface.source(address));
        let (Some(own), Some(source)) = (interface.hardware, source) else {
            return;
        };
        match (source, address) {
            (IpAddr::V4(source), IpAddr::V4(target)) => {
                let to = at.unwrap_or(BROADCAST);
                let arp = Arp {
                    operation: ARP_REQUEST,
                    sender: (own, source.octets()),
                    target: (at.unwrap_or([0; 6]), target.octets()),
                };
                // Without room it is as one that was lost: the next follows after `INTERVAL`.
                self.send_arp(index, device, Link::Ethernet { from: own, to }, &arp);
            }
            #[cfg(feature = "ipv6")]
            (IpAddr::V6(_), IpAddr::V6(target)) => {
                let group = solicited_node(target);
                let to = at.unwrap_or(group_hardware(group.into()));
                let destination = if at.is_some() { target } else { group };
                let outgoing = Outgoing {
                    link: Link::Ethernet { from: own, to },
                    header: neighbor_discovery(source, destination.into()),
                    payload_len: WITH_HARDWARE_LEN,
                };
                self.send_own(index, device, &outgoing, |payload| {
                    let kind = NEIGHBOR_SOLICITATION;
                    write_neighbor(payload, kind, 0, target.octets(), Some(own));
                });
            }
            _ => {}
        }
    }

    /// Says whether the device had room for it.
    pub(super) fn send_arp(
        &mut self,
        index: u8,
        device: &mut dyn Transmit,
        link: Link,
        arp: &Arp,
    ) -> bool {
        let pane = self.pane_of(index, None);
        let len = ETHERNET_HEADER + ARP_LEN;
        link::transmit(
            device,
            self.now,
            len,
            pane,
            &mut self.observer,
            &mut |frame| {
                link.write(frame, ETHERTYPE_ARP);
                arp.write(frame.get_mut(ETHERNET_HEADER..).unwrap_or_default());
            },
        )
    }

    /// Hears an ARP packet: learns who sent it, and answers if it asks for an address of this interface.
    pub(super) fn hear_arp(&mut self, incoming: &Incoming<'_>, token: &mut dyn Transmit) {
        let now = self.now;
        let Some((link, payload)) = incoming.frame.split_at_checked(ETHERNET_HEADER) else {
            return;
        };
        if !self.is_for_us(incoming.interface, link) {
            return;
        }
        let Some(interface) = self.interfaces.get_mut(incoming.interface) else {
            return;
        };
        let (Some(own), Some(arp)) = (interface.hardware, Arp::parse(payload)) else {
            return;
        };
        self.hear_claim(incoming.interface, &arp);
        let Some(interface) = self.interfaces.get_mut(incoming.interface) else {
            return;
        };
        let (sender, target) = (IpAddr::from(arp.sender.1), IpAddr::from(arp.target.1));
        let is_for_us = interface.has(target);
        // A probe for a conflict has no sender (RFC 5227 §1.1); nobody else has our address, or one of another network.
        let is_neighbor = interface.is_on_link(sender)
            && !interface.has(sender)
            && !interface.is_broadcast(sender);
        let is_awaited = is_neighbor && interface.learn(sender, arp.sender.0, now, is_for_us);
        if arp.operation == ARP_REQUEST && is_for_us && is_unicast(arp.sender.0) {
            let reply = Arp {
                operation: ARP_REPLY,
                sender: (own, arp.target.1),
                target: arp.sender,
            };
            let to = arp.sender.0;
            let link = Link::Ethernet { from: own, to };
            let pane = self.pane_of(incoming.interface, None);
            let len = ETHERNET_HEADER + ARP_LEN;
            link::transmit(token, now, len, pane, &mut self.observer, &mut |frame| {
                link.write(frame, ETHERTYPE_ARP);
                reply.write(frame.get_mut(ETHERNET_HEADER..).unwrap_or_default());
            });
        }
        if is_awaited {
            self.unblock(incoming.interface);
        }
    }

    /// Hears a neighbor solicitation or advertisement (RFC 4861 §7.1), whose checksum is right.
    pub(super) fn hear_neighbor(
        &mut self,
        incoming: &Incoming<'_>,
        token: &mut dyn Transmit,
        packet: &Packet<'_>,
    ) {
        let now = self.now;
        let Some(interface) = self.interfaces.get_mut(incoming.interface) else {
            return;
        };
        let (Some(own), Some(message)) = (interface.hardware, Message::parse(packet)) else {
            return;
        };
        let target = IpAddr::from(message.target);
        if message.kind == NEIGHBOR_ADVERTISEMENT {
            if !interface.has(target) && interface.hear(&message, now) {
                self.unblock(incoming.interface);
            }
            return;
        }
        if !interface.has(target) {
            return;
        }
        let is_anonymous = packet.source.is_unspecified();
        let hardware = message.source_hardware.filter(|_| !is_anonymous);
        let is_awaited =
            hardware.is_some_and(|hardware| interface.learn(packet.source, hardware, now, true));
        let Some(all_nodes) = ip::v6(ALL_NODES).map(IpAddr::from) else {
            return;
        };
        let to_all = Link::Ethernet {
            from: own,
            to: group_hardware(all_nodes),
        };
        // Who has no address yet asks whether somebody has this one (RFC 4862 §5.4): all may know.
        let (flags, destination, link) = match is_anonymous {
            true => (OVERRIDE, all_nodes, Some(to_all)),
            false => (
                OVERRIDE | SOLICITED,
                packet.source,
                Link::back(Some(own), incoming.link()),
            ),
        };
        let Some(link) = link else { return };
        let outgoing = Outgoing {
            link,
            header: neighbor_discovery(target, destination),
            payload_len: WITH_HARDWARE_LEN,
        };
        self.answer(incoming, token, &outgoing, |payload| {
            let kind = NEIGHBOR_ADVERTISEMENT;
            write_neighbor(payload, kind, flags, message.target.octets(), Some(own));
        });
        if is_awaited {
            self.unblock(incoming.interface);
        }
    }
}

/// The header of a message that no router may have passed on (RFC 4861 §4).
pub(super) fn neighbor_discovery(source: IpAddr, destination: IpAddr) -> Header {
    Header {
        source,
        destination,
        protocol: ICMPV6,
        hop_limit: 255,
        traffic_class: 0,
        router_alert: false,
        part: Part::Whole,
    }
}

/// The group in which whoever has the address listens (RFC 4291 §2.7.1).
#[cfg(feature = "ipv6")]
pub(super) fn solicited_node(address: Ipv6Addr) -> Ipv6Addr {
    let [.., high, low] = address.segments();
    [0xff02, 0, 0, 0, 0, 1, 0xff00 | high & 0xff, low].into()
}

/// Writes a solicitation or an advertisement, but for its checksum.
pub(super) fn write_neighbor(
    payload: &mut [u8],
    kind: u8,
    flags: u8,
    target: [u8; 16],
    hardware: Option<Hardware>,
) {
    let fixed = [kind, 0, 0, 0, flags, 0, 0, 0];
    let option = match kind {
        NEIGHBOR_SOLICITATION => SOURCE_LINK_LAYER,
        _ => TARGET_LINK_LAYER,
    };
    match hardware {
        Some(hardware) => gather(&[&fixed[..], &target, &[option, 1], &hardware], payload),
        None => gather(&[&fixed[..], &target], payload),
    }
}

/// The group that every host is in (RFC 4291 §2.7.1).
const ALL_NODES: [u8; 16] = [0xff, 2, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1];

/// A neighbor solicitation or advertisement.
struct Message {
    kind: u8,
    flags: u8,
    target: Ipv6Addr,
    source_hardware: Option<Hardware>,
    target_hardware: Option<Hardware>,
}

impl Message {
    /// Reads one, and refuses what RFC 4861 §7.1 refuses.
    fn parse(packet: &Packet<'_>) -> Option<Message> {
        let (fixed, mut options) = packet.transport.split_first_chunk::<TARGET_LEN>()?;
        let target = ip::v6(*fixed.last_chunk()?)?;
        let is_to_group = packet.destination.is_multicast();
        let is_anonymous = packet.source.is_unspecified();
        if packet.hop_limit != 255 || fixed[1] != 0 || target.is_multicast() {
            return None;
        }
        let mut message = Message {
            kind: fixed[0],
            flags: fixed[4],
            target,
            source_hardware: None,
            target_hardware: None,
        };
        while let Some(&[kind, len, ..]) = options.first_chunk::<2>() {
            let option = options.split_at_checked(usize::from(len) * 8);
            let (option, rest) = option.filter(|_| len > 0)?;
            let hardware = option.get(2..).and_then(|rest| rest.first_chunk::<6>());
            match kind {
                SOURCE_LINK_LAYER => message.source_hardware = hardware.copied(),
                TARGET_LINK_LAYER => message.target_hardware = hardware.copied(),
                _ => {}
            }
            options = rest;
        }
        let is_advertisement = message.kind == NEIGHBOR_ADVERTISEMENT;
        let refused = match is_advertisement {
            true => is_to_group && message.flags & SOLICITED != 0 || is_anonymous,
            false => is_anonymous && (!is_to_group || message.source_hardware.is_some()),
        };
        (!refused).then_some(message)
    }
}

/// An ARP packet for IPv4 on Ethernet: the operation, and who is who.
pub(super) struct Arp {
    pub(super) operation: u8,
    pub(super) sender: (Hardware, [u8; 4]),
    pub(super) target: (Hardware, [u8; 4]),
}

impl Arp {
    fn parse(payload: &[u8]) -> Option<Arp> {
        let (kind, rest) = payload.split_first_chunk::<6>()?;
        let (&[high, operation], rest) = rest.split_first_chunk::<2>()?;
        let (sender_hardware, rest) = rest.split_first_chunk::<6>()?;
        let (sender, rest) = rest.split_first_chunk::<4>()?;
        let (target_hardware, rest) = rest.split_first_chunk::<6>()?;
        let target = rest.first_chunk::<4>()?;
        let is_ours = *kind == ARP_KIND && high == 0 && cfg!(feature = "ipv4");
        is_ours.then_some(Arp {
            operation,
            sender: (*sender_hardware, *sender),
            target: (*target_hardware, *target),
        })
    }

    fn write(&self, payload: &mut [u8]) {
        let parts: [&[u8]; 6] = [
            &ARP_KIND,
            &[0, self.operation],
            &self.sender.0,
            &self.sender.1,
            &self.target.0,
            &self.target.1,
        ];
        let octets = parts.into_iter().flatten();
        for (place, octet) in payload.iter_mut().zip(octets) {
            *place = *octet;
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use core::net::Ipv4Addr;

    const PEER: IpAddr = IpAddr::V4(Ipv4Addr::new(10, 0, 0, 2));
    const MAC: Hardware = [2, 0, 0, 0, 0, 2];

    fn at(seconds: i64) -> Instant {
        Instant::from_secs(seconds)
    }

    #[test]
    fn only_who_was_asked_for_or_speaks_is_learned() {
        let mut neighbors = Neighbors::new();
        neighbors.learn(PEER, MAC, at(0), false);
        assert_eq!(neighbors.hardware(PEER, at(0)), None);
        assert_eq!(neighbors.ask(PEER, at(0)), Some(true));
        assert_eq!(neighbors.ask(PEER, at(0)), Some(false));
        neighbors.learn(PEER, [1, 0, 0, 0, 0, 2], at(0), true); // a group's
        assert_eq!(neighbors.hardware(PEER, at(0)), None);
        neighbors.learn(PEER, MAC, at(0), false);
        assert_eq!(neighbors.hardware(PEER, at(0)), Some(MAC));
    }

    #[test]
    fn who_is_silent_is_asked_and_then_forgotten() {
        let mut neighbors = Neighbors::new();
        neighbors.learn(PEER, MAC, at(0), true);
        assert_eq!(neighbors.hardware(PEER, at(29)), Some(MAC));
        assert_eq!(neighbors.probe(at(29)), None);
        for second in 30..33 {
            assert_eq!(neighbors.hardware(PEER, at(second)), Some(MAC));
            assert_eq!(neighbors.probe(at(second)), Some((PEER, MAC)));
            assert_eq!(neighbors.hardware(PEER, at(second)), Some(MAC));
            assert_eq!(neighbors.probe(at(second)), None);
        }
        assert_eq!(neighbors.hardware(PEER, at(33)), None);
    }

    #[test]
    fn who_was_not_spoken_to_for_long_is_asked_first() {
        let mut neighbors = Neighbors::new();
        neighbors.learn(PEER, MAC, at(0), true);
        assert_eq!(neighbors.hardware(PEER, at(60)), None);
    }

    #[test]
    fn the_table_keeps_who_was_heard_last() {
        let mut neighbors = Neighbors::new();
        let address = |n: usize| IpAddr::from([10, 0, 0, n as u8]);
        for n in 0..=NEIGHBORS {
            neighbors.learn(address(n), MAC, at(n as i64), true);
        }
        assert_eq!(neighbors.hardware(address(0), at(1)), None);
        assert_eq!(neighbors.hardware(address(NEIGHBORS), at(1)), Some(MAC));
        assert_eq!(neighbors.known.len(), NEIGHBORS);
    }
}
