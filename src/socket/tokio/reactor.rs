//! Waiting as tokio does: for a descriptor through its epoll, for a time by its timers.

use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use ::tokio::io::{Interest, unix::AsyncFd};
use ::tokio::runtime::Handle;
use ::tokio::time::Sleep;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use smoltcp::time::Instant;

use crate::device::Absent;
use crate::host::clock;
use crate::socket::Wait;

/// How long a device that could not be watched (too many open files; a file's descriptor, which epoll(7) does not take) is
/// left to itself, before it is looked at again.
const UNWATCHED: Duration = Duration::from_millis(100);

/// The [`Wait`] of a [`Runner`](crate::socket::Runner) that is a task of tokio's: each runner has one of its own.
///
/// It watches a duplicate of the device's descriptor. A device that is gone (a TAP that was deleted) it does not watch any
/// more; the runner goes on, so that connections end by their own timers.
///
/// The network's clock is [`host::now`](crate::host::now), or [`now`] where tokio's time is paused or advanced by a test.
///
/// ```
/// use glasstack::device::Wire;
/// use glasstack::socket::{Local, Runner, TcpListener, TcpStream, tokio::Reactor};
/// use glasstack::smoltcp::phy::Medium;
/// use glasstack::{Stack, host, stack::Capacity};
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let (mut here, mut there) = Wire::pair(Medium::Ip, 1500);
/// let mut client = Stack::with_capacity(Capacity::default(), [1; 16], ());
/// let client_link = client.add_interface(&mut here, None)?;
/// client.add_address(client_link, "10.0.0.1".parse()?, 24)?;
/// let mut server = Stack::with_capacity(Capacity::default(), [2; 16], ());
/// let server_link = server.add_interface(&mut there, None)?;
/// server.add_address(server_link, "10.0.0.2".parse()?, 24)?;
///
/// let (client, server) = (Local::new(client, host::now), Local::new(server, host::now));
/// let mut here = Runner::new(&client, client_link, here, Reactor::new()?);
/// let mut there = Runner::new(&server, server_link, there, Reactor::new()?);
/// let listener = TcpListener::bind(&server, "10.0.0.2:9999".parse()?, 5)?;
/// let welcome = async {
///     let (stream, _) = listener.accept().await?;
///     stream.write_all(b"Welcome!").await
/// };
/// let hear = async {
///     let stream = TcpStream::connect(&client, "10.0.0.2:9999".parse().unwrap()).await?;
///     let mut welcome = [0; 8];
///     stream.read_exact(&mut welcome).await?;
///     glasstack::Result::Ok(welcome)
/// };
/// tokio::select! {
///     both = async { tokio::try_join!(welcome, hear) } => assert_eq!(&both?.1, b"Welcome!"),
///     end = here.run() => end.map(drop)?,
///     end = there.run() => end.map(drop)?,
/// }
/// # Ok(()) }
/// ```
pub struct Reactor {
    runtime: Handle,
    device: Watch,
    sleep: Option<Pin<Box<Sleep>>>,
}

/// What is known of the device.
enum Watch {
    /// Not seen yet.
    Unseen,
    Descriptor(AsyncFd<OwnedFd>),
    /// "Ready" for ever, and never a frame again.
    Gone,
}

impl Reactor {
    /// For the runtime that this is called on.
    ///
    /// # Errors
    /// `Other` where it is not called on one.
    ///
    /// # Panics
    /// Not here, but later and as tokio does, where that runtime was built without I/O or without time.
    pub fn new() -> io::Result<Reactor> {
        Ok(Reactor {
            runtime: Handle::try_current().map_err(io::Error::other)?,
            device: Watch::Unseen,
            sleep: None,
        })
    }

    /// Watches a duplicate of this descriptor from the first time on.
    fn watch(&mut self, descriptor: BorrowedFd<'_>) -> io::Result<()> {
        if let Watch::Unseen = self.device {
            let descriptor = descriptor.try_clone_to_owned()?;
            let _runtime = self.runtime.enter();
            // Deprecated for types that may change or close their descriptor under tokio's hands; an `OwnedFd` does not.
            #[allow(deprecated)]
            let descriptor = AsyncFd::with_interest(descriptor, Interest::READABLE)?;
            self.device = Watch::Descriptor(descriptor);
        }
        Ok(())
    }

    /// Ready when the device may have a frame. tokio's epoll tells each change once (EPOLLET), and tokio remembers it until
    /// it is told that the device has nothing more: poll(2) says so. What changes after that question is a new event, which
    /// tokio does not let anybody clear who has not seen it; so no frame is slept through.
    fn poll_device(&mut self, context: &mut Context<'_>) -> Poll<()> {
        let Watch::Descriptor(descriptor) = &self.device else {
            return Poll::Pending;
        };
        // An error is the runtime's end.
        while let Ok(mut event) = ready!(descriptor.poll_read_ready(context)) {
            match look(descriptor.get_ref()) {
                // Of a socket whose peer has closed, the end itself can be "read" for ever.
                _ if event.ready().is_read_closed() => break,
                State::Readable => return Poll::Ready(()),
                State::Quiet => event.clear_ready(),
                State::Gone => break,
            }
        }
        self.device = Watch::Gone;
        // Once more, for what had come before.
        Poll::Ready(())
    }

    fn poll_time(&mut self, until: Option<Instant>, context: &mut Context<'_>) -> Poll<()> {
        // One that still runs wakes too early, and once.
        let Some(until) = until.and_then(clock::to_system) else {
            return Poll::Pending;
        };
        let until = until.into();
        let sleep = self.sleep.get_or_insert_with(|| {
            let _runtime = self.runtime.enter();
            Box::pin(::tokio::time::sleep_until(until))
        });
        if sleep.deadline() != until {
            sleep.as_mut().reset(until);
        }
        sleep.as_mut().poll(context)
    }
}

impl<D: AsFd> Wait<D> for Reactor {
    fn poll_wait(
        &mut self,
        device: &mut D,
        until: Option<Instant>,
        context: &mut Context<'_>,
    ) -> Poll<()> {
        let until = match self.watch(device.as_fd()) {
            Ok(()) => until,
            Err(_) => {
                let retry = now() + UNWATCHED.into();
                Some(until.map_or(retry, |until| until.min(retry)))
            }
        };
        match self.poll_device(context) {
            Poll::Ready(()) => Poll::Ready(()),
            Poll::Pending => self.poll_time(until, context),
        }
    }
}

impl Wait<Absent> for Reactor {
    fn poll_wait(
        &mut self,
        _: &mut Absent,
        until: Option<Instant>,
        context: &mut Context<'_>,
    ) -> Poll<()> {
        self.poll_time(until, context)
    }
}

/// tokio's present time, on the clock of [`host::now`](crate::host::now): the same, but where a test has paused it
/// (`tokio::time::pause`). For networks whose timers shall stand still then, too.
///
/// ```
/// # use glasstack::{Stack, stack::Capacity};
/// use glasstack::socket::{Local, Runner, sleep, tokio::{self as on_tokio, Reactor}};
/// use std::time::Duration;
///
/// # #[tokio::main(flavor = "current_thread", start_paused = true)]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # let stack = Stack::with_capacity(Capacity::default(), [7; 16], ());
/// let network = Local::new(stack, on_tokio::now);
/// let mut runner = Runner::loopback(&network, Reactor::new()?);
/// let start = std::time::Instant::now();
/// runner.run_until(sleep(&network, Duration::from_secs(3600))).await??;
/// assert!(start.elapsed() < Duration::from_secs(60));
/// # Ok(()) }
/// ```
pub fn now() -> Instant {
    clock::from_system(::tokio::time::Instant::now().into_std())
}

enum State {
    Readable,
    Quiet,
    Gone,
}

/// `poll(2)`, without waiting.
fn look(descriptor: &OwnedFd) -> State {
    let mut descriptors = [PollFd::new(descriptor.as_fd(), PollFlags::POLLIN)];
    // Where the kernel has no memory for an answer, the device is asked in its place.
    let Ok(_) = poll(&mut descriptors, PollTimeout::ZERO) else {
        return State::Readable;
    };
    let gone = PollFlags::POLLERR | PollFlags::POLLHUP | PollFlags::POLLNVAL;
    match descriptors[0].revents() {
        Some(events) if events.intersects(gone) => State::Gone,
        Some(events) if events.is_empty() => State::Quiet,
        _ => State::Readable,
    }
}
