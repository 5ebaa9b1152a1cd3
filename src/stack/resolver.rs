//! Names: a static table, literals, then DNS over smoltcp's socket, IPv4 and IPv6 at once.
//!
//! smoltcp draws query ids and ports from its interface; here they come through a throw-away one whose draws are the
//! keyed hash's, so nobody can predict them, and are known beforehand, so that the answer finds its way and the port is
//! nobody else's. smoltcp reports every failure alike; what came with an answer is "no such name", what came with the
//! clock is a time-out.

use core::net::IpAddr;

use heapless::Vec;
use managed::ManagedSlice;
use smoltcp::socket::dns::{GetQueryResultError, QueryHandle, StartQueryError};
use smoltcp::wire::{DnsQueryType, IpAddress};

use super::Stack;
use super::flow::{Flow, to_smoltcp, unspecified};
use super::sequence::{query_draws, throw_away};
use super::waiting::Subject;
use super::{Domain, InterfaceId, Type};
use crate::trace::Observer;
use crate::{Error, Limit, Result};

/// The addresses of a name; further ones are left out.
pub type Addresses = Vec<IpAddr, 8>;

/// Name servers that a stack asks, in order. smoltcp's own limit (1 without feature `std`) may be smaller.
const NAME_SERVERS: usize = 4;
/// Entries of the static name table.
const NAMES: usize = 8;
/// Tries for a query port that no socket has.
const PORT_TRIES: usize = 32;
const DNS_PORT: u16 = 53;
const FAMILIES: usize = 2;

/// A name lookup under way; a stale one is [`Error::BadDescriptor`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Lookup {
    index: u16,
    generation: u32,
}

/// What moved the resolver on.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Step {
    /// An answer arrived.
    Answer,
    /// Its timers ran.
    Timer,
}

#[derive(Clone, Copy)]
struct Query {
    handle: QueryHandle,
    id: u16,
    port: u16,
    /// Servers that answered, but not the question.
    refusals: usize,
}

enum State {
    Free,
    Pending {
        queries: [Option<Query>; FAMILIES],
        found: Addresses,
        timed_out: bool,
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

    fn queries(&self) -> impl Iterator<Item = &Query> {
        match &self.state {
            State::Pending { queries, .. } => queries.iter().flatten(),
            _ => [].iter().flatten(),
        }
    }
}

/// The lookups under way, the servers and the static table.
pub(super) struct Resolver<'a> {
    /// Where smoltcp's DNS socket is.
    pub(super) slot: u16,
    rows: ManagedSlice<'a, LookupRow>,
    servers: Vec<IpAddr, NAME_SERVERS>,
    /// Those among them that an interface's network names.
    learned: Vec<(u8, IpAddr), NAME_SERVERS>,
    names: Vec<(&'static str, IpAddr), NAMES>,
    /// The lookup of those who ask by the name, again and again, and that name's hash.
    #[cfg(feature = "embedded-nal")]
    repeated: Option<(u64, Lookup)>,
}

impl<'a> Resolver<'a> {
    pub(super) fn new(slot: u16, rows: impl Into<ManagedSlice<'a, LookupRow>>) -> Resolver<'a> {
        Resolver {
            slot,
            rows: rows.into(),
            servers: Vec::new(),
            learned: Vec::new(),
            names: Vec::new(),
            #[cfg(feature = "embedded-nal")]
            repeated: None,
        }
    }

    /// The server that is asked first.
    pub(super) fn server(&self) -> Option<IpAddr> {
        self.servers.first().copied()
    }

    /// Whether a query left from the port.
    pub(super) fn is_using(&self, port: u16) -> bool {
        let mut queries = self.rows.iter().flat_map(LookupRow::queries);
        queries.any(|query| query.port == port)
    }

    /// Whether a datagram can be an answer: from a server's port to a query's.
    pub(super) fn expects(&self, flow: &Flow) -> bool {
        flow.remote.port == DNS_PORT
            && self.servers.contains(&flow.remote.addr)
            && self.is_using(flow.local.port)
    }

    /// Whether a message is a server's refusal (RFC 1035 §4.1.1: SERVFAIL, REFUSED …) and another server can be asked,
    /// which then comes first at the next retransmission. Once all have refused smoltcp gets the message, and fails.
    fn is_refusal(&mut self, flow: &Flow, message: &[u8]) -> bool {
        let &[id0, id1, _, flags, ..] = message else {
            return false;
        };
        let rcode = flags & 0x0f;
        if matches!(rcode, 0 | 3) {
            return false;
        }
        let id = u16::from_be_bytes([id0, id1]);
        let count = self.servers.len();
        for row in self.rows.iter_mut() {
            let State::Pending {
                queries, timed_out, ..
            } = &mut row.state
            else {
                continue;
            };
            let mut queries = queries.iter_mut().flatten();
            let asked = |query: &&mut Query| query.id == id && query.port == flow.local.port;
            if let Some(query) = queries.find(asked) {
                query.refusals += 1;
                *timed_out |= query.refusals >= count;
                return query.refusals < count;
            }
        }
        false
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

    fn literal_or_static(&self, name: &str) -> Option<Addresses> {
        let mut addresses = Addresses::new();
        if let Ok(literal) = name.parse::<IpAddr>() {
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

impl<'a, O: Observer> Stack<'a, O> {
    /// Adds a name server; they are asked in order. [`Error::Exhausted`] where the table is full.
    pub fn add_name_server(&mut self, server: IpAddr) -> Result<()> {
        if server.is_unspecified() || server.is_multicast() {
            return Err(Error::InvalidArgument);
        }
        to_smoltcp(server).ok_or(Error::AddressFamilyNotSupported)?;
        let servers = &mut self.resolver.servers;
        if servers.len() >= smoltcp::config::DNS_MAX_SERVER_COUNT || servers.push(server).is_err() {
            return Err(Error::Exhausted(Limit::NameServers));
        }
        self.tell_servers();
        Ok(())
    }

    /// The name servers that an interface's network names, by DHCP (RFC 2132 §3.8), in place of those that it named before.
    /// They come after the user's, and those for which there is no room are left out.
    pub fn set_learned_name_servers(&mut self, interface: InterfaceId, servers: &[IpAddr]) {
        let resolver = &mut self.resolver;
        let learned = &mut resolver.learned;
        let is_forgotten = |server: &IpAddr| learned.contains(&(interface.0, *server));
        resolver.servers.retain(|server| !is_forgotten(server));
        learned.retain(|(from, _)| *from != interface.0);
        for server in servers {
            let limit = smoltcp::config::DNS_MAX_SERVER_COUNT.min(NAME_SERVERS);
            if resolver.servers.len() < limit && !resolver.servers.contains(server) {
                let _ = resolver.servers.push(*server);
                let _ = learned.push((interface.0, *server));
            }
        }
        self.tell_servers();
    }

    /// Adds a name to the static table, which is asked before the servers, as `/etc/hosts` is. A name with several
    /// addresses is added several times.
    pub fn add_name(&mut self, name: &'static str, address: IpAddr) -> Result<()> {
        let name = name.strip_suffix('.').unwrap_or(name);
        let added = self.resolver.names.push((name, address));
        added.map_err(|_| Error::Exhausted(Limit::Names))
    }

    /// Hears a server's message; says whether smoltcp is to hear it, too.
    pub(super) fn hear_server(&mut self, flow: &Flow, message: &[u8]) -> bool {
        if !self.resolver.is_refusal(flow, message) {
            return true;
        }
        let servers = &mut self.resolver.servers;
        if servers.first() == Some(&flow.remote.addr) {
            servers.rotate_left(1);
            self.tell_servers();
        }
        false
    }

    fn tell_servers(&mut self) {
        let servers = self.resolver.servers.iter();
        let servers: Vec<IpAddress, NAME_SERVERS> =
            servers.filter_map(|server| to_smoltcp(*server)).collect();
        if let Some(socket) = self.slots[usize::from(self.resolver.slot)].dns() {
            socket.update_servers(&servers);
        }
    }

    /// Starts to look a name up, as `getaddrinfo(3)` would: literals and the static table at once, else over DNS for
    /// each address family of this build. Ask [`resolved`](Stack::resolved) for the outcome.
    ///
    /// [`Error::InvalidArgument`] where it cannot be a name (RFC 1035 §2.3.4), [`Error::Exhausted`] where too many
    /// lookups are under way, [`Error::NameNotFound`] where there is no server to ask.
    pub fn resolve(&mut self, name: &str) -> Result<Lookup> {
        let free = |row: &LookupRow| matches!(row.state, State::Free);
        let index = self.resolver.rows.iter().position(free);
        let index = index.ok_or(Error::Exhausted(Limit::Lookups))?;
        let state = match self.resolver.literal_or_static(name) {
            Some(addresses) => State::Done(Ok(addresses)),
            None => self.query(name)?,
        };
        let row = &mut self.resolver.rows[index];
        row.state = state;
        Ok(Lookup {
            index: index as u16,
            generation: row.generation,
        })
    }

    fn query(&mut self, name: &str) -> Result<State> {
        let server = *self.resolver.servers.first().ok_or(Error::NameNotFound)?;
        let wildcard = unspecified(if server.is_ipv4() {
            Domain::Inet
        } else {
            Domain::Inet6
        });
        let route = self.route(wildcard, server)?;
        let slot = self.resolver.slot;
        if self.slots[usize::from(slot)].interface != route.interface {
            self.unschedule(slot);
            self.slots[usize::from(slot)].interface = route.interface;
        }
        let families = [
            cfg!(feature = "ipv4").then_some(DnsQueryType::A),
            cfg!(feature = "ipv6").then_some(DnsQueryType::Aaaa),
        ];
        let mut queries = [None; FAMILIES];
        for (query, family) in queries.iter_mut().zip(families) {
            let Some(family) = family else { continue };
            match self.start_query(name, family) {
                Ok(started) => *query = Some(started),
                Err(error) => {
                    self.cancel_queries(queries);
                    return Err(error);
                }
            }
        }
        self.make_due(slot);
        Ok(State::Pending {
            queries,
            found: Addresses::new(),
            timed_out: false,
        })
    }

    fn start_query(&mut self, name: &str, family: DnsQueryType) -> Result<Query> {
        let scope = super::flow::Scope::Any { v4: true, v6: true };
        let mut seed = self.secret.random_u64();
        let mut tries = 0;
        while self.is_port_taken(Type::Datagram, scope, query_draws(seed).1) {
            tries += 1;
            if tries == PORT_TRIES {
                return Err(Error::AddrInUse);
            }
            seed = self.secret.random_u64();
        }
        let slot = usize::from(self.resolver.slot);
        let socket = self.slots[slot]
            .dns()
            .ok_or(Error::Exhausted(Limit::Lookups))?;
        let handle = socket.start_query(throw_away(seed).context(), name, family);
        match handle {
            Ok(handle) => {
                let (id, port) = query_draws(seed);
                Ok(Query {
                    handle,
                    id,
                    port,
                    refusals: 0,
                })
            }
            Err(StartQueryError::NoFreeSlot) => Err(Error::Exhausted(Limit::Lookups)),
            Err(StartQueryError::InvalidName | StartQueryError::NameTooLong) => {
                Err(Error::InvalidArgument)
            }
        }
    }

    fn cancel_queries(&mut self, queries: [Option<Query>; FAMILIES]) {
        if let Some(socket) = self.slots[usize::from(self.resolver.slot)].dns() {
            for query in queries.into_iter().flatten() {
                socket.cancel_query(query.handle);
            }
        }
    }

    /// The outcome of a lookup, which is over then: [`Error::WouldBlock`] while it is under way,
    /// [`Error::NameNotFound`], or [`Error::TimedOut`] where no server answered the question.
    pub fn resolved(&mut self, lookup: Lookup) -> Result<Addresses> {
        let row = self.resolver.row(lookup)?;
        if matches!(row.state, State::Pending { .. }) {
            return Err(Error::WouldBlock);
        }
        let state = core::mem::replace(&mut row.state, State::Free);
        row.generation = row.generation.wrapping_add(1);
        match state {
            State::Done(outcome) => outcome,
            _ => Err(Error::BadDescriptor),
        }
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
        if let State::Pending { queries, .. } = state {
            self.cancel_queries(queries);
        }
    }

    /// The row of a lookup that is not done yet.
    pub(super) fn pending_lookup(&mut self, lookup: Lookup) -> Result<Option<u16>> {
        let row = self.resolver.row(lookup)?;
        Ok(matches!(row.state, State::Pending { .. }).then_some(lookup.index))
    }

    /// Collects what the queries have come to.
    pub(super) fn settle_lookups(&mut self, step: Step) {
        let Some(socket) = self.slots[usize::from(self.resolver.slot)].dns() else {
            return;
        };
        for (index, row) in (0..).zip(self.resolver.rows.iter_mut()) {
            let State::Pending {
                queries,
                found,
                timed_out,
            } = &mut row.state
            else {
                continue;
            };
            for query in queries.iter_mut() {
                let Some(handle) = query.map(|query| query.handle) else {
                    continue;
                };
                match socket.get_query_result(handle) {
                    Err(GetQueryResultError::Pending) => continue,
                    Err(GetQueryResultError::Failed) => *timed_out |= step == Step::Timer,
                    Ok(addresses) => {
                        for address in addresses {
                            let _ = found.push(address.into());
                        }
                    }
                }
                *query = None;
            }
            if queries.iter().any(Option::is_some) {
                continue;
            }
            let outcome = match (found.is_empty(), *timed_out) {
                (false, _) => Ok(found.clone()),
                (true, true) => Err(Error::TimedOut),
                (true, false) => Err(Error::NameNotFound),
            };
            row.state = State::Done(outcome);
            self.wakers.wake(Subject::Lookup(index));
        }
    }
}
