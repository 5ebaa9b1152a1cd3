//! Names from a real name server: dnsmasq in the lab.
//!
//! A program of its own rather than tests in a harness: the lab must be entered before any thread starts.

mod dnsmasq_server;
mod need;
mod program;

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::io::{ErrorKind, Write};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, UdpSocket};
use std::path::Path;
use std::time::{Duration, Instant};
use std::{fs, thread};

use dnsmasq_server::Dnsmasq;
use glasstack::host::Host;
use glasstack::host::lab::{LINUX_V4, LINUX_V6, Lab, STACK_V4, STACK_V6};
use glasstack::socket::blocking::TcpStream;
use need::Need;
use program::Folder;

/// What takes longer than this does not come any more.
const PATIENCE: Duration = Duration::from_secs(30);

/// Addresses of `many.example.com`, of each family: an answer of 1,000 octets at least.
const MANY: u8 = 60;

fn main() {
    if !need::all(&[Need::Program("dnsmasq", "dnsmasq-base")]) {
        return;
    }
    let Some(mut lab) = need::given(Lab::enter()) else {
        return;
    };
    let tap = lab.tap().expect("the first call has it");
    let folder = Folder::new("name_lab");
    let server = name_server(&lab, &folder.0);
    // Nobody reads what comes to it.
    let has_v6 = need::given(lab.ipv6()).is_some();
    let silent = has_v6.then(|| UdpSocket::bind((LINUX_V6, 53)).expect("port 53"));
    let mut builder = Host::builder().address(STACK_V4.into(), 24);
    if has_v6 {
        builder = builder
            .address(STACK_V6.into(), 64)
            .name_server(LINUX_V6.into());
    }
    let host = builder
        .name_server(LINUX_V4.into())
        .start(tap)
        .expect("a host");
    wait_for(&server);

    if has_v6 {
        where_the_first_server_is_silent_the_second_answers_after_a_second(&host);
    }
    drop(silent);
    // From now on the first server's port is unreachable, which costs no time.
    addresses_of_both_families_come(&host);
    aliases_are_followed(&host, &server);
    a_name_that_does_not_exist_is_not_found(&host);
    what_does_not_fit_into_a_datagram_comes_over_tcp(&host, &server);
    if has_v6 {
        connecting_by_name_goes_around_a_black_hole(&host);
    }
    host.shutdown(PATIENCE).expect("nothing is left to send");
    println!("names in the lab: all passed");
}

fn where_the_first_server_is_silent_the_second_answers_after_a_second(host: &Host) {
    let start = Instant::now();
    let found = host.resolve("www.example.com").expect("dnsmasq knows it");
    assert!(
        found.contains(&Ipv4Addr::new(192, 0, 2, 7).into()),
        "{found:?}"
    );
    let passed = start.elapsed();
    assert!(passed >= Duration::from_secs(1), "{passed:?}");
    // The third would be asked a second later.
    assert!(passed < Duration::from_secs(2), "{passed:?}");
}

fn addresses_of_both_families_come(host: &Host) {
    let found = host.resolve("www.example.com").expect("dnsmasq knows it");
    let found: BTreeSet<IpAddr> = found.into_iter().collect();
    let expected: [IpAddr; 2] = [
        Ipv4Addr::new(192, 0, 2, 7).into(),
        Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, 7).into(),
    ];
    assert_eq!(found, BTreeSet::from(expected));
    for (name, expected) in [
        ("four.example.com", "192.0.2.4"),
        ("six.example.com", "2001:db8::6"),
    ] {
        let found = host.resolve(name).expect("dnsmasq knows it");
        assert_eq!(found, [expected.parse::<IpAddr>().expect("an address")]);
    }
}

fn aliases_are_followed(host: &Host, server: &Dnsmasq) {
    let found = host
        .resolve("Alias3.Example.COM.")
        .expect("dnsmasq knows it");
    assert!(
        found.contains(&Ipv4Addr::new(192, 0, 2, 7).into()),
        "{found:?}"
    );
    // One answer has the whole chain.
    let log = server.log();
    for alias in ["alias3", "alias2", "alias1"] {
        assert!(
            log.contains(&format!("{alias}.example.com is <CNAME>")),
            "{log}"
        );
    }
}

fn a_name_that_does_not_exist_is_not_found(host: &Host) {
    let start = Instant::now();
    let error = host.resolve("nobody.example.com").expect_err("NXDOMAIN");
    assert_eq!(error.kind(), ErrorKind::NotFound);
    assert!(start.elapsed() < Duration::from_secs(1));
}

fn what_does_not_fit_into_a_datagram_comes_over_tcp(host: &Host, server: &Dnsmasq) {
    let start = Instant::now();
    let found = host.resolve("many.example.com").expect("dnsmasq knows it");
    let is_of = |address: &IpAddr| match address {
        IpAddr::V4(v4) => matches!(v4.octets(), [198, 51, 100, 1..=MANY]),
        IpAddr::V6(v6) => v6.segments()[..7] == [0x2001, 0xdb8, 1, 0, 0, 0, 0],
    };
    assert!(found.iter().all(is_of), "{found:?}");
    let v4 = found.iter().filter(|address| address.is_ipv4()).count();
    assert_eq!((v4, found.len()), (8, 16), "{found:?}");
    // Asked twice for each family, without a wait in between: by a datagram, and over TCP.
    assert!(start.elapsed() < Duration::from_secs(1));
    let log = server.log();
    for kind in ["A", "AAAA"] {
        let query = format!("query[{kind}] many.example.com");
        assert_eq!(log.matches(&query).count(), 2, "{log}");
    }
    // Both connections come to their end.
    let end = Instant::now() + PATIENCE;
    loop {
        let sockets = host.sockets();
        let is_ended =
            |line: &&str| line.contains("TIME-WAIT") && line.contains("192.168.69.100:53 ");
        if sockets.lines().filter(is_ended).count() == 2 {
            break;
        }
        assert!(Instant::now() < end, "{sockets}");
        thread::sleep(Duration::from_millis(1));
    }
}

/// 192.168.69.200, which comes first (RFC 6724 §2.1), is nobody's address.
fn connecting_by_name_goes_around_a_black_hole(host: &Host) {
    let listener = std::net::TcpListener::bind((LINUX_V6, 0)).expect("a port");
    let port = listener.local_addr().expect("bound").port();
    let kernel = thread::spawn(move || {
        let (mut stream, peer) = listener.accept()?;
        stream.write_all(b"Welcome!")?;
        std::io::Result::Ok(peer)
    });
    let start = Instant::now();
    let stream = TcpStream::connect(host, ("both.example.com", port)).expect("a connection");
    let passed = start.elapsed();
    assert_eq!(
        stream.peer_addr().expect("connected"),
        SocketAddr::from((LINUX_V6, port))
    );
    assert!(passed >= Duration::from_millis(250), "{passed:?}");
    // An address that nobody answers for is given up after three seconds.
    assert!(passed < Duration::from_secs(2), "{passed:?}");
    let mut welcome = String::new();
    std::io::Read::read_to_string(&mut &stream, &mut welcome).expect("a welcome");
    assert_eq!(welcome, "Welcome!");
    let peer = kernel.join().expect("no panic").expect("accepted");
    assert_eq!(peer.ip(), IpAddr::from(STACK_V6));
}

/// It knows `example.com`, at the Linux side's IPv4 address.
fn name_server(lab: &Lab, folder: &Path) -> Dnsmasq {
    let hosts = folder.join("hosts");
    let mut many = String::new();
    for n in 1..=MANY {
        let _ = writeln!(many, "198.51.100.{n} many.example.com");
        let _ = writeln!(many, "2001:db8:1::{n:x} many.example.com");
    }
    fs::write(&hosts, many).expect("the hosts file");
    let options = [
        "--log-queries".to_owned(),
        format!("--listen-address={LINUX_V4}"),
        "--local=/example.com/".to_owned(),
        format!("--addn-hosts={}", hosts.display()),
        "--host-record=www.example.com,192.0.2.7,2001:db8::7".to_owned(),
        "--host-record=four.example.com,192.0.2.4".to_owned(),
        "--host-record=six.example.com,2001:db8::6".to_owned(),
        format!("--host-record=both.example.com,192.168.69.200,{LINUX_V6}"),
        "--cname=alias1.example.com,www.example.com".to_owned(),
        "--cname=alias2.example.com,alias1.example.com".to_owned(),
        "--cname=alias3.example.com,alias2.example.com".to_owned(),
    ];
    Dnsmasq::start(lab, folder.join("log"), &options)
}

/// Until it serves.
fn wait_for(server: &Dnsmasq) {
    let end = Instant::now() + PATIENCE;
    while !server.log().contains("read ") {
        assert!(Instant::now() < end, "in vain:\n{}", server.log());
        thread::sleep(Duration::from_millis(20));
    }
}
