//! Socket options, typed: a value that does not fit its option does not compile.
//!
//! ```
//! # use glasstack::{Stack, stack::{Capacity, Domain, Type, option::NoDelay}};
//! # fn main() -> glasstack::Result<()> {
//! let mut stack = Stack::with_capacity(Capacity::default(), [7; 16], ());
//! let fd = stack.socket(Domain::Inet, Type::Stream)?;
//! stack.setsockopt(fd, NoDelay, true)?;
//! assert!(stack.getsockopt(fd, NoDelay)?);
//! # Ok(())
//! # }
//! ```

use core::time::Duration;

use smoltcp::socket::tcp;

use super::InterfaceId;
use crate::{Error, Result};

/// Smoltcp's clock counts microseconds in 64 bits. Nine thousand years are "never", and ten times that still fits.
const NEVER: smoltcp::time::Duration = smoltcp::time::Duration::from_micros(i64::MAX as u64 / 32);

/// A time of the application's on smoltcp's clock, whose own conversion overflows.
pub(super) fn on_clock(duration: Duration) -> smoltcp::time::Duration {
    let micros = u64::try_from(duration.as_micros()).unwrap_or(u64::MAX);
    smoltcp::time::Duration::from_micros(micros).min(NEVER)
}

/// How a connection reacts to loss.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum CongestionControl {
    /// Sends as much as the peer's window takes.
    None,
    /// NewReno's window (RFC 5681).
    Reno,
    /// CUBIC (RFC 9438). It calculates with `f64`, so it is there with `std` only.
    #[cfg(feature = "std")]
    Cubic,
}

/// Which ICMP messages a raw socket does not want to receive: a bit for each type (`ICMP_FILTER`, `ICMP6_FILTER`;
/// RFC 3542 §3.2).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct IcmpFilter([u32; 8]);

impl IcmpFilter {
    /// Every message passes.
    pub const NONE: IcmpFilter = IcmpFilter([0; 8]);

    /// No message passes.
    pub const ALL: IcmpFilter = IcmpFilter([u32::MAX; 8]);

    /// Lets the messages of one type pass, too.
    pub const fn pass(mut self, kind: u8) -> IcmpFilter {
        self.0[(kind >> 5) as usize] &= !(1 << (kind & 31));
        self
    }

    /// Blocks the messages of one type, too.
    pub const fn block(mut self, kind: u8) -> IcmpFilter {
        self.0[(kind >> 5) as usize] |= 1 << (kind & 31);
        self
    }

    /// Whether the messages of one type pass.
    pub const fn passes(&self, kind: u8) -> bool {
        self.0[(kind >> 5) as usize] & 1 << (kind & 31) == 0
    }
}

/// A socket's options, as `setsockopt` left them. An accepted connection starts with its listener's.
#[derive(Debug, Clone, Copy)]
pub(super) struct Options {
    pub(super) no_delay: bool,
    pub(super) keep_alive: Option<Duration>,
    pub(super) hop_limit: u8,
    pub(super) v6_only: bool,
    pub(super) user_timeout: Option<Duration>,
    pub(super) congestion_control: CongestionControl,
    pub(super) type_of_service: u8,
    pub(super) broadcast: bool,
    pub(super) multicast_hop_limit: u8,
    pub(super) multicast_loop: bool,
    pub(super) multicast_interface: Option<InterfaceId>,
    pub(super) header_included: bool,
    pub(super) icmp_filter: IcmpFilter,
}

impl Options {
    pub(super) const DEFAULT: Options = Options {
        no_delay: false,
        keep_alive: None,
        hop_limit: 64,
        v6_only: false,
        user_timeout: None,
        congestion_control: CongestionControl::Reno,
        type_of_service: 0,
        broadcast: false,
        multicast_hop_limit: 1,
        multicast_loop: true,
        multicast_interface: None,
        header_included: false,
        icmp_filter: IcmpFilter::NONE,
    };

    /// Hands smoltcp what it takes care of; the user timeout is the heart's own (see `connection.rs`).
    pub(super) fn apply(&self, socket: &mut tcp::Socket<'_>) {
        socket.set_nagle_enabled(!self.no_delay);
        socket.set_hop_limit(Some(self.hop_limit));
        let keep_alive = self.keep_alive.map(on_clock);
        if socket.keep_alive() != keep_alive {
            socket.set_keep_alive(keep_alive);
        }
        let congestion_control = match self.congestion_control {
            CongestionControl::None => tcp::CongestionControl::None,
            CongestionControl::Reno => tcp::CongestionControl::Reno,
            #[cfg(feature = "std")]
            CongestionControl::Cubic => tcp::CongestionControl::Cubic,
        };
        // Setting it anew would forget the window that it has learned.
        if socket.congestion_control() != congestion_control {
            socket.set_congestion_control(congestion_control);
        }
    }
}

/// An option with a value of its own type; see the types of this module.
pub trait SocketOption: sealed::Access {}

mod sealed {
    use super::Options;
    use crate::Result;

    pub trait Access {
        /// What the option is set to.
        type Value: Copy;
        #[doc(hidden)]
        #[allow(private_interfaces)]
        fn get(&self, options: &Options) -> Self::Value;
        #[doc(hidden)]
        #[allow(private_interfaces)]
        fn set(&self, options: &mut Options, value: Self::Value) -> Result<()>;
    }
}

macro_rules! options {
    ($($(#[$doc:meta])* $name:ident: $value:ty = $field:ident, if $valid:expr;)*) => {$(
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        pub struct $name;

        impl SocketOption for $name {}

        impl sealed::Access for $name {
            type Value = $value;

            #[allow(private_interfaces)]
            fn get(&self, options: &Options) -> $value {
                options.$field
            }

            #[allow(private_interfaces)]
            fn set(&self, options: &mut Options, value: $value) -> Result<()> {
                let valid: fn($value) -> bool = $valid;
                if !valid(value) {
                    return Err(Error::InvalidArgument);
                }
                options.$field = value;
                Ok(())
            }
        }
    )*};
}

/// Linux's longest `TCP_KEEPIDLE`.
const MAX_KEEP_ALIVE: Duration = Duration::from_secs(32_767);
/// Linux counts `TCP_USER_TIMEOUT` in 32 bits of milliseconds.
const MAX_USER_TIMEOUT: Duration = Duration::from_millis(u32::MAX as u64);

/// Longer, and the arithmetic of deadlines would overflow; shorter, and a timer would never rest.
fn is_within(value: Option<Duration>, longest: Duration) -> bool {
    value.is_none_or(|value| (Duration::from_millis(1)..=longest).contains(&value))
}

options! {
    /// `TCP_NODELAY`: small segments leave at once, without Nagle's algorithm (RFC 9293 §3.7.4). Default: off.
    NoDelay: bool = no_delay, if |_| true;
    /// `SO_KEEPALIVE` with `TCP_KEEPIDLE` and `TCP_KEEPINTVL` in one: after so long without a segment from the peer it
    /// is probed, and as often again (RFC 9293 §3.8.4). After nine unanswered probes the connection ends in
    /// [`Error::TimedOut`]. Default: none. Valid from 1 ms to 32,767 s.
    KeepAlive: Option<Duration> = keep_alive, if |v| is_within(v, MAX_KEEP_ALIVE);
    /// `IP_TTL` or `IPV6_UNICAST_HOPS`: hops that a packet may take. Default: 64 (RFC 1700). Zero is invalid
    /// (RFC 1122 §3.2.1.7).
    HopLimit: u8 = hop_limit, if |v| v != 0;
    /// `IPV6_V6ONLY`: an IPv6 socket bound to `::` does not take IPv4 (RFC 3493 §5.3). Default: off. To be set before
    /// `bind`.
    V6Only: bool = v6_only, if |_| true;
    /// `TCP_USER_TIMEOUT`: how long sent data (or a SYN) may stay unacknowledged before the connection ends in
    /// [`Error::TimedOut`] (RFC 5482). Default: 127 s for `connect`, 924 s after it, as Linux. Valid from 1 ms
    /// to 2³² - 1 ms.
    UserTimeout: Option<Duration> = user_timeout, if |v| is_within(v, MAX_USER_TIMEOUT);
    /// `TCP_CONGESTION`: the congestion control algorithm. Default: Reno.
    Congestion: CongestionControl = congestion_control, if |_| true;
    /// `IP_TOS` or `IPV6_TCLASS`: the octet of the IP header with the DSCP (RFC 2474) and the ECN field. Default: 0.
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
    /// `IP_HDRINCL` or `IPV6_HDRINCL`, of a raw socket: what is sent begins with an IP header. Default: off.
    HeaderIncluded: bool = header_included, if |_| true;
    /// `ICMP_FILTER` or `ICMP6_FILTER`, of a raw socket. Default: every message passes.
    IcmpTypes: IcmpFilter = icmp_filter, if |_| true;
}
