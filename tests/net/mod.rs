//! Two hosts on a wire under virtual time: 10.0.0.1 and fd00::1 the client, 10.0.0.2 and fd00::2 the server.
//!
//! Nothing here asks a clock. A frame takes no time to cross; each one is kept in [`Net::frames`], whether it arrives or is
//! one of those that a test has the wire lose.
// Each test uses a part; a world that cannot be built fails its test.
#![allow(dead_code, unreachable_pub, clippy::unwrap_used, clippy::panic)]

pub mod segment;

use std::collections::VecDeque;
use std::net::SocketAddr;

use glasstack::smoltcp::phy::{self, Device, DeviceCapabilities, Medium};
use glasstack::smoltcp::time::{Duration, Instant};
use glasstack::stack::option::{KeepAlive, KeepAliveIdle, KeepAliveInterval};
use glasstack::stack::{Capacity, Domain, InterfaceId, Type};
use glasstack::trace::{
    self, Direction, Event, Happening, Observer, RetransmissionCause, State, TimerChange,
};
use glasstack::{Error, Fd, Stack};
use segment::Segment;

/// The port that the tests share.
pub const PORT: u16 = 9999;
pub const SERVER: &str = "10.0.0.2:9999";
pub const SERVER_V6: &str = "[fd00::2]:9999";

/// More rounds than this at one instant are a livelock.
const ROUNDS: usize = 100_000;

/// Which host.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Side {
    Client,
    Server,
}

/// A frame that was sent, whether it arrived or not.
#[derive(Debug, Clone)]
pub struct Frame {
    pub time: Instant,
    pub from: Side,
    pub medium: Medium,
    pub octets: Vec<u8>,
    pub is_lost: bool,
}

impl Frame {
    /// The TCP segment in it.
    pub fn segment(&self) -> Option<Segment> {
        Segment::parse(self.medium, &self.octets)
    }

    /// It is a TCP segment that carries octets of the stream.
    pub fn has_data(&self) -> bool {
        self.segment()
            .is_some_and(|segment| !segment.payload.is_empty())
    }
}

/// Of the frames that `which` is true of, the nth alone, counted from one.
pub fn nth(n: usize, which: impl Fn(&Frame) -> bool) -> impl FnMut(&Frame) -> bool {
    let mut count = 0;
    move |frame| {
        let is_counted = which(frame);
        count += usize::from(is_counted);
        is_counted && count == n
    }
}

/// Keeps the events, and passes them on to an observer of the test's.
#[derive(Default)]
pub struct Recorder(
    pub Vec<Change>,
    pub Vec<Told>,
    pub Option<Box<dyn Observer>>,
);

/// An event as a line to compare: when, and what.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Told {
    pub time: Instant,
    pub line: String,
    pub retransmission: Option<RetransmissionCause>,
}

/// What an event says, in short.
fn line(event: &Event) -> String {
    match event.happening {
        Happening::Call { call, outcome } => format!("{call:?} = {outcome:?}"),
        Happening::Frame {
            direction,
            medium,
            bytes,
        } => {
            let way = if direction == Direction::Out {
                "-->"
            } else {
                "<--"
            };
            match trace::Segment::parse(event.time, medium, bytes) {
                Some(segment) => {
                    let flags = segment.flags;
                    let mut text = String::from(way);
                    for (is_set, name) in [
                        (flags.syn, " SYN"),
                        (flags.fin, " FIN"),
                        (flags.rst, " RST"),
                    ] {
                        text.push_str(if is_set { name } else { "" });
                    }
                    if segment.acknowledgment.is_some() {
                        text.push_str(" ACK");
                    }
                    if segment.len > 0 {
                        text.push_str(&format!(" {} octets", segment.len));
                    }
                    text
                }
                None => format!("{way} other"),
            }
        }
        Happening::State { from, to, cause } => format!("{from} -> {to} by {cause:?}"),
        Happening::Timer { timer, change } => match change {
            TimerChange::Armed { after, .. } => format!("{timer:?} armed for {after:?}"),
            change => format!("{timer:?} {change:?}"),
        },
        Happening::Retransmission { cause } => format!("retransmission: {cause:?}"),
        Happening::Drop { reason, .. } => format!("dropped: {reason:?}"),
        other => format!("{other:?}"),
    }
}

/// A connection's change of state.
#[derive(Clone, Copy)]
pub struct Change {
    pub remote: SocketAddr,
    pub from: State,
    pub to: State,
}

impl Observer for Recorder {
    fn event(&mut self, event: &Event) {
        if let Some(observer) = &mut self.2 {
            observer.event(event);
        }
        self.1.push(Told {
            time: event.time,
            line: line(event),
            retransmission: match event.happening {
                Happening::Retransmission { cause } => Some(cause),
                _ => None,
            },
        });
        if let (Some(flow), Happening::State { from, to, .. }) = (event.flow, event.happening) {
            let remote = flow.remote;
            self.0.push(Change { remote, from, to });
        }
    }
}

/// A network card whose queues the test can reach.
pub struct Card {
    pub medium: Medium,
    pub received: VecDeque<Vec<u8>>,
    pub sent: VecDeque<Vec<u8>>,
    /// Frames that `sent` takes before the card is full.
    pub room: usize,
}

pub struct Rx(Vec<u8>);

impl phy::RxToken for Rx {
    fn consume<R, F: FnOnce(&[u8]) -> R>(self, f: F) -> R {
        f(&self.0)
    }
}

pub struct Tx<'a>(&'a mut VecDeque<Vec<u8>>);

impl phy::TxToken for Tx<'_> {
    fn consume<R, F: FnOnce(&mut [u8]) -> R>(self, len: usize, f: F) -> R {
        let mut frame = vec![0; len];
        let result = f(&mut frame);
        self.0.push_back(frame);
        result
    }
}

impl Device for Card {
    type RxToken<'a> = Rx;
    type TxToken<'a> = Tx<'a>;

    fn receive(&mut self, _: Instant) -> Option<(Rx, Tx<'_>)> {
        if self.sent.len() >= self.room {
            return None;
        }
        let frame = self.received.pop_front()?;
        Some((Rx(frame), Tx(&mut self.sent)))
    }

    fn transmit(&mut self, _: Instant) -> Option<Tx<'_>> {
        (self.sent.len() < self.room).then_some(Tx(&mut self.sent))
    }

    fn capabilities(&self) -> DeviceCapabilities {
        let mut capabilities = DeviceCapabilities::default();
        capabilities.medium = self.medium;
        capabilities.max_transmission_unit = match self.medium {
            Medium::Ethernet => 1514,
            _ => 1500,
        };
        capabilities
    }
}

/// A host: a stack, its card, and when it wants to be polled.
pub struct Host {
    pub stack: Stack<'static, Recorder>,
    pub card: Card,
    pub interface: InterfaceId,
    /// What the last `poll` returned.
    pub deadline: Option<Instant>,
    /// How often it was polled.
    pub polls: usize,
}

impl Host {
    fn new(side: Side, medium: Medium, capacity: Capacity, now: Instant) -> Host {
        let number = side.number();
        let mut card = Card {
            medium,
            received: VecDeque::new(),
            sent: VecDeque::new(),
            room: usize::MAX,
        };
        let mut stack = Stack::with_capacity(capacity, [number; 16], Recorder::default());
        stack.set_now(now);
        let hardware = (medium == Medium::Ethernet).then_some(side.hardware_address());
        let interface = stack.add_interface(&mut card, hardware).unwrap();
        let v4 = [10, 0, 0, number].into();
        let v6 = [0xfd00, 0, 0, 0, 0, 0, 0, u16::from(number)].into();
        stack.add_address(interface, v4, 24).unwrap();
        stack.add_address(interface, v6, 64).unwrap();
        Host {
            stack,
            card,
            interface,
            deadline: None,
            polls: 0,
        }
    }

    pub fn poll(&mut self, now: Instant) {
        self.deadline = self.stack.poll(self.interface, now, &mut self.card);
        self.polls += 1;
    }

    /// A stream socket that listens on the wildcard address of the domain.
    pub fn listen(&mut self, domain: Domain, port: u16, backlog: usize) -> Fd {
        let fd = self.stack.socket(domain, Type::Stream).unwrap();
        self.stack.bind(fd, wildcard(domain, port)).unwrap();
        self.stack.listen(fd, backlog).unwrap();
        fd
    }

    /// A stream socket that has begun to connect.
    pub fn connect(&mut self, to: &str) -> Fd {
        let to: SocketAddr = to.parse().unwrap();
        let fd = self.stack.socket(domain_of(to), Type::Stream).unwrap();
        assert_eq!(self.stack.connect(fd, to), Err(Error::WouldBlock));
        fd
    }

    /// A datagram socket bound to the wildcard address of the domain.
    pub fn datagram(&mut self, domain: Domain, port: u16) -> Fd {
        let fd = self.stack.socket(domain, Type::Datagram).unwrap();
        self.stack.bind(fd, wildcard(domain, port)).unwrap();
        fd
    }

    /// Probes a silent peer after this time, and as often again; or does not.
    pub fn keep_alive(&mut self, fd: Fd, interval: Option<std::time::Duration>) {
        if let Some(interval) = interval {
            self.stack.setsockopt(fd, KeepAliveIdle, interval).unwrap();
            self.stack
                .setsockopt(fd, KeepAliveInterval, interval)
                .unwrap();
        }
        self.stack
            .setsockopt(fd, KeepAlive, interval.is_some())
            .unwrap();
    }

    /// What `recv` gives, as a value of its own.
    pub fn recv(&mut self, fd: Fd) -> Result<Vec<u8>, Error> {
        let mut buffer = vec![0; 70_000];
        let len = self.stack.recv(fd, &mut buffer)?;
        buffer.truncate(len);
        Ok(buffer)
    }

    /// The states that connections went to, in order.
    pub fn states(&mut self) -> Vec<State> {
        let changes = self.stack.observer().0.iter();
        changes.map(|change| change.to).collect()
    }
}

impl Side {
    pub fn number(self) -> u8 {
        match self {
            Side::Client => 1,
            Side::Server => 2,
        }
    }

    pub fn other(self) -> Side {
        match self {
            Side::Client => Side::Server,
            Side::Server => Side::Client,
        }
    }

    pub fn hardware_address(self) -> [u8; 6] {
        [2, 0, 0, 0, 0, self.number()]
    }
}

pub fn domain_of(address: SocketAddr) -> Domain {
    if address.is_ipv4() {
        Domain::Inet
    } else {
        Domain::Inet6
    }
}

pub fn wildcard(domain: Domain, port: u16) -> SocketAddr {
    match domain {
        Domain::Inet => ([0, 0, 0, 0], port).into(),
        Domain::Inet6 => ([0; 16], port).into(),
    }
}

/// The two hosts and the wire.
pub struct Net {
    pub client: Host,
    pub server: Host,
    pub now: Instant,
    /// Every frame that was sent.
    pub frames: Vec<Frame>,
    /// Which frames the wire loses.
    loss: Box<dyn FnMut(&Frame) -> bool>,
    medium: Medium,
}

impl Net {
    /// On Ethernet, with the usual capacity in small.
    pub fn new() -> Net {
        Net::with(Medium::Ethernet, capacity(), capacity())
    }

    pub fn with(medium: Medium, client: Capacity, server: Capacity) -> Net {
        let now = Instant::from_secs(1_000);
        Net {
            client: Host::new(Side::Client, medium, client, now),
            server: Host::new(Side::Server, medium, server, now),
            now,
            frames: Vec::new(),
            loss: Box::new(|_| false),
            medium,
        }
    }

    pub fn host(&mut self, side: Side) -> &mut Host {
        match side {
            Side::Client => &mut self.client,
            Side::Server => &mut self.server,
        }
    }

    /// From now on the wire loses the frames of which `is_lost` is true, and no others.
    pub fn lose(&mut self, is_lost: impl FnMut(&Frame) -> bool + 'static) {
        self.loss = Box::new(is_lost);
    }

    /// From now on no segment arrives, although the neighbors are known.
    pub fn lose_segments(&mut self) {
        self.lose(|frame| frame.segment().is_some());
    }

    pub fn pass_all(&mut self) {
        self.lose(|_| false);
    }

    /// From now on nothing arrives.
    pub fn cut(&mut self) {
        self.lose(|_| true);
    }

    /// Moves what a host has sent to the other; says whether there was something.
    fn carry(&mut self, from: Side) -> bool {
        let mut moved = false;
        while let Some(octets) = self.host(from).card.sent.pop_front() {
            moved = true;
            let mut frame = Frame {
                time: self.now,
                from,
                medium: self.medium,
                octets,
                is_lost: false,
            };
            frame.is_lost = (self.loss)(&frame);
            if !frame.is_lost {
                self.host(from.other())
                    .card
                    .received
                    .push_back(frame.octets.clone());
            }
            self.frames.push(frame);
        }
        moved
    }

    /// Carries frames and does what is due until both hosts are quiet; the time stands still. Both are polled, as after
    /// a call.
    pub fn run(&mut self) {
        let now = self.now;
        self.client.poll(now);
        self.server.poll(now);
        self.settle();
    }

    /// Polls a host where it asked for it or has a frame, and only then: who names no deadline is left alone.
    fn settle(&mut self) {
        let now = self.now;
        for _ in 0..ROUNDS {
            let mut moved = false;
            for side in [Side::Client, Side::Server] {
                let host = self.host(side);
                if host.deadline.is_some_and(|at| at <= now) || !host.card.received.is_empty() {
                    host.poll(now);
                    moved = true;
                }
                moved |= self.carry(side);
            }
            if !moved {
                return;
            }
        }
        panic!("the hosts never come to rest at {now}");
    }

    /// When the first of the two wants to be polled again.
    pub fn deadline(&self) -> Option<Instant> {
        [self.client.deadline, self.server.deadline]
            .into_iter()
            .flatten()
            .min()
    }

    /// Runs from deadline to deadline until the time has come, and does what is due then.
    pub fn run_until(&mut self, at: Instant) {
        self.run();
        while let Some(next) = self.deadline().filter(|next| *next <= at) {
            self.now = next;
            self.settle();
        }
        self.now = at;
        // For the calls that the test makes now.
        self.client.stack.set_now(at);
        self.server.stack.set_now(at);
    }

    pub fn run_for(&mut self, time: Duration) {
        self.run_until(self.now + time);
    }

    /// A connection from the client to a listener of the server, accepted: the client's end, the server's, the listener.
    pub fn pair(&mut self, to: &str) -> (Fd, Fd, Fd) {
        let address: SocketAddr = to.parse().unwrap();
        let listener = self.server.listen(domain_of(address), address.port(), 16);
        let client = self.client.connect(to);
        self.run();
        assert_eq!(self.client.stack.connect(client, address), Ok(()));
        let (server, _) = self.server.stack.accept(listener).unwrap();
        self.run();
        (client, server, listener)
    }

    /// The TCP segments that a host has sent.
    pub fn segments(&self, from: Side) -> Vec<Segment> {
        let sent = self.frames.iter().filter(|frame| frame.from == from);
        sent.filter_map(Frame::segment).collect()
    }

    /// Puts a segment made by hand on a host's card.
    pub fn inject(&mut self, to: Side, segment: &Segment) {
        let frame = segment.emit(self.medium, to);
        self.host(to).card.received.push_back(frame);
    }
}

/// What a test host has room for, unless a test says otherwise.
pub fn capacity() -> Capacity {
    Capacity {
        sockets: 64,
        connections: 16,
        datagrams: 8,
        receive_buffer: 8_192,
        send_buffer: 8_192,
        datagram_buffer: 4_096,
        datagram_packets: 4,
        pending_syns: 8,
        interfaces: 2,
        loopback_buffer: 16_384,
        reassemblies: 2,
        lookups: 4,
        wakers: 16,
    }
}
