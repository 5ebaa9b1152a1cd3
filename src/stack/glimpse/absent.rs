//! Without feature `glass`: nothing is remembered of a connection for its observer.

use smoltcp::time::Instant;

use super::Stack;
use super::connection::Connection;
use super::frame::Segment;
use super::glass::Recovery;
use crate::trace::Observer;

#[derive(Clone, Copy)]
pub(super) struct Glimpse;

impl Glimpse {
    pub(super) const NOTHING: Glimpse = Glimpse;
}

impl Connection {
    pub(super) fn recovery(&self) -> Option<Recovery> {
        None
    }
}

impl<O: Observer> Stack<'_, O> {
    pub(super) fn glimpse_arrival(&mut self, _: u16, _: &Segment) {}

    pub(super) fn tell_fired(&mut self, _: u16) {}

    pub(super) fn tell_timer(&mut self, _: u16, _: Option<Instant>) {}

    pub(super) fn tell_connect_timer(&mut self, _: u16) {}
}
