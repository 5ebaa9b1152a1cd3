//! A frame taken apart: its layers, and the line that Wireshark would show for it.
//!
//! ```
//! use glasstack::trace::{Medium, dissect::Dissection};
//!
//! let frame = [
//!     0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 2, 0, 0, 0, 0, 1, 0x08, 0x06, // Ethernet
//!     0, 1, 0x08, 0, 6, 4, 0, 1, // ARP request
//!     2, 0, 0, 0, 0, 1, 10, 0, 0, 1, // sender
//!     0, 0, 0, 0, 0, 0, 10, 0, 0, 2, // target
//! ];
//! let dissection = Dissection::parse(Medium::Ethernet, &frame);
//! assert_eq!(dissection.protocol(), "ARP");
//! assert_eq!(dissection.to_string(), "Who has 10.0.0.2? Tell 10.0.0.1");
//! ```
//!
//! Any octets have a dissection; what makes no sense is `[Malformed Packet]`. The layers know no address family's feature:
//! a host that speaks only IPv4 sees what IPv6 passes by, too.
//!
//! # Where Wireshark says it otherwise
//!
//! | Wireshark | here |
//! |---|---|
//! | two spaces and more, to align (`Echo (ping) request  id=`) | one |
//! | what it knows of other frames: `(reply in 2)`, `[Reassembled in #3]`, `(no response found!)`, the packet put together | the frame alone |
//! | `[TCP CHECKSUM INCORRECT]` before `Len=`, if asked to check | at the end, for every protocol, always |
//! | a TCP header length of nonsense, with the flags before it | the ports and `[Malformed Packet]` |
//! | which header exactly makes no sense, and why | the innermost protocol that is certain, and `[Malformed Packet]` |
//! | the last station of an IPv6 routing header as the destination | the next one, as the header has it |
//! | `TFO=`, `MD5`, … for rare TCP options, or nothing | `Opt=` and the kind |
//! | hundreds of other protocols by their names | `IPv4` or `IPv6`, and the protocol's name and number |

mod arp;
mod checksum;
mod dhcp;
mod dns;
mod ethernet;
mod icmpv4;
mod icmpv6;
mod igmp;
mod info;
mod ip;
mod ipv4;
mod ipv6;
mod octets;
mod tcp;
mod udp;

use core::{fmt, net::IpAddr};

use smoltcp::{phy::Medium, time::Instant};

pub use arp::Arp;
pub use checksum::Checksum;
pub use dhcp::Dhcp;
pub use dns::{Dns, Name, Question, Record, RecordData};
pub use ethernet::{Ethernet, MacAddress};
pub use icmpv4::{Icmpv4, Icmpv4Message};
pub use icmpv6::{Icmpv6, Icmpv6Message, NeighborOption};
pub use igmp::{Igmp, IgmpMessage, IgmpRecord};
pub use info::{Info, LINE_MAX, Numbers};
pub use ip::{Fragment, Ip, Packet, Transport};
pub use ipv4::Ipv4;
pub use ipv6::{Extension, Ipv6};
pub use tcp::{SackBlocks, Tcp, TcpOption};
pub use udp::{Application, Udp};

use super::Segment;

/// A frame's layers. Its `Display` is its line, at most [`LINE_MAX`] octets: `{}` with arrows, `{:#}` in ASCII.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Dissection<'f> {
    /// The link header, on an Ethernet.
    pub ethernet: Option<Ethernet>,
    /// What the link carries.
    pub network: Network<'f>,
}

/// What a link carries.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Network<'f> {
    /// A question for an Ethernet address, or its answer.
    Arp(Arp),
    /// An IP packet.
    Ip(Packet<'f>),
    /// Another EtherType; below 1536 it is a length (IEEE 802.3).
    Other(u16),
    /// The header of this protocol makes no sense.
    Malformed(&'static str),
}

/// An address as it is shown: the network's where there is one, else the link's.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Address {
    /// On the link.
    Mac(MacAddress),
    /// In the network.
    Ip(IpAddr),
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Address::Mac(address) => address.fmt(f),
            Address::Ip(address) => address.fmt(f),
        }
    }
}

impl<'f> Dissection<'f> {
    /// Takes a whole frame apart. A length in a header that goes beyond the frame is taken for the frame's own.
    pub fn parse(medium: Medium, bytes: &'f [u8]) -> Dissection<'f> {
        Self::parse_captured(medium, bytes, bytes.len())
    }

    /// Takes a frame apart of which a capture kept only the beginning: it was `wire_len` octets long.
    pub fn parse_captured(medium: Medium, bytes: &'f [u8], wire_len: usize) -> Dissection<'f> {
        let ip = |packet, link_len: usize, protocol| {
            let wire_len = wire_len.max(bytes.len()).saturating_sub(link_len);
            Packet::parse(packet, wire_len).map_or(Network::Malformed(protocol), Network::Ip)
        };
        match medium {
            Medium::Ethernet => {
                let Some((ethernet, payload)) = Ethernet::parse(bytes) else {
                    return Dissection {
                        ethernet: None,
                        network: Network::Malformed("Ethernet"),
                    };
                };
                let version = payload.first().map(|first| first >> 4);
                let network = match (ethernet.ethertype, version) {
                    (Ethernet::ARP, _) => {
                        Arp::parse(payload).map_or(Network::Malformed("ARP"), Network::Arp)
                    }
                    (Ethernet::IPV4, Some(4)) => ip(payload, Ethernet::HEADER_LEN, "IPv4"),
                    (Ethernet::IPV6, Some(6)) => ip(payload, Ethernet::HEADER_LEN, "IPv6"),
                    (Ethernet::IPV4, _) => Network::Malformed("IPv4"),
                    (Ethernet::IPV6, _) => Network::Malformed("IPv6"),
                    (other, _) => Network::Other(other),
                };
                Dissection {
                    ethernet: Some(ethernet),
                    network,
                }
            }
            _ => {
                let protocol = match bytes.first().map(|first| first >> 4) {
                    Some(6) => "IPv6",
                    _ => "IPv4",
                };
                Dissection {
                    ethernet: None,
                    network: ip(bytes, 0, protocol),
                }
            }
        }
    }

    /// The innermost protocol that is known, by Wireshark's name: `TCP`, `DNS`, `ICMPv6`, …
    pub fn protocol(&self) -> &'static str {
        match &self.network {
            Network::Arp(_) => "ARP",
            Network::Ip(packet) => packet.protocol(),
            Network::Other(_) => "Ethernet",
            Network::Malformed(protocol) => protocol,
        }
    }

    /// Who sent it.
    pub fn source(&self) -> Option<Address> {
        match &self.network {
            Network::Ip(packet) => Some(Address::Ip(packet.ip.source())),
            _ => self.ethernet.map(|ethernet| Address::Mac(ethernet.source)),
        }
    }

    /// Whom it is for.
    pub fn destination(&self) -> Option<Address> {
        match &self.network {
            Network::Ip(packet) => Some(Address::Ip(packet.ip.destination())),
            _ => self
                .ethernet
                .map(|ethernet| Address::Mac(ethernet.destination)),
        }
    }

    /// The IP packet, where there is one.
    pub fn packet(&self) -> Option<&Packet<'f>> {
        match &self.network {
            Network::Ip(packet) => Some(packet),
            _ => None,
        }
    }

    /// The packet that an ICMP error speaks of, as far as it is quoted.
    pub fn quoted(&self) -> Option<Packet<'f>> {
        match &self.packet()?.transport {
            Transport::Icmpv4(icmp) => icmp.quoted(),
            Transport::Icmpv6(icmp) => icmp.quoted(),
            _ => None,
        }
    }

    /// All checksums in one word: one wrong is wrong, one right is right where none is wrong. Computed now; the single
    /// ones are [`Ip::checksum`] and [`Packet::transport_checksum`].
    pub fn checksum(&self) -> Checksum {
        let Some(packet) = self.packet() else {
            return Checksum::NotChecked;
        };
        let both = [packet.ip.checksum(), packet.transport_checksum()];
        [Checksum::Wrong, Checksum::Right]
            .into_iter()
            .find(|status| both.contains(status))
            .unwrap_or(Checksum::NotChecked)
    }

    /// Its TCP segment, where it has one: see [`Segment::parse`].
    pub fn segment(&self, time: Instant) -> Option<Segment> {
        Segment::of(time, self.packet()?)
    }

    /// The line with a TCP segment's numbers as an analysis knows them, in place of those on the wire.
    pub fn with_numbers(&self, numbers: Numbers) -> Info<'_, 'f> {
        Info {
            dissection: self,
            numbers: Some(numbers),
        }
    }
}

impl fmt::Display for Dissection<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let info = Info {
            dissection: self,
            numbers: None,
        };
        info.fmt(f)
    }
}
