//! A CMSDK UART: a character at a time.

use core::fmt;

use crate::registers::Registers;

const DATA: usize = 0x00;
const STATE: usize = 0x04;
const CTRL: usize = 0x08;
const INTCLEAR: usize = 0x0c;
const BAUDDIV: usize = 0x10;

/// `STATE`: what is to be sent waits; something was received.
const TX_FULL: u32 = 1;
const RX_FULL: u32 = 1 << 1;
/// `CTRL`: sends, receives.
const TX_RX: u32 = 1 | 1 << 1;
/// `CTRL`: interrupts for what it receives.
const RX_INTERRUPT: u32 = 1 << 3;
/// `INTCLEAR`: something was received.
const RX: u32 = 1 << 1;

/// A serial port: 115,200 baud, 8 bits, no parity, one stop bit.
pub struct Uart {
    registers: Registers,
}

impl Uart {
    /// # Safety
    /// The board has such a UART at `base`, and this is its only driver.
    pub const unsafe fn at(base: usize) -> Uart {
        Uart {
            // SAFETY: the caller's promise.
            registers: unsafe { Registers::at(base) },
        }
    }

    /// Turns it on.
    pub fn start(&mut self) {
        self.registers.write(BAUDDIV, 25_000_000 / 115_200);
        self.registers.write(CTRL, TX_RX);
    }

    /// From now on it interrupts for what it receives: for those who [`read`](Uart::read) it.
    pub fn interrupt_on_receive(&mut self) {
        self.registers.write(CTRL, TX_RX | RX_INTERRUPT);
    }

    /// The character that was received last, if one was. It holds one: who comes late misses those before.
    pub fn read(&mut self) -> Option<u8> {
        // Told, then looked: a character that comes from here on interrupts.
        self.registers.write(INTCLEAR, RX);
        let is_there = self.registers.read(STATE) & RX_FULL != 0;
        is_there.then(|| self.registers.read(DATA) as u8)
    }
}

impl fmt::Write for Uart {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        for octet in text.bytes() {
            while self.registers.read(STATE) & TX_FULL != 0 {}
            self.registers.write(DATA, u32::from(octet));
        }
        Ok(())
    }
}
