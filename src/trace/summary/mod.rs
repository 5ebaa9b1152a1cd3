//! What became of each connection: a short account, from the frames alone.

mod account;
mod round_trip;

use core::fmt::{self, Display, Formatter};

pub use account::{Account, Closing, Way};
pub use round_trip::RoundTrip;

use super::vantage::Vantage;
use super::{
    Analyzer, Cause, Direction, Event, Happening, Observer, Protocol, Segment, Sink, State, Station,
};

/// Follows TCP connections by their segments and keeps an [`Account`] of each: at most `CONNECTIONS` of them, the oldest
/// is forgotten first. It hears one stack, or several stations, or reads a capture with [`segment`](Summary::segment).
///
/// What an end sent is counted where it is sent if that end is a station, or else where it arrives.
///
/// ```
/// # use glasstack::stack::{Capacity, Domain, Type};
/// use glasstack::{Stack, trace::Summary};
///
/// let mut stack = Stack::with_capacity(Capacity::default(), [7; 16], Summary::<16>::new());
/// // … connect, send, receive, close …
/// print!("{}", stack.observer());
/// # assert_eq!(stack.observer().connections().count(), 0);
/// ```
pub struct Summary<const CONNECTIONS: usize = 16> {
    /// One for each place that a connection is watched from.
    analyzers: [Analyzer<CONNECTIONS>; 2],
    accounts: [Option<Account>; CONNECTIONS],
    /// How many connections there were.
    count: u32,
}

impl<const CONNECTIONS: usize> Summary<CONNECTIONS> {
    /// Knows no connection.
    pub const fn new() -> Self {
        Summary {
            analyzers: [Analyzer::new(), Analyzer::new()],
            accounts: [None; CONNECTIONS],
            count: 0,
        }
    }

    /// The connections that are remembered, oldest first.
    pub fn connections(&self) -> impl Iterator<Item = &Account> {
        let oldest = self.count.saturating_sub(CONNECTIONS as u32);
        let place = |number: u32| {
            self.accounts
                .get(number as usize % CONNECTIONS.max(1))?
                .as_ref()
        };
        (oldest..self.count).filter_map(place)
    }

    /// How many connections are forgotten because there were too many.
    pub fn forgotten(&self) -> u32 {
        self.count.saturating_sub(CONNECTIONS as u32)
    }

    /// Follows a segment of a capture: all of them from one place.
    pub fn segment(&mut self, segment: &Segment) {
        self.hear(Station(0), Direction::Out, segment);
    }

    fn hear(&mut self, station: Station, direction: Direction, segment: &Segment) {
        let place = self.place_of(segment);
        let Some(Some(account)) = self.accounts.get_mut(place) else {
            return;
        };
        let Some(sighting) = account.vantage.hear(station, direction, segment) else {
            return;
        };
        if let Some(analyzer) = self.analyzers.get_mut(sighting.place) {
            let analysis = analyzer.segment(segment);
            account.follow(&sighting, direction, segment, &analysis);
        }
    }

    /// Where the account is that a segment belongs to: the last one between these ends, or a new one.
    fn place_of(&mut self, segment: &Segment) -> usize {
        let is_of = |account: &&Account| account.vantage.is_of(segment);
        let accounts = self.accounts.iter().flatten().filter(is_of);
        let last = accounts
            .max_by_key(|account| account.number())
            .filter(|account| !account.is_followed_by(segment));
        let number = last.map_or(self.count, Account::number);
        let is_new = last.is_none();
        let place = number as usize % CONNECTIONS.max(1);
        if is_new && let Some(account) = self.accounts.get_mut(place) {
            *account = Some(Account::new(number, Vantage::of(segment), segment));
            self.count = self.count.saturating_add(1);
        }
        place
    }

    fn tell(&mut self, station: Station, event: &Event<'_>) {
        match event.happening {
            Happening::Frame {
                direction,
                medium,
                bytes,
            } => {
                if let Some(segment) = Segment::parse(event.time, medium, bytes) {
                    self.hear(station, direction, &segment);
                }
            }
            // That an end gave up is in no frame.
            Happening::State {
                from,
                to: State::Closed,
                cause: Cause::Timer,
            } if from != State::TimeWait => {
                let Some(flow) = event.flow.filter(|flow| flow.protocol == Protocol::Tcp) else {
                    return;
                };
                let (a, b) = (flow.local, flow.remote);
                let is_of = |account: &&mut Account| {
                    account.vantage.ends() == (a, b) || account.vantage.ends() == (b, a)
                };
                let accounts = self.accounts.iter_mut().flatten().filter(is_of);
                if let Some(account) = accounts.max_by_key(|account| account.number()) {
                    account.give_up();
                }
            }
            _ => {}
        }
    }
}

impl<const CONNECTIONS: usize> Default for Summary<CONNECTIONS> {
    fn default() -> Self {
        Summary::new()
    }
}

impl<const CONNECTIONS: usize> Observer for Summary<CONNECTIONS> {
    fn event(&mut self, event: &Event<'_>) {
        self.tell(Station(0), event);
    }
}

impl<const CONNECTIONS: usize> Sink for Summary<CONNECTIONS> {
    fn event(&mut self, station: Station, event: &Event<'_>) {
        self.tell(station, event);
    }
}

/// A block a connection, not wider than 80 columns.
impl<const CONNECTIONS: usize> Display for Summary<CONNECTIONS> {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match self.forgotten() {
            0 => {}
            count => writeln!(f, "{count} older connections are forgotten")?,
        }
        self.connections()
            .try_for_each(|account| write!(f, "{account}"))
    }
}

impl<const CONNECTIONS: usize> fmt::Debug for Summary<CONNECTIONS> {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        f.debug_struct("Summary")
            .field("count", &self.count)
            .finish_non_exhaustive()
    }
}
