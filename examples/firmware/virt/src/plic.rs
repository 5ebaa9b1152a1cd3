//! The interrupt controller ("RISC-V Platform-Level Interrupt Controller Specification", version 1.0.0), as far as the one core
//! here needs it.

use crate::registers::Registers;

/// Offsets, and what belongs to the core's machine mode (context 0).
const PRIORITY: usize = 0x0;
const ENABLE: usize = 0x2000;
const THRESHOLD: usize = 0x20_0000;
const CLAIM: usize = 0x20_0004;

// SAFETY: the machine has it there (QEMU, hw/riscv/virt.c, "VIRT_PLIC"), and this module is its only driver.
const REGISTERS: Registers = unsafe { Registers::at(0x0c00_0000) };

/// Lets a source, of the first 32, interrupt.
pub(crate) fn enable(source: u32) {
    REGISTERS.write(PRIORITY + 4 * source as usize, 1);
    let enabled = REGISTERS.read(ENABLE);
    REGISTERS.write(ENABLE, enabled | 1 << source);
    REGISTERS.write(THRESHOLD, 0);
}

/// Lets whoever interrupted do so again: what is still to be done asks again, the lines are levels. Each source is looked at
/// once, or one that goes on asking would keep the processor here.
pub(crate) fn complete_all() {
    let mut seen = 0_u32;
    loop {
        let source = REGISTERS.read(CLAIM);
        if source == 0 {
            return;
        }
        REGISTERS.write(CLAIM, source);
        let bit = 1 << (source % 32);
        if seen & bit != 0 {
            return;
        }
        seen |= bit;
    }
}
