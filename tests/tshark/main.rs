//! The flow analysis agrees with tshark (Debian's 4.0), frame by frame: stream, relative numbers, length, flags, scaled
//! window, every `tcp.analysis.*` mark with the number of a duplicate acknowledgment, and the order of the words.
//!
//! The captures are made here: by the stack itself over a link with faults, each seen from three places, and by hand
//! at random. Where we differ on purpose is said in the table of `glasstack::trace::analysis`.
// A world that cannot be built fails its test.
#![allow(clippy::unwrap_used, clippy::panic)]

mod capture;
mod dialogue;
mod link;
#[path = "../need/mod.rs"]
mod need;
#[path = "../net/mod.rs"]
mod net;

use std::collections::BTreeSet;
use std::time::Duration;

use capture::Capture;
use dialogue::End;
use glasstack::smoltcp::time::Duration as Time;
use glasstack::stack::option::{Congestion, CongestionControl, NoDelay};
use glasstack::stack::{Capacity, Domain, Shutdown, Type};
use glasstack::trace::analysis::Mark;
use link::Link;
use need::Need;
use net::segment::{ACK, FIN, RST, SYN, Segment};
use net::{Frame, PORT, SERVER, SERVER_V6, Side, capacity};

const DELAY: Time = Time::from_millis(5);

/// Whether tshark is there to be asked.
fn has_tshark() -> bool {
    need::all(&[Need::Program("tshark", "tshark")])
}

/// Every frame arrives.
fn clean(_: &Frame) -> Vec<Time> {
    vec![DELAY]
}

/// Frames with such a segment are lost, as many as said; the rest arrives.
fn lose(
    count: usize,
    which: impl Fn(&Frame, &Segment) -> bool + 'static,
) -> impl FnMut(&Frame) -> Vec<Time> {
    let mut left = count;
    move |frame| {
        let is_meant = frame
            .segment()
            .is_some_and(|segment| which(frame, &segment));
        if is_meant && left > 0 {
            left -= 1;
            Vec::new()
        } else {
            vec![DELAY]
        }
    }
}

/// Large windows, which are scaled.
fn large() -> Capacity {
    Capacity {
        receive_buffer: 200_000,
        send_buffer: 200_000,
        ..capacity()
    }
}

/// A spread from a seed.
struct Random(u64);

impl Random {
    fn below(&mut self, bound: u32) -> u32 {
        self.0 = self
            .0
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        ((self.0 >> 33) as u32) % bound
    }
}

/// A dialogue of a few messages, closed by the client.
fn talk(link: &mut Link, server: &str) {
    let (client, accepted) = link.pair(server);
    for _ in 0..3 {
        link.transfer(Side::Client, client, accepted, 100);
        link.transfer(Side::Server, accepted, client, 3_000);
    }
    link.close(Side::Client, client);
    link.close(Side::Server, accepted);
    link.run_for(Time::from_secs(5));
}

#[track_caller]
fn shows(marks: &BTreeSet<&str>, expected: &[Mark]) {
    for mark in expected {
        assert!(marks.contains(mark.field()), "{mark:?} in {marks:?}");
    }
}

#[test]
fn a_clean_dialogue_in_both_families() {
    if !has_tshark() {
        return;
    }
    for server in [SERVER, SERVER_V6] {
        for capacity in [capacity(), large()] {
            let mut link = Link::new(capacity, clean);
            talk(&mut link, server);
            link.agrees(server);
        }
    }
}

#[test]
fn a_megabyte_with_five_percent_lost() {
    if !has_tshark() {
        return;
    }
    for (seed, capacity) in [(1, capacity()), (2, large()), (3, large())] {
        let mut random = Random(seed);
        let mut link = Link::new(capacity, move |_| {
            if random.below(100) < 5 {
                Vec::new()
            } else {
                vec![DELAY]
            }
        });
        let (client, accepted) = link.pair(SERVER);
        link.transfer(Side::Client, client, accepted, 1_000_000);
        link.close(Side::Client, client);
        link.close(Side::Server, accepted);
        link.run_for(Time::from_secs(10));
        link.agrees(&format!("seed {seed}"));
        shows(
            &link.at_the_senders.marks(),
            &[Mark::DuplicateAck, Mark::Retransmission],
        );
        shows(&link.at_the_server.marks(), &[Mark::LostSegment]);
    }
}

#[test]
fn reordering_and_duplication() {
    if !has_tshark() {
        return;
    }
    for seed in 1..=2 {
        for server in [SERVER, SERVER_V6] {
            let mut random = Random(seed);
            let mut link = Link::new(
                if seed % 2 == 0 { capacity() } else { large() },
                move |_| {
                    let copies = if random.below(10) == 0 { 2 } else { 1 };
                    let delay = |_| DELAY + Time::from_micros(u64::from(random.below(3_000)));
                    (0..copies).map(delay).collect()
                },
            );
            let (client, accepted) = link.pair(server);
            link.transfer(Side::Client, client, accepted, 100_000);
            link.transfer(Side::Server, accepted, client, 100_000);
            link.close(Side::Client, client);
            link.close(Side::Server, accepted);
            link.run_for(Time::from_secs(10));
            link.agrees(&format!("seed {seed}"));
            shows(
                &link.at_the_server.marks(),
                &[Mark::OutOfOrder, Mark::SpuriousRetransmission],
            );
        }
    }
}

#[test]
fn a_lost_syn_syn_ack_last_ack_and_fin() {
    if !has_tshark() {
        return;
    }
    type Which = fn(&Frame, &Segment) -> bool;
    let cases: [(&str, Which); 6] = [
        ("SYN", |_, s| s.flags & (SYN | ACK) == SYN),
        ("SYN-ACK", |_, s| s.flags & (SYN | ACK) == SYN | ACK),
        ("the handshake's last ACK", |f, s| {
            f.from == Side::Client && s.flags == ACK && s.payload.is_empty()
        }),
        ("the client's FIN", |f, s| {
            f.from == Side::Client && s.has(FIN)
        }),
        ("the server's FIN", |f, s| {
            f.from == Side::Server && s.has(FIN)
        }),
        ("the server's ACKs", |f, s| {
            f.from == Side::Server && s.flags == ACK && s.payload.is_empty()
        }),
    ];
    for (what, which) in cases {
        for count in [1, 2] {
            let mut link = Link::new(capacity(), lose(count, which));
            talk(&mut link, SERVER);
            link.agrees(what);
        }
    }
}

#[test]
fn one_lost_segment_is_repeated_fast() {
    if !has_tshark() {
        return;
    }
    let mut link = Link::new(large(), clean);
    let (client, accepted) = link.pair(SERVER);
    let stack = &mut link.net.client.stack;
    stack
        .setsockopt(client, Congestion, CongestionControl::None)
        .unwrap();
    link.fate(lose(1, |frame, segment| {
        frame.from == Side::Client && !segment.payload.is_empty()
    }));
    link.transfer(Side::Client, client, accepted, 20_000);
    link.agrees("a fast retransmission");
    shows(
        &link.at_the_senders.marks(),
        &[Mark::FastRetransmission, Mark::DuplicateAck],
    );
}

#[test]
fn a_shut_window_is_probed_and_opens() {
    if !has_tshark() {
        return;
    }
    for server in [SERVER, SERVER_V6] {
        let mut link = Link::new(capacity(), clean);
        let (client, accepted) = link.pair(server);
        link.fill(Side::Client, client, 16_000);
        link.run_for(Time::from_secs(10));
        link.drain(Side::Server, accepted);
        link.run_for(Time::from_secs(5));
        link.drain(Side::Server, accepted);
        link.close(Side::Client, client);
        link.agrees(server);
        let expected = [
            Mark::WindowFull,
            Mark::ZeroWindow,
            Mark::ZeroWindowProbe,
            Mark::ZeroWindowProbeAck,
            Mark::WindowUpdate,
        ];
        shows(&link.at_the_senders.marks(), &expected);
    }
}

#[test]
fn a_silent_peer_is_kept_alive_and_given_up() {
    if !has_tshark() {
        return;
    }
    let mut link = Link::new(capacity(), clean);
    let (client, accepted) = link.pair(SERVER);
    let second = Some(Duration::from_secs(1));
    link.net.client.keep_alive(client, second);
    link.run_for(Time::from_secs(5));
    link.transfer(Side::Client, client, accepted, 10);
    link.run_for(Time::from_secs(3));
    link.fate(|_| Vec::new());
    link.run_for(Time::from_secs(15));
    link.agrees("keep-alive");
    shows(
        &link.at_the_senders.marks(),
        &[Mark::KeepAlive, Mark::KeepAliveAck],
    );
}

#[test]
fn resets_in_every_state() {
    if !has_tshark() {
        return;
    }
    // Nobody listens.
    let mut link = Link::new(capacity(), clean);
    link.net.client.connect(SERVER);
    link.run_for(Time::from_secs(1));
    link.agrees("refused");
    for stage in 0..7 {
        for from in [Side::Client, Side::Server] {
            let mut link = Link::new(capacity(), clean);
            let listener = link.net.server.listen(Domain::Inet, PORT, 4);
            let client = link.net.client.connect(SERVER);
            let mut accepted = None;
            for reached in 0..=stage {
                match reached {
                    3 => {
                        let stack = &mut link.net.client.stack;
                        stack.shutdown(client, Shutdown::Write).unwrap();
                        accepted = link.net.server.stack.accept(listener).ok();
                    }
                    5 => {
                        let (accepted, _) = accepted.unwrap();
                        link.net.server.stack.close(accepted).unwrap();
                    }
                    _ => {}
                }
                // After the neighbor is found: a frame is on its way, or its answer, or all have arrived.
                link.run_for(Time::from_millis([12, 6, 30, 2, 30, 2, 30][reached]));
            }
            link.reset(from);
            link.run_for(Time::from_secs(3));
            let what = format!("reset by the {from:?} at stage {stage}");
            link.at_the_senders.agrees(&what);
        }
    }
    // An end is closed with data unread, before and after the other's FIN, or with data on the way.
    for (closes_first, finishes) in [
        (Side::Client, false),
        (Side::Server, false),
        (Side::Server, true),
    ] {
        let mut link = Link::new(capacity(), clean);
        let (client, accepted) = link.pair(SERVER);
        for (side, fd) in [(Side::Client, client), (Side::Server, accepted)] {
            link.fill(side, fd, 1_000);
        }
        if finishes {
            link.net
                .client
                .stack
                .shutdown(client, Shutdown::Write)
                .unwrap();
            link.run_for(Time::from_millis(100));
        }
        let fd = if closes_first == Side::Client {
            client
        } else {
            accepted
        };
        link.fill(
            closes_first.other(),
            if fd == client { accepted } else { client },
            500,
        );
        link.close(closes_first, fd);
        link.run_for(Time::from_secs(3));
        link.agrees("closed with data unread");
    }
    // The client has sent all, and the server that has forgotten it answers the FIN with a reset.
    let mut link = Link::new(capacity(), clean);
    let (client, accepted) = link.pair(SERVER);
    link.transfer(Side::Client, client, accepted, 100);
    link.fate(|_| Vec::new());
    link.net.client.stack.send(client, b"lost").unwrap();
    link.run_for(Time::from_millis(500));
    link.fill(Side::Client, client, 10);
    link.close(Side::Server, accepted);
    link.fate(clean);
    link.close(Side::Client, client);
    link.run_for(Time::from_secs(5));
    link.agrees("lost for a while");
}

#[test]
fn a_port_that_is_used_again_is_another_stream() {
    if !has_tshark() {
        return;
    }
    let mut link = Link::new(capacity(), clean);
    for round in 0..4 {
        let listener = link.net.server.listen(Domain::Inet, PORT, 4);
        let stack = &mut link.net.client.stack;
        let client = stack.socket(Domain::Inet, Type::Stream).unwrap();
        stack.bind(client, ([0, 0, 0, 0], 40_000).into()).unwrap();
        let _ = stack.connect(client, SERVER.parse().unwrap());
        link.run_for(Time::from_millis(100));
        let (accepted, _) = link.net.server.stack.accept(listener).unwrap();
        link.net.server.stack.close(listener).unwrap();
        link.transfer(Side::Client, client, accepted, 100);
        if round % 2 == 0 {
            // What is unread turns the end into a reset.
            link.fill(Side::Server, accepted, 10);
            link.close(Side::Client, client);
            link.close(Side::Server, accepted);
        } else {
            link.close(Side::Server, accepted);
            link.close(Side::Client, client);
            link.run_for(Time::from_secs(70));
        }
    }
    link.agrees("the same port");
    shows(&link.at_the_senders.marks(), &[Mark::ReusedPorts]);
}

#[test]
fn one_end_says_goodbye_and_still_hears() {
    if !has_tshark() {
        return;
    }
    for server in [SERVER, SERVER_V6] {
        let mut link = Link::new(large(), clean);
        let (client, accepted) = link.pair(server);
        link.transfer(Side::Client, client, accepted, 500);
        link.net
            .client
            .stack
            .shutdown(client, Shutdown::Write)
            .unwrap();
        link.run_for(Time::from_secs(1));
        link.transfer(Side::Server, accepted, client, 50_000);
        link.close(Side::Server, accepted);
        link.close(Side::Client, client);
        link.agrees("half-close");
    }
}

#[test]
fn many_conversations_at_once() {
    if !has_tshark() {
        return;
    }
    let mut random = Random(9);
    let mut link = Link::new(
        Capacity {
            connections: 32,
            ..capacity()
        },
        move |_| match random.below(20) {
            0 => Vec::new(),
            n => vec![DELAY + Time::from_micros(u64::from(n) * 100)],
        },
    );
    let pairs: Vec<_> = (0..12)
        .map(|i| link.pair(if i % 2 == 0 { SERVER } else { SERVER_V6 }))
        .collect();
    for (client, accepted) in &pairs {
        link.net
            .client
            .stack
            .setsockopt(*client, NoDelay, true)
            .unwrap();
        for side in [Side::Client, Side::Server] {
            let fd = if side == Side::Client {
                *client
            } else {
                *accepted
            };
            link.net.host(side).stack.send(fd, &[b'x'; 5_000]).unwrap();
        }
    }
    link.run_for(Time::from_secs(20));
    for (client, accepted) in pairs {
        link.drain(Side::Server, accepted);
        link.close(Side::Client, client);
        link.close(Side::Server, accepted);
    }
    link.run_for(Time::from_secs(60));
    link.agrees("twelve at once");
}

/// Segments that no stack would send, in an order that no network would make. `SEED=n` in the environment takes that one.
#[test]
fn random_dialogues() {
    if !has_tshark() {
        return;
    }
    let seed = std::env::var("SEED")
        .ok()
        .and_then(|seed| seed.parse().ok());
    for seed in seed.map_or(0..8, |seed| seed..seed + 1) {
        let capture = dialogue::random(seed, 4_000);
        capture.agrees(&format!("SEED={seed}"));
    }
    // What was compared has every mark in it.
    if seed.is_none() {
        let all: BTreeSet<_> = (0..8)
            .flat_map(|seed| dialogue::random(seed, 4_000).marks())
            .collect();
        shows(&all, &Mark::ALL);
    }
}

/// The kernel's segments: timestamps, large windows, its own probes. The frames are its loopback's, in the lab.
#[cfg(feature = "tap")]
#[test]
fn the_kernel_talks_to_itself() {
    let test = std::env::current_exe().unwrap();
    let examples = test.ancestors().nth(2).unwrap().join("examples");
    let needs = [
        Need::Program("tshark", "tshark"),
        Need::Program("python3", "python3"),
        Need::Lab(examples.join("tcp_server")),
    ];
    if !need::all(&needs) {
        return;
    }
    let path = capture::scratch();
    let mut lab = std::process::Command::new(examples.join("lab"));
    lab.args(["python3", "tests/peers/kernel_dialogue.py"]);
    let output = lab.arg(&path).output().unwrap();
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    let capture = Capture::read(&path);
    std::fs::remove_file(&path).unwrap();
    capture.agrees("the kernel");
    shows(
        &capture.marks(),
        &[Mark::KeepAlive, Mark::ZeroWindow, Mark::ReusedPorts],
    );
}

/// The table in `glasstack::trace::analysis`, as far as a capture can show it.
#[test]
fn what_wireshark_says_otherwise() {
    if !has_tshark() {
        return;
    }
    let (a, b) = (End::new(1, 40_000), End::new(2, 9_999));
    let syn = |seq, scale| dialogue::frame(&a, &b, (seq, 0, SYN, scale), 0);
    let answer = |ack, scale| dialogue::frame(&b, &a, (200, ack, SYN | ACK, scale), 0);
    let data = |seq, scale, len| dialogue::frame(&a, &b, (seq, 201, ACK, scale), len);

    // A hole is a hole where what is missing begins at 0.
    let capture = Capture::of(&[syn(u32::MAX, None), data(3, None, 10)]);
    assert_eq!(capture.differing(), [2]);
    let ends_at_zero = u32::MAX - 9;
    let capture = Capture::of(&[data(ends_at_zero, None, 10), data(5, None, 10)]);
    assert_eq!(capture.differing(), [2]);

    // The field is not relative where it means nothing.
    let mut reset = data(101, None, 0);
    reset[14 + 20 + 13] = RST;
    let capture = Capture::of(&[syn(100, None), answer(101, None), reset]);
    assert_eq!(capture.differing(), [3]);

    // The scale is agreed upon once.
    let scaled = [
        syn(100, Some(1)),
        answer(101, Some(1)),
        data(101, Some(3), 10),
        data(111, None, 10),
    ];
    assert_eq!(Capture::of(&scaled).differing(), [4]);

    // Of a first fragment, tshark shows the header; what follows is behind a hole for both.
    let whole = data(111, None, 40);
    let (header, payload) = whole.split_at(14 + 20);
    let fragment = |at: usize, flags: u8, octets: &[u8]| {
        let mut frame = header.to_vec();
        frame[16..18].copy_from_slice(&(20 + octets.len() as u16).to_be_bytes());
        frame[20..22].copy_from_slice(&[flags, (at / 8) as u8]);
        frame.extend(octets);
        frame
    };
    let capture = Capture::of(&[
        syn(100, None),
        answer(101, None),
        data(101, None, 10),
        fragment(0, 0x20, &payload[..40]),
        fragment(40, 0, &payload[40..]),
        data(151, None, 10),
    ]);
    assert_eq!(capture.differing(), [4]);

    // A port unreachable that quotes the SYN of another conversation takes a stream's number.
    let quoted = dialogue::frame(&a, &End::new(3, 9_999), (100, 0, SYN, None), 0);
    let mut error = quoted[..14].to_vec();
    error.extend([
        0x45, 0, 0, 68, 0, 0, 0, 0, 64, 1, 0, 0, 10, 0, 0, 3, 10, 0, 0, 1,
    ]);
    error.extend([3, 3, 0, 0, 0, 0, 0, 0]);
    error.extend(&quoted[14..]);
    assert_eq!(Capture::of(&[error, syn(100, None)]).differing(), [2]);
}
