//! The CMSDK's watchdog: who does not stop it, or start it again, is interrupted by the NMI.
//!
//! It could also reset at its second zero (`RESEN`). The NMI's handler is left to do so: QEMU up to 7.2 goes on counting while
//! the watchdog is stopped, and would reset who slept well.

use core::time::Duration;

use crate::registers::Registers;

/// Registers ("Cortex-M System Design Kit Technical Reference Manual", ARM DDI 0479, §4.5).
const LOAD: usize = 0x00;
const CONTROL: usize = 0x08;
const INTCLR: usize = 0x0c;
const LOCK: usize = 0xc00;

/// `CONTROL`: counts, with an interrupt at zero.
const INTEN: u32 = 1;
/// `LOCK`: the registers may be written.
const UNLOCKED: u32 = 0x1acc_e551;

pub struct Watchdog {
    registers: Registers,
}

impl Watchdog {
    /// How long it waits.
    pub const PATIENCE: Duration = Duration::from_secs(4);

    /// # Safety
    /// The board has such a watchdog at `base`, and this is its only driver.
    pub const unsafe fn at(base: usize) -> Watchdog {
        Watchdog {
            // SAFETY: the caller's promise.
            registers: unsafe { Registers::at(base) },
        }
    }

    /// Counts from now on.
    pub fn start(&mut self) {
        let counts = Self::PATIENCE.as_secs() as u32 * 25_000_000;
        self.registers.write(LOCK, UNLOCKED);
        self.registers.write(LOAD, counts);
        // Of a zero while it was stopped.
        self.registers.write(INTCLR, 0);
        self.registers.write(CONTROL, INTEN);
    }

    /// Does not count any more.
    pub fn stop(&mut self) {
        self.registers.write(LOCK, UNLOCKED);
        self.registers.write(CONTROL, 0);
    }
}
