//! What the heart tells its observer, and how it knows.
//!
//! smoltcp keeps its timers to itself and says why it sends again only in its log. What can be known is taken from what
//! goes through our hands: the frames, and the socket's next deadline before and after (`Interface::poll_at` with the
//! socket's own set). A deadline that no rule explains is not told. None of this is done where nobody listens.

use smoltcp::phy::Medium;
use smoltcp::socket::tcp::State;
use smoltcp::time::Instant;
use smoltcp::wire::TcpPacket;

use super::checksum::Sum;
use super::connection::{Connection, Role};
use super::datagram::Owner;
use super::fd::Socket;
use super::flow::to_smoltcp;
#[cfg(feature = "ipv4")]
use super::frame::ICMP;
#[cfg(feature = "ipv6")]
use super::frame::ICMPV6;
use super::frame::{Frame, Packet, Segment, TCP, UDP, before, is_fragment};
use super::ingress::Incoming;
use super::slot::Kind;
use super::{Fd, Stack, flow};
use crate::Result;
use crate::trace::{
    Call, Cause, Direction, DropReason, Event, Flow, Happening, Observer, Outcome, Protocol,
    RetransmissionCause, Timer, TimerChange,
};

/// Why segments of a connection may be sent again; what its peer has acknowledged; and from which number on they are new.
pub(super) type Recovery = (RetransmissionCause, Option<u32>, u32);

/// What an event of a frame says beside the frame.
#[derive(Clone, Copy)]
pub(super) struct Pane {
    pub(super) time: Instant,
    pub(super) interface: u8,
    pub(super) medium: Medium,
    pub(super) socket: Option<u16>,
    /// For the frames of a connection: why one may be sent again, and from where on it is new.
    recovery: Option<Recovery>,
}

impl Pane {
    /// Tells of a frame that leaves.
    pub(super) fn tell_out<O: Observer>(&mut self, observer: &mut O, frame: &[u8]) {
        let flow = flow_of(Direction::Out, self.medium, frame);
        let event = |happening| Event {
            time: self.time,
            interface: Some(self.interface),
            socket: self.socket,
            flow,
            happening,
        };
        if let Some((cause, acknowledged, next)) = &mut self.recovery
            && let Some(segment) = segment_of(self.medium, frame)
        {
            let is_new = !before(segment.seq, *next);
            let is_probe = acknowledged.is_some_and(|acked| before(segment.seq, acked));
            if segment.len > 0 && !is_new && !is_probe {
                observer.event(&event(Happening::Retransmission { cause: *cause }));
            }
        }
        observer.event(&event(Happening::Frame {
            direction: Direction::Out,
            medium: self.medium,
            bytes: frame,
        }));
    }
}

/// The conversation that a frame belongs to.
pub(super) fn flow_of(direction: Direction, medium: Medium, frame: &[u8]) -> Option<Flow> {
    let Frame::Ip { packet, .. } = Frame::parse(medium, frame) else {
        return None;
    };
    if is_fragment(packet) {
        return None; // of most the ports are in another frame
    }
    let packet = Packet::parse(packet)?;
    let protocol = match packet.protocol {
        TCP => Protocol::Tcp,
        UDP => Protocol::Udp,
        _ => return None,
    };
    let flow = packet.flow()?;
    let (destination, source) = (flow.local.shown(), flow.remote.shown());
    let (local, remote) = match direction {
        Direction::In => (destination, source),
        Direction::Out => (source, destination),
    };
    Some(Flow {
        protocol,
        local,
        remote,
    })
}

fn segment_of(medium: Medium, frame: &[u8]) -> Option<Segment> {
    let Frame::Ip { packet, .. } = Frame::parse(medium, frame) else {
        return None;
    };
    let packet = Packet::parse(packet)?;
    (packet.protocol == TCP).then(|| Segment::parse(packet.transport))?
}

impl<'a, O: Observer> Stack<'a, O> {
    /// Tells of a call and what came of it.
    pub(super) fn told<T: Copy>(
        &mut self,
        fd: Option<Fd>,
        call: Call,
        result: Result<T>,
        outcome: impl FnOnce(T) -> Outcome,
    ) -> Result<T> {
        if self.observer.is_listening() {
            let event = Event {
                time: self.now,
                interface: None,
                socket: fd.map(|fd| fd.index),
                flow: fd.and_then(|fd| self.flow_of_socket(fd)),
                happening: Happening::Call {
                    call,
                    outcome: match result {
                        Ok(value) => outcome(value),
                        Err(error) => Outcome::Failed(error),
                    },
                },
            };
            self.observer.event(&event);
        }
        result
    }

    fn flow_of_socket(&self, fd: Fd) -> Option<Flow> {
        let row = self.descriptors.get(fd).ok()?;
        let (protocol, flow) = match row.socket {
            Socket::Connecting(slot) | Socket::Connected { slot, .. } => (
                Protocol::Tcp,
                self.slots[usize::from(slot)].connection()?.flow,
            ),
            Socket::Datagram {
                peer: Some(remote),
                protocol: None,
                ..
            } => {
                let local = row.local;
                (Protocol::Udp, flow::Flow { local, remote })
            }
            _ => return None,
        };
        Some(public(protocol, &flow))
    }

    /// What the events of a slot's frames say.
    pub(super) fn pane(&self, interface: u8, medium: Medium, slot: Option<u16>) -> Option<Pane> {
        if !self.observer.is_listening() {
            return None;
        }
        let place = slot.map(|slot| &self.slots[usize::from(slot)]);
        let socket = slot.and_then(|slot| self.owner_of(slot));
        let recovery = place
            .and_then(|place| place.connection())
            .and_then(Connection::recovery);
        Some(Pane {
            time: self.now,
            interface,
            medium,
            socket,
            recovery,
        })
    }

    /// The same by the interface alone.
    pub(super) fn pane_of(&self, interface: u8, slot: Option<u16>) -> Option<Pane> {
        if !self.observer.is_listening() {
            return None;
        }
        let row = self.interfaces.get(interface)?;
        self.pane(interface, row.medium, slot)
    }

    /// Tells of a frame that came in.
    pub(super) fn tell_in(&mut self, incoming: &Incoming<'_>) {
        let happening = Happening::Frame {
            direction: Direction::In,
            medium: incoming.capabilities.medium,
            bytes: incoming.frame,
        };
        self.tell_incoming(incoming, happening);
    }

    /// Tells of a frame that is given up.
    pub(super) fn tell_drop(&mut self, incoming: &Incoming<'_>, reason: DropReason) {
        let happening = Happening::Drop {
            reason,
            medium: incoming.capabilities.medium,
            bytes: incoming.frame,
        };
        self.tell_incoming(incoming, happening);
    }

    #[inline]
    fn tell_incoming(&mut self, incoming: &Incoming<'_>, happening: Happening<'_>) {
        if !self.observer.is_listening() {
            return;
        }
        let medium = incoming.capabilities.medium;
        let flow = flow_of(Direction::In, medium, incoming.frame);
        let event = Event {
            time: self.now,
            interface: Some(incoming.interface),
            socket: flow.and_then(|flow| self.socket_of(&flow)),
            flow,
            happening,
        };
        self.observer.event(&event);
    }

    /// The descriptor that a conversation's frames are for.
    fn socket_of(&self, flow: &Flow) -> Option<u16> {
        let inner = flow::Flow {
            local: flow::Endpoint::from_socket_addr(flow.local).ok()?,
            remote: flow::Endpoint::from_socket_addr(flow.remote).ok()?,
        };
        let slot = match flow.protocol {
            Protocol::Tcp => self.find_flow(&inner),
            Protocol::Udp => self.find_datagram_socket(&inner),
        };
        match slot {
            Some(slot) => self.owner_of(slot),
            None if flow.protocol == Protocol::Tcp => self.find_listener(&inner),
            None => None,
        }
    }

    /// The descriptor that a slot works for: of a connection that waits for `accept`, its listener.
    fn owner_of(&self, slot: u16) -> Option<u16> {
        match &self.slots[usize::from(slot)].kind {
            Kind::Connection(connection) => match connection.role {
                Role::Owned(descriptor) => Some(descriptor),
                Role::HalfOpen(listener) | Role::Queued(listener) => Some(listener),
                Role::Free | Role::Orphan => None,
            },
            Kind::Datagram(datagrams) => match datagrams.owner {
                Owner::Descriptor(descriptor) => Some(descriptor),
                Owner::Free | Owner::Orphan => None,
            },
            Kind::Unused => None,
        }
    }

    /// Tells of a datagram that never left: the next hop does not answer. Its frame was never made.
    pub(super) fn tell_undeliverable(&mut self, slot: u16) {
        if !self.observer.is_listening() {
            return;
        }
        let interface = self.slots[usize::from(slot)].interface;
        let medium = self.interfaces.get(interface).map(|i| i.medium);
        let event = Event {
            time: self.now,
            interface: Some(interface),
            socket: self.owner_of(slot),
            flow: None,
            happening: Happening::Drop {
                reason: DropReason::NeighborUnreachable,
                medium: medium.unwrap_or(Medium::Ip),
                bytes: &[],
            },
        };
        self.observer.event(&event);
    }

    /// Tells the observer of a transition, and remembers it.
    pub(super) fn tell_state(&mut self, slot: u16, from: State, to: State) {
        let Kind::Connection(connection) = &mut self.slots[usize::from(slot)].kind else {
            return;
        };
        connection.state = to;
        if from == to {
            return;
        }
        let cause = self.cause;
        self.tell_of(slot, Happening::State { from, to, cause });
    }

    /// Tells of something that happened to a connection.
    pub(super) fn tell_of(&mut self, slot: u16, happening: Happening<'_>) {
        if !self.observer.is_listening() {
            return;
        }
        let place = &self.slots[usize::from(slot)];
        let Some(connection) = place.connection() else {
            return;
        };
        let event = Event {
            time: self.now,
            interface: Some(place.interface),
            socket: match connection.role {
                Role::Owned(descriptor) => Some(descriptor),
                _ => None,
            },
            flow: Some(public(Protocol::Tcp, &connection.flow)),
            happening,
        };
        self.observer.event(&event);
    }

    /// The heart's own timer ends a connection.
    pub(super) fn tell_gave_up(&mut self, slot: u16) {
        let (timer, change) = (Timer::User, TimerChange::Fired);
        self.tell_of(slot, Happening::Timer { timer, change });
    }

    /// What the application's call does is its doing.
    pub(super) fn begin_call(&mut self) {
        self.cause = Cause::Call;
    }
}

fn public(protocol: Protocol, flow: &flow::Flow) -> Flow {
    Flow {
        protocol,
        local: flow.local.shown(),
        remote: flow.remote.shown(),
    }
}

/// What `accept` gave.
pub(super) fn accepted((fd, peer): (Fd, core::net::SocketAddr)) -> Outcome {
    Outcome::Accepted(fd.index, peer)
}

/// What a call without a value gave.
pub(super) fn done((): ()) -> Outcome {
    Outcome::Done
}

/// Whether a packet's transport checksum is right, or the device has seen to it.
pub(super) fn is_checksum_right(incoming: &Incoming<'_>, packet: &Packet<'_>) -> bool {
    let checksums = &incoming.capabilities.checksum;
    let Packet {
        source,
        destination,
        protocol,
        transport,
        ..
    } = *packet;
    match protocol {
        TCP if checksums.tcp.rx() => {
            let (Some(source), Some(destination)) = (to_smoltcp(source), to_smoltcp(destination))
            else {
                return true;
            };
            TcpPacket::new_checked(transport)
                .is_ok_and(|segment| segment.verify_checksum(&source, &destination))
        }
        UDP if checksums.udp.rx() => {
            let Some(&[_, _, _, _, l0, l1, c0, c1]) = transport.first_chunk() else {
                return true; // malformed, which is another matter
            };
            // In IPv4 a datagram need not have one (RFC 768); in IPv6 it does (RFC 8200 §8.1).
            if [c0, c1] == [0; 2] {
                return source.is_ipv4();
            }
            let len = u16::from_be_bytes([l0, l1]);
            let Some(datagram) = transport.get(..usize::from(len)) else {
                return true;
            };
            let pseudo = Sum::pseudo_header(source, destination, UDP, len.into());
            pseudo.add(datagram).is_right()
        }
        // Each is known to its own family alone.
        #[cfg(feature = "ipv4")]
        ICMP if source.is_ipv4() && checksums.icmpv4.rx() => Sum::ZERO.add(transport).is_right(),
        #[cfg(feature = "ipv6")]
        ICMPV6 if source.is_ipv6() && checksums.icmpv6.rx() => {
            let len = transport.len() as u32;
            let pseudo = Sum::pseudo_header(source, destination, ICMPV6, len);
            pseudo.add(transport).is_right()
        }
        _ => true,
    }
}
