//! On [tokio](https://tokio.rs): its traits on TCP connections, and a stack that runs as one of its tasks.
//!
//! [`TcpStream`] and its [owned](TcpStream::into_split) [halves](OwnedReadHalf) are tokio's `AsyncRead` and `AsyncWrite`,
//! over any [`Network`]: what is written for tokio's own streams runs on them. Nothing of their futures, nor of a
//! [`Runner`](super::Runner) with a [`Reactor`], keeps to one thread where the network does not: over an `Arc` of a
//! [`Locked`](super::Locked) stack, or a [`Host`](crate::host::Host), all of it may be spawned on a runtime of many. A function
//! that spawns for any network asks for `N: Network + Clone + Send + Sync + 'static`.
//!
//! ```
//! use glasstack::socket::{Locked, Runner, TcpListener, TcpStream, tokio::Reactor};
//! use glasstack::{Stack, host, stack::Capacity};
//! use std::sync::Arc;
//! use tokio::io::{AsyncReadExt, AsyncWriteExt};
//!
//! # #[tokio::main]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let key = [7; 16]; // 128 random bits, new ones after each start
//! let stack = Stack::with_capacity(Capacity::default(), key, ());
//! let network: Arc<Locked<'static>> = Arc::new(Locked::new(stack, host::now));
//! // Over a TAP: `stack.add_interface(&mut tap, …)`, and `Runner::new(network, interface, tap, Reactor::new()?)`.
//! let mut runner = Runner::loopback(network.clone(), Reactor::new()?);
//! tokio::spawn(async move { runner.run().await });
//!
//! let listener = TcpListener::bind(network.clone(), "127.0.0.1:9999".parse()?, 5)?;
//! tokio::spawn(async move {
//!     let (stream, _) = listener.accept().await?;
//!     let (mut reader, mut writer) = stream.into_split()?;
//!     tokio::io::copy(&mut reader, &mut writer).await?;
//!     std::io::Result::Ok(())
//! });
//! let mut stream = TcpStream::connect(network, "127.0.0.1:9999".parse()?).await?;
//! AsyncWriteExt::write_all(&mut stream, b"Michael").await?;
//! AsyncWriteExt::shutdown(&mut stream).await?;
//! let mut echo = String::new();
//! stream.read_to_string(&mut echo).await?;
//! assert_eq!(echo, "Michael");
//! # Ok(()) }
//! ```

#[cfg(target_os = "linux")]
mod reactor;

#[cfg(target_os = "linux")]
pub use reactor::{Reactor, now};

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use ::tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use super::{Network, OwnedReadHalf, OwnedWriteHalf, TcpStream, attempt};
use crate::stack::{Interest, Shutdown};
use crate::{Error, Stack};

impl<N: Network> TcpStream<N> {
    fn poll_read(
        &mut self,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        // `recv` would wait for data all the same.
        if buffer.remaining() == 0 {
            return Poll::Ready(Ok(()));
        }
        let room = buffer.initialize_unfilled();
        let len = ready!(attempt::poll(
            self.handle.network(),
            self.handle.fd(),
            Interest::Readable,
            &mut self.reading,
            context.waker(),
            |stack: &mut Stack<'_, N::Observer>, fd| stack.recv(fd, room),
        ))?;
        buffer.advance(len);
        Poll::Ready(Ok(()))
    }

    fn poll_write(&mut self, context: &mut Context<'_>, data: &[u8]) -> Poll<io::Result<usize>> {
        attempt::poll(
            self.handle.network(),
            self.handle.fd(),
            Interest::Writable,
            &mut self.writing,
            context.waker(),
            |stack: &mut Stack<'_, N::Observer>, fd| stack.send(fd, data),
        )
        .map_err(io::Error::from)
    }

    fn poll_shutdown(&mut self) -> Poll<io::Result<()>> {
        Poll::Ready(match self.shutdown(Shutdown::Write) {
            // It is over already.
            Ok(()) | Err(Error::NotConnected) => Ok(()),
            Err(error) => Err(error.into()),
        })
    }
}

/// A read of 0 octets into a buffer with room is the end, the peer's FIN.
impl<N: Network> AsyncRead for TcpStream<N> {
    fn poll_read(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        self.get_mut().poll_read(context, buffer)
    }
}

/// `flush` has nothing to do, since the stack sends without being asked to; `shutdown` sends FIN behind the data.
impl<N: Network> AsyncWrite for TcpStream<N> {
    fn poll_write(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        data: &[u8],
    ) -> Poll<io::Result<usize>> {
        self.get_mut().poll_write(context, data)
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.get_mut().poll_shutdown()
    }
}

impl<N: Network> AsyncRead for OwnedReadHalf<N> {
    fn poll_read(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        self.get_mut().0.poll_read(context, buffer)
    }
}

impl<N: Network> AsyncWrite for OwnedWriteHalf<N> {
    fn poll_write(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        data: &[u8],
    ) -> Poll<io::Result<usize>> {
        self.get_mut().0.poll_write(context, data)
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.get_mut().0.poll_shutdown()
    }
}
