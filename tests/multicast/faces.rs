//! Groups by the names of `std`, blocking and asynchronous.

use std::io::{self, ErrorKind};
use std::net::{Ipv4Addr, Ipv6Addr};
use std::time::Duration;

use glasstack::device::Wire;
use glasstack::host::Host;
use glasstack::sim::{Link, Simulation};
use glasstack::smoltcp::phy::Medium;
use glasstack::socket::{self, blocking::UdpSocket};
use glasstack::{Error, Result};

use crate::scene::{ip, link};

const V4: Ipv4Addr = Ipv4Addr::new(239, 1, 2, 3);
const V6: Ipv6Addr = Ipv6Addr::new(0xff02, 0, 0, 0, 0, 0, 0, 0x1234);

fn pair() -> io::Result<[Host; 2]> {
    let (left, right) = Wire::new(Medium::Ethernet, 1514).ends();
    let host = |number: u8, end| {
        Host::builder()
            .hardware_address([2, 0, 0, 0, 0, number])
            .address([10, 0, 0, number].into(), 24)
            .address([0xfd00, 0, 0, 0, 0, 0, 0, u16::from(number)].into(), 64)
            .start(end)
    };
    Ok([host(1, left)?, host(2, right)?])
}

#[test]
fn blocking_sockets_have_the_names_of_std() -> io::Result<()> {
    let [here, there] = pair()?;
    let sender = UdpSocket::bind(&here, "[::]:9999")?;
    let member = UdpSocket::bind(&there, "[::]:9999")?;
    member.set_read_timeout(Some(Duration::from_secs(10)))?;
    member.join_multicast_v4(&V4, &Ipv4Addr::UNSPECIFIED)?;
    member.join_multicast_v6(&V6, 0)?;
    // The link by its address or its number is the one that the route takes.
    let again = member.join_multicast_v4(&V4, &Ipv4Addr::new(10, 0, 0, 2));
    assert_eq!(again.map_err(|e| e.kind()), Err(ErrorKind::AddrInUse));
    let again = member.join_multicast_v6(&V6, 1);
    assert_eq!(again.map_err(|e| e.kind()), Err(ErrorKind::AddrInUse));
    for unknown in [
        member.join_multicast_v4(&V4, &Ipv4Addr::new(10, 0, 0, 3)),
        member.join_multicast_v6(&V6, 7),
        member.join_multicast_v6(&V6, 70_000),
        member.leave_multicast_v6(&V6, 7),
    ] {
        let error = unknown.unwrap_err().into_inner().unwrap();
        assert_eq!(error.downcast_ref(), Some(&Error::NoDevice));
    }

    let mut buffer = [0; 9];
    for group in [ip("239.1.2.3"), ip("ff02::1234")] {
        sender.send_to(b"all", (group, 9999))?;
        assert_eq!(member.recv_from(&mut buffer)?.0, 3);
    }
    member.leave_multicast_v4(&V4, &Ipv4Addr::UNSPECIFIED)?;
    member.leave_multicast_v6(&V6, 1)?;
    let again = member.leave_multicast_v6(&V6, 1);
    assert_eq!(
        again.map_err(|e| e.kind()),
        Err(ErrorKind::AddrNotAvailable)
    );

    assert!(sender.multicast_loop_v4()? && sender.multicast_loop_v6()?);
    sender.set_multicast_loop_v4(false)?;
    assert!(!sender.multicast_loop_v4()?);
    sender.set_multicast_loop_v6(true)?;
    assert!(sender.multicast_loop_v6()?);
    assert_eq!(sender.multicast_ttl_v4()?, 1);
    sender.set_multicast_ttl_v4(255)?;
    assert_eq!(sender.multicast_ttl_v4()?, 255);
    let longer = sender.set_multicast_ttl_v4(256).map_err(|e| e.kind());
    assert_eq!(longer, Err(ErrorKind::InvalidInput));
    sender.set_multicast_interface(Some(link(1)))?;
    sender.send_to(b"none", (ip("239.1.2.3"), 9999))?;
    member.set_read_timeout(Some(Duration::from_millis(50)))?;
    let nothing = member.recv_from(&mut buffer).map_err(|e| e.kind());
    assert_eq!(nothing, Err(ErrorKind::WouldBlock));
    Ok(())
}

#[test]
fn asynchronous_sockets_join_and_leave() {
    let mut net = Simulation::new(7);
    let [here, there] = ["here", "there"].map(|name| net.host(name).unwrap());
    let ends = (
        (here, &["10.0.0.1/24", "fd00::1/64"]),
        (there, &["10.0.0.2/24", "fd00::2/64"]),
    );
    net.link(Link::ethernet(1514), ends.0, ends.1).unwrap();
    let heard = net.spawn(there, "member", |network| async move {
        let socket = socket::UdpSocket::bind(network, "[::]:9999".parse().unwrap())?;
        let mut heard = Vec::new();
        for group in [ip("239.1.2.3"), ip("ff02::1234")] {
            socket.join_multicast(group, None)?;
            assert_eq!(
                socket.join_multicast(group, Some(link(1))),
                Err(Error::AddrInUse)
            );
            let mut buffer = [0; 9];
            let received = socket.recv_from(&mut buffer).await?;
            heard.push((received.to.ip().to_canonical(), received.hop_limit));
            socket.leave_multicast(group, None)?;
        }
        Result::Ok(heard)
    });
    let heard = heard.unwrap();
    let sent = net.spawn(here, "sender", |network| async move {
        let socket = socket::UdpSocket::bind(&*network, "[::]:9999".parse().unwrap())?;
        socket.set_multicast_loop(false)?;
        socket.set_multicast_hop_limit(3)?;
        socket.set_multicast_interface(Some(link(1)))?;
        for group in [ip("239.1.2.3"), ip("ff02::1234")] {
            socket::sleep(&*network, Duration::from_secs(1)).await?;
            socket.send_to(b"all", (group, 9999).into()).await?;
        }
        Result::Ok(())
    });
    let sent = sent.unwrap();
    net.run().unwrap();
    assert_eq!(sent.take(), Some(Ok(())));
    let both = vec![(ip("239.1.2.3"), 3), (ip("ff02::1234"), 3)];
    assert_eq!(heard.take(), Some(Ok(both)));
}
