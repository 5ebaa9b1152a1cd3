//! What is lost comes again, at exactly the time that the rules give (RFC 6298, RFC 5681): a dialogue under virtual time that
//! loses each of its segments in turn, the same segment again and again, the link, the peer.
#![cfg(all(feature = "std", feature = "ipv4"))]
#![allow(clippy::unwrap_used, clippy::panic)] // it is a test

mod again;
mod dialogue;
mod each;
mod outages;
mod rules;
