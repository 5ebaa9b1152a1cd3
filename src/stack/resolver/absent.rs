//! In place of `resolver` without the feature: no name is looked up.

use core::marker::PhantomData;

use managed::ManagedSlice;
use smoltcp::time::Instant;

use super::Stack;
use super::flow::Flow;
use super::link::Transmit;
use crate::trace::Observer;

pub(super) struct LookupRow;

impl LookupRow {
    pub(super) const FREE: LookupRow = LookupRow;
}

pub(super) struct Resolver<'a>(PhantomData<&'a mut LookupRow>);

impl<'a> Resolver<'a> {
    pub(super) fn new(_: impl Into<ManagedSlice<'a, LookupRow>>) -> Resolver<'a> {
        Resolver(PhantomData)
    }

    pub(super) fn is_using(&self, _: u16) -> bool {
        false
    }

    pub(super) fn expects(&self, _: &Flow) -> bool {
        false
    }

    pub(super) fn count(&self) -> usize {
        0
    }

    pub(super) fn asks_at(&self) -> Option<Instant> {
        None
    }

    pub(super) fn sends_at(&self, _: u8) -> Option<Instant> {
        None
    }

    #[cfg(feature = "loopback")]
    pub(super) fn is_sending_over(&self, _: u8) -> bool {
        false
    }
}

impl<O: Observer> Stack<'_, O> {
    pub(super) fn learn_name_servers(&mut self, _: u8) {}

    pub(super) fn expire_queries(&mut self) {}

    pub(super) fn poll_streams(&mut self) {}

    pub(super) fn egress_queries(&mut self, _: u8, _: &mut dyn Transmit) -> bool {
        false
    }

    pub(super) fn hear_server(&mut self, _: &Flow, _: &[u8]) {}

    pub(super) fn server_unreachable(&mut self, _: &Flow) {}
}
