//! The calls of datagram sockets, and `send`/`recv`, which both types have.

use core::net::{self, SocketAddr};

use super::datagram::{Content, Envelope, UDP_HEADER, fits, gather, length};
use super::fd::Socket;
use super::flow::{Endpoint, UNSPECIFIED};
use super::interface::{LOOPBACK, Route};
use super::ip::{self, IpAddr};
use super::option::Options;
use super::{Fd, InterfaceId, Received, Stack, Type};
use crate::trace::{Call, Observer, Outcome};
use crate::{Error, Result};

/// What [`sendmsg`](Stack::sendmsg) sends: data in one or several parts, and its ancillary data.
///
/// ```
/// use glasstack::stack::Message;
///
/// let parts: [&[u8]; 2] = [&[1, 2], b"body"];
/// let message = Message::new(&parts)
///     .to("10.0.0.2:9999".parse().unwrap())
///     .hop_limit(1);
/// # let _ = message;
/// ```
#[derive(Debug, Clone, Copy)]
pub struct Message<'m> {
    data: &'m [&'m [u8]],
    to: Option<SocketAddr>,
    from: Option<net::IpAddr>,
    interface: Option<InterfaceId>,
    hop_limit: Option<u8>,
    traffic_class: Option<u8>,
}

impl<'m> Message<'m> {
    /// These parts, one behind the other, to the socket's peer, as its options say.
    pub const fn new(data: &'m [&'m [u8]]) -> Message<'m> {
        Message {
            data,
            to: None,
            from: None,
            interface: None,
            hop_limit: None,
            traffic_class: None,
        }
    }

    /// From where, if the caller says. An address of a family that this build has not is none of the host's.
    fn source(&self) -> Result<Option<IpAddr>> {
        let named = self.from.map(|from| from.to_canonical());
        match named.map(ip::inward) {
            Some(Err(_)) if named.is_some_and(|from| from.is_unspecified()) => Ok(None),
            Some(Err(_)) => Err(Error::AddrNotAvailable),
            known => known.transpose(),
        }
    }

    /// Whereto.
    pub const fn to(mut self, to: SocketAddr) -> Message<'m> {
        self.to = Some(to);
        self
    }

    /// From which of the host's addresses (`IP_PKTINFO`, `IPV6_PKTINFO`); the unspecified one leaves it to the route.
    pub const fn from(mut self, from: net::IpAddr) -> Message<'m> {
        self.from = Some(from);
        self
    }

    /// Over which interface (`IP_PKTINFO`, `IPV6_PKTINFO`).
    pub const fn interface(mut self, interface: InterfaceId) -> Message<'m> {
        self.interface = Some(interface);
        self
    }

    /// Hops that it may take (`IP_TTL`, `IPV6_HOPLIMIT`); 0 does not leave this host.
    pub const fn hop_limit(mut self, hops: u8) -> Message<'m> {
        self.hop_limit = Some(hops);
        self
    }

    /// Its type of service or traffic class (`IP_TOS`, `IPV6_TCLASS`).
    pub const fn traffic_class(mut self, traffic_class: u8) -> Message<'m> {
        self.traffic_class = Some(traffic_class);
        self
    }
}

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
                self.send_datagram(fd, &Message::new(&[data]), peer)
            }
            _ => self.send_stream(fd, data),
        }
    }

    /// `sendto(2)`: queues one datagram, whole or not at all. An unbound socket is bound to a port of its own. A datagram
    /// that is longer than the link takes leaves in fragments. To an IPv6 address of a link's own the scope says which link:
    /// the [index](InterfaceId::index) of its interface.
    ///
    /// [`Error::MessageTooLong`] where it does not fit into a packet or the socket's buffer,
    /// [`Error::AlreadyConnected`] for a stream.
    pub fn sendto(&mut self, fd: Fd, data: &[u8], to: SocketAddr) -> Result<usize> {
        self.sendmsg(fd, &Message::new(&[data]).to(to))
    }

    /// `sendmsg(2)` with `IP_PKTINFO`: as [`sendto`](Stack::sendto), from this address of the host's, such as the one that a
    /// question was sent to ([`Received::to`]). The unspecified address leaves the choice to the route.
    ///
    /// [`Error::AddrNotAvailable`] where it is not the host's, or the socket is bound to another one.
    pub fn send_from(
        &mut self,
        fd: Fd,
        data: &[u8],
        from: net::IpAddr,
        to: SocketAddr,
    ) -> Result<usize> {
        self.sendmsg(fd, &Message::new(&[data]).to(to).from(from))
    }

    /// `sendmsg(2)`: what is to be sent in parts, whereto, and what [else](Message) is to be said of it. Of a connected
    /// stream the parts follow each other, as far as there is room.
    ///
    /// # Errors
    /// As [`send`](Stack::send) without a destination, else as [`sendto`](Stack::sendto); [`Error::AddrNotAvailable`] where
    /// the source is not the host's, or the socket is bound to another one.
    pub fn sendmsg(&mut self, fd: Fd, message: &Message<'_>) -> Result<usize> {
        self.begin_call();
        let result = self.sendmsg_untold(fd, message);
        let len = length(message.data);
        let call = match message.to {
            Some(to) => Call::SendTo { len, to },
            None => Call::Send { len },
        };
        self.told(Some(fd), call, result, Outcome::Octets)
    }

    fn sendmsg_untold(&mut self, fd: Fd, message: &Message<'_>) -> Result<usize> {
        let row = self.descriptors.get(fd)?;
        let Socket::Datagram { peer, .. } = row.socket else {
            return match message.to {
                Some(_) => self.stream_slot(fd).and(Err(Error::AlreadyConnected)),
                None => self.send_parts(fd, message.data),
            };
        };
        if let Some(from) = message.source()? {
            let bound = row.local.addr;
            let is_free = from.is_unspecified() || bound.is_unspecified() || bound == from;
            if !is_free || !from.is_unspecified() && !self.is_own(from) {
                return Err(Error::AddrNotAvailable);
            }
        }
        let to = match message.to {
            Some(to) => self.destination(fd, to)?,
            None => peer.ok_or(Error::DestinationRequired)?,
        };
        let scope = match message.to {
            Some(SocketAddr::V6(v6)) => u8::try_from(v6.scope_id()).ok(),
            _ => None,
        };
        let scope = scope.filter(|scope| *scope != 0).map(InterfaceId);
        let message = Message {
            interface: message.interface.or(scope),
            ..*message
        };
        self.send_datagram(fd, &message, to)
    }

    /// Sends the parts of a stream one behind the other.
    fn send_parts(&mut self, fd: Fd, parts: &[&[u8]]) -> Result<usize> {
        let mut sent = 0;
        for part in parts.iter().filter(|part| !part.is_empty()) {
            match self.send_stream(fd, part) {
                Ok(len) => sent += len,
                Err(error) if sent == 0 => return Err(error),
                Err(_) => break,
            }
        }
        match sent {
            0 => self.send_stream(fd, &[]),
            sent => Ok(sent),
        }
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
            Socket::Datagram { .. } => Ok(self.recv_datagram(fd, &mut [buffer], false)?.len),
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
            Socket::Datagram { .. } => Ok(self.recv_datagram(fd, &mut [buffer], true)?.len),
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
        self.receive(fd, &mut [buffer], false)
    }

    /// `recvmsg(2)`: as [`recvfrom`](Stack::recvfrom), into several buffers, the first of them first.
    pub fn recvmsg(&mut self, fd: Fd, buffers: &mut [&mut [u8]]) -> Result<Received> {
        self.begin_call();
        let len = buffers.iter().map(|buffer| buffer.len()).sum();
        let result = self.receive(fd, buffers, false);
        self.told(Some(fd), Call::RecvFrom { len }, result, |received| {
            Outcome::Datagram(received.len, received.from)
        })
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
        self.receive(fd, &mut [buffer], true)
    }

    fn receive(&mut self, fd: Fd, buffers: &mut [&mut [u8]], peek: bool) -> Result<Received> {
        let row = self.descriptors.get(fd)?;
        if let Socket::Datagram { .. } = row.socket {
            return self.recv_datagram(fd, buffers, peek);
        }
        let domain = row.domain;
        let slot = self.stream_slot(fd)?;
        let mut len = 0;
        let mut is_first = true;
        for buffer in buffers.iter_mut() {
            let wanted = buffer.len();
            match self.recv_stream(fd, buffer, peek) {
                Ok(got) => {
                    len += got;
                    if got < wanted || peek {
                        break;
                    }
                }
                Err(error) if is_first => return Err(error),
                Err(_) => break,
            }
            is_first = false;
        }
        // Not `getpeername`: what has arrived, and the end, have a sender when the connection has none any more.
        let place = &self.slots[usize::from(slot)];
        let flow = place.connection().ok_or(Error::NotConnected)?.flow;
        Ok(Received {
            len,
            size: len,
            from: flow.remote.to_socket_addr(domain),
            to: flow.local.to_socket_addr(domain),
            interface: InterfaceId(place.interface),
            hop_limit: 0,
            traffic_class: 0,
        })
    }

    pub(super) fn connect_datagram(&mut self, index: u16, remote: Endpoint) -> Result<()> {
        let row = self.descriptors.peek(index);
        let (local, options, kind) = (row.local, row.options, row.kind());
        if self.is_broadcast(remote.addr) && !options.broadcast {
            return Err(Error::PermissionDenied);
        }
        let on = self.interface_for(remote.addr, None, &options);
        let route = self.route_over(on, local.addr, remote.addr)?;
        if local.port == 0 && kind == Type::Datagram {
            self.bind_to(index, local)?;
        }
        let row = self.descriptors.row(index);
        if !row.local.addr.is_multicast() {
            row.local.addr = route.source;
        }
        if let Socket::Datagram { peer, .. } = &mut row.socket {
            *peer = Some(remote);
        }
        Ok(())
    }

    /// The interface that an application chose for a destination.
    fn interface_for(
        &self,
        to: IpAddr,
        chosen: Option<InterfaceId>,
        options: &Options,
    ) -> Option<u8> {
        let for_groups = options.multicast_interface.filter(|_| to.is_multicast());
        chosen.or(for_groups).map(|interface| interface.0)
    }

    fn send_datagram(&mut self, fd: Fd, message: &Message<'_>, to: Endpoint) -> Result<usize> {
        let row = self.descriptors.get_mut(fd)?;
        let Socket::Datagram { slot, protocol, .. } = row.socket else {
            return Err(Error::NotSupported);
        };
        if to.port == 0 && protocol.is_none() {
            return Err(Error::InvalidArgument);
        }
        if let Some(error) = row.error.take() {
            return Err(error);
        }
        let (local, options) = (row.local, row.options);
        let is_group = to.addr.is_multicast();
        let is_broadcast = self.is_broadcast(to.addr);
        if is_broadcast && !options.broadcast {
            return Err(Error::PermissionDenied);
        }
        // Who is bound to a group hears there, and speaks from an address of its own.
        let bound = match local.addr {
            addr if addr.is_multicast() || self.is_broadcast(addr) => UNSPECIFIED.addr,
            addr => addr,
        };
        let from = message.source()?.unwrap_or(bound);
        let from = if from.is_unspecified() { bound } else { from };
        let on = self.interface_for(to.addr, message.interface, &options);
        let route = self.route_over(on, from, to.addr)?;
        if local.port == 0 && protocol.is_none() {
            self.bind_to(fd.index, local)?;
        }
        let len = length(message.data);
        let envelope = Envelope {
            from: Endpoint {
                addr: route.source,
                port: self.descriptors.row(fd.index).local.port,
            },
            to,
            interface: route.interface.into(),
            hop_limit: message.hop_limit.unwrap_or(match is_group {
                true => options.multicast_hop_limit,
                false => options.hop_limit,
            }),
            traffic_class: message.traffic_class.unwrap_or(options.type_of_service),
            content: match protocol {
                None => Content::Udp,
                Some(protocol) => protocol.content(to.addr, &options),
            },
        };
        let path = self.path_mtu(to.addr);
        let place = &mut self.slots[usize::from(slot)];
        let elsewhere = place.interface != route.interface;
        let Some(datagrams) = place.datagrams() else {
            return Err(Error::NotSupported);
        };
        if len
            > envelope
                .longest(&route, path)
                .min(datagrams.sending.payload_capacity())
        {
            return Err(Error::MessageTooLong);
        }
        if !envelope.takes(message.data) {
            return Err(Error::InvalidArgument);
        }
        if envelope.hop_limit == 0 {
            // It may not leave this host (RFC 1112 §6.1).
            if is_group && options.multicast_loop {
                self.loop_back(&envelope, message.data);
            }
            return Ok(len);
        }
        // One queue a socket, and a queue leaves by one interface: another destination waits until it is empty.
        let limit = options.send_buffer;
        let is_over = limit.is_some_and(|limit| !fits(&datagrams.sending, len, limit));
        let waits = is_over || elsewhere && !datagrams.sending.is_empty();
        let queued = match waits {
            true => None,
            false => datagrams.sending.enqueue(len, envelope).ok(),
        };
        let is_queued = queued.is_some();
        if let Some(place) = queued {
            gather(message.data, place);
            envelope.complete(place, &mut self.secret);
        }
        datagrams.refused = !is_queued;
        if !is_queued {
            return Err(Error::WouldBlock);
        }
        if elsewhere {
            self.unschedule(slot);
            self.slots[usize::from(slot)].interface = route.interface;
        }
        self.make_due(slot);
        if is_broadcast || is_group && options.multicast_loop {
            self.loop_back(&envelope, message.data);
        }
        Ok(len)
    }

    fn recv_datagram(&mut self, fd: Fd, buffers: &mut [&mut [u8]], peek: bool) -> Result<Received> {
        let row = self.descriptors.get_mut(fd)?;
        let Socket::Datagram { slot, .. } = row.socket else {
            return Err(Error::NotSupported);
        };
        if let Some(error) = row.error.take() {
            return Err(error);
        }
        let domain = row.domain;
        let Some(datagrams) = self.slots[usize::from(slot)].datagrams() else {
            return Err(Error::NotSupported);
        };
        let (envelope, payload) = match peek {
            true => datagrams
                .received
                .peek()
                .map(|(envelope, payload)| (*envelope, payload)),
            false => {
                let received = datagrams.received.dequeue();
                received.map(|(envelope, payload)| (envelope, &*payload))
            }
        }
        .map_err(|_| Error::WouldBlock)?;
        let mut len = 0;
        for buffer in buffers {
            let rest = payload.get(len..).unwrap_or_default();
            gather(&[rest], buffer);
            len += rest.len().min(buffer.len());
        }
        Ok(Received {
            len,
            size: payload.len(),
            from: envelope
                .from
                .to_socket_addr_on(domain, envelope.interface.get()),
            to: envelope
                .to
                .to_socket_addr_on(domain, envelope.interface.get()),
            interface: InterfaceId(envelope.interface.get()),
            hop_limit: envelope.hop_limit,
            traffic_class: envelope.traffic_class,
        })
    }
}

impl Envelope {
    /// The longest payload that can be sent.
    fn longest(&self, route: &Route, path: Option<u16>) -> usize {
        let header = match self.to.addr {
            IpAddr::V4(_) => 20,
            IpAddr::V6(_) => 40,
        };
        let transport = if self.content == Content::Udp {
            UDP_HEADER
        } else {
            0
        };
        // In IPv6 the header is not counted.
        let packet = usize::from(u16::MAX) - if self.to.addr.is_ipv4() { header } else { 0 };
        let is_cut = route.interface != LOOPBACK && cfg!(feature = "fragments");
        match (self.content.has_header(), is_cut) {
            // What the caller has given a header, nobody else cuts (as Linux).
            (true, _) => route.mtu,
            // The loopback carries what it can, and cuts nothing.
            (_, false) => {
                let mtu = path.map_or(route.mtu, |path| route.mtu.min(path.into()));
                packet.min(mtu.saturating_sub(header)) - transport
            }
            _ => packet - transport,
        }
    }
}
