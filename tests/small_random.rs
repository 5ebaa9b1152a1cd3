//! Any calls and any frames, in any order, to hosts with as few of the features as there are, and with all of them.

use std::net::{IpAddr, SocketAddr};

use glasstack::smoltcp::phy::Medium;
use glasstack::smoltcp::time::Duration;
use glasstack::smoltcp::wire::{IpAddress, IpProtocol, TcpPacket, UdpPacket};
use glasstack::stack::{Domain, Fd, Shutdown, Storage, Type};
use glasstack::{Result, Stack};

mod cable;

use cable::{Frames, Hosts};

/// A generator of numbers that are the same with each run (Marsaglia's xorshift).
struct Random(u64);

impl Random {
    fn below(&mut self, limit: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 >> 11) as usize % limit.max(1)
    }

    fn of<T: Copy>(&mut self, all: &[T]) -> T {
        all[self.below(all.len())]
    }
}

/// Puts a frame on the cable that was sent before, with some octets changed, or cut; or one of noise.
fn disturb(random: &mut Random, seen: &[Vec<u8>], to: &Frames) {
    let mut frame = match random.below(4) {
        0 => (0..random.below(90))
            .map(|_| random.below(256) as u8)
            .collect(),
        _ if seen.is_empty() => return,
        _ => seen[random.below(seen.len())].clone(),
    };
    for _ in 0..random.below(4) {
        let at = random.below(frame.len().min(90));
        if let Some(octet) = frame.get_mut(at) {
            *octet = random.of(&[0, 1, 0x45, 0x46, 0x7f, 0x80, 0xff, 6, 17]);
        }
    }
    if random.below(5) == 0 {
        frame.truncate(random.below(frame.len() + 1));
    }
    if random.below(2) == 0 {
        mend(&mut frame);
    }
    to.borrow_mut().push_back(frame);
}

/// Makes the checksums of a packet right, so that what is behind them is looked at.
fn mend(frame: &mut [u8]) {
    let packet = frame.get_mut(14..).unwrap_or_default();
    match packet.first().map(|octet| octet >> 4) {
        #[cfg(feature = "ipv4")]
        Some(4) => {
            use glasstack::smoltcp::wire::{Icmpv4Packet, Ipv4Packet};
            let Ok(mut ip) = Ipv4Packet::new_checked(packet) else {
                return;
            };
            ip.fill_checksum();
            let (from, to) = (ip.src_addr().into(), ip.dst_addr().into());
            match (ip.next_header(), ip.payload_mut()) {
                (IpProtocol::Icmp, payload) => {
                    if let Ok(mut message) = Icmpv4Packet::new_checked(payload) {
                        message.fill_checksum();
                    }
                }
                (protocol, payload) => mend_transport(protocol, from, to, payload),
            }
        }
        #[cfg(feature = "ipv6")]
        Some(6) => {
            use glasstack::smoltcp::wire::{Icmpv6Packet, Ipv6Packet};
            let Ok(mut ip) = Ipv6Packet::new_checked(packet) else {
                return;
            };
            let (from, to) = (ip.src_addr(), ip.dst_addr());
            match (ip.next_header(), ip.payload_mut()) {
                (IpProtocol::Icmpv6, payload) => {
                    if let Ok(mut message) = Icmpv6Packet::new_checked(payload) {
                        message.fill_checksum(&from, &to);
                    }
                }
                (protocol, payload) => {
                    mend_transport(protocol, from.into(), to.into(), payload);
                }
            }
        }
        _ => {}
    }
}

fn mend_transport(protocol: IpProtocol, from: IpAddress, to: IpAddress, payload: &mut [u8]) {
    match protocol {
        IpProtocol::Tcp => {
            if let Ok(mut segment) = TcpPacket::new_checked(payload) {
                segment.fill_checksum(&from, &to);
            }
        }
        IpProtocol::Udp => {
            if let Ok(mut datagram) = UdpPacket::new_checked(payload) {
                datagram.fill_checksum(&from, &to);
            }
        }
        _ => {}
    }
}

/// One call of any kind, with arguments that may be anything.
fn call(random: &mut Random, stack: &mut Stack<'_>, domain: Domain, fds: &mut Vec<Fd>) {
    let addr = random.of(&[
        "10.0.0.1",
        "10.0.0.2",
        "10.0.0.9",
        "0.0.0.0",
        "127.0.0.1",
        "255.255.255.255",
        "10.0.0.255",
        "224.0.0.1",
        "192.0.2.1",
        "::",
        "::1",
        "::ffff:10.0.0.2",
        "fd00::1",
        "fd00::2",
        "fd00::9",
        "fe80::1",
        "ff02::1",
    ]);
    let address = SocketAddr::new(addr.parse().expect(addr), random.of(&[0, 7, 7, 7, 8, 9]));
    let mut buffer = [0; 600];
    let len = random.of(&[0, 1, 100, 600]);
    let fd = match fds.len() {
        0 => None,
        count => Some(fds[random.below(count)]),
    };
    let Some(fd) = fd.filter(|_| random.below(6) > 0) else {
        let domain = random.of(&[domain, domain, domain, Domain::Inet, Domain::Inet6]);
        fds.extend(stack.socket(
            domain,
            random.of(&[Type::Stream, Type::Stream, Type::Datagram]),
        ));
        return;
    };
    match random.below(13) {
        0 => {
            let _ = stack.bind(fd, address);
        }
        1 => {
            let _ = stack.listen(fd, random.below(4));
        }
        2 => fds.extend(stack.accept(fd).map(|(fd, _)| fd)),
        3 | 4 => {
            let _ = stack.connect(fd, address);
        }
        5 => {
            let _ = stack.send(fd, &buffer[..len]);
        }
        6 => {
            let _ = stack.sendto(fd, &buffer[..len], address);
        }
        7 => {
            let _ = stack.recv(fd, &mut buffer[..len]);
        }
        8 => {
            let _ = stack.recvfrom(fd, &mut buffer[..len]);
        }
        9 => {
            let how = random.of(&[Shutdown::Read, Shutdown::Write, Shutdown::Both]);
            let _ = stack.shutdown(fd, how);
        }
        10 => {
            let _ = stack.readiness(fd);
        }
        11 => drop((
            stack.getsockname(fd),
            stack.getpeername(fd),
            stack.take_error(fd),
        )),
        _ => {
            let _ = stack.close(fd);
            if random.below(2) == 0 {
                fds.retain(|other| *other != fd); // else it is used on
            }
        }
    }
}

/// Whatever is called, and whatever comes over a link that loses frames and has no room at times: nothing panics, nobody is
/// called for ever, and once all is closed and time has gone by everything is free again.
#[test]
fn any_calls_and_frames_do_no_harm() -> Result<()> {
    if cfg!(feature = "ipv4") {
        harass(Domain::Inet, ["10.0.0.1", "10.0.0.2"])?;
    }
    if cfg!(feature = "ipv6") {
        harass(Domain::Inet6, ["fd00::1", "fd00::2"])?;
    }
    Ok(())
}

fn harass(domain: Domain, addrs: [&str; 2]) -> Result<()> {
    for seed in 1..=40_u64 {
        let random = &mut Random(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15));
        let mut memory = Storage::<7, 3, 2, 600, 1, 0, 600>::new();
        let mut other = Storage::<5, 2, 1, 600, 1, 2>::new();
        let here = Stack::new(&mut memory, [1; 16], ());
        let there = Stack::new(&mut other, [2; 16], ());
        let addrs = addrs.map(|addr| addr.parse::<IpAddr>().expect(addr));
        let mut hosts = Hosts::new(Medium::Ethernet, [here, there], addrs)?;
        let mut fds = [Vec::new(), Vec::new()];
        let mut seen = Vec::new();
        for _ in 0..400 {
            for (host, fds) in [&mut hosts.here, &mut hosts.there]
                .into_iter()
                .zip(&mut fds)
            {
                for _ in 0..random.below(4) {
                    call(random, &mut host.stack, domain, fds);
                }
                host.end.loses = random.of(&[0, 0, 0, 1, 3]);
                host.end.room = random.of(&[0, 1, 2, usize::MAX, usize::MAX, usize::MAX]);
                host.end.patience = random.of(&[1, 2, 3, usize::MAX]);
                let from = host.end.receive.clone();
                seen.extend(from.borrow().iter().cloned());
                if random.below(3) == 0 {
                    disturb(random, &seen, &from);
                }
                host.poll(hosts.now);
            }
            let keep = seen.len().saturating_sub(50);
            seen.drain(..keep);
            hosts.run(Duration::from_millis(
                random.of(&[0, 1, 10, 300, 3_000, 90_000]),
            ));
        }
        for (host, fds) in [&mut hosts.here, &mut hosts.there].into_iter().zip(&fds) {
            (host.end.loses, host.end.room, host.end.patience) = (0, usize::MAX, usize::MAX);
            for fd in fds {
                let _ = host.stack.close(*fd);
            }
            assert_eq!(host.stack.usage().sockets, 0, "seed {seed}");
        }
        hosts.run(Duration::from_secs(1_000));
        for host in [&mut hosts.here, &mut hosts.there] {
            let usage = host.stack.usage();
            assert_eq!((usage.connections, usage.datagrams), (0, 0), "seed {seed}");
            assert!(host.stack.is_drained(), "seed {seed}");
        }
    }
    Ok(())
}
