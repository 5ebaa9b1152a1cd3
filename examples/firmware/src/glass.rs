//! Who hears the stack: it counts, keeps the last events, says which addresses the board has, and draws the ladder when it is
//! asked to.

use core::fmt;

use glasstack::trace::{
    Call, Direction, Event, Happening, Observer, Outcome, Sink, Station,
    ladder::{Ends, Ladder, Options, Side},
};

use crate::{counter::Counter, kept::Kept, record::Record, terminal::Terminal};

const BOARD: Station = Station(0);
const ENDS: Ends = Ends::beside(Side::Right, (BOARD, "this board"), "network");

/// None of the network's frames is in flight, for only the board tells; four conversations at once. It takes 12.5 KB.
type Rows<'t> = Ladder<&'t Terminal, 1, 4>;

pub struct Glass<'t> {
    kept: &'static Kept,
    terminal: &'t Terminal,
    ladder: Option<Rows<'t>>,
}

impl<'t> Glass<'t> {
    pub fn new(kept: &'static Kept, terminal: &'t Terminal) -> Self {
        Glass {
            kept,
            terminal,
            ladder: None,
        }
    }

    /// Draws each event as it happens, or does so no more.
    pub fn show(&mut self, is_shown: bool) {
        match &mut self.ladder {
            Some(ladder) if !is_shown => {
                // The UART takes everything.
                let _ = ladder.finish();
                self.ladder = None;
            }
            None if is_shown => self.ladder = Some(ladder(self.terminal)),
            _ => {}
        }
    }
}

fn ladder<'t>(terminal: &'t Terminal) -> Rows<'t> {
    Ladder::new(terminal, ENDS, Options::default())
}

/// Draws the events that are kept.
pub fn draw(kept: &Kept, terminal: &Terminal) -> fmt::Result {
    let mut ladder = Ladder::<_, 1, 4>::new(terminal, ENDS, Options::default());
    for record in kept.records() {
        record.tell(|event| ladder.event(BOARD, event));
    }
    ladder.finish()
}

impl Observer for Glass<'_> {
    fn event(&mut self, event: &Event<'_>) {
        match event.happening {
            Happening::Frame { direction, .. } => self.kept.count(match direction {
                Direction::In => Counter::FramesIn,
                Direction::Out => Counter::FramesOut,
            }),
            Happening::Drop { reason, .. } => self.kept.count(Counter::of_drop(reason)),
            Happening::Address {
                address,
                prefix_len,
                change,
                origin,
                ..
            } => {
                let line = format_args!("Address {address}/{prefix_len}: {origin:?}, {change:?}.");
                self.terminal.say(line);
            }
            // A task that waits asks again and again: that is no news.
            Happening::Call {
                outcome: Outcome::Failed(glasstack::Error::WouldBlock),
                call,
            } if !matches!(call, Call::Connect(_)) => return,
            _ => {}
        }
        if let Some(record) = Record::of(event) {
            self.kept.record(record);
        }
        if let Some(ladder) = &mut self.ladder {
            ladder.event(BOARD, event);
        }
    }
}
