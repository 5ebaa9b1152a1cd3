//! `SO_LINGER`, where nothing waits.

use std::time::Duration;

use glasstack::Error;
use glasstack::smoltcp::time::Duration as Time;
use glasstack::stack::Shutdown;
use glasstack::stack::option::Linger;

use crate::net::segment::{FIN, RST};
use crate::net::{Net, SERVER, SERVER_V6, Side};

#[test]
fn zero_resets_and_what_is_queued_is_lost() {
    for server in [SERVER, SERVER_V6] {
        let mut net = Net::new();
        let (client, accepted, _) = net.pair(server);
        let stack = &mut net.client.stack;
        stack
            .setsockopt(client, Linger, Some(Duration::ZERO))
            .unwrap();
        stack.send(client, b"lost").unwrap();
        stack.close(client).unwrap();
        net.frames.clear();
        net.run();
        let sent = net.segments(Side::Client);
        assert_eq!(sent.len(), 1);
        assert!(sent[0].has(RST) && sent[0].payload.is_empty());
        assert_eq!(net.client.stack.usage().connections, 0);
        assert_eq!(net.server.recv(accepted), Err(Error::ConnectionReset));
    }
}

#[test]
fn none_and_a_time_send_what_is_queued() {
    for linger in [None, Some(Duration::from_secs(5))] {
        let mut net = Net::new();
        let (client, accepted, _) = net.pair(SERVER);
        net.client.stack.setsockopt(client, Linger, linger).unwrap();
        assert_eq!(net.client.stack.getsockopt(client, Linger), Ok(linger));
        net.client.stack.send(client, b"all of it").unwrap();
        net.client.stack.close(client).unwrap();
        net.run_for(Time::from_millis(50));
        assert_eq!(net.server.recv(accepted), Ok(b"all of it".to_vec()));
        assert_eq!(net.server.recv(accepted), Ok(vec![]));
        assert!(net.segments(Side::Client).iter().all(|s| !s.has(RST)));
    }
}

#[test]
fn an_attempt_that_is_given_up_tells_nobody() {
    let mut net = Net::new();
    net.server.listen(glasstack::stack::Domain::Inet, 9999, 1);
    let client = net.client.connect(SERVER);
    let zero = Some(Duration::ZERO);
    net.client.stack.setsockopt(client, Linger, zero).unwrap();
    net.client.stack.close(client).unwrap();
    net.run();
    assert_eq!(net.segments(Side::Client), []);
    assert_eq!(net.client.stack.usage().connections, 0);
}

/// As Linux: both have said all, and the peer has heard it.
#[test]
fn who_waits_for_the_last_word_resets_nothing() {
    let mut net = Net::new();
    let (client, accepted, _) = net.pair(SERVER);
    net.server
        .stack
        .shutdown(accepted, Shutdown::Write)
        .unwrap();
    net.run();
    net.client.stack.shutdown(client, Shutdown::Write).unwrap();
    net.cut();
    net.run();
    assert!(net.segments(Side::Client).last().unwrap().has(FIN));
    let zero = Some(Duration::ZERO);
    net.client.stack.setsockopt(client, Linger, zero).unwrap();
    net.client.stack.close(client).unwrap();
    net.run_for(Time::from_secs(10));
    assert!(net.segments(Side::Client).iter().all(|s| !s.has(RST)));
    assert_eq!(net.client.stack.usage().connections, 0);
}
