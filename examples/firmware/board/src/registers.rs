//! Registers of a peripheral: the one place where memory is read and written by its address.

use core::ptr;

/// A peripheral's registers, by their offset.
pub(crate) struct Registers {
    base: usize,
}

impl Registers {
    /// # Safety
    /// From `base` on the board has registers of 32 bits, which only this value's owner uses, and those at the offsets that it
    /// uses may be read and written whenever it does.
    pub(crate) const unsafe fn at(base: usize) -> Registers {
        Registers { base }
    }

    pub(crate) fn read(&self, offset: usize) -> u32 {
        // SAFETY: by the contract of `at`.
        unsafe { ptr::read_volatile((self.base + offset) as *const u32) }
    }

    pub(crate) fn write(&self, offset: usize, value: u32) {
        // SAFETY: by the contract of `at`.
        unsafe { ptr::write_volatile((self.base + offset) as *mut u32, value) }
    }
}
