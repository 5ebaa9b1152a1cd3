//! What the heart writes into a finished packet of smoltcp's as it leaves: smoltcp knows no traffic class, and offers whatever
//! room its buffer has. Checksums are brought up to date by what changed (RFC 1624), so that one which the device is to fill
//! in is left to it.

use super::frame::TCP;

/// Octets of an IPv4 header without options, and of an IPv6 header.
const IPV4_HEADER: usize = 20;
const IPV6_HEADER: usize = 40;

/// The octet's lower bits are ECN's (RFC 3168 §5).
const ECN: u8 = 0b11;

/// The end of the window that is offered, by number and by the scale of the window field (RFC 7323 §2).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Edge {
    /// The first sequence number beyond it; not known before the peer's first.
    pub(super) end: Option<u32>,
    /// Octets of the window in a SYN, whose acknowledgment, if it has one, is where it begins.
    pub(super) len: u32,
    pub(super) scale: u8,
}

/// What a connection's packets are to say.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Stamp {
    pub(super) traffic_class: u8,
    pub(super) edge: Option<Edge>,
}

impl Stamp {
    /// Stamps a packet that is ready to leave.
    pub(super) fn press(&self, packet: &mut [u8]) {
        mark(packet, self.traffic_class);
        if let Some(edge) = &self.edge {
            narrow(packet, edge);
        }
    }
}

/// Writes the octet of the DSCP and the ECN field: IPv4's type of service, IPv6's traffic class (RFC 2474 §3).
pub(super) fn mark(packet: &mut [u8], traffic_class: u8) {
    match packet {
        [0x40..0x50, ..] => {
            let Some(header) = packet.first_chunk_mut::<IPV4_HEADER>() else {
                return;
            };
            let old = u16::from_be_bytes([header[0], header[1]]);
            header[1] = traffic_class;
            let new = u16::from_be_bytes([header[0], header[1]]);
            let sum = u16::from_be_bytes([header[10], header[11]]);
            [header[10], header[11]] = updated(sum, old, new).to_be_bytes();
        }
        // No checksum covers it.
        [first @ 0x60..0x70, second, ..] => {
            *first = 0x60 | traffic_class >> 4;
            *second = *second & 0x0f | traffic_class << 4;
        }
        _ => {}
    }
}

/// The DSCP of a stream's packets, whose ECN field is TCP's own (RFC 3168 §6.1).
pub(super) fn of_stream(type_of_service: u8) -> u8 {
    type_of_service & !ECN
}

/// Makes the window of a TCP segment end where the edge is, if it would end behind it.
fn narrow(packet: &mut [u8], edge: &Edge) {
    // smoltcp writes its IP headers without options.
    let start = match packet {
        [0x45, _, _, _, _, _, _, _, _, TCP, ..] => IPV4_HEADER,
        [0x60..0x70, _, _, _, _, _, TCP, ..] => IPV6_HEADER,
        _ => return,
    };
    let Some(segment) = packet
        .get_mut(start..)
        .and_then(<[u8]>::first_chunk_mut::<20>)
    else {
        return;
    };
    let is_syn = segment[13] & 0x02 != 0;
    let ack = u32::from_be_bytes([segment[8], segment[9], segment[10], segment[11]]);
    let len = match edge.end {
        Some(end) if !is_syn => (end.wrapping_sub(ack) as i32).max(0) as u32 >> edge.scale,
        // A SYN's window is never scaled (RFC 7323 §2.2).
        _ => edge.len >> if is_syn { 0 } else { edge.scale },
    };
    let old = u16::from_be_bytes([segment[14], segment[15]]);
    let new = old.min(u16::try_from(len).unwrap_or(u16::MAX));
    [segment[14], segment[15]] = new.to_be_bytes();
    let sum = u16::from_be_bytes([segment[16], segment[17]]);
    [segment[16], segment[17]] = updated(sum, old, new).to_be_bytes();
}

/// A checksum, after one of the words that it covers has changed (RFC 1624 §3, equation 3).
fn updated(checksum: u16, old: u16, new: u16) -> u16 {
    if old == new {
        return checksum;
    }
    let mut sum = u32::from(!checksum) + u32::from(!old) + u32::from(new);
    while sum > 0xffff {
        sum = (sum & 0xffff) + (sum >> 16);
    }
    !(sum as u16)
}

#[cfg(test)]
#[allow(clippy::unwrap_used)] // A test may fail.
mod tests {
    extern crate std;
    use super::*;
    use proptest::prelude::*;
    use smoltcp::phy::ChecksumCapabilities;
    #[cfg(feature = "ipv4")]
    use smoltcp::wire::Ipv4Packet;
    #[cfg(feature = "ipv6")]
    use smoltcp::wire::Ipv6Packet;
    use smoltcp::wire::{
        IpAddress, IpProtocol, IpRepr, TcpControl, TcpPacket, TcpRepr, TcpSeqNumber,
    };
    use std::vec;
    use std::vec::Vec;

    /// A packet as smoltcp would write it, and where its segment starts.
    fn packet(
        source: IpAddress,
        destination: IpAddress,
        ack: u32,
        window: u16,
    ) -> (Vec<u8>, usize) {
        let tcp = TcpRepr {
            src_port: 1,
            dst_port: 2,
            control: TcpControl::None,
            seq_number: TcpSeqNumber(7),
            ack_number: Some(TcpSeqNumber(ack as i32)),
            window_len: window,
            window_scale: None,
            max_seg_size: None,
            sack_permitted: false,
            sack_ranges: [None; 3],
            timestamp: None,
            payload: b"hello",
        };
        let ip = IpRepr::new(source, destination, IpProtocol::Tcp, tcp.buffer_len(), 64);
        let mut packet = vec![0; ip.buffer_len()];
        let all = ChecksumCapabilities::default();
        ip.emit(&mut packet[..], &all);
        let start = ip.header_len();
        let mut segment = TcpPacket::new_unchecked(&mut packet[start..]);
        tcp.emit(&mut segment, &source, &destination, &all);
        (packet, start)
    }

    fn ends() -> Vec<(IpAddress, IpAddress)> {
        vec![
            #[cfg(feature = "ipv4")]
            (IpAddress::v4(10, 0, 0, 1), IpAddress::v4(10, 0, 0, 2)),
            #[cfg(feature = "ipv6")]
            (
                IpAddress::v6(0xfd00, 0, 0, 0, 0, 0, 0, 1),
                IpAddress::v6(0xfd00, 0, 0, 0, 0, 0, 0, 2),
            ),
        ]
    }

    fn is_whole(packet: &[u8], start: usize, ends: (IpAddress, IpAddress)) -> bool {
        let header = match packet[0] >> 4 {
            #[cfg(feature = "ipv4")]
            4 => Ipv4Packet::new_checked(packet).unwrap().verify_checksum(),
            _ => true,
        };
        let segment = TcpPacket::new_checked(&packet[start..]).unwrap();
        header && segment.verify_checksum(&ends.0, &ends.1)
    }

    proptest! {
        #[test]
        fn every_class_is_written_and_nothing_else_changes(class in any::<u8>(), again in any::<u8>()) {
            for ends in ends() {
                let (original, start) = packet(ends.0, ends.1, 5, 6);
                let mut marked = original.clone();
                mark(&mut marked, again);
                mark(&mut marked, class);
                prop_assert!(is_whole(&marked, start, ends));
                let read = match marked[0] >> 4 {
                    4 => marked[1],
                    _ => marked[0] << 4 | marked[1] >> 4,
                };
                prop_assert_eq!(read, class);
                mark(&mut marked, 0);
                prop_assert_eq!(marked, original);
            }
        }

        #[test]
        fn the_window_never_ends_behind_the_edge(
            ack in any::<u32>(),
            window in any::<u16>(),
            room in 0..1u32 << 20,
            scale in 0..5u8,
        ) {
            for ends in ends() {
                let (mut packet, start) = packet(ends.0, ends.1, ack, window);
                let edge = Edge { end: Some(ack.wrapping_add(room)), len: 0, scale };
                let stamp = Stamp { traffic_class: 0, edge: Some(edge) };
                stamp.press(&mut packet);
                prop_assert!(is_whole(&packet, start, ends));
                let written = TcpPacket::new_unchecked(&packet[start..]).window_len();
                prop_assert_eq!(u32::from(written), u32::from(window).min(room >> scale));
            }
        }

        #[test]
        fn no_octets_make_it_panic(mut octets in prop::collection::vec(any::<u8>(), 0..80), class in any::<u8>()) {
            let edge = Some(Edge { end: Some(3), len: 9, scale: 2 });
            Stamp { traffic_class: class, edge }.press(&mut octets);
        }
    }

    #[test]
    fn an_edge_that_has_been_passed_leaves_a_window_of_nothing() {
        for ends in ends() {
            let (mut packet, start) = packet(ends.0, ends.1, 100, 1_000);
            let edge = Edge {
                end: Some(99),
                len: 50,
                scale: 0,
            };
            narrow(&mut packet, &edge);
            assert_eq!(TcpPacket::new_unchecked(&packet[start..]).window_len(), 0);
        }
    }

    #[test]
    #[cfg(feature = "ipv6")]
    fn the_flow_label_stays() {
        let mut header = [0x60, 0x0a, 0xbc, 0xde];
        mark(&mut header, 0xb8);
        assert_eq!(header, [0x6b, 0x8a, 0xbc, 0xde]);
        let packet = Ipv6Packet::new_unchecked(&header);
        assert_eq!(
            (packet.traffic_class(), packet.flow_label()),
            (0xb8, 0xa_bcde)
        );
    }
}
