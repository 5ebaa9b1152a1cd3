//! Devices: what carries frames between stacks and to Linux.
//!
//! ```
//! use glasstack::device::Wire;
//! use glasstack::host::Host;
//! use glasstack::smoltcp::phy::Medium;
//! use glasstack::socket::blocking::UdpSocket;
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let (left, right) = Wire::pair(Medium::Ethernet, 1514);
//! let client = Host::builder().address("10.0.0.1".parse()?, 24).start(left)?;
//! let server = Host::builder().address("10.0.0.2".parse()?, 24).start(right)?;
//!
//! let listening = UdpSocket::bind(&server, "10.0.0.2:9999")?;
//! UdpSocket::bind(&client, "10.0.0.1:0")?.send_to(b"Michael", "10.0.0.2:9999")?;
//! let mut name = [0; 7];
//! listening.recv_from(&mut name)?;
//! assert_eq!(&name, b"Michael");
//! # Ok(()) }
//! ```
//!
//! | device | what is at its other end | feature |
//! |---|---|---|
//! | any [`phy::Device`](smoltcp::phy::Device) of smoltcp's | what its driver serves | |
//! | [`Embassy`](embassy/index.html) | the same, of a driver that was written for embassy-net | `embassy` |
//! | [`Tap`](type.Tap.html), [`Tun`](type.Tun.html) | Linux | `tap` |
//! | [`Wire`](wire/index.html) | another stack of this process, across a link that may have faults | `std` |
//! | [`Faulty`](wire/struct.Faulty.html) | any of these, across a link with faults | `std` |
//! | [`Loopback`] | itself; each stack has one inside | |
//! | [`Absent`] | nothing: the device of a stack that reaches itself alone | |

pub mod absent;
#[cfg(feature = "embassy")]
pub mod embassy;
#[cfg(all(feature = "tap", target_os = "linux"))]
pub(crate) mod ioctl;
pub mod loopback;
#[cfg(all(feature = "tap", target_os = "linux"))]
mod tap;
#[cfg(feature = "std")]
pub mod wire;

pub use absent::Absent;
#[cfg(feature = "embassy")]
pub use embassy::Embassy;
pub use loopback::Loopback;
#[cfg(all(feature = "tap", target_os = "linux"))]
pub use tap::{Ethernet, Ip, Layer, Receive, Tap, Transmit, Tun, TunTap};
#[cfg(feature = "std")]
pub use wire::{Conditions, Faults, Faulty, Selector, Wire, WireEnd};
