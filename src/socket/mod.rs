//! Asynchronous sockets over a shared stack, for any executor or none; and [`blocking`] ones over a host.
//!
//! ```
//! use glasstack::socket::{Local, Runner, TcpListener, TcpStream, block_on};
//! use glasstack::{Result, Stack, host, stack::Capacity};
//! use glasstack::socket::Network;
//!
//! /// Runs on a microcontroller, in a simulation, on tokio: whatever the network is.
//! async fn greet<N: Network + Clone>(network: N) -> Result<()> {
//!     let listener = TcpListener::bind(network, "127.0.0.1:9999".parse().unwrap(), 5)?;
//!     let (stream, _) = listener.accept().await?;
//!     stream.write_all(b"Welcome!").await
//! }
//!
//! # fn main() -> std::result::Result<(), Box<dyn std::error::Error>> {
//! // The stack, shared by the tasks of this thread; its clock; and who drives it.
//! let key = [7; 16]; // 128 random bits, new ones after each start
//! let network = Local::new(Stack::with_capacity(Capacity::default(), key, ()), host::now);
//! let parker = host::Parker::new()?; // waits in epoll(7)
//! let mut runner = Runner::loopback(&network, &parker);
//!
//! let client = async {
//!     let stream = TcpStream::connect(&network, "127.0.0.1:9999".parse().unwrap()).await?;
//!     let mut welcome = [0; 8];
//!     stream.read_exact(&mut welcome).await?;
//!     Result::Ok(welcome)
//! };
//! let both = async {
//!     let (mut server, mut client) = (core::pin::pin!(greet(&network)), core::pin::pin!(client));
//!     // `join!` of any crate, in long:
//!     let mut served = None;
//!     core::future::poll_fn(move |context| {
//!         if served.is_none() && let core::task::Poll::Ready(result) = server.as_mut().poll(context) {
//!             served = Some(result);
//!         }
//!         client.as_mut().poll(context)
//!     }).await
//! };
//! assert_eq!(&block_on(&parker, runner.run_until(both))??, b"Welcome!");
//! # Ok(()) }
//! ```

mod attempt;
mod block_on;
#[cfg(all(feature = "std", target_os = "linux"))]
pub mod blocking;
mod flag;
mod handle;
mod name;
mod network;
mod runner;
mod split;
pub(crate) mod tcp_listener;
pub(crate) mod tcp_stream;
mod time;
pub(crate) mod udp_socket;

pub use crate::stack::{Received, Shutdown, option::CongestionControl};
#[cfg(all(feature = "std", target_os = "linux"))]
pub(crate) use handle::Handle;

pub use block_on::{Interrupts, Park, block_on};
pub use name::resolve;
#[cfg(feature = "std")]
pub use network::Locked;
pub use network::{Clock, Local, Network};
pub use runner::{Runner, Wait};
pub use split::{OwnedReadHalf, OwnedWriteHalf, ReadHalf, WriteHalf};
pub use tcp_listener::TcpListener;
pub use tcp_stream::TcpStream;
pub use time::{Sleep, sleep, timeout};
pub use udp_socket::UdpSocket;
