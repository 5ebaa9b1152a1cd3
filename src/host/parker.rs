//! Waiting in `epoll(7)`, for a thread that drives a stack by itself.

use super::driver::until_timeout;
use crate::{
    device::Absent,
    socket::{Park, Wait},
};
use nix::{
    errno::Errno,
    poll::PollTimeout,
    sys::{
        epoll::{Epoll, EpollCreateFlags, EpollEvent, EpollFlags, EpollTimeout},
        eventfd::{EfdFlags, EventFd},
    },
};
use smoltcp::time::Instant;
use std::{
    cell::{Cell, RefCell},
    io,
    os::fd::{AsFd, AsRawFd, BorrowedFd, RawFd},
    sync::Arc,
    task::{Context, Poll, Wake, Waker},
};

/// Sleeps in `epoll(7)`: until a device has a frame, a time has come, or a waker is woken, also by another thread. A reference
/// to it is both the [`Wait`] of a [`Runner`](crate::socket::Runner), or of several, and the [`Park`] of
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
    /// The bell; and each device while it is waited for. What is closed leaves by itself, so that a descriptor's number may
    /// be another device's later.
    epoll: Epoll,
    /// Devices that are gone: "ready" for ever, and never a frame again.
    gone: RefCell<Vec<RawFd>>,
    /// Since the last sleep: the earliest time that was asked for, and who asked, beside the future that is blocked on.
    until: Cell<Option<Instant>>,
    wakers: RefCell<Vec<Waker>>,
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
        let epoll = Epoll::new(EpollCreateFlags::EPOLL_CLOEXEC)?;
        epoll.add(&event, EpollEvent::new(EpollFlags::EPOLLIN, BELL))?;
        Ok(Parker {
            bell: Arc::new(Bell(event)),
            epoll,
            gone: RefCell::default(),
            until: Cell::new(None),
            wakers: RefCell::default(),
        })
    }

    /// Waits for this descriptor, too, once.
    fn watch(&self, descriptor: BorrowedFd<'_>) {
        let number = descriptor.as_raw_fd();
        let once = EpollFlags::EPOLLIN | EpollFlags::EPOLLRDHUP | EpollFlags::EPOLLONESHOT;
        let mut event = EpollEvent::new(once, data(number));
        let is_gone = |gone: &RawFd| *gone == number;
        if self.gone.borrow().iter().any(is_gone) {
            match self.epoll.add(descriptor, event) {
                // Another device, by the number of one that is closed.
                Ok(()) => self.gone.borrow_mut().retain(|gone| !is_gone(gone)),
                Err(_) => return,
            }
        }
        // No memory in the kernel: the time and the wakers are waited for, and frames come late.
        let _ = match self.epoll.modify(descriptor, &mut event) {
            Err(Errno::ENOENT) => self.epoll.add(descriptor, event),
            result => result,
        };
    }

    /// Until then, for who is polled with this context.
    fn wait_until(&self, until: Option<Instant>, context: &Context<'_>) {
        let earlier = [self.until.get(), until].into_iter().flatten().min();
        self.until.set(earlier);
        let mut wakers = self.wakers.borrow_mut();
        let is_same = |waker: &Waker| waker.will_wake(context.waker());
        if !is_same(&self.waker()) && !wakers.iter().any(is_same) {
            wakers.push(context.waker().clone());
        }
    }
}

/// What `epoll` tells the bell by: no device's number.
const BELL: u64 = u64::MAX;

fn data(number: RawFd) -> u64 {
    // A descriptor is never negative.
    u64::try_from(number).unwrap_or(BELL)
}

/// So many events are told of at once; the others are at the next turn.
const EVENTS: usize = 16;

impl<D: AsFd> Wait<D> for &Parker {
    fn poll_wait(
        &mut self,
        device: &mut D,
        until: Option<Instant>,
        context: &mut Context<'_>,
    ) -> Poll<()> {
        self.watch(device.as_fd());
        self.wait_until(until, context);
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
        self.wait_until(until, context);
        Poll::Pending
    }
}

impl Park for Parker {
    fn waker(&self) -> Waker {
        Waker::from(self.bell.clone())
    }

    fn park(&self) {
        let timeout = match self.until.take() {
            Some(until) => until_timeout(super::now(), until),
            None => PollTimeout::NONE,
        };
        let mut events = [EpollEvent::empty(); EVENTS];
        let timeout = EpollTimeout::try_from(i32::from(timeout)).unwrap_or(EpollTimeout::MAX);
        // A signal is one turn too many; no other error can be.
        let count = self.epoll.wait(&mut events, timeout).unwrap_or(0);
        // Of a socket whose peer has closed, the end itself can be "read" for ever.
        let gone = EpollFlags::EPOLLERR | EpollFlags::EPOLLHUP | EpollFlags::EPOLLRDHUP;
        for event in events.iter().take(count) {
            if event.events().intersects(gone)
                && let Ok(number) = RawFd::try_from(event.data())
            {
                self.gone.borrow_mut().push(number);
            }
        }
        // All are polled again, and say again what they wait for. Before the bell is read: it rings for them, too.
        let wakers = self.wakers.take();
        wakers.into_iter().for_each(Waker::wake);
        // Not rung (EAGAIN) is as good.
        let _ = self.bell.0.read();
    }
}
