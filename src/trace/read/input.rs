//! A source of octets that knows where it is, and what went wrong there.

use core::fmt;
use std::io::{self, Read};

/// Why a capture cannot be read, or not further.
#[derive(Debug)]
#[non_exhaustive]
pub enum Error {
    /// The file is neither pcap nor pcapng.
    NoCapture,
    /// The file ends inside of a header, block or frame.
    Truncated {
        /// Where that begins, in octets from the file's beginning.
        offset: u64,
    },
    /// What stands there is against the format's rules.
    Malformed {
        /// Where it begins, in octets from the file's beginning.
        offset: u64,
        /// What is wrong with it.
        what: &'static str,
    },
    /// The source failed.
    Io(io::Error),
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Error::NoCapture => f.write_str("neither a pcap nor a pcapng file"),
            Error::Truncated { offset } => {
                write!(f, "the file ends inside of what begins at octet {offset}")
            }
            Error::Malformed { offset, what } => write!(f, "malformed at octet {offset}: {what}"),
            Error::Io(error) => error.fmt(f),
        }
    }
}

impl std::error::Error for Error {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Error::Io(error) => Some(error),
            _ => None,
        }
    }
}

impl From<io::Error> for Error {
    fn from(error: io::Error) -> Error {
        Error::Io(error)
    }
}

/// The source, and the octets taken from it.
#[derive(Debug)]
pub(super) struct Input<R> {
    source: R,
    /// Octets from the file's beginning.
    offset: u64,
    /// Where the current header, block or frame began.
    start: u64,
}

impl<R: Read> Input<R> {
    pub(super) fn new(source: R) -> Input<R> {
        Input {
            source,
            offset: 0,
            start: 0,
        }
    }

    /// What is read from here on belongs together: errors name this place.
    pub(super) fn begin(&mut self) {
        self.start = self.offset;
    }

    pub(super) fn malformed(&self, what: &'static str) -> Error {
        Error::Malformed {
            offset: self.start,
            what,
        }
    }

    pub(super) fn truncated(&self) -> Error {
        Error::Truncated { offset: self.start }
    }

    /// So many octets; `None` where the source is at its end.
    pub(super) fn array<const N: usize>(&mut self) -> Result<Option<[u8; N]>, Error> {
        let mut octets = [0; N];
        let mut have = 0;
        while have < N {
            match self.source.read(&mut octets[have..]) {
                Ok(0) if have == 0 => return Ok(None),
                Ok(0) => return Err(self.truncated()),
                Ok(more) => have += more,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error.into()),
            }
        }
        self.offset += N as u64;
        Ok(Some(octets))
    }

    /// So many octets in the buffer, which grows with what is there, not with what is claimed.
    pub(super) fn take(&mut self, len: u32, buffer: &mut Vec<u8>) -> Result<(), Error> {
        buffer.clear();
        let source = Read::by_ref(&mut self.source);
        let taken = source.take(len.into()).read_to_end(buffer)?;
        self.offset += taken as u64;
        if taken < len as usize {
            return Err(self.truncated());
        }
        Ok(())
    }

    /// Passes so many octets over.
    pub(super) fn skip(&mut self, len: u32) -> Result<(), Error> {
        let source = Read::by_ref(&mut self.source);
        let skipped = io::copy(&mut source.take(len.into()), &mut io::sink())?;
        self.offset += skipped;
        if skipped < len.into() {
            return Err(self.truncated());
        }
        Ok(())
    }
}

/// A file's order of octets.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Endian {
    Big,
    Little,
}

impl Endian {
    pub(super) fn u16(self, octets: [u8; 2]) -> u16 {
        match self {
            Endian::Big => u16::from_be_bytes(octets),
            Endian::Little => u16::from_le_bytes(octets),
        }
    }

    pub(super) fn u32(self, octets: [u8; 4]) -> u32 {
        match self {
            Endian::Big => u32::from_be_bytes(octets),
            Endian::Little => u32::from_le_bytes(octets),
        }
    }

    pub(super) fn i64(self, octets: [u8; 8]) -> i64 {
        match self {
            Endian::Big => i64::from_be_bytes(octets),
            Endian::Little => i64::from_le_bytes(octets),
        }
    }

    /// The number that stands at this place of a block.
    pub(super) fn u32_at(self, block: &[u8], at: usize) -> Option<u32> {
        Some(self.u32(*block.get(at..)?.first_chunk()?))
    }

    /// The number that stands at this place of a block.
    pub(super) fn u16_at(self, block: &[u8], at: usize) -> Option<u16> {
        Some(self.u16(*block.get(at..)?.first_chunk()?))
    }
}
