//! The UDP client: sends Michael, Tracy and Sarah, and prints the answers.
//!
//! ```text
//! cargo run --example udp_client -- --lab -- python3 tests/peers/udp_server.py 192.168.69.100 9999
//! ```

use std::{
    io,
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr},
    process::ExitCode,
    time::Duration,
};

use clap::Parser;
use glasstack::{socket::blocking::UdpSocket, stack::Capacity};

mod place;

/// A UDP client on a userspace stack: sends three names to a server and prints its answers.
///
/// With --lab the peer COMMAND is started first and ended afterwards:
///
///   udp_client --lab -- python3 tests/peers/udp_server.py 192.168.69.100 9999
///   udp_client --ipv6 --lab -- python3 tests/peers/udp_server.py fdaa:69::100 9999
#[derive(Parser)]
#[command(verbatim_doc_comment, after_help = place::HELP)]
struct Options {
    #[command(flatten)]
    place: place::Place,
    #[command(flatten)]
    server: place::Server,
}

fn main() -> ExitCode {
    place::exit(run(Options::parse()))
}

fn run(options: Options) -> place::Result<ExitCode> {
    let server = options.server.address();
    let running = options
        .place
        .enter(place::Side::Left, Capacity::default(), None)?;
    let peer = running.start_peer()?;

    // Any address and port of ours, of the server's family.
    let any: IpAddr = match server {
        SocketAddr::V4(_) => Ipv4Addr::UNSPECIFIED.into(),
        SocketAddr::V6(_) => Ipv6Addr::UNSPECIFIED.into(),
    };
    let socket = UdpSocket::bind(&running.host, (any, 0))?;
    socket.set_read_timeout(Some(Duration::from_millis(500)))?;
    let mut before = Vec::new();
    for name in ["Michael", "Tracy", "Sarah"] {
        let answer = running
            .patiently(|| ask(&socket, name, server, &before))
            .map_err(place::with(server))?;
        println!("{}", String::from_utf8_lossy(&answer));
        before = answer;
    }

    running.end(peer)?;
    Ok(ExitCode::SUCCESS)
}

/// Asks once for the answer to `name`. UDP does not say whether a datagram arrived: without an answer it is sent again,
/// and may so be answered twice, the second time while we wait for the next name's answer.
fn ask(socket: &UdpSocket, name: &str, server: SocketAddr, before: &[u8]) -> io::Result<Vec<u8>> {
    let mut buffer = [0; 1024];
    socket.send_to(name.as_bytes(), server)?;
    loop {
        let (length, _) = socket.recv_from(&mut buffer).map_err(|error| {
            // What a timeout is called on a socket, as in `std::net`; a reader wants to know what it means.
            match error.kind() {
                io::ErrorKind::WouldBlock => io::Error::new(io::ErrorKind::TimedOut, "no answer"),
                _ => error,
            }
        })?;
        if buffer[..length] != *before {
            return Ok(buffer[..length].to_vec());
        }
    }
}
