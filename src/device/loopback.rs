//! The internal loopback: what a host sends to itself comes back, in order, from memory that the caller lends.

use core::mem;

use managed::ManagedSlice;
use smoltcp::{
    phy::{self, Device, DeviceCapabilities, Medium},
    time::Instant,
};

/// A device of [`Medium::Ip`] that receives what it transmits, first in, first out.
///
/// A received packet is read where it lies in the queue. A reply to it is written into the scratch buffer, so both
/// tokens can live at once, and joins the queue with the next call. A full queue holds the sender back: `transmit` gives a
/// token only while a packet of a whole MTU fits, and what is queued is never dropped. A reply that is no larger than
/// the packet it answers always fits in that packet's place; a larger one (an ICMP error quoting it) is dropped when
/// the queue is full, as any link may do.
///
/// Checksums are computed and verified as on any link, so what is captured here reads as if from a wire.
#[derive(Debug)]
pub struct Loopback<'a> {
    queue: Ring<'a>,
    scratch: ManagedSlice<'a, u8>,
    /// Bytes of the reply that waits in `scratch`; 0 where none does.
    reply: usize,
    /// The head of the queue was handed out by the last `receive`.
    lent: bool,
}

impl<'a> Loopback<'a> {
    /// A loopback whose MTU is the length of `scratch`, at most 65,535 bytes (the largest IPv4 packet, RFC 791 §3.1) and
    /// at most what `queue` can hold: each packet in it takes its own length and 2 bytes more.
    pub fn new(
        queue: impl Into<ManagedSlice<'a, u8>>,
        scratch: impl Into<ManagedSlice<'a, u8>>,
    ) -> Self {
        Loopback {
            queue: Ring::new(queue.into()),
            scratch: scratch.into(),
            reply: 0,
            lent: false,
        }
    }

    /// A loopback without memory, which carries nothing: it keeps the place while the real one is borrowed.
    pub const fn empty() -> Self {
        Loopback {
            queue: Ring::new(ManagedSlice::Borrowed(&mut [])),
            scratch: ManagedSlice::Borrowed(&mut []),
            reply: 0,
            lent: false,
        }
    }

    /// Whether there is nothing to receive.
    pub fn is_empty(&self) -> bool {
        self.reply == 0 && self.queue.packets == usize::from(self.lent)
    }

    /// The largest packet, in bytes.
    pub fn mtu(&self) -> usize {
        let queue = self.queue.bytes.len().saturating_sub(Ring::PREFIX);
        self.scratch.len().min(queue).min(usize::from(u16::MAX))
    }

    /// Frees the packet that was lent, and queues the reply to it where there is room.
    fn settle(&mut self) {
        if mem::take(&mut self.lent) {
            self.queue.pop();
        }
        if let Some(reply) = self.scratch.get(..self.reply)
            && let Some(buffer) = self.queue.push(reply.len())
        {
            buffer.copy_from_slice(reply);
            self.reply = 0;
        }
    }
}

impl<'q> Device for Loopback<'q> {
    type RxToken<'a>
        = RxToken<'a>
    where
        Self: 'a;
    type TxToken<'a>
        = TxToken<'a, 'q>
    where
        Self: 'a;

    fn receive(&mut self, _: Instant) -> Option<(RxToken<'_>, TxToken<'_, 'q>)> {
        self.settle();
        // No room for the reply even now: it is given up, for the queue only drains if the packets are received.
        self.reply = 0;
        let mtu = self.mtu();
        let packet = self.queue.front()?;
        self.lent = true;
        let reply = Room::Scratch {
            scratch: &mut self.scratch[..mtu],
            reply: &mut self.reply,
        };
        Some((RxToken(packet), TxToken(reply)))
    }

    fn transmit(&mut self, _: Instant) -> Option<TxToken<'_, 'q>> {
        self.settle();
        let mtu = self.mtu();
        if self.reply > 0 || mtu == 0 || self.queue.place(mtu).is_none() {
            return None;
        }
        Some(TxToken(Room::Queue(&mut self.queue)))
    }

    fn capabilities(&self) -> DeviceCapabilities {
        let mut capabilities = DeviceCapabilities::default();
        capabilities.medium = Medium::Ip;
        capabilities.max_transmission_unit = self.mtu();
        capabilities
    }
}

/// A packet that came back, where it lies in the queue.
#[derive(Debug)]
pub struct RxToken<'a>(&'a [u8]);

impl phy::RxToken for RxToken<'_> {
    fn consume<R, F: FnOnce(&[u8]) -> R>(self, f: F) -> R {
        f(self.0)
    }
}

/// Room for one packet of at most the MTU.
#[derive(Debug)]
pub struct TxToken<'a, 'q>(Room<'a, 'q>);

#[derive(Debug)]
enum Room<'a, 'q> {
    Queue(&'a mut Ring<'q>),
    Scratch {
        scratch: &'a mut [u8],
        reply: &'a mut usize,
    },
}

impl phy::TxToken for TxToken<'_, '_> {
    /// More than the MTU, which no caller may send and this trait cannot refuse, finds an empty buffer.
    fn consume<R, F: FnOnce(&mut [u8]) -> R>(self, len: usize, f: F) -> R {
        let buffer = match self.0 {
            Room::Queue(queue) => queue.push(len),
            Room::Scratch { scratch, reply } => scratch.get_mut(..len).inspect(|_| *reply = len),
        };
        match buffer {
            Some(buffer) => {
                buffer.fill(0);
                f(buffer)
            }
            None => f(&mut []),
        }
    }
}

/// Packets one behind the other, each in one piece behind its length. Where the end of the memory is too short for the
/// next one, a length of 0 (or no room for a length) sends the reader back to the start.
#[derive(Debug)]
struct Ring<'a> {
    bytes: ManagedSlice<'a, u8>,
    /// Where the oldest packet starts.
    head: usize,
    /// Where the newest packet ends. At or before `head`, with packets queued, the queue goes around the end.
    tail: usize,
    packets: usize,
}

impl<'a> Ring<'a> {
    const PREFIX: usize = mem::size_of::<u16>();

    const fn new(bytes: ManagedSlice<'a, u8>) -> Self {
        Ring {
            bytes,
            head: 0,
            tail: 0,
            packets: 0,
        }
    }

    /// Where a packet of `len` bytes would start, if there is room for it.
    fn place(&self, len: usize) -> Option<usize> {
        let need = len.checked_add(Ring::PREFIX)?;
        if self.packets > 0 && self.tail <= self.head {
            (need <= self.head - self.tail).then_some(self.tail)
        } else if need <= self.bytes.len() - self.tail {
            Some(self.tail)
        } else {
            (need <= self.head).then_some(0)
        }
    }

    /// Queues a packet of `len` bytes and lends its memory; there are no packets of 0 bytes.
    fn push(&mut self, len: usize) -> Option<&mut [u8]> {
        let length = u16::try_from(len).ok().filter(|&length| length > 0)?;
        let start = self.place(len)?;
        if start != self.tail {
            self.set_length(self.tail, 0);
        }
        self.set_length(start, length);
        let payload = start + Ring::PREFIX;
        self.tail = payload + len;
        self.packets += 1;
        self.bytes.get_mut(payload..self.tail)
    }

    /// The oldest packet.
    fn front(&self) -> Option<&[u8]> {
        let payload = self.head + Ring::PREFIX;
        self.bytes
            .get(payload..payload + usize::from(self.length()?))
    }

    /// Frees the oldest packet.
    fn pop(&mut self) {
        let Some(length) = self.length() else { return };
        self.packets -= 1;
        self.head += Ring::PREFIX + usize::from(length);
        if self.packets == 0 {
            // From the start again, so that the largest packet fits whatever came before.
            (self.head, self.tail) = (0, 0);
        } else if self.length().is_none_or(|length| length == 0) {
            self.head = 0;
        }
    }

    /// The length at `head`; none where there is no packet, or no room for a length before the end.
    fn length(&self) -> Option<u16> {
        let prefix = self.bytes.get(self.head..)?.first_chunk()?;
        (self.packets > 0).then(|| u16::from_ne_bytes(*prefix))
    }

    /// Writes a length, where there is room for one before the end.
    fn set_length(&mut self, at: usize, length: u16) {
        if let Some(prefix) = self
            .bytes
            .get_mut(at..)
            .and_then(|bytes| bytes.first_chunk_mut())
        {
            *prefix = length.to_ne_bytes();
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use phy::{RxToken as _, TxToken as _};

    const NOW: Instant = Instant::ZERO;

    /// A packet of `len` bytes that says which one it is.
    fn packet(number: usize, len: usize) -> impl Iterator<Item = u8> {
        (0..len).map(move |i| (number * 31 + i) as u8)
    }

    fn write(token: TxToken<'_, '_>, number: usize, len: usize) {
        token.consume(len, |buffer| {
            assert!(
                buffer.iter().all(|&byte| byte == 0),
                "nothing of an older packet shows"
            );
            buffer
                .iter_mut()
                .zip(packet(number, len))
                .for_each(|(to, from)| *to = from);
        });
    }

    fn send(loopback: &mut Loopback, number: usize, len: usize) -> bool {
        loopback
            .transmit(NOW)
            .map(|token| write(token, number, len))
            .is_some()
    }

    fn assert_received(loopback: &mut Loopback, number: usize, len: usize) {
        let (rx, _) = loopback.receive(NOW).unwrap();
        rx.consume(|bytes| {
            assert!(
                bytes.iter().copied().eq(packet(number, len)),
                "packet {number}"
            )
        });
    }

    #[test]
    fn comes_back_in_order_for_ever() {
        let (mut queue, mut scratch) = ([0; 300], [0; 100]);
        let mut loopback = Loopback::new(&mut queue[..], &mut scratch[..]);
        assert_eq!(loopback.capabilities().max_transmission_unit, 100);
        let len = |number: usize| 1 + number * 37 % 100;
        let (mut sent, mut received) = (0, 0);
        while received < 5_000 {
            // Fill up, then drain by a changing number, so that every place of the seam between end and start is met.
            while send(&mut loopback, sent, len(sent)) {
                sent += 1;
            }
            assert!(sent > received, "a queue that was drained takes a packet");
            for _ in 0..1 + received % 3 {
                if received < sent {
                    assert_received(&mut loopback, received, len(received));
                    received += 1;
                }
            }
            assert_eq!(loopback.is_empty(), received == sent);
        }
    }

    #[test]
    fn holds_the_sender_back_while_an_mtu_does_not_fit() {
        let (mut queue, mut scratch) = ([0; 2 * 102], [0; 100]);
        let mut loopback = Loopback::new(&mut queue[..], &mut scratch[..]);
        assert!(send(&mut loopback, 0, 100));
        assert!(send(&mut loopback, 1, 100));
        assert!(!send(&mut loopback, 2, 1));
        assert_received(&mut loopback, 0, 100);
        assert!(send(&mut loopback, 2, 100));
        assert_received(&mut loopback, 1, 100);
        assert_received(&mut loopback, 2, 100);
        assert!(loopback.receive(NOW).is_none() && loopback.is_empty());
    }

    #[test]
    fn reply_is_written_while_the_packet_is_read() {
        let (mut queue, mut scratch) = ([0; 64], [0; 20]);
        let mut loopback = Loopback::new(&mut queue[..], &mut scratch[..]);
        assert!(send(&mut loopback, 7, 20));
        let (rx, tx) = loopback.receive(NOW).unwrap();
        rx.consume(|packet| tx.consume(packet.len(), |reply| reply.copy_from_slice(packet)));
        assert!(!loopback.is_empty(), "the reply is there to be received");
        assert_received(&mut loopback, 7, 20);
        assert!(loopback.is_empty());
    }

    #[test]
    fn replies_of_the_packets_size_fit_a_full_queue() {
        let (mut queue, mut scratch) = ([0; 333], [0; 50]);
        let mut loopback = Loopback::new(&mut queue[..], &mut scratch[..]);
        let len = |number: usize| 1 + number * 13 % 50;
        let mut sent = 0;
        while send(&mut loopback, sent, len(sent)) {
            sent += 1;
        }
        for turn in 0..1_000 {
            let number = turn % sent;
            let (rx, tx) = loopback.receive(NOW).unwrap();
            rx.consume(|bytes| assert!(bytes.iter().copied().eq(packet(number, len(number)))));
            write(tx, number, len(number));
        }
    }

    #[test]
    fn larger_reply_to_a_full_queue_is_dropped_alone() {
        let (mut queue, mut scratch) = ([0; 102 + 12 + 12], [0; 100]);
        let mut loopback = Loopback::new(&mut queue[..], &mut scratch[..]);
        assert!(send(&mut loopback, 0, 10));
        assert!(send(&mut loopback, 1, 100));
        let (_, tx) = loopback.receive(NOW).unwrap();
        write(tx, 2, 90);
        assert!(!send(&mut loopback, 3, 1));
        assert_received(&mut loopback, 1, 100);
        assert!(loopback.receive(NOW).is_none());
    }

    #[test]
    fn mtu_is_what_the_memory_can_hold() {
        let mut memory = [0; 40];
        let (queue, scratch) = memory.split_at_mut(10);
        let mut loopback = Loopback::new(queue, scratch);
        assert_eq!(loopback.capabilities().max_transmission_unit, 8);
        assert!(send(&mut loopback, 0, 8));
        assert_received(&mut loopback, 0, 8);
        for len in 0..4 {
            let (mut queue, mut scratch) = ([0; 4], [0; 4]);
            let mut loopback = Loopback::new(&mut queue[..len], &mut scratch[..]);
            assert_eq!(loopback.transmit(NOW).is_some(), len == 3);
        }
    }

    #[test]
    fn empty_carries_nothing() {
        let mut loopback = Loopback::empty();
        assert!(loopback.is_empty());
        assert!(loopback.transmit(NOW).is_none() && loopback.receive(NOW).is_none());
    }
}
