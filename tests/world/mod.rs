//! Tasks under virtual time, over networks that a wire joins. The executor polls a task when it was woken, and never else: a
//! wake-up that is lost stands out, because the world comes to a halt.
#![allow(dead_code)] // each test uses its part of it

use std::cell::{Cell, RefCell};
use std::future::Future;
use std::pin::Pin;
use std::rc::Rc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Weak};
use std::task::{Context, Poll, Wake, Waker};

use glasstack::Stack;
use glasstack::device::Wire;
use glasstack::device::wire::WireEnd;
use glasstack::smoltcp::phy::{self, Device, DeviceCapabilities, Medium};
use glasstack::smoltcp::time::Instant;
use glasstack::socket::{Clock, Local, Runner, Wait};
use glasstack::stack::{Capacity, InterfaceId};
use glasstack::trace::Observer;

/// Polls at one instant that no script of these tests comes near.
const POLLS: usize = 20_000;

/// When no script goes on any more: a connection that nobody serves probes its peer for ever.
pub(crate) const END: Instant = Instant::from_micros_const(7_200_000_000);

/// What a task is woken by.
#[derive(Default)]
pub(crate) struct Bell {
    has_rung: AtomicBool,
    rings: AtomicUsize,
}

impl Bell {
    pub(crate) fn rings(&self) -> usize {
        self.rings.load(Ordering::Relaxed)
    }
}

impl Wake for Bell {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        self.has_rung.store(true, Ordering::Relaxed);
        self.rings.fetch_add(1, Ordering::Relaxed);
    }
}

/// The world's time, and whose turn it is.
#[derive(Clone)]
pub(crate) struct World(Rc<State>);

struct State {
    now: Cell<Instant>,
    current: RefCell<Weak<Bell>>,
    timers: RefCell<Vec<(Instant, Weak<Bell>, usize)>>,
    turnstiles: Cell<usize>,
}

impl Clock for World {
    fn now(&self) -> Instant {
        self.0.now.get()
    }
}

impl World {
    pub(crate) fn new() -> World {
        World(Rc::new(State {
            now: Cell::new(Instant::ZERO),
            current: RefCell::default(),
            timers: RefCell::default(),
            turnstiles: Cell::default(),
        }))
    }

    /// How many references there are to the waker of the task that is being polled.
    pub(crate) fn references(&self) -> usize {
        self.0.current.borrow().strong_count()
    }

    /// How a runner waits in this world.
    pub(crate) fn turnstile(&self) -> Turnstile {
        let number = self.0.turnstiles.get();
        self.0.turnstiles.set(number + 1);
        Turnstile {
            world: self.clone(),
            number,
        }
    }

    /// Two networks, 10.0.0.1 and 10.0.0.2, and who drives them.
    pub(crate) fn pair(&self, client: Capacity, server: Capacity) -> (Station, Station) {
        let (left, right) = self.link();
        (
            self.station(1, client, left),
            self.station(2, server, right),
        )
    }

    /// The two ends of a wire.
    pub(crate) fn link(&self) -> (End, End) {
        let (left, right) = Wire::pair(Medium::Ip, 1500);
        let (here, there) = (Rc::new(Arrival::default()), Rc::new(Arrival::default()));
        let end = |wire, here: &Rc<Arrival>, there: &Rc<Arrival>| End {
            wire,
            here: here.clone(),
            there: there.clone(),
            turns: Rc::default(),
            sent: Rc::default(),
        };
        (end(left, &here, &there), end(right, &there, &here))
    }

    fn station(&self, last: u8, capacity: Capacity, mut end: End) -> Station {
        let mut stack = Stack::with_capacity(capacity, [last; 16], ());
        let interface = join(&mut stack, &mut end, [10, 0, 0, last]);
        let (turns, sent) = (end.turns.clone(), end.sent.clone());
        let net = Rc::new(Local::new(stack, self.clone()));
        let runner = Runner::new(net.clone(), interface, end, self.turnstile());
        Station {
            net,
            runner,
            turns,
            sent,
        }
    }
}

/// Gives a stack an interface with an address.
pub(crate) fn join<O: Observer>(
    stack: &mut Stack<'_, O>,
    end: &mut End,
    address: [u8; 4],
) -> InterfaceId {
    let interface = stack.add_interface(end, None).unwrap();
    stack.add_address(interface, address.into(), 24).unwrap();
    interface
}

pub(crate) type Net = Rc<Local<'static, World>>;
pub(crate) type Driver = Runner<Net, End, Turnstile>;

/// A network with its runner.
pub(crate) struct Station {
    pub(crate) net: Net,
    pub(crate) runner: Driver,
    /// How often the runner looked for frames, and how many it sent.
    pub(crate) turns: Rc<Cell<usize>>,
    pub(crate) sent: Rc<Cell<usize>>,
}

/// Waits for a wire's end and for a time, as the executor of this world does.
pub(crate) struct Turnstile {
    world: World,
    number: usize,
}

impl Turnstile {
    fn set(&self, until: Option<Instant>) {
        let state = &self.world.0;
        let mut timers = state.timers.borrow_mut();
        timers.retain(|(_, _, number)| *number != self.number);
        timers.extend(until.map(|at| (at, state.current.borrow().clone(), self.number)));
    }
}

impl Wait<End> for Turnstile {
    fn poll_wait(
        &mut self,
        end: &mut End,
        until: Option<Instant>,
        _: &mut Context<'_>,
    ) -> Poll<()> {
        *end.here.waiter.borrow_mut() = self.world.0.current.borrow().clone();
        self.set(until);
        match end.wire.next_arrival() {
            Some(_) => Poll::Ready(()),
            None => Poll::Pending,
        }
    }
}

impl Wait<glasstack::device::Absent> for Turnstile {
    fn poll_wait(
        &mut self,
        _: &mut glasstack::device::Absent,
        until: Option<Instant>,
        _: &mut Context<'_>,
    ) -> Poll<()> {
        self.set(until);
        Poll::Pending
    }
}

/// Who waits for frames at one end. Not by its waker: the tests count the references to those.
#[derive(Default)]
struct Arrival {
    waiter: RefCell<Weak<Bell>>,
}

impl Arrival {
    fn tell(&self) {
        if let Some(bell) = self.waiter.borrow().upgrade() {
            bell.wake();
        }
    }
}

/// An end of a wire that tells the other end's runner.
pub(crate) struct End {
    wire: WireEnd,
    here: Rc<Arrival>,
    there: Rc<Arrival>,
    pub(crate) turns: Rc<Cell<usize>>,
    pub(crate) sent: Rc<Cell<usize>>,
}

pub(crate) struct Tx<'a> {
    token: <WireEnd as Device>::TxToken<'a>,
    there: &'a Arrival,
    sent: &'a Cell<usize>,
}

impl phy::TxToken for Tx<'_> {
    fn consume<R, F: FnOnce(&mut [u8]) -> R>(self, len: usize, f: F) -> R {
        let result = self.token.consume(len, f);
        self.sent.set(self.sent.get() + 1);
        self.there.tell();
        result
    }
}

impl Device for End {
    type RxToken<'a> = <WireEnd as Device>::RxToken<'a>;
    type TxToken<'a> = Tx<'a>;

    fn receive(&mut self, now: Instant) -> Option<(Self::RxToken<'_>, Tx<'_>)> {
        let Some((frame, token)) = self.wire.receive(now) else {
            self.turns.set(self.turns.get() + 1);
            return None;
        };
        let (there, sent) = (&*self.there, &*self.sent);
        Some((frame, Tx { token, there, sent }))
    }

    fn transmit(&mut self, now: Instant) -> Option<Tx<'_>> {
        let token = self.wire.transmit(now)?;
        let (there, sent) = (&*self.there, &*self.sent);
        Some(Tx { token, there, sent })
    }

    fn capabilities(&self) -> DeviceCapabilities {
        self.wire.capabilities()
    }
}

struct Task {
    name: &'static str,
    bell: Arc<Bell>,
    future: Option<Pin<Box<dyn Future<Output = ()>>>>,
    polls: usize,
    is_held: bool,
}

/// Runs tasks.
pub(crate) struct Executor {
    world: World,
    tasks: Vec<Task>,
    polls_now: usize,
}

impl Executor {
    pub(crate) fn new(world: &World) -> Executor {
        Executor {
            world: world.clone(),
            tasks: Vec::new(),
            polls_now: 0,
        }
    }

    /// Starts a task; its waker.
    pub(crate) fn spawn(
        &mut self,
        name: &'static str,
        future: impl Future<Output = ()> + 'static,
    ) -> Arc<Bell> {
        let bell = Arc::new(Bell::default());
        bell.wake_by_ref();
        self.tasks.push(Task {
            name,
            bell: bell.clone(),
            future: Some(Box::pin(future)),
            polls: 0,
            is_held: false,
        });
        bell
    }

    /// Drops a task wherever it is.
    pub(crate) fn abort(&mut self, name: &str) {
        for task in self.tasks.iter_mut().filter(|task| task.name == name) {
            task.future = None;
        }
    }

    /// Polls a task no more, whoever wakes it.
    pub(crate) fn hold(&mut self, name: &str) {
        for task in self.tasks.iter_mut().filter(|task| task.name == name) {
            task.is_held = true;
        }
    }

    pub(crate) fn is_done(&self, name: &str) -> bool {
        let mut tasks = self.tasks.iter().filter(|task| task.name == name);
        tasks.all(|task| task.future.is_none())
    }

    /// How often the tasks of this name were polled.
    pub(crate) fn polls(&self, name: &str) -> usize {
        let tasks = self.tasks.iter().filter(|task| task.name == name);
        tasks.map(|task| task.polls).sum()
    }

    /// Polls who was woken, until nobody is.
    pub(crate) fn settle(&mut self) {
        while self.round() {}
    }

    /// Polls who was woken once; whether there was somebody.
    pub(crate) fn round(&mut self) -> bool {
        let mut was_woken = false;
        for task in &mut self.tasks {
            let has_rung = task.bell.has_rung.swap(false, Ordering::Relaxed);
            let Some(future) = &mut task.future else {
                continue;
            };
            if !has_rung || task.is_held {
                continue;
            }
            was_woken = true;
            task.polls += 1;
            self.polls_now += 1;
            assert!(self.polls_now < POLLS, "{} spins", task.name);
            *self.world.0.current.borrow_mut() = Arc::downgrade(&task.bell);
            let waker = Waker::from(task.bell.clone());
            if future
                .as_mut()
                .poll(&mut Context::from_waker(&waker))
                .is_ready()
            {
                task.future = None;
            }
        }
        was_woken
    }

    /// Goes to the next deadline, if there is one.
    pub(crate) fn advance(&mut self, end: Option<Instant>) -> bool {
        let state = &self.world.0;
        let next = state.timers.borrow().iter().map(|(at, ..)| *at).min();
        let Some(next) = next.filter(|next| end.is_none_or(|end| *next <= end)) else {
            return false;
        };
        state.now.set(next.max(state.now.get()));
        self.polls_now = 0;
        state.timers.borrow_mut().retain(|(at, bell, _)| {
            if *at > next {
                return true;
            }
            if let Some(bell) = bell.upgrade() {
                bell.wake();
            }
            false
        });
        true
    }

    /// Runs until every task is done.
    ///
    /// # Panics
    /// Where none is woken any more although some are not done.
    pub(crate) fn run(&mut self) {
        loop {
            self.settle();
            let waiting = self.tasks.iter().filter(|task| task.future.is_some());
            let waiting: Vec<_> = waiting.map(|task| task.name).collect();
            if waiting.is_empty() {
                return;
            }
            assert!(self.advance(Some(END)), "nobody wakes {waiting:?}");
        }
    }

    /// Runs until the tasks of a name are done.
    ///
    /// # Panics
    /// Where nobody wakes them any more.
    pub(crate) fn finish(&mut self, name: &str) {
        self.settle();
        while !self.is_done(name) {
            assert!(self.advance(Some(END)), "nobody wakes {name}");
            self.settle();
        }
    }

    /// Lets time pass.
    pub(crate) fn pass(&mut self, duration: std::time::Duration) {
        let end = self.world.now() + duration.into();
        self.settle();
        while self.advance(Some(end)) {
            self.settle();
        }
        self.world.0.now.set(end);
        self.polls_now = 0;
        self.settle();
    }

    /// Drops the tasks and gives what is left of their wakers: references to each beside this one's own.
    pub(crate) fn leaked_wakers(mut self) -> usize {
        let bells: Vec<_> = self.tasks.drain(..).map(|task| task.bell).collect();
        bells.iter().map(|bell| Arc::strong_count(bell) - 1).sum()
    }
}
