//! From each state to each other, at the times that the RFC gives.

use super::*;

#[test]
fn four_messages_and_a_probe_lead_to_a_lease() {
    let mut client = Client::new();
    let discover = client.sends();
    assert_eq!(client.now, Instant::ZERO, "nobody waits at the start");
    assert_eq!(discover.kind(), DISCOVER);
    assert_eq!(discover.route.source, NOBODY);
    assert_eq!(discover.route.destination, EVERYBODY);
    assert_eq!(discover.field(0), [1, 1, 6, 0]);
    assert_eq!(discover.field(CHADDR), MAC);
    assert_eq!(discover.field(FLAGS), [0, 0], "unicast will do");
    assert_eq!(discover.field(COOKIE), [0x63, 0x82, 0x53, 0x63]);
    assert_eq!(
        discover.option(CLIENT_IDENTIFIER),
        Some(&[1, 2, 0, 0, 0, 0, 1][..])
    );
    assert_eq!(
        discover.option(55),
        Some(&[1, 3, 6, 26, 51, 54, 58, 59][..])
    );
    assert_eq!(discover.option(57), Some(&1_500_u16.to_be_bytes()[..]));

    client.now = millis(2_500);
    assert_eq!(client.hear(&Answer::new(OFFER, &discover)), None);
    let request = client.sends();
    assert_eq!(client.now, millis(2_500), "an offer is taken at once");
    assert_eq!(request.kind(), REQUEST);
    assert_eq!(request.route.source, NOBODY);
    assert_eq!(request.route.destination, EVERYBODY);
    assert_eq!(request.field::<4>(XID), discover.field::<4>(XID));
    assert_eq!(request.field(SECS), [0, 0], "as in DISCOVER");
    assert_eq!(request.field(CIADDR), [0; 4]);
    assert_eq!(request.address_option(REQUESTED_ADDRESS), Some(ADDRESS));
    assert_eq!(request.address_option(SERVER_IDENTIFIER), Some(SERVER));

    client.now = millis(2_600);
    let probe = client.hear(&Answer::new(ACK, &request));
    assert_eq!(probe, Some(Event::Probe(ADDRESS)));
    assert_eq!(client.dhcp.lease(), None, "not yet");

    client.now = millis(8_000);
    assert!(client.emit().is_none());
    let Some(Event::Bound(lease)) = client.dhcp.is_free(client.now, ADDRESS) else {
        panic!("not bound: {:?}", client.dhcp);
    };
    assert_eq!(client.dhcp.lease(), Some(&lease));
    assert_eq!((lease.address, lease.prefix_len), (ADDRESS, 24));
    assert_eq!(lease.router, Some(SERVER));
    assert_eq!(lease.name_servers, [SERVER]);
    assert_eq!(lease.server, SERVER);
    assert_eq!(lease.since, millis(2_500), "since it was asked for");
}

#[test]
fn a_lease_of_ten_seconds_is_renewed_after_five() {
    let (mut client, _) = Client::bound(|ack| ack.lasting(10));
    for round in 1..=1_000 {
        let request = client.sends();
        assert_eq!(client.now, at(5 * round));
        assert_eq!(request.kind(), REQUEST);
        assert_eq!(request.route.source, ADDRESS);
        assert_eq!(request.route.destination, SERVER);
        assert_eq!(request.field(CIADDR), ADDRESS.octets());
        assert_eq!(request.address_option(REQUESTED_ADDRESS), None);
        assert_eq!(request.address_option(SERVER_IDENTIFIER), None);
        let renewed = client.hear(&Answer::new(ACK, &request).lasting(10));
        let Some(Event::Renewed(lease)) = renewed else {
            panic!("not renewed: {renewed:?}");
        };
        assert_eq!(lease.since, at(5 * round));
    }
}

#[test]
fn a_silent_server_is_asked_until_t2_and_every_server_until_the_end() {
    let (mut client, _) = Client::bound(|ack| ack.lasting(10));
    let mut sent = Vec::new();
    let events = loop {
        let (message, events) = client.next_sent();
        if message.kind() == DISCOVER {
            break events;
        }
        assert_eq!(events, []);
        let passed = (client.now - Instant::ZERO).total_millis();
        sent.push((passed, message.route.destination));
    };
    assert_eq!(events, [Event::Lost(ADDRESS)]);
    assert_eq!(client.now, at(10));
    assert_eq!(client.dhcp.lease(), None);
    assert_eq!(
        sent,
        [
            (5_000, SERVER),
            (6_875, SERVER), // half of what is left
            (7_875, SERVER), // no sooner than a second
            (8_750, EVERYBODY),
            (9_750, EVERYBODY),
        ]
    );
}

#[test]
fn a_minute_passes_between_the_requests_for_a_long_lease() {
    let (mut client, _) = Client::bound(|ack| ack.lasting(86_400));
    let mut renewing = Vec::new();
    let mut rebinding = Vec::new();
    loop {
        let (message, _) = client.next_sent();
        match message.route.destination {
            SERVER => renewing.push(client.now),
            _ if message.kind() == DISCOVER => break,
            _ => rebinding.push(client.now),
        }
    }
    assert_eq!(client.now, at(86_400));
    assert_eq!(renewing[..3], [at(43_200), at(59_400), at(67_500)]);
    assert_eq!(rebinding[..3], [at(75_600), at(81_000), at(83_700)]);
    for requests in [&renewing, &rebinding] {
        let waits = requests.windows(2).map(|pair| pair[1] - pair[0]);
        assert_eq!(waits.min(), Some(Duration::from_secs(60)));
    }
    assert_eq!((renewing.len(), rebinding.len()), (11, 9));
}

#[test]
fn another_server_may_take_over_a_lease_when_all_are_asked() {
    let (mut client, _) = Client::bound(|ack| ack.lasting(1_600));
    while client.sends().route.destination == SERVER {}
    assert_eq!(client.now, at(1_400), "T2");
    let request = client.sends();
    let answer = Answer::new(ACK, &request)
        .lasting(1_600)
        .with(SERVER_IDENTIFIER, &OTHER_SERVER.octets());
    let renewed = client.hear(&answer);
    let Some(Event::Renewed(lease)) = renewed else {
        panic!("not renewed: {renewed:?}");
    };
    assert_eq!((lease.server, lease.since), (OTHER_SERVER, client.now));
    let request = client.sends();
    assert_eq!(client.now, lease.since + Duration::from_secs(800));
    assert_eq!(request.route.destination, OTHER_SERVER);
}

#[test]
fn a_renewal_may_change_what_goes_with_the_address() {
    let (mut client, before) = Client::bound(|ack| ack);
    let request = client.sends();
    let answer = Answer::new(ACK, &request)
        .with(ROUTER, &OTHER_SERVER.octets())
        .lasting(7_200);
    let Some(Event::Renewed(lease)) = client.hear(&answer) else {
        panic!("not renewed");
    };
    assert_eq!(before.router, Some(SERVER));
    assert_eq!(lease.router, Some(OTHER_SERVER));
    client.sends();
    assert_eq!(client.now, at(1_800 + 3_600));
}

#[test]
fn an_answer_tells_which_request_it_is_to() {
    let (mut client, _) = Client::bound(|ack| ack.lasting(1_600));
    let first = client.sends();
    let second = client.sends();
    assert_ne!(first.field::<4>(XID), second.field::<4>(XID));
    assert!(
        !client.heeds(&Answer::new(ACK, &first)),
        "it would last too long"
    );
    let Some(Event::Renewed(lease)) = client.hear(&Answer::new(ACK, &second)) else {
        panic!("not renewed");
    };
    assert_eq!(lease.since, client.now);
}

#[test]
fn refused_in_renewing_or_rebinding_the_address_is_lost_at_once() {
    for rebinding in [false, true] {
        let (mut client, _) = Client::bound(|ack| ack);
        let mut request = client.sends();
        while rebinding && request.route.destination == SERVER {
            request = client.sends();
        }
        let now = client.now;
        let lost = client.hear(&Answer::new(NAK, &request));
        assert_eq!(lost, Some(Event::Lost(ADDRESS)));
        let discover = client.sends();
        assert_eq!((discover.kind(), client.now), (DISCOVER, now));
        assert_ne!(discover.field::<4>(XID), request.field::<4>(XID));
    }
}

#[test]
fn refused_what_was_offered_the_client_waits_before_it_asks_again() {
    let (mut client, request) = Client::requesting();
    assert_eq!(client.hear(&Answer::new(NAK, &request)), None);
    let discover = client.sends();
    assert_eq!((discover.kind(), client.now), (DISCOVER, at(10)));
}

#[test]
fn a_server_that_offers_and_falls_silent_is_asked_for_a_minute() {
    let (mut client, _) = Client::requesting();
    let mut times = Vec::new();
    let discover = loop {
        let sent = client.sends();
        if sent.kind() == DISCOVER {
            break sent;
        }
        assert_eq!(sent.address_option(REQUESTED_ADDRESS), Some(ADDRESS));
        assert_eq!(sent.field(FLAGS), [0x80, 0], "a broadcast may get through");
        times.push(client.now);
    };
    assert_eq!(times.len(), 3, "four with the first");
    assert!(
        client.now >= at(56) && client.now <= at(64),
        "{}",
        client.now
    );
    assert!(
        !client.heeds(&Answer::new(ACK, &discover)),
        "nothing was requested"
    );
}

#[test]
fn an_address_that_somebody_has_is_declined_and_another_asked_for() {
    let (mut client, request) = Client::requesting();
    client.hear(&Answer::new(ACK, &request));
    client.now = at(3);
    assert_eq!(client.dhcp.is_taken(ADDRESS), None);
    let decline = client.sends();
    assert_eq!((decline.kind(), client.now), (DECLINE, at(3)));
    assert_eq!(decline.route.source, NOBODY);
    assert_eq!(decline.route.destination, EVERYBODY);
    assert_eq!(decline.field(CIADDR), [0; 4]);
    assert_eq!(decline.address_option(REQUESTED_ADDRESS), Some(ADDRESS));
    assert_eq!(decline.address_option(SERVER_IDENTIFIER), Some(SERVER));
    assert_eq!(decline.option(55), None, "nothing is asked for");
    let discover = client.sends();
    assert_eq!((discover.kind(), client.now), (DISCOVER, at(13)));
}

#[test]
fn after_ten_conflicts_an_address_is_asked_for_once_a_minute() {
    let mut client = Client::new();
    let mut pauses = Vec::new();
    for _ in 0..12 {
        let discover = client.sends();
        client.hear(&Answer::new(OFFER, &discover));
        let request = client.sends();
        client.hear(&Answer::new(ACK, &request));
        client.dhcp.is_taken(ADDRESS);
        let declined = client.sends();
        let before = client.now;
        assert_eq!(declined.kind(), DECLINE);
        pauses.push((client.dhcp.poll_at().unwrap() - before).secs());
    }
    assert_eq!(pauses, [10, 10, 10, 10, 10, 10, 10, 10, 10, 60, 60, 60]);
}

#[test]
fn a_conflict_that_shows_later_takes_the_address_away() {
    let (mut client, _) = Client::bound(|ack| ack);
    client.now = at(100);
    assert_eq!(
        client.dhcp.is_taken(OTHER_SERVER),
        None,
        "another's conflict"
    );
    assert_eq!(client.dhcp.is_taken(ADDRESS), Some(Event::Lost(ADDRESS)));
    assert_eq!(client.sends().kind(), DECLINE);
    assert_eq!(client.sends().kind(), DISCOVER);
    assert_eq!(client.now, at(110));
}

#[test]
fn a_probe_that_takes_longer_than_the_lease_is_in_vain() {
    let (mut client, request) = Client::requesting();
    client.hear(&Answer::new(ACK, &request).lasting(3));
    client.now = at(3);
    assert_eq!(client.dhcp.is_free(client.now, ADDRESS), None);
    let discover = client.sends();
    assert_eq!((discover.kind(), client.now), (DISCOVER, at(3)));
    assert_eq!(client.dhcp.is_free(client.now, ADDRESS), None);
    assert_eq!(client.dhcp.is_taken(ADDRESS), None);
}

#[test]
fn whoever_stops_gives_the_address_back() {
    for state in ["bound", "renewing"] {
        let (mut client, _) = Client::bound(|ack| ack);
        if state == "renewing" {
            client.sends();
        }
        let now = client.now;
        client.dhcp.stop();
        let release = client.sends();
        assert_eq!((release.kind(), client.now), (RELEASE, now));
        assert_eq!(release.route.source, ADDRESS);
        assert_eq!(release.route.destination, SERVER);
        assert_eq!(release.field(CIADDR), ADDRESS.octets());
        assert_eq!(release.address_option(REQUESTED_ADDRESS), None);
        assert_eq!(release.address_option(SERVER_IDENTIFIER), Some(SERVER));
        assert_eq!(client.dhcp.poll_at(), None, "it is over");
        assert!(client.emit().is_none());
    }
    let (mut client, discover) = Client::selecting();
    client.dhcp.stop();
    assert_eq!(client.dhcp.poll_at(), None, "there is nothing to give back");
    assert!(!client.heeds(&Answer::new(OFFER, &discover)));
}

#[test]
fn a_clock_that_leaps_over_everything_loses_the_lease_once() {
    let (mut client, _) = Client::bound(|ack| ack);
    client.now = at(1_000_000);
    assert_eq!(client.dhcp.poll(client.now), Some(Event::Lost(ADDRESS)));
    assert_eq!(client.dhcp.poll(client.now), None);
    assert_eq!(client.sends().kind(), DISCOVER);
}

#[test]
fn an_answer_that_comes_with_the_end_of_the_lease_comes_too_late() {
    let (mut client, _) = Client::bound(|ack| ack.lasting(100));
    let mut request = client.sends();
    while client.dhcp.poll_at().unwrap() < at(100) {
        request = client.sends();
    }
    client.now = at(100);
    assert!(!client.heeds(&Answer::new(ACK, &request)));
}

#[test]
fn after_the_link_was_down_the_server_is_asked_whether_the_lease_holds() {
    let (mut client, _) = Client::bound(|ack| ack);
    client.now = at(600);
    client.dhcp.relink(client.now);
    assert!(client.dhcp.lease().is_some(), "it is lived on meanwhile");
    let request = client.sends();
    assert_eq!((request.kind(), client.now), (REQUEST, at(600)));
    assert_eq!(request.route.source, NOBODY);
    assert_eq!(request.route.destination, EVERYBODY);
    assert_eq!(request.field(CIADDR), [0; 4]);
    assert_eq!(request.address_option(REQUESTED_ADDRESS), Some(ADDRESS));
    assert_eq!(request.address_option(SERVER_IDENTIFIER), None);
    // Whichever server is there.
    let answer = Answer::new(ACK, &request).with(SERVER_IDENTIFIER, &OTHER_SERVER.octets());
    let Some(Event::Renewed(lease)) = client.hear(&answer) else {
        panic!("not acknowledged");
    };
    assert_eq!((lease.server, lease.since), (OTHER_SERVER, at(600)));

    client.dhcp.relink(client.now);
    let request = client.sends();
    let wrong = Answer::new(ACK, &request).field(YIADDR, &[192, 168, 69, 51]);
    assert!(!client.heeds(&wrong));
    let refusal = Answer::new(NAK, &request);
    assert_eq!(client.hear(&refusal), Some(Event::Lost(ADDRESS)));
    assert_eq!(client.sends().kind(), DISCOVER);
}

#[test]
fn where_nobody_says_no_after_the_link_was_down_the_lease_goes_on_as_before() {
    let (mut client, before) = Client::bound(|ack| ack);
    client.now = at(600);
    client.dhcp.relink(client.now);
    for _ in 0..4 {
        assert_eq!(client.sends().route.destination, EVERYBODY);
    }
    let request = client.sends();
    assert_eq!((client.now, request.route.destination), (at(1_800), SERVER));
    assert_eq!(client.dhcp.lease(), Some(&before));
}

#[test]
fn who_has_no_lease_when_the_link_comes_back_begins_again_at_once() {
    let (mut client, request) = Client::requesting();
    client.hear(&Answer::new(ACK, &request));
    client.now = at(2);
    client.dhcp.relink(client.now);
    assert_eq!(
        client.dhcp.is_free(client.now, ADDRESS),
        None,
        "another link"
    );
    assert_eq!((client.sends().kind(), client.now), (DISCOVER, at(2)));
}
