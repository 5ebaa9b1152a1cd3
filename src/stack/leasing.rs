//! DHCP on an interface: how the client's messages travel, what its lease gives the interface, and what goes away with it.

use core::net::{Ipv4Addr, SocketAddrV4};

use smoltcp::time::Instant;

use super::address::{Origin, Row};
use super::conflict::{Arp, Detection, Finding};
use super::datagram::{Content, DISCOVERY_INTERVAL, DISCOVERY_TIMEOUT, Envelope, UDP_HEADER};
use super::dhcp::{CLIENT_PORT, Dhcp, Event, Lease, MESSAGE_LEN, SERVER_PORT};
use super::egress::earlier;
use super::flow::{Endpoint, Flow};
use super::frame::{Packet, UDP};
use super::header::Part;
use super::ingress::Incoming;
use super::interface::NetworkInterface;
use super::ip::IpAddr;
use super::lifetime::Lifetimes;
use super::link::{BROADCAST, Hardware, Link, Transmit};
use super::neighbor::{self, ARP_REQUEST};
use super::outgoing::Outgoing;
use super::route::{LEARNED_METRIC, Route};
use super::waiting::Subject;
use super::{InterfaceId, Stack};
use crate::trace::{Cause, Observer};
use crate::{Error, Result};

/// What a client's link carries at the least (RFC 2131 §2).
const LEAST_MTU: usize = 576;

/// The hop limit of what the heart says itself.
const HOP_LIMIT: u8 = 64;

/// The DHCP client of an interface.
pub(super) struct Client {
    dhcp: Dhcp,
    /// Whether the address that is leased, or about to be, is somebody else's.
    detection: Option<Detection>,
    /// The address that the interface has been given.
    given: Option<Ipv4Addr>,
    /// The longest packets that the server allows.
    lent_mtu: Option<usize>,
    /// Since when a message waits for its server's hardware address, and until when it is left alone.
    blocked: Option<(Instant, Instant)>,
}

impl Client {
    fn new(hardware: Hardware, mtu: usize, seed: u64, now: Instant) -> Client {
        Client {
            dhcp: Dhcp::new(hardware, mtu, seed, now),
            detection: None,
            given: None,
            lent_mtu: None,
            blocked: None,
        }
    }

    /// The longest packets that its server allows.
    pub(super) fn lent_mtu(&self) -> Option<usize> {
        self.lent_mtu
    }

    /// When it is to be polled. Nobody is asked over a link that is down.
    pub(super) fn poll_at(&self, is_up: bool) -> Option<Instant> {
        if !is_up {
            return match self.dhcp.is_stopping() {
                true => Some(Instant::ZERO),
                false => self.dhcp.expiry(),
            };
        }
        let dhcp = match self.blocked {
            Some((_, until)) => earlier(Some(until), self.dhcp.expiry()),
            None => self.dhcp.poll_at(),
        };
        let detection = self.detection.as_ref().and_then(Detection::poll_at);
        earlier(dhcp, detection)
    }
}

impl<'a, O: Observer> Stack<'a, O> {
    /// Has the interface get an IPv4 address by DHCP (RFC 2131), and with it a gateway (where there is none), name servers
    /// (after those that are there) and an MTU (where it is lower). All this goes on by itself: the lease is renewed, and
    /// when it cannot be, taken away with all that came with it; sockets on its address get [`Error::AddrNotAvailable`], and
    /// another lease is asked for. Before an address is used it is made sure that nobody else has it (RFC 5227), which
    /// takes some seconds.
    ///
    /// [`Error::InvalidArgument`] for what is not an Ethernet with packets of 576 octets. Where DHCP has been started,
    /// nothing changes. All this is feature `dhcp`.
    pub fn start_dhcp(&mut self, interface: InterfaceId) -> Result<()> {
        let seed = self.secret.random_u64();
        let now = self.now;
        let row = self.interface_mut(interface)?;
        let hardware = row.hardware.ok_or(Error::InvalidArgument)?;
        if row.mtu < LEAST_MTU {
            return Err(Error::InvalidArgument);
        }
        let is_running = row.client.as_ref().is_some_and(|c| !c.dhcp.is_stopping());
        if !is_running {
            let mtu = row.mtu;
            self.take_lease_away(interface.0);
            if let Ok(row) = self.interface_mut(interface) {
                row.client = Some(Client::new(hardware, mtu, seed, now));
            }
        }
        Ok(())
    }

    /// Gives the interface's lease back, and asks for no other. The address goes away at the next [`poll`](Stack::poll), once
    /// the server is told.
    ///
    /// [`Error::InvalidArgument`] where there is no such interface.
    pub fn stop_dhcp(&mut self, interface: InterfaceId) -> Result<()> {
        let row = self.interface_mut(interface)?;
        if let Some(client) = &mut row.client {
            client.detection = None;
            client.dhcp.stop();
            if client.dhcp.is_over() {
                row.client = None;
            }
        }
        self.wakers.wake(Subject::Configured);
        Ok(())
    }

    /// The lease that an interface lives on.
    pub fn lease(&self, interface: InterfaceId) -> Option<&Lease> {
        let row = self.interfaces.get(interface.0)?;
        let client = row.client.as_ref()?;
        client.dhcp.lease().filter(|_| client.given.is_some())
    }

    /// The name servers that an interface's lease names.
    #[cfg(feature = "dns")]
    pub(super) fn leased_name_servers(&self, interface: InterfaceId) -> &[Ipv4Addr] {
        self.lease(interface)
            .map_or(&[], |lease| &lease.name_servers)
    }

    /// Whether no interface waits for its address.
    pub(super) fn has_all_leases(&self) -> bool {
        let clients = self.interfaces.links().map(|(_, row)| row);
        let mut clients = clients.filter_map(|row| row.client.as_ref());
        clients.all(|client| client.given.is_some() || client.dhcp.is_stopping())
    }

    /// Whether datagrams to a port are for the interface's client.
    pub(super) fn is_for_client(&self, interface: u8, flow: &Flow) -> bool {
        let is_meant = flow.local.port == CLIENT_PORT && flow.remote.port == SERVER_PORT;
        let row = self.interfaces.get(interface);
        is_meant && row.is_some_and(|row| row.client.is_some())
    }

    /// Hears a packet that arrived on the link, if it is a server's answer: one may be addressed to what is not the host's
    /// address yet (RFC 2131 §4.1). Its checksums are right.
    pub(super) fn hear_answer(&mut self, interface: u8, packet: &Packet<'_>) {
        let Some((flow, message)) = packet.datagram() else {
            return;
        };
        let (Some(from), Some(to)) = (ipv4(flow.remote), ipv4(flow.local)) else {
            return;
        };
        let now = self.now;
        if let Some(client) = self.client_mut(interface)
            && let Some(event) = client.dhcp.hear(now, from, to, message)
        {
            self.heed(interface, event);
        }
    }

    /// Whether a packet is to be given to [`hear_answer`](Stack::hear_answer), once its checksums are known to be right.
    pub(super) fn is_answer(&self, incoming: &Incoming<'_>, packet: &Packet<'_>) -> bool {
        packet.protocol == UDP
            && packet
                .flow()
                .is_some_and(|flow| self.is_for_client(incoming.interface, &flow))
            && self.is_for_us(incoming.interface, incoming.link())
    }

    /// Hears an ARP packet, which may say whose the client's address is.
    pub(super) fn hear_claim(&mut self, interface: u8, arp: &neighbor::Arp) {
        let now = self.now;
        if let Some(client) = self.client_mut(interface)
            && let Some(detection) = &mut client.detection
            && let Some(finding) = detection.hear(now, &Arp::from(arp))
        {
            let address = detection.address();
            self.find(interface, address, finding);
        }
    }

    /// The link is up again.
    pub(super) fn relink_client(&mut self, interface: u8) {
        let now = self.now;
        if let Some(client) = self.client_mut(interface) {
            client.blocked = None;
            client.dhcp.relink(now);
        }
    }

    /// A neighbor may have answered.
    pub(super) fn unblock_client(&mut self, interface: u8) {
        let now = self.now;
        if let Some(client) = self.client_mut(interface)
            && let Some((_, until)) = &mut client.blocked
        {
            *until = now;
        }
    }

    fn client_mut(&mut self, interface: u8) -> Option<&mut Client> {
        let row = self.interfaces.get_mut(interface)?;
        row.client.as_mut()
    }

    /// Tells the client what has been found out of its address.
    fn find(&mut self, interface: u8, address: Ipv4Addr, finding: Finding) {
        let now = self.now;
        let Some(client) = self.client_mut(interface) else {
            return;
        };
        let event = match finding {
            Finding::Free => client.dhcp.is_free(now, address),
            Finding::Taken => {
                client.detection = None;
                client.dhcp.is_taken(address)
            }
        };
        if let Some(event) = event {
            self.heed(interface, event);
        }
    }

    /// Does what the client's news ask for.
    fn heed(&mut self, interface: u8, event: Event) {
        match event {
            Event::Probe(address) => self.detect(interface, address),
            Event::Bound(lease) | Event::Renewed(lease) => self.apply(interface, lease),
            Event::Lost(_) => self.take_lease_away(interface),
        }
    }

    fn detect(&mut self, interface: u8, address: Ipv4Addr) {
        let (random, now) = (self.secret.random_u64(), self.now);
        // Given to this host by somebody who did not ask the server.
        let is_own = self.is_own(address.into());
        let Some(row) = self.interfaces.get_mut(interface) else {
            return;
        };
        if let (Some(client), Some(hardware)) = (&mut row.client, row.hardware) {
            if is_own {
                let _ = client.dhcp.is_taken(address);
            } else {
                client.detection = Some(Detection::new(address, hardware, random, now));
            }
        }
    }

    /// Gives the interface what the lease says.
    fn apply(&mut self, interface: u8, lease: Lease) {
        let Some(row) = self.interfaces.get_mut(interface) else {
            return;
        };
        let lifetimes = Lifetimes {
            preferred_until: lease.expiry().into(),
            valid_until: lease.expiry().into(),
        };
        let leased = Row::new(lease.address.into(), lease.prefix_len, Origin::Dhcp);
        let leased = leased.with_lifetimes(lifetimes);
        if row.addresses.renew(leased).is_err() {
            // No room for it: somebody else may use it.
            if let Some(client) = &mut row.client {
                client.dhcp.stop();
            }
            return;
        }
        if let Some(client) = &mut row.client {
            client.given = Some(lease.address);
            client.lent_mtu = lease.mtu.map(usize::from);
        }
        row.fit_mtu();
        row.routes.remove_all(Origin::Dhcp, |_| true);
        if let Some(router) = lease.router {
            // The user's own come first.
            let route = Route {
                metric: LEARNED_METRIC,
                ..Route::default_by(router.into())
            };
            row.routes.learn(route, Origin::Dhcp, None);
        }
        self.settle_configuration(interface, self.cause);
        self.wakers.wake(Subject::Configured);
    }

    /// Takes away what the lease gave.
    fn take_lease_away(&mut self, interface: u8) {
        let Some(row) = self.interfaces.get_mut(interface) else {
            return;
        };
        let Some(client) = &mut row.client else {
            return;
        };
        client.detection = None;
        let Some(address) = client.given.take() else {
            return;
        };
        client.lent_mtu = None;
        row.routes.remove_all(Origin::Dhcp, |_| true);
        row.fit_mtu();
        if let Some(row) = self.interfaces.get_mut(interface) {
            row.addresses.remove(address.into());
        }
        self.settle_configuration(interface, self.cause);
    }

    /// Does what is due on an interface; says whether the device refused a frame.
    pub(super) fn egress_client(&mut self, index: u8, device: &mut dyn Transmit) -> bool {
        if self.client_mut(index).is_none() {
            return false;
        }
        self.cause = Cause::Timer;
        let row = self.interfaces.get(index);
        let is_up = row.is_some_and(|row| row.is_up);
        self.advance_client(index, is_up);
        let is_refused =
            is_up && (self.send_claims(index, device) || self.send_request(index, device));
        if let Some(client) = self.client_mut(index) {
            // The server of a link that is down is not to be told.
            if client.dhcp.is_over() || (client.dhcp.is_stopping() && !is_up) {
                self.take_lease_away(index);
                if let Some(row) = self.interfaces.get_mut(index) {
                    row.client = None;
                }
            }
        }
        is_refused
    }

    /// Goes on to what the time says.
    fn advance_client(&mut self, index: u8, is_up: bool) {
        let now = self.now;
        if let Some(client) = self.client_mut(index)
            && let Some(event) = client.dhcp.poll(now)
        {
            self.heed(index, event);
        }
        let Some(client) = self.client_mut(index) else {
            return;
        };
        let address = client.dhcp.address();
        // A lease may be over before its address was looked into.
        client.detection = client.detection.filter(|it| Some(it.address()) == address);
        if is_up
            && let Some(detection) = &mut client.detection
            && let Some(finding) = detection.poll(now)
        {
            let address = detection.address();
            self.find(index, address, finding);
        }
    }

    /// Sends the probes and announcements that are due; says whether the device refused one.
    fn send_claims(&mut self, index: u8, device: &mut dyn Transmit) -> bool {
        let now = self.now;
        while let Some(client) = self.client_mut(index)
            && let Some(detection) = client.detection
            && let Some(sender) = detection.due(now)
        {
            if !self.send_claim(index, sender, detection.address(), device) {
                return true;
            }
            if let Some(client) = self.client_mut(index)
                && let Some(detection) = &mut client.detection
            {
                detection.note_sent(now);
            }
        }
        false
    }

    /// Asks all for an address that this host is about to take, or tells them that it has: which, the sender's address says
    /// (RFC 5227 §1.1). Says whether the device had room for it.
    fn send_claim(
        &mut self,
        index: u8,
        sender: Ipv4Addr,
        address: Ipv4Addr,
        device: &mut dyn Transmit,
    ) -> bool {
        let interface = self.interfaces.get(index);
        let Some(own) = interface.and_then(|interface| interface.hardware) else {
            return true;
        };
        let arp = neighbor::Arp {
            operation: ARP_REQUEST,
            sender: (own, sender.octets()),
            target: ([0; 6], address.octets()),
        };
        let link = Link::Ethernet {
            from: own,
            to: BROADCAST,
        };
        self.send_arp(index, device, link, &arp)
    }

    /// Sends the message that is due, if it is known where to; says whether the device refused it.
    fn send_request(&mut self, index: u8, device: &mut dyn Transmit) -> bool {
        let now = self.now;
        let Some(row) = self.interfaces.get_mut(index) else {
            return false;
        };
        let Some(mut client) = row.client.take() else {
            return false;
        };
        let is_refused = self.send_request_of(&mut client, index, now, device);
        if let Some(row) = self.interfaces.get_mut(index) {
            row.client = Some(client);
        }
        is_refused
    }

    fn send_request_of(
        &mut self,
        client: &mut Client,
        index: u8,
        now: Instant,
        device: &mut dyn Transmit,
    ) -> bool {
        let Some(row) = self.interfaces.get_mut(index) else {
            return false;
        };
        let Some(route) = client.dhcp.due(now) else {
            client.blocked = None;
            return false;
        };
        let Some(link) = row.way_to(route.destination, now) else {
            return self.wait_for_server(client, index, route.destination, device);
        };
        client.blocked = None;
        let has_checksum = row.checksums.udp.tx();
        let envelope = Envelope {
            from: endpoint(route.source, CLIENT_PORT),
            to: endpoint(route.destination, SERVER_PORT),
            interface: index.into(),
            hop_limit: HOP_LIMIT,
            traffic_class: 0,
            content: Content::Udp,
        };
        let outgoing = Outgoing {
            link,
            header: envelope.header(Part::Whole),
            payload_len: UDP_HEADER + MESSAGE_LEN,
        };
        let is_sent = self.send_own(index, device, &outgoing, |place| {
            let mut message = [0; MESSAGE_LEN];
            client.dhcp.emit(now, &mut message);
            envelope.write(place, &message, 0, has_checksum);
        });
        self.probe_neighbor(index, device);
        !is_sent
    }

    /// Asks for the server's hardware address, up to a time: then the message counts as sent and lost, for the server may come
    /// back, or the others be asked.
    fn wait_for_server(
        &mut self,
        client: &mut Client,
        index: u8,
        server: Ipv4Addr,
        device: &mut dyn Transmit,
    ) -> bool {
        let now = self.now;
        let (since, until) = client.blocked.unwrap_or((now, now));
        if now >= since + DISCOVERY_TIMEOUT {
            client.blocked = None;
            client.dhcp.emit(now, &mut [0; MESSAGE_LEN]);
        } else if now >= until {
            self.solicit(index, None, server.into(), device);
            client.blocked = Some((since, now + DISCOVERY_INTERVAL));
        }
        false
    }
}

impl NetworkInterface {
    /// The way over the link to a server, or to all of them.
    fn way_to(&mut self, destination: Ipv4Addr, now: Instant) -> Option<Link> {
        match (self.hardware, destination) {
            (Some(from), Ipv4Addr::BROADCAST) => Some(Link::Ethernet {
                from,
                to: BROADCAST,
            }),
            _ => self.link_to(destination.into(), now),
        }
    }
}

impl From<&neighbor::Arp> for Arp {
    fn from(arp: &neighbor::Arp) -> Arp {
        Arp {
            is_request: arp.operation == ARP_REQUEST,
            sender_hardware: arp.sender.0,
            sender: arp.sender.1.into(),
            target: arp.target.1.into(),
        }
    }
}

fn ipv4(endpoint: Endpoint) -> Option<SocketAddrV4> {
    match endpoint.addr {
        IpAddr::V4(addr) => Some(SocketAddrV4::new(addr, endpoint.port)),
        IpAddr::V6(_) => None,
    }
}

fn endpoint(addr: Ipv4Addr, port: u16) -> Endpoint {
    Endpoint {
        addr: addr.into(),
        port,
    }
}
