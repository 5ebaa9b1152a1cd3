//! Which servers are asked: the user's, those that networks name, over which link.

use std::net::{IpAddr, SocketAddr};

use glasstack::smoltcp::phy::Medium;
use glasstack::stack::Type;
use glasstack::{Error, Fd, Limit};

use crate::answers::SERVFAIL;
use crate::net::{Card, Net, domain_of};
use crate::server::*;

/// Which of the servers are asked, in order: each fails.
fn asked(net: &mut Net, servers: &[(&'static str, Fd)]) -> Vec<&'static str> {
    let lookup = resolve(net, NAME);
    let mut order = vec![];
    while is_pending(net, lookup) {
        let fails = |net: &mut Net, fd| serve(net, fd, |question| question.answer(SERVFAIL, &[]));
        let mut servers = servers.iter();
        let (name, _) = servers
            .find(|(_, fd)| fails(net, *fd) > 0)
            .expect("a question");
        order.push(*name);
    }
    net.client.stack.cancel(lookup);
    order
}

/// The client takes four servers of the user's, and no fifth one.
fn has_room_for_four(net: &mut Net) {
    let stack = &mut net.client.stack;
    for n in 0..4 {
        stack.add_name_server([10, 0, 0, 50 + n].into()).unwrap();
    }
    let fifth = stack.add_name_server([10, 0, 0, 60].into());
    assert_eq!(fifth, Err(Error::Exhausted(Limit::NameServers)));
}

#[test]
fn servers_of_both_families_take_turns() {
    let mut net = Net::new();
    let v6 = add_name_server(&mut net, "fd00::2");
    let v4 = add_name_server(&mut net, SERVER);
    let lookup = resolve(&mut net, NAME);
    serve(&mut net, v6, |question| question.answer(SERVFAIL, &[]));
    is_answered_by(&mut net, v4, lookup);
}

#[test]
fn a_server_on_this_host_is_asked_over_the_loopback() {
    for text in ["127.0.0.1", "::1", "10.0.0.1"] {
        let mut net = Net::new();
        let own = SocketAddr::new(ip(text), 53);
        let stack = &mut net.client.stack;
        stack.add_name_server(own.ip()).unwrap();
        let fd = stack.socket(domain_of(own), Type::Datagram).unwrap();
        stack.bind(fd, own).unwrap();
        let lookup = resolve(&mut net, NAME);
        let asked = questions(&mut net.client, fd);
        assert_eq!(asked.len(), 2, "{text}");
        for question in asked {
            let stack = &mut net.client.stack;
            let sent = stack.sendto(fd, &question.address(), question.from);
            sent.unwrap();
        }
        net.run();
        assert_eq!(resolved(&mut net, lookup), Ok(BOTH.to_vec()), "{text}");
        let is_question = |octets: &[u8]| octets.windows(7).any(|name| name == b"example");
        assert!(!net.frames.iter().any(|frame| is_question(&frame.octets)));
    }
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
    let mut card = Card {
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
fn a_lookup_goes_on_with_the_servers_that_it_began_with() {
    let mut net = Net::new();
    let interface = net.client.interface;
    let server = name_server(&mut net, SERVER);
    let stack = &mut net.client.stack;
    stack.set_learned_name_servers(interface, &ips(&[SERVER]));
    let lookup = resolve(&mut net, NAME);
    net.client.stack.set_learned_name_servers(interface, &[]);
    is_answered_by(&mut net, server, lookup);
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
    let lookup = resolve(&mut net, NAME);
    let asked = questions(&mut net.server, server);
    assert_eq!(asked.len(), 2);
    for question in &asked {
        assert_eq!(question.from.ip(), ip("fe80::1"));
    }
    reply(&mut net, server, &asked, Question::address);
    assert_eq!(resolved(&mut net, lookup), Ok(BOTH.to_vec()));
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
    let server = add_name_server(&mut net, SERVER);
    let lookup = resolve(&mut net, NAME);
    is_answered_by(&mut net, server, lookup);
}

#[test]
fn more_name_servers_than_there_is_room_for_are_exhausted() {
    let mut net = Net::new();
    has_room_for_four(&mut net);
}

#[test]
fn the_user_s_servers_have_their_room_whatever_is_learned() {
    let mut net = Net::new();
    let interface = net.client.interface;
    let learned: Vec<IpAddr> = (100..120).map(|n| [10, 0, 0, n].into()).collect();
    net.client
        .stack
        .set_learned_name_servers(interface, &learned);
    has_room_for_four(&mut net);
}
