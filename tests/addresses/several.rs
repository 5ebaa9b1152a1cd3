//! Several addresses, and several links: each connection stays on its own.

use glasstack::sim::{Link, Simulation};
use glasstack::stack::Domain;
use glasstack::{Error, Stack};

use super::net::*;

#[test]
fn two_addresses_of_one_link_are_spoken_to_and_from() {
    let addresses = ["10.0.0.1/24", "192.168.7.1/24", "fd00::1/64", "fd01::1/64"];
    let mut net = Net::new(
        &addresses,
        &[
            "10.0.0.66/24",
            "192.168.7.66/24",
            "fd00::66/64",
            "fd01::66/64",
        ],
    );
    let (host, other) = (net.host, net.other);
    let (here, there) = (net.listen(host), net.listen(other));
    let mut connections = Vec::new();
    for (own, peer) in [
        ("10.0.0.1", "10.0.0.66"),
        ("192.168.7.1", "192.168.7.66"),
        ("fd00::1", "fd00::66"),
        ("fd01::1", "fd01::66"),
    ] {
        assert_eq!(net.source_for(peer), Some(ip(own)));
        let (out, accepted) = net.connect(host, other, there, ip(peer));
        let name = net.with(host, |stack| stack.getsockname(out)).unwrap();
        assert_eq!(name.ip().to_canonical(), ip(own));
        connections.push(((host, out), (other, accepted)));
        let (out, accepted) = net.connect(other, host, here, ip(own));
        let name = net.with(host, |stack| stack.getsockname(accepted)).unwrap();
        assert_eq!(name.ip().to_canonical(), ip(own));
        connections.push(((other, out), (host, accepted)));
    }
    for (one, other) in connections {
        net.carry(one, other);
        net.carry(other, one);
    }
    // Bound to one, it speaks from that, whatever is nearer.
    let fd = net.stream(host, Domain::Inet);
    let connect = |stack: &mut Stack<'_, _>| {
        stack.bind(fd, (ip("192.168.7.1"), 0).into())?;
        let _ = stack.connect(fd, (ip("10.0.0.66"), PORT).into());
        stack.getsockname(fd)
    };
    let name = net.with(host, connect).unwrap();
    assert_eq!(name.ip(), ip("192.168.7.1"));
}

#[test]
fn connections_stay_on_their_own_link() {
    let mut simulation = Simulation::new(1);
    let names = ["host", "left", "right"];
    let [host, left, right] = names.map(|name| simulation.host(name).unwrap());
    let ethernet = || Link::ethernet(1514);
    let one = (host, &["10.0.0.1/24", "fd00::1/64"]);
    simulation
        .link(ethernet(), one, (left, &["10.0.0.2/24", "fd00::2/64"]))
        .unwrap();
    let other = (host, &["10.0.1.1/24", "fd01::1/64"]);
    simulation
        .link(ethernet(), other, (right, &["10.0.1.2/24", "fd01::2/64"]))
        .unwrap();
    let recording = simulation.record();
    let mut net = Net {
        simulation,
        host,
        routers: [left, right],
        other: right,
        recording,
    };
    let (on_left, on_right, own) = (net.listen(left), net.listen(right), net.listen(host));
    let mut connections = Vec::new();
    for (to, listener, address) in [
        (left, on_left, "10.0.0.2"),
        (right, on_right, "10.0.1.2"),
        (left, on_left, "fd00::2"),
        (right, on_right, "fd01::2"),
        (host, own, "127.0.0.1"),
        (host, own, "::1"),
        (host, own, "10.0.1.1"),
    ] {
        let (out, accepted) = net.connect(host, to, listener, ip(address));
        connections.push(((host, out), (to, accepted)));
    }
    for (one, other) in &connections {
        net.carry(*one, *other);
    }
    // One address of the left link goes away: its connections end, the others do not notice.
    let link = net.link(host);
    net.with(host, |stack| stack.remove_address(link, ip("10.0.0.1")))
        .unwrap();
    let first = connections.remove(0);
    let received = net.with(host, |stack| stack.recv(first.0.1, &mut [0; 8]));
    assert_eq!(received, Err(Error::AddrNotAvailable));
    for (one, other) in &connections {
        net.carry(*one, *other);
    }
    // The right one's address is not for the left link (RFC 1122 §3.3.4.2), even by a route to it.
    let link = net.link(left);
    net.with(left, |stack| stack.set_gateway(link, ip("fd00::1")))
        .unwrap();
    let fd = net.stream(left, Domain::Inet6);
    let connect = |stack: &mut Stack<'_, _>| stack.connect(fd, (ip("fd01::1"), PORT).into());
    assert_eq!(net.with(left, connect), Err(Error::WouldBlock));
    net.run_for(10 * SECOND);
    assert_eq!(net.with(left, connect), Err(Error::WouldBlock));
}

#[test]
fn there_is_room_for_sixteen_and_what_is_too_much_is_said() {
    let mut net = Net::new(&[], &[]);
    let link = net.link(net.host);
    let host = net.host;
    let mut add = |last: u8| {
        let address = ip(&format!("10.0.0.{last}"));
        net.with(host, |stack| stack.add_address(link, address, 24))
    };
    for last in 1..=16 {
        assert_eq!(add(last), Ok(()));
    }
    let full = Error::Exhausted(glasstack::Limit::Addresses);
    assert_eq!(add(17), Err(full));
    assert_eq!(add(7), Err(Error::AddrInUse));
    net.with(host, |stack| stack.remove_address(link, ip("10.0.0.3")))
        .unwrap();
    let add = |stack: &mut Stack<'_, _>| stack.add_address(link, ip("10.0.0.17"), 24);
    assert_eq!(net.with(host, add), Ok(()));
}
