//! ICMP for IPv4 (RFC 792).

use core::{fmt, net::Ipv4Addr};

use super::ip::Packet;
use super::octets::{array, u16_at};

/// An ICMP message for IPv4.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Icmpv4<'f> {
    /// What it says.
    pub message: Icmpv4Message,
    /// What follows its first eight octets: an echo's data, or the packet that an error speaks of.
    pub data: &'f [u8],
}

/// What an ICMP message for IPv4 says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Icmpv4Message {
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
    /// A packet did not get there.
    DestinationUnreachable {
        /// Why not.
        code: u8,
        /// What would fit, where the packet was too big (RFC 1191 §4).
        next_hop_mtu: u16,
    },
    /// Another router is nearer.
    Redirect {
        /// For what.
        code: u8,
        /// Which.
        gateway: Ipv4Addr,
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
        pointer: u8,
    },
    /// Another.
    Other {
        /// The type field.
        kind: u8,
        /// The code field.
        code: u8,
    },
}

impl<'f> Icmpv4<'f> {
    pub(super) fn parse(message: &'f [u8]) -> Option<Icmpv4<'f>> {
        let (header, data) = message.split_at_checked(8)?;
        let [kind, code] = array(header, 0)?;
        let (first, second) = (u16_at(header, 4)?, u16_at(header, 6)?);
        let message = match kind {
            0 => Icmpv4Message::EchoReply {
                identifier: first,
                sequence: second,
            },
            3 => Icmpv4Message::DestinationUnreachable {
                code,
                next_hop_mtu: second,
            },
            5 => Icmpv4Message::Redirect {
                code,
                gateway: Ipv4Addr::from(array::<4>(header, 4)?),
            },
            8 => Icmpv4Message::EchoRequest {
                identifier: first,
                sequence: second,
            },
            11 => Icmpv4Message::TimeExceeded { code },
            12 => Icmpv4Message::ParameterProblem {
                code,
                pointer: *header.get(4)?,
            },
            _ => Icmpv4Message::Other { kind, code },
        };
        Some(Icmpv4 { message, data })
    }

    /// The packet that an error speaks of, as far as it is quoted.
    pub fn quoted(&self) -> Option<Packet<'f>> {
        match self.message {
            Icmpv4Message::DestinationUnreachable { .. }
            | Icmpv4Message::Redirect { .. }
            | Icmpv4Message::TimeExceeded { .. }
            | Icmpv4Message::ParameterProblem { .. } => Packet::quoted(self.data),
            _ => None,
        }
    }

    pub(super) fn info(&self, f: &mut fmt::Formatter<'_>, time_to_live: u8) -> fmt::Result {
        let echo = |f: &mut fmt::Formatter<'_>, name, identifier, sequence: u16| {
            // Both ways round, since some systems send it in the order of their own processor.
            let swapped = sequence.swap_bytes();
            write!(
                f,
                "Echo (ping) {name} id=0x{identifier:04x}, seq={sequence}/{swapped}, ttl={time_to_live}"
            )
        };
        let (name, codes, code): (_, &[&str], u8) = match self.message {
            Icmpv4Message::EchoRequest {
                identifier,
                sequence,
            } => return echo(f, "request", identifier, sequence),
            Icmpv4Message::EchoReply {
                identifier,
                sequence,
            } => return echo(f, "reply", identifier, sequence),
            Icmpv4Message::DestinationUnreachable { code, .. } => {
                ("Destination unreachable", &UNREACHABLE, code)
            }
            Icmpv4Message::Redirect { code, .. } => ("Redirect", &REDIRECT, code),
            Icmpv4Message::TimeExceeded { code } => ("Time-to-live exceeded", &EXCEEDED, code),
            Icmpv4Message::ParameterProblem { code, .. } => ("Parameter problem", &PROBLEM, code),
            Icmpv4Message::Other { kind, .. } => {
                return match other(kind) {
                    Some(name) => f.write_str(name),
                    None => write!(f, "Unknown ICMP type {kind}"),
                };
            }
        };
        match codes.get(usize::from(code)) {
            Some(reason) => write!(f, "{name} ({reason})"),
            None => write!(f, "{name} (Unknown code: {code})"),
        }
    }
}

const UNREACHABLE: [&str; 16] = [
    "Network unreachable",
    "Host unreachable",
    "Protocol unreachable",
    "Port unreachable",
    "Fragmentation needed",
    "Source route failed",
    "Destination network unknown",
    "Destination host unknown",
    "Source host isolated",
    "Network administratively prohibited",
    "Host administratively prohibited",
    "Network unreachable for TOS",
    "Host unreachable for TOS",
    "Communication administratively filtered",
    "Host precedence violation",
    "Precedence cutoff in effect",
];

const REDIRECT: [&str; 4] = [
    "Redirect for network",
    "Redirect for host",
    "Redirect for TOS and network",
    "Redirect for TOS and host",
];

const EXCEEDED: [&str; 2] = [
    "Time to live exceeded in transit",
    "Fragment reassembly time exceeded",
];

const PROBLEM: [&str; 3] = [
    "Pointer indicates the error",
    "Required option missing",
    "Bad length",
];

fn other(kind: u8) -> Option<&'static str> {
    Some(match kind {
        4 => "Source quench (flow control)",
        9 => "Router advertisement",
        10 => "Router solicitation",
        13 => "Timestamp request",
        14 => "Timestamp reply",
        15 => "Information request",
        16 => "Information reply",
        17 => "Address mask request",
        18 => "Address mask reply",
        _ => return None,
    })
}
