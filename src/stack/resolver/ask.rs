//! Questions on the wire: each leaves by the interface that leads to its server, from the port that is its own.

use core::net::IpAddr;

use smoltcp::phy::{Device, PacketMeta};
use smoltcp::socket::udp::UdpMetadata;
use smoltcp::wire::IpListenEndpoint;

use super::{DNS_PORT, LookupRow, Server, Subject};
use crate::stack::Stack;
use crate::stack::dns::{Family, MAX_QUERY, Outcome};
use crate::stack::flow::{Endpoint, Flow, UNSPECIFIED, to_smoltcp};
use crate::stack::interface::Route;
use crate::trace::Observer;
use crate::{Error, Result};

impl<'a, O: Observer> Stack<'a, O> {
    /// The way to a server. A link-local one is on the link that told of it (RFC 8106 §5.1).
    pub(super) fn way_to(&self, server: &Server) -> Result<Route> {
        if let (IpAddr::V6(v6), Some(interface)) = (server.addr, server.learned_on)
            && v6.is_unicast_link_local()
        {
            let source = self.link_local_of(interface);
            return self.route(source.ok_or(Error::NetworkUnreachable)?, server.addr);
        }
        self.route(UNSPECIFIED.addr, server.addr)
    }

    /// Sees to it that the questions are asked when they are to be.
    pub(super) fn schedule_queries(&mut self) {
        let slot = self.resolver.slot;
        match self.next_query() {
            Some(at) if at <= self.now => self.make_due(slot),
            at => self.deadlines.set(slot, at),
        }
    }

    /// Sends what is due over an interface; says whether the device refused a frame.
    pub(in crate::stack) fn egress_queries<D: Device + ?Sized>(
        &mut self,
        index: u8,
        device: &mut D,
    ) -> bool {
        let slot = self.resolver.slot;
        loop {
            self.drop_late_query();
            if self.resolver.sending.is_none() && !self.load_query(index) {
                return false;
            }
            let refused = self.egress_slot(index, slot, device);
            let socket = self.slots[usize::from(slot)].udp();
            if refused || socket.is_some_and(|socket| socket.send_queue() > 0) {
                return refused;
            }
            self.resolver.sending = None;
        }
    }

    /// A datagram that still waits for its neighbor when its question goes on, or ends, need not leave any more.
    fn drop_late_query(&mut self) {
        let Some((row, family, server)) = self.resolver.sending else {
            return;
        };
        if self.next_query().is_some_and(|at| at > self.now) {
            return;
        }
        self.unload_query();
        let is_asked_for = |row: &LookupRow| {
            let mut questions = row.questions();
            questions.any(|it| it.query.family() == family && it.query.result().is_none())
        };
        let row = self.resolver.rows.get(usize::from(row));
        if row.is_some_and(is_asked_for) {
            self.skip_server(server);
        }
    }

    fn unload_query(&mut self) {
        self.resolver.sending = None;
        let place = &mut self.slots[usize::from(self.resolver.slot)];
        place.blocked = None;
        if let Some(socket) = place.udp() {
            socket.close();
        }
        place.forget_neighbor();
    }

    /// Nobody answers for this server on its link: who was about to ask it asks the next.
    fn skip_server(&mut self, addr: IpAddr) {
        let now = self.now;
        for row in self.resolver.rows.iter_mut() {
            let server = row.servers().iter().position(|server| server.addr == addr);
            if let Some(server) = server {
                row.questions_mut()
                    .for_each(|question| question.query.skip(now, server));
            }
        }
        self.settle_lookups();
    }

    /// The neighbor that the question at the head waits for is not there.
    pub(in crate::stack) fn give_query_up(&mut self) {
        if let Some((_, _, server)) = self.resolver.sending {
            self.unload_query();
            self.skip_server(server);
            self.schedule_queries();
        }
    }

    /// Puts the next datagram that is due into the slot; says whether it leaves by this interface.
    fn load_query(&mut self, index: u8) -> bool {
        let slot = self.resolver.slot;
        let mut buffer = [0; MAX_QUERY];
        while let Some((row, family, port, server, len)) = self.emit_query(&mut buffer) {
            let message = buffer.get(..len).unwrap_or_default();
            let Ok(interface) = self.queue_query(port, &server, message) else {
                self.skip_server(server.addr);
                continue;
            };
            self.resolver.sending = Some((row, family, server.addr));
            if interface == index {
                return true;
            }
            self.unschedule(slot);
            self.slots[usize::from(slot)].interface = interface;
            self.make_due(slot);
            return false;
        }
        self.settle_lookups();
        self.deadlines.set(slot, self.next_query());
        false
    }

    fn queue_query(&mut self, port: u16, server: &Server, message: &[u8]) -> Result<u8> {
        let route = self.way_to(server)?;
        let remote = Endpoint {
            addr: server.addr,
            port: DNS_PORT,
        };
        let metadata = UdpMetadata {
            endpoint: remote.to_smoltcp().ok_or(Error::NetworkUnreachable)?,
            local_address: to_smoltcp(route.source),
            meta: PacketMeta::default(),
        };
        let socket = self.slots[usize::from(self.resolver.slot)].udp();
        let socket = socket.ok_or(Error::NetworkUnreachable)?;
        socket.close();
        let queued = socket.bind(IpListenEndpoint { addr: None, port });
        queued.map_err(|_| Error::NetworkUnreachable)?;
        let queued = socket.send_slice(message, metadata);
        queued.map_err(|_| Error::NetworkUnreachable)?;
        Ok(route.interface)
    }

    /// The next datagram that is due: whose it is, from which port, for which server, and its length.
    fn emit_query(
        &mut self,
        buffer: &mut [u8; MAX_QUERY],
    ) -> Option<(u16, Family, u16, Server, usize)> {
        let now = self.now;
        for (index, row) in (0..).zip(self.resolver.rows.iter_mut()) {
            let mut servers = [None; crate::stack::dns::MAX_SERVERS];
            for (place, server) in servers.iter_mut().zip(row.servers()) {
                *place = Some(*server);
            }
            for question in row.questions_mut() {
                let Some((server, len)) = question.query.emit(now, buffer) else {
                    continue;
                };
                if let Some(server) = servers.get(server).copied().flatten() {
                    return Some((index, question.query.family(), question.port, server, len));
                }
            }
        }
        None
    }

    /// Hears what came from a server to a query's port.
    pub(in crate::stack) fn hear_server(&mut self, flow: &Flow, message: &[u8]) {
        let Some((row, server)) = self.resolver.find(flow) else {
            return;
        };
        let next_id = self.secret.random_u64() as u16;
        let now = self.now;
        let questions = self.resolver.rows[row].questions_mut();
        let mut outcome = Outcome::Ignored;
        for question in questions.filter(|question| question.port == flow.local.port) {
            outcome = question.query.hear(now, server, message, next_id);
            self.resolver.is_streaming |= question.query.streams_to().is_some();
        }
        self.went_on(row, outcome);
    }

    /// Hears that a server's port, or its host, cannot be reached.
    pub(in crate::stack) fn server_unreachable(&mut self, flow: &Flow) {
        let Some((row, server)) = self.resolver.find(flow) else {
            return;
        };
        let now = self.now;
        let questions = self.resolver.rows[row].questions_mut();
        let mut outcome = Outcome::Ignored;
        for question in questions.filter(|question| question.port == flow.local.port) {
            outcome = question.query.unreachable(now, server);
        }
        self.went_on(row, outcome);
    }

    /// Sees to what has come of a lookup's question.
    pub(super) fn went_on(&mut self, row: usize, outcome: Outcome) {
        if outcome == Outcome::Ignored {
            return;
        }
        self.settle_lookups();
        if outcome == Outcome::Over {
            self.wakers.wake(Subject::Lookup(row as u16));
        }
        self.schedule_queries();
    }
}
