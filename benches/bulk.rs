//! How fast TCP moves bulk data from one host to another: glasstack on both beside plain smoltcp on both, over the same
//! queues in memory, with the same buffers and the same congestion control.
//!
//! `cargo bench --bench bulk`; `BENCH_QUICK=1` only shows that it runs.

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
        wire::{EthernetAddress, HardwareAddress, IpAddress, IpCidr},
    },
    stack::{
        Capacity, Domain, InterfaceId, Type,
        option::{self, CongestionControl},
    },
};
use measure::{Plan, Port, Samples, cell, ratio};

const CLIENT: u8 = 1;
const SERVER: u8 = 2;
const SERVER_PORT: u16 = 80;
const BUFFER: usize = 64 * 1024;
/// Of the data: a prime, so that a segment out of place shows.
const PERIOD: usize = 251;
/// How long the hosts take for one turn, on their own clock.
const TURN: Duration = Duration::from_micros(10);

const fn address(host: u8) -> Ipv4Addr {
    Ipv4Addr::new(10, 0, 0, host)
}

const fn mac(host: u8) -> [u8; 6] {
    [2, 0, 0, 0, 0, host]
}

/// One end of the transfer, on either stack.
trait Host: Sized {
    fn new(host: u8, congestion: CongestionControl, port: &mut Port) -> Self;
    fn listen(&mut self);
    fn connect(&mut self);
    /// Does the work that is due; returns when there is more at the latest.
    fn poll(&mut self, now: Instant, port: &mut Port) -> Option<Instant>;
    /// Whether the connection is open; the listening side accepts it.
    fn is_open(&mut self) -> bool;
    /// How many bytes the send buffer took.
    fn send(&mut self, data: &[u8]) -> usize;
    /// How many bytes the receive buffer had.
    fn receive(&mut self, data: &mut [u8]) -> usize;
}

struct Plain {
    interface: Interface,
    sockets: SocketSet<'static>,
    handle: SocketHandle,
}

impl Plain {
    fn socket(&mut self) -> &mut tcp::Socket<'static> {
        self.sockets.get_mut(self.handle)
    }
}

impl Host for Plain {
    fn new(host: u8, congestion: CongestionControl, port: &mut Port) -> Self {
        let mut config = Config::new(HardwareAddress::Ethernet(EthernetAddress(mac(host))));
        config.random_seed = u64::from(host);
        let mut interface = Interface::new(config, port, Instant::ZERO);
        interface.update_ip_addrs(|addresses| {
            let room = addresses.push(IpCidr::new(IpAddress::Ipv4(address(host)), 24));
            room.expect("an interface has room for an address");
        });
        let buffer = || tcp::SocketBuffer::new(vec![0; BUFFER]);
        let mut socket = tcp::Socket::new(buffer(), buffer());
        socket.set_congestion_control(match congestion {
            CongestionControl::None => tcp::CongestionControl::None,
            CongestionControl::Reno => tcp::CongestionControl::Reno,
            other => unreachable!("{other:?} is not measured"),
        });
        let mut sockets = SocketSet::new(Vec::new());
        let handle = sockets.add(socket);
        Plain {
            interface,
            sockets,
            handle,
        }
    }

    fn listen(&mut self) {
        let listening = self.socket().listen(SERVER_PORT);
        listening.expect("port 80 can be listened on");
    }

    fn connect(&mut self) {
        let socket = self.sockets.get_mut::<tcp::Socket>(self.handle);
        let server = (IpAddress::Ipv4(address(SERVER)), SERVER_PORT);
        let connecting = socket.connect(self.interface.context(), server, 49_152);
        connecting.expect("a new socket can connect");
    }

    fn poll(&mut self, now: Instant, port: &mut Port) -> Option<Instant> {
        let sockets = &mut self.sockets;
        while self.interface.poll_ingress_single(now, port, sockets)
            != PollIngressSingleResult::None
        {}
        while self.interface.poll_egress(now, port, sockets) != PollResult::None {}
        self.interface.poll_at(now, sockets)
    }

    fn is_open(&mut self) -> bool {
        self.socket().state() == tcp::State::Established
    }

    fn send(&mut self, data: &[u8]) -> usize {
        let sent = self.socket().send_slice(data);
        sent.expect("the connection is open")
    }

    fn receive(&mut self, data: &mut [u8]) -> usize {
        let received = self.socket().recv_slice(data);
        received.expect("the connection is open")
    }
}

struct Glasstack {
    stack: Stack<'static>,
    interface: InterfaceId,
    fd: Fd,
    listener: Option<Fd>,
    open: bool,
}

impl Glasstack {
    fn configured(
        host: u8,
        congestion: CongestionControl,
        port: &mut Port,
    ) -> glasstack::Result<Self> {
        let capacity = Capacity {
            sockets: 2,
            connections: 1,
            datagrams: 0,
            receive_buffer: BUFFER,
            send_buffer: BUFFER,
            ..Capacity::default()
        };
        let mut stack = Stack::with_capacity(capacity, [host; 16], ());
        let interface = stack.add_interface(port, Some(mac(host)))?;
        stack.add_address(interface, address(host).into(), 24)?;
        let fd = stack.socket(Domain::Inet, Type::Stream)?;
        stack.setsockopt(fd, option::Congestion, congestion)?;
        Ok(Glasstack {
            stack,
            interface,
            fd,
            listener: None,
            open: false,
        })
    }

    fn server() -> SocketAddr {
        SocketAddr::from((address(SERVER), SERVER_PORT))
    }
}

/// A call that would block has moved nothing.
fn moved(result: glasstack::Result<usize>) -> usize {
    match result {
        Err(Error::WouldBlock) => 0,
        result => result.expect("the connection is open"),
    }
}

impl Host for Glasstack {
    fn new(host: u8, congestion: CongestionControl, port: &mut Port) -> Self {
        Glasstack::configured(host, congestion, port).expect("the stack takes its configuration")
    }

    fn listen(&mut self) {
        let bound = self.stack.bind(self.fd, Glasstack::server());
        let listening = bound.and_then(|()| self.stack.listen(self.fd, 1));
        listening.expect("port 80 can be listened on");
        self.listener = Some(self.fd);
    }

    fn connect(&mut self) {
        let connecting = self.stack.connect(self.fd, Glasstack::server());
        assert_eq!(connecting, Err(Error::WouldBlock));
    }

    fn poll(&mut self, now: Instant, port: &mut Port) -> Option<Instant> {
        self.stack.poll(self.interface, now, port)
    }

    fn is_open(&mut self) -> bool {
        if !self.open {
            let result = match self.listener {
                Some(listener) => self.stack.accept(listener).map(|(fd, _)| self.fd = fd),
                None => self.stack.connect(self.fd, Glasstack::server()),
            };
            self.open = match result {
                Err(Error::WouldBlock) => false,
                result => result.is_ok_and(|()| true),
            };
        }
        self.open
    }

    fn send(&mut self, data: &[u8]) -> usize {
        moved(self.stack.send(self.fd, data))
    }

    fn receive(&mut self, data: &mut [u8]) -> usize {
        moved(self.stack.recv(self.fd, data))
    }
}

/// Two hosts of a kind, and the link between them.
struct Bench<H> {
    now: Instant,
    client: H,
    server: H,
    near: Port,
    far: Port,
    data: Vec<u8>,
    buffer: Vec<u8>,
}

impl<H: Host> Bench<H> {
    /// Opens the connection.
    fn new(mtu: usize, congestion: CongestionControl) -> Self {
        let mut near = Port::new(Medium::Ethernet, mtu);
        let mut far = Port::new(Medium::Ethernet, mtu);
        let mut bench = Bench {
            now: Instant::ZERO,
            client: H::new(CLIENT, congestion, &mut near),
            server: H::new(SERVER, congestion, &mut far),
            near,
            far,
            data: (0..BUFFER).map(|i| (i % PERIOD) as u8).collect(),
            buffer: vec![0; BUFFER],
        };
        bench.server.listen();
        bench.client.connect();
        while !(bench.client.is_open() & bench.server.is_open()) {
            bench.turn(|_, _| 0, |_, _| 0);
        }
        bench
    }

    /// Each host in turn hears, lets its application act and sends; then time goes on, to the next deadline where
    /// nothing moved. Returns how many bytes the applications moved.
    fn turn(
        &mut self,
        client: impl FnOnce(&mut H, &[u8]) -> usize,
        server: impl FnOnce(&mut H, &mut [u8]) -> usize,
    ) -> (usize, usize) {
        self.client.poll(self.now, &mut self.near);
        let sent = client(&mut self.client, &self.data);
        let near = self.client.poll(self.now, &mut self.near);
        let mut frames = self.near.carry(&mut self.far);

        self.server.poll(self.now, &mut self.far);
        let received = server(&mut self.server, &mut self.buffer);
        let far = self.server.poll(self.now, &mut self.far);
        frames += self.far.carry(&mut self.near);

        self.now += TURN;
        if frames + sent + received == 0 {
            let deadline = near.into_iter().chain(far).min();
            let deadline = deadline.expect("a transfer that stands still waits for a timer");
            self.now = self.now.max(deadline);
        }
        (sent, received)
    }

    /// MB/s (10⁶ bytes) of one transfer of so many bytes.
    fn measure(&mut self, bytes: usize) -> f64 {
        let start = time::Instant::now();
        let (mut sent, mut received) = (0, 0);
        while received < bytes {
            let moved = self.turn(
                |client, data| send(client, data, sent, bytes),
                |server, buffer| receive(server, buffer, received),
            );
            sent += moved.0;
            received += moved.1;
        }
        bytes as f64 / start.elapsed().as_secs_f64() / 1e6
    }
}

/// Sends what fits of a stream of so many bytes, which repeats the data.
fn send(host: &mut impl Host, data: &[u8], from: usize, bytes: usize) -> usize {
    let mut at = from;
    while at < bytes {
        let start = at % data.len();
        let end = data.len().min(start + bytes - at);
        match host.send(&data[start..end]) {
            0 => break,
            len => at += len,
        }
    }
    at - from
}

/// Receives what is there of the stream.
fn receive(host: &mut impl Host, buffer: &mut [u8], from: usize) -> usize {
    let mut at = from;
    loop {
        match host.receive(buffer) {
            0 => return at - from,
            len => {
                let expected = at % buffer.len() % PERIOD;
                assert_eq!(usize::from(buffer[0]), expected, "the stream is in order");
                at += len;
            }
        }
    }
}

fn main() {
    let plan = Plan::from_environment();
    let bytes = if plan.quick { 1 << 20 } else { 256 << 20 };
    println!(
        "Bulk TCP in MB/s (median of rounds), {} KiB buffers\n",
        BUFFER / 1024
    );
    println!(
        "| Ethernet frame | congestion control | plain smoltcp | glasstack | glasstack / plain |"
    );
    println!("|---:|---|---:|---:|---:|");
    for mtu in [1_514, 65_549] {
        for congestion in [CongestionControl::None, CongestionControl::Reno] {
            let mut plain = plan.plain.then(|| Bench::<Plain>::new(mtu, congestion));
            let mut glasstack = plan
                .glasstack
                .then(|| Bench::<Glasstack>::new(mtu, congestion));
            let mut samples = Samples::default();
            for round in plan.rounds() {
                samples.record(
                    round,
                    plain.as_mut().map(|bench| || bench.measure(bytes)),
                    glasstack.as_mut().map(|bench| || bench.measure(bytes)),
                );
            }
            let (plain, glasstack) = samples.medians();
            println!(
                "| {mtu} | {} | {} | {} | {} |",
                match congestion {
                    CongestionControl::None => "none",
                    _ => "Reno",
                },
                cell(plain, 0),
                cell(glasstack, 0),
                cell(ratio(glasstack, plain), 2),
            );
        }
    }
}
