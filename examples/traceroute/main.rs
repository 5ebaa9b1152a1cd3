//! `traceroute` over this stack: the way to a host, as the routers' errors tell it. Its words are those of Debian's.
//!
//! ```text
//! cargo run --example traceroute
//! cargo run --example traceroute -- -I fdaa:69::100 --lab
//! ```

use std::{io, net::IpAddr, process::ExitCode, time::Duration};

use clap::Parser;
use glasstack::{
    host::{Host, lab::LINUX_V4},
    stack::Capacity,
};

#[path = "../ping/destination.rs"]
mod destination;
#[path = "../ping/icmp.rs"]
mod icmp;
#[path = "../place/mod.rs"]
mod place;
mod tracer;
use place::{Place, Result};
use tracer::Plan;

/// Shows the way to a host: three probes with one hop to go, three with two, and so on. Each router on the way tells that it
/// has dropped them, the host that nobody listens there.
///
/// Without --lab or --tap it goes from one host of this process to another, over a link that you can make a bad one: one hop.
/// In the lab, Linux is the first router; the others are what COMMAND makes:
///
///   traceroute
///   traceroute -I 192.168.69.100 --lab
///   traceroute -w 1 --loss 30 server
#[derive(Parser)]
#[command(verbatim_doc_comment, after_help = place::HELP)]
#[command(mut_group("where", |group| group.required(false)))]
struct Options {
    /// A name, or an address [default: server, the other host of this process]
    host: Option<String>,
    /// Probe with ICMP echo requests, and not with UDP datagrams
    #[arg(short = 'I')]
    icmp: bool,
    /// Go so far
    #[arg(short, value_name = "MAX_TTL", default_value_t = 30, value_parser = clap::value_parser!(u8).range(1..))]
    max_ttl: u8,
    /// Send so many probes to each hop
    #[arg(short, value_name = "NQUERIES", default_value_t = 3, value_parser = clap::value_parser!(u8).range(1..=10))]
    queries: u8,
    /// Wait so many seconds for each answer
    #[arg(short, value_name = "WAIT", default_value = "5", value_parser = seconds)]
    wait: Duration,
    /// The port of the first datagram; each has the next
    #[arg(short, value_name = "PORT", default_value_t = 33_434, value_parser = clap::value_parser!(u16).range(1..=60_000))]
    port: u16,
    /// Show addresses alone
    #[arg(short)]
    numeric: bool,
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
    time.filter(|time| (Duration::from_millis(1)..=Duration::from_secs(86_400)).contains(time))
        .ok_or_else(|| "say a number from 0.001 to 86400".to_owned())
}

fn main() -> ExitCode {
    place::exit(run(Options::parse()))
}

fn run(mut options: Options) -> Result<ExitCode> {
    if !options.place.is_given() {
        let name = options.host.clone().unwrap_or_else(|| "server".to_owned());
        destination::in_process(&options.place, |client| trace(client, options.plan(name)))?;
        return Ok(ExitCode::SUCCESS);
    }
    let Some(name) = options.host.take() else {
        return Err("say whereto".into());
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
    trace(&running.host, plan)?;
    running.end(peer)?;
    Ok(ExitCode::SUCCESS)
}

impl Options {
    /// The plan, once a host knows the name's address.
    fn plan(&self, name: String) -> impl FnOnce(&Host) -> Result<Plan> + use<> {
        let (is_icmp, hops, probes) = (self.icmp, self.max_ttl, self.queries);
        let (patience, port, is_numeric) = (self.wait, self.port, self.numeric);
        let (v4, v6) = (self.ipv4, self.ipv6);
        move |host| {
            let address = destination::address(host, &name, v4, v6)?;
            Ok(Plan {
                name,
                address,
                is_icmp,
                hops,
                probes,
                patience,
                port,
                is_numeric,
            })
        }
    }
}

fn trace(host: &Host, plan: impl FnOnce(&Host) -> Result<Plan>) -> Result<()> {
    let plan = plan(host)?;
    tracer::run(host, &plan, &mut io::stdout()).map_err(place::with((plan.address, 0)))?;
    Ok(())
}
