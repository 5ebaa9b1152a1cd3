//! A question, and what an answer says to it (RFC 1035 §4.1). Records of types that nobody asked for are stepped over by
//! their length (RFC 3597 §3).

use core::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use super::name::{MAX_NAME, Name};
use super::query::Found;
use crate::stack::datagram::gather;

const HEADER: usize = 12;
/// Octets of the longest question.
pub(crate) const MAX_QUERY: usize = HEADER + MAX_NAME + 4;
/// Aliases that are followed one after the other, as BIND and Unbound do; a loop has more.
pub(super) const MAX_ALIASES: u8 = 16;

const CNAME: u16 = 5;
const INTERNET: u16 = 1;

/// QR and the opcode, which is 0 in a query and its answer.
const RESPONSE: u8 = 0x80;
const RESPONSE_AND_OPCODE: u8 = 0xf8;
const TRUNCATED: u8 = 0x02;
const RECURSION_DESIRED: u8 = 0x01;
const RCODE: u8 = 0x0f;
const NO_ERROR: u8 = 0;
const NAME_ERROR: u8 = 3;

/// Which kind of address is asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Family {
    /// A records (RFC 1035 §3.4.1).
    V4,
    /// AAAA records (RFC 3596 §2.1).
    V6,
}

impl Family {
    const fn record_type(self) -> u16 {
        match self {
            Family::V4 => 1,
            Family::V6 => 28,
        }
    }

    /// The address in such a record; `None` where it has another length.
    fn address(self, data: &[u8]) -> Option<IpAddr> {
        Some(match self {
            Family::V4 => Ipv4Addr::from(<[u8; 4]>::try_from(data).ok()?).into(),
            Family::V6 => Ipv6Addr::from(<[u8; 16]>::try_from(data).ok()?).into(),
        })
    }
}

/// What is asked; an answer repeats it to the octet.
#[derive(Debug, Clone)]
pub(super) struct Question {
    pub(super) id: u16,
    pub(super) name: Name,
    pub(super) family: Family,
}

/// What an answer says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Answer {
    /// The addresses, at most as many as there is room for.
    Found(Found),
    /// The name is another one's alias, of which it says nothing; and how many aliases led there.
    Alias(Name, u8),
    /// The name has no address of this family.
    NoData,
    /// There is no such name.
    NoName,
    /// The server cannot or does not want to answer, or leads in circles.
    Failure,
}

/// An answer that is one to the question.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Response {
    pub(super) answer: Answer,
    /// It did not fit: there is more than `answer` says (RFC 1035 §4.1.1, TC).
    pub(super) is_truncated: bool,
}

impl Question {
    /// Writes it as a message; its length, where the buffer has room for it.
    pub(super) fn write(&self, buffer: &mut [u8]) -> Option<usize> {
        let name = self.name.octets();
        let [id0, id1] = self.id.to_be_bytes();
        let header = [id0, id1, RECURSION_DESIRED, 0, 0, 1, 0, 0, 0, 0, 0, 0];
        let len = HEADER + name.len() + 4;
        gather(&[&header, name, &self.kind()], buffer.get_mut(..len)?);
        Some(len)
    }

    /// Type and class.
    fn kind(&self) -> [u8; 4] {
        let [high, low] = self.family.record_type().to_be_bytes();
        let [class_high, class_low] = INTERNET.to_be_bytes();
        [high, low, class_high, class_low]
    }

    /// What a message says to this question; `None` where it is no answer to it, or no message. Of one that `is_cut`, or
    /// says so itself, what is there whole counts.
    pub(super) fn read(&self, message: &[u8], is_cut: bool) -> Option<Response> {
        let (header, body) = message.split_first_chunk::<HEADER>()?;
        let &[id0, id1, flags, more, q0, q1, a0, a1, ..] = header;
        if u16::from_be_bytes([id0, id1]) != self.id
            || flags & RESPONSE_AND_OPCODE != RESPONSE
            || u16::from_be_bytes([q0, q1]) != 1
        {
            return None;
        }
        let behind = body.strip_prefix(self.name.octets())?;
        behind.strip_prefix(&self.kind())?;
        let is_truncated = flags & TRUNCATED != 0;
        let records = Records {
            message,
            at: HEADER + self.name.octets().len() + 4,
            left: u16::from_be_bytes([a0, a1]),
            is_cut: is_cut || is_truncated,
        };
        let answer = match more & RCODE {
            NO_ERROR => self.follow(&records)?,
            NAME_ERROR => Answer::NoName,
            _ => Answer::Failure,
        };
        Some(Response {
            answer,
            is_truncated,
        })
    }

    /// Goes from the name over its aliases to the addresses, in whatever order the records are.
    fn follow(&self, records: &Records<'_>) -> Option<Answer> {
        let mut target = self.name.clone();
        for aliases in 0..=MAX_ALIASES {
            let mut found = Found::new();
            let mut alias = None;
            let mut records = records.clone();
            while let Some(record) = records.next() {
                let record = record?;
                if record.class != INTERNET || record.owner != target {
                    continue;
                }
                if record.record_type == self.family.record_type() {
                    // What there is no room for is left out.
                    let _ = found.push(self.family.address(record.data)?);
                } else if record.record_type == CNAME && alias.is_none() {
                    let (name, end) = Name::read(record.until_its_end, record.data_at)?;
                    if end != record.until_its_end.len() {
                        return None;
                    }
                    alias = Some(name);
                }
            }
            match alias {
                _ if !found.is_empty() => return Some(Answer::Found(found)),
                Some(alias) => target = alias,
                None if aliases == 0 => return Some(Answer::NoData),
                None => return Some(Answer::Alias(target, aliases)),
            }
        }
        Some(Answer::Failure)
    }
}

/// A resource record.
struct Record<'m> {
    owner: Name,
    record_type: u16,
    class: u16,
    data: &'m [u8],
    /// The message up to the end of the data, for a name in it points back into the message.
    until_its_end: &'m [u8],
    data_at: usize,
}

/// The records of the answer section.
#[derive(Clone)]
struct Records<'m> {
    message: &'m [u8],
    at: usize,
    left: u16,
    /// The message may end in the middle of a record, which is none then.
    is_cut: bool,
}

impl<'m> Records<'m> {
    /// The next one; `Some(None)` where there should be one and is not.
    fn next(&mut self) -> Option<Option<Record<'m>>> {
        self.left = self.left.checked_sub(1)?;
        match self.read() {
            None if self.is_cut => None,
            record => Some(record),
        }
    }

    fn read(&mut self) -> Option<Record<'m>> {
        let (owner, at) = Name::read(self.message, self.at)?;
        let fixed = self.message.get(at..)?.first_chunk::<10>()?;
        let &[t0, t1, c0, c1, _, _, _, _, len0, len1] = fixed;
        let data_at = at + fixed.len();
        let end = data_at + usize::from(u16::from_be_bytes([len0, len1]));
        let until_its_end = self.message.get(..end)?;
        self.at = end;
        Some(Record {
            owner,
            record_type: u16::from_be_bytes([t0, t1]),
            class: u16::from_be_bytes([c0, c1]),
            data: until_its_end.get(data_at..)?,
            until_its_end,
            data_at,
        })
    }
}
