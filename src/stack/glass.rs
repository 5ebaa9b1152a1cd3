//! What the heart tells its observer, and how it knows.
//!
//! smoltcp keeps its timers to itself and says why it sends again only in its log. What can be known is taken from what
//! goes through our hands: the frames, and the socket's next deadline before and after (`Interface::poll_at` with the
//! socket's own set). A deadline that no rule explains is not told. None of this is done where nobody listens.

use smoltcp::phy::Medium;
use smoltcp::socket::tcp::State;
use smoltcp::time::Instant;
use smoltcp::wire::TcpPacket;

use super::challenge::receive_next;
use super::checksum::Sum;
use super::connection::{Connection, Role, control_len};
use super::countdown::ACK_DELAY;
use super::datagram::Owner;
use super::fd::Socket;
use super::flow::to_smoltcp;
#[cfg(feature = "ipv4")]
use super::frame::ICMP;
#[cfg(feature = "ipv6")]
use super::frame::ICMPV6;
use super::frame::{Frame, Packet, Segment, TCP, UDP, before, is_fragment};
use super::ingress::Incoming;
use super::moment::Moment;
use super::slot::Kind;
use super::{Fd, Stack, flow};
use crate::Result;
use crate::trace::{
    Call, Cause, Direction, DropReason, Event, Flow, Happening, Observer, Outcome, Protocol,
    RetransmissionCause, Timer, TimerChange,
};

/// Duplicate acknowledgments that make smoltcp send again (RFC 5681 §3.2).
const DUPLICATE_ACKS: u8 = 3;

/// What is remembered of a connection for its observer.
#[derive(Clone, Copy)]
pub(super) struct Glimpse {
    /// The furthest acknowledgment of the peer, and the window that came with it.
    acknowledged: u32,
    window: u16,
    duplicate_acks: u8,
    /// Timeouts in a row (RFC 6298 §5.5).
    timeouts: u32,
    /// Why segments before this sequence number are sent again.
    recovery: Option<(RetransmissionCause, u32)>,
    /// The timer that runs.
    timer: Option<(Timer, Instant)>,
    /// When `connect` gives up.
    gives_up_at: Moment,
}

impl Glimpse {
    pub(super) const NOTHING: Glimpse = Glimpse {
        acknowledged: 0,
        window: 0,
        duplicate_acks: 0,
        timeouts: 0,
        recovery: None,
        timer: None,
        gives_up_at: Moment::NONE,
    };
}

impl Connection {
    /// Follows a segment of the peer.
    fn glimpse_arrival(&mut self, segment: &Segment) {
        let glass = &mut self.glimpse;
        if !segment.has_ack() || before(self.next, segment.ack) {
            return;
        }
        let is_first = self.initial == Some(glass.acknowledged) || glass.acknowledged == 0;
        if before(glass.acknowledged, segment.ack) || is_first {
            glass.acknowledged = segment.ack;
            glass.duplicate_acks = 0;
            glass.timeouts = 0;
            let ack = segment.ack;
            glass.recovery = glass.recovery.filter(|(_, until)| before(ack, *until));
        } else if segment.ack == glass.acknowledged
            && segment.ack != self.next
            && segment.len == 0
            && segment.is_plain()
            && segment.window == glass.window
        {
            glass.duplicate_acks = glass.duplicate_acks.saturating_add(1);
            if glass.duplicate_acks == DUPLICATE_ACKS {
                let until = segment.ack.wrapping_add(1);
                glass.recovery = Some((RetransmissionCause::FastRetransmit, until));
            }
        }
        glass.window = segment.window;
    }

    /// Which timer a deadline is, if the rules explain it.
    fn timer(&self, at: Instant, now: Instant, queues: Queues) -> Option<Timer> {
        let glass = &self.glimpse;
        let is_known = [Timer::Retransmission, Timer::TimeWait]
            .into_iter()
            .any(|timer| glass.timer == Some((timer, at)));
        if queues.owes_ack && !is_known && at <= now + ACK_DELAY {
            return Some(Timer::DelayedAck);
        }
        if self.state == State::TimeWait {
            return Some(Timer::TimeWait);
        }
        if glass.window == 0 && queues.unsent > 0 && self.state != State::SynSent {
            return Some(Timer::ZeroWindowProbe);
        }
        if queues.unsent + control_len(self.state) > 0 {
            return Some(Timer::Retransmission);
        }
        queues.keep_alive.then_some(Timer::KeepAlive)
    }
}

impl Glimpse {
    fn is_probing_window(&self) -> bool {
        matches!(self.timer, Some((Timer::ZeroWindowProbe, _)))
    }
}

/// What of a socket the rules need.
struct Queues {
    unsent: usize,
    owes_ack: bool,
    keep_alive: bool,
}

/// What an event of a frame says beside the frame.
#[derive(Clone, Copy)]
pub(super) struct Pane {
    pub(super) time: Instant,
    pub(super) interface: u8,
    pub(super) medium: Medium,
    pub(super) socket: Option<u16>,
    /// For the frames of a connection: why one may be sent again, and from where on it is new.
    recovery: Option<(RetransmissionCause, Option<u32>, u32)>,
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
            .and_then(|connection| {
                let glass = &connection.glimpse;
                let (cause, _) = glass.recovery.filter(|_| !glass.is_probing_window())?;
                let acknowledged = (glass.acknowledged != 0).then_some(glass.acknowledged);
                Some((cause, acknowledged, connection.next))
            });
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
    fn tell_of(&mut self, slot: u16, happening: Happening<'_>) {
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

    /// Follows a segment that arrived whole.
    pub(super) fn glimpse_arrival(&mut self, slot: u16, segment: &Segment) {
        if self.observer.is_listening()
            && let Kind::Connection(connection) = &mut self.slots[usize::from(slot)].kind
        {
            connection.glimpse_arrival(segment);
        }
    }

    /// Before a slot is polled: the timer whose time has come fires.
    pub(super) fn tell_fired(&mut self, slot: u16) {
        if !self.observer.is_listening() {
            return;
        }
        let now = self.now;
        let Kind::Connection(connection) = &mut self.slots[usize::from(slot)].kind else {
            return;
        };
        let Some((timer, _)) = connection.glimpse.timer.filter(|(_, at)| *at <= now) else {
            return;
        };
        if timer == Timer::Retransmission {
            connection.glimpse.timeouts += 1;
            let cause = RetransmissionCause::Timeout(connection.glimpse.timeouts);
            connection.glimpse.recovery = Some((cause, connection.next));
        }
        let change = TimerChange::Fired;
        self.tell_of(slot, Happening::Timer { timer, change });
        if let Kind::Connection(connection) = &mut self.slots[usize::from(slot)].kind
            && timer != Timer::ZeroWindowProbe
        {
            connection.glimpse.timer = None;
        }
    }

    /// After a slot was polled: its next deadline is a timer that runs.
    pub(super) fn tell_timer(&mut self, slot: u16, next: Option<Instant>) {
        if !self.observer.is_listening() {
            return;
        }
        let now = self.now;
        let Some((socket, connection)) = self.slots[usize::from(slot)].tcp() else {
            return;
        };
        let queues = Queues {
            unsent: socket.send_queue(),
            owes_ack: receive_next(socket, connection)
                .is_some_and(|next| next != connection.receive_next),
            keep_alive: connection.keep_alive.is_some(),
        };
        let timer = next
            .filter(|at| *at > now && !connection.silent)
            .and_then(|at| Some((connection.timer(at, now, queues)?, at)));
        let previous = core::mem::replace(&mut connection.glimpse.timer, timer);
        if previous == timer {
            return;
        }
        if let Some((stopped, _)) =
            previous.filter(|(kind, _)| timer.is_none_or(|(new, _)| new != *kind))
        {
            let change = TimerChange::Stopped;
            self.tell_of(
                slot,
                Happening::Timer {
                    timer: stopped,
                    change,
                },
            );
        }
        if let Some((timer, at)) = timer {
            let after = (at - now).into();
            let change = TimerChange::Armed { at, after };
            self.tell_of(slot, Happening::Timer { timer, change });
        }
    }

    /// After a slot was polled: how long `connect` waits for its peer. (What the heart waits for on an open connection changes
    /// with each segment; that it gave up is told when it does.)
    pub(super) fn tell_connect_timer(&mut self, slot: u16) {
        if !self.observer.is_listening() {
            return;
        }
        let now = self.now;
        let Kind::Connection(connection) = &mut self.slots[usize::from(slot)].kind else {
            return;
        };
        let is_connecting = connection.state == State::SynSent;
        let gives_up_at = connection.give_up_at.get().filter(|_| is_connecting);
        let known = core::mem::replace(&mut connection.glimpse.gives_up_at, gives_up_at.into());
        if known.get() == gives_up_at {
            return;
        }
        let change = match gives_up_at {
            Some(at) => TimerChange::Armed {
                at,
                after: (at - now).into(),
            },
            None => TimerChange::Stopped,
        };
        let timer = Timer::User;
        self.tell_of(slot, Happening::Timer { timer, change });
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
