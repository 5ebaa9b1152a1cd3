//! tokio's traits on a stream, call by call.

use super::super::*;
use ::tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use glasstack::host;
use glasstack::socket::{Clock, Local};
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::AtomicUsize;
use std::task::{Context, Poll, Wake, Waker};

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

#[test]
fn a_half_that_is_dropped_takes_its_wakers_back() {
    let network = Local::new(
        Stack::with_capacity(Capacity::default(), [7; 16], ()),
        host::now,
    );
    let [client, server] = pair(&network);
    let mut nobody = Context::from_waker(Waker::noop());
    let waiting = || network.call(|stack| Ok(stack.usage().wakers)).unwrap();
    let before = waiting();
    let (mut reader, writer) = server.into_split().unwrap();
    let mut memory = [0; 8];
    let mut buffer = ReadBuf::new(&mut memory);
    let read = Pin::new(&mut reader).poll_read(&mut nobody, &mut buffer);
    assert!(read.is_pending());
    assert_eq!(waiting(), before + 1);
    drop(reader);
    assert_eq!(waiting(), before);

    let (reader, mut other) = client.into_split().unwrap();
    while Pin::new(&mut other)
        .poll_write(&mut nobody, &[0; 1000])
        .is_ready()
    {}
    assert_eq!(waiting(), before + 1);
    drop(other);
    assert_eq!(waiting(), before);
    drop((reader, writer));
}
