//! The glass as a pcapng file: what Wireshark's programs read in it, and what our reader does.
#![cfg(all(feature = "std", feature = "ipv4", feature = "ipv6"))]
// A step that fails fails its test.
#![allow(clippy::unwrap_used, clippy::panic)]

// The lab has tests of its own.
#[allow(dead_code)]
mod need;
mod net;

use std::cell::RefCell;
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::rc::Rc;
use std::time::Duration;

use glasstack::smoltcp::time::{Duration as Time, Instant};
use glasstack::stack::Shutdown;
use glasstack::trace::pcapng::{Options, Pcapng, Point};
use glasstack::trace::read::{Error, Reader};
use glasstack::trace::{
    Call, Cause, Direction, DropReason, Event, Flow, Happening, Medium, Outcome, Protocol,
    RetransmissionCause, Sink, State, Station,
};
use need::Need;
use net::{Net, SERVER, Side, Verdict};

const CLIENT: Station = Station(0);
const HOST: Station = Station(1);

/// An event that owns its frame.
#[derive(Clone)]
struct Told {
    station: Station,
    time: Instant,
    flow: Option<Flow>,
    happening: Owned,
}

#[derive(Clone)]
enum Owned {
    Call(Call, Outcome),
    Frame(Direction, Vec<u8>),
    Drop(DropReason, Vec<u8>),
    State(State, State, Cause),
    Again(RetransmissionCause),
}

impl Told {
    fn tell(&self, sink: &mut impl Sink) {
        let medium = Medium::Ethernet;
        let happening = match &self.happening {
            Owned::Call(call, outcome) => Happening::Call {
                call: *call,
                outcome: *outcome,
            },
            Owned::Frame(direction, bytes) => Happening::Frame {
                direction: *direction,
                medium,
                bytes,
            },
            Owned::Drop(reason, bytes) => Happening::Drop {
                reason: *reason,
                medium,
                bytes,
            },
            Owned::State(from, to, cause) => Happening::State {
                from: *from,
                to: *to,
                cause: *cause,
            },
            Owned::Again(cause) => Happening::Retransmission { cause: *cause },
        };
        let interface = matches!(self.happening, Owned::Frame(..) | Owned::Drop(..));
        let event = Event {
            time: self.time,
            interface: (interface && self.station != Station::LINK).then_some(1),
            socket: None,
            flow: self.flow,
            happening,
        };
        sink.event(self.station, &event);
    }
}

/// A dialogue of two stacks, and what is told of it.
struct Dialogue {
    net: Net,
    lost: Rc<RefCell<Vec<usize>>>,
    told: Vec<Told>,
    frames: usize,
}

impl Dialogue {
    /// `lose` says which frames of the wire are lost, by their numbers.
    fn new(lose: impl Fn(usize, &net::Frame) -> bool + 'static) -> Dialogue {
        let mut net = Net::new();
        let lost = Rc::new(RefCell::new(Vec::new()));
        let (seen, mut number) = (lost.clone(), 0);
        net.filter(move |frame| {
            number += 1;
            if lose(number - 1, frame) {
                seen.borrow_mut().push(number - 1);
                return Verdict::Drop;
            }
            Verdict::Pass
        });
        Dialogue {
            net,
            lost,
            told: Vec::new(),
            frames: 0,
        }
    }

    fn flow(&self, station: Station) -> Flow {
        let syn = &self.net.frames.iter().find_map(net::Frame::segment);
        // The client speaks first.
        let client = syn.as_ref().unwrap().source;
        let server = SERVER.parse().unwrap();
        let (local, remote) = match station {
            CLIENT => (client, server),
            _ => (server, client),
        };
        Flow {
            protocol: Protocol::Tcp,
            local,
            remote,
        }
    }

    fn push(&mut self, station: Station, time: Instant, flow: Option<Flow>, happening: Owned) {
        self.told.push(Told {
            station,
            time,
            flow,
            happening,
        });
    }

    fn call(&mut self, station: Station, call: Call, outcome: Outcome) {
        let flow = match call {
            Call::Connect(_) => None,
            _ => Some(self.flow(station)),
        };
        self.push(station, self.net.now, flow, Owned::Call(call, outcome));
    }

    /// Runs, and tells of the frames.
    fn run_for(&mut self, time: Time) {
        self.net.run_for(time);
        for number in self.frames..self.net.frames.len() {
            let frame = self.net.frames[number].clone();
            let (from, to) = match frame.from {
                Side::Client => (CLIENT, HOST),
                Side::Server => (HOST, CLIENT),
            };
            let octets = frame.octets.clone();
            let before = &self.net.frames[..number];
            let segment = frame.segment();
            let is_again = segment.as_ref().is_some_and(|segment| {
                !segment.payload.is_empty()
                    && before.iter().filter_map(net::Frame::segment).any(|old| {
                        old.source == segment.source
                            && old.seq == segment.seq
                            && !old.payload.is_empty()
                    })
            });
            if is_again {
                let cause = Owned::Again(RetransmissionCause::Timeout(1));
                self.push(from, frame.time, Some(self.flow(from)), cause);
            }
            let out = Owned::Frame(Direction::Out, octets.clone());
            self.push(from, frame.time, None, out);
            if self.lost.borrow().contains(&number) {
                let lost = Owned::Drop(DropReason::InjectedLoss, octets);
                self.push(Station::LINK, frame.time, None, lost);
            } else {
                self.push(to, frame.time, None, Owned::Frame(Direction::In, octets));
            }
        }
        self.frames = self.net.frames.len();
    }

    fn write<W: Write>(&self, mut sink: Pcapng<W>) -> Pcapng<W> {
        for told in &self.told {
            told.tell(&mut sink);
        }
        sink.finish().unwrap();
        sink
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
    let sink = dialogue.write(named(Vec::new(), point));
    sink.get_ref().clone()
}

/// connect, a send whose segment is lost once, an answer in one segment for two calls, and the close.
fn dialogue() -> Dialogue {
    let lost = std::cell::Cell::new(false);
    let mut dialogue = Dialogue::new(move |_, frame| {
        let is_data = frame.segment().is_some_and(|s| !s.payload.is_empty());
        is_data && !lost.replace(lost.get() || is_data)
    });
    let listener = dialogue
        .net
        .server
        .listen(glasstack::stack::Domain::Inet, net::PORT, 4);
    let client = dialogue.net.client.connect(SERVER);
    let to = SERVER.parse().unwrap();
    let pending = Outcome::Failed(glasstack::Error::WouldBlock);
    dialogue.call(CLIENT, Call::Connect(to), pending);
    dialogue.run_for(Time::from_millis(10));
    let (server, _) = dialogue.net.server.stack.accept(listener).unwrap();
    dialogue.net.client.stack.send(client, b"hello, ").unwrap();
    dialogue.call(CLIENT, Call::Send { len: 7 }, Outcome::Octets(7));
    dialogue.run_for(Time::from_secs(3));
    assert_eq!(dialogue.net.server.recv(server).unwrap(), b"hello, ");
    for part in [&b"wor"[..], b"ld"] {
        dialogue.net.server.stack.send(server, part).unwrap();
        let (len, done) = (part.len(), Outcome::Octets(part.len()));
        dialogue.call(HOST, Call::Send { len }, done);
    }
    dialogue.run_for(Time::from_millis(100));
    dialogue
        .net
        .client
        .stack
        .shutdown(client, Shutdown::Write)
        .unwrap();
    dialogue.call(CLIENT, Call::Shutdown(Shutdown::Write), Outcome::Done);
    dialogue.run_for(Time::from_millis(100));
    dialogue.net.server.stack.close(server).unwrap();
    dialogue.call(HOST, Call::Close, Outcome::Done);
    dialogue.run_for(Time::from_millis(100));
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
    std::fs::write(&file, octets(&dialogue, Point::Senders)).unwrap();

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
    let comments: Vec<_> = frames.iter().map(|frame| frame[3].as_str()).collect();
    let said: Vec<_> = comments.iter().filter(|words| !words.is_empty()).collect();
    assert_eq!(
        said,
        [
            &"connect(10.0.0.2:9999)",
            &"send(7); lost by the link: injected loss",
            &"retransmission: timeout 1 of this segment",
            &"send(3); send(2)",
            &"shutdown(SHUT_WR)",
            &"close()",
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
    assert_eq!(count(Point::Senders, "client:1"), [client, 0]);
    assert_eq!(count(Point::Senders, "server:1"), [server, 0]);
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
fn a_call_is_named_with_all_its_segments_and_no_others() {
    let mut dialogue = Dialogue::new(|_, _| false);
    let (client, _, _) = dialogue.net.pair(SERVER);
    dialogue.run_for(Time::ZERO);
    let len = dialogue.net.client.stack.send(client, &[7; 5_000]).unwrap();
    assert_eq!(len, 5_000);
    dialogue.call(CLIENT, Call::Send { len }, Outcome::Octets(len));
    // Nothing goes out of these.
    dialogue.call(CLIENT, Call::Recv { len: 9 }, Outcome::Octets(9));
    dialogue.call(
        CLIENT,
        Call::Send { len: 6_000 },
        Outcome::Failed(glasstack::Error::WouldBlock),
    );
    dialogue.run_for(Time::from_secs(1));
    let is_data = |frame: &&net::Frame| frame.segment().is_some_and(|s| !s.payload.is_empty());
    let segments = dialogue.net.frames.iter().filter(is_data).count();
    assert!(segments > 2);

    let file = octets(&dialogue, Point::Every);
    assert_eq!(occurrences(&file, b"send("), segments);
    assert_eq!(occurrences(&file, b"send(5000)"), segments);
    assert_eq!(occurrences(&file, b"send(5000), continued"), segments - 1);
    assert_eq!(occurrences(&file, b"recv"), 0);
}

#[test]
fn a_datagram_is_tied_to_the_call_that_sent_it() {
    let mut dialogue = Dialogue::new(|_, _| false);
    let domain = glasstack::stack::Domain::Inet;
    let socket = dialogue.net.client.datagram(domain, 5_353);
    let to = SERVER.parse().unwrap();
    let flow = Flow {
        protocol: Protocol::Udp,
        local: net::wildcard(domain, 5_353),
        remote: to,
    };
    for len in [3, 0, 5] {
        let data = &b"hello"[..len];
        dialogue.net.client.stack.sendto(socket, data, to).unwrap();
        let call = Owned::Call(Call::SendTo { len, to }, Outcome::Octets(len));
        dialogue.push(CLIENT, dialogue.net.now, Some(flow), call);
        dialogue.run_for(Time::from_millis(1));
    }
    let file = octets(&dialogue, Point::Senders);
    for len in [3, 0, 5] {
        let words = format!("sendto({len}, {SERVER})");
        assert_eq!(occurrences(&file, words.as_bytes()), 1);
    }
}

#[test]
fn an_interface_has_the_address_of_what_it_sends() {
    let file = octets(&dialogue(), Point::Senders);
    for side in [Side::Client, Side::Server] {
        let option = [&[6, 0, 6, 0][..], &side.hardware_address()].concat();
        assert_eq!(occurrences(&file, &option), 1);
    }
}

#[test]
fn what_a_frame_does_stands_in_its_comment() {
    if !has_wireshark() {
        return;
    }
    let dialogue = dialogue();
    let (flow, server) = (dialogue.flow(CLIENT), dialogue.flow(HOST));
    let at = |station, flow, happening| Told {
        station,
        time: Instant::from_micros(1_500_001),
        flow,
        happening,
    };
    let frame = |number: usize| dialogue.net.frames[number].octets.clone();
    let syn = dialogue
        .net
        .frames
        .iter()
        .position(|frame| frame.segment().is_some())
        .unwrap();
    let mut corrupt = frame(syn);
    corrupt[40] ^= 1;
    let story = [
        at(
            CLIENT,
            Some(flow),
            Owned::State(State::Closed, State::SynSent, Cause::Call),
        ),
        at(
            CLIENT,
            Some(flow),
            Owned::Call(
                Call::Connect(flow.remote),
                Outcome::Failed(glasstack::Error::WouldBlock),
            ),
        ),
        // A link that tells of a loss before the sender tells of the frame.
        at(
            Station::LINK,
            None,
            Owned::Drop(DropReason::LinkDown, frame(syn)),
        ),
        at(CLIENT, None, Owned::Frame(Direction::Out, frame(syn))),
        at(HOST, None, Owned::Frame(Direction::In, corrupt.clone())),
        at(HOST, None, Owned::Drop(DropReason::Checksum, corrupt)),
        at(HOST, None, Owned::Frame(Direction::In, frame(syn))),
        at(
            HOST,
            Some(server),
            Owned::State(State::Listen, State::SynReceived, Cause::Segment),
        ),
        at(HOST, None, Owned::Frame(Direction::Out, frame(syn + 1))),
        // A packet whose Ethernet header was never made.
        at(
            HOST,
            None,
            Owned::Drop(DropReason::NeighborUnreachable, frame(syn)[14..].to_vec()),
        ),
    ];
    let file = file("story.pcapng");
    let mut sink = Pcapng::create(
        &file,
        Options {
            point: Point::Every,
            epoch: Duration::from_secs(1_700_000_000),
            live: false,
        },
    )
    .unwrap();
    for told in &story {
        told.tell(&mut sink);
    }
    drop(sink);
    let frames = tshark(&file);
    let said: Vec<_> = frames
        .iter()
        .map(|frame| (frame[0].as_str(), frame[3].as_str()))
        .collect();
    assert_eq!(
        said,
        [
            (
                "host 0:1",
                "connect(10.0.0.2:9999); CLOSED → SYN-SENT; lost by the link: link down"
            ),
            ("host 1:1", "dropped: checksum"),
            ("host 1:1", "LISTEN → SYN-RECEIVED"),
            ("host 1:1", ""),
            ("host 1:1", "dropped: neighbor unreachable"),
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
    let file = octets(&dialogue, Point::Senders);
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
        for told in &dialogue.told {
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
    for told in &dialogue.told {
        told.tell(&mut sink);
        let pipe = sink.get_ref();
        assert!(pipe.written > 0 && pipe.flushed == pipe.written);
    }
    let before = sink.get_ref().flushed;
    // The last frame, of which something might still have been said.
    sink.flush();
    assert!(sink.get_ref().flushed > before);
}
