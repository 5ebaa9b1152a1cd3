//! The glass as a pcapng file: what Wireshark's programs read in it, and what our reader does.
#![cfg(all(feature = "std", feature = "ipv4", feature = "ipv6"))]
// A step that fails fails its test.
#![allow(clippy::unwrap_used, clippy::panic)]

mod need;
mod net;

use std::cell::RefCell;
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::rc::Rc;
use std::time::Duration;

use glasstack::smoltcp::time::{Duration as Time, Instant};
use glasstack::stack::{Domain, Shutdown};
use glasstack::trace::pcapng::{Options, Pcapng, Point};
use glasstack::trace::read::{Error, Reader};
use glasstack::trace::{
    At, Cause, Direction, DropReason, Event, Flow, Happening, Medium, Protocol, Sink, State,
    Station,
};
use need::Need;
use net::{Frame, Net, SERVER, Side, nth};

const CLIENT: Station = Station(0);
const HOST: Station = Station(1);

/// An event that owns its frame.
#[derive(Clone)]
struct Told {
    station: Station,
    time: Instant,
    interface: Option<u8>,
    socket: Option<u16>,
    flow: Option<Flow>,
    happening: Owned,
}

#[derive(Clone)]
enum Owned {
    Frame(Direction, Medium, Vec<u8>),
    Drop(DropReason, Medium, Vec<u8>),
    Other(Happening<'static>),
}

impl Told {
    fn keep(station: Station, event: &Event<'_>) -> Told {
        let happening = match event.happening {
            Happening::Frame {
                direction,
                medium,
                bytes,
            } => Owned::Frame(direction, medium, bytes.to_vec()),
            Happening::Drop {
                reason,
                medium,
                bytes,
            } => Owned::Drop(reason, medium, bytes.to_vec()),
            Happening::Call { call, outcome } => Owned::Other(Happening::Call { call, outcome }),
            Happening::State { from, to, cause } => {
                Owned::Other(Happening::State { from, to, cause })
            }
            Happening::Timer { timer, change } => Owned::Other(Happening::Timer { timer, change }),
            Happening::Retransmission { cause } => {
                Owned::Other(Happening::Retransmission { cause })
            }
            other => panic!("an event that is new here: {other:?}"),
        };
        Told {
            station,
            time: event.time,
            interface: event.interface,
            socket: event.socket,
            flow: event.flow,
            happening,
        }
    }

    fn tell(&self, sink: &mut impl Sink) {
        let happening = match &self.happening {
            Owned::Frame(direction, medium, bytes) => Happening::Frame {
                direction: *direction,
                medium: *medium,
                bytes,
            },
            Owned::Drop(reason, medium, bytes) => Happening::Drop {
                reason: *reason,
                medium: *medium,
                bytes,
            },
            Owned::Other(happening) => *happening,
        };
        let event = Event {
            time: self.time,
            interface: self.interface,
            socket: self.socket,
            flow: self.flow,
            happening,
        };
        sink.event(self.station, &event);
    }
}

/// Keeps what is told, to tell it again.
#[derive(Default)]
struct Tape(Vec<Told>);

impl Sink for Tape {
    fn event(&mut self, station: Station, event: &Event<'_>) {
        self.0.push(Told::keep(station, event));
    }
}

/// A dialogue of two stacks, and what they and the wire tell of it.
struct Dialogue {
    net: Net,
    tape: Rc<RefCell<Tape>>,
}

impl Dialogue {
    /// `lose` says which frames the wire loses.
    fn new(mut lose: impl FnMut(&Frame) -> bool + 'static) -> Dialogue {
        let mut net = Net::new();
        let tape = Rc::new(RefCell::new(Tape::default()));
        net.client.stack.observer().2 = Some(Box::new(At(CLIENT, tape.clone())));
        net.server.stack.observer().2 = Some(Box::new(At(HOST, tape.clone())));
        let mut wire = tape.clone();
        net.lose(move |frame| {
            if !lose(frame) {
                return false;
            }
            let event = Event {
                time: frame.time,
                interface: None,
                socket: None,
                flow: None,
                happening: Happening::Drop {
                    reason: DropReason::InjectedLoss,
                    medium: frame.medium,
                    bytes: &frame.octets,
                },
            };
            wire.event(Station::LINK, &event);
            true
        });
        Dialogue { net, tape }
    }

    fn told(&self) -> Vec<Told> {
        self.tape.borrow().0.clone()
    }
}

fn named<W: Write>(writer: W, point: Point) -> Pcapng<W> {
    let options = Options {
        point,
        ..Options::default()
    };
    Pcapng::new(writer, options)
        .name(CLIENT, "client")
        .name(HOST, "server")
        .describe(CLIENT, 1, "where the calls are made", None)
}

fn octets(dialogue: &Dialogue, point: Point) -> Vec<u8> {
    let mut sink = named(Vec::new(), point);
    for told in dialogue.told() {
        told.tell(&mut sink);
    }
    sink.finish().unwrap();
    sink.get_ref().clone()
}

/// connect, a send whose segment is lost once, an answer in one segment for two calls, and the close.
fn dialogue() -> Dialogue {
    let mut dialogue = Dialogue::new(nth(1, Frame::has_data));
    let net = &mut dialogue.net;
    let listener = net.server.listen(Domain::Inet, net::PORT, 4);
    let client = net.client.connect(SERVER);
    net.run_for(Time::from_millis(10));
    let (server, _) = net.server.stack.accept(listener).unwrap();
    net.client.stack.send(client, b"hello, ").unwrap();
    net.run_for(Time::from_secs(3));
    assert_eq!(net.server.recv(server).unwrap(), b"hello, ");
    net.server.stack.send(server, b"wor").unwrap();
    net.server.stack.send(server, b"ld").unwrap();
    net.run_for(Time::from_millis(100));
    net.client.recv(client).unwrap();
    net.client.stack.shutdown(client, Shutdown::Write).unwrap();
    net.run_for(Time::from_millis(100));
    net.server.stack.close(server).unwrap();
    net.run_for(Time::from_millis(100));
    dialogue
}

/// A file of this test's own.
fn file(name: &str) -> PathBuf {
    Path::new(env!("CARGO_TARGET_TMPDIR")).join(name)
}

/// What a program says of a file; a complaint fails the test.
fn output(program: &str, arguments: &[&str], file: &Path) -> String {
    let output = Command::new(program)
        .args(arguments)
        .arg(file)
        .output()
        .unwrap();
    let complaint = String::from_utf8_lossy(&output.stderr);
    // Who tests in a container is root there, of which the programs warn.
    let complaint: Vec<_> = complaint
        .lines()
        .filter(|line| !line.starts_with("Running as user"))
        .collect();
    assert!(output.status.success(), "{complaint:?}");
    assert_eq!(complaint, [""; 0]);
    String::from_utf8(output.stdout).unwrap()
}

fn has_wireshark() -> bool {
    need::all(&[
        Need::Program("tshark", "tshark"),
        Need::Program("capinfos", "wireshark-common"),
    ])
}

/// Of every frame: interface, time, direction, comment.
fn tshark(file: &Path) -> Vec<[String; 4]> {
    let fields = [
        "frame.interface_name",
        "frame.time_epoch",
        "frame.packet_flags_direction",
        "frame.comment",
    ];
    let mut arguments = vec!["-T", "fields"];
    for field in fields {
        arguments.extend(["-e", field]);
    }
    arguments.push("-r");
    output("tshark", &arguments, file)
        .lines()
        .map(|line| {
            let mut columns = line.split('\t').map(str::to_owned);
            std::array::from_fn(|_| columns.next().unwrap_or_default())
        })
        .collect()
}

#[test]
fn wireshark_reads_each_frame_once_with_the_call_that_caused_it() {
    if !has_wireshark() {
        return;
    }
    let file = file("senders.pcapng");
    let dialogue = dialogue();
    std::fs::write(&file, octets(&dialogue, Point::Once)).unwrap();

    let infos = output("capinfos", &["-M"], &file);
    let fact = |name: &str| {
        let line = infos.lines().find(|line| line.trim().starts_with(name));
        let line = line.unwrap_or_else(|| panic!("no {name} in {infos}"));
        line.split_once([':', '=']).unwrap().1.trim().to_owned()
    };
    let frames = dialogue.net.frames.len();
    assert_eq!(fact("Number of packets"), frames.to_string());
    assert_eq!(fact("Strict time order"), "True");
    assert_eq!(fact("Number of interfaces in file"), "2");
    assert_eq!(fact("Capture application"), "glasstack 0.1.0");
    assert_eq!(fact("Name"), "client:1");
    assert_eq!(fact("Description"), "where the calls are made");
    assert_eq!(fact("Time precision"), "nanoseconds (9)");

    let frames = tshark(&file);
    for (frame, sent) in frames.iter().zip(&dialogue.net.frames) {
        let (seconds, nanos) = frame[1].split_once('.').unwrap();
        let micros: i64 = format!("{seconds}{}", &nanos[..6]).parse().unwrap();
        assert_eq!(micros, sent.time.total_micros());
        assert_eq!(&nanos[6..], "000");
        let name = match sent.from {
            Side::Client => "client:1",
            Side::Server => "server:1",
        };
        assert_eq!(frame[0], name);
        // Outbound: a number, of as many digits as the version likes.
        assert!(frame[2].ends_with('2'), "{}", frame[2]);
    }
    let comments = frames.iter().map(|frame| frame[3].as_str());
    let comments: Vec<_> = comments.filter(|comment| !comment.is_empty()).collect();
    assert_eq!(
        comments,
        [
            "connect(10.0.0.2:9999); CLOSED → SYN-SENT; server: LISTEN → SYN-RECEIVED",
            "client: SYN-SENT → ESTABLISHED",
            "server: SYN-RECEIVED → ESTABLISHED",
            "send(7); lost by the link: injected loss",
            "retransmission: timeout 1 of this segment; [TCP Retransmission]",
            "send(3); send(2)",
            "shutdown(SHUT_WR); ESTABLISHED → FIN-WAIT-1; server: ESTABLISHED → CLOSE-WAIT",
            "client: FIN-WAIT-1 → FIN-WAIT-2",
            "close(); CLOSE-WAIT → LAST-ACK; client: FIN-WAIT-2 → TIME-WAIT",
            "server: LAST-ACK → CLOSED",
        ]
    );
}

#[test]
fn frames_are_seen_where_one_looks() {
    let dialogue = dialogue();
    let count = |point, name: &str| {
        let octets = octets(&dialogue, point);
        let mut reader = Reader::new(octets.as_slice()).unwrap();
        let mut frames = [0, 0];
        while let Some(frame) = reader.next_frame().unwrap() {
            if frame.interface_name == Some(name) {
                frames[usize::from(frame.direction == Some(Direction::In))] += 1;
            }
        }
        frames
    };
    let sent = |side| {
        let frames = dialogue.net.frames.iter();
        frames.filter(|frame| frame.from == side).count()
    };
    let (client, server) = (sent(Side::Client), sent(Side::Server));
    assert_eq!(count(Point::Once, "client:1"), [client, 0]);
    assert_eq!(count(Point::Once, "server:1"), [server, 0]);
    // One of the client's frames is lost.
    assert_eq!(count(Point::Every, "client:1"), [client, server]);
    assert_eq!(count(Point::Every, "server:1"), [server, client - 1]);
    assert_eq!(count(Point::Every, "link"), [0, 0]);
    assert_eq!(count(Point::Station(CLIENT), "client:1"), [client, server]);
    assert_eq!(count(Point::Station(CLIENT), "server:1"), [0, 0]);
}

/// How often a text or an option stands in a file.
fn occurrences(file: &[u8], what: &[u8]) -> usize {
    file.windows(what.len())
        .filter(|octets| *octets == what)
        .count()
}

#[test]
fn a_frame_that_no_station_has_sent_so_is_written_where_it_arrives() {
    let dialogue = dialogue();
    let told = dialogue.told();
    let ways = |told: &mut dyn Iterator<Item = Told>| {
        let mut sink = named(Vec::new(), Point::Once);
        told.for_each(|told| told.tell(&mut sink));
        sink.finish().unwrap();
        let mut reader = Reader::new(sink.get_ref().as_slice()).unwrap();
        let mut frames = [0, 0];
        while let Some(frame) = reader.next_frame().unwrap() {
            frames[usize::from(frame.direction == Some(Direction::In))] += 1;
        }
        frames
    };
    let sent = |side| {
        let frames = dialogue.net.frames.iter();
        frames.filter(|frame| frame.from == side).count()
    };
    let (client, server) = (sent(Side::Client), sent(Side::Server));
    // The server is no station.
    let alone = |told: &Told| told.station == CLIENT;
    let mut alone = told.iter().filter(|told| alone(told)).cloned();
    assert_eq!(ways(&mut alone), [client, server]);
    // The link doubles all that the client hears.
    let mut doubled = told.iter().flat_map(|told| {
        let came_in = matches!(told.happening, Owned::Frame(Direction::In, ..));
        let times = if came_in && told.station == CLIENT {
            2
        } else {
            1
        };
        vec![told.clone(); times]
    });
    assert_eq!(ways(&mut doubled), [client + server, server]);
}

#[test]
fn what_a_link_loses_of_a_burst_is_marked_and_not_repeated() {
    let mut dialogue = Dialogue::new(nth(2, Frame::has_data));
    let net = &mut dialogue.net;
    let (client, server, _) = net.pair(SERVER);
    net.client.stack.send(client, &[7; 8_000]).unwrap();
    net.run_for(Time::from_secs(3));
    assert_eq!(net.server.recv(server).unwrap().len(), 8_000);
    let file = octets(&dialogue, Point::Once);
    let mut reader = Reader::new(file.as_slice()).unwrap();
    for sent in &dialogue.net.frames {
        assert_eq!(reader.next_frame().unwrap().unwrap().bytes, sent.octets);
    }
    assert_eq!(reader.next_frame().unwrap(), None);
    assert_eq!(occurrences(&file, b"lost by the link: injected loss"), 1);
}

#[test]
fn a_call_is_named_with_all_its_segments_and_no_others() {
    let mut dialogue = Dialogue::new(|_| false);
    let net = &mut dialogue.net;
    let (client, _, _) = net.pair(SERVER);
    assert_eq!(net.client.stack.send(client, &[7; 5_000]), Ok(5_000));
    // Nothing goes out of these.
    let nothing = Err(glasstack::Error::WouldBlock);
    assert_eq!(net.client.recv(client), nothing);
    assert_eq!(net.client.stack.send(client, &[]), Ok(0));
    net.run_for(Time::from_secs(1));
    let segments = net.frames.iter().filter(|frame| frame.has_data()).count();
    assert!(segments > 2);

    let file = octets(&dialogue, Point::Once);
    assert_eq!(occurrences(&file, b"send("), segments);
    assert_eq!(occurrences(&file, b"send(5000)"), segments);
    assert_eq!(occurrences(&file, b"send(5000), continued"), segments - 1);
    assert_eq!(occurrences(&file, b"recv"), 0);
}

#[test]
fn the_read_that_opens_a_window_is_named_with_the_window() {
    let mut dialogue = Dialogue::new(|_| false);
    let net = &mut dialogue.net;
    let (client, server, _) = net.pair(SERVER);
    // More than the server has room for.
    while net.client.stack.send(client, &[7; 4_096]).is_ok() {
        net.run_for(Time::from_millis(100));
    }
    net.server.recv(server).unwrap();
    net.run_for(Time::from_millis(1));
    let file = octets(&dialogue, Point::Once);
    assert_eq!(occurrences(&file, b"recv(70000); [TCP Window Update]"), 1);
}

#[test]
fn a_datagram_is_tied_to_the_call_that_sent_it() {
    let mut dialogue = Dialogue::new(|_| false);
    let net = &mut dialogue.net;
    let to = SERVER.parse().unwrap();
    // Two sockets that speak to the same peer, and wait for its address together.
    let sockets = [5_353, 5_354].map(|port| net.client.datagram(Domain::Inet, port));
    for (socket, len) in [(0, 3), (1, 0), (0, 5), (1, 4)] {
        let data = &b"hello"[..len];
        net.client.stack.sendto(sockets[socket], data, to).unwrap();
    }
    net.run_for(Time::from_secs(1));
    let file = octets(&dialogue, Point::Once);
    let mut reader = Reader::new(file.as_slice()).unwrap();
    let (mut datagrams, mut at) = (0, 0);
    while let Some(frame) = reader.next_frame().unwrap() {
        // A frame stands before its comment.
        let mut places = file[at..].windows(frame.bytes.len());
        at += places.position(|octets| octets == frame.bytes).unwrap();
        at += frame.bytes.len();
        let is_udp = frame.bytes[12..14] == [8, 0] && frame.bytes[23] == 17;
        if is_udp {
            datagrams += 1;
            let words = format!("sendto({}, {SERVER})", frame.bytes.len() - 42);
            let comment = String::from_utf8_lossy(&file[at..at + 48]).into_owned();
            assert!(comment.contains(&words), "{words}: {comment}");
        }
    }
    assert_eq!(datagrams, 4);
}

#[test]
fn an_interface_has_the_address_of_what_it_sends() {
    let file = octets(&dialogue(), Point::Once);
    for side in [Side::Client, Side::Server] {
        let option = [&[6, 0, 6, 0][..], &side.hardware_address()].concat();
        assert_eq!(occurrences(&file, &option), 1);
    }
}

#[test]
fn what_becomes_of_a_frame_stands_in_its_comment() {
    if !has_wireshark() {
        return;
    }
    let dialogue = dialogue();
    let frames = &dialogue.net.frames;
    let syn = frames.iter().position(|frame| frame.segment().is_some());
    let (syn, answer) = (syn.unwrap(), syn.unwrap() + 1);
    let frame = |number: usize| frames[number].octets.clone();
    let segment = frames[syn].segment().unwrap();
    let at = |station, happening| Told {
        station,
        time: Instant::from_micros(1_500_001),
        interface: (station != Station::LINK).then_some(1),
        socket: None,
        flow: None,
        happening,
    };
    let framed = |direction, bytes| Owned::Frame(direction, Medium::Ethernet, bytes);
    let dropped = |reason, bytes| Owned::Drop(reason, Medium::Ethernet, bytes);
    // A bit of the checksum itself: all else is as it was sent.
    let mut corrupt = frame(syn);
    corrupt[50] ^= 1;
    let mut change = at(
        HOST,
        Owned::Other(Happening::State {
            from: State::Listen,
            to: State::SynReceived,
            cause: Cause::Segment,
        }),
    );
    change.flow = Some(Flow {
        protocol: Protocol::Tcp,
        local: segment.destination,
        remote: segment.source,
    });
    // A packet whose Ethernet header was never made.
    let packet = frame(syn)[14..].to_vec();
    let unreachable = Owned::Drop(DropReason::NeighborUnreachable, Medium::Ip, packet);
    let story = [
        // A link that tells of a loss before the sender tells of the frame.
        at(Station::LINK, dropped(DropReason::LinkDown, frame(syn))),
        at(CLIENT, framed(Direction::Out, frame(syn))),
        at(HOST, framed(Direction::In, corrupt.clone())),
        at(HOST, dropped(DropReason::Checksum, corrupt)),
        at(HOST, framed(Direction::In, frame(syn))),
        change,
        at(HOST, framed(Direction::Out, frame(answer))),
        at(HOST, unreachable),
    ];
    let file = file("story.pcapng");
    let options = Options {
        point: Point::Every,
        epoch: Duration::from_secs(1_700_000_000),
        live: false,
    };
    let mut sink = Pcapng::create(&file, options).unwrap();
    for told in &story {
        told.tell(&mut sink);
    }
    drop(sink);
    let frames = tshark(&file);
    let said = frames.iter().map(|frame| (&*frame[0], &*frame[3]));
    assert_eq!(
        said.collect::<Vec<_>>(),
        [
            ("host 0:1", "lost by the link: link down"),
            ("host 1:1", "dropped: checksum"),
            ("host 1:1", "[TCP Retransmission]; LISTEN → SYN-RECEIVED"),
            ("host 1:1", ""),
            ("host 1:1 (IP)", "dropped: neighbor unreachable"),
        ]
    );
    assert!(
        frames
            .iter()
            .all(|frame| frame[1] == "1700000001.500001000")
    );
}

#[test]
fn the_reader_gives_back_what_was_written() {
    let dialogue = dialogue();
    let file = octets(&dialogue, Point::Once);
    let mut reader = Reader::new(file.as_slice()).unwrap();
    for sent in &dialogue.net.frames {
        let frame = reader.next_frame().unwrap().unwrap();
        assert_eq!(frame.time, sent.time);
        assert_eq!(frame.medium, sent.medium);
        assert_eq!(frame.direction, Some(Direction::Out));
        assert_eq!(frame.bytes, sent.octets);
    }
    assert_eq!(reader.next_frame().unwrap(), None);

    struct Count(u64);
    impl Sink for Count {
        fn event(&mut self, station: Station, event: &Event<'_>) {
            assert_eq!(station, Station(0));
            assert!(matches!(event.happening, Happening::Frame { .. }));
            self.0 += 1;
        }
    }
    let mut count = Count(0);
    let mut reader = Reader::new(file.as_slice()).unwrap();
    let fed = reader.feed(&mut count).unwrap();
    assert_eq!((fed, count.0), (dialogue.net.frames.len() as u64, fed));
}

/// A file in one of pcap's four kinds.
fn pcap(is_big: bool, is_nano: bool, link_type: u32, frames: &[(u64, &[u8])]) -> Vec<u8> {
    let u32 = |number: u32| match is_big {
        true => number.to_be_bytes(),
        false => number.to_le_bytes(),
    };
    let magic = if is_nano { 0xA1B2_3C4D } else { 0xA1B2_C3D4 };
    let version = if is_big { 0x0002_0004 } else { 0x0004_0002 };
    let mut file = [magic, version, 0, 0, 65_535, link_type].map(u32).concat();
    for (nanos, bytes) in frames {
        let fraction = (nanos % 1_000_000_000) as u32 / if is_nano { 1 } else { 1_000 };
        let (seconds, len) = ((nanos / 1_000_000_000) as u32, bytes.len() as u32);
        file.extend([seconds, fraction, len, len].map(u32).concat());
        file.extend(*bytes);
    }
    file
}

#[test]
fn pcap_is_read_in_either_order_of_octets_and_either_resolution() {
    let ip = [0x45, 0, 0, 20];
    let cases: [(u32, &[u8], usize, Medium); 6] = [
        (1, &[], 0, Medium::Ethernet),
        (101, &[], 0, Medium::Ip),
        (228, &[], 0, Medium::Ip),
        (0, &[2, 0, 0, 0], 4, Medium::Ip),
        (
            113,
            &[0, 0, 0, 1, 0, 6, 2, 0, 0, 0, 0, 1, 0, 0, 8, 0],
            16,
            Medium::Ip,
        ),
        (
            276,
            &[8, 0, 0, 0, 0, 0, 0, 1, 0, 1, 0, 6, 2, 0, 0, 0, 0, 1, 0, 0],
            20,
            Medium::Ip,
        ),
    ];
    for (is_big, is_nano) in [(true, true), (true, false), (false, true), (false, false)] {
        for (link_type, header, _, medium) in cases {
            let bytes = [header, &ip].concat();
            let file = pcap(is_big, is_nano, link_type, &[(7_123_456_789, &bytes)]);
            let mut reader = Reader::new(file.as_slice()).unwrap();
            let frame = reader.next_frame().unwrap().unwrap();
            assert_eq!(frame.time, Instant::from_micros(7_123_456));
            assert_eq!((frame.medium, frame.bytes), (medium, &ip[..]));
            assert_eq!(frame.direction, None);
            assert_eq!(reader.next_frame().unwrap(), None);
        }
    }
}

#[test]
fn frames_that_are_neither_ethernet_nor_ip_are_counted() {
    let arp: [&[u8]; 2] = [&[0; 14], &[8, 6]];
    let cooked = pcap(false, false, 113, &[(0, &arp.concat()), (1, &arp.concat())]);
    let radio = pcap(true, false, 127, &[(0, &[1, 2, 3])]);
    for (file, words) in [
        (
            cooked,
            "2 frames of Linux cooked capture that hold no IP packet",
        ),
        (
            radio,
            "1 frames of link type 127, which is neither Ethernet nor IP",
        ),
    ] {
        let mut reader = Reader::new(file.as_slice()).unwrap();
        assert_eq!(reader.next_frame().unwrap(), None);
        let [skipped] = reader.skipped() else {
            panic!("{:?}", reader.skipped());
        };
        assert_eq!(skipped.to_string(), words);
    }
}

#[test]
fn a_file_cut_off_anywhere_gives_the_frames_before_and_an_error() {
    let dialogue = dialogue();
    let pcap_frames: Vec<(u64, &[u8])> = dialogue
        .net
        .frames
        .iter()
        .map(|frame| (frame.time.total_micros() as u64 * 1_000, &frame.octets[..]))
        .collect();
    let files = [
        octets(&dialogue, Point::Every),
        pcap(true, true, 1, &pcap_frames),
    ];
    for file in files {
        let (mut frames, mut clean) = (0, 0);
        for len in 0..=file.len() {
            let mut reader = match Reader::new(&file[..len]) {
                Ok(reader) => reader,
                Err(Error::NoCapture) => {
                    assert_eq!(len, 0);
                    continue;
                }
                Err(error) => {
                    assert!(matches!(error, Error::Truncated { offset: 0 }), "{error}");
                    continue;
                }
            };
            let mut read = 0;
            let end = loop {
                match reader.next_frame() {
                    Ok(Some(_)) => read += 1,
                    end => break end.map(|_| ()),
                }
            };
            match end {
                Ok(()) => clean += 1,
                Err(Error::Truncated { offset }) => assert!(offset < len as u64),
                Err(error) => panic!("{error}"),
            }
            assert!(read >= frames, "a longer file has fewer frames");
            frames = read;
        }
        assert!(clean > frames, "a file may end after each frame");
    }
}

#[test]
fn a_malformed_file_is_an_error_and_no_panic() {
    let dialogue = dialogue();
    let good = octets(&dialogue, Point::Every);
    // Every octet in turn, in three ways.
    for at in 0..good.len() {
        for change in [0xFF, 0x80, 0x01] {
            let mut file = good.clone();
            file[at] ^= change;
            let Ok(mut reader) = Reader::new(file.as_slice()) else {
                continue;
            };
            while let Ok(Some(frame)) = reader.next_frame() {
                let _ = frame.time - Instant::ZERO;
            }
        }
    }
    let text = Reader::new(&b"GET / HTTP/1.1\r\n"[..]).err().unwrap();
    assert_eq!(text.to_string(), "neither a pcap nor a pcapng file");
    // A frame that claims four gigaoctets.
    let mut file = pcap(false, false, 1, &[(0, &[0; 20])]);
    file[32..36].copy_from_slice(&[0xFF; 4]);
    let mut reader = Reader::new(file.as_slice()).unwrap();
    let error = reader.next_frame().err().unwrap();
    assert_eq!(
        error.to_string(),
        "malformed at octet 24: a frame of more than 262,144 octets"
    );
}

/// Takes so many octets, and then no more.
struct Full(usize);

impl Write for Full {
    fn write(&mut self, octets: &[u8]) -> io::Result<usize> {
        if self.0 == 0 {
            return Err(io::ErrorKind::StorageFull.into());
        }
        let taken = octets.len().min(self.0);
        self.0 -= taken;
        Ok(taken)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[test]
fn an_error_of_the_writer_is_reported_once() {
    let dialogue = dialogue();
    for room in [0, 10, 500] {
        let mut sink = Pcapng::new(Full(room), Options::default());
        for told in dialogue.told() {
            told.tell(&mut sink);
        }
        let error = sink.finish().unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::StorageFull);
        assert!(sink.finish().is_ok());
    }
}

/// Counts flushes.
#[derive(Default)]
struct Pipe {
    written: usize,
    flushed: usize,
}

impl Write for Pipe {
    fn write(&mut self, octets: &[u8]) -> io::Result<usize> {
        self.written += octets.len();
        Ok(octets.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        self.flushed = self.written;
        Ok(())
    }
}

#[test]
fn a_live_capture_leaves_nothing_in_the_pipe() {
    let dialogue = dialogue();
    let options = Options {
        live: true,
        ..Options::default()
    };
    let mut sink = Pcapng::new(Pipe::default(), options);
    for told in dialogue.told() {
        told.tell(&mut sink);
        let pipe = sink.get_ref();
        assert!(pipe.written > 0 && pipe.flushed == pipe.written);
    }
    let before = sink.get_ref().flushed;
    // The last frame, of which something might still have been said.
    sink.flush();
    assert!(sink.get_ref().flushed > before);
}
