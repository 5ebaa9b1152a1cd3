//! Without an executor: threads that sleep in `poll(2)`, and a main loop that sleeps until an interrupt.

use super::*;
use embassy_futures::join::{join, join_array};
use glasstack::Error;
use glasstack::device::{Wire, WireEnd};
use glasstack::host::{self, Parker};
use glasstack::socket::{Interrupts, Local, UdpSocket, block_on, sleep, timeout};
use glasstack::stack::Storage;
use std::cell::Cell;
use std::sync::Arc;

const VISITORS: usize = 10;

/// A host in a thread of its own: the server, or ten clients.
fn run(number: u8, mut end: WireEnd, life: &Life) -> Usage {
    let (stack, link) = stack(Capacity::default(), number, &mut end);
    let network = Local::new(stack, || life.time(host::now()));
    let parker = Parker::new().unwrap();
    let program = async {
        if number == SERVER {
            let listener = TcpListener::bind(&network, server_address(), VISITORS).unwrap();
            life.listening.wait().await;
            serve(listener, VISITORS).await.unwrap();
        } else {
            life.listening.wait().await;
            let visitors = [(); VISITORS].map(|()| visit(&network, server_address(), 10_000));
            let visited = join_array(visitors).await;
            visited.into_iter().for_each(Result::unwrap);
        }
        life.over.wait().await;
    };
    let runner = Runner::new(&network, link, end, &parker);
    let (usage, ()) = block_on(&parker, join(live(&network, runner, life), program));
    usage.unwrap()
}

#[test]
fn two_threads_with_a_host_each() {
    let life = Arc::new(Life::new(2));
    let (left, right) = Wire::pair(Medium::Ethernet, 1514);
    let start = |number, end| {
        let life = Arc::clone(&life);
        thread::spawn(move || within_time(move || run(number, end, &life)))
    };
    for host in [start(CLIENT, left), start(SERVER, right)] {
        assert_eq!(host.join().unwrap(), NOTHING);
    }
}

/// Hours pass, and nobody waits for them; nothing wakes but a counter.
#[test]
fn a_main_loop_that_sleeps_until_its_timer_interrupts() {
    let time = Cell::new(Instant::ZERO);
    let interrupts = Interrupts::new(|until, is_woken: &dyn Fn() -> bool| {
        if !is_woken() {
            time.set(until.expect("somebody waits for a time"));
        }
    });
    let mut storage = Storage::<7, 5, 1, 512, 1, 5, 1500>::new();
    let network = Local::new(Stack::new(&mut storage, [7; 16], ()), || time.get());
    let server = "127.0.0.1:9999".parse().unwrap();
    let program = async {
        let listener = TcpListener::bind(&network, server, 2)?;
        let visits = async {
            visit(&network, server, 2_000).await?;
            sleep(&network, Duration::from_secs(3_600)).await?;
            visit(&network, server, 2_000).await
        };
        let (served, visited) = join(serve(listener, 2), visits).await;
        served.and(visited)?;

        // Nobody sends anything.
        let start = time.get();
        let socket = UdpSocket::bind(&network, "127.0.0.1:9999".parse().unwrap())?;
        let mut buffer = [0; 8];
        let wait = socket.recv_from(&mut buffer);
        let result = timeout(&network, Duration::from_secs(30), wait).await;
        assert!(matches!(result, Err(Error::TimedOut)));
        assert_eq!(time.get() - start, Span::from_secs(30));
        Result::Ok(())
    };
    let mut runner = Runner::loopback(&network, &interrupts);
    block_on(&interrupts, runner.run_until(program))
        .unwrap()
        .unwrap();
    assert_eq!(network.into_inner().usage(), NOTHING);
}
