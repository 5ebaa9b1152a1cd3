//! A host on two links and its loopback, driven by one thread: each connection on its own, none in another's way.
#![cfg(all(
    target_os = "linux",
    feature = "std",
    feature = "ipv4",
    feature = "ipv6"
))]

use glasstack::{
    Error, Limit,
    device::{Wire, WireEnd},
    host::{Host, Interface},
    smoltcp::{
        phy::{self, Device, DeviceCapabilities, Medium},
        time::Instant as Time,
    },
    socket::{
        Network,
        blocking::{TcpListener, TcpStream, UdpSocket},
    },
    stack::Capacity,
    trace::{At, Capture, Station},
};
use nix::{
    errno::Errno,
    sys::socket::{
        self, AddressFamily, MsgFlags, SockFlag, SockType, recv, send, shutdown, socketpair,
    },
};
use std::{
    io::{self, ErrorKind, Read, Write},
    net::{IpAddr, Shutdown, SocketAddr},
    os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd},
    sync::{Arc, Mutex},
    thread::{self, JoinHandle},
    time::Duration,
};

/// What takes longer has failed: nothing here waits for a time of its own.
const LONG: Duration = Duration::from_secs(60);

/// The host's addresses on its two links, and its peers'.
const HOME: [[&str; 2]; 2] = [["10.0.0.1", "fd00::1"], ["10.0.1.1", "fd00:0:0:1::1"]];
const PEERS: [[&str; 2]; 2] = [["10.0.0.2", "fd00::2"], ["10.0.1.2", "fd00:0:0:1::2"]];
/// A second address of each on the second link.
const SECOND: [&str; 2] = ["10.0.1.11", "10.0.1.12"];
/// The second peer is the router; this is what is behind it.
const BEYOND: [&str; 2] = ["192.0.2.1", "2001:db8::1"];

fn ip(text: &str) -> IpAddr {
    text.parse().expect("an address")
}

fn at(text: &str) -> SocketAddr {
    SocketAddr::new(ip(text), 9999)
}

fn prefix_len(address: IpAddr) -> u8 {
    if address.is_ipv4() { 24 } else { 64 }
}

fn interface(device: impl Device + AsFd + Send + 'static, addresses: &[&str]) -> Interface {
    let add = |interface: Interface, text: &&str| interface.address(ip(text), prefix_len(ip(text)));
    addresses.iter().fold(Interface::new(device), add)
}

/// Room for what a test sends before anybody reads it.
fn capacity() -> Capacity {
    Capacity {
        datagram_packets: 1024,
        ..Capacity::default()
    }
}

/// The host and a peer on each of its links.
fn hosts() -> io::Result<(Host, [Host; 2])> {
    let ((left, left_peer), (right, right_peer)) = wires();
    let start = |interface| Host::builder().capacity(capacity()).start_on([interface]);
    let addresses = [&PEERS[1], &BEYOND, &SECOND[1..]].concat();
    let peers = [
        start(interface(left_peer, &PEERS[0]))?,
        start(interface(right_peer, &addresses))?,
    ];
    let [router, router_v6] = PEERS[1].map(ip);
    let left = interface(left, &HOME[0]);
    let right = interface(right, &[&HOME[1], &SECOND[..1]].concat());
    let right = right.gateway(router).gateway(router_v6);
    let builder = Host::builder().capacity(capacity());
    Ok((builder.start_on([left, right])?, peers))
}

/// Ethernet on the left, IP alone on the right. Whoever is slow to receive loses nothing.
fn wires() -> ((WireEnd, WireEnd), (WireEnd, WireEnd)) {
    let wire = |medium, mtu| Wire::new(medium, mtu).queue(4096).ends();
    (wire(Medium::Ethernet, 1514), wire(Medium::Ip, 1500))
}

fn join<T>(thread: JoinHandle<io::Result<T>>) -> io::Result<T> {
    thread.join().expect("the thread does not panic")
}

/// Bytes in which a piece that is lost, doubled or moved shows.
fn pattern(len: u32, seed: u32) -> Vec<u8> {
    let byte = |i: u32| (i.wrapping_add(seed).wrapping_mul(2_654_435_761) >> 24) as u8;
    (0..len).map(byte).collect()
}

/// Sends back what one client sends, and says who that was.
fn echo(host: &Host, address: SocketAddr) -> io::Result<JoinHandle<io::Result<IpAddr>>> {
    let listener = TcpListener::bind(host, address)?;
    Ok(thread::spawn(move || {
        let (stream, peer) = listener.accept()?;
        io::copy(&mut &stream, &mut &stream)?;
        Ok(peer.ip())
    }))
}

/// Sends `data` and reads it back at the same time.
fn there_and_back(stream: TcpStream, data: &[u8]) -> io::Result<()> {
    stream.set_read_timeout(Some(LONG))?;
    let mut back = Vec::new();
    thread::scope(|scope| {
        let write = scope.spawn(|| {
            (&stream).write_all(data)?;
            stream.shutdown(Shutdown::Write)
        });
        (&stream).read_to_end(&mut back)?;
        write.join().expect("the thread does not panic")
    })?;
    assert!(back == data, "{} of {} octets", back.len(), data.len());
    Ok(())
}

/// One exchange of a few octets.
fn greet(from: &Host, to: &Host, address: &str) -> io::Result<IpAddr> {
    let echo = echo(to, at(address))?;
    there_and_back(TcpStream::connect(from, at(address))?, b"hello")?;
    join(echo)
}

#[test]
fn connections_over_both_links_and_the_loopback_at_once() -> io::Result<()> {
    let (home, peers) = hosts()?;
    let mut servers = Vec::new();
    let mut clients = Vec::new();
    for family in 0..2 {
        let ways = [
            (&home, &peers[0], PEERS[0][family], HOME[0][family]),
            (&home, &peers[1], PEERS[1][family], HOME[1][family]),
            (&peers[0], &home, HOME[0][family], PEERS[0][family]),
            (&peers[1], &home, HOME[1][family], PEERS[1][family]),
            (
                &home,
                &home,
                ["127.0.0.1", "::1"][family],
                ["127.0.0.1", "::1"][family],
            ),
        ];
        for (from, to, address, source) in ways {
            servers.push((echo(to, at(address))?, ip(source)));
            let (from, seed) = (from.clone(), servers.len() as u32);
            clients.push(thread::spawn(move || {
                let stream = TcpStream::connect(&from, at(address))?;
                there_and_back(stream, &pattern(500_000, seed))
            }));
        }
    }
    clients.into_iter().try_for_each(join)?;
    for (server, source) in servers {
        assert_eq!(join(server)?, source);
    }
    Ok(())
}

#[test]
fn the_destination_picks_the_link_and_the_address_to_speak_from() -> io::Result<()> {
    let (home, peers) = hosts()?;
    for family in 0..2 {
        for link in 0..2 {
            let source = greet(&home, &peers[link], PEERS[link][family])?;
            assert_eq!(source, ip(HOME[link][family]));
        }
        // What is on neither link is behind the second.
        let source = greet(&home, &peers[1], BEYOND[family])?;
        assert_eq!(source, ip(HOME[1][family]));
    }
    Ok(())
}

#[test]
fn two_addresses_on_one_link_are_both_the_hosts() -> io::Result<()> {
    let (home, peers) = hosts()?;
    assert_eq!(greet(&home, &peers[1], SECOND[1])?, ip(HOME[1][0]));
    for address in [HOME[1][0], SECOND[0]] {
        assert_eq!(greet(&peers[1], &home, address)?, ip(PEERS[1][0]));
        // And it may speak from either.
        let socket = UdpSocket::bind(&home, (ip(address), 7))?;
        let peer = UdpSocket::bind(&peers[1], "0.0.0.0:7")?;
        socket.send_to(b"hello", (ip(PEERS[1][0]), 7))?;
        assert_eq!(peer.recv_from(&mut [0; 8])?.1.ip(), ip(address));
    }
    Ok(())
}

#[test]
fn a_listener_without_an_address_hears_both_links() -> io::Result<()> {
    let (home, peers) = hosts()?;
    let listener = TcpListener::bind(&home, "[::]:9999")?;
    for (link, peer) in peers.iter().enumerate() {
        for family in 0..2 {
            let client = TcpStream::connect(peer, at(HOME[link][family]))?;
            let (server, from) = listener.accept()?;
            assert_eq!(from.ip().to_canonical(), ip(PEERS[link][family]));
            assert_eq!(from.port(), client.local_addr()?.port());
            let local = server.local_addr()?.ip().to_canonical();
            assert_eq!(local, ip(HOME[link][family]));
        }
    }
    Ok(())
}

/// The routes change under a connection; it goes on where it began, and only a new one takes the new way.
#[test]
fn a_connection_stays_on_its_link() -> io::Result<()> {
    let (home, peers) = hosts()?;
    let echoed = echo(&peers[0], at(PEERS[0][0]))?;
    let mut stream = TcpStream::connect(&home, at(PEERS[0][0]))?;
    stream.set_read_timeout(Some(LONG))?;
    let mut say = |text: &[u8; 5]| -> io::Result<()> {
        let mut back = [0; 5];
        stream.write_all(text)?;
        stream.read_exact(&mut back)?;
        assert_eq!(&back, text);
        Ok(())
    };
    say(b"first")?;
    let [_, right] = home.interfaces()[..] else {
        panic!("two interfaces");
    };
    // More of the peer's address is the second link's prefix than the first's.
    home.call(|stack| stack.add_address(right, ip("10.0.0.3"), 30))?;
    let astray = UdpSocket::bind(&home, "0.0.0.0:7")?;
    astray.send_to(b"hello", at(PEERS[0][0]))?;
    let error = TcpStream::connect_timeout(&home, &at(PEERS[0][0]), Duration::from_millis(100));
    let refused = error.map(drop).expect_err("the second peer is another");
    assert_eq!(refused.kind(), ErrorKind::TimedOut);
    say(b"still")?;
    let (end, address) = (stream, echoed);
    end.shutdown(Shutdown::Write)?;
    assert_eq!(join(address)?, ip(HOME[0][0]));
    drop(peers);
    Ok(())
}

/// One socket, one queue, two links: each datagram takes its own, in order, and none is lost.
#[test]
fn datagrams_of_one_socket_go_to_both_links_in_turn() -> io::Result<()> {
    const COUNT: u32 = 500;
    let (home, peers) = hosts()?;
    for family in 0..2 {
        let receivers = [0, 1].map(|link: usize| {
            let receiver = UdpSocket::bind(&peers[link], at(PEERS[link][family]));
            thread::spawn(move || -> io::Result<Vec<u32>> {
                let receiver = receiver?;
                receiver.set_read_timeout(Some(LONG))?;
                let mut numbers = Vec::new();
                for _ in 0..COUNT {
                    let mut number = [0; 4];
                    let (len, from) = receiver.recv_from(&mut number)?;
                    assert_eq!((len, from.ip()), (4, ip(HOME[link][family])));
                    numbers.push(u32::from_be_bytes(number));
                }
                Ok(numbers)
            })
        });
        let any = ["0.0.0.0:0", "[::]:0"][family];
        let sender = UdpSocket::bind(&home, any)?;
        for number in 0..COUNT {
            for addresses in PEERS {
                sender.send_to(&number.to_be_bytes(), at(addresses[family]))?;
            }
        }
        for receiver in receivers {
            assert_eq!(join(receiver)?, (0..COUNT).collect::<Vec<_>>());
        }
    }
    Ok(())
}

/// The only place for a connection is taken on one link, and a SYN waits on the other. The frame that frees the place there has
/// the SYN answered here, at once: it need not come again.
#[test]
fn a_frame_on_one_link_has_its_consequence_on_the_other() -> io::Result<()> {
    // Often, for another thread may come by and do what was forgotten.
    for first in (0..40).map(|round| round % 2) {
        let second = 1 - first;
        let capture = Arc::new(Mutex::new(Capture::new()));
        let ((left, left_peer), (right, right_peer)) = wires();
        let builder = |number| Host::builder().observer(At(Station(number), capture.clone()));
        let peers = [
            builder(0).start_on([interface(left_peer, &PEERS[0])])?,
            builder(1).start_on([interface(right_peer, &PEERS[1])])?,
        ];
        let home = builder(2)
            .capacity(Capacity {
                connections: 1,
                ..Capacity::default()
            })
            .start_on([interface(left, &HOME[0]), interface(right, &HOME[1])])?;
        let listener = TcpListener::bind(&home, "0.0.0.0:9999")?;
        let early = TcpStream::connect(&peers[first], at(HOME[first][0]))?;
        let (mut taken, _) = listener.accept()?;

        let (peer, to) = (peers[second].clone(), at(HOME[second][0]));
        let late = thread::spawn(move || TcpStream::connect(&peer, to));
        let waits = || {
            let capture = capture.lock().expect("no panic");
            let home = capture.at(Station(2)).received();
            home.segments()
                .any(|(segment, _)| segment.destination == to)
        };
        while !waits() {
            thread::yield_now();
        }
        // The peer closes first, so that its last acknowledgment frees the place.
        drop(early);
        assert_eq!(taken.read(&mut [0])?, 0);
        drop(taken);
        let late = join(late)?;
        assert_eq!(listener.accept()?.1, late.local_addr()?);
        let capture = capture.lock().expect("no panic");
        assert_eq!(capture.tcp().retransmissions(), 0, "from link {first}");
    }
    Ok(())
}

#[test]
fn an_idle_host_on_two_links_stays_still() -> io::Result<()> {
    let (home, peers) = hosts()?;
    let listener = TcpListener::bind(&home, "[::]:9999")?;
    let mut connections = Vec::new();
    for (link, peer) in peers.iter().enumerate() {
        let client = TcpStream::connect(peer, at(HOME[link][0]))?;
        connections.push((client, listener.accept()?.0));
    }
    let turns = || [&home, &peers[0], &peers[1]].map(Host::turns);
    // A driver that went to sleep with a segment in flight wakes once more when that would have been sent again.
    let mut before = turns();
    loop {
        thread::sleep(Duration::from_millis(1500));
        match turns() {
            now if now == before => break,
            now => before = now,
        }
    }
    assert!(before[0] < 1000, "{before:?}");
    for (mut client, mut server) in connections {
        server.set_read_timeout(Some(LONG))?;
        client.write_all(b"awake")?;
        assert_eq!(server.read(&mut [0; 8])?, 5);
    }
    Ok(())
}

/// A link that says when its other end is gone, as a TAP does that was deleted.
struct Cable {
    socket: OwnedFd,
    received: Vec<u8>,
}

impl Cable {
    fn pair() -> io::Result<(Cable, Cable)> {
        let flags = SockFlag::SOCK_NONBLOCK | SockFlag::SOCK_CLOEXEC;
        let (left, right) = socketpair(AddressFamily::Unix, SockType::SeqPacket, None, flags)?;
        let cable = |socket| Cable {
            socket,
            received: vec![0; 2000],
        };
        Ok((cable(left), cable(right)))
    }
}

impl AsFd for Cable {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.socket.as_fd()
    }
}

impl Device for Cable {
    type RxToken<'a> = Frame<'a>;
    type TxToken<'a> = Room<'a>;

    fn receive(&mut self, _: Time) -> Option<(Frame<'_>, Room<'_>)> {
        let descriptor = self.socket.as_raw_fd();
        match recv(descriptor, &mut self.received, MsgFlags::empty()) {
            Ok(0) | Err(_) => None,
            Ok(len) => Some((Frame(&self.received[..len]), Room(&self.socket))),
        }
    }

    fn transmit(&mut self, _: Time) -> Option<Room<'_>> {
        Some(Room(&self.socket))
    }

    fn capabilities(&self) -> DeviceCapabilities {
        let mut capabilities = DeviceCapabilities::default();
        capabilities.medium = Medium::Ip;
        capabilities.max_transmission_unit = 1500;
        capabilities
    }
}

struct Frame<'a>(&'a [u8]);

impl phy::RxToken for Frame<'_> {
    fn consume<R, F: FnOnce(&[u8]) -> R>(self, f: F) -> R {
        f(self.0)
    }
}

struct Room<'a>(&'a OwnedFd);

impl phy::TxToken for Room<'_> {
    fn consume<R, F: FnOnce(&mut [u8]) -> R>(self, len: usize, f: F) -> R {
        let mut frame = vec![0; len];
        let result = f(&mut frame);
        let sent = send(self.0.as_raw_fd(), &frame, MsgFlags::MSG_NOSIGNAL);
        assert!(matches!(
            sent,
            Ok(_) | Err(Errno::EAGAIN | Errno::EPIPE | Errno::ECONNRESET)
        ));
        result
    }
}

#[test]
fn a_device_that_goes_takes_only_itself_out() -> io::Result<()> {
    for dying in [0, 1] {
        let living = 1 - dying;
        let (left, left_peer) = Cable::pair()?;
        let (right, right_peer) = Cable::pair()?;
        let cut = [&left, &right][dying].socket.try_clone()?;
        let start =
            |device, link: usize| Host::builder().start_on([interface(device, &PEERS[link])]);
        let peers = [start(left_peer, 0)?, start(right_peer, 1)?];
        let home =
            Host::builder().start_on([interface(left, &HOME[0]), interface(right, &HOME[1])])?;
        let echoed = echo(&peers[living], at(PEERS[living][0]))?;
        let stream = TcpStream::connect(&home, at(PEERS[living][0]))?;
        let listener = TcpListener::bind(&peers[dying], at(PEERS[dying][0]))?;
        let mut left_behind = TcpStream::connect(&home, at(PEERS[dying][0]))?;
        left_behind.set_user_timeout(Some(Duration::from_millis(500)))?;
        let _accepted = listener.accept()?;

        shutdown(cut.as_raw_fd(), socket::Shutdown::Both)?;
        there_and_back(stream, &pattern(1_000_000, 1))?;
        join(echoed)?;
        for address in HOME[living] {
            greet(&peers[living], &home, address)?;
        }
        greet(&home, &home, "127.0.0.1")?;
        let gone = at(PEERS[dying][0]);
        let error = TcpStream::connect(&home, gone).expect_err("there is no way to it");
        assert_eq!(error.kind(), ErrorKind::NetworkUnreachable);
        // A connection that was over it ends by its own timer.
        left_behind.write_all(b"is anybody there?")?;
        let error = left_behind.read(&mut [0]).expect_err("nobody is");
        assert_eq!(error.kind(), ErrorKind::TimedOut);
        // "Ready" for ever: whoever still waited for it would go around without a pause.
        let before = home.turns();
        thread::sleep(Duration::from_millis(300));
        assert!(
            home.turns() - before < 50,
            "{} turns",
            home.turns() - before
        );
    }
    Ok(())
}

#[test]
fn what_cannot_be_started_says_why() -> io::Result<()> {
    let device = || Wire::pair(Medium::Ip, 1500).0;
    let kind = |result: io::Result<Host>| result.map(drop).map_err(|error| error.kind());
    let one_too_many = Host::builder()
        .capacity(Capacity {
            interfaces: 1,
            ..Capacity::default()
        })
        .start_on([device(), device()].map(Interface::new))
        .expect_err("room for one");
    let limit = Error::Exhausted(Limit::Interfaces);
    assert_eq!(one_too_many.to_string(), limit.to_string());

    // An address without a device of its own.
    let address = || Host::builder().address(ip("10.0.0.1"), 24);
    let invalid = Err(ErrorKind::InvalidInput);
    assert_eq!(
        kind(address().start_on([Interface::new(device())])),
        invalid
    );
    assert_eq!(kind(address().start_loopback()), invalid);
    // The same address twice, and a router that is on another interface's link.
    let twice = [device(), device()].map(|device| interface(device, &["10.0.0.1"]));
    assert_eq!(
        kind(Host::builder().start_on(twice)),
        Err(ErrorKind::AddrInUse)
    );
    let stray = interface(device(), &["10.0.1.1"]).gateway(ip("10.0.0.2"));
    let links = [interface(device(), &["10.0.0.1"]), stray];
    let error = kind(Host::builder().start_on(links));
    assert_eq!(error, Err(ErrorKind::NetworkUnreachable));

    // None at all is the loopback alone.
    let host = Host::builder().start_on([])?;
    assert_eq!(host.interfaces(), []);
    greet(&host, &host, "127.0.0.1").map(drop)
}
