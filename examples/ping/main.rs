//! `ping` over this stack: a raw socket of ICMP, its words those of iputils' ping.
//!
//! ```text
//! cargo run --example ping
//! cargo run --example ping -- -c 20 -i 0.1 --loss 20 --duplicate 10 --delay 15 --jitter 5
//! cargo run --example ping -- -c 3 -s 8000 fdaa:69::100 --lab
//! ```

use std::{
    io::{self, Write},
    net::IpAddr,
    process::ExitCode,
    sync::{Arc, Mutex, PoisonError},
    thread,
    time::Duration,
};

use clap::Parser;
use glasstack::{
    host::{Host, lab::LINUX_V4},
    stack::Capacity,
};
use nix::sys::signal::{SigSet, Signal};

mod destination;
mod icmp;
mod pinger;
#[path = "../place/mod.rs"]
mod place;
use icmp::Family;
use pinger::{Plan, Tally};
use place::{Place, Result};

/// Asks a host whether it is there, by ICMP echo requests, until Ctrl-C.
///
/// Without --lab or --tap two hosts of this process ping each other, five times, over a link that you can make a bad one. In
/// the lab there is Linux, 192.168.69.100 and fdaa:69::100, and whatever COMMAND brings:
///
///   ping
///   ping -6 -c 20 -i 0.1 --loss 20 --duplicate 10 --delay 15 --jitter 5
///   ping -c 3 -s 8000 192.168.69.100 --lab
///   ping -c 3 192.168.69.7 --lab
#[derive(Parser)]
#[command(verbatim_doc_comment, after_help = place::HELP)]
#[command(mut_group("where", |group| group.required(false)))]
struct Options {
    /// A name, or an address [default: server, the other host of this process]
    host: Option<String>,
    /// Send so many
    #[arg(short, value_name = "COUNT", value_parser = clap::value_parser!(u64).range(1..))]
    count: Option<u64>,
    /// Send one each so many seconds
    #[arg(short, value_name = "SECONDS", default_value = "1", value_parser = seconds)]
    interval: Duration,
    /// Send so many bytes of data
    #[arg(short, value_name = "SIZE", default_value_t = 56)]
    size: usize,
    /// Let it pass so many routers, less one
    #[arg(short, value_name = "TTL", value_parser = clap::value_parser!(u8).range(1..))]
    ttl: Option<u8>,
    /// Wait so many seconds for the last answer, where there was none
    #[arg(short = 'W', value_name = "TIMEOUT", default_value = "10", value_parser = seconds)]
    timeout: Duration,
    /// Take an IPv4 address of the name's
    #[arg(short = '4', conflicts_with = "ipv6")]
    ipv4: bool,
    /// Take an IPv6 address of the name's
    #[arg(short = '6')]
    ipv6: bool,
    /// Ask this server for names
    #[arg(long, value_name = "ADDRESS", default_value_t = LINUX_V4.into())]
    name_server: IpAddr,
    #[command(flatten)]
    place: Place,
}

fn seconds(text: &str) -> std::result::Result<Duration, String> {
    let number = text.parse().ok();
    let time = number.and_then(|seconds| Duration::try_from_secs_f64(seconds).ok());
    time.filter(|time| *time <= Duration::from_secs(86_400))
        .ok_or_else(|| "say a number from 0 to 86400".to_owned())
}

/// How often two hosts of one process ping each other.
const IN_PROCESS: u64 = 5;

fn main() -> ExitCode {
    place::exit(run(Options::parse()))
}

fn run(mut options: Options) -> Result<ExitCode> {
    // Before there are threads, which all shall leave it to the one that waits for it.
    let mut interrupt = SigSet::empty();
    interrupt.add(Signal::SIGINT);
    interrupt.thread_block()?;

    if !options.place.is_given() {
        options.count = options.count.or(Some(IN_PROCESS));
        let name = options.host.clone().unwrap_or_else(|| "server".to_owned());
        let is_answered = destination::in_process(&options.place, |client| {
            ping(client, options.plan(name), interrupt)
        })?;
        return Ok(code(is_answered));
    }
    let Some(name) = options.host.take() else {
        return Err("say whom to ping".into());
    };
    let has_peer = !options.place.command.is_empty();
    let name_server = Some(options.name_server);
    let plan = options.plan(name);
    let place = options.place;
    let running = place.enter(place::Side::Left, Capacity::default(), name_server)?;
    let peer = match has_peer {
        true => running.start_peer()?,
        false => None,
    };
    let is_answered = ping(&running.host, plan, interrupt)?;
    running.end(peer)?;
    Ok(code(is_answered))
}

impl Options {
    /// The plan, once a host knows the name's address.
    fn plan(&self, name: String) -> impl FnOnce(&Host) -> Result<Plan> + use<> {
        let (count, interval, size) = (self.count, self.interval, self.size);
        let (hop_limit, patience) = (self.ttl, self.timeout);
        let (v4, v6) = (self.ipv4, self.ipv6);
        move |host| {
            let address = destination::address(host, &name, v4, v6)?;
            let most = match Family::of(address) {
                Family::V4 => 65_507,
                Family::V6 => 65_527,
            };
            if size > most {
                return Err(format!("-s {size}: say a number from 0 to {most}").into());
            }
            Ok(Plan {
                name,
                address,
                count,
                interval,
                size,
                hop_limit,
                patience,
            })
        }
    }
}

/// Pings and sums up; says whether there was an answer.
fn ping(host: &Host, plan: impl FnOnce(&Host) -> Result<Plan>, interrupt: SigSet) -> Result<bool> {
    let plan = plan(host)?;
    let tally = Arc::new(Tally::new(&plan));
    let interrupted = tally.clone();
    thread::spawn(move || {
        if interrupt.wait().is_ok() {
            let is_answered = sum_up(&interrupted).unwrap_or_default();
            std::process::exit(i32::from(!is_answered));
        }
    });
    pinger::run(host, &plan, &tally, &mut io::stdout()).map_err(place::with((plan.address, 0)))?;
    Ok(sum_up(&tally)?)
}

fn sum_up(tally: &Mutex<Tally>) -> io::Result<bool> {
    let tally = tally.lock().unwrap_or_else(PoisonError::into_inner);
    write!(io::stdout(), "{tally}")?;
    Ok(tally.is_answered())
}

fn code(is_answered: bool) -> ExitCode {
    match is_answered {
        true => ExitCode::SUCCESS,
        false => ExitCode::FAILURE,
    }
}
