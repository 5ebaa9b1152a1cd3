//! How a captured frame begins, by its LINKTYPE_ number (tcpdump.org/linktypes.html).

use crate::trace::Medium;

/// A LINKTYPE_ number.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct LinkType(pub(super) u16);

impl LinkType {
    /// Where in the octets a frame begins that this crate understands, and how.
    pub(super) fn header(self, octets: &[u8]) -> Option<(Medium, usize)> {
        let is_ip = |at: usize| matches!(octets.get(at).map(|octet| octet >> 4), Some(4 | 6));
        let ether_type = |at: usize| matches!(octets.get(at..at + 2), Some([8, 0] | [0x86, 0xdd]));
        match self.0 {
            1 => Some((Medium::Ethernet, 0)),
            // RAW, as the file's number and as some systems wrote it; IPV4; IPV6.
            101 | 12 | 14 | 228 | 229 => Some((Medium::Ip, 0)),
            // NULL and LOOP: four octets, the address family of some system.
            0 | 108 if is_ip(4) => Some((Medium::Ip, 4)),
            // LINUX_SLL and LINUX_SLL2, of a capture on "any".
            113 if ether_type(14) => Some((Medium::Ip, 16)),
            276 if ether_type(0) => Some((Medium::Ip, 20)),
            _ => None,
        }
    }

    /// The name of one that may hold an IP packet.
    pub(super) fn name(self) -> Option<&'static str> {
        match self.0 {
            0 | 108 => Some("BSD loopback"),
            113 => Some("Linux cooked capture"),
            276 => Some("Linux cooked capture v2"),
            _ => None,
        }
    }
}
