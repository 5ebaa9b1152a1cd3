//! A host with nothing to do does nothing. In a file of its own: it measures the whole process.
#![cfg(all(
    target_os = "linux",
    feature = "std",
    feature = "ipv4",
    feature = "ipv6"
))]

use glasstack::{
    host::Host,
    socket::{TcpListener, TcpStream},
    stack::Capacity,
};
use std::{
    fs, io,
    io::{Read, Write},
    thread,
    time::Duration,
};

/// The CPU time that this process has used, in clock ticks of 10 ms (`proc_pid_stat(5)`: utime and stime).
fn cpu_ticks() -> io::Result<u64> {
    let stat = fs::read_to_string("/proc/self/stat")?;
    // The name before it is in parentheses, and may have spaces.
    let (_, fields) = stat.rsplit_once(')').unwrap_or_default();
    let ticks = fields.split_whitespace().skip(11).take(2);
    Ok(ticks.filter_map(|field| field.parse::<u64>().ok()).sum())
}

#[test]
fn a_hundred_idle_connections_use_no_cpu() -> io::Result<()> {
    let host = Host::builder()
        .capacity(Capacity {
            sockets: 256,
            connections: 256,
            ..Capacity::default()
        })
        .start_loopback()?;
    let listener = TcpListener::bind(&host, "127.0.0.1:0")?;
    let mut connections = Vec::new();
    for _ in 0..100 {
        let client = TcpStream::connect(&host, listener.local_addr()?)?;
        connections.push((client, listener.accept()?.0));
    }
    // A thread that waits costs nothing either.
    let mut reader = connections[0].1.try_clone()?;
    let read = thread::spawn(move || reader.read(&mut [0; 8]));

    // The last delayed acknowledgements leave; then all is quiet.
    let mut turns = host.turns();
    loop {
        thread::sleep(Duration::from_millis(500));
        match host.turns() {
            now if now == turns => break,
            now => turns = now,
        }
    }
    let before = cpu_ticks()?;
    thread::sleep(Duration::from_secs(5));
    assert_eq!(host.turns(), turns, "the driver went around its loop");
    let used = cpu_ticks()? - before;
    assert!(used <= 1, "{used} ticks of 10 ms in 5 s");

    // It was asleep, not dead.
    connections[0].0.write_all(b"awake")?;
    assert_eq!(read.join().expect("the thread does not panic")?, 5);
    Ok(())
}
