//! What smoltcp forgets of a connection while it waits: the timer of octets under way when their window shuts and opens, the
//! window in LAST-ACK, and what the application has not read yet when TIME-WAIT is over.

use smoltcp::socket::tcp::{self, State};
use smoltcp::time::{Duration, Instant};

use super::Stack;
use super::amend::{Acknowledgment, unacknowledged};
use super::challenge::receive_next;
use super::connection::{Connection, Role};
use super::frame::before;
use crate::trace::Observer;

/// The longest that smoltcp waits before it sends or probes again.
const LONGEST: Duration = Duration::from_secs(60);

/// Acknowledgments that say the same again: what was sent after it has been lost (RFC 5681 §3.2).
const DUPLICATES: usize = 3;

impl Connection {
    /// Sends FIN behind what is queued.
    pub(super) fn end(&mut self, socket: &mut tcp::Socket<'_>) {
        self.write_shutdown = true;
        if socket.state() != State::CloseWait {
            socket.close();
        }
        self.end_late(socket);
    }

    /// In LAST-ACK smoltcp hears nothing of a window unless something is acknowledged as well: it is told of the end when
    /// all that is queued has room in the window, however that is rounded.
    pub(super) fn end_late(&mut self, socket: &mut tcp::Socket<'_>) {
        let queued = socket.send_queue();
        let has_room = queued == 0 || queued + self.window_len(1) <= self.window_len(self.window);
        if self.write_shutdown && socket.state() == State::CloseWait && has_room {
            socket.close();
        }
    }

    /// FIN is to be sent, and smoltcp is not told.
    pub(super) fn is_waiting_to_end(&self) -> bool {
        self.write_shutdown && self.state == State::CloseWait
    }
}

impl<'a, O: Observer> Stack<'a, O> {
    /// smoltcp may have octets under way and no timer: a window was shut over them, and when they are to be sent again it does
    /// neither that nor probe; or the window opened again, which ends the probes and starts no other timer. Has it hear what
    /// was heard last once more, as often as it takes; says whether it had to.
    pub(super) fn persist(&mut self, slot: u16, next: Option<Instant>) -> bool {
        // What is later is a keep-alive, which may be hours away.
        if next.is_some_and(|next| next <= self.now + LONGEST) {
            return false;
        }
        let place = &mut self.slots[usize::from(slot)];
        let Some((socket, connection)) = place.tcp_ref() else {
            return false;
        };
        if socket.send_queue() == 0 {
            return false;
        }
        let numbers = receive_next(socket, connection).zip(unacknowledged(socket, connection));
        let Some((seq, ack)) = numbers else {
            return false;
        };
        let repeat = Acknowledgment {
            seq,
            ack,
            window: connection.window,
        };
        // The first starts the probes. Where the window is open it is the fourth that counts: the third duplicate.
        let times = match connection.window {
            0 => 1,
            _ if before(ack, connection.next) => 1 + DUPLICATES,
            _ => 0,
        };
        for _ in 0..times {
            place.hear(&repeat, self.now);
        }
        times > 0
    }

    /// Whether TIME-WAIT is over but for what the application has still to read, which smoltcp would forget with the
    /// connection.
    pub(super) fn is_to_be_read(&mut self, slot: u16) -> bool {
        let now = self.now;
        let place = &self.slots[usize::from(slot)];
        let holds = place.tcp_ref().is_some_and(|(socket, connection)| {
            // Where it owes an acknowledgment, the deadline may be that one's.
            socket.state() == State::TimeWait
                && connection.role != Role::Orphan
                && socket.recv_queue() > 0
                && receive_next(socket, connection) == Some(connection.receive_next)
        });
        let interface = place.interface;
        holds && self.poll_at(interface, slot).is_some_and(|at| at <= now)
    }
}
