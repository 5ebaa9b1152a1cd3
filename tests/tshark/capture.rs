//! A capture, what tshark says of it, and what we say.

use std::collections::BTreeSet;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{self, Command};
use std::sync::atomic::{AtomicU32, Ordering};
use std::{env, fs};

use glasstack::smoltcp::time::Instant;
use glasstack::trace::analysis::{Analyzer, Mark};
use glasstack::trace::{Medium, Segment};

use crate::net;

/// The link type of a pcap file with Ethernet frames.
const ETHERNET: u32 = 1;

/// Ethernet frames in the order in which one place sees them.
#[derive(Default, Clone)]
pub(crate) struct Capture(Vec<(Instant, Vec<u8>)>);

/// What is said of one TCP segment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Row {
    frame: u32,
    stream: u32,
    seq: u32,
    ack: u32,
    len: u32,
    flags: u32,
    window: u32,
    marks: BTreeSet<&'static str>,
    duplicate_ack: u32,
    /// How the Info column begins.
    info: String,
}

impl Capture {
    pub(crate) fn push(&mut self, time: Instant, frame: &[u8]) {
        self.0.push((time, frame.to_vec()));
    }

    /// Frames, ten milliseconds apart.
    pub(crate) fn of(frames: &[Vec<u8>]) -> Capture {
        let times = (1_000..).step_by(10).map(Instant::from_millis);
        Capture(times.zip(frames.iter().cloned()).collect())
    }

    /// What a little-endian pcap file with microseconds holds.
    pub(crate) fn read(path: &Path) -> Capture {
        let file = fs::read(path).unwrap();
        let word = |at: usize| u32::from_le_bytes(file[at..at + 4].try_into().unwrap());
        assert_eq!((word(0), word(20)), (0xa1b2_c3d4, ETHERNET));
        let mut capture = Capture::default();
        let mut at = 24;
        while at < file.len() {
            let micros = i64::from(word(at)) * 1_000_000 + i64::from(word(at + 4));
            let end = at + 16 + word(at + 8) as usize;
            capture.push(Instant::from_micros(micros), &file[at + 16..end]);
            at = end;
        }
        capture
    }

    /// The frames that tshark judges otherwise.
    pub(crate) fn differing(&self) -> Vec<u32> {
        let (ours, theirs) = (self.ours(), self.tshark());
        let alone = |rows: &[Row], others: &[Row]| -> Vec<u32> {
            let alone = rows.iter().filter(|row| !others.contains(row));
            alone.map(|row| row.frame).collect()
        };
        // A frame that only one of the two judges counts, too.
        let mut differing = alone(&ours, &theirs);
        differing.extend(alone(&theirs, &ours));
        differing.sort_unstable();
        differing.dedup();
        differing
    }

    /// A classic pcap file with microseconds.
    fn write(&self, path: &Path) {
        let mut file = Vec::new();
        for word in [0xa1b2_c3d4, 0x0004_0002, 0, 0, 262_144, ETHERNET] {
            file.extend(u32::to_le_bytes(word));
        }
        for (time, frame) in &self.0 {
            let micros = time.total_micros() as u64;
            let len = frame.len() as u32;
            let seconds = (micros / 1_000_000) as u32;
            for word in [seconds, (micros % 1_000_000) as u32, len, len] {
                file.extend(word.to_le_bytes());
            }
            file.extend(frame);
        }
        let mut disk = fs::File::create(path).unwrap();
        disk.write_all(&file).unwrap();
    }

    /// The TCP segments in it.
    pub(crate) fn segments(&self) -> Vec<net::segment::Segment> {
        let frames = self.0.iter();
        frames
            .filter_map(|(_, frame)| net::segment::Segment::parse(Medium::Ethernet, frame))
            .collect()
    }

    /// What we say of each TCP segment.
    pub(crate) fn ours(&self) -> Vec<Row> {
        let mut analyzer = Box::new(Analyzer::<64>::new());
        let mut rows = Vec::new();
        for (i, (time, frame)) in self.0.iter().enumerate() {
            let Some(segment) = Segment::parse(*time, Medium::Ethernet, frame) else {
                continue;
            };
            let analysis = analyzer.segment(&segment);
            rows.push(Row {
                frame: i as u32 + 1,
                stream: analysis.stream,
                seq: analysis.sequence,
                ack: analysis.acknowledgment.unwrap_or(0),
                len: segment.len,
                flags: bits(&segment),
                window: analysis.window,
                marks: analysis.marks.iter().map(Mark::field).collect(),
                duplicate_ack: analysis.duplicate_ack,
                info: analysis.to_string(),
            });
        }
        rows
    }

    /// What tshark says of each TCP segment.
    pub(crate) fn tshark(&self) -> Vec<Row> {
        let path = scratch();
        self.write(&path);
        let mut command = Command::new("tshark");
        // The user's own preferences are left out, and an ICMP error is not the segment that it quotes.
        command.env("HOME", env::temp_dir());
        command.args([
            "-n",
            "-o",
            "ip.defragment:FALSE",
            "-Y",
            "tcp && !icmp && !icmpv6",
        ]);
        command
            .args(["-T", "fields", "-E", "separator=/t", "-r"])
            .arg(&path);
        for field in [
            "frame.number",
            "tcp.stream",
            "tcp.seq",
            "tcp.ack",
            "tcp.len",
            "tcp.flags",
            "tcp.window_size",
        ] {
            command.args(["-e", field]);
        }
        command.args(["-e", "tcp.analysis.duplicate_ack_num", "-e", "_ws.col.Info"]);
        for mark in Mark::ALL {
            command.args(["-e", mark.field()]);
        }
        let output = command.output().unwrap();
        fs::remove_file(&path).unwrap();
        assert!(
            output.status.success(),
            "{}",
            String::from_utf8_lossy(&output.stderr)
        );
        let text = String::from_utf8(output.stdout).unwrap();
        text.lines().map(row).collect()
    }

    /// Every frame is judged as tshark judges it.
    pub(crate) fn agrees(&self, what: &str) {
        let (ours, theirs) = (self.ours(), self.tshark());
        let differences: Vec<_> = ours.iter().zip(&theirs).filter(|(a, b)| a != b).collect();
        if let Some((first, _)) = differences.first() {
            let kept = env::temp_dir().join(format!("glasstack-{}.pcap", process::id()));
            self.write(&kept);
            for (ours, theirs) in differences.iter().take(5) {
                eprintln!("ours   {ours:?}\ntshark {theirs:?}");
            }
            let (count, frame, kept) = (differences.len(), first.frame, kept.display());
            panic!("{what}: {count} frames differ, first {frame}: {kept}");
        }
        assert_eq!(ours.len(), theirs.len(), "{what}: segments");
    }

    /// The marks that occur, by the names of their fields.
    pub(crate) fn marks(&self) -> BTreeSet<&'static str> {
        self.ours().into_iter().flat_map(|row| row.marks).collect()
    }
}

/// A file that no other test writes.
pub(crate) fn scratch() -> PathBuf {
    static NEXT: AtomicU32 = AtomicU32::new(0);
    let number = NEXT.fetch_add(1, Ordering::Relaxed);
    env::temp_dir().join(format!("glasstack-tshark-{}-{number}.pcap", process::id()))
}

/// The flags as the header has them.
fn bits(segment: &Segment) -> u32 {
    let flags = segment.flags;
    let set = [
        flags.fin,
        flags.syn,
        flags.rst,
        flags.psh,
        segment.acknowledgment.is_some(),
    ];
    set.iter()
        .enumerate()
        .map(|(bit, set)| u32::from(*set) << bit)
        .sum()
}

/// One line of tshark's.
fn row(line: &str) -> Row {
    let columns: Vec<&str> = line.split('\t').collect();
    let number = |column: usize| match columns[column] {
        "" => 0,
        text => match text.strip_prefix("0x") {
            Some(hex) => u32::from_str_radix(hex, 16).unwrap(),
            None => text.parse().unwrap(),
        },
    };
    let marked = Mark::ALL.iter().zip(&columns[9..]);
    let mut marks: BTreeSet<&str> = marked
        .filter(|(_, said)| !said.is_empty())
        .map(|(mark, _)| mark.field())
        .collect();
    // A fast or a spurious retransmission is a retransmission for tshark, too.
    if marks.contains(Mark::FastRetransmission.field())
        || marks.contains(Mark::SpuriousRetransmission.field())
    {
        marks.remove(Mark::Retransmission.field());
    }
    Row {
        frame: number(0),
        stream: number(1),
        seq: number(2),
        ack: number(3),
        len: number(4),
        flags: number(5),
        window: number(6),
        marks,
        duplicate_ack: number(7),
        info: info(columns[8]),
    }
}

/// The notes of the Info column, without the number of the frame that an acknowledgment duplicates.
fn info(column: &str) -> String {
    let notes = column.split_inclusive(']').map(str::trim);
    let notes = notes.take_while(|note| note.starts_with("[TCP "));
    let notes = notes.map(|note| match note.split_once('#') {
        Some((before, number)) => {
            let words = before.trim_end_matches(|c: char| c.is_ascii_digit());
            format!("{words}#{number}")
        }
        None => note.to_owned(),
    });
    notes.collect::<Vec<_>>().join(" ")
}
