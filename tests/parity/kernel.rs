//! The sockets of the kernel, on 127.0.0.1 and `::1`.

use super::transcript::{self, Bits, Family, Log};
use nix::{
    errno::Errno,
    poll::{PollFd, PollFlags, PollTimeout},
    sys::socket::{
        self, AddressFamily, Backlog, SockFlag, SockType, SockaddrStorage, getsockopt, sockopt,
    },
};
use std::{
    io,
    net::{IpAddr, SocketAddr, ToSocketAddrs},
    os::fd::{AsRawFd, OwnedFd},
    sync::{Mutex, PoisonError},
    time::Duration,
};

use std::net::{TcpListener, TcpStream, UdpSocket};
use std::os::fd::AsFd as Polled;

/// Where the calls are made.
struct World(Family);

impl World {
    fn ip(&self) -> IpAddr {
        self.0.localhost()
    }

    fn listen(&self, address: impl ToSocketAddrs) -> io::Result<TcpListener> {
        TcpListener::bind(address)
    }

    fn connect(&self, address: impl ToSocketAddrs) -> io::Result<TcpStream> {
        TcpStream::connect(address)
    }

    fn connect_timeout(&self, address: SocketAddr, timeout: Duration) -> io::Result<TcpStream> {
        TcpStream::connect_timeout(&address, timeout)
    }

    fn udp(&self, address: impl ToSocketAddrs) -> io::Result<UdpSocket> {
        UdpSocket::bind(address)
    }

    /// What is true of a socket now, of what is asked.
    fn events(&self, socket: &dyn Polled, asked: &[Bits]) -> Bits {
        let asked = asked.iter().fold(0, |asked, bits| asked | bits.0);
        // nix has no name for RDHUP, and says of what it cannot name that there is something.
        let ask = |bits: u16| {
            let asked = PollFlags::from_bits_retain(bits as i16);
            let mut row = [PollFd::new(socket.as_fd(), asked)];
            nix::poll::poll(&mut row, PollTimeout::ZERO).expect("poll(2)");
            row[0].revents()
        };
        let named = ask(asked & !Bits::RDHUP.0).expect("no more than what was asked");
        let has_ended = asked & Bits::RDHUP.0 != 0 && ask(Bits::RDHUP.0).is_none();
        let ended = if has_ended { Bits::RDHUP.0 } else { 0 };
        Bits(named.bits() as u16 | ended)
    }

    /// How many of several sockets have the event within a time.
    fn wait(
        &self,
        sockets: &[&dyn Polled],
        asked: Bits,
        timeout: Option<Duration>,
    ) -> io::Result<usize> {
        let asked = PollFlags::from_bits_retain(asked.0 as i16);
        let rows = sockets
            .iter()
            .map(|socket| PollFd::new(socket.as_fd(), asked));
        let timeout = timeout.map_or(PollTimeout::NONE, |timeout| {
            timeout.try_into().expect("a short time")
        });
        let ready = nix::poll::poll(&mut rows.collect::<Vec<_>>(), timeout)?;
        Ok(usize::try_from(ready).expect("no error"))
    }

    /// A stream socket by its descriptor alone, on which no call waits.
    fn bare(&self) -> io::Result<Bare> {
        let family = match self.0 {
            Family::V4 => AddressFamily::Inet,
            Family::V6 => AddressFamily::Inet6,
        };
        let flags = SockFlag::SOCK_NONBLOCK | SockFlag::SOCK_CLOEXEC;
        Ok(Bare(socket::socket(family, SockType::Stream, flags, None)?))
    }

    /// A descriptor that is no socket's.
    fn stale(&self) -> io::Result<Bare> {
        use std::os::unix::fs::OpenOptionsExt;
        // Not a closed one, whose number may be another's meanwhile; open(2): with O_PATH it is as good as that.
        let mut options = std::fs::OpenOptions::new();
        options.read(true).custom_flags(nix::libc::O_PATH);
        Ok(Bare(options.open("/")?.into()))
    }
}

struct Bare(OwnedFd);

impl Bare {
    fn connect(&self, address: SocketAddr) -> io::Result<()> {
        match socket::connect(self.0.as_raw_fd(), &SockaddrStorage::from(address)) {
            Err(Errno::EINPROGRESS) => Err(io::ErrorKind::WouldBlock.into()),
            result => Ok(result?),
        }
    }

    /// Listens for one connection at a time.
    fn listen(&self, ip: IpAddr) -> io::Result<SocketAddr> {
        let address = SockaddrStorage::from(SocketAddr::new(ip, 0));
        socket::bind(self.0.as_raw_fd(), &address)?;
        // listen(2): Linux lets one more wait than it is asked for.
        socket::listen(&self.0, Backlog::new(0)?)?;
        let name = socket::getsockname::<SockaddrStorage>(self.0.as_raw_fd())?;
        let port = match (name.as_sockaddr_in(), name.as_sockaddr_in6()) {
            (Some(name), _) => name.port(),
            (_, Some(name)) => name.port(),
            _ => 0,
        };
        Ok(SocketAddr::new(ip, port))
    }

    fn accept(&self) -> io::Result<()> {
        let listener = TcpListener::from(self.0.try_clone()?);
        listener.accept().map(drop)
    }

    fn take_error(&self) -> io::Result<Option<io::Error>> {
        let error = getsockopt(&self.0, sockopt::SocketError)?;
        Ok((error != 0).then(|| io::Error::from_raw_os_error(error)))
    }
}

impl Polled for Bare {
    fn as_fd(&self) -> std::os::fd::BorrowedFd<'_> {
        self.0.as_fd()
    }
}

/// The kernel's ports are everybody's: another test's connection must not have the one that this test asks for.
static ONE_AT_A_TIME: Mutex<()> = Mutex::new(());

/// What `body` writes down is `expected`, on each of the families.
fn show_on(families: &[Family], body: fn(&World, &mut Log) -> io::Result<()>, expected: &str) {
    // A test that failed under it has closed its sockets all the same.
    let _alone = ONE_AT_A_TIME.lock().unwrap_or_else(PoisonError::into_inner);
    for &family in families {
        if std::net::UdpSocket::bind((family.localhost(), 0)).is_err() {
            assert!(std::env::var_os("CI").is_none(), "no {family:?} here");
            eprintln!("skipped: this machine has no {family:?} loopback");
            continue;
        }
        transcript::check("kernel", family, expected, move |log| {
            body(&World(family), log)
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
#[path = "kernel_sharing.rs"]
mod sharing_options;
#[path = "stream.rs"]
mod stream;
