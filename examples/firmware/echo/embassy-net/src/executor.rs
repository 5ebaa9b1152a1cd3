//! embassy's executor, asleep as this board sleeps: with interrupts that wake, and no handlers.

use core::sync::atomic::{AtomicBool, Ordering};

use embassy_executor::{Spawner, raw};
use static_cell::StaticCell;

use crate::{ethernet, time};

static EXECUTOR: StaticCell<raw::Executor> = StaticCell::new();
/// Some task was woken.
static PENDING: AtomicBool = AtomicBool::new(false);

/// What the executor calls for that.
#[unsafe(export_name = "__pender")]
fn pend(_: *mut ()) {
    PENDING.store(true, Ordering::Relaxed);
}

pub(crate) fn run(start: impl FnOnce(Spawner)) -> ! {
    let executor = EXECUTOR.init(raw::Executor::new(core::ptr::null_mut()));
    start(executor.spawner());
    loop {
        // SAFETY: here alone, and never from within.
        unsafe { executor.poll() };
        let until = time::wake();
        if !PENDING.swap(false, Ordering::Relaxed) {
            time::sleep(until);
            ethernet::wake();
        }
    }
}
