//! A TCP/IP host made of glass: BSD sockets for `no_std`, without a heap, on smoltcp's TCP.
//!
//! ```text
//!             application
//!    Fd calls │ async │ blocking │ embedded traits     faces
//!             ▼
//!         ┌─────────┐   events    ┌──────────┐
//!         │  Stack  │────────────▶│ Observer │         the glass
//!         └─────────┘             └──────────┘
//!    frames ▲   │ frames
//!           │   ▼
//!    smoltcp `phy::Device`: Tap · Tun · Loopback · Wire · any driver        devices
//! ```
//!
//! | you have | take |
//! |---|---|
//! | a microcontroller, a main loop, a test with a clock of its own | [`Stack`], its memory in a [`stack::Storage`] |
//! | an executor, or `block_on` in its place | the asynchronous sockets of [`socket`], the same on a microcontroller, on tokio and in a simulation |
//! | Linux and threads | [`host::Host`](host/index.html) and the sockets of [`socket::blocking`](socket/blocking/index.html), which mirror `std::net` (feature `std`) |
//! | a client or a driver that knows no network | the embedded ecosystem's traits: [`embedded`](embedded/index.html) (features `embedded-io`, `embedded-nal`) |
//! | a test | [`sim`](sim/index.html): hosts, links and switches in virtual time (feature `std`) |
//! | the wish to see what happens | an [`Observer`](trace::Observer), or one of the glass's own: a ladder, a pcapng file, a log, a capture for tests ([`trace`]) |
//! | a link that shall misbehave | [`device::Wire`](device/index.html) with `Faults`, or `Faulty` before any device (feature `std`) |
//!
//! The heart asks no clock, starts no thread, makes no system call and allocates nothing: it is told the time and lent a
//! device, does the work that is due, and says when it wants to be called next. See [`stack`] for its loop. Each of these
//! pages begins with a program. [`guide::calls`] is the table of every socket call and option, [`guide::porting`] what a
//! microcontroller's board has to give.
//!
//! # Features
//!
//! `ipv4` and `ipv6` are the address families: with neither there is no stack, and this crate is its [`Error`]. `std` (with
//! `alloc`) adds the Linux host, the blocking sockets and CUBIC; `alloc` storage on the heap; `tap` Linux's TAP and TUN
//! devices and the lab; `log` messages through the `log` crate; `embedded-io` and `embedded-nal` the traits of these crates;
//! `tokio` its traits on the asynchronous sockets, and a stack that runs as one of its tasks; `embassy` the same for embassy,
//! and its drivers as devices, without a heap; `critical-section` a lock for the asynchronous sockets where there is no `std`.
//!
//! What a small program does not call costs it neither flash nor memory. Without `std`, which has them all, a host has streams
//! and datagrams on a link, and these are to be asked for: `dhcp`, addresses from a server; `dns`, names; `multicast`, groups
//! that sockets join (`ipv6` has it: neighbors find each other in groups); `fragments`, IP packets in several pieces (without
//! it they are dropped, and what does not fit into a packet is [`Error::MessageTooLong`]); `path-mtu`, which heeds routers
//! that say how much the way takes (without it the link's MTU counts, and routers may cut datagrams of IPv4); `glass`, by which
//! an observer hears of timers and of why a segment is sent again; `loopback`, a host that reaches itself; `raw` sockets;
//! `options`, to be set and to be asked for (without it each has its default); `tasks`, wakers, and with them the asynchronous
//! sockets, which the executors' and the ecosystem's features bring along.
#![cfg_attr(not(feature = "std"), no_std)]
#![deny(unsafe_code)]

#[cfg(feature = "alloc")]
extern crate alloc;
// The tests have an operating system under them, whatever the features.
#[cfg(all(test, not(feature = "std")))]
extern crate std;

mod error;
pub use error::{Error, Limit, Result};

#[cfg(feature = "_family")]
pub mod device;
#[cfg(feature = "embedded-io")]
pub mod embedded;
pub mod guide;
#[cfg(all(feature = "std", feature = "_family", target_os = "linux"))]
pub mod host;
#[cfg(all(feature = "std", feature = "_family"))]
pub mod sim;
#[cfg(all(feature = "_family", feature = "tasks"))]
pub mod socket;
#[cfg(feature = "_family")]
pub mod stack;
#[cfg(feature = "_family")]
pub mod trace;

#[cfg(feature = "_family")]
pub use stack::{Fd, Stack};

#[cfg(feature = "_family")]
pub use smoltcp;
#[cfg(all(doctest, feature = "std", feature = "ipv4"))]
#[doc = include_str!("../README.md")]
struct ReadmePrograms;
