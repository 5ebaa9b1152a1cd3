//! What caused a frame that goes out: the application's call, and why a segment is sent again.
//!
//! The sequence numbers are the judge. Octets that were never sent before belong to the oldest `send` whose octets are
//! not all on the wire, a new FIN to the `shutdown` or `close`, the SYN to the `connect`. A call is never named twice for
//! the same octets, and a frame that no call explains names none.

use core::fmt;
use std::collections::VecDeque;

use crate::Error;
use crate::stack::Shutdown;
use crate::trace::{
    Call, Event, Flow, Mark, Marks, Outcome, Protocol, RetransmissionCause, Segment, State, Station,
};

use super::comment::{Again, Comment, Words};
use super::frame::Seen;

/// Conversations that are kept; the one that was quiet for longest is forgotten first.
const CONVERSATIONS: usize = 256;

/// Calls of one conversation whose octets are not all sent; further ones are counted with the last.
const SENDS: usize = 32;

/// The conversations of all stations.
#[derive(Debug, Default)]
pub(super) struct Causes(VecDeque<Conversation>);

#[derive(Debug)]
struct Conversation {
    station: Station,
    /// As the calls name it: a port or an address that they leave open fits any.
    flow: Flow,
    /// Of a datagram socket's. A connection's flow says enough, and outlives its descriptor.
    socket: Option<u16>,
    /// The initial sequence number.
    initial: Option<u32>,
    /// The sequence number after all that was ever sent (SND.MAX in BSD).
    next: Option<u32>,
    connect: Option<Call>,
    sends: VecDeque<Sent>,
    end: Option<Call>,
    /// What the application has read since the peer last heard of our window.
    read: Option<Call>,
    /// A change of state that a call made, until the frame that tells the peer.
    change: Option<(State, State)>,
    again: Option<RetransmissionCause>,
}

/// A call that sends, and how much of it is still to go.
#[derive(Debug)]
struct Sent {
    call: Call,
    /// How many further calls are counted with it.
    more: usize,
    left: usize,
    has_begun: bool,
}

impl Causes {
    /// Notes a call that may cause frames later.
    pub(super) fn call(
        &mut self,
        station: Station,
        event: &Event<'_>,
        call: Call,
        outcome: Outcome,
    ) {
        let flow = event.flow;
        let octets = match outcome {
            Outcome::Octets(octets) => octets,
            _ => 0,
        };
        let (protocol, remote) = match (flow, call) {
            (Some(flow), _) => (flow.protocol, flow.remote),
            (None, Call::Connect(to)) => (Protocol::Tcp, to),
            (None, Call::SendTo { to, .. }) => (Protocol::Udp, to),
            _ => return,
        };
        let has_begun = match (call, outcome) {
            (Call::Connect(_), Outcome::Done | Outcome::Failed(Error::WouldBlock)) => true,
            (Call::Send { .. } | Call::SendTo { .. }, Outcome::Octets(_) | Outcome::Done) => {
                // A datagram may be empty; of a stream nothing goes out then.
                protocol == Protocol::Udp || octets > 0
            }
            (Call::Recv { .. }, Outcome::Octets(1..)) => protocol == Protocol::Tcp,
            (Call::Shutdown(Shutdown::Write | Shutdown::Both) | Call::Close, Outcome::Done) => true,
            _ => false,
        };
        if !has_begun {
            return;
        }
        let anywhere = match remote {
            core::net::SocketAddr::V4(_) => ([0; 4], 0).into(),
            core::net::SocketAddr::V6(_) => ([0; 16], 0).into(),
        };
        let flow = flow.unwrap_or(Flow {
            protocol,
            local: anywhere,
            remote,
        });
        let socket = event.socket.filter(|_| protocol == Protocol::Udp);
        let conversation = self.conversation(station, socket, flow);
        match call {
            Call::Connect(_) => conversation.connect = Some(call),
            Call::Recv { .. } => conversation.read = Some(call),
            // The first of shutdown and close is what sends the FIN.
            Call::Shutdown(_) | Call::Close => {
                conversation.end.get_or_insert(call);
            }
            _ => conversation.sent(call, octets),
        }
    }

    /// Notes a change of state that a call made.
    pub(super) fn change(&mut self, station: Station, flow: Flow, from: State, to: State) {
        self.conversation(station, None, flow).change = Some((from, to));
    }

    /// Notes why the next segment of a flow is sent again.
    pub(super) fn again(&mut self, station: Station, flow: Flow, cause: RetransmissionCause) {
        self.conversation(station, None, flow).again = Some(cause);
    }

    /// Says in the comment what caused this frame, which a station sends.
    pub(super) fn explain(
        &mut self,
        station: Station,
        socket: Option<u16>,
        seen: &Seen,
        marks: Marks,
        comment: &mut Comment,
    ) {
        let Some(flow) = seen.flow else {
            return;
        };
        if let Some(segment) = &seen.segment {
            let conversation = self.conversation(station, None, flow);
            conversation.segment(segment, flow, comment);
            conversation.window(marks, comment);
        } else if let Some(index) = self.find(station, socket, flow)
            // Conversations of datagrams are those that calls began.
            && let Some(conversation) = self.0.get_mut(index)
            && let Some(sent) = conversation.sends.pop_front()
        {
            comment.add(sent);
        }
    }

    fn find(&self, station: Station, socket: Option<u16>, flow: Flow) -> Option<usize> {
        self.0.iter().rposition(|known| {
            let is_socket = known.socket == socket || known.socket.is_none() || socket.is_none();
            known.station == station && is_socket && known.fits(flow)
        })
    }

    /// The conversation, now the last to be forgotten.
    fn conversation(
        &mut self,
        station: Station,
        socket: Option<u16>,
        flow: Flow,
    ) -> &mut Conversation {
        let known = self.find(station, socket, flow);
        let conversation = known
            .and_then(|index| self.0.remove(index))
            .unwrap_or_else(|| Conversation::new(station, socket, flow));
        if self.0.len() == CONVERSATIONS {
            self.0.pop_front();
        }
        self.0.push_back(conversation);
        let last = self.0.len() - 1;
        &mut self.0[last]
    }
}

impl Conversation {
    fn new(station: Station, socket: Option<u16>, flow: Flow) -> Conversation {
        Conversation {
            station,
            flow,
            socket,
            initial: None,
            next: None,
            connect: None,
            sends: VecDeque::new(),
            end: None,
            read: None,
            change: None,
            again: None,
        }
    }

    /// Whether a frame's flow is this one, of which calls may have left the local side open.
    fn fits(&self, flow: Flow) -> bool {
        let named = self.flow;
        named.protocol == flow.protocol
            && named.remote == flow.remote
            && [0, flow.local.port()].contains(&named.local.port())
            && (named.local.ip().is_unspecified() || named.local.ip() == flow.local.ip())
    }

    fn sent(&mut self, call: Call, octets: usize) {
        if self.sends.len() < SENDS {
            self.sends.push_back(Sent {
                call,
                more: 0,
                left: octets,
                has_begun: false,
            });
        } else if let Some(last) = self.sends.back_mut() {
            last.more += 1;
            last.left += octets;
        }
    }

    fn segment(&mut self, segment: &Segment, flow: Flow, comment: &mut Comment) {
        // A call may have left the local address open.
        self.flow = flow;
        let flags = segment.flags;
        if flags.rst {
            if let Some(call) = self.end.take() {
                comment.add(Words(call));
                self.say_change(comment);
            }
            return;
        }
        if flags.syn && self.initial != Some(segment.sequence) {
            self.initial = Some(segment.sequence);
            self.next = Some(segment.sequence);
            self.sends.clear();
            self.end = None;
            self.again = None;
        }
        let end = segment.sequence.wrapping_add(segment.sequence_len());
        let next = *self.next.get_or_insert(segment.sequence);
        let new = end.wrapping_sub(next);
        let is_new = new != 0 && new < 1 << 31;
        if is_new {
            self.next = Some(end);
            if flags.syn
                && let Some(call) = self.connect.take()
            {
                comment.add(Words(call));
                self.say_change(comment);
            }
            self.say_sends(new - u32::from(flags.fin), comment);
            if flags.fin
                && let Some(call) = self.end.take()
            {
                comment.add(Words(call));
                self.say_change(comment);
            }
        }
        if segment.sequence_len() > 0
            && let Some(cause) = self.again.take()
        {
            comment.add(Again(cause));
        }
    }

    /// A window that grew where nothing else is new grew by what the application has read; any segment tells of it.
    fn window(&mut self, marks: Marks, comment: &mut Comment) {
        if let Some(call) = self.read.take()
            && marks.contains(Mark::WindowUpdate)
        {
            comment.add(Words(call));
        }
    }

    fn say_change(&mut self, comment: &mut Comment) {
        if let Some((from, to)) = self.change.take() {
            comment.add(format_args!("{from} → {to}"));
        }
    }

    /// Names the calls whose octets are these.
    fn say_sends(&mut self, octets: u32, comment: &mut Comment) {
        let mut octets = octets as usize;
        while octets > 0
            && let Some(sent) = self.sends.front_mut()
        {
            comment.add(&*sent);
            let taken = octets.min(sent.left);
            octets -= taken;
            sent.left -= taken;
            sent.has_begun = true;
            if sent.left == 0 {
                self.sends.pop_front();
            }
        }
    }
}

impl fmt::Display for Sent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        Words(self.call).fmt(f)?;
        if self.more > 0 {
            write!(f, " and {} more", self.more)?;
        }
        if self.has_begun {
            f.write_str(", continued")?;
        }
        Ok(())
    }
}
