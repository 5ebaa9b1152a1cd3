//! What the file's writer has to know of a frame: its conversation, and the segment in it.

use core::net::{IpAddr, SocketAddr};

#[cfg(feature = "ipv4")]
use smoltcp::wire::Ipv4Packet;
#[cfg(feature = "ipv6")]
use smoltcp::wire::Ipv6Packet;
use smoltcp::wire::{EthernetFrame, IpProtocol, UdpPacket};

use crate::trace::{Direction, Event, Flow, Medium, Protocol, Segment};

/// A frame as it was seen at one place.
pub(super) struct Seen {
    /// The event's own, or what the frame says.
    pub(super) flow: Option<Flow>,
    pub(super) segment: Option<Segment>,
}

impl Seen {
    pub(super) fn parse(
        event: &Event<'_>,
        medium: Medium,
        direction: Direction,
        bytes: &[u8],
    ) -> Seen {
        let segment = Segment::parse(event.time, medium, bytes);
        let flow = event.flow.or_else(|| {
            let (protocol, source, destination) = match &segment {
                Some(segment) => (Protocol::Tcp, segment.source, segment.destination),
                None => {
                    let (source, destination) = datagram(medium, bytes)?;
                    (Protocol::Udp, source, destination)
                }
            };
            let (local, remote) = match direction {
                Direction::In => (destination, source),
                Direction::Out => (source, destination),
            };
            Some(Flow {
                protocol,
                local,
                remote,
            })
        });
        Seen { flow, segment }
    }
}

/// A UDP datagram's source and destination, where the frame is one: whole, or its first fragment.
fn datagram(medium: Medium, bytes: &[u8]) -> Option<(SocketAddr, SocketAddr)> {
    let packet = match medium {
        Medium::Ethernet => EthernetFrame::new_checked(bytes).ok()?.payload(),
        _ => bytes,
    };
    let (source, destination, transport): (IpAddr, IpAddr, _) = match packet.first()? >> 4 {
        #[cfg(feature = "ipv4")]
        4 => {
            let packet = Ipv4Packet::new_checked(packet).ok()?;
            let is_first = packet.frag_offset() == 0;
            let is_udp = packet.next_header() == IpProtocol::Udp;
            (is_first && is_udp).then(|| {
                let (source, destination) = (packet.src_addr(), packet.dst_addr());
                (source.into(), destination.into(), packet.payload())
            })?
        }
        #[cfg(feature = "ipv6")]
        6 => {
            let packet = Ipv6Packet::new_checked(packet).ok()?;
            (packet.next_header() == IpProtocol::Udp).then(|| {
                let (source, destination) = (packet.src_addr(), packet.dst_addr());
                (source.into(), destination.into(), packet.payload())
            })?
        }
        _ => return None,
    };
    // A fragment is shorter than its header says: only the ports matter.
    let ports = UdpPacket::new_unchecked(transport.get(..8)?);
    Some((
        SocketAddr::new(source, ports.src_port()),
        SocketAddr::new(destination, ports.dst_port()),
    ))
}
