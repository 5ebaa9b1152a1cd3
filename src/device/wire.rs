//! The wire: a link in memory that joins two devices, for tests, simulations and programs without a network.

use std::{
    collections::VecDeque,
    mem,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};
#[cfg(target_os = "linux")]
use std::{
    os::fd::{AsFd, BorrowedFd},
    sync::OnceLock,
};

#[cfg(target_os = "linux")]
use nix::sys::eventfd::{EfdFlags, EventFd};
use smoltcp::{
    phy::{self, Device, DeviceCapabilities, Medium},
    time::Instant,
};

/// A link between two devices: what one end transmits, the other receives, whole and in order.
///
/// ```
/// use glasstack::device::Wire;
/// use glasstack::smoltcp::{phy::{Device, Medium, RxToken, TxToken}, time::Instant};
///
/// let (mut here, mut there) = Wire::pair(Medium::Ip, 1500);
/// here.transmit(Instant::ZERO).unwrap().consume(5, |frame| frame.copy_from_slice(b"hello"));
/// let (frame, _) = there.receive(Instant::ZERO).unwrap();
/// frame.consume(|frame| assert_eq!(frame, b"hello"));
/// ```
#[derive(Debug, Clone)]
pub struct Wire {
    medium: Medium,
    mtu: usize,
    queue: usize,
}

impl Wire {
    /// How many frames wait in each direction, unless [`queue`](Wire::queue) says otherwise.
    pub const QUEUE: usize = 256;

    /// The plan of a link; [`ends`](Wire::ends) makes it. `mtu` is the largest frame in bytes, as smoltcp counts it: on
    /// [`Medium::Ethernet`] with the 14 bytes of the Ethernet header.
    pub fn new(medium: Medium, mtu: usize) -> Self {
        Wire {
            medium,
            mtu,
            queue: Wire::QUEUE,
        }
    }

    /// How many frames may wait in each direction. A frame that finds the queue full is dropped, as on a real link.
    pub fn queue(mut self, frames: usize) -> Self {
        self.queue = frames;
        self
    }

    /// The link's two ends.
    pub fn ends(self) -> (WireEnd, WireEnd) {
        let (there, back) = (Lane::new(&self), Lane::new(&self));
        let end = |incoming: &Arc<Lane>, outgoing: &Arc<Lane>| WireEnd {
            medium: self.medium,
            mtu: self.mtu,
            incoming: Arc::clone(incoming),
            outgoing: Arc::clone(outgoing),
            received: Vec::new(),
            transmitted: Vec::new(),
        };
        (end(&back, &there), end(&there, &back))
    }

    /// The two ends of a link with the usual queue: `Wire::new(medium, mtu).ends()`.
    pub fn pair(medium: Medium, mtu: usize) -> (WireEnd, WireEnd) {
        Wire::new(medium, mtu).ends()
    }
}

/// One end of a [`Wire`]: a device that may live in another thread than its peer.
///
/// On Linux an end can be waited for with `poll(2)`: its descriptor is readable exactly while a frame waits to be received.
#[derive(Debug)]
pub struct WireEnd {
    medium: Medium,
    mtu: usize,
    incoming: Arc<Lane>,
    outgoing: Arc<Lane>,
    /// The frame that the last receive token showed.
    received: Vec<u8>,
    /// Where the next frame is written. Both buffers are swapped with the queue's, so that a wire in use allocates nothing.
    transmitted: Vec<u8>,
}

impl WireEnd {
    /// How many of the frames that this end transmitted were dropped: the queue was full, or the frame larger than the MTU.
    pub fn dropped(&self) -> u64 {
        self.outgoing.queue().dropped
    }
}

impl Device for WireEnd {
    type RxToken<'a> = RxToken<'a>;
    type TxToken<'a> = TxToken<'a>;

    fn receive(&mut self, _: Instant) -> Option<(RxToken<'_>, TxToken<'_>)> {
        self.incoming.receive(&mut self.received).then_some((
            RxToken(&self.received),
            TxToken {
                frame: &mut self.transmitted,
                lane: &self.outgoing,
            },
        ))
    }

    fn transmit(&mut self, _: Instant) -> Option<TxToken<'_>> {
        Some(TxToken {
            frame: &mut self.transmitted,
            lane: &self.outgoing,
        })
    }

    fn capabilities(&self) -> DeviceCapabilities {
        let mut capabilities = DeviceCapabilities::default();
        capabilities.medium = self.medium;
        capabilities.max_transmission_unit = self.mtu;
        capabilities
    }
}

/// Readable exactly while a frame waits to be received.
///
/// # Panics
/// On first use, where the process may open no more files (`EMFILE`): the trait has no way to say so.
#[cfg(target_os = "linux")]
impl AsFd for WireEnd {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.incoming.arrival()
    }
}

/// A frame that arrived.
#[derive(Debug)]
pub struct RxToken<'a>(&'a [u8]);

impl phy::RxToken for RxToken<'_> {
    fn consume<R, F: FnOnce(&[u8]) -> R>(self, f: F) -> R {
        f(self.0)
    }
}

/// Room for one frame.
#[derive(Debug)]
pub struct TxToken<'a> {
    frame: &'a mut Vec<u8>,
    lane: &'a Lane,
}

impl phy::TxToken for TxToken<'_> {
    fn consume<R, F: FnOnce(&mut [u8]) -> R>(self, len: usize, f: F) -> R {
        // Nothing of an older frame may show: the same run gives the same bytes.
        self.frame.clear();
        self.frame.resize(len, 0);
        let result = f(self.frame);
        self.lane.transmit(self.frame);
        result
    }
}

/// One direction of the link.
#[derive(Debug)]
struct Lane {
    queue: Mutex<Queue>,
    /// Made when it is first asked for: most wires are never waited for. Written and read under the queue's lock only,
    /// so that it is readable exactly while the queue holds a frame, and no wake-up is lost.
    #[cfg(target_os = "linux")]
    arrival: OnceLock<EventFd>,
}

#[derive(Debug)]
struct Queue {
    frames: VecDeque<Vec<u8>>,
    /// Buffers to be used again; with those in `frames` never more than `limit` and two.
    free: Vec<Vec<u8>>,
    limit: usize,
    mtu: usize,
    dropped: u64,
}

/// What becomes of a frame.
enum Verdict {
    Deliver,
    Drop,
}

impl Queue {
    fn verdict(&self, frame: &[u8]) -> Verdict {
        if frame.len() > self.mtu || self.frames.len() >= self.limit {
            Verdict::Drop
        } else {
            Verdict::Deliver
        }
    }
}

impl Lane {
    fn new(wire: &Wire) -> Arc<Self> {
        Arc::new(Lane {
            queue: Mutex::new(Queue {
                frames: VecDeque::new(),
                free: Vec::new(),
                limit: wire.queue,
                mtu: wire.mtu,
                dropped: 0,
            }),
            #[cfg(target_os = "linux")]
            arrival: OnceLock::new(),
        })
    }

    /// No code of the caller's runs under the lock, so a poisoned one is still whole.
    fn queue(&self) -> MutexGuard<'_, Queue> {
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Sends the frame on its way and leaves a spare buffer in its place.
    fn transmit(&self, frame: &mut Vec<u8>) {
        let mut queue = self.queue();
        match queue.verdict(frame) {
            Verdict::Deliver => {
                let spare = queue.free.pop().unwrap_or_default();
                queue.frames.push_back(mem::replace(frame, spare));
                if queue.frames.len() == 1 {
                    self.signal();
                }
            }
            Verdict::Drop => queue.dropped += 1,
        }
    }

    /// Takes the next frame, if there is one, and keeps the buffer of the last for later.
    fn receive(&self, frame: &mut Vec<u8>) -> bool {
        let mut queue = self.queue();
        let Some(next) = queue.frames.pop_front() else {
            return false;
        };
        queue.free.push(mem::replace(frame, next));
        if queue.frames.is_empty() {
            self.quiet();
        }
        true
    }

    #[cfg(target_os = "linux")]
    fn arrival(&self) -> BorrowedFd<'_> {
        let queue = self.queue();
        let arrival = self.arrival.get_or_init(|| {
            let waiting = u32::from(!queue.frames.is_empty());
            EventFd::from_value_and_flags(waiting, EfdFlags::EFD_CLOEXEC | EfdFlags::EFD_NONBLOCK)
                .expect("eventfd(2) fails only where the process may open no more files")
        });
        arrival.as_fd()
    }

    /// The queue has its first frame. The counter goes from 0 to 1, so the write cannot fail.
    fn signal(&self) {
        #[cfg(target_os = "linux")]
        if let Some(arrival) = self.arrival.get() {
            let _ = arrival.write(1);
        }
    }

    /// The queue has given up its last frame. The counter is 1, so the read cannot fail.
    fn quiet(&self) {
        #[cfg(target_os = "linux")]
        if let Some(arrival) = self.arrival.get() {
            let _ = arrival.read();
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use phy::{RxToken as _, TxToken as _};

    const NOW: Instant = Instant::ZERO;

    fn send(end: &mut WireEnd, frame: &[u8]) {
        let token = end.transmit(NOW).unwrap();
        token.consume(frame.len(), |buffer| {
            assert!(
                buffer.iter().all(|&byte| byte == 0),
                "nothing of an older frame shows"
            );
            buffer.copy_from_slice(frame);
        });
    }

    fn receive(end: &mut WireEnd) -> Option<Vec<u8>> {
        let (rx, _) = end.receive(NOW)?;
        Some(rx.consume(<[u8]>::to_vec))
    }

    #[test]
    fn carries_frames_in_order_both_ways() {
        let (mut a, mut b) = Wire::pair(Medium::Ip, 1500);
        for number in 0..100u8 {
            send(&mut a, &vec![number; 1 + usize::from(number)]);
            send(&mut b, &[number, 255]);
        }
        for number in 0..100u8 {
            assert_eq!(receive(&mut b), Some(vec![number; 1 + usize::from(number)]));
            assert_eq!(receive(&mut a), Some(vec![number, 255]));
        }
        assert_eq!((receive(&mut a), receive(&mut b)), (None, None));
    }

    #[test]
    fn full_queue_drops_the_newest_and_counts_it() {
        let (mut a, mut b) = Wire::new(Medium::Ip, 1500).queue(3).ends();
        for number in 0..5u8 {
            send(&mut a, &[number]);
        }
        assert_eq!((a.dropped(), b.dropped()), (2, 0));
        for number in 0..3u8 {
            assert_eq!(receive(&mut b), Some(vec![number]));
        }
        assert_eq!(receive(&mut b), None);
        send(&mut a, b"room again");
        assert_eq!(receive(&mut b).unwrap(), b"room again");
    }

    #[test]
    fn frame_above_the_mtu_is_dropped() {
        let (mut a, mut b) = Wire::pair(Medium::Ethernet, 1514);
        assert_eq!(a.capabilities().max_transmission_unit, 1514);
        assert_eq!(a.capabilities().ip_mtu(), 1500);
        send(&mut a, &[1; 1515]);
        send(&mut a, &[2; 1514]);
        assert_eq!(receive(&mut b), Some(vec![2; 1514]));
        assert_eq!(a.dropped(), 1);
    }

    #[test]
    fn reply_is_written_while_the_frame_is_read() {
        let (mut a, mut b) = Wire::pair(Medium::Ip, 1500);
        send(&mut a, b"question");
        let (rx, tx) = b.receive(NOW).unwrap();
        rx.consume(|frame| tx.consume(frame.len(), |reply| reply.copy_from_slice(frame)));
        assert_eq!(receive(&mut a).unwrap(), b"question");
    }

    #[test]
    fn buffers_are_used_again() {
        let (mut a, mut b) = Wire::pair(Medium::Ip, 1500);
        for _ in 0..1_000 {
            send(&mut a, &[7; 1000]);
            send(&mut a, &[8; 1000]);
            assert!(b.receive(NOW).is_some() && b.receive(NOW).is_some());
        }
        let queue = a.outgoing.queue();
        assert!(queue.free.len() + queue.frames.len() <= 2);
    }

    #[cfg(feature = "ipv4")]
    #[test]
    fn joins_two_interfaces() {
        use smoltcp::{
            iface::{Config, Interface, SocketSet},
            socket::tcp,
            wire::{EthernetAddress, HardwareAddress, IpAddress, IpCidr},
        };

        struct Host {
            device: WireEnd,
            interface: Interface,
            sockets: SocketSet<'static>,
        }
        let host = |last: u8, mut device: WireEnd| {
            let address = match device.medium {
                Medium::Ethernet => {
                    HardwareAddress::Ethernet(EthernetAddress([2, 0, 0, 0, 0, last]))
                }
                Medium::Ip => HardwareAddress::Ip,
            };
            let mut interface = Interface::new(Config::new(address), &mut device, NOW);
            interface.update_ip_addrs(|addresses| {
                let _ = addresses.push(IpCidr::new(IpAddress::v4(10, 0, 0, last), 24));
            });
            Host {
                device,
                interface,
                sockets: SocketSet::new(Vec::new()),
            }
        };
        let socket = || {
            let buffer = || tcp::SocketBuffer::new(vec![0; 1024]);
            tcp::Socket::new(buffer(), buffer())
        };
        for (medium, mtu) in [(Medium::Ethernet, 1514), (Medium::Ip, 1500)] {
            let (a, b) = Wire::pair(medium, mtu);
            let (mut client, mut server) = (host(1, a), host(2, b));
            let (c, s) = (client.sockets.add(socket()), server.sockets.add(socket()));
            server.sockets.get_mut::<tcp::Socket>(s).listen(80).unwrap();
            let connecting = client.sockets.get_mut::<tcp::Socket>(c);
            let remote = (IpAddress::v4(10, 0, 0, 2), 80);
            connecting
                .connect(client.interface.context(), remote, 49152)
                .unwrap();
            for _ in 0..5 {
                for host in [&mut client, &mut server] {
                    host.interface
                        .poll(NOW, &mut host.device, &mut host.sockets);
                }
            }
            for (host, handle) in [(&client, c), (&server, s)] {
                let state = host.sockets.get::<tcp::Socket>(handle).state();
                assert_eq!(state, tcp::State::Established, "{medium:?}");
            }
        }
    }

    #[cfg(target_os = "linux")]
    mod wake_up {
        use super::*;
        use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
        use std::thread;

        fn readable(end: &WireEnd, timeout: impl Into<PollTimeout>) -> bool {
            let mut fds = [PollFd::new(end.as_fd(), PollFlags::POLLIN)];
            poll(&mut fds, timeout.into()).unwrap() == 1
        }

        #[test]
        fn readable_exactly_while_a_frame_waits() {
            let (mut a, mut b) = Wire::new(Medium::Ip, 1500).queue(2).ends();
            send(&mut a, b"before the descriptor was asked for");
            assert!(readable(&b, PollTimeout::ZERO));
            for _ in 0..3 {
                send(&mut a, b"");
            }
            for _ in 0..2 {
                assert!(readable(&b, PollTimeout::ZERO));
                assert!(receive(&mut b).is_some());
            }
            assert!(!readable(&b, PollTimeout::ZERO));
            assert!(receive(&mut b).is_none());
            assert!(!readable(&b, PollTimeout::ZERO));
            send(&mut a, b"");
            assert!(readable(&b, PollTimeout::ZERO));
            assert!(
                !readable(&a, PollTimeout::ZERO),
                "the other direction is another matter"
            );
        }

        /// Each of two threads sleeps in poll(2) until the other's frame comes: one lost wake-up would stop both.
        #[test]
        fn no_wake_up_is_lost_between_threads() {
            const TURNS: u32 = 10_000;
            let (mut a, mut b) = Wire::pair(Medium::Ip, 1500);
            let wait = |end: &mut WireEnd| {
                assert!(readable(end, 60_000u16), "a frame was sent but nobody woke");
                receive(end).unwrap()
            };
            let peer = thread::spawn(move || {
                for _ in 0..TURNS {
                    let frame = wait(&mut b);
                    send(&mut b, &frame);
                }
            });
            for turn in 0..TURNS {
                send(&mut a, &turn.to_be_bytes());
                assert_eq!(wait(&mut a), turn.to_be_bytes());
            }
            peer.join().unwrap();
        }
    }
}
