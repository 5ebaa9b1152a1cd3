//! Finds the services of a link: asks by multicast DNS, and prints who answers.
//!
//! ```text
//! cargo run --example discover -- --lab -- sh tests/peers/avahi.sh
//! ```

use std::{
    collections::BTreeSet,
    hash::{BuildHasher, Hasher, RandomState},
    io,
    net::{IpAddr, Ipv4Addr, Ipv6Addr},
    process::ExitCode,
    time::{Duration, Instant},
};

use clap::Parser;
use glasstack::{socket::blocking::UdpSocket, stack::Capacity};

mod browser;
#[path = "../place/mod.rs"]
mod place;
use browser::{Browser, Instance, Name};

/// Finds services on the link, as avahi-browse does: asks by multicast DNS for service types, then for services, then for
/// what is behind them, and prints their names, hosts, addresses, ports and texts.
///
/// With --lab the peer COMMAND is started first and ended afterwards; this one runs avahi-daemon with two services:
///
///   discover --lab -- sh tests/peers/avahi.sh
///   discover --service _ipp._tcp --count 1 --lab -- sh tests/peers/avahi.sh
#[derive(Parser)]
#[command(verbatim_doc_comment, after_help = place::HELP)]
struct Options {
    #[command(flatten)]
    place: place::Place,
    /// The type of service to look for, such as _ipp._tcp [default: all]
    #[arg(long, value_name = "TYPE")]
    service: Option<String>,
    /// How long to listen, in seconds
    #[arg(long, value_name = "SECONDS", default_value_t = 10)]
    time: u32,
    /// End a second after so many services are found: who answers for one may have more to say
    #[arg(long, value_name = "N")]
    count: Option<usize>,
}

const GROUP_V4: Ipv4Addr = Ipv4Addr::new(224, 0, 0, 251);
const GROUP_V6: Ipv6Addr = Ipv6Addr::new(0xff02, 0, 0, 0, 0, 0, 0, 0xfb);
const PORT: u16 = 5353;

fn main() -> ExitCode {
    place::exit(run(Options::parse()))
}

fn run(options: Options) -> place::Result<ExitCode> {
    let running = options
        .place
        .enter(place::Side::Left, Capacity::default(), None)?;
    let peer = running.start_peer()?;

    let socket = UdpSocket::bind(&running.host, ("::", PORT))?;
    socket.join_multicast_v4(&GROUP_V4, &Ipv4Addr::UNSPECIFIED)?;
    socket.join_multicast_v6(&GROUP_V6, 0)?;
    // RFC 6762 §11: who checks it knows that no router has passed it on.
    socket.set_multicast_ttl_v4(255)?;
    socket.set_multicast_loop_v4(false)?;

    let mut browser = Browser::new(options.service.as_deref());
    let mut told = BTreeSet::new();
    let mut end = Instant::now() + Duration::from_secs(options.time.into());
    // RFC 6762 §5.2: not at the very moment at which all others begin, and ever more seldom.
    let mut ask_at = Instant::now() + Duration::from_millis(20 + random() % 100);
    let mut interval = Duration::from_secs(1);
    let mut wanted = options.count;
    while Instant::now() < end {
        if ask_at <= Instant::now() {
            ask(&socket, &browser)?;
            ask_at = Instant::now() + interval;
            interval *= 2;
        }
        let known = browser.count();
        hear(&socket, &mut browser, end.min(ask_at))?;
        if browser.count() > known {
            tell(&browser, &mut told);
            // What is behind a new name is asked for at once.
            (ask_at, interval) = (Instant::now(), Duration::from_secs(1));
        }
        if wanted.is_some_and(|wanted| browser.resolved().count() >= wanted) {
            wanted = None;
            end = end.min(Instant::now() + Duration::from_secs(1));
        }
    }
    for service in browser.resolved() {
        println!("{service}");
    }

    running.end(peer)?;
    Ok(ExitCode::SUCCESS)
}

/// Asks all who are in the groups.
fn ask(socket: &UdpSocket, browser: &Browser) -> io::Result<()> {
    let query = browser.query();
    for group in [IpAddr::from(GROUP_V4), GROUP_V6.into()] {
        socket.send_to(&query, (group, PORT))?;
    }
    Ok(())
}

/// Waits for a message, if one comes in time.
fn hear(socket: &UdpSocket, browser: &mut Browser, until: Instant) -> io::Result<()> {
    let patience = until.saturating_duration_since(Instant::now());
    socket.set_read_timeout(Some(patience.max(Duration::from_millis(1))))?;
    let mut message = [0; 9_000]; // RFC 6762 §17
    match socket.recv_from(&mut message) {
        // RFC 6762 §6: answers from other ports are nobody's.
        Ok((len, from)) if from.port() == PORT => browser.hear(&message[..len]),
        Ok(_) => {}
        Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
        Err(error) => return Err(error),
    }
    Ok(())
}

/// Says which services have turned up.
fn tell(browser: &Browser, told: &mut BTreeSet<Name>) {
    for name in browser.names() {
        if told.insert(name.clone()) {
            println!("+ {}", Instance(name));
        }
    }
}

/// Something else in each process.
fn random() -> u64 {
    RandomState::new().build_hasher().finish()
}
