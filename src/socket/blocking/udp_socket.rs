//! A UDP socket.

use super::{ToSocketAddrs, address::each, handle::Handle};
use crate::{
    Error, Fd, Result, Stack,
    host::Host,
    socket::call,
    stack::{
        InterfaceId, Message, Received, Type,
        option::{
            Broadcast, MulticastHopLimit, MulticastInterface, MulticastLoop, ReceiveTimeout,
            SendTimeout, SettableOption, SocketOption,
        },
    },
    trace::Observer,
};
use std::{
    fmt, io,
    net::{Ipv4Addr, Ipv6Addr, SocketAddr},
    sync::Arc,
    time::Duration,
};

/// A UDP socket: `std::net::UdpSocket` on a [`Host`]. It closes when it and its clones are dropped.
pub struct UdpSocket(Arc<Handle>);

impl UdpSocket {
    /// Takes the first of the addresses that is free. Port 0 picks one; `[::]` takes IPv4 as well.
    ///
    /// # Errors
    /// `AddrInUse`, `AddrNotAvailable`; the error of the last address.
    pub fn bind(host: &Host, address: impl ToSocketAddrs) -> io::Result<UdpSocket> {
        each(host, address, |address| {
            UdpSocket::take(Handle::open(host, address, Type::Datagram)?, address)
        })
    }

    /// As [`bind`](UdpSocket::bind), but `[::]` leaves IPv4 to another socket (`IPV6_V6ONLY`, RFC 3493 §5.3). Not in `std`.
    ///
    /// # Errors
    /// Those of [`bind`](UdpSocket::bind), and `InvalidInput` for an IPv4 address.
    pub fn bind_only_v6(host: &Host, address: impl ToSocketAddrs) -> io::Result<UdpSocket> {
        each(host, address, |address| {
            let handle = Handle::open_only_v6(host, address, Type::Datagram)?;
            UdpSocket::take(handle, address)
        })
    }

    pub(super) fn of(handle: Handle) -> UdpSocket {
        UdpSocket(Arc::new(handle))
    }

    fn take(handle: Handle, address: SocketAddr) -> io::Result<UdpSocket> {
        handle.call(|stack, fd| stack.bind(fd, address))?;
        Ok(UdpSocket(Arc::new(handle)))
    }

    /// Sends a datagram to the first of the addresses, waiting for room in the queue.
    ///
    /// # Errors
    /// `MessageTooLong` (as `ErrorKind::Other`); `NetworkUnreachable`; a pending error, such as `ConnectionRefused`.
    pub fn send_to(&self, data: &[u8], address: impl ToSocketAddrs) -> io::Result<usize> {
        let Some(to) = address.to_socket_addrs(self.0.host())?.next() else {
            return Err(io::Error::new(
                io::ErrorKind::InvalidInput,
                "no addresses to send data to",
            ));
        };
        self.0.write(call::send_to(self.0.inner(), data, to))
    }

    /// Sends a datagram in parts, with what else is to be said of it. Not in `std`; `sendmsg(2)`.
    ///
    /// # Errors
    /// Those of [`send_to`](UdpSocket::send_to); `AddrNotAvailable` where the source is not the host's, or the socket is bound
    /// to another one.
    pub fn send_msg(&self, message: &Message<'_>) -> io::Result<usize> {
        self.0.write(call::send_msg(self.0.inner(), message))
    }

    /// Waits for a datagram: how many bytes of it were written into `buffer` (the rest is lost), and its sender.
    ///
    /// # Errors
    /// `WouldBlock` after the read timeout or in nonblocking mode; a pending error, such as `ConnectionRefused`.
    pub fn recv_from(&self, buffer: &mut [u8]) -> io::Result<(usize, SocketAddr)> {
        let received = self.recv_message(buffer)?;
        Ok((received.len, received.from))
    }

    /// As [`recv_from`](UdpSocket::recv_from), and says how long the datagram was: it was cut if `size` is more than `len`.
    /// Not in `std`; `recvmsg(2)`'s `MSG_TRUNC`.
    ///
    /// # Errors
    /// Those of [`recv_from`](UdpSocket::recv_from).
    pub fn recv_message(&self, buffer: &mut [u8]) -> io::Result<Received> {
        self.0.read(call::recv_from(self.0.inner(), buffer))
    }

    /// As [`recv_message`](UdpSocket::recv_message), into several buffers, the first of them first. Not in `std`; `recvmsg(2)`.
    ///
    /// # Errors
    /// Those of [`recv_from`](UdpSocket::recv_from).
    pub fn recv_msg(&self, buffers: &mut [&mut [u8]]) -> io::Result<Received> {
        self.0.read(call::recv_msg(self.0.inner(), buffers))
    }

    /// As [`recv_from`](UdpSocket::recv_from), leaving the datagram in the queue.
    ///
    /// # Errors
    /// Those of [`recv_from`](UdpSocket::recv_from).
    pub fn peek_from(&self, buffer: &mut [u8]) -> io::Result<(usize, SocketAddr)> {
        let received = self.0.read(call::peek_from(self.0.inner(), buffer))?;
        Ok((received.len, received.from))
    }

    /// Fixes the peer: `send` sends to it, and only its datagrams are received. Nothing is sent.
    ///
    /// # Errors
    /// `NetworkUnreachable`; the error of the last address.
    pub fn connect(&self, address: impl ToSocketAddrs) -> io::Result<()> {
        each(self.0.host(), address, |address| {
            self.0.call(|stack, fd| stack.connect(fd, address))
        })
    }

    /// Sends a datagram to the peer that [`connect`](UdpSocket::connect) fixed.
    ///
    /// # Errors
    /// Those of [`send_to`](UdpSocket::send_to); without a peer, one that says so (as `ErrorKind::Other`).
    pub fn send(&self, data: &[u8]) -> io::Result<usize> {
        self.0.write(call::write(self.0.inner(), data))
    }

    /// As [`recv_from`](UdpSocket::recv_from), without the sender.
    ///
    /// # Errors
    /// Those of [`recv_from`](UdpSocket::recv_from).
    pub fn recv(&self, buffer: &mut [u8]) -> io::Result<usize> {
        self.0.read(call::read(self.0.inner(), buffer))
    }

    /// As [`recv`](UdpSocket::recv), leaving the datagram in the queue.
    ///
    /// # Errors
    /// Those of [`recv_from`](UdpSocket::recv_from).
    pub fn peek(&self, buffer: &mut [u8]) -> io::Result<usize> {
        self.0.read(call::peek(self.0.inner(), buffer))
    }

    /// This socket's address and port.
    ///
    /// # Errors
    /// None but that of a host that ended.
    pub fn local_addr(&self) -> io::Result<SocketAddr> {
        self.0.local_addr()
    }

    /// The peer that [`connect`](UdpSocket::connect) fixed.
    ///
    /// # Errors
    /// `NotConnected` without one.
    pub fn peer_addr(&self) -> io::Result<SocketAddr> {
        self.0.peer_addr()
    }

    /// Its descriptor, by which [`poll`](super::poll()) knows it; the same for all clones. Not in `std`, whose descriptors are the
    /// kernel's. Stale when the last of them is dropped.
    pub fn fd(&self) -> Fd {
        self.0.fd()
    }

    /// Another handle of the same socket.
    ///
    /// # Errors
    /// None; the `Result` is `std`'s.
    pub fn try_clone(&self) -> io::Result<UdpSocket> {
        Ok(UdpSocket(self.0.clone()))
    }

    /// How long a receive waits before it fails with `WouldBlock` (as `std`'s on Unix); `None` is forever.
    ///
    /// # Errors
    /// `InvalidInput` for a timeout of zero.
    pub fn set_read_timeout(&self, timeout: Option<Duration>) -> io::Result<()> {
        self.0.set_timeout(ReceiveTimeout, timeout)
    }

    /// See [`set_read_timeout`](UdpSocket::set_read_timeout).
    ///
    /// # Errors
    /// None; the `Result` is `std`'s.
    pub fn read_timeout(&self) -> io::Result<Option<Duration>> {
        self.0.get(ReceiveTimeout)
    }

    /// How long a send waits for room before it fails with `WouldBlock` (as `std`'s on Unix); `None` is forever.
    ///
    /// # Errors
    /// `InvalidInput` for a timeout of zero.
    pub fn set_write_timeout(&self, timeout: Option<Duration>) -> io::Result<()> {
        self.0.set_timeout(SendTimeout, timeout)
    }

    /// See [`set_write_timeout`](UdpSocket::set_write_timeout).
    ///
    /// # Errors
    /// None; the `Result` is `std`'s.
    pub fn write_timeout(&self) -> io::Result<Option<Duration>> {
        self.0.get(SendTimeout)
    }

    /// Whether calls fail with `WouldBlock` where they would wait, for all clones.
    ///
    /// # Errors
    /// None; the `Result` is `std`'s.
    pub fn set_nonblocking(&self, nonblocking: bool) -> io::Result<()> {
        self.0.set_nonblocking(nonblocking);
        Ok(())
    }

    /// The IPv4 time to live, or the IPv6 hop limit, of what it sends: 1 to 255.
    ///
    /// # Errors
    /// `InvalidInput` outside of that.
    pub fn set_ttl(&self, ttl: u32) -> io::Result<()> {
        self.0.set_ttl(ttl)
    }

    /// See [`set_ttl`](UdpSocket::set_ttl).
    ///
    /// # Errors
    /// None but that of a host that ended.
    pub fn ttl(&self) -> io::Result<u32> {
        self.0.ttl()
    }

    /// Whether it may send to broadcast addresses; off unless set.
    ///
    /// # Errors
    /// None but that of a host that ended.
    pub fn set_broadcast(&self, broadcast: bool) -> io::Result<()> {
        self.0.set(Broadcast, broadcast)
    }

    /// See [`set_broadcast`](UdpSocket::set_broadcast).
    ///
    /// # Errors
    /// None but that of a host that ended.
    pub fn broadcast(&self) -> io::Result<bool> {
        self.0.get(Broadcast)
    }

    /// Joins a group on the link that has this address of the host's; with `0.0.0.0`, on that which the route to the group
    /// takes. See [`Stack::join_group`].
    ///
    /// # Errors
    /// `InvalidInput` where it is no group, `AddrInUse` where the socket is in it already; without such a link or a route, one
    /// that says so (as `ErrorKind::Other`).
    pub fn join_multicast_v4(&self, multiaddr: &Ipv4Addr, interface: &Ipv4Addr) -> io::Result<()> {
        let group = (*multiaddr).into();
        self.0.call(|stack, fd| {
            let link = link_with(stack, *interface)?;
            stack.join_group(fd, group, link)
        })
    }

    /// Joins a group on the link of this [number](InterfaceId::index); with 0, on that which the route to the group takes.
    ///
    /// # Errors
    /// Those of [`join_multicast_v4`](UdpSocket::join_multicast_v4).
    pub fn join_multicast_v6(&self, multiaddr: &Ipv6Addr, interface: u32) -> io::Result<()> {
        let group = (*multiaddr).into();
        self.0
            .call(|stack, fd| stack.join_group(fd, group, link_numbered(interface)?))
    }

    /// Leaves a group. Closing the socket does it, too.
    ///
    /// # Errors
    /// `AddrNotAvailable` where the socket is not in it; those of [`join_multicast_v4`](UdpSocket::join_multicast_v4).
    pub fn leave_multicast_v4(&self, multiaddr: &Ipv4Addr, interface: &Ipv4Addr) -> io::Result<()> {
        let group = (*multiaddr).into();
        self.0.call(|stack, fd| {
            let link = link_with(stack, *interface)?;
            stack.leave_group(fd, group, link)
        })
    }

    /// Leaves a group. Closing the socket does it, too.
    ///
    /// # Errors
    /// Those of [`leave_multicast_v4`](UdpSocket::leave_multicast_v4).
    pub fn leave_multicast_v6(&self, multiaddr: &Ipv6Addr, interface: u32) -> io::Result<()> {
        let group = (*multiaddr).into();
        self.0
            .call(|stack, fd| stack.leave_group(fd, group, link_numbered(interface)?))
    }

    /// Whether sockets of this host that are in a group receive what this one sends to it. Default: they do. One option for
    /// both families, where a socket of the kernel's has two.
    ///
    /// # Errors
    /// None but that of a host that ended.
    pub fn set_multicast_loop_v4(&self, multicast_loop_v4: bool) -> io::Result<()> {
        self.0.set(MulticastLoop, multicast_loop_v4)
    }

    /// See [`set_multicast_loop_v4`](UdpSocket::set_multicast_loop_v4).
    ///
    /// # Errors
    /// None but that of a host that ended.
    pub fn multicast_loop_v4(&self) -> io::Result<bool> {
        self.0.get(MulticastLoop)
    }

    /// The same as [`set_multicast_loop_v4`](UdpSocket::set_multicast_loop_v4).
    ///
    /// # Errors
    /// None but that of a host that ended.
    pub fn set_multicast_loop_v6(&self, multicast_loop_v6: bool) -> io::Result<()> {
        self.0.set(MulticastLoop, multicast_loop_v6)
    }

    /// The same as [`multicast_loop_v4`](UdpSocket::multicast_loop_v4).
    ///
    /// # Errors
    /// None but that of a host that ended.
    pub fn multicast_loop_v6(&self) -> io::Result<bool> {
        self.0.get(MulticastLoop)
    }

    /// Hops of what it sends to groups of either family: 1 unless it is set, so that it stays on the link; with 0, in the host.
    ///
    /// # Errors
    /// `InvalidInput` above 255.
    pub fn set_multicast_ttl_v4(&self, multicast_ttl_v4: u32) -> io::Result<()> {
        let hops = u8::try_from(multicast_ttl_v4).map_err(|_| Error::InvalidArgument)?;
        self.0.set(MulticastHopLimit, hops)
    }

    /// See [`set_multicast_ttl_v4`](UdpSocket::set_multicast_ttl_v4).
    ///
    /// # Errors
    /// None but that of a host that ended.
    pub fn multicast_ttl_v4(&self) -> io::Result<u32> {
        self.0.get(MulticastHopLimit).map(u32::from)
    }

    /// By which link it sends to groups of either family; `None` leaves it to the route. Not in `std`.
    ///
    /// # Errors
    /// None but that of a host that ended.
    pub fn set_multicast_interface(&self, interface: Option<InterfaceId>) -> io::Result<()> {
        self.0.set(MulticastInterface, interface)
    }

    /// The pending error (`SO_ERROR`), taken.
    ///
    /// # Errors
    /// None but that of a host that ended.
    pub fn take_error(&self) -> io::Result<Option<io::Error>> {
        self.0.take_error()
    }

    /// `setsockopt(2)`, typed: see [`option`](crate::stack::option). Not in `std`.
    ///
    /// # Errors
    /// `InvalidInput` for a value out of its range.
    pub fn setsockopt<O: SettableOption>(&self, option: O, value: O::Value) -> io::Result<()> {
        self.0.set(option, value)
    }

    /// `getsockopt(2)`, typed: see [`option`](crate::stack::option). Not in `std`.
    ///
    /// # Errors
    /// That of the option, where it has one.
    pub fn getsockopt<O: SocketOption>(&self, option: O) -> io::Result<O::Value> {
        self.0.get(option)
    }
}

impl fmt::Debug for UdpSocket {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut debug = f.debug_struct("UdpSocket");
        if let Ok(address) = self.local_addr() {
            debug.field("addr", &address);
        }
        debug.field("fd", &self.0.fd()).finish()
    }
}

/// The link that has an address; none is meant by `0.0.0.0`.
fn link_with<O: Observer>(stack: &Stack<'_, O>, address: Ipv4Addr) -> Result<Option<InterfaceId>> {
    match address.is_unspecified() {
        true => Ok(None),
        false => stack.interface_of(address.into()).map(Some),
    }
}

/// The link of a number; none is meant by 0.
fn link_numbered(number: u32) -> Result<Option<InterfaceId>> {
    match number {
        0 => Ok(None),
        _ => InterfaceId::from_index(number)
            .map(Some)
            .ok_or(Error::NoDevice),
    }
}
