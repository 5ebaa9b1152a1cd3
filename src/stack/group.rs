//! The groups of the sockets: who joined which on which link, and how the link's routers hear of it.

use core::net::{self, Ipv4Addr};

use heapless::Vec;
use smoltcp::time::Instant;

#[cfg(feature = "ipv6")]
use super::address::ADDRESSES;
use super::datagram::gather;
use super::fd::Socket;
use super::flow::{UNSPECIFIED, to_smoltcp};
use super::frame::{ICMPV6, IGMP, Packet};
use super::header::{Header, Part};
use super::ingress::Incoming;
use super::interface::{LOOPBACK, NetworkInterface};
#[cfg(feature = "ipv6")]
use super::ip::Ipv6Addr;
use super::ip::{self, IpAddr};
use super::link::{self, Transmit};
use super::multicast::{self, Heard};
#[cfg(feature = "ipv6")]
use super::neighbor::solicited_node;
use super::outgoing::Outgoing;
use super::{Domain, Fd, InterfaceId, Stack, glass};
use crate::trace::{Call, Cause, Observer};
use crate::{Error, Limit, Result};

pub(super) use super::multicast::Memberships;

/// Memberships of all sockets of a stack.
const MEMBERSHIPS: usize = if cfg!(feature = "std") { 128 } else { 8 };

/// Octets of a report: with feature `std`, as many as any IPv6 link carries behind the headers.
const REPORT: usize = if cfg!(feature = "std") {
    1_280 - 48
} else {
    multicast::MESSAGE_LEN
};

/// The traffic class of network control, in which Linux reports (RFC 2474 §4.2.2.2).
const INTERNETWORK_CONTROL: u8 = 0xc0;

/// A socket is in a group on a link.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Membership {
    descriptor: u16,
    interface: u8,
    group: IpAddr,
}

/// The groups of the sockets.
pub(super) type Joined = Vec<Membership, MEMBERSHIPS>;

impl<'a, O: Observer> Stack<'a, O> {
    /// `IP_ADD_MEMBERSHIP`, `IPV6_JOIN_GROUP` (feature `multicast`): a datagram or raw socket joins a group on a link; without one, on that which
    /// the route to the group takes. The first membership of a link is reported to its routers (IGMPv2, MLDv2), and taken
    /// back when the last socket has left or closed. An IPv6 socket may join groups of both families, as on Linux.
    ///
    /// What arrives for the group goes to every socket that is bound to its port on the wildcard or the group, whether it is
    /// the one that joined or not: Linux's default (`IP_MULTICAST_ALL`). Who wants nothing else binds to the group.
    ///
    /// [`Error::InvalidArgument`] where it is no group, [`Error::AddrInUse`] where the socket is in it already,
    /// [`Error::NoDevice`] without such a link or a route, [`Error::Exhausted`] beyond 128 memberships of all sockets or 64
    /// groups of a link (8 and 6 without feature `std`), [`Error::NotSupported`] for a stream.
    ///
    /// ```
    /// # use core::net::{self, Ipv4Addr};
    /// # use glasstack::{Error, Stack, device::Wire, smoltcp::phy::Medium, stack::{Capacity, Domain, Type}};
    /// # fn main() -> glasstack::Result<()> {
    /// # let (mut wire, _) = Wire::pair(Medium::Ethernet, 1514);
    /// # let mut stack = Stack::with_capacity(Capacity::default(), [7; 16], ());
    /// let link = stack.add_interface(&mut wire, Some([2, 0, 0, 0, 0, 1]))?;
    /// stack.add_address(link, Ipv4Addr::new(10, 0, 0, 1).into(), 24)?;
    ///
    /// let socket = stack.socket(Domain::Inet, Type::Datagram)?;
    /// stack.bind(socket, "0.0.0.0:5353".parse().unwrap())?;
    /// let mdns = Ipv4Addr::new(224, 0, 0, 251).into();
    /// stack.join_group(socket, mdns, Some(link))?;
    /// assert_eq!(stack.join_group(socket, mdns, None), Err(Error::AddrInUse));
    /// stack.leave_group(socket, mdns, None)?;
    /// # Ok(())
    /// # }
    /// ```
    pub fn join_group(
        &mut self,
        fd: Fd,
        group: net::IpAddr,
        interface: Option<InterfaceId>,
    ) -> Result<()> {
        self.begin_call();
        let result =
            ip::inward(group).and_then(|group| self.join_group_untold(fd, group, interface));
        self.told(Some(fd), Call::JoinGroup(group), result, glass::done)
    }

    fn join_group_untold(
        &mut self,
        fd: Fd,
        group: IpAddr,
        interface: Option<InterfaceId>,
    ) -> Result<()> {
        self.may_have_groups(fd, group)?;
        let index = self.link_of_group(group, interface)?;
        let membership = Membership {
            descriptor: fd.index,
            interface: index,
            group,
        };
        if self.joined.contains(&membership) {
            return Err(Error::AddrInUse);
        }
        if self.joined.is_full() {
            return Err(Error::Exhausted(Limit::Groups));
        }
        let now = self.now;
        self.link_row(index)?.memberships.join(group, now)?;
        let pushed = self.joined.push(membership);
        pushed.map_err(|_| Error::Exhausted(Limit::Groups))
    }

    /// `IP_DROP_MEMBERSHIP`, `IPV6_LEAVE_GROUP`: the socket leaves a group on a link; without one, on that where it is in it.
    /// `close` does it for all of them.
    ///
    /// [`Error::AddrNotAvailable`] where the socket is not in it, [`Error::NoDevice`] without such a link,
    /// [`Error::InvalidArgument`] where it is no group.
    pub fn leave_group(
        &mut self,
        fd: Fd,
        group: net::IpAddr,
        interface: Option<InterfaceId>,
    ) -> Result<()> {
        self.begin_call();
        let result =
            ip::inward(group).and_then(|group| self.leave_group_untold(fd, group, interface));
        self.told(Some(fd), Call::LeaveGroup(group), result, glass::done)
    }

    fn leave_group_untold(
        &mut self,
        fd: Fd,
        group: IpAddr,
        interface: Option<InterfaceId>,
    ) -> Result<()> {
        self.may_have_groups(fd, group)?;
        if let Some(interface) = interface {
            self.link_row(interface.0)?;
        }
        let position = self.joined.iter().position(|membership| {
            membership.descriptor == fd.index
                && membership.group == group
                && interface.is_none_or(|interface| interface.0 == membership.interface)
        });
        let membership = self.joined.remove(position.ok_or(Error::AddrNotAvailable)?);
        self.end_membership(membership);
        Ok(())
    }

    /// The groups that a link is in, besides those of all hosts, and how many sockets (or addresses, of their solicited-node
    /// groups: RFC 4291 §2.7.1) joined each, as `ip maddress` lists them.
    pub fn groups(&self, interface: InterfaceId) -> impl Iterator<Item = (net::IpAddr, u16)> {
        let row = self.interfaces.get(interface.0);
        row.into_iter()
            .flat_map(|row| row.memberships.groups())
            .map(|(group, count)| (ip::outward(group), count))
    }

    /// The interface that has an address of this host's: how `IP_ADD_MEMBERSHIP` names one. [`Error::NoDevice`] where none
    /// has it.
    pub fn interface_of(&self, address: net::IpAddr) -> Result<InterfaceId> {
        let address = ip::inward(address).map_err(|_| Error::NoDevice)?;
        let mut rows = self.interfaces.iter();
        let found = rows.find(|(_, row)| row.has(address));
        let found = found.map(|(index, _)| InterfaceId(index));
        found.ok_or(Error::NoDevice)
    }

    fn may_have_groups(&self, fd: Fd, group: IpAddr) -> Result<()> {
        let row = self.descriptors.get(fd)?;
        if !matches!(row.socket, Socket::Datagram { .. }) {
            return Err(Error::NotSupported);
        }
        if to_smoltcp(group).is_none() || group.is_ipv6() && row.domain == Domain::Inet {
            return Err(Error::AddressFamilyNotSupported);
        }
        match group.is_multicast() {
            true => Ok(()),
            false => Err(Error::InvalidArgument),
        }
    }

    fn link_of_group(&self, group: IpAddr, interface: Option<InterfaceId>) -> Result<u8> {
        match interface {
            Some(interface) => Ok(interface.0),
            None => match self.route(UNSPECIFIED.addr, group) {
                Ok(route) => Ok(route.interface),
                Err(_) => Err(Error::NoDevice),
            },
        }
    }

    /// A link: what stays within the host has no groups.
    fn link_row(&mut self, index: u8) -> Result<&mut NetworkInterface> {
        self.interfaces
            .get_mut(index)
            .filter(|_| index != LOOPBACK)
            .ok_or(Error::NoDevice)
    }

    /// Ends the memberships of a socket that closes.
    pub(super) fn leave_all_groups(&mut self, descriptor: u16) {
        let is_of = |membership: &Membership| membership.descriptor == descriptor;
        while let Some(position) = self.joined.iter().position(is_of) {
            let membership = self.joined.swap_remove(position);
            self.end_membership(membership);
        }
    }

    fn end_membership(&mut self, membership: Membership) {
        let now = self.now;
        if let Ok(row) = self.link_row(membership.interface) {
            let _ = row.memberships.leave(membership.group, now);
        }
    }

    /// Hears a message of IGMP or of MLD, whose checksum is right.
    pub(super) fn hear_membership(&mut self, incoming: &Incoming<'_>, packet: &Packet<'_>) {
        let now = self.now;
        let secret = &mut self.secret;
        if let Some(row) = self.interfaces.get_mut(incoming.interface) {
            let heard = Heard {
                source: packet.source,
                #[cfg(feature = "ipv6")]
                hop_limit: packet.hop_limit,
                #[cfg(feature = "ipv6")]
                router_alert: packet.has_router_alert(),
                message: packet.transport,
            };
            let random = &mut || secret.random_u64();
            row.memberships.hear(&heard, now, random);
        }
    }

    /// Tells the routers of a link what they are to know of its groups; says whether the device refused a frame.
    pub(super) fn egress_memberships(&mut self, index: u8, device: &mut dyn Transmit) -> bool {
        self.is_report_due(index) && self.send_reports(index, device)
    }

    fn is_report_due(&self, index: u8) -> bool {
        let row = self.interfaces.get(index);
        let at = row.and_then(NetworkInterface::reports_at);
        at.is_some_and(|at| at <= self.now)
    }

    #[inline(never)] // its buffer is for rare occasions
    fn send_reports(&mut self, index: u8, device: &mut dyn Transmit) -> bool {
        let now = self.now;
        let mut message = [0; REPORT];
        self.cause = Cause::Timer;
        while self.is_report_due(index) {
            let (mut refused, mut is_told) = (true, false);
            // A report counts as sent when it is written, so the room for it comes first.
            device.reserve(now, &mut |room| {
                refused = !room.has_room(now);
                is_told = !refused && self.send_report(index, &mut message, room);
            });
            if refused || !is_told {
                return refused;
            }
        }
        false
    }

    /// Sends the next report of a link, for which there is room; says whether there was one.
    fn send_report(&mut self, index: u8, message: &mut [u8], room: &mut dyn Transmit) -> bool {
        let now = self.now;
        let pane = self.pane_of(index, None);
        let Some(row) = self.interfaces.get_mut(index) else {
            return false;
        };
        let secret = &mut self.secret;
        let random = &mut || secret.random_u64();
        let Some(told) = row.memberships.emit(message, now, random) else {
            return false;
        };
        let Some(link) = row.link_to(told.to, now) else {
            return true;
        };
        let octets = message.get(..told.len).unwrap_or_default();
        let outgoing = Outgoing {
            link,
            header: row.report_header(told.to),
            payload_len: octets.len(),
        };
        let checksums = &row.checksums;
        let len = outgoing.frame_len();
        link::transmit(room, now, len, pane, &mut self.observer, &mut |frame| {
            outgoing.write(frame, checksums, |payload| {
                gather(&[octets], payload);
                outgoing.seal(payload);
            });
        });
        true
    }
}

/// The groups that an interface is in for its addresses: in them neighbors ask for those (RFC 4291 §2.8).
#[cfg(feature = "ipv6")]
pub(super) struct SolicitedNodes {
    /// The addresses whose groups are joined.
    joined: Vec<Ipv6Addr, ADDRESSES>,
    /// What routers were told from last.
    spoken_from: Option<Ipv6Addr>,
}

#[cfg(feature = "ipv6")]
impl SolicitedNodes {
    pub(super) const fn new() -> SolicitedNodes {
        SolicitedNodes {
            joined: Vec::new(),
            spoken_from: None,
        }
    }
}

#[cfg(feature = "ipv6")]
impl NetworkInterface {
    /// Joins the groups of addresses that have come, and leaves those of addresses that have gone. A link without hardware
    /// addresses has none: nobody asks for them.
    pub(super) fn settle_solicited_nodes(&mut self, now: Instant) {
        if self.hardware.is_none() {
            return;
        }
        let (addresses, joined) = (&self.addresses, &mut self.solicited.joined);
        let is_there = |address: &Ipv6Addr| addresses.find(IpAddr::V6(*address)).is_some();
        while let Some(gone) = joined.iter().position(|address| !is_there(address)) {
            let address = joined.swap_remove(gone);
            let _ = self.memberships.leave(solicited_node(address).into(), now);
        }
        for row in addresses.rows() {
            if let IpAddr::V6(address) = row.addr
                && !joined.contains(&address)
                // Without room the group is heard all the same, and routers are not told.
                && self.memberships.join(solicited_node(address).into(), now).is_ok()
            {
                let _ = joined.push(address);
            }
        }
        let speaks_from = self.link_local();
        if speaks_from != self.solicited.spoken_from {
            self.solicited.spoken_from = speaks_from;
            if speaks_from.is_some() {
                self.memberships.announce(false, now);
            }
        }
    }

    /// An address that never leaves the link, and may be used.
    fn link_local(&self) -> Option<Ipv6Addr> {
        self.addresses.assigned().find_map(|row| match row.addr {
            IpAddr::V6(v6) if v6.is_unicast_link_local() => Some(v6),
            _ => None,
        })
    }
}

impl NetworkInterface {
    /// When there is something to say of groups; over a link that is down there is not.
    pub(super) fn reports_at(&self) -> Option<Instant> {
        self.memberships.poll_at().filter(|_| self.is_up)
    }

    /// The header of a report, which no router passes on.
    fn report_header(&self, to: IpAddr) -> Header {
        let (source, protocol) = match to {
            IpAddr::V4(_) => {
                let own = self.source(to).filter(IpAddr::is_ipv4);
                (own.unwrap_or(Ipv4Addr::UNSPECIFIED.into()), IGMP)
            }
            // RFC 3810 §5.2.13: a link-local address, or none.
            #[cfg(feature = "ipv6")]
            IpAddr::V6(_) => {
                let own = self.link_local();
                (own.unwrap_or(Ipv6Addr::UNSPECIFIED).into(), ICMPV6)
            }
            #[cfg(not(feature = "ipv6"))]
            IpAddr::V6(v6) => (v6.into(), ICMPV6),
        };
        Header {
            source,
            destination: to,
            protocol,
            hop_limit: 1,
            traffic_class: INTERNETWORK_CONTROL,
            router_alert: true,
            part: Part::Whole,
        }
    }
}
