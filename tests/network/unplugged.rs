//! A device that was unplugged does not keep the thread awake that drives it.

#[path = "../unplugged/mod.rs"]
mod device;

use std::cell::Cell;
use std::time::Duration;

use glasstack::Stack;
use glasstack::host::{self, Host, Parker};
use glasstack::socket::{Local, Runner, block_on, sleep};

use super::parker::Counted;
use super::time::small;
use device::{Unplugged, gone};

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
