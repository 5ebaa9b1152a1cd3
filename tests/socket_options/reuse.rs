//! `SO_REUSEADDR` and `SO_REUSEPORT`.

use glasstack::stack::option::{ReuseAddress, ReusePort};
use glasstack::stack::{Domain, Type};
use glasstack::{Error, Fd};

use crate::net::{Net, PORT, SERVER, wildcard};

/// A socket of the server's, bound to the tests' port or not; and how that went.
fn bound(net: &mut Net, kind: Type, address: bool, port: bool) -> (Fd, Result<(), Error>) {
    let stack = &mut net.server.stack;
    let fd = stack.socket(Domain::Inet, kind).unwrap();
    stack.setsockopt(fd, ReuseAddress, address).unwrap();
    stack.setsockopt(fd, ReusePort, port).unwrap();
    let result = stack.bind(fd, wildcard(Domain::Inet, PORT));
    (fd, result)
}

#[test]
fn two_sockets_share_a_port_if_both_want_to() {
    for kind in [Type::Stream, Type::Datagram] {
        for (first, second) in [
            (0, 0),
            (0, 1),
            (1, 0),
            (1, 1),
            (1, 2),
            (2, 2),
            (3, 1),
            (3, 2),
        ] {
            let mut net = Net::new();
            let (_, result) = bound(&mut net, kind, first & 1 != 0, first & 2 != 0);
            assert_eq!(result, Ok(()));
            let (_, result) = bound(&mut net, kind, second & 1 != 0, second & 2 != 0);
            let is_shared = first & second != 0;
            let expected = if is_shared {
                Ok(())
            } else {
                Err(Error::AddrInUse)
            };
            assert_eq!(result, expected, "{kind:?} {first} {second}");
        }
    }
}

#[test]
fn who_listens_shares_by_port_alone() {
    let mut net = Net::new();
    let (first, _) = bound(&mut net, Type::Stream, true, false);
    let (second, _) = bound(&mut net, Type::Stream, true, false);
    assert_eq!(net.server.stack.listen(first, 1), Ok(()));
    assert_eq!(net.server.stack.listen(second, 1), Err(Error::AddrInUse));
    let (_, third) = bound(&mut net, Type::Stream, true, false);
    assert_eq!(third, Err(Error::AddrInUse));
    // It may go on where the first was.
    net.server.stack.close(first).unwrap();
    assert_eq!(net.server.stack.listen(second, 1), Ok(()));

    let mut net = Net::new();
    for _ in 0..3 {
        let (fd, result) = bound(&mut net, Type::Stream, false, true);
        assert_eq!(result, Ok(()));
        assert_eq!(net.server.stack.listen(fd, 1), Ok(()));
    }
}

/// Linux needs the option for this.
#[test]
fn a_port_is_free_while_its_last_connection_says_goodbye() {
    let mut net = Net::new();
    let (client, accepted, listener) = net.pair(SERVER);
    net.server.stack.close(listener).unwrap();
    net.server.stack.close(accepted).unwrap();
    net.run();
    net.client.stack.close(client).unwrap();
    net.run();
    assert_eq!(net.server.stack.usage().connections, 1);
    let (fd, result) = bound(&mut net, Type::Stream, false, false);
    assert_eq!(result, Ok(()));
    assert_eq!(net.server.stack.listen(fd, 1), Ok(()));
}

#[test]
fn connections_are_spread_over_the_listeners_of_a_port() {
    let capacity = glasstack::stack::Capacity {
        connections: 64,
        sockets: 200,
        ..crate::net::capacity()
    };
    let mut net = Net::with(
        glasstack::smoltcp::phy::Medium::Ethernet,
        capacity.clone(),
        capacity,
    );
    let listeners = [(); 3].map(|()| {
        let (fd, _) = bound(&mut net, Type::Stream, false, true);
        net.server.stack.listen(fd, 64).unwrap();
        fd
    });
    for _ in 0..60 {
        net.client.connect(SERVER);
    }
    net.run();
    let counts = listeners.map(|listener| {
        let accept = || net.server.stack.accept(listener).ok();
        std::iter::from_fn(accept).count()
    });
    assert_eq!(counts.iter().sum::<usize>(), 60);
    assert!(counts.iter().all(|count| *count >= 8), "{counts:?}");
}

#[test]
fn datagrams_of_one_sender_are_for_one_of_the_sockets_of_a_port() {
    let mut net = Net::new();
    let sockets = [(); 3].map(|()| bound(&mut net, Type::Datagram, false, true).0);
    let mut heard = [0; 3];
    for port in 1_000..1_060 {
        let sender = net.client.datagram(Domain::Inet, port);
        for _ in 0..2 {
            let to = SERVER.parse().unwrap();
            net.client.stack.sendto(sender, b"x", to).unwrap();
            net.run();
        }
        net.client.stack.close(sender).unwrap();
        let counts = sockets.map(|fd| {
            let receive = || net.server.stack.recv(fd, &mut [0]).ok();
            std::iter::from_fn(receive).count()
        });
        let who = counts.iter().position(|count| *count == 2);
        heard[who.unwrap_or_else(|| panic!("{counts:?}"))] += 1;
    }
    assert!(heard.iter().all(|count| *count >= 8), "{heard:?}");
}

#[test]
fn a_datagram_is_for_the_socket_that_was_bound_last() {
    let mut net = Net::new();
    let sender = net.client.datagram(Domain::Inet, 1);
    let send = |net: &mut Net| {
        let to = SERVER.parse().unwrap();
        net.client.stack.sendto(sender, b"x", to).unwrap();
        net.run();
    };
    let (first, _) = bound(&mut net, Type::Datagram, true, false);
    let (second, _) = bound(&mut net, Type::Datagram, true, false);
    send(&mut net);
    assert_eq!(net.server.recv(first), Err(Error::WouldBlock));
    assert_eq!(net.server.recv(second), Ok(b"x".to_vec()));
    net.server.stack.close(second).unwrap();
    send(&mut net);
    assert_eq!(net.server.recv(first), Ok(b"x".to_vec()));
}
