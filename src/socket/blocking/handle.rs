//! What every socket of a host has: its descriptor, its waiters and how long it waits.

use crate::{
    Error, Fd, Result, Stack,
    host::{Deadline, Host, Listener, wait},
    socket::{self, Network},
    stack::{
        Domain, Type, Waiting,
        option::{HopLimit, Linger, ReceiveTimeout, SendTimeout, SettableOption, SocketOption},
    },
};
use std::{
    future::{self, Future},
    io,
    net::SocketAddr,
    sync::{
        Mutex, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    task::Poll,
    time::{Duration, Instant},
};

/// RFC 1700, and what a new socket has.
const DEFAULT_TTL: u32 = 64;

/// An open socket of the asynchronous face, and how long a thread waits for it. The clones of a socket share one (as the
/// kernel's share a file description).
pub(super) struct Handle {
    inner: socket::Handle<Host>,
    nonblocking: AtomicBool,
    /// `ReceiveTimeout` and `SendTimeout`, known without asking the stack.
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
        let handle = Handle::of(inner);
        // It has its listener's.
        handle.read_timeout.keep(self.read_timeout.get());
        handle.write_timeout.keep(self.write_timeout.get());
        Ok((handle, peer))
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

    /// Sets one of the two timeouts as `std` does.
    pub(super) fn set_timeout<O: SettableOption<Value = Option<Duration>>>(
        &self,
        option: O,
        timeout: Option<Duration>,
    ) -> io::Result<()> {
        refuse_zero(timeout)?;
        // As in the kernel, what no clock can hold is for ever.
        let timeout = timeout.filter(|timeout| Instant::now().checked_add(*timeout).is_some());
        self.set(option, timeout)
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

    pub(super) fn set<O: SettableOption>(&self, option: O, value: O::Value) -> io::Result<()> {
        let (read, write) = self.call(|stack, fd| {
            stack.setsockopt(fd, option, value)?;
            let write = stack.getsockopt(fd, SendTimeout)?;
            Ok((stack.getsockopt(fd, ReceiveTimeout)?, write))
        })?;
        self.read_timeout.keep(read);
        self.write_timeout.keep(write);
        Ok(())
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

/// With `SO_LINGER`, closing waits for the peer to have it all.
impl Drop for Handle {
    fn drop(&mut self) {
        let Ok(Some(linger)) = self.inner.get(Linger) else {
            return;
        };
        let ends = self.inner.call(|stack, fd| {
            let ends = (stack.getsockname(fd)?, stack.getpeername(fd)?);
            stack.close(fd)?;
            Ok(ends)
        });
        let Ok((local, peer)) = ends else { return };
        let mut waiting = Waiting::default();
        let closed = future::poll_fn(|context| {
            let is_sending = self.host().call(|stack| {
                let is_sending = stack.is_sending(local, peer);
                if is_sending {
                    stack.wait_until_drained(&mut waiting, context.waker());
                }
                Ok(is_sending)
            });
            match is_sending {
                Ok(true) => Poll::Pending,
                _ => Poll::Ready(()),
            }
        });
        // Whatever has not arrived until then is still sent in the background.
        let _ = wait(closed, Deadline::after(Some(linger)));
        let _ = self.host().call(|stack| {
            stack.stop_waiting(&mut waiting);
            Ok(())
        });
    }
}

/// Waits for a call; at the deadline the error is `WouldBlock`, as from a socket of the kernel.
pub(super) fn block<R>(call: impl Future<Output = Result<R>>, deadline: Deadline) -> io::Result<R> {
    Ok(wait(call, deadline).unwrap_or(Err(Error::WouldBlock))?)
}

/// How long a call waits; `None` is forever.
#[derive(Default)]
struct Timeout(Mutex<Option<Duration>>);

impl Timeout {
    fn get(&self) -> Option<Duration> {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn keep(&self, timeout: Option<Duration>) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = timeout;
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
