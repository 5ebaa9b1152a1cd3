//! The pcapng format (draft-ietf-opsawg-pcapng): blocks, of which those with sections, interfaces and frames matter here.

use std::io::Read;

use super::input::{Endian, Error, Input};
use super::{Direction, Instant, LARGEST_FRAME, LinkType, Record};

pub(super) const SECTION_HEADER: u32 = 0x0A0D_0D0A;
const INTERFACE_DESCRIPTION: u32 = 1;
const PACKET: u32 = 2;
const SIMPLE_PACKET: u32 = 3;
const ENHANCED_PACKET: u32 = 6;

/// The largest block that is looked into: a frame, and as much again of options. Others are passed over.
const LARGEST_BLOCK: u32 = 2 * LARGEST_FRAME;

/// More interfaces than this no section has.
const INTERFACES: usize = 4_096;

/// More octets of an interface's name nobody reads.
const NAME: usize = 256;

/// Times are kept in the years 1970 to 11970, so that differences of any two are in range.
const LATEST: i64 = 10_000 * 365 * 24 * 3_600 * 1_000_000;

/// The current section.
#[derive(Debug)]
pub(super) struct Pcapng {
    endian: Endian,
    interfaces: Vec<Interface>,
}

#[derive(Debug)]
struct Interface {
    link_type: LinkType,
    /// Octets of a frame that are kept; 0 is all.
    snap_len: u32,
    name: Option<String>,
    /// `if_tsresol`: a negative power of ten, or, with the highest bit, of two.
    resolution: u8,
    /// `if_tsoffset`, in seconds.
    offset: i64,
    /// The time of its last frame, for those that have none.
    last: Instant,
}

impl Pcapng {
    /// Reads the Section Header Block after its type.
    pub(super) fn open<R: Read>(input: &mut Input<R>) -> Result<Pcapng, Error> {
        let header: [u8; 8] = input.array()?.ok_or_else(|| input.truncated())?;
        let [length, magic] = [0, 4].map(|at| {
            let word = [header[at], header[at + 1], header[at + 2], header[at + 3]];
            u32::from_be_bytes(word)
        });
        let (endian, length) = match magic {
            0x1A2B_3C4D => (Endian::Big, length),
            0x4D3C_2B1A => (Endian::Little, length.swap_bytes()),
            _ => return Err(input.malformed("no byte-order magic")),
        };
        if length < 28 || !length.is_multiple_of(4) {
            return Err(input.malformed("a section header of an impossible length"));
        }
        let version: [u8; 4] = input.array()?.ok_or_else(|| input.truncated())?;
        if endian.u16([version[0], version[1]]) != 1 {
            return Err(input.malformed("a version of the format that is not 1"));
        }
        // The section's length, its options, and the length once more.
        input.skip(length - 20)?;
        Self::close(endian, length, input)?;
        Ok(Pcapng {
            endian,
            interfaces: Vec::new(),
        })
    }

    /// A block ends with its length.
    fn close<R: Read>(endian: Endian, length: u32, input: &mut Input<R>) -> Result<(), Error> {
        let again: [u8; 4] = input.array()?.ok_or_else(|| input.truncated())?;
        if endian.u32(again) != length {
            return Err(input.malformed("a block that ends with another length than it begins"));
        }
        Ok(())
    }

    pub(super) fn next_record<R: Read>(
        &mut self,
        input: &mut Input<R>,
        buffer: &mut Vec<u8>,
    ) -> Result<Option<Record>, Error> {
        loop {
            input.begin();
            let Some(kind) = input.array()? else {
                return Ok(None);
            };
            let kind = self.endian.u32(kind);
            // The same in either order of octets.
            if kind == SECTION_HEADER {
                *self = Self::open(input)?;
                continue;
            }
            let length: [u8; 4] = input.array()?.ok_or_else(|| input.truncated())?;
            let length = self.endian.u32(length);
            if length < 12 || !length.is_multiple_of(4) {
                return Err(input.malformed("a block of an impossible length"));
            }
            let body = length - 12;
            let is_ours = [
                INTERFACE_DESCRIPTION,
                PACKET,
                SIMPLE_PACKET,
                ENHANCED_PACKET,
            ]
            .contains(&kind);
            if !is_ours {
                input.skip(body)?;
                Self::close(self.endian, length, input)?;
                continue;
            }
            if body > LARGEST_BLOCK {
                return Err(input.malformed("a block of more than 524,288 octets"));
            }
            input.take(body, buffer)?;
            Self::close(self.endian, length, input)?;
            if kind == INTERFACE_DESCRIPTION {
                let interface = Interface::parse(self.endian, buffer)
                    .ok_or_else(|| input.malformed("an interface description that is too short"))?;
                if self.interfaces.len() == INTERFACES {
                    return Err(input.malformed("more than 4,096 interfaces in a section"));
                }
                self.interfaces.push(interface);
                continue;
            }
            return match self.record(kind, buffer) {
                Ok(record) => Ok(Some(record)),
                Err(what) => Err(input.malformed(what)),
            };
        }
    }

    pub(super) fn interface_name(&self, interface: u32) -> Option<&str> {
        let interface = self.interfaces.get(interface as usize)?;
        interface.name.as_deref()
    }

    /// The frame in a block's body.
    fn record(&mut self, kind: u32, body: &[u8]) -> Result<Record, &'static str> {
        const SHORT: &str = "a block that is shorter than its fields";
        let endian = self.endian;
        let number = |at| endian.u32_at(body, at).ok_or(SHORT);
        let (index, start) = match kind {
            ENHANCED_PACKET => (number(0)?, 20),
            // Obsolete; its second half counts drops.
            PACKET => (endian.u16_at(body, 0).ok_or(SHORT)?.into(), 20),
            _ => (0, 4),
        };
        let interface = self
            .interfaces
            .get_mut(index as usize)
            .ok_or("a frame of an interface that is not described")?;
        let len = match kind {
            SIMPLE_PACKET => match interface.snap_len {
                0 => number(0)?,
                most => number(0)?.min(most),
            },
            _ => {
                let ticks = u64::from(number(4)?) << 32 | u64::from(number(8)?);
                interface.last = interface.time(ticks);
                number(12)?
            }
        };
        if len > LARGEST_FRAME {
            return Err("a frame of more than 262,144 octets");
        }
        let end = start + len as usize;
        if end > body.len() {
            return Err("a frame that is longer than its block");
        }
        let mut direction = None;
        if kind != SIMPLE_PACKET {
            for (code, value) in options(endian, body, end) {
                // epb_flags
                if let (2, Some(flags)) = (code, endian.u32_at(value, 0)) {
                    direction = match flags & 3 {
                        1 => Some(Direction::In),
                        2 => Some(Direction::Out),
                        _ => None,
                    };
                }
            }
        }
        Ok(Record {
            time: interface.last,
            interface: index,
            direction,
            link_type: interface.link_type,
            octets: start..end,
        })
    }
}

impl Interface {
    fn parse(endian: Endian, body: &[u8]) -> Option<Interface> {
        let mut interface = Interface {
            link_type: LinkType(endian.u16_at(body, 0)?),
            snap_len: endian.u32_at(body, 4)?,
            name: None,
            resolution: 6,
            offset: 0,
            last: Instant::ZERO,
        };
        for (code, value) in options(endian, body, 8) {
            match (code, value) {
                (2, name) => {
                    let name = &name[..name.len().min(NAME)];
                    interface.name = Some(String::from_utf8_lossy(name).into_owned());
                }
                (9, [resolution, ..]) => interface.resolution = *resolution,
                (14, offset) => {
                    if let Some(octets) = offset.first_chunk() {
                        interface.offset = endian.i64(*octets);
                    }
                }
                _ => {}
            }
        }
        Some(interface)
    }

    /// What so many ticks of this interface's clock are.
    fn time(&self, ticks: u64) -> Instant {
        let ticks = u128::from(ticks) * 1_000_000;
        let exponent = u32::from(self.resolution & 0x7F);
        let micros = if self.resolution & 0x80 == 0 {
            // Beyond 10^38 to the second no number of ticks is a microsecond.
            10_u128
                .checked_pow(exponent)
                .map_or(0, |second| ticks / second)
        } else {
            ticks >> exponent
        };
        let micros = i64::try_from(micros).unwrap_or(i64::MAX);
        let offset = self.offset.saturating_mul(1_000_000);
        Instant::from_micros(micros.saturating_add(offset).clamp(0, LATEST))
    }
}

/// The options from a place of a block's body on, until their end or where they make no sense.
fn options(endian: Endian, body: &[u8], from: usize) -> impl Iterator<Item = (u16, &[u8])> {
    let mut at = from.next_multiple_of(4);
    core::iter::from_fn(move || {
        let code = endian.u16_at(body, at)?;
        let len = usize::from(endian.u16_at(body, at + 2)?);
        let value = body.get(at + 4..at + 4 + len)?;
        at += 4 + len.next_multiple_of(4);
        (code != 0).then_some((code, value))
    })
}
