//! Sockets that share a port (socket(7)'s `SO_REUSEADDR` and `SO_REUSEPORT`), and which of them something is for.

use super::fd::{Descriptor, Socket};
use super::flow::{Flow, Scope};
use super::{Stack, Type};

use crate::trace::Observer;

impl Descriptor {
    fn is_listening(&self) -> bool {
        matches!(self.socket, Socket::Listening { .. })
    }

    /// Whether two sockets may have one port on one address.
    fn shares_with(&self, other: &Descriptor) -> bool {
        let (a, b) = (&self.options, &other.options);
        let by_address = a.reuse_address && b.reuse_address;
        let is_served =
            self.kind() == Type::Stream && (self.is_listening() || other.is_listening());
        a.reuse_port && b.reuse_port || by_address && !is_served
    }
}

impl<'a, O: Observer> Stack<'a, O> {
    /// Whether a descriptor may not be bound to the port, because of others that are.
    pub(super) fn is_port_refused(&self, index: u16, scope: Scope, port: u16) -> bool {
        let row = self.descriptors.peek(index);
        let kind = row.kind();
        let hash = self.secret.port_hash(kind == Type::Stream, port);
        let refuses = |other: u16| {
            let other_row = self.descriptors.peek(other);
            other != index
                && other_row.kind() == kind
                && other_row.local.port == port
                && other_row.scope().overlaps(scope)
                && !row.shares_with(other_row)
        };
        self.ports.candidates(hash).any(refuses)
            || kind == Type::Datagram && self.resolver.is_using(port)
    }

    /// Whether a bound descriptor may not listen, because another listens where it would. Sharing a port by address ends there.
    pub(super) fn is_listening_refused(&self, index: u16) -> bool {
        let row = self.descriptors.peek(index);
        let (scope, port) = (row.scope(), row.local.port);
        let hash = self.secret.port_hash(true, port);
        let refuses = |other: u16| {
            let other_row = self.descriptors.peek(other);
            other != index
                && other_row.is_listening()
                && other_row.local.port == port
                && other_row.scope().overlaps(scope)
                && !row.shares_with(other_row)
        };
        self.ports.candidates(hash).any(refuses)
    }

    /// Which of the sockets that fit a flow equally well it is for: the one with the highest rank. Of those that share the port
    /// by number, chance decides, for each flow and always the same way (rendezvous hashing: who comes or goes takes no more than
    /// its own share); of others, the one that was bound last.
    pub(super) fn rank(&self, index: u16, flow: &Flow) -> u32 {
        let row = self.descriptors.peek(index);
        match row.options.reuse_port {
            true => self
                .secret
                .share_hash(flow.local.pair(), flow.remote.pair(), index),
            false => row.bound,
        }
    }
}
