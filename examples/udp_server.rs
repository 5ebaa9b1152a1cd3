//! The UDP server: `Hello, X!` for each datagram X.
//!
//! ```text
//! cargo run --example udp_server -- --lab -- python3 tests/peers/udp_client.py 192.168.69.1 9999
//! ```

use std::{
    io,
    net::{IpAddr, SocketAddr},
    process::ExitCode,
    thread,
};

use clap::Parser;
use glasstack::{socket::blocking::UdpSocket, stack::Capacity};

mod place;

/// A UDP server on a userspace stack: "Hello, X!" for each datagram X.
///
/// With --lab it ends when the peer COMMAND ends, with its exit status:
///
///   udp_server --lab -- python3 tests/peers/udp_client.py 192.168.69.1 9999
#[derive(Parser)]
#[command(verbatim_doc_comment, after_help = place::HELP)]
struct Options {
    #[command(flatten)]
    place: place::Place,
    /// Receive at this address; "::" is every address of both families
    #[arg(long, default_value = "::")]
    address: IpAddr,
    /// Receive at this port
    #[arg(long, default_value_t = 9999)]
    port: u16,
}

fn main() -> ExitCode {
    place::exit(run(Options::parse()))
}

fn run(options: Options) -> place::Result<ExitCode> {
    let running = options
        .place
        .enter(place::Side::Right, Capacity::default(), None)?;
    let address = (options.address, options.port);
    let socket = UdpSocket::bind(&running.host, address).map_err(place::with(address))?;
    println!("Bind UDP on {}...", options.port);
    thread::spawn(move || {
        // Only the end of the host ends `recv_from`.
        while greet(&socket).is_ok() {}
    });
    running.wait_for_peer()
}

/// One datagram and its answer. There is no connection: `from` is all that is known of the client.
fn greet(socket: &UdpSocket) -> io::Result<()> {
    let mut buffer = [0; 1024];
    let (length, from) = socket.recv_from(&mut buffer)?;
    // An IPv4 peer of a socket on "::" is ::ffff:a.b.c.d; a reader wants a.b.c.d.
    println!(
        "Received from {}.",
        SocketAddr::new(from.ip().to_canonical(), from.port())
    );
    if let Err(error) = socket.send_to(&[b"Hello, ", &buffer[..length], b"!"].concat(), from) {
        // Told and gone on: a client that cannot be reached must not end the server.
        eprintln!("No answer to {from}: {error}");
    }
    Ok(())
}
