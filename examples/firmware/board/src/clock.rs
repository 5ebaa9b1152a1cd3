//! The CMSDK's dual timer as a clock and an alarm: one counts, the other wakes. Neither ticks in between.

use smoltcp::time::Instant;

use crate::registers::Registers;

/// So many microseconds are so many counts: the 25 MHz of the board, divided by 16.
const MICROS: u64 = 16;
const COUNTS: u64 = 25;

const TIMER1: usize = 0x00;
const TIMER2: usize = 0x20;

/// Registers of one of the two ("Cortex-M System Design Kit Technical Reference Manual", ARM DDI 0479, §4.4).
const LOAD: usize = 0x00;
const VALUE: usize = 0x04;
const CONTROL: usize = 0x08;
const INTCLR: usize = 0x0c;
const RIS: usize = 0x10;

/// `CONTROL`: counts, 32 bits, divided by 16.
const ENABLED: u32 = 1 << 7 | 1 << 1 | 1 << 2;
/// `CONTROL`: an interrupt at zero.
const INTERRUPTS: u32 = 1 << 5;
/// `CONTROL`: stops at zero.
const ONE_SHOT: u32 = 1;

/// The time since the start, in microseconds, and an alarm.
pub struct Clock {
    registers: Registers,
    /// How often the 32 bits went around, which takes 45 minutes.
    rounds: u32,
}

impl Clock {
    /// # Safety
    /// The board has a dual timer at `base`, and this is its only driver.
    pub const unsafe fn at(base: usize) -> Clock {
        Clock {
            // SAFETY: the caller's promise.
            registers: unsafe { Registers::at(base) },
            rounds: 0,
        }
    }

    /// Starts to count.
    pub fn start(&mut self) {
        self.registers.write(TIMER1 + LOAD, u32::MAX);
        self.registers.write(TIMER1 + CONTROL, ENABLED | INTERRUPTS);
    }

    /// To be asked once in 45 minutes at least: the timer's own interrupt at zero wakes who sleeps longer.
    pub fn now(&mut self) -> Instant {
        let mut value = self.registers.read(TIMER1 + VALUE);
        if self.registers.read(TIMER1 + RIS) & 1 != 0 {
            self.registers.write(TIMER1 + INTCLR, 0);
            self.rounds = self.rounds.wrapping_add(1);
            // Of the new round for sure, but for the zero itself, which lasts for less than a microsecond.
            value = self.registers.read(TIMER1 + VALUE);
            while value == 0 {
                value = self.registers.read(TIMER1 + VALUE);
            }
        }
        let counts = u64::from(self.rounds) << 32 | u64::from(u32::MAX - value);
        Instant::from_micros((counts * MICROS / COUNTS) as i64)
    }

    /// Interrupts at that time (`None` is never), or before it if it is far away. False if it is over already.
    pub fn set_alarm(&mut self, until: Option<Instant>) -> bool {
        self.registers.write(TIMER2 + CONTROL, 0);
        self.registers.write(TIMER2 + INTCLR, 0);
        let Some(until) = until else {
            return true;
        };
        let micros = until
            .total_micros()
            .saturating_sub(self.now().total_micros());
        if micros <= 0 {
            return false;
        }
        // Rather late by a count than early by one.
        let counts = (micros as u64).saturating_mul(COUNTS) / MICROS + 1;
        let counts = u32::try_from(counts).unwrap_or(u32::MAX);
        self.registers.write(TIMER2 + LOAD, counts);
        self.registers
            .write(TIMER2 + CONTROL, ENABLED | INTERRUPTS | ONE_SHOT);
        true
    }
}

#[cfg(test)]
mod tests;
