//! How much time a simulation saves: a million segments over a slow link that loses some, in virtual time and in real time;
//! and what it costs to have somebody listen.
//!
//! `cargo bench --bench simulation`; `BENCH_QUICK=1` carries a twentieth.

use std::{
    env,
    error::Error,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use glasstack::{
    device::wire::Conditions,
    sim::{HostNetwork, Link, Simulation},
    socket::{TcpListener, TcpStream},
    stack::Shutdown,
    trace::{Direction, Event, Happening, Sink, Station},
};

/// Counts the frames that leave hosts.
#[derive(Clone, Default)]
struct Frames(Arc<AtomicU64>);

impl Sink for Frames {
    fn event(&mut self, _: Station, event: &Event<'_>) {
        let Happening::Frame { direction, .. } = event.happening else {
            return;
        };
        if direction == Direction::Out {
            self.0.fetch_add(1, Ordering::Relaxed);
        }
    }
}

fn main() -> Result<(), Box<dyn Error>> {
    let is_quick = env::var_os("BENCH_QUICK").is_some();
    let bytes = if is_quick { 49_000_000 } else { 980_000_000 };
    // Chance is the same each time, so what is counted in one run is true of the other.
    let frames = Frames::default();
    let (simulated, watched) = transfer(bytes, Some(frames.clone()))?;
    let (again, unwatched) = transfer(bytes, None)?;
    assert_eq!(simulated, again, "one seed, one run");
    let frames = frames.0.load(Ordering::Relaxed);
    let seconds = |time: Duration| time.as_secs_f64();
    println!("| frames | virtual time | real time | virtual / real | with a listener |");
    println!("|---:|---:|---:|---:|---:|");
    println!(
        "| {frames} | {:.0} s | {:.2} s | {:.0} | {:.2} s |",
        seconds(simulated),
        seconds(unwatched),
        seconds(simulated) / seconds(unwatched),
        seconds(watched),
    );
    Ok(())
}

/// Sends so many bytes over 20 Mbit/s, 25 ms each way, a frame in 2,000 lost; how long that took in virtual and in real time.
fn transfer(bytes: usize, sink: Option<Frames>) -> Result<(Duration, Duration), Box<dyn Error>> {
    let mut simulation = Simulation::new(1);
    let (alice, bob) = (simulation.host("alice")?, simulation.host("bob")?);
    let conditions = Conditions::default()
        .latency(Duration::from_millis(25))
        .rate(20_000_000, 100)
        .loss(1.0 / 2_000.0);
    let link = Link::ethernet(1514).both(conditions);
    simulation.link(link, (alice, &["10.0.0.1/24"]), (bob, &["10.0.0.2/24"]))?;
    if let Some(sink) = sink {
        simulation.observe(sink);
    }
    let received = simulation.spawn(bob, "receiver", receive)?;
    let sent = simulation.spawn(alice, "sender", move |network| send(network, bytes))?;
    let began = Instant::now();
    simulation.run()?;
    let took = began.elapsed();
    sent.take().ok_or("the sender was stopped")??;
    assert_eq!(received.take(), Some(Ok(bytes)));
    Ok((simulation.elapsed(), took))
}

async fn send(network: HostNetwork, bytes: usize) -> glasstack::Result<()> {
    let stream = TcpStream::connect(network, ([10, 0, 0, 2], 9999).into()).await?;
    let chunk = [b'!'; 16_384];
    let mut left = bytes;
    while left > 0 {
        left -= stream.write(&chunk[..left.min(chunk.len())]).await?;
    }
    stream.shutdown(Shutdown::Write)?;
    stream.read(&mut [0]).await.map(drop)
}

async fn receive(network: HostNetwork) -> glasstack::Result<usize> {
    let listener = TcpListener::bind(network, ([10, 0, 0, 2], 9999).into(), 1)?;
    let (stream, _) = listener.accept().await?;
    let (mut buffer, mut received) = (vec![0; 16_384], 0);
    loop {
        match stream.read(&mut buffer).await? {
            0 => return Ok(received),
            len => received += len,
        }
    }
}
