//! In place of `path` without the feature: the way to a host takes what its link takes. What does not fit there, routers may
//! cut (RFC 791 §3.2), but for TCP's segments: smoltcp forbids that.

use smoltcp::iface::Interface;
use smoltcp::time::Instant;

use super::Stack;
use super::connection::Connection;
use super::header::Part;
use super::icmp::Quote;
use super::ip::IpAddr;
use super::option::Options;
use super::sequence::Secret;
use super::slot::Kind;
use crate::trace::Observer;

/// Nothing is known of any.
pub(super) struct Paths;

impl Paths {
    pub(super) const fn new() -> Paths {
        Paths
    }

    pub(super) fn get(&self, _: IpAddr, _: Instant) -> Option<(u16, Instant)> {
        None
    }

    pub(super) fn note_answer(&mut self, _: IpAddr, _: usize, _: Instant) {}

    /// With an identification that the pieces have in common, and no other packet these days (RFC 6864 §4.1).
    pub(super) fn whole(&self, secret: &mut Secret) -> Part {
        Part::Fragmentable(secret.random_u64() as u16)
    }
}

/// No connection's packets are shorter than its link's.
pub(super) struct Narrow;

impl Narrow {
    pub(super) const NOT: Narrow = Narrow;

    pub(super) fn of(_: &Options) -> Narrow {
        Narrow
    }

    pub(super) fn wants_care(&self) -> bool {
        false
    }
}

impl Connection {
    pub(super) fn path_mtu(&self) -> u16 {
        self.mtu
    }
}

impl<O: Observer> Stack<'_, O> {
    pub(super) fn find_path(&mut self, slot: u16) {
        let place = &mut self.slots[usize::from(slot)];
        let interface = self.interfaces.get(place.interface);
        let link = interface.map_or(0, |interface| interface.mtu);
        if let Kind::Connection(connection) = &mut place.kind {
            connection.mtu = u16::try_from(link).unwrap_or(u16::MAX);
        }
    }

    pub(super) fn forget_path(&mut self, _: u16) {}

    pub(super) fn narrowed(&self, _: u8, _: u16) -> Option<Interface> {
        None
    }

    pub(super) fn resends_at(&mut self, _: u16) -> Option<Instant> {
        None
    }

    pub(super) fn hear_too_big(&mut self, _: u8, _: &Quote, _: u32) {}
}
