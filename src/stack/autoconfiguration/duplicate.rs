//! Duplicate address detection (RFC 4862 §5.4): an address is asked for, and if nobody has it by the end of a second, it
//! may be used.

use smoltcp::time::{Duration, Instant};

use super::option::{NdOption, Options};
use super::packet::Message;
use crate::stack::ip::Ipv6Addr;
use crate::stack::neighbor::{NEIGHBOR_ADVERTISEMENT, NEIGHBOR_SOLICITATION, solicited_node};

/// The flag of an advertisement that answers a question (RFC 4861 §4.4).
const SOLICITED: u8 = 0x40;

/// How often an address is asked for (RFC 4862 §5.1, DupAddrDetectTransmits).
const TRANSMITS: u8 = 1;

/// The first question waits for up to so long, so that hosts which start together do not ask together (RFC 4861 §10).
const MAX_DELAY: Duration = Duration::from_secs(1);

/// The detection of one address.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::stack) struct Detection {
    unsent: u8,
    at: Instant,
    nonce: [u8; 6],
}

impl Detection {
    /// Begins after a part of a second, which `random` chooses, as it does the nonce.
    pub(in crate::stack) fn delayed(now: Instant, random: u64) -> Detection {
        let delay = random % (MAX_DELAY.total_micros() + 1);
        Detection {
            at: now + Duration::from_micros(delay),
            ..Detection::at_once(now, random.rotate_left(32))
        }
    }

    /// Begins at once: nothing that many hosts hear at the same time is behind it.
    pub(in crate::stack) fn at_once(now: Instant, random: u64) -> Detection {
        let [nonce @ .., _, _] = random.to_be_bytes();
        Detection {
            unsent: TRANSMITS,
            at: now,
            nonce,
        }
    }

    /// When something is to be done next.
    pub(in crate::stack) fn at(&self) -> Instant {
        self.at
    }

    /// A solicitation is to be sent.
    pub(in crate::stack) fn is_due(&self, now: Instant) -> bool {
        self.unsent > 0 && self.at <= now
    }

    /// One has been sent: others have until `retransmit` later to answer.
    pub(in crate::stack) fn sent(&mut self, now: Instant, retransmit: Duration) {
        self.unsent = self.unsent.saturating_sub(1);
        self.at = now + retransmit;
    }

    /// Nobody has answered.
    pub(in crate::stack) fn is_over(&self, now: Instant) -> bool {
        self.unsent == 0 && self.at <= now
    }

    /// Goes with the solicitation, so that its echo is known as one (RFC 7527 §4).
    pub(in crate::stack) fn nonce(&self) -> [u8; 6] {
        self.nonce
    }
}

/// What is heard of an address that may be tentative here.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Heard {
    /// Another host is about to take it: it asks from the unspecified address, perhaps with a nonce.
    Solicitation(Ipv6Addr, Option<[u8; 6]>),
    /// A host has it.
    Advertisement(Ipv6Addr),
}

impl Heard {
    /// `None` for what says nothing about duplicates, or is to be discarded (RFC 4861 §7.1).
    pub(in crate::stack) fn parse(message: &Message<'_>) -> Option<Heard> {
        let (first, rest) = message.body.split_first()?;
        let (_, rest) = rest.split_at_checked(3)?;
        let (target, options) = rest.split_first_chunk::<16>()?;
        let target = Ipv6Addr::from_octets(*target);
        let options = Options::parse(options)?.iter();
        match message.kind {
            NEIGHBOR_SOLICITATION
                if message.source.is_unspecified()
                    && message.destination == solicited_node(target) =>
            {
                let mut nonce = None;
                for option in options {
                    match option {
                        NdOption::SourceLinkLayerAddress => return None,
                        NdOption::Nonce(octets) => nonce = octets.try_into().ok(),
                        _ => {}
                    }
                }
                Some(Heard::Solicitation(target, nonce))
            }
            // What is multicast is no answer to a question.
            NEIGHBOR_ADVERTISEMENT
                if !message.destination.is_multicast() || first & SOLICITED == 0 =>
            {
                Some(Heard::Advertisement(target))
            }
            _ => None,
        }
    }
}
