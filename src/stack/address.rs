//! The addresses of an interface: whether they may be used, how long, and where they come from.
//!
//! What changes is told by [`AddressTable::next_change`], one change at a time, so that whoever drives the table sees
//! each, whatever caused it.

use core::time::Duration;

use heapless::Vec;
use smoltcp::time::Instant;

#[cfg(feature = "ipv6")]
use super::autoconfiguration::Detection;
use super::egress::earlier;
use super::ip::IpAddr;
#[cfg(feature = "ipv6")]
use super::ip::Ipv6Addr;
use super::lifetime::Lifetimes;
use super::moment::left;
use super::policy::{Candidate, common_prefix_len};
use crate::{Error, Limit, Result};

/// Addresses of one interface.
pub(super) const ADDRESSES: usize = if cfg!(feature = "std") { 16 } else { 4 };

/// Where an address or a route comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Origin {
    /// The user gave it: [`Stack::add_address`](crate::Stack::add_address), [`Stack::add_route`](crate::Stack::add_route).
    Static,
    /// It belongs to the lease of a DHCP server (RFC 2131).
    Dhcp,
    /// It was formed from a prefix that a router advertised (RFC 4862 §5.5); or the router advertised the route.
    Autoconfigured,
    /// It was formed for the link alone (RFC 4862 §5.3).
    LinkLocal,
}

/// Whether an address may be used (RFC 4862 §2).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum AddressState {
    /// Not yet: whether another host has it is being found out.
    Tentative,
    /// It may.
    Preferred,
    /// What uses it goes on; new connections take another one if there is one.
    Deprecated,
}

/// What became of an address.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum AddressChange {
    /// It is given to the interface; whether another host has it is being found out.
    Tentative,
    /// It may be used.
    Preferred,
    /// Its preferred lifetime is over: what uses it goes on.
    Deprecated,
    /// Another host has it: it is not used.
    Duplicate,
    /// It was taken away, or its valid lifetime is over.
    Removed,
}

/// An address of an interface, as [`Stack::addresses`](crate::Stack::addresses) lists it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct InterfaceAddress {
    /// The address.
    pub address: core::net::IpAddr,
    /// How many of its bits are the prefix.
    pub prefix_len: u8,
    /// Whether it may be used.
    pub state: AddressState,
    /// Where it comes from.
    pub origin: Origin,
    /// How long it stays preferred; `None`: for ever.
    pub preferred: Option<Duration>,
    /// How long it stays at all; `None`: for ever.
    pub valid: Option<Duration>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Condition {
    #[cfg(feature = "ipv6")]
    Tentative(Detection),
    Assigned {
        is_deprecated: bool,
    },
    #[cfg(feature = "ipv6")]
    Duplicate,
    Removed,
}

impl Condition {
    const PREFERRED: Condition = Condition::Assigned {
        is_deprecated: false,
    };
    const DEPRECATED: Condition = Condition::Assigned {
        is_deprecated: true,
    };
}

/// A row of the table.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Row {
    pub(super) addr: IpAddr,
    pub(super) prefix_len: u8,
    pub(super) origin: Origin,
    pub(super) lifetimes: Lifetimes,
    condition: Condition,
    /// What was told last.
    told: Option<AddressChange>,
    /// The router that advertised the prefix last.
    #[cfg(feature = "ipv6")]
    pub(super) router: Option<Ipv6Addr>,
}

impl Row {
    pub(super) fn new(addr: IpAddr, prefix_len: u8, origin: Origin) -> Row {
        Row {
            addr,
            prefix_len,
            origin,
            lifetimes: Lifetimes::FOREVER,
            condition: Condition::PREFERRED,
            told: None,
            #[cfg(feature = "ipv6")]
            router: None,
        }
    }

    #[cfg(feature = "_learned")]
    pub(super) fn with_lifetimes(self, lifetimes: Lifetimes) -> Row {
        Row { lifetimes, ..self }
    }

    /// Not to be used before the detection has found no other host that has it.
    #[cfg(feature = "ipv6")]
    pub(super) fn tentative(self, detection: Detection) -> Row {
        Row {
            condition: Condition::Tentative(detection),
            ..self
        }
    }

    /// As another address of the same prefix, not to be used before the detection is over.
    #[cfg(feature = "ipv6")]
    pub(super) fn moved_to(self, addr: Ipv6Addr, detection: Detection) -> Row {
        let row = Row {
            addr: addr.into(),
            told: None,
            ..self
        };
        row.tentative(detection)
    }

    /// Ends it.
    pub(super) fn take_away(&mut self) {
        self.condition = Condition::Removed;
    }

    /// Whether packets may come from it and go to it.
    pub(super) fn is_assigned(&self) -> bool {
        matches!(self.condition, Condition::Assigned { .. })
    }

    pub(super) fn is_deprecated(&self) -> bool {
        self.condition == Condition::DEPRECATED
    }

    /// An autoconfigured address says nothing about who else is on the link: the advertised prefix does (RFC 5942 §4).
    fn is_on_link(&self) -> bool {
        self.is_assigned() && self.origin != Origin::Autoconfigured
    }

    /// Whether its prefix is the other address's, too.
    pub(super) fn contains(&self, addr: IpAddr) -> bool {
        addr.is_ipv4() == self.addr.is_ipv4()
            && common_prefix_len(addr, self.addr) >= self.prefix_len
    }

    fn change(&self) -> AddressChange {
        match self.condition {
            #[cfg(feature = "ipv6")]
            Condition::Tentative(_) => AddressChange::Tentative,
            #[cfg(feature = "ipv6")]
            Condition::Duplicate => AddressChange::Duplicate,
            Condition::Assigned { is_deprecated } => match is_deprecated {
                false => AddressChange::Preferred,
                true => AddressChange::Deprecated,
            },
            Condition::Removed => AddressChange::Removed,
        }
    }

    fn state(&self) -> Option<AddressState> {
        match self.change() {
            AddressChange::Tentative => Some(AddressState::Tentative),
            AddressChange::Preferred => Some(AddressState::Preferred),
            AddressChange::Deprecated => Some(AddressState::Deprecated),
            AddressChange::Duplicate | AddressChange::Removed => None,
        }
    }

    /// Does what is due by `now`.
    pub(super) fn expire(&mut self, now: Instant) {
        let is_past = |at: Option<Instant>| at.is_some_and(|at| at <= now);
        if is_past(self.lifetimes.valid_until.at()) {
            self.condition = Condition::Removed;
            return;
        }
        match &mut self.condition {
            #[cfg(feature = "ipv6")]
            Condition::Tentative(detection) if !detection.is_over(now) => return,
            Condition::Removed => return,
            #[cfg(feature = "ipv6")]
            Condition::Duplicate => return,
            _ => {}
        }
        self.condition = Condition::Assigned {
            is_deprecated: is_past(self.lifetimes.preferred_until.at()),
        };
    }

    fn expires_at(&self) -> Option<Instant> {
        let preferred_until = self.lifetimes.preferred_until.at();
        earlier(
            preferred_until.filter(|_| self.condition == Condition::PREFERRED),
            self.lifetimes.valid_until.at(),
        )
    }
}

/// A change, and the row after it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Change {
    pub(super) change: AddressChange,
    pub(super) row: Row,
}

/// The addresses of an interface.
#[derive(Debug)]
pub(super) struct AddressTable {
    rows: Vec<Row, ADDRESSES>,
}

impl AddressTable {
    pub(super) const fn new() -> AddressTable {
        AddressTable { rows: Vec::new() }
    }

    pub(super) fn add(&mut self, row: Row) -> Result<()> {
        if self.find(row.addr).is_some() {
            return Err(Error::AddrInUse);
        }
        let result = self.rows.push(row);
        result.map_err(|_| Error::Exhausted(Limit::Addresses))
    }

    /// Gives the address of the row another prefix and other lifetimes, if it is there from the same origin, or else adds it.
    #[cfg(all(feature = "dhcp", feature = "ipv4"))]
    pub(super) fn renew(&mut self, row: Row) -> Result<()> {
        match self.find_mut(row.addr) {
            Some(known) if known.origin == row.origin => {
                known.prefix_len = row.prefix_len;
                known.lifetimes = row.lifetimes;
                Ok(())
            }
            _ => self.add(row),
        }
    }

    /// Says whether there was one.
    pub(super) fn remove(&mut self, addr: IpAddr) -> bool {
        let row = self.find_mut(addr);
        row.map(Row::take_away).is_some()
    }

    /// All, but for those that are gone and not yet told to be.
    pub(super) fn rows(&self) -> impl Iterator<Item = &Row> {
        self.rows.iter().filter(|row| row.state().is_some())
    }

    pub(super) fn find(&self, addr: IpAddr) -> Option<&Row> {
        self.rows().find(|row| row.addr == addr)
    }

    fn find_mut(&mut self, addr: IpAddr) -> Option<&mut Row> {
        self.rows_mut().find(|row| row.addr == addr)
    }

    pub(super) fn rows_mut(&mut self) -> impl Iterator<Item = &mut Row> {
        self.rows.iter_mut().filter(|row| row.state().is_some())
    }

    /// Those that may be used.
    pub(super) fn assigned(&self) -> impl Iterator<Item = &Row> {
        self.rows.iter().filter(|row| row.is_assigned())
    }

    /// Whether packets to an address are for this interface.
    pub(super) fn is_assigned(&self, addr: IpAddr) -> bool {
        self.assigned().any(|row| row.addr == addr)
    }

    /// The longest prefix that the interface's own addresses share with one on its link.
    pub(super) fn on_link(&self, addr: IpAddr) -> Option<u8> {
        let rows = self.rows.iter();
        rows.filter(|row| row.is_on_link() && row.contains(addr))
            .map(|row| row.prefix_len)
            .max()
    }

    /// Whether an address is the broadcast address of a network here. Prefixes of 31 and 32 bits have none (RFC 3021 §2.1).
    #[cfg(feature = "ipv4")]
    pub(super) fn is_broadcast(&self, addr: core::net::Ipv4Addr) -> bool {
        self.assigned().any(|row| match row.addr {
            IpAddr::V4(own) if row.prefix_len < 31 => {
                let host_bits = u32::MAX >> row.prefix_len;
                own.to_bits() | host_bits == addr.to_bits()
            }
            _ => false,
        })
    }

    /// What a packet that leaves by this interface, towards `next_hop`, could be sent from.
    pub(super) fn candidates(&self, next_hop: IpAddr) -> impl Iterator<Item = Candidate> {
        self.assigned().map(move |row| {
            let is_of_next_hop = match row.addr {
                // A router takes what comes from its own network (RFC 1122 §3.3.4.3).
                IpAddr::V4(_) => row.contains(next_hop),
                #[cfg(feature = "ipv6")]
                IpAddr::V6(_) => row.router.is_some_and(|router| next_hop == router),
                #[cfg(not(feature = "ipv6"))]
                IpAddr::V6(_) => false,
            };
            Candidate {
                addr: row.addr,
                prefix_len: row.prefix_len,
                is_deprecated: row.is_deprecated(),
                is_outgoing: true,
                is_of_next_hop,
            }
        })
    }

    /// The table as users see it.
    pub(super) fn list(&self, now: Instant) -> impl Iterator<Item = InterfaceAddress> {
        self.rows.iter().filter_map(move |row| {
            Some(InterfaceAddress {
                address: super::ip::outward(row.addr),
                prefix_len: row.prefix_len,
                state: row.state()?,
                origin: row.origin,
                preferred: row.lifetimes.preferred_until.at().map(|at| left(at, now)),
                valid: row.lifetimes.valid_until.at().map(|at| left(at, now)),
            })
        })
    }

    /// Does what is due by `now`.
    pub(super) fn expire(&mut self, now: Instant) {
        for row in &mut self.rows {
            row.expire(now);
        }
    }

    /// When a lifetime is over next.
    pub(super) fn expires_at(&self) -> Option<Instant> {
        self.rows.iter().map(Row::expires_at).fold(None, earlier)
    }

    /// The next change that has not been told. To be called until there is none, after all that may change something.
    pub(super) fn next_change(&mut self) -> Option<Change> {
        loop {
            let mut rows = self.rows.iter_mut().enumerate();
            let (index, row) = rows.find(|(_, row)| row.told != Some(row.change()))?;
            let change = row.change();
            let was_told = row.told.replace(change).is_some();
            let row = *row;
            if row.state().is_none() && index < self.rows.len() {
                self.rows.remove(index);
            }
            // What came and went between two looks is nobody's business.
            if change != AddressChange::Removed || was_told {
                return Some(Change { change, row });
            }
        }
    }
}

#[cfg(feature = "ipv6")]
impl AddressTable {
    /// When a detection goes on next.
    pub(super) fn detects_at(&self) -> Option<Instant> {
        let at = |row: &Row| match &row.condition {
            Condition::Tentative(detection) => Some(detection.at()),
            _ => None,
        };
        self.rows.iter().map(at).fold(None, earlier)
    }

    /// The address whose solicitation is due, and the nonce that goes with it.
    pub(super) fn due_solicitation(&self, now: Instant) -> Option<(Ipv6Addr, [u8; 6])> {
        self.rows
            .iter()
            .find_map(|row| match (row.addr, &row.condition) {
                (IpAddr::V6(target), Condition::Tentative(detection)) if detection.is_due(now) => {
                    Some((target, detection.nonce()))
                }
                _ => None,
            })
    }

    /// The solicitation for an address has been sent.
    pub(super) fn solicitation_sent(
        &mut self,
        target: Ipv6Addr,
        now: Instant,
        retransmit: smoltcp::time::Duration,
    ) {
        if let Some(detection) = self.detection_mut(target) {
            detection.sent(now, retransmit);
        }
    }

    /// Another host asks for an address, from the unspecified one: it is about to take it. `nonce`: the solicitation's.
    /// Says whether that takes it away.
    pub(super) fn hear_solicitation(&mut self, target: Ipv6Addr, nonce: Option<[u8; 6]>) -> bool {
        let detection = self.detection_mut(target);
        detection.is_some_and(|it| nonce != Some(it.nonce())) && self.collide(target)
    }

    /// A host says that it has an address. That takes a tentative one away, never one in use (RFC 4862 §5.4.4). Says whether
    /// it does.
    pub(super) fn hear_advertisement(&mut self, target: Ipv6Addr) -> bool {
        self.detection_mut(target).is_some() && self.collide(target)
    }

    /// Tentative again, as after the link was down (RFC 4862 §5.4): those that `detect` gives a detection for.
    pub(super) fn detect_again(&mut self, mut detect: impl FnMut(&Row) -> Option<Detection>) {
        for row in &mut self.rows {
            if row.state().is_some()
                && let Some(detection) = detect(row)
            {
                row.condition = Condition::Tentative(detection);
            }
        }
    }

    fn collide(&mut self, target: Ipv6Addr) -> bool {
        let row = self.find_mut(target.into());
        row.map(|row| row.condition = Condition::Duplicate)
            .is_some()
    }

    fn detection_mut(&mut self, target: Ipv6Addr) -> Option<&mut Detection> {
        match &mut self.find_mut(target.into())?.condition {
            Condition::Tentative(detection) => Some(detection),
            _ => None,
        }
    }
}
