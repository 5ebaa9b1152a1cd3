//! A waker without a heap: it counts. The one file here with an `unsafe` word in it, for `core` makes wakers of `Arc`s or of
//! raw parts, and there is no heap for an `Arc`.
#![allow(unsafe_code)]

use core::cell::Cell;
use core::ptr;
use core::sync::atomic::{AtomicUsize, Ordering};
use core::task::{RawWaker, RawWakerVTable, Waker};

/// How often any waker of this kind was woken: one count for all, which a waker needs no data to find.
static WAKES: AtomicUsize = AtomicUsize::new(0);

/// What its owner has seen of the count.
pub(super) struct Flag {
    seen: Cell<usize>,
}

impl Flag {
    pub(super) fn new() -> Flag {
        Flag {
            seen: Cell::new(WAKES.load(Ordering::Acquire)),
        }
    }

    /// Whether a waker was woken since the flag was lowered.
    pub(super) fn is_raised(&self) -> bool {
        WAKES.load(Ordering::Acquire) != self.seen.get()
    }

    pub(super) fn lower(&self) {
        self.seen.set(WAKES.load(Ordering::Acquire));
    }

    /// What raises all flags.
    pub(super) fn waker() -> Waker {
        // SAFETY: the functions below never look at the data pointer, keep nothing and free nothing, and may be called from
        // any thread; so the contract of `RawWakerVTable` holds for any pointer.
        unsafe { Waker::from_raw(RAW) }
    }
}

const RAW: RawWaker = RawWaker::new(ptr::null(), &TABLE);
/// One, by whose address wakers know each other.
static TABLE: RawWakerVTable = RawWakerVTable::new(|_| RAW, |_| wake(), |_| wake(), |_| {});

#[cfg(target_has_atomic = "ptr")]
fn wake() {
    WAKES.fetch_add(1, Ordering::AcqRel);
}

/// The smallest cores have no `fetch_add`. A chip that has two of them (RP2040) has a critical section for both: without it,
/// of two wakes that meet one may come as late as the other has been seen, and be lost.
#[cfg(all(not(target_has_atomic = "ptr"), feature = "critical-section"))]
fn wake() {
    critical_section::with(|_| count());
}

/// One core alone: wakes that meet are an interrupt's inside another's or inside the loop's. They count as one, and the flag's
/// owner has not looked meanwhile.
#[cfg(all(not(target_has_atomic = "ptr"), not(feature = "critical-section")))]
fn wake() {
    count();
}

#[cfg(not(target_has_atomic = "ptr"))]
fn count() {
    let wakes = WAKES.load(Ordering::Acquire);
    WAKES.store(wakes.wrapping_add(1), Ordering::Release);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_wake_raises_the_flag_until_it_is_lowered() {
        let flag = Flag::new();
        let waker = Flag::waker().clone();
        assert!(waker.will_wake(&Flag::waker()));
        waker.wake();
        assert!(flag.is_raised());
        // Nobody else in this process wakes one.
        flag.lower();
        assert!(!flag.is_raised());
    }
}
