//! Segments that smoltcp would take wrongly, and what becomes of them instead. Each is met where segments are lost, come twice
//! or overtake each other, and each would hang a connection or cut its data short.
//!
//! | a segment | smoltcp | here |
//! |---|---|---|
//! | FIN behind more octets than the window takes | takes what fits, then the FIN: the rest is gone | its sender is asked for it again |
//! | beside the window, with a new acknowledgment | hears nothing of it; two ends that are both beside hear nothing of each other | its acknowledgment is heard |
//! | old, shuts the window over data under way | waits for an acknowledgment without end | it is not heard |
//! | repeats an acknowledgment, with a window for less than a segment | sends a whole one again, beyond the window | it is not heard |
//! | repeats an acknowledgment, where the FIN alone is under way | stops the FIN's timer at the third | it is not heard |

use smoltcp::phy::{ChecksumCapabilities, PacketMeta};
use smoltcp::socket::tcp::{self, State};
use smoltcp::wire::{IpProtocol, IpRepr, TcpControl, TcpOption, TcpPacket, TcpRepr, TcpSeqNumber};

use super::Stack;
use super::challenge::{Verdict, receive_next};
use super::connection::{Connection, modulo};
use super::door::{Door, Sent, Void, Watch};
use super::flow::Flow;
use super::frame::{Packet, Segment, before};
use super::ingress::Incoming;
use super::link::Link;
use super::sequence::throw_away;
use super::slot::{Kind, Slot};
use crate::trace::Observer;

/// An IPv6 and a TCP header.
const PACKET_LEN: usize = 40 + 20;

/// smoltcp sends no smaller segments, whatever the peer asks for (Linux's `TCP_MIN_SND_MSS`).
const LEAST_SEGMENT_SIZE: u16 = 48;

/// How far from the numbers that are due a segment's may be whose acknowledgment counts: a guess in 2¹³ for who sees neither.
const NEAR: u32 = 1 << 18;

/// An empty segment of the peer's.
#[derive(Debug, Clone, Copy)]
pub(super) struct Acknowledgment {
    pub(super) seq: u32,
    pub(super) ack: u32,
    pub(super) window: u16,
}

impl Acknowledgment {
    /// Writes it as an IP packet, with a payload that is none of the peer's; how long that is.
    pub(super) fn emit(&self, packet: &mut [u8], flow: &Flow, payload: &[u8]) -> Option<usize> {
        let (remote, local) = (flow.remote.to_smoltcp()?, flow.local.to_smoltcp()?);
        let tcp = TcpRepr {
            src_port: remote.port,
            dst_port: local.port,
            control: TcpControl::None,
            seq_number: TcpSeqNumber(self.seq as i32),
            ack_number: Some(TcpSeqNumber(self.ack as i32)),
            window_len: self.window,
            window_scale: None,
            max_seg_size: None,
            sack_permitted: false,
            sack_ranges: [None, None, None],
            timestamp: None,
            payload,
        };
        let len = tcp.buffer_len();
        let ip = IpRepr::new(remote.addr, local.addr, IpProtocol::Tcp, len, 64);
        let packet = packet.get_mut(..ip.buffer_len())?;
        let (ip_header, transport) = packet.split_at_mut_checked(ip.header_len())?;
        let all = ChecksumCapabilities::default();
        ip.emit(ip_header, &all);
        let mut segment = TcpPacket::new_unchecked(transport);
        tcp.emit(&mut segment, &remote.addr, &local.addr, &all);
        Some(ip.buffer_len())
    }
}

/// The first sequence number that the peer has not acknowledged, behind the handshake.
pub(super) fn unacknowledged(socket: &tcp::Socket<'_>, connection: &Connection) -> Option<u32> {
    let is_synchronized = !matches!(
        socket.state(),
        State::Closed | State::Listen | State::SynSent | State::SynReceived
    );
    let first = connection
        .initial
        .get()
        .filter(|_| is_synchronized)?
        .wrapping_add(1);
    let written = first.wrapping_add(modulo(connection.written));
    Some(written.wrapping_sub(socket.send_queue() as u32))
}

impl Connection {
    /// The window that goes with an acknowledgment, as smoltcp counts it.
    pub(super) fn offer(&self, socket: &tcp::Socket<'_>) -> u32 {
        let capacity = socket.recv_capacity();
        let scale = (usize::BITS - capacity.leading_zeros()).saturating_sub(u16::BITS);
        let is_scaled = self.window_scale.is_some() && socket.state() != State::SynReceived;
        let scale = if is_scaled { scale } else { 0 };
        let room = (capacity - socket.recv_queue()) >> scale;
        (room.min(usize::from(u16::MAX)) << scale) as u32
    }

    /// How many octets a window of the peer's is for.
    pub(super) fn window_len(&self, window: u16) -> usize {
        usize::from(window) << self.window_scale.unwrap_or(0).min(14)
    }

    /// The FIN is under way, or waits behind the data.
    fn is_ending(&self) -> bool {
        let state = self.state;
        matches!(state, State::FinWait1 | State::Closing | State::LastAck)
    }
}

impl<'a, O: Observer> Stack<'a, O> {
    /// The answer to a SYN says by how much the peer's windows are scaled.
    pub(super) fn note_scale(&mut self, slot: u16, packet: &Packet<'_>, segment: &Segment) {
        let Kind::Connection(connection) = &mut self.slots[usize::from(slot)].kind else {
            return;
        };
        let is_answer = connection.state == State::SynSent && segment.ack == connection.next;
        if let Ok(segment) = TcpPacket::new_checked(packet.transport)
            && is_answer
        {
            connection.note_options(segment.options());
        }
    }

    /// What becomes of a segment that is no SYN and no reset. In the middle of a conversation there is nothing to look at.
    #[inline]
    pub(super) fn amend(
        &mut self,
        incoming: &Incoming<'_>,
        packet: &Packet<'_>,
        slot: u16,
        segment: &Segment,
    ) -> Verdict {
        let connection = self.slots[usize::from(slot)].connection();
        let is_odd = connection.is_some_and(|connection| {
            segment.has_fin()
                || before(segment.seq, connection.receive_next)
                || !before(segment.seq, connection.offered)
                || connection.probes() > 0
                || segment.len == 0
                    && (connection.is_ending()
                        || connection.window_len(segment.window) < usize::from(connection.mtu))
        });
        match is_odd {
            true => self.amend_odd(incoming, packet, slot, segment),
            false => Verdict::Pass,
        }
    }

    fn amend_odd(
        &mut self,
        incoming: &Incoming<'_>,
        packet: &Packet<'_>,
        slot: u16,
        segment: &Segment,
    ) -> Verdict {
        self.hush(slot);
        let place = self.slots[usize::from(slot)].tcp_ref();
        let Some((socket, connection)) = place else {
            return Verdict::Pass;
        };
        let Some(next) = receive_next(socket, connection) else {
            return Verdict::Pass;
        };
        if is_beyond_window(connection, next, segment) {
            return Verdict::Challenge;
        }
        let unacknowledged = unacknowledged(socket, connection);
        let Some(unacknowledged) = unacknowledged.filter(|_| segment.has_ack()) else {
            return Verdict::Pass;
        };
        let queued = socket.send_queue();
        // One from before the window is a probe, which wants an answer.
        let is_probe = before(segment.seq, next);
        if segment.ack == unacknowledged && segment.len == 0 && !is_probe {
            let is_under_way = queued > 0 && before(segment.ack, connection.next);
            // A peer does not take back what it has offered (RFC 9293 §3.8.6).
            if is_under_way && segment.window == 0 && connection.window > 0 {
                return Verdict::Drop;
            }
            let room = connection.window_len(segment.window);
            let is_small = room > 0 && room < queued.min(usize::from(connection.mtu));
            let repeats_data = is_under_way && is_small && segment.window == connection.window;
            if repeats_data || connection.is_ending() && queued == 0 {
                self.settle(slot, Some(*segment));
                return Verdict::Drop;
            }
        }
        // Its acknowledgment says something, and smoltcp would not look at that: no part of it is in the window.
        let is_new = before(unacknowledged, segment.ack) && !before(connection.next, segment.ack);
        let opens = segment.ack == unacknowledged && segment.window > 0 && connection.window == 0;
        let end = segment.seq.wrapping_add(segment.len);
        let is_old = before(segment.seq, next) && !before(next, end);
        let is_beside = is_old || !before(segment.seq, connection.offered);
        let distance = segment.seq.wrapping_sub(next) as i32;
        let is_near = distance.unsigned_abs() <= NEAR;
        if (is_new || opens) && is_beside && is_near && self.is_whole(incoming, packet, slot) {
            return self.hear_beside(slot, next, segment);
        }
        Verdict::Pass
    }

    /// Whether a segment is as it was sent, as far as its checksum tells.
    fn is_whole(&self, incoming: &Incoming<'_>, packet: &Packet<'_>, slot: u16) -> bool {
        let flow = self.slots[usize::from(slot)].connection();
        let ends = flow.and_then(|connection| {
            let flow = connection.flow;
            Some((
                flow.remote.to_smoltcp()?.addr,
                flow.local.to_smoltcp()?.addr,
            ))
        });
        let segment = TcpPacket::new_checked(packet.transport);
        let (Some((remote, local)), Ok(segment)) = (ends, segment) else {
            return false;
        };
        !incoming.capabilities.checksum.tcp.rx() || segment.verify_checksum(&remote, &local)
    }

    /// Hears the acknowledgment of a segment beside the window.
    fn hear_beside(&mut self, slot: u16, next: u32, segment: &Segment) -> Verdict {
        let now = self.now;
        let acknowledgment = Acknowledgment {
            seq: next,
            ack: segment.ack,
            window: segment.window,
        };
        let place = &mut self.slots[usize::from(slot)];
        place.hear(&acknowledgment, now);
        if let Some((_, connection)) = place.tcp() {
            connection.window = segment.window;
            connection.window_ack = segment.ack.into();
        }
        let place = self.slots[usize::from(slot)].tcp_ref();
        if place.is_some_and(|(socket, _)| socket.state() == State::Closed) {
            // It was the last that it waited for.
            self.settle(slot, Some(*segment));
            return Verdict::Drop;
        }
        Verdict::Pass
    }
}

/// Whether smoltcp would take a FIN with a part of the octets before it: the segment begins with what is due, and ends beyond
/// the window.
fn is_beyond_window(connection: &Connection, next: u32, segment: &Segment) -> bool {
    // One alone takes no room.
    let octets = segment.octets();
    let end = segment.seq.wrapping_add(octets);
    segment.has_fin() && octets > 0 && !before(next, segment.seq) && before(connection.offered, end)
}

impl Connection {
    /// Reads the options of the peer's SYN: by how much its windows are scaled, and what it takes in a segment.
    fn note_options(&mut self, mut options: &[u8]) {
        self.window_scale = None;
        while let Ok((rest, option)) = TcpOption::parse(options) {
            match option {
                TcpOption::WindowScale(scale) => self.window_scale = Some(scale),
                TcpOption::MaxSegmentSize(size) => self.note_segment_size(Some(size)),
                TcpOption::EndOfList => return,
                _ => {}
            }
            options = rest;
        }
    }

    /// What the peer takes in a segment, as smoltcp understands it.
    pub(super) fn note_segment_size(&mut self, size: Option<u16>) {
        if let Some(size) = size.filter(|size| *size > 0) {
            self.peer_segment_size = size.max(LEAST_SEGMENT_SIZE);
        }
    }
}

impl Slot<'_> {
    /// Has smoltcp's socket hear an acknowledgment, which it does not answer.
    pub(super) fn hear(&mut self, acknowledgment: &Acknowledgment, now: smoltcp::time::Instant) {
        let mut buffer = [0; PACKET_LEN];
        let len = self
            .connection()
            .and_then(|connection| acknowledgment.emit(&mut buffer, &connection.flow, &[]));
        let mut sent = Sent::default();
        let mut watch = Watch {
            sent: &mut sent,
            link: Some(Link::Ip),
            pane: None,
            stamp: None,
            observer: &mut (),
        };
        let mut door = Door {
            packet: len.and_then(|len| buffer.get(..len)),
            meta: PacketMeta::default(),
            device: &mut Void,
            watch: &mut watch,
        };
        if let Some(set) = &mut self.set {
            throw_away(0).poll_ingress_single(now, &mut door, set);
        }
    }
}
