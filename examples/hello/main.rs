//! All of it in one process: a TCP server with three clients at once, then UDP, over IPv4 and IPv6, between two hosts
//! that a wire joins. The first connection is drawn as a ladder: each call beside the segment that it causes; one segment
//! is lost, and sent again. Of the others, the walk through the TCP states. Needs no root, no TAP, no network.
//!
//! ```text
//! cargo run --example hello
//! cargo run --example hello -- --lose SYN-ACK --pcap hello.pcapng
//! ```

use std::{
    collections::HashMap,
    error::Error,
    io::{self, Read, Write},
    net::{IpAddr, SocketAddr},
    process::ExitCode,
    sync::mpsc::{self, Sender},
    thread,
    time::Duration,
};

use clap::Parser;
use glasstack::{
    device::{
        Wire, WireEnd,
        wire::{Faults, Selector},
    },
    host::Host,
    smoltcp::phy::Medium,
    socket::blocking::{TcpListener, TcpStream, UdpSocket},
    trace::{Station, ladder::Ends},
};

#[path = "../glass/mod.rs"]
mod glass;
mod walks;
use glass::{Glass, Link, Shown};
use walks::Walks;

/// Two hosts in one process: a TCP server with three clients at once, then UDP, over IPv4 and IPv6.
///
/// The first connection is drawn as a ladder. Unless you choose another fault, its first name is lost on the way, and
/// sent again. Needs no root, no TAP, no network.
#[derive(Parser)]
struct Options {
    #[command(flatten)]
    glass: Glass,
    #[command(flatten)]
    link: Link,
}

const CLIENT: Station = Station(0);
const SERVER: Station = Station(1);

/// How long a client takes for a word.
const TYPING: Duration = Duration::from_millis(30);

/// How long an answer over UDP may take, before the question is taken for lost.
const PATIENCE: Duration = Duration::from_millis(500);

const NAMES: [&str; 3] = ["Michael", "Tracy", "Sarah"];

fn main() -> ExitCode {
    glass::exit(run(Options::parse()))
}

fn run(options: Options) -> Result<(), Box<dyn Error + Send + Sync>> {
    let ends = Ends::between((CLIENT, "client 10.0.0.1"), (SERVER, "server 10.0.0.2"));
    let glass = options.glass.with_ladder_of_stream(0);
    let shown = glass.open(ends, &[(CLIENT, "client"), (SERVER, "server")])?;
    let faults = match options.link.faults(&shown)? {
        Some(faults) => faults,
        // The server's welcome is the first data segment, the client's name the second.
        None => Faults::new(0)
            .lose("data 2 of stream 0".parse::<Selector>()?)
            .sink(shown.clone()),
    };
    let walks = Walks::default();
    let (left, right) = Wire::new(Medium::Ethernet, 1514).faulty_ends(faults)?;
    let host = |number: u8, end: WireEnd| {
        Host::builder()
            .hardware_address([2, 0, 0, 0, 0, number])
            .address([10, 0, 0, number].into(), 24)
            .address([0xfd00, 0, 0, 0, 0, 0, 0, number.into()].into(), 64)
            // The ladder first: whoever waits for the walk's end then draws what led there.
            .observer((shown.at(Station(number - 1)), walks.clone()))
            .start(end)
    };
    let (client, server) = (host(1, left)?, host(2, right)?);
    writeln!(
        io::stdout(),
        "Two hosts in this process, each with a TCP/IP stack of its own:\n"
    )?;
    writeln!(
        io::stdout(),
        "  client 10.0.0.1 fd00::1 ═══════ Ethernet ═══════ 10.0.0.2 fd00::2 server"
    )?;
    writeln!(
        io::stdout(),
        "\n  → what the client says, ← what the server says"
    )?;

    let addresses: [IpAddr; 2] = [[10, 0, 0, 2].into(), [0xfd00, 0, 0, 0, 0, 0, 0, 2].into()];
    for address in addresses {
        let family = if address.is_ipv4() { "IPv4" } else { "IPv6" };
        let address = SocketAddr::new(address, 9999);
        writeln!(
            io::stdout(),
            "\nTCP over {family}: three clients at once, a server thread for each"
        )?;
        writeln!(io::stdout(), "{:═<80}", "")?;
        tcp(&client, &server, address, &walks, &shown)?;
        writeln!(
            io::stdout(),
            "\nUDP over {family}: no connection, so no states"
        )?;
        writeln!(io::stdout(), "{:═<80}", "")?;
        udp(&client, &server, address)?;
    }
    writeln!(
        io::stdout(),
        "\nNext, against real programs: cargo run --example tcp_server -- --help"
    )?;
    Ok(shown.finish()?)
}

/// What a thread has to tell about the connection of the client at this address.
type Said = Sender<(SocketAddr, String)>;

fn tcp(
    client: &Host,
    server: &Host,
    address: SocketAddr,
    walks: &Walks,
    shown: &Shown,
) -> io::Result<()> {
    let listener = TcpListener::bind_with_backlog(server, address, 5)?;
    writeln!(io::stdout(), "Waiting for connection...")?;
    let (said, told) = mpsc::channel();
    let server_said = said.clone();
    thread::spawn(move || {
        for (stream, peer) in (0..NAMES.len()).map_while(|_| listener.accept().ok()) {
            let said = server_said.clone();
            thread::spawn(move || tell(tcplink(stream, peer, &said)));
        }
    });

    // Connected one by one, so that the order is the same each time; then all talk at once.
    let streams = NAMES.map(|name| (name, TcpStream::connect(client, address)));
    let mut clients = Vec::new();
    for (name, stream) in streams {
        let stream = stream?;
        clients.push(stream.local_addr()?);
        let said = said.clone();
        thread::spawn(move || tell(talk(stream, name, &said)));
    }

    // Three conversations in one stream of lines: sorted by connection, told in turn. It ends with the last thread.
    drop(said);
    let mut walked = Vec::new();
    let mut conversations = HashMap::<SocketAddr, String>::new();
    for (client, text) in told {
        *conversations.entry(client).or_default() += &text;
    }
    for client in &clients {
        // Both ends are at their ends, and so is the first one's ladder.
        let (local, remote) = (walks.walk(*client, address), walks.walk(address, *client));
        walked.push((local, remote));
    }
    shown.draw()?;
    for (client, (local, remote)) in clients.into_iter().zip(walked) {
        writeln!(
            io::stdout(),
            "\n{}",
            conversations.remove(&client).unwrap_or_default()
        )?;
        writeln!(io::stdout(), "client {local}")?;
        writeln!(io::stdout(), "server {remote}")?;
    }
    Ok(())
}

/// A thread has nobody to return its error to.
fn tell(outcome: io::Result<()>) {
    outcome.unwrap_or_else(|error| eprintln!("error: {error}"));
}

/// The server's thread for one connection. (No second's sleep before each answer: only clients are slow here.)
fn tcplink(mut stream: TcpStream, peer: SocketAddr, said: &Said) -> io::Result<()> {
    // Nobody listens any more only where main has failed, and has said why.
    let say = |text| said.send((peer, text)).unwrap_or_default();
    say(format!("Accept new connection from {peer}...\n"));
    stream.write_all(b"Welcome!")?;
    let mut buffer = [0; 1024];
    loop {
        let length = stream.read(&mut buffer)?;
        let name = &buffer[..length];
        if name.is_empty() || name == b"exit" {
            break;
        }
        stream.write_all(&[b"Hello, ", name, b"!"].concat())?;
    }
    drop(stream); // close()
    say(format!("\nConnection from {peer} closed."));
    Ok(())
}

/// One client: is welcomed, says its name, is greeted, leaves.
fn talk(mut stream: TcpStream, name: &str, said: &Said) -> io::Result<()> {
    let local = stream.local_addr()?;
    let say = |text| said.send((local, text)).unwrap_or_default();
    let mut buffer = [0; 1024];
    for word in [name, "exit"] {
        let length = stream.read(&mut buffer)?;
        let heard = String::from_utf8_lossy(&buffer[..length]);
        say(format!("  ← {heard}  → {word}"));
        // Nobody types as fast as TCP acknowledges: with the answer at once, the lost name would be a lost ACK, too.
        thread::sleep(TYPING);
        stream.write_all(word.as_bytes())?;
    }
    stream.read(&mut buffer).map(drop) // the end: the server's FIN
}

fn udp(client: &Host, server: &Host, address: SocketAddr) -> io::Result<()> {
    let socket = UdpSocket::bind(server, address)?;
    writeln!(io::stdout(), "Bind UDP on {}...", address.port())?;
    // To the end of the program: which question is the last one, a server cannot know where answers may be lost.
    thread::spawn(move || -> io::Result<()> {
        loop {
            let mut buffer = [0; 1024];
            let (length, from) = socket.recv_from(&mut buffer)?;
            let told = writeln!(io::stdout(), "Received from {from}.");
            socket.send_to(&[b"Hello, ", &buffer[..length], b"!"].concat(), from)?;
            told?; // After the answer, for which the client waits.
        }
    });

    let any: IpAddr = if address.is_ipv4() {
        [0, 0, 0, 0].into()
    } else {
        [0u16; 8].into()
    };
    let socket = UdpSocket::bind(client, SocketAddr::new(any, 0))?;
    socket.set_read_timeout(Some(PATIENCE))?;
    for name in NAMES {
        let answer = ask(&socket, name, address)?;
        writeln!(io::stdout(), "  → {name}  ← {answer}")?;
    }
    Ok(())
}

/// Asks until the answer to this name is there: either may be lost, and UDP does not say so. A question that was asked twice
/// may be answered twice, the second time while we wait for the next name's answer.
fn ask(socket: &UdpSocket, name: &str, address: SocketAddr) -> io::Result<String> {
    let mut buffer = [0; 1024];
    loop {
        socket.send_to(name.as_bytes(), address)?;
        loop {
            match socket.recv_from(&mut buffer) {
                Ok((length, _)) => {
                    let answer = String::from_utf8_lossy(&buffer[..length]);
                    if answer == format!("Hello, {name}!") {
                        return Ok(answer.into_owned());
                    }
                }
                // What a timeout is called on a socket, as in `std::net`.
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => break,
                Err(error) => return Err(error),
            }
        }
    }
}
