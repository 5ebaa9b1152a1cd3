//! embedded-io for blocking TCP connections.

use std::io;

use embedded_io::{ErrorType, Read, ReadReady, Write, WriteReady};

use crate::socket::blocking::TcpStream;

macro_rules! stream {
    ($($stream:ty),* $(,)?) => {$(
        impl ErrorType for $stream {
            type Error = io::Error;
        }

        /// As `std::io::Read`: a read timeout is `WouldBlock`, for which embedded-io has no kind but `Other`.
        impl Read for $stream {
            fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
                if buffer.is_empty() {
                    return Ok(0);
                }
                io::Read::read(self, buffer)
            }
        }

        impl ReadReady for $stream {
            fn read_ready(&mut self) -> io::Result<bool> {
                Ok(self.readiness()?.readable)
            }
        }

        /// As `std::io::Write`: a write timeout is `WouldBlock`, for which embedded-io has no kind but `Other`.
        impl Write for $stream {
            fn write(&mut self, data: &[u8]) -> io::Result<usize> {
                io::Write::write(self, data)
            }

            /// Nothing: what was written leaves by itself.
            fn flush(&mut self) -> io::Result<()> {
                Ok(())
            }
        }

        impl WriteReady for $stream {
            fn write_ready(&mut self) -> io::Result<bool> {
                Ok(self.readiness()?.writable)
            }
        }
    )*};
}

stream!(TcpStream, &TcpStream);
