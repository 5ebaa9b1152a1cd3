//! ARM's MPS2 board with its AN385 image, as QEMU has it (`-M mps2-an385`): a Cortex-M3 at 25 MHz, an SMSC LAN9118, and timers
//! and UARTs of the Cortex-M System Design Kit.
//!
//! Its interrupts wake the processor, and nothing runs in them: they are enabled in the NVIC and masked by PRIMASK, which
//! wait-for-interrupt does not mind. So nothing is shared with a handler, and no wake-up can slip in between a look and the
//! sleep that follows it.

#![cfg_attr(not(test), no_std)]

mod clock;
mod lan9118;
#[cfg(not(test))]
mod registers;
#[cfg(test)]
#[path = "model.rs"]
mod registers;
mod uart;
mod watchdog;

use cortex_m::{interrupt, peripheral::NVIC};

pub use clock::Clock;
pub use cortex_m_rt::entry;
pub use lan9118::{Drops, Lan9118};
pub use smoltcp::time::Instant;
pub use uart::Uart;
pub use watchdog::Watchdog;

/// Interrupt lines of the AN385 image (ARM DAI 0385, "Interrupt map").
#[derive(Clone, Copy)]
#[repr(u16)]
enum Line {
    Uart0 = 0,
    DualTimer = 10,
    Ethernet = 13,
}

// SAFETY: each is a line of its own.
unsafe impl interrupt::InterruptNumber for Line {
    fn number(self) -> u16 {
        self as u16
    }
}

/// This controller's address: one that nobody was given (locally administered).
pub const ETHERNET_ADDRESS: [u8; 6] = [2, 0, 0, 0, 0, 1];

/// The board's parts.
pub struct Board {
    pub ethernet: Lan9118,
    pub clock: Clock,
    pub uart: Uart,
    pub watchdog: Watchdog,
}

impl Board {
    /// # Safety
    /// To be called once.
    pub const unsafe fn new() -> Board {
        // SAFETY: the addresses are those of the AN385 image (ARM DAI 0385, "Memory map").
        unsafe {
            Board {
                ethernet: Lan9118::at(0x4020_0000),
                clock: Clock::at(0x4000_2000),
                uart: Uart::at(0x4000_4000),
                watchdog: Watchdog::at(0x4000_8000),
            }
        }
    }

    /// Turns everything on.
    pub fn start(&mut self) {
        interrupt::disable();
        self.uart.start();
        self.clock.start();
        self.ethernet.start(ETHERNET_ADDRESS);
        for line in LINES {
            // SAFETY: PRIMASK is set and stays so: no handler runs, no critical section is broken.
            unsafe { NVIC::unmask(line) };
        }
    }
}

/// The lines that wake.
const LINES: [Line; 3] = [Line::Uart0, Line::DualTimer, Line::Ethernet];

/// Sleeps until an interrupt, at `until` at the latest; not at all if one came since the last sleep. Whether it slept.
pub fn sleep(clock: &mut Clock, until: Option<Instant>) -> bool {
    let sleeps = clock.set_alarm(until);
    if sleeps {
        for line in LINES {
            // What was seen to does not ask any more; what is still to be done asks again: the lines are levels.
            NVIC::unpend(line);
        }
        cortex_m::asm::wfi();
    }
    sleeps
}

/// How often the processor was woken, and by what; two at once count for both.
#[derive(Debug, Clone, Copy, Default)]
pub struct Wakeups {
    pub all: u32,
    pub uart: u32,
    pub timer: u32,
    pub ethernet: u32,
}

impl Wakeups {
    /// [`sleep`], counted.
    pub fn sleep(&mut self, clock: &mut Clock, until: Option<Instant>) {
        if !sleep(clock, until) {
            return;
        }
        self.all = self.all.wrapping_add(1);
        let counts = [&mut self.uart, &mut self.timer, &mut self.ethernet];
        for (line, count) in LINES.into_iter().zip(counts) {
            *count = count.wrapping_add(u32::from(NVIC::is_pending(line)));
        }
    }
}
