//! A device that was unplugged: its descriptor is "ready" for ever, and its thread sleeps all the same.

use std::cell::Cell;
use std::io;
use std::net::Shutdown;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::net::UnixStream;
use std::time::Duration;

use glasstack::Stack;
use glasstack::device::{Absent, absent::Never};
use glasstack::host::{self, Host, Parker};
use glasstack::smoltcp::phy::{Device, DeviceCapabilities};
use glasstack::smoltcp::time::Instant;
use glasstack::socket::{Local, Runner, block_on, sleep};

use super::parker::Counted;
use super::time::small;

struct Unplugged(OwnedFd);

impl AsFd for Unplugged {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }
}

impl Device for Unplugged {
    type RxToken<'a> = Never;
    type TxToken<'a> = Never;

    fn receive(&mut self, _: Instant) -> Option<(Never, Never)> {
        None
    }

    fn transmit(&mut self, _: Instant) -> Option<Never> {
        None
    }

    fn capabilities(&self) -> DeviceCapabilities {
        let mut capabilities = Absent.capabilities();
        capabilities.max_transmission_unit = 1500;
        capabilities
    }
}

/// A device's descriptor, in each way to be gone; and what is to be kept for that.
fn gone() -> ([OwnedFd; 3], UnixStream) {
    let (here, there) = UnixStream::pair().unwrap();
    let (half, other) = UnixStream::pair().unwrap();
    drop(there);
    other.shutdown(Shutdown::Write).unwrap();
    // Hung up; closed in one direction; an error.
    let ends = [here.into(), half.into(), io::pipe().unwrap().1.into()];
    (ends, other)
}

#[test]
fn a_device_that_is_gone_does_not_keep_a_parker_awake() {
    let (ends, _other) = gone();
    for end in ends {
        let mut stack = Stack::with_capacity(small(), [7; 16], ());
        let mut device = Unplugged(end);
        let link = stack.add_interface(&mut device, None).unwrap();
        let network = Local::new(stack, host::now);
        let parker = Parker::new().unwrap();
        let counted = Counted(&parker, Cell::new(0));
        let mut runner = Runner::new(&network, link, device, &parker);
        let nap = sleep(&network, Duration::from_millis(300));
        block_on(&counted, runner.run_until(nap)).unwrap().unwrap();
        let sleeps = counted.1.get();
        assert!(sleeps < 10, "{sleeps} sleeps for one");
    }
}

#[test]
fn a_device_that_is_gone_does_not_keep_a_hosts_driver_awake() {
    let (ends, _other) = gone();
    for end in ends {
        let host = Host::builder().start(Unplugged(end)).unwrap();
        block_on(
            Parker::new().unwrap(),
            sleep(&host, Duration::from_millis(300)),
        )
        .unwrap();
        let turns = host.turns();
        assert!(turns < 10, "{turns} turns for one sleep");
    }
}
