//! The application of `examples/async_hello`, the file as it is, under virtual time, on tokio and in one thread without an
//! executor: what is said is the same, line by line, and so is what is sent, octet by octet. And the same again with the
//! kernel's clients, on a bad link, and for more clients than it has memory for.

use std::{net::SocketAddr, time::Duration};

use glasstack::{
    Result,
    device::wire::Conditions,
    sim::Link,
    socket::{Network, TcpStream},
};

#[path = "../../examples/async_hello/application.rs"]
#[allow(
    dead_code,
    reason = "the servers and the clients one by one, to be heard apart"
)]
mod application;
#[cfg(feature = "tokio")]
mod lab;
#[path = "../need/mod.rs"]
#[cfg(feature = "tokio")]
mod need;
#[path = "../program/mod.rs"]
#[cfg(feature = "tokio")]
mod program;
mod transcript;
mod worlds;

use application::CONNECTIONS;
use transcript::Transcript;
use worlds::{SERVER_V4, SERVER_V6};

const TCP_SAID: [&str; 8] = [
    "← Welcome!",
    "→ Michael",
    "← Hello, Michael!",
    "→ Tracy",
    "← Hello, Tracy!",
    "→ Sarah",
    "← Hello, Sarah!",
    "→ exit",
];
const TO_SERVER: &str = "MichaelTracySarahexit";
const TO_CLIENT: &str = "Welcome!Hello, Michael!Hello, Tracy!Hello, Sarah!";
const QUESTIONS: [&str; 3] = ["Michael", "Tracy", "Sarah"];
const ANSWERS: [&str; 3] = ["Hello, Michael!", "Hello, Tracy!", "Hello, Sarah!"];

/// What all worlds have to say, to the letter; PORT is what the client's stack drew.
fn expected() -> Transcript {
    Transcript::of(
        &[
            "Waiting for connection...",
            "Accept new connection from 10.0.0.1:PORT...",
            "Connection from 10.0.0.1:PORT closed.",
            "Accept new connection from [fd00::1]:PORT...",
            "Connection from [fd00::1]:PORT closed.",
        ],
        &TCP_SAID.repeat(2),
        &[
            &["Bind UDP on 9999..."][..],
            &["Received from 10.0.0.1:PORT."; 3],
            &["Received from [fd00::1]:PORT."; 3],
        ]
        .concat(),
        &TCP_SAID[1..7].repeat(2),
        &[[TO_SERVER, TO_CLIENT]; 2],
        &[[&QUESTIONS[..], &ANSWERS[..]]; 2],
    )
}

#[test]
fn in_a_simulation() {
    assert_eq!(worlds::simulation(), expected());
}

#[cfg(feature = "tokio")]
#[test]
fn on_tokio_with_one_thread() {
    let runtime = tokio::runtime::Builder::new_current_thread();
    assert_eq!(worlds::tokio(runtime), expected());
}

#[cfg(feature = "tokio")]
#[test]
fn on_tokio_with_many_threads() {
    let runtime = tokio::runtime::Builder::new_multi_thread();
    assert_eq!(worlds::tokio(runtime), expected());
}

#[test]
fn without_an_executor() {
    assert_eq!(worlds::block_on(), expected());
}

/// Without Ethernet: ARP asks three times, and that a host is unreachable then is no fault of the application's. Datagrams may
/// be sent again; what is said, and what TCP delivers, stays the same.
#[test]
fn on_a_bad_link_in_a_simulation() {
    for seed in 0..50 {
        let bad = Conditions::default()
            .latency(Duration::from_millis(10))
            .loss(0.1)
            .duplicate(0.02)
            .reorder(0.05, Duration::from_millis(30));
        let transcript = worlds::simulation_with(seed, Link::ip(1500).both(bad));
        assert_eq!(
            transcript.without_udp(),
            expected().without_udp(),
            "seed {seed}"
        );
        assert!(
            transcript.udp_is_repeated(&QUESTIONS, &ANSWERS),
            "seed {seed}: {transcript:#?}"
        );
    }
}

/// A client that says nothing holds one task, and nobody else's.
#[test]
fn a_silent_client_keeps_nobody_waiting() {
    let silent = CONNECTIONS - 1;
    let (mut simulation, client) = worlds::served(1, Link::ethernet(1514));
    for _ in 0..silent {
        let says_nothing = simulation.spawn(client, "silent", |network| {
            stay(network, SERVER_V4, Duration::from_secs(60))
        });
        let _ = says_nothing.expect("a host with power");
    }
    let lines = transcript::Lines::default();
    let said = lines.clone();
    let program = simulation.spawn(client, "talker", move |network| async move {
        glasstack::socket::sleep(&network, Duration::from_secs(1)).await?;
        application::tcp_client(network.clone(), SERVER_V6, said.say()).await?;
        network.call(|stack| Ok(stack.now()))
    });
    let end = program.expect("a host with power");
    simulation.run().expect("it comes to its end");
    let end = end.take().expect("it has").expect("it was served");
    assert_eq!(lines.taken(), TCP_SAID);
    assert!(end.total_micros() < 2_000_000, "it had to wait until {end}");
}

/// With all tasks busy the next clients wait, in the listener's backlog or for a place in it, and are served in their turn.
#[test]
fn more_clients_than_tasks_are_served_in_their_turn() {
    let (mut simulation, client) = worlds::served(1, Link::ethernet(1514));
    for _ in 0..CONNECTIONS {
        let busy = simulation.spawn(client, "silent", |network| {
            stay(network, SERVER_V4, Duration::from_secs(60))
        });
        let _ = busy.expect("a host with power");
    }
    let programs: Vec<_> = (0..3 * CONNECTIONS)
        .map(|_| {
            let lines = transcript::Lines::default();
            let said = lines.clone();
            let program = simulation.spawn(client, "talker", move |network| async move {
                glasstack::socket::sleep(&network, Duration::from_secs(1)).await?;
                application::tcp_client(network, SERVER_V6, said.say()).await
            });
            (lines, program.expect("a host with power"))
        })
        .collect();
    simulation
        .run_for(Duration::from_secs(50))
        .expect("time passes");
    assert!(programs.iter().all(|(lines, _)| lines.is_empty()));
    simulation.run().expect("it comes to its end");
    for (lines, program) in programs {
        assert_eq!(program.take(), Some(Ok(())));
        assert_eq!(lines.taken(), TCP_SAID);
    }
}

/// Connects, says nothing for so long, and leaves.
async fn stay<N: Network + Clone>(network: N, server: SocketAddr, time: Duration) -> Result<()> {
    let stream = TcpStream::connect(network.clone(), server).await?;
    stream.read_exact(&mut [0; 8]).await.or(Ok(()))?;
    glasstack::socket::sleep(&network, time).await
}
