//! How a host comes by its address, keeps it and loses it.

use std::time::Duration;

use glasstack::device::wire::Conditions;
use glasstack::sim::{Link, Simulation};
use glasstack::socket::{TcpListener, TcpStream, UdpSocket, configured};
use glasstack::stack::Lease;
use glasstack::{Error, Result};

use crate::server::{DISCOVER, REQUEST, SERVER, forge};
use crate::{HOUR, MINUTE, Net, SECOND, address, ten};

#[test]
fn four_messages_three_probes_and_the_host_has_an_address() {
    let mut net = Net::perfect(3_600);
    let lease = net.configure();
    assert_eq!((lease.address, lease.prefix_len), (ten(100), 24));
    assert_eq!((lease.server, lease.router), (SERVER, Some(SERVER)));
    assert_eq!(lease.name_servers, [SERVER]);
    assert_eq!(lease.mtu, Some(1_400));
    assert_eq!(net.book.borrow().requests, [DISCOVER, REQUEST]);
    // RFC 5227 §1.1: a wait, three probes, two seconds of silence.
    let elapsed = net.simulation.elapsed();
    assert!(
        elapsed >= 4 * SECOND && elapsed <= 7 * SECOND,
        "{elapsed:?}"
    );
}

#[test]
fn the_address_is_spoken_from_as_any_other() {
    let mut net = Net::perfect(3_600);
    let serve = |network| async move {
        let listener = TcpListener::bind(network, address("10.0.0.1:9999"), 5)?;
        let (stream, from) = listener.accept().await?;
        stream.write_all(&[7; 100_000]).await?;
        Result::Ok(from.ip())
    };
    let seen = net.simulation.spawn(net.server, "seed", serve).unwrap();
    let client = |network| async move {
        configured(&network).await?;
        let stream = TcpStream::connect(&network, address("10.0.0.1:9999")).await?;
        stream.read_exact(&mut [0; 100_000]).await?;
        Result::Ok(stream.local_addr()?.ip())
    };
    let own = net.simulation.spawn(net.client, "client", client).unwrap();
    let recording = net.simulation.record();
    net.simulation.limit(MINUTE);
    net.simulation.run().unwrap();
    assert_eq!(own.take(), Some(Ok(ten(100).into())));
    assert_eq!(seen.take(), Some(Ok(ten(100).into())));
    // And no packet is longer than the server wants them: 1,400 octets with 40 of headers.
    let events = recording.events();
    let segments = events.tcp().segments().map(|(segment, _)| segment.len);
    assert_eq!(segments.max(), Some(1_360));
}

#[test]
fn over_a_bad_link_beside_a_forger_only_what_the_server_gave_is_taken() {
    let bad = Conditions::default()
        .loss(0.3)
        .duplicate(0.2)
        .reorder(0.2, Duration::from_millis(50))
        .corrupt(0.1);
    let mut longest = Duration::ZERO;
    for seed in 0..150 {
        let mut net = Net::new(seed, 600, bad.clone());
        net.simulation.serve(net.other, "forger", forge).unwrap();
        let lease = net.configure();
        let check = |lease: &Lease, net: &Net| {
            let book = net.book.borrow();
            assert!(
                book.acknowledged.contains(&lease.address),
                "seed {seed}: {lease:?}"
            );
            assert_eq!(
                (lease.server, lease.router),
                (SERVER, Some(SERVER)),
                "seed {seed}"
            );
            assert_eq!(
                (lease.mtu, lease.prefix_len),
                (Some(1_400), 24),
                "seed {seed}"
            );
            let terms = lease.terms.unwrap();
            assert_eq!(terms.expiry, 600 * SECOND, "seed {seed}");
        };
        check(&lease, &net);
        longest = longest.max(net.simulation.elapsed());
        // And for an hour of renewals.
        for _ in 0..60 {
            net.run_for(MINUTE);
            if let Some(lease) = net.lease() {
                check(&lease, &net);
            }
        }
        assert!(net.book.borrow().astray.is_empty(), "seed {seed}");
    }
    assert!(longest < 20 * MINUTE, "{longest:?}");
}

#[test]
fn a_lease_is_renewed_for_days_without_a_gap() {
    let mut net = Net::perfect(3_600);
    net.configure();
    let days = 3;
    for _ in 0..days * 24 * 4 {
        net.run_for(15 * MINUTE);
        assert_eq!(net.address(), Some(ten(100)));
    }
    let book = net.book.borrow();
    assert_eq!(book.requests[..2], [DISCOVER, REQUEST]);
    // At T1 each time, half an hour after the last.
    assert_eq!(book.requests[2..], vec![REQUEST; days * 48]);
}

#[test]
fn without_a_server_the_address_goes_and_comes_back_with_it() {
    let mut net = Net::perfect(3_600);
    net.configure();
    let echo = |network| async move {
        let listener = TcpListener::bind(network, address("10.0.0.66:9999"), 5).unwrap();
        let (stream, _) = listener.accept().await.unwrap();
        stream.read(&mut [0; 16]).await
    };
    net.simulation.serve(net.other, "peer", echo).unwrap();
    let reader = |network| async move {
        let stream = TcpStream::connect(network, address("10.0.0.66:9999")).await?;
        stream.read(&mut [0; 16]).await
    };
    let reader = net.simulation.spawn(net.client, "reads", reader).unwrap();
    let listener = |network| async move {
        let socket = UdpSocket::bind(network, address("10.0.0.100:7"))?;
        socket.recv(&mut [0; 16]).await
    };
    let receiver = net
        .simulation
        .spawn(net.client, "receives", listener)
        .unwrap();
    net.run_for(10 * SECOND);
    net.simulation.stop(net.server);
    // The lease began when it was asked for, at time zero.
    let left = HOUR - net.simulation.elapsed();
    net.run_for(left - SECOND);
    assert_eq!(net.address(), Some(ten(100)));
    assert!(reader.take().is_none() && receiver.take().is_none());
    net.run_for(2 * SECOND);
    assert_eq!(net.lease(), None);
    assert_eq!(reader.take(), Some(Err(Error::AddrNotAvailable)));
    assert_eq!(receiver.take(), Some(Err(Error::AddrNotAvailable)));
    // Nobody is reached without an address.
    let connect = |network| async move {
        let connecting = TcpStream::connect(network, address("10.0.0.66:9999"));
        connecting.await.map(drop)
    };
    let lost = net.within_a_second(connect);
    assert_eq!(lost, Some(Err(Error::NetworkUnreachable)));

    // Meanwhile the server gave the address to somebody else.
    net.run_for(5 * HOUR);
    net.book.borrow_mut().begin_anew(200);
    net.simulation.start(net.server).unwrap();
    let lease = net.configure();
    assert_eq!(lease.address, ten(200));
}

#[test]
fn a_server_that_refuses_takes_the_address_away_at_once() {
    let mut net = Net::perfect(3_600);
    net.configure();
    net.book.borrow_mut().begin_anew(150);
    net.run_for(HOUR / 2 - net.simulation.elapsed() - SECOND);
    assert_eq!(net.address(), Some(ten(100)));
    net.run_for(2 * SECOND);
    assert_eq!(net.lease(), None);
    assert_eq!(net.configure().address, ten(150));
}

#[test]
fn who_stops_gives_the_lease_back_and_may_begin_again() {
    let mut net = Net::perfect(3_600);
    net.configure();
    let link = net.link();
    let client = net.client;
    net.simulation
        .with(client, |stack| stack.stop_dhcp(link))
        .unwrap();
    net.run_for(SECOND);
    assert_eq!(net.lease(), None);
    assert_eq!(net.book.borrow().released, [ten(100)]);
    let before = net.book.borrow().requests.len();
    net.run_for(24 * HOUR);
    assert_eq!(net.book.borrow().requests.len(), before, "it is quiet");
    net.simulation
        .with(client, |stack| stack.start_dhcp(link))
        .unwrap();
    assert_eq!(net.configure().address, ten(101));
}

#[test]
fn where_the_server_is_gone_the_address_is_given_up_all_the_same() {
    let mut net = Net::perfect(3_600);
    net.configure();
    net.run_for(MINUTE);
    net.simulation.stop(net.server);
    let link = net.link();
    let stop = |stack: &mut glasstack::Stack<'_, _>| stack.stop_dhcp(link);
    net.simulation.with(net.client, stop).unwrap();
    net.run_for(5 * SECOND);
    assert_eq!(net.lease(), None);
}

#[test]
fn after_the_link_was_down_the_lease_is_verified() {
    let mut net = Net::perfect(3_600);
    net.configure();
    let (link, client) = (net.link(), net.client);
    let before = net.lease().unwrap();
    let set = |net: &mut Net, is_up: bool| {
        let set = |stack: &mut glasstack::Stack<'_, _>| stack.set_link(link, is_up);
        net.simulation.with(client, set).unwrap();
    };
    set(&mut net, false);
    net.run_for(5 * MINUTE);
    assert_eq!(net.lease().as_ref(), Some(&before));
    set(&mut net, true);
    net.run_for(SECOND);
    let after = net.lease().unwrap();
    assert_eq!(after.address, before.address);
    assert!(after.since >= before.since + (5 * MINUTE).into());
    // Another network's server refuses.
    set(&mut net, false);
    net.book.borrow_mut().begin_anew(180);
    set(&mut net, true);
    net.run_for(SECOND);
    assert_eq!(net.lease(), None);
    assert_eq!(net.configure().address, ten(180));
    // And over a link that is down a lease ends as over any other; nobody is asked.
    set(&mut net, false);
    let requests = net.book.borrow().requests.len();
    net.run_for(2 * HOUR);
    assert_eq!(net.lease(), None);
    assert_eq!(net.book.borrow().requests.len(), requests);
    set(&mut net, true);
    assert_eq!(net.configure().address, ten(180));
}

#[test]
fn where_no_server_is_nothing_is_sent_too_often_and_nobody_waits_in_vain() {
    let mut net = Net::perfect(3_600);
    net.simulation.stop(net.server);
    let wait = |network| async move {
        let limited = glasstack::socket::timeout(&network, HOUR, configured(&network));
        limited.await.map(drop)
    };
    let waiting = net.simulation.spawn(net.client, "waits", wait).unwrap();
    let recording = net.simulation.record();
    net.run_for(HOUR + SECOND);
    assert_eq!(waiting.take(), Some(Err(Error::TimedOut)));
    // 4 + 8 + 16 + 32 s, then one in 64.
    let sent = recording
        .events()
        .at(net.client.station())
        .sent()
        .udp()
        .count();
    assert!((56..=62).contains(&sent), "{sent}");
}

#[test]
fn only_an_ethernet_has_dhcp() {
    let mut simulation = Simulation::new(1);
    let [one, other] = ["one", "other"].map(|name| simulation.host(name).unwrap());
    let link = simulation.link(Link::ip(1_500), (one, &["dhcp"]), (other, &["10.0.0.1/24"]));
    assert_eq!(link, Err(Error::InvalidArgument));
    let link = simulation.link(
        Link::ethernet(500),
        (one, &["dhcp"]),
        (other, &["10.0.0.1/24"]),
    );
    assert_eq!(link, Err(Error::InvalidArgument));
}
