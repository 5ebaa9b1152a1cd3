//! Two hosts on an Ethernet link under virtual time, whose frames can be watched, withheld and forged.
#![allow(dead_code)] // each test uses its part of it

pub(crate) mod frames;

use std::collections::VecDeque;
use std::net::{IpAddr, SocketAddr};
use std::task::Waker;

use glasstack::smoltcp::phy::{self, Device, DeviceCapabilities, Medium};
use glasstack::smoltcp::time::{Duration, Instant};
use glasstack::stack::{Capacity, Domain, Fd, InterfaceId, Type};
use glasstack::{Error, Stack};

/// Rounds of frames at one instant that no conversation of these tests comes near.
const ROUNDS: usize = 10_000;

/// One end of the link: what was received and what was transmitted, to be moved by the test.
#[derive(Default)]
pub(crate) struct Port {
    pub incoming: VecDeque<Vec<u8>>,
    pub outgoing: VecDeque<Vec<u8>>,
    /// It has no room for what is to be transmitted.
    pub full: bool,
}

pub(crate) struct RxToken(Vec<u8>);
pub(crate) struct TxToken<'a>(&'a mut VecDeque<Vec<u8>>);

impl phy::RxToken for RxToken {
    fn consume<R, F: FnOnce(&[u8]) -> R>(self, f: F) -> R {
        f(&self.0)
    }
}

impl phy::TxToken for TxToken<'_> {
    fn consume<R, F: FnOnce(&mut [u8]) -> R>(self, len: usize, f: F) -> R {
        let mut frame = vec![0; len];
        let result = f(&mut frame);
        self.0.push_back(frame);
        result
    }
}

impl Device for Port {
    type RxToken<'a> = RxToken;
    type TxToken<'a> = TxToken<'a>;

    fn receive(&mut self, _: Instant) -> Option<(RxToken, TxToken<'_>)> {
        let frame = self.incoming.pop_front()?;
        Some((RxToken(frame), TxToken(&mut self.outgoing)))
    }

    fn transmit(&mut self, _: Instant) -> Option<TxToken<'_>> {
        (!self.full).then_some(TxToken(&mut self.outgoing))
    }

    fn capabilities(&self) -> DeviceCapabilities {
        let mut capabilities = DeviceCapabilities::default();
        capabilities.medium = Medium::Ethernet;
        capabilities.max_transmission_unit = 1514;
        capabilities
    }
}

/// A stack with its end of the link.
pub(crate) struct Host<'a> {
    pub stack: Stack<'a>,
    pub port: Port,
    pub interface: InterfaceId,
}

impl<'a> Host<'a> {
    /// The host 10.0.0.`last` and fd00::`last`.
    pub(crate) fn new(mut stack: Stack<'a>, last: u8) -> Host<'a> {
        let mut port = Port::default();
        let interface = stack
            .add_interface(&mut port, Some([2, 0, 0, 0, 0, last]))
            .unwrap();
        stack
            .add_address(interface, address(Domain::Inet, last), 24)
            .unwrap();
        stack
            .add_address(interface, address(Domain::Inet6, last), 64)
            .unwrap();
        Host {
            stack,
            port,
            interface,
        }
    }

    pub(crate) fn poll(&mut self, now: Instant) -> Option<Instant> {
        self.stack.poll(self.interface, now, &mut self.port)
    }
}

/// 10.0.0.`last` or fd00::`last`.
pub(crate) fn address(domain: Domain, last: u8) -> IpAddr {
    match domain {
        Domain::Inet => IpAddr::from([10, 0, 0, last]),
        Domain::Inet6 => IpAddr::from([0xfd00, 0, 0, 0, 0, 0, 0, u16::from(last)]),
    }
}

/// A port of 10.0.0.`last` or fd00::`last`.
pub(crate) fn at(domain: Domain, last: u8, port: u16) -> SocketAddr {
    SocketAddr::new(address(domain, last), port)
}

/// A small stack on the heap.
pub(crate) fn small() -> Capacity {
    Capacity {
        sockets: 12,
        connections: 4,
        datagrams: 4,
        receive_buffer: 2048,
        send_buffer: 2048,
        datagram_buffer: 2048,
        datagram_packets: 4,
        pending_syns: 4,
        interfaces: 1,
        loopback_buffer: 3 * 1500,
        reassemblies: 2,
        lookups: 2,
        wakers: 16,
    }
}

/// The client, the server and what is between them.
pub(crate) struct Pair<'a> {
    pub client: Host<'a>,
    pub server: Host<'a>,
    pub now: Instant,
    /// The link is cut: what is transmitted is lost.
    pub cut: bool,
    /// The latest frames of the link, whether they arrived or not, with the host that sent them.
    pub history: VecDeque<(Sender, Vec<u8>)>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Sender {
    Client,
    Server,
}

/// How many frames are remembered.
const HISTORY: usize = 32;

impl Pair<'static> {
    pub(crate) fn small() -> Pair<'static> {
        let stack = |key| Stack::with_capacity(small(), [key; 16], ());
        Pair::new(stack(1), stack(2))
    }
}

impl<'a> Pair<'a> {
    pub(crate) fn new(client: Stack<'a>, server: Stack<'a>) -> Pair<'a> {
        Pair {
            client: Host::new(client, 1),
            server: Host::new(server, 2),
            now: Instant::from_secs(1),
            cut: false,
            history: VecDeque::new(),
        }
    }

    pub(crate) fn host(&mut self, is_server: bool) -> &mut Host<'a> {
        match is_server {
            true => &mut self.server,
            false => &mut self.client,
        }
    }

    fn carry(&mut self) -> bool {
        let mut moved = false;
        for sender in [Sender::Client, Sender::Server] {
            let (from, to) = match sender {
                Sender::Client => (&mut self.client.port, &mut self.server.port),
                Sender::Server => (&mut self.server.port, &mut self.client.port),
            };
            for frame in from.outgoing.drain(..) {
                moved = true;
                if self.history.len() == HISTORY {
                    self.history.pop_front();
                }
                self.history.push_back((sender, frame.clone()));
                if !self.cut {
                    to.incoming.push_back(frame);
                }
            }
        }
        moved
    }

    /// Lets the hosts talk, in no time, until both are quiet; says when one of them has more to do.
    pub(crate) fn exchange(&mut self) -> Option<Instant> {
        for _ in 0..ROUNDS {
            let client = self.client.poll(self.now);
            let server = self.server.poll(self.now);
            let next = [client, server].into_iter().flatten().min();
            if !self.carry() && next.is_none_or(|next| next > self.now) {
                return next;
            }
        }
        panic!("the hosts never come to rest at {}", self.now);
    }

    /// Lets time pass, from deadline to deadline.
    pub(crate) fn pass(&mut self, duration: Duration) {
        let end = self.now + duration;
        while let Some(next) = self.exchange().filter(|next| *next <= end) {
            self.now = next;
        }
        self.now = end;
        self.exchange();
    }

    /// A listener on the server.
    pub(crate) fn listen(&mut self, domain: Domain, port: u16) -> Fd {
        let stack = &mut self.server.stack;
        let listener = stack.socket(domain, Type::Stream).unwrap();
        stack.bind(listener, at(domain, 2, port)).unwrap();
        stack.listen(listener, 4).unwrap();
        listener
    }

    /// A connection from the client to the server's listener: the client's end and the server's.
    pub(crate) fn connect(&mut self, domain: Domain, listener: Fd) -> Result<(Fd, Fd), Error> {
        let to = self.server.stack.getsockname(listener)?;
        let client = self.client.stack.socket(domain, Type::Stream)?;
        match self.client.stack.connect(client, to) {
            Err(Error::WouldBlock) => {}
            other => panic!("{other:?}"),
        }
        // smoltcp asks for one neighbor a second.
        self.pass(Duration::from_secs(3));
        self.client.stack.connect(client, to)?;
        let (server, _) = self.server.stack.accept(listener)?;
        Ok((client, server))
    }

    /// What the client sends comes back.
    pub(crate) fn echo(&mut self, client: Fd, server: Fd, text: &[u8]) -> Result<(), Error> {
        let mut buffer = [0; 2048];
        assert_eq!(self.client.stack.send(client, text)?, text.len());
        self.exchange();
        let count = self.server.stack.recv(server, &mut buffer)?;
        assert_eq!(&buffer[..count], text, "what the server received");
        assert_eq!(self.server.stack.send(server, text)?, text.len());
        self.exchange();
        let count = self.client.stack.recv(client, &mut buffer)?;
        assert_eq!(&buffer[..count], text, "what came back");
        Ok(())
    }

    /// A datagram from a new socket of the client's arrives at a new one of the server's.
    pub(crate) fn deliver(&mut self, domain: Domain, port: u16) {
        let to = at(domain, 2, port);
        let sender = self.client.stack.socket(domain, Type::Datagram).unwrap();
        let receiver = self.server.stack.socket(domain, Type::Datagram).unwrap();
        self.server.stack.bind(receiver, to).unwrap();
        let sent = self.client.stack.sendto(sender, b"hello", to);
        assert_eq!(sent, Ok(5));
        self.pass(Duration::from_secs(3));
        assert_eq!(self.server.stack.recv(receiver, &mut [0; 8]), Ok(5));
        self.client.stack.close(sender).unwrap();
        self.server.stack.close(receiver).unwrap();
    }
}

/// A waker that tells whether it was woken.
#[derive(Default)]
pub(crate) struct Bell(std::sync::atomic::AtomicBool);

impl std::task::Wake for Bell {
    fn wake(self: std::sync::Arc<Self>) {
        self.0.store(true, std::sync::atomic::Ordering::Relaxed);
    }
}

impl Bell {
    pub(crate) fn new() -> (std::sync::Arc<Bell>, Waker) {
        let bell = std::sync::Arc::new(Bell::default());
        (bell.clone(), bell.into())
    }

    pub(crate) fn has_rung(&self) -> bool {
        self.0.load(std::sync::atomic::Ordering::Relaxed)
    }
}
