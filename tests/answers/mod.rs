//! DNS messages made by hand (RFC 1035 §4), for servers that tests write themselves.
#![allow(dead_code)] // each test uses its part of it

use std::net::IpAddr;

pub(crate) const A: u16 = 1;
pub(crate) const CNAME: u16 = 5;
pub(crate) const AAAA: u16 = 28;

pub(crate) const NO_ERROR: u8 = 0;
pub(crate) const SERVFAIL: u8 = 2;
pub(crate) const NXDOMAIN: u8 = 3;

const HEADER: usize = 12;

/// A record: whose, of which type, and its data.
pub(crate) type Record = (String, u16, Vec<u8>);

/// The type that a question asks for, which is before the class at its end.
pub(crate) fn kind(question: &[u8]) -> u16 {
    let [.., high, low, _, _] = question else {
        panic!("a question ends in its type and class")
    };
    u16::from_be_bytes([*high, *low])
}

/// The name that a question asks for.
pub(crate) fn name(question: &[u8]) -> String {
    let mut labels = Vec::new();
    let mut rest = &question[HEADER..];
    while let [len, tail @ ..] = rest
        && *len > 0
    {
        let (label, tail) = tail.split_at(usize::from(*len));
        labels.push(String::from_utf8(label.to_vec()).unwrap());
        rest = tail;
    }
    labels.join(".")
}

/// A name as a message carries it.
pub(crate) fn octets(name: &str) -> Vec<u8> {
    let labels = name.split('.').filter(|label| !label.is_empty());
    let mut octets: Vec<u8> = labels
        .flat_map(|label| [&[label.len() as u8], label.as_bytes()].concat())
        .collect();
    octets.push(0);
    octets
}

pub(crate) fn alias(owner: &str, target: &str) -> Record {
    (owner.to_owned(), CNAME, octets(target))
}

pub(crate) fn address(owner: &str, address: IpAddr) -> Record {
    match address {
        IpAddr::V4(v4) => (owner.to_owned(), A, v4.octets().to_vec()),
        IpAddr::V6(v6) => (owner.to_owned(), AAAA, v6.octets().to_vec()),
    }
}

/// The answer to a question, with every name in full.
pub(crate) fn answer(question: &[u8], rcode: u8, records: &[Record]) -> Vec<u8> {
    message(question, rcode, records, octets)
}

/// An answer with pointers to the question's name where a record is of that name (RFC 1035 §4.1.4).
pub(crate) fn compressed(question: &[u8], records: &[Record]) -> Vec<u8> {
    let asked = name(question);
    let owner = |owner: &str| match owner == asked {
        true => vec![0xc0, HEADER as u8],
        false => octets(owner),
    };
    message(question, NO_ERROR, records, owner)
}

fn message(
    question: &[u8],
    rcode: u8,
    records: &[Record],
    name: impl Fn(&str) -> Vec<u8>,
) -> Vec<u8> {
    let mut message = question.to_vec();
    message[2] |= 0x80;
    message[3] = 0x80 | rcode;
    message[6..8].copy_from_slice(&(records.len() as u16).to_be_bytes());
    for (owner, kind, data) in records {
        message.extend(name(owner));
        message.extend(kind.to_be_bytes());
        message.extend([0, 1, 0, 0, 0, 60]);
        message.extend((data.len() as u16).to_be_bytes());
        message.extend(data);
    }
    message
}

/// The same, which says that there is more.
pub(crate) fn truncated(question: &[u8], records: &[Record]) -> Vec<u8> {
    let mut message = answer(question, NO_ERROR, records);
    message[2] |= 0x02;
    message
}

/// A message as TCP carries it: behind its length.
pub(crate) fn framed(message: &[u8]) -> Vec<u8> {
    [&(message.len() as u16).to_be_bytes()[..], message].concat()
}
