//! Segments from someone who sees nothing of the connection and guesses (RFC 5961): a reset has to name exactly the next
//! sequence number, and neither a reset that only hits the window nor a SYN ends a connection. The peer is asked instead:
//! if it is the one who sent them it answers the "challenge ACK" with a reset that is exact.
//!
//! smoltcp takes any reset in the window, and says nothing to a SYN, with which a peer that has restarted would try in
//! vain (RFC 9293 §3.5.1). What it does answer, once a second at most, is an empty segment from before its window.

use smoltcp::phy::ChecksumCapabilities;
use smoltcp::socket::tcp::{self, State};
use smoltcp::wire::TcpPacket;

use super::Stack;
use super::amend::Acknowledgment;
use super::connection::{Connection, modulo};
use super::datagram::gather;
use super::frame::{ETHERNET_HEADER, Packet, Segment};
use super::ingress::Incoming;
use super::link::Transmit;
use crate::trace::Observer;

/// The question's frame: an Ethernet, an IPv6 and a TCP header.
const FRAME_LEN: usize = ETHERNET_HEADER + 40 + 20;

/// What becomes of a SYN or a reset.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Verdict {
    /// smoltcp may have it.
    Pass,
    /// Its sender is asked back.
    Challenge,
    /// Beside the window: not worth a word.
    Drop,
}

/// The next sequence number that is expected of the peer, once it has been told one.
pub(super) fn receive_next(socket: &tcp::Socket<'_>, connection: &Connection) -> Option<u32> {
    let read = connection
        .first_octet
        .get()?
        .wrapping_add(modulo(connection.read));
    let queued = read.wrapping_add(socket.recv_queue() as u32);
    Some(queued.wrapping_add(u32::from(has_fin(socket.state()))))
}

/// Whether the peer's FIN, which takes up a sequence number, is in.
fn has_fin(state: State) -> bool {
    matches!(
        state,
        State::CloseWait | State::LastAck | State::Closing | State::TimeWait
    )
}

impl<'a, O: Observer> Stack<'a, O> {
    /// An acknowledgment has been sent: the sequence numbers of the peer's stream are known from its first one on.
    pub(super) fn note_first_octet(&mut self, slot: u16, ack: u32) {
        if let Some((socket, connection)) = self.slots[usize::from(slot)].tcp() {
            let received = modulo(connection.read).wrapping_add(socket.recv_queue() as u32);
            let received = received.wrapping_add(u32::from(has_fin(socket.state())));
            connection.first_octet = ack.wrapping_sub(received).into();
        }
    }

    /// Judges a SYN or a reset for a connection.
    pub(super) fn judge(&self, slot: u16, segment: &Segment) -> Verdict {
        let Some((socket, connection)) = self.slots[usize::from(slot)].tcp_ref() else {
            return Verdict::Pass;
        };
        let state = socket.state();
        if matches!(state, State::Closed | State::Listen | State::SynSent) {
            return Verdict::Pass;
        }
        let Some(next) = receive_next(socket, connection) else {
            return Verdict::Pass;
        };
        if !segment.has_rst() {
            // The handshake's SYN may come twice.
            return match state {
                State::SynReceived => Verdict::Pass,
                _ => Verdict::Challenge,
            };
        }
        let window = socket.recv_capacity() - socket.recv_queue();
        match segment.seq.wrapping_sub(next) as usize {
            0 => Verdict::Pass,
            beyond if beyond < window => Verdict::Challenge,
            _ => Verdict::Drop,
        }
    }

    /// Has smoltcp send an ACK to the sender of a segment that may be forged.
    pub(super) fn challenge(
        &mut self,
        incoming: &Incoming<'_>,
        token: &mut dyn Transmit,
        link: &[u8],
        packet: &Packet<'_>,
        slot: u16,
    ) {
        let checksums = &incoming.capabilities.checksum;
        let mut buffer = [0; FRAME_LEN];
        if let Some(frame) = self.question(&mut buffer, link, packet, checksums, slot) {
            // Nothing of the peer's has come, so there is no segment to settle.
            self.deliver(&Incoming { frame, ..*incoming }, token, Some((slot, None)));
        }
    }

    /// Writes the segment that smoltcp answers; none for one with a wrong checksum.
    fn question<'b>(
        &self,
        buffer: &'b mut [u8; FRAME_LEN],
        link: &[u8],
        packet: &Packet<'_>,
        checksums: &ChecksumCapabilities,
        slot: u16,
    ) -> Option<&'b [u8]> {
        let (socket, connection) = self.slots[usize::from(slot)].tcp_ref()?;
        let remote = connection.flow.remote.to_smoltcp()?;
        let local = connection.flow.local.to_smoltcp()?;
        let segment = TcpPacket::new_checked(packet.transport).ok()?;
        if checksums.tcp.rx() && !segment.verify_checksum(&remote.addr, &local.addr) {
            return None;
        }
        let before = receive_next(socket, connection)?.wrapping_sub(1);
        gather(&[link], buffer);
        let packet = buffer.get_mut(link.len()..)?;
        let numbers = Acknowledgment {
            seq: before,
            ack: connection.next,
            window: 0,
        };
        let len = link.len() + numbers.emit(packet, &connection.flow, &[])?;
        buffer.get(..len)
    }
}
