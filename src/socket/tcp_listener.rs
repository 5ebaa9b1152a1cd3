//! A TCP socket that waits for connections.

use core::fmt;
use core::net::SocketAddr;

use super::{Network, call, handle::Handle, tcp_stream::TcpStream};
use crate::stack::Type;
use crate::stack::option::{SettableOption, SocketOption, V6Only};
use crate::{Fd, Result};

/// A TCP server's socket. It closes when it is dropped; connections that nobody accepted are then reset.
///
/// ```
/// # use glasstack::{Stack, host, socket::{Local, TcpListener}, stack::Capacity};
/// let network = Local::new(Stack::with_capacity(Capacity::default(), [7; 16], ()), host::now);
/// let listener = TcpListener::bind(&network, "0.0.0.0:9999".parse().unwrap(), 5)?;
/// assert_eq!(listener.local_addr()?.port(), 9999);
/// # glasstack::Result::Ok(())
/// ```
pub struct TcpListener<N: Network>(Handle<N>);

impl<N: Network> TcpListener<N> {
    /// `socket(2)`, `bind(2)` and `listen(2)`: port 0 picks a free one; `[::]` takes IPv4 as well. `backlog` connections may
    /// wait to be accepted, one at least.
    ///
    /// # Errors
    /// [`AddrInUse`](crate::Error::AddrInUse), [`AddrNotAvailable`](crate::Error::AddrNotAvailable),
    /// [`Exhausted`](crate::Error::Exhausted).
    pub fn bind(network: N, address: SocketAddr, backlog: usize) -> Result<Self> {
        let handle = Handle::open(network, address, Type::Stream)?;
        TcpListener::listen(handle, address, backlog)
    }

    /// As [`bind`](TcpListener::bind), but `[::]` leaves IPv4 to another socket (`IPV6_V6ONLY`, RFC 3493 §5.3).
    ///
    /// # Errors
    /// Those of [`bind`](TcpListener::bind).
    pub fn bind_only_v6(network: N, address: SocketAddr, backlog: usize) -> Result<Self> {
        let handle = Handle::open_only_v6(network, address, Type::Stream)?;
        TcpListener::listen(handle, address, backlog)
    }

    fn listen(handle: Handle<N>, address: SocketAddr, backlog: usize) -> Result<Self> {
        handle.call(|stack, fd| {
            stack.bind(fd, address)?;
            stack.listen(fd, backlog)
        })?;
        Ok(TcpListener(handle))
    }

    /// Its descriptor: what [`poll`](super::poll()) and the calls of [`Stack`](crate::Stack) know the socket by. It is the socket's
    /// until that is dropped, and then stale.
    pub fn fd(&self) -> Fd {
        self.0.fd()
    }

    pub(super) fn of(handle: Handle<N>) -> Self {
        TcpListener(handle)
    }

    /// The address and port it listens on.
    ///
    /// # Errors
    /// None but [`NetworkDown`](crate::Error::NetworkDown).
    pub fn local_addr(&self) -> Result<SocketAddr> {
        self.0.call(|stack, fd| stack.getsockname(fd))
    }

    /// `setsockopt(2)`, typed: see [`option`](crate::stack::option). An accepted connection has its listener's options.
    ///
    /// # Errors
    /// [`InvalidArgument`](crate::Error::InvalidArgument) for a value out of its range.
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

impl<N: Network + Clone> TcpListener<N> {
    /// `accept(2)`: waits for a connection: the socket to talk to it, and where it comes from. Any number of tasks may wait;
    /// each connection goes to one of them, and to none of those that gave up.
    ///
    /// # Errors
    /// [`Exhausted`](crate::Error::Exhausted) where there is no descriptor for it: it waits on, and the next call has it.
    pub async fn accept(&self) -> Result<(TcpStream<N>, SocketAddr)> {
        let (handle, peer) = call::accept(&self.0).await?;
        Ok((TcpStream::of(handle), peer))
    }
}

impl<N: Network> Handle<N> {
    /// `socket(2)` for IPv6 alone.
    pub(crate) fn open_only_v6(network: N, address: SocketAddr, kind: Type) -> Result<Self> {
        if address.is_ipv4() {
            return Err(crate::Error::InvalidArgument);
        }
        let handle = Handle::open(network, address, kind)?;
        handle.set(V6Only, true)?;
        Ok(handle)
    }
}

impl<N: Network> fmt::Debug for TcpListener<N> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut debug = f.debug_struct("TcpListener");
        if let Ok(address) = self.local_addr() {
            debug.field("addr", &address);
        }
        debug.field("fd", &self.0.fd()).finish()
    }
}
