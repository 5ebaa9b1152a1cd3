//! "Fragmentation needed" (RFC 792), "packet too big" (RFC 4443 §3.2): believed of what this host has just sent.

use super::mtu_of;
use crate::stack::fd::Socket;
use crate::stack::flow::Flow;
use crate::stack::frame::{ICMP, ICMPV6, TCP, UDP};
use crate::stack::icmp::Quote;
use crate::stack::{Protocol, Stack};
use crate::trace::Observer;

impl<'a, O: Observer> Stack<'a, O> {
    /// A router says that a packet did not fit: this may be true of what this host has sent.
    pub(in crate::stack) fn hear_too_big(&mut self, interface: u8, quote: &Quote, next_hop: u32) {
        if !self.has_sent(interface, quote) {
            return;
        }
        let destination = quote.flow.remote.addr;
        if let Some(mtu) = mtu_of(destination, quote.len, next_hop) {
            self.lower_path(destination, mtu);
        }
    }

    /// Whether what is quoted may be something that this host has sent just now.
    fn has_sent(&self, interface: u8, quote: &Quote) -> bool {
        match quote.protocol {
            TCP => self.find_sender(interface, quote).is_some(),
            UDP => self.is_sent_from_socket(&quote.flow),
            _ => {
                self.has_raw_socket(Protocol(quote.protocol))
                    || quote.is_echo_reply()
                        && self.paths.has_answered(quote.flow.remote.addr, self.now)
            }
        }
    }

    /// Whether a datagram socket may have sent from one end of a flow to the other.
    fn is_sent_from_socket(&self, flow: &Flow) -> bool {
        let hash = self.secret.port_hash(false, flow.local.port);
        self.ports.candidates(hash).any(|index| {
            let row = self.descriptors.peek(index);
            let Socket::Datagram { peer, .. } = row.socket else {
                return false;
            };
            row.local.port == flow.local.port
                && row.scope().contains(flow.local.addr)
                && peer.is_none_or(|peer| peer == flow.remote)
        })
    }
}

impl Quote {
    /// Type and code stand where a port does.
    fn is_echo_reply(&self) -> bool {
        let start = (self.protocol, self.flow.local.port);
        start == (ICMP, 0) || start == (ICMPV6, 129 << 8)
    }
}
