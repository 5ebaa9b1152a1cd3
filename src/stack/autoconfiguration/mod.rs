//! IPv6 addresses without a server (RFC 4862), routers found by their advertisements (RFC 4861 §6.3), and the name
//! servers that come with them (RFC 8106).
//!
//! | file | what it explains |
//! |---|---|
//! | `duplicate` | whether another host has an address |
//! | `identifier` | which address it is |
//! | `solicitation` | when routers are asked |
//! | `advertisement`, `option`, `packet` | what is read and written |

mod advertisement;
mod duplicate;
mod identifier;
mod option;
mod packet;
mod solicitation;

use heapless::Vec;
use smoltcp::phy::ChecksumCapabilities;
use smoltcp::time::{Duration, Instant};

pub(super) use duplicate::Detection;
pub use identifier::InterfaceIdentifier;
pub(super) use packet::Solicitation;

use super::address::{AddressChange, AddressTable, Change, Origin, Row};
use super::egress::earlier;
use super::lifetime::Lifetimes;
use super::route::{LEARNED_METRIC, Route, RouteTable};
use super::sequence::Secret;
use crate::Result;
use crate::stack::ip::Ipv6Addr;
use advertisement::{Advertisement, Preference};
use duplicate::Heard;
use option::{NdOption, Prefix};
use packet::Message;
use solicitation::Solicitations;

/// Addresses that routers may make an interface form: whatever they advertise, there is room for others.
const FORMED: usize = if cfg!(feature = "std") { 8 } else { 2 };

/// Name servers that are kept: three are enough (RFC 8106 §5.3.1).
const SERVERS: usize = 3;

/// Further identifiers that are tried where one is another host's (RFC 7217 §7, IDGEN_RETRIES).
const RETRIES: u8 = 3;

/// What solicitations are apart where no router says otherwise (RFC 4861 §10, RETRANS_TIMER), and at most: no
/// advertisement is to hold the detection up for days.
const RETRANSMIT: Duration = Duration::from_secs(1);
const LONGEST_RETRANSMIT: Duration = Duration::from_secs(10);

/// What every link carries (RFC 8200 §5).
const LEAST_MTU: u32 = 1_280;

/// For ever (RFC 4861 §4.6.2).
const INFINITY: u32 = u32::MAX;

/// What is left of a valid lifetime that no advertisement may shorten, since anybody could send one (RFC 4862 §5.5.3).
const TWO_HOURS: Duration = Duration::from_secs(2 * 60 * 60);

/// Of link-local addresses (RFC 4291 §2.5.6).
const LINK_LOCAL: Ipv6Addr = Ipv6Addr::new(0xfe80, 0, 0, 0, 0, 0, 0, 0);

/// Autoconfiguration of an interface.
#[derive(Debug)]
pub(super) struct Autoconfiguration {
    identifier: InterfaceIdentifier,
    hardware_address: Option<[u8; 6]>,
    solicitations: Solicitations,
    /// Of prefixes: how many of their identifiers were another host's.
    collisions: Vec<(Ipv6Addr, u8), FORMED>,
    /// No address of the link's own is to be had: nothing is done (RFC 4862 §5.4.5).
    is_disabled: bool,
    servers: Vec<Server, SERVERS>,
    mtu: Option<u32>,
    retransmit: Duration,
}

/// A name server, and until when it may be asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Server {
    addr: Ipv6Addr,
    valid_until: Option<Instant>,
}

impl Autoconfiguration {
    /// Begins with an address for the link alone.
    pub(super) fn start(
        identifier: InterfaceIdentifier,
        hardware_address: Option<[u8; 6]>,
        addresses: &mut AddressTable,
        now: Instant,
        secret: &mut Secret,
    ) -> Result<Autoconfiguration> {
        let mut this = Autoconfiguration {
            identifier,
            hardware_address,
            solicitations: Solicitations::IDLE,
            collisions: Vec::new(),
            is_disabled: false,
            servers: Vec::new(),
            mtu: None,
            retransmit: RETRANSMIT,
        };
        let given = link_local(addresses);
        if given.is_none() {
            let random = secret.random_u64();
            let addr = this
                .address(LINK_LOCAL, secret)
                .ok_or(crate::Error::InvalidArgument)?;
            let row = Row::new(addr.into(), 64, Origin::LinkLocal);
            addresses.add(row.tentative(Detection::delayed(now, random)))?;
        } else {
            this.solicitations = Solicitations::at_once(now);
        }
        Ok(this)
    }

    /// Begins again, as after the link was down: who is on it may be others now.
    pub(super) fn restart(&mut self, addresses: &AddressTable, now: Instant) {
        self.solicitations = match link_local(addresses) {
            Some(_) => Solicitations::at_once(now),
            None => Solicitations::IDLE,
        };
        self.is_disabled = false;
        self.collisions.clear();
    }

    /// Takes back all that came of it.
    pub(super) fn stop(self, addresses: &mut AddressTable, routes: &mut RouteTable) {
        let is_formed =
            |row: &&mut Row| matches!(row.origin, Origin::LinkLocal | Origin::Autoconfigured);
        for row in addresses.rows_mut().filter(is_formed) {
            row.take_away();
        }
        routes.remove_all(Origin::Autoconfigured, |_| true);
    }

    /// An address has changed: the link's own can be spoken from now, or another identifier is to be tried.
    pub(super) fn changed(
        &mut self,
        change: &Change,
        addresses: &mut AddressTable,
        now: Instant,
        secret: &mut Secret,
    ) {
        let row = change.row;
        match (change.change, row.addr) {
            (AddressChange::Preferred, core::net::IpAddr::V6(addr))
                if addr.is_unicast_link_local() && self.solicitations == Solicitations::IDLE =>
            {
                self.solicitations = Solicitations::at_once(now);
            }
            (AddressChange::Duplicate, core::net::IpAddr::V6(addr))
                if matches!(row.origin, Origin::LinkLocal | Origin::Autoconfigured) =>
            {
                let is_next = self.count_collision(prefix_of(addr))
                    && self.form_again(row, prefix_of(addr), addresses, now, secret);
                if !is_next && row.origin == Origin::LinkLocal {
                    self.is_disabled = true;
                    self.solicitations = Solicitations::IDLE;
                }
            }
            _ => {}
        }
    }

    /// Says whether another identifier is to be tried.
    fn count_collision(&mut self, prefix: Ipv6Addr) -> bool {
        let known = self.collisions.iter_mut().find(|(it, _)| *it == prefix);
        match known {
            Some((_, count)) => {
                *count = count.saturating_add(1);
                *count <= RETRIES
            }
            None => self.collisions.push((prefix, 1)).is_ok(),
        }
    }

    fn form_again(
        &self,
        row: Row,
        prefix: Ipv6Addr,
        addresses: &mut AddressTable,
        now: Instant,
        secret: &mut Secret,
    ) -> bool {
        let random = secret.random_u64();
        let Some(addr) = self.address(prefix, secret) else {
            return false;
        };
        let row = row.moved_to(addr, Detection::delayed(now, random));
        addresses.add(row).is_ok()
    }

    /// The address of a prefix; `None` if those that were tried are enough, or there is no other.
    fn address(&self, prefix: Ipv6Addr, secret: &Secret) -> Option<Ipv6Addr> {
        let collisions = self.collisions.iter().find(|(it, _)| *it == prefix);
        let count = collisions.map_or(0, |(_, count)| *count);
        if count > RETRIES {
            return None;
        }
        let identifier = self
            .identifier
            .make(prefix, self.hardware_address, count, secret)?;
        Some(identifier::join(prefix, identifier))
    }

    /// Does what is due by `now`.
    pub(super) fn expire(&mut self, now: Instant) {
        self.servers
            .retain(|server| server.valid_until.is_none_or(|at| now < at));
    }

    /// When the time of a name server is over next.
    pub(super) fn expires_at(&self) -> Option<Instant> {
        let servers = self.servers.iter().map(|server| server.valid_until);
        servers.fold(None, earlier)
    }

    /// When routers are asked next.
    pub(super) fn asks_at(&self) -> Option<Instant> {
        self.solicitations.at()
    }

    /// The name servers that may be asked.
    pub(super) fn servers(&self) -> impl Iterator<Item = Ipv6Addr> {
        self.servers.iter().map(|server| server.addr)
    }

    /// The largest packet that routers say the link carries.
    pub(super) fn mtu(&self) -> Option<u32> {
        self.mtu
    }

    fn learn(
        &mut self,
        router: Ipv6Addr,
        advertisement: &Advertisement<'_>,
        link: &mut Link<'_>,
        is_multicast: bool,
    ) {
        if self.is_disabled {
            return;
        }
        let now = link.now;
        let lifetime = advertisement.router_lifetime;
        let default = Route {
            metric: match advertisement.preference {
                Preference::High => LEARNED_METRIC - 1,
                Preference::Medium => LEARNED_METRIC,
                Preference::Low => LEARNED_METRIC + 1,
            },
            ..Route::default_by(router.into())
        };
        link.routes.gateway_answered(router.into());
        if lifetime == 0 {
            link.routes.unlearn(default);
        } else {
            let valid_until = until(now, lifetime.into());
            link.routes
                .learn(default, Origin::Autoconfigured, valid_until);
            self.solicitations.answered();
        }
        if advertisement.retransmit > 0 {
            let asked_for = Duration::from_millis(advertisement.retransmit.into());
            self.retransmit = asked_for.min(LONGEST_RETRANSMIT);
        }
        for option in advertisement.options.iter() {
            match option {
                NdOption::Prefix(prefix) => self.learn_prefix(router, &prefix, link, is_multicast),
                NdOption::Mtu(mtu) if (LEAST_MTU..=link.mtu).contains(&mtu) => {
                    self.mtu = Some(mtu);
                }
                NdOption::Servers(lifetime, servers) => self.learn_servers(lifetime, servers, now),
                _ => {}
            }
        }
    }

    fn learn_prefix(
        &mut self,
        router: Ipv6Addr,
        prefix: &Prefix,
        link: &mut Link<'_>,
        is_multicast: bool,
    ) {
        let network = prefix.prefix;
        if network.is_unicast_link_local() || network.is_multicast() || network.segments()[0] == 0 {
            return;
        }
        if prefix.is_on_link {
            let route = Route {
                destination: network.into(),
                prefix_len: prefix.len,
                gateway: None,
                metric: 0,
            };
            match prefix.valid {
                0 => link.routes.unlearn(route),
                valid => {
                    let valid_until = until(link.now, valid);
                    link.routes
                        .learn(route, Origin::Autoconfigured, valid_until);
                }
            }
        }
        if !prefix.is_autonomous || prefix.preferred > prefix.valid {
            return;
        }
        let mut formed = 0;
        let mut is_known = false;
        let is_formed = |row: &&mut Row| row.origin == Origin::Autoconfigured;
        for row in link.addresses.rows_mut().filter(is_formed) {
            formed += 1;
            if row.prefix_len == prefix.len && row.contains(network.into()) {
                is_known = true;
                row.router = Some(router);
                row.lifetimes = refreshed(row.lifetimes, prefix, link.now);
                row.expire(link.now);
            }
        }
        if is_known || prefix.valid == 0 || prefix.len != 64 || formed >= FORMED {
            return;
        }
        let random = link.secret.random_u64();
        let detection = match is_multicast {
            true => Detection::delayed(link.now, random),
            false => Detection::at_once(link.now, random),
        };
        if let Some(addr) = self.address(prefix_of(network), link.secret) {
            let mut row = Row::new(addr.into(), 64, Origin::Autoconfigured);
            row.router = Some(router);
            let lifetimes = Lifetimes {
                preferred_until: until(link.now, prefix.preferred).into(),
                valid_until: until(link.now, prefix.valid).into(),
            };
            // Without room the prefix is one too many.
            let _ = link
                .addresses
                .add(row.with_lifetimes(lifetimes).tentative(detection));
        }
    }

    /// RFC 8106 §5.1: zero ends a server's service at once.
    fn learn_servers(&mut self, lifetime: u32, servers: &[u8], now: Instant) {
        let (addresses, _) = servers.as_chunks::<16>();
        for addr in addresses.iter().copied().map(Ipv6Addr::from_octets) {
            if addr.is_unspecified() || addr.is_multicast() || addr.is_loopback() {
                continue;
            }
            let valid_until = until(now, lifetime);
            let known = self.servers.iter().position(|server| server.addr == addr);
            match (known, lifetime) {
                (Some(known), 0) => {
                    self.servers.remove(known);
                }
                (Some(known), _) => self.servers[known].valid_until = valid_until,
                (None, 0) => {}
                // Three are kept, of those that were heard first.
                (None, _) => {
                    let _ = self.servers.push(Server { addr, valid_until });
                }
            }
        }
    }
}

/// What autoconfiguration works on: an interface's tables, and what it is given with each call.
pub(super) struct Link<'l> {
    pub(super) addresses: &'l mut AddressTable,
    pub(super) routes: &'l mut RouteTable,
    /// The largest packet that the link carries.
    pub(super) mtu: u32,
    pub(super) now: Instant,
    pub(super) secret: &'l mut Secret,
}

impl Link<'_> {
    /// Takes in an ICMPv6 packet: what it says of addresses that may be another host's, and, under autoconfiguration, what
    /// a router advertises. Says whether it may have changed something. Whatever else it is changes nothing: redirects are
    /// not obeyed.
    pub(super) fn hear(
        &mut self,
        autoconfiguration: Option<&mut Autoconfiguration>,
        (source, destination, hop_limit): (Ipv6Addr, Ipv6Addr, u8),
        packet: &[u8],
        checksum: &ChecksumCapabilities,
    ) -> bool {
        let Some(message) = Message::parse(source, destination, hop_limit, packet, checksum) else {
            return false;
        };
        match (Heard::parse(&message), autoconfiguration) {
            (Some(Heard::Solicitation(target, nonce)), _) => {
                self.addresses.hear_solicitation(target, nonce)
            }
            (Some(Heard::Advertisement(target)), _) => self.addresses.hear_advertisement(target),
            (None, Some(autoconfiguration)) => match Advertisement::parse(&message) {
                Some(advertisement) => {
                    let is_multicast = destination.is_multicast();
                    autoconfiguration.learn(source, &advertisement, self, is_multicast);
                    true
                }
                None => false,
            },
            (None, None) => false,
        }
    }

    /// What is to be sent now; again and again until it is said to be [sent](Self::sent).
    pub(super) fn due(
        &self,
        autoconfiguration: Option<&Autoconfiguration>,
    ) -> Option<Solicitation> {
        let duplicates = self.addresses.due_solicitation(self.now);
        if let Some((target, nonce)) = duplicates {
            return Some(Solicitation::for_duplicates(target, nonce));
        }
        let autoconfiguration = autoconfiguration?;
        if !autoconfiguration.solicitations.is_due(self.now) {
            return None;
        }
        let source = link_local(self.addresses).unwrap_or(Ipv6Addr::UNSPECIFIED);
        let hardware_address = autoconfiguration.hardware_address;
        Some(Solicitation::for_routers(source, hardware_address))
    }

    /// It has been sent.
    pub(super) fn sent(
        &mut self,
        autoconfiguration: Option<&mut Autoconfiguration>,
        solicitation: &Solicitation,
    ) {
        match (solicitation.target(), autoconfiguration) {
            (Some(target), autoconfiguration) => {
                let retransmit = autoconfiguration.map_or(RETRANSMIT, |it| it.retransmit);
                self.addresses
                    .solicitation_sent(target, self.now, retransmit);
            }
            (None, Some(autoconfiguration)) => {
                let random = self.secret.random_u64();
                autoconfiguration.solicitations.sent(self.now, random);
            }
            (None, None) => {}
        }
    }
}

/// The address for the link alone, if it may be used.
fn link_local(addresses: &AddressTable) -> Option<Ipv6Addr> {
    addresses.assigned().find_map(|row| match row.addr {
        core::net::IpAddr::V6(addr) if addr.is_unicast_link_local() => Some(addr),
        _ => None,
    })
}

fn prefix_of(addr: Ipv6Addr) -> Ipv6Addr {
    identifier::join(addr, 0)
}

fn until(now: Instant, seconds: u32) -> Option<Instant> {
    (seconds != INFINITY).then(|| now + Duration::from_secs(seconds.into()))
}

/// An address' lifetimes after its prefix was advertised again (RFC 4862 §5.5.3 e).
fn refreshed(lifetimes: Lifetimes, prefix: &Prefix, now: Instant) -> Lifetimes {
    let received = until(now, prefix.valid);
    let floor = now + TWO_HOURS;
    let valid_until = match (lifetimes.valid_until.at(), received) {
        (_, None) => None,
        (_, Some(received)) if received > floor => Some(received),
        (Some(current), Some(received)) if received > current => Some(received),
        (Some(current), _) if current <= floor => Some(current),
        _ => Some(floor),
    };
    Lifetimes {
        preferred_until: until(now, prefix.preferred).into(),
        valid_until: valid_until.into(),
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)] // A test may fail.
mod tests;
