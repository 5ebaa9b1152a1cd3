//! The glass: what a stack tells about itself while it works.
//!
//! An [`Observer`] hears [`Event`]s in order. With `()` nothing is heard and nothing is left in the machine code. A closure
//! is one as well:
//!
//! ```
//! use glasstack::{Stack, stack::Storage, trace::Event};
//!
//! let mut storage = Storage::<5, 4, 0, 1024>::new();
//! let stack = Stack::new(&mut storage, [7; 16], |event: &Event| {
//!     if let Event::State { time, local, remote, from, to } = event {
//!         println!("{time} {local} {remote}: {from} → {to}"); // 0.012s 10.0.0.1:49591 10.0.0.2:7: SYN-SENT → ESTABLISHED
//!     }
//! });
//! # drop(stack);
//! ```

use core::net::SocketAddr;

pub use smoltcp::socket::tcp::State;
use smoltcp::time::Instant;

/// What a stack tells its observer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Event {
    /// A connection went from one TCP state to another (RFC 9293 §3.3.2).
    State {
        /// When, on the clock that `poll` is given.
        time: Instant,
        /// This end of the connection.
        local: SocketAddr,
        /// The other end.
        remote: SocketAddr,
        /// The state before.
        from: State,
        /// The state now.
        to: State,
    },
}

/// Hears what a stack does.
pub trait Observer {
    /// Called for each event, in order.
    fn event(&mut self, event: &Event);
}

impl Observer for () {
    fn event(&mut self, _: &Event) {}
}

impl<F: FnMut(&Event)> Observer for F {
    fn event(&mut self, event: &Event) {
        self(event)
    }
}
