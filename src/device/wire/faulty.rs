//! Any device, behind a faulty link.

#[cfg(target_os = "linux")]
use std::{
    os::fd::{AsFd, BorrowedFd},
    sync::OnceLock,
};

use smoltcp::phy::{self, Device, DeviceCapabilities, RxToken as _, TxToken as _};

#[cfg(target_os = "linux")]
use super::wake::Either;
use super::{RxToken, Wire, conditions::Faults, queue::Queue, referee::Referee};
use crate::{
    Result,
    trace::{Direction, Instant},
};

/// A device as it looks from behind a faulty link: what it receives and what is transmitted is delayed, lost, doubled,
/// damaged.
///
/// What is held back moves on when [`receive`](Device::receive) or [`transmit`](Device::transmit) is next called, so call
/// one of them at [`next_arrival`](Faulty::next_arrival). On Linux, over a device that has a descriptor, this has one,
/// too: readable when the device is, and when that time has come. So a `Host` runs on it as on the device itself.
///
/// ```
/// use glasstack::device::{Wire, wire::{Conditions, Faults, Faulty}};
/// use glasstack::smoltcp::{phy::{Device, Medium, RxToken, TxToken}, time::Instant};
/// use std::time::Duration;
///
/// # fn main() -> glasstack::Result<()> {
/// let (here, mut there) = Wire::pair(Medium::Ip, 1500);
/// let slow = Conditions::default().latency(Duration::from_millis(5));
/// let mut here = Faulty::new(here, Faults::new(1).outgoing(slow))?;
/// here.transmit(Instant::ZERO).unwrap().consume(5, |frame| frame.copy_from_slice(b"hello"));
/// let at = here.next_arrival().unwrap();
/// assert_eq!(at, Instant::from_millis(5));
/// assert!(there.receive(at).is_none());
/// here.receive(at);
/// assert!(there.receive(at).is_some());
/// # Ok(())
/// # }
/// ```
#[derive(Debug)]
pub struct Faulty<D> {
    link: Link<D>,
    incoming: Queue,
    /// The frame that the last receive token showed.
    received: Vec<u8>,
}

/// All but what a receive token shows: a transmit token borrows it meanwhile.
#[derive(Debug)]
struct Link<D> {
    device: D,
    referee: Referee,
    outgoing: Queue,
    transmitted: Vec<u8>,
    /// The device had no room: what is due waits for the next call.
    is_refused: bool,
    dropped: u64,
    /// Made when it is first asked for.
    #[cfg(target_os = "linux")]
    wake: OnceLock<Either>,
}

impl<D: Device> Faulty<D> {
    /// # Errors
    /// Those of [`Faults::check`].
    pub fn new(device: D, faults: Faults) -> Result<Faulty<D>> {
        let medium = device.capabilities().medium;
        Ok(Faulty {
            link: Link {
                device,
                referee: Referee::new(medium, faults)?,
                outgoing: Queue::new(Wire::QUEUE),
                transmitted: Vec::new(),
                is_refused: false,
                dropped: 0,
                #[cfg(target_os = "linux")]
                wake: OnceLock::new(),
            },
            incoming: Queue::new(Wire::QUEUE),
            received: Vec::new(),
        })
    }

    /// Takes in what the device has received: at most as much as may wait, so that a flood does not hold the caller up.
    fn pull(&mut self, now: Instant) {
        for _ in 0..Wire::QUEUE {
            let Some((frame, _)) = self.link.device.receive(now) else {
                #[cfg(target_os = "linux")]
                if let Some(wake) = self.link.wake.get() {
                    wake.forget_if_gone();
                }
                break;
            };
            let buffer = &mut self.received;
            frame.consume(|frame| {
                buffer.clear();
                buffer.extend_from_slice(frame);
            });
            let referee = &mut self.link.referee;
            self.link.dropped += referee.send(Direction::In, now, buffer, &mut self.incoming);
        }
    }
}

impl<D> Faulty<D> {
    /// The device.
    pub fn device(&self) -> &D {
        &self.link.device
    }

    /// The device. Frames sent through it have no faults.
    pub fn device_mut(&mut self) -> &mut D {
        &mut self.link.device
    }

    /// The device again; what is held back is lost.
    pub fn into_inner(self) -> D {
        self.link.device
    }

    /// When the next of the frames that are held back arrives, either way. `None` where there is none, and for frames that
    /// wait until the device has room.
    pub fn next_arrival(&self) -> Option<Instant> {
        self.link.next(self.incoming.next())
    }

    /// How many frames were dropped, both ways: lost on purpose, or for want of room.
    pub fn dropped(&self) -> u64 {
        self.link.dropped
    }
}

impl<D> Link<D> {
    fn next(&self, incoming: Option<Instant>) -> Option<Instant> {
        let outgoing = self.outgoing.next().filter(|_| !self.is_refused);
        [incoming, outgoing].into_iter().flatten().min()
    }

    /// Wakes who waits for the descriptor in time.
    #[cfg(target_os = "linux")]
    fn schedule(&self, now: Instant, incoming: Option<Instant>) {
        if let Some(wake) = self.wake.get() {
            wake.timer.set(now, self.next(incoming));
        }
    }

    #[cfg(not(target_os = "linux"))]
    fn schedule(&self, _: Instant, _: Option<Instant>) {}
}

impl<D: Device> Link<D> {
    /// Hands the device what is due.
    fn flush(&mut self, now: Instant) {
        self.is_refused = false;
        while self.outgoing.next().is_some_and(|at| at <= now)
            && let Some(frame) = self.outgoing.front()
        {
            let Some(token) = self.device.transmit(now) else {
                self.is_refused = true;
                break;
            };
            token.consume(frame.len(), |buffer| buffer.copy_from_slice(frame));
            self.outgoing.discard();
        }
    }
}

impl<D: Device> Device for Faulty<D> {
    type RxToken<'a>
        = RxToken<'a>
    where
        Self: 'a;
    type TxToken<'a>
        = TxToken<'a, D>
    where
        Self: 'a;

    fn receive(&mut self, now: Instant) -> Option<(RxToken<'_>, TxToken<'_, D>)> {
        self.link.flush(now);
        let is_due = |queue: &Queue| queue.next().is_some_and(|at| at <= now);
        // What has arrived goes first: it leaves room for what comes.
        if !is_due(&self.incoming) {
            self.pull(now);
        }
        let is_received = is_due(&self.incoming) && self.incoming.pop(&mut self.received);
        let incoming = self.incoming.next();
        self.link.schedule(now, incoming);
        let transmit = TxToken {
            link: &mut self.link,
            incoming,
            now,
        };
        is_received.then_some((RxToken(&self.received), transmit))
    }

    // A token also while the device has no room: the link takes the frame, and drops it where it has none itself.
    fn transmit(&mut self, now: Instant) -> Option<TxToken<'_, D>> {
        self.link.flush(now);
        Some(TxToken {
            incoming: self.incoming.next(),
            link: &mut self.link,
            now,
        })
    }

    fn capabilities(&self) -> DeviceCapabilities {
        self.link.device.capabilities()
    }
}

/// Readable while the device is, and when a frame that was held back is due.
///
/// # Panics
/// On first use, where the process may open no more files (`EMFILE`), and over a device whose descriptor epoll(7) does not
/// take (a file's): the trait has no way to say so.
#[cfg(target_os = "linux")]
impl<D: AsFd> AsFd for Faulty<D> {
    fn as_fd(&self) -> BorrowedFd<'_> {
        let next = self.next_arrival();
        let wake = self.link.wake.get_or_init(|| {
            Either::new(self.link.device.as_fd(), next)
                .expect("these fail only where no file can be opened, or for a file's descriptor")
        });
        wake.as_fd()
    }
}

/// Room for one frame to go out.
#[derive(Debug)]
pub struct TxToken<'a, D> {
    link: &'a mut Link<D>,
    /// When the next frame comes in.
    incoming: Option<Instant>,
    now: Instant,
}

impl<D: Device> phy::TxToken for TxToken<'_, D> {
    fn consume<R, F: FnOnce(&mut [u8]) -> R>(self, len: usize, f: F) -> R {
        let TxToken {
            link,
            incoming,
            now,
        } = self;
        link.transmitted.clear();
        link.transmitted.resize(len, 0);
        let result = f(&mut link.transmitted);
        link.dropped += link.referee.send(
            Direction::Out,
            now,
            &mut link.transmitted,
            &mut link.outgoing,
        );
        link.flush(now);
        link.schedule(now, incoming);
        result
    }
}
