//! Packets: building them, cutting them into fragments, reading them.

use std::net::{IpAddr, SocketAddr};

pub(crate) const ICMP: u8 = 1;
pub(crate) const TCP: u8 = 6;
pub(crate) const UDP: u8 = 17;
pub(crate) const ICMPV6: u8 = 58;
const IPV6_FRAGMENT: u8 = 44;

pub(crate) const FIN: u8 = 0x01;
pub(crate) const SYN: u8 = 0x02;
pub(crate) const RST: u8 = 0x04;
pub(crate) const ACK: u8 = 0x10;

/// RFC 1071.
pub(crate) fn checksum(parts: &[&[u8]]) -> u16 {
    let octets: Vec<u8> = parts.concat();
    let mut sum = 0u32;
    for pair in octets.chunks(2) {
        sum += u32::from(u16::from_be_bytes([pair[0], *pair.get(1).unwrap_or(&0)]));
    }
    while sum > 0xffff {
        sum = (sum & 0xffff) + (sum >> 16);
    }
    !(sum as u16)
}

fn octets(address: IpAddr) -> Vec<u8> {
    match address {
        IpAddr::V4(v4) => v4.octets().to_vec(),
        IpAddr::V6(v6) => v6.octets().to_vec(),
    }
}

/// The checksum that covers the addresses, too.
fn transport_checksum(source: IpAddr, destination: IpAddr, protocol: u8, data: &[u8]) -> u16 {
    let len = (data.len() as u32).to_be_bytes();
    let pseudo = [&len[..], &[0, 0, 0, protocol]].concat();
    checksum(&[&octets(source), &octets(destination), &pseudo, data])
}

/// An IP packet with a hop limit of 64.
pub(crate) fn ip(source: IpAddr, destination: IpAddr, protocol: u8, payload: &[u8]) -> Vec<u8> {
    let mut header;
    if source.is_ipv4() {
        header = vec![0x45, 0, 0, 0, 0, 0, 0x40, 0, 64, protocol, 0, 0];
        header.extend([octets(source), octets(destination)].concat());
        let total = (header.len() + payload.len()) as u16;
        header[2..4].copy_from_slice(&total.to_be_bytes());
        let sum = checksum(&[&header]);
        header[10..12].copy_from_slice(&sum.to_be_bytes());
    } else {
        header = vec![0x60, 0, 0, 0, 0, 0, protocol, 64];
        header[4..6].copy_from_slice(&(payload.len() as u16).to_be_bytes());
        header.extend([octets(source), octets(destination)].concat());
    }
    [header, payload.to_vec()].concat()
}

pub(crate) fn udp(from: SocketAddr, to: SocketAddr, payload: &[u8]) -> Vec<u8> {
    let mut datagram = [from.port(), to.port(), 8 + payload.len() as u16, 0]
        .iter()
        .flat_map(|word| word.to_be_bytes())
        .collect::<Vec<_>>();
    datagram.extend(payload);
    let sum = transport_checksum(from.ip(), to.ip(), UDP, &datagram);
    datagram[6..8].copy_from_slice(&sum.to_be_bytes());
    ip(from.ip(), to.ip(), UDP, &datagram)
}

/// A segment's fields.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Segment {
    pub(crate) flags: u8,
    pub(crate) seq: u32,
    pub(crate) ack: u32,
    pub(crate) options: Vec<u8>,
    pub(crate) data: Vec<u8>,
}

impl Segment {
    pub(crate) fn new(flags: u8, seq: u32, ack: u32) -> Segment {
        Segment {
            flags,
            seq,
            ack,
            ..Segment::default()
        }
    }

    pub(crate) fn packet(&self, from: SocketAddr, to: SocketAddr) -> Vec<u8> {
        let mut segment = [from.port().to_be_bytes(), to.port().to_be_bytes()].concat();
        segment.extend(self.seq.to_be_bytes());
        segment.extend(self.ack.to_be_bytes());
        let header_len = 20 + self.options.len() as u8;
        segment.extend([header_len << 2, self.flags, 0xff, 0xff, 0, 0, 0, 0]);
        segment.extend(&self.options);
        segment.extend(&self.data);
        let sum = transport_checksum(from.ip(), to.ip(), TCP, &segment);
        segment[16..18].copy_from_slice(&sum.to_be_bytes());
        ip(from.ip(), to.ip(), TCP, &segment)
    }
}

/// An ICMP or ICMPv6 message from one host to another, by the family of their addresses.
pub(crate) fn icmp(
    source: IpAddr,
    destination: IpAddr,
    kind: u8,
    code: u8,
    body: &[u8],
) -> Vec<u8> {
    let mut message = [&[kind, code, 0, 0], body].concat();
    let protocol = if source.is_ipv4() { ICMP } else { ICMPV6 };
    let sum = if source.is_ipv4() {
        checksum(&[&message])
    } else {
        transport_checksum(source, destination, ICMPV6, &message)
    };
    message[2..4].copy_from_slice(&sum.to_be_bytes());
    ip(source, destination, protocol, &message)
}

/// The error that `router` sends to whoever sent `packet`.
pub(crate) fn icmp_error(router: IpAddr, kind: u8, code: u8, packet: &[u8]) -> Vec<u8> {
    let read = Packet::read(packet);
    let body = [&[0; 4], packet].concat();
    icmp(router, read.source, kind, code, &body)
}

/// A packet as it was read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Packet {
    pub(crate) source: IpAddr,
    pub(crate) destination: IpAddr,
    pub(crate) protocol: u8,
    pub(crate) payload: Vec<u8>,
}

impl Packet {
    /// What is there of it: an ICMP error quotes no more than the beginning.
    pub(crate) fn read(packet: &[u8]) -> Packet {
        let address = |at: usize, len: usize| -> IpAddr {
            let octets = &packet[at..at + len];
            match <[u8; 4]>::try_from(octets) {
                Ok(v4) => v4.into(),
                Err(_) => <[u8; 16]>::try_from(octets).unwrap().into(),
            }
        };
        if packet[0] >> 4 == 4 {
            let header_len = usize::from(packet[0] & 15) * 4;
            let total = usize::from(u16::from_be_bytes([packet[2], packet[3]]));
            Packet {
                source: address(12, 4),
                destination: address(16, 4),
                protocol: packet[9],
                payload: packet[header_len..total.min(packet.len())].to_vec(),
            }
        } else {
            let len = usize::from(u16::from_be_bytes([packet[4], packet[5]]));
            Packet {
                source: address(8, 16),
                destination: address(24, 16),
                protocol: packet[6],
                payload: packet[40..packet.len().min(40 + len)].to_vec(),
            }
        }
    }

    fn word(&self, at: usize) -> u16 {
        u16::from_be_bytes([self.payload[at], self.payload[at + 1]])
    }

    pub(crate) fn from(&self) -> SocketAddr {
        (self.source, self.word(0)).into()
    }

    pub(crate) fn to(&self) -> SocketAddr {
        (self.destination, self.word(2)).into()
    }

    /// The data of a UDP datagram.
    pub(crate) fn datagram(&self) -> &[u8] {
        assert_eq!(self.protocol, UDP, "{self:?}");
        &self.payload[8..]
    }

    pub(crate) fn segment(&self) -> Segment {
        assert_eq!(self.protocol, TCP, "{self:?}");
        let long = |at: usize| u32::from_be_bytes(self.payload[at..at + 4].try_into().unwrap());
        let header_len = usize::from(self.payload[12] >> 4) * 4;
        Segment {
            seq: long(4),
            ack: long(8),
            flags: self.payload[13],
            options: self.payload[20..header_len].to_vec(),
            data: self.payload[header_len..].to_vec(),
        }
    }

    /// Type and code of an ICMP or ICMPv6 message.
    pub(crate) fn icmp(&self) -> (u8, u8) {
        assert!(matches!(self.protocol, ICMP | ICMPV6), "{self:?}");
        (self.payload[0], self.payload[1])
    }
}

/// One fragment of a packet: `len` octets of what follows its header, from `offset` on.
pub(crate) fn fragment(packet: &[u8], id: u16, offset: usize, len: usize, more: bool) -> Vec<u8> {
    let read = Packet::read(packet);
    let data = &read.payload[offset..offset + len];
    if read.source.is_ipv4() {
        let mut fragment = ip(read.source, read.destination, read.protocol, data);
        let place = (offset / 8) as u16 | u16::from(more) << 13;
        fragment[4..6].copy_from_slice(&id.to_be_bytes());
        fragment[6..8].copy_from_slice(&place.to_be_bytes());
        fragment[10..12].fill(0);
        let sum = checksum(&[&fragment[..20]]);
        fragment[10..12].copy_from_slice(&sum.to_be_bytes());
        fragment
    } else {
        let place = offset as u16 | u16::from(more);
        let mut header = vec![read.protocol, 0];
        header.extend(place.to_be_bytes());
        header.extend(u32::from(id).to_be_bytes());
        ip(
            read.source,
            read.destination,
            IPV6_FRAGMENT,
            &[&header, data].concat(),
        )
    }
}

/// All fragments of a packet, in order, each of `size` octets (a multiple of 8) but the last.
pub(crate) fn fragments(packet: &[u8], id: u16, size: usize) -> Vec<Vec<u8>> {
    let len = Packet::read(packet).payload.len();
    let offsets = (0..len).step_by(size);
    let cut = |offset| {
        let end = len.min(offset + size);
        fragment(packet, id, offset, end - offset, end < len)
    };
    offsets.map(cut).collect()
}
