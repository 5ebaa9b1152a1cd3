//! Who receives what is sent to a group.

use glasstack::Error;
use glasstack::sim::{Link, Simulation};
use glasstack::stack::option::{
    MulticastHopLimit, MulticastInterface, MulticastLoop, ReuseAddress,
};
use glasstack::stack::{Message, Type};

use crate::scene::{FAMILIES, PORT, Scene, ip, link};

#[test]
fn the_members_receive_and_nobody_else() {
    for family in FAMILIES {
        let mut scene = Scene::new(4);
        let [sender, one, other, outsider] = [0, 1, 2, 3].map(|host| scene.socket(host, family));
        scene.join(1, one, family.group()).unwrap();
        scene.join(2, other, family.group()).unwrap();
        scene.send(0, sender, b"to all", family.to());
        assert!(scene.has_received(1, one, b"to all"));
        assert!(scene.has_received(2, other, b"to all"));
        assert_eq!(scene.receive(3, outsider), None);
        assert_eq!(scene.receive(0, sender), None);

        scene.leave(1, one, family.group()).unwrap();
        scene.close(2, other);
        scene.send(0, sender, b"to nobody", family.to());
        assert_eq!(scene.receive(1, one), None);
        assert_eq!(scene.groups(1), []);
        assert_eq!(scene.groups(2), []);
    }
}

#[test]
fn a_datagram_tells_its_group_its_link_and_its_hops() {
    for family in FAMILIES {
        let mut scene = Scene::new(2);
        let (sender, member) = (scene.socket(0, family), scene.socket(1, family));
        scene.join(1, member, family.group()).unwrap();
        // One hop, unless more are wanted (RFC 1112 §6.1).
        for hops in [1, 5, 255] {
            if hops > 1 {
                let host = scene.hosts[0];
                let set = |stack: &mut glasstack::Stack<'_, _>| {
                    stack.setsockopt(sender, MulticastHopLimit, hops)
                };
                scene.net.with(host, set).unwrap();
            }
            scene.send(0, sender, b"", family.to());
            let (_, received) = scene.receive(1, member).unwrap();
            assert_eq!(received.to.ip(), family.group());
            assert_eq!((received.interface, received.hop_limit), (link(1), hops));
        }
    }
}

/// Linux's default (`IP_MULTICAST_ALL`): the membership is the link's, and whoever is bound there hears.
#[test]
fn one_sockets_membership_serves_all_who_are_bound_to_the_port() {
    for family in FAMILIES {
        let mut scene = Scene::new(2);
        let (sender, bound) = (scene.socket(0, family), scene.socket(1, family));
        let member = scene.socket_at(1, family, (ip(family.any), 1).into());
        scene.join(1, member, family.group()).unwrap();
        scene.send(0, sender, b"heard", family.to());
        assert!(scene.has_received(1, bound, b"heard"));
        assert_eq!(scene.receive(1, member), None);
    }
}

/// As those of any mDNS program beside another one.
#[test]
fn all_sockets_that_share_the_port_receive() {
    for family in FAMILIES {
        let mut scene = Scene::new(2);
        let sender = scene.socket(0, family);
        let host = scene.hosts[1];
        let mut members = Vec::new();
        for address in [family.any, family.any, family.group] {
            let member = scene.net.with(host, |stack| {
                let fd = stack.socket(family.domain, Type::Datagram)?;
                stack.setsockopt(fd, ReuseAddress, true)?;
                stack.bind(fd, (ip(address), PORT).into())?;
                stack.join_group(fd, family.group(), None)?;
                Ok(fd)
            });
            members.push(member.unwrap());
        }
        assert_eq!(scene.groups(1), [(family.group(), 3)]);
        scene.send(0, sender, b"to each", family.to());
        for member in &members {
            assert!(scene.has_received(1, *member, b"to each"));
        }
        scene.send(1, members[0], b"own", family.to());
        for member in &members {
            assert!(scene.has_received(1, *member, b"own"));
        }
        // The others stay when one leaves.
        scene.close(1, members[0]);
        scene.send(0, sender, b"to both", family.to());
        assert!(scene.has_received(1, members[1], b"to both"));
        assert!(scene.has_received(1, members[2], b"to both"));
    }
}

#[test]
fn who_is_bound_to_the_group_hears_it_alone() {
    for family in FAMILIES {
        let mut scene = Scene::new(2);
        let sender = scene.socket(0, family);
        let bound = scene.socket_at(1, family, family.to());
        scene.join(1, bound, family.group()).unwrap();
        scene.send(0, sender, b"group", family.to());
        let own = if family.group().is_ipv4() {
            "10.0.0.2"
        } else {
            "fd00::2"
        };
        scene.send(0, sender, b"host", (ip(own), PORT).into());
        assert!(scene.has_received(1, bound, b"group"));
    }
}

#[test]
fn ones_own_datagrams_come_back_unless_that_is_off() {
    for family in FAMILIES {
        let mut scene = Scene::new(2);
        let (member, other) = (scene.socket(0, family), scene.socket(1, family));
        scene.join(1, other, family.group()).unwrap();
        // Nobody of this host is in the group.
        scene.send(0, member, b"away", family.to());
        assert_eq!(scene.receive(0, member), None);
        assert!(scene.has_received(1, other, b"away"));

        scene.join(0, member, family.group()).unwrap();
        scene.send(0, member, b"both", family.to());
        assert!(scene.has_received(0, member, b"both"));
        assert!(scene.has_received(1, other, b"both"));

        let host = scene.hosts[0];
        let off =
            |stack: &mut glasstack::Stack<'_, _>| stack.setsockopt(member, MulticastLoop, false);
        scene.net.with(host, off).unwrap();
        scene.send(0, member, b"others", family.to());
        assert_eq!(scene.receive(0, member), None);
        assert!(scene.has_received(1, other, b"others"));
    }
}

#[test]
fn without_a_hop_it_stays_in_the_host() {
    for family in FAMILIES {
        let mut scene = Scene::new(2);
        let (member, other) = (scene.socket(0, family), scene.socket(1, family));
        scene.join(0, member, family.group()).unwrap();
        scene.join(1, other, family.group()).unwrap();
        let host = scene.hosts[0];
        let none =
            |stack: &mut glasstack::Stack<'_, _>| stack.setsockopt(member, MulticastHopLimit, 0);
        scene.net.with(host, none).unwrap();
        scene.send(0, member, b"here", family.to());
        assert!(scene.has_received(0, member, b"here"));
        assert_eq!(scene.receive(1, other), None);
    }
}

/// A host with two links, and a neighbor on each.
#[test]
fn a_membership_is_of_one_link_and_so_is_what_is_sent() {
    for family in FAMILIES {
        let mut net = Simulation::new(7);
        let [host, left, right] = ["host", "left", "right"].map(|name| net.host(name).unwrap());
        let wire = || Link::ethernet(1514);
        let ends = |net: u8, last: u8| {
            [
                format!("10.0.{net}.{last}/24"),
                format!("fd00:{net}::{last}/64"),
            ]
        };
        for (number, neighbor) in [(1, left), (2, right)] {
            let [near, far] = [1, 2].map(|last| ends(number, last));
            let [near, far] = [&near, &far].map(|ends| ends.each_ref().map(String::as_str));
            net.link(wire(), (host, &near), (neighbor, &far)).unwrap();
        }
        let [fd, at_left, at_right] = [host, left, right].map(|host| {
            let open = |stack: &mut glasstack::Stack<'_, _>| {
                let fd = stack.socket(family.domain, Type::Datagram)?;
                stack.bind(fd, (ip(family.any), PORT).into())?;
                stack.setsockopt(fd, MulticastLoop, false)?;
                Ok(fd)
            };
            net.with(host, open).unwrap()
        });
        let group = family.group();
        for (host, fd) in [(left, at_left), (right, at_right)] {
            net.with(host, |stack| stack.join_group(fd, group, Some(link(1))))
                .unwrap();
        }
        let unknown = net.with(host, |stack| stack.join_group(fd, group, Some(link(3))));
        assert_eq!(unknown, Err(Error::NoDevice));
        net.with(host, |stack| stack.join_group(fd, group, Some(link(2))))
            .unwrap();

        // What comes over the first link is not for a member.
        for (neighbor, sender) in [(left, at_left), (right, at_right)] {
            net.with(neighbor, |stack| stack.sendto(sender, b"in", family.to()))
                .unwrap();
        }
        net.settle().unwrap();
        let mut buffer = [0; 9];
        let received = net
            .with(host, |stack| stack.recvfrom(fd, &mut buffer))
            .unwrap();
        assert_eq!(received.interface, link(2));
        let more = net.with(host, |stack| stack.recv(fd, &mut buffer));
        assert_eq!(more, Err(Error::WouldBlock));

        // The option chooses the link, a message's own choice comes before it, and else the route decides.
        let mut send = |choice, own, data: &[u8]| {
            net.with(host, |stack| {
                stack.setsockopt(fd, MulticastInterface, choice)?;
                let data = [data];
                let message = Message::new(&data).to(family.to());
                let message = match own {
                    Some(own) => message.interface(own),
                    None => message,
                };
                stack.sendmsg(fd, &message)
            })
            .unwrap();
            net.settle().unwrap();
            [(left, at_left), (right, at_right)].map(|(host, fd)| {
                let mut buffer = [0; 9];
                let received = net.with(host, |stack| stack.recv(fd, &mut buffer));
                received.ok().map(|len| buffer[..len].to_vec())
            })
        };
        let heard = |text: &str| Some(text.as_bytes().to_vec());
        assert_eq!(send(Some(link(2)), None, b"b"), [None, heard("b")]);
        assert_eq!(send(Some(link(1)), None, b"a"), [heard("a"), None]);
        assert_eq!(send(Some(link(1)), Some(link(2)), b"b"), [None, heard("b")]);
        assert_eq!(send(None, None, b"a"), [heard("a"), None]);
    }
}

#[test]
fn errors_are_those_of_linux() {
    for family in FAMILIES {
        let mut scene = Scene::new(1);
        let fd = scene.socket(0, family);
        let group = family.group();
        assert_eq!(scene.leave(0, fd, group), Err(Error::AddrNotAvailable));
        assert_eq!(scene.join(0, fd, group), Ok(()));
        assert_eq!(scene.join(0, fd, group), Err(Error::AddrInUse));
        // Another socket may.
        let other = scene.socket_at(0, family, (ip(family.any), 1).into());
        assert_eq!(scene.join(0, other, group), Ok(()));
        assert_eq!(scene.groups(0), [(group, 2)]);
        assert_eq!(scene.leave(0, fd, group), Ok(()));
        assert_eq!(scene.leave(0, fd, group), Err(Error::AddrNotAvailable));
        assert_eq!(scene.groups(0), [(group, 1)]);

        let no_group = if group.is_ipv4() {
            "10.0.0.1"
        } else {
            "fd00::1"
        };
        assert_eq!(scene.join(0, fd, ip(no_group)), Err(Error::InvalidArgument));
        assert_eq!(
            scene.leave(0, fd, ip(no_group)),
            Err(Error::InvalidArgument)
        );
        let host = scene.hosts[0];
        scene
            .net
            .with(host, |stack| {
                for interface in [0, 2, 255] {
                    let interface = Some(link(interface));
                    assert_eq!(stack.join_group(fd, group, interface), Err(Error::NoDevice));
                    assert_eq!(
                        stack.leave_group(fd, group, interface),
                        Err(Error::NoDevice)
                    );
                }
                let stream = stack.socket(family.domain, Type::Stream)?;
                assert_eq!(
                    stack.join_group(stream, group, None),
                    Err(Error::NotSupported)
                );
                stack.close(fd)?;
                assert_eq!(stack.join_group(fd, group, None), Err(Error::BadDescriptor));
                Ok(())
            })
            .unwrap();
    }
    // An IPv6 socket may join a group of IPv4; the other way round makes no sense.
    let mut scene = Scene::new(1);
    let [v4, v6] = FAMILIES.map(|family| scene.socket(0, family));
    assert_eq!(scene.join(0, v6, FAMILIES[0].group()), Ok(()));
    let other = scene.join(0, v4, FAMILIES[1].group());
    assert_eq!(other, Err(Error::AddressFamilyNotSupported));
}

#[test]
fn without_a_link_there_is_no_device() {
    let mut net = Simulation::new(7);
    let alone = net.host("alone").unwrap();
    for family in FAMILIES {
        let joined = net.with(alone, |stack| {
            let fd = stack.socket(family.domain, Type::Datagram)?;
            stack.join_group(fd, family.group(), None)
        });
        assert_eq!(joined, Err(Error::NoDevice));
    }
}

#[test]
fn closing_ends_all_memberships_of_a_socket_and_none_of_others() {
    for family in FAMILIES {
        let mut scene = Scene::new(1);
        let fd = scene.socket(0, family);
        let other = scene.socket_at(0, family, (ip(family.any), 1).into());
        let groups = match family.group().is_ipv4() {
            true => ["239.0.0.1", "239.0.0.2", "239.0.0.3"],
            false => ["ff02::a1", "ff02::a2", "ff05::a3"],
        };
        for group in groups {
            scene.join(0, fd, ip(group)).unwrap();
        }
        scene.join(0, other, ip(groups[1])).unwrap();
        assert_eq!(scene.groups(0).len(), 3);
        scene.close(0, fd);
        assert_eq!(scene.groups(0), [(ip(groups[1]), 1)]);
        // The next socket in the same row of the table begins without any.
        let next = scene.socket(0, family);
        assert_eq!(
            scene.leave(0, next, ip(groups[0])),
            Err(Error::AddrNotAvailable)
        );
    }
}
