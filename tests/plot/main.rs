//! The plot as a reader sees it: each scene is drawn, and the drawings are kept in `tests/screens/`.
//!
//! `UPDATE_SCREENS=1 cargo test --test plot` draws them anew; the difference is for a reviewer to read.
#![cfg(all(feature = "std", feature = "ipv4"))]

#[path = "../kept/mod.rs"]
mod kept;
#[path = "../ladder/scene.rs"]
#[allow(dead_code, reason = "a plot has no calls and no datagrams")]
mod scene;
mod transfer;

use std::time::Duration;

use glasstack::device::wire::{Conditions, Faults};
use glasstack::smoltcp::wire::TcpControl;
use glasstack::trace::plot::{Options, Plot, Sender};
use glasstack::trace::{
    Capture, Direction, Event, Happening, Instant, Medium, RetransmissionCause, Sink, Station,
    Timer, TimerChange,
};

use scene::{CLIENT, SERVER, Scene, Tcp, ack, data, syn};

fn drawn(options: Options, tell: impl Fn(&mut dyn Sink)) -> String {
    let mut plot = Plot::new(options);
    tell(&mut plot);
    plot.to_string()
}

fn is_as_kept(name: &str, drawn: &str) {
    kept::is_as_kept(&format!("plot-{name}.txt"), drawn);
}

fn ascii() -> Options {
    Options {
        ascii: true,
        ..Options::default()
    }
}

fn linear() -> Options {
    Options {
        linear: true,
        ..Options::default()
    }
}

/// A link of 8 Mbit/s, 10 ms long, that loses these.
fn losing(lost: &[&str]) -> Faults {
    let slow = Conditions::default().latency(Duration::from_millis(10));
    let faults = Faults::new(7).both(slow.rate(8_000_000, 40));
    lost.iter().fold(faults, |faults, lost| {
        faults.lose(lost.parse().expect("a selector"))
    })
}

fn replayed(capture: &Capture) -> impl Fn(&mut dyn Sink) {
    |mut sink| capture.replay(&mut sink)
}

#[test]
fn a_transfer_with_a_loss_and_its_retransmission() {
    let capture = transfer::transfer(300_000, losing(&["data 40"]));
    let page = drawn(Options::default(), replayed(&capture));
    is_as_kept("loss-80", &page);
    assert!(page.contains("300 kB in"), "{page}");
    let large = Options {
        width: 120,
        height: 40,
        ..Options::default()
    };
    is_as_kept("loss-120", &drawn(large, replayed(&capture)));
    let page = drawn(ascii(), replayed(&capture));
    assert!(page.is_ascii());
    is_as_kept("loss-80-ascii", &page);
}

/// The last data segment is lost: nothing comes behind it that could be acknowledged twice, so it takes a second.
#[test]
fn a_pause_is_cut_out_and_the_legend_says_how_long_it_was() {
    let capture = transfer::transfer(60_000, losing(&["data 44"]));
    let page = drawn(Options::default(), replayed(&capture));
    is_as_kept("pause-80", &page);
    let page = drawn(linear(), replayed(&capture));
    is_as_kept("pause-80-linear", &page);
    assert!(!page.contains("cut out"), "{page}");
}

#[test]
fn what_both_ends_tell_is_counted_where_it_leaves() {
    let capture = transfer::transfer(300_000, losing(&["data 40"]));
    let both = drawn(Options::default(), replayed(&capture));
    // The stations are numbered from 1 there.
    let client = drawn(Options::default(), |sink| {
        let events = capture.iter();
        let told = events.filter(|captured| captured.station != Station(2));
        told.for_each(|captured| sink.event(captured.station, &captured.event()));
    });
    assert_eq!(both, client);
    // At the other end it is seen, but later: what is acknowledged follows at once.
    let server = drawn(Options::default(), |sink| {
        let events = capture.iter();
        let told = events.filter(|captured| captured.station == Station(2));
        told.for_each(|captured| sink.event(captured.station, &captured.event()));
    });
    assert!(!server.contains('╳'), "{server}");
    assert_ne!(both, server);
}

#[test]
fn the_direction_with_more_data_is_drawn_unless_another_is_asked_for() {
    let capture = transfer::transfer(30_000, losing(&[]));
    let first_line = |sender| {
        let options = Options {
            sender,
            ..Options::default()
        };
        let page = drawn(options, replayed(&capture));
        page.lines().next().unwrap_or_default().to_owned()
    };
    assert_eq!(first_line(None), first_line(Some(Sender::Initiator)));
    assert!(first_line(None).contains("→ 10.0.0.2:9999"));
    let other = first_line(Some(Sender::Responder));
    assert!(other.contains("10.0.0.2:9999 → 10.0.0.1:"), "{other}");
    assert!(other.contains("  0 in "), "{other}");
}

/// An open connection, without its opening.
fn opened(scene: &mut Scene<'_>) {
    scene.carry(CLIENT, syn(), 10);
    let answer = Tcp {
        acknowledgment: Some(1),
        ..syn()
    };
    scene.carry(SERVER, answer, 10);
    scene.carry(CLIENT, ack(1, 1), 0);
}

/// Ten segments, each acknowledged; then nobody answers any more for a minute, and then everybody again.
fn silence(sink: &mut dyn Sink) {
    let mut scene = Scene::new(sink);
    opened(&mut scene);
    for i in 0..10 {
        scene.carry(CLIENT, data(1 + 500 * i, 1, 500), 5);
        scene.carry(SERVER, ack(1, 501 + 500 * i), 5);
    }
    let again = scene.send(CLIENT, data(5001, 1, 500));
    scene.lose(&again);
    for (number, wait) in [1, 2, 4, 8, 16, 32].into_iter().enumerate() {
        scene.wait(1_000 * wait);
        scene.timer(CLIENT, Timer::Retransmission, TimerChange::Fired);
        scene.again(CLIENT, RetransmissionCause::Timeout(number as u32 + 1));
        let again = scene.send(CLIENT, data(5001, 1, 500));
        match number {
            5 => scene.arrive(&again),
            _ => scene.lose(&again),
        }
    }
    for i in 10..20 {
        scene.wait(5);
        scene.carry(SERVER, ack(1, 501 + 500 * i), 5);
        scene.carry(CLIENT, data(501 + 500 * (i + 1), 1, 500), 0);
    }
}

#[test]
fn a_backoff_of_a_minute_in_a_tenth_of_a_second_leaves_both_to_be_seen() {
    is_as_kept("silence-80", &drawn(Options::default(), silence));
    is_as_kept("silence-80-ascii", &drawn(ascii(), silence));
    is_as_kept("silence-80-linear", &drawn(linear(), silence));
}

#[test]
fn a_host_that_says_that_it_sends_again_is_believed() {
    // So soon after the newest data that by the frames alone it is late.
    let early = |tells: bool| {
        drawn(Options::default(), |sink| {
            let mut scene = Scene::new(sink);
            opened(&mut scene);
            scene.send(CLIENT, data(1, 1, 500));
            scene.send(CLIENT, data(501, 1, 500));
            scene.wait(2);
            if tells {
                scene.again(CLIENT, RetransmissionCause::FastRetransmit);
            }
            scene.send(CLIENT, data(1, 1, 500));
            scene.send(CLIENT, data(1001, 1, 500));
        })
    };
    assert!(early(true).contains("↻ retransmission"));
    assert!(!early(false).contains('↻'));
}

/// The server does not read, so the window shuts; when it opens again, the answer that says so is lost at first.
fn zero_window(sink: &mut dyn Sink) {
    let mut scene = Scene::new(sink);
    opened(&mut scene);
    for i in 0..4 {
        scene.carry(CLIENT, data(1 + 512 * i, 1, 512), 10);
        let window = 2048 - 512 * (i as u16 + 1);
        scene.carry(SERVER, ack(1, 513 + 512 * i).window(window), 10);
    }
    scene.wait(80);
    let update = scene.send(SERVER, ack(1, 2049));
    scene.lose(&update);
    scene.wait(80);
    scene.carry(CLIENT, data(2049, 1, 1), 10);
    scene.carry(SERVER, ack(1, 2050).window(2047), 10);
    scene.carry(CLIENT, data(2050, 1, 1023), 10);
    scene.carry(SERVER, ack(1, 3073), 10);
}

#[test]
fn a_zero_window_holds_the_data_back() {
    is_as_kept("zero-window-80", &drawn(Options::default(), zero_window));
}

#[test]
fn of_many_connections_the_one_with_the_most_data_is_drawn_or_the_one_that_is_asked_for() {
    let many = |sink: &mut dyn Sink| {
        let mut scene = Scene::new(sink);
        for (port, len) in [(49152, 10), (49153, 1000), (49154, 100)] {
            scene.port = port;
            opened(&mut scene);
            scene.carry(CLIENT, data(1, 1, len), 10);
        }
    };
    let title = |stream| {
        let page = drawn(
            Options {
                stream,
                ..Options::default()
            },
            many,
        );
        page.lines().next().unwrap_or_default().to_owned()
    };
    let ends = |port| format!("10.0.0.1:{port} → 10.0.0.2:9999");
    let largest = format!("tcp 1  {}  1 kB in 20 ms", ends(49153));
    assert_eq!(title(None), largest);
    let other = format!("tcp 2  {}  100 B in 20 ms", ends(49154));
    assert_eq!(title(Some(2)), other);
    assert_eq!(title(Some(3)), "there was no TCP stream 3");
}

#[test]
fn a_new_connection_between_the_same_ports_is_another_stream() {
    let options = |stream| Options {
        stream,
        ..Options::default()
    };
    let tell = |sink: &mut dyn Sink| {
        let mut scene = Scene::new(sink);
        opened(&mut scene);
        scene.carry(CLIENT, data(1, 1, 100), 10);
        // As the scene's numbers have it, another initial sequence number.
        let request = Tcp {
            sequence: 1_000_000,
            ..syn()
        };
        scene.carry(CLIENT, request, 10);
        scene.carry(CLIENT, data(1_000_001, 1, 700), 10);
    };
    assert!(drawn(options(Some(0)), tell).contains("  100 B in"));
    assert!(drawn(options(None), tell).starts_with("tcp 1 "));
    assert!(drawn(options(Some(1)), tell).contains("  700 B in"));
}

#[test]
fn the_least_are_forgotten_and_the_number_stays() {
    let tell = |sink: &mut dyn Sink| {
        let mut scene = Scene::new(sink);
        for port in 1..=200 {
            scene.port = port;
            opened(&mut scene);
            let len = if port == 3 { 1400 } else { 10 };
            scene.carry(CLIENT, data(1, 1, len), 1);
        }
    };
    let page = drawn(Options::default(), tell);
    assert!(page.starts_with("tcp 2  10.0.0.1:3 →"), "{page}");
    let options = |stream| Options {
        stream: Some(stream),
        ..Options::default()
    };
    assert_eq!(drawn(options(100), tell).lines().count(), 24);
    let mut plot = Plot::new(Options::default());
    tell(&mut plot);
    plot.set_options(options(100));
    assert_eq!(plot.to_string(), "TCP stream 100 is forgotten\n");
}

#[test]
fn an_empty_plot_says_that_there_was_nothing() {
    let plot = Plot::new(Options::default());
    assert_eq!(plot.to_string(), "there was no TCP connection\n");
    let refused = drawn(Options::default(), |sink| {
        let mut scene = Scene::new(sink);
        let reset = Tcp {
            flags: TcpControl::Rst,
            ..ack(0, 0)
        };
        scene.carry(CLIENT, reset.acking(None), 1);
    });
    let nothing = "tcp 0  10.0.0.1:49152 → 10.0.0.2:9999  nothing was sent\n";
    assert_eq!(refused, nothing);
}

#[test]
fn every_size_is_kept_to() {
    let capture = transfer::transfer(60_000, losing(&["data 44"]));
    let mut plot = Plot::new(Options::default());
    capture.replay(&mut plot);
    let sizes = (1..=40).flat_map(|width| (1..=14).map(move |height| (width, height)));
    for (width, height) in sizes.chain([(80, 1), (1, 80), (200, 60), (500, 200)]) {
        for linear in [false, true] {
            plot.set_options(Options {
                width,
                height,
                linear,
                ..Options::default()
            });
            let page = plot.to_string();
            assert_eq!(page.lines().count(), height, "{width} × {height}\n{page}");
            for line in page.lines() {
                let columns = line.chars().count();
                assert!(columns <= width, "{width} × {height}: {columns}\n{page}");
                assert_eq!(line.trim_end(), line, "{page}");
            }
        }
    }
    for (width, height) in [(0, 0), (usize::MAX, 1), (1, usize::MAX)] {
        plot.set_options(Options {
            width,
            height,
            ..Options::default()
        });
        let page = plot.to_string();
        assert!((1..=200).contains(&page.lines().count()));
        assert!(page.lines().all(|line| line.chars().count() <= 500));
    }
}

#[test]
fn colour_adds_escape_sequences_and_nothing_else() {
    let options = Options {
        colour: true,
        ..Options::default()
    };
    let coloured = drawn(options, silence);
    assert!(coloured.contains("\x1b[1;31m╳"), "what is lost is red");
    let mut plain = String::new();
    for piece in coloured.split('\x1b') {
        plain += piece
            .strip_prefix('[')
            .and_then(|rest| rest.split_once('m'))
            .map_or(piece, |(_, rest)| rest);
    }
    assert_eq!(plain, drawn(Options::default(), silence));
}

#[test]
fn more_than_four_gigabytes_wrap_around_and_go_on() {
    let page = drawn(Options::default(), |sink| {
        let mut scene = Scene::new(sink);
        opened(&mut scene);
        let mut sequence = 1_u32;
        for _ in 0..100_000 {
            // Most of it is not seen: 64 MB between two segments.
            scene.carry(CLIENT, data(sequence, 1, 1000), 1);
            sequence = sequence.wrapping_add(64_000_000);
        }
    });
    assert!(page.contains("6 TB ┤"), "{page}");
}

/// Real frames with bits flipped and ends cut off, at times from anywhere.
#[test]
fn garbage_neither_panics_nor_breaks_the_page() {
    let capture = transfer::transfer(20_000, losing(&["data 5"]));
    let mut random = 1_u64;
    let mut random = || {
        random = random
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        (random >> 33) as usize
    };
    for _ in 0..200 {
        let mut plot = Plot::new(Options::default());
        for captured in &capture {
            let mut event = captured.event();
            let (Happening::Frame { bytes, .. } | Happening::Drop { bytes, .. }) = event.happening
            else {
                plot.event(captured.station, &event);
                continue;
            };
            let mut mutated = bytes.to_vec();
            for _ in 0..random() % 3 {
                let at = random() % mutated.len().min(60);
                mutated[at] = random() as u8;
            }
            if random() % 4 == 0 {
                mutated.truncate(random() % (mutated.len() + 1));
            }
            if let Happening::Frame { bytes, .. } | Happening::Drop { bytes, .. } =
                &mut event.happening
            {
                *bytes = &mutated;
            }
            match random() % 50 {
                0 => event.time = Instant::from_micros(i64::MIN),
                1 => event.time = Instant::from_micros(i64::MAX),
                _ => {}
            }
            plot.event(captured.station, &event);
        }
        let page = plot.to_string();
        assert_eq!(page.lines().count(), 24, "{page}");
        assert!(page.lines().all(|line| line.chars().count() <= 80));
    }
    let mut plot = Plot::new(Options::default());
    let event = Event {
        time: Instant::ZERO,
        interface: None,
        socket: None,
        flow: None,
        happening: Happening::Frame {
            direction: Direction::In,
            medium: Medium::Ip,
            bytes: &[0x45],
        },
    };
    plot.event(Station::LINK, &event);
    assert_eq!(plot.to_string(), "there was no TCP connection\n");
}
