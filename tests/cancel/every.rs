//! Every point at which a call of a dialogue waits: there the call is dropped, and begun anew.

use std::cell::{Cell, RefCell};
use std::future::{Future, poll_fn};
use std::pin::{Pin, pin};
use std::rc::Rc;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use glasstack::Error;
use glasstack::socket::{Network, timeout};
use glasstack::stack::{Capacity, Usage};

use super::world::{Driver, Executor, Net, World};

/// When a call that waits is dropped, and when it begins anew.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Drop {
    /// Where it waits, and at once anew.
    AtOnce,
    /// Where it waits; anew once the others have had their turns.
    ForAWhile,
    /// Once it was woken, before it could see what for.
    Woken,
}

/// What becomes of the calls of one run.
#[derive(Debug, Clone, Copy)]
struct Plan {
    how: Drop,
    /// Each call has a timeout around it.
    timed: bool,
    /// Of which call, at which of the points where it waits; none is dropped without it.
    victim: Option<(usize, usize)>,
}

/// The calls of one run.
pub(crate) struct Calls {
    world: World,
    plan: Plan,
    count: Cell<usize>,
    struck: Cell<bool>,
}

/// For longer than any dialogue takes.
const LONG: Duration = Duration::from_secs(3_600);

impl Calls {
    /// Makes a call; if it is the plan's victim, it is dropped where it waits, and made again.
    pub(crate) async fn each<R>(&self, net: &Net, mut call: impl AsyncFnMut() -> R) -> R {
        let number = self.count.replace(self.count.get() + 1);
        let mut waits = 0;
        loop {
            let references = self.world.references();
            let result = if self.plan.timed {
                let timed = timeout(net, LONG, call());
                self.until_dropped(number, &mut waits, timed)
                    .await
                    .map(|result| result.unwrap())
            } else {
                self.until_dropped(number, &mut waits, call()).await
            };
            if let Some(result) = result {
                return result;
            }
            assert_eq!(self.world.references(), references, "a waker stayed behind");
            if self.plan.how == Drop::ForAWhile {
                for _ in 0..4 {
                    give_way().await;
                }
            }
        }
    }

    async fn until_dropped<F: Future>(
        &self,
        number: usize,
        waits: &mut usize,
        future: F,
    ) -> Option<F::Output> {
        let mut future = pin!(future);
        let mut condemned = false;
        poll_fn(|context| {
            if condemned {
                return Poll::Ready(None);
            }
            if let Poll::Ready(output) = future.as_mut().poll(context) {
                return Poll::Ready(Some(output));
            }
            let is_victim = self.plan.victim == Some((number, *waits));
            *waits += 1;
            if !is_victim {
                return Poll::Pending;
            }
            self.struck.set(true);
            condemned = self.plan.how == Drop::Woken;
            if condemned {
                Poll::Pending
            } else {
                Poll::Ready(None)
            }
        })
        .await
    }
}

/// Lets the other tasks have their turns.
pub(crate) async fn give_way() {
    let mut is_first = true;
    poll_fn(|context| {
        if !std::mem::take(&mut is_first) {
            return Poll::Ready(());
        }
        context.waker().wake_by_ref();
        Poll::Pending
    })
    .await
}

/// How many scripts of a dialogue are over.
#[derive(Default)]
struct Over {
    left: Cell<usize>,
    waiting: RefCell<Vec<Waker>>,
}

/// Waits for all scripts.
struct All<'o>(&'o Over, Option<Waker>);

impl Future for All<'_> {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<()> {
        if self.0.left.get() == 0 {
            return Poll::Ready(());
        }
        if self.1.is_none() {
            self.0.waiting.borrow_mut().push(context.waker().clone());
            self.1 = Some(context.waker().clone());
        }
        Poll::Pending
    }
}

impl std::ops::Drop for All<'_> {
    fn drop(&mut self) {
        let mut waiting = self.0.waiting.borrow_mut();
        waiting.retain(|waker| self.1.as_ref().is_none_or(|own| !waker.will_wake(own)));
    }
}

impl Over {
    fn all(&self) -> All<'_> {
        All(self, None)
    }

    fn one(&self) {
        self.left.set(self.left.get() - 1);
        if self.left.get() == 0 {
            self.waiting.take().into_iter().for_each(Waker::wake);
        }
    }
}

/// Drives a network until the scripts are over, then until all is sent, then until nothing is left of the connections.
async fn drive(calls: Rc<Calls>, net: Net, mut runner: Driver, over: Rc<Over>) {
    let run = async || runner.run_until(over.all()).await.unwrap();
    calls.each(&net, run).await;
    calls
        .each(&net, async || runner.drain().await.unwrap())
        .await;
    // A minute is how long FIN-WAIT-2 may last.
    let minute = Duration::from_secs(61);
    let run = async || timeout(&net, minute, runner.run()).await.map(drop);
    assert_eq!(calls.each(&net, run).await, Err(Error::TimedOut));
}

/// Nothing in use.
pub(crate) const NOTHING: Usage = Usage {
    sockets: 0,
    connections: 0,
    datagrams: 0,
    lookups: 0,
    wakers: 0,
};

/// A task of a dialogue, on the client's or on the server's network.
pub(crate) type Script = Pin<Box<dyn Future<Output = ()>>>;

/// What a dialogue is: small buffers, so that calls wait; and its tasks.
pub(crate) struct Dialogue {
    pub(crate) client: Capacity,
    pub(crate) server: Capacity,
    pub(crate) scripts: fn(&Rc<Calls>, &World, &Net, &Net) -> Vec<Script>,
    /// Tasks that go on until the scripts are over.
    pub(crate) servants: fn(&Rc<Calls>, &World, &Net, &Net) -> Vec<Script>,
}

/// Says which plan failed.
struct Told(Plan);

impl std::ops::Drop for Told {
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("failed with {:?}", self.0);
        }
    }
}

/// One run of a dialogue: how many calls it made, and whether the victim was found.
fn run(dialogue: &Dialogue, plan: Plan) -> (usize, bool) {
    let world = World::new();
    let calls = Rc::new(Calls {
        world: world.clone(),
        plan,
        count: Cell::new(0),
        struck: Cell::new(false),
    });
    let _told = Told(plan);
    let (client, server) = world.pair(dialogue.client.clone(), dialogue.server.clone());
    let (near, far) = (client.net.clone(), server.net.clone());
    let mut executor = Executor::new(&world);
    let over = Rc::new(Over::default());
    for script in (dialogue.scripts)(&calls, &world, &near, &far) {
        let over = over.clone();
        over.left.set(over.left.get() + 1);
        executor.spawn("script", async move {
            script.await;
            over.one();
        });
    }
    for servant in (dialogue.servants)(&calls, &world, &near, &far) {
        let over = over.clone();
        let mut servant = servant;
        executor.spawn("servant", async move {
            let mut all = pin!(over.all());
            poll_fn(|context| match all.as_mut().poll(context) {
                Poll::Ready(()) => Poll::Ready(()),
                Poll::Pending => servant.as_mut().poll(context),
            })
            .await
        });
    }
    for station in [client, server] {
        let (net, runner) = (station.net, station.runner);
        let driving = drive(calls.clone(), net, runner, over.clone());
        executor.spawn("driver", driving);
    }
    executor.run();
    for net in [&near, &far] {
        let usage = net.call(|stack| Ok(stack.usage())).unwrap();
        assert_eq!(usage, NOTHING, "{plan:?}");
    }
    assert_eq!(executor.leaked_wakers(), 0, "{plan:?}");
    (calls.count.get(), calls.struck.get())
}

/// Drops every call of a dialogue at every point where it waits, one a run; how many points there were.
pub(crate) fn drop_everywhere(dialogue: &Dialogue) -> usize {
    let mut points = 0;
    for how in [Drop::AtOnce, Drop::ForAWhile, Drop::Woken] {
        for timed in [false, true] {
            let plan = |victim| Plan { how, timed, victim };
            let (mut calls, _) = run(dialogue, plan(None));
            let mut number = 0;
            while number < calls {
                let mut wait = 0;
                loop {
                    let (made, struck) = run(dialogue, plan(Some((number, wait))));
                    calls = made;
                    if !struck {
                        break;
                    }
                    wait += 1;
                }
                points += wait;
                number += 1;
            }
        }
    }
    points
}
