//! One host whose link is in the test's hands: frames are built and read octet by octet, and time is a number.
//!
//! Written without the stack's own parsers, so that a mistake in those is not made twice.
#![allow(
    dead_code,
    clippy::unwrap_used,
    clippy::panic,
    reason = "each test file uses its part; a test says what broke by panicking"
)]

use std::{
    collections::VecDeque,
    net::{IpAddr, SocketAddr},
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    task::{Wake, Waker},
};

use glasstack::{
    Stack,
    smoltcp::{
        phy::{Device, DeviceCapabilities, Medium, RxToken, TxToken},
        time::Instant,
    },
    stack::{Domain, InterfaceId},
    trace::Observer,
};

pub(crate) mod ethernet;
pub(crate) mod packet;

/// A link with nobody at the other end but the test.
pub(crate) struct Cable {
    medium: Medium,
    mtu: usize,
    /// What the host receives next.
    pub(crate) incoming: VecDeque<Vec<u8>>,
    /// What the host has sent.
    pub(crate) sent: VecDeque<Vec<u8>>,
}

impl Cable {
    /// A link without a hardware header, on which no neighbor needs to be found.
    pub(crate) fn ip() -> Cable {
        Cable::new(Medium::Ip, 1500)
    }

    pub(crate) fn ethernet() -> Cable {
        Cable::new(Medium::Ethernet, 1514)
    }

    fn new(medium: Medium, mtu: usize) -> Cable {
        Cable {
            medium,
            mtu,
            incoming: VecDeque::new(),
            sent: VecDeque::new(),
        }
    }
}

impl Device for Cable {
    type RxToken<'a> = Frame;
    type TxToken<'a> = Room<'a>;

    fn receive(&mut self, _: Instant) -> Option<(Frame, Room<'_>)> {
        let frame = self.incoming.pop_front()?;
        Some((Frame(frame), Room(&mut self.sent)))
    }

    fn transmit(&mut self, _: Instant) -> Option<Room<'_>> {
        Some(Room(&mut self.sent))
    }

    fn capabilities(&self) -> DeviceCapabilities {
        let mut capabilities = DeviceCapabilities::default();
        capabilities.medium = self.medium;
        capabilities.max_transmission_unit = self.mtu;
        capabilities
    }
}

pub(crate) struct Frame(Vec<u8>);

impl RxToken for Frame {
    fn consume<R, F: FnOnce(&[u8]) -> R>(self, read: F) -> R {
        read(&self.0)
    }
}

pub(crate) struct Room<'a>(&'a mut VecDeque<Vec<u8>>);

impl TxToken for Room<'_> {
    fn consume<R, F: FnOnce(&mut [u8]) -> R>(self, len: usize, write: F) -> R {
        let mut frame = vec![0; len];
        let result = write(&mut frame);
        self.0.push_back(frame);
        result
    }
}

/// Counts how often it is woken.
#[derive(Default)]
pub(crate) struct Alarm(AtomicUsize);

impl Alarm {
    pub(crate) fn new() -> (Arc<Alarm>, Waker) {
        let alarm = Arc::new(Alarm::default());
        (Arc::clone(&alarm), Waker::from(alarm))
    }

    pub(crate) fn count(&self) -> usize {
        self.0.load(Ordering::Relaxed)
    }
}

impl Wake for Alarm {
    fn wake(self: Arc<Self>) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }
}

pub(crate) fn ip(address: &str) -> IpAddr {
    address.parse().unwrap()
}

pub(crate) fn at(address: IpAddr, port: u16) -> SocketAddr {
    SocketAddr::new(address, port)
}

pub(crate) fn domain(address: IpAddr) -> Domain {
    match address {
        IpAddr::V4(_) => Domain::Inet,
        IpAddr::V6(_) => Domain::Inet6,
    }
}

/// A link without a hardware header, on which the stack gets this address.
pub(crate) fn plug<O: Observer>(stack: &mut Stack<'_, O>, address: IpAddr) -> (Cable, InterfaceId) {
    let mut cable = Cable::ip();
    let link = stack.add_interface(&mut cable, None).unwrap();
    let prefix_len = if address.is_ipv4() { 24 } else { 64 };
    stack.add_address(link, address, prefix_len).unwrap();
    (cable, link)
}

/// The two families: a host's address, its neighbor's, and another of the same link.
pub(crate) const FAMILIES: [[&str; 3]; 2] = [
    ["10.0.0.1", "10.0.0.2", "10.0.0.3"],
    ["fd00::1", "fd00::2", "fd00::3"],
];
