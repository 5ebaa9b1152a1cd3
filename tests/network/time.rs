//! Time on a network's clock, and a pool of wakers that is too small.

use std::cell::RefCell;
use std::future::{pending, ready};
use std::rc::Rc;
use std::time::Duration;

use glasstack::Error;
use glasstack::smoltcp::time::Instant;
use glasstack::socket::{Clock, Network, TcpListener, TcpStream, UdpSocket, sleep, timeout};
use glasstack::stack::Capacity;

use super::world::{Executor, Net, World};

pub(crate) fn small() -> Capacity {
    Capacity {
        sockets: 16,
        connections: 8,
        datagrams: 4,
        receive_buffer: 1_024,
        send_buffer: 1_024,
        datagram_buffer: 4_096,
        datagram_packets: 8,
        pending_syns: 4,
        interfaces: 3,
        loopback_buffer: 4_500,
        reassemblies: 0,
        lookups: 2,
        wakers: 32,
    }
}

/// A network that nobody else is on.
fn alone() -> (World, Executor, Net) {
    let world = World::new();
    let (station, _) = world.pair(small(), small());
    let mut executor = Executor::new(&world);
    let mut runner = station.runner;
    executor.spawn("driver", async move {
        let _ = runner.run().await;
    });
    (world, executor, station.net)
}

type Log = Rc<RefCell<Vec<(&'static str, Instant)>>>;

#[test]
fn sleepers_wake_at_their_times_and_no_others() {
    let (world, mut executor, net) = alone();
    let log = Log::default();
    let naps = [
        ("never", Duration::MAX),
        ("late", Duration::from_secs(7)),
        ("now", Duration::ZERO),
    ];
    for (name, nap) in naps {
        let (net, log, world) = (net.clone(), log.clone(), world.clone());
        executor.spawn(name, async move {
            sleep(&net, nap).await.unwrap();
            log.borrow_mut().push((name, world.now()));
        });
    }
    executor.settle();
    assert_eq!(*log.borrow(), [("now", Instant::ZERO)]);
    assert_eq!(executor.polls("now"), 1, "what is over is not waited for");
    // After the seven seconds there is no time to wait for: "never" is none.
    while executor.advance(None) {
        executor.settle();
    }
    assert_eq!(world.now(), Instant::from_secs(7));
    assert_eq!(log.borrow()[1..], [("late", Instant::from_secs(7))]);
    assert_eq!((executor.polls("late"), executor.polls("never")), (2, 1));
    executor.abort("never");
    executor.abort("driver");
    assert_eq!(net.call(|stack| Ok(stack.usage().wakers)), Ok(0));
}

#[test]
fn a_timeout_gives_what_comes_in_time_and_drops_what_does_not() {
    let (world, mut executor, net) = alone();
    let second = Duration::from_secs(1);
    executor.spawn("client", async move {
        // What is ready is ready, however short the time.
        assert_eq!(timeout(&net, Duration::ZERO, ready(7)).await, Ok(7));
        assert_eq!(
            timeout(&net, Duration::ZERO, pending::<()>()).await,
            Err(Error::TimedOut)
        );
        assert_eq!(
            timeout(&net, Duration::MAX, sleep(&net, second)).await,
            Ok(Ok(()))
        );
        assert_eq!(world.now(), Instant::from_secs(1));
        // Both at once: the future's.
        assert_eq!(timeout(&net, second, sleep(&net, second)).await, Ok(Ok(())));
        let late = sleep(&net, 2 * second);
        assert_eq!(timeout(&net, second, late).await, Err(Error::TimedOut));
        assert_eq!(world.now(), Instant::from_secs(3));
        // The time is counted from the call, whenever it is awaited.
        let late = timeout(&net, second, pending::<()>());
        sleep(&net, second).await.unwrap();
        assert_eq!(late.await, Err(Error::TimedOut));
        assert_eq!(world.now(), Instant::from_secs(4));
        // What it dropped waits no longer; the driver does.
        assert_eq!(net.call(|stack| Ok(stack.usage().wakers)), Ok(1));
        // A receive that was given up has taken nothing.
        let address = "127.0.0.1:9999".parse().unwrap();
        let socket = UdpSocket::bind(net.clone(), address).unwrap();
        let mut buffer = [0; 8];
        let received = timeout(&net, second, socket.recv_from(&mut buffer)).await;
        assert_eq!(received, Err(Error::TimedOut));
        socket.send_to(b"hello", address).await.unwrap();
        let received = timeout(&net, second, socket.recv_from(&mut buffer)).await;
        assert_eq!(received.unwrap().unwrap().len, 5);
    });
    while !executor.is_done("client") {
        executor.settle();
        assert!(
            executor.is_done("client") || executor.advance(None),
            "nobody wakes it"
        );
    }
}

#[test]
fn with_too_few_places_for_wakers_all_come_to_their_end() {
    const CLIENTS: usize = 6;
    for wakers in 1..=4 {
        let world = World::new();
        let few = Capacity { wakers, ..small() };
        let (client, server) = world.pair(few.clone(), few);
        let mut executor = Executor::new(&world);
        let (near, far) = (client.net.clone(), server.net.clone());
        for mut runner in [client.runner, server.runner] {
            executor.spawn("driver", async move {
                let _ = runner.run().await;
            });
        }
        let address = "10.0.0.2:9999".parse().unwrap();
        let listener = Rc::new(TcpListener::bind(far.clone(), address, 8).unwrap());
        for _ in 0..CLIENTS {
            let listener = listener.clone();
            executor.spawn("task", async move {
                let (stream, _) = listener.accept().await.unwrap();
                let mut buffer = [0; 3_000];
                stream.read_exact(&mut buffer).await.unwrap();
                stream.write_all(&buffer).await.unwrap();
            });
            let near = near.clone();
            executor.spawn("task", async move {
                let stream = TcpStream::connect(near, address).await.unwrap();
                stream.write_all(&[7; 3_000]).await.unwrap();
                stream.read_exact(&mut [0; 3_000]).await.unwrap();
            });
        }
        drop(listener);
        executor.finish("task");
        executor.abort("driver");
        for net in [&near, &far] {
            assert_eq!(net.call(|stack| Ok(stack.usage().wakers)), Ok(0));
        }
        assert_eq!(executor.leaked_wakers(), 0);
    }
}
