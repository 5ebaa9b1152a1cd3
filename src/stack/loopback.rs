//! What the host sends to itself.

use core::mem;

use super::interface::LOOPBACK;
use super::{INGRESS_BURST, Stack};
use crate::device::Loopback;
use crate::trace::Observer;

/// The memory of it.
pub(super) type Queue<'a> = Loopback<'a>;

impl<O: Observer> Stack<'_, O> {
    /// Carries what the host sends to itself, if it does.
    #[inline]
    pub(super) fn poll_own_loopback(&mut self) {
        if self.due > 0 || !self.loopback.is_empty() || self.resolver.is_sending_over(LOOPBACK) {
            self.poll_own_loopback_until_quiet();
        }
    }

    fn poll_own_loopback_until_quiet(&mut self) {
        let is_quiet = |stack: &Self, loopback: &Loopback<'_>| {
            let interface = stack.interfaces.get(LOOPBACK);
            loopback.is_empty()
                && interface.is_none_or(|interface| interface.due.is_empty())
                && !stack.resolver.is_sending_over(LOOPBACK)
        };
        let mut loopback = mem::replace(&mut self.loopback, Loopback::empty());
        for _ in 0..INGRESS_BURST {
            if is_quiet(self, &loopback) {
                break;
            }
            self.poll_interface(LOOPBACK, &mut loopback);
        }
        self.loopback = loopback;
    }
}
