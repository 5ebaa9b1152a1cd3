//! Which connections still have something to say after their socket was closed.

use crate::trace::{Event, Happening, Observer, State};
use std::{collections::HashSet, net::SocketAddr};

/// Stands between the stack and the user's observer, and keeps the connections whose FIN (and all data before it) the peer has
/// not acknowledged: FIN-WAIT-1, CLOSING and LAST-ACK (RFC 9293 §3.3.2). Bounded by the stack's connections.
#[derive(Default)]
pub(crate) struct Draining {
    observer: Option<Box<dyn Observer + Send>>,
    connections: HashSet<(SocketAddr, SocketAddr)>,
}

impl Draining {
    pub(super) fn new(observer: Option<Box<dyn Observer + Send>>) -> Draining {
        Draining {
            observer,
            connections: HashSet::new(),
        }
    }

    /// Whether every FIN that was sent has been acknowledged, or its connection was given up.
    pub(super) fn is_done(&self) -> bool {
        self.connections.is_empty()
    }
}

impl Observer for Draining {
    fn event(&mut self, event: &Event) {
        if let (Some(flow), Happening::State { to, .. }) = (event.flow, event.happening) {
            let connection = (flow.local, flow.remote);
            if matches!(to, State::FinWait1 | State::Closing | State::LastAck) {
                self.connections.insert(connection);
            } else {
                self.connections.remove(&connection);
            }
        }
        if let Some(observer) = &mut self.observer {
            observer.event(event);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::trace::{Cause, Flow, Protocol};
    use smoltcp::time::Instant;

    fn state(from: State, to: State) -> Event<'static> {
        Event {
            time: Instant::ZERO,
            interface: None,
            socket: None,
            flow: Some(Flow {
                protocol: Protocol::Tcp,
                local: ([10, 0, 0, 1], 49152).into(),
                remote: ([10, 0, 0, 2], 9999).into(),
            }),
            happening: Happening::State {
                from,
                to,
                cause: Cause::Segment,
            },
        }
    }

    #[test]
    fn is_done_when_the_fin_is_acknowledged() {
        let mut draining = Draining::default();
        draining.event(&state(State::SynSent, State::Established));
        assert!(draining.is_done());
        draining.event(&state(State::Established, State::FinWait1));
        assert!(!draining.is_done());
        draining.event(&state(State::FinWait1, State::FinWait2));
        assert!(draining.is_done());
    }

    #[test]
    fn is_done_when_the_connection_is_given_up() {
        let mut draining = Draining::default();
        draining.event(&state(State::CloseWait, State::LastAck));
        assert!(!draining.is_done());
        draining.event(&state(State::LastAck, State::Closed));
        assert!(draining.is_done());
    }

    #[test]
    fn passes_every_event_on() {
        let heard = std::sync::Arc::new(std::sync::Mutex::new(0));
        let count = heard.clone();
        let observer = move |_: &Event| *count.lock().expect("no panic under this lock") += 1;
        let mut draining = Draining::new(Some(Box::new(observer)));
        draining.event(&state(State::CloseWait, State::LastAck));
        assert_eq!(*heard.lock().expect("no panic under this lock"), 1);
    }
}
