//! Segments that smoltcp would take wrongly, and what it would forget: each of these hung a connection or cut its data short
//! before the storms (`tests/storms`) found it.
#![cfg(all(feature = "std", feature = "ipv4", feature = "ipv6"))]
#![allow(clippy::unwrap_used, clippy::panic)] // it is a test

mod net;

use glasstack::smoltcp::phy::Medium;
use glasstack::smoltcp::time::{Duration, Instant};
use glasstack::stack::{Capacity, Shutdown};
use glasstack::{Error, Fd};
use net::segment::{ACK, FIN, Segment};
use net::{Net, SERVER, Side, capacity};

/// A client with a connection, whose peer from now on is the test.
struct Scene {
    net: Net,
    fd: Fd,
    /// What the peer sends next: its numbers, and the window.
    next: Segment,
    start: Instant,
}

impl Scene {
    fn new() -> Scene {
        Scene::with(capacity())
    }

    fn with(client: Capacity) -> Scene {
        let mut net = Net::with(Medium::Ip, client, capacity());
        let (fd, ..) = net.pair(SERVER);
        let last = net.segments(Side::Client).pop().unwrap();
        let mut next = Segment::new(SERVER, SERVER, ACK, last.ack, last.seq);
        (next.source, next.destination) = (last.destination, last.source);
        net.run_for(Duration::from_secs(1));
        net.cut();
        net.frames.clear();
        let start = net.now;
        Scene {
            net,
            fd,
            next,
            start,
        }
    }

    /// The peer sends an acknowledgment of so many octets, with this window.
    fn acknowledge(&mut self, octets: u32, window: u16) {
        self.next.ack = self.next.ack.wrapping_add(octets);
        self.next.window = window;
        self.inject(self.next.clone());
    }

    fn inject(&mut self, segment: Segment) {
        self.net.inject(Side::Client, &segment);
        self.net.run();
    }

    /// The peer has no more to send.
    fn finish(&mut self) {
        let mut fin = self.next.clone();
        fin.flags |= FIN;
        self.inject(fin);
        self.next.seq = self.next.seq.wrapping_add(1);
    }

    fn send(&mut self, octets: &[u8]) {
        assert_eq!(
            self.net.client.stack.send(self.fd, octets),
            Ok(octets.len())
        );
        self.net.run();
    }

    /// What the client has sent since: when, in milliseconds, how far behind what is acknowledged by now, and how many octets.
    fn sent(&mut self) -> Vec<(i64, i32, usize)> {
        let (start, ack) = (self.start, self.next.ack);
        let frames = std::mem::take(&mut self.net.frames);
        let sent = frames.iter().filter(|frame| frame.from == Side::Client);
        let sent = sent.filter_map(|frame| Some((frame.time, frame.segment()?)));
        let sent = sent.map(|(time, segment)| {
            let millis = (time - start).total_millis() as i64;
            let place = segment.seq.wrapping_sub(ack) as i32;
            (millis, place, segment.payload.len())
        });
        sent.collect()
    }
}

#[test]
fn a_fin_beyond_the_window_does_not_cut_its_data_short() {
    let mut scene = Scene::with(Capacity {
        receive_buffer: 100,
        ..capacity()
    });
    let data: Vec<u8> = (0..150).collect();
    let mut whole = scene.next.clone().with(&data);
    whole.flags |= FIN;
    scene.inject(whole);
    assert_eq!(scene.net.client.recv(scene.fd), Err(Error::WouldBlock));
    assert_eq!(scene.sent(), [(0, 0, 0)], "the peer is asked for it again");

    // As much as there is room for; then the rest with the FIN.
    scene.inject(scene.next.clone().with(&data[..100]));
    assert_eq!(scene.net.client.recv(scene.fd).unwrap(), data[..100]);
    scene.net.run();
    let mut rest = scene.next.clone().with(&data[100..]);
    rest.seq = rest.seq.wrapping_add(100);
    rest.flags |= FIN;
    scene.inject(rest);
    assert_eq!(scene.net.client.recv(scene.fd).unwrap(), data[100..]);
    assert_eq!(scene.net.client.recv(scene.fd), Ok(vec![]));
}

#[test]
fn a_fin_that_fills_the_window_is_taken() {
    for (receive_buffer, len) in [(100, 100), (65_536, 1_400), (65_536, 65_000)] {
        let mut scene = Scene::with(Capacity {
            receive_buffer,
            ..capacity()
        });
        let data = vec![7; len];
        let mut whole = scene.next.clone().with(&data);
        whole.flags |= FIN;
        scene.inject(whole);
        assert_eq!(scene.net.client.recv(scene.fd), Ok(data));
        assert_eq!(scene.net.client.recv(scene.fd), Ok(vec![]));
    }
}

#[test]
fn an_acknowledgment_beside_the_window_is_heard() {
    // Before it, and behind it: two ends that have gone back to send again, or that have sent all that they may.
    for beside in [-5, 100_000] {
        let mut scene = Scene::new();
        scene.send(b"hello, world");
        let due = scene.next.seq;
        scene.next.seq = due.wrapping_add_signed(beside);
        scene.acknowledge(12, 4_096);
        scene.net.run_for(Duration::from_secs(100));
        let sent = scene.sent();
        let repeats = sent.iter().filter(|(_, _, len)| *len > 0).count();
        assert_eq!(repeats, 1, "sent once: {sent:?}");
        assert_eq!(scene.net.client.deadline, None);
    }
}

#[test]
fn an_acknowledgment_from_nowhere_is_not_heard() {
    let mut scene = Scene::new();
    scene.send(b"hello, world");
    scene.next.seq = scene.next.seq.wrapping_sub(1 << 24);
    scene.acknowledge(12, 4_096);
    scene.net.run_for(Duration::from_secs(2));
    let repeats = scene.sent().iter().filter(|(_, _, len)| *len > 0).count();
    assert_eq!(repeats, 2);
}

#[test]
fn a_window_is_not_shut_by_an_acknowledgment_that_was_overtaken() {
    let mut scene = Scene::new();
    scene.acknowledge(0, 4_096);
    scene.send(b"hello, world");
    scene.acknowledge(0, 0);
    scene.net.run_for(Duration::from_secs(4));
    let sent = scene.sent();
    assert_eq!(sent, [(0, 0, 12), (1_000, 0, 12), (3_000, 0, 12)]);
}

#[test]
fn octets_under_way_are_probed_where_data_shut_the_window_over_them() {
    let mut scene = Scene::new();
    scene.acknowledge(0, 4_096);
    scene.send(b"hello, world");
    let mut shut = scene.next.clone().with(b"data");
    shut.window = 0;
    scene.inject(shut);
    scene.next.seq = scene.next.seq.wrapping_add(4);
    scene.net.run_for(Duration::from_secs(8));
    let sent = scene.sent();
    // The data, the acknowledgment of the peer's; the timeout finds the window shut; so it is probed from then on.
    let data: Vec<_> = sent.iter().filter(|(_, _, len)| *len > 0).collect();
    assert_eq!(data, [&(0, 0, 12), &(3_000, 0, 1), &(7_000, 0, 1)]);
    scene.acknowledge(0, 4_096);
    assert_eq!(scene.sent(), [(8_000, 0, 12)]);
}

#[test]
fn octets_under_way_are_sent_again_where_the_window_shut_and_opened_over_them() {
    let mut scene = Scene::new();
    scene.acknowledge(0, 100);
    scene.send(&[7; 100]);
    // The peer takes back what it has offered, and offers it again: the probes end, and nothing else begins.
    scene.acknowledge(50, 0);
    scene.sent();
    scene.acknowledge(0, 50);
    assert_eq!(scene.sent(), [(0, 0, 50)]);
    scene.net.run_for(Duration::from_secs(4));
    assert_eq!(scene.sent(), [(1_000, 0, 50), (3_000, 0, 50)]);
}

#[test]
fn repeated_acknowledgments_do_not_stop_the_timer_of_a_fin() {
    // The second is a peer whose own FIN is lost, too.
    for beyond in [0, 1] {
        let mut scene = Scene::new();
        let stack = &mut scene.net.client.stack;
        stack.shutdown(scene.fd, Shutdown::Write).unwrap();
        scene.net.run();
        scene.next.seq = scene.next.seq.wrapping_add(beyond);
        for _ in 0..5 {
            scene.acknowledge(0, 4_096);
        }
        scene.net.run_for(Duration::from_secs(4));
        assert_eq!(scene.sent(), [(0, 0, 0), (1_000, 0, 0), (3_000, 0, 0)]);
        scene.acknowledge(1, 4_096);
        scene.net.run_for(Duration::from_secs(100));
        assert_eq!(scene.sent(), []);
    }
}

#[test]
fn what_is_sent_again_keeps_to_a_window_that_is_smaller_than_a_segment() {
    let mut scene = Scene::new();
    scene.acknowledge(0, 100);
    scene.send(&[7; 1_000]);
    for _ in 0..5 {
        scene.acknowledge(0, 100);
    }
    scene.net.run_for(Duration::from_secs(2));
    assert_eq!(scene.sent(), [(0, 0, 100), (1_000, 0, 100)]);
}

#[test]
fn repeated_acknowledgments_with_a_large_window_still_mean_a_loss() {
    let mut scene = Scene::new();
    scene.acknowledge(0, 4_096);
    scene.send(&[7; 1_460]);
    for _ in 0..4 {
        scene.acknowledge(0, 4_096);
    }
    assert_eq!(scene.sent(), [(0, 0, 1_460), (0, 0, 1_460)]);
}

#[test]
fn what_was_received_can_be_read_after_time_wait() {
    let mut net = Net::new();
    let (client, accepted, listener) = net.pair(SERVER);
    net.client.stack.shutdown(client, Shutdown::Write).unwrap();
    net.run();
    let data: Vec<u8> = (0..3_000u32).map(|place| place as u8).collect();
    assert_eq!(net.server.stack.send(accepted, &data), Ok(data.len()));
    net.server.stack.close(accepted).unwrap();
    net.server.stack.close(listener).unwrap();
    net.run_for(Duration::from_secs(1_000));
    assert_eq!(net.server.stack.usage().connections, 0);
    assert_eq!(net.client.deadline, None, "nobody is woken for it");

    let mut received = vec![0; 1_000];
    assert_eq!(net.client.stack.recv(client, &mut received), Ok(1_000));
    assert!(received == data[..1_000]);
    net.run_for(Duration::from_secs(1_000));
    assert!(net.client.recv(client).unwrap() == data[1_000..]);
    net.run();
    assert_eq!(net.client.recv(client), Ok(vec![]));
    net.client.stack.close(client).unwrap();
    net.run();
    assert_eq!(net.client.stack.usage().connections, 0);
}

#[test]
fn a_window_that_opens_after_both_have_closed_is_heard() {
    let mut scene = Scene::new();
    scene.acknowledge(0, 4);
    scene.send(b"hello, world");
    scene.finish();
    scene.net.client.stack.close(scene.fd).unwrap();
    assert!(!scene.net.client.stack.is_drained());
    scene.sent();
    scene.acknowledge(4, 0);
    scene.acknowledge(0, 4_096);
    assert_eq!(scene.sent(), [(0, 0, 8)], "the rest, with the FIN");
    scene.acknowledge(9, 4_096);
    assert!(scene.net.client.stack.is_drained());
    assert_eq!(scene.net.client.stack.usage().connections, 0);
}

#[test]
fn what_does_not_fit_into_the_window_is_followed_by_its_fin() {
    let mut scene = Scene::new();
    scene.acknowledge(0, 4);
    scene.send(b"hello, world");
    scene.finish();
    let stack = &mut scene.net.client.stack;
    stack.shutdown(scene.fd, Shutdown::Write).unwrap();
    assert_eq!(stack.send(scene.fd, b"!"), Err(Error::BrokenPipe));
    let readiness = stack.readiness(scene.fd).unwrap();
    assert!(readiness.closed && readiness.writable);
    scene.sent();
    for _ in 0..3 {
        scene.acknowledge(4, 4);
    }
    assert_eq!(scene.sent(), [(0, -8, 4), (0, -4, 4), (0, 0, 0)]);
    scene.acknowledge(1, 4);
    assert_eq!(scene.net.client.recv(scene.fd), Ok(vec![]));
    scene.net.client.stack.close(scene.fd).unwrap();
    assert_eq!(scene.net.client.stack.usage().connections, 0);
}

#[test]
fn nobody_is_probed_in_vain_who_is_to_acknowledge_something() {
    let mut scene = Scene::new();
    let interval = Some(std::time::Duration::from_secs(1));
    scene.net.client.keep_alive(scene.fd, interval);
    scene.send(b"hello, world");
    // Nine intervals are over long before the timeouts of 1, 2, 4 and 8 seconds.
    scene.net.run_for(Duration::from_secs(16));
    let readiness = scene.net.client.stack.readiness(scene.fd).unwrap();
    assert!(!readiness.error);
    scene.acknowledge(12, 4_096);
    scene.net.run_for(Duration::from_secs(10));
    assert_eq!(scene.net.client.recv(scene.fd), Err(Error::TimedOut));
}

#[test]
fn who_sends_what_is_acknowledged_at_once_is_heard() {
    let mut scene = Scene::new();
    let interval = Some(std::time::Duration::from_secs(10));
    scene.net.client.keep_alive(scene.fd, interval);
    // What fills a part of a gap is acknowledged before anything else is done.
    let mut late = scene.next.clone().with(b"late");
    late.seq = late.seq.wrapping_add(80);
    scene.inject(late);
    for _ in 0..40 {
        scene.net.run_for(Duration::from_secs(5));
        scene.inject(scene.next.clone().with(b"ab"));
        scene.next.seq = scene.next.seq.wrapping_add(2);
    }
    let received = scene.net.client.recv(scene.fd);
    assert_eq!(received.map(|octets| octets.len()), Ok(84));
}
