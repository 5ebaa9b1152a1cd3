//! Reassembly of IP fragments: RFC 791 and RFC 815 for IPv4, RFC 8200 §4.5 and RFC 5722 for IPv6.
//!
//! Only the first fragment holds the ports, and fragments come in any order: whose a datagram is can be told when
//! all of it is here, and not before. So fragments are gathered ahead of everything else, and what leaves this file
//! is a frame that looks as if it had never been cut.
//!
//! One datagram's storage, and the frame in it when the last hole is filled:
//!
//! ```text
//!  0                    HEAD                                   HEAD + capacity
//!  |      room | link | IP | payload, every fragment at its offset  | bitmap |
//!              '----------- the frame -----------'
//! ```
//!
//! The payload has a fixed place whatever the headers' length, because the fragment with the header may come last.
//! The bitmap has a bit for each 8-byte block, the unit of fragment offsets: unlike a list of holes (RFC 815) it
//! never runs out, however many fragments there are.
//!
//! Not done: ICMP "time exceeded" when the time is up; the merging of ECN marks (RFC 3168 §5.3; smoltcp has no ECN).

use core::{mem, ops::Range};
use managed::ManagedSlice;
use smoltcp::time::{Duration, Instant};
use smoltcp::wire::IpProtocol;

use super::place::Place;
use crate::trace::DropReason;
use answer::Way;
use packet::{Fragment, Key, rewrite};

mod answer;
mod arrival;
mod packet;
mod piece;

pub(super) use piece::{Fragmentation, Piece};

#[cfg(all(test, feature = "alloc"))]
mod tests;

/// How long fragments wait for the others, from the first that came: Linux's `IP_FRAG_TIME`. RFC 8200 §4.5 gives up
/// after 60 s, RFC 1122 §3.3.2 recommends more; at today's speeds a 16-bit identification comes round again long
/// before (RFC 4963).
pub(crate) const TIMEOUT: Duration = Duration::from_secs(30);

const LINK_HEADER_MAX: usize = 14;
const IP_HEADER_MAX: usize = 60;
const HEAD: usize = LINK_HEADER_MAX + IP_HEADER_MAX;
/// Both families count lengths in 16 bits.
const LENGTH_MAX: usize = u16::MAX as usize;
/// Fragment offsets count in units of this many bytes.
const BLOCK: usize = 8;
/// Bytes of payload that one byte of the bitmap speaks of.
const BLOCKS_PER_BYTE: usize = 8;

/// The bytes of storage that putting together a packet of up to `payload` bytes behind the IP header takes: the payload,
/// its headers, and a bit for each eight bytes of it.
pub const fn storage_for(payload: usize) -> usize {
    HEAD + payload + payload.div_ceil(BLOCK * BLOCKS_PER_BYTE)
}

/// The inverse of [`storage_for`].
const fn capacity_of(storage: usize) -> usize {
    let room = storage.saturating_sub(HEAD);
    room - room.div_ceil(BLOCK * BLOCKS_PER_BYTE + 1)
}

/// What became of a fragment.
#[must_use = "a complete datagram's storage must be restored"]
pub(crate) enum Outcome<'a> {
    /// Stored, or known already: other fragments are missing.
    Incomplete,
    /// It was the last one missing. Give the storage back with [`Reassemblies::restore`].
    Complete(Complete<'a>),
    /// It was refused.
    Dropped(Reason),
}

/// Why a fragment was refused. Where its headers could be trusted, the rest of its datagram is refused, too, until
/// [`TIMEOUT`] has passed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Reason {
    /// Not an IP fragment, or one with headers that make no sense.
    Malformed,
    /// The IPv4 header checksum is wrong.
    #[cfg(feature = "ipv4")]
    Checksum,
    /// There is no storage at all, or none that is not taken out.
    NoStorage,
    /// Empty, or not the last one and no multiple of 8 bytes (RFC 8200 §4.5).
    Length,
    /// The datagram is longer than IP allows (the "ping of death"), or than the storage.
    TooLarge,
    /// The first fragment does not hold the TCP or UDP header (RFC 1858 §3, RFC 7112).
    TinyFirst,
    /// The fragments do not agree on where the datagram ends.
    Ends,
    /// It overlaps what came before, other than as a true copy (RFC 5722).
    Overlap,
    /// An earlier fragment was bad, and the datagram with it.
    Refused,
}

impl From<Reason> for DropReason {
    fn from(reason: Reason) -> DropReason {
        match reason {
            Reason::Malformed => DropReason::Malformed,
            #[cfg(feature = "ipv4")]
            Reason::Checksum => DropReason::Checksum,
            _ => DropReason::Fragment,
        }
    }
}

/// A datagram under way: what its fragments have said so far.
struct Datagram {
    key: Key,
    deadline: Instant,
    /// A bad fragment came: the storage is of no use, the key tells which fragments to drop.
    refused: bool,
    /// Bytes stored. No two fragments share one, so the datagram is whole when this is its length.
    received: usize,
    /// Bytes that have others behind them: the furthest end of the fragments that are not the last.
    reach: usize,
    /// The end of the last fragment.
    total: Option<usize>,
    /// Those of the fragment at offset 0.
    headers: Option<Headers>,
}

struct Headers {
    link_len: usize,
    ip_len: usize,
    next_header: IpProtocol,
}

impl Datagram {
    /// Checks what this fragment says about the datagram's end against what the others said.
    fn agree_on_end(&mut self, end: usize, more: bool) -> Result<(), Reason> {
        if more {
            self.reach = self.reach.max(end);
        } else if *self.total.get_or_insert(end) != end {
            return Err(Reason::Ends);
        }
        match self.total {
            Some(total) if total <= self.reach => Err(Reason::Ends),
            _ => Ok(()),
        }
    }
}

enum State {
    Free,
    Gathering(Datagram),
    /// The storage is with the caller, in a [`Complete`].
    Taken,
    /// The storage holds an answer that leaves in fragments: what of it has left.
    Leaving {
        way: Way,
        message: Range<usize>,
        sent: usize,
    },
}

/// Room for one datagram.
pub(crate) struct Reassembly<'a> {
    storage: ManagedSlice<'a, u8>,
    state: State,
}

impl<'a> Reassembly<'a> {
    /// [`storage_for`] tells how many bytes it takes; with fewer, larger datagrams are refused. Without storage: every fragment.
    pub(crate) fn new(storage: impl Into<ManagedSlice<'a, u8>>) -> Self {
        Reassembly {
            storage: storage.into(),
            state: State::Free,
        }
    }

    /// None when it is free (or taken).
    fn deadline(&self) -> Option<Instant> {
        match &self.state {
            State::Gathering(datagram) => Some(datagram.deadline),
            State::Free | State::Taken | State::Leaving { .. } => None,
        }
    }

    fn begin(&mut self, key: Key, deadline: Instant) {
        let bitmap = (HEAD + capacity_of(self.storage.len())).min(self.storage.len());
        self.storage[bitmap..].fill(0);
        self.state = State::Gathering(Datagram {
            key,
            deadline,
            refused: false,
            received: 0,
            reach: 0,
            total: None,
            headers: None,
        });
    }

    /// Puts a fragment in its place; the answer is where the frame is, once the datagram is whole.
    fn place(&mut self, fragment: &Fragment<'_>) -> Result<Option<Range<usize>>, Reason> {
        let State::Gathering(datagram) = &mut self.state else {
            return Err(Reason::NoStorage);
        };
        if datagram.refused {
            return Err(Reason::Refused);
        }
        let length = fragment.payload.len();
        if length == 0 || (fragment.more && !length.is_multiple_of(BLOCK)) {
            return Err(Reason::Length);
        }
        let capacity = capacity_of(self.storage.len());
        let end = fragment.offset + length;
        if end > capacity.min(LENGTH_MAX) {
            return Err(Reason::TooLarge);
        }
        if fragment.offset == 0 && !fragment.headers_whole {
            return Err(Reason::TinyFirst);
        }
        datagram.agree_on_end(end, fragment.more)?;

        let (head, rest) = self.storage.split_at_mut(HEAD);
        let (payload, bitmap) = rest.split_at_mut(capacity);
        let place = &mut payload[fragment.offset..end];
        let blocks = fragment.offset / BLOCK..end.div_ceil(BLOCK);
        let known = blocks
            .clone()
            .filter(|&block| is_set(bitmap, block))
            .count();
        if known == blocks.len() && place == fragment.payload {
            return Ok(None);
        }
        if known > 0 {
            return Err(Reason::Overlap);
        }
        place.copy_from_slice(fragment.payload);
        blocks.for_each(|block| set(bitmap, block));
        datagram.received += length;

        if fragment.offset == 0 {
            let (link_len, ip_len) = (fragment.link_header.len(), fragment.ip_header.len());
            let (link, ip) = head[HEAD - ip_len - link_len..].split_at_mut(link_len);
            link.copy_from_slice(fragment.link_header);
            ip.copy_from_slice(fragment.ip_header);
            datagram.headers = Some(Headers {
                link_len,
                ip_len,
                next_header: fragment.next_header,
            });
        }
        match (&datagram.headers, datagram.total) {
            (Some(headers), Some(total)) if datagram.received == total => {
                let ip_header = HEAD - headers.ip_len;
                rewrite(&mut head[ip_header..], headers.next_header, total)?;
                Ok(Some(ip_header - headers.link_len..HEAD + total))
            }
            _ => Ok(None),
        }
    }
}

fn is_set(bitmap: &[u8], block: usize) -> bool {
    bitmap[block / BLOCKS_PER_BYTE] & 1 << (block % BLOCKS_PER_BYTE) != 0
}

fn set(bitmap: &mut [u8], block: usize) {
    bitmap[block / BLOCKS_PER_BYTE] |= 1 << (block % BLOCKS_PER_BYTE);
}

/// A whole datagram, with the storage that it stands in: [`Reassemblies::restore`] puts that back to use.
#[must_use = "dropping it loses the storage for good"]
pub(crate) struct Complete<'a> {
    slot: usize,
    storage: ManagedSlice<'a, u8>,
    frame: Range<usize>,
}

impl Complete<'_> {
    /// The frame as it would have come in one piece, with the link header of the datagram's first fragment.
    pub(crate) fn frame(&self) -> &[u8] {
        &self.storage[self.frame.clone()]
    }

    /// What is behind its IP header.
    pub(crate) fn payload_mut(&mut self) -> &mut [u8] {
        self.storage
            .get_mut(HEAD..self.frame.end)
            .unwrap_or_default()
    }
}

/// Memory for one datagram, in the caller's.
pub(super) struct Memory<'a, const OCTETS: usize> {
    octets: [u8; OCTETS],
    slot: Place<Reassembly<'a>>,
}

impl<'a, const OCTETS: usize> Memory<'a, OCTETS> {
    pub(super) const fn new() -> Self {
        Memory {
            octets: [0; OCTETS],
            slot: Place::Empty,
        }
    }

    pub(super) fn reassemblies(&'a mut self) -> Reassemblies<'a> {
        Reassemblies::new(self.slot.fill(Reassembly::new(&mut self.octets[..])))
    }
}

/// The datagrams under way.
pub(crate) struct Reassemblies<'a> {
    slots: ManagedSlice<'a, Reassembly<'a>>,
    /// Datagrams of which fragments were thrown away because the time was up, or to make room for another datagram.
    pub(crate) abandoned: u32,
    /// When the first of them is given up: every `poll` asks, and there is hardly ever one.
    earliest: Option<Instant>,
    /// The way of the answer to the packet that has just been put together.
    reply: Option<Way>,
    /// How many answers wait to leave.
    leaving: usize,
}

impl<'a> Reassemblies<'a> {
    /// As many datagrams at a time as there are slots.
    pub(crate) fn new(slots: impl Into<ManagedSlice<'a, Reassembly<'a>>>) -> Self {
        Reassemblies {
            slots: slots.into(),
            abandoned: 0,
            earliest: None,
            reply: None,
            leaving: 0,
        }
    }

    /// The same, each of the longest there is.
    #[cfg(feature = "alloc")]
    pub(super) fn on_the_heap(slots: usize) -> Reassemblies<'static> {
        let slot = |_| Reassembly::new(alloc::vec![0; storage_for(LENGTH_MAX)]);
        Reassemblies::new((0..slots).map(slot).collect::<alloc::vec::Vec<_>>())
    }

    /// Takes one fragment as it came on this interface. `link_header` is empty on a device without one;
    /// bytes after the end of the IP packet (Ethernet padding) are ignored.
    pub(crate) fn add(
        &mut self,
        now: Instant,
        interface: u8,
        link_header: &[u8],
        ip_packet: &[u8],
    ) -> Outcome<'a> {
        self.expire(now);
        let outcome = match Fragment::parse(interface, link_header, ip_packet) {
            Ok(fragment) => self.add_to_datagram(now, &fragment),
            Err(reason) => Outcome::Dropped(reason),
        };
        self.note_earliest();
        outcome
    }

    fn add_to_datagram(&mut self, now: Instant, fragment: &Fragment<'_>) -> Outcome<'a> {
        let Some(slot) = self.slot_for(now, fragment) else {
            return Outcome::Dropped(Reason::NoStorage);
        };
        let reassembly = &mut self.slots[slot];
        match reassembly.place(fragment) {
            Ok(None) => Outcome::Incomplete,
            Ok(Some(frame)) => {
                reassembly.state = State::Taken;
                Outcome::Complete(Complete {
                    slot,
                    storage: mem::replace(&mut reassembly.storage, (&mut [][..]).into()),
                    frame,
                })
            }
            Err(reason) => {
                match &mut reassembly.state {
                    State::Gathering(datagram) if !fragment.is_atomic() => datagram.refused = true,
                    state => *state = State::Free,
                }
                Outcome::Dropped(reason)
            }
        }
    }

    /// The slot where this fragment's datagram is under way, or begins: in a free one, or in place of the oldest.
    fn slot_for(&mut self, now: Instant, fragment: &Fragment<'_>) -> Option<usize> {
        if !fragment.is_atomic()
            && let Some(slot) = self.slots.iter().position(|reassembly| {
                matches!(&reassembly.state, State::Gathering(datagram) if datagram.key == fragment.key)
            })
        {
            return Some(slot);
        }
        // A free one has no deadline, and None comes before any.
        let (slot, _) = self
            .slots
            .iter()
            .enumerate()
            .filter(|(_, reassembly)| matches!(reassembly.state, State::Free | State::Gathering(_)))
            .min_by_key(|(_, reassembly)| reassembly.deadline())?;
        self.abandon(slot);
        self.slots[slot].begin(fragment.key, now + TIMEOUT);
        Some(slot)
    }

    /// Takes back the storage of a datagram that has been read.
    pub(crate) fn restore(&mut self, complete: Complete<'a>) {
        if let Some(reassembly) = self.slots.get_mut(complete.slot) {
            reassembly.storage = complete.storage;
            reassembly.state = State::Free;
        }
        self.note_earliest();
    }

    /// Keeps the storage of a datagram whose payload is an answer by now, until that has left.
    fn send(&mut self, complete: Complete<'a>, way: Way) {
        if let Some(reassembly) = self.slots.get_mut(complete.slot) {
            reassembly.storage = complete.storage;
            reassembly.state = State::Leaving {
                way,
                message: HEAD..complete.frame.end,
                sent: 0,
            };
            self.leaving += 1;
        }
    }

    /// Whether an answer waits to leave by one of these interfaces.
    #[inline]
    pub(super) fn has_answer(&self, is_meant: impl Fn(u8) -> bool) -> bool {
        self.leaving > 0
            && self.slots.iter().any(|slot| match &slot.state {
                State::Leaving { way, .. } => is_meant(way.interface),
                _ => false,
            })
    }

    /// The answer that leaves next by an interface, and how much of it has left.
    fn leaving(&self, interface: u8) -> Option<(Way, &[u8], usize)> {
        self.slots.iter().find_map(|slot| match &slot.state {
            State::Leaving { way, message, sent } if way.interface == interface => {
                Some((*way, slot.storage.get(message.clone())?, *sent))
            }
            _ => None,
        })
    }

    /// So many octets more of it have left.
    fn left(&mut self, interface: u8, octets: usize) {
        for slot in self.slots.iter_mut() {
            if let State::Leaving { way, message, sent } = &mut slot.state
                && way.interface == interface
            {
                *sent += octets;
                if *sent >= message.len() {
                    slot.state = State::Free;
                    self.leaving -= 1;
                }
                return;
            }
        }
    }

    /// Forgets the answers that were to leave by an interface.
    fn drop_answers(&mut self, interface: u8) {
        while let Some((_, message, sent)) = self.leaving(interface) {
            self.left(interface, message.len() - sent);
        }
    }

    fn note_earliest(&mut self) {
        self.earliest = self.slots.iter().filter_map(Reassembly::deadline).min();
    }

    /// Gives up the datagrams whose time is up.
    pub(crate) fn expire(&mut self, now: Instant) {
        if self.earliest.is_none_or(|earliest| earliest > now) {
            return;
        }
        for slot in 0..self.slots.len() {
            if self.slots[slot]
                .deadline()
                .is_some_and(|deadline| deadline <= now)
            {
                self.abandon(slot);
            }
        }
        self.note_earliest();
    }

    /// When [`expire`](Self::expire) has something to do.
    pub(crate) fn next_deadline(&self) -> Option<Instant> {
        self.earliest
    }

    fn abandon(&mut self, slot: usize) {
        let state = mem::replace(&mut self.slots[slot].state, State::Free);
        // A refused datagram was reported when it was refused.
        if matches!(state, State::Gathering(datagram) if !datagram.refused) {
            self.abandoned = self.abandoned.saturating_add(1);
        }
    }
}
