//! Segments made by hand, at random but not wildly: most of them are what could come next.

use std::net::SocketAddr;

use glasstack::smoltcp::time::{Duration, Instant};

use crate::Random;
use crate::capture::Capture;
use crate::net::segment::{ACK, FIN, RST, SYN};

const PSH: u8 = 0x08;

/// One end, as far as the other one is told.
pub(crate) struct End {
    address: SocketAddr,
    /// The sequence number of its SYN.
    first: u32,
    next: u32,
    window: u16,
}

impl End {
    /// A port of 10.0.0.`host`.
    pub(crate) fn new(host: u8, port: u16) -> End {
        End {
            address: ([10, 0, 0, host], port).into(),
            first: 0,
            next: 0,
            window: 400,
        }
    }
}

/// Segments between a few pairs of ends.
pub(crate) fn random(seed: u64, count: usize) -> Capture {
    let mut random = Random(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15));
    for _ in 0..10 {
        random.below(2);
    }
    let mut capture = Capture::default();
    let mut now = Instant::from_secs(1_000);
    let mut pairs: Vec<[End; 2]> = (0..6).map(|i| pair(&mut random, i)).collect();
    let mut opened = vec![false; pairs.len()];
    for _ in 0..count {
        now += Duration::from_micros(match random.below(6) {
            0 => u64::from(random.below(2_000_000)),
            1 => u64::from(random.below(30_000)),
            _ => u64::from(random.below(2_000)),
        });
        let which = random.below(6) as usize;
        let side = random.below(2) as usize;
        let [low, high] = &mut pairs[which];
        let (from, to) = if side == 0 { (low, high) } else { (high, low) };
        if !opened[which] && random.below(3) > 0 {
            opened[which] = true;
            open(&mut capture, &mut random, &mut now, from, to);
            continue;
        }
        let mut flags = if random.below(60) == 0 { 0 } else { ACK };
        let mut scale = None;
        match random.below(150) {
            0 => {
                flags |= SYN;
                scale = shift(&mut random);
            }
            1 => {
                // Another conversation of the same ends.
                opened[which] = false;
                from.next = word(&mut random);
                continue;
            }
            2 | 3 => flags |= FIN,
            4 | 5 => flags |= RST,
            6 => flags |= FIN | PSH,
            7 | 8 => {
                // The handshake's requests and answers come again, in whatever state.
                let flags = if random.below(3) == 0 { SYN | ACK } else { SYN };
                let header = (from.first, to.next, flags, shift(&mut random));
                capture.push(now, &frame(from, to, header, 0));
                continue;
            }
            _ if random.below(3) == 0 => flags |= PSH,
            _ => {}
        }
        let len = match random.below(8) {
            0 => 1,
            1 | 2 => 100,
            3 => random.below(300) as usize,
            _ => 0,
        };
        // Now and then all that the peer can take.
        let len = if random.below(12) == 0 {
            usize::from(to.window)
        } else {
            len
        };
        let seq = match random.below(12) {
            0 => from.next.wrapping_sub(100),
            1 => from.next.wrapping_sub(1),
            2 => from.next.wrapping_sub(random.below(500)),
            3 => from.next.wrapping_add(random.below(300)),
            _ => from.next,
        };
        let ack = match random.below(12) {
            0 => to.next.wrapping_sub(100),
            1 => to.next.wrapping_sub(random.below(500)),
            2 => to.next.wrapping_add(random.below(300)),
            _ => to.next,
        };
        if random.below(6) == 0 {
            from.window = [0, 0, 100, 200, 400][random.below(5) as usize];
        }
        let end = seq.wrapping_add(len as u32 + u32::from(flags & (SYN | FIN) != 0));
        // Wireshark takes 0 for a number that is not known.
        if [seq, ack, end].contains(&0) {
            from.next = from.next.wrapping_add(7);
            continue;
        }
        let repeats = if len == 0 { random.below(4) } else { 0 };
        for _ in 0..=repeats {
            capture.push(now, &frame(from, to, (seq, ack, flags, scale), len));
            now += Duration::from_micros(u64::from(random.below(500)));
        }
        let is_new = (end.wrapping_sub(from.next) as i32) > 0;
        // A probe's octet comes again.
        if is_new && (len != 1 || random.below(2) == 0) {
            from.next = end;
        }
    }
    capture
}

/// A handshake, of which a part may be missing or repeated.
fn open(
    capture: &mut Capture,
    random: &mut Random,
    now: &mut Instant,
    from: &mut End,
    to: &mut End,
) {
    let (first, second) = (word(random), word(random));
    let scales = (shift(random), shift(random));
    from.window = 400;
    to.window = 400;
    let segments = [
        (true, (first, 0, SYN, scales.0)),
        (false, (second, first.wrapping_add(1), SYN | ACK, scales.1)),
        (
            true,
            (first.wrapping_add(1), second.wrapping_add(1), ACK, None),
        ),
    ];
    for (is_request, header) in segments {
        let times = [0, 1, 1, 1, 1, 1, 1, 2][random.below(8) as usize];
        for _ in 0..times {
            let (from, to) = if is_request {
                (&*from, &*to)
            } else {
                (&*to, &*from)
            };
            capture.push(*now, &frame(from, to, header, 0));
            *now += Duration::from_micros(u64::from(random.below(5_000)));
        }
    }
    (from.first, to.first) = (first, second);
    from.next = first.wrapping_add(1);
    to.next = second.wrapping_add(1);
}

fn word(random: &mut Random) -> u32 {
    // Some wrap around soon.
    match random.below(4) {
        0 => u32::MAX - 1 - random.below(1_000),
        _ => 1 + random.below(1 << 31),
    }
}

fn shift(random: &mut Random) -> Option<u8> {
    [None, Some(0), Some(1), Some(7), Some(14)][random.below(5) as usize]
}

fn pair(random: &mut Random, number: u8) -> [End; 2] {
    let port = 40_000 + u16::from(number / 2);
    // Some between two addresses, some between two ports of one.
    let hosts = [1, if number.is_multiple_of(3) { 1 } else { 2 }];
    let ends = [(hosts[0], port), (hosts[1], 9_999)];
    ends.map(|(host, port)| End {
        address: ([10, 0, number, host], port).into(),
        first: 0,
        next: word(random),
        window: 400,
    })
}

/// An Ethernet frame with a segment: its numbers, flags and window scale, and how many octets it has.
pub(crate) fn frame(
    from: &End,
    to: &End,
    header: (u32, u32, u8, Option<u8>),
    len: usize,
) -> Vec<u8> {
    let (SocketAddr::V4(source), SocketAddr::V4(destination)) = (from.address, to.address) else {
        panic!("a dialogue over IPv4");
    };
    let (seq, ack, flags, scale) = header;
    let options = scale.map_or(vec![], |shift| vec![3, 3, shift, 1]);
    let ack = if flags & ACK == 0 { 0 } else { ack };
    let mut segment = Vec::new();
    segment.extend(source.port().to_be_bytes());
    segment.extend(destination.port().to_be_bytes());
    segment.extend(seq.to_be_bytes());
    segment.extend(ack.to_be_bytes());
    segment.extend([((20 + options.len()) as u8 / 4) << 4, flags]);
    segment.extend(from.window.to_be_bytes());
    // Neither tshark nor we look at the checksums here.
    segment.extend([0; 4]);
    segment.extend(&options);
    segment.resize(segment.len() + len, b'x');
    let total = (20 + segment.len()) as u16;
    let mut frame = vec![2, 0, 0, 0, 0, 2, 2, 0, 0, 0, 0, 1, 8, 0, 0x45, 0];
    frame.extend(total.to_be_bytes());
    frame.extend([0, 0, 0, 0, 64, 6, 0, 0]);
    frame.extend(source.ip().octets());
    frame.extend(destination.ip().octets());
    frame.extend(segment);
    frame
}
