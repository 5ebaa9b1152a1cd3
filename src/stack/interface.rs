//! Interfaces, their addresses, and which of them leads to a destination.

use core::net::IpAddr;

use heapless::Vec;
use smoltcp::iface::{Config, Interface};
use smoltcp::phy::{ChecksumCapabilities, Device, Medium};
use smoltcp::time::Instant;
use smoltcp::wire::{HardwareAddress, IpAddress, IpCidr};

use super::door::Packets;
use super::flow::to_smoltcp;
use super::frame::ETHERNET_HEADER;
use super::link::{Hardware, is_unicast};
use super::list::List;
use super::neighbor::{Neighbors, solicited_node};
use super::{InterfaceId, Stack};
use crate::trace::Observer;
use crate::{Error, Limit, Result};

/// The internal interface that carries 127.0.0.0/8, `::1` and the host's own addresses.
pub(super) const LOOPBACK: u8 = 0;

/// 127.0.0.0/8 has one as any network (RFC 919 §7).
#[cfg(feature = "ipv4")]
const LOOPBACK_BROADCAST: core::net::Ipv4Addr = core::net::Ipv4Addr::new(127, 255, 255, 255);

/// The IP packets that every link carries (RFC 791 §3.2; RFC 8200 §5), without which there is no room for a header.
const fn least_mtu(is_v4: bool) -> usize {
    if is_v4 { 68 } else { 1_280 }
}

/// Addresses of an interface.
const ADDRESSES: usize = if cfg!(feature = "std") { 8 } else { 4 };

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
    addresses: Vec<IpCidr, ADDRESSES>,
    /// The default gateways, of IPv4 and of IPv6.
    gateways: [Option<IpAddr>; 2],
    pub(super) neighbors: Neighbors,
    pub(super) due: List,
    pub(super) blocked: List,
    /// The device had no room for a frame the last time.
    pub(super) refused: bool,
    /// The device may have more frames than the last poll took in.
    pub(super) has_unread: bool,
}

impl NetworkInterface {
    pub(super) fn new<D: Device>(
        device: &mut D,
        hardware: Option<Hardware>,
        random_seed: u64,
        now: Instant,
    ) -> NetworkInterface {
        let capabilities = device.capabilities();
        let mut config = Config::new(HardwareAddress::Ip);
        config.random_seed = random_seed;
        let mut packets = Packets::of(&capabilities);
        let mut inner = Interface::new(config, &mut packets, now);
        inner.set_any_ip(true);
        NetworkInterface {
            inner,
            medium: capabilities.medium,
            hardware,
            mtu: capabilities.ip_mtu(),
            checksums: capabilities.checksum,
            addresses: Vec::new(),
            gateways: [None; 2],
            neighbors: Neighbors::new(),
            due: List::new(),
            blocked: List::new(),
            refused: false,
            has_unread: false,
        }
    }

    /// Whether an address is one of this interface's own.
    pub(super) fn has(&self, addr: IpAddr) -> bool {
        let is_it = |cidr: &IpCidr| IpAddr::from(cidr.address()) == addr;
        self.addresses.iter().any(is_it)
    }

    /// Whether an address is in a network that this interface has an address of.
    pub(super) fn is_on_link(&self, addr: IpAddr) -> bool {
        self.prefix_of(addr).is_some()
    }

    /// The longest prefix of this interface's networks that an address is in.
    fn prefix_of(&self, addr: IpAddr) -> Option<u8> {
        let addr = to_smoltcp(addr)?;
        let on_link = |cidr: &&IpCidr| cidr.contains_addr(&addr);
        let networks = self.addresses.iter().filter(on_link);
        networks.map(IpCidr::prefix_len).max()
    }

    /// Whether an address is a broadcast address on this interface's link.
    pub(super) fn is_broadcast(&self, addr: IpAddr) -> bool {
        match to_smoltcp(addr) {
            #[cfg(feature = "ipv4")]
            Some(IpAddress::Ipv4(v4)) => {
                let is_of = |cidr: &IpCidr| match cidr {
                    IpCidr::Ipv4(cidr) => cidr.broadcast() == Some(v4),
                    #[cfg(feature = "ipv6")]
                    IpCidr::Ipv6(_) => false,
                };
                v4.is_broadcast() || self.addresses.iter().any(is_of)
            }
            _ => false,
        }
    }

    /// Whether packets for a group are for this interface, too.
    pub(super) fn is_member(&self, group: IpAddr) -> bool {
        match group {
            IpAddr::V4(v4) => v4.octets() == [224, 0, 0, 1],
            IpAddr::V6(v6) => {
                let all_nodes = [0xff02, 0, 0, 0, 0, 0, 0, 1];
                let is_solicited = |cidr: &IpCidr| match IpAddr::from(cidr.address()) {
                    IpAddr::V6(own) => solicited_node(own) == v6,
                    IpAddr::V4(_) => false,
                };
                v6.segments() == all_nodes || self.addresses.iter().any(is_solicited)
            }
        }
    }

    fn gateway(&self, addr: IpAddr) -> Option<IpAddr> {
        self.gateways[usize::from(addr.is_ipv6())]
    }

    /// Who is asked to carry a packet: the destination itself, or the gateway.
    pub(super) fn next_hop(&self, destination: IpAddr) -> IpAddr {
        match self.gateway(destination) {
            Some(gateway) if !self.is_on_link(destination) => gateway,
            _ => destination,
        }
    }

    /// How well it leads to an address: the prefix length where it is on the link, 0 for a gateway.
    fn reach(&self, addr: IpAddr) -> Option<u8> {
        let routed = || self.gateway(addr).map(|_| 0);
        self.prefix_of(addr).or_else(routed)
    }

    /// The address to speak from.
    pub(super) fn source(&self, remote: IpAddr) -> Option<IpAddr> {
        let own = self
            .addresses
            .iter()
            .map(|cidr| IpAddr::from(cidr.address()));
        let mut of_family = own.filter(|own| own.is_ipv4() == remote.is_ipv4());
        let near = self
            .addresses
            .iter()
            .filter(|cidr| to_smoltcp(remote).is_some_and(|remote| cidr.contains_addr(&remote)));
        let near = near.max_by_key(|cidr| cidr.prefix_len());
        let is_link_local = |addr: IpAddr| match addr {
            IpAddr::V4(v4) => v4.is_link_local(),
            IpAddr::V6(v6) => v6.is_unicast_link_local(),
        };
        near.map(|cidr| IpAddr::from(cidr.address())).or_else(|| {
            let first = of_family.clone().next();
            of_family.find(|own| !is_link_local(*own)).or(first)
        })
    }
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
        let mut places = self.interfaces.iter_mut().enumerate();
        let Some((index, place)) = places.find(|(_, place)| place.is_none()) else {
            return Err(Error::Exhausted(Limit::Interfaces));
        };
        *place = Some(NetworkInterface::new(device, hardware_address, seed, now));
        Ok(InterfaceId(index as u8))
    }

    /// Takes an interface back that was added just now, and that nothing has been sent on.
    #[cfg(feature = "std")]
    pub(crate) fn take_back_interface(&mut self, interface: InterfaceId) {
        if interface.0 != LOOPBACK
            && let Some(place) = self.interfaces.get_mut(usize::from(interface.0))
        {
            *place = None;
        }
    }

    fn interface_mut(&mut self, interface: InterfaceId) -> Result<&mut NetworkInterface> {
        self.interfaces
            .get_mut(usize::from(interface.0))
            .and_then(Option::as_mut)
            .filter(|_| interface.0 != LOOPBACK)
            .ok_or(Error::InvalidArgument)
    }

    /// Gives an interface an address with its prefix length. At most as many as smoltcp was built for
    /// (8 with feature `std`, else 2): then [`Error::Exhausted`]. [`Error::InvalidArgument`] if it cannot be a host's, or
    /// is IPv6 where the link does not carry packets of 1,280 octets (RFC 8200 §5).
    pub fn add_address(
        &mut self,
        interface: InterfaceId,
        addr: IpAddr,
        prefix_len: u8,
    ) -> Result<()> {
        let is_v4 = addr.is_ipv4();
        let longest = if is_v4 { 32 } else { 128 };
        let is_unicast = !addr.is_multicast() && !addr.is_unspecified() && !addr.is_loopback();
        if prefix_len > longest || !is_unicast || addr == IpAddr::V4(core::net::Ipv4Addr::BROADCAST)
        {
            return Err(Error::InvalidArgument);
        }
        let addr = to_smoltcp(addr).ok_or(Error::AddressFamilyNotSupported)?;
        if self.is_own(addr.into()) {
            return Err(Error::AddrInUse);
        }
        let interface = self.interface_mut(interface)?;
        if interface.mtu < least_mtu(is_v4) {
            return Err(Error::InvalidArgument);
        }
        // smoltcp's DNS socket asks for one.
        interface.inner.update_ip_addrs(|addrs| {
            let _ = addrs.push(IpCidr::new(addr, prefix_len));
        });
        let added = interface.addresses.push(IpCidr::new(addr, prefix_len));
        added.map_err(|_| Error::Exhausted(Limit::Addresses))
    }

    /// Sends what is for no link of this host to a router on this interface's link; one gateway a family.
    pub fn set_gateway(&mut self, interface: InterfaceId, gateway: IpAddr) -> Result<()> {
        let router = to_smoltcp(gateway).ok_or(Error::AddressFamilyNotSupported)?;
        let interface = self.interface_mut(interface)?;
        if !router.is_unicast() || !interface.is_on_link(gateway) {
            return Err(Error::NetworkUnreachable);
        }
        interface.gateways[usize::from(gateway.is_ipv6())] = Some(gateway);
        Ok(())
    }

    /// Whether an address is one of this host's.
    pub(super) fn is_own(&self, addr: IpAddr) -> bool {
        addr.is_loopback() || {
            let mut interfaces = self.interfaces.iter().skip(1).flatten();
            interfaces.any(|interface| interface.has(addr))
        }
    }

    /// An address of this host's to be known by: of an interface, else the loopback's. Never a link-local one (RFC 4291
    /// §2.5.6), which would not do for those behind a router.
    #[cfg(feature = "embedded-nal")]
    pub(crate) fn own_address(&self, is_v4: bool) -> Option<IpAddr> {
        let loopback: IpAddr = match is_v4 {
            true => core::net::Ipv4Addr::LOCALHOST.into(),
            false => core::net::Ipv6Addr::LOCALHOST.into(),
        };
        let interfaces = self.interfaces.iter().skip(1).flatten();
        interfaces
            .flat_map(|interface| &interface.addresses)
            .map(|cidr| IpAddr::from(cidr.address()))
            .find(|address| match address {
                IpAddr::V4(_) => is_v4,
                IpAddr::V6(v6) => !is_v4 && !v6.is_unicast_link_local(),
            })
            .or_else(|| to_smoltcp(loopback).map(|_| loopback))
    }

    /// Whether there is a way to an address.
    #[cfg(feature = "embedded-nal")]
    pub(crate) fn is_reachable(&self, address: IpAddr) -> bool {
        self.route(super::flow::UNSPECIFIED.addr, address).is_ok()
    }

    /// Whether an address is a broadcast address of some link.
    pub(super) fn is_broadcast(&self, addr: IpAddr) -> bool {
        let mut interfaces = self.interfaces.iter().flatten();
        match addr {
            #[cfg(feature = "ipv4")]
            IpAddr::V4(LOOPBACK_BROADCAST | core::net::Ipv4Addr::BROADCAST) => true,
            _ => interfaces.any(|interface| interface.is_broadcast(addr)),
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
        let mut best: Option<(u8, Route)> = None;
        for (index, interface) in self.interfaces.iter().enumerate().skip(1) {
            let Some(interface) = interface else { continue };
            if on.is_some_and(|on| usize::from(on) != index) {
                continue;
            }
            if bound.is_some_and(|bound| !interface.has(bound)) {
                continue;
            }
            let reach = match interface.reach(remote) {
                // A link leads to its own groups and to all of its hosts, if there is no better one (RFC 1112 §6.1).
                None if remote.is_multicast() || interface.is_broadcast(remote) || on.is_some() => {
                    Some(0)
                }
                reach => reach,
            };
            let (Some(reach), Some(source)) = (reach, interface.source(remote)) else {
                continue;
            };
            if best.is_none_or(|(so_far, _)| reach > so_far) {
                let route = Route {
                    interface: index as u8,
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
