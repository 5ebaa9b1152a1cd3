//! Fields of a header by their offset, in network order; `None` where the octets end before the field does.

use core::net::{Ipv4Addr, Ipv6Addr};

pub(super) fn array<const N: usize>(octets: &[u8], at: usize) -> Option<[u8; N]> {
    octets.get(at..)?.first_chunk().copied()
}

pub(super) fn u16_at(octets: &[u8], at: usize) -> Option<u16> {
    array(octets, at).map(u16::from_be_bytes)
}

pub(super) fn u32_at(octets: &[u8], at: usize) -> Option<u32> {
    array(octets, at).map(u32::from_be_bytes)
}

pub(super) fn ipv4_at(octets: &[u8], at: usize) -> Option<Ipv4Addr> {
    array::<4>(octets, at).map(Ipv4Addr::from)
}

pub(super) fn ipv6_at(octets: &[u8], at: usize) -> Option<Ipv6Addr> {
    array::<16>(octets, at).map(Ipv6Addr::from)
}

/// The first `len` octets, or as many as there are.
pub(super) fn at_most(octets: &[u8], len: usize) -> &[u8] {
    octets.get(..len).unwrap_or(octets)
}

/// Options of IPv4 (RFC 791 §3.1) and TCP (RFC 9293 §3.1), which are alike: a kind, and a length for all but the first
/// two kinds. Ends at the end of the list, of the octets, or at a length that makes no sense.
#[derive(Debug, Clone)]
pub(super) struct Options<'f>(pub(super) &'f [u8]);

pub(super) const END_OF_LIST: u8 = 0;
pub(super) const NO_OPERATION: u8 = 1;

impl<'f> Iterator for Options<'f> {
    type Item = (u8, &'f [u8]);

    fn next(&mut self) -> Option<(u8, &'f [u8])> {
        let (&kind, rest) = self.0.split_first()?;
        let (data, rest) = match kind {
            END_OF_LIST => (&rest[..0], &rest[..0]),
            NO_OPERATION => rest.split_at_checked(0)?,
            _ => {
                let (&len, rest) = rest.split_first()?;
                let data_len = usize::from(len).checked_sub(2);
                match data_len.and_then(|len| rest.split_at_checked(len)) {
                    Some(split) => split,
                    None => {
                        self.0 = &[];
                        return None;
                    }
                }
            }
        };
        self.0 = rest;
        Some((kind, data))
    }
}
