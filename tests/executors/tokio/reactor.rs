//! A runner that waits by tokio's epoll and timers: it misses no frame, and does nothing where there is nothing to do.

#[path = "../../unplugged/mod.rs"]
mod unplugged;

use super::super::*;
use ::tokio::runtime::Builder;
use glasstack::device::{Conditions, Faults, Faulty, Wire, WireEnd};
use glasstack::host;
use glasstack::smoltcp::phy::DeviceCapabilities;
use glasstack::socket::tokio::Reactor;
use glasstack::socket::{Local, Locked, UdpSocket, sleep};
use std::io;
use std::os::fd::{AsFd, BorrowedFd};
use std::sync::Arc;
use std::sync::atomic::AtomicUsize;
use std::task::{Context, Poll};
use unplugged::{Unplugged, gone};

/// Counts how often a runner waits: once a turn.
struct Counted<W>(W, Arc<AtomicUsize>);

impl<D, W: Wait<D>> Wait<D> for Counted<W> {
    fn poll_wait(
        &mut self,
        device: &mut D,
        until: Option<Instant>,
        context: &mut Context<'_>,
    ) -> Poll<()> {
        self.1.fetch_add(1, Ordering::Relaxed);
        self.0.poll_wait(device, until, context)
    }
}

/// A hundred kilobytes there and back, and then a second in which nothing happens.
fn echo_over<D: Device + AsFd>(mut left: D, mut right: D) {
    let life = Life::new(1);
    let turns = Arc::new(AtomicUsize::new(0));
    let (client, client_link) = stack(Capacity::default(), CLIENT, &mut left);
    let (server, server_link) = stack(Capacity::default(), SERVER, &mut right);
    let clock = || life.time(host::now());
    let (client, server) = (Local::new(client, clock), Local::new(server, clock));
    let program = async {
        let reactor = || Counted(Reactor::new().unwrap(), Arc::clone(&turns));
        let left = Runner::new(&client, client_link, left, reactor());
        let right = Runner::new(&server, server_link, right, reactor());
        let listener = TcpListener::bind(&server, server_address(), 1).unwrap();
        let program = async {
            let visit = visit(&client, server_address(), 100_000);
            ::tokio::try_join!(serve(listener, 1), visit).unwrap();
            let before = turns.load(Ordering::Relaxed);
            ::tokio::time::sleep(Duration::from_secs(1)).await;
            // A timer or two; what spins goes round by the thousands.
            let idle = turns.load(Ordering::Relaxed) - before;
            assert!(idle < 50, "{idle} turns for nothing");
            life.over.wait().await;
        };
        let lives = (live(&client, left, &life), live(&server, right, &life));
        let (left, right, ()) = ::tokio::join!(lives.0, lives.1, program);
        assert_eq!((left.unwrap(), right.unwrap()), (NOTHING, NOTHING));
    };
    let runtime = Builder::new_current_thread().enable_all().build().unwrap();
    let in_time = async { ::tokio::time::timeout(LONG, program).await };
    runtime.block_on(in_time).unwrap();
}

fn slow() -> Faults {
    let conditions = Conditions::default()
        .latency(Duration::from_millis(3))
        .jitter(Duration::from_millis(1));
    Faults::new(1).both(conditions)
}

#[test]
fn frames_that_are_under_way_for_a_while() {
    // Its descriptor is a timer's.
    let wire = Wire::new(Medium::Ethernet, 1514).queue(8_192);
    let (left, right) = wire.faulty_ends(slow()).unwrap();
    echo_over(left, right);
}

#[test]
fn a_faulty_link_before_a_device() {
    // Its descriptor is an epoll's, of a timer and of the device.
    let (left, right) = Wire::pair(Medium::Ethernet, 1514);
    let faulty = |end| Faulty::new(end, slow()).unwrap();
    echo_over(faulty(left), faulty(right));
}

/// A device that gives a frame at a time, and "nothing" after each.
struct Halting {
    wire: WireEnd,
    has_given: bool,
}

impl AsFd for Halting {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.wire.as_fd()
    }
}

impl Device for Halting {
    type RxToken<'a> = <WireEnd as Device>::RxToken<'a>;
    type TxToken<'a> = <WireEnd as Device>::TxToken<'a>;

    fn receive(&mut self, now: Instant) -> Option<(Self::RxToken<'_>, Self::TxToken<'_>)> {
        self.has_given = !self.has_given;
        let given = self.has_given.then(|| self.wire.receive(now));
        given.flatten()
    }

    fn transmit(&mut self, now: Instant) -> Option<Self::TxToken<'_>> {
        self.wire.transmit(now)
    }

    fn capabilities(&self) -> DeviceCapabilities {
        self.wire.capabilities()
    }
}

/// epoll tells of the first frame alone (EPOLLET); the others are found all the same.
#[test]
fn what_the_device_still_has_is_asked_for() {
    let (mut left, right) = Wire::pair(Medium::Ip, 1500);
    let mut right = Halting {
        wire: right,
        has_given: false,
    };
    let (client, client_link) = stack(Capacity::default(), CLIENT, &mut left);
    let (server, server_link) = stack(Capacity::default(), SERVER, &mut right);
    let client = Local::new(client, host::now);
    let server = Arc::new(Locked::new(server, host::now));
    let program = async {
        let socket = UdpSocket::bind(&server, server_address()).unwrap();
        let reactor = Reactor::new().unwrap();
        let mut right = Runner::new(Arc::clone(&server), server_link, right, reactor);
        // Nobody drives the client any more when the server begins to look.
        let mut left = Runner::new(&client, client_link, left, Reactor::new().unwrap());
        let send = async {
            let socket = UdpSocket::bind(&client, "10.0.0.1:0".parse().unwrap())?;
            for number in 0..10 {
                socket.send_to(&[number], server_address()).await?;
            }
            Result::Ok(())
        };
        left.run_until(send).await.unwrap().unwrap();
        left.drain().await.unwrap();
        // A task of its own, lest what comes for the socket wake it, too.
        let driver = ::tokio::spawn(async move { right.run().await });
        for number in 0..10 {
            let mut datagram = [0];
            socket.recv_from(&mut datagram).await.unwrap();
            assert_eq!(datagram, [number]);
        }
        driver.abort();
    };
    let runtime = Builder::new_current_thread().enable_all().build().unwrap();
    let in_time = async { ::tokio::time::timeout(LONG, program).await };
    runtime.block_on(in_time).unwrap();
}

#[test]
fn a_device_that_is_gone_costs_nothing() {
    let (ends, _other) = gone();
    let runtime = Builder::new_current_thread().enable_all().build().unwrap();
    for end in ends {
        let mut stack = Stack::with_capacity(Capacity::default(), [7; 16], ());
        let mut device = Unplugged(end);
        let link = stack.add_interface(&mut device, None);
        let network = Local::new(stack, host::now);
        let turns = Arc::new(AtomicUsize::new(0));
        runtime.block_on(async {
            let reactor = Counted(Reactor::new().unwrap(), Arc::clone(&turns));
            let mut runner = Runner::new(&network, link.unwrap(), device, reactor);
            // The host itself goes on.
            let server = "127.0.0.1:9999".parse().unwrap();
            let listener = TcpListener::bind(&network, server, 1).unwrap();
            let program = async {
                ::tokio::try_join!(serve(listener, 1), visit(&network, server, 1_000)).unwrap();
                let before = turns.load(Ordering::Relaxed);
                sleep(&network, Duration::from_millis(500)).await.unwrap();
                turns.load(Ordering::Relaxed) - before
            };
            let idle = runner.run_until(program).await.unwrap();
            assert!(idle < 20, "{idle} turns for nothing");
        });
    }
}

#[test]
fn a_reactor_needs_a_runtime() {
    let error = Reactor::new().map(drop).unwrap_err();
    assert_eq!(error.kind(), io::ErrorKind::Other);
}
