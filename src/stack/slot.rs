//! Slots: what the wire talks to. A slot has its buffers, a smoltcp socket in a set of its own, and a place on the
//! agenda. One set a socket is why a frame costs the same among ten sockets as among ten thousand.

use core::ops::{Deref, DerefMut, Index, IndexMut};

use managed::{Managed, ManagedSlice};
use smoltcp::iface::SocketSet;
use smoltcp::socket::{Socket, tcp};

use super::connection::Connection;
use super::datagram::Datagrams;
use super::moment::Moment;

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

/// The part of a slot that differs between protocols. It lies elsewhere: a datagram socket's slot is as small as it is.
#[repr(u8)] // "unused" is zero
pub(super) enum Kind<'a> {
    /// Memory that no socket was put into.
    Unused,
    /// smoltcp's socket in the slot's set, and what the heart knows beside it.
    Connection(Managed<'a, Connection>),
    /// The queues of a datagram or raw socket.
    Datagram(Managed<'a, Datagrams<'a>>),
}

/// Memory and state of one socket at the wire's end.
pub(super) struct Slot<'a> {
    /// The set that the socket is alone in; none where no socket was put into the slot.
    pub(super) set: Option<SocketSet<'a>>,
    pub(super) interface: u8,
    pub(super) agenda: Agenda,
    /// Since when a neighbor does not answer, where one does not.
    pub(super) blocked: Moment,
    pub(super) kind: Kind<'a>,
}

impl<'a> Slot<'a> {
    /// A slot without a socket.
    pub(super) const UNUSED: Slot<'a> = Slot {
        set: None,
        interface: 0,
        agenda: Agenda::Idle,
        blocked: Moment::NONE,
        kind: Kind::Unused,
    };

    /// A connection's slot: `set` is for `socket` alone.
    pub(super) fn for_connection(
        mut set: SocketSet<'a>,
        socket: tcp::Socket<'a>,
        connection: impl Into<Managed<'a, Connection>>,
    ) -> Slot<'a> {
        set.add(socket);
        Slot {
            set: Some(set),
            kind: Kind::Connection(connection.into()),
            ..Slot::UNUSED
        }
    }

    /// A datagram or raw socket's slot.
    pub(super) fn for_datagrams(datagrams: impl Into<Managed<'a, Datagrams<'a>>>) -> Slot<'a> {
        Slot {
            kind: Kind::Datagram(datagrams.into()),
            ..Slot::UNUSED
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

    pub(super) fn datagrams(&mut self) -> Option<&mut Datagrams<'a>> {
        match &mut self.kind {
            Kind::Datagram(datagrams) => Some(datagrams),
            _ => None,
        }
    }

    /// The same, to look at.
    #[cfg(feature = "options")]
    pub(super) fn datagrams_ref(&self) -> Option<&Datagrams<'a>> {
        match &self.kind {
            Kind::Datagram(datagrams) => Some(datagrams),
            _ => None,
        }
    }
}

/// All slots, by their number.
pub(super) struct Slots<'a> {
    slots: ManagedSlice<'a, Slot<'a>>,
    /// What a number leads to that is none's. The heart's own lists and tables hold no such number; so the compiler sees that
    /// none can do harm.
    nobody: Slot<'a>,
}

impl<'a> Slots<'a> {
    pub(super) fn new(slots: ManagedSlice<'a, Slot<'a>>) -> Slots<'a> {
        Slots {
            slots,
            nobody: Slot::UNUSED,
        }
    }
}

impl<'a> Deref for Slots<'a> {
    type Target = [Slot<'a>];

    fn deref(&self) -> &[Slot<'a>] {
        &self.slots
    }
}

impl<'a> DerefMut for Slots<'a> {
    fn deref_mut(&mut self) -> &mut [Slot<'a>] {
        &mut self.slots
    }
}

// A small host's flash is dearer than the call: written into each place, this takes 740 octets more.
impl<'a> Index<usize> for Slots<'a> {
    type Output = Slot<'a>;

    #[cfg_attr(not(feature = "std"), inline(never))]
    fn index(&self, number: usize) -> &Slot<'a> {
        self.slots.get(number).unwrap_or(&self.nobody)
    }
}

impl<'a> IndexMut<usize> for Slots<'a> {
    #[cfg_attr(not(feature = "std"), inline(never))]
    fn index_mut(&mut self, number: usize) -> &mut Slot<'a> {
        self.slots.get_mut(number).unwrap_or(&mut self.nobody)
    }
}
