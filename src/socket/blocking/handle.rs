//! What every socket of a host has: its descriptor, its waiters and how long it waits.

use crate::{
    Error, Fd, Result, Stack,
    host::{Deadline, Host, Listener, wait},
    socket,
    stack::{
        Domain, Type,
        option::{HopLimit, SocketOption},
    },
};
use std::{
    future::Future,
    io,
    net::SocketAddr,
    sync::{
        Mutex, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, Instant},
};

/// RFC 1700, and what a new socket has.
const DEFAULT_TTL: u32 = 64;

/// An open socket of the asynchronous face, and how long a thread waits for it. The clones of a socket share one (as the
/// kernel's share a file description).
pub(super) struct Handle {
    inner: socket::Handle<Host>,
    nonblocking: AtomicBool,
    read_timeout: Timeout,
    write_timeout: Timeout,
}

impl Handle {
    /// A new socket of the family of `address`.
    pub(super) fn open(host: &Host, address: SocketAddr, kind: Type) -> io::Result<Handle> {
        Ok(Handle::of(socket::Handle::open(
            host.clone(),
            address,
            kind,
        )?))
    }

    /// A new socket.
    pub(super) fn open_domain(host: &Host, domain: Domain, kind: Type) -> io::Result<Handle> {
        Ok(Handle::of(socket::Handle::open_domain(
            host.clone(),
            domain,
            kind,
        )?))
    }

    /// A new IPv6 socket that takes no IPv4.
    pub(super) fn open_only_v6(host: &Host, address: SocketAddr, kind: Type) -> io::Result<Handle> {
        let inner = socket::Handle::open_only_v6(host.clone(), address, kind)?;
        Ok(Handle::of(inner))
    }

    /// Waits for a connection, as long as this socket waits.
    pub(super) fn accept(&self) -> io::Result<(Handle, SocketAddr)> {
        let (inner, peer) = self.read(socket::call::accept(&self.inner))?;
        Ok((Handle::of(inner), peer))
    }

    pub(super) fn of(inner: socket::Handle<Host>) -> Handle {
        Handle {
            inner,
            nonblocking: AtomicBool::new(false),
            read_timeout: Timeout::default(),
            write_timeout: Timeout::default(),
        }
    }

    pub(super) fn host(&self) -> &Host {
        self.inner.network()
    }

    pub(super) fn fd(&self) -> Fd {
        self.inner.fd()
    }

    /// What the asynchronous face's calls are made with.
    pub(super) fn inner(&self) -> &socket::Handle<Host> {
        &self.inner
    }

    /// A call that never waits.
    pub(super) fn call<R>(
        &self,
        operation: impl FnOnce(&mut Stack<'_, Listener>, Fd) -> Result<R>,
    ) -> io::Result<R> {
        Ok(self.inner.call(operation)?)
    }

    /// Waits for something to read, as long as this socket waits.
    pub(super) fn read<R>(&self, call: impl Future<Output = Result<R>>) -> io::Result<R> {
        block(call, self.deadline(&self.read_timeout))
    }

    /// Waits for room to write, as long as this socket waits.
    pub(super) fn write<R>(&self, call: impl Future<Output = Result<R>>) -> io::Result<R> {
        block(call, self.deadline(&self.write_timeout))
    }

    fn deadline(&self, timeout: &Timeout) -> Deadline {
        if self.nonblocking.load(Ordering::Relaxed) {
            Deadline::now()
        } else {
            Deadline::after(timeout.get())
        }
    }

    pub(super) fn set_nonblocking(&self, nonblocking: bool) {
        self.nonblocking.store(nonblocking, Ordering::Relaxed);
    }

    pub(super) fn read_timeout(&self) -> &Timeout {
        &self.read_timeout
    }

    pub(super) fn write_timeout(&self) -> &Timeout {
        &self.write_timeout
    }

    pub(super) fn local_addr(&self) -> io::Result<SocketAddr> {
        self.call(|stack, fd| stack.getsockname(fd))
    }

    pub(super) fn peer_addr(&self) -> io::Result<SocketAddr> {
        self.call(|stack, fd| stack.getpeername(fd))
    }

    pub(super) fn take_error(&self) -> io::Result<Option<io::Error>> {
        let error = self.call(|stack, fd| stack.take_error(fd))?;
        Ok(error.map(io::Error::from))
    }

    pub(super) fn set<O: SocketOption>(&self, option: O, value: O::Value) -> io::Result<()> {
        Ok(self.inner.set(option, value)?)
    }

    pub(super) fn get<O: SocketOption>(&self, option: O) -> io::Result<O::Value> {
        Ok(self.inner.get(option)?)
    }

    /// `std` has the hop limit as an `u32`; the header has eight bits for it, and zero would not leave the host.
    /// `ip(7)`: -1 is the default.
    pub(super) fn set_ttl(&self, ttl: u32) -> io::Result<()> {
        match u8::try_from(if ttl == u32::MAX { DEFAULT_TTL } else { ttl }) {
            Ok(ttl) if ttl > 0 => self.set(HopLimit, ttl),
            _ => Err(Error::InvalidArgument.into()),
        }
    }

    pub(super) fn ttl(&self) -> io::Result<u32> {
        self.get(HopLimit).map(u32::from)
    }
}

/// Waits for a call; at the deadline the error is `WouldBlock`, as from a socket of the kernel.
pub(super) fn block<R>(call: impl Future<Output = Result<R>>, deadline: Deadline) -> io::Result<R> {
    Ok(wait(call, deadline).unwrap_or(Err(Error::WouldBlock))?)
}

/// How long a call waits; `None` is forever.
#[derive(Default)]
pub(super) struct Timeout(Mutex<Option<Duration>>);

impl Timeout {
    pub(super) fn get(&self) -> Option<Duration> {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn set(&self, timeout: Option<Duration>) -> io::Result<()> {
        refuse_zero(timeout)?;
        // As in the kernel, what no clock can hold is for ever.
        let timeout = timeout.filter(|timeout| Instant::now().checked_add(*timeout).is_some());
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = timeout;
        Ok(())
    }
}

/// As in `std`: a timeout of zero could mean "at once" or "never", so it is neither.
pub(super) fn refuse_zero(timeout: Option<Duration>) -> io::Result<()> {
    if timeout == Some(Duration::ZERO) {
        return Err(io::Error::new(
            io::ErrorKind::InvalidInput,
            "cannot set a 0 duration timeout",
        ));
    }
    Ok(())
}
