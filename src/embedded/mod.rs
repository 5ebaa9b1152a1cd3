//! The embedded ecosystem's traits: clients and drivers that are written for any network run on this one.
//!
//! A client takes the network, and the same network again to look names up, as in
//! `reqwless::client::HttpClient::new(&network, &network)`:
//!
//! ```
//! use embedded_io_async::{Error, Read};
//! use embedded_nal_async::{AddrType, Dns, TcpConnect};
//! use glasstack::socket::{Local, Runner, TcpListener, block_on};
//! use glasstack::{Stack, host, stack::Capacity};
//!
//! /// Knows nothing of this crate.
//! async fn connect<'n, T: TcpConnect, D: Dns<Error: Error>>(
//!     network: &'n T,
//!     names: &D,
//!     name: &str,
//! ) -> Result<T::Connection<'n>, embedded_io_async::ErrorKind> {
//!     let address = names.get_host_by_name(name, AddrType::Either).await.map_err(|e| e.kind())?;
//!     network.connect((address, 9999).into()).await.map_err(|e| e.kind())
//! }
//!
//! let parker = host::Parker::new()?;
//! let key = [7; 16]; // 128 random bits, new ones after each start
//! let network = Local::new(Stack::with_capacity(Capacity::default(), key, ()), host::now);
//! let mut runner = Runner::loopback(&network, &parker);
//! let program = async {
//!     let listener = TcpListener::bind(&network, "[::]:9999".parse()?, 5)?; // both families
//!     let mut client = connect(&network, &network, "localhost").await?;
//!     let (server, _) = listener.accept().await?;
//!     server.write_all(b"Welcome!").await?;
//!     let mut welcome = [0; 8];
//!     client.read_exact(&mut welcome).await?;
//!     assert_eq!(&welcome, b"Welcome!");
//!     Ok::<(), Box<dyn std::error::Error>>(())
//! };
//! block_on(&parker, runner.run_until(program))??;
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! Of an `Rc` or an `Arc`, as a host of the simulator is one, the client takes what is in it: `&*network`.
//!
//! # The traits
//!
//! | trait | of | feature |
//! |---|---|---|
//! | embedded-io-async 0.7 `Read`, `Write` | [`TcpStream`], `&TcpStream`, its halves | `embedded-io` |
//! | embedded-io 0.7 `ReadReady`, `WriteReady` | the same | `embedded-io` |
//! | embedded-io 0.7 `Read`, `Write`, `ReadReady`, `WriteReady` | [`blocking::TcpStream`], `&TcpStream` (`std`, Linux) | `embedded-io` |
//! | embedded-io 0.7 `Error` | [`Error`] | `embedded-io` |
//! | embedded-nal-async 0.9 `TcpConnect`, `Dns` | [`Local`], `Locked`, [`Host`] | `embedded-nal` |
//! | embedded-nal-async 0.9 `UdpStack` | references to these, and [`Host`] | `embedded-nal` |
//! | embedded-nal-async 0.9 `ConnectedUdp`, `UnconnectedUdp` | [`UdpSocket`] | `embedded-nal` |
//! | embedded-nal 0.9 `TcpClientStack`, `TcpFullStack`, `UdpClientStack`, `UdpFullStack`, `Dns` | [`Stack`], with [`Fd`] as the socket | `embedded-nal` |
//!
//! # What the traits leave open
//!
//! - **`flush` does nothing.** A write is on its way when it returns: there is no buffer but TCP's own, which nothing can hurry.
//!   It does not wait for the acknowledgment, as embassy-net's does: that says that the peer's TCP has the data, not that
//!   its application has, and a client that flushes after each message would pay a round trip for it, or a delayed
//!   acknowledgment. Whoever ends a program waits with [`Runner::drain`](crate::socket::Runner::drain).
//! - **Dropped futures.** A `read` or `write` that is dropped before it is ready has taken or queued nothing; what
//!   `read_exact` and `write_all` had done until then is done.
//! - **The end.** `read` gives 0, and `ConnectionReset` once after a reset. embedded-nal's `receive` has no 0: its end is an
//!   error of the kind `PipeClosed`, a reset too.
//! - **Datagrams.** What the buffer has no room for is lost: embedded-nal-async tells the whole size, embedded-nal the size of
//!   what is in the buffer.
//! - **Families.** embedded-nal's sockets have none: here they are IPv6 sockets that speak IPv4 as well, where the
//!   build has both. Its addresses are not mapped.
//! - **Names.** A client gets one address: the first that there is a way to. No address is looked up for its name.
//! - **A listener** is not among embedded-nal-async's traits: [`TcpListener`](crate::socket::TcpListener) is this crate's.
//!
//! [`Error`]: crate::Error
//! [`Fd`]: crate::Fd
//! [`Host`]: ../host/struct.Host.html
//! [`Local`]: crate::socket::Local
//! [`Stack`]: crate::Stack
//! [`TcpStream`]: crate::socket::TcpStream
//! [`UdpSocket`]: crate::socket::UdpSocket
//! [`blocking::TcpStream`]: ../socket/blocking/struct.TcpStream.html

#[cfg(all(feature = "_family", feature = "std", target_os = "linux"))]
mod blocking;
mod error;
#[cfg(all(feature = "_family", feature = "embedded-nal"))]
mod name;
#[cfg(all(feature = "_family", feature = "embedded-nal"))]
mod network;
#[cfg(all(feature = "_family", feature = "embedded-nal"))]
mod stack;
#[cfg(feature = "_family")]
mod stream;
