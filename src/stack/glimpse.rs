//! What is remembered of a connection for its observer: its timers, and why it sends segments again.

use smoltcp::socket::tcp::State;
use smoltcp::time::Instant;

use super::Stack;
use super::challenge::receive_next;
use super::connection::{ACK_DELAY, Connection, control_len};
use super::frame::{Segment, before};
use super::glass::Recovery;
use super::moment::Moment;
use super::slot::Kind;
use crate::trace::{Happening, Observer, RetransmissionCause, Timer, TimerChange};

/// Duplicate acknowledgments that make smoltcp send again (RFC 5681 §3.2).
const DUPLICATE_ACKS: u8 = 3;

/// What is remembered of a connection for its observer.
#[derive(Clone, Copy)]
pub(super) struct Glimpse {
    /// The furthest acknowledgment of the peer, and the window that came with it.
    acknowledged: u32,
    window: u16,
    duplicate_acks: u8,
    /// Timeouts in a row (RFC 6298 §5.5).
    timeouts: u32,
    /// Why segments before this sequence number are sent again.
    recovery: Option<(RetransmissionCause, u32)>,
    /// The timer that runs.
    timer: Option<(Timer, Instant)>,
    /// When `connect` gives up.
    gives_up_at: Moment,
}

impl Glimpse {
    pub(super) const NOTHING: Glimpse = Glimpse {
        acknowledged: 0,
        window: 0,
        duplicate_acks: 0,
        timeouts: 0,
        recovery: None,
        timer: None,
        gives_up_at: Moment::NONE,
    };
}

impl Connection {
    /// Follows a segment of the peer.
    fn glimpse_arrival(&mut self, segment: &Segment) {
        let glass = &mut self.glimpse;
        if !segment.has_ack() || before(self.next, segment.ack) {
            return;
        }
        let is_first = self.initial == glass.acknowledged.into() || glass.acknowledged == 0;
        if before(glass.acknowledged, segment.ack) || is_first {
            glass.acknowledged = segment.ack;
            glass.duplicate_acks = 0;
            glass.timeouts = 0;
            let ack = segment.ack;
            glass.recovery = glass.recovery.filter(|(_, until)| before(ack, *until));
        } else if segment.ack == glass.acknowledged
            && segment.ack != self.next
            && segment.len == 0
            && segment.is_plain()
            && segment.window == glass.window
        {
            glass.duplicate_acks = glass.duplicate_acks.saturating_add(1);
            if glass.duplicate_acks == DUPLICATE_ACKS {
                let until = segment.ack.wrapping_add(1);
                glass.recovery = Some((RetransmissionCause::FastRetransmit, until));
            }
        }
        glass.window = segment.window;
    }

    /// Why its segments may be sent again now, and which of them that is said of.
    pub(super) fn recovery(&self) -> Option<Recovery> {
        let glass = &self.glimpse;
        let is_probing_window = matches!(glass.timer, Some((Timer::ZeroWindowProbe, _)));
        let (cause, _) = glass.recovery.filter(|_| !is_probing_window)?;
        let acknowledged = (glass.acknowledged != 0).then_some(glass.acknowledged);
        Some((cause, acknowledged, self.next))
    }

    /// Which timer a deadline is, if the rules explain it.
    fn timer(&self, at: Instant, now: Instant, queues: Queues) -> Option<Timer> {
        let glass = &self.glimpse;
        let is_known = [Timer::Retransmission, Timer::TimeWait]
            .into_iter()
            .any(|timer| glass.timer == Some((timer, at)));
        if queues.owes_ack && !is_known && at <= now + ACK_DELAY {
            return Some(Timer::DelayedAck);
        }
        if self.state == State::TimeWait {
            return Some(Timer::TimeWait);
        }
        if glass.window == 0 && queues.unsent > 0 && self.state != State::SynSent {
            return Some(Timer::ZeroWindowProbe);
        }
        if queues.unsent + control_len(self.state) > 0 {
            return Some(Timer::Retransmission);
        }
        queues.keep_alive.then_some(Timer::KeepAlive)
    }
}

/// What of a socket the rules need.
struct Queues {
    unsent: usize,
    owes_ack: bool,
    keep_alive: bool,
}

impl<O: Observer> Stack<'_, O> {
    /// Follows a segment that arrived whole.
    pub(super) fn glimpse_arrival(&mut self, slot: u16, segment: &Segment) {
        if self.observer.is_listening()
            && let Kind::Connection(connection) = &mut self.slots[usize::from(slot)].kind
        {
            connection.glimpse_arrival(segment);
        }
    }

    /// Before a slot is polled: the timer whose time has come fires.
    pub(super) fn tell_fired(&mut self, slot: u16) {
        if !self.observer.is_listening() {
            return;
        }
        let now = self.now;
        let Kind::Connection(connection) = &mut self.slots[usize::from(slot)].kind else {
            return;
        };
        let Some((timer, _)) = connection.glimpse.timer.filter(|(_, at)| *at <= now) else {
            return;
        };
        if timer == Timer::Retransmission {
            connection.glimpse.timeouts += 1;
            let cause = RetransmissionCause::Timeout(connection.glimpse.timeouts);
            connection.glimpse.recovery = Some((cause, connection.next));
        }
        let change = TimerChange::Fired;
        self.tell_of(slot, Happening::Timer { timer, change });
        if let Kind::Connection(connection) = &mut self.slots[usize::from(slot)].kind
            && timer != Timer::ZeroWindowProbe
        {
            connection.glimpse.timer = None;
        }
    }

    /// After a slot was polled: its next deadline is a timer that runs.
    pub(super) fn tell_timer(&mut self, slot: u16, next: Option<Instant>) {
        if !self.observer.is_listening() {
            return;
        }
        let now = self.now;
        let Some((socket, connection)) = self.slots[usize::from(slot)].tcp() else {
            return;
        };
        let queues = Queues {
            unsent: socket.send_queue(),
            owes_ack: receive_next(socket, connection)
                .is_some_and(|next| next != connection.receive_next),
            keep_alive: connection.keep_alive.is_some(),
        };
        let timer = next
            .filter(|at| *at > now && !connection.silent)
            .and_then(|at| Some((connection.timer(at, now, queues)?, at)));
        let previous = core::mem::replace(&mut connection.glimpse.timer, timer);
        if previous == timer {
            return;
        }
        if let Some((stopped, _)) =
            previous.filter(|(kind, _)| timer.is_none_or(|(new, _)| new != *kind))
        {
            let change = TimerChange::Stopped;
            self.tell_of(
                slot,
                Happening::Timer {
                    timer: stopped,
                    change,
                },
            );
        }
        if let Some((timer, at)) = timer {
            let after = (at - now).into();
            let change = TimerChange::Armed { at, after };
            self.tell_of(slot, Happening::Timer { timer, change });
        }
    }

    /// After a slot was polled: how long `connect` waits for its peer. (What the heart waits for on an open connection changes
    /// with each segment; that it gave up is told when it does.)
    pub(super) fn tell_connect_timer(&mut self, slot: u16) {
        if !self.observer.is_listening() {
            return;
        }
        let now = self.now;
        let Kind::Connection(connection) = &mut self.slots[usize::from(slot)].kind else {
            return;
        };
        let is_connecting = connection.state == State::SynSent;
        let gives_up_at = connection.give_up_at.get().filter(|_| is_connecting);
        let known = core::mem::replace(&mut connection.glimpse.gives_up_at, gives_up_at.into());
        if known.get() == gives_up_at {
            return;
        }
        let change = match gives_up_at {
            Some(at) => TimerChange::Armed {
                at,
                after: (at - now).into(),
            },
            None => TimerChange::Stopped,
        };
        let timer = Timer::User;
        self.tell_of(slot, Happening::Timer { timer, change });
    }
}
