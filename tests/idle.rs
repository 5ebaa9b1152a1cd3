//! A host with nothing to do does nothing, and wakes up when there is something. In a file of its own, and one test at a time:
//! it looks at the threads and descriptors of the whole process.
#![cfg(all(
    target_os = "linux",
    feature = "std",
    feature = "ipv4",
    feature = "ipv6"
))]

use glasstack::{
    device::{Wire, WireEnd},
    host::{Builder, Host},
    smoltcp::{
        phy::{ChecksumCapabilities, Device, Medium, TxToken},
        time::Instant as Time,
        wire::{IpProtocol, Ipv4Packet, Ipv4Repr, UdpPacket, UdpRepr},
    },
    socket::blocking::{TcpListener, TcpStream, UdpSocket},
    stack::Capacity,
};
use std::{
    fs,
    io::{self, Read, Write},
    net::{IpAddr, Ipv4Addr, SocketAddr},
    sync::{Mutex, MutexGuard, PoisonError, mpsc},
    thread,
    time::{Duration, Instant},
};

fn alone() -> MutexGuard<'static, ()> {
    static ONE_AT_A_TIME: Mutex<()> = Mutex::new(());
    ONE_AT_A_TIME.lock().unwrap_or_else(PoisonError::into_inner)
}

/// What the drivers of this process have done so far.
#[derive(Debug, PartialEq, Eq)]
struct Drivers {
    threads: usize,
    /// CPU time in clock ticks of 10 ms (`proc_pid_stat(5)`: utime and stime).
    ticks: u64,
    /// How often they went to sleep, which is how often they woke up (`proc_pid_status(5)`).
    sleeps: u64,
}

fn drivers() -> io::Result<Drivers> {
    let mut drivers = Drivers {
        threads: 0,
        ticks: 0,
        sleeps: 0,
    };
    for task in fs::read_dir("/proc/self/task")? {
        let task = task?.path();
        // A thread may end while it is looked at.
        let read = |file| fs::read_to_string(task.join(file)).unwrap_or_default();
        if read("comm").trim() != "glasstack" {
            continue;
        }
        drivers.threads += 1;
        let stat = read("stat");
        let (_, fields) = stat.rsplit_once(')').unwrap_or_default();
        let times = fields.split_whitespace().skip(11).take(2);
        drivers.ticks += times
            .filter_map(|field| field.parse::<u64>().ok())
            .sum::<u64>();
        let status = read("status");
        let count = |line: &str| {
            line.strip_prefix("voluntary_ctxt_switches:")?
                .trim()
                .parse()
                .ok()
        };
        drivers.sleeps += status.lines().find_map(count).unwrap_or(0);
    }
    Ok(drivers)
}

fn builder(number: u8) -> Builder {
    Host::builder().address(IpAddr::from([10, 0, 0, number]), 24)
}

fn hundred(server: &Host, client: &Host, address: &str) -> io::Result<Vec<(TcpStream, TcpStream)>> {
    let listener = TcpListener::bind(server, address)?;
    let address = listener.local_addr()?;
    let connect = |_| Ok((TcpStream::connect(client, address)?, listener.accept()?.0));
    (0..100).map(connect).collect()
}

#[test]
fn a_hundred_idle_connections_use_no_cpu() -> io::Result<()> {
    let _alone = alone();
    let capacity = Capacity {
        sockets: 256,
        connections: 256,
        ..Capacity::default()
    };
    let host = Host::builder()
        .capacity(capacity.clone())
        .start_loopback()?;
    let (left, right) = Wire::pair(Medium::Ethernet, 1514);
    let near = builder(1).capacity(capacity.clone()).start(left)?;
    let far = builder(2).capacity(capacity).start(right)?;
    let mut on_loopback = hundred(&host, &host, "127.0.0.1:0")?;
    let mut on_wire = hundred(&far, &near, "10.0.0.2:9999")?;
    // A thread that waits costs nothing either.
    let readers = [&on_loopback, &on_wire].map(|connections| {
        let server = connections[0].1.try_clone();
        thread::spawn(move || server?.read(&mut [0; 8]))
    });

    // The last delayed acknowledgements leave, and a driver that went to sleep with a segment in flight wakes once more when
    // that would have been sent again (1 s, RFC 6298); then all is quiet.
    let turns = || [&host, &near, &far].map(Host::turns);
    let mut before = turns();
    loop {
        thread::sleep(Duration::from_millis(1500));
        match turns() {
            now if now == before => break,
            now => before = now,
        }
    }
    let asleep = drivers()?;
    assert_eq!(asleep.threads, 3);
    thread::sleep(Duration::from_secs(5));
    assert_eq!(turns(), before, "a driver went around its loop");
    assert_eq!(drivers()?, asleep, "a driver woke up");

    // They were asleep, not dead.
    on_loopback[0].0.write_all(b"awake")?;
    on_wire[0].0.write_all(b"awake")?;
    for reader in readers {
        assert_eq!(reader.join().expect("the thread does not panic")?, 5);
    }
    Ok(())
}

const ROUNDS: usize = 1000;

/// Puts an UDP datagram for 10.0.0.1:9999 on the wire, by hand.
fn transmit(end: &mut WireEnd) {
    let checksums = ChecksumCapabilities::default();
    let (source, destination) = (Ipv4Addr::new(10, 0, 0, 2), Ipv4Addr::new(10, 0, 0, 1));
    let payload = b"wake up";
    let udp = UdpRepr {
        src_port: 9999,
        dst_port: 9999,
    };
    let ip = Ipv4Repr {
        src_addr: source,
        dst_addr: destination,
        next_header: IpProtocol::Udp,
        payload_len: udp.header_len() + payload.len(),
        hop_limit: 64,
    };
    let len = ip.buffer_len() + ip.payload_len;
    let token = end.transmit(Time::ZERO).expect("a wire always has room");
    token.consume(len, |frame| {
        let mut packet = Ipv4Packet::new_unchecked(frame);
        ip.emit(&mut packet, &checksums);
        let mut datagram = UdpPacket::new_unchecked(packet.payload_mut());
        let fill = |buffer: &mut [u8]| buffer.copy_from_slice(payload);
        let (source, destination) = (source.into(), destination.into());
        udp.emit(
            &mut datagram,
            &source,
            &destination,
            payload.len(),
            fill,
            &checksums,
        );
    });
}

#[test]
fn a_frame_wakes_the_driver_once_and_at_once() -> io::Result<()> {
    let _alone = alone();
    let (left, mut right) = Wire::pair(Medium::Ip, 1500);
    let host = builder(1).start(left)?;
    let udp = UdpSocket::bind(&host, SocketAddr::from(([10, 0, 0, 1], 9999)))?;
    let (woken, wait) = mpsc::channel();
    let reader = thread::spawn(move || -> io::Result<()> {
        for _ in 0..ROUNDS {
            udp.recv_from(&mut [0; 16])?;
            let _ = woken.send(Instant::now());
        }
        Ok(())
    });
    let before = host.turns();
    let mut latencies = Vec::new();
    for _ in 0..ROUNDS {
        // So that the reader is back in its wait, and the driver in its own: else there is nothing to measure.
        thread::sleep(Duration::from_micros(200));
        let sent = Instant::now();
        transmit(&mut right);
        latencies.push(wait.recv().expect("every frame wakes the reader") - sent);
    }
    reader.join().expect("the thread does not panic")?;
    latencies.sort_unstable();
    let (median, most) = (latencies[ROUNDS / 2], latencies[ROUNDS - 1]);
    eprintln!(
        "from a frame's arrival to its reader, {ROUNDS} times: median {median:?}, most {most:?}"
    );
    let turns = host.turns() - before;
    // One a frame, none where the reader took it first; two for the host's start and for the first sleep.
    assert!(
        turns <= ROUNDS as u64 + 2,
        "{turns} turns for {ROUNDS} frames"
    );
    Ok(())
}

#[test]
fn hosts_leave_no_thread_and_no_descriptor_behind() -> io::Result<()> {
    let _alone = alone();
    let descriptors = || fs::read_dir("/proc/self/fd").map(Iterator::count);
    // What an earlier test let go of ends by itself.
    let quiet = || -> io::Result<()> {
        let start = Instant::now();
        while drivers()?.threads > 0 {
            assert!(
                start.elapsed() < Duration::from_secs(60),
                "a driver goes on"
            );
            thread::yield_now();
        }
        Ok(())
    };
    quiet()?;
    let before = descriptors()?;
    for _ in 0..20 {
        let (left, right) = Wire::pair(Medium::Ethernet, 1514);
        let (near, far) = (builder(1).start(left)?, builder(2).start(right)?);
        let listener = TcpListener::bind(&far, "10.0.0.2:9999")?;
        let mut client = TcpStream::connect(&near, "10.0.0.2:9999")?;
        let (server, _) = listener.accept()?;
        client.write_all(b"goodbye")?;
        drop(client);
        io::copy(&mut &server, &mut io::sink())?;
    }
    quiet()?;
    assert_eq!(descriptors()?, before);
    Ok(())
}
