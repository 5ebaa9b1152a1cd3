//! A TCP/IP host made of glass.
#![cfg_attr(not(feature = "std"), no_std)]
#![deny(unsafe_code)]

#[cfg(feature = "alloc")]
extern crate alloc;
// The tests have an operating system under them, whatever the features.
#[cfg(all(test, not(feature = "std")))]
extern crate std;

mod error;
pub use error::{Error, Limit, Result};

#[cfg(feature = "_family")]
pub mod device;
#[cfg(all(feature = "std", feature = "_family", target_os = "linux"))]
pub mod host;
#[cfg(all(feature = "std", feature = "_family", target_os = "linux"))]
pub mod socket;
#[cfg(feature = "_family")]
pub mod stack;
#[cfg(feature = "_family")]
pub mod trace;

#[cfg(feature = "_family")]
pub use stack::{Fd, Stack};

#[cfg(feature = "_family")]
pub use smoltcp;
