//! Linux's `ping` and `traceroute` reach this stack: over the TAP, and over a path with routers.
//!
//! A program of its own rather than tests in a harness: see `ground`.

mod ground;
mod need;

use std::{
    net::IpAddr,
    process::{Command, ExitCode},
};

use glasstack::host::{Host, lab::Lab};
use ground::{Addresses, LAB_ROUTER, MIDDLE_ROUTER, STACK, path::Path};
use need::Need;

const IPV4: usize = 0;
const IPV6: usize = 1;

/// Octets of data: without room for a time; the usual; as much as fits into one packet on the TAP, and one octet more; and the
/// most that an IP packet holds (65,535 octets, with its header in IPv4).
const SIZES: [&[usize]; 2] = [
    &[0, 1, 56, 1472, 1473, 8_000, 65_507],
    &[0, 1, 56, 1452, 1453, 8_000, 65_507, 65_527],
];

/// ICMP echo requests; UDP to one port; TCP's SYN; and UDP as traceroute has always sent it.
const METHODS: [&[&str]; 4] = [&["-I"], &["-U"], &["-T"], &[]];

fn main() -> ExitCode {
    ground::run(
        &[
            Need::Program("ping", "iputils-ping"),
            Need::Program("traceroute", "traceroute"),
        ],
        &[
            ("pings_of_all_sizes_over_ipv4", |lab| pings(lab, IPV4)),
            ("pings_of_all_sizes_over_ipv6", |lab| pings(lab, IPV6)),
            ("many_pings_at_once_over_ipv4", |lab| flood(lab, IPV4)),
            ("many_pings_at_once_over_ipv6", |lab| flood(lab, IPV6)),
            ("a_ping_over_two_routers", a_ping_over_two_routers),
            ("a_route_of_one_hop", a_route_of_one_hop),
            ("a_route_over_two_routers", a_route_over_two_routers),
        ],
    )
}

/// This stack, which nobody listens on: it answers by itself.
fn host(lab: &mut Lab) -> Host {
    let interfaces = [ground::interface(lab)];
    Host::builder().start_on(interfaces).expect("a host")
}

fn lines(command: &mut Command) -> Vec<String> {
    let output = command.output().expect("the program is there");
    let text = String::from_utf8_lossy(&output.stdout);
    text.lines().map(str::to_owned).collect()
}

/// Every request has its reply, whole and once, and where the request had room for it, a time.
fn assert_replies(lines: &[String], stack: IpAddr, size: usize, count: usize) {
    let replies = lines.iter().filter(|line| line.contains("icmp_seq="));
    let reply = format!("{} bytes from {stack}: ", size + 8);
    let mut replied = 0;
    for line in replies {
        assert!(line.starts_with(&reply), "{lines:#?}");
        // A `struct timeval`.
        assert!(size < 16 || line.contains(" time="), "{lines:#?}");
        assert!(!line.contains("DUP!"), "{lines:#?}");
        replied += 1;
    }
    assert_eq!(replied, count, "{size} octets: {lines:#?}");
    let strange = lines.iter().find(|line| line.contains("wrong data"));
    assert_eq!(strange, None, "{lines:#?}");
}

fn ping(lab: &Lab, family: usize, size: usize, options: &[&str]) -> Vec<String> {
    let (stack, size) = (STACK[family].to_string(), size.to_string());
    let ping = ["ping", "-n", "-W", "5", "-s", &size, &stack];
    lines(lab.command(&ping).args(options))
}

fn pings(mut lab: Lab, family: usize) {
    let _host = host(&mut lab);
    for size in SIZES[family] {
        let lines = ping(&lab, family, *size, &["-c", "3", "-i", "0.01"]);
        assert_replies(&lines, STACK[family], *size, 3);
    }
}

fn flood(mut lab: Lab, family: usize) {
    let _host = host(&mut lab);
    for size in [56, 1400] {
        let lines = ping(&lab, family, size, &["-c", "20", "-i", "0.002"]);
        assert_replies(&lines, STACK[family], size, 20);
    }
}

fn a_ping_over_two_routers(mut lab: Lab) {
    let path = Path::new(&lab);
    let _host = host(&mut lab);
    for stack in STACK {
        let to = stack.to_string();
        let ping = ["ping", "-n", "-c", "3", "-i", "0.01", "-W", "5", &to];
        let lines = lines(&mut path.at_the_far_end(&ping));
        assert_replies(&lines, stack, 56, 3);
    }
}

/// One line a hop: its number, its address, and times. Of a router each probe has its own; of the stack's, which answers ever so
/// often, one will do.
fn assert_route(lines: &[String], family: usize, hops: &[Addresses]) {
    // The first is a heading.
    assert_eq!(lines.len(), hops.len() + 1, "{lines:#?}");
    for ((line, hop), number) in lines[1..].iter().zip(hops).zip(1..) {
        let mut words = line.split_whitespace();
        let number: usize = number;
        assert_eq!(words.next(), Some(&*number.to_string()), "{lines:#?}");
        let words: Vec<_> = words.filter(|word| *word != "*").collect();
        assert_eq!(
            words.first(),
            Some(&&*hop[family].to_string()),
            "{lines:#?}"
        );
        let is_time = |pair: &[&str]| pair[0].parse::<f64>().is_ok() && pair[1] == "ms";
        let times = words[1..]
            .chunks_exact(2)
            .filter(|pair| is_time(pair))
            .count();
        // And nothing else, such as `!H`.
        assert_eq!(words.len(), 1 + 2 * times, "{lines:#?}");
        let least = if number == hops.len() { 1 } else { 3 };
        assert!(times >= least, "{lines:#?}");
    }
}

fn traceroute<'a>(method: &[&'a str], stack: &'a str) -> Vec<&'a str> {
    [&["traceroute", "-n", "-w", "2"], method, &[stack]].concat()
}

fn a_route_of_one_hop(mut lab: Lab) {
    let _host = host(&mut lab);
    for (family, stack) in STACK.into_iter().enumerate() {
        for method in METHODS {
            let stack = stack.to_string();
            let lines = lines(&mut lab.command(&traceroute(method, &stack)));
            assert_route(&lines, family, &[STACK]);
        }
    }
}

fn a_route_over_two_routers(mut lab: Lab) {
    let path = Path::new(&lab);
    let _host = host(&mut lab);
    for (family, stack) in STACK.into_iter().enumerate() {
        for method in METHODS {
            let stack = stack.to_string();
            let lines = lines(&mut path.at_the_far_end(&traceroute(method, &stack)));
            assert_route(&lines, family, &[MIDDLE_ROUTER, LAB_ROUTER, STACK]);
        }
    }
}
