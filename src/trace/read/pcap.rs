//! The pcap format (draft-ietf-opsawg-pcap): a header, then frames, each with its time and length.

use std::io::Read;

use super::input::{Endian, Error, Input};
use super::{Instant, LARGEST_FRAME, LinkType, Record};

/// What the file's header says.
#[derive(Debug)]
pub(super) struct Pcap {
    endian: Endian,
    /// How many of the time's fractions are a microsecond.
    per_microsecond: u32,
    link_type: LinkType,
}

impl Pcap {
    /// Reads the header after its magic number.
    pub(super) fn open<R: Read>(magic: [u8; 4], input: &mut Input<R>) -> Result<Pcap, Error> {
        let (endian, per_microsecond) = match (u32::from_be_bytes(magic), u32::from_le_bytes(magic))
        {
            (0xA1B2_C3D4, _) => (Endian::Big, 1),
            (0xA1B2_3C4D, _) => (Endian::Big, 1_000),
            (_, 0xA1B2_C3D4) => (Endian::Little, 1),
            (_, 0xA1B2_3C4D) => (Endian::Little, 1_000),
            _ => return Err(Error::NoCapture),
        };
        let header: [u8; 20] = input.array()?.ok_or_else(|| input.truncated())?;
        if endian.u16([header[0], header[1]]) != 2 {
            return Err(input.malformed("a version of the format that is not 2"));
        }
        // The upper half says how long a frame's checksum is.
        let link_type = endian.u32([header[16], header[17], header[18], header[19]]) as u16;
        Ok(Pcap {
            endian,
            per_microsecond,
            link_type: LinkType(link_type),
        })
    }

    pub(super) fn next_record<R: Read>(
        &mut self,
        input: &mut Input<R>,
        buffer: &mut Vec<u8>,
    ) -> Result<Option<Record>, Error> {
        input.begin();
        let Some(header) = input.array::<16>()? else {
            return Ok(None);
        };
        let [seconds, fraction, len, _] = [0, 4, 8, 12].map(|at| {
            let number = [header[at], header[at + 1], header[at + 2], header[at + 3]];
            self.endian.u32(number)
        });
        if len > LARGEST_FRAME {
            return Err(input.malformed("a frame of more than 262,144 octets"));
        }
        input.take(len, buffer)?;
        let micros = i64::from(fraction / self.per_microsecond);
        Ok(Some(Record {
            time: Instant::from_micros(i64::from(seconds) * 1_000_000 + micros),
            interface: 0,
            direction: None,
            link_type: self.link_type,
            octets: 0..buffer.len(),
        }))
    }
}
