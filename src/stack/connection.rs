//! What the heart knows of a TCP connection beside smoltcp's socket: whom it belongs to, the sequence numbers that
//! went by, why it ended, and how long it may stay silent.

use core::time::Duration;

use smoltcp::socket::tcp::State;
use smoltcp::time::Instant;

use super::cork::Cork;
use super::countdown::Countdown;
use super::flow::{Flow, UNSPECIFIED};
use super::frame::{Segment, before};
use super::glimpse::Glimpse;
use super::ip::IpAddr;
use super::keep_alive::KeepAlive;
use super::moment::Moment;
use super::option::{Options, Setting, on_clock};
use super::path::Narrow;
use super::round_trip::RoundTrip;
use super::stamp::of_stream;
use crate::Error;

/// How long `connect` waits without [`UserTimeout`](super::option::UserTimeout): what Linux's six retries take.
pub const CONNECT_TIMEOUT: Duration = Duration::from_secs(127);
/// How long sent data may stay unacknowledged without a user timeout: Linux's fifteen retries (RFC 9293 §3.8.3, R2).
pub const DATA_TIMEOUT: Duration = Duration::from_secs(924);
/// How long a closed connection waits in FIN-WAIT-2 for the peer's FIN before it is dropped (Linux's `tcp_fin_timeout`).
pub const CLOSE_TIMEOUT: Duration = Duration::from_secs(60);
/// How long what a closed connection still sends may stay unacknowledged: Linux's eight retries for an orphan.
pub const ORPHAN_TIMEOUT: Duration = Duration::from_secs(243);
/// How long a peer may take to finish the handshake that it began.
pub const HANDSHAKE_TIMEOUT: Duration = Duration::from_secs(63);
/// The longest that smoltcp holds an acknowledgment back.
pub(super) const ACK_DELAY: smoltcp::time::Duration = smoltcp::time::Duration::from_millis(10);

/// Unanswered keep-alive probes that end a connection, unless
/// [`KeepAliveCount`](super::option::KeepAliveCount) says otherwise.
pub const KEEP_ALIVE_PROBES: u32 = 9;

/// A half-open connection younger than this is never given up for another: its ACK may be on the way.
pub(super) const HALF_OPEN_GRACE: Duration = Duration::from_secs(1);

/// How far from the numbers that are due a segment's may be: a megabyte, a guess in 2²³ for who cannot see them.
const PLAUSIBLE: u32 = 1 << 20;

/// What a peer takes that does not say (RFC 9293 §3.7.1).
const DEFAULT_SEGMENT_SIZE: u16 = 536;

/// Octets of a stream: as many as sequence numbers count, and all of them where somebody may ask for their number.
#[cfg(feature = "options")]
pub(super) type Octets = u64;
#[cfg(not(feature = "options"))]
pub(super) type Octets = u32;

/// The same as sequence numbers count: modulo 2³² (RFC 9293 §3.4).
#[allow(clippy::unnecessary_cast, reason = "where there are more bits, it is")]
pub(super) const fn modulo(octets: Octets) -> u32 {
    octets as u32
}

/// A sequence number that may not be known yet: an `Option` of it takes three octets more.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Number(Option<[u8; 4]>);

impl Number {
    pub(super) const UNKNOWN: Number = Number(None);

    pub(super) fn get(self) -> Option<u32> {
        self.0.map(u32::from_ne_bytes)
    }
}

impl From<u32> for Number {
    fn from(number: u32) -> Number {
        Number(Some(number.to_ne_bytes()))
    }
}

/// Whom a connection belongs to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Role {
    /// The slot is free.
    Free,
    /// Its listener's handshake.
    HalfOpen(u16),
    /// Waits in its listener's accept queue.
    Queued(u16),
    /// A descriptor's.
    Owned(u16),
    /// Closed by the application; TCP finishes alone.
    Orphan,
}

/// What the heart knows of a connection.
pub(super) struct Connection {
    pub(super) role: Role,
    pub(super) flow: Flow,
    /// Whether the table of flows leads here.
    pub(super) routed: bool,
    /// The state that was last told to the observer.
    pub(super) state: State,
    /// Since when it is half-open; since when it is an orphan, or one in FIN-WAIT-2: what the peer says meanwhile keeps it no
    /// longer.
    pub(super) since: Instant,
    /// When the peer was last heard: for those who ask, and for keep-alive.
    pub(super) heard: Setting<Instant>,
    /// The first sequence number that was sent, and the one after the last.
    pub(super) initial: Number,
    pub(super) next: u32,
    /// The acknowledgment that was sent last: what the peer's next sequence number is.
    pub(super) receive_next: u32,
    /// The end of the window that went with it.
    pub(super) offered: u32,
    /// The sequence number of the first octet that the peer sends, and how many of them the application has read.
    pub(super) first_octet: Number,
    pub(super) read: Octets,
    /// How many octets the application has written.
    pub(super) written: Octets,
    /// Sequence numbers that the peer has not acknowledged (octets queued, SYN, FIN), and since when.
    pub(super) unacknowledged: usize,
    pub(super) waiting: Moment,
    pub(super) user_timeout: Setting<Duration>,
    /// When the heart gives up on the peer, as of the last poll.
    pub(super) give_up_at: Moment,
    /// The timer that smoltcp runs for it.
    pub(super) countdown: Countdown,
    /// The peer's window, when it was last heard, as it stands in the header; and its scale (RFC 7323 §2), without which ours
    /// has none either.
    pub(super) window: u16,
    /// The acknowledgment that it came with.
    pub(super) window_ack: Number,
    pub(super) window_scale: Option<u8>,
    /// The largest IP packet that it sends.
    pub(super) mtu: u16,
    /// What is shorter for the way's or the application's sake.
    pub(super) narrow: Narrow,
    /// Octets of payload that the peer takes in a segment (RFC 9293 §3.7.1).
    pub(super) peer_segment_size: u16,
    /// What ICMP said of the way, since the peer was heard.
    pub(super) soft_error: Option<Error>,
    /// When a silent peer is probed; how many probes it has not answered, and when the last was sent.
    pub(super) keep_alive: Setting<KeepAlive>,
    pub(super) probed: Setting<(u32, Instant)>,
    /// What is held back, if something is.
    pub(super) cork: Cork,
    /// Octets that may wait to be read, where that is less than there is room for.
    pub(super) receive_limit: Setting<u32>,
    /// The end of the window that the peer was offered, where it is less than what smoltcp thinks.
    pub(super) edge: Setting<u32>,
    /// Of its packets, where it is not zero.
    pub(super) traffic_class: Setting<u8>,
    pub(super) round_trip: RoundTrip,
    /// Segments that were sent again.
    #[cfg(feature = "options")]
    pub(super) retransmissions: u32,
    /// `shutdown(Read)`: nothing more to read than what is there.
    pub(super) read_shutdown: bool,
    /// `shutdown(Write)` or `close`: nothing more to send than what is queued.
    pub(super) write_shutdown: bool,
    /// Why it ended, until the application has heard it.
    pub(super) error: Option<Error>,
    /// On the list of orphans in TIME-WAIT.
    pub(super) in_time_wait: bool,
    /// What its observer is told of.
    #[cfg_attr(not(feature = "glass"), allow(dead_code))]
    pub(super) glimpse: Glimpse,
    /// It ended without a word to the peer (RFC 9293 §3.10.8, user timeout).
    pub(super) silent: bool,
}

impl Connection {
    pub(super) const FREE: Connection = Connection {
        role: Role::Free,
        flow: Flow {
            local: UNSPECIFIED,
            remote: UNSPECIFIED,
        },
        routed: false,
        state: State::Closed,
        since: Instant::ZERO,
        heard: Setting::NONE,
        initial: Number::UNKNOWN,
        next: 0,
        receive_next: 0,
        offered: 0,
        first_octet: Number::UNKNOWN,
        read: 0,
        written: 0,
        unacknowledged: 0,
        waiting: Moment::NONE,
        user_timeout: Setting::NONE,
        give_up_at: Moment::NONE,
        countdown: Countdown::STOPPED,
        window: u16::MAX,
        window_ack: Number::UNKNOWN,
        window_scale: None,
        mtu: 0,
        narrow: Narrow::NOT,
        peer_segment_size: DEFAULT_SEGMENT_SIZE,
        soft_error: None,
        keep_alive: Setting::NONE,
        probed: Setting::NONE,
        cork: Cork::OFF,
        receive_limit: Setting::NONE,
        edge: Setting::NONE,
        traffic_class: Setting::NONE,
        round_trip: RoundTrip::UNKNOWN,
        #[cfg(feature = "options")]
        retransmissions: 0,
        read_shutdown: false,
        write_shutdown: false,
        error: None,
        in_time_wait: false,
        glimpse: Glimpse::NOTHING,
        silent: false,
    };

    pub(super) fn new(role: Role, flow: Flow, now: Instant, options: &Options) -> Connection {
        let mut connection = Connection {
            role,
            flow,
            since: now,
            narrow: Narrow::of(options),
            ..Connection::FREE
        };
        connection.heard.set(Some(now));
        connection.keep_alive.set(KeepAlive::of(options));
        connection.configure(options);
        connection
    }

    /// Takes over what the heart itself sees to of the options.
    pub(super) fn configure(&mut self, options: &Options) {
        self.user_timeout.set(options.user_timeout);
        self.receive_limit.set(options.receive_buffer);
        if self.receive_limit.is_some() && self.first_octet != Number::UNKNOWN {
            // Until now it was what smoltcp thinks.
            self.edge.set(self.edge.or(Some(self.offered)));
        }
        let class = of_stream(options.type_of_service);
        self.traffic_class
            .set(Some(class).filter(|class| *class != 0));
        self.cork.set(options.cork);
    }

    /// The headers of a segment of this connection.
    pub(super) fn headers(&self) -> u16 {
        match self.flow.remote.addr {
            IpAddr::V4(_) => 20 + 20,
            IpAddr::V6(_) => 40 + 20,
        }
    }

    /// Octets of a full segment's payload.
    pub(super) fn segment_size(&self) -> u16 {
        self.peer_segment_size
            .min(self.mtu.saturating_sub(self.headers()))
    }

    /// Established, with an application at this end.
    pub(super) fn is_conversing(&self) -> bool {
        self.state == State::Established && matches!(self.role, Role::Owned(_))
    }

    /// Hears a segment of the peer. One with numbers from nowhere may be anybody's (RFC 5961 §1): it proves nothing.
    /// Says whether it counts.
    #[inline]
    pub(super) fn hear(&mut self, segment: &Segment, now: Instant) -> bool {
        let beside = segment.seq.wrapping_sub(self.receive_next) as i32;
        let behind = self.next.wrapping_sub(segment.ack);
        let is_heard =
            segment.has_ack() && beside.unsigned_abs() <= PLAUSIBLE && behind <= PLAUSIBLE;
        if is_heard {
            self.heard.set(Some(now));
            self.soft_error = None;
            self.round_trip.acknowledged(segment.ack, now);
            self.stop_probing();
            // What has come just now may be acknowledged already, so that its number is no longer due.
            let end = segment.seq.wrapping_add(segment.len);
            let is_old = before(end.wrapping_add(1), self.receive_next)
                || self
                    .window_ack
                    .get()
                    .is_some_and(|ack| before(segment.ack, ack));
            if !is_old {
                self.window = segment.window;
                self.window_ack = segment.ack.into();
            }
            // It answers a probe; what is on its way it has answered when less of it is.
            if segment.window == 0 || self.unacknowledged == 0 {
                self.countdown.answered();
            }
        } else if self.state == State::SynSent && segment.has_syn() && segment.ack == self.next {
            // The peer's numbers begin with it; its window is not scaled yet (RFC 7323 §2.2).
            self.heard.set(Some(now));
            self.round_trip.acknowledged(segment.ack, now);
        }
        is_heard
    }

    /// Whether there is more to it than smoltcp and its timers know: most connections need not be asked one by one.
    #[inline]
    pub(super) fn wants_care(&self) -> bool {
        self.narrow.wants_care()
            || self.keep_alive.is_some()
            || self.receive_limit.is_some()
            || self.cork.is_in()
    }

    /// Where what was sent ends, while some of it is under way: neither probe, of silence or of a shut window, counts.
    pub(super) fn horizon(&self) -> Option<u32> {
        let is_under_way = self.unacknowledged > 0 && self.window != 0;
        self.initial
            .get()
            .filter(|_| is_under_way)
            .map(|_| self.next)
    }

    /// Whether both sides have said goodbye: TIME-WAIT is TCP's business, and no longer the application's (as Linux).
    pub(super) fn is_over(&self) -> bool {
        matches!(self.state, State::TimeWait | State::Closed)
    }

    /// Whether something that was written, or the FIN behind it, waits for its acknowledgment, where all has been written.
    pub(super) fn is_sending(&self) -> bool {
        let is_under_way = matches!(
            self.state,
            State::FinWait1 | State::Closing | State::LastAck
        );
        is_under_way || self.is_waiting_to_end()
    }

    /// Follows what is unacknowledged: smoltcp's own time-out would also end a connection that is merely idle.
    pub(super) fn watch(&mut self, now: Instant, unacknowledged: usize) {
        if unacknowledged == 0 {
            self.waiting = Moment::NONE;
        } else if unacknowledged < self.unacknowledged || self.waiting == Moment::NONE {
            self.waiting = now.into();
            self.countdown.answered();
        }
        self.unacknowledged = unacknowledged;
    }

    /// A peer that answers, if only to say that its window is shut, is alive: it is waited for without end (RFC 9293
    /// §3.8.6.1), unless a user timeout says otherwise or nobody here waits any more.
    pub(super) fn hold(&mut self, now: Instant) {
        let is_waiting = self.waiting != Moment::NONE;
        if is_waiting && self.user_timeout.is_none() && self.role != Role::Orphan {
            self.waiting = now.into();
        }
    }

    /// When the heart gives up on the peer.
    pub(super) fn deadline(&self) -> Option<Instant> {
        let limit = self.user_timeout.map(on_clock);
        let patience = match self.role {
            Role::HalfOpen(_) => const { on_clock(HANDSHAKE_TIMEOUT) },
            Role::Orphan if self.state == State::FinWait2 => const { on_clock(CLOSE_TIMEOUT) },
            Role::Orphan => {
                let longest = const { on_clock(ORPHAN_TIMEOUT) };
                limit.map_or(longest, |limit| limit.min(longest))
            }
            _ if self.state == State::SynSent => {
                limit.unwrap_or(const { on_clock(CONNECT_TIMEOUT) })
            }
            _ => limit.unwrap_or(const { on_clock(DATA_TIMEOUT) }),
        };
        let unanswered = match (self.role, self.state) {
            (Role::Free, _) | (_, State::Closed | State::TimeWait) => None,
            (Role::HalfOpen(_), _) => Some(self.since),
            // FIN-WAIT-2 has nothing unacknowledged, yet an orphan must not wait for ever (RFC 9293 §3.6).
            (Role::Orphan, State::FinWait2) => Some(self.since),
            _ => self.waiting.get(),
        };
        let unanswered = unanswered.map(|since| since + patience);
        [unanswered, self.unprobed()].into_iter().flatten().min()
    }
}

/// Sequence numbers in flight that are not octets: the SYN or the FIN.
pub(super) fn control_len(state: State) -> usize {
    match state {
        State::SynSent | State::SynReceived | State::FinWait1 | State::Closing | State::LastAck => {
            1
        }
        _ => 0,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn idle_never_times_out_and_silence_after_sending_does() {
        let now = Instant::from_secs(100);
        let mut connection = Connection::new(
            Role::Owned(0),
            Connection::FREE.flow,
            now,
            &Options::DEFAULT,
        );
        connection.state = State::Established;
        connection.watch(now, 0);
        assert_eq!(connection.deadline(), None);
        connection.watch(now, 10);
        assert_eq!(connection.deadline(), Some(now + DATA_TIMEOUT.into()));
        // Progress starts the wait anew, repetition does not.
        let later = Instant::from_secs(200);
        connection.watch(later, 10);
        assert_eq!(connection.deadline(), Some(now + DATA_TIMEOUT.into()));
        connection.watch(later, 9);
        assert_eq!(connection.deadline(), Some(later + DATA_TIMEOUT.into()));
        connection.watch(later, 0);
        assert_eq!(connection.deadline(), None);
    }
}
