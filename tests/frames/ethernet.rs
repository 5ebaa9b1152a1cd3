//! Ethernet frames, and how neighbors are asked for their address: ARP (RFC 826) and Neighbor Discovery (RFC 4861).

use std::net::IpAddr;

use super::packet::{self, Packet};

pub(crate) type Mac = [u8; 6];

pub(crate) const BROADCAST: Mac = [0xff; 6];

/// The hardware address of the neighbor that has this address, by convention of these tests.
pub(crate) fn mac_of(address: IpAddr) -> Mac {
    match address {
        IpAddr::V4(v4) => {
            let [_, b, c, d] = v4.octets();
            [2, 4, 0, b, c, d]
        }
        IpAddr::V6(v6) => {
            let octets = v6.octets();
            [2, 6, octets[1], octets[7], octets[14], octets[15]]
        }
    }
}

pub(crate) fn frame(from: Mac, to: Mac, packet: &[u8]) -> Vec<u8> {
    let ethertype = if packet[0] >> 4 == 4 {
        [0x08, 0x00]
    } else {
        [0x86, 0xdd]
    };
    [&to[..], &from, &ethertype, packet].concat()
}

/// What a host has sent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Sent {
    /// "Who has this address?"
    Request(IpAddr),
    /// A report on its groups, for routers (RFC 3810 §5.2).
    Report,
    /// An IP packet, and the station it is for.
    Packet(Mac, Packet),
}

pub(crate) fn read(frame: &[u8]) -> Sent {
    if frame[12..14] == [0x08, 0x06] {
        let target: [u8; 4] = frame[38..42].try_into().unwrap();
        return Sent::Request(target.into());
    }
    if frame[..6] == [0x33, 0x33, 0, 0, 0, 0x16] {
        return Sent::Report;
    }
    let packet = Packet::read(&frame[14..]);
    if packet.protocol == packet::ICMPV6 && packet.payload[0] == 135 {
        let target: [u8; 16] = packet.payload[8..24].try_into().unwrap();
        return Sent::Request(target.into());
    }
    Sent::Packet(frame[..6].try_into().unwrap(), packet)
}

/// The neighbor's answer to a host that asked for `neighbor`.
pub(crate) fn answer(host: IpAddr, host_mac: Mac, neighbor: IpAddr) -> Vec<u8> {
    let mac = mac_of(neighbor);
    match (host, neighbor) {
        (IpAddr::V4(host), IpAddr::V4(neighbor)) => {
            let header = [
                &host_mac[..],
                &mac,
                &[0x08, 0x06, 0, 1, 0x08, 0, 6, 4, 0, 2],
            ]
            .concat();
            [
                &header[..],
                &mac,
                &neighbor.octets(),
                &host_mac,
                &host.octets(),
            ]
            .concat()
        }
        (_, IpAddr::V6(v6)) => {
            // Solicited, override; the option is the target's link-layer address.
            let body = [&[0x60, 0, 0, 0][..], &v6.octets(), &[2, 1], &mac].concat();
            let mut packet = packet::icmp(neighbor, host, 136, 0, &body);
            packet[7] = 255; // RFC 4861 §7.1.2
            frame(mac, host_mac, &packet)
        }
        _ => unreachable!("neighbors speak one family"),
    }
}
