//! TCP conversations, numbered in the order in which a link sees them: Wireshark's `tcp.stream`.

use std::net::SocketAddr;

use crate::trace::Segment;

/// Conversations that are known at once; the oldest is forgotten first.
const STREAMS: usize = 256;

/// Where a segment belongs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Place {
    /// Counted from 0.
    pub(crate) stream: u64,
    /// Sent by the side that began the conversation.
    pub(crate) from_client: bool,
}

#[derive(Debug, Clone, Copy)]
struct Stream {
    number: u64,
    client: SocketAddr,
    server: SocketAddr,
    /// The client's initial sequence number, where its SYN was seen.
    syn: Option<u32>,
}

/// The conversations of a link.
#[derive(Debug, Clone, Default)]
pub(crate) struct Streams {
    /// A ring, once it is full.
    known: Vec<Stream>,
    /// How many there were.
    count: u64,
}

impl Streams {
    /// Finds the conversation of a segment; its first segment begins it, and so does a SYN with another number (ports that
    /// are used again).
    pub(crate) fn place(&mut self, segment: &Segment) -> Place {
        let (from, to) = (segment.source, segment.destination);
        let is_syn = segment.flags.syn && segment.acknowledgment.is_none();
        let syn = is_syn.then_some(segment.sequence);
        // The newest of those that had the same addresses.
        let known = self.known.iter_mut().filter(|stream| {
            (stream.client, stream.server) == (from, to)
                || (stream.client, stream.server) == (to, from)
        });
        if let Some(stream) = known.max_by_key(|stream| stream.number) {
            let from_client = stream.client == from;
            if syn.is_none() || (from_client && stream.syn.is_none_or(|known| syn == Some(known))) {
                stream.syn = stream.syn.or(syn);
                return Place {
                    stream: stream.number,
                    from_client,
                };
            }
        }
        // Begun before the link was looked at: an answer to a SYN was not sent by the client.
        let from_client = !segment.flags.syn || is_syn;
        let (client, server) = if from_client { (from, to) } else { (to, from) };
        let stream = Stream {
            number: self.count,
            client,
            server,
            syn,
        };
        self.count += 1;
        if self.known.len() < STREAMS {
            self.known.push(stream);
        } else if let Some(oldest) = self.known.get_mut(stream.number as usize % STREAMS) {
            *oldest = stream;
        }
        Place {
            stream: stream.number,
            from_client,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::trace::{Flags, Instant};

    fn segment(from: u16, to: u16, syn: bool, sequence: u32, ack: bool) -> Segment {
        Segment {
            time: Instant::ZERO,
            source: ([10, 0, 0, 1], from).into(),
            destination: ([10, 0, 0, 1], to).into(),
            sequence,
            acknowledgment: ack.then_some(1),
            flags: Flags {
                syn,
                ..Flags::default()
            },
            window: 1000,
            window_scale: None,
            max_segment_size: None,
            sack_permitted: false,
            sack: [None; 3],
            timestamps: None,
            len: 0,
        }
    }

    fn place(stream: u64, from_client: bool) -> Place {
        Place {
            stream,
            from_client,
        }
    }

    #[test]
    fn conversations_are_numbered_by_their_first_segment() {
        let mut streams = Streams::default();
        let mut see =
            |from, to, syn, sequence, ack| streams.place(&segment(from, to, syn, sequence, ack));
        assert_eq!(see(49152, 80, true, 5, false), place(0, true));
        assert_eq!(see(49153, 80, true, 5, false), place(1, true));
        assert_eq!(see(80, 49152, true, 9, true), place(0, false));
        assert_eq!(
            see(49152, 80, true, 5, false),
            place(0, true),
            "the SYN again"
        );
        assert_eq!(
            see(49152, 80, true, 6, false),
            place(2, true),
            "the ports again"
        );
        assert_eq!(see(80, 49152, false, 9, true), place(2, false));
        assert_eq!(
            see(80, 49999, true, 9, true),
            place(3, false),
            "a SYN-ACK answers a client"
        );
    }

    #[test]
    fn the_oldest_is_forgotten_first() {
        let mut streams = Streams::default();
        for port in 0..=STREAMS as u16 {
            streams.place(&segment(port, 9999, true, 5, false));
        }
        assert_eq!(streams.known.len(), STREAMS);
        let second = streams.place(&segment(1, 9999, false, 6, true));
        assert_eq!(second, place(1, true));
        let first = streams.place(&segment(0, 9999, false, 6, true));
        assert_eq!(first.stream, STREAMS as u64 + 1, "a stranger by now");
    }
}
