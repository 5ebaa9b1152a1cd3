//! Calls from inside: an observer's are refused, a waker's are not; and an observer that panics ends the network.

use std::cell::{Cell, RefCell};
use std::future::Future;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::pin;
use std::rc::Rc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, mpsc};
use std::task::{Context, Poll, Wake, Waker};
use std::thread;
use std::time::Duration;

use glasstack::smoltcp::time::Instant;
use glasstack::socket::{Local, Locked, Network, TcpListener, TcpStream, UdpSocket, sleep};
use glasstack::stack::{Domain, Type};
use glasstack::trace::{Event, Observer};
use glasstack::{Error, Result, Stack};

use super::time::small;

fn clock() -> Instant {
    Instant::ZERO
}

fn address() -> std::net::SocketAddr {
    "127.0.0.1:9999".parse().unwrap()
}

type Meddled = Rc<Local<'static, fn() -> Instant, Meddler>>;

/// Calls the network that it hears of.
#[derive(Clone, Default)]
struct Meddler {
    network: Rc<RefCell<Option<Meddled>>>,
    heard: Rc<RefCell<Vec<Result<()>>>>,
}

impl Observer for Meddler {
    fn event(&mut self, _: &Event) {
        if let Some(network) = &*self.network.borrow() {
            let bound = UdpSocket::bind(network.clone(), address()).map(drop);
            self.heard.borrow_mut().push(bound);
        }
    }
}

#[test]
fn an_observer_that_calls_its_own_network_gets_an_error() {
    let meddler = Meddler::default();
    let stack = Stack::with_capacity(small(), [1; 16], meddler.clone());
    let network = Rc::new(Local::new(stack, clock as fn() -> Instant));
    *meddler.network.borrow_mut() = Some(network.clone());
    let listener = TcpListener::bind(network.clone(), address(), 1).unwrap();
    drop(listener);
    *meddler.network.borrow_mut() = None;
    let heard = meddler.heard.take();
    assert!(!heard.is_empty());
    assert!(
        heard
            .iter()
            .all(|bound| *bound == Err(Error::InvalidArgument))
    );
    assert_eq!(network.call(|stack| Ok(stack.usage().sockets)), Ok(0));
}

/// Does something when it is woken, and something when the last reference to it goes.
struct Busy<W: Fn(), D: Fn()> {
    woken: W,
    dropped: D,
}

impl<W: Fn(), D: Fn()> Wake for Busy<W, D> {
    fn wake(self: Arc<Self>) {
        (self.woken)();
    }
}

impl<W: Fn(), D: Fn()> Drop for Busy<W, D> {
    fn drop(&mut self) {
        (self.dropped)();
    }
}

fn poll<F: Future + Unpin>(future: &mut F, waker: &Waker) -> Poll<F::Output> {
    pin!(future).poll(&mut Context::from_waker(waker))
}

thread_local! {
    /// Where a waker, which must be `Send`, finds a network that is not.
    static NETWORK: Rc<Local<'static, fn() -> Instant>> = Rc::new(Local::new(
        Stack::with_capacity(small(), [1; 16], ()),
        clock as fn() -> Instant,
    ));
    static CALLED: Cell<Result<()>> = const { Cell::new(Err(Error::WouldBlock)) };
}

#[test]
fn who_is_woken_by_a_local_network_may_call_it() {
    let network = NETWORK.with(Rc::clone);
    let call = || CALLED.set(NETWORK.with(|network| network.call(|_| Ok(()))));
    let socket = UdpSocket::bind(network.clone(), address()).unwrap();
    let receives = async || socket.recv_from(&mut [0]).await;
    let mut receiving = Box::pin(receives());
    let waker = Waker::from(Arc::new(Busy {
        woken: call,
        dropped: || {},
    }));
    assert!(poll(&mut receiving, &waker).is_pending());
    let mut sending = Box::pin(socket.send_to(b"1", address()));
    assert!(poll(&mut sending, Waker::noop()).is_ready());
    network
        .call(|stack| Ok(stack.poll_loopback(clock())))
        .unwrap();
    assert_eq!(CALLED.replace(Err(Error::WouldBlock)), Ok(()));
    drop(receiving);

    // The last reference to a task that is not needed any more may be the network's, and the task has sockets to close.
    let mut receiving = Box::pin(receives());
    assert!(poll(&mut receiving, Waker::noop()).is_ready());
    let mut receiving = Box::pin(receives());
    let waker = Waker::from(Arc::new(Busy {
        woken: || {},
        dropped: call,
    }));
    assert!(poll(&mut receiving, &waker).is_pending());
    drop(waker);
    assert!(poll(&mut receiving, Waker::noop()).is_pending());
    assert_eq!(CALLED.replace(Err(Error::WouldBlock)), Ok(()));
    let waker = Waker::from(Arc::new(Busy {
        woken: || {},
        dropped: call,
    }));
    assert!(poll(&mut receiving, &waker).is_pending());
    drop(waker);
    drop(receiving);
    assert_eq!(CALLED.replace(Err(Error::WouldBlock)), Ok(()));
}

/// Fails where `test` waits for itself.
fn in_time(test: impl FnOnce() + Send + 'static) {
    let (done, wait) = mpsc::channel();
    let thread = thread::spawn(move || {
        test();
        let _ = done.send(());
    });
    let waited = wait.recv_timeout(Duration::from_secs(20));
    assert!(
        waited != Err(mpsc::RecvTimeoutError::Timeout),
        "it waits for itself"
    );
    thread.join().unwrap();
}

#[test]
fn who_is_woken_by_a_locked_network_may_call_it() {
    in_time(|| {
        let stack = Stack::with_capacity(small(), [1; 16], ());
        let network = Arc::new(Locked::new(stack, clock));
        let calls = Arc::new(AtomicUsize::new(0));
        let socket = UdpSocket::bind(network.clone(), address()).unwrap();
        // More than are woken in one go.
        let mut receivers: Vec<_> = (0..12)
            .map(|_| Box::pin(async { socket.recv_from(&mut [0]).await }))
            .collect();
        for receiving in &mut receivers {
            let (network, calls) = (network.clone(), calls.clone());
            let call = move || {
                network.call(|_| Ok(())).unwrap();
                calls.fetch_add(1, Ordering::Relaxed);
            };
            let waker = Waker::from(Arc::new(Busy {
                woken: call,
                dropped: || {},
            }));
            assert!(poll(receiving, &waker).is_pending());
        }
        let mut sending = Box::pin(socket.send_to(b"1", address()));
        assert!(poll(&mut sending, Waker::noop()).is_ready());
        network
            .call(|stack| Ok(stack.poll_loopback(clock())))
            .unwrap();
        assert_eq!(calls.load(Ordering::Relaxed), 12);
    });
}

#[cfg(target_os = "linux")]
#[test]
fn who_is_woken_by_a_host_may_call_it() {
    use glasstack::host::Host;
    in_time(|| {
        let host = Host::builder().start_loopback().unwrap();
        let (done, wait) = mpsc::channel();
        let socket = UdpSocket::bind(host.clone(), address()).unwrap();
        for nap in [None, Some(Duration::from_millis(200))] {
            let (done, network) = (done.clone(), host.clone());
            let call = move || done.send(network.call(|_| Ok(()))).unwrap();
            let waker = Waker::from(Arc::new(Busy {
                woken: call,
                dropped: || {},
            }));
            let mut napping;
            let mut receiving;
            match nap {
                // Woken by the driver's thread,
                Some(nap) => {
                    napping = sleep(host.clone(), nap);
                    assert!(poll(&mut napping, &waker).is_pending());
                    assert_eq!(wait.recv(), Ok(Ok(())));
                }
                // or by the one that calls.
                None => {
                    receiving = Box::pin(async { socket.recv_from(&mut [0]).await });
                    assert!(poll(&mut receiving, &waker).is_pending());
                    let mut sending = Box::pin(socket.send_to(b"1", address()));
                    assert!(poll(&mut sending, Waker::noop()).is_ready());
                    assert_eq!(wait.recv(), Ok(Ok(())));
                }
            }
        }
    });
}

#[cfg(target_os = "linux")]
#[test]
fn everybody_who_waits_hears_of_a_hosts_end_when_it_begins() {
    use glasstack::device::Wire;
    use glasstack::host::Host;
    use glasstack::smoltcp::phy::Medium;
    use glasstack::socket::{Runner, block_on, resolve};
    // A name server that never answers, and a connection that never ends: the end lasts as long as it may.
    let (left, mut right) = Wire::pair(Medium::Ip, 1500);
    let server = "10.0.0.2:9999".parse().unwrap();
    let (peer, wait) = mpsc::channel();
    thread::spawn(move || {
        let mut stack = Stack::with_capacity(small(), [2; 16], ());
        let interface = stack.add_interface(&mut right, None).unwrap();
        stack
            .add_address(interface, [10, 0, 0, 2].into(), 24)
            .unwrap();
        let network = Local::new(stack, glasstack::host::now);
        let parker = glasstack::host::Parker::new().unwrap();
        let mut runner = Runner::new(&network, interface, right, &parker);
        let listener = TcpListener::bind(&network, server, 1).unwrap();
        peer.send(()).unwrap();
        let accepted = block_on(&parker, runner.run_until(listener.accept()));
        // From here on it is silent, and the wire is there.
        peer.send(()).unwrap();
        thread::park();
        drop((accepted, runner));
    });
    wait.recv().unwrap();
    let host = Host::builder()
        .address([10, 0, 0, 1].into(), 24)
        .name_server([10, 0, 0, 3].into())
        .start(left)
        .unwrap();
    let parker = glasstack::host::Parker::new().unwrap();
    let stream = block_on(&parker, TcpStream::connect(host.clone(), server)).unwrap();
    wait.recv().unwrap();
    let bells = [(); 2].map(|()| Arc::new(Bell::default()));
    let wakers = bells.clone().map(Waker::from);
    let mut asking = Box::pin(resolve(&host, "silent.example"));
    let mut napping = sleep(&host, Duration::from_secs(3_600));
    assert!(poll(&mut asking, &wakers[0]).is_pending());
    assert!(poll(&mut napping, &wakers[1]).is_pending());
    let network = host.clone();
    thread::spawn(move || network.shutdown(Duration::from_secs(60)));
    // Not at the end of the minute: at once.
    let start = std::time::Instant::now();
    for bell in &bells {
        while bell.0.load(Ordering::Relaxed) == 0 {
            assert!(
                start.elapsed() < Duration::from_secs(30),
                "it waits for the end"
            );
            thread::yield_now();
        }
    }
    assert_eq!(
        poll(&mut napping, Waker::noop()),
        Poll::Ready(Err(Error::NetworkDown))
    );
    assert!(matches!(
        poll(&mut asking, Waker::noop()),
        Poll::Ready(Err(Error::NetworkDown))
    ));
    drop(stream);
}

#[derive(Default)]
struct Bell(AtomicUsize);

impl Wake for Bell {
    fn wake(self: Arc<Self>) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }
}

/// Panics at a bidding.
struct Fragile(Arc<AtomicUsize>);

impl Observer for Fragile {
    fn event(&mut self, _: &Event) {
        assert_eq!(self.0.load(Ordering::Relaxed), 0, "as it was bidden");
    }
}

#[test]
fn a_panic_of_the_observer_ends_a_network_for_everybody_and_at_once() {
    let bidden = Arc::new(AtomicUsize::new(0));
    let stack = || Stack::with_capacity(small(), [1; 16], Fragile(bidden.clone()));
    ends(Arc::new(Locked::new(stack(), clock)), &bidden);
    bidden.store(0, Ordering::Relaxed);
    ends(Rc::new(Local::new(stack(), clock)), &bidden);
}

fn ends<N: Network + Clone>(network: N, bidden: &AtomicUsize) {
    let socket = UdpSocket::bind(network.clone(), address()).unwrap();
    // More than are woken in one go.
    let bells: Vec<_> = (0..20).map(|_| Arc::new(Bell::default())).collect();
    let mut receivers: Vec<_> = (0..20)
        .map(|_| Box::pin(async { socket.recv_from(&mut [0]).await }))
        .collect();
    let mut napping = sleep(&network, Duration::from_secs(1));
    for (receiving, bell) in receivers.iter_mut().zip(&bells) {
        let waker = Waker::from(bell.clone());
        assert!(poll(receiving, &waker).is_pending());
        assert!(poll(&mut napping, &waker).is_pending());
    }
    bidden.store(1, Ordering::Relaxed);
    let broken = catch_unwind(AssertUnwindSafe(|| {
        network.call(|stack| stack.socket(Domain::Inet, Type::Stream))
    }));
    assert!(broken.is_err());
    for bell in &bells {
        assert!(
            bell.0.load(Ordering::Relaxed) > 0,
            "nobody told the waiters"
        );
    }
    for receiving in &mut receivers {
        assert_eq!(
            poll(receiving, Waker::noop()),
            Poll::Ready(Err(Error::NetworkDown))
        );
    }
    assert_eq!(
        poll(&mut napping, Waker::noop()),
        Poll::Ready(Err(Error::NetworkDown))
    );
    let bound = UdpSocket::bind(network.clone(), "127.0.0.1:1".parse().unwrap());
    assert_eq!(bound.err(), Some(Error::NetworkDown));
    drop(receivers);
    drop((napping, socket));
    assert!(bells.iter().all(|bell| Arc::strong_count(bell) == 1));
}
