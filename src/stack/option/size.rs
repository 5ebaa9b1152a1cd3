//! How much may be queued.

use super::sealed;
use super::{Options, SettableOption, SocketOption};
use crate::Result;
use crate::stack::{Fd, Stack};
use crate::trace::Observer;

/// `SO_SNDBUF`: octets that may wait to be sent or, of a stream, to be acknowledged. No more than the stack's storage has for
/// a socket, which is the default; what is set beyond is cut, as on Linux. One octet at least.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SendBuffer;

impl SocketOption for SendBuffer {}

impl sealed::Get for SendBuffer {
    type Value = usize;

    fn get<O: Observer>(&self, stack: &mut Stack<'_, O>, fd: Fd) -> Result<usize> {
        let set = stack.options_of(fd)?.send_buffer;
        let (send, _) = stack.capacities(fd);
        Ok(set.map_or(send, |set| send.min(set as usize)))
    }
}

impl SettableOption for SendBuffer {}

impl sealed::Set for SendBuffer {
    #[allow(private_interfaces)]
    fn set(&self, options: &mut Options, value: usize) -> Result<()> {
        options.send_buffer = Some(octets(value).max(1));
        Ok(())
    }
}

/// `SO_RCVBUF`: octets that may wait to be received. Of a stream, the window that the peer is offered; a window once offered
/// is not taken back (RFC 9293 §3.8.6), so a smaller one comes as data is read. No more than the stack's storage has for a
/// socket, which is the default; what is set beyond is cut, as on Linux. 2,304 octets at least (or all that there are), and of a
/// stream two steps of the window's scale.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ReceiveBuffer;

impl SocketOption for ReceiveBuffer {}

impl sealed::Get for ReceiveBuffer {
    type Value = usize;

    fn get<O: Observer>(&self, stack: &mut Stack<'_, O>, fd: Fd) -> Result<usize> {
        let set = stack.options_of(fd)?.receive_buffer;
        let (_, receive) = stack.capacities(fd);
        Ok(set.map_or(receive, |set| receive.min(set as usize)))
    }
}

impl SettableOption for ReceiveBuffer {}

impl sealed::Set for ReceiveBuffer {
    #[allow(private_interfaces)]
    fn set(&self, options: &mut Options, value: usize) -> Result<()> {
        options.receive_buffer = Some(octets(value).max(LEAST_RECEIVE_BUFFER));
        Ok(())
    }
}

/// Linux's `SOCK_MIN_RCVBUF`.
const LEAST_RECEIVE_BUFFER: u32 = 2_304;

fn octets(value: usize) -> u32 {
    u32::try_from(value).unwrap_or(u32::MAX)
}
