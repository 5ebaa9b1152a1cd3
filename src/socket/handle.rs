//! What every socket has: its network and its descriptor.

use core::net::SocketAddr;

use super::{Network, attempt::Attempt};
use crate::stack::{
    Domain, Interest, Type,
    option::{SettableOption, SocketOption},
};
use crate::{Fd, Result, Stack};

/// An open socket; dropping it closes it.
pub(crate) struct Handle<N: Network> {
    network: N,
    fd: Fd,
}

impl<N: Network> Handle<N> {
    /// `socket(2)`, of the family of `address`.
    pub(crate) fn open(network: N, address: SocketAddr, kind: Type) -> Result<Self> {
        let domain = match address {
            SocketAddr::V4(_) => Domain::Inet,
            SocketAddr::V6(_) => Domain::Inet6,
        };
        Handle::open_domain(network, domain, kind)
    }

    /// `socket(2)`.
    pub(crate) fn open_domain(network: N, domain: Domain, kind: Type) -> Result<Self> {
        let fd = network.call(|stack| stack.socket(domain, kind))?;
        Ok(Handle { network, fd })
    }

    pub(crate) fn of(network: N, fd: Fd) -> Self {
        Handle { network, fd }
    }

    pub(crate) fn network(&self) -> &N {
        &self.network
    }

    pub(crate) fn fd(&self) -> Fd {
        self.fd
    }

    /// A call that never waits.
    pub(crate) fn call<R>(
        &self,
        operation: impl FnOnce(&mut Stack<'_, N::Observer>, Fd) -> Result<R>,
    ) -> Result<R> {
        self.network.call(|stack| operation(stack, self.fd))
    }

    /// A call that waits until the socket is ready for what it is interested in.
    pub(crate) fn attempt<R, F>(&self, interest: Interest, operation: F) -> Attempt<&N, F>
    where
        F: FnMut(&mut Stack<'_, N::Observer>, Fd) -> Result<R>,
    {
        Attempt::new(&self.network, self.fd, interest, operation)
    }

    pub(crate) fn set<T: SettableOption>(&self, option: T, value: T::Value) -> Result<()> {
        self.call(|stack, fd| stack.setsockopt(fd, option, value))
    }

    pub(crate) fn get<T: SocketOption>(&self, option: T) -> Result<T::Value> {
        self.call(|stack, fd| stack.getsockopt(fd, option))
    }
}

impl<N: Network + Clone> Handle<N> {
    /// Another holder of the same socket: it closes with the last.
    pub(crate) fn share(&self) -> Result<Self> {
        self.call(|stack, fd| stack.hold(fd))?;
        Ok(Handle::of(self.network.clone(), self.fd))
    }
}

impl<N: Network> Drop for Handle<N> {
    fn drop(&mut self) {
        // Stale, where the network's own end was quicker.
        let _ = self.network.call(|stack| stack.close(self.fd));
    }
}
