//! A connection's life between smoltcp's socket and the application: its transitions, their cause, its end.

use smoltcp::socket::tcp::State;

use super::Interest;
use super::Stack;
use super::connection::{Connection, HALF_OPEN_GRACE, Number, Role, control_len};
use super::fd::Socket;
use super::frame::Segment;
use super::slot::{Agenda, Kind};
use super::waiting::Subject;
use crate::Error;
use crate::trace::{Cause, Observer};

impl<'a, O: Observer> Stack<'a, O> {
    /// Brings the heart up to date with a connection's socket, after a segment arrived or after its timers ran.
    pub(super) fn settle(&mut self, slot: u16, arrived: Option<Segment>) {
        let now = self.now;
        let Some((socket, connection)) = self.slots[usize::from(slot)].tcp() else {
            return;
        };
        if connection.role == Role::Free || connection.silent {
            return;
        }
        let (before, state) = (connection.state, socket.state());
        connection.watch(now, socket.send_queue() + control_len(state));
        if let Some(segment) = arrived
            && connection.hear(&segment, now)
            && segment.window == 0
        {
            connection.hold(now);
        }
        connection.end_late(socket);
        // New data for a closed socket has no reader: it is refused (RFC 9293 §3.10.4, RFC 2525 §2.17).
        if connection.role == Role::Orphan && socket.recv_queue() > 0 && state != State::Closed {
            socket.abort();
        }
        let state = socket.state();
        // A reset is on its way out as long as smoltcp knows the peer.
        let is_over = state == State::Closed && socket.remote_endpoint().is_none();
        let role = connection.role;
        if state != before {
            if state == State::FinWait2 && role == Role::Orphan {
                connection.since = now;
            }
            if state == State::Closed && connection.error.is_none() {
                let reset = arrived.is_some_and(|segment| segment.has_rst());
                connection.error = cause(before, reset, arrived.is_some());
            }
            self.tell_state(slot, before, state);
            self.transition(slot, role, state);
            if role == Role::Orphan {
                self.wakers.wake(Subject::Drained);
            }
        }
        if !self.is_live(slot) {
            return;
        }
        if is_over {
            self.leave_flow(slot);
            if role == Role::Orphan {
                self.release(slot);
                return;
            }
        }
        self.wake(slot);
    }

    fn transition(&mut self, slot: u16, role: Role, state: State) {
        match (role, state) {
            // smoltcp takes a reset half-open connection for a listener again; here the listener is another row.
            (_, State::Listen) => self.release(slot),
            (Role::HalfOpen(listener), State::Established | State::CloseWait) => {
                self.enqueue(slot, listener)
            }
            (Role::HalfOpen(_), State::Closed) => self.release(slot),
            (Role::Orphan, State::TimeWait) => self.enter_time_wait(slot),
            (Role::Owned(descriptor), state) => self.owned_transition(slot, descriptor, state),
            _ => {}
        }
    }

    fn owned_transition(&mut self, slot: u16, descriptor: u16, state: State) {
        let row = self.descriptors.row(descriptor);
        let is_connecting = matches!(row.socket, Socket::Connecting(_));
        match state {
            State::Established | State::CloseWait if is_connecting => {
                row.socket = Socket::Connected { slot, fresh: true };
            }
            State::Closed if is_connecting => {
                let connection = self.slots[usize::from(slot)].connection();
                let error = connection.and_then(|connection| connection.error);
                self.fail(slot, error.unwrap_or(Error::ConnectionReset));
            }
            _ => {}
        }
    }

    /// Ends a connection from this side without a word to the peer, for a reason the application hears.
    pub(super) fn fail(&mut self, slot: u16, error: Error) {
        let Some(Connection { role, state, .. }) = self.slots[usize::from(slot)].connection()
        else {
            return;
        };
        let (role, state) = (*role, *state);
        let Role::Owned(descriptor) = role else {
            if !matches!(role, Role::Queued(_)) {
                self.tell_state(slot, state, State::Closed);
                self.release(slot);
                return;
            }
            return self.silence(slot, error);
        };
        if !matches!(
            self.descriptors.peek(descriptor).socket,
            Socket::Connecting(_)
        ) {
            return self.silence(slot, error);
        }
        // `connect` failed: the socket is as it was before, and may try again.
        self.tell_state(slot, state, State::Closed);
        let row = self.descriptors.row(descriptor);
        row.socket = Socket::Idle;
        row.error = Some(error);
        match row.named {
            Some(addr) => row.local.addr = addr,
            None => self.unbind(descriptor),
        }
        self.release(slot);
        self.wakers.wake_socket(descriptor);
    }

    /// The connection is over for the application; what was received can still be read.
    fn silence(&mut self, slot: u16, error: Error) {
        let Some((socket, connection)) = self.slots[usize::from(slot)].tcp() else {
            return;
        };
        socket.abort();
        let before = connection.state;
        connection.error = Some(error);
        connection.silent = true;
        self.tell_state(slot, before, State::Closed);
        self.leave_flow(slot);
        self.unschedule(slot);
        self.wake(slot);
    }

    /// Wakes whoever waits for what has become possible.
    pub(super) fn wake(&mut self, slot: u16) {
        let Some(Role::Owned(descriptor)) =
            self.slots[usize::from(slot)].connection().map(|c| c.role)
        else {
            return;
        };
        self.wake_descriptor(descriptor);
    }

    pub(super) fn wake_descriptor(&mut self, descriptor: u16) {
        if !self.wakers.is_awaited(descriptor) {
            return;
        }
        let events = self.events_of(descriptor);
        self.wakers.wake_polls(descriptor, events);
        let readiness = self.readiness_of(descriptor);
        for (interest, is_ready) in [
            (Interest::Readable, readiness.readable),
            (Interest::Writable, readiness.writable),
        ] {
            if is_ready {
                self.wakers.wake(Subject::Socket(descriptor, interest));
            }
        }
    }

    /// A free connection slot; under pressure the oldest half-open one goes first, then the oldest in TIME-WAIT.
    pub(super) fn take_connection(&mut self) -> Option<u16> {
        if self.free_connections.is_empty() {
            let stale = self.half_open.front().filter(|slot| {
                let connection = self.slots[usize::from(*slot)].connection();
                connection.is_some_and(|c| self.now >= c.since + HALF_OPEN_GRACE.into())
            });
            // The acknowledgment of the peer's FIN leaves first.
            let is_silent = |slot: &u16| self.slots[usize::from(*slot)].agenda == Agenda::Idle;
            let silent = || self.time_wait.iter(&self.members).find(is_silent);
            let victim = stale.or_else(silent)?;
            let state = self.slots[usize::from(victim)].connection()?.state;
            let cause = core::mem::replace(&mut self.cause, Cause::Stack);
            self.tell_state(victim, state, State::Closed);
            self.cause = cause;
            self.release(victim);
        }
        self.free_connections.pop_front(&mut self.members)
    }

    /// Makes the table of flows lead to a connection.
    pub(super) fn enter_flow(&mut self, slot: u16) -> bool {
        self.find_path(slot);
        let Kind::Connection(connection) = &mut self.slots[usize::from(slot)].kind else {
            return false;
        };
        let (local, remote) = (connection.flow.local, connection.flow.remote);
        let hash = self.secret.flow_hash(local.pair(), remote.pair());
        connection.routed = self.flows.insert(hash, slot);
        connection.routed
    }

    /// Takes a connection out of the table of flows; the next one of the same flow starts above it.
    fn leave_flow(&mut self, slot: u16) {
        let Kind::Connection(connection) = &mut self.slots[usize::from(slot)].kind else {
            return;
        };
        if !connection.routed {
            return;
        }
        connection.routed = false;
        let (local, remote) = (connection.flow.local.pair(), connection.flow.remote.pair());
        if connection.initial != Number::UNKNOWN {
            self.secret.outrun(self.now, local, remote, connection.next);
        }
        let hash = self.secret.flow_hash(local, remote);
        self.flows.remove(hash, slot);
    }

    /// An orphan in TIME-WAIT gives its slot up when another needs it.
    pub(super) fn enter_time_wait(&mut self, slot: u16) {
        if let Kind::Connection(connection) = &mut self.slots[usize::from(slot)].kind
            && !connection.in_time_wait
        {
            connection.in_time_wait = true;
            self.time_wait.push_back(&mut self.members, slot);
        }
    }

    /// Whether a slot is in use.
    pub(super) fn is_live(&self, slot: u16) -> bool {
        match &self.slots[usize::from(slot)].kind {
            Kind::Connection(connection) => connection.role != Role::Free,
            Kind::Datagram(datagrams) => datagrams.owner != super::datagram::Owner::Free,
            Kind::Unused => false,
        }
    }

    /// Frees a connection's slot.
    pub(super) fn release(&mut self, slot: u16) {
        self.leave_listener(slot);
        self.leave_flow(slot);
        self.unschedule(slot);
        let Some((socket, connection)) = self.slots[usize::from(slot)].tcp() else {
            return;
        };
        if connection.role == Role::Free {
            return;
        }
        socket.abort();
        // smoltcp keeps it beyond the connection; the next one is to find out about its own path (RFC 5681 §3.1).
        socket.set_congestion_control(socket.congestion_control());
        let (waits, role) = (connection.in_time_wait, connection.role);
        *connection = Connection::FREE;
        if waits {
            self.time_wait.remove(&mut self.members, slot);
        }
        self.free_connections.push_back(&mut self.members, slot);
        self.room = true;
        if role == Role::Orphan {
            self.wakers.wake(Subject::Drained);
        }
    }
}

/// Why a connection ended: smoltcp reports reset, time-out and orderly close alike, the segment tells them apart.
fn cause(before: State, reset: bool, arrived: bool) -> Option<Error> {
    match before {
        State::SynSent if reset => Some(Error::ConnectionRefused),
        // The peer has said all it wanted to; only sending to it fails (as Linux).
        State::CloseWait if reset => Some(Error::BrokenPipe),
        // Both sides have said all and know it; this one only waits for stray segments.
        State::TimeWait => None,
        _ if reset => Some(Error::ConnectionReset),
        // Without a segment and without our doing: the interface lost the connection's address.
        State::LastAck | State::Closing => None,
        _ if !arrived => Some(Error::AddrNotAvailable),
        _ => None,
    }
}
