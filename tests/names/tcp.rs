//! What does not fit into a datagram is asked for over TCP.

use std::net::IpAddr;

use glasstack::smoltcp::phy::Medium;
use glasstack::smoltcp::time::Duration as Time;
use glasstack::stack::{Capacity, Domain};
use glasstack::{Error, Fd};

use crate::answers::{A, NO_ERROR, Record, address, framed, truncated};
use crate::net::{Net, capacity};
use crate::server::*;

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

/// Says of a question for IPv4 that the answer does not fit, with these records in it; there are no others.
fn cut(question: &Question, records: &[Record]) -> Vec<u8> {
    match question.kind() {
        A => truncated(&question.octets, records),
        _ => question.answer(NO_ERROR, &[]),
    }
}

/// The question that comes over a TCP connection, which is accepted here.
fn question_over_tcp(net: &mut Net, listener: Fd) -> (Fd, Question) {
    let (fd, from) = net.server.stack.accept(listener).unwrap();
    let octets = net.server.recv(fd).unwrap();
    let (prefix, octets) = octets.split_at(2);
    assert_eq!(prefix, (octets.len() as u16).to_be_bytes());
    let octets = octets.to_vec();
    (fd, Question { octets, from })
}

#[test]
fn what_does_not_fit_into_a_datagram_is_asked_for_over_tcp() {
    let (mut net, server) = start();
    let listener = net.server.listen(Domain::Inet, 53, 5);
    let lookup = resolve(&mut net, NAME);
    serve(&mut net, server, |question| cut(question, &[]));
    assert_eq!(resolved(&mut net, lookup), Err(Error::WouldBlock));
    let usage = net.client.stack.usage();
    assert_eq!((usage.sockets, usage.connections), (1, 1));

    let (fd, question) = question_over_tcp(&mut net, listener);
    let records = many(6);
    let message = framed(&question.answer(NO_ERROR, &records));
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
    let lookup = resolve(&mut net, NAME);
    serve(&mut net, server, |question| cut(question, &[]));
    let (fd, question) = question_over_tcp(&mut net, listener);
    let records = many(1_000);
    let message = framed(&question.answer(NO_ERROR, &records));
    assert!(message.len() > capacity().receive_buffer);
    let mut rest = &message[..];
    while is_pending(&mut net, lookup) {
        let sent = net.server.stack.send(fd, rest).unwrap();
        rest = &rest[sent..];
        net.run_for(Time::from_millis(10));
    }
    assert_eq!(resolved(&mut net, lookup), Ok(found(&records[..8])));
    net.run_for(Time::from_secs(200));
    assert_eq!(net.client.stack.usage().connections, 0);
}

#[test]
fn where_tcp_is_refused_what_did_fit_is_the_answer() {
    let (mut net, server) = start();
    let lookup = resolve(&mut net, NAME);
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
    let second = add_name_server(&mut net, SECOND);
    let lookup = resolve(&mut net, NAME);
    serve(&mut net, first, |question| cut(question, &[]));
    let records = many(1);
    let count = serve(&mut net, second, |question| question.pick(&records));
    assert_eq!(count, 1);
    assert_eq!(resolved(&mut net, lookup), Ok(found(&records)));
}

#[test]
fn a_server_that_is_silent_over_tcp_is_given_five_seconds() {
    let (mut net, server) = start();
    net.server.listen(Domain::Inet, 53, 5);
    let lookup = resolve(&mut net, NAME);
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
    let server = add_name_server(&mut net, SERVER);
    let lookup = resolve(&mut net, NAME);
    let records = many(2);
    serve(&mut net, server, |question| cut(question, &records));
    assert_eq!(resolved(&mut net, lookup), Ok(found(&records)));
}

#[test]
fn a_lookup_that_is_given_up_closes_its_connection() {
    let (mut net, server) = start();
    net.server.listen(Domain::Inet, 53, 5);
    let lookup = resolve(&mut net, NAME);
    serve(&mut net, server, |question| cut(question, &[]));
    assert_eq!(net.client.stack.usage().sockets, 1);
    net.client.stack.cancel(lookup);
    assert_eq!(net.client.stack.usage().sockets, 0);
}
