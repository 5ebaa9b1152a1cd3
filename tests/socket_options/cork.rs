//! `TCP_CORK`.

use glasstack::Fd;
use glasstack::smoltcp::time::Duration as Time;
use glasstack::stack::Shutdown;
use glasstack::stack::option::{Cork, NoDelay};

use crate::net::segment::FIN;
use crate::net::{Net, SERVER, SERVER_V6, Side};

/// A connection whose client is corked, and its ends.
fn scene(server: &str) -> (Net, Fd, Fd) {
    let mut net = Net::new();
    let (client, accepted, _) = net.pair(server);
    net.run_for(Time::from_secs(1));
    net.client.stack.setsockopt(client, Cork, true).unwrap();
    net.frames.clear();
    (net, client, accepted)
}

/// Lengths of the client's segments with data.
fn lens(net: &Net) -> Vec<usize> {
    let sent = net.segments(Side::Client);
    let lens = sent.iter().map(|segment| segment.payload.len());
    lens.filter(|len| *len > 0).collect()
}

#[test]
fn what_does_not_fill_a_segment_waits_for_the_release() {
    for no_delay in [false, true] {
        for (server, full) in [(SERVER, 1_460), (SERVER_V6, 1_440)] {
            let (mut net, client, accepted) = scene(server);
            net.client
                .stack
                .setsockopt(client, NoDelay, no_delay)
                .unwrap();
            net.client.stack.send(client, &[1; 500]).unwrap();
            net.run_for(Time::from_millis(20));
            net.client.stack.send(client, &[2; 500]).unwrap();
            net.run_for(Time::from_millis(20));
            assert_eq!(lens(&net), []);
            // A full one leaves, and the rest waits on when that is acknowledged.
            net.client.stack.send(client, &[3; 1_000]).unwrap();
            net.run_for(Time::from_millis(100));
            assert_eq!(lens(&net), [full]);
            net.client.stack.setsockopt(client, Cork, false).unwrap();
            net.run();
            assert_eq!(lens(&net), [full, 2_000 - full]);
            assert_eq!(net.server.recv(accepted).unwrap().len(), 2_000);
        }
    }
}

#[test]
fn it_holds_for_200_ms() {
    let (mut net, client, _) = scene(SERVER);
    for round in 1..4 {
        let start = net.now;
        net.client.stack.send(client, b"hello").unwrap();
        net.run_until(start + Time::from_millis(200) - Time::from_micros(1));
        assert_eq!(lens(&net).len(), round - 1);
        net.run_until(start + Time::from_millis(200));
        assert_eq!(lens(&net).len(), round);
        net.run_for(Time::from_secs(1));
    }
}

#[test]
fn meanwhile_the_peer_is_acknowledged() {
    let (mut net, client, accepted) = scene(SERVER);
    net.client.stack.send(client, b"half an ").unwrap();
    net.run_for(Time::from_millis(1));
    for _ in 0..4 {
        net.server.stack.send(accepted, b"question").unwrap();
        net.run_for(Time::from_millis(30));
    }
    assert_eq!(lens(&net), []);
    let asked = net.segments(Side::Server);
    assert_eq!(asked.len(), 4, "none was sent twice");
    let answers = net.segments(Side::Client);
    assert_eq!(answers.last().unwrap().ack, asked.last().unwrap().end());
    net.client.stack.send(client, b"answer").unwrap();
    net.client.stack.setsockopt(client, Cork, false).unwrap();
    net.run_for(Time::from_millis(30));
    assert_eq!(lens(&net), [14]);
    assert_eq!(net.server.recv(accepted), Ok(b"half an answer".to_vec()));
    assert_eq!(net.client.recv(client).unwrap().len(), 32);
}

#[test]
fn the_end_takes_it_out() {
    for close in [false, true] {
        let (mut net, client, accepted) = scene(SERVER);
        net.client.stack.send(client, b"the end").unwrap();
        net.run();
        match close {
            true => net.client.stack.close(client).unwrap(),
            false => net.client.stack.shutdown(client, Shutdown::Write).unwrap(),
        }
        net.run();
        let last = net.segments(Side::Client).last().unwrap().clone();
        assert!(last.has(FIN) && last.payload == b"the end");
        assert_eq!(net.server.recv(accepted), Ok(b"the end".to_vec()));
    }
}

#[test]
fn a_lost_segment_comes_again_while_the_rest_is_held() {
    let (mut net, client, accepted) = scene(SERVER);
    net.cut();
    net.client.stack.send(client, &[7; 1_460 + 100]).unwrap();
    net.run_for(Time::from_millis(10));
    net.pass_all();
    net.run_for(Time::from_secs(2));
    assert_eq!(lens(&net), [1_460, 1_460, 100]);
    assert_eq!(net.server.recv(accepted).unwrap().len(), 1_560);
}
