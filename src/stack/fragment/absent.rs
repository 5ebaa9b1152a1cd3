//! In place of `fragment` without the feature: what comes in fragments is dropped, and nothing leaves in them.

use core::marker::PhantomData;

use smoltcp::time::Instant;

use super::Stack;
use super::frame::Packet;
use super::header::{Header, Part};
use super::ingress::Incoming;
use super::link::{Link, Transmit};
use super::sequence::Secret;
use crate::trace::{DropReason, Observer};

/// There is none.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Piece {}

impl Piece {
    pub(super) fn ipv4_fields(&self) -> (u16, u16) {
        match *self {}
    }

    pub(super) fn ipv6_header(&self, _: u8) -> [u8; 8] {
        match *self {}
    }
}

/// Every datagram leaves whole.
#[derive(Debug, Clone, Copy)]
pub(super) struct Fragmentation;

impl Fragmentation {
    pub(super) const NONE: Fragmentation = Fragmentation;

    pub(super) fn is_under_way(&self) -> bool {
        false
    }

    pub(super) fn next(
        self,
        whole: &Header,
        _: usize,
        payload_len: usize,
        _: &mut Secret,
    ) -> (Part, usize, usize, Fragmentation) {
        (whole.part, 0, payload_len, self)
    }
}

/// Takes no memory, however much it is to be.
pub(super) struct Memory<'a, const OCTETS: usize>(PhantomData<&'a ()>);

impl<'a, const OCTETS: usize> Memory<'a, OCTETS> {
    pub(super) const fn new() -> Self {
        Memory(PhantomData)
    }

    pub(super) fn reassemblies(&'a mut self) -> Reassemblies<'a> {
        Reassemblies(PhantomData)
    }
}

/// Nothing is put together.
pub(super) struct Reassemblies<'a>(PhantomData<&'a ()>);

impl Reassemblies<'_> {
    #[cfg(feature = "alloc")]
    pub(super) fn on_the_heap(_: usize) -> Reassemblies<'static> {
        Reassemblies(PhantomData)
    }

    pub(super) fn expire(&mut self, _: Instant) {}

    pub(super) fn next_deadline(&self) -> Option<Instant> {
        None
    }

    pub(super) fn has_answer(&self, _: impl Fn(u8) -> bool) -> bool {
        false
    }
}

impl<'a, O: Observer> Stack<'a, O> {
    pub(super) fn ingress_fragment(
        &mut self,
        incoming: &Incoming<'_>,
        _: &mut dyn Transmit,
        _: &[u8],
        _: &[u8],
    ) {
        self.tell_drop(incoming, DropReason::Fragment);
    }

    pub(super) fn answer_in_fragments(&mut self, _: u8, _: &Packet<'_>, _: Link, _: Header) {}

    pub(super) fn egress_answers(&mut self, _: u8, _: &mut dyn Transmit) -> bool {
        false
    }
}
