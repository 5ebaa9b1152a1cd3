//! The embedded ecosystem's streams: what a driver that knows only embedded-io's traits sees of a connection, of each kind.
#![cfg(target_os = "linux")]
// A step that fails fails its test.
#![allow(clippy::unwrap_used, clippy::panic)]

use std::io;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use embedded_io_async::{
    Error as _, ErrorKind, Read, ReadExactError, ReadReady, Write, WriteReady,
};
use glasstack::smoltcp::time::Instant;
use glasstack::socket::{
    Local, Network, Runner, Shutdown, TcpListener, TcpStream, block_on, timeout,
};
use glasstack::stack::{Capacity, Interest};
use glasstack::{Error, Limit, Stack, host};

type Net = Local<'static, fn() -> Instant>;
type Stream<'n> = TcpStream<&'n Net>;

const ADDRESS: &str = "127.0.0.1:9999";

#[test]
fn every_error_has_its_kind() {
    for (error, kind) in [
        (Error::AddrInUse, ErrorKind::AddrInUse),
        (Error::AddrNotAvailable, ErrorKind::AddrNotAvailable),
        (Error::AddressFamilyNotSupported, ErrorKind::Unsupported),
        (Error::AlreadyConnected, ErrorKind::Other),
        (Error::BadDescriptor, ErrorKind::InvalidInput),
        (Error::BrokenPipe, ErrorKind::BrokenPipe),
        (Error::ConnectionRefused, ErrorKind::ConnectionRefused),
        (Error::ConnectionReset, ErrorKind::ConnectionReset),
        (Error::DestinationRequired, ErrorKind::NotConnected),
        (Error::Exhausted(Limit::Sockets), ErrorKind::OutOfMemory),
        (Error::Exhausted(Limit::Connections), ErrorKind::OutOfMemory),
        (Error::HostUnreachable, ErrorKind::Other),
        (Error::InvalidArgument, ErrorKind::InvalidInput),
        (Error::MessageTooLong, ErrorKind::InvalidInput),
        (Error::NameNotFound, ErrorKind::NotFound),
        (Error::NetworkDown, ErrorKind::Other),
        (Error::NetworkUnreachable, ErrorKind::Other),
        (Error::NotConnected, ErrorKind::NotConnected),
        (Error::NotSupported, ErrorKind::Unsupported),
        (Error::PermissionDenied, ErrorKind::PermissionDenied),
        (Error::TimedOut, ErrorKind::TimedOut),
        (Error::WouldBlock, ErrorKind::Other),
    ] {
        assert_eq!(error.kind(), kind, "{error}");
        // The same kind as in `std`, wherever embedded-io has it.
        let std = ErrorKind::from(io::Error::from(error).kind());
        assert!(std == ErrorKind::Other || std == kind, "{error}: {std}");
    }
}

/// A driver of the ecosystem's kind: says its name, and hears an answer.
async fn converse<R: Read, W: Write<Error = R::Error>>(
    reader: &mut R,
    writer: &mut W,
) -> Result<[u8; 5], R::Error> {
    writer.write_all(b"Michael").await?;
    writer.flush().await?;
    let mut answer = [0; 5];
    match reader.read_exact(&mut answer).await {
        Ok(()) => Ok(answer),
        Err(ReadExactError::Other(error)) => Err(error),
        Err(ReadExactError::UnexpectedEof) => panic!("the end came first"),
    }
}

#[test]
fn a_driver_speaks_over_every_kind_of_stream() {
    run(async |network| {
        let (mut whole, server) = pair(network).await;
        server.write_all(b"Hello").await?;
        let answer = converse(&mut &whole, &mut &whole).await?;
        assert_eq!(&answer, b"Hello");
        assert_eq!(heard(&server).await, b"Michael");

        server.write_all(b"Hello").await?;
        // Its own halves as one: the trait is on the stream, too.
        Write::write_all(&mut whole, b"!").await?;
        assert_eq!(&take(&mut whole).await, b"Hello");
        assert_eq!(heard(&server).await, b"!");

        server.write_all(b"Hello").await?;
        let (mut reader, mut writer) = whole.split();
        assert_eq!(&converse(&mut reader, &mut writer).await?, b"Hello");
        assert_eq!(heard(&server).await, b"Michael");

        server.write_all(b"Hello").await?;
        let (mut reader, mut writer) = whole.into_split()?;
        assert_eq!(&converse(&mut reader, &mut writer).await?, b"Hello");
        assert_eq!(heard(&server).await, b"Michael");
        Ok(())
    });
}

#[test]
fn half_closed_it_reads_the_end_and_still_writes() {
    run(async |network| {
        let (mut client, mut server) = pair(network).await;
        Write::write_all(&mut client, b"Mich").await?;
        client.shutdown(Shutdown::Write)?;
        let mut name = [0; 7];
        let result = Read::read_exact(&mut server, &mut name).await;
        assert_eq!(result, Err(ReadExactError::UnexpectedEof));
        assert_eq!(&name[..4], b"Mich");
        assert_eq!(Read::read(&mut server, &mut name).await, Ok(0));
        assert_eq!(server.read_ready(), Ok(true));

        Write::write_all(&mut server, b"Hello").await?;
        assert_eq!(&take(&mut client).await, b"Hello");
        let error = Write::write(&mut client, b"ael").await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::BrokenPipe);
        Ok(())
    });
}

#[test]
fn a_reset_is_told_once_and_then_the_end() {
    run(async |network| {
        let (mut client, server) = pair(network).await;
        Write::write_all(&mut client, b"unread").await?;
        server.ready(Interest::Readable).await?;
        drop(server); // With unread data: RST.
        let mut buffer = [0; 8];
        let error = Read::read(&mut client, &mut buffer).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::ConnectionReset);
        assert_eq!(Read::read(&mut client, &mut buffer).await, Ok(0));
        let error = Write::write(&mut client, b"more").await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::BrokenPipe);
        assert_eq!(client.read_ready(), Ok(true));
        assert_eq!(client.write_ready(), Ok(true));
        Ok(())
    });
}

#[test]
fn a_dropped_stream_is_the_end_for_its_peer() {
    run(async |network| {
        let (client, mut server) = pair(network).await;
        let (reader, mut writer) = client.into_split()?;
        Write::write_all(&mut writer, b"Hello").await?;
        drop(writer);
        assert_eq!(&take(&mut server).await, b"Hello");
        assert_eq!(Read::read(&mut server, &mut [0; 8]).await, Ok(0));
        drop((reader, server));
        Ok(())
    });
}

#[test]
fn ready_means_that_the_next_call_does_not_wait() {
    run(async |network| {
        let (mut client, mut server) = pair(network).await;
        assert_eq!(client.read_ready(), Ok(false));
        assert_eq!(client.write_ready(), Ok(true));
        // Until both buffers are full.
        let patience = Duration::from_millis(50);
        while timeout(network, patience, Write::write(&mut client, &[7; 4096]))
            .await
            .is_ok()
        {}
        assert_eq!(client.write_ready(), Ok(false));
        assert_eq!(server.read_ready(), Ok(true));
        assert!(now(Read::read(&mut server, &mut [0; 8])).is_ready());

        let (mut reader, mut writer) = client.split();
        assert_eq!(reader.read_ready(), Ok(false));
        assert_eq!(writer.write_ready(), Ok(false));
        let mut sink = vec![0; 1 << 20];
        while !writer.write_ready()? {
            Read::read(&mut server, &mut sink).await?;
        }
        assert!(now(Write::write(&mut writer, b"more")).is_ready());
        server.write_all(b"Hello").await?;
        while !reader.read_ready()? {
            glasstack::socket::sleep(network, Duration::from_millis(1)).await?;
        }
        assert!(now(Read::read(&mut reader, &mut [0; 8])).is_ready());
        Ok(())
    });
}

#[test]
fn nothing_to_do_is_done_at_once() {
    run(async |network| {
        let (mut client, mut server) = pair(network).await;
        assert_eq!(
            now(Read::read(&mut client, &mut [])),
            Poll::Ready(Ok(0)),
            "where there is nothing to read"
        );
        assert_eq!(now(Write::write(&mut client, &[])), Poll::Ready(Ok(0)));
        // It would take a round trip of the stack, which nobody drives meanwhile.
        Write::write_all(&mut client, b"Hello").await?;
        assert_eq!(now(Write::flush(&mut client)), Poll::Ready(Ok(())));
        assert_eq!(now(Write::flush(&mut &client)), Poll::Ready(Ok(())));
        assert_eq!(&take(&mut server).await, b"Hello");
        Ok(())
    });
}

#[test]
fn a_read_that_is_given_up_has_taken_nothing() {
    run(async |network| {
        let (mut client, server) = pair(network).await;
        let mut buffer = [0; 5];
        assert_eq!(now(Read::read(&mut client, &mut buffer)), Poll::Pending);
        server.write_all(b"Hello").await?;
        assert_eq!(&take(&mut client).await, b"Hello");
        Ok(())
    });
}

/// The blocking socket, under the blocking traits of the same names.
mod blocking {
    use std::io;

    use embedded_io::{Error, ErrorKind, Read, ReadReady, Write, WriteReady};
    use glasstack::host::Host;
    use glasstack::socket::blocking::{TcpListener, TcpStream};

    fn pair() -> io::Result<(TcpStream, TcpStream)> {
        let host = Host::builder().start_loopback()?;
        let listener = TcpListener::bind(&host, super::ADDRESS)?;
        let client = TcpStream::connect(&host, super::ADDRESS)?;
        Ok((client, listener.accept()?.0))
    }

    fn converse<S: Read + Write>(mut stream: S) -> Result<[u8; 5], S::Error> {
        stream.write_all(b"Michael")?;
        stream.flush()?;
        let mut answer = [0; 5];
        stream.read_exact(&mut answer).unwrap();
        Ok(answer)
    }

    #[test]
    fn a_driver_speaks_over_it() -> io::Result<()> {
        let (mut client, mut server) = pair()?;
        server.write_all(b"Hello")?;
        assert_eq!(&converse(&client)?, b"Hello");
        server.write_all(b"Hello")?;
        assert_eq!(&converse(&mut client)?, b"Hello");
        drop(client);
        let mut heard = [0; 14];
        server.read_exact(&mut heard).unwrap();
        assert_eq!(&heard, b"MichaelMichael");
        assert_eq!(server.read(&mut heard)?, 0);
        Ok(())
    }

    #[test]
    fn it_tells_when_it_is_ready() -> io::Result<()> {
        let (mut client, mut server) = pair()?;
        assert!(!client.read_ready()?);
        assert!(client.write_ready()?);
        assert_eq!(client.read(&mut [])?, 0);
        server.write_all(b"Hello")?;
        assert_eq!((&client).read(&mut [])?, 0);
        while !client.read_ready()? {
            std::thread::yield_now();
        }
        assert_eq!(client.read(&mut [0; 5])?, 5);

        // `WouldBlock` has no kind of its own: the traits are for those who wait, or ask first.
        client.set_nonblocking(true)?;
        let error = client.read(&mut [0; 5]).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::WouldBlock);
        assert_eq!(Error::kind(&error), ErrorKind::Other);
        while client.write(&[7; 4096]).is_ok() {}
        assert!(!client.write_ready()?);
        Ok(())
    }

    #[test]
    fn a_reset_has_its_kind() -> io::Result<()> {
        let (mut client, server) = pair()?;
        client.write_all(b"unread")?;
        while !(&server).read_ready()? {
            std::thread::yield_now();
        }
        drop(server);
        let error = client.read(&mut [0; 8]).unwrap_err();
        assert_eq!(Error::kind(&error), ErrorKind::ConnectionReset);
        Ok(())
    }
}

/// Runs a program beside a stack that reaches itself.
fn run(program: impl AsyncFnOnce(&Net) -> Result<(), Error>) {
    let parker = host::Parker::new().unwrap();
    let stack = Stack::with_capacity(Capacity::default(), [7; 16], ());
    let network = Local::new(stack, host::now as fn() -> Instant);
    let mut runner = Runner::loopback(&network, &parker);
    let program = async { timeout(&network, Duration::from_secs(20), program(&network)).await };
    block_on(&parker, runner.run_until(program))
        .unwrap()
        .expect("within 20 s")
        .unwrap();
    // It waits no more once it does not drive.
    let usage = network.call(|stack| Ok(stack.usage())).unwrap();
    assert_eq!((usage.sockets, usage.wakers), (0, 0), "all is closed");
}

async fn pair(network: &Net) -> (Stream<'_>, Stream<'_>) {
    let address = ADDRESS.parse().unwrap();
    let listener = TcpListener::bind(network, address, 1).unwrap();
    let client = TcpStream::connect(network, address).await.unwrap();
    (client, listener.accept().await.unwrap().0)
}

/// What the future comes to when it is polled once.
fn now<F: Future>(future: F) -> Poll<F::Output> {
    std::pin::pin!(future).poll(&mut Context::from_waker(Waker::noop()))
}

async fn take(stream: &mut impl Read) -> [u8; 5] {
    let mut buffer = [0; 5];
    stream.read_exact(&mut buffer).await.unwrap();
    buffer
}

async fn heard(server: &Stream<'_>) -> Vec<u8> {
    let mut buffer = [0; 100];
    let len = server.read(&mut buffer).await.unwrap();
    buffer[..len].to_vec()
}
