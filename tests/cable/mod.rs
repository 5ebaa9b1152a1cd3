//! Two ends of a cable in memory, whose drivers lose frames and have no room when they are told to, and the hosts on it. It needs
//! no feature.
#![allow(dead_code)] // each test uses a part of it

use std::cell::{Cell, RefCell};
use std::collections::VecDeque;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::rc::Rc;

use glasstack::smoltcp::phy::{Device, DeviceCapabilities, Medium, RxToken, TxToken};
use glasstack::smoltcp::time::{Duration, Instant};
use glasstack::stack::{Domain, Fd, InterfaceId, Storage, Type};
use glasstack::{Result, Stack};

pub(crate) type Frames = Rc<RefCell<VecDeque<Vec<u8>>>>;

pub(crate) const HERE: Ipv4Addr = Ipv4Addr::new(10, 0, 0, 1);
pub(crate) const THERE: Ipv4Addr = Ipv4Addr::new(10, 0, 0, 2);
pub(crate) const NOBODY: Ipv4Addr = Ipv4Addr::new(10, 0, 0, 9);

/// An end of a cable, and what its driver makes of it.
pub(crate) struct End {
    pub(crate) receive: Frames,
    pub(crate) send: Frames,
    pub(crate) medium: Medium,
    pub(crate) mtu: usize,
    /// For how many frames the driver has room.
    pub(crate) room: usize,
    /// How many times it has said so.
    asked: Cell<usize>,
    /// How often it may be asked before it has no room, each time anew.
    pub(crate) patience: usize,
    /// How many frames it loses.
    pub(crate) loses: usize,
}

pub(crate) fn cable(medium: Medium) -> (End, End) {
    let (a, b) = (Frames::default(), Frames::default());
    let end = |receive: &Frames, send: &Frames| End {
        receive: receive.clone(),
        send: send.clone(),
        medium,
        mtu: 1_514,
        room: usize::MAX,
        asked: Cell::new(0),
        patience: usize::MAX,
        loses: 0,
    };
    (end(&a, &b), end(&b, &a))
}

pub(crate) struct Received(Vec<u8>);

impl RxToken for Received {
    fn consume<R, F: FnOnce(&[u8]) -> R>(self, f: F) -> R {
        f(&self.0)
    }
}

pub(crate) struct Room<'e> {
    pub(crate) send: Frames,
    loses: &'e mut usize,
    room: &'e mut usize,
}

impl TxToken for Room<'_> {
    fn consume<R, F: FnOnce(&mut [u8]) -> R>(self, len: usize, f: F) -> R {
        let mut frame = vec![0; len];
        let result = f(&mut frame);
        *self.room = self.room.saturating_sub(1);
        if *self.loses > 0 {
            *self.loses -= 1;
        } else {
            self.send.borrow_mut().push_back(frame);
        }
        result
    }
}

impl Device for End {
    type RxToken<'a> = Received;
    type TxToken<'a> = Room<'a>;

    fn receive(&mut self, _: Instant) -> Option<(Received, Room<'_>)> {
        let frame = self.receive.borrow_mut().pop_front()?;
        let room = Room {
            send: self.send.clone(),
            loses: &mut self.loses,
            room: &mut self.room,
        };
        Some((Received(frame), room))
    }

    fn transmit(&mut self, _: Instant) -> Option<Room<'_>> {
        self.asked.set(self.asked.get() + 1);
        if self.room == 0 || self.asked.get() > self.patience {
            self.asked.set(0);
            return None;
        }
        Some(Room {
            send: self.send.clone(),
            loses: &mut self.loses,
            room: &mut self.room,
        })
    }

    fn capabilities(&self) -> DeviceCapabilities {
        let mut capabilities = DeviceCapabilities::default();
        capabilities.medium = self.medium;
        capabilities.max_transmission_unit = self.mtu;
        capabilities
    }
}

/// A host on the cable.
pub(crate) struct Host<'s> {
    pub(crate) stack: Stack<'s>,
    pub(crate) link: InterfaceId,
    pub(crate) end: End,
    pub(crate) next: Option<Instant>,
}

impl<'s> Host<'s> {
    pub(crate) fn new(
        mut stack: Stack<'s>,
        mut end: End,
        addr: impl Into<IpAddr>,
    ) -> Result<Host<'s>> {
        let addr = addr.into();
        let (last, prefix_len) = match addr {
            IpAddr::V4(v4) => (v4.octets()[3], 24),
            IpAddr::V6(v6) => (v6.octets()[15], 64),
        };
        let hardware = (end.medium == Medium::Ethernet).then_some([2, 0, 0, 0, 0, last]);
        let link = stack.add_interface(&mut end, hardware)?;
        stack.add_address(link, addr, prefix_len)?;
        Ok(Host {
            stack,
            link,
            end,
            next: None,
        })
    }

    pub(crate) fn poll(&mut self, now: Instant) {
        self.next = self.stack.poll(self.link, now, &mut self.end);
    }

    pub(crate) fn has_unread(&self) -> bool {
        !self.end.receive.borrow().is_empty()
    }
}

/// Two hosts on a cable, and the time.
pub(crate) struct Hosts<'s> {
    pub(crate) here: Host<'s>,
    pub(crate) there: Host<'s>,
    pub(crate) now: Instant,
}

impl<'s> Hosts<'s> {
    pub(crate) fn new(
        medium: Medium,
        [here, there]: [Stack<'s>; 2],
        [own, other]: [impl Into<IpAddr>; 2],
    ) -> Result<Hosts<'s>> {
        let (a, b) = cable(medium);
        Ok(Hosts {
            here: Host::new(here, a, own)?,
            there: Host::new(there, b, other)?,
            now: Instant::ZERO,
        })
    }

    /// Lets them run for so long.
    pub(crate) fn run(&mut self, time: Duration) {
        let until = self.now + time;
        let hosts = &mut [&mut self.here, &mut self.there];
        run(hosts, &mut self.now, until);
    }
}

/// Two hosts with memory for two connections, two datagram sockets and two links each: for who does not care how much.
pub(crate) fn two_hosts(medium: Medium, test: impl FnOnce(Hosts<'_>) -> Result<()>) -> Result<()> {
    let mut memory = Storage::<6, 2, 2, 2048, 2>::new();
    let mut other = Storage::<6, 2, 2, 2048, 2>::new();
    let here = Stack::new(&mut memory, [1; 16], ());
    let there = Stack::new(&mut other, [2; 16], ());
    test(Hosts::new(medium, [here, there], [HERE, THERE])?)
}

/// Lets the hosts run until nothing is to be done before `until`. Time stands still only for so many turns.
pub(crate) fn run<'s>(hosts: &mut [&mut Host<'s>], now: &mut Instant, until: Instant) {
    let mut turns = 0;
    loop {
        for host in hosts.iter_mut() {
            host.poll(*now);
        }
        let has_unread = hosts.iter().any(|host| host.has_unread());
        let next = hosts.iter().filter_map(|host| host.next).min();
        let next = if has_unread { Some(*now) } else { next };
        match next {
            Some(at) if at <= *now => turns += 1,
            Some(at) if at <= until => (*now, turns) = (at, 0),
            _ => break,
        }
        assert!(turns < 2_000, "polled for ever at {now}");
    }
    *now = until.max(*now);
}

pub(crate) fn after(now: Instant, millis: u64) -> Instant {
    now + Duration::from_millis(millis)
}

pub(crate) fn stream(stack: &mut Stack<'_>) -> Result<Fd> {
    stack.socket(Domain::Inet, Type::Stream)
}

pub(crate) fn datagram(stack: &mut Stack<'_>) -> Result<Fd> {
    stack.socket(Domain::Inet, Type::Datagram)
}

pub(crate) fn listener(stack: &mut Stack<'_>, port: u16) -> Result<Fd> {
    let fd = stream(stack)?;
    stack.bind(fd, at(Ipv4Addr::UNSPECIFIED, port))?;
    stack.listen(fd, 8)?;
    Ok(fd)
}

pub(crate) fn at(addr: Ipv4Addr, port: u16) -> SocketAddr {
    (addr, port).into()
}
