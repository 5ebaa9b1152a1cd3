//! Questions on the wire: each leaves by the interface that leads to its server, from the port that is its own.

use smoltcp::time::Instant;

use super::{DNS_PORT, LookupRow, Resolver, Server, Subject, Unsent};
use crate::Result;
use crate::stack::Stack;
use crate::stack::datagram::{Content, DISCOVERY_INTERVAL, Envelope, UDP_HEADER};
use crate::stack::dns::{MAX_QUERY, Outcome};
use crate::stack::egress::DEVICE_RETRY;
use crate::stack::flow::{Endpoint, Flow, UNSPECIFIED};
use crate::stack::header::Part;
use crate::stack::interface::Route;
use crate::stack::link::Transmit;
use crate::stack::option::Options;
use crate::stack::outgoing::Outgoing;
use crate::trace::Observer;

impl Resolver<'_> {
    /// When a question is to be asked or given up.
    pub(in crate::stack) fn asks_at(&self) -> Option<Instant> {
        self.next
    }

    /// When a datagram is to be sent over an interface.
    #[inline]
    pub(in crate::stack) fn sends_at(&self, interface: u8) -> Option<Instant> {
        if !self.is_sending {
            return None;
        }
        let questions = self.rows.iter().flat_map(LookupRow::questions);
        let unsent = questions.filter_map(|question| question.unsent);
        let unsent = unsent.filter(|unsent| unsent.interface == interface);
        unsent.map(|unsent| unsent.at).min()
    }

    /// Whether a datagram is to leave by an interface.
    #[cfg(feature = "loopback")]
    pub(in crate::stack) fn is_sending_over(&self, interface: u8) -> bool {
        self.sends_at(interface).is_some()
    }

    /// Notes when there is what to do, so that nobody has to look at every question to know.
    pub(super) fn note_times(&mut self) {
        let questions = || self.rows.iter().flat_map(LookupRow::questions);
        let next = questions().filter_map(|it| it.query.poll_at()).min();
        let is_sending = questions().any(|question| question.unsent.is_some());
        (self.next, self.is_sending) = (next, is_sending);
    }
}

impl<'a, O: Observer> Stack<'a, O> {
    /// The way to a server. A link-local one is on the link that told of it (RFC 8106 §5.1).
    pub(super) fn way_to(&self, server: &Server) -> Result<Route> {
        self.route_over(server.link(), UNSPECIFIED.addr, server.addr)
    }

    /// Asks the servers whose turn it is, if it is time to.
    #[inline]
    pub(in crate::stack) fn expire_queries(&mut self) {
        if self.resolver.next.is_some_and(|at| at <= self.now) {
            self.ask_servers();
        }
    }

    /// Sees to it that what is to be asked now leaves with the next frames.
    pub(super) fn ask_servers(&mut self) {
        for row in 0..self.resolver.rows.len() {
            for family in 0..2 {
                self.ask_server(row, family);
            }
        }
        self.settle_lookups();
        self.resolver.note_times();
    }

    fn ask_server(&mut self, row: usize, family: usize) {
        let now = self.now;
        while let Some(question) = self.resolver.question(row, family) {
            // What has not left until now is too late.
            if question.query.poll_at().is_none_or(|at| at <= now) {
                question.unsent = None;
            }
            let Some(number) = question.query.next_server(now) else {
                return;
            };
            let server = self.resolver.rows[row].servers().get(number).copied();
            let route = server.and_then(|server| self.way_to(&server).ok());
            let Some(question) = self.resolver.question(row, family) else {
                return;
            };
            if let (Some(server), Some(route)) = (server, route) {
                question.unsent = Some(Unsent {
                    server: server.addr,
                    source: route.source,
                    interface: route.interface,
                    at: now,
                });
                return;
            }
            question.query.unreachable(now, number);
        }
    }

    /// Sends the questions that leave by an interface; says whether the device refused a frame.
    pub(in crate::stack) fn egress_queries(
        &mut self,
        index: u8,
        device: &mut dyn Transmit,
    ) -> bool {
        if !self.resolver.is_sending {
            return false;
        }
        let mut refused = false;
        for row in 0..self.resolver.rows.len() {
            for family in 0..2 {
                refused = refused || self.egress_query(index, row, family, device);
            }
        }
        self.probe_neighbor(index, device);
        self.resolver.note_times();
        refused
    }

    fn egress_query(
        &mut self,
        index: u8,
        row: usize,
        family: usize,
        device: &mut dyn Transmit,
    ) -> bool {
        let now = self.now;
        let Some(question) = self.resolver.question(row, family) else {
            return false;
        };
        let Some(unsent) = question.unsent.filter(|unsent| unsent.interface == index) else {
            return false;
        };
        let mut message = [0; MAX_QUERY];
        let len = question.query.emit(&mut message);
        let message = message.get(..len).unwrap_or_default();
        let port = question.port;
        let Some(interface) = self.interfaces.get_mut(index) else {
            return false;
        };
        let Some(link) = interface.link_to(unsent.server, now) else {
            if unsent.at <= now {
                self.solicit(index, None, unsent.server, device);
                self.put_off(row, family, Some(now + DISCOVERY_INTERVAL));
            }
            return false;
        };
        let has_checksum = interface.checksums.udp.tx();
        let envelope = Envelope {
            from: Endpoint {
                addr: unsent.source,
                port,
            },
            to: Endpoint {
                addr: unsent.server,
                port: DNS_PORT,
            },
            interface: index.into(),
            hop_limit: Options::DEFAULT.hop_limit,
            traffic_class: Options::DEFAULT.type_of_service,
            content: Content::Udp,
        };
        let outgoing = Outgoing {
            link,
            header: envelope.header(Part::Whole),
            payload_len: UDP_HEADER + len,
        };
        let is_sent = self.send_own(index, device, &outgoing, |place| {
            envelope.write(place, message, 0, has_checksum);
        });
        self.put_off(row, family, (!is_sent).then_some(now + DEVICE_RETRY));
        !is_sent
    }

    /// A datagram has left, or is to be tried again.
    fn put_off(&mut self, row: usize, family: usize, until: Option<Instant>) {
        if let Some(question) = self.resolver.question(row, family) {
            question.unsent = until
                .zip(question.unsent)
                .map(|(at, unsent)| Unsent { at, ..unsent });
        }
    }

    /// Hears what came from a server to a query's port.
    pub(in crate::stack) fn hear_server(&mut self, flow: &Flow, message: &[u8]) {
        let Some((row, server)) = self.resolver.find(flow) else {
            return;
        };
        let next_id = self.secret.random_u64() as u16;
        let now = self.now;
        let lookup = self.resolver.rows.get_mut(row);
        let questions = lookup.into_iter().flat_map(LookupRow::questions_mut);
        let mut outcome = Outcome::Ignored;
        for question in questions.filter(|question| question.port == flow.local.port) {
            let heard = question.query.hear(now, server, message, next_id);
            // The two questions may have drawn the same port.
            outcome = outcome.max(heard);
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
        let lookup = self.resolver.rows.get_mut(row);
        let questions = lookup.into_iter().flat_map(LookupRow::questions_mut);
        let mut outcome = Outcome::Ignored;
        for question in questions.filter(|question| question.port == flow.local.port) {
            outcome = outcome.max(question.query.unreachable(now, server));
        }
        self.went_on(row, outcome);
    }

    /// Sees to what has come of a lookup's question.
    pub(super) fn went_on(&mut self, row: usize, outcome: Outcome) {
        if outcome == Outcome::Ignored {
            return;
        }
        if outcome == Outcome::Over {
            self.wakers.wake(Subject::Lookup(row as u16));
        }
        self.ask_servers();
    }
}
