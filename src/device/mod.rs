//! Devices: what carries frames between stacks and to Linux.

pub mod absent;
#[cfg(feature = "embassy")]
pub mod embassy;
#[cfg(all(feature = "tap", target_os = "linux"))]
pub(crate) mod ioctl;
pub mod loopback;
#[cfg(all(feature = "tap", target_os = "linux"))]
mod tap;
#[cfg(feature = "std")]
pub mod wire;

pub use absent::Absent;
#[cfg(feature = "embassy")]
pub use embassy::Embassy;
pub use loopback::Loopback;
#[cfg(all(feature = "tap", target_os = "linux"))]
pub use tap::{Ethernet, Ip, Layer, Receive, Tap, Transmit, Tun, TunTap};
#[cfg(feature = "std")]
pub use wire::{Conditions, Faults, Faulty, Selector, Wire, WireEnd};
