//! What all hosts and links tell, in one order; and what is to be done when they tell it.

use std::{
    fmt,
    ops::Deref,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
};

use super::{HostId, Simulation};
use crate::{
    device::wire::{Selector, Streams},
    trace::{Capture, Direction, Event, Happening, Observer, Segment, Sink, Station},
};

/// What a simulation does when its time has come.
pub(super) type Action = Box<dyn FnOnce(&mut Simulation)>;

/// What an action waits for, and the number of the action.
pub(super) struct Trigger {
    condition: Condition,
    action: usize,
}

/// Whether an event is the one that is waited for.
type IsIt = Box<dyn FnMut(Station, &Event<'_>) -> bool + Send>;

enum Condition {
    /// The host sends the frame that is chosen.
    Sends {
        host: HostId,
        selector: Selector,
        seen: u64,
        streams: Streams,
    },
    /// Somebody tells an event such that.
    Tells(IsIt),
}

impl Condition {
    fn comes_true(&mut self, station: Station, event: &Event<'_>) -> bool {
        match self {
            Condition::Tells(is_it) => is_it(station, event),
            Condition::Sends {
                host,
                selector,
                seen,
                streams,
            } => {
                let Happening::Frame {
                    direction,
                    medium,
                    bytes,
                } = event.happening
                else {
                    return false;
                };
                if station != host.station() {
                    return false;
                }
                let segment = Segment::parse(event.time, medium, bytes);
                let segment = segment.map(|segment| (segment, streams.place(&segment)));
                let is_its = direction == Direction::Out && selector.is_about(segment.as_ref());
                *seen += u64::from(is_its);
                is_its && selector.chooses(*seen)
            }
        }
    }
}

#[derive(Default)]
struct Heard {
    sinks: Vec<Box<dyn Sink + Send>>,
    triggers: Vec<Trigger>,
    /// The actions whose triggers were pulled.
    pulled: Vec<usize>,
}

/// The one place where everything is heard.
#[derive(Clone, Default)]
pub(super) struct Glass {
    heard: Arc<Mutex<Heard>>,
    is_listening: Arc<AtomicBool>,
}

impl Glass {
    fn heard(&self) -> MutexGuard<'_, Heard> {
        self.heard.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn add(&self, sink: impl Sink + Send + 'static) {
        self.heard().sinks.push(Box::new(sink));
        self.is_listening.store(true, Ordering::Relaxed);
    }

    fn watch(&self, condition: Condition, action: usize) {
        self.heard().triggers.push(Trigger { condition, action });
        self.is_listening.store(true, Ordering::Relaxed);
    }

    pub(super) fn when_sends(&self, host: HostId, selector: Selector, action: usize) {
        let condition = Condition::Sends {
            host,
            selector,
            seen: 0,
            streams: Streams::default(),
        };
        self.watch(condition, action);
    }

    pub(super) fn when_tells(
        &self,
        is_it: impl FnMut(Station, &Event<'_>) -> bool + Send + 'static,
        action: usize,
    ) {
        self.watch(Condition::Tells(Box::new(is_it)), action);
    }

    /// The actions whose triggers were pulled since the last time.
    pub(super) fn pulled(&self) -> Vec<usize> {
        if !self.is_listening.load(Ordering::Relaxed) {
            return Vec::new();
        }
        std::mem::take(&mut self.heard().pulled)
    }
}

impl Sink for Glass {
    fn event(&mut self, station: Station, event: &Event<'_>) {
        let mut heard = self.heard();
        let heard = &mut *heard;
        for sink in &mut heard.sinks {
            sink.event(station, event);
        }
        let pulled = &mut heard.pulled;
        heard.triggers.retain_mut(|trigger| {
            let is_pulled = trigger.condition.comes_true(station, event);
            if is_pulled {
                pulled.push(trigger.action);
            }
            !is_pulled
        });
    }
}

/// The observer of a simulated host, from its start to its end.
pub struct Eye {
    station: Station,
    glass: Glass,
    /// A host without power has nothing more to tell.
    is_open: Arc<AtomicBool>,
}

impl Eye {
    pub(super) fn new(station: Station, glass: &Glass) -> Eye {
        Eye {
            station,
            glass: glass.clone(),
            is_open: Arc::new(AtomicBool::new(true)),
        }
    }

    /// What closes it.
    pub(super) fn lid(&self) -> Lid {
        Lid(self.is_open.clone())
    }
}

/// Closes an [`Eye`].
pub(super) struct Lid(Arc<AtomicBool>);

impl Lid {
    pub(super) fn close(&self) {
        self.0.store(false, Ordering::Relaxed);
    }
}

impl Observer for Eye {
    fn event(&mut self, event: &Event<'_>) {
        if self.is_open.load(Ordering::Relaxed) {
            self.glass.event(self.station, event);
        }
    }

    fn is_listening(&self) -> bool {
        self.glass.is_listening.load(Ordering::Relaxed)
    }
}

/// The events of a simulation, kept: what [`Simulation::record`] gives.
///
/// What a test asks of them, and what it shows when it fails:
///
/// ```
/// use glasstack::trace::ladder::{Ends, Ladder, Options};
/// # use glasstack::{sim::{Link, Simulation}, socket::TcpStream, trace::State};
/// # let mut simulation = Simulation::new(1);
/// # let (alice, bob) = (simulation.host("alice")?, simulation.host("bob")?);
/// # simulation.link(Link::ip(1500), (alice, &["10.0.0.1/24"]), (bob, &["10.0.0.2/24"]))?;
/// # let client = simulation.spawn(alice, "client", |network| async {
/// #     TcpStream::connect(network, "10.0.0.2:9999".parse().unwrap()).await.map(drop)
/// # })?;
///
/// let recording = simulation.record();
/// simulation.run()?;
/// # assert_eq!(client.take(), Some(Err(glasstack::Error::ConnectionRefused)));
/// let events = recording.events();
/// let mut ladder = Ladder::<_>::new(
///     String::new(),
///     Ends::between((alice.station(), "alice"), (bob.station(), "bob")),
///     Options::default(),
/// );
/// events.replay(&mut ladder);
/// ladder.finish()?;
/// let states = events.at(alice.station()).tcp().states();
/// assert_eq!(states, [State::Closed, State::SynSent, State::Closed], "\n{}", ladder.into_inner());
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone)]
pub struct Recording(Kept);

/// A capture that goes on while somebody looks at what it was: it is copied then, so that nobody waits for a reader, who may
/// be the one that lets the simulation run.
#[derive(Clone)]
struct Kept(Arc<Mutex<Arc<Capture>>>);

impl Kept {
    fn now(&self) -> MutexGuard<'_, Arc<Capture>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Sink for Kept {
    fn event(&mut self, station: Station, event: &Event<'_>) {
        Sink::event(Arc::make_mut(&mut self.now()), station, event);
    }
}

impl Recording {
    pub(super) fn new() -> Recording {
        Recording(Kept(Arc::default()))
    }

    pub(super) fn sink(&self) -> impl Sink + Send + use<> {
        self.0.clone()
    }

    /// The events so far: what comes later is in what is asked for then.
    pub fn events(&self) -> impl Deref<Target = Capture> + use<> {
        self.0.now().clone()
    }
}

impl fmt::Debug for Recording {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&*self.events(), f)
    }
}
