//! What a frame is said to be: each protocol's line, the same as Wireshark's, and never a panic.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a test says what broke by panicking"
)]

mod frames;
mod need;
mod samples;

use std::{env, fs, net::SocketAddr, process::Command};

use glasstack::trace::{
    Instant, Medium, Segment,
    dissect::{
        Address, Application, Checksum, Dissection, Extension, Ip, LINE_MAX, NeighborOption,
        Numbers, Transport,
    },
};
use need::Need;
use proptest::{collection, prelude::*};
use samples::samples;

fn dissect(frame: &[u8]) -> Dissection<'_> {
    Dissection::parse(Medium::Ethernet, frame)
}

/// Looks at everything that there is to see, and gives the line.
fn look(medium: Medium, frame: &[u8]) -> String {
    let dissection = Dissection::parse(medium, frame);
    let line = dissection.to_string();
    let ascii = format!("{dissection:#}");
    assert!(line.len() <= LINE_MAX && ascii.len() <= LINE_MAX, "{line}");
    assert!(
        !line.contains(char::is_control) && ascii.is_ascii(),
        "{line:?}"
    );
    if let Some(quoted) = dissection.quoted() {
        assert!(quoted.to_string().len() <= LINE_MAX);
    }
    dissection.checksum();
    dissection.protocol();
    dissection.segment(Instant::ZERO);
    // The layers' own iterators.
    if let Some(packet) = dissection.packet() {
        match packet.ip {
            Ip::V4(ip) => assert!(ip.options().count() <= 40),
            Ip::V6(ip) => assert!(ip.extensions().count() <= frame.len() / 8),
        }
        match packet.transport {
            Transport::Icmpv6(icmp) => assert!(icmp.options().count() <= frame.len() / 8),
            Transport::Igmp(igmp) => {
                let sources = igmp.records().map(|record| record.sources().count());
                assert!(igmp.sources().count() + sources.sum::<usize>() <= frame.len() / 4);
            }
            Transport::Tcp(tcp) => assert!(tcp.options().count() <= 40),
            Transport::Udp(udp) => {
                if let Application::Dns(dns) = udp.application() {
                    assert!(dns.questions().count() + dns.records().count() <= frame.len() / 5);
                }
            }
            _ => {}
        }
    }
    line
}

#[test]
fn each_protocol_has_its_line() {
    for sample in samples() {
        let dissection = dissect(&sample.frame);
        let said = (dissection.protocol(), dissection.to_string());
        assert_eq!(said, (sample.protocol, sample.info.to_owned()));
        look(Medium::Ethernet, &sample.frame);
    }
}

#[test]
fn tshark_says_the_same() {
    if !need::all(&[Need::Program("tshark", "tshark")]) {
        return;
    }
    let samples = samples();
    // The classic format (draft-ietf-opsawg-pcap), one frame a second, on an Ethernet.
    let mut pcap = [0xa1b2_c3d4u32, 2 << 16 | 4, 0, 0, 65535, 1]
        .map(u32::to_be_bytes)
        .concat();
    for (second, sample) in samples.iter().enumerate() {
        let len = sample.frame.len() as u32;
        pcap.extend([second as u32, 0, len, len].map(u32::to_be_bytes).concat());
        pcap.extend(&sample.frame);
    }
    let path = env::temp_dir().join(format!("glasstack-dissect-{}.pcap", std::process::id()));
    fs::write(&path, pcap).unwrap();
    let mut tshark = Command::new("tshark");
    tshark.arg("-n").arg("-r").arg(&path).args(["-T", "fields"]);
    for field in ["Protocol", "Info", "Source", "Destination"] {
        tshark.args(["-e", &format!("_ws.col.{field}")]);
    }
    // What it knows of other frames is not this one's.
    for preference in [
        "tcp.analyze_sequence_numbers",
        "tcp.relative_sequence_numbers",
    ] {
        tshark.args(["-o", &format!("{preference}:FALSE")]);
    }
    let output = tshark.output().unwrap();
    fs::remove_file(&path).unwrap();
    let said = String::from_utf8(output.stdout).unwrap();
    assert_eq!(said.lines().count(), samples.len(), "{said}");

    let mut differing = Vec::new();
    for (sample, said) in samples.iter().zip(said.lines()) {
        let columns: Vec<&str> = said.split('\t').collect();
        let words: Vec<&str> = columns[1].split_whitespace().collect();
        let info = words.join(" ");
        let info = info.replace(" (no response found!)", "");
        let ours = (sample.protocol, sample.info);
        let expected = sample.wireshark.unwrap_or(ours);
        if (columns[0], info.as_str()) != expected {
            differing.push(format!("{} {info}\n    not {expected:?}", columns[0]));
        }
        assert!(
            sample.wireshark != Some(ours),
            "no difference: {}",
            sample.info
        );

        let dissection = dissect(&sample.frame);
        let ends =
            [dissection.source(), dissection.destination()].map(|end| end.unwrap().to_string());
        assert_eq!(columns[2..], ends, "{}", sample.info);
    }
    assert!(differing.is_empty(), "{}", differing.join("\n"));
}

#[test]
fn any_beginning_and_any_octet_changed_has_a_line() {
    for sample in samples() {
        let mut frame = sample.frame;
        for medium in [Medium::Ethernet, Medium::Ip] {
            let start = if medium == Medium::Ip { 14 } else { 0 };
            for len in start..frame.len() {
                look(medium, &frame[start..len]);
            }
        }
        for at in 0..frame.len().min(200) {
            let was = frame[at];
            for octet in [
                0,
                1,
                0x7f,
                0x80,
                0xff,
                was ^ 1,
                was ^ 0x10,
                was.wrapping_add(1),
            ] {
                frame[at] = octet;
                look(Medium::Ethernet, &frame);
            }
            frame[at] = was;
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 100_000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn random_octets_have_a_line(
        mut frame in collection::vec(any::<u8>(), 0..120),
        kind in 0usize..8,
    ) {
        // Without a hint of sense, most would end at the first header.
        let hint: &[(usize, u8)] = match kind {
            0 => &[],
            1 => &[(12, 0x08), (13, 0x06), (14, 0), (15, 1), (16, 0x08), (17, 0), (18, 6), (19, 4)],
            2 => &[(12, 0x08), (13, 0), (14, 0x45), (16, 0), (20, 0), (21, 0), (23, 6)],
            3 => &[(12, 0x08), (13, 0), (14, 0x46), (16, 0), (20, 0), (21, 0), (23, 17), (41, 53)],
            4 => &[(12, 0x08), (13, 0), (14, 0x45), (16, 0), (20, 0), (21, 0), (23, 17), (36, 0), (37, 53), (38, 0)],
            5 => &[(12, 0x08), (13, 0), (14, 0x45), (16, 0), (20, 0), (21, 0), (23, 1), (34, 3), (42, 0x45)],
            6 => &[(12, 0x86), (13, 0xdd), (14, 0x60), (18, 0), (20, 58), (54, 136)],
            _ => &[(12, 0x86), (13, 0xdd), (14, 0x60), (18, 0), (20, 0), (54, 60), (55, 0), (62, 6), (63, 0)],
        };
        for &(at, octet) in hint {
            if let Some(there) = frame.get_mut(at) {
                *there = octet;
            }
        }
        look(Medium::Ethernet, &frame);
        look(Medium::Ip, &frame);
    }
}

fn sample(info: &str) -> Vec<u8> {
    let found = samples().into_iter().find(|sample| sample.info == info);
    found.unwrap().frame
}

const HELLO: &str = "49152 → 9999 [FIN, PSH, ACK] Seq=101 Ack=201 Win=65535 Len=5";

#[test]
fn every_flipped_bit_that_a_checksum_covers_is_seen() {
    const IP: usize = 14;
    const TCP: usize = IP + 20;
    // What says how long the headers are, and that it is TCP, is left as it is: else it would be another packet.
    let decides = [IP, IP + 2, IP + 3, IP + 6, IP + 7, IP + 9, TCP + 12];
    let mut frame = sample(HELLO);
    for at in (IP..frame.len()).filter(|at| !decides.contains(at)) {
        for bit in 0..8 {
            frame[at] ^= 1 << bit;
            let dissection = dissect(&frame);
            assert_eq!(
                dissection.checksum(),
                Checksum::Wrong,
                "octet {at}, bit {bit}"
            );
            let line = dissection.to_string();
            let name = if at < TCP { "IP" } else { "TCP" };
            assert!(
                line.contains(&format!("[{name} CHECKSUM INCORRECT]")),
                "{line}"
            );
            frame[at] ^= 1 << bit;
        }
    }
    let mut ipv6 = sample("Echo (ping) request id=0x1234, seq=1, hop limit=64");
    *ipv6.last_mut().unwrap() ^= 1;
    let packet = *dissect(&ipv6).packet().unwrap();
    assert_eq!(packet.ip.checksum(), Checksum::NotChecked);
    assert_eq!(packet.transport_checksum(), Checksum::Wrong);
}

#[test]
fn the_samples_checksums_are_right() {
    let wrong = |frame: &[u8]| dissect(frame).checksum() == Checksum::Wrong;
    let wrong: Vec<_> = samples()
        .into_iter()
        .filter(|sample| wrong(&sample.frame))
        .collect();
    let lines: Vec<_> = wrong.iter().map(|sample| sample.info).collect();
    assert_eq!(lines.len(), 1, "{lines:?}");
}

#[test]
fn what_is_not_whole_is_not_checked() {
    let fragment = sample("IPv6 fragment (off=16 more=y ident=0x0000abcd nxt=17)");
    assert_eq!(dissect(&fragment).checksum(), Checksum::NotChecked);

    // A capture that kept 60 octets of each frame: the segment is as long as it was.
    let mut frame = sample(HELLO);
    let wire_len = frame.len();
    frame.truncate(56);
    let dissection = Dissection::parse_captured(Medium::Ethernet, &frame, wire_len);
    assert_eq!(dissection.to_string(), HELLO);
    let packet = dissection.packet().unwrap();
    assert_eq!(packet.transport_checksum(), Checksum::NotChecked);
    assert_eq!(dissection.segment(Instant::ZERO).unwrap().len, 5);
}

#[test]
fn numbers_may_be_those_of_an_analysis() {
    let sack =
        "49152 → 9999 [ACK] Seq=101 Ack=201 Win=65535 Len=0 SLE=256 SRE=512 SLE=768 SRE=1024";
    let frame = sample(sack);
    let numbers = Numbers {
        sequence: 1,
        acknowledgment: 1,
        window: 131072,
    };
    assert_eq!(
        dissect(&frame).with_numbers(numbers).to_string(),
        "49152 → 9999 [ACK] Seq=1 Ack=1 Win=131072 Len=0 SLE=56 SRE=312 SLE=568 SRE=824"
    );
}

#[test]
fn the_alternate_form_is_ascii() {
    let frame = sample(HELLO);
    let line = format!("{:#}", dissect(&frame));
    assert_eq!(line, HELLO.replace('→', "->"));
}

#[test]
fn an_error_quotes_the_packet_that_it_speaks_of() {
    for info in [
        "Destination unreachable (Port unreachable)",
        "Packet Too Big",
    ] {
        let mut frame = sample(info);
        let quoted = dissect(&frame).quoted().unwrap().to_string();
        assert_eq!(quoted, "9999 → 49152 Len=5");
        // Of which eight octets are enough for the ports.
        frame.truncate(frame.len() - 5);
        let quoted = dissect(&frame).quoted().unwrap();
        assert_eq!(quoted.ports(), Some((9999, 49152)));
        assert_eq!(quoted.to_string(), "9999 → 49152 Len=5");
        assert_eq!(quoted.transport_checksum(), Checksum::NotChecked);
    }
    let echo = sample("Echo (ping) request id=0x1234, seq=1/256, ttl=64");
    assert_eq!(dissect(&echo).quoted(), None);
}

#[test]
fn all_extension_headers_are_walked_and_kept() {
    const LEN: usize = 14 + 40 + 80 + 20; // No other sample is as long as this one.
    let mut frames = samples().into_iter().map(|sample| sample.frame);
    let longest = frames.find(|frame| frame.len() == LEN).unwrap();
    let dissection = dissect(&longest);
    let Ip::V6(ip) = dissection.packet().unwrap().ip else {
        panic!("{dissection}");
    };
    let kinds: Vec<&str> = ip
        .extensions()
        .map(|extension| match extension {
            Extension::HopByHop(_) => "hop-by-hop",
            Extension::Destination(_) => "destination",
            Extension::Routing { .. } => "routing",
            Extension::Fragment(_) => "fragment",
            Extension::Other(51, _) => "authentication",
            Extension::Other(..) => "other",
        })
        .collect();
    let expected = [
        "hop-by-hop",
        "destination",
        "routing",
        "fragment",
        "authentication",
        "destination",
    ];
    assert_eq!(kinds, expected);
    let segment = Segment::parse(Instant::ZERO, Medium::Ethernet, &longest).unwrap();
    assert_eq!(
        segment.destination,
        SocketAddr::new(frames::ip("fd00::2"), 9999)
    );
}

#[test]
fn neighbor_discovery_tells_the_links_mtu() {
    let frame = sample("Router Advertisement from 02:00:00:00:00:01");
    let dissection = dissect(&frame);
    let Transport::Icmpv6(icmp) = dissection.packet().unwrap().transport else {
        panic!("{dissection}");
    };
    assert!(
        icmp.options()
            .any(|option| option == NeighborOption::Mtu(1500))
    );
}

#[test]
fn a_segments_padding_is_not_its_payload() {
    let frame = sample("49152 → 9999 [ACK] Seq=5 Ack=6 Win=65535 Len=0");
    let segment = dissect(&frame).segment(Instant::ZERO).unwrap();
    assert_eq!((segment.len, segment.acknowledgment), (0, Some(6)));
}

#[test]
fn on_an_ip_medium_there_is_no_link() {
    let frame = sample(HELLO);
    let dissection = Dissection::parse(Medium::Ip, &frame[14..]);
    assert_eq!(dissection.to_string(), HELLO);
    assert_eq!(dissection.ethernet, None);
    assert_eq!(
        dissection.source(),
        Some(Address::Ip(frames::ip("10.0.0.1")))
    );
}

/// A message of the greatest length, of which every record's name is as long as names get and mostly pointers.
#[test]
fn a_line_of_too_many_names_is_cut() {
    let mut message = [0x12, 0x34, 0x81, 0x80, 0, 0, 0xff, 0xff, 0, 0, 0, 0].to_vec();
    let mut longest = Vec::new();
    for _ in 0..3 {
        longest.push(63);
        longest.extend([0xff; 63]);
    }
    longest.push(0);
    message.extend(&longest);
    message.extend([0, 5, 0, 1, 0, 0, 0, 0, 0, 2, 0xc0, 12]);
    while message.len() < 60_000 {
        message.extend([0xc0, 12, 0, 5, 0, 1, 0, 0, 0, 0, 0, 2, 0xc0, 12]);
    }
    let (from, to) = (
        "10.0.0.1:53".parse().unwrap(),
        "10.0.0.2:5555".parse().unwrap(),
    );
    let packet = frames::packet::udp(from, to, &message);
    let line = look(Medium::Ip, &packet);
    assert_eq!(line.len(), LINE_MAX);
    assert!(line.ends_with('…'), "{line}");
}
