//! embedded-nal for a stack: its `nb` calls are the stack's own, with `nb::Error::WouldBlock` for `Error::WouldBlock`.

use core::net::{IpAddr, SocketAddr};

use embedded_nal::{AddrType, Dns, TcpClientStack, TcpFullStack, UdpClientStack, UdpFullStack, nb};

use super::name::choose;
use crate::stack::{Domain, Type};
use crate::trace::Observer;
use crate::{Error, Fd, Result, Stack};

/// Connections that may wait for `accept`, as with `std::net`: the trait does not ask.
const BACKLOG: usize = 128;

/// The traits' sockets have no family: where the build has both, an IPv6 socket also speaks IPv4.
const DOMAIN: Domain = if cfg!(feature = "ipv6") {
    Domain::Inet6
} else {
    Domain::Inet
};

fn nb<T>(result: Result<T>) -> nb::Result<T, Error> {
    result.map_err(|error| match error {
        Error::WouldBlock => nb::Error::WouldBlock,
        error => nb::Error::Other(error),
    })
}

/// An IPv4 address as it is, where an IPv6 socket shows it mapped (RFC 4291 §2.5.5.2).
fn unmapped(address: SocketAddr) -> SocketAddr {
    SocketAddr::new(address.ip().to_canonical(), address.port())
}

impl<O: Observer> Stack<'_, O> {
    /// The address as `connect` wants it for this socket.
    fn mapped(&self, fd: Fd, address: SocketAddr) -> Result<SocketAddr> {
        Ok(match (self.getsockname(fd)?, address) {
            (SocketAddr::V6(_), SocketAddr::V4(v4)) => {
                SocketAddr::new(v4.ip().to_ipv6_mapped().into(), v4.port())
            }
            _ => address,
        })
    }

    fn bind_port(&mut self, fd: Fd, port: u16) -> Result<()> {
        let mut wildcard = self.getsockname(fd)?;
        wildcard.set_port(port);
        self.bind(fd, wildcard)
    }
}

/// An [`Fd`] is the socket: options, readiness and wakers are there for it, too.
impl<O: Observer> TcpClientStack for Stack<'_, O> {
    type TcpSocket = Fd;
    type Error = Error;

    fn socket(&mut self) -> Result<Fd> {
        Stack::socket(self, DOMAIN, Type::Stream)
    }

    fn connect(&mut self, socket: &mut Fd, remote: SocketAddr) -> nb::Result<(), Error> {
        let remote = self.mapped(*socket, remote).map_err(nb::Error::Other)?;
        nb(Stack::connect(self, *socket, remote))
    }

    fn send(&mut self, socket: &mut Fd, data: &[u8]) -> nb::Result<usize, Error> {
        nb(Stack::send(self, *socket, data))
    }

    /// The end is an error of the kind `PipeClosed`, since that is how the trait tells it.
    fn receive(&mut self, socket: &mut Fd, buffer: &mut [u8]) -> nb::Result<usize, Error> {
        if buffer.is_empty() {
            return Ok(0);
        }
        match nb(self.recv(*socket, buffer))? {
            0 => Err(nb::Error::Other(Error::BrokenPipe)),
            len => Ok(len),
        }
    }

    fn close(&mut self, socket: Fd) -> Result<()> {
        Stack::close(self, socket)
    }
}

impl<O: Observer> TcpFullStack for Stack<'_, O> {
    fn bind(&mut self, socket: &mut Fd, local_port: u16) -> Result<()> {
        self.bind_port(*socket, local_port)
    }

    fn listen(&mut self, socket: &mut Fd) -> Result<()> {
        Stack::listen(self, *socket, BACKLOG)
    }

    fn accept(&mut self, socket: &mut Fd) -> nb::Result<(Fd, SocketAddr), Error> {
        let (connection, peer) = nb(Stack::accept(self, *socket))?;
        Ok((connection, unmapped(peer)))
    }
}

impl<O: Observer> UdpClientStack for Stack<'_, O> {
    type UdpSocket = Fd;
    type Error = Error;

    fn socket(&mut self) -> Result<Fd> {
        Stack::socket(self, DOMAIN, Type::Datagram)
    }

    fn connect(&mut self, socket: &mut Fd, remote: SocketAddr) -> Result<()> {
        Stack::connect(self, *socket, remote)
    }

    /// To the peer that `connect` fixed, as `send(2)`; `DestinationRequired` without one, whatever `send_to` sent to.
    fn send(&mut self, socket: &mut Fd, data: &[u8]) -> nb::Result<(), Error> {
        nb(Stack::send(self, *socket, data).map(drop))
    }

    /// A datagram longer than the buffer is cut; [`Stack::recvfrom`] tells.
    fn receive(
        &mut self,
        socket: &mut Fd,
        buffer: &mut [u8],
    ) -> nb::Result<(usize, SocketAddr), Error> {
        let received = nb(self.recvfrom(*socket, buffer))?;
        Ok((received.len, unmapped(received.from)))
    }

    fn close(&mut self, socket: Fd) -> Result<()> {
        Stack::close(self, socket)
    }
}

impl<O: Observer> UdpFullStack for Stack<'_, O> {
    fn bind(&mut self, socket: &mut Fd, local_port: u16) -> Result<()> {
        self.bind_port(*socket, local_port)
    }

    fn send_to(
        &mut self,
        socket: &mut Fd,
        remote: SocketAddr,
        data: &[u8],
    ) -> nb::Result<(), Error> {
        nb(self.sendto(*socket, data, remote).map(drop))
    }
}

/// From the static table, then from the name servers. One name at a time: to ask for another one gives the first up.
impl<O: Observer> Dns for Stack<'_, O> {
    type Error = Error;

    /// The first of the name's addresses that there is a way to; if to none, the first.
    fn get_host_by_name(&mut self, name: &str, kind: AddrType) -> nb::Result<IpAddr, Error> {
        let addresses = nb(self.resolve_repeatedly(name))?;
        nb(choose(self, &addresses, kind))
    }

    /// `NotSupported`: the resolver asks for addresses alone.
    fn get_host_by_address(&mut self, _: IpAddr, _: &mut [u8]) -> nb::Result<usize, Error> {
        nb(Err(Error::NotSupported))
    }
}
