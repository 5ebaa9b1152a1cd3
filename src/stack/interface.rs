//! Interfaces, their addresses, and which of them leads to a destination.

use core::net;

use smoltcp::iface::{Config, Interface};
use smoltcp::phy::{ChecksumCapabilities, Device, DeviceCapabilities, Medium};
use smoltcp::time::Instant;
use smoltcp::wire::HardwareAddress;

use super::address::AddressTable;
#[cfg(feature = "ipv6")]
use super::autoconfiguration::Autoconfiguration;
use super::door::Packets;
use super::flow::to_smoltcp;
use super::frame::ETHERNET_HEADER;
use super::group::Memberships;
#[cfg(feature = "ipv6")]
use super::group::SolicitedNodes;
use super::ip::{self, IpAddr};
use super::leasing::Client;
use super::lifetime::Until;
use super::link::{Hardware, is_unicast};
use super::list::List;
use super::neighbor::Neighbors;
#[cfg(feature = "ipv6")]
use super::neighbor::solicited_node;
use super::policy::select_source;
use super::route::{Rank, RouteTable};
use super::{InterfaceId, Stack};
use crate::trace::Observer;
use crate::{Error, Limit, Result};

/// The internal interface that carries 127.0.0.0/8, `::1` and the host's own addresses.
pub(super) const LOOPBACK: u8 = 0;

/// 127.0.0.0/8 has one as any network (RFC 919 §7).
#[cfg(feature = "ipv4")]
const LOOPBACK_BROADCAST: core::net::Ipv4Addr = core::net::Ipv4Addr::new(127, 255, 255, 255);

/// The IP packets that every link carries (RFC 791 §3.2; RFC 8200 §5), without which there is no room for a header.
pub(super) const fn least_mtu(is_v4: bool) -> usize {
    if is_v4 { 68 } else { 1_280 }
}

/// A server that lends less is not obeyed: what is shorter is no link of these days, but slows all that goes over it.
const LEAST_LENT_MTU: usize = 576;

/// An interface: its addresses, its neighbors, and the slots that have work on it.
pub(super) struct NetworkInterface {
    /// smoltcp's, which TCP's segments go through: it carries packets and knows no link, and takes all addresses for its own.
    pub(super) inner: Interface,
    pub(super) medium: Medium,
    /// Its own hardware address, on an Ethernet.
    pub(super) hardware: Option<Hardware>,
    /// The largest IP packet that it sends.
    pub(super) mtu: usize,
    pub(super) checksums: ChecksumCapabilities,
    pub(super) addresses: AddressTable,
    pub(super) routes: RouteTable,
    #[cfg(feature = "ipv6")]
    pub(super) autoconfiguration: Option<Autoconfiguration>,
    /// Addresses that are given are asked for before they are used, too.
    #[cfg(feature = "ipv6")]
    pub(super) detects_duplicates: bool,
    /// When something of an address or a route is due.
    pub(super) configuration_at: Until,
    /// The link carries frames.
    pub(super) is_up: bool,
    pub(super) neighbors: Neighbors,
    pub(super) memberships: Memberships,
    /// The groups of its addresses.
    #[cfg(feature = "ipv6")]
    pub(super) solicited: SolicitedNodes,
    /// Gets it an IPv4 address.
    pub(super) client: Option<Client>,
    /// The device, as smoltcp sees it.
    pub(super) packets: Packets,
    pub(super) due: List,
    pub(super) blocked: List,
    /// The device had no room for a frame the last time.
    pub(super) refused: bool,
    /// The device may have more frames than the last poll took in.
    pub(super) has_unread: bool,
}

impl NetworkInterface {
    pub(super) fn new(
        capabilities: &DeviceCapabilities,
        hardware: Option<Hardware>,
        random_seed: u64,
        now: Instant,
    ) -> NetworkInterface {
        let mut config = Config::new(HardwareAddress::Ip);
        config.random_seed = random_seed;
        let mut packets = Packets::of(capabilities);
        let mut inner = Interface::new(config, &mut packets, now);
        inner.set_any_ip(true);
        NetworkInterface {
            inner,
            medium: capabilities.medium,
            hardware,
            mtu: capabilities.ip_mtu(),
            checksums: capabilities.checksum.clone(),
            addresses: AddressTable::new(),
            routes: RouteTable::new(),
            #[cfg(feature = "ipv6")]
            autoconfiguration: None,
            #[cfg(feature = "ipv6")]
            detects_duplicates: false,
            configuration_at: Until::NEVER,
            is_up: true,
            neighbors: Neighbors::new(),
            memberships: Memberships::new(),
            #[cfg(feature = "ipv6")]
            solicited: SolicitedNodes::new(),
            client: None,
            packets,
            due: List::new(),
            blocked: List::new(),
            refused: false,
            has_unread: false,
        }
    }

    /// Whether an address is one of this interface's own.
    pub(super) fn has(&self, addr: IpAddr) -> bool {
        self.addresses.is_assigned(addr)
    }

    /// Whether whoever has an address is on this interface's link.
    pub(super) fn is_on_link(&self, addr: IpAddr) -> bool {
        self.reach(addr)
            .is_some_and(|reach| reach.gateway.is_none())
    }

    /// Whether an address is a broadcast address on this interface's link.
    pub(super) fn is_broadcast(&self, addr: IpAddr) -> bool {
        match addr {
            #[cfg(feature = "ipv4")]
            IpAddr::V4(v4) => v4.is_broadcast() || self.addresses.is_broadcast(v4),
            _ => false,
        }
    }

    /// Whether packets for a group are for this interface, too.
    pub(super) fn is_member(&self, group: IpAddr) -> bool {
        #[cfg(feature = "ipv6")]
        if self.is_solicited_node(group) {
            return true;
        }
        self.memberships.is_member(group)
    }

    /// Whether neighbors ask in this group for one of its addresses (RFC 4291 §2.7.1). Of those that are not used yet, too:
    /// whoever has one of them is to be heard (RFC 4862 §5.4.2).
    #[cfg(feature = "ipv6")]
    fn is_solicited_node(&self, group: IpAddr) -> bool {
        self.addresses.rows().any(|row| match row.addr {
            IpAddr::V6(own) => group == IpAddr::V6(solicited_node(own)),
            IpAddr::V4(_) => false,
        })
    }

    /// How well it leads to an address, and by whom.
    fn reach(&self, addr: IpAddr) -> Option<Reach> {
        let direct = self.addresses.on_link(addr).map(|prefix_len| Reach {
            rank: Rank::direct(prefix_len),
            gateway: None,
        });
        let routed = self.routes.look_up(addr).map(|(rank, route)| Reach {
            rank,
            gateway: route.gateway,
        });
        match (direct, routed) {
            (Some(direct), Some(routed)) if routed.rank > direct.rank => Some(routed),
            (direct, routed) => direct.or(routed),
        }
    }

    /// Who is asked to carry a packet: the destination itself, or the gateway.
    pub(super) fn next_hop(&self, destination: IpAddr) -> IpAddr {
        let gateway = self.reach(destination).and_then(|reach| reach.gateway);
        gateway.unwrap_or(destination)
    }

    /// The next hop towards a destination does not answer. Says whether there is another now that may.
    pub(super) fn fail_over(&mut self, destination: IpAddr, now: Instant) -> bool {
        match self.reach(destination).and_then(|reach| reach.gateway) {
            Some(gateway) => {
                self.routes.gateway_failed(gateway, now);
                let next = self.reach(destination);
                next.is_some_and(|next| next.rank.works())
            }
            None => false,
        }
    }

    /// Whether the link carries what every link of a family has to. What servers say is no reason to go without IPv6.
    pub(super) fn carries(&self, is_v4: bool) -> bool {
        self.link_mtu() >= least_mtu(is_v4)
    }

    /// The largest IP packet that its device takes.
    pub(super) fn link_mtu(&self) -> usize {
        self.packets.mtu()
    }

    /// Sends no longer packets than routers and servers say that the link carries, but such as IPv6 needs (RFC 8200 §5).
    pub(super) fn fit_mtu(&mut self) {
        let longest = self.link_mtu();
        let has_v6 = self.addresses.rows().any(|row| row.addr.is_ipv6());
        let least = match has_v6 {
            true => least_mtu(false),
            false => LEAST_LENT_MTU,
        };
        let lent = self.client.as_ref().and_then(Client::lent_mtu);
        let lent = lent.map_or(longest, |mtu| mtu.max(least));
        #[cfg(feature = "ipv6")]
        let lent = {
            let autoconfiguration = self.autoconfiguration.as_ref();
            let advertised = autoconfiguration.and_then(Autoconfiguration::mtu);
            advertised.map_or(lent, |mtu| lent.min(mtu as usize))
        };
        let mtu = lent.min(longest);
        // Where nobody is heard about it, it stays.
        if cfg!(feature = "_learned") && mtu != self.mtu {
            self.mtu = mtu;
            // smoltcp asks a device but once.
            let config = Config::new(HardwareAddress::Ip);
            let mut packets = self.packets.with_mtu(mtu);
            self.inner = Interface::new(config, &mut packets, Instant::ZERO);
            self.inner.set_any_ip(true);
        }
    }

    /// The address to speak from (RFC 6724 §5).
    pub(super) fn source(&self, remote: IpAddr) -> Option<IpAddr> {
        let next_hop = self.next_hop(remote);
        select_source(remote, self.addresses.candidates(next_hop))
    }
}

/// How well an interface leads to an address, and by which router.
struct Reach {
    rank: Rank,
    gateway: Option<IpAddr>,
}

/// The way to a destination.
#[derive(Debug, Clone, Copy)]
pub(super) struct Route {
    pub(super) interface: u8,
    pub(super) source: IpAddr,
    pub(super) mtu: usize,
}

impl<O: Observer> Stack<'_, O> {
    /// Adds a network interface over `device`: `hardware_address` is its MAC address on Ethernet, and `None` on an IP
    /// medium. The loopback interface is there already.
    ///
    /// [`Error::InvalidArgument`] if the address does not fit the device's medium or is not unicast, or if the device does
    /// not carry IP packets of 68 octets (RFC 791 §3.2), or longer ones than there are (65,535).
    ///
    /// Two hosts on a wire, in virtual time:
    ///
    /// ```
    /// use core::net::Ipv4Addr;
    /// use glasstack::device::Wire;
    /// use glasstack::stack::{Domain, Storage, Type};
    /// use glasstack::smoltcp::{phy::Medium, time::{Duration, Instant}};
    /// use glasstack::{Error, Stack};
    ///
    /// # fn main() -> glasstack::Result<()> {
    /// let (mut here, mut there) = Wire::pair(Medium::Ethernet, 1514);
    /// let (mut memory, mut other) = (Storage::<5, 4, 0, 2048>::new(), Storage::<5, 4, 0, 2048>::new());
    /// let mut client = Stack::new(&mut memory, [1; 16], ());
    /// let link = client.add_interface(&mut here, Some([2, 0, 0, 0, 0, 1]))?;
    /// client.add_address(link, Ipv4Addr::new(10, 0, 0, 1).into(), 24)?;
    ///
    /// let mut server = Stack::new(&mut other, [2; 16], ());
    /// let server_link = server.add_interface(&mut there, Some([2, 0, 0, 0, 0, 2]))?;
    /// server.add_address(server_link, Ipv4Addr::new(10, 0, 0, 2).into(), 24)?;
    ///
    /// let address = (Ipv4Addr::new(10, 0, 0, 2), 7).into();
    /// let listener = server.socket(Domain::Inet, Type::Stream)?;
    /// server.bind(listener, address)?;
    /// server.listen(listener, 5)?;
    /// let fd = client.socket(Domain::Inet, Type::Stream)?;
    ///
    /// let (mut now, mut connection, mut sent) = (Instant::ZERO, None, false);
    /// let mut buffer = [0; 64];
    /// let echoed = loop {
    ///     if !sent {
    ///         match client.connect(fd, address) {
    ///             Ok(()) => sent = client.send(fd, b"Michael").is_ok(),
    ///             Err(Error::WouldBlock) => {}
    ///             Err(error) => return Err(error),
    ///         }
    ///     }
    ///     if let Ok((fd, _)) = server.accept(listener) {
    ///         connection = Some(fd);
    ///     }
    ///     if let Some(fd) = connection
    ///         && let Ok(len) = server.recv(fd, &mut buffer)
    ///     {
    ///         server.send(fd, &buffer[..len])?;
    ///     }
    ///     if let Ok(len) = client.recv(fd, &mut buffer) {
    ///         break &buffer[..len];
    ///     }
    ///     let _ = client.poll(link, now, &mut here);
    ///     let _ = server.poll(server_link, now, &mut there);
    ///     now += Duration::from_millis(1); // how long the wire takes
    /// };
    /// assert_eq!(echoed, b"Michael");
    /// # Ok(())
    /// # }
    /// ```
    pub fn add_interface<D: Device>(
        &mut self,
        device: &mut D,
        hardware_address: Option<[u8; 6]>,
    ) -> Result<InterfaceId> {
        let capabilities = device.capabilities();
        let link_header = match capabilities.medium {
            Medium::Ethernet => ETHERNET_HEADER,
            _ => 0,
        };
        // Not smoltcp's `ip_mtu`, which takes for granted that there is room for the header.
        let mtu = capabilities
            .max_transmission_unit
            .saturating_sub(link_header);
        if !(least_mtu(true)..=usize::from(u16::MAX)).contains(&mtu) {
            return Err(Error::InvalidArgument);
        }
        let hardware_address = match (capabilities.medium, hardware_address) {
            (Medium::Ethernet, Some(octets)) if is_unicast(octets) => Some(octets),
            (Medium::Ip, None) => None,
            _ => return Err(Error::InvalidArgument),
        };
        let seed = self.secret.random_u64();
        let now = self.now;
        let link = NetworkInterface::new(&capabilities, hardware_address, seed, now);
        let added = self.interfaces.add(link);
        added.ok_or(Error::Exhausted(Limit::Interfaces))
    }

    /// Takes an interface back that was added just now, and that nothing has been sent on.
    #[cfg(feature = "std")]
    pub(crate) fn take_back_interface(&mut self, interface: InterfaceId) {
        self.interfaces.remove(interface.0);
    }

    pub(super) fn interface_mut(
        &mut self,
        interface: InterfaceId,
    ) -> Result<&mut NetworkInterface> {
        self.interfaces
            .get_mut(interface.0)
            .filter(|_| interface.0 != LOOPBACK)
            .ok_or(Error::InvalidArgument)
    }

    /// Whether an address is one of this host's.
    pub(super) fn is_own(&self, addr: IpAddr) -> bool {
        addr.is_loopback() || {
            let mut links = self.interfaces.links();
            links.any(|(_, link)| link.has(addr))
        }
    }

    /// An address of this host's to be known by: of an interface, else the loopback's. Never a link-local one (RFC 4291
    /// §2.5.6), which would not do for those behind a router.
    #[cfg(feature = "embedded-nal")]
    pub(crate) fn own_address(&self, is_v4: bool) -> Option<net::IpAddr> {
        let loopback: net::IpAddr = match is_v4 {
            true => core::net::Ipv4Addr::LOCALHOST.into(),
            false => core::net::Ipv6Addr::LOCALHOST.into(),
        };
        let links = self.interfaces.links();
        links
            .flat_map(|(_, link)| link.addresses.assigned())
            .map(|row| row.addr)
            .find(|address| match address {
                IpAddr::V4(_) => is_v4,
                IpAddr::V6(v6) => !is_v4 && !v6.is_unicast_link_local(),
            })
            .map(ip::outward)
            .or_else(|| {
                ip::inward(loopback)
                    .ok()
                    .and_then(to_smoltcp)
                    .map(|_| loopback)
            })
    }

    /// The address that a socket bound to none would speak to `destination` from (RFC 6724 §5); `None` if there is no way
    /// to it.
    pub fn source_for(&self, destination: net::IpAddr) -> Option<net::IpAddr> {
        let destination = ip::inward(destination).ok()?;
        let route = self.route(super::flow::UNSPECIFIED.addr, destination);
        route.ok().map(|route| ip::outward(route.source))
    }

    /// Whether there is a way to an address.
    #[cfg(feature = "embedded-nal")]
    pub(crate) fn is_reachable(&self, address: net::IpAddr) -> bool {
        let way = |address| self.route(super::flow::UNSPECIFIED.addr, address);
        ip::inward(address).and_then(way).is_ok()
    }

    /// Whether an address is a broadcast address of some link.
    pub(super) fn is_broadcast(&self, addr: IpAddr) -> bool {
        let mut interfaces = self.interfaces.iter();
        match addr {
            #[cfg(feature = "ipv4")]
            IpAddr::V4(LOOPBACK_BROADCAST | core::net::Ipv4Addr::BROADCAST) => true,
            _ => interfaces.any(|(_, interface)| interface.is_broadcast(addr)),
        }
    }

    /// The way to `remote`, from `bound` if that is an address and not a wildcard.
    pub(super) fn route(&self, bound: IpAddr, remote: IpAddr) -> Result<Route> {
        self.route_over(None, bound, remote)
    }

    /// The same, over an interface that somebody chose.
    pub(super) fn route_over(
        &self,
        on: Option<u8>,
        bound: IpAddr,
        remote: IpAddr,
    ) -> Result<Route> {
        to_smoltcp(remote).ok_or(Error::AddressFamilyNotSupported)?;
        let bound = (!bound.is_unspecified()).then_some(bound);
        if bound.is_some_and(|bound| bound.is_ipv4() != remote.is_ipv4()) {
            return Err(Error::NetworkUnreachable);
        }
        if self.is_own(remote) && on.is_none_or(|on| on == LOOPBACK) {
            if self.loopback.mtu() < least_mtu(remote.is_ipv4()) {
                return Err(Error::NetworkUnreachable); // no memory was given to it
            }
            // To itself a host speaks from the address it speaks to, and in all of 127.0.0.0/8 from 127.0.0.1 (as Linux).
            let own = match remote {
                IpAddr::V4(v4) if v4.is_loopback() => core::net::Ipv4Addr::LOCALHOST.into(),
                _ => remote,
            };
            return Ok(Route {
                interface: LOOPBACK,
                source: bound.unwrap_or(own),
                mtu: self.loopback.mtu(),
            });
        }
        if bound.is_some_and(|bound| bound.is_loopback()) {
            return Err(Error::InvalidArgument); // as Linux: 127.0.0.1 never leaves the host
        }
        let mut best: Option<(Rank, Route)> = None;
        for (index, interface) in self.interfaces.links().filter(|(_, link)| link.is_up) {
            if on.is_some_and(|on| on != index) {
                continue;
            }
            if bound.is_some_and(|bound| !interface.has(bound)) {
                continue;
            }
            let reach = match interface.reach(remote).map(|reach| reach.rank) {
                // A link leads to its own groups and to all of its hosts, if there is no better one (RFC 1112 §6.1).
                None if remote.is_multicast() || interface.is_broadcast(remote) || on.is_some() => {
                    Some(Rank::direct(0))
                }
                reach => reach,
            };
            let (Some(reach), Some(source)) = (reach, interface.source(remote)) else {
                continue;
            };
            if best.is_none_or(|(so_far, _)| reach > so_far) {
                let route = Route {
                    interface: index,
                    source: bound.unwrap_or(source),
                    mtu: interface.mtu,
                };
                best = Some((reach, route));
            }
        }
        best.map(|(_, route)| route)
            .ok_or(Error::NetworkUnreachable)
    }
}
