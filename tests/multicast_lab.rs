//! Groups with Linux at the other end: its sockets as members and senders, its bridge as the router that asks.
//!
//! A program of its own rather than tests in a harness: the lab must be entered before any thread starts. What is `std`'s here
//! is Linux's side of the TAP.

mod need;

use glasstack::host::Host;
use glasstack::host::lab::{self, Lab};
use glasstack::socket::blocking::UdpSocket;
use nix::net::if_::if_nametoindex;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, SocketAddrV6};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};
use std::{fs, net, thread};

const V4: Ipv4Addr = Ipv4Addr::new(239, 1, 2, 3);
const V6: Ipv6Addr = Ipv6Addr::new(0xff02, 0, 0, 0, 0, 0, 0, 0x1234);
const PORT: u16 = 9999;
/// Our address on the link, from which routers want to hear of IPv6 groups (RFC 3810 §5.2.13).
const LINK_LOCAL: Ipv6Addr = Ipv6Addr::new(0xfe80, 0, 0, 0, 0, 0, 0, 1);

fn main() {
    let Some(mut lab) = need::given(Lab::enter()) else {
        return;
    };
    if need::given(lab.ipv6()).is_none() {
        return;
    }
    let tap = lab.tap().expect("the first call has it");
    let host = Host::builder()
        .hardware_address(lab::STACK_MAC)
        .address(lab::STACK_V4.into(), lab::PREFIX_V4)
        .address(lab::STACK_V6.into(), lab::PREFIX_V6)
        .address(LINK_LOCAL.into(), 64)
        .start(tap)
        .expect("a host on the TAP");

    linux_sends_and_we_receive(&host);
    we_send_and_linux_receives(&host);

    if need::all(&[need::ROOT]) {
        linux_asks_and_we_answer(&host, &lab);
    }
    println!("multicast: all passed");
}

/// The group's port on Linux's end of the TAP, for a socket of Linux's.
fn on_tap(group: IpAddr) -> SocketAddr {
    match group {
        IpAddr::V4(_) => (group, PORT).into(),
        IpAddr::V6(v6) => SocketAddrV6::new(v6, PORT, 0, tap_index()).into(),
    }
}

fn tap_index() -> u32 {
    if_nametoindex(lab::TAP).expect("the TAP is there")
}

fn linux_socket(address: IpAddr) -> net::UdpSocket {
    let socket = net::UdpSocket::bind((address, PORT)).expect("a socket of Linux's");
    let patience = Some(Duration::from_secs(10));
    socket.set_read_timeout(patience).expect("a time-out");
    socket
}

fn linux_sends_and_we_receive(host: &Host) {
    let ours = UdpSocket::bind(host, ("::", PORT)).expect("a socket");
    ours.set_read_timeout(Some(Duration::from_secs(10)))
        .expect("a time-out");
    let mut buffer = [0; 100];
    for (group, from) in [
        (IpAddr::from(V4), IpAddr::from(lab::LINUX_V4)),
        (V6.into(), lab::LINUX_V6.into()),
    ] {
        let linux = linux_socket(from);
        // Before we join, what it sends is not for us.
        linux.send_to(b"early", on_tap(group)).expect("sent");
        let own: IpAddr = match group {
            IpAddr::V4(_) => lab::STACK_V4.into(),
            IpAddr::V6(_) => lab::STACK_V6.into(),
        };
        linux.send_to(b"to us", (own, PORT)).expect("sent");
        let len = ours.recv(&mut buffer).expect("a datagram");
        assert_eq!(&buffer[..len], b"to us");
        match group {
            IpAddr::V4(_) => ours.join_multicast_v4(&V4, &lab::STACK_V4),
            IpAddr::V6(_) => ours.join_multicast_v6(&V6, 1),
        }
        .expect("joined");
        linux.set_multicast_ttl_v4(7).expect("a TTL");
        linux.send_to(b"hello", on_tap(group)).expect("sent");
        let received = ours.recv_message(&mut buffer).expect("a datagram");
        assert_eq!(&buffer[..received.len], b"hello");
        assert_eq!(received.from.ip().to_canonical(), from);
        assert_eq!(received.to.ip().to_canonical(), group);
        let hops = if group.is_ipv4() { 7 } else { 1 };
        assert_eq!(received.hop_limit, hops);
    }
}

fn we_send_and_linux_receives(host: &Host) {
    let ours = UdpSocket::bind(host, ("::", PORT)).expect("a socket");
    let mut buffer = [0; 100];
    for group in [IpAddr::from(V4), V6.into()] {
        let any: IpAddr = match group {
            IpAddr::V4(_) => Ipv4Addr::UNSPECIFIED.into(),
            IpAddr::V6(_) => Ipv6Addr::UNSPECIFIED.into(),
        };
        let linux = linux_socket(any);
        match group {
            IpAddr::V4(_) => linux.join_multicast_v4(&V4, &lab::LINUX_V4),
            IpAddr::V6(_) => linux.join_multicast_v6(&V6, tap_index()),
        }
        .expect("joined");
        assert!(linux_lists(group), "{group}");
        ours.send_to(b"hello", (group, PORT)).expect("sent");
        let (len, from) = linux.recv_from(&mut buffer).expect("a datagram");
        assert_eq!(&buffer[..len], b"hello");
        let own = [
            lab::STACK_V4.into(),
            lab::STACK_V6.into(),
            LINK_LOCAL.into(),
        ];
        assert!(own.contains(&from.ip()) && from.port() == PORT, "{from}");
    }
}

/// Whether Linux says that its end of the TAP is in a group: `/proc/net/igmp`, `/proc/net/igmp6`.
fn linux_lists(group: IpAddr) -> bool {
    let (file, number) = match group {
        // In the order of the processor's octets.
        IpAddr::V4(v4) => ("igmp", format!("{:08X}", u32::from_ne_bytes(v4.octets()))),
        IpAddr::V6(v6) => ("igmp6", format!("{:032x}", u128::from(v6))),
    };
    let list = fs::read_to_string(format!("/proc/thread-self/net/{file}")).expect("Linux's list");
    list.contains(&number)
}

/// Linux's bridge learns from our reports who is in which group, as a switch does, and asks as a router does. Once with
/// IGMPv2 and MLDv1, once with the versions after them.
fn linux_asks_and_we_answer(host: &Host, lab: &Lab) {
    for (igmp, mld) in [("3", "2"), ("2", "1")] {
        let bridge = Bridge::new(lab, igmp, mld);
        let ours = UdpSocket::bind(host, ("::", PORT)).expect("a socket");
        ours.join_multicast_v4(&V4, &lab::STACK_V4).expect("joined");
        ours.join_multicast_v6(&V6, 1).expect("joined");
        bridge.waits_for_both(true);
        // Its memory of a group is 1.5 s: who is in it for longer has answered.
        thread::sleep(Duration::from_secs(3));
        assert_eq!(bridge.knows(), [true, true], "IGMPv{igmp}, MLDv{mld}");
        drop(ours);
        let left = Instant::now();
        bridge.waits_for_both(false);
        assert!(left.elapsed() < Duration::from_secs(5));
    }
}

struct Bridge<'l>(&'l Lab);

impl Bridge<'_> {
    /// A bridge of which the TAP is a port; it asks twice a second, and forgets after 1.5 s.
    fn new<'l>(lab: &'l Lab, igmp: &str, mld: &str) -> Bridge<'l> {
        run(lab, "ip link add br0 type bridge");
        // Else its address may be used, and its questions be asked, only after a second.
        fs::write("/proc/sys/net/ipv6/conf/br0/accept_dad", "0").expect("a setting");
        let settings = "mcast_snooping 1 mcast_querier 1 mcast_query_interval 50 \
             mcast_query_response_interval 20 mcast_startup_query_interval 10 mcast_membership_interval 150 \
             mcast_last_member_interval 20";
        let versions = format!("mcast_igmp_version {igmp} mcast_mld_version {mld}");
        run(
            lab,
            &format!("ip link set br0 type bridge {settings} {versions}"),
        );
        run(lab, &format!("ip link set {} master br0", lab::TAP));
        run(lab, "ip link set br0 up");
        Bridge(lab)
    }

    /// Whether it knows of our IPv4 group, and of our IPv6 group.
    fn knows(&self) -> [bool; 2] {
        let mut command = self.0.command(&["bridge", "mdb", "show", "dev", "br0"]);
        let output = command.output().expect("bridge(8)");
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        [IpAddr::from(V4), V6.into()].map(|group| {
            let entry = format!("port {} grp {group} ", lab::TAP);
            text.lines().any(|line| line.contains(&entry))
        })
    }

    fn waits_for_both(&self, known: bool) {
        let end = Instant::now() + Duration::from_secs(20);
        while self.knows() != [known; 2] {
            assert!(Instant::now() < end, "{:?}", self.knows());
            thread::sleep(Duration::from_millis(50));
        }
    }
}

impl Drop for Bridge<'_> {
    fn drop(&mut self) {
        run(self.0, "ip link delete br0");
    }
}

fn run(lab: &Lab, command: &str) {
    let words: Vec<&str> = command.split_whitespace().collect();
    let mut command: Command = lab.command(&words);
    let status = command.stdin(Stdio::null()).status().expect("ip(8)");
    assert!(status.success(), "{words:?}");
}
