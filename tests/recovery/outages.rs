//! The link is cut, the peer loses its power, nobody was ever there: what heals goes on, and what does not ends when it should.

use std::time::Duration;

use glasstack::device::wire::Conditions;
use glasstack::sim::{HostNetwork, Output, Simulation};
use glasstack::socket::{Network, TcpListener, TcpStream, sleep};
use glasstack::stack::{
    CONNECT_TIMEOUT, DATA_TIMEOUT, KEEP_ALIVE_PROBES, ORPHAN_TIMEOUT, Shutdown,
};
use glasstack::trace::Segment;
use glasstack::{Error, Result};

use crate::dialogue::{LATENCY, NOTHING, Scene, address, octets, since_start};
use crate::rules;

const TRANSFER: usize = 100_000;
const OUTAGE: Duration = Duration::from_secs(600);
/// When the client of a lost peer speaks.
const SPEAKS: Duration = Duration::from_secs(2);

/// A round trip takes twice the latency and nothing else.
fn scene() -> Scene {
    Scene::over(Conditions::default().latency(LATENCY), &[])
}

/// A server that takes a connection in and reads it to its end, and all that it read.
fn listen(scene: &mut Scene) -> Output<Result<Vec<u8>>> {
    let program = |network: HostNetwork| async move {
        let listener = TcpListener::bind(network, address(), 1)?;
        let (stream, _) = listener.accept().await?;
        let (mut received, mut buffer) = (Vec::new(), vec![0; 4096]);
        loop {
            match stream.read(&mut buffer).await? {
                0 => return Ok(received),
                len => received.extend_from_slice(&buffer[..len]),
            }
        }
    };
    scene
        .simulation
        .spawn(scene.server, "server", program)
        .unwrap()
}

/// What a program of the client's comes to.
fn run<F: Future + 'static>(
    scene: &mut Scene,
    program: impl FnOnce(HostNetwork) -> F,
) -> F::Output {
    let spawned = scene.simulation.spawn(scene.client, "client", program);
    let output = spawned.unwrap();
    scene.simulation.run().unwrap();
    output.take().unwrap()
}

#[test]
fn a_transfer_outlives_ten_minutes_without_a_link() {
    let mut scene = scene();
    let link = scene.link;
    scene
        .simulation
        .when(scene.client, "data 3".parse().unwrap(), move |simulation| {
            simulation.cut(link);
            let heals = simulation.elapsed() + OUTAGE;
            simulation.at(heals, move |simulation| simulation.heal(link));
        });
    let server = listen(&mut scene);
    let program = |network: HostNetwork| async move {
        let stream = TcpStream::connect(network, address()).await?;
        stream.write_all(&octets(TRANSFER)).await?;
        stream.shutdown(Shutdown::Write)?;
        stream.read(&mut [0]).await
    };
    assert_eq!(run(&mut scene, program), Ok(0));
    assert!(server.take() == Some(Ok(octets(TRANSFER))));
    scene.settle();
    rules::check(&scene.recording.events());

    // The acknowledgment was lost; so the second segment comes again until ten minutes are over, once a minute at least.
    let lost = scene.lost();
    assert_eq!((lost[0].len, lost[1].len), (0, 1460));
    let times = scene.times(&lost[1]);
    let expected = [0, 1, 3, 7, 15, 31, 63].into_iter();
    let expected = expected.chain((123..=603).step_by(60));
    assert_eq!(times, expected.map(Duration::from_secs).collect::<Vec<_>>());
}

/// How a client fares that speaks to a server which has been lost: what it hears, and when. Both may be prepared before.
fn speak(
    lose: impl FnOnce(&mut Scene),
    prepare: impl FnOnce(&TcpStream<HostNetwork>) -> Result<()> + 'static,
) -> (Result<usize>, Duration) {
    let mut scene = scene();
    drop(listen(&mut scene));
    lose(&mut scene);
    let program = move |network: HostNetwork| async move {
        let stream = TcpStream::connect(network.clone(), address()).await?;
        prepare(&stream)?;
        sleep_until(&network, SPEAKS).await?;
        stream.write_all(b"Anybody there?").await?;
        stream.read(&mut [0]).await
    };
    (run(&mut scene, program), scene.simulation.elapsed())
}

/// The server loses its power before the client speaks.
fn stop(scene: &mut Scene) {
    let server = scene.server;
    let stop = move |simulation: &mut Simulation| simulation.stop(server);
    scene.simulation.at(SPEAKS / 2, stop);
}

/// It has it back at once, and knows of nothing.
fn restart(scene: &mut Scene) {
    let server = scene.server;
    let restart = move |simulation: &mut Simulation| simulation.restart(server).unwrap();
    scene.simulation.at(SPEAKS / 2, restart);
}

async fn sleep_until(network: &HostNetwork, at: Duration) -> Result<()> {
    let now = network.call(|stack| Ok(stack.now()))?;
    sleep(network, at - since_start(now)).await
}

#[test]
fn a_peer_that_never_comes_back_is_given_up_exactly_at_the_user_timeout() {
    for timeout in [1, 250, 30_000, 3_600_000].map(Duration::from_millis) {
        let end = SPEAKS + timeout;
        let prepare = move |stream: &TcpStream<HostNetwork>| stream.set_user_timeout(Some(timeout));
        assert_eq!(speak(stop, prepare), (Err(Error::TimedOut), end));
    }
    let end = SPEAKS + DATA_TIMEOUT;
    assert_eq!(speak(stop, |_| Ok(())), (Err(Error::TimedOut), end));
}

#[test]
fn a_peer_that_forgot_the_connection_resets_it_with_the_next_segment() {
    let end = SPEAKS + 2 * LATENCY;
    assert_eq!(
        speak(restart, |_| Ok(())),
        (Err(Error::ConnectionReset), end)
    );
}

/// A client that only reads, with keep-alive: what it hears, and when.
fn listen_alone(lose: impl FnOnce(&mut Scene), interval: Duration) -> (Result<usize>, Duration) {
    let mut scene = scene();
    drop(listen(&mut scene));
    lose(&mut scene);
    let program = move |network: HostNetwork| async move {
        let stream = TcpStream::connect(network, address()).await?;
        stream.set_keep_alive(Some(interval))?;
        stream.read(&mut [0]).await
    };
    (run(&mut scene, program), scene.simulation.elapsed())
}

#[test]
fn who_only_listens_learns_of_it_by_keep_alive() {
    let interval = Duration::from_secs(30);
    // The SYN's answer was the last.
    let heard = 2 * LATENCY;
    let reset = listen_alone(restart, interval);
    let end = heard + interval + 2 * LATENCY;
    assert_eq!(reset, (Err(Error::ConnectionReset), end));
    let silence = listen_alone(stop, interval);
    let end = heard + interval * (KEEP_ALIVE_PROBES + 1);
    assert_eq!(silence, (Err(Error::TimedOut), end));
}

#[test]
fn a_connect_to_nobody_ends_exactly_at_its_timeout() {
    let mut scene = scene();
    scene.simulation.stop(scene.server);
    let program = |network| async move { TcpStream::connect(network, address()).await.map(drop) };
    assert_eq!(run(&mut scene, program), Err(Error::TimedOut));
    assert_eq!(scene.simulation.elapsed(), CONNECT_TIMEOUT);
    let sent = |(segment, _): (&Segment, _)| since_start(segment.time).as_secs();
    let events = scene.recording.events();
    let times: Vec<u64> = events.tcp().segments().map(sent).collect();
    assert_eq!(times, [0, 1, 3, 7, 15, 31, 63, 123]);
}

#[test]
fn what_a_closed_connection_cannot_deliver_is_given_up_exactly_at_its_timeout() {
    let mut scene = scene();
    drop(listen(&mut scene));
    stop(&mut scene);
    let program = |network: HostNetwork| async move {
        let stream = TcpStream::connect(network.clone(), address()).await?;
        sleep_until(&network, SPEAKS).await?;
        stream.write_all(b"Goodbye!").await
    };
    assert_eq!(run(&mut scene, program), Ok(()));
    assert_eq!(scene.usage(scene.client).connections, 1);
    scene.simulation.settle().unwrap();
    assert_eq!(scene.simulation.elapsed(), SPEAKS + ORPHAN_TIMEOUT);
    assert_eq!(scene.usage(scene.client), NOTHING);
}

async fn welcomed(network: &HostNetwork) -> Result<TcpStream<HostNetwork>> {
    let stream = TcpStream::connect(network.clone(), address()).await?;
    stream.read_exact(&mut [0; 8]).await?;
    Ok(stream)
}

#[test]
fn a_restarted_server_serves_again() {
    let mut scene = scene();
    let server = scene.server;
    scene
        .simulation
        .serve(server, "server", |network| async move {
            let listener = TcpListener::bind(network, address(), 1)?;
            let (stream, _) = listener.accept().await?;
            stream.write_all(b"Welcome!").await?;
            stream.read(&mut [0]).await
        })
        .unwrap();
    restart(&mut scene);
    let program = |network: HostNetwork| async move {
        let stream = welcomed(&network).await?;
        sleep_until(&network, SPEAKS).await?;
        stream.write_all(b"Anybody there?").await?;
        let reset = stream.read(&mut [0]).await;
        assert_eq!(reset, Err(Error::ConnectionReset));
        welcomed(&network).await.map(drop)
    };
    assert_eq!(run(&mut scene, program), Ok(()));
    // The segment and its reset, the handshake, the welcome.
    assert_eq!(scene.simulation.elapsed(), SPEAKS + 6 * LATENCY);
    scene.settle();
}
