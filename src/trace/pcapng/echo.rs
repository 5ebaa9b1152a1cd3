//! A frame that arrives is the one that another station has sent, where such a one is still under way.

use core::hash::Hasher;
use std::collections::VecDeque;

use siphasher::sip::SipHasher13;

use crate::trace::Station;

/// Frames that are remembered after they were sent; the oldest is forgotten first.
const SENT: usize = 1_024;

/// What stations have sent lately.
#[derive(Default)]
pub(super) struct Sent(VecDeque<Digest>);

/// A frame, by its digest, and the stations that it has reached: of a broadcast there are many.
struct Digest {
    octets: u64,
    sender: Station,
    reached: Vec<Station>,
}

impl Sent {
    pub(super) fn leaves(&mut self, sender: Station, frame: &[u8]) {
        if self.0.len() == SENT {
            self.0.pop_front();
        }
        self.0.push_back(Digest {
            octets: digest(frame),
            sender,
            reached: Vec::new(),
        });
    }

    /// Whether this is a frame that was sent and has not reached the station before. What the link damaged or doubled is not.
    pub(super) fn reaches(&mut self, station: Station, frame: &[u8]) -> bool {
        let octets = digest(frame);
        // The latest first: most arrive soon.
        let sent = self.0.iter_mut().rev().find(|sent| {
            sent.octets == octets && sent.sender != station && !sent.reached.contains(&station)
        });
        let Some(sent) = sent else {
            return false;
        };
        sent.reached.push(station);
        true
    }
}

fn digest(frame: &[u8]) -> u64 {
    let mut hasher = SipHasher13::new();
    hasher.write(frame);
    hasher.finish()
}
