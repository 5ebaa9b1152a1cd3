//! An address from a real DHCP server: dnsmasq in the lab gives it, renews it, takes it away, and gets it back.
//!
//! A program of its own rather than tests in a harness: the lab must be entered before any thread starts.

mod dnsmasq_server;
mod need;
mod program;

use std::io::{ErrorKind, Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpStream as KernelStream};
use std::os::fd::AsFd;
use std::path::Path;
use std::thread;
use std::time::{Duration, Instant};

use dnsmasq_server::Dnsmasq;
use glasstack::host::Host;
use glasstack::host::lab::{LINUX_V4, Lab, TAP};
use glasstack::socket::blocking::{TcpListener, TcpStream};
use glasstack::stack::Lease;
use need::Need;
use program::Folder;

/// What takes longer than this does not come any more.
const PATIENCE: Duration = Duration::from_secs(30);

fn main() {
    if !need::all(&[Need::Program("dnsmasq", "dnsmasq-base"), need::ROOT]) {
        return;
    }
    let Some(mut lab) = need::given(Lab::enter()) else {
        return;
    };
    let folder = Folder::new("dnsmasq");
    let tap = lab.tap().expect("the first call has it");
    // The interface outlives the host, so that its last word is heard.
    let _kept = tap.as_fd().try_clone_to_owned().expect("a descriptor");
    let first = dhcp_server(&lab, &folder.0, "first", [50, 60]);
    let host = Host::builder().dhcp().start(tap).expect("a host");

    a_lease_comes_with_all_that_belongs_to_it(&host, &first);
    it_is_renewed_when_the_server_says(&host, &first);
    let stream = a_connection_to_the_kernel(&host);
    drop(first);
    let second = dhcp_server(&lab, &folder.0, "second", [70, 80]);
    a_lease_that_is_taken_away_is_followed_by_another(&host, &second, stream);
    the_end_of_the_host_gives_it_back(host, &second);
    println!("dnsmasq: all passed");
}

fn a_lease_comes_with_all_that_belongs_to_it(host: &Host, server: &Dnsmasq) {
    let configured = host.wait_until_configured(PATIENCE);
    assert!(configured.is_ok(), "{configured:?}: {}", server.log());
    let lease = lease(host).expect("it is configured");
    assert!((50..=60).contains(&lease.address.octets()[3]), "{lease:?}");
    assert_eq!(lease.prefix_len, 24);
    assert_eq!(lease.server, LINUX_V4);
    assert_eq!(lease.router, Some(LINUX_V4));
    assert_eq!(lease.name_servers, [LINUX_V4]);
    assert_eq!(lease.mtu, Some(1_400));
    let terms = lease.terms.expect("two minutes");
    assert_eq!(terms.expiry, Duration::from_secs(120));
    assert_eq!(terms.renewal, Duration::from_secs(5));
    assert_eq!(terms.rebinding, Duration::from_secs(100));
    let log = server.log();
    for word in ["DHCPDISCOVER", "DHCPOFFER", "DHCPREQUEST", "DHCPACK"] {
        assert!(log.contains(word), "{log}");
    }
    // Its name server is asked.
    let found = host.resolve("www.example.com").expect("dnsmasq knows it");
    assert_eq!(found, [Ipv4Addr::new(192, 0, 2, 80)]);
    // The kernel reaches the host there.
    let listener = TcpListener::bind(host, (lease.address, 9999)).expect("its own address");
    let server = thread::spawn(move || {
        let (mut stream, _) = listener.accept()?;
        stream.write_all(b"Welcome!")
    });
    let address = SocketAddr::from((lease.address, 9999));
    let mut kernel = KernelStream::connect(address).expect("a connection");
    let mut welcome = String::new();
    kernel.read_to_string(&mut welcome).expect("a welcome");
    assert_eq!(welcome, "Welcome!");
    server.join().expect("no panic").expect("sent");
}

fn it_is_renewed_when_the_server_says(host: &Host, server: &Dnsmasq) {
    let before = lease(host).expect("a lease");
    let after = wait_for(
        || lease(host).filter(|lease| lease.since > before.since),
        server,
    );
    assert_eq!(after.address, before.address);
    let passed = after.since - before.since;
    // Unless it was renewed while nobody looked.
    assert!(passed.total_millis() >= 5_000, "{passed}");
}

/// One that stands, and of which nothing is heard.
fn a_connection_to_the_kernel(host: &Host) -> (TcpStream, KernelStream) {
    let listener = std::net::TcpListener::bind((LINUX_V4, 0)).expect("a port");
    let address = listener.local_addr().expect("bound");
    let stream = TcpStream::connect(host, address).expect("a connection");
    let (kernel, _) = listener.accept().expect("the same");
    (stream, kernel)
}

fn a_lease_that_is_taken_away_is_followed_by_another(
    host: &Host,
    server: &Dnsmasq,
    (mut stream, _kernel): (TcpStream, KernelStream),
) {
    let in_range = |lease: &Lease| (70..=80).contains(&lease.address.octets()[3]);
    let lease = wait_for(|| lease(host).filter(in_range), server);
    assert_eq!(lease.server, LINUX_V4);
    assert!(server.log().contains("DHCPNAK"), "{}", server.log());
    // What stood on the old address has fallen.
    let error = stream.read(&mut [0; 1]).expect_err("no end, and no word");
    assert_eq!(error.kind(), ErrorKind::AddrNotAvailable);
    let (mut stream, mut kernel) = a_connection_to_the_kernel(host);
    kernel.write_all(b"again").expect("sent");
    let mut buffer = [0; 5];
    stream.read_exact(&mut buffer).expect("received");
    assert_eq!(&buffer, b"again");
}

fn the_end_of_the_host_gives_it_back(host: Host, server: &Dnsmasq) {
    let address = lease(&host).expect("a lease").address.to_string();
    host.shutdown(PATIENCE).expect("nothing is left to send");
    let is_released = |log: &String| {
        let mut lines = log.lines().filter(|line| line.contains("DHCPRELEASE"));
        lines.any(|line| line.contains(&address))
    };
    wait_for(|| Some(server.log()).filter(is_released), server);
}

fn lease(host: &Host) -> Option<Lease> {
    host.leases().pop().map(|(_, lease)| lease)
}

fn wait_for<T>(mut what: impl FnMut() -> Option<T>, server: &Dnsmasq) -> T {
    let end = Instant::now() + PATIENCE;
    loop {
        if let Some(value) = what() {
            return value;
        }
        assert!(Instant::now() < end, "in vain:\n{}", server.log());
        thread::sleep(Duration::from_millis(20));
    }
}

/// It gives the addresses 192.168.69.x between two.
fn dhcp_server(lab: &Lab, folder: &Path, name: &str, [from, to]: [u8; 2]) -> Dnsmasq {
    let leases = folder.join(format!("{name}.leases"));
    let options = [
        format!("--interface={TAP}"),
        "--address=/www.example.com/192.0.2.80".to_owned(),
        "--dhcp-authoritative".to_owned(),
        format!("--dhcp-leasefile={}", leases.display()),
        // Two minutes is the least; T1 is what makes it short.
        format!("--dhcp-range=192.168.69.{from},192.168.69.{to},2m"),
        "--dhcp-option=option:T1,5".to_owned(),
        "--dhcp-option=option:T2,100".to_owned(),
        "--dhcp-option=option:mtu,1400".to_owned(),
    ];
    Dnsmasq::start(lab, folder.join(format!("{name}.log")), &options)
}
