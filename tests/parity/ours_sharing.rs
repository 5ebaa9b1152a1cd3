//! Our options.

use super::World;
use glasstack::host::Host;
use glasstack::socket::Network;
use glasstack::socket::blocking::{TcpListener, TcpStream};
use glasstack::stack::option::{
    Accepting, KeepAlive, KeepAliveCount, KeepAliveIdle, KeepAliveInterval, MaximumSegmentSize,
    ReceiveTimeout, ReuseAddress, ReusePort, SendTimeout, SocketError, TypeOfService,
};
use glasstack::stack::{Domain, Type};
use glasstack::{Error, Fd};
use std::{io, net::SocketAddr, time::Duration};

/// A socket that is bound.
pub(super) struct Bound {
    host: Host,
    fd: Fd,
}

impl World {
    /// A socket with its ways to share set, and then bound.
    pub(super) fn bare_bound(
        &self,
        is_stream: bool,
        [address, port]: [bool; 2],
        at: u16,
    ) -> io::Result<Bound> {
        let domain = match self.ip().is_ipv4() {
            true => Domain::Inet,
            false => Domain::Inet6,
        };
        let kind = match is_stream {
            true => Type::Stream,
            false => Type::Datagram,
        };
        let host = self.host.clone();
        let fd = host.call(|stack| stack.socket(domain, kind))?;
        let bound = Bound { host, fd };
        bound.host.call(|stack| {
            stack.setsockopt(fd, ReuseAddress, address)?;
            stack.setsockopt(fd, ReusePort, port)?;
            stack.bind(fd, SocketAddr::new(self.ip(), at))
        })?;
        Ok(bound)
    }

    pub(super) fn set_linger(
        &self,
        stream: &TcpStream,
        linger: Option<Duration>,
    ) -> io::Result<()> {
        stream.set_linger(linger)
    }

    pub(super) fn set_timeouts(&self, listener: &TcpListener, timeout: Duration) -> io::Result<()> {
        listener.setsockopt(ReceiveTimeout, Some(timeout))?;
        listener.setsockopt(SendTimeout, Some(timeout))
    }
}

impl Bound {
    pub(super) fn local_addr(&self) -> io::Result<SocketAddr> {
        Ok(self.host.call(|stack| stack.getsockname(self.fd))?)
    }

    pub(super) fn listen(&self, backlog: i32) -> io::Result<()> {
        let backlog = usize::try_from(backlog).map_err(|_| Error::InvalidArgument)?;
        Ok(self.host.call(|stack| stack.listen(self.fd, backlog))?)
    }

    pub(super) fn numbers(&self) -> io::Result<Vec<(&'static str, u32)>> {
        let fd = self.fd;
        let numbers = self.host.call(|stack| {
            let secs = |time: Duration| time.as_secs() as u32;
            let error = stack.getsockopt(fd, SocketError)?;
            Ok(vec![
                (
                    "accepts connections",
                    stack.getsockopt(fd, Accepting)?.into(),
                ),
                ("keep-alive", stack.getsockopt(fd, KeepAlive)?.into()),
                (
                    "keep-alive, idle",
                    secs(stack.getsockopt(fd, KeepAliveIdle)?),
                ),
                (
                    "keep-alive, interval",
                    secs(stack.getsockopt(fd, KeepAliveInterval)?),
                ),
                (
                    "keep-alive, count",
                    stack.getsockopt(fd, KeepAliveCount)?.into(),
                ),
                (
                    "largest segment",
                    stack.getsockopt(fd, MaximumSegmentSize)?.into(),
                ),
                (
                    "type of service",
                    stack.getsockopt(fd, TypeOfService)?.into(),
                ),
                ("error", error.is_some().into()),
            ])
        })?;
        Ok(numbers)
    }
}

impl Drop for Bound {
    fn drop(&mut self) {
        let _ = self.host.call(|stack| stack.close(self.fd));
    }
}
