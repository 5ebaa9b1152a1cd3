//! Where a conversation is watched from. A segment between two hosts that both tell is told twice: as it leaves one and as
//! it reaches the other, or not. What it means depends on the place: a segment sent again is a retransmission where it
//! leaves, and a round trip is only one if its two frames were seen at the same place.

use core::net::SocketAddr;

use super::{Direction, Segment, Station};

/// The places from which one conversation is watched: at most two stations, the first to tell of it first.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Vantage {
    /// The ends, the one that was heard first before the other.
    ends: (SocketAddr, SocketAddr),
    stations: [Option<Station>; 2],
    /// As what each station tells the segments of each end. On a loopback both, and the first is enough.
    ways: [[Option<Direction>; 2]; 2],
    /// The station that told first of each end's segments, which is the end's own, if it tells at all.
    own: [Option<usize>; 2],
}

/// A segment, as one place has it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Sighting {
    /// Which place: 0 or 1.
    pub(super) place: usize,
    /// Whose segment: 0 the end that was heard first, 1 the other.
    pub(super) sender: usize,
    /// This is the place to count the sender's segments at.
    pub(super) is_first_hand: bool,
    /// This is the place to count the other end's segments at.
    pub(super) is_at_receiver: bool,
}

impl Vantage {
    /// The conversation that a segment belongs to.
    pub(super) fn of(segment: &Segment) -> Vantage {
        Vantage {
            ends: (segment.source, segment.destination),
            stations: [None; 2],
            ways: [[None; 2]; 2],
            own: [None; 2],
        }
    }

    /// The end that was heard first, and the other.
    pub(super) fn ends(&self) -> (SocketAddr, SocketAddr) {
        self.ends
    }

    /// Whether a segment belongs to this conversation.
    pub(super) fn is_of(&self, segment: &Segment) -> bool {
        let (a, b) = (segment.source, segment.destination);
        self.ends == (a, b) || self.ends == (b, a)
    }

    /// Places a segment of this conversation; `None` where it is told once more at the same place, or by a third station.
    pub(super) fn hear(
        &mut self,
        station: Station,
        direction: Direction,
        segment: &Segment,
    ) -> Option<Sighting> {
        let is_here = |known: &Option<Station>| known.is_none_or(|known| known == station);
        let place = self.stations.iter().position(is_here)?;
        self.stations[place] = Some(station);
        let sender = usize::from(segment.source != self.ends.0);
        let way = *self.ways[place][sender].get_or_insert(direction);
        if way != direction {
            return None;
        }
        let own = *self.own[sender].get_or_insert(place);
        Some(Sighting {
            place,
            sender,
            is_first_hand: own == place,
            is_at_receiver: self.own[1 - sender] == Some(place),
        })
    }
}
