//! A packet that is longer than its way takes leaves in pieces.

use crate::stack::header::{Header, Part};
use crate::stack::sequence::Secret;

/// Some octets of a packet's payload: `offset` is a multiple of eight, and where more follow, the piece's length is, too.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::stack) struct Piece {
    pub(in crate::stack) identification: u32,
    pub(in crate::stack) offset: u16,
    pub(in crate::stack) more: bool,
}

impl Piece {
    /// The identification of an IPv4 header, and its flags with the offset (RFC 791 §3.1).
    pub(in crate::stack) fn ipv4_fields(&self) -> (u16, u16) {
        let more = if self.more { 0x2000 } else { 0 };
        (self.identification as u16, (self.offset / 8) | more)
    }

    /// The extension header that IPv6 has for it, before a payload of this protocol (RFC 8200 §4.5).
    pub(in crate::stack) fn ipv6_header(&self, protocol: u8) -> [u8; 8] {
        let [o0, o1] = (self.offset | u16::from(self.more)).to_be_bytes();
        let [i0, i1, i2, i3] = self.identification.to_be_bytes();
        [protocol, 0, o0, o1, i0, i1, i2, i3]
    }
}

/// The part of a packet that is sent next, and its length, where `sent` octets behind the header have left.
pub(super) fn next_part(
    whole: &Header,
    mtu: usize,
    payload_len: usize,
    identification: u32,
    sent: usize,
) -> (Part, usize) {
    let piece = |more| {
        Part::Fragment(Piece {
            identification,
            offset: sent as u16,
            more,
        })
    };
    let header = Header {
        part: piece(true),
        ..*whole
    };
    let longest = mtu.saturating_sub(header.len()) / 8 * 8;
    let left = payload_len.saturating_sub(sent);
    match left > longest {
        true => (piece(true), longest.max(8)),
        false => (piece(false), left),
    }
}

/// How far the first datagram of a queue has left, if it leaves in fragments.
#[derive(Debug, Clone, Copy)]
pub(in crate::stack) struct Fragmentation(Option<Begun>);

#[derive(Debug, Clone, Copy)]
struct Begun {
    identification: u32,
    /// Octets behind the IP header that have left.
    sent: usize,
}

impl Fragmentation {
    pub(in crate::stack) const NONE: Fragmentation = Fragmentation(None);

    /// Whether more of it is to leave.
    pub(in crate::stack) fn is_under_way(&self) -> bool {
        self.0.is_some()
    }

    /// What of a packet leaves next: which part, the octet behind the IP header that it begins with, its length, and how far
    /// the packet has left then.
    pub(in crate::stack) fn next(
        self,
        whole: &Header,
        mtu: usize,
        payload_len: usize,
        secret: &mut Secret,
    ) -> (Part, usize, usize, Fragmentation) {
        if self.0.is_none() && whole.len() + payload_len <= mtu {
            return (whole.part, 0, payload_len, Fragmentation::NONE);
        }
        let Begun {
            identification,
            sent,
        } = self.0.unwrap_or_else(|| Begun {
            identification: secret.random_u64() as u32,
            sent: 0,
        });
        let (part, len) = next_part(whole, mtu, payload_len, identification, sent);
        let next = Begun {
            identification,
            sent: sent + len,
        };
        let more = next.sent < payload_len;
        (part, sent, len, Fragmentation(more.then_some(next)))
    }
}
