//! UDP (RFC 768).

use core::fmt::{self, Display};

use super::dhcp::Dhcp;
use super::dns::Dns;
use super::octets::{at_most, u16_at};

/// A UDP header, and what it carries where the ports tell.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Udp<'f> {
    /// Its sender's port.
    pub source_port: u16,
    /// Its receiver's port.
    pub destination_port: u16,
    /// The length field: header and payload.
    pub length: u16,
    /// What the IP header says of the same.
    pub ip_length: u32,
    /// The checksum field; zero says that there is none.
    pub checksum: u16,
    /// The payload, as far as it is here.
    pub payload: &'f [u8],
}

/// What a datagram carries.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Application<'f> {
    /// A message of the Domain Name System, multicast or not.
    Dns(Dns<'f>),
    /// A message of DHCPv4, or of BOOTP.
    Dhcp(Dhcp),
    /// A port of DNS, and no message of it.
    MalformedDns,
    /// A port of DHCP, and no message of it.
    MalformedDhcp,
    /// Anything else.
    Other,
}

const HEADER_LEN: u16 = 8;
const DNS_PORT: u16 = 53;
const MULTICAST_DNS_PORT: u16 = 5353;
const DHCP_PORTS: [u16; 2] = [67, 68];

impl<'f> Udp<'f> {
    pub(super) fn parse(datagram: &'f [u8], wire_len: usize) -> Option<Udp<'f>> {
        let (header, rest) = datagram.split_at_checked(usize::from(HEADER_LEN))?;
        let length = u16_at(header, 4)?;
        Some(Udp {
            source_port: u16_at(header, 0)?,
            destination_port: u16_at(header, 2)?,
            length,
            ip_length: wire_len as u32,
            checksum: u16_at(header, 6)?,
            payload: at_most(rest, usize::from(length.saturating_sub(HEADER_LEN))),
        })
    }

    /// Octets of payload, as the header says.
    pub fn len(&self) -> u16 {
        self.length.saturating_sub(HEADER_LEN)
    }

    /// Whether it carries nothing.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Whether the length field fits the packet.
    pub fn is_length_right(&self) -> bool {
        self.length >= HEADER_LEN && u32::from(self.length) <= self.ip_length
    }

    /// What it carries, by its ports: DNS at 53, multicast DNS at 5353, DHCP at 67 and 68.
    pub fn application(&self) -> Application<'f> {
        let is_at = |port| self.source_port == port || self.destination_port == port;
        if self.is_empty() || !self.is_length_right() {
            Application::Other
        } else if is_at(DNS_PORT) {
            Dns::parse(self.payload).map_or(Application::MalformedDns, Application::Dns)
        } else if is_at(MULTICAST_DNS_PORT) {
            Dns::parse_multicast(self.payload).map_or(Application::MalformedDns, Application::Dns)
        } else if DHCP_PORTS.into_iter().any(is_at) {
            Dhcp::parse(self.payload).map_or(Application::MalformedDhcp, Application::Dhcp)
        } else {
            Application::Other
        }
    }

    fn is_multicast_dns(&self) -> bool {
        let ports = [self.source_port, self.destination_port];
        ports.contains(&MULTICAST_DNS_PORT) && !ports.contains(&DNS_PORT)
    }

    pub(super) fn protocol(&self) -> &'static str {
        match self.application() {
            Application::Dns(dns) if dns.is_multicast => "MDNS",
            Application::MalformedDns if self.is_multicast_dns() => "MDNS",
            Application::Dns(_) | Application::MalformedDns => "DNS",
            Application::Dhcp(dhcp) if dhcp.message_type.is_some() => "DHCP",
            Application::Dhcp(_) | Application::MalformedDhcp => "BOOTP",
            Application::Other => "UDP",
        }
    }

    pub(super) fn info(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.application() {
            Application::Dns(dns) => return dns.fmt(f),
            Application::Dhcp(dhcp) => return dhcp.fmt(f),
            Application::MalformedDns | Application::MalformedDhcp => {
                return f.write_str(super::info::MALFORMED);
            }
            Application::Other => {}
        }
        super::info::ports(f, self.source_port, self.destination_port)?;
        let length = self.length;
        if length < HEADER_LEN {
            return write!(f, " [BAD UDP LENGTH {length} < {HEADER_LEN}]");
        }
        if !self.is_length_right() {
            write!(f, " [BAD UDP LENGTH {length} > IP PAYLOAD LENGTH]")?;
        }
        write!(f, " Len={}", self.len())
    }
}
