//! Keep-alive (RFC 9293 §3.8.4) as Linux has it: a peer that has been silent for a while is probed, a few times at another
//! interval, and then given up. smoltcp has one interval for all of it, probes at once when it is told of it, and once more when
//! it is told to stop: so it is told when a probe is due, and not before.

use core::time::Duration;

use smoltcp::socket::tcp::State;
use smoltcp::time::Instant;

use super::Stack;
use super::amend::{Acknowledgment, unacknowledged};
use super::challenge::receive_next;
use super::connection::{Connection, Role};
use super::option::{Options, on_clock};
use crate::trace::Observer;

/// When a silent peer is probed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct KeepAlive {
    idle: smoltcp::time::Duration,
    interval: smoltcp::time::Duration,
    count: u32,
}

impl KeepAlive {
    pub(super) fn of(options: &Options) -> Option<KeepAlive> {
        options.keep_alive.then(|| KeepAlive {
            idle: on_clock(options.keep_alive_idle),
            interval: on_clock(options.keep_alive_interval),
            count: u32::from(options.keep_alive_count),
        })
    }

    /// How many probes go unanswered before the peer is given up. A user timeout counts in their place, from when the peer was
    /// last heard, and is looked at when the next probe would be due (as Linux).
    fn patience(&self, user_timeout: Option<Duration>) -> u32 {
        let Some(timeout) = user_timeout.map(on_clock) else {
            return self.count;
        };
        let beyond = timeout
            .total_micros()
            .saturating_sub(self.idle.total_micros());
        let probes = beyond.div_ceil(self.interval.total_micros().max(1));
        u32::try_from(probes).unwrap_or(u32::MAX).max(1)
    }
}

impl Connection {
    /// Nobody is probed who is to acknowledge something anyway.
    fn is_quiet(&self) -> bool {
        let is_open = matches!(
            self.state,
            State::Established | State::CloseWait | State::FinWait2
        );
        is_open && self.unacknowledged == 0 && !matches!(self.role, Role::HalfOpen(_) | Role::Free)
    }

    /// When the peer is probed next.
    pub(super) fn probe_at(&self) -> Option<Instant> {
        let times = self.keep_alive.filter(|_| self.is_quiet())?;
        match *self.probed {
            None => self.heard.map(|heard| heard + times.idle),
            Some((probes, _)) if probes >= times.patience(*self.user_timeout) => None,
            Some((_, probed)) => Some(probed + times.interval),
        }
    }

    /// When a peer is given up that has answered no probe.
    pub(super) fn unprobed(&self) -> Option<Instant> {
        let times = self.keep_alive.filter(|_| self.is_quiet())?;
        let (probes, probed) = (*self.probed)?;
        let is_last = probes >= times.patience(*self.user_timeout);
        is_last.then(|| probed + times.interval)
    }

    /// The peer was heard.
    #[inline]
    pub(super) fn stop_probing(&mut self) {
        self.probed.set(None);
    }

    /// Probes that it has not answered.
    pub(super) fn probes(&self) -> u32 {
        self.probed.map_or(0, |(probes, _)| probes)
    }
}

impl<'a, O: Observer> Stack<'a, O> {
    /// Before a segment is handed in: if it is the answer to a probe, smoltcp's timer is to stop with it.
    pub(super) fn hush(&mut self, slot: u16) {
        if let Some((socket, _)) = self.slots[usize::from(slot)].tcp() {
            socket.set_keep_alive(None);
        }
    }

    /// Before a slot is polled: has smoltcp probe a peer whose time it is.
    #[inline]
    pub(super) fn probe(&mut self, slot: u16) {
        let now = self.now;
        if let Some((socket, connection)) = self.slots[usize::from(slot)].tcp()
            && let Some(times) = *connection.keep_alive
            && connection.probe_at().is_some_and(|at| at <= now)
        {
            let probes = connection.probes().saturating_add(1);
            connection.probed.set(Some((probes, now)));
            // At once the first time; later ones it keeps the time of itself.
            socket.set_keep_alive(Some(times.interval));
        }
    }

    /// The options of a connection have changed: where probes are under way they begin anew.
    pub(super) fn set_keep_alive(&mut self, slot: u16, options: &Options) {
        let now = self.now;
        let place = &mut self.slots[usize::from(slot)];
        let Some((socket, connection)) = place.tcp() else {
            return;
        };
        let times = KeepAlive::of(options);
        if *connection.keep_alive == times {
            return;
        }
        connection.keep_alive.set(times);
        if connection.probes() == 0 {
            return;
        }
        connection.stop_probing();
        socket.set_keep_alive(None);
        // A timer of smoltcp's runs on until something is heard.
        let numbers = receive_next(socket, connection).zip(unacknowledged(socket, connection));
        if let Some((seq, ack)) = numbers {
            let window = connection.window;
            place.hear(&Acknowledgment { seq, ack, window }, now);
        }
    }
}
