//! The two directions of a TCP connection.

use super::{Network, call, handle::Handle, tcp_stream::TcpStream};
use crate::Result;
use crate::stack::Shutdown;

impl<N: Network> TcpStream<N> {
    /// The two directions, to be used at once by parts of one task.
    pub fn split(&mut self) -> (ReadHalf<'_, N>, WriteHalf<'_, N>) {
        (ReadHalf::of(&self.handle), WriteHalf::of(&self.handle))
    }
}

impl<N: Network + Clone> TcpStream<N> {
    /// The two directions, for tasks of their own. The socket closes with the later of them; the writing half sends FIN when
    /// it is dropped.
    ///
    /// # Errors
    /// None but [`NetworkDown`](crate::Error::NetworkDown).
    pub fn into_split(self) -> Result<(OwnedReadHalf<N>, OwnedWriteHalf<N>)> {
        let other = self.handle.share()?;
        Ok((
            OwnedReadHalf::of(self),
            OwnedWriteHalf::of(TcpStream::of(other)),
        ))
    }
}

/// What a connection is read by, while [`WriteHalf`] writes it: [`TcpStream::split`].
pub struct ReadHalf<'s, N: Network>(pub(super) &'s Handle<N>);

/// What a connection is written by: [`TcpStream::split`].
pub struct WriteHalf<'s, N: Network>(pub(super) &'s Handle<N>);

impl<'s, N: Network> ReadHalf<'s, N> {
    pub(super) fn of(handle: &'s Handle<N>) -> Self {
        ReadHalf(handle)
    }

    #[cfg(feature = "embedded-io")]
    pub(crate) fn handle(&self) -> &Handle<N> {
        self.0
    }

    /// See [`TcpStream::read`].
    ///
    /// # Errors
    /// Those of [`TcpStream::read`].
    pub async fn read(&mut self, buffer: &mut [u8]) -> Result<usize> {
        call::read(self.0, buffer).await
    }

    /// See [`TcpStream::read_exact`].
    ///
    /// # Errors
    /// Those of [`TcpStream::read_exact`].
    pub async fn read_exact(&mut self, buffer: &mut [u8]) -> Result<()> {
        call::read_exact(self.0, buffer).await
    }
}

impl<'s, N: Network> WriteHalf<'s, N> {
    pub(super) fn of(handle: &'s Handle<N>) -> Self {
        WriteHalf(handle)
    }

    #[cfg(feature = "embedded-io")]
    pub(crate) fn handle(&self) -> &Handle<N> {
        self.0
    }

    /// See [`TcpStream::write`].
    ///
    /// # Errors
    /// Those of [`TcpStream::write`].
    pub async fn write(&mut self, data: &[u8]) -> Result<usize> {
        call::write(self.0, data).await
    }

    /// See [`TcpStream::write_all`].
    ///
    /// # Errors
    /// Those of [`TcpStream::write_all`].
    pub async fn write_all(&mut self, data: &[u8]) -> Result<()> {
        call::write_all(self.0, data).await
    }

    /// Sends FIN behind the data.
    ///
    /// # Errors
    /// [`NotConnected`](crate::Error::NotConnected) after the connection is gone.
    pub fn shutdown(&mut self) -> Result<()> {
        self.0.call(|stack, fd| stack.shutdown(fd, Shutdown::Write))
    }
}

/// What a connection is read by, while [`OwnedWriteHalf`] writes it, in tasks of their own: [`TcpStream::into_split`].
pub struct OwnedReadHalf<N: Network>(pub(super) TcpStream<N>);

/// What a connection is written by: [`TcpStream::into_split`]. Dropping it sends FIN behind the data.
pub struct OwnedWriteHalf<N: Network>(pub(super) TcpStream<N>);

impl<N: Network> OwnedReadHalf<N> {
    pub(super) fn of(stream: TcpStream<N>) -> Self {
        OwnedReadHalf(stream)
    }

    #[cfg(feature = "embedded-io")]
    pub(crate) fn handle(&self) -> &Handle<N> {
        &self.0.handle
    }

    /// See [`TcpStream::read`].
    ///
    /// # Errors
    /// Those of [`TcpStream::read`].
    pub async fn read(&mut self, buffer: &mut [u8]) -> Result<usize> {
        self.0.read(buffer).await
    }

    /// See [`TcpStream::read_exact`].
    ///
    /// # Errors
    /// Those of [`TcpStream::read_exact`].
    pub async fn read_exact(&mut self, buffer: &mut [u8]) -> Result<()> {
        self.0.read_exact(buffer).await
    }
}

impl<N: Network> OwnedWriteHalf<N> {
    pub(super) fn of(stream: TcpStream<N>) -> Self {
        OwnedWriteHalf(stream)
    }

    #[cfg(feature = "embedded-io")]
    pub(crate) fn handle(&self) -> &Handle<N> {
        &self.0.handle
    }

    /// See [`TcpStream::write`].
    ///
    /// # Errors
    /// Those of [`TcpStream::write`].
    pub async fn write(&mut self, data: &[u8]) -> Result<usize> {
        self.0.write(data).await
    }

    /// See [`TcpStream::write_all`].
    ///
    /// # Errors
    /// Those of [`TcpStream::write_all`].
    pub async fn write_all(&mut self, data: &[u8]) -> Result<()> {
        self.0.write_all(data).await
    }

    /// Sends FIN behind the data.
    ///
    /// # Errors
    /// [`NotConnected`](crate::Error::NotConnected) after the connection is gone.
    pub fn shutdown(&mut self) -> Result<()> {
        self.0.shutdown(Shutdown::Write)
    }
}

impl<N: Network> Drop for OwnedWriteHalf<N> {
    fn drop(&mut self) {
        // Nothing to end where the connection is over.
        let _ = self.0.shutdown(Shutdown::Write);
    }
}
