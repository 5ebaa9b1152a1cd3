//! Which name servers are asked, and how: over TCP what does not fit, again for an alias, on their own links, those that the
//! network names; and in which order the addresses come. Against servers made by hand, in virtual time.
#![cfg(all(feature = "std", feature = "ipv4", feature = "ipv6"))]
// A step that fails fails its test.
#![allow(clippy::unwrap_used, clippy::panic)]

mod answers;
mod net;

use std::net::{IpAddr, SocketAddr};

use answers::{A, NO_ERROR, Record, SERVFAIL, address, alias, answer, framed, kind, truncated};
use glasstack::smoltcp::phy::Medium;
use glasstack::smoltcp::time::Duration as Time;
use glasstack::stack::{Capacity, Domain, InterfaceId, Lookup, Type};
use glasstack::{Error, Fd};
use net::{Net, capacity};

const NAME: &str = "www.example.com";
const SERVER: &str = "10.0.0.2";
const SECOND: &str = "10.0.0.3";

fn ip(text: &str) -> IpAddr {
    text.parse().unwrap()
}

fn ips(texts: &[&str]) -> Vec<IpAddr> {
    texts.iter().map(|text| ip(text)).collect()
}

/// So many addresses of the name's.
fn many(count: u16) -> Vec<Record> {
    let v4 = |n: u16| [192, 0, (n >> 8) as u8, n as u8];
    (1..=count).map(|n| address(NAME, v4(n).into())).collect()
}

fn found(records: &[Record]) -> Vec<IpAddr> {
    let octets = |data: &[u8]| <[u8; 4]>::try_from(data).unwrap();
    records
        .iter()
        .map(|(.., data)| octets(data).into())
        .collect()
}

/// A socket of the server's for questions to one of its addresses, which it gets if it is new.
fn name_server(net: &mut Net, text: &str) -> Fd {
    let domain = if ip(text).is_ipv4() {
        Domain::Inet
    } else {
        Domain::Inet6
    };
    let server = &mut net.server;
    let prefix_len = if ip(text).is_ipv4() { 24 } else { 64 };
    match server
        .stack
        .add_address(server.interface, ip(text), prefix_len)
    {
        Ok(()) | Err(Error::AddrInUse) => {}
        Err(error) => panic!("{text}: {error}"),
    }
    let fd = server.stack.socket(domain, Type::Datagram).unwrap();
    server
        .stack
        .bind(fd, SocketAddr::new(ip(text), 53))
        .unwrap();
    fd
}

/// A client that asks 10.0.0.2.
fn start() -> (Net, Fd) {
    let mut net = Net::new();
    net.client.stack.add_name_server(ip(SERVER)).unwrap();
    let fd = name_server(&mut net, SERVER);
    (net, fd)
}

fn resolve(net: &mut Net) -> Lookup {
    let lookup = net.client.stack.resolve(NAME).unwrap();
    net.run();
    lookup
}

fn resolved(net: &mut Net, lookup: Lookup) -> Result<Vec<IpAddr>, Error> {
    let resolved = net.client.stack.resolved(lookup);
    resolved.map(|addresses| addresses.to_vec())
}

/// The questions that have come to a server, and from where.
fn questions(net: &mut Net, server: Fd) -> Vec<(Vec<u8>, SocketAddr)> {
    let mut buffer = [0; 512];
    let receive = || {
        let received = net.server.stack.recvfrom(server, &mut buffer).ok()?;
        Some((buffer[..received.len].to_vec(), received.from))
    };
    std::iter::from_fn(receive).collect()
}

/// Answers the questions that have come; says how many there were.
fn serve(net: &mut Net, server: Fd, answer: impl Fn(&[u8]) -> Vec<u8>) -> usize {
    let all = questions(net, server);
    for (question, from) in &all {
        let message = answer(question);
        net.server.stack.sendto(server, &message, *from).unwrap();
    }
    net.run();
    all.len()
}

/// The records that are of the type that a question asks for.
fn matching(question: &[u8], records: &[Record]) -> Vec<Record> {
    let is_asked = |record: &&Record| record.1 == kind(question);
    records.iter().filter(is_asked).cloned().collect()
}

/// Says of A questions that the answer does not fit, with these records in it; there are no others.
fn cut(question: &[u8], records: &[Record]) -> Vec<u8> {
    match kind(question) {
        A => truncated(question, records),
        _ => answer(question, NO_ERROR, &[]),
    }
}

/// The question that comes over a TCP connection, which is accepted here.
fn question_over_tcp(net: &mut Net, listener: Fd) -> (Fd, Vec<u8>) {
    let (fd, _) = net.server.stack.accept(listener).unwrap();
    let octets = net.server.recv(fd).unwrap();
    let (prefix, question) = octets.split_at(2);
    assert_eq!(prefix, (question.len() as u16).to_be_bytes());
    (fd, question.to_vec())
}

#[test]
fn what_does_not_fit_into_a_datagram_is_asked_for_over_tcp() {
    let (mut net, server) = start();
    let listener = net.server.listen(Domain::Inet, 53, 5);
    let lookup = resolve(&mut net);
    serve(&mut net, server, |question| cut(question, &[]));
    assert_eq!(resolved(&mut net, lookup), Err(Error::WouldBlock));
    let usage = net.client.stack.usage();
    assert_eq!((usage.sockets, usage.connections), (1, 1));

    let (fd, question) = question_over_tcp(&mut net, listener);
    let records = many(6);
    let message = framed(&answer(&question, NO_ERROR, &records));
    // In pieces: the length itself may be cut in two.
    let mut rest = &message[..];
    for len in [1, 2, 40, message.len() - 43] {
        assert_eq!(resolved(&mut net, lookup), Err(Error::WouldBlock));
        let (piece, further) = rest.split_at(len);
        net.server.stack.send(fd, piece).unwrap();
        // The acknowledgment of a piece is delayed, and the next one waits for it.
        net.run_for(Time::from_millis(20));
        rest = further;
    }
    assert_eq!(resolved(&mut net, lookup), Ok(found(&records)));
    // The connection ends in order, and then nothing is left of it.
    assert_eq!(net.server.recv(fd), Ok(vec![]));
    net.server.stack.close(fd).unwrap();
    net.run_for(Time::from_secs(100));
    let usage = net.client.stack.usage();
    assert_eq!((usage.sockets, usage.connections), (0, 0));
    assert_eq!(net.client.deadline, None);
}

#[test]
fn of_an_answer_longer_than_the_receive_buffer_the_beginning_counts() {
    let (mut net, server) = start();
    let listener = net.server.listen(Domain::Inet, 53, 5);
    let lookup = resolve(&mut net);
    serve(&mut net, server, |question| cut(question, &[]));
    let (fd, question) = question_over_tcp(&mut net, listener);
    let records = many(1_000);
    let message = framed(&answer(&question, NO_ERROR, &records));
    assert!(message.len() > capacity().receive_buffer);
    let mut rest = &message[..];
    while resolved_is_pending(&mut net, lookup) {
        let sent = net.server.stack.send(fd, rest).unwrap();
        rest = &rest[sent..];
        net.run_for(Time::from_millis(10));
    }
    assert_eq!(resolved(&mut net, lookup), Ok(found(&records[..8])));
    net.run_for(Time::from_secs(200));
    assert_eq!(net.client.stack.usage().connections, 0);
}

fn resolved_is_pending(net: &mut Net, lookup: Lookup) -> bool {
    let (_, is_pending) = net.client.stack.resolved_so_far(lookup).unwrap();
    is_pending
}

#[test]
fn where_tcp_is_refused_what_did_fit_is_the_answer() {
    let (mut net, server) = start();
    let lookup = resolve(&mut net);
    let records = many(2);
    let before = net.now;
    serve(&mut net, server, |question| cut(question, &records));
    assert_eq!(resolved(&mut net, lookup), Ok(found(&records)));
    assert_eq!(net.now, before);
    assert_eq!(net.client.stack.usage().sockets, 0);
}

#[test]
fn where_tcp_is_refused_and_nothing_did_fit_the_next_server_is_asked() {
    let (mut net, first) = start();
    let second = name_server(&mut net, SECOND);
    net.client.stack.add_name_server(ip(SECOND)).unwrap();
    let lookup = resolve(&mut net);
    serve(&mut net, first, |question| cut(question, &[]));
    let records = many(1);
    assert_eq!(
        serve(&mut net, second, |question| {
            answer(question, NO_ERROR, &records)
        }),
        1
    );
    assert_eq!(resolved(&mut net, lookup), Ok(found(&records)));
}

#[test]
fn a_server_that_is_silent_over_tcp_is_given_five_seconds() {
    let (mut net, server) = start();
    net.server.listen(Domain::Inet, 53, 5);
    let lookup = resolve(&mut net);
    let records = many(1);
    serve(&mut net, server, |question| cut(question, &records));
    net.run_for(Time::from_millis(4_999));
    assert_eq!(resolved(&mut net, lookup), Err(Error::WouldBlock));
    net.run_for(Time::from_millis(1));
    assert_eq!(resolved(&mut net, lookup), Ok(found(&records)));
    assert_eq!(net.client.stack.usage().sockets, 0);
}

#[test]
fn without_a_connection_to_spare_what_did_fit_is_the_answer() {
    let small = Capacity {
        connections: 0,
        ..capacity()
    };
    let mut net = Net::with(Medium::Ethernet, small, capacity());
    net.client.stack.add_name_server(ip(SERVER)).unwrap();
    let server = name_server(&mut net, SERVER);
    let lookup = resolve(&mut net);
    let records = many(2);
    serve(&mut net, server, |question| cut(question, &records));
    assert_eq!(resolved(&mut net, lookup), Ok(found(&records)));
}

#[test]
fn a_lookup_that_is_given_up_closes_its_connection() {
    let (mut net, server) = start();
    net.server.listen(Domain::Inet, 53, 5);
    let lookup = resolve(&mut net);
    serve(&mut net, server, |question| cut(question, &[]));
    assert_eq!(net.client.stack.usage().sockets, 1);
    net.client.stack.cancel(lookup);
    assert_eq!(net.client.stack.usage().sockets, 0);
}

#[test]
fn an_alias_without_its_address_is_asked_for_with_another_id() {
    let (mut net, server) = start();
    let lookup = resolve(&mut net);
    let before = net.now;
    let first = questions(&mut net, server);
    for (question, from) in &first {
        let message = answer(question, NO_ERROR, &[alias(NAME, "host.example")]);
        net.server.stack.sendto(server, &message, *from).unwrap();
    }
    net.run();
    let second = questions(&mut net, server);
    assert_eq!((first.len(), second.len()), (2, 2));
    for (question, from) in &second {
        assert_eq!(answers::name(question), "host.example");
        assert!(first.iter().all(|(other, _)| other[..2] != question[..2]));
        // An answer to the first question is none to the second.
        let records = [address(NAME, ip("6.6.6.6")), address(NAME, ip("6::6"))];
        let late = answer(&first[0].0, NO_ERROR, &matching(&first[0].0, &records));
        net.server.stack.sendto(server, &late, *from).unwrap();
        net.run();
        let records = ["192.0.2.7", "2001:db8::7"].map(|text| address("host.example", ip(text)));
        let message = answer(question, NO_ERROR, &matching(question, &records));
        net.server.stack.sendto(server, &message, *from).unwrap();
    }
    net.run();
    assert_eq!(
        resolved(&mut net, lookup),
        Ok(ips(&["192.0.2.7", "2001:db8::7"]))
    );
    assert_eq!(net.now, before);
}

#[test]
fn an_answer_that_comes_twice_or_after_the_end_changes_nothing() {
    let (mut net, server) = start();
    let lookup = resolve(&mut net);
    let records = many(1);
    let all = questions(&mut net, server);
    for (question, from) in all.iter().chain(&all) {
        let message = answer(question, NO_ERROR, &matching(question, &records));
        net.server.stack.sendto(server, &message, *from).unwrap();
        net.run();
    }
    assert_eq!(resolved(&mut net, lookup), Ok(found(&records)));
    assert_eq!(net.client.stack.usage().lookups, 0);
}

/// "Port unreachable" is an answer, too.
#[test]
fn where_nobody_serves_the_next_server_is_asked_at_once() {
    let mut net = Net::new();
    for text in [SERVER, SECOND] {
        net.client.stack.add_name_server(ip(text)).unwrap();
    }
    let second = name_server(&mut net, SECOND);
    let lookup = resolve(&mut net);
    let before = net.now;
    let records = many(1);
    let answer = |question: &[u8]| answer(question, NO_ERROR, &matching(question, &records));
    assert_eq!(serve(&mut net, second, answer), 2);
    assert_eq!(resolved(&mut net, lookup), Ok(found(&records)));
    assert_eq!(net.now, before);
}

#[test]
fn where_nobody_serves_at_all_it_ends_at_once() {
    let mut net = Net::new();
    net.client.stack.add_name_server(ip(SERVER)).unwrap();
    let lookup = resolve(&mut net);
    assert_eq!(resolved(&mut net, lookup), Err(Error::TimedOut));
}

#[test]
fn a_server_whose_host_is_not_there_costs_a_second_in_both_families() {
    let (mut net, server) = {
        let mut net = Net::new();
        for text in ["10.0.0.9", SERVER] {
            net.client.stack.add_name_server(ip(text)).unwrap();
        }
        let server = name_server(&mut net, SERVER);
        (net, server)
    };
    let lookup = resolve(&mut net);
    net.run_for(Time::from_millis(999));
    assert!(questions(&mut net, server).is_empty());
    net.run_for(Time::from_millis(1));
    let records = many(1);
    let answer = |question: &[u8]| answer(question, NO_ERROR, &matching(question, &records));
    assert_eq!(serve(&mut net, server, answer), 2);
    assert_eq!(resolved(&mut net, lookup), Ok(found(&records)));
}

#[test]
fn a_neighbor_that_answers_late_gets_the_question_then() {
    let (mut net, server) = start();
    // ARP.
    net.lose(|frame| frame.octets[12..14] == [0x08, 0x06]);
    let lookup = resolve(&mut net);
    net.run_for(Time::from_millis(400));
    net.pass_all();
    // It makes itself known by asking for us.
    let other = net.server.datagram(Domain::Inet, 9);
    let to = "10.0.0.1:9".parse().unwrap();
    net.server.stack.sendto(other, b"hello", to).unwrap();
    net.run();
    let records = many(1);
    let answer = |question: &[u8]| answer(question, NO_ERROR, &matching(question, &records));
    assert_eq!(serve(&mut net, server, answer), 2);
    assert_eq!(resolved(&mut net, lookup), Ok(found(&records)));
}

#[test]
fn servers_of_both_families_take_turns() {
    let mut net = Net::new();
    for text in ["fd00::2", SERVER] {
        net.client.stack.add_name_server(ip(text)).unwrap();
    }
    let v6 = name_server(&mut net, "fd00::2");
    let v4 = name_server(&mut net, SERVER);
    let lookup = resolve(&mut net);
    serve(&mut net, v6, |question| answer(question, SERVFAIL, &[]));
    let records = many(1);
    let answer = |question: &[u8]| answer(question, NO_ERROR, &matching(question, &records));
    assert_eq!(serve(&mut net, v4, answer), 2);
    assert_eq!(resolved(&mut net, lookup), Ok(found(&records)));
}

#[test]
fn a_server_on_this_host_is_asked_over_the_loopback() {
    for text in ["127.0.0.1", "::1", "10.0.0.1"] {
        let mut net = Net::new();
        let stack = &mut net.client.stack;
        stack.add_name_server(ip(text)).unwrap();
        let fd = stack
            .socket(
                if ip(text).is_ipv4() {
                    Domain::Inet
                } else {
                    Domain::Inet6
                },
                Type::Datagram,
            )
            .unwrap();
        stack.bind(fd, SocketAddr::new(ip(text), 53)).unwrap();
        let lookup = resolve(&mut net);
        let records = many(1);
        let mut buffer = [0; 512];
        for _ in 0..2 {
            let stack = &mut net.client.stack;
            let received = stack.recvfrom(fd, &mut buffer).unwrap();
            let question = &buffer[..received.len];
            let message = answer(question, NO_ERROR, &matching(question, &records));
            stack.sendto(fd, &message, received.from).unwrap();
        }
        net.run();
        assert_eq!(resolved(&mut net, lookup), Ok(found(&records)), "{text}");
        let is_question = |octets: &[u8]| octets.windows(7).any(|name| name == b"example");
        assert!(!net.frames.iter().any(|frame| is_question(&frame.octets)));
    }
}

/// Which of the servers are asked, in order: each fails.
fn asked(net: &mut Net, servers: &[(&'static str, Fd)]) -> Vec<&'static str> {
    let lookup = resolve(net);
    let mut order = vec![];
    while resolved_is_pending(net, lookup) {
        let is_asked =
            |net: &mut Net, fd| serve(net, fd, |question| answer(question, SERVFAIL, &[])) > 0;
        let mut servers = servers.iter();
        let (name, _) = servers
            .find(|(_, fd)| is_asked(net, *fd))
            .expect("a question");
        order.push(*name);
    }
    net.client.stack.cancel(lookup);
    order
}

#[test]
fn learned_servers_come_after_the_users_and_are_replaced_as_a_set() {
    let mut net = Net::new();
    let names = ["10.0.0.2", "10.0.0.3", "10.0.0.4", "10.0.0.5"];
    let servers = names.map(|name| (name, name_server(&mut net, name)));
    let interface = net.client.interface;
    let learn = |net: &mut Net, texts: &[&str]| {
        let servers = ips(texts);
        net.client
            .stack
            .set_learned_name_servers(interface, &servers);
    };
    assert_eq!(net.client.stack.resolve(NAME), Err(Error::NameNotFound));
    learn(&mut net, &["10.0.0.3", "10.0.0.4"]);
    assert_eq!(asked(&mut net, &servers), ["10.0.0.3", "10.0.0.4"]);
    net.client.stack.add_name_server(ip("10.0.0.2")).unwrap();
    let expected = ["10.0.0.2", "10.0.0.3", "10.0.0.4"];
    assert_eq!(asked(&mut net, &servers), expected);
    // What cannot be a server, and what is one already, is left out.
    learn(
        &mut net,
        &["0.0.0.0", "224.0.0.251", "10.0.0.2", "10.0.0.5"],
    );
    assert_eq!(asked(&mut net, &servers), ["10.0.0.2", "10.0.0.5"]);
    learn(&mut net, &[]);
    assert_eq!(asked(&mut net, &servers), ["10.0.0.2"]);
}

/// Two networks may name one server: each takes back its own word alone.
#[test]
fn a_server_that_two_networks_name_is_asked_once_and_as_long_as_one_names_it() {
    let mut net = Net::new();
    let server = [(SERVER, name_server(&mut net, SERVER))];
    let mut card = net::Card {
        medium: Medium::Ip,
        received: [].into(),
        sent: [].into(),
        room: 0,
    };
    let stack = &mut net.client.stack;
    let other = stack.add_interface(&mut card, None).unwrap();
    let links = [net.client.interface, other];
    for link in links {
        stack.set_learned_name_servers(link, &ips(&[SERVER]));
    }
    assert_eq!(asked(&mut net, &server), [SERVER]);
    for link in links {
        assert_eq!(asked(&mut net, &server), [SERVER]);
        net.client.stack.set_learned_name_servers(link, &[]);
    }
    assert_eq!(net.client.stack.resolve(NAME), Err(Error::NameNotFound));
}

#[test]
fn the_user_s_servers_have_their_room_whatever_is_learned() {
    let mut net = Net::new();
    let interface = net.client.interface;
    let learned: Vec<IpAddr> = (100..120).map(|n| [10, 0, 0, n].into()).collect();
    net.client
        .stack
        .set_learned_name_servers(interface, &learned);
    for n in 0..4 {
        net.client
            .stack
            .add_name_server([10, 0, 0, 50 + n].into())
            .unwrap();
    }
    let fifth = net.client.stack.add_name_server(ip(SERVER));
    assert!(matches!(fifth, Err(Error::Exhausted(_))));
}

#[test]
fn a_lookup_goes_on_with_the_servers_that_it_began_with() {
    let mut net = Net::new();
    let interface: InterfaceId = net.client.interface;
    let server = name_server(&mut net, SERVER);
    let stack = &mut net.client.stack;
    stack.set_learned_name_servers(interface, &ips(&[SERVER]));
    let lookup = resolve(&mut net);
    net.client.stack.set_learned_name_servers(interface, &[]);
    let records = many(1);
    let answer = |question: &[u8]| answer(question, NO_ERROR, &matching(question, &records));
    assert_eq!(serve(&mut net, server, answer), 2);
    assert_eq!(resolved(&mut net, lookup), Ok(found(&records)));
}

#[test]
fn a_link_local_server_is_asked_on_the_link_that_told_of_it() {
    let mut net = Net::new();
    let interface = net.client.interface;
    net.client
        .stack
        .add_address(interface, ip("fe80::1"), 64)
        .unwrap();
    let server = name_server(&mut net, "fe80::2");
    let stack = &mut net.client.stack;
    stack.set_learned_name_servers(interface, &ips(&["fe80::2"]));
    let lookup = resolve(&mut net);
    let records = many(1);
    let all = questions(&mut net, server);
    assert_eq!(all.len(), 2);
    for (question, from) in all {
        assert_eq!(from.ip(), ip("fe80::1"));
        let message = answer(&question, NO_ERROR, &matching(&question, &records));
        net.server.stack.sendto(server, &message, from).unwrap();
    }
    net.run();
    assert_eq!(resolved(&mut net, lookup), Ok(found(&records)));
}

#[test]
fn where_there_is_no_way_to_any_server_it_says_so() {
    let mut net = Net::new();
    net.client.stack.add_name_server(ip("8.8.8.8")).unwrap();
    assert_eq!(
        net.client.stack.resolve(NAME),
        Err(Error::NetworkUnreachable)
    );
    // One that can be reached is enough.
    net.client.stack.add_name_server(ip(SERVER)).unwrap();
    let server = name_server(&mut net, SERVER);
    let lookup = resolve(&mut net);
    let records = many(1);
    let answer = |question: &[u8]| answer(question, NO_ERROR, &matching(question, &records));
    assert_eq!(serve(&mut net, server, answer), 2);
    assert_eq!(resolved(&mut net, lookup), Ok(found(&records)));
}

#[test]
fn addresses_come_in_the_order_in_which_they_are_to_be_tried() {
    let (mut net, server) = start();
    let texts = ["2001:db8::7", "fd00::2", "192.0.2.7", "10.0.0.2"];
    let records = texts.map(|text| address(NAME, ip(text)));
    let lookup = resolve(&mut net);
    let answer = |question: &[u8]| answer(question, NO_ERROR, &matching(question, &records));
    serve(&mut net, server, answer);
    // IPv4 has precedence over unique local addresses (RFC 6724 §2.1); what cannot be reached is last, as it came.
    let order = ["10.0.0.2", "fd00::2", "192.0.2.7", "2001:db8::7"];
    assert_eq!(resolved(&mut net, lookup), Ok(ips(&order)));
}

#[test]
fn what_was_found_so_far_can_be_had_before_the_end() {
    let (mut net, server) = start();
    let lookup = resolve(&mut net);
    let so_far = |net: &mut Net| {
        let (found, is_pending) = net.client.stack.resolved_so_far(lookup).unwrap();
        (found.to_vec(), is_pending)
    };
    assert_eq!(so_far(&mut net), (vec![], true));
    let records = many(1);
    for (question, from) in questions(&mut net, server) {
        if kind(&question) == A {
            let message = answer(&question, NO_ERROR, &records);
            net.server.stack.sendto(server, &message, from).unwrap();
        }
    }
    net.run();
    assert_eq!(so_far(&mut net), (found(&records), true));
    net.run_for(Time::from_secs(15));
    assert_eq!(so_far(&mut net), (found(&records), false));
    assert_eq!(resolved(&mut net, lookup), Ok(found(&records)));
}

#[test]
fn localhost_is_this_host_whatever_the_servers_and_the_table_say() {
    let (mut net, server) = start();
    net.client
        .stack
        .add_name("localhost", ip("6.6.6.6"))
        .unwrap();
    for name in ["localhost", "LOCALHOST.", "a.b.localhost"] {
        let lookup = net.client.stack.resolve(name).unwrap();
        net.run();
        // `::1` has the highest precedence (RFC 6724 §2.1).
        assert_eq!(resolved(&mut net, lookup), Ok(ips(&["::1", "127.0.0.1"])));
    }
    assert!(questions(&mut net, server).is_empty());
}
