//! A host that has streams and datagrams on a link, and nothing else: what it says to who asks for more.
#![cfg(not(any(feature = "fragments", feature = "raw", feature = "path-mtu")))]

use std::net::{Ipv4Addr, SocketAddr};

use glasstack::smoltcp::phy::{Device, DeviceCapabilities, Medium, RxToken, TxToken};
use glasstack::smoltcp::time::Instant;
use glasstack::stack::{Domain, Protocol, Storage, Type};
use glasstack::{Error, Result, Stack};

/// Keeps what leaves.
#[derive(Default)]
struct Link(Vec<Vec<u8>>);

struct Nothing;

impl RxToken for Nothing {
    fn consume<R, F: FnOnce(&[u8]) -> R>(self, f: F) -> R {
        f(&[])
    }
}

struct Frame<'l>(&'l mut Vec<Vec<u8>>);

impl TxToken for Frame<'_> {
    fn consume<R, F: FnOnce(&mut [u8]) -> R>(self, len: usize, f: F) -> R {
        let mut frame = vec![0; len];
        let result = f(&mut frame);
        self.0.push(frame);
        result
    }
}

impl Device for Link {
    type RxToken<'a> = Nothing;
    type TxToken<'a> = Frame<'a>;

    fn receive(&mut self, _: Instant) -> Option<(Nothing, Frame<'_>)> {
        None
    }

    fn transmit(&mut self, _: Instant) -> Option<Frame<'_>> {
        Some(Frame(&mut self.0))
    }

    fn capabilities(&self) -> DeviceCapabilities {
        let mut capabilities = DeviceCapabilities::default();
        capabilities.medium = Medium::Ip;
        capabilities.max_transmission_unit = 600;
        capabilities
    }
}

#[test]
fn a_datagram_fills_a_packet_which_routers_may_cut_and_is_no_longer_than_that() -> Result<()> {
    let mut device = Link::default();
    let mut storage = Storage::<3, 1, 1, 2048>::new();
    let mut stack = Stack::new(&mut storage, [7; 16], ());
    let link = stack.add_interface(&mut device, None)?;
    stack.add_address(link, Ipv4Addr::new(10, 0, 0, 1).into(), 24)?;
    let socket = stack.socket(Domain::Inet, Type::Datagram)?;
    let to: SocketAddr = ([10, 0, 0, 2], 9999).into();

    let refused = stack.sendto(socket, &[0; 573], to);
    assert_eq!(refused, Err(Error::MessageTooLong));
    assert_eq!(stack.sendto(socket, &[0; 572], to), Ok(572));
    let _ = stack.poll(link, Instant::ZERO, &mut device);
    let [packet] = &device.0[..] else {
        panic!("{} packets", device.0.len());
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
    let mut storage = Storage::<3, 1, 1, 64>::new();
    let mut stack = Stack::new(&mut storage, [7; 16], ());
    let socket = stack.socket(Domain::Inet, Type::Raw(Protocol::ICMP));
    assert_eq!(socket, Err(Error::NotSupported));
    assert_eq!(stack.usage().sockets, 0);
}
