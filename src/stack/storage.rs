//! A stack's memory: the caller's, in one piece, or the heap's.

use core::slice;

use heapless::Vec;
use managed::ManagedSlice;
use smoltcp::iface::{SocketSet, SocketStorage};
use smoltcp::socket::tcp;

use super::connection::Connection;
use super::datagram::{Datagrams, Queue, Row};
use super::deadline::{Deadlines, Entry};
use super::fd::{Descriptor, Descriptors};
use super::fragment::{self, Reassemblies};
use super::interface::NetworkInterface;
use super::list::Link;
use super::listen::{Pending, Syn};
use super::loopback;
use super::place::Place;
use super::resolver::{LookupRow, Resolver};
use super::slot::Slot;
use super::table::{Bucket, Table};
use super::waiting::{self, Wakers};

/// Datagrams that a UDP socket of a [`Storage`] queues each way.
const PACKETS: usize = 4;

/// The heart's parts before they are one.
pub(super) struct Parts<'a> {
    pub(super) descriptors: Descriptors<'a>,
    pub(super) slots: ManagedSlice<'a, Slot<'a>>,
    pub(super) connections: u16,
    pub(super) datagrams: u16,
    pub(super) members: ManagedSlice<'a, Link>,
    pub(super) agenda: ManagedSlice<'a, Link>,
    pub(super) deadlines: Deadlines<'a>,
    pub(super) flows: Table<'a>,
    pub(super) ports: Table<'a>,
    pub(super) interfaces: ManagedSlice<'a, Option<NetworkInterface>>,
    pub(super) pending: Pending<'a>,
    pub(super) reassemblies: Reassemblies<'a>,
    pub(super) loopback: loopback::Queue<'a>,
    pub(super) resolver: Resolver<'a>,
    pub(super) wakers: Wakers<'a>,
}

/// Memory for a stack, on the stack of `main` or in a `static` (inside a cell that lends it once, such as
/// `static_cell::ConstStaticCell`); nothing is ever allocated. `size_of` says how much it takes: on a Cortex-M3 with `ipv4`
/// alone, `Storage<5, 4, 0, 2048>` (four connections and their listener) about 20 KB, 16 KB of them buffers.
///
/// - `SOCKETS`: descriptors: one for each connection, each UDP socket and each listener. More than `CONNECTIONS` and
///   `DATAGRAMS` together, or it does not compile.
/// - `CONNECTIONS`: TCP connections at once, those that say goodbye in the background included.
/// - `DATAGRAMS`: UDP and raw sockets.
/// - `BUFFER`: octets of each receive and each send buffer; each connection and each UDP socket has one of both.
/// - `INTERFACES`: the links; the loopback is there beside them.
/// - `SYNS`: connection requests that wait while there is no room for them.
/// - `LOOPBACK`: the MTU of the internal loopback, and of its queue; without it a host cannot talk to itself.
/// - `REASSEMBLY`: octets for putting a fragmented packet together, [`reassembly_storage`](super::reassembly_storage) of
///   the longest; without it, or without feature `fragments`, fragments are dropped.
/// - `LOOKUPS`: names that are looked up at once, with feature `dns`. An answer that does not fit into a datagram takes a
///   descriptor and a connection of those above, for as long as it takes.
///
/// With feature `tasks`, two tasks for each of the `SOCKETS` may wait at once, whichever they wait for: on a socket, for a name,
/// for a time. More of them wake each other, and none sleeps long.
///
/// ```
/// use glasstack::{Stack, stack::{Domain, Storage, Type}};
///
/// // Four connections, two UDP sockets, one listener; 2,048 octets a buffer; one link.
/// let mut storage = Storage::<7, 4, 2, 2048>::new();
/// let mut stack = Stack::new(&mut storage, [7; 16], ());
/// let fd = stack.socket(Domain::Inet, Type::Stream).unwrap();
/// stack.bind(fd, "0.0.0.0:9999".parse().unwrap()).unwrap();
/// stack.listen(fd, 5).unwrap();
/// ```
pub struct Storage<
    'a,
    const SOCKETS: usize,
    const CONNECTIONS: usize,
    const DATAGRAMS: usize,
    const BUFFER: usize,
    const INTERFACES: usize = 1,
    const SYNS: usize = 4,
    const LOOPBACK: usize = 0,
    const REASSEMBLY: usize = 0,
    const LOOKUPS: usize = 0,
> {
    descriptors: Vec<Descriptor, SOCKETS>,
    slots: [Slot<'a>; SOCKETS],
    streams: [Place<(SocketStorage<'a>, Connection)>; CONNECTIONS],
    queues: [Place<Datagrams<'a>>; DATAGRAMS],
    members: Vec<Link, SOCKETS>,
    agenda: Vec<Link, SOCKETS>,
    deadlines: Vec<Entry, SOCKETS>,
    flows: Vec<[Bucket; 2], CONNECTIONS>,
    ports: Vec<[Bucket; 2], SOCKETS>,
    connections: [[[u8; BUFFER]; 2]; CONNECTIONS],
    datagrams: [[[u8; BUFFER]; 2]; DATAGRAMS],
    packets: Vec<[[Row; PACKETS]; 2], DATAGRAMS>,
    interfaces: Vec<Option<NetworkInterface>, INTERFACES>,
    syns: Vec<Option<Syn>, SYNS>,
    loopback: [[u8; LOOPBACK]; 3],
    reassembly: fragment::Memory<'a, REASSEMBLY>,
    lookups: Vec<LookupRow, LOOKUPS>,
    waiting: waiting::Memory<SOCKETS>,
}

impl<
    'a,
    const SOCKETS: usize,
    const CONNECTIONS: usize,
    const DATAGRAMS: usize,
    const BUFFER: usize,
    const INTERFACES: usize,
    const SYNS: usize,
    const LOOPBACK: usize,
    const REASSEMBLY: usize,
    const LOOKUPS: usize,
>
    Storage<
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
    >
{
    const FITS: () = {
        assert!(
            SOCKETS > CONNECTIONS + DATAGRAMS && SOCKETS < u16::MAX as usize,
            "SOCKETS must be larger than CONNECTIONS + DATAGRAMS"
        );
        assert!(
            INTERFACES < 255,
            "an interface has a number of eight bits, and 255 is none"
        );
    };

    /// Memory that no stack uses yet.
    #[allow(clippy::new_without_default)]
    pub const fn new() -> Self {
        const { Self::FITS };
        Storage {
            descriptors: Vec::new(),
            slots: [const { Slot::UNUSED }; SOCKETS],
            streams: [const { Place::Empty }; CONNECTIONS],
            queues: [const { Place::Empty }; DATAGRAMS],
            members: Vec::new(),
            agenda: Vec::new(),
            deadlines: Vec::new(),
            flows: Vec::new(),
            ports: Vec::new(),
            connections: [[[0; BUFFER]; 2]; CONNECTIONS],
            datagrams: [[[0; BUFFER]; 2]; DATAGRAMS],
            packets: Vec::new(),
            interfaces: Vec::new(),
            syns: Vec::new(),
            loopback: [[0; LOOPBACK]; 3],
            reassembly: fragment::Memory::new(),
            lookups: Vec::new(),
            waiting: waiting::Memory::new(),
        }
    }

    pub(super) fn parts(&'a mut self) -> Parts<'a> {
        let mut slots = self.slots.iter_mut();
        let streams = self.streams.iter_mut();
        let streams =
            streams.flat_map(|place| place.fill((SocketStorage::EMPTY, Connection::FREE)));
        for (([receive, send], (set, connection)), slot) in
            self.connections.iter_mut().zip(streams).zip(slots.by_ref())
        {
            let socket = tcp::Socket::new(
                tcp::SocketBuffer::new(&mut receive[..]),
                tcp::SocketBuffer::new(&mut send[..]),
            );
            let set = SocketSet::new(slice::from_mut(set));
            *slot = Slot::for_connection(set, socket, connection);
        }
        for ((([receive, send], [received, sent]), queues), slot) in self
            .datagrams
            .iter_mut()
            .zip(filled(&mut self.packets, || {
                [const { [Row::EMPTY; PACKETS] }; 2]
            }))
            .zip(&mut self.queues)
            .zip(slots.by_ref())
        {
            let receive = Queue::new(&mut received[..], &mut receive[..]);
            let send = Queue::new(&mut sent[..], &mut send[..]);
            for datagrams in queues.fill(Datagrams::new(receive, send)) {
                *slot = Slot::for_datagrams(datagrams);
            }
        }
        let [queue @ .., scratch] = &mut self.loopback;
        Parts {
            descriptors: Descriptors::new(filled(&mut self.descriptors, || Descriptor::FREE)),
            slots: ManagedSlice::Borrowed(&mut self.slots),
            connections: CONNECTIONS as u16,
            datagrams: DATAGRAMS as u16,
            members: ManagedSlice::Borrowed(filled(&mut self.members, || Link::UNLINKED)),
            agenda: ManagedSlice::Borrowed(filled(&mut self.agenda, || Link::UNLINKED)),
            deadlines: Deadlines::new(filled(&mut self.deadlines, || Entry::EMPTY)),
            flows: Table::new(filled(&mut self.flows, || [Bucket::EMPTY; 2]).as_flattened_mut()),
            ports: Table::new(filled(&mut self.ports, || [Bucket::EMPTY; 2]).as_flattened_mut()),
            interfaces: ManagedSlice::Borrowed(filled(&mut self.interfaces, || None)),
            pending: Pending::new(filled(&mut self.syns, || None)),
            reassemblies: self.reassembly.reassemblies(),
            loopback: loopback::Queue::new(queue.as_flattened_mut(), &mut scratch[..]),
            resolver: Resolver::new(filled(&mut self.lookups, || LookupRow::FREE)),
            wakers: self.waiting.wakers(),
        }
    }
}

/// Rows of which none is written before a stack is made: a `static` of them is all zeros, and takes no room in flash.
pub(super) fn filled<T, const N: usize>(rows: &mut Vec<T, N>, row: impl Fn() -> T) -> &mut [T] {
    rows.clear();
    while rows.push(row()).is_ok() {}
    rows
}

/// The sizes of a stack on the heap. Everything is allocated when the stack is made, and nothing after it.
#[cfg(feature = "alloc")]
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Capacity {
    /// Descriptors: open sockets of any kind. Default 1,024.
    pub sockets: usize,
    /// TCP connections at once, those that say goodbye in the background included. Default 256.
    pub connections: usize,
    /// UDP and raw sockets. Default 64.
    pub datagrams: usize,
    /// Octets of each connection's receive buffer; beyond 65,535 the window is scaled (RFC 7323). Default 65,536.
    pub receive_buffer: usize,
    /// Octets of each connection's send buffer. Default 65,536.
    pub send_buffer: usize,
    /// Octets of each UDP socket's queues, each way. Default 131,072.
    pub datagram_buffer: usize,
    /// Datagrams in each UDP socket's queues, each way. Default 64.
    pub datagram_packets: usize,
    /// Connection requests that wait while there is no room for them. Default 256.
    pub pending_syns: usize,
    /// Interfaces beside the loopback. Default 4.
    pub interfaces: usize,
    /// Octets that the internal loopback queues; a third of it is its MTU, 65,535 at most. Default 262,144.
    pub loopback_buffer: usize,
    /// Fragmented packets that are put together at once, each of 65,535 octets at most; none without feature `fragments`.
    /// Default 8.
    pub reassemblies: usize,
    /// Names that are looked up at once, with feature `dns`. Default 8.
    pub lookups: usize,
    /// Tasks that wait, on sockets, for names or for a time; more of them wake each other. Default 4,096.
    pub wakers: usize,
}

#[cfg(feature = "alloc")]
impl Default for Capacity {
    fn default() -> Capacity {
        Capacity {
            sockets: 1_024,
            connections: 256,
            datagrams: 64,
            receive_buffer: 65_536,
            send_buffer: 65_536,
            datagram_buffer: 131_072,
            datagram_packets: 64,
            pending_syns: 256,
            interfaces: 4,
            loopback_buffer: 262_144,
            reassemblies: 8,
            lookups: 8,
            wakers: 4_096,
        }
    }
}

#[cfg(feature = "alloc")]
impl Capacity {
    /// The parts of a stack of these sizes. What is beyond 65,534 sockets, or slots in all, is left out: a table's
    /// index has sixteen bits.
    pub(super) fn parts(&self) -> Parts<'static> {
        use alloc::boxed::Box;
        use alloc::vec;
        use alloc::vec::Vec;
        let most = usize::from(u16::MAX) - 2;
        let sockets = self.sockets.min(most);
        let connections = self.connections.min(most);
        let datagrams = self.datagrams.min(most - connections);
        let count = connections + datagrams;
        let set = || SocketSet::new(vec![SocketStorage::EMPTY]);
        let packets = || {
            let rows = vec![Row::EMPTY; self.datagram_packets];
            Queue::new(rows, vec![0; self.datagram_buffer])
        };
        let mut slots = Vec::with_capacity(count);
        // smoltcp takes no receive buffer beyond the largest scaled window.
        let receive_buffer = self.receive_buffer.min(1 << 30);
        slots.extend((0..connections).map(|_| {
            let socket = tcp::Socket::new(
                tcp::SocketBuffer::new(vec![0; receive_buffer]),
                tcp::SocketBuffer::new(vec![0; self.send_buffer]),
            );
            Slot::for_connection(set(), socket, Box::new(Connection::FREE))
        }));
        slots.extend((0..datagrams).map(|_| {
            let datagrams = Datagrams::new(packets(), packets());
            Slot::for_datagrams(Box::new(datagrams))
        }));
        let lookups = self.lookups.min(most);
        let mtu = (self.loopback_buffer / 3).min(usize::from(u16::MAX));
        Parts {
            descriptors: Descriptors::new(
                (0..sockets).map(|_| Descriptor::FREE).collect::<Vec<_>>(),
            ),
            slots: ManagedSlice::Owned(slots),
            connections: connections as u16,
            datagrams: datagrams as u16,
            members: ManagedSlice::Owned(vec![Link::UNLINKED; count]),
            agenda: ManagedSlice::Owned(vec![Link::UNLINKED; count]),
            deadlines: Deadlines::new(vec![Entry::EMPTY; count]),
            flows: Table::new(vec![Bucket::EMPTY; connections * 2 + 2]),
            ports: Table::new(vec![Bucket::EMPTY; sockets * 2 + 2]),
            interfaces: ManagedSlice::Owned((0..self.interfaces.min(254)).map(|_| None).collect()),
            pending: Pending::new((0..self.pending_syns).map(|_| None).collect::<Vec<_>>()),
            reassemblies: Reassemblies::on_the_heap(self.reassemblies),
            loopback: loopback::Queue::new(vec![0; self.loopback_buffer - mtu], vec![0; mtu]),
            resolver: Resolver::new((0..lookups).map(|_| LookupRow::FREE).collect::<Vec<_>>()),
            wakers: Wakers::on_the_heap(sockets, self.wakers),
        }
    }
}
