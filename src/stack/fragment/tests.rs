#![allow(clippy::unwrap_used, clippy::panic)]

use super::*;
use crate::stack::frame::is_fragment;
use proptest::prelude::*;
use smoltcp::wire::IpProtocol;
#[cfg(feature = "ipv4")]
use smoltcp::wire::Ipv4Packet;
#[cfg(feature = "ipv6")]
use smoltcp::wire::Ipv6Packet;
use std::{vec, vec::Vec};

const LINK: [u8; 14] = [2, 0, 0, 0, 0, 1, 2, 0, 0, 0, 0, 2, 8, 0];
const START: Instant = Instant::from_micros_const(100_000_000);

fn reassemblies(slots: usize, payload: usize) -> Reassemblies<'static> {
    let slot = |_| Reassembly::new(vec![0xa5; storage_for(payload)]);
    Reassemblies::new((0..slots).map(slot).collect::<Vec<_>>())
}

/// Bytes that differ from place to place; the first of them do for a UDP or TCP header.
fn payload(length: usize) -> Vec<u8> {
    (0..length).map(|i| (i * 7 + i / 256) as u8).collect()
}

#[derive(Debug, Clone, Copy, PartialEq)]
enum Family {
    #[cfg(feature = "ipv4")]
    Four,
    #[cfg(feature = "ipv6")]
    Six,
}

const FAMILIES: &[Family] = &[
    #[cfg(feature = "ipv4")]
    Family::Four,
    #[cfg(feature = "ipv6")]
    Family::Six,
];

/// One fragment of a UDP datagram from host `source`.
fn fragment(
    family: Family,
    source: u8,
    identification: u16,
    offset: usize,
    more: bool,
    payload: &[u8],
) -> Vec<u8> {
    fragment_of(family, 17, source, identification, offset, more, payload)
}

fn fragment_of(
    family: Family,
    protocol: u8,
    source: u8,
    identification: u16,
    offset: usize,
    more: bool,
    payload: &[u8],
) -> Vec<u8> {
    match family {
        #[cfg(feature = "ipv4")]
        Family::Four => {
            let mut bytes = vec![0; 20 + payload.len()];
            bytes[20..].copy_from_slice(payload);
            let mut packet = Ipv4Packet::new_unchecked(&mut bytes);
            packet.set_version(4);
            packet.set_header_len(20);
            packet.set_total_len((20 + payload.len()) as u16);
            packet.set_ident(identification);
            packet.set_frag_offset(offset as u16);
            packet.set_more_frags(more);
            packet.set_hop_limit(64);
            packet.set_next_header(protocol.into());
            packet.set_src_addr([192, 0, 2, source].into());
            packet.set_dst_addr([192, 0, 2, 100].into());
            packet.fill_checksum();
            bytes
        }
        #[cfg(feature = "ipv6")]
        Family::Six => {
            let mut bytes = vec![0; 40];
            let offset_and_more = (offset as u16 | u16::from(more)).to_be_bytes();
            bytes.extend([protocol, 0, offset_and_more[0], offset_and_more[1], 0, 0]);
            bytes.extend(identification.to_be_bytes());
            bytes.extend(payload);
            let mut packet = Ipv6Packet::new_unchecked(&mut bytes);
            packet.set_version(6);
            packet.set_payload_len((8 + payload.len()) as u16);
            packet.set_next_header(IpProtocol::Ipv6Frag);
            packet.set_hop_limit(64);
            packet.set_src_addr([0xfd00, 0, 0, 0, 0, 0, 0, source.into()].into());
            packet.set_dst_addr([0xfd00, 0, 0, 0, 0, 0, 0, 100].into());
            bytes
        }
    }
}

/// The datagram, cut after each of these many blocks (over and over); the rest is the last fragment.
fn cut(family: Family, identification: u16, payload: &[u8], blocks: &[usize]) -> Vec<Vec<u8>> {
    let mut fragments = Vec::new();
    let mut offset = 0;
    let mut sizes = blocks.iter().cycle();
    while offset < payload.len() {
        let end = (offset + sizes.next().unwrap() * 8).min(payload.len());
        let more = end < payload.len();
        let bytes = &payload[offset..end];
        fragments.push(fragment(family, 1, identification, offset, more, bytes));
        offset = end;
    }
    fragments
}

fn complete<'a>(outcome: Outcome<'a>) -> Complete<'a> {
    match outcome {
        Outcome::Complete(complete) => complete,
        Outcome::Incomplete => panic!("still incomplete"),
        Outcome::Dropped(reason) => panic!("dropped: {reason:?}"),
    }
}

fn assert_incomplete(outcome: Outcome<'_>) {
    assert!(matches!(outcome, Outcome::Incomplete));
}

fn assert_dropped(outcome: Outcome<'_>, why: Reason) {
    assert!(
        matches!(outcome, Outcome::Dropped(reason) if reason == why),
        "{why:?}"
    );
}

/// The frame has the link header, an IP header that smoltcp takes with checksums on, and exactly this payload.
#[track_caller]
fn assert_whole(frame: &[u8], expected: &[u8]) {
    assert!(frame.starts_with(&LINK));
    let packet = &frame[LINK.len()..];
    assert!(!is_fragment(packet));
    match packet[0] >> 4 {
        #[cfg(feature = "ipv4")]
        4 => {
            use smoltcp::{phy::ChecksumCapabilities, wire::Ipv4Repr};
            let packet = Ipv4Packet::new_checked(packet).unwrap();
            let repr = Ipv4Repr::parse(&packet, &ChecksumCapabilities::default()).unwrap();
            assert_eq!(repr.next_header, IpProtocol::Udp);
            assert_eq!(repr.hop_limit, 64);
            assert!(packet.payload() == expected);
        }
        #[cfg(feature = "ipv6")]
        6 => {
            use smoltcp::wire::Ipv6Repr;
            let packet = Ipv6Packet::new_checked(packet).unwrap();
            let repr = Ipv6Repr::parse(&packet).unwrap();
            assert_eq!(repr.next_header, IpProtocol::Udp);
            assert_eq!(repr.hop_limit, 64);
            assert!(packet.payload() == expected);
        }
        version => panic!("version {version}"),
    }
}

/// All orders of `items` (Heap's algorithm).
fn permutations(items: &mut [usize], length: usize, each: &mut impl FnMut(&[usize])) {
    if length == 1 {
        return each(items);
    }
    for i in 0..length {
        permutations(items, length - 1, each);
        items.swap(if length.is_multiple_of(2) { i } else { 0 }, length - 1);
    }
}

#[test]
fn sizes_of_storage_and_payload_are_inverse() {
    for payload in 0..=LENGTH_MAX {
        assert_eq!(capacity_of(storage_for(payload)), payload);
    }
    for storage in 0..5_000 {
        let capacity = capacity_of(storage);
        assert!(capacity == 0 || storage_for(capacity) <= storage);
    }
}

#[test]
fn four_fragments_in_every_order() {
    for &family in FAMILIES {
        let data = payload(100);
        let fragments = cut(family, 7, &data, &[3, 4, 2, 9]);
        assert_eq!(fragments.len(), 4);
        let mut all = reassemblies(1, 100);
        let mut orders = 0;
        permutations(&mut [0, 1, 2, 3], 4, &mut |order| {
            orders += 1;
            for &i in &order[..3] {
                assert!(is_fragment(&fragments[i]));
                assert_incomplete(all.add(START, 0, &LINK, &fragments[i]));
            }
            let datagram = complete(all.add(START, 0, &LINK, &fragments[order[3]]));
            assert_whole(datagram.frame(), &data);
            all.restore(datagram);
        });
        assert_eq!(orders, 24);
    }
}

#[cfg(feature = "ipv4")]
#[test]
fn the_longest_datagram_over_the_smallest_mtu_in_random_order() {
    // MTU 68: 48 bytes of payload in each fragment (RFC 791 §3.2).
    let data = payload(LENGTH_MAX - 20);
    let mut fragments = cut(Family::Four, 7, &data, &[6]);
    assert_eq!(fragments.len(), 1_365);
    let mut random = 1u64;
    for i in (1..fragments.len()).rev() {
        random = random
            .wrapping_mul(6364136223846793005)
            .wrapping_add(1442695040888963407);
        fragments.swap(i, (random >> 33) as usize % (i + 1));
    }
    let mut all = reassemblies(1, data.len());
    let last = fragments.pop().unwrap();
    for fragment in &fragments {
        assert_incomplete(all.add(START, 0, &LINK, fragment));
    }
    assert_whole(complete(all.add(START, 0, &LINK, &last)).frame(), &data);
}

#[test]
fn datagrams_with_different_keys_do_not_mix() {
    for &family in FAMILIES {
        let (head, tail) = (payload(16), payload(24));
        let mut all = reassemblies(4, 100);
        for (interface, source, identification) in [(0, 1, 7), (1, 1, 7), (0, 2, 7), (0, 1, 8)] {
            let first = fragment(family, source, identification, 0, true, &head);
            assert_incomplete(all.add(START, interface, &LINK, &first));
        }
        let last = fragment(family, 2, 7, 16, false, &tail[16..]);
        assert_whole(complete(all.add(START, 0, &LINK, &last)).frame(), &tail);
        assert_eq!(all.abandoned, 0);
    }
}

#[test]
fn copies_are_ignored() {
    for &family in FAMILIES {
        let data = payload(100);
        let mut all = reassemblies(1, 100);
        let add = |all: &mut Reassemblies<'static>, from: usize, to: usize| {
            let more = to < data.len();
            all.add(
                START,
                0,
                &LINK,
                &fragment(family, 1, 7, from, more, &data[from..to]),
            )
        };
        assert_incomplete(add(&mut all, 48, 100));
        assert_incomplete(add(&mut all, 48, 100));
        assert_incomplete(add(&mut all, 56, 72)); // inside
        assert_incomplete(add(&mut all, 96, 100)); // inside, and at the end
        assert_incomplete(add(&mut all, 0, 24));
        assert_incomplete(add(&mut all, 0, 24));
        assert_whole(complete(add(&mut all, 24, 48)).frame(), &data);
    }
}

#[test]
fn overlaps_refuse_the_datagram_until_it_expires() {
    for &family in FAMILIES {
        let data = payload(64);
        let mut changed = data.clone();
        changed[20] ^= 1;
        // One storage for all: what an earlier datagram left there must not pass for received.
        let (mut all, mut now) = (reassemblies(1, 100), START);
        // The bytes differ; they agree, but some are new, before or behind.
        for (bytes, from, to) in [(&changed, 16, 32), (&data, 8, 24), (&data, 24, 40)] {
            let add = |all: &mut Reassemblies<'static>, now, bytes: &[u8], from, to| {
                let more = to < data.len();
                all.add(
                    now,
                    0,
                    &LINK,
                    &fragment(family, 1, 7, from, more, &bytes[from..to]),
                )
            };
            assert_incomplete(add(&mut all, now, &data, 16, 32));
            assert_dropped(add(&mut all, now, bytes, from, to), Reason::Overlap);
            for (from, to) in [(0, 16), (32, 64), (16, 32)] {
                assert_dropped(add(&mut all, now, &data, from, to), Reason::Refused);
            }
            // The identification is as good as new afterwards.
            now += TIMEOUT;
            assert_incomplete(add(&mut all, now, &data, 0, 32));
            let datagram = complete(add(&mut all, now, &data, 32, 64));
            assert_whole(datagram.frame(), &data);
            all.restore(datagram);
            assert_eq!(all.abandoned, 0);
        }
    }
}

#[test]
fn fragments_must_agree_on_the_end() {
    for &family in FAMILIES {
        let data = payload(64);
        // (from, to, more) of two fragments
        for (one, other) in [
            ((32, 40, false), (40, 48, false)), // two ends
            ((32, 40, false), (48, 56, true)),  // more behind the end
            ((48, 56, true), (32, 40, false)),
            ((32, 40, false), (24, 40, true)), // more to come at the end
            ((32, 40, true), (32, 40, false)),
        ] {
            let mut all = reassemblies(1, 100);
            let mut add = |(from, to, more): (usize, usize, bool)| {
                all.add(
                    START,
                    0,
                    &LINK,
                    &fragment(family, 1, 7, from, more, &data[from..to]),
                )
            };
            assert_incomplete(add(one));
            assert_dropped(add(other), Reason::Ends);
            assert_dropped(add((0, 32, true)), Reason::Refused);
        }
    }
}

#[test]
fn lengths_that_leave_no_whole_blocks_are_refused() {
    for &family in FAMILIES {
        for (offset, more, length) in [(8, true, 12), (8, true, 0), (8, false, 0)] {
            let mut all = reassemblies(1, 100);
            let bad = fragment(family, 1, 7, offset, more, &payload(length));
            assert_dropped(all.add(START, 0, &LINK, &bad), Reason::Length);
        }
    }
}

#[test]
fn what_is_too_large_is_refused() {
    for &family in FAMILIES {
        let add = |all: &mut Reassemblies<'static>, offset, more, length| {
            all.add(
                START,
                0,
                &LINK,
                &fragment(family, 1, 7, offset, more, &payload(length)),
            )
        };
        // The "ping of death": the last offset there is, and more than fits behind it.
        let mut all = reassemblies(1, 2 * LENGTH_MAX);
        assert_incomplete(add(&mut all, 65_528, false, 7));
        let mut all = reassemblies(1, 2 * LENGTH_MAX);
        assert_dropped(add(&mut all, 65_528, false, 8), Reason::TooLarge);
        // The storage.
        let mut all = reassemblies(1, 100);
        assert_incomplete(add(&mut all, 96, false, 4));
        let mut all = reassemblies(1, 100);
        assert_dropped(add(&mut all, 96, false, 5), Reason::TooLarge);
        assert_dropped(add(&mut all, 0, true, 8), Reason::Refused);
        let mut all = Reassemblies::new(vec![Reassembly::new(Vec::new())]);
        assert_dropped(add(&mut all, 0, true, 8), Reason::TooLarge);
        let mut all = Reassemblies::new(Vec::new());
        assert_dropped(add(&mut all, 0, true, 8), Reason::NoStorage);
    }
}

#[cfg(feature = "ipv4")]
#[test]
fn a_payload_that_fits_but_for_its_ip_header_is_refused() {
    let data = payload(LENGTH_MAX - 19);
    let mut all = reassemblies(1, LENGTH_MAX);
    let (first, last) = data.split_at(65_000);
    let first = fragment(Family::Four, 1, 7, 0, true, first);
    let last = fragment(Family::Four, 1, 7, 65_000, false, last);
    assert_incomplete(all.add(START, 0, &LINK, &first));
    assert_dropped(all.add(START, 0, &LINK, &last), Reason::TooLarge);
}

#[test]
fn a_first_fragment_without_the_tcp_header_is_refused() {
    for &family in FAMILIES {
        let mut all = reassemblies(1, 100);
        let add = |all: &mut Reassemblies<'static>, offset, length| {
            let bytes = payload(length);
            all.add(
                START,
                0,
                &LINK,
                &fragment_of(family, 6, 1, 7, offset, true, &bytes),
            )
        };
        assert_incomplete(add(&mut all, 16, 16));
        assert_dropped(add(&mut all, 0, 16), Reason::TinyFirst);
        assert_dropped(add(&mut all, 0, 24), Reason::Refused);
        let mut all = reassemblies(1, 100);
        assert_incomplete(add(&mut all, 0, 24));
    }
}

#[cfg(feature = "ipv4")]
#[test]
fn a_bad_header_checksum_is_dropped_and_leaves_no_trace() {
    let data = payload(40);
    let fragments = cut(Family::Four, 7, &data, &[2]);
    let mut all = reassemblies(1, 100);
    assert_incomplete(all.add(START, 0, &LINK, &fragments[0]));
    let mut bad = fragments[1].clone();
    bad[8] ^= 1;
    assert_dropped(all.add(START, 0, &LINK, &bad), Reason::Checksum);
    assert_incomplete(all.add(START, 0, &LINK, &fragments[1]));
    assert_whole(
        complete(all.add(START, 0, &LINK, &fragments[2])).frame(),
        &data,
    );
}

#[cfg(feature = "ipv4")]
#[test]
fn ipv4_options_of_the_first_fragment_stay_and_padding_goes() {
    let data = payload(24);
    let mut first = fragment(Family::Four, 1, 7, 0, true, &data[..16]);
    first.splice(20..20, [1; 40]);
    let mut packet = Ipv4Packet::new_unchecked(&mut first);
    packet.set_header_len(60);
    packet.set_total_len(76);
    packet.fill_checksum();
    let mut last = fragment(Family::Four, 1, 7, 16, false, &data[16..]);
    last.extend([0; 18]); // Ethernet's shortest frame
    let mut all = reassemblies(1, 100);
    assert_incomplete(all.add(START, 0, &LINK, &last));
    let datagram = complete(all.add(START, 0, &LINK, &first));
    assert_whole(datagram.frame(), &data);
    assert_eq!(datagram.frame()[34..74], [1; 40]);
}

#[cfg(feature = "ipv6")]
#[test]
fn ipv6_headers_before_the_fragment_header_go() {
    let data = payload(24);
    let mut first = fragment(Family::Six, 1, 7, 0, true, &data[..16]);
    // Hop-by-hop options (one PadN), then destination options, then the Fragment header.
    first.splice(40..40, [60, 0, 1, 4, 0, 0, 0, 0, 44, 0, 1, 4, 0, 0, 0, 0]);
    first[6] = 0;
    first[5] += 16;
    assert!(is_fragment(&first));
    let last = fragment(Family::Six, 1, 7, 16, false, &data[16..]);
    let mut all = reassemblies(1, 100);
    assert_incomplete(all.add(START, 0, &LINK, &first));
    assert_whole(complete(all.add(START, 0, &LINK, &last)).frame(), &data);
    let mut all = reassemblies(1, 100);
    // A header chain that is cut: the transport header is not to be seen.
    let mut chain = fragment_of(Family::Six, 60, 1, 8, 0, true, &data[..16]);
    chain[48..50].copy_from_slice(&[6, 1]);
    assert_dropped(all.add(START, 0, &LINK, &chain), Reason::TinyFirst);
    // A fragment in a fragment.
    let nested = fragment_of(Family::Six, 44, 1, 9, 0, true, &data[..16]);
    assert_dropped(all.add(START, 0, &LINK, &nested), Reason::Malformed);
}

#[cfg(feature = "ipv6")]
#[test]
fn an_atomic_fragment_has_nothing_to_do_with_others_of_its_key() {
    let data = payload(24);
    let mut all = reassemblies(2, 100);
    let first = fragment(Family::Six, 1, 7, 0, true, &data[..16]);
    assert_incomplete(all.add(START, 0, &LINK, &first));
    let atomic = fragment(Family::Six, 1, 7, 0, false, &data[..9]);
    assert!(is_fragment(&atomic));
    let datagram = complete(all.add(START, 0, &LINK, &atomic));
    assert_whole(datagram.frame(), &data[..9]);
    all.restore(datagram);
    let bad = fragment(Family::Six, 1, 7, 0, false, &data[..7]);
    assert_dropped(all.add(START, 0, &LINK, &bad), Reason::TinyFirst);
    let last = fragment(Family::Six, 1, 7, 16, false, &data[16..]);
    assert_whole(complete(all.add(START, 0, &LINK, &last)).frame(), &data);
}

#[test]
fn time_counts_from_the_first_to_come() {
    for &family in FAMILIES {
        let fragments = cut(family, 7, &payload(24), &[1]);
        let mut all = reassemblies(2, 100);
        assert_eq!(all.next_deadline(), None);
        assert_incomplete(all.add(START, 0, &LINK, &fragments[1]));
        let later = START + TIMEOUT - Duration::from_micros(1);
        assert_incomplete(all.add(later, 0, &LINK, &fragments[2]));
        assert_eq!(all.next_deadline(), Some(START + TIMEOUT));
        all.expire(START + TIMEOUT);
        assert_eq!((all.next_deadline(), all.abandoned), (None, 1));
        // The missing one is a new beginning now.
        assert_incomplete(all.add(START + TIMEOUT, 0, &LINK, &fragments[0]));
    }
}

#[test]
fn the_oldest_makes_room() {
    for &family in FAMILIES {
        let data = payload(24);
        let mut all = reassemblies(2, 100);
        for (at, identification) in [(0, 7), (1, 8), (2, 9)] {
            let first = &cut(family, identification, &data, &[2])[0];
            assert_incomplete(all.add(START + Duration::from_secs(at), 0, &LINK, first));
        }
        assert_eq!(all.abandoned, 1);
        for identification in [8, 9] {
            let last = &cut(family, identification, &data, &[2])[1];
            let datagram = complete(all.add(START, 0, &LINK, last));
            assert_whole(datagram.frame(), &data);
            all.restore(datagram);
        }
        let last = &cut(family, 7, &data, &[2])[1];
        assert_incomplete(all.add(START, 0, &LINK, last));
    }
}

#[test]
fn storage_that_is_out_is_not_touched() {
    for &family in FAMILIES {
        let data = payload(24);
        let fragments = cut(family, 7, &data, &[2]);
        let mut storage = [0; storage_for(24)];
        let mut slots = [Reassembly::new(&mut storage[..])];
        let mut all = Reassemblies::new(&mut slots[..]);
        assert_incomplete(all.add(START, 0, &LINK, &fragments[0]));
        let datagram = complete(all.add(START, 0, &LINK, &fragments[1]));
        assert_eq!(all.next_deadline(), None);
        assert_dropped(all.add(START, 0, &LINK, &fragments[0]), Reason::NoStorage);
        all.expire(START + TIMEOUT);
        assert_whole(datagram.frame(), &data);
        all.restore(datagram);
        assert_incomplete(all.add(START, 0, &LINK, &fragments[0]));
    }
}

#[test]
fn whole_packets_are_not_fragments() {
    let mut all = reassemblies(1, 100);
    for packet in [&[][..], &[0x45], &[0x60; 40], &[0x45; 20]] {
        assert!(!is_fragment(packet));
        assert_dropped(all.add(START, 0, &LINK, packet), Reason::Malformed);
    }
    #[cfg(feature = "ipv4")]
    {
        let whole = fragment(Family::Four, 1, 7, 0, false, &payload(24));
        assert!(!is_fragment(&whole));
        assert_dropped(all.add(START, 0, &LINK, &whole), Reason::Malformed);
        let part = fragment(Family::Four, 1, 7, 8, false, &payload(24));
        assert_dropped(all.add(START, 0, &[0; 15], &part), Reason::Malformed);
    }
}

/// A cut and an order of arrival, in which every fragment comes at least once.
fn arrivals() -> impl Strategy<Value = (Family, Vec<u8>, Vec<Vec<u8>>, Vec<usize>)> {
    let family = prop::sample::select(FAMILIES);
    let blocks = prop::collection::vec(1..40usize, 1..8);
    (family, 20..3_000usize, blocks)
        .prop_map(|(family, length, blocks)| {
            let data = payload(length);
            let fragments = cut(family, 7, &data, &blocks);
            (family, data, fragments)
        })
        .prop_filter("one piece is no fragment", |(_, _, fragments)| {
            fragments.len() > 1
        })
        .prop_flat_map(|(family, data, fragments)| {
            let count = fragments.len();
            let order = prop::collection::vec(0..count, 0..count)
                .prop_map(move |copies| (0..count).chain(copies).collect::<Vec<_>>())
                .prop_shuffle();
            (Just(family), Just(data), Just(fragments), order)
        })
}

proptest! {
    #[test]
    fn any_cut_in_any_order_with_copies_gives_the_datagram((_, data, fragments, order) in arrivals()) {
        let mut all = reassemblies(1, 3_000);
        let mut seen = vec![false; fragments.len()];
        for i in order {
            seen[i] = true;
            match all.add(START, 0, &LINK, &fragments[i]) {
                Outcome::Complete(datagram) => {
                    prop_assert!(seen.iter().all(|&seen| seen));
                    assert_whole(datagram.frame(), &data);
                    return Ok(());
                }
                Outcome::Incomplete => prop_assert!(seen.contains(&false)),
                Outcome::Dropped(reason) => prop_assert!(false, "{reason:?}"),
            }
        }
        prop_assert!(false, "never complete");
    }

    #[test]
    fn with_a_piece_missing_there_is_nothing((_, _, fragments, order) in arrivals(), missing: prop::sample::Index) {
        let missing = missing.index(fragments.len());
        let mut all = reassemblies(1, 3_000);
        for i in order.into_iter().filter(|&i| i != missing) {
            assert_incomplete(all.add(START, 0, &LINK, &fragments[i]));
        }
    }

    /// Whatever fragments of one key claim: what comes out was in them, byte for byte.
    #[test]
    fn contradicting_fragments_never_panic_and_never_mix(
        family in prop::sample::select(FAMILIES),
        pieces in prop::collection::vec((0..12usize, any::<bool>(), 0..40usize, any::<bool>()), 1..40),
    ) {
        let (data, other) = (payload(200), vec![0xff; 200]);
        let mut all = reassemblies(1, 100);
        for (block, more, length, lie) in pieces {
            let offset = block * 8;
            let bytes = &if lie { &other } else { &data }[offset..offset + length];
            let packet = fragment(family, 1, 7, offset, more, bytes);
            if !is_fragment(&packet) {
                continue;
            }
            if let Outcome::Complete(datagram) = all.add(START, 0, &LINK, &packet) {
                let packet = &datagram.frame()[LINK.len()..];
                let header = if packet[0] >> 4 == 4 { 20 } else { 40 };
                for (i, byte) in packet[header..].iter().enumerate() {
                    prop_assert!(*byte == data[i] || *byte == other[i]);
                }
                all.restore(datagram);
            }
        }
    }

    #[test]
    fn garbage_never_panics(
        packets in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..120), 1..20),
        storage in 0..300usize,
        link_len in 0..20usize,
    ) {
        let mut all = Reassemblies::new(vec![Reassembly::new(vec![0; storage])]);
        for (i, mut packet) in packets.into_iter().enumerate() {
            // Most of it gets past the version, the lengths and the checksum.
            let length = packet.len() as u16;
            if packet.len() >= 48 && i % 3 == 0 {
                packet[0] = 0x60;
                packet[4..6].copy_from_slice(&(length - 40).to_be_bytes());
                packet[6] = [0, 43, 44, 60][i % 4];
            } else if packet.len() >= 60 && i % 3 == 1 {
                packet[0] = 0x45 + packet[0] % 11;
                packet[2..4].copy_from_slice(&length.to_be_bytes());
                #[cfg(feature = "ipv4")]
                Ipv4Packet::new_unchecked(&mut packet).fill_checksum();
            }
            is_fragment(&packet);
            if let Outcome::Complete(datagram) = all.add(START, 0, &[0; 20][..link_len], &packet) {
                prop_assert!(datagram.frame().len() >= 20);
                all.restore(datagram);
            }
        }
    }
}
