//! The calls of a stack that wait, and the other end of it: who drives a shared stack.

use core::task::Waker;

use heapless::Vec;
use smoltcp::time::Instant;

use super::{NEVER, Subject, WOKEN, Waiting, Woken};
use crate::Result;
use crate::stack::interface::LOOPBACK;
#[cfg(feature = "dns")]
use crate::stack::resolver::Lookup;
use crate::stack::{Fd, Interest, InterfaceId, PollFd, Stack};
use crate::trace::Observer;

impl<'a, O: Observer> Stack<'a, O> {
    /// Has `waker` woken, once, when the socket is (or already was) ready for what it is interested in, or failed, or was
    /// closed. Any number of wakers wait on a socket, each of them once; more of them than the stack has
    /// [room](crate::stack::Storage) for wake each other.
    pub fn register_waker(&mut self, fd: Fd, interest: Interest, waker: &Waker) -> Result<()> {
        if self.is_ready(fd, interest)? {
            self.wakers.wake_beside(waker);
        } else {
            let subject = Subject::Socket(fd.index, interest);
            self.wakers.register(subject, waker);
        }
        Ok(())
    }

    /// As [`register_waker`](Stack::register_waker), for a future: `waiting` waits once, with the waker given last, until it
    /// is woken or [stopped](Stack::stop_waiting).
    pub fn wait(
        &mut self,
        fd: Fd,
        interest: Interest,
        waiting: &mut Waiting,
        waker: &Waker,
    ) -> Result<()> {
        if self.is_ready(fd, interest)? {
            self.wakers.give_up(waiting);
            self.wakers.wake_beside(waker);
        } else {
            let subject = Subject::Socket(fd.index, interest);
            self.wakers.wait(subject, Instant::ZERO, waiting, waker);
        }
        Ok(())
    }

    /// Has `waker` woken, once, when one of the sockets has (or already had) an event that is asked of it; as
    /// [`wait`](Stack::wait), for a future. However many sockets there are, it takes one place among those who wait.
    ///
    /// Where several wait for the same socket in this way, its next event may wake one of them that waits for others by now: it
    /// finds nothing, and waits again.
    pub fn wait_for_any(&mut self, fds: &[PollFd], waiting: &mut Waiting, waker: &Waker) {
        let is_ready = |row: &PollFd| !self.revents(row).is_empty();
        let is_ready = fds.iter().any(is_ready);
        let rows = fds.iter().map(|row| (row.fd.index, row.events));
        self.wakers.wait_for_any(rows, is_ready, waiting, waker);
    }

    /// Has `waker` woken, once, when the lookup is done or given up.
    #[cfg(feature = "dns")]
    pub fn wait_for_lookup(
        &mut self,
        lookup: Lookup,
        waiting: &mut Waiting,
        waker: &Waker,
    ) -> Result<()> {
        match self.pending_lookup(lookup)? {
            Some(index) => {
                let subject = Subject::Lookup(index);
                self.wakers.wait(subject, Instant::ZERO, waiting, waker);
            }
            None => {
                self.wakers.give_up(waiting);
                self.wakers.wake_beside(waker);
            }
        }
        Ok(())
    }

    /// Has `waker` woken, once, at the next change of an [address](Stack::addresses), a [route](Stack::routes) or a link of
    /// this host.
    pub fn wait_for_configuration(&mut self, waiting: &mut Waiting, waker: &Waker) {
        self.wakers
            .wait(Subject::Configured, Instant::ZERO, waiting, waker);
    }

    /// Has `waker` woken, once, at the first [`poll`](Stack::poll) at or after a time; says whether that time is still to
    /// come. `poll` wants to be called then.
    pub fn wait_until(&mut self, at: Instant, waiting: &mut Waiting, waker: &Waker) -> bool {
        let is_to_come = at > self.now;
        if is_to_come {
            self.wakers.wait(Subject::Time, at, waiting, waker);
        } else {
            self.wakers.give_up(waiting);
        }
        is_to_come
    }

    /// For who polls one interface of this stack (`None` is the loopback alone) and sleeps in between: until when. Should
    /// that change, for a call that gives the interface something to do, [`wake_driver`](Stack::wake_driver) wakes `waker`.
    pub fn wait_for_work(
        &mut self,
        interface: Option<InterfaceId>,
        waiting: &mut Waiting,
        waker: &Waker,
    ) -> Option<Instant> {
        let interface = interface.map_or(LOOPBACK, |interface| interface.0);
        let until = self.next_deadline_on(interface);
        let at = until.unwrap_or(NEVER);
        self.wakers
            .wait(Subject::Work(interface), at, waiting, waker);
        until
    }

    /// After a call: wakes those who [wait for work](Stack::wait_for_work) and have some before the time that they were told.
    pub fn wake_driver(&mut self) {
        let mut next = self.wakers.work.front();
        while let Some(index) = next
            && let Some(link) = self.wakers.links.get(usize::from(index))
            && let Some(row) = self.wakers.rows.get(usize::from(index))
        {
            next = link.next();
            if let Subject::Work(interface) = row.subject
                && self.next_deadline_on(interface).unwrap_or(NEVER) < row.at
            {
                self.wakers.wake_row(index);
            }
        }
    }

    /// Has `waker` woken, once, when it is worth asking [again](Stack::is_drained).
    pub(crate) fn wait_until_drained(&mut self, waiting: &mut Waiting, waker: &Waker) {
        self.wakers
            .wait(Subject::Drained, Instant::ZERO, waiting, waker);
    }

    /// Whether every interface that is to get its address by itself has one, so that nothing is gained by waiting. Where not,
    /// `waker` is woken, once, when it is worth asking again.
    pub fn wait_until_configured(&mut self, waiting: &mut Waiting, waker: &Waker) -> bool {
        let is_configured = self.is_configured();
        if is_configured {
            self.wakers.give_up(waiting);
        } else {
            self.wakers
                .wait(Subject::Configured, Instant::ZERO, waiting, waker);
        }
        is_configured
    }

    /// From now on (or no more) several share the stack: who calls it takes those whom it [woke](Stack::woken) away with it.
    pub(crate) fn share(&mut self, is_shared: bool) {
        self.wakers.is_shared = is_shared;
    }

    /// Who is to be woken once the stack is let go of.
    pub(crate) fn woken(&mut self) -> Woken {
        let mut wakers = Vec::<Waker, WOKEN>::new();
        if let Some(beside) = self.wakers.beside.take() {
            let _ = wakers.push(beside);
        }
        while !wakers.is_full()
            && let Some(row) = self.wakers.woken.front()
            && let Some(waker) = self.wakers.take(row)
        {
            let _ = wakers.push(waker);
        }
        Woken {
            wakers,
            _unneeded: self.wakers.unneeded.take(),
        }
    }

    /// Waits no longer.
    pub fn stop_waiting(&mut self, waiting: &mut Waiting) {
        self.wakers.give_up(waiting);
    }

    /// Wakes everybody: this stack is at its end.
    pub(crate) fn wake_all(&mut self) {
        for row in 0..self.wakers.rows.len().min(usize::from(u16::MAX)) as u16 {
            self.wakers.wake_row(row);
        }
    }

    fn is_ready(&self, fd: Fd, interest: Interest) -> Result<bool> {
        let readiness = self.readiness(fd)?;
        Ok(match interest {
            Interest::Readable => readiness.readable,
            Interest::Writable => readiness.writable,
        })
    }
}
