//! What can only be asked for.

use std::time::Duration;

use glasstack::Error;
use glasstack::device::Conditions;
use glasstack::sim::{Link, Simulation};
use glasstack::smoltcp::time::Duration as Time;
use glasstack::socket::{TcpListener, TcpStream};
use glasstack::stack::option::{
    Accepting, KeepAlive, PathMtu, ReceiveQueued, SendQueued, SocketError, SocketType, TcpInfo,
};
use glasstack::stack::{Domain, Shutdown, Type};
use glasstack::trace::{State, Timer};

use crate::net::segment::{RST, Segment};
use crate::net::{Net, SERVER, Side};

#[test]
fn a_socket_says_what_it_is() {
    let mut net = Net::new();
    let (client, accepted, listener) = net.pair(SERVER);
    let udp = net.server.datagram(Domain::Inet, 1);
    let fresh = net
        .server
        .stack
        .socket(Domain::Inet6, Type::Stream)
        .unwrap();
    let stack = &mut net.server.stack;
    for (fd, kind, accepting) in [
        (accepted, Type::Stream, false),
        (listener, Type::Stream, true),
        (udp, Type::Datagram, false),
        (fresh, Type::Stream, false),
    ] {
        assert_eq!(stack.getsockopt(fd, SocketType), Ok(kind));
        assert_eq!(stack.getsockopt(fd, Accepting), Ok(accepting));
        assert_eq!(stack.getsockopt(fd, SocketError), Ok(None));
    }
    for fd in [listener, udp, fresh] {
        assert_eq!(stack.getsockopt(fd, PathMtu), Err(Error::NotConnected));
        assert_eq!(stack.getsockopt(fd, ReceiveQueued), Ok(0));
        assert_eq!(stack.getsockopt(fd, SendQueued), Ok(0));
    }
    stack.connect(udp, "10.0.0.1:7".parse().unwrap()).unwrap();
    assert_eq!(stack.getsockopt(udp, PathMtu), Ok(1_500));
    assert_eq!(stack.getsockopt(udp, TcpInfo), Err(Error::NotSupported));
    assert_eq!(
        stack.getsockopt(listener, TcpInfo).unwrap().state,
        State::Listen
    );
    assert_eq!(
        stack.getsockopt(fresh, TcpInfo).unwrap().state,
        State::Closed
    );
    stack.close(accepted).unwrap();
    let gone = stack.getsockopt(accepted, TcpInfo);
    assert_eq!(gone, Err(Error::BadDescriptor));
    net.run();
    assert_eq!(net.client.stack.getsockopt(client, SocketError), Ok(None));
}

#[test]
fn the_pending_error_is_taken() {
    let mut net = Net::new();
    let (client, ..) = net.pair(SERVER);
    net.run_for(Time::from_secs(1));
    let last = net.segments(Side::Client).last().unwrap().clone();
    let own = last.source.to_string();
    let reset = Segment::new(SERVER, &own, RST, last.ack, 0);
    net.inject(Side::Client, &reset);
    net.run();
    let error = net.client.stack.getsockopt(client, SocketError);
    assert_eq!(error, Ok(Some(Error::ConnectionReset)));
    assert_eq!(net.client.stack.getsockopt(client, SocketError), Ok(None));
}

#[test]
fn the_queues_are_counted_the_fin_too() {
    let mut net = Net::new();
    let (client, accepted, _) = net.pair(SERVER);
    net.cut();
    net.client.stack.send(client, &[7; 100]).unwrap();
    net.client.stack.shutdown(client, Shutdown::Write).unwrap();
    net.run();
    assert_eq!(net.client.stack.getsockopt(client, SendQueued), Ok(101));
    net.pass_all();
    net.run_for(Time::from_secs(2));
    assert_eq!(net.client.stack.getsockopt(client, SendQueued), Ok(0));
    assert_eq!(
        net.server.stack.getsockopt(accepted, ReceiveQueued),
        Ok(100)
    );
    // Of datagrams, the first.
    let sender = net.client.datagram(Domain::Inet, 1);
    let receiver = net.server.datagram(Domain::Inet, 2);
    for len in [30, 40] {
        let to = "10.0.0.2:2".parse().unwrap();
        net.client.stack.sendto(sender, &vec![1; len], to).unwrap();
    }
    assert_eq!(net.client.stack.getsockopt(sender, SendQueued), Ok(70));
    net.run();
    assert_eq!(net.client.stack.getsockopt(sender, SendQueued), Ok(0));
    assert_eq!(net.server.stack.getsockopt(receiver, ReceiveQueued), Ok(30));
}

#[test]
fn a_connection_tells_its_timers_and_numbers() {
    let mut net = Net::new();
    let (client, accepted, _) = net.pair(SERVER);
    net.run_for(Time::from_secs(1));
    net.client
        .stack
        .setsockopt(client, KeepAlive, true)
        .unwrap();
    net.run();
    let info = net.client.stack.getsockopt(client, TcpInfo).unwrap();
    assert_eq!(info.state, State::Established);
    assert_eq!(info.timer.map(|(timer, _)| timer), Some(Timer::KeepAlive));
    assert_eq!((info.segment_size, info.path_mtu), (1_460, 1_500));
    assert_eq!(info.receive_window, 8_192);

    net.client.stack.send(client, &[7; 1_000]).unwrap();
    net.run_for(Time::from_millis(100));
    net.cut();
    net.client.stack.send(client, &[7; 400]).unwrap();
    net.run();
    let info = net.client.stack.getsockopt(client, TcpInfo).unwrap();
    assert_eq!(info.in_flight, 400);
    assert_eq!(
        (info.octets_written, info.octets_acknowledged),
        (1_400, 1_000)
    );
    let second = Duration::from_secs(1);
    assert_eq!(info.timer, Some((Timer::Retransmission, second)));
    assert_eq!(info.retransmission_timeout, Some(second));
    assert_eq!((info.backoff, info.retransmissions), (0, 0));
    assert_eq!(info.send_window, 8_192 - 1_000);
    net.run_for(Time::from_secs(4));
    let info = net.client.stack.getsockopt(client, TcpInfo).unwrap();
    assert_eq!((info.backoff, info.retransmissions), (2, 2));
    assert_eq!(info.retransmission_timeout, Some(4 * second));
    assert!(info.last_heard.unwrap() >= 4 * second);
    net.pass_all();
    net.run_for(Time::from_secs(10));
    let info = net.client.stack.getsockopt(client, TcpInfo).unwrap();
    assert_eq!(
        (info.in_flight, info.backoff, info.retransmissions),
        (0, 0, 3)
    );
    assert_eq!(info.octets_acknowledged, 1_400);
    let other = net.server.stack.getsockopt(accepted, TcpInfo).unwrap();
    assert_eq!(other.octets_received, 1_400);
    assert_eq!(other.receive_window, 8_192 - 1_400);
}

/// Nobody observes this network: the heart measures by itself.
#[test]
fn round_trips_are_measured_from_the_handshake_on() {
    let mut simulation = Simulation::new(1);
    let client = simulation.host("client").unwrap();
    let server = simulation.host("server").unwrap();
    let latency = Duration::from_millis(40);
    let link = Link::ethernet(1_514).both(Conditions::default().latency(latency));
    let ends = ((client, &["10.0.0.1/24"]), (server, &["10.0.0.2/24"]));
    simulation.link(link, ends.0, ends.1).unwrap();
    let address = "10.0.0.2:9999".parse().unwrap();
    let serve = async move |network| {
        let listener = TcpListener::bind(network, address, 1)?;
        let (stream, _) = listener.accept().await?;
        let first = stream.getsockopt(TcpInfo)?;
        stream.read_exact(&mut [0; 100_000]).await?;
        glasstack::Result::Ok(first)
    };
    let visit = async move |network| {
        let stream = TcpStream::connect(network, address).await?;
        let first = stream.getsockopt(TcpInfo)?;
        stream.write_all(&[7; 100_000]).await?;
        stream.shutdown(Shutdown::Write)?;
        stream.read(&mut [0]).await?;
        glasstack::Result::Ok([first, stream.getsockopt(TcpInfo)?])
    };
    let served = simulation.spawn(server, "serve", serve).unwrap();
    let visited = simulation.spawn(client, "visit", visit).unwrap();
    simulation.run().unwrap();
    let [first, last] = visited.take().unwrap().unwrap();
    let seen = served.take().unwrap().unwrap();
    let is_near = |measured: Option<Duration>, millis: u64| {
        let expected = Duration::from_millis(millis);
        measured.is_some_and(|measured| measured.abs_diff(expected) < Duration::from_millis(2))
    };
    assert!(is_near(first.round_trip, 80), "{first:?}");
    assert!(is_near(first.round_trip_variation, 40), "{first:?}");
    assert!(is_near(seen.round_trip, 80), "{seen:?}");
    // Some acknowledgments are held back for 10 ms.
    let round_trip = last.round_trip.unwrap();
    assert!((80..95).contains(&round_trip.as_millis()), "{last:?}");
    assert!(last.round_trip_variation.unwrap() < Duration::from_millis(20));
    assert_eq!(last.octets_acknowledged, 100_000);
    assert_eq!(last.retransmissions, 0);
}
