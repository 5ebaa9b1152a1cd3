//! What each socket option does, on the wire and to the calls.
#![cfg(all(feature = "std", feature = "ipv4", feature = "ipv6"))]
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a test says what broke by panicking"
)]

#[cfg(target_os = "linux")]
mod blocking;
mod buffers;
mod closing;
mod cork;
mod information;
mod keep_alive;
#[path = "../net/mod.rs"]
mod net;
mod reuse;
mod segments;
