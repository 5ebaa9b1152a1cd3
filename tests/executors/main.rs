//! The same sockets on every executor, and on none: what is sent arrives, every task is woken, and nothing is left over.
#![cfg(target_os = "linux")]
// A step that fails fails its test.
#![allow(clippy::unwrap_used, clippy::panic)]

mod block_on;
mod embassy;
mod tokio;

use glasstack::smoltcp::{
    phy::{Device, Medium},
    time::{Duration as Span, Instant},
};
use glasstack::socket::{Network, Runner, Shutdown, TcpListener, TcpStream, Wait};
use glasstack::stack::{Capacity, InterfaceId, Usage};
use glasstack::{Result, Stack};
use std::net::SocketAddr;
use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::mpsc::{self, RecvTimeoutError};
use std::{thread, time::Duration};

use ::tokio::sync::Barrier;

/// How long a test may take at most. None of them comes near.
const LONG: Duration = Duration::from_secs(120);

/// Nothing in use.
const NOTHING: Usage = Usage {
    sockets: 0,
    connections: 0,
    datagrams: 0,
    lookups: 0,
    wakers: 0,
};

const CLIENT: u8 = 1;
const SERVER: u8 = 2;

fn server_address() -> SocketAddr {
    ([10, 0, 0, SERVER], 9999).into()
}

/// 10.0.0.1 or 10.0.0.2.
fn stack(
    capacity: Capacity,
    number: u8,
    device: &mut impl Device,
) -> (Stack<'static>, InterfaceId) {
    let mut stack = Stack::with_capacity(capacity, [number; 16], ());
    let interface = join(&mut stack, number, device);
    (stack, interface)
}

fn join(stack: &mut Stack<'_>, number: u8, device: &mut impl Device) -> InterfaceId {
    let is_ethernet = device.capabilities().medium == Medium::Ethernet;
    let hardware_address = is_ethernet.then_some([2, 0, 0, 0, 0, number]);
    let interface = stack.add_interface(device, hardware_address).unwrap();
    let address = [10, 0, 0, number].into();
    stack.add_address(interface, address, 24).unwrap();
    interface
}

/// The life of two hosts.
struct Life {
    /// The server listens.
    listening: Barrier,
    /// The programs are over, and all sockets closed.
    over: Barrier,
    /// Both hosts are drained. Until then each needs the other's acknowledgments.
    drained: Barrier,
    /// How late it is made then, lest the test wait for the end of TIME-WAIT: microseconds that a clock adds.
    late: AtomicI64,
}

impl Life {
    /// With so many programs beside the two that drive.
    fn new(programs: usize) -> Life {
        Life {
            listening: Barrier::new(2),
            over: Barrier::new(2 + programs),
            drained: Barrier::new(2),
            late: AtomicI64::new(0),
        }
    }

    fn time(&self, now: Instant) -> Instant {
        let late = self.late.load(Ordering::Relaxed);
        Instant::from_micros(now.total_micros() + late)
    }
}

/// Drives a host to its end: what is in use then has leaked.
async fn live<N, D, W>(network: N, mut runner: Runner<N, D, W>, life: &Life) -> Result<Usage>
where
    N: Network,
    D: Device,
    W: Wait<D>,
{
    runner.run_until(life.over.wait()).await?;
    runner.drain().await?;
    runner.run_until(life.drained.wait()).await?;
    let late = Span::from_secs(11).total_micros();
    life.late.store(late as i64, Ordering::Relaxed);
    runner.run_until(embassy_futures::yield_now()).await?;
    drop(runner);
    network.call(|stack| Ok(stack.usage()))
}

/// Accepts so many, one after the other, and gives each its octets back.
async fn serve<N: Network + Clone>(listener: TcpListener<N>, visitors: usize) -> Result<()> {
    for _ in 0..visitors {
        let (stream, _) = listener.accept().await?;
        let mut buffer = [0; 512];
        loop {
            match stream.read(&mut buffer).await? {
                0 => break,
                len => stream.write_all(&buffer[..len]).await?,
            }
        }
    }
    Ok(())
}

/// Sends so much and hears it again.
async fn visit<N: Network>(network: N, server: SocketAddr, len: usize) -> Result<()> {
    let stream = TcpStream::connect(network, server).await?;
    let sent: Vec<u8> = (0..len).map(|i| (i % 251) as u8).collect();
    let write = async {
        stream.write_all(&sent).await?;
        stream.shutdown(Shutdown::Write)
    };
    let read = async {
        let mut heard = vec![0; len];
        stream.read_exact(&mut heard).await?;
        assert_eq!(stream.read(&mut [0]).await?, 0);
        Result::Ok(heard)
    };
    let (written, heard) = embassy_futures::join::join(write, read).await;
    written?;
    assert!(heard? == sent);
    Ok(())
}

/// Runs a program in a thread of its own, for executors that know no end.
fn within_time<T: Send + 'static>(program: impl FnOnce() -> T + Send + 'static) -> T {
    let (tell, told) = mpsc::channel();
    thread::spawn(move || tell.send(program()));
    match told.recv_timeout(LONG) {
        Ok(result) => result,
        Err(RecvTimeoutError::Timeout) => panic!("not done in {LONG:?}"),
        Err(RecvTimeoutError::Disconnected) => panic!("the program panicked"),
    }
}
