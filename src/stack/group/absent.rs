//! In place of `group` without feature `multicast`: the host sends to groups, and is in none (RFC 1112 §4, level 1).

use smoltcp::time::Instant;

use super::Stack;
use super::frame::Packet;
use super::ingress::Incoming;
use super::interface::NetworkInterface;
use super::ip::IpAddr;
use super::link::Transmit;
use crate::trace::Observer;

pub(super) struct Memberships;

impl Memberships {
    pub(super) const fn new() -> Memberships {
        Memberships
    }

    pub(super) fn is_member(&self, _: IpAddr) -> bool {
        false
    }

    pub(super) fn announce(&mut self, _: bool, _: Instant) {}
}

pub(super) struct Joined;

impl Joined {
    pub(super) const fn new() -> Joined {
        Joined
    }
}

impl NetworkInterface {
    pub(super) fn reports_at(&self) -> Option<Instant> {
        None
    }
}

impl<O: Observer> Stack<'_, O> {
    pub(super) fn leave_all_groups(&mut self, _: u16) {
        let Joined = self.joined;
    }

    pub(super) fn hear_membership(&mut self, _: &Incoming<'_>, _: &Packet<'_>) {}

    pub(super) fn egress_memberships(&mut self, _: u8, _: &mut dyn Transmit) -> bool {
        false
    }
}
