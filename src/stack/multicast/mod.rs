//! The groups that an interface is in, and how the routers of its link are told: IGMPv2 (RFC 2236) and MLDv2 (RFC 3810).
//!
//! A state machine without a network: it is told the time, who joins and leaves, and what arrives; it says when it wants to
//! be asked, and then writes the next message. All of them go out with a hop limit of 1 and the Router Alert option
//! (RFC 2113, RFC 2711), so that no router passes them on and each looks at them.
//!
//! An IPv4 link is spoken to by IGMPv2, whatever asks: routers of IGMPv3 understand it (RFC 3376 §7.3), and where an
//! IGMPv1 router is about, by IGMPv1. An IPv6 link is spoken to by MLDv2, by MLDv1 where a router of that age is about.
//! Every member takes whatever is sent to its group, whoever sends it: there are no source filters.

#[cfg(feature = "ipv4")]
mod igmp;
mod member;
#[cfg(feature = "ipv6")]
mod mld;

use smoltcp::time::{Duration, Instant};

use crate::stack::ip::IpAddr;
use crate::{Error, Result};

/// Groups of one family that an interface can be in.
pub(crate) const GROUPS: usize = if cfg!(feature = "std") { 64 } else { 6 };

/// Sources of IPv6 groups that routers may ask about at a time. Where they ask about more, they hear of the whole group.
const SOURCES: usize = if cfg!(feature = "std") { 16 } else { 2 };

/// The longest message that speaks of one group: a report of MLDv2 with a record, and the sources asked about.
pub(crate) const MESSAGE_LEN: usize = 8 + 20 + SOURCES * 16;

/// Where random numbers come from: 64 bits a call.
pub(crate) type Random<'r> = &'r mut dyn FnMut() -> u64;

/// A message of IGMP, or of MLD, that arrived.
pub(crate) struct Heard<'m> {
    /// Who sent it.
    pub(crate) source: IpAddr,
    /// The packet's hop limit, which MLD looks at.
    #[cfg(feature = "ipv6")]
    pub(crate) hop_limit: u8,
    /// Whether it had the Router Alert option, as MLD demands.
    #[cfg(feature = "ipv6")]
    pub(crate) router_alert: bool,
    /// What is behind the IP header and its options. The checksum of ICMPv6, which covers the header too, was right.
    pub(crate) message: &'m [u8],
}

/// A message to be sent, with a hop limit of 1 and the Router Alert option.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Told {
    /// To whom.
    pub(crate) to: IpAddr,
    /// Octets written. The checksum of ICMPv6 is left out: the sender's address is not known here.
    pub(crate) len: usize,
}

/// The groups of one interface.
pub(crate) struct Memberships {
    #[cfg(feature = "ipv4")]
    igmp: igmp::Igmp,
    #[cfg(feature = "ipv6")]
    mld: mld::Mld,
    /// When there is something to send: each `poll` asks, and there hardly ever is.
    due: Option<Instant>,
}

impl Memberships {
    /// An interface in no group but those of all hosts.
    pub(crate) const fn new() -> Memberships {
        Memberships {
            #[cfg(feature = "ipv4")]
            igmp: igmp::Igmp::new(),
            #[cfg(feature = "ipv6")]
            mld: mld::Mld::new(),
            due: None,
        }
    }

    /// One more who wants what is sent to a group. The first makes the interface a member.
    ///
    /// [`Error::InvalidArgument`] where it is no group, [`Error::Exhausted`] where there are too many.
    pub(crate) fn join(&mut self, group: IpAddr, now: Instant) -> Result<()> {
        if !group.is_multicast() {
            return Err(Error::InvalidArgument);
        }
        let joined = match group {
            #[cfg(feature = "ipv4")]
            IpAddr::V4(group) => self.igmp.join(group, now),
            #[cfg(feature = "ipv6")]
            IpAddr::V6(group) => self.mld.join(group, now),
            #[allow(unreachable_patterns)]
            _ => Err(Error::AddressFamilyNotSupported),
        };
        self.note_due();
        joined
    }

    /// One less. The last ends the interface's membership.
    ///
    /// [`Error::AddrNotAvailable`] where nobody is in it.
    pub(crate) fn leave(&mut self, group: IpAddr, now: Instant) -> Result<()> {
        let left = match group {
            #[cfg(feature = "ipv4")]
            IpAddr::V4(group) => self.igmp.leave(group, now),
            #[cfg(feature = "ipv6")]
            IpAddr::V6(group) => self.mld.leave(group, now),
            #[allow(unreachable_patterns)]
            _ => Err(Error::AddrNotAvailable),
        };
        self.note_due();
        left
    }

    /// Whether the interface takes what is sent to a group. It is always in the group of all hosts (RFC 1112 §7.1,
    /// RFC 4291 §2.8).
    pub(crate) fn is_member(&self, group: IpAddr) -> bool {
        match group {
            #[cfg(feature = "ipv4")]
            IpAddr::V4(group) => self.igmp.is_member(group),
            #[cfg(feature = "ipv6")]
            IpAddr::V6(group) => self.mld.is_member(group),
            #[allow(unreachable_patterns)]
            _ => false,
        }
    }

    /// The groups that somebody joined, and how many did.
    pub(crate) fn groups(&self) -> impl Iterator<Item = (IpAddr, u16)> {
        let none = core::iter::empty();
        #[cfg(feature = "ipv4")]
        let none = none.chain(self.igmp.groups());
        #[cfg(feature = "ipv6")]
        let none = none.chain(self.mld.groups());
        none
    }

    /// Tells the routers of every group of a family anew: the link has come up, or there is a link-local address to speak from
    /// at last (RFC 3590 §4: routers do not hear who speaks from `::`).
    pub(crate) fn announce(&mut self, is_v4: bool, now: Instant) {
        match is_v4 {
            #[cfg(feature = "ipv4")]
            true => self.igmp.announce(now),
            #[cfg(feature = "ipv6")]
            false => self.mld.announce(now),
            #[allow(unreachable_patterns)]
            _ => {}
        }
        self.note_due();
    }

    /// Takes in a message; what is none, or is not for a member, changes nothing.
    pub(crate) fn hear(&mut self, heard: &Heard<'_>, now: Instant, random: Random<'_>) {
        match heard.source {
            #[cfg(feature = "ipv4")]
            IpAddr::V4(_) => self.igmp.hear(heard.message, now, random),
            #[cfg(feature = "ipv6")]
            IpAddr::V6(source) => self.mld.hear(source, heard, now, random),
            #[allow(unreachable_patterns)]
            _ => {}
        }
        self.note_due();
    }

    /// When there is something to send.
    #[inline]
    pub(crate) fn poll_at(&self) -> Option<Instant> {
        self.due
    }

    fn note_due(&mut self) {
        let times: [Option<Instant>; 2] = [
            #[cfg(feature = "ipv4")]
            self.igmp.poll_at(),
            #[cfg(not(feature = "ipv4"))]
            None,
            #[cfg(feature = "ipv6")]
            self.mld.poll_at(),
            #[cfg(not(feature = "ipv6"))]
            None,
        ];
        self.due = times.into_iter().flatten().min();
    }

    /// Writes the next message that is due; to be called until there is none. The buffer has [`MESSAGE_LEN`] octets at least;
    /// in a longer one MLDv2 speaks of more groups at once.
    pub(crate) fn emit(
        &mut self,
        buffer: &mut [u8],
        now: Instant,
        random: Random<'_>,
    ) -> Option<Told> {
        let told = self.write(buffer, now, random);
        self.note_due();
        told
    }

    fn write(&mut self, buffer: &mut [u8], now: Instant, random: Random<'_>) -> Option<Told> {
        #[cfg(feature = "ipv4")]
        if let Some(told) = self.igmp.emit(buffer, now, random) {
            return Some(told);
        }
        #[cfg(feature = "ipv6")]
        if let Some(told) = self.mld.emit(buffer, now, random) {
            return Some(told);
        }
        None
    }
}

/// Whether a type of ICMPv6 is MLD's: queries, reports and "done" (RFC 2710 §3, RFC 3810 §5.2).
#[cfg(feature = "ipv6")]
pub(crate) const fn is_mld(kind: u8) -> bool {
    matches!(kind, 130..=132 | 143)
}

/// A random time, shorter than `longest`.
fn random_delay(longest: Duration, random: Random<'_>) -> Duration {
    let micros = (u128::from(longest.total_micros()) * u128::from(random())) >> 64;
    Duration::from_micros(micros as u64)
}

#[cfg(test)]
mod tests;
