//! The corners of the simulator: the ends of time, what goes wrong half way, and what happens between two turns.
#![cfg(all(feature = "std", feature = "ipv4", feature = "ipv6"))]
// A step that fails fails its test.
#![allow(clippy::unwrap_used, clippy::panic)]

use std::cell::{Cell, RefCell};
use std::net::SocketAddr;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use glasstack::device::wire::Conditions;
use glasstack::sim::{HostId, HostNetwork, Link, Reason, Simulation};
use glasstack::socket::{TcpListener, TcpStream, UdpSocket, sleep};
use glasstack::stack::{Domain, Type};
use glasstack::trace::{Event, Happening, Instant};
use glasstack::{Error, Limit, Result};

fn address(text: &str) -> SocketAddr {
    text.parse().unwrap()
}

fn alice_and_bob() -> (Simulation, HostId, HostId) {
    let mut simulation = Simulation::new(1);
    let [alice, bob] = ["alice", "bob"].map(|name| simulation.host(name).unwrap());
    let slow = Conditions::default().latency(Duration::from_millis(1));
    let link = Link::ethernet(1514).both(slow);
    let ends = ((alice, &["10.0.0.1/24"]), (bob, &["10.0.0.2/24"]));
    simulation.link(link, ends.0, ends.1).unwrap();
    (simulation, alice, bob)
}

#[test]
fn what_no_clock_can_hold_is_the_last_moment() {
    let (mut simulation, alice, _) = alice_and_bob();
    let is_done = Rc::new(Cell::new(false));
    let place = is_done.clone();
    simulation.at(Duration::MAX, move |_| place.set(true));
    simulation.limit(Duration::MAX);
    simulation.run_for(Duration::from_secs(1)).unwrap();
    assert!(!is_done.get());
    simulation.run_for(Duration::MAX).unwrap();
    assert!(is_done.get());
    // The time stands still now, and nothing fails for that.
    let program = |network| sleep(network, Duration::from_secs(1));
    let _ = simulation.spawn(alice, "sleeper", program).unwrap();
    simulation.run_for(Duration::MAX).unwrap();
    let for_ever = |network| sleep(network, Duration::MAX);
    let _ = simulation.spawn(alice, "sleeper", for_ever).unwrap();
    assert_eq!(simulation.run().unwrap_err().reason(), Reason::Deadlock);
}

#[test]
fn a_limit_is_where_the_time_stops_and_what_is_due_then_is_done() {
    let (mut simulation, alice, _) = alice_and_bob();
    let program = |network| sleep(network, Duration::from_secs(10));
    let output = simulation.spawn(alice, "sleeper", program).unwrap();
    simulation.limit(Duration::from_micros(9_999_999));
    let stopped = simulation.run().unwrap_err();
    assert_eq!(stopped.reason(), Reason::TimeLimit);
    assert!(stopped.to_string().contains("9.999999 s after the start"));
    assert_eq!(simulation.elapsed(), Duration::from_micros(9_999_999));
    assert_eq!(output.take(), None);
    simulation.run_for(Duration::from_micros(1)).unwrap();
    assert_eq!(output.take(), Some(Ok(())));
    // One that is past already does not turn the time back.
    let _ = simulation.spawn(alice, "sleeper", program).unwrap();
    assert_eq!(simulation.run().unwrap_err().reason(), Reason::TimeLimit);
    assert_eq!(simulation.elapsed(), Duration::from_secs(10));
}

#[test]
fn a_run_for_a_time_ends_at_that_time_whatever_happens() {
    let (mut simulation, alice, _) = alice_and_bob();
    let done = Rc::new(RefCell::new(Vec::new()));
    for micros in [999_999, 1_000_000, 1_000_001] {
        let done = done.clone();
        simulation.at(Duration::from_micros(micros), move |_| {
            done.borrow_mut().push(micros)
        });
    }
    simulation.run_for(Duration::from_secs(1)).unwrap();
    assert_eq!(*done.borrow(), [999_999, 1_000_000]);
    assert_eq!(simulation.elapsed(), Duration::from_secs(1));
    // It has nothing to do with a limit, which holds again afterwards.
    simulation.limit(Duration::from_secs(2));
    simulation.run_for(Duration::from_secs(2)).unwrap();
    assert_eq!(simulation.elapsed(), Duration::from_secs(3));
    let program = |network| sleep(network, Duration::from_secs(1));
    let _ = simulation.spawn(alice, "sleeper", program).unwrap();
    assert_eq!(simulation.run().unwrap_err().reason(), Reason::TimeLimit);
}

/// Talks to itself, and sleeps.
async fn soliloquy(network: HostNetwork) -> Result<[u8; 2]> {
    let listener = TcpListener::bind(&network, address("127.0.0.1:9999"), 1)?;
    let client = TcpStream::connect(&network, address("127.0.0.1:9999")).await?;
    let (server, _) = listener.accept().await?;
    server.write_all(b"hi").await?;
    sleep(&network, Duration::from_secs(1)).await?;
    let mut heard = [0; 2];
    client.read_exact(&mut heard).await?;
    Ok(heard)
}

#[test]
fn a_host_without_links_reaches_itself() {
    let mut simulation = Simulation::new(1);
    let hermit = simulation.host("hermit").unwrap();
    for _ in 0..2 {
        let output = simulation.spawn(hermit, "soliloquy", soliloquy).unwrap();
        simulation.run().unwrap();
        assert_eq!(output.take(), Some(Ok(*b"hi")));
        simulation.restart(hermit).unwrap();
    }
    // And it still does when it is a hermit no more.
    let link = Link::ip(1500);
    let guest = simulation.host("guest").unwrap();
    simulation
        .link(link, (hermit, &["10.0.0.1/24"]), (guest, &["10.0.0.2/24"]))
        .unwrap();
    let output = simulation.spawn(hermit, "soliloquy", soliloquy).unwrap();
    simulation.run().unwrap();
    assert_eq!(output.take(), Some(Ok(*b"hi")));
}

#[test]
fn a_link_that_cannot_be_made_leaves_nothing_behind() {
    let mut simulation = Simulation::new(1);
    let [alice, bob] = ["alice", "bob"].map(|name| simulation.host(name).unwrap());
    let switch = Simulation::switch(&mut Simulation::new(1));
    for _ in 0..20 {
        for there in [
            "10.0.0.2/33",
            "nobody",
            // Both ends may be one host's, with two addresses.
            "10.0.0.1/24",
        ] {
            let to = if there == "10.0.0.1/24" { alice } else { bob };
            let ends = ((alice, &["10.0.0.1/24"]), (to, &[there]));
            simulation
                .link(Link::ethernet(1514), ends.0, ends.1)
                .unwrap_err();
        }
        // Of another simulation.
        let ends = ((alice, &["10.0.0.1/24"]), switch);
        let refused = simulation.link(Link::ethernet(1514), ends.0, ends.1);
        assert_eq!(refused, Err(Error::InvalidArgument));
    }
    let ends = ((alice, &["10.0.0.1/24"]), (bob, &["10.0.0.2/24"]));
    let link = simulation.link(Link::ethernet(1514), ends.0, ends.1);
    let link = link.unwrap();
    simulation.restart(alice).unwrap();
    let ask = async |network: HostNetwork| {
        let socket = UdpSocket::bind(network, address("0.0.0.0:0"))?;
        socket.connect(address("10.0.0.2:9"))?;
        socket.send(b"?").await?;
        socket.recv(&mut [0]).await
    };
    // It is the link that joins them, and the one that is cut.
    let output = simulation.spawn(alice, "client", ask).unwrap();
    simulation.run().unwrap();
    assert_eq!(output.take(), Some(Err(Error::ConnectionRefused)));
    simulation.cut(link);
    let _ = simulation.spawn(alice, "client", ask).unwrap();
    assert_eq!(simulation.run().unwrap_err().reason(), Reason::Deadlock);
}

#[test]
fn more_links_than_interfaces_are_an_error_and_the_others_work() {
    let mut simulation = Simulation::new(1);
    let [alice, bob] = ["alice", "bob"].map(|name| simulation.host(name).unwrap());
    let link = |simulation: &mut Simulation, number| {
        let here = format!("10.0.{number}.1/24");
        let there = format!("10.0.{number}.2/24");
        let ends = ((alice, &[&here[..]]), (bob, &[&there[..]]));
        simulation.link(Link::ip(1500), ends.0, ends.1)
    };
    for number in 1..=8 {
        link(&mut simulation, number).unwrap();
    }
    let limit = Error::Exhausted(Limit::Interfaces);
    assert_eq!(link(&mut simulation, 9), Err(limit));
    simulation.restart(bob).unwrap();
    let _ = simulation
        .spawn(bob, "server", async |network: HostNetwork| {
            let listener = TcpListener::bind(network, address("10.0.8.2:9999"), 1)?;
            listener.accept().await.map(drop)
        })
        .unwrap();
    let _ = simulation
        .spawn(alice, "client", async |network: HostNetwork| {
            TcpStream::connect(network, address("10.0.8.2:9999"))
                .await
                .map(drop)
        })
        .unwrap();
    simulation.run().unwrap();
}

#[test]
fn what_a_setup_does_in_the_middle_of_a_run_happens_then() {
    let (mut simulation, alice, bob) = alice_and_bob();
    let events = simulation.record();
    simulation.at(Duration::from_secs(1), move |simulation| {
        simulation
            .configure(alice, |stack| {
                let socket = stack.socket(Domain::Inet, Type::Datagram)?;
                stack.sendto(socket, b"hello", address("10.0.0.2:9"))?;
                Ok(())
            })
            .unwrap();
    });
    simulation.settle().unwrap();
    let events = events.events();
    let second = Instant::from_secs(1);
    assert!(events.iter().all(|event| event.event().time >= second));
    assert!(events.at(bob.station()).iter().count() > 0);
}

#[test]
fn a_setup_that_fails_leaves_a_host_without_power() {
    let (mut simulation, _, bob) = alice_and_bob();
    let times = Cell::new(0);
    simulation
        .configure(bob, move |_| {
            times.set(times.get() + 1);
            match times.get() {
                2 => Err(Error::PermissionDenied),
                _ => Ok(()),
            }
        })
        .unwrap();
    assert_eq!(simulation.restart(bob), Err(Error::PermissionDenied));
    let look = simulation.with(bob, |_| Ok(()));
    assert_eq!(look, Err(Error::NetworkDown));
    // Another try is one.
    simulation.start(bob).unwrap();
    simulation.with(bob, |_| Ok(())).unwrap();
}

#[test]
fn what_an_action_tells_triggers_another_at_once() {
    let (mut simulation, alice, _) = alice_and_bob();
    let order = Rc::new(RefCell::new(Vec::new()));
    let is_call = |_, event: &Event<'_>| matches!(event.happening, Happening::Call { .. });
    let place = order.clone();
    simulation.when_told(is_call, move |simulation| {
        place.borrow_mut().push(("told", simulation.elapsed()));
    });
    let place = order.clone();
    simulation.at(Duration::from_secs(1), move |simulation| {
        let socket = simulation.with(alice, |stack| stack.socket(Domain::Inet, Type::Stream));
        assert!(socket.is_ok());
        place.borrow_mut().push(("done", simulation.elapsed()));
    });
    simulation.at(Duration::from_secs(2), |_| ());
    simulation.settle().unwrap();
    let second = Duration::from_secs(1);
    assert_eq!(*order.borrow(), [("done", second), ("told", second)]);
}

#[test]
fn an_action_may_run_the_simulation_and_restart_the_host_that_told() {
    let (mut simulation, alice, bob) = alice_and_bob();
    simulation
        .serve(bob, "server", async |network: HostNetwork| {
            let listener = TcpListener::bind(network, address("10.0.0.2:9999"), 1).unwrap();
            loop {
                let _ = listener.accept().await;
            }
        })
        .unwrap();
    let client = async |network: HostNetwork| {
        let stream = TcpStream::connect(network, address("10.0.0.2:9999")).await?;
        stream.read(&mut [0]).await
    };
    let killed = simulation.spawn(alice, "client", client).unwrap();
    simulation.when(alice, "SYN".parse().unwrap(), move |simulation| {
        simulation.restart(alice).unwrap();
        let again = simulation.spawn(alice, "client", client).unwrap();
        simulation.run().unwrap();
        assert_eq!(again.take(), Some(Ok(0)));
    });
    simulation.settle().unwrap();
    assert_eq!(killed.take(), None);
}

#[test]
fn a_datagram_for_a_host_without_power_is_not_there_when_it_starts() {
    let mut simulation = Simulation::new(1);
    let [alice, bob] = ["alice", "bob"].map(|name| simulation.host(name).unwrap());
    let slow = Conditions::default().latency(Duration::from_millis(10));
    let ends = ((alice, &["10.0.0.1/24"]), (bob, &["10.0.0.2/24"]));
    let link = Link::ip(1500).both(slow);
    simulation.link(link, ends.0, ends.1).unwrap();
    let events = simulation.record();
    simulation.stop(bob);
    let start = Duration::from_secs(1);
    simulation.at(start, move |simulation| simulation.start(bob).unwrap());
    // One has arrived when Bob starts, and is lost; one is still under way.
    let _ = simulation
        .spawn(alice, "client", async |network: HostNetwork| {
            let socket = UdpSocket::bind(&network, address("0.0.0.0:0"))?;
            socket.send_to(b"lost", address("10.0.0.2:9")).await?;
            sleep(&network, Duration::from_millis(995)).await?;
            socket.send_to(b"late", address("10.0.0.2:9")).await
        })
        .unwrap();
    simulation.settle().unwrap();
    let events = events.events();
    let mut arrivals = events
        .at(bob.station())
        .iter()
        .map(|event| event.event().time);
    assert_eq!(arrivals.next(), Some(Instant::from_millis(1_005)));
}

#[test]
fn a_trigger_is_its_hosts_and_is_pulled_once() {
    let (mut simulation, alice, bob) = alice_and_bob();
    let times = Rc::new(RefCell::new(Vec::new()));
    for host in [bob, alice] {
        let place = times.clone();
        simulation.when(host, "data 1".parse().unwrap(), move |simulation| {
            place.borrow_mut().push((host, simulation.elapsed()));
        });
    }
    let asked = Arc::new(AtomicUsize::new(0));
    let count = asked.clone();
    let is_it = move |_, _: &Event<'_>| count.fetch_add(1, Ordering::Relaxed) == 9;
    simulation.when_told(is_it, |_| ());
    let _ = simulation
        .spawn(bob, "server", async |network: HostNetwork| {
            let listener = TcpListener::bind(network, address("10.0.0.2:9999"), 1)?;
            let (stream, _) = listener.accept().await?;
            stream.read(&mut [0; 8]).await?;
            stream.write_all(b"hello").await
        })
        .unwrap();
    let _ = simulation
        .spawn(alice, "client", async |network: HostNetwork| {
            let stream = TcpStream::connect(network, address("10.0.0.2:9999")).await?;
            stream.write_all(b"hello").await?;
            stream.read(&mut [0; 8]).await
        })
        .unwrap();
    simulation.settle().unwrap();
    // ARP and SYN, there and back; then the data, a millisecond each way.
    let [four, five] = [4, 5].map(Duration::from_millis);
    assert_eq!(*times.borrow(), [(alice, four), (bob, five)]);
    // Nine said no, and the tenth was the one.
    assert_eq!(asked.load(Ordering::Relaxed), 10);
}
