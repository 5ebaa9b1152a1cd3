//! The perfect wire.
#![allow(clippy::unwrap_used)]

use super::*;
use phy::{RxToken as _, TxToken as _};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::Wake;

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
    assert!(a.outgoing.queue().frames.buffers() <= 2);
}

#[test]
fn a_bad_wire_uses_its_buffers_again_too() {
    let bad = Conditions::default()
        .loss(0.1)
        .duplicate(0.3)
        .reorder(0.3, std::time::Duration::from_millis(3))
        .rate(100_000_000, 5);
    let wire = Wire::new(Medium::Ip, 1500).queue(10);
    let (mut a, mut b) = wire.faulty_ends(Faults::new(1).outgoing(bad)).unwrap();
    for millisecond in 0..10_000 {
        let now = Instant::from_millis(millisecond);
        for _ in 0..5 {
            let token = a.transmit(now).unwrap();
            token.consume(1000, |_| ());
        }
        while b.receive(now).is_some() {}
    }
    let buffers = a.outgoing.queue().frames.buffers();
    assert!((5..=12).contains(&buffers), "{buffers}");
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
            Medium::Ethernet => HardwareAddress::Ethernet(EthernetAddress([2, 0, 0, 0, 0, last])),
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

/// A waker that has a task in it, which sends when it is woken, and when it is dropped.
struct Task {
    end: Mutex<WireEnd>,
    wakes: AtomicUsize,
}

impl Wake for Task {
    fn wake(self: Arc<Self>) {
        self.wakes.fetch_add(1, Ordering::Relaxed);
        send(&mut self.end.lock().unwrap(), b"woken");
    }
}

impl Drop for Task {
    fn drop(&mut self) {
        send(&mut self.end.lock().unwrap(), b"dropped");
    }
}

#[test]
fn who_is_woken_or_let_go_may_send_at_once() {
    for faults in [None, Some(Faults::new(1))] {
        let wire = Wire::new(Medium::Ip, 1500);
        let (mut a, mut b) = match faults {
            None => wire.ends(),
            Some(faults) => wire.faulty_ends(faults).unwrap(),
        };
        // It sends on the lane that it waits for, the worst of all.
        let task = |a: &WireEnd| {
            Arc::new(Task {
                end: Mutex::new(a.duplicate()),
                wakes: AtomicUsize::new(0),
            })
        };
        b.register_waker(&Waker::from(task(&a)));
        let second = task(&a);
        b.register_waker(&Waker::from(second.clone()));
        // The first is dropped, and what it sends then wakes the second.
        assert_eq!(receive(&mut b), Some(b"dropped".to_vec()));
        assert_eq!(receive(&mut b), Some(b"woken".to_vec()));
        send(&mut a, b"hello");
        assert_eq!(second.wakes.load(Ordering::Relaxed), 1);
        assert_eq!(receive(&mut b), Some(b"hello".to_vec()));
        b.register_waker(&Waker::from(second.clone()));
        send(&mut a, b"hello");
        assert_eq!(second.wakes.load(Ordering::Relaxed), 2);
        assert_eq!(receive(&mut b), Some(b"hello".to_vec()));
        assert_eq!(receive(&mut b), Some(b"woken".to_vec()));
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
