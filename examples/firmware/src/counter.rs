//! What is counted.

use core::fmt;

use board::{Drops, Wakeups};
use glasstack::trace::DropReason;

use crate::kept::Kept;

macro_rules! counters {
    ($($name:ident $text:literal,)*) => {
        /// A counter, by its place among them.
        #[derive(Clone, Copy)]
        pub enum Counter { $($name),* }

        impl Counter {
            pub const ALL: &'static [(Counter, &'static str)] = &[$((Counter::$name, $text)),*];
        }
    };
}

counters! {
    Starts "starts since power-on",
    Events "events",
    FramesIn "frames in",
    FramesOut "frames out",
    Wakeups "wake-ups",
    ByTimer "wake-ups by the timer",
    ByEthernet "wake-ups by Ethernet",
    ByUart "wake-ups by the UART",
    Overrun "frames lost: no room in the controller",
    Broken "frames lost: broken on the wire",
    TooLong "frames lost: too long",
    Unsent "frames not sent",
    Malformed "drops: malformed",
    Checksum "drops: checksum",
    NotForUs "drops: not for us",
    Martian "drops: from ourselves",
    NoListener "drops: nobody listens",
    NoSocket "drops: no socket",
    UnknownProtocol "drops: unknown protocol",
    BacklogFull "drops: backlog full",
    ReceiveQueueFull "drops: receive queue full",
    Fragment "drops: fragment",
    NeighborUnreachable "drops: neighbor unreachable",
    OtherDrop "drops: other",
}

impl Counter {
    pub fn of_drop(reason: DropReason) -> Counter {
        match reason {
            DropReason::Malformed => Counter::Malformed,
            DropReason::Checksum => Counter::Checksum,
            DropReason::NotForUs => Counter::NotForUs,
            DropReason::Martian => Counter::Martian,
            DropReason::NoListener => Counter::NoListener,
            DropReason::NoSocket => Counter::NoSocket,
            DropReason::UnknownProtocol => Counter::UnknownProtocol,
            DropReason::BacklogFull => Counter::BacklogFull,
            DropReason::ReceiveQueueFull => Counter::ReceiveQueueFull,
            DropReason::Fragment => Counter::Fragment,
            DropReason::NeighborUnreachable => Counter::NeighborUnreachable,
            _ => Counter::OtherDrop,
        }
    }
}

impl Kept {
    pub fn note_drops(&self, drops: Drops) {
        self.set(Counter::Overrun, drops.overrun);
        self.set(Counter::Broken, drops.broken);
        self.set(Counter::TooLong, drops.too_long);
        self.set(Counter::Unsent, drops.unsent);
    }

    pub fn note_wakeups(&self, wakeups: Wakeups) {
        self.set(Counter::Wakeups, wakeups.all);
        self.set(Counter::ByTimer, wakeups.timer);
        self.set(Counter::ByEthernet, wakeups.ethernet);
        self.set(Counter::ByUart, wakeups.uart);
    }
}

/// The counters that are not nought, a line each.
pub struct Counters<'k>(pub &'k Kept);

impl fmt::Display for Counters<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let counts = Counter::ALL
            .iter()
            .map(|(counter, name)| (self.0.count_of(*counter), name));
        let mut counts = counts.filter(|(count, _)| *count > 0);
        counts.try_for_each(|(count, name)| writeln!(f, "{count:10} {name}"))
    }
}
