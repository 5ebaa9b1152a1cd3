//! The calls of datagram sockets, and `send`/`recv`, which both types have.

use core::net::{IpAddr, SocketAddr};

use smoltcp::phy::PacketMeta;
use smoltcp::socket::udp::UdpMetadata;
use smoltcp::wire::IpListenEndpoint;

use super::fd::Socket;
use super::flow::{Endpoint, UNSPECIFIED};
use super::slot::{Kind, Owner};
use super::waiting::Subject;
use super::{Fd, Readiness, Received, Stack};
use crate::trace::{Call, Observer, Outcome};
use crate::{Error, Result};

/// The longest UDP payload that an IPv4 packet can hold.
const MAX_PAYLOAD: usize = 65_507;
const UDP_HEADER: usize = 8;

impl<'a, O: Observer> Stack<'a, O> {
    /// `send(2)`: queues data for a connected socket; of a stream as much as there is room for, at least one octet.
    ///
    /// [`Error::WouldBlock`] where there is no room, [`Error::BrokenPipe`] after the end, [`Error::ConnectionReset`]
    /// once if the peer reset the connection, [`Error::NotConnected`] ([`Error::DestinationRequired`] for datagrams).
    pub fn send(&mut self, fd: Fd, data: &[u8]) -> Result<usize> {
        self.begin_call();
        let result = self.send_untold(fd, data);
        self.told(
            Some(fd),
            Call::Send { len: data.len() },
            result,
            Outcome::Octets,
        )
    }

    fn send_untold(&mut self, fd: Fd, data: &[u8]) -> Result<usize> {
        match self.descriptors.get(fd)?.socket {
            Socket::Datagram { peer, .. } => {
                let peer = peer.ok_or(Error::DestinationRequired)?;
                self.send_datagram(fd, data, UNSPECIFIED.addr, peer)
            }
            _ => self.send_stream(fd, data),
        }
    }

    /// `sendto(2)`: queues one datagram, whole or not at all. An unbound socket is bound to a port of its own.
    ///
    /// [`Error::MessageTooLong`] where it does not fit into the link's MTU or the socket's buffer,
    /// [`Error::AlreadyConnected`] for a stream.
    pub fn sendto(&mut self, fd: Fd, data: &[u8], to: SocketAddr) -> Result<usize> {
        self.begin_call();
        let result = self.sendto_untold(fd, data, to);
        self.told(
            Some(fd),
            Call::SendTo {
                len: data.len(),
                to,
            },
            result,
            Outcome::Octets,
        )
    }

    fn sendto_untold(&mut self, fd: Fd, data: &[u8], to: SocketAddr) -> Result<usize> {
        match self.descriptors.get(fd)?.socket {
            Socket::Datagram { .. } => {
                let to = self.destination(fd, to)?;
                self.send_datagram(fd, data, UNSPECIFIED.addr, to)
            }
            _ => self.stream_slot(fd).and(Err(Error::AlreadyConnected)),
        }
    }

    /// `sendmsg(2)` with `IP_PKTINFO`: as [`sendto`](Stack::sendto), from this address of the host's, such as the one that a
    /// question was sent to ([`Received::to`]). The unspecified address leaves the choice to the route.
    ///
    /// [`Error::AddrNotAvailable`] where it is not the host's, or the socket is bound to another one.
    pub fn send_from(
        &mut self,
        fd: Fd,
        data: &[u8],
        from: IpAddr,
        to: SocketAddr,
    ) -> Result<usize> {
        self.begin_call();
        let result = self.send_from_untold(fd, data, from, to);
        let call = Call::SendTo {
            len: data.len(),
            to,
        };
        self.told(Some(fd), call, result, Outcome::Octets)
    }

    fn send_from_untold(
        &mut self,
        fd: Fd,
        data: &[u8],
        from: IpAddr,
        to: SocketAddr,
    ) -> Result<usize> {
        let row = self.descriptors.get(fd)?;
        if !matches!(row.socket, Socket::Datagram { .. }) {
            return self.stream_slot(fd).and(Err(Error::AlreadyConnected));
        }
        let from = from.to_canonical();
        let bound = row.local.addr;
        let is_free = from.is_unspecified() || bound.is_unspecified() || bound == from;
        if !is_free || !from.is_unspecified() && !self.is_own(from) {
            return Err(Error::AddrNotAvailable);
        }
        let to = self.destination(fd, to)?;
        self.send_datagram(fd, data, from, to)
    }

    /// `recv(2)`: what has arrived; of a stream, 0 octets is the peer's FIN. A longer datagram is cut: only
    /// [`recvfrom`](Stack::recvfrom) tells.
    pub fn recv(&mut self, fd: Fd, buffer: &mut [u8]) -> Result<usize> {
        self.begin_call();
        let len = buffer.len();
        let result = self.recv_untold(fd, buffer);
        self.told(Some(fd), Call::Recv { len }, result, Outcome::Octets)
    }

    fn recv_untold(&mut self, fd: Fd, buffer: &mut [u8]) -> Result<usize> {
        match self.descriptors.get(fd)?.socket {
            Socket::Datagram { .. } => Ok(self.recv_datagram(fd, buffer, false)?.len),
            _ => self.recv_stream(fd, buffer, false),
        }
    }

    /// `recv(2)` with `MSG_PEEK`: what has arrived stays.
    pub fn peek(&mut self, fd: Fd, buffer: &mut [u8]) -> Result<usize> {
        self.begin_call();
        let len = buffer.len();
        let result = self.peek_untold(fd, buffer);
        self.told(Some(fd), Call::Peek { len }, result, Outcome::Octets)
    }

    fn peek_untold(&mut self, fd: Fd, buffer: &mut [u8]) -> Result<usize> {
        match self.descriptors.get(fd)?.socket {
            Socket::Datagram { .. } => Ok(self.recv_datagram(fd, buffer, true)?.len),
            _ => self.recv_stream(fd, buffer, true),
        }
    }

    /// `recvfrom(2)`: one datagram, who sent it, and how long it was if the buffer was too short for it.
    /// Of a stream, what `recv` would give, and the peer.
    pub fn recvfrom(&mut self, fd: Fd, buffer: &mut [u8]) -> Result<Received> {
        self.begin_call();
        let len = buffer.len();
        let result = self.recvfrom_untold(fd, buffer);
        self.told(Some(fd), Call::RecvFrom { len }, result, |received| {
            Outcome::Datagram(received.len, received.from)
        })
    }

    fn recvfrom_untold(&mut self, fd: Fd, buffer: &mut [u8]) -> Result<Received> {
        self.receive(fd, buffer, false)
    }

    /// `recvfrom(2)` with `MSG_PEEK`: the datagram stays.
    pub fn peekfrom(&mut self, fd: Fd, buffer: &mut [u8]) -> Result<Received> {
        self.begin_call();
        let len = buffer.len();
        let result = self.peekfrom_untold(fd, buffer);
        self.told(Some(fd), Call::Peek { len }, result, |received| {
            Outcome::Datagram(received.len, received.from)
        })
    }

    fn peekfrom_untold(&mut self, fd: Fd, buffer: &mut [u8]) -> Result<Received> {
        self.receive(fd, buffer, true)
    }

    fn receive(&mut self, fd: Fd, buffer: &mut [u8], peek: bool) -> Result<Received> {
        let row = self.descriptors.get(fd)?;
        if let Socket::Datagram { .. } = row.socket {
            return self.recv_datagram(fd, buffer, peek);
        }
        let domain = row.domain;
        let slot = self.stream_slot(fd)?;
        let len = self.recv_stream(fd, buffer, peek)?;
        // Not `getpeername`: what has arrived, and the end, have a sender when the connection has none any more.
        let connection = self.slots[usize::from(slot)].connection();
        let flow = connection.ok_or(Error::NotConnected)?.flow;
        Ok(Received {
            len,
            size: len,
            from: flow.remote.to_socket_addr(domain),
            to: flow.local.to_socket_addr(domain),
        })
    }

    pub(super) fn open_datagram(&mut self, slot: u16, descriptor: u16) {
        let place = &mut self.slots[usize::from(slot)];
        place.kind = Kind::Datagram {
            owner: Owner::Descriptor(descriptor),
            to: UNSPECIFIED.addr,
            queued: false,
            refused: false,
        };
        if let Some(socket) = place.udp() {
            socket.close();
            socket.set_hop_limit(None);
        }
    }

    pub(super) fn bind_datagram(&mut self, slot: u16, port: u16) {
        if let Some(socket) = self.slots[usize::from(slot)].udp() {
            // The heart has matched the address before smoltcp sees the datagram.
            let _ = socket.bind(IpListenEndpoint { addr: None, port });
        }
    }

    pub(super) fn connect_datagram(&mut self, index: u16, remote: Endpoint) -> Result<()> {
        if self.is_broadcast(remote.addr) {
            return Err(Error::PermissionDenied);
        }
        let local = self.descriptors.peek(index).local;
        let route = self.route(local.addr, remote.addr)?;
        if local.port == 0 {
            self.bind_to(index, local)?;
        }
        let row = self.descriptors.row(index);
        row.local.addr = route.source;
        if let Socket::Datagram { peer, .. } = &mut row.socket {
            *peer = Some(remote);
        }
        Ok(())
    }

    fn send_datagram(&mut self, fd: Fd, data: &[u8], from: IpAddr, to: Endpoint) -> Result<usize> {
        let row = self.descriptors.get_mut(fd)?;
        let Socket::Datagram { slot, .. } = row.socket else {
            return Err(Error::NotSupported);
        };
        if to.port == 0 {
            return Err(Error::InvalidArgument);
        }
        if let Some(error) = row.error.take() {
            return Err(error);
        }
        let local = row.local;
        if self.is_broadcast(to.addr) {
            return Err(Error::PermissionDenied);
        }
        let from = if from.is_unspecified() {
            local.addr
        } else {
            from
        };
        let route = self.route(from, to.addr)?;
        let ip_header = if to.addr.is_ipv4() { 20 } else { 40 };
        let longest = MAX_PAYLOAD.min(route.mtu.saturating_sub(ip_header + UDP_HEADER));
        if local.port == 0 {
            self.bind_to(fd.index, local)?;
        }
        let place = &mut self.slots[usize::from(slot)];
        let elsewhere = place.interface != route.interface;
        // One queue a socket, and a queue leaves by one interface: another destination waits until it is empty.
        let waits = elsewhere && matches!(place.kind, Kind::Datagram { queued: true, .. });
        let Some(socket) = place.udp() else {
            return Err(Error::NotSupported);
        };
        if data.len() > longest.min(socket.payload_send_capacity()) {
            return Err(Error::MessageTooLong);
        }
        let (Some(remote), Some(source)) = (to.to_smoltcp(), super::flow::to_smoltcp(route.source))
        else {
            return Err(Error::AddressFamilyNotSupported);
        };
        let metadata = UdpMetadata {
            endpoint: remote,
            local_address: Some(source),
            meta: PacketMeta::default(),
        };
        let is_queued = !waits && socket.send_slice(data, metadata).is_ok();
        if let Kind::Datagram {
            queued,
            refused,
            to: last,
            ..
        } = &mut place.kind
        {
            *queued |= is_queued;
            *refused = !is_queued;
            *last = to.addr;
        }
        if !is_queued {
            return Err(Error::WouldBlock);
        }
        if elsewhere {
            self.unschedule(slot);
            self.slots[usize::from(slot)].interface = route.interface;
        }
        self.make_due(slot);
        Ok(data.len())
    }

    fn recv_datagram(&mut self, fd: Fd, buffer: &mut [u8], peek: bool) -> Result<Received> {
        let row = self.descriptors.get_mut(fd)?;
        let Socket::Datagram { slot, .. } = row.socket else {
            return Err(Error::NotSupported);
        };
        if let Some(error) = row.error.take() {
            return Err(error);
        }
        let (domain, mut local) = (row.domain, row.local);
        let Some(socket) = self.slots[usize::from(slot)].udp() else {
            return Err(Error::NotSupported);
        };
        let (payload, metadata) = if peek {
            socket
                .peek()
                .map(|(payload, metadata)| (payload, *metadata))
        } else {
            socket.recv()
        }
        .map_err(|_| Error::WouldBlock)?;
        let len = payload.len().min(buffer.len());
        buffer[..len].copy_from_slice(&payload[..len]);
        if let Some(address) = metadata.local_address {
            local.addr = address.into();
        }
        Ok(Received {
            len,
            size: payload.len(),
            from: Endpoint::from(metadata.endpoint).to_socket_addr(domain),
            to: local.to_socket_addr(domain),
        })
    }

    pub(super) fn datagram_readiness(&self, slot: u16) -> Readiness {
        let place = &self.slots[usize::from(slot)];
        let refused = matches!(place.kind, Kind::Datagram { refused: true, .. });
        place.udp_ref().map_or(Readiness::NONE, |socket| Readiness {
            readable: socket.can_recv(),
            writable: socket.can_send() && !refused,
            ..Readiness::NONE
        })
    }

    /// After a datagram arrived or left: `progress` where one left, `drained` where none waits any more.
    pub(super) fn settle_datagram(&mut self, slot: u16, progress: bool, drained: bool) {
        let Kind::Datagram {
            owner,
            queued,
            refused,
            ..
        } = &mut self.slots[usize::from(slot)].kind
        else {
            return;
        };
        *queued &= !drained;
        *refused &= !(progress || drained);
        let (owner, queued) = (*owner, *queued);
        match owner {
            Owner::Descriptor(descriptor) => self.wake_descriptor(descriptor),
            Owner::Orphan if !queued => self.release_datagram(slot),
            _ => {}
        }
    }

    /// An error that concerns what a datagram socket sent.
    pub(super) fn datagram_error(&mut self, slot: u16, error: Error) {
        if let Kind::Datagram {
            owner: Owner::Descriptor(descriptor),
            ..
        } = self.slots[usize::from(slot)].kind
        {
            self.descriptors.row(descriptor).error = Some(error);
            self.wake_descriptor(descriptor);
        }
    }

    /// What is queued still leaves, then the slot is free.
    pub(super) fn close_datagram(&mut self, slot: u16) {
        let place = &mut self.slots[usize::from(slot)];
        if let Kind::Datagram { owner, .. } = &mut place.kind {
            *owner = Owner::Orphan;
        }
        self.settle_datagram(slot, false, false);
    }

    fn release_datagram(&mut self, slot: u16) {
        self.unschedule(slot);
        let place = &mut self.slots[usize::from(slot)];
        place.kind = Kind::Datagram {
            owner: Owner::Free,
            to: UNSPECIFIED.addr,
            queued: false,
            refused: false,
        };
        if let Some(socket) = place.udp() {
            socket.close();
        }
        place.forget_neighbor();
        self.free_datagrams.push_back(&mut self.members, slot);
        self.wakers.wake(Subject::Drained);
    }
}
