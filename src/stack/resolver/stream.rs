//! Questions over TCP, for answers that do not fit into a datagram (RFC 7766): a connection for each, which is closed as
//! soon as the answer is there.

use core::net::SocketAddr;

use smoltcp::time::Instant;

use super::{DNS_PORT, LookupRow, Server};
use crate::stack::dns::{MAX_QUERY, Outcome};
use crate::stack::fd::Socket;
use crate::stack::ip::{self, IpAddr};
use crate::stack::{Domain, Fd, Stack, Type};
use crate::trace::Observer;
use crate::{Error, Result};

/// The length before a message (RFC 7766 §8).
const PREFIX: usize = 2;

/// A connection to a server.
#[derive(Debug, Clone, Copy)]
pub(super) struct Stream {
    fd: Fd,
    /// Octets of the question that were handed to TCP.
    written: usize,
}

/// How far an answer has come.
enum Arrived {
    /// There is more to come, and room for it.
    InPart,
    /// It was heard.
    Heard(Outcome),
}

impl<'a, O: Observer> Stack<'a, O> {
    /// Carries on what is asked over TCP.
    pub(in crate::stack) fn poll_streams(&mut self) {
        if !self.resolver.is_streaming {
            return;
        }
        self.resolver.is_streaming = false;
        for row in 0..self.resolver.rows.len() {
            for family in 0..2 {
                self.poll_stream(row, family);
            }
        }
    }

    fn poll_stream(&mut self, row: usize, family: usize) {
        let now = self.now;
        let Some(question) = self.resolver.question(row, family) else {
            return;
        };
        let mut stream = question.stream.take();
        let Some(server) = question.query.streams_to() else {
            // Its time was up.
            if let Some(stream) = stream {
                self.close_stream(stream);
                self.went_on(row, Outcome::GoesOn);
            }
            return;
        };
        let servers = self.resolver.rows.get(row).map(LookupRow::servers);
        let server = servers.and_then(|servers| servers.get(server)).copied();
        let outcome = match self.carry_on(row, family, &mut stream, server) {
            Ok(Arrived::InPart) => {
                self.resolver.is_streaming = true;
                if let Some(question) = self.resolver.question(row, family) {
                    question.stream = stream;
                }
                return;
            }
            Ok(Arrived::Heard(outcome)) => outcome,
            Err(_) => match self.resolver.question(row, family) {
                Some(question) => question.query.stream_failed(now),
                None => Outcome::Ignored,
            },
        };
        if let Some(stream) = stream {
            self.close_stream(stream);
        }
        self.went_on(row, outcome);
    }

    /// Connects, asks, and hears: as far as that goes now.
    fn carry_on(
        &mut self,
        row: usize,
        family: usize,
        stream: &mut Option<Stream>,
        server: Option<Server>,
    ) -> Result<Arrived> {
        let server = server.ok_or(Error::NetworkUnreachable)?;
        let stream = match stream {
            Some(stream) => stream,
            None => stream.insert(Stream {
                fd: self.open_stream(&server)?,
                written: 0,
            }),
        };
        let slot = match self.descriptors.get(stream.fd)?.socket {
            Socket::Connecting(_) => return Ok(Arrived::InPart),
            Socket::Connected { slot, .. } => slot,
            _ => return Err(Error::ConnectionRefused),
        };
        let mut buffer = [0; PREFIX + MAX_QUERY];
        let question = self
            .resolver
            .question(row, family)
            .ok_or(Error::NameNotFound)?;
        let len = question.query.emit_stream(&mut buffer);
        if let Some(rest) = buffer.get(stream.written..len)
            && !rest.is_empty()
        {
            match self.send_stream(stream.fd, rest) {
                Ok(written) => stream.written += written,
                Err(Error::WouldBlock) => {}
                Err(error) => return Err(error),
            }
        }
        self.hear_stream(row, family, slot)
    }

    fn open_stream(&mut self, server: &Server) -> Result<Fd> {
        let source = self.way_to(server)?.source;
        let domain = match server.addr {
            IpAddr::V4(_) => Domain::Inet,
            IpAddr::V6(_) => Domain::Inet6,
        };
        let fd = self.socket_untold(domain, Type::Stream)?;
        let begun = self
            .bind_untold(fd, SocketAddr::new(ip::outward(source), 0))
            .and_then(|()| {
                self.connect_untold(fd, SocketAddr::new(ip::outward(server.addr), DNS_PORT))
            });
        match begun {
            Err(Error::WouldBlock) | Ok(()) => Ok(fd),
            Err(error) => {
                let _ = self.close_untold(fd);
                Err(error)
            }
        }
    }

    /// Hears the answer where it lies, in the connection's receive buffer, once it is whole; or as much of it as there is
    /// room for.
    fn hear_stream(&mut self, row: usize, family: usize, slot: u16) -> Result<Arrived> {
        let now: Instant = self.now;
        let next_id = self.secret.random_u64() as u16;
        let Some((socket, _)) = self.slots[usize::from(slot)].tcp() else {
            return Err(Error::NotConnected);
        };
        let is_full = socket.recv_queue() >= socket.recv_capacity();
        let is_over = !socket.may_recv() || is_full;
        let question = self.resolver.question(row, family);
        let question = question.ok_or(Error::NameNotFound)?;
        // Nothing was taken from the buffer yet: what it holds is in one piece.
        let octets = match socket.can_recv() {
            true => socket
                .peek(usize::MAX)
                .map_err(|_| Error::ConnectionReset)?,
            false => &[],
        };
        let Some((prefix, message)) = octets.split_first_chunk::<PREFIX>() else {
            return match is_over {
                true => Err(Error::ConnectionReset),
                false => Ok(Arrived::InPart),
            };
        };
        let whole = message.get(..usize::from(u16::from_be_bytes(*prefix)));
        let outcome = match whole {
            Some(message) => question.query.hear_stream(now, message, false, next_id),
            None if is_over => question.query.hear_stream(now, message, true, next_id),
            None => return Ok(Arrived::InPart),
        };
        Ok(Arrived::Heard(outcome))
    }

    /// Says goodbye; what is left to read of a whole answer is no reason for a reset.
    pub(super) fn close_stream(&mut self, stream: Stream) {
        if let Ok(slot) = self.stream_slot(stream.fd)
            && let Some((socket, _)) = self.slots[usize::from(slot)].tcp()
        {
            while socket
                .recv(|octets| (octets.len(), octets.len()))
                .is_ok_and(|len| len > 0)
            {}
        }
        // It is open: close has no other error.
        let _ = self.close_untold(stream.fd);
    }
}
