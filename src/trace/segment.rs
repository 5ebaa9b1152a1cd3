//! A TCP segment as it is on the wire: what a frame says of it, and nothing that a frame does not say.

use core::net::{IpAddr, SocketAddr};

use smoltcp::time::Instant;
#[cfg(feature = "ipv4")]
use smoltcp::wire::Ipv4Packet;
#[cfg(feature = "ipv6")]
use smoltcp::wire::Ipv6Packet;
use smoltcp::wire::{EthernetFrame, EthernetProtocol, IpProtocol, TcpOption, TcpPacket};

use super::Medium;

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
    /// The window scale option (RFC 7323 §2.2), which only a SYN has.
    pub window_scale: Option<u8>,
    /// The maximum segment size option, which only a SYN has.
    pub max_segment_size: Option<u16>,
    /// SACK is permitted (RFC 2018 §2), which only a SYN says.
    pub sack_permitted: bool,
    /// The blocks of a SACK option (RFC 2018 §3).
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
    /// The TCP segment in a frame, where there is one: whole, not a fragment. Checksums are not looked at.
    pub fn parse(time: Instant, medium: Medium, frame: &[u8]) -> Option<Segment> {
        let packet = match medium {
            Medium::Ethernet => {
                let frame = EthernetFrame::new_checked(frame).ok()?;
                let is_ip = matches!(
                    frame.ethertype(),
                    EthernetProtocol::Ipv4 | EthernetProtocol::Ipv6
                );
                is_ip.then(|| frame.payload())?
            }
            _ => frame,
        };
        match packet.first()? >> 4 {
            #[cfg(feature = "ipv4")]
            4 => {
                let packet = Ipv4Packet::new_checked(packet).ok()?;
                let is_whole = !packet.more_frags() && packet.frag_offset() == 0;
                if !is_whole || packet.next_header() != IpProtocol::Tcp {
                    return None;
                }
                let (source, destination) = (packet.src_addr().into(), packet.dst_addr().into());
                Self::parse_tcp(time, source, destination, packet.payload())
            }
            #[cfg(feature = "ipv6")]
            6 => {
                let packet = Ipv6Packet::new_checked(packet).ok()?;
                if packet.next_header() != IpProtocol::Tcp {
                    return None;
                }
                let (source, destination) = (packet.src_addr().into(), packet.dst_addr().into());
                Self::parse_tcp(time, source, destination, packet.payload())
            }
            _ => None,
        }
    }

    fn parse_tcp(
        time: Instant,
        source: IpAddr,
        destination: IpAddr,
        transport: &[u8],
    ) -> Option<Segment> {
        let packet = TcpPacket::new_checked(transport).ok()?;
        let mut segment = Segment {
            time,
            source: SocketAddr::new(source, packet.src_port()),
            destination: SocketAddr::new(destination, packet.dst_port()),
            sequence: packet.seq_number().0 as u32,
            acknowledgment: packet.ack().then(|| packet.ack_number().0 as u32),
            flags: Flags {
                syn: packet.syn(),
                fin: packet.fin(),
                rst: packet.rst(),
                psh: packet.psh(),
            },
            window: packet.window_len(),
            window_scale: None,
            max_segment_size: None,
            sack_permitted: false,
            sack: [None; 3],
            timestamps: None,
            len: packet.payload().len() as u32,
        };
        let mut options = packet.options();
        while let Ok((rest, option)) = TcpOption::parse(options) {
            match option {
                TcpOption::EndOfList => break,
                TcpOption::MaxSegmentSize(size) => segment.max_segment_size = Some(size),
                TcpOption::WindowScale(shift) => segment.window_scale = Some(shift),
                TcpOption::SackPermitted => segment.sack_permitted = true,
                TcpOption::SackRange(blocks) => segment.sack = blocks,
                TcpOption::TimeStamp { tsval, tsecr } => segment.timestamps = Some((tsval, tsecr)),
                _ => {}
            }
            if rest.is_empty() {
                break;
            }
            options = rest;
        }
        Some(segment)
    }

    /// Sequence numbers it takes up: payload, SYN and FIN (RFC 9293 §3.4).
    pub fn sequence_len(&self) -> u32 {
        self.len + u32::from(self.flags.syn) + u32::from(self.flags.fin)
    }
}
