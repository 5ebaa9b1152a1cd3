//! TCP with its options (RFC 9293 §3.1).

use core::fmt;

use super::info::Numbers;
use super::octets::{END_OF_LIST, NO_OPERATION, Options, array, u16_at, u32_at};

/// A TCP header.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Tcp<'f> {
    /// Its sender's port.
    pub source_port: u16,
    /// Its receiver's port.
    pub destination_port: u16,
    /// The sequence number of its first octet.
    pub sequence: u32,
    /// The acknowledgment field, which means something where [`ACK`](Tcp::ACK) is set.
    pub acknowledgment: u32,
    /// The control bits, by the constants here.
    pub control: u16,
    /// The window field, not scaled.
    pub window: u16,
    /// The urgent pointer, which means something where [`URG`](Tcp::URG) is set.
    pub urgent: u16,
    /// Octets of payload on the wire.
    pub len: u32,
    /// The payload, as far as it is here.
    pub payload: &'f [u8],
    options: &'f [u8],
}

/// An option of a TCP header.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TcpOption<'f> {
    /// The end of the list.
    EndOfList,
    /// Nothing, for alignment.
    NoOperation,
    /// The maximum segment size.
    MaxSegmentSize(u16),
    /// The window is to be shifted by this (RFC 7323 §2.2).
    WindowScale(u8),
    /// SACK may be sent (RFC 2018 §2).
    SackPermitted,
    /// What arrived beyond the acknowledgment (RFC 2018 §3).
    Sack(SackBlocks<'f>),
    /// RFC 7323 §3.2.
    Timestamps {
        /// The sender's clock.
        value: u32,
        /// The receiver's, as the sender last saw it.
        echo: u32,
    },
    /// Another, by its kind, with its data; or a known one of the wrong length.
    Unknown(u8, &'f [u8]),
}

/// The blocks of a SACK option: pairs of the first sequence number and the one past the last.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SackBlocks<'f>(&'f [u8]);

impl SackBlocks<'_> {
    /// The blocks, in the order of the option; four at most fit into a header.
    pub fn iter(&self) -> impl Iterator<Item = (u32, u32)> {
        let (blocks, _) = self.0.as_chunks::<8>();
        let block = |block: &[u8; 8]| Some((u32_at(block, 0)?, u32_at(block, 4)?));
        blocks.iter().filter_map(block)
    }
}

impl<'f> Tcp<'f> {
    /// No more data follows.
    pub const FIN: u16 = 0x001;
    /// Sequence numbers begin here.
    pub const SYN: u16 = 0x002;
    /// The connection is no more.
    pub const RST: u16 = 0x004;
    /// The data is for the application now.
    pub const PSH: u16 = 0x008;
    /// The acknowledgment field means something.
    pub const ACK: u16 = 0x010;
    /// The urgent pointer means something.
    pub const URG: u16 = 0x020;
    /// ECN echo (RFC 3168 §6.1).
    pub const ECE: u16 = 0x040;
    /// Congestion window reduced (RFC 3168 §6.1).
    pub const CWR: u16 = 0x080;
    /// Accurate ECN (RFC 9768).
    pub const AE: u16 = 0x100;

    pub(super) fn parse(segment: &'f [u8], wire_len: usize) -> Option<Tcp<'f>> {
        let offset_and_control = u16_at(segment, 12)?;
        let header_len = usize::from(offset_and_control >> 12) * 4;
        if header_len < 20 {
            return None;
        }
        let (header, payload) = segment.split_at_checked(header_len)?;
        Some(Tcp {
            source_port: u16_at(header, 0)?,
            destination_port: u16_at(header, 2)?,
            sequence: u32_at(header, 4)?,
            acknowledgment: u32_at(header, 8)?,
            control: offset_and_control & 0x0fff,
            window: u16_at(header, 14)?,
            urgent: u16_at(header, 18)?,
            len: wire_len.saturating_sub(header_len) as u32,
            payload,
            options: header.get(20..)?,
        })
    }

    /// Whether a control bit is set.
    pub fn has(&self, control: u16) -> bool {
        self.control & control != 0
    }

    /// The options, in order, up to the end of the list or to one that makes no sense.
    pub fn options(&self) -> impl Iterator<Item = TcpOption<'f>> + use<'f> {
        Options(self.options).map(|(kind, data)| {
            let known = match (kind, data.len()) {
                (END_OF_LIST, 0) => Some(TcpOption::EndOfList),
                (NO_OPERATION, 0) => Some(TcpOption::NoOperation),
                (2, 2) => u16_at(data, 0).map(TcpOption::MaxSegmentSize),
                (3, 1) => data.first().copied().map(TcpOption::WindowScale),
                (4, 0) => Some(TcpOption::SackPermitted),
                (5, len) if len > 0 && len % 8 == 0 => Some(TcpOption::Sack(SackBlocks(data))),
                (8, 8) => array(data, 0).zip(array(data, 4)).map(|(value, echo)| {
                    let (value, echo) = (u32::from_be_bytes(value), u32::from_be_bytes(echo));
                    TcpOption::Timestamps { value, echo }
                }),
                _ => None,
            };
            known.unwrap_or(TcpOption::Unknown(kind, data))
        })
    }

    pub(super) fn info(&self, f: &mut fmt::Formatter<'_>, numbers: Option<Numbers>) -> fmt::Result {
        let numbers = numbers.unwrap_or(Numbers {
            sequence: self.sequence,
            acknowledgment: self.acknowledgment,
            window: u32::from(self.window),
        });
        super::info::ports(f, self.source_port, self.destination_port)?;
        write!(f, " [{}] Seq={}", Control(self.control), numbers.sequence)?;
        if self.has(Self::ACK) {
            write!(f, " Ack={}", numbers.acknowledgment)?;
        }
        write!(f, " Win={}", numbers.window)?;
        if self.has(Self::URG) {
            write!(f, " Urg={}", self.urgent)?;
        }
        write!(f, " Len={}", self.len)?;
        // A SACK names what the acknowledgment does: the other side's numbers.
        let base = self.acknowledgment.wrapping_sub(numbers.acknowledgment);
        for option in self.options() {
            match option {
                TcpOption::EndOfList | TcpOption::NoOperation => {}
                TcpOption::MaxSegmentSize(size) => write!(f, " MSS={size}")?,
                // RFC 7323 §2.3: more than 14 is taken for 14.
                TcpOption::WindowScale(shift) => write!(f, " WS={}", 1u32 << shift.min(14))?,
                TcpOption::SackPermitted => f.write_str(" SACK_PERM")?,
                TcpOption::Sack(blocks) => {
                    for (left, right) in blocks.iter() {
                        let (left, right) = (left.wrapping_sub(base), right.wrapping_sub(base));
                        write!(f, " SLE={left} SRE={right}")?;
                    }
                }
                TcpOption::Timestamps { value, echo } => write!(f, " TSval={value} TSecr={echo}")?,
                TcpOption::Unknown(kind, _) => write!(f, " Opt={kind}")?,
            }
        }
        Ok(())
    }
}

/// Control bits by their names: `SYN, ACK`.
struct Control(u16);

impl fmt::Display for Control {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        const NAMES: [&str; 9] = ["FIN", "SYN", "RST", "PSH", "ACK", "URG", "ECE", "CWR", "AE"];
        if self.0 == 0 {
            return f.write_str("<None>");
        }
        let mut separator = "";
        for (bit, name) in NAMES.iter().enumerate() {
            if self.0 >> bit & 1 != 0 {
                write!(f, "{separator}{name}")?;
                separator = ", ";
            }
        }
        if self.0 >> NAMES.len() != 0 {
            write!(f, "{separator}Reserved")?;
        }
        Ok(())
    }
}
