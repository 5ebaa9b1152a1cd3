//! An address that another host has.

use std::net::SocketAddr;

use glasstack::stack::{AddressChange, AddressState, Domain, InterfaceAddress, Type};
use glasstack::{Error, Stack};

use super::net::*;

/// The address that the host of a fresh net forms of the first prefix.
fn formed_first() -> InterfaceAddress {
    let mut net = Net::ready();
    net.advertise(0, &advertisement(1_800, &[prefix(1, 600, 300)]));
    net.run_for(3 * SECOND);
    net.formed_of(1)
}

#[test]
fn an_address_of_another_host_is_not_used_but_the_next_one_is() {
    let taken = formed_first().address;
    // The same once more, beside a host that has it.
    let mut net = Net::new(&["slaac"], &[&format!("{taken}/64")]);
    net.run_for(3 * SECOND);
    net.advertise(0, &advertisement(1_800, &[prefix(1, 600, 300)]));
    net.run_for(5 * SECOND);
    let address = net.formed_of(1);
    assert_ne!(address.address, taken);
    assert!(is_preferred(&address));
    let changes = net.changes();
    let of_taken: Vec<_> = changes.iter().filter(|(it, _)| *it == taken).collect();
    assert_eq!(
        of_taken,
        [
            &(taken, AddressChange::Tentative),
            &(taken, AddressChange::Duplicate)
        ]
    );
}

fn domain(address: SocketAddr) -> Domain {
    match address {
        SocketAddr::V4(_) => Domain::Inet,
        SocketAddr::V6(_) => Domain::Inet6,
    }
}

#[test]
fn given_addresses_are_looked_for_where_that_is_asked() {
    let mut net = Net::new(&[], &["fd00::66/64"]);
    let (host, link) = (net.host, net.link(net.host));
    let add = |stack: &mut Stack<'_, _>| {
        stack.set_duplicate_detection(link, true)?;
        stack.add_address(link, ip("fd00::66"), 64)?;
        stack.add_address(link, ip("fd00::1"), 64)?;
        // IPv4's are used at once: DHCP looks for them by itself.
        stack.add_address(link, ip("10.0.0.1"), 24)
    };
    net.with(host, add).unwrap();
    let bind = |address: &str| {
        let address: SocketAddr = (ip(address), PORT).into();
        move |stack: &mut Stack<'_, _>| {
            let fd = stack.socket(domain(address), Type::Datagram)?;
            let result = stack.bind(fd, address);
            stack.close(fd)?;
            result
        }
    };
    for tentative in ["fd00::66", "fd00::1"] {
        assert_eq!(
            net.with(host, bind(tentative)),
            Err(Error::AddrNotAvailable)
        );
    }
    assert_eq!(net.with(host, bind("10.0.0.1")), Ok(()));
    net.run_for(3 * SECOND);
    let states: Vec<_> = net
        .addresses(host)
        .iter()
        .map(|it| (it.address, it.state))
        .collect();
    assert_eq!(
        states,
        [
            (ip("fd00::1"), AddressState::Preferred),
            (ip("10.0.0.1"), AddressState::Preferred)
        ]
    );
    assert_eq!(net.with(host, bind("fd00::1")), Ok(()));
    assert_eq!(
        net.with(host, bind("fd00::66")),
        Err(Error::AddrNotAvailable)
    );
    assert!(
        net.changes()
            .contains(&(ip("fd00::66"), AddressChange::Duplicate))
    );
    // It may be tried again, and is another host's still.
    net.with(host, |stack| stack.add_address(link, ip("fd00::66"), 64))
        .unwrap();
    net.run_for(3 * SECOND);
    assert_eq!(net.addresses(host).len(), 2);
}

#[test]
fn of_two_that_want_the_same_address_at_once_no_two_get_it() {
    let mut net = Net::new(&[], &[]);
    let hosts = [net.host, net.other];
    for host in hosts {
        let link = net.link(host);
        net.with(host, |stack| {
            stack.set_duplicate_detection(link, true)?;
            stack.add_address(link, ip("fd00::1"), 64)
        })
        .unwrap();
    }
    net.run_for(3 * SECOND);
    let having = hosts
        .iter()
        .filter(|host| !net.addresses(**host).is_empty())
        .count();
    assert!(having <= 1);
}

#[test]
fn nobody_hears_of_an_address_before_it_is_used() {
    let mut net = Net::new(&[], &["fd00::66/64"]);
    let (host, other, link) = (net.host, net.other, net.link(net.host));
    net.with(host, |stack| {
        stack.set_duplicate_detection(link, true)?;
        stack.add_address(link, ip("fd00::1"), 64)
    })
    .unwrap();
    net.listen(host);
    // Not answered: neither the question for its hardware address nor the SYN.
    let fd = net.stream(other, Domain::Inet6);
    let to = (ip("fd00::1"), PORT).into();
    let connect = |stack: &mut Stack<'_, _>| stack.connect(fd, to);
    assert_eq!(net.with(other, connect), Err(Error::WouldBlock));
    net.run_for(SECOND / 100);
    let frames = net.frames(0);
    // What is said for the detection's sake comes from nobody.
    let is_from_nobody =
        |frame: &Vec<u8>| frame[12..14] == [0x86, 0xdd] && frame[22..38] == [0; 16];
    assert!(frames.iter().all(is_from_nobody), "{frames:?}");
    net.run_for(5 * SECOND);
    assert_eq!(net.with(other, connect), Ok(()));
}
