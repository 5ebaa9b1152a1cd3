//! How connections end: close, shutdown, reset, and what the slot does afterwards.
#![cfg(all(feature = "std", feature = "ipv4", feature = "ipv6"))]
// A step that fails fails its test.
#![allow(clippy::unwrap_used, clippy::panic)]

mod calls;
#[path = "../net/mod.rs"]
mod net;
mod orphans;
mod resets;
mod slots;

use glasstack::smoltcp::time::Duration as Time;
use net::segment::RST;
use net::{Net, Side};

/// How many connections the client has slots for, and the server.
fn slots(net: &Net) -> (usize, usize) {
    (
        net.client.stack.usage().connections,
        net.server.stack.usage().connections,
    )
}

fn resets(net: &Net, from: Side) -> usize {
    net.segments(from)
        .iter()
        .filter(|segment| segment.has(RST))
        .count()
}

/// Nothing is left when TIME-WAIT is over, and nobody sent a reset.
fn ends_in_order(net: &mut Net) {
    net.run_for(Time::from_secs(11));
    assert_eq!(slots(net), (0, 0));
    assert_eq!(
        (resets(net, Side::Client), resets(net, Side::Server)),
        (0, 0)
    );
}
