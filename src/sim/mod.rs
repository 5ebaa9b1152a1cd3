//! A network under virtual time: hosts, links and switches, one clock, one seed.
//!
//! ```
//! use glasstack::device::wire::Conditions;
//! use glasstack::sim::{Link, Simulation};
//! use glasstack::socket::{TcpListener, TcpStream};
//! use glasstack::Result;
//! use std::time::Duration;
//!
//! # fn main() -> std::result::Result<(), Box<dyn std::error::Error>> {
//! let mut simulation = Simulation::new(1);
//! let (alice, bob) = (simulation.host("alice")?, simulation.host("bob")?);
//! let slow = Conditions::default().latency(Duration::from_millis(20));
//! let link = Link::ethernet(1514).both(slow).lose("data 1".parse()?);
//! simulation.link(link, (alice, &["10.0.0.1/24"]), (bob, &["10.0.0.2/24"]))?;
//!
//! simulation.serve(bob, "server", |network| async move {
//!     let listener = TcpListener::bind(network, "10.0.0.2:9999".parse().unwrap(), 5)?;
//!     loop {
//!         let (stream, _) = listener.accept().await?;
//!         stream.write_all(b"Welcome!").await?;
//!     }
//!     # #[allow(unreachable_code)] Result::Ok(())
//! })?;
//! let welcome = simulation.spawn(alice, "client", |network| async move {
//!     let stream = TcpStream::connect(network, "10.0.0.2:9999".parse().unwrap()).await?;
//!     let mut buffer = [0; 8];
//!     stream.read_exact(&mut buffer).await?;
//!     Result::Ok(buffer)
//! })?;
//!
//! let events = simulation.record();
//! simulation.run()?;
//! assert_eq!(welcome.take(), Some(Ok(*b"Welcome!")));
//! // The welcome was lost once: it came a second late, and no real second passed.
//! assert_eq!(events.events().tcp().retransmissions(), 1);
//! assert!(simulation.elapsed() > Duration::from_secs(1));
//! # Ok(()) }
//! ```
//!
//! # Time
//!
//! It stands still while a task can do anything, then leaps to the next deadline of a stack, arrival of a frame, or planned
//! action. Computing takes no time. Which of the ready tasks goes first is left to chance, as with threads; all chance comes
//! from the seed, so the same seed gives the same run, event by event. A run that fails names its seed.
//!
//! # What happens when
//!
//! [`at`](Simulation::at) a time, or [`when`](Simulation::when) a host sends a chosen frame, anything can be done to the
//! simulation: [`cut`](Simulation::cut) a link or a host and [`heal`](Simulation::heal) it, [`stop`](Simulation::stop),
//! [`start`](Simulation::start) or [`restart`](Simulation::restart) a host, [`spawn`](Simulation::spawn) a task.
//!
//! # Addresses that come by themselves
//!
//! In the place of an address, `"dhcp"` has a server give one, and `"slaac"` has them formed of what routers advertise:
//!
//! ```
//! use glasstack::sim::{HostNetwork, Link, Simulation};
//! use glasstack::socket::{UdpSocket, configured};
//! use glasstack::{Result, stack::option::Broadcast};
//!
//! /// As little of a DHCP server (RFC 2131) as gives one address to one client.
//! async fn serve(network: HostNetwork) -> Result<()> {
//!     let socket = UdpSocket::bind(network, "0.0.0.0:67".parse().unwrap())?;
//!     socket.setsockopt(Broadcast, true)?;
//!     loop {
//!         let mut message = [0; 576];
//!         socket.recv(&mut message).await?;
//!         let kind = if message[242] == 1 { 2 } else { 5 }; // to DHCPDISCOVER an offer, else an acknowledgment
//!         message[0] = 2; // a reply
//!         message[16..20].copy_from_slice(&[10, 0, 0, 7]); // this is its address
//!         let options = [53, 1, kind, 54, 4, 10, 0, 0, 1, 51, 4, 0, 0, 0x0e, 0x10, 255]; // by this server, for an hour
//!         message[240..256].copy_from_slice(&options);
//!         socket.send_to(&message[..300], "255.255.255.255:68".parse().unwrap()).await?;
//!     }
//! }
//!
//! # fn main() -> std::result::Result<(), Box<dyn std::error::Error>> {
//! let mut simulation = Simulation::new(1);
//! let (client, server) = (simulation.host("client")?, simulation.host("server")?);
//! simulation.link(Link::ethernet(1514), (client, &["dhcp"]), (server, &["10.0.0.1/24"]))?;
//! simulation.serve(server, "dhcp", serve)?;
//! let waited = simulation.spawn(client, "waits", |network| async move { configured(&network).await })?;
//! simulation.run()?;
//! assert_eq!(waited.take(), Some(Ok(())));
//!
//! let addresses = simulation.with(client, |stack| {
//!     let link = stack.interfaces().next().unwrap();
//!     Ok(stack.addresses(link).map(|row| row.address).collect::<Vec<_>>())
//! })?;
//! assert_eq!(addresses, ["10.0.0.7".parse::<std::net::IpAddr>()?]);
//! # Ok(()) }
//! ```
//!
//! # The files
//!
//! | file | what it explains |
//! |---|---|
//! | `clock`, `executor` | virtual time, and whose turn it is |
//! | `host`, `link`, `switch` | what the network is made of |
//! | `glass` | what is heard of it all |
//! | `stopped` | why a run did not come to its end |

mod clock;
mod executor;
mod glass;
mod host;
mod link;
mod stopped;
mod switch;
#[cfg(test)]
mod tests;

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt,
    rc::Rc,
    time::Duration,
};

use smoltcp::{phy::Medium, time::Instant};

pub use clock::VirtualClock;
pub use glass::{Eye, Recording};
pub use host::{HostId, HostNetwork, Output};
pub use link::{End, Link};
pub use stopped::{Reason, Stopped};

use crate::{
    Error, Result,
    device::wire::{Luck, Selector, Switch},
    trace::{Event, Sink, Station},
};
use clock::{Time, later};
use executor::{Executor, Purpose};
use glass::{Action, Glass};
use host::Host;

/// Turns of tasks, and actions, while the time stands still, before it is taken for granted that it will stand still for ever:
/// what gigabytes over links without latency stay below. (Tests have no minute for each.)
const TURNS: u64 = if cfg!(test) { 50_000 } else { 10_000_000 };

/// A link of a [`Simulation`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct LinkId(usize);

/// A switch of a [`Simulation`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct SwitchId(usize);

/// What can be cut off.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Part {
    /// One link.
    Link(LinkId),
    /// All links of a host.
    Host(HostId),
}

impl From<LinkId> for Part {
    fn from(link: LinkId) -> Part {
        Part::Link(link)
    }
}

impl From<HostId> for Part {
    fn from(host: HostId) -> Part {
        Part::Host(host)
    }
}

/// A network under virtual time. See the [module](self).
pub struct Simulation {
    seed: u64,
    luck: Luck,
    time: Rc<Time>,
    limit: Option<Instant>,
    executor: Executor,
    glass: Glass,
    hosts: Vec<Host>,
    links: Vec<Switch>,
    switches: Vec<switch::Ports>,
    /// What is to come, by number.
    actions: BTreeMap<usize, Action>,
    /// Actions so far.
    action_count: usize,
    /// Numbers of actions, by their times.
    planned: BTreeSet<(Instant, usize)>,
}

impl Simulation {
    /// Nothing yet, at time zero. All chance comes from the seed.
    pub fn new(seed: u64) -> Simulation {
        let mut luck = Luck::of(seed);
        let executor = Executor::new(Luck::of(luck.draw()));
        Simulation {
            seed,
            luck,
            time: Rc::new(Time::new()),
            limit: None,
            executor,
            glass: Glass::default(),
            hosts: Vec::new(),
            links: Vec::new(),
            switches: Vec::new(),
            actions: BTreeMap::new(),
            action_count: 0,
            planned: BTreeSet::new(),
        }
    }

    /// A switch without links.
    pub fn switch(&mut self) -> SwitchId {
        let ports = switch::Ports::default();
        let forward = switch::forward(ports.clone(), self.time.clone());
        let name = format!("switch {}", self.switches.len() + 1);
        self.executor.spawn(name, None, Purpose::Device, forward);
        self.switches.push(ports);
        SwitchId(self.switches.len() - 1)
    }

    /// Joins two hosts, a host and a switch, or two switches. (Switches in a circle pass a broadcast on for ever: they know no
    /// spanning tree.)
    ///
    /// # Errors
    /// [`InvalidArgument`](Error::InvalidArgument) for conditions that cannot be, an address that is none, a switch on a link
    /// that is not Ethernet; [`Exhausted`](Error::Exhausted) where a host has no interface left.
    pub fn link<'e>(
        &mut self,
        link: Link,
        one: impl Into<End<'e>>,
        other: impl Into<End<'e>>,
    ) -> Result<LinkId> {
        let Link {
            medium,
            wire,
            faults,
        } = link;
        let ends = [one.into(), other.into()];
        self.check_switches(medium, &ends)?;
        let faults = faults.seeded(self.luck.draw()).sink(self.glass.clone());
        let switch = faults.switch();
        let (here, there) = wire.faulty_ends(faults)?;
        let number = self.links.len();
        let (mut plugs, mut sockets) = (Vec::new(), Vec::new());
        for (end, to) in [here, there].into_iter().zip(ends) {
            match to {
                End::Switch(switch) => sockets.push((switch, end)),
                End::Host(host, addresses) => {
                    match self.plug_in(host, number, medium, end, addresses) {
                        Ok(plug) => plugs.push(plug),
                        Err(error) => {
                            // No link with one end.
                            plugs.into_iter().for_each(|plug| self.pull_out(plug));
                            return Err(error);
                        }
                    }
                }
            }
        }
        for plug in plugs {
            self.drive(plug);
        }
        for (switch, end) in sockets {
            if let Some(ports) = self.switches.get(switch.0) {
                ports.plug(end);
            }
        }
        self.links.push(switch);
        Ok(LinkId(number))
    }

    /// A switch is one of this simulation's, and forwards Ethernet frames.
    fn check_switches(&self, medium: Medium, ends: &[End<'_>]) -> Result<()> {
        let fits = |end: &End<'_>| match end {
            End::Host(..) => true,
            End::Switch(switch) => medium == Medium::Ethernet && switch.0 < self.switches.len(),
        };
        ends.iter()
            .all(fits)
            .then_some(())
            .ok_or(Error::InvalidArgument)
    }

    /// Cuts a link, or a host off: what is sent from now on is lost; frames under way arrive.
    pub fn cut(&mut self, part: impl Into<Part>) {
        for link in self.links_of(part.into()) {
            link.down();
        }
    }

    /// Heals what was cut.
    pub fn heal(&mut self, part: impl Into<Part>) {
        for link in self.links_of(part.into()) {
            link.up();
        }
    }

    fn links_of(&self, part: Part) -> Vec<&Switch> {
        let link = |number: usize| self.links.get(number);
        match part {
            Part::Link(LinkId(number)) => link(number).into_iter().collect(),
            Part::Host(host) => {
                let host = self.hosts.get(usize::from(host.0));
                let ports = host.into_iter().flat_map(|host| &host.ports);
                ports.filter_map(|port| link(port.link)).collect()
            }
        }
    }

    /// Does something so long after time zero; at once, where that is past.
    pub fn at(&mut self, time: Duration, action: impl FnOnce(&mut Simulation) + 'static) {
        let number = self.plan(Box::new(action));
        self.planned.insert((later(Instant::ZERO, time), number));
    }

    /// Does something as soon as a host has sent a frame that is chosen, once; each host's own count. The frame itself is
    /// under way then.
    ///
    /// ```
    /// # use glasstack::sim::{Link, Simulation};
    /// # use std::time::Duration;
    /// # let mut simulation = Simulation::new(1);
    /// # let (alice, bob) = (simulation.host("alice")?, simulation.host("bob")?);
    /// # let link = simulation.link(Link::ip(1500), (alice, &["10.0.0.1/24"]), (bob, &["10.0.0.2/24"]))?;
    /// simulation.when(alice, "data 3".parse()?, move |simulation| {
    ///     simulation.cut(link);
    ///     simulation.at(simulation.elapsed() + Duration::from_secs(600), move |simulation| simulation.heal(link));
    /// });
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn when(
        &mut self,
        host: HostId,
        selector: Selector,
        action: impl FnOnce(&mut Simulation) + 'static,
    ) {
        let number = self.plan(Box::new(action));
        self.glass.when_sends(host, selector, number);
    }

    /// Does something as soon as an event is told for which `is_it` holds, once.
    pub fn when_told(
        &mut self,
        is_it: impl FnMut(Station, &Event<'_>) -> bool + Send + 'static,
        action: impl FnOnce(&mut Simulation) + 'static,
    ) {
        let number = self.plan(Box::new(action));
        self.glass.when_tells(is_it, number);
    }

    fn plan(&mut self, action: Action) -> usize {
        self.action_count += 1;
        self.actions.insert(self.action_count, action);
        self.action_count
    }

    fn act(&mut self, number: usize) {
        if let Some(action) = self.actions.remove(&number) {
            action(self);
        }
    }

    /// Has all events of all hosts and links told to a sink, too, from now on and in one order.
    pub fn observe(&mut self, sink: impl Sink + Send + 'static) {
        self.glass.add(sink);
    }

    /// Keeps all events from now on, to be asked about.
    pub fn record(&mut self) -> Recording {
        let recording = Recording::new();
        self.glass.add(recording.sink());
        recording
    }

    /// A run that is not at its end so long after time zero stops there; what is due at that very time is still done.
    pub fn limit(&mut self, time: Duration) {
        self.limit = Some(later(Instant::ZERO, time));
    }

    /// Runs until every program is at its end. May be called again, for programs that were spawned since.
    ///
    /// # Errors
    /// Why that did not come: nothing can happen any more, the time limit, a task that never rests. It says who waits for
    /// what, and names the seed.
    pub fn run(&mut self) -> std::result::Result<(), Stopped> {
        self.run_while(|simulation| !simulation.executor.is_done())
    }

    /// Runs until nothing happens any more: connections are closed, TIME-WAIT is over, services wait for ever.
    ///
    /// # Errors
    /// As [`run`](Simulation::run); a program that waits for ever is one that is not at its end.
    pub fn settle(&mut self) -> std::result::Result<(), Stopped> {
        match self.run_while(|_| true) {
            Err(stopped) if stopped.reason() == Reason::Deadlock && self.executor.is_done() => {
                Ok(())
            }
            result => result,
        }
    }

    /// Runs for so long, whatever the programs do; the time is that much later then.
    ///
    /// # Errors
    /// None but a task that never rests.
    pub fn run_for(&mut self, time: Duration) -> std::result::Result<(), Stopped> {
        let end = later(self.time.now(), time);
        let outer = self.limit.replace(end);
        let result = self.run_while(|_| true);
        self.limit = outer;
        match result {
            Err(stopped) if stopped.reason() != Reason::Livelock => {
                self.time.leap(end);
                Ok(())
            }
            result => result,
        }
    }

    fn run_while(
        &mut self,
        goes_on: impl Fn(&Simulation) -> bool,
    ) -> std::result::Result<(), Stopped> {
        let mut turns = 0;
        loop {
            // Pulled by a turn, by another action, or before the run.
            let pulled = self.glass.pulled();
            turns += pulled.len() as u64;
            for action in pulled {
                self.act(action);
            }
            if !goes_on(self) {
                return Ok(());
            }
            if turns >= TURNS {
                return Err(self.stopped(Reason::Livelock));
            }
            if self.executor.turn() {
                turns += 1;
                continue;
            }
            let next = self.next().ok_or_else(|| self.stopped(Reason::Deadlock))?;
            if let Some(limit) = self.limit.filter(|limit| next > *limit) {
                self.time.leap(limit);
                return Err(self.stopped(Reason::TimeLimit));
            }
            if next > self.time.now() {
                turns = 0;
            }
            self.time.leap(next);
            while turns < TURNS
                && let Some(action) = self.due()
            {
                turns += 1;
                self.act(action);
            }
        }
    }

    /// When anything happens next.
    fn next(&self) -> Option<Instant> {
        let planned = self.planned.first().map(|(at, _)| *at);
        [planned, self.time.next()].into_iter().flatten().min()
    }

    /// An action whose time has come.
    fn due(&mut self) -> Option<usize> {
        let now = self.time.now();
        let (_, action) = *self.planned.first().filter(|(at, _)| *at <= now)?;
        self.planned.pop_first();
        Some(action)
    }

    /// How long after time zero it is.
    pub fn elapsed(&self) -> Duration {
        (self.time.now() - Instant::ZERO).into()
    }

    /// The present time, as events have it.
    pub fn now(&self) -> Instant {
        self.time.now()
    }

    /// The seed.
    pub fn seed(&self) -> u64 {
        self.seed
    }
}

impl fmt::Debug for Simulation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names = self.hosts.iter().map(|host| host.name.as_str());
        f.debug_struct("Simulation")
            .field("seed", &self.seed)
            .field("now", &self.time.now())
            .field("hosts", &names.collect::<Vec<_>>())
            .finish_non_exhaustive()
    }
}

impl Drop for Simulation {
    fn drop(&mut self) {
        // A test that fails in the middle of a run: this is how to see it again.
        if std::thread::panicking() {
            eprintln!("the simulation's seed was {}", self.seed);
        }
        for host in 0..self.hosts.len() {
            self.stop(HostId(host as u8));
        }
    }
}
