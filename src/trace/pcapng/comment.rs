//! What is said of a frame: facts in words, in one line.

use core::fmt::{self, Display, Write};

use crate::stack::Shutdown;
use crate::trace::{Call, DropReason, RetransmissionCause};

/// No fact is added to a comment that is this long, in octets.
const LONG: usize = 1_000;

/// Facts about a frame, in the order in which they were learnt.
#[derive(Debug, Default)]
pub(super) struct Comment(String);

impl Comment {
    pub(super) fn add(&mut self, fact: impl Display) {
        if self.0.len() >= LONG {
            return;
        }
        let separator = if self.0.is_empty() { "" } else { "; " };
        // A String takes whatever is written.
        let _ = write!(self.0, "{separator}{fact}");
    }

    pub(super) fn as_str(&self) -> &str {
        &self.0
    }
}

/// A call as a program writes it.
pub(super) struct Words(pub(super) Call);

impl Display for Words {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            Call::Connect(to) => write!(f, "connect({to})"),
            Call::Send { len } => write!(f, "send({len})"),
            Call::SendTo { len, to } => write!(f, "sendto({len}, {to})"),
            Call::Recv { len } => write!(f, "recv({len})"),
            Call::Shutdown(Shutdown::Read) => f.write_str("shutdown(SHUT_RD)"),
            Call::Shutdown(Shutdown::Write) => f.write_str("shutdown(SHUT_WR)"),
            Call::Shutdown(Shutdown::Both) => f.write_str("shutdown(SHUT_RDWR)"),
            Call::Close => f.write_str("close()"),
            // Not the cause of a frame; here for a match that is whole.
            call => write!(f, "{call:?}"),
        }
    }
}

/// Why a segment is sent again.
pub(super) struct Again(pub(super) RetransmissionCause);

impl Display for Again {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            RetransmissionCause::Timeout(n) => {
                write!(f, "retransmission: timeout {n} of this segment")
            }
            RetransmissionCause::FastRetransmit => {
                f.write_str("retransmission: third duplicate ACK")
            }
        }
    }
}

/// What became of a frame that was given up.
pub(super) struct Lost(pub(super) DropReason);

impl Lost {
    /// Whether the frame was on its way out or on the link: it never came in.
    pub(super) fn before_arrival(&self) -> bool {
        self.is_by_link() || self.0 == DropReason::NeighborUnreachable
    }

    fn is_by_link(&self) -> bool {
        matches!(
            self.0,
            DropReason::InjectedLoss | DropReason::LinkDown | DropReason::LinkQueueFull
        )
    }
}

impl Display for Lost {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if self.is_by_link() {
            "lost by the link: "
        } else {
            "dropped: "
        })?;
        f.write_str(match self.0 {
            DropReason::Malformed => "malformed",
            DropReason::Checksum => "checksum",
            DropReason::NotForUs => "not for this host",
            DropReason::Martian => "claims to come from this host",
            DropReason::NoListener => "nobody listens on its port",
            DropReason::NoSocket => "no socket is bound to its port",
            DropReason::UnknownProtocol => "nobody takes its protocol",
            DropReason::BacklogFull => "backlog full",
            DropReason::ReceiveQueueFull => "receive queue full",
            DropReason::Fragment => "fragment of a packet that is not whole or not wanted",
            DropReason::NeighborUnreachable => "neighbor unreachable",
            DropReason::InjectedLoss => "injected loss",
            DropReason::LinkDown => "link down",
            DropReason::LinkQueueFull => "queue full",
        })
    }
}
