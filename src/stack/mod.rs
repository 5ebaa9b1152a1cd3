//! The heart: BSD socket calls on smoltcp's TCP, without a clock, a thread, a system call or an allocation.
//!
//! A [`Stack`] is told the time and lent a device, does the work that is due, and says when it wants to be called next:
//!
//! ```
//! use core::net::{IpAddr, Ipv4Addr};
//! use glasstack::stack::{Capacity, Domain, Type};
//! use glasstack::{Error, Stack};
//! use glasstack::smoltcp::time::Instant;
//!
//! # fn main() -> glasstack::Result<()> {
//! let key = [7; 16]; // 128 random bits, new ones after each start
//! let mut stack = Stack::with_capacity(Capacity::default(), key, ());
//!
//! let server = stack.socket(Domain::Inet, Type::Stream)?;
//! stack.bind(server, (Ipv4Addr::LOCALHOST, 9999).into())?;
//! stack.listen(server, 5)?;
//!
//! let client = stack.socket(Domain::Inet, Type::Stream)?;
//! let address = (Ipv4Addr::LOCALHOST, 9999).into();
//! assert_eq!(stack.connect(client, address), Err(Error::WouldBlock));
//!
//! let mut now = Instant::ZERO;
//! while let Some(at) = stack.poll_loopback(now) {
//!     if stack.connect(client, address).is_ok() {
//!         break;
//!     }
//!     now = at; // a real host waits until then, or for a frame
//! }
//! let (connection, _) = stack.accept(server)?;
//! stack.send(connection, b"Welcome!")?;
//! stack.poll_loopback(now);
//! let mut buffer = [0; 64];
//! assert_eq!(stack.recv(client, &mut buffer)?, 8);
//! # Ok(())
//! # }
//! ```
//!
//! # On a link
//!
//! Any smoltcp [`Device`] will do: [`add_interface`](Stack::add_interface) shows it with two hosts on a wire.
//!
//! What `poll` returns tells how long the loop may sleep, or how far virtual time may leap: but no frame must wait
//! meanwhile. A leap past one is a timeout for whoever waits for it.
//!
//! Addresses are [given](Stack::add_address), or come by themselves: over IPv4 [from a DHCP server](Stack::start_dhcp), over IPv6
//! [from what routers advertise](Stack::autoconfigure). Sockets [join groups](Stack::join_group) there.
//!
//! # Raw packets
//!
//! A ping, of this host itself; what answers it is the stack:
//!
//! ```
//! # use core::net::Ipv4Addr;
//! # use glasstack::stack::{Capacity, Domain, Protocol, Type};
//! # use glasstack::{Stack, smoltcp::time::Instant};
//! # fn main() -> glasstack::Result<()> {
//! # let mut stack = Stack::with_capacity(Capacity::default(), [7; 16], ());
//! let socket = stack.socket(Domain::Inet, Type::Raw(Protocol::ICMP))?;
//! let request = [8, 0, 0xf7, 0xf7, 0, 7, 0, 1]; // type, code, checksum, identifier 7, sequence number 1
//! stack.sendto(socket, &request, (Ipv4Addr::LOCALHOST, 0).into())?;
//! stack.poll_loopback(Instant::ZERO);
//!
//! let mut packet = [0; 64];
//! assert_eq!(stack.recv(socket, &mut packet)?, 28); // the request itself, behind its IP header: it came to this host
//! assert_eq!(packet[20], 8);
//! stack.recv(socket, &mut packet)?;
//! assert_eq!((packet[20], &packet[24..28]), (0, &request[4..])); // its reply
//! # Ok(())
//! # }
//! ```
//!
//! # The files
//!
//! | file | what it explains |
//! |---|---|
//! | `call`, `tcp`, `udp` | the calls |
//! | `datagram`, `raw` | the queues of datagram and raw sockets; who sees a copy of a packet |
//! | `header`, `link`, `outgoing`, `answer` | packets of the heart's own; echo replies, and errors at a limited rate |
//! | `ingress`, `egress` | a frame's way in and out |
//! | `listen`, `stream`, `connection` | how a connection begins, goes on and ends |
//! | `fd`, `slot`, `storage` | descriptors, sockets, and whose memory they are in |
//! | `pollfd`, `waiting` | many sockets at once; who is woken when |
//! | `snapshot`, `countdown` | every socket on one screen, and how its timer is known |
//! | `interface`, `interfaces`, `loopback`, `neighbor`, `ip`, `flow`, `frame`, `checksum`, `door` | links and addresses, and what the heart reads of a frame |
//! | `addressing`, `address`, `lifetime`, `route` | the host's addresses and routes, and what follows from a change |
//! | `autoconfiguration` | IPv6 addresses and routers found by listening; whether another host has an address |
//! | `policy` | which of several addresses serves best |
//! | `option`, `inquiry`, `reuse` | what a socket is told, and asked; sockets that share a port |
//! | `cork`, `keep_alive`, `window`, `stamp` | options that smoltcp does not know, at its door |
//! | `path`, `round_trip` | how much the way to a host takes, and how long |
//! | `dhcp`, `conflict`, `leasing` | an IPv4 address from a server; whether it is somebody else's; what the interface gets of it |
//! | `challenge` | segments that may be forged |
//! | `amend`, `persist` | segments that smoltcp would take wrongly; what it forgets while it waits |
//! | `glass`, `glimpse` | what the observer is told, and how the heart knows |
//! | `multicast`, `group` | who is in which group, and how routers hear of it |
//! | `fragment`, `icmp` | fragments put together; errors handed to the socket they speak of |
//! | `sequence` | what must not be predictable: sequence numbers, ports |
//! | `resolver`, `dns` | names: the lookups, and a question's way from server to server |
//! | `destination` | which of a name's addresses comes first |
//! | `place`, `moment` | memory that is put to use later; a time that may be missing, in little of it |
//! | `list`, `table`, `deadline` | the structures that keep a frame's cost the same among ten thousand sockets |

mod address;
mod addressing;
mod amend;
mod answer;
#[cfg(feature = "ipv6")]
mod autoconfiguration;
mod call;
mod challenge;
pub(crate) mod checksum;
#[cfg(all(feature = "dhcp", feature = "ipv4"))]
mod conflict;
mod connection;
mod cork;
#[cfg_attr(not(feature = "glass"), path = "countdown/absent.rs")]
mod countdown;
mod datagram;
mod deadline;
#[cfg(feature = "dns")]
mod destination;
#[cfg(all(feature = "dhcp", feature = "ipv4"))]
mod dhcp;
#[cfg(feature = "dns")]
mod dns;
mod door;
mod egress;
mod fd;
mod flow;
#[cfg_attr(not(feature = "fragments"), path = "fragment/absent.rs")]
mod fragment;
pub(crate) mod frame;
mod glass;
#[cfg_attr(not(feature = "glass"), path = "glimpse/absent.rs")]
mod glimpse;
#[cfg_attr(not(feature = "multicast"), path = "group/absent.rs")]
mod group;
mod header;
mod icmp;
mod ingress;
#[cfg(feature = "options")]
mod inquiry;
mod interface;
mod interfaces;
pub(crate) mod ip;
mod keep_alive;
#[cfg_attr(
    not(all(feature = "dhcp", feature = "ipv4")),
    path = "leasing/absent.rs"
)]
mod leasing;
mod lifetime;
mod link;
mod list;
mod listen;
#[cfg_attr(not(feature = "loopback"), path = "loopback/absent.rs")]
mod loopback;
mod moment;
#[cfg(feature = "multicast")]
mod multicast;
mod neighbor;
#[cfg(feature = "options")]
pub mod option;
#[cfg(not(feature = "options"))]
#[path = "option/absent.rs"]
mod option;
mod outgoing;
#[cfg_attr(not(feature = "path-mtu"), path = "path/absent.rs")]
mod path;
mod persist;
mod place;
mod policy;
mod pollfd;
#[cfg_attr(not(feature = "raw"), path = "raw/absent.rs")]
mod raw;
#[cfg_attr(not(feature = "dns"), path = "resolver/absent.rs")]
mod resolver;
mod reuse;
mod round_trip;
mod route;
mod sequence;
mod slot;
mod snapshot;
mod stamp;
mod storage;
mod stream;
mod table;
mod tcp;
mod udp;
#[cfg_attr(not(feature = "tasks"), path = "waiting/absent.rs")]
mod waiting;
mod window;

use core::net::SocketAddr;

use managed::ManagedSlice;
use smoltcp::phy::{Device, RxToken};
use smoltcp::time::Instant;

pub use address::{AddressChange, AddressState, InterfaceAddress, Origin};
#[cfg(feature = "ipv6")]
pub use autoconfiguration::InterfaceIdentifier;
pub use connection::{
    CLOSE_TIMEOUT, CONNECT_TIMEOUT, DATA_TIMEOUT, HANDSHAKE_TIMEOUT, KEEP_ALIVE_PROBES,
    ORPHAN_TIMEOUT,
};
#[cfg(all(feature = "dhcp", feature = "ipv4"))]
pub use dhcp::{Lease, Terms};
pub use fd::Fd;
#[cfg(feature = "fragments")]
pub use fragment::storage_for as reassembly_storage;
pub use pollfd::{Events, PollFd};
#[cfg(feature = "dns")]
pub use resolver::{Addresses, Lookup};
pub use route::{InterfaceRoute, Route};
#[cfg(feature = "alloc")]
pub use storage::Capacity;
pub use storage::Storage;
pub use udp::Message;
#[cfg(feature = "tasks")]
pub use waiting::Waiting;
#[cfg(feature = "tasks")]
pub(crate) use waiting::Woken;

use crate::trace::{Cause, Observer};
use answer::RateLimit;
use deadline::Deadlines;
use fd::Descriptors;
use fragment::Reassemblies;
use group::Joined;
use ingress::Incoming;
#[cfg(feature = "loopback")]
use interface::NetworkInterface;
use interfaces::Interfaces;
use link::{Port, Reply};
use list::{Link, List};
use listen::Pending;
use path::Paths;
use raw::RawSockets;
use resolver::Resolver;
use sequence::Secret;
use slot::Slots;
use storage::Parts;
use table::Table;
use waiting::Wakers;

/// Frames that one `poll` takes in before it lets the caller go on; it then asks to be called again at once.
const INGRESS_BURST: usize = 256;

/// Where the clock stops, 146,000 years from its start: what is due later must still fit into it.
pub(crate) const LAST_MOMENT: Instant = Instant::from_micros_const(i64::MAX / 2);

/// The address family of a socket: `AF_INET` or `AF_INET6`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Domain {
    /// IPv4.
    Inet,
    /// IPv6, and IPv4 as mapped addresses (RFC 3493 §3.7).
    Inet6,
}

/// The type of a socket: `SOCK_STREAM`, `SOCK_DGRAM` or `SOCK_RAW`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Type {
    /// TCP.
    Stream,
    /// UDP.
    Datagram,
    /// IP packets of one protocol (feature `raw`).
    Raw(Protocol),
}

/// The number of the protocol that an IP packet carries (IANA's "Assigned Internet Protocol Numbers").
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Protocol(pub u8);

impl Protocol {
    /// RFC 792.
    pub const ICMP: Protocol = Protocol(1);
    /// RFC 2236.
    pub const IGMP: Protocol = Protocol(2);
    /// RFC 9293.
    pub const TCP: Protocol = Protocol(6);
    /// RFC 768.
    pub const UDP: Protocol = Protocol(17);
    /// RFC 4340.
    pub const DCCP: Protocol = Protocol(33);
    /// RFC 4443.
    pub const ICMPV6: Protocol = Protocol(58);
    /// RFC 9260.
    pub const SCTP: Protocol = Protocol(132);
    /// `IPPROTO_RAW`: sends packets of any protocol, with the header that the caller wrote, and receives none.
    pub const RAW: Protocol = Protocol(255);
}

/// Which direction `shutdown` ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Shutdown {
    /// `SHUT_RD`.
    Read,
    /// `SHUT_WR`: FIN follows what is queued.
    Write,
    /// `SHUT_RDWR`.
    Both,
}

/// What a waker waits for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Interest {
    /// Data, a connection to accept, the end, or an error.
    Readable,
    /// Room to send, the end of `connect`, or an error.
    Writable,
}

/// What a socket is ready for, as `select(2)` says it: an error, or the end, is there to be read and to be written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Readiness {
    /// `recv` or `accept` would not block (`POLLIN`).
    pub readable: bool,
    /// `send` would not block, or `connect` is done (`POLLOUT`).
    pub writable: bool,
    /// No more comes than what is there (`POLLRDHUP`).
    pub read_closed: bool,
    /// Both directions are over (`POLLHUP`).
    pub closed: bool,
    /// An error is pending (`POLLERR`).
    pub error: bool,
}

impl Readiness {
    const NONE: Readiness = Readiness {
        readable: false,
        writable: false,
        read_closed: false,
        closed: false,
        error: false,
    };
}

/// What `recvfrom` gave.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Received {
    /// Octets in the buffer.
    pub len: usize,
    /// Octets of the datagram; more than `len` where it was cut (`MSG_TRUNC`).
    pub size: usize,
    /// Who sent it.
    pub from: SocketAddr,
    /// Which of this host's addresses it was sent to, or which group (`IP_PKTINFO`).
    pub to: SocketAddr,
    /// Which interface it came in by (`IP_PKTINFO`).
    pub interface: InterfaceId,
    /// Of a datagram: the hops that it could still have taken (`IP_RECVTTL`).
    pub hop_limit: u8,
    /// Of a datagram: its type of service or traffic class (`IP_RECVTOS`).
    pub traffic_class: u8,
}

/// What of a stack is in use.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Usage {
    /// Open descriptors.
    pub sockets: usize,
    /// TCP connections, those of the background included.
    pub connections: usize,
    /// UDP and raw sockets, those of the background included.
    pub datagrams: usize,
    /// Name lookups, under way or done and not yet asked for: with feature `dns`.
    pub lookups: usize,
    /// Wakers that wait.
    pub wakers: usize,
}

/// Names an interface of a stack.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct InterfaceId(u8);

impl InterfaceId {
    /// The internal loopback.
    pub const LOOPBACK: InterfaceId = InterfaceId(interface::LOOPBACK);

    /// Its number, which is also the scope of the addresses that mean something on its link alone (RFC 4007 §6): from 1 on;
    /// the loopback's is 0.
    pub const fn index(self) -> u32 {
        self.0 as u32
    }

    /// The interface of a number, whether there is one or not.
    pub const fn from_index(index: u32) -> Option<InterfaceId> {
        match index <= u8::MAX as u32 {
            true => Some(InterfaceId(index as u8)),
            false => None,
        }
    }
}

/// A TCP/IP host. See the [module](self) for how it is driven.
///
/// Its memory is a [`Storage`] (or the heap's, of a `Capacity`); an [`Observer`] hears what it does.
pub struct Stack<'a, O: Observer = ()> {
    now: Instant,
    secret: Secret,
    descriptors: Descriptors<'a>,
    /// Connections first, then datagram sockets.
    slots: Slots<'a>,
    /// Where a slot stands among its like: free, half-open, waiting for `accept`, in TIME-WAIT.
    members: ManagedSlice<'a, Link>,
    free_connections: List,
    free_datagrams: List,
    half_open: List,
    time_wait: List,
    /// Where a slot stands with its interface: due or blocked.
    agenda: ManagedSlice<'a, Link>,
    /// Slots that are due, on all interfaces.
    due: usize,
    deadlines: Deadlines<'a>,
    /// From 4-tuples to connections.
    flows: Table<'a>,
    /// The connection that the last segment was for.
    recent: u16,
    /// From ports to the descriptors that are bound to them.
    ports: Table<'a>,
    /// How often a socket was bound.
    binds: u32,
    /// What is known of the ways to other hosts.
    paths: Paths,
    interfaces: Interfaces<'a>,
    loopback: loopback::Queue<'a>,
    pending: Pending<'a>,
    /// A waiting SYN may find room now.
    room: bool,
    reassemblies: Reassemblies<'a>,
    echoes: RateLimit,
    errors: RateLimit,
    /// How many raw sockets are open.
    raw_sockets: RawSockets,
    /// The groups of the sockets.
    joined: Joined,
    resolver: Resolver<'a>,
    wakers: Wakers<'a>,
    /// What the heart is doing: the cause of what happens now.
    cause: Cause,
    observer: O,
}

#[cfg(feature = "alloc")]
impl<O: Observer> Stack<'static, O> {
    /// A stack on the heap. `key` is 128 random bits, new ones after each start: sequence numbers, ports and name
    /// queries cannot be predicted without it.
    pub fn with_capacity(capacity: Capacity, key: [u8; 16], observer: O) -> Self {
        Stack::assemble(capacity.parts(), key, observer)
    }
}

impl<'a, O: Observer> Stack<'a, O> {
    /// A stack in the caller's memory. `key` is 128 random bits, new ones after each start: sequence numbers, ports and
    /// name queries cannot be predicted without it.
    #[allow(clippy::type_complexity)]
    pub fn new<
        const SOCKETS: usize,
        const CONNECTIONS: usize,
        const DATAGRAMS: usize,
        const BUFFER: usize,
        const INTERFACES: usize,
        const SYNS: usize,
        const LOOPBACK: usize,
        const REASSEMBLY: usize,
        const LOOKUPS: usize,
    >(
        storage: &'a mut Storage<
            'a,
            SOCKETS,
            CONNECTIONS,
            DATAGRAMS,
            BUFFER,
            INTERFACES,
            SYNS,
            LOOPBACK,
            REASSEMBLY,
            LOOKUPS,
        >,
        key: [u8; 16],
        observer: O,
    ) -> Self {
        Stack::assemble(storage.parts(), key, observer)
    }

    fn assemble(parts: Parts<'a>, key: [u8; 16], observer: O) -> Self {
        #[cfg_attr(not(feature = "loopback"), allow(unused_mut))]
        let mut secret = Secret::new(key);
        let Parts {
            loopback,
            interfaces: links,
            mut members,
            ..
        } = parts;
        #[cfg(feature = "loopback")]
        let interfaces = {
            let capabilities = loopback.capabilities();
            let seed = secret.random_u64();
            let row = NetworkInterface::new(&capabilities, None, seed, Instant::ZERO);
            Interfaces::new(row, links)
        };
        #[cfg(not(feature = "loopback"))]
        let interfaces = Interfaces::new(links);
        let mut free_connections = List::new();
        let mut free_datagrams = List::new();
        for slot in 0..parts.connections {
            free_connections.push_back(&mut members, slot);
        }
        for slot in 0..parts.datagrams {
            free_datagrams.push_back(&mut members, parts.connections + slot);
        }
        Stack {
            now: Instant::ZERO,
            secret,
            descriptors: parts.descriptors,
            slots: Slots::new(parts.slots),
            members,
            free_connections,
            free_datagrams,
            half_open: List::new(),
            time_wait: List::new(),
            agenda: parts.agenda,
            due: 0,
            deadlines: parts.deadlines,
            flows: parts.flows,
            recent: 0,
            ports: parts.ports,
            binds: 0,
            paths: Paths::new(),
            interfaces,
            loopback,
            pending: parts.pending,
            room: false,
            reassemblies: parts.reassemblies,
            echoes: RateLimit::ECHOES,
            errors: RateLimit::ERRORS,
            raw_sockets: RawSockets::NONE,
            joined: Joined::new(),
            resolver: parts.resolver,
            wakers: parts.wakers,
            cause: Cause::Call,
            observer,
        }
    }

    /// The observer.
    pub fn observer(&mut self) -> &mut O {
        &mut self.observer
    }

    /// The time that the stack was told last.
    pub fn now(&self) -> Instant {
        self.now
    }

    /// Tells the time without doing any work, for calls that come long after the last `poll`. It never goes back.
    pub fn set_now(&mut self, now: Instant) {
        self.now = self.now.max(now.min(LAST_MOMENT));
    }

    /// Takes in what the interface's device has received, sends what is due, and returns when to call again at the
    /// latest; earlier is harmless, and due when the device has received something. `None`: not before a frame or a
    /// call. What the host sends to itself is done on the way.
    #[must_use = "the stack wants to be polled again at this time"]
    pub fn poll<D: Device + ?Sized>(
        &mut self,
        interface: InterfaceId,
        now: Instant,
        device: &mut D,
    ) -> Option<Instant> {
        self.set_now(now);
        self.expire();
        let has_unread = self.poll_interface(interface.0, device);
        if let Some(row) = self.interfaces.get_mut(interface.0) {
            row.has_unread = has_unread;
        }
        self.poll_own_loopback();
        if self.room && !self.pending.is_empty() {
            self.replay_syns();
        }
        self.poll_streams();
        // What came over the loopback may have an answer that goes over the link, and the other way round.
        self.egress(interface.0, &mut Port(device));
        self.poll_own_loopback();
        if has_unread {
            return Some(self.now);
        }
        self.next_deadline()
    }

    /// The same for a host that has work on its loopback only.
    #[must_use = "the stack wants to be polled again at this time"]
    pub fn poll_loopback(&mut self, now: Instant) -> Option<Instant> {
        self.set_now(now);
        self.expire();
        self.poll_own_loopback();
        if self.room && !self.pending.is_empty() {
            self.replay_syns();
            self.poll_own_loopback();
        }
        self.poll_streams();
        self.poll_own_loopback();
        self.next_deadline()
    }

    /// Says whether the device may have more frames than one `poll` takes in.
    fn poll_interface<D: Device + ?Sized>(&mut self, interface: u8, device: &mut D) -> bool {
        if self.interfaces.get(interface).is_none() {
            return false;
        }
        let capabilities = device.capabilities();
        let mut has_unread = true;
        for _ in 0..INGRESS_BURST {
            let Some((received, token)) = device.receive(self.now) else {
                has_unread = false;
                break;
            };
            let meta = received.meta();
            received.consume(|frame| {
                let incoming = Incoming {
                    interface,
                    frame,
                    meta,
                    capabilities: &capabilities,
                    is_reassembled: false,
                };
                self.ingress(&incoming, &mut Reply(Some(token)));
            });
        }
        self.egress(interface, &mut Port(device));
        has_unread
    }
}
