//! What routers advertise, and what comes of it.

use std::time::Duration;

use glasstack::sim::{Link, Simulation};
use glasstack::socket::configured;
use glasstack::stack::{AddressChange, AddressState, Domain, InterfaceIdentifier, Origin, Type};
use glasstack::{Error, Result};

use super::net::*;

#[test]
fn an_address_a_route_and_a_name_server_come_from_a_router() {
    let mut net = Net::ready();
    let [own] = net.addresses(net.host)[..] else {
        panic!("one address, of the link's own");
    };
    assert_eq!(
        (own.origin, own.state),
        (Origin::LinkLocal, AddressState::Preferred)
    );
    let wait = |network| async move { configured(&network).await };
    let waiting = net.simulation.spawn(net.host, "waits", wait).unwrap();
    net.run_for(SECOND);
    assert_eq!(waiting.take(), None);

    let options = [prefix(1, 600, 300), name_server(900, "fd00::66")];
    net.advertise(0, &advertisement(1_800, &options));
    assert_eq!(net.formed_of(1).state, AddressState::Tentative);
    net.run_for(2 * SECOND);
    assert_eq!(waiting.take(), Some(Ok(())));
    let address = net.formed_of(1);
    assert!(is_preferred(&address));
    assert_eq!(
        net.changes(),
        [
            (own.address, AddressChange::Tentative),
            (own.address, AddressChange::Preferred),
            (address.address, AddressChange::Tentative),
            (address.address, AddressChange::Preferred),
        ]
    );
    let gateways: Vec<_> = net.routes().iter().map(|it| it.route.gateway).collect();
    assert_eq!(gateways, [Some(ip("fe80::1")), None]);
    assert_eq!(net.source_for("2001:db8:ffff::1"), Some(address.address));

    // Its question for a name goes to that server, by way of the router.
    let link = net.link(net.host);
    let servers = net.with(net.host, |stack| {
        Ok(stack.advertised_name_servers(link).collect::<Vec<_>>())
    });
    assert_eq!(servers, Ok(vec![ip("fd00::66")]));
    let before = net.frames(0).len();
    net.with(net.host, |stack| stack.resolve("example.com"))
        .unwrap();
    net.run_for(SECOND);
    let is_question = |frame: &Vec<u8>| {
        frame.len() > 62
            && frame[20] == 17
            && frame[38..54] == [0xfd, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0x66]
    };
    let frames = net.frames(before);
    assert!(frames.iter().any(is_question), "{frames:?}");
}

#[test]
fn routers_are_asked_for_by_who_has_none() {
    let net = Net::ready();
    let solicitations = |net: &Net| {
        let frames = net.frames(0).into_iter();
        frames.filter(|frame| frame[54] == 133).collect::<Vec<_>>()
    };
    let [solicitation] = &solicitations(&net)[..] else {
        panic!("one solicitation");
    };
    // To all routers, with hop limit 255, from the link's own address, with the hardware address.
    assert_eq!(solicitation[..6], [0x33, 0x33, 0, 0, 0, 2]);
    assert_eq!(solicitation[21], 255);
    assert_eq!(solicitation[22..24], [0xfe, 0x80]);
    assert_eq!(solicitation[62..64], [1, 1]);
    assert_eq!(solicitation[64..], solicitation[6..12]);
    let mut net = net;
    net.run_for(8 * SECOND);
    assert_eq!(solicitations(&net).len(), 3);
    net.advertise(0, &advertisement(1_800, &[]));
    net.run_for(3_600 * SECOND);
    assert_eq!(solicitations(&net).len(), 3);
}

#[test]
fn a_deprecated_address_goes_on_and_is_not_begun_with() {
    let mut net = Net::ready();
    let listener = net.listen(net.other);
    let link = net.link(net.other);
    net.with(net.other, |stack| {
        stack.autoconfigure(link, Some(InterfaceIdentifier::default()))
    })
    .unwrap();
    net.run_for(3 * SECOND);
    let start = net.simulation.elapsed();
    net.advertise(
        0,
        &advertisement(0, &[prefix(1, 60, 30), prefix(2, 600, 300)]),
    );
    net.run_until(start + 10 * SECOND);
    let (old, new) = (net.formed_of(1).address, net.formed_of(2).address);
    let other = net.addresses(net.other);
    let of_other = |number| {
        other
            .iter()
            .find(|it| is_of(it.address, number))
            .unwrap()
            .address
    };
    let peer = of_other(1);

    // The nearer of the two is taken, while it is preferred.
    assert_eq!(net.source_for(&peer.to_string()), Some(old));
    let (fd, accepted) = net.connect(net.host, net.other, listener, peer);
    let (host, there) = (net.host, net.other);
    net.run_until(start + Duration::from_millis(29_999));
    assert!(is_preferred(&net.formed_of(1)));
    net.run_until(start + Duration::from_millis(30_100));
    assert_eq!(net.formed_of(1).state, AddressState::Deprecated);
    assert_eq!(net.source_for(&peer.to_string()), Some(new));
    net.carry((host, fd), (there, accepted));
    net.carry((there, accepted), (host, fd));

    // A socket that names it may still use it, and hears of its end.
    let datagrams = net.with(host, |stack| {
        let fd = stack.socket(Domain::Inet6, Type::Datagram)?;
        stack.bind(fd, (old, 5_000).into())?;
        stack.sendto(fd, b"Michael", (peer, PORT).into())?;
        Ok(fd)
    });
    let datagrams = datagrams.unwrap();
    net.run_until(start + Duration::from_millis(59_999));
    assert_eq!(net.formed().len(), 2);
    net.run_until(start + Duration::from_millis(60_100));
    assert_eq!(net.formed().len(), 1);
    let mut buffer = [0; 8];
    let received = net.with(host, |stack| stack.recv(fd, &mut buffer));
    assert_eq!(received, Err(Error::AddrNotAvailable));
    let received = net.with(host, |stack| stack.recv(datagrams, &mut buffer));
    assert_eq!(received, Err(Error::AddrNotAvailable));
    let changes: Vec<_> = net
        .changes()
        .into_iter()
        .filter(|(it, _)| *it == old)
        .collect();
    let expected = [
        AddressChange::Tentative,
        AddressChange::Preferred,
        AddressChange::Deprecated,
        AddressChange::Removed,
    ];
    assert_eq!(changes, expected.map(|change| (old, change)));
}

#[test]
fn lifetimes_end_to_the_microsecond_and_are_renewed() {
    let mut net = Net::ready();
    let said = net.simulation.elapsed();
    net.advertise(0, &advertisement(20, &[prefix(1, 10, 5)]));
    let micro = Duration::from_micros(1);
    net.run_until(said + 5 * SECOND - micro);
    assert!(is_preferred(&net.formed_of(1)));
    // Said again, it lasts longer; what is said of less than two hours does not make it shorter.
    let again = net.simulation.elapsed();
    net.advertise(0, &advertisement(20, &[prefix(1, 12, 6)]));
    net.advertise(0, &advertisement(20, &[prefix(1, 7, 6)]));
    net.run_until(again + 6 * SECOND - micro);
    assert!(is_preferred(&net.formed_of(1)));
    net.run_until(again + 7 * SECOND);
    assert_eq!(net.formed_of(1).state, AddressState::Deprecated);
    net.run_until(again + 12 * SECOND - micro);
    assert_eq!(net.formed().len(), 1);
    net.run_until(again + 12 * SECOND + Duration::from_millis(1));
    assert_eq!(net.formed().len(), 0);
    // The route of the router is still there, and then not.
    assert_eq!(net.routes().len(), 1);
    net.run_until(again + 21 * SECOND);
    assert_eq!(net.routes(), []);
}

#[test]
fn two_prefixes_are_two_addresses_each_for_its_own() {
    let mut net = Net::ready();
    net.advertise(0, &advertisement(1_800, &[prefix(1, 600, 300)]));
    net.advertise(1, &advertisement(1_800, &[prefix(2, 600, 300)]));
    net.run_for(3 * SECOND);
    for number in [1, 2] {
        let own = net.formed_of(number).address;
        let neighbor = format!("2001:db8:0:{number}::9");
        assert_eq!(net.source_for(&neighbor), Some(own));
    }
    // The link's own speaks on the link alone.
    let own = net.addresses(net.host)[0].address;
    assert_eq!(net.source_for("fe80::9"), Some(own));
    // What is far goes to the first router, from the address that it takes for right.
    assert_eq!(
        net.source_for("2001:db8:ffff::1"),
        Some(net.formed_of(1).address)
    );
}

#[test]
fn the_mtu_that_a_router_says_is_kept_to() {
    let mut net = Net::ready();
    let listener = net.listen(net.other);
    net.advertise(0, &advertisement(1_800, &[prefix(1, 600, 300), mtu(1_300)]));
    net.run_for(3 * SECOND);
    let link = net.link(net.other);
    // The answer knows its way back.
    net.with(net.other, |stack| {
        stack.add_address(link, ip("2001:db8:0:1::66"), 64)
    })
    .unwrap();
    let before = net.frames(0).len();
    let (fd, accepted) = net.connect(net.host, net.other, listener, ip("2001:db8:0:1::66"));
    let sent = net
        .with(net.host, |stack| stack.send(fd, &[7; 4_000]))
        .unwrap();
    net.with(net.host, |stack| {
        let fd = stack.socket(Domain::Inet6, Type::Datagram)?;
        stack.sendto(fd, &[7; 1_400], (ip("2001:db8:0:1::66"), PORT).into())
    })
    .unwrap();
    net.run_for(SECOND);
    let longest = net.frames(before).iter().map(Vec::len).max();
    assert_eq!(longest, Some(14 + 1_300));
    let mut buffer = [0; 8_000];
    let received = net.with(net.other, |stack| stack.recv(accepted, &mut buffer));
    assert_eq!(received, Ok(sent));
}

#[test]
fn a_redirect_is_not_obeyed() {
    let mut net = Net::new(&["slaac", "10.0.0.1/24"], &["fd00::66/64", "10.0.0.66/24"]);
    net.run_for(3 * SECOND);
    let host = net.host;
    let link = net.link(host);
    net.with(host, |stack| stack.set_gateway(link, ip("10.0.0.254")))
        .unwrap();
    net.advertise(0, &advertisement(1_800, &[prefix(1, 600, 300)]));
    net.run_for(3 * SECOND);
    let far = ["2001:db8:ffff::1", "192.0.2.1"];
    let to = |net: &mut Net, far: &str| {
        let before = net.frames(0).len();
        let far = (ip(far), PORT).into();
        net.with(host, |stack| {
            let fd = stack.socket(Domain::Inet6, Type::Datagram)?;
            stack.sendto(fd, b"Michael", far)?;
            stack.close(fd)
        })
        .unwrap();
        net.run_for(2 * SECOND);
        let frames = net.frames(before);
        let is_datagram = |frame: &&Vec<u8>| frame.ends_with(b"Michael");
        let sent: Vec<_> = frames.iter().filter(is_datagram).collect();
        assert_eq!(sent.len(), 1, "{frames:?}");
        (sent[0][..6].to_vec(), sent[0].clone())
    };
    for far in far {
        let (router, sent) = to(&mut net, far);
        let mut redirect = match ip(far) {
            std::net::IpAddr::V4(_) => {
                [vec![5, 1, 0, 0, 10, 0, 0, 66], sent[14..].to_vec()].concat()
            }
            std::net::IpAddr::V6(far) => {
                let mut redirect = vec![137, 0, 0, 0, 0, 0, 0, 0];
                redirect.extend("fe80::2".parse::<std::net::Ipv6Addr>().unwrap().octets());
                redirect.extend(far.octets());
                redirect
            }
        };
        redirect.resize(redirect.len().next_multiple_of(8), 0);
        let from = if ip(far).is_ipv4() {
            "10.0.0.254"
        } else {
            "fe80::1"
        };
        let own = net.source_for(far).unwrap().to_string();
        net.say(net.routers[0], ip(from), &own, &redirect);
        net.run_for(SECOND);
        assert_eq!(to(&mut net, far).0, router, "{far}");
    }
}

#[test]
fn where_nothing_is_advertised_nothing_but_the_links_own_comes() {
    let mut net = Net::ready();
    net.run_for(10_000 * SECOND);
    assert_eq!(net.addresses(net.host).len(), 1);
    assert_eq!(net.routes(), []);
    // Without it there is no source for what is far.
    assert_eq!(net.source_for("2001:db8::1"), None);
}

#[test]
fn stopped_it_leaves_nothing_behind() {
    let mut net = Net::ready();
    let options = [prefix(1, 600, 300), name_server(900, "fd00::66")];
    net.advertise(0, &advertisement(1_800, &options));
    net.run_for(3 * SECOND);
    let link = net.link(net.host);
    net.with(net.host, |stack| stack.autoconfigure(link, None))
        .unwrap();
    assert_eq!(net.addresses(net.host), []);
    assert_eq!(net.routes(), []);
    net.advertise(0, &advertisement(1_800, &options));
    assert_eq!(net.addresses(net.host), []);
}

#[test]
fn the_identifier_is_as_it_was_asked_for() {
    let own = |identifier, seed| -> Result<String> {
        let mut simulation = Simulation::new(seed);
        let (host, other) = (simulation.host("host")?, simulation.host("other")?);
        let ends = ((host, &[]), (other, &[]));
        simulation.link(Link::ethernet(1514), ends.0, ends.1)?;
        simulation.with(host, |stack| {
            let link = stack.interfaces().next().unwrap();
            stack.autoconfigure(link, Some(identifier))?;
            Ok(stack.addresses(link).next().unwrap().address.to_string())
        })
    };
    use InterfaceIdentifier::{HardwareAddress, Opaque, Stable};
    assert_eq!(own(HardwareAddress, 1), Ok("fe80::ff:fe00:1".into()));
    assert_ne!(own(Opaque, 1), own(Opaque, 2));
    assert_eq!(own(Stable([3; 16]), 1), own(Stable([3; 16]), 2));
    assert_ne!(own(Stable([3; 16]), 1), own(Stable([4; 16]), 1));
}

/// Whatever octets arrive as advertisements, the host lives, and its tables keep their bounds.
#[test]
fn a_storm_of_nonsense_does_no_harm() {
    let mut net = Net::ready();
    let mut state = 1u64;
    let mut random = move || {
        state = state
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1);
        (state >> 33) as u32
    };
    for _ in 0..500 {
        let options: Vec<_> = (0..random() % 6)
            .map(|_| match random() % 4 {
                0 => prefix(random() as u16, random(), random()),
                1 => name_server(random() % 100, &format!("fd00::{}", random() % 10_000)),
                2 => mtu(random()),
                _ => (0..random() % 40).map(|_| random() as u8).collect(),
            })
            .collect();
        let mut message = advertisement(random() as u16, &options);
        let cut = random() as usize % (2 * message.len());
        message.truncate(cut.max(5));
        net.advertise((random() % 2) as usize, &message);
    }
    assert!(net.formed().len() <= 8, "{:?}", net.formed());
    assert!(net.routes().len() <= 16);
    let listener = net.listen(net.other);
    let link = net.link(net.host);
    let (host, other) = (net.host, net.other);
    net.with(host, |stack| stack.add_address(link, ip("fd00::1"), 64))
        .unwrap();
    let (fd, accepted) = net.connect(host, other, listener, ip("fd00::66"));
    net.carry((host, fd), (other, accepted));
}
