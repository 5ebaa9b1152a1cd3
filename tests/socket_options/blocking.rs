//! The blocking sockets: `SO_LINGER` that waits, time-outs by either name, options before `bind`.

use std::io::{ErrorKind, Read, Write};
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use glasstack::device::Wire;
use glasstack::device::wire::{Conditions, Faults, Switch};
use glasstack::host::Host;
use glasstack::smoltcp::phy::Medium;
use glasstack::socket::Network;
use glasstack::socket::blocking::{Socket, TcpListener, TcpStream, UdpSocket};
use glasstack::stack::option::{
    Linger, NoDelay, ReceiveTimeout, ReusePort, SendTimeout, SocketType, TcpInfo,
};
use glasstack::stack::{Domain, Type};
use glasstack::trace::State;

/// How long a packet takes.
const LATENCY: Duration = Duration::from_millis(30);

struct Scene {
    client: Host,
    switch: Switch,
    stream: TcpStream,
    accepted: TcpStream,
    _server: Host,
}

/// A connection over a link that takes its time.
fn scene() -> Scene {
    let faults = Faults::new(1).both(Conditions::default().latency(LATENCY));
    let switch = faults.switch();
    let (left, right) = Wire::new(Medium::Ip, 1500).faulty_ends(faults).unwrap();
    let host = |address: &str| Host::builder().address(address.parse().unwrap(), 24);
    let client = host("10.0.0.1").start(left).unwrap();
    let server = host("10.0.0.2").start(right).unwrap();
    let listener = TcpListener::bind(&server, "10.0.0.2:9999").unwrap();
    let stream = TcpStream::connect(&client, "10.0.0.2:9999").unwrap();
    let (accepted, _) = listener.accept().unwrap();
    Scene {
        client,
        switch,
        stream,
        accepted,
        _server: server,
    }
}

fn is_drained(host: &Host) -> bool {
    host.call(|stack| Ok(stack.is_drained())).unwrap()
}

#[test]
fn a_stream_that_lingers_is_dropped_when_its_peer_has_it_all() {
    let mut scene = scene();
    let linger = Some(Duration::from_secs(60));
    scene.stream.set_linger(linger).unwrap();
    assert_eq!(scene.stream.linger().unwrap(), linger);
    scene.stream.write_all(&[7; 20_000]).unwrap();
    let clone = scene.stream.try_clone().unwrap();
    let start = Instant::now();
    drop(scene.stream);
    // Only the last one closes.
    assert_eq!(clone.getsockopt(TcpInfo).unwrap().state, State::Established);
    drop(clone);
    assert!(is_drained(&scene.client));
    assert!(start.elapsed() >= 2 * LATENCY);
    let mut received = Vec::new();
    scene.accepted.read_to_end(&mut received).unwrap();
    assert_eq!(received.len(), 20_000);
}

#[test]
fn it_lingers_no_longer_than_it_was_told() {
    let scene = scene();
    let linger = Duration::from_millis(100);
    scene.stream.setsockopt(Linger, Some(linger)).unwrap();
    scene.switch.down();
    let start = Instant::now();
    drop(scene.stream);
    assert!(start.elapsed() >= linger);
    // The rest is done in the background.
    assert!(!is_drained(&scene.client));
}

#[test]
fn a_reset_ends_the_wait() {
    let scene = scene();
    scene
        .stream
        .set_linger(Some(Duration::from_secs(600)))
        .unwrap();
    // What it has not read makes its end a reset.
    (&scene.stream).write_all(b"unread").unwrap();
    scene.accepted.peek(&mut [0]).unwrap();
    drop(scene.accepted);
    drop(scene.stream);
    assert!(is_drained(&scene.client));
}

#[test]
fn the_timeouts_have_two_names() {
    let host = Host::builder().start_loopback().unwrap();
    let listener = TcpListener::bind(&host, "127.0.0.1:0").unwrap();
    let stream = TcpStream::connect(&host, listener.local_addr().unwrap()).unwrap();
    let udp = UdpSocket::bind(&host, "127.0.0.1:0").unwrap();
    let [short, long] = [20, 60_000].map(Duration::from_millis);
    stream.set_read_timeout(Some(short)).unwrap();
    assert_eq!(stream.getsockopt(ReceiveTimeout).unwrap(), Some(short));
    stream.set_write_timeout(Some(long)).unwrap();
    assert_eq!(stream.getsockopt(SendTimeout).unwrap(), Some(long));
    udp.setsockopt(ReceiveTimeout, Some(short)).unwrap();
    assert_eq!(udp.read_timeout().unwrap(), Some(short));
    assert_eq!(udp.write_timeout().unwrap(), None);
    for result in [(&stream).read(&mut [0]), udp.recv(&mut [0])] {
        assert_eq!(result.unwrap_err().kind(), ErrorKind::WouldBlock);
    }
    // Another option leaves them.
    stream.setsockopt(NoDelay, true).unwrap();
    let result = (&stream).read(&mut [0]);
    assert_eq!(result.unwrap_err().kind(), ErrorKind::WouldBlock);
    let zero = stream.setsockopt(ReceiveTimeout, Some(Duration::ZERO));
    assert_eq!(zero.unwrap_err().kind(), ErrorKind::InvalidInput);
}

#[test]
fn a_socket_becomes_what_its_type_is() {
    let host = Host::builder().start_loopback().unwrap();
    let address: SocketAddr = "127.0.0.1:7777".parse().unwrap();
    let listeners = [(); 2].map(|()| {
        let socket = Socket::new(&host, Domain::Inet, Type::Stream).unwrap();
        socket.setsockopt(ReusePort, true).unwrap();
        socket.bind(address).unwrap();
        assert_eq!(socket.local_addr().unwrap(), address);
        socket.listen(5).unwrap()
    });
    let socket = Socket::new(&host, Domain::Inet, Type::Stream).unwrap();
    socket.bind("127.0.0.1:7000").unwrap();
    let stream = socket.connect(address).unwrap();
    assert_eq!(stream.local_addr().unwrap().port(), 7_000);
    listeners
        .iter()
        .for_each(|l| l.set_nonblocking(true).unwrap());
    let accepted = listeners
        .iter()
        .filter(|listener| listener.accept().is_ok());
    assert_eq!(accepted.count(), 1);

    let socket = Socket::new(&host, Domain::Inet, Type::Datagram).unwrap();
    assert_eq!(socket.getsockopt(SocketType).unwrap(), Type::Datagram);
    let refused = socket.connect(address).unwrap_err();
    assert_eq!(refused.kind(), ErrorKind::Unsupported);
    let socket = Socket::new(&host, Domain::Inet, Type::Stream).unwrap();
    assert_eq!(
        socket.into_udp().unwrap_err().kind(),
        ErrorKind::Unsupported
    );
    let socket = Socket::new(&host, Domain::Inet, Type::Datagram).unwrap();
    assert_eq!(
        socket.into_udp().unwrap().send_to(b"x", address).unwrap(),
        1
    );
}
