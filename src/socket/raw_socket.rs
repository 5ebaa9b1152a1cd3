//! A raw socket.

use core::fmt;
#[cfg(feature = "multicast")]
use core::net::IpAddr;
use core::net::SocketAddr;

use super::{Network, call, handle::Handle};
#[cfg(feature = "multicast")]
use crate::stack::InterfaceId;
use crate::stack::option::{SettableOption, SocketOption};
use crate::stack::{Domain, Message, Protocol, Received, Type};
use crate::{Error, Fd, Result};

/// A raw socket (`raw(7)`): sends IP packets of one protocol, and receives a copy of each that comes in. It closes when it is
/// dropped; what is queued is still sent.
///
/// An address's port means nothing here: it is 0. What is received over IPv4 begins with the IP header; over IPv6 it does not
/// (RFC 3542 §3). [`HeaderIncluded`](crate::stack::option::HeaderIncluded) says whether what is sent does. Of ICMPv6 the
/// checksum is the stack's work, of other protocols the caller's.
///
/// Each future may be dropped at any time: a packet is then still in its queue, or was not sent.
///
/// ```
/// use glasstack::socket::{Domain, Local, Protocol, RawSocket, Runner, block_on};
/// use glasstack::{Result, Stack, host, stack::Capacity};
///
/// # fn main() -> std::result::Result<(), Box<dyn std::error::Error>> {
/// let network = Local::new(Stack::with_capacity(Capacity::default(), [7; 16], ()), host::now);
/// let parker = host::Parker::new()?;
/// let mut runner = Runner::loopback(&network, &parker);
/// let ping = async {
///     let socket = RawSocket::new(&network, Domain::Inet6, Protocol::ICMPV6)?;
///     socket.connect("[::1]:0".parse().unwrap())?;
///     let request = [128, 0, 0, 0, 0, 7, 0, 1]; // type, code, checksum, identifier 7, sequence number 1
///     socket.send(&request).await?;
///     let mut message = [0; 8];
///     while message[0] != 129 {
///         socket.recv(&mut message).await?; // the request, too: it came to this host
///     }
///     Result::Ok(message)
/// };
/// let reply = block_on(&parker, runner.run_until(ping))??;
/// assert_eq!(reply[4..], [0, 7, 0, 1]);
/// # Ok(()) }
/// ```
pub struct RawSocket<N: Network>(Handle<N>);

impl<N: Network> RawSocket<N> {
    /// `socket(2)`: of [`Protocol::RAW`], what is sent begins with its header, and nothing is received.
    ///
    /// # Errors
    /// [`Exhausted`](Error::Exhausted), [`AddressFamilyNotSupported`](Error::AddressFamilyNotSupported);
    /// [`InvalidArgument`](Error::InvalidArgument) for protocol 0.
    pub fn new(network: N, domain: Domain, protocol: Protocol) -> Result<Self> {
        let handle = Handle::open_domain(network, domain, Type::Raw(protocol))?;
        Ok(RawSocket(handle))
    }

    /// `bind(2)`: only what is sent to this address is received, and it is the source of what is sent.
    ///
    /// # Errors
    /// [`AddrNotAvailable`](Error::AddrNotAvailable); [`InvalidArgument`](Error::InvalidArgument) where it is bound or
    /// connected already.
    pub fn bind(&self, address: SocketAddr) -> Result<()> {
        self.0.call(|stack, fd| stack.bind(fd, address))
    }

    /// `connect(2)`: `send` sends there, and only what comes from there is received. Nothing is sent.
    ///
    /// # Errors
    /// [`NetworkUnreachable`](Error::NetworkUnreachable).
    pub fn connect(&self, address: SocketAddr) -> Result<()> {
        self.0.call(|stack, fd| stack.connect(fd, address))
    }

    /// `IP_ADD_MEMBERSHIP`, `IPV6_JOIN_GROUP`: joins a group on a link; without one, on that which the route to the group takes.
    ///
    /// # Errors
    /// [`AddrInUse`](Error::AddrInUse) where the socket is in it already, [`InvalidArgument`](Error::InvalidArgument) for what is
    /// no group, [`NoDevice`](Error::NoDevice) without such a link, [`Exhausted`](Error::Exhausted).
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

    /// `sendto(2)`: sends a packet, waiting for room in the queue; a long one leaves in fragments.
    ///
    /// # Errors
    /// [`MessageTooLong`](Error::MessageTooLong), with a header already where it is longer than the link takes;
    /// [`InvalidArgument`](Error::InvalidArgument) for a header that is none; [`NetworkUnreachable`](Error::NetworkUnreachable),
    /// [`PermissionDenied`](Error::PermissionDenied) for a broadcast; and a pending error, such as
    /// [`HostUnreachable`](Error::HostUnreachable).
    pub async fn send_to(&self, data: &[u8], address: SocketAddr) -> Result<usize> {
        call::send_to(&self.0, data, address).await
    }

    /// `send(2)`: to the peer that [`connect`](RawSocket::connect) fixed.
    ///
    /// # Errors
    /// Those of [`send_to`](RawSocket::send_to); [`DestinationRequired`](Error::DestinationRequired) without a peer.
    pub async fn send(&self, data: &[u8]) -> Result<usize> {
        call::write(&self.0, data).await
    }

    /// `sendmsg(2)`: a packet in parts, with what else is to be said of it.
    ///
    /// # Errors
    /// Those of [`send`](RawSocket::send); [`AddrNotAvailable`](Error::AddrNotAvailable) where the source is not the host's,
    /// or the socket is bound to another one.
    pub async fn send_msg(&self, message: &Message<'_>) -> Result<usize> {
        call::send_msg(&self.0, message).await
    }

    /// `recvfrom(2)`: waits for a packet: how many bytes of it were written into the buffer, and who sent it; where `size` is
    /// more than `len`, the rest is lost.
    ///
    /// # Errors
    /// A pending error, such as [`HostUnreachable`](Error::HostUnreachable).
    pub async fn recv_from(&self, buffer: &mut [u8]) -> Result<Received> {
        call::recv_from(&self.0, buffer).await
    }

    /// `recv(2)`: as [`recv_from`](RawSocket::recv_from), without the sender.
    ///
    /// # Errors
    /// Those of [`recv_from`](RawSocket::recv_from).
    pub async fn recv(&self, buffer: &mut [u8]) -> Result<usize> {
        call::read(&self.0, buffer).await
    }

    /// `recvmsg(2)`: as [`recv_from`](RawSocket::recv_from), into several buffers, the first of them first.
    ///
    /// # Errors
    /// Those of [`recv_from`](RawSocket::recv_from).
    pub async fn recv_msg(&self, buffers: &mut [&mut [u8]]) -> Result<Received> {
        call::recv_msg(&self.0, buffers).await
    }

    /// `recvfrom(2)` with `MSG_PEEK`: the packet stays.
    ///
    /// # Errors
    /// Those of [`recv_from`](RawSocket::recv_from).
    pub async fn peek_from(&self, buffer: &mut [u8]) -> Result<Received> {
        call::peek_from(&self.0, buffer).await
    }

    /// Its descriptor, as [`UdpSocket::fd`](super::UdpSocket::fd).
    pub fn fd(&self) -> Fd {
        self.0.fd()
    }

    /// This socket's address; the port is its protocol's number.
    ///
    /// # Errors
    /// None but [`NetworkDown`](Error::NetworkDown).
    pub fn local_addr(&self) -> Result<SocketAddr> {
        self.0.call(|stack, fd| stack.getsockname(fd))
    }

    /// The peer that [`connect`](RawSocket::connect) fixed.
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

    /// `setsockopt(2)`, typed: see [`option`](crate::stack::option).
    ///
    /// # Errors
    /// [`InvalidArgument`](Error::InvalidArgument) for a value out of its range.
    pub fn setsockopt<T: SettableOption>(&self, option: T, value: T::Value) -> Result<()> {
        self.0.set(option, value)
    }

    /// `getsockopt(2)`, typed.
    ///
    /// # Errors
    /// None but [`NetworkDown`](Error::NetworkDown).
    pub fn getsockopt<T: SocketOption>(&self, option: T) -> Result<T::Value> {
        self.0.get(option)
    }
}

impl<N: Network> fmt::Debug for RawSocket<N> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut debug = f.debug_struct("RawSocket");
        if let Ok(address) = self.local_addr() {
            debug.field("addr", &address);
        }
        debug.field("fd", &self.0.fd()).finish()
    }
}
