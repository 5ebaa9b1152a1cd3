//! Any octets, as a conversation's frames, through everything that looks at frames: nothing may panic.
//!
//! The input is frames one after another, each behind an octet that says what it is (bit 0: the direction, bit 1: the
//! medium, bits 2 and up: the station) and its length in two octets, little-endian.
#![no_main]

use std::fmt::{self, Write};

use glasstack::trace::{
    Analyzer, Direction, Event, Happening, Instant, Medium, Segment, Sink, Station, Summary,
    dissect::Dissection,
    ladder::{self, Ends, Ladder},
    pcapng::{self, Pcapng},
    plot::{self, Plot},
};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|input: &[u8]| {
    let ends = Ends::between((Station(0), "client"), (Station(1), "server"));
    let mut ladder = Ladder::<_>::new(Nowhere, ends, ladder::Options::default());
    let mut summary = Summary::<16>::default();
    let mut pcapng = Pcapng::new(std::io::sink(), pcapng::Options::default());
    let mut plot = Plot::new(plot::Options::default());
    let mut analyzer = Analyzer::<4>::new();

    let mut rest = input;
    let mut micros = 0;
    while let [what, low, high, frames @ ..] = rest {
        let len = usize::from(u16::from_le_bytes([*low, *high]));
        let (bytes, others) = frames.split_at(len.min(frames.len()));
        rest = others;
        micros += 1;

        let time = Instant::from_micros(micros);
        let medium = match what & 2 {
            0 => Medium::Ethernet,
            _ => Medium::Ip,
        };
        let direction = match what & 1 {
            0 => Direction::Out,
            _ => Direction::In,
        };
        let dissection = Dissection::parse(medium, bytes);
        let _ = write!(Nowhere, "{dissection}");
        if let Some(quoted) = dissection.quoted() {
            let _ = write!(Nowhere, "{quoted:#}");
        }
        let _ = dissection.checksum();
        if let Some(segment) = Segment::parse(time, medium, bytes) {
            let _ = write!(Nowhere, "{:?}", analyzer.segment(&segment));
        }
        let event = Event {
            time,
            interface: Some(1),
            socket: None,
            flow: None,
            happening: Happening::Frame {
                direction,
                medium,
                bytes,
            },
        };
        let station = Station(what >> 2);
        ladder.event(station, &event);
        Sink::event(&mut summary, station, &event);
        pcapng.event(station, &event);
        plot.event(station, &event);
    }
    let _ = ladder.finish();
    let _ = pcapng.finish();
    let _ = write!(Nowhere, "{plot}");
    for account in summary.connections() {
        let _ = write!(Nowhere, "{account}");
    }
});

/// Takes text, and forgets it.
struct Nowhere;

impl fmt::Write for Nowhere {
    fn write_str(&mut self, _: &str) -> fmt::Result {
        Ok(())
    }
}
