//! Descriptors: what an application holds. A descriptor is small and copyable; a stale one is an error and never
//! another socket, because its row's generation has moved on.

use managed::ManagedSlice;

use super::flow::{Endpoint, Scope, UNSPECIFIED, unspecified};
use super::ip::IpAddr;
use super::list::{List, NONE};
use super::option::Options;
use super::raw::RawProtocol;
use super::{Domain, Type};
use crate::{Error, Limit, Result};

/// A socket descriptor, valid until [`close`](super::Stack::close).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Fd {
    pub(super) index: u16,
    generation: u32,
}

impl core::fmt::Display for Fd {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        write!(f, "{}", self.index)
    }
}

/// What a socket is at the moment.
pub(super) enum Socket {
    /// The row is free; the next free one follows.
    Free { next: u16 },
    /// A stream socket that neither listens nor connects.
    Idle,
    /// `listen`: connections come in.
    Listening {
        backlog: u16,
        /// Connections whose handshake is under way.
        half_open: u16,
        /// Established connections that wait for `accept`, oldest first.
        queue: List,
    },
    /// `connect`: the SYN is on its way; the slot holds the connection.
    Connecting(u16),
    /// A connection; `fresh` until `connect` has said `Ok` to the application.
    Connected { slot: u16, fresh: bool },
    /// A datagram socket, or a raw one of a protocol.
    Datagram {
        slot: u16,
        peer: Option<Endpoint>,
        protocol: Option<RawProtocol>,
    },
}

/// A descriptor's row.
pub(super) struct Descriptor {
    generation: u32,
    pub(super) socket: Socket,
    pub(super) domain: Domain,
    /// Bound here; port 0 while unbound.
    pub(super) local: Endpoint,
    /// The how manieth binding that was.
    pub(super) bound: u32,
    /// Where `bind` put it, which outlives a failed `connect`.
    pub(super) named: Option<IpAddr>,
    pub(super) options: Options,
    /// The pending error (`SO_ERROR`).
    pub(super) error: Option<Error>,
    /// Who holds the socket beside the first holder.
    holders: u16,
}

impl Descriptor {
    /// A row that no socket uses.
    pub(super) const FREE: Descriptor = Descriptor {
        generation: 0,
        socket: Socket::Free { next: NONE },
        domain: Domain::Inet,
        local: UNSPECIFIED,
        bound: 0,
        named: None,
        options: Options::DEFAULT,
        error: None,
        holders: 0,
    };

    fn is_of(&self, fd: Fd) -> bool {
        self.generation == fd.generation && !matches!(self.socket, Socket::Free { .. })
    }

    pub(super) fn is_bound(&self) -> bool {
        self.local.port != 0
    }

    pub(super) fn kind(&self) -> Type {
        match self.socket {
            Socket::Datagram {
                protocol: Some(protocol),
                ..
            } => Type::Raw(protocol.number()),
            Socket::Datagram { .. } => Type::Datagram,
            _ => Type::Stream,
        }
    }

    pub(super) fn scope(&self) -> Scope {
        Scope::of(self.domain, self.local.addr, self.options.v6_only)
    }
}

/// The table of descriptors.
pub(super) struct Descriptors<'a> {
    rows: ManagedSlice<'a, Descriptor>,
    free: u16,
}

impl<'a> Descriptors<'a> {
    pub(super) fn new(rows: impl Into<ManagedSlice<'a, Descriptor>>) -> Descriptors<'a> {
        let mut rows = rows.into();
        let count = rows.len().min(usize::from(NONE)) as u16;
        for (row, next) in rows.iter_mut().zip(1..=count) {
            let next = if next < count { next } else { NONE };
            row.socket = Socket::Free { next };
        }
        let free = if count > 0 { 0 } else { NONE };
        Descriptors { rows, free }
    }

    /// Takes a free row for a new socket.
    pub(super) fn open(&mut self, domain: Domain, socket: Socket) -> Result<Fd> {
        let index = self.free;
        let Some(row) = self.rows.get_mut(usize::from(index)) else {
            return Err(Error::Exhausted(Limit::Sockets));
        };
        if let Socket::Free { next } = row.socket {
            self.free = next;
        }
        *row = Descriptor {
            generation: row.generation,
            socket,
            domain,
            local: Endpoint {
                addr: unspecified(domain),
                port: 0,
            },
            ..Descriptor::FREE
        };
        Ok(Fd {
            index,
            generation: row.generation,
        })
    }

    pub(super) fn is_full(&self) -> bool {
        self.free == NONE
    }

    /// One holder more, or one less; the last is not counted. Says whether that could be.
    #[cfg(feature = "tasks")]
    pub(super) fn hold(&mut self, fd: Fd) -> Result<bool> {
        let row = self.get_mut(fd)?;
        let holders = row.holders.checked_add(1);
        row.holders = holders.unwrap_or(row.holders);
        Ok(holders.is_some())
    }

    pub(super) fn let_go(&mut self, fd: Fd) -> Result<bool> {
        let row = self.get_mut(fd)?;
        let holders = row.holders.checked_sub(1);
        row.holders = holders.unwrap_or(row.holders);
        Ok(holders.is_some())
    }

    /// Frees the row.
    pub(super) fn close(&mut self, fd: Fd) {
        let free = self.free;
        let row = self.row(fd.index);
        row.generation = row.generation.wrapping_add(1);
        row.socket = Socket::Free { next: free };
        self.free = fd.index;
    }

    pub(super) fn get(&self, fd: Fd) -> Result<&Descriptor> {
        let row = self.rows.get(usize::from(fd.index));
        row.filter(|row| row.is_of(fd)).ok_or(Error::BadDescriptor)
    }

    pub(super) fn get_mut(&mut self, fd: Fd) -> Result<&mut Descriptor> {
        let row = self.rows.get_mut(usize::from(fd.index));
        row.filter(|row| row.is_of(fd)).ok_or(Error::BadDescriptor)
    }

    /// A row by its index, as slots and tables remember it.
    pub(super) fn row(&mut self, index: u16) -> &mut Descriptor {
        &mut self.rows[usize::from(index)]
    }

    /// The same, to look at.
    pub(super) fn peek(&self, index: u16) -> &Descriptor {
        &self.rows[usize::from(index)]
    }

    /// How many rows there are.
    pub(super) fn len(&self) -> u16 {
        self.rows.len().min(usize::from(NONE)) as u16
    }

    /// The open sockets with their indices.
    pub(super) fn open_rows(&self) -> impl Iterator<Item = (u16, &Descriptor)> {
        let rows = (0..NONE).zip(self.rows.iter());
        rows.filter(|(_, row)| !matches!(row.socket, Socket::Free { .. }))
    }

    /// The descriptors of the open sockets.
    #[cfg(feature = "std")]
    pub(super) fn open_fds(&self) -> impl Iterator<Item = Fd> {
        self.open_rows().map(|(index, row)| Fd {
            index,
            generation: row.generation,
        })
    }

    /// How many sockets are open.
    pub(super) fn open_count(&self) -> usize {
        let is_open = |row: &&Descriptor| !matches!(row.socket, Socket::Free { .. });
        self.rows.iter().filter(is_open).count()
    }
}
