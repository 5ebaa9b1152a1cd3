//! The queues of datagram and raw sockets: how a datagram gets into them from the wire, and out of them onto it.
//!
//! A datagram longer than its way takes leaves as fragments (RFC 791 §3.2, RFC 8200 §4.5), each of them cut from the queue
//! when the device has room for it.

use smoltcp::storage::{PacketBuffer, PacketMetadata};
use smoltcp::time::{Duration, Instant};

use super::checksum::Sum;
use super::fd::{Descriptor, Socket};
use super::flow::{Endpoint, Flow, UNSPECIFIED};
use super::fragment::Fragmentation;
use super::frame::UDP;
use super::header::{Header, Part};
use super::interface::LOOPBACK;
use super::interfaces::Number;
use super::ip::IpAddr;
use super::link::{self, Transmit};
use super::moment::Moment;
use super::outgoing::Outgoing;
use super::raw::Raw;
use super::slot::Kind;
use super::waiting::Subject;
use super::{Readiness, Stack};
use crate::Error;
use crate::trace::Observer;

pub(super) const UDP_HEADER: usize = 8;

/// Datagrams that one socket may send before the others get their turn.
const BURST: usize = 64;

/// How long until a neighbor that does not answer is asked again (RFC 1122 §2.3.2.1, RFC 4861 §10).
pub(super) const DISCOVERY_INTERVAL: Duration = Duration::from_secs(1);

/// How long a neighbor may stay silent before its host counts as unreachable: three requests (RFC 4861 §10).
pub(super) const DISCOVERY_TIMEOUT: Duration = Duration::from_secs(3);

/// What goes with a datagram, either way: its ancillary data.
#[derive(Debug, Clone, Copy)]
pub(super) struct Envelope {
    pub(super) from: Endpoint,
    pub(super) to: Endpoint,
    pub(super) interface: Number,
    pub(super) hop_limit: u8,
    pub(super) traffic_class: u8,
    pub(super) content: Content,
}

/// What a datagram is to be wrapped into.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Content {
    /// A UDP and an IP header.
    Udp,
    /// What a raw socket says.
    #[cfg_attr(
        not(feature = "raw"),
        expect(dead_code, reason = "there are no raw sockets")
    )]
    Raw(Raw),
}

impl Content {
    /// Whether it begins with its IP header.
    pub(super) fn has_header(self) -> bool {
        match self {
            Content::Udp => false,
            Content::Raw(raw) => raw.has_header(),
        }
    }
}

/// The memory of a queue: a row for each datagram.
pub(super) type Row = PacketMetadata<Envelope>;

/// A queue of datagrams.
pub(super) type Queue<'a> = PacketBuffer<'a, Envelope>;

/// Who a datagram slot works for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Owner {
    /// Nobody.
    Free,
    /// The descriptor.
    Descriptor(u16),
    /// Its descriptor is closed; what is queued is still sent.
    Orphan,
}

/// What a datagram socket has at the wire's end.
pub(super) struct Datagrams<'a> {
    pub(super) owner: Owner,
    pub(super) received: Queue<'a>,
    pub(super) sending: Queue<'a>,
    /// The last `sendto` did not fit.
    pub(super) refused: bool,
    /// How far the first of them has left.
    fragmentation: Fragmentation,
    /// Where the socket was bound that is closed by now.
    pub(super) bound: Endpoint,
}

/// What became of a datagram that came in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Posted {
    Delivered,
    /// No socket that it is for has room.
    Full,
    /// No socket is bound there.
    Unknown,
}

/// What became of an attempt to send the first datagram of a queue, or a fragment of it.
enum Step {
    /// There is none.
    Empty,
    Sent,
    NoRoom,
    /// It is not known where to on the link.
    Unresolved,
}

impl<'a> Datagrams<'a> {
    pub(super) fn new(received: Queue<'a>, sending: Queue<'a>) -> Datagrams<'a> {
        Datagrams {
            owner: Owner::Free,
            received,
            sending,
            refused: false,
            fragmentation: Fragmentation::NONE,
            bound: UNSPECIFIED,
        }
    }

    /// Gives it to nobody, or to a descriptor; empty.
    pub(super) fn belong_to(&mut self, owner: Owner) {
        self.owner = owner;
        self.refused = false;
        self.fragmentation = Fragmentation::NONE;
        while self.received.dequeue().is_ok() {}
        while self.sending.dequeue().is_ok() {}
    }

    /// Forgets all that waits to be sent.
    pub(super) fn drop_all(&mut self) {
        while !self.sending.is_empty() {
            self.drop_first();
        }
        self.refused = false;
    }

    /// Forgets the first datagram that waits to be sent.
    fn drop_first(&mut self) {
        self.fragmentation = Fragmentation::NONE;
        let _ = self.sending.dequeue();
    }
}

impl Envelope {
    /// Octets behind the IP header.
    fn transport_len(&self, payload: &[u8]) -> usize {
        payload.len()
            + if self.content == Content::Udp {
                UDP_HEADER
            } else {
                0
            }
    }

    pub(super) fn header(&self, part: Part) -> Header {
        Header {
            source: self.from.addr,
            destination: self.to.addr,
            protocol: match self.content {
                Content::Udp => UDP,
                Content::Raw(raw) => raw.protocol().0,
            },
            hop_limit: self.hop_limit,
            traffic_class: self.traffic_class,
            router_alert: false,
            part,
        }
    }

    /// Writes the octets behind the IP header, from one of them on.
    pub(super) fn write(&self, place: &mut [u8], payload: &[u8], from: usize, has_checksum: bool) {
        let is_udp = self.content == Content::Udp;
        let (header, rest) = match is_udp && from == 0 {
            true => match place.split_first_chunk_mut::<UDP_HEADER>() {
                Some((header, rest)) => (Some(header), rest),
                None => return,
            },
            false => (None, place),
        };
        let skipped = if is_udp { UDP_HEADER } else { 0 };
        let first = from.saturating_sub(skipped);
        gather(&[payload.get(first..).unwrap_or_default()], rest);
        if let Some(header) = header {
            let len = (UDP_HEADER + payload.len()) as u16;
            let [l0, l1] = len.to_be_bytes();
            let ([s0, s1], [d0, d1]) = (self.from.port.to_be_bytes(), self.to.port.to_be_bytes());
            *header = [s0, s1, d0, d1, l0, l1, 0, 0];
            if has_checksum {
                let sum = Sum::pseudo_header(self.from.addr, self.to.addr, UDP, len.into());
                let checksum = sum.add(&header[..]).add(payload).checksum();
                // Zero is for "no checksum"; in one's complement there is another zero (RFC 768).
                [header[6], header[7]] = if checksum == [0; 2] {
                    [0xff; 2]
                } else {
                    checksum
                };
            }
        }
    }
}

impl<'a, O: Observer> Stack<'a, O> {
    /// The datagram socket that fits best: connected to the sender, then bound to the address, then any; among equals, as
    /// [`rank`](Stack::rank) says.
    pub(super) fn find_datagram_socket(&self, flow: &Flow) -> Option<u16> {
        let hash = self.secret.port_hash(false, flow.local.port);
        let ranked = self.ports.candidates(hash).filter_map(|index| {
            let (fit, slot) = fit(self.descriptors.peek(index), flow)?;
            Some(((fit, self.rank(index, flow)), slot))
        });
        let best = ranked.max_by_key(|(rank, _)| *rank);
        best.map(|(_, slot)| slot)
    }

    /// Hands a UDP datagram to the socket it is for; one to a group to all who are bound there.
    pub(super) fn post(&mut self, envelope: &Envelope, parts: &[&[u8]]) -> Posted {
        let flow = Flow {
            local: envelope.to,
            remote: envelope.from,
        };
        let to = envelope.to.addr;
        if !to.is_multicast() && !self.is_broadcast(to) {
            return match self.find_datagram_socket(&flow) {
                Some(slot) => self.put_parts(slot, envelope, parts),
                None => Posted::Unknown,
            };
        }
        let mut posted = Posted::Unknown;
        let hash = self.secret.port_hash(false, flow.local.port);
        let mut walked = 0;
        while let Some(index) = self.ports.next_candidate(hash, &mut walked) {
            let Some((_, slot)) = fit(self.descriptors.peek(index), &flow) else {
                continue;
            };
            match (self.put_parts(slot, envelope, parts), posted) {
                (Posted::Delivered, _) | (_, Posted::Delivered) => posted = Posted::Delivered,
                (other, _) => posted = other,
            }
        }
        posted
    }

    /// Gives what a socket sends to a group, or to all, to the sockets of this host that listen there, too (RFC 1112 §6.1).
    pub(super) fn loop_back(&mut self, envelope: &Envelope, parts: &[&[u8]]) {
        let interface = self.interfaces.get(envelope.interface.get());
        let to = envelope.to.addr;
        let is_heard = interface.is_some_and(|row| row.is_member(to) || row.is_broadcast(to));
        match envelope.content {
            Content::Udp if is_heard => drop(self.post(envelope, parts)),
            Content::Raw(raw) if is_heard => self.copy_own(envelope, raw, parts),
            _ => {}
        }
    }

    fn put_parts(&mut self, slot: u16, envelope: &Envelope, parts: &[&[u8]]) -> Posted {
        self.put_into(slot, envelope, length(parts), |place| gather(parts, place))
    }

    /// Puts a datagram of this length into a slot's receive queue.
    pub(super) fn put_into(
        &mut self,
        slot: u16,
        envelope: &Envelope,
        len: usize,
        write: impl FnOnce(&mut [u8]),
    ) -> Posted {
        let Kind::Datagram(datagrams) = &mut self.slots[usize::from(slot)].kind else {
            return Posted::Unknown;
        };
        let owner = datagrams.owner;
        if let Owner::Descriptor(descriptor) = owner
            && let Some(limit) = self.descriptors.peek(descriptor).options.receive_buffer
            && !fits(&datagrams.received, len, limit)
        {
            return Posted::Full;
        }
        let Ok(place) = datagrams.received.enqueue(len, *envelope) else {
            return Posted::Full;
        };
        write(place);
        if let Owner::Descriptor(descriptor) = owner {
            self.wake_descriptor(descriptor);
        }
        Posted::Delivered
    }

    pub(super) fn datagram_readiness(&self, slot: u16) -> Readiness {
        match &self.slots[usize::from(slot)].kind {
            Kind::Datagram(datagrams) => Readiness {
                readable: !datagrams.received.is_empty(),
                writable: !datagrams.sending.is_full() && !datagrams.refused,
                ..Readiness::NONE
            },
            _ => Readiness::NONE,
        }
    }

    /// Sends what a datagram slot has queued; says whether the device refused a frame.
    pub(super) fn egress_datagrams(
        &mut self,
        index: u8,
        slot: u16,
        device: &mut dyn Transmit,
    ) -> bool {
        let mut has_sent = false;
        let mut step = Step::Sent;
        for _ in 0..BURST {
            step = self.send_first(index, slot, device);
            match step {
                Step::Sent => has_sent = true,
                _ => break,
            }
        }
        self.probe_neighbor(index, device);
        let blocked = match step {
            Step::Unresolved => Some(self.block(index, slot, device)),
            _ => None,
        };
        self.slots[usize::from(slot)].blocked = blocked.into();
        self.settle_datagrams(slot, has_sent);
        if !self.is_live(slot) {
            return false;
        }
        match step {
            Step::Unresolved => self.wait_for_neighbor(index, slot),
            Step::Empty => {}
            Step::Sent | Step::NoRoom => self.make_due(slot),
        }
        let until = blocked.map(|_| self.now + DISCOVERY_INTERVAL);
        self.deadlines.set(slot, until);
        matches!(step, Step::NoRoom)
    }

    /// Asks for the neighbor that a slot waits for, which keeps quiet for [`DISCOVERY_INTERVAL`]. Says since when it does.
    pub(super) fn block(&mut self, index: u8, slot: u16, device: &mut dyn Transmit) -> Instant {
        let ends = self.ends_of(slot);
        let is_asked = ends.is_none_or(|(from, to)| self.solicit(index, Some(from), to, device));
        match self.slots[usize::from(slot)].blocked.get() {
            Some(since) if is_asked => since,
            _ if is_asked => self.now,
            // Too many are asked for: the wait begins with its next turn.
            _ => self.now + DISCOVERY_INTERVAL,
        }
    }

    /// Where a slot's next packet comes from, and where it goes.
    pub(super) fn ends_of(&mut self, slot: u16) -> Option<(IpAddr, IpAddr)> {
        match &mut self.slots[usize::from(slot)].kind {
            Kind::Connection(connection) => {
                let flow = connection.flow;
                Some((flow.local.addr, flow.remote.addr))
            }
            Kind::Datagram(datagrams) => {
                let (envelope, _) = datagrams.sending.peek().ok()?;
                Some((envelope.from.addr, envelope.to.addr))
            }
            Kind::Unused => None,
        }
    }

    /// Sends the first datagram of a slot's queue, or its next fragment.
    fn send_first(&mut self, index: u8, slot: u16, device: &mut dyn Transmit) -> Step {
        let pane = self.pane_of(index, Some(slot));
        let now = self.now;
        let Some(datagrams) = self.slots[usize::from(slot)].datagrams() else {
            return Step::Empty;
        };
        let Some(interface) = self.interfaces.get_mut(index) else {
            return Step::Empty;
        };
        let Ok((envelope, payload)) = datagrams.sending.peek() else {
            return Step::Empty;
        };
        if index != LOOPBACK && !interface.has(envelope.from.addr) {
            // It was this interface's when the datagram was queued.
            datagrams.drop_first();
            return Step::Sent;
        }
        let Some(link) = interface.link_to(envelope.to.addr, now) else {
            return Step::Unresolved;
        };
        let (checksums, observer) = (&interface.checksums, &mut self.observer);
        if envelope.content.has_header() {
            let len = link.header_len() + payload.len();
            let is_sent = link::transmit(device, now, len, pane, observer, &mut |frame| {
                if let Some(packet) = frame.get_mut(link.header_len()..) {
                    packet.copy_from_slice(payload);
                }
                link.write_around_packet(frame);
            });
            return datagrams.after(is_sent, Fragmentation::NONE);
        }
        let transport_len = envelope.transport_len(payload);
        let whole = envelope.header(self.paths.whole(&mut self.secret));
        let path = self.paths.get(envelope.to.addr, now);
        let mtu = path.map_or(interface.mtu, |(mtu, _)| interface.mtu.min(mtu.into()));
        let (part, from, len, next) =
            datagrams
                .fragmentation
                .next(&whole, mtu, transport_len, &mut self.secret);
        let outgoing = Outgoing {
            link,
            header: Header { part, ..whole },
            payload_len: len,
        };
        let frame_len = outgoing.frame_len();
        let is_sent = link::transmit(device, now, frame_len, pane, observer, &mut |frame| {
            outgoing.write(frame, checksums, |place| {
                envelope.write(place, payload, from, checksums.udp.tx());
            });
        });
        datagrams.after(is_sent, next)
    }

    /// After datagrams left, or the socket was closed.
    pub(super) fn settle_datagrams(&mut self, slot: u16, has_sent: bool) {
        let Kind::Datagram(datagrams) = &mut self.slots[usize::from(slot)].kind else {
            return;
        };
        let is_empty = datagrams.sending.is_empty();
        datagrams.refused &= !(has_sent || is_empty);
        match datagrams.owner {
            Owner::Descriptor(descriptor) => self.wake_descriptor(descriptor),
            Owner::Orphan if is_empty => self.release_datagrams(slot),
            _ => {}
        }
    }

    /// The next hop of the first datagram does not answer: it is given up.
    pub(super) fn give_up_first(&mut self, slot: u16) {
        let place = &mut self.slots[usize::from(slot)];
        place.blocked = Moment::NONE;
        if let Kind::Datagram(datagrams) = &mut place.kind {
            datagrams.drop_first();
        }
        self.tell_undeliverable(slot);
        self.datagram_error(slot, Error::HostUnreachable);
    }

    /// An error that concerns what a datagram socket sent.
    pub(super) fn datagram_error(&mut self, slot: u16, error: Error) {
        if let Kind::Datagram(datagrams) = &self.slots[usize::from(slot)].kind
            && let Owner::Descriptor(descriptor) = datagrams.owner
        {
            self.descriptors.row(descriptor).error = Some(error);
            self.wake_descriptor(descriptor);
        }
    }

    /// What is queued still leaves, then the slot is free.
    pub(super) fn close_datagrams(&mut self, slot: u16) {
        if let Kind::Datagram(datagrams) = &mut self.slots[usize::from(slot)].kind {
            if let Owner::Descriptor(descriptor) = datagrams.owner {
                datagrams.bound = self.descriptors.peek(descriptor).local;
            }
            datagrams.owner = Owner::Orphan;
        }
        self.settle_datagrams(slot, false);
    }

    fn release_datagrams(&mut self, slot: u16) {
        self.unschedule(slot);
        if let Kind::Datagram(datagrams) = &mut self.slots[usize::from(slot)].kind {
            datagrams.belong_to(Owner::Free);
        }
        self.free_datagrams.push_back(&mut self.members, slot);
        self.wakers.wake(Subject::Drained);
    }
}

impl Datagrams<'_> {
    /// After an attempt to send the first datagram, or a fragment of it behind which there are more.
    fn after(&mut self, is_sent: bool, fragmentation: Fragmentation) -> Step {
        if !is_sent {
            return Step::NoRoom;
        }
        self.fragmentation = fragmentation;
        if !fragmentation.is_under_way() {
            let _ = self.sending.dequeue();
        }
        Step::Sent
    }
}

/// Whether a queue takes so many octets more, where it is to hold no more than the limit; one datagram it always takes.
pub(super) fn fits(queue: &Queue<'_>, len: usize, limit: u32) -> bool {
    queue.is_empty() || queue.payload_bytes_count() + len <= limit as usize
}

/// Octets of all parts.
pub(super) fn length(parts: &[&[u8]]) -> usize {
    parts.iter().map(|part| part.len()).sum()
}

/// Copies parts one behind the other, as far as there is room.
pub(super) fn gather(parts: &[&[u8]], mut place: &mut [u8]) {
    for part in parts {
        let len = part.len().min(place.len());
        if let (Some(octets), Some(place)) = (part.get(..len), place.split_off_mut(..len)) {
            place.copy_from_slice(octets);
        }
    }
}

/// How well a socket fits a datagram, and its slot.
fn fit(row: &Descriptor, flow: &Flow) -> Option<(u8, u16)> {
    let Socket::Datagram {
        slot,
        peer,
        protocol: None,
    } = row.socket
    else {
        return None;
    };
    let is_for_it = row.local.port == flow.local.port
        && row.scope().contains(flow.local.addr)
        && peer.is_none_or(|peer| peer == flow.remote);
    let fit = row.scope().precision() + if peer.is_some() { 4 } else { 0 };
    is_for_it.then_some((fit, slot))
}
