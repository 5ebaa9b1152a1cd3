//! The sockets of the kernel, on 127.0.0.1 and `::1`.

use super::transcript::{self, Family, Log};
use std::{
    io,
    net::{IpAddr, SocketAddr, ToSocketAddrs},
    sync::{Mutex, PoisonError},
    time::Duration,
};

use std::net::{TcpListener, TcpStream, UdpSocket};

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
#[path = "stream.rs"]
mod stream;
