//! The blocks of a pcapng file that a capture is made of (draft-ietf-opsawg-pcapng, sections 4.1 to 4.3), as octets.
//!
//! Four blocks of fixed shape are written here by hand: the published crates either ignore `if_tsresol`, exist as
//! release candidates only, or cannot write.

use core::time::Duration;

use crate::trace::{Direction, Medium};

/// LINKTYPE_ETHERNET and LINKTYPE_RAW, as tcpdump.org numbers them.
const ETHERNET: u16 = 1;
const RAW: u16 = 101;

/// An option's value is counted in 16 bits; a fact that long helps nobody either.
const LONGEST_OPTION: usize = 4_096;

/// A block that grows option by option.
struct Block(Vec<u8>);

impl Block {
    fn new(kind: u32) -> Block {
        let mut block = Block(Vec::with_capacity(128));
        block.put(&kind.to_le_bytes());
        // The total length, known at the end.
        block.put(&[0; 4]);
        block
    }

    fn put(&mut self, octets: &[u8]) {
        self.0.extend_from_slice(octets);
    }

    /// Everything in a block begins at a multiple of four octets.
    fn pad(&mut self) {
        let len = self.0.len().next_multiple_of(4);
        self.0.resize(len, 0);
    }

    fn option(&mut self, code: u16, value: &[u8]) {
        let value = &value[..value.len().min(LONGEST_OPTION)];
        self.put(&code.to_le_bytes());
        self.put(&(value.len() as u16).to_le_bytes());
        self.put(value);
        self.pad();
    }

    /// A text that is not empty.
    fn text(&mut self, code: u16, text: &str) {
        let end = text.floor_char_boundary(LONGEST_OPTION);
        if end > 0 {
            self.option(code, &text.as_bytes()[..end]);
        }
    }

    /// The end of the options, and the length at both ends.
    fn finish(mut self) -> Vec<u8> {
        self.option(0, &[]);
        let len = (self.0.len() as u32 + 4).to_le_bytes();
        self.0[4..8].copy_from_slice(&len);
        self.put(&len);
        self.0
    }
}

/// The Section Header Block, which begins a file.
pub(super) fn section_header() -> Vec<u8> {
    let mut block = Block::new(0x0A0D_0D0A);
    block.put(&0x1A2B_3C4D_u32.to_le_bytes());
    block.put(&1_u16.to_le_bytes());
    block.put(&0_u16.to_le_bytes());
    // How long the section becomes is not known.
    block.put(&(-1_i64).to_le_bytes());
    block.text(4, concat!("glasstack ", env!("CARGO_PKG_VERSION"))); // shb_userappl
    block.finish()
}

/// An Interface Description Block.
pub(super) fn interface_description(
    medium: Medium,
    name: &str,
    description: &str,
    hardware_address: Option<[u8; 6]>,
) -> Vec<u8> {
    let mut block = Block::new(1);
    let link_type = match medium {
        Medium::Ethernet => ETHERNET,
        _ => RAW,
    };
    block.put(&link_type.to_le_bytes());
    block.put(&[0; 2]);
    // Frames are whole: no limit.
    block.put(&0_u32.to_le_bytes());
    block.text(2, name); // if_name
    block.text(3, description); // if_description
    if let Some(address) = hardware_address {
        block.option(6, &address); // if_MACaddr
    }
    block.option(9, &[9]); // if_tsresol: 10^-9 s
    block.finish()
}

/// An Enhanced Packet Block. `time` counts from 1970-01-01 00:00 UTC.
///
/// `epb_dropcount` counts frames that were not captured, and `epb_verdict` speaks in the numbers of Linux's eBPF: a frame
/// that was dropped says so in its comment alone.
pub(super) fn enhanced_packet(
    interface: u32,
    time: Duration,
    direction: Option<Direction>,
    comment: &str,
    frame: &[u8],
) -> Vec<u8> {
    let mut block = Block::new(6);
    let time = time.as_nanos() as u64;
    block.put(&interface.to_le_bytes());
    block.put(&((time >> 32) as u32).to_le_bytes());
    block.put(&(time as u32).to_le_bytes());
    block.put(&(frame.len() as u32).to_le_bytes());
    block.put(&(frame.len() as u32).to_le_bytes());
    block.put(frame);
    block.pad();
    block.text(1, comment); // opt_comment
    let flags: u32 = match direction {
        Some(Direction::In) => 1,
        Some(Direction::Out) => 2,
        None => 0,
    };
    block.option(2, &flags.to_le_bytes()); // epb_flags
    block.finish()
}
