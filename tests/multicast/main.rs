//! Groups: who joins and leaves, what the link's routers hear of it, and who receives what is sent to one.
#![cfg(all(feature = "std", feature = "ipv4", feature = "ipv6"))]
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a step that fails fails its test"
)]

#[path = "../cable/mod.rs"]
mod cable;
mod delivery;
mod faces;
mod reports;
mod scene;
