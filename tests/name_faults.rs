//! Names over links that lose, repeat and corrupt, from servers with liars beside them, and over several links: the address
//! arrives, and nothing wrong is ever taken for it.
#![cfg(all(feature = "std", feature = "ipv4", feature = "ipv6"))]
// A step that fails fails its test.
#![allow(clippy::unwrap_used, clippy::panic)]

mod answers;

use std::cell::Cell;
use std::net::{IpAddr, SocketAddr};
use std::rc::Rc;
use std::time::Duration;

use answers::{NO_ERROR, NXDOMAIN, Record, SERVFAIL, address, alias, answer, framed, truncated};
use glasstack::device::wire::Conditions;
use glasstack::sim::{HostId, HostNetwork, Link, Simulation};
use glasstack::socket::{Network, TcpListener, UdpSocket, resolve, sleep};
use glasstack::{Error, Result};

const NAME: &str = "www.example.com";
const TARGET: &str = "host.example.net";
const SERVER: &str = "10.0.0.2";
const IMPOSTOR: &str = "10.0.0.3";

/// Lookups that a test tries: with a loss of 30 % each way, one in seventy or so has no answer to one of its questions.
const TRIES: usize = 5;

fn ip(text: &str) -> IpAddr {
    text.parse().unwrap()
}

/// What the name has.
fn truth() -> [IpAddr; 2] {
    [ip("192.0.2.7"), ip("2001:db8::7")]
}

/// What only a liar says.
fn lie() -> [IpAddr; 2] {
    [ip("6.6.6.6"), ip("2001:db8:6::6")]
}

fn is_lie(address: &IpAddr) -> bool {
    lie().contains(address)
}

/// The addresses that are of the type that a question asks for, as the name's.
fn records(question: &[u8], owner: &str, addresses: [IpAddr; 2]) -> Vec<Record> {
    let records = addresses.map(|it| address(owner, it));
    let is_asked = |record: &Record| record.1 == answers::kind(question);
    records.into_iter().filter(is_asked).collect()
}

/// The truth: an alias, and its addresses.
fn right(question: &[u8]) -> Vec<u8> {
    let mut all = vec![alias(NAME, TARGET)];
    all.extend(records(question, TARGET, truth()));
    answer(question, NO_ERROR, &all)
}

/// An answer that would be believed, if it were one to the question.
fn wrong(question: &[u8]) -> Vec<u8> {
    answer(question, NO_ERROR, &records(question, NAME, lie()))
}

/// Answers to other transactions, to other questions, of other kinds, and in pieces.
fn lies(question: &[u8]) -> Vec<Vec<u8>> {
    let whole = wrong(question);
    let changed = |at: usize, bit: u8| {
        let mut message = whole.clone();
        message[at] ^= bit;
        message
    };
    let mut all = vec![
        changed(0, 1),                     // another id
        changed(1, 0x80),                  // another id
        changed(2, 0x80),                  // a query
        changed(2, 0x08),                  // another opcode
        changed(5, 1),                     // no question
        changed(14, 1),                    // another name
        changed(question.len() - 3, 0x1d), // the other type
        changed(question.len() - 1, 2),    // another class
    ];
    for rcode in [SERVFAIL, NXDOMAIN] {
        let mut message = answer(question, rcode, &[]);
        message[1] ^= 0xff;
        all.push(message);
    }
    all.extend((0..whole.len()).step_by(7).map(|len| whole[..len].to_vec()));
    // The right answer to a question about somebody else.
    let mut other = question.to_vec();
    other[13..16].copy_from_slice(b"ftp");
    all.push(answer(
        &other,
        NO_ERROR,
        &records(question, "ftp.example.com", lie()),
    ));
    // An address of somebody else's beside the question.
    all.push(answer(question, NO_ERROR, &[])[..question.len() - 1].to_vec());
    all
}

/// Answers questions, each with lies before the truth if it `is_besieged`: from its own port, from another, and from another
/// address.
async fn name_server(network: HostNetwork, is_besieged: bool) {
    let bind = |text: &str, port| {
        UdpSocket::bind(network.clone(), SocketAddr::new(ip(text), port)).unwrap()
    };
    let socket = bind(SERVER, 53);
    let liars = is_besieged.then(|| [bind(SERVER, 5353), bind(IMPOSTOR, 53), bind(IMPOSTOR, 5353)]);
    let mut buffer = [0; 512];
    loop {
        let received = socket.recv_from(&mut buffer).await.unwrap();
        let question = &buffer[..received.len];
        if let Some(liars) = &liars {
            for liar in liars {
                send(liar, &wrong(question), received.from).await;
            }
            for lie in lies(question) {
                send(&socket, &lie, received.from).await;
            }
            // To a port beside the question's.
            let mut beside = received.from;
            beside.set_port(beside.port() ^ 1);
            send(&socket, &wrong(question), beside).await;
        }
        send(&socket, &right(question), received.from).await;
    }
}

async fn send(socket: &UdpSocket<HostNetwork>, message: &[u8], to: SocketAddr) {
    // Who asked may be unreachable for a moment: the question comes again.
    let _ = socket.send_to(message, to).await;
}

/// The same over TCP: the answer does not fit into a datagram.
async fn over_tcp(network: HostNetwork) {
    let address = SocketAddr::new(ip(SERVER), 53);
    let socket = UdpSocket::bind(network.clone(), address).unwrap();
    let listener = TcpListener::bind(network.clone(), address, 5).unwrap();
    let cut = async {
        let mut buffer = [0; 512];
        loop {
            let received = socket.recv_from(&mut buffer).await.unwrap();
            let question = &buffer[..received.len];
            send(&socket, &truncated(question, &[]), received.from).await;
        }
    };
    let whole = async {
        loop {
            let (stream, _) = listener.accept().await.unwrap();
            let mut prefix = [0; 2];
            let mut question = [0; 512];
            let heard = async {
                stream.read_exact(&mut prefix).await?;
                let question = &mut question[..usize::from(u16::from_be_bytes(prefix))];
                stream.read_exact(question).await?;
                stream.write_all(&framed(&right(question))).await?;
                // Until the other end is done with it.
                stream.read(&mut [0]).await
            };
            let _ = heard.await;
        }
    };
    embassy_futures::join::join(cut, whole).await;
}

/// A host that asks 10.0.0.2 over a link.
fn world(seed: u64, link: Link) -> (Simulation, HostId, HostId) {
    let mut simulation = Simulation::new(seed);
    let client = simulation.host("client").unwrap();
    let server = simulation.host("server").unwrap();
    let ends = (
        (client, &["10.0.0.1/24", "fd00::1/64"][..]),
        (server, &["10.0.0.2/24", "10.0.0.3/24", "fd00::2/64"][..]),
    );
    simulation.link(link, ends.0, ends.1).unwrap();
    let add = |stack: &mut glasstack::Stack<'static, _>| stack.add_name_server(ip(SERVER));
    simulation.configure(client, add).unwrap();
    (simulation, client, server)
}

/// Looks the name up until both families have come; whether that took one lookup. Nothing but the truth may come.
async fn look_up(network: HostNetwork, tries: Rc<Cell<usize>>) -> bool {
    // The server has begun to serve.
    sleep(&network, Duration::from_millis(1)).await.unwrap();
    let mut missing = truth().to_vec();
    for _ in 0..TRIES {
        tries.set(tries.get() + 1);
        match resolve(&network, NAME).await {
            Ok(found) => {
                assert!(!found.iter().any(is_lie), "{found:?}");
                assert!(found.iter().all(|it| truth().contains(it)), "{found:?}");
                missing.retain(|it| !found.contains(it));
            }
            Err(error) => assert_eq!(error, Error::TimedOut),
        }
        if missing.is_empty() {
            let usage = network.call(|stack| Ok(stack.usage())).unwrap();
            assert_eq!((usage.lookups, usage.sockets), (0, 0));
            return true;
        }
    }
    false
}

/// Runs it for so many seeds; how many lookups they took.
fn each_seed(
    seeds: u64,
    link: impl Fn() -> Link,
    serve: impl Fn(&mut Simulation, HostId) -> Result<()>,
) -> usize {
    let tries = Rc::new(Cell::new(0));
    for seed in 0..seeds {
        let (mut simulation, client, server) = world(seed, link());
        serve(&mut simulation, server).unwrap();
        let tries = tries.clone();
        let program = |network| look_up(network, tries);
        let end = simulation.spawn(client, "client", program).unwrap();
        simulation.run().unwrap();
        assert_eq!(end.take(), Some(true), "seed {seed}");
    }
    tries.get()
}

fn bad() -> Conditions {
    Conditions::default()
        .latency(Duration::from_millis(10))
        .loss(0.3)
        .duplicate(0.1)
        .corrupt(0.1)
        .reorder(0.2, Duration::from_millis(30))
}

#[test]
fn the_address_arrives_over_a_link_that_loses_a_third() {
    let serve = |simulation: &mut Simulation, host| {
        simulation.serve(host, "names", |network| name_server(network, false))
    };
    let lookups = each_seed(200, || Link::ethernet(1514).both(bad()), serve);
    // Four questions for each family are mostly enough.
    assert!(lookups < 200 * 3 / 2, "{lookups}");
}

#[test]
fn nothing_that_a_liar_says_is_taken_for_the_answer() {
    let serve = |simulation: &mut Simulation, host| {
        simulation.serve(host, "names", |network| name_server(network, true))
    };
    // On a perfect link everything that is sent arrives, and the truth comes last.
    let perfect = || Link::ethernet(1514).queue(2_000);
    assert_eq!(each_seed(20, perfect, serve), 20);
    each_seed(100, || Link::ethernet(1514).both(bad()).queue(2_000), serve);
}

#[test]
fn the_address_arrives_over_tcp_and_a_bad_link() {
    let serve = |simulation: &mut Simulation, host| simulation.serve(host, "names", over_tcp);
    let fair = || {
        let conditions = Conditions::default()
            .latency(Duration::from_millis(10))
            .loss(0.05)
            .duplicate(0.05)
            .corrupt(0.05);
        Link::ethernet(1514).both(conditions)
    };
    each_seed(50, fair, serve);
}

#[test]
fn each_server_is_asked_over_its_own_link() {
    let mut simulation = Simulation::new(1);
    let client = simulation.host("client").unwrap();
    let servers = ["silent", "failing", "right"].map(|name| simulation.host(name).unwrap());
    let links = [
        (&["10.1.0.1/24"], &["10.1.0.2/24"]),
        (&["10.2.0.1/24"], &["10.2.0.2/24"]),
        (&["fd03::1/64"], &["fd03::2/64"]),
    ];
    for (server, (here, there)) in servers.into_iter().zip(links) {
        let link = Link::ethernet(1514);
        simulation
            .link(link, (client, here), (server, there))
            .unwrap();
    }
    let add = |stack: &mut glasstack::Stack<'static, _>| {
        let servers = ["10.1.0.2", "10.2.0.2", "fd03::2"];
        let mut servers = servers.into_iter().map(ip);
        servers.try_for_each(|server| stack.add_name_server(server))
    };
    simulation.configure(client, add).unwrap();
    let serve = |text: &'static str, answer: fn(&[u8]) -> Option<Vec<u8>>| {
        move |network: HostNetwork| async move {
            let socket = UdpSocket::bind(network, SocketAddr::new(ip(text), 53)).unwrap();
            let mut buffer = [0; 512];
            loop {
                let received = socket.recv_from(&mut buffer).await.unwrap();
                if let Some(answer) = answer(&buffer[..received.len]) {
                    send(&socket, &answer, received.from).await;
                }
            }
        }
    };
    let silent = serve("10.1.0.2", |_| None);
    let failing = serve("10.2.0.2", |question| Some(answer(question, SERVFAIL, &[])));
    let right = serve("fd03::2", |question| Some(right(question)));
    simulation.serve(servers[0], "names", silent).unwrap();
    simulation.serve(servers[1], "names", failing).unwrap();
    simulation.serve(servers[2], "names", right).unwrap();
    let end = simulation
        .spawn(client, "client", async |network: HostNetwork| {
            // The servers have begun to serve.
            sleep(&network, Duration::from_secs(1)).await.unwrap();
            let found = resolve(&network, NAME).await.unwrap();
            let now = network.call(|stack| Ok(stack.now())).unwrap();
            (found.to_vec(), now.total_millis())
        })
        .unwrap();
    simulation.run().unwrap();
    let (mut found, millis) = end.take().unwrap();
    found.sort();
    assert_eq!((found, millis), (truth().to_vec(), 2_000));
}
