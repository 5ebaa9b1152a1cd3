//! In which order a name's addresses are tried (RFC 6724 §6).

use core::cmp::Ordering;

use super::Stack;
use super::flow::UNSPECIFIED;
use super::ip::IpAddr;
use super::policy::{Candidate, common_prefix_len, policy, scope};
use crate::trace::Observer;

/// An address of a name, and what it would be spoken to from; `None` where there is no way to it.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Destination {
    pub(crate) addr: IpAddr,
    pub(crate) source: Option<Candidate>,
}

impl Destination {
    /// Which of two comes first: the lesser one. Rules 1, 2, 3, 5, 6, 8, 9 of RFC 6724 §6; there are no home addresses
    /// (rule 4) and no tunnels (rule 7) here. Equal ones stay as the server gave them (rule 10).
    fn compare(&self, other: &Destination) -> Ordering {
        let (Some(here), Some(there)) = (&self.source, &other.source) else {
            return other.source.is_some().cmp(&self.source.is_some());
        };
        let (a, b) = (self.addr, other.addr);
        // What is true of one comes first.
        let truth = |a: bool, b: bool| b.cmp(&a);
        let same_scope = |addr, source: &Candidate| scope(addr) == scope(source.addr);
        let same_label = |addr, source: &Candidate| policy(addr).label == policy(source.addr).label;
        let shared =
            |addr, source: &Candidate| common_prefix_len(addr, source.addr).min(source.prefix_len);
        truth(same_scope(a, here), same_scope(b, there))
            .then(truth(!here.is_deprecated, !there.is_deprecated))
            .then(truth(same_label(a, here), same_label(b, there)))
            .then(policy(b).precedence.cmp(&policy(a).precedence))
            .then(scope(a).cmp(&scope(b)))
            .then_with(|| match a.is_ipv4() == b.is_ipv4() {
                true => shared(b, there).cmp(&shared(a, here)),
                false => Ordering::Equal,
            })
    }
}

impl<O: Observer> Stack<'_, O> {
    /// What an address would be spoken to from, if there is a way to it.
    pub(super) fn candidate_for(&self, addr: IpAddr) -> Option<Candidate> {
        let route = self.route(UNSPECIFIED.addr, addr).ok()?;
        let row = self.interfaces.get(route.interface)?;
        let mut own = row.addresses.candidates(row.next_hop(addr));
        let known = own.find(|candidate| candidate.addr == route.source);
        Some(known.unwrap_or(Candidate {
            addr: route.source,
            prefix_len: 128,
            is_deprecated: false,
            is_outgoing: true,
            is_of_next_hop: false,
        }))
    }
}

/// Puts those that serve best first. Rule 9 makes circles of three possible, which no sort of the library's promises to
/// bear; of so few this one is as quick.
pub(crate) fn sort(destinations: &mut [Destination]) {
    for end in 1..destinations.len() {
        let mut at = end;
        while let Some([before, this]) = destinations.get_mut(..=at).and_then(<[_]>::last_chunk_mut)
            && this.compare(before) == Ordering::Less
        {
            core::mem::swap(before, this);
            at -= 1;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::vec::Vec;

    /// `destination from source`, or a destination alone that there is no way to.
    fn destination(text: &str) -> Destination {
        let (text, is_deprecated) = match text.strip_suffix(" deprecated") {
            Some(text) => (text, true),
            None => (text, false),
        };
        let parse = |text: &str| -> IpAddr { text.parse().expect(text) };
        let (addr, source) = match text.split_once(" from ") {
            Some((addr, source)) => (addr, Some(parse(source))),
            None => (text, None),
        };
        let source = source.map(|addr| Candidate {
            addr,
            prefix_len: if addr.is_ipv4() { 24 } else { 64 },
            is_deprecated,
            is_outgoing: true,
            is_of_next_hop: false,
        });
        let addr = parse(addr);
        Destination { addr, source }
    }

    /// Sorts them, from whichever order they come in.
    fn order(expected: &[&str]) {
        let expected: Vec<_> = expected.iter().map(|text| destination(text)).collect();
        let addresses = |all: &[Destination]| all.iter().map(|it| it.addr).collect::<Vec<_>>();
        for turns in 0..expected.len() {
            for is_reversed in [false, true] {
                let mut sorted = expected.clone();
                sorted.rotate_left(turns);
                if is_reversed {
                    sorted.reverse();
                }
                sort(&mut sorted);
                assert_eq!(addresses(&sorted), addresses(&expected));
            }
        }
    }

    /// RFC 6724 §10.2.
    #[test]
    fn the_examples_of_the_rfc() {
        order(&[
            "2001:db8:1::1 from 2001:db8:1::2",
            "198.51.100.121 from 169.254.13.78",
        ]);
        order(&[
            "198.51.100.121 from 198.51.100.117",
            "2001:db8:1::1 from fe80::1",
        ]);
        order(&["2001:db8:1::1 from 2001:db8:1::2", "10.1.2.3 from 10.1.2.4"]);
        order(&["fe80::1 from fe80::2", "2001:db8:1::1 from 2001:db8:1::2"]);
        order(&[
            "2002:c633:6401::1 from 2002:c633:6401::2",
            "2001:db8:1::1 from 2002:c633:6401::2",
        ]);
        order(&[
            "2001:db8:1::1 from 2001:db8:1::2",
            "2002:c633:6401::1 from 2002:c633:6401::2",
        ]);
    }

    #[test]
    fn what_cannot_be_reached_comes_last() {
        order(&[
            "10.0.0.2 from 10.0.0.1",
            "fd00::2 from fd00::1",
            "2001:db8::1",
        ]);
        order(&["2001:db8::1 from 2001:db8::2", "198.51.100.1"]);
    }

    #[test]
    fn a_deprecated_source_is_avoided() {
        order(&[
            "10.0.0.2 from 10.0.0.1",
            "2001:db8::1 from 2001:db8::2 deprecated",
        ]);
    }

    #[test]
    fn the_longer_shared_prefix_is_nearer_up_to_the_sources_own_prefix() {
        order(&[
            "2001:db8:1::1 from 2001:db8:1::7",
            "2001:db8:8000::1 from 2001:db8:1::7",
        ]);
        // Bits of the interface's identifier say nothing of nearness.
        let (a, b) = (
            "2001:db8::6 from 2001:db8::7",
            "2001:db8::1:1 from 2001:db8::7",
        );
        for pair in [[a, b], [b, a]] {
            let mut sorted = pair.map(destination);
            sort(&mut sorted);
            assert_eq!(
                sorted.map(|it| it.addr),
                pair.map(|text| destination(text).addr)
            );
        }
    }

    #[test]
    fn equals_stay_as_the_server_gave_them() {
        let all: Vec<_> = [3, 1, 2]
            .map(|last| destination(&std::format!("10.9.9.{last} from 10.0.0.1")))
            .to_vec();
        let mut sorted = all.clone();
        sort(&mut sorted);
        assert!(sorted.iter().zip(&all).all(|(a, b)| a.addr == b.addr));
        let unreachable = ["10.0.0.9", "2001:db8::1", "10.0.0.1"].map(destination);
        let mut sorted = unreachable;
        sort(&mut sorted);
        assert_eq!(sorted.map(|it| it.addr), unreachable.map(|it| it.addr));
    }

    #[test]
    fn few_are_sorted_too() {
        sort(&mut []);
        order(&["10.0.0.1 from 10.0.0.2"]);
    }
}
