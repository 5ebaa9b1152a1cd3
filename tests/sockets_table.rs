//! The screen of all sockets, at moments that a reader of `ss` knows.
#![cfg(all(feature = "std", feature = "ipv4", feature = "ipv6"))]
// A step that fails fails its test.
#![allow(clippy::unwrap_used, clippy::panic)]

mod need;
mod net;

use std::collections::BTreeSet;
use std::net::{SocketAddr, TcpListener, TcpStream, UdpSocket};
use std::process::Command;
use std::time::Duration;

use glasstack::smoltcp::time::{Duration as Time, Instant};
use glasstack::stack::option::{HopLimit, NoDelay, UserTimeout, V6Only};
use glasstack::stack::{Capacity, Domain, Shutdown, Type};
use glasstack::{Error, Stack};
use need::Need;
use net::{Host, Net, PORT, SERVER, wildcard};

/// A host's screen, on which the client's ephemeral port is always 40000.
fn screen(host: &Host) -> String {
    let screen = host.stack.sockets().to_string();
    let ports = screen.split("10.0.0.1:").skip(1);
    let ports: BTreeSet<&str> = ports.filter_map(|rest| rest.split(' ').next()).collect();
    let mut shown = screen.clone();
    for port in ports {
        assert_eq!(port.len(), 5, "an ephemeral port");
        shown = shown.replace(port, "40000");
    }
    shown
}

#[test]
fn a_host_without_sockets_is_a_heading() {
    let net = Net::new();
    assert_eq!(
        screen(&net.client),
        "Netid State Recv-Q Send-Q Local Address:Port Peer Address:Port Process\n"
    );
}

#[test]
fn listeners_and_datagram_sockets_of_both_families() {
    let mut net = Net::new();
    let host = &mut net.server;
    host.listen(Domain::Inet, PORT, 5);
    host.listen(Domain::Inet6, 80, 128);
    let only = host.stack.socket(Domain::Inet6, Type::Stream).unwrap();
    host.stack.setsockopt(only, V6Only, true).unwrap();
    host.stack.bind(only, wildcard(Domain::Inet6, 443)).unwrap();
    host.datagram(Domain::Inet, 53);
    let connected = host.datagram(Domain::Inet6, 5353);
    let peer: SocketAddr = "[fd00::1]:7".parse().unwrap();
    host.stack.connect(connected, peer).unwrap();
    host.stack
        .send(connected, b"waits for its neighbor")
        .unwrap();
    host.stack.socket(Domain::Inet, Type::Stream).unwrap();
    assert_eq!(
        screen(host),
        "\
Netid State  Recv-Q Send-Q Local Address:Port Peer Address:Port Process
udp   UNCONN 0      0            0.0.0.0:53        0.0.0.0:*    fd=3
udp   ESTAB  0      22         [fd00::2]:5353    [fd00::1]:7    fd=4
tcp   LISTEN 0      5            0.0.0.0:9999      0.0.0.0:*    fd=0
\t reno
tcp   LISTEN 0      128                *:80              *:*    fd=1
\t reno
tcp   UNCONN 0      0               [::]:443          [::]:*    fd=2
\t reno
tcp   UNCONN 0      0            0.0.0.0:*         0.0.0.0:*    fd=5
\t reno
"
    );
}

#[test]
fn a_syn_that_nobody_answers_backs_off() {
    let mut net = Net::new();
    // The neighbor is known.
    net.pair(SERVER);
    net.cut();
    let fd = net.client.stack.socket(Domain::Inet, Type::Stream).unwrap();
    let far: SocketAddr = "10.0.0.2:7".parse().unwrap();
    let second = |net: &Net| {
        screen(&net.client)
            .split_once("SYN-SENT")
            .unwrap()
            .1
            .to_string()
    };
    assert_eq!(net.client.stack.connect(fd, far), Err(Error::WouldBlock));
    net.run_for(Time::from_millis(300));
    assert_eq!(
        second(&net),
        " 0      1           10.0.0.1:40000     10.0.0.2:7    fd=1 timer:(on,700ms,0)\n\t reno rto:1000\n"
    );
    net.run_for(Time::from_millis(1_200));
    assert_eq!(
        second(&net),
        " 0      1           10.0.0.1:40000     10.0.0.2:7    fd=1 timer:(on,1.5sec,1)\n\
         \t reno rto:2000 backoff:1\n"
    );
    net.run_for(Time::from_millis(5_500));
    assert_eq!(
        second(&net),
        " 0      1           10.0.0.1:40000     10.0.0.2:7    fd=1 timer:(on,8sec,3)\n\
         \t reno rto:8000 backoff:3\n"
    );
}

#[test]
fn a_neighbor_that_does_not_answer_is_no_timer_of_the_connection() {
    let mut net = Net::new();
    net.client.connect("10.0.0.9:80");
    net.run_for(Time::from_millis(500));
    assert_eq!(
        screen(&net.client),
        "\
Netid State    Recv-Q Send-Q Local Address:Port  Peer Address:Port Process
tcp   SYN-SENT 0      1           10.0.0.1:40000     10.0.0.9:80   fd=0
\t reno
"
    );
}

#[test]
fn a_listeners_queue_and_what_waits_in_it() {
    let mut net = Net::new();
    net.server.listen(Domain::Inet, PORT, 5);
    let fd = net.client.connect(SERVER);
    net.run();
    net.client
        .stack
        .connect(fd, SERVER.parse().unwrap())
        .unwrap();
    net.client.stack.send(fd, b"hello").unwrap();
    net.run_for(Time::from_secs(1));
    assert_eq!(
        screen(&net.server),
        "\
Netid State  Recv-Q Send-Q Local Address:Port Peer Address:Port  Process
tcp   LISTEN 1      5            0.0.0.0:9999      0.0.0.0:*     fd=0
\t reno
tcp   ESTAB  5      0           10.0.0.2:9999     10.0.0.1:40000 -
\t reno
"
    );
}

#[test]
fn what_is_sent_and_not_acknowledged_is_sent_again() {
    let mut net = Net::new();
    let (fd, _, _) = net.pair(SERVER);
    net.client.stack.setsockopt(fd, NoDelay, true).unwrap();
    net.client.stack.setsockopt(fd, HopLimit, 3).unwrap();
    let minutes = Some(Duration::from_secs(90));
    net.client
        .stack
        .setsockopt(fd, UserTimeout, minutes)
        .unwrap();
    net.cut();
    net.client.stack.send(fd, b"hello, world").unwrap();
    net.run_for(Time::from_millis(4_000));
    // 1 s and 2 s have passed in vain; the one of 4 s runs.
    assert_eq!(
        screen(&net.client),
        "\
Netid State Recv-Q Send-Q Local Address:Port  Peer Address:Port Process
tcp   ESTAB 0      12          10.0.0.1:40000     10.0.0.2:9999 fd=0 timer:(on,3sec,2)
\t reno rto:4000 backoff:2 nodelay ttl:3 user_timeout:1min30sec
"
    );
    // The answer comes, and with it the end of all of this.
    net.pass_all();
    net.run_for(Time::from_secs(4));
    assert_eq!(
        screen(&net.client),
        "\
Netid State Recv-Q Send-Q Local Address:Port  Peer Address:Port Process
tcp   ESTAB 0      0           10.0.0.1:40000     10.0.0.2:9999 fd=0
\t reno nodelay ttl:3 user_timeout:1min30sec
"
    );
}

#[test]
fn keep_alive_counts_the_probes_that_nobody_answers() {
    let mut net = Net::new();
    let (fd, _, _) = net.pair(SERVER);
    let hour = Some(Duration::from_secs(3_600));
    net.client.keep_alive(fd, hour);
    let line = |net: &Net| screen(&net.client).lines().nth(1).unwrap().to_string();
    net.run_for(Time::from_secs(60));
    assert!(
        line(&net).ends_with(" fd=0 timer:(keepalive,59min,0)"),
        "{}",
        line(&net)
    );
    net.run_for(Time::from_secs(3_600));
    // Answered.
    assert!(
        line(&net).ends_with(" fd=0 timer:(keepalive,59min,0)"),
        "{}",
        line(&net)
    );
    // Its neighbor is there, its connection is not.
    net.lose_segments();
    net.run_for(Time::from_secs(7_200));
    assert!(
        line(&net).ends_with(" fd=0 timer:(keepalive,59min,2)"),
        "{}",
        line(&net)
    );
}

#[test]
fn a_shut_window_is_probed() {
    let mut net = Net::new();
    let (fd, server, _) = net.pair(SERVER);
    let mut sent = 0;
    while let Ok(count) = net.client.stack.send(fd, &[0; 4_096]) {
        sent += count;
        net.run_for(Time::from_millis(100));
    }
    net.run_for(Time::from_secs(1));
    let waits = net.server.stack.recv(server, &mut [0; 1]).unwrap();
    assert_eq!(waits, 1);
    let queue = sent - net::capacity().receive_buffer;
    let shown = screen(&net.client);
    let line = shown.lines().nth(1).unwrap();
    assert!(
        line.starts_with(&format!("tcp   ESTAB 0      {queue:<6} ")),
        "{line}"
    );
    assert!(line.contains(" timer:(persist,"), "{line}");
}

#[test]
fn the_way_out_is_seen_on_both_sides_to_the_end() {
    let mut net = Net::new();
    let (fd, server, listener) = net.pair(SERVER);
    net.server.stack.close(listener).unwrap();
    let states = |net: &Net| {
        let words = |screen: String| {
            let row = screen.lines().nth(1).unwrap_or_default().to_string();
            let words: Vec<String> = row.split_whitespace().map(String::from).collect();
            match words.as_slice() {
                [_, state, _, _, _, _, rest @ ..] => format!("{state} {}", rest.join(" ")),
                _ => String::new(),
            }
        };
        (words(screen(&net.client)), words(screen(&net.server)))
    };
    let pair = |a: &str, b: &str| (a.to_string(), b.to_string());
    assert_eq!(states(&net), pair("ESTAB fd=0", "ESTAB fd=1"));
    net.client.stack.shutdown(fd, Shutdown::Write).unwrap();
    net.run_for(Time::from_millis(100));
    assert_eq!(states(&net), pair("FIN-WAIT-2 fd=0", "CLOSE-WAIT fd=1"));
    // Closed, it waits a minute for the other's FIN.
    net.client.stack.close(fd).unwrap();
    net.run_for(Time::from_secs(15));
    let waits = "FIN-WAIT-2 - timer:(timewait,45sec,0)";
    assert_eq!(states(&net), pair(waits, "CLOSE-WAIT fd=1"));
    net.cut();
    net.server.stack.close(server).unwrap();
    net.run_for(Time::from_millis(500));
    assert_eq!(states(&net).1, "LAST-ACK - timer:(on,500ms,0)");
    net.pass_all();
    net.run_for(Time::from_millis(500));
    net.run_for(Time::from_millis(2_500));
    assert_eq!(
        states(&net),
        pair("TIME-WAIT - timer:(timewait,7.5sec,0)", "")
    );
    net.run_for(Time::from_secs(8));
    assert_eq!(states(&net), pair("", ""));
}

#[test]
fn datagrams_that_outlive_their_socket_are_seen() {
    let mut net = Net::new();
    let host = &mut net.client;
    let fd = host.datagram(Domain::Inet, 53);
    host.stack
        .sendto(fd, b"late", "10.0.0.2:9".parse().unwrap())
        .unwrap();
    host.stack.close(fd).unwrap();
    assert_eq!(
        screen(host),
        "\
Netid State  Recv-Q Send-Q Local Address:Port Peer Address:Port Process
udp   UNCONN 0      4            0.0.0.0:53        0.0.0.0:*    -
"
    );
}

/// The rows of a screen between these ports, as words; what only one of the two tells is left out.
fn rows(screen: &str, ports: &[(&str, u16)]) -> (Vec<String>, BTreeSet<Vec<String>>) {
    let words =
        |line: &str| -> Vec<String> { line.split_whitespace().take(6).map(String::from).collect() };
    let mut lines = screen.lines();
    let header = lines.next().unwrap_or_default();
    let is_ours = |row: &Vec<String>| {
        let (Some(net), Some(local)) = (row.first(), row.get(4)) else {
            return false;
        };
        let port = local.rsplit(':').next().and_then(|port| port.parse().ok());
        port.is_some_and(|port| ports.contains(&(net.as_str(), port)))
    };
    let header = header.split_whitespace().map(String::from).collect();
    (header, lines.map(words).filter(is_ours).collect())
}

#[test]
fn the_kernels_sockets_look_the_same() {
    if !need::all(&[Need::Program("ss", "iproute2")]) {
        return;
    }
    // The kernel's: a listener with one that waits, a connection with octets to read, and datagrams.
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let server = listener.local_addr().unwrap();
    let mut one = TcpStream::connect(server).unwrap();
    let (accepted, _) = listener.accept().unwrap();
    let other = TcpStream::connect(server).unwrap();
    std::io::Write::write_all(&mut one, b"hello").unwrap();
    accepted.peek(&mut [0; 5]).unwrap();
    let wildcard = UdpSocket::bind("127.0.0.1:0").unwrap();
    let connected = UdpSocket::bind("[::1]:0").unwrap();
    let six = UdpSocket::bind("[::1]:0").unwrap();
    connected.connect(six.local_addr().unwrap()).unwrap();
    let names = [&one, &other].map(|stream| stream.local_addr().unwrap());
    let datagrams = [&wildcard, &connected, &six].map(|socket| socket.local_addr().unwrap());
    let output = Command::new("ss").args(["-tuna"]).output().unwrap();
    let kernel = String::from_utf8(output.stdout).unwrap();
    let streams = names.iter().map(|name| ("tcp", name.port()));
    let mut ports: Vec<_> = streams.collect();
    ports.extend(datagrams.iter().map(|name| ("udp", name.port())));
    ports.push(("tcp", server.port()));
    let (header, kernel) = rows(&kernel, &ports);

    // The same here, at the same addresses; the backlog is the one that the kernel says.
    let backlog = kernel.iter().find(|row| row[1] == "LISTEN").unwrap()[3]
        .parse()
        .unwrap();
    let mut stack = Stack::with_capacity(Capacity::default(), [7; 16], ());
    let listener = stack.socket(Domain::Inet, Type::Stream).unwrap();
    stack.bind(listener, server).unwrap();
    stack.listen(listener, backlog).unwrap();
    let streams = names.map(|name| {
        let stream = stack.socket(Domain::Inet, Type::Stream).unwrap();
        stack.bind(stream, name).unwrap();
        assert_eq!(stack.connect(stream, server), Err(Error::WouldBlock));
        stream
    });
    let mut now = Instant::ZERO;
    while let Some(next) = stack
        .poll_loopback(now)
        .filter(|next| *next < Instant::from_secs(1))
    {
        now = next;
    }
    stack.accept(listener).unwrap();
    assert_eq!(stack.connect(streams[0], server), Ok(()));
    stack.send(streams[0], b"hello").unwrap();
    while let Some(next) = stack
        .poll_loopback(now)
        .filter(|next| *next < Instant::from_secs(2))
    {
        now = next;
    }
    let mut sockets = Vec::new();
    for name in datagrams {
        let socket = stack.socket(net::domain_of(name), Type::Datagram).unwrap();
        stack.bind(socket, name).unwrap();
        sockets.push(socket);
    }
    stack.connect(sockets[1], datagrams[2]).unwrap();
    let (own_header, ours) = rows(&stack.sockets().to_string(), &ports);
    assert_eq!(own_header, header);
    assert_eq!(ours, kernel);
    assert_eq!(ours.len(), 8);
}
