//! Which router a packet goes to.

use glasstack::stack::{Domain, Route, Type};
use glasstack::{Error, Limit, Stack};

use super::net::*;

/// The number of the router that a datagram to somewhere goes to, if one is asked for it.
fn router_to(net: &mut Net, far: &str) -> Option<usize> {
    let before = net.frames(0).len();
    let (host, far) = (net.host, (ip(far), PORT).into());
    net.with(host, |stack| {
        let fd = stack.socket(Domain::Inet6, Type::Datagram)?;
        stack.sendto(fd, b"Michael", far)?;
        stack.close(fd)
    })
    .unwrap();
    net.run_for(10 * SECOND);
    let frames = net.frames(before);
    let sent = frames.iter().find(|frame| frame.ends_with(b"Michael"))?;
    // A simulated host's hardware address has its number in it.
    Some(usize::from(sent[4]) - 1)
}

fn route(destination: &str, prefix_len: u8, gateway: &str, metric: u32) -> Route {
    Route {
        destination: ip(destination),
        prefix_len,
        gateway: Some(ip(gateway)),
        metric,
    }
}

#[test]
fn the_longest_prefix_leads_and_then_the_lowest_metric() {
    let mut net = Net::new(&["10.0.0.1/24"], &[]);
    let (host, link) = (net.host, net.link(net.host));
    let specific = route("192.0.2.0", 24, "10.0.0.253", 50);
    net.with(host, |stack| {
        stack.add_route(link, Route::default_by(ip("10.0.0.254")))?;
        stack.add_route(link, route("0.0.0.0", 0, "10.0.0.253", 10))?;
        stack.add_route(link, specific)
    })
    .unwrap();
    assert_eq!(router_to(&mut net, "198.51.100.1"), Some(0));
    assert_eq!(router_to(&mut net, "192.0.2.1"), Some(1));
    net.with(host, |stack| stack.remove_route(link, specific))
        .unwrap();
    assert_eq!(router_to(&mut net, "192.0.2.1"), Some(0));
    let again = net.with(host, |stack| stack.remove_route(link, specific));
    assert_eq!(again, Err(Error::NetworkUnreachable));
    // `set_gateway` is the one default route of its family.
    net.with(host, |stack| stack.set_gateway(link, ip("10.0.0.253")))
        .unwrap();
    assert_eq!(router_to(&mut net, "198.51.100.1"), Some(1));
    assert_eq!(net.routes().len(), 1);
}

#[test]
fn a_network_on_the_link_needs_no_router() {
    let mut net = Net::new(&["10.0.0.1/24"], &["10.0.0.66/24", "192.0.2.9/24"]);
    let (host, other, link) = (net.host, net.other, net.link(net.host));
    let unreachable = net.source_for("192.0.2.9");
    assert_eq!(unreachable, None);
    net.with(host, |stack| {
        stack.add_route(
            link,
            Route {
                destination: ip("192.0.2.0"),
                prefix_len: 24,
                gateway: None,
                metric: 0,
            },
        )
    })
    .unwrap();
    let link = net.link(other);
    net.with(other, |stack| stack.set_gateway(link, ip("10.0.0.1")))
        .unwrap();
    let listener = net.listen(other);
    let (fd, accepted) = net.connect(host, other, listener, ip("192.0.2.9"));
    net.carry((host, fd), (other, accepted));
}

#[test]
fn a_router_that_does_not_answer_makes_way_for_one_that_does() {
    let mut net = Net::new(&["10.0.0.1/24"], &[]);
    let (host, link) = (net.host, net.link(net.host));
    net.with(host, |stack| {
        // Nobody has this one.
        stack.add_route(link, route("0.0.0.0", 0, "10.0.0.200", 1))?;
        stack.add_route(link, route("0.0.0.0", 0, "10.0.0.253", 2))
    })
    .unwrap();
    assert_eq!(router_to(&mut net, "198.51.100.1"), Some(1));
    let failed: Vec<_> = net.routes().iter().map(|it| it.failed).collect();
    assert_eq!(failed, [true, false]);
    // The next one goes there at once.
    let before = net.simulation.elapsed();
    assert_eq!(router_to(&mut net, "198.51.100.2"), Some(1));
    assert_eq!(net.simulation.elapsed() - before, 10 * SECOND);
}

#[test]
fn of_two_advertised_routers_the_one_that_is_there_is_taken() {
    let mut net = Net::ready();
    net.advertise(0, &advertisement(1_800, &[prefix(1, 6_000, 3_000)]));
    net.advertise(1, &advertisement(1_800, &[prefix(1, 6_000, 3_000)]));
    net.run_for(3 * SECOND);
    let far = "2001:db8:ffff::1";
    assert_eq!(router_to(&mut net, far), Some(0));
    // It falls silent: it is still spoken to until it was asked for in vain.
    net.simulation.cut(net.routers[0]);
    net.run_for(100 * SECOND);
    let mut seen = Vec::new();
    for _ in 0..5 {
        seen.push(router_to(&mut net, far));
    }
    assert_eq!(seen.last(), Some(&Some(1)), "{seen:?}");
    assert_eq!(seen.iter().filter(|it| it.is_none()).count(), 0, "{seen:?}");
    // Back again it says so, and is taken again.
    net.simulation.heal(net.routers[0]);
    net.advertise(0, &advertisement(1_800, &[]));
    assert_eq!(router_to(&mut net, far), Some(0));
    net.advertise(0, &advertisement(0, &[]));
    assert_eq!(router_to(&mut net, far), Some(1));
    net.advertise(1, &advertisement(0, &[]));
    assert_eq!(net.source_for(far), None);
}

#[test]
fn a_connection_goes_on_by_the_other_router() {
    let mut net = Net::ready();
    net.advertise(0, &advertisement(1_800, &[prefix(1, 6_000, 3_000)]));
    net.advertise(1, &advertisement(1_800, &[prefix(1, 6_000, 3_000)]));
    net.run_for(3 * SECOND);
    net.simulation.cut(net.routers[0]);
    let (host, fd) = (net.host, net.stream(net.host, Domain::Inet6));
    let to = (ip("2001:db8:ffff::1"), PORT).into();
    assert_eq!(
        net.with(host, |stack| stack.connect(fd, to)),
        Err(Error::WouldBlock)
    );
    let before = net.frames(0).len();
    net.run_for(10 * SECOND);
    let frames = net.frames(before);
    let is_syn = |frame: &&Vec<u8>| frame[20] == 6 && frame[67] == 0x02;
    let mut syns = frames.iter().filter(is_syn);
    let first = syns.next().unwrap_or_else(|| panic!("no SYN: {frames:?}"));
    assert_eq!(first[4], 2);
}

#[test]
fn the_gateways_of_an_address_go_with_it() {
    let mut net = Net::new(&["10.0.0.1/24", "192.0.2.1/24"], &[]);
    let (host, link) = (net.host, net.link(net.host));
    net.with(host, |stack| {
        stack.add_route(link, route("0.0.0.0", 0, "10.0.0.254", 0))?;
        stack.add_route(link, route("198.51.100.0", 24, "192.0.2.254", 0))?;
        stack.remove_address(link, ip("10.0.0.1"))
    })
    .unwrap();
    let left: Vec<_> = net.routes().iter().map(|it| it.route.gateway).collect();
    assert_eq!(left, [Some(ip("192.0.2.254"))]);
}

#[test]
fn what_is_no_route_is_refused() {
    let mut net = Net::new(&["10.0.0.1/24"], &[]);
    let (host, link) = (net.host, net.link(net.host));
    for (wrong, error) in [
        (
            route("0.0.0.0", 0, "10.0.1.1", 0),
            Error::NetworkUnreachable,
        ),
        (
            route("0.0.0.0", 0, "224.0.0.1", 0),
            Error::NetworkUnreachable,
        ),
        (route("0.0.0.0", 0, "0.0.0.0", 0), Error::NetworkUnreachable),
        (route("::", 0, "10.0.0.254", 0), Error::InvalidArgument),
        (
            route("0.0.0.0", 33, "10.0.0.254", 0),
            Error::InvalidArgument,
        ),
    ] {
        assert_eq!(
            net.with(host, |stack| stack.add_route(link, wrong)),
            Err(error),
            "{wrong:?}"
        );
    }
    let mut add = |number: u8| {
        let route = route(&format!("192.0.{number}.0"), 24, "10.0.0.254", 0);
        net.with(host, |stack: &mut Stack<'_, _>| {
            stack.add_route(link, route)
        })
    };
    for number in 0..32 {
        assert_eq!(add(number), Ok(()));
    }
    assert_eq!(add(32), Err(Error::Exhausted(Limit::Routes)));
    assert_eq!(add(7), Ok(())); // it is there already
}
