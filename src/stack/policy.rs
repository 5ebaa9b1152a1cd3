//! Which of several addresses serves best: the policy table, scopes, and the choice of a source (RFC 6724). The order
//! of destinations (RFC 6724 §6) is made of the same parts.

use core::cmp::Ordering;
use core::net::Ipv6Addr;

use super::ip::IpAddr;

/// A row's say about an address (RFC 6724 §2.1): destinations of higher precedence come first, and a source serves
/// best for a destination of its own label.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Policy {
    pub(crate) precedence: u8,
    pub(crate) label: u8,
}

/// RFC 6724 §2.1, the longest prefix first.
const TABLE: [(u128, u8, Policy); 9] = [
    (prefix([0, 0, 0, 0, 0, 0, 0, 1]), 128, policy_of(50, 0)),
    (prefix([0, 0, 0, 0, 0, 0xffff, 0, 0]), 96, MAPPED),
    (prefix([0, 0, 0, 0, 0, 0, 0, 0]), 96, policy_of(1, 3)),
    (prefix([0x2001, 0, 0, 0, 0, 0, 0, 0]), 32, policy_of(5, 5)),
    (prefix([0x2002, 0, 0, 0, 0, 0, 0, 0]), 16, policy_of(30, 2)),
    (prefix([0x3ffe, 0, 0, 0, 0, 0, 0, 0]), 16, policy_of(1, 12)),
    (prefix([0xfec0, 0, 0, 0, 0, 0, 0, 0]), 10, policy_of(1, 11)),
    (prefix([0xfc00, 0, 0, 0, 0, 0, 0, 0]), 7, policy_of(3, 13)),
    (prefix([0, 0, 0, 0, 0, 0, 0, 0]), 0, policy_of(40, 1)),
];

/// IPv4 addresses.
const MAPPED: Policy = policy_of(35, 4);

const fn prefix(segments: [u16; 8]) -> u128 {
    let [a, b, c, d, e, f, g, h] = segments;
    Ipv6Addr::new(a, b, c, d, e, f, g, h).to_bits()
}

const fn policy_of(precedence: u8, label: u8) -> Policy {
    Policy { precedence, label }
}

/// The address as IPv6 knows it: IPv4 ones are mapped (RFC 4291 §2.5.5.2).
fn bits_of(addr: IpAddr) -> u128 {
    match addr {
        IpAddr::V4(v4) => v4.to_ipv6_mapped().to_bits(),
        IpAddr::V6(v6) => v6.to_bits(),
    }
}

/// What the policy table says of an address.
pub(crate) fn policy(addr: IpAddr) -> Policy {
    let IpAddr::V6(addr) = addr else {
        return MAPPED;
    };
    let addr = addr.to_bits();
    let row = TABLE
        .iter()
        .find(|(prefix, len, _)| (addr ^ prefix).leading_zeros() >= u32::from(*len));
    row.map_or(policy_of(40, 1), |(_, _, policy)| *policy)
}

/// How far an address reaches, from the interface (1) to the whole world (14): the values of a multicast address's
/// scope (RFC 4291 §2.7), which unicast ones are given as well (RFC 6724 §3.1).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Scope(pub(crate) u8);

impl Scope {
    pub(crate) const LINK_LOCAL: Scope = Scope(0x2);
    pub(crate) const SITE_LOCAL: Scope = Scope(0x5);
    pub(crate) const GLOBAL: Scope = Scope(0xe);
}

/// The scope of an address. IPv4's private ones are global, its link-local and loopback ones are not (RFC 6724 §3.2).
pub(crate) fn scope(addr: IpAddr) -> Scope {
    match addr {
        IpAddr::V4(v4) if v4.is_link_local() || v4.is_loopback() => Scope::LINK_LOCAL,
        IpAddr::V4(_) => Scope::GLOBAL,
        IpAddr::V6(v6) => match v6.octets() {
            [0xff, flags_and_scope, ..] => Scope(flags_and_scope & 0xf),
            [0xfe, second, ..] if second & 0xc0 == 0x80 => Scope::LINK_LOCAL,
            [0xfe, second, ..] if second & 0xc0 == 0xc0 => Scope::SITE_LOCAL,
            _ if v6.is_loopback() => Scope::LINK_LOCAL,
            _ => match v6.to_ipv4_mapped() {
                Some(v4) => scope(v4.into()),
                None => Scope::GLOBAL,
            },
        },
    }
}

/// How many leading bits two addresses share: of 32 within IPv4, of 128 otherwise (RFC 6724 §2.2).
pub(crate) fn common_prefix_len(a: IpAddr, b: IpAddr) -> u8 {
    let leading = match (a, b) {
        (IpAddr::V4(a), IpAddr::V4(b)) => (a.to_bits() ^ b.to_bits()).leading_zeros(),
        _ => (bits_of(a) ^ bits_of(b)).leading_zeros(),
    };
    leading as u8
}

/// An address that a packet could be sent from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Candidate {
    pub(crate) addr: IpAddr,
    pub(crate) prefix_len: u8,
    /// Its preferred lifetime is over (RFC 4862 §5.5.4).
    pub(crate) is_deprecated: bool,
    /// It is of the interface that the packet leaves by.
    pub(crate) is_outgoing: bool,
    /// The router that the packet goes to advertised its prefix.
    pub(crate) is_of_next_hop: bool,
}

impl Candidate {
    /// Which of two serves better towards a destination: the greater one. Rules 1, 2, 3, 5, 5.5, 6 and 8 of RFC 6724 §5;
    /// there are no home addresses (rule 4) and no temporary ones (rule 7) here.
    fn compare(&self, other: &Candidate, destination: IpAddr) -> Ordering {
        let wanted = scope(destination);
        let same = |it: &Candidate| it.addr == destination;
        let suits = |it: &Candidate| policy(it.addr).label == policy(destination).label;
        let shared = |it: &Candidate| common_prefix_len(it.addr, destination).min(it.prefix_len);
        same(self)
            .cmp(&same(other))
            .then_with(|| compare_scopes(scope(self.addr), scope(other.addr), wanted))
            .then_with(|| other.is_deprecated.cmp(&self.is_deprecated))
            .then_with(|| self.is_outgoing.cmp(&other.is_outgoing))
            .then_with(|| self.is_of_next_hop.cmp(&other.is_of_next_hop))
            .then_with(|| suits(self).cmp(&suits(other)))
            .then_with(|| shared(self).cmp(&shared(other)))
    }
}

/// Rule 2: the smallest scope that reaches the destination; where none does, the largest.
fn compare_scopes(a: Scope, b: Scope, wanted: Scope) -> Ordering {
    match a.cmp(&b) {
        Ordering::Less if a < wanted => Ordering::Less,
        Ordering::Less => Ordering::Greater,
        Ordering::Greater if b < wanted => Ordering::Greater,
        Ordering::Greater => Ordering::Less,
        Ordering::Equal => Ordering::Equal,
    }
}

/// The address to speak to `destination` from, the first of those that serve equally well. Only those of the
/// destination's family are looked at.
pub(crate) fn select_source(
    destination: IpAddr,
    candidates: impl Iterator<Item = Candidate>,
) -> Option<IpAddr> {
    let best = candidates
        .filter(|candidate| candidate.addr.is_ipv4() == destination.is_ipv4())
        .reduce(|best, next| match next.compare(&best, destination) {
            Ordering::Greater => next,
            _ => best,
        });
    best.map(|candidate| candidate.addr)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ip(text: &str) -> IpAddr {
        match text.parse() {
            Ok(addr) => addr,
            Err(_) => unreachable!("{text} is no address"),
        }
    }

    fn candidate(text: &str) -> Candidate {
        Candidate {
            addr: ip(text),
            prefix_len: 64,
            is_deprecated: false,
            is_outgoing: true,
            is_of_next_hop: false,
        }
    }

    fn select(destination: &str, candidates: &[Candidate]) -> Option<IpAddr> {
        let chosen = select_source(ip(destination), candidates.iter().copied());
        // The order of two that differ must not matter.
        let other_way = select_source(ip(destination), candidates.iter().rev().copied());
        assert_eq!(chosen, other_way);
        chosen
    }

    fn select_of(destination: &str, candidates: &[&str]) -> Option<IpAddr> {
        let mut all = [candidate("::"); 4];
        for (place, text) in all.iter_mut().zip(candidates) {
            *place = candidate(text);
        }
        select(destination, &all[..candidates.len()])
    }

    #[test]
    fn the_table_is_that_of_the_rfc() {
        for (addr, precedence, label) in [
            ("::1", 50, 0),
            ("2001:db8::1", 40, 1),
            ("fe80::1", 40, 1),
            ("10.0.0.1", 35, 4),
            ("::ffff:10.0.0.1", 35, 4),
            ("2002:c633:6401::1", 30, 2),
            ("2001::1", 5, 5),
            ("fd00::1", 3, 13),
            ("fc00::1", 3, 13),
            ("::10.0.0.1", 1, 3),
            ("fec0::1", 1, 11),
            ("3ffe::1", 1, 12),
        ] {
            assert_eq!(policy(ip(addr)), policy_of(precedence, label), "{addr}");
        }
    }

    #[test]
    fn scopes_are_those_of_the_rfc() {
        for (addr, expected) in [
            ("fe80::1", 0x2),
            ("febf::1", 0x2),
            ("fec0::1", 0x5),
            ("::1", 0x2),
            ("2001:db8::1", 0xe),
            ("fd00::1", 0xe),
            ("ff01::1", 0x1),
            ("ff02::1", 0x2),
            ("ff05::2", 0x5),
            ("ff0e::1", 0xe),
            ("169.254.1.1", 0x2),
            ("127.0.0.1", 0x2),
            ("::ffff:169.254.1.1", 0x2),
            ("10.0.0.1", 0xe),
        ] {
            assert_eq!(scope(ip(addr)), Scope(expected), "{addr}");
        }
    }

    #[test]
    fn shared_bits_are_counted_within_a_family() {
        assert_eq!(common_prefix_len(ip("10.0.0.1"), ip("10.0.0.2")), 30);
        assert_eq!(common_prefix_len(ip("10.0.0.1"), ip("10.0.0.1")), 32);
        assert_eq!(common_prefix_len(ip("fd00::1"), ip("fd00::1")), 128);
        assert_eq!(common_prefix_len(ip("fd00::"), ip("7d00::")), 0);
    }

    /// RFC 6724 §10.1, but for its home and temporary addresses.
    #[test]
    fn the_examples_of_the_rfc() {
        for (destination, candidates, expected) in [
            (
                "2001:db8:1::1",
                &["2001:db8:3::1", "fe80::1"][..],
                "2001:db8:3::1",
            ),
            ("ff05::1", &["2001:db8:3::1", "fe80::1"], "2001:db8:3::1"),
            (
                "2001:db8:1::1",
                &["2001:db8:1::1", "2001:db8:2::1"],
                "2001:db8:1::1",
            ),
            ("fe80::1", &["fe80::2", "2001:db8:1::1"], "fe80::2"),
            (
                "2001:db8:1::1",
                &["2001:db8:1::2", "2001:db8:3::2"],
                "2001:db8:1::2",
            ),
            (
                "2002:c633:6401::1",
                &["2002:c633:6401::d5e3:7953:13eb:22e8", "2001:db8:1::2"],
                "2002:c633:6401::d5e3:7953:13eb:22e8",
            ),
        ] {
            assert_eq!(select_of(destination, candidates), Some(ip(expected)));
        }
    }

    #[test]
    fn a_deprecated_address_is_the_last_resort_within_its_scope() {
        let old = Candidate {
            is_deprecated: true,
            ..candidate("2001:db8:1::2")
        };
        let new = candidate("2001:db8:ffff::2");
        assert_eq!(select("2001:db8:1::9", &[old, new]), Some(new.addr));
        assert_eq!(select("2001:db8:1::9", &[old]), Some(old.addr));
        // Rule 2 comes before rule 3: a link-local address does not reach a global one.
        let link_local = candidate("fe80::1");
        assert_eq!(select("2001:db8:1::9", &[old, link_local]), Some(old.addr));
    }

    #[test]
    fn the_outgoing_interface_comes_before_the_label() {
        let elsewhere = Candidate {
            is_outgoing: false,
            ..candidate("fd00::1")
        };
        let here = candidate("2001:db8::1");
        assert_eq!(select("fd00::9", &[elsewhere, here]), Some(here.addr));
        assert_eq!(
            select_of("fd00::9", &["fd00:1::1", "2001:db8::1"]),
            Some(ip("fd00:1::1"))
        );
    }

    #[test]
    fn an_address_of_the_next_hops_prefix_is_better() {
        let advertised = Candidate {
            is_of_next_hop: true,
            ..candidate("2001:db8:ffff::1")
        };
        let nearer = candidate("2001:db8:1::1");
        assert_eq!(
            select("2001:db8:1:2::9", &[nearer, advertised]),
            Some(advertised.addr)
        );
    }

    #[test]
    fn bits_behind_the_prefix_do_not_count() {
        // Both share 64 bits that count; the first of them stays.
        let first = candidate("2001:db8::1");
        let nearer = candidate("2001:db8::8");
        let chosen = select_source(ip("2001:db8::9"), [first, nearer].into_iter());
        assert_eq!(chosen, Some(first.addr));
    }

    #[test]
    fn the_family_is_the_destinations() {
        let v4 = Candidate {
            prefix_len: 24,
            ..candidate("10.0.0.1")
        };
        assert_eq!(select("fd00::1", &[v4]), None);
        assert_eq!(
            select("10.0.0.9", &[v4, candidate("fd00::1")]),
            Some(v4.addr)
        );
    }
}
