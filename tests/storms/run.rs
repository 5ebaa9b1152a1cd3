//! A storm: a network at work, from its seed.

use std::panic::{self, AssertUnwindSafe};
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use glasstack::Result;
use glasstack::sim::{HostId, Link, Output, Recording, Simulation};
use glasstack::socket::TcpListener;
use glasstack::stack::Usage;
use glasstack::trace::ladder::{Ends, Ladder, Options};
use glasstack::trace::{Direction, Event, Happening, Sink, Station};

use crate::luck::Luck;
use crate::plan::Plan;
use crate::talk::{self, Shared};

/// Nobody waits as long as this, whatever the link loses.
const LIMIT: Duration = Duration::from_secs(30 * 24 * 3600);

/// What storms come to.
#[derive(Debug, Default, Clone)]
pub(crate) struct Totals {
    pub(crate) networks: u64,
    pub(crate) connections: u64,
    pub(crate) octets: u64,
    pub(crate) segments: u64,
    pub(crate) elapsed: Duration,
    pub(crate) slowest: (Duration, u64),
    pub(crate) busiest: (u64, u64),
    /// How often a client tried again.
    pub(crate) again: u64,
}

impl Totals {
    pub(crate) fn add(&mut self, other: &Totals) {
        self.networks += other.networks;
        self.connections += other.connections;
        self.octets += other.octets;
        self.segments += other.segments;
        self.elapsed += other.elapsed;
        self.slowest = self.slowest.max(other.slowest);
        self.busiest = self.busiest.max(other.busiest);
        self.again += other.again;
    }
}

/// Counts the frames that hosts send.
#[derive(Clone, Default)]
struct Sent(Arc<AtomicU64>);

impl Sink for Sent {
    fn event(&mut self, _: Station, event: &Event<'_>) {
        if let Happening::Frame {
            direction: Direction::Out,
            ..
        } = event.happening
        {
            self.0.fetch_add(1, Ordering::Relaxed);
        }
    }
}

/// The storm of a seed, or what is wrong with it.
pub(crate) fn storm(seed: u64, is_shown: bool) -> std::result::Result<Totals, String> {
    let mut luck = Luck::of(seed);
    let plan = Plan::draw(&mut luck);
    let described = format!("STORM_SEED={seed}: {plan:#?}");
    if is_shown {
        println!("{described}");
    }
    let mut recording = None;
    let result = panic::catch_unwind(AssertUnwindSafe(|| {
        blow(seed, plan, is_shown, &mut recording)
    }));
    if let Some(recording) = recording {
        show(&recording);
    }
    let failure = match result {
        Ok(Ok(totals)) => return Ok(totals),
        Ok(Err(failure)) => failure,
        Err(panic) => match panic.downcast::<String>() {
            Ok(message) => *message,
            Err(_) => "it panicked".to_owned(),
        },
    };
    Err(format!("STORM_SEED={seed}: {failure}"))
}

/// What an idle host has in use: the waker of its interface's driver.
const IDLE: Usage = Usage {
    sockets: 0,
    connections: 0,
    datagrams: 0,
    lookups: 0,
    wakers: 1,
};

fn blow(
    seed: u64,
    plan: Plan,
    is_shown: bool,
    recording: &mut Option<Recording>,
) -> std::result::Result<Totals, String> {
    let mut simulation = Simulation::new(seed);
    simulation.limit(LIMIT);
    if is_shown {
        *recording = Some(simulation.record());
    }
    let sent = Sent::default();
    simulation.observe(sent.clone());
    let hosts = build(&mut simulation, &plan).map_err(|error| format!("to build it: {error}"))?;
    let shared = Rc::new(Shared {
        plan,
        accepted: Default::default(),
        again: Default::default(),
    });
    let outputs =
        start(&mut simulation, &hosts, &shared).map_err(|error| format!("to start it: {error}"))?;
    let run = simulation.run();
    let mut failures: Vec<String> = outputs
        .iter()
        .filter_map(|(name, output)| match output.take() {
            Some(Ok(())) | None => None,
            Some(Err(error)) => Some(format!("{name}: {error}")),
        })
        .collect();
    if let Err(stopped) = run {
        failures.push(stopped.to_string());
    }
    if !failures.is_empty() {
        return Err(failures.join("; "));
    }
    simulation
        .settle()
        .map_err(|stopped| format!("to settle: {stopped}"))?;
    for host in hosts {
        let usage = simulation.with(host, |stack| Ok(stack.usage())).unwrap();
        if usage != IDLE {
            return Err(format!("left behind on {host:?}: {usage:?}"));
        }
    }
    let octets = |talk: &crate::plan::Talk| (talk.ends[0].octets + talk.ends[1].octets) as u64;
    let segments = sent.0.load(Ordering::Relaxed);
    Ok(Totals {
        networks: 1,
        connections: shared.plan.talks.len() as u64,
        octets: shared.plan.talks.iter().map(octets).sum(),
        segments,
        elapsed: simulation.elapsed(),
        slowest: (simulation.elapsed(), seed),
        busiest: (segments, seed),
        again: shared.again.borrow().len() as u64,
    })
}

fn build(simulation: &mut Simulation, plan: &Plan) -> Result<Vec<HostId>> {
    let link = |(outgoing, incoming): &(_, _)| {
        let link = match plan.is_ethernet {
            true => Link::ethernet(plan.mtu + 14),
            false => Link::ip(plan.mtu),
        };
        let (outgoing, incoming): (&glasstack::device::wire::Conditions, &_) = (outgoing, incoming);
        let incoming: &glasstack::device::wire::Conditions = incoming;
        link.outgoing(outgoing.clone()).incoming(incoming.clone())
    };
    let mut hosts = Vec::new();
    for (number, capacity) in plan.hosts.iter().enumerate() {
        hosts.push(simulation.host_with(&format!("host {}", number + 1), capacity.clone())?);
    }
    let address: Vec<String> = (0..hosts.len()).map(|host| plan.network(host)).collect();
    if plan.has_switch {
        let switch = simulation.switch();
        for (number, host) in hosts.iter().enumerate() {
            let end = (*host, &[address[number].as_str()]);
            simulation.link(link(&plan.links[number]), end, switch)?;
        }
    } else {
        let ends = [0, 1].map(|number| [address[number].as_str()]);
        let (one, other) = ((hosts[0], &ends[0]), (hosts[1], &ends[1]));
        simulation.link(link(&plan.links[0]), one, other)?;
    }
    Ok(hosts)
}

type Named = (String, Output<Result<()>>);

fn start(simulation: &mut Simulation, hosts: &[HostId], shared: &Rc<Shared>) -> Result<Vec<Named>> {
    let plan = &shared.plan;
    let mut outputs = Vec::new();
    for (number, host) in hosts.iter().enumerate() {
        let servings = plan
            .talks
            .iter()
            .filter(|talk| talk.server == number)
            .count();
        if servings == 0 {
            continue;
        }
        // All of its programs wait on one listener.
        let mut listener = None;
        let address = plan.socket(number);
        for serving in 0..servings {
            let name = format!("server {serving} of host {}", number + 1);
            let shared = shared.clone();
            let mut bound = Ok(());
            let output = simulation.spawn(*host, &name, |network| {
                if listener.is_none() {
                    let new = TcpListener::bind(network.clone(), address, 8);
                    bound = new.map(|new| listener = Some(Rc::new(new)));
                }
                let listener = listener.clone();
                async move {
                    match listener {
                        Some(listener) => talk::server(network, shared, listener).await,
                        None => Err(glasstack::Error::AddrInUse),
                    }
                }
            })?;
            bound?;
            outputs.push((name, output));
        }
    }
    let count = plan.talks.len();
    if plan.at_once {
        for (number, talk) in plan.talks.iter().enumerate() {
            let shared = shared.clone();
            let name = format!("client {number}");
            let program = move |network| talk::client(network, shared, number);
            let output = simulation.spawn(hosts[talk.client], &name, program)?;
            outputs.push((name, output));
        }
    } else {
        // One after the other, as far as they begin at the same host.
        for (place, host) in hosts.iter().enumerate() {
            let shared = shared.clone();
            let name = format!("client of host {}", place + 1);
            let program = move |network: glasstack::sim::HostNetwork| async move {
                for number in (0..count).filter(|number| shared.plan.talks[*number].client == place)
                {
                    talk::client(network.clone(), shared.clone(), number).await?;
                }
                Ok(())
            };
            let output = simulation.spawn(*host, &name, program)?;
            outputs.push((name, output));
        }
    }
    Ok(outputs)
}

/// The first two hosts' ladder.
fn show(recording: &Recording) {
    let ends = Ends::between((Station(0), "host 1"), (Station(1), "host 2"));
    let options = Options {
        width: 136,
        ..Options::default()
    };
    let mut ladder: Ladder<String> = Ladder::new(String::new(), ends, options);
    recording.events().replay(&mut ladder);
    let _ = ladder.finish();
    println!("{}", ladder.into_inner());
}
