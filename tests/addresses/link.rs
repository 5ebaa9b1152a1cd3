//! A link that goes down, and comes up again.

use glasstack::sim::{Link, Simulation};
use glasstack::stack::{AddressChange, AddressState, Domain, InterfaceId, Type};
use glasstack::trace::{DropReason, Happening};
use glasstack::{Error, Stack};

use super::net::*;

#[test]
fn while_it_is_down_nothing_is_sent_or_taken_in() {
    let mut net = Net::new(
        &["10.0.0.1/24", "fd00::1/64"],
        &["10.0.0.66/24", "fd00::66/64"],
    );
    let (host, other, link) = (net.host, net.other, net.link(net.host));
    let (here, there) = (net.listen(host), net.listen(other));
    let (fd, accepted) = net.connect(host, other, there, ip("10.0.0.66"));
    net.with(host, |stack| stack.set_link(link, false)).unwrap();
    assert_eq!(
        net.with(host, |stack| Ok(stack.is_link_up(link))),
        Ok(false)
    );
    let before = net.frames(0).len();
    for (far, domain) in [("10.0.0.66", Domain::Inet), ("fd00::66", Domain::Inet6)] {
        let to = (ip(far), PORT).into();
        let sent = net.with(host, |stack| {
            let fd = stack.socket(domain, Type::Datagram)?;
            let sent = stack.sendto(fd, b"Michael", to);
            stack.close(fd)?;
            sent
        });
        assert_eq!(sent, Err(Error::NetworkUnreachable));
        let fd = net.stream(host, domain);
        let connected = net.with(host, |stack| stack.connect(fd, to));
        assert_eq!(connected, Err(Error::NetworkUnreachable));
    }
    // What was under way waits.
    assert_eq!(net.with(host, |stack| stack.send(fd, b"Michael")), Ok(7));
    let late = net.stream(other, Domain::Inet);
    let to = (ip("10.0.0.1"), PORT).into();
    let connect = |stack: &mut Stack<'_, _>| stack.connect(late, to);
    assert_eq!(net.with(other, connect), Err(Error::WouldBlock));
    net.run_for(10 * SECOND);
    assert_eq!(net.frames(before), [] as [Vec<u8>; 0]);
    let events = net.recording.events();
    assert!(events.at(host.station()).drops(DropReason::LinkDown) > 0);

    net.with(host, |stack| stack.set_link(link, true)).unwrap();
    net.run_for(30 * SECOND);
    let mut buffer = [0; 8];
    let received = net.with(other, |stack| stack.recv(accepted, &mut buffer));
    assert_eq!(received, Ok(7));
    assert_eq!(net.with(other, connect), Ok(()));
    assert!(net.with(host, |stack| stack.accept(here)).is_ok());
    let told: Vec<_> = net
        .recording
        .events()
        .at(host.station())
        .iter()
        .filter_map(|captured| match captured.event().happening {
            Happening::Link { is_up } => Some(is_up),
            _ => None,
        })
        .collect();
    assert_eq!(told, [false, true]);
}

/// On a link without hardware addresses nobody needs to be found, and so nobody is missed.
#[test]
fn a_link_of_bare_packets_is_as_quiet() {
    let mut simulation = Simulation::new(1);
    let (host, other) = (
        simulation.host("host").unwrap(),
        simulation.host("other").unwrap(),
    );
    let ends = ((host, &["10.0.0.1/24"]), (other, &["10.0.0.66/24"]));
    simulation.link(Link::ip(1_500), ends.0, ends.1).unwrap();
    let recording = simulation.record();
    let mut net = Net {
        simulation,
        host,
        routers: [other; 2],
        other,
        recording,
    };
    let link = net.link(host);
    let listener = net.listen(other);
    let (fd, accepted) = net.connect(host, other, listener, ip("10.0.0.66"));
    net.with(host, |stack| stack.set_link(link, false)).unwrap();
    let before = net.frames(0).len();
    assert_eq!(net.with(host, |stack| stack.send(fd, b"Michael")), Ok(7));
    net.run_for(10 * SECOND);
    assert_eq!(net.frames(before), [] as [Vec<u8>; 0]);
    net.with(host, |stack| stack.set_link(link, true)).unwrap();
    net.run_for(SECOND);
    let received = net.with(other, |stack| stack.recv(accepted, &mut [0; 8]));
    assert_eq!(received, Ok(7));
}

/// What a host says by itself is not said while nobody hears it.
#[test]
fn no_question_is_asked_over_it() {
    let mut net = Net::new(&["dhcp", "slaac"], &[]);
    let (host, link) = (net.host, net.link(net.host));
    net.run_for(SECOND / 2);
    net.with(host, |stack| stack.set_link(link, false)).unwrap();
    let before = net.frames(0).len();
    net.run_for(100 * SECOND);
    assert_eq!(net.frames(before), [] as [Vec<u8>; 0]);
    net.with(host, |stack| stack.set_link(link, true)).unwrap();
    net.run_for(20 * SECOND);
    assert!(net.frames(before).len() > 3);
}

#[test]
fn the_loopback_does_not_notice() {
    let mut net = Net::new(&["10.0.0.1/24"], &[]);
    let (host, link) = (net.host, net.link(net.host));
    let listener = net.listen(host);
    net.with(host, |stack| stack.set_link(link, false)).unwrap();
    let (fd, accepted) = net.connect(host, host, listener, ip("127.0.0.1"));
    net.carry((host, fd), (host, accepted));
    let loopback = net.with(host, |stack| stack.set_link(InterfaceId::LOOPBACK, false));
    assert_eq!(loopback, Err(Error::InvalidArgument));
}

#[test]
fn once_it_is_back_addresses_and_routers_are_looked_for_again() {
    let mut net = Net::ready();
    net.advertise(0, &advertisement(1_800, &[prefix(1, 600, 300)]));
    net.run_for(3 * SECOND);
    let (host, link) = (net.host, net.link(net.host));
    let address = net.formed_of(1).address;
    net.with(host, |stack| stack.set_link(link, false)).unwrap();
    let before = (net.frames(0).len(), net.changes().len());
    net.run_for(100 * SECOND);
    assert_eq!(net.frames(before.0).len(), 0);
    net.with(host, |stack| stack.set_link(link, true)).unwrap();
    assert_eq!(net.formed_of(1).state, AddressState::Tentative);
    net.run_for(4 * SECOND);
    assert_eq!(net.formed_of(1).state, AddressState::Preferred);
    let kinds: Vec<_> = net.frames(before.0).iter().map(|frame| frame[54]).collect();
    // Two questions for duplicates, one for routers.
    assert_eq!(
        kinds.iter().filter(|kind| **kind == 135).count(),
        2,
        "{kinds:?}"
    );
    assert!(kinds.contains(&133), "{kinds:?}");
    let changes: Vec<_> = net
        .changes()
        .drain(before.1..)
        .filter(|(it, _)| *it == address)
        .collect();
    assert_eq!(
        changes,
        [
            (address, AddressChange::Tentative),
            (address, AddressChange::Preferred)
        ]
    );
    // Its lifetime went on meanwhile.
    let left = net.formed_of(1).valid.unwrap();
    assert!(left <= 493 * SECOND && left > 490 * SECOND, "{left:?}");
}

#[test]
fn a_connection_under_way_ends_where_its_link_stays_down() {
    let mut net = Net::new(&["10.0.0.1/24"], &["10.0.0.66/24"]);
    let (host, link) = (net.host, net.link(net.host));
    let fd = net.stream(host, Domain::Inet);
    let to = (ip("10.0.0.66"), PORT).into();
    let connect = |stack: &mut Stack<'_, _>| stack.connect(fd, to);
    assert_eq!(net.with(host, connect), Err(Error::WouldBlock));
    net.with(host, |stack| stack.set_link(link, false)).unwrap();
    net.run_for(200 * SECOND);
    assert_eq!(net.with(host, connect), Err(Error::HostUnreachable));
}
