//! The embedded ecosystem's networks: what a client that knows only embedded-nal's traits sees of a stack, and one that knows
//! only embedded-nal-async's of each kind of network.
#![cfg(target_os = "linux")]
// A step that fails fails its test.
#![allow(clippy::unwrap_used, clippy::panic)]

mod calls;
#[path = "../net/mod.rs"]
mod net;
mod networks;
