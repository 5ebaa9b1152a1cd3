//! The Domain Name System to a summary (RFC 1035), and its multicast (RFC 6762).

use core::{
    fmt,
    net::{Ipv4Addr, Ipv6Addr},
};

use super::octets::{array, ipv4_at, ipv6_at, u16_at, u32_at};

/// A DNS message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Dns<'f> {
    /// The number that question and answer share.
    pub id: u16,
    /// Of multicast DNS, where the highest bit of a class is a flag.
    pub is_multicast: bool,
    /// An answer.
    pub is_response: bool,
    /// What is asked: zero is a standard query.
    pub opcode: u8,
    /// The answer's code (RFC 1035 §4.1.1, RFC 2136 §2.2): 0 no error, 3 no such name.
    pub response_code: u8,
    /// How many questions the header promises.
    pub questions: u16,
    /// How many records it promises in all three sections.
    pub records: u32,
    message: &'f [u8],
}

/// A name as it lies in a message, whose compression was followed once and found to end.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Name<'f> {
    message: &'f [u8],
    at: usize,
}

/// A question.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Question<'f> {
    /// For which name.
    pub name: Name<'f>,
    /// For which type of record.
    pub record_type: u16,
    /// For which class.
    pub class: u16,
}

/// A resource record.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Record<'f> {
    /// Whose.
    pub name: Name<'f>,
    /// Of which type.
    pub record_type: u16,
    /// Of which class.
    pub class: u16,
    /// Seconds for which it may be kept.
    pub time_to_live: u32,
    /// What it says.
    pub data: RecordData<'f>,
}

/// What a record says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RecordData<'f> {
    /// An IPv4 address.
    A(Ipv4Addr),
    /// An IPv6 address.
    Aaaa(Ipv6Addr),
    /// A name: of a CNAME, NS, PTR, DNAME, or the first of an SOA.
    Name(Name<'f>),
    /// A mail exchange, with its preference.
    MailExchange(u16, Name<'f>),
    /// Where a service is (RFC 2782).
    Service {
        /// Lower ones are tried first.
        priority: u16,
        /// How often among those of one priority.
        weight: u16,
        /// Its port.
        port: u16,
        /// Its host.
        host: Name<'f>,
    },
    /// Anything else.
    Other(&'f [u8]),
}

const HEADER_LEN: usize = 12;
/// Of a class, in multicast DNS.
const MULTICAST_FLAG: u16 = 0x8000;

impl<'f> Dns<'f> {
    /// Takes a message apart: what is behind the UDP header. `None` where not even its own header is whole.
    pub fn parse(message: &'f [u8]) -> Option<Dns<'f>> {
        Dns::parse_any(message, false)
    }

    /// The same for a message of multicast DNS.
    pub fn parse_multicast(message: &'f [u8]) -> Option<Dns<'f>> {
        Dns::parse_any(message, true)
    }

    fn parse_any(message: &'f [u8], is_multicast: bool) -> Option<Dns<'f>> {
        let flags = u16_at(message, 2)?;
        let counts = [6, 8, 10].map(|at| u16_at(message, at).map(u32::from));
        let [Some(answers), Some(authorities), Some(additionals)] = counts else {
            return None;
        };
        Some(Dns {
            id: u16_at(message, 0)?,
            is_multicast,
            is_response: flags & 0x8000 != 0,
            opcode: (flags >> 11 & 0x0f) as u8,
            response_code: (flags & 0x0f) as u8,
            questions: u16_at(message, 4)?,
            records: answers + authorities + additionals,
            message,
        })
    }

    /// The questions, in order, as far as the message goes.
    pub fn questions(&self) -> impl Iterator<Item = Question<'f>> + use<'f> {
        self.entries().filter_map(|entry| match entry {
            Entry::Question(question) => Some(question),
            Entry::Record(_) => None,
        })
    }

    /// The records of all three sections, in order, as far as the message goes.
    pub fn records(&self) -> impl Iterator<Item = Record<'f>> + use<'f> {
        self.entries().filter_map(|entry| match entry {
            Entry::Question(_) => None,
            Entry::Record(record) => Some(record),
        })
    }

    fn entries(&self) -> Entries<'f> {
        Entries {
            message: self.message,
            at: HEADER_LEN,
            questions: self.questions,
            records: self.records,
        }
    }
}

enum Entry<'f> {
    Question(Question<'f>),
    Record(Record<'f>),
}

/// Questions, then records: as many as the header promises and the message has.
struct Entries<'f> {
    message: &'f [u8],
    at: usize,
    questions: u16,
    records: u32,
}

impl<'f> Iterator for Entries<'f> {
    type Item = Entry<'f>;

    fn next(&mut self) -> Option<Entry<'f>> {
        if let Some(questions) = self.questions.checked_sub(1) {
            let question = self.question()?;
            self.questions = questions;
            return Some(Entry::Question(question));
        }
        let records = self.records.checked_sub(1)?;
        let record = self.record()?;
        self.records = records;
        Some(Entry::Record(record))
    }
}

impl<'f> Entries<'f> {
    fn question(&mut self) -> Option<Question<'f>> {
        let (name, at) = Name::parse(self.message, self.at)?;
        let question = Question {
            name,
            record_type: u16_at(self.message, at)?,
            class: u16_at(self.message, at + 2)?,
        };
        self.at = at + 4;
        Some(question)
    }

    fn record(&mut self) -> Option<Record<'f>> {
        let message = self.message;
        let (name, at) = Name::parse(message, self.at)?;
        let record_type = u16_at(message, at)?;
        let data_at = at + 10;
        let data_len = usize::from(u16_at(message, at + 8)?);
        let data = message.get(data_at..data_at + data_len)?;
        let name_at = |at| Name::parse(message, at).map(|(name, _)| name);
        let known =
            match (record_type, data_len) {
                (1, 4) => ipv4_at(data, 0).map(RecordData::A),
                (28, 16) => ipv6_at(data, 0).map(RecordData::Aaaa),
                (2 | 5 | 6 | 12 | 39, 1..) => name_at(data_at).map(RecordData::Name),
                (15, 3..) => u16_at(data, 0)
                    .zip(name_at(data_at + 2))
                    .map(|(preference, name)| RecordData::MailExchange(preference, name)),
                (33, 7..) => name_at(data_at + 6).zip(array(data, 0)).map(
                    |(host, [p0, p1, w0, w1, o0, o1])| RecordData::Service {
                        priority: u16::from_be_bytes([p0, p1]),
                        weight: u16::from_be_bytes([w0, w1]),
                        port: u16::from_be_bytes([o0, o1]),
                        host,
                    },
                ),
                _ => None,
            };
        self.at = data_at + data_len;
        Some(Record {
            name,
            record_type,
            class: u16_at(message, at + 2)?,
            time_to_live: u32_at(message, at + 4)?,
            data: known.unwrap_or(RecordData::Other(data)),
        })
    }
}

impl<'f> Name<'f> {
    /// The longest name on the wire (RFC 1035 §2.3.4).
    const MAX_LEN: usize = 255;

    /// The name at an offset, and where the message goes on behind it.
    fn parse(message: &'f [u8], at: usize) -> Option<(Name<'f>, usize)> {
        let mut walk = Labels::new(message, at);
        while walk.next().is_some() {}
        Some((Name { message, at }, walk.end?))
    }

    /// Its labels, from the host to the top.
    pub fn labels(&self) -> impl Iterator<Item = &'f [u8]> + use<'f> {
        Labels::new(self.message, self.at)
    }
}

/// Walks a name (RFC 1035 §4.1.4). A pointer must point before the place where the walk last jumped to, as every honest
/// one does, so the walk ends; and a name is 255 octets at most, so it ends soon.
struct Labels<'f> {
    message: &'f [u8],
    at: usize,
    /// Where the run of labels began that is read now.
    run: usize,
    room: usize,
    /// Where the message goes on behind the name: known once the name has come to its end.
    end: Option<usize>,
    /// The same, from the first pointer on.
    behind_pointer: Option<usize>,
    is_over: bool,
}

impl<'f> Labels<'f> {
    fn new(message: &'f [u8], at: usize) -> Self {
        Labels {
            message,
            at,
            run: at,
            room: Name::MAX_LEN,
            end: None,
            behind_pointer: None,
            is_over: false,
        }
    }

    fn step(&mut self) -> Option<&'f [u8]> {
        loop {
            let len = *self.message.get(self.at)?;
            match len >> 6 {
                0 if len == 0 => {
                    self.end = self.behind_pointer.or(Some(self.at + 1));
                    return None;
                }
                0 => {
                    let len = usize::from(len);
                    self.room = self.room.checked_sub(len + 1).filter(|&room| room > 0)?;
                    let label = self.message.get(self.at + 1..self.at + 1 + len)?;
                    self.at += 1 + len;
                    return Some(label);
                }
                0b11 => {
                    let [high, low] = array(self.message, self.at)?;
                    let target = usize::from(u16::from_be_bytes([high & 0x3f, low]));
                    // A pointer to a pointer is allowed, and costs an octet of the room so that a chain of them ends.
                    self.room = self.room.checked_sub(1)?;
                    if target >= self.run {
                        return None;
                    }
                    self.behind_pointer = self.behind_pointer.or(Some(self.at + 2));
                    self.at = target;
                    self.run = target;
                }
                _ => return None,
            }
        }
    }
}

impl<'f> Iterator for Labels<'f> {
    type Item = &'f [u8];

    fn next(&mut self) -> Option<&'f [u8]> {
        if self.is_over {
            return None;
        }
        let label = self.step();
        self.is_over = label.is_none();
        label
    }
}

/// `www.example.com`; what is not a graphic ASCII character is escaped as in a master file (RFC 1035 §5.1).
impl fmt::Display for Name<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut is_root = true;
        for label in self.labels() {
            if !is_root {
                f.write_str(".")?;
            }
            is_root = false;
            for &octet in label {
                match octet {
                    b'.' | b'\\' => write!(f, "\\{}", char::from(octet))?,
                    0x21..=0x7e => write!(f, "{}", char::from(octet))?,
                    _ => write!(f, "\\{octet:03}")?,
                }
            }
        }
        if is_root {
            f.write_str("<Root>")?;
        }
        Ok(())
    }
}

impl fmt::Debug for Name<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl fmt::Display for Dns<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.opcode {
            0 => f.write_str("Standard query")?,
            1 => f.write_str("Inverse query")?,
            2 => f.write_str("Server status request")?,
            4 => f.write_str("Zone change notification")?,
            5 => f.write_str("Dynamic update")?,
            other => write!(f, "Unknown operation ({other})")?,
        }
        if self.is_response {
            f.write_str(" response")?;
        }
        write!(f, " 0x{:04x}", self.id)?;
        if self.is_response {
            match self.response_code {
                0 => {}
                1 => f.write_str(" Format error")?,
                2 => f.write_str(" Server failure")?,
                3 => f.write_str(" No such name")?,
                4 => f.write_str(" Not implemented")?,
                5 => f.write_str(" Refused")?,
                6 => f.write_str(" Name exists")?,
                7 => f.write_str(" RRset exists")?,
                8 => f.write_str(" RRset does not exist")?,
                9 => f.write_str(" Not authoritative")?,
                10 => f.write_str(" Name out of zone")?,
                other => write!(f, " Unknown error ({other})")?,
            }
        }
        let promised = u32::from(self.questions) + self.records;
        let mut shown = 0;
        for entry in self.entries() {
            match entry {
                Entry::Question(Question {
                    name,
                    record_type,
                    class,
                }) => {
                    write!(f, " {} {name}", RecordType(record_type))?;
                    // RFC 6762 §5.4: whether the answer shall come to the one who asked alone.
                    match (self.is_multicast, class & MULTICAST_FLAG) {
                        (false, _) => {}
                        (true, 0) => f.write_str(", \"QM\" question")?,
                        (true, _) => f.write_str(", \"QU\" question")?,
                    }
                }
                Entry::Record(record) => {
                    write!(f, " {}", RecordType(record.record_type))?;
                    // RFC 6762 §10.2: it takes the place of all that was heard before.
                    if self.is_multicast && record.class & MULTICAST_FLAG != 0 {
                        f.write_str(", cache flush")?;
                    }
                    match record.data {
                        RecordData::A(address) => write!(f, " {address}")?,
                        RecordData::Aaaa(address) => write!(f, " {address}")?,
                        RecordData::Name(name) => write!(f, " {name}")?,
                        RecordData::MailExchange(preference, name) => {
                            write!(f, " {preference} {name}")?
                        }
                        RecordData::Service {
                            priority,
                            weight,
                            port,
                            host,
                        } => write!(f, " {priority} {weight} {port} {host}")?,
                        RecordData::Other(_) => {}
                    }
                }
            }
            shown += 1;
        }
        if shown < promised {
            write!(f, " {}", super::info::MALFORMED)?;
        }
        Ok(())
    }
}

/// A record's type by its name (IANA, "Resource Record (RR) TYPEs"), for those that are met.
struct RecordType(u16);

impl fmt::Display for RecordType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self.0 {
            1 => "A",
            2 => "NS",
            5 => "CNAME",
            6 => "SOA",
            12 => "PTR",
            13 => "HINFO",
            15 => "MX",
            16 => "TXT",
            28 => "AAAA",
            33 => "SRV",
            35 => "NAPTR",
            39 => "DNAME",
            41 => "OPT",
            43 => "DS",
            46 => "RRSIG",
            47 => "NSEC",
            48 => "DNSKEY",
            64 => "SVCB",
            65 => "HTTPS",
            251 => "IXFR",
            252 => "AXFR",
            255 => "ANY",
            257 => "CAA",
            other => return write!(f, "Unknown ({other})"),
        })
    }
}
