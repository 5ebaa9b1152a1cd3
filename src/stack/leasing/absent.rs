//! In place of `leasing` without the feature: no interface has a client.

#[cfg(feature = "dns")]
use core::net::Ipv4Addr;

use smoltcp::time::Instant;

#[cfg(feature = "dns")]
use super::InterfaceId;
use super::Stack;
use super::flow::Flow;
use super::frame::Packet;
use super::ingress::Incoming;
use super::link::Transmit;
use super::neighbor::Arp;
use crate::trace::Observer;

/// There is none.
pub(super) enum Client {}

impl Client {
    pub(super) fn lent_mtu(&self) -> Option<usize> {
        match *self {}
    }

    pub(super) fn poll_at(&self, _: bool) -> Option<Instant> {
        match *self {}
    }
}

impl<O: Observer> Stack<'_, O> {
    pub(super) fn has_all_leases(&self) -> bool {
        true
    }

    #[cfg(feature = "dns")]
    pub(super) fn leased_name_servers(&self, _: InterfaceId) -> &[Ipv4Addr] {
        &[]
    }

    pub(super) fn is_for_client(&self, _: u8, _: &Flow) -> bool {
        false
    }

    pub(super) fn is_answer(&self, _: &Incoming<'_>, _: &Packet<'_>) -> bool {
        false
    }

    pub(super) fn hear_answer(&mut self, _: u8, _: &Packet<'_>) {}

    pub(super) fn hear_claim(&mut self, _: u8, _: &Arp) {}

    pub(super) fn relink_client(&mut self, _: u8) {}

    pub(super) fn unblock_client(&mut self, _: u8) {}

    pub(super) fn egress_client(&mut self, _: u8, _: &mut dyn Transmit) -> bool {
        false
    }
}
