//! The ground for tests against the kernel's own network: each test alone in a [`Lab`] of its own, in which the programs that
//! it starts are root, too; there, a second TAP, and a path over two routers with a narrow link in the middle.
//!
//! ```text
//!                      ┌──── the lab ────┐
//!   this stack ◀─tap0─▶ .69.100           │              ┌─ the middle ─┐
//!   .69.1                (forwards)  .71.1 ◀──MTU 1280──▶ .71.2    .72.1 ◀──MTU 1500──▶ .72.2, the far end
//!   .70.1      ◀─tap1─▶ .70.100           │              └──────────────┘
//!                      └─────────────────┘
//! ```
//!
//! `.69.1` is 192.168.69.1 and fdaa:69::1, and so on.
#![allow(dead_code, reason = "each test file uses its part")]

mod harness;
mod namespace;
pub(crate) mod path;

use std::{
    io::{self, ErrorKind},
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr},
    process::Command,
    thread,
    time::{Duration, Instant},
};

use glasstack::{
    device::Tap,
    host::{
        Host, Interface,
        lab::{LINUX_V4, LINUX_V6, Lab, PREFIX_V4, PREFIX_V6, STACK_MAC, STACK_V4, STACK_V6},
    },
    socket::blocking::TcpStream,
};

pub(crate) use harness::run;
pub(crate) use namespace::Namespace;

/// What a station is called in each family.
pub(crate) type Addresses = [IpAddr; 2];

pub(crate) const STACK: Addresses = [IpAddr::V4(STACK_V4), IpAddr::V6(STACK_V6)];
pub(crate) const LINUX: Addresses = [IpAddr::V4(LINUX_V4), IpAddr::V6(LINUX_V6)];
/// The same on the second TAP.
pub(crate) const SECOND_STACK: Addresses = addresses([192, 168, 70, 1], 0x70, 1);
pub(crate) const SECOND_LINUX: Addresses = addresses([192, 168, 70, 100], 0x70, 0x100);
/// The router in the middle, as the far end sees it, and the lab's, as the middle sees it.
pub(crate) const MIDDLE_ROUTER: Addresses = addresses([192, 168, 72, 1], 0x72, 1);
pub(crate) const LAB_ROUTER: Addresses = addresses([192, 168, 71, 1], 0x71, 1);
pub(crate) const FAR: Addresses = addresses([192, 168, 72, 2], 0x72, 2);

/// The second TAP's name.
pub(crate) const SECOND_TAP: &str = "tap1";

const fn addresses(v4: [u8; 4], link: u16, station: u16) -> Addresses {
    let [a, b, c, d] = v4;
    [
        IpAddr::V4(Ipv4Addr::new(a, b, c, d)),
        IpAddr::V6(Ipv6Addr::new(0xfdaa, link, 0, 0, 0, 0, 0, station)),
    ]
}

/// This stack on the lab's TAP, with Linux for its router.
pub(crate) fn interface(lab: &mut Lab) -> Interface {
    lab.ipv6().expect("the lab has IPv6");
    let tap = lab.tap().expect("the lab's TAP is taken once");
    let interface = with_addresses(Interface::new(tap), STACK).hardware_address(STACK_MAC);
    LINUX.into_iter().fold(interface, Interface::gateway)
}

/// This stack on a second TAP.
pub(crate) fn second_interface(lab: &Lab) -> Interface {
    shell(lab.command(&["sh"]), AT_ONCE, &[]);
    let tap = Tap::create(SECOND_TAP).expect("the lab has no second TAP yet");
    let script = "
        ip address add 192.168.70.100/24 dev tap1
        ip address add fdaa:70::100/64 dev tap1
        ip link set tap1 up
    ";
    shell(lab.command(&["sh"]), &[script, SETTLED].concat(), &[]);
    with_addresses(Interface::new(tap), SECOND_STACK)
}

fn with_addresses(interface: Interface, [v4, v6]: Addresses) -> Interface {
    interface.address(v4, PREFIX_V4).address(v6, PREFIX_V6)
}

/// Addresses are good for use without duplicate address detection (RFC 4862 §5.4), a link's own among them, which a router asks
/// for its neighbors from. To be said before there is a link.
const AT_ONCE: &str = "
    echo 0 > /proc/sys/net/ipv6/conf/all/accept_dad
    echo 0 > /proc/sys/net/ipv6/conf/default/accept_dad
";

/// Even so it is a worker of the kernel's that makes them good, moments later.
const SETTLED: &str = "
    while ip -6 -oneline address show tentative | grep -q .; do sleep 0.001; done
";

/// Runs a script by a shell: each of its commands must succeed.
fn shell(mut shell: Command, script: &str, arguments: &[&str]) {
    let command = shell.args(["-euc", script, "sh"]).args(arguments);
    let output = command.output().expect("sh(1)");
    let error = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{error}in{script}");
}

/// Connects to a server that may still be on its way to `listen`.
pub(crate) fn connect(host: &Host, server: SocketAddr) -> io::Result<TcpStream> {
    let end = Instant::now() + Duration::from_secs(30);
    loop {
        match TcpStream::connect(host, server) {
            Err(error) if error.kind() == ErrorKind::ConnectionRefused && Instant::now() < end => {
                thread::sleep(Duration::from_millis(10));
            }
            result => return result,
        }
    }
}
