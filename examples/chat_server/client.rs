//! One client: what it said that is not yet a line, and what it is still to be told.

use std::{
    io::{self, Read, Write},
    net::SocketAddr,
};

use glasstack::{
    socket::blocking::TcpStream,
    stack::{Events, PollFd},
};

/// What one read takes, and the longest line: what is longer is said in pieces.
const LINE: usize = 1_024;
/// What waits at most for a client that does not read, beside the stack's own send buffer.
const OUTBOX: usize = 16 * 1_024;
/// The longest greeting. A client without room for it is not read from.
const GREETING: usize = LINE + b"Hello, !".len();

/// What a client said.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Said {
    /// Something to be greeted by, as it came.
    Name(Vec<u8>),
    /// A line of chat.
    Line(String),
    /// Goodbye, or the end of the stream.
    Exit,
}

/// A client and its connection.
pub(crate) struct Client {
    stream: TcpStream,
    pub(crate) peer: SocketAddr,
    /// Its name, once it has joined.
    pub(crate) member: Option<String>,
    /// The beginning of a line.
    line: Vec<u8>,
    outbox: Vec<u8>,
    /// How many messages found no room in it.
    missed: usize,
    /// It is told the rest, and then let go.
    pub(crate) is_leaving: bool,
    /// There is nobody to tell any more.
    pub(crate) is_gone: bool,
}

impl Client {
    pub(crate) fn new(stream: TcpStream, peer: SocketAddr) -> Client {
        // An IPv4 peer of a socket on "::" is ::ffff:a.b.c.d; a reader wants a.b.c.d.
        let peer = SocketAddr::new(peer.ip().to_canonical(), peer.port());
        println!("Accept new connection from {peer}...");
        let mut client = Client {
            stream,
            peer,
            member: None,
            line: Vec::new(),
            outbox: Vec::new(),
            missed: 0,
            is_leaving: false,
            is_gone: false,
        };
        client.answer(b"Welcome!");
        client
    }

    /// What is waited for: its next words, if there is room for the answer; room, if there is an answer.
    pub(crate) fn poll_fd(&self) -> PollFd {
        let mut events = Events::NONE;
        if !self.is_leaving && self.outbox.len() + GREETING <= OUTBOX {
            events |= Events::POLLIN;
        }
        if !self.outbox.is_empty() {
            events |= Events::POLLOUT;
        }
        PollFd::new(self.stream.fd(), events)
    }

    /// What it has said since the last time, by one read: the others have their turn before the next.
    pub(crate) fn hear(&mut self) -> io::Result<Vec<Said>> {
        let mut buffer = [0; LINE];
        let said = match self.stream.read(&mut buffer) {
            Ok(0) => vec![Said::Exit],
            Ok(length) => self.take(&buffer[..length]),
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => Vec::new(),
            Err(error) => return Err(error),
        };
        Ok(said)
    }

    /// Who has not joined is greeted by what one read gave, as TCP knows no messages and the client waits for each answer.
    /// Commands, and whatever a member says, are lines, in however many pieces they come.
    fn take(&mut self, data: &[u8]) -> Vec<Said> {
        if self.member.is_none() && self.line.is_empty() && !data.starts_with(b"/") {
            return vec![if data == b"exit" {
                Said::Exit
            } else {
                Said::Name(data.to_vec())
            }];
        }
        let mut said = Vec::new();
        for &octet in data {
            if octet != b'\n' {
                self.line.push(octet);
            }
            if octet == b'\n' || self.line.len() == LINE {
                said.push(match String::from_utf8_lossy(&self.line).trim() {
                    "exit" => Said::Exit,
                    // What would steer a terminal is not passed on.
                    line => Said::Line(line.chars().filter(|c| !c.is_control()).collect()),
                });
                self.line.clear();
            }
        }
        said
    }

    /// Tells it what it waits for.
    pub(crate) fn answer(&mut self, words: &[u8]) {
        self.outbox.extend_from_slice(words);
        self.send();
    }

    /// Tells it what is said in the room. Who does not read misses what there is no room for, and nobody waits for them.
    pub(crate) fn tell(&mut self, words: &str) {
        if self.is_gone {
            return;
        }
        if self.missed > 0 || self.outbox.len() + words.len() > OUTBOX {
            self.missed += 1;
        } else {
            self.answer(words.as_bytes());
        }
    }

    /// Sends as much as there is room for.
    pub(crate) fn send(&mut self) {
        while !self.outbox.is_empty() {
            match self.stream.write(&self.outbox) {
                Ok(length) => drop(self.outbox.drain(..length)),
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return,
                Err(error) => return self.lose(&error),
            }
            if self.outbox.is_empty() && self.missed > 0 {
                let missed = std::mem::take(&mut self.missed);
                self.outbox = format!("* You missed {missed} messages.\n").into_bytes();
            }
        }
    }

    /// The connection is over.
    pub(crate) fn lose(&mut self, error: &io::Error) {
        println!("Connection from {} broke off: {error}", self.peer);
        self.is_gone = true;
    }

    /// Why a connection is over, of which `poll` says no more than that.
    pub(crate) fn error(&self) -> io::Error {
        let error = self.stream.take_error().ok().flatten();
        error.unwrap_or_else(|| io::ErrorKind::ConnectionAborted.into())
    }

    /// Whether it can be let go.
    pub(crate) fn is_done(&self) -> bool {
        self.is_gone || self.is_leaving && self.outbox.is_empty()
    }
}

impl Drop for Client {
    fn drop(&mut self) {
        println!("Connection from {} closed.", self.peer);
    }
}
