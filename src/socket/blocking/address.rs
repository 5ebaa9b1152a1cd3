//! From what a program writes as an address to socket addresses.

use crate::host::Host;
use std::{
    io,
    iter::Cloned,
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, SocketAddrV4, SocketAddrV6},
    option, slice, vec,
};

/// What can name one or more socket addresses: `std::net::ToSocketAddrs`, except that a host of ours resolves the name.
///
/// ```
/// # use glasstack::{host::Host, socket::blocking::ToSocketAddrs};
/// let host = Host::builder().name("server", "10.0.0.2".parse().unwrap()).start_loopback()?;
/// let addresses: Vec<_> = "server:9999".to_socket_addrs(&host)?.collect();
/// assert_eq!(addresses, ["10.0.0.2:9999".parse().unwrap()]);
/// # std::io::Result::Ok(())
/// ```
pub trait ToSocketAddrs {
    /// The addresses, in the order in which they are tried.
    type Iter: Iterator<Item = SocketAddr>;

    /// Resolves the name, where it is one; that waits for the answer.
    ///
    /// # Errors
    /// `InvalidInput` for a text that is no `host:port`, and what [`Host::resolve`] says.
    fn to_socket_addrs(&self, host: &Host) -> io::Result<Self::Iter>;

    /// The name and the port, where it is a name and not an address: for who can do better than to wait for all of its
    /// addresses.
    #[doc(hidden)]
    fn name_and_port(&self) -> Option<(&str, u16)> {
        None
    }
}

impl ToSocketAddrs for SocketAddr {
    type Iter = option::IntoIter<SocketAddr>;

    fn to_socket_addrs(&self, _: &Host) -> io::Result<Self::Iter> {
        Ok(Some(*self).into_iter())
    }
}

/// What becomes a `SocketAddr` without a question.
macro_rules! literal {
    ($($type:ty),*) => {$(
        impl ToSocketAddrs for $type {
            type Iter = option::IntoIter<SocketAddr>;

            fn to_socket_addrs(&self, host: &Host) -> io::Result<Self::Iter> {
                SocketAddr::from(*self).to_socket_addrs(host)
            }
        }
    )*};
}
literal!(
    SocketAddrV4,
    SocketAddrV6,
    (IpAddr, u16),
    (Ipv4Addr, u16),
    (Ipv6Addr, u16)
);

impl ToSocketAddrs for (&str, u16) {
    type Iter = vec::IntoIter<SocketAddr>;

    fn to_socket_addrs(&self, host: &Host) -> io::Result<Self::Iter> {
        let (name, port) = *self;
        let found = match name.parse::<IpAddr>() {
            Ok(address) => vec![address],
            Err(_) => host.resolve(name)?,
        };
        let addresses: Vec<_> = found
            .into_iter()
            .map(|address| SocketAddr::new(address, port))
            .collect();
        Ok(addresses.into_iter())
    }

    fn name_and_port(&self) -> Option<(&str, u16)> {
        Some(*self)
    }
}

impl ToSocketAddrs for (String, u16) {
    type Iter = vec::IntoIter<SocketAddr>;

    fn to_socket_addrs(&self, host: &Host) -> io::Result<Self::Iter> {
        (self.0.as_str(), self.1).to_socket_addrs(host)
    }

    fn name_and_port(&self) -> Option<(&str, u16)> {
        Some((&self.0, self.1))
    }
}

impl ToSocketAddrs for str {
    type Iter = vec::IntoIter<SocketAddr>;

    fn to_socket_addrs(&self, host: &Host) -> io::Result<Self::Iter> {
        if let Ok(address) = self.parse() {
            return Ok(vec![address].into_iter());
        }
        split_host_and_port(self)?.to_socket_addrs(host)
    }

    fn name_and_port(&self) -> Option<(&str, u16)> {
        match self.parse::<SocketAddr>() {
            Ok(_) => None,
            Err(_) => split_host_and_port(self).ok(),
        }
    }
}

impl ToSocketAddrs for String {
    type Iter = vec::IntoIter<SocketAddr>;

    fn to_socket_addrs(&self, host: &Host) -> io::Result<Self::Iter> {
        self.as_str().to_socket_addrs(host)
    }

    fn name_and_port(&self) -> Option<(&str, u16)> {
        self.as_str().name_and_port()
    }
}

impl<'a> ToSocketAddrs for &'a [SocketAddr] {
    type Iter = Cloned<slice::Iter<'a, SocketAddr>>;

    fn to_socket_addrs(&self, _: &Host) -> io::Result<Self::Iter> {
        Ok(self.iter().cloned())
    }
}

impl<T: ToSocketAddrs + ?Sized> ToSocketAddrs for &T {
    type Iter = T::Iter;

    fn to_socket_addrs(&self, host: &Host) -> io::Result<Self::Iter> {
        (**self).to_socket_addrs(host)
    }

    fn name_and_port(&self) -> Option<(&str, u16)> {
        (**self).name_and_port()
    }
}

fn split_host_and_port(text: &str) -> io::Result<(&str, u16)> {
    let (name, port) = text
        .rsplit_once(':')
        .ok_or_else(|| invalid("invalid socket address"))?;
    let port = port.parse().map_err(|_| invalid("invalid port value"))?;
    Ok((name, port))
}

/// Tries `operation` with each address in turn: the first success, or the error of the last.
pub(super) fn each<T>(
    host: &Host,
    address: impl ToSocketAddrs,
    mut operation: impl FnMut(SocketAddr) -> io::Result<T>,
) -> io::Result<T> {
    let mut error = invalid("could not resolve to any addresses");
    for address in address.to_socket_addrs(host)? {
        match operation(address) {
            Ok(value) => return Ok(value),
            Err(last) => error = last,
        }
    }
    Err(error)
}

fn invalid(reason: &'static str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidInput, reason)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_port_is_behind_the_last_colon() {
        assert!(matches!(
            split_host_and_port("www.example.com:80"),
            Ok(("www.example.com", 80))
        ));
        for text in [
            "www.example.com",
            "www.example.com:",
            "www.example.com:65536",
            ":-1",
        ] {
            let error = split_host_and_port(text).expect_err(text);
            assert_eq!(error.kind(), io::ErrorKind::InvalidInput, "{text}");
        }
    }
}
