//! An IP packet of either family, and the transport that it carries.

use core::{
    fmt::{self, Display},
    net::IpAddr,
};

use super::checksum::{Checksum, Sum};
use super::icmpv4::Icmpv4;
use super::icmpv6::Icmpv6;
use super::igmp::Igmp;
use super::info::{self, Numbers};
use super::ipv4::Ipv4;
use super::ipv6::{Ipv6, is_extension};
use super::octets::u16_at;
use super::tcp::Tcp;
use super::udp::Udp;

const ICMP: u8 = 1;
const IGMP: u8 = 2;
const TCP: u8 = 6;
const UDP: u8 = 17;
const ICMPV6: u8 = 58;
const NO_NEXT_HEADER: u8 = 59;

/// An IP packet: of a frame, or quoted in an ICMP error. Its `Display` is its line.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Packet<'f> {
    /// Its header.
    pub ip: Ip<'f>,
    /// What it carries.
    pub transport: Transport<'f>,
    body: &'f [u8],
    body_len: usize,
}

/// An IP header.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ip<'f> {
    /// IPv4.
    V4(Ipv4<'f>),
    /// IPv6 with its extension headers.
    V6(Ipv6<'f>),
}

/// Where a piece belongs in the packet that was cut.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Fragment {
    /// Octets before it.
    pub offset: u32,
    /// Others follow.
    pub more: bool,
    /// The number that pieces of one packet share.
    pub identification: u32,
}

/// What an IP packet carries.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Transport<'f> {
    /// A TCP segment.
    Tcp(Tcp<'f>),
    /// A UDP datagram.
    Udp(Udp<'f>),
    /// An ICMP message for IPv4.
    Icmpv4(Icmpv4<'f>),
    /// An ICMP message for IPv6.
    Icmpv6(Icmpv6<'f>),
    /// An IGMP message.
    Igmp(Igmp<'f>),
    /// A piece of something.
    Fragment(&'f [u8]),
    /// Another protocol, which [`Ip::protocol`] names.
    Other(&'f [u8]),
    /// The transport's header is not whole; an ICMP error need not quote more than its ports.
    Malformed {
        /// Source and destination, where they are here.
        ports: Option<(u16, u16)>,
    },
}

impl<'f> Ip<'f> {
    /// Who sent it.
    pub fn source(&self) -> IpAddr {
        match self {
            Ip::V4(ip) => ip.source.into(),
            Ip::V6(ip) => ip.source.into(),
        }
    }

    /// Whom it is for.
    pub fn destination(&self) -> IpAddr {
        match self {
            Ip::V4(ip) => ip.destination.into(),
            Ip::V6(ip) => ip.destination.into(),
        }
    }

    /// The number of the protocol that it carries, behind all extension headers.
    pub fn protocol(&self) -> u8 {
        match self {
            Ip::V4(ip) => ip.protocol,
            Ip::V6(ip) => ip.protocol,
        }
    }

    /// Hops that it may still go.
    pub fn hop_limit(&self) -> u8 {
        match self {
            Ip::V4(ip) => ip.time_to_live,
            Ip::V6(ip) => ip.hop_limit,
        }
    }

    /// Where it is a piece of a packet.
    pub fn fragment(&self) -> Option<Fragment> {
        match self {
            Ip::V4(ip) => ip.fragment,
            Ip::V6(ip) => ip.fragment,
        }
    }

    /// The header's own checksum, which IPv6 does not have.
    pub fn checksum(&self) -> Checksum {
        match self {
            Ip::V4(ip) => ip.checksum(),
            Ip::V6(_) => Checksum::NotChecked,
        }
    }

    fn name(&self) -> &'static str {
        match self {
            Ip::V4(_) => "IPv4",
            Ip::V6(_) => "IPv6",
        }
    }
}

impl<'f> Packet<'f> {
    /// A packet that was `wire_len` octets long on the wire, of which `octets` are here.
    pub(in crate::trace) fn parse(octets: &'f [u8], wire_len: usize) -> Option<Packet<'f>> {
        let (ip, body, body_len) = match octets.first()? >> 4 {
            4 => {
                let (ip, body, body_len) = Ipv4::parse(octets, wire_len)?;
                (Ip::V4(ip), body, body_len)
            }
            _ => {
                let (ip, body, body_len) = Ipv6::parse(octets, wire_len)?;
                (Ip::V6(ip), body, body_len)
            }
        };
        let transport = match ip.fragment() {
            Some(_) => Transport::Fragment(body),
            None => Transport::parse(&ip, body, body_len),
        };
        Some(Packet {
            ip,
            transport,
            body,
            body_len,
        })
    }

    /// A packet in an ICMP error, which says how long it was and is mostly cut.
    pub(super) fn quoted(octets: &'f [u8]) -> Option<Packet<'f>> {
        const LONGEST: usize = 40 + u16::MAX as usize;
        Packet::parse(octets, LONGEST)
    }

    /// The protocol's name, as Wireshark has it.
    pub fn protocol(&self) -> &'static str {
        match &self.transport {
            Transport::Tcp(_) => "TCP",
            Transport::Udp(udp) => udp.protocol(),
            Transport::Icmpv4(_) => "ICMP",
            Transport::Icmpv6(_) => "ICMPv6",
            Transport::Igmp(igmp) => igmp.protocol(),
            Transport::Fragment(_) | Transport::Other(_) => self.ip.name(),
            Transport::Malformed { .. } => match self.ip.protocol() {
                TCP => "TCP",
                UDP => "UDP",
                ICMP => "ICMP",
                IGMP => "IGMP",
                ICMPV6 => "ICMPv6",
                _ => self.ip.name(),
            },
        }
    }

    /// Source and destination port, where the transport has them.
    pub fn ports(&self) -> Option<(u16, u16)> {
        match &self.transport {
            Transport::Tcp(tcp) => Some((tcp.source_port, tcp.destination_port)),
            Transport::Udp(udp) => Some((udp.source_port, udp.destination_port)),
            Transport::Malformed { ports } => *ports,
            _ => None,
        }
    }

    /// The transport's checksum, computed now.
    pub fn transport_checksum(&self) -> Checksum {
        let covered = match &self.transport {
            // A UDP datagram may be shorter than its packet.
            Transport::Udp(udp) if udp.is_length_right() => usize::from(udp.length),
            _ => self.body_len,
        };
        let is_source_routed = matches!(self.ip, Ip::V6(ip) if ip.is_source_routed);
        let (Some(octets), false) = (self.body.get(..covered), is_source_routed) else {
            return Checksum::NotChecked;
        };
        match (&self.transport, &self.ip) {
            (Transport::Udp(udp), Ip::V4(_)) if udp.checksum == 0 => return Checksum::NotChecked,
            // RFC 8200 §8.1: not an option here.
            (Transport::Udp(udp), Ip::V6(_)) if udp.checksum == 0 => return Checksum::Wrong,
            (Transport::Udp(udp), _) if !udp.is_length_right() => return Checksum::NotChecked,
            _ => {}
        }
        let pseudo_header = match &self.transport {
            Transport::Icmpv4(_) | Transport::Igmp(_) => Sum::ZERO,
            Transport::Tcp(_) | Transport::Udp(_) | Transport::Icmpv6(_) => Sum::pseudo_header(
                self.ip.source(),
                self.ip.destination(),
                self.ip.protocol(),
                covered as u32,
            ),
            _ => return Checksum::NotChecked,
        };
        Checksum::of(pseudo_header.add(octets))
    }

    pub(super) fn info(&self, f: &mut fmt::Formatter<'_>, numbers: Option<Numbers>) -> fmt::Result {
        match &self.transport {
            Transport::Tcp(tcp) => tcp.info(f, numbers),
            Transport::Udp(udp) => udp.info(f),
            Transport::Icmpv4(icmp) => icmp.info(f, self.ip.hop_limit()),
            Transport::Icmpv6(icmp) => icmp.info(f, self.ip.hop_limit()),
            Transport::Igmp(igmp) => igmp.fmt(f),
            Transport::Fragment(_) => self.fragment_info(f),
            Transport::Other(_) if self.ip.protocol() == NO_NEXT_HEADER => {
                f.write_str("IPv6 no next header")
            }
            Transport::Other(_) => {
                let number = self.ip.protocol();
                write!(f, "{} ({number})", protocol_name(number))
            }
            Transport::Malformed { ports } => {
                if let Some((source, destination)) = *ports {
                    info::ports(f, source, destination)?;
                    f.write_str(" ")?;
                }
                f.write_str(info::MALFORMED)
            }
        }
    }

    fn fragment_info(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Some(fragment) = self.ip.fragment() else {
            return Ok(());
        };
        let Fragment {
            offset,
            identification,
            ..
        } = fragment;
        let number = self.ip.protocol();
        match self.ip {
            Ip::V4(_) => write!(
                f,
                "Fragmented IP protocol (proto={} {number}, off={offset}, ID={identification:04x})",
                protocol_name(number),
            ),
            Ip::V6(_) => {
                let more = if fragment.more { "y" } else { "n" };
                write!(
                    f,
                    "IPv6 fragment (off={offset} more={more} ident=0x{identification:08x} nxt={number})"
                )
            }
        }
    }
}

impl fmt::Display for Packet<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        info::line(f, &|f: &mut fmt::Formatter<'_>| self.info(f, None))
    }
}

impl<'f> Transport<'f> {
    fn parse(ip: &Ip<'f>, body: &'f [u8], body_len: usize) -> Transport<'f> {
        let parsed = match (ip.protocol(), ip) {
            (TCP, _) => Tcp::parse(body, body_len).map(Transport::Tcp),
            (UDP, _) => Udp::parse(body, body_len).map(Transport::Udp),
            (ICMP, Ip::V4(_)) => Icmpv4::parse(body).map(Transport::Icmpv4),
            (IGMP, Ip::V4(_)) => Igmp::parse(body).map(Transport::Igmp),
            (ICMPV6, Ip::V6(_)) => Icmpv6::parse(body).map(Transport::Icmpv6),
            // The walk over them ended at one that is not whole.
            (number, Ip::V6(_)) if is_extension(number) => None,
            _ => return Transport::Other(body),
        };
        let has_ports = matches!(ip.protocol(), TCP | UDP);
        parsed.unwrap_or(Transport::Malformed {
            ports: u16_at(body, 0).zip(u16_at(body, 2)).filter(|_| has_ports),
        })
    }
}

/// The name of a protocol's number (IANA, "Protocol Numbers"), for those that are met.
fn protocol_name(number: u8) -> &'static str {
    match number {
        0 => "IPv6 hop-by-hop options",
        ICMP => "ICMP",
        IGMP => "IGMP",
        4 => "IPIP",
        TCP => "TCP",
        UDP => "UDP",
        41 => "IPv6",
        43 => "IPv6 routing header",
        44 => "IPv6 fragment header",
        47 => "GRE",
        50 => "ESP",
        51 => "AH",
        ICMPV6 => "ICMPv6",
        NO_NEXT_HEADER => "No Next Header for IPv6",
        60 => "IPv6 destination options",
        89 => "OSPF",
        103 => "PIM",
        112 => "VRRP",
        132 => "SCTP",
        136 => "UDPlite",
        _ => "Unknown",
    }
}
