//! Tasks, and the chance by which the ready ones take turns.

use std::{
    future::Future,
    pin::Pin,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    task::{Context, Poll, Wake, Waker},
};

use super::HostId;
use crate::device::wire::Luck;

/// A task, by its number.
pub(super) type TaskId = usize;

/// What a task is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Purpose {
    /// The run waits for its end.
    Program,
    /// It is there as long as it is needed: a server.
    Service,
    /// It drives a stack, or is a switch.
    Device,
}

pub(super) struct Task {
    pub(super) name: String,
    pub(super) host: Option<HostId>,
    pub(super) purpose: Purpose,
    pub(super) waker: Waker,
    ready: Arc<Ready>,
    future: Pin<Box<dyn Future<Output = ()>>>,
}

/// The tasks that wait for their turn.
#[derive(Default)]
struct Queue(Mutex<Vec<TaskId>>);

/// Puts a task into the queue, once.
struct Ready {
    task: TaskId,
    is_queued: AtomicBool,
    queue: Arc<Queue>,
}

impl Task {
    /// Whether it waits for its turn.
    pub(super) fn is_ready(&self) -> bool {
        self.ready.is_queued.load(Ordering::Relaxed)
    }
}

impl Wake for Ready {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        if !self.is_queued.swap(true, Ordering::Relaxed) {
            let mut queue = self.queue.0.lock().unwrap_or_else(PoisonError::into_inner);
            queue.push(self.task);
        }
    }
}

/// Runs the tasks of a simulation.
pub(super) struct Executor {
    tasks: Vec<Option<Task>>,
    /// Places of tasks that ended: a late wake of one is a turn too many for the next.
    free: Vec<TaskId>,
    queue: Arc<Queue>,
    luck: Luck,
}

impl Executor {
    pub(super) fn new(luck: Luck) -> Executor {
        Executor {
            tasks: Vec::new(),
            free: Vec::new(),
            queue: Arc::default(),
            luck,
        }
    }

    pub(super) fn spawn(
        &mut self,
        name: String,
        host: Option<HostId>,
        purpose: Purpose,
        future: impl Future<Output = ()> + 'static,
    ) -> TaskId {
        let number = self.free.pop().unwrap_or(self.tasks.len());
        let ready = Arc::new(Ready {
            task: number,
            is_queued: AtomicBool::new(false),
            queue: self.queue.clone(),
        });
        // One waker for all: a clone of a waker knows its fellows, the first may not know its clones.
        let first = Waker::from(ready.clone());
        #[allow(clippy::redundant_clone)]
        let waker = first.clone();
        ready.wake_by_ref();
        let task = Task {
            name,
            host,
            purpose,
            waker,
            ready,
            future: Box::pin(future),
        };
        match self.tasks.get_mut(number) {
            Some(place) => *place = Some(task),
            None => self.tasks.push(Some(task)),
        }
        number
    }

    /// Gives one of the ready tasks its turn, whichever chance has it. Says whether there was one.
    pub(super) fn turn(&mut self) -> bool {
        let mut queue = self.queue.0.lock().unwrap_or_else(PoisonError::into_inner);
        if queue.is_empty() {
            return false;
        }
        let place = self.luck.below(queue.len() as u64) as usize;
        let number = queue.swap_remove(place);
        drop(queue);
        let Some(task) = self.tasks.get_mut(number).and_then(Option::as_mut) else {
            return true;
        };
        task.ready.is_queued.store(false, Ordering::Relaxed);
        let mut context = Context::from_waker(&task.waker);
        if task.future.as_mut().poll(&mut context) == Poll::Ready(()) {
            self.tasks[number] = None;
            self.free.push(number);
        }
        true
    }

    pub(super) fn tasks(&self) -> impl Iterator<Item = &Task> {
        self.tasks.iter().flatten()
    }

    /// Whether every program is at its end.
    pub(super) fn is_done(&self) -> bool {
        !self.tasks().any(|task| task.purpose == Purpose::Program)
    }

    /// Takes a task away, and its turn; it is to be dropped.
    pub(super) fn remove(&mut self, number: TaskId) -> Option<Task> {
        let task = self.tasks.get_mut(number)?.take()?;
        self.free.push(number);
        let mut queue = self.queue.0.lock().unwrap_or_else(PoisonError::into_inner);
        queue.retain(|queued| *queued != number);
        Some(task)
    }

    /// Takes the tasks of a host away; they are to be dropped.
    pub(super) fn remove_all(&mut self, host: HostId) -> Vec<Task> {
        let is_its =
            |task: &Option<Task>| task.as_ref().is_some_and(|task| task.host == Some(host));
        let numbers = (0..self.tasks.len()).filter(|number| is_its(&self.tasks[*number]));
        let numbers: Vec<TaskId> = numbers.collect();
        let removed = numbers.into_iter().filter_map(|number| self.remove(number));
        removed.collect()
    }
}
