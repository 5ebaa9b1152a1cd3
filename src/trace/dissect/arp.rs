//! ARP for IPv4 over Ethernet (RFC 826; probes and announcements are RFC 5227's).

use core::{fmt, net::Ipv4Addr};

use super::ethernet::MacAddress;
use super::octets::{array, ipv4_at, u16_at};

/// An ARP message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Arp {
    /// [`REQUEST`](Arp::REQUEST), [`REPLY`](Arp::REPLY) or another.
    pub operation: u16,
    /// The sender's Ethernet address.
    pub sender_hardware: MacAddress,
    /// The sender's IPv4 address.
    pub sender: Ipv4Addr,
    /// The Ethernet address asked of; zero in most requests.
    pub target_hardware: MacAddress,
    /// The IPv4 address asked for.
    pub target: Ipv4Addr,
}

impl Arp {
    /// A question.
    pub const REQUEST: u16 = 1;
    /// An answer.
    pub const REPLY: u16 = 2;

    pub(super) fn parse(message: &[u8]) -> Option<Arp> {
        const ETHERNET_AND_IPV4: [u8; 6] = [0, 1, 0x08, 0, 6, 4];
        if array(message, 0)? != ETHERNET_AND_IPV4 {
            return None;
        }
        Some(Arp {
            operation: u16_at(message, 6)?,
            sender_hardware: MacAddress(array(message, 8)?),
            sender: ipv4_at(message, 14)?,
            target_hardware: MacAddress(array(message, 18)?),
            target: ipv4_at(message, 24)?,
        })
    }
}

impl fmt::Display for Arp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (sender, target) = (self.sender, self.target);
        let asks_nobody = self.target_hardware.0 == [0; 6];
        match self.operation {
            Self::REQUEST if sender == target && asks_nobody => {
                write!(f, "ARP Announcement for {sender}")
            }
            Self::REQUEST if sender == target => {
                write!(f, "Gratuitous ARP for {sender} (Request)")
            }
            Self::REQUEST if sender.is_unspecified() && asks_nobody => {
                write!(f, "Who has {target}? (ARP Probe)")
            }
            Self::REQUEST => write!(f, "Who has {target}? Tell {sender}"),
            Self::REPLY if sender == target => write!(f, "Gratuitous ARP for {sender} (Reply)"),
            Self::REPLY => write!(f, "{sender} is at {}", self.sender_hardware),
            operation => write!(f, "Unknown ARP opcode 0x{operation:04x}"),
        }
    }
}
