//! What there is to say about a segment, and a set of it.

use core::fmt;

/// What Wireshark says about a segment (`tcp.analysis.*`), in the order in which its Info column says it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Mark {
    /// The window is still shut: the answer to a [`ZeroWindowProbe`](Mark::ZeroWindowProbe).
    ZeroWindowProbeAck,
    /// The sender of this segment can take nothing more.
    ZeroWindow,
    /// One octet of new data, to hear whether a shut window is open again (RFC 9293 §3.8.6.1).
    ZeroWindowProbe,
    /// Says again which octet is missing (RFC 5681 §2). Its number is [`Analysis::duplicate_ack`](super::Analysis::duplicate_ack).
    DuplicateAck,
    /// Answers a [`KeepAlive`](Mark::KeepAlive).
    KeepAliveAck,
    /// Nothing or one octet, one before what is due: the peer has to answer it (RFC 9293 §3.8.4).
    KeepAlive,
    /// Fills the peer's window to its last octet.
    WindowFull,
    /// Says nothing new but a window.
    WindowUpdate,
    /// Acknowledges octets that were not seen on their way.
    AckedLostSegment,
    /// Begins after what is due: something before it was not seen.
    LostSegment,
    /// Fills a hole so soon that it was overtaken, not sent again.
    OutOfOrder,
    /// Sent again although the peer has acknowledged it.
    SpuriousRetransmission,
    /// Sent again at once after duplicate acknowledgments (RFC 5681 §3.2).
    FastRetransmission,
    /// Sent again.
    Retransmission,
    /// A SYN between two ports that are known from before.
    ReusedPorts,
}

impl Mark {
    /// Every mark there is.
    pub const ALL: [Mark; 15] = [
        Mark::ZeroWindowProbeAck,
        Mark::ZeroWindow,
        Mark::ZeroWindowProbe,
        Mark::DuplicateAck,
        Mark::KeepAliveAck,
        Mark::KeepAlive,
        Mark::WindowFull,
        Mark::WindowUpdate,
        Mark::AckedLostSegment,
        Mark::LostSegment,
        Mark::OutOfOrder,
        Mark::SpuriousRetransmission,
        Mark::FastRetransmission,
        Mark::Retransmission,
        Mark::ReusedPorts,
    ];

    /// Wireshark's words for it.
    pub const fn words(self) -> &'static str {
        match self {
            Mark::ZeroWindowProbeAck => "ZeroWindowProbeAck",
            Mark::ZeroWindow => "ZeroWindow",
            Mark::ZeroWindowProbe => "ZeroWindowProbe",
            Mark::DuplicateAck => "Dup ACK",
            Mark::KeepAliveAck => "Keep-Alive ACK",
            Mark::KeepAlive => "Keep-Alive",
            Mark::WindowFull => "Window Full",
            Mark::WindowUpdate => "Window Update",
            Mark::AckedLostSegment => "ACKed unseen segment",
            Mark::LostSegment => "Previous segment not captured",
            Mark::OutOfOrder => "Out-Of-Order",
            Mark::SpuriousRetransmission => "Spurious Retransmission",
            Mark::FastRetransmission => "Fast Retransmission",
            Mark::Retransmission => "Retransmission",
            Mark::ReusedPorts => "Port numbers reused",
        }
    }

    /// The name of Wireshark's field, for a display filter.
    pub const fn field(self) -> &'static str {
        match self {
            Mark::ZeroWindowProbeAck => "tcp.analysis.zero_window_probe_ack",
            Mark::ZeroWindow => "tcp.analysis.zero_window",
            Mark::ZeroWindowProbe => "tcp.analysis.zero_window_probe",
            Mark::DuplicateAck => "tcp.analysis.duplicate_ack",
            Mark::KeepAliveAck => "tcp.analysis.keep_alive_ack",
            Mark::KeepAlive => "tcp.analysis.keep_alive",
            Mark::WindowFull => "tcp.analysis.window_full",
            Mark::WindowUpdate => "tcp.analysis.window_update",
            Mark::AckedLostSegment => "tcp.analysis.ack_lost_segment",
            Mark::LostSegment => "tcp.analysis.lost_segment",
            Mark::OutOfOrder => "tcp.analysis.out_of_order",
            Mark::SpuriousRetransmission => "tcp.analysis.spurious_retransmission",
            Mark::FastRetransmission => "tcp.analysis.fast_retransmission",
            Mark::Retransmission => "tcp.analysis.retransmission",
            Mark::ReusedPorts => "tcp.analysis.reused_ports",
        }
    }
}

impl fmt::Display for Mark {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.words())
    }
}

/// A set of marks. It prints as Wireshark's Info column begins: `[TCP Window Full] [TCP Retransmission]`.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Default)]
pub struct Marks(u16);

impl Marks {
    /// Nothing to say.
    pub const NONE: Marks = Marks(0);

    /// Whether it is said.
    pub const fn contains(self, mark: Mark) -> bool {
        self.0 & (1 << mark as u16) != 0
    }

    /// Whether nothing is said.
    pub const fn is_empty(self) -> bool {
        self.0 == 0
    }

    /// Whether the segment is sent again, for whatever reason.
    pub const fn is_retransmission(self) -> bool {
        self.contains(Mark::Retransmission)
            || self.contains(Mark::FastRetransmission)
            || self.contains(Mark::SpuriousRetransmission)
    }

    /// What is said, in the order of Wireshark's Info column.
    pub fn iter(self) -> impl Iterator<Item = Mark> {
        Mark::ALL
            .into_iter()
            .filter(move |mark| self.contains(*mark))
    }

    /// Says it too.
    pub const fn insert(&mut self, mark: Mark) {
        self.0 |= 1 << mark as u16;
    }
}

impl FromIterator<Mark> for Marks {
    fn from_iter<I: IntoIterator<Item = Mark>>(marks: I) -> Marks {
        let mut set = Marks::NONE;
        marks.into_iter().for_each(|mark| set.insert(mark));
        set
    }
}

impl fmt::Debug for Marks {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.iter()).finish()
    }
}

impl fmt::Display for Marks {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (i, mark) in self.iter().enumerate() {
            let gap = if i == 0 { "" } else { " " };
            write!(f, "{gap}[TCP {mark}]")?;
        }
        Ok(())
    }
}
