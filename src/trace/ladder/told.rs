//! What a frame says, as short as an arrow wants it.

use core::fmt;
use core::net::{IpAddr, SocketAddr};

#[cfg(feature = "ipv4")]
use smoltcp::wire::{
    ArpOperation, ArpPacket, Icmpv4DstUnreachable, Icmpv4Message, Icmpv4Packet, Ipv4Packet,
};
use smoltcp::wire::{EthernetFrame, EthernetProtocol, IpProtocol, UdpPacket};
#[cfg(feature = "ipv6")]
use smoltcp::wire::{Icmpv6Message, Icmpv6Packet, Ipv6Packet};

use super::text::Text;
use crate::trace::analysis::{Analysis, Mark};
use crate::trace::dissect::Dhcp;
#[cfg(feature = "ipv4")]
use crate::trace::dissect::Igmp;
use crate::trace::{Flow, Instant, Medium, Protocol, Segment};

/// A conversation by its number: TCP's are counted as Wireshark's `tcp.stream`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) struct Conversation {
    pub(super) protocol: Protocol,
    pub(super) number: u32,
}

/// What a frame says.
#[derive(Debug, Clone)]
pub(super) enum Told {
    Tcp(Segment, Analysis),
    Udp { flow: Flow, len: usize },
    Other(Text),
}

/// What a frame says before anything is known of its conversation.
pub(super) enum Heard {
    Tcp(Segment),
    Udp { flow: Flow, len: usize },
    Other(Text),
}

/// Reads a frame; with the address that it comes from, where it has one.
pub(super) fn hear(time: Instant, medium: Medium, bytes: &[u8]) -> (Heard, Option<IpAddr>) {
    if let Some(segment) = Segment::parse(time, medium, bytes) {
        let source = segment.source.ip();
        return (Heard::Tcp(segment), Some(source));
    }
    let other = |text| (Heard::Other(text), None);
    let packet = match medium {
        Medium::Ethernet => {
            let Ok(frame) = EthernetFrame::new_checked(bytes) else {
                return other(Text::new(format_args!("{} octets", bytes.len())));
            };
            match frame.ethertype() {
                EthernetProtocol::Ipv4 | EthernetProtocol::Ipv6 => frame.payload(),
                #[cfg(feature = "ipv4")]
                EthernetProtocol::Arp => return other(arp(frame.payload())),
                kind => return other(Text::new(format_args!("{kind} len={}", bytes.len()))),
            }
        }
        _ => bytes,
    };
    match packet.first().map(|octet| octet >> 4) {
        #[cfg(feature = "ipv4")]
        Some(4) => {
            let Ok(packet) = Ipv4Packet::new_checked(packet) else {
                return other(Text::new(format_args!("IPv4 malformed")));
            };
            let (source, destination) = (packet.src_addr().into(), packet.dst_addr().into());
            let is_whole = !packet.more_frags() && packet.frag_offset() == 0;
            let heard = match packet.next_header() {
                IpProtocol::Udp if is_whole => udp(source, destination, packet.payload()),
                IpProtocol::Icmp if is_whole => Heard::Other(icmpv4(packet.payload())),
                IpProtocol::Igmp if is_whole => Heard::Other(igmp(packet.payload())),
                protocol if is_whole => Heard::Other(Text::new(format_args!("{protocol}"))),
                protocol => Heard::Other(Text::new(format_args!(
                    "{protocol} fragment at {} len={}",
                    packet.frag_offset(),
                    packet.payload().len()
                ))),
            };
            (heard, Some(source))
        }
        #[cfg(feature = "ipv6")]
        Some(6) => {
            let Ok(packet) = Ipv6Packet::new_checked(packet) else {
                return other(Text::new(format_args!("IPv6 malformed")));
            };
            let (source, destination) = (packet.src_addr().into(), packet.dst_addr().into());
            let heard = match past_hop_by_hop(packet.next_header(), packet.payload()) {
                (IpProtocol::Udp, transport) => udp(source, destination, transport),
                (IpProtocol::Icmpv6, transport) => Heard::Other(icmpv6(transport)),
                (protocol, _) => Heard::Other(Text::new(format_args!("{protocol}"))),
            };
            (heard, Some(source))
        }
        _ => other(Text::new(format_args!("{} octets", bytes.len()))),
    }
}

/// Multicast listeners report themselves behind a router alert (RFC 3810 §5).
#[cfg(feature = "ipv6")]
fn past_hop_by_hop(protocol: IpProtocol, payload: &[u8]) -> (IpProtocol, &[u8]) {
    if protocol == IpProtocol::HopByHop
        && let [next, len, ..] = *payload
        && let Some(rest) = payload.get(8 * (usize::from(len) + 1)..)
    {
        return (next.into(), rest);
    }
    (protocol, payload)
}

fn udp(source: IpAddr, destination: IpAddr, transport: &[u8]) -> Heard {
    let Ok(packet) = UdpPacket::new_checked(transport) else {
        return Heard::Other(Text::new(format_args!("UDP malformed")));
    };
    if let Some(text) = dhcp(&packet) {
        return Heard::Other(text);
    }
    Heard::Udp {
        flow: Flow {
            protocol: Protocol::Udp,
            local: SocketAddr::new(source, packet.src_port()),
            remote: SocketAddr::new(destination, packet.dst_port()),
        },
        len: packet.payload().len(),
    }
}

/// A DHCP message, and the address that it is about.
fn dhcp(packet: &UdpPacket<&[u8]>) -> Option<Text> {
    if !matches!((packet.src_port(), packet.dst_port()), (67, 68) | (68, 67)) {
        return None;
    }
    let message = Dhcp::parse(packet.payload())?;
    let name = message.name()?;
    Some(match message.subject() {
        Some(address) => Text::new(format_args!("DHCP {name} {address}")),
        None => Text::new(format_args!("DHCP {name}")),
    })
}

#[cfg(feature = "ipv4")]
fn arp(payload: &[u8]) -> Text {
    let Ok(packet) = ArpPacket::new_checked(payload) else {
        return Text::new(format_args!("ARP malformed"));
    };
    let address = |octets: &[u8]| {
        let octets: [u8; 4] = octets.try_into().unwrap_or_default();
        core::net::Ipv4Addr::from(octets)
    };
    match packet.operation() {
        ArpOperation::Request => Text::new(format_args!(
            "ARP who has {}?",
            address(packet.target_protocol_addr())
        )),
        _ => Text::new(format_args!(
            "ARP {} is here",
            address(packet.source_protocol_addr())
        )),
    }
}

#[cfg(feature = "ipv4")]
fn icmpv4(payload: &[u8]) -> Text {
    let Ok(packet) = Icmpv4Packet::new_checked(payload) else {
        return Text::new(format_args!("ICMP malformed"));
    };
    match packet.msg_type() {
        Icmpv4Message::EchoRequest => Text::new(format_args!(
            "ICMP echo request seq={}",
            packet.echo_seq_no()
        )),
        Icmpv4Message::EchoReply => {
            Text::new(format_args!("ICMP echo reply seq={}", packet.echo_seq_no()))
        }
        Icmpv4Message::DstUnreachable => Text::new(format_args!(
            "ICMP {}",
            Icmpv4DstUnreachable::from(packet.msg_code())
        )),
        kind => Text::new(format_args!("ICMP {kind}")),
    }
}

#[cfg(feature = "ipv4")]
fn igmp(payload: &[u8]) -> Text {
    match Igmp::parse(payload) {
        Some(igmp) => Text::new(format_args!("{} {igmp}", igmp.protocol())),
        None => Text::new(format_args!("IGMP malformed")),
    }
}

#[cfg(feature = "ipv6")]
fn icmpv6(payload: &[u8]) -> Text {
    let Ok(packet) = Icmpv6Packet::new_checked(payload) else {
        return Text::new(format_args!("ICMPv6 malformed"));
    };
    // A message that is too short for its type has no target to read.
    let has_target = payload.len() >= 24;
    match packet.msg_type() {
        Icmpv6Message::EchoRequest => Text::new(format_args!(
            "ICMPv6 echo request seq={}",
            packet.echo_seq_no()
        )),
        Icmpv6Message::EchoReply => Text::new(format_args!(
            "ICMPv6 echo reply seq={}",
            packet.echo_seq_no()
        )),
        Icmpv6Message::NeighborSolicit if has_target => {
            Text::new(format_args!("NDP who has {}?", packet.target_addr()))
        }
        Icmpv6Message::NeighborAdvert if has_target => {
            Text::new(format_args!("NDP {} is here", packet.target_addr()))
        }
        Icmpv6Message::RouterSolicit => Text::new(format_args!("NDP router solicitation")),
        Icmpv6Message::RouterAdvert => Text::new(format_args!("NDP router advertisement")),
        kind => Text::new(format_args!("ICMPv6 {kind}")),
    }
}

/// A part of a label, and how much it matters: the greatest number goes first where there is no room.
struct Part(u8, Text);

/// How much the acknowledgment of a segment with data matters.
pub(super) const ACKNOWLEDGMENT: u8 = 4;
/// How much the window matters; options matter less.
pub(super) const WINDOW: u8 = 6;

/// The label of a frame's arrow in at most `width` columns: what matters least is left out. So many columns as
/// `reserved` says are better used otherwise than by parts of its rank and beyond.
pub(super) fn label(
    told: &Told,
    tag: Option<u32>,
    again: Option<char>,
    width: usize,
    (reserved, rank): (usize, u8),
) -> Text {
    let mut parts = heapless::Vec::<Part, 20>::new();
    // There is room for every part below.
    let mut part = |rank, arguments: fmt::Arguments<'_>| {
        let _ = parts.push(Part(rank, Text::new(arguments)));
    };
    if let Some(number) = tag {
        part(0, format_args!("#{number}"));
    }
    if let Some(again) = again {
        part(0, format_args!("{again}"));
    }
    match told {
        Told::Tcp(segment, analysis) => tcp(segment, analysis, &mut part),
        Told::Udp { flow, len } => {
            part(0, format_args!("UDP"));
            part(2, format_args!("{}", flow.local.port()));
            part(2, format_args!("to {}", flow.remote.port()));
            part(1, format_args!("len={len}"));
        }
        Told::Other(text) => part(0, format_args!("{}", text.as_str())),
    }

    let mut most = u8::MAX;
    let total = |most: u8| {
        let kept = parts.iter().filter(|part| part.0 <= most);
        kept.map(|part| part.1.width() + 1).sum::<usize>()
    };
    let room = |most: u8| match most >= rank {
        true => width.saturating_sub(reserved) + 1,
        false => width + 1,
    };
    while most > 0 && total(most) > room(most) {
        let worst = parts
            .iter()
            .map(|part| part.0)
            .filter(|rank| *rank <= most)
            .max();
        most = worst.unwrap_or(0).saturating_sub(1);
    }
    let mut label = Text::default();
    for Part(_, text) in parts.iter().filter(|part| part.0 <= most) {
        let gap = if label.is_empty() { "" } else { " " };
        label.push(format_args!("{gap}{}", text.as_str()));
    }
    label
}

fn tcp(segment: &Segment, analysis: &Analysis, part: &mut impl FnMut(u8, fmt::Arguments<'_>)) {
    let flags = [
        (segment.flags.syn, "SYN"),
        (segment.flags.fin, "FIN"),
        (segment.flags.rst, "RST"),
        (segment.flags.psh, "PSH"),
        (segment.acknowledgment.is_some(), "ACK"),
    ];
    let mut names = Text::default();
    for (_, name) in flags.iter().filter(|(is_set, _)| *is_set) {
        let comma = if names.is_empty() { "" } else { "," };
        names.push(format_args!("{comma}{name}"));
    }
    part(0, format_args!("{}", names.as_str()));

    // Of a pure acknowledgment the sequence number says little, and of what takes up sequence numbers it says all.
    let is_pure = segment.sequence_len() == 0;
    part(
        if is_pure { 5 } else { 1 },
        format_args!("seq={}", analysis.sequence),
    );
    if let Some(acknowledgment) = analysis.acknowledgment {
        part(
            if is_pure { 1 } else { ACKNOWLEDGMENT },
            format_args!("ack={acknowledgment}"),
        );
    }
    if segment.len > 0 {
        part(2, format_args!("len={}", segment.len));
    }
    let is_shut = analysis.window == 0 && !segment.flags.rst;
    part(
        if is_shut { 1 } else { WINDOW },
        format_args!("win={}", analysis.window),
    );

    for (nth, mark) in analysis.marks.iter().enumerate() {
        let word = match mark {
            // These are told by the arrow that goes again, and by what stands above it.
            Mark::Retransmission | Mark::FastRetransmission => continue,
            Mark::DuplicateAck => {
                part(3, format_args!("dup ACK #{}", analysis.duplicate_ack));
                continue;
            }
            Mark::SpuriousRetransmission => "spurious",
            Mark::OutOfOrder => "out of order",
            Mark::LostSegment => "gap before",
            Mark::AckedLostSegment => "unseen acked",
            Mark::WindowUpdate => "window update",
            Mark::WindowFull => "window full",
            Mark::ZeroWindow => "zero window",
            Mark::ZeroWindowProbe => "probe",
            Mark::ZeroWindowProbeAck => "probe ACK",
            Mark::KeepAlive => "keep-alive",
            Mark::KeepAliveAck => "keep-alive ACK",
            Mark::ReusedPorts => "ports reused",
        };
        // The first says most.
        part(if nth == 0 { 3 } else { 5 }, format_args!("{word}"));
    }

    if let Some(size) = segment.max_segment_size {
        part(7, format_args!("mss={size}"));
    }
    if let Some(shift) = segment.window_scale {
        part(
            8,
            format_args!("ws={}", 1_u32.checked_shl(shift.into()).unwrap_or(0)),
        );
    }
    if segment.sack_permitted {
        part(9, format_args!("sack_perm"));
    }
    // The numbers of a block count from the other end's SYN, as the acknowledgment does.
    let base = segment.acknowledgment.zip(analysis.acknowledgment);
    if let Some((absolute, relative)) = base {
        let base = absolute.wrapping_sub(relative);
        for (from, to) in segment.sack.iter().flatten() {
            let [from, to] = [from, to].map(|edge| edge.wrapping_sub(base));
            part(ACKNOWLEDGMENT, format_args!("sack={from}-{to}"));
        }
    }
    if let Some((value, echo)) = segment.timestamps {
        part(10, format_args!("ts={value},{echo}"));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    #[cfg(feature = "ipv4")]
    fn a_membership_is_told_with_its_group() {
        let told = igmp(&[0x16, 0, 0x09, 0x04, 224, 0, 0, 251]);
        assert_eq!(told.as_str(), "IGMPv2 Membership Report group 224.0.0.251");
        assert_eq!(igmp(&[]).as_str(), "IGMP malformed");
    }

    #[test]
    #[cfg(feature = "ipv6")]
    fn a_multicast_report_is_told_behind_its_router_alert() {
        let payload = [
            58, 0, 5, 2, 0, 0, 1, 0, // Hop-by-Hop: router alert, PadN
            143, 0, 0, 0, 0, 0, 0, 0, // a report of nothing
        ];
        let (protocol, transport) = past_hop_by_hop(IpProtocol::HopByHop, &payload);
        assert_eq!(protocol, IpProtocol::Icmpv6);
        assert_eq!(
            icmpv6(transport).as_str(),
            "ICMPv6 multicast listener report"
        );
        let (protocol, cut) = past_hop_by_hop(IpProtocol::HopByHop, &payload[..7]);
        assert_eq!((protocol, cut.len()), (IpProtocol::HopByHop, 7));
    }
}
