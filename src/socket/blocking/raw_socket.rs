//! A raw socket.

use super::{ToSocketAddrs, address::each, handle::Handle};
use crate::{
    Fd,
    host::Host,
    socket::call,
    stack::{
        Domain, InterfaceId, Message, Protocol, Received, Type,
        option::{ReceiveTimeout, SendTimeout, SettableOption, SocketOption},
    },
};
use std::{
    fmt, io,
    net::{IpAddr, SocketAddr},
    sync::Arc,
    time::Duration,
};

/// A raw socket (`raw(7)`) on a [`Host`]: sends IP packets of one protocol, and receives a copy of each that comes in. It
/// closes when it and its clones are dropped. Not in `std`; the names are those of its `UdpSocket`.
///
/// An address's port means nothing here: it is 0. What is received over IPv4 begins with the IP header; over IPv6 it does not
/// (RFC 3542 §3). [`HeaderIncluded`](crate::stack::option::HeaderIncluded) says whether what is sent does. Of ICMPv6 the
/// checksum is the stack's work, of other protocols the caller's.
///
/// ```
/// use glasstack::host::Host;
/// use glasstack::socket::blocking::{Domain, Protocol, RawSocket};
///
/// let host = Host::builder().start_loopback()?;
/// let socket = RawSocket::new(&host, Domain::Inet, Protocol(253))?; // for experiments (RFC 3692)
/// socket.send_to(b"Michael", "127.0.0.1:0")?;
/// let mut packet = [0; 64];
/// let (len, from) = socket.recv_from(&mut packet)?;
/// assert_eq!((packet[9], &packet[20..len]), (253, &b"Michael"[..]));
/// assert_eq!(from, "127.0.0.1:0".parse().unwrap());
/// # std::io::Result::Ok(())
/// ```
pub struct RawSocket(Arc<Handle>);

impl RawSocket {
    /// A socket for the packets of a protocol; of [`Protocol::RAW`], what is sent begins with its header, and nothing is
    /// received.
    ///
    /// # Errors
    /// `InvalidInput` for protocol 0; where sockets are used up, one that says so (as `ErrorKind::Other`).
    pub fn new(host: &Host, domain: Domain, protocol: Protocol) -> io::Result<RawSocket> {
        let handle = Handle::open_domain(host, domain, Type::Raw(protocol))?;
        Ok(RawSocket(Arc::new(handle)))
    }

    /// Only what is sent to this address is received, and it is the source of what is sent.
    ///
    /// # Errors
    /// `AddrNotAvailable`; `InvalidInput` where the socket is bound or connected already; the error of the last address.
    pub fn bind(&self, address: impl ToSocketAddrs) -> io::Result<()> {
        each(self.0.host(), address, |address| {
            self.0.call(|stack, fd| stack.bind(fd, address))
        })
    }

    /// Fixes the peer: `send` sends to it, and only what comes from there is received. Nothing is sent.
    ///
    /// # Errors
    /// `NetworkUnreachable`; the error of the last address.
    pub fn connect(&self, address: impl ToSocketAddrs) -> io::Result<()> {
        each(self.0.host(), address, |address| {
            self.0.call(|stack, fd| stack.connect(fd, address))
        })
    }

    /// Joins a group on a link; without one, on that which the route to the group takes.
    ///
    /// # Errors
    /// `AddrInUse` where the socket is in it already; `InvalidInput` for what is no group; without such a link, or where
    /// memberships are used up, one that says so (as `ErrorKind::Other`).
    pub fn join_multicast(&self, group: IpAddr, interface: Option<InterfaceId>) -> io::Result<()> {
        self.0
            .call(|stack, fd| stack.join_group(fd, group, interface))
    }

    /// Leaves a group. Closing the socket does it, too.
    ///
    /// # Errors
    /// `AddrNotAvailable` where the socket is not in it; without such a link, one that says so (as `ErrorKind::Other`).
    pub fn leave_multicast(&self, group: IpAddr, interface: Option<InterfaceId>) -> io::Result<()> {
        self.0
            .call(|stack, fd| stack.leave_group(fd, group, interface))
    }

    /// Sends a packet to the first of the addresses, waiting for room in the queue; a long one leaves in fragments.
    ///
    /// # Errors
    /// `MessageTooLong` (as `ErrorKind::Other`), with a header already where it is longer than the link takes; `InvalidInput`
    /// for a header that is none; `NetworkUnreachable`; `PermissionDenied` for a broadcast; a pending error, such as
    /// `HostUnreachable`.
    pub fn send_to(&self, data: &[u8], address: impl ToSocketAddrs) -> io::Result<usize> {
        let Some(to) = address.to_socket_addrs(self.0.host())?.next() else {
            return Err(io::Error::new(
                io::ErrorKind::InvalidInput,
                "no addresses to send data to",
            ));
        };
        self.0.write(call::send_to(self.0.inner(), data, to))
    }

    /// Sends a packet to the peer that [`connect`](RawSocket::connect) fixed.
    ///
    /// # Errors
    /// Those of [`send_to`](RawSocket::send_to); without a peer, one that says so (as `ErrorKind::Other`).
    pub fn send(&self, data: &[u8]) -> io::Result<usize> {
        self.0.write(call::write(self.0.inner(), data))
    }

    /// Sends a packet in parts, with what else is to be said of it (`sendmsg(2)`).
    ///
    /// # Errors
    /// Those of [`send`](RawSocket::send); `AddrNotAvailable` where the source is not the host's, or the socket is bound to
    /// another one.
    pub fn send_msg(&self, message: &Message<'_>) -> io::Result<usize> {
        self.0.write(call::send_msg(self.0.inner(), message))
    }

    /// Waits for a packet: how many bytes of it were written into `buffer` (the rest is lost), and its sender.
    ///
    /// # Errors
    /// `WouldBlock` after the read timeout or in nonblocking mode; a pending error, such as `HostUnreachable`.
    pub fn recv_from(&self, buffer: &mut [u8]) -> io::Result<(usize, SocketAddr)> {
        let received = self.recv_message(buffer)?;
        Ok((received.len, received.from))
    }

    /// As [`recv_from`](RawSocket::recv_from), and says how long the packet was, and what else is known of it.
    ///
    /// # Errors
    /// Those of [`recv_from`](RawSocket::recv_from).
    pub fn recv_message(&self, buffer: &mut [u8]) -> io::Result<Received> {
        self.0.read(call::recv_from(self.0.inner(), buffer))
    }

    /// As [`recv_message`](RawSocket::recv_message), into several buffers, the first of them first (`recvmsg(2)`).
    ///
    /// # Errors
    /// Those of [`recv_from`](RawSocket::recv_from).
    pub fn recv_msg(&self, buffers: &mut [&mut [u8]]) -> io::Result<Received> {
        self.0.read(call::recv_msg(self.0.inner(), buffers))
    }

    /// As [`recv_from`](RawSocket::recv_from), without the sender.
    ///
    /// # Errors
    /// Those of [`recv_from`](RawSocket::recv_from).
    pub fn recv(&self, buffer: &mut [u8]) -> io::Result<usize> {
        self.0.read(call::read(self.0.inner(), buffer))
    }

    /// As [`recv_from`](RawSocket::recv_from), leaving the packet in the queue.
    ///
    /// # Errors
    /// Those of [`recv_from`](RawSocket::recv_from).
    pub fn peek_from(&self, buffer: &mut [u8]) -> io::Result<(usize, SocketAddr)> {
        let received = self.0.read(call::peek_from(self.0.inner(), buffer))?;
        Ok((received.len, received.from))
    }

    /// Its descriptor, as [`UdpSocket::fd`](super::UdpSocket::fd).
    pub fn fd(&self) -> Fd {
        self.0.fd()
    }

    /// This socket's address; the port is its protocol's number.
    ///
    /// # Errors
    /// None but that of a host that ended.
    pub fn local_addr(&self) -> io::Result<SocketAddr> {
        self.0.local_addr()
    }

    /// The peer that [`connect`](RawSocket::connect) fixed.
    ///
    /// # Errors
    /// `NotConnected` without one.
    pub fn peer_addr(&self) -> io::Result<SocketAddr> {
        self.0.peer_addr()
    }

    /// Another handle of the same socket.
    ///
    /// # Errors
    /// None; the `Result` is as that of `std`'s sockets.
    pub fn try_clone(&self) -> io::Result<RawSocket> {
        Ok(RawSocket(self.0.clone()))
    }

    /// How long a receive waits before it fails with `WouldBlock`; `None` is forever.
    ///
    /// # Errors
    /// `InvalidInput` for a timeout of zero.
    pub fn set_read_timeout(&self, timeout: Option<Duration>) -> io::Result<()> {
        self.0.set_timeout(ReceiveTimeout, timeout)
    }

    /// How long a send waits for room before it fails with `WouldBlock`; `None` is forever.
    ///
    /// # Errors
    /// `InvalidInput` for a timeout of zero.
    pub fn set_write_timeout(&self, timeout: Option<Duration>) -> io::Result<()> {
        self.0.set_timeout(SendTimeout, timeout)
    }

    /// Whether calls fail with `WouldBlock` where they would wait, for all clones.
    ///
    /// # Errors
    /// None; the `Result` is as that of `std`'s sockets.
    pub fn set_nonblocking(&self, nonblocking: bool) -> io::Result<()> {
        self.0.set_nonblocking(nonblocking);
        Ok(())
    }

    /// The pending error (`SO_ERROR`), taken.
    ///
    /// # Errors
    /// None but that of a host that ended.
    pub fn take_error(&self) -> io::Result<Option<io::Error>> {
        self.0.take_error()
    }

    /// `setsockopt(2)`, typed: see [`option`](crate::stack::option).
    ///
    /// # Errors
    /// `InvalidInput` for a value out of its range.
    pub fn setsockopt<O: SettableOption>(&self, option: O, value: O::Value) -> io::Result<()> {
        self.0.set(option, value)
    }

    /// `getsockopt(2)`, typed.
    ///
    /// # Errors
    /// None but that of a host that ended.
    pub fn getsockopt<O: SocketOption>(&self, option: O) -> io::Result<O::Value> {
        self.0.get(option)
    }
}

impl fmt::Debug for RawSocket {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut debug = f.debug_struct("RawSocket");
        if let Ok(address) = self.local_addr() {
            debug.field("addr", &address);
        }
        debug.field("fd", &self.0.fd()).finish()
    }
}
