//! What becomes of a name: its addresses, in order, or that there are none.

use glasstack::smoltcp::time::Duration as Time;
use glasstack::{Error, Limit};

use crate::answers::{A, AAAA, NO_ERROR, NXDOMAIN, address, alias, compressed, name};
use crate::net::Net;
use crate::server::*;

#[test]
fn a_name_resolves_to_ipv4_and_ipv6() {
    let (mut net, server) = start();
    let lookup = resolve(&mut net, NAME);
    assert_eq!(resolved(&mut net, lookup), Err(Error::WouldBlock));
    let before = net.now;
    is_answered_by(&mut net, server, lookup);
    assert_eq!(net.now, before);
    // It is over, and a stale handle says so.
    assert_eq!(resolved(&mut net, lookup), Err(Error::BadDescriptor));
    net.run_for(Time::from_secs(100));
    assert!(questions(&mut net.server, server).is_empty());
    assert_eq!(net.client.deadline, None);
}

#[test]
fn a_query_over_ipv6_works_as_well() {
    let mut net = Net::new();
    let server = add_name_server(&mut net, "fd00::2");
    let lookup = resolve(&mut net, NAME);
    is_answered_by(&mut net, server, lookup);
}

#[test]
fn literals_need_no_server() {
    let mut net = Net::new();
    net.run_for(Time::from_secs(1)); // a new host tells of its groups
    net.frames.clear();
    for literal in ["192.0.2.7", "2001:db8::7", "::1", "255.255.255.255"] {
        let lookup = resolve(&mut net, literal);
        assert_eq!(resolved(&mut net, lookup), Ok(ips(&[literal])));
    }
    assert!(net.frames.is_empty());
    assert_eq!(net.client.stack.resolve(NAME), Err(Error::NameNotFound));
}

#[test]
fn localhost_is_this_host_whatever_the_servers_and_the_table_say() {
    let (mut net, server) = start();
    net.client
        .stack
        .add_name("localhost", ip("6.6.6.6"))
        .unwrap();
    for name in ["localhost", "LOCALHOST.", "a.b.localhost"] {
        let lookup = resolve(&mut net, name);
        // `::1` has the highest precedence (RFC 6724 §2.1).
        assert_eq!(resolved(&mut net, lookup), Ok(ips(&["::1", "127.0.0.1"])));
    }
    assert!(questions(&mut net.server, server).is_empty());
}

#[test]
fn the_static_table_comes_before_the_servers() {
    let (mut net, server) = start();
    net.client.stack.add_name("printer", V4).unwrap();
    net.client.stack.add_name("printer.", V6).unwrap();
    for name in ["printer", "PRINTER", "Printer."] {
        let lookup = resolve(&mut net, name);
        assert_eq!(resolved(&mut net, lookup), Ok(BOTH.to_vec()));
    }
    assert!(questions(&mut net.server, server).is_empty());
    for _ in 0..6 {
        net.client.stack.add_name("more", V4).unwrap();
    }
    assert_eq!(
        net.client.stack.add_name("more", V4),
        Err(Error::Exhausted(Limit::Names))
    );
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
    let nobody = net.client.stack.add_name_server(ip("0.0.0.0"));
    assert_eq!(nobody, Err(Error::InvalidArgument));
}

#[test]
fn a_name_that_does_not_exist_is_not_found_at_once() {
    let (mut net, server) = start();
    let lookup = resolve(&mut net, NAME);
    let before = net.now;
    serve(&mut net, server, |question| question.answer(NXDOMAIN, &[]));
    assert_eq!(resolved(&mut net, lookup), Err(Error::NameNotFound));
    assert_eq!(net.now, before);
    still_works(&mut net, server);
}

#[test]
fn a_name_with_one_family_only_gives_that_one() {
    for (kind, address) in [(A, V4), (AAAA, V6)] {
        let (mut net, server) = start();
        let lookup = resolve(&mut net, NAME);
        serve(&mut net, server, |question| {
            if question.kind() == kind {
                question.address()
            } else {
                question.answer(NO_ERROR, &[])
            }
        });
        assert_eq!(resolved(&mut net, lookup), Ok(vec![address]));
    }
}

#[test]
fn a_name_without_any_address_is_not_found() {
    let (mut net, server) = start();
    let lookup = resolve(&mut net, NAME);
    serve(&mut net, server, |question| question.answer(NO_ERROR, &[]));
    assert_eq!(resolved(&mut net, lookup), Err(Error::NameNotFound));
}

#[test]
fn an_alias_is_followed_to_its_addresses() {
    let (mut net, server) = start();
    let lookup = resolve(&mut net, NAME);
    serve(&mut net, server, |question| {
        let ip = if question.kind() == A { V4 } else { V6 };
        let records = [alias(NAME, "host.example"), address("host.example", ip)];
        compressed(&question.octets, &records)
    });
    assert_eq!(resolved(&mut net, lookup), Ok(BOTH.to_vec()));
}

#[test]
fn an_alias_without_its_address_is_asked_for_with_another_id() {
    let (mut net, server) = start();
    let lookup = resolve(&mut net, NAME);
    let before = net.now;
    let first = questions(&mut net.server, server);
    reply(&mut net, server, &first, |question| {
        question.answer(NO_ERROR, &[alias(NAME, "host.example")])
    });
    let second = questions(&mut net.server, server);
    assert_eq!((first.len(), second.len()), (2, 2));
    for question in &second {
        assert_eq!(name(&question.octets), "host.example");
        assert!(first.iter().all(|other| other.id() != question.id()));
        // An answer to the first question is none to the second.
        let late = first[0].pick(&["6.6.6.6", "6::6"].map(|text| address(NAME, ip(text))));
        say(&mut net, server, &late, question.from);
        net.run();
        let message = question.pick(&BOTH.map(|ip| address("host.example", ip)));
        say(&mut net, server, &message, question.from);
    }
    net.run();
    assert_eq!(resolved(&mut net, lookup), Ok(BOTH.to_vec()));
    assert_eq!(net.now, before);
}

#[test]
fn addresses_come_in_the_order_in_which_they_are_to_be_tried() {
    let (mut net, server) = start();
    let texts = ["2001:db8::7", "fd00::2", "192.0.2.7", "10.0.0.2"];
    let records = texts.map(|text| address(NAME, ip(text)));
    let lookup = resolve(&mut net, NAME);
    serve(&mut net, server, |question| question.pick(&records));
    // IPv4 has precedence over unique local addresses (RFC 6724 §2.1); what cannot be reached is last, as it came.
    let order = ["10.0.0.2", "fd00::2", "192.0.2.7", "2001:db8::7"];
    assert_eq!(resolved(&mut net, lookup), Ok(ips(&order)));
}

#[test]
fn what_was_found_so_far_can_be_had_before_the_end() {
    let (mut net, server) = start();
    let lookup = resolve(&mut net, NAME);
    let so_far = |net: &mut Net| {
        let (found, is_pending) = net.client.stack.resolved_so_far(lookup).unwrap();
        (found.to_vec(), is_pending)
    };
    assert_eq!(so_far(&mut net), (vec![], true));
    let mut asked = questions(&mut net.server, server);
    asked.retain(|question| question.kind() == A);
    reply(&mut net, server, &asked, Question::address);
    assert_eq!(so_far(&mut net), (vec![V4], true));
    net.run_for(Time::from_secs(15));
    assert_eq!(so_far(&mut net), (vec![V4], false));
    assert_eq!(resolved(&mut net, lookup), Ok(vec![V4]));
}
