//! The faulty link: each fault measured in virtual time, TCP that recovers from it, and hosts that sleep until a frame is there.
#![cfg(all(feature = "std", feature = "ipv4"))]
#![allow(clippy::unwrap_used, clippy::panic)]

mod dialogue;
#[cfg(target_os = "linux")]
mod hosts;
mod link;
mod measured;
mod pair;
