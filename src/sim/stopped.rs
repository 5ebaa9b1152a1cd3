//! Why a run did not come to its end.

use std::{error::Error, fmt, time::Duration};

use super::{Simulation, executor::Purpose};
use crate::socket::Network;

/// A run that did not come to its end, with those who still waited, and what for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Stopped {
    reason: Reason,
    seed: u64,
    after: Duration,
    /// A line each.
    waiting: Vec<String>,
}

/// Why a run stopped.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reason {
    /// No frame is under way and no timer runs: nothing can ever happen again.
    Deadlock,
    /// The time that [`Simulation::limit`] gave was up.
    TimeLimit,
    /// Tasks went on and on, and the time stood still: one never rests, more of them wait than their host has
    /// [wakers](crate::stack::Capacity::wakers) for, or a frame goes round in a circle of switches.
    Livelock,
}

impl Stopped {
    /// Why.
    pub fn reason(&self) -> Reason {
        self.reason
    }

    /// The programs that were not at their end, and the services, with what each of them waited for.
    pub fn waiting(&self) -> &[String] {
        &self.waiting
    }
}

impl fmt::Display for Stopped {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let why = match self.reason {
            Reason::Deadlock => "nothing can ever happen again",
            Reason::TimeLimit => "the time is up",
            Reason::Livelock => "tasks go on and on, and the time stands still",
        };
        let (seed, after) = (self.seed, self.after.as_secs_f64());
        write!(f, "{why}, {after:.6} s after the start (seed {seed})")?;
        for line in &self.waiting {
            write!(f, "\n  {line}")?;
        }
        Ok(())
    }
}

impl Error for Stopped {}

impl Simulation {
    pub(super) fn stopped(&self, reason: Reason) -> Stopped {
        let programs = self.executor.tasks();
        let programs = programs.filter(|task| task.purpose != Purpose::Device);
        let waiting = programs.map(|task| {
            let host = task
                .host
                .and_then(|host| self.hosts.get(usize::from(host.0)));
            let waits = host.and_then(|host| host.network()).and_then(|network| {
                let waits = network.call(|stack| Ok(stack.waits(&task.waker)));
                waits.ok().filter(|waits| !waits.is_empty())
            });
            let what = match waits {
                Some(waits) => waits.join(", and for "),
                None if task.is_ready() => "its turn".to_owned(),
                None => "something that is not its stack's".to_owned(),
            };
            let host = host.map_or("", |host| host.name.as_str());
            format!("{host}: {} waits for {what}", task.name)
        });
        Stopped {
            reason,
            seed: self.seed,
            after: self.elapsed(),
            waiting: waiting.collect(),
        }
    }
}
