//! Frames made by hand, each with its protocol and its line; and where Wireshark's is another, that one too.

use std::net::{IpAddr, SocketAddr};

use crate::frames::{
    ethernet, ip,
    packet::{self, ACK, FIN, RST, SYN, Segment},
};

pub(crate) struct Sample {
    pub(crate) frame: Vec<u8>,
    pub(crate) protocol: &'static str,
    pub(crate) info: &'static str,
    /// Protocol and line in Wireshark, where it says otherwise on purpose: the table in the module's documentation.
    pub(crate) wireshark: Option<(&'static str, &'static str)>,
}

const CLIENT_MAC: [u8; 6] = [2, 0, 0, 0, 0, 1];
const SERVER_MAC: [u8; 6] = [2, 0, 0, 0, 0, 2];

fn framed(packet: Vec<u8>) -> Vec<u8> {
    ethernet::frame(CLIENT_MAC, SERVER_MAC, &packet)
}

fn ends(family: u8, source_port: u16, destination_port: u16) -> (SocketAddr, SocketAddr) {
    let [client, server] = match family {
        4 => ["10.0.0.1", "10.0.0.2"],
        _ => ["fd00::1", "fd00::2"],
    };
    (
        (ip(client), source_port).into(),
        (ip(server), destination_port).into(),
    )
}

fn tcp(family: u8, segment: &Segment) -> Vec<u8> {
    let (from, to) = ends(family, 49152, 9999);
    segment.packet(from, to)
}

/// From a port of its own: what it says of scaling is not for the other segments.
fn syn(options: &[u8]) -> Vec<u8> {
    let (from, to) = ends(4, 50000, 9999);
    let mut segment = Segment::new(SYN, 100, 0);
    segment.options = options.to_vec();
    framed(segment.packet(from, to))
}

fn udp(source_port: u16, destination_port: u16, payload: &[u8]) -> Vec<u8> {
    let (from, to) = ends(4, source_port, destination_port);
    framed(packet::udp(from, to, payload))
}

fn icmp(family: u8, kind: u8, code: u8, body: &[u8]) -> Vec<u8> {
    let (from, to) = ends(family, 0, 0);
    framed(packet::icmp(from.ip(), to.ip(), kind, code, body))
}

/// An IGMP message with its checksum.
fn igmp(kind: u8, code: u8, group: [u8; 4], more: &[u8]) -> Vec<u8> {
    let mut message = [&[kind, code, 0, 0], &group[..], more].concat();
    let sum = packet::checksum(&[&message]);
    message[2..4].copy_from_slice(&sum.to_be_bytes());
    let (from, to) = ends(4, 0, 0);
    framed(packet::ip(from.ip(), to.ip(), 2, &message))
}

/// An error about a datagram that the other host had sent.
fn error(family: u8, kind: u8, code: u8) -> Vec<u8> {
    let (from, to) = ends(family, 49152, 9999);
    let quoted = packet::udp(to, from, b"hello");
    framed(packet::icmp_error(from.ip(), kind, code, &quoted))
}

fn arp(operation: u8, sender: [u8; 4], target_hardware: [u8; 6], target: [u8; 4]) -> Vec<u8> {
    let header = [0x08, 0x06, 0, 1, 0x08, 0, 6, 4, 0, operation];
    [
        &[0xff; 6][..],
        &CLIENT_MAC,
        &header,
        &CLIENT_MAC,
        &sender,
        &target_hardware,
        &target,
    ]
    .concat()
}

/// Puts extension headers before what an IPv6 packet carries. Each begins with the number of the next one.
fn extended(mut packet: Vec<u8>, first_header: u8, extensions: &[u8]) -> Vec<u8> {
    let len = u16::from_be_bytes([packet[4], packet[5]]) + extensions.len() as u16;
    packet[4..6].copy_from_slice(&len.to_be_bytes());
    packet[6] = first_header;
    packet.splice(40..40, extensions.iter().copied());
    packet
}

fn ipv4_fragment(protocol: u8, identification: u16, cut: u16, data: &[u8]) -> Vec<u8> {
    let (from, to) = ends(4, 0, 0);
    let mut packet = packet::ip(from.ip(), to.ip(), protocol, data);
    packet[4..6].copy_from_slice(&identification.to_be_bytes());
    packet[6..8].copy_from_slice(&cut.to_be_bytes());
    with_ipv4_checksum(packet)
}

fn with_ipv4_checksum(mut packet: Vec<u8>) -> Vec<u8> {
    let header_len = usize::from(packet[0] & 15) * 4;
    packet[10..12].fill(0);
    let sum = packet::checksum(&[&packet[..header_len]]);
    packet[10..12].copy_from_slice(&sum.to_be_bytes());
    packet
}

fn name(dotted: &str) -> Vec<u8> {
    let mut name = Vec::new();
    for label in dotted.split('.') {
        name.push(label.len() as u8);
        name.extend(label.as_bytes());
    }
    name.push(0);
    name
}

fn dns_message(flags: u16, counts: [u16; 4], body: &[&[u8]]) -> Vec<u8> {
    let mut message = [0x1234, flags].map(u16::to_be_bytes).concat();
    message.extend(counts.map(u16::to_be_bytes).concat());
    message.extend(body.concat());
    message
}

fn question(record_type: u8) -> Vec<u8> {
    [&name("www.example.com")[..], &[0, record_type, 0, 1]].concat()
}

/// A record of the name at `pointer`.
fn record(pointer: u8, record_type: u8, data: &[u8]) -> Vec<u8> {
    let header = [0xc0, pointer, 0, record_type, 0, 1, 0, 0, 0, 60, 0];
    [&header[..], &[data.len() as u8], data].concat()
}

fn dhcp(is_reply: bool, options: &[u8]) -> Vec<u8> {
    let mut message = vec![1 + u8::from(is_reply), 1, 6, 0, 0, 0, 0x3d, 0x1d];
    message.resize(28, 0);
    message.extend(CLIENT_MAC);
    message.resize(236, 0);
    message.extend([99, 130, 83, 99]);
    message.extend(options);
    message.push(255);
    if is_reply {
        udp(67, 68, &message)
    } else {
        udp(68, 67, &message)
    }
}

fn neighbor(kind: u8, flags: u8, option: u8) -> Vec<u8> {
    let IpAddr::V6(target) = ip("fd00::2") else {
        unreachable!("it is written as one")
    };
    let body = [
        &[flags, 0, 0, 0][..],
        &target.octets(),
        &[option, 1],
        &CLIENT_MAC,
    ];
    icmp(6, kind, 0, &body.concat())
}

pub(crate) fn samples() -> Vec<Sample> {
    let mut samples = Vec::new();
    let mut add = |frame: Vec<u8>, protocol, info| {
        samples.push(Sample {
            frame,
            protocol,
            info,
            wireshark: None,
        });
    };

    const NOBODY: [u8; 6] = [0; 6];
    let (client, server) = ([10, 0, 0, 1], [10, 0, 0, 2]);
    add(
        arp(1, client, NOBODY, server),
        "ARP",
        "Who has 10.0.0.2? Tell 10.0.0.1",
    );
    add(
        arp(2, client, SERVER_MAC, server),
        "ARP",
        "10.0.0.1 is at 02:00:00:00:00:01",
    );
    add(
        arp(1, client, NOBODY, client),
        "ARP",
        "ARP Announcement for 10.0.0.1",
    );
    add(
        arp(1, client, [0xff; 6], client),
        "ARP",
        "Gratuitous ARP for 10.0.0.1 (Request)",
    );
    add(
        arp(2, client, SERVER_MAC, client),
        "ARP",
        "Gratuitous ARP for 10.0.0.1 (Reply)",
    );
    add(
        arp(1, [0; 4], NOBODY, client),
        "ARP",
        "Who has 10.0.0.1? (ARP Probe)",
    );

    let options = [
        2, 4, 5, 0xb4, 4, 2, 8, 10, 0, 0, 0, 7, 0, 0, 0, 0, 1, 3, 3, 7,
    ];
    add(
        syn(&options),
        "TCP",
        "50000 → 9999 [SYN] Seq=100 Win=65535 Len=0 MSS=1460 SACK_PERM TSval=7 TSecr=0 WS=128",
    );
    let sack = [
        &[1, 1, 5, 18][..],
        &[0, 0, 1, 0, 0, 0, 2, 0, 0, 0, 3, 0, 0, 0, 4, 0],
    ]
    .concat();
    let mut segment = Segment::new(ACK, 101, 201);
    segment.options = sack;
    add(
        framed(tcp(4, &segment)),
        "TCP",
        "49152 → 9999 [ACK] Seq=101 Ack=201 Win=65535 Len=0 SLE=256 SRE=512 SLE=768 SRE=1024",
    );
    let mut segment = Segment::new(FIN | 8 | ACK, 101, 201);
    segment.data = b"hello".to_vec();
    for family in [4, 6] {
        add(
            framed(tcp(family, &segment)),
            "TCP",
            "49152 → 9999 [FIN, PSH, ACK] Seq=101 Ack=201 Win=65535 Len=5",
        );
    }
    add(
        framed(tcp(6, &Segment::new(RST, 5, 0))),
        "TCP",
        "49152 → 9999 [RST] Seq=5 Win=65535 Len=0",
    );
    add(
        framed(tcp(4, &Segment::new(0xe0, 5, 0))),
        "TCP",
        "49152 → 9999 [URG, ECE, CWR] Seq=5 Win=65535 Urg=0 Len=0",
    );
    add(
        framed(tcp(4, &Segment::new(0, 5, 0))),
        "TCP",
        "49152 → 9999 [<None>] Seq=5 Win=65535 Len=0",
    );
    // A shift of 15 is one of 14; the list ends before the segment size.
    add(
        syn(&[3, 3, 15, 1]),
        "TCP",
        "50000 → 9999 [SYN] Seq=100 Win=65535 Len=0 WS=16384",
    );
    add(
        syn(&[4, 2, 0, 2, 4, 5, 0xb4, 0]),
        "TCP",
        "50000 → 9999 [SYN] Seq=100 Win=65535 Len=0 SACK_PERM",
    );
    // Padded to the least length of an Ethernet frame.
    let mut padded = framed(tcp(4, &Segment::new(ACK, 5, 6)));
    padded.resize(60, 0);
    add(
        padded,
        "TCP",
        "49152 → 9999 [ACK] Seq=5 Ack=6 Win=65535 Len=0",
    );

    let hop_by_hop = [6, 0, 1, 4, 0, 0, 0, 0];
    add(
        framed(extended(tcp(6, &Segment::new(SYN, 5, 0)), 0, &hop_by_hop)),
        "TCP",
        "49152 → 9999 [SYN] Seq=5 Win=65535 Len=0",
    );
    let all = [
        &[60, 0, 1, 4, 0, 0, 0, 0][..], // hop-by-hop options
        &[43, 0, 1, 4, 0, 0, 0, 0],     // destination options
        &[44, 2, 0, 0, 0, 0, 0, 0],     // routing, with no segment left
        &[0xfd, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 9],
        &[51, 0, 0, 0, 0, 0, 0xab, 0xcd], // fragment: the whole in one
        &[60, 4, 0, 0, 0, 0, 0, 1, 0, 0, 0, 1], // authentication
        &[0; 12],
        &[6, 0, 1, 4, 0, 0, 0, 0], // destination options
    ];
    add(
        framed(extended(tcp(6, &Segment::new(SYN, 5, 0)), 0, &all.concat())),
        "TCP",
        "49152 → 9999 [SYN] Seq=5 Win=65535 Len=0",
    );

    add(udp(49152, 9999, b"hello"), "UDP", "49152 → 9999 Len=5");
    add(udp(49152, 9999, b""), "UDP", "49152 → 9999 Len=0");
    // The length field is 13 and the checksum none: 12 octets are there, then 14.
    for (length, info) in [
        (7, "49152 → 9999 [BAD UDP LENGTH 7 < 8]"),
        (12, "49152 → 9999 Len=4"),
        (
            14,
            "49152 → 9999 [BAD UDP LENGTH 14 > IP PAYLOAD LENGTH] Len=6",
        ),
    ] {
        let mut frame = udp(49152, 9999, b"hello");
        frame[38..42].copy_from_slice(&[0, length, 0, 0]);
        add(frame, "UDP", info);
    }

    let echo = [&[0x12, 0x34, 0, 1][..], b"abcdefgh"].concat();
    add(
        icmp(4, 8, 0, &echo),
        "ICMP",
        "Echo (ping) request id=0x1234, seq=1/256, ttl=64",
    );
    add(
        icmp(4, 0, 0, &[0x12, 0x35, 1, 0]),
        "ICMP",
        "Echo (ping) reply id=0x1235, seq=256/1, ttl=64",
    );
    for (kind, code, info) in [
        (3, 0, "Destination unreachable (Network unreachable)"),
        (3, 1, "Destination unreachable (Host unreachable)"),
        (3, 2, "Destination unreachable (Protocol unreachable)"),
        (3, 3, "Destination unreachable (Port unreachable)"),
        (3, 4, "Destination unreachable (Fragmentation needed)"),
        (
            3,
            13,
            "Destination unreachable (Communication administratively filtered)",
        ),
        (3, 16, "Destination unreachable (Unknown code: 16)"),
        (5, 1, "Redirect (Redirect for host)"),
        (
            11,
            0,
            "Time-to-live exceeded (Time to live exceeded in transit)",
        ),
        (
            11,
            1,
            "Time-to-live exceeded (Fragment reassembly time exceeded)",
        ),
        (12, 0, "Parameter problem (Pointer indicates the error)"),
    ] {
        add(error(4, kind, code), "ICMP", info);
    }
    add(
        icmp(6, 128, 0, &[0x12, 0x34, 0, 1]),
        "ICMPv6",
        "Echo (ping) request id=0x1234, seq=1, hop limit=64",
    );
    add(
        icmp(6, 129, 0, &[0x12, 0x35, 0, 1]),
        "ICMPv6",
        "Echo (ping) reply id=0x1235, seq=1, hop limit=64",
    );
    for (kind, code, info) in [
        (1, 0, "Destination Unreachable (no route to destination)"),
        (1, 3, "Destination Unreachable (Address unreachable)"),
        (1, 4, "Destination Unreachable (Port unreachable)"),
        (2, 0, "Packet Too Big"),
        (3, 0, "Time Exceeded (hop limit exceeded in transit)"),
        (3, 1, "Time Exceeded (fragment reassembly time exceeded)"),
        (
            4,
            1,
            "Parameter Problem (unrecognized Next Header type encountered)",
        ),
        (4, 9, "Parameter Problem (Unknown (9))"),
    ] {
        add(error(6, kind, code), "ICMPv6", info);
    }
    add(
        neighbor(135, 0, 1),
        "ICMPv6",
        "Neighbor Solicitation for fd00::2 from 02:00:00:00:00:01",
    );
    add(
        neighbor(136, 0x60, 2),
        "ICMPv6",
        "Neighbor Advertisement fd00::2 (sol, ovr) is at 02:00:00:00:00:01",
    );
    add(
        neighbor(136, 0x80, 5),
        "ICMPv6",
        "Neighbor Advertisement fd00::2 (rtr)",
    );
    let solicitation = [&[0, 0, 0, 0, 1, 1][..], &CLIENT_MAC].concat();
    add(
        icmp(6, 133, 0, &solicitation),
        "ICMPv6",
        "Router Solicitation from 02:00:00:00:00:01",
    );
    let advertisement = [
        &[64, 0, 7, 8, 0, 0, 0, 0, 0, 0, 0, 0][..],
        &[5, 1, 0, 0, 0, 0, 5, 220], // MTU
        &[1, 1],
        &CLIENT_MAC,
    ];
    add(
        icmp(6, 134, 0, &advertisement.concat()),
        "ICMPv6",
        "Router Advertisement from 02:00:00:00:00:01",
    );

    add(
        framed(ipv4_fragment(17, 1, 0x2000, &[7; 1480])),
        "IPv4",
        "Fragmented IP protocol (proto=UDP 17, off=0, ID=0001)",
    );
    add(
        framed(ipv4_fragment(17, 2, 185, &[7; 20])),
        "IPv4",
        "Fragmented IP protocol (proto=UDP 17, off=1480, ID=0002)",
    );
    let (from, to) = ends(6, 0, 0);
    let fragment = [&[17, 0, 0, 0x11, 0, 0, 0xab, 0xcd][..], &[7; 16]].concat();
    add(
        framed(packet::ip(from.ip(), to.ip(), 44, &fragment)),
        "IPv6",
        "IPv6 fragment (off=16 more=y ident=0x0000abcd nxt=17)",
    );
    add(
        framed(packet::ip(from.ip(), to.ip(), 59, &[])),
        "IPv6",
        "IPv6 no next header",
    );
    // A router alert before the transport.
    let (from, to) = ends(4, 49152, 9999);
    let mut optioned = packet::udp(from, to, b"hello");
    optioned[0] = 0x46;
    optioned[3] += 4;
    optioned.splice(20..20, [148, 4, 0, 0]);
    add(
        framed(with_ipv4_checksum(optioned)),
        "UDP",
        "49152 → 9999 Len=5",
    );
    let (from, to) = ends(4, 0, 0);
    add(
        framed(packet::ip(from.ip(), to.ip(), 253, b"????")),
        "IPv4",
        "Unknown (253)",
    );

    let query = dns_message(0x0100, [1, 0, 0, 0], &[&question(1)]);
    add(
        udp(5555, 53, &query),
        "DNS",
        "Standard query 0x1234 A www.example.com",
    );
    let query = dns_message(
        0x0100,
        [1, 0, 0, 1],
        &[&question(28), &[0, 0, 41, 4, 208, 0, 0, 0, 0, 0, 0]],
    );
    add(
        udp(5555, 53, &query),
        "DNS",
        "Standard query 0x1234 AAAA www.example.com OPT",
    );
    let alias = [&[4][..], b"host", &[0xc0, 16]].concat();
    let answer = dns_message(
        0x8180,
        [1, 3, 0, 0],
        &[
            &question(1),
            &record(12, 5, &alias),
            &record(45, 1, &[192, 0, 2, 1]),
            &record(
                45,
                28,
                &[0x20, 1, 0xd, 0xb8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1],
            ),
        ],
    );
    add(
        udp(53, 5555, &answer),
        "DNS",
        "Standard query response 0x1234 A www.example.com CNAME host.example.com A 192.0.2.1 AAAA 2001:db8::1",
    );
    let soa = [
        &name("ns.example.com")[..],
        &name("root.example.com"),
        &[0; 20],
    ]
    .concat();
    let answer = dns_message(0x8183, [1, 0, 1, 0], &[&question(1), &record(16, 6, &soa)]);
    add(
        udp(53, 5555, &answer),
        "DNS",
        "Standard query response 0x1234 No such name A www.example.com SOA ns.example.com",
    );
    let answer = dns_message(0x8182, [1, 0, 0, 0], &[&question(1)]);
    add(
        udp(53, 5555, &answer),
        "DNS",
        "Standard query response 0x1234 Server failure A www.example.com",
    );
    let mail = [&[0, 10][..], &name("mx.example.com")].concat();
    let answer = dns_message(
        0x8180,
        [1, 1, 0, 0],
        &[&question(15), &record(12, 15, &mail)],
    );
    add(
        udp(53, 5555, &answer),
        "DNS",
        "Standard query response 0x1234 MX www.example.com MX 10 mx.example.com",
    );
    let query = dns_message(0x0100, [1, 0, 0, 0], &[&[0, 0, 2, 0, 1]]);
    add(
        udp(5555, 53, &query),
        "DNS",
        "Standard query 0x1234 NS <Root>",
    );

    let service = [&[0, 1, 0, 2, 0x02, 0x77][..], &name("host.local")].concat();
    let answer = dns_message(
        0x8180,
        [1, 1, 0, 0],
        &[&question(33), &record(12, 33, &service)],
    );
    add(
        udp(53, 5555, &answer),
        "DNS",
        "Standard query response 0x1234 SRV www.example.com SRV 1 2 631 host.local",
    );
    let types = name("_services._dns-sd._udp.local");
    let printers = name("_ipp._tcp.local");
    let query = dns_message(
        0,
        [2, 0, 0, 0],
        &[&types, &[0, 12, 0, 1], &printers, &[0, 12, 0x80, 1]],
    );
    add(
        udp(5353, 5353, &query),
        "MDNS",
        r#"Standard query 0x1234 PTR _services._dns-sd._udp.local, "QM" question PTR _ipp._tcp.local, "QU" question"#,
    );
    let printer = name("printer._ipp._tcp.local");
    let answer = dns_message(
        0x8400,
        [0, 3, 0, 1],
        &[
            &[&printers[..], &[0, 12, 0, 1, 0, 0, 0, 120, 0, 25]].concat(),
            &printer,
            &[&printer[..], &[0, 33, 0x80, 1, 0, 0, 0, 120, 0, 18]].concat(),
            &service,
            &[&printer[..], &[0, 16, 0x80, 1, 0, 0, 0, 120, 0, 4]].concat(),
            b"\x03a=b",
            &[
                &name("host.local")[..],
                &[0, 1, 0x80, 1, 0, 0, 0, 120, 0, 4],
            ]
            .concat(),
            &[10, 0, 0, 2],
        ],
    );
    add(
        udp(5353, 5555, &answer),
        "MDNS",
        "Standard query response 0x1234 PTR printer._ipp._tcp.local SRV, cache flush 1 2 631 host.local TXT, cache flush A, cache flush 10.0.0.2",
    );

    let (all, group) = ([0; 4], [239, 1, 2, 3]);
    let about = |count: u8| [&[2, 125, 0, count][..], &[10, 0, 0, 9].repeat(count.into())].concat();
    for (frame, protocol, info) in [
        (igmp(0x11, 0, all, &[]), "IGMPv1", "Membership Query"),
        (igmp(0x12, 0, group, &[]), "IGMPv1", "Membership Report"),
        (
            igmp(0x11, 100, all, &[]),
            "IGMPv2",
            "Membership Query, general",
        ),
        (
            igmp(0x11, 10, group, &[]),
            "IGMPv2",
            "Membership Query, specific for group 239.1.2.3",
        ),
        (
            igmp(0x16, 0, group, &[]),
            "IGMPv2",
            "Membership Report group 239.1.2.3",
        ),
        (igmp(0x17, 0, group, &[]), "IGMPv2", "Leave Group 239.1.2.3"),
        (
            igmp(0x11, 100, all, &about(0)),
            "IGMPv3",
            "Membership Query, general",
        ),
        (
            igmp(0x11, 100, group, &about(1)),
            "IGMPv3",
            "Membership Query, specific for group 239.1.2.3, source {10.0.0.9}",
        ),
        (
            igmp(0x11, 100, group, &about(2)),
            "IGMPv3",
            "Membership Query, specific for group 239.1.2.3, sources {10.0.0.9, 10.0.0.9}",
        ),
        (
            igmp(0x22, 0, [0; 4], &[]),
            "IGMPv3",
            "Membership Report - General query",
        ),
        (igmp(0x99, 0, group, &[]), "IGMP", "Unknown Type:0x99"),
    ] {
        add(frame, protocol, info);
    }
    let names = [
        [
            "Leave group 239.1.2.3",
            "Join group 239.1.2.3 for source {10.0.0.9}",
        ],
        [
            "Join group 239.1.2.3 for any sources",
            "Join group 239.1.2.3, for sources not in {10.0.0.9, 10.0.0.9}",
        ],
        [
            "Leave group 239.1.2.3",
            "Join group 239.1.2.3 for sources in {10.0.0.9, 10.0.0.9}",
        ],
        [
            "Join group 239.1.2.3 for any sources",
            "Join group 239.1.2.3, for source not {10.0.0.9}",
        ],
        [
            "Group 239.1.2.3, ALLOW_NEW_SOURCES but no source specified (?)",
            "Group 239.1.2.3, new source {10.0.0.9}",
        ],
        [
            "Group 239.1.2.3, BLOCK_OLD_SOURCES but no source specified (?)",
            "Group 239.1.2.3, block sources {10.0.0.9, 10.0.0.9}",
        ],
        [
            "Group 239.1.2.3, unknown record type (?)",
            "Group 239.1.2.3, unknown record type (?), sources {10.0.0.9}",
        ],
    ];
    for (record_type, [without, with]) in (1..).zip(names) {
        let count = with.matches("10.0.0.9").count() as u8;
        let first = [record_type, 0, 0, 0, 239, 1, 2, 3];
        let second = [record_type, 0, 0, count, 239, 1, 2, 3];
        let sources = [10, 0, 0, 9].repeat(count.into());
        let records = [&first[..], &second, &sources].concat();
        let info = format!("Membership Report / {without} / {with}");
        add(igmp(0x22, 0, [0, 0, 0, 2], &records), "IGMPv3", info.leak());
    }

    for (message_type, info) in [
        (1, "DHCP Discover - Transaction ID 0x3d1d"),
        (3, "DHCP Request - Transaction ID 0x3d1d"),
        (4, "DHCP Decline - Transaction ID 0x3d1d"),
        (7, "DHCP Release - Transaction ID 0x3d1d"),
        (8, "DHCP Inform - Transaction ID 0x3d1d"),
    ] {
        add(
            dhcp(false, &[0, 53, 1, message_type, 50, 4, 10, 0, 0, 9]),
            "DHCP",
            info,
        );
    }
    for (message_type, info) in [
        (2, "DHCP Offer - Transaction ID 0x3d1d"),
        (5, "DHCP ACK - Transaction ID 0x3d1d"),
        (6, "DHCP NAK - Transaction ID 0x3d1d"),
    ] {
        add(
            dhcp(true, &[53, 1, message_type, 54, 4, 10, 0, 0, 2]),
            "DHCP",
            info,
        );
    }
    add(dhcp(true, &[]), "BOOTP", "Boot Reply");

    let mut add = |frame, protocol, info, wireshark| {
        samples.push(Sample {
            frame,
            protocol,
            info,
            wireshark: Some(wireshark),
        });
    };
    let syn_line = "50000 → 9999 [SYN] Seq=100 Win=65535 Len=0";
    add(
        syn(&[34, 2, 1, 1]),
        "TCP",
        "50000 → 9999 [SYN] Seq=100 Win=65535 Len=0 Opt=34",
        ("TCP", "50000 → 9999 [SYN] Seq=100 Win=65535 Len=0 TFO=R"),
    );
    // A segment size without a size.
    add(
        syn(&[2, 2, 1, 1]),
        "TCP",
        "50000 → 9999 [SYN] Seq=100 Win=65535 Len=0 Opt=2",
        ("TCP", syn_line),
    );
    // A header of no octets.
    let mut headless = syn(&[]);
    headless[46] = 0;
    add(
        headless,
        "TCP",
        "50000 → 9999 [Malformed Packet]",
        (
            "TCP",
            "50000 → 9999 [SYN] Seq=100 Win=65535, bogus TCP header length (0, must be at least 20)",
        ),
    );
    // A bit that flipped on the way.
    let mut flipped = framed(tcp(4, &segment));
    flipped[55] ^= 1;
    add(
        flipped,
        "TCP",
        "49152 → 9999 [FIN, PSH, ACK] Seq=101 Ack=201 Win=65535 Len=5 [TCP CHECKSUM INCORRECT]",
        (
            "TCP",
            "49152 → 9999 [FIN, PSH, ACK] Seq=101 Ack=201 Win=65535 Len=5",
        ),
    );
    // Hop-by-hop options that go on beyond the packet.
    let (from, to) = ends(6, 0, 0);
    add(
        framed(packet::ip(from.ip(), to.ip(), 0, &[6, 9, 1, 4, 0, 0, 0, 0])),
        "IPv6",
        "[Malformed Packet]",
        ("IPv6", "IPv6 hop-by-hop options[Malformed Packet]"),
    );
    add(
        igmp(0x22, 0, [0, 0, 0, 2], &[2, 0, 0, 0, 239, 1, 2, 3]),
        "IGMPv3",
        "Membership Report / Join group 239.1.2.3 for any sources [Malformed Packet]",
        (
            "IGMPv3",
            "Membership Report / Join group 239.1.2.3 for any sources[Malformed Packet]",
        ),
    );
    // A name that points at itself.
    let query = dns_message(0x0100, [1, 0, 0, 0], &[&[0xc0, 12, 0, 1, 0, 1]]);
    add(
        udp(5555, 53, &query),
        "DNS",
        "Standard query 0x1234 [Malformed Packet]",
        (
            "DNS",
            "Standard query 0x1234 A <Name contains a pointer that loops>",
        ),
    );
    // An escape sequence for a terminal.
    let query = dns_message(0x0100, [1, 0, 0, 0], &[b"\x05a.\x1b[m\0", &[0, 1, 0, 1]]);
    add(
        udp(5555, 53, &query),
        "DNS",
        r"Standard query 0x1234 A a\.\027[m",
        ("DNS", r"Standard query 0x1234 A a.\033[m"),
    );
    add(
        dhcp(false, &[]),
        "BOOTP",
        "Boot Request from 02:00:00:00:00:01",
        (
            "BOOTP",
            "Boot Request from 02:00:00:00:00:01 (02:00:00:00:00:01)",
        ),
    );
    add(
        [&SERVER_MAC[..], &CLIENT_MAC, &[0x88, 0xb5], b"experiment"].concat(),
        "Ethernet",
        "Ethernet II, type 0x88b5",
        ("0x88b5", "Local Experimental Ethertype 1"),
    );
    samples
}
