//! poll: who waits for many sockets is woken exactly when one of them has something for it, takes one place among those who
//! wait however many they are, and leaves nothing behind. What it tells of each socket is in `tests/parity`.
#![cfg(all(feature = "std", feature = "ipv4", feature = "ipv6"))]
// A step that fails fails its test.
#![allow(clippy::unwrap_used, clippy::panic)]

#[path = "../net/mod.rs"]
mod net;
#[path = "../world/mod.rs"]
mod world;

mod random;
mod tasks;
#[cfg(target_os = "linux")]
mod threads;
mod wakes;
mod watcher;
