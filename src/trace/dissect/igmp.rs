//! IGMP, all three versions (RFC 1112, RFC 2236, RFC 3376).

use core::{fmt, net::Ipv4Addr};

use super::info::MALFORMED;
use super::octets::{ipv4_at, u16_at};

/// An IGMP message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Igmp<'f> {
    /// What it says.
    pub message: IgmpMessage,
    octets: &'f [u8],
}

/// What an IGMP message says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum IgmpMessage {
    /// A router asks who is in a group, or in which groups anybody is.
    Query {
        /// Of IGMP.
        version: u8,
        /// Unspecified where it asks for all.
        group: Ipv4Addr,
    },
    /// A member says so: IGMPv1 or IGMPv2.
    Report {
        /// Of IGMP.
        version: u8,
        /// Which it is in.
        group: Ipv4Addr,
    },
    /// A member leaves.
    Leave {
        /// Which it was in.
        group: Ipv4Addr,
    },
    /// Memberships in the way of IGMPv3: see [`Igmp::records`].
    Records {
        /// How many the message promises.
        count: u16,
    },
    /// The header is not whole.
    Malformed {
        /// The type field.
        kind: u8,
    },
    /// Another.
    Other {
        /// The type field.
        kind: u8,
    },
}

/// What a report of IGMPv3 says of a group.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct IgmpRecord<'f> {
    /// RFC 3376 §4.2.12: 1 and 3 for these sources alone, 2 and 4 for all but these, 5 and 6 for more and fewer.
    pub record_type: u8,
    /// Of which group.
    pub group: Ipv4Addr,
    sources: &'f [u8],
}

const QUERY: u8 = 0x11;
const REPORT_V1: u8 = 0x12;
const REPORT_V2: u8 = 0x16;
const LEAVE: u8 = 0x17;
const REPORT_V3: u8 = 0x22;

const HEADER_LEN: usize = 8;
const V3_QUERY_LEN: usize = 12;
const ADDRESS_LEN: usize = 4;

impl<'f> Igmp<'f> {
    pub(in crate::trace) fn parse(octets: &'f [u8]) -> Option<Igmp<'f>> {
        let &kind = octets.first()?;
        let message = match (kind, ipv4_at(octets, 4)) {
            (QUERY, Some(group)) => {
                // RFC 3376 §7.1.
                let version = match (octets.len(), octets.get(1)) {
                    (V3_QUERY_LEN.., _) => 3,
                    (_, Some(0)) => 1,
                    _ => 2,
                };
                IgmpMessage::Query { version, group }
            }
            (REPORT_V1, Some(group)) => IgmpMessage::Report { version: 1, group },
            (REPORT_V2, Some(group)) => IgmpMessage::Report { version: 2, group },
            (LEAVE, Some(group)) => IgmpMessage::Leave { group },
            (REPORT_V3, Some(_)) => IgmpMessage::Records {
                count: u16_at(octets, 6)?,
            },
            (QUERY | REPORT_V1 | REPORT_V2 | LEAVE | REPORT_V3, None) => {
                IgmpMessage::Malformed { kind }
            }
            _ => IgmpMessage::Other { kind },
        };
        Some(Igmp { message, octets })
    }

    /// The sources that a query of IGMPv3 asks about, as far as the message goes.
    pub fn sources(&self) -> impl Iterator<Item = Ipv4Addr> + use<'f> {
        let has_sources = matches!(self.message, IgmpMessage::Query { version: 3, .. });
        let count = u16_at(self.octets, 10).filter(|_| has_sources).unwrap_or(0);
        let octets = self.octets.get(V3_QUERY_LEN..).unwrap_or_default();
        addresses(octets).take(usize::from(count))
    }

    /// The records of a report of IGMPv3, in order, as far as the message goes.
    pub fn records(&self) -> impl Iterator<Item = IgmpRecord<'f>> + use<'f> {
        let left = match self.message {
            IgmpMessage::Records { count } => count,
            _ => 0,
        };
        Records {
            octets: self.octets.get(HEADER_LEN..).unwrap_or_default(),
            left,
        }
    }

    pub(in crate::trace) fn protocol(&self) -> &'static str {
        match self.message {
            IgmpMessage::Query { version: 1, .. } | IgmpMessage::Report { version: 1, .. } => {
                "IGMPv1"
            }
            IgmpMessage::Query { version: 3, .. } | IgmpMessage::Records { .. } => "IGMPv3",
            IgmpMessage::Query { .. } | IgmpMessage::Report { .. } | IgmpMessage::Leave { .. } => {
                "IGMPv2"
            }
            IgmpMessage::Malformed { .. } | IgmpMessage::Other { .. } => "IGMP",
        }
    }
}

impl fmt::Display for Igmp<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.message {
            IgmpMessage::Query { version: 1, .. } => f.write_str("Membership Query"),
            IgmpMessage::Query { group, .. } => {
                match group.is_unspecified() {
                    true => f.write_str("Membership Query, general")?,
                    false => write!(f, "Membership Query, specific for group {group}")?,
                }
                match self.sources().count() {
                    0 => Ok(()),
                    1 => set(f, ", source", self.sources()),
                    _ => set(f, ", sources", self.sources()),
                }
            }
            IgmpMessage::Report { version: 1, .. } => f.write_str("Membership Report"),
            IgmpMessage::Report { group, .. } => write!(f, "Membership Report group {group}"),
            IgmpMessage::Leave { group } => write!(f, "Leave Group {group}"),
            IgmpMessage::Records { count: 0 } => f.write_str("Membership Report - General query"),
            IgmpMessage::Records { count } => {
                f.write_str("Membership Report")?;
                let mut shown = 0;
                for record in self.records() {
                    write!(f, " / {record}")?;
                    shown += 1;
                }
                if shown < count {
                    write!(f, " {MALFORMED}")?;
                }
                Ok(())
            }
            IgmpMessage::Malformed { .. } => f.write_str(MALFORMED),
            IgmpMessage::Other { kind } => write!(f, "Unknown Type:0x{kind:02x}"),
        }
    }
}

impl<'f> IgmpRecord<'f> {
    /// The sources that it names.
    pub fn sources(&self) -> impl Iterator<Item = Ipv4Addr> + use<'f> {
        addresses(self.sources)
    }
}

impl fmt::Display for IgmpRecord<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let group = self.group;
        let count = self.sources().count();
        match (self.record_type, count) {
            (1 | 3, 0) => return write!(f, "Leave group {group}"),
            (2 | 4, 0) => return write!(f, "Join group {group} for any sources"),
            (1 | 3, _) => write!(f, "Join group {group} for")?,
            (2 | 4, _) => write!(f, "Join group {group}, for")?,
            _ => write!(f, "Group {group},")?,
        }
        let what = match (self.record_type, count) {
            (5, 0) => return f.write_str(" ALLOW_NEW_SOURCES but no source specified (?)"),
            (6, 0) => return f.write_str(" BLOCK_OLD_SOURCES but no source specified (?)"),
            (1 | 3, 1) => " source",
            (1 | 3, _) => " sources in",
            (2 | 4, 1) => " source not",
            (2 | 4, _) => " sources not in",
            (5, 1) => " new source",
            (5, _) => " new sources",
            (6, 1) => " block source",
            (6, _) => " block sources",
            (_, 0) => return f.write_str(" unknown record type (?)"),
            _ => " unknown record type (?), sources",
        };
        set(f, what, self.sources())
    }
}

struct Records<'f> {
    octets: &'f [u8],
    left: u16,
}

impl<'f> Iterator for Records<'f> {
    type Item = IgmpRecord<'f>;

    fn next(&mut self) -> Option<IgmpRecord<'f>> {
        self.left = self.left.checked_sub(1)?;
        let (&[record_type, auxiliary, ..], rest) = self.octets.split_first_chunk::<8>()?;
        let sources_len = usize::from(u16_at(self.octets, 2)?) * ADDRESS_LEN;
        let group = ipv4_at(self.octets, 4)?;
        let (sources, rest) = rest.split_at_checked(sources_len)?;
        // Counted in words of 32 bits.
        self.octets = rest.get(usize::from(auxiliary) * 4..)?;
        Some(IgmpRecord {
            record_type,
            group,
            sources,
        })
    }
}

fn addresses(octets: &[u8]) -> impl Iterator<Item = Ipv4Addr> + use<'_> {
    let (addresses, _) = octets.as_chunks::<ADDRESS_LEN>();
    addresses.iter().map(|octets| Ipv4Addr::from(*octets))
}

/// ` sources {10.0.0.1, 10.0.0.2}`.
fn set(
    f: &mut fmt::Formatter<'_>,
    what: &str,
    addresses: impl Iterator<Item = Ipv4Addr>,
) -> fmt::Result {
    write!(f, "{what} {{")?;
    let mut separator = "";
    for address in addresses {
        write!(f, "{separator}{address}")?;
        separator = ", ";
    }
    f.write_str("}")
}
