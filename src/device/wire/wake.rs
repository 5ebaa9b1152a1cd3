//! Descriptors that wake who sleeps in `poll(2)` when a frame can be received, and not before.

use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use nix::{
    errno::Errno,
    sys::{
        epoll::{Epoll, EpollCreateFlags, EpollEvent, EpollFlags, EpollTimeout},
        eventfd::{EfdFlags, EventFd},
        time::TimeSpec,
        timer::{Expiration, TimerSetTimeFlags},
        timerfd::{ClockId, TimerFd, TimerFlags},
    },
};
use smoltcp::time::Instant;

/// Readable from a time on.
#[derive(Debug)]
pub(super) struct Timer(TimerFd);

impl Timer {
    pub(super) fn new() -> Result<Timer, Errno> {
        let flags = TimerFlags::TFD_CLOEXEC | TimerFlags::TFD_NONBLOCK;
        TimerFd::new(ClockId::CLOCK_MONOTONIC, flags).map(Timer)
    }

    /// From `at` on, where it is `now`; never for `None`. The caller's clock may begin where it likes.
    pub(super) fn set(&self, now: Instant, at: Option<Instant>) {
        // Neither fails for a timer that exists.
        let _ = match at {
            None => self.0.unset(),
            Some(at) => {
                let micros = at.total_micros().saturating_sub(now.total_micros());
                let left = std::time::Duration::from_micros(u64::try_from(micros).unwrap_or(0));
                // Zero would switch it off.
                let left = left.max(std::time::Duration::from_nanos(1));
                let once = Expiration::OneShot(TimeSpec::from_duration(left));
                self.0.set(once, TimerSetTimeFlags::empty())
            }
        };
    }
}

/// What is readable while one direction of a wire has a frame.
#[derive(Debug)]
pub(super) enum Arrival {
    /// Frames arrive when they are sent: the counter is 1 while there are any, else 0.
    Event(EventFd),
    /// They arrive later.
    Timer(Timer),
}

impl Arrival {
    pub(super) fn event(is_waiting: bool) -> Result<Arrival, Errno> {
        let flags = EfdFlags::EFD_CLOEXEC | EfdFlags::EFD_NONBLOCK;
        EventFd::from_value_and_flags(u32::from(is_waiting), flags).map(Arrival::Event)
    }

    /// With a frame already under way: whoever is woken at once and finds it not yet there sets the timer anew.
    pub(super) fn timer(next: Option<Instant>) -> Result<Arrival, Errno> {
        let timer = Timer::new()?;
        timer.set(Instant::ZERO, next.map(|_| Instant::ZERO));
        Ok(Arrival::Timer(timer))
    }
}

impl AsFd for Arrival {
    fn as_fd(&self) -> BorrowedFd<'_> {
        match self {
            Arrival::Event(event) => event.as_fd(),
            Arrival::Timer(timer) => timer.0.as_fd(),
        }
    }
}

/// Readable while a device is, or from a time on.
#[derive(Debug)]
pub(super) struct Either {
    epoll: Epoll,
    pub(super) timer: Timer,
    /// A duplicate, so that it can be named when it is to be forgotten.
    device: OwnedFd,
}

impl Either {
    /// With a frame already under way, as [`Arrival::timer`].
    pub(super) fn new(device: BorrowedFd<'_>, next: Option<Instant>) -> Result<Either, Errno> {
        let timer = Timer::new()?;
        timer.set(Instant::ZERO, next.map(|_| Instant::ZERO));
        let device = nix::unistd::dup(device)?;
        let epoll = Epoll::new(EpollCreateFlags::EPOLL_CLOEXEC)?;
        epoll.add(&timer.0, EpollEvent::new(EpollFlags::EPOLLIN, 0))?;
        epoll.add(&device, EpollEvent::new(EpollFlags::EPOLLIN, 1))?;
        Ok(Either {
            epoll,
            timer,
            device,
        })
    }

    /// Forgets a device that is gone, for it is "ready" for ever: poll(2) on an epoll descriptor cannot say what for.
    pub(super) fn forget_if_gone(&self) {
        let mut events = [EpollEvent::empty(); 2];
        // A signal or an error: the next time will do.
        let count = self
            .epoll
            .wait(&mut events, EpollTimeout::ZERO)
            .unwrap_or(0);
        let gone = EpollFlags::EPOLLERR | EpollFlags::EPOLLHUP;
        let is_gone = |event: &EpollEvent| event.data() == 1 && event.events().intersects(gone);
        if events.iter().take(count).any(is_gone) {
            let _ = self.epoll.delete(&self.device);
        }
    }
}

impl AsFd for Either {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.epoll.0.as_fd()
    }
}
