//! The servers and the clients, as one set of tasks for every world: they know a network to make their sockets with, and a
//! way to say something. No operating system, no heap, no executor, no clock.

use core::{convert::Infallible, fmt, net::SocketAddr, str, time::Duration};

use embassy_futures::select::{Either, select, select_array};
use glasstack::{
    Error, Result,
    socket::{Network, TcpListener, TcpStream, UdpSocket, sleep, timeout},
};

/// Connections that the TCP server serves at once; further ones wait until it has time for them.
pub(crate) const CONNECTIONS: usize = 4;

/// Octets of the longest name.
const LONGEST: usize = 256;

const NAMES: [&str; 3] = ["Michael", "Tracy", "Sarah"];

/// How long a client takes for a word.
const TYPING: Duration = Duration::from_millis(30);

/// How long an answer over UDP may take, before the question is taken for lost; and how often it is asked.
const PATIENCE: Duration = Duration::from_millis(500);
const ATTEMPTS: usize = 20;

/// Where a line goes: to a terminal, over a serial port, into a test.
pub(crate) trait Say: Fn(fmt::Arguments<'_>) + Clone {}
impl<F: Fn(fmt::Arguments<'_>) + Clone> Say for F {}

/// Both servers, for ever.
pub(crate) async fn servers<N: Network + Clone>(
    network: N,
    address: SocketAddr,
    say: impl Say,
) -> Result<Infallible> {
    let tcp = tcp_server(network.clone(), address, say.clone());
    let udp = udp_server(network, address, say);
    match select(tcp, udp).await {
        Either::First(end) | Either::Second(end) => end,
    }
}

/// Both clients, one after the other.
pub(crate) async fn clients<N: Network + Clone>(
    network: N,
    server: SocketAddr,
    say: impl Say,
) -> Result<()> {
    tcp_client(network.clone(), server, say.clone()).await?;
    udp_client(network, server, say).await
}

/// A welcome, `Hello, X!` for each X, `exit` ends it.
pub(crate) async fn tcp_server<N: Network + Clone>(
    network: N,
    address: SocketAddr,
    say: impl Say,
) -> Result<Infallible> {
    let listener = TcpListener::bind(network, address, CONNECTIONS)?;
    say(format_args!("Waiting for connection..."));
    // A task for each connection, in memory that is known beforehand: so many, of which each serves one after another.
    let tasks = [(); CONNECTIONS].map(|()| serve(&listener, &say));
    // They go on for ever: the first to end has the reason.
    select_array(tasks).await.0
}

async fn serve<N: Network + Clone>(
    listener: &TcpListener<N>,
    say: &impl Say,
) -> Result<Infallible> {
    loop {
        let (stream, peer) = listener.accept().await?;
        tcplink(stream, peer, say).await;
    }
}

/// One connection, from its welcome to its end.
async fn tcplink<N: Network>(stream: TcpStream<N>, peer: SocketAddr, say: &impl Say) {
    let peer = canonical(peer);
    say(format_args!("Accept new connection from {peer}..."));
    if let Err(error) = greet(&stream).await {
        say(format_args!("Connection from {peer} broke off: {error}"));
    }
    drop(stream); // close(): what is still queued goes out, then FIN
    say(format_args!("Connection from {peer} closed."));
}

/// TCP knows no messages: that one `read` returns one name holds because a client waits for each answer.
async fn greet<N: Network>(stream: &TcpStream<N>) -> Result<()> {
    stream.write_all(b"Welcome!").await?;
    let mut buffer = [0; LONGEST];
    loop {
        let length = stream.read(&mut buffer).await?;
        // The end of the line, which `nc` sends along, is none of the name's.
        let name = buffer[..length].trim_ascii_end();
        if length == 0 || name == b"exit" {
            return Ok(());
        }
        stream.write_all(&greeting(name)).await?;
    }
}

/// `Hello, X!` for each datagram X.
pub(crate) async fn udp_server<N: Network>(
    network: N,
    address: SocketAddr,
    say: impl Say,
) -> Result<Infallible> {
    let socket = UdpSocket::bind(network, address)?;
    say(format_args!("Bind UDP on {}...", address.port()));
    let mut buffer = [0; LONGEST];
    loop {
        let datagram = socket.recv_from(&mut buffer).await?;
        let (name, from) = (buffer[..datagram.len].trim_ascii_end(), datagram.from);
        say(format_args!("Received from {}.", canonical(from)));
        if let Err(error) = socket.send_to(&greeting(name), from).await {
            // Told and gone on: a client that cannot be reached must not end the server.
            say(format_args!("No answer to {}: {error}", canonical(from)));
        }
    }
}

/// Is welcomed, says three names, hears the answers, leaves.
pub(crate) async fn tcp_client<N: Network + Clone>(
    network: N,
    server: SocketAddr,
    say: impl Say,
) -> Result<()> {
    let stream = TcpStream::connect(network.clone(), server).await?;
    hear(&stream, "Welcome!".len(), &say).await?;
    for name in NAMES.into_iter().chain(["exit"]) {
        // On the network's own clock: in a simulation it takes no time at all.
        sleep(&network, TYPING).await?;
        say(format_args!("→ {name}"));
        stream.write_all(name.as_bytes()).await?;
        if name != "exit" {
            hear(&stream, greeting(name.as_bytes()).len(), &say).await?;
        }
    }
    // The end: the server's FIN.
    while stream.read(&mut [0; LONGEST]).await? > 0 {}
    Ok(())
}

/// Reads so many octets, which TCP may deliver in pieces.
async fn hear<N: Network>(stream: &TcpStream<N>, length: usize, say: &impl Say) -> Result<()> {
    let mut buffer = [0; LONGEST];
    stream.read_exact(&mut buffer[..length]).await?;
    say(format_args!("← {}", text(&buffer[..length])));
    Ok(())
}

/// Sends three names, and hears the answers.
pub(crate) async fn udp_client<N: Network + Clone>(
    network: N,
    server: SocketAddr,
    say: impl Say,
) -> Result<()> {
    // Any address and port of ours, of the server's family.
    let any: SocketAddr = match server {
        SocketAddr::V4(_) => (core::net::Ipv4Addr::UNSPECIFIED, 0).into(),
        SocketAddr::V6(_) => (core::net::Ipv6Addr::UNSPECIFIED, 0).into(),
    };
    let socket = UdpSocket::bind(network.clone(), any)?;
    for name in NAMES {
        say(format_args!("→ {name}"));
        ask(&network, &socket, name, server).await?;
        say(format_args!("← {}", text(&greeting(name.as_bytes()))));
    }
    Ok(())
}

/// Asks until the answer to this name is there. UDP does not say whether a datagram arrived: without an answer it is sent
/// again, and may so be answered twice, the second time while we wait for the next name's answer.
async fn ask<N: Network>(
    network: &N,
    socket: &UdpSocket<N>,
    name: &str,
    server: SocketAddr,
) -> Result<()> {
    let expected = greeting(name.as_bytes());
    let mut buffer = [0; LONGEST];
    for _ in 0..ATTEMPTS {
        socket.send_to(name.as_bytes(), server).await?;
        let answer = async {
            loop {
                let length = socket.recv(&mut buffer).await?;
                if buffer[..length] == *expected {
                    return Ok(());
                }
            }
        };
        match timeout(network, PATIENCE, answer).await {
            Err(Error::TimedOut) => {}
            outcome => return outcome?,
        }
    }
    Err(Error::TimedOut)
}

/// `Hello, X!`, put together without a heap.
fn greeting(name: &[u8]) -> heapless::Vec<u8, { LONGEST + 8 }> {
    let parts = [b"Hello, ", name, b"!"];
    parts.into_iter().flatten().copied().collect()
}

/// An IPv4 peer of a socket on `::` is ::ffff:a.b.c.d; a reader wants a.b.c.d.
fn canonical(peer: SocketAddr) -> SocketAddr {
    SocketAddr::new(peer.ip().to_canonical(), peer.port())
}

fn text(octets: &[u8]) -> &str {
    str::from_utf8(octets).unwrap_or("(no text)")
}
