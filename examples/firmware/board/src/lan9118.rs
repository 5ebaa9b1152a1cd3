//! SMSC's LAN9118, an Ethernet controller that is nothing but registers and two FIFOs: no DMA, no descriptors.
//!
//! Register names and bits are those of its data sheet ("LAN9118, High Performance Single-Chip 10/100 Non-PCI Ethernet
//! Controller", revision 1.5).

use smoltcp::phy::{self, DeviceCapabilities, Medium};
use smoltcp::time::Instant;

use crate::registers::Registers;

/// Octets of the longest Ethernet frame, without its check sequence.
const MTU: usize = 1514;
/// Octets of its header: there is no frame without.
const HEADER: usize = 14;

const RX_DATA_FIFO: usize = 0x00;
const TX_DATA_FIFO: usize = 0x20;
const RX_STATUS_FIFO: usize = 0x40;
const TX_STATUS_FIFO: usize = 0x48;
const IRQ_CFG: usize = 0x54;
const INT_STS: usize = 0x58;
const INT_EN: usize = 0x5c;
const BYTE_TEST: usize = 0x64;
const FIFO_INT: usize = 0x68;
const TX_CFG: usize = 0x70;
const HW_CFG: usize = 0x74;
const RX_FIFO_INF: usize = 0x7c;
const TX_FIFO_INF: usize = 0x80;
const RX_DROP: usize = 0xa0;
const MAC_CSR_CMD: usize = 0xa4;
const MAC_CSR_DATA: usize = 0xa8;
const AFC_CFG: usize = 0xac;
const E2P_CMD: usize = 0xb0;

/// Registers of the MAC itself, which are reached through `MAC_CSR_CMD`.
const MAC_CR: u32 = 1;
const ADDRH: u32 = 2;
const ADDRL: u32 = 3;

/// `HW_CFG`: soft reset.
const SRST: u32 = 1;
/// `HW_CFG`: 5 KB of the 16 KB for what is sent (its default), and a bit that must be one.
const TX_FIF_SZ: u32 = 5 << 16 | 1 << 20;
/// `IRQ_CFG`: enabled, active high, push-pull.
const IRQ_EN_HIGH: u32 = 1 << 8 | 1 << 4 | 1;
/// `INT_STS`, `INT_EN`: a frame was received.
const RSFL: u32 = 1 << 3;
/// `INT_STS`, `INT_EN`: there is room for a longest frame to be sent.
const TDFA: u32 = 1 << 9;
/// `FIFO_INT`: the room, in steps of 64 octets, from which on `TDFA` tells.
const TDFA_LEVEL: u32 = 25 << 24;
/// `TX_CFG`: the transmitter runs.
const TX_ON: u32 = 1 << 1;
/// `MAC_CR`: it receives, sends, both at once, and takes every multicast frame.
const RXEN_TXEN_FDPX_MCPAS: u32 = 1 << 2 | 1 << 3 | 1 << 20 | 1 << 19;
/// `MAC_CSR_CMD`: busy, and a read.
const CSR_BUSY: u32 = 1 << 31;
/// `E2P_CMD`: the EEPROM, if there is one, is being read.
const EPC_BSY: u32 = 1 << 31;
/// A word of the receive or of the transmit status: the frame is broken, or could not be sent.
const ES: u32 = 1 << 15;
/// A word of the receive status: the frame is longer than 1,518 octets.
const TOO_LONG: u32 = 1 << 7;
/// `TX_CMD_A`: the first and last piece of a frame.
const FIRST_AND_LAST: u32 = 1 << 13 | 1 << 12;

/// What the controller was given and did not deliver.
#[derive(Debug, Clone, Copy, Default)]
pub struct Drops {
    /// Frames for which its FIFO had no room.
    pub overrun: u32,
    /// Frames with a wrong check sequence, a collision, or shorter than any frame.
    pub broken: u32,
    /// Frames longer than the MTU: VLAN-tagged ones, which nobody here understands, and those of no standard.
    pub too_long: u32,
    /// Frames that it could not send.
    pub unsent: u32,
}

/// The controller, and memory for one frame each way.
pub struct Lan9118 {
    registers: Registers,
    received: [u8; MTU.next_multiple_of(4)],
    sent: [u8; MTU.next_multiple_of(4)],
    drops: Drops,
    /// It interrupts for room to send, and not for frames: they may be answered, and so have to wait.
    is_full: bool,
}

impl Lan9118 {
    /// # Safety
    /// The board has a LAN9118 at `base`, and this is its only driver.
    pub const unsafe fn at(base: usize) -> Lan9118 {
        Lan9118 {
            // SAFETY: the caller's promise.
            registers: unsafe { Registers::at(base) },
            received: [0; MTU.next_multiple_of(4)],
            sent: [0; MTU.next_multiple_of(4)],
            drops: Drops {
                overrun: 0,
                broken: 0,
                too_long: 0,
                unsent: 0,
            },
            is_full: false,
        }
    }

    /// Resets the controller and turns it on; from now on it interrupts for a frame that came.
    pub fn start(&mut self, address: [u8; 6]) {
        let registers = &self.registers;
        registers.write(HW_CFG, SRST);
        // It answers with this once it is there; before, the reset bit means nothing.
        while registers.read(BYTE_TEST) != 0x8765_4321 || registers.read(HW_CFG) & SRST != 0 {}
        // It fills in an address of its own, which would come after ours.
        while registers.read(E2P_CMD) & EPC_BSY != 0 {}
        registers.write(HW_CFG, TX_FIF_SZ);
        registers.write(AFC_CFG, 0x006e_3740); // pauses as the data sheet proposes them
        let [a, b, c, d, e, f] = address;
        self.write_mac(ADDRL, u32::from_le_bytes([a, b, c, d]));
        self.write_mac(ADDRH, u32::from_le_bytes([e, f, 0, 0]));
        self.registers.write(FIFO_INT, TDFA_LEVEL);
        self.registers.write(INT_STS, u32::MAX);
        self.registers.write(INT_EN, RSFL);
        self.registers.write(IRQ_CFG, IRQ_EN_HIGH);
        self.registers.write(TX_CFG, TX_ON);
        self.write_mac(MAC_CR, RXEN_TXEN_FDPX_MCPAS);
        self.is_full = false;
    }

    fn write_mac(&self, register: u32, value: u32) {
        self.registers.write(MAC_CSR_DATA, value);
        self.registers.write(MAC_CSR_CMD, CSR_BUSY | register);
        while self.registers.read(MAC_CSR_CMD) & CSR_BUSY != 0 {}
    }
}

impl Lan9118 {
    /// Reads the next frame that is whole into `received`: its length.
    fn take(&mut self) -> Option<usize> {
        let registers = &self.registers;
        loop {
            if registers.read(RX_FIFO_INF) >> 16 & 0xff == 0 {
                // Told, and looked again: a frame that comes from here on interrupts.
                registers.write(INT_STS, RSFL);
                if registers.read(RX_FIFO_INF) >> 16 & 0xff == 0 {
                    return None;
                }
            }
            let status = registers.read(RX_STATUS_FIFO);
            let whole = (status >> 16 & 0x3fff) as usize; // with its check sequence
            let length = whole.saturating_sub(4);
            let drop = match status {
                _ if length > MTU || status & TOO_LONG != 0 => Some(&mut self.drops.too_long),
                _ if length < HEADER || status & ES != 0 => Some(&mut self.drops.broken),
                _ => None,
            };
            let is_dropped = drop.is_some();
            if let Some(count) = drop {
                *count = count.saturating_add(1);
            }
            // All of it is read in any case: its check sequence, too, and what is dropped.
            let (words, _) = self.received.as_chunks_mut();
            let mut words = words.iter_mut();
            for _ in 0..whole.div_ceil(4) {
                let word = registers.read(RX_DATA_FIFO);
                if let Some(place) = words.next() {
                    *place = word.to_le_bytes();
                }
            }
            if !is_dropped {
                return Some(length);
            }
        }
    }

    /// Whether there is room for a longest frame; if not, there will be an interrupt once there is. Takes note of what became
    /// of the frames before.
    fn has_room(&mut self) -> bool {
        let mut has_room = self.looks_for_room();
        if !has_room {
            // Told, and looked again: room that comes from here on interrupts.
            self.registers.write(INT_STS, TDFA);
            has_room = self.looks_for_room();
        }
        if self.is_full == has_room {
            self.is_full = !has_room;
            let interrupts = if has_room { RSFL } else { TDFA };
            self.registers.write(INT_EN, interrupts);
        }
        has_room
    }

    fn looks_for_room(&mut self) -> bool {
        let mut status = self.registers.read(TX_FIFO_INF);
        while status >> 16 & 0xff != 0 {
            if self.registers.read(TX_STATUS_FIFO) & ES != 0 {
                self.drops.unsent = self.drops.unsent.saturating_add(1);
            }
            status = self.registers.read(TX_FIFO_INF);
        }
        // Two words of command before the frame.
        (status & 0xffff) as usize >= MTU.next_multiple_of(4) + 8
    }

    /// What was dropped since the start.
    pub fn drops(&mut self) -> Drops {
        // Reading clears it.
        let overrun = self.registers.read(RX_DROP);
        self.drops.overrun = self.drops.overrun.saturating_add(overrun);
        self.drops
    }
}

impl phy::Device for Lan9118 {
    type RxToken<'a> = Received<'a>;
    type TxToken<'a> = Room<'a>;

    fn receive(&mut self, _: Instant) -> Option<(Received<'_>, Room<'_>)> {
        // Every frame may be answered.
        if !self.has_room() {
            return None;
        }
        let length = self.take()?;
        let received = Received {
            frame: self.received.get_mut(..length).unwrap_or_default(),
        };
        let room = Room {
            registers: &self.registers,
            frame: &mut self.sent,
        };
        Some((received, room))
    }

    fn transmit(&mut self, _: Instant) -> Option<Room<'_>> {
        self.has_room().then_some(Room {
            registers: &self.registers,
            frame: &mut self.sent,
        })
    }

    fn capabilities(&self) -> DeviceCapabilities {
        let mut capabilities = DeviceCapabilities::default();
        capabilities.medium = Medium::Ethernet;
        capabilities.max_transmission_unit = MTU;
        capabilities
    }
}

/// A frame that was received.
pub struct Received<'a> {
    /// From the destination's address on, without the check sequence.
    pub frame: &'a mut [u8],
}

impl phy::RxToken for Received<'_> {
    fn consume<R, F: FnOnce(&[u8]) -> R>(self, read: F) -> R {
        read(self.frame)
    }
}

/// Room for a frame.
pub struct Room<'a> {
    registers: &'a Registers,
    frame: &'a mut [u8; MTU.next_multiple_of(4)],
}

impl phy::TxToken for Room<'_> {
    fn consume<R, F: FnOnce(&mut [u8]) -> R>(self, length: usize, write: F) -> R {
        // The stack knows the MTU, and keeps to it.
        let length = length.min(MTU);
        let result = write(self.frame.get_mut(..length).unwrap_or_default());
        self.registers
            .write(TX_DATA_FIFO, FIRST_AND_LAST | length as u32);
        self.registers.write(TX_DATA_FIFO, length as u32);
        let (words, _) = self.frame.as_chunks();
        for word in words.iter().take(length.div_ceil(4)) {
            self.registers
                .write(TX_DATA_FIFO, u32::from_le_bytes(*word));
        }
        result
    }
}

#[cfg(test)]
mod tests;
