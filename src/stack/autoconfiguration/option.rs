//! The options of neighbor discovery packets, as far as autoconfiguration reads them (RFC 4861 §4.6, RFC 8106 §5.1,
//! RFC 3971 §5.3.2).

use crate::stack::ip::Ipv6Addr;

/// What an option says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum NdOption<'p> {
    SourceLinkLayerAddress,
    Prefix(Prefix),
    Mtu(u32),
    /// How many seconds name servers may be asked, and their addresses, 16 octets each.
    Servers(u32, &'p [u8]),
    Nonce(&'p [u8]),
    Other,
}

/// A prefix (RFC 4861 §4.6.2). Lifetimes are seconds; all ones stand for ever.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Prefix {
    pub(super) prefix: Ipv6Addr,
    pub(super) len: u8,
    /// Its hosts are on the link.
    pub(super) is_on_link: bool,
    /// Hosts may form addresses of it.
    pub(super) is_autonomous: bool,
    pub(super) valid: u32,
    pub(super) preferred: u32,
}

/// Options, one after the other.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Options<'p>(&'p [u8]);

impl<'p> Options<'p> {
    /// `None` if one has no length, or ends behind the packet's end: then nothing of the packet is to be trusted
    /// (RFC 4861 §6.1.2, §7.1.1, §7.1.2).
    pub(super) fn parse(octets: &'p [u8]) -> Option<Options<'p>> {
        let mut rest = octets;
        while !rest.is_empty() {
            (_, rest) = split(rest)?;
        }
        Some(Options(octets))
    }

    pub(super) fn iter(self) -> impl Iterator<Item = NdOption<'p>> {
        let mut rest = self.0;
        core::iter::from_fn(move || {
            let (option, behind) = split(rest)?;
            rest = behind;
            Some(read(option))
        })
    }
}

/// The first option, and what is behind it.
fn split(octets: &[u8]) -> Option<(&[u8], &[u8])> {
    let length = octets.get(1).filter(|length| **length > 0)?;
    octets.split_at_checked(usize::from(*length) * 8)
}

/// Reads an option whose length is right. One that its kind does not allow is as one that nobody knows.
fn read(option: &[u8]) -> NdOption<'_> {
    let number = |at: usize| {
        let octets = option.get(at..).and_then(|rest| rest.first_chunk());
        octets.map_or(0, |octets| u32::from_be_bytes(*octets))
    };
    match option {
        [1, 1, ..] => NdOption::SourceLinkLayerAddress,
        [3, 4, len, flags, ..] => NdOption::Prefix(Prefix {
            prefix: Ipv6Addr::from_octets(option.last_chunk().copied().unwrap_or_default()),
            len: *len,
            is_on_link: flags & 0x80 != 0,
            is_autonomous: flags & 0x40 != 0,
            valid: number(4),
            preferred: number(8),
        }),
        [5, 1, ..] => NdOption::Mtu(number(4)),
        [14, _, nonce @ ..] => NdOption::Nonce(nonce),
        // One address at least, and each takes two units of eight octets.
        [25, length, _, _, _, _, _, _, servers @ ..] if *length >= 3 && length % 2 == 1 => {
            NdOption::Servers(number(4), servers)
        }
        _ => NdOption::Other,
    }
}
