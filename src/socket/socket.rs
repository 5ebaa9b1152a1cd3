//! A socket that is nothing in particular yet: for options that are to be set before it is bound or connected.

use core::fmt;
use core::net::SocketAddr;

use super::{Network, TcpListener, TcpStream, UdpSocket, call, handle::Handle};
use crate::stack::option::{SettableOption, SocketOption};
use crate::stack::{Domain, Type};
use crate::{Error, Result};

/// A socket before `bind`, `listen` or `connect`, as `socket(2)` makes it. Options that must be set before those, such as
/// [`ReusePort`](crate::stack::option::ReusePort), are set here.
///
/// ```
/// # use glasstack::{Stack, host, stack::{Capacity, Domain, Type, option::ReusePort}};
/// # use glasstack::socket::{Local, Socket};
/// let network = Local::new(Stack::with_capacity(Capacity::default(), [7; 16], ()), host::now);
/// // Two listeners on one port: each has a share of the connections.
/// let listeners = [(); 2].map(|()| {
///     let socket = Socket::new(&network, Domain::Inet, Type::Stream)?;
///     socket.setsockopt(ReusePort, true)?;
///     socket.bind("0.0.0.0:9999".parse().unwrap())?;
///     socket.listen(5)
/// });
/// assert!(listeners.iter().all(Result::is_ok));
/// # glasstack::Result::Ok(())
/// ```
pub struct Socket<N: Network>(Handle<N>);

impl<N: Network> Socket<N> {
    /// `socket(2)`.
    ///
    /// # Errors
    /// [`Exhausted`](Error::Exhausted), [`AddressFamilyNotSupported`](Error::AddressFamilyNotSupported).
    pub fn new(network: N, domain: Domain, kind: Type) -> Result<Self> {
        let fd = network.call(|stack| stack.socket(domain, kind))?;
        Ok(Socket(Handle::of(network, fd)))
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

    /// `bind(2)`: port 0 picks a free one.
    ///
    /// # Errors
    /// [`AddrInUse`](Error::AddrInUse), [`AddrNotAvailable`](Error::AddrNotAvailable).
    pub fn bind(&self, address: SocketAddr) -> Result<()> {
        self.0.call(|stack, fd| stack.bind(fd, address))
    }

    /// This socket's address and port.
    ///
    /// # Errors
    /// None but [`NetworkDown`](Error::NetworkDown).
    pub fn local_addr(&self) -> Result<SocketAddr> {
        self.0.call(|stack, fd| stack.getsockname(fd))
    }

    /// `listen(2)`: `backlog` connections may wait to be accepted, one at least.
    ///
    /// # Errors
    /// [`AddrInUse`](Error::AddrInUse); [`NotSupported`](Error::NotSupported) where it is no stream socket.
    pub fn listen(self, backlog: usize) -> Result<TcpListener<N>> {
        self.0.call(|stack, fd| stack.listen(fd, backlog))?;
        Ok(TcpListener::of(self.0))
    }

    /// `connect(2)`: waits for the handshake.
    ///
    /// # Errors
    /// Those of [`TcpStream::connect`]; [`NotSupported`](Error::NotSupported) where it is no stream socket.
    pub async fn connect(self, address: SocketAddr) -> Result<TcpStream<N>> {
        self.is_of(Type::Stream)?;
        call::connect(&self.0, address).await?;
        Ok(TcpStream::of(self.0))
    }

    /// A datagram socket, for what datagram sockets do.
    ///
    /// # Errors
    /// [`NotSupported`](Error::NotSupported) where it is none.
    pub fn into_udp(self) -> Result<UdpSocket<N>> {
        self.is_of(Type::Datagram)?;
        Ok(UdpSocket::of(self.0))
    }

    fn is_of(&self, kind: Type) -> Result<()> {
        match self.getsockopt(crate::stack::option::SocketType)? == kind {
            true => Ok(()),
            false => Err(Error::NotSupported),
        }
    }
}

impl<N: Network> fmt::Debug for Socket<N> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut debug = f.debug_struct("Socket");
        if let Ok(address) = self.local_addr() {
            debug.field("addr", &address);
        }
        debug.field("fd", &self.0.fd()).finish()
    }
}
