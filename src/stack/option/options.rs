//! What `setsockopt` left, and what smoltcp takes care of of it.

use core::time::Duration;

use smoltcp::socket::tcp;

use super::CongestionControl;
#[cfg(feature = "raw")]
use super::raw::RawOptions;
use crate::stack::InterfaceId;

/// Smoltcp's clock counts microseconds in 64 bits. Nine thousand years are "never", and ten times that still fits.
const NEVER: smoltcp::time::Duration = smoltcp::time::Duration::from_micros(i64::MAX as u64 / 32);

/// A time of the application's on smoltcp's clock, whose own conversion overflows.
pub(in crate::stack) fn on_clock(duration: Duration) -> smoltcp::time::Duration {
    let micros = u64::try_from(duration.as_micros()).unwrap_or(u64::MAX);
    smoltcp::time::Duration::from_micros(micros).min(NEVER)
}

/// A socket's options, as `setsockopt` left them. An accepted connection starts with its listener's.
#[derive(Debug, Clone, Copy)]
pub(in crate::stack) struct Options {
    pub(in crate::stack) no_delay: bool,
    pub(in crate::stack) cork: bool,
    pub(in crate::stack) keep_alive: bool,
    pub(in crate::stack) keep_alive_idle: Duration,
    pub(in crate::stack) keep_alive_interval: Duration,
    pub(in crate::stack) keep_alive_count: u8,
    pub(in crate::stack) hop_limit: u8,
    pub(in crate::stack) v6_only: bool,
    pub(in crate::stack) user_timeout: Option<Duration>,
    pub(in crate::stack) congestion_control: CongestionControl,
    #[cfg(feature = "path-mtu")]
    pub(in crate::stack) maximum_segment_size: Option<u16>,
    pub(in crate::stack) type_of_service: u8,
    pub(in crate::stack) reuse_address: bool,
    pub(in crate::stack) reuse_port: bool,
    pub(in crate::stack) linger: Option<Duration>,
    /// Octets; none is all that there is memory for.
    pub(in crate::stack) send_buffer: Option<u32>,
    pub(in crate::stack) receive_buffer: Option<u32>,
    pub(in crate::stack) send_timeout: Option<Duration>,
    pub(in crate::stack) receive_timeout: Option<Duration>,
    pub(in crate::stack) broadcast: bool,
    pub(in crate::stack) multicast_hop_limit: u8,
    pub(in crate::stack) multicast_loop: bool,
    pub(in crate::stack) multicast_interface: Option<InterfaceId>,
    #[cfg(feature = "raw")]
    pub(in crate::stack) raw: RawOptions,
}

impl Options {
    pub(in crate::stack) const DEFAULT: Options = Options {
        no_delay: false,
        cork: false,
        keep_alive: false,
        keep_alive_idle: Duration::from_secs(7_200),
        keep_alive_interval: Duration::from_secs(75),
        keep_alive_count: 9,
        hop_limit: 64,
        v6_only: false,
        user_timeout: None,
        congestion_control: CongestionControl::Reno,
        #[cfg(feature = "path-mtu")]
        maximum_segment_size: None,
        type_of_service: 0,
        reuse_address: false,
        reuse_port: false,
        linger: None,
        send_buffer: None,
        receive_buffer: None,
        send_timeout: None,
        receive_timeout: None,
        broadcast: false,
        multicast_hop_limit: 1,
        multicast_loop: true,
        multicast_interface: None,
        #[cfg(feature = "raw")]
        raw: RawOptions::DEFAULT,
    };

    /// Hands smoltcp what it takes care of; the rest is the heart's own (see `connection.rs`).
    pub(in crate::stack) fn apply(&self, socket: &mut tcp::Socket<'_>) {
        // A cork holds back what Nagle's algorithm would.
        socket.set_nagle_enabled(!self.no_delay || self.cork);
        socket.set_hop_limit(Some(self.hop_limit));
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
