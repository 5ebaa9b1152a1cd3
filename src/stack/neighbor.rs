//! Neighbors. smoltcp asks for one hardware address a second on each interface, whoever waits: the second host of a
//! link would be spoken to a second late, and the fiftieth almost a minute. For those the heart asks itself; the answer
//! fills smoltcp's cache, as any answer does.

use core::net::IpAddr;

#[cfg(feature = "ipv6")]
use smoltcp::phy::ChecksumCapabilities;
use smoltcp::phy::{Device, Medium, TxToken};
use smoltcp::time::{Duration, Instant};
#[cfg(feature = "ipv4")]
use smoltcp::wire::{ArpOperation, ArpPacket, ArpRepr};
use smoltcp::wire::{
    EthernetAddress, EthernetFrame, EthernetProtocol, HardwareAddress, IpAddress, IpCidr,
};
#[cfg(feature = "ipv6")]
use smoltcp::wire::{Icmpv6Packet, Icmpv6Repr, IpProtocol, Ipv6Packet, Ipv6Repr, NdiscRepr};

use super::Stack;
use super::flow::to_smoltcp;
use super::interface::NetworkInterface;
use super::slot::Kind;
use crate::trace::Observer;

/// One question a second for each neighbor (RFC 1122 §2.3.2.1, RFC 4861 §10).
const INTERVAL: Duration = Duration::from_secs(1);

impl<'a, O: Observer> Stack<'a, O> {
    /// Asks for the neighbor that a slot waits for, unless it has just been asked for.
    /// Says whether it is being asked for: a neighbor that was not has had no chance to answer.
    /// `asked`: whom smoltcp has asked for itself. That need not be whom a datagram socket wrote to last.
    pub(super) fn solicit<D: Device + ?Sized>(
        &mut self,
        interface: u8,
        slot: u16,
        asked: Option<IpAddr>,
        device: &mut D,
    ) -> bool {
        let waits_for = match &self.slots[usize::from(slot)].kind {
            Kind::Connection(connection) => Some(connection.flow.remote.addr),
            Kind::Datagram { to, .. } => Some(*to),
            Kind::Resolver => self.resolver.server(),
            Kind::Unused => None,
        };
        match (
            asked.or(waits_for),
            self.interfaces.get_mut(usize::from(interface)),
        ) {
            (Some(remote), Some(Some(interface))) => {
                interface.solicit(remote, asked.is_some(), self.now, device)
            }
            _ => true,
        }
    }
}

impl NetworkInterface {
    fn solicit<D: Device + ?Sized>(
        &mut self,
        remote: IpAddr,
        asked: bool,
        now: Instant,
        device: &mut D,
    ) -> bool {
        let Some(neighbor) = to_smoltcp(remote).and_then(|remote| self.next_hop(remote)) else {
            return true;
        };
        let HardwareAddress::Ethernet(own) = self.inner.hardware_addr() else {
            return true;
        };
        self.questions.retain(|(_, asked)| now < *asked + INTERVAL);
        if self
            .questions
            .iter()
            .any(|(asked_for, _)| *asked_for == neighbor)
        {
            return true;
        }
        let is_noted = self.questions.push((neighbor, now)).is_ok();
        if asked || !is_noted {
            return asked;
        }
        match neighbor {
            #[cfg(feature = "ipv4")]
            IpAddress::Ipv4(target) => {
                let Some(source) = self.inner.get_source_address_ipv4(&target) else {
                    return true;
                };
                let request = ArpRepr::EthernetIpv4 {
                    operation: ArpOperation::Request,
                    source_hardware_addr: own,
                    source_protocol_addr: source,
                    target_hardware_addr: EthernetAddress::BROADCAST,
                    target_protocol_addr: target,
                };
                let len = request.buffer_len();
                let to = EthernetAddress::BROADCAST;
                transmit(
                    device,
                    now,
                    own,
                    to,
                    EthernetProtocol::Arp,
                    len,
                    |payload| {
                        request.emit(&mut ArpPacket::new_unchecked(payload));
                    },
                );
            }
            #[cfg(feature = "ipv6")]
            IpAddress::Ipv6(target) => {
                let solicitation = Icmpv6Repr::Ndisc(NdiscRepr::NeighborSolicit {
                    target_addr: target,
                    lladdr: Some(own.into()),
                });
                let group = target.segments();
                let group = [0xff02, 0, 0, 0, 0, 1, 0xff00 | group[6] & 0xff, group[7]].into();
                let header = Ipv6Repr {
                    src_addr: self.inner.get_source_address_ipv6(&target),
                    dst_addr: group,
                    next_header: IpProtocol::Icmpv6,
                    payload_len: solicitation.buffer_len(),
                    hop_limit: 255,
                };
                // RFC 2464 §7.
                let [.., a, b, c, d] = group.octets();
                let to = EthernetAddress([0x33, 0x33, a, b, c, d]);
                let len = header.buffer_len() + header.payload_len;
                transmit(
                    device,
                    now,
                    own,
                    to,
                    EthernetProtocol::Ipv6,
                    len,
                    |payload| {
                        let (ip, icmp) = payload.split_at_mut(header.buffer_len());
                        header.emit(&mut Ipv6Packet::new_unchecked(ip));
                        solicitation.emit(
                            &header.src_addr,
                            &header.dst_addr,
                            &mut Icmpv6Packet::new_unchecked(icmp),
                            &ChecksumCapabilities::default(),
                        );
                    },
                );
            }
        }
        true
    }

    /// Who is asked to carry a packet: the destination itself, or the gateway.
    fn next_hop(&self, remote: IpAddress) -> Option<IpAddress> {
        if self.medium != Medium::Ethernet {
            return None;
        }
        let on_link = |cidr: &IpCidr| cidr.contains_addr(&remote);
        if self.inner.ip_addrs().iter().any(on_link) {
            return Some(remote);
        }
        let gateway = match remote {
            #[cfg(feature = "ipv4")]
            IpAddress::Ipv4(_) => self.inner.routes().get_default_ipv4_route(),
            #[cfg(feature = "ipv6")]
            IpAddress::Ipv6(_) => self.inner.routes().get_default_ipv6_route(),
        };
        gateway.map(|route| route.via_router)
    }
}

fn transmit<D: Device + ?Sized>(
    device: &mut D,
    now: Instant,
    own: EthernetAddress,
    to: EthernetAddress,
    protocol: EthernetProtocol,
    len: usize,
    emit: impl FnOnce(&mut [u8]),
) {
    // Without room the question is asked again with the slot's next turn.
    if let Some(token) = device.transmit(now) {
        token.consume(EthernetFrame::<&[u8]>::buffer_len(len), |frame| {
            let mut frame = EthernetFrame::new_unchecked(frame);
            frame.set_src_addr(own);
            frame.set_dst_addr(to);
            frame.set_ethertype(protocol);
            emit(frame.payload_mut());
        });
    }
}
