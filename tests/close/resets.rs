//! Resets: who sends one, what the other side's calls say, and which ones are believed.

use glasstack::stack::Shutdown;
use glasstack::{Error, Fd};

use crate::net::segment::{RST, Segment};
use crate::net::{Net, SERVER, Side};
use crate::{resets, slots};

/// The server closes before it has read what the client sent: that is a reset.
fn reset(net: &mut Net, client: Fd, accepted: Fd) {
    net.client.stack.send(client, b"never read").unwrap();
    net.run();
    net.server.stack.close(accepted).unwrap();
    net.run();
}

#[test]
fn close_with_unread_data_resets() {
    let mut net = Net::new();
    let (client, accepted, _) = net.pair(SERVER);
    reset(&mut net, client, accepted);
    assert_eq!(resets(&net, Side::Server), 1);
    assert_eq!(net.client.recv(client), Err(Error::ConnectionReset));
    assert_eq!(net.server.stack.usage().connections, 0);
    net.client.stack.close(client).unwrap();
    net.run();
    assert_eq!(slots(&net), (0, 0));
}

#[test]
fn new_data_after_close_resets() {
    let mut net = Net::new();
    let (client, accepted, _) = net.pair(SERVER);
    net.server.stack.close(accepted).unwrap();
    net.run();
    assert_eq!(net.client.recv(client), Ok(vec![]));
    // The client may still send: it has only heard a FIN. Nobody is there to read it.
    assert_eq!(net.client.stack.send(client, b"too late"), Ok(8));
    net.run();
    assert_eq!(resets(&net, Side::Server), 1);
    assert_eq!(net.server.stack.usage().connections, 0);
    assert_eq!(net.client.stack.send(client, b"x"), Err(Error::BrokenPipe));
}

#[test]
fn a_reset_gives_connection_reset_once_and_then_the_end() {
    let mut net = Net::new();
    let (client, accepted, _) = net.pair(SERVER);
    reset(&mut net, client, accepted);
    let readiness = net.client.stack.readiness(client).unwrap();
    assert!(readiness.error && readiness.closed && readiness.readable && readiness.writable);
    assert_eq!(
        net.client.stack.send(client, b"x"),
        Err(Error::ConnectionReset)
    );
    assert_eq!(net.client.stack.send(client, b"x"), Err(Error::BrokenPipe));
    assert_eq!(net.client.recv(client), Ok(vec![]));
    assert_eq!(
        net.client.stack.getpeername(client),
        Err(Error::NotConnected)
    );
    assert_eq!(
        net.client.stack.shutdown(client, Shutdown::Both),
        Err(Error::NotConnected)
    );
}

#[test]
fn what_arrived_before_a_reset_is_read_first() {
    let mut net = Net::new();
    let (client, accepted, _) = net.pair(SERVER);
    net.server.stack.send(accepted, b"last words").unwrap();
    reset(&mut net, client, accepted);
    assert_eq!(net.client.recv(client), Ok(b"last words".to_vec()));
    assert_eq!(net.client.recv(client), Err(Error::ConnectionReset));
    assert_eq!(net.client.recv(client), Ok(vec![]));
}

#[test]
fn a_reset_outside_the_window_is_ignored() {
    let mut net = Net::new();
    let (client, accepted, _) = net.pair(SERVER);
    let last = net.segments(Side::Client).last().cloned().unwrap();
    let blind = Segment {
        flags: RST,
        seq: last.seq.wrapping_add(1 << 30),
        ..last
    };
    net.inject(Side::Server, &blind);
    net.run();
    net.client.stack.send(client, b"alive").unwrap();
    net.run();
    assert_eq!(net.server.recv(accepted), Ok(b"alive".to_vec()));
}
