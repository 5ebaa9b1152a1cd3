//! Conversations and their numbers, and which addresses live on which side.

use core::net::{IpAddr, SocketAddr};

use crate::trace::Protocol;

use super::row::Side;
use super::told::Conversation;

#[derive(Debug, Clone, Copy)]
struct Known {
    conversation: Conversation,
    ends: [SocketAddr; 2],
}

/// The conversations that are known, 64 at most: the oldest is forgotten first.
#[derive(Debug)]
pub(super) struct Streams {
    known: heapless::Deque<Known, 64>,
    /// The next number: TCP's, UDP's.
    next: [u32; 2],
    homes: heapless::Deque<(IpAddr, Side), 16>,
}

impl Streams {
    pub(super) const fn new() -> Self {
        Streams {
            known: heapless::Deque::new(),
            next: [0; 2],
            homes: heapless::Deque::new(),
        }
    }

    /// The conversation between two ends, and whether it is new. Its number is `number`, or where none is known yet, the
    /// next: that of the segment to come.
    pub(super) fn of(
        &mut self,
        protocol: Protocol,
        ends: [SocketAddr; 2],
        number: Option<u32>,
    ) -> (Conversation, bool) {
        let is_it = |known: &&Known| {
            known.conversation.protocol == protocol
                && (known.ends == ends || known.ends == [ends[1], ends[0]])
        };
        // The youngest: an older one is an earlier conversation between the same ports.
        let known = self
            .known
            .iter()
            .rev()
            .find(is_it)
            .map(|known| known.conversation);
        if let Some(known) =
            known.filter(|known| number.is_none_or(|number| number == known.number))
        {
            return (known, false);
        }
        let next = &mut self.next[protocol as usize];
        let number = number.unwrap_or(*next);
        *next = number.max(*next).wrapping_add(1).max(number);
        let conversation = Conversation { protocol, number };
        if self.known.is_full() {
            self.known.pop_front();
        }
        // There is room now.
        let _ = self.known.push_back(Known { conversation, ends });
        (conversation, true)
    }

    /// The youngest TCP conversation with this end.
    pub(super) fn with_end(&self, end: SocketAddr) -> Option<Conversation> {
        let mut known = self.known.iter().rev();
        let is_it = |known: &&Known| {
            known.conversation.protocol == Protocol::Tcp && known.ends.contains(&end)
        };
        known.find(is_it).map(|known| known.conversation)
    }

    /// Whether rows have to say which TCP stream they are of.
    pub(super) fn are_many(&self) -> bool {
        self.next[Protocol::Tcp as usize] > 1
    }

    /// A host on `side` sends from this address.
    pub(super) fn lives(&mut self, address: IpAddr, side: Side) {
        if self.homes.iter().any(|(known, _)| *known == address) {
            return;
        }
        if self.homes.is_full() {
            self.homes.pop_front();
        }
        let _ = self.homes.push_back((address, side));
    }

    /// On which side this address is, as far as is known.
    pub(super) fn side_of(&self, address: IpAddr) -> Option<Side> {
        let mut homes = self.homes.iter();
        homes
            .find(|(known, _)| *known == address)
            .map(|(_, side)| *side)
    }
}
