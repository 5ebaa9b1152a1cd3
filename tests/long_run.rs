//! Long runs: the same seed gives the same events, in this process and in another; a hundred megabytes are drawn without
//! more memory than one.
#![cfg(all(feature = "std", feature = "ipv4"))]
#![allow(clippy::unwrap_used, clippy::panic)] // a test may fail

use std::cell::RefCell;
use std::fmt;
use std::process::Command;
use std::rc::Rc;

use glasstack::device::wire::{Conditions, Faults};
use glasstack::device::{Wire, WireEnd};
use glasstack::smoltcp::phy::Medium;
use glasstack::smoltcp::time::Instant;
use glasstack::stack::{Capacity, Domain, InterfaceId, Type};
use glasstack::trace::ladder::{self, Ends, Ladder};
use glasstack::trace::{At, Capture, Sink, Station};
use glasstack::{Error, Fd, Stack};

type Shared<S> = Rc<RefCell<S>>;

struct Host<S: Sink> {
    stack: Stack<'static, At<Shared<S>>>,
    interface: InterfaceId,
    end: WireEnd,
}

impl<S: Sink> Host<S> {
    fn new(number: u8, mut end: WireEnd, sink: &Shared<S>) -> Host<S> {
        let capacity = Capacity {
            sockets: 4,
            connections: 2,
            datagrams: 0,
            ..Capacity::default()
        };
        let observer = At(Station(number - 1), Rc::clone(sink));
        let mut stack = Stack::with_capacity(capacity, [number; 16], observer);
        let interface = stack
            .add_interface(&mut end, Some([2, 0, 0, 0, 0, number]))
            .unwrap();
        stack
            .add_address(interface, [10, 0, 0, number].into(), 24)
            .unwrap();
        Host {
            stack,
            interface,
            end,
        }
    }

    fn poll(&mut self, now: Instant) -> Option<Instant> {
        let due = self.stack.poll(self.interface, now, &mut self.end);
        [due, self.end.next_arrival()].into_iter().flatten().min()
    }
}

/// Carries so many octets from one host to the other, in virtual time.
fn transfer<S: Sink>(faults: Faults, octets: usize, sink: &Shared<S>) {
    let (left, right) = Wire::new(Medium::Ethernet, 1514)
        .faulty_ends(faults)
        .unwrap();
    let (mut client, mut server) = (Host::new(1, left, sink), Host::new(2, right, sink));
    let address = ([10, 0, 0, 2], 9999).into();
    let listener = server.stack.socket(Domain::Inet, Type::Stream).unwrap();
    server.stack.bind(listener, address).unwrap();
    server.stack.listen(listener, 1).unwrap();
    let fd = client.stack.socket(Domain::Inet, Type::Stream).unwrap();
    let (mut now, mut open, mut accepted) = (Instant::ZERO, false, None::<Fd>);
    let data = vec![7; 16_384];
    let mut buffer = vec![0; 65_536];
    let (mut sent, mut received, mut quiet) = (0, 0, 0);
    while received < octets {
        let mut moved = false;
        if !open {
            match client.stack.connect(fd, address) {
                Ok(()) => open = true,
                Err(error) => assert_eq!(error, Error::WouldBlock),
            }
        }
        while open && sent < octets {
            let part = data.len().min(octets - sent);
            let Ok(count) = client.stack.send(fd, &data[..part]) else {
                break;
            };
            sent += count;
            moved = true;
        }
        accepted = accepted.or_else(|| server.stack.accept(listener).ok().map(|(fd, _)| fd));
        while let Some(fd) = accepted
            && let Ok(count) = server.stack.recv(fd, &mut buffer)
        {
            received += count;
            moved = true;
        }
        let next = [client.poll(now), server.poll(now)]
            .into_iter()
            .flatten()
            .min();
        // A frame that waits on a perfect wire is for the next turn, at the same time.
        quiet = if moved { 0 } else { quiet + 1 };
        assert!(quiet < 100_000, "it stands still");
        if !moved && let Some(next) = next {
            now = now.max(next);
        }
    }
}

fn faults(seed: u64) -> Faults {
    let conditions = Conditions::default()
        .latency(std::time::Duration::from_millis(5))
        .jitter(std::time::Duration::from_millis(3))
        .loss(0.03)
        .duplicate(0.02)
        .reorder(0.03, std::time::Duration::from_millis(20))
        .corrupt(0.01);
    Faults::new(seed).both(conditions)
}

fn digest(seed: u64) -> (u64, usize) {
    let capture = Rc::new(RefCell::new(Capture::new()));
    transfer(faults(seed), 200_000, &capture);
    let capture = capture.borrow();
    assert_eq!(capture.left_out(), 0);
    (capture.digest(), capture.len())
}

const SEED: &str = "GLASSTACK_LONG_RUN_SEED";

#[test]
fn the_same_seed_gives_the_same_events_here_and_in_another_process() {
    if let Ok(seed) = std::env::var(SEED) {
        println!("digest {:?}", digest(seed.parse().unwrap()));
        return;
    }
    let here = digest(42);
    assert_eq!(digest(42), here);
    assert_ne!(digest(43).0, here.0);
    let test = "the_same_seed_gives_the_same_events_here_and_in_another_process";
    let other = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", test, "--nocapture"])
        .env(SEED, "42")
        .output()
        .unwrap();
    let text = String::from_utf8(other.stdout).unwrap();
    assert!(
        text.contains(&format!("digest {here:?}")),
        "{here:?}\n{text}"
    );
}

/// Counts what is drawn.
#[derive(Default)]
struct Drawn(u64);

impl fmt::Write for Drawn {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        self.0 += text.len() as u64;
        Ok(())
    }
}

#[test]
fn a_hundred_megabytes_are_drawn_without_more_memory_than_one() {
    let ends = Ends::between((Station(0), "client"), (Station(1), "server"));
    let ladder = Ladder::<_>::new(Drawn::default(), ends, ladder::Options::default());
    let ladder = Rc::new(RefCell::new(ladder));
    transfer(Faults::new(1), 1_000_000, &ladder);
    let before = resident_pages();
    transfer(Faults::new(1), 100_000_000, &ladder);
    if let (Some(before), Some(after)) = (before, resident_pages()) {
        // Each transfer has hosts of its own, with 256 KB of buffers.
        assert!(after <= before + 512, "{before} pages grew to {after}");
    }
}

/// Memory that is really there, on Linux.
fn resident_pages() -> Option<u64> {
    let statm = std::fs::read_to_string("/proc/self/statm").ok()?;
    statm.split_whitespace().nth(1)?.parse().ok()
}
