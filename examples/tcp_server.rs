//! The TCP server: a welcome, a thread per connection, `Hello, X!` for each X, `exit` ends it.
//!
//! ```text
//! cargo run --example tcp_server -- --lab -- python3 tests/peers/hello_client.py 192.168.69.1 9999
//! ```

use std::{
    io::{self, Read, Write},
    net::{IpAddr, SocketAddr},
    process::ExitCode,
    thread,
    time::Duration,
};

use clap::Parser;
use glasstack::{
    socket::blocking::{TcpListener, TcpStream},
    stack::Capacity,
};

mod place;

/// A TCP server on a userspace stack: "Welcome!", then "Hello, X!" for each X that it is sent,
/// until "exit" or the end of the stream. A thread for each connection.
///
/// With --lab it ends when the peer COMMAND ends, with its exit status:
///
///   tcp_server --lab -- python3 tests/peers/hello_client.py 192.168.69.1 9999
///   tcp_server --lab -- nc 192.168.69.1 9999
#[derive(Parser)]
#[command(verbatim_doc_comment, after_help = place::HELP)]
struct Options {
    #[command(flatten)]
    place: place::Place,
    /// Listen on this address; "::" is every address of both families
    #[arg(long, default_value = "::")]
    address: IpAddr,
    /// Listen on this port
    #[arg(long, default_value_t = 9999)]
    port: u16,
    /// How many connections may wait to be accepted
    #[arg(long, default_value_t = 5)]
    backlog: usize,
    /// How many connections there is memory for; further ones wait until a place is free
    #[arg(long, default_value_t = 64)]
    connections: usize,
    /// Wait so long before each answer (1 is what a tutorial's slow server does)
    #[arg(long, value_name = "SECONDS", default_value_t = 0)]
    pause: u64,
}

fn main() -> ExitCode {
    place::exit(run(Options::parse()))
}

fn run(options: Options) -> place::Result<ExitCode> {
    let capacity = Capacity {
        connections: options.connections,
        // One each, one for the listener, and as many again for streams whose connection is gone before they are dropped.
        sockets: 2 * options.connections + 1,
        ..Capacity::default()
    };
    let running = options.place.enter(place::Side::Right, capacity, None)?;
    let address = (options.address, options.port);
    let delay = Duration::from_secs(options.pause);

    // socket(), bind() and listen() in one, as in `std::net`.
    let listener = TcpListener::bind_with_backlog(&running.host, address, options.backlog)
        .map_err(place::with(address))?;
    println!("Waiting for connection...");
    thread::spawn(move || {
        loop {
            match listener.accept() {
                Ok((stream, peer)) => {
                    thread::spawn(move || tcplink(stream, peer, delay));
                }
                Err(error) if error.kind() == io::ErrorKind::NetworkDown => break, // our host's end
                // One that fails must not end the server for all others.
                Err(error) => eprintln!("accept: {error}"),
            }
        }
    });
    running.wait_for_peer()
}

/// One connection, from its welcome to its end.
fn tcplink(mut stream: TcpStream, peer: SocketAddr, delay: Duration) {
    // An IPv4 peer of a socket on "::" is ::ffff:a.b.c.d; a reader wants a.b.c.d.
    let peer = SocketAddr::new(peer.ip().to_canonical(), peer.port());
    println!("Accept new connection from {peer}...");
    if let Err(error) = greet(&mut stream, delay) {
        println!("Connection from {peer} broke off: {error}");
    }
    drop(stream); // close(): what is still queued goes out, then FIN
    println!("Connection from {peer} closed.");
}

/// TCP knows no messages: that one `read` returns one name holds because a client waits for each answer.
fn greet(stream: &mut TcpStream, delay: Duration) -> io::Result<()> {
    stream.write_all(b"Welcome!")?;
    let mut buffer = [0; 1024];
    loop {
        let length = stream.read(&mut buffer)?;
        thread::sleep(delay);
        let name = &buffer[..length];
        if name.is_empty() || name == b"exit" {
            return Ok(());
        }
        stream.write_all(&[b"Hello, ", name, b"!"].concat())?;
    }
}
