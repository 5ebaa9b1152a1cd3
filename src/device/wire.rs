//! The wire: a link in memory that joins two devices, for tests, simulations and programs without a network; and the
//! faults that a link can have.
//!
//! A [`Wire`] is perfect, or has [`Faults`]; [`Faulty`] puts the same faults before any other device.
//!
//! | file | what it explains |
//! |---|---|
//! | `conditions` | what is wrong with a link, and when it is down |
//! | `selector`, `stream` | "the 2nd data segment of stream 0" |
//! | `judge`, `luck`, `pace` | what becomes of a frame |
//! | `referee`, `queue` | doing so, and telling |
//! | `faulty` | a device behind a link |
//! | `wake` | waking who waits for a frame |

mod conditions;
mod faulty;
mod judge;
mod luck;
mod pace;
mod queue;
mod referee;
mod selector;
mod stream;
#[cfg(test)]
mod tests;
#[cfg(target_os = "linux")]
mod wake;

pub use conditions::{Conditions, Faults, Switch};
pub use faulty::Faulty;
pub use judge::{Delivery, Judge, Verdict, flip};
pub(crate) use luck::Luck;
pub use selector::{Selector, SelectorError};
pub(crate) use stream::Streams;

#[cfg(target_os = "linux")]
use std::{
    os::fd::{AsFd, BorrowedFd},
    sync::OnceLock,
};
use std::{
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    task::Waker,
};

use smoltcp::{
    phy::{self, Device, DeviceCapabilities, Medium},
    time::Instant,
};

use crate::{
    Result,
    trace::{Direction, DropReason},
};
use queue::Queue;
use referee::Referee;
#[cfg(target_os = "linux")]
use wake::Arrival;

/// A link between two devices: what one end transmits, the other receives, whole and in order; or as its [`Faults`] have it.
///
/// ```
/// use glasstack::device::Wire;
/// use glasstack::smoltcp::{phy::{Device, Medium, RxToken, TxToken}, time::Instant};
///
/// let (mut here, mut there) = Wire::pair(Medium::Ip, 1500);
/// here.transmit(Instant::ZERO).unwrap().consume(5, |frame| frame.copy_from_slice(b"hello"));
/// let (frame, _) = there.receive(Instant::ZERO).unwrap();
/// frame.consume(|frame| assert_eq!(frame, b"hello"));
/// ```
#[derive(Debug, Clone)]
pub struct Wire {
    medium: Medium,
    mtu: usize,
    queue: usize,
}

impl Wire {
    /// How many frames wait in each direction, unless [`queue`](Wire::queue) says otherwise.
    pub const QUEUE: usize = 256;

    /// The plan of a link; [`ends`](Wire::ends) makes it. `mtu` is the largest frame in bytes, as smoltcp counts it: on
    /// [`Medium::Ethernet`] with the 14 bytes of the Ethernet header.
    pub fn new(medium: Medium, mtu: usize) -> Self {
        Wire {
            medium,
            mtu,
            queue: Wire::QUEUE,
        }
    }

    /// How many frames may wait, or be under way, in each direction. A frame that finds the queue full is dropped, as on a
    /// real link.
    pub fn queue(mut self, frames: usize) -> Self {
        self.queue = frames;
        self
    }

    /// The link's two ends.
    pub fn ends(self) -> (WireEnd, WireEnd) {
        self.join(None)
    }

    /// The two ends of a link with faults; what goes out leaves the first. Both ends are told the same time by their
    /// users: a frame that one transmits at `now` arrives at the other's `now` plus the latency. (The hosts of one process
    /// have one clock, `host::now`.)
    ///
    /// ```
    /// use glasstack::device::{Wire, wire::{Conditions, Faults}};
    /// use glasstack::smoltcp::phy::Medium;
    /// use std::time::Duration;
    ///
    /// let slow = Conditions::default().latency(Duration::from_millis(20));
    /// let faults = Faults::new(1).both(slow).lose("data 2".parse()?);
    /// let (here, there) = Wire::new(Medium::Ethernet, 1514).faulty_ends(faults)?;
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// Those of [`Faults::check`].
    pub fn faulty_ends(self, faults: Faults) -> Result<(WireEnd, WireEnd)> {
        let referee = Referee::new(self.medium, faults)?;
        Ok(self.join(Some(Arc::new(Mutex::new(referee)))))
    }

    /// The two ends of a link with the usual queue: `Wire::new(medium, mtu).ends()`.
    pub fn pair(medium: Medium, mtu: usize) -> (WireEnd, WireEnd) {
        Wire::new(medium, mtu).ends()
    }

    fn join(self, referee: Option<Arc<Mutex<Referee>>>) -> (WireEnd, WireEnd) {
        let lane = |direction| {
            Arc::new(Lane {
                queue: Mutex::new(Waiting {
                    frames: Queue::new(self.queue),
                    dropped: 0,
                    waker: None,
                }),
                mtu: self.mtu,
                direction,
                referee: referee.clone(),
                #[cfg(target_os = "linux")]
                arrival: OnceLock::new(),
            })
        };
        let (there, back) = (lane(Direction::Out), lane(Direction::In));
        let end = |incoming: &Arc<Lane>, outgoing: &Arc<Lane>| WireEnd {
            medium: self.medium,
            mtu: self.mtu,
            incoming: Arc::clone(incoming),
            outgoing: Arc::clone(outgoing),
            received: Vec::new(),
            transmitted: Vec::new(),
        };
        (end(&back, &there), end(&there, &back))
    }
}

/// One end of a [`Wire`]: a device that may live in another thread than its peer.
///
/// On Linux an end can be waited for with `poll(2)`: its descriptor is readable exactly while a frame can be received. (Of a
/// wire with faults: not before a frame's time has come.)
#[derive(Debug)]
pub struct WireEnd {
    medium: Medium,
    mtu: usize,
    incoming: Arc<Lane>,
    outgoing: Arc<Lane>,
    /// The frame that the last receive token showed.
    received: Vec<u8>,
    /// Where the next frame is written. Both buffers are swapped with the queue's, so that a wire in use allocates nothing.
    transmitted: Vec<u8>,
}

impl WireEnd {
    /// How many of the frames that this end transmitted were dropped: the queue was full, the frame larger than the MTU,
    /// or the link's faults had it so.
    pub fn dropped(&self) -> u64 {
        self.outgoing.queue().dropped
    }

    /// Has `waker` woken, once, when the next frame for this end is under way, or the next before those that are already:
    /// [`next_arrival`](WireEnd::next_arrival) says when it arrives. One waker an end.
    pub fn register_waker(&mut self, waker: &Waker) {
        let waker = waker.clone();
        let unneeded = self.incoming.queue().waker.replace(waker);
        // No more under the lock: it may be the last of its task, whose sockets then send.
        drop(unneeded);
    }

    /// The same end once more: for a host that is made anew on it.
    pub(crate) fn duplicate(&self) -> WireEnd {
        WireEnd {
            medium: self.medium,
            mtu: self.mtu,
            incoming: Arc::clone(&self.incoming),
            outgoing: Arc::clone(&self.outgoing),
            received: Vec::new(),
            transmitted: Vec::new(),
        }
    }

    /// When the next frame arrives at this end; in the past where it waits already. `None`: none is under way.
    pub fn next_arrival(&self) -> Option<Instant> {
        self.incoming.queue().frames.next()
    }
}

impl Device for WireEnd {
    type RxToken<'a> = RxToken<'a>;
    type TxToken<'a> = TxToken<'a>;

    fn receive(&mut self, now: Instant) -> Option<(RxToken<'_>, TxToken<'_>)> {
        self.incoming.receive(now, &mut self.received).then_some((
            RxToken(&self.received),
            TxToken {
                frame: &mut self.transmitted,
                lane: &self.outgoing,
                now,
            },
        ))
    }

    fn transmit(&mut self, now: Instant) -> Option<TxToken<'_>> {
        Some(TxToken {
            frame: &mut self.transmitted,
            lane: &self.outgoing,
            now,
        })
    }

    fn capabilities(&self) -> DeviceCapabilities {
        let mut capabilities = DeviceCapabilities::default();
        capabilities.medium = self.medium;
        capabilities.max_transmission_unit = self.mtu;
        capabilities
    }
}

/// Readable exactly while a frame can be received.
///
/// # Panics
/// On first use, where the process may open no more files (`EMFILE`): the trait has no way to say so.
#[cfg(target_os = "linux")]
impl AsFd for WireEnd {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.incoming.arrival()
    }
}

/// A frame that arrived.
#[derive(Debug)]
pub struct RxToken<'a>(&'a [u8]);

impl phy::RxToken for RxToken<'_> {
    fn consume<R, F: FnOnce(&[u8]) -> R>(self, f: F) -> R {
        f(self.0)
    }
}

/// Room for one frame.
#[derive(Debug)]
pub struct TxToken<'a> {
    frame: &'a mut Vec<u8>,
    lane: &'a Lane,
    now: Instant,
}

impl phy::TxToken for TxToken<'_> {
    fn consume<R, F: FnOnce(&mut [u8]) -> R>(self, len: usize, f: F) -> R {
        // Nothing of an older frame may show: the same run gives the same bytes.
        self.frame.clear();
        self.frame.resize(len, 0);
        let result = f(self.frame);
        self.lane.transmit(self.now, self.frame);
        result
    }
}

/// One direction of the link.
#[derive(Debug)]
struct Lane {
    queue: Mutex<Waiting>,
    mtu: usize,
    direction: Direction,
    /// Both directions' one, where the link has faults; locked before the queue. Without it a frame arrives when it is sent,
    /// whatever the clocks say.
    referee: Option<Arc<Mutex<Referee>>>,
    /// Made when it is first asked for: most wires are never waited for. Used under the queue's lock only, so that it is
    /// readable exactly while a frame can be received, and no wake-up is lost.
    #[cfg(target_os = "linux")]
    arrival: OnceLock<Arrival>,
}

#[derive(Debug)]
struct Waiting {
    frames: Queue,
    dropped: u64,
    /// Who waits for a frame.
    waker: Option<Waker>,
}

impl Lane {
    /// No code of the caller's runs under the lock: a poisoned one is still whole.
    fn queue(&self) -> MutexGuard<'_, Waiting> {
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Sends the frame on its way and leaves a spare buffer in its place.
    fn transmit(&self, now: Instant, frame: &mut Vec<u8>) {
        let woken = match &self.referee {
            None => self.transmit_at_once(now, frame),
            Some(referee) => {
                // A sink that panicked leaves the referee whole: it is called last.
                let mut referee = referee.lock().unwrap_or_else(PoisonError::into_inner);
                self.transmit_by(&mut referee, now, frame)
            }
        };
        // Nothing is locked: who is woken may receive at once, and send.
        if let Some(waker) = woken {
            waker.wake();
        }
    }

    /// Says who is to be woken.
    fn transmit_at_once(&self, now: Instant, frame: &mut Vec<u8>) -> Option<Waker> {
        let mut queue = self.queue();
        // Behind the last, though the sender's clock may have gone back.
        let now = queue.frames.last().map_or(now, |last| last.max(now));
        if frame.len() > self.mtu || !queue.frames.push(now, frame) {
            queue.dropped += 1;
        } else if queue.frames.len() == 1 {
            self.signal();
            return queue.waker.take();
        }
        None
    }

    /// Says who is to be woken.
    fn transmit_by(
        &self,
        referee: &mut Referee,
        now: Instant,
        frame: &mut Vec<u8>,
    ) -> Option<Waker> {
        let mut queue = self.queue();
        if frame.len() > self.mtu {
            referee.tell(now, DropReason::Malformed, frame);
            queue.dropped += 1;
            return None;
        }
        let before = queue.frames.next();
        queue.dropped += referee.send(self.direction, now, frame, &mut queue.frames);
        let next = queue.frames.next();
        if next == before {
            return None;
        }
        self.schedule(now, next);
        queue.waker.take()
    }

    /// Takes the next frame, if there is one, and keeps the buffer of the last for later.
    fn receive(&self, now: Instant, frame: &mut Vec<u8>) -> bool {
        let mut queue = self.queue();
        if self.referee.is_none() {
            let is_received = queue.frames.pop(frame);
            if is_received && queue.frames.len() == 0 {
                self.quiet();
            }
            return is_received;
        }
        let is_due = queue.frames.next().is_some_and(|at| at <= now);
        let is_received = is_due && queue.frames.pop(frame);
        self.schedule(now, queue.frames.next());
        is_received
    }

    #[cfg(target_os = "linux")]
    fn arrival(&self) -> BorrowedFd<'_> {
        let queue = self.queue();
        let arrival = self.arrival.get_or_init(|| {
            let next = queue.frames.next();
            let arrival = match self.referee {
                None => Arrival::event(next.is_some()),
                Some(_) => Arrival::timer(next),
            };
            arrival.expect("eventfd(2) and timerfd_create(2) fail only where no file can be opened")
        });
        arrival.as_fd()
    }

    /// The queue has its first frame. The counter goes from 0 to 1, so the write cannot fail.
    fn signal(&self) {
        #[cfg(target_os = "linux")]
        if let Some(Arrival::Event(event)) = self.arrival.get() {
            let _ = event.write(1);
        }
    }

    /// The queue has given up its last frame. The counter is 1, so the read cannot fail.
    fn quiet(&self) {
        #[cfg(target_os = "linux")]
        if let Some(Arrival::Event(event)) = self.arrival.get() {
            let _ = event.read();
        }
    }

    /// The next frame arrives at another time than before.
    #[cfg(target_os = "linux")]
    fn schedule(&self, now: Instant, next: Option<Instant>) {
        if let Some(Arrival::Timer(timer)) = self.arrival.get() {
            timer.set(now, next);
        }
    }

    #[cfg(not(target_os = "linux"))]
    fn schedule(&self, _: Instant, _: Option<Instant>) {}
}
