//! Lookups that nobody asks for any more, and more of them than there is room for.

use glasstack::smoltcp::time::Duration as Time;
use glasstack::stack::Lookup;
use glasstack::{Error, Limit};

use crate::net::capacity;
use crate::server::*;

#[test]
fn cancel_frees_the_row_its_queries_and_their_ports() {
    let (mut net, server) = start();
    for _ in 0..20 {
        let lookup = resolve(&mut net, NAME);
        net.client.stack.cancel(lookup);
        assert_eq!(resolved(&mut net, lookup), Err(Error::BadDescriptor));
        net.client.stack.cancel(lookup);
    }
    questions(&mut net.server, server);
    net.run_for(Time::from_secs(100));
    assert!(questions(&mut net.server, server).is_empty());
    still_works(&mut net, server);
}

#[test]
fn too_many_lookups_at_once_are_exhausted_until_one_is_asked_for() {
    let (mut net, server) = start();
    let all: Vec<Lookup> = (0..capacity().lookups)
        .map(|_| resolve(&mut net, NAME))
        .collect();
    assert_eq!(
        net.client.stack.resolve(NAME),
        Err(Error::Exhausted(Limit::Lookups))
    );
    assert_eq!(
        net.client.stack.resolve("192.0.2.1"),
        Err(Error::Exhausted(Limit::Lookups))
    );
    // The server's queue is short: what it lost is asked again.
    for _ in 0..8 {
        serve(&mut net, server, Question::address);
        net.run_for(Time::from_secs(1));
    }
    for lookup in all {
        assert_eq!(resolved(&mut net, lookup), Ok(BOTH.to_vec()));
    }
    still_works(&mut net, server);
}
