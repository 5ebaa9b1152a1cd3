//! What every socket of a host has: its descriptor, its waiters and how long it waits.

use crate::{
    Error, Fd, Result,
    host::{Deadline, Host, HostStack, Waiters},
    stack::{
        Domain, Interest, Type,
        option::{HopLimit, SocketOption, V6Only},
    },
};
use std::{
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

/// An open socket; dropping it closes it. The clones of a socket share one (as the kernel's share a file description).
pub(super) struct Handle {
    host: Host,
    fd: Fd,
    waiters: Waiters,
    nonblocking: AtomicBool,
    read_timeout: Timeout,
    write_timeout: Timeout,
}

impl Handle {
    /// A new socket of the family of `address`.
    pub(super) fn open(host: &Host, address: SocketAddr, kind: Type) -> io::Result<Handle> {
        let domain = match address {
            SocketAddr::V4(_) => Domain::Inet,
            SocketAddr::V6(_) => Domain::Inet6,
        };
        let (fd, waiters) = host.open(domain, kind)?;
        Ok(Handle::of(host, fd, waiters))
    }

    /// Waits for a connection, as long as this socket waits.
    pub(super) fn accept(&self) -> io::Result<(Handle, SocketAddr)> {
        let deadline = self.deadline(&self.read_timeout);
        let (fd, waiters, peer) = self.host.accept(self.fd, &self.waiters, deadline)?;
        Ok((Handle::of(&self.host, fd, waiters), peer))
    }

    fn of(host: &Host, fd: Fd, waiters: Waiters) -> Handle {
        Handle {
            host: host.clone(),
            fd,
            waiters,
            nonblocking: AtomicBool::new(false),
            read_timeout: Timeout::default(),
            write_timeout: Timeout::default(),
        }
    }

    pub(super) fn host(&self) -> &Host {
        &self.host
    }

    pub(super) fn fd(&self) -> Fd {
        self.fd
    }

    /// A call that never waits.
    pub(super) fn call<R>(
        &self,
        operation: impl FnOnce(&mut HostStack, Fd) -> Result<R>,
    ) -> io::Result<R> {
        self.host.call(|stack| operation(stack, self.fd))
    }

    /// A call that waits for something to read, as long as this socket waits.
    pub(super) fn read<R>(
        &self,
        operation: impl FnMut(&mut HostStack, Fd) -> Result<R>,
    ) -> io::Result<R> {
        let deadline = self.deadline(&self.read_timeout);
        self.block(Interest::Readable, deadline, operation)
    }

    /// A call that waits for room to write, as long as this socket waits.
    pub(super) fn write<R>(
        &self,
        operation: impl FnMut(&mut HostStack, Fd) -> Result<R>,
    ) -> io::Result<R> {
        let deadline = self.deadline(&self.write_timeout);
        self.block(Interest::Writable, deadline, operation)
    }

    pub(super) fn block<R>(
        &self,
        interest: Interest,
        deadline: Deadline,
        mut operation: impl FnMut(&mut HostStack, Fd) -> Result<R>,
    ) -> io::Result<R> {
        self.host
            .block(self.fd, &self.waiters, interest, deadline, |stack| {
                operation(stack, self.fd)
            })
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
        self.call(|stack, fd| stack.setsockopt(fd, option, value))
    }

    pub(super) fn get<O: SocketOption>(&self, option: O) -> io::Result<O::Value> {
        self.call(|stack, fd| stack.getsockopt(fd, option))
    }

    /// A new IPv6 socket that takes no IPv4.
    pub(super) fn open_only_v6(host: &Host, address: SocketAddr, kind: Type) -> io::Result<Handle> {
        if address.is_ipv4() {
            return Err(Error::InvalidArgument.into());
        }
        let handle = Handle::open(host, address, kind)?;
        handle.set(V6Only, true)?;
        Ok(handle)
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

impl Drop for Handle {
    fn drop(&mut self) {
        self.host.close(self.fd);
    }
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
