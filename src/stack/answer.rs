//! What the host says unasked by any application: echo replies, and errors for what it cannot take.

use smoltcp::time::{Duration, Instant};

use super::Stack;
use super::datagram::gather;
use super::frame::{ICMP, ICMPV6, Packet, is_link_unicast};
use super::header::{Header, Part};
use super::ingress::Incoming;
use super::ip::IpAddr;
use super::link::{Link, Transmit};
use super::outgoing::Outgoing;
use crate::trace::Observer;

/// Echo replies in a second, and at once.
const ECHOES: (u32, u32) = (10_000, 256);
/// Errors in a second, and at once (RFC 1812 §4.3.2.8, RFC 4443 §2.4, f).
const ERRORS: (u32, u32) = (100, 50);

/// The longest error: RFC 1812 §4.3.2.3, RFC 4443 §2.4, c.
const LONGEST_ERROR: [usize; 2] = [576, 1_280];
/// An ICMP message up to what it quotes.
const ICMP_HEADER: usize = 8;
/// The traffic class of network control (RFC 791), which routers' errors have (RFC 1812 §4.3.2.5).
const INTERNETWORK_CONTROL: u8 = 0xc0;

/// So many messages a second, and so many at once.
pub(super) struct RateLimit {
    /// From one message to the next, if they leave evenly; and for as many as may leave at once.
    interval: Duration,
    burst: Duration,
    /// When the messages so far would have left evenly, and the next one may.
    at: Instant,
}

impl RateLimit {
    pub(super) const ECHOES: RateLimit = RateLimit::new(ECHOES);
    pub(super) const ERRORS: RateLimit = RateLimit::new(ERRORS);

    const fn new((per_second, burst): (u32, u32)) -> RateLimit {
        let interval = 1_000_000 / per_second as u64;
        RateLimit {
            interval: Duration::from_micros(interval),
            burst: Duration::from_micros(interval * burst as u64),
            at: Instant::ZERO,
        }
    }

    /// Whether one more may leave (ITU-T I.371, the generic cell rate algorithm).
    fn allows(&mut self, now: Instant) -> bool {
        let next = self.at.max(now) + self.interval;
        let is_allowed = next <= now + self.burst;
        if is_allowed {
            self.at = next;
        }
        is_allowed
    }
}

/// RFC 4861 §4.5.
const REDIRECT: u8 = 137;

impl<'a, O: Observer> Stack<'a, O> {
    /// Answers an echo request (RFC 792, RFC 4443 §4.2). Nobody answers one to a broadcast address or, in IPv4, to a group
    /// (RFC 1122 §3.2.2.6).
    pub(super) fn answer_echo(
        &mut self,
        incoming: &Incoming<'_>,
        token: &mut dyn Transmit,
        packet: &Packet<'_>,
    ) {
        let index = incoming.interface;
        let is_own = self.is_local_to(index, packet.destination);
        let is_to_group = packet.destination.is_multicast() && packet.destination.is_ipv6();
        let Some(interface) = self.interfaces.get(index) else {
            return;
        };
        let source = match (is_own, is_to_group) {
            (true, _) if is_link_unicast(incoming.link()) => Some(packet.destination),
            (false, true) => interface.source(packet.source),
            _ => None,
        };
        let link = Link::back(interface.hardware, incoming.link());
        let mtu = interface.mtu;
        let mtu = self
            .path_mtu(packet.source)
            .map_or(mtu, |path| mtu.min(path.into()));
        let (Some(source), Some(link)) = (source, link) else {
            return;
        };
        if !self.is_answerable(packet.source) || !self.echoes.allows(self.now) {
            return;
        }
        let header = Header {
            source,
            destination: packet.source,
            protocol: packet.protocol,
            hop_limit: 64,
            traffic_class: packet.traffic_class,
            router_alert: false,
            part: self.paths.whole(&mut self.secret),
        };
        let outgoing = Outgoing {
            link,
            header,
            payload_len: packet.transport.len(),
        };
        let len = header.len() + packet.transport.len();
        let is_long = incoming.is_reassembled && len > mtu;
        if !is_long && len > incoming.capabilities.ip_mtu() {
            return; // the device takes in longer packets than it sends
        }
        self.paths.note_answer(packet.source, len, self.now);
        if is_long {
            return self.answer_in_fragments(index, packet, link, header);
        }
        self.answer(incoming, token, &outgoing, |payload| {
            gather(&[packet.transport], payload);
            turn_to_reply(payload);
        });
    }

    /// Whether an answer to somebody goes to one host.
    fn is_answerable(&self, source: IpAddr) -> bool {
        !source.is_unspecified() && !source.is_multicast() && !self.is_broadcast(source)
    }

    /// "Port unreachable" (RFC 1122 §4.1.3.1, RFC 4443 §3.1).
    pub(super) fn refuse_port(
        &mut self,
        incoming: &Incoming<'_>,
        token: &mut dyn Transmit,
        packet: &Packet<'_>,
    ) {
        let message = match packet.source {
            IpAddr::V4(_) => (3, 3),
            IpAddr::V6(_) => (1, 4),
        };
        self.refuse(incoming, token, packet, message, 0);
    }

    /// "Protocol unreachable" (RFC 1122 §3.2.2.1), "unrecognized next header" (RFC 4443 §3.4).
    pub(super) fn refuse_protocol(
        &mut self,
        incoming: &Incoming<'_>,
        token: &mut dyn Transmit,
        packet: &Packet<'_>,
    ) {
        match packet.source {
            IpAddr::V4(_) => self.refuse(incoming, token, packet, (3, 2), 0),
            IpAddr::V6(_) => {
                // The number stands in the IPv6 header, or in the options behind it.
                let pointer = if packet.header.len() > 40 { 40 } else { 6 };
                self.refuse(incoming, token, packet, (4, 1), pointer);
            }
        }
    }

    /// An option that must be known and is not (RFC 8200 §4.2).
    pub(super) fn refuse_option(
        &mut self,
        incoming: &Incoming<'_>,
        token: &mut dyn Transmit,
        packet: &Packet<'_>,
        (pointer, kind): (usize, u8),
    ) {
        if kind >> 6 != 1 {
            self.refuse(incoming, token, packet, (4, 2), pointer as u32);
        }
    }

    /// Sends an error about a packet to its sender, if the packet was for this host alone (RFC 1122 §3.2.2, RFC 4443 §2.4, e).
    fn refuse(
        &mut self,
        incoming: &Incoming<'_>,
        token: &mut dyn Transmit,
        packet: &Packet<'_>,
        (kind, code): (u8, u8),
        word: u32,
    ) {
        let is_for_us_alone = is_link_unicast(incoming.link())
            && self.is_local_to(incoming.interface, packet.destination);
        if !is_for_us_alone || !self.is_answerable(packet.source) || is_error(packet) {
            return;
        }
        let Some(interface) = self.interfaces.get(incoming.interface) else {
            return;
        };
        let Some(link) = Link::back(interface.hardware, incoming.link()) else {
            return;
        };
        let mtu = interface.mtu;
        if !self.errors.allows(self.now) {
            return;
        }
        let is_v6 = packet.source.is_ipv6();
        let mut outgoing = Outgoing {
            link,
            header: Header {
                source: packet.destination,
                destination: packet.source,
                protocol: if is_v6 { ICMPV6 } else { ICMP },
                hop_limit: 64,
                traffic_class: if is_v6 { 0 } else { INTERNETWORK_CONTROL },
                router_alert: false,
                part: Part::Whole,
            },
            payload_len: 0,
        };
        let room = LONGEST_ERROR[usize::from(is_v6)].min(mtu) - outgoing.header.len() - ICMP_HEADER;
        let whole = packet.header.len() + packet.transport.len();
        let quoted = incoming.packet().get(..whole.min(room)).unwrap_or_default();
        outgoing.payload_len = ICMP_HEADER + quoted.len();
        self.answer(incoming, token, &outgoing, |payload| {
            if let Some((header, quote)) = payload.split_at_mut_checked(ICMP_HEADER) {
                header.fill(0);
                header[0] = kind;
                header[1] = code;
                header[4..].copy_from_slice(&word.to_be_bytes());
                gather(&[quoted], quote);
            }
        });
    }
}

/// Whether a packet is an ICMPv6 error, or a redirect, which nobody answers with an error (RFC 4443 §2.4, e). The IPv4
/// packets that are refused are of other protocols.
fn is_error(packet: &Packet<'_>) -> bool {
    let kind = packet.transport.first();
    packet.protocol == ICMPV6
        && packet.source.is_ipv6()
        && kind.is_none_or(|kind| *kind < 128 || *kind == REDIRECT)
}

/// Makes an echo request the reply to it, but for its checksum.
pub(super) fn turn_to_reply(message: &mut [u8]) {
    if let Some(kind) = message.first_mut() {
        *kind = match *kind {
            8 => 0,
            _ => 129,
        };
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_burst_passes_and_then_so_many_a_second() {
        let mut limit = RateLimit::new((100, 50));
        let now = Instant::from_secs(1_000);
        let passed = (0..1_000).filter(|_| limit.allows(now)).count();
        assert_eq!(passed, 50);
        let mut passed = 0;
        for millis in 0..10_000 {
            let now = now + Duration::from_millis(millis);
            passed += usize::from(limit.allows(now));
        }
        assert_eq!(passed, 999);
    }
}
