//! Asynchronous sockets over a shared stack, for any executor or none, with or without a heap; and
//! [`blocking`](blocking/index.html) ones over a host.
//!
//! ```
//! use glasstack::socket::{Local, Network, Runner, TcpListener, TcpStream, block_on};
//! use glasstack::{Result, Stack, host, stack::Capacity};
//!
//! /// Runs in any world: on a microcontroller, on tokio, in a simulation.
//! async fn greet<N: Network + Clone>(listener: &TcpListener<N>) -> Result<()> {
//!     let (stream, _) = listener.accept().await?;
//!     stream.write_all(b"Welcome!").await
//! }
//!
//! # fn main() -> std::result::Result<(), Box<dyn std::error::Error>> {
//! let key = [7; 16]; // 128 random bits, new ones after each start
//! let stack = Stack::with_capacity(Capacity::default(), key, ()); // or `Stack::new`, in the caller's memory
//! let network = Local::new(stack, host::now); // shared by the tasks of this thread; with a clock
//! let parker = host::Parker::new()?; // waits in epoll(7)
//! let mut runner = Runner::loopback(&network, &parker); // drives the stack
//!
//! let program = async {
//!     let address = "127.0.0.1:9999".parse().unwrap();
//!     let listener = TcpListener::bind(&network, address, 5)?;
//!     let client = TcpStream::connect(&network, address).await?;
//!     greet(&listener).await?;
//!     let mut welcome = [0; 8];
//!     client.read_exact(&mut welcome).await?;
//!     Result::Ok(welcome)
//! };
//! assert_eq!(&block_on(&parker, runner.run_until(program))??, b"Welcome!");
//! # Ok(()) }
//! ```
//!
//! # The parts
//!
//! ```text
//!   TcpListener · TcpStream · UdpSocket · RawSocket · resolve · sleep      any number of tasks
//!                        │ call
//!              ┌─────────▼─────────┐
//!              │ Local / Locked    │  a Network: the Stack, shared, and its clock
//!              └─────────▲─────────┘
//!                        │ poll
//!                     Runner ── Wait    one task for each device: sleeps until a frame, a deadline, or a call
//! ```
//!
//! | you run | the network is | the runner is | and waits by |
//! |---|---|---|---|
//! | one thread without an executor, on Linux | [`Local`] | in [`block_on`] beside the program: [`Runner::run_until`] | `host::Parker` |
//! | a microcontroller's main loop | [`Local`] | the same | [`Interrupts`] |
//! | embassy | [`Local`] | a task | `embassy::Timer` (feature `embassy`), over an `embassy-net-driver` |
//! | tokio | `Locked`, or [`Local`] on a `LocalSet` | a task | `tokio::Reactor` (feature `tokio`) |
//! | any executor, with a thread for the stack | [`host::Host`](../host/struct.Host.html) | that thread | `poll(2)` |
//! | threads, and no `async` at all | [`host::Host`](../host/struct.Host.html), and [`blocking`](blocking/index.html) | that thread | `poll(2)` |
//! | a simulation | what [`sim`](../sim/index.html) gives its tasks | made by it | virtual time |
//!
//! # Names
//!
//! [`TcpStream::connect_by_name`] looks a name up and connects to the first of its addresses that answers; [`resolve`] gives them
//! all, the best first.
//!
//! # More than streams and datagrams
//!
//! Datagrams go to groups, which sockets [join](UdpSocket::join_multicast); a [`RawSocket`] has packets of any protocol, and its
//! page a ping. What is to be set before `bind` is set on a [`Socket`]. Where the host gets its address by itself, [`configured`]
//! waits for it.
//!
//! ```
//! # use glasstack::sim::{Link, Simulation};
//! use glasstack::Result;
//! use glasstack::socket::{Network, UdpSocket};
//! use std::net::{IpAddr, Ipv4Addr};
//!
//! const GROUP: IpAddr = IpAddr::V4(Ipv4Addr::new(239, 1, 2, 3));
//!
//! async fn answer<N: Network>(network: N) -> Result<()> {
//!     let socket = UdpSocket::bind(network, "0.0.0.0:9999".parse().unwrap())?;
//!     socket.join_multicast(GROUP, None)?; // on the link that the route to it takes
//!     let received = socket.recv_from(&mut [0; 64]).await?;
//!     assert_eq!(received.to.ip(), GROUP);
//!     socket.send_to(b"It is me.", received.from).await?;
//!     Ok(())
//! }
//!
//! async fn ask<N: Network>(network: N) -> Result<usize> {
//!     let socket = UdpSocket::bind(network, "0.0.0.0:0".parse().unwrap())?;
//!     socket.send_to(b"Who is there?", (GROUP, 9999).into()).await?;
//!     socket.recv(&mut [0; 64]).await
//! }
//! # let mut simulation = Simulation::new(1);
//! # let (here, there) = (simulation.host("here")?, simulation.host("there")?);
//! # simulation.link(Link::ethernet(1514), (here, &["10.0.0.1/24"]), (there, &["10.0.0.2/24"]))?;
//! # simulation.serve(there, "answer", answer)?;
//! # simulation.settle()?;
//! # let asked = simulation.spawn(here, "ask", ask)?;
//! # simulation.run()?;
//! # assert_eq!(asked.take(), Some(Ok(9)));
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! # Futures that are dropped
//!
//! Every future may be dropped at any await point: it has taken nothing from its socket and left nothing behind, no waker and
//! no slot. What a method does in several steps (`read_exact`, `write_all`) says what was done by then. So `select!`, and
//! [`timeout`], are safe. A socket that is dropped closes, in the background.
//!
//! # Many tasks, one socket
//!
//! All methods take `&self`: one task may read while another writes, or accepts; of several that wait for the same all are
//! woken, and one has it. [`TcpStream::split`] and [`TcpStream::into_split`] are for those who want a value a direction.
//!
//! The other way round, one task waits for many sockets by [`poll()`].

mod attempt;
mod block_on;
#[cfg(all(feature = "std", target_os = "linux"))]
pub mod blocking;
pub(crate) mod call;
mod configured;
#[cfg(feature = "embassy")]
pub mod embassy;
mod flag;
mod handle;
#[cfg(feature = "dns")]
mod happy_eyeballs;
#[cfg(any(feature = "std", feature = "critical-section"))]
mod locked;
#[cfg(feature = "dns")]
mod name;
mod network;
mod poll;
#[cfg(feature = "raw")]
mod raw_socket;
mod runner;
#[allow(
    clippy::module_inception,
    reason = "the type is named as the field names it"
)]
mod socket;
mod split;
mod tcp_listener;
mod tcp_stream;
mod time;
#[cfg(feature = "tokio")]
pub mod tokio;
mod udp_socket;

pub use crate::stack::{Domain, Message, Protocol, Received, Shutdown, option::CongestionControl};
#[cfg(any(feature = "embedded-io", all(feature = "std", target_os = "linux")))]
pub(crate) use handle::Handle;

pub use block_on::{Interrupts, Park, block_on};
pub use configured::configured;
#[cfg(all(feature = "std", target_os = "linux"))]
pub(crate) use happy_eyeballs::connect as connect_by_name;
#[cfg(any(feature = "std", feature = "critical-section"))]
pub use locked::Locked;
#[cfg(feature = "dns")]
pub use name::resolve;
pub use network::{Clock, Local, Network};
pub use poll::{Polling, poll};
#[cfg(feature = "raw")]
pub use raw_socket::RawSocket;
pub use runner::{Runner, Wait};
pub use socket::Socket;
pub use split::{OwnedReadHalf, OwnedWriteHalf, ReadHalf, WriteHalf};
pub use tcp_listener::TcpListener;
pub use tcp_stream::TcpStream;
pub use time::{Sleep, sleep, timeout};
pub use udp_socket::UdpSocket;
