//! Who drives a network: one runner for each interface, for as long as it lives; and none of them turns without need.

use std::cell::{Cell, RefCell};
use std::net::SocketAddr;
use std::rc::Rc;
use std::time::Duration;

use glasstack::Stack;
use glasstack::socket::{Local, Network, Runner, TcpListener, TcpStream, sleep};

use super::time::small;
use super::world::{Driver, Executor, Net, World, join};

/// A host with a wire to each of two others: 10.0.0.1 and 10.0.1.1, 10.0.0.2 and 10.0.1.2.
struct Middle {
    world: World,
    executor: Executor,
    net: Net,
    runners: [Driver; 2],
    turns: [Rc<Cell<usize>>; 2],
    others: [Net; 2],
}

fn middle() -> Middle {
    let world = World::new();
    let mut executor = Executor::new(&world);
    let mut stack = Stack::with_capacity(small(), [1; 16], ());
    let mut links = Vec::new();
    let mut others = Vec::new();
    for subnet in 0..2 {
        let (mut here, mut there) = world.link();
        let interface = join(&mut stack, &mut here, [10, 0, subnet, 1]);
        links.push((interface, here));
        let mut other = Stack::with_capacity(small(), [2; 16], ());
        let interface = join(&mut other, &mut there, [10, 0, subnet, 2]);
        let net = Rc::new(Local::new(other, world.clone()));
        let mut runner = Runner::new(net.clone(), interface, there, world.turnstile());
        others.push(net);
        executor.spawn("other", async move {
            let _ = runner.run().await;
        });
    }
    let net = Rc::new(Local::new(stack, world.clone()));
    let turns = [0, 1].map(|index: usize| links[index].1.turns.clone());
    let runners: Vec<_> = links
        .into_iter()
        .map(|(interface, end)| Runner::new(net.clone(), interface, end, world.turnstile()))
        .collect();
    Middle {
        world,
        executor,
        net,
        runners: runners.try_into().ok().unwrap(),
        turns,
        others: others.try_into().ok().unwrap(),
    }
}

fn at(subnet: u8) -> SocketAddr {
    SocketAddr::from(([10, 0, subnet, 2], 9999))
}

/// Answers each octet with the next.
async fn serve(net: Net, address: SocketAddr) {
    let listener = TcpListener::bind(net, address, 1).unwrap();
    let (stream, _) = listener.accept().await.unwrap();
    let mut octet = [0];
    while stream.read(&mut octet).await.unwrap() == 1 {
        stream.write_all(&[octet[0] + 1]).await.unwrap();
    }
}

async fn ask(net: Net, address: SocketAddr, count: u8) -> TcpStream<Net> {
    let stream = TcpStream::connect(net, address).await.unwrap();
    for octet in 0..count {
        let mut answer = [0];
        stream.write_all(&[octet]).await.unwrap();
        stream.read_exact(&mut answer).await.unwrap();
        assert_eq!(answer, [octet + 1]);
    }
    stream
}

#[test]
fn a_connection_on_each_of_two_wires_goes_on_at_its_pace() {
    const COUNT: u8 = 20;
    let mut middle = middle();
    for mut runner in middle.runners {
        middle.executor.spawn("driver", async move {
            let _ = runner.run().await;
        });
    }
    let streams = Rc::new(RefCell::new(Vec::new()));
    for (subnet, other) in (0..).zip(&middle.others) {
        middle
            .executor
            .spawn("server", serve(other.clone(), at(subnet)));
        let (net, streams) = (middle.net.clone(), streams.clone());
        middle.executor.spawn("client", async move {
            let stream = ask(net, at(subnet), COUNT).await;
            streams.borrow_mut().push(stream);
        });
    }
    middle.executor.finish("client");
    for turns in &middle.turns {
        // A question leaves, an answer comes: twice a turn each, and as many for the other's timers.
        let turns = turns.get();
        assert!(turns <= usize::from(COUNT) * 4 + 10, "{turns} turns");
    }
    // Idle, both are: once the last acknowledgments have left.
    middle.executor.pass(Duration::from_secs(10));
    let before = middle.turns.clone().map(|turns| turns.get());
    middle.executor.pass(Duration::from_secs(3_600));
    assert_eq!(middle.turns.map(|turns| turns.get()), before);
    assert_eq!(streams.borrow().len(), 2);
}

#[test]
fn a_runner_does_not_turn_for_an_interface_that_nobody_drives() {
    let mut middle = middle();
    let [mut first, mut second] = middle.runners;
    middle.executor.spawn("driver", async move {
        let _ = first.run().await;
    });
    middle
        .executor
        .spawn("server", serve(middle.others[0].clone(), at(0)));
    middle
        .executor
        .spawn("server", serve(middle.others[1].clone(), at(1)));
    // Its SYN cannot leave.
    middle.executor.spawn("stuck", {
        let net = middle.net.clone();
        async move { drop(ask(net, at(1), 1).await) }
    });
    middle.executor.pass(Duration::from_secs(5));
    let turns = middle.turns[0].get();
    assert!(turns < 10, "{turns} turns");
    // The other one is none the worse for it.
    let net = middle.net.clone();
    middle
        .executor
        .spawn("client", async move { drop(ask(net, at(0), 3).await) });
    middle.executor.finish("client");
    // Once somebody does, it can.
    middle.executor.spawn("driver", async move {
        let _ = second.run().await;
    });
    middle.executor.finish("stuck");
}

#[test]
fn a_call_and_a_frame_cost_one_turn_each() {
    let world = World::new();
    let (client, server) = world.pair(small(), small());
    let mut executor = Executor::new(&world);
    for mut runner in [client.runner, server.runner] {
        executor.spawn("driver", async move {
            let _ = runner.run().await;
        });
    }
    let listener = TcpListener::bind(server.net.clone(), at(0), 1).unwrap();
    let accepted = Rc::new(RefCell::new(None));
    let (near, place) = (client.net.clone(), accepted.clone());
    executor.spawn("client", async move {
        let stream = TcpStream::connect(near.clone(), at(0)).await.unwrap();
        *place.borrow_mut() = Some(listener.accept().await.unwrap());
        sleep(&near, Duration::from_secs(5)).await.unwrap();
        stream.write_all(b"1").await.unwrap();
        std::future::pending().await
    });
    executor.pass(Duration::from_millis(4_990));
    let turns = || (client.turns.get(), server.turns.get());
    let before = turns();
    executor.pass(Duration::from_millis(12));
    // The time comes and the segment leaves; it arrives.
    let (near, far) = turns();
    assert_eq!((near - before.0, far - before.1), (2, 1));
    executor.pass(Duration::from_millis(100));
    // The delayed acknowledgment leaves; it arrives.
    assert_eq!(turns(), (near + 1, far + 1));
}

#[test]
fn a_runner_that_is_dropped_is_followed_by_another_on_the_same_interface() {
    let mut middle = middle();
    let [first, second] = middle.runners;
    drop(second);
    let net = middle.net.clone();
    let listener = TcpListener::bind(middle.others[0].clone(), at(0), 1).unwrap();
    let connecting = async move {
        let client = TcpStream::connect(net, at(0)).await.unwrap();
        (client, listener.accept().await.unwrap().0)
    };
    // The program and its driver in one task: both end with it.
    let streams = Rc::new(RefCell::new(None));
    let place = streams.clone();
    let runner = Rc::new(RefCell::new(Some(first)));
    let driver = runner.clone();
    middle.executor.spawn("program", async move {
        let mut first = driver.borrow_mut().take().unwrap();
        *place.borrow_mut() = Some(first.run_until(connecting).await.unwrap());
        *driver.borrow_mut() = Some(first);
    });
    middle.executor.finish("program");
    let (client, server) = streams.take().unwrap();
    assert_eq!(middle.net.call(|stack| Ok(stack.usage().wakers)), Ok(0));

    let mut first = runner.take().unwrap();
    middle.executor.spawn("writer", async move {
        client.write_all(b"hello").await.unwrap();
    });
    middle.executor.settle();
    middle.executor.spawn("driver", async move {
        let _ = first.run().await;
    });
    let net = middle.net.clone();
    middle.executor.spawn("reader", async move {
        let mut buffer = [0; 5];
        server.read_exact(&mut buffer).await.unwrap();
        assert_eq!(&buffer, b"hello");
        assert_eq!(server.read(&mut buffer).await, Ok(0));
        drop(net);
    });
    middle.executor.finish("reader");
}

#[test]
fn a_loopback_is_driven_without_a_device() {
    let world = World::new();
    let mut executor = Executor::new(&world);
    let net = Rc::new(Local::new(
        Stack::with_capacity(small(), [1; 16], ()),
        world.clone(),
    ));
    let mut runner = Runner::loopback(net.clone(), world.turnstile());
    let address = SocketAddr::from(([127, 0, 0, 1], 9999));
    executor.spawn("server", serve(net.clone(), address));
    let client = net.clone();
    executor.spawn("client", async move {
        runner
            .run_until(ask(client, address, 100))
            .await
            .unwrap()
            .shutdown(glasstack::socket::Shutdown::Both)
            .unwrap();
        runner.drain().await.unwrap();
    });
    executor.finish("client");
    let polls = executor.polls("client");
    assert!(polls < 500, "{polls} polls for a hundred questions");
    executor.abort("server");
    let usage = net.call(|stack| Ok(stack.usage())).unwrap();
    assert_eq!((usage.sockets, usage.wakers), (0, 0));
}

#[test]
fn who_drains_hears_of_what_another_runner_sent_the_last_of() {
    let mut middle = middle();
    middle.executor.spawn("server", async move {
        let listener = TcpListener::bind(middle.others[0].clone(), at(0), 1).unwrap();
        let (stream, _) = listener.accept().await.unwrap();
        assert_eq!(stream.read(&mut [0]).await, Ok(0));
        // It does not close: the last that comes is the acknowledgment of the FIN.
        std::future::pending().await
    });
    let [mut first, mut second] = middle.runners;
    let (net, world) = (middle.net.clone(), middle.world.clone());
    middle.executor.spawn("client", async move {
        // One drives the other's draining: all in one task.
        let program = async {
            drop(TcpStream::connect(net.clone(), at(0)).await.unwrap());
            second.drain().await.unwrap();
        };
        first.run_until(program).await.unwrap();
        // No timer had to help it out.
        use glasstack::socket::Clock;
        let now = world.now();
        assert!(now.total_millis() < 100, "after {now}");
    });
    middle.executor.finish("client");
}
