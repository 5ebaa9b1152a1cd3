//! What a task waits for, in words: what is told of one that will wait for ever.

use std::net::SocketAddr;
use std::task::Waker;

use crate::Stack;
use crate::stack::fd::Socket;
use crate::stack::waiting::Subject;
use crate::stack::{Domain, Interest};
use crate::trace::Observer;

impl<'a, O: Observer> Stack<'a, O> {
    /// What the tasks wait for that are woken by this waker, in words.
    pub(crate) fn waits(&self, waker: &Waker) -> Vec<String> {
        let subjects = self.wakers.subjects(waker);
        subjects
            .filter_map(|subject| self.wait_in_words(subject))
            .collect()
    }

    fn wait_in_words(&self, subject: Subject) -> Option<String> {
        let (index, interest) = match subject {
            Subject::Socket(index, interest) => (index, interest),
            Subject::Poll => return Some("an event of the sockets that it polls".to_string()),
            Subject::Lookup(_) => return Some("a name server's answer".to_string()),
            Subject::Configured => return Some("an address".to_string()),
            Subject::Time => return Some("a time".to_string()),
            Subject::Work(_) | Subject::Drained | Subject::Woken => return None,
        };
        let fd = self.descriptors.open_fds().find(|fd| fd.index == index)?;
        let local = self.getsockname(fd).ok()?;
        let socket = match (&self.descriptors.peek(index).socket, interest) {
            (Socket::Listening { .. }, _) => format!("a connection to {local}"),
            (Socket::Connecting(_), _) => format!("the end of its handshake from {local}"),
            (_, Interest::Readable) => format!("something to read at {local}"),
            (_, Interest::Writable) => format!("room to write at {local}"),
        };
        let peer = match self.descriptors.peek(index).socket {
            Socket::Connected { slot, .. } | Socket::Connecting(slot) => {
                let connection = self.slots[usize::from(slot)].connection()?;
                let remote = connection.flow.remote.to_socket_addr(Domain::Inet6);
                let remote = SocketAddr::new(remote.ip().to_canonical(), remote.port());
                format!(", of {remote} ({})", connection.state)
            }
            _ => String::new(),
        };
        Some(format!("{socket}{peer}, with descriptor {fd}"))
    }
}
