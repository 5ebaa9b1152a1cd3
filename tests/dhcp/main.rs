//! An address by DHCP: over links that lose and spoil, from servers that fall silent, refuse and come back, beside hosts that
//! have the address already, or forge answers.
#![cfg(all(feature = "std", feature = "ipv4"))]
// A step that fails fails its test.
#![allow(clippy::unwrap_used, clippy::panic)]

mod server;

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::time::Duration;

use glasstack::device::wire::Conditions;
use glasstack::sim::{HostId, Link, Simulation, SwitchId};
use glasstack::socket::{TcpListener, TcpStream, UdpSocket, configured, sleep};
use glasstack::stack::{InterfaceId, Lease};
use glasstack::trace::ladder::{Ends, Ladder, Options};
use glasstack::trace::{AddressChange, Happening, Origin};
use glasstack::{Error, Result};
use server::*;

const SECOND: Duration = Duration::from_secs(1);
const MINUTE: Duration = Duration::from_secs(60);
const HOUR: Duration = Duration::from_secs(3_600);

/// A client, a server, and a third host on a switch.
struct Net {
    simulation: Simulation,
    client: HostId,
    server: HostId,
    other: HostId,
    switch: SwitchId,
    book: SharedBook,
}

impl Net {
    /// With leases of so many seconds; the client's link has these conditions.
    fn new(seed: u64, seconds: u32, conditions: Conditions) -> Net {
        let mut simulation = Simulation::new(seed);
        let names = ["client", "server", "other"];
        let [client, server, other] = names.map(|name| simulation.host(name).unwrap());
        let switch = simulation.switch();
        let faulty = Link::ethernet(1514).both(conditions);
        simulation
            .link(faulty, (client, &["dhcp"]), switch)
            .unwrap();
        for (host, address) in [(server, "10.0.0.1/24"), (other, "10.0.0.66/24")] {
            let link = Link::ethernet(1514);
            simulation.link(link, (host, &[address]), switch).unwrap();
        }
        let book = Book::new(seconds);
        let shared = book.clone();
        let service = move |network| serve(network, shared.clone());
        simulation.serve(server, "dhcp", service).unwrap();
        Net {
            simulation,
            client,
            server,
            other,
            switch,
            book,
        }
    }

    fn perfect(seconds: u32) -> Net {
        Net::new(1, seconds, Conditions::default())
    }

    fn lease(&mut self) -> Option<Lease> {
        let link = self.link();
        let lease = |stack: &mut glasstack::Stack<'_, _>| Ok(stack.lease(link).cloned());
        self.simulation.with(self.client, lease).unwrap()
    }

    /// The client's interface.
    fn link(&mut self) -> InterfaceId {
        let client = self.client;
        interface_of(&mut self.simulation, client)
    }

    fn run_for(&mut self, time: Duration) {
        self.simulation.run_for(time).unwrap();
    }

    /// Runs until the client has an address.
    fn configure(&mut self) -> Lease {
        let wait = |network| async move { configured(&network).await };
        let waiting = self.simulation.spawn(self.client, "waits", wait).unwrap();
        self.simulation.limit(self.simulation.elapsed() + 2 * HOUR);
        self.simulation.run().unwrap();
        assert_eq!(waiting.take(), Some(Ok(())));
        self.lease().unwrap()
    }
}

/// The one interface of a host that is no loopback.
fn interface_of(simulation: &mut Simulation, host: HostId) -> InterfaceId {
    simulation
        .with(host, |stack| Ok(stack.interfaces().next().unwrap()))
        .unwrap()
}

fn address(text: &str) -> SocketAddr {
    text.parse().unwrap()
}

fn ten(last: u8) -> Ipv4Addr {
    Ipv4Addr::new(10, 0, 0, last)
}

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
        assert_eq!(net.lease().map(|lease| lease.address), Some(ten(100)));
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
    assert_eq!(net.lease().map(|lease| lease.address), Some(ten(100)));
    assert!(reader.take().is_none() && receiver.take().is_none());
    net.run_for(2 * SECOND);
    assert_eq!(net.lease(), None);
    assert_eq!(reader.take(), Some(Err(Error::AddrNotAvailable)));
    assert_eq!(receiver.take(), Some(Err(Error::AddrNotAvailable)));
    // Nobody is reached without an address.
    let lost = |network| async move {
        TcpStream::connect(network, address("10.0.0.66:9999"))
            .await
            .map(drop)
    };
    let lost = net.simulation.spawn(net.client, "connects", lost).unwrap();
    net.run_for(SECOND);
    assert_eq!(lost.take(), Some(Err(Error::NetworkUnreachable)));

    // Meanwhile the server gave the address to somebody else.
    net.run_for(5 * HOUR);
    {
        let mut book = net.book.borrow_mut();
        book.lease = None;
        book.next = 200;
    }
    net.simulation.start(net.server).unwrap();
    let lease = net.configure();
    assert_eq!(lease.address, ten(200));
}

#[test]
fn a_server_that_refuses_takes_the_address_away_at_once() {
    let mut net = Net::perfect(3_600);
    net.configure();
    net.book.borrow_mut().lease = None;
    net.book.borrow_mut().next = 150;
    net.run_for(HOUR / 2 - net.simulation.elapsed() - SECOND);
    assert_eq!(net.lease().map(|lease| lease.address), Some(ten(100)));
    net.run_for(2 * SECOND);
    assert_eq!(net.lease(), None);
    assert_eq!(net.configure().address, ten(150));
}

#[test]
fn an_address_that_a_host_has_is_declined_for_another() {
    let mut net = Net::perfect(3_600);
    let switchless = |stack: &mut glasstack::Stack<'static, _>| {
        let interface = stack.interfaces().next().unwrap();
        stack.add_address(interface, ten(100).into(), 24)?;
        stack.add_address(interface, ten(101).into(), 24)
    };
    net.simulation.configure(net.other, switchless).unwrap();
    let lease = net.configure();
    assert_eq!(lease.address, ten(102));
    assert_eq!(net.book.borrow().declined, [ten(100), ten(101)]);
    // Ten seconds after each.
    assert!(net.simulation.elapsed() > 24 * SECOND);
}

#[test]
fn whoever_takes_the_address_later_gets_it_after_one_warning() {
    let mut net = Net::perfect(3_600);
    net.configure();
    net.run_for(MINUTE);
    // A host that has no idea of RFC 5227: it speaks from the address, to different hosts.
    let intrude = |network| async move {
        for last in [1, 77, 78] {
            let socket = UdpSocket::bind(&network, address("10.0.0.100:5000"))?;
            let _ = socket.send_to(b"x", (ten(last), 9).into()).await;
            sleep(&network, 2 * SECOND).await?;
        }
        Result::Ok(())
    };
    let intruder = net.simulation.host("intruder").unwrap();
    let plugged = (intruder, &["10.0.0.100/24"]);
    net.simulation
        .link(Link::ethernet(1514), plugged, net.switch)
        .unwrap();
    let _ = net.simulation.spawn(intruder, "intrudes", intrude).unwrap();
    net.run_for(10 * SECOND);
    assert_eq!(net.lease(), None);
    assert_eq!(net.book.borrow().declined, [ten(100)]);
    assert_eq!(net.configure().address, ten(101));
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
    net.book.borrow_mut().lease = None;
    net.book.borrow_mut().next = 180;
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
fn the_users_own_gateway_and_name_servers_stay() {
    let mut net = Net::perfect(3_600);
    let link = net.link();
    let setup = move |stack: &mut glasstack::Stack<'static, _>| {
        stack.add_address(link, Ipv4Addr::new(10, 1, 0, 5).into(), 24)?;
        stack.set_gateway(link, Ipv4Addr::new(10, 1, 0, 1).into())?;
        stack.add_name_server(Ipv4Addr::new(10, 0, 0, 66).into())
    };
    net.simulation.configure(net.client, setup).unwrap();
    net.configure();
    // The user's server answers; the lease's would not.
    let answer = |network| async move {
        let socket = UdpSocket::bind(network, address("10.0.0.66:53")).unwrap();
        let mut buffer = [0; 512];
        loop {
            let query = socket.recv_from(&mut buffer).await.unwrap();
            let mut answer = buffer[..query.len].to_vec();
            answer[2] |= 0x80;
            answer[3] = 3; // no such name
            socket.send_to(&answer, query.from).await.unwrap();
        }
    };
    net.simulation.serve(net.other, "dns", answer).unwrap();
    let ask =
        |network| async move { glasstack::socket::resolve(&network, "www.example.com").await };
    let asked = net.simulation.spawn(net.client, "asks", ask).unwrap();
    net.run_for(SECOND);
    assert_eq!(asked.take(), Some(Err(Error::NameNotFound)));
    // Behind a router it is the user's that is asked for.
    let far = |network| async move {
        let socket = UdpSocket::bind(network, address("0.0.0.0:0"))?;
        socket.send_to(b"x", address("192.0.2.1:9")).await
    };
    let recording = net.simulation.record();
    let _ = net.simulation.spawn(net.client, "sends", far).unwrap();
    net.run_for(SECOND);
    let gateway = [10, 1, 0, 1];
    let asks = |event: &glasstack::trace::Captured| match event.event().happening {
        glasstack::trace::Happening::Frame { bytes, .. } => {
            bytes.get(12..14) == Some(&[8, 6]) && bytes.get(38..42) == Some(&gateway[..])
        }
        _ => false,
    };
    assert!(recording.events().iter().any(asks));
}

#[test]
fn the_leases_name_servers_and_router_are_used_and_go_with_it() {
    let mut net = Net::perfect(60);
    net.configure();
    let answer = |network| async move {
        let socket = UdpSocket::bind(network, address("10.0.0.1:53")).unwrap();
        let mut buffer = [0; 512];
        loop {
            let query = socket.recv_from(&mut buffer).await.unwrap();
            let mut answer = buffer[..query.len].to_vec();
            answer[2] |= 0x80;
            answer[3] = 3; // no such name
            socket.send_to(&answer, query.from).await.unwrap();
        }
    };
    net.simulation.serve(net.server, "dns", answer).unwrap();
    let ask =
        |network| async move { glasstack::socket::resolve(&network, "www.example.com").await };
    let asked = net.simulation.spawn(net.client, "asks", ask).unwrap();
    net.run_for(SECOND);
    assert_eq!(asked.take(), Some(Err(Error::NameNotFound)));
    let far = |network| async move {
        let socket = UdpSocket::bind(network, address("0.0.0.0:0"))?;
        socket.send_to(b"x", address("192.0.2.1:9")).await
    };
    let sent = net.simulation.spawn(net.client, "sends", far).unwrap();
    net.run_for(SECOND);
    assert_eq!(sent.take(), Some(Ok(1)));
    net.simulation.stop(net.server);
    net.run_for(2 * MINUTE);
    assert_eq!(net.lease(), None);
    let sent = net.simulation.spawn(net.client, "sends", far).unwrap();
    net.run_for(SECOND);
    assert_eq!(sent.take(), Some(Err(Error::NetworkUnreachable)));
}

#[test]
fn the_glass_shows_messages_probes_and_what_becomes_of_the_address() {
    let mut net = Net::perfect(60);
    let recording = net.simulation.record();
    net.configure();
    net.simulation.stop(net.server);
    net.run_for(2 * MINUTE);

    let events = recording.events();
    let changes = events.iter().filter_map(|event| {
        let event = event.event();
        match event.happening {
            Happening::Address {
                address,
                change,
                origin,
                ..
            } => Some((event.time.secs(), address, change, origin)),
            _ => None,
        }
    });
    let changes: Vec<_> = changes.collect();
    let address: IpAddr = ten(100).into();
    let [(gained, ..), lost] = changes[..] else {
        panic!("{changes:?}");
    };
    assert!((4..=7).contains(&gained), "{gained}");
    let preferred = (gained, address, AddressChange::Preferred, Origin::Dhcp);
    assert_eq!(changes[0], preferred);
    assert_eq!(lost, (60, address, AddressChange::Removed, Origin::Dhcp));

    let ends = Ends::between(
        (net.client.station(), "client"),
        (net.server.station(), "server"),
    );
    let mut ladder = Ladder::<_>::new(String::new(), ends, Options::default());
    events.replay(&mut ladder);
    ladder.finish().unwrap();
    let text = ladder.into_inner();
    let mut rest = &text[..];
    for words in [
        "DHCP Discover",
        "DHCP Offer 10.0.0.100",
        "DHCP Request 10.0.0.100",
        "DHCP ACK 10.0.0.100",
        "ARP who has 10.0.0.100?",
        "10.0.0.100 preferred",
        "10.0.0.100 removed",
    ] {
        let at = rest
            .find(words)
            .unwrap_or_else(|| panic!("no {words} in\n{text}"));
        rest = &rest[at..];
    }
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
fn who_listens_on_the_clients_port_hears_the_server_too() {
    let mut net = Net::perfect(3_600);
    let listen = |network| async move {
        let socket = UdpSocket::bind(network, address("0.0.0.0:68"))?;
        let mut buffer = [0; 600];
        let offer = socket.recv_from(&mut buffer).await?;
        Result::Ok((offer.from, buffer[242]))
    };
    let heard = net.simulation.spawn(net.client, "hears", listen).unwrap();
    assert_eq!(net.configure().address, ten(100));
    let offer = (SocketAddr::from((SERVER, 67)), OFFER);
    assert_eq!(heard.take(), Some(Ok(offer)));
}

#[cfg(target_os = "linux")]
#[test]
fn a_host_waits_for_its_address_as_long_as_it_is_told() {
    use glasstack::device::Wire;
    use glasstack::host::Host;
    use glasstack::smoltcp::phy::Medium;
    use std::io::ErrorKind;

    let (device, _other_end) = Wire::pair(Medium::Ethernet, 1514);
    let host = Host::builder().dhcp().start(device).unwrap();
    let waiting = host.wait_until_configured(Duration::from_millis(50));
    assert_eq!(waiting.unwrap_err().kind(), ErrorKind::TimedOut);
    assert!(host.leases().is_empty());
    host.shutdown(SECOND).unwrap();
    let waiting = host.wait_until_configured(HOUR);
    assert_eq!(waiting.unwrap_err().kind(), ErrorKind::NetworkDown);

    let (device, _other_end) = Wire::pair(Medium::Ip, 1500);
    let host = Host::builder().dhcp().start(device);
    assert_eq!(host.unwrap_err().kind(), ErrorKind::InvalidInput);
    // What asks for nothing has nothing to wait for.
    let host = Host::builder().start_loopback().unwrap();
    host.wait_until_configured(Duration::ZERO).unwrap();
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
