//! The ends that nobody wants: a panic, a fault of the processor, a program that hangs. Each is written down where the reset
//! that follows does not clear it, and told by the next start.

use core::panic::PanicInfo;

use board::Watchdog;
use cortex_m::peripheral::SCB;
use cortex_m_rt::{ExceptionFrame, exception};

use crate::kept::Kept;

#[panic_handler]
fn panic(info: &PanicInfo<'_>) -> ! {
    end(format_args!("{info}"))
}

/// Bus, memory and usage faults come here, too, since they have no handlers of their own.
#[exception]
unsafe fn HardFault(frame: &ExceptionFrame) -> ! {
    let kept = Kept::get();
    if kept.is_debugger_silent() {
        SCB::sys_reset();
    }
    // SAFETY: reading them changes nothing.
    let scb = unsafe { &*SCB::PTR };
    let (cfsr, hfsr, bfar) = (scb.cfsr.read(), scb.hfsr.read(), scb.bfar.read());
    let (pc, lr) = (frame.pc(), frame.lr());
    end(format_args!(
        "HardFault at {pc:#010x}, called from {lr:#010x}; CFSR {cfsr:#010x}, HFSR {hfsr:#010x}, BFAR {bfar:#010x}"
    ))
}

/// The watchdog's: the program has not slept for too long.
#[exception]
unsafe fn NonMaskableInt() -> ! {
    end(format_args!(
        "Watchdog: awake for more than {:?}",
        Watchdog::PATIENCE
    ))
}

/// Writes down why, and starts again.
pub fn end(reason: core::fmt::Arguments<'_>) -> ! {
    Kept::get().end(reason);
    SCB::sys_reset()
}

/// Ends the program in the way that is asked for, to show what becomes of it; if there is such a way.
pub fn cause(kind: &str) {
    match kind {
        "panic" => panic!("on request"),
        "memory" => {
            // Where this board has nothing.
            let nowhere = core::ptr::without_provenance::<u32>(0x6000_0000);
            // SAFETY: none, which is what it is for: the processor refuses it.
            let _ = unsafe { nowhere.read_volatile() };
        }
        "hang" => loop {
            core::hint::spin_loop();
        },
        _ => {}
    }
}
