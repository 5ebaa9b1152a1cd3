//! Socket options, typed: a value that does not fit its option does not compile, and neither does setting what can only be
//! asked for.
//!
//! ```
//! # use glasstack::{Stack, stack::{Capacity, Domain, Type, option::{NoDelay, SocketType}}};
//! # fn main() -> glasstack::Result<()> {
//! let mut stack = Stack::with_capacity(Capacity::default(), [7; 16], ());
//! let fd = stack.socket(Domain::Inet, Type::Stream)?;
//! stack.setsockopt(fd, NoDelay, true)?;
//! assert!(stack.getsockopt(fd, NoDelay)?);
//! assert_eq!(stack.getsockopt(fd, SocketType)?, Type::Stream);
//! # Ok(())
//! # }
//! ```
//!
//! An option may be set in any state of its socket, and on any type of socket; where it means nothing it does nothing. An
//! accepted connection starts with its listener's options.
//!
//! # To set and to get
//!
//! | option | BSD name | default | range | on | source |
//! |---|---|---|---|---|---|
//! | [`NoDelay`] | `TCP_NODELAY` | off | | TCP | RFC 9293 §3.7.4 |
//! | [`Cork`] | `TCP_CORK` | off | | TCP | tcp(7) |
//! | [`KeepAlive`] | `SO_KEEPALIVE` | off | | TCP | RFC 9293 §3.8.4 |
//! | [`KeepAliveIdle`] | `TCP_KEEPIDLE` | 7,200 s | 1 ms to 32,767 s | TCP | tcp(7) |
//! | [`KeepAliveInterval`] | `TCP_KEEPINTVL` | 75 s | 1 ms to 32,767 s | TCP | tcp(7) |
//! | [`KeepAliveCount`] | `TCP_KEEPCNT` | 9 | 1 to 127 | TCP | tcp(7) |
//! | [`UserTimeout`] | `TCP_USER_TIMEOUT` | none | 1 ms to 2³² - 1 ms | TCP | RFC 5482 |
//! | [`Congestion`] | `TCP_CONGESTION` | Reno | | TCP | RFC 5681 |
//! | [`MaximumSegmentSize`] | `TCP_MAXSEG` | the path's | 88 to 32,767 octets | TCP | RFC 6691 |
//! | [`Linger`] | `SO_LINGER` | none | | TCP | socket(7) |
//! | [`HopLimit`] | `IP_TTL`, `IPV6_UNICAST_HOPS` | 64 | 1 to 255 | all | RFC 1700 |
//! | [`TypeOfService`] | `IP_TOS`, `IPV6_TCLASS` | 0 | | all | RFC 2474 |
//! | [`V6Only`] | `IPV6_V6ONLY` | off | before `bind` | all | RFC 3493 §5.3 |
//! | [`ReuseAddress`] | `SO_REUSEADDR` | off | before `bind` | TCP, UDP | socket(7) |
//! | [`ReusePort`] | `SO_REUSEPORT` | off | before `bind` | TCP, UDP | socket(7) |
//! | [`SendBuffer`] | `SO_SNDBUF` | the storage's | up to the storage's | TCP, UDP | socket(7) |
//! | [`ReceiveBuffer`] | `SO_RCVBUF` | the storage's | up to the storage's | TCP, UDP | socket(7) |
//! | [`SendTimeout`] | `SO_SNDTIMEO` | none | not zero | all | socket(7) |
//! | [`ReceiveTimeout`] | `SO_RCVTIMEO` | none | not zero | all | socket(7) |
//! | [`Broadcast`] | `SO_BROADCAST` | off | | UDP | socket(7) |
//! | [`MulticastHopLimit`] | `IP_MULTICAST_TTL`, `IPV6_MULTICAST_HOPS` | 1 | | UDP, raw | RFC 1112 §6.1 |
//! | [`MulticastLoop`] | `IP_MULTICAST_LOOP`, `IPV6_MULTICAST_LOOP` | on | | UDP, raw | RFC 1112 §6.1 |
//! | [`MulticastInterface`] | `IP_MULTICAST_IF`, `IPV6_MULTICAST_IF` | the route's | | UDP, raw | RFC 3493 §5.2 |
//! | [`HeaderIncluded`] | `IP_HDRINCL`, `IPV6_HDRINCL` | off | | raw | raw(7) |
//! | [`IcmpTypes`] | `ICMP_FILTER`, `ICMP6_FILTER` | all pass | | raw | raw(7), RFC 3542 §3.2 |
//! | [`ChecksumOffset`] | `IPV6_CHECKSUM` | none | even | raw, over IPv6 | RFC 3542 §3.1 |
//!
//! # To get
//!
//! | option | BSD name | of a socket without a connection | source |
//! |---|---|---|---|
//! | [`SocketError`] | `SO_ERROR` | its pending error; taken, too | socket(7) |
//! | [`SoftError`] | none (the kernel keeps it as `sk_err_soft`) | none | RFC 5461 §2.2 |
//! | [`SocketType`] | `SO_TYPE`, `SO_PROTOCOL` | | socket(7) |
//! | [`Accepting`] | `SO_ACCEPTCONN` | whether it listens | socket(7) |
//! | [`ReceiveQueued`] | `SIOCINQ`, `FIONREAD` | octets of a stream, of the first datagram; 0 | tcp(7), udp(7) |
//! | [`SendQueued`] | `SIOCOUTQ` | octets of datagrams; 0 | tcp(7), udp(7) |
//! | [`PathMtu`] | `IP_MTU`, `IPV6_MTU` | `Error::NotConnected` | ip(7) |
//! | [`TcpInfo`] | `TCP_INFO` | its state alone | tcp(7) |
//!
//! # Where Linux differs
//!
//! | option | Linux | here |
//! |---|---|---|
//! | `SO_REUSEADDR` | needed to bind a port whose last connections are not all gone (TIME-WAIT) | such a port is free; the option lets two sockets have one port |
//! | `SO_SNDBUF`, `SO_RCVBUF` | `getsockopt` gives twice what was set: the kernel counts its own records | octets of data, as set |
//! | both | 4,608 and 2,304 octets at least | 1 octet to send; to receive 2,304, or all there is memory for |
//! | `SO_RCVTIMEO`, `SO_SNDTIMEO` | end a call that waits | kept; a call on an `Fd` never waits. The blocking sockets obey them |
//! | `SO_LINGER` with a time | `close` waits so long for the peer's acknowledgments | `Stack::close` never waits; dropping a blocking socket does |
//! | keep-alive times | whole seconds | to the millisecond |
//! | keep-alive probes | empty | carry one octet, which is old (RFC 9293 §3.8.4 allows both) |
//! | `TCP_MAXSEG` | what is set is what `getsockopt` gives until there is a connection, 536 without | the same |
//! | `TCP_INFO` | has the congestion window | smoltcp keeps it to itself |

macro_rules! options {
    ($($(#[$doc:meta])* $name:ident: $value:ty = $($field:ident).+, if $valid:expr;)*) => {$(
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        pub struct $name;

        impl SocketOption for $name {}

        impl sealed::Get for $name {
            type Value = $value;

            fn get<O: Observer>(&self, stack: &mut Stack<'_, O>, fd: Fd) -> Result<$value> {
                Ok(stack.options_of(fd)?.$($field).+)
            }
        }

        impl SettableOption for $name {}

        impl sealed::Set for $name {
            #[allow(private_interfaces)]
            fn set(&self, options: &mut Options, value: $value) -> Result<()> {
                let valid: fn($value) -> bool = $valid;
                if !valid(value) {
                    return Err(Error::InvalidArgument);
                }
                options.$($field).+ = value;
                Ok(())
            }
        }
    )*};
}

mod information;
mod options;
#[cfg(feature = "path-mtu")]
mod path;
#[cfg(feature = "raw")]
mod raw;
mod size;
mod state;
mod value;

use core::time::Duration;

pub use information::{TcpInfo, TcpInformation};
pub(super) use options::{Options, on_clock};
#[cfg(feature = "path-mtu")]
pub use path::{MaximumSegmentSize, PathMtu};
#[cfg(feature = "raw")]
pub use raw::{ChecksumOffset, HeaderIncluded, IcmpFilter, IcmpTypes};
pub use size::{ReceiveBuffer, SendBuffer};
pub use state::{Accepting, ReceiveQueued, SendQueued, SocketError, SocketType, SoftError};
pub use value::CongestionControl;

use super::{Fd, InterfaceId, Stack};
use crate::trace::Observer;
use crate::{Error, Result};

/// An option with a value of its own type, for [`getsockopt`](Stack::getsockopt); see the types of this module.
pub trait SocketOption: sealed::Get {}

/// An option that can be set as well, by [`setsockopt`](Stack::setsockopt).
pub trait SettableOption: SocketOption + sealed::Set {}

pub(super) mod sealed {
    use super::Options;
    use crate::Result;
    use crate::stack::{Fd, Stack};
    use crate::trace::Observer;

    pub trait Get {
        /// What the option is set to.
        type Value: Copy;
        #[doc(hidden)]
        fn get<O: Observer>(&self, stack: &mut Stack<'_, O>, fd: Fd) -> Result<Self::Value>;
    }

    pub trait Set: Get {
        #[doc(hidden)]
        #[allow(private_interfaces)]
        fn set(&self, options: &mut Options, value: Self::Value) -> Result<()>;
    }
}

/// Linux's longest `TCP_KEEPIDLE` and `TCP_KEEPINTVL`.
const MAX_KEEP_ALIVE: Duration = Duration::from_secs(32_767);
/// Linux counts `TCP_USER_TIMEOUT` in 32 bits of milliseconds.
const MAX_USER_TIMEOUT: Duration = Duration::from_millis(u32::MAX as u64);
/// Linux's `MAX_TCP_KEEPCNT`.
const MAX_KEEP_ALIVE_COUNT: u8 = 127;

/// Longer, and the arithmetic of deadlines would overflow; shorter, and a timer would never rest.
fn is_within(value: Duration, longest: Duration) -> bool {
    (Duration::from_millis(1)..=longest).contains(&value)
}

/// A time of zero would mean "at once" or "never", and so means neither.
fn is_some_time(value: Option<Duration>) -> bool {
    value != Some(Duration::ZERO)
}

options! {
    /// `TCP_NODELAY`: small segments leave at once, without Nagle's algorithm (RFC 9293 §3.7.4). Default: off.
    NoDelay: bool = no_delay, if |_| true;
    /// `TCP_CORK`: only full segments leave, until it is released, the socket is shut down or closed, or 200 ms have passed
    /// (tcp(7)). Comes before [`NoDelay`]. Default: off.
    Cork: bool = cork, if |_| true;
    /// `SO_KEEPALIVE`: a silent peer is probed (RFC 9293 §3.8.4), and the connection ends in [`Error::TimedOut`] if it stays
    /// silent. Default: off.
    KeepAlive: bool = keep_alive, if |_| true;
    /// `TCP_KEEPIDLE`: for how long nothing may be heard of the peer before it is probed. Default: 7,200 s. Valid from 1 ms to
    /// 32,767 s.
    KeepAliveIdle: Duration = keep_alive_idle, if |v| is_within(v, MAX_KEEP_ALIVE);
    /// `TCP_KEEPINTVL`: how long the peer has to answer a probe, before the next one. Default: 75 s. Valid from 1 ms to
    /// 32,767 s.
    KeepAliveInterval: Duration = keep_alive_interval, if |v| is_within(v, MAX_KEEP_ALIVE);
    /// `TCP_KEEPCNT`: unanswered probes that end the connection. With [`UserTimeout`] set, that counts in place of it.
    /// Default: 9. Valid from 1 to 127.
    KeepAliveCount: u8 = keep_alive_count, if |v| (1..=MAX_KEEP_ALIVE_COUNT).contains(&v);
    /// `IP_TTL` or `IPV6_UNICAST_HOPS`: hops that a packet may take. Default: 64 (RFC 1700). Zero is invalid
    /// (RFC 1122 §3.2.1.7).
    HopLimit: u8 = hop_limit, if |v| v != 0;
    /// `IPV6_V6ONLY`: an IPv6 socket bound to `::` does not take IPv4 (RFC 3493 §5.3). Default: off. To be set before
    /// `bind`.
    V6Only: bool = v6_only, if |_| true;
    /// `TCP_USER_TIMEOUT`: how long sent data (or a SYN) may stay unacknowledged before the connection ends in
    /// [`Error::TimedOut`] (RFC 5482), or in what ICMP said meanwhile ([`SoftError`]). Default: 127 s for `connect`, 924 s
    /// after it, as Linux. Valid from 1 ms to 2³² - 1 ms.
    UserTimeout: Option<Duration> = user_timeout, if |v| v.is_none_or(|v| is_within(v, MAX_USER_TIMEOUT));
    /// `TCP_CONGESTION`: the congestion control algorithm. Default: Reno.
    Congestion: CongestionControl = congestion_control, if |_| true;
    /// `SO_LINGER`: what `close` does with a connection. `None`, the default: what is queued is still sent, then FIN, in the
    /// background. Zero: a reset, and what is queued is lost. Longer: as `None`, but dropping a blocking socket waits so long for
    /// the peer to acknowledge it all; [`Stack::close`] and the asynchronous sockets, which never wait, do the same as with
    /// `None`.
    Linger: Option<Duration> = linger, if |_| true;
    /// `SO_REUSEADDR`: the socket shares its port. Of TCP, with others that have the option and do not listen; of UDP, with all
    /// that have it: a datagram is for the one of them that was bound last. Default: off. A port whose last connections still
    /// say goodbye is free without it.
    ReuseAddress: bool = reuse_address, if |_| true;
    /// `SO_REUSEPORT`: the socket shares its port with others that have the option, listeners too. A connection, or the
    /// datagrams of one sender, are for one of them, which nobody outside can choose. Default: off. To be set before `bind`.
    ReusePort: bool = reuse_port, if |_| true;
    /// `SO_SNDTIMEO`: how long a blocking socket waits for room to send. Calls on an `Fd` never wait. Default: none, for
    /// ever. Zero is invalid.
    SendTimeout: Option<Duration> = send_timeout, if is_some_time;
    /// `SO_RCVTIMEO`: how long a blocking socket waits for something to receive or to accept. Calls on an `Fd` never wait.
    /// Default: none, for ever. Zero is invalid.
    ReceiveTimeout: Option<Duration> = receive_timeout, if is_some_time;
    /// `IP_TOS` or `IPV6_TCLASS`: the octet of the IP header with the DSCP (RFC 2474) and the ECN field. Of a stream, whose ECN
    /// field is TCP's own, the DSCP alone. Default: 0.
    TypeOfService: u8 = type_of_service, if |_| true;
    /// `SO_BROADCAST`: datagrams may be sent to broadcast addresses. Default: off, and such a call is
    /// [`Error::PermissionDenied`].
    Broadcast: bool = broadcast, if |_| true;
    /// `IP_MULTICAST_TTL` or `IPV6_MULTICAST_HOPS`: hops that a datagram to a group may take. Default: 1 (RFC 1112 §6.1).
    MulticastHopLimit: u8 = multicast_hop_limit, if |_| true;
    /// `IP_MULTICAST_LOOP` or `IPV6_MULTICAST_LOOP`: sockets of this host that are in the group receive what this one sends
    /// to it. Default: on (RFC 1112 §6.1).
    MulticastLoop: bool = multicast_loop, if |_| true;
    /// `IP_MULTICAST_IF` or `IPV6_MULTICAST_IF`: the interface for datagrams to groups. Default: none, the route decides.
    MulticastInterface: Option<InterfaceId> = multicast_interface, if |_| true;
}
