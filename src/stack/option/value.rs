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
