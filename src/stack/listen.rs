//! Listening costs no buffers. A listener is a descriptor with a backlog; a SYN for it takes a free connection slot.
//! Where none is free, or the backlog is full, the SYN itself waits in a small bounded queue and is replayed when
//! there is room; where that is full it is dropped without a word, so that the client tries again. RST is for ports
//! that nobody listens on.

use managed::ManagedSlice;
use smoltcp::phy::{ChecksumCapabilities, DeviceCapabilities, PacketMeta};
use smoltcp::socket::tcp::State;
use smoltcp::time::{Duration, Instant};
use smoltcp::wire::{
    IpListenEndpoint, IpProtocol, IpRepr, TcpControl, TcpPacket, TcpRepr, TcpSeqNumber,
};

use super::Stack;
use super::connection::{Connection, HALF_OPEN_GRACE, Role};
use super::door::{Door, Sent, Void, Watch};
use super::fd::Socket;
use super::flow::{Flow, to_smoltcp};
use super::frame::Packet;
use super::link::Link;
use super::sequence::{seed_for, throw_away};
use super::slot::Kind;
use crate::trace::Observer;

/// How long a waiting SYN is worth replaying; its sender repeats it meanwhile if it still wants to connect.
const SYN_LIFETIME: Duration = Duration::from_secs(10);

/// The longest SYN that is built for replaying: an IPv6 header, a TCP header, and the options that smoltcp reads.
const SYN_LEN: usize = 40 + 60;

/// What matters of a SYN.
#[derive(Clone, Copy)]
pub(super) struct Syn {
    interface: u8,
    flow: Flow,
    seq: u32,
    window_len: u16,
    window_scale: Option<u8>,
    max_seg_size: Option<u16>,
    sack_permitted: bool,
    arrived: Instant,
}

/// Where a SYN comes from.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Arrival {
    /// From the wire just now.
    Wire,
    /// From the queue of those that wait.
    Queue,
}

impl Syn {
    /// Reads a SYN, if its checksum is right (or the device has checked it).
    pub(super) fn parse(
        interface: u8,
        flow: &Flow,
        packet: &Packet<'_>,
        capabilities: &DeviceCapabilities,
    ) -> Option<Syn> {
        let remote = flow.remote.to_smoltcp()?.addr;
        let local = flow.local.to_smoltcp()?.addr;
        if !remote.is_unicast() || flow.remote.port == 0 {
            return None;
        }
        let segment = TcpPacket::new_checked(packet.transport).ok()?;
        let repr = TcpRepr::parse(&segment, &remote, &local, &capabilities.checksum).ok()?;
        Some(Syn {
            interface,
            flow: *flow,
            seq: repr.seq_number.0 as u32,
            window_len: repr.window_len,
            window_scale: repr.window_scale,
            max_seg_size: repr.max_seg_size,
            sack_permitted: repr.sack_permitted,
            arrived: Instant::ZERO,
        })
    }

    /// Writes it as an IP packet; data that came with it is left for the sender to repeat.
    fn emit<'b>(&self, buffer: &'b mut [u8; SYN_LEN]) -> Option<&'b [u8]> {
        let (source, destination) = (
            to_smoltcp(self.flow.remote.addr)?,
            to_smoltcp(self.flow.local.addr)?,
        );
        let tcp = TcpRepr {
            src_port: self.flow.remote.port,
            dst_port: self.flow.local.port,
            control: TcpControl::Syn,
            seq_number: TcpSeqNumber(self.seq as i32),
            ack_number: None,
            window_len: self.window_len,
            window_scale: self.window_scale,
            max_seg_size: self.max_seg_size,
            sack_permitted: self.sack_permitted,
            sack_ranges: [None, None, None],
            timestamp: None,
            payload: &[],
        };
        let checksums = ChecksumCapabilities::default();
        let ip = IpRepr::new(source, destination, IpProtocol::Tcp, tcp.buffer_len(), 64);
        let packet = buffer.get_mut(..ip.buffer_len())?;
        ip.emit(&mut packet[..], &checksums);
        let mut segment = TcpPacket::new_unchecked(packet.get_mut(ip.header_len()..)?);
        tcp.emit(&mut segment, &source, &destination, &checksums);
        Some(packet)
    }
}

/// The bounded queue of SYNs that wait, oldest first.
pub(super) struct Pending<'a> {
    syns: ManagedSlice<'a, Option<Syn>>,
    len: usize,
}

impl<'a> Pending<'a> {
    pub(super) fn new(syns: impl Into<ManagedSlice<'a, Option<Syn>>>) -> Pending<'a> {
        Pending {
            syns: syns.into(),
            len: 0,
        }
    }

    /// A repeated SYN takes the place of the first; where the queue is full the SYN is dropped. Says whether it waits.
    fn push(&mut self, syn: Syn) -> bool {
        let waiting = self.syns.iter_mut().take(self.len).flatten();
        if let Some(same) = waiting.into_iter().find(|other| other.flow == syn.flow) {
            *same = syn;
        } else if let Some(place) = self.syns.get_mut(self.len) {
            *place = Some(syn);
            self.len += 1;
        } else {
            return false;
        }
        true
    }

    fn get(&self, index: usize) -> Option<Syn> {
        self.syns
            .iter()
            .take(self.len)
            .nth(index)
            .copied()
            .flatten()
    }

    fn remove(&mut self, index: usize) {
        if let Some(rest @ [_, ..]) = self.syns.get_mut(index..self.len) {
            rest.rotate_left(1);
            self.len -= 1;
        }
    }

    /// Forgets those that waited too long.
    fn expire(&mut self, now: Instant) {
        let mut index = 0;
        while let Some(syn) = self.get(index) {
            if now >= syn.arrived + SYN_LIFETIME {
                self.remove(index);
            } else {
                index += 1;
            }
        }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.len == 0
    }
}

impl<'a, O: Observer> Stack<'a, O> {
    /// The listener for a flow's local end: one for the address before one for any.
    pub(super) fn find_listener(&self, flow: &Flow) -> Option<u16> {
        let hash = self.secret.port_hash(true, flow.local.port);
        let candidates = self.ports.candidates(hash);
        let fits = |index: &u16| {
            let row = self.descriptors.peek(*index);
            matches!(row.socket, Socket::Listening { .. })
                && row.local.port == flow.local.port
                && row.scope().contains(flow.local.addr)
        };
        let fitness = |index: &u16| {
            let precision = self.descriptors.peek(*index).scope().precision();
            (precision, self.rank(*index, flow))
        };
        candidates.filter(fits).max_by_key(fitness)
    }

    /// A full backlog is pressure too: the listener's oldest half-open connection goes, if its ACK is overdue.
    fn give_up_half_open(&mut self, listener: u16) -> bool {
        let role = |slot: u16| {
            self.slots[usize::from(slot)]
                .connection()
                .map(|connection| connection.role)
        };
        let is_overdue = |slot: &u16| {
            let connection = self.slots[usize::from(*slot)].connection();
            connection
                .is_some_and(|connection| self.now >= connection.since + HALF_OPEN_GRACE.into())
        };
        let oldest_first = self.half_open.iter(&self.members).take_while(is_overdue);
        let victim = { oldest_first }.find(|slot| role(*slot) == Some(Role::HalfOpen(listener)));
        let Some(victim) = victim else {
            return false;
        };
        self.tell_state(victim, State::SynReceived, State::Closed);
        self.release(victim);
        true
    }

    /// A SYN for a listener: it begins a connection, or waits. Says whether it did what it could: one from the wire that
    /// finds no room to wait in is lost, one from the queue waits on.
    pub(super) fn hear_syn(&mut self, listener: u16, mut syn: Syn, arrival: Arrival) -> bool {
        let Socket::Listening {
            backlog,
            half_open,
            ref queue,
        } = self.descriptors.peek(listener).socket
        else {
            return true;
        };
        let has_room = usize::from(half_open) + queue.len() < usize::from(backlog)
            || half_open > 0 && self.give_up_half_open(listener);
        let slot = if has_room {
            self.take_connection()
        } else {
            None
        };
        match (slot, arrival) {
            (Some(slot), _) => {
                self.open_passive(listener, slot, &syn);
                true
            }
            (None, Arrival::Wire) => {
                syn.arrived = self.now;
                self.pending.push(syn)
            }
            (None, Arrival::Queue) => false,
        }
    }

    /// Replays the SYNs that wait, oldest first, as far as there is room for them now.
    pub(super) fn replay_syns(&mut self) {
        self.room = false;
        self.pending.expire(self.now);
        let mut index = 0;
        while let Some(syn) = self.pending.get(index) {
            let done = match self.find_listener(&syn.flow) {
                Some(listener) if self.is_local_to(syn.interface, syn.flow.local.addr) => {
                    self.find_flow(&syn.flow).is_some()
                        || self.hear_syn(listener, syn, Arrival::Queue)
                }
                _ => true,
            };
            if done {
                self.pending.remove(index);
            } else {
                index += 1;
            }
        }
        // A slot that a replay could not use (its checksum, its interface) is no new room.
        self.room = false;
    }

    /// Lets smoltcp's socket answer the SYN, through a throw-away interface that supplies the sequence number.
    fn open_passive(&mut self, listener: u16, slot: u16, syn: &Syn) {
        let flow = syn.flow;
        let isn =
            self.secret
                .initial_sequence_number(self.now, flow.local.pair(), flow.remote.pair());
        let seed = seed_for(isn, self.secret.random_u64());
        let options = self.descriptors.peek(listener).options;
        let now = self.now;
        let place = &mut self.slots[usize::from(slot)];
        place.interface = syn.interface;
        if let Kind::Connection(connection) = &mut place.kind {
            **connection = Connection::new(Role::HalfOpen(listener), flow, now, &options);
        }
        let mut buffer = [0; SYN_LEN];
        let mut sent = Sent::default();
        let mut watch = Watch {
            sent: &mut sent,
            link: Some(Link::Ip),
            pane: None,
            stamp: None,
            observer: &mut (),
        };
        let mut door = Door {
            packet: syn.emit(&mut buffer),
            meta: PacketMeta::default(),
            device: &mut Void,
            watch: &mut watch,
        };
        if let (Some((socket, connection)), Some(local)) = (place.tcp(), flow.local.to_smoltcp()) {
            connection.window_scale = syn.window_scale;
            connection.note_segment_size(syn.max_seg_size);
            options.apply(socket);
            let _ = socket.listen(IpListenEndpoint::from(local));
        }
        if let Some(set) = &mut place.set {
            throw_away(seed).poll_ingress_single(now, &mut door, set);
        }
        let is_open = place
            .tcp_ref()
            .is_some_and(|(socket, _)| socket.state() == State::SynReceived);
        self.join_half_open(listener, slot);
        if !is_open || !self.enter_flow(slot) {
            self.release(slot);
            return;
        }
        self.tell_state(slot, State::Listen, State::SynReceived);
        self.make_due(slot);
    }

    fn join_half_open(&mut self, listener: u16, slot: u16) {
        if let Socket::Listening { half_open, .. } = &mut self.descriptors.row(listener).socket {
            *half_open += 1;
        }
        self.half_open.push_back(&mut self.members, slot);
    }

    /// Takes a connection off its listener's books.
    pub(super) fn leave_listener(&mut self, slot: u16) {
        match self.slots[usize::from(slot)]
            .connection()
            .map(|connection| connection.role)
        {
            Some(Role::HalfOpen(listener)) => {
                self.half_open.remove(&mut self.members, slot);
                if let Socket::Listening { half_open, .. } =
                    &mut self.descriptors.row(listener).socket
                {
                    *half_open = half_open.saturating_sub(1);
                }
                self.room = true;
            }
            Some(Role::Queued(listener)) => {
                if let Socket::Listening { queue, .. } = &mut self.descriptors.row(listener).socket
                {
                    queue.remove(&mut self.members, slot);
                }
                self.room = true;
            }
            _ => {}
        }
    }

    /// The handshake is done: the connection waits for `accept`.
    pub(super) fn enqueue(&mut self, slot: u16, listener: u16) {
        self.leave_listener(slot);
        if let Kind::Connection(connection) = &mut self.slots[usize::from(slot)].kind {
            connection.role = Role::Queued(listener);
        }
        let row = self.descriptors.row(listener);
        if let Socket::Listening { queue, .. } = &mut row.socket {
            queue.push_back(&mut self.members, slot);
        }
        self.wake_descriptor(listener);
    }
}
