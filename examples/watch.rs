//! Shows what is in a capture, frame by frame.
//!
//! ```text
//! cargo run --example watch -- capture.pcapng
//! tcpdump -w - | cargo run --example watch -- -
//! ```

use std::error::Error;
use std::fmt;
use std::fs::File;
use std::io::{self, BufReader, Read, Write};
use std::net::IpAddr;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Parser, ValueEnum};
use glasstack::trace::dissect::{Address, Dissection, MacAddress, Numbers};
use glasstack::trace::ladder::{self, Ends, Ladder, Side};
use glasstack::trace::plot::{self, Plot, Sender};
use glasstack::trace::read::{Frame, Reader};
use glasstack::trace::{Analyzer, Direction, Event, Happening, Instant, Sink, Station, Summary};

/// Shows what is in a capture of tcpdump, Wireshark or this crate: a line a frame, with the seconds since the first one,
/// a ladder, or a plot of a connection; then a summary of each. ">" is what the host sent that sent the first frame.
///
///   watch capture.pcapng
///   watch --ladder capture.pcap
///   watch --plot --stream 2 capture.pcap
///   watch --interface eth0 capture.pcapng
///   tcpdump -i lo -w - | watch -
///
/// It reads .pcap and .pcapng, in either order of octets, with micro- or nanoseconds, of Ethernet, IP, loopback
/// interfaces and "any". Frames of other kinds are counted and left out.
#[derive(Parser)]
#[command(verbatim_doc_comment)]
struct Options {
    /// The capture; "-" is the standard input
    file: PathBuf,
    /// Show this interface's frames only, by its name or its number in the file. Where a capture of
    /// several has every frame twice, this shows what one saw; in a file of this crate an interface has what it sent
    #[arg(short, long, value_name = "NAME")]
    interface: Option<String>,
    /// Draw the segments as a ladder between the host that sent the first frame, on the left, and the others
    #[arg(short, long, group = "drawing")]
    ladder: bool,
    /// Plot a connection's sequence numbers over time, as Wireshark's time-sequence graph: of the one with the most data
    /// what the initiator or the responder sent, or whoever sent more
    #[arg(short, long, value_name = "SENDER", num_args = 0..=1, require_equals = true, default_missing_value = "more")]
    #[arg(group = "drawing")]
    plot: Option<Whose>,
    /// Draw this TCP stream alone, counted from 0
    #[arg(short, long, value_name = "N", requires = "drawing")]
    stream: Option<u32>,
}

/// Whose sequence numbers are plotted.
#[derive(Clone, Copy, ValueEnum)]
enum Whose {
    /// Of the end that sent more
    More,
    /// Of the end that opened the connection
    Initiator,
    /// Of the other
    Responder,
}

impl Whose {
    fn sender(self) -> Option<Sender> {
        match self {
            Whose::More => None,
            Whose::Initiator => Some(Sender::Initiator),
            Whose::Responder => Some(Sender::Responder),
        }
    }
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
    let source = BufReader::new(source);
    let interface = options.interface.as_deref();
    let mut summary = Box::new(Summary::<16>::new());
    let (shown, finished) = if options.ladder {
        let ends = Ends::beside(Side::Left, (Station(0), "first"), "second");
        let options = ladder::Options {
            stream: options.stream,
            ..ladder::Options::stdout()
        };
        let mut ladder = Ladder::<_>::new(Output::default(), ends, options);
        let shown = show(source, interface, &mut Both(&mut ladder, &mut *summary));
        let finished = ladder.finish().map_err(io::Error::other);
        let error = ladder.into_inner().error;
        (shown, error.map_or(finished, Err))
    } else if let Some(whose) = options.plot {
        let mut plot = Plot::new(plot::Options {
            stream: options.stream,
            sender: whose.sender(),
            ..plot::Options::stdout()
        });
        let shown = show(source, interface, &mut Both(&mut plot, &mut *summary));
        (shown, write!(io::stdout(), "{plot}"))
    } else {
        let mut lines = Lines::new(io::stdout().lock());
        let shown = show(source, interface, &mut Both(&mut lines, &mut *summary));
        (shown, lines.finish())
    };
    // Whoever closes our output, as `head` does, has seen enough.
    let finished = finished.and_then(|()| match summary.connections().next() {
        Some(_) => write!(io::stdout(), "\n{summary}"),
        None => Ok(()),
    });
    match finished {
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => return Ok(()),
        finished => finished?,
    }
    shown.map_err(|error| format!("{name}: {error}").into())
}

/// The standard output as a formatter, which keeps what went wrong: a formatter's own error does not say.
#[derive(Default)]
struct Output {
    error: Option<io::Error>,
}

impl fmt::Write for Output {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        let mut stdout = io::stdout();
        let written = stdout.write_all(text.as_bytes());
        written.and_then(|()| stdout.flush()).map_err(|error| {
            self.error.get_or_insert(error);
            fmt::Error
        })
    }
}

/// Two sinks in place of one.
struct Both<'s, A, B>(&'s mut A, &'s mut B);

impl<A: Sink, B: Sink> Sink for Both<'_, A, B> {
    fn event(&mut self, station: Station, event: &Event<'_>) {
        Sink::event(self.0, station, event);
        Sink::event(self.1, station, event);
    }
}

/// The host that sent the first frame. It is known by its hardware address, since it has several IP addresses; where frames
/// have none, or all the same one as on a loopback, by its IP address of each family.
#[derive(Default)]
struct First {
    hardware: Option<MacAddress>,
    ip: [Option<IpAddr>; 2],
}

impl First {
    fn sent(&mut self, dissection: &Dissection<'_>) -> bool {
        match dissection.ethernet {
            Some(ethernet) if ethernet.source != ethernet.destination => {
                *self.hardware.get_or_insert(ethernet.source) == ethernet.source
            }
            _ => dissection.packet().is_some_and(|packet| {
                let source = packet.ip.source();
                *self.ip[usize::from(source.is_ipv6())].get_or_insert(source) == source
            }),
        }
    }
}

/// The frame as the host saw it that sent the first one: a capture may say it otherwise, or not at all.
fn as_first_seen<'f>(frame: &Frame<'f>, first: &mut First) -> Event<'f> {
    let direction = match first.sent(&Dissection::parse(frame.medium, frame.bytes)) {
        true => Direction::Out,
        false => Direction::In,
    };
    Event {
        happening: Happening::Frame {
            direction,
            medium: frame.medium,
            bytes: frame.bytes,
        },
        ..frame.event()
    }
}

/// Tells the sink of the frames, then says on stderr what was left out.
fn show(
    source: impl Read,
    interface: Option<&str>,
    sink: &mut impl Sink,
) -> Result<(), Box<dyn Error>> {
    let mut reader = Reader::new(source)?;
    let mut first = First::default();
    let mut has_shown = false;
    // What stands before a malformed place is shown.
    let end = loop {
        match reader.next_frame() {
            Ok(Some(frame)) => {
                let number = frame.interface.to_string();
                let names = [frame.interface_name, Some(number.as_str())];
                if interface.is_none() || names.contains(&interface) {
                    has_shown = true;
                    sink.event(Station(0), &as_first_seen(&frame, &mut first));
                }
            }
            end => break end.map(|_| ()),
        }
    };
    for skipped in reader.skipped() {
        eprintln!("left out: {skipped}");
    }
    end?;
    match interface {
        Some(interface) if !has_shown => Err(format!("no frame of interface {interface:?}").into()),
        _ => Ok(()),
    }
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
