//! Many sockets at once: `poll(2)`'s rows, and what they come to.

use core::fmt;
use core::ops::{BitAnd, BitOr, BitOrAssign};

use super::{Fd, Readiness, Stack};
use crate::Error;
use crate::trace::{Call, Observer, Outcome};

/// What can be asked of a socket and be true of it, as a set: `poll(2)`'s bits, with Linux's numbers.
///
/// ```
/// use glasstack::stack::Events;
///
/// let events = Events::POLLIN | Events::POLLHUP;
/// assert!(events.contains(Events::POLLIN));
/// assert_eq!(format!("{events:?}"), "POLLIN | POLLHUP");
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Hash, Default)]
pub struct Events(u16);

impl Events {
    /// No event.
    pub const NONE: Events = Events(0);
    /// `recv` or `accept` would not block: data, a connection, or the end.
    pub const POLLIN: Events = Events(0x0001);
    /// `send` would not block, or `connect` is done.
    pub const POLLOUT: Events = Events(0x0004);
    /// An error is pending. Told whether it was asked for or not.
    pub const POLLERR: Events = Events(0x0008);
    /// Both directions are over, or there never was a connection. Told whether it was asked for or not.
    pub const POLLHUP: Events = Events(0x0010);
    /// The descriptor is stale. Told whether it was asked for or not.
    pub const POLLNVAL: Events = Events(0x0020);
    /// No more comes than what is there: the peer's FIN, or `shutdown(Read)`.
    pub const POLLRDHUP: Events = Events(0x2000);

    /// What is told without being asked for.
    pub(super) const UNASKED: Events =
        Events(Events::POLLERR.0 | Events::POLLHUP.0 | Events::POLLNVAL.0);
    #[cfg(feature = "tasks")]
    pub(super) const ALL: Events = Events(u16::MAX);

    /// The bits, as Linux numbers them.
    pub const fn bits(self) -> u16 {
        self.0
    }

    /// Whether nothing is in it.
    pub const fn is_empty(self) -> bool {
        self.0 == 0
    }

    /// Whether all of `other` is in it.
    pub const fn contains(self, other: Events) -> bool {
        self.0 & other.0 == other.0
    }

    /// Whether any of `other` is in it.
    pub const fn intersects(self, other: Events) -> bool {
        self.0 & other.0 != 0
    }

    fn insert_if(&mut self, condition: bool, events: Events) {
        if condition {
            *self |= events;
        }
    }
}

impl BitOr for Events {
    type Output = Events;

    fn bitor(self, other: Events) -> Events {
        Events(self.0 | other.0)
    }
}

impl BitOrAssign for Events {
    fn bitor_assign(&mut self, other: Events) {
        self.0 |= other.0;
    }
}

impl BitAnd for Events {
    type Output = Events;

    fn bitand(self, other: Events) -> Events {
        Events(self.0 & other.0)
    }
}

impl fmt::Debug for Events {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names = [
            (Events::POLLIN, "POLLIN"),
            (Events::POLLOUT, "POLLOUT"),
            (Events::POLLERR, "POLLERR"),
            (Events::POLLHUP, "POLLHUP"),
            (Events::POLLNVAL, "POLLNVAL"),
            (Events::POLLRDHUP, "POLLRDHUP"),
        ];
        if self.is_empty() {
            return f.write_str("NONE");
        }
        let mut separator = "";
        for (_, name) in names.iter().filter(|(event, _)| self.contains(*event)) {
            write!(f, "{separator}{name}")?;
            separator = " | ";
        }
        Ok(())
    }
}

/// One socket among many: `struct pollfd`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PollFd {
    /// The socket.
    pub fd: Fd,
    /// What is asked for.
    pub events: Events,
    /// What is true of it, as the last call found: of what was asked for, and [`POLLERR`](Events::POLLERR),
    /// [`POLLHUP`](Events::POLLHUP) and [`POLLNVAL`](Events::POLLNVAL) in any case.
    pub revents: Events,
}

impl PollFd {
    /// Asks for these events of the socket.
    pub const fn new(fd: Fd, events: Events) -> PollFd {
        PollFd {
            fd,
            events,
            revents: Events::NONE,
        }
    }
}

impl<'a, O: Observer> Stack<'a, O> {
    /// `poll(2)` with a timeout of zero: writes into each row's `revents` what is true of its socket now, and says how many
    /// rows have any. Level-triggered: what is true stays true until it is read, written or closed. A stale descriptor gets
    /// [`POLLNVAL`](Events::POLLNVAL) and is no error. It looks at each row, however many there are.
    ///
    /// It is `select(2)`'s successor: the three sets of the latter are `POLLIN`, `POLLOUT` and nothing here (there is no
    /// urgent data), as columns of one table. [`wait_for_any`](Stack::wait_for_any) waits.
    ///
    /// ```
    /// # use glasstack::{Stack, stack::{Capacity, Domain, Events, PollFd, Type}};
    /// # let mut stack = Stack::with_capacity(Capacity::default(), [7; 16], ());
    /// let socket = stack.socket(Domain::Inet, Type::Datagram)?;
    /// let gone = stack.socket(Domain::Inet, Type::Stream)?;
    /// stack.close(gone)?;
    ///
    /// let asked = Events::POLLIN | Events::POLLOUT;
    /// let mut fds = [socket, gone].map(|fd| PollFd::new(fd, asked));
    /// assert_eq!(stack.poll_fds(&mut fds), 2);
    /// assert_eq!(fds.map(|row| row.revents), [Events::POLLOUT, Events::POLLNVAL]);
    /// # glasstack::Result::Ok(())
    /// ```
    pub fn poll_fds(&mut self, fds: &mut [PollFd]) -> usize {
        self.begin_call();
        let mut ready = 0;
        for row in &mut *fds {
            row.revents = self.revents(row);
            ready += usize::from(!row.revents.is_empty());
        }
        // Told as a call that waits is told: it would block where nothing is ready.
        let result = if ready > 0 {
            Ok(ready)
        } else {
            Err(Error::WouldBlock)
        };
        let call = Call::Poll { fds: fds.len() };
        let _ = self.told(None, call, result, Outcome::Ready);
        ready
    }

    pub(super) fn revents(&self, row: &PollFd) -> Events {
        match self.descriptors.get(row.fd) {
            Ok(_) => self.events_of(row.fd.index) & (row.events | Events::UNASKED),
            Err(_) => Events::POLLNVAL,
        }
    }

    /// All that is true of an open socket, asked for or not.
    pub(super) fn events_of(&self, index: u16) -> Events {
        let Readiness {
            readable,
            writable,
            read_closed,
            closed,
            error,
        } = self.bare_readiness(index);
        let mut events = Events::NONE;
        events.insert_if(readable, Events::POLLIN);
        events.insert_if(writable, Events::POLLOUT);
        events.insert_if(error, Events::POLLERR);
        events.insert_if(closed, Events::POLLHUP);
        events.insert_if(read_closed, Events::POLLRDHUP);
        events
    }
}
