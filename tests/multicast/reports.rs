//! What a link's routers hear of groups, and what they ask.

use std::net::Ipv6Addr;

use glasstack::Stack;
use glasstack::smoltcp::phy::Medium;
use glasstack::smoltcp::time::Instant;
use glasstack::stack::option::HeaderIncluded;
use glasstack::stack::{Capacity, Domain, Protocol, Type};

use crate::cable::{HERE, Host, after, cable, run};
use crate::scene::{FAMILIES, Said, Scene, ip};

const V4: crate::scene::Family = FAMILIES[0];
const V6: crate::scene::Family = FAMILIES[1];

const REPORT: &str = "IGMPv2 Membership Report group 239.1.2.3";

/// A report or a leave of host 2, by its line.
fn assert_sent(said: &Said, from: &str, to: &str, line: &str) {
    assert_eq!((said.from, said.to, said.hops), (ip(from), ip(to), 1));
    assert_eq!(said.line, line);
}

/// A router's question by IGMPv2 (RFC 2236 §2).
fn igmp_query(tenths: u8, group: [u8; 4]) -> Vec<u8> {
    let mut query = [&[0x11, tenths, 0, 0][..], &group].concat();
    let sum: u32 = query
        .chunks(2)
        .map(|pair| u32::from(u16::from_be_bytes([pair[0], pair[1]])))
        .sum();
    let sum = !((sum & 0xffff) + (sum >> 16)) as u16;
    query[2..4].copy_from_slice(&sum.to_be_bytes());
    query
}

/// A router's packet with a question by MLDv2 (RFC 3810 §5.1), or by MLDv1 (RFC 2710 §3).
fn mld_query(version: u8, millis: u16, group: Ipv6Addr, hops: u8) -> Vec<u8> {
    let (source, to) = ("fe80::1", "ff02::1");
    let [source, to] = [source, to].map(|text| text.parse::<Ipv6Addr>().unwrap().octets());
    let mut query = vec![130, 0, 0, 0];
    query.extend(millis.to_be_bytes());
    query.extend([0, 0]);
    query.extend(group.octets());
    if version == 2 {
        query.extend([2, 125, 0, 0]);
    }
    let pseudo = [&source[..], &to, &[0, 0, 0, query.len() as u8, 0, 0, 0, 58]].concat();
    let mut sum: u32 = [pseudo, query.clone()]
        .concat()
        .chunks(2)
        .map(|pair| u32::from(u16::from_be_bytes([pair[0], pair[1]])))
        .sum();
    while sum > 0xffff {
        sum = (sum & 0xffff) + (sum >> 16);
    }
    query[2..4].copy_from_slice(&(!(sum as u16)).to_be_bytes());
    let len = 8 + query.len() as u8;
    let header = [0x60, 0, 0, 0, 0, len, 0, hops];
    let alert = [58, 0, 5, 2, 0, 0, 1, 0];
    [&header[..], &source, &to, &alert, &query].concat()
}

impl Scene {
    /// Host 1 is the router.
    fn ask_v4(&mut self, query: &[u8]) {
        let router = self.hosts[0];
        let asked = self.net.with(router, |stack| {
            let fd = stack.socket(Domain::Inet, Type::Raw(Protocol::IGMP))?;
            stack.sendto(fd, query, (ip("224.0.0.1"), 0).into())
        });
        asked.unwrap();
    }

    fn ask_v6(&mut self, packet: &[u8]) {
        let router = self.hosts[0];
        let asked = self.net.with(router, |stack| {
            let fd = stack.socket(Domain::Inet6, Type::Raw(Protocol::ICMPV6))?;
            stack.setsockopt(fd, HeaderIncluded, true)?;
            stack.sendto(fd, packet, (ip("ff02::1"), 0).into())
        });
        asked.unwrap();
    }
}

#[test]
fn joining_is_reported_twice_and_leaving_once() {
    let mut scene = Scene::new(2);
    let (fd, joined) = (scene.socket(1, V4), scene.now());
    scene.join(1, fd, V4.group()).unwrap();
    scene.wait(60_000);
    let said = scene.said(1, joined);
    assert_eq!(said.len(), 2);
    for said in &said {
        assert_sent(
            said,
            "10.0.0.2",
            V4.group,
            "Membership Report group 239.1.2.3",
        );
    }
    assert_eq!(said[0].at, joined);
    assert!((1..10_000).contains(&(said[1].at - joined)), "{said:?}");

    let left = scene.now();
    scene.close(1, fd);
    scene.wait(60_000);
    let said = scene.said(1, left);
    assert_eq!(said.len(), 1);
    assert_eq!(said[0].at, left);
    assert_sent(&said[0], "10.0.0.2", "224.0.0.2", "Leave Group 239.1.2.3");
}

#[test]
fn a_driver_that_has_room_no_more_when_it_is_asked_again_loses_no_report() {
    let (mut end, other) = cable(Medium::Ethernet);
    end.patience = 1;
    let stack = Stack::with_capacity(Capacity::default(), [7; 16], ());
    let mut host = Host::new(stack, end, HERE).unwrap();
    let fd = host.stack.socket(Domain::Inet, Type::Datagram).unwrap();
    host.stack
        .join_group(fd, V4.group(), Some(host.link))
        .unwrap();
    let mut now = Instant::ZERO;
    run(&mut [&mut host], &mut now, after(Instant::ZERO, 60_000));
    let frames = other.receive.borrow();
    let reports = frames.iter().filter(|frame| frame[14 + 9] == 2);
    assert_eq!(reports.count(), 2);
}

#[test]
fn changes_of_ipv6_groups_are_reported_twice() {
    let mut scene = Scene::new(2);
    let fd = scene.socket(1, V6);
    for what in ["join", "leave"] {
        let begin = scene.now();
        match what {
            "join" => scene.join(1, fd, V6.group()).unwrap(),
            _ => scene.leave(1, fd, V6.group()).unwrap(),
        }
        scene.wait(60_000);
        let said = scene.said(1, begin);
        assert_eq!(said.len(), 2, "{what}");
        for said in &said {
            let line = "Multicast Listener Report Message v2";
            assert_sent(said, "fe80::2", "ff02::16", line);
        }
        assert_eq!(said[0].at, begin);
        assert!((1..1_000).contains(&(said[1].at - begin)), "{said:?}");
    }
}

/// The link of an address hears of the group in which neighbors ask for it.
#[test]
fn an_ipv6_address_comes_with_its_solicited_node_group() {
    let mut scene = Scene::new(1);
    let (host, begin) = (scene.hosts[0], scene.now());
    let groups = |scene: &mut Scene| {
        let all = scene.net.with(host, |stack| {
            Ok(stack.groups(crate::scene::link(1)).collect::<Vec<_>>())
        });
        all.unwrap()
    };
    // fe80::1 and fd00::1 share one.
    assert_eq!(groups(&mut scene), [(ip("ff02::1:ff00:1"), 2)]);
    let added = scene.net.with(host, |stack| {
        stack.add_address(crate::scene::link(1), ip("fd00::ab:cdef"), 64)
    });
    added.unwrap();
    scene.wait(2_000);
    assert_eq!(groups(&mut scene)[1], (ip("ff02::1:ffab:cdef"), 1));
    assert_eq!(scene.said(0, begin).len(), 2);
}

#[test]
fn an_address_that_goes_takes_its_group_along() {
    let mut scene = Scene::new(1);
    let host = scene.hosts[0];
    let link = crate::scene::link(1);
    for (address, left) in [
        ("fe80::1", vec![(ip("ff02::1:ff00:1"), 1)]),
        ("fd00::1", vec![]),
    ] {
        let groups = scene.net.with(host, |stack| {
            stack.remove_address(link, ip(address))?;
            Ok(stack.groups(link).collect::<Vec<_>>())
        });
        assert_eq!(groups, Ok(left));
    }
    let begin = scene.now();
    scene.wait(2_000);
    let said = scene.said(0, begin);
    // Twice, and from no address, for there is none any more.
    assert_eq!(said.len(), 2, "{said:?}");
    assert_eq!(said[0].from, ip("::"));
}

/// RFC 3590 §4: routers do not listen to who has no address on the link; so it is said again once there is one.
#[test]
fn a_link_local_address_makes_all_groups_known() {
    let mut scene = Scene::new(1);
    let (host, link) = (scene.hosts[0], crate::scene::link(1));
    let remove = |stack: &mut glasstack::Stack<'_, _>| stack.remove_address(link, ip("fe80::1"));
    scene.net.with(host, remove).unwrap();
    let fd = scene.socket(0, V6);
    scene.join(0, fd, V6.group()).unwrap();
    scene.wait(2_000);
    let begin = scene.now();
    let add = |stack: &mut glasstack::Stack<'_, _>| stack.add_address(link, ip("fe80::77"), 64);
    scene.net.with(host, add).unwrap();
    scene.wait(2_000);
    let said = scene.said(0, begin);
    assert!(
        said.len() >= 2 && said.iter().all(|said| said.from == ip("fe80::77")),
        "{said:?}"
    );
}

#[test]
fn a_link_that_comes_back_hears_of_all_groups_and_one_that_is_down_of_none() {
    for family in FAMILIES {
        let mut scene = Scene::new(1);
        let (host, link) = (scene.hosts[0], crate::scene::link(1));
        let begin = scene.now();
        scene
            .net
            .with(host, |stack| stack.set_link(link, false))
            .unwrap();
        let fd = scene.socket(0, family);
        let joined = scene.net.with(host, |stack| {
            stack.join_group(fd, family.group(), Some(link))
        });
        joined.unwrap();
        scene.wait(60_000);
        assert_eq!(scene.said(0, begin), []);
        let begin = scene.now();
        scene
            .net
            .with(host, |stack| stack.set_link(link, true))
            .unwrap();
        scene.wait(60_000);
        let said = scene.said(0, begin);
        let of_family = said
            .iter()
            .filter(|said| said.from.is_ipv4() == family.group().is_ipv4());
        assert!(of_family.count() >= 2, "{said:?}");
    }
}

#[test]
fn one_member_answers_a_router_of_igmp_for_all() {
    let mut scene = Scene::new(4);
    let sockets = [1, 2, 3].map(|host| scene.socket(host, V4));
    for (host, fd) in (1..).zip(sockets) {
        scene.join(host, fd, V4.group()).unwrap();
    }
    scene.wait(30_000);
    for (query, longest) in [
        (igmp_query(100, [0; 4]), 10_000),
        (igmp_query(10, [239, 1, 2, 3]), 1_000),
    ] {
        let asked = scene.now();
        scene.ask_v4(&query);
        scene.wait(60_000);
        let answers: Vec<_> = [1, 2, 3]
            .into_iter()
            .flat_map(|host| scene.said(host, asked))
            .collect();
        assert_eq!(answers.len(), 1, "{answers:?}");
        assert_eq!(format!("IGMPv2 {}", answers[0].line), REPORT);
        assert!(answers[0].at - asked < longest);
    }
    // About another group nobody says a word, nor without the right checksum.
    let asked = scene.now();
    scene.ask_v4(&igmp_query(10, [239, 9, 9, 9]));
    let mut damaged = igmp_query(10, [0; 4]);
    damaged[1] = 11;
    scene.ask_v4(&damaged);
    scene.wait(60_000);
    for host in [1, 2, 3] {
        assert_eq!(scene.said(host, asked), []);
    }
}

#[test]
fn each_member_answers_a_router_of_mld() {
    let mut scene = Scene::new(3);
    let sockets = [1, 2].map(|host| scene.socket(host, V6));
    for (host, fd) in (1..).zip(sockets) {
        scene.join(host, fd, V6.group()).unwrap();
    }
    scene.wait(30_000);
    let any = Ipv6Addr::UNSPECIFIED;
    let group: Ipv6Addr = V6.group.parse().unwrap();
    for query in [mld_query(2, 10_000, any, 1), mld_query(2, 1_000, group, 1)] {
        let asked = scene.now();
        scene.ask_v6(&query);
        scene.wait(60_000);
        for host in [1, 2] {
            let said = scene.said(host, asked);
            assert_eq!(said.len(), 1, "{said:?}");
            assert!(said[0].at - asked < 10_000);
        }
    }
    // From behind a router.
    let asked = scene.now();
    scene.ask_v6(&mld_query(2, 1_000, any, 2));
    scene.wait(60_000);
    assert_eq!(scene.said(1, asked), []);
}

/// MLDv1: a report a group, to the group; and of the members of one, one speaks.
#[test]
fn an_old_router_of_mld_is_answered_in_its_way() {
    let mut scene = Scene::new(3);
    let sockets = [1, 2].map(|host| scene.socket(host, V6));
    for (host, fd) in (1..).zip(sockets) {
        scene.join(host, fd, V6.group()).unwrap();
    }
    scene.wait(30_000);
    let asked = scene.now();
    scene.ask_v6(&mld_query(1, 10_000, V6.group.parse().unwrap(), 1));
    scene.wait(60_000);
    let answers: Vec<_> = [1, 2]
        .into_iter()
        .flat_map(|host| scene.said(host, asked))
        .collect();
    assert_eq!(answers.len(), 1, "{answers:?}");
    assert_eq!(answers[0].to, V6.group());
    assert_eq!(answers[0].line, "Multicast Listener Report");
    let speaker = if answers[0].from == ip("fe80::2") {
        1
    } else {
        2
    };
    let left = scene.now();
    scene
        .leave(speaker, sockets[speaker - 1], V6.group())
        .unwrap();
    scene.wait(60_000);
    let done = scene.said(speaker, left);
    assert_eq!(done.len(), 1);
    assert_sent(
        &done[0],
        &format!("fe80::{}", speaker + 1),
        "ff02::2",
        "Multicast Listener Done",
    );
}
