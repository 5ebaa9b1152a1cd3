//! Names: this host's own, literals, a static table, then DNS, for IPv4 and IPv6 addresses at once.
//!
//! Each of the two questions has an id and a port of its own, drawn from the keyed hash, so that nobody can predict them;
//! only what comes from a server that was asked, to that port, with that id and for that name, is an answer
//! (RFC 5452 §9). Whom to ask is in `server`, the questions' way in `dns`, how they reach the wire in `ask`, and over TCP in
//! `stream`.

mod ask;
mod server;
mod stream;

use core::net::{self, Ipv4Addr, Ipv6Addr};

use heapless::Vec;
use managed::ManagedSlice;
use smoltcp::time::Instant;

use super::destination::{self, Destination};
use super::dns::{Family, Name, Query};
use super::flow::{Flow, Scope};
use super::ip::{self, IpAddr};
use super::waiting::Subject;
use super::{Stack, Type};
use crate::trace::Observer;
use crate::{Error, Limit, Result};
use server::{Server, Servers};
use stream::Stream;

/// The addresses of a name, eight of each family at most; further ones are left out.
pub type Addresses = Vec<net::IpAddr, 16>;

/// Entries of the static name table.
const NAMES: usize = 8;
/// Tries for a query port that no socket has.
const PORT_TRIES: usize = 32;
/// A query's port is above this one.
const LAST_SERVICE_PORT: u16 = 1024;
const DNS_PORT: u16 = 53;

/// A name lookup under way; a stale one is [`Error::BadDescriptor`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Lookup {
    index: u16,
    generation: u32,
}

/// The question for the addresses of one family.
struct Question {
    query: Query,
    port: u16,
    unsent: Option<Unsent>,
    stream: Option<Stream>,
}

/// A datagram that is to leave: whereto, from where, and when it is to be tried again.
#[derive(Debug, Clone, Copy)]
struct Unsent {
    server: IpAddr,
    source: IpAddr,
    interface: u8,
    at: Instant,
}

#[allow(
    clippy::large_enum_variant,
    reason = "there is no heap to put it on, and a row that is used has questions"
)]
enum State {
    Free,
    Pending {
        questions: [Option<Question>; 2],
        /// Whom the questions know by their numbers.
        servers: Servers,
    },
    Done(Result<Addresses>),
}

/// A lookup's row.
pub(super) struct LookupRow {
    generation: u32,
    state: State,
}

impl LookupRow {
    /// A row that no lookup uses.
    pub(super) const FREE: LookupRow = LookupRow {
        generation: 0,
        state: State::Free,
    };

    fn questions(&self) -> impl Iterator<Item = &Question> {
        let questions = match &self.state {
            State::Pending { questions, .. } => &questions[..],
            _ => &[],
        };
        questions.iter().flatten()
    }

    fn questions_mut(&mut self) -> impl Iterator<Item = &mut Question> {
        let questions = match &mut self.state {
            State::Pending { questions, .. } => &mut questions[..],
            _ => &mut [],
        };
        questions.iter_mut().flatten()
    }

    fn servers(&self) -> &[Server] {
        match &self.state {
            State::Pending { servers, .. } => servers,
            _ => &[],
        }
    }

    /// What the questions have found so far.
    fn found(&self) -> Addresses {
        match &self.state {
            State::Done(Ok(addresses)) => addresses.clone(),
            _ => {
                let results = self.questions().filter_map(|it| it.query.result());
                results.flatten().flatten().copied().collect()
            }
        }
    }

    /// What they came to, once there is no more to come.
    fn outcome(&self) -> Option<Result<()>> {
        let mut outcome = Err(Error::NameNotFound);
        for question in self.questions() {
            if question.stream.is_some() {
                return None; // to be closed first
            }
            outcome = match (outcome, question.query.result()?) {
                (Ok(()), _) | (_, Ok(_)) => Ok(()),
                (_, Err(Error::TimedOut)) => Err(Error::TimedOut),
                (error, Err(_)) => error,
            };
        }
        Some(outcome)
    }
}

/// The lookups under way, the servers and the static table.
pub(super) struct Resolver<'a> {
    rows: ManagedSlice<'a, LookupRow>,
    servers: Servers,
    names: Vec<(&'static str, net::IpAddr), NAMES>,
    /// When the first question is to be asked, or given up.
    next: Option<Instant>,
    /// There are datagrams that have not left.
    is_sending: bool,
    /// Something is asked over TCP.
    is_streaming: bool,
    /// The lookup of those who ask by the name, again and again, and that name's hash.
    #[cfg(feature = "embedded-nal")]
    repeated: Option<(u64, Lookup)>,
}

impl<'a> Resolver<'a> {
    pub(super) fn new(rows: impl Into<ManagedSlice<'a, LookupRow>>) -> Resolver<'a> {
        Resolver {
            rows: rows.into(),
            servers: Servers::new(),
            names: Vec::new(),
            next: None,
            is_sending: false,
            is_streaming: false,
            #[cfg(feature = "embedded-nal")]
            repeated: None,
        }
    }

    /// Whether a query left from the port, and its answer is still to come.
    pub(super) fn is_using(&self, port: u16) -> bool {
        let mut questions = self.rows.iter().flat_map(LookupRow::questions);
        questions.any(|question| question.port == port && question.query.result().is_none())
    }

    /// The lookup and the server that a flow is of.
    fn find(&self, flow: &Flow) -> Option<(usize, usize)> {
        if flow.remote.port != DNS_PORT {
            return None;
        }
        let is_it = |row: &LookupRow| {
            let mut questions = row.questions();
            questions.any(|question| question.port == flow.local.port)
        };
        let row = self.rows.iter().position(is_it)?;
        let mut servers = self.rows.get(row)?.servers().iter();
        let server = servers.position(|server| server.addr == flow.remote.addr)?;
        Some((row, server))
    }

    /// Whether a datagram can be an answer: from a server's port to a query's.
    pub(super) fn expects(&self, flow: &Flow) -> bool {
        self.find(flow).is_some()
    }

    /// A lookup's question for one family.
    fn question(&mut self, row: usize, family: usize) -> Option<&mut Question> {
        match &mut self.rows.get_mut(row)?.state {
            State::Pending { questions, .. } => questions.get_mut(family)?.as_mut(),
            _ => None,
        }
    }

    /// How many lookups are under way, or done and not asked for.
    pub(super) fn count(&self) -> usize {
        let is_used = |row: &&LookupRow| !matches!(row.state, State::Free);
        self.rows.iter().filter(is_used).count()
    }

    fn row(&mut self, lookup: Lookup) -> Result<&mut LookupRow> {
        self.rows
            .get_mut(usize::from(lookup.index))
            .filter(|row| row.generation == lookup.generation)
            .filter(|row| !matches!(row.state, State::Free))
            .ok_or(Error::BadDescriptor)
    }

    fn known_without_asking(&self, name: &str) -> Option<Addresses> {
        let mut addresses = Addresses::new();
        if is_localhost(name) {
            let v4 = cfg!(feature = "ipv4").then_some(Ipv4Addr::LOCALHOST.into());
            let v6 = cfg!(feature = "ipv6").then_some(Ipv6Addr::LOCALHOST.into());
            return Some([v4, v6].into_iter().flatten().collect());
        }
        if let Ok(literal) = name.parse::<net::IpAddr>() {
            let _ = addresses.push(literal);
        }
        let bare = name.strip_suffix('.').unwrap_or(name);
        for (known, address) in &self.names {
            if known.eq_ignore_ascii_case(bare) {
                let _ = addresses.push(*address);
            }
        }
        (!addresses.is_empty()).then_some(addresses)
    }
}

/// RFC 6761 §6.3: `localhost` and the names under it are never a question for a server.
fn is_localhost(name: &str) -> bool {
    let name = name.strip_suffix('.').unwrap_or(name);
    let last = name.rsplit('.').next().unwrap_or(name);
    last.eq_ignore_ascii_case("localhost")
}

impl<'a, O: Observer> Stack<'a, O> {
    /// Adds a name to the static table, which is asked before the servers, as `/etc/hosts` is. A name with several
    /// addresses is added several times. `localhost` is this host, whatever the table says.
    pub fn add_name(&mut self, name: &'static str, address: net::IpAddr) -> Result<()> {
        let name = name.strip_suffix('.').unwrap_or(name);
        let added = self.resolver.names.push((name, address));
        added.map_err(|_| Error::Exhausted(Limit::Names))
    }

    /// Starts to look a name up (feature `dns`), as `getaddrinfo(3)` would: literals, `localhost` (RFC 6761 §6.3) and the static table at
    /// once, else over DNS for each address family of this build. Ask [`resolved`](Stack::resolved) for the outcome.
    ///
    /// A server that is silent for a second is followed by the next, and one that fails at once; each is asked four times,
    /// in the end for as long as eight seconds. An answer that does not fit into 512 octets is asked for again over TCP,
    /// with a socket that is open for as long; where there is none, or the server does not take the connection, the
    /// addresses that did fit are the answer.
    ///
    /// [`Error::InvalidArgument`] where it cannot be a name (RFC 1035 §2.3.4), [`Error::Exhausted`] where too many
    /// lookups are under way, [`Error::NameNotFound`] where there is no server to ask, [`Error::NetworkUnreachable`] where
    /// there is no way to any.
    pub fn resolve(&mut self, name: &str) -> Result<Lookup> {
        let state = match self.resolver.known_without_asking(name) {
            Some(addresses) => State::Done(Ok(addresses)),
            None => self.ask(name)?,
        };
        let mut rows = (0..).zip(self.resolver.rows.iter_mut());
        let free = rows.find(|(_, row)| matches!(row.state, State::Free));
        let (index, row) = free.ok_or(Error::Exhausted(Limit::Lookups))?;
        row.state = state;
        let generation = row.generation;
        self.ask_servers();
        Ok(Lookup { index, generation })
    }

    fn ask(&mut self, name: &str) -> Result<State> {
        let name = Name::from_text(name).ok_or(Error::InvalidArgument)?;
        let mut servers = Servers::new();
        let mut error = Error::NameNotFound;
        for server in &self.resolver.servers {
            // Several networks, and the user, may name the same one.
            if servers.iter().any(|known| known.is_same(server)) {
                continue;
            }
            match self.way_to(server) {
                Ok(_) => drop(servers.push(*server)),
                Err(reason) => error = reason,
            }
        }
        if servers.is_empty() {
            return Err(error);
        }
        let count = servers.len();
        let mut question = |family, is_built: bool| {
            let question = || -> Result<Question> {
                let id = self.secret.random_u64() as u16;
                Ok(Question {
                    query: Query::new(name.clone(), family, id, count, self.now),
                    port: self.query_port()?,
                    unsent: None,
                    stream: None,
                })
            };
            is_built.then(question).transpose()
        };
        Ok(State::Pending {
            questions: [
                question(Family::V4, cfg!(feature = "ipv4"))?,
                question(Family::V6, cfg!(feature = "ipv6"))?,
            ],
            servers,
        })
    }

    /// A port that nobody can predict, of as many as there are (RFC 5452 §9.2), and no socket has.
    fn query_port(&mut self) -> Result<u16> {
        let scope = Scope::Any { v4: true, v6: true };
        let mut tries = 0;
        while tries < PORT_TRIES {
            let port = self.secret.random_u64() as u16;
            if port > LAST_SERVICE_PORT {
                if !self.is_port_taken(Type::Datagram, scope, port) {
                    return Ok(port);
                }
                tries += 1;
            }
        }
        Err(Error::AddrInUse)
    }

    /// The outcome of a lookup, which is over then: [`Error::WouldBlock`] while it is under way,
    /// [`Error::NameNotFound`], or [`Error::TimedOut`] where no server answered the question. The addresses come in the order
    /// in which they are to be tried (RFC 6724 §6).
    pub fn resolved(&mut self, lookup: Lookup) -> Result<Addresses> {
        let row = self.resolver.row(lookup)?;
        if matches!(row.state, State::Pending { .. }) {
            return Err(Error::WouldBlock);
        }
        let state = core::mem::replace(&mut row.state, State::Free);
        row.generation = row.generation.wrapping_add(1);
        match state {
            State::Done(outcome) => outcome.map(|found| self.sorted(found)),
            _ => Err(Error::BadDescriptor),
        }
    }

    /// The addresses that a lookup has found so far, in the order in which they are to be tried, and whether there is more
    /// to come. Whoever [waits](Stack::wait_for_lookup) is woken when there is.
    pub fn resolved_so_far(&mut self, lookup: Lookup) -> Result<(Addresses, bool)> {
        let row = self.resolver.row(lookup)?;
        let is_pending = matches!(row.state, State::Pending { .. });
        let found = row.found();
        Ok((self.sorted(found), is_pending))
    }

    fn sorted(&self, mut addresses: Addresses) -> Addresses {
        let destination = |addr: IpAddr| Destination {
            addr,
            source: self.candidate_for(addr),
        };
        let own = addresses.iter().filter_map(|&addr| ip::inward(addr).ok());
        let mut destinations: Vec<Destination, 16> = own.map(destination).collect();
        destination::sort(&mut destinations);
        addresses.clear();
        addresses.extend(destinations.iter().map(|it| ip::outward(it.addr)));
        addresses
    }

    /// [`resolve`](Stack::resolve) and [`resolved`](Stack::resolved) in one, for those who ask by the name until they have an
    /// answer. One name at a time: another one gives this up.
    #[cfg(feature = "embedded-nal")]
    pub(crate) fn resolve_repeatedly(&mut self, name: &str) -> Result<Addresses> {
        let hash = self.secret.name_hash(name);
        let lookup = match self.resolver.repeated.take() {
            Some((of, lookup)) if of == hash => lookup,
            other => {
                if let Some((_, lookup)) = other {
                    self.cancel(lookup);
                }
                self.resolve(name)?
            }
        };
        let outcome = self.resolved(lookup);
        if outcome == Err(Error::WouldBlock) {
            self.resolver.repeated = Some((hash, lookup));
        }
        outcome
    }

    /// Gives a lookup up; whoever waits for it is woken and finds it stale.
    pub fn cancel(&mut self, lookup: Lookup) {
        let Ok(row) = self.resolver.row(lookup) else {
            return;
        };
        let state = core::mem::replace(&mut row.state, State::Free);
        row.generation = row.generation.wrapping_add(1);
        self.wakers.wake(Subject::Lookup(lookup.index));
        if let State::Pending { questions, .. } = state {
            for stream in questions.into_iter().flatten().filter_map(|it| it.stream) {
                self.close_stream(stream);
            }
            self.resolver.note_times();
        }
    }

    /// The row of a lookup that is not done yet.
    #[cfg(feature = "tasks")]
    pub(super) fn pending_lookup(&mut self, lookup: Lookup) -> Result<Option<u16>> {
        let row = self.resolver.row(lookup)?;
        Ok(matches!(row.state, State::Pending { .. }).then_some(lookup.index))
    }

    /// Ends lookups whose questions are all answered.
    fn settle_lookups(&mut self) {
        for (index, row) in (0..).zip(self.resolver.rows.iter_mut()) {
            if matches!(row.state, State::Pending { .. })
                && let Some(outcome) = row.outcome()
            {
                row.state = State::Done(outcome.map(|()| row.found()));
                self.wakers.wake(Subject::Lookup(index));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::is_localhost;

    #[test]
    fn localhost_and_what_is_under_it_is_this_host() {
        for name in ["localhost", "LocalHost", "localhost.", "www.localhost"] {
            assert!(is_localhost(name), "{name}");
        }
        for name in ["localhost.example.com", "notlocalhost", "", "."] {
            assert!(!is_localhost(name), "{name}");
        }
    }
}
