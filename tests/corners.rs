//! What an experienced reviewer tries first: limits of numbers, handles of another stack, memory of no size.
#![cfg(all(feature = "std", feature = "ipv4", feature = "ipv6"))]
#![allow(clippy::unwrap_used, clippy::panic)] // a test may fail

mod net;

use core::time::Duration;
use glasstack::device::Wire;
use glasstack::smoltcp::phy::{Device, DeviceCapabilities, Medium};
use glasstack::smoltcp::time::Instant;
use glasstack::stack::option::{KeepAliveIdle, UserTimeout};
use glasstack::stack::{Capacity, Domain, Shutdown, Storage, Type};
use glasstack::trace::State;
use glasstack::{Error, Stack};
use net::segment::{ACK, FIN, RST, SYN, Segment};
use net::{Net, SERVER, Side, capacity};

#[test]
fn a_time_out_beyond_the_clock_is_never() {
    let mut net = Net::new();
    let (client, server, listener) = net.pair(SERVER);
    for (fd, side) in [
        (client, Side::Client),
        (server, Side::Server),
        (listener, Side::Server),
    ] {
        let stack = &mut net.host(side).stack;
        // Linux's own longest; beyond it the option is refused.
        let longest = Duration::from_millis(u64::from(u32::MAX));
        stack.setsockopt(fd, UserTimeout, Some(longest)).unwrap();
        for beyond in [Duration::MAX, Duration::from_secs(u64::MAX / 4)] {
            assert_eq!(
                stack.setsockopt(fd, UserTimeout, Some(beyond)),
                Err(Error::InvalidArgument)
            );
            assert_eq!(
                stack.setsockopt(fd, KeepAliveIdle, beyond),
                Err(Error::InvalidArgument)
            );
        }
        assert_eq!(stack.getsockopt(fd, UserTimeout), Ok(Some(longest)));
    }
    net.run();
    net.client.stack.send(client, b"hello").unwrap();
    net.run();
    assert_eq!(net.server.recv(server).unwrap(), b"hello");
    let other = net.client.connect(SERVER);
    net.run();
    assert_eq!(
        net.client.stack.connect(other, SERVER.parse().unwrap()),
        Ok(())
    );
    net.cut();
    net.client.stack.send(client, b"lost").unwrap();
    net.run_for(glasstack::smoltcp::time::Duration::from_secs(10_000));
    assert_eq!(net.client.recv(client), Err(Error::WouldBlock));
}

#[test]
fn the_end_of_time_is_only_a_number() {
    let mut net = Net::new();
    let (client, server, _) = net.pair(SERVER);
    net.now = Instant::from_micros(i64::MAX);
    net.client.stack.send(client, b"late").unwrap();
    for _ in 0..10 {
        net.client.poll(net.now);
        net.server.poll(net.now);
        while let Some(frame) = net.client.card.sent.pop_front() {
            net.server.card.received.push_back(frame);
        }
        while let Some(frame) = net.server.card.sent.pop_front() {
            net.client.card.received.push_back(frame);
        }
    }
    assert_eq!(net.server.recv(server).unwrap(), b"late");
}

#[test]
fn an_interface_of_another_stack_is_nothing_to_this_one() {
    let mut larger = Stack::with_capacity(capacity(), [1; 16], ());
    let (mut end, _other) = Wire::pair(Medium::Ip, 1500);
    let interface = larger.add_interface(&mut end, None).unwrap();
    let none = Capacity {
        interfaces: 0,
        ..capacity()
    };
    let mut smaller = Stack::with_capacity(none, [2; 16], ());
    assert_eq!(smaller.poll(interface, Instant::ZERO, &mut end), None);
}

#[test]
fn without_a_loopback_a_host_has_no_way_to_itself() {
    // Eight octets are a loopback too, and carry no header.
    for octets in [0, 24, 3 * 67] {
        let small = Capacity {
            loopback_buffer: octets,
            ..capacity()
        };
        let mut stack = Stack::with_capacity(small, [1; 16], ());
        for to in ["127.0.0.1:9999", "[::1]:9999"] {
            let to: core::net::SocketAddr = to.parse().unwrap();
            let stream = stack.socket(net::domain_of(to), Type::Stream).unwrap();
            assert_eq!(stack.connect(stream, to), Err(Error::NetworkUnreachable));
            let datagram = stack.socket(net::domain_of(to), Type::Datagram).unwrap();
            assert_eq!(
                stack.sendto(datagram, b"", to),
                Err(Error::NetworkUnreachable)
            );
            assert_eq!(stack.poll_loopback(Instant::ZERO), None);
        }
    }
    let mut storage = Storage::<8, 4, 2, 2048>::new();
    let mut stack = Stack::new(&mut storage, [7; 16], ());
    let fd = stack.socket(Domain::Inet, Type::Stream).unwrap();
    let to = "127.0.0.1:9999".parse().unwrap();
    assert_eq!(stack.connect(fd, to), Err(Error::NetworkUnreachable));
    assert_eq!(stack.poll_loopback(Instant::ZERO), None);
}

#[test]
fn a_link_carries_at_least_what_its_addresses_need() {
    // RFC 791 §3.2: 68 octets; RFC 8200 §5: 1,280.
    for (medium, link) in [(Medium::Ip, 0), (Medium::Ethernet, 14)] {
        let hardware = (medium == Medium::Ethernet).then_some([2, 0, 0, 0, 0, 1]);
        for (mtu, fits) in [
            (0, false),
            (13, false),
            (67, false),
            (68, true),
            (65_535, true),
            (65_536, false),
        ] {
            let mtu = if mtu > 13 { mtu + link } else { mtu };
            let (mut end, _other) = Wire::pair(medium, mtu);
            let mut stack = Stack::with_capacity(capacity(), [1; 16], ());
            let interface = stack.add_interface(&mut end, hardware);
            assert_eq!(interface.is_ok(), fits, "{medium:?} {mtu}");
        }
        for (mtu, fits) in [(1_279, false), (1_280, true)] {
            let (mut end, _other) = Wire::pair(medium, mtu + link);
            let mut stack = Stack::with_capacity(capacity(), [1; 16], ());
            let interface = stack.add_interface(&mut end, hardware).unwrap();
            assert_eq!(
                stack.add_address(interface, [10, 0, 0, 1].into(), 24),
                Ok(())
            );
            let v6 = stack.add_address(interface, "fd00::1".parse().unwrap(), 64);
            assert_eq!(v6.is_ok(), fits, "{medium:?} {mtu}");
        }
    }
}

#[test]
fn the_smallest_buffers_still_carry_a_conversation() {
    let tiny = Capacity {
        sockets: 4,
        connections: 1,
        datagrams: 0,
        receive_buffer: 1,
        send_buffer: 1,
        datagram_buffer: 0,
        datagram_packets: 0,
        pending_syns: 0,
        interfaces: 1,
        loopback_buffer: 0,
        reassemblies: 0,
        lookups: 0,
        wakers: 0,
    };
    let mut net = Net::with(Medium::Ip, tiny.clone(), tiny);
    let (client, server, _) = net.pair(SERVER);
    for octet in 0..20 {
        assert_eq!(net.client.stack.send(client, &[octet, 0]), Ok(1));
        net.run_for(glasstack::smoltcp::time::Duration::from_secs(5));
        assert_eq!(net.server.recv(server).unwrap(), [octet]);
        net.run_for(glasstack::smoltcp::time::Duration::from_secs(5));
    }
    assert!(net.client.stack.resolve("name.example").is_err());
    assert!(
        net.client
            .stack
            .socket(Domain::Inet, Type::Datagram)
            .is_err()
    );
}

#[test]
fn a_stack_of_nothing_answers_every_call() {
    let nothing = Capacity {
        sockets: 0,
        connections: 0,
        datagrams: 0,
        receive_buffer: 0,
        send_buffer: 0,
        datagram_buffer: 0,
        datagram_packets: 0,
        pending_syns: 0,
        interfaces: 0,
        loopback_buffer: 0,
        reassemblies: 0,
        lookups: 0,
        wakers: 0,
    };
    let mut stack = Stack::with_capacity(
        Capacity {
            sockets: 2,
            ..nothing.clone()
        },
        [1; 16],
        (),
    );
    let fd = stack.socket(Domain::Inet, Type::Stream).unwrap();
    assert_eq!(stack.listen(fd, 5), Ok(()));
    assert!(stack.socket(Domain::Inet, Type::Datagram).is_err());
    assert_eq!(stack.poll_loopback(Instant::ZERO), None);
    let mut stack = Stack::with_capacity(nothing, [1; 16], ());
    assert!(stack.socket(Domain::Inet, Type::Stream).is_err());
    assert_eq!(stack.poll_loopback(Instant::ZERO), None);
}

/// A connection's first flight, once its predecessor in the same slot has had the whole buffer in flight.
#[test]
fn a_connection_does_not_inherit_the_window_of_the_one_before() {
    let one = Capacity {
        connections: 1,
        send_buffer: 65_536,
        receive_buffer: 65_536,
        ..capacity()
    };
    let mut net = Net::with(
        Medium::Ip,
        one.clone(),
        Capacity {
            connections: 4,
            ..one
        },
    );
    let listener = net.server.listen(Domain::Inet, 9999, 4);
    let mut flights = [0; 2];
    for flight in &mut flights {
        let client = net.client.connect(SERVER);
        net.run();
        let (server, _) = net.server.stack.accept(listener).unwrap();
        assert_eq!(
            net.client.stack.connect(client, SERVER.parse().unwrap()),
            Ok(())
        );
        net.run();
        let before = net.frames.len();
        net.client.stack.send(client, &[7; 50_000]).unwrap();
        net.client.poll(net.now);
        *flight = net.client.card.sent.len();
        net.run_for(glasstack::smoltcp::time::Duration::from_secs(5));
        assert!(net.frames.len() > before);
        assert_eq!(net.server.recv(server).unwrap().len(), 50_000);
        net.client.stack.close(client).unwrap();
        net.server.stack.close(server).unwrap();
        net.run_for(glasstack::smoltcp::time::Duration::from_secs(100));
        assert_eq!(net.client.stack.usage().connections, 0);
    }
    assert_eq!(flights[0], flights[1]);
}

/// RFC 5961 §3.2: a reset counts at exactly the next sequence number; elsewhere in the window it is asked back.
#[test]
fn a_reset_that_only_hits_the_window_ends_nothing() {
    let mut net = Net::new();
    let (client, server, _) = net.pair(SERVER);
    net.server.stack.send(server, b"hello").unwrap();
    net.run();
    let last = net.segments(Side::Server).last().unwrap().clone();
    let next = last.end();
    let (source, destination) = (last.source.to_string(), last.destination.to_string());
    let sent = net.segments(Side::Client).len();
    net.inject(
        Side::Client,
        &Segment::new(&source, &destination, RST, next.wrapping_add(100), 0),
    );
    net.run();
    assert_eq!(net.client.recv(client).unwrap(), b"hello");
    assert_eq!(net.client.recv(client), Err(Error::WouldBlock));
    let answers = net.segments(Side::Client).split_off(sent);
    assert_eq!(
        answers
            .iter()
            .filter(|segment| segment.flags == ACK && segment.ack == next)
            .count(),
        1
    );
    // Beyond the window, or before it: no word.
    for seq in [next.wrapping_add(100_000), next.wrapping_sub(1)] {
        let sent = net.segments(Side::Client).len();
        net.run_for(glasstack::smoltcp::time::Duration::from_secs(2));
        net.inject(
            Side::Client,
            &Segment::new(&source, &destination, RST, seq, 0),
        );
        net.run();
        assert_eq!(net.segments(Side::Client).len(), sent);
    }
    net.inject(
        Side::Client,
        &Segment::new(&source, &destination, RST, next, 0),
    );
    net.run();
    assert_eq!(net.client.recv(client), Err(Error::ConnectionReset));
}

/// The peer's next number moves on with what it sends, whether that is acknowledged or read yet, and with its FIN.
#[test]
fn a_reset_right_behind_data_or_fin_is_exact() {
    for (flags, read) in [
        (ACK, false),
        (ACK, true),
        (ACK | FIN, false),
        (ACK | FIN, true),
    ] {
        let mut net = Net::new();
        let (client, server, _) = net.pair(SERVER);
        net.server.stack.send(server, b"abc").unwrap();
        net.run();
        let last = net.segments(Side::Server).last().unwrap().clone();
        let acked = net.segments(Side::Client).last().unwrap().end();
        let (source, destination) = (last.source.to_string(), last.destination.to_string());
        let more = Segment::new(&source, &destination, flags, last.end(), acked).with(b"defg");
        net.inject(Side::Client, &more);
        if read {
            net.client.poll(net.now);
            assert_eq!(net.client.recv(client).unwrap(), b"abcdefg");
        }
        net.inject(
            Side::Client,
            &Segment::new(&source, &destination, RST, more.end(), 0),
        );
        net.client.poll(net.now);
        assert!(
            net.client.stack.readiness(client).unwrap().error,
            "{flags} {read}"
        );
    }
}

/// RFC 5961 §4.2, RFC 9293 §3.5.1: a peer that has restarted must learn that the old connection still stands.
#[test]
fn a_syn_on_an_established_connection_is_asked_back() {
    let mut net = Net::new();
    let (client, server, _) = net.pair(SERVER);
    net.client.stack.send(client, b"hello").unwrap();
    net.run();
    net.run_for(glasstack::smoltcp::time::Duration::from_secs(2));
    let last = net.segments(Side::Client).last().unwrap().clone();
    let (source, destination) = (last.source.to_string(), last.destination.to_string());
    for seq in [last.end(), last.end().wrapping_add(1_000_000)] {
        net.run_for(glasstack::smoltcp::time::Duration::from_secs(2));
        let sent = net.segments(Side::Server).len();
        net.inject(
            Side::Server,
            &Segment::new(&source, &destination, SYN, seq, 0),
        );
        net.inject(
            Side::Server,
            &Segment::new(&source, &destination, SYN, seq, 0),
        );
        net.run();
        let answers = net.segments(Side::Server).split_off(sent);
        // RFC 5961 §7: not more than one a second.
        assert_eq!(answers.len(), 1, "{answers:?}");
        assert_eq!((answers[0].flags, answers[0].ack), (ACK, last.end()));
    }
    assert_eq!(net.server.recv(server).unwrap(), b"hello");
    assert_eq!(net.server.recv(server), Err(Error::WouldBlock));
}

/// A full device of one link asks for patience, whichever link is polled.
#[test]
fn a_full_device_does_not_call_the_other_links_to_work() {
    let mut net = Net::with(
        Medium::Ip,
        Capacity {
            interfaces: 3,
            ..capacity()
        },
        capacity(),
    );
    let mut full = net::Card {
        medium: Medium::Ip,
        received: [].into(),
        sent: [].into(),
        room: 0,
    };
    let stack = &mut net.client.stack;
    let second = stack.add_interface(&mut full, None).unwrap();
    stack.add_address(second, [10, 9, 0, 1].into(), 24).unwrap();
    let fd = stack.socket(Domain::Inet, Type::Datagram).unwrap();
    stack
        .sendto(fd, b"waits", "10.9.0.2:9999".parse().unwrap())
        .unwrap();
    let now = net.now;
    for _ in 0..3 {
        let retry = stack.poll(second, now, &mut full);
        assert!(retry.is_some_and(|at| at > now), "{retry:?}");
        let other = stack.poll(net.client.interface, now, &mut net.client.card);
        assert!(other.is_some_and(|at| at > now), "{other:?} at {now:?}");
    }
    full.room = 1;
    assert_eq!(stack.poll(second, now, &mut full), None);
    assert_eq!(full.sent.len(), 1);
}

/// RFC 1122 §3.2.2, RFC 4443 §2.4: one forged frame to a group must not have all its members answer the victim.
#[test]
fn nothing_that_was_sent_to_a_group_is_answered_with_an_error() {
    use glasstack::smoltcp::wire::{
        EthernetAddress, EthernetFrame, EthernetProtocol, IpAddress, IpProtocol, IpRepr,
    };
    let mut net = Net::new();
    let (v4, v6) = ([10, 0, 0, 1], "fd00::1");
    let me: [IpAddress; 2] = [
        IpAddress::v4(v4[0], v4[1], v4[2], v4[3]),
        v6.parse().unwrap(),
    ];
    net.pair(SERVER);
    let mut answers = |group: [u8; 6],
                       source: IpAddress,
                       destination: IpAddress,
                       protocol: u8,
                       transport: &[u8]| {
        let ip = IpRepr::new(
            source,
            destination,
            IpProtocol::from(protocol),
            transport.len(),
            64,
        );
        let mut frame = vec![0; 14 + ip.buffer_len()];
        let mut ethernet = EthernetFrame::new_unchecked(&mut frame);
        ethernet.set_src_addr(EthernetAddress(Side::Client.hardware_address()));
        ethernet.set_dst_addr(EthernetAddress(group));
        ethernet.set_ethertype(match source {
            IpAddress::Ipv4(_) => EthernetProtocol::Ipv4,
            IpAddress::Ipv6(_) => EthernetProtocol::Ipv6,
        });
        ip.emit(&mut frame[14..], &Default::default());
        frame[14 + ip.header_len()..].copy_from_slice(transport);
        net.server.card.received.push_back(frame);
        net.server.poll(net.now);
        let sent = net.server.card.sent.len();
        net.server.card.sent.clear();
        sent
    };
    let station = Side::Server.hardware_address();
    let everybody = [0xff; 6];
    let all_nodes = [0x33, 0x33, 0, 0, 0, 1];
    // A datagram for a port that nobody has, without a checksum; and a protocol that nobody has.
    let udp = [0, 7, 0, 9, 0, 8, 0, 0];
    let mine = IpAddress::v4(10, 0, 0, 2);
    assert_eq!(answers(station, me[0], mine, 17, &udp), 1, "the test works");
    assert_eq!(answers(everybody, me[0], mine, 17, &udp), 0);
    assert_eq!(answers(station, me[0], mine, 99, &udp), 1, "the test works");
    assert_eq!(answers(everybody, me[0], mine, 99, &udp), 0);
    assert_eq!(
        answers(everybody, me[0], IpAddress::v4(10, 0, 0, 255), 99, &udp),
        0
    );
    let group: IpAddress = "ff02::1".parse().unwrap();
    assert_eq!(answers(all_nodes, me[1], group, 99, &udp), 0);
    assert_eq!(
        answers(all_nodes, me[1], group, 60, &[17, 0, 1, 4, 0, 0, 0, 0]),
        0
    );
    // A "ping" to the broadcast address (RFC 1122 §3.2.2.6; Linux is silent, too).
    let ping = [8, 0, 0xf7, 0xff, 0, 0, 0, 0];
    assert_eq!(answers(station, me[0], mine, 1, &ping), 1, "the test works");
    assert_eq!(
        answers(everybody, me[0], IpAddress::v4(10, 0, 0, 255), 1, &ping),
        0
    );
    assert_eq!(
        answers(
            everybody,
            me[0],
            IpAddress::v4(255, 255, 255, 255),
            1,
            &ping
        ),
        0
    );
}

/// As on Linux: who bound an address hears what is sent to that address, and an IPv6-only socket hears no IPv4.
#[test]
fn a_broadcast_is_for_the_wildcard_address_of_its_family() {
    use glasstack::smoltcp::wire::{IpAddress, IpProtocol, IpRepr};
    use glasstack::stack::option::V6Only;
    let mut net = Net::new();
    let stack = &mut net.server.stack;
    let narrow = stack.socket(Domain::Inet, Type::Datagram).unwrap();
    stack
        .bind(narrow, "10.0.0.2:1000".parse().unwrap())
        .unwrap();
    let six = stack.socket(Domain::Inet6, Type::Datagram).unwrap();
    stack.setsockopt(six, V6Only, true).unwrap();
    stack.bind(six, "[::]:1001".parse().unwrap()).unwrap();
    let any = stack.socket(Domain::Inet, Type::Datagram).unwrap();
    stack.bind(any, "0.0.0.0:1002".parse().unwrap()).unwrap();
    for port in [1000u16, 1001, 1002] {
        let transport = [0, 7, (port >> 8) as u8, port as u8, 0, 8, 0, 0];
        let ip = IpRepr::new(
            IpAddress::v4(10, 0, 0, 1),
            IpAddress::v4(10, 0, 0, 255),
            IpProtocol::Udp,
            8,
            64,
        );
        let mut frame = vec![0xff; 6];
        frame.extend([2, 0, 0, 0, 0, 1, 8, 0]);
        frame.resize(14 + ip.header_len(), 0);
        ip.emit(&mut frame[14..], &Default::default());
        frame.extend(transport);
        net.server.card.received.push_back(frame);
    }
    net.server.poll(net.now);
    assert_eq!(net.server.recv(any), Ok(vec![]));
    assert_eq!(net.server.recv(narrow), Err(Error::WouldBlock));
    assert_eq!(net.server.recv(six), Err(Error::WouldBlock));
}

/// A timer that happens to be a second away is not smoltcp's silence about a neighbor.
#[test]
fn a_keep_alive_of_a_second_asks_for_nobodys_hardware_address() {
    let mut net = Net::new();
    let (client, server, _) = net.pair(SERVER);
    let second = Some(Duration::from_secs(1));
    net.client.keep_alive(client, second);
    net.run_for(glasstack::smoltcp::time::Duration::from_secs(3));
    let before = net.frames.len();
    for _ in 0..5 {
        net.client.stack.send(client, b"hello").unwrap();
        net.run_for(glasstack::smoltcp::time::Duration::from_secs(5));
    }
    assert_eq!(net.server.recv(server).unwrap().len(), 25);
    let arp = |frame: &&net::Frame| frame.octets[12..14] == [8, 6];
    assert_eq!(net.frames[before..].iter().filter(arp).count(), 0);
}

/// RFC 1337: what happens to a connection after its end is not the application's business.
#[test]
fn a_reset_in_time_wait_is_no_error() {
    let mut net = Net::new();
    let (client, server, _) = net.pair(SERVER);
    net.client.stack.shutdown(client, Shutdown::Write).unwrap();
    net.run();
    net.server.stack.close(server).unwrap();
    net.run();
    assert_eq!(net.client.states().last(), Some(&State::TimeWait));
    let last = net.segments(Side::Server).last().unwrap().clone();
    let (source, destination) = (last.source.to_string(), last.destination.to_string());
    net.inject(
        Side::Client,
        &Segment::new(&source, &destination, RST, last.end(), 0),
    );
    net.run();
    assert_eq!(net.client.recv(client), Ok(vec![]));
    assert_eq!(net.client.stack.take_error(client), Ok(None));
}

/// RFC 9293 §3.5, figure 8, with oneself.
#[test]
fn a_socket_may_connect_to_itself() {
    let mut net = Net::new();
    let stack = &mut net.client.stack;
    let me = "127.0.0.1:5000".parse().unwrap();
    let fd = stack.socket(Domain::Inet, Type::Stream).unwrap();
    stack.bind(fd, me).unwrap();
    assert_eq!(stack.connect(fd, me), Err(Error::WouldBlock));
    net.run_for(glasstack::smoltcp::time::Duration::from_secs(5));
    assert_eq!(net.client.stack.connect(fd, me), Ok(()));
    net.client.stack.send(fd, b"to myself").unwrap();
    net.run();
    assert_eq!(net.client.recv(fd).unwrap(), b"to myself");
    net.client.stack.close(fd).unwrap();
    net.run_for(glasstack::smoltcp::time::Duration::from_secs(200));
    assert_eq!(net.client.stack.usage().connections, 0);
}

/// The connection that failed had an address; the socket that was bound to all of them still is.
#[test]
fn a_failed_connect_leaves_the_socket_bound_as_it_was() {
    let mut net = Net::new();
    let stack = &mut net.client.stack;
    let fd = stack.socket(Domain::Inet, Type::Stream).unwrap();
    stack.bind(fd, "0.0.0.0:5000".parse().unwrap()).unwrap();
    assert_eq!(
        stack.connect(fd, SERVER.parse().unwrap()),
        Err(Error::WouldBlock)
    );
    net.run();
    let stack = &mut net.client.stack;
    assert_eq!(
        stack.connect(fd, SERVER.parse().unwrap()),
        Err(Error::ConnectionRefused)
    );
    assert_eq!(stack.getsockname(fd), Ok("0.0.0.0:5000".parse().unwrap()));
    assert_eq!(
        stack.connect(fd, "127.0.0.1:1".parse().unwrap()),
        Err(Error::WouldBlock)
    );
    net.run();
    let stack = &mut net.client.stack;
    assert_eq!(
        stack.connect(fd, "127.0.0.1:1".parse().unwrap()),
        Err(Error::ConnectionRefused)
    );
}

/// Counts how often smoltcp looks at a socket on its way out: it asks for the capabilities each time.
struct Counting(net::Card, std::cell::Cell<usize>);

impl Device for Counting {
    type RxToken<'a> = net::Rx;
    type TxToken<'a> = net::Tx<'a>;

    fn receive(&mut self, now: Instant) -> Option<(net::Rx, net::Tx<'_>)> {
        self.0.receive(now)
    }

    fn transmit(&mut self, now: Instant) -> Option<net::Tx<'_>> {
        self.0.transmit(now)
    }

    fn capabilities(&self) -> DeviceCapabilities {
        self.1.set(self.1.get() + 1);
        self.0.capabilities()
    }
}

/// Only an answer about hardware addresses is worth another look at those who wait for one.
#[test]
fn a_frame_costs_nothing_for_each_socket_that_waits_for_a_neighbor() {
    let card = net::Card {
        medium: Medium::Ethernet,
        received: [].into(),
        sent: [].into(),
        room: usize::MAX,
    };
    let mut device = Counting(card, 0.into());
    let mut stack = Stack::with_capacity(
        Capacity {
            datagrams: 32,
            ..capacity()
        },
        [1; 16],
        (),
    );
    let interface = stack
        .add_interface(&mut device, Some([2, 0, 0, 0, 0, 2]))
        .unwrap();
    stack
        .add_address(interface, [10, 0, 0, 2].into(), 24)
        .unwrap();
    let now = Instant::from_secs(1_000);
    for host in 100..132u8 {
        let fd = stack.socket(Domain::Inet, Type::Datagram).unwrap();
        stack
            .sendto(fd, b"who?", ([10, 0, 0, host], 9).into())
            .unwrap();
    }
    let _ = stack.poll(interface, now, &mut device);
    let mut discovery = vec![0xff; 12];
    discovery.extend([0x88, 0xcc, 0, 0]);
    let mut ping = vec![2, 0, 0, 0, 0, 2, 2, 0, 0, 0, 0, 1, 8, 0];
    ping.extend([
        0x45, 0, 0, 28, 0, 0, 0, 0, 64, 1, 0x66, 0xdd, 10, 0, 0, 1, 10, 0, 0, 2, 8, 0, 0xf7, 0xff,
        0, 0, 0, 0,
    ]);
    for frame in [discovery, ping] {
        device.1.set(0);
        device.0.received.push_back(frame);
        let _ = stack.poll(interface, now, &mut device);
        assert!(device.1.get() < 10, "{} looks", device.1.get());
    }
}
