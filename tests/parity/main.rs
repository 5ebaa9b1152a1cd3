//! Parity: the same source, compiled against the kernel's sockets (`std::net`) and against ours, shows the same results,
//! orders and kinds of errors.
//!
//! A test makes calls and writes down what each gave. The text beside it is what both worlds must show, over IPv4 and IPv6; a line
//! that begins with `kernel:` or `ours:` is of that world alone, and stands in the table of `glasstack::socket` with its reason.
#![cfg(all(
    target_os = "linux",
    feature = "std",
    feature = "ipv4",
    feature = "ipv6"
))]
// That is the point: see above.
#![allow(clippy::duplicate_mod)]

mod kernel;
mod ours;
mod transcript;
