//! A dialogue of a client and a server over a slow link: a greeting, three requests and their answers, a farewell. Either side
//! may be the one that closes first.

use std::net::SocketAddr;
use std::time::Duration;

use glasstack::device::wire::{Conditions, Selector};
use glasstack::sim::{HostId, HostNetwork, Link, LinkId, Output, Recording, Simulation};
use glasstack::smoltcp::time::Instant;
use glasstack::socket::{TcpListener, TcpStream, sleep};
use glasstack::stack::{Capacity, Shutdown, Usage};
use glasstack::trace::ladder::{Ends, Ladder, Options};
use glasstack::trace::{DropReason, Happening, Medium, Segment};
use glasstack::{Error, Result};

/// One way. No multiple of anything else, so that no two things happen at the same time by accident.
pub(crate) const LATENCY: Duration = Duration::from_micros(20_011);
/// What the server thinks about an answer: longer than an acknowledgment is held back.
pub(crate) const THINKING: Duration = Duration::from_micros(150_013);

const GREETING: &[u8] = b"Welcome!";
const FAREWELL: &[u8] = b"Goodbye!";
/// Octets of each request and of its answer, and whether the server thinks before it. The second answer is many segments.
const REQUESTS: [(usize, usize, bool); 3] = [(7, 15, false), (10, 60_000, true), (3_000, 5, true)];

/// What a stack has in use in the end: the waker of its interface's driver.
pub(crate) const NOTHING: Usage = Usage {
    sockets: 0,
    connections: 0,
    datagrams: 0,
    lookups: 0,
    wakers: 1,
};

/// Who closes first.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Closer {
    Client,
    Server,
}

/// Two hosts and the link between them.
pub(crate) struct Scene {
    pub(crate) simulation: Simulation,
    pub(crate) client: HostId,
    pub(crate) server: HostId,
    pub(crate) link: LinkId,
    pub(crate) recording: Recording,
}

pub(crate) fn address() -> SocketAddr {
    "10.0.0.2:9999".parse().unwrap()
}

pub(crate) fn capacity() -> Capacity {
    Capacity {
        sockets: 16,
        connections: 4,
        datagrams: 1,
        ..Capacity::default()
    }
}

/// Ten million bits a second: the segments of a flight arrive one after the other.
pub(crate) fn slow() -> Conditions {
    Conditions::default().latency(LATENCY).rate(10_000_000, 100)
}

/// Octets that tell where in the stream they are.
pub(crate) fn octets(len: usize) -> Vec<u8> {
    (0..len).map(|place| (place % 251) as u8).collect()
}

/// A time as the simulation's clock has it.
pub(crate) fn since_start(at: Instant) -> Duration {
    (at - Instant::ZERO).into()
}

impl Scene {
    /// A link that loses what is chosen.
    pub(crate) fn new(lose: Option<&str>) -> Scene {
        Scene::over(slow(), lose.as_slice())
    }

    pub(crate) fn losing(lose: &[&str]) -> Scene {
        Scene::over(slow(), lose)
    }

    pub(crate) fn over(conditions: Conditions, lose: &[&str]) -> Scene {
        let mut simulation = Simulation::new(1);
        let client = simulation.host_with("client", capacity()).unwrap();
        let server = simulation.host_with("server", capacity()).unwrap();
        let mut link = Link::ip(1500).both(conditions);
        for lose in lose {
            link = link.lose(lose.parse::<Selector>().unwrap());
        }
        let ends = ((client, &["10.0.0.1/24"]), (server, &["10.0.0.2/24"]));
        let link = simulation.link(link, ends.0, ends.1).unwrap();
        // Far beyond the longest of all patience.
        simulation.limit(Duration::from_secs(100_000));
        let recording = simulation.record();
        Scene {
            simulation,
            client,
            server,
            link,
            recording,
        }
    }

    /// The segments that the link lost.
    pub(crate) fn lost(&self) -> Vec<Segment> {
        let events = self.recording.events();
        let lost = events.iter().filter_map(|captured| {
            let event = captured.event();
            match event.happening {
                Happening::Drop { reason, bytes, .. } => {
                    let is_loss = matches!(reason, DropReason::InjectedLoss | DropReason::LinkDown);
                    assert!(is_loss, "{captured}");
                    Segment::parse(event.time, Medium::Ip, bytes)
                }
                _ => None,
            }
        });
        lost.collect()
    }

    /// When a segment was sent, from the first time on.
    pub(crate) fn times(&self, segment: &Segment) -> Vec<Duration> {
        let events = self.recording.events();
        let is_it = |sent: &&Segment| {
            let numbers = |segment: &Segment| {
                let flags = segment.flags;
                (
                    segment.source,
                    segment.sequence,
                    flags.syn,
                    flags.fin,
                    segment.len > 0,
                )
            };
            numbers(sent) == numbers(segment)
        };
        let sent = events.tcp().segments().map(|(sent, _)| sent).filter(is_it);
        let times: Vec<Instant> = sent.map(|sent| sent.time).collect();
        let since_first = |time: &Instant| (*time - times[0]).into();
        times.iter().map(since_first).collect()
    }

    /// What a host still has in use.
    pub(crate) fn usage(&mut self, host: HostId) -> Usage {
        self.simulation
            .with(host, |stack| Ok(stack.usage()))
            .unwrap()
    }

    /// Runs until nothing happens any more, and nothing may be left behind.
    pub(crate) fn settle(&mut self) {
        self.simulation.settle().unwrap();
        for host in [self.client, self.server] {
            assert_eq!(self.usage(host), NOTHING);
        }
    }

    /// Runs the whole dialogue, which has to come to its orderly end.
    pub(crate) fn dialogue(&mut self, closer: Closer) {
        let server = self.spawn_server(closer);
        let client = self.spawn_client(closer);
        self.simulation.run().unwrap();
        assert_eq!((client.take(), server.take()), (Some(Ok(())), Some(Ok(()))));
    }

    pub(crate) fn spawn_server(&mut self, closer: Closer) -> Output<Result<()>> {
        let serve = move |network| serve(network, closer);
        let server = self.simulation.spawn(self.server, "server", serve);
        server.unwrap()
    }

    pub(crate) fn spawn_client(&mut self, closer: Closer) -> Output<Result<()>> {
        let ask = move |network| ask(network, closer);
        self.simulation.spawn(self.client, "client", ask).unwrap()
    }
}

/// What failed is shown.
impl Drop for Scene {
    fn drop(&mut self) {
        if std::thread::panicking() {
            let ends = Ends::between(
                (self.client.station(), "client"),
                (self.server.station(), "server"),
            );
            let mut ladder: Ladder<String> = Ladder::new(String::new(), ends, Options::default());
            self.recording.events().replay(&mut ladder);
            let _ = ladder.finish();
            eprintln!("{}", ladder.into_inner());
        }
    }
}

/// The client's program.
async fn ask(network: HostNetwork, closer: Closer) -> Result<()> {
    let stream = TcpStream::connect(network, address()).await?;
    expect(&stream, GREETING).await?;
    for (request, answer, _) in REQUESTS {
        stream.write_all(&octets(request)).await?;
        expect(&stream, &octets(answer)).await?;
    }
    part(&stream, closer == Closer::Client).await
}

/// The server's program.
async fn serve(network: HostNetwork, closer: Closer) -> Result<()> {
    let listener = TcpListener::bind(network.clone(), address(), 1)?;
    let (stream, _) = listener.accept().await?;
    stream.write_all(GREETING).await?;
    for (request, answer, thinks) in REQUESTS {
        expect(&stream, &octets(request)).await?;
        if thinks {
            sleep(&network, THINKING).await?;
        }
        stream.write_all(&octets(answer)).await?;
    }
    part(&stream, closer == Closer::Server).await
}

/// The first to close hears a farewell after it: the connection is half closed meanwhile.
async fn part(stream: &TcpStream<HostNetwork>, is_first: bool) -> Result<()> {
    if is_first {
        stream.shutdown(Shutdown::Write)?;
        expect(stream, FAREWELL).await?;
        expect_end(stream).await
    } else {
        expect_end(stream).await?;
        stream.write_all(FAREWELL).await
    }
}

/// These octets come next.
async fn expect(stream: &TcpStream<HostNetwork>, expected: &[u8]) -> Result<()> {
    let mut received = vec![0; expected.len()];
    stream.read_exact(&mut received).await?;
    assert!(received == expected, "{} octets", expected.len());
    Ok(())
}

async fn expect_end(stream: &TcpStream<HostNetwork>) -> Result<()> {
    match stream.read(&mut [0]).await? {
        0 => Ok(()),
        _ => Err(Error::InvalidArgument),
    }
}
