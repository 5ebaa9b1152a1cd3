//! An address that goes away, and the sockets that had it.

use std::future::poll_fn;
use std::mem;
use std::net::SocketAddr;
use std::task::Poll;

use glasstack::sim::HostNetwork;
use glasstack::socket::{Network, TcpListener, TcpStream, UdpSocket};
use glasstack::stack::{AddressChange, Domain, Type, Waiting};
use glasstack::trace::{Cause, Happening};
use glasstack::{Error, Result};

use super::net::*;

#[test]
fn connections_and_datagram_sockets_hear_of_it_at_once() {
    let mut net = Net::new(
        &["fd00::1/64", "10.0.0.1/24"],
        &["fd00::66/64", "10.0.0.66/24"],
    );
    let (host, other, link) = (net.host, net.other, net.link(net.host));
    let listener = net.listen(other);
    let (fd, _) = net.connect(host, other, listener, ip("10.0.0.66"));
    let (stays, accepted) = net.connect(host, other, listener, ip("fd00::66"));
    let bound = net.with(host, |stack| {
        let bound = stack.socket(Domain::Inet, Type::Datagram)?;
        stack.bind(bound, (ip("10.0.0.1"), PORT).into())?;
        let connected = stack.socket(Domain::Inet, Type::Datagram)?;
        stack.connect(connected, (ip("10.0.0.66"), PORT).into())?;
        let free = stack.socket(Domain::Inet6, Type::Datagram)?;
        stack.bind(
            free,
            ("::".parse::<std::net::IpAddr>().unwrap(), PORT + 1).into(),
        )?;
        let listening = stack.socket(Domain::Inet, Type::Stream)?;
        stack.bind(listening, (ip("10.0.0.1"), PORT).into())?;
        stack.listen(listening, 1)?;
        Ok([bound, connected, free, listening])
    });
    let [bound, connected, free, listening] = bound.unwrap();
    net.with(host, |stack| stack.remove_address(link, ip("10.0.0.1")))
        .unwrap();

    let recv = |fd| move |stack: &mut glasstack::Stack<'_, _>| stack.recv(fd, &mut [0; 8]);
    assert_eq!(net.with(host, recv(fd)), Err(Error::AddrNotAvailable));
    for fd in [bound, connected] {
        // Once, as any pending error.
        assert_eq!(net.with(host, recv(fd)), Err(Error::AddrNotAvailable));
        assert_eq!(net.with(host, recv(fd)), Err(Error::WouldBlock));
        let to = (ip("10.0.0.66"), PORT).into();
        let sent = net.with(host, |stack| stack.sendto(fd, b"Michael", to));
        assert_eq!(sent, Err(Error::NetworkUnreachable));
    }
    assert_eq!(net.with(host, recv(free)), Err(Error::WouldBlock));
    let accept = net.with(host, |stack| stack.accept(listening));
    assert_eq!(accept, Err(Error::AddrNotAvailable));
    // The other family's connection goes on.
    net.carry((host, stays), (other, accepted));
    // Who was connected is not told: nothing leaves from an address that is gone.
    let after = net.frames(0).len();
    net.run_for(SECOND);
    let from_gone = |frame: &Vec<u8>| frame[12..14] == [8, 0] && frame[26..30] == [10, 0, 0, 1];
    assert!(!net.frames(after).iter().any(from_gone));

    let again = net.with(host, |stack| stack.remove_address(link, ip("10.0.0.1")));
    assert_eq!(again, Err(Error::AddrNotAvailable));
    // It comes back, and can be used again.
    net.with(host, |stack| stack.add_address(link, ip("10.0.0.1"), 24))
        .unwrap();
    let sent = net.with(host, |stack| {
        stack.sendto(bound, b"Michael", (ip("10.0.0.66"), PORT).into())
    });
    assert_eq!(sent, Ok(7));
    let (there, here) = net.connect(other, host, listening, ip("10.0.0.1"));
    net.carry((other, there), (host, here));
}

#[test]
fn it_is_told_with_its_cause() {
    let mut net = Net::new(&["fd00::1/64"], &["fd00::66/64"]);
    let (host, other, link) = (net.host, net.other, net.link(net.host));
    let listener = net.listen(other);
    net.connect(host, other, listener, ip("fd00::66"));
    net.with(host, |stack| stack.remove_address(link, ip("fd00::1")))
        .unwrap();
    let events = net.recording.events();
    let told: Vec<_> = events
        .at(host.station())
        .iter()
        .filter_map(|captured| match captured.event().happening {
            Happening::Address { change, cause, .. } => Some(format!("{change:?} by {cause:?}")),
            Happening::State { to, cause, .. } if cause == Cause::Stack => {
                Some(format!("{to} by {cause:?}"))
            }
            _ => None,
        })
        .collect();
    assert_eq!(told, ["Removed by Call", "CLOSED by Stack"]);
    let removed = format!("{:?}", AddressChange::Removed);
    assert!(told[0].starts_with(&removed));
}

#[test]
fn who_waits_is_woken() {
    let mut net = Net::new(&["fd00::1/64"], &["fd00::66/64"]);
    let (host, other, link) = (net.host, net.other, net.link(net.host));
    let to: SocketAddr = (ip("fd00::66"), PORT).into();
    net.simulation
        .serve(other, "server", move |network| async move {
            let listener = TcpListener::bind(network, to, 1)?;
            let (stream, _) = listener.accept().await?;
            stream.read(&mut [0; 8]).await?;
            Result::Ok(())
        })
        .unwrap();
    let reading = net
        .simulation
        .spawn(host, "reader", move |network| async move {
            let stream = TcpStream::connect(network, to).await?;
            stream.read(&mut [0; 8]).await
        })
        .unwrap();
    let hearing = net
        .simulation
        .spawn(host, "hearer", move |network| async move {
            let socket = UdpSocket::bind(network, (ip("fd00::1"), PORT).into())?;
            socket.recv_from(&mut [0; 8]).await.map(|_| ())
        })
        .unwrap();
    net.run_for(10 * SECOND);
    net.with(host, |stack| stack.remove_address(link, ip("fd00::1")))
        .unwrap();
    net.simulation.run().unwrap();
    assert_eq!(reading.take(), Some(Err(Error::AddrNotAvailable)));
    assert_eq!(hearing.take(), Some(Err(Error::AddrNotAvailable)));
}

#[test]
fn a_change_wakes_who_waits_for_one() {
    let mut net = Net::ready();
    let host = net.host;
    let waiting = net
        .simulation
        .spawn(host, "waits", wait_for_a_change)
        .unwrap();
    net.run_for(100 * SECOND);
    assert_eq!(waiting.take(), None);
    net.advertise(0, &advertisement(10, &[]));
    net.run_for(SECOND);
    assert_eq!(waiting.take(), Some(()));
    // The end of a route is one, too.
    let waiting = net
        .simulation
        .spawn(host, "waits", wait_for_a_change)
        .unwrap();
    net.run_for(8 * SECOND);
    assert_eq!(waiting.take(), None);
    net.run_for(SECOND);
    assert_eq!(waiting.take(), Some(()));
}

/// Waits for one change of the host's configuration.
async fn wait_for_a_change(network: HostNetwork) {
    let mut waiting = Waiting::default();
    let mut has_waited = false;
    poll_fn(|context| {
        if mem::replace(&mut has_waited, true) {
            return Poll::Ready(());
        }
        let wait = |stack: &mut glasstack::Stack<'_, _>| {
            stack.wait_for_configuration(&mut waiting, context.waker());
            Ok(())
        };
        network.call(wait).unwrap();
        Poll::Pending
    })
    .await;
}

#[test]
fn a_host_that_talks_to_itself_hears_of_it_at_both_ends() {
    let mut net = Net::new(&["fd00::1/64"], &[]);
    let (host, link) = (net.host, net.link(net.host));
    let listener = net.listen(host);
    let (fd, accepted) = net.connect(host, host, listener, ip("fd00::1"));
    net.with(host, |stack| stack.remove_address(link, ip("fd00::1")))
        .unwrap();
    for fd in [fd, accepted] {
        let received = net.with(host, |stack| stack.recv(fd, &mut [0; 8]));
        assert_eq!(received, Err(Error::AddrNotAvailable));
    }
}
