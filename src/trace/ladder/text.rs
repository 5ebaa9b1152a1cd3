//! Words and numbers of a row: bounded text, times, durations, calls.

use core::fmt::{self, Write};
use core::time::Duration;

use crate::Error;
use crate::stack::{Domain, Shutdown, Type};
use crate::trace::{Call, Outcome};

/// Text of at most `N` octets; what is beyond is cut off.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Bounded<const N: usize>(heapless::String<N>);

/// A row as it is written: 200 columns, most of three octets, and their colours.
pub(super) type Line = Bounded<1200>;

/// A word, a cell, a label.
pub(super) type Text = Bounded<120>;

impl<const N: usize> Bounded<N> {
    pub(super) fn new(arguments: fmt::Arguments<'_>) -> Self {
        let mut text = Self::default();
        text.push(arguments);
        text
    }

    pub(super) fn push(&mut self, arguments: fmt::Arguments<'_>) {
        // `write_str` below never fails, and what is written here is this crate's own.
        let _ = self.write_fmt(arguments);
    }

    pub(super) fn as_str(&self) -> &str {
        &self.0
    }

    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Columns on a terminal: every glyph that is used here takes one.
    pub(super) fn width(&self) -> usize {
        self.0.chars().count()
    }
}

impl<const N: usize> Write for Bounded<N> {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        for character in text.chars() {
            if self.0.push(character).is_err() {
                break;
            }
        }
        Ok(())
    }
}

/// `text`, cut to `width` columns; what is cut is marked by `ellipsis`.
pub(super) fn clipped(text: &str, width: usize, ellipsis: char) -> Text {
    if text.chars().count() <= width {
        return Text::new(format_args!("{text}"));
    }
    let mut clipped = Text::default();
    for character in text.chars().take(width.saturating_sub(1)) {
        clipped.push(format_args!("{character}"));
    }
    clipped.push(format_args!("{ellipsis}"));
    clipped
}

/// A duration in the largest unit that leaves it whole, or nearly: `1s`, `200ms`, `1.5s`, `345µs`. Its precision says how
/// many decimals at most, of two.
pub(super) struct Span {
    pub(super) duration: Duration,
    pub(super) ascii: bool,
}

impl fmt::Display for Span {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let micros = self.duration.as_micros();
        let (unit, name) = match micros {
            0..1_000 => (1, if self.ascii { "us" } else { "µs" }),
            1_000..1_000_000 => (1_000, "ms"),
            _ => (1_000_000, "s"),
        };
        let (whole, rest) = (micros / unit, micros % unit);
        // Three figures say enough.
        let (tenths, hundredths) = (rest * 10 / unit, rest * 100 / unit % 10);
        let figures = f.precision().unwrap_or(2);
        match (whole, tenths, hundredths) {
            (0..10, _, 1..) if figures > 1 => write!(f, "{whole}.{tenths}{hundredths}{name}"),
            (0..100, 1.., _) if figures > 0 => write!(f, "{whole}.{tenths}{name}"),
            _ => write!(f, "{whole}{name}"),
        }
    }
}

/// A number with its thousands parted: `312,440`.
pub(super) struct Grouped(pub(super) u64);

impl fmt::Display for Grouped {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut unit = 1;
        while self.0 / unit >= 1_000 {
            unit *= 1_000;
        }
        write!(f, "{}", self.0 / unit)?;
        while unit > 1 {
            unit /= 1_000;
            write!(f, ",{:03}", self.0 / unit % 1_000)?;
        }
        Ok(())
    }
}

/// `1st`, `2nd`, `3rd`, `4th`.
pub(super) struct Ordinal(pub(super) u32);

impl fmt::Display for Ordinal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let suffix = match (self.0 % 10, self.0 % 100) {
            (_, 11..=13) => "th",
            (1, _) => "st",
            (2, _) => "nd",
            (3, _) => "rd",
            _ => "th",
        };
        write!(f, "{}{suffix}", self.0)
    }
}

/// A call as a manual page's reader would write it, with what it returned where that is news: `send(7)`, `recv() = 7`.
pub(super) struct Called(pub(super) Call, pub(super) Outcome);

impl fmt::Display for Called {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            Call::Socket(domain, kind) => {
                let domain = match domain {
                    Domain::Inet => "INET",
                    Domain::Inet6 => "INET6",
                };
                let kind = match kind {
                    Type::Stream => "STREAM",
                    Type::Datagram => "DGRAM",
                    Type::Raw(_) => "RAW",
                };
                write!(f, "socket({domain}, {kind})")?;
            }
            Call::Bind(address) => write!(f, "bind({address})")?,
            Call::Listen { backlog } => write!(f, "listen({backlog})")?,
            Call::Accept => write!(f, "accept()")?,
            Call::Connect(address) => write!(f, "connect({address})")?,
            Call::Send { len } => write!(f, "send({len})")?,
            Call::SendTo { len, to } => write!(f, "sendto({len}, {to})")?,
            Call::Recv { .. } => write!(f, "recv()")?,
            Call::RecvFrom { .. } => write!(f, "recvfrom()")?,
            Call::Peek { .. } => write!(f, "peek()")?,
            Call::Shutdown(Shutdown::Read) => write!(f, "shutdown(RD)")?,
            Call::Shutdown(Shutdown::Write) => write!(f, "shutdown(WR)")?,
            Call::Shutdown(Shutdown::Both) => write!(f, "shutdown(RDWR)")?,
            Call::JoinGroup(group) => write!(f, "join_group({group})")?,
            Call::LeaveGroup(group) => write!(f, "leave_group({group})")?,
            Call::Poll { fds } => write!(f, "poll({fds})")?,
            Call::Close => write!(f, "close()")?,
        }
        match self.1 {
            Outcome::Done => Ok(()),
            Outcome::Octets(count) if gives_all(self.0, count) => Ok(()),
            Outcome::Octets(count) | Outcome::Ready(count) => write!(f, " = {count}"),
            Outcome::Datagram(count, from) => write!(f, " = {count} from {from}"),
            Outcome::Descriptor(number) => write!(f, " = {number}"),
            Outcome::Accepted(number, peer) => write!(f, " = {number} from {peer}"),
            // A `connect` that would block has begun.
            Outcome::Failed(Error::WouldBlock) if matches!(self.0, Call::Connect(_)) => Ok(()),
            Outcome::Failed(error) => write!(f, " = {}", error.errno()),
        }
    }
}

/// Whether a call took all that it was given.
fn gives_all(call: Call, count: usize) -> bool {
    matches!(call, Call::Send { len } | Call::SendTo { len, .. } if len == count)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::{format, string::ToString};

    #[test]
    fn spans_and_numbers_are_short_and_exact_where_it_matters() {
        let span = |micros| {
            Span {
                duration: Duration::from_micros(micros),
                ascii: false,
            }
            .to_string()
        };
        assert_eq!(span(0), "0µs");
        assert_eq!(span(345), "345µs");
        assert_eq!(span(1_500), "1.5ms");
        assert_eq!(span(1_050), "1.05ms");
        assert_eq!(span(200_000), "200ms");
        assert_eq!(span(1_000_000), "1s");
        assert_eq!(span(12_345_678), "12.3s");
        let duration = Duration::from_micros(1_250);
        let span = Span {
            duration,
            ascii: false,
        };
        assert_eq!(
            (
                format!("{span}"),
                format!("{span:.1}"),
                format!("{span:.0}")
            ),
            ("1.25ms".into(), "1.2ms".into(), "1ms".into())
        );
        assert_eq!(Grouped(312_440).to_string(), "312,440");
        assert_eq!(Grouped(999).to_string(), "999");
        assert_eq!(Grouped(1_000_007).to_string(), "1,000,007");
        assert_eq!(Ordinal(11).to_string(), "11th");
        assert_eq!(Ordinal(22).to_string(), "22nd");
    }

    #[test]
    fn a_poll_says_how_many_it_was_given_and_how_many_have_something() {
        let called = Called(Call::Poll { fds: 3 }, Outcome::Ready(1));
        assert_eq!(called.to_string(), "poll(3) = 1");
    }

    #[test]
    fn text_beyond_the_bound_is_cut_not_refused() {
        let long = Text::new(format_args!("{:─<300}", ""));
        assert_eq!(long.as_str().len(), 120);
        assert_eq!(clipped("abcdef", 4, '…').as_str(), "abc…");
        assert_eq!(clipped("abcd", 4, '…').as_str(), "abcd");
    }
}
