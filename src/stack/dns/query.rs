//! One question's way: to the servers in turn, again and again, over TCP where an answer does not fit into a datagram, and
//! from alias to alias.

use core::net::IpAddr;

use heapless::Vec;
use smoltcp::time::{Duration, Instant};

use super::message::{Answer, Family, MAX_ALIASES, MAX_QUERY, Question};
use super::name::Name;
use crate::{Error, Result};

/// Servers that one question goes to.
pub(crate) const MAX_SERVERS: usize = 8;

/// How long the first server may be silent before the next one is asked: a fifth of `resolv.conf(5)`'s timeout.
const FIRST_WAIT: Duration = Duration::from_secs(1);
/// How often each server is asked.
const ROUNDS: u8 = 4;
/// How long a server may take for its answer over TCP, the handshake included: one lost SYN and a bit (RFC 6298 §2).
const STREAM_WAIT: Duration = Duration::from_secs(5);

/// The addresses that an answer gave; further ones are left out.
pub(crate) type Found = Vec<IpAddr, 8>;

/// What became of a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Outcome {
    /// It is no answer to this question, and has changed nothing.
    Ignored,
    /// It was one, and the question goes on: to another server, over TCP, or for the name behind an alias.
    GoesOn,
    /// There is a [`result`](Query::result).
    Over,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    /// The server whose turn it is is to be asked.
    Asking { since: Instant },
    /// It was asked.
    Waiting { until: Instant },
    /// This server is asked over TCP.
    Streaming { server: u8, until: Instant },
    /// The question is answered, or never will be.
    Over(Option<Error>),
}

/// A question on its way: a name and the family of the addresses that it may have.
#[derive(Debug, Clone)]
pub(crate) struct Query {
    question: Question,
    servers: u8,
    /// The server that each round begins with.
    first: u8,
    /// How often a server's turn was over.
    turn: u8,
    /// A bit for each server that this question was sent to …
    asked: u8,
    /// … and for each that is not worth asking again.
    refused: u8,
    aliases: u8,
    /// The addresses; while a server is asked over TCP, those that its truncated answer had.
    found: Found,
    state: State,
}

impl Query {
    /// A question for `servers` servers, [`MAX_SERVERS`] at most. `id` is one that nobody can guess.
    pub(crate) fn new(name: Name, family: Family, id: u16, servers: usize, now: Instant) -> Query {
        Query {
            question: Question { id, name, family },
            servers: servers.min(MAX_SERVERS) as u8,
            first: 0,
            turn: 0,
            asked: 0,
            refused: 0,
            aliases: 0,
            found: Found::new(),
            state: match servers {
                0 => State::Over(Some(Error::NameNotFound)),
                _ => State::Asking { since: now },
            },
        }
    }

    /// When a server is to be [asked](Query::next_server), or given up.
    pub(crate) fn poll_at(&self) -> Option<Instant> {
        match self.state {
            State::Asking { since } => Some(since),
            State::Waiting { until } | State::Streaming { until, .. } => Some(until),
            State::Over(_) => None,
        }
    }

    /// What it came to: addresses (one at least), [`Error::NameNotFound`], or [`Error::TimedOut`] where no server answered
    /// the question.
    pub(crate) fn result(&self) -> Option<Result<&[IpAddr]>> {
        match self.state {
            State::Over(None) => Some(Ok(&self.found)),
            State::Over(Some(error)) => Some(Err(error)),
            _ => None,
        }
    }

    /// Goes on to what is due: the number of the server that is to be [asked](Query::emit) now, if one is.
    pub(crate) fn next_server(&mut self, now: Instant) -> Option<usize> {
        match self.state {
            State::Waiting { until } if until <= now => self.next_turn(now),
            State::Streaming { until, .. } if until <= now => {
                self.stream_failed(now);
            }
            _ => {}
        }
        let State::Asking { since } = self.state else {
            return None;
        };
        if since > now {
            return None;
        }
        self.state = State::Waiting {
            until: now + self.patience(),
        };
        let server = self.server();
        self.asked |= bit(server);
        Some(usize::from(server))
    }

    /// Writes the question as a datagram carries it; its length.
    pub(crate) fn emit(&self, buffer: &mut [u8; MAX_QUERY]) -> usize {
        self.question.write(buffer).unwrap_or(0)
    }

    /// Hears a datagram from a server. If the answer leads to another question, that one has the id `next_id`.
    pub(crate) fn hear(
        &mut self,
        now: Instant,
        server: usize,
        message: &[u8],
        next_id: u16,
    ) -> Outcome {
        let server = server.min(MAX_SERVERS) as u8;
        let is_heard = match self.state {
            State::Asking { .. } | State::Waiting { .. } => self.asked & bit(server) != 0,
            State::Streaming { .. } | State::Over(_) => false,
        };
        let response = is_heard.then(|| self.question.read(message, false));
        let Some(response) = response.flatten() else {
            return Outcome::Ignored;
        };
        let has_more = !matches!(response.answer, Answer::NoName | Answer::Failure);
        if response.is_truncated && has_more {
            if let Answer::Found(found) = response.answer {
                self.found = found;
            }
            self.state = State::Streaming {
                server,
                until: now + STREAM_WAIT,
            };
        } else {
            self.conclude(now, server, response.answer, next_id);
        }
        self.outcome()
    }

    /// The server that is to be asked over TCP.
    pub(crate) fn streams_to(&self) -> Option<usize> {
        match self.state {
            State::Streaming { server, .. } => Some(usize::from(server)),
            _ => None,
        }
    }

    /// Writes the question as it is sent over TCP: behind its length (RFC 7766 §8).
    pub(crate) fn emit_stream(&self, buffer: &mut [u8; 2 + MAX_QUERY]) -> usize {
        let [len0, len1, message @ ..] = buffer;
        let len = self.question.write(message).unwrap_or(0);
        [*len0, *len1] = (len as u16).to_be_bytes();
        2 + len
    }

    /// Hears the answer over TCP, without its length. Of one that `is_cut`, for there was no room for all of it, what is
    /// there whole counts.
    pub(crate) fn hear_stream(
        &mut self,
        now: Instant,
        message: &[u8],
        is_cut: bool,
        next_id: u16,
    ) -> Outcome {
        let State::Streaming { server, .. } = self.state else {
            return Outcome::Ignored;
        };
        match self.question.read(message, is_cut) {
            // What is not there may have been cut off.
            Some(response) if !(is_cut && response.answer == Answer::NoData) => {
                self.conclude(now, server, response.answer, next_id);
                self.outcome()
            }
            _ => self.stream_failed(now),
        }
    }

    /// The server did not take the connection, or ended it too soon. The addresses that its truncated answer had are better
    /// than none.
    pub(crate) fn stream_failed(&mut self, now: Instant) -> Outcome {
        let State::Streaming { server, .. } = self.state else {
            return Outcome::Ignored;
        };
        if self.found.is_empty() {
            self.refuse(now, server);
        } else {
            self.state = State::Over(None);
        }
        self.outcome()
    }

    /// There is no way to this server, or nobody at its port.
    pub(crate) fn unreachable(&mut self, now: Instant, server: usize) -> Outcome {
        if matches!(self.state, State::Over(_)) {
            return Outcome::Ignored;
        }
        self.refuse(now, server.min(MAX_SERVERS) as u8);
        self.outcome()
    }

    fn outcome(&self) -> Outcome {
        match self.state {
            State::Over(_) => Outcome::Over,
            _ => Outcome::GoesOn,
        }
    }

    fn conclude(&mut self, now: Instant, server: u8, answer: Answer, next_id: u16) {
        self.found.clear();
        match answer {
            Answer::Found(found) => {
                self.found = found;
                self.state = State::Over(None);
            }
            Answer::NoData | Answer::NoName => self.state = State::Over(Some(Error::NameNotFound)),
            Answer::Failure => self.refuse(now, server),
            Answer::Alias(_, more) if self.aliases + more > MAX_ALIASES => {
                self.refuse(now, server);
            }
            // The server that knows the alias comes first.
            Answer::Alias(name, more) => {
                self.question.name = name;
                self.question.id = next_id;
                self.aliases += more;
                (self.first, self.turn, self.asked, self.refused) = (server, 0, 0, 0);
                self.state = State::Asking { since: now };
            }
        }
    }

    /// This server is not asked again; if its turn it was, the next one's begins at once.
    fn refuse(&mut self, now: Instant, server: u8) {
        self.refused |= bit(server);
        let is_its_turn = match self.state {
            State::Streaming { .. } => true,
            _ => self.server() == server,
        };
        if is_its_turn {
            self.next_turn(now);
        }
    }

    fn next_turn(&mut self, now: Instant) {
        self.state = State::Over(Some(Error::TimedOut));
        while self.turn + 1 < self.servers * ROUNDS {
            self.turn += 1;
            if self.refused & bit(self.server()) == 0 {
                self.state = State::Asking { since: now };
                return;
            }
        }
    }

    /// The server whose turn it is.
    fn server(&self) -> u8 {
        (self.first + self.turn) % self.servers.max(1)
    }

    /// How long it may be silent: twice as long each round, which all servers share (as `resolv.conf(5)`'s do).
    fn patience(&self) -> Duration {
        let servers = self.servers.max(1);
        let round = FIRST_WAIT * (1 << (self.turn / servers));
        (round / u32::from(servers)).max(FIRST_WAIT)
    }
}

const fn bit(server: u8) -> u8 {
    match server {
        0..8 => 1 << server,
        _ => 0,
    }
}
