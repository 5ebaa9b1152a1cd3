//! ICMP for IPv6 (RFC 4443) with neighbor discovery (RFC 4861).

use core::{fmt, net::Ipv6Addr};

use super::ethernet::MacAddress;
use super::ip::Packet;
use super::octets::{array, ipv6_at, u16_at, u32_at};

/// An ICMP message for IPv6.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Icmpv6<'f> {
    /// What it says.
    pub message: Icmpv6Message,
    /// What follows: an echo's data, the packet that an error speaks of, or the options of neighbor discovery.
    pub data: &'f [u8],
}

/// What an ICMP message for IPv6 says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Icmpv6Message {
    /// A packet did not get there.
    DestinationUnreachable {
        /// Why not.
        code: u8,
    },
    /// A packet does not fit into the next link.
    PacketTooBig {
        /// What does.
        mtu: u32,
    },
    /// A packet went too far, or a fragment waited too long.
    TimeExceeded {
        /// Which of them.
        code: u8,
    },
    /// A header makes no sense.
    ParameterProblem {
        /// What about it.
        code: u8,
        /// Where.
        pointer: u32,
    },
    /// Echo request.
    EchoRequest {
        /// Whose.
        identifier: u16,
        /// Which.
        sequence: u16,
    },
    /// Echo reply.
    EchoReply {
        /// Whose.
        identifier: u16,
        /// Which.
        sequence: u16,
    },
    /// Which routers are there?
    RouterSolicitation,
    /// Here is a router.
    RouterAdvertisement {
        /// The hop limit to use; zero leaves it open.
        hop_limit: u8,
        /// Seconds for which it is a default router; zero says that it is none.
        lifetime: u16,
    },
    /// Who has an address?
    NeighborSolicitation {
        /// The address.
        target: Ipv6Addr,
    },
    /// Who has an address.
    NeighborAdvertisement {
        /// The address.
        target: Ipv6Addr,
        /// It is a router's.
        router: bool,
        /// It was asked for.
        solicited: bool,
        /// It replaces what was known.
        override_cache: bool,
    },
    /// Another hop is nearer.
    Redirect {
        /// Which.
        target: Ipv6Addr,
        /// For whom.
        destination: Ipv6Addr,
    },
    /// Another.
    Other {
        /// The type field.
        kind: u8,
        /// The code field.
        code: u8,
    },
}

/// An option of neighbor discovery (RFC 4861 §4.6).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NeighborOption<'f> {
    /// The sender's address on the link.
    SourceLinkLayer(MacAddress),
    /// The target's address on the link.
    TargetLinkLayer(MacAddress),
    /// A prefix of the link.
    Prefix(Ipv6Addr, u8),
    /// The packet that was redirected.
    RedirectedHeader(&'f [u8]),
    /// The link's MTU.
    Mtu(u32),
    /// Another, by its type, with its data; or a known one of the wrong length.
    Other(u8, &'f [u8]),
}

impl<'f> Icmpv6<'f> {
    pub(super) fn parse(octets: &'f [u8]) -> Option<Icmpv6<'f>> {
        let [kind, code] = array(octets, 0)?;
        let (first, second) = (u16_at(octets, 4)?, u16_at(octets, 6)?);
        let word = u32_at(octets, 4)?;
        let (message, data_at) = match kind {
            1 => (Icmpv6Message::DestinationUnreachable { code }, 8),
            2 => (Icmpv6Message::PacketTooBig { mtu: word }, 8),
            3 => (Icmpv6Message::TimeExceeded { code }, 8),
            4 => {
                let pointer = word;
                (Icmpv6Message::ParameterProblem { code, pointer }, 8)
            }
            128 | 129 => {
                let (identifier, sequence) = (first, second);
                let echo = match kind {
                    128 => Icmpv6Message::EchoRequest {
                        identifier,
                        sequence,
                    },
                    _ => Icmpv6Message::EchoReply {
                        identifier,
                        sequence,
                    },
                };
                (echo, 8)
            }
            133 => (Icmpv6Message::RouterSolicitation, 8),
            134 => {
                let advertisement = Icmpv6Message::RouterAdvertisement {
                    hop_limit: *octets.get(4)?,
                    lifetime: second,
                };
                (advertisement, 16)
            }
            135 => {
                let target = ipv6_at(octets, 8)?;
                (Icmpv6Message::NeighborSolicitation { target }, 24)
            }
            136 => {
                let advertisement = Icmpv6Message::NeighborAdvertisement {
                    target: ipv6_at(octets, 8)?,
                    router: word >> 31 & 1 != 0,
                    solicited: word >> 30 & 1 != 0,
                    override_cache: word >> 29 & 1 != 0,
                };
                (advertisement, 24)
            }
            137 => {
                let redirect = Icmpv6Message::Redirect {
                    target: ipv6_at(octets, 8)?,
                    destination: ipv6_at(octets, 24)?,
                };
                (redirect, 40)
            }
            _ => (Icmpv6Message::Other { kind, code }, 8),
        };
        Some(Icmpv6 {
            message,
            data: octets.get(data_at..)?,
        })
    }

    /// The packet that an error speaks of, as far as it is quoted.
    pub fn quoted(&self) -> Option<Packet<'f>> {
        match self.message {
            Icmpv6Message::DestinationUnreachable { .. }
            | Icmpv6Message::PacketTooBig { .. }
            | Icmpv6Message::TimeExceeded { .. }
            | Icmpv6Message::ParameterProblem { .. } => Packet::quoted(self.data),
            _ => None,
        }
    }

    /// The options of a message of neighbor discovery, in order, up to one that makes no sense.
    pub fn options(&self) -> impl Iterator<Item = NeighborOption<'f>> + use<'f> {
        let options = match self.message {
            Icmpv6Message::RouterSolicitation
            | Icmpv6Message::RouterAdvertisement { .. }
            | Icmpv6Message::NeighborSolicitation { .. }
            | Icmpv6Message::NeighborAdvertisement { .. }
            | Icmpv6Message::Redirect { .. } => self.data,
            _ => &[],
        };
        NeighborOptions(options)
    }

    pub(super) fn info(&self, f: &mut fmt::Formatter<'_>, hop_limit: u8) -> fmt::Result {
        let echo = |f: &mut fmt::Formatter<'_>, name, identifier: u16, sequence: u16| {
            write!(
                f,
                "Echo (ping) {name} id=0x{identifier:04x}, seq={sequence}, hop limit={hop_limit}"
            )
        };
        match self.message {
            Icmpv6Message::DestinationUnreachable { code } => {
                with_reason(f, "Destination Unreachable", &UNREACHABLE, code)
            }
            Icmpv6Message::PacketTooBig { .. } => f.write_str("Packet Too Big"),
            Icmpv6Message::TimeExceeded { code } => {
                with_reason(f, "Time Exceeded", &EXCEEDED, code)
            }
            Icmpv6Message::ParameterProblem { code, .. } => {
                with_reason(f, "Parameter Problem", &PROBLEM, code)
            }
            Icmpv6Message::EchoRequest {
                identifier,
                sequence,
            } => echo(f, "request", identifier, sequence),
            Icmpv6Message::EchoReply {
                identifier,
                sequence,
            } => echo(f, "reply", identifier, sequence),
            Icmpv6Message::RouterSolicitation => {
                f.write_str("Router Solicitation")?;
                self.link_layer(f)
            }
            Icmpv6Message::RouterAdvertisement { .. } => {
                f.write_str("Router Advertisement")?;
                self.link_layer(f)
            }
            Icmpv6Message::NeighborSolicitation { target } => {
                write!(f, "Neighbor Solicitation for {target}")?;
                self.link_layer(f)
            }
            Icmpv6Message::NeighborAdvertisement {
                target,
                router,
                solicited,
                override_cache,
            } => {
                write!(f, "Neighbor Advertisement {target} (")?;
                let mut separator = "";
                for (is_set, name) in [(router, "rtr"), (solicited, "sol"), (override_cache, "ovr")]
                {
                    if is_set {
                        write!(f, "{separator}{name}")?;
                        separator = ", ";
                    }
                }
                f.write_str(if separator.is_empty() { "none)" } else { ")" })?;
                self.link_layer(f)
            }
            Icmpv6Message::Redirect { .. } => {
                f.write_str("Redirect")?;
                self.link_layer(f)
            }
            Icmpv6Message::Other { kind, .. } => match kind {
                130 => f.write_str("Multicast Listener Query"),
                131 => f.write_str("Multicast Listener Report"),
                132 => f.write_str("Multicast Listener Done"),
                143 => f.write_str("Multicast Listener Report Message v2"),
                _ => write!(f, "Unknown ICMPv6 type {kind}"),
            },
        }
    }

    /// The link-layer address that the first option of that sort gives.
    fn link_layer(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for option in self.options() {
            match option {
                NeighborOption::SourceLinkLayer(address) => return write!(f, " from {address}"),
                NeighborOption::TargetLinkLayer(address) => return write!(f, " is at {address}"),
                _ => {}
            }
        }
        Ok(())
    }
}

struct NeighborOptions<'f>(&'f [u8]);

impl<'f> Iterator for NeighborOptions<'f> {
    type Item = NeighborOption<'f>;

    fn next(&mut self) -> Option<NeighborOption<'f>> {
        let [kind, len] = array(self.0, 0)?;
        // Counted in eights; zero is forbidden (RFC 4861 §4.6), and would have no end.
        let (option, rest) = self.0.split_at_checked(usize::from(len) * 8)?;
        let data = option.get(2..)?;
        self.0 = rest;
        let known = match (kind, len) {
            (1, 1) => array(data, 0).map(|mac| NeighborOption::SourceLinkLayer(MacAddress(mac))),
            (2, 1) => array(data, 0).map(|mac| NeighborOption::TargetLinkLayer(MacAddress(mac))),
            (3, 4) => ipv6_at(option, 16)
                .zip(data.first())
                .map(|(prefix, &len)| NeighborOption::Prefix(prefix, len)),
            (4, _) => option.get(8..).map(NeighborOption::RedirectedHeader),
            (5, 1) => u32_at(option, 4).map(NeighborOption::Mtu),
            _ => None,
        };
        Some(known.unwrap_or(NeighborOption::Other(kind, data)))
    }
}

fn with_reason(f: &mut fmt::Formatter<'_>, name: &str, codes: &[&str], code: u8) -> fmt::Result {
    match codes.get(usize::from(code)) {
        Some(reason) => write!(f, "{name} ({reason})"),
        None => write!(f, "{name} (Unknown ({code}))"),
    }
}

const UNREACHABLE: [&str; 8] = [
    "no route to destination",
    "Administratively prohibited",
    "Beyond scope of source address",
    "Address unreachable",
    "Port unreachable",
    "Source address failed ingress/egress policy",
    "Reject route to destination",
    "Error in Source Routing Header",
];

const EXCEEDED: [&str; 2] = [
    "hop limit exceeded in transit",
    "fragment reassembly time exceeded",
];

const PROBLEM: [&str; 4] = [
    "erroneous header field encountered",
    "unrecognized Next Header type encountered",
    "unrecognized IPv6 option encountered",
    "IPv6 First Fragment has incomplete IPv6 Header Chain",
];
