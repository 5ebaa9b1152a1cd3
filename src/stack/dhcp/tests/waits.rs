//! How long a client waits for an answer (RFC 2131 §4.1).

use super::*;

#[test]
fn waits_double_from_four_seconds_to_sixty_four_give_or_take_one() {
    let mut all = Vec::new();
    for seed in 0..200 {
        let mut client = Client::of(seed);
        let mut last = client.now;
        let first = client.sends();
        for wait in [4, 8, 16, 32, 64, 64, 64] {
            let discover = client.sends();
            assert_eq!(discover.kind(), DISCOVER);
            assert_eq!(discover.field::<4>(XID), first.field::<4>(XID));
            let passed = client.now - last;
            let shortest = Duration::from_secs(wait - 1);
            let longest = Duration::from_secs(wait + 1);
            assert!(
                passed >= shortest && passed <= longest,
                "{passed} for {wait} s"
            );
            let shift = passed.total_millis() as i64 - wait as i64 * 1_000;
            all.push(shift);
            last = client.now;
        }
    }
    // Over the whole second, and even-handedly.
    assert!(all.iter().any(|shift| *shift < -900) && all.iter().any(|shift| *shift > 900));
    let mean = all.iter().sum::<i64>() / all.len() as i64;
    assert!(mean.abs() < 100, "{mean} ms");
}

#[test]
fn the_server_is_told_how_long_the_client_has_been_waiting() {
    let mut client = Client::new();
    for _ in 0..2_000 {
        let discover = client.sends();
        let seconds = client.now.total_millis() / 1_000;
        let expected = u16::try_from(seconds).unwrap_or(u16::MAX);
        assert_eq!(u16::from_be_bytes(discover.field(SECS)), expected);
    }
    assert!(client.now > at(u64::from(u16::MAX)));
}

#[test]
fn a_request_says_what_its_discover_said() {
    let mut client = Client::new();
    client.sends();
    client.sends();
    let discover = client.sends();
    client.now += Duration::from_secs(2);
    client.hear(&Answer::new(OFFER, &discover));
    for _ in 0..4 {
        let request = client.sends();
        assert_eq!(request.kind(), REQUEST);
        assert_ne!(request.field(SECS), [0, 0]);
        assert_eq!(request.field::<2>(SECS), discover.field::<2>(SECS));
    }
}

#[test]
fn what_went_unanswered_asks_for_a_broadcast() {
    let mut client = Client::new();
    assert_eq!(client.sends().field(FLAGS), [0, 0]);
    assert_eq!(client.sends().field(FLAGS), [0x80, 0]);
    assert_eq!(client.sends().field(FLAGS), [0x80, 0]);
}

#[test]
fn every_exchange_has_a_number_of_its_own() {
    let mut numbers = Vec::new();
    for seed in 0..100 {
        let mut client = Client::of(seed);
        for _ in 0..10 {
            let discover = client.sends();
            client.hear(&Answer::new(OFFER, &discover));
            let request = client.sends();
            client.hear(&Answer::new(NAK, &request));
            numbers.push(discover.field::<4>(XID));
        }
    }
    let count = numbers.len();
    numbers.sort();
    numbers.dedup();
    assert_eq!(numbers.len(), count);
}

#[test]
fn of_a_short_lease_too_there_are_several_requests_before_it_ends() {
    for seconds in [4, 5, 10, 30, 60, 120, 300, 900, 3_600, 86_400] {
        let (mut client, _) = Client::bound(|ack| ack.lasting(seconds));
        let mut requests = 0;
        let mut last = None;
        while client.next_sent().0.kind() == REQUEST {
            requests += 1;
            assert!(last.is_none_or(|last| client.now - last >= Duration::from_millis(375)));
            last = Some(client.now);
        }
        assert_eq!(client.now, at(seconds.into()));
        assert!((3..=30).contains(&requests), "{requests} in {seconds} s");
    }
}
