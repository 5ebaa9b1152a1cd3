//! The board's clock as embassy's, and its alarm for whoever waits for a time.

use core::cell::RefCell;
use core::task::Waker;

use board::{Clock, Instant};
use critical_section::Mutex;
use embassy_time_driver::{Driver, time_driver_impl};
use embassy_time_queue_utils::Queue;

time_driver_impl!(static TIME: Time = Time {
    clock: Mutex::new(RefCell::new(None)),
    queue: Mutex::new(RefCell::new(Queue::new())),
});

struct Time {
    clock: Mutex<RefCell<Option<&'static mut Clock>>>,
    queue: Mutex<RefCell<Queue>>,
}

impl Driver for Time {
    fn now(&self) -> u64 {
        critical_section::with(|section| {
            let mut clock = self.clock.borrow_ref_mut(section);
            clock
                .as_mut()
                .map_or(0, |clock| clock.now().total_micros() as u64)
        })
    }

    fn schedule_wake(&self, at: u64, waker: &Waker) {
        // The alarm is set before the next sleep, for whoever is the first then.
        critical_section::with(|section| {
            self.queue.borrow_ref_mut(section).schedule_wake(at, waker);
        });
    }
}

/// The clock, which runs.
pub(crate) fn start(clock: &'static mut Clock) {
    critical_section::with(|section| TIME.clock.borrow_ref_mut(section).replace(clock));
}

pub(crate) fn now() -> Instant {
    Instant::from_micros(TIME.now() as i64)
}

/// Wakes those whose time has come: when the next one's comes, `u64::MAX` if nobody waits.
pub(crate) fn wake() -> u64 {
    let now = TIME.now();
    critical_section::with(|section| TIME.queue.borrow_ref_mut(section).next_expiration(now))
}

/// Sleeps until an interrupt, or until that time.
pub(crate) fn sleep(until: u64) {
    let until = i64::try_from(until).ok().map(Instant::from_micros);
    critical_section::with(|section| {
        if let Some(clock) = TIME.clock.borrow_ref_mut(section).as_mut() {
            board::sleep(clock, until);
        }
    });
}
