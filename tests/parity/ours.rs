//! The sockets of a host of ours that talks to itself, on 127.0.0.1 and `::1`.

use super::transcript::{self, Bits, Family, Log};
use glasstack::{
    Fd,
    host::Host,
    socket::{Network, blocking::ToSocketAddrs, blocking::poll as blocking_poll},
    stack::{Capacity, Domain, Events, PollFd, Type},
};
use std::{
    io,
    net::{IpAddr, SocketAddr},
    time::Duration,
};

use glasstack::socket::blocking::{TcpListener, TcpStream, UdpSocket};

/// Where the calls are made.
struct World {
    family: Family,
    host: Host,
}

impl World {
    fn ip(&self) -> IpAddr {
        self.family.localhost()
    }

    fn listen(&self, address: impl ToSocketAddrs) -> io::Result<TcpListener> {
        TcpListener::bind(&self.host, address)
    }

    fn connect(&self, address: impl ToSocketAddrs) -> io::Result<TcpStream> {
        TcpStream::connect(&self.host, address)
    }

    fn connect_timeout(&self, address: SocketAddr, timeout: Duration) -> io::Result<TcpStream> {
        TcpStream::connect_timeout(&self.host, &address, timeout)
    }

    fn udp(&self, address: impl ToSocketAddrs) -> io::Result<UdpSocket> {
        UdpSocket::bind(&self.host, address)
    }

    /// What is true of a socket now, of what is asked.
    fn events(&self, socket: &dyn Polled, asked: &[Bits]) -> Bits {
        let mut rows = [PollFd::new(socket.fd(), events(asked))];
        let ready = blocking_poll(&self.host, &mut rows, Some(Duration::ZERO)).expect("the host");
        assert_eq!(ready, usize::from(!rows[0].revents.is_empty()));
        Bits(rows[0].revents.bits())
    }

    /// How many of several sockets have the event within a time.
    fn wait(
        &self,
        sockets: &[&dyn Polled],
        asked: Bits,
        timeout: Option<Duration>,
    ) -> io::Result<usize> {
        let rows = sockets.iter();
        let rows = rows.map(|socket| PollFd::new(socket.fd(), events(&[asked])));
        blocking_poll(&self.host, &mut rows.collect::<Vec<_>>(), timeout)
    }

    /// A stream socket by its descriptor alone, on which no call waits.
    fn bare(&self) -> io::Result<Bare> {
        let domain = match self.family {
            Family::V4 => Domain::Inet,
            Family::V6 => Domain::Inet6,
        };
        let fd = self.host.call(|stack| stack.socket(domain, Type::Stream))?;
        let host = self.host.clone();
        Ok(Bare { host, fd })
    }

    /// A descriptor that is no socket's.
    fn stale(&self) -> io::Result<Bare> {
        let Bare { host, fd } = &self.bare()?;
        let (host, fd) = (host.clone(), *fd);
        Ok(Bare { host, fd })
    }
}

fn events(asked: &[Bits]) -> Events {
    let names = [
        (Bits::IN, Events::POLLIN),
        (Bits::OUT, Events::POLLOUT),
        (Bits::RDHUP, Events::POLLRDHUP),
    ];
    let asked = names.iter().filter(|(bits, _)| asked.contains(bits));
    asked.fold(Events::NONE, |all, (_, event)| all | *event)
}

/// What has a descriptor.
trait Polled {
    fn fd(&self) -> Fd;
}

macro_rules! polled {
    ($($socket:ty),*) => {$(
        impl Polled for $socket {
            fn fd(&self) -> Fd {
                self.fd()
            }
        }
    )*};
}
polled!(TcpListener, TcpStream, UdpSocket);

struct Bare {
    host: Host,
    fd: Fd,
}

impl Bare {
    fn connect(&self, address: SocketAddr) -> io::Result<()> {
        Ok(self.host.call(|stack| stack.connect(self.fd, address))?)
    }

    /// Listens for one connection at a time.
    fn listen(&self, ip: IpAddr) -> io::Result<SocketAddr> {
        Ok(self.host.call(|stack| {
            stack.bind(self.fd, SocketAddr::new(ip, 0))?;
            stack.listen(self.fd, 1)?;
            stack.getsockname(self.fd)
        })?)
    }

    fn accept(&self) -> io::Result<()> {
        let accept = |stack: &mut glasstack::Stack<'_, _>| {
            let (fd, _) = stack.accept(self.fd)?;
            stack.close(fd)
        };
        Ok(self.host.call(accept)?)
    }

    fn take_error(&self) -> io::Result<Option<io::Error>> {
        let error = self.host.call(|stack| stack.take_error(self.fd))?;
        Ok(error.map(io::Error::from))
    }
}

impl Polled for Bare {
    fn fd(&self) -> Fd {
        self.fd
    }
}

impl Drop for Bare {
    fn drop(&mut self) {
        // Stale, where that is what it is for.
        let _ = self.host.call(|stack| stack.close(self.fd));
    }
}

/// What `body` writes down is `expected`, on each of the families.
fn show_on(families: &[Family], body: fn(&World, &mut Log) -> io::Result<()>, expected: &str) {
    for &family in families {
        transcript::check("ours", family, expected, move |log| {
            // Two slots a connection, as both ends are here.
            let capacity = Capacity {
                connections: 512,
                ..Capacity::default()
            };
            let host = Host::builder().capacity(capacity).start_loopback()?;
            body(&World { family, host }, log)
        });
    }
}

#[path = "address.rs"]
mod address;
#[path = "concurrent.rs"]
mod concurrent;
#[path = "datagram.rs"]
mod datagram;
#[path = "ending.rs"]
mod ending;
#[path = "option.rs"]
mod option;
#[path = "poll.rs"]
mod poll;
#[path = "sharing.rs"]
mod sharing;
#[path = "ours_sharing.rs"]
mod sharing_options;
#[path = "stream.rs"]
mod stream;
