//! Frames for hosts that should not have to see them.

use glasstack::smoltcp::wire::{
    EthernetProtocol, Icmpv4Packet, Icmpv6Packet, IpAddress, IpProtocol, Ipv4Packet, Ipv6Packet,
    TcpPacket, UdpPacket,
};

/// Octets of an Ethernet header.
pub(crate) const ETHERNET: usize = 14;
const IPV4: usize = 20;
const IPV6: usize = 40;

fn is_v4(frame: &[u8]) -> bool {
    frame.get(12..14) == Some(&u16::from(EthernetProtocol::Ipv4).to_be_bytes())
}

fn is_v6(frame: &[u8]) -> bool {
    frame.get(12..14) == Some(&u16::from(EthernetProtocol::Ipv6).to_be_bytes())
}

/// Where an IPv6 packet's transport begins and what it is, behind a hop-by-hop header if there is one.
fn v6_transport(packet: &[u8]) -> Option<(usize, u8)> {
    match *packet.get(6)? {
        0 => Some((
            IPV6 + 8 + 8 * usize::from(*packet.get(IPV6 + 1)?),
            *packet.get(IPV6)?,
        )),
        protocol => Some((IPV6, protocol)),
    }
}

/// Where the transport header of an Ethernet frame begins.
pub(crate) fn transport_offset(frame: &[u8]) -> Option<usize> {
    let packet = frame.get(ETHERNET..)?;
    if is_v4(frame) {
        Some(ETHERNET + usize::from(packet.first()? & 0x0f) * 4)
    } else if is_v6(frame) {
        Some(ETHERNET + v6_transport(packet)?.0)
    } else {
        None
    }
}

/// Where a TCP header begins, if the frame has one.
pub(crate) fn tcp_offset(frame: &[u8]) -> Option<usize> {
    let packet = frame.get(ETHERNET..)?;
    let protocol = if is_v4(frame) {
        *packet.get(9)?
    } else if is_v6(frame) {
        v6_transport(packet)?.1
    } else {
        return None;
    };
    let offset = transport_offset(frame)?;
    (protocol == 6 && frame.len() >= offset + 20).then_some(offset)
}

/// Makes every checksum of a frame right again, as far as its lengths allow: a forger is not stopped by them.
pub(crate) fn fix_checksums(frame: &mut [u8]) {
    let (v4, v6) = (is_v4(frame), is_v6(frame));
    let Some(packet) = frame.get_mut(ETHERNET..) else {
        return;
    };
    let (source, destination, protocol, range);
    if v4 {
        let Ok(mut ip) = Ipv4Packet::new_checked(&mut *packet) else {
            return;
        };
        ip.fill_checksum();
        source = IpAddress::from(ip.src_addr());
        destination = IpAddress::from(ip.dst_addr());
        protocol = ip.next_header();
        range = usize::from(ip.header_len())..usize::from(ip.total_len());
    } else if v6 {
        let Ok(ip) = Ipv6Packet::new_checked(&*packet) else {
            return;
        };
        source = IpAddress::from(ip.src_addr());
        destination = IpAddress::from(ip.dst_addr());
        let end = ip.total_len();
        let Some((start, number)) = v6_transport(packet) else {
            return;
        };
        protocol = IpProtocol::from(number);
        range = start..end;
    } else {
        return;
    }
    let Some(transport) = packet.get_mut(range) else {
        return;
    };
    match (protocol, source, destination) {
        (IpProtocol::Tcp, ..) => {
            if let Ok(mut segment) = TcpPacket::new_checked(transport) {
                segment.fill_checksum(&source, &destination);
            }
        }
        (IpProtocol::Udp, ..) => {
            if let Ok(mut datagram) = UdpPacket::new_checked(transport) {
                datagram.fill_checksum(&source, &destination);
            }
        }
        (IpProtocol::Icmp, ..) => {
            if let Ok(mut message) = Icmpv4Packet::new_checked(transport) {
                message.fill_checksum();
            }
        }
        (IpProtocol::Icmpv6, IpAddress::Ipv6(source), IpAddress::Ipv6(destination))
            if transport.len() >= 4 =>
        {
            Icmpv6Packet::new_unchecked(transport).fill_checksum(&source, &destination);
        }
        _ => {}
    }
}

/// An Ethernet frame between two of the hosts, with right lengths and checksums; IPv6 if `v6`.
pub(crate) fn packet(
    v6: bool,
    from: u8,
    to: u8,
    protocol: IpProtocol,
    transport: &[u8],
) -> Vec<u8> {
    let mut frame = vec![2, 0, 0, 0, 0, to, 2, 0, 0, 0, 0, from];
    if v6 {
        frame.extend([0x86, 0xdd, 0x60, 0, 0, 0]);
        frame.extend((transport.len() as u16).to_be_bytes());
        frame.extend([protocol.into(), 64]);
        for last in [from, to] {
            frame.extend([0xfd, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, last]);
        }
    } else {
        frame.extend([0x08, 0x00, 0x45, 0]);
        frame.extend(((IPV4 + transport.len()) as u16).to_be_bytes());
        frame.extend([
            0,
            0,
            0,
            0,
            64,
            protocol.into(),
            0,
            0,
            10,
            0,
            0,
            from,
            10,
            0,
            0,
            to,
        ]);
    }
    frame.extend(transport);
    fix_checksums(&mut frame);
    frame
}

/// A UDP datagram's transport part; its checksum is filled in by [`packet`].
pub(crate) fn udp(from: u16, to: u16, payload: &[u8]) -> Vec<u8> {
    let mut datagram = Vec::new();
    datagram.extend(from.to_be_bytes());
    datagram.extend(to.to_be_bytes());
    datagram.extend(((8 + payload.len()) as u16).to_be_bytes());
    datagram.extend([0, 0]);
    datagram.extend(payload);
    datagram
}

/// An ICMP error from `from` that quotes what `to` has sent.
pub(crate) fn icmp_error(quoted: &[u8], from: u8, to: u8, kind: u8, code: u8) -> Option<Vec<u8>> {
    let mut message = vec![kind, code, 0, 0, 0, 0, 0, 0];
    let quote = quoted.get(ETHERNET..)?;
    message.extend(&quote[..quote.len().min(500)]);
    if is_v4(quoted) {
        Some(packet(false, from, to, IpProtocol::Icmp, &message))
    } else if is_v6(quoted) {
        Some(packet(true, from, to, IpProtocol::Icmpv6, &message))
    } else {
        None
    }
}

/// A frame's packet cut in two fragments at about the octet `at` of its payload, the second beginning `overlap` units
/// of eight octets too early.
pub(crate) fn fragments(frame: &[u8], at: usize, overlap: usize, id: u16) -> Option<[Vec<u8>; 2]> {
    let packet = frame.get(ETHERNET..)?;
    let (v4, v6) = (is_v4(frame), is_v6(frame));
    let header = match (v4, v6) {
        (true, _) => usize::from(packet.first()? & 0x0f) * 4,
        (_, true) => IPV6,
        _ => return None,
    };
    let payload = packet.get(header..)?;
    let cut = (at % payload.len().max(1))
        .next_multiple_of(8)
        .min(payload.len() & !7);
    let start = cut.saturating_sub(overlap * 8);
    let part = |offset: usize, bytes: &[u8], more: bool| {
        let mut out = frame[..ETHERNET].to_vec();
        let word = (offset / 8) as u16;
        if v4 {
            out.extend(&packet[..header]);
            let ip = &mut out[ETHERNET..];
            ip[2..4].copy_from_slice(&((header + bytes.len()) as u16).to_be_bytes());
            ip[4..6].copy_from_slice(&id.to_be_bytes());
            ip[6..8].copy_from_slice(&(word | u16::from(more) << 13).to_be_bytes());
        } else {
            out.extend(&packet[..header]);
            let next = std::mem::replace(&mut out[ETHERNET + 6], 44);
            out[ETHERNET + 4..ETHERNET + 6]
                .copy_from_slice(&((8 + bytes.len()) as u16).to_be_bytes());
            out.extend([next, 0]);
            out.extend((word << 3 | u16::from(more)).to_be_bytes());
            out.extend([0, 0]);
            out.extend(id.to_be_bytes());
        }
        out.extend(bytes);
        // The checksum of an IPv4 header needs the whole packet in place.
        if v4 && let Ok(mut ip) = Ipv4Packet::new_checked(&mut out[ETHERNET..]) {
            ip.fill_checksum();
        }
        out
    };
    Some([
        part(0, &payload[..cut], true),
        part(start, &payload[start..], false),
    ])
}
