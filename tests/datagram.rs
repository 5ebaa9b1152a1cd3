//! Datagram sockets: boundaries, sizes, who gets what.
#![cfg(all(feature = "std", feature = "ipv4", feature = "ipv6"))]
// A step that fails fails its test.
#![allow(clippy::unwrap_used, clippy::panic)]

mod net;

use std::net::SocketAddr;

use glasstack::smoltcp::time::Duration as Time;
use glasstack::stack::option::{HopLimit, TypeOfService, V6Only};
use glasstack::stack::{Domain, Message, Received, Type};
use glasstack::{Error, Fd};
use net::{Host, Net, PORT, SERVER, SERVER_V6, domain_of};

fn address(text: &str) -> SocketAddr {
    text.parse().unwrap()
}

fn open(host: &mut Host, domain: Domain) -> Fd {
    host.stack.socket(domain, Type::Datagram).unwrap()
}

fn bound(host: &mut Host, to: &str) -> Fd {
    let to = address(to);
    let fd = open(host, domain_of(to));
    host.stack.bind(fd, to).unwrap();
    fd
}

/// Everything that waits in a socket, as text.
fn texts(host: &mut Host, fd: Fd) -> Vec<String> {
    std::iter::from_fn(|| host.recv(fd).ok())
        .map(|data| String::from_utf8(data).unwrap())
        .collect()
}

#[test]
fn message_boundaries_are_kept_and_empty_datagrams_are_datagrams() {
    for server in [SERVER, SERVER_V6] {
        let mut net = Net::new();
        let to = address(server);
        let socket = net.server.datagram(domain_of(to), PORT);
        let client = open(&mut net.client, domain_of(to));
        for text in ["one", "", "three"] {
            assert_eq!(
                net.client.stack.sendto(client, text.as_bytes(), to),
                Ok(text.len())
            );
        }
        net.run();
        let from = SocketAddr::new(
            if to.is_ipv4() {
                [10, 0, 0, 1].into()
            } else {
                "fd00::1".parse().unwrap()
            },
            net.client.stack.getsockname(client).unwrap().port(),
        );
        let mut buffer = [0; 100];
        for text in ["one", "", "three"] {
            let received = net.server.stack.recvfrom(socket, &mut buffer).unwrap();
            let len = text.len();
            assert_eq!(
                received,
                Received {
                    len,
                    size: len,
                    from,
                    to,
                    hop_limit: 64,
                    traffic_class: 0,
                    ..received
                }
            );
            assert_eq!(received.interface.index(), 1);
            assert_eq!(&buffer[..len], text.as_bytes());
        }
        assert_eq!(
            net.server.stack.recvfrom(socket, &mut buffer),
            Err(Error::WouldBlock)
        );
    }
}

#[test]
fn what_is_queued_at_close_still_leaves_empty_datagrams_too() {
    let mut net = Net::new();
    let socket = net.server.datagram(Domain::Inet, PORT);
    let client = open(&mut net.client, Domain::Inet);
    for text in ["a", "", "b", ""] {
        net.client
            .stack
            .sendto(client, text.as_bytes(), address(SERVER))
            .unwrap();
    }
    net.client.stack.close(client).unwrap();
    assert_eq!(net.client.stack.usage().datagrams, 1);
    net.run();
    assert_eq!(texts(&mut net.server, socket), ["a", "", "b", ""]);
    assert_eq!(net.client.stack.usage().datagrams, 0);
}

#[test]
fn only_an_empty_datagram_queued_at_close_still_leaves() {
    let mut net = Net::new();
    let socket = net.server.datagram(Domain::Inet, PORT);
    let client = open(&mut net.client, Domain::Inet);
    net.client
        .stack
        .sendto(client, b"", address(SERVER))
        .unwrap();
    net.client.stack.close(client).unwrap();
    net.run();
    assert_eq!(texts(&mut net.server, socket), [""]);
    assert_eq!(net.client.stack.usage().datagrams, 0);
}

#[test]
fn closing_after_sending_to_a_neighbor_that_is_not_there_gives_the_slot_back() {
    let mut net = Net::new();
    let client = open(&mut net.client, Domain::Inet);
    for text in ["a", "", "b", ""] {
        net.client
            .stack
            .sendto(client, text.as_bytes(), address("10.0.0.9:1"))
            .unwrap();
    }
    net.client.stack.close(client).unwrap();
    net.run_for(Time::from_secs(20));
    assert_eq!(net.client.stack.usage().datagrams, 0);
    assert_eq!(net.client.deadline, None);
}

#[test]
fn a_datagram_longer_than_the_buffer_is_cut_and_says_so() {
    let mut net = Net::new();
    let socket = net.server.datagram(Domain::Inet, PORT);
    let client = open(&mut net.client, Domain::Inet);
    for text in ["hello, world", "next"] {
        net.client
            .stack
            .sendto(client, text.as_bytes(), address(SERVER))
            .unwrap();
    }
    net.run();
    let mut buffer = [0; 5];
    let peeked = net.server.stack.peekfrom(socket, &mut buffer).unwrap();
    assert_eq!((peeked.len, peeked.size), (5, 12));
    let received = net.server.stack.recvfrom(socket, &mut buffer).unwrap();
    assert_eq!((received.len, received.size, &buffer), (5, 12, b"hello"));
    // What did not fit is gone; the next datagram is whole.
    assert_eq!(net.server.recv(socket), Ok(b"next".to_vec()));
}

#[test]
fn a_datagram_longer_than_the_link_takes_leaves_in_fragments_and_arrives_whole() {
    for (server, most) in [(SERVER, 1_500 - 28), (SERVER_V6, 1_500 - 48)] {
        for len in [most, most + 1, 2 * most, 4_096] {
            let mut net = Net::new();
            let to = address(server);
            let socket = net.server.datagram(domain_of(to), PORT);
            let client = open(&mut net.client, domain_of(to));
            let data: Vec<u8> = (0..len).map(|i| (i % 251) as u8).collect();
            assert_eq!(net.client.stack.sendto(client, &data, to), Ok(len));
            net.run();
            assert_eq!(net.server.recv(socket), Ok(data), "{len} octets to {to}");
        }
    }
}

#[test]
fn a_datagram_that_never_fits_the_buffer_is_too_long_and_one_that_will_fit_would_block() {
    let mut net = Net::new();
    let socket = net.client.datagram(Domain::Inet, PORT);
    // To itself: the loopback's MTU is 5,461 octets, the socket's buffer 4,096.
    let to = address("127.0.0.1:9999");
    assert_eq!(
        net.client.stack.sendto(socket, &[7; 4_097], to),
        Err(Error::MessageTooLong)
    );
    assert_eq!(net.client.stack.sendto(socket, &[7; 4_096], to), Ok(4_096));
    assert_eq!(
        net.client.stack.sendto(socket, b"x", to),
        Err(Error::WouldBlock)
    );
    net.run();
    assert_eq!(net.client.recv(socket), Ok(vec![7; 4_096]));
    assert_eq!(net.client.stack.sendto(socket, b"x", to), Ok(1));
}

#[test]
fn a_full_queue_would_block_and_has_room_again_when_it_was_sent() {
    let mut net = Net::new();
    let socket = net.server.datagram(Domain::Inet, PORT);
    let client = open(&mut net.client, Domain::Inet);
    for text in ["a", "b", "c", "d"] {
        net.client
            .stack
            .sendto(client, text.as_bytes(), address(SERVER))
            .unwrap();
    }
    assert_eq!(
        net.client.stack.sendto(client, b"e", address(SERVER)),
        Err(Error::WouldBlock)
    );
    assert!(!net.client.stack.readiness(client).unwrap().writable);
    net.run();
    assert!(net.client.stack.readiness(client).unwrap().writable);
    assert_eq!(texts(&mut net.server, socket), ["a", "b", "c", "d"]);
    assert_eq!(
        net.client.stack.sendto(client, b"e", address(SERVER)),
        Ok(1)
    );
    net.run();
    assert_eq!(texts(&mut net.server, socket), ["e"]);
}

#[test]
fn a_receiver_whose_queue_is_full_loses_the_newest() {
    let mut net = Net::new();
    let socket = net.server.datagram(Domain::Inet, PORT);
    let client = open(&mut net.client, Domain::Inet);
    for text in ["a", "b", "c", "d", "e", "f"] {
        net.client
            .stack
            .sendto(client, text.as_bytes(), address(SERVER))
            .unwrap();
        net.run();
    }
    assert_eq!(texts(&mut net.server, socket), ["a", "b", "c", "d"]);
}

#[test]
fn a_connected_socket_hears_its_peer_only() {
    let mut net = Net::new();
    let server = net.server.datagram(Domain::Inet, PORT);
    let stranger = net.server.datagram(Domain::Inet, 8_888);
    let client = bound(&mut net.client, "10.0.0.1:5000");
    net.client.stack.connect(client, address(SERVER)).unwrap();
    assert_eq!(net.client.stack.getpeername(client), Ok(address(SERVER)));
    for fd in [stranger, server] {
        net.server
            .stack
            .sendto(fd, b"hello", address("10.0.0.1:5000"))
            .unwrap();
    }
    net.run();
    assert_eq!(texts(&mut net.client, client), ["hello"]);
    net.client.stack.send(client, b"hi").unwrap();
    net.run();
    assert_eq!(texts(&mut net.server, server), ["hi"]);
    // `connect` again moves it to another peer.
    net.client
        .stack
        .connect(client, address("10.0.0.2:8888"))
        .unwrap();
    net.client.stack.send(client, b"hi").unwrap();
    net.run();
    assert_eq!(texts(&mut net.server, stranger), ["hi"]);
}

#[test]
fn what_waited_before_connect_from_others_can_still_be_read() {
    let mut net = Net::new();
    let stranger = net.server.datagram(Domain::Inet, 8_888);
    let client = bound(&mut net.client, "10.0.0.1:5000");
    net.server
        .stack
        .sendto(stranger, b"early", address("10.0.0.1:5000"))
        .unwrap();
    net.run();
    net.client.stack.connect(client, address(SERVER)).unwrap();
    assert_eq!(texts(&mut net.client, client), ["early"]);
}

#[test]
fn a_connected_socket_learns_that_nobody_listens_there() {
    for server in [SERVER, SERVER_V6] {
        let mut net = Net::new();
        let to = address(server);
        let client = open(&mut net.client, domain_of(to));
        net.client.stack.connect(client, to).unwrap();
        net.client.stack.send(client, b"anybody?").unwrap();
        net.run();
        assert!(net.client.stack.readiness(client).unwrap().error);
        assert_eq!(net.client.recv(client), Err(Error::ConnectionRefused));
        assert_eq!(net.client.recv(client), Err(Error::WouldBlock));
        // An unconnected one does not.
        let client = open(&mut net.client, domain_of(to));
        net.client.stack.sendto(client, b"anybody?", to).unwrap();
        net.run();
        assert_eq!(net.client.recv(client), Err(Error::WouldBlock));
    }
}

#[test]
fn the_best_match_gets_it_connected_then_specific_then_wildcard_of_the_family_then_any() {
    let mut net = Net::new();
    let sender = bound(&mut net.client, "10.0.0.1:5000");
    let v6_sender = bound(&mut net.client, "[fd00::1]:5000");
    // Ports may be shared where the addresses differ; the wildcards overlap, so each has a port of its own.
    let specific = bound(&mut net.server, "10.0.0.2:7000");
    net.server
        .stack
        .connect(specific, address("10.0.0.1:6000"))
        .unwrap();
    net.client
        .stack
        .sendto(sender, b"not from the peer", address("10.0.0.2:7000"))
        .unwrap();
    net.run();
    assert_eq!(texts(&mut net.server, specific), [""; 0]);

    let v6_only = open(&mut net.server, Domain::Inet6);
    net.server.stack.setsockopt(v6_only, V6Only, true).unwrap();
    net.server
        .stack
        .bind(v6_only, address("[::]:7001"))
        .unwrap();
    let v4 = bound(&mut net.server, "0.0.0.0:7001");
    net.client
        .stack
        .sendto(sender, b"v4", address("10.0.0.2:7001"))
        .unwrap();
    net.client
        .stack
        .sendto(v6_sender, b"v6", address("[fd00::2]:7001"))
        .unwrap();
    net.run_for(Time::from_secs(2));
    assert_eq!(texts(&mut net.server, v4), ["v4"]);
    assert_eq!(texts(&mut net.server, v6_only), ["v6"]);

    let loopback = bound(&mut net.server, "127.0.0.1:7002");
    let outer = bound(&mut net.server, "10.0.0.2:7002");
    net.client
        .stack
        .sendto(sender, b"outer", address("10.0.0.2:7002"))
        .unwrap();
    net.server
        .stack
        .sendto(v4, b"inner", address("127.0.0.1:7002"))
        .unwrap();
    net.run();
    assert_eq!(texts(&mut net.server, outer), ["outer"]);
    assert_eq!(texts(&mut net.server, loopback), ["inner"]);
}

#[test]
fn overlapping_binds_are_in_use_and_disjoint_ones_are_not() {
    // The second of each pair is tried while the first is bound.
    let table = [
        ("0.0.0.0:7", "10.0.0.2:7", false),
        ("10.0.0.2:7", "0.0.0.0:7", false),
        ("10.0.0.2:7", "127.0.0.1:7", true),
        ("[::]:7", "0.0.0.0:7", false),
        ("[::]:7", "10.0.0.2:7", false),
        ("[fd00::2]:7", "0.0.0.0:7", true),
        ("[::ffff:10.0.0.2]:7", "10.0.0.2:7", false),
        ("[::ffff:10.0.0.2]:7", "[fd00::2]:7", true),
        ("[::1]:7", "[::]:7", false),
        ("10.0.0.2:7", "10.0.0.2:8", true),
    ];
    for kind in [Type::Stream, Type::Datagram] {
        for (first, second, fits) in table {
            let mut net = Net::new();
            let stack = &mut net.server.stack;
            let one = stack.socket(domain_of(address(first)), kind).unwrap();
            stack.bind(one, address(first)).unwrap();
            let other = stack.socket(domain_of(address(second)), kind).unwrap();
            let expected = if fits { Ok(()) } else { Err(Error::AddrInUse) };
            assert_eq!(
                stack.bind(other, address(second)),
                expected,
                "{kind:?} {first} {second}"
            );
            // The other protocol has ports of its own.
            let kind = if kind == Type::Stream {
                Type::Datagram
            } else {
                Type::Stream
            };
            let third = stack.socket(domain_of(address(first)), kind).unwrap();
            assert_eq!(stack.bind(third, address(first)), Ok(()));
        }
    }
}

#[test]
fn an_ipv6_socket_speaks_ipv4_by_mapped_addresses() {
    let mut net = Net::new();
    let dual = bound(&mut net.server, "[::]:9999");
    let v4 = bound(&mut net.client, "10.0.0.1:5000");
    net.client
        .stack
        .sendto(v4, b"hello", address(SERVER))
        .unwrap();
    net.run();
    let mut buffer = [0; 10];
    let received = net.server.stack.recvfrom(dual, &mut buffer).unwrap();
    assert_eq!(received.from, address("[::ffff:10.0.0.1]:5000"));
    net.server
        .stack
        .sendto(dual, b"back", received.from)
        .unwrap();
    net.run();
    let received = net.client.stack.recvfrom(v4, &mut buffer).unwrap();
    assert_eq!(received.from, address(SERVER));
    net.server
        .stack
        .connect(dual, address("[::ffff:10.0.0.1]:5000"))
        .unwrap();
    assert_eq!(
        net.server.stack.getsockname(dual),
        Ok(address("[::ffff:10.0.0.2]:9999"))
    );
    assert_eq!(
        net.server.stack.getpeername(dual),
        Ok(address("[::ffff:10.0.0.1]:5000"))
    );
}

#[test]
fn a_v6_only_socket_has_nothing_to_do_with_ipv4() {
    let mut net = Net::new();
    let fd = open(&mut net.server, Domain::Inet6);
    net.server.stack.setsockopt(fd, V6Only, true).unwrap();
    assert_eq!(
        net.server.stack.bind(fd, address("[::ffff:10.0.0.2]:9999")),
        Err(Error::InvalidArgument)
    );
    net.server.stack.bind(fd, address("[::]:9999")).unwrap();
    assert_eq!(
        net.server.stack.setsockopt(fd, V6Only, false),
        Err(Error::InvalidArgument)
    );
    assert!(
        net.server
            .stack
            .sendto(fd, b"x", address("[::ffff:10.0.0.1]:1"))
            .is_err()
    );
    let client = open(&mut net.client, Domain::Inet);
    net.client.stack.connect(client, address(SERVER)).unwrap();
    net.client.stack.send(client, b"x").unwrap();
    net.run();
    assert_eq!(net.server.recv(fd), Err(Error::WouldBlock));
    assert_eq!(net.client.recv(client), Err(Error::ConnectionRefused));
}

#[test]
fn port_0_picks_a_free_port_and_sending_binds() {
    let mut net = Net::new();
    let one = bound(&mut net.client, "0.0.0.0:0");
    let other = bound(&mut net.client, "0.0.0.0:0");
    let port = |net: &Net, fd| net.client.stack.getsockname(fd).unwrap().port();
    assert!(port(&net, one) >= 49_152 && port(&net, other) >= 49_152);
    assert_ne!(port(&net, one), port(&net, other));
    let third = open(&mut net.client, Domain::Inet);
    assert_eq!(port(&net, third), 0);
    net.client
        .stack
        .sendto(third, b"x", address(SERVER))
        .unwrap();
    assert!(port(&net, third) >= 49_152);
    assert_eq!(
        net.client.stack.bind(third, address("0.0.0.0:5")),
        Err(Error::InvalidArgument)
    );
}

#[test]
fn broadcast_is_refused() {
    let mut net = Net::new();
    let fd = open(&mut net.client, Domain::Inet);
    for to in ["255.255.255.255:9999", "10.0.0.255:9999"] {
        assert_eq!(
            net.client.stack.sendto(fd, b"x", address(to)),
            Err(Error::PermissionDenied)
        );
        assert_eq!(
            net.client.stack.connect(fd, address(to)),
            Err(Error::PermissionDenied)
        );
    }
    assert_eq!(
        net.client.stack.send(fd, b"x"),
        Err(Error::DestinationRequired)
    );
}

#[test]
fn no_route_is_network_unreachable() {
    let mut net = Net::new();
    let fd = open(&mut net.client, Domain::Inet);
    assert_eq!(
        net.client.stack.sendto(fd, b"x", address("192.0.2.1:1")),
        Err(Error::NetworkUnreachable)
    );
    assert_eq!(
        net.client.stack.connect(fd, address("192.0.2.1:1")),
        Err(Error::NetworkUnreachable)
    );
}

#[test]
fn a_server_with_two_addresses_knows_which_was_asked_and_answers_from_it() {
    let mut net = Net::new();
    let interface = net.server.interface;
    net.server
        .stack
        .add_address(interface, [10, 0, 0, 3].into(), 24)
        .unwrap();
    let server = net.server.datagram(Domain::Inet, PORT);
    let client = open(&mut net.client, Domain::Inet);
    for asked in ["10.0.0.2:9999", "10.0.0.3:9999"].map(address) {
        net.client.stack.sendto(client, b"who?", asked).unwrap();
        net.run();
        let stack = &mut net.server.stack;
        let received = stack.recvfrom(server, &mut [0; 8]).unwrap();
        assert_eq!(received.to, asked);
        let (from, to) = (received.to.ip(), received.from);
        assert_eq!(stack.send_from(server, b"I", from, to), Ok(1));
        net.run();
        let answer = net.client.stack.recvfrom(client, &mut [0; 8]).unwrap();
        assert_eq!(answer.from, asked);

        let stack = &mut net.server.stack;
        let foreign = stack.send_from(server, b"I", [10, 0, 0, 9].into(), to);
        assert_eq!(foreign, Err(Error::AddrNotAvailable));
        let any = stack.send_from(server, b"I", [0, 0, 0, 0].into(), to);
        assert_eq!(any, Ok(1));
        net.run();
        assert_eq!(texts(&mut net.client, client), ["I"]);
    }
    // Bound to one of them, it speaks from that one.
    let bound = open(&mut net.server, Domain::Inet);
    let stack = &mut net.server.stack;
    stack.bind(bound, address("10.0.0.2:7")).unwrap();
    let to = address("10.0.0.1:7");
    let other = stack.send_from(bound, b"I", [10, 0, 0, 3].into(), to);
    assert_eq!(other, Err(Error::AddrNotAvailable));
    let own = stack.send_from(bound, b"I", [10, 0, 0, 2].into(), to);
    assert_eq!(own, Ok(1));
}

#[test]
fn sockets_are_freed_and_exhaustion_names_its_limit() {
    let mut net = Net::new();
    for _ in 0..3 {
        let all: Vec<Fd> = (0..8)
            .map(|_| open(&mut net.client, Domain::Inet))
            .collect();
        let next = net.client.stack.socket(Domain::Inet, Type::Datagram);
        assert_eq!(next, Err(Error::Exhausted(glasstack::Limit::Datagrams)));
        for fd in all {
            net.client.stack.close(fd).unwrap();
        }
        assert_eq!(net.client.stack.usage().datagrams, 0);
    }
}

#[test]
fn a_new_socket_hears_nothing_that_was_meant_for_the_last_one() {
    let mut net = Net::new();
    let first = net.server.datagram(Domain::Inet, PORT);
    let client = open(&mut net.client, Domain::Inet);
    net.client
        .stack
        .sendto(client, b"for the first", address(SERVER))
        .unwrap();
    net.run();
    net.server.stack.close(first).unwrap();
    for _ in 0..8 {
        let next = open(&mut net.server, Domain::Inet);
        assert_eq!(net.server.recv(next), Err(Error::WouldBlock));
    }
}

#[test]
fn an_unreachable_neighbor_is_told_to_the_sender_and_others_still_get_theirs() {
    let mut net = Net::new();
    let socket = net.server.datagram(Domain::Inet, PORT);
    let client = open(&mut net.client, Domain::Inet);
    net.client
        .stack
        .sendto(client, b"lost", address("10.0.0.9:1"))
        .unwrap();
    net.client
        .stack
        .sendto(client, b"found", address(SERVER))
        .unwrap();
    net.run_for(Time::from_secs(6));
    assert_eq!(texts(&mut net.server, socket), ["found"]);
    assert_eq!(
        net.client.stack.take_error(client),
        Ok(Some(Error::HostUnreachable))
    );
}

/// What the options say, or a message's own word before them.
#[test]
fn a_datagram_tells_its_class_and_its_hops() {
    for server in [SERVER, SERVER_V6] {
        let mut net = Net::new();
        let to = address(server);
        let socket = net.server.datagram(domain_of(to), PORT);
        let client = open(&mut net.client, domain_of(to));
        let stack = &mut net.client.stack;
        stack.setsockopt(client, TypeOfService, 0xb8).unwrap();
        stack.setsockopt(client, HopLimit, 7).unwrap();
        assert_eq!(stack.sendto(client, b"x", to), Ok(1));
        let message = Message::new(&[b"x"]).to(to).traffic_class(0x28);
        assert_eq!(stack.sendmsg(client, &message.hop_limit(9)), Ok(1));
        net.run();
        for expected in [(0xb8, 7), (0x28, 9)] {
            let received = net.server.stack.recvfrom(socket, &mut [0; 8]).unwrap();
            assert_eq!((received.traffic_class, received.hop_limit), expected);
        }
    }
}
