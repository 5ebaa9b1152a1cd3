//! The calls about addresses, routes and links, and what follows when one of them changes: who is told, who is woken, and
//! which sockets have lost their address.

use core::net::{self, Ipv4Addr};

use super::address::{AddressChange, InterfaceAddress, Origin, Row};
use super::connection::{Connection, Role};
use super::egress::earlier;
use super::fd::Socket;
use super::flow::to_smoltcp;
use super::ip::{self, IpAddr};
use super::link::Transmit;
use super::neighbor::Neighbors;
use super::route::{InterfaceRoute, Route};
use super::waiting::Subject;
use super::{InterfaceId, Stack};
#[cfg(feature = "ipv6")]
use super::{
    InterfaceIdentifier,
    autoconfiguration::{Autoconfiguration, Detection, Link},
    egress::DEVICE_RETRY,
    frame::Packet,
    ingress::Incoming,
    neighbor::neighbor_discovery,
    outgoing::Outgoing,
};
use crate::trace::{Cause, Event, Happening, Observer};
use crate::{Error, Result};

impl<O: Observer> Stack<'_, O> {
    /// The interfaces, but for the loopback.
    pub fn interfaces(&self) -> impl Iterator<Item = InterfaceId> {
        let links = self.interfaces.links();
        links.map(|(index, _)| InterfaceId(index))
    }

    /// Gives an interface an address with its prefix length, to be used at once; or, where
    /// [duplicates are looked for](Stack::set_duplicate_detection), once it is found that nobody else has it.
    ///
    /// # Errors
    /// [`Error::InvalidArgument`] if it cannot be a host's, or is IPv6 where the link does not carry packets of 1,280 octets
    /// (RFC 8200 §5); [`Error::AddrInUse`] if this host has it; [`Error::Exhausted`] if the interface has 16 (4 without
    /// feature `std`).
    pub fn add_address(
        &mut self,
        interface: InterfaceId,
        addr: net::IpAddr,
        prefix_len: u8,
    ) -> Result<()> {
        let addr = ip::inward(addr)?;
        let row = Row::new(addr, prefix_len, Origin::Static);
        #[cfg(feature = "ipv6")]
        let row = match self.interface_mut(interface)?.detects_duplicates && addr.is_ipv6() {
            true => row.tentative(Detection::delayed(self.now, self.secret.random_u64())),
            false => row,
        };
        self.give_address(interface, row, Cause::Call)
    }

    /// The same for an address of any origin, for any reason.
    pub(super) fn give_address(
        &mut self,
        interface: InterfaceId,
        row: Row,
        cause: Cause,
    ) -> Result<()> {
        let Row {
            addr, prefix_len, ..
        } = row;
        let is_v4 = addr.is_ipv4();
        let longest = if is_v4 { 32 } else { 128 };
        let is_unicast = !addr.is_multicast() && !addr.is_unspecified() && !addr.is_loopback();
        if prefix_len > longest || !is_unicast || addr == IpAddr::V4(Ipv4Addr::BROADCAST) {
            return Err(Error::InvalidArgument);
        }
        to_smoltcp(addr).ok_or(Error::AddressFamilyNotSupported)?;
        if self.is_own(addr) {
            return Err(Error::AddrInUse);
        }
        let place = self.interface_mut(interface)?;
        if !place.carries(is_v4) {
            return Err(Error::InvalidArgument);
        }
        place.addresses.add(row)?;
        place.fit_mtu();
        self.settle_configuration(interface.0, cause);
        Ok(())
    }

    /// Takes an address from an interface, wherever it comes from, and the routes by gateways of its network. Connections over
    /// it end, without a word to the peers, for nothing may be sent from it any more; sockets that are bound to it have an
    /// error pending: [`Error::AddrNotAvailable`]. They hear again once it is back.
    ///
    /// # Errors
    /// [`Error::AddrNotAvailable`] if the interface does not have it.
    pub fn remove_address(&mut self, interface: InterfaceId, addr: net::IpAddr) -> Result<()> {
        let addr = ip::inward(addr).map_err(|_| Error::AddrNotAvailable)?;
        let is_removed = self.interface_mut(interface)?.addresses.remove(addr);
        self.settle_configuration(interface.0, Cause::Call);
        is_removed.then_some(()).ok_or(Error::AddrNotAvailable)
    }

    /// The addresses of an interface, those that are not used yet or no more among them.
    pub fn addresses(&self, interface: InterfaceId) -> impl Iterator<Item = InterfaceAddress> {
        let row = self.interfaces.get(interface.0);
        let row = row.into_iter();
        row.flat_map(|row| row.addresses.list(self.now))
    }

    /// Sends what is for no link of this host to a router on this interface's link; one gateway a family.
    /// [`add_route`](Stack::add_route) adds further ones.
    ///
    /// # Errors
    /// As [`add_route`](Stack::add_route).
    pub fn set_gateway(&mut self, interface: InterfaceId, gateway: net::IpAddr) -> Result<()> {
        self.check_gateway(interface, gateway)?;
        let routes = &mut self.interface_mut(interface)?.routes;
        routes.remove_all(Origin::Static, |route| {
            route.prefix_len == 0 && route.destination.is_ipv4() == gateway.is_ipv4()
        });
        self.add_route(interface, Route::default_by(gateway))
    }

    /// Sends what is for a network over an interface, to the route's gateway or to the link. A route to the same network by
    /// the same gateway is replaced.
    ///
    /// ```
    /// # use glasstack::{Stack, device::Wire, stack::{Capacity, Route}, smoltcp::phy::Medium};
    /// # let (mut device, _peer) = Wire::pair(Medium::Ethernet, 1514);
    /// # let mut stack = Stack::with_capacity(Capacity::default(), [7; 16], ());
    /// # let link = stack.add_interface(&mut device, Some([2, 0, 0, 0, 0, 1]))?;
    /// # stack.add_address(link, "10.0.0.1".parse().unwrap(), 24)?;
    /// stack.add_route(link, Route::default_by("10.0.0.254".parse().unwrap()))?;
    /// stack.add_route(link, Route {
    ///     destination: "192.168.0.0".parse().unwrap(),
    ///     prefix_len: 16,
    ///     gateway: Some("10.0.0.253".parse().unwrap()),
    ///     metric: 0,
    /// })?;
    /// # Ok::<(), glasstack::Error>(())
    /// ```
    ///
    /// # Errors
    /// [`Error::NetworkUnreachable`] if the gateway is not on the link, [`Error::InvalidArgument`] if the prefix is longer
    /// than an address or the gateway of another family, [`Error::Exhausted`] if the interface has 32 (without feature
    /// `std` 8, and 4 of IPv4 alone without `dhcp`).
    pub fn add_route(&mut self, interface: InterfaceId, route: Route) -> Result<()> {
        self.give_route(interface, route, Origin::Static, None)
    }

    /// The same for a route of any origin, perhaps for a time.
    pub(super) fn give_route(
        &mut self,
        interface: InterfaceId,
        route: Route,
        origin: Origin,
        valid_until: Option<smoltcp::time::Instant>,
    ) -> Result<()> {
        if let Some(gateway) = route.gateway {
            self.check_gateway(interface, gateway)?;
        }
        let routes = &mut self.interface_mut(interface)?.routes;
        routes.add(route, origin, valid_until)?;
        self.settle_configuration(interface.0, Cause::Call);
        self.wakers.wake(Subject::Configured);
        Ok(())
    }

    fn check_gateway(&mut self, interface: InterfaceId, gateway: net::IpAddr) -> Result<()> {
        let gateway = ip::inward(gateway)?;
        to_smoltcp(gateway).ok_or(Error::AddressFamilyNotSupported)?;
        let is_host = !gateway.is_multicast() && !gateway.is_unspecified();
        let is_link_local = match gateway {
            IpAddr::V4(_) => false,
            IpAddr::V6(v6) => v6.is_unicast_link_local(),
        };
        let place = self.interface_mut(interface)?;
        let is_on_link = is_host && (is_link_local || place.is_on_link(gateway));
        is_on_link.then_some(()).ok_or(Error::NetworkUnreachable)
    }

    /// Takes a route away, whatever its metric and wherever it comes from.
    ///
    /// # Errors
    /// [`Error::NetworkUnreachable`] if the interface does not have it.
    pub fn remove_route(&mut self, interface: InterfaceId, route: Route) -> Result<()> {
        let is_removed = self.interface_mut(interface)?.routes.remove(route);
        self.wakers.wake(Subject::Configured);
        is_removed.then_some(()).ok_or(Error::NetworkUnreachable)
    }

    /// The routes of an interface. Its own addresses' networks are on its link without one.
    pub fn routes(&self, interface: InterfaceId) -> impl Iterator<Item = InterfaceRoute> {
        let row = self.interfaces.get(interface.0);
        let row = row.into_iter();
        row.flat_map(|row| row.routes.list(self.now))
    }

    /// Says whether an interface's link carries frames, as a network card or its cable comes and goes. While it does not,
    /// nothing is sent or taken in, and there is no route over it ([`Error::NetworkUnreachable`], as on Linux). Addresses and
    /// connections stay; once the link is back, IPv6 addresses that were looked for on it are looked for again, and so are
    /// routers; a DHCP server is asked whether its lease holds there (RFC 2131 §3.7).
    ///
    /// # Errors
    /// [`Error::InvalidArgument`] if there is no such interface, or it is the loopback.
    pub fn set_link(&mut self, interface: InterfaceId, is_up: bool) -> Result<()> {
        let now = self.now;
        let place = self.interface_mut(interface)?;
        if place.is_up == is_up {
            return Ok(());
        }
        place.is_up = is_up;
        // Others may be on the link when it is back.
        place.neighbors = Neighbors::new();
        if is_up {
            place.memberships.announce(true, now);
            place.memberships.announce(false, now);
        }
        self.tell_of_interface(interface.0, Happening::Link { is_up });
        if is_up {
            self.relink_client(interface.0);
        }
        #[cfg(feature = "ipv6")]
        if is_up && let Some(place) = self.interfaces.get_mut(interface.0) {
            let (is_for_all, secret) = (place.detects_duplicates, &mut self.secret);
            place.addresses.detect_again(|row| {
                let is_detected = match row.origin {
                    Origin::LinkLocal | Origin::Autoconfigured => true,
                    Origin::Static | Origin::Dhcp => is_for_all && row.addr.is_ipv6(),
                };
                is_detected.then(|| Detection::delayed(now, secret.random_u64()))
            });
            if let Some(autoconfiguration) = &mut place.autoconfiguration {
                autoconfiguration.restart(&place.addresses, now);
            }
        }
        self.unblock(interface.0);
        self.settle_configuration(interface.0, Cause::Call);
        self.wakers.wake(Subject::Configured);
        Ok(())
    }

    /// Whether an interface's link [carries frames](Stack::set_link).
    pub fn is_link_up(&self, interface: InterfaceId) -> bool {
        let row = self.interfaces.get(interface.0);
        row.is_some_and(|row| row.is_up)
    }

    /// Whether every interface that is to get its address by itself has one: by [DHCP](Stack::start_dhcp), or by
    /// [autoconfiguration](Stack::autoconfigure).
    pub fn is_configured(&self) -> bool {
        self.has_all_leases() && self.is_autoconfigured()
    }

    /// Does what is due of addresses and routes.
    pub(super) fn expire_configuration(&mut self) {
        for index in self.interfaces.numbers() {
            let Some(row) = self.interfaces.get_mut(index) else {
                continue;
            };
            if row.configuration_at.at().is_none_or(|at| self.now < at) {
                continue;
            }
            row.addresses.expire(self.now);
            if row.routes.expire(self.now) {
                self.wakers.wake(Subject::Configured);
            }
            #[cfg(feature = "ipv6")]
            if let Some(autoconfiguration) = &mut row.autoconfiguration {
                autoconfiguration.expire(self.now);
            }
            self.settle_configuration(index, Cause::Timer);
        }
    }

    /// Tells of what has changed, and does what follows from it.
    pub(super) fn settle_configuration(&mut self, index: u8, cause: Cause) {
        while let Some(row) = self.interfaces.get_mut(index)
            && let Some(changed) = row.addresses.next_change()
        {
            #[cfg(feature = "ipv6")]
            if let Some(autoconfiguration) = &mut row.autoconfiguration {
                autoconfiguration.changed(&changed, &mut row.addresses, self.now, &mut self.secret);
            }
            // What the caller gave and may be used at once is no news.
            let no_news = (AddressChange::Preferred, Origin::Static, Cause::Call);
            if (changed.change, changed.row.origin, cause) != no_news {
                let happening = Happening::Address {
                    address: ip::outward(changed.row.addr),
                    prefix_len: changed.row.prefix_len,
                    change: changed.change,
                    origin: changed.row.origin,
                    cause,
                };
                self.tell_of_interface(index, happening);
            }
            if let AddressChange::Removed | AddressChange::Duplicate = changed.change {
                self.drop_stray_routes(index);
                self.forsake(changed.row.addr);
            }
            self.wakers.wake(Subject::Configured);
        }
        if let Some(row) = self.interfaces.get_mut(index) {
            #[cfg(feature = "ipv6")]
            row.settle_solicited_nodes(self.now);
            let tables = earlier(row.addresses.expires_at(), row.routes.expires_at());
            #[cfg(feature = "ipv6")]
            let tables = {
                let autoconfiguration = row.autoconfiguration.as_ref();
                let expires_at = autoconfiguration.and_then(Autoconfiguration::expires_at);
                let asks_at = autoconfiguration.and_then(Autoconfiguration::asks_at);
                // Nobody is asked over a link that is down.
                let asks_at = earlier(row.addresses.detects_at(), asks_at).filter(|_| row.is_up);
                earlier(earlier(tables, expires_at), asks_at)
            };
            row.configuration_at = tables.into();
        }
        self.learn_name_servers(index);
    }

    /// A gateway of no network that the interface still has an address of is out of reach.
    fn drop_stray_routes(&mut self, index: u8) {
        if let Some(row) = self.interfaces.get_mut(index) {
            let addresses = &row.addresses;
            row.routes.remove_stray(|gateway| match gateway {
                IpAddr::V6(v6) if v6.is_unicast_link_local() => true,
                _ => addresses.on_link(gateway).is_some(),
            });
        }
    }

    /// An address is not this host's any more: whoever speaks from it hears of it.
    fn forsake(&mut self, addr: IpAddr) {
        let before = core::mem::replace(&mut self.cause, Cause::Stack);
        for slot in 0..self.slots.len().min(usize::from(u16::MAX)) as u16 {
            let is_of_it = |it: &Connection| {
                let flow = it.flow;
                it.role != Role::Free
                    && !it.silent
                    && (flow.local.addr == addr || flow.remote.addr == addr)
            };
            if self.slots[usize::from(slot)]
                .connection()
                .is_some_and(is_of_it)
            {
                self.fail(slot, Error::AddrNotAvailable);
            }
        }
        for index in 0..self.descriptors.len() {
            let row = self.descriptors.row(index);
            if row.local.addr != addr {
                continue;
            }
            match row.socket {
                Socket::Listening { .. } => row.error = Some(Error::AddrNotAvailable),
                Socket::Datagram { slot, .. } => {
                    row.error = Some(Error::AddrNotAvailable);
                    // Nothing may be sent from it any more.
                    self.unschedule(slot);
                    if let Some(datagrams) = self.slots[usize::from(slot)].datagrams() {
                        datagrams.drop_all();
                    }
                }
                _ => continue,
            }
            self.wake_descriptor(index);
        }
        self.cause = before;
    }

    fn tell_of_interface(&mut self, index: u8, happening: Happening<'_>) {
        if self.observer.is_listening() {
            self.observer.event(&Event {
                time: self.now,
                interface: Some(index),
                socket: None,
                flow: None,
                happening,
            });
        }
    }
}

#[cfg(feature = "ipv6")]
impl<O: Observer> Stack<'_, O> {
    /// Lets an interface find its IPv6 addresses, routes and name servers by itself, from what routers advertise (RFC 4862,
    /// RFC 4861 §6.3, RFC 8106); `None` ends that and takes back what came of it. An address is used once nobody else has
    /// been found to have it, a second or two later.
    ///
    /// ```
    /// # use glasstack::{Stack, device::Wire, stack::Capacity, smoltcp::phy::Medium};
    /// use glasstack::stack::{AddressState, InterfaceIdentifier, Origin};
    /// # let (mut device, _peer) = Wire::pair(Medium::Ethernet, 1514);
    /// # let mut stack = Stack::with_capacity(Capacity::default(), [7; 16], ());
    ///
    /// let link = stack.add_interface(&mut device, Some([2, 0, 0, 0, 0, 1]))?;
    /// stack.autoconfigure(link, Some(InterfaceIdentifier::Opaque))?;
    /// // The first is for the link alone. Others follow, as `poll` hears of their prefixes.
    /// let own = stack.addresses(link).next().unwrap();
    /// assert_eq!((own.origin, own.state), (Origin::LinkLocal, AddressState::Tentative));
    /// # Ok::<(), glasstack::Error>(())
    /// ```
    ///
    /// # Errors
    /// [`Error::InvalidArgument`] where the link does not carry packets of 1,280 octets (RFC 8200 §5), or has no hardware
    /// addresses to make [identifiers](InterfaceIdentifier) from; [`Error::Exhausted`] where the interface has no room for
    /// another address.
    pub fn autoconfigure(
        &mut self,
        interface: InterfaceId,
        identifier: Option<InterfaceIdentifier>,
    ) -> Result<()> {
        self.interface_mut(interface)?;
        let now = self.now;
        let Some(row) = self.interfaces.get_mut(interface.0) else {
            return Err(Error::InvalidArgument);
        };
        if let Some(former) = row.autoconfiguration.take() {
            former.stop(&mut row.addresses, &mut row.routes);
            row.fit_mtu();
        }
        self.settle_configuration(interface.0, Cause::Call);
        let (Some(identifier), Some(row)) = (identifier, self.interfaces.get_mut(interface.0))
        else {
            return Ok(());
        };
        if !row.carries(false) {
            return Err(Error::InvalidArgument);
        }
        let (hardware, addresses) = (row.hardware, &mut row.addresses);
        let started =
            Autoconfiguration::start(identifier, hardware, addresses, now, &mut self.secret)?;
        row.autoconfiguration = Some(started);
        row.fit_mtu();
        self.settle_configuration(interface.0, Cause::Call);
        Ok(())
    }

    /// Whether IPv6 addresses that are given to an interface from now on are used only once nobody else has been found to
    /// have them (RFC 4862 §5.4), a second or two later, as autoconfigured ones always are. Off unless it is said.
    ///
    /// # Errors
    /// [`Error::InvalidArgument`] if there is no such interface, or it is the loopback.
    pub fn set_duplicate_detection(&mut self, interface: InterfaceId, is_on: bool) -> Result<()> {
        self.interface_mut(interface)?.detects_duplicates = is_on;
        Ok(())
    }

    /// The name servers that routers of an interface's link advertise (RFC 8106).
    pub fn advertised_name_servers(
        &self,
        interface: InterfaceId,
    ) -> impl Iterator<Item = net::IpAddr> {
        let row = self.interfaces.get(interface.0);
        let row = row.into_iter();
        row.filter_map(|row| row.autoconfiguration.as_ref())
            .flat_map(|it| it.servers())
            .map(net::IpAddr::from)
    }

    /// Whether each interface that is to form an address of what routers advertise has done so.
    fn is_autoconfigured(&self) -> bool {
        let rows = self.interfaces.links().map(|(_, row)| row);
        let mut rows = rows.filter(|row| row.autoconfiguration.is_some());
        rows.all(|row| {
            let mut assigned = row.addresses.assigned();
            assigned.any(|address| address.origin == Origin::Autoconfigured)
        })
    }

    /// Hears what a message of neighbor discovery says about addresses and routers.
    pub(super) fn hear_configuration(&mut self, incoming: &Incoming<'_>, packet: &Packet<'_>) {
        let (IpAddr::V6(source), IpAddr::V6(destination)) = (packet.source, packet.destination)
        else {
            return;
        };
        let index = incoming.interface;
        let Some(row) = self.interfaces.get_mut(index) else {
            return;
        };
        let mtu = row.link_mtu() as u32;
        let mut link = Link {
            addresses: &mut row.addresses,
            routes: &mut row.routes,
            mtu,
            now: self.now,
            secret: &mut self.secret,
        };
        let is_heard = link.hear(
            row.autoconfiguration.as_mut(),
            (source, destination, packet.hop_limit),
            packet.transport,
            &incoming.capabilities.checksum,
        );
        row.fit_mtu();
        if is_heard {
            self.settle_configuration(index, Cause::Segment);
            self.wakers.wake(Subject::Configured);
        }
    }

    /// Asks who else has an address, and where routers are, as far as it is due; says whether the device refused a frame.
    pub(super) fn egress_solicitations(&mut self, index: u8, device: &mut dyn Transmit) -> bool {
        let now = self.now;
        let mut is_refused = false;
        let mut has_sent = false;
        while let Some(row) = self.interfaces.get_mut(index)
            && row.is_up
            && row.configuration_at.at().is_some_and(|at| at <= now)
        {
            let mtu = row.link_mtu() as u32;
            let link = Link {
                addresses: &mut row.addresses,
                routes: &mut row.routes,
                mtu,
                now,
                secret: &mut self.secret,
            };
            let Some(solicitation) = link.due(row.autoconfiguration.as_ref()) else {
                break;
            };
            let destination = solicitation.destination.into();
            let Some(way) = row.link_to(destination, now) else {
                break;
            };
            let outgoing = Outgoing {
                link: way,
                header: neighbor_discovery(solicitation.source.into(), destination),
                payload_len: solicitation.len(),
            };
            if !self.send_own(index, device, &outgoing, |place| solicitation.write(place)) {
                is_refused = true;
                break;
            }
            if let Some(row) = self.interfaces.get_mut(index) {
                let mtu = row.link_mtu() as u32;
                let mut link = Link {
                    addresses: &mut row.addresses,
                    routes: &mut row.routes,
                    mtu,
                    now,
                    secret: &mut self.secret,
                };
                link.sent(row.autoconfiguration.as_mut(), &solicitation);
            }
            has_sent = true;
        }
        if has_sent {
            self.settle_configuration(index, Cause::Timer);
        }
        if is_refused && let Some(row) = self.interfaces.get_mut(index) {
            row.configuration_at = Some(now + DEVICE_RETRY).into();
        }
        is_refused
    }
}

#[cfg(not(feature = "ipv6"))]
impl<O: Observer> Stack<'_, O> {
    fn is_autoconfigured(&self) -> bool {
        true
    }

    /// IPv4 has none.
    pub(super) fn egress_solicitations(&mut self, _: u8, _: &mut dyn Transmit) -> bool {
        false
    }
}
