//! `SO_SNDBUF` and `SO_RCVBUF`.

use glasstack::smoltcp::phy::Medium;
use glasstack::smoltcp::time::Duration as Time;
use glasstack::stack::option::{ReceiveBuffer, ReceiveQueued, SendBuffer, SendQueued};
use glasstack::stack::{Capacity, Domain, Type};
use glasstack::{Error, Fd};

use crate::net::segment::SYN;
use crate::net::{Net, SERVER, SERVER_V6, Side, capacity};

#[test]
fn they_are_the_storages_unless_set_and_never_more() {
    let mut net = Net::new();
    for (kind, all) in [
        (Type::Stream, capacity().send_buffer),
        (Type::Datagram, capacity().datagram_buffer),
    ] {
        let stack = &mut net.client.stack;
        let fd = stack.socket(Domain::Inet, kind).unwrap();
        assert_eq!(stack.getsockopt(fd, SendBuffer), Ok(all));
        assert_eq!(stack.getsockopt(fd, ReceiveBuffer), Ok(all));
        for (set, sends, receives) in [(0, 1, 2_304), (3_000, 3_000, 3_000), (usize::MAX, all, all)]
        {
            stack.setsockopt(fd, SendBuffer, set).unwrap();
            stack.setsockopt(fd, ReceiveBuffer, set).unwrap();
            assert_eq!(stack.getsockopt(fd, SendBuffer), Ok(sends));
            assert_eq!(stack.getsockopt(fd, ReceiveBuffer), Ok(receives));
        }
    }
}

#[test]
fn a_stream_queues_no_more_than_its_send_buffer() {
    let mut net = Net::new();
    let (client, accepted, _) = net.pair(SERVER);
    let stack = &mut net.client.stack;
    stack.setsockopt(client, SendBuffer, 1_000).unwrap();
    assert_eq!(stack.send(client, &[7; 700]), Ok(700));
    assert_eq!(stack.send(client, &[7; 700]), Ok(300));
    assert_eq!(stack.send(client, &[7; 700]), Err(Error::WouldBlock));
    assert!(!stack.readiness(client).unwrap().writable);
    assert_eq!(stack.getsockopt(client, SendQueued), Ok(1_000));
    net.run_for(Time::from_secs(1));
    assert!(net.client.stack.readiness(client).unwrap().writable);
    assert_eq!(net.client.stack.getsockopt(client, SendQueued), Ok(0));
    assert_eq!(
        net.server.stack.getsockopt(accepted, ReceiveQueued),
        Ok(1_000)
    );
    // More of it, as soon as it is set.
    net.client
        .stack
        .setsockopt(client, SendBuffer, 5_000)
        .unwrap();
    assert_eq!(net.client.stack.send(client, &[7; 6_000]), Ok(5_000));
}

/// The ends of all windows that the server has offered, as numbers of octets from the first one on.
fn offered(net: &Net, scale: u32) -> Vec<u32> {
    let client = net.segments(Side::Client);
    let first = client.iter().find(|s| s.has(SYN)).unwrap().end();
    let sent = net.segments(Side::Server);
    let end = |s: &crate::net::segment::Segment| {
        let scale = if s.has(SYN) { 0 } else { scale };
        s.ack
            .wrapping_add(u32::from(s.window) << scale)
            .wrapping_sub(first)
    };
    sent.iter().map(end).collect()
}

/// Sends a hundred thousand octets to a server that reads a little at a time; how long that took.
fn transfer(net: &mut Net, client: Fd, accepted: Fd, limit: u32, scale: u32) -> Time {
    let (mut sent, mut read) = (0usize, 0usize);
    let start = net.now;
    let octet = |index: usize| (index % 251) as u8;
    while read < 100_000 {
        let data: Vec<u8> = (sent..(sent + 2_000).min(100_000)).map(octet).collect();
        if !data.is_empty() {
            sent += net.client.stack.send(client, &data).unwrap_or(0);
        }
        net.run_for(Time::from_millis(20));
        let mut buffer = [0; 900];
        if let Ok(len) = net.server.stack.recv(accepted, &mut buffer) {
            assert!(
                buffer[..len]
                    .iter()
                    .zip(read..)
                    .all(|(is, at)| *is == octet(at))
            );
            read += len;
        }
        let last = offered(net, scale).into_iter().max().unwrap();
        assert!(
            last <= read as u32 + limit,
            "{last} beyond {read} + {limit}"
        );
    }
    net.now - start
}

#[test]
fn a_stream_offers_no_more_than_its_receive_buffer_and_loses_no_time() {
    for (buffer, scale) in [(8_192, 0), (1 << 20, 5)] {
        for server in [SERVER, SERVER_V6] {
            let capacity = Capacity {
                receive_buffer: buffer,
                ..capacity()
            };
            let mut net = Net::with(Medium::Ethernet, capacity.clone(), capacity);
            let address: std::net::SocketAddr = server.parse().unwrap();
            let domain = crate::net::domain_of(address);
            let listener = net.server.listen(domain, address.port(), 1);
            // A listener's is its connections', from the SYN-ACK on.
            net.server
                .stack
                .setsockopt(listener, ReceiveBuffer, 4_000)
                .unwrap();
            let client = net.client.connect(server);
            net.run();
            let (accepted, _) = net.server.stack.accept(listener).unwrap();
            assert_eq!(
                net.server.stack.getsockopt(accepted, ReceiveBuffer),
                Ok(4_000)
            );
            assert_eq!(net.segments(Side::Server)[0].window, 4_000);
            let took = transfer(&mut net, client, accepted, 4_000, scale);
            // A window that opens unnoticed would cost a second's probe each time.
            assert!(took < Time::from_secs(5), "{took}");
        }
    }
}

#[test]
fn a_window_that_was_offered_is_not_taken_back() {
    let mut net = Net::new();
    let (client, accepted, _) = net.pair(SERVER);
    let before = offered(&net, 0).into_iter().max().unwrap();
    assert_eq!(before, 8_192);
    net.server
        .stack
        .setsockopt(accepted, ReceiveBuffer, 2_304)
        .unwrap();
    for _ in 0..6 {
        let mut ends = offered(&net, 0);
        net.client.stack.send(client, &[7; 1_000]).unwrap();
        net.run_for(Time::from_millis(20));
        ends = offered(&net, 0).split_off(ends.len());
        assert!(ends.iter().all(|end| *end == before), "{ends:?}");
    }
    // What is offered next is less.
    net.server.recv(accepted).unwrap();
    net.run_for(Time::from_millis(20));
    let last = *offered(&net, 0).last().unwrap();
    assert_eq!(last, 6_000 + 2_304);
}

#[test]
fn datagrams_beyond_the_buffers_wait_or_are_lost() {
    let mut net = Net::new();
    let sender = net.client.datagram(Domain::Inet, 1);
    let receiver = net.server.datagram(Domain::Inet, 9999);
    let to = SERVER.parse().unwrap();
    net.client
        .stack
        .setsockopt(sender, SendBuffer, 1_000)
        .unwrap();
    net.server
        .stack
        .setsockopt(receiver, ReceiveBuffer, 2_500)
        .unwrap();
    assert_eq!(net.client.stack.sendto(sender, &[1; 600], to), Ok(600));
    let second = net.client.stack.sendto(sender, &[2; 600], to);
    assert_eq!(second, Err(Error::WouldBlock));
    net.run();
    for _ in 0..4 {
        net.client.stack.sendto(sender, &[2; 600], to).unwrap();
        net.run();
    }
    // One larger than the buffer goes through where nothing waits.
    assert_eq!(net.client.stack.sendto(sender, &[3; 1_400], to), Ok(1_400));
    net.run();
    let stack = &mut net.server.stack;
    assert_eq!(stack.getsockopt(receiver, ReceiveQueued), Ok(600));
    let lens: Vec<usize> = std::iter::from_fn(|| net.server.recv(receiver).ok())
        .map(|data| data.len())
        .collect();
    assert_eq!(lens, [600, 600, 600, 600]);
}
