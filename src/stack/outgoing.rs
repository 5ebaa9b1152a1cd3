//! Packets of the heart's own: answers, errors, questions, datagrams. TCP's segments are smoltcp's.

use smoltcp::phy::ChecksumCapabilities;

use super::Stack;
use super::checksum::Sum;
use super::frame::{ICMP, ICMPV6};
use super::header::Header;
use super::ingress::Incoming;
use super::ip::IpAddr;
use super::link::{self, Link, Transmit};
use crate::trace::Observer;

/// A packet that is to be written.
pub(super) struct Outgoing {
    pub(super) link: Link,
    pub(super) header: Header,
    /// Octets behind the IP header.
    pub(super) payload_len: usize,
}

impl Outgoing {
    /// Octets of the frame.
    pub(super) fn frame_len(&self) -> usize {
        self.link.header_len() + self.header.len() + self.payload_len
    }

    /// Writes the frame; a whole ICMP message gets its checksum.
    pub(super) fn write(
        &self,
        frame: &mut [u8],
        checksums: &ChecksumCapabilities,
        payload: impl FnOnce(&mut [u8]),
    ) {
        let Some(packet) = frame.get_mut(self.link.header_len()..) else {
            return;
        };
        self.header.write(packet, self.payload_len, checksums);
        if let Some(place) = packet.get_mut(self.header.len()..) {
            payload(place);
        }
        self.link.write_around_packet(frame);
    }
}

/// Fills in the checksum of an ICMP message.
pub(super) fn seal_icmp(message: &mut [u8], source: IpAddr, destination: IpAddr) {
    let sum = match source {
        IpAddr::V4(_) => Sum::ZERO,
        IpAddr::V6(_) => Sum::pseudo_header(source, destination, ICMPV6, message.len() as u32),
    };
    if let Some(place) = message.get_mut(2..4) {
        place.fill(0);
        let checksum = sum.add(message).checksum();
        if let Some(place) = message.get_mut(2..4) {
            place.copy_from_slice(&checksum);
        }
    }
}

impl<'a, O: Observer> Stack<'a, O> {
    /// Sends a packet of the heart's own; an ICMP message gets its checksum. Says whether the device had room for it.
    #[cfg(any(feature = "dhcp", feature = "dns", feature = "ipv6"))]
    pub(super) fn send_own(
        &mut self,
        index: u8,
        device: &mut dyn Transmit,
        outgoing: &Outgoing,
        mut write: impl FnMut(&mut [u8]),
    ) -> bool {
        let pane = self.pane_of(index, None);
        let Some(interface) = self.interfaces.get(index) else {
            return false;
        };
        let checksums = &interface.checksums;
        let (now, len) = (self.now, outgoing.frame_len());
        link::transmit(device, now, len, pane, &mut self.observer, &mut |frame| {
            outgoing.write(frame, checksums, |payload| {
                write(payload);
                outgoing.seal(payload);
            });
        })
    }

    /// The same with the token that came with a frame.
    pub(super) fn answer(
        &mut self,
        incoming: &Incoming<'_>,
        token: &mut dyn Transmit,
        outgoing: &Outgoing,
        mut write: impl FnMut(&mut [u8]),
    ) {
        let pane = self.pane_of(incoming.interface, None);
        let checksums = &incoming.capabilities.checksum;
        let len = outgoing.frame_len();
        let now = self.now;
        link::transmit(token, now, len, pane, &mut self.observer, &mut |frame| {
            outgoing.write(frame, checksums, |payload| {
                write(payload);
                outgoing.seal(payload);
            });
        });
    }
}

impl Outgoing {
    /// Fills in what is behind the IP header has for a checksum, where it is ICMP's.
    pub(super) fn seal(&self, payload: &mut [u8]) {
        if matches!(self.header.protocol, ICMP | ICMPV6) {
            seal_icmp(payload, self.header.source, self.header.destination);
        }
    }
}
