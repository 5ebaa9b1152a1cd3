//! A host that has streams and datagrams on a link, and nothing else: what it says to who asks for more.
#![cfg(not(any(feature = "fragments", feature = "raw", feature = "path-mtu")))]

use glasstack::smoltcp::phy::Medium;
use glasstack::smoltcp::time::Instant;
use glasstack::stack::{Domain, Protocol, Storage, Type};
use glasstack::{Error, Result, Stack};

mod cable;

use cable::{HERE, Host, THERE, at, cable};

#[test]
fn a_datagram_fills_a_packet_which_routers_may_cut_and_is_no_longer_than_that() -> Result<()> {
    let (mut end, other) = cable(Medium::Ip);
    end.mtu = 600;
    let mut memory = Storage::<2, 0, 1, 2048>::new();
    let mut host = Host::new(Stack::new(&mut memory, [7; 16], ()), end, HERE)?;
    let socket = host.stack.socket(Domain::Inet, Type::Datagram)?;

    let refused = host.stack.sendto(socket, &[0; 573], at(THERE, 9999));
    assert_eq!(refused, Err(Error::MessageTooLong));
    let sent = host.stack.sendto(socket, &[0; 572], at(THERE, 9999));
    assert_eq!(sent, Ok(572));
    host.poll(Instant::ZERO);
    let packets = Vec::from(other.receive.take());
    let [packet] = &packets[..] else {
        panic!("{} packets", packets.len());
    };
    assert_eq!(packet.len(), 600);
    assert_eq!(
        packet[6..8],
        [0, 0],
        "neither \"don't fragment\" nor a piece"
    );
    Ok(())
}

#[test]
fn there_are_no_raw_sockets() {
    let mut memory = Storage::<3, 1, 1, 64>::new();
    let mut stack = Stack::new(&mut memory, [7; 16], ());
    let socket = stack.socket(Domain::Inet, Type::Raw(Protocol::ICMP));
    assert_eq!(socket, Err(Error::NotSupported));
    assert_eq!(stack.usage().sockets, 0);
}
