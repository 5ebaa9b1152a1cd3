//! The simulator: virtual time, chance from one seed, what is cut, healed and restarted, and why a run stops.
#![cfg(all(feature = "std", feature = "ipv4", feature = "ipv6"))]
// A step that fails fails its test.
#![allow(clippy::unwrap_used, clippy::panic)]

use std::cell::RefCell;
use std::future::pending;
use std::net::SocketAddr;
use std::rc::Rc;
use std::time::Duration;

use glasstack::device::wire::Conditions;
use glasstack::sim::{HostId, HostNetwork, Link, LinkId, Reason, Simulation};
use glasstack::socket::{TcpListener, TcpStream, UdpSocket, sleep, timeout};
use glasstack::trace::{DropReason, Happening, State};
use glasstack::{Error, Result};

const BOB: &str = "10.0.0.2:9999";

fn address(text: &str) -> SocketAddr {
    text.parse().unwrap()
}

fn slow(milliseconds: u64) -> Conditions {
    Conditions::default().latency(Duration::from_millis(milliseconds))
}

/// Alice 10.0.0.1 and Bob 10.0.0.2, `milliseconds` apart.
fn alice_and_bob(seed: u64, milliseconds: u64) -> (Simulation, HostId, HostId, LinkId) {
    let mut simulation = Simulation::new(seed);
    let alice = simulation.host("alice").unwrap();
    let bob = simulation.host("bob").unwrap();
    let link = Link::ethernet(1514).both(slow(milliseconds));
    let ends = (
        (alice, &["10.0.0.1/24", "fd00::1/64"]),
        (bob, &["10.0.0.2/24", "fd00::2/64"]),
    );
    let link = simulation.link(link, ends.0, ends.1).unwrap();
    (simulation, alice, bob, link)
}

/// Sends back what it hears, to one client after the other.
async fn echo(network: HostNetwork) -> Result<()> {
    let listener = TcpListener::bind(network, address("[::]:9999"), 5)?;
    loop {
        let (stream, _) = listener.accept().await?;
        let mut buffer = [0; 2048];
        while let Ok(len @ 1..) = stream.read(&mut buffer).await {
            stream.write_all(&buffer[..len]).await?;
        }
    }
}

/// Has `len` octets echoed, and says when that was done.
async fn ask(network: HostNetwork, server: &'static str, len: usize) -> Result<()> {
    let stream = TcpStream::connect(network, address(server)).await?;
    let sent: Vec<u8> = (0..len).map(|octet| octet as u8).collect();
    let mut echoed = vec![0; len];
    for (sent, echoed) in sent.chunks(1000).zip(echoed.chunks_mut(1000)) {
        stream.write_all(sent).await?;
        stream.read_exact(echoed).await?;
    }
    assert_eq!(echoed, sent);
    Ok(())
}

#[test]
fn the_same_seed_is_the_same_run_and_another_is_another() {
    let run = |seed| {
        let (mut simulation, alice, bob, _) = alice_and_bob(seed, 5);
        let events = simulation.record();
        simulation.serve(bob, "echo", echo).unwrap();
        let programs = ["one", "two", "three"].map(|name| {
            let program = |network| ask(network, BOB, 5_000);
            simulation.spawn(alice, name, program).unwrap()
        });
        simulation.run().unwrap();
        assert!(programs.iter().all(|end| end.take() == Some(Ok(()))));
        events.events().digest()
    };
    assert_eq!(run(1), run(1));
    assert_ne!(run(1), run(2));
}

#[test]
fn chance_has_every_order_of_ready_tasks() {
    let order = |seed| {
        let mut simulation = Simulation::new(seed);
        let alice = simulation.host("alice").unwrap();
        let order = Rc::new(RefCell::new(String::new()));
        for name in ["a", "b", "c"] {
            let order = order.clone();
            let program = async move |_| order.borrow_mut().push_str(name);
            let _ = simulation.spawn(alice, name, program).unwrap();
        }
        simulation.run().unwrap();
        order.take()
    };
    let mut orders: Vec<String> = (0..200).map(order).collect();
    orders.sort();
    orders.dedup();
    assert_eq!(orders, ["abc", "acb", "bac", "bca", "cab", "cba"]);
}

#[test]
fn time_passes_by_latency_and_by_sleep_alone() {
    let (mut simulation, alice, bob, _) = alice_and_bob(1, 20);
    simulation.serve(bob, "echo", echo).unwrap();
    let client = simulation
        .spawn(alice, "client", async |network: HostNetwork| {
            sleep(&network, Duration::from_secs(3600)).await?;
            ask(network, BOB, 4).await
        })
        .unwrap();
    simulation.run().unwrap();
    assert_eq!(client.take(), Some(Ok(())));
    // ARP, the handshake, the question: a round trip of 40 ms each. Bob has learned who asked from the ARP request.
    assert_eq!(simulation.elapsed(), Duration::from_millis(3_600_120));
}

#[test]
fn three_hosts_on_a_switch_reach_each_other_over_both_families() {
    let mut simulation = Simulation::new(1);
    let switch = simulation.switch();
    let mut hosts = Vec::new();
    for (name, addresses) in [
        ("alice", &["10.0.0.1/24", "fd00::1/64"]),
        ("bob", &["10.0.0.2/24", "fd00::2/64"]),
        ("carol", &["10.0.0.3/24", "fd00::3/64"]),
    ] {
        let host = simulation.host(name).unwrap();
        let link = Link::ethernet(1514).both(slow(1));
        simulation.link(link, (host, addresses), switch).unwrap();
        simulation.serve(host, "echo", echo).unwrap();
        hosts.push(host);
    }
    let mut outputs = Vec::new();
    for (number, host) in hosts.iter().enumerate() {
        for server in [
            ["10.0.0.2:9999", "[fd00::3]:9999"],
            ["10.0.0.3:9999", "[fd00::1]:9999"],
            ["10.0.0.1:9999", "[fd00::2]:9999"],
        ][number]
        {
            let program = |network| ask(network, server, 10_000);
            outputs.push(simulation.spawn(*host, server, program).unwrap());
        }
    }
    let events = simulation.record();
    simulation.run().unwrap();
    for output in outputs {
        assert_eq!(output.take(), Some(Ok(())));
    }
    // The switch knows who is where: beside the first frames, nobody hears what is not for it.
    let strays = events.events().all().drops(DropReason::NotForUs);
    assert!(strays <= 12, "{strays}");
}

#[test]
fn a_deadlock_says_who_waits_for_what() {
    let (mut simulation, alice, bob, _) = alice_and_bob(7, 1);
    let _ = simulation
        .spawn(bob, "server", async |network: HostNetwork| {
            let listener = TcpListener::bind(network, address(BOB), 5)?;
            let (stream, _) = listener.accept().await?;
            stream.read(&mut [0]).await
        })
        .unwrap();
    let _ = simulation
        .spawn(alice, "client", async |network: HostNetwork| {
            let stream = TcpStream::connect(network, address(BOB)).await?;
            stream.read(&mut [0]).await
        })
        .unwrap();
    let _ = simulation
        .spawn(alice, "dreamer", async |_| pending::<()>().await)
        .unwrap();
    let stopped = simulation.run().unwrap_err();
    assert_eq!(stopped.reason(), Reason::Deadlock);
    let text = stopped.to_string();
    assert!(text.contains("(seed 7)"), "{text}");
    let [server, client, dreamer] = stopped.waiting() else {
        panic!("{text}");
    };
    assert!(
        server
            .starts_with("bob: server waits for something to read at 10.0.0.2:9999, of 10.0.0.1:")
            && server.ends_with("(ESTABLISHED), with descriptor 1"),
        "{server}"
    );
    assert!(
        client.starts_with("alice: client waits for something to read at 10.0.0.1:"),
        "{client}"
    );
    assert_eq!(
        dreamer,
        "alice: dreamer waits for something that is not its stack's"
    );
}

#[test]
fn a_limit_ends_a_run_that_could_go_on() {
    let (mut simulation, alice, _, _) = alice_and_bob(1, 1);
    let _ = simulation
        .spawn(alice, "sleeper", |network| {
            sleep(network, Duration::from_secs(10))
        })
        .unwrap();
    simulation.limit(Duration::from_secs(9));
    let stopped = simulation.run().unwrap_err();
    assert_eq!(stopped.reason(), Reason::TimeLimit);
    assert_eq!(stopped.waiting(), ["alice: sleeper waits for a time"]);
    simulation.limit(Duration::from_secs(10));
    assert_eq!(simulation.run(), Ok(()));
    assert_eq!(simulation.elapsed(), Duration::from_secs(10));
}

#[test]
fn what_is_cut_loses_everything_until_it_is_healed() {
    let (mut simulation, alice, bob, link) = alice_and_bob(1, 10);
    let events = simulation.record();
    simulation.serve(bob, "echo", echo).unwrap();
    let output = simulation
        .spawn(alice, "client", |network| ask(network, BOB, 5_000))
        .unwrap();
    simulation.when(alice, "data 3".parse().unwrap(), move |simulation| {
        simulation.cut(link);
        let later = simulation.elapsed() + Duration::from_secs(600);
        simulation.at(later, move |simulation| simulation.heal(link));
    });
    simulation.run().unwrap();
    assert_eq!(output.take(), Some(Ok(())));
    assert!(simulation.elapsed() > Duration::from_secs(600));
    // The third question arrived; its echo did not, nor what was sent again until the link was healed.
    let lost = events.events().all().drops(DropReason::LinkDown);
    assert!(lost > 3, "{lost}");
}

#[test]
fn a_host_that_is_cut_off_is_so_on_all_its_links() {
    let mut simulation = Simulation::new(1);
    let [alice, bob, carol] = ["alice", "bob", "carol"].map(|name| simulation.host(name).unwrap());
    let links = [
        (alice, &["10.0.1.1/24"], &["10.0.1.2/24"]),
        (carol, &["10.0.2.1/24"], &["10.0.2.2/24"]),
    ];
    for (host, here, there) in links {
        let link = Link::ip(1500).both(slow(1));
        simulation.link(link, (host, here), (bob, there)).unwrap();
    }
    simulation.serve(bob, "echo", echo).unwrap();
    simulation.cut(bob);
    let mut outputs = Vec::new();
    for (host, server) in [(alice, "10.0.1.2:9999"), (carol, "10.0.2.2:9999")] {
        let program = |network: HostNetwork| async move {
            let patience = Duration::from_secs(5);
            timeout(network.clone(), patience, ask(network, server, 10)).await
        };
        outputs.push(simulation.spawn(host, "client", program).unwrap());
    }
    simulation.run().unwrap();
    assert_eq!(simulation.elapsed(), Duration::from_secs(5));
    for output in outputs {
        assert_eq!(output.take(), Some(Err(Error::TimedOut)));
    }
    simulation.heal(bob);
    let again = simulation
        .spawn(carol, "client", |network| ask(network, "10.0.2.2:9999", 10))
        .unwrap();
    simulation.run().unwrap();
    assert_eq!(again.take(), Some(Ok(())));
}

#[test]
fn a_host_that_is_restarted_has_forgotten_its_connections_and_serves_again() {
    let (mut simulation, alice, bob, _) = alice_and_bob(1, 10);
    let names = |stack: &mut glasstack::Stack<'static, _>| {
        stack.add_name("alice", "10.0.0.1".parse().unwrap())
    };
    simulation.configure(bob, names).unwrap();
    simulation.serve(bob, "echo", echo).unwrap();
    let killed = simulation
        .spawn(bob, "program", async |_| pending::<()>().await)
        .unwrap();
    let output = simulation
        .spawn(alice, "client", |network| ask(network, BOB, 5_000))
        .unwrap();
    simulation.when(alice, "data 3".parse().unwrap(), move |simulation| {
        simulation.restart(bob).unwrap();
    });
    let events = simulation.record();
    simulation.run().unwrap();
    assert_eq!(output.take(), Some(Err(Error::ConnectionReset)));
    assert_eq!(killed.take(), None);
    // Without power nobody closes: the old server's end is not told.
    let walk = events.events().walk(address(BOB));
    assert_eq!(walk.last(), Some(&State::Established), "{walk:?}");

    let again = simulation
        .spawn(alice, "client", |network| ask(network, BOB, 5_000))
        .unwrap();
    simulation.run().unwrap();
    assert_eq!(again.take(), Some(Ok(())));
    let resolved = simulation
        .spawn(bob, "names", async |network: HostNetwork| {
            glasstack::socket::resolve(&network, "alice").await
        })
        .unwrap();
    simulation.run().unwrap();
    let found = resolved.take().unwrap().unwrap();
    assert_eq!(found[..], [address("10.0.0.1:0").ip()]);
}

#[test]
fn a_host_without_power_answers_nothing_and_what_came_meanwhile_is_lost() {
    let (mut simulation, alice, bob, _) = alice_and_bob(1, 10);
    simulation.serve(bob, "echo", echo).unwrap();
    simulation.stop(bob);
    assert!(matches!(
        simulation.spawn(bob, "program", async |_| ()),
        Err(Error::NetworkDown)
    ));
    assert_eq!(
        simulation.with(bob, |stack| Ok(stack.usage())).map(drop),
        Err(Error::NetworkDown)
    );
    let events = simulation.record();
    simulation.at(Duration::from_millis(1_500), move |simulation| {
        simulation.start(bob).unwrap();
    });
    let output = simulation
        .spawn(alice, "client", |network| ask(network, BOB, 10))
        .unwrap();
    simulation.run().unwrap();
    assert_eq!(output.take(), Some(Ok(())));
    let early = |time: glasstack::trace::Instant| time.total_millis() < 1_500;
    let events = events.events();
    let mut of_bob = events.at(bob.station()).iter();
    assert!(!of_bob.any(|captured| early(captured.event().time)));
}

#[test]
fn events_come_in_one_order_and_trigger_what_waits_for_them() {
    let (mut simulation, alice, bob, _) = alice_and_bob(1, 10);
    simulation.serve(bob, "echo", echo).unwrap();
    let events = simulation.record();
    let is_established = move |station, event: &glasstack::trace::Event<'_>| {
        let to = match event.happening {
            Happening::State { to, .. } => Some(to),
            _ => None,
        };
        station == bob.station() && to == Some(State::Established)
    };
    let told = Rc::new(RefCell::new(None));
    let place = told.clone();
    simulation.when_told(is_established, move |simulation| {
        place.replace(Some(simulation.elapsed()));
    });
    let client = simulation
        .spawn(alice, "client", |network| ask(network, BOB, 10))
        .unwrap();
    simulation.run().unwrap();
    assert_eq!(client.take(), Some(Ok(())));
    // ARP there and back, SYN, SYN-ACK, ACK.
    assert_eq!(told.take(), Some(Duration::from_millis(50)));
    let events = events.events();
    let times: Vec<_> = events.iter().map(|event| event.event().time).collect();
    assert!(times.is_sorted());
}

#[test]
fn when_all_is_settled_nothing_is_left() {
    let (mut simulation, alice, bob, _) = alice_and_bob(1, 10);
    let server = simulation
        .spawn(bob, "server", async |network: HostNetwork| {
            let listener = TcpListener::bind(network.clone(), address(BOB), 5)?;
            let (stream, _) = listener.accept().await?;
            let mut name = [0; 7];
            stream.read_exact(&mut name).await?;
            let socket = UdpSocket::bind(network, address(BOB))?;
            let received = socket.recv_from(&mut name).await?;
            socket.send_to(&name, received.from).await
        })
        .unwrap();
    let client = simulation
        .spawn(alice, "client", async |network: HostNetwork| {
            let stream = TcpStream::connect(network.clone(), address(BOB)).await?;
            stream.write_all(b"Michael").await?;
            let socket = UdpSocket::bind(network.clone(), address("0.0.0.0:0"))?;
            sleep(network, Duration::from_secs(1)).await?;
            socket.send_to(b"Michael", address(BOB)).await?;
            socket.recv(&mut [0; 7]).await
        })
        .unwrap();
    simulation.run().unwrap();
    assert_eq!((server.take(), client.take()), (Some(Ok(7)), Some(Ok(7))));
    simulation.settle().unwrap();
    for host in [alice, bob] {
        let usage = simulation.with(host, |stack| Ok(stack.usage())).unwrap();
        let left = usage.sockets + usage.connections + usage.datagrams + usage.lookups;
        assert_eq!(left, 0, "{usage:?}");
        // Its driver waits, for ever.
        assert_eq!(usage.wakers, 1);
    }
}

/// Its tasks have time and each other, also after a restart; a link that comes later does not change that.
#[test]
fn a_host_without_a_link_reaches_itself() {
    let mut simulation = Simulation::new(1);
    let alice = simulation.host("alice").unwrap();
    simulation.serve(alice, "echo", echo).unwrap();
    let client = async |network: HostNetwork| {
        sleep(&network, Duration::from_secs(1)).await?;
        ask(network, "127.0.0.1:9999", 5_000).await
    };
    let alone = simulation.spawn(alice, "client", client).unwrap();
    simulation.run().unwrap();
    assert_eq!(alone.take(), Some(Ok(())));
    assert_eq!(simulation.elapsed(), Duration::from_secs(1));

    simulation.restart(alice).unwrap();
    let restarted = simulation.spawn(alice, "client", client).unwrap();
    let bob = simulation.host("bob").unwrap();
    let ends = ((alice, &["10.0.0.1/24"]), (bob, &["10.0.0.2/24"]));
    simulation.link(Link::ip(1500), ends.0, ends.1).unwrap();
    let linked = simulation
        .spawn(bob, "client", async |network: HostNetwork| {
            sleep(&network, Duration::from_secs(1)).await?;
            ask(network, "10.0.0.1:9999", 5_000).await
        })
        .unwrap();
    simulation.run().unwrap();
    let ends = (restarted.take(), linked.take());
    assert_eq!(ends, (Some(Ok(())), Some(Ok(()))));
}

/// What one looks at stays as it is, and the simulation goes on: it would wait for its own reader otherwise.
#[test]
fn a_recording_is_read_while_it_goes_on() {
    let (mut simulation, alice, bob, _) = alice_and_bob(1, 10);
    let recording = simulation.record();
    simulation.serve(bob, "echo", echo).unwrap();
    let before = recording.events();
    let client = simulation
        .spawn(alice, "client", |network| ask(network, BOB, 10))
        .unwrap();
    simulation.run().unwrap();
    assert_eq!(client.take(), Some(Ok(())));
    assert!(before.is_empty());
    let (after, again) = (recording.events(), recording.events());
    assert!(!after.is_empty());
    assert!(*after == *again);
}

#[test]
fn what_cannot_be_is_an_error() {
    let mut simulation = Simulation::new(1);
    let alice = simulation.host("alice").unwrap();
    let switch = simulation.switch();
    let mut refused = |link: Link, addresses: &[&str; 1]| {
        let joined = simulation.link(link, (alice, addresses), switch);
        assert_eq!(joined, Err(Error::InvalidArgument), "{addresses:?}");
    };
    for text in [
        "10.0.0.1",
        "10.0.0.1/33",
        "10.0.0/8",
        "alice/8",
        "127.0.0.1/8",
        "",
    ] {
        refused(Link::ethernet(1514), &[text]);
    }
    refused(Link::ip(1500), &["10.0.0.1/24"]);
    refused(Link::ethernet(60), &["10.0.0.1/24"]);
    let never = Conditions::default().loss(2.0);
    refused(Link::ethernet(1514).both(never), &["10.0.0.1/24"]);
    for _ in 1..255 {
        simulation.host("one of many").unwrap();
    }
    let limit = glasstack::Limit::Hosts;
    assert_eq!(simulation.host("too many"), Err(Error::Exhausted(limit)));
}
