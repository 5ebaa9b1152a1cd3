//! What `getsockopt` tells that is no setting: what a socket is, what waits, and how a connection fares.

use smoltcp::socket::tcp::{self, State};

use super::connection::{Connection, control_len};
use super::fd::Socket;
use super::moment::left;
use super::option::{Options, TcpInformation};
use super::slot::Slot;
use super::{Fd, Stack, Type};
use crate::trace::{Observer, Timer};
use crate::{Error, Result};

impl<'a, O: Observer> Stack<'a, O> {
    pub(super) fn options_of(&self, fd: Fd) -> Result<&Options> {
        Ok(&self.descriptors.get(fd)?.options)
    }

    /// A descriptor's connection, from its SYN on.
    pub(super) fn connection_of(&self, fd: Fd) -> Option<&Connection> {
        self.slot_of(fd)?.connection()
    }

    fn slot_of(&self, fd: Fd) -> Option<&Slot<'a>> {
        let slot = match self.descriptors.get(fd).ok()?.socket {
            Socket::Connecting(slot) | Socket::Connected { slot, .. } => slot,
            Socket::Datagram { slot, .. } => slot,
            _ => return None,
        };
        self.slots.get(usize::from(slot))
    }

    /// Octets that there is memory for, to send and to receive. All sockets of a type have the same.
    pub(super) fn capacities(&self, fd: Fd) -> (usize, usize) {
        let is_stream = self.type_of(fd) == Ok(Type::Stream);
        let sizes = |slot: &Slot<'_>| match is_stream {
            true => slot
                .tcp_ref()
                .map(|(socket, _)| (socket.send_capacity(), socket.recv_capacity())),
            false => slot.datagrams_ref().map(|datagrams| {
                (
                    datagrams.sending.payload_capacity(),
                    datagrams.received.payload_capacity(),
                )
            }),
        };
        self.slots.iter().find_map(sizes).unwrap_or_default()
    }

    pub(super) fn soft_error(&mut self, fd: Fd) -> Result<Option<Error>> {
        self.descriptors.get(fd)?;
        Ok(self
            .connection_of(fd)
            .and_then(|connection| connection.soft_error))
    }

    pub(super) fn type_of(&self, fd: Fd) -> Result<Type> {
        Ok(self.descriptors.get(fd)?.kind())
    }

    pub(super) fn is_accepting(&mut self, fd: Fd) -> Result<bool> {
        let row = self.descriptors.get(fd)?;
        Ok(matches!(row.socket, Socket::Listening { .. }))
    }

    pub(super) fn receive_queued(&mut self, fd: Fd) -> Result<usize> {
        let row = self.descriptors.get_mut(fd)?;
        let Socket::Datagram { slot, .. } = row.socket else {
            let stream = self.slot_of(fd).and_then(Slot::tcp_ref);
            return Ok(stream.map_or(0, |(socket, _)| socket.recv_queue()));
        };
        let datagrams = self.slots[usize::from(slot)].datagrams();
        let first = datagrams.and_then(|datagrams| datagrams.received.peek().ok());
        Ok(first.map_or(0, |(_, payload)| payload.len()))
    }

    pub(super) fn send_queued(&mut self, fd: Fd) -> Result<usize> {
        self.descriptors.get(fd)?;
        let Some(slot) = self.slot_of(fd) else {
            return Ok(0);
        };
        Ok(match slot.tcp_ref() {
            Some((_, connection)) if connection.silent => 0,
            Some((socket, connection)) => {
                // A FIN that smoltcp has not been told of counts as well.
                let fin = usize::from(connection.is_waiting_to_end());
                socket.send_queue() + control_len(socket.state()) + fin
            }
            None => slot
                .datagrams_ref()
                .map_or(0, |datagrams| datagrams.sending.payload_bytes_count()),
        })
    }

    pub(super) fn tcp_information(&self, fd: Fd) -> Result<TcpInformation> {
        let row = self.descriptors.get(fd)?;
        let state = match row.socket {
            Socket::Datagram { .. } => return Err(Error::NotSupported),
            Socket::Listening { .. } => State::Listen,
            _ => State::Closed,
        };
        let place = self.slot_of(fd).and_then(Slot::tcp_ref);
        Ok(match place {
            Some((socket, connection)) => self.information(socket, connection),
            None => TcpInformation::of(state),
        })
    }

    fn information(&self, socket: &tcp::Socket<'_>, connection: &Connection) -> TcpInformation {
        let now = self.now;
        let countdown = &connection.countdown;
        let timer = connection.running_timer(socket);
        let queued = match connection.silent {
            true => 0,
            false => socket.send_queue() as u64,
        };
        let is_retransmission = timer == Some(Timer::Retransmission);
        let rto = countdown.interval().filter(|_| is_retransmission);
        let under_way = super::amend::unacknowledged(socket, connection)
            .map(|first| connection.next.wrapping_sub(first));
        let offered = connection.edge.unwrap_or(connection.offered);
        let offered = offered.wrapping_sub(connection.receive_next) as i32;
        let received = connection.read + socket.recv_queue() as u64;
        TcpInformation {
            state: connection.state,
            round_trip: connection.round_trip.smoothed(),
            round_trip_variation: connection.round_trip.variation(),
            retransmission_timeout: rto,
            backoff: match rto {
                Some(_) => countdown.expired(),
                None => 0,
            },
            timer: timer.and_then(|timer| Some((timer, countdown.left(now)?))),
            probes: u8::try_from(connection.probes()).unwrap_or(u8::MAX),
            retransmissions: connection.retransmissions,
            in_flight: match connection.state {
                State::Closed => 0,
                _ => under_way.unwrap_or(control_len(connection.state) as u32),
            },
            send_window: match connection.window_ack.get() {
                Some(_) => connection.window_len(connection.window) as u32,
                None => 0,
            },
            receive_window: offered.max(0) as u32,
            segment_size: connection.segment_size(),
            path_mtu: connection.path_mtu(),
            octets_written: connection.written,
            octets_acknowledged: connection.written.saturating_sub(queued),
            octets_received: received,
            last_heard: connection
                .window_ack
                .get()
                .and(*connection.heard)
                .map(|heard| left(now, heard)),
        }
    }
}

impl Connection {
    /// Which timer is the connection's, as far as its state tells.
    fn running_timer(&self, socket: &tcp::Socket<'_>) -> Option<Timer> {
        match self.state {
            State::Closed => None,
            State::TimeWait => Some(Timer::TimeWait),
            _ if self.silent => None,
            _ if self.window == 0 && socket.send_queue() > 0 => Some(Timer::ZeroWindowProbe),
            _ if socket.send_queue() + control_len(self.state) > 0 => Some(Timer::Retransmission),
            _ if self.keep_alive.is_some() => Some(Timer::KeepAlive),
            _ => None,
        }
    }
}
