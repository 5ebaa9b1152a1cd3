//! The dialogues: every call that waits has its part in one of them.

use std::net::{IpAddr, SocketAddr};
use std::rc::Rc;
use std::time::Duration;

use glasstack::Error;
use glasstack::socket::{Network, TcpListener, TcpStream, UdpSocket, resolve, sleep};
use glasstack::stack::{Capacity, Interest};

use super::every::{Calls, Dialogue, Script, drop_everywhere};
use super::world::{Net, World};

/// So small that a script of a page fills every buffer.
pub(crate) fn small() -> Capacity {
    Capacity {
        sockets: 8,
        connections: 4,
        datagrams: 4,
        receive_buffer: 1_024,
        send_buffer: 1_024,
        datagram_buffer: 2_048,
        datagram_packets: 2,
        pending_syns: 2,
        interfaces: 1,
        loopback_buffer: 0,
        reassemblies: 0,
        lookups: 2,
        wakers: 16,
    }
}

pub(crate) fn server() -> SocketAddr {
    "10.0.0.2:9999".parse().unwrap()
}

/// Octets of which each tells its place.
pub(crate) fn text(len: usize) -> Vec<u8> {
    (0..len)
        .map(|i| (i % 251) as u8 ^ (i / 251) as u8)
        .collect()
}

fn none(_: &Rc<Calls>, _: &World, _: &Net, _: &Net) -> Vec<Script> {
    Vec::new()
}

/// `connect`, `accept`, `ready`, `peek`, `read` and `write`, both ways.
fn stream(calls: &Rc<Calls>, _: &World, near: &Net, far: &Net) -> Vec<Script> {
    const LEN: usize = 8_000;
    let (calls, net) = (calls.clone(), near.clone());
    let client = {
        let calls = calls.clone();
        async move {
            let connect = async || TcpStream::connect(net.clone(), server()).await;
            // Who drops it and tries again has the first one's place only once it is gone.
            let stream = calls.each(&net, connect).await.unwrap();
            let text = text(LEN);
            let mut rest = &text[..];
            while !rest.is_empty() {
                let ready = async || stream.ready(Interest::Writable).await;
                calls.each(&net, ready).await.unwrap();
                let len = calls.each(&net, async || stream.write(rest).await).await;
                rest = &rest[len.unwrap()..];
            }
            stream.shutdown(glasstack::socket::Shutdown::Write).unwrap();
            let mut received: Vec<u8> = Vec::new();
            loop {
                let (mut first, mut second) = ([0; 600], [0; 600]);
                let ready = async || stream.ready(Interest::Readable).await;
                calls.each(&net, ready).await.unwrap();
                let peek = async || stream.peek(&mut first).await;
                let peeked = calls.each(&net, peek).await.unwrap();
                let read = async || stream.read(&mut second).await;
                let len = calls.each(&net, read).await.unwrap();
                assert_eq!(first[..peeked], second[..peeked.min(len)]);
                if len == 0 {
                    break;
                }
                received.extend(&second[..len]);
            }
            assert_eq!(received, text, "what came back");
        }
    };
    let net = far.clone();
    let server = async move {
        let listener = TcpListener::bind(net.clone(), server(), 2).unwrap();
        loop {
            let accept = async || listener.accept().await;
            let (stream, _) = calls.each(&net, accept).await.unwrap();
            let mut received: Vec<u8> = Vec::new();
            let mut buffer = [0; 500];
            while let len @ 1.. = {
                let read = async || stream.read(&mut buffer).await;
                calls.each(&net, read).await.unwrap()
            } {
                received.extend(&buffer[..len]);
            }
            // A `connect` that was dropped when the handshake was done: closed, and nothing sent.
            if received.is_empty() {
                continue;
            }
            assert_eq!(received, text(LEN), "what arrived");
            let mut rest = &received[..];
            while !rest.is_empty() {
                let len = calls.each(&net, async || stream.write(rest).await).await;
                rest = &rest[len.unwrap()..];
            }
            return;
        }
    };
    vec![Box::pin(client), Box::pin(server)]
}

#[test]
fn a_stream_is_whole_wherever_a_call_is_dropped() {
    let points = drop_everywhere(&Dialogue {
        client: small(),
        server: small(),
        scripts: stream,
        servants: none,
    });
    eprintln!("connect, accept, ready, peek, read, write: {points} points");
    assert!(points > 500, "{points}");
}

/// The halves of a stream, borrowed and owned, one task each.
fn halves(calls: &Rc<Calls>, _: &World, near: &Net, far: &Net) -> Vec<Script> {
    const LEN: usize = 6_000;
    let scripts = [true, false].map(|is_client| {
        let net = if is_client { near } else { far }.clone();
        let calls = calls.clone();
        let script = async move {
            let mut stream = if is_client {
                let connect = async || TcpStream::connect(net.clone(), server()).await;
                calls.each(&net, connect).await.unwrap()
            } else {
                let listener = TcpListener::bind(net.clone(), server(), 2).unwrap();
                let accept = async || Ok::<_, Error>(listener.accept().await?.0);
                let stream = calls.each(&net, accept).await.unwrap();
                // One that its `connect` gave up: `read` says so at once.
                let ready = async || stream.ready(Interest::Readable).await;
                calls.each(&net, ready).await.unwrap();
                match stream.peek(&mut [0]).await.unwrap() {
                    0 => calls.each(&net, accept).await.unwrap(),
                    _ => stream,
                }
            };
            let text = text(LEN);
            let (mut reader, mut writer) = stream.split();
            if is_client {
                let mut rest = &text[..];
                while !rest.is_empty() {
                    let len = calls.each(&net, async || writer.write(rest).await).await;
                    rest = &rest[len.unwrap()..];
                }
            } else {
                let mut received = vec![0; LEN];
                let mut filled = 0;
                while filled < LEN {
                    let rest = &mut received[filled..];
                    let len = calls.each(&net, async || reader.read(rest).await).await;
                    filled += len.unwrap();
                }
                assert_eq!(received, text);
            }
            let (mut reader, mut writer) = stream.into_split().unwrap();
            if !is_client {
                let mut rest = &text[..];
                while !rest.is_empty() {
                    let len = calls.each(&net, async || writer.write(rest).await).await;
                    rest = &rest[len.unwrap()..];
                }
            }
            drop(writer);
            let mut received: Vec<u8> = Vec::new();
            let mut buffer = [0; 400];
            while let len @ 1.. = {
                let read = async || reader.read(&mut buffer).await;
                calls.each(&net, read).await.unwrap()
            } {
                received.extend(&buffer[..len]);
            }
            assert_eq!(received, if is_client { &text[..] } else { &[] });
        };
        Box::pin(script) as Script
    });
    scripts.into()
}

#[test]
fn the_halves_of_a_stream_are_whole_wherever_a_call_is_dropped() {
    let points = drop_everywhere(&Dialogue {
        client: small(),
        server: small(),
        scripts: halves,
        servants: none,
    });
    eprintln!("halves: {points} points");
    assert!(points > 100, "{points}");
}

/// `send_to`, `recv_from`, `peek_from`; and with a peer `send`, `recv`.
fn datagrams(calls: &Rc<Calls>, _: &World, near: &Net, far: &Net) -> Vec<Script> {
    const COUNT: u8 = 16;
    let client: SocketAddr = "10.0.0.1:9999".parse().unwrap();
    let near_calls = calls.clone();
    let net = near.clone();
    let first = async move {
        let calls = near_calls;
        let socket = UdpSocket::bind(net.clone(), client).unwrap();
        // The queue has room for one of this size.
        for number in 0..COUNT {
            let data = [number; 1_200];
            let send = async || socket.send_to(&data, server()).await;
            assert_eq!(calls.each(&net, send).await, Ok(data.len()));
        }
        socket.connect(server()).unwrap();
        for number in 0..COUNT {
            let mut buffer = [0; 16];
            let recv = async || socket.recv(&mut buffer).await;
            assert_eq!(calls.each(&net, recv).await, Ok(10));
            assert_eq!(buffer[..10], [number; 10]);
        }
        let send = async || socket.send(b"goodbye").await;
        assert_eq!(calls.each(&net, send).await, Ok(7));
    };
    let (calls, net) = (calls.clone(), far.clone());
    let second = async move {
        let socket = UdpSocket::bind(net.clone(), server()).unwrap();
        for number in 0..COUNT {
            let mut buffer = [0; 2_000];
            let peek = async || socket.peek_from(&mut buffer).await;
            let peeked = calls.each(&net, peek).await.unwrap();
            assert_eq!((peeked.size, buffer[0]), (1_200, number));
            let recv = async || socket.recv_from(&mut buffer).await;
            let received = calls.each(&net, recv).await.unwrap();
            assert_eq!((received, buffer[1_199]), (peeked, number));
        }
        socket.connect(client).unwrap();
        for number in 0..COUNT {
            let send = async || socket.send(&[number; 10]).await;
            assert_eq!(calls.each(&net, send).await, Ok(10));
        }
        let mut buffer = [0; 16];
        let recv = async || socket.recv(&mut buffer).await;
        assert_eq!(calls.each(&net, recv).await, Ok(7));
    };
    vec![Box::pin(first), Box::pin(second)]
}

#[test]
fn each_datagram_arrives_once_wherever_a_call_is_dropped() {
    let roomy = Capacity {
        datagram_buffer: 20_000,
        datagram_packets: 16,
        ..small()
    };
    let points = drop_everywhere(&Dialogue {
        client: Capacity {
            datagram_packets: 16,
            ..small()
        },
        server: roomy,
        scripts: datagrams,
        servants: none,
    });
    eprintln!("send_to, send, recv_from, recv, peek_from: {points} points");
    assert!(points > 100, "{points}");
}

/// `resolve` and `sleep`.
fn names(calls: &Rc<Calls>, world: &World, near: &Net, _: &Net) -> Vec<Script> {
    let (calls, world, net) = (calls.clone(), world.clone(), near.clone());
    let script = async move {
        use glasstack::socket::Clock;
        net.call(|stack| stack.add_name_server([10, 0, 0, 2].into()))
            .unwrap();
        let before = world.now();
        let nap = Duration::from_millis(700);
        calls
            .each(&net, async || sleep(&net, nap).await)
            .await
            .unwrap();
        assert!(world.now() - before >= nap.into());
        for _ in 0..2 {
            let resolve = async || resolve(&net, "server.example").await;
            let found = calls.each(&net, resolve).await.unwrap();
            assert_eq!(found[..], [IpAddr::from([10, 0, 0, 9])]);
        }
        let resolve = async || resolve(&net, "nobody.example").await;
        assert_eq!(calls.each(&net, resolve).await, Err(Error::NameNotFound));
    };
    vec![Box::pin(script)]
}

/// A name server for `server.example` (RFC 1035 §4.1), of which it knows the IPv4 address.
fn name_server(calls: &Rc<Calls>, _: &World, _: &Net, far: &Net) -> Vec<Script> {
    let (calls, net) = (calls.clone(), far.clone());
    let servant = async move {
        let socket = UdpSocket::bind(net.clone(), "10.0.0.2:53".parse().unwrap()).unwrap();
        let mut buffer = [0; 512];
        loop {
            let receive = async || socket.recv_from(&mut buffer).await;
            let query = calls.each(&net, receive).await.unwrap();
            let mut answer = buffer[..query.len].to_vec();
            let knows = answer.windows(6).any(|label| label == b"server");
            let is_ipv4 = answer[query.len - 3] == 1;
            // An answer, recursion available; "no such name".
            answer[2] |= 0x80;
            answer[3] = 0x80 | if knows { 0 } else { 3 };
            if knows && is_ipv4 {
                answer[7] = 1;
                answer.extend([0xc0, 12, 0, 1, 0, 1, 0, 0, 0, 60, 0, 4, 10, 0, 0, 9]);
            }
            let send = async || socket.send_to(&answer, query.from).await;
            calls.each(&net, send).await.unwrap();
        }
    };
    vec![Box::pin(servant)]
}

#[test]
fn names_are_found_and_time_passes_wherever_a_call_is_dropped() {
    let points = drop_everywhere(&Dialogue {
        client: small(),
        // Lookups that were given up have left questions.
        server: Capacity {
            datagram_packets: 16,
            ..small()
        },
        scripts: names,
        servants: name_server,
    });
    eprintln!("resolve, sleep: {points} points");
    assert!(points > 50, "{points}");
}
