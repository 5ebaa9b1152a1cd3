//! An event as a line of text: the same event gives the same line, on every machine.

use core::fmt::{self, Display, Formatter};
use core::hash::Hasher;
use core::time::Duration;

use siphasher::sip::SipHasher13;

use super::dissect::Dissection;
use super::{
    AddressChange, Call, Cause, Direction, DropReason, Event, Flow, Happening, Instant, Medium,
    Origin, Outcome, Protocol, RetransmissionCause, Segment, Station, Timer, TimerChange,
};

/// An event, written as one line without its end.
///
/// ```
/// use glasstack::trace::{Cause, Event, Happening, Instant, Line, State, Station};
///
/// let event = Event {
///     time: Instant::from_millis(1_500),
///     interface: Some(1),
///     socket: Some(3),
///     flow: None,
///     happening: Happening::State { from: State::Closed, to: State::SynSent, cause: Cause::Call },
/// };
/// let line = Line(Station(0), &event);
/// assert_eq!(line.to_string(), "1.500000 0 if1 fd3 state CLOSED -> SYN-SENT by call");
/// ```
#[derive(Debug, Clone, Copy)]
pub struct Line<'e>(pub Station, pub &'e Event<'e>);

impl Display for Line<'_> {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let Line(station, event) = self;
        let time = Clock(event.time);
        match *station {
            Station::LINK => write!(f, "{time} link")?,
            Station(number) => write!(f, "{time} {number}")?,
        }
        write!(f, "{}", What(event))
    }
}

/// What happened and where, as the part of a [`Line`] that follows the time and the station, a space before each word.
pub(super) struct What<'e>(pub(super) &'e Event<'e>);

impl Display for What<'_> {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let What(event) = self;
        if let Some(interface) = event.interface {
            write!(f, " if{interface}")?;
        }
        if let Some(socket) = event.socket {
            write!(f, " fd{socket}")?;
        }
        match event.happening {
            Happening::Call { call, outcome } => {
                write!(f, " call {} = {}", Called(call), Came(outcome))?;
            }
            Happening::Frame {
                direction,
                medium,
                bytes,
            } => {
                let way = match direction {
                    Direction::In => "in",
                    Direction::Out => "out",
                };
                // The frame itself says whose it is.
                return write!(f, " frame {way} {}", InShort(event.time, medium, bytes));
            }
            Happening::State { from, to, cause } => {
                write!(f, " state {from} -> {to} by {}", cause_name(cause))?;
            }
            Happening::Timer { timer, change } => {
                write!(f, " timer {} {}", timer_name(timer), Changed(change))?;
            }
            Happening::Retransmission { cause } => match cause {
                RetransmissionCause::Timeout(number) => {
                    write!(f, " retransmission after timeout {number}")?;
                }
                RetransmissionCause::FastRetransmit => write!(f, " fast retransmission")?,
            },
            Happening::Address {
                address,
                prefix_len,
                change,
                origin,
                cause,
            } => {
                let (change, origin) = (change_name(change), origin_name(origin));
                let cause = cause_name(cause);
                write!(
                    f,
                    " address {address}/{prefix_len} {origin} {change} by {cause}"
                )?;
            }
            Happening::Link { is_up } => {
                write!(f, " link {}", if is_up { "up" } else { "down" })?;
            }
            Happening::Drop {
                reason,
                medium,
                bytes,
            } => {
                let reason = reason_name(reason);
                return write!(f, " drop {reason} {}", InShort(event.time, medium, bytes));
            }
        }
        match event.flow {
            Some(flow) => write!(f, " {}", Ends(flow)),
            None => Ok(()),
        }
    }
}

/// Seconds to the microsecond, which is what the clock counts.
pub(super) struct Clock(pub(super) Instant);

impl Display for Clock {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let micros = self.0.total_micros();
        let sign = if micros < 0 { "-" } else { "" };
        let micros = micros.unsigned_abs();
        write!(f, "{sign}{}.{:06}", micros / 1_000_000, micros % 1_000_000)
    }
}

struct Ends(Flow);

impl Display for Ends {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let protocol = match self.0.protocol {
            Protocol::Tcp => "tcp",
            Protocol::Udp => "udp",
        };
        write!(f, "{protocol} {} {}", self.0.local, self.0.remote)
    }
}

/// A frame in short: its TCP segment with absolute numbers, or else what the dissection says; its length, and a digest in
/// which every octet counts.
struct InShort<'e>(Instant, Medium, &'e [u8]);

impl Display for InShort<'_> {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let InShort(time, medium, bytes) = *self;
        match Segment::parse(time, medium, bytes) {
            Some(segment) => write!(f, "{}", Header(&segment))?,
            None => {
                let dissection = Dissection::parse(medium, bytes);
                if let (Some(from), Some(to)) = (dissection.source(), dissection.destination()) {
                    write!(f, "{from} > {to} ")?;
                }
                write!(f, "{} {dissection:#}", dissection.protocol())?;
            }
        }
        let mut hasher = SipHasher13::new();
        hasher.write(bytes);
        write!(f, ", {} octets #{:016x}", bytes.len(), hasher.finish())
    }
}

/// A segment as its header says it, in absolute numbers.
struct Header<'s>(&'s Segment);

impl Display for Header<'_> {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let segment = self.0;
        write!(f, "{} > {} [", segment.source, segment.destination)?;
        let flags = [
            (segment.flags.fin, "FIN"),
            (segment.flags.syn, "SYN"),
            (segment.flags.rst, "RST"),
            (segment.flags.psh, "PSH"),
            (segment.acknowledgment.is_some(), "ACK"),
        ];
        let mut comma = "";
        for (_, name) in flags.iter().filter(|(is_set, _)| *is_set) {
            write!(f, "{comma}{name}")?;
            comma = ", ";
        }
        write!(f, "] Seq={}", segment.sequence)?;
        if let Some(acknowledgment) = segment.acknowledgment {
            write!(f, " Ack={acknowledgment}")?;
        }
        write!(f, " Win={} Len={}", segment.window, segment.len)
    }
}

struct Called(Call);

impl Display for Called {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match self.0 {
            Call::Socket(domain, kind) => write!(f, "socket({domain:?}, {kind:?})"),
            Call::Bind(address) => write!(f, "bind({address})"),
            Call::Listen { backlog } => write!(f, "listen({backlog})"),
            Call::Accept => write!(f, "accept()"),
            Call::Connect(address) => write!(f, "connect({address})"),
            Call::Send { len } => write!(f, "send({len})"),
            Call::SendTo { len, to } => write!(f, "sendto({len}, {to})"),
            Call::Recv { len } => write!(f, "recv({len})"),
            Call::RecvFrom { len } => write!(f, "recvfrom({len})"),
            Call::Peek { len } => write!(f, "peek({len})"),
            Call::Shutdown(how) => write!(f, "shutdown({how:?})"),
            Call::JoinGroup(group) => write!(f, "join_group({group})"),
            Call::LeaveGroup(group) => write!(f, "leave_group({group})"),
            Call::Poll { fds } => write!(f, "poll({fds})"),
            Call::Close => write!(f, "close()"),
        }
    }
}

struct Came(Outcome);

impl Display for Came {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match self.0 {
            Outcome::Done => write!(f, "0"),
            Outcome::Octets(octets) => write!(f, "{octets}"),
            Outcome::Datagram(octets, from) => write!(f, "{octets} from {from}"),
            Outcome::Descriptor(number) => write!(f, "fd{number}"),
            Outcome::Accepted(number, peer) => write!(f, "fd{number} from {peer}"),
            Outcome::Ready(count) => write!(f, "{count}"),
            Outcome::Failed(error) => write!(f, "{}", error.errno()),
        }
    }
}

struct Changed(TimerChange);

impl Display for Changed {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match self.0 {
            TimerChange::Armed { at, after } => {
                write!(f, "armed for {} at {}", Seconds(after), Clock(at))
            }
            TimerChange::Fired => write!(f, "fired"),
            TimerChange::Stopped => write!(f, "stopped"),
        }
    }
}

struct Seconds(Duration);

impl Display for Seconds {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{:06}s", self.0.as_secs(), self.0.subsec_micros())
    }
}

fn cause_name(cause: Cause) -> &'static str {
    match cause {
        Cause::Call => "call",
        Cause::Segment => "segment",
        Cause::Timer => "timer",
        Cause::Stack => "stack",
    }
}

pub(super) fn change_name(change: AddressChange) -> &'static str {
    match change {
        AddressChange::Tentative => "tentative",
        AddressChange::Preferred => "preferred",
        AddressChange::Deprecated => "deprecated",
        AddressChange::Duplicate => "duplicate",
        AddressChange::Removed => "removed",
    }
}

fn origin_name(origin: Origin) -> &'static str {
    match origin {
        Origin::Static => "static",
        Origin::Dhcp => "dhcp",
        Origin::Autoconfigured => "autoconfigured",
        Origin::LinkLocal => "link-local",
    }
}

fn timer_name(timer: Timer) -> &'static str {
    match timer {
        Timer::Retransmission => "retransmission",
        Timer::DelayedAck => "delayed-ack",
        Timer::KeepAlive => "keep-alive",
        Timer::ZeroWindowProbe => "zero-window-probe",
        Timer::TimeWait => "time-wait",
        Timer::User => "user",
    }
}

fn reason_name(reason: DropReason) -> &'static str {
    match reason {
        DropReason::Malformed => "malformed",
        DropReason::Checksum => "checksum",
        DropReason::NotForUs => "not-for-us",
        DropReason::Martian => "martian",
        DropReason::NoListener => "no-listener",
        DropReason::NoSocket => "no-socket",
        DropReason::UnknownProtocol => "unknown-protocol",
        DropReason::BacklogFull => "backlog-full",
        DropReason::ReceiveQueueFull => "receive-queue-full",
        DropReason::Fragment => "fragment",
        DropReason::NeighborUnreachable => "neighbor-unreachable",
        DropReason::InjectedLoss => "injected-loss",
        DropReason::LinkDown => "link-down",
        DropReason::LinkQueueFull => "link-queue-full",
    }
}
