//! A UART 16550 ("PC16550D Universal Asynchronous Receiver/Transmitter with FIFOs"): a character at a time.

use core::{fmt, ptr};

/// Receives when it is read, sends when it is written.
const DATA: usize = 0;
const INTERRUPT_ENABLE: usize = 1;
const FIFO_CONTROL: usize = 2;
const LINE_CONTROL: usize = 3;
const LINE_STATUS: usize = 5;

/// `LINE_STATUS`: something was received; there is room for what is to be sent.
const DATA_READY: u8 = 1;
const HOLDING_REGISTER_EMPTY: u8 = 1 << 5;
/// `INTERRUPT_ENABLE`: something was received.
const RECEIVED: u8 = 1;
/// `FIFO_CONTROL`: on.
const FIFO: u8 = 1;
/// `LINE_CONTROL`: 8 bits, no parity, one stop bit.
const EIGHT_BITS: u8 = 3;

/// A serial port. QEMU's has no baud rate to set.
pub struct Uart {
    base: usize,
}

impl Uart {
    /// # Safety
    /// The board has such a UART at `base`, its registers an octet apart, and this is its only driver.
    pub const unsafe fn at(base: usize) -> Uart {
        Uart { base }
    }

    fn load(&self, offset: usize) -> u8 {
        // SAFETY: by the contract of `at`.
        unsafe { ptr::read_volatile((self.base + offset) as *const u8) }
    }

    fn store(&self, offset: usize, value: u8) {
        // SAFETY: by the contract of `at`.
        unsafe { ptr::write_volatile((self.base + offset) as *mut u8, value) }
    }

    /// Turns it on.
    pub fn start(&mut self) {
        self.store(LINE_CONTROL, EIGHT_BITS);
        self.store(FIFO_CONTROL, FIFO);
        self.store(INTERRUPT_ENABLE, 0);
    }

    /// From now on it interrupts for what it receives: for those who [`read`](Uart::read) it.
    pub fn interrupt_on_receive(&mut self) {
        self.store(INTERRUPT_ENABLE, RECEIVED);
    }

    /// The next character that was received, if one was.
    pub fn read(&mut self) -> Option<u8> {
        let is_there = self.load(LINE_STATUS) & DATA_READY != 0;
        is_there.then(|| self.load(DATA))
    }
}

impl fmt::Write for Uart {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        for octet in text.bytes() {
            while self.load(LINE_STATUS) & HOLDING_REGISTER_EMPTY == 0 {}
            self.store(DATA, octet);
        }
        Ok(())
    }
}
