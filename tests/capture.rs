//! What a capture tells a test, and a summary a reader, of conversations between two hosts.
#![cfg(all(feature = "std", feature = "ipv4", feature = "ipv6"))]
// A step that fails fails its test.
#![allow(clippy::unwrap_used, clippy::panic)]

mod net;

use std::cell::RefCell;
use std::net::SocketAddr;
use std::rc::Rc;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use glasstack::device::wire::{Conditions, Faults};
use glasstack::device::{Wire, WireEnd};
use glasstack::smoltcp::time::Duration as Time;
use glasstack::stack::option::UserTimeout;
use glasstack::stack::{Capacity, Domain, InterfaceId, Shutdown, Type};
use glasstack::trace::{
    At, Call, Capture, Cause, Closing, Direction, DropReason, Event, Flow, Happening, Instant,
    Mark, Medium, Observer, Outcome, Protocol, RetransmissionCause, Sink, State, Station, Summary,
    Timer, TimerChange,
};
use glasstack::{Error, Stack};
use net::segment::{ACK, FIN, RST, SYN, Segment};
use net::{Frame, Net, SERVER, Side, nth};

const CLIENT: Station = Station(1);

/// Both ends of the wire and what it loses, told to a sink: as two stacks and a link would.
fn tell<S: Sink + Clone + 'static>(
    net: &mut Net,
    sink: S,
    mut is_lost: impl FnMut(&Frame) -> bool + 'static,
) {
    let mut sink = sink;
    net.lose(move |frame| {
        let medium = frame.medium;
        let mut tell = |station, happening| {
            let event = Event {
                time: frame.time,
                interface: Some(1),
                socket: None,
                flow: None,
                happening,
            };
            sink.event(station, &event);
        };
        let framed = |direction| Happening::Frame {
            direction,
            medium,
            bytes: &frame.octets,
        };
        tell(Station(frame.from.number()), framed(Direction::Out));
        let is_lost = is_lost(frame);
        if is_lost {
            let drop = Happening::Drop {
                reason: DropReason::InjectedLoss,
                medium,
                bytes: &frame.octets,
            };
            tell(Station::LINK, drop);
        } else {
            let to = Station(frame.from.other().number());
            tell(to, framed(Direction::In));
        }
        is_lost
    });
}

/// The client's nth segment with data.
fn nth_data(n: usize) -> impl FnMut(&Frame) -> bool {
    nth(n, |frame| frame.from == Side::Client && frame.has_data())
}

/// A dialogue in which the client's second segment with data is lost, told to a sink.
fn dialogue_with_a_loss<S: Sink + Clone + 'static>(sink: S) {
    let mut net = Net::new();
    tell(&mut net, sink, nth_data(2));
    let (client, server, _) = net.pair(SERVER);
    for text in ["one", "two", "three"] {
        net.client.stack.send(client, text.as_bytes()).unwrap();
        net.run_for(Time::from_secs(5));
        assert_eq!(net.server.recv(server).unwrap(), text.as_bytes());
    }
    net.client.stack.close(client).unwrap();
    net.run_for(Time::from_secs(1));
    net.server.stack.close(server).unwrap();
    net.run_for(Time::from_secs(20));
}

#[test]
fn a_lost_segment_is_one_drop_and_one_retransmission_however_many_stations_tell() {
    let capture = Rc::new(RefCell::new(Capture::new()));
    dialogue_with_a_loss(capture.clone());
    let events = capture.borrow();
    assert!(events.tcp().retransmissions() == 1);
    assert!(events.tcp().drops(DropReason::InjectedLoss) == 1);
    assert!(events.tcp().marked(Mark::Retransmission) == 1);
    // Each segment was told by its sender, and all but one by its receiver.
    let sent = events.tcp().sent().count();
    assert_eq!(events.tcp().received().count(), sent - 1);
    assert_eq!(events.tcp().segments().count(), sent);
    // The server saw that segment once.
    assert_eq!(events.at(Station(2)).tcp().retransmissions(), 0);
    assert_eq!(events.at(Station(1)).tcp().retransmissions(), 1);
}

#[test]
fn segments_have_relative_numbers_and_their_stream() {
    let capture = Rc::new(RefCell::new(Capture::new()));
    dialogue_with_a_loss(capture.clone());
    let events = capture.borrow();
    let data: Vec<_> = events
        .stream(0)
        .at(CLIENT)
        .sent()
        .segments()
        .filter(|(segment, _)| segment.len > 0)
        .map(|(segment, analysis)| (analysis.sequence, segment.len, analysis.from_initiator))
        .collect();
    assert_eq!(
        data,
        [(1, 3, true), (4, 3, true), (4, 3, true), (7, 5, true)]
    );
    assert_eq!(events.stream(1).count(), 0);
    let (segment, _) = events.tcp().segments().next().unwrap();
    let between = events.between(segment.destination, segment.source);
    assert_eq!(between.count(), events.tcp().count());
}

#[test]
fn the_same_run_gives_the_same_events_and_another_run_others() {
    let [first, second, other] = [false, false, true].map(|is_other| {
        let capture = Rc::new(RefCell::new(Capture::new()));
        if is_other {
            let mut net = Net::new();
            tell(&mut net, capture.clone(), |_| false);
            net.pair(SERVER);
        } else {
            dialogue_with_a_loss(capture.clone());
        }
        capture
    });
    assert_eq!(first, second);
    assert_eq!(first.borrow().to_string(), second.borrow().to_string());
    assert_eq!(first.borrow().digest(), second.borrow().digest());
    assert_ne!(first, other);
    assert_ne!(first.borrow().digest(), other.borrow().digest());
}

#[test]
fn a_single_octet_makes_another_digest() {
    let digest = |octet: u8| {
        let mut capture = Capture::new();
        let bytes = &[0, 1, 2, octet][..];
        Observer::event(
            &mut capture,
            &at(
                0,
                Happening::Frame {
                    direction: Direction::In,
                    medium: Medium::Ip,
                    bytes,
                },
            ),
        );
        (capture.digest(), capture.to_string())
    };
    assert_eq!(digest(3), digest(3));
    assert_ne!(digest(3).0, digest(4).0);
    assert_ne!(digest(3).1, digest(4).1);
}

#[test]
fn a_stack_is_captured_through_its_observer() {
    let capture = Rc::new(RefCell::new(Capture::new()));
    let observer = At(CLIENT, capture.clone());
    let mut stack = Stack::with_capacity(Capacity::default(), [7; 16], observer);
    let address: SocketAddr = "127.0.0.1:9999".parse().unwrap();
    let listener = stack.socket(Domain::Inet, Type::Stream).unwrap();
    stack.bind(listener, address).unwrap();
    stack.listen(listener, 1).unwrap();
    let client = stack.socket(Domain::Inet, Type::Stream).unwrap();
    assert_eq!(stack.connect(client, address), Err(Error::WouldBlock));
    let own = stack.getsockname(client).unwrap();
    let mut now = Instant::ZERO;
    while let Some(next) = stack.poll_loopback(now) {
        now = next;
    }
    stack.shutdown(client, Shutdown::Write).unwrap();
    while let Some(next) = stack.poll_loopback(now) {
        now = next;
    }
    use State::*;
    let events = capture.borrow();
    assert_eq!(
        events.walk(own),
        [Closed, SynSent, Established, FinWait1, FinWait2]
    );
    assert_eq!(
        events.at(CLIENT).tcp().walk(address),
        [Listen, SynReceived, Established, CloseWait]
    );
}

/// An event of a conversation between 10.0.0.1:1000 and 10.0.0.2:9999, as the former sees it.
fn at(millis: i64, happening: Happening<'_>) -> Event<'_> {
    Event {
        time: Instant::from_millis(millis),
        interface: Some(1),
        socket: Some(3),
        flow: Some(Flow {
            protocol: Protocol::Tcp,
            local: "10.0.0.1:1000".parse().unwrap(),
            remote: "10.0.0.2:9999".parse().unwrap(),
        }),
        happening,
    }
}

#[test]
fn calls_timers_and_causes_are_asked_for_by_name() {
    let mut capture = Capture::new();
    let call = Call::Connect("10.0.0.2:9999".parse().unwrap());
    let outcome = Outcome::Failed(Error::WouldBlock);
    let timer = Timer::Retransmission;
    let mut tell = |millis, happening| Observer::event(&mut capture, &at(millis, happening));
    tell(0, Happening::Call { call, outcome });
    let mut now = 0;
    for (number, seconds) in [(1, 1), (2, 2), (3, 4)] {
        let change = TimerChange::Armed {
            at: Instant::from_millis(now) + Time::from_secs(seconds),
            after: Duration::from_secs(seconds),
        };
        tell(now, Happening::Timer { timer, change });
        now += seconds as i64 * 1_000;
        let change = TimerChange::Fired;
        tell(now, Happening::Timer { timer, change });
        let cause = RetransmissionCause::Timeout(number);
        tell(now, Happening::Retransmission { cause });
    }
    assert_eq!(capture.tcp().calls().collect::<Vec<_>>(), [(call, outcome)]);
    assert_eq!(
        capture.tcp().armed(timer),
        [1, 2, 4].map(Duration::from_secs)
    );
    assert_eq!(capture.tcp().fired(timer), 3);
    assert_eq!(capture.tcp().fired(Timer::KeepAlive), 0);
    assert!(
        capture
            .socket(3)
            .causes()
            .eq([1, 2, 3].map(RetransmissionCause::Timeout))
    );
    assert_eq!(capture.socket(4).count(), 0);
    assert_eq!(capture.udp().count(), 0);
    assert_eq!(
        capture.to_string().lines().take(4).collect::<Vec<_>>(),
        [
            "0.000000 0 if1 fd3 call connect(10.0.0.2:9999) = EAGAIN tcp 10.0.0.1:1000 10.0.0.2:9999",
            "0.000000 0 if1 fd3 timer retransmission armed for 1.000000s at 1.000000 \
             tcp 10.0.0.1:1000 10.0.0.2:9999",
            "1.000000 0 if1 fd3 timer retransmission fired tcp 10.0.0.1:1000 10.0.0.2:9999",
            "1.000000 0 if1 fd3 retransmission after timeout 1 tcp 10.0.0.1:1000 10.0.0.2:9999",
        ]
    );
}

#[test]
fn what_is_beyond_its_bounds_is_counted_and_not_kept() {
    let mut few = Capture::with_limits(3, 1_000);
    let mut small = Capture::with_limits(1_000, 300);
    let bytes = &[0; 100][..];
    let frame = Happening::Drop {
        reason: DropReason::Malformed,
        medium: Medium::Ip,
        bytes,
    };
    for _ in 0..10 {
        Observer::event(&mut few, &at(0, frame));
        Observer::event(&mut small, &at(0, frame));
    }
    for capture in [&few, &small] {
        assert_eq!((capture.len(), capture.left_out()), (3, 7));
        assert!(capture.to_string().ends_with("\n7 events left out\n"));
        assert_eq!(capture.all().drops(DropReason::Malformed), 3);
    }
    few.clear();
    assert!(few.is_empty() && few.left_out() == 0);
    Observer::event(&mut few, &at(0, frame));
    assert_eq!(few.iter().next().unwrap().event(), at(0, frame));
}

/// A segment from 10.0.0.1:1000 (`out`) or to it, on a wire that takes 20 ms, told by both ends.
fn cross(summary: &mut Summary<4>, millis: i64, segment: &Segment) {
    let octets = segment.emit(Medium::Ip, Side::Server);
    let from = if segment.source.port() == 1000 { 1 } else { 2 };
    let steps = [(from, Direction::Out, 0), (3 - from, Direction::In, 20)];
    for (station, direction, later) in steps {
        let frame = Happening::Frame {
            direction,
            medium: Medium::Ip,
            bytes: &octets,
        };
        Sink::event(summary, Station(station), &at(millis + later, frame));
    }
}

fn out(flags: u8, seq: u32, ack: u32, payload: &[u8]) -> Segment {
    Segment::new("10.0.0.1:1000", "10.0.0.2:9999", flags, seq, ack).with(payload)
}

fn back(flags: u8, seq: u32, ack: u32, payload: &[u8]) -> Segment {
    Segment::new("10.0.0.2:9999", "10.0.0.1:1000", flags, seq, ack).with(payload)
}

#[test]
fn a_summary_measures_each_end_where_it_sends() {
    let mut summary = Summary::<4>::new();
    cross(&mut summary, 0, &out(SYN, 100, 0, b""));
    cross(&mut summary, 20, &back(SYN | ACK, 500, 101, b""));
    cross(&mut summary, 40, &out(ACK, 101, 501, b""));
    cross(&mut summary, 1_000, &out(ACK, 101, 501, b"hello"));
    cross(&mut summary, 1_030, &back(ACK, 501, 106, b"hi"));
    cross(&mut summary, 1_050, &out(ACK, 106, 503, b""));
    cross(&mut summary, 2_000, &back(FIN | ACK, 503, 106, b""));
    cross(&mut summary, 2_020, &out(FIN | ACK, 106, 504, b""));
    cross(&mut summary, 2_040, &back(ACK, 504, 107, b""));
    let account = summary.connections().next().unwrap();
    assert_eq!(account.initiator(), "10.0.0.1:1000".parse().unwrap());
    assert_eq!(account.handshake(), Some(Duration::from_millis(40)));
    assert_eq!(account.duration(), Duration::from_millis(2_040));
    let first = "10.0.0.2:9999".parse().unwrap();
    assert_eq!(account.closing(), Closing::Finished { first });
    let (sent, received) = (account.sent(), account.received());
    assert_eq!((sent.segments, sent.octets), (5, 5));
    assert_eq!((received.segments, received.octets), (4, 2));
    // 40 ms there and back, 10 ms of thought before "hi".
    let round_trip = sent.round_trip.unwrap();
    assert_eq!(round_trip.min, Duration::from_millis(40));
    assert_eq!(round_trip.max, Duration::from_millis(50));
    assert_eq!(round_trip.samples, 3);
    let round_trip = received.round_trip.unwrap();
    assert_eq!(
        (round_trip.min, round_trip.max),
        (Duration::from_millis(40), Duration::from_millis(40))
    );
    let expected = "\
tcp 0  10.0.0.1:1000 -> 10.0.0.2:9999
  handshake 40.0 ms, lasted 2.040 s, FIN both ways, the responder first
     segments          octets    throughput  timeout  fast  spurious  dup ACKs
  ->        5               5      19 bit/s        0     0         0         0
  <-        4               2       7 bit/s        0     0         0         0
  RTT -> smoothed 41.0 ms, min 40.0 ms, avg 43.3 ms, max 50.0 ms, 3x
  RTT <- smoothed 40.0 ms, min 40.0 ms, avg 40.0 ms, max 40.0 ms, 3x
";
    assert_eq!(summary.to_string(), expected);
}

#[test]
fn karns_rule_takes_no_time_from_what_was_sent_twice() {
    let mut summary = Summary::<4>::new();
    cross(&mut summary, 0, &out(SYN, 100, 0, b""));
    cross(&mut summary, 1_000, &out(SYN, 100, 0, b""));
    cross(&mut summary, 1_020, &back(SYN | ACK, 500, 101, b""));
    cross(&mut summary, 1_040, &out(ACK, 101, 501, b""));
    let account = summary.connections().next().unwrap();
    assert_eq!(account.sent().round_trip, None);
    assert_eq!(account.sent().timeouts, 1);
    assert_eq!(account.handshake(), Some(Duration::from_millis(1_040)));
    assert_eq!(account.received().round_trip.unwrap().samples, 1);
}

#[test]
fn a_summary_counts_what_was_sent_again_once_and_tells_how_it_closed() {
    let summary = Rc::new(RefCell::new(Summary::<4>::new()));
    dialogue_with_a_loss(summary.clone());
    let summary = summary.borrow();
    let account = summary.connections().next().unwrap();
    assert_eq!(account.sent().retransmissions(), 1);
    assert_eq!(account.sent().timeouts, 1);
    assert_eq!(account.sent().octets, 3 + 3 + 5);
    assert_eq!(account.received().retransmissions(), 0);
    let first = account.initiator();
    assert_eq!(account.closing(), Closing::Finished { first });
}

#[test]
fn a_refusal_a_reset_a_half_close_and_a_time_out_are_told_apart() {
    let server: SocketAddr = "10.0.0.2:9999".parse().unwrap();
    let client: SocketAddr = "10.0.0.1:1000".parse().unwrap();
    let text = |summary: &Summary<4>| summary.to_string().lines().nth(1).unwrap().to_string();
    let closing = |summary: &Summary<4>| summary.connections().next().unwrap().closing();
    let opened = || {
        let mut summary = Summary::<4>::new();
        cross(&mut summary, 0, &out(SYN, 100, 0, b""));
        summary
    };
    let mut summary = opened();
    assert_eq!(closing(&summary), Closing::Open);
    cross(&mut summary, 20, &back(RST | ACK, 0, 101, b""));
    assert_eq!(closing(&summary), Closing::Reset { by: server });
    assert_eq!(
        text(&summary),
        "  no handshake, lasted 20.0 ms, refused by the responder"
    );

    let established = || {
        let mut summary = opened();
        cross(&mut summary, 20, &back(SYN | ACK, 500, 101, b""));
        cross(&mut summary, 40, &out(ACK, 101, 501, b""));
        summary
    };
    let mut summary = established();
    cross(&mut summary, 60, &out(RST | ACK, 101, 501, b""));
    assert_eq!(closing(&summary), Closing::Reset { by: client });
    assert_eq!(
        text(&summary),
        "  handshake 40.0 ms, lasted 60.0 ms, reset by the initiator"
    );

    let mut summary = established();
    cross(&mut summary, 60, &out(FIN | ACK, 101, 501, b""));
    cross(&mut summary, 80, &back(ACK, 501, 102, b""));
    assert_eq!(closing(&summary), Closing::HalfClosed { by: client });

    let mut summary = established();
    cross(&mut summary, 60, &out(ACK, 101, 501, b"anybody?"));
    let (from, to, cause) = (State::Established, State::Closed, Cause::Timer);
    Sink::event(
        &mut summary,
        CLIENT,
        &at(924_060, Happening::State { from, to, cause }),
    );
    assert_eq!(closing(&summary), Closing::TimedOut);
}

#[test]
fn a_summary_reads_a_capture_of_one_place_and_forgets_the_oldest() {
    let mut summary = Summary::<4>::new();
    for connection in 0..6 {
        for segment in [
            out(SYN, 100 * connection, 0, b""),
            back(SYN | ACK, 500, 100 * connection + 1, b""),
            out(ACK, 100 * connection + 1, 501, b"x"),
        ] {
            let octets = segment.emit(Medium::Ip, Side::Server);
            let time = Instant::from_secs(i64::from(connection));
            let segment = glasstack::trace::Segment::parse(time, Medium::Ip, &octets).unwrap();
            summary.segment(&segment);
        }
    }
    // The same ends, and each SYN with a number of its own is a new connection.
    assert_eq!(summary.forgotten(), 2);
    let numbers: Vec<_> = summary
        .connections()
        .map(|account| account.number())
        .collect();
    assert_eq!(numbers, [2, 3, 4, 5]);
    assert!(
        summary
            .connections()
            .all(|account| account.sent().octets == 1)
    );
    assert!(
        summary
            .to_string()
            .starts_with("2 older connections are forgotten\n")
    );
}

#[test]
fn a_summary_is_80_columns_wide_at_most() {
    let mut summary = Summary::<4>::new();
    let client = "[2001:db8:1111:2222:3333:4444:5555:6666]:60000";
    let server = "[2001:db8:aaaa:bbbb:cccc:dddd:eeee:ffff]:60001";
    let mut sequence = 100;
    let mut tell = |micros, from: &str, to: &str, flags, seq, ack, payload: &[u8]| {
        let segment = Segment::new(from, to, flags, seq, ack).with(payload);
        let octets = segment.emit(Medium::Ip, Side::Server);
        let time = Instant::from_micros(micros);
        let segment = glasstack::trace::Segment::parse(time, Medium::Ip, &octets).unwrap();
        summary.segment(&segment);
    };
    tell(0, client, server, SYN, 99, 0, b"");
    tell(300_000_000, server, client, SYN | ACK, 4, 100, b"");
    tell(600_000_000, client, server, ACK, 100, 5, b"");
    for i in 0..1_000 {
        tell(
            900_000_000 + i,
            client,
            server,
            ACK,
            sequence,
            5,
            &[0; 1_400],
        );
        sequence += 1_400;
    }
    tell(1_234_567_890, server, client, ACK, 5, sequence, b"");
    tell(1_234_567_890, server, client, FIN | ACK, 5, sequence, b"");
    tell(1_234_567_891, client, server, FIN | ACK, sequence, 6, b"");
    tell(1_234_567_892, server, client, ACK, 6, sequence + 1, b"");
    let text = summary.to_string();
    let widest = text.lines().map(|line| line.chars().count()).max().unwrap();
    assert!(widest <= 80, "{text}");
    assert!(text.contains(" 1,400,000 "), "{text}");
}

type Shared = Arc<Mutex<Capture>>;

/// A stack at the end of a wire.
struct End {
    stack: Stack<'static, At<Shared>>,
    device: WireEnd,
    interface: InterfaceId,
}

impl End {
    fn new(number: u8, mut device: WireEnd, events: &Shared) -> End {
        let observer = At(Station(number), events.clone());
        let mut stack = Stack::with_capacity(net::capacity(), [number; 16], observer);
        let interface = stack.add_interface(&mut device, None).unwrap();
        stack
            .add_address(interface, [10, 0, 0, number].into(), 24)
            .unwrap();
        End {
            stack,
            device,
            interface,
        }
    }
}

/// Two stacks on a wire with faults, all of which tell one capture.
struct World {
    ends: [End; 2],
    now: Instant,
}

impl World {
    fn new(faults: Faults, events: &Shared) -> World {
        let wire = Wire::new(Medium::Ip, 1_500);
        let (client, server) = wire.faulty_ends(faults.sink(events.clone())).unwrap();
        let ends = [End::new(1, client, events), End::new(2, server, events)];
        let now = Instant::ZERO;
        World { ends, now }
    }

    fn run_for(&mut self, time: Time) {
        let end = self.now + time;
        while self.now <= end {
            let mut next = end + Time::from_micros(1);
            for End {
                stack,
                device,
                interface,
            } in &mut self.ends
            {
                let at = stack.poll(*interface, self.now, device);
                next = next.min(at.unwrap_or(next));
            }
            let arrivals = self.ends.iter().filter_map(|end| end.device.next_arrival());
            self.now = arrivals.fold(next, Instant::min).max(self.now);
        }
        self.now = end;
        for end in &mut self.ends {
            end.stack.set_now(self.now);
        }
    }
}

/// The client sends ten segments' worth to the server, which sends a word back and closes; both are told of.
fn transfer(faults: Faults) -> Capture {
    let events = Shared::new(Mutex::new(Capture::new()));
    let mut world = World::new(faults, &events);
    let address = SERVER.parse().unwrap();
    let server = &mut world.ends[1].stack;
    let listener = server.socket(Domain::Inet, Type::Stream).unwrap();
    server.bind(listener, address).unwrap();
    server.listen(listener, 4).unwrap();
    let client = &mut world.ends[0].stack;
    let fd = client.socket(Domain::Inet, Type::Stream).unwrap();
    let _ = client.connect(fd, address);
    world.run_for(Time::from_secs(10));
    let (accepted, _) = world.ends[1].stack.accept(listener).unwrap();
    let mut buffer = [0; 8_192];
    let (mut sent, mut received) = (0, 0);
    while received < 14_000 {
        let rest = &[7; 14_000][sent..];
        sent += world.ends[0].stack.send(fd, rest).unwrap_or(0);
        world.run_for(Time::from_millis(100));
        received += world.ends[1].stack.recv(accepted, &mut buffer).unwrap_or(0);
    }
    world.ends[1].stack.send(accepted, b"thanks").unwrap();
    world.ends[1].stack.close(accepted).unwrap();
    world.run_for(Time::from_secs(10));
    assert_eq!(world.ends[0].stack.recv(fd, &mut buffer), Ok(6));
    world.ends[0].stack.close(fd).unwrap();
    world.run_for(Time::from_secs(60));
    drop(world);
    Arc::into_inner(events).unwrap().into_inner().unwrap()
}

fn slow() -> Conditions {
    Conditions::default().latency(Duration::from_millis(20))
}

#[test]
fn over_a_faultless_wire_nothing_is_sent_again_and_the_round_trip_is_the_wires() {
    let events = transfer(Faults::new(1).both(slow()));
    assert!(events.tcp().retransmissions() == 0);
    assert_eq!(events.tcp().causes().count(), 0);
    assert_eq!(events.at(Station::LINK).count(), 0);
    let mut summary = Summary::<4>::new();
    events.replay(&mut summary);
    let account = summary.connections().next().unwrap();
    assert_eq!(account.handshake(), Some(Duration::from_millis(40)));
    assert_eq!(account.sent().octets, 14_000);
    assert_eq!(account.received().octets, 6);
    let first = SERVER.parse().unwrap();
    assert_eq!(account.closing(), Closing::Finished { first });
    for way in [account.sent(), account.received()] {
        let round_trip = way.round_trip.unwrap();
        assert_eq!(round_trip.min, Duration::from_millis(40));
        // The other end holds its acknowledgments back for 10 ms.
        assert!(round_trip.max <= Duration::from_millis(50), "{summary}");
    }
}

#[test]
fn what_the_frames_show_is_what_the_stack_says_of_itself() {
    let faults = Faults::new(1).both(slow()).lose("data 2".parse().unwrap());
    let events = transfer(faults);
    assert!(events.tcp().drops(DropReason::InjectedLoss) == 1);
    assert!(events.tcp().retransmissions() >= 1, "{:?}", events.tcp());
    assert_eq!(
        events.at(Station(1)).causes().count(),
        events.at(Station(1)).tcp().sent().retransmissions()
    );
    let client = events.stream(0).segments().next().unwrap().0.source;
    use State::*;
    assert_eq!(
        events.walk(client),
        [Closed, SynSent, Established, CloseWait, LastAck, Closed]
    );
    let port_unknown = events.at(Station(1)).stream(0).states();
    assert_eq!(port_unknown, events.walk(client));
    assert_eq!(
        events.walk(SERVER.parse().unwrap()),
        [
            Listen,
            SynReceived,
            Established,
            FinWait1,
            FinWait2,
            TimeWait,
            Closed
        ]
    );
    let connects = |(call, _): &(Call, Outcome)| matches!(call, Call::Connect(_));
    assert_eq!(events.at(CLIENT).calls().filter(connects).count(), 1);
}

#[test]
fn a_peer_that_falls_silent_is_seen_to_be_tried_and_given_up() {
    let from = Instant::from_secs(5);
    let dead = slow().down(from, from + Time::from_secs(1_000));
    let events = Shared::new(Mutex::new(Capture::new()));
    let mut world = World::new(Faults::new(1).both(dead), &events);
    let address = SERVER.parse().unwrap();
    let server = &mut world.ends[1].stack;
    let listener = server.socket(Domain::Inet, Type::Stream).unwrap();
    server.bind(listener, address).unwrap();
    server.listen(listener, 4).unwrap();
    let client = &mut world.ends[0].stack;
    let fd = client.socket(Domain::Inet, Type::Stream).unwrap();
    let _ = client.connect(fd, address);
    let timeout = Some(Duration::from_secs(10));
    client.setsockopt(fd, UserTimeout, timeout).unwrap();
    world.run_for(Time::from_secs(6));
    world.ends[0].stack.send(fd, b"anybody?").unwrap();
    world.run_for(Time::from_secs(60));

    let events = events.lock().unwrap();
    let client = events.at(CLIENT).tcp();
    let silent = client.armed(Timer::Retransmission);
    let back_off = [1, 2, 4, 8].map(Duration::from_secs);
    assert!(silent.ends_with(&back_off), "{silent:?}");
    assert!(
        client
            .causes()
            .eq([1, 2, 3].map(RetransmissionCause::Timeout))
    );
    assert_eq!(client.retransmissions(), 3);
    assert_eq!(client.fired(Timer::User), 1);
    // The segment, and three times again.
    assert_eq!(events.tcp().drops(DropReason::LinkDown), 4);
    let mut summary = Summary::<4>::new();
    events.replay(&mut summary);
    let account = summary.connections().next().unwrap();
    assert_eq!(account.closing(), Closing::TimedOut);
    assert_eq!(account.sent().timeouts, 3);
}

/// Everything at once, from one seed.
fn weather(seed: u64) -> Capture {
    let reorder = Duration::from_millis(5);
    let conditions = slow()
        .jitter(Duration::from_millis(3))
        .loss(0.05)
        .duplicate(0.05)
        .reorder(0.05, reorder)
        .corrupt(0.02);
    transfer(Faults::new(seed).both(conditions))
}

/// Asks this very program, in a process of its own, for its digest.
const ASKED_FOR_DIGEST: &str = "GLASSTACK_TEST_DIGEST";

#[test]
fn one_seed_gives_the_same_octets_twice_and_in_another_process() {
    let once = weather(7);
    if std::env::var_os(ASKED_FOR_DIGEST).is_some() {
        println!("digest {:016x}", once.digest());
        return;
    }
    assert_eq!(once, weather(7));
    assert_ne!(once.digest(), weather(8).digest());
    let program = std::env::current_exe().unwrap();
    let name = "one_seed_gives_the_same_octets_twice_and_in_another_process";
    let output = std::process::Command::new(program)
        .args(["--exact", name, "--nocapture"])
        .env(ASKED_FOR_DIGEST, "1")
        .output()
        .unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    let digest = format!("digest {:016x}", once.digest());
    assert!(text.contains(&digest), "{text} has no {digest}");
}

#[test]
fn segments_of_any_content_and_time_are_taken_without_a_panic() {
    let mut summary = Summary::<4>::new();
    let mut capture = Capture::with_limits(20_000, 1 << 22);
    let mut state = 1_u64;
    let mut random = move || {
        // Knuth's generator.
        state = state
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        (state >> 33) as u32
    };
    for _ in 0..20_000 {
        let flags = [0, SYN, FIN, RST][random() as usize % 4] | [0, ACK][random() as usize % 2];
        let near = |number: u32| (number % 64).wrapping_sub(32);
        let (seq, ack) = (near(random()), near(random()));
        let len = random() as usize % 40;
        let segment = match random() % 2 {
            0 => out(flags, seq, ack, &[0; 40][..len]),
            _ => back(flags, seq, ack, &[0; 40][..len]),
        };
        let mut octets = segment.emit(Medium::Ip, Side::Server);
        if random() % 4 == 0 {
            let place = random() as usize % octets.len();
            octets[place] ^= 1 << (random() % 8);
        }
        let times = [i64::MIN, -1, 0, i64::from(random()), i64::MAX];
        let event = Event {
            time: Instant::from_micros(times[random() as usize % 5]),
            ..at(
                0,
                Happening::Frame {
                    direction: [Direction::In, Direction::Out][random() as usize % 2],
                    medium: Medium::Ip,
                    bytes: &octets,
                },
            )
        };
        let station = Station(random() as u8 % 3);
        Sink::event(&mut summary, station, &event);
        Sink::event(&mut capture, station, &event);
        let text = summary.to_string();
        let is_narrow = |line: &str| line.chars().count() <= 80;
        assert!(text.lines().all(is_narrow), "{text}");
    }
    assert_eq!(capture.len(), 20_000);
    assert_eq!(capture.to_string().lines().count(), 20_000);
}
