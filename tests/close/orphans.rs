//! Connections that nobody holds any more: they end by themselves, unless their peer still reads.

use std::time::Duration;

use glasstack::Error;
use glasstack::smoltcp::time::Duration as Time;
use glasstack::stack::{CLOSE_TIMEOUT, ORPHAN_TIMEOUT};
use glasstack::trace::State;

use crate::net::{Net, SERVER};

#[test]
fn an_orphan_in_fin_wait_2_ends_after_the_close_timeout() {
    let mut net = Net::new();
    let (client, _accepted, _) = net.pair(SERVER);
    net.client.stack.close(client).unwrap();
    net.run();
    let closed = net.now;
    assert_eq!(net.client.states().last(), Some(&State::FinWait2));
    net.run_until(closed + CLOSE_TIMEOUT.into() - Time::from_micros(1));
    assert_eq!(net.client.stack.usage().connections, 1);
    net.run_until(closed + CLOSE_TIMEOUT.into());
    assert_eq!(net.client.stack.usage().connections, 0);
}

#[test]
fn an_orphan_in_fin_wait_2_ends_however_often_its_peer_speaks() {
    let mut net = Net::new();
    let (client, _accepted, _) = net.pair(SERVER);
    net.client.keep_alive(client, Some(Duration::from_secs(1)));
    net.client.stack.close(client).unwrap();
    net.run_for(Time::from_secs(59));
    assert_eq!(net.client.stack.usage().connections, 1);
    net.run_for(Time::from_secs(1));
    assert_eq!(net.client.stack.usage().connections, 0);
}

#[test]
fn an_orphan_whose_peer_vanished_ends() {
    for data in [0, 5_000] {
        let mut net = Net::new();
        let (client, _accepted, _) = net.pair(SERVER);
        net.cut();
        if data > 0 {
            net.client.stack.send(client, &vec![7; data]).unwrap();
        }
        net.client.stack.close(client).unwrap();
        let closed = net.now;
        net.run_until(closed + ORPHAN_TIMEOUT.into() - Time::from_micros(1));
        assert_eq!(net.client.stack.usage().connections, 1);
        net.run_until(closed + ORPHAN_TIMEOUT.into());
        assert_eq!(
            net.client.stack.usage().connections,
            0,
            "with {data} octets queued"
        );
        // And nothing goes on afterwards.
        assert_eq!(net.client.deadline, None);
    }
}

#[test]
fn an_orphan_with_much_to_send_is_not_given_up_while_its_peer_reads() {
    let mut net = Net::new();
    let (client, accepted, _) = net.pair(SERVER);
    // The peer's window fills, then the send buffer: more than one window is left when the socket closes.
    let mut sent = 0;
    while let Ok(count) = net.client.stack.send(client, &[7; 1_000]) {
        sent += count;
        net.run_for(Time::from_millis(20));
    }
    assert!(sent > 12_000);
    net.client.stack.close(client).unwrap();
    let mut received = 0;
    let mut is_over = false;
    // Two hundred octets every two seconds: far longer than the close timeout.
    for _ in 0..1_000 {
        net.run_for(Time::from_secs(2));
        let mut buffer = [0; 200];
        match net.server.stack.recv(accepted, &mut buffer) {
            Ok(0) => {
                is_over = true;
                break;
            }
            Ok(count) => received += count,
            Err(error) => assert_eq!(error, Error::WouldBlock),
        }
    }
    assert_eq!((received, is_over), (sent, true));
}
