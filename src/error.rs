//! One error for every call; each value knows its errno name.

use core::fmt;

/// What every call of this crate returns.
pub type Result<T> = core::result::Result<T, Error>;

/// Why a call failed: the POSIX errors that sockets know, by their meaning.
///
/// ```
/// use glasstack::Error;
/// assert_eq!(Error::ConnectionRefused.errno(), "ECONNREFUSED");
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Error {
    /// The address and port are taken by another socket.
    AddrInUse,
    /// The address is not one of this host's, or no ephemeral port is free.
    AddrNotAvailable,
    /// The address is of a family that the socket (or this build) does not have.
    AddressFamilyNotSupported,
    /// The stream is connected already.
    AlreadyConnected,
    /// The descriptor is closed: it never named another socket and never will.
    BadDescriptor,
    /// This side of the stream was shut down, or the connection is gone.
    BrokenPipe,
    /// Nobody listens there: the peer answered with RST, or ICMP said "port unreachable".
    ConnectionRefused,
    /// The peer reset the connection.
    ConnectionReset,
    /// A datagram needs a destination: neither `connect` nor `sendto` gave one.
    DestinationRequired,
    /// A fixed-size table is full; the value says which.
    Exhausted(Limit),
    /// The next hop does not answer, or a router said "host unreachable".
    HostUnreachable,
    /// The argument, or the call in this state of the socket, makes no sense.
    InvalidArgument,
    /// The datagram does not fit into the path's MTU or the socket's send buffer.
    MessageTooLong,
    /// The name does not exist, or has no address.
    NameNotFound,
    /// The network is at its end: its host was shut down, or an observer panicked.
    NetworkDown,
    /// No interface has a route to the address.
    NetworkUnreachable,
    /// No such interface, or none that leads to the group.
    NoDevice,
    /// The socket is not connected.
    NotConnected,
    /// The call does not exist for this type of socket.
    NotSupported,
    /// Sending to a broadcast address needs permission.
    PermissionDenied,
    /// The peer did not answer in time.
    TimedOut,
    /// The call would wait; try again when the socket is ready.
    WouldBlock,
}

/// The fixed-size tables of a stack, as [`Error::Exhausted`] names them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Limit {
    /// Descriptors: every open socket has one.
    Sockets,
    /// TCP connections, with their buffers.
    Connections,
    /// UDP and raw sockets, with their buffers.
    Datagrams,
    /// Network interfaces.
    Interfaces,
    /// Addresses of one interface.
    Addresses,
    /// Routes of one interface.
    Routes,
    /// Name lookups under way.
    Lookups,
    /// Entries of the static name table.
    Names,
    /// Name servers.
    NameServers,
    /// Hosts of a simulation.
    Hosts,
    /// Multicast groups of one interface.
    Groups,
}

impl Limit {
    const fn name(self) -> &'static str {
        match self {
            Limit::Sockets => "sockets",
            Limit::Connections => "TCP connections",
            Limit::Datagrams => "UDP sockets",
            Limit::Interfaces => "interfaces",
            Limit::Addresses => "addresses of the interface",
            Limit::Routes => "routes of the interface",
            Limit::Lookups => "name lookups",
            Limit::Names => "names in the static table",
            Limit::NameServers => "name servers",
            Limit::Hosts => "hosts in the simulation",
            Limit::Groups => "multicast groups of the interface",
        }
    }
}

impl Error {
    /// The POSIX name of this error, as `errno(3)` lists it (`EAI_NONAME`, from `getaddrinfo(3)`, for a name).
    pub const fn errno(self) -> &'static str {
        match self {
            Error::AddrInUse => "EADDRINUSE",
            Error::AddrNotAvailable => "EADDRNOTAVAIL",
            Error::AddressFamilyNotSupported => "EAFNOSUPPORT",
            Error::AlreadyConnected => "EISCONN",
            Error::BadDescriptor => "EBADF",
            Error::BrokenPipe => "EPIPE",
            Error::ConnectionRefused => "ECONNREFUSED",
            Error::ConnectionReset => "ECONNRESET",
            Error::DestinationRequired => "EDESTADDRREQ",
            Error::Exhausted(Limit::Sockets) => "EMFILE",
            Error::Exhausted(_) => "ENOBUFS",
            Error::HostUnreachable => "EHOSTUNREACH",
            Error::InvalidArgument => "EINVAL",
            Error::MessageTooLong => "EMSGSIZE",
            Error::NameNotFound => "EAI_NONAME",
            Error::NetworkDown => "ENETDOWN",
            Error::NetworkUnreachable => "ENETUNREACH",
            Error::NoDevice => "ENODEV",
            Error::NotConnected => "ENOTCONN",
            Error::NotSupported => "EOPNOTSUPP",
            Error::PermissionDenied => "EACCES",
            Error::TimedOut => "ETIMEDOUT",
            Error::WouldBlock => "EAGAIN",
        }
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let text = match self {
            Error::AddrInUse => "address already in use",
            Error::AddrNotAvailable => "address not available",
            Error::AddressFamilyNotSupported => "address family not supported",
            Error::AlreadyConnected => "already connected",
            Error::BadDescriptor => "bad descriptor",
            Error::BrokenPipe => "broken pipe",
            Error::ConnectionRefused => "connection refused",
            Error::ConnectionReset => "connection reset by peer",
            Error::DestinationRequired => "destination address required",
            Error::Exhausted(limit) => {
                return write!(f, "no more {} ({})", limit.name(), self.errno());
            }
            Error::HostUnreachable => "host unreachable",
            Error::InvalidArgument => "invalid argument",
            Error::MessageTooLong => "message too long",
            Error::NameNotFound => "name not found",
            Error::NetworkDown => "network down",
            Error::NetworkUnreachable => "network unreachable",
            Error::NoDevice => "no such device",
            Error::NotConnected => "not connected",
            Error::NotSupported => "not supported by this type of socket",
            Error::PermissionDenied => "permission denied",
            Error::TimedOut => "timed out",
            Error::WouldBlock => "would block",
        };
        write!(f, "{text} ({})", self.errno())
    }
}

impl core::error::Error for Error {}

#[cfg(feature = "std")]
impl From<Error> for std::io::Error {
    /// The same `ErrorKind` that the operating system's socket would give.
    fn from(error: Error) -> std::io::Error {
        use std::io::ErrorKind;
        let kind = match error {
            Error::AddrInUse => ErrorKind::AddrInUse,
            Error::AddrNotAvailable => ErrorKind::AddrNotAvailable,
            // The kernel's own values for these have no stable kind.
            Error::AddressFamilyNotSupported | Error::AlreadyConnected | Error::BadDescriptor => {
                ErrorKind::Other
            }
            Error::BrokenPipe => ErrorKind::BrokenPipe,
            Error::ConnectionRefused => ErrorKind::ConnectionRefused,
            Error::ConnectionReset => ErrorKind::ConnectionReset,
            Error::DestinationRequired | Error::MessageTooLong => ErrorKind::Other,
            Error::Exhausted(_) => ErrorKind::Other,
            Error::HostUnreachable => ErrorKind::HostUnreachable,
            Error::InvalidArgument => ErrorKind::InvalidInput,
            Error::NameNotFound => ErrorKind::NotFound,
            Error::NetworkDown => ErrorKind::NetworkDown,
            Error::NetworkUnreachable => ErrorKind::NetworkUnreachable,
            Error::NoDevice => ErrorKind::Other,
            Error::NotConnected => ErrorKind::NotConnected,
            Error::NotSupported => ErrorKind::Unsupported,
            Error::PermissionDenied => ErrorKind::PermissionDenied,
            Error::TimedOut => ErrorKind::TimedOut,
            Error::WouldBlock => ErrorKind::WouldBlock,
        };
        std::io::Error::new(kind, error)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn says_what_happened_and_its_errno() {
        let text = std::format!("{}", Error::ConnectionRefused);
        assert_eq!(text, "connection refused (ECONNREFUSED)");
        let text = std::format!("{}", Error::Exhausted(Limit::Connections));
        assert_eq!(text, "no more TCP connections (ENOBUFS)");
    }

    #[test]
    #[cfg(feature = "std")]
    fn keeps_the_cause_inside_the_io_error() {
        let error = std::io::Error::from(Error::ConnectionReset);
        assert_eq!(error.kind(), std::io::ErrorKind::ConnectionReset);
        let inner = error.into_inner().and_then(|e| e.downcast::<Error>().ok());
        assert_eq!(inner.as_deref(), Some(&Error::ConnectionReset));
    }
}
