//! What a TCP round trip of 4 bytes costs while 1 to 10,000 connections are open: a server on glasstack beside one on a
//! plain smoltcp `SocketSet`.
//!
//! The clients are the same for both and their cost does not grow: each has a `SocketSet` to itself, and only the one whose
//! turn it is gets polled. They take turns in strides, so that no connection's state stays in the cache by favour.
//! The plain server gets the cheapest loop there is: it takes in all frames, answers the connection that was touched
//! (which it is told) and polls for egress once.
//!
//! `cargo bench --bench sockets`; `BENCH_QUICK=1` only shows that it runs.

mod measure;

use std::{
    net::{Ipv4Addr, SocketAddr},
    time,
};

use glasstack::{
    Error, Fd, Stack,
    smoltcp::{
        iface::{Config, Interface, PollIngressSingleResult, PollResult, SocketHandle, SocketSet},
        phy::Medium,
        socket::tcp,
        time::{Duration, Instant},
        wire::{HardwareAddress, IpAddress, IpCidr},
    },
    stack::{Capacity, Domain, InterfaceId, Type, option},
};
use measure::{Plan, Port, Samples, cell, ratio};

const CLIENT: Ipv4Addr = Ipv4Addr::new(10, 0, 0, 1);
const SERVER: Ipv4Addr = Ipv4Addr::new(10, 0, 0, 2);
const SERVER_PORT: u16 = 80;
const FIRST_CLIENT_PORT: usize = 10_000;
const BUFFER: usize = 1024;
const MTU: usize = 1500;
/// Handshakes under way at once.
const CONNECTING: usize = 64;
/// A prime that divides none of the numbers of connections.
const STRIDE: usize = 7_919;
const BETWEEN_TRIPS: Duration = Duration::from_micros(10);

/// The side that is measured.
trait Server {
    /// Work that is due; new connections are accepted.
    fn poll(&mut self, now: Instant, port: &mut Port);
    /// Takes in what has arrived, echoes what the connection of this client said, and sends.
    fn echo(&mut self, now: Instant, port: &mut Port, client: usize);
}

fn interface(address: Ipv4Addr, port: &mut Port) -> Interface {
    let mut config = Config::new(HardwareAddress::Ip);
    config.random_seed = u64::from(address.to_bits());
    let mut interface = Interface::new(config, port, Instant::ZERO);
    interface.update_ip_addrs(|addresses| {
        let room = addresses.push(IpCidr::new(IpAddress::Ipv4(address), 24));
        room.expect("an interface has room for an address");
    });
    interface
}

fn socket() -> tcp::Socket<'static> {
    let buffer = || tcp::SocketBuffer::new(vec![0; BUFFER]);
    let mut socket = tcp::Socket::new(buffer(), buffer());
    socket.set_congestion_control(tcp::CongestionControl::Reno);
    socket
}

/// One `SocketSet` with a socket for each connection, which is how smoltcp is commonly used.
struct Plain {
    interface: Interface,
    sockets: SocketSet<'static>,
    /// The socket of each client's connection, once all are connected.
    handles: Vec<SocketHandle>,
}

impl Plain {
    fn new(connections: usize, port: &mut Port) -> Self {
        let mut sockets = SocketSet::new(Vec::new());
        for _ in 0..connections {
            let mut socket = socket();
            socket
                .listen(SERVER_PORT)
                .expect("port 80 can be listened on");
            sockets.add(socket);
        }
        Plain {
            interface: interface(SERVER, port),
            sockets,
            handles: Vec::new(),
        }
    }

    fn ingress(&mut self, now: Instant, port: &mut Port) {
        while self
            .interface
            .poll_ingress_single(now, port, &mut self.sockets)
            != PollIngressSingleResult::None
        {}
    }

    fn find_connections(&self) -> Vec<SocketHandle> {
        let mut handles: Vec<_> = self
            .sockets
            .iter()
            .map(|(handle, _)| {
                let socket = self.sockets.get::<tcp::Socket>(handle);
                (
                    socket.remote_endpoint().map(|endpoint| endpoint.port),
                    handle,
                )
            })
            .collect();
        handles.sort_by_key(|&(port, _)| port);
        handles.into_iter().map(|(_, handle)| handle).collect()
    }
}

impl Server for Plain {
    fn poll(&mut self, now: Instant, port: &mut Port) {
        self.ingress(now, port);
        while self.interface.poll_egress(now, port, &mut self.sockets) != PollResult::None {}
    }

    fn echo(&mut self, now: Instant, port: &mut Port, client: usize) {
        self.ingress(now, port);
        if self.handles.is_empty() {
            self.handles = self.find_connections();
        }
        let handle = self.handles[client];
        let socket = self.sockets.get_mut::<tcp::Socket>(handle);
        let mut data = [0; 16];
        let len = socket
            .recv_slice(&mut data)
            .expect("the connection is open");
        let sent = socket.send_slice(&data[..len]);
        assert_eq!(sent, Ok(len));
        self.interface.poll_egress(now, port, &mut self.sockets);
    }
}

struct Glasstack {
    stack: Stack<'static>,
    interface: InterfaceId,
    listener: Fd,
    /// The descriptor of each client's connection.
    connections: Vec<Option<Fd>>,
}

impl Glasstack {
    fn new(connections: usize, port: &mut Port) -> glasstack::Result<Self> {
        let capacity = Capacity {
            sockets: connections + 8,
            connections: connections + 8,
            receive_buffer: BUFFER,
            send_buffer: BUFFER,
            ..Capacity::default()
        };
        let mut stack = Stack::with_capacity(capacity, [7; 16], ());
        let interface = stack.add_interface(port, None)?;
        stack.add_address(interface, SERVER.into(), 24)?;
        let listener = stack.socket(Domain::Inet, Type::Stream)?;
        stack.setsockopt(
            listener,
            option::Congestion,
            option::CongestionControl::Reno,
        )?;
        stack.bind(listener, SocketAddr::from((SERVER, SERVER_PORT)))?;
        stack.listen(listener, connections)?;
        Ok(Glasstack {
            stack,
            interface,
            listener,
            connections: vec![None; connections],
        })
    }
}

impl Server for Glasstack {
    fn poll(&mut self, now: Instant, port: &mut Port) {
        let _ = self.stack.poll(self.interface, now, port);
        loop {
            match self.stack.accept(self.listener) {
                Ok((fd, client)) => {
                    self.connections[usize::from(client.port()) - FIRST_CLIENT_PORT] = Some(fd);
                }
                Err(error) => {
                    assert_eq!(error, Error::WouldBlock);
                    break;
                }
            }
        }
    }

    fn echo(&mut self, now: Instant, port: &mut Port, client: usize) {
        let _ = self.stack.poll(self.interface, now, port);
        let fd = self.connections[client].expect("every client was accepted");
        let mut data = [0; 16];
        let len = self
            .stack
            .recv(fd, &mut data)
            .expect("the ping has arrived");
        let sent = self.stack.send(fd, &data[..len]);
        assert_eq!(sent, Ok(len));
        let _ = self.stack.poll(self.interface, now, port);
    }
}

fn client_port(client: usize) -> u16 {
    u16::try_from(FIRST_CLIENT_PORT + client).expect("10,000 clients end below port 20,000")
}

/// The harness: all clients, and the server under measurement.
struct Bench<S> {
    now: Instant,
    near: Port,
    far: Port,
    interface: Interface,
    clients: Vec<(SocketSet<'static>, SocketHandle)>,
    server: S,
    trips: usize,
}

impl<S: Server> Bench<S> {
    /// Opens all connections.
    fn new(connections: usize, server: impl FnOnce(&mut Port) -> S) -> Self {
        let mut near = Port::new(Medium::Ip, MTU);
        let mut far = Port::new(Medium::Ip, MTU);
        let mut bench = Bench {
            now: Instant::ZERO,
            interface: interface(CLIENT, &mut near),
            server: server(&mut far),
            near,
            far,
            clients: Vec::with_capacity(connections),
            trips: 0,
        };
        for first in (0..connections).step_by(CONNECTING) {
            let batch = first..connections.min(first + CONNECTING);
            for client in batch.clone() {
                bench.connect(client);
            }
            bench.exchange();
            for client in batch.clone() {
                bench.transmit(client);
            }
            bench.exchange();
            bench.now += BETWEEN_TRIPS;
        }
        for (sockets, handle) in &bench.clients {
            let state = sockets.get::<tcp::Socket>(*handle).state();
            assert_eq!(state, tcp::State::Established);
        }
        bench
    }

    fn connect(&mut self, client: usize) {
        let mut sockets = SocketSet::new(Vec::with_capacity(1));
        let mut socket = socket();
        // Each trip is acknowledged at once, so none leaves work to a later one.
        socket.set_ack_delay(None);
        let server = (IpAddress::Ipv4(SERVER), SERVER_PORT);
        socket
            .connect(self.interface.context(), server, client_port(client))
            .expect("a new socket can connect");
        let handle = sockets.add(socket);
        self.clients.push((sockets, handle));
        self.transmit(client);
    }

    fn transmit(&mut self, client: usize) {
        let (sockets, _) = &mut self.clients[client];
        self.interface
            .poll_egress(self.now, &mut self.near, sockets);
    }

    /// The server hears what the clients have sent, and the clients its answers.
    fn exchange(&mut self) {
        self.near.carry(&mut self.far);
        self.server.poll(self.now, &mut self.far);
        self.receive();
    }

    /// Hands each frame to the client that it is for.
    fn receive(&mut self) {
        self.far.carry(&mut self.near);
        // The destination port, behind an IPv4 header without options.
        while let Some(&[high, low]) = self.near.front().and_then(|frame| frame.get(22..24)) {
            let client = usize::from(u16::from_be_bytes([high, low])) - FIRST_CLIENT_PORT;
            let (sockets, _) = &mut self.clients[client];
            self.interface
                .poll_ingress_single(self.now, &mut self.near, sockets);
        }
    }

    fn round_trip(&mut self) {
        let client = self.trips * STRIDE % self.clients.len();
        self.trips += 1;
        self.now += BETWEEN_TRIPS;

        let (sockets, handle) = &mut self.clients[client];
        let sent = sockets.get_mut::<tcp::Socket>(*handle).send_slice(b"ping");
        assert_eq!(sent, Ok(4));
        self.transmit(client);
        // With it goes the acknowledgment of the last trip's echo.
        self.near.carry(&mut self.far);
        self.server.echo(self.now, &mut self.far, client);
        self.receive();
        let (sockets, handle) = &mut self.clients[client];
        let mut data = [0; 16];
        let echoed = sockets
            .get_mut::<tcp::Socket>(*handle)
            .recv_slice(&mut data);
        assert_eq!(echoed.map(|len| &data[..len]), Ok(&b"ping"[..]));
        self.transmit(client);
    }

    /// Microseconds for one round trip, the mean of so many.
    fn measure(&mut self, trips: usize) -> f64 {
        let start = time::Instant::now();
        for _ in 0..trips {
            self.round_trip();
        }
        start.elapsed().as_secs_f64() * 1e6 / trips as f64
    }
}

/// A line of the table.
struct Row {
    connections: usize,
    plain: Option<Bench<Plain>>,
    glasstack: Option<Bench<Glasstack>>,
    samples: Samples,
}

impl Row {
    fn new(connections: usize, plan: &Plan) -> Self {
        let plain = |port: &mut Port| Plain::new(connections, port);
        let glasstack = |port: &mut Port| {
            Glasstack::new(connections, port).expect("the stack takes its configuration")
        };
        Row {
            connections,
            plain: plan.plain.then(|| Bench::new(connections, plain)),
            glasstack: plan.glasstack.then(|| Bench::new(connections, glasstack)),
            samples: Samples::default(),
        }
    }
}

fn main() {
    let plan = Plan::from_environment();
    let (sizes, trips): (&[usize], usize) = match plan.quick {
        true => (&[1, 10, 100], 500),
        false => (&[1, 10, 100, 1_000, 10_000], 20_000),
    };
    let mut rows: Vec<Row> = sizes.iter().map(|&size| Row::new(size, &plan)).collect();
    // Each round measures every row, so that the rows can be compared too.
    for round in plan.rounds() {
        for row in &mut rows {
            // The plain server walks all its sockets for each frame: fewer trips take as long.
            let plain_trips = trips.min(4_000_000 / row.connections);
            row.samples.record(
                round,
                row.plain
                    .as_mut()
                    .map(|bench| || bench.measure(plain_trips)),
                row.glasstack.as_mut().map(|bench| || bench.measure(trips)),
            );
        }
    }

    println!("TCP round trip of 4 bytes, in microseconds (median of rounds)\n");
    println!(
        "| connections | plain smoltcp | glasstack | plain / glasstack | glasstack / its own at 1 |"
    );
    println!("|---:|---:|---:|---:|---:|");
    let mut alone = None;
    for row in rows {
        let (plain, glasstack) = row.samples.medians();
        alone = alone.or(glasstack);
        println!(
            "| {} | {} | {} | {} | {} |",
            row.connections,
            cell(plain, 2),
            cell(glasstack, 2),
            cell(ratio(plain, glasstack), 2),
            cell(ratio(glasstack, alone), 2),
        );
    }
}
