//! The key that sequence numbers, ports and query ids are made from: 128 bits that nobody can guess, new ones after each start.
//!
//! This board has nothing to draw them from. A real one has: a true random number generator (`RNG` of an STM32 or an nRF52,
//! the ring oscillator of an RP2040), or a secret of its own that is stored at its making and hashed with a count of its
//! starts. Here they come from the computer that debugs the board, by semihosting ("Semihosting for AArch32 and AArch64",
//! ARM, §6): the debugger, or QEMU, opens a file there. Where nobody debugs it there is no key, and the program says so.

use cortex_m::asm::semihosting_syscall;

use crate::kept::Kept;

const SYS_OPEN: u32 = 0x01;
const SYS_CLOSE: u32 = 0x02;
const SYS_READ: u32 = 0x06;

/// `SYS_OPEN`'s mode "rb".
const READ_BINARY: u32 = 1;
const FAILED: u32 = u32::MAX;

const FILE: &[u8] = b"/dev/urandom\0";

/// 128 random bits, if somebody debugs this board who has them.
///
/// The call is a breakpoint: without a debugger it is a fault. That it was tried is kept over the reset that follows, and then
/// it is not tried again.
pub fn seed(kept: &Kept) -> Option<[u8; 16]> {
    if !kept.may_ask_debugger() {
        return None;
    }
    kept.asks_debugger(true);
    let key = read_file();
    kept.asks_debugger(false);
    key
}

fn read_file() -> Option<[u8; 16]> {
    let mut key = [0; 16];
    let (name, buffer) = (FILE.as_ptr() as u32, key.as_mut_ptr() as u32);
    // SAFETY: the blocks are as the calls want them, and outlive them: SYS_OPEN's has the address and the length of a name
    // that ends with a null, SYS_READ's the address of a buffer that may be written, and its length.
    unsafe {
        let handle = call(SYS_OPEN, &[name, READ_BINARY, FILE.len() as u32 - 1]);
        if handle == FAILED {
            return None;
        }
        // It returns how many octets it did not read.
        let missing = call(SYS_READ, &[handle, buffer, key.len() as u32]);
        call(SYS_CLOSE, &[handle]);
        (missing == 0).then_some(key)
    }
}

/// # Safety
/// The block is what the call wants.
unsafe fn call<const N: usize>(number: u32, block: &[u32; N]) -> u32 {
    // SAFETY: the caller's promise.
    unsafe { semihosting_syscall(number, block.as_ptr() as u32) }
}
