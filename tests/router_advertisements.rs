//! Addresses, a route and a name server of what a real router advertises: dnsmasq in the lab; and who has an address, decided
//! between this stack and the kernel.
//!
//! A program of its own rather than tests in a harness: see `ground`.
// A step that fails fails its test.
#![allow(clippy::panic)]

mod dnsmasq_server;
mod ground;
mod need;

use std::{
    io::{Read, Write},
    net::{IpAddr, Ipv6Addr, SocketAddr, TcpListener as KernelListener, TcpStream as KernelStream},
    process::{Command, ExitCode},
    thread,
    time::{Duration, Instant},
};

use dnsmasq_server::Dnsmasq;
use glasstack::{
    host::{
        Host,
        lab::{LINUX_V6, Lab, STACK_MAC, TAP},
    },
    socket::{
        Network,
        blocking::{TcpListener, TcpStream},
    },
    stack::{AddressState, InterfaceAddress, InterfaceIdentifier, Origin},
};
use need::Need;

/// What takes longer than this does not come any more.
const PATIENCE: Duration = Duration::from_secs(30);

/// What the lab's network begins with.
const NETWORK: [u16; 4] = [0xfdaa, 0x69, 0, 0];

/// The address of the stack's hardware address (RFC 4291 appendix A).
const OF_HARDWARE: Ipv6Addr = Ipv6Addr::new(0xfdaa, 0x69, 0, 0, 0, 0xff, 0xfe00, 1);

fn main() -> ExitCode {
    ground::run(
        &[Need::Program("dnsmasq", "dnsmasq-base")],
        &[
            ("a_host_finds_all_by_itself", a_host_finds_all_by_itself),
            (
                "the_kernels_address_is_not_taken",
                the_kernels_address_is_not_taken,
            ),
            (
                "the_kernel_does_not_take_ours",
                the_kernel_does_not_take_ours,
            ),
            (
                "a_router_that_is_gone_leads_nowhere",
                a_router_that_is_gone_leads_nowhere,
            ),
        ],
    )
}

/// A router for the lab's network: its advertisements are 4 s apart, and it is one for 12 s.
fn router(lab: &Lab) -> Dnsmasq {
    let options = [
        format!("--interface={TAP}"),
        "--address=/www.example.com/2001:db8::80".to_owned(),
        "--enable-ra".to_owned(),
        format!("--dhcp-range=::,constructor:{TAP},ra-only,64,120"),
        format!("--ra-param={TAP},mtu:1400,4,12"),
        format!("--dhcp-option=option6:dns-server,[{LINUX_V6}]"),
    ];
    Dnsmasq::start(lab, "/dev/null".into(), &options)
}

fn host(lab: &mut Lab) -> Host {
    lab.ipv6().expect("the lab has IPv6");
    let tap = lab.tap().expect("the lab's TAP is taken once");
    let builder = Host::builder().slaac().hardware_address(STACK_MAC);
    builder.start(tap).expect("a host")
}

fn formed(host: &Host) -> Option<InterfaceAddress> {
    let mut addresses = host.addresses().into_iter().map(|(_, address)| address);
    addresses.find(|address| address.origin == Origin::Autoconfigured)
}

fn configured(host: &Host) -> Ipv6Addr {
    host.wait_until_configured(PATIENCE).expect("a router");
    let formed = formed(host).expect("it is configured");
    assert_eq!(formed.state, AddressState::Preferred);
    let IpAddr::V6(address) = formed.address else {
        panic!("{formed:?}");
    };
    assert_eq!(address.segments()[..4], NETWORK);
    address
}

fn wait_for<T>(mut what: impl FnMut() -> Option<T>) -> T {
    let end = Instant::now() + PATIENCE;
    loop {
        if let Some(value) = what() {
            return value;
        }
        assert!(Instant::now() < end, "in vain");
        thread::sleep(Duration::from_millis(20));
    }
}

fn a_host_finds_all_by_itself(mut lab: Lab) {
    let _router = router(&lab);
    let host = host(&mut lab);
    let address = configured(&host);
    let valid = formed(&host).and_then(|it| it.valid).expect("two minutes");
    assert!(valid <= Duration::from_secs(120), "{valid:?}");

    // The router's own address on the link leads everywhere.
    let routes = host.routes();
    let default = routes.iter().find(|(_, it)| it.route.prefix_len == 0);
    let (_, default) = default.expect("a route");
    assert_eq!(default.origin, Origin::Autoconfigured);
    let Some(IpAddr::V6(gateway)) = default.route.gateway else {
        panic!("{default:?}");
    };
    assert!(gateway.is_unicast_link_local());
    assert!(default.valid.expect("12 s") <= Duration::from_secs(12));

    // Its name server is asked.
    let found = host.resolve("www.example.com").expect("dnsmasq knows it");
    let known: IpAddr = "2001:db8::80".parse().expect("an address");
    assert_eq!(found, [known]);

    // The kernel reaches the host there, and the other way round; and the link's MTU is kept to.
    let listener = TcpListener::bind(&host, (address, 9999)).expect("its own address");
    let welcome = vec![7; 100_000];
    let sent = welcome.clone();
    let server = thread::spawn(move || {
        let (mut stream, peer) = listener.accept()?;
        stream.write_all(&sent)?;
        std::io::Result::Ok(peer)
    });
    let mut kernel = KernelStream::connect((address, 9999)).expect("a connection");
    let mut received = Vec::new();
    kernel.read_to_end(&mut received).expect("a welcome");
    assert_eq!(received, welcome);
    let peer = server.join().expect("no panic").expect("sent");
    assert_eq!(peer.ip(), IpAddr::V6(LINUX_V6));

    let listener = KernelListener::bind((LINUX_V6, 0)).expect("a port");
    let to = listener.local_addr().expect("bound");
    let _stream = TcpStream::connect(&host, to).expect("a connection");
    let (_, from) = listener.accept().expect("the same");
    assert_eq!(from.ip(), IpAddr::V6(address));
}

/// `ip -6 address …` in the lab.
fn ip(lab: &Lab, words: &str) -> String {
    let mut command: Command = lab.command(&["ip", "-6", "-oneline", "address"]);
    let output = command.args(words.split(' ')).output().expect("ip(8)");
    assert!(output.status.success(), "{output:?}");
    String::from_utf8_lossy(&output.stdout).into_owned()
}

fn the_kernels_address_is_not_taken(mut lab: Lab) {
    let host = host(&mut lab);
    ip(&lab, &format!("add {OF_HARDWARE}/64 dev {TAP} nodad"));
    let _router = router(&lab);
    // Another one does, where there is one.
    let taken = IpAddr::V6(OF_HARDWARE);
    let interface = host.interfaces()[0];
    host.call(|stack| stack.autoconfigure(interface, Some(InterfaceIdentifier::HardwareAddress)))
        .expect("an Ethernet");
    let is_tried = || formed(&host).map(|address| assert_eq!(address.address, taken));
    wait_for(is_tried);
    wait_for(|| formed(&host).is_none().then_some(()));
    host.call(|stack| stack.autoconfigure(interface, Some(InterfaceIdentifier::Opaque)))
        .expect("an Ethernet");
    assert_ne!(configured(&host), OF_HARDWARE);
}

fn the_kernel_does_not_take_ours(mut lab: Lab) {
    let _router = router(&lab);
    let host = host(&mut lab);
    let address = configured(&host);
    let accepts = "echo 1 > /proc/sys/net/ipv6/conf/all/accept_dad; \
                   echo 1 > /proc/sys/net/ipv6/conf/tap0/accept_dad; \
                   echo 1 > /proc/sys/net/ipv6/conf/tap0/dad_transmits";
    let status = lab.command(&["sh", "-c", accepts]).status();
    assert!(status.expect("sh(1)").success());
    ip(&lab, &format!("add {address}/64 dev {TAP}"));
    let failed = wait_for(|| {
        let failed = ip(&lab, &format!("show dev {TAP} dadfailed"));
        (!failed.is_empty()).then_some(failed)
    });
    assert!(failed.contains(&address.to_string()), "{failed}");
    assert_eq!(
        formed(&host).map(|it| it.state),
        Some(AddressState::Preferred)
    );
}

fn a_router_that_is_gone_leads_nowhere(mut lab: Lab) {
    let router = router(&lab);
    let host = host(&mut lab);
    let address = configured(&host);
    let has_default = |host: &Host| host.routes().iter().any(|(_, it)| it.route.prefix_len == 0);
    assert!(has_default(&host));
    drop(router);
    wait_for(|| (!has_default(&host)).then_some(()));
    // The addresses stay as long as was said, and those of the link are reached.
    assert_eq!(
        formed(&host).map(|it| it.address),
        Some(IpAddr::V6(address))
    );
    let far: SocketAddr = "[2001:db8::80]:80".parse().expect("an address");
    let error = TcpStream::connect(&host, far).expect_err("nobody leads there");
    assert_eq!(error.kind(), std::io::ErrorKind::NetworkUnreachable);
    let listener = KernelListener::bind((LINUX_V6, 0)).expect("a port");
    let to = listener.local_addr().expect("bound");
    TcpStream::connect(&host, to).expect("a connection");
}
