//! The glass: what of a program's traffic is shown, and what is done to its link.
#![allow(dead_code, reason = "each program needs its part")]

use std::{
    error::Error,
    fmt,
    io::{self, IsTerminal, Write},
    path::PathBuf,
    process::ExitCode,
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use clap::{Args, ValueEnum};
use glasstack::{
    device::wire::{Conditions, Faults, Selector},
    trace::{
        At, Event, Observer, Sink, Station, Summary,
        ladder::{self, Ends, Ladder},
        pcapng::{self, Pcapng},
    },
};

/// How a program ends: an error is told in a line; who closes our output, as `head` does, has seen enough.
pub(crate) fn exit(outcome: Result<(), Box<dyn Error + Send + Sync>>) -> ExitCode {
    let Err(error) = outcome else {
        return ExitCode::SUCCESS;
    };
    let io = error.downcast_ref::<io::Error>();
    if io.is_some_and(|error| error.kind() == io::ErrorKind::BrokenPipe) {
        return ExitCode::SUCCESS;
    }
    eprintln!("error: {error}");
    ExitCode::FAILURE
}

/// When the ladder is drawn.
#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum When {
    /// When the program ends.
    End,
    /// As it happens.
    Live,
}

/// What is shown.
#[derive(Args, Clone)]
#[command(next_help_heading = "The glass")]
pub(crate) struct Glass {
    /// Draw what happens as a ladder, at the end or "live"
    #[arg(long, value_name = "WHEN", num_args = 0..=1, require_equals = true, default_missing_value = "end")]
    ladder: Option<When>,
    /// Draw this TCP stream alone, counted from 0
    #[arg(long, value_name = "N")]
    stream: Option<u32>,
    /// Write what happens for Wireshark, with its cause as the packets' comments
    #[arg(long, value_name = "FILE")]
    pcap: Option<PathBuf>,
    /// Tell of calls and states on stderr; twice: of frames and timers, too
    #[arg(short, long, action = clap::ArgAction::Count)]
    verbose: u8,
}

/// What is done to the link, each way alike.
#[derive(Args, Clone)]
#[command(next_help_heading = "The link")]
pub(crate) struct Link {
    /// Let each frame travel so long
    #[arg(long, value_name = "MS", value_parser = milliseconds, allow_negative_numbers = true)]
    delay: Option<f64>,
    /// Let the delay vary by up to so much
    #[arg(long, value_name = "MS", value_parser = milliseconds, allow_negative_numbers = true)]
    jitter: Option<f64>,
    /// Lose so many of a hundred frames
    #[arg(long, value_name = "PERCENT", value_parser = percent, allow_negative_numbers = true)]
    loss: Option<f64>,
    /// Lose these: "SYN", "SYN-ACK", "data 2", "data 2..4 of stream 0" (the second to the fourth), "FIN", "frame 7"; may be given again
    #[arg(long, value_name = "WHAT")]
    lose: Vec<Selector>,
    /// Deliver so many of a hundred frames twice
    #[arg(long, value_name = "PERCENT", value_parser = percent, allow_negative_numbers = true)]
    duplicate: Option<f64>,
    /// Hold so many of a hundred frames back, so that others overtake them
    #[arg(long, value_name = "PERCENT", value_parser = percent, allow_negative_numbers = true)]
    reorder: Option<f64>,
    /// Flip a bit in so many of a hundred frames
    #[arg(long, value_name = "PERCENT", value_parser = percent, allow_negative_numbers = true)]
    corrupt: Option<f64>,
    /// Carry so many bits a second, with a queue of 100 frames
    #[arg(long, value_name = "BITS", value_parser = clap::value_parser!(u64).range(1..))]
    rate: Option<u64>,
    /// What chance draws from; the same seed, the same luck
    #[arg(long, value_name = "N")]
    pub(crate) seed: Option<u64>,
}

/// How long a frame is held back by --reorder.
const REORDER_DELAY: Duration = Duration::from_millis(20);
/// A day, as `Conditions::check` has it.
const MOST_MILLISECONDS: f64 = 86_400_000.0;
/// Frames that --rate lets wait.
const RATE_QUEUE: usize = 100;

impl Link {
    /// The faults that were asked for, if any were; the link tells `shown` what it loses.
    pub(crate) fn faults(
        &self,
        shown: &Shown,
    ) -> Result<Option<Faults>, Box<dyn Error + Send + Sync>> {
        if !self.is_faulty() {
            return Ok(None);
        }
        let mut faults = Faults::new(self.seed()).both(self.conditions()?);
        for selector in &self.lose {
            faults = faults.lose(selector.clone());
        }
        let faults = faults.sink(shown.clone());
        faults.check()?;
        Ok(Some(faults))
    }

    /// Whether anything was asked for.
    pub(crate) fn is_faulty(&self) -> bool {
        self.has_chance() || self.delay.is_some() || self.rate.is_some() || !self.lose.is_empty()
    }

    fn has_chance(&self) -> bool {
        let chance = [
            self.loss,
            self.duplicate,
            self.reorder,
            self.corrupt,
            self.jitter,
        ];
        chance.iter().any(Option::is_some)
    }

    /// The seed: where none was given, one that is told so that the run can be had again.
    pub(crate) fn seed(&self) -> u64 {
        let seed = self.seed.unwrap_or_else(now_as_seed);
        if self.has_chance() {
            eprintln!("--seed {seed}");
        }
        seed
    }

    /// The segments that are to be lost.
    pub(crate) fn lose(&self) -> &[Selector] {
        &self.lose
    }

    /// The conditions of each direction.
    pub(crate) fn conditions(&self) -> Result<Conditions, Box<dyn Error + Send + Sync>> {
        let time = |ms: f64| Duration::try_from_secs_f64(ms / 1_000.0);
        let mut conditions = Conditions::default();
        if let Some(delay) = self.delay {
            conditions = conditions.latency(time(delay)?);
        }
        if let Some(jitter) = self.jitter {
            conditions = conditions.jitter(time(jitter)?);
        }
        if let Some(percent) = self.loss {
            conditions = conditions.loss(percent / 100.0);
        }
        if let Some(percent) = self.duplicate {
            conditions = conditions.duplicate(percent / 100.0);
        }
        if let Some(percent) = self.reorder {
            conditions = conditions.reorder(percent / 100.0, REORDER_DELAY);
        }
        if let Some(percent) = self.corrupt {
            conditions = conditions.corrupt(percent / 100.0);
        }
        if let Some(bits) = self.rate {
            conditions = conditions.rate(bits, RATE_QUEUE);
        }
        Ok(conditions)
    }
}

fn percent(text: &str) -> Result<f64, String> {
    let number = text.parse().ok();
    let percent = number.filter(|percent| (0.0..=100.0).contains(percent));
    percent.ok_or_else(|| "say a number from 0 to 100".to_owned())
}

fn milliseconds(text: &str) -> Result<f64, String> {
    let number = text.parse().ok();
    let ms = number.filter(|ms| (0.0..=MOST_MILLISECONDS).contains(ms));
    ms.ok_or_else(|| format!("say a number from 0 to {MOST_MILLISECONDS}"))
}

fn now_as_seed() -> u64 {
    let now = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap_or_default();
    now.as_nanos() as u64
}

impl Glass {
    /// The ladder of one stream, as if --ladder and --stream were given.
    pub(crate) fn with_ladder_of_stream(mut self, stream: u32) -> Glass {
        self.ladder = self.ladder.or(Some(When::End));
        self.stream = self.stream.or(Some(stream));
        self
    }

    /// Whether a ladder was asked for.
    pub(crate) fn has_ladder(&self) -> bool {
        self.ladder.is_some()
    }

    /// Opens what is to be shown between `ends`.
    pub(crate) fn open(&self, ends: Ends, names: &[(Station, &str)]) -> io::Result<Shown> {
        let ladder = self.ladder.map(|when| {
            let is_live = when == When::Live;
            let options = ladder::Options {
                stream: self.stream,
                live: is_live && io::stdout().is_terminal(),
                ..ladder::Options::stdout()
            };
            let out = match when {
                When::Live => Out::Terminal(ladder::Terminal(io::stdout())),
                When::End => Out::Page(String::new()),
            };
            Ladder::new(out, ends, options)
        });
        let pcapng = match &self.pcap {
            Some(path) => {
                let epoch = SystemTime::now()
                    .duration_since(UNIX_EPOCH)
                    .unwrap_or_default();
                let options = pcapng::Options {
                    epoch,
                    ..pcapng::Options::default()
                };
                let mut pcapng = Pcapng::create(path, options).map_err(|error| {
                    io::Error::new(error.kind(), format!("{}: {error}", path.display()))
                })?;
                for (station, name) in names {
                    pcapng = pcapng.name(*station, *name);
                }
                Some(pcapng)
            }
            None => None,
        };
        let level = match self.verbose {
            0 => None,
            1 => Some(log::LevelFilter::Debug),
            _ => Some(log::LevelFilter::Trace),
        };
        if let Some(level) = level {
            env_logger::Builder::new()
                .filter_module("glasstack", level)
                .format_target(true)
                .init();
        }
        let summary = self.ladder.map(|_| (Summary::default(), self.stream));
        let is_logging = level.is_some();
        Ok(Shown(Arc::new(Mutex::new(Sinks {
            ladder,
            pcapng,
            is_logging,
            summary,
        }))))
    }
}

/// Where a ladder is drawn.
enum Out {
    Page(String),
    Terminal(ladder::Terminal<io::Stdout>),
}

impl fmt::Write for Out {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        match self {
            Out::Page(page) => page.write_str(text),
            Out::Terminal(terminal) => terminal.write_str(text),
        }
    }
}

struct Sinks {
    ladder: Option<Ladder<Out>>,
    pcapng: Option<Pcapng<io::BufWriter<std::fs::File>>>,
    is_logging: bool,
    /// With the stream that alone is shown.
    summary: Option<(Summary, Option<u32>)>,
}

impl Sinks {
    /// The stream that alone is shown, where there was none of this number.
    fn missing(&self) -> Option<u32> {
        let (summary, stream) = self.summary.as_ref()?;
        stream.filter(|stream| {
            !summary
                .connections()
                .any(|account| account.number() == *stream)
        })
    }

    fn draw(&mut self) -> io::Result<()> {
        if let Some(mut ladder) = self.ladder.take() {
            ladder.finish().map_err(io::Error::other)?;
            if let Out::Page(page) = ladder.into_inner() {
                write!(io::stdout(), "\n{page}")?;
            }
        }
        if let Some((summary, stream)) = self.summary.take() {
            for account in summary.connections() {
                if stream.is_none_or(|stream| account.number() == stream) {
                    write!(io::stdout(), "\n{account}")?;
                }
            }
        }
        Ok(())
    }
}

/// What is shown, for all stations at once.
#[derive(Clone)]
pub(crate) struct Shown(Arc<Mutex<Sinks>>);

impl Sink for Shown {
    fn event(&mut self, station: Station, event: &Event<'_>) {
        let mut sinks = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(ladder) = &mut sinks.ladder {
            ladder.event(station, event);
        }
        if let Some(pcapng) = &mut sinks.pcapng {
            pcapng.event(station, event);
        }
        if let Some((summary, _)) = &mut sinks.summary {
            Sink::event(summary, station, event);
        }
        if sinks.is_logging {
            Sink::event(&mut glasstack::trace::Log, station, event);
        }
    }
}

impl Shown {
    /// One station's observer.
    pub(crate) fn at(&self, station: Station) -> impl Observer + Send + use<> {
        At(station, self.clone())
    }

    /// Draws the ladder to its end, and what it sums up to; later, where its stream has not begun yet.
    pub(crate) fn draw(&self) -> io::Result<()> {
        let mut sinks = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        match sinks.missing() {
            Some(_) => Ok(()),
            None => sinks.draw(),
        }
    }

    /// The end: draws what is not drawn yet, and says what became of the capture.
    pub(crate) fn finish(&self) -> io::Result<()> {
        let mut sinks = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(stream) = sinks.missing() {
            eprintln!("there was no TCP stream {stream}");
        }
        sinks.draw()?;
        match sinks.pcapng.take() {
            Some(mut pcapng) => pcapng.finish(),
            None => Ok(()),
        }
    }
}
