//! A socket that is nothing in particular yet: for options that are to be set before it is bound or connected.

use super::handle::{Handle, block};
use super::{TcpListener, TcpStream, ToSocketAddrs, UdpSocket, address::each};
use crate::{
    Error,
    host::{Deadline, Host},
    socket::call,
    stack::{
        Domain, Type,
        option::{SettableOption, SocketOption, SocketType},
    },
};
use std::{fmt, io, net::SocketAddr};

/// A socket before `bind`, `listen` or `connect`, as `socket(2)` makes it; what crate `socket2` has for `std`. Options that must
/// be set before those, such as [`ReusePort`](crate::stack::option::ReusePort), are set here.
///
/// ```
/// use glasstack::host::Host;
/// use glasstack::socket::blocking::Socket;
/// use glasstack::stack::{Domain, Type, option::ReuseAddress};
///
/// let host = Host::builder().start_loopback()?;
/// let socket = Socket::new(&host, Domain::Inet, Type::Datagram)?;
/// socket.setsockopt(ReuseAddress, true)?;
/// socket.bind("127.0.0.1:5353")?;
/// let socket = socket.into_udp()?;
/// assert_eq!(socket.local_addr()?.port(), 5353);
/// # std::io::Result::Ok(())
/// ```
pub struct Socket(Handle);

impl Socket {
    /// `socket(2)`.
    ///
    /// # Errors
    /// Where there are no more sockets, or not of this family.
    pub fn new(host: &Host, domain: Domain, kind: Type) -> io::Result<Socket> {
        Ok(Socket(Handle::open_domain(host, domain, kind)?))
    }

    /// `setsockopt(2)`, typed: see [`option`](crate::stack::option).
    ///
    /// # Errors
    /// `InvalidInput` for a value out of its range.
    pub fn setsockopt<O: SettableOption>(&self, option: O, value: O::Value) -> io::Result<()> {
        self.0.set(option, value)
    }

    /// `getsockopt(2)`, typed: see [`option`](crate::stack::option).
    ///
    /// # Errors
    /// That of the option, where it has one.
    pub fn getsockopt<O: SocketOption>(&self, option: O) -> io::Result<O::Value> {
        self.0.get(option)
    }

    /// `bind(2)`, to the first of the addresses that can be bound. Port 0 picks a free one.
    ///
    /// # Errors
    /// `AddrInUse`, `AddrNotAvailable`; the error of the last address.
    pub fn bind(&self, address: impl ToSocketAddrs) -> io::Result<()> {
        each(self.0.host(), address, |address| {
            self.0.call(|stack, fd| stack.bind(fd, address))
        })
    }

    /// This socket's address and port.
    ///
    /// # Errors
    /// None but that of a host that ended.
    pub fn local_addr(&self) -> io::Result<SocketAddr> {
        self.0.local_addr()
    }

    /// `listen(2)`: `backlog` connections may wait to be accepted, one at least.
    ///
    /// # Errors
    /// `AddrInUse`; `Unsupported` where it is no stream socket.
    pub fn listen(self, backlog: usize) -> io::Result<TcpListener> {
        self.0.call(|stack, fd| stack.listen(fd, backlog))?;
        Ok(TcpListener::of(self.0))
    }

    /// `connect(2)`: waits for the handshake.
    ///
    /// # Errors
    /// Those of [`TcpStream::connect`]; `Unsupported` where it is no stream socket.
    pub fn connect(self, address: impl ToSocketAddrs) -> io::Result<TcpStream> {
        self.is_of(Type::Stream)?;
        each(self.0.host(), address, |address| {
            block(call::connect(self.0.inner(), address), Deadline::NEVER)
        })?;
        Ok(TcpStream::of(self.0))
    }

    /// A datagram socket, for what datagram sockets do.
    ///
    /// # Errors
    /// `Unsupported` where it is none.
    pub fn into_udp(self) -> io::Result<UdpSocket> {
        self.is_of(Type::Datagram)?;
        Ok(UdpSocket::of(self.0))
    }

    fn is_of(&self, kind: Type) -> io::Result<()> {
        match self.getsockopt(SocketType)? == kind {
            true => Ok(()),
            false => Err(Error::NotSupported.into()),
        }
    }
}

impl fmt::Debug for Socket {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut debug = f.debug_struct("Socket");
        if let Ok(address) = self.local_addr() {
            debug.field("addr", &address);
        }
        debug.field("fd", &self.0.fd()).finish()
    }
}
