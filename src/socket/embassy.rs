//! On [embassy](https://embassy.dev): a stack that runs as one of its tasks, by its clock. Its drivers are devices by
//! [`device::Embassy`](crate::device::Embassy).
//!
//! ```
//! use glasstack::socket::embassy::{Timer, now};
//! use glasstack::socket::{Local, Runner, TcpListener, TcpStream};
//! use glasstack::{Result, Stack, stack::Storage};
//! use static_cell::{ConstStaticCell, StaticCell};
//!
//! type Network = &'static Local<'static>;
//!
//! #[embassy_executor::task]
//! async fn drive(network: Network) {
//!     let _ = Runner::loopback(network, Timer).run().await; // over a driver: `Runner::new`
//! }
//!
//! async fn welcome(network: Network) -> Result<[u8; 8]> {
//!     let address = "127.0.0.1:9999".parse().unwrap();
//!     let listener = TcpListener::bind(network, address, 1)?;
//!     let client = TcpStream::connect(network, address).await?;
//!     let (server, _) = listener.accept().await?;
//!     server.write_all(b"Welcome!").await?;
//!     let mut welcome = [0; 8];
//!     client.read_exact(&mut welcome).await?;
//!     Ok(welcome)
//! }
//!
//! #[embassy_executor::task]
//! async fn program(network: Network) {
//!     assert_eq!(&welcome(network).await.unwrap(), b"Welcome!");
//!     # DONE.store(true, std::sync::atomic::Ordering::Relaxed);
//! }
//!
//! # static DONE: std::sync::atomic::AtomicBool = std::sync::atomic::AtomicBool::new(false);
//! # fn main() {
//! // Two connections (both ends of one are here), a listener, 2,048 octets a buffer; no heap.
//! type Memory = Storage<'static, 3, 2, 0, 2048, 1, 1, 1500>;
//! static STORAGE: ConstStaticCell<Memory> = ConstStaticCell::new(Storage::new());
//! static NETWORK: StaticCell<Local<'static>> = StaticCell::new();
//! let key = [7; 16]; // 128 random bits, new ones after each start
//! let stack = Stack::new(STORAGE.take(), key, ());
//! let network: Network = NETWORK.init(Local::new(stack, now));
//! # let executor: &'static mut embassy_executor::Executor = Box::leak(Box::new(embassy_executor::Executor::new()));
//! # executor.run_until(|spawner| {
//! spawner.spawn(drive(network).unwrap());
//! spawner.spawn(program(network).unwrap());
//! # }, || DONE.load(std::sync::atomic::Ordering::Relaxed));
//! # }
//! ```

use core::future::Future;
use core::pin::pin;
use core::task::{Context, Poll};

use embassy_net_driver::Driver;
use embassy_time::Duration;
use smoltcp::time::Instant;

use super::Wait;
use crate::device::{Absent, Embassy};

/// embassy's present time: the clock of a network whose runner waits by [`Timer`].
pub fn now() -> Instant {
    let micros = embassy_time::Instant::now().as_micros();
    Instant::from_micros(i64::try_from(micros).unwrap_or(i64::MAX))
}

/// The [`Wait`] of a [`Runner`](super::Runner) that is a task of embassy's: for its timers, and for what a driver wakes. The
/// network's clock is [`now`].
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Timer;

impl<D: Driver> Wait<Embassy<D>> for Timer {
    fn poll_wait(
        &mut self,
        device: &mut Embassy<D>,
        until: Option<Instant>,
        context: &mut Context<'_>,
    ) -> Poll<()> {
        match device.poll_wakes(context) {
            Poll::Ready(()) => Poll::Ready(()),
            Poll::Pending => poll_time(until, context),
        }
    }
}

impl Wait<Absent> for Timer {
    fn poll_wait(
        &mut self,
        _: &mut Absent,
        until: Option<Instant>,
        context: &mut Context<'_>,
    ) -> Poll<()> {
        poll_time(until, context)
    }
}

/// embassy's queue of timers keeps the earliest time of each waker: the timer itself need not outlive this.
fn poll_time(until: Option<Instant>, context: &mut Context<'_>) -> Poll<()> {
    // Rounded up to embassy's ticks: a tick too early there would be nothing to do yet.
    let ticks = until
        .map(|until| u64::try_from(until.total_micros()).unwrap_or(0))
        .and_then(Duration::try_from_micros);
    match ticks {
        Some(ticks) => {
            let at = embassy_time::Instant::from_ticks(ticks.as_ticks());
            pin!(embassy_time::Timer::at(at)).poll(context)
        }
        // Never, as far as that clock goes.
        None => Poll::Pending,
    }
}
