//! Waiting in `poll(2)`, for a thread that drives its stacks by itself.

use super::driver::until_timeout;
use crate::{
    device::Absent,
    socket::{Park, Wait},
};
use nix::{
    errno::Errno,
    poll::{PollFd, PollFlags, PollTimeout, poll},
    sys::eventfd::{EfdFlags, EventFd},
};
use smoltcp::time::Instant;
use std::{
    cell::RefCell,
    io, iter,
    os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd, RawFd},
    sync::Arc,
    task::{Context, Poll, Wake, Waker},
};

/// Sleeps in `poll(2)`: until a device has a frame, a time has come, or a waker is woken, also by another thread. A reference
/// to it is both the [`Wait`] of [`Runner`](crate::socket::Runner)s, of one stack or several, and the [`Park`] of
/// [`block_on`](crate::socket::block_on). Its clock is [`host::now`](super::now).
///
/// ```
/// use glasstack::{Stack, host, stack::Capacity};
/// use glasstack::socket::{Local, Runner, TcpListener, TcpStream, block_on};
///
/// let parker = host::Parker::new()?;
/// let key = [7; 16]; // 128 random bits
/// let network = Local::new(Stack::with_capacity(Capacity::default(), key, ()), host::now);
/// let mut runner = Runner::loopback(&network, &parker);
/// let welcome = async {
///     let address = "127.0.0.1:9999".parse().unwrap();
///     let listener = TcpListener::bind(&network, address, 5)?;
///     let client = TcpStream::connect(&network, address).await?;
///     let (server, _) = listener.accept().await?;
///     server.write_all(b"Welcome!").await?;
///     let mut buffer = [0; 8];
///     client.read_exact(&mut buffer).await?;
///     glasstack::Result::Ok(buffer)
/// };
/// assert_eq!(&block_on(&parker, runner.run_until(welcome))??, b"Welcome!");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub struct Parker {
    bell: Arc<Bell>,
    runners: RefCell<Vec<Entry>>,
}

/// What a runner waits for.
struct Entry {
    device: Option<Device>,
    /// Until when; a runner that was woken waits no more until it asks again.
    armed: Option<(Option<Instant>, Waker)>,
}

/// A device that is watched.
struct Device {
    /// What its owner knows it by.
    number: RawFd,
    duplicate: OwnedFd,
}

struct Bell(EventFd);

impl Wake for Bell {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        // It fails only when the counter is about to overflow: then it is readable already.
        let _ = self.0.write(1);
    }
}

impl Parker {
    /// # Errors
    /// Those of `eventfd(2)`.
    pub fn new() -> io::Result<Parker> {
        let event = EventFd::from_flags(EfdFlags::EFD_CLOEXEC | EfdFlags::EFD_NONBLOCK)?;
        Ok(Parker {
            bell: Arc::new(Bell(event)),
            runners: RefCell::default(),
        })
    }

    /// A runner waits for this device, and until then.
    fn watch(&self, descriptor: BorrowedFd<'_>, until: Option<Instant>, waker: &Waker) {
        let number = descriptor.as_raw_fd();
        let is_its = |entry: &&mut Entry| {
            let device = entry.device.as_ref();
            device.is_some_and(|device| device.number == number)
        };
        let mut runners = self.runners.borrow_mut();
        if let Some(entry) = runners.iter_mut().find(is_its) {
            entry.armed = Some((until, waker.clone()));
            return;
        }
        match descriptor.try_clone_to_owned() {
            Ok(duplicate) => runners.push(Entry {
                device: Some(Device { number, duplicate }),
                armed: Some((until, waker.clone())),
            }),
            // Too many open files: the time and the wakers are waited for, and frames come late.
            Err(_) => {
                drop(runners);
                self.watch_time(until, waker);
            }
        }
    }

    /// A runner without a device waits until then.
    fn watch_time(&self, until: Option<Instant>, waker: &Waker) {
        let mut runners = self.runners.borrow_mut();
        for entry in runners.iter_mut().filter(|entry| entry.device.is_none()) {
            if let Some((armed, other)) = &mut entry.armed
                && other.will_wake(waker)
            {
                // It may be another's: whoever asked for the earlier is woken in time, the other too early.
                *armed = [*armed, until].into_iter().flatten().min();
                return;
            }
        }
        runners.push(Entry {
            device: None,
            armed: Some((until, waker.clone())),
        });
    }
}

impl<D: AsFd> Wait<D> for &Parker {
    fn poll_wait(
        &mut self,
        device: &mut D,
        until: Option<Instant>,
        context: &mut Context<'_>,
    ) -> Poll<()> {
        self.watch(device.as_fd(), until, context.waker());
        Poll::Pending
    }
}

impl Wait<Absent> for &Parker {
    fn poll_wait(
        &mut self,
        _: &mut Absent,
        until: Option<Instant>,
        context: &mut Context<'_>,
    ) -> Poll<()> {
        self.watch_time(until, context.waker());
        Poll::Pending
    }
}

impl Park for Parker {
    fn waker(&self) -> Waker {
        Waker::from(self.bell.clone())
    }

    fn park(&self) {
        let mut runners = self.runners.borrow_mut();
        let armed = runners.iter().filter_map(|entry| entry.armed.as_ref());
        let until = armed.filter_map(|(until, _)| *until).min();
        let timeout = match until {
            Some(until) => until_timeout(super::now(), until),
            None => PollTimeout::NONE,
        };
        let watched = runners.iter().filter(|entry| entry.armed.is_some());
        let watched = watched.filter_map(|entry| entry.device.as_ref());
        let bell = PollFd::new(self.bell.0.as_fd(), PollFlags::POLLIN);
        let devices =
            watched.map(|device| PollFd::new(device.duplicate.as_fd(), PollFlags::POLLIN));
        let mut descriptors: Vec<_> = iter::once(bell).chain(devices).collect();
        match poll(&mut descriptors, timeout) {
            // A signal: one turn too many.
            Ok(_) | Err(Errno::EINTR) => {}
            // No memory in the kernel; the other errors cannot be. Let it recover, do not spin.
            Err(_) => std::thread::sleep(std::time::Duration::from_millis(10)),
        }
        let mut events = descriptors.iter().map(PollFd::revents);
        // Events without a name are events.
        let has_rung = events.next().flatten() != Some(PollFlags::empty());
        let events: Vec<_> = events.collect();
        if has_rung {
            // Empty already (EAGAIN) is as good.
            let _ = self.bell.0.read();
        }
        let mut events = events.into_iter();
        let (now, own) = (super::now(), self.waker());
        let mut woken = Vec::new();
        runners.retain_mut(|entry| {
            let Some((until, waker)) = &entry.armed else {
                return true;
            };
            let is_due = until.is_some_and(|until| until <= now);
            let is_ready = match &mut entry.device {
                Some(device) => device.is_ready(events.next().flatten()),
                None => false,
            };
            if is_due || is_ready {
                // Who waits by the bell is polled next anyway.
                if !waker.will_wake(&own) {
                    woken.push(waker.clone());
                }
                entry.armed = None;
            }
            entry.armed.is_some() || entry.device.is_some()
        });
        drop(runners);
        woken.into_iter().for_each(Waker::wake);
    }
}

impl Device {
    /// Whether the device has something, as `poll(2)` says.
    fn is_ready(&mut self, events: Option<PollFlags>) -> bool {
        let gone = PollFlags::POLLERR | PollFlags::POLLHUP | PollFlags::POLLNVAL;
        if events.is_some_and(|events| events.intersects(gone))
            && let Ok(never) = EventFd::from_flags(EfdFlags::EFD_CLOEXEC)
        {
            // "Ready" for ever, and never a frame again: what is never readable takes its place.
            self.duplicate = OwnedFd::from(never);
        }
        events != Some(PollFlags::empty())
    }
}
