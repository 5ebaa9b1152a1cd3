//! The calls of stream sockets: listen, accept, connect, send, recv, shutdown.

use core::net::SocketAddr;

use smoltcp::socket::tcp::{self, State};

use super::connection::{Connection, Role};
use super::fd::Socket;
use super::flow::{Endpoint, Flow, Scope, loopback_if_unspecified};
use super::glass;
use super::ip::IpAddr;
use super::list::List;
use super::sequence::{seed_for, throw_away};
use super::slot::Kind;
use super::{Domain, Fd, Protocol, Shutdown, Stack, Type};
use crate::trace::{Call, Observer};
use crate::{Error, Limit, Result};

impl<'a, O: Observer> Stack<'a, O> {
    /// `listen(2)`: takes connections in. At most `backlog` of them (one at least) wait at a time, in the handshake or
    /// for `accept`; called again it changes the backlog. An unbound socket is bound to a port of its own.
    pub fn listen(&mut self, fd: Fd, backlog: usize) -> Result<()> {
        self.begin_call();
        let result = self.listen_untold(fd, backlog);
        self.told(Some(fd), Call::Listen { backlog }, result, glass::done)
    }

    fn listen_untold(&mut self, fd: Fd, backlog: usize) -> Result<()> {
        let row = self.descriptors.get_mut(fd)?;
        let limit = backlog.clamp(1, usize::from(u16::MAX)) as u16;
        match &mut row.socket {
            Socket::Listening { backlog, .. } => *backlog = limit,
            Socket::Idle => {
                if !row.is_bound() {
                    let local = row.local;
                    self.bind_to(fd.index, local)?;
                } else if self.is_listening_refused(fd.index) {
                    return Err(Error::AddrInUse);
                }
                self.descriptors.row(fd.index).socket = Socket::Listening {
                    backlog: limit,
                    half_open: 0,
                    queue: List::new(),
                };
            }
            Socket::Datagram { .. } => return Err(Error::NotSupported),
            _ => return Err(Error::InvalidArgument),
        }
        self.room = true;
        Ok(())
    }

    /// `accept(2)`: the oldest connection that waits, as a socket of its own with its listener's options, and the
    /// peer's address. One that was reset while it waited tells so in its first `recv`, as on Linux.
    ///
    /// [`Error::WouldBlock`] where none waits; [`Error::Exhausted`] where there is no descriptor for it: it waits on;
    /// [`Error::AddrNotAvailable`] once, after the address that the socket listens on went away.
    pub fn accept(&mut self, fd: Fd) -> Result<(Fd, SocketAddr)> {
        self.begin_call();
        let result = self.accept_untold(fd);
        self.told(Some(fd), Call::Accept, result, glass::accepted)
    }

    fn accept_untold(&mut self, fd: Fd) -> Result<(Fd, SocketAddr)> {
        let row = self.descriptors.get_mut(fd)?;
        let (domain, options) = (row.domain, row.options);
        let slot = match &row.socket {
            // Who is told that something is there, for an error is pending, hears of it once the queue is empty.
            Socket::Listening { queue, .. } => match queue.front() {
                Some(slot) => slot,
                None => return Err(row.error.take().unwrap_or(Error::WouldBlock)),
            },
            Socket::Datagram { .. } => return Err(Error::NotSupported),
            _ => return Err(Error::InvalidArgument),
        };
        let accepted = self
            .descriptors
            .open(domain, Socket::Connected { slot, fresh: false })?;
        self.leave_listener(slot);
        let Some((socket, connection)) = self.slots[usize::from(slot)].tcp() else {
            return Err(Error::WouldBlock);
        };
        options.apply(socket);
        connection.role = Role::Owned(accepted.index);
        connection.configure(&options);
        let flow = connection.flow;
        let row = self.descriptors.row(accepted.index);
        row.options = options;
        row.local = flow.local;
        self.set_keep_alive(slot, &options);
        self.make_due(slot);
        Ok((accepted, flow.remote.to_socket_addr(domain)))
    }

    /// `connect(2)`. A stream socket begins its handshake and says [`Error::WouldBlock`] until it is done, then `Ok`
    /// once, then [`Error::AlreadyConnected`]; or why it failed: [`Error::ConnectionRefused`], [`Error::TimedOut`],
    /// [`Error::HostUnreachable`], [`Error::NetworkUnreachable`]. A datagram socket fixes its peer: it hears no others,
    /// and learns when nobody listens there. The unspecified address means this host.
    pub fn connect(&mut self, fd: Fd, address: SocketAddr) -> Result<()> {
        self.begin_call();
        let result = self.connect_untold(fd, address);
        self.told(Some(fd), Call::Connect(address), result, glass::done)
    }

    pub(super) fn connect_untold(&mut self, fd: Fd, address: SocketAddr) -> Result<()> {
        let row = self.descriptors.get_mut(fd)?;
        // A datagram's pending error is for `send` and `recv`.
        if row.kind() == Type::Stream
            && let Some(error) = row.error.take()
        {
            return Err(error);
        }
        match &mut row.socket {
            Socket::Connecting(_) => return Err(Error::WouldBlock),
            Socket::Connected { fresh, .. } if *fresh => {
                *fresh = false;
                return Ok(());
            }
            Socket::Connected { .. } | Socket::Listening { .. } => {
                return Err(Error::AlreadyConnected);
            }
            Socket::Free { .. } | Socket::Idle | Socket::Datagram { .. } => {}
        }
        let remote = self.destination(fd, address)?;
        match self.descriptors.peek(fd.index).socket {
            Socket::Datagram { .. } => self.connect_datagram(fd.index, remote),
            _ => self.connect_stream(fd.index, remote),
        }
    }

    /// The remote end that an application named, if a socket of this domain may speak to it.
    pub(super) fn destination(&self, fd: Fd, address: SocketAddr) -> Result<Endpoint> {
        let row = self.descriptors.get(fd)?;
        let mut remote = Endpoint::from_socket_addr(address)?;
        let fits = match (row.domain, remote.addr) {
            (Domain::Inet, _) => address.is_ipv4(),
            // As on Linux, a datagram socket also takes an IPv4 address that is not written as a mapped one.
            (Domain::Inet6, IpAddr::V4(_)) => {
                let is_written = address.is_ipv6() || row.kind() == Type::Datagram;
                is_written && !row.options.v6_only && cfg!(feature = "ipv4")
            }
            (Domain::Inet6, IpAddr::V6(_)) => true,
        };
        if !fits {
            return Err(Error::AddressFamilyNotSupported);
        }
        if let Type::Raw(Protocol(protocol)) = row.kind() {
            // In IPv6 the port may name the protocol, which is the socket's anyway (as Linux); mapped addresses are for
            // the other types.
            if address.is_ipv6() && remote.port != 0 && remote.port != protocol.into() {
                return Err(Error::InvalidArgument);
            }
            if remote.addr.is_ipv4() != address.is_ipv4() {
                return Err(Error::NetworkUnreachable);
            }
            remote.port = 0;
        }
        remote.addr = loopback_if_unspecified(remote.addr);
        Ok(remote)
    }

    fn connect_stream(&mut self, index: u16, remote: Endpoint) -> Result<()> {
        if remote.addr.is_multicast() || self.is_broadcast(remote.addr) {
            return Err(Error::NetworkUnreachable);
        }
        if remote.port == 0 {
            return Err(Error::ConnectionRefused); // nobody can listen there
        }
        let row = self.descriptors.peek(index);
        let (bound, options, domain) = (row.local, row.options, row.domain);
        let route = self.route(bound.addr, remote.addr)?;
        let local = Endpoint {
            addr: route.source,
            port: if bound.port != 0 {
                bound.port
            } else {
                self.pick_port(domain, route.source, remote)?
            },
        };
        let flow = Flow { local, remote };
        if self.find_flow(&flow).is_some() {
            return Err(Error::AddrNotAvailable);
        }
        let (Some(to), Some(from)) = (remote.to_smoltcp(), local.to_smoltcp()) else {
            return Err(Error::AddressFamilyNotSupported);
        };
        let slot = self
            .take_connection()
            .ok_or(Error::Exhausted(Limit::Connections))?;
        let isn = self
            .secret
            .initial_sequence_number(self.now, local.pair(), remote.pair());
        let seed = seed_for(isn, self.secret.random_u64());
        let place = &mut self.slots[usize::from(slot)];
        place.interface = route.interface;
        if let Kind::Connection(connection) = &mut place.kind {
            **connection = Connection::new(Role::Owned(index), flow, self.now, &options);
        }
        if let Some((socket, _)) = place.tcp() {
            options.apply(socket);
            let _ = socket.connect(throw_away(seed).context(), to, from);
        }
        if !self.enter_flow(slot) || bound.port == 0 && self.take_port(index, local).is_err() {
            self.release(slot);
            return Err(Error::Exhausted(Limit::Connections));
        }
        let row = self.descriptors.row(index);
        row.local = local;
        row.socket = Socket::Connecting(slot);
        self.settle(slot, None);
        self.make_due(slot);
        Err(Error::WouldBlock)
    }

    /// An ephemeral port for a connection (RFC 6056 §3.3.4).
    fn pick_port(&mut self, domain: Domain, source: IpAddr, remote: Endpoint) -> Result<u16> {
        let scope = Scope::of(domain, source, false);
        let mut secret = self.secret.clone();
        let port = secret.ephemeral_port(source, remote.pair(), |port| {
            let local = Endpoint { addr: source, port };
            let is_itself = local == remote;
            is_itself
                || self.is_port_taken(Type::Stream, scope, port)
                || self.find_flow(&Flow { local, remote }).is_some()
        });
        self.secret = secret;
        port.ok_or(Error::AddrNotAvailable)
    }

    /// The slot of a connected stream socket; else why there is none, which after a failed `connect` is its error.
    pub(super) fn stream_slot(&mut self, fd: Fd) -> Result<u16> {
        let row = self.descriptors.get_mut(fd)?;
        match row.socket {
            Socket::Connected { slot, .. } => Ok(slot),
            Socket::Connecting(_) => Err(Error::WouldBlock),
            _ => Err(row.error.take().unwrap_or(Error::NotConnected)),
        }
    }

    pub(super) fn send_stream(&mut self, fd: Fd, data: &[u8]) -> Result<usize> {
        let slot = self.stream_slot(fd)?;
        let limit = self.descriptors.get(fd)?.options.send_buffer;
        let Some((socket, connection)) = self.slots[usize::from(slot)].tcp() else {
            return Err(Error::NotConnected);
        };
        if let Some(error) = connection.error.take() {
            return Err(error);
        }
        if !socket.may_send() || connection.write_shutdown {
            return Err(Error::BrokenPipe);
        }
        let room = limit.map_or(usize::MAX, |limit| {
            (limit as usize).saturating_sub(socket.send_queue())
        });
        let fitting = data.get(..room).unwrap_or(data);
        let count = socket.send_slice(fitting).map_err(|_| Error::BrokenPipe)?;
        if count == 0 && !data.is_empty() {
            return Err(Error::WouldBlock);
        }
        connection.unacknowledged += count;
        connection.written += count as u64;
        self.make_due(slot);
        Ok(count)
    }

    pub(super) fn recv_stream(&mut self, fd: Fd, buffer: &mut [u8], peek: bool) -> Result<usize> {
        let slot = self.stream_slot(fd)?;
        let Some((socket, connection)) = self.slots[usize::from(slot)].tcp() else {
            return Err(Error::NotConnected);
        };
        if socket.can_recv() {
            if peek {
                return socket.peek_slice(buffer).map_err(|_| Error::NotConnected);
            }
            let count = socket.recv_slice(buffer).map_err(|_| Error::NotConnected)?;
            connection.read += count as u64;
            // The window may have opened.
            self.make_due(slot);
            return Ok(count);
        }
        match socket.recv_slice(&mut []) {
            Err(tcp::RecvError::Finished) => return Ok(0),
            Err(tcp::RecvError::InvalidState) => {
                if let Some(error) = connection.error.take() {
                    return Err(error);
                }
                // What follows a reset, once it is reported, is the end.
                return if connection.state == State::Closed {
                    Ok(0)
                } else {
                    Err(Error::WouldBlock)
                };
            }
            Ok(_) => {}
        }
        // Linux waits even where there is no room for what comes: it is how one waits without reading.
        if connection.read_shutdown {
            Ok(0)
        } else {
            Err(Error::WouldBlock)
        }
    }

    /// `shutdown(2)`: ends one direction or both; a half-closed connection goes on in the other.
    /// [`Error::NotConnected`] where there is no connection (any more).
    pub fn shutdown(&mut self, fd: Fd, how: Shutdown) -> Result<()> {
        self.begin_call();
        let result = self.shutdown_untold(fd, how);
        self.told(Some(fd), Call::Shutdown(how), result, glass::done)
    }

    fn shutdown_untold(&mut self, fd: Fd, how: Shutdown) -> Result<()> {
        let slot = match self.descriptors.get(fd)?.socket {
            Socket::Connected { slot, .. } => slot,
            Socket::Datagram { peer, .. } if peer.is_some() => return Err(Error::NotSupported),
            _ => return Err(Error::NotConnected),
        };
        let Some((socket, connection)) = self.slots[usize::from(slot)].tcp() else {
            return Err(Error::NotConnected);
        };
        if connection.is_over() {
            return Err(Error::NotConnected);
        }
        if how != Shutdown::Write {
            connection.read_shutdown = true;
        }
        if how != Shutdown::Read {
            connection.end(socket);
        }
        self.settle(slot, None);
        self.make_due(slot);
        Ok(())
    }
}
