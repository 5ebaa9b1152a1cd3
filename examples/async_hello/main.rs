//! One application, three worlds: the tasks of `application.rs` as they are, under virtual time, on tokio, and in one thread
//! without an executor or a heap.
//!
//! ```text
//! cargo run --example async_hello
//! cargo run --example async_hello -- --world block-on
//! cargo run --features tokio --example async_hello -- --world tokio
//! cargo run --features tokio --example async_hello -- --world tokio --lab -- python3 tests/peers/hello_client.py 192.168.69.1 9999
//! ```

use std::{
    convert::Infallible,
    fmt,
    future::Future,
    io::{self, Write},
    net::{IpAddr, Ipv6Addr, SocketAddr},
    process::ExitCode,
    sync::{Arc, Mutex, PoisonError},
};

use clap::{Parser, ValueEnum};
use glasstack::{
    device::{Wire, WireEnd, wire::Faults},
    smoltcp::phy::Medium,
    socket::Network,
    trace::{Station, ladder::Ends},
};

mod application;
mod http;
mod in_simulation;
mod on_block_on;
#[cfg(feature = "tokio")]
mod on_tokio;
mod page;
#[path = "../place/mod.rs"]
mod place;
use place::{Place, Result, glass::Shown};

/// One application in three worlds: a TCP server that welcomes and greets, a UDP server that greets, and their clients, the
/// same file of asynchronous functions each time.
///
/// The simulation draws the TCP connection as a ladder; unless you choose another fault, its first name is lost on the way,
/// and without --seed it is the same run each time. The other worlds draw it with --ladder. On tokio the servers also greet
/// the clients of Linux:
///
///   async_hello
///   async_hello --world block-on --ipv6 --delay 20 --ladder --stream 0
///   async_hello --world tokio --loss 10
///   async_hello --world tokio --lab -- python3 tests/peers/hello_client.py 192.168.69.1 9999
///   async_hello --world tokio --lab -- python3 tests/peers/udp_client.py 192.168.69.1 9999
#[derive(Parser)]
#[command(verbatim_doc_comment, after_help = place::HELP)]
#[command(mut_group("where", |group| group.required(false)))]
struct Options {
    /// What the application runs in; there is tokio, too, if built with --features tokio
    #[arg(long, value_enum, default_value = "simulation")]
    world: World,
    /// Let the clients talk over IPv6
    #[arg(long)]
    ipv6: bool,
    /// Let the client fetch a page over HTTP, and the server have one
    #[arg(long)]
    http: bool,
    #[command(flatten)]
    place: Place,
}

#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
enum World {
    /// Two hosts under virtual time
    Simulation,
    /// Two hosts as tasks of tokio, or one on a TAP or in a lab
    #[cfg(feature = "tokio")]
    Tokio,
    /// Two hosts in one thread, without an executor or a heap
    BlockOn,
}

const CLIENT: Station = Station(0);
const SERVER: Station = Station(1);

/// Where on the screen the server's lines begin.
const SERVER_COLUMN: usize = 28;

/// Every address of both families.
const ANY: SocketAddr = SocketAddr::new(IpAddr::V6(Ipv6Addr::UNSPECIFIED), 9999);

fn main() -> ExitCode {
    place::exit(run(Options::parse()))
}

fn run(options: Options) -> Result<ExitCode> {
    let Options {
        world,
        ipv6,
        http,
        place,
    } = options;
    let programs = if http {
        Programs::Http
    } else {
        Programs::Hello
    };
    if place.is_given() {
        return match world {
            #[cfg(feature = "tokio")]
            World::Tokio => on_tokio::on_a_tap(place, programs),
            _ => Err("--lab and --tap are for --world tokio (cargo run --features tokio)".into()),
        };
    }
    let server = SocketAddr::new(addresses(SERVER)[usize::from(ipv6)].0, ANY.port());
    let (left, right) = match ipv6 {
        false => ("client 10.0.0.1", "server 10.0.0.2"),
        true => ("client fd00::1", "server fd00::2"),
    };
    let ends = Ends::between((CLIENT, left), (SERVER, right));
    let glass = match world {
        World::Simulation => place.glass.clone().with_ladder_of_stream(0),
        _ => place.glass.clone(),
    };
    let shown = glass.open(ends, &[(CLIENT, "client"), (SERVER, "server")])?;
    let screen = Screen::default();
    screen.left()(format_args!("{left:SERVER_COLUMN$}{right}"));
    let outcome = match world {
        World::Simulation => in_simulation::run(&place.link, &shown, &screen, server, programs),
        World::BlockOn => {
            on_block_on::run(wire(&place, &shown)?, &shown, &screen, server, programs)
        }
        #[cfg(feature = "tokio")]
        World::Tokio => on_tokio::run(wire(&place, &shown)?, &shown, &screen, server, programs),
    };
    // Of a failure all the more.
    let finished = screen.finish(&shown);
    outcome.and(finished)
}

/// A host's Ethernet address.
fn hardware_address(host: Station) -> [u8; 6] {
    [2, 0, 0, 0, 0, host.0 + 1]
}

/// A host's addresses with the lengths of their prefixes: 10.0.0.1/24 and fd00::1/64 for the first.
fn addresses(host: Station) -> [(IpAddr, u8); 2] {
    let number = host.0 + 1;
    let v6 = [0xfd00, 0, 0, 0, 0, 0, 0, number.into()];
    [([10, 0, 0, number].into(), 24), (v6.into(), 64)]
}

/// The link between two hosts in this process.
fn wire(place: &Place, shown: &Shown) -> Result<(WireEnd, WireEnd)> {
    let faults = place.link.faults(shown)?.unwrap_or(Faults::new(0));
    Ok(Wire::new(Medium::Ethernet, 1514).faulty_ends(faults)?)
}

/// What the two hosts do.
#[derive(Clone, Copy)]
enum Programs {
    /// They greet and are greeted.
    Hello,
    /// One has a page, which the other fetches.
    Http,
}

impl Programs {
    async fn serve<N: Network + Clone>(
        self,
        network: N,
        say: impl application::Say,
    ) -> glasstack::Result<Infallible> {
        match self {
            Programs::Hello => application::servers(network, ANY, say).await,
            Programs::Http => page::server(network, ANY, say).await,
        }
    }

    async fn ask<N: Network + Clone>(
        self,
        network: N,
        server: SocketAddr,
        say: impl application::Say,
    ) -> glasstack::Result<()> {
        let url = format!("http://{server}/");
        let body = |octets: &[u8]| {
            if !octets.is_empty() {
                say(format_args!("{}", String::from_utf8_lossy(octets)));
            }
        };
        match self {
            Programs::Hello => application::clients(network, server, say).await,
            Programs::Http => http::get(network, &url, say.clone(), body).await,
        }
    }
}

/// A server's task has nobody to return its error to.
async fn tell(server: impl Future<Output = glasstack::Result<Infallible>>) {
    let Err(error) = server.await;
    eprintln!("error: {error}");
}

/// What is said, the client's on the left and the server's on the right; and what came of writing it.
#[derive(Clone)]
struct Screen(Arc<Mutex<io::Result<()>>>);

impl Default for Screen {
    fn default() -> Screen {
        Screen(Arc::new(Mutex::new(Ok(()))))
    }
}

impl Screen {
    fn left(&self) -> impl Fn(fmt::Arguments<'_>) + Clone + Send + Sync + 'static + use<> {
        self.column(0)
    }

    fn right(&self) -> impl Fn(fmt::Arguments<'_>) + Clone + Send + Sync + 'static + use<> {
        self.column(SERVER_COLUMN)
    }

    fn column(&self, indent: usize) -> impl Fn(fmt::Arguments<'_>) + Clone + Send + Sync + use<> {
        let screen = self.0.clone();
        move |line| {
            let mut written = screen.lock().unwrap_or_else(PoisonError::into_inner);
            if written.is_ok() {
                *written = writeln!(io::stdout(), "{:indent$}{line}", "");
            }
        }
    }

    /// The end of the program: draws what is to be shown, unless nobody looks.
    fn finish(&self, shown: &Shown) -> Result<ExitCode> {
        let mut written = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let written = std::mem::replace(&mut *written, Ok(()));
        match written.and_then(|()| shown.finish()) {
            // Whoever closes our output, as `head` does, has seen enough.
            Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(ExitCode::SUCCESS),
            outcome => Ok(outcome.map(|()| ExitCode::SUCCESS)?),
        }
    }
}
