//! The DHCP client (RFC 2131, RFC 2132): how a host on a link gets an IPv4 address by itself.
//!
//! ```text
//!           DISCOVER             OFFER              ACK           free
//!  ┌▶ INIT ──────────▶ SELECTING ─────▶ REQUESTING ────▶ PROBING ─────▶ BOUND ◀────────┐
//!  │                                        │               │             │ T1         │
//!  │◀────────────── NAK, silence ───────────┘               │             ▼        ACK │
//!  │◀────────────── taken: DECLINE ─────────────────────────┘         RENEWING ───────▶│
//!  │                                                                      │ T2         │
//!  │                                                                      ▼        ACK │
//!  └◀────────────── NAK, or the lease is over ◀────────────────────── REBINDING ──────▶┘
//! ```
//!
//! After the link was down, BOUND becomes REBOOTING: the server is asked whether the lease holds where the host is now.
//!
//! [`Dhcp`] does nothing itself: it is told the time ([`poll`](Dhcp::poll)) and what arrived ([`hear`](Dhcp::hear)), writes
//! what is due ([`emit`](Dhcp::emit)), and says what that comes to as [`Event`]s. Whoever drives it probes the address (RFC
//! 5227) when asked to.
//!
//! Two choices the RFC leaves open. Answers may come by unicast to the address that the host has not got yet, as the heart
//! hears what is sent to its station on the client's port; a request that went unanswered asks for a broadcast, for servers
//! and bridges that cannot do the other. And the first offer that will do is taken.
//!
//! | file | what it explains |
//! |---|---|
//! | `exchange` | when a request is sent again, and under which number |
//! | `sending` | what is said in each state |
//! | `message` | how it is written, and what is read of an answer |
//! | `lease` | what an answer comes to |

mod exchange;
mod lease;
mod message;
mod sending;
#[cfg(test)]
mod tests;

use core::net::{Ipv4Addr, SocketAddrV4};

use smoltcp::time::{Duration, Instant};

use exchange::{Exchange, Random};
use message::{MessageType, Reply, client_identifier};

pub use lease::{Lease, Terms};
pub(crate) use message::{CLIENT_PORT, MESSAGE_LEN, SERVER_PORT};

/// Times that an offered address is asked for: a minute in all (RFC 2131 §3.1, 5).
const REQUESTS: u8 = 4;

/// How long nothing is asked for after an address was no good (RFC 2131 §3.1, 5).
const PAUSE: Duration = Duration::from_secs(10);

/// What the client has come to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Event {
    /// Find out whether somebody on the link has this address, and say so: it [is free](Dhcp::is_free), or it [is
    /// taken](Dhcp::is_taken).
    Probe(Ipv4Addr),
    /// The address is the host's.
    Bound(Lease),
    /// It goes on being the host's; what goes with it may have changed.
    Renewed(Lease),
    /// It is not the host's any more.
    Lost(Ipv4Addr),
}

/// Between which addresses a message goes, from the client's port to the server's.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Route {
    pub(crate) source: Ipv4Addr,
    pub(crate) destination: Ipv4Addr,
}

/// RFC 2131 §4.4, figure 5.
#[derive(Debug)]
enum State {
    /// INIT until its first request is sent, then SELECTING.
    Selecting(Exchange),
    /// `secs` is that of the last DISCOVER.
    Requesting {
        exchange: Exchange,
        address: Ipv4Addr,
        server: Ipv4Addr,
        secs: u16,
    },
    /// What comes of the probe is waited for.
    Probing(Lease),
    /// DECLINE is to be sent.
    Declining(Lease),
    Bound(Lease),
    Renewing(Lease, Exchange),
    Rebinding(Lease, Exchange),
    /// INIT-REBOOT and REBOOTING: whether the lease holds on the link that the host is on now. It lives on it meanwhile.
    Rebooting(Lease, Exchange),
    /// RELEASE is to be sent.
    Releasing(Lease),
    Stopped,
}

/// A DHCP client on one Ethernet link. See the [module](self).
#[derive(Debug)]
pub(crate) struct Dhcp {
    hardware_address: [u8; 6],
    /// The longest message that can be heard.
    longest: u16,
    random: Random,
    /// Addresses in a row that somebody else had.
    conflicts: u8,
    state: State,
}

impl Dhcp {
    /// A client that wants an address as of `now`, on a link with packets of `mtu` octets. `seed` is random.
    pub(crate) fn new(hardware_address: [u8; 6], mtu: usize, seed: u64, now: Instant) -> Dhcp {
        let mut random = Random::new(seed);
        let exchange = Exchange::new(&mut random, now);
        Dhcp {
            hardware_address,
            // No server may be told less (RFC 2132 §9.10), and no server has more to say.
            longest: mtu.clamp(576, 1_500) as u16,
            random,
            conflicts: 0,
            state: State::Selecting(exchange),
        }
    }

    /// The lease that the host lives on.
    pub(crate) fn lease(&self) -> Option<&Lease> {
        match &self.state {
            State::Bound(lease)
            | State::Renewing(lease, _)
            | State::Rebinding(lease, _)
            | State::Rebooting(lease, _) => Some(lease),
            _ => None,
        }
    }

    /// When the lease is over.
    pub(crate) fn expiry(&self) -> Option<Instant> {
        self.lease().and_then(Lease::expiry)
    }

    /// The address of the lease, or of what is to be one once it is known that nobody has it.
    pub(crate) fn address(&self) -> Option<Ipv4Addr> {
        match &self.state {
            State::Probing(lease) => Some(lease.address),
            _ => self.lease().map(|lease| lease.address),
        }
    }

    /// When [`poll`](Dhcp::poll) and [`emit`](Dhcp::emit) want to be called next; `None`: not before something is heard.
    pub(crate) fn poll_at(&self) -> Option<Instant> {
        match &self.state {
            State::Selecting(exchange) | State::Requesting { exchange, .. } => Some(exchange.next),
            State::Probing(lease) => lease.expiry(),
            State::Declining(_) | State::Releasing(_) => Some(Instant::ZERO),
            State::Bound(lease) => lease.renewal(),
            State::Renewing(lease, exchange) => lease.rebinding().map(|at| at.min(exchange.next)),
            State::Rebinding(lease, exchange) | State::Rebooting(lease, exchange) => {
                let expiry = lease.expiry();
                Some(expiry.map_or(exchange.next, |at| at.min(exchange.next)))
            }
            State::Stopped => None,
        }
    }

    /// Goes on to the state that the time says.
    pub(crate) fn poll(&mut self, now: Instant) -> Option<Event> {
        let has_come = |at: Option<Instant>| at.is_some_and(|at| at <= now);
        match &self.state {
            State::Requesting { exchange, .. }
                if exchange.sent >= REQUESTS && exchange.is_due(now) =>
            {
                self.begin(now);
            }
            State::Probing(lease) if lease.is_over(now) => self.begin(now),
            State::Bound(lease)
            | State::Renewing(lease, _)
            | State::Rebinding(lease, _)
            | State::Rebooting(lease, _)
                if lease.is_over(now) =>
            {
                return self.lose(now);
            }
            // Nobody says no: the rest of the lease may be used (RFC 2131 §3.2, 4).
            State::Rebooting(lease, exchange)
                if exchange.sent >= REQUESTS && exchange.is_due(now) =>
            {
                self.state = State::Bound(lease.clone());
            }
            State::Bound(lease) | State::Renewing(lease, _) if has_come(lease.rebinding()) => {
                let exchange = Exchange::new(&mut self.random, now);
                self.state = State::Rebinding(lease.clone(), exchange);
            }
            State::Bound(lease) if has_come(lease.renewal()) => {
                let exchange = Exchange::new(&mut self.random, now);
                self.state = State::Renewing(lease.clone(), exchange);
            }
            _ => {}
        }
        None
    }

    /// Hears a datagram. What is not the answer to what was asked last changes nothing.
    pub(crate) fn hear(
        &mut self,
        now: Instant,
        from: SocketAddrV4,
        to: SocketAddrV4,
        message: &[u8],
    ) -> Option<Event> {
        if (from.port(), to.port()) != (SERVER_PORT, CLIENT_PORT) {
            return None;
        }
        let reply = Reply::parse(message)?;
        let own = client_identifier(self.hardware_address);
        // A server that repeats the client's identifier must have the right one (RFC 6842 §3).
        let is_own = reply.options.client_identifier.is_none_or(|id| id == own);
        if reply.hardware_address != self.hardware_address || !is_own {
            return None;
        }
        let is_sent_to = |address: Ipv4Addr| to.ip().is_broadcast() || *to.ip() == address;
        let is_from = |server: Ipv4Addr| reply.options.server == Some(server);
        match (&self.state, reply.message_type) {
            (State::Selecting(exchange), MessageType::Offer)
                if exchange.expects(reply.xid) && is_sent_to(reply.your_address) =>
            {
                let offer = Lease::read(&reply, now)?;
                self.state = State::Requesting {
                    exchange: exchange.go_on(now),
                    address: offer.address,
                    server: offer.server,
                    secs: exchange.secs(exchange.sent_at),
                };
                None
            }
            (
                State::Requesting {
                    exchange,
                    address,
                    server,
                    ..
                },
                answer @ (MessageType::Ack | MessageType::Nak),
            ) if exchange.expects(reply.xid) && is_from(*server) && is_sent_to(*address) => {
                if answer == MessageType::Nak {
                    // Whoever refuses what was just offered is not asked again at once.
                    self.begin(now + PAUSE);
                    return None;
                }
                // Which of the requests it answers is not to be seen: the lease has run since the first at most.
                let lease = self.acknowledged(&reply, now, *address, exchange.began)?;
                self.state = State::Probing(lease);
                Some(Event::Probe(reply.your_address))
            }
            (
                State::Renewing(lease, exchange) | State::Rebinding(lease, exchange),
                answer @ (MessageType::Ack | MessageType::Nak),
            ) if exchange.expects(reply.xid)
                && is_sent_to(lease.address)
                && !lease.is_over(now)
                && reply.options.server.is_some()
                && (is_from(lease.server) || matches!(self.state, State::Rebinding(..))) =>
            {
                if answer == MessageType::Nak {
                    return self.lose(now);
                }
                let lease = self.acknowledged(&reply, now, lease.address, exchange.sent_at)?;
                self.state = State::Bound(lease.clone());
                Some(Event::Renewed(lease))
            }
            (State::Rebooting(lease, exchange), answer @ (MessageType::Ack | MessageType::Nak))
                if exchange.expects(reply.xid)
                    && is_sent_to(lease.address)
                    && !lease.is_over(now)
                    && reply.options.server.is_some() =>
            {
                if answer == MessageType::Nak {
                    return self.lose(now);
                }
                let lease = self.acknowledged(&reply, now, lease.address, exchange.began)?;
                self.state = State::Bound(lease.clone());
                Some(Event::Renewed(lease))
            }
            _ => None,
        }
    }

    /// The lease of an acknowledgment, if it is for the address that was asked for, and not over already.
    fn acknowledged(
        &self,
        reply: &Reply<'_>,
        now: Instant,
        address: Ipv4Addr,
        since: Instant,
    ) -> Option<Lease> {
        let lease = Lease::read(reply, since)?;
        (lease.address == address && !lease.is_over(now)).then_some(lease)
    }

    /// The outcome of an [`Event::Probe`]: nobody has the address, and the host may use it.
    pub(crate) fn is_free(&mut self, now: Instant, address: Ipv4Addr) -> Option<Event> {
        match &self.state {
            State::Probing(lease) if lease.address == address && !lease.is_over(now) => {
                let lease = lease.clone();
                self.conflicts = 0;
                self.state = State::Bound(lease.clone());
                Some(Event::Bound(lease))
            }
            _ => None,
        }
    }

    /// Somebody else has the address: the outcome of an [`Event::Probe`], or seen later (RFC 5227 §2.4). The server is told.
    pub(crate) fn is_taken(&mut self, address: Ipv4Addr) -> Option<Event> {
        let (lease, was_bound) = match &self.state {
            State::Probing(lease) => (lease, false),
            State::Bound(lease)
            | State::Renewing(lease, _)
            | State::Rebinding(lease, _)
            | State::Rebooting(lease, _) => (lease, true),
            _ => return None,
        };
        if lease.address != address {
            return None;
        }
        self.conflicts = self.conflicts.saturating_add(1);
        self.state = State::Declining(lease.clone());
        was_bound.then_some(Event::Lost(address))
    }

    /// The link was down, and may be another one now: asks whether the lease holds there (RFC 2131 §3.7). Who has none begins
    /// again.
    pub(crate) fn relink(&mut self, now: Instant) {
        match self.lease() {
            Some(lease) => {
                let lease = lease.clone();
                let exchange = Exchange::new(&mut self.random, now);
                self.state = State::Rebooting(lease, exchange);
            }
            None if !self.is_stopping() => self.begin(now),
            None => {}
        }
    }

    /// Whether it has been [stopped](Dhcp::stop), and all is said.
    pub(crate) fn is_over(&self) -> bool {
        matches!(self.state, State::Stopped)
    }

    /// Whether it has been stopped, whatever is still to be said.
    pub(crate) fn is_stopping(&self) -> bool {
        matches!(self.state, State::Releasing(_) | State::Stopped)
    }

    /// Gives the address back, if there is one: RELEASE is what [`emit`](Dhcp::emit) writes last.
    pub(crate) fn stop(&mut self) {
        self.state = match self.lease() {
            Some(lease) => State::Releasing(lease.clone()),
            None => State::Stopped,
        };
    }

    /// INIT, from which on servers are asked at a time.
    fn begin(&mut self, at: Instant) {
        self.state = State::Selecting(Exchange::new(&mut self.random, at));
    }

    fn lose(&mut self, now: Instant) -> Option<Event> {
        let address = self.lease()?.address;
        self.begin(now);
        Some(Event::Lost(address))
    }
}

impl Route {
    /// From a host without an address to all of its link.
    const EVERYBODY: Route = Route {
        source: Ipv4Addr::UNSPECIFIED,
        destination: Ipv4Addr::BROADCAST,
    };
}
