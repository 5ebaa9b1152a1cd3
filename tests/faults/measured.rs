//! Each fault by itself.

use std::time::Duration;

use glasstack::device::Loopback;
use glasstack::device::wire::{Conditions, Faults, Faulty, Judge, Verdict, Wire};
use glasstack::smoltcp::phy::Medium;
use glasstack::trace::{Direction, DropReason, Instant};

use crate::link::{Losses, arrivals, at, ends, numbers, receive, send, send_numbered};

const FRAMES: u32 = 100_000;

fn perfect() -> Conditions {
    Conditions::default()
}

fn millis(millis: u64) -> Duration {
    Duration::from_millis(millis)
}

/// Which of so many frames, one a millisecond, arrive.
fn surviving(seed: u64, conditions: Conditions) -> Vec<u32> {
    let (mut here, mut there) = ends(Faults::new(seed).outgoing(conditions));
    send_numbered(&mut here, (0..FRAMES).map(|n| i64::from(n) * 1000));
    numbers(&mut there)
}

#[test]
fn latency_is_exact_and_each_direction_has_its_own() {
    let faults = Faults::new(1)
        .outgoing(perfect().latency(millis(20)))
        .incoming(perfect().latency(millis(7)));
    let (mut here, mut there) = ends(faults);
    send_numbered(&mut here, [0, 0, 1500]);
    send_numbered(&mut there, [5]);
    assert_eq!(
        arrivals(&mut there),
        [(20_000, 0), (20_000, 1), (21_500, 2)]
    );
    assert_eq!(arrivals(&mut here), [(7_005, 0)]);
}

#[test]
fn jitter_stays_within_its_bounds_and_keeps_the_order() {
    let conditions = perfect().latency(millis(20)).jitter(millis(5));
    let (mut here, mut there) = ends(Faults::new(1).outgoing(conditions));
    // Far enough apart that no frame waits for the one before.
    send_numbered(&mut here, (0..10_000).map(|n| n * 10_000));
    let delays: Vec<i64> = (arrivals(&mut there).iter())
        .map(|(arrived, number)| arrived - i64::from(*number) * 10_000)
        .collect();
    assert!(delays.iter().all(|delay| (20_000..=25_000).contains(delay)));
    let mean = delays.iter().sum::<i64>() / delays.len() as i64;
    assert!((22_400..22_600).contains(&mean), "uniform: {mean}");

    send_numbered(&mut here, (0..10_000).map(|n| 200_000_000 + n));
    assert!(numbers(&mut there).is_sorted());
}

#[test]
fn loss_takes_its_share_and_the_same_frames_each_time() {
    let arrived = surviving(1, perfect().loss(0.05));
    let lost = FRAMES as usize - arrived.len();
    // Four standard deviations of a binomial distribution.
    assert!((4724..=5276).contains(&lost), "{lost}");
    assert_eq!(arrived, surviving(1, perfect().loss(0.05)));
    assert_ne!(arrived, surviving(2, perfect().loss(0.05)));
    assert_eq!(surviving(1, perfect().loss(1.0)), []);
    assert_eq!(surviving(1, perfect()).len(), FRAMES as usize);
}

#[test]
fn every_lost_frame_is_told() {
    let losses = Losses::default();
    let faults = Faults::new(1).outgoing(perfect().loss(0.05));
    let (mut here, mut there) = ends(faults.sink(losses.clone()));
    send_numbered(&mut here, 0..1000);
    let mut seen = numbers(&mut there);
    let losses = losses.take();
    assert_eq!(here.dropped() as usize, losses.len());
    for (time, reason, frame) in losses {
        let number = frame.try_into().map(u32::from_be_bytes).unwrap();
        assert_eq!(
            (time, reason),
            (at(number.into()), DropReason::InjectedLoss)
        );
        seen.push(number);
    }
    seen.sort_unstable();
    assert_eq!(seen, Vec::from_iter(0..1000));
}

#[test]
fn bursts_have_their_mean_length_and_the_share_stays() {
    for (share, mean) in [(0.05, 3.0), (0.2, 8.0), (0.5, 1.0)] {
        let arrived = surviving(1, perfect().loss(share).burst(mean));
        let lost = f64::from(FRAMES) - arrived.len() as f64;
        let bursts = arrived.windows(2).filter(|pair| pair[1] > pair[0] + 1);
        let found = lost / bursts.count() as f64;
        assert!((found / mean - 1.0).abs() < 0.05, "{found} for {mean}");
        let found = lost / f64::from(FRAMES);
        assert!((found / share - 1.0).abs() < 0.05, "{found} for {share}");
    }
}

#[test]
fn every_nth_is_lost() {
    let arrived = surviving(1, perfect().every(4));
    assert_eq!(arrived[..6], [0, 1, 2, 4, 5, 6]);
    assert_eq!(arrived.len(), 75_000);
    assert_eq!(surviving(1, perfect().every(1)), []);
}

#[test]
fn a_duplicate_comes_right_behind() {
    let (mut here, mut there) = ends(Faults::new(1).outgoing(perfect().duplicate(1.0)));
    send_numbered(&mut here, [0, 5]);
    assert_eq!(arrivals(&mut there), [(0, 0), (0, 0), (5, 1), (5, 1)]);

    let arrived = surviving(1, perfect().duplicate(0.1));
    let twice = arrived.len() - FRAMES as usize;
    assert!((9_620..=10_380).contains(&twice), "{twice}");
    assert!(arrived.is_sorted());
}

#[test]
fn a_reordered_frame_is_overtaken() {
    let conditions = perfect().latency(millis(1)).reorder(0.1, millis(3));
    let (mut here, mut there) = ends(Faults::new(1).outgoing(conditions));
    send_numbered(&mut here, (0..10_000).map(|n| n * 1000 + n % 7));
    let arrived = arrivals(&mut there);
    assert_eq!(arrived.len(), 10_000);
    let late = arrived
        .iter()
        .filter(|(time, number)| {
            let sent = i64::from(*number) * 1000 + i64::from(*number) % 7;
            assert!([1000, 4000].contains(&(time - sent)));
            time - sent == 4000
        })
        .count();
    assert!((880..=1120).contains(&late), "{late}");
    let overtaken = arrived.windows(2).filter(|pair| pair[1].1 < pair[0].1);
    assert!(overtaken.count() > 800);
}

#[test]
fn the_rate_is_exact_and_its_queue_is_bounded() {
    let losses = Losses::default();
    // A frame of 1250 octets takes 10 ms.
    let conditions = perfect().rate(1_000_000, 10).latency(millis(5));
    let faults = Faults::new(1).outgoing(conditions);
    let (mut here, mut there) = ends(faults.sink(losses.clone()));
    for _ in 0..12 {
        send(&mut here, at(0), &[0; 1250]);
    }
    assert_eq!(losses.count(DropReason::LinkQueueFull), 2);
    // The first has left: room for one.
    send(&mut here, at(10_000), &[0; 1250]);
    send(&mut here, at(10_000), &[0; 1250]);
    assert_eq!(losses.count(DropReason::LinkQueueFull), 3);
    let mut times = Vec::new();
    while let Some(next) = there.next_arrival() {
        assert!(receive(&mut there, next).is_some());
        times.push(next.total_micros());
    }
    let expected: Vec<i64> = (1..=11).map(|n| n * 10_000 + 5_000).collect();
    assert_eq!(times, expected);
}

#[test]
fn the_wires_own_queue_is_bounded_too() {
    let losses = Losses::default();
    let faults = Faults::new(1).outgoing(perfect().latency(millis(1)).duplicate(1.0));
    let wire = Wire::new(Medium::Ip, 1500).queue(3);
    let (mut here, mut there) = wire.faulty_ends(faults.sink(losses.clone())).unwrap();
    send_numbered(&mut here, [0, 0, 0]);
    assert_eq!(losses.count(DropReason::LinkQueueFull), 3);
    assert_eq!(here.dropped(), 3);
    assert_eq!(numbers(&mut there), [0, 0, 1]);
}

#[test]
fn a_link_that_is_down_loses_what_is_sent_meanwhile() {
    let losses = Losses::default();
    let conditions = perfect()
        .latency(millis(20))
        .down(Instant::from_millis(10), Instant::from_millis(30))
        .down(Instant::from_millis(50), Instant::from_millis(60));
    let faults = Faults::new(1).outgoing(conditions).sink(losses.clone());
    let switch = faults.switch();
    let (mut here, mut there) = ends(faults);
    send_numbered(&mut here, (0..7).map(|n| n * 10_000));
    assert_eq!(
        numbers(&mut there),
        [0, 3, 4, 6],
        "a frame under way arrives"
    );
    assert_eq!(losses.count(DropReason::LinkDown), 3);

    switch.down();
    assert!(switch.is_down());
    send_numbered(&mut here, [70_000]);
    send_numbered(&mut there, [70_000]);
    assert_eq!(losses.count(DropReason::LinkDown), 5, "both directions");
    switch.up();
    send_numbered(&mut here, [70_000]);
    assert_eq!(arrivals(&mut there), [(90_000, 0)]);
}

#[test]
fn traffic_one_way_does_not_change_the_luck_of_the_other() {
    let bad = perfect().loss(0.3).duplicate(0.1).reorder(0.1, millis(3));
    let run = |back: i64| {
        let (mut here, mut there) = ends(Faults::new(1).both(bad.clone()));
        send_numbered(&mut there, (0..back).map(|n| n * 1000));
        send_numbered(&mut here, (0..1000).map(|n| n * 1000));
        (arrivals(&mut there), numbers(&mut here))
    };
    let ((alone, _), (busy, back)) = (run(0), run(1000));
    assert_eq!(alone, busy);
    let there: Vec<u32> = busy.iter().map(|(_, number)| *number).collect();
    assert_ne!(there, back, "each direction has luck of its own");
}

#[test]
fn one_more_fault_does_not_change_the_luck_of_another() {
    let lost = surviving(1, perfect().loss(0.1));
    let more = perfect()
        .loss(0.1)
        .jitter(millis(1))
        .corrupt(0.0)
        .duplicate(0.5);
    let mut arrived = surviving(1, more);
    arrived.dedup();
    assert_eq!(lost, arrived);
}

/// An IP packet of so many octets behind an Ethernet header, and padding.
fn ethernet(ethertype: u16, packet: &[u8]) -> Vec<u8> {
    let mut frame = vec![2; 12];
    frame.extend(ethertype.to_be_bytes());
    frame.extend(packet);
    frame.resize(100, 0);
    frame
}

#[test]
fn corruption_flips_one_bit_that_a_checksum_covers() {
    let judge = |medium, frame: &[u8]| {
        let faults = Faults::new(1).outgoing(perfect().corrupt(1.0));
        let mut judge = Judge::new(medium, &faults).unwrap();
        let mut octets: Vec<usize> = (0..10_000)
            .filter_map(|_| match judge.judge(Direction::Out, at(0), frame) {
                Verdict::Deliver(delivery) => delivery.flipped,
                Verdict::Drop(reason) => panic!("{reason:?}"),
            })
            .map(|bit| bit / 8)
            .collect();
        octets.sort_unstable();
        octets.dedup();
        octets
    };
    let mut v4 = vec![0; 40];
    v4[..4].copy_from_slice(&[0x45, 0, 0, 40]);
    assert_eq!(
        judge(Medium::Ethernet, &ethernet(0x0800, &v4)),
        Vec::from_iter(14..54)
    );
    assert_eq!(judge(Medium::Ip, &v4), Vec::from_iter(0..40));
    let mut v6 = vec![0; 60];
    v6[..6].copy_from_slice(&[0x60, 0, 0, 0, 0, 20]);
    assert_eq!(
        judge(Medium::Ethernet, &ethernet(0x86dd, &v6)),
        Vec::from_iter(22..74)
    );
    assert_eq!(
        judge(Medium::Ethernet, &ethernet(0x0806, &[0; 28])),
        [],
        "ARP has no checksum"
    );
    for len in 0..v6.len() {
        // A length that lies, or no header at all: nothing outside of the frame.
        assert!(
            judge(Medium::Ip, &v6[..len])
                .iter()
                .all(|octet| *octet < len)
        );
    }
}

#[test]
fn a_damaged_frame_differs_in_one_bit() {
    let mut packet = vec![0; 40];
    packet[..4].copy_from_slice(&[0x45, 0, 0, 40]);
    let (mut here, mut there) = ends(Faults::new(1).outgoing(perfect().corrupt(1.0)));
    send(&mut here, at(0), &packet);
    let arrived = receive(&mut there, at(0)).unwrap();
    let flipped = packet
        .iter()
        .zip(&arrived)
        .map(|(a, b)| (a ^ b).count_ones());
    assert_eq!(flipped.sum::<u32>(), 1);
}

#[test]
fn any_device_can_be_behind_a_faulty_link() {
    let (here, mut there) = Wire::pair(Medium::Ip, 1500);
    let faults = Faults::new(1)
        .outgoing(perfect().latency(millis(5)).every(2))
        .incoming(perfect().latency(millis(3)).duplicate(1.0));
    let mut here = Faulty::new(here, faults).unwrap();
    assert_eq!(here.next_arrival(), None);

    send(&mut here, at(0), b"one");
    send(&mut here, at(0), b"two, lost");
    assert_eq!(here.dropped(), 1);
    assert_eq!(here.next_arrival(), Some(at(5000)));
    assert_eq!(receive(&mut here, at(4999)), None);
    assert_eq!(receive(&mut there, at(4999)), None);
    assert_eq!(receive(&mut here, at(5000)), None);
    assert_eq!(receive(&mut there, at(5000)).unwrap(), b"one");

    send(&mut there, at(5000), b"back");
    assert_eq!(receive(&mut here, at(5000)), None);
    assert_eq!(here.next_arrival(), Some(at(8000)));
    assert_eq!(receive(&mut here, at(8000)).unwrap(), b"back");
    assert_eq!(receive(&mut here, at(8000)).unwrap(), b"back");
    assert_eq!(receive(&mut here, at(8000)), None);
    assert_eq!(here.next_arrival(), None);
}

#[test]
fn a_perfect_link_before_a_device_loses_nothing_however_much_waits() {
    let (here, mut there) = Wire::new(Medium::Ip, 1500).queue(1000).ends();
    let mut here = Faulty::new(here, Faults::new(1)).unwrap();
    send_numbered(&mut there, [0; 1000]);
    for number in 0..1000u32 {
        assert_eq!(receive(&mut here, at(0)).unwrap(), number.to_be_bytes());
    }
    assert_eq!(receive(&mut here, at(0)), None);
    assert_eq!(here.dropped(), 0);
}

#[test]
fn a_device_without_room_keeps_the_frames_waiting() {
    // Room for one packet and its length.
    let loopback = Loopback::new(vec![0; 102], vec![0; 100]);
    let mut device = Faulty::new(loopback, Faults::new(1)).unwrap();
    for octet in 0..3 {
        send(&mut device, at(0), &[octet; 100]);
    }
    assert_eq!(
        device.next_arrival(),
        None,
        "its time is when there is room"
    );
    for octet in 0..3 {
        // The loopback frees a packet's place with the call after the one that lent it.
        let frame = receive(&mut device, at(0)).or_else(|| receive(&mut device, at(0)));
        assert_eq!(frame, Some(vec![octet; 100]));
    }
    assert_eq!(device.dropped(), 0);
}
