//! Tasks that wait for many sockets, in virtual time.

use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::time::Duration;

use glasstack::sim::{Link, Reason, Simulation};
use glasstack::smoltcp::time::Instant;
use glasstack::socket::{Clock, Network, TcpListener, TcpStream, UdpSocket, poll, sleep, timeout};
use glasstack::stack::{Capacity, Events, PollFd, Usage};
use glasstack::{Error, Result};

use super::world::{END, Executor, Net, Station, World};

const NOTHING: Usage = Usage {
    sockets: 0,
    connections: 0,
    datagrams: 0,
    lookups: 0,
    wakers: 0,
};

const CLIENTS: usize = 200;
const ROUNDS: usize = 1_000;

fn capacity() -> Capacity {
    Capacity {
        sockets: CLIENTS + 8,
        connections: CLIENTS + 8,
        datagrams: 4,
        receive_buffer: 512,
        send_buffer: 512,
        datagram_buffer: 512,
        datagram_packets: 4,
        pending_syns: 4,
        interfaces: 2,
        loopback_buffer: 4_500,
        reassemblies: 0,
        lookups: 1,
        // For the poll, its time limit and the driver.
        wakers: 4,
    }
}

/// Two networks with their drivers.
fn world() -> (World, Executor, Net, Net) {
    let world = World::new();
    let (client, server) = world.pair(capacity(), capacity());
    let mut executor = Executor::new(&world);
    let (near, far) = (client.net.clone(), server.net.clone());
    for Station { mut runner, .. } in [client, server] {
        executor.spawn("driver", async move {
            let _ = runner.run().await;
        });
    }
    (world, executor, near, far)
}

fn nothing_is_left(mut executor: Executor, nets: [&Net; 2]) {
    executor.pass(Duration::from_secs(61));
    executor.abort("driver");
    for net in nets {
        assert_eq!(net.call(|stack| Ok(stack.usage())), Ok(NOTHING));
    }
    assert_eq!(executor.leaked_wakers(), 0);
}

/// Echoes what any of its clients says, in one task.
struct Server<N: Network> {
    network: N,
    listener: TcpListener<N>,
    datagrams: UdpSocket<N>,
    streams: Vec<TcpStream<N>>,
    accepted: usize,
    echoed: usize,
}

impl<N: Network + Clone> Server<N> {
    fn new(network: N) -> Result<Server<N>> {
        let address = "10.0.0.2:9999".parse().unwrap();
        Ok(Server {
            listener: TcpListener::bind(network.clone(), address, 4)?,
            datagrams: UdpSocket::bind(network.clone(), address)?,
            network,
            streams: Vec::new(),
            accepted: 0,
            echoed: 0,
        })
    }

    /// Waits, and then serves whoever has something.
    async fn turn(&mut self) -> Result<()> {
        let own = [self.listener.fd(), self.datagrams.fd()];
        let fds = own
            .into_iter()
            .chain(self.streams.iter().map(TcpStream::fd));
        let mut rows: Vec<_> = fds.map(|fd| PollFd::new(fd, Events::POLLIN)).collect();
        let ready = poll(&self.network, &mut rows).await?;
        let told = rows.iter().filter(|row| !row.revents.is_empty());
        assert_eq!((ready, ready > 0), (told.count(), true));
        let mut buffer = [0; 512];
        let mut open = Vec::new();
        for (stream, row) in self.streams.drain(..).zip(&rows[2..]) {
            if !row.revents.is_empty() {
                let Ok(len @ 1..) = stream.read(&mut buffer).await else {
                    continue; // its end
                };
                stream.write_all(&buffer[..len]).await?;
                self.echoed += 1;
            }
            open.push(stream);
        }
        self.streams = open;
        if rows[0].revents.contains(Events::POLLIN) {
            self.streams.push(self.listener.accept().await?.0);
            self.accepted += 1;
        }
        if rows[1].revents.contains(Events::POLLIN) {
            let received = self.datagrams.recv_from(&mut buffer).await?;
            let data = &buffer[..received.len];
            self.datagrams.send_to(data, received.from).await?;
            self.echoed += 1;
        }
        Ok(())
    }
}

/// One task serves two hundred clients for a thousand rounds, and its turns are as many as what happened: each connection,
/// each message, each end. Nobody wakes it besides.
#[test]
fn a_thousand_rounds_among_hundreds_of_sockets() {
    let (_, mut executor, near, far) = world();
    let echoed = Rc::new(Cell::new(0));
    let (server, count) = (far.clone(), echoed.clone());
    executor.spawn("echo", async move {
        let mut server = Server::new(server).unwrap();
        while server.accepted < CLIENTS || !server.streams.is_empty() {
            server.turn().await.unwrap();
        }
        count.set(server.echoed);
    });
    let network = near.clone();
    executor.spawn("clients", async move {
        let address = "10.0.0.2:9999".parse().unwrap();
        let mut streams = Vec::new();
        for _ in 0..CLIENTS {
            streams.push(TcpStream::connect(network.clone(), address).await.unwrap());
            sleep(&network, Duration::from_millis(30)).await.unwrap();
        }
        let datagrams = UdpSocket::bind(&network, "10.0.0.1:0".parse().unwrap()).unwrap();
        for round in 0..ROUNDS {
            let words = format!("{round}");
            let mut answer = vec![0; words.len()];
            if round % 5 == 0 {
                datagrams.send_to(words.as_bytes(), address).await.unwrap();
                datagrams.recv_from(&mut answer).await.unwrap();
            } else {
                let stream = &streams[round * 7 % CLIENTS];
                stream.write_all(words.as_bytes()).await.unwrap();
                stream.read_exact(&mut answer).await.unwrap();
            }
            assert_eq!(answer, words.as_bytes());
            sleep(&network, Duration::from_millis(30)).await.unwrap();
        }
        for stream in streams {
            drop(stream);
            sleep(&network, Duration::from_millis(30)).await.unwrap();
        }
    });
    executor.finish("clients");
    executor.finish("echo");
    assert_eq!(echoed.get(), ROUNDS);
    // And the first, before anything happened.
    assert_eq!(executor.polls("echo"), 1 + CLIENTS + ROUNDS + CLIENTS);
    nothing_is_left(executor, [&near, &far]);
}

#[test]
fn a_time_limit_is_kept_and_leaves_no_event() {
    let (world, mut executor, near, far) = world();
    let network = near.clone();
    let clock = world.clone();
    executor.spawn("poll", async move {
        let sockets = ["10.0.0.1:1", "10.0.0.1:2"]
            .map(|address| UdpSocket::bind(&network, address.parse().unwrap()).unwrap());
        let mut fds = [0, 1].map(|nth: usize| PollFd::new(sockets[nth].fd(), Events::POLLIN));
        // What another call found does not stay.
        fds[1].revents = Events::POLLIN;
        let limit = Duration::from_secs(3);
        let polled = timeout(&network, limit, poll(&network, &mut fds)).await;
        assert_eq!(polled, Err(Error::TimedOut));
        assert_eq!(clock.now(), Instant::from_secs(3));
        assert_eq!(fds.map(|row| row.revents), [Events::NONE; 2]);

        let at_once = timeout(&network, Duration::ZERO, poll(&network, &mut fds)).await;
        assert_eq!(at_once, Err(Error::TimedOut));
        assert_eq!(clock.now(), Instant::from_secs(3));

        let other = UdpSocket::bind(&network, "10.0.0.1:3".parse().unwrap()).unwrap();
        let address = sockets[1].local_addr().unwrap();
        let send = async {
            sleep(&network, Duration::from_secs(1)).await.unwrap();
            other.send_to(b"x", address).await.unwrap();
        };
        let both =
            embassy_futures::join::join(timeout(&network, limit, poll(&network, &mut fds)), send);
        assert_eq!(both.await.0, Ok(Ok(1)));
        assert_eq!(clock.now(), Instant::from_secs(4));
        assert_eq!(fds.map(|row| row.revents), [Events::NONE, Events::POLLIN]);
    });
    executor.finish("poll");
    nothing_is_left(executor, [&near, &far]);
}

/// Dropped before its first look, while it waits, and after it was woken but before its turn.
#[test]
fn a_poll_that_is_dropped_leaves_nothing() {
    let (_, mut executor, near, far) = world();
    let socket = Rc::new(UdpSocket::bind(near.clone(), "10.0.0.1:1".parse().unwrap()).unwrap());
    let own = |executor: &mut Executor, name| {
        let (network, socket) = (near.clone(), socket.clone());
        executor.spawn(name, async move {
            let mut fds = [PollFd::new(socket.fd(), Events::POLLIN); 3];
            let _ = poll(&network, &mut fds).await;
            panic!("it is dropped before");
        });
    };
    let wakers = |net: &Net| net.call(|stack| Ok(stack.usage().wakers)).unwrap();
    executor.settle();
    let drivers = wakers(&near);
    own(&mut executor, "never begun");
    executor.abort("never begun");
    own(&mut executor, "waits");
    executor.settle();
    assert_eq!(wakers(&near), drivers + 1);
    executor.abort("waits");
    assert_eq!(wakers(&near), drivers);

    own(&mut executor, "woken");
    executor.settle();
    assert_eq!(wakers(&near), drivers + 1);
    executor.hold("woken");
    let (network, address) = (near.clone(), socket.local_addr().unwrap());
    executor.spawn("sender", async move {
        let other = UdpSocket::bind(&network, "10.0.0.1:2".parse().unwrap()).unwrap();
        other.send_to(b"x", address).await.unwrap();
    });
    executor.finish("sender");
    executor.settle();
    assert_eq!(wakers(&near), drivers);
    executor.abort("woken");
    drop(socket);
    nothing_is_left(executor, [&near, &far]);
}

/// A poll that nothing can end any more is named when a run comes to a halt.
#[test]
fn a_deadlock_says_who_polls() {
    let mut simulation = Simulation::new(1);
    let host = simulation.host("alice").unwrap();
    let ends = ((host, &["10.0.0.1/24"]), simulation.host("bob").unwrap());
    simulation
        .link(Link::ethernet(1514), ends.0, (ends.1, &["10.0.0.2/24"]))
        .unwrap();
    let program = simulation.spawn(host, "poller", async |network| {
        let socket = UdpSocket::bind(&network, "10.0.0.1:9999".parse().unwrap())?;
        poll(&network, &mut [PollFd::new(socket.fd(), Events::POLLIN)]).await
    });
    let _program = program.unwrap();
    let stopped = simulation.run().unwrap_err();
    assert_eq!(stopped.reason(), Reason::Deadlock);
    let told = "alice: poller waits for an event of the sockets that it polls";
    assert_eq!(stopped.waiting(), [told]);
}

/// Over a link that loses and reorders, four clients that come and go at their own pace: each has its echo.
#[test]
fn nobody_waits_for_ever_over_a_bad_link() {
    let mut simulation = Simulation::new(7);
    let (client, server) = (
        simulation.host("client").unwrap(),
        simulation.host("server").unwrap(),
    );
    let bad = glasstack::device::wire::Conditions::default()
        .latency(Duration::from_millis(20))
        .jitter(Duration::from_millis(15))
        .loss(0.05);
    let ends = ((client, &["10.0.0.1/24"]), (server, &["10.0.0.2/24"]));
    simulation
        .link(Link::ethernet(1514).both(bad), ends.0, ends.1)
        .unwrap();
    simulation
        .serve(server, "echo", async |network| {
            let mut server = Server::new(network).unwrap();
            loop {
                server.turn().await.unwrap();
            }
        })
        .unwrap();
    let done = Rc::new(RefCell::new(Vec::new()));
    for number in 0..4_u64 {
        let done = done.clone();
        let _client = simulation
            .spawn(client, "client", async move |network| {
                for round in 0..25 {
                    let address = "10.0.0.2:9999".parse().unwrap();
                    let stream = TcpStream::connect(&network, address).await?;
                    let words = format!("{number}.{round}");
                    stream.write_all(words.as_bytes()).await?;
                    let mut answer = vec![0; words.len()];
                    stream.read_exact(&mut answer).await?;
                    assert_eq!(answer, words.as_bytes());
                    sleep(&network, Duration::from_millis(10 * number)).await?;
                }
                done.borrow_mut().push(number);
                Result::Ok(())
            })
            .unwrap();
    }
    simulation.run().unwrap();
    assert_eq!(done.borrow().len(), 4);
    assert!(simulation.now() < END);
}
