//! A TCP socket that waits for connections.

use super::{ToSocketAddrs, address::each, handle::Handle, tcp_stream::TcpStream};
use crate::{
    Fd,
    host::Host,
    stack::{
        Type,
        option::{SettableOption, SocketOption},
    },
};
use std::{fmt, io, iter::FusedIterator, net::SocketAddr, sync::Arc};

/// How many connections `std` lets wait to be accepted: it asks for 128, and Linux lets one more wait than it was asked for.
const BACKLOG: usize = 129;

/// A TCP server's socket: `std::net::TcpListener` on a [`Host`].
///
/// It closes when it and its clones are dropped; connections that nobody accepted are then reset.
pub struct TcpListener(Arc<Handle>);

impl TcpListener {
    /// Listens on the first of the addresses that can be bound. Port 0 picks a free one; `[::]` takes IPv4 as well.
    ///
    /// # Errors
    /// `AddrInUse`, `AddrNotAvailable`; the error of the last address.
    pub fn bind(host: &Host, address: impl ToSocketAddrs) -> io::Result<TcpListener> {
        TcpListener::bind_with_backlog(host, address, BACKLOG)
    }

    /// As [`bind`](TcpListener::bind), with the number of connections that may wait to be accepted: `listen(2)`'s argument.
    /// Exactly so many; one at least. Not in `std`, where it is 128.
    ///
    /// # Errors
    /// Those of [`bind`](TcpListener::bind).
    pub fn bind_with_backlog(
        host: &Host,
        address: impl ToSocketAddrs,
        backlog: usize,
    ) -> io::Result<TcpListener> {
        each(host, address, |address| {
            let handle = Handle::open(host, address, Type::Stream)?;
            TcpListener::listen(handle, address, backlog)
        })
    }

    /// As [`bind`](TcpListener::bind), but `[::]` leaves IPv4 to another socket (`IPV6_V6ONLY`, RFC 3493 §5.3). Not in `std`.
    ///
    /// # Errors
    /// Those of [`bind`](TcpListener::bind), and `InvalidInput` for an IPv4 address.
    pub fn bind_only_v6(host: &Host, address: impl ToSocketAddrs) -> io::Result<TcpListener> {
        each(host, address, |address| {
            let handle = Handle::open_only_v6(host, address, Type::Stream)?;
            TcpListener::listen(handle, address, BACKLOG)
        })
    }

    fn listen(handle: Handle, address: SocketAddr, backlog: usize) -> io::Result<TcpListener> {
        handle.call(|stack, fd| {
            stack.bind(fd, address)?;
            stack.listen(fd, backlog)
        })?;
        Ok(TcpListener(Arc::new(handle)))
    }

    pub(super) fn of(handle: Handle) -> TcpListener {
        TcpListener(Arc::new(handle))
    }

    /// Waits for a connection: the socket to talk to it, and where it comes from. Any number of threads may wait, on this value or
    /// on clones; each connection goes to one of them.
    ///
    /// # Errors
    /// `WouldBlock` on a nonblocking listener without a connection.
    pub fn accept(&self) -> io::Result<(TcpStream, SocketAddr)> {
        let (handle, peer) = self.0.accept()?;
        Ok((TcpStream::of(handle), peer))
    }

    /// The connections, one after the other; it never ends.
    pub fn incoming(&self) -> Incoming<'_> {
        Incoming(self)
    }

    /// As [`incoming`](TcpListener::incoming), keeping the listener.
    pub fn into_incoming(self) -> IntoIncoming {
        IntoIncoming(self)
    }

    /// The address and port it listens on.
    ///
    /// # Errors
    /// None but that of a host that ended.
    pub fn local_addr(&self) -> io::Result<SocketAddr> {
        self.0.local_addr()
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
    pub fn try_clone(&self) -> io::Result<TcpListener> {
        Ok(TcpListener(self.0.clone()))
    }

    /// Whether [`accept`](TcpListener::accept) fails with `WouldBlock` where it would wait. Accepted streams do wait, as on Linux.
    ///
    /// # Errors
    /// None; the `Result` is `std`'s.
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

    /// The IPv4 time to live, or the IPv6 hop limit, of what it sends: 1 to 255.
    ///
    /// # Errors
    /// `InvalidInput` outside of that.
    pub fn set_ttl(&self, ttl: u32) -> io::Result<()> {
        self.0.set_ttl(ttl)
    }

    /// See [`set_ttl`](TcpListener::set_ttl).
    ///
    /// # Errors
    /// None but that of a host that ended.
    pub fn ttl(&self) -> io::Result<u32> {
        self.0.ttl()
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

impl fmt::Debug for TcpListener {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut debug = f.debug_struct("TcpListener");
        if let Ok(address) = self.local_addr() {
            debug.field("addr", &address);
        }
        debug.field("fd", &self.0.fd()).finish()
    }
}

/// The connections of a [`TcpListener`]: what [`TcpListener::incoming`] gives.
#[derive(Debug)]
#[must_use = "no connection is accepted before it is iterated over"]
pub struct Incoming<'a>(&'a TcpListener);

impl Iterator for Incoming<'_> {
    type Item = io::Result<TcpStream>;

    fn next(&mut self) -> Option<io::Result<TcpStream>> {
        Some(self.0.accept().map(|(stream, _)| stream))
    }
}

impl FusedIterator for Incoming<'_> {}

/// The connections of a [`TcpListener`], which it keeps: what [`TcpListener::into_incoming`] gives.
#[derive(Debug)]
#[must_use = "no connection is accepted before it is iterated over"]
pub struct IntoIncoming(TcpListener);

impl Iterator for IntoIncoming {
    type Item = io::Result<TcpStream>;

    fn next(&mut self) -> Option<io::Result<TcpStream>> {
        Some(self.0.accept().map(|(stream, _)| stream))
    }
}

impl FusedIterator for IntoIncoming {}
