//! The line that says what a frame is: Wireshark's column "Info".

use core::fmt::{self, Write};

use super::{Dissection, Network, checksum::Checksum, ip::Transport};

/// The longest line, in octets of UTF-8; a longer one ends in `…`. Only names in DNS come near it.
pub const LINE_MAX: usize = 512;

pub(super) const MALFORMED: &str = "[Malformed Packet]";

/// The numbers of a TCP segment that a reader wants in place of those on the wire: relative to where the connection's
/// began, and the window in octets.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Numbers {
    /// In place of the sequence number.
    pub sequence: u32,
    /// In place of the acknowledgment. What it differs by, the blocks of a SACK option differ by, too.
    pub acknowledgment: u32,
    /// In place of the window field.
    pub window: u32,
}

/// A frame's line, with a segment's numbers as the reader wants them. See [`Dissection::with_numbers`].
#[derive(Debug, Clone, Copy)]
pub struct Info<'d, 'f> {
    pub(super) dissection: &'d Dissection<'f>,
    pub(super) numbers: Option<Numbers>,
}

impl fmt::Display for Info<'_, '_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        line(f, &|f: &mut fmt::Formatter<'_>| self.whole(f))
    }
}

impl Info<'_, '_> {
    fn whole(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let packet = match &self.dissection.network {
            Network::Arp(arp) => return fmt::Display::fmt(arp, f),
            Network::Ip(packet) => packet,
            Network::Other(length @ ..0x600) => {
                return write!(f, "IEEE 802.3, {length} octets");
            }
            Network::Other(ethertype) => return write!(f, "Ethernet II, type 0x{ethertype:04x}"),
            Network::Malformed(_) => return f.write_str(MALFORMED),
        };
        packet.info(f, self.numbers)?;
        if packet.ip.checksum() == Checksum::Wrong {
            f.write_str(" [IP CHECKSUM INCORRECT]")?;
        }
        if packet.transport_checksum() == Checksum::Wrong {
            // The protocol that has it: DNS and DHCP are UDP's.
            let name = match &packet.transport {
                Transport::Udp(_) => "UDP",
                Transport::Tcp(_) => "TCP",
                Transport::Icmpv6(_) => "ICMPv6",
                Transport::Igmp(_) => "IGMP",
                _ => "ICMP",
            };
            write!(f, " [{name} CHECKSUM INCORRECT]")?;
        }
        Ok(())
    }
}

/// `49152 → 9999`, and with `{:#}` in ASCII.
pub(super) fn ports(f: &mut fmt::Formatter<'_>, source: u16, destination: u16) -> fmt::Result {
    let arrow = if f.alternate() { "->" } else { "→" };
    write!(f, "{source} {arrow} {destination}")
}

type Writing<'w> = dyn Fn(&mut fmt::Formatter<'_>) -> fmt::Result + 'w;

/// Writes a line, cut at [`LINE_MAX`].
pub(super) fn line(f: &mut fmt::Formatter<'_>, write: &Writing<'_>) -> fmt::Result {
    struct Whole<'w>(&'w Writing<'w>);
    impl fmt::Display for Whole<'_> {
        fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            (self.0)(f)
        }
    }

    let is_ascii = f.alternate();
    let ellipsis = if is_ascii { "..." } else { "…" };
    let mut clipped = Clipped {
        room: LINE_MAX - ellipsis.len(),
        is_full: false,
        to: f,
    };
    let written = match is_ascii {
        true => write!(clipped, "{:#}", Whole(write)),
        false => write!(clipped, "{}", Whole(write)),
    };
    match clipped.is_full {
        true => f.write_str(ellipsis),
        false => written,
    }
}

/// Passes on what it has room for, and is an error from there on: so whoever writes into it stops.
struct Clipped<'t, 'f> {
    to: &'t mut fmt::Formatter<'f>,
    room: usize,
    is_full: bool,
}

impl Write for Clipped<'_, '_> {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        let fitting = text.floor_char_boundary(self.room);
        self.to.write_str(text.get(..fitting).unwrap_or_default())?;
        self.room -= fitting;
        self.is_full = fitting < text.len();
        if self.is_full {
            Err(fmt::Error)
        } else {
            Ok(())
        }
    }
}
