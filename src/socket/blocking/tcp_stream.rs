//! A TCP connection.

use super::{
    ToSocketAddrs,
    address::each,
    handle::{Handle, block, refuse_zero},
};
use crate::{
    Error, Fd, Result, Stack,
    host::{Deadline, Host, Listener},
    socket::{self, call},
    stack::{
        self, Interest, Type,
        option::{
            Congestion, CongestionControl, KeepAlive, KeepAliveIdle, Linger, NoDelay,
            ReceiveTimeout, SendTimeout, SettableOption, SocketOption, UserTimeout,
        },
    },
};
use std::{
    fmt,
    io::{self, IoSlice, IoSliceMut, Read, Write},
    net::{Shutdown, SocketAddr},
    sync::Arc,
    time::Duration,
};

/// A TCP connection: `std::net::TcpStream` on a [`Host`].
///
/// Any number of threads may read and write it, through `&TcpStream` or through clones. It closes when the last clone is dropped:
/// what was written is still sent, then FIN, in the background; unread data turns that into a reset (RFC 2525 §2.17).
pub struct TcpStream(Arc<Handle>);

impl TcpStream {
    pub(super) fn of(handle: Handle) -> TcpStream {
        TcpStream(Arc::new(handle))
    }

    /// Connects to the first of the addresses that answers: one after the other, as `std` does. The addresses of a name are
    /// tried as [`socket::TcpStream::connect_by_name`] tries them, the next beside the last after 250 ms (RFC 8305).
    ///
    /// # Errors
    /// `ConnectionRefused`, `TimedOut`, `HostUnreachable`, `NetworkUnreachable`; the error of the address that failed last.
    pub fn connect(host: &Host, address: impl ToSocketAddrs) -> io::Result<TcpStream> {
        if let Some((name, port)) = address.name_and_port() {
            let connect = socket::connect_by_name(host.clone(), name, port);
            return Ok(TcpStream::of(Handle::of(block(connect, Deadline::NEVER)?)));
        }
        each(host, address, |address| {
            TcpStream::open(host, address, Deadline::NEVER)
        })
    }

    /// As [`connect`](TcpStream::connect), to one address and for no longer than `timeout`.
    ///
    /// # Errors
    /// `TimedOut` after `timeout`; `InvalidInput` if that is zero.
    pub fn connect_timeout(
        host: &Host,
        address: &SocketAddr,
        timeout: Duration,
    ) -> io::Result<TcpStream> {
        refuse_zero(Some(timeout))?;
        match TcpStream::open(host, *address, Deadline::after(Some(timeout))) {
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => Err(Error::TimedOut.into()),
            result => result,
        }
    }

    fn open(host: &Host, address: SocketAddr, deadline: Deadline) -> io::Result<TcpStream> {
        let handle = Handle::open(host, address, Type::Stream)?;
        block(call::connect(handle.inner(), address), deadline)?;
        Ok(TcpStream::of(handle))
    }

    /// The other end's address.
    ///
    /// # Errors
    /// `NotConnected` after the connection is gone.
    pub fn peer_addr(&self) -> io::Result<SocketAddr> {
        self.0.peer_addr()
    }

    /// This end's address.
    ///
    /// # Errors
    /// None but that of a host that ended.
    pub fn local_addr(&self) -> io::Result<SocketAddr> {
        self.0.local_addr()
    }

    /// Ends one or both directions, for all clones: `Write` sends FIN behind the data, `Read` makes reads return 0.
    ///
    /// # Errors
    /// `NotConnected` after the connection is gone.
    pub fn shutdown(&self, how: Shutdown) -> io::Result<()> {
        let how = match how {
            Shutdown::Read => stack::Shutdown::Read,
            Shutdown::Write => stack::Shutdown::Write,
            Shutdown::Both => stack::Shutdown::Both,
        };
        self.0.call(|stack, fd| stack.shutdown(fd, how))
    }

    #[cfg(feature = "embedded-io")]
    pub(crate) fn readiness(&self) -> io::Result<stack::Readiness> {
        self.0.call(|stack, fd| stack.readiness(fd))
    }

    /// Its descriptor, by which [`poll`](super::poll()) knows it; the same for all clones. Not in `std`, whose descriptors are the
    /// kernel's. Stale when the last of them is dropped.
    pub fn fd(&self) -> Fd {
        self.0.fd()
    }

    /// Another handle of the same connection, with the same options and timeouts.
    ///
    /// # Errors
    /// None; the `Result` is `std`'s.
    pub fn try_clone(&self) -> io::Result<TcpStream> {
        Ok(TcpStream(self.0.clone()))
    }

    /// How long a read waits before it fails with `WouldBlock` (as `std`'s on Unix); `None` is forever.
    ///
    /// # Errors
    /// `InvalidInput` for a timeout of zero.
    pub fn set_read_timeout(&self, timeout: Option<Duration>) -> io::Result<()> {
        self.0.set_timeout(ReceiveTimeout, timeout)
    }

    /// See [`set_read_timeout`](TcpStream::set_read_timeout).
    ///
    /// # Errors
    /// None; the `Result` is `std`'s.
    pub fn read_timeout(&self) -> io::Result<Option<Duration>> {
        self.0.get(ReceiveTimeout)
    }

    /// How long a write waits before it fails with `WouldBlock` (as `std`'s on Unix); `None` is forever.
    ///
    /// # Errors
    /// `InvalidInput` for a timeout of zero.
    pub fn set_write_timeout(&self, timeout: Option<Duration>) -> io::Result<()> {
        self.0.set_timeout(SendTimeout, timeout)
    }

    /// See [`set_write_timeout`](TcpStream::set_write_timeout).
    ///
    /// # Errors
    /// None; the `Result` is `std`'s.
    pub fn write_timeout(&self) -> io::Result<Option<Duration>> {
        self.0.get(SendTimeout)
    }

    /// Reads without taking: the next read gives the same bytes again.
    ///
    /// # Errors
    /// Those of `read`.
    pub fn peek(&self, buffer: &mut [u8]) -> io::Result<usize> {
        self.0.read(call::peek(self.0.inner(), buffer))
    }

    /// Whether small writes leave at once (`TCP_NODELAY`), not waiting for acknowledgements (Nagle's algorithm, RFC 9293 §3.7.4).
    ///
    /// # Errors
    /// None but that of a host that ended.
    pub fn set_nodelay(&self, nodelay: bool) -> io::Result<()> {
        self.0.set(NoDelay, nodelay)
    }

    /// See [`set_nodelay`](TcpStream::set_nodelay).
    ///
    /// # Errors
    /// None but that of a host that ended.
    pub fn nodelay(&self) -> io::Result<bool> {
        self.0.get(NoDelay)
    }

    /// The IPv4 time to live, or the IPv6 hop limit, of what it sends: 1 to 255.
    ///
    /// # Errors
    /// `InvalidInput` outside of that.
    pub fn set_ttl(&self, ttl: u32) -> io::Result<()> {
        self.0.set_ttl(ttl)
    }

    /// See [`set_ttl`](TcpStream::set_ttl).
    ///
    /// # Errors
    /// None but that of a host that ended.
    pub fn ttl(&self) -> io::Result<u32> {
        self.0.ttl()
    }

    /// The pending error (`SO_ERROR`), taken.
    ///
    /// # Errors
    /// None but that of a host that ended.
    pub fn take_error(&self) -> io::Result<Option<io::Error>> {
        self.0.take_error()
    }

    /// Whether calls fail with `WouldBlock` where they would wait, for all clones.
    ///
    /// # Errors
    /// None; the `Result` is `std`'s.
    pub fn set_nonblocking(&self, nonblocking: bool) -> io::Result<()> {
        self.0.set_nonblocking(nonblocking);
        Ok(())
    }

    /// After how long without a segment the peer is probed, and how often then (RFC 9293 §3.8.4); `None`: never. Not in `std`.
    ///
    /// # Errors
    /// `InvalidInput` for a time of zero.
    pub fn set_keep_alive(&self, idle: Option<Duration>) -> io::Result<()> {
        refuse_zero(idle)?;
        Ok(self.0.inner().set_keep_alive(idle)?)
    }

    /// See [`set_keep_alive`](TcpStream::set_keep_alive).
    ///
    /// # Errors
    /// None but that of a host that ended.
    pub fn keep_alive(&self) -> io::Result<Option<Duration>> {
        let is_on = self.0.get(KeepAlive)?;
        Ok(is_on.then_some(self.0.get(KeepAliveIdle)?))
    }

    /// What dropping the last clone does with what the peer has not acknowledged (`SO_LINGER`): `None` sends it in the background,
    /// zero resets the connection, and any other time waits so long for the acknowledgement. Not in `std` yet, but under this name.
    ///
    /// # Errors
    /// None but that of a host that ended.
    pub fn set_linger(&self, linger: Option<Duration>) -> io::Result<()> {
        self.0.set(Linger, linger)
    }

    /// See [`set_linger`](TcpStream::set_linger).
    ///
    /// # Errors
    /// None but that of a host that ended.
    pub fn linger(&self) -> io::Result<Option<Duration>> {
        self.0.get(Linger)
    }

    /// After how long without an acknowledgement the connection is given up with `TimedOut` (RFC 5482). Not in `std`.
    ///
    /// # Errors
    /// `InvalidInput` for a time of zero.
    pub fn set_user_timeout(&self, timeout: Option<Duration>) -> io::Result<()> {
        refuse_zero(timeout)?;
        self.0.set(UserTimeout, timeout)
    }

    /// See [`set_user_timeout`](TcpStream::set_user_timeout).
    ///
    /// # Errors
    /// None but that of a host that ended.
    pub fn user_timeout(&self) -> io::Result<Option<Duration>> {
        self.0.get(UserTimeout)
    }

    /// How it adapts to the network's capacity (RFC 5681, RFC 9438). Not in `std`.
    ///
    /// # Errors
    /// None but that of a host that ended.
    pub fn set_congestion_control(&self, algorithm: CongestionControl) -> io::Result<()> {
        self.0.set(Congestion, algorithm)
    }

    /// See [`set_congestion_control`](TcpStream::set_congestion_control).
    ///
    /// # Errors
    /// None but that of a host that ended.
    pub fn congestion_control(&self) -> io::Result<CongestionControl> {
        self.0.get(Congestion)
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

/// Waits for at least one byte; 0 bytes are the peer's FIN.
///
/// `ConnectionReset` and `TimedOut` end the connection; `WouldBlock` is the read timeout or nonblocking mode.
impl Read for &TcpStream {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.0.read(call::read(self.0.inner(), buffer))
    }

    /// Fills one buffer after the other, as far as there is something to read.
    fn read_vectored(&mut self, buffers: &mut [IoSliceMut<'_>]) -> io::Result<usize> {
        // `readv(2)`, unlike `recv(2)`, does not wait to read nothing.
        if buffers.iter().all(|buffer| buffer.is_empty()) {
            return Ok(0);
        }
        let read = |stack: &mut Stack<'_, Listener>, fd| {
            let buffers = buffers.iter_mut().map(|buffer| (buffer.len(), buffer));
            one_after_the_other(stack, fd, buffers, |stack, buffer| stack.recv(fd, buffer))
        };
        self.0
            .read(self.0.inner().attempt(Interest::Readable, read))
    }
}

/// Waits for room for at least one byte, and may take fewer than given.
///
/// `BrokenPipe` after a shutdown or a reset; `WouldBlock` is the write timeout or nonblocking mode. `flush` does nothing: nothing is
/// held back here.
impl Write for &TcpStream {
    fn write(&mut self, data: &[u8]) -> io::Result<usize> {
        self.0.write(call::write(self.0.inner(), data))
    }

    /// Takes one buffer after the other, as far as there is room.
    fn write_vectored(&mut self, buffers: &[IoSlice<'_>]) -> io::Result<usize> {
        if buffers.iter().all(|buffer| buffer.is_empty()) {
            return Ok(0);
        }
        let write = |stack: &mut Stack<'_, Listener>, fd| {
            let buffers = buffers.iter().map(|buffer| (buffer.len(), buffer));
            one_after_the_other(stack, fd, buffers, |stack, buffer| stack.send(fd, buffer))
        };
        self.0
            .write(self.0.inner().attempt(Interest::Writable, write))
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Calls `operation` with each buffer that has a length, up to the first that is not used up.
fn one_after_the_other<B>(
    stack: &mut Stack<'_, Listener>,
    fd: Fd,
    buffers: impl Iterator<Item = (usize, B)>,
    mut operation: impl FnMut(&mut Stack<'_, Listener>, B) -> Result<usize>,
) -> Result<usize> {
    let mut total = 0;
    for (len, buffer) in buffers.filter(|(len, _)| *len > 0) {
        // An error is told once: it waits for a call that has nothing else to tell.
        if total > 0 && stack.readiness(fd)?.error {
            break;
        }
        match operation(stack, buffer) {
            Ok(count) => {
                total += count;
                if count < len {
                    break;
                }
            }
            // There is nothing more to read, or no more room: what was done counts.
            Err(Error::WouldBlock) if total > 0 => break,
            Err(error) => return Err(error),
        }
    }
    Ok(total)
}

impl Read for TcpStream {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        (&*self).read(buffer)
    }

    fn read_vectored(&mut self, buffers: &mut [IoSliceMut<'_>]) -> io::Result<usize> {
        (&*self).read_vectored(buffers)
    }
}

impl Write for TcpStream {
    fn write(&mut self, data: &[u8]) -> io::Result<usize> {
        (&*self).write(data)
    }

    fn write_vectored(&mut self, buffers: &[IoSlice<'_>]) -> io::Result<usize> {
        (&*self).write_vectored(buffers)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl fmt::Debug for TcpStream {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut debug = f.debug_struct("TcpStream");
        if let Ok(address) = self.local_addr() {
            debug.field("addr", &address);
        }
        if let Ok(peer) = self.peer_addr() {
            debug.field("peer", &peer);
        }
        debug.field("fd", &self.0.fd()).finish()
    }
}
