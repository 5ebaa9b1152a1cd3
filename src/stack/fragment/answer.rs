//! Echo replies that are longer than a packet: they leave in fragments, as the request came, out of the memory that it was put
//! together in.

use super::Complete;
use super::piece::next_part;
use crate::stack::Stack;
use crate::stack::answer::turn_to_reply;
use crate::stack::frame::Packet;
use crate::stack::header::{Header, IPV6_HEADER};
use crate::stack::link::{self, Link, Transmit};
use crate::stack::outgoing::{Outgoing, seal_icmp};
use crate::trace::Observer;

/// The way back over which an answer leaves in fragments, too.
#[derive(Debug, Clone, Copy)]
pub(super) struct Way {
    pub(super) interface: u8,
    link: Link,
    header: Header,
    identification: u32,
}

impl<'a, O: Observer> Stack<'a, O> {
    /// Answers a request that was put together with a reply that is longer than its way takes: the former's memory is the
    /// latter's, once the request is [put back](Stack::put_back).
    pub(in crate::stack) fn answer_in_fragments(
        &mut self,
        interface: u8,
        request: &Packet<'_>,
        link: Link,
        header: Header,
    ) {
        if request.source.is_ipv6() && request.header.len() > IPV6_HEADER {
            return; // options within fragments, where nobody puts them (RFC 8200 §4.5), would go back as data
        }
        self.reassemblies.reply = Some(Way {
            interface,
            link,
            header,
            identification: self.secret.random_u64() as u32,
        });
    }

    /// Puts the memory of a packet that came in fragments back to use: for the answer, if it has one that is as long.
    pub(super) fn put_back(&mut self, mut complete: Complete<'a>) {
        let Some(way) = self.reassemblies.reply.take() else {
            return self.reassemblies.restore(complete);
        };
        let message = complete.payload_mut();
        turn_to_reply(message);
        seal_icmp(message, way.header.source, way.header.destination);
        self.reassemblies.send(complete, way);
    }

    /// Sends answers that are longer than a packet; says whether the device refused a frame.
    pub(in crate::stack) fn egress_answers(
        &mut self,
        index: u8,
        device: &mut dyn Transmit,
    ) -> bool {
        if !self.reassemblies.has_answer(|interface| interface == index) {
            return false;
        }
        let pane = self.pane_of(index, None);
        let now = self.now;
        let Some(interface) = self.interfaces.get(index) else {
            return false;
        };
        if !interface.is_up {
            self.reassemblies.drop_answers(index);
            return false;
        }
        let (mtu, checksums) = (interface.mtu, &interface.checksums);
        while let Some((way, message, sent)) = self.reassemblies.leaving(index) {
            let path = self.paths.get(way.header.destination, now);
            let mtu = path.map_or(mtu, |(path, _)| mtu.min(path.into()));
            let (part, len) = next_part(&way.header, mtu, message.len(), way.identification, sent);
            let outgoing = Outgoing {
                link: way.link,
                header: Header { part, ..way.header },
                payload_len: len,
            };
            let frame_len = outgoing.frame_len();
            let octets = message.get(sent..sent + len).unwrap_or_default();
            let observer = &mut self.observer;
            let is_sent = link::transmit(device, now, frame_len, pane, observer, &mut |frame| {
                outgoing.write(frame, checksums, |place| {
                    for (place, octet) in place.iter_mut().zip(octets) {
                        *place = *octet;
                    }
                });
            });
            if !is_sent {
                return true;
            }
            self.reassemblies.left(index, len);
        }
        false
    }
}
