use std::vec::Vec;

use core::net::IpAddr;

use proptest::prelude::*;

use super::*;
use crate::stack::address::{AddressState, InterfaceAddress};
use crate::stack::neighbor::solicited_node;

const ROUTER: Ipv6Addr = Ipv6Addr::new(0xfe80, 0, 0, 0, 0, 0, 0, 1);
const OTHER_ROUTER: Ipv6Addr = Ipv6Addr::new(0xfe80, 0, 0, 0, 0, 0, 0, 2);
const ALL_NODES: Ipv6Addr = Ipv6Addr::new(0xff02, 0, 0, 0, 0, 0, 0, 1);
const MAC: [u8; 6] = [2, 0, 0, 0, 0, 7];

fn network(number: u16) -> Ipv6Addr {
    Ipv6Addr::new(0x2001, 0xdb8, 0, number, 0, 0, 0, 0)
}

/// An interface's tables, without a stack around them.
struct Host {
    addresses: AddressTable,
    routes: RouteTable,
    autoconfiguration: Option<Autoconfiguration>,
    secret: Secret,
    now: Instant,
    changes: Vec<(AddressChange, IpAddr)>,
    sent: Vec<(Instant, Solicitation)>,
}

impl Host {
    fn new() -> Host {
        Host::with(InterfaceIdentifier::Opaque)
    }

    fn with(identifier: InterfaceIdentifier) -> Host {
        let mut addresses = AddressTable::new();
        let mut secret = Secret::new([7; 16]);
        let now = Instant::from_secs(1_000);
        let autoconfiguration =
            Autoconfiguration::start(identifier, Some(MAC), &mut addresses, now, &mut secret)
                .unwrap();
        let mut host = Host {
            addresses,
            routes: RouteTable::new(),
            autoconfiguration: Some(autoconfiguration),
            secret,
            now,
            changes: Vec::new(),
            sent: Vec::new(),
        };
        host.work();
        host
    }

    /// With its link-local address, and a solicitation sent.
    fn ready() -> Host {
        let mut host = Host::new();
        host.run_until(2);
        assert_eq!(host.sent.len(), 2);
        host.sent.clear();
        host.changes.clear();
        host
    }

    fn link(&mut self) -> (Link<'_>, Option<&mut Autoconfiguration>) {
        let link = Link {
            addresses: &mut self.addresses,
            routes: &mut self.routes,
            mtu: 1_500,
            now: self.now,
            secret: &mut self.secret,
        };
        (link, self.autoconfiguration.as_mut())
    }

    /// Does what is due now.
    fn work(&mut self) {
        self.addresses.expire(self.now);
        self.routes.expire(self.now);
        if let Some(autoconfiguration) = &mut self.autoconfiguration {
            autoconfiguration.expire(self.now);
        }
        while let Some(change) = self.addresses.next_change() {
            self.changes.push((change.change, change.row.addr));
            if let Some(autoconfiguration) = &mut self.autoconfiguration {
                autoconfiguration.changed(&change, &mut self.addresses, self.now, &mut self.secret);
            }
        }
        loop {
            let (mut link, autoconfiguration) = self.link();
            let Some(solicitation) = link.due(autoconfiguration.as_deref()) else {
                break;
            };
            link.sent(autoconfiguration, &solicitation);
            self.sent.push((self.now, solicitation));
        }
    }

    fn poll_at(&self) -> Option<Instant> {
        let own = self.autoconfiguration.as_ref();
        let own = own.and_then(|it| earlier(it.expires_at(), it.asks_at()));
        let addresses = earlier(self.addresses.expires_at(), self.addresses.detects_at());
        earlier(own, earlier(addresses, self.routes.expires_at()))
    }

    /// Lets `seconds` pass, stopping at each deadline.
    fn run_until(&mut self, seconds: u64) {
        let end = self.now + Duration::from_secs(seconds);
        while let Some(at) = self.poll_at().filter(|at| *at <= end) {
            assert!(at > self.now, "a deadline that does not move");
            self.now = at;
            self.work();
        }
        self.now = end;
        self.work();
    }

    fn hear(&mut self, source: Ipv6Addr, destination: Ipv6Addr, hop_limit: u8, packet: &[u8]) {
        let (mut link, autoconfiguration) = self.link();
        link.hear(
            autoconfiguration,
            (source, destination, hop_limit),
            packet,
            &ChecksumCapabilities::default(),
        );
        self.work();
    }

    fn advertised(&mut self, router: Ipv6Addr, advertisement: &[u8]) {
        let mut packet = advertisement.to_vec();
        seal(router, ALL_NODES, &mut packet);
        self.hear(router, ALL_NODES, 255, &packet);
    }

    fn list(&self) -> Vec<InterfaceAddress> {
        let is_global = |it: &InterfaceAddress| it.origin == Origin::Autoconfigured;
        self.addresses.list(self.now).filter(is_global).collect()
    }

    /// The only global address.
    fn global(&self) -> InterfaceAddress {
        let list = self.list();
        assert_eq!(list.len(), 1, "{list:?}");
        list[0]
    }

    fn gateway(&self) -> Option<IpAddr> {
        let outside = Ipv6Addr::new(0x2001, 0xdb8, 0xffff, 0, 0, 0, 0, 1);
        self.routes.look_up(outside.into())?.1.gateway
    }

    fn servers(&self) -> Vec<Ipv6Addr> {
        let autoconfiguration = self.autoconfiguration.as_ref().unwrap();
        autoconfiguration.servers().collect()
    }
}

fn seal(source: Ipv6Addr, destination: Ipv6Addr, packet: &mut [u8]) {
    if packet.len() >= 8 {
        smoltcp::wire::Icmpv6Packet::new_unchecked(packet).fill_checksum(&source, &destination);
    }
}

/// A router advertisement with options.
fn advertisement(lifetime: u16, options: &[Vec<u8>]) -> Vec<u8> {
    let mut packet = [134, 0, 0, 0, 64, 0].to_vec();
    packet.extend(lifetime.to_be_bytes());
    packet.extend([0; 8]);
    packet.extend(options.concat());
    packet
}

fn prefix_option(prefix: Ipv6Addr, len: u8, flags: u8, valid: u32, preferred: u32) -> Vec<u8> {
    let mut option = [3, 4, len, flags].to_vec();
    option.extend(valid.to_be_bytes());
    option.extend(preferred.to_be_bytes());
    option.extend([0; 4]);
    option.extend(prefix.octets());
    option
}

/// On the link, and for addresses.
fn prefix(number: u16, valid: u32, preferred: u32) -> Vec<u8> {
    prefix_option(network(number), 64, 0xc0, valid, preferred)
}

fn servers(lifetime: u32, servers: &[Ipv6Addr]) -> Vec<u8> {
    let mut option = [25, 1 + 2 * servers.len() as u8, 0, 0].to_vec();
    option.extend(lifetime.to_be_bytes());
    servers.iter().for_each(|it| option.extend(it.octets()));
    option
}

fn mtu(mtu: u32) -> Vec<u8> {
    let mut option = [5, 1, 0, 0].to_vec();
    option.extend(mtu.to_be_bytes());
    option
}

fn seconds(left: Option<core::time::Duration>) -> Option<u64> {
    left.map(|left| left.as_secs())
}

#[test]
fn the_links_own_address_is_asked_for_before_it_speaks() {
    let mut host = Host::new();
    let own = host.changes[0].1;
    assert_eq!(host.changes, [(AddressChange::Tentative, own)]);
    assert!(!host.addresses.is_assigned(own));
    host.run_until(2);
    assert_eq!(host.changes[1..], [(AddressChange::Preferred, own)]);
    assert!(host.addresses.is_assigned(own));
    // A question from nobody, and a second later, as somebody, one to the routers.
    let [(asked, question), (solicited, solicitation)] = host.sent[..] else {
        panic!("{:?}", host.sent);
    };
    assert_eq!(IpAddr::from(question.target().unwrap()), own);
    assert_eq!(question.source, Ipv6Addr::UNSPECIFIED);
    let mut octets = [0xaa; 32];
    question.write(&mut octets);
    assert_eq!(octets[0], 135);
    assert_eq!(octets[8..24], question.target().unwrap().octets());
    assert_eq!(solicited - asked, Duration::from_secs(1));
    assert_eq!(IpAddr::from(solicitation.source), own);
    assert_eq!(solicitation.len(), 16);
    let mut octets = [0; 16];
    solicitation.write(&mut octets);
    assert_eq!(octets[..2], [133, 0]);
    assert_eq!(octets[8..], [1, 1, 2, 0, 0, 0, 0, 7]);
}

#[test]
fn routers_are_asked_three_times_and_then_less_and_less() {
    let mut host = Host::ready();
    host.run_until(8);
    assert_eq!(host.sent.len(), 2);
    host.run_until(3_600);
    // 8, 16, 32, … seconds later.
    assert!((8..=12).contains(&host.sent.len()), "{}", host.sent.len());
    host.advertised(ROUTER, &advertisement(0, &[]));
    host.sent.clear();
    host.run_until(7_200);
    assert!(!host.sent.is_empty()); // that was no default router
    host.advertised(ROUTER, &advertisement(9_000, &[]));
    host.sent.clear();
    host.run_until(7_200);
    assert_eq!(host.sent, []);
}

#[test]
fn a_prefix_becomes_an_address_and_a_route_and_they_end_to_the_second() {
    let mut host = Host::ready();
    let advertised = host.now;
    host.advertised(ROUTER, &advertisement(1_800, &[prefix(1, 600, 300)]));
    assert_eq!(host.gateway(), Some(ROUTER.into()));
    let formed = host.global();
    assert_eq!(formed.state, AddressState::Tentative);
    assert_eq!(formed.prefix_len, 64);
    host.run_until(2);
    let formed = host.global();
    let IpAddr::V6(addr) = formed.address else {
        panic!("{formed:?}");
    };
    assert_eq!(addr.segments()[..4], network(1).segments()[..4]);
    assert_eq!(formed.state, AddressState::Preferred);
    assert_eq!(seconds(formed.preferred), Some(298));
    assert_eq!(seconds(formed.valid), Some(598));
    // Who else has the prefix is on the link: the routes say so, not the address.
    let neighbor = Ipv6Addr::new(0x2001, 0xdb8, 0, 1, 0, 0, 0, 9).into();
    assert_eq!(host.addresses.on_link(neighbor), None);
    let direct = host.routes.look_up(neighbor).unwrap().1;
    assert_eq!((direct.gateway, direct.prefix_len), (None, 64));

    let at = |seconds| advertised + Duration::from_secs(seconds);
    host.changes.clear();
    for (seconds, state, direct) in [
        (299, Some(AddressState::Preferred), true),
        (300, Some(AddressState::Deprecated), true),
        (599, Some(AddressState::Deprecated), true),
        (600, None, false),
    ] {
        host.run_until((at(seconds) - host.now).secs());
        let listed = host.list();
        assert_eq!(listed.first().map(|it| it.state), state, "{seconds}");
        let way = host.routes.look_up(neighbor).unwrap().1;
        assert_eq!(way.gateway.is_none(), direct, "{seconds}");
    }
    assert_eq!(
        host.changes,
        [
            (AddressChange::Deprecated, formed.address),
            (AddressChange::Removed, formed.address)
        ]
    );
    host.run_until((at(1_799) - host.now).secs());
    assert_eq!(host.gateway(), Some(ROUTER.into()));
    host.run_until(1);
    assert_eq!(host.gateway(), None);
}

#[test]
fn an_infinite_lifetime_does_not_end() {
    let mut host = Host::ready();
    host.advertised(
        ROUTER,
        &advertisement(9_000, &[prefix(1, INFINITY, INFINITY)]),
    );
    host.run_until(2);
    assert_eq!((host.global().preferred, host.global().valid), (None, None));
    host.run_until(100_000_000);
    assert_eq!(host.global().state, AddressState::Preferred);
}

#[test]
fn nobody_ends_an_address_within_two_hours_by_saying_so() {
    let mut host = Host::ready();
    host.advertised(ROUTER, &advertisement(9_000, &[prefix(1, 10_000, 10_000)]));
    host.run_until(2);
    for (valid, preferred, expected) in [
        (10, 10, 7_200),       // cut down to two hours
        (10, 5, 7_200),        // and no further
        (0, 0, 7_200),         // nor at once
        (7_300, 7_300, 7_300), // what is more than two hours is believed
        (9_000, 9_000, 9_000), // and what makes it longer
        (8_000, 8_000, 8_000), // above two hours, what makes it shorter, too
    ] {
        host.advertised(
            ROUTER,
            &advertisement(9_000, &[prefix(1, valid, preferred)]),
        );
        let address = host.global();
        assert_eq!(seconds(address.valid), Some(expected), "{valid}");
        assert_eq!(seconds(address.preferred), Some(preferred.into()));
        let expected = match preferred {
            0 => AddressState::Deprecated,
            _ => AddressState::Preferred,
        };
        assert_eq!(address.state, expected);
    }
    // Below two hours only what makes it longer counts.
    host.run_until(7_000);
    host.advertised(ROUTER, &advertisement(9_000, &[prefix(1, 999, 999)]));
    assert_eq!(seconds(host.global().valid), Some(1_000));
    host.advertised(ROUTER, &advertisement(9_000, &[prefix(1, 1_001, 1_001)]));
    assert_eq!(seconds(host.global().valid), Some(1_001));
}

#[test]
fn prefixes_that_are_none_form_no_address() {
    let link_local = Ipv6Addr::new(0xfe80, 0, 0, 0, 0, 0, 0, 0);
    let multicast = Ipv6Addr::new(0xff02, 0, 0, 0, 0, 0, 0, 0);
    for option in [
        prefix_option(network(1), 64, 0x80, 600, 300), // not for addresses
        prefix_option(network(1), 63, 0xc0, 600, 300), // leaves no room of 64 bits
        prefix_option(network(1), 65, 0xc0, 600, 300),
        prefix_option(network(1), 255, 0xc0, 600, 300),
        prefix_option(network(1), 64, 0xc0, 300, 600), // preferred for longer than valid
        prefix_option(network(1), 64, 0xc0, 0, 0),     // over already
        prefix_option(link_local, 64, 0xc0, 600, 300),
        prefix_option(multicast, 64, 0xc0, 600, 300),
        prefix_option(Ipv6Addr::UNSPECIFIED, 64, 0xc0, 600, 300),
    ] {
        let mut host = Host::ready();
        host.advertised(ROUTER, &advertisement(1_800, std::slice::from_ref(&option)));
        assert_eq!(host.list(), [], "{option:?}");
        // The rest of the advertisement counts.
        assert_eq!(host.gateway(), Some(ROUTER.into()));
    }
}

#[test]
fn who_is_on_the_link_is_said_apart_from_what_forms_addresses() {
    let mut host = Host::ready();
    let option = prefix_option(network(1), 64, 0x40, 600, 300);
    host.advertised(ROUTER, &advertisement(1_800, &[option]));
    host.run_until(2);
    let neighbor = Ipv6Addr::new(0x2001, 0xdb8, 0, 1, 0, 0, 0, 9).into();
    let way = host.routes.look_up(neighbor).unwrap().1;
    assert_eq!(way.gateway, Some(ROUTER.into()));
    assert_eq!(host.list().len(), 1);
}

#[test]
fn what_no_router_on_the_link_can_have_sent_changes_nothing() {
    let right = advertisement(1_800, &[prefix(1, 600, 300)]);
    let global = Ipv6Addr::new(0x2001, 0xdb8, 0, 1, 0, 0, 0, 1);
    let sealed = |source, mut packet: Vec<u8>| {
        seal(source, ALL_NODES, &mut packet);
        packet
    };
    let with = |at: usize, octet| {
        let mut packet = right.clone();
        packet[at] = octet;
        packet
    };
    let mut broken = sealed(ROUTER, right.clone());
    broken[20] ^= 1;
    for (source, hop_limit, packet, what) in [
        (
            ROUTER,
            254,
            sealed(ROUTER, right.clone()),
            "from behind a router",
        ),
        (global, 255, sealed(global, right.clone()), "not link-local"),
        (
            Ipv6Addr::UNSPECIFIED,
            255,
            sealed(Ipv6Addr::UNSPECIFIED, right.clone()),
            "nobody",
        ),
        (ROUTER, 255, broken, "damaged"),
        (ROUTER, 255, sealed(ROUTER, with(1, 1)), "code"),
        (ROUTER, 255, sealed(ROUTER, with(0, 133)), "a solicitation"),
        (ROUTER, 255, sealed(ROUTER, with(0, 137)), "a redirect"),
        (
            ROUTER,
            255,
            sealed(ROUTER, with(17, 0)),
            "an option without a length",
        ),
        (
            ROUTER,
            255,
            sealed(ROUTER, with(17, 5)),
            "an option that is too long",
        ),
        (
            ROUTER,
            255,
            sealed(ROUTER, right[..15].to_vec()),
            "too short",
        ),
        (
            ROUTER,
            255,
            sealed(ROUTER, right[..17].to_vec()),
            "half an option",
        ),
        (ROUTER, 255, Vec::new(), "nothing"),
    ] {
        let mut host = Host::ready();
        host.hear(source, ALL_NODES, hop_limit, &packet);
        assert_eq!(host.list(), [], "{what}");
        assert_eq!(host.gateway(), None, "{what}");
    }
    let mut host = Host::ready();
    host.hear(ROUTER, ALL_NODES, 255, &sealed(ROUTER, right));
    assert_eq!(host.list().len(), 1);
}

#[test]
fn of_two_routers_the_preferred_one_leads_while_it_answers() {
    let mut host = Host::ready();
    let mut high = advertisement(1_800, &[prefix(1, 600, 300)]);
    high[5] = 0x08;
    host.advertised(ROUTER, &advertisement(1_800, &[prefix(2, 600, 300)]));
    assert_eq!(host.gateway(), Some(ROUTER.into()));
    host.advertised(OTHER_ROUTER, &high);
    assert_eq!(host.gateway(), Some(OTHER_ROUTER.into()));
    host.routes.gateway_failed(OTHER_ROUTER.into(), host.now);
    assert_eq!(host.gateway(), Some(ROUTER.into()));
    // To be heard of is to be there again.
    host.advertised(OTHER_ROUTER, &high);
    assert_eq!(host.gateway(), Some(OTHER_ROUTER.into()));
    host.advertised(OTHER_ROUTER, &advertisement(0, &[]));
    assert_eq!(host.gateway(), Some(ROUTER.into()));
    // Each has formed an address.
    assert_eq!(host.list().len(), 2);
}

#[test]
fn an_address_speaks_by_the_router_that_advertised_it() {
    let mut host = Host::ready();
    host.advertised(ROUTER, &advertisement(1_800, &[prefix(1, 600, 300)]));
    host.advertised(OTHER_ROUTER, &advertisement(1_800, &[prefix(2, 600, 300)]));
    host.run_until(2);
    let outside: IpAddr = Ipv6Addr::new(0x2001, 0xdb8, 0xffff, 0, 0, 0, 0, 1).into();
    for (router, number) in [(ROUTER, 1), (OTHER_ROUTER, 2)] {
        let candidates = host.addresses.candidates(router.into());
        let source = crate::stack::policy::select_source(outside, candidates);
        let Some(IpAddr::V6(source)) = source else {
            panic!("{source:?}");
        };
        assert_eq!(prefix_of(source), network(number));
    }
}

#[test]
fn another_hosts_address_is_not_taken() {
    for by_advertisement in [false, true] {
        let mut host = Host::ready();
        host.advertised(ROUTER, &advertisement(1_800, &[prefix(1, 6_000, 3_000)]));
        let first = host.global().address;
        for attempt in 0..4 {
            host.changes.clear();
            let IpAddr::V6(target) = host.global().address else {
                panic!("not IPv6");
            };
            answer(&mut host, target, by_advertisement);
            assert_eq!(
                host.changes[0],
                (AddressChange::Duplicate, target.into()),
                "{attempt}"
            );
        }
        // Three others were tried.
        assert_eq!(host.list(), []);
        host.run_until(10);
        host.advertised(ROUTER, &advertisement(1_800, &[prefix(1, 6_000, 3_000)]));
        assert_eq!(host.list(), []);
        assert!(!host.addresses.is_assigned(first));
    }
}

/// Another host has an address, or is about to take it.
fn answer(host: &mut Host, target: Ipv6Addr, by_advertisement: bool) {
    let mut packet = match by_advertisement {
        true => [136, 0, 0, 0, 0x20, 0, 0, 0],
        false => [135, 0, 0, 0, 0, 0, 0, 0],
    }
    .to_vec();
    packet.extend(target.octets());
    let (source, destination) = match by_advertisement {
        true => (target, ALL_NODES),
        false => (Ipv6Addr::UNSPECIFIED, solicited_node(target)),
    };
    seal(source, destination, &mut packet);
    host.hear(source, destination, 255, &packet);
}

#[test]
fn a_second_identifier_does_where_the_first_is_taken() {
    let mut host = Host::ready();
    host.advertised(ROUTER, &advertisement(1_800, &[prefix(1, 6_000, 3_000)]));
    let IpAddr::V6(first) = host.global().address else {
        panic!("not IPv6");
    };
    answer(&mut host, first, false);
    host.run_until(2);
    let second = host.global();
    assert_ne!(second.address, IpAddr::from(first));
    assert_eq!(second.state, AddressState::Preferred);
    // In use it stays, whatever anybody says.
    let IpAddr::V6(target) = second.address else {
        panic!("not IPv6");
    };
    answer(&mut host, target, true);
    answer(&mut host, target, false);
    assert_eq!(host.global(), second);
}

#[test]
fn the_echo_of_ones_own_question_is_no_duplicate() {
    let mut host = Host::new();
    host.run_until(1);
    let (_, question) = host.sent[0];
    let mut octets = [0; 32];
    question.write(&mut octets);
    host.hear(Ipv6Addr::UNSPECIFIED, question.destination, 255, &octets);
    assert_eq!(host.changes.len(), 1);
    // The same without the nonce is another host's.
    let target = question.target().unwrap();
    answer(&mut host, target, false);
    assert_eq!(host.changes[1], (AddressChange::Duplicate, target.into()));
}

#[test]
fn what_is_no_word_of_a_duplicate_takes_nothing_away() {
    let mut host = Host::new();
    host.run_until(1);
    let target = host.sent[0].1.target().unwrap();
    let mut solicitation = [135, 0, 0, 0, 0, 0, 0, 0].to_vec();
    solicitation.extend(target.octets());
    let with_address = [solicitation.clone(), [1, 1, 2, 0, 0, 0, 0, 9].to_vec()].concat();
    let mut advertisement = [136, 0, 0, 0, 0x40, 0, 0, 0].to_vec();
    advertisement.extend(target.octets());
    let nobody = Ipv6Addr::UNSPECIFIED;
    let group = solicited_node(target);
    for (source, destination, hop_limit, packet, what) in [
        (
            ROUTER,
            group,
            255,
            &solicitation,
            "somebody wants to speak to it",
        ),
        (nobody, ALL_NODES, 255, &solicitation, "another group"),
        (nobody, group, 64, &solicitation, "from behind a router"),
        (nobody, group, 255, &with_address, "nobody with an address"),
        (
            ROUTER,
            ALL_NODES,
            255,
            &advertisement,
            "an answer to nobody",
        ),
        (ROUTER, ALL_NODES, 1, &advertisement, "from behind a router"),
    ] {
        let mut packet = packet.clone();
        seal(source, destination, &mut packet);
        host.hear(source, destination, hop_limit, &packet);
        assert_eq!(host.changes.len(), 1, "{what}");
    }
}

#[test]
fn without_an_address_of_the_links_own_nothing_is_done() {
    let mut host = Host::with(InterfaceIdentifier::HardwareAddress);
    let IpAddr::V6(own) = host.changes[0].1 else {
        panic!("not IPv6");
    };
    assert_eq!(own, Ipv6Addr::new(0xfe80, 0, 0, 0, 0, 0xff, 0xfe00, 7));
    answer(&mut host, own, true);
    host.sent.clear();
    host.run_until(100);
    host.advertised(ROUTER, &advertisement(1_800, &[prefix(1, 600, 300)]));
    assert_eq!(host.sent, []);
    assert_eq!(host.list(), []);
    assert_eq!(host.gateway(), None);
}

#[test]
fn name_servers_come_and_go() {
    let server = |number| Ipv6Addr::new(0xfd00, 0, 0, 0, 0, 0, 0, number);
    let mut host = Host::ready();
    host.advertised(
        ROUTER,
        &advertisement(0, &[servers(60, &[server(1), server(2)])]),
    );
    host.advertised(ROUTER, &advertisement(0, &[servers(120, &[server(2)])]));
    assert_eq!(host.servers(), [server(1), server(2)]);
    host.run_until(59);
    assert_eq!(host.servers(), [server(1), server(2)]);
    host.run_until(1);
    assert_eq!(host.servers(), [server(2)]);
    host.advertised(ROUTER, &advertisement(0, &[servers(0, &[server(2)])]));
    assert_eq!(host.servers(), [] as [Ipv6Addr; 0]);
    let many: Vec<_> = (1..100).map(server).collect();
    host.advertised(ROUTER, &advertisement(0, &[servers(60, &many)]));
    assert_eq!(host.servers(), [server(1), server(2), server(3)]);
}

#[test]
fn the_mtu_is_one_that_every_link_carries_and_this_one_does() {
    let mut host = Host::ready();
    for (advertised, expected) in [
        (1_279, None),
        (1_501, None),
        (1_280, Some(1_280)),
        (1_500, Some(1_500)),
        (u32::MAX, Some(1_500)),
        (0, Some(1_500)),
    ] {
        host.advertised(ROUTER, &advertisement(0, &[mtu(advertised)]));
        assert_eq!(host.autoconfiguration.as_ref().unwrap().mtu(), expected);
    }
}

#[test]
fn the_interval_that_a_router_wants_is_kept_within_bounds() {
    let mut host = Host::ready();
    let mut packet = advertisement(1_800, &[prefix(1, 600, 300)]);
    packet[12..16].copy_from_slice(&u32::MAX.to_be_bytes());
    host.advertised(ROUTER, &packet);
    host.run_until(9);
    assert_eq!(host.global().state, AddressState::Tentative);
    host.run_until(2);
    assert_eq!(host.global().state, AddressState::Preferred);
}

#[test]
fn a_flood_of_prefixes_leaves_room_and_ends() {
    let mut host = Host::ready();
    for number in 0..1_000 {
        let router = Ipv6Addr::new(0xfe80, 0, 0, 0, 0, 0, 1, number);
        host.advertised(router, &advertisement(600, &[prefix(number, 600, 300)]));
    }
    assert_eq!(host.list().len(), FORMED);
    let own = Row::new(Ipv6Addr::LOCALHOST.into(), 64, Origin::Static);
    assert_eq!(host.addresses.add(own), Ok(()));
    host.run_until(600);
    assert_eq!(host.list(), []);
    assert_eq!(host.routes.list(host.now).count(), 0);
}

#[test]
fn stopped_it_takes_back_what_came_of_it() {
    let mut host = Host::ready();
    let given = Row::new(network(9).into(), 64, Origin::Static);
    host.addresses.add(given).unwrap();
    host.advertised(ROUTER, &advertisement(1_800, &[prefix(1, 600, 300)]));
    host.run_until(2);
    let autoconfiguration = host.autoconfiguration.take().unwrap();
    autoconfiguration.stop(&mut host.addresses, &mut host.routes);
    host.work();
    let left: Vec<_> = host.addresses.list(host.now).map(|it| it.address).collect();
    assert_eq!(left, [IpAddr::from(network(9))]);
    assert_eq!(host.routes.list(host.now).count(), 0);
}

/// Something that looks like an advertisement, more or less.
fn anything() -> impl Strategy<Value = Vec<u8>> {
    let option = prop_oneof![
        (
            any::<u16>(),
            any::<u8>(),
            any::<u8>(),
            any::<u32>(),
            any::<u32>()
        )
            .prop_map(|(number, len, flags, valid, preferred)| prefix_option(
                network(number),
                len,
                flags,
                valid,
                preferred
            )),
        (any::<u32>(), proptest::collection::vec(any::<u128>(), 0..9)).prop_map(
            |(lifetime, addresses)| {
                let addresses: Vec<_> = addresses.into_iter().map(Ipv6Addr::from_bits).collect();
                servers(lifetime, &addresses)
            }
        ),
        any::<u32>().prop_map(mtu),
        proptest::collection::vec(any::<u8>(), 0..40),
    ];
    let header = proptest::array::uniform14(any::<u8>());
    let options = proptest::collection::vec(option, 0..12);
    (
        133..=137u8,
        prop_oneof![Just(0u8), any::<u8>()],
        header,
        options,
    )
        .prop_map(|(kind, code, header, options)| {
            let mut packet = [kind, code].to_vec();
            packet.extend(header);
            packet.extend(options.concat());
            packet
        })
}

proptest! {
    #[test]
    fn whatever_is_heard_nothing_panics_nor_grows(
        packets in proptest::collection::vec((anything(), any::<u8>(), 0..4_000u64), 0..40)
    ) {
        let mut host = Host::new();
        for (packet, router, wait) in packets {
            let router = Ipv6Addr::new(0xfe80, 0, 0, 0, 0, 0, 0, router.into());
            host.advertised(router, &packet);
            host.run_until(wait);
            prop_assert!(host.list().len() <= FORMED);
            prop_assert!(host.servers().len() <= SERVERS);
            prop_assert!(host.routes.list(host.now).count() <= 16);
        }
    }
}
