//! The values that options have beside numbers and times.

/// How a connection reacts to loss.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum CongestionControl {
    /// Sends as much as the peer's window takes.
    None,
    /// NewReno's window (RFC 5681).
    Reno,
    /// CUBIC (RFC 9438). It calculates with `f64`, so it is there with `std` only.
    #[cfg(feature = "std")]
    Cubic,
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
