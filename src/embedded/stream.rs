//! embedded-io-async for TCP connections and their halves.

use embedded_io_async::{ErrorType, Read, ReadReady, Write, WriteReady};

use crate::socket::{
    Handle, Network, OwnedReadHalf, OwnedWriteHalf, ReadHalf, TcpStream, WriteHalf,
    call::{read, write},
};
use crate::{Error, Result};

macro_rules! stream {
    ($($stream:ty),* $(,)?) => {$(
        impl<N: Network> ErrorType for $stream {
            type Error = Error;
        }
    )*};
}

macro_rules! readers {
    ($($reader:ty),* $(,)?) => {$(
        /// Dropped before it is ready, a read has taken nothing.
        impl<N: Network> Read for $reader {
            async fn read(&mut self, buffer: &mut [u8]) -> Result<usize> {
                // Unlike `recv(2)`, it does not wait to read nothing.
                if buffer.is_empty() {
                    return Ok(0);
                }
                read(self.handle(), buffer).await
            }
        }

        impl<N: Network> ReadReady for $reader {
            fn read_ready(&mut self) -> Result<bool> {
                is_readable(self.handle())
            }
        }
    )*};
}

macro_rules! writers {
    ($($writer:ty),* $(,)?) => {$(
        /// Dropped before it is ready, a write has queued nothing.
        impl<N: Network> Write for $writer {
            async fn write(&mut self, data: &[u8]) -> Result<usize> {
                write(self.handle(), data).await
            }

            /// Nothing: what was written leaves by itself.
            async fn flush(&mut self) -> Result<()> {
                Ok(())
            }
        }

        impl<N: Network> WriteReady for $writer {
            fn write_ready(&mut self) -> Result<bool> {
                is_writable(self.handle())
            }
        }
    )*};
}

stream!(TcpStream<N>, &TcpStream<N>);
stream!(ReadHalf<'_, N>, WriteHalf<'_, N>);
stream!(OwnedReadHalf<N>, OwnedWriteHalf<N>);
readers!(
    TcpStream<N>,
    &TcpStream<N>,
    ReadHalf<'_, N>,
    OwnedReadHalf<N>
);
writers!(
    TcpStream<N>,
    &TcpStream<N>,
    WriteHalf<'_, N>,
    OwnedWriteHalf<N>
);

fn is_readable<N: Network>(handle: &Handle<N>) -> Result<bool> {
    handle.call(|stack, fd| Ok(stack.readiness(fd)?.readable))
}

fn is_writable<N: Network>(handle: &Handle<N>) -> Result<bool> {
    handle.call(|stack, fd| Ok(stack.readiness(fd)?.writable))
}
