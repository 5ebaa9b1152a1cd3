//! Two hosts on borrowed memory speak TCP over eight connections at once, and UDP, without a single allocation.
//!
//! The allocator ends the process if it is called while it is armed. To see that it would, the test also runs itself
//! once more and allocates on purpose. And it prints how much memory a small configuration takes:
//! `cargo test --no-default-features --features ipv4 --test no_heap` as a microcontroller would have it.

mod watchman;

use std::{
    cell::RefCell,
    env,
    fmt::{self, Write},
    net::{IpAddr, Ipv4Addr, SocketAddr},
    process,
    sync::atomic::Ordering,
};

use glasstack::{
    Error, Fd, Result, Stack,
    smoltcp::{
        phy::{Device, DeviceCapabilities, Medium, RxToken, TxToken},
        time::{Duration, Instant},
    },
    stack::{Domain, InterfaceId, Storage, Type},
};
use watchman::{ARMED, COMPLAINT};

const MTU: usize = 1514;
const QUEUE: usize = 32;

/// One direction of the link.
struct Lane {
    frames: [[u8; MTU]; QUEUE],
    lens: [usize; QUEUE],
    first: usize,
    count: usize,
}

impl Lane {
    const fn new() -> Lane {
        Lane {
            frames: [[0; MTU]; QUEUE],
            lens: [0; QUEUE],
            first: 0,
            count: 0,
        }
    }
}

/// One end of the link.
struct End<'l> {
    incoming: &'l RefCell<Lane>,
    outgoing: &'l RefCell<Lane>,
}

struct Frame {
    octets: [u8; MTU],
    len: usize,
}

impl RxToken for Frame {
    fn consume<R, F: FnOnce(&[u8]) -> R>(self, read: F) -> R {
        read(&self.octets[..self.len])
    }
}

struct Room<'l>(&'l RefCell<Lane>);

impl TxToken for Room<'_> {
    fn consume<R, F: FnOnce(&mut [u8]) -> R>(self, len: usize, write: F) -> R {
        let mut lane = self.0.borrow_mut();
        let place = (lane.first + lane.count) % QUEUE;
        // Whoever gave out this token made sure of the room.
        lane.count += 1;
        lane.lens[place] = len;
        write(&mut lane.frames[place][..len])
    }
}

impl<'l> Device for End<'l> {
    type RxToken<'a>
        = Frame
    where
        Self: 'a;
    type TxToken<'a>
        = Room<'l>
    where
        Self: 'a;

    fn receive(&mut self, _: Instant) -> Option<(Frame, Room<'l>)> {
        let mut lane = self.incoming.borrow_mut();
        if lane.count == 0 || self.outgoing.borrow().count == QUEUE {
            return None;
        }
        let (octets, len) = (lane.frames[lane.first], lane.lens[lane.first]);
        lane.first = (lane.first + 1) % QUEUE;
        lane.count -= 1;
        Some((Frame { octets, len }, Room(self.outgoing)))
    }

    fn transmit(&mut self, _: Instant) -> Option<Room<'l>> {
        let has_room = self.outgoing.borrow().count < QUEUE;
        has_room.then_some(Room(self.outgoing))
    }

    fn capabilities(&self) -> DeviceCapabilities {
        let mut capabilities = DeviceCapabilities::default();
        capabilities.medium = Medium::Ethernet;
        capabilities.max_transmission_unit = MTU;
        capabilities
    }
}

const CONNECTIONS: usize = 8;
const PORT: u16 = 9999;
/// Octets that each connection echoes: more than its buffers hold.
const LEN: usize = 5000;

/// A client's and a server's addresses.
const FAMILIES: &[(Domain, [IpAddr; 2], u8)] = &[
    #[cfg(feature = "ipv4")]
    (
        Domain::Inet,
        [
            IpAddr::V4(Ipv4Addr::new(10, 0, 0, 1)),
            IpAddr::V4(Ipv4Addr::new(10, 0, 0, 2)),
        ],
        24,
    ),
    #[cfg(feature = "ipv6")]
    (
        Domain::Inet6,
        [
            IpAddr::V6(std::net::Ipv6Addr::new(0xfd00, 0, 0, 0, 0, 0, 0, 1)),
            IpAddr::V6(std::net::Ipv6Addr::new(0xfd00, 0, 0, 0, 0, 0, 0, 2)),
        ],
        64,
    ),
];

/// Sockets: connections, UDP, listeners and one more for the resolver.
type Memory<'a> = Storage<'a, 14, CONNECTIONS, 2, 1024>;

struct Host<'a, 'l> {
    stack: Stack<'a>,
    link: InterfaceId,
    device: End<'l>,
}

impl<'a, 'l> Host<'a, 'l> {
    fn new(storage: &'a mut Memory<'a>, mut device: End<'l>, number: u8) -> Result<Host<'a, 'l>> {
        let mut stack = Stack::new(storage, [number; 16], ());
        let link = stack.add_interface(&mut device, Some([2, 0, 0, 0, 0, number]))?;
        for (_, addresses, prefix_len) in FAMILIES {
            stack.add_address(link, addresses[usize::from(number) - 1], *prefix_len)?;
        }
        Ok(Host {
            stack,
            link,
            device,
        })
    }
}

/// What became of it all.
#[derive(Debug, Default, PartialEq, Eq)]
struct Outcome {
    /// Connections that were open at once.
    at_once: usize,
    /// Octets that came back as they were sent.
    echoed: usize,
    /// Lines of the server's screen of sockets.
    lines: usize,
    /// Datagrams that came back.
    datagrams: usize,
    /// Connections that both hosts still know after the goodbyes.
    left: usize,
}

/// The client's end of a conversation.
#[derive(Clone, Copy)]
struct Caller {
    fd: Fd,
    server: SocketAddr,
    connected: bool,
    sent: usize,
    received: usize,
}

fn octet(connection: usize, at: usize) -> u8 {
    (at * 7 + connection) as u8
}

fn converse(client: &mut Host<'_, '_>, server: &mut Host<'_, '_>) -> Result<Outcome> {
    let mut outcome = Outcome::default();
    let mut listeners = [None; 2];
    let mut callers: [Option<Caller>; CONNECTIONS] = [None; CONNECTIONS];
    let mut served: [Option<Fd>; CONNECTIONS] = [None; CONNECTIONS];
    for (i, (domain, addresses, _)) in FAMILIES.iter().enumerate() {
        let listener = server.stack.socket(*domain, Type::Stream)?;
        server.stack.bind(listener, (addresses[1], PORT).into())?;
        server.stack.listen(listener, CONNECTIONS)?;
        listeners[i] = Some(listener);
    }
    for (i, caller) in callers.iter_mut().enumerate() {
        let (domain, addresses, _) = FAMILIES[i % FAMILIES.len()];
        *caller = Some(Caller {
            fd: client.stack.socket(domain, Type::Stream)?,
            server: (addresses[1], PORT).into(),
            connected: false,
            sent: 0,
            received: 0,
        });
    }

    let mut now = Instant::ZERO;
    let mut buffer = [0; 600];
    // In virtual time; an hour of it would be a failure, and show in the outcome.
    while outcome.echoed < CONNECTIONS * LEN && now < Instant::from_secs(3600) {
        for (i, caller) in callers.iter_mut().enumerate() {
            let Some(caller) = caller else { continue };
            if !caller.connected {
                match client.stack.connect(caller.fd, caller.server) {
                    Ok(()) => caller.connected = true,
                    Err(Error::WouldBlock) => {}
                    Err(error) => return Err(error),
                }
            }
            if !caller.connected {
                continue;
            }
            let len = buffer.len().min(LEN - caller.sent);
            for (at, place) in buffer[..len].iter_mut().enumerate() {
                *place = octet(i, caller.sent + at);
            }
            caller.sent += or_none(client.stack.send(caller.fd, &buffer[..len]))?;
            let received = or_none(client.stack.recv(caller.fd, &mut buffer))?;
            for (at, value) in buffer[..received].iter().enumerate() {
                outcome.echoed += usize::from(*value == octet(i, caller.received + at));
            }
            caller.received += received;
        }
        for listener in listeners.iter().flatten() {
            match server.stack.accept(*listener) {
                Ok((fd, _)) => {
                    if let Some(place) = served.iter_mut().find(|place| place.is_none()) {
                        *place = Some(fd);
                    }
                }
                Err(Error::WouldBlock) => {}
                Err(error) => return Err(error),
            }
        }
        let at_once = served.iter().flatten().count();
        outcome.at_once = outcome.at_once.max(at_once);
        for fd in served.iter().flatten() {
            let len = or_none(server.stack.peek(*fd, &mut buffer))?;
            let sent = or_none(server.stack.send(*fd, &buffer[..len]))?;
            if sent > 0 {
                server.stack.recv(*fd, &mut buffer[..sent])?;
            }
        }
        now = step(client, server, now);
    }

    let mut lines = Lines(0);
    let _ = write!(lines, "{}", server.stack.sockets());
    outcome.lines = lines.0;

    for (domain, addresses, _) in FAMILIES {
        let to = (addresses[1], PORT).into();
        let (asking, answering) = (
            client.stack.socket(*domain, Type::Datagram)?,
            server.stack.socket(*domain, Type::Datagram)?,
        );
        server.stack.bind(answering, to)?;
        client.stack.sendto(asking, b"hello", to)?;
        now = step(client, server, now);
        let received = server.stack.recvfrom(answering, &mut buffer)?;
        server
            .stack
            .sendto(answering, &buffer[..received.len], received.from)?;
        now = step(client, server, now);
        outcome.datagrams += usize::from(client.stack.recv(asking, &mut buffer)? == 5);
        client.stack.close(asking)?;
        server.stack.close(answering)?;
    }

    for caller in callers.iter().flatten() {
        client.stack.close(caller.fd)?;
    }
    now = step(client, server, now);
    for fd in served.iter().flatten() {
        server.stack.close(*fd)?;
    }
    let end = now + Duration::from_secs(60);
    while now < end {
        now = step(client, server, now) + Duration::from_millis(100);
    }
    outcome.left = client.stack.usage().connections + server.stack.usage().connections;
    Ok(outcome)
}

/// Counts the lines that are written into it.
struct Lines(usize);

impl Write for Lines {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        self.0 += text.matches('\n').count();
        Ok(())
    }
}

fn or_none(result: Result<usize>) -> Result<usize> {
    match result {
        Err(Error::WouldBlock) => Ok(0),
        other => other,
    }
}

/// Carries frames until both are quiet; then time goes on.
fn step(client: &mut Host<'_, '_>, server: &mut Host<'_, '_>, now: Instant) -> Instant {
    for _ in 0..QUEUE {
        let _ = client.stack.poll(client.link, now, &mut client.device);
        let _ = server.stack.poll(server.link, now, &mut server.device);
    }
    now + Duration::from_millis(5)
}

/// What memory is for, in octets on this machine, whose addresses have 64 bits: one of 32 bits takes less.
fn print_sizes() {
    const BUFFER: usize = 512;
    let four = size_of::<Storage<'_, 7, 4, 1, BUFFER>>();
    let five = size_of::<Storage<'_, 8, 5, 1, BUFFER>>();
    let listener = size_of::<Storage<'_, 8, 4, 1, BUFFER>>() - four;
    let connection = five - four;
    let datagram = size_of::<Storage<'_, 8, 4, 2, BUFFER>>() - four;
    println!(
        "Storage<7, 4, 1, {BUFFER}>: {four} octets; Stack: {}",
        size_of::<Stack<'_>>()
    );
    println!(
        "one more connection: {connection}, of which buffers are {}",
        2 * BUFFER
    );
    println!("one more UDP socket: {datagram}; one more descriptor alone: {listener}");
}

fn main() {
    if env::var_os("ALLOCATE").is_some() {
        ARMED.store(true, Ordering::Relaxed);
        drop(std::hint::black_box(vec![1]));
        ARMED.store(false, Ordering::Relaxed);
        return;
    }
    print_sizes();

    let lanes = [const { RefCell::new(Lane::new()) }; 2];
    let mut storages = [Memory::new(), Memory::new()];
    let [ours, theirs] = &mut storages;
    let end = |incoming, outgoing| End { incoming, outgoing };
    let ends = (end(&lanes[0], &lanes[1]), end(&lanes[1], &lanes[0]));

    ARMED.store(true, Ordering::Relaxed);
    let outcome = Host::new(ours, ends.0, 1).and_then(|mut client| {
        let mut server = Host::new(theirs, ends.1, 2)?;
        converse(&mut client, &mut server)
    });
    ARMED.store(false, Ordering::Relaxed);
    let expected = Outcome {
        at_once: CONNECTIONS,
        echoed: CONNECTIONS * LEN,
        // A heading, and two for each.
        lines: 1 + 2 * (FAMILIES.len() + CONNECTIONS),
        datagrams: FAMILIES.len(),
        left: 0,
    };
    assert_eq!(outcome, Ok(expected));

    let program = env::current_exe().expect("this program has a name");
    let run = process::Command::new(program).env("ALLOCATE", "1").output();
    let run = run.expect("this program runs once more");
    let said = String::from_utf8_lossy(&run.stderr);
    assert!(
        !run.status.success() && said.contains(COMPLAINT),
        "the allocator sleeps: {said}"
    );
    println!("eight connections without a heap: ok");
}
