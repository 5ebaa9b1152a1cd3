//! Names: DNS over the wire against a server made by hand, in virtual time.
#![cfg(all(feature = "std", feature = "ipv4", feature = "ipv6"))]
// A step that fails fails its test.
#![allow(clippy::unwrap_used, clippy::panic)]

mod net;

use std::collections::BTreeSet;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use glasstack::smoltcp::time::Duration as Time;
use glasstack::stack::{Domain, Lookup, Type};
use glasstack::{Error, Fd, Limit};
use net::{Net, capacity};

const V4: IpAddr = IpAddr::V4(Ipv4Addr::new(192, 0, 2, 7));
const V6: IpAddr = IpAddr::V6(Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, 7));
const NAME: &str = "www.example.com";

const NO_ERROR: u8 = 0;
const SERVFAIL: u8 = 2;
const NXDOMAIN: u8 = 3;
const REFUSED: u8 = 5;

const A: u16 = 1;
const CNAME: u16 = 5;
const AAAA: u16 = 28;

/// How long one server is asked: after 1, 3 and 7 seconds again.
const PATIENCE: Time = Time::from_secs(15);
/// How long two servers are: two rounds of a second each, then of two and of four.
const PATIENCE_OF_TWO: Time = Time::from_secs(16);

/// A query that a server received.
#[derive(Debug, Clone)]
struct Query {
    from: SocketAddr,
    message: Vec<u8>,
}

impl Query {
    fn id(&self) -> [u8; 2] {
        [self.message[0], self.message[1]]
    }

    fn kind(&self) -> u16 {
        let [.., high, low, _, _] = self.message[..] else {
            panic!("a question ends in its type and class")
        };
        u16::from_be_bytes([high, low])
    }

    /// The answer to it, with records named as the question is.
    fn answer(&self, rcode: u8, records: &[(u16, &[u8])]) -> Vec<u8> {
        let mut message = self.message.clone();
        message[2] = 0x81;
        message[3] = 0x80 | rcode;
        message[7] = records.len() as u8;
        for (kind, data) in records {
            message.extend([0xc0, 12]);
            message.extend(kind.to_be_bytes());
            message.extend([0, 1, 0, 0, 0, 60]);
            message.extend((data.len() as u16).to_be_bytes());
            message.extend(*data);
        }
        message
    }

    /// The address of the type that was asked for.
    fn address(&self) -> Vec<u8> {
        match (self.kind(), V4, V6) {
            (A, IpAddr::V4(v4), _) => self.answer(NO_ERROR, &[(A, &v4.octets())]),
            (AAAA, _, IpAddr::V6(v6)) => self.answer(NO_ERROR, &[(AAAA, &v6.octets())]),
            other => panic!("nobody asks for {other:?}"),
        }
    }
}

/// A client that asks 10.0.0.2, and the socket that its queries come to.
fn start() -> (Net, Fd) {
    let mut net = Net::new();
    net.client
        .stack
        .add_name_server(Ipv4Addr::new(10, 0, 0, 2).into())
        .unwrap();
    let server = net
        .server
        .stack
        .socket(Domain::Inet, Type::Datagram)
        .unwrap();
    net.server
        .stack
        .bind(server, "10.0.0.2:53".parse().unwrap())
        .unwrap();
    (net, server)
}

/// Adds a second server beside the first: 10.0.0.3, on the same host.
fn add_second_server(net: &mut Net) -> Fd {
    let address: IpAddr = Ipv4Addr::new(10, 0, 0, 3).into();
    let interface = net.server.interface;
    net.server
        .stack
        .add_address(interface, address, 24)
        .unwrap();
    net.client.stack.add_name_server(address).unwrap();
    let fd = net
        .server
        .stack
        .socket(Domain::Inet, Type::Datagram)
        .unwrap();
    net.server.stack.bind(fd, (address, 53).into()).unwrap();
    fd
}

/// What has come to a server.
fn queries(net: &mut Net, server: Fd) -> Vec<Query> {
    let mut buffer = [0; 512];
    let receive = || {
        let received = net.server.stack.recvfrom(server, &mut buffer).ok()?;
        Some(Query {
            from: received.from,
            message: buffer[..received.len].to_vec(),
        })
    };
    std::iter::from_fn(receive).collect()
}

/// Sends an answer to each query that has come; says how many there were.
fn serve(net: &mut Net, server: Fd, answer: impl Fn(&Query) -> Vec<u8>) -> usize {
    let all = queries(net, server);
    for query in &all {
        net.server
            .stack
            .sendto(server, &answer(query), query.from)
            .unwrap();
    }
    net.run();
    all.len()
}

fn resolve(net: &mut Net, name: &str) -> Lookup {
    let lookup = net.client.stack.resolve(name).unwrap();
    net.run();
    lookup
}

fn resolved(net: &mut Net, lookup: Lookup) -> Result<Vec<IpAddr>, Error> {
    net.client
        .stack
        .resolved(lookup)
        .map(|addresses| addresses.to_vec())
}

/// Whether a new lookup gets its answers: nothing that came before is in the way.
fn still_works(net: &mut Net, server: Fd) {
    queries(net, server);
    let lookup = resolve(net, NAME);
    net.run_for(Time::from_millis(1_500));
    serve(net, server, Query::address);
    assert_eq!(resolved(net, lookup), Ok(vec![V4, V6]));
}

#[test]
fn a_name_resolves_to_ipv4_and_ipv6() {
    let (mut net, server) = start();
    let lookup = resolve(&mut net, NAME);
    assert_eq!(resolved(&mut net, lookup), Err(Error::WouldBlock));
    let before = net.now;
    assert_eq!(serve(&mut net, server, Query::address), 2);
    assert_eq!(resolved(&mut net, lookup), Ok(vec![V4, V6]));
    assert_eq!(net.now, before);
    // It is over, and a stale handle says so.
    assert_eq!(resolved(&mut net, lookup), Err(Error::BadDescriptor));
    net.run_for(Time::from_secs(100));
    assert!(queries(&mut net, server).is_empty());
    assert_eq!(net.client.deadline, None);
}

#[test]
fn literals_need_no_server() {
    let mut net = Net::new();
    net.run_for(Time::from_secs(1)); // a new host tells of its groups
    net.frames.clear();
    for literal in ["192.0.2.7", "2001:db8::7", "::1", "255.255.255.255"] {
        let lookup = resolve(&mut net, literal);
        assert_eq!(
            resolved(&mut net, lookup),
            Ok(vec![literal.parse().unwrap()])
        );
    }
    assert!(net.frames.is_empty());
    assert_eq!(net.client.stack.resolve(NAME), Err(Error::NameNotFound));
}

#[test]
fn the_static_table_comes_before_the_servers() {
    let (mut net, server) = start();
    net.client.stack.add_name("printer", V4).unwrap();
    net.client.stack.add_name("printer.", V6).unwrap();
    for name in ["printer", "PRINTER", "Printer."] {
        let lookup = resolve(&mut net, name);
        assert_eq!(resolved(&mut net, lookup), Ok(vec![V4, V6]));
    }
    assert!(queries(&mut net, server).is_empty());
    for _ in 0..6 {
        net.client.stack.add_name("more", V4).unwrap();
    }
    assert_eq!(
        net.client.stack.add_name("more", V4),
        Err(Error::Exhausted(Limit::Names))
    );
}

#[test]
fn a_name_that_does_not_exist_is_not_found_at_once() {
    let (mut net, server) = start();
    let lookup = resolve(&mut net, NAME);
    let before = net.now;
    serve(&mut net, server, |query| query.answer(NXDOMAIN, &[]));
    assert_eq!(resolved(&mut net, lookup), Err(Error::NameNotFound));
    assert_eq!(net.now, before);
    still_works(&mut net, server);
}

#[test]
fn a_name_with_one_family_only_gives_that_one() {
    for (kind, address) in [(A, V4), (AAAA, V6)] {
        let (mut net, server) = start();
        let lookup = resolve(&mut net, NAME);
        serve(&mut net, server, |query| {
            if query.kind() == kind {
                query.address()
            } else {
                query.answer(NO_ERROR, &[])
            }
        });
        assert_eq!(resolved(&mut net, lookup), Ok(vec![address]));
    }
}

#[test]
fn a_name_without_any_address_is_not_found() {
    let (mut net, server) = start();
    let lookup = resolve(&mut net, NAME);
    serve(&mut net, server, |query| query.answer(NO_ERROR, &[]));
    assert_eq!(resolved(&mut net, lookup), Err(Error::NameNotFound));
}

#[test]
fn an_alias_is_followed_to_its_addresses() {
    let (mut net, server) = start();
    let lookup = resolve(&mut net, NAME);
    serve(&mut net, server, |query| {
        let alias = b"\x04host\x07example\x00";
        let mut message = query.answer(NO_ERROR, &[(CNAME, alias)]);
        let (kind, data) = match (query.kind(), V4, V6) {
            (A, IpAddr::V4(v4), _) => (A, v4.octets().to_vec()),
            (_, _, IpAddr::V6(v6)) => (AAAA, v6.octets().to_vec()),
            _ => unreachable!(),
        };
        message[7] = 2;
        message.extend(alias);
        message.extend(kind.to_be_bytes());
        message.extend([0, 1, 0, 0, 0, 60, 0, data.len() as u8]);
        message.extend(data);
        message
    });
    assert_eq!(resolved(&mut net, lookup), Ok(vec![V4, V6]));
}

#[test]
fn one_family_answered_and_the_other_silent_gives_what_there_is_in_the_end() {
    let (mut net, server) = start();
    let lookup = resolve(&mut net, NAME);
    for query in queries(&mut net, server) {
        if query.kind() == A {
            net.server
                .stack
                .sendto(server, &query.address(), query.from)
                .unwrap();
        }
    }
    net.run();
    assert_eq!(resolved(&mut net, lookup), Err(Error::WouldBlock));
    net.run_for(PATIENCE + Time::from_secs(1));
    assert_eq!(resolved(&mut net, lookup), Ok(vec![V4]));
}

#[test]
fn a_lost_query_is_repeated_after_1_2_4_seconds() {
    let (mut net, server) = start();
    let lookup = resolve(&mut net, NAME);
    assert_eq!(queries(&mut net, server).len(), 2);
    for seconds in [1, 2, 4] {
        net.run_for(Time::from_secs(seconds) - Time::from_millis(1));
        assert_eq!(queries(&mut net, server).len(), 0);
        net.run_for(Time::from_millis(1));
        let again = queries(&mut net, server);
        assert_eq!(again.len(), 2, "after {seconds} s more");
        if seconds == 4 {
            for query in again {
                net.server
                    .stack
                    .sendto(server, &query.address(), query.from)
                    .unwrap();
            }
            net.run();
        }
    }
    assert_eq!(resolved(&mut net, lookup), Ok(vec![V4, V6]));
}

#[test]
fn a_silent_server_times_out() {
    let (mut net, server) = start();
    let lookup = resolve(&mut net, NAME);
    net.run_for(Time::from_secs(10));
    assert_eq!(resolved(&mut net, lookup), Err(Error::WouldBlock));
    net.run_for(PATIENCE - Time::from_secs(10) + Time::from_millis(10));
    assert_eq!(resolved(&mut net, lookup), Err(Error::TimedOut));
    assert_eq!(net.client.deadline, None);
    still_works(&mut net, server);
}

#[test]
fn a_server_that_is_not_there_times_out() {
    let mut net = Net::new();
    net.client
        .stack
        .add_name_server(Ipv4Addr::new(10, 0, 0, 9).into())
        .unwrap();
    let lookup = resolve(&mut net, NAME);
    net.run_for(Time::from_secs(60));
    assert!(matches!(
        resolved(&mut net, lookup),
        Err(Error::TimedOut | Error::HostUnreachable)
    ));
    net.run_for(Time::from_secs(60));
    assert_eq!(net.client.deadline, None);
}

#[test]
fn where_the_first_server_is_silent_the_second_is_asked() {
    let (mut net, first) = start();
    let second = add_second_server(&mut net);
    let lookup = resolve(&mut net, NAME);
    net.run_for(Time::from_millis(999));
    assert_eq!(queries(&mut net, first).len(), 2);
    assert_eq!(queries(&mut net, second).len(), 0);
    net.run_for(Time::from_millis(1));
    assert_eq!(serve(&mut net, second, Query::address), 2);
    assert_eq!(resolved(&mut net, lookup), Ok(vec![V4, V6]));
}

#[test]
fn where_both_servers_are_silent_it_times_out() {
    let (mut net, _) = start();
    let second = add_second_server(&mut net);
    let lookup = resolve(&mut net, NAME);
    let mut asked = 0;
    for _ in 0..15 {
        net.run_for(Time::from_secs(1));
        asked += queries(&mut net, second).len();
    }
    net.run_for(PATIENCE_OF_TWO - Time::from_secs(15) - Time::from_millis(1));
    assert_eq!(resolved(&mut net, lookup), Err(Error::WouldBlock));
    net.run_for(Time::from_millis(1));
    assert_eq!(resolved(&mut net, lookup), Err(Error::TimedOut));
    assert_eq!(asked, 8);
    assert_eq!(net.client.deadline, None);
}

#[test]
fn where_the_first_server_fails_the_second_is_asked() {
    for rcode in [SERVFAIL, REFUSED] {
        let (mut net, first) = start();
        let second = add_second_server(&mut net);
        let lookup = resolve(&mut net, NAME);
        assert_eq!(serve(&mut net, first, |query| query.answer(rcode, &[])), 2);
        assert_eq!(resolved(&mut net, lookup), Err(Error::WouldBlock));
        // At once: no time has passed.
        assert_eq!(serve(&mut net, second, Query::address), 2);
        assert_eq!(resolved(&mut net, lookup), Ok(vec![V4, V6]));
    }
}

#[test]
fn where_all_servers_fail_the_lookup_fails_and_does_not_say_that_the_name_does_not_exist() {
    let (mut net, server) = start();
    let lookup = resolve(&mut net, NAME);
    serve(&mut net, server, |query| query.answer(SERVFAIL, &[]));
    assert_eq!(resolved(&mut net, lookup), Err(Error::TimedOut));
    still_works(&mut net, server);
}

#[test]
fn answers_with_another_id_are_ignored() {
    let (mut net, server) = start();
    let lookup = resolve(&mut net, NAME);
    let asked = queries(&mut net, server);
    for query in &asked {
        for rcode in [NO_ERROR, SERVFAIL, NXDOMAIN] {
            let mut forged = query.answer(rcode, &[(A, &[6, 6, 6, 6])]);
            forged[0] ^= 1;
            net.server
                .stack
                .sendto(server, &forged, query.from)
                .unwrap();
            net.run();
        }
    }
    assert_eq!(resolved(&mut net, lookup), Err(Error::WouldBlock));
    for query in &asked {
        net.server
            .stack
            .sendto(server, &query.address(), query.from)
            .unwrap();
    }
    net.run();
    assert_eq!(resolved(&mut net, lookup), Ok(vec![V4, V6]));
}

#[test]
fn answers_to_another_port_or_from_another_port_or_server_are_ignored() {
    let (mut net, server) = start();
    let stranger = net.server.datagram(Domain::Inet, 54);
    let interface = net.server.interface;
    let address: IpAddr = Ipv4Addr::new(10, 0, 0, 3).into();
    net.server
        .stack
        .add_address(interface, address, 24)
        .unwrap();
    let impostor = net
        .server
        .stack
        .socket(Domain::Inet, Type::Datagram)
        .unwrap();
    net.server
        .stack
        .bind(impostor, (address, 53).into())
        .unwrap();

    let lookup = resolve(&mut net, NAME);
    let asked = queries(&mut net, server);
    assert_ne!(asked[0].from.port(), asked[1].from.port());
    let forged = |query: &Query| {
        query.answer(
            NO_ERROR,
            &[(
                query.kind(),
                &[6; 16][..if query.kind() == A { 4 } else { 16 }],
            )],
        )
    };
    for (index, query) in asked.iter().enumerate() {
        let other_port = SocketAddr::new(query.from.ip(), asked[1 - index].from.port());
        net.server
            .stack
            .sendto(server, &forged(query), other_port)
            .unwrap();
        net.server
            .stack
            .sendto(stranger, &forged(query), query.from)
            .unwrap();
        net.server
            .stack
            .sendto(impostor, &forged(query), query.from)
            .unwrap();
        net.run_for(Time::from_millis(10));
    }
    assert_eq!(resolved(&mut net, lookup), Err(Error::WouldBlock));
    for query in &asked {
        net.server
            .stack
            .sendto(server, &query.address(), query.from)
            .unwrap();
    }
    net.run();
    assert_eq!(resolved(&mut net, lookup), Ok(vec![V4, V6]));
}

#[test]
fn answers_truncated_at_every_length_are_ignored_or_not_found_and_do_no_harm() {
    let (mut net, server) = start();
    let lookup = resolve(&mut net, NAME);
    let asked = queries(&mut net, server);
    let whole = asked[0].address();
    // Up to the answer's last octet; what lacks its answer only is "no address" at worst.
    for len in 0..whole.len() {
        net.server
            .stack
            .sendto(server, &whole[..len], asked[0].from)
            .unwrap();
        net.run();
        assert_eq!(
            resolved(&mut net, lookup),
            Err(Error::WouldBlock),
            "at {len}"
        );
    }
    for query in &asked {
        net.server
            .stack
            .sendto(server, &query.address(), query.from)
            .unwrap();
    }
    net.run();
    assert_eq!(resolved(&mut net, lookup), Ok(vec![V4, V6]));
}

#[test]
fn answers_with_any_octet_flipped_do_no_harm() {
    let (mut net, server) = start();
    let mut position = 0;
    loop {
        let lookup = resolve(&mut net, NAME);
        let asked = queries(&mut net, server);
        for query in &asked {
            let mut message = query.address();
            let Some(octet) = message.get_mut(position) else {
                continue;
            };
            *octet ^= 0xff;
            net.server
                .stack
                .sendto(server, &message, query.from)
                .unwrap();
        }
        net.run();
        net.client.stack.cancel(lookup);
        position += 1;
        if position > asked[0].address().len() + 12 {
            break;
        }
    }
    still_works(&mut net, server);
}

#[test]
fn cancel_frees_the_row_its_queries_and_their_ports() {
    let (mut net, server) = start();
    for _ in 0..20 {
        let lookup = resolve(&mut net, NAME);
        net.client.stack.cancel(lookup);
        assert_eq!(resolved(&mut net, lookup), Err(Error::BadDescriptor));
        net.client.stack.cancel(lookup);
    }
    queries(&mut net, server);
    net.run_for(Time::from_secs(100));
    assert!(queries(&mut net, server).is_empty());
    still_works(&mut net, server);
}

#[test]
fn too_many_lookups_at_once_are_exhausted_until_one_is_asked_for() {
    let (mut net, server) = start();
    let all: Vec<Lookup> = (0..capacity().lookups)
        .map(|_| resolve(&mut net, NAME))
        .collect();
    assert_eq!(
        net.client.stack.resolve(NAME),
        Err(Error::Exhausted(Limit::Lookups))
    );
    assert_eq!(
        net.client.stack.resolve("192.0.2.1"),
        Err(Error::Exhausted(Limit::Lookups))
    );
    // The server's queue is short: what it lost is asked again.
    for _ in 0..8 {
        serve(&mut net, server, Query::address);
        net.run_for(Time::from_secs(1));
    }
    for lookup in all {
        assert_eq!(resolved(&mut net, lookup), Ok(vec![V4, V6]));
    }
    still_works(&mut net, server);
}

#[test]
fn what_cannot_be_a_name_is_invalid() {
    let (mut net, _) = start();
    let long_label = format!("{}.example", "a".repeat(64));
    let long_name = "abcdefg.".repeat(40);
    for name in ["", ".", "a..b", ".a", &long_label, &long_name] {
        assert_eq!(
            net.client.stack.resolve(name),
            Err(Error::InvalidArgument),
            "{name:?}"
        );
    }
    assert_eq!(
        net.client
            .stack
            .add_name_server(Ipv4Addr::UNSPECIFIED.into()),
        Err(Error::InvalidArgument)
    );
}

#[test]
fn more_name_servers_than_there_is_room_for_are_exhausted() {
    let mut net = Net::new();
    for number in 0..4 {
        net.client
            .stack
            .add_name_server(Ipv4Addr::new(10, 0, 0, 50 + number).into())
            .unwrap();
    }
    let fifth = net
        .client
        .stack
        .add_name_server(Ipv4Addr::new(10, 0, 0, 60).into());
    assert_eq!(fifth, Err(Error::Exhausted(Limit::NameServers)));
}

#[test]
fn ids_and_ports_differ_from_query_to_query() {
    let (mut net, server) = start();
    let (mut ids, mut ports) = (BTreeSet::new(), BTreeSet::new());
    let mut last = 0_u16;
    let mut steps = BTreeSet::new();
    for _ in 0..200 {
        let lookup = resolve(&mut net, NAME);
        for query in queries(&mut net, server) {
            let id = u16::from_be_bytes(query.id());
            steps.insert(id.wrapping_sub(last));
            last = id;
            ids.insert(id);
            ports.insert(query.from.port());
        }
        net.client.stack.cancel(lookup);
    }
    // 400 draws of 65,536: a few repeat by chance, and no step is the rule.
    assert!(
        ids.len() > 390 && ports.len() > 380 && steps.len() > 390,
        "{} {} {}",
        ids.len(),
        ports.len(),
        steps.len()
    );
}

#[test]
fn a_query_over_ipv6_works_as_well() {
    let mut net = Net::new();
    net.client
        .stack
        .add_name_server("fd00::2".parse().unwrap())
        .unwrap();
    let server = net.server.datagram(Domain::Inet6, 53);
    let lookup = resolve(&mut net, NAME);
    assert_eq!(serve(&mut net, server, Query::address), 2);
    assert_eq!(resolved(&mut net, lookup), Ok(vec![V4, V6]));
}
