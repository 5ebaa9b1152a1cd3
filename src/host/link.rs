//! What lies under the stack: a device of any type, or the loopback alone.

use super::engine::HostStack;
use crate::stack::InterfaceId;
use smoltcp::{phy::Device, time::Instant};

/// Does the due work over one device. smoltcp's `Device` lends tokens of its own types, so it cannot be a trait object; this can.
pub(super) trait Link: Send {
    /// As [`Stack::poll`](crate::Stack::poll): the next deadline.
    fn poll(&mut self, stack: &mut HostStack, now: Instant) -> Option<Instant>;
}

/// A device and the interface that was made for it.
pub(super) struct Attached<D> {
    pub(super) device: D,
    pub(super) interface: InterfaceId,
}

impl<D: Device + Send> Link for Attached<D> {
    fn poll(&mut self, stack: &mut HostStack, now: Instant) -> Option<Instant> {
        stack.poll(self.interface, now, &mut self.device)
    }
}

/// No device: the host talks to itself.
pub(super) struct Loopback;

impl Link for Loopback {
    fn poll(&mut self, stack: &mut HostStack, now: Instant) -> Option<Instant> {
        stack.poll_loopback(now)
    }
}
