//! `TCP_INFO`: a connection as the heart sees it.

use core::time::Duration;

use super::SocketOption;
use super::sealed::Get;
use crate::Result;
use crate::stack::{Fd, Stack};
use crate::trace::{Observer, State, Timer};

/// `TCP_INFO`: what is known of a connection. [`Error::NotSupported`](crate::Error::NotSupported) for a socket that is none of TCP.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TcpInfo;

impl SocketOption for TcpInfo {}

impl Get for TcpInfo {
    type Value = TcpInformation;

    fn get<O: Observer>(&self, stack: &mut Stack<'_, O>, fd: Fd) -> Result<TcpInformation> {
        stack.tcp_information(fd)
    }
}

/// What [`TcpInfo`] tells. Without a connection, everything but `state` is zero or none.
///
/// Round trips are measured one at a time, about once a window, and never on what was sent twice (RFC 6298 §3). It needs no
/// observer. smoltcp keeps its congestion window to itself, so that is not here.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct TcpInformation {
    /// RFC 9293 §3.3.2.
    pub state: State,
    /// The smoothed round-trip time (RFC 6298 §2), once one has been measured.
    pub round_trip: Option<Duration>,
    /// How much round trips vary (RFC 6298 §2), once one has been measured.
    pub round_trip_variation: Option<Duration>,
    /// What the retransmission timer was set to, while it runs.
    pub retransmission_timeout: Option<Duration>,
    /// How often the timer has expired in a row without an answer (RFC 6298 §5.5).
    pub backoff: u8,
    /// The timer that runs, and what is left of it.
    pub timer: Option<(Timer, Duration)>,
    /// Keep-alive probes that are unanswered.
    pub probes: u8,
    /// Segments that were sent again, since the connection began.
    pub retransmissions: u32,
    /// Sequence numbers under way: sent and not acknowledged.
    pub in_flight: u32,
    /// The peer's window: octets that may be under way.
    pub send_window: u32,
    /// The window that the peer was offered last: octets that it may still send.
    pub receive_window: u32,
    /// Octets of a full segment's payload.
    pub segment_size: u16,
    /// The largest packet that the path is known to take.
    pub path_mtu: u16,
    /// Octets that the application has written.
    pub octets_written: u64,
    /// Octets of those that the peer has acknowledged.
    pub octets_acknowledged: u64,
    /// Octets that have come, read or not.
    pub octets_received: u64,
    /// How long ago the peer was last heard.
    pub last_heard: Option<Duration>,
}

impl TcpInformation {
    pub(in crate::stack) const fn of(state: State) -> TcpInformation {
        TcpInformation {
            state,
            round_trip: None,
            round_trip_variation: None,
            retransmission_timeout: None,
            backoff: 0,
            timer: None,
            probes: 0,
            retransmissions: 0,
            in_flight: 0,
            send_window: 0,
            receive_window: 0,
            segment_size: 0,
            path_mtu: 0,
            octets_written: 0,
            octets_acknowledged: 0,
            octets_received: 0,
            last_heard: None,
        }
    }
}
