//! API stub for parallel work. The bodies come later; signatures are the contract.
#![allow(missing_docs, unused_variables, clippy::todo)]
use crate::{Result, trace::Observer};
use core::{
    net::{IpAddr, SocketAddr},
    task::Waker,
};
use smoltcp::{phy::Device, time::Instant};

/// A small copyable descriptor; a stale one is `Error::BadDescriptor`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Fd {
    index: u16,
    generation: u32,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Domain {
    Inet,
    Inet6,
}
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Type {
    Stream,
    Datagram,
}
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Shutdown {
    Read,
    Write,
    Both,
}
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct InterfaceId(u8);

/// What `recvfrom` found: `len` bytes were written; the datagram had `size`; cut if size > len.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Received {
    pub len: usize,
    pub size: usize,
    pub from: SocketAddr,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Readiness {
    pub readable: bool,
    pub writable: bool,
    /** both directions are over */
    pub closed: bool,
    pub error: bool,
}
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Interest {
    Readable,
    Writable,
}

/// Heap sizing (feature alloc).
#[derive(Debug, Clone)]
pub struct Capacity {
    /// descriptors (open sockets)
    pub sockets: usize,
    pub connections: usize,
    pub datagrams: usize,
    /// bytes of each TCP connection's receive / send buffer
    pub receive_buffer: usize,
    pub send_buffer: usize,
    /// bytes and packets of each UDP socket's queues, each way
    pub datagram_buffer: usize,
    pub datagram_packets: usize,
    pub pending_syns: usize,
    pub interfaces: usize,
    pub loopback_buffer: usize,
    pub reassemblies: usize,
    pub lookups: usize,
}
impl Default for Capacity {
    fn default() -> Self {
        todo!()
    }
}

pub mod option {
    //! Typed socket options: `stack.setsockopt(fd, NoDelay, true)`, `stack.getsockopt(fd, NoDelay)`.
    pub trait SocketOption {
        type Value;
    }
    macro_rules! o { ($($n:ident: $t:ty),*) => {$(#[derive(Debug, Clone, Copy)] pub struct $n; impl SocketOption for $n { type Value = $t; })*} }
    #[derive(Debug, Clone, Copy, PartialEq, Eq)]
    #[non_exhaustive]
    pub enum CongestionControl {
        None,
        Reno,
        #[cfg(feature = "std")]
        Cubic,
    }
    o!(NoDelay: bool, KeepAlive: Option<core::time::Duration>, HopLimit: u8, V6Only: bool, UserTimeout: Option<core::time::Duration>, Congestion: CongestionControl);
}

pub struct Stack<'a, O: Observer = ()> {
    x: core::marker::PhantomData<&'a mut ()>,
    o: O,
}

impl<O: Observer> Stack<'static, O> {
    /// Storage on the heap. `key`: 128 random bits for sequence numbers, ports, hash tables.
    #[cfg(feature = "alloc")]
    pub fn with_capacity(capacity: Capacity, key: [u8; 16], observer: O) -> Self {
        todo!()
    }
}
impl<'a, O: Observer> Stack<'a, O> {
    /// `hardware_address`: the MAC for an Ethernet device, None for Medium::Ip. The loopback interface exists by itself.
    pub fn add_interface<D: Device>(
        &mut self,
        device: &mut D,
        hardware_address: Option<[u8; 6]>,
    ) -> Result<InterfaceId> {
        todo!()
    }
    pub fn add_address(
        &mut self,
        interface: InterfaceId,
        address: IpAddr,
        prefix_len: u8,
    ) -> Result<()> {
        todo!()
    }
    pub fn set_gateway(&mut self, interface: InterfaceId, gateway: IpAddr) -> Result<()> {
        todo!()
    }
    pub fn add_name_server(&mut self, server: IpAddr) -> Result<()> {
        todo!()
    }
    /// Static name table, asked before the servers.
    pub fn add_name(&mut self, name: &'static str, address: IpAddr) -> Result<()> {
        todo!()
    }

    /// Tells the time without doing work; never goes backwards. Call it before socket calls when no `poll` was recent.
    pub fn set_now(&mut self, now: Instant) {
        todo!()
    }
    /// Does the work that is due on this interface (and on the loopback); returns when to call again at the latest.
    pub fn poll<D: Device + ?Sized>(
        &mut self,
        interface: InterfaceId,
        now: Instant,
        device: &mut D,
    ) -> Option<Instant> {
        todo!()
    }
    /// The same for a stack whose only interface is its loopback.
    pub fn poll_loopback(&mut self, now: Instant) -> Option<Instant> {
        todo!()
    }

    pub fn socket(&mut self, domain: Domain, ty: Type) -> Result<Fd> {
        todo!()
    }
    pub fn bind(&mut self, fd: Fd, address: SocketAddr) -> Result<()> {
        todo!()
    }
    pub fn listen(&mut self, fd: Fd, backlog: usize) -> Result<()> {
        todo!()
    }
    pub fn accept(&mut self, fd: Fd) -> Result<(Fd, SocketAddr)> {
        todo!()
    }
    /// Stream: WouldBlock until done, then Ok once, then AlreadyConnected. Datagram: sets the peer.
    pub fn connect(&mut self, fd: Fd, address: SocketAddr) -> Result<()> {
        todo!()
    }
    pub fn send(&mut self, fd: Fd, data: &[u8]) -> Result<usize> {
        todo!()
    }
    pub fn sendto(&mut self, fd: Fd, data: &[u8], to: SocketAddr) -> Result<usize> {
        todo!()
    }
    pub fn recv(&mut self, fd: Fd, buffer: &mut [u8]) -> Result<usize> {
        todo!()
    }
    pub fn recvfrom(&mut self, fd: Fd, buffer: &mut [u8]) -> Result<Received> {
        todo!()
    }
    pub fn peek(&mut self, fd: Fd, buffer: &mut [u8]) -> Result<usize> {
        todo!()
    }
    pub fn peekfrom(&mut self, fd: Fd, buffer: &mut [u8]) -> Result<Received> {
        todo!()
    }
    pub fn shutdown(&mut self, fd: Fd, how: Shutdown) -> Result<()> {
        todo!()
    }
    pub fn close(&mut self, fd: Fd) -> Result<()> {
        todo!()
    }
    pub fn getsockname(&self, fd: Fd) -> Result<SocketAddr> {
        todo!()
    }
    pub fn getpeername(&self, fd: Fd) -> Result<SocketAddr> {
        todo!()
    }
    pub fn setsockopt<T: option::SocketOption>(
        &mut self,
        fd: Fd,
        option: T,
        value: T::Value,
    ) -> Result<()> {
        todo!()
    }
    pub fn getsockopt<T: option::SocketOption>(&self, fd: Fd, option: T) -> Result<T::Value> {
        todo!()
    }
    /// SO_ERROR: the pending error, taken.
    pub fn take_error(&mut self, fd: Fd) -> Result<Option<crate::Error>> {
        todo!()
    }
    pub fn readiness(&self, fd: Fd) -> Result<Readiness> {
        todo!()
    }
    /// Wakes once when the interest is (or already was) met, or the socket closed or failed. One waker a direction.
    pub fn register_waker(&mut self, fd: Fd, interest: Interest, waker: &Waker) -> Result<()> {
        todo!()
    }

    /// Starts a lookup of a name (or literal); both families that this build has.
    pub fn resolve(&mut self, name: &str) -> Result<Lookup> {
        todo!()
    }
    /// WouldBlock until done; then the addresses, and the lookup is gone. NameNotFound, TimedOut.
    pub fn resolved(&mut self, lookup: Lookup) -> Result<Addresses> {
        todo!()
    }
    pub fn cancel(&mut self, lookup: Lookup) {
        todo!()
    }
    pub fn register_lookup_waker(&mut self, lookup: Lookup, waker: &Waker) -> Result<()> {
        todo!()
    }
    pub fn observer(&mut self) -> &mut O {
        &mut self.o
    }
}
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Lookup {
    index: u16,
    generation: u32,
}
/// Derefs to [IpAddr].
pub type Addresses = heapless::Vec<IpAddr, 8>;
