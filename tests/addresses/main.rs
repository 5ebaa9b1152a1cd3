//! A host's addresses: how it comes by them, how long they last, which of them it speaks from, and what becomes of its sockets
//! when one goes away.
#![cfg(all(feature = "std", feature = "ipv4", feature = "ipv6"))]
// A step that fails fails its test.
#![allow(clippy::unwrap_used, clippy::panic)]

mod duplicate;
mod glass;
mod link;
mod lost;
mod net;
mod route;
mod several;
mod slaac;
