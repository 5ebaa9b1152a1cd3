//! Captures that others made, `.pcap` and `.pcapng`, as the events of one station.
//!
//! ```no_run
//! use std::fs::File;
//! use std::io::BufReader;
//! use glasstack::trace::{Event, Sink, Station, read::Reader};
//!
//! struct Count(usize);
//!
//! impl Sink for Count {
//!     fn event(&mut self, _: Station, _: &Event<'_>) {
//!         self.0 += 1;
//!     }
//! }
//!
//! let mut count = Count(0);
//! Reader::new(BufReader::new(File::open("capture.pcapng")?))?.feed(&mut count)?;
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod input;
mod link_type;
mod pcap;
mod pcapng;

use std::io::Read;

use super::{Direction, Event, Happening, Instant, Medium, Sink, Station};
use input::Input;
use link_type::LinkType;

pub use input::Error;

/// The largest frame that is taken: what libpcap and Wireshark allow, in octets.
pub const LARGEST_FRAME: u32 = 262_144;

/// Reads a capture frame by frame. Its memory is bounded by the largest frame and block, whatever the file claims.
#[derive(Debug)]
pub struct Reader<R> {
    input: Input<R>,
    format: Format,
    skipped: Vec<Skipped>,
    buffer: Vec<u8>,
}

#[derive(Debug)]
enum Format {
    Pcap(pcap::Pcap),
    Pcapng(pcapng::Pcapng),
}

/// A frame of a capture.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Frame<'f> {
    /// Since 1970-01-01 00:00 UTC, in whole microseconds: nanoseconds are cut off.
    pub time: Instant,
    /// The interface's number in the file, from 0.
    pub interface: u32,
    /// The interface's name, where the file has one.
    pub interface_name: Option<&'f str>,
    /// Which way it went, where the file says it.
    pub direction: Option<Direction>,
    /// How `bytes` begins.
    pub medium: Medium,
    /// What was captured of the frame, which may be less than there was.
    pub bytes: &'f [u8],
}

/// Frames that are not Ethernet or IP, which nothing here understands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Skipped {
    /// The LINKTYPE_ number, as tcpdump.org lists them.
    pub link_type: u16,
    /// How many.
    pub frames: u64,
}

/// A frame as it stands in the file, in the reader's buffer.
struct Record {
    time: Instant,
    interface: u32,
    direction: Option<Direction>,
    link_type: LinkType,
    /// Where in the buffer.
    octets: core::ops::Range<usize>,
}

impl<R: Read> Reader<R> {
    /// Looks at the file's beginning. `source` should be buffered.
    ///
    /// # Errors
    ///
    /// What is no capture, or cut off in its header; what the source says.
    pub fn new(source: R) -> Result<Self, Error> {
        let mut input = Input::new(source);
        let magic: [u8; 4] = input.array()?.ok_or(Error::NoCapture)?;
        let format = if magic == pcapng::SECTION_HEADER.to_le_bytes() {
            Format::Pcapng(pcapng::Pcapng::open(&mut input)?)
        } else {
            Format::Pcap(pcap::Pcap::open(magic, &mut input)?)
        };
        Ok(Reader {
            input,
            format,
            skipped: Vec::new(),
            buffer: Vec::new(),
        })
    }

    /// The next frame, or `None` at the end.
    ///
    /// # Errors
    ///
    /// What makes no sense or ends too early; after it there is nothing more to read.
    pub fn next_frame(&mut self) -> Result<Option<Frame<'_>>, Error> {
        loop {
            let record = match &mut self.format {
                Format::Pcap(pcap) => pcap.next_record(&mut self.input, &mut self.buffer),
                Format::Pcapng(pcapng) => pcapng.next_record(&mut self.input, &mut self.buffer),
            };
            let Some(record) = record? else {
                return Ok(None);
            };
            let octets = self.buffer.get(record.octets.clone()).unwrap_or(&[]);
            let Some((medium, start)) = record.link_type.header(octets) else {
                self.skip(record.link_type.0);
                continue;
            };
            let start = record.octets.start + start;
            return Ok(Some(Frame {
                time: record.time,
                interface: record.interface,
                interface_name: match &self.format {
                    Format::Pcap(_) => None,
                    Format::Pcapng(pcapng) => pcapng.interface_name(record.interface),
                },
                direction: record.direction,
                medium,
                bytes: self
                    .buffer
                    .get(start..record.octets.end)
                    .unwrap_or_default(),
            }));
        }
    }

    /// Tells a sink of all frames that are left, as events of `Station(0)`, and returns how many. Where the file does not
    /// say which way a frame went, it came in. The file's interface 0 is interface 1: there 0 is the loopback.
    ///
    /// # Errors
    ///
    /// As [`next_frame`](Reader::next_frame); the frames before it were told.
    pub fn feed(&mut self, sink: &mut impl Sink) -> Result<u64, Error> {
        let mut frames = 0;
        while let Some(frame) = self.next_frame()? {
            sink.event(Station(0), &frame.event());
            frames += 1;
        }
        Ok(frames)
    }

    /// The frames that were left out, by their link type.
    pub fn skipped(&self) -> &[Skipped] {
        &self.skipped
    }

    fn skip(&mut self, link_type: u16) {
        let known = self
            .skipped
            .iter_mut()
            .find(|known| known.link_type == link_type);
        match known {
            Some(known) => known.frames += 1,
            None => self.skipped.push(Skipped {
                link_type,
                frames: 1,
            }),
        }
    }
}

impl<'f> Frame<'f> {
    /// The frame as a stack would have told of it.
    pub fn event(&self) -> Event<'f> {
        Event {
            time: self.time,
            interface: u8::try_from(self.interface.saturating_add(1)).ok(),
            socket: None,
            flow: None,
            happening: Happening::Frame {
                direction: self.direction.unwrap_or(Direction::In),
                medium: self.medium,
                bytes: self.bytes,
            },
        }
    }
}

impl core::fmt::Display for Skipped {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        let Skipped { link_type, frames } = self;
        match LinkType(*link_type).name() {
            Some(name) => write!(f, "{frames} frames of {name} that hold no IP packet"),
            None => write!(
                f,
                "{frames} frames of link type {link_type}, which is neither Ethernet nor IP"
            ),
        }
    }
}
