//! The options of raw sockets.

use super::{Options, SettableOption, SocketOption, sealed};
use crate::stack::{Fd, Stack};
use crate::trace::Observer;
use crate::{Error, Result};

/// A raw socket's own options, as `setsockopt` left them.
#[derive(Debug, Clone, Copy)]
pub(in crate::stack) struct RawOptions {
    pub(in crate::stack) header_included: bool,
    pub(in crate::stack) icmp_filter: IcmpFilter,
    pub(in crate::stack) checksum_offset: Option<u16>,
}

impl RawOptions {
    pub(super) const DEFAULT: RawOptions = RawOptions {
        header_included: false,
        icmp_filter: IcmpFilter::NONE,
        checksum_offset: None,
    };
}

/// Which ICMP messages a raw socket does not want to receive: a bit for each type (`ICMP_FILTER`, `ICMP6_FILTER`;
/// RFC 3542 §3.2).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct IcmpFilter([u32; 8]);

impl IcmpFilter {
    /// Every message passes.
    pub const NONE: IcmpFilter = IcmpFilter([0; 8]);

    /// No message passes.
    pub const ALL: IcmpFilter = IcmpFilter([u32::MAX; 8]);

    /// Lets the messages of one type pass, too.
    pub const fn pass(mut self, kind: u8) -> IcmpFilter {
        self.0[(kind >> 5) as usize] &= !(1 << (kind & 31));
        self
    }

    /// Blocks the messages of one type, too.
    pub const fn block(mut self, kind: u8) -> IcmpFilter {
        self.0[(kind >> 5) as usize] |= 1 << (kind & 31);
        self
    }

    /// Whether the messages of one type pass.
    pub const fn passes(&self, kind: u8) -> bool {
        self.0[(kind >> 5) as usize] & 1 << (kind & 31) == 0
    }
}

options! {
    /// `IP_HDRINCL` or `IPV6_HDRINCL`, of a raw socket: what is sent begins with an IP header. Default: off.
    HeaderIncluded: bool = raw.header_included, if |_| true;
    /// `ICMP_FILTER` or `ICMP6_FILTER`, of a raw socket. Default: every message passes.
    IcmpTypes: IcmpFilter = raw.icmp_filter, if |_| true;
    /// `IPV6_CHECKSUM`, of a raw socket of IPv6: where in the packet its checksum stands, an even offset. The stack writes it
    /// into what is sent, and keeps away what comes in with a wrong one (RFC 3542 §3.1). Default: none; ICMPv6's is always seen
    /// to.
    ChecksumOffset: Option<u16> = raw.checksum_offset, if |v| v.is_none_or(|offset| offset % 2 == 0);
}
