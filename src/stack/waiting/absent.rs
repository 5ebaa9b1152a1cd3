//! In place of `waiting` without the feature `tasks`: nobody waits.

use core::marker::PhantomData;

use smoltcp::time::Instant;

use super::{Events, Interest};

/// What would be waited for.
#[allow(dead_code, reason = "nobody asks what it is of")]
pub(super) enum Subject {
    Socket(u16, Interest),
    Lookup(u16),
    Configured,
    Drained,
}

/// Takes no memory.
pub(super) struct Memory<const SOCKETS: usize>;

impl<const SOCKETS: usize> Memory<SOCKETS> {
    pub(super) const fn new() -> Self {
        Memory
    }

    pub(super) fn wakers(&mut self) -> Wakers<'_> {
        Wakers(PhantomData)
    }
}

/// Nobody is woken.
pub(super) struct Wakers<'a>(PhantomData<&'a ()>);

impl Wakers<'_> {
    #[cfg(feature = "alloc")]
    pub(super) fn on_the_heap(_: usize, _: usize) -> Wakers<'static> {
        Wakers(PhantomData)
    }

    pub(super) fn is_awaited(&self, _: u16) -> bool {
        false
    }

    pub(super) fn wake(&mut self, _: Subject) {}

    pub(super) fn wake_polls(&mut self, _: u16, _: Events) {}

    pub(super) fn wake_socket(&mut self, _: u16) {}

    pub(super) fn expire(&mut self, _: Instant) {}

    pub(super) fn next(&self) -> Option<Instant> {
        None
    }

    pub(super) fn count(&self) -> usize {
        0
    }
}
