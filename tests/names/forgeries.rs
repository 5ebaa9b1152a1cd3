//! What is no answer to the question is none: of others, in pieces, spoiled, or come too late.

use std::collections::BTreeSet;
use std::net::SocketAddr;

use glasstack::Error;
use glasstack::smoltcp::time::Duration as Time;
use glasstack::stack::Domain;

use crate::answers::{NO_ERROR, NXDOMAIN, SERVFAIL, address};
use crate::server::*;

#[test]
fn answers_with_another_id_are_ignored() {
    let (mut net, server) = start();
    let lookup = resolve(&mut net, NAME);
    let asked = questions(&mut net.server, server);
    for question in &asked {
        for rcode in [NO_ERROR, SERVFAIL, NXDOMAIN] {
            let mut forged = question.answer(rcode, &[address(NAME, ip("6.6.6.6"))]);
            forged[0] ^= 1;
            say(&mut net, server, &forged, question.from);
            net.run();
        }
    }
    assert_eq!(resolved(&mut net, lookup), Err(Error::WouldBlock));
    reply(&mut net, server, &asked, Question::address);
    assert_eq!(resolved(&mut net, lookup), Ok(BOTH.to_vec()));
}

#[test]
fn answers_to_another_port_or_from_another_port_or_server_are_ignored() {
    let (mut net, server) = start();
    let stranger = net.server.datagram(Domain::Inet, 54);
    let impostor = name_server(&mut net, SECOND);
    let lookup = resolve(&mut net, NAME);
    let asked = questions(&mut net.server, server);
    assert_ne!(asked[0].from.port(), asked[1].from.port());
    let lies = ["6.6.6.6", "6::6"].map(|text| address(NAME, ip(text)));
    for (index, question) in asked.iter().enumerate() {
        let other_port = SocketAddr::new(question.from.ip(), asked[1 - index].from.port());
        let forged = question.pick(&lies);
        say(&mut net, server, &forged, other_port);
        say(&mut net, stranger, &forged, question.from);
        say(&mut net, impostor, &forged, question.from);
        net.run_for(Time::from_millis(10));
    }
    assert_eq!(resolved(&mut net, lookup), Err(Error::WouldBlock));
    reply(&mut net, server, &asked, Question::address);
    assert_eq!(resolved(&mut net, lookup), Ok(BOTH.to_vec()));
}

#[test]
fn answers_truncated_at_every_length_are_ignored_or_not_found_and_do_no_harm() {
    let (mut net, server) = start();
    let lookup = resolve(&mut net, NAME);
    let asked = questions(&mut net.server, server);
    let whole = asked[0].address();
    // Up to the answer's last octet; what lacks its answer only is "no address" at worst.
    for len in 0..whole.len() {
        say(&mut net, server, &whole[..len], asked[0].from);
        net.run();
        assert_eq!(
            resolved(&mut net, lookup),
            Err(Error::WouldBlock),
            "at {len}"
        );
    }
    reply(&mut net, server, &asked, Question::address);
    assert_eq!(resolved(&mut net, lookup), Ok(BOTH.to_vec()));
}

#[test]
fn answers_with_any_octet_flipped_do_no_harm() {
    let (mut net, server) = start();
    let mut position = 0;
    loop {
        let lookup = resolve(&mut net, NAME);
        let asked = questions(&mut net.server, server);
        for question in &asked {
            let mut message = question.address();
            let Some(octet) = message.get_mut(position) else {
                continue;
            };
            *octet ^= 0xff;
            say(&mut net, server, &message, question.from);
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
fn an_answer_that_comes_twice_or_after_the_end_changes_nothing() {
    let (mut net, server) = start();
    let lookup = resolve(&mut net, NAME);
    let asked = questions(&mut net.server, server);
    for question in asked.iter().chain(&asked) {
        say(&mut net, server, &question.address(), question.from);
        net.run();
    }
    assert_eq!(resolved(&mut net, lookup), Ok(BOTH.to_vec()));
    assert_eq!(net.client.stack.usage().lookups, 0);
}

#[test]
fn ids_and_ports_differ_from_query_to_query() {
    let (mut net, server) = start();
    let (mut ids, mut ports) = (BTreeSet::new(), BTreeSet::new());
    let mut last = 0_u16;
    let mut steps = BTreeSet::new();
    for _ in 0..200 {
        let lookup = resolve(&mut net, NAME);
        for question in questions(&mut net.server, server) {
            let id = u16::from_be_bytes(question.id());
            steps.insert(id.wrapping_sub(last));
            last = id;
            ids.insert(id);
            ports.insert(question.from.port());
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
