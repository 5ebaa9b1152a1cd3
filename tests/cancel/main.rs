//! A future may be dropped at every point where it waits: nothing is lost, nobody waits for ever, nothing stays behind.
#![cfg(all(feature = "std", feature = "ipv4"))]
// A step that fails fails its test.
#![allow(clippy::unwrap_used, clippy::panic)]

#[path = "../world/mod.rs"]
mod world;

mod dialogue;
mod every;
mod halves;
mod partial;
mod scene;
mod waiters;
