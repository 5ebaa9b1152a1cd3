//! An allocator that ends the process if it is called while it is armed.

use std::{
    alloc::{GlobalAlloc, Layout, System},
    backtrace::Backtrace,
    process,
    sync::atomic::{AtomicBool, Ordering},
};

/// From now on, until it is cleared, nothing may be allocated.
pub(crate) static ARMED: AtomicBool = AtomicBool::new(false);

pub(crate) const COMPLAINT: &str = "memory was allocated while a stack was at work";

struct Watchman;

impl Watchman {
    fn watch(&self) {
        // Disarmed for the complaint, which allocates.
        if ARMED.swap(false, Ordering::Relaxed) {
            eprintln!("{COMPLAINT}:\n{}", Backtrace::force_capture());
            process::abort();
        }
    }
}

// The trait is unsafe to implement; all is left to the system's allocator.
unsafe impl GlobalAlloc for Watchman {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        self.watch();
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        self.watch();
        unsafe { System.dealloc(pointer, layout) }
    }
}

#[global_allocator]
static WATCHMAN: Watchman = Watchman;
