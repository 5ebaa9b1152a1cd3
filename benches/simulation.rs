//! How long a million segments take in a simulation, and how long they would take a real link.
//!
//! `cargo bench --bench simulation`; `BENCH_QUICK=1` only shows that it runs.

use std::{
    env,
    error::Error,
    net::SocketAddr,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::{self, Duration},
};

use glasstack::{
    device::wire::Conditions,
    sim::{HostNetwork, Link, Simulation},
    socket::{TcpListener, TcpStream},
    stack::Shutdown,
    trace::{Direction, Event, Happening, Sink, Station},
};

const SEGMENTS: u64 = 1_000_000;
/// One way.
const LATENCY: Duration = Duration::from_millis(20);
/// Octets of a full segment. There are about as many acknowledgments as half of these.
const SEGMENT: u64 = 1_460;

fn address() -> SocketAddr {
    SocketAddr::from(([10, 0, 0, 2], 9999))
}

/// Counts the frames that hosts send.
#[derive(Clone, Default)]
struct Sent(Arc<AtomicU64>);

impl Sink for Sent {
    fn event(&mut self, _: Station, event: &Event<'_>) {
        let Happening::Frame { direction, .. } = event.happening else {
            return;
        };
        if direction == Direction::Out {
            self.0.fetch_add(1, Ordering::Relaxed);
        }
    }
}

async fn send(network: HostNetwork, octets: u64) -> glasstack::Result<()> {
    let stream = TcpStream::connect(network, address()).await?;
    let data = vec![7; 1 << 16];
    let mut rest = octets;
    while rest > 0 {
        let len = data.len().min(rest as usize);
        rest -= stream.write(&data[..len]).await? as u64;
    }
    stream.shutdown(Shutdown::Write)?;
    stream.read(&mut [0]).await?;
    Ok(())
}

async fn receive(network: HostNetwork) -> glasstack::Result<u64> {
    let listener = TcpListener::bind(network, address(), 1)?;
    let (stream, _) = listener.accept().await?;
    let mut buffer = vec![0; 1 << 16];
    let mut received = 0;
    loop {
        match stream.read(&mut buffer).await? {
            0 => return Ok(received),
            len => received += len as u64,
        }
    }
}

/// A transfer over a link with such loss; how long it took in virtual time.
fn transfer(loss: f64, octets: u64, sent: Option<Sent>) -> Result<Duration, Box<dyn Error>> {
    let mut simulation = Simulation::new(1);
    let (client, server) = (simulation.host("client")?, simulation.host("server")?);
    let conditions = Conditions::default().latency(LATENCY).loss(loss);
    let link = Link::ethernet(1_514).both(conditions.rate(100_000_000, 200));
    simulation.link(link, (client, &["10.0.0.1/24"]), (server, &["10.0.0.2/24"]))?;
    if let Some(sent) = sent {
        simulation.observe(sent);
    }
    let received = simulation.spawn(server, "server", receive)?;
    let program = move |network| send(network, octets);
    let done = simulation.spawn(client, "client", program)?;
    simulation.run()?;
    assert_eq!(done.take(), Some(Ok(())));
    assert_eq!(received.take(), Some(Ok(octets)));
    Ok(simulation.elapsed())
}

fn in_words(time: Duration) -> String {
    let seconds = time.as_secs();
    match seconds {
        0..60 => format!("{:.1} s", time.as_secs_f64()),
        60..3600 => format!("{} min {} s", seconds / 60, seconds % 60),
        _ => format!("{} h {} min", seconds / 3600, seconds % 3600 / 60),
    }
}

fn main() -> Result<(), Box<dyn Error>> {
    // `cargo test` runs it, too, without this argument.
    let is_quick = env::var_os("BENCH_QUICK").is_some_and(|value| value != "0")
        || !env::args().any(|argument| argument == "--bench");
    let segments = if is_quick { SEGMENTS / 100 } else { SEGMENTS };
    let octets = segments * SEGMENT * 2 / 3;
    println!("One TCP transfer over 100 Mbit/s, 20 ms each way\n");
    println!("| loss each way | segments | on a real link | simulated in | segments a second |");
    println!("|---:|---:|---:|---:|---:|");
    for loss in [0.0, 0.0001, 0.001, 0.01] {
        let sent = Sent::default();
        let expected = transfer(loss, octets, Some(sent.clone()))?;
        let segments = sent.0.load(Ordering::Relaxed);
        // The same again, without anyone who counts: one seed, one run.
        let start = time::Instant::now();
        let elapsed = transfer(loss, octets, None)?;
        let took = start.elapsed();
        assert_eq!(elapsed, expected);
        println!(
            "| {} % | {segments} | {} | {:.1} s | {:.0} |",
            loss * 100.0,
            in_words(elapsed),
            took.as_secs_f64(),
            segments as f64 / took.as_secs_f64(),
        );
    }
    Ok(())
}
