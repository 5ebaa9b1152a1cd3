//! Which answers are taken, and that nothing else changes anything.

use proptest::collection::vec;
use proptest::prelude::*;

use super::*;

/// A client in each state that waits for an answer, what it sent last, and the answer that it waits for.
fn waiting() -> Vec<(&'static str, Client, Answer)> {
    let (client, discover) = Client::selecting();
    let mut all = std::vec![("selecting", client, Answer::new(OFFER, &discover))];
    let (client, request) = Client::requesting();
    all.push(("requesting", client, Answer::new(ACK, &request)));
    let (mut client, _) = Client::bound(|ack| ack);
    let request = client.sends();
    all.push(("renewing", client, Answer::new(ACK, &request)));
    let (mut client, _) = Client::bound(|ack| ack);
    let mut request = client.sends();
    while request.route.destination == SERVER {
        request = client.sends();
    }
    all.push(("rebinding", client, Answer::new(ACK, &request)));
    let (mut client, _) = Client::bound(|ack| ack);
    client.dhcp.relink(client.now);
    let request = client.sends();
    all.push(("rebooting", client, Answer::new(ACK, &request)));
    all
}

/// In no state is the answer taken that `change` makes of the right one.
fn never(change: impl Fn(Answer) -> Answer) {
    for (state, mut client, answer) in waiting() {
        assert!(!client.heeds(&change(answer.clone())), "{state}");
        assert!(client.heeds(&answer), "{state}");
    }
}

#[test]
fn an_answer_is_for_this_client_and_this_transaction() {
    never(|answer| answer.field(0, &[1])); // BOOTREQUEST
    never(|answer| answer.field(1, &[6])); // IEEE 802
    never(|answer| answer.field(2, &[8]));
    never(|answer| {
        let last = answer.header[XID + 3];
        answer.field(XID + 3, &[last ^ 1])
    });
    never(|answer| answer.field(CHADDR + 5, &[2]));
    never(|answer| answer.field(COOKIE, &[0]));
    never(|answer| answer.with(CLIENT_IDENTIFIER, &[1, 2, 0, 0, 0, 0, 2]));
    never(|answer| answer.field(YIADDR, &[0; 4]));
    never(|answer| answer.without(SERVER_IDENTIFIER));
    never(|answer| answer.with(SERVER_IDENTIFIER, &[255; 4]));
    never(|mut answer| {
        answer.from.set_port(68);
        answer
    });
    never(|mut answer| {
        answer.to.set_port(67);
        answer
    });
    never(|mut answer| {
        answer.to.set_ip(OTHER_SERVER);
        answer
    });
}

#[test]
fn what_a_server_may_add_does_no_harm() {
    for (state, mut client, answer) in waiting() {
        let answer = answer
            .with(CLIENT_IDENTIFIER, &[1, 2, 0, 0, 0, 0, 1]) // RFC 6842
            .with(15, b"example.com")
            .with(82, &[])
            .field(3, &[2]) // hops
            .field(24, &[192, 168, 69, 9]); // giaddr: through a relay
        let mut answer = answer;
        answer.to.set_ip(ADDRESS); // by unicast
        answer.from.set_ip(Ipv4Addr::new(192, 168, 69, 9));
        assert!(client.heeds(&answer), "{state}");
    }
}

#[test]
fn each_state_has_its_answers() {
    for (state, mut client, answer) in waiting() {
        let mut taken = Vec::new();
        for kind in 0..=255 {
            let (mut twin, _) = twin(state);
            let answer = answer.clone().with(MESSAGE_TYPE, &[kind]);
            if twin.heeds(&answer) {
                taken.push(kind);
            }
        }
        let expected: &[u8] = if state == "selecting" {
            &[OFFER]
        } else {
            &[ACK, NAK]
        };
        assert_eq!(taken, expected, "{state}");
        assert!(client.heeds(&answer));
    }
    for answer in [OFFER, ACK, NAK] {
        let (mut client, request) = Client::requesting();
        client.hear(&Answer::new(ACK, &request));
        assert!(
            !client.heeds(&Answer::new(answer, &request)),
            "{answer} in probing"
        );
        client.dhcp.is_free(client.now, ADDRESS);
        assert!(
            !client.heeds(&Answer::new(answer, &request)),
            "{answer} when bound"
        );
    }
}

/// Whether any server may answer a request.
fn asks_all(state: &str) -> bool {
    matches!(state, "rebinding" | "rebooting")
}

/// The same client once more.
fn twin(state: &str) -> (Client, Answer) {
    let mut all = waiting().into_iter();
    let (_, client, answer) = all.find(|(name, ..)| *name == state).unwrap();
    (client, answer)
}

#[test]
fn only_who_asks_all_servers_hears_another() {
    for (state, mut client, answer) in waiting() {
        if state == "selecting" {
            continue;
        }
        let other = answer.with(SERVER_IDENTIFIER, &OTHER_SERVER.octets());
        let refusal = other
            .clone()
            .with(MESSAGE_TYPE, &[NAK])
            .field(YIADDR, &[0; 4]);
        let (mut again, _) = twin(state);
        assert_eq!(client.heeds(&other), asks_all(state), "{state}");
        assert_eq!(again.heeds(&refusal), asks_all(state), "{state}");
    }
}

#[test]
fn another_address_than_asked_for_is_not_taken() {
    for (state, mut client, answer) in waiting() {
        let answer = answer.field(YIADDR, &[192, 168, 69, 51]);
        assert_eq!(client.heeds(&answer), state == "selecting", "{state}");
    }
}

#[test]
fn before_the_request_is_sent_there_is_no_answer_to_it() {
    let (mut client, discover) = Client::selecting();
    client.hear(&Answer::new(OFFER, &discover));
    assert!(!client.heeds(&Answer::new(ACK, &discover)));
}

#[test]
fn a_second_offer_changes_nothing() {
    let (mut client, discover) = Client::selecting();
    assert!(client.heeds(&Answer::new(OFFER, &discover)));
    let other = Answer::new(OFFER, &discover)
        .with(SERVER_IDENTIFIER, &OTHER_SERVER.octets())
        .field(YIADDR, &[192, 168, 69, 51]);
    assert!(!client.heeds(&other));
    assert_eq!(
        client.sends().address_option(SERVER_IDENTIFIER),
        Some(SERVER)
    );
}

#[test]
fn a_cut_answer_is_none() {
    for (state, mut client, answer) in waiting() {
        let whole = answer.octets();
        for len in 0..whole.len() {
            let before = std::format!("{:?}", client.dhcp);
            let event = client
                .dhcp
                .hear(client.now, answer.from, answer.to, &whole[..len]);
            assert_eq!(event, None, "{state}, {len} octets");
            assert_eq!(
                std::format!("{:?}", client.dhcp),
                before,
                "{state}, {len} octets"
            );
        }
        assert!(client.heeds(&answer), "{state}");
    }
}

#[test]
fn options_of_a_wrong_length_spoil_the_answer() {
    let fixed = [
        SUBNET_MASK,
        INTERFACE_MTU,
        LEASE_TIME,
        MESSAGE_TYPE,
        SERVER_IDENTIFIER,
        RENEWAL_TIME,
        REBINDING_TIME,
    ];
    for code in fixed {
        for len in [0, 3, 5, 255] {
            never(|answer| answer.with(code, &std::vec![1; len]));
        }
        // Twice the same is once too often.
        never(|mut answer| {
            let len = match code {
                MESSAGE_TYPE => 1,
                INTERFACE_MTU => 2,
                _ => 4,
            };
            answer = answer.with(code, &std::vec![5; len]);
            answer.options.push((code, std::vec![5; len]));
            answer
        });
    }
    for code in [ROUTER, DOMAIN_NAME_SERVER] {
        for len in [0, 3, 5, 254] {
            never(|answer| answer.with(code, &std::vec![1; len]));
        }
    }
}

/// What a client has come to in all: its lease, what it wants to probe.
fn outcome(client: &mut Client, answer: &Answer, octets: &[u8]) -> Option<Event> {
    client.dhcp.hear(client.now, answer.from, answer.to, octets)
}

proptest! {
    /// Any octets, after any beginning of a right answer: no panic, and nothing comes of it.
    #[test]
    fn noise_is_not_heard(noise in vec(any::<u8>(), 0..700), kept in 0_usize..280) {
        for (state, mut client, answer) in waiting() {
            let whole = answer.octets();
            let before = std::format!("{:?}", client.dhcp);
            prop_assert_eq!(outcome(&mut client, &answer, &noise), None);
            prop_assert_eq!(std::format!("{:?}", client.dhcp), before, "{}", state);
            // From here on it may be taken, if chance has it; but there is an end to it.
            let mut mixed = whole[..kept.min(whole.len())].to_vec();
            mixed.extend(&noise);
            outcome(&mut client, &answer, &mixed);
        }
    }

    /// One octet of a right answer is another one: what comes of it is a lease of the address that was asked for from the server
    /// that was asked, or nothing.
    #[test]
    fn one_wrong_octet_makes_no_wrong_lease(at in 0_usize..280, flip in 1_u8..=255) {
        for (state, mut client, answer) in waiting() {
            let mut octets = answer.octets();
            let at = at % octets.len();
            octets[at] ^= flip;
            let before = std::format!("{:?}", client.dhcp);
            let event = outcome(&mut client, &answer, &octets);
            // hops, secs, flags, ciaddr, siaddr, giaddr, the rest of chaddr, sname, file: not a client's business.
            let is_ignored = matches!(at, 3 | 8..16 | 20..28 | 34..COOKIE);
            // The header's other fields spoil it, but for the address of an offer.
            let is_vital = at < OPTIONS && !is_ignored && !(state == "selecting" && (16..20).contains(&at));
            let has_changed = std::format!("{:?}", client.dhcp) != before;
            prop_assert!(!(is_vital && has_changed), "{} {}", state, at);
            prop_assert!(!is_ignored || has_changed, "{} {}", state, at);
            match event {
                Some(Event::Renewed(lease)) => {
                    prop_assert_eq!(lease.address, ADDRESS);
                    prop_assert!(asks_all(state) || lease.server == SERVER);
                    prop_assert!(lease.prefix_len > 0);
                }
                Some(Event::Probe(address)) => prop_assert_eq!(address, ADDRESS),
                Some(Event::Lost(address)) => {
                    // One bit from ACK to NAK: that is what it says.
                    prop_assert_eq!((address, octets[OPTIONS + 2]), (ADDRESS, NAK));
                }
                Some(Event::Bound(_)) => prop_assert!(false, "nobody probed"),
                None => {}
            }
        }
    }

    /// Whatever a client is told in whatever order, it never sends more than once in a while, and never waits for a time that is past.
    #[test]
    fn no_order_of_things_makes_it_talk_without_end(
        steps in vec((0_u8..6, 0_u32..200, any::<u8>()), 0..80),
        seed in any::<u64>(),
    ) {
        let mut client = Client::of(seed);
        let mut last = client.sends();
        let mut sent = 0_u64;
        for (step, number, kind) in &steps {
            match step {
                0 | 1 => {
                    let answer = Answer::new(kind % 8, &last).lasting(*number);
                    client.hear(&answer);
                }
                2 => {
                    client.dhcp.is_free(client.now, ADDRESS);
                }
                3 => {
                    client.dhcp.is_taken(ADDRESS);
                }
                _ => client.now += Duration::from_secs((*number).into()),
            }
            client.dhcp.poll(client.now);
            while let Some(message) = client.emit() {
                last = message;
                sent += 1;
                client.dhcp.poll(client.now);
            }
            let waits_for = client.dhcp.poll_at();
            prop_assert!(waits_for.is_none_or(|at| at > client.now), "{:?}", client.dhcp);
        }
        prop_assert!(sent <= 2 * steps.len() as u64);
    }
}
