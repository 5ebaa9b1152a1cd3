//! The Internet checksum (RFC 1071).

use core::net::IpAddr;

/// A sum in one's complement, 16 bits wide.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) struct Sum(u32);

impl Sum {
    pub(crate) const ZERO: Sum = Sum(0);

    /// Octets from an even offset on.
    pub(crate) fn add(self, octets: &[u8]) -> Sum {
        let (pairs, last) = octets.as_chunks::<2>();
        let pairs: u64 = pairs
            .iter()
            .map(|&pair| u64::from(u16::from_be_bytes(pair)))
            .sum();
        let last = last.first().map_or(0, |&octet| u64::from(octet) << 8);
        let mut sum = u64::from(self.0) + pairs + last;
        while sum > 0xffff {
            sum = (sum & 0xffff) + (sum >> 16);
        }
        Sum(sum as u32)
    }

    /// The pseudo-header of RFC 9293 §3.1 and RFC 8200 §8.1. (The length's width makes no difference to the sum.)
    pub(crate) fn pseudo_header(
        source: impl Into<IpAddr>,
        destination: impl Into<IpAddr>,
        protocol: u8,
        len: u32,
    ) -> Sum {
        let sum = match (source.into(), destination.into()) {
            (IpAddr::V4(source), IpAddr::V4(destination)) => {
                Sum::ZERO.add(&source.octets()).add(&destination.octets())
            }
            (IpAddr::V6(source), IpAddr::V6(destination)) => {
                Sum::ZERO.add(&source.octets()).add(&destination.octets())
            }
            // A packet's addresses are of one family.
            _ => Sum::ZERO,
        };
        sum.add(&[0, protocol]).add(&len.to_be_bytes())
    }

    /// Whether octets that include their checksum are as they were sent.
    pub(crate) fn is_right(self) -> bool {
        self.0 == 0xffff
    }

    /// The checksum of octets whose own place for it is zero.
    pub(crate) fn checksum(self) -> [u8; 2] {
        (!(self.0 as u16)).to_be_bytes()
    }
}
