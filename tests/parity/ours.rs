//! The sockets of a host of ours that talks to itself, on 127.0.0.1 and `::1`.

use super::transcript::{self, Family, Log};
use glasstack::{host::Host, socket::blocking::ToSocketAddrs, stack::Capacity};
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
#[path = "stream.rs"]
mod stream;
