//! The Internet checksum (RFC 1071), and what became of it.

use core::net::IpAddr;

/// Whether a checksum is right.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Checksum {
    /// It fits the octets.
    Right,
    /// It does not: something on the way changed the frame.
    Wrong,
    /// There is none, or not everything that it covers is here: a fragment, a quotation, a capture cut short.
    NotChecked,
}

impl Checksum {
    /// Of octets that include their checksum.
    pub(super) fn of(sum: Sum) -> Checksum {
        if sum.0 == 0xffff {
            Checksum::Right
        } else {
            Checksum::Wrong
        }
    }
}

/// A sum in one's complement, 16 bits wide.
#[derive(Clone, Copy)]
pub(super) struct Sum(u32);

impl Sum {
    pub(super) const ZERO: Sum = Sum(0);

    /// Octets from an even offset on.
    pub(super) fn add(self, octets: &[u8]) -> Sum {
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
    pub(super) fn pseudo_header(
        source: IpAddr,
        destination: IpAddr,
        protocol: u8,
        len: u32,
    ) -> Sum {
        let sum = match (source, destination) {
            (IpAddr::V4(source), IpAddr::V4(destination)) => {
                Sum::ZERO.add(&source.octets()).add(&destination.octets())
            }
            (IpAddr::V6(source), IpAddr::V6(destination)) => {
                Sum::ZERO.add(&source.octets()).add(&destination.octets())
            }
            // A packet's addresses are of one family.
            _ => Sum::ZERO,
        };
        sum.add(&len.to_be_bytes()).add(&[0, protocol])
    }
}
