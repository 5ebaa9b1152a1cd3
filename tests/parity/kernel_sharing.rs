//! The kernel's options, by `setsockopt(2)`.

use super::World;
use crate::transcript::Family;
use nix::sys::socket::{
    self, AddressFamily, Backlog, SockFlag, SockType, SockaddrStorage, getsockopt, setsockopt,
    sockopt,
};
use nix::sys::time::{TimeVal, TimeValLike};
use std::{
    io,
    net::{SocketAddr, TcpListener, TcpStream, UdpSocket},
    os::fd::{AsRawFd, OwnedFd},
    time::Duration,
};

/// A socket that is bound.
pub(super) struct Bound(OwnedFd);

impl World {
    /// A socket with its ways to share set, and then bound.
    pub(super) fn bare_bound(
        &self,
        is_stream: bool,
        [address, port]: [bool; 2],
        at: u16,
    ) -> io::Result<Bound> {
        let family = match self.0 {
            Family::V4 => AddressFamily::Inet,
            Family::V6 => AddressFamily::Inet6,
        };
        let kind = match is_stream {
            true => SockType::Stream,
            false => SockType::Datagram,
        };
        let socket = socket::socket(family, kind, SockFlag::SOCK_CLOEXEC, None)?;
        setsockopt(&socket, sockopt::ReuseAddr, &address)?;
        setsockopt(&socket, sockopt::ReusePort, &port)?;
        let address = SockaddrStorage::from(SocketAddr::new(self.ip(), at));
        socket::bind(socket.as_raw_fd(), &address)?;
        Ok(Bound(socket))
    }

    pub(super) fn set_linger(
        &self,
        stream: &TcpStream,
        linger: Option<Duration>,
    ) -> io::Result<()> {
        let value = nix::libc::linger {
            l_onoff: i32::from(linger.is_some()),
            l_linger: linger.map_or(0, |linger| linger.as_secs() as i32),
        };
        Ok(setsockopt(stream, sockopt::Linger, &value)?)
    }

    pub(super) fn set_timeouts(&self, listener: &TcpListener, timeout: Duration) -> io::Result<()> {
        let millis = timeout.as_millis() as i64;
        let value: TimeVal = TimeValLike::milliseconds(millis);
        setsockopt(listener, sockopt::ReceiveTimeout, &value)?;
        Ok(setsockopt(listener, sockopt::SendTimeout, &value)?)
    }
}

impl Bound {
    pub(super) fn local_addr(&self) -> io::Result<SocketAddr> {
        // Of any socket, as far as the name goes.
        UdpSocket::from(self.0.try_clone()?).local_addr()
    }

    pub(super) fn listen(&self, backlog: i32) -> io::Result<()> {
        Ok(socket::listen(&self.0, Backlog::new(backlog)?)?)
    }

    pub(super) fn numbers(&self) -> io::Result<Vec<(&'static str, u32)>> {
        let socket = &self.0;
        let traffic_class = match self.local_addr()? {
            SocketAddr::V4(_) => getsockopt(socket, sockopt::Ipv4Tos)?,
            SocketAddr::V6(_) => getsockopt(socket, sockopt::Ipv6TClass)?,
        };
        Ok(vec![
            (
                "accepts connections",
                u32::from(getsockopt(socket, sockopt::AcceptConn)?),
            ),
            (
                "keep-alive",
                u32::from(getsockopt(socket, sockopt::KeepAlive)?),
            ),
            (
                "keep-alive, idle",
                getsockopt(socket, sockopt::TcpKeepIdle)?,
            ),
            (
                "keep-alive, interval",
                getsockopt(socket, sockopt::TcpKeepInterval)?,
            ),
            (
                "keep-alive, count",
                getsockopt(socket, sockopt::TcpKeepCount)?,
            ),
            ("largest segment", getsockopt(socket, sockopt::TcpMaxSeg)?),
            ("type of service", traffic_class as u32),
            ("error", getsockopt(socket, sockopt::SocketError)? as u32),
        ])
    }
}
