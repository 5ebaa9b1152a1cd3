//! The thread that lets time pass and frames in, while no application thread calls.

use super::engine::Shared;
use crate::stack::InterfaceId;
use nix::{
    errno::Errno,
    poll::{PollFd, PollFlags, PollTimeout, poll},
};
use smoltcp::time::{Duration, Instant};
use std::{
    io,
    os::fd::{AsFd, OwnedFd},
    sync::{Arc, atomic::Ordering},
    thread,
};

/// Starts the driver. Each interface comes with a duplicate of its device's descriptor: the device itself is behind the lock.
pub(super) fn spawn(shared: Arc<Shared>, devices: Vec<(InterfaceId, OwnedFd)>) -> io::Result<()> {
    thread::Builder::new()
        .name("glasstack".into())
        .spawn(move || run(&shared, &devices))?;
    Ok(())
}

fn run(shared: &Shared, devices: &[(InterfaceId, OwnedFd)]) {
    let _end = End(shared);
    let mut interfaces: Vec<_> = devices.iter().map(|(interface, _)| *interface).collect();
    let frames = |device| PollFd::new(device, PollFlags::POLLIN | END);
    let devices = devices.iter().map(|(_, device)| device.as_fd());
    let mut descriptors = vec![PollFd::new(shared.wake.as_fd(), PollFlags::POLLIN)];
    descriptors.extend(devices.map(frames));
    while let Some(timeout) = turn(shared) {
        wait(shared, &mut descriptors, timeout);
        // A TAP that was deleted, a wire without its other end: "ready" for ever, and never a frame again. The stack goes on,
        // so that its connections end by their own timers.
        while let Some(index) = descriptors.iter().skip(1).position(is_gone) {
            descriptors.remove(1 + index);
            shared.lose(interfaces.remove(index));
        }
    }
}

/// Ends the host even if an observer panics, in this thread or in another: nobody may wait for a driver that is gone.
struct End<'a>(&'a Shared);

impl Drop for End<'_> {
    fn drop(&mut self) {
        self.0.end();
    }
}

/// Once around: does the due work, says for how long to sleep. `None` is the end.
fn turn(shared: &Shared) -> Option<PollTimeout> {
    shared.turns.fetch_add(1, Ordering::Relaxed);
    let mut engine = shared.lock();
    if shared.is_broken() {
        return None;
    }
    let mut next = engine.poll();
    let now = engine.now();
    let drains_until = engine.drains_until();
    if let Some((until, _)) = drains_until {
        next = Some(next.map_or(until, |next| next.min(until)));
    }
    engine.sleeps_until = next;
    shared.let_go(engine);
    if drains_until.is_some_and(|(until, done)| done || until <= now) {
        return None;
    }
    Some(next.map_or(PollTimeout::NONE, |next| until_timeout(now, next)))
}

/// `poll(2)` counts in milliseconds: rounded up, because a sleep that ends too early would have nothing to do.
pub(super) fn until_timeout(now: Instant, deadline: Instant) -> PollTimeout {
    let left = if deadline > now {
        deadline - now
    } else {
        Duration::ZERO
    };
    PollTimeout::try_from(left.total_micros().div_ceil(1000)).unwrap_or(PollTimeout::MAX)
}

/// Of a socket whose peer has closed, the end itself can be "read" for ever.
const END: PollFlags = PollFlags::from_bits_retain(nix::libc::POLLRDHUP);

/// Sleeps until the first of the descriptors, the wake-up, or one of the others, the devices, is ready.
fn wait(shared: &Shared, descriptors: &mut [PollFd], timeout: PollTimeout) {
    match poll(descriptors, timeout) {
        Ok(_) => {}
        // A signal: one turn too many.
        Err(Errno::EINTR) => return,
        // No memory in the kernel; the other errors cannot be. Let it recover, do not spin.
        Err(_) => return thread::sleep(std::time::Duration::from_millis(10)),
    }
    let wake = descriptors.first().and_then(PollFd::any);
    if wake.unwrap_or(true) {
        // Empty already (EAGAIN) is as good.
        let _ = shared.wake.read();
    }
}

fn is_gone(device: &PollFd) -> bool {
    let gone = PollFlags::POLLERR | PollFlags::POLLHUP | PollFlags::POLLNVAL;
    // `None` has what nix has no name for: the end.
    device
        .revents()
        .is_none_or(|events| events.intersects(gone))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sleep_is_rounded_up_and_never_negative() {
        let now = Instant::from_micros(5_000_000);
        let timeout = |micros| until_timeout(now, Instant::from_micros(micros));
        assert_eq!(timeout(4_000_000), PollTimeout::ZERO);
        assert_eq!(timeout(5_000_000), PollTimeout::ZERO);
        assert_eq!(timeout(5_000_001), PollTimeout::from(1u8));
        assert_eq!(timeout(5_001_000), PollTimeout::from(1u8));
        assert_eq!(timeout(i64::MAX), PollTimeout::MAX);
    }
}
