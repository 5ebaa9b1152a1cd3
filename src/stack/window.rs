//! The window that a peer is offered, where the application wants it smaller than the buffer (`SO_RCVBUF`). smoltcp offers all
//! the room it has; what leaves says less (see `stamp.rs`), and when the application has read, the heart says so itself.

use smoltcp::phy::PacketMeta;
use smoltcp::socket::tcp::{self, State};

use super::Stack;
use super::amend::{Acknowledgment, unacknowledged};
use super::challenge::receive_next;
use super::connection::{Connection, modulo};
use super::door::{Door, Sent, Watch};
use super::frame::before;
use super::link::Transmit;
use super::slot::Slot;
use super::stamp::{Edge, Stamp};
use crate::trace::Observer;

/// An IPv6 and a TCP header, and an octet.
const PACKET_LEN: usize = 40 + 20 + 1;

impl Connection {
    /// By how much our windows are scaled: smoltcp takes what its buffer needs.
    fn scale(&self, socket: &tcp::Socket<'_>) -> u8 {
        if self.window_scale.is_none() {
            return 0;
        }
        let capacity = socket.recv_capacity();
        let scale = (usize::BITS - capacity.leading_zeros()).saturating_sub(u16::BITS);
        scale as u8
    }

    /// Octets that may wait to be read, if that is less than there is room for.
    fn limit(&self, socket: &tcp::Socket<'_>) -> Option<u32> {
        let limit = (*self.receive_limit)?.max(2 << self.scale(socket));
        ((limit as usize) < socket.recv_capacity()).then_some(limit)
    }

    /// The end of the window that the application wants to offer.
    fn wanted_edge(&self, limit: u32) -> Option<u32> {
        let read = self.first_octet.get()?.wrapping_add(modulo(self.read));
        Some(read.wrapping_add(limit))
    }

    /// What the connection's packets are to say when they leave.
    fn stamp(&self, socket: &tcp::Socket<'_>) -> Stamp {
        let edge = self.limit(socket).map(|limit| {
            // What was offered is not taken back (RFC 9293 §3.8.6).
            let end = match (self.wanted_edge(limit), *self.edge) {
                (Some(wanted), Some(edge)) if before(wanted, edge) => Some(edge),
                (wanted, _) => wanted,
            };
            Edge {
                end,
                len: limit,
                scale: self.scale(socket),
            }
        });
        Stamp {
            traffic_class: self.traffic_class.unwrap_or(0),
            edge,
        }
    }

    /// Remembers the window that has left.
    pub(super) fn note_window(&mut self, socket: &tcp::Socket<'_>, ack: u32, window: u16) {
        let is_scaled = !matches!(self.state, State::SynSent | State::SynReceived);
        let scale = if is_scaled { self.scale(socket) } else { 0 };
        let edge = ack.wrapping_add(u32::from(window) << scale);
        if self.edge.is_none_or(|known| before(known, edge)) {
            self.edge.set(Some(edge));
        }
    }

    /// Whether the window has opened by so much that the peer is to be told (RFC 9293 §3.8.6.2.2).
    fn owes_window(&self, socket: &tcp::Socket<'_>) -> bool {
        let may_receive = matches!(
            self.state,
            State::Established | State::FinWait1 | State::FinWait2
        );
        let opened = || {
            let limit = self.limit(socket)?;
            let opened = self.wanted_edge(limit)?.wrapping_sub((*self.edge)?) as i32;
            Some(opened > 0 && opened as u32 >= (limit / 2).min(u32::from(self.mtu)))
        };
        may_receive && opened() == Some(true)
    }
}

impl Slot<'_> {
    /// What the packets of a slot are to say when they leave, if that is more than what smoltcp writes.
    #[inline]
    pub(super) fn stamp(&self) -> Option<Stamp> {
        let connection = self.connection()?;
        if connection.traffic_class.is_none() && connection.receive_limit.is_none() {
            return None;
        }
        let (socket, connection) = self.tcp_ref()?;
        Some(connection.stamp(socket))
    }
}

impl<'a, O: Observer> Stack<'a, O> {
    /// After a slot was polled: tells the peer of a window that has opened.
    #[inline]
    pub(super) fn update_window(&mut self, index: u8, slot: u16, device: &mut dyn Transmit) {
        if let Some((socket, connection)) = self.slots[usize::from(slot)].tcp_ref()
            && connection.receive_limit.is_some()
            && connection.owes_window(socket)
        {
            self.acknowledge(index, slot, device);
        }
    }

    /// Has smoltcp acknowledge what has come, and say what the window is, whatever else it has to send: it answers an octet from
    /// before the window with that and nothing else.
    pub(super) fn acknowledge(&mut self, index: u8, slot: u16, device: &mut dyn Transmit) {
        let pane = self.pane_of(index, Some(slot));
        let place = &mut self.slots[usize::from(slot)];
        let Some((socket, connection)) = place.tcp_ref() else {
            return;
        };
        let numbers = receive_next(socket, connection).zip(unacknowledged(socket, connection));
        let Some((next, ack)) = numbers else {
            return;
        };
        let old = Acknowledgment {
            seq: next.wrapping_sub(1),
            ack,
            window: connection.window,
        };
        let stamp = place.stamp();
        let mut buffer = [0; PACKET_LEN];
        let len = old.emit(&mut buffer, &connection.flow, &[0]);
        let to = connection.flow.remote.addr;
        let (Some(interface), Some(set)) = (self.interfaces.get_mut(index), &mut place.set) else {
            return;
        };
        let Some(link) = interface.link_to(to, self.now) else {
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
        let now = self.now;
        device.reserve(now, &mut |room| {
            if room.has_room(now) {
                let mut door = Door {
                    packet: len.and_then(|len| buffer.get(..len)),
                    meta: PacketMeta::default(),
                    device: room,
                    watch: &mut watch,
                };
                interface.inner.poll_ingress_single(now, &mut door, set);
            }
        });
        self.note_sent(slot, &sent);
    }
}
