//! tokio: on many threads or on one, over a shared stack or a host.

use super::*;
use ::tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, ReadBuf};
use ::tokio::runtime::Builder;
use ::tokio::task::JoinSet;
use glasstack::device::{Absent, Conditions, Faults, Faulty, Wire, WireEnd, absent::Never};
use glasstack::host::{self, Host};
use glasstack::smoltcp::phy::DeviceCapabilities;
use glasstack::socket::tokio::Reactor;
use glasstack::socket::{Clock, Local, Locked, UdpSocket, sleep};
use std::future::Future;
use std::io;
use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::net::UnixStream;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::AtomicUsize;
use std::task::{Context, Poll, Wake, Waker};

/// Connections at once.
const MANY: usize = 1_000;

fn capacity() -> Capacity {
    Capacity {
        sockets: MANY + 1,
        connections: MANY,
        datagrams: 1,
        receive_buffer: 4_096,
        send_buffer: 4_096,
        pending_syns: MANY,
        ..Capacity::default()
    }
}

/// A link on which a thousand requests at once are not too many.
fn wide_link() -> (WireEnd, WireEnd) {
    Wire::new(Medium::Ethernet, 1514).queue(8 * MANY).ends()
}

/// Runs on four threads, and not without end.
fn on_threads<F>(program: F) -> F::Output
where
    F: Future<Output: Send> + Send + 'static,
{
    let mut builder = Builder::new_multi_thread();
    let runtime = builder.worker_threads(4).enable_all().build().unwrap();
    let program = runtime.spawn(async { ::tokio::time::timeout(LONG, program).await });
    runtime.block_on(program).unwrap().unwrap()
}

/// As many tasks as connections on either side; all are open before the first of them says a word.
async fn a_thousand_connections<N>(client: N, server: N)
where
    N: Network + Clone + Send + Sync + 'static,
{
    let listener = TcpListener::bind(server, server_address(), MANY).unwrap();
    let mut tasks = JoinSet::new();
    tasks.spawn(async move {
        let mut echoes = JoinSet::new();
        for _ in 0..MANY {
            let (stream, _) = listener.accept().await?;
            echoes.spawn(async move {
                let (mut reader, mut writer) = stream.into_split()?;
                ::tokio::io::copy(&mut reader, &mut writer).await
            });
        }
        while let Some(echo) = echoes.join_next().await {
            assert_eq!(echo??, 1_000);
        }
        io::Result::Ok(())
    });
    let all = Arc::new(Barrier::new(MANY));
    for number in 0..MANY {
        let (client, all) = (client.clone(), Arc::clone(&all));
        tasks.spawn(async move {
            let mut stream = TcpStream::connect(client, server_address()).await?;
            all.wait().await;
            let sent = vec![number as u8; 1_000];
            AsyncWriteExt::write_all(&mut stream, &sent).await?;
            AsyncWriteExt::shutdown(&mut stream).await?;
            let mut heard = Vec::new();
            stream.read_to_end(&mut heard).await?;
            assert!(heard == sent);
            Ok(())
        });
    }
    while let Some(task) = tasks.join_next().await {
        task.unwrap().unwrap();
    }
}

#[test]
fn a_thousand_connections_over_shared_stacks() {
    on_threads(async {
        let life = Arc::new(Life::new(1));
        let (left, right) = wide_link();
        let host = |number, mut end| {
            let (stack, link) = stack(capacity(), number, &mut end);
            let clock = Arc::clone(&life);
            let network = Arc::new(Locked::new(stack, move || clock.time(host::now())));
            let runner = Runner::new(Arc::clone(&network), link, end, Reactor::new().unwrap());
            let (driven, life) = (Arc::clone(&network), Arc::clone(&life));
            let driver = ::tokio::spawn(async move { live(driven, runner, &life).await });
            (network, driver)
        };
        let (client, client_driver) = host(CLIENT, left);
        let (server, server_driver) = host(SERVER, right);
        let start = std::time::Instant::now();
        a_thousand_connections(client, server).await;
        println!(
            "{MANY} connections over shared stacks: {:?}",
            start.elapsed()
        );
        life.over.wait().await;
        assert_eq!(client_driver.await.unwrap().unwrap(), NOTHING);
        assert_eq!(server_driver.await.unwrap().unwrap(), NOTHING);
    });
}

#[test]
fn a_thousand_connections_between_hosts() {
    on_threads(async {
        let (left, right) = wide_link();
        let host = |number, end| {
            let address = [10, 0, 0, number].into();
            let host = Host::builder().address(address, 24).capacity(capacity());
            host.start(end).unwrap()
        };
        let (client, server) = (host(CLIENT, left), host(SERVER, right));
        let start = std::time::Instant::now();
        a_thousand_connections(client.clone(), server.clone()).await;
        println!("{MANY} connections between hosts: {:?}", start.elapsed());
        // The clients closed first: TIME-WAIT is theirs, and nothing else is left.
        let usage =
            |host: &Host| host.call(|stack| Ok((stack.usage(), stack.sockets().to_string())));
        loop {
            let (client, screen) = usage(&client).unwrap();
            let waiting = screen.matches("TIME-WAIT").count();
            let rest = Usage {
                connections: client.connections - waiting,
                ..client
            };
            if rest == NOTHING && usage(&server).unwrap().0 == NOTHING {
                break;
            }
            ::tokio::task::yield_now().await;
        }
        client.shutdown(LONG).unwrap();
        server.shutdown(LONG).unwrap();
    });
}

/// All of it may be spawned on a runtime of many threads.
#[test]
fn nothing_keeps_to_one_thread() {
    fn is_send<T: Send>(_: T) {}
    fn streams<N: Network + Clone + Send + Sync>(network: &N, stream: &TcpStream<N>) {
        is_send(TcpStream::connect(network.clone(), server_address()));
        is_send(stream.read(&mut [0; 8]));
        is_send(stream.write_all(b"hello"));
        is_send(sleep(network, LONG));
    }
    // Never called: that it builds is the proof.
    let _ = |host: &Host, stream: &TcpStream<Host>| streams(host, stream);
    type Shared = Arc<Locked<'static, fn() -> Instant>>;
    let _ = |network: &Shared, stream: &TcpStream<Shared>| streams(network, stream);
    let _ = |runner: Runner<Shared, WireEnd, Reactor>| {
        is_send(async move {
            let mut runner = runner;
            runner.run().await
        })
    };
}

/// Counts how often a runner waits: once a turn.
struct Counted<W>(W, Arc<AtomicUsize>);

impl<D, W: Wait<D>> Wait<D> for Counted<W> {
    fn poll_wait(
        &mut self,
        device: &mut D,
        until: Option<Instant>,
        context: &mut Context<'_>,
    ) -> Poll<()> {
        self.1.fetch_add(1, Ordering::Relaxed);
        self.0.poll_wait(device, until, context)
    }
}

/// A hundred kilobytes there and back, and then a second in which nothing happens.
fn echo_over<D: Device + AsFd>(mut left: D, mut right: D) {
    let life = Life::new(1);
    let turns = Arc::new(AtomicUsize::new(0));
    let (client, client_link) = stack(Capacity::default(), CLIENT, &mut left);
    let (server, server_link) = stack(Capacity::default(), SERVER, &mut right);
    let clock = || life.time(host::now());
    let (client, server) = (Local::new(client, clock), Local::new(server, clock));
    let program = async {
        let reactor = || Counted(Reactor::new().unwrap(), Arc::clone(&turns));
        let left = Runner::new(&client, client_link, left, reactor());
        let right = Runner::new(&server, server_link, right, reactor());
        let listener = TcpListener::bind(&server, server_address(), 1).unwrap();
        let program = async {
            let visit = visit(&client, server_address(), 100_000);
            ::tokio::try_join!(serve(listener, 1), visit).unwrap();
            let before = turns.load(Ordering::Relaxed);
            ::tokio::time::sleep(Duration::from_secs(1)).await;
            // A timer or two; what spins goes round by the thousands.
            let idle = turns.load(Ordering::Relaxed) - before;
            assert!(idle < 50, "{idle} turns for nothing");
            life.over.wait().await;
        };
        let lives = (live(&client, left, &life), live(&server, right, &life));
        let (left, right, ()) = ::tokio::join!(lives.0, lives.1, program);
        assert_eq!((left.unwrap(), right.unwrap()), (NOTHING, NOTHING));
    };
    let runtime = Builder::new_current_thread().enable_all().build().unwrap();
    let in_time = async { ::tokio::time::timeout(LONG, program).await };
    runtime.block_on(in_time).unwrap();
}

fn slow() -> Faults {
    let conditions = Conditions::default()
        .latency(Duration::from_millis(3))
        .jitter(Duration::from_millis(1));
    Faults::new(1).both(conditions)
}

#[test]
fn frames_that_are_under_way_for_a_while() {
    // Its descriptor is a timer's.
    let wire = Wire::new(Medium::Ethernet, 1514).queue(8_192);
    let (left, right) = wire.faulty_ends(slow()).unwrap();
    echo_over(left, right);
}

#[test]
fn a_faulty_link_before_a_device() {
    // Its descriptor is an epoll's, of a timer and of the device.
    let (left, right) = Wire::pair(Medium::Ethernet, 1514);
    let faulty = |end| Faulty::new(end, slow()).unwrap();
    echo_over(faulty(left), faulty(right));
}

/// A device that gives a frame at a time, and "nothing" after each.
struct Halting {
    wire: WireEnd,
    has_given: bool,
}

impl AsFd for Halting {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.wire.as_fd()
    }
}

impl Device for Halting {
    type RxToken<'a> = <WireEnd as Device>::RxToken<'a>;
    type TxToken<'a> = <WireEnd as Device>::TxToken<'a>;

    fn receive(&mut self, now: Instant) -> Option<(Self::RxToken<'_>, Self::TxToken<'_>)> {
        self.has_given = !self.has_given;
        let given = self.has_given.then(|| self.wire.receive(now));
        given.flatten()
    }

    fn transmit(&mut self, now: Instant) -> Option<Self::TxToken<'_>> {
        self.wire.transmit(now)
    }

    fn capabilities(&self) -> DeviceCapabilities {
        self.wire.capabilities()
    }
}

/// epoll tells of the first frame alone (EPOLLET); the others are found all the same.
#[test]
fn what_the_device_still_has_is_asked_for() {
    let (mut left, right) = Wire::pair(Medium::Ip, 1500);
    let mut right = Halting {
        wire: right,
        has_given: false,
    };
    let (client, client_link) = stack(Capacity::default(), CLIENT, &mut left);
    let (server, server_link) = stack(Capacity::default(), SERVER, &mut right);
    let client = Local::new(client, host::now);
    let server = Arc::new(Locked::new(server, host::now));
    let program = async {
        let socket = UdpSocket::bind(&server, server_address()).unwrap();
        let reactor = Reactor::new().unwrap();
        let mut right = Runner::new(Arc::clone(&server), server_link, right, reactor);
        // Nobody drives the client any more when the server begins to look.
        let mut left = Runner::new(&client, client_link, left, Reactor::new().unwrap());
        let send = async {
            let socket = UdpSocket::bind(&client, "10.0.0.1:0".parse().unwrap())?;
            for number in 0..10 {
                socket.send_to(&[number], server_address()).await?;
            }
            Result::Ok(())
        };
        left.run_until(send).await.unwrap().unwrap();
        left.drain().await.unwrap();
        // A task of its own, lest what comes for the socket wake it, too.
        let driver = ::tokio::spawn(async move { right.run().await });
        for number in 0..10 {
            let mut datagram = [0];
            socket.recv_from(&mut datagram).await.unwrap();
            assert_eq!(datagram, [number]);
        }
        driver.abort();
    };
    let runtime = Builder::new_current_thread().enable_all().build().unwrap();
    let in_time = async { ::tokio::time::timeout(LONG, program).await };
    runtime.block_on(in_time).unwrap();
}

/// A device that was unplugged: its descriptor is "ready" for ever.
struct Unplugged(UnixStream);

impl AsFd for Unplugged {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }
}

impl Device for Unplugged {
    type RxToken<'a> = Never;
    type TxToken<'a> = Never;

    fn receive(&mut self, _: Instant) -> Option<(Never, Never)> {
        None
    }

    fn transmit(&mut self, _: Instant) -> Option<Never> {
        None
    }

    fn capabilities(&self) -> DeviceCapabilities {
        let mut capabilities = Absent.capabilities();
        capabilities.max_transmission_unit = 1500;
        capabilities
    }
}

#[test]
fn a_device_that_is_gone_costs_nothing() {
    let (here, there) = UnixStream::pair().unwrap();
    let (half, other) = UnixStream::pair().unwrap();
    drop(there);
    other.shutdown(std::net::Shutdown::Write).unwrap();
    let runtime = Builder::new_current_thread().enable_all().build().unwrap();
    for end in [here, half] {
        let mut stack = Stack::with_capacity(Capacity::default(), [7; 16], ());
        let mut device = Unplugged(end);
        let link = stack.add_interface(&mut device, None);
        let network = Local::new(stack, host::now);
        let turns = Arc::new(AtomicUsize::new(0));
        runtime.block_on(async {
            let reactor = Counted(Reactor::new().unwrap(), Arc::clone(&turns));
            let mut runner = Runner::new(&network, link.unwrap(), device, reactor);
            // The host itself goes on.
            let server = "127.0.0.1:9999".parse().unwrap();
            let listener = TcpListener::bind(&network, server, 1).unwrap();
            let program = async {
                ::tokio::try_join!(serve(listener, 1), visit(&network, server, 1_000)).unwrap();
                let before = turns.load(Ordering::Relaxed);
                sleep(&network, Duration::from_millis(500)).await.unwrap();
                turns.load(Ordering::Relaxed) - before
            };
            let idle = runner.run_until(program).await.unwrap();
            assert!(idle < 20, "{idle} turns for nothing");
        });
    }
}

#[test]
fn a_reactor_needs_a_runtime() {
    let error = Reactor::new().map(drop).unwrap_err();
    assert_eq!(error.kind(), io::ErrorKind::Other);
}

/// Counts how often it is woken.
#[derive(Default)]
struct Bell(AtomicUsize);

impl Wake for Bell {
    fn wake(self: Arc<Self>) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }
}

/// A connection of a host with itself, driven by hand.
fn pair<'n, C: Clock>(network: &'n Local<'static, C>) -> [TcpStream<&'n Local<'static, C>>; 2] {
    let address = "127.0.0.1:9999".parse().unwrap();
    let listener = TcpListener::bind(network, address, 1).unwrap();
    let mut runner = Runner::loopback(network, Idle);
    let connect =
        async { ::tokio::try_join!(TcpStream::connect(network, address), listener.accept()) };
    let (client, (server, _)) = embassy_futures::block_on(runner.run_until(connect))
        .unwrap()
        .unwrap();
    [client, server]
}

/// Waits for nothing: who drives looks again and again.
struct Idle;

impl<D> Wait<D> for Idle {
    fn poll_wait(&mut self, _: &mut D, _: Option<Instant>, _: &mut Context<'_>) -> Poll<()> {
        Poll::Pending
    }
}

fn turn<C: Clock>(network: &Local<'static, C>) {
    let poll = |stack: &mut Stack<'_>| Ok(stack.poll_loopback(stack.now()));
    network.call(poll).unwrap();
}

#[test]
fn only_the_last_waker_is_woken() {
    let network = Local::new(
        Stack::with_capacity(Capacity::default(), [7; 16], ()),
        host::now,
    );
    let [mut client, mut server] = pair(&network);
    let bells = [(); 3].map(|()| Arc::new(Bell::default()));
    let mut memory = [0; 8];
    for bell in &bells {
        let waker = Waker::from(Arc::clone(bell));
        let mut buffer = ReadBuf::new(&mut memory);
        let read = Pin::new(&mut server).poll_read(&mut Context::from_waker(&waker), &mut buffer);
        assert!(read.is_pending());
    }
    let mut nobody = Context::from_waker(Waker::noop());
    let write = Pin::new(&mut client).poll_write(&mut nobody, b"hello");
    assert!(matches!(write, Poll::Ready(Ok(5))));
    turn(&network);
    assert_eq!(
        bells.each_ref().map(|bell| bell.0.load(Ordering::Relaxed)),
        [0, 0, 1]
    );

    // What is there already is left there, and nothing is touched beyond what came.
    let mut buffer = ReadBuf::new(&mut memory);
    buffer.put_slice(b"say");
    assert!(
        Pin::new(&mut server)
            .poll_read(&mut nobody, &mut buffer)
            .is_ready()
    );
    assert_eq!(buffer.filled(), b"sayhello");
    // Without room it does not wait.
    let mut none = ReadBuf::new(&mut []);
    assert!(
        Pin::new(&mut server)
            .poll_read(&mut nobody, &mut none)
            .is_ready()
    );
}

#[test]
fn a_stream_that_ends_and_one_that_is_reset() {
    let network = Local::new(
        Stack::with_capacity(Capacity::default(), [7; 16], ()),
        host::now,
    );
    let mut nobody = Context::from_waker(Waker::noop());
    let [mut client, mut server] = pair(&network);
    // As often as one likes; there is nothing to flush.
    for _ in 0..2 {
        let shutdown = Pin::new(&mut client).poll_shutdown(&mut nobody);
        assert!(matches!(shutdown, Poll::Ready(Ok(()))));
        assert!(matches!(
            Pin::new(&mut client).poll_flush(&mut nobody),
            Poll::Ready(Ok(()))
        ));
    }
    let Poll::Ready(Err(error)) = Pin::new(&mut client).poll_write(&mut nobody, b"hello") else {
        panic!("written after the end");
    };
    assert_eq!(error.kind(), io::ErrorKind::BrokenPipe);
    turn(&network);
    let mut memory = [0; 8];
    let mut buffer = ReadBuf::new(&mut memory);
    let read = Pin::new(&mut server).poll_read(&mut nobody, &mut buffer);
    assert!(matches!(read, Poll::Ready(Ok(()))) && buffer.filled().is_empty());
    drop((client, server));

    let [mut client, mut server] = pair(&network);
    let write = Pin::new(&mut client).poll_write(&mut nobody, b"nobody reads this");
    assert!(write.is_ready());
    turn(&network);
    drop(server);
    turn(&network);
    let Poll::Ready(Err(error)) = Pin::new(&mut client).poll_read(&mut nobody, &mut buffer) else {
        panic!("no error");
    };
    assert_eq!(error.kind(), io::ErrorKind::ConnectionReset);
    // Nothing to end any more, which is no error.
    server = client;
    assert!(matches!(
        Pin::new(&mut server).poll_shutdown(&mut nobody),
        Poll::Ready(Ok(()))
    ));
}
