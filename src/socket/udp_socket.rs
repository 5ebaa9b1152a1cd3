//! A UDP socket.

use core::fmt;
use core::net::{IpAddr, SocketAddr};

use super::{Network, call, handle::Handle};
use crate::stack::option::{
    HopLimit, MulticastHopLimit, MulticastInterface, MulticastLoop, SettableOption, SocketOption,
};
use crate::stack::{Interest, InterfaceId, Message, Received, Type};
use crate::{Error, Fd, Result, Stack};

/// A UDP socket. It closes when it is dropped; what is queued is still sent.
///
/// Each future may be dropped at any time: a datagram is then still in its queue, or was not sent.
pub struct UdpSocket<N: Network>(Handle<N>);

impl<N: Network> UdpSocket<N> {
    /// `socket(2)` and `bind(2)`: port 0 picks a free one; `[::]` takes IPv4 as well.
    ///
    /// # Errors
    /// [`AddrInUse`](Error::AddrInUse), [`AddrNotAvailable`](Error::AddrNotAvailable), [`Exhausted`](Error::Exhausted).
    pub fn bind(network: N, address: SocketAddr) -> Result<Self> {
        UdpSocket::take(Handle::open(network, address, Type::Datagram)?, address)
    }

    /// As [`bind`](UdpSocket::bind), but `[::]` leaves IPv4 to another socket (`IPV6_V6ONLY`, RFC 3493 §5.3).
    ///
    /// # Errors
    /// Those of [`bind`](UdpSocket::bind).
    pub fn bind_only_v6(network: N, address: SocketAddr) -> Result<Self> {
        let handle = Handle::open_only_v6(network, address, Type::Datagram)?;
        UdpSocket::take(handle, address)
    }

    fn take(handle: Handle<N>, address: SocketAddr) -> Result<Self> {
        handle.call(|stack, fd| stack.bind(fd, address))?;
        Ok(UdpSocket(handle))
    }

    pub(crate) fn of(handle: Handle<N>) -> Self {
        UdpSocket(handle)
    }

    /// `connect(2)`: fixes the peer: `send` sends to it, and only its datagrams are received. Nothing is sent.
    ///
    /// # Errors
    /// [`NetworkUnreachable`](Error::NetworkUnreachable).
    pub fn connect(&self, address: SocketAddr) -> Result<()> {
        self.0.call(|stack, fd| stack.connect(fd, address))
    }

    /// `sendto(2)`: sends a datagram, waiting for room in the queue.
    ///
    /// # Errors
    /// [`MessageTooLong`](Error::MessageTooLong), [`NetworkUnreachable`](Error::NetworkUnreachable), and a pending error, such
    /// as [`ConnectionRefused`](Error::ConnectionRefused).
    pub async fn send_to(&self, data: &[u8], address: SocketAddr) -> Result<usize> {
        call::send_to(&self.0, data, address).await
    }

    /// `sendmsg(2)` with `IP_PKTINFO`: as [`send_to`](UdpSocket::send_to), from this address of the host's, such as the one that
    /// a question was sent to ([`Received::to`]). The unspecified address leaves the choice to the route.
    ///
    /// # Errors
    /// Those of [`send_to`](UdpSocket::send_to); [`AddrNotAvailable`](Error::AddrNotAvailable) where it is not the host's, or
    /// the socket is bound to another one.
    pub async fn send_from(&self, data: &[u8], from: IpAddr, to: SocketAddr) -> Result<usize> {
        let send = |stack: &mut Stack<'_, N::Observer>, fd| stack.send_from(fd, data, from, to);
        self.0.attempt(Interest::Writable, send).await
    }

    /// `send(2)`: to the peer that [`connect`](UdpSocket::connect) fixed.
    ///
    /// # Errors
    /// Those of [`send_to`](UdpSocket::send_to); [`DestinationRequired`](Error::DestinationRequired) without a peer.
    pub async fn send(&self, data: &[u8]) -> Result<usize> {
        call::write(&self.0, data).await
    }

    /// `sendmsg(2)`: a datagram in parts, with what else is to be said of it.
    ///
    /// # Errors
    /// Those of [`send_from`](UdpSocket::send_from), and of [`send`](UdpSocket::send) where it has no destination.
    pub async fn send_msg(&self, message: &Message<'_>) -> Result<usize> {
        call::send_msg(&self.0, message).await
    }

    /// `recvfrom(2)`: waits for a datagram: how many bytes of it were written into the buffer, and who sent it; where `size`
    /// is more than `len`, the rest is lost.
    ///
    /// # Errors
    /// A pending error, such as [`ConnectionRefused`](Error::ConnectionRefused).
    pub async fn recv_from(&self, buffer: &mut [u8]) -> Result<Received> {
        call::recv_from(&self.0, buffer).await
    }

    /// `recv(2)`: as [`recv_from`](UdpSocket::recv_from), without the sender.
    ///
    /// # Errors
    /// Those of [`recv_from`](UdpSocket::recv_from).
    pub async fn recv(&self, buffer: &mut [u8]) -> Result<usize> {
        call::read(&self.0, buffer).await
    }

    /// `recvmsg(2)`: as [`recv_from`](UdpSocket::recv_from), into several buffers, the first of them first.
    ///
    /// # Errors
    /// Those of [`recv_from`](UdpSocket::recv_from).
    pub async fn recv_msg(&self, buffers: &mut [&mut [u8]]) -> Result<Received> {
        call::recv_msg(&self.0, buffers).await
    }

    /// `recvfrom(2)` with `MSG_PEEK`: the datagram stays.
    ///
    /// # Errors
    /// Those of [`recv_from`](UdpSocket::recv_from).
    pub async fn peek_from(&self, buffer: &mut [u8]) -> Result<Received> {
        call::peek_from(&self.0, buffer).await
    }

    /// Its descriptor: what [`poll`](super::poll()) and the calls of [`Stack`](crate::Stack) know the socket by. It is the socket's
    /// until that is dropped, and then stale.
    pub fn fd(&self) -> Fd {
        self.0.fd()
    }

    /// This socket's address and port.
    ///
    /// # Errors
    /// None but [`NetworkDown`](Error::NetworkDown).
    pub fn local_addr(&self) -> Result<SocketAddr> {
        self.0.call(|stack, fd| stack.getsockname(fd))
    }

    /// The peer that [`connect`](UdpSocket::connect) fixed.
    ///
    /// # Errors
    /// [`NotConnected`](Error::NotConnected) without one.
    pub fn peer_addr(&self) -> Result<SocketAddr> {
        self.0.call(|stack, fd| stack.getpeername(fd))
    }

    /// `SO_ERROR`: the pending error, taken.
    ///
    /// # Errors
    /// None but [`NetworkDown`](Error::NetworkDown).
    pub fn take_error(&self) -> Result<Option<Error>> {
        self.0.call(|stack, fd| stack.take_error(fd))
    }

    /// The IPv4 time to live, or the IPv6 hop limit, of what it sends: 1 to 255.
    ///
    /// # Errors
    /// [`InvalidArgument`](Error::InvalidArgument) for zero.
    pub fn set_hop_limit(&self, limit: u8) -> Result<()> {
        self.0.set(HopLimit, limit)
    }

    /// `IP_ADD_MEMBERSHIP`, `IPV6_JOIN_GROUP`: joins a group on a link; without one, on that which the route to the group
    /// takes. See [`Stack::join_group`].
    ///
    /// # Errors
    /// [`InvalidArgument`](Error::InvalidArgument) where it is no group, [`AddrInUse`](Error::AddrInUse) where the socket is in
    /// it already, [`NoDevice`](Error::NoDevice) without such a link or a route, [`Exhausted`](Error::Exhausted).
    #[cfg(feature = "multicast")]
    pub fn join_multicast(&self, group: IpAddr, interface: Option<InterfaceId>) -> Result<()> {
        self.0
            .call(|stack, fd| stack.join_group(fd, group, interface))
    }

    /// `IP_DROP_MEMBERSHIP`, `IPV6_LEAVE_GROUP`: leaves a group. Closing the socket does it, too.
    ///
    /// # Errors
    /// [`AddrNotAvailable`](Error::AddrNotAvailable) where the socket is not in it, [`NoDevice`](Error::NoDevice) without such a
    /// link.
    #[cfg(feature = "multicast")]
    pub fn leave_multicast(&self, group: IpAddr, interface: Option<InterfaceId>) -> Result<()> {
        self.0
            .call(|stack, fd| stack.leave_group(fd, group, interface))
    }

    /// Whether sockets of this host that are in a group receive what this one sends to it. Default: they do.
    ///
    /// # Errors
    /// None but [`NetworkDown`](Error::NetworkDown).
    pub fn set_multicast_loop(&self, on: bool) -> Result<()> {
        self.0.set(MulticastLoop, on)
    }

    /// Hops of what it sends to groups: 1 unless it is set, so that it stays on the link; with 0, in the host.
    ///
    /// # Errors
    /// None but [`NetworkDown`](Error::NetworkDown).
    pub fn set_multicast_hop_limit(&self, limit: u8) -> Result<()> {
        self.0.set(MulticastHopLimit, limit)
    }

    /// By which link it sends to groups; `None` leaves it to the route.
    ///
    /// # Errors
    /// None but [`NetworkDown`](Error::NetworkDown).
    pub fn set_multicast_interface(&self, interface: Option<InterfaceId>) -> Result<()> {
        self.0.set(MulticastInterface, interface)
    }

    /// `setsockopt(2)`, typed: see [`option`](crate::stack::option).
    ///
    /// # Errors
    /// [`InvalidArgument`](Error::InvalidArgument) for a value out of its range.
    pub fn setsockopt<T: SettableOption>(&self, option: T, value: T::Value) -> Result<()> {
        self.0.set(option, value)
    }

    /// `getsockopt(2)`, typed: see [`option`](crate::stack::option).
    ///
    /// # Errors
    /// That of the option, where it has one.
    pub fn getsockopt<T: SocketOption>(&self, option: T) -> Result<T::Value> {
        self.0.get(option)
    }
}

impl<N: Network> fmt::Debug for UdpSocket<N> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut debug = f.debug_struct("UdpSocket");
        if let Ok(address) = self.local_addr() {
            debug.field("addr", &address);
        }
        debug.field("fd", &self.0.fd()).finish()
    }
}
