//! The Linux runtime: a [`Host`] is a [`Stack`], one or several devices under it (or none), and one thread that drives them.
//!
//! ```
//! use glasstack::host::Host;
//! use glasstack::socket::blocking::{TcpListener, TcpStream};
//! use std::io::{Read, Write};
//!
//! let host = Host::builder().start_loopback()?;
//! let listener = TcpListener::bind(&host, "127.0.0.1:9999")?;
//! let mut client = TcpStream::connect(&host, listener.local_addr()?)?;
//! let (mut server, _) = listener.accept()?;
//! client.write_all(b"Michael")?;
//! let mut name = [0; 7];
//! server.read_exact(&mut name)?;
//! assert_eq!(&name, b"Michael");
//! # std::io::Result::Ok(())
//! ```
//!
//! # Its networks
//!
//! [`Builder::start`] gives it a device, [`Builder::start_on`] several. Its addresses there are [given](Builder::address), or come
//! by themselves: [by DHCP](Builder::dhcp), and [from what routers advertise](Builder::slaac). Then it has them a little later:
//!
//! ```
//! use glasstack::{device::Wire, host::Host, smoltcp::phy::Medium};
//! use std::{io::ErrorKind, time::Duration};
//!
//! let (device, _nobody) = Wire::pair(Medium::Ethernet, 1514);
//! let host = Host::builder().dhcp().start(device)?;
//! let waited = host.wait_until_configured(Duration::from_millis(10));
//! assert_eq!(waited.unwrap_err().kind(), ErrorKind::TimedOut); // no server is there
//! assert!(host.leases().is_empty());
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! Datagrams to a group go to each host that has joined it:
//!
//! ```
//! use glasstack::{device::Wire, host::Host, smoltcp::phy::Medium, socket::blocking::UdpSocket};
//! use std::net::Ipv4Addr;
//!
//! let (left, right) = Wire::pair(Medium::Ethernet, 1514);
//! let here = Host::builder().address("10.0.0.1".parse()?, 24).start(left)?;
//! let there = Host::builder().address("10.0.0.2".parse()?, 24).start(right)?;
//!
//! let group = Ipv4Addr::new(239, 1, 2, 3);
//! let member = UdpSocket::bind(&there, "0.0.0.0:9999")?;
//! member.join_multicast_v4(&group, &Ipv4Addr::UNSPECIFIED)?;
//! UdpSocket::bind(&here, "0.0.0.0:0")?.send_to(b"Who is there?", (group, 9999))?;
//!
//! let mut question = [0; 64];
//! let received = member.recv_message(&mut question)?;
//! assert_eq!(&question[..received.len], b"Who is there?");
//! assert_eq!(received.to.ip(), group); // and not one of its own addresses
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! # How it works
//!
//! The blocking sockets over a host are in [`socket::blocking`]: they mirror `std::net`. A host is a
//! [`Network`] too, so that the asynchronous ones of [`socket`] run on it under any executor.
//!
//! ```text
//!   application threads                                     the driver thread "glasstack"
//!   ───────────────────                                     ─────────────────────────────
//!   stream.write(b"hi")                                     ┌─▶ lock ──────────────────┐
//!     lock ────────────────────────┐                        │     stack.poll(now)      │
//!       stack.set_now(now)         │                        │     sleeps_until = next  │
//!       stack.send(fd, b"hi")      │                        │   unlock ────────────────┘
//!       stack.poll(now)  ──▶ the segment leaves             │
//!       next < sleeps_until? ──────┼── eventfd ─────────────┼─▶ poll(2) on  the devices' descriptors  a frame came
//!     unlock ──────────────────────┘                        │               the eventfd               an earlier deadline
//!       would block?                                        │               sleeps_until              a timer is due
//!       park the thread ◀─────────────── Waker ─────────────┴── or, idle, nothing at all: no tick, no CPU
//! ```
//!
//! A call does the work it causes itself, in its own thread: what is sent leaves at once, without a thread switch. The driver
//! is woken only when something became due earlier than the moment it sleeps towards.

mod builder;
pub(crate) mod clock;
mod driver;
mod engine;
mod interface;
#[cfg(feature = "tap")]
pub mod lab;
mod link;
mod listener;
mod parker;
mod peer;
mod waiter;

pub use builder::Builder;
pub use clock::now;
pub use interface::Interface;
pub use listener::Listener;
pub use parker::Parker;
pub use peer::{Peer, exit_code};

pub(crate) use waiter::{Deadline, wait};

#[cfg(feature = "ipv4")]
use crate::stack::Lease;
use crate::{
    Error, Result, Stack,
    socket::{self, Network},
    stack::{InterfaceAddress, InterfaceId, InterfaceRoute},
};
use engine::Shared;
use std::{fmt, io, net::IpAddr, sync::Arc, time::Duration};

/// How long the driver goes on for connections that were closed, after the last handle of a host is gone.
///
/// Well above a few retransmissions (1 + 2 + 4 s), short enough for the device to be free again soon.
const LINGER: Duration = Duration::from_secs(10);

/// A TCP/IP host inside this process: its own addresses, ports and connections.
///
/// Cheap to clone; every clone and every socket is a handle of the same host. It ends by one of two ways:
///
/// - [`shutdown`](Host::shutdown) closes every socket, waits until what was written has arrived, and stops.
///   Call it at the end of `main`: unlike the kernel's sockets, these do not outlive the process.
/// - When the last handle is dropped, the driver goes on by itself until the peers have acknowledged what the
///   closed connections had queued, 10 s at most. The drop does not wait for it.
#[derive(Clone)]
pub struct Host(Arc<LastHandle>);

/// Shared by all handles of a host, but not by its driver: when it is dropped, nobody is left to call.
struct LastHandle(Arc<Shared>);

impl Drop for LastHandle {
    fn drop(&mut self) {
        self.0.stop(LINGER);
    }
}

impl Host {
    /// Describes a host: its addresses, routes and names. Its devices come last, with [`Builder::start`] or
    /// [`Builder::start_on`].
    pub fn builder() -> Builder {
        Builder::default()
    }

    /// The addresses of a name (or of an address in text form), as `getaddrinfo(3)`: from the static table, then from the
    /// name servers. Waits for the answer. `localhost` is this host, whatever they say.
    ///
    /// # Errors
    /// `NotFound` where the name does not exist or has no address; `TimedOut` where no server answers.
    pub fn resolve(&self, name: &str) -> io::Result<Vec<IpAddr>> {
        match wait(socket::resolve(self, name), Deadline::NEVER) {
            Some(found) => Ok(found?.to_vec()),
            None => Err(Error::TimedOut.into()),
        }
    }

    /// Closes every socket of this host, waits until the peers have acknowledged what was written and the FIN behind it, then
    /// stops the driver and drops the devices. Threads that are blocked in a call, and all calls from now on, get
    /// `ErrorKind::NetworkDown`.
    ///
    /// Data that arrived and was not read turns the close of that connection into a reset (RFC 2525 §2.17), as when a process exits.
    ///
    /// # Errors
    /// `TimedOut` if something was still unacknowledged after `timeout`. The host is stopped all the same.
    pub fn shutdown(&self, timeout: Duration) -> io::Result<()> {
        self.0.0.stop(timeout);
        match self.0.0.wait_for_end() {
            true => Ok(()),
            false => Err(Error::TimedOut.into()),
        }
    }

    /// Every socket of this host at this moment, as `ss -tunaoi` prints the kernel's; see
    /// [`Stack::sockets`](crate::Stack::sockets). Once the host has ended there are none.
    ///
    /// ```
    /// # use glasstack::{host::Host, socket::blocking::UdpSocket};
    /// let host = Host::builder().start_loopback()?;
    /// let _socket = UdpSocket::bind(&host, "127.0.0.1:9999")?;
    /// assert!(host.sockets().contains("udp   UNCONN"));
    /// # std::io::Result::Ok(())
    /// ```
    pub fn sockets(&self) -> String {
        let sockets = self.call(|stack| Ok(stack.sockets().to_string()));
        sockets.unwrap_or_default()
    }

    /// Its interfaces, in the order in which they were described, for the calls of [`Stack`] that name one. Once the host has
    /// ended there are none.
    ///
    /// ```
    /// use glasstack::{device::Wire, host::Host, smoltcp::phy::Medium, socket::Network};
    ///
    /// let (device, _) = Wire::pair(Medium::Ethernet, 1514);
    /// let host = Host::builder().address("10.0.0.1".parse()?, 24).start(device)?;
    /// let interface = host.interfaces()[0];
    /// let second = "10.0.0.3".parse()?;
    /// host.call(|stack| stack.add_address(interface, second, 24))?;
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn interfaces(&self) -> Vec<InterfaceId> {
        self.0.0.lock().links.interfaces().collect()
    }

    /// Waits until every interface that is to get its address by itself has one.
    ///
    /// # Errors
    /// `TimedOut` where one has none after `timeout`: the host goes on asking.
    pub fn wait_until_configured(&self, timeout: Duration) -> io::Result<()> {
        match wait(socket::configured(self), Deadline::after(Some(timeout))) {
            Some(result) => Ok(result?),
            None => Err(Error::TimedOut.into()),
        }
    }

    /// The addresses of its interfaces, those that are not used yet or no more among them. Once the host has ended there are
    /// none.
    ///
    /// ```
    /// use glasstack::{device::Wire, host::Host, smoltcp::phy::Medium, stack::AddressState};
    ///
    /// let (device, _) = Wire::pair(Medium::Ethernet, 1514);
    /// let host = Host::builder().address("10.0.0.1".parse()?, 24).start(device)?;
    /// let addresses = host.addresses();
    /// assert_eq!(addresses[0].1.state, AddressState::Preferred);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn addresses(&self) -> Vec<(InterfaceId, InterfaceAddress)> {
        self.of_each_interface(|stack, interface| stack.addresses(interface).collect())
    }

    /// The routes of its interfaces. Once the host has ended there are none.
    pub fn routes(&self) -> Vec<(InterfaceId, InterfaceRoute)> {
        self.of_each_interface(|stack, interface| stack.routes(interface).collect())
    }

    fn of_each_interface<R>(
        &self,
        list: impl Fn(&Stack<'_, Listener>, InterfaceId) -> Vec<R>,
    ) -> Vec<(InterfaceId, R)> {
        let lists = self.call(|stack| {
            let of_one = |interface| {
                let rows = list(stack, interface).into_iter();
                rows.map(move |row| (interface, row))
            };
            Ok(stack.interfaces().flat_map(of_one).collect())
        });
        lists.unwrap_or_default()
    }

    /// The DHCP leases that the host lives on, interface by interface. Once it has ended there are none.
    #[cfg(feature = "ipv4")]
    pub fn leases(&self) -> Vec<(InterfaceId, Lease)> {
        let interfaces = self.interfaces();
        let leases = self.call(|stack| {
            let lease = |interface: InterfaceId| Some((interface, stack.lease(interface)?.clone()));
            Ok(interfaces.into_iter().filter_map(lease).collect())
        });
        leases.unwrap_or_default()
    }

    /// How often the driver went around its loop: stands still while the host is idle.
    #[doc(hidden)]
    pub fn turns(&self) -> u64 {
        self.0.0.turns()
    }
}

/// A call does the work that it causes itself; the driver thread does the rest.
impl Network for Host {
    type Observer = Listener;

    fn call<R>(&self, operation: impl FnOnce(&mut Stack<'_, Listener>) -> Result<R>) -> Result<R> {
        self.0.0.call(operation)
    }
}

impl fmt::Debug for Host {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Host").finish_non_exhaustive()
    }
}
