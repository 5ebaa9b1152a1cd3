use core::net::IpAddr;
use std::string::String;
use std::{format, vec, vec::Vec};

use proptest::prelude::*;
use smoltcp::time::{Duration, Instant};

use super::message::MAX_ALIASES;
use super::*;
use crate::Error;

const START: Instant = Instant::from_micros_const(100_000_000);
const NAME: &str = "www.example.com";
const ID: u16 = 0x1234;
const NEXT_ID: u16 = 0x5678;

const A: u16 = 1;
const CNAME: u16 = 5;
const TXT: u16 = 16;
const AAAA: u16 = 28;

const NO_ERROR: u8 = 0;
const FORMERR: u8 = 1;
const SERVFAIL: u8 = 2;
const NXDOMAIN: u8 = 3;
const NOTIMP: u8 = 4;
const REFUSED: u8 = 5;

fn name(text: &str) -> Name {
    Name::from_text(text).unwrap()
}

fn query(servers: usize) -> Query {
    Query::new(name(NAME), Family::V4, ID, servers, START)
}

/// Asks what is due; which server, and what.
fn emit(query: &mut Query, now: Instant) -> Option<(usize, Vec<u8>)> {
    let mut buffer = [0; MAX_QUERY];
    let server = query.next_server(now)?;
    let len = query.emit(&mut buffer);
    Some((server, buffer[..len].to_vec()))
}

/// A question that has been asked, and its message.
fn asked(servers: usize) -> (Query, Vec<u8>) {
    let mut query = query(servers);
    let (server, message) = emit(&mut query, START).unwrap();
    assert_eq!(server, 0);
    (query, message)
}

/// The answer to a question: with these records, the names in which are not compressed.
fn answer(question: &[u8], rcode: u8, records: &[(&str, u16, Vec<u8>)]) -> Vec<u8> {
    let mut message = question.to_vec();
    message[2] |= 0x80;
    message[3] = 0x80 | rcode;
    message[6..8].copy_from_slice(&(records.len() as u16).to_be_bytes());
    for (owner, kind, data) in records {
        message.extend(name(owner).octets());
        message.extend(kind.to_be_bytes());
        message.extend([0, 1, 0, 0, 0, 60]);
        message.extend((data.len() as u16).to_be_bytes());
        message.extend(data);
    }
    message
}

fn a(last: u8) -> Vec<u8> {
    vec![192, 0, 2, last]
}

fn ip(last: u8) -> IpAddr {
    [192, 0, 2, last].into()
}

fn alias(target: &str) -> Vec<u8> {
    name(target).octets().to_vec()
}

/// What a question that was asked comes to by one answer.
fn heard(message: impl Fn(&[u8]) -> Vec<u8>) -> (Query, Outcome) {
    let (mut query, question) = asked(1);
    let outcome = query.hear(START, 0, &message(&question), NEXT_ID);
    (query, outcome)
}

fn found(query: &Query) -> Vec<IpAddr> {
    query.result().unwrap().unwrap().to_vec()
}

#[test]
fn a_question_is_what_rfc_1035_says() {
    let (_, message) = asked(1);
    let expected = b"\x12\x34\x01\x00\x00\x01\x00\x00\x00\x00\x00\x00\x03www\x07example\x03com\x00\x00\x01\x00\x01";
    assert_eq!(message, expected);
    let mut query = Query::new(name("A.b."), Family::V6, 1, 1, START);
    let (_, message) = emit(&mut query, START).unwrap();
    assert_eq!(message[12..], *b"\x01a\x01b\x00\x00\x1c\x00\x01");
}

#[test]
fn a_name_has_labels_of_63_and_255_octets_in_all_and_no_case() {
    assert_eq!(name("WWW.Example.COM."), name(NAME));
    let long = "a".repeat(63);
    let longest = format!("{long}.{long}.{long}.{}", "a".repeat(61));
    assert_eq!(name(&longest).octets().len(), 255);
    let too_long = format!("{longest}a");
    let long_label = format!("{long}a.example");
    for text in [
        "",
        ".",
        "..",
        "a..b",
        ".a",
        "a b",
        "ä",
        "a\0b",
        &too_long,
        &long_label,
    ] {
        assert_eq!(Name::from_text(text), None, "{text:?}");
    }
    let mut query = Query::new(name(&longest), Family::V4, ID, 1, START);
    let (_, message) = emit(&mut query, START).unwrap();
    assert_eq!(message.len(), MAX_QUERY);
}

#[test]
fn a_compressed_name_is_read_and_what_leads_in_circles_or_forwards_is_not() {
    //              0        4      6        10      13     15     17
    let message = b"\x03com\x00\x01a\xc0\x00\x02bc\xc0\x05\xc0\x09\xc0\x13\xc0\x11\x40a\x00";
    let read = |offset| Name::read(message, offset);
    assert_eq!(read(0), Some((name("com"), 5)));
    assert_eq!(read(5), Some((name("a.com"), 9)));
    assert_eq!(read(9), Some((name("bc.a.com"), 14)));
    assert_eq!(read(14), Some((name("bc.a.com"), 16)));
    assert_eq!(read(16), None, "forwards");
    assert_eq!(read(18), None, "backwards, and from there forwards");
    assert_eq!(read(20), None, "a label type that nobody uses");
    assert_eq!(read(22), Some((Name::read(b"\x00", 0).unwrap().0, 23)));
    assert_eq!(read(23), None, "behind the end");
    assert_eq!(Name::read(b"\xc0\x00", 0), None, "itself");
    assert_eq!(Name::read(b"\x01a\xc0\x00", 0), None, "itself, growing");
    assert_eq!(
        Name::read(b"\x01a\xc0\x00", 2),
        None,
        "the same from behind"
    );
}

#[test]
fn an_answer_gives_the_addresses_of_the_family_that_was_asked_for() {
    let (query, outcome) = heard(|question| {
        let records = [
            (NAME, TXT, b"\x01x".to_vec()),
            (NAME, A, a(1)),
            ("other.example", A, a(2)),
            (NAME, AAAA, vec![0; 16]),
            ("WWW.example.com", A, a(3)),
        ];
        answer(question, NO_ERROR, &records)
    });
    assert_eq!(outcome, Outcome::Over);
    assert_eq!(found(&query), [ip(1), ip(3)]);
    assert_eq!(query.poll_at(), None);

    let mut query = Query::new(name(NAME), Family::V6, ID, 1, START);
    let (_, question) = emit(&mut query, START).unwrap();
    let address = "2001:db8::7".parse::<core::net::Ipv6Addr>().unwrap();
    let records = [(NAME, A, a(1)), (NAME, AAAA, address.octets().to_vec())];
    let message = answer(&question, NO_ERROR, &records);
    assert_eq!(query.hear(START, 0, &message, NEXT_ID), Outcome::Over);
    assert_eq!(found(&query), [IpAddr::from(address)]);
}

#[test]
fn records_of_another_class_are_nobody_s_address() {
    let (query, _) = heard(|question| {
        let mut message = answer(question, NO_ERROR, &[(NAME, A, a(1))]);
        let class = message.len() - 4 - 6 - 1;
        assert_eq!(message[class], 1);
        message[class] = 3; // CHAOS
        message
    });
    assert_eq!(query.result(), Some(Err(Error::NameNotFound)));
}

#[test]
fn more_addresses_than_there_is_room_for_are_left_out() {
    let records: Vec<_> = (0..20).map(|last| (NAME, A, a(last))).collect();
    let (query, _) = heard(|question| answer(question, NO_ERROR, &records));
    assert_eq!(found(&query), (0..8).map(ip).collect::<Vec<_>>());
}

#[test]
fn aliases_are_followed_in_any_order_and_a_circle_is_a_failure() {
    let chain = [
        ("c.example", A, a(7)),
        ("b.example", CNAME, alias("c.example")),
        (NAME, CNAME, alias("B.example")),
    ];
    let (query, _) = heard(|question| answer(question, NO_ERROR, &chain));
    assert_eq!(found(&query), [ip(7)]);

    for target in [NAME, "b.example"] {
        let circle = [
            (NAME, CNAME, alias(target)),
            ("b.example", CNAME, alias(NAME)),
        ];
        let (query, outcome) = heard(|question| answer(question, NO_ERROR, &circle));
        assert_eq!(outcome, Outcome::Over);
        assert_eq!(query.result(), Some(Err(Error::TimedOut)));
    }
}

#[test]
fn sixteen_aliases_are_followed_and_a_seventeenth_is_not() {
    for (count, expected) in [(16, Ok(vec![ip(7)])), (17, Err(Error::TimedOut))] {
        let names: Vec<String> = (1..=count).map(|n| format!("alias{n}.example")).collect();
        let mut owner = NAME;
        let mut records = vec![];
        for target in &names {
            records.push((owner, CNAME, alias(target)));
            owner = target;
        }
        records.push((owner, A, a(7)));
        let (query, _) = heard(|question| answer(question, NO_ERROR, &records));
        assert_eq!(query.result().unwrap().map(<[_]>::to_vec), expected);
    }
}

#[test]
fn an_alias_without_an_address_is_asked_for() {
    let (mut query, question) = asked(2);
    let message = answer(&question, NO_ERROR, &[(NAME, CNAME, alias("b.example"))]);
    assert_eq!(query.hear(START, 0, &message, NEXT_ID), Outcome::GoesOn);
    assert_eq!(query.poll_at(), Some(START));
    // It is not asked yet: nobody can have answered it.
    let early = answer(&question, NO_ERROR, &[(NAME, A, a(1))]);
    assert_eq!(query.hear(START, 0, &early, NEXT_ID), Outcome::Ignored);
    let (server, second) = emit(&mut query, START).unwrap();
    assert_eq!(server, 0);
    assert_eq!(second[..2], NEXT_ID.to_be_bytes());
    assert_eq!(second[12..], *b"\x01b\x07example\x00\x00\x01\x00\x01");
    // The first question's answer is none to the second.
    assert_eq!(query.hear(START, 0, &message, 3), Outcome::Ignored);
    let message = answer(&second, NO_ERROR, &[("b.example", A, a(7))]);
    assert_eq!(query.hear(START, 0, &message, 3), Outcome::Over);
    assert_eq!(found(&query), [ip(7)]);
}

#[test]
fn aliases_from_answer_to_answer_are_counted_together() {
    let (mut query, mut question) = asked(1);
    let mut owner = String::from(NAME);
    let mut hops = 0;
    loop {
        let target = format!("alias{hops}.example");
        let message = answer(&question, NO_ERROR, &[(&owner, CNAME, alias(&target))]);
        match query.hear(START, 0, &message, hops) {
            Outcome::GoesOn => (_, question) = emit(&mut query, START).unwrap(),
            outcome => {
                assert_eq!(outcome, Outcome::Over);
                break;
            }
        }
        owner = target;
        hops += 1;
    }
    assert_eq!(hops, u16::from(MAX_ALIASES));
    assert_eq!(query.result(), Some(Err(Error::TimedOut)));
}

#[test]
fn no_such_name_and_no_address_are_over_at_once() {
    for rcode in [NO_ERROR, NXDOMAIN] {
        let (query, outcome) = heard(|question| answer(question, rcode, &[]));
        assert_eq!(outcome, Outcome::Over);
        assert_eq!(query.result(), Some(Err(Error::NameNotFound)));
    }
}

#[test]
fn a_server_that_fails_is_followed_by_the_next_at_once_and_not_asked_again() {
    for rcode in [FORMERR, SERVFAIL, NOTIMP, REFUSED] {
        let (mut query, question) = asked(2);
        let message = answer(&question, rcode, &[]);
        assert_eq!(query.hear(START, 0, &message, NEXT_ID), Outcome::GoesOn);
        assert_eq!(emit(&mut query, START), Some((1, question.clone())));
        let mut servers = vec![];
        while let Some(at) = query.poll_at() {
            servers.extend(emit(&mut query, at).map(|(server, _)| server));
        }
        assert_eq!(servers, [1, 1, 1]);
        assert_eq!(query.result(), Some(Err(Error::TimedOut)));

        let (query, outcome) = heard(|question| answer(question, rcode, &[]));
        assert_eq!(outcome, Outcome::Over);
        assert_eq!(query.result(), Some(Err(Error::TimedOut)));
    }
}

#[test]
fn a_failure_that_comes_late_takes_nobody_s_turn() {
    let (mut query, question) = asked(2);
    let at = query.poll_at().unwrap();
    assert_eq!(emit(&mut query, at).unwrap().0, 1);
    let until = query.poll_at();
    let message = answer(&question, SERVFAIL, &[]);
    assert_eq!(query.hear(at, 0, &message, NEXT_ID), Outcome::GoesOn);
    assert_eq!(query.poll_at(), until);
    let message = answer(&question, NO_ERROR, &[(NAME, A, a(7))]);
    assert_eq!(query.hear(at, 1, &message, NEXT_ID), Outcome::Over);
}

/// Asks for as long as there is anything to ask: which server, and how many milliseconds after the start.
fn schedule(servers: usize) -> (Vec<(usize, u64)>, u64) {
    let mut query = query(servers);
    let (mut times, mut end) = (vec![], START);
    while let Some(at) = query.poll_at() {
        end = at;
        assert_eq!(emit(&mut query, at - Duration::from_micros(1)), None);
        if let Some((server, _)) = emit(&mut query, at) {
            times.push((server, (at - START).total_millis()));
        }
    }
    assert_eq!(query.result(), Some(Err(Error::TimedOut)));
    (times, (end - START).total_millis())
}

#[test]
fn silent_servers_are_asked_in_turn_each_round_twice_as_slowly() {
    let (times, end) = schedule(1);
    assert_eq!(times, [(0, 0), (0, 1_000), (0, 3_000), (0, 7_000)]);
    assert_eq!(end, 15_000);
    let (times, end) = schedule(2);
    let expected = [0, 1_000, 2_000, 3_000, 4_000, 6_000, 8_000, 12_000];
    let expected: Vec<_> = expected
        .into_iter()
        .zip([0, 1].into_iter().cycle())
        .collect();
    assert_eq!(
        times,
        expected
            .iter()
            .map(|(at, server)| (*server, *at))
            .collect::<Vec<_>>()
    );
    assert_eq!(end, 16_000);
    for servers in 3..=MAX_SERVERS {
        let (times, end) = schedule(servers);
        assert_eq!(times.len(), servers * 4);
        assert!(end <= 32_000, "{servers} servers: {end} ms");
    }
}

#[test]
fn without_a_server_there_is_no_name() {
    let query = query(0);
    assert_eq!(query.result(), Some(Err(Error::NameNotFound)));
    assert_eq!(query.poll_at(), None);
}

#[test]
fn a_late_answer_of_a_server_that_was_asked_counts_and_one_of_a_server_that_was_not_does_not() {
    let (mut query, question) = asked(3);
    let at = query.poll_at().unwrap();
    assert_eq!(emit(&mut query, at).unwrap().0, 1);
    let message = answer(&question, NO_ERROR, &[(NAME, A, a(7))]);
    for stranger in [2, 3, 7, 8, 255, usize::MAX] {
        assert_eq!(
            query.hear(at, stranger, &message, NEXT_ID),
            Outcome::Ignored
        );
    }
    assert_eq!(query.hear(at, 0, &message, NEXT_ID), Outcome::Over);
    assert_eq!(found(&query), [ip(7)]);
    assert_eq!(query.hear(at, 1, &message, NEXT_ID), Outcome::Ignored);
}

#[test]
fn a_server_without_a_way_to_it_is_left_out() {
    let mut query = query(2);
    query.unreachable(START, 0);
    assert_eq!(emit(&mut query, START).unwrap().0, 1);
    query.unreachable(START, 1);
    assert_eq!(query.result(), Some(Err(Error::TimedOut)));
}

fn truncated(question: &[u8], records: &[(&str, u16, Vec<u8>)]) -> Vec<u8> {
    let mut message = answer(question, NO_ERROR, records);
    message[2] |= 0x02;
    message
}

#[test]
fn a_truncated_answer_is_asked_for_again_over_tcp() {
    let (mut query, question) = asked(2);
    let message = truncated(&question, &[(NAME, A, a(1))]);
    assert_eq!(query.streams_to(), None);
    assert_eq!(query.hear(START, 0, &message, NEXT_ID), Outcome::GoesOn);
    assert_eq!(query.streams_to(), Some(0));
    assert_eq!(emit(&mut query, START), None);
    // Another copy of it, and even a whole answer, is too late.
    assert_eq!(query.hear(START, 0, &message, NEXT_ID), Outcome::Ignored);

    let mut buffer = [0; 2 + MAX_QUERY];
    let len = query.emit_stream(&mut buffer);
    assert_eq!(buffer[..2], [0, question.len() as u8]);
    assert_eq!(buffer[2..len], question);

    let records: Vec<_> = (1..=5).map(|last| (NAME, A, a(last))).collect();
    let message = answer(&question, NO_ERROR, &records);
    assert_eq!(
        query.hear_stream(START, &message, false, NEXT_ID),
        Outcome::Over
    );
    assert_eq!(found(&query), (1..=5).map(ip).collect::<Vec<_>>());
}

#[test]
fn without_tcp_what_the_truncated_answer_had_is_better_than_nothing() {
    let (mut query, question) = asked(2);
    query.hear(START, 0, &truncated(&question, &[(NAME, A, a(1))]), NEXT_ID);
    query.stream_failed(START);
    assert_eq!(found(&query), [ip(1)]);

    // It had nothing: the next server is asked, and the clock is such a failure, too.
    for by_clock in [false, true] {
        let (mut query, question) = asked(2);
        query.hear(START, 0, &truncated(&question, &[]), NEXT_ID);
        let at = if by_clock {
            assert_eq!(query.poll_at(), Some(START + Duration::from_secs(5)));
            query.poll_at().unwrap()
        } else {
            query.stream_failed(START);
            START
        };
        assert_eq!(emit(&mut query, at), Some((1, question)));
    }
}

#[test]
fn an_answer_that_ends_in_the_middle_of_a_record_counts_up_to_there_if_it_says_so() {
    let records: Vec<_> = (1..=3).map(|last| (NAME, A, a(last))).collect();
    let (_, question) = asked(1);
    let whole = answer(&question, NO_ERROR, &records);
    let record = (whole.len() - question.len()) / 3;
    for len in 0..whole.len() {
        let (mut query, _) = asked(1);
        let cut = &whole[..len];
        assert_eq!(
            query.hear(START, 0, cut, NEXT_ID),
            Outcome::Ignored,
            "{len}"
        );

        query.hear(START, 0, &truncated(&question, &[]), NEXT_ID);
        query.hear_stream(START, cut, true, NEXT_ID);
        let complete = len.saturating_sub(question.len()) / record;
        let expected = match complete {
            0 => Err(Error::TimedOut),
            _ => Ok((1..=complete as u8).map(ip).collect()),
        };
        assert_eq!(
            query.result().unwrap().map(<[_]>::to_vec),
            expected,
            "{len}"
        );
    }
}

#[test]
fn an_answer_over_tcp_to_another_question_is_a_failure() {
    let (mut query, question) = asked(1);
    query.hear(START, 0, &truncated(&question, &[]), NEXT_ID);
    let mut message = answer(&question, NO_ERROR, &[(NAME, A, a(1))]);
    message[0] ^= 1;
    assert_eq!(
        query.hear_stream(START, &message, false, NEXT_ID),
        Outcome::Over
    );
    assert_eq!(query.result(), Some(Err(Error::TimedOut)));
}

#[test]
fn data_of_the_wrong_length_makes_no_answer() {
    for (kind, data) in [
        (A, vec![1, 2, 3]),
        (A, vec![0; 16]),
        (CNAME, vec![]),
        (CNAME, b"\x01a\x00\x00".to_vec()),
        (CNAME, b"\x01a".to_vec()),
    ] {
        let (_, outcome) =
            heard(|question| answer(question, NO_ERROR, &[(NAME, kind, data.clone())]));
        assert_eq!(outcome, Outcome::Ignored, "{data:?}");
    }
}

/// Every bit of the answer that says which question it answers, and that it is an answer.
#[test]
fn no_single_bit_of_id_question_or_kind_may_differ() {
    let (_, question) = asked(1);
    let right = answer(&question, NO_ERROR, &[(NAME, A, a(7))]);
    let id = 0..16;
    let response_and_opcode = 16..21;
    let question_count = 32..48;
    let question = 96..question.len() * 8;
    for bit in id
        .chain(response_and_opcode)
        .chain(question_count)
        .chain(question)
    {
        let mut message = right.clone();
        message[bit / 8] ^= 0x80 >> (bit % 8);
        let (query, outcome) = heard(|_| message.clone());
        assert_eq!(outcome, Outcome::Ignored, "bit {bit}");
        assert_eq!(query.result(), None);
    }
}

/// Octets that are likelier than others to be read as something.
fn octets() -> impl Strategy<Value = Vec<u8>> {
    let octet = prop_oneof![
        any::<u8>(),
        Just(0),
        Just(0xc0),
        Just(1),
        Just(5),
        12..40_u8,
    ];
    prop::collection::vec(octet, 0..600)
}

proptest! {
    #[test]
    fn no_octets_do_harm(octets in octets(), offset in 0..700_usize, is_cut: bool) {
        if let Some((name, end)) = Name::read(&octets, offset) {
            prop_assert!(name.octets().len() <= 255);
            prop_assert!(end > offset && end <= octets.len());
        }
        // The same behind a header and a question that are right.
        let (mut query, question) = asked(2);
        let mut message = answer(&question, NO_ERROR, &[]);
        message[7] = 20;
        message.extend(&octets);
        query.hear(START, 0, &octets, NEXT_ID);
        prop_assert_eq!(query.result(), None);
        query.hear(START, 0, &message, NEXT_ID);
        let (mut query, _) = asked(2);
        query.hear(START, 0, &truncated(&question, &[]), NEXT_ID);
        query.hear_stream(START, &message, is_cut, NEXT_ID);
    }

    #[test]
    fn whatever_is_heard_and_when_it_comes_to_an_end(
        steps in prop::collection::vec((0..5_usize, 0..9_usize, 0..3_000_u64, octets()), 0..40),
        servers in 1..=MAX_SERVERS,
    ) {
        let mut query = query(servers);
        let mut now = START;
        let mut question = emit(&mut query, now).unwrap().1;
        for (step, server, wait, octets) in steps {
            now += Duration::from_millis(wait);
            if let Some((_, message)) = emit(&mut query, now) {
                question = message;
            }
            let mut message = answer(&question, (server % 6) as u8, &[]);
            message[7] = 3;
            message.extend(octets);
            match step {
                0 => query.hear(now, server, &message, NEXT_ID),
                1 => query.hear_stream(now, &message, server % 2 == 0, NEXT_ID),
                2 => query.hear(now, server, &truncated(&question, &[]), NEXT_ID),
                3 => query.unreachable(now, server),
                _ => query.stream_failed(now),
            };
        }
        let mut polls = 0;
        while let Some(at) = query.poll_at() {
            now = now.max(at);
            emit(&mut query, now);
            polls += 1;
            prop_assert!(polls < 200);
        }
        prop_assert!(query.result().is_some());
    }
}
