//! The columns: every state that a socket can be in, and how it comes there.

use std::time::Duration;

use glasstack::smoltcp::time;
use glasstack::stack::option::UserTimeout;
use glasstack::stack::{Domain, Fd, Shutdown, Type};
use glasstack::{Error, Result};

use crate::pair::{Pair, at};

/// Where the server listens, and has a datagram socket.
pub(crate) const SERVICE: u16 = 80;
/// Where nobody does.
const NOBODY: u16 = 81;
/// Where the socket under test is bound, if it is.
const OWN: u16 = 7000;
/// Where another socket is, of either type.
pub(crate) const TAKEN: u16 = 7001;

macro_rules! states {
    ($($(#[$doc:meta])* $name:ident,)*) => {
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        pub(crate) enum State {
            $($(#[$doc])* $name,)*
        }

        impl State {
            pub(crate) const ALL: [State; [$(State::$name),*].len()] = [$(State::$name),*];

            pub(crate) fn name(self) -> &'static str {
                match self {
                    $(State::$name => stringify!($name),)*
                }
            }
        }
    };
}

states! {
    /// The descriptor is closed.
    Stale,
    Fresh,
    Bound,
    Listening,
    /// Listening, and a connection waits to be accepted.
    Acceptable,
    /// The SYN has no answer yet.
    Connecting,
    /// The peer refused; the application has not heard it yet.
    Refused,
    /// And now it has.
    RefusedHeard,
    /// The next hop of the SYN does not answer.
    Unreachable,
    /// The SYN was not answered in time.
    Unanswered,
    /// The handshake is done, which `connect` has not told yet.
    Established,
    Connected,
    /// Connected, and data has arrived.
    Readable,
    /// Connected, and the send buffer is full.
    Full,
    /// The peer has closed its direction.
    PeerShut,
    /// We have closed ours.
    WriteShut,
    /// We read no more.
    ReadShut,
    /// Both directions are closed, the peer's first.
    BothShut,
    /// Both directions are closed, ours first: TIME-WAIT.
    TimeWait,
    /// The peer reset the connection; the application has not heard it yet.
    Reset,
    /// And now it has.
    ResetHeard,
    /// The peer no longer answers; the application has not heard it yet.
    TimedOut,
    /// And now it has.
    TimedOutHeard,
    DatagramStale,
    DatagramFresh,
    DatagramBound,
    DatagramConnected,
    /// Bound, and a datagram has arrived.
    DatagramReadable,
    /// Connected, and the queue for sending is full.
    DatagramFull,
    /// Connected, and ICMP said that nobody listens there.
    DatagramRefused,
    /// And the application has heard it.
    DatagramRefusedHeard,
}

/// A socket in its state, and what it takes to be there.
pub(crate) struct World {
    pub domain: Domain,
    pub pair: Pair<'static>,
    /// The socket under test, on the client.
    pub fd: Fd,
}

impl World {
    pub(crate) fn new(domain: Domain, state: State) -> World {
        let mut pair = Pair::small();
        for kind in [Type::Stream, Type::Datagram] {
            let other = pair.client.stack.socket(domain, kind).unwrap();
            pair.client.stack.bind(other, at(domain, 1, TAKEN)).unwrap();
        }
        let server = pair.server.stack.socket(domain, Type::Datagram).unwrap();
        pair.server
            .stack
            .bind(server, at(domain, 2, SERVICE))
            .unwrap();
        let is_datagram = state.name().starts_with("Datagram");
        let kind = if is_datagram {
            Type::Datagram
        } else {
            Type::Stream
        };
        let fd = pair.client.stack.socket(domain, kind).unwrap();
        let mut world = World { domain, pair, fd };
        world.enter(state, server).unwrap();
        world
    }

    fn enter(&mut self, state: State, server: Fd) -> Result<()> {
        let (domain, fd) = (self.domain, self.fd);
        let own = at(domain, 1, OWN);
        let pair = &mut self.pair;
        match state {
            State::Stale | State::DatagramStale => pair.client.stack.close(fd)?,
            State::Fresh | State::DatagramFresh => {}
            State::Bound | State::DatagramBound => pair.client.stack.bind(fd, own)?,
            State::Listening | State::Acceptable => {
                pair.client.stack.bind(fd, own)?;
                pair.client.stack.listen(fd, 5)?;
                if state == State::Acceptable {
                    let caller = pair.server.stack.socket(domain, Type::Stream)?;
                    assert_eq!(
                        pair.server.stack.connect(caller, own),
                        Err(Error::WouldBlock)
                    );
                    pair.exchange();
                }
            }
            State::Connecting => {
                pair.cut = true;
                self.begin(SERVICE);
            }
            State::Refused => self.begin(NOBODY),
            State::RefusedHeard => {
                self.begin(NOBODY);
                self.hear(Error::ConnectionRefused);
            }
            State::Unreachable => {
                pair.cut = true;
                self.begin(SERVICE);
                self.pair.pass(time::Duration::from_secs(10));
            }
            State::Unanswered => {
                // The neighbor is known, so that it is TCP's patience that ends.
                pair.client
                    .stack
                    .socket(domain, Type::Datagram)
                    .and_then(|other| {
                        pair.client
                            .stack
                            .sendto(other, b"", at(domain, 2, SERVICE))?;
                        pair.exchange();
                        pair.client.stack.close(other)
                    })?;
                pair.cut = true;
                self.begin(SERVICE);
                self.pair.pass(time::Duration::from_secs(200));
            }
            State::Established => {
                pair.listen(domain, SERVICE);
                self.begin(SERVICE);
            }
            State::DatagramConnected => pair.client.stack.connect(fd, at(domain, 2, SERVICE))?,
            State::DatagramReadable => {
                pair.client.stack.bind(fd, own)?;
                pair.server.stack.sendto(server, b"twelve bytes", own)?;
                pair.exchange();
            }
            State::DatagramFull => {
                pair.client.stack.connect(fd, at(domain, 2, SERVICE))?;
                while pair.client.stack.send(fd, b"four").is_ok() {}
            }
            State::DatagramRefused | State::DatagramRefusedHeard => {
                pair.client.stack.connect(fd, at(domain, 2, NOBODY))?;
                pair.client.stack.send(fd, b"four")?;
                pair.exchange();
                if state == State::DatagramRefusedHeard {
                    self.hear(Error::ConnectionRefused);
                }
            }
            _ => {
                let listener = pair.listen(domain, SERVICE);
                self.begin(SERVICE);
                self.pair.client.stack.connect(fd, at(domain, 2, SERVICE))?;
                let (peer, _) = self.pair.server.stack.accept(listener)?;
                self.go_on(state, peer)?;
            }
        }
        Ok(())
    }

    /// Calls `connect`, which ends later.
    fn begin(&mut self, port: u16) {
        let stack = &mut self.pair.client.stack;
        assert_eq!(
            stack.connect(self.fd, at(self.domain, 2, port)),
            Err(Error::WouldBlock)
        );
        self.pair.exchange();
    }

    fn hear(&mut self, error: Error) {
        assert_eq!(self.pair.client.stack.take_error(self.fd), Ok(Some(error)));
    }

    /// From a connection to what may become of it.
    fn go_on(&mut self, state: State, peer: Fd) -> Result<()> {
        let fd = self.fd;
        let pair = &mut self.pair;
        match state {
            State::Connected => {}
            State::Readable => {
                pair.server.stack.send(peer, b"twelve bytes")?;
                pair.exchange();
            }
            State::Full => {
                pair.cut = true;
                while pair.client.stack.send(fd, &[0; 512]).is_ok() {}
            }
            State::PeerShut => pair.server.stack.shutdown(peer, Shutdown::Write)?,
            State::WriteShut => pair.client.stack.shutdown(fd, Shutdown::Write)?,
            State::ReadShut => pair.client.stack.shutdown(fd, Shutdown::Read)?,
            State::BothShut => {
                pair.server.stack.shutdown(peer, Shutdown::Write)?;
                pair.pass(time::Duration::from_secs(1));
                pair.client.stack.shutdown(fd, Shutdown::Write)?;
            }
            State::TimeWait => {
                pair.client.stack.shutdown(fd, Shutdown::Write)?;
                pair.pass(time::Duration::from_secs(1));
                pair.server.stack.shutdown(peer, Shutdown::Write)?;
            }
            State::Reset | State::ResetHeard => {
                // A connection that is closed with unread data is reset.
                pair.client.stack.send(fd, b"unread")?;
                pair.exchange();
                pair.server.stack.close(peer)?;
                pair.exchange();
                if state == State::ResetHeard {
                    self.hear(Error::ConnectionReset);
                }
            }
            State::TimedOut | State::TimedOutHeard => {
                let patience = Some(Duration::from_secs(5));
                pair.client.stack.setsockopt(fd, UserTimeout, patience)?;
                pair.cut = true;
                pair.client.stack.send(fd, b"four")?;
                pair.pass(time::Duration::from_secs(60));
                if state == State::TimedOutHeard {
                    self.hear(Error::TimedOut);
                }
            }
            other => unreachable!("{other:?} is no state of a connection"),
        }
        if !self.pair.cut {
            self.pair.pass(time::Duration::from_secs(1));
        }
        Ok(())
    }
}
