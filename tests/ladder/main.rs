//! The ladder as a reader sees it: each scene is told by hand and drawn, and the drawings are kept in `tests/screens/`.
//!
//! `UPDATE_SCREENS=1 cargo test --test ladder` draws them anew; the difference is for a reviewer to read.
#![cfg(all(feature = "std", feature = "ipv4"))]

#[path = "../kept/mod.rs"]
mod kept;
mod scene;

use glasstack::Error;
use glasstack::smoltcp::wire::ArpOperation;
use glasstack::stack::{Domain, Type};
use glasstack::trace::ladder::{Ends, Ladder, Options, Side};
use glasstack::trace::{
    Call, Cause, DropReason, Event, Flow, Happening, Outcome, Protocol, RetransmissionCause, Sink,
    State, Station, Timer, TimerChange,
};

use scene::{CLIENT, SERVER, Scene, Tcp, ack, data, fin, syn};

const BOTH: Ends = Ends::between((CLIENT, "client 10.0.0.1"), (SERVER, "server 10.0.0.2"));

fn drawn(options: Options, ends: Ends, tell: impl Fn(&mut dyn Sink)) -> String {
    let mut ladder = Ladder::<_>::new(String::new(), ends, options);
    tell(&mut ladder);
    ladder.finish().expect("a string takes everything");
    ladder.into_inner()
}

fn is_as_kept(name: &str, drawn: &str) {
    kept::is_as_kept(&format!("ladder-{name}.txt"), drawn);
}

fn narrow() -> Options {
    Options::default()
}

fn wide() -> Options {
    Options {
        width: 140,
        ..Options::default()
    }
}

/// A scene at 80 and at 140 columns.
fn both_widths(name: &str, tell: impl Fn(&mut dyn Sink)) {
    for options in [narrow(), wide()] {
        let drawn = drawn(options, BOTH, &tell);
        for line in drawn.lines() {
            let columns = line.chars().count();
            assert!(columns <= options.width, "{columns} columns:\n{line}");
        }
        is_as_kept(&format!("{name}-{}", options.width), &drawn);
    }
}

/// Listens, connects, shakes hands; the link takes 10 ms.
fn open(scene: &mut Scene<'_>) {
    scene.call_alone(
        SERVER,
        Call::Socket(Domain::Inet, Type::Stream),
        Outcome::Descriptor(0),
    );
    scene.call_alone(SERVER, Call::Bind(scene.server()), Outcome::Done);
    scene.call_alone(SERVER, Call::Listen { backlog: 5 }, Outcome::Done);
    scene.call_alone(
        CLIENT,
        Call::Socket(Domain::Inet, Type::Stream),
        Outcome::Descriptor(0),
    );
    connect(scene);
}

fn connect(scene: &mut Scene<'_>) {
    scene.state(CLIENT, State::Closed, State::SynSent, Cause::Call);
    scene.call(CLIENT, Call::Connect(scene.server()), Outcome::Done);
    let first = scene.send(CLIENT, syn());
    scene.armed(CLIENT, Timer::Retransmission, 1000);
    scene.wait(10);
    scene.arrive(&first);
    scene.state(SERVER, State::Listen, State::SynReceived, Cause::Segment);
    let second = scene.send(
        SERVER,
        Tcp {
            acknowledgment: Some(1),
            ..syn()
        },
    );
    scene.armed(SERVER, Timer::Retransmission, 1000);
    scene.wait(10);
    scene.arrive(&second);
    scene.state(CLIENT, State::SynSent, State::Established, Cause::Segment);
    let third = scene.send(CLIENT, ack(1, 1));
    scene.wait(10);
    scene.arrive(&third);
    scene.state(
        SERVER,
        State::SynReceived,
        State::Established,
        Cause::Segment,
    );
    scene.call_alone(SERVER, Call::Accept, Outcome::Accepted(1, scene.client()));
}

/// Four segments from open to TIME-WAIT; the client closes first.
fn close(scene: &mut Scene<'_>, client: u32, server: u32) {
    scene.state(CLIENT, State::Established, State::FinWait1, Cause::Call);
    scene.call(CLIENT, Call::Close, Outcome::Done);
    let first = scene.send(CLIENT, fin(client, server));
    scene.wait(10);
    scene.arrive(&first);
    scene.state(SERVER, State::Established, State::CloseWait, Cause::Segment);
    let answer = scene.send(SERVER, ack(server, client + 1));
    scene.call(SERVER, Call::Recv { len: 1024 }, Outcome::Octets(0));
    scene.wait(10);
    scene.arrive(&answer);
    scene.state(CLIENT, State::FinWait1, State::FinWait2, Cause::Segment);
    scene.state(SERVER, State::CloseWait, State::LastAck, Cause::Call);
    scene.call(SERVER, Call::Close, Outcome::Done);
    let second = scene.send(SERVER, fin(server, client + 1));
    scene.wait(10);
    scene.arrive(&second);
    scene.state(CLIENT, State::FinWait2, State::TimeWait, Cause::Segment);
    scene.armed(CLIENT, Timer::TimeWait, 10_000);
    let last = scene.send(CLIENT, ack(client + 1, server + 1));
    scene.wait(10);
    scene.arrive(&last);
    scene.state(SERVER, State::LastAck, State::Closed, Cause::Segment);
    scene.wait(9_990);
    scene.timer(CLIENT, Timer::TimeWait, TimerChange::Fired);
    scene.state(CLIENT, State::TimeWait, State::Closed, Cause::Timer);
}

/// A whole life: the client's first data segment is lost, and once more when it is sent again.
fn life(sink: &mut dyn Sink) {
    let mut scene = Scene::new(sink);
    open(&mut scene);
    scene.call(CLIENT, Call::Send { len: 7 }, Outcome::Octets(7));
    let lost = scene.send(CLIENT, data(1, 1, 7));
    scene.armed(CLIENT, Timer::Retransmission, 1000);
    scene.lose(&lost);
    for (count, wait, next) in [(1, 1000, 2000), (2, 2000, 4000)] {
        scene.wait(wait);
        scene.timer(CLIENT, Timer::Retransmission, TimerChange::Fired);
        scene.again(CLIENT, RetransmissionCause::Timeout(count));
        let again = scene.send(CLIENT, data(1, 1, 7));
        scene.armed(CLIENT, Timer::Retransmission, next);
        if count == 1 {
            scene.lose(&again);
            continue;
        }
        scene.wait(10);
        scene.arrive(&again);
    }
    scene.armed(SERVER, Timer::DelayedAck, 10);
    scene.call(SERVER, Call::Recv { len: 1024 }, Outcome::Octets(7));
    scene.call(SERVER, Call::Send { len: 15 }, Outcome::Octets(15));
    let answer = scene.send(SERVER, data(1, 8, 15));
    scene.armed(SERVER, Timer::Retransmission, 1000);
    scene.wait(10);
    scene.arrive(&answer);
    scene.call(CLIENT, Call::Recv { len: 1024 }, Outcome::Octets(15));
    scene.wait(10);
    scene.timer(CLIENT, Timer::DelayedAck, TimerChange::Fired);
    scene.carry(CLIENT, ack(8, 16), 10);
    close(&mut scene, 8, 16);
}

#[test]
fn a_whole_life_with_a_lost_data_segment() {
    both_widths("life", life);
    is_as_kept(
        "life-100",
        &drawn(
            Options {
                width: 100,
                ..narrow()
            },
            BOTH,
            life,
        ),
    );
    let ascii = drawn(
        Options {
            ascii: true,
            ..narrow()
        },
        BOTH,
        life,
    );
    assert!(ascii.is_ascii());
    is_as_kept("life-80-ascii", &ascii);
    let ascii = drawn(
        Options {
            ascii: true,
            ..wide()
        },
        BOTH,
        life,
    );
    assert!(ascii.is_ascii());
    is_as_kept("life-140-ascii", &ascii);
}

/// An open connection, without its opening.
fn opened(scene: &mut Scene<'_>) {
    scene.carry(CLIENT, syn(), 0);
    scene.carry(
        SERVER,
        Tcp {
            acknowledgment: Some(1),
            ..syn()
        },
        0,
    );
    scene.carry(CLIENT, ack(1, 1), 0);
}

/// The second of five segments is lost: three duplicate acknowledgments, and no second's wait.
fn fast_retransmit(sink: &mut dyn Sink) {
    let mut scene = Scene::new(sink);
    opened(&mut scene);
    scene.wait(20);
    scene.call(CLIENT, Call::Send { len: 2500 }, Outcome::Octets(2500));
    let frames: Vec<_> = (0..5)
        .map(|i| {
            let frame = scene.send(CLIENT, data(1 + 500 * i, 1, 500));
            if i == 1 {
                scene.lose(&frame);
            }
            frame
        })
        .collect();
    scene.armed(CLIENT, Timer::Retransmission, 1000);
    scene.wait(10);
    let mut answers = Vec::new();
    for (i, frame) in frames.iter().enumerate().filter(|(i, _)| *i != 1) {
        scene.arrive(frame);
        let sack = (i > 1).then_some((1001, 501 + 500 * i as u32));
        answers.push(scene.send(
            SERVER,
            Tcp {
                sack,
                ..ack(1, 501)
            },
        ));
    }
    scene.wait(10);
    for answer in &answers {
        scene.arrive(answer);
    }
    scene.again(CLIENT, RetransmissionCause::FastRetransmit);
    scene.carry(CLIENT, data(501, 1, 500), 10);
    scene.call(SERVER, Call::Recv { len: 4096 }, Outcome::Octets(2500));
    scene.carry(SERVER, ack(1, 2501), 10);
}

#[test]
fn a_fast_retransmit() {
    both_widths("fast-retransmit", fast_retransmit);
}

/// The server does not read; the client probes until it does.
fn zero_window(sink: &mut dyn Sink) {
    let mut scene = Scene::new(sink);
    opened(&mut scene);
    scene.call(CLIENT, Call::Send { len: 4096 }, Outcome::Octets(3072));
    scene.carry(CLIENT, data(1, 1, 1024), 0);
    scene.carry(CLIENT, data(1025, 1, 1024), 0);
    scene.carry(SERVER, ack(1, 2049).window(0), 0);
    for _ in 0..3 {
        // It asks again and again: told once.
        scene.call(
            CLIENT,
            Call::Send { len: 1024 },
            Outcome::Failed(Error::WouldBlock),
        );
    }
    scene.armed(CLIENT, Timer::ZeroWindowProbe, 1000);
    for wait in [1000, 2000] {
        scene.wait(wait);
        scene.timer(CLIENT, Timer::ZeroWindowProbe, TimerChange::Fired);
        let probe = scene.send(CLIENT, data(2049, 1, 1));
        scene.armed(CLIENT, Timer::ZeroWindowProbe, 2 * wait);
        scene.arrive(&probe);
        scene.carry(SERVER, ack(1, 2049).window(0), 0);
    }
    scene.wait(500);
    scene.call(SERVER, Call::Recv { len: 2048 }, Outcome::Octets(2048));
    scene.carry(SERVER, ack(1, 2049), 0);
    scene.carry(CLIENT, data(2049, 1, 1024), 0);
    scene.carry(SERVER, ack(1, 3073), 0);
}

#[test]
fn a_zero_window() {
    both_widths("zero-window", zero_window);
}

/// Datagrams, with the question that comes before the first, and one to a port of nobody.
fn udp(sink: &mut dyn Sink) {
    let mut scene = Scene::new(sink);
    scene.call_alone(
        SERVER,
        Call::Socket(Domain::Inet, Type::Datagram),
        Outcome::Descriptor(0),
    );
    scene.call_alone(SERVER, Call::Bind(scene.server()), Outcome::Done);
    let to = scene.server();
    scene.call_alone(CLIENT, Call::SendTo { len: 7, to }, Outcome::Octets(7));
    for (from, operation) in [
        (CLIENT, ArpOperation::Request),
        (SERVER, ArpOperation::Reply),
    ] {
        let frame = scene.send_arp(from, operation);
        scene.wait_micros(40);
        scene.arrive(&frame);
    }
    let frame = scene.send_udp(CLIENT, b"Michael");
    scene.wait_micros(25);
    scene.arrive(&frame);
    let from = scene.client();
    scene.call_alone(
        SERVER,
        Call::RecvFrom { len: 1024 },
        Outcome::Datagram(7, from),
    );
    scene.call_alone(
        SERVER,
        Call::SendTo { len: 15, to: from },
        Outcome::Octets(15),
    );
    let frame = scene.send_udp(SERVER, b"Hello, Michael!");
    scene.wait_micros(25);
    scene.arrive(&frame);
    scene.call_alone(
        CLIENT,
        Call::RecvFrom { len: 1024 },
        Outcome::Datagram(15, to),
    );
    scene.wait(3);
    let frame = scene.send_udp(CLIENT, b"Tracy");
    scene.lose(&frame);
    scene.port += 1;
    let frame = scene.send_udp(SERVER, b"anybody?");
    scene.arrive(&frame);
    scene.refuse(CLIENT, &frame, DropReason::NoSocket);
}

#[test]
fn udp_and_arp() {
    both_widths("udp", udp);
}

/// Three clients at once.
fn many(sink: &mut dyn Sink) {
    let mut scene = Scene::new(sink);
    scene.call_alone(SERVER, Call::Listen { backlog: 5 }, Outcome::Done);
    for port in 49152..49155 {
        scene.port = port;
        connect(&mut scene);
    }
    for port in [49154, 49152, 49153] {
        scene.port = port;
        let len = (port - 49150) as usize;
        scene.call(CLIENT, Call::Send { len }, Outcome::Octets(len));
        scene.carry(CLIENT, data(1, 1, len), 10);
        scene.call(SERVER, Call::Recv { len: 1024 }, Outcome::Octets(len));
    }
    scene.port = 49153;
    close(&mut scene, 4, 1);
}

#[test]
fn many_connections_are_told_apart_or_one_is_shown() {
    both_widths("many", many);
    let one = drawn(
        Options {
            stream: Some(1),
            ..narrow()
        },
        BOTH,
        many,
    );
    is_as_kept("many-stream-1", &one);
    assert!(one.contains(":49153") && !one.contains(":49152") && !one.contains(":49154"));
}

/// 312,440 octets and more, one loss among them.
fn bulk(sink: &mut dyn Sink) {
    let mut scene = Scene::new(sink);
    opened(&mut scene);
    let mut sequence = 1;
    let mut segments = |scene: &mut Scene<'_>, count| {
        for i in 0..count {
            if i % 4 == 0 {
                scene.call(CLIENT, Call::Send { len: 5840 }, Outcome::Octets(5840));
            }
            let frame = scene.send(CLIENT, data(sequence, 1, 1460));
            scene.armed(CLIENT, Timer::Retransmission, 1000);
            scene.wait_micros(120);
            scene.arrive(&frame);
            sequence += 1460;
            if i % 2 == 1 {
                scene.carry(SERVER, ack(1, sequence), 0);
                scene.call(SERVER, Call::Recv { len: 4096 }, Outcome::Octets(2920));
            }
        }
        sequence
    };
    segments(&mut scene, 218);
    let lost = scene.send(CLIENT, data(1 + 218 * 1460, 1, 1460));
    scene.lose(&lost);
    scene.wait(1000);
    scene.timer(CLIENT, Timer::Retransmission, TimerChange::Fired);
    scene.again(CLIENT, RetransmissionCause::Timeout(1));
    let next = segments(&mut scene, 1100);
    close(&mut scene, next, 1);
}

#[test]
fn a_long_bulk_is_folded() {
    both_widths("bulk", bulk);
    let drawn = drawn(narrow(), BOTH, bulk);
    assert!(drawn.lines().count() < 60, "{drawn}");
}

/// What is folded alone is drawn as it is.
fn ticks(sink: &mut dyn Sink) {
    let mut scene = Scene::new(sink);
    for _ in 0..5 {
        let frame = scene.send_udp(CLIENT, b"tick");
        scene.wait_micros(25);
        scene.arrive(&frame);
        scene.wait(500);
    }
}

#[test]
fn each_row_says_how_long_after_the_one_above_it_was() {
    let drawn = drawn(wide(), BOTH, ticks);
    assert_eq!(drawn.matches("+500ms").count(), 4, "{drawn}");
}

#[test]
fn of_one_station_the_peer_s_segments_are_seen() {
    let ends = Ends::beside(Side::Right, (SERVER, "glasstack 10.0.0.2"), "the kernel");
    is_as_kept("one-station", &drawn(narrow(), ends, life));
}

/// What a link can do to a frame besides losing it.
fn faults(sink: &mut dyn Sink) {
    let mut scene = Scene::new(sink);
    opened(&mut scene);
    scene.wait(5);
    let first = scene.send(CLIENT, data(1, 1, 100));
    let second = scene.send(CLIENT, data(101, 1, 100));
    scene.wait(2);
    scene.arrive(&second);
    scene.carry(SERVER, ack(1, 1), 0);
    scene.wait(1);
    scene.arrive(&first);
    scene.arrive(&first);
    let mut third = scene.send(CLIENT, data(201, 1, 100));
    if let Some(octet) = third.bytes.last_mut() {
        *octet ^= 0x10;
    }
    scene.arrive(&third);
    scene.refuse(SERVER, &third, DropReason::Checksum);
    let unheard = scene.send(CLIENT, data(301, 1, 100));
    scene.refuse(Station::LINK, &unheard, DropReason::LinkDown);
    scene.send(CLIENT, data(401, 1, 100));
}

#[test]
fn faults_of_the_link_are_named() {
    both_widths("faults", faults);
}

/// What a terminal shows after it was sent `text`: a carriage return goes back, and what comes then replaces.
fn screen(text: &str) -> String {
    let shown = |line: &str| {
        let mut cells: Vec<char> = Vec::new();
        for piece in line.split('\r') {
            for (i, character) in piece.chars().enumerate() {
                match cells.get_mut(i) {
                    Some(cell) => *cell = character,
                    None => cells.push(character),
                }
            }
        }
        let line: String = cells.into_iter().collect();
        format!("{}\n", line.trim_end())
    };
    text.lines().map(shown).collect()
}

#[test]
fn a_live_ladder_ends_as_one_that_was_drawn_at_the_end() {
    for scene in [life, bulk, many, faults, udp, ticks] {
        for options in [narrow(), wide()] {
            let at_end = drawn(options, BOTH, scene);
            let live = drawn(
                Options {
                    live: true,
                    ..options
                },
                BOTH,
                scene,
            );
            assert_eq!(screen(&live), screen(&at_end));
        }
    }
}

#[test]
fn a_live_row_is_there_before_the_next_event() {
    let mut ladder = Ladder::<_>::new(
        String::new(),
        BOTH,
        Options {
            live: true,
            ..narrow()
        },
    );
    let mut scene = Scene::new(&mut ladder);
    scene.carry(CLIENT, syn(), 1);
    assert!(screen(&ladder.into_inner()).contains("SYN seq=0"));
}

#[test]
fn colour_adds_escape_sequences_and_nothing_else() {
    let coloured = drawn(
        Options {
            colour: true,
            ..narrow()
        },
        BOTH,
        life,
    );
    assert!(coloured.contains("\x1b[1;31m"), "what is lost is red");
    let mut plain = String::new();
    for piece in coloured.split('\x1b') {
        plain += piece
            .strip_prefix('[')
            .and_then(|rest| rest.split_once('m'))
            .map_or(piece, |(_, rest)| rest);
    }
    assert_eq!(plain, drawn(narrow(), BOTH, life));
    assert!(!drawn(narrow(), BOTH, life).contains('\x1b'));
}

#[test]
fn what_was_in_flight_for_too_long_is_drawn_once_with_its_fate_unknown() {
    let mut ladder = Ladder::<_, 2>::new(String::new(), BOTH, narrow());
    let mut scene = Scene::new(&mut ladder);
    opened(&mut scene);
    let frames: Vec<_> = (0..3)
        .map(|i| scene.send(CLIENT, data(1 + 10 * i, 1, 10)))
        .collect();
    for frame in &frames {
        scene.arrive(frame);
    }
    ladder.finish().expect("a string takes everything");
    let drawn = ladder.into_inner();
    for i in 0..3 {
        let rows = drawn
            .lines()
            .filter(|line| line.contains(&format!("seq={} ", 1 + 10 * i)));
        let rows: Vec<_> = rows.filter(|line| line.contains("len=10")).collect();
        assert_eq!(rows.len(), 1, "{drawn}");
        assert_eq!(rows[0].contains('┄'), i < 1, "{drawn}");
    }
}

#[test]
fn an_error_of_the_writer_is_told_at_the_end() {
    struct Full;
    impl std::fmt::Write for Full {
        fn write_str(&mut self, _: &str) -> std::fmt::Result {
            Err(std::fmt::Error)
        }
    }
    let mut ladder = Ladder::<_>::new(Full, BOTH, narrow());
    life(&mut ladder);
    assert!(ladder.finish().is_err());
}

/// Frames of every kind with bits flipped and ends cut off: drawn or not, every row keeps to its width.
#[test]
fn malformed_frames_neither_panic_nor_break_the_columns() {
    struct Mutating<'l>(&'l mut dyn Sink, u64);
    impl Mutating<'_> {
        fn random(&mut self) -> usize {
            self.1 = self
                .1
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(1_442_695_040_888_963_407);
            (self.1 >> 33) as usize
        }
    }
    impl Sink for Mutating<'_> {
        fn event(&mut self, station: Station, event: &Event<'_>) {
            let mut event = *event;
            let mut mutated = Vec::new();
            if let Happening::Frame { bytes, .. } | Happening::Drop { bytes, .. } = &event.happening
            {
                mutated.extend_from_slice(bytes);
                for _ in 0..self.random() % 3 {
                    let at = self.random() % mutated.len();
                    mutated[at] = self.random() as u8;
                }
                if self.random() % 4 == 0 {
                    mutated.truncate(self.random() % (mutated.len() + 1));
                }
            }
            if let Happening::Frame { bytes, .. } | Happening::Drop { bytes, .. } =
                &mut event.happening
            {
                *bytes = &mutated;
            }
            self.0.event(station, &event);
        }
    }
    for seed in 0..300 {
        let options = if seed % 2 == 0 { narrow() } else { wide() };
        let mut ladder = Ladder::<_, 8>::new(String::new(), BOTH, options);
        let mut sink = Mutating(&mut ladder, seed);
        for scene in [life, fast_retransmit, udp, many, faults] {
            scene(&mut sink);
        }
        ladder.finish().expect("a string takes everything");
        for line in ladder.into_inner().lines() {
            assert!(line.chars().count() <= options.width, "seed {seed}: {line}");
        }
    }
}

#[test]
fn long_addresses_stand_across_the_lifelines_whole() {
    let [local, remote]: [std::net::SocketAddr; 2] = [
        "[fdaa:69::1]:49152".parse().expect("an address"),
        "[fdaa:69::1234:5678:9abc:def0]:9999"
            .parse()
            .expect("an address"),
    ];
    let drawn = drawn(narrow(), BOTH, |sink| {
        let mut scene = Scene::new(sink);
        let flow = Flow {
            protocol: Protocol::Tcp,
            local,
            remote,
        };
        let happening = Happening::Call {
            call: Call::Connect(remote),
            outcome: Outcome::Failed(Error::WouldBlock),
        };
        scene.tell(CLIENT, Some(flow), happening);
    });
    assert!(drawn.contains(&format!("{local} ↔ {remote}")), "{drawn}");
    assert!(
        drawn.lines().all(|line| line.chars().count() <= 80),
        "{drawn}"
    );
}

#[test]
fn a_connect_that_waits_is_told_when_it_begins_and_when_it_is_done() {
    let drawn = drawn(narrow(), BOTH, |sink| {
        let mut scene = Scene::new(sink);
        let call = Call::Connect(scene.server());
        for _ in 0..3 {
            scene.call(CLIENT, call, Outcome::Failed(Error::WouldBlock));
        }
        scene.call(CLIENT, call, Outcome::Done);
    });
    assert_eq!(
        drawn.matches("connect(10.0.0.2:9999)").count(),
        1,
        "{drawn}"
    );
    assert_eq!(drawn.matches("connect() = 0").count(), 1, "{drawn}");
}
