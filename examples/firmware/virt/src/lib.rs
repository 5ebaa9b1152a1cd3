//! QEMU's `virt` machine (`-M virt`) with one RISC-V core of 32 bits: virtio's Ethernet controller, and the timer and the
//! interrupt controller that most RISC-V chips have.
//!
//! As on the Cortex-M3, its interrupts wake the processor, and nothing runs in them: `mie` has them enabled, `mstatus.MIE` masks
//! them, which wait-for-interrupt does not mind ("The RISC-V Instruction Set Manual, Volume II: Privileged Architecture",
//! §3.3.3).

#![no_std]
// On the other board's processor there is nothing of it.
#![cfg(target_arch = "riscv32")]

mod clock;
mod plic;
#[path = "../../board/src/registers.rs"]
mod registers;
mod virtio;

use riscv::interrupt::Interrupt;
use riscv::register::mie;
use smoltcp::time::Instant;

pub use clock::Clock;
pub use riscv_rt::entry;
pub use virtio::Ethernet;

/// The controller's interrupt source, the first of virtio's (QEMU, include/hw/riscv/virt.h).
const ETHERNET: u32 = 1;

/// This controller's address: one that nobody was given (locally administered).
pub const ETHERNET_ADDRESS: [u8; 6] = [2, 0, 0, 0, 0, 1];

/// The board's parts.
pub struct Board {
    pub ethernet: Ethernet,
    pub clock: Clock,
}

impl Board {
    /// # Safety
    /// To be called once.
    pub const unsafe fn new() -> Board {
        // SAFETY: the addresses are those of the machine (QEMU, hw/riscv/virt.c, "virt_memmap").
        unsafe {
            Board {
                ethernet: Ethernet::at(0x1000_1000),
                clock: Clock::at(0x0200_0000),
            }
        }
    }

    /// Turns everything on.
    pub fn start(&mut self) {
        riscv::interrupt::disable();
        self.ethernet.start();
        self.clock.set_alarm(None);
        plic::enable(ETHERNET);
        // SAFETY: `mstatus.MIE` is clear and stays so: no handler runs, no critical section is broken.
        unsafe {
            mie::enable(Interrupt::MachineTimer);
            mie::enable(Interrupt::MachineExternal);
        }
    }
}

/// Sleeps until an interrupt, at `until` at the latest; not at all if one came since the last sleep.
pub fn sleep(clock: &mut Clock, until: Option<Instant>) {
    clock.set_alarm(until);
    riscv::asm::wfi();
    plic::complete_all();
}
