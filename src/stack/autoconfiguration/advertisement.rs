//! A router advertisement: what it says, and whether a router on the link can have sent it (RFC 4861 §4.2, §6.1.2).

use super::option::Options;
use super::packet::{Message, ROUTER_ADVERTISEMENT};

/// How a router wants to be preferred to others (RFC 4191 §2.1).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Preference {
    High,
    Medium,
    Low,
}

/// A router advertisement.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Advertisement<'p> {
    pub(super) preference: Preference,
    /// In seconds; 0: not a default router.
    pub(super) router_lifetime: u16,
    /// Milliseconds between solicitations; 0: not said.
    pub(super) retransmit: u32,
    pub(super) options: Options<'p>,
}

impl<'p> Advertisement<'p> {
    /// `None` if it is no router advertisement, or one to be discarded.
    pub(super) fn parse(message: &Message<'p>) -> Option<Advertisement<'p>> {
        if message.kind != ROUTER_ADVERTISEMENT || !message.source.is_unicast_link_local() {
            return None;
        }
        let [_, flags, l0, l1, _, _, _, _, r0, r1, r2, r3, options @ ..] = message.body else {
            return None;
        };
        Some(Advertisement {
            preference: match flags >> 3 & 0b11 {
                0b01 => Preference::High,
                0b11 => Preference::Low,
                _ => Preference::Medium,
            },
            router_lifetime: u16::from_be_bytes([*l0, *l1]),
            retransmit: u32::from_be_bytes([*r0, *r1, *r2, *r3]),
            options: Options::parse(options)?,
        })
    }
}
