//! The core-local interruptor's timer (CLINT): a counter of 64 bits, and the count at which it interrupts.

use smoltcp::time::Instant;

use crate::registers::Registers;

/// Counts a microsecond: QEMU's `virt` has 10 MHz.
const COUNTS: u64 = 10;

const MTIMECMP: usize = 0x4000;
const MTIME: usize = 0xbff8;
/// Of the upper half.
const HIGH: usize = 4;

/// The time since the start, in microseconds, and an alarm.
pub struct Clock {
    registers: Registers,
}

impl Clock {
    /// # Safety
    /// The board has a CLINT at `base`, and this is its only driver.
    pub const unsafe fn at(base: usize) -> Clock {
        Clock {
            // SAFETY: the caller's promise.
            registers: unsafe { Registers::at(base) },
        }
    }

    pub fn now(&mut self) -> Instant {
        // The halves are read one after the other, and the lower one may go around in between.
        let counts = loop {
            let high = self.registers.read(MTIME + HIGH);
            let low = self.registers.read(MTIME);
            if self.registers.read(MTIME + HIGH) == high {
                break u64::from(high) << 32 | u64::from(low);
            }
        };
        Instant::from_micros((counts / COUNTS) as i64)
    }

    /// Interrupts at that time (`None` is never), and from then on: a time that is over interrupts at once.
    pub fn set_alarm(&mut self, until: Option<Instant>) {
        let counts = until.map_or(u64::MAX, |until| {
            let micros = u64::try_from(until.total_micros()).unwrap_or(0);
            micros.saturating_mul(COUNTS)
        });
        // The lower half is never less than either value's in between ("Privileged Architecture", §3.2.1).
        self.registers.write(MTIMECMP, u32::MAX);
        self.registers.write(MTIMECMP + HIGH, (counts >> 32) as u32);
        self.registers.write(MTIMECMP, counts as u32);
    }
}
