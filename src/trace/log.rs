//! Events as lines of the `log` crate.

use log::{Level, log};

use super::line::{Clock, What};
use super::{
    AddressChange, DropReason, Event, Happening, Line, Observer, Outcome, Sink, Station,
    TimerChange,
};
use crate::Error;

/// Writes one line an event through the [`log`](https://docs.rs/log) crate. Whatever logger the program has installed
/// shows it; smoltcp's own lines come through the same one.
///
/// | target | level | what |
/// |---|---|---|
/// | `glasstack::call` | debug | a socket call and what it returned; trace where it would block |
/// | `glasstack::state` | debug | a connection's change of state |
/// | `glasstack::address` | debug | an address may be used, or no longer; warn where another host has it |
/// | `glasstack::link` | debug | an interface's link went up or down |
/// | `glasstack::retransmission` | debug | a segment is sent again: TCP at work, no fault of the program |
/// | `glasstack::timer` | debug | a timer fired; trace where it is armed or stopped |
/// | `glasstack::frame` | trace | a frame |
/// | `glasstack::drop` | warn | a frame is given up for want of room here, or the link or the next hop is gone |
/// | `glasstack::drop` | debug | a frame is given up for what it is: anybody can send such, and no log should fill with it |
/// | `smoltcp::…` | trace, debug | smoltcp's own, by its modules: `smoltcp::socket::tcp`, `smoltcp::iface` |
///
/// A filter in `env_logger`'s words: `RUST_LOG=glasstack=debug` shows calls, states and timers that fire,
/// `RUST_LOG=glasstack::frame=trace` the frames alone, `RUST_LOG=glasstack=trace,smoltcp=trace` all there is, and
/// `RUST_LOG=debug,smoltcp=off` silences smoltcp. What no logger wants is not even formatted.
///
/// ```
/// use glasstack::{Stack, stack::{Capacity, Domain, Type}, trace::Log};
///
/// let mut stack = Stack::with_capacity(Capacity::default(), [7; 16], Log);
/// stack.socket(Domain::Inet, Type::Stream).unwrap();
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Log;

impl Observer for Log {
    fn event(&mut self, event: &Event<'_>) {
        let (target, level) = place(&event.happening);
        log!(target: target, level, "{}{}", Clock(event.time), What(event));
    }

    fn is_listening(&self) -> bool {
        // Static builds can leave all of it out (`log/release_max_level_off`), a program can at run time.
        log::max_level() >= Level::Warn && log::STATIC_MAX_LEVEL >= Level::Warn
    }
}

impl Sink for Log {
    fn event(&mut self, station: Station, event: &Event<'_>) {
        let (target, level) = place(&event.happening);
        log!(target: target, level, "{}", Line(station, event));
    }
}

/// Where an event's line goes, and how much it matters.
fn place(happening: &Happening<'_>) -> (&'static str, Level) {
    match happening {
        Happening::Call { outcome, .. } => {
            let would_block = *outcome == Outcome::Failed(Error::WouldBlock);
            let level = if would_block {
                Level::Trace
            } else {
                Level::Debug
            };
            ("glasstack::call", level)
        }
        Happening::Frame { .. } => ("glasstack::frame", Level::Trace),
        Happening::State { .. } => ("glasstack::state", Level::Debug),
        Happening::Timer { change, .. } => {
            let fired = *change == TimerChange::Fired;
            let level = if fired { Level::Debug } else { Level::Trace };
            ("glasstack::timer", level)
        }
        Happening::Address { change, .. } => {
            let is_duplicate = *change == AddressChange::Duplicate;
            let level = if is_duplicate {
                Level::Warn
            } else {
                Level::Debug
            };
            ("glasstack::address", level)
        }
        Happening::Link { .. } => ("glasstack::link", Level::Debug),
        Happening::Retransmission { .. } => ("glasstack::retransmission", Level::Debug),
        Happening::Drop { reason, .. } => {
            let level = match reason {
                DropReason::BacklogFull
                | DropReason::ReceiveQueueFull
                | DropReason::LinkQueueFull
                | DropReason::LinkDown
                | DropReason::NeighborUnreachable => Level::Warn,
                _ => Level::Debug,
            };
            ("glasstack::drop", level)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::{Call, Cause, Direction, Instant, Medium, State, Timer};
    use super::*;
    use core::time::Duration;
    use std::string::{String, ToString};
    use std::sync::Mutex;
    use std::vec::Vec;

    /// Keeps what is logged under the crate's targets.
    struct Keeper(Mutex<Vec<(Level, String, String)>>);

    impl log::Log for Keeper {
        fn enabled(&self, _: &log::Metadata<'_>) -> bool {
            true
        }

        fn log(&self, record: &log::Record<'_>) {
            if record.target().starts_with("glasstack::")
                && let Ok(mut lines) = self.0.lock()
            {
                let target = record.target().to_string();
                lines.push((record.level(), target, record.args().to_string()));
            }
        }

        fn flush(&self) {}
    }

    static KEEPER: Keeper = Keeper(Mutex::new(Vec::new()));

    #[test]
    fn each_event_is_a_line_at_its_target_and_level() {
        if log::set_logger(&KEEPER).is_ok() {
            log::set_max_level(log::LevelFilter::Trace);
        }
        let mut log = Log;
        let mut tell = |happening| {
            let event = Event {
                time: Instant::from_millis(1_234_500),
                interface: None,
                socket: None,
                flow: None,
                happening,
            };
            Observer::event(&mut log, &event);
            Sink::event(&mut log, Station(2), &event);
        };
        tell(Happening::Call {
            call: Call::Accept,
            outcome: Outcome::Failed(Error::WouldBlock),
        });
        tell(Happening::Call {
            call: Call::Close,
            outcome: Outcome::Done,
        });
        tell(Happening::State {
            from: State::LastAck,
            to: State::Closed,
            cause: Cause::Segment,
        });
        let at = Instant::from_secs(1_236);
        let after = Duration::from_millis(1_500);
        let timer = Timer::Retransmission;
        tell(Happening::Timer {
            timer,
            change: TimerChange::Armed { at, after },
        });
        tell(Happening::Timer {
            timer,
            change: TimerChange::Fired,
        });
        let (medium, bytes) = (Medium::Ip, &[0x45][..]);
        tell(Happening::Frame {
            direction: Direction::In,
            medium,
            bytes,
        });
        for reason in [DropReason::Malformed, DropReason::ReceiveQueueFull] {
            tell(Happening::Drop {
                reason,
                medium,
                bytes,
            });
        }
        assert!(Log.is_listening());
        let lines = KEEPER.0.lock().unwrap_or_else(|e| e.into_inner());
        // Other tests of this process may log too.
        let of_ours = |line: &&(Level, String, String)| line.2.starts_with("1234.500000");
        let shown: Vec<String> = lines
            .iter()
            .filter(of_ours)
            .map(|(level, target, text)| std::format!("{level} {target}: {text}"))
            .collect();
        let expected = [
            ("TRACE glasstack::call", "call accept() = EAGAIN"),
            ("DEBUG glasstack::call", "call close() = 0"),
            (
                "DEBUG glasstack::state",
                "state LAST-ACK -> CLOSED by segment",
            ),
            (
                "TRACE glasstack::timer",
                "timer retransmission armed for 1.500000s at 1236.000000",
            ),
            ("DEBUG glasstack::timer", "timer retransmission fired"),
            ("TRACE glasstack::frame", "frame in "),
            ("DEBUG glasstack::drop", "drop malformed "),
            ("WARN glasstack::drop", "drop receive-queue-full "),
        ];
        assert_eq!(shown.len(), 2 * expected.len(), "{shown:#?}");
        for (pair, (place, text)) in shown.chunks(2).zip(expected) {
            let one = std::format!("{place}: 1234.500000 {text}");
            let several = std::format!("{place}: 1234.500000 2 {text}");
            assert!(pair[0].starts_with(&one), "{} is not {one}", pair[0]);
            assert!(
                pair[1].starts_with(&several),
                "{} is not {several}",
                pair[1]
            );
        }
    }
}
