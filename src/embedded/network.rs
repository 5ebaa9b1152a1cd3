//! embedded-nal-async for the networks.

use core::net::{IpAddr, SocketAddr};

use embedded_nal_async::{AddrType, ConnectedUdp, Dns, TcpConnect, UdpStack, UnconnectedUdp};

use super::name::choose;
use crate::socket::{Clock, Handle, Local, Network, TcpStream, UdpSocket, resolve};
use crate::stack::Type;
use crate::trace::Observer;
use crate::{Error, Result};

macro_rules! networks {
    ($([$($generics:tt)*] $network:ty),* $(,)?) => {$(
        impl<$($generics)*> TcpConnect for $network {
            type Error = Error;
            type Connection<'n> = TcpStream<&'n $network> where Self: 'n;

            async fn connect(&self, remote: SocketAddr) -> Result<Self::Connection<'_>> {
                TcpStream::connect(self, remote).await
            }
        }

        /// From the static table, then from the name servers.
        impl<$($generics)*> Dns for $network {
            type Error = Error;

            /// The first of the name's addresses that there is a way to; if to none, the first.
            async fn get_host_by_name(&self, host: &str, kind: AddrType) -> Result<IpAddr> {
                let addresses = resolve(self, host).await?;
                self.call(|stack| choose(stack, &addresses, kind))
            }

            /// `NotSupported`: the resolver asks for addresses alone.
            async fn get_host_by_address(&self, _: IpAddr, _: &mut [u8]) -> Result<usize> {
                Err(Error::NotSupported)
            }
        }
    )*};
}

networks!(
    ['a, C: Clock, O: Observer] Local<'a, C, O>,
);
#[cfg(any(feature = "std", feature = "critical-section"))]
networks!(
    ['a, C: Clock, O: Observer] crate::socket::Locked<'a, C, O>,
);
#[cfg(all(feature = "std", target_os = "linux"))]
networks!(
    [] crate::host::Host,
);

macro_rules! datagram_networks {
    ($([$($generics:tt)*] $network:ty),* $(,)?) => {$(
        impl<$($generics)*> UdpStack for $network {
            type Error = Error;
            type Connected = UdpSocket<Self>;
            type UniquelyBound = UdpSocket<Self>;
            type MultiplyBound = UdpSocket<Self>;

            async fn connect_from(
                &self,
                local: SocketAddr,
                remote: SocketAddr,
            ) -> Result<(SocketAddr, UdpSocket<Self>)> {
                connect_from(self.clone(), local, remote)
            }

            async fn bind_single(&self, local: SocketAddr) -> Result<(SocketAddr, UdpSocket<Self>)> {
                bind_single(self.clone(), local)
            }

            async fn bind_multiple(&self, local: SocketAddr) -> Result<UdpSocket<Self>> {
                UdpSocket::bind(self.clone(), local)
            }
        }
    )*};
}

// Their sockets have no lifetime of the network's in their types: they hold a reference, or a clone of the host.
datagram_networks!(
    ['n, 'a, C: Clock, O: Observer] &'n Local<'a, C, O>,
);
#[cfg(any(feature = "std", feature = "critical-section"))]
datagram_networks!(
    ['n, 'a, C: Clock, O: Observer] &'n crate::socket::Locked<'a, C, O>,
);
#[cfg(all(feature = "std", target_os = "linux"))]
datagram_networks!(
    [] crate::host::Host,
    ['n] &'n crate::host::Host,
);

/// In one call of the stack: a datagram of anybody else's never comes in between.
fn connect_from<N: Network>(
    network: N,
    local: SocketAddr,
    remote: SocketAddr,
) -> Result<(SocketAddr, UdpSocket<N>)> {
    let handle = Handle::open(network, local, Type::Datagram)?;
    let local = handle.call(|stack, fd| {
        stack.bind(fd, local)?;
        stack.connect(fd, remote)?;
        stack.getsockname(fd)
    })?;
    Ok((local, UdpSocket::of(handle)))
}

/// Unlike `bind(2)`, on one address: of the unspecified one's family, the first of this host's.
fn bind_single<N: Network>(
    network: N,
    mut local: SocketAddr,
) -> Result<(SocketAddr, UdpSocket<N>)> {
    if local.ip().is_unspecified() {
        let own = network.call(|stack| Ok(stack.own_address(local.is_ipv4())))?;
        local.set_ip(own.ok_or(Error::AddrNotAvailable)?);
    }
    let socket = UdpSocket::bind(network, local)?;
    Ok((socket.local_addr()?, socket))
}

impl<N: Network> ConnectedUdp for UdpSocket<N> {
    type Error = Error;

    async fn send(&mut self, data: &[u8]) -> Result<()> {
        UdpSocket::send(self, data).await.map(drop)
    }

    async fn receive_into(&mut self, buffer: &mut [u8]) -> Result<usize> {
        Ok(self.recv_from(buffer).await?.size)
    }
}

impl<N: Network> UnconnectedUdp for UdpSocket<N> {
    type Error = Error;

    /// `AddrNotAvailable` where `local` is not this socket's.
    async fn send(&mut self, local: SocketAddr, remote: SocketAddr, data: &[u8]) -> Result<()> {
        let port = self.local_addr()?.port();
        if local.port() != 0 && local.port() != port {
            return Err(Error::AddrNotAvailable);
        }
        self.send_from(data, local.ip(), remote).await.map(drop)
    }

    async fn receive_into(&mut self, buffer: &mut [u8]) -> Result<(usize, SocketAddr, SocketAddr)> {
        let received = self.recv_from(buffer).await?;
        Ok((received.size, received.to, received.from))
    }
}
