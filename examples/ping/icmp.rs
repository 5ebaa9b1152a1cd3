//! ICMP messages, as a raw socket sends and receives them: echo (RFC 792, RFC 4443 §4), and errors with the packet that they
//! are about.
#![allow(dead_code, reason = "each program needs its part")]

use std::net::IpAddr;

use glasstack::{
    socket::blocking::{Domain, Protocol},
    stack::option::IcmpFilter,
};

pub(crate) const ICMP: u8 = 1;
pub(crate) const UDP: u8 = 17;
pub(crate) const ICMPV6: u8 = 58;

/// Octets of a message before its data, and of a UDP header.
pub(crate) const HEADER: usize = 8;

/// What is different from one family to the other.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Family {
    V4,
    V6,
}

impl Family {
    pub(crate) fn of(address: IpAddr) -> Family {
        match address {
            IpAddr::V4(_) => Family::V4,
            IpAddr::V6(_) => Family::V6,
        }
    }

    pub(crate) fn domain(self) -> Domain {
        match self {
            Family::V4 => Domain::Inet,
            Family::V6 => Domain::Inet6,
        }
    }

    pub(crate) fn protocol(self) -> Protocol {
        match self {
            Family::V4 => Protocol::ICMP,
            Family::V6 => Protocol::ICMPV6,
        }
    }

    /// The IP header of what we send.
    pub(crate) fn ip_header(self) -> usize {
        match self {
            Family::V4 => 20,
            Family::V6 => 40,
        }
    }

    fn echo_request(self) -> u8 {
        match self {
            Family::V4 => 8,
            Family::V6 => 128,
        }
    }

    fn echo_reply(self) -> u8 {
        match self {
            Family::V4 => 0,
            Family::V6 => 129,
        }
    }

    /// Echo replies and errors pass, and nothing else.
    pub(crate) fn filter(self) -> IcmpFilter {
        let errors: &[u8] = match self {
            Family::V4 => &[3, 11, 12],
            Family::V6 => &[1, 2, 3, 4],
        };
        let replies = IcmpFilter::ALL.pass(self.echo_reply());
        errors
            .iter()
            .fold(replies, |filter, kind| filter.pass(*kind))
    }
}

/// An echo request. Of IPv6 the stack writes the checksum.
pub(crate) fn request(family: Family, identifier: u16, sequence: u16, data: &[u8]) -> Vec<u8> {
    let mut message = vec![family.echo_request(), 0, 0, 0];
    message.extend(identifier.to_be_bytes());
    message.extend(sequence.to_be_bytes());
    message.extend(data);
    if family == Family::V4 {
        let checksum = checksum(&message);
        message[2..4].copy_from_slice(&checksum.to_be_bytes());
    }
    message
}

/// RFC 1071.
fn checksum(octets: &[u8]) -> u16 {
    let words = octets.chunks(2).map(|pair| match *pair {
        [high, low] => u64::from(u16::from_be_bytes([high, low])),
        [high] => u64::from(high) << 8,
        _ => 0,
    });
    let mut sum: u64 = words.sum();
    while sum > 0xffff {
        sum = (sum & 0xffff) + (sum >> 16);
    }
    !(sum as u16)
}

/// What was heard.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Heard<'p> {
    Reply(Echo<'p>),
    Error(Trouble, Quoted<'p>),
}

/// An echo message.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Echo<'p> {
    pub(crate) identifier: u16,
    pub(crate) sequence: u16,
    pub(crate) data: &'p [u8],
}

/// Type, code and the word behind the checksum.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Trouble {
    pub(crate) is_v4: bool,
    pub(crate) kind: u8,
    pub(crate) code: u8,
    pub(crate) word: u32,
}

/// The beginning of a packet of ours that an error is about.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Quoted<'p> {
    pub(crate) destination: IpAddr,
    pub(crate) protocol: u8,
    pub(crate) transport: &'p [u8],
}

impl Quoted<'_> {
    /// The identifier and the sequence number, where it is an echo request.
    pub(crate) fn echo(&self) -> Option<(u16, u16)> {
        let [kind, 0, _, _, i0, i1, s0, s1] = *self.transport.first_chunk::<HEADER>()? else {
            return None;
        };
        let is_request = matches!((self.protocol, kind), (ICMP, 8) | (ICMPV6, 128));
        is_request.then_some((u16::from_be_bytes([i0, i1]), u16::from_be_bytes([s0, s1])))
    }

    /// The source's and the destination's port, where it is a UDP datagram.
    pub(crate) fn ports(&self) -> Option<(u16, u16)> {
        let [s0, s1, d0, d1] = *self.transport.first_chunk::<4>()?;
        let ports = (u16::from_be_bytes([s0, s1]), u16::from_be_bytes([d0, d1]));
        (self.protocol == UDP).then_some(ports)
    }
}

/// Reads what a raw socket has received: in IPv4 it begins with the IP header.
pub(crate) fn read(family: Family, packet: &[u8]) -> Option<Heard<'_>> {
    let message = match family {
        Family::V4 => packet.get(usize::from(packet.first()? & 0x0f) * 4..)?,
        Family::V6 => packet,
    };
    let (header, rest) = message.split_first_chunk::<HEADER>()?;
    let [kind, code, _, _, w0, w1, w2, w3] = *header;
    if kind == family.echo_reply() {
        return Some(Heard::Reply(Echo {
            identifier: u16::from_be_bytes([w0, w1]),
            sequence: u16::from_be_bytes([w2, w3]),
            data: rest,
        }));
    }
    let trouble = Trouble {
        is_v4: family == Family::V4,
        kind,
        code,
        word: u32::from_be_bytes([w0, w1, w2, w3]),
    };
    Some(Heard::Error(trouble, quoted(rest)?))
}

fn quoted(packet: &[u8]) -> Option<Quoted<'_>> {
    match packet.first()? >> 4 {
        4 => {
            let fixed = packet.first_chunk::<20>()?;
            let destination: [u8; 4] = fixed[16..].try_into().ok()?;
            Some(Quoted {
                destination: destination.into(),
                protocol: fixed[9],
                transport: packet.get(usize::from(fixed[0] & 0x0f) * 4..)?,
            })
        }
        6 => {
            let (fixed, rest) = packet.split_first_chunk::<40>()?;
            let destination: [u8; 16] = fixed[24..].try_into().ok()?;
            // Of a packet that left in fragments, the first has a header for it (RFC 8200 §4.5).
            let (protocol, transport) = match (fixed[6], rest.split_first_chunk::<8>()) {
                (44, Some((fragment, transport))) => (fragment[0], transport),
                (protocol, _) => (protocol, rest),
            };
            Some(Quoted {
                destination: destination.into(),
                protocol,
                transport,
            })
        }
        _ => None,
    }
}

impl Trouble {
    /// As iputils' ping says it.
    pub(crate) fn text(&self) -> String {
        match self.is_v4 {
            true => self.text_v4(),
            false => self.text_v6(),
        }
    }

    fn text_v4(&self) -> String {
        let Trouble {
            kind, code, word, ..
        } = *self;
        let text = match (kind, code) {
            (3, 0) => "Destination Net Unreachable",
            (3, 1) => "Destination Host Unreachable",
            (3, 2) => "Destination Protocol Unreachable",
            (3, 3) => "Destination Port Unreachable",
            (3, 4) => return format!("Frag needed and DF set (mtu = {})", word & 0xffff),
            (3, 5) => "Source Route Failed",
            (3, 6) => "Destination Net Unknown",
            (3, 7) => "Destination Host Unknown",
            (3, 8) => "Source Host Isolated",
            (3, 9) => "Destination Net Prohibited",
            (3, 10) => "Destination Host Prohibited",
            (3, 11) => "Destination Net Unreachable for Type of Service",
            (3, 12) => "Destination Host Unreachable for Type of Service",
            (3, 13) => "Packet filtered",
            (3, 14) => "Precedence Violation",
            (3, 15) => "Precedence Cutoff",
            (3, _) => return format!("Dest Unreachable, Bad Code: {code}"),
            (11, 0) => "Time to live exceeded",
            (11, 1) => "Frag reassembly time exceeded",
            (11, _) => return format!("Time exceeded, Bad Code: {code}"),
            (12, _) => return format!("Parameter problem: pointer = {}", word >> 24),
            _ => return format!("Bad ICMP type: {kind}"),
        };
        text.to_owned()
    }

    fn text_v6(&self) -> String {
        let Trouble {
            kind, code, word, ..
        } = *self;
        let text = match (kind, code) {
            (1, 0) => "Destination unreachable: No route",
            (1, 1) => "Destination unreachable: Administratively prohibited",
            (1, 2) => "Destination unreachable: Beyond scope of source address",
            (1, 3) => "Destination unreachable: Address unreachable",
            (1, 4) => "Destination unreachable: Port unreachable",
            (1, _) => return format!("Destination unreachable: Unknown code {code}"),
            (2, _) => return format!("Packet too big: mtu={word}"),
            (3, 0) => "Time exceeded: Hop limit",
            (3, 1) => "Time exceeded: Defragmentation failure",
            (3, _) => return format!("Time exceeded: code {code}"),
            (4, 0) => return format!("Parameter problem: Wrong header field at {word}"),
            (4, 1) => return format!("Parameter problem: Unknown header at {word}"),
            (4, 2) => return format!("Parameter problem: Unknown option at {word}"),
            (4, _) => return format!("Parameter problem: code {code} at {word}"),
            _ => return format!("unknown icmp type: {kind}"),
        };
        text.to_owned()
    }

    /// As traceroute marks it; nothing where it is what traceroute is out for.
    pub(crate) fn mark(&self) -> String {
        let mark = match (self.is_v4, self.kind, self.code) {
            (true, 11, _) | (false, 3, _) | (true, 3, 3) | (false, 1, 4) => "",
            (true, 3, 0 | 6 | 11) | (false, 1, 0) => "!N",
            (true, 3, 1 | 7 | 8 | 12) | (false, 1, 3) => "!H",
            (true, 3, 2) | (false, 4, 1) => "!P",
            (true, 3, 4) => return format!("!F-{}", self.word & 0xffff),
            (false, 2, _) => return format!("!F-{}", self.word),
            (true, 3, 5) | (false, 1, 2) => "!S",
            (true, 3, 9 | 10 | 13) | (false, 1, 1) => "!X",
            (true, 3, 14) => "!V",
            (true, 3, 15) => "!C",
            (true, 3, code) | (false, 1, code) => return format!("!{code}"),
            (_, kind, code) => return format!("!<{kind}-{code}>"),
        };
        mark.to_owned()
    }
}
