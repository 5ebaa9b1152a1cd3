//! The Linux runtime.

#[cfg(feature = "tap")]
pub mod lab;
mod peer;
pub use peer::{Peer, exit_code};
