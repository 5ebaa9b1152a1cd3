//! What goes out: slots that were touched, or whose deadline came, are polled; no others.

use smoltcp::socket::tcp::State;
use smoltcp::time::{Duration, Instant};

#[cfg(feature = "tasks")]
use super::InterfaceId;
use super::Stack;
use super::connection::{Connection, Number, Role};
use super::datagram::{DISCOVERY_INTERVAL, DISCOVERY_TIMEOUT};
use super::door::{Door, Sent, Watch};
use super::interface::NetworkInterface;
use super::link::Transmit;
use super::moment::Moment;
use super::slot::{Agenda, Kind};
use crate::Error;
use crate::trace::{Cause, Observer};

/// Frames that one slot may send before the others get their turn.
const BURST: usize = 64;

/// When to try again after the device had no room, if nothing else happens before.
pub(super) const DEVICE_RETRY: Duration = Duration::from_millis(1);

impl<'a, O: Observer> Stack<'a, O> {
    /// Puts a slot on its interface's list of work.
    #[inline]
    pub(super) fn make_due(&mut self, slot: u16) {
        if self.slots[usize::from(slot)].agenda != Agenda::Due {
            self.put_on_agenda(slot);
        }
    }

    fn put_on_agenda(&mut self, slot: u16) {
        let place = &mut self.slots[usize::from(slot)];
        let Some(interface) = self.interfaces.get_mut(place.interface) else {
            return;
        };
        match place.agenda {
            Agenda::Blocked => interface.blocked.remove(&mut self.agenda, slot),
            Agenda::Idle | Agenda::Due => {}
        }
        place.agenda = Agenda::Due;
        self.due += 1;
        interface.due.push_back(&mut self.agenda, slot);
    }

    /// Takes a slot off all lists and clocks.
    pub(super) fn unschedule(&mut self, slot: u16) {
        let place = &mut self.slots[usize::from(slot)];
        place.blocked = Moment::NONE;
        if let Some(interface) = self.interfaces.get_mut(place.interface) {
            match place.agenda {
                Agenda::Due => {
                    interface.due.remove(&mut self.agenda, slot);
                    self.due -= 1;
                }
                Agenda::Blocked => interface.blocked.remove(&mut self.agenda, slot),
                Agenda::Idle => {}
            }
        }
        place.agenda = Agenda::Idle;
        self.deadlines.set(slot, None);
    }

    /// A neighbor may have answered: who waits for one tries again.
    pub(super) fn unblock(&mut self, interface: u8) {
        loop {
            let row = self.interfaces.get(interface);
            match row.and_then(|row| row.blocked.front()) {
                Some(slot) => self.make_due(slot),
                None => break,
            }
        }
        self.unblock_client(interface);
    }

    /// Slots whose deadline has come have work; packets whose fragments are missing for too long are given up.
    pub(super) fn expire(&mut self) {
        self.reassemblies.expire(self.now);
        self.wakers.expire(self.now);
        self.expire_configuration();
        self.expire_queries();
        while let Some(slot) = self.deadlines.pop_due(self.now) {
            if let Kind::Connection(connection) = &mut self.slots[usize::from(slot)].kind {
                connection.countdown.expire(self.now);
            }
            self.make_due(slot);
        }
    }

    /// Polls the slots that have work on an interface, each once, until the device refuses a frame.
    pub(super) fn egress(&mut self, interface: u8, device: &mut dyn Transmit) {
        let count = match self.interfaces.get(interface) {
            Some(interface) => interface.due.len(),
            // Another stack's interface, for all that can be known.
            _ => 0,
        };
        let refused = self.egress_own(interface, device);
        if let Some(row) = self.interfaces.get_mut(interface) {
            row.refused = refused;
        }
        if refused {
            return;
        }
        for _ in 0..count {
            let Some(row) = self.interfaces.get_mut(interface) else {
                return;
            };
            let Some(slot) = row.due.pop_front(&mut self.agenda) else {
                return;
            };
            self.slots[usize::from(slot)].agenda = Agenda::Idle;
            self.due -= 1;
            if self.egress_slot(interface, slot, device) {
                if let Some(row) = self.interfaces.get_mut(interface) {
                    row.refused = true;
                }
                return;
            }
        }
    }

    /// Sends what the host says of itself; says whether the device refused a frame.
    fn egress_own(&mut self, interface: u8, device: &mut dyn Transmit) -> bool {
        if self.egress_answers(interface, device)
            || self.egress_solicitations(interface, device)
            || self.egress_queries(interface, device)
            || self.egress_client(interface, device)
        {
            return true;
        }
        self.egress_memberships(interface, device)
    }

    /// Polls one slot; says whether the device refused a frame.
    fn egress_slot(&mut self, index: u8, slot: u16, device: &mut dyn Transmit) -> bool {
        self.cause = Cause::Timer;
        if self.is_to_be_read(slot) {
            return false;
        }
        self.tell_fired(slot);
        if self.give_up(slot) {
            return false;
        }
        let now = self.now;
        if let Kind::Datagram(_) = self.slots[usize::from(slot)].kind {
            return self.egress_datagrams(index, slot, device);
        }
        let wants_care = {
            let connection = self.slots[usize::from(slot)].connection();
            connection.is_some_and(Connection::wants_care)
        };
        let (mut narrow, mut resends_at) = (None, None);
        if wants_care {
            if self.is_held_back(index, slot, device) {
                return false;
            }
            self.probe(slot);
            self.forget_path(slot);
            narrow = self.narrowed(index, slot);
            resends_at = self.resends_at(slot);
        }
        let connection = self.slots[usize::from(slot)].connection();
        let to = connection.map(|connection| connection.flow.remote.addr);
        let pane = self.pane_of(index, Some(slot));
        let place = &mut self.slots[usize::from(slot)];
        let stamp = place.stamp();
        let horizon = place.connection().and_then(Connection::horizon);
        let (Some(interface), Some(set)) = (self.interfaces.get_mut(index), &mut place.set) else {
            return false;
        };
        let mut sent = Sent {
            horizon,
            ..Sent::default()
        };
        let mut watch = Watch {
            sent: &mut sent,
            link: to.and_then(|to| interface.link_to(to, now)),
            pane,
            stamp,
            observer: &mut self.observer,
        };
        let inner = narrow.as_mut().unwrap_or(&mut interface.inner);
        let mut more = true;
        for _ in 0..BURST {
            use smoltcp::iface::PollResult;
            // One call for both, or all of smoltcp's sending would be in the machine code twice.
            let expiry = resends_at.take();
            let mut polled = PollResult::None;
            device.reserve(now, &mut |room| {
                let mut door = Door::out(room, &mut watch);
                polled = inner.poll_egress(expiry.unwrap_or(now), &mut door, set);
            });
            if polled == PollResult::None && expiry.is_none() {
                more = false;
                break;
            }
        }
        let mut next = inner.poll_at(now, set);
        self.probe_neighbor(index, device);
        let blocked = sent.unresolved.then(|| self.block(index, slot, device));
        self.slots[usize::from(slot)].blocked = blocked.into();
        let is_blocked = blocked.is_some();
        self.note_sent(slot, &sent);
        match self.slots[usize::from(slot)].kind {
            Kind::Connection(_) => self.settle(slot, None),
            Kind::Datagram(_) | Kind::Unused => return false,
        }
        if !self.is_live(slot) {
            return sent.exhausted;
        }
        if self.persist(slot, next) {
            next = self.poll_at(index, slot);
            more |= next.is_some_and(|next| next <= now);
        }
        if wants_care {
            self.update_window(index, slot, device);
            let connection = self.slots[usize::from(slot)].connection();
            next = earlier(next, connection.and_then(Connection::probe_at));
        }
        self.tell_timer(slot, next);
        if more || sent.exhausted {
            self.make_due(slot);
            // It is due already; a deadline that has passed would call for a poll without end.
            next = next.filter(|next| *next > now);
        } else if is_blocked {
            let until = now + DISCOVERY_INTERVAL;
            self.wait_for_neighbor(index, slot);
            // A timer of the connection's own may be due before.
            next = earlier(Some(until), next.filter(|next| *next > now));
        } else if next.is_some_and(|next| next <= now) {
            // smoltcp says "now" and does nothing: look again soon, never in a loop.
            next = Some(now + DEVICE_RETRY);
        }
        let is_silent = self.slots[usize::from(slot)].agenda == Agenda::Idle;
        if let Kind::Connection(connection) = &mut self.slots[usize::from(slot)].kind {
            // It has nothing more to say, and may give way.
            self.room |= connection.in_time_wait && is_silent;
            // Silence for a neighbor's sake is no timer of the connection's.
            connection.countdown.arm(now, next.filter(|_| !is_blocked));
            let deadline = connection.deadline();
            connection.give_up_at = deadline.into();
            next = match connection.silent {
                true => None,
                false => earlier(next, deadline),
            };
        }
        self.deadlines.set(slot, next);
        self.tell_connect_timer(slot);
        sent.exhausted
    }

    /// Puts a slot on the list of those that wait for a neighbor's hardware address.
    pub(super) fn wait_for_neighbor(&mut self, index: u8, slot: u16) {
        let place = &mut self.slots[usize::from(slot)];
        if let (Agenda::Idle, Some(interface)) = (place.agenda, self.interfaces.get_mut(index)) {
            place.agenda = Agenda::Blocked;
            interface.blocked.push_back(&mut self.agenda, slot);
        }
    }

    /// When smoltcp wants a slot to be polled.
    pub(super) fn poll_at(&mut self, interface: u8, slot: u16) -> Option<Instant> {
        let interface = self.interfaces.get_mut(interface)?;
        let set = self.slots[usize::from(slot)].set.as_ref()?;
        interface.inner.poll_at(self.now, set)
    }

    /// Remembers the sequence numbers that left.
    pub(super) fn note_sent(&mut self, slot: u16, sent: &Sent) {
        let now = self.now;
        if let Some((socket, connection)) = self.slots[usize::from(slot)].tcp()
            && let (Some(first), Some((next, ack))) = (sent.first, sent.sequence)
        {
            if connection.initial == Number::UNKNOWN {
                connection.initial = first.into();
                connection.next = first;
            }
            if sent.again > 0 {
                #[cfg(feature = "options")]
                {
                    connection.retransmissions += sent.again;
                }
                connection.round_trip.sent_again();
            }
            if super::frame::before(connection.next, next) {
                connection.next = next;
                if sent.again == 0 {
                    connection.round_trip.sent(next, now);
                }
            }
            if let Some(ack) = ack {
                connection.receive_next = ack;
                if connection.receive_limit.is_some() {
                    connection.note_window(socket, ack, sent.window);
                }
                if sent.offers {
                    connection.offered = ack.wrapping_add(connection.offer(socket));
                }
                if connection.first_octet == Number::UNKNOWN {
                    self.note_first_octet(slot, ack);
                }
            }
        }
    }

    /// Ends what has waited too long; says whether there is nothing left to poll.
    fn give_up(&mut self, slot: u16) -> bool {
        let now = self.now;
        let place = &mut self.slots[usize::from(slot)];
        let mut unreachable = place
            .blocked
            .get()
            .is_some_and(|since| now >= since + DISCOVERY_TIMEOUT);
        if unreachable && self.fail_over(slot) {
            unreachable = false;
        }
        let place = &mut self.slots[usize::from(slot)];
        let is_past = |at: Option<Instant>| at.is_some_and(|at| now >= at);
        let overdue = place.connection().is_some_and(|connection| {
            // The peer may have been heard since the time was set.
            is_past(connection.give_up_at.get()) && is_past(connection.deadline())
        });
        match &mut place.kind {
            Kind::Connection(connection) => {
                if connection.silent {
                    return true;
                }
                let never_sent = connection.initial == Number::UNKNOWN;
                if unreachable && never_sent && connection.state == State::SynSent {
                    self.fail(slot, Error::HostUnreachable);
                    return true;
                }
                if overdue {
                    // What ICMP said is nearer to the cause (as Linux).
                    let error = connection.soft_error.take().unwrap_or(Error::TimedOut);
                    self.tell_gave_up(slot);
                    self.fail(slot, error);
                    return true;
                }
                // A reset that cannot be delivered is not worth waiting for.
                if unreachable
                    && connection.state == State::Closed
                    && connection.role == Role::Orphan
                {
                    self.release(slot);
                    return true;
                }
                false
            }
            Kind::Datagram(_) if unreachable => {
                self.give_up_first(slot);
                false
            }
            _ => false,
        }
    }

    /// The next hop of a slot does not answer: another is tried, if there is one.
    fn fail_over(&mut self, slot: u16) -> bool {
        let now = self.now;
        let destination = self.ends_of(slot).map(|(_, to)| to);
        let place = &mut self.slots[usize::from(slot)];
        let (Some(interface), Some(destination)) =
            (self.interfaces.get_mut(place.interface), destination)
        else {
            return false;
        };
        let is_other = interface.is_up && interface.fail_over(destination, now);
        if is_other {
            place.blocked = Moment::NONE;
        }
        is_other
    }

    /// The earliest time at which something is to be done.
    pub(super) fn next_deadline(&self) -> Option<Instant> {
        self.next_deadline_among(|_| true)
    }

    /// The same for who polls one interface, and with it the loopback: what waits on the others is for those who poll them.
    #[cfg(feature = "tasks")]
    pub(super) fn next_deadline_on(&self, interface: u8) -> Option<Instant> {
        let row = self.interfaces.get(interface);
        if row.is_some_and(|row| row.has_unread) {
            return Some(self.now);
        }
        self.next_deadline_among(|index| index == interface || index == InterfaceId::LOOPBACK.0)
    }

    /// The same.
    #[cfg(all(feature = "std", target_os = "linux"))]
    pub(crate) fn next_deadline_of(&self, interface: InterfaceId) -> Option<Instant> {
        self.next_deadline_on(interface.0)
    }

    fn next_deadline_among(&self, is_meant: impl Fn(u8) -> bool) -> Option<Instant> {
        let may_replay = self.room && !self.pending.is_empty();
        let mut at_once = (may_replay || !self.loopback.is_empty()).then_some(self.now);
        // An answer that the device had no room for.
        if self.reassemblies.has_answer(&is_meant) {
            at_once = earlier(at_once, Some(self.now + DEVICE_RETRY));
        }
        for (index, row) in self.interfaces.iter() {
            if is_meant(index)
                && let Some(at) = earlier(row.due_at(self.now), self.resolver.sends_at(index))
            {
                at_once = earlier(at_once, Some(at.max(self.now + row.pause())));
            }
        }
        let waiting = earlier(self.deadlines.next(), self.reassemblies.next_deadline());
        let waiting = earlier(waiting, self.wakers.next());
        earlier(at_once, earlier(waiting, self.resolver.asks_at()))
    }
}

impl NetworkInterface {
    /// When its slots, or the host itself, have something to say on it; perhaps long ago.
    fn due_at(&self, now: Instant) -> Option<Instant> {
        if !self.due.is_empty() {
            return Some(now);
        }
        let client = self.client.as_ref();
        let client_at = client.and_then(|client| client.poll_at(self.is_up));
        let own = earlier(self.reports_at(), self.configuration_at.at());
        earlier(own, client_at)
    }

    /// How long what is due waits: a full device is no reason to call at once, and no reason to let the other links wait.
    fn pause(&self) -> Duration {
        match self.refused {
            true => DEVICE_RETRY,
            false => Duration::ZERO,
        }
    }
}

/// The earlier of two times, where "never" is the latest.
pub(super) fn earlier(a: Option<Instant>, b: Option<Instant>) -> Option<Instant> {
    match (a, b) {
        (Some(a), Some(b)) => Some(a.min(b)),
        (a, b) => a.or(b),
    }
}
