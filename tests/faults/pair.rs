//! Two stacks on a faulty wire, in virtual time; every frame that one of them sends or receives is noted.

use std::cell::RefCell;
use std::net::{IpAddr, SocketAddr};
use std::rc::Rc;

use glasstack::device::wire::{Faults, Wire, WireEnd};
use glasstack::smoltcp::phy::{self, Device, DeviceCapabilities, Medium};
use glasstack::smoltcp::time::Instant;
use glasstack::stack::{Capacity, Domain, Fd, InterfaceId, Shutdown, Type};
use glasstack::trace::{Direction, Segment};
use glasstack::{Error, Stack};

/// A frame as a host sent or received it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Frame {
    pub time: Instant,
    /// 1 is the client, 2 the server.
    pub host: u8,
    pub direction: Direction,
    pub bytes: Vec<u8>,
}

type Log = Rc<RefCell<Vec<Frame>>>;

/// A device whose frames are noted.
struct Noted {
    device: WireEnd,
    host: u8,
    log: Log,
}

struct Note<T> {
    token: T,
    log: Log,
    time: Instant,
    host: u8,
}

impl<T> Note<T> {
    fn new(token: T, log: &Log, host: u8, time: Instant) -> Note<T> {
        Note {
            token,
            log: log.clone(),
            time,
            host,
        }
    }

    fn frame(&self, direction: Direction) -> Frame {
        Frame {
            time: self.time,
            host: self.host,
            direction,
            bytes: Vec::new(),
        }
    }
}

impl<T: phy::RxToken> phy::RxToken for Note<T> {
    fn consume<R, F: FnOnce(&[u8]) -> R>(self, f: F) -> R {
        let mut frame = self.frame(Direction::In);
        let log = self.log;
        self.token.consume(|bytes| {
            frame.bytes = bytes.to_vec();
            log.borrow_mut().push(frame);
            f(bytes)
        })
    }
}

impl<T: phy::TxToken> phy::TxToken for Note<T> {
    fn consume<R, F: FnOnce(&mut [u8]) -> R>(self, len: usize, f: F) -> R {
        let mut frame = self.frame(Direction::Out);
        let log = self.log;
        self.token.consume(len, |bytes| {
            let result = f(bytes);
            frame.bytes = bytes.to_vec();
            log.borrow_mut().push(frame);
            result
        })
    }
}

impl Device for Noted {
    type RxToken<'a> = Note<<WireEnd as Device>::RxToken<'a>>;
    type TxToken<'a> = Note<<WireEnd as Device>::TxToken<'a>>;

    fn receive(&mut self, now: Instant) -> Option<(Self::RxToken<'_>, Self::TxToken<'_>)> {
        let (rx, tx) = self.device.receive(now)?;
        Some((
            Note::new(rx, &self.log, self.host, now),
            Note::new(tx, &self.log, self.host, now),
        ))
    }

    fn transmit(&mut self, now: Instant) -> Option<Self::TxToken<'_>> {
        let token = self.device.transmit(now)?;
        Some(Note::new(token, &self.log, self.host, now))
    }

    fn capabilities(&self) -> DeviceCapabilities {
        self.device.capabilities()
    }
}

pub(crate) struct Host {
    pub stack: Stack<'static>,
    device: Noted,
    interface: InterfaceId,
}

impl Host {
    fn new(host: u8, device: WireEnd, log: &Log) -> Host {
        let capacity = Capacity {
            connections: 4,
            ..Capacity::default()
        };
        let mut stack = Stack::with_capacity(capacity, [host; 16], ());
        let mut device = Noted {
            device,
            host,
            log: log.clone(),
        };
        let interface = stack.add_interface(&mut device, None).unwrap();
        let address = IpAddr::from([10, 0, 0, host]);
        stack.add_address(interface, address, 24).unwrap();
        Host {
            stack,
            device,
            interface,
        }
    }

    fn poll(&mut self, now: Instant) -> Option<Instant> {
        let deadline = self.stack.poll(self.interface, now, &mut self.device);
        let arrival = self.device.device.next_arrival();
        [deadline, arrival].into_iter().flatten().min()
    }
}

/// A client, a server, and one connection between them.
pub(crate) struct Pair {
    pub client: Host,
    pub server: Host,
    pub now: Instant,
    log: Log,
    listener: Fd,
    pub connecting: Fd,
    pub accepted: Option<Fd>,
}

const SERVER: ([u8; 4], u16) = ([10, 0, 0, 2], 9999);

impl Pair {
    pub(crate) fn new(faults: Faults) -> Pair {
        let log = Log::default();
        let (left, right) = Wire::new(Medium::Ip, 1500).faulty_ends(faults).unwrap();
        let mut client = Host::new(1, left, &log);
        let mut server = Host::new(2, right, &log);
        let address = SocketAddr::from(SERVER);
        let listener = server.stack.socket(Domain::Inet, Type::Stream).unwrap();
        server.stack.bind(listener, address).unwrap();
        server.stack.listen(listener, 4).unwrap();
        let connecting = client.stack.socket(Domain::Inet, Type::Stream).unwrap();
        Pair {
            client,
            server,
            now: Instant::from_secs(1),
            log,
            listener,
            connecting,
            accepted: None,
        }
    }

    /// Lets the hosts talk until `is_done`, which may call their sockets each time that something happened.
    pub(crate) fn run(&mut self, mut is_done: impl FnMut(&mut Pair) -> bool) {
        let mut is_quiet = false;
        for _ in 0..1_000_000 {
            self.client.stack.set_now(self.now);
            self.server.stack.set_now(self.now);
            if is_done(self) {
                return;
            }
            assert!(!is_quiet, "nothing is to happen any more");
            let client = self.client.poll(self.now);
            let server = self.server.poll(self.now);
            // The server may have sent something that is here already.
            let arrival = self.client.device.device.next_arrival();
            let next = [client, server, arrival].into_iter().flatten().min();
            is_quiet = next.is_none();
            self.now = self.now.max(next.unwrap_or(self.now));
        }
        panic!("it never ends; at {}", self.now);
    }

    pub(crate) fn connect(&mut self) {
        self.run(|pair| {
            let connected = match pair.client.stack.connect(pair.connecting, SERVER.into()) {
                Err(Error::WouldBlock) => false,
                Ok(()) | Err(Error::AlreadyConnected) => true,
                Err(error) => panic!("{error}"),
            };
            if pair.accepted.is_none() {
                let accepted = pair.server.stack.accept(pair.listener);
                pair.accepted = accepted.ok().map(|(fd, _)| fd);
            }
            connected && pair.accepted.is_some()
        });
    }

    /// Sends from the client to the server until all has arrived, and both have closed.
    pub(crate) fn transfer(&mut self, data: &[u8]) -> Vec<u8> {
        let (mut sent, mut is_shut) = (0, false);
        let mut received = Vec::new();
        let accepted = self.accepted.expect("connected");
        let mut buffer = vec![0; 65536];
        self.run(|pair| {
            let client = &mut pair.client.stack;
            while sent < data.len()
                && let Ok(len) = client.send(pair.connecting, &data[sent..])
            {
                sent += len;
            }
            if sent == data.len() && !is_shut {
                client.shutdown(pair.connecting, Shutdown::Write).unwrap();
                is_shut = true;
            }
            loop {
                match pair.server.stack.recv(accepted, &mut buffer) {
                    Ok(0) => return true,
                    Ok(len) => received.extend_from_slice(&buffer[..len]),
                    Err(Error::WouldBlock) => return false,
                    Err(error) => panic!("{error}"),
                }
            }
        });
        self.server
            .stack
            .shutdown(accepted, Shutdown::Write)
            .unwrap();
        self.run(|pair| pair.client.stack.recv(pair.connecting, &mut [0]) == Ok(0));
        received
    }

    /// All frames so far.
    pub(crate) fn frames(&self) -> Vec<Frame> {
        self.log.borrow().clone()
    }

    /// The TCP segments that a host sent so far.
    pub(crate) fn sent(&self, host: u8) -> Vec<Segment> {
        let log = self.log.borrow();
        let sent = log
            .iter()
            .filter(|frame| frame.host == host && frame.direction == Direction::Out);
        sent.filter_map(|frame| Segment::parse(frame.time, Medium::Ip, &frame.bytes))
            .collect()
    }
}
