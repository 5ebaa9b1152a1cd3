//! Blocking sockets over a [`Host`](crate::host::Host), with the names and the behaviour of `std::net`.
//!
//! A program moves over by changing its `use` line and naming its host:
//!
//! ```
//! # use glasstack::host::Host;
//! # use std::io::{Read, Write};
//! use glasstack::socket::blocking::{TcpListener, TcpStream}; // was: use std::net::{TcpListener, TcpStream};
//!
//! # let host = Host::builder().start_loopback()?;
//! let listener = TcpListener::bind(&host, "127.0.0.1:9999")?; // was: TcpListener::bind("127.0.0.1:9999")
//! std::thread::spawn(move || {
//!     for stream in listener.incoming() {
//!         stream?.write_all(b"Welcome!\r\n")?;
//!     }
//!     std::io::Result::Ok(())
//! });
//! let mut welcome = String::new();
//! TcpStream::connect(&host, "127.0.0.1:9999")?.read_to_string(&mut welcome)?;
//! assert_eq!(welcome, "Welcome!\r\n");
//! # std::io::Result::Ok(())
//! ```
//!
//! # Differences from `std::net`, and why
//!
//! All else is the same, to the kind of each error: `tests/parity` runs one source against both.
//!
//! | `std::net` | here | because |
//! |---|---|---|
//! | `bind(addr)`, `connect(addr)` | `bind(&host, addr)`, `connect(&host, addr)` | a process can have several hosts; the kernel is one |
//! | `ToSocketAddrs` | [`ToSocketAddrs`] of this module, whose method takes the host | names are resolved by *this* host's servers and table |
//! | `connect` by name tries one address after the other | the next one beside it after 250 ms (RFC 8305) | an address that nobody answers at costs two minutes else |
//! | a name that cannot be resolved: an uncategorised error | `ErrorKind::NotFound` | `getaddrinfo` has its own errors; ours are one enum |
//! | data outlives the process | call [`Host::shutdown`](crate::host::Host::shutdown) before the end of `main` | the stack lives in the process |
//! | after the host's end: cannot happen | `ErrorKind::NetworkDown` | a host can be stopped while its sockets exist |
//! | an `io::Error` has a `raw_os_error` | it has an [`Error`](crate::Error) inside (`into_inner`), which knows its errno's name | no system call was made |
//! | errors without a stable kind are uncategorised | `ErrorKind::Other` | only the standard library can make the former |
//! | timeouts are rounded to the kernel's tick | kept to the nanosecond | nothing here ticks |
//! | `set_ttl` on IPv6: sets an option that IPv6 ignores | sets the hop limit | that is what was meant |
//! | an IPv6 datagram to this host: up to 65,527 bytes | up to 65,487 bytes | the loopback's packets are of 65,535 bytes at most |
//! | `send` on a UDP socket that is connected to port 0: sent, to nobody | `InvalidInput`, as from `send_to` | nobody can listen there |
//! | `set_linger`, `set_keepalive` (unstable or absent), and what only crate `socket2` has | [`TcpStream::set_linger`], [`TcpStream::set_keep_alive`], [`TcpStream::set_user_timeout`], [`TcpStream::set_congestion_control`]; any [option](crate::stack::option) by `setsockopt` and `getsockopt`, before `bind` on a [`Socket`] | Linux has them behind `setsockopt(2)` |
//! | a cut datagram is not told from a whole one | [`UdpSocket::recv_message`] tells | `MSG_TRUNC` is not in `std` |
//! | no raw sockets, no `sendmsg(2)` | [`RawSocket`], `send_msg` and `recv_msg` | the kernel has them |
//! | `TcpListener::bind` has a backlog of 128 | the same, and [`TcpListener::bind_with_backlog`] | the classic server says `listen(5)` |
//! | IPv6 listeners on `::` take IPv4 too (or not: `ipv6_v6only`) | the same, and `bind_only_v6` | the classic server chooses |
//! | `join_multicast_v6(group, 0)`: on the route's link | the same; a link's number is its [`InterfaceId::index`](crate::stack::InterfaceId::index) | links have no names here |
//! | no choice of the link that groups are sent to | [`UdpSocket::set_multicast_interface`] | Linux has it behind `setsockopt(2)` |
//! | of `poll(2)`: `POLLOUT` once a third of the send buffer is free | once an octet is | what `write` takes, `poll` tells |
//! | of `poll(2)`, once `take_error` has told why `connect` failed: at its end | as new (`POLLOUT` and `POLLHUP`) | it may connect again |
//! | `AsFd`, `AsRawFd`, `From<OwnedFd>`, for `poll(2)` | `fd()`, for [`poll()`] | there is no descriptor of the kernel |

mod address;
mod handle;
mod poll;
mod raw_socket;
mod socket;
mod tcp_listener;
mod tcp_stream;
mod udp_socket;

pub use crate::stack::{Domain, Message, Protocol, Received, option::CongestionControl};
pub use address::ToSocketAddrs;
pub use poll::poll;
pub use raw_socket::RawSocket;
pub use socket::Socket;
pub use tcp_listener::{Incoming, IntoIncoming, TcpListener};
pub use tcp_stream::TcpStream;
pub use udp_socket::UdpSocket;
