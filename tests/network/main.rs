//! Networks that tasks share, and who drives them.
#![cfg(all(feature = "std", feature = "ipv4"))]
// A step that fails fails its test.
#![allow(clippy::unwrap_used, clippy::panic)]

#[path = "../world/mod.rs"]
mod world;

mod inside;
#[cfg(target_os = "linux")]
mod parker;
mod runners;
mod storage;
mod time;
#[cfg(target_os = "linux")]
mod unplugged;
