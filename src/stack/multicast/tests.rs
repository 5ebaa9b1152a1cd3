#![allow(clippy::unwrap_used, clippy::panic)]

use super::*;
use std::vec::Vec;

/// Draws the middle of every interval.
fn middle() -> u64 {
    1 << 63
}

const START: Instant = Instant::from_micros_const(1_000_000_000);

fn after(millis: u64) -> Instant {
    START + Duration::from_millis(millis)
}

/// An interface whose every random delay is half of what it may be, and what it says when.
struct Interface {
    groups: Memberships,
    now: Instant,
}

impl Interface {
    fn new() -> Interface {
        Interface {
            groups: Memberships::new(),
            now: START,
        }
    }

    fn join(&mut self, group: &str) {
        self.groups.join(group.parse().unwrap(), self.now).unwrap();
    }

    fn leave(&mut self, group: &str) {
        self.groups.leave(group.parse().unwrap(), self.now).unwrap();
    }

    fn hear(&mut self, source: &str, message: &[u8]) {
        let heard = Heard {
            source: source.parse().unwrap(),
            #[cfg(feature = "ipv6")]
            hop_limit: 1,
            #[cfg(feature = "ipv6")]
            router_alert: true,
            message,
        };
        self.groups.hear(&heard, self.now, &mut middle);
    }

    /// What is due now.
    fn said(&mut self) -> Vec<(IpAddr, Vec<u8>)> {
        let mut said = Vec::new();
        let mut buffer = [0xa5; 1232];
        while let Some(sent) = self.groups.emit(&mut buffer, self.now, &mut middle) {
            said.push((sent.to, buffer[..sent.len].to_vec()));
        }
        assert!(self.groups.poll_at().is_none_or(|at| at > self.now));
        said
    }

    /// Nothing is said before this moment; this at this moment.
    fn says_at(&mut self, at: Instant, expected: &[(&str, Vec<u8>)]) {
        assert_eq!(self.groups.poll_at(), Some(at));
        if self.now < at {
            assert_eq!(self.said(), []);
        }
        self.now = at;
        let expected: Vec<_> = expected
            .iter()
            .map(|(to, message)| (to.parse().unwrap(), message.clone()))
            .collect();
        assert_eq!(self.said(), expected);
    }

    /// And then nothing, until something happens.
    fn is_silent(&mut self) {
        assert_eq!(self.groups.poll_at(), None);
        assert_eq!(self.said(), []);
    }
}

#[test]
fn what_is_no_group_cannot_be_joined_nor_left() {
    let mut groups = Memberships::new();
    for address in ["10.0.0.1", "255.255.255.255", "fe80::1"] {
        let address: IpAddr = address.parse().unwrap();
        assert_eq!(groups.join(address, START), Err(Error::InvalidArgument));
        assert_eq!(groups.leave(address, START), Err(Error::AddrNotAvailable));
        assert!(!groups.is_member(address));
    }
    assert_eq!(groups.poll_at(), None);
}

#[cfg(feature = "ipv4")]
mod v4 {
    use super::*;
    use crate::Limit;
    use smoltcp::wire::{IgmpPacket, checksum};
    use std::vec;

    const MDNS: &str = "224.0.0.251";
    const OTHER: &str = "239.1.2.3";
    const ROUTER: &str = "10.0.0.254";

    fn message(kind: u8, code: u8, group: &str, more: &[u8]) -> Vec<u8> {
        let group: core::net::Ipv4Addr = group.parse().unwrap();
        let mut octets = vec![kind, code, 0, 0];
        octets.extend(group.octets());
        octets.extend(more);
        let sum = !checksum::data(&octets);
        octets[2..4].copy_from_slice(&sum.to_be_bytes());
        octets
    }

    fn report(group: &str) -> (&str, Vec<u8>) {
        (group, message(0x16, 0, group, &[]))
    }

    fn report_v1(group: &str) -> (&str, Vec<u8>) {
        (group, message(0x12, 0, group, &[]))
    }

    fn leave(group: &str) -> (&'static str, Vec<u8>) {
        ("224.0.0.2", message(0x17, 0, group, &[]))
    }

    /// A query: of all groups, where it is 0.0.0.0; tenths of a second.
    fn query(tenths: u8, group: &str) -> Vec<u8> {
        message(0x11, tenths, group, &[])
    }

    /// A member that has said all that joining makes it say.
    fn idle(groups: &[&str]) -> Interface {
        let mut told = Interface::new();
        for group in groups {
            told.join(group);
        }
        assert_eq!(told.said().len(), groups.len());
        told.now = after(5_000);
        assert_eq!(told.said().len(), groups.len());
        told.is_silent();
        told.now = after(60_000);
        told
    }

    #[test]
    fn a_report_is_these_octets() {
        let mut told = Interface::new();
        told.join(MDNS);
        // RFC 2236 §2, with the checksum counted by hand: 1600 + e000 + 00fb = f6fb.
        let octets = vec![0x16, 0, 0x09, 0x04, 224, 0, 0, 251];
        told.says_at(START, &[(MDNS, octets.clone())]);
        let packet = IgmpPacket::new_checked(&octets[..]).unwrap();
        assert!(packet.verify_checksum());
    }

    #[test]
    fn joining_is_reported_at_once_and_again_within_ten_seconds() {
        let mut told = Interface::new();
        told.join(MDNS);
        told.says_at(START, &[report(MDNS)]);
        told.says_at(after(5_000), &[report(MDNS)]);
        told.is_silent();
    }

    #[test]
    fn the_first_of_many_joins_and_the_last_leaves() {
        let mut told = idle(&[MDNS]);
        told.join(MDNS);
        told.leave(MDNS);
        told.is_silent();
        assert!(told.groups.is_member(MDNS.parse().unwrap()));
        told.leave(MDNS);
        assert!(!told.groups.is_member(MDNS.parse().unwrap()));
        told.says_at(after(60_000), &[leave(MDNS)]);
        told.is_silent();
        let group = MDNS.parse().unwrap();
        let again = told.groups.leave(group, told.now);
        assert_eq!(again, Err(Error::AddrNotAvailable));
    }

    #[test]
    fn who_left_before_a_word_was_said_says_none() {
        let mut told = Interface::new();
        told.join(MDNS);
        told.leave(MDNS);
        told.is_silent();
    }

    #[test]
    fn a_general_query_is_answered_for_each_group_within_its_time() {
        let mut told = idle(&[MDNS, OTHER]);
        told.hear(ROUTER, &query(100, "0.0.0.0"));
        told.says_at(after(65_000), &[report(MDNS), report(OTHER)]);
        told.is_silent();
    }

    #[test]
    fn a_query_about_a_group_is_answered_for_that_one() {
        let mut told = idle(&[MDNS, OTHER]);
        told.hear(ROUTER, &query(10, OTHER));
        told.says_at(after(60_500), &[report(OTHER)]);
        told.hear(ROUTER, &query(10, "239.9.9.9"));
        told.is_silent();
    }

    #[test]
    fn a_query_shortens_the_wait_and_never_prolongs_it() {
        let mut told = idle(&[MDNS]);
        told.hear(ROUTER, &query(100, "0.0.0.0"));
        told.hear(ROUTER, &query(10, MDNS));
        assert_eq!(told.groups.poll_at(), Some(after(60_500)));
        told.hear(ROUTER, &query(100, "0.0.0.0"));
        told.says_at(after(60_500), &[report(MDNS)]);
        told.is_silent();
    }

    #[test]
    fn another_members_report_makes_ours_needless_and_our_leave_too() {
        let mut told = idle(&[MDNS, OTHER]);
        told.hear(ROUTER, &query(100, "0.0.0.0"));
        told.hear("10.0.0.2", &report(MDNS).1);
        told.says_at(after(65_000), &[report(OTHER)]);
        told.leave(MDNS);
        told.is_silent();
        told.leave(OTHER);
        told.says_at(after(65_000), &[leave(OTHER)]);
    }

    #[test]
    fn nobody_elses_report_holds_the_first_back() {
        let mut told = Interface::new();
        told.join(MDNS);
        told.hear("10.0.0.2", &report(MDNS).1);
        told.says_at(START, &[report(MDNS)]);
        // The second, however.
        told.hear("10.0.0.2", &report(MDNS).1);
        told.is_silent();
    }

    #[test]
    fn an_old_router_hears_reports_of_its_age_and_no_leave_for_400_s() {
        let mut told = idle(&[MDNS, OTHER]);
        told.hear(ROUTER, &query(0, "0.0.0.0"));
        told.says_at(after(65_000), &[report_v1(MDNS), report_v1(OTHER)]);
        told.now = after(60_000 + 399_999);
        told.leave(OTHER);
        told.is_silent();
        told.hear(ROUTER, &query(1, "0.0.0.0"));
        told.says_at(after(60_000 + 400_049), &[report(MDNS)]);
        told.leave(MDNS);
        told.says_at(after(60_000 + 400_049), &[leave(MDNS)]);
    }

    #[test]
    fn a_query_of_igmpv3_is_answered_as_version_2_does() {
        let mut told = idle(&[MDNS]);
        // A code of zero is "at once" there, and no sign of IGMPv1.
        told.hear(ROUTER, &message(0x11, 0, "0.0.0.0", &[2, 125, 0, 0]));
        told.says_at(after(60_000), &[report(MDNS)]);
        let sources = [2, 125, 0, 1, 10, 0, 0, 9];
        told.hear(ROUTER, &message(0x11, 10, MDNS, &sources));
        told.says_at(after(60_500), &[report(MDNS)]);
    }

    #[test]
    fn damaged_and_short_messages_change_nothing() {
        let mut told = idle(&[MDNS]);
        let right = query(100, "0.0.0.0");
        for at in 0..right.len() {
            let mut wrong = right.clone();
            wrong[at] ^= 0x10;
            told.hear(ROUTER, &wrong);
            told.hear(ROUTER, &right[..at]);
        }
        told.is_silent();
    }

    #[test]
    fn all_hosts_are_a_group_of_which_nobody_speaks() {
        let mut told = Interface::new();
        let all = "224.0.0.1";
        assert!(told.groups.is_member(all.parse().unwrap()));
        told.join(all);
        told.hear(ROUTER, &query(100, "0.0.0.0"));
        told.is_silent();
        told.leave(all);
        told.is_silent();
        assert!(told.groups.is_member(all.parse().unwrap()));
    }

    #[test]
    fn the_table_is_bounded_and_who_left_makes_room() {
        let mut told = Interface::new();
        let group = |index: usize| IpAddr::from([239, 0, 1, index as u8]);
        for index in 0..GROUPS {
            told.groups.join(group(index), START).unwrap();
        }
        let full = Err(Error::Exhausted(Limit::Groups));
        assert_eq!(told.groups.join(group(GROUPS), START), full);
        assert_eq!(told.said().len(), GROUPS);
        // Its leave message is pending, and gives way.
        told.groups.leave(group(0), START).unwrap();
        told.groups.join(group(GROUPS), START).unwrap();
        assert_eq!(told.said().len(), 1);
        let groups: Vec<_> = told.groups.groups().collect();
        assert_eq!(groups.len(), GROUPS);
        assert!(groups.contains(&(group(GROUPS), 1)));
    }

    #[test]
    fn who_joins_again_is_reported_again() {
        let mut told = idle(&[MDNS]);
        told.leave(MDNS);
        told.join(MDNS);
        told.says_at(after(60_000), &[report(MDNS)]);
        told.says_at(after(65_000), &[report(MDNS)]);
        told.is_silent();
    }

    #[test]
    fn a_new_link_hears_of_every_group() {
        let mut told = idle(&[MDNS]);
        told.join("224.0.0.1");
        told.groups.announce(true, told.now);
        told.says_at(after(60_000), &[report(MDNS)]);
        told.says_at(after(65_000), &[report(MDNS)]);
        told.is_silent();
    }
}

#[cfg(feature = "ipv6")]
mod v6 {
    use super::*;
    use crate::Limit;
    use core::net::Ipv6Addr;
    use std::vec;

    const MDNS: &str = "ff02::fb";
    const NODE: &str = "ff02::1:ff00:1";
    const ROUTER: &str = "fe80::fe";
    const ROUTERS: &str = "ff02::16";

    fn octets(address: &str) -> [u8; 16] {
        address.parse::<Ipv6Addr>().unwrap().octets()
    }

    fn record(kind: u8, group: &str, sources: &[&str]) -> Vec<u8> {
        let mut record = vec![kind, 0, 0, sources.len() as u8];
        record.extend(octets(group));
        record.extend(sources.iter().flat_map(|source| octets(source)));
        record
    }

    fn report(records: &[Vec<u8>]) -> (&'static str, Vec<u8>) {
        let mut message = vec![143, 0, 0, 0, 0, 0, 0, records.len() as u8];
        message.extend(records.concat());
        (ROUTERS, message)
    }

    fn is_exclude(group: &str) -> Vec<u8> {
        record(2, group, &[])
    }

    fn to_include(group: &str) -> Vec<u8> {
        record(3, group, &[])
    }

    fn to_exclude(group: &str) -> Vec<u8> {
        record(4, group, &[])
    }

    fn query(code: u16, group: &str, sources: &[&str]) -> Vec<u8> {
        let mut message = query_v1(code, group);
        message.extend([2, 125, 0, sources.len() as u8]);
        message.extend(sources.iter().flat_map(|source| octets(source)));
        message
    }

    fn query_v1(code: u16, group: &str) -> Vec<u8> {
        message_v1(130, code, group)
    }

    fn message_v1(kind: u8, code: u16, group: &str) -> Vec<u8> {
        let [high, low] = code.to_be_bytes();
        let mut message = vec![kind, 0, 0, 0, high, low, 0, 0];
        message.extend(octets(group));
        message
    }

    fn report_v1(group: &str) -> (&str, Vec<u8>) {
        (group, message_v1(131, 0, group))
    }

    fn idle(groups: &[&str]) -> Interface {
        let mut told = Interface::new();
        for group in groups {
            told.join(group);
        }
        assert_eq!(told.said().len(), 1);
        told.now = after(500);
        assert_eq!(told.said().len(), 1);
        told.is_silent();
        told.now = after(60_000);
        told
    }

    #[test]
    fn a_report_is_these_octets() {
        let mut told = Interface::new();
        told.join(MDNS);
        // RFC 3810 §5.2: type 143, one record, CHANGE_TO_EXCLUDE_MODE, no sources.
        let mut octets = vec![143, 0, 0, 0, 0, 0, 0, 1, 4, 0, 0, 0];
        octets.extend([0xff, 2, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xfb]);
        told.says_at(START, &[("ff02::16", octets)]);
    }

    #[test]
    fn joining_is_told_at_once_and_again_within_a_second() {
        let mut told = Interface::new();
        told.join(MDNS);
        told.join(NODE);
        let both = report(&[to_exclude(MDNS), to_exclude(NODE)]);
        told.says_at(START, std::slice::from_ref(&both));
        told.says_at(after(500), &[both]);
        told.is_silent();
    }

    #[test]
    fn leaving_is_told_twice_and_by_the_last_alone() {
        let mut told = idle(&[MDNS]);
        told.join(MDNS);
        told.leave(MDNS);
        told.is_silent();
        told.leave(MDNS);
        assert!(!told.groups.is_member(MDNS.parse().unwrap()));
        told.says_at(after(60_000), &[report(&[to_include(MDNS)])]);
        told.says_at(after(60_500), &[report(&[to_include(MDNS)])]);
        told.is_silent();
        let again = told.groups.leave(MDNS.parse().unwrap(), told.now);
        assert_eq!(again, Err(Error::AddrNotAvailable));
    }

    #[test]
    fn the_last_change_is_the_one_that_is_repeated() {
        let mut told = idle(&[MDNS]);
        told.leave(MDNS);
        told.says_at(after(60_000), &[report(&[to_include(MDNS)])]);
        told.join(MDNS);
        told.says_at(after(60_000), &[report(&[to_exclude(MDNS)])]);
        told.says_at(after(60_500), &[report(&[to_exclude(MDNS)])]);
        told.is_silent();
    }

    #[test]
    fn a_general_query_is_answered_for_all_groups_in_one_report() {
        let mut told = idle(&[MDNS, NODE]);
        told.hear(ROUTER, &query(10_000, "::", &[]));
        // One that allows more time adds nothing; one that allows less hastens it (RFC 3810 §6.2, rules 1 and 2).
        told.hear(ROUTER, &query(20_000, "::", &[]));
        assert_eq!(told.groups.poll_at(), Some(after(65_000)));
        told.hear(ROUTER, &query(1_000, "::", &[]));
        let all = report(&[is_exclude(MDNS), is_exclude(NODE)]);
        told.says_at(after(60_500), &[all]);
        told.is_silent();
    }

    #[test]
    fn a_report_that_does_not_fit_is_continued_in_another() {
        let mut told = idle(&[MDNS, NODE, "ff02::c"]);
        told.hear(ROUTER, &query(0, "::", &[]));
        let mut said = Vec::new();
        let mut buffer = [0; 50];
        while let Some(sent) = told.groups.emit(&mut buffer, told.now, &mut middle) {
            said.push(buffer[..sent.len].to_vec());
        }
        let two = report(&[is_exclude(MDNS), is_exclude(NODE)]).1;
        assert_eq!(said, [two, report(&[is_exclude("ff02::c")]).1]);
        told.is_silent();
    }

    #[test]
    fn a_query_about_a_group_is_answered_for_that_one() {
        let mut told = idle(&[MDNS, NODE]);
        told.hear(ROUTER, &query(1_000, NODE, &[]));
        told.says_at(after(60_500), &[report(&[is_exclude(NODE)])]);
        told.hear(ROUTER, &query(1_000, "ff02::9999", &[]));
        told.is_silent();
    }

    #[test]
    fn a_query_about_sources_is_answered_with_these() {
        let mut told = idle(&[MDNS, NODE]);
        told.hear(ROUTER, &query(1_000, MDNS, &["fd00::1", "fd00::2"]));
        told.hear(ROUTER, &query(1_000, MDNS, &["fd00::2"]));
        let these = record(1, MDNS, &["fd00::1", "fd00::2"]);
        told.says_at(after(60_500), &[report(&[these])]);
        // Another about the whole group asks for more (rule 4), and it stays at that.
        told.hear(ROUTER, &query(1_000, MDNS, &["fd00::1"]));
        told.hear(ROUTER, &query(1_000, MDNS, &[]));
        told.hear(ROUTER, &query(1_000, MDNS, &["fd00::1"]));
        told.says_at(after(61_000), &[report(&[is_exclude(MDNS)])]);
        told.is_silent();
    }

    #[test]
    fn a_query_about_too_many_sources_is_answered_for_the_group() {
        let mut told = idle(&[MDNS]);
        let sources: Vec<_> = (0..=SOURCES)
            .map(|number| std::format!("fd00::{number:x}"))
            .collect();
        let sources: Vec<_> = sources.iter().map(|source| &source[..]).collect();
        told.hear(ROUTER, &query(1_000, MDNS, &sources));
        told.says_at(after(60_500), &[report(&[is_exclude(MDNS)])]);
    }

    #[test]
    fn a_long_response_time_is_a_floating_point_number() {
        let mut told = idle(&[MDNS]);
        // RFC 3810 §5.1.3: (0x1000 | 0xabc) << (0b101 + 3) milliseconds.
        told.hear(ROUTER, &query(0xdabc, MDNS, &[]));
        let half = 0x1abc * 256 / 2;
        told.says_at(after(60_000 + half), &[report(&[is_exclude(MDNS)])]);
    }

    #[test]
    fn only_a_router_of_this_link_may_ask() {
        let mut told = idle(&[MDNS]);
        let message = query(1_000, "::", &[]);
        for (source, hop_limit, router_alert) in [
            ("fd00::1", 1, true),
            ("::", 1, true),
            (ROUTER, 2, true),
            (ROUTER, 255, true),
            (ROUTER, 1, false),
        ] {
            let heard = Heard {
                source: source.parse().unwrap(),
                hop_limit,
                router_alert,
                message: &message,
            };
            told.groups.hear(&heard, told.now, &mut middle);
            told.is_silent();
        }
        // A length between the versions, and sources that are not there.
        told.hear(ROUTER, &message[..27]);
        told.hear(ROUTER, &message[..23]);
        let promised = query(1_000, MDNS, &["fd00::1"]);
        told.hear(ROUTER, &promised[..promised.len() - 1]);
        told.is_silent();
    }

    #[test]
    fn an_old_router_hears_reports_of_its_age_for_260_s() {
        let mut told = idle(&[MDNS, NODE]);
        told.hear(ROUTER, &query_v1(10_000, "::"));
        told.hear("fe80::2", &report_v1(NODE).1);
        told.says_at(after(65_000), &[report_v1(MDNS)]);
        // A query of version 2 meanwhile is answered as by version 1 (RFC 3810 §8.2.1).
        told.hear(ROUTER, &query(1_000, NODE, &[]));
        told.says_at(after(65_500), &[report_v1(NODE)]);
        told.join("ff02::c");
        told.says_at(after(65_500), &[report_v1("ff02::c")]);
        told.says_at(after(70_500), &[report_v1("ff02::c")]);
        told.leave("ff02::c");
        let done = ("ff02::2", message_v1(132, 0, "ff02::c"));
        told.says_at(after(70_500), &[done]);
        told.is_silent();
        told.now = after(60_000 + 260_000);
        told.join("ff02::d");
        told.says_at(after(320_000), &[report(&[to_exclude("ff02::d")])]);
    }

    #[test]
    fn a_change_of_version_ends_what_was_pending() {
        let mut told = idle(&[MDNS, NODE]);
        told.hear(ROUTER, &query(10_000, "::", &[]));
        told.leave(NODE);
        told.hear(ROUTER, &query_v1(10_000, MDNS));
        told.says_at(after(65_000), &[report_v1(MDNS)]);
        told.is_silent();
        // It is remembered when all is said anew.
        told.groups.announce(false, told.now);
        told.says_at(after(65_000), &[report_v1(MDNS)]);
        told.says_at(after(70_000), &[report_v1(MDNS)]);
        told.is_silent();
    }

    #[test]
    fn groups_that_stay_within_are_not_spoken_of() {
        let mut told = Interface::new();
        for group in ["ff02::1", "ff01::1", "ff01::fb", "ff00::1"] {
            told.join(group);
            assert!(told.groups.is_member(group.parse().unwrap()));
        }
        told.hear(ROUTER, &query(1_000, "ff02::1", &[]));
        told.hear(ROUTER, &query(1_000, "::", &[]));
        told.now = after(500);
        assert_eq!(told.said(), []);
        told.groups.announce(false, told.now);
        told.leave("ff01::fb");
        told.is_silent();
        assert!(!told.groups.is_member("ff01::fb".parse().unwrap()));
        told.leave("ff02::1");
        assert!(told.groups.is_member("ff02::1".parse().unwrap()));
    }

    #[test]
    fn the_table_is_bounded_and_who_left_makes_room() {
        let mut told = Interface::new();
        let group = |index: usize| {
            let address: IpAddr = [0xff02, 0, 0, 0, 0, 0, 1, index as u16].into();
            address
        };
        for index in 0..GROUPS {
            told.groups.join(group(index), START).unwrap();
        }
        let full = Err(Error::Exhausted(Limit::Groups));
        assert_eq!(told.groups.join(group(GROUPS), START), full);
        told.groups.leave(group(0), START).unwrap();
        told.groups.join(group(GROUPS), START).unwrap();
        assert_eq!(told.groups.groups().count(), GROUPS);
        assert!(!told.groups.is_member(group(0)));
        assert!(told.groups.is_member(group(GROUPS)));
    }

    #[test]
    fn a_link_local_address_makes_every_group_known_anew() {
        let mut told = idle(&[MDNS]);
        told.groups.announce(false, told.now);
        told.says_at(after(60_000), &[report(&[to_exclude(MDNS)])]);
        told.says_at(after(60_500), &[report(&[to_exclude(MDNS)])]);
        told.is_silent();
    }
}

mod any {
    use super::*;
    use proptest::prelude::*;
    use std::collections::BTreeMap;

    /// What may happen to an interface.
    #[derive(Debug, Clone)]
    enum Step {
        Join(IpAddr),
        Leave(IpAddr),
        Hear(IpAddr, u8, bool, Vec<u8>),
        Announce(bool),
        Wait(u32),
        Emit(usize),
    }

    /// Few groups, so that the steps meet.
    fn group() -> impl Strategy<Value = IpAddr> {
        (any::<bool>(), 0..10u8).prop_map(|(is_v4, last)| match is_v4 {
            true => [224, 0, 0, last].into(),
            false => [0xff02, 0, 0, 0, 0, 0, 0, u16::from(last)].into(),
        })
    }

    /// Octets, of which many are nearly a message.
    fn message() -> impl Strategy<Value = Vec<u8>> {
        let kinds = [0x11, 0x12, 0x16, 0x17, 130, 131, 132, 143];
        let kind = prop_oneof![any::<u8>(), proptest::sample::select(kinds.to_vec())];
        let octets = proptest::collection::vec(any::<u8>(), 0..80);
        (kind, group(), any::<[bool; 3]>(), octets).prop_map(
            |(kind, group, [has_group, is_general, is_right], octets)| {
                let mut message = std::vec![kind];
                message.extend(octets);
                let at = if group.is_ipv4() { 4 } else { 8 };
                let address = match group {
                    IpAddr::V4(group) => group.octets().to_vec(),
                    IpAddr::V6(group) => group.octets().to_vec(),
                };
                if has_group && let Some(place) = message.get_mut(at..at + address.len()) {
                    place.copy_from_slice(&address);
                    if is_general {
                        place.fill(0);
                    }
                }
                if is_right && message.len() >= 4 {
                    message[2..4].fill(0);
                    let sum = !smoltcp::wire::checksum::data(&message);
                    message[2..4].copy_from_slice(&sum.to_be_bytes());
                }
                message
            },
        )
    }

    fn source() -> impl Strategy<Value = IpAddr> {
        prop_oneof![
            Just(IpAddr::from([10, 0, 0, 1])),
            Just(IpAddr::from([0xfe80, 0, 0, 0, 0, 0, 0, 1])),
            Just(IpAddr::from([0xfd00, 0, 0, 0, 0, 0, 0, 1])),
        ]
    }

    fn step() -> impl Strategy<Value = Step> {
        let hear = (source(), 0..3u8, any::<bool>(), message());
        prop_oneof![
            3 => group().prop_map(Step::Join),
            3 => group().prop_map(Step::Leave),
            4 => hear.prop_map(|(source, hops, alert, message)| Step::Hear(source, hops, alert, message)),
            1 => any::<bool>().prop_map(Step::Announce),
            2 => any::<u32>().prop_map(Step::Wait),
            3 => (0..400usize).prop_map(Step::Emit),
        ]
    }

    /// Whether this build speaks the family.
    fn is_built(address: IpAddr) -> bool {
        address.is_ipv4() && cfg!(feature = "ipv4") || address.is_ipv6() && cfg!(feature = "ipv6")
    }

    proptest! {
        /// Whatever happens: the memberships are what was joined and not left, what is said has a form, and an interface
        /// that has said what was due is silent until a time that it tells.
        #[test]
        fn any_life_of_an_interface(
            steps in proptest::collection::vec(step(), 0..200),
            mut luck in any::<u64>(),
        ) {
            let mut random = move || {
                luck = luck.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
                luck
            };
            let mut groups = Memberships::new();
            let mut joined = BTreeMap::<IpAddr, u16>::new();
            let mut now = START;
            for step in steps {
                match step {
                    Step::Join(group) => match groups.join(group, now) {
                        Ok(()) => *joined.entry(group).or_default() += 1,
                        Err(Error::InvalidArgument) => prop_assert!(!group.is_multicast()),
                        Err(Error::AddressFamilyNotSupported) => prop_assert!(!is_built(group)),
                        Err(_) => prop_assert!(groups.groups().count() >= GROUPS),
                    },
                    Step::Leave(group) => {
                        let left = groups.leave(group, now);
                        prop_assert_eq!(left.is_ok(), joined.contains_key(&group));
                        if let Some(count) = joined.get_mut(&group) {
                            *count -= 1;
                            if *count == 0 {
                                joined.remove(&group);
                            }
                        }
                    }
                    Step::Hear(source, hop_limit, router_alert, message) => {
                        #[cfg(not(feature = "ipv6"))]
                        let _ = (hop_limit, router_alert);
                        let heard = Heard {
                            source,
                            #[cfg(feature = "ipv6")]
                            hop_limit,
                            #[cfg(feature = "ipv6")]
                            router_alert,
                            message: &message,
                        };
                        groups.hear(&heard, now, &mut random);
                    }
                    Step::Announce(is_v4) => groups.announce(is_v4, now),
                    Step::Wait(millis) => now += Duration::from_millis(u64::from(millis % 20_000)),
                    Step::Emit(more) => {
                        let mut buffer = std::vec![0; MESSAGE_LEN + more];
                        let mut count = 0;
                        while let Some(sent) = groups.emit(&mut buffer, now, &mut random) {
                            prop_assert!(sent.to.is_multicast() && sent.len >= 8);
                            count += 1;
                            prop_assert!(count <= 2 * GROUPS, "it never ends");
                        }
                        prop_assert!(groups.poll_at().is_none_or(|at| at > now));
                    }
                }
                let members: BTreeMap<_, _> = groups.groups().collect();
                prop_assert_eq!(&members, &joined);
            }
        }
    }
}
