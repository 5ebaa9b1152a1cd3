//! DHCPv4 to a summary (RFC 2131, its options RFC 2132), and BOOTP, which it grew from.

use core::{fmt, net::Ipv4Addr};

use super::ethernet::MacAddress;
use super::octets::{array, ipv4_at, u32_at};

/// A DHCPv4 message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Dhcp {
    /// From a server to a client, or the other way.
    pub is_reply: bool,
    /// The number that question and answer share.
    pub transaction_id: u32,
    /// The client's address, where it has one.
    pub client: Ipv4Addr,
    /// The address that the client may have.
    pub your: Ipv4Addr,
    /// The next server to ask.
    pub next_server: Ipv4Addr,
    /// The relay agent that passed it on.
    pub relay: Ipv4Addr,
    /// The client's Ethernet address.
    pub client_hardware: MacAddress,
    /// Discover, Offer, … (RFC 2132 §9.6); BOOTP has none.
    pub message_type: Option<u8>,
    /// The address that the client asks for (RFC 2132 §9.1).
    pub requested: Option<Ipv4Addr>,
    /// The server that speaks, or that is chosen (RFC 2132 §9.7).
    pub server: Option<Ipv4Addr>,
}

const REPLY: u8 = 2;
const COOKIE: [u8; 4] = [99, 130, 83, 99];
const OPTIONS: usize = 240;

impl Dhcp {
    pub(in crate::trace) fn parse(message: &[u8]) -> Option<Dhcp> {
        let mut dhcp = Dhcp {
            is_reply: *message.first()? == REPLY,
            transaction_id: u32_at(message, 4)?,
            client: ipv4_at(message, 12)?,
            your: ipv4_at(message, 16)?,
            next_server: ipv4_at(message, 20)?,
            relay: ipv4_at(message, 24)?,
            client_hardware: MacAddress(array(message, 28)?),
            message_type: None,
            requested: None,
            server: None,
        };
        if array(message, OPTIONS - COOKIE.len())? == COOKIE {
            dhcp.read_options(message.get(OPTIONS..)?);
        }
        Some(dhcp)
    }

    /// What the message is called, if it is DHCP's.
    pub(in crate::trace) fn name(&self) -> Option<&'static str> {
        Some(match self.message_type? {
            1 => "Discover",
            2 => "Offer",
            3 => "Request",
            4 => "Decline",
            5 => "ACK",
            6 => "NAK",
            7 => "Release",
            8 => "Inform",
            9 => "Force Renew",
            _ => return None,
        })
    }

    /// The address that it is about: given, asked for, or given back.
    pub(in crate::trace) fn subject(&self) -> Option<Ipv4Addr> {
        let all = [Some(self.your), self.requested, Some(self.client)];
        all.into_iter()
            .flatten()
            .find(|address| !address.is_unspecified())
    }

    fn read_options(&mut self, mut options: &[u8]) {
        const PAD: u8 = 0;
        const END: u8 = 255;
        while let Some((&code, rest)) = options.split_first() {
            if code == END {
                return;
            }
            if code == PAD {
                options = rest;
                continue;
            }
            let Some((&len, rest)) = rest.split_first() else {
                return;
            };
            let Some((data, rest)) = rest.split_at_checked(usize::from(len)) else {
                return;
            };
            match code {
                50 => self.requested = ipv4_at(data, 0),
                53 => self.message_type = data.first().copied(),
                54 => self.server = ipv4_at(data, 0),
                _ => {}
            }
            options = rest;
        }
    }
}

impl fmt::Display for Dhcp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self.name(), self.message_type) {
            (Some(name), _) => write!(f, "DHCP {name}")?,
            (None, Some(other)) => write!(f, "DHCP Unknown Message Type (0x{other:02x})")?,
            (None, None) if self.is_reply => return f.write_str("Boot Reply"),
            (None, None) => return write!(f, "Boot Request from {}", self.client_hardware),
        }
        write!(f, " - Transaction ID 0x{:x}", self.transaction_id)
    }
}
