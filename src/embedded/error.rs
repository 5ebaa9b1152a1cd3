//! The kinds that the traits sort errors into.

use embedded_io::ErrorKind;

use crate::Error;

/// The kind that `std` has for it, where embedded-io has that kind, too.
impl embedded_io::Error for Error {
    fn kind(&self) -> ErrorKind {
        match self {
            Error::AddrInUse => ErrorKind::AddrInUse,
            Error::AddrNotAvailable => ErrorKind::AddrNotAvailable,
            Error::AddressFamilyNotSupported | Error::NotSupported => ErrorKind::Unsupported,
            Error::BrokenPipe => ErrorKind::BrokenPipe,
            Error::ConnectionRefused => ErrorKind::ConnectionRefused,
            Error::ConnectionReset => ErrorKind::ConnectionReset,
            // All memory is in the tables.
            Error::Exhausted(_) => ErrorKind::OutOfMemory,
            Error::BadDescriptor | Error::InvalidArgument | Error::MessageTooLong => {
                ErrorKind::InvalidInput
            }
            Error::NameNotFound => ErrorKind::NotFound,
            Error::DestinationRequired | Error::NotConnected => ErrorKind::NotConnected,
            Error::PermissionDenied => ErrorKind::PermissionDenied,
            Error::TimedOut => ErrorKind::TimedOut,
            Error::AlreadyConnected
            | Error::HostUnreachable
            | Error::NetworkDown
            | Error::NetworkUnreachable
            | Error::NoDevice
            | Error::WouldBlock => ErrorKind::Other,
        }
    }
}

/// `PipeClosed` is the end in the direction of the call: after FIN, a reset or a shutdown.
#[cfg(feature = "embedded-nal")]
impl embedded_nal::TcpError for Error {
    fn kind(&self) -> embedded_nal::TcpErrorKind {
        match self {
            Error::BrokenPipe | Error::ConnectionReset => embedded_nal::TcpErrorKind::PipeClosed,
            _ => embedded_nal::TcpErrorKind::Other,
        }
    }
}
