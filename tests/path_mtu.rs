//! Ten megabytes, and pings, over a path with a narrow link in the middle, that neither end knows of before a router says so
//! ("fragmentation needed", RFC 1191; "packet too big", RFC 8201).
//!
//! A program of its own rather than tests in a harness: see `ground`.

mod ground;
mod need;
mod program;

use std::{
    fs,
    io::{Read, Write},
    net::{Shutdown, SocketAddr},
    process::{Command, ExitCode},
    time::Duration,
};

use glasstack::{
    host::{Host, Peer, lab::Lab},
    socket::blocking::TcpStream,
};
use ground::{FAR, STACK, path::Path};
use need::Need;
use program::{Folder, path, peer, write_noise};

const LENGTH: usize = 10_000_000;
const PORT: &str = "9999";
/// A transfer that stands still for so long will not go on.
const PATIENCE: Duration = Duration::from_secs(20);

/// What shows how often a router said that a packet was too long for its next link.
const TOLD: [[&str; 3]; 2] = [
    ["nstat", "-asz", "IcmpOutDestUnreachs"],
    ["nstat", "-asz", "Icmp6OutPktTooBigs"],
];

const IPV4: usize = 0;
const IPV6: usize = 1;

fn main() -> ExitCode {
    ground::run(
        &[
            Need::Program("python3", "python3"),
            Need::Program("nstat", "iproute2"),
            Need::Program("ping", "iputils-ping"),
        ],
        &[
            ("to_the_far_end_over_ipv4", |lab| to_the_far_end(lab, IPV4)),
            ("to_the_far_end_over_ipv6", |lab| to_the_far_end(lab, IPV6)),
            ("from_the_far_end_over_ipv4", |lab| {
                from_the_far_end(lab, IPV4);
            }),
            ("from_the_far_end_over_ipv6", |lab| {
                from_the_far_end(lab, IPV6);
            }),
            ("pings_from_the_far_end_over_ipv4", |lab| pings(lab, IPV4)),
            ("pings_from_the_far_end_over_ipv6", |lab| pings(lab, IPV6)),
        ],
    )
}

/// This stack learns from the lab's router.
fn to_the_far_end(lab: Lab, family: usize) {
    let (mut stream, transfer) = Transfer::start(lab, family, "take");
    let sent = stream.write_all(&transfer.contents);
    let told = told(transfer.lab.command(&TOLD[family]));
    assert!(sent.is_ok(), "{sent:?}, with packets {told} times too long");
    stream.shutdown(Shutdown::Write).expect("a connection");
    let mut answer = String::new();
    stream.read_to_string(&mut answer).expect("an answer");
    assert_eq!(answer, "whole");
    assert_told(transfer.lab.command(&TOLD[family]));
}

/// The kernel's server learns from the router in the middle; this stack takes what comes.
fn from_the_far_end(lab: Lab, family: usize) {
    let (mut stream, transfer) = Transfer::start(lab, family, "give");
    let mut received = Vec::new();
    let end = stream.read_to_end(&mut received);
    let whole = transfer.contents.len();
    assert!(
        end.is_ok(),
        "{end:?} after {} of {whole} octets",
        received.len()
    );
    assert!(
        received == transfer.contents,
        "{} of {whole} octets",
        received.len()
    );
    assert_told(transfer.path.in_the_middle(&TOLD[family]));
}

/// Requests that come in fragments, for they are too long for the path, have replies that come in fragments. Of each size the
/// first of either may be lost, for the sake of which a router speaks.
fn pings(mut lab: Lab, family: usize) {
    let path = Path::new(&lab);
    let host = Host::builder().start_on([ground::interface(&mut lab)]);
    let _host = host.expect("a host");
    for size in ["1232", "1300", "1472", "3000", "8000"] {
        let stack = STACK[family].to_string();
        let ping = [
            "ping", "-n", "-c", "4", "-i", "0.05", "-W", "5", "-s", size, &stack,
        ];
        let output = path.at_the_far_end(&ping).output().expect("ping(8)");
        let text = String::from_utf8_lossy(&output.stdout);
        let replies = text.lines().filter(|line| line.contains(" time="));
        assert!((2..=4).contains(&replies.count()), "{text}");
    }
}

struct Transfer {
    contents: Vec<u8>,
    path: Path,
    lab: Lab,
    _server: Peer,
    _folder: Folder,
}

impl Transfer {
    /// A connection with the server at the far end, which takes or gives.
    fn start(mut lab: Lab, family: usize, deed: &str) -> (TcpStream, Transfer) {
        let far = Path::new(&lab);
        let folder = Folder::new(&format!("path_mtu_{}", std::process::id()));
        let file = folder.0.join("noise");
        write_noise(&file, LENGTH).expect("a file under target");
        let contents = fs::read(&file).expect("the file just written");
        let server = ["python3", &peer("bulk_server.py"), deed, PORT, &path(&file)];
        let server = Peer::spawn(&mut far.at_the_far_end(&server)).expect("nsenter(1)");

        let host = Host::builder().start_on([ground::interface(&mut lab)]);
        let address = SocketAddr::new(FAR[family], 9999);
        let stream = ground::connect(&host.expect("a host"), address).expect("a connection");
        stream.set_read_timeout(Some(PATIENCE)).expect("not zero");
        stream.set_write_timeout(Some(PATIENCE)).expect("not zero");
        let transfer = Transfer {
            contents,
            path: far,
            lab,
            _server: server,
            _folder: folder,
        };
        (stream, transfer)
    }
}

/// How often a router said that a packet was too long; `nstat` is to be run where it is.
fn told(mut nstat: Command) -> u64 {
    let output = nstat.output().expect("nstat(8)");
    let text = String::from_utf8_lossy(&output.stdout);
    // A heading, and then: name, value, rate.
    let value = text.split_whitespace().nth(2);
    value.and_then(|value| value.parse().ok()).expect(&text)
}

/// It said so, and did not have to say it for ever: of the first window's segments, and perhaps a few more that were under way.
fn assert_told(nstat: Command) {
    let told = told(nstat);
    assert!((1..100).contains(&told), "{told} times");
}
