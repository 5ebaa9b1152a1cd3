//! What a socket is and what happens to it: to be asked for, not to be set.

use super::SocketOption;
use super::sealed::Get;
use crate::stack::{Fd, Stack, Type};
use crate::trace::Observer;
use crate::{Error, Result};

macro_rules! answers {
    ($($(#[$doc:meta])* $name:ident: $value:ty = $answer:expr;)*) => {$(
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        pub struct $name;

        impl SocketOption for $name {}

        impl Get for $name {
            type Value = $value;

            fn get<O: Observer>(&self, stack: &mut Stack<'_, O>, fd: Fd) -> Result<$value> {
                $answer(stack, fd)
            }
        }
    )*};
}

answers! {
    /// `SO_ERROR`: the pending error, which is then no longer pending; [`Stack::take_error`].
    SocketError: Option<Error> = Stack::take_error;
    /// What ICMP last said of a connection's path since the peer was heard: a network, host or protocol that cannot be
    /// reached. It ends no connection (RFC 5461 §2.2), but is the error of one that ends because the peer stays silent, in
    /// place of [`Error::TimedOut`].
    SoftError: Option<Error> = Stack::soft_error;
    /// `SO_TYPE` and `SO_PROTOCOL`: what `socket` was asked for.
    SocketType: Type = Stack::type_of;
    /// `SO_ACCEPTCONN`: whether it listens.
    Accepting: bool = Stack::is_accepting;
    /// `SIOCINQ`, `FIONREAD`: octets that the next `recv` would give: all that wait on a stream, the first datagram.
    ReceiveQueued: usize = Stack::receive_queued;
    /// `SIOCOUTQ`: octets that have not left; of a stream, that the peer has not acknowledged, the FIN counted.
    SendQueued: usize = Stack::send_queued;
}
