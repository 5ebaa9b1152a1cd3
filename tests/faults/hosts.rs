//! Who sleeps in poll(2) is woken for a frame that comes later. Nothing here depends on how long anything takes.

use std::io::{self, Read, Write};
use std::os::fd::{AsFd, BorrowedFd};
use std::thread;
use std::time::Duration;

use glasstack::device::wire::{Conditions, Faults, Faulty, Wire};
use glasstack::host::{self, Host};
use glasstack::smoltcp::phy::{self, Device, DeviceCapabilities, Medium};
use glasstack::smoltcp::time::Instant;
use glasstack::socket::blocking::{TcpListener, TcpStream};
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};

use crate::link::{receive, send};

fn readable(device: &impl AsFd, timeout: PollTimeout) -> bool {
    let mut waiting = [PollFd::new(device.as_fd(), PollFlags::POLLIN)];
    poll(&mut waiting, timeout).unwrap() == 1
}

/// A wake-up that is lost fails the test instead of stopping it.
fn long() -> PollTimeout {
    PollTimeout::from(60_000u16)
}

fn slow() -> Conditions {
    Conditions::default().latency(Duration::from_millis(20))
}

fn start<D: Device + AsFd + Send + 'static>(device: D, number: u8) -> io::Result<Host> {
    let address = [10, 0, 0, number].into();
    Host::builder().address(address, 24).start(device)
}

fn echo(client: &Host, server: &Host) -> io::Result<()> {
    let listener = TcpListener::bind(server, "10.0.0.2:9999")?;
    let echo = thread::spawn(move || -> io::Result<u64> {
        let (stream, _) = listener.accept()?;
        io::copy(&mut &stream, &mut &stream)
    });
    let mut stream = TcpStream::connect(client, "10.0.0.2:9999")?;
    for text in [&[1; 10], &[2; 10]] {
        stream.write_all(text)?;
        let mut back = [0; 10];
        stream.read_exact(&mut back)?;
        assert_eq!(&back, text);
    }
    drop(stream);
    assert_eq!(echo.join().expect("no panic")?, 20);
    Ok(())
}

#[test]
fn hosts_talk_over_a_slow_wire() -> io::Result<()> {
    let wire = Wire::new(Medium::Ethernet, 1514);
    let (left, right) = wire.faulty_ends(Faults::new(1).both(slow()))?;
    echo(&start(left, 1)?, &start(right, 2)?)
}

#[test]
fn hosts_talk_over_devices_behind_slow_links() -> io::Result<()> {
    let (left, right) = Wire::pair(Medium::Ethernet, 1514);
    let left = Faulty::new(left, Faults::new(1).outgoing(slow()))?;
    let right = Faulty::new(right, Faults::new(2).both(slow().duplicate(0.5)))?;
    echo(&start(left, 1)?, &start(right, 2)?)
}

#[test]
fn a_wires_end_is_readable_when_a_frame_has_arrived() -> io::Result<()> {
    let wire = Wire::new(Medium::Ip, 1500);
    let (mut left, mut right) = wire.faulty_ends(Faults::new(1).both(slow()))?;
    assert!(!readable(&right, PollTimeout::ZERO));
    for text in [b"1", b"2"] {
        send(&mut left, host::now(), text);
    }
    // The clock of poll(2) is ours, too: when it wakes, the frames are there.
    for text in [b"1", b"2"] {
        assert!(readable(&right, long()));
        let frame = receive(&mut right, host::now()).expect("a frame");
        assert_eq!(frame, text);
    }
    assert_eq!(receive(&mut right, host::now()), None);
    assert!(!readable(&right, PollTimeout::ZERO));
    Ok(())
}

#[test]
fn whoever_is_woken_too_early_sleeps_again() -> io::Result<()> {
    let wire = Wire::new(Medium::Ip, 1500);
    let (mut left, mut right) = wire.faulty_ends(Faults::new(1).both(slow()))?;
    // The descriptor comes after the frame, so that nobody knows how long it still takes.
    send(&mut left, host::now(), b"frame");
    let frame = loop {
        assert!(readable(&right, long()));
        if let Some(frame) = receive(&mut right, host::now()) {
            break frame;
        }
    };
    assert_eq!(frame, b"frame");
    Ok(())
}

#[test]
fn a_device_behind_a_link_is_readable_for_either_reason() -> io::Result<()> {
    let (left, mut right) = Wire::pair(Medium::Ip, 1500);
    let mut left = Faulty::new(left, Faults::new(1).both(slow()))?;
    assert!(!readable(&left, PollTimeout::ZERO));
    // The device has a frame: it is taken in, and is then under way.
    send(&mut right, host::now(), b"in");
    assert!(readable(&left, long()));
    while receive(&mut left, host::now()).is_none() {
        assert!(readable(&left, long()));
    }
    // A frame that goes out later.
    send(&mut left, host::now(), b"out");
    while receive(&mut right, host::now()).is_none() {
        assert!(readable(&left, long()));
        assert_eq!(receive(&mut left, host::now()), None);
    }
    assert!(!readable(&left, PollTimeout::ZERO));
    Ok(())
}

/// A device that may go away, as a TAP that is deleted: its descriptor then reports an error for ever.
struct Pipe(io::PipeReader);

struct Nothing;

impl phy::RxToken for Nothing {
    fn consume<R, F: FnOnce(&[u8]) -> R>(self, f: F) -> R {
        f(&[])
    }
}

impl phy::TxToken for Nothing {
    fn consume<R, F: FnOnce(&mut [u8]) -> R>(self, len: usize, f: F) -> R {
        f(&mut vec![0; len])
    }
}

impl Device for Pipe {
    type RxToken<'a> = Nothing;
    type TxToken<'a> = Nothing;

    fn receive(&mut self, _: Instant) -> Option<(Nothing, Nothing)> {
        None
    }

    fn transmit(&mut self, _: Instant) -> Option<Nothing> {
        Some(Nothing)
    }

    fn capabilities(&self) -> DeviceCapabilities {
        let mut capabilities = DeviceCapabilities::default();
        capabilities.medium = Medium::Ip;
        capabilities.max_transmission_unit = 1500;
        capabilities
    }
}

impl AsFd for Pipe {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }
}

#[test]
fn a_device_that_is_gone_wakes_nobody_twice() -> io::Result<()> {
    let (reader, writer) = io::pipe()?;
    let mut device = Faulty::new(Pipe(reader), Faults::new(1))?;
    assert!(!readable(&device, PollTimeout::ZERO));
    drop(writer);
    assert!(readable(&device, PollTimeout::ZERO));
    assert_eq!(receive(&mut device, host::now()), None);
    assert!(!readable(&device, PollTimeout::ZERO));
    Ok(())
}
