//! What the programs do: each end writes its octets, while it reads the other's and looks at each of them.

use std::cell::RefCell;
use std::future::{Future, poll_fn};
use std::net::SocketAddr;
use std::pin::pin;
use std::rc::Rc;
use std::task::Poll;
use std::time::Duration;

use glasstack::sim::HostNetwork;
use glasstack::socket::{TcpListener, TcpStream, sleep};
use glasstack::stack::Shutdown;
use glasstack::{Error, Result};

use crate::luck::Luck;
use crate::plan::{EndPlan, Plan, Talk, Turns};

type Stream = TcpStream<HostNetwork>;

/// Far longer than loss can silence a connection.
const PATIENCE: Duration = Duration::from_secs(7 * 24 * 3600);
/// A server that gave the handshake up while the client believed in it, and what else a client may have to try again.
const ATTEMPTS: usize = 100;

/// What all programs of a network know.
pub(crate) struct Shared {
    pub(crate) plan: Plan,
    /// The connections that were accepted.
    pub(crate) accepted: RefCell<Vec<u8>>,
    /// How often a client had to try again, and why.
    pub(crate) again: RefCell<Vec<Error>>,
}

/// The octet at a place of a stream.
fn octet(salt: u64, place: usize) -> u8 {
    ((place as u64).wrapping_mul(7).wrapping_add(salt) % 251) as u8
}

/// Connects, and has the conversation.
pub(crate) async fn client(network: HostNetwork, shared: Rc<Shared>, number: usize) -> Result<()> {
    let talk = &shared.plan.talks[number];
    let server = shared.plan.socket(talk.server);
    for _ in 0..ATTEMPTS {
        let result = attempt(&network, talk, server).await;
        let accepted = shared.accepted.borrow().contains(&talk.id);
        match result {
            // Nobody answered in 127 s; a neighbor did not in 3 s; the server had given the handshake up after 63 s.
            Err(error @ (Error::TimedOut | Error::HostUnreachable | Error::ConnectionReset))
                if !accepted =>
            {
                shared.again.borrow_mut().push(error)
            }
            result => return result,
        }
    }
    Err(Error::TimedOut)
}

async fn attempt(network: &HostNetwork, talk: &Talk, server: SocketAddr) -> Result<()> {
    let stream = TcpStream::connect(network.clone(), server).await?;
    prepare(&stream, &talk.ends[0])?;
    stream.write_all(&[talk.id]).await?;
    converse(network, &stream, talk, 0).await
}

/// Accepts one connection, and has the conversation.
pub(crate) async fn server(
    network: HostNetwork,
    shared: Rc<Shared>,
    listener: Rc<TcpListener<HostNetwork>>,
) -> Result<()> {
    let (stream, _) = listener.accept().await?;
    // The listener closes with the last of them.
    drop(listener);
    stream.set_user_timeout(Some(PATIENCE))?;
    let mut id = [0];
    stream.read_exact(&mut id).await?;
    let talk = shared.plan.talks.iter().find(|talk| talk.id == id[0]);
    let Some(talk) = talk.filter(|_| !shared.accepted.borrow().contains(&id[0])) else {
        return Err(Error::InvalidArgument);
    };
    shared.accepted.borrow_mut().push(talk.id);
    prepare(&stream, &talk.ends[1])?;
    converse(&network, &stream, talk, 1).await
}

fn prepare(stream: &Stream, own: &EndPlan) -> Result<()> {
    stream.set_user_timeout(Some(PATIENCE))?;
    stream.set_nodelay(own.no_delay)?;
    stream.set_congestion_control(own.congestion)?;
    stream.set_keep_alive(own.keep_alive)
}

/// `side` is 0 for the client.
async fn converse(network: &HostNetwork, stream: &Stream, talk: &Talk, side: usize) -> Result<()> {
    let (own, other) = (&talk.ends[side], &talk.ends[1 - side]);
    let writing = write(network, stream, own);
    let reading = read(network, stream, own, other);
    match (talk.turns, side) {
        (Turns::Both, _) => {
            let (written, read) = both(writing, reading).await;
            written.and(read)?;
        }
        (Turns::ClientFirst, 0) | (Turns::ServerFirst, 1) => {
            writing.await?;
            reading.await?;
        }
        _ => {
            reading.await?;
            writing.await?;
        }
    }
    if own.lingers {
        while stream.peer_addr().is_ok() {
            sleep(network, Duration::from_secs(1)).await?;
        }
    }
    Ok(())
}

async fn pause(network: &HostNetwork, plan: &EndPlan, luck: &mut Luck) -> Result<()> {
    if luck.once_in(plan.seldom) {
        sleep(network, Duration::from_millis(luck.between(0, plan.sleep))).await?;
    }
    Ok(())
}

async fn write(network: &HostNetwork, stream: &Stream, own: &EndPlan) -> Result<()> {
    let mut luck = Luck::of(own.seed);
    let mut written = 0;
    while written < own.octets {
        pause(network, own, &mut luck).await?;
        let len = luck.between(1, own.write as u64) as usize;
        let end = own.octets.min(written + len);
        let data: Vec<u8> = (written..end).map(|place| octet(own.seed, place)).collect();
        written += stream.write(&data).await?;
    }
    pause(network, own, &mut luck).await?;
    stream.shutdown(Shutdown::Write)
}

async fn read(
    network: &HostNetwork,
    stream: &Stream,
    own: &EndPlan,
    other: &EndPlan,
) -> Result<()> {
    let mut luck = Luck::of(!own.seed);
    let mut buffer = vec![0; own.read];
    let mut place = 0;
    loop {
        pause(network, own, &mut luck).await?;
        let most = luck.between(1, own.read as u64) as usize;
        let len = stream.read(&mut buffer[..most]).await?;
        if len == 0 {
            // What the writer has heard of says why.
            let is_whole = place == other.octets;
            return is_whole.then_some(()).ok_or(Error::BrokenPipe);
        }
        let expected = (place..place + len).map(|place| octet(other.seed, place));
        assert!(buffer[..len].iter().copied().eq(expected), "at {place}");
        place += len;
    }
}

/// Both at once.
async fn both<A: Future, B: Future>(one: A, other: B) -> (A::Output, B::Output) {
    let (mut one, mut other) = (pin!(one), pin!(other));
    let (mut first, mut second) = (None, None);
    poll_fn(move |context| {
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
        match (first.take(), second.take()) {
            (Some(first), Some(second)) => Poll::Ready((first, second)),
            unfinished => {
                (first, second) = unfinished;
                Poll::Pending
            }
        }
    })
    .await
}
