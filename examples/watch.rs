//! Shows what is in a capture, frame by frame.
//!
//! ```text
//! cargo run --example watch -- capture.pcapng
//! tcpdump -w - | cargo run --example watch -- -
//! ```

use std::error::Error;
use std::fs::File;
use std::io::{self, BufReader, Read, Write};
use std::path::PathBuf;
use std::process::ExitCode;

use clap::Parser;
use glasstack::trace::dissect::{Address, Dissection, Numbers};
use glasstack::trace::read::Reader;
use glasstack::trace::{Analyzer, Direction, Event, Happening, Instant, Sink, Station};

/// Shows what is in a capture of tcpdump, Wireshark or this crate: a line a frame, with the seconds since the first one.
///
///   watch capture.pcapng
///   watch --interface client:1 hello.pcapng
///   tcpdump -i lo -w - | watch -
///
/// It reads .pcap and .pcapng, in either order of octets, with micro- or nanoseconds, of Ethernet, IP, loopback
/// interfaces and "any". Frames of other kinds are counted and left out.
#[derive(Parser)]
#[command(verbatim_doc_comment)]
struct Options {
    /// The capture; "-" is the standard input
    file: PathBuf,
    /// Show this interface's frames only, by its name or its number in the file. A capture at both ends of a link has
    /// every frame twice: this shows what one end saw
    #[arg(short, long, value_name = "NAME")]
    interface: Option<String>,
}

fn main() -> ExitCode {
    match run(&Options::parse()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{error}");
            ExitCode::FAILURE
        }
    }
}

fn run(options: &Options) -> Result<(), Box<dyn Error>> {
    let name = options.file.display();
    let source: Box<dyn Read> = match options.file.to_str() {
        Some("-") => Box::new(io::stdin().lock()),
        _ => Box::new(File::open(&options.file).map_err(|error| format!("{name}: {error}"))?),
    };
    let mut sink = Lines::new(io::stdout().lock());
    let result = show(
        BufReader::new(source),
        options.interface.as_deref(),
        &mut sink,
    );
    // Whoever closes our output, as `head` does, has seen enough.
    match sink.finish() {
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => return Ok(()),
        finished => finished?,
    }
    result.map_err(|error| format!("{name}: {error}").into())
}

/// Tells the sink of the frames, then says on stderr what was left out.
fn show(
    source: impl Read,
    interface: Option<&str>,
    sink: &mut impl Sink,
) -> Result<(), Box<dyn Error>> {
    let mut reader = Reader::new(source)?;
    // What stands before a malformed place is shown.
    let end = loop {
        match reader.next_frame() {
            Ok(Some(frame)) => {
                let number = frame.interface.to_string();
                let names = [frame.interface_name, Some(number.as_str())];
                if interface.is_none() || names.contains(&interface) {
                    sink.event(Station(0), &frame.event());
                }
            }
            end => break end.map(|_| ()),
        }
    };
    for skipped in reader.skipped() {
        eprintln!("left out: {skipped}");
    }
    Ok(end?)
}

/// A line a frame: time, which way, octets, who to whom, protocol, a TCP segment's stream, and what it is.
struct Lines<W> {
    output: W,
    first: Option<Instant>,
    analyzer: Box<Analyzer>,
    /// The output's first error; nothing is written after it.
    error: Option<io::Error>,
}

impl<W: Write> Lines<W> {
    fn new(output: W) -> Lines<W> {
        Lines {
            output,
            first: None,
            analyzer: Box::default(),
            error: None,
        }
    }

    fn finish(mut self) -> io::Result<()> {
        self.error.map_or_else(|| self.output.flush(), Err)
    }
}

impl<W: Write> Sink for Lines<W> {
    fn event(&mut self, _: Station, event: &Event<'_>) {
        let Happening::Frame {
            direction,
            medium,
            bytes,
        } = event.happening
        else {
            return;
        };
        if self.error.is_some() {
            return;
        }
        let first = *self.first.get_or_insert(event.time);
        // A capture's frames need not be in the order of their times.
        let micros = event.time.total_micros() - first.total_micros();
        let seconds = micros as f64 / 1e6;
        let arrow = match direction {
            Direction::In => "<",
            Direction::Out => ">",
        };
        let dissection = Dissection::parse(medium, bytes);
        let (len, protocol) = (bytes.len(), dissection.protocol());
        let address = |address: Option<Address>| address.map_or(String::new(), |a| a.to_string());
        let (from, to) = (
            address(dissection.source()),
            address(dissection.destination()),
        );
        let line = write!(
            self.output,
            "{seconds:12.6} {arrow} {len:5} {from} → {to} {protocol} "
        );
        let line = line.and_then(|()| match dissection.segment(event.time) {
            Some(segment) => {
                let analysis = self.analyzer.segment(&segment);
                let numbers = Numbers {
                    sequence: analysis.sequence,
                    acknowledgment: analysis.acknowledgment.unwrap_or(0),
                    window: analysis.window,
                };
                let gap = if analysis.marks.is_empty() { "" } else { " " };
                let info = dissection.with_numbers(numbers);
                writeln!(self.output, "#{} {analysis}{gap}{info}", analysis.stream)
            }
            None => writeln!(self.output, "{dissection}"),
        });
        self.error = line.err();
    }
}
