//! A TCP segment as it is on the wire: what a frame says of it, and nothing that a frame does not say.

use core::net::SocketAddr;

use smoltcp::time::Instant;

use super::Medium;
use super::dissect::{Dissection, Packet, Tcp, TcpOption, Transport};

/// A TCP segment's header (RFC 9293 §3.1), with the options that matter to its reader.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Segment {
    /// When it was seen.
    pub time: Instant,
    /// Who sent it.
    pub source: SocketAddr,
    /// Whom it is for.
    pub destination: SocketAddr,
    /// The sequence number of its first octet.
    pub sequence: u32,
    /// The sequence number that its sender expects next, where ACK is set.
    pub acknowledgment: Option<u32>,
    /// SYN, FIN, RST and PSH.
    pub flags: Flags,
    /// The window field, as it is on the wire: not scaled.
    pub window: u16,
    /// The window scale option (RFC 7323 §2.2), which only a SYN has; 14 at most.
    pub window_scale: Option<u8>,
    /// The maximum segment size option, which only a SYN has.
    pub max_segment_size: Option<u16>,
    /// SACK is permitted (RFC 2018 §2), which only a SYN says.
    pub sack_permitted: bool,
    /// The first three blocks of a SACK option (RFC 2018 §3); a fourth fits only where there are no timestamps.
    pub sack: [Option<(u32, u32)>; 3],
    /// The timestamps option's value and echo (RFC 7323 §3.2).
    pub timestamps: Option<(u32, u32)>,
    /// Octets of payload.
    pub len: u32,
}

/// The control bits that a segment may have beside ACK.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[allow(missing_docs, reason = "the names are the RFC's own")]
pub struct Flags {
    pub syn: bool,
    pub fin: bool,
    pub rst: bool,
    pub psh: bool,
}

impl Segment {
    /// The TCP segment in a frame, where there is one: its header whole, and not in a fragment. Checksums are not looked
    /// at. A length in a header that goes beyond the frame is taken for the frame's own.
    pub fn parse(time: Instant, medium: Medium, frame: &[u8]) -> Option<Segment> {
        Dissection::parse(medium, frame).segment(time)
    }

    pub(super) fn of(time: Instant, packet: &Packet<'_>) -> Option<Segment> {
        let Transport::Tcp(tcp) = &packet.transport else {
            return None;
        };
        let mut segment = Segment {
            time,
            source: SocketAddr::new(packet.ip.source(), tcp.source_port),
            destination: SocketAddr::new(packet.ip.destination(), tcp.destination_port),
            sequence: tcp.sequence,
            acknowledgment: tcp.has(Tcp::ACK).then_some(tcp.acknowledgment),
            flags: Flags {
                syn: tcp.has(Tcp::SYN),
                fin: tcp.has(Tcp::FIN),
                rst: tcp.has(Tcp::RST),
                psh: tcp.has(Tcp::PSH),
            },
            window: tcp.window,
            window_scale: None,
            max_segment_size: None,
            sack_permitted: false,
            sack: [None; 3],
            timestamps: None,
            len: tcp.len,
        };
        for option in tcp.options() {
            match option {
                TcpOption::MaxSegmentSize(size) => segment.max_segment_size = Some(size),
                // RFC 7323 §2.3: more than 14 is taken for 14.
                TcpOption::WindowScale(shift) => segment.window_scale = Some(shift.min(14)),
                TcpOption::SackPermitted => segment.sack_permitted = true,
                TcpOption::Sack(blocks) => {
                    for (here, block) in segment.sack.iter_mut().zip(blocks.iter()) {
                        *here = Some(block);
                    }
                }
                TcpOption::Timestamps { value, echo } => segment.timestamps = Some((value, echo)),
                _ => {}
            }
        }
        Some(segment)
    }

    /// Sequence numbers it takes up: payload, SYN and FIN (RFC 9293 §3.4).
    pub fn sequence_len(&self) -> u32 {
        self.len + u32::from(self.flags.syn) + u32::from(self.flags.fin)
    }
}
