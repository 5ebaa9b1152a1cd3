//! `TCP_CORK`: what does not fill a segment is held back. Nagle's algorithm, which smoltcp has, does that while something is
//! under way; where nothing is, smoltcp is not asked, and what it would send beside data the heart sends itself.

use smoltcp::socket::tcp::{self, State};
use smoltcp::time::{Duration, Instant};

use super::Stack;
use super::amend::unacknowledged;
use super::challenge::receive_next;
use super::connection::{ACK_DELAY, Connection};
use super::egress::earlier;
use super::link::Transmit;
use super::option::Setting;
use crate::trace::Observer;

/// The longest that something is held back (tcp(7)).
const LONGEST: Duration = Duration::from_millis(200);

/// Whether a connection is corked, and since when that holds something back.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Cork(Setting<Held>);

/// Since when something is held back, if something is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Held {
    since: Option<Instant>,
}

impl Cork {
    pub(super) const OFF: Cork = Cork(Setting::NONE);

    pub(super) fn is_in(&self) -> bool {
        self.0.is_some()
    }

    pub(super) fn set(&mut self, is_in: bool) {
        let held = self.0.unwrap_or(Held { since: None });
        self.0.set(is_in.then_some(held));
    }

    fn note(&mut self, since: Option<Instant>) {
        self.0.set(Some(Held { since }));
    }

    /// Since when something is held back, if it may be for longer. It is asked once, each time something could leave.
    fn hold(&mut self, now: Instant) -> Option<Instant> {
        let since = self.0.and_then(|held| held.since).unwrap_or(now);
        let is_over = now >= since + LONGEST;
        self.note((!is_over).then_some(since));
        (!is_over).then_some(since)
    }
}

impl Connection {
    /// Whether all that there is to send is the beginning of a segment, and nothing is under way.
    fn is_to_be_filled(&self, socket: &tcp::Socket<'_>) -> bool {
        let queued = socket.send_queue();
        let is_open = matches!(self.state, State::Established | State::CloseWait);
        is_open
            && !self.write_shutdown
            && (1..usize::from(self.segment_size())).contains(&queued)
            && unacknowledged(socket, self) == Some(self.next)
            // A shut window is smoltcp's business.
            && self.window != 0
    }
}

impl<'a, O: Observer> Stack<'a, O> {
    /// Before a slot is polled: whether it is not to be, for what it would send is held back.
    #[inline]
    pub(super) fn is_held_back(&mut self, index: u8, slot: u16, device: &mut dyn Transmit) -> bool {
        let connection = self.slots[usize::from(slot)].connection();
        connection.is_some_and(|connection| connection.cork.is_in())
            && self.hold_back(index, slot, device)
    }

    fn hold_back(&mut self, index: u8, slot: u16, device: &mut dyn Transmit) -> bool {
        let now = self.now;
        // What has been acknowledged meanwhile frees room.
        self.settle(slot, None);
        let Some((socket, connection)) = self.slots[usize::from(slot)].tcp() else {
            return false;
        };
        if !connection.is_to_be_filled(socket) {
            connection.cork.note(None);
            return false;
        }
        let Some(since) = connection.cork.hold(now) else {
            return false;
        };
        let owes =
            receive_next(socket, connection).is_some_and(|next| next != connection.receive_next);
        let acknowledges_at = since + ACK_DELAY;
        let deadline = connection.deadline();
        connection.give_up_at = deadline.into();
        let mut next = earlier(Some(since + LONGEST), deadline);
        if owes && now >= acknowledges_at {
            self.acknowledge(index, slot, device);
        } else if owes {
            next = earlier(next, Some(acknowledges_at));
        }
        self.tell_timer(slot, None);
        self.deadlines.set(slot, next);
        true
    }
}
