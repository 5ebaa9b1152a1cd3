//! What each call means, once for all faces: which call of the stack is tried, and what is waited for where it would block.

use core::net::SocketAddr;

use super::{Network, handle::Handle};
use crate::stack::{Interest, Message, Received};
use crate::{Error, Result, Stack};

pub(crate) async fn connect<N: Network>(handle: &Handle<N>, address: SocketAddr) -> Result<()> {
    let connect = |stack: &mut Stack<'_, N::Observer>, fd| stack.connect(fd, address);
    handle.attempt(Interest::Writable, connect).await
}

pub(crate) async fn read<N: Network>(handle: &Handle<N>, buffer: &mut [u8]) -> Result<usize> {
    let read = |stack: &mut Stack<'_, N::Observer>, fd| stack.recv(fd, buffer);
    handle.attempt(Interest::Readable, read).await
}

pub(crate) async fn peek<N: Network>(handle: &Handle<N>, buffer: &mut [u8]) -> Result<usize> {
    let peek = |stack: &mut Stack<'_, N::Observer>, fd| stack.peek(fd, buffer);
    handle.attempt(Interest::Readable, peek).await
}

pub(crate) async fn read_exact<N: Network>(handle: &Handle<N>, buffer: &mut [u8]) -> Result<()> {
    let mut rest = buffer;
    while !rest.is_empty() {
        match read(handle, rest).await? {
            0 => return Err(Error::BrokenPipe),
            len => rest = rest.get_mut(len..).unwrap_or_default(),
        }
    }
    Ok(())
}

pub(crate) async fn write<N: Network>(handle: &Handle<N>, data: &[u8]) -> Result<usize> {
    let write = |stack: &mut Stack<'_, N::Observer>, fd| stack.send(fd, data);
    handle.attempt(Interest::Writable, write).await
}

pub(crate) async fn write_all<N: Network>(handle: &Handle<N>, data: &[u8]) -> Result<()> {
    let mut rest = data;
    while !rest.is_empty() {
        let len = write(handle, rest).await?;
        rest = rest.get(len..).unwrap_or_default();
    }
    Ok(())
}

pub(crate) async fn ready<N: Network>(handle: &Handle<N>, interest: Interest) -> Result<()> {
    let ready = |stack: &mut Stack<'_, N::Observer>, fd| {
        let readiness = stack.readiness(fd)?;
        let is_ready = match interest {
            Interest::Readable => readiness.readable,
            Interest::Writable => readiness.writable,
        };
        is_ready.then_some(()).ok_or(Error::WouldBlock)
    };
    handle.attempt(interest, ready).await
}

pub(crate) async fn accept<N: Network + Clone>(
    listener: &Handle<N>,
) -> Result<(Handle<N>, SocketAddr)> {
    let accept = |stack: &mut Stack<'_, N::Observer>, fd| stack.accept(fd);
    let (fd, peer) = listener.attempt(Interest::Readable, accept).await?;
    Ok((Handle::of(listener.network().clone(), fd), peer))
}

pub(crate) async fn send_to<N: Network>(
    handle: &Handle<N>,
    data: &[u8],
    address: SocketAddr,
) -> Result<usize> {
    let send = |stack: &mut Stack<'_, N::Observer>, fd| stack.sendto(fd, data, address);
    handle.attempt(Interest::Writable, send).await
}

pub(crate) async fn recv_from<N: Network>(
    handle: &Handle<N>,
    buffer: &mut [u8],
) -> Result<Received> {
    let receive = |stack: &mut Stack<'_, N::Observer>, fd| stack.recvfrom(fd, buffer);
    handle.attempt(Interest::Readable, receive).await
}

pub(crate) async fn peek_from<N: Network>(
    handle: &Handle<N>,
    buffer: &mut [u8],
) -> Result<Received> {
    let peek = |stack: &mut Stack<'_, N::Observer>, fd| stack.peekfrom(fd, buffer);
    handle.attempt(Interest::Readable, peek).await
}

pub(crate) async fn send_msg<N: Network>(
    handle: &Handle<N>,
    message: &Message<'_>,
) -> Result<usize> {
    let send = |stack: &mut Stack<'_, N::Observer>, fd| stack.sendmsg(fd, message);
    handle.attempt(Interest::Writable, send).await
}

pub(crate) async fn recv_msg<N: Network>(
    handle: &Handle<N>,
    buffers: &mut [&mut [u8]],
) -> Result<Received> {
    let receive = |stack: &mut Stack<'_, N::Observer>, fd| stack.recvmsg(fd, buffers);
    handle.attempt(Interest::Readable, receive).await
}
