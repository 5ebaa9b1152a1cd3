//! The calls that every type of socket has: socket, bind, close, names, options, readiness.

use core::net::SocketAddr;
use core::time::Duration;

use smoltcp::socket::tcp::{self, State};

use super::connection::Role;
use super::datagram::Owner;
use super::fd::Socket;
use super::flow::{Endpoint, Scope, unspecified};
use super::glass;
#[cfg(feature = "options")]
use super::option::{SettableOption, SocketOption};
use super::raw::RawProtocol;
use super::slot::Kind;
use super::{Domain, Fd, Protocol, Readiness, Stack, Type};
use crate::trace::{Call, Observer, Outcome};
use crate::{Error, Limit, Result};

impl<'a, O: Observer> Stack<'a, O> {
    /// `socket(2)`: makes a socket. A datagram or raw socket takes its buffers here, a stream socket when it connects.
    ///
    /// [`Error::Exhausted`] where descriptors or datagram sockets are used up, [`Error::AddressFamilyNotSupported`] for a
    /// family that this build does not have, [`Error::InvalidArgument`] for a raw socket of protocol 0, which is none,
    /// [`Error::NotSupported`] for any raw socket where feature `raw` is left out.
    pub fn socket(&mut self, domain: Domain, kind: Type) -> Result<Fd> {
        self.begin_call();
        let result = self.socket_untold(domain, kind);
        self.told(None, Call::Socket(domain, kind), result, |fd| {
            Outcome::Descriptor(fd.index)
        })
    }

    pub(super) fn socket_untold(&mut self, domain: Domain, kind: Type) -> Result<Fd> {
        let is_built = match domain {
            Domain::Inet => cfg!(feature = "ipv4"),
            Domain::Inet6 => cfg!(feature = "ipv6"),
        };
        if !is_built {
            return Err(Error::AddressFamilyNotSupported);
        }
        let protocol = match kind {
            Type::Stream => return self.descriptors.open(domain, Socket::Idle),
            Type::Datagram => None,
            Type::Raw(protocol) => Some(RawProtocol::of(protocol)?),
        };
        if self.descriptors.is_full() {
            return Err(Error::Exhausted(Limit::Sockets));
        }
        let slot = self.free_datagrams.pop_front(&mut self.members);
        let slot = slot.ok_or(Error::Exhausted(Limit::Datagrams))?;
        let socket = Socket::Datagram {
            slot,
            peer: None,
            protocol,
        };
        let fd = self.descriptors.open(domain, socket)?;
        if let Some(datagrams) = self.slots[usize::from(slot)].datagrams() {
            datagrams.belong_to(Owner::Descriptor(fd.index));
        }
        if let Some(protocol) = protocol {
            self.open_raw_socket(fd.index, protocol);
        }
        Ok(fd)
    }

    /// `bind(2)`: gives the socket its address. Port 0 picks one (RFC 6056). An IPv6 socket on `::` also takes IPv4,
    /// unless [`V6Only`](super::option::V6Only) is set.
    ///
    /// [`Error::AddrInUse`], [`Error::AddrNotAvailable`], [`Error::AddressFamilyNotSupported`];
    /// [`Error::InvalidArgument`] where it is bound already. The port is free again as soon as the socket is closed,
    /// whatever its connections still have to say, as with Linux's `SO_REUSEADDR`.
    pub fn bind(&mut self, fd: Fd, address: SocketAddr) -> Result<()> {
        self.begin_call();
        let result = self.bind_untold(fd, address);
        self.told(Some(fd), Call::Bind(address), result, glass::done)
    }

    pub(super) fn bind_untold(&mut self, fd: Fd, address: SocketAddr) -> Result<()> {
        let row = self.descriptors.get(fd)?;
        let is_fresh = match row.socket {
            Socket::Idle => true,
            Socket::Datagram { peer, .. } => peer.is_none(),
            _ => false,
        };
        let is_done = row.is_bound() || row.named.is_some() || !is_fresh;
        let domain_fits = match row.domain {
            Domain::Inet => address.is_ipv4(),
            Domain::Inet6 => address.is_ipv6(),
        };
        let endpoint = Endpoint::from_socket_addr(address)?;
        let is_mapped = address.is_ipv6() && endpoint.addr.is_ipv4();
        if !domain_fits || is_mapped && !cfg!(feature = "ipv4") {
            return Err(Error::AddressFamilyNotSupported);
        }
        if is_mapped && row.options.v6_only {
            return Err(Error::InvalidArgument);
        }
        let addr = endpoint.addr;
        let is_raw = matches!(row.kind(), Type::Raw(_));
        if is_mapped && is_raw {
            return Err(Error::AddrNotAvailable); // a raw socket is of one family (as Linux)
        }
        let is_group = addr.is_multicast() || self.is_broadcast(addr);
        let fits = addr.is_unspecified() || self.is_own(addr);
        if !fits && (row.kind() == Type::Stream || !is_group) {
            return Err(Error::AddrNotAvailable);
        }
        // Last, as on Linux: an address that can never be right is told as that.
        if is_done {
            return Err(Error::InvalidArgument);
        }
        if is_raw {
            self.descriptors.row(fd.index).local.addr = addr; // there are no ports
        } else {
            self.bind_to(fd.index, endpoint)?;
        }
        self.descriptors.row(fd.index).named = Some(addr);
        Ok(())
    }

    /// Binds a descriptor; port 0 picks one at random.
    pub(super) fn bind_to(&mut self, index: u16, mut endpoint: Endpoint) -> Result<()> {
        let row = self.descriptors.peek(index);
        let kind = row.kind();
        let scope = Scope::of(row.domain, endpoint.addr, row.options.v6_only);
        if endpoint.port == 0 {
            let mut secret = self.secret.clone();
            let port = secret.random_port(|port| self.is_port_taken(kind, scope, port));
            self.secret = secret;
            endpoint.port = port.ok_or(Error::AddrInUse)?;
        } else if self.is_port_refused(index, scope, endpoint.port) {
            return Err(Error::AddrInUse);
        }
        self.take_port(index, endpoint)
    }

    /// Enters a descriptor's endpoint into the table of ports.
    pub(super) fn take_port(&mut self, index: u16, endpoint: Endpoint) -> Result<()> {
        let row = self.descriptors.row(index);
        let hash = self
            .secret
            .port_hash(row.kind() == Type::Stream, endpoint.port);
        if !self.ports.insert(hash, index) {
            return Err(Error::Exhausted(Limit::Sockets));
        }
        row.local = endpoint;
        self.binds = self.binds.wrapping_add(1);
        row.bound = self.binds;
        Ok(())
    }

    /// Whether another socket of the type is bound to the port on an address in common.
    pub(super) fn is_port_taken(&self, kind: Type, scope: Scope, port: u16) -> bool {
        let hash = self.secret.port_hash(kind == Type::Stream, port);
        let taken = |index: u16| {
            let row = self.descriptors.peek(index);
            row.kind() == kind && row.local.port == port && row.scope().overlaps(scope)
        };
        self.ports.candidates(hash).any(taken)
            || kind == Type::Datagram && self.resolver.is_using(port)
    }

    /// Takes a descriptor's endpoint out of the table of ports.
    pub(super) fn unbind(&mut self, index: u16) {
        let row = self.descriptors.row(index);
        if row.local.port != 0 {
            let hash = self
                .secret
                .port_hash(row.kind() == Type::Stream, row.local.port);
            // An accepted connection's local end is its listener's; then there is nothing to remove.
            self.ports.remove(hash, index);
        }
        row.local = Endpoint {
            addr: unspecified(row.domain),
            port: 0,
        };
        row.named = None;
    }

    /// `close(2)`: the descriptor ends here. A connection still sends what is queued, then FIN, in the background, and
    /// frees its slot when TCP is done; if there is data that the application has not read it is reset instead
    /// (RFC 2525 §2.17), and if [`Linger`](super::option::Linger) is zero. A listener's waiting connections are reset.
    pub fn close(&mut self, fd: Fd) -> Result<()> {
        if self.descriptors.let_go(fd) == Ok(true) {
            return Ok(());
        }
        self.begin_call();
        // Afterwards the descriptor names nothing any more.
        let told = self.descriptors.get(fd).map(|_| ());
        let _ = self.told(Some(fd), Call::Close, told, glass::done);
        self.close_untold(fd)
    }

    /// One holder more: the socket closes when each has closed it.
    #[cfg(feature = "tasks")]
    pub(crate) fn hold(&mut self, fd: Fd) -> Result<()> {
        match self.descriptors.hold(fd)? {
            true => Ok(()),
            false => Err(Error::Exhausted(Limit::Sockets)),
        }
    }

    pub(super) fn close_untold(&mut self, fd: Fd) -> Result<()> {
        self.descriptors.get(fd)?;
        match self.descriptors.peek(fd.index).socket {
            Socket::Free { .. } | Socket::Idle => {}
            Socket::Listening { .. } => self.close_listener(fd.index),
            // RFC 9293 §3.10.4: in SYN-SENT the connection is deleted, and the peer hears nothing.
            Socket::Connecting(slot) => {
                self.tell_state(slot, State::SynSent, State::Closed);
                self.release(slot);
            }
            Socket::Connected { slot, .. } => {
                let lingers = self.descriptors.peek(fd.index).options.linger;
                self.close_connection(slot, lingers == Some(Duration::ZERO));
            }
            Socket::Datagram { slot, protocol, .. } => {
                if let Some(protocol) = protocol {
                    self.close_raw_socket(protocol);
                }
                self.close_datagrams(slot);
            }
        }
        self.leave_all_groups(fd.index);
        self.unbind(fd.index);
        self.descriptors.close(fd);
        // Whoever waits on it finds it stale.
        self.wakers.wake_socket(fd.index);
        Ok(())
    }

    fn close_listener(&mut self, listener: u16) {
        while let Socket::Listening { ref queue, .. } = self.descriptors.peek(listener).socket
            && let Some(slot) = queue.front()
        {
            self.reset_connection(slot);
        }
        while let Some(slot) = self.half_open_of(listener) {
            self.reset_connection(slot);
        }
    }

    fn half_open_of(&self, listener: u16) -> Option<u16> {
        self.half_open.iter(&self.members).find(|slot| {
            let connection = self.slots[usize::from(*slot)].connection();
            connection.is_some_and(|connection| connection.role == Role::HalfOpen(listener))
        })
    }

    /// Ends a connection that nobody will accept.
    fn reset_connection(&mut self, slot: u16) {
        self.leave_listener(slot);
        let Some((socket, connection)) = self.slots[usize::from(slot)].tcp() else {
            return;
        };
        connection.role = Role::Orphan;
        if connection.silent {
            return self.release(slot);
        }
        socket.abort();
        self.settle(slot, None);
        if self.is_live(slot) {
            self.make_due(slot);
        }
    }

    /// Says goodbye, or resets the connection if that is what is wanted, or data is lost (RFC 2525 §2.17).
    fn close_connection(&mut self, slot: u16, reset: bool) {
        let Some((socket, connection)) = self.slots[usize::from(slot)].tcp() else {
            return;
        };
        connection.role = Role::Orphan;
        let (state, silent) = (socket.state(), connection.silent);
        if silent {
            return self.release(slot);
        }
        // Who has said all and only waits for the last word has nothing to reset (as Linux).
        let is_said = matches!(state, State::Closing | State::LastAck) && socket.send_queue() == 0;
        if reset && is_said {
            return self.release(slot);
        }
        let reset = reset && state != State::TimeWait;
        if reset || socket.recv_queue() > 0 {
            socket.abort();
        } else {
            connection.end(socket);
        }
        // The clock of `CLOSE_TIMEOUT` starts here.
        connection.since = self.now;
        self.settle(slot, None);
        if state == State::TimeWait {
            self.enter_time_wait(slot);
        }
        if self.is_live(slot) {
            self.make_due(slot);
        }
    }

    /// `getsockname(2)`: the socket's own address; the wildcard and port 0 while it has none. A raw socket's port is the
    /// number of its protocol (as Linux).
    pub fn getsockname(&self, fd: Fd) -> Result<SocketAddr> {
        let row = self.descriptors.get(fd)?;
        let mut local = row.local;
        if let Type::Raw(Protocol(protocol)) = row.kind() {
            local.port = protocol.into();
        }
        Ok(local.to_socket_addr(row.domain))
    }

    /// `getpeername(2)`: the peer's address, or [`Error::NotConnected`].
    pub fn getpeername(&self, fd: Fd) -> Result<SocketAddr> {
        let row = self.descriptors.get(fd)?;
        let peer = match row.socket {
            Socket::Connected { slot, .. } => self.slots[usize::from(slot)]
                .connection()
                .filter(|connection| !connection.is_over())
                .map(|connection| connection.flow.remote),
            // Connected to port 0 is connected to nobody (as Linux).
            Socket::Datagram { peer, protocol, .. } => {
                peer.filter(|peer| peer.port != 0 || protocol.is_some())
            }
            _ => None,
        };
        peer.map(|peer| peer.to_socket_addr(row.domain))
            .ok_or(Error::NotConnected)
    }

    /// `setsockopt(2)`, typed (feature `options`): see [`option`](super::option). [`Error::InvalidArgument`] for a value out of its range.
    #[cfg(feature = "options")]
    pub fn setsockopt<T: SettableOption>(
        &mut self,
        fd: Fd,
        option: T,
        value: T::Value,
    ) -> Result<()> {
        let row = self.descriptors.get_mut(fd)?;
        let mut options = row.options;
        option.set(&mut options, value)?;
        if options.v6_only != row.options.v6_only && row.is_bound() {
            return Err(Error::InvalidArgument);
        }
        row.options = options;
        match row.socket {
            Socket::Connecting(slot) | Socket::Connected { slot, .. } => {
                if let Some((socket, connection)) = self.slots[usize::from(slot)].tcp() {
                    options.apply(socket);
                    connection.configure(&options);
                }
                self.set_keep_alive(slot, &options);
                self.make_due(slot);
            }
            _ => {}
        }
        Ok(())
    }

    /// `getsockopt(2)`, typed (feature `options`); of what can only be asked for as well. To ask for
    /// [`SocketError`](super::option::SocketError) takes it.
    #[cfg(feature = "options")]
    pub fn getsockopt<T: SocketOption>(&mut self, fd: Fd, option: T) -> Result<T::Value> {
        self.descriptors.get(fd)?;
        option.get(self, fd)
    }

    /// `SO_ERROR`: the pending error, which is then no longer pending.
    pub fn take_error(&mut self, fd: Fd) -> Result<Option<Error>> {
        let row = self.descriptors.get_mut(fd)?;
        let error = row.error.take();
        if error.is_some() {
            return Ok(error);
        }
        let Socket::Connected { slot, .. } = row.socket else {
            return Ok(None);
        };
        let connection = match &mut self.slots[usize::from(slot)].kind {
            Kind::Connection(connection) => connection,
            _ => return Ok(None),
        };
        Ok(connection.error.take())
    }

    /// What the socket is ready for; [`poll_fds`](Stack::poll_fds) asks many.
    pub fn readiness(&self, fd: Fd) -> Result<Readiness> {
        self.descriptors.get(fd)?;
        Ok(self.readiness_of(fd.index))
    }

    pub(super) fn readiness_of(&self, index: u16) -> Readiness {
        let mut readiness = self.bare_readiness(index);
        // Whoever waits for anything hears of an error, and of the end.
        if readiness.error || readiness.closed {
            readiness.readable = true;
            readiness.writable = true;
        }
        readiness
    }

    /// As `poll(2)` says it, where an error is an event of its own.
    pub(super) fn bare_readiness(&self, index: u16) -> Readiness {
        let row = self.descriptors.peek(index);
        let has_failed = row.error.is_some();
        let mut readiness = match row.socket {
            Socket::Free { .. } | Socket::Idle => Readiness {
                closed: true,
                writable: true,
                // After a `connect` that failed; where there never was one, nothing has ended.
                readable: has_failed,
                read_closed: has_failed,
                ..Readiness::NONE
            },
            Socket::Listening { ref queue, .. } => Readiness {
                readable: !queue.is_empty(),
                ..Readiness::NONE
            },
            Socket::Connecting(_) => Readiness::NONE,
            Socket::Connected { slot, .. } => self.stream_readiness(slot, row.options.send_buffer),
            Socket::Datagram { slot, .. } => self.datagram_readiness(slot),
        };
        readiness.error |= has_failed;
        readiness
    }

    fn stream_readiness(&self, slot: u16, send_buffer: Option<u32>) -> Readiness {
        let Some((socket, connection)) = self.slots[usize::from(slot)].tcp_ref() else {
            return Readiness::NONE;
        };
        let is_over = connection.state == State::Closed;
        // The peer's FIN is in, whether all before it is read or not.
        let is_read_over = connection.read_shutdown
            || matches!(
                connection.state,
                State::CloseWait
                    | State::LastAck
                    | State::Closing
                    | State::TimeWait
                    | State::Closed
            );
        let is_write_over = !socket.may_send() || connection.write_shutdown;
        Readiness {
            readable: socket.can_recv() || is_read_over,
            // After `shutdown(Write)` sending fails at once, which is an answer too.
            writable: has_room(socket, send_buffer) || is_write_over,
            read_closed: is_read_over,
            closed: is_over || is_read_over && is_write_over,
            error: connection.error.is_some(),
        }
    }

    /// Whether nothing that was sent on sockets which are closed by now still waits for its acknowledgment, the FIN behind
    /// it included: who ends the stack then cuts nobody short. Looks at every connection.
    pub fn is_drained(&self) -> bool {
        self.slots.iter().all(|slot| match &slot.kind {
            Kind::Connection(connection) => {
                connection.role != Role::Orphan || !connection.is_sending()
            }
            Kind::Datagram(datagrams) => {
                datagrams.owner != Owner::Orphan || datagrams.sending.is_empty()
            }
            Kind::Unused => true,
        })
    }

    /// The same for one connection, from one end to the other.
    #[cfg(feature = "std")]
    pub(crate) fn is_sending(&self, local: SocketAddr, remote: SocketAddr) -> bool {
        let ends = (
            Endpoint::from_socket_addr(local),
            Endpoint::from_socket_addr(remote),
        );
        let (Ok(local), Ok(remote)) = ends else {
            return false;
        };
        let flow = super::flow::Flow { local, remote };
        let slot = self
            .find_flow(&flow)
            .map(|slot| &self.slots[usize::from(slot)]);
        let connection = slot.and_then(super::slot::Slot::connection);
        connection
            .is_some_and(|connection| connection.role == Role::Orphan && connection.is_sending())
    }

    /// `close`, of every socket.
    #[cfg(feature = "std")]
    pub(crate) fn close_all(&mut self) {
        let next = |stack: &Self| stack.descriptors.open_fds().next();
        while let Some(fd) = next(self) {
            // A descriptor in the table is open: close has no other error.
            let _ = self.close(fd);
        }
    }

    /// What is in use: what a test asserts on to see that nothing leaks.
    pub fn usage(&self) -> super::Usage {
        let count = |is_used: fn(&Kind) -> bool| {
            self.slots.iter().filter(|slot| is_used(&slot.kind)).count()
        };
        super::Usage {
            sockets: self.descriptors.open_count(),
            connections: count(|kind| matches!(kind, Kind::Connection(c) if c.role != Role::Free)),
            datagrams: count(
                |kind| matches!(kind, Kind::Datagram(datagrams) if datagrams.owner != Owner::Free),
            ),
            wakers: self.wakers.count(),
            lookups: self.resolver.count(),
        }
    }
}

/// Whether a stream takes more to send.
fn has_room(socket: &tcp::Socket<'_>, send_buffer: Option<u32>) -> bool {
    socket.can_send() && send_buffer.is_none_or(|limit| socket.send_queue() < limit as usize)
}
