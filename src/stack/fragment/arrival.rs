//! A fragment's way in, and that of the packet that it makes whole.

use super::Outcome;
use crate::stack::Stack;
use crate::stack::frame::Frame;
use crate::stack::ingress::Incoming;
use crate::stack::link::Transmit;
use crate::trace::Observer;

impl<'a, O: Observer> Stack<'a, O> {
    /// Takes in a fragment, and the packet that it makes whole.
    pub(in crate::stack) fn ingress_fragment(
        &mut self,
        incoming: &Incoming<'_>,
        token: &mut dyn Transmit,
        link: &[u8],
        packet: &[u8],
    ) {
        if !self.is_for_us(incoming.interface, link) {
            return;
        }
        match self
            .reassemblies
            .add(self.now, incoming.interface, link, packet)
        {
            Outcome::Incomplete => {}
            Outcome::Complete(complete) => {
                let whole = Incoming {
                    frame: complete.frame(),
                    is_reassembled: true,
                    ..*incoming
                };
                let parts = Frame::parse(incoming.capabilities.medium, whole.frame);
                if let Frame::Ip { link, packet } = parts {
                    self.ingress_packet(&whole, token, link, packet);
                }
                self.put_back(complete);
            }
            Outcome::Dropped(reason) => self.tell_drop(incoming, reason.into()),
        }
    }
}
