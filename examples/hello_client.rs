//! The client of `tcp_server`: is welcomed, says three names, prints the answers and leaves.
//!
//! ```text
//! cargo run --example hello_client -- --lab -- python3 tests/peers/hello_server.py 192.168.69.100 9999
//! ```

use std::{
    io::{self, Read, Write},
    process::ExitCode,
};

use clap::Parser;
use glasstack::{socket::blocking::TcpStream, stack::Capacity};

mod place;

/// A TCP client on a userspace stack: is welcomed, says three names, prints the answers and leaves.
///
/// With --lab the peer COMMAND is started first and ended afterwards:
///
///   hello_client --lab -- python3 tests/peers/hello_server.py 192.168.69.100 9999
///   hello_client --ipv6 --lab -- python3 tests/peers/hello_server.py fdaa:69::100 9999
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

    let mut stream = running
        .patiently(|| TcpStream::connect(&running.host, server))
        .map_err(place::with(server))?;
    hear(&mut stream, "Welcome!")?;
    for name in ["Michael", "Tracy", "Sarah"] {
        stream.write_all(name.as_bytes())?;
        hear(&mut stream, &format!("Hello, {name}!"))?;
    }
    stream.write_all(b"exit")?;
    if stream.read(&mut [0; 1024])? != 0 {
        return Err("the server goes on after \"exit\"".into());
    }
    drop(stream); // close()

    running.end(peer)?;
    Ok(ExitCode::SUCCESS)
}

/// Reads and prints these words, which TCP may deliver in pieces.
fn hear(stream: &mut TcpStream, words: &str) -> io::Result<()> {
    let mut heard = vec![0; words.len()];
    stream.read_exact(&mut heard)?;
    println!("{}", String::from_utf8_lossy(&heard));
    match heard == words.as_bytes() {
        true => Ok(()),
        false => Err(io::Error::other(format!(
            "the server does not say {words:?}"
        ))),
    }
}
