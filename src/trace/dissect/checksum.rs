//! The Internet checksum (RFC 1071), and what became of it.

pub(super) use crate::stack::checksum::Sum;

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
        if sum.is_right() {
            Checksum::Right
        } else {
            Checksum::Wrong
        }
    }
}
