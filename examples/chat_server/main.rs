//! A chat server in one thread, which waits for all of its clients at once by `poll`.
//!
//! ```text
//! cargo run --example chat_server -- --lab -- python3 tests/peers/hello_client.py 192.168.69.1 9999
//! ```

use std::{io, net::IpAddr, process::ExitCode, thread};

use clap::Parser;
use glasstack::{
    socket::blocking::{TcpListener, poll},
    stack::{Capacity, Events, PollFd},
};

#[path = "../place/mod.rs"]
mod place;

mod client;
mod room;

use client::Client;
use room::Room;

/// A chat server on a userspace stack, in one thread: it waits by poll() for whatever any of its clients does.
///
/// Who says nothing of chat is served as by tcp_server: "Welcome!", then "Hello, X!" for each X, until
/// "exit" or the end of the stream. A line "/join NAME" makes a client a member: what it says from then
/// on, a line at a time, the other members hear, and it hears them. "/leave" ends that.
///
/// With --lab it ends when the peer COMMAND ends, with its exit status:
///
///   chat_server --lab -- python3 tests/peers/hello_client.py 192.168.69.1 9999
///   chat_server --lab                       (a shell; then nc 192.168.69.1 9999, twice)
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
    /// How many clients there is memory for; further ones wait until one leaves
    #[arg(long, default_value_t = 64)]
    clients: usize,
}

fn main() -> ExitCode {
    place::exit(run(Options::parse()))
}

fn run(options: Options) -> place::Result<ExitCode> {
    let clients = options.clients;
    let capacity = Capacity {
        // Further ones may have said goodbye, or wait to be accepted.
        connections: 2 * clients,
        sockets: clients + 1,
        ..Capacity::default()
    };
    let running = options.place.enter(place::Side::Right, capacity, None)?;
    let address = (options.address, options.port);
    let listener = TcpListener::bind_with_backlog(&running.host, address, options.backlog)
        .map_err(place::with(address))?;
    println!("Waiting for connection...");
    let host = running.host.clone();
    // The one thread; this one waits for the peer's end.
    thread::spawn(move || {
        let mut room = Room::new(clients);
        loop {
            let mut fds = vec![PollFd::new(
                listener.fd(),
                if room.is_full() {
                    Events::NONE // who comes now waits in the backlog
                } else {
                    Events::POLLIN
                },
            )];
            fds.extend(room.clients().map(Client::poll_fd));
            if poll(&host, &mut fds, None).is_err() {
                return; // our host's end
            }
            let Some((listening, rows)) = fds.split_first() else {
                return;
            };
            // The rows are those of the clients, in their order: a new one comes after them.
            room.serve(rows);
            // A connection, or an error that only `accept` can tell.
            if !listening.revents.is_empty() {
                welcome(&listener, &mut room);
            }
        }
    });
    running.wait_for_peer()
}

/// Takes the connection that `poll` spoke of.
fn welcome(listener: &TcpListener, room: &mut Room) {
    let accepted = listener.accept().and_then(|(stream, peer)| {
        // From now on no call waits for this client alone.
        stream.set_nonblocking(true)?;
        Ok(Client::new(stream, peer))
    });
    match accepted {
        Ok(client) => room.enter(client),
        Err(error) if error.kind() == io::ErrorKind::NetworkDown => {}
        // One that fails must not end the server for all others.
        Err(error) => eprintln!("accept: {error}"),
    }
}
