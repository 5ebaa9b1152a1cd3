//! A transfer over a link of your choice, in virtual time: what became of it, and its sequence numbers over time.
//!
//! ```text
//! cargo run --example simulate -- --delay 20 --rate 10000000 --lose "data 30"
//! ```

use std::{
    error::Error,
    io::{self, Write},
    net::SocketAddr,
    process::ExitCode,
    sync::{Arc, Mutex, PoisonError},
    time::Instant,
};

use clap::{Parser, ValueEnum};
use glasstack::{
    sim::{self, HostNetwork, Simulation},
    socket::{CongestionControl, TcpListener, TcpStream},
    stack::Capacity,
    trace::{
        Station, Summary,
        ladder::Ends,
        plot::{self, Plot},
    },
};

mod glass;

/// One host sends, the other receives, over a link that you describe; all of it in virtual time.
///
/// Shows the sequence numbers over time and what became of the connection; with --ladder, each segment. The same options
/// and the same seed are the same run, to the microsecond:
///
///   simulate --delay 20 --rate 10000000 --lose "data 30"
///   simulate --delay 100 --loss 1 --congestion cubic --bytes 3000000 --seed 1
///   simulate --bytes 4000 --delay 5 --lose SYN --ladder
#[derive(Parser)]
#[command(verbatim_doc_comment)]
struct Options {
    /// How much is sent
    #[arg(long, value_name = "N", default_value_t = 300_000)]
    bytes: usize,
    /// The longest Ethernet frame, its header of 14 bytes included
    #[arg(long, value_name = "BYTES", default_value_t = 1514)]
    mtu: usize,
    /// The sender's and the receiver's buffers, and so the largest window
    #[arg(long, value_name = "BYTES", default_value_t = 65_536, value_parser = buffer)]
    buffer: usize,
    /// How the sender adapts to the link
    #[arg(long, default_value = "reno")]
    congestion: Congestion,
    /// Over IPv6
    #[arg(long)]
    ipv6: bool,
    #[command(flatten)]
    glass: glass::Glass,
    #[command(flatten)]
    link: glass::Link,
}

#[derive(Clone, Copy, ValueEnum)]
enum Congestion {
    /// It does not
    None,
    /// RFC 5681
    Reno,
    /// RFC 9438
    Cubic,
}

fn buffer(text: &str) -> Result<usize, String> {
    let number = text.parse().ok();
    let bytes = number.filter(|bytes| (1..=1 << 30).contains(bytes));
    bytes.ok_or_else(|| "say a number from 1 to 1073741824".to_owned())
}

type Outcome<T> = Result<T, Box<dyn Error + Send + Sync>>;

fn main() -> ExitCode {
    glass::exit(run(&Options::parse()))
}

fn run(options: &Options) -> Outcome<()> {
    let mut simulation = Simulation::new(options.link.seed());
    let capacity = Capacity {
        receive_buffer: options.buffer,
        send_buffer: options.buffer,
        connections: 4,
        ..Capacity::default()
    };
    let sender = simulation.host_with("sender", capacity.clone())?;
    let receiver = simulation.host_with("receiver", capacity)?;
    let mut link = sim::Link::ethernet(options.mtu).both(options.link.conditions()?);
    for selector in options.link.lose() {
        link = link.lose(selector.clone());
    }
    let addresses = match options.ipv6 {
        false => ["10.0.0.1/24", "10.0.0.2/24"],
        true => ["fd00::1/64", "fd00::2/64"],
    };
    simulation.link(link, (sender, &[addresses[0]]), (receiver, &[addresses[1]]))?;

    let ends = Ends::between(
        (sender.station(), "sender"),
        (receiver.station(), "receiver"),
    );
    let names: [(Station, &str); 2] = [
        (sender.station(), "sender"),
        (receiver.station(), "receiver"),
    ];
    let shown = options.glass.open(ends, &names)?;
    let plot = Arc::new(Mutex::new(Plot::new(plot::Options::stdout())));
    let summary = Arc::new(Mutex::new(Summary::<16>::default()));
    simulation.observe(shown.clone());
    simulation.observe(plot.clone());
    simulation.observe(summary.clone());

    let server: SocketAddr = match options.ipv6 {
        false => ([10, 0, 0, 2], 9999).into(),
        true => ([0xfd00, 0, 0, 0, 0, 0, 0, 2], 9999).into(),
    };
    let (bytes, congestion) = (options.bytes, options.congestion);
    let send = simulation.spawn(sender, "sender", move |network| {
        send(network, server, bytes, congestion)
    })?;
    let received = simulation.spawn(receiver, "receiver", move |network| {
        receive(network, server)
    })?;
    let began = Instant::now();
    let ended = simulation.run();
    let (virtual_time, took) = (simulation.elapsed().as_secs_f64(), began.elapsed());
    if ended.is_ok() {
        // For the picture: the last acknowledgment, and the end of TIME-WAIT.
        simulation.settle()?;
    }

    shown.finish()?;
    let plot = plot.lock().unwrap_or_else(PoisonError::into_inner);
    writeln!(io::stdout(), "\n{plot}")?;
    if !options.glass.has_ladder() {
        for account in summary
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .connections()
        {
            writeln!(io::stdout(), "{account}")?;
        }
    }
    ended?;
    send.take().unwrap_or(Ok(()))?;
    let received = received.take().unwrap_or(Ok(0))?;
    writeln!(
        io::stdout(),
        "{received} bytes in {virtual_time:.3} s of virtual time, which took {:.3} s",
        took.as_secs_f64()
    )?;
    Ok(())
}

async fn send(
    network: HostNetwork,
    server: SocketAddr,
    bytes: usize,
    congestion: Congestion,
) -> glasstack::Result<()> {
    let stream = TcpStream::connect(network, server).await?;
    stream.set_congestion_control(match congestion {
        Congestion::None => CongestionControl::None,
        Congestion::Reno => CongestionControl::Reno,
        Congestion::Cubic => CongestionControl::Cubic,
    })?;
    let chunk = [b'!'; 4096];
    let mut left = bytes;
    while left > 0 {
        left -= stream.write(&chunk[..left.min(chunk.len())]).await?;
    }
    stream.shutdown(glasstack::stack::Shutdown::Write)?;
    // The receiver's FIN says that all has arrived.
    stream.read(&mut [0]).await.map(drop)
}

async fn receive(network: HostNetwork, address: SocketAddr) -> glasstack::Result<usize> {
    let listener = TcpListener::bind(network, address, 1)?;
    let (stream, _) = listener.accept().await?;
    let (mut buffer, mut received) = ([0; 4096], 0);
    loop {
        match stream.read(&mut buffer).await? {
            0 => return Ok(received),
            len => received += len,
        }
    }
}
