//! Each limit's error when it is reached, and what each error is called elsewhere.

use std::io::ErrorKind;
use std::net::IpAddr;

use glasstack::sim::Simulation;
use glasstack::stack::{Capacity, Domain, Type};
use glasstack::{Error, Limit, Stack};

use crate::pair::{Pair, Port, address, at, small};
use crate::{between, source, variants};

fn stack(capacity: Capacity) -> Stack<'static> {
    Stack::with_capacity(capacity, [1; 16], ())
}

/// Repeats a call until it fails, which must not take long.
fn until_it_fails<T>(mut call: impl FnMut(u8) -> glasstack::Result<T>) -> Error {
    (1..=200)
        .find_map(|turn| call(turn).err())
        .expect("it never fails")
}

/// What reaching a limit gives; `None` for the one that cannot be reached.
fn reach(limit: Limit) -> Option<Error> {
    let mut pair = Pair::small();
    let interface = pair.client.interface;
    let client = &mut pair.client.stack;
    let domain = Domain::Inet;
    Some(match limit {
        Limit::Sockets => until_it_fails(|_| client.socket(domain, Type::Stream)),
        Limit::Datagrams => until_it_fails(|_| client.socket(domain, Type::Datagram)),
        Limit::Connections => until_it_fails(|_| {
            let fd = client.socket(domain, Type::Stream)?;
            match client.connect(fd, at(domain, 2, 80)) {
                Err(Error::WouldBlock) => Ok(()),
                other => other,
            }
        }),
        Limit::Interfaces => until_it_fails(|last| {
            client.add_interface(&mut Port::default(), Some([2, 0, 0, 0, 1, last]))
        }),
        Limit::Addresses => {
            until_it_fails(|last| client.add_address(interface, IpAddr::from([10, 0, 1, last]), 24))
        }
        // A gateway takes the place of the last one of its family, and smoltcp has room for one of each.
        Limit::Routes => {
            for last in 3..100 {
                assert_eq!(
                    client.set_gateway(interface, address(Domain::Inet, last)),
                    Ok(())
                );
                assert_eq!(
                    client.set_gateway(interface, address(Domain::Inet6, last)),
                    Ok(())
                );
            }
            return None;
        }
        Limit::NameServers => until_it_fails(|last| client.add_name_server(address(domain, last))),
        Limit::Lookups => {
            client.add_name_server(address(domain, 2)).unwrap();
            until_it_fails(|_| client.resolve("www.example.com"))
        }
        Limit::Names => until_it_fails(|last| client.add_name("host", address(domain, last))),
        Limit::Groups => {
            let fd = client.socket(domain, Type::Datagram).unwrap();
            until_it_fails(|last| client.join_group(fd, [239, 0, 0, last].into(), Some(interface)))
        }
        Limit::Hosts => {
            let mut simulation = Simulation::new(1);
            return (0..256).find_map(|_| simulation.host("one of many").err());
        }
        other => unreachable!("{other:?} is not tested"),
    })
}

#[test]
fn every_limit_names_itself() {
    let limits = [
        Limit::Sockets,
        Limit::Connections,
        Limit::Datagrams,
        Limit::Interfaces,
        Limit::Addresses,
        Limit::Routes,
        Limit::Lookups,
        Limit::Names,
        Limit::NameServers,
        Limit::Hosts,
        Limit::Groups,
    ];
    let text = source("error.rs");
    let names = limits.map(|limit| format!("{limit:?}"));
    assert_eq!(variants(between(&text, "pub enum Limit {", "\n}")), names);
    for limit in limits {
        let expected = (limit != Limit::Routes).then_some(Error::Exhausted(limit));
        assert_eq!(reach(limit), expected);
    }
}

/// A full table of descriptors leaves an accepted connection in its queue: it is handed out when there is room.
#[test]
fn accept_without_a_descriptor_loses_nothing() {
    let mut pair = Pair::small();
    let listener = pair.listen(Domain::Inet, 80);
    let client = pair
        .client
        .stack
        .socket(Domain::Inet, Type::Stream)
        .unwrap();
    let _ = pair.client.stack.connect(client, at(Domain::Inet, 2, 80));
    pair.exchange();
    let server = &mut pair.server.stack;
    let mut open = Vec::new();
    while let Ok(fd) = server.socket(Domain::Inet, Type::Stream) {
        open.push(fd);
    }
    for _ in 0..3 {
        assert_eq!(
            server.accept(listener),
            Err(Error::Exhausted(Limit::Sockets))
        );
    }
    server.close(open[0]).unwrap();
    assert!(server.accept(listener).is_ok());
    assert_eq!(server.accept(listener), Err(Error::WouldBlock));
}

/// A socket that could not connect for want of a slot connects when there is one.
#[test]
fn connect_without_a_slot_may_try_again() {
    let mut pair = Pair::new(
        stack(Capacity {
            connections: 1,
            ..small()
        }),
        stack(small()),
    );
    pair.listen(Domain::Inet, 80);
    let to = at(Domain::Inet, 2, 80);
    let client = &mut pair.client.stack;
    let first = client.socket(Domain::Inet, Type::Stream).unwrap();
    let second = client.socket(Domain::Inet, Type::Stream).unwrap();
    assert_eq!(client.connect(first, to), Err(Error::WouldBlock));
    assert_eq!(
        client.connect(second, to),
        Err(Error::Exhausted(Limit::Connections))
    );
    client.close(first).unwrap();
    assert_eq!(client.connect(second, to), Err(Error::WouldBlock));
    pair.exchange();
    assert_eq!(pair.client.stack.connect(second, to), Ok(()));
}

/// A failed `socket` leaves nothing behind.
#[test]
fn socket_without_a_slot_leaves_no_descriptor() {
    let mut stack = stack(Capacity {
        datagrams: 1,
        ..small()
    });
    stack.socket(Domain::Inet, Type::Datagram).unwrap();
    let before = stack.usage();
    for _ in 0..100 {
        let failed = stack.socket(Domain::Inet, Type::Datagram);
        assert_eq!(failed, Err(Error::Exhausted(Limit::Datagrams)));
    }
    assert_eq!(stack.usage(), before);
}

#[test]
fn every_error_has_its_errno_and_its_kind() {
    use ErrorKind::*;
    let table = [
        (Error::AddrInUse, "EADDRINUSE", AddrInUse),
        (Error::AddrNotAvailable, "EADDRNOTAVAIL", AddrNotAvailable),
        (Error::AddressFamilyNotSupported, "EAFNOSUPPORT", Other),
        (Error::AlreadyConnected, "EISCONN", Other),
        (Error::BadDescriptor, "EBADF", Other),
        (Error::BrokenPipe, "EPIPE", BrokenPipe),
        (Error::ConnectionRefused, "ECONNREFUSED", ConnectionRefused),
        (Error::ConnectionReset, "ECONNRESET", ConnectionReset),
        (Error::DestinationRequired, "EDESTADDRREQ", Other),
        (Error::Exhausted(Limit::Sockets), "EMFILE", Other),
        (Error::HostUnreachable, "EHOSTUNREACH", HostUnreachable),
        (Error::InvalidArgument, "EINVAL", InvalidInput),
        (Error::MessageTooLong, "EMSGSIZE", Other),
        (Error::NameNotFound, "EAI_NONAME", NotFound),
        (Error::NetworkDown, "ENETDOWN", NetworkDown),
        (Error::NetworkUnreachable, "ENETUNREACH", NetworkUnreachable),
        (Error::NoDevice, "ENODEV", Other),
        (Error::NotConnected, "ENOTCONN", NotConnected),
        (Error::NotSupported, "EOPNOTSUPP", Unsupported),
        (Error::PermissionDenied, "EACCES", PermissionDenied),
        (Error::TimedOut, "ETIMEDOUT", TimedOut),
        (Error::WouldBlock, "EAGAIN", WouldBlock),
    ];
    let text = source("error.rs");
    let listed = variants(between(&text, "pub enum Error {", "\n}"));
    let tested = table.map(|(error, ..)| format!("{error:?}"));
    let tested: Vec<&str> = tested
        .iter()
        .filter_map(|name| name.split('(').next())
        .collect();
    assert_eq!(listed, tested);
    for (error, errno, kind) in table {
        assert_eq!(error.errno(), errno);
        assert!(
            error.to_string().ends_with(&format!("({errno})")),
            "{error}"
        );
        let outside = std::io::Error::from(error);
        assert_eq!(outside.kind(), kind, "{error}");
        assert_eq!(
            outside.into_inner().and_then(|inner| inner.downcast().ok()),
            Some(Box::new(error))
        );
    }
    // All tables but that of the descriptors are the system's memory.
    for limit in [Limit::Connections, Limit::Datagrams, Limit::Lookups] {
        assert_eq!(Error::Exhausted(limit).errno(), "ENOBUFS");
    }
}

/// Only IPv4 has broadcast addresses, and sending there needs a permission that cannot be had.
#[test]
fn broadcast_is_not_permitted() {
    let mut pair = Pair::small();
    let client = &mut pair.client.stack;
    let datagram = client.socket(Domain::Inet, Type::Datagram).unwrap();
    let stream = client.socket(Domain::Inet, Type::Stream).unwrap();
    for to in ["255.255.255.255:7", "10.0.0.255:7"] {
        let to = to.parse().unwrap();
        assert_eq!(
            client.sendto(datagram, b"", to),
            Err(Error::PermissionDenied)
        );
        assert_eq!(client.connect(datagram, to), Err(Error::PermissionDenied));
        assert_eq!(client.connect(stream, to), Err(Error::NetworkUnreachable));
    }
}
