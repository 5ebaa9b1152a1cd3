//! Several runners in one thread without an executor, of several stacks or of one stack's interfaces: every one is driven for
//! its own device and at its own time.

use std::{
    cell::Cell,
    future::Future,
    pin::Pin,
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, Ordering},
        mpsc,
    },
    task::{Context, Poll, Wake, Waker},
    thread,
    time::Duration,
};

use embassy_futures::{
    join::join,
    select::{Either, select},
};
use glasstack::{
    Result, Stack,
    device::{Wire, WireEnd, wire::Faults},
    host::{self, Parker},
    smoltcp::{phy::Medium, time::Instant},
    socket::{Interrupts, Local, Runner, TcpListener, TcpStream, block_on, sleep},
    stack::{Capacity, InterfaceId},
};

/// A test that sleeps for ever fails after so long.
const PATIENCE: Duration = Duration::from_secs(30);

fn in_time<R: Send + 'static>(test: impl FnOnce() -> R + Send + 'static) -> R {
    let (end, ended) = mpsc::channel();
    thread::spawn(move || end.send(test()));
    ended
        .recv_timeout(PATIENCE)
        .expect("it slept through something, or panicked")
}

type Network = Local<'static, fn() -> Instant>;

fn host(mut end: WireEnd, number: u8) -> (Network, InterfaceId, WireEnd) {
    let mut stack = Stack::with_capacity(Capacity::default(), [number; 16], ());
    let interface = attach(&mut stack, &mut end, [10, 0, 0, number]);
    (Local::new(stack, host::now), interface, end)
}

fn attach(stack: &mut Stack<'static>, end: &mut WireEnd, address: [u8; 4]) -> InterfaceId {
    let interface = stack.add_interface(end, None).expect("room");
    let added = stack.add_address(interface, address.into(), 24);
    added.expect("room");
    interface
}

/// A future that is polled when its own waker was woken, and not because another was: as in an executor.
struct Task<F> {
    future: Pin<Box<F>>,
    ready: Arc<Ready>,
}

struct Ready {
    is_ready: AtomicBool,
    executor: Mutex<Waker>,
}

impl Wake for Ready {
    fn wake(self: Arc<Self>) {
        self.is_ready.store(true, Ordering::SeqCst);
        self.executor.lock().expect("nobody panicked").wake_by_ref();
    }
}

impl<F: Future> Task<F> {
    fn new(future: F) -> Task<F> {
        Task {
            future: Box::pin(future),
            ready: Arc::new(Ready {
                is_ready: AtomicBool::new(true),
                executor: Mutex::new(Waker::noop().clone()),
            }),
        }
    }
}

impl<F: Future> Future for Task<F> {
    type Output = F::Output;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<F::Output> {
        self.ready
            .executor
            .lock()
            .expect("nobody panicked")
            .clone_from(context.waker());
        if !self.ready.is_ready.swap(false, Ordering::SeqCst) {
            return Poll::Pending;
        }
        let waker = Waker::from(self.ready.clone());
        self.future.as_mut().poll(&mut Context::from_waker(&waker))
    }
}

/// A conversation of two hosts in this thread; the SYN is lost, so that the client's timer is waited for, while the server
/// waits for a frame and for nothing else.
fn converse(are_tasks: bool) -> Result<[u8; 8]> {
    let faults = Faults::new(1).lose("SYN".parse().expect("a selector"));
    let (left, right) = Wire::new(Medium::Ip, 1500).faulty_ends(faults)?;
    let (client, client_link, left) = host(left, 1);
    let (server, server_link, right) = host(right, 2);
    let parker = Parker::new().expect("an eventfd");
    let mut client_runner = Runner::new(&client, client_link, left, &parker);
    let mut server_runner = Runner::new(&server, server_link, right, &parker);
    let address = "10.0.0.2:9999".parse().expect("an address");
    let listener = TcpListener::bind(&server, address, 5)?;
    let serve = async {
        let (stream, _) = listener.accept().await?;
        stream.write_all(b"Welcome!").await?;
        std::future::pending::<Result<()>>().await
    };
    let hear = async {
        let stream = TcpStream::connect(&client, address).await?;
        let mut welcome = [0; 8];
        stream.read_exact(&mut welcome).await?;
        Ok(welcome)
    };
    let (hear, serve) = (
        client_runner.run_until(hear),
        server_runner.run_until(serve),
    );
    let end = match are_tasks {
        true => block_on(&parker, select(Task::new(hear), Task::new(serve))),
        false => block_on(&parker, select(hear, serve)),
    };
    match end {
        Either::First(end) => end?,
        Either::Second(end) => end?.map(|()| *b"(no end)"),
    }
}

#[test]
fn a_parker_wakes_each_runner_for_its_device_and_its_time() {
    assert_eq!(in_time(|| converse(false)), Ok(*b"Welcome!"));
}

#[test]
fn a_parker_wakes_the_runners_that_an_executor_has_as_tasks() {
    assert_eq!(in_time(|| converse(true)), Ok(*b"Welcome!"));
}

/// A stack between two links, with a runner for each; on each link a peer, whose first SYN is lost. The stack has room for one
/// connection: the second peer's next SYN waits until the first has said goodbye, which the other runner hears.
fn serve_two_links() -> Result<[[u8; 8]; 2]> {
    let wire = || {
        let faults = Faults::new(1).lose("SYN".parse().expect("a selector"));
        Wire::new(Medium::Ip, 1500).faulty_ends(faults)
    };
    let ((mut left, left_peer), (mut right, right_peer)) = (wire()?, wire()?);
    let capacity = Capacity {
        connections: 1,
        ..Capacity::default()
    };
    let mut stack = Stack::with_capacity(capacity, [9; 16], ());
    let left_link = attach(&mut stack, &mut left, [10, 0, 0, 1]);
    let right_link = attach(&mut stack, &mut right, [10, 0, 1, 1]);
    let home = Local::new(stack, host::now as fn() -> Instant);
    let peer = |mut end: WireEnd, number: u8| -> (Network, InterfaceId, WireEnd) {
        let mut stack = Stack::with_capacity(Capacity::default(), [number; 16], ());
        let interface = attach(&mut stack, &mut end, [10, 0, number, 2]);
        (Local::new(stack, host::now), interface, end)
    };
    let (one, one_link, one_end) = peer(left_peer, 0);
    let (other, other_link, other_end) = peer(right_peer, 1);

    let parker = Parker::new().expect("an eventfd");
    let mut left_runner = Runner::new(&home, left_link, left, &parker);
    let mut right_runner = Runner::new(&home, right_link, right, &parker);
    let mut one_runner = Runner::new(&one, one_link, one_end, &parker);
    let mut other_runner = Runner::new(&other, other_link, other_end, &parker);

    let listener = TcpListener::bind(&home, "0.0.0.0:9999".parse().expect("an address"), 5)?;
    // Beside the left link's runner, and what it sends over the right link is for the right one's.
    let serve = async {
        for _ in 0..2 {
            let (stream, _) = listener.accept().await?;
            stream.write_all(b"Welcome!").await?;
            // The peer's end first, so that its acknowledgment frees the place.
            assert_eq!(stream.read(&mut [0]).await?, 0);
        }
        std::future::pending::<Result<()>>().await
    };
    let hear = async |network: &Network, address: &str| {
        let address = address.parse().expect("an address");
        let stream = TcpStream::connect(network, address).await?;
        let mut welcome = [0; 8];
        stream.read_exact(&mut welcome).await?;
        Result::Ok(welcome)
    };
    let clients = join(
        Task::new(hear(&one, "10.0.0.1:9999")),
        Task::new(hear(&other, "10.0.1.1:9999")),
    );
    let peers = join(Task::new(one_runner.run()), Task::new(other_runner.run()));
    let home = join(
        Task::new(left_runner.run_until(serve)),
        Task::new(right_runner.run()),
    );
    match block_on(&parker, select(clients, join(home, peers))) {
        Either::First((one, other)) => Ok([one?, other?]),
        Either::Second(_) => unreachable!("they run for ever"),
    }
}

#[test]
fn each_runner_of_one_stack_does_what_the_other_caused() {
    assert_eq!(in_time(serve_two_links), Ok([*b"Welcome!"; 2]));
}

#[test]
fn interrupts_wake_each_runner_at_its_time() {
    let time = Cell::new(Instant::ZERO);
    let interrupts = Interrupts::new(|until, is_woken: &dyn Fn() -> bool| {
        if !is_woken() {
            time.set(until.expect("nobody sleeps for ever"));
        }
    });
    let network = || {
        Local::new(
            Stack::with_capacity(Capacity::default(), [7; 16], ()),
            || time.get(),
        )
    };
    let (one, other) = (network(), network());
    let mut runners = [&one, &other].map(|network| Runner::loopback(network, &interrupts));
    let [first, second] = &mut runners;
    let thrice = async {
        sleep(&one, Duration::from_secs(1)).await?;
        sleep(&one, Duration::from_secs(1)).await?;
        sleep(&one, Duration::from_secs(3)).await?;
        Result::Ok(time.get())
    };
    let once = async {
        sleep(&other, Duration::from_secs(3)).await?;
        Result::Ok(time.get())
    };
    let both = join(first.run_until(thrice), second.run_until(once));
    let (thrice, once) = block_on(&interrupts, both);
    assert_eq!(once, Ok(Ok(Instant::from_secs(3))));
    assert_eq!(thrice, Ok(Ok(Instant::from_secs(5))));
}
