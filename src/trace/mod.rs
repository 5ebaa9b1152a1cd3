//! The glass: what a stack tells about itself while it works.
//!
//! An [`Observer`] hears [`Event`]s in order. With `()` nothing is heard and nothing is left in the machine code.
//!
//! ```
//! use glasstack::trace::{Event, Happening};
//! use glasstack::{Stack, stack::{Capacity, Domain, Type}};
//!
//! let observer = |event: &Event| {
//!     if let Happening::Call { call, outcome } = event.happening {
//!         println!("{call:?} -> {outcome:?}");
//!     }
//! };
//! let mut stack = Stack::with_capacity(Capacity::default(), [7; 16], observer);
//! stack.socket(Domain::Inet, Type::Stream).unwrap();
//! ```
//!
//! A [`Sink`] hears several hosts and the links between them, each by its [`Station`].
//!
//! | you want | take |
//! |---|---|
//! | to see it | `ladder` |
//! | to see how a transfer goes, its losses and stalls | `plot` (feature `alloc`) |
//! | to open it in Wireshark, or to read what Wireshark saved | `pcapng` and `read` (feature `std`) |
//! | to assert on it in a test | `Capture` (feature `alloc`) |
//! | lines in a log | `Log` (feature `log`), or a [`Line`] at a time |
//! | to know what became of each connection | [`Summary`] |
//! | to know what a frame is, or a segment in its conversation | [`dissect`], [`analysis`] |
//! | the sockets of this moment | [`Stack::sockets`](crate::Stack::sockets) |

pub mod analysis;
#[cfg(feature = "alloc")]
mod capture;
pub mod dissect;
pub mod ladder;
mod line;
#[cfg(feature = "log")]
mod log;
#[cfg(feature = "std")]
pub mod pcapng;
#[cfg(feature = "alloc")]
pub mod plot;
#[cfg(feature = "std")]
pub mod read;
mod segment;
mod summary;
mod vantage;

use core::net::{IpAddr, SocketAddr};
use core::time::Duration;

pub use crate::stack::{AddressChange, Origin};
pub use smoltcp::phy::Medium;
pub use smoltcp::socket::tcp::State;
pub use smoltcp::time::Instant;

#[cfg(feature = "log")]
pub use self::log::Log;
pub use analysis::{Analysis, Analyzer, Mark, Marks};
#[cfg(feature = "alloc")]
pub use capture::{Capture, Captured, Events};
pub use line::Line;
pub use segment::{Flags, Segment};
pub use summary::{Account, Closing, RoundTrip, Summary, Way};

use crate::Error;

/// What a stack tells its observer: when, where, and what.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Event<'e> {
    /// On the clock that `poll` is given.
    pub time: Instant,
    /// The interface's number; 0 is the loopback. `None` where no interface is concerned.
    pub interface: Option<u8>,
    /// The descriptor's number, where it is a socket's.
    pub socket: Option<u16>,
    /// The conversation, where it is one's.
    pub flow: Option<Flow>,
    /// What happened.
    pub happening: Happening<'e>,
}

/// A conversation, as this host sees it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Flow {
    /// TCP or UDP.
    pub protocol: Protocol,
    /// This end.
    pub local: SocketAddr,
    /// The other end.
    pub remote: SocketAddr,
}

/// A transport protocol with ports.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Protocol {
    /// Transmission Control Protocol.
    Tcp,
    /// User Datagram Protocol.
    Udp,
}

/// What happened.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Happening<'e> {
    /// The application called, and this came of it. A call comes after the events that it caused itself.
    Call {
        /// Which call, with what.
        call: Call,
        /// What it returned.
        outcome: Outcome,
    },
    /// A frame came in or went out, before the stack does anything with it.
    Frame {
        /// Which way.
        direction: Direction,
        /// How `bytes` begins: with an Ethernet header, or with an IP header.
        medium: Medium,
        /// The frame as it is on the wire.
        bytes: &'e [u8],
    },
    /// A connection went from one TCP state to another (RFC 9293 §3.3.2).
    State {
        /// The state before.
        from: State,
        /// The state now.
        to: State,
        /// What did it.
        cause: Cause,
    },
    /// A timer of a connection.
    Timer {
        /// Which.
        timer: Timer,
        /// What of it.
        change: TimerChange,
    },
    /// A segment is sent again; the event comes before its frame.
    Retransmission {
        /// Why.
        cause: RetransmissionCause,
    },
    /// An address of an interface came, went, or may be used or not from now on.
    Address {
        /// The address.
        address: IpAddr,
        /// How many of its bits are the prefix.
        prefix_len: u8,
        /// What became of it.
        change: AddressChange,
        /// Where it comes from.
        origin: Origin,
        /// What did it.
        cause: Cause,
    },
    /// The link of an interface carries frames from now on, or none.
    Link {
        /// Whether it does.
        is_up: bool,
    },
    /// A frame is given up.
    Drop {
        /// Why.
        reason: DropReason,
        /// How `bytes` begins.
        medium: Medium,
        /// The frame.
        bytes: &'e [u8],
    },
}

/// Which way a frame goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Direction {
    /// Into the stack.
    In,
    /// Out of it.
    Out,
}

/// A socket call, with what it was given.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
#[allow(missing_docs, reason = "the names are the calls' own")]
pub enum Call {
    Socket(crate::stack::Domain, crate::stack::Type),
    Bind(SocketAddr),
    Listen { backlog: usize },
    Accept,
    Connect(SocketAddr),
    Send { len: usize },
    SendTo { len: usize, to: SocketAddr },
    Recv { len: usize },
    RecvFrom { len: usize },
    Peek { len: usize },
    Shutdown(crate::stack::Shutdown),
    JoinGroup(core::net::IpAddr),
    LeaveGroup(core::net::IpAddr),
    Poll { fds: usize },
    Close,
}

/// What a call returned.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Outcome {
    /// It is done.
    Done,
    /// So many octets were taken or given.
    Octets(usize),
    /// A datagram of so many octets from there.
    Datagram(usize, SocketAddr),
    /// A new descriptor, by its number.
    Descriptor(u16),
    /// A connection was accepted: its descriptor's number and its peer.
    Accepted(u16, SocketAddr),
    /// So many of the descriptors that `poll` was given have an event.
    Ready(usize),
    /// It failed, or would block.
    Failed(Error),
}

/// What changed a connection's state, or an address.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Cause {
    /// The application's call.
    Call,
    /// A segment that arrived.
    Segment,
    /// A timer that fired.
    Timer,
    /// The stack's own decision: room was needed, or an address went away.
    Stack,
}

/// The timers of a connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Timer {
    /// Sends again what was not acknowledged (RFC 6298).
    Retransmission,
    /// Holds an acknowledgment back (RFC 9293 §3.8.6.3).
    DelayedAck,
    /// Probes a silent peer (RFC 9293 §3.8.4).
    KeepAlive,
    /// Probes a shut window (RFC 9293 §3.8.6.1).
    ZeroWindowProbe,
    /// Keeps the flow for late segments (RFC 9293 §3.4.1).
    TimeWait,
    /// Gives the peer up.
    User,
}

/// What became of a timer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TimerChange {
    /// It runs, to fire at this time, so long from now.
    Armed {
        /// When it fires.
        at: Instant,
        /// How long that is.
        after: Duration,
    },
    /// Its time came.
    Fired,
    /// It does not run any more.
    Stopped,
}

/// Why a segment is sent again.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum RetransmissionCause {
    /// The retransmission timer fired; the how manieth time in a row (RFC 6298 §5.5).
    Timeout(u32),
    /// The third duplicate acknowledgment (RFC 5681 §3.2).
    FastRetransmit,
}

/// Why a frame is given up.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum DropReason {
    /// Its headers make no sense.
    Malformed,
    /// A checksum is wrong.
    Checksum,
    /// It is for another station or host.
    NotForUs,
    /// It claims to come from this host.
    Martian,
    /// Nobody listens on its port; the peer is told.
    NoListener,
    /// No socket is bound to its port; the peer is told.
    NoSocket,
    /// Nobody takes its protocol; the sender is told.
    UnknownProtocol,
    /// The listener has no room, nor has the queue of those that wait.
    BacklogFull,
    /// The socket's receive queue is full.
    ReceiveQueueFull,
    /// A fragment whose packet is refused or was never whole.
    Fragment,
    /// The next hop does not answer.
    NeighborUnreachable,
    /// The link lost it on purpose.
    InjectedLoss,
    /// The link is down.
    LinkDown,
    /// The link's queue is full.
    LinkQueueFull,
}

/// Hears what a stack does.
pub trait Observer {
    /// Called for each event, in order.
    fn event(&mut self, event: &Event<'_>);

    /// Whether anybody listens at all. A stack does not look at what nobody hears of.
    #[inline]
    fn is_listening(&self) -> bool {
        true
    }
}

impl Observer for () {
    #[inline]
    fn event(&mut self, _: &Event<'_>) {}

    #[inline]
    fn is_listening(&self) -> bool {
        false
    }
}

impl<F: FnMut(&Event<'_>)> Observer for F {
    fn event(&mut self, event: &Event<'_>) {
        self(event)
    }
}

/// Two observers in place of one, and so any number: `(a, (b, c))`.
impl<A: Observer, B: Observer> Observer for (A, B) {
    fn event(&mut self, event: &Event<'_>) {
        self.0.event(event);
        self.1.event(event);
    }

    fn is_listening(&self) -> bool {
        self.0.is_listening() || self.1.is_listening()
    }
}

/// Who tells an event: a host, or the link between hosts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Station(pub u8);

impl Station {
    /// The link between hosts; its events are its [`Drop`](Happening::Drop)s.
    pub const LINK: Station = Station(u8::MAX);
}

/// Hears several stations in one order.
pub trait Sink {
    /// Called for each event, in order.
    fn event(&mut self, station: Station, event: &Event<'_>);
}

/// One station's observer, which tells a sink.
#[derive(Debug)]
pub struct At<S>(pub Station, pub S);

impl<S: Sink> Observer for At<S> {
    fn event(&mut self, event: &Event<'_>) {
        self.1.event(self.0, event);
    }
}

impl<S: Sink + ?Sized> Sink for &mut S {
    fn event(&mut self, station: Station, event: &Event<'_>) {
        (**self).event(station, event);
    }
}

#[cfg(feature = "std")]
impl<S: Sink + ?Sized> Sink for std::sync::Arc<std::sync::Mutex<S>> {
    fn event(&mut self, station: Station, event: &Event<'_>) {
        // A sink that panicked elsewhere still hears: what it shows is better than nothing.
        let mut sink = self
            .lock()
            .unwrap_or_else(std::sync::PoisonError::into_inner);
        sink.event(station, event);
    }
}

#[cfg(feature = "alloc")]
impl<S: Sink + ?Sized> Sink for alloc::rc::Rc<core::cell::RefCell<S>> {
    fn event(&mut self, station: Station, event: &Event<'_>) {
        // An event inside an event is a sink that drives a stack: it is not told.
        if let Ok(mut sink) = self.try_borrow_mut() {
            sink.event(station, event);
        }
    }
}
