//! A thread without an executor: it sleeps while there is nothing to do, however many drivers it has.

use std::cell::Cell;
use std::collections::VecDeque;
use std::future::{Future, poll_fn};
use std::net::SocketAddr;
use std::pin::{Pin, pin};
use std::rc::Rc;
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll, Wake, Waker};
use std::thread;
use std::time::{Duration, Instant as Time};

use glasstack::device::Wire;
use glasstack::device::wire::WireEnd;
use glasstack::host::{self, Parker};
use glasstack::smoltcp::phy::Medium;
use glasstack::smoltcp::time::Instant;
use glasstack::socket::{Local, Locked, Park, Runner, TcpListener, TcpStream, UdpSocket};
use glasstack::socket::{block_on, sleep};
use glasstack::stack::InterfaceId;
use glasstack::{Result, Stack};

use super::time::small;

type Net = Rc<Local<'static, fn() -> Instant>>;

/// A network on its end of a wire.
fn station(last: u8, end: &mut WireEnd) -> (Net, InterfaceId) {
    let mut stack = Stack::with_capacity(small(), [last; 16], ());
    let interface = stack.add_interface(end, None).unwrap();
    stack
        .add_address(interface, [10, 0, 0, last].into(), 24)
        .unwrap();
    (
        Rc::new(Local::new(stack, host::now as fn() -> Instant)),
        interface,
    )
}

fn address() -> SocketAddr {
    "10.0.0.2:9999".parse().unwrap()
}

/// Counts the sleeps.
pub(super) struct Counted<'p>(pub(super) &'p Parker, pub(super) Cell<usize>);

impl Park for Counted<'_> {
    fn waker(&self) -> Waker {
        self.0.waker()
    }

    fn park(&self) {
        self.1.set(self.1.get() + 1);
        self.0.park();
    }
}

/// Futures of one task with a waker each, of which only those are polled that were woken: what `FuturesUnordered` does.
struct Several<'f> {
    futures: Vec<Option<Pin<Box<dyn Future<Output = ()> + 'f>>>>,
    woken: Arc<Mutex<VecDeque<usize>>>,
}

struct One {
    index: usize,
    woken: Arc<Mutex<VecDeque<usize>>>,
    parent: Waker,
}

impl Wake for One {
    fn wake(self: Arc<Self>) {
        self.woken.lock().unwrap().push_back(self.index);
        self.parent.wake_by_ref();
    }
}

impl<'f> Several<'f> {
    fn new(futures: Vec<Pin<Box<dyn Future<Output = ()> + 'f>>>) -> Several<'f> {
        Several {
            woken: Arc::new(Mutex::new((0..futures.len()).collect())),
            futures: futures.into_iter().map(Some).collect(),
        }
    }

    /// Until the first of them is done.
    async fn first(mut self) {
        poll_fn(|context| {
            loop {
                let next = self.woken.lock().unwrap().pop_front();
                let Some(index) = next else {
                    return Poll::Pending;
                };
                let waker = Waker::from(Arc::new(One {
                    index,
                    woken: self.woken.clone(),
                    parent: context.waker().clone(),
                }));
                let Some(future) = &mut self.futures[index] else {
                    continue;
                };
                if future
                    .as_mut()
                    .poll(&mut Context::from_waker(&waker))
                    .is_ready()
                {
                    self.futures[index] = None;
                    if index == 0 {
                        return Poll::Ready(());
                    }
                }
            }
        })
        .await
    }
}

async fn echo(net: Net) -> Result<()> {
    let listener = TcpListener::bind(net, address(), 1)?;
    let (stream, _) = listener.accept().await?;
    let mut buffer = [0; 64];
    while let len @ 1.. = stream.read(&mut buffer).await? {
        stream.write_all(&buffer[..len]).await?;
    }
    Ok(())
}

/// Asks, pauses and asks again: for the pause and for the answers each runner's deadline and device must be waited for.
async fn ask(net: Net) -> Result<()> {
    let stream = TcpStream::connect(net.clone(), address()).await?;
    for _ in 0..20 {
        let mut buffer = [0; 5];
        stream.write_all(b"hello").await?;
        stream.read_exact(&mut buffer).await?;
        assert_eq!(&buffer, b"hello");
        sleep(&net, Duration::from_millis(2)).await?;
    }
    Ok(())
}

#[test]
fn two_runners_share_a_parker_in_any_combination() {
    for each_has_a_waker in [false, true] {
        let start = Time::now();
        let (mut left, mut right) = Wire::pair(Medium::Ip, 1500);
        let (near, near_interface) = station(1, &mut left);
        let (far, far_interface) = station(2, &mut right);
        let parker = Parker::new().unwrap();
        let counted = Counted(&parker, Cell::new(0));
        let mut near_runner = Runner::new(near.clone(), near_interface, left, &parker);
        let mut far_runner = Runner::new(far.clone(), far_interface, right, &parker);
        if each_has_a_waker {
            let several = Several::new(vec![
                Box::pin(async { ask(near.clone()).await.unwrap() }),
                Box::pin(async { echo(far.clone()).await.unwrap() }),
                Box::pin(async { near_runner.run().await.map(drop).unwrap() }),
                Box::pin(async { far_runner.run().await.map(drop).unwrap() }),
            ]);
            block_on(&counted, several.first());
        } else {
            let program = async {
                let (mut asking, mut echoing) = (pin!(ask(near)), pin!(echo(far)));
                poll_fn(|context| {
                    let _ = echoing.as_mut().poll(context);
                    asking.as_mut().poll(context)
                })
                .await
            };
            let program = near_runner.run_until(far_runner.run_until(program));
            block_on(&counted, program).unwrap().unwrap().unwrap();
        }
        // Twenty pauses of 2 ms; a retransmission timer that has to help out takes a second.
        let elapsed = start.elapsed();
        assert!(elapsed < Duration::from_secs(10), "{elapsed:?}");
        let sleeps = counted.1.get();
        assert!(sleeps < 400, "{sleeps} sleeps for twenty questions");
    }
}

#[test]
fn an_idle_thread_sleeps_and_wakes_for_a_frame_and_a_time() {
    let (mut left, mut right) = Wire::pair(Medium::Ip, 1500);
    let (near, interface) = station(1, &mut left);
    let parker = Parker::new().unwrap();
    let counted = Counted(&parker, Cell::new(0));
    let mut runner = Runner::new(near.clone(), interface, left, &parker);
    let peer = thread::spawn(move || {
        let (far, interface) = station(2, &mut right);
        let parker = Parker::new().unwrap();
        let mut runner = Runner::new(far.clone(), interface, right, &parker);
        block_on(&parker, runner.run_until(echo(far)))
            .unwrap()
            .unwrap();
    });
    block_on(
        &counted,
        runner.run_until(async {
            let stream = TcpStream::connect(near.clone(), address()).await.unwrap();
            // Once the last delayed acknowledgments have left, one sleep is all there is.
            let mut naps = 0;
            loop {
                let before = counted.1.get();
                sleep(&near, Duration::from_millis(300)).await.unwrap();
                if counted.1.get() == before + 1 {
                    break;
                }
                naps += 1;
                assert!(naps < 20, "it wakes up for nothing");
            }
            stream.write_all(b"hello").await.unwrap();
            stream.read_exact(&mut [0; 5]).await.unwrap();
        }),
    )
    .unwrap();
    peer.join().unwrap();
}

#[test]
fn a_parker_outlives_its_runner_and_the_device() {
    let parker = Parker::new().unwrap();
    for round in 0..3 {
        let start = Time::now();
        // The descriptors of the devices before are closed: these may have their numbers.
        let (mut left, mut right) = Wire::pair(Medium::Ip, 1500);
        let (near, near_interface) = station(1, &mut left);
        let mut runner = Runner::new(near.clone(), near_interface, left, &parker);
        let socket = UdpSocket::bind(near, "10.0.0.1:9999".parse().unwrap()).unwrap();
        let peer = thread::spawn(move || {
            let (far, interface) = station(2, &mut right);
            let parker = Parker::new().unwrap();
            let mut runner = Runner::new(far.clone(), interface, right, &parker);
            let socket = UdpSocket::bind(far.clone(), address()).unwrap();
            let sending = async {
                // So that the other one sleeps.
                sleep(&far, Duration::from_millis(30)).await?;
                socket
                    .send_to(b"hello", "10.0.0.1:9999".parse().unwrap())
                    .await
            };
            block_on(&parker, runner.run_until(sending))
                .unwrap()
                .unwrap();
            right_is_kept(runner);
        });
        let mut buffer = [0; 8];
        let received = block_on(&parker, runner.run_until(socket.recv_from(&mut buffer)));
        assert_eq!(received.unwrap().unwrap().len, 5);
        assert!(start.elapsed() < Duration::from_secs(5), "round {round}");
        peer.join().unwrap();
    }
}

/// The wire's other end lives until here.
fn right_is_kept<T>(_: T) {}

#[test]
fn threads_share_a_network_that_one_of_them_drives() {
    let (mut left, mut right) = Wire::pair(Medium::Ip, 1500);
    let station = |last: u8, end: &mut WireEnd| {
        let mut stack = Stack::with_capacity(small(), [last; 16], ());
        let interface = stack.add_interface(end, None).unwrap();
        stack
            .add_address(interface, [10, 0, 0, last].into(), 24)
            .unwrap();
        (Arc::new(Locked::new(stack, host::now)), interface)
    };
    let (near, near_interface) = station(1, &mut left);
    let (far, far_interface) = station(2, &mut right);
    // They end when the other threads have dropped their networks.
    let drivers = [
        (near.clone(), near_interface, left),
        (far.clone(), far_interface, right),
    ]
    .map(|(net, interface, end)| {
        thread::spawn(move || {
            let parker = Parker::new().unwrap();
            let mut runner = Runner::new(net.clone(), interface, end, &parker);
            let alone = async {
                // The runner's, and this one's.
                while Arc::strong_count(&net) > 2 {
                    sleep(&net, Duration::from_millis(5)).await.unwrap();
                }
            };
            block_on(&parker, runner.run_until(alone)).unwrap();
        })
    });
    const CLIENTS: usize = 4;
    let listener = TcpListener::bind(far.clone(), address(), CLIENTS).unwrap();
    let listener = Arc::new(listener);
    let servers = (0..CLIENTS).map(|_| {
        let listener = listener.clone();
        thread::spawn(move || {
            let parker = Parker::new().unwrap();
            let serving = async {
                let (stream, _) = listener.accept().await.unwrap();
                let mut buffer = [0; 64];
                while let len @ 1.. = stream.read(&mut buffer).await.unwrap() {
                    stream.write_all(&buffer[..len]).await.unwrap();
                }
            };
            block_on(&parker, serving);
        })
    });
    let servers: Vec<_> = servers.collect();
    let clients = (0..CLIENTS).map(|_| {
        let near = near.clone();
        thread::spawn(move || {
            let parker = Parker::new().unwrap();
            let asking = async {
                let stream = TcpStream::connect(near, address()).await.unwrap();
                for octet in 0..200 {
                    let mut answer = [0];
                    stream.write_all(&[octet]).await.unwrap();
                    stream.read_exact(&mut answer).await.unwrap();
                    assert_eq!(answer, [octet]);
                }
            };
            block_on(&parker, asking);
        })
    });
    for client in clients.collect::<Vec<_>>() {
        client.join().unwrap();
    }
    for server in servers {
        server.join().unwrap();
    }
    drop((near, far, listener));
    for driver in drivers {
        driver.join().unwrap();
    }
}

#[test]
fn a_waker_of_another_thread_ends_the_sleep() {
    let parker = Parker::new().unwrap();
    let (sent, wait) = std::sync::mpsc::channel::<Waker>();
    let thread = thread::spawn(move || wait.recv().unwrap().wake());
    let mut polls = 0;
    block_on(
        &parker,
        poll_fn(|context| {
            polls += 1;
            if polls == 1 {
                sent.send(context.waker().clone()).unwrap();
                return Poll::Pending;
            }
            Poll::Ready(())
        }),
    );
    thread.join().unwrap();
    assert_eq!(polls, 2);
}
