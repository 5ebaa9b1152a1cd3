//! Tasks over a stack in the caller's memory.

use glasstack::smoltcp::time::Instant;
use glasstack::socket::{
    Interrupts, Local, Network, Runner, TcpListener, TcpStream, block_on, sleep,
};
use glasstack::stack::Storage;
use glasstack::{Result, Stack};
use std::cell::Cell;
use std::future::{Future, poll_fn};
use std::net::SocketAddr;
use std::pin::pin;
use std::task::Poll;
use std::time::Duration;

use super::world::join;

/// Two futures in one task, each polled each time: `join!` of any crate.
async fn both<A: Future, B: Future>(one: A, other: B) -> (A::Output, B::Output) {
    let (mut one, mut other) = (pin!(one), pin!(other));
    let (mut first, mut second) = (None, None);
    poll_fn(|context| {
        if first.is_none()
            && let Poll::Ready(output) = one.as_mut().poll(context)
        {
            first = Some(output);
        }
        if second.is_none()
            && let Poll::Ready(output) = other.as_mut().poll(context)
        {
            second = Some(output);
        }
        match (first.is_some(), second.is_some()) {
            (true, true) => first
                .take()
                .zip(second.take())
                .map_or(Poll::Pending, Poll::Ready),
            _ => Poll::Pending,
        }
    })
    .await
}

/// Serves one connection: the length of what comes, in octets.
async fn serve<N: Network + Clone>(network: N, address: SocketAddr) -> Result<()> {
    let listener = TcpListener::bind(network, address, 1)?;
    let (stream, _) = listener.accept().await?;
    let mut count = 0;
    let mut buffer = [0; 64];
    while let len @ 1.. = stream.read(&mut buffer).await? {
        count += len as u32;
    }
    stream.write_all(&count.to_be_bytes()).await
}

async fn ask<N: Network>(network: N, address: SocketAddr) -> Result<u32> {
    let stream = TcpStream::connect(network, address).await?;
    stream.write_all(&[7; 1_000]).await?;
    stream.shutdown(glasstack::socket::Shutdown::Write)?;
    let mut count = [0; 4];
    stream.read_exact(&mut count).await?;
    Ok(u32::from_be_bytes(count))
}

#[test]
fn tasks_share_a_stack_without_a_heap() {
    let time = Cell::new(Instant::ZERO);
    let mut storage = Storage::<4, 3, 0, 256, 1, 1, 576>::new();
    let network = Local::new(Stack::new(&mut storage, [7; 16], ()), || time.get());
    let interrupts = Interrupts::new(|until, is_woken: &dyn Fn() -> bool| {
        if !is_woken() {
            time.set(until.expect("nobody wakes it"));
        }
    });
    let mut runner = Runner::loopback(&network, &interrupts);
    let address = SocketAddr::from(([127, 0, 0, 1], 9999));
    let program = both(serve(&network, address), ask(&network, address));
    let (served, asked) = block_on(&interrupts, runner.run_until(program)).unwrap();
    assert_eq!((served, asked), (Ok(()), Ok(1_000)));
    block_on(&interrupts, runner.drain()).unwrap();
    assert_eq!(network.into_inner().usage().wakers, 0);
}

#[test]
fn a_main_loop_with_two_runners_sleeps_until_the_earlier_of_their_deadlines() {
    // Two networks on a wire, in one main loop.
    let world = super::world::World::new();
    let (mut left, mut right) = world.link();
    let time = Cell::new(Instant::ZERO);
    let slept = Cell::new(0);
    let mut near_storage = Storage::<4, 3, 0, 256>::new();
    let mut far_storage = Storage::<4, 3, 0, 256>::new();
    let mut near = Stack::new(&mut near_storage, [1; 16], ());
    let mut far = Stack::new(&mut far_storage, [2; 16], ());
    let near_interface = join(&mut near, &mut left, [10, 0, 0, 1]);
    let far_interface = join(&mut far, &mut right, [10, 0, 0, 2]);
    let near = Local::new(near, || time.get());
    let far = Local::new(far, || time.get());
    let interrupts = Interrupts::new(|until: Option<Instant>, is_woken: &dyn Fn() -> bool| {
        if !is_woken() {
            slept.set(slept.get() + 1);
            time.set(until.expect("nobody wakes it").max(time.get()));
        }
    });
    let mut near_runner = Runner::new(&near, near_interface, left, &interrupts);
    let mut far_runner = Runner::new(&far, far_interface, right, &interrupts);
    let naps = async {
        let near_naps = async {
            for _ in 0..5 {
                sleep(&near, Duration::from_secs(2)).await?;
            }
            Result::Ok(time.get())
        };
        let far_naps = async {
            for _ in 0..10 {
                sleep(&far, Duration::from_secs(1)).await?;
            }
            Result::Ok(time.get())
        };
        both(near_naps, far_naps).await
    };
    let program = near_runner.run_until(far_runner.run_until(naps));
    let ended = block_on(&interrupts, program).unwrap().unwrap();
    let ten = Instant::from_secs(10);
    assert_eq!(ended, (Ok(ten), Ok(ten)));
    assert_eq!(slept.get(), 10, "one sleep a second");
}
