//! What lies under the stack: devices of any types, or the loopback alone.

use super::engine::HostStack;
use crate::stack::InterfaceId;
use smoltcp::{phy::Device, time::Instant};

/// Does the due work over one device. smoltcp's `Device` lends tokens of its own types, so it cannot be a trait object; this can.
pub(super) trait Link: Send {
    /// The interface that was made for the device.
    fn interface(&self) -> InterfaceId;

    /// Takes in what has come and sends what is due, as [`Stack::poll`](crate::Stack::poll).
    fn poll(&mut self, stack: &mut HostStack, now: Instant);
}

/// A device and the interface that was made for it.
pub(super) struct Attached<D> {
    pub(super) device: D,
    pub(super) interface: InterfaceId,
}

impl<D: Device + Send> Link for Attached<D> {
    fn interface(&self) -> InterfaceId {
        self.interface
    }

    fn poll(&mut self, stack: &mut HostStack, now: Instant) {
        // When it is to be called again is asked for all links at once.
        let _ = stack.poll(self.interface, now, &mut self.device);
    }
}

/// All links of a host. Without one it talks to itself.
#[derive(Default)]
pub(super) struct Links(Vec<Box<dyn Link>>);

impl Links {
    pub(super) fn new(links: Vec<Box<dyn Link>>) -> Links {
        Links(links)
    }

    pub(super) fn interfaces(&self) -> impl Iterator<Item = InterfaceId> {
        self.0.iter().map(|link| link.interface())
    }

    /// Takes in what has come, sends what is due, and says when there is more to do.
    pub(super) fn poll(&mut self, stack: &mut HostStack, now: Instant) -> Option<Instant> {
        if self.0.is_empty() {
            return stack.poll_loopback(now);
        }
        for link in &mut self.0 {
            link.poll(stack, now);
        }
        // What came by one may be answered by another that had its turn: then there is more to do at once.
        let interfaces = self.0.iter().map(|link| link.interface());
        interfaces.filter_map(|it| stack.next_deadline_of(it)).min()
    }
}
