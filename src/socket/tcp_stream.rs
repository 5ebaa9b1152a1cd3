//! A TCP connection.

use core::fmt;
use core::net::SocketAddr;
use core::time::Duration;

use super::{Network, call, handle::Handle};
use crate::stack::option::{
    Congestion, CongestionControl, HopLimit, KeepAlive, KeepAliveIdle, KeepAliveInterval, Linger,
    NoDelay, SettableOption, SocketOption, UserTimeout,
};
use crate::stack::{Interest, Shutdown, Type, Waiting};
use crate::{Error, Fd, Result};

/// A TCP connection.
///
/// Any number of tasks may read and write it, through `&TcpStream` or its halves. It closes when it is dropped: what was
/// written is still sent, then FIN, in the background; unread data turns that into a reset (RFC 2525 §2.17).
///
/// Each future may be dropped at any time: `read` has then taken nothing and `write` has sent nothing.
pub struct TcpStream<N: Network> {
    pub(super) handle: Handle<N>,
    /// Where the tasks of `poll_read` and `poll_write` wait.
    pub(super) reading: Waiting,
    pub(super) writing: Waiting,
}

/// Nothing of it is ever pinned.
impl<N: Network> Unpin for TcpStream<N> {}

impl<N: Network> TcpStream<N> {
    pub(crate) fn of(handle: Handle<N>) -> Self {
        TcpStream {
            handle,
            reading: Waiting::default(),
            writing: Waiting::default(),
        }
    }

    #[cfg(feature = "embedded-io")]
    pub(crate) fn handle(&self) -> &Handle<N> {
        &self.handle
    }

    /// `socket(2)` and `connect(2)`: waits for the handshake. Dropped meanwhile, it is given up: a peer that
    /// has the connection already sees its end.
    ///
    /// # Errors
    /// [`ConnectionRefused`](Error::ConnectionRefused), [`TimedOut`](Error::TimedOut),
    /// [`HostUnreachable`](Error::HostUnreachable), [`NetworkUnreachable`](Error::NetworkUnreachable),
    /// [`Exhausted`](Error::Exhausted).
    pub async fn connect(network: N, address: SocketAddr) -> Result<Self> {
        let handle = Handle::open(network, address, Type::Stream)?;
        call::connect(&handle, address).await?;
        Ok(TcpStream::of(handle))
    }

    /// `recv(2)`: waits for data; 0 is the end, the peer's FIN.
    ///
    /// # Errors
    /// [`ConnectionReset`](Error::ConnectionReset), [`TimedOut`](Error::TimedOut), and what ICMP said, once.
    pub async fn read(&self, buffer: &mut [u8]) -> Result<usize> {
        call::read(&self.handle, buffer).await
    }

    /// As [`read`](TcpStream::read), until the buffer is full. Dropped meanwhile, what it had read is in the buffer.
    ///
    /// # Errors
    /// Those of [`read`](TcpStream::read), and [`BrokenPipe`](Error::BrokenPipe) where the end comes first.
    pub async fn read_exact(&self, buffer: &mut [u8]) -> Result<()> {
        call::read_exact(&self.handle, buffer).await
    }

    /// `recv(2)` with `MSG_PEEK`: the next read gives the same bytes again.
    ///
    /// # Errors
    /// Those of [`read`](TcpStream::read).
    pub async fn peek(&self, buffer: &mut [u8]) -> Result<usize> {
        call::peek(&self.handle, buffer).await
    }

    /// `send(2)`: waits for room and queues as much as there is room for, one byte at least (of none: none).
    ///
    /// # Errors
    /// [`BrokenPipe`](Error::BrokenPipe) after the end, [`ConnectionReset`](Error::ConnectionReset),
    /// [`TimedOut`](Error::TimedOut), and what ICMP said, once.
    pub async fn write(&self, data: &[u8]) -> Result<usize> {
        call::write(&self.handle, data).await
    }

    /// As [`write`](TcpStream::write), until all of it is queued. Dropped meanwhile, a part of it may be.
    ///
    /// # Errors
    /// Those of [`write`](TcpStream::write).
    pub async fn write_all(&self, data: &[u8]) -> Result<()> {
        call::write_all(&self.handle, data).await
    }

    /// Waits until a call in this direction would not: there is data, room, the end, or an error.
    ///
    /// # Errors
    /// None but [`NetworkDown`](Error::NetworkDown).
    pub async fn ready(&self, interest: Interest) -> Result<()> {
        call::ready(&self.handle, interest).await
    }

    /// `shutdown(2)`: ends one or both directions; `Write` sends FIN behind the data, `Read` makes reads return 0.
    ///
    /// # Errors
    /// [`NotConnected`](Error::NotConnected) after the connection is gone.
    pub fn shutdown(&self, how: Shutdown) -> Result<()> {
        self.handle.call(|stack, fd| stack.shutdown(fd, how))
    }

    /// Its descriptor: what [`poll`](super::poll()) and the calls of [`Stack`](crate::Stack) know the socket by. It is the socket's
    /// until that is dropped, and then stale.
    pub fn fd(&self) -> Fd {
        self.handle.fd()
    }

    /// This end's address.
    ///
    /// # Errors
    /// None but [`NetworkDown`](Error::NetworkDown).
    pub fn local_addr(&self) -> Result<SocketAddr> {
        self.handle.call(|stack, fd| stack.getsockname(fd))
    }

    /// The other end's address.
    ///
    /// # Errors
    /// [`NotConnected`](Error::NotConnected) after the connection is gone.
    pub fn peer_addr(&self) -> Result<SocketAddr> {
        self.handle.call(|stack, fd| stack.getpeername(fd))
    }

    /// `SO_ERROR`: the pending error, taken.
    ///
    /// # Errors
    /// None but [`NetworkDown`](Error::NetworkDown).
    pub fn take_error(&self) -> Result<Option<Error>> {
        self.handle.call(|stack, fd| stack.take_error(fd))
    }

    /// Whether small writes leave at once (`TCP_NODELAY`), not waiting for acknowledgments (Nagle's algorithm, RFC 9293
    /// §3.7.4). Off, as with Linux.
    ///
    /// # Errors
    /// None but [`NetworkDown`](Error::NetworkDown).
    pub fn set_nodelay(&self, nodelay: bool) -> Result<()> {
        self.handle.set(NoDelay, nodelay)
    }

    /// See [`set_nodelay`](TcpStream::set_nodelay).
    ///
    /// # Errors
    /// None but [`NetworkDown`](Error::NetworkDown).
    pub fn nodelay(&self) -> Result<bool> {
        self.handle.get(NoDelay)
    }

    /// After how long a silent peer is probed, and how often then (RFC 9293 §3.8.4); never, unless set. The two times, and how
    /// many probes there are, can be set apart: [`KeepAliveIdle`], [`KeepAliveInterval`],
    /// [`KeepAliveCount`](crate::stack::option::KeepAliveCount).
    ///
    /// # Errors
    /// [`InvalidArgument`](Error::InvalidArgument) for zero.
    pub fn set_keep_alive(&self, interval: Option<Duration>) -> Result<()> {
        self.handle.set_keep_alive(interval)
    }

    /// What closing does (`SO_LINGER`): zero resets the connection, and what is queued is lost. See
    /// [`Linger`](crate::stack::option::Linger).
    ///
    /// # Errors
    /// None but [`NetworkDown`](Error::NetworkDown).
    pub fn set_linger(&self, linger: Option<Duration>) -> Result<()> {
        self.handle.set(Linger, linger)
    }

    /// See [`set_linger`](TcpStream::set_linger).
    ///
    /// # Errors
    /// None but [`NetworkDown`](Error::NetworkDown).
    pub fn linger(&self) -> Result<Option<Duration>> {
        self.handle.get(Linger)
    }

    /// For how long data may stay unacknowledged (RFC 5482).
    ///
    /// # Errors
    /// [`InvalidArgument`](Error::InvalidArgument) for zero.
    pub fn set_user_timeout(&self, timeout: Option<Duration>) -> Result<()> {
        self.handle.set(UserTimeout, timeout)
    }

    /// `TCP_CONGESTION`.
    ///
    /// # Errors
    /// [`NotSupported`](Error::NotSupported) where this build does not have it.
    pub fn set_congestion_control(&self, control: CongestionControl) -> Result<()> {
        self.handle.set(Congestion, control)
    }

    /// The IPv4 time to live, or the IPv6 hop limit, of what it sends: 1 to 255.
    ///
    /// # Errors
    /// [`InvalidArgument`](Error::InvalidArgument) for zero.
    pub fn set_hop_limit(&self, limit: u8) -> Result<()> {
        self.handle.set(HopLimit, limit)
    }

    /// `setsockopt(2)`, typed: see [`option`](crate::stack::option).
    ///
    /// # Errors
    /// [`InvalidArgument`](Error::InvalidArgument) for a value out of its range.
    pub fn setsockopt<T: SettableOption>(&self, option: T, value: T::Value) -> Result<()> {
        self.handle.set(option, value)
    }

    /// `getsockopt(2)`, typed: see [`option`](crate::stack::option).
    ///
    /// # Errors
    /// That of the option, where it has one.
    pub fn getsockopt<T: SocketOption>(&self, option: T) -> Result<T::Value> {
        self.handle.get(option)
    }
}

impl<N: Network> Handle<N> {
    /// One time for all that keep-alive waits for; none turns it off.
    pub(crate) fn set_keep_alive(&self, interval: Option<Duration>) -> Result<()> {
        self.call(|stack, fd| {
            if let Some(interval) = interval {
                stack.setsockopt(fd, KeepAliveIdle, interval)?;
                stack.setsockopt(fd, KeepAliveInterval, interval)?;
            }
            stack.setsockopt(fd, KeepAlive, interval.is_some())
        })
    }
}

impl<N: Network> fmt::Debug for TcpStream<N> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut debug = f.debug_struct("TcpStream");
        if let Ok(address) = self.local_addr() {
            debug.field("addr", &address);
        }
        if let Ok(peer) = self.peer_addr() {
            debug.field("peer", &peer);
        }
        debug.field("fd", &self.handle.fd()).finish()
    }
}

impl<N: Network> Drop for TcpStream<N> {
    fn drop(&mut self) {
        // The socket may have other holders, whose close would not wake these.
        super::attempt::give_up(self.handle.network(), &mut self.reading);
        super::attempt::give_up(self.handle.network(), &mut self.writing);
    }
}
