//! The routes of an interface: which destinations it leads to, and by which router.

use core::cmp::Reverse;
use core::net;
use core::time::Duration;

use heapless::Vec;
use smoltcp::time::Instant;

use super::address::Origin;
use super::egress::earlier;
use super::ip::{self, IpAddr};
use super::lifetime::Until;
use super::moment::{Moment, left};
use super::policy::common_prefix_len;
use crate::{Error, Limit, Result};

/// Routes of one interface.
const ROUTES: usize = match (cfg!(feature = "std"), cfg!(feature = "_learned")) {
    (true, _) => 32,
    (_, true) => 8,
    (_, false) => 4,
};

/// Of these, the ones that routers may fill, with themselves (two at least: RFC 4861 §6.3.4) and with the prefixes of the link:
/// whatever they say, there is room for others. A server gives but one.
#[cfg(feature = "_learned")]
const LEARNED: usize = ROUTES / 2;

/// Of default routes that are learned from others (as Linux): the user's own come first.
#[cfg(feature = "_learned")]
pub(super) const LEARNED_METRIC: u32 = 1_024;

/// A way to a network.
///
/// Of several that lead to a destination the one with the longest prefix is taken; among these, one whose gateway
/// answers; among these, that of the lowest metric.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Route {
    /// The network's address; the bits behind the prefix do not count.
    pub destination: net::IpAddr,
    /// How many of its bits are the prefix; 0 is the default route.
    pub prefix_len: u8,
    /// The router that packets go to; `None` where the destination is on the link.
    pub gateway: Option<net::IpAddr>,
    /// Where two are as long, the lower one is taken.
    pub metric: u32,
}

impl Route {
    /// The default route of the gateway's family: what leads nowhere else goes there.
    pub fn default_by(gateway: net::IpAddr) -> Route {
        Route {
            destination: unspecified(gateway.is_ipv4()),
            prefix_len: 0,
            gateway: Some(gateway),
            metric: 0,
        }
    }

    /// With the bits behind the prefix cleared, so that equal routes are equal values. `None` if it is no route at all:
    /// the prefix is too long, or the gateway of the other family.
    fn canonical(self, origin: Origin) -> Option<Entry> {
        let cleared: net::IpAddr = match self.destination {
            net::IpAddr::V4(v4) => {
                let host_bits = u32::MAX.checked_shr(self.prefix_len.into()).unwrap_or(0);
                core::net::Ipv4Addr::from_bits(v4.to_bits() & !host_bits).into()
            }
            net::IpAddr::V6(v6) => {
                let host_bits = u128::MAX.checked_shr(self.prefix_len.into()).unwrap_or(0);
                core::net::Ipv6Addr::from_bits(v6.to_bits() & !host_bits).into()
            }
        };
        let longest = if self.destination.is_ipv4() { 32 } else { 128 };
        let is_one_family = |gateway: net::IpAddr| gateway.is_ipv4() == self.destination.is_ipv4();
        let is_right = self.prefix_len <= longest && self.gateway.is_none_or(is_one_family);
        let gateway = match self.gateway {
            Some(gateway) => Some(ip::inward(gateway).ok()?),
            None => None,
        };
        let entry = Entry {
            destination: ip::inward(cleared).ok()?,
            prefix_len: self.prefix_len,
            gateway,
            origin,
            metric: self.metric,
        };
        is_right.then_some(entry)
    }
}

/// A route in the table.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Entry {
    pub(super) destination: IpAddr,
    pub(super) prefix_len: u8,
    pub(super) gateway: Option<IpAddr>,
    origin: Origin,
    metric: u32,
}

impl Entry {
    /// Whether it leads to an address.
    pub(super) fn leads_to(&self, addr: IpAddr) -> bool {
        self.destination.is_ipv4() == addr.is_ipv4()
            && common_prefix_len(self.destination, addr) >= self.prefix_len
    }

    /// Whether another leads to the same network by the same gateway.
    fn is_as(&self, other: &Entry) -> bool {
        (self.destination, self.prefix_len, self.gateway)
            == (other.destination, other.prefix_len, other.gateway)
    }

    fn shown(self) -> Route {
        Route {
            destination: ip::outward(self.destination),
            prefix_len: self.prefix_len,
            gateway: self.gateway.map(ip::outward),
            metric: self.metric,
        }
    }
}

fn unspecified(is_v4: bool) -> net::IpAddr {
    match is_v4 {
        true => core::net::Ipv4Addr::UNSPECIFIED.into(),
        false => core::net::Ipv6Addr::UNSPECIFIED.into(),
    }
}

/// A route of an interface, as [`Stack::routes`](crate::Stack::routes) lists it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct InterfaceRoute {
    /// The route.
    pub route: Route,
    /// Where it comes from.
    pub origin: Origin,
    /// How long it stays; `None`: for ever.
    pub valid: Option<Duration>,
    /// Its gateway did not answer the last time it was asked for.
    pub failed: bool,
}

/// A row of the table.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Row {
    route: Entry,
    valid_until: Until,
    /// When its gateway last did not answer.
    failed: Moment,
}

/// How well something leads to an address: the greatest rank is taken. Where all gateways have failed it is the one that
/// has done so longest ago, so that each is tried in turn (RFC 4861 §6.3.6).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Rank {
    prefix_len: u8,
    works: bool,
    failed: Reverse<Option<Instant>>,
    metric: Reverse<u32>,
}

impl Rank {
    /// Of a network that is on the link.
    pub(super) fn direct(prefix_len: u8) -> Rank {
        Rank {
            prefix_len,
            works: true,
            failed: Reverse(None),
            metric: Reverse(0),
        }
    }

    /// No gateway that it needs has failed.
    pub(super) fn works(&self) -> bool {
        self.works
    }
}

impl Row {
    fn rank(&self) -> Rank {
        Rank {
            prefix_len: self.route.prefix_len,
            works: self.failed == Moment::NONE,
            failed: Reverse(self.failed.get()),
            metric: Reverse(self.route.metric),
        }
    }
}

/// The routes of an interface.
#[derive(Debug)]
pub(super) struct RouteTable {
    rows: Vec<Row, ROUTES>,
}

impl RouteTable {
    pub(super) const fn new() -> RouteTable {
        RouteTable { rows: Vec::new() }
    }

    /// Adds a route, or gives the one to the same network by the same gateway another metric, origin and lifetime.
    /// [`Error::InvalidArgument`] if it is none.
    pub(super) fn add(
        &mut self,
        route: Route,
        origin: Origin,
        valid_until: Option<Instant>,
    ) -> Result<()> {
        let route = route.canonical(origin).ok_or(Error::InvalidArgument)?;
        let row = Row {
            route,
            valid_until: valid_until.into(),
            failed: Moment::NONE,
        };
        match self.known(&route) {
            Some(known) => *known = row,
            None => self
                .rows
                .push(row)
                .map_err(|_| Error::Exhausted(Limit::Routes))?,
        }
        Ok(())
    }

    /// Takes away the route to the network by the gateway, whatever its metric; says whether there was one.
    pub(super) fn remove(&mut self, route: Route) -> bool {
        let before = self.rows.len();
        if let Some(route) = route.canonical(Origin::Static) {
            self.rows.retain(|row| !row.route.is_as(&route));
        }
        self.rows.len() != before
    }

    /// Takes away those that come from somewhere and are of a kind.
    pub(super) fn remove_all(&mut self, origin: Origin, is_meant: impl Fn(&Entry) -> bool) {
        self.rows
            .retain(|row| row.route.origin != origin || !is_meant(&row.route));
    }

    fn known(&mut self, route: &Entry) -> Option<&mut Row> {
        self.rows.iter_mut().find(|row| row.route.is_as(route))
    }

    /// The best way to an address.
    pub(super) fn look_up(&self, addr: IpAddr) -> Option<(Rank, Entry)> {
        let rows = self.rows.iter().filter(|row| row.route.leads_to(addr));
        let ranked = rows.map(|row| (row.rank(), row.route));
        // Of equals the first stays.
        ranked.reduce(|best, next| if next.0 > best.0 { next } else { best })
    }

    /// A gateway did not answer: others are taken from now on, if there are any.
    pub(super) fn gateway_failed(&mut self, gateway: IpAddr, now: Instant) {
        for row in self.by(gateway) {
            row.failed = now.into();
        }
    }

    /// A gateway has been heard of.
    pub(super) fn gateway_answered(&mut self, gateway: IpAddr) {
        for row in self.by(gateway) {
            row.failed = Moment::NONE;
        }
    }

    fn by(&mut self, gateway: IpAddr) -> impl Iterator<Item = &mut Row> {
        let is_by = move |row: &&mut Row| row.route.gateway == Some(gateway);
        self.rows.iter_mut().filter(is_by)
    }

    /// Forgets those whose time is over; says whether there were any.
    pub(super) fn expire(&mut self, now: Instant) -> bool {
        let before = self.rows.len();
        self.rows
            .retain(|row| row.valid_until.at().is_none_or(|at| now < at));
        self.rows.len() != before
    }

    /// When the time of one is over next.
    pub(super) fn expires_at(&self) -> Option<Instant> {
        let rows = self.rows.iter();
        rows.map(|row| row.valid_until.at()).fold(None, earlier)
    }

    /// The table as users see it.
    pub(super) fn list(&self, now: Instant) -> impl Iterator<Item = InterfaceRoute> {
        self.rows.iter().map(move |row| InterfaceRoute {
            route: row.route.shown(),
            origin: row.route.origin,
            valid: row.valid_until.at().map(|at| left(at, now)),
            failed: row.failed != Moment::NONE,
        })
    }

    /// Takes away those by gateways that are not on the link any more.
    pub(super) fn remove_stray(&mut self, is_on_link: impl Fn(IpAddr) -> bool) {
        self.rows
            .retain(|row| row.route.gateway.is_none_or(&is_on_link));
    }
}

#[cfg(feature = "_learned")]
impl RouteTable {
    /// Somebody on the link has said of a route that it exists until then. Routes that others gave stay as they are; those
    /// for which there is no room are not taken.
    pub(super) fn learn(&mut self, route: Route, origin: Origin, valid_until: Option<Instant>) {
        // A server's default route has room beside all that routers advertise.
        let is_of_the_same = |row: &&Row| row.route.origin == origin;
        let has_room = self.rows.iter().filter(is_of_the_same).count() < LEARNED;
        let canonical = route.canonical(Origin::Static);
        match canonical.and_then(|route| self.known(&route)) {
            Some(row) if row.route.origin == origin => {
                row.route.metric = route.metric;
                row.valid_until = valid_until.into();
            }
            Some(_) => {}
            None if has_room => {
                // Without room for it the router is one too many.
                let _ = self.add(route, origin, valid_until);
            }
            None => {}
        }
    }
}

#[cfg(feature = "ipv6")]
impl RouteTable {
    /// A router has said of a route that it does not exist any more.
    pub(super) fn unlearn(&mut self, route: Route) {
        if let Some(route) = route.canonical(Origin::Static) {
            let is_gone =
                |row: &Row| row.route.origin == Origin::Autoconfigured && row.route.is_as(&route);
            self.rows.retain(|row| !is_gone(row));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ip(text: &str) -> IpAddr {
        match text.parse() {
            Ok(addr) => addr,
            Err(_) => unreachable!("{text} is no address"),
        }
    }

    fn route(destination: &str, prefix_len: u8, gateway: &str, metric: u32) -> Route {
        Route {
            destination: ip(destination),
            prefix_len,
            gateway: Some(ip(gateway)),
            metric,
        }
    }

    fn table(routes: &[Route]) -> RouteTable {
        let mut table = RouteTable::new();
        for route in routes {
            assert_eq!(table.add(*route, Origin::Static, None), Ok(()));
        }
        table
    }

    fn gateway(table: &RouteTable, destination: &str) -> Option<IpAddr> {
        table.look_up(ip(destination))?.1.gateway
    }

    #[test]
    fn the_longest_prefix_leads() {
        let table = table(&[
            route("0.0.0.0", 0, "10.0.0.1", 0),
            route("192.168.0.0", 16, "10.0.0.2", 9),
            route("192.168.7.0", 24, "10.0.0.3", 99),
            route("::", 0, "fe80::1", 0),
        ]);
        assert_eq!(gateway(&table, "192.168.7.9"), Some(ip("10.0.0.3")));
        assert_eq!(gateway(&table, "192.168.8.9"), Some(ip("10.0.0.2")));
        assert_eq!(gateway(&table, "192.169.8.9"), Some(ip("10.0.0.1")));
        assert_eq!(gateway(&table, "fd00::1"), Some(ip("fe80::1")));
    }

    #[test]
    fn among_equals_the_lowest_metric_leads() {
        let table = table(&[
            route("0.0.0.0", 0, "10.0.0.1", 7),
            route("0.0.0.0", 0, "10.0.0.2", 3),
            route("0.0.0.0", 0, "10.0.0.3", 3),
        ]);
        assert_eq!(gateway(&table, "1.2.3.4"), Some(ip("10.0.0.2")));
    }

    #[test]
    fn a_gateway_that_fails_makes_way_until_it_answers() {
        let mut table = table(&[
            route("::", 0, "fe80::1", 1),
            route("::", 0, "fe80::2", 2),
            route("::", 0, "fe80::3", 3),
        ]);
        let at = Instant::from_secs;
        let leads = |table: &RouteTable| gateway(table, "2001:db8::1");
        assert_eq!(leads(&table), Some(ip("fe80::1")));
        table.gateway_failed(ip("fe80::1"), at(1));
        assert_eq!(leads(&table), Some(ip("fe80::2")));
        table.gateway_failed(ip("fe80::2"), at(2));
        table.gateway_failed(ip("fe80::3"), at(3));
        // All have failed: each is tried in turn.
        assert_eq!(leads(&table), Some(ip("fe80::1")));
        table.gateway_failed(ip("fe80::1"), at(4));
        assert_eq!(leads(&table), Some(ip("fe80::2")));
        table.gateway_answered(ip("fe80::3"));
        assert_eq!(leads(&table), Some(ip("fe80::3")));
        table.gateway_answered(ip("fe80::1"));
        assert_eq!(leads(&table), Some(ip("fe80::1")));
    }

    #[test]
    fn bits_behind_the_prefix_do_not_tell_routes_apart() {
        let mut table = table(&[
            route("10.1.2.3", 16, "10.0.0.1", 1),
            route("10.1.9.9", 16, "10.0.0.1", 5),
        ]);
        let listed: std::vec::Vec<_> = table.list(Instant::ZERO).map(|it| it.route).collect();
        assert_eq!(listed, [route("10.1.0.0", 16, "10.0.0.1", 5)]);
        assert!(table.remove(route("10.1.7.7", 16, "10.0.0.1", 0)));
        assert!(!table.remove(route("10.1.7.7", 16, "10.0.0.1", 0)));
        assert_eq!(gateway(&table, "10.1.2.3"), None);
    }

    #[test]
    fn what_is_no_route_is_refused() {
        let mut table = RouteTable::new();
        for wrong in [
            route("10.0.0.0", 33, "10.0.0.1", 0),
            route("::", 129, "fe80::1", 0),
            route("::", 0, "10.0.0.1", 0),
        ] {
            let result = table.add(wrong, Origin::Static, None);
            assert_eq!(result, Err(Error::InvalidArgument));
        }
    }

    #[test]
    #[cfg(feature = "_learned")]
    fn it_ends_to_the_second() {
        let mut table = RouteTable::new();
        let until = Some(Instant::from_secs(30));
        let default = route("::", 0, "fe80::1", 0);
        assert_eq!(table.add(default, Origin::Dhcp, until), Ok(()));
        assert_eq!(table.expires_at(), until);
        assert!(!table.expire(Instant::from_millis(29_999)));
        assert_eq!(gateway(&table, "fd00::1"), Some(ip("fe80::1")));
        assert!(table.expire(Instant::from_secs(30)));
        assert_eq!(gateway(&table, "fd00::1"), None);
        assert_eq!(table.expires_at(), None);
    }

    #[test]
    #[cfg(feature = "ipv6")]
    fn routers_fill_half_of_it_at_most() {
        let mut table = RouteTable::new();
        for router in 0..200 {
            let default = route("::", 0, &std::format!("fe80::{router}"), 0);
            table.learn(default, Origin::Autoconfigured, None);
        }
        assert_eq!(table.list(Instant::ZERO).count(), LEARNED);
        let own = route("fd00:1::", 32, "fe80::77", 0);
        assert_eq!(table.add(own, Origin::Static, None), Ok(()));
        // What was given is not the routers' to change.
        table.unlearn(own);
        let until = Some(Instant::from_secs(1));
        table.learn(Route { metric: 9, ..own }, Origin::Autoconfigured, until);
        table.expire(Instant::from_secs(2));
        assert_eq!(gateway(&table, "fd00:1::1"), Some(ip("fe80::77")));
    }

    #[test]
    #[cfg(all(feature = "ipv4", feature = "ipv6", feature = "dhcp"))]
    fn whatever_routers_advertise_a_server_has_its_route() {
        let mut table = RouteTable::new();
        for router in 0..200 {
            let default = route("::", 0, &std::format!("fe80::{router}"), 0);
            table.learn(default, Origin::Autoconfigured, None);
        }
        let default = route("0.0.0.0", 0, "10.0.0.1", LEARNED_METRIC);
        table.learn(default, Origin::Dhcp, None);
        assert_eq!(gateway(&table, "192.0.2.1"), Some(ip("10.0.0.1")));
        for own in ["fd00:1::", "fd00:2::", "fd00:3::"] {
            let own = route(own, 32, "fe80::77", 0);
            assert_eq!(table.add(own, Origin::Static, None), Ok(()));
        }
    }
}
