//! Wakers: each transition that makes a call possible wakes who waits for it, once, and no wake-up is lost.
#![cfg(all(feature = "std", feature = "ipv4", feature = "ipv6"))]
// A step that fails fails its test.
#![allow(clippy::unwrap_used, clippy::panic)]

mod net;

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Wake, Waker};
use std::time::Duration;

use glasstack::smoltcp::time::Duration as Time;
use glasstack::stack::option::UserTimeout;
use glasstack::stack::{Domain, Interest, Shutdown, Type, Waiting};
use glasstack::{Error, Fd};
use net::segment::{ACK, RST};
use net::{Host, Net, PORT, SERVER, Side};

/// Counts how often it is woken.
#[derive(Default)]
struct Bell(AtomicUsize);

impl Wake for Bell {
    fn wake(self: Arc<Self>) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }
}

impl Bell {
    fn new() -> (Arc<Bell>, Waker) {
        let bell = Arc::new(Bell::default());
        (Arc::clone(&bell), Waker::from(bell))
    }

    fn rings(&self) -> usize {
        self.0.load(Ordering::Relaxed)
    }
}

/// Registers a bell that does not ring yet.
fn wait(host: &mut Host, fd: Fd, interest: Interest) -> Arc<Bell> {
    let (bell, waker) = Bell::new();
    host.stack.register_waker(fd, interest, &waker).unwrap();
    assert_eq!(bell.rings(), 0, "{interest:?} was possible already");
    bell
}

/// Registers a bell that rings at once.
fn is_ready(host: &mut Host, fd: Fd, interest: Interest) -> bool {
    let (bell, waker) = Bell::new();
    host.stack.register_waker(fd, interest, &waker).unwrap();
    bell.rings() == 1
}

fn address() -> SocketAddr {
    SERVER.parse().unwrap()
}

/// Fills the connection up until `send` would block.
fn fill(net: &mut Net, client: Fd) {
    while net.client.stack.send(client, &[7; 4_096]).is_ok() {
        net.run_for(Time::from_millis(100));
    }
}

#[test]
fn data_wakes_the_reader_once() {
    let mut net = Net::new();
    let (client, accepted, _) = net.pair(SERVER);
    let bell = wait(&mut net.server, accepted, Interest::Readable);
    net.run_for(Time::from_secs(1));
    assert_eq!(bell.rings(), 0);
    for _ in 0..3 {
        net.client.stack.send(client, b"hello").unwrap();
        net.run_for(Time::from_millis(50));
        assert_eq!(bell.rings(), 1);
    }
    // Who registers after the event hears of it at once, as long as it is not read.
    assert!(is_ready(&mut net.server, accepted, Interest::Readable));
    assert_eq!(net.server.recv(accepted).unwrap().len(), 15);
    let bell = wait(&mut net.server, accepted, Interest::Readable);
    net.client.stack.send(client, b"more").unwrap();
    net.run();
    assert_eq!(bell.rings(), 1);
}

#[test]
fn both_ends_of_a_conversation_never_miss_a_turn() {
    let mut net = Net::new();
    let (client, accepted, _) = net.pair(SERVER);
    for _ in 0..100 {
        let bell = wait(&mut net.server, accepted, Interest::Readable);
        net.client.stack.send(client, b"ping").unwrap();
        net.run_for(Time::from_millis(20));
        assert_eq!(bell.rings(), 1);
        net.server.recv(accepted).unwrap();
        let bell = wait(&mut net.client, client, Interest::Readable);
        net.server.stack.send(accepted, b"pong").unwrap();
        net.run_for(Time::from_millis(20));
        assert_eq!(bell.rings(), 1);
        net.client.recv(client).unwrap();
    }
}

#[test]
fn room_wakes_the_writer_once() {
    let mut net = Net::new();
    let (client, accepted, _) = net.pair(SERVER);
    assert!(is_ready(&mut net.client, client, Interest::Writable));
    fill(&mut net, client);
    let bell = wait(&mut net.client, client, Interest::Writable);
    net.run_for(Time::from_secs(1));
    assert_eq!(bell.rings(), 0);
    net.server.recv(accepted).unwrap();
    net.run_for(Time::from_secs(1));
    assert_eq!(bell.rings(), 1);
    assert!(net.client.stack.send(client, b"x").is_ok());
}

#[test]
fn a_bulk_transfer_driven_by_wakers_alone_arrives_whole() {
    const TOTAL: usize = 300_000;
    let mut net = Net::new();
    let (client, accepted, _) = net.pair(SERVER);
    let (mut sent, mut received) = (0, 0);
    let (writer, write_waker) = Bell::new();
    let (reader, read_waker) = Bell::new();
    let (mut writes_seen, mut reads_seen) = (0, 0);
    net.client
        .stack
        .register_waker(client, Interest::Writable, &write_waker)
        .unwrap();
    net.server
        .stack
        .register_waker(accepted, Interest::Readable, &read_waker)
        .unwrap();
    let end = net.now + Time::from_secs(600);
    while received < TOTAL {
        assert!(
            net.now < end,
            "a wake-up was lost: {sent} octets sent, {received} received"
        );
        if writer.rings() > writes_seen {
            writes_seen = writer.rings();
            while sent < TOTAL
                && let Ok(count) = net
                    .client
                    .stack
                    .send(client, &[7; 3_000][..3_000.min(TOTAL - sent)])
            {
                sent += count;
            }
            if sent < TOTAL {
                net.client
                    .stack
                    .register_waker(client, Interest::Writable, &write_waker)
                    .unwrap();
            }
        }
        if reader.rings() > reads_seen {
            reads_seen = reader.rings();
            while let Ok(data) = net.server.recv(accepted) {
                received += data.len();
            }
            net.server
                .stack
                .register_waker(accepted, Interest::Readable, &read_waker)
                .unwrap();
        }
        net.run_for(Time::from_millis(5));
    }
    assert_eq!((sent, received), (TOTAL, TOTAL));
}

#[test]
fn a_connection_wakes_the_listener() {
    let mut net = Net::new();
    let listener = net.server.listen(Domain::Inet, PORT, 4);
    let bell = wait(&mut net.server, listener, Interest::Readable);
    net.client.connect(SERVER);
    net.client.connect(SERVER);
    net.run();
    assert_eq!(bell.rings(), 1);
    for _ in 0..2 {
        assert!(is_ready(&mut net.server, listener, Interest::Readable));
        net.server.stack.accept(listener).unwrap();
    }
    let bell = wait(&mut net.server, listener, Interest::Readable);
    net.client.connect(SERVER);
    net.run();
    assert_eq!(bell.rings(), 1);
}

#[test]
fn a_half_open_connection_does_not_wake_the_listener() {
    let mut net = Net::new();
    let listener = net.server.listen(Domain::Inet, PORT, 4);
    let bell = wait(&mut net.server, listener, Interest::Readable);
    net.client.connect(SERVER);
    // The client's ACK is lost.
    net.lose(|frame| frame.segment().is_some_and(|segment| segment.flags == ACK));
    net.run();
    assert_eq!(bell.rings(), 0);
}

#[test]
fn the_end_of_connect_wakes_the_writer_however_it_ends() {
    let refused: fn(&mut Net) = |net| net.run();
    let timed_out: fn(&mut Net) = |net| {
        net.lose_segments();
        net.run_for(Time::from_secs(5));
    };
    let unreachable: fn(&mut Net) = |net| {
        net.cut();
        net.run_for(Time::from_secs(4));
    };
    let established: fn(&mut Net) = |net| {
        net.server.listen(Domain::Inet, PORT, 1);
        net.run();
    };
    let outcomes = [
        (refused, Err(Error::ConnectionRefused)),
        (timed_out, Err(Error::TimedOut)),
        (unreachable, Err(Error::HostUnreachable)),
        (established, Ok(())),
    ];
    for (event, outcome) in outcomes {
        let mut net = Net::new();
        let client = net.client.stack.socket(Domain::Inet, Type::Stream).unwrap();
        net.client
            .stack
            .setsockopt(client, UserTimeout, Some(Duration::from_secs(5)))
            .unwrap();
        assert_eq!(
            net.client.stack.connect(client, address()),
            Err(Error::WouldBlock)
        );
        let writer = wait(&mut net.client, client, Interest::Writable);
        let reader = wait(&mut net.client, client, Interest::Readable);
        event(&mut net);
        assert_eq!(writer.rings(), 1, "{outcome:?}");
        // Nothing to read follows from success; a failure is told to both.
        assert_eq!(reader.rings(), usize::from(outcome.is_err()), "{outcome:?}");
        assert!(is_ready(&mut net.client, client, Interest::Writable));
        assert_eq!(net.client.stack.connect(client, address()), outcome);
    }
}

#[test]
fn the_peers_fin_wakes_the_reader() {
    let mut net = Net::new();
    let (client, accepted, _) = net.pair(SERVER);
    let reader = wait(&mut net.server, accepted, Interest::Readable);
    net.client.stack.shutdown(client, Shutdown::Write).unwrap();
    net.run();
    assert_eq!(reader.rings(), 1);
    assert_eq!(net.server.recv(accepted), Ok(vec![]));
    // The end stays readable.
    assert!(is_ready(&mut net.server, accepted, Interest::Readable));
}

#[test]
fn a_fin_together_with_data_wakes_the_reader_for_both() {
    let mut net = Net::new();
    let (client, accepted, _) = net.pair(SERVER);
    let reader = wait(&mut net.server, accepted, Interest::Readable);
    net.client.stack.send(client, b"bye").unwrap();
    net.client.stack.close(client).unwrap();
    net.run();
    assert_eq!(reader.rings(), 1);
    assert_eq!(net.server.recv(accepted), Ok(b"bye".to_vec()));
    assert!(is_ready(&mut net.server, accepted, Interest::Readable));
    assert_eq!(net.server.recv(accepted), Ok(vec![]));
}

#[test]
fn a_reset_wakes_both_directions() {
    let mut net = Net::new();
    let (client, ..) = net.pair(SERVER);
    fill(&mut net, client);
    let reader = wait(&mut net.client, client, Interest::Readable);
    let writer = wait(&mut net.client, client, Interest::Writable);
    let last = net.segments(Side::Server).last().cloned().unwrap();
    let mut reset = last.clone();
    reset.flags = RST | ACK;
    net.inject(Side::Client, &reset);
    net.run();
    assert_eq!((reader.rings(), writer.rings()), (1, 1));
    assert_eq!(net.client.recv(client), Err(Error::ConnectionReset));
}

#[test]
fn a_time_out_wakes_both_directions() {
    let mut net = Net::new();
    let (client, ..) = net.pair(SERVER);
    net.client
        .stack
        .setsockopt(client, UserTimeout, Some(Duration::from_secs(5)))
        .unwrap();
    fill(&mut net, client);
    net.cut();
    let reader = wait(&mut net.client, client, Interest::Readable);
    let writer = wait(&mut net.client, client, Interest::Writable);
    net.run_for(Time::from_secs(20));
    assert_eq!((reader.rings(), writer.rings()), (1, 1));
    assert_eq!(net.client.stack.send(client, b"x"), Err(Error::TimedOut));
}

#[test]
fn closing_the_descriptor_wakes_whoever_waits_on_it() {
    let mut net = Net::new();
    let (client, _accepted, listener) = net.pair(SERVER);
    let connecting = net.client.connect("10.0.0.2:1");
    let datagram = net.client.datagram(Domain::Inet, 1);
    fill(&mut net, client);
    for fd in [client, connecting] {
        let reader = net
            .client
            .stack
            .readiness(fd)
            .unwrap()
            .readable
            .then_some(())
            .is_none();
        if reader {
            let bell = wait(&mut net.client, fd, Interest::Readable);
            net.client.stack.close(fd).unwrap();
            assert_eq!(bell.rings(), 1);
        }
    }
    let bell = wait(&mut net.client, datagram, Interest::Readable);
    net.client.stack.close(datagram).unwrap();
    assert_eq!(bell.rings(), 1);
    let bell = wait(&mut net.server, listener, Interest::Readable);
    net.server.stack.close(listener).unwrap();
    assert_eq!(bell.rings(), 1);
    let (_, waker) = Bell::new();
    let stale = net
        .server
        .stack
        .register_waker(listener, Interest::Readable, &waker);
    assert_eq!(stale, Err(Error::BadDescriptor));
}

#[test]
fn shutdown_wakes_whoever_waits_in_that_direction() {
    let mut net = Net::new();
    let (client, ..) = net.pair(SERVER);
    fill(&mut net, client);
    let reader = wait(&mut net.client, client, Interest::Readable);
    let writer = wait(&mut net.client, client, Interest::Writable);
    net.client.stack.shutdown(client, Shutdown::Read).unwrap();
    assert_eq!((reader.rings(), writer.rings()), (1, 0));
    net.client.stack.shutdown(client, Shutdown::Write).unwrap();
    assert_eq!(writer.rings(), 1);
    assert_eq!(net.client.stack.send(client, b"x"), Err(Error::BrokenPipe));
}

#[test]
fn a_datagram_wakes_the_reader_and_an_empty_one_too() {
    let mut net = Net::new();
    let server = net.server.datagram(Domain::Inet, PORT);
    let client = net.client.datagram(Domain::Inet, PORT);
    for text in ["hello", ""] {
        let bell = wait(&mut net.server, server, Interest::Readable);
        net.client
            .stack
            .sendto(client, text.as_bytes(), address())
            .unwrap();
        net.run();
        assert_eq!(bell.rings(), 1);
        assert_eq!(net.server.recv(server), Ok(text.as_bytes().to_vec()));
    }
}

#[test]
fn a_queue_of_datagrams_with_room_again_wakes_the_writer() {
    let mut net = Net::new();
    let client = net.client.datagram(Domain::Inet, PORT);
    assert!(is_ready(&mut net.client, client, Interest::Writable));
    while net.client.stack.sendto(client, b"x", address()).is_ok() {}
    let bell = wait(&mut net.client, client, Interest::Writable);
    net.run();
    assert_eq!(bell.rings(), 1);
    assert!(net.client.stack.sendto(client, b"x", address()).is_ok());
}

#[test]
fn a_datagram_that_did_not_fit_although_others_would_waits_for_room_and_is_woken() {
    let mut net = Net::new();
    let client = net.client.datagram(Domain::Inet, PORT);
    for _ in 0..2 {
        net.client
            .stack
            .sendto(client, &[7; 1_400], address())
            .unwrap();
    }
    // 4,096 octets of buffer: a third one does not fit in one piece.
    assert_eq!(
        net.client.stack.sendto(client, &[7; 1_400], address()),
        Err(Error::WouldBlock)
    );
    let bell = wait(&mut net.client, client, Interest::Writable);
    net.run();
    assert_eq!(bell.rings(), 1);
    assert!(
        net.client
            .stack
            .sendto(client, &[7; 1_400], address())
            .is_ok()
    );
}

#[test]
fn an_icmp_error_wakes_the_reader_of_a_connected_datagram_socket() {
    let mut net = Net::new();
    let client = net.client.datagram(Domain::Inet, PORT);
    net.client.stack.connect(client, address()).unwrap();
    net.client.stack.send(client, b"x").unwrap();
    let bell = wait(&mut net.client, client, Interest::Readable);
    net.run();
    assert_eq!(bell.rings(), 1);
    assert_eq!(net.client.recv(client), Err(Error::ConnectionRefused));
}

#[test]
fn any_number_of_wakers_wait_and_the_same_one_waits_once() {
    let mut net = Net::new();
    let (client, accepted, _) = net.pair(SERVER);
    let first = wait(&mut net.server, accepted, Interest::Readable);
    let (second, waker) = Bell::new();
    let stack = &mut net.server.stack;
    for _ in 0..3 {
        stack
            .register_waker(accepted, Interest::Readable, &waker)
            .unwrap();
    }
    assert_eq!((first.rings(), second.rings()), (0, 0));
    assert_eq!(stack.usage().wakers, 2);
    net.client.stack.send(client, b"hello").unwrap();
    net.run();
    assert_eq!((first.rings(), second.rings()), (1, 1));
    assert_eq!(net.server.stack.usage().wakers, 0);
}

#[test]
fn where_there_is_no_room_for_a_waker_another_is_woken_for_it() {
    let mut net = Net::new();
    let (_client, accepted, _) = net.pair(SERVER);
    // As many as `net::capacity` has room for.
    let bells: Vec<_> = (0..16)
        .map(|_| wait(&mut net.server, accepted, Interest::Readable))
        .collect();
    let late = wait(&mut net.server, accepted, Interest::Readable);
    let rings = |bells: &[Arc<Bell>]| bells.iter().map(|bell| bell.rings()).sum::<usize>();
    assert_eq!((rings(&bells), late.rings()), (1, 0));
    assert_eq!(net.server.stack.usage().wakers, 16);
}

#[test]
fn who_stops_waiting_is_not_woken_and_the_others_are() {
    let mut net = Net::new();
    let (client, accepted, _) = net.pair(SERVER);
    // The same task, twice: what one of its futures gives up is not the other's.
    let (bell, waker) = Bell::new();
    let (mut one, mut other) = (Waiting::default(), Waiting::default());
    let stack = &mut net.server.stack;
    for _ in 0..2 {
        for waiting in [&mut one, &mut other] {
            let waited = stack.wait(accepted, Interest::Readable, waiting, &waker);
            assert_eq!(waited, Ok(()));
        }
    }
    assert_eq!(stack.usage().wakers, 2);
    stack.stop_waiting(&mut one);
    stack.stop_waiting(&mut one);
    assert_eq!(stack.usage().wakers, 1);
    net.client.stack.send(client, b"hello").unwrap();
    net.run();
    assert_eq!(bell.rings(), 1);
    // Its place is gone: it takes nobody else's.
    let third = wait(&mut net.client, client, Interest::Readable);
    net.server.stack.stop_waiting(&mut other);
    net.server.stack.send(accepted, b"hello").unwrap();
    net.run();
    assert_eq!(third.rings(), 1);
}

#[test]
fn who_registered_stays_where_a_future_of_the_same_task_gives_up() {
    let mut net = Net::new();
    let (client, accepted, _) = net.pair(SERVER);
    let (bell, waker) = Bell::new();
    let mut waiting = Waiting::default();
    let stack = &mut net.server.stack;
    let waited = stack.wait(accepted, Interest::Readable, &mut waiting, &waker);
    assert_eq!(waited, Ok(()));
    let registered = stack.register_waker(accepted, Interest::Readable, &waker);
    assert_eq!(registered, Ok(()));
    stack.stop_waiting(&mut waiting);
    net.client.stack.send(client, b"hello").unwrap();
    net.run();
    assert_eq!(bell.rings(), 1);
}

#[test]
fn sleepers_wake_in_their_order_and_poll_says_when() {
    let mut net = Net::new();
    // By then the hosts have said which groups they are in.
    net.run_for(Time::from_secs(60));
    let stack = &mut net.client.stack;
    let (soon, late) = (net.now + Time::from_secs(1), net.now + Time::from_secs(2));
    let (first, first_waker) = Bell::new();
    let (second, second_waker) = Bell::new();
    let (mut one, mut other) = (Waiting::default(), Waiting::default());
    assert!(stack.wait_until(late, &mut other, &second_waker));
    assert!(stack.wait_until(soon, &mut one, &first_waker));
    net.run();
    assert_eq!(net.deadline(), Some(soon));
    net.run_until(soon);
    assert_eq!((first.rings(), second.rings()), (1, 0));
    assert_eq!(net.deadline(), Some(late));
    assert!(!net.client.stack.wait_until(soon, &mut one, &first_waker));
    net.client.stack.stop_waiting(&mut other);
    net.run_until(late);
    assert_eq!((first.rings(), second.rings()), (1, 0));
    assert_eq!(net.client.stack.usage().wakers, 0);
}

#[test]
fn the_directions_are_separate() {
    let mut net = Net::new();
    let (client, accepted, _) = net.pair(SERVER);
    fill(&mut net, client);
    let reader = wait(&mut net.client, client, Interest::Readable);
    let writer = wait(&mut net.client, client, Interest::Writable);
    net.server.stack.send(accepted, b"hello").unwrap();
    net.run();
    assert_eq!((reader.rings(), writer.rings()), (1, 0));
    net.server.recv(accepted).unwrap();
    net.run_for(Time::from_secs(1));
    assert_eq!((reader.rings(), writer.rings()), (1, 1));
}

#[test]
fn a_lookup_wakes_when_it_is_done_when_it_times_out_and_when_it_is_given_up() {
    let mut net = Net::new();
    net.client
        .stack
        .add_name_server("10.0.0.2".parse().unwrap())
        .unwrap();
    let (bell, waker) = Bell::new();
    let lookup = net.client.stack.resolve("192.0.2.1").unwrap();
    let mut waiting = Waiting::default();
    net.client
        .stack
        .wait_for_lookup(lookup, &mut waiting, &waker)
        .unwrap();
    assert_eq!(bell.rings(), 1);
    net.client.stack.resolved(lookup).unwrap();

    let lookup = net.client.stack.resolve("silent.example").unwrap();
    let (bell, waker) = Bell::new();
    let mut waiting = Waiting::default();
    net.client
        .stack
        .wait_for_lookup(lookup, &mut waiting, &waker)
        .unwrap();
    net.server.datagram(Domain::Inet, 53);
    net.run_for(Time::from_secs(5));
    assert_eq!(bell.rings(), 0);
    net.run_for(Time::from_secs(10));
    assert_eq!(bell.rings(), 1);
    assert_eq!(net.client.stack.resolved(lookup), Err(Error::TimedOut));

    let lookup = net.client.stack.resolve("silent.example").unwrap();
    let (first, waker) = Bell::new();
    let mut waiting = Waiting::default();
    net.client
        .stack
        .wait_for_lookup(lookup, &mut waiting, &waker)
        .unwrap();
    let (second, waker) = Bell::new();
    let mut waiting = Waiting::default();
    net.client
        .stack
        .wait_for_lookup(lookup, &mut waiting, &waker)
        .unwrap();
    assert_eq!((first.rings(), second.rings()), (0, 0));
    net.client.stack.cancel(lookup);
    assert_eq!((first.rings(), second.rings()), (1, 1));
    assert_eq!(
        net.client
            .stack
            .wait_for_lookup(lookup, &mut waiting, &waker),
        Err(Error::BadDescriptor)
    );
}
