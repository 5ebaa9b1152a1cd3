//! Waiting in `poll(2)`, for a thread that drives a stack by itself.

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
    cell::{Cell, RefCell},
    io,
    os::fd::{AsFd, BorrowedFd, OwnedFd},
    sync::Arc,
    task::{Context, Poll, Wake, Waker},
};

/// Sleeps in `poll(2)`: until the device has a frame, a time has come, or a waker is woken, also by another thread. A reference
/// to it is both the [`Wait`] of a [`Runner`](crate::socket::Runner) and the [`Park`] of
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
    /// The device's descriptor, duplicated when it is first waited for.
    device: RefCell<Option<OwnedFd>>,
    until: Cell<Option<Instant>>,
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
            device: RefCell::new(None),
            until: Cell::new(None),
        })
    }

    /// Waits for this descriptor, too; a duplicate of it, which is made once.
    fn watch(&self, descriptor: BorrowedFd<'_>) {
        let mut device = self.device.borrow_mut();
        if device.is_none() {
            // Too many open files: the time and the wakers are waited for, and frames come late.
            *device = descriptor.try_clone_to_owned().ok();
        }
    }
}

impl<D: AsFd> Wait<D> for &Parker {
    fn poll_wait(
        &mut self,
        device: &mut D,
        until: Option<Instant>,
        _: &mut Context<'_>,
    ) -> Poll<()> {
        self.watch(device.as_fd());
        self.until.set(until);
        Poll::Pending
    }
}

impl Wait<Absent> for &Parker {
    fn poll_wait(
        &mut self,
        _: &mut Absent,
        until: Option<Instant>,
        _: &mut Context<'_>,
    ) -> Poll<()> {
        self.until.set(until);
        Poll::Pending
    }
}

impl Park for Parker {
    fn waker(&self) -> Waker {
        Waker::from(self.bell.clone())
    }

    fn park(&self) {
        let timeout = match self.until.get() {
            Some(until) => until_timeout(super::now(), until),
            None => PollTimeout::NONE,
        };
        let mut device = self.device.borrow_mut();
        let wake = PollFd::new(self.bell.0.as_fd(), PollFlags::POLLIN);
        // Without a device the wake-up stands in its place.
        let frames = device.as_ref().map_or(wake.clone(), |device| {
            PollFd::new(device.as_fd(), PollFlags::POLLIN)
        });
        let mut descriptors = [wake, frames];
        match poll(&mut descriptors, timeout) {
            // A signal: one turn too many.
            Ok(_) | Err(Errno::EINTR) => {}
            // No memory in the kernel; the other errors cannot be. Let it recover, do not spin.
            Err(_) => std::thread::sleep(std::time::Duration::from_millis(10)),
        }
        let [wake, frames] = descriptors;
        let has_rung = wake.any().unwrap_or(true);
        let gone = PollFlags::POLLERR | PollFlags::POLLHUP | PollFlags::POLLNVAL;
        let is_gone = frames
            .revents()
            .is_some_and(|events| events.intersects(gone));
        if has_rung {
            // Empty already (EAGAIN) is as good.
            let _ = self.bell.0.read();
        }
        if is_gone && let Ok(never) = EventFd::from_flags(EfdFlags::EFD_CLOEXEC) {
            // "Ready" for ever, and never a frame again: what is never readable takes its place.
            *device = Some(OwnedFd::from(never));
        }
    }
}
