//! Names: DNS over the wire against servers made by hand, in virtual time. What becomes of a name; which servers are asked for
//! it, and how often; over TCP what does not fit; and that what is no answer is not taken for one.
#![cfg(all(feature = "std", feature = "ipv4", feature = "ipv6"))]
// A step that fails fails its test.
#![allow(clippy::unwrap_used, clippy::panic)]

#[path = "../answers/mod.rs"]
mod answers;
mod forgeries;
mod lookups;
#[path = "../net/mod.rs"]
mod net;
mod room;
mod server;
mod servers;
mod silence;
mod tcp;
