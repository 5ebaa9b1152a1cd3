//! Slots: what the wire talks to. A slot has its buffers, a smoltcp socket in a set of its own, and a place on the
//! agenda. One set a socket is why a frame costs the same among ten sockets as among ten thousand.

use core::net::IpAddr;

use smoltcp::iface::SocketSet;
use smoltcp::socket::{Socket, tcp, udp};
use smoltcp::time::Instant;

use super::connection::Connection;

/// Where a slot stands with its interface.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Agenda {
    /// Nothing to do before its deadline.
    Idle,
    /// On its interface's list of slots to poll.
    Due,
    /// On its interface's list of slots that wait for a neighbor's hardware address.
    Blocked,
}

/// Who a datagram slot works for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Owner {
    /// Nobody.
    Free,
    /// The descriptor.
    Descriptor(u16),
    /// Its descriptor is closed; what is queued is still sent.
    Orphan,
}

/// The part of a slot that differs between protocols.
#[allow(
    clippy::large_enum_variant,
    reason = "there is no heap to put it on, and most slots are connections"
)]
pub(super) enum Kind {
    /// Memory that no socket was put into.
    Unused,
    Connection(Connection),
    Datagram {
        owner: Owner,
        /// Whom the last datagram was for.
        to: IpAddr,
        /// Something waits to be sent; smoltcp counts octets, and an empty datagram is a datagram.
        queued: bool,
        /// The last `sendto` did not fit.
        refused: bool,
    },
    Resolver,
}

/// Memory and state of one smoltcp socket.
pub(super) struct Slot<'a> {
    /// The set that the socket is alone in; none where no socket was put into the slot.
    pub(super) set: Option<SocketSet<'a>>,
    pub(super) interface: u8,
    pub(super) agenda: Agenda,
    /// Since when, and until when smoltcp keeps quiet, where a neighbor does not answer.
    pub(super) blocked: Option<(Instant, Instant)>,
    pub(super) kind: Kind,
}

impl<'a> Slot<'a> {
    /// A slot without a socket.
    pub(super) const UNUSED: Slot<'a> = Slot {
        set: None,
        interface: 0,
        agenda: Agenda::Idle,
        blocked: None,
        kind: Kind::Unused,
    };

    pub(super) fn new(set: SocketSet<'a>, kind: Kind) -> Slot<'a> {
        Slot {
            set: Some(set),
            kind,
            ..Slot::UNUSED
        }
    }

    /// smoltcp keeps beside the socket which neighbor it waits for; the slot's next connection waits for none.
    pub(super) fn forget_neighbor(&mut self) {
        let Some(set) = &mut self.set else { return };
        let handle = set.iter().next().map(|(handle, _)| handle);
        if let Some(handle) = handle {
            let socket = set.remove(handle);
            set.add(socket);
        }
    }

    fn socket(&self) -> Option<&Socket<'a>> {
        self.set.as_ref()?.iter().next().map(|(_, socket)| socket)
    }

    /// Its TCP socket with what the heart knows of the connection.
    pub(super) fn tcp(&mut self) -> Option<(&mut tcp::Socket<'a>, &mut Connection)> {
        match (self.set.as_mut()?.iter_mut().next(), &mut self.kind) {
            (Some((_, Socket::Tcp(socket))), Kind::Connection(connection)) => {
                Some((socket, connection))
            }
            _ => None,
        }
    }

    /// The same, to look at.
    pub(super) fn tcp_ref(&self) -> Option<(&tcp::Socket<'a>, &Connection)> {
        match (self.socket(), &self.kind) {
            (Some(Socket::Tcp(socket)), Kind::Connection(connection)) => Some((socket, connection)),
            _ => None,
        }
    }

    pub(super) fn connection(&self) -> Option<&Connection> {
        match &self.kind {
            Kind::Connection(connection) => Some(connection),
            _ => None,
        }
    }

    pub(super) fn udp(&mut self) -> Option<&mut udp::Socket<'a>> {
        match self.set.as_mut()?.iter_mut().next() {
            Some((_, Socket::Udp(socket))) => Some(socket),
            _ => None,
        }
    }

    pub(super) fn udp_ref(&self) -> Option<&udp::Socket<'a>> {
        match self.socket() {
            Some(Socket::Udp(socket)) => Some(socket),
            _ => None,
        }
    }
}
