//! A million frames, most of them nonsense, through everything that looks at frames: no panic, and no memory that grows.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a test says what broke by panicking"
)]

mod frames;
#[allow(dead_code, reason = "only the frames are wanted here")]
mod samples;

use std::fmt::{self, Write};

use glasstack::trace::{
    Capture, Direction, Event, Happening, Instant, Medium, Segment, Sink, Station, Summary,
    dissect::{Dissection, LINE_MAX},
    ladder::{self, Ends, Ladder},
    pcapng::{self, Pcapng},
    plot::{self, Plot},
};
use samples::samples;

const FRAMES: u64 = 1_000_000;
const MAX_FRAME: usize = 256;

/// Everything that hears frames.
fn sinks() -> Vec<Box<dyn Sink>> {
    let ends = Ends::between((Station(0), "client"), (Station(1), "server"));
    let ladder = Ladder::<_>::new(Nowhere, ends, ladder::Options::default());
    vec![
        Box::new(Lines::default()),
        Box::new(ladder),
        Box::new(Summary::<16>::default()),
        Box::new(Plotted(Plot::new(plot::Options::default()), 0)),
        Box::new(Pcapng::new(std::io::sink(), pcapng::Options::default())),
        Box::new(Capture::with_limits(10_000, 1 << 20)),
        Box::new(glasstack::trace::Log),
    ]
}

/// Takes text, and forgets it.
struct Nowhere;

impl fmt::Write for Nowhere {
    fn write_str(&mut self, _: &str) -> fmt::Result {
        Ok(())
    }
}

#[test]
fn a_million_frames_neither_panic_nor_grow() {
    let mut frames = Frames::new(0x0123_4567_89ab_cdef);
    let mut sinks = sinks();
    let mut settled = None;
    for number in 0..FRAMES {
        let (medium, bytes) = frames.next_frame();
        let event = Event {
            time: Instant::from_micros(number as i64 * 37),
            interface: Some(1),
            socket: None,
            flow: None,
            happening: Happening::Frame {
                direction: if number % 2 == 0 {
                    Direction::In
                } else {
                    Direction::Out
                },
                medium,
                bytes,
            },
        };
        let station = Station((number % 3) as u8);
        for sink in &mut sinks {
            sink.event(station, &event);
        }
        if number == FRAMES / 4 {
            settled = resident_pages();
        }
    }
    if let (Some(settled), Some(at_end)) = (settled, resident_pages()) {
        assert!(at_end <= settled + 256, "{settled} pages grew to {at_end}");
    }
}

/// Pages of memory that this process has, where the system tells.
fn resident_pages() -> Option<u64> {
    let statm = std::fs::read_to_string("/proc/self/statm").ok()?;
    statm.split(' ').nth(1)?.parse().ok()
}

/// Writes each frame's line into a buffer of its greatest length, and reads its segment.
struct Lines {
    line: Line,
    segments: u64,
}

impl Default for Lines {
    fn default() -> Lines {
        Lines {
            line: Line([0; LINE_MAX], 0),
            segments: 0,
        }
    }
}

impl Sink for Lines {
    fn event(&mut self, _: Station, event: &Event<'_>) {
        let Happening::Frame { medium, bytes, .. } = event.happening else {
            return;
        };
        let dissection = Dissection::parse(medium, bytes);
        self.line.1 = 0;
        write!(self.line, "{dissection}").unwrap();
        if let Some(quoted) = dissection.quoted() {
            self.line.1 = 0;
            write!(self.line, "{quoted:#}").unwrap();
        }
        if let Some(segment) = Segment::parse(event.time, medium, bytes) {
            assert!(segment.len as usize <= bytes.len());
            self.segments += 1;
        }
    }
}

impl Drop for Lines {
    fn drop(&mut self) {
        // Else the frames would be too wild to say anything.
        let is_told = std::thread::panicking() || self.segments > FRAMES / 100;
        assert!(is_told, "only {} segments", self.segments);
    }
}

/// A plot, and how many events it has heard; now and then it is drawn.
struct Plotted(Plot, u64);

impl Sink for Plotted {
    fn event(&mut self, station: Station, event: &Event<'_>) {
        self.0.event(station, event);
        self.1 += 1;
        if self.1.is_multiple_of(10_000) {
            let page = self.0.to_string();
            assert!(page.lines().all(|line| line.chars().count() <= 80));
        }
    }
}

/// A line, with no room for more.
struct Line([u8; LINE_MAX], usize);

impl Write for Line {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        let room = self
            .0
            .get_mut(self.1..self.1 + text.len())
            .ok_or(fmt::Error)?;
        room.copy_from_slice(text.as_bytes());
        self.1 += text.len();
        Ok(())
    }
}

/// Frames from one seed: a few octets of random ones, and more that were honest before they were changed.
struct Frames {
    random: u64,
    samples: Vec<Vec<u8>>,
    frame: [u8; MAX_FRAME],
}

impl Frames {
    fn new(seed: u64) -> Frames {
        let frames = samples().into_iter().map(|sample| sample.frame);
        Frames {
            random: seed,
            samples: frames.filter(|frame| frame.len() <= MAX_FRAME).collect(),
            frame: [0; MAX_FRAME],
        }
    }

    /// xorshift64 (Marsaglia 2003).
    fn below(&mut self, bound: usize) -> usize {
        self.random ^= self.random << 13;
        self.random ^= self.random >> 7;
        self.random ^= self.random << 17;
        (self.random >> 11) as usize % bound
    }

    fn next_frame(&mut self) -> (Medium, &[u8]) {
        let mut len = if self.below(8) == 0 {
            let len = self.below(100);
            for at in 0..len {
                self.frame[at] = self.below(256) as u8;
            }
            len
        } else {
            let which = self.below(self.samples.len());
            let sample = &self.samples[which];
            self.frame[..sample.len()].copy_from_slice(sample);
            sample.len()
        };
        for _ in 0..self.below(5) {
            let at = self.below(len.max(1));
            match self.below(4) {
                0 => self.frame[at] = self.below(256) as u8,
                1 => self.frame[at] ^= 1 << self.below(8),
                2 => self.frame[at] = [0, 1, 0x7f, 0x80, 0xff][self.below(5)],
                _ => len = len.min(at.max(self.below(len.max(1)))),
            }
        }
        match self.below(4) {
            0 if len > 14 => (Medium::Ip, &self.frame[14..len]),
            _ => (Medium::Ethernet, &self.frame[..len]),
        }
    }
}
