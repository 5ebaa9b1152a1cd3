//! Ten megabytes over a path with a narrow link in the middle, that neither end knows of before a router says so ("fragmentation
//! needed", RFC 1191; "packet too big", RFC 8201).
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
use ground::{FAR, path::Path};
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
        ],
    )
}

/// This stack learns from the lab's router.
fn to_the_far_end(lab: Lab, family: usize) {
    let (mut stream, transfer) = Transfer::start(lab, family, "take");
    stream
        .write_all(&transfer.contents)
        .expect("all of it leaves");
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

/// A router said that packets were too long, and did not have to say it for ever. `nstat` is to be run where it is.
fn assert_told(mut nstat: Command) {
    let output = nstat.output().expect("nstat(8)");
    let text = String::from_utf8_lossy(&output.stdout);
    // A heading, and then: name, value, rate.
    let value = text
        .lines()
        .nth(1)
        .and_then(|line| line.split_whitespace().nth(1));
    let told: u64 = value.and_then(|value| value.parse().ok()).expect(&text);
    // The first window's segments, and perhaps a few more that were under way.
    assert!((1..100).contains(&told), "{text}");
}
