//! Raw sockets against the kernel's: its calls beside ours; SCTP's first packets made by hand, DCCP, IGMP, fragments; and
//! traceroute and ping over real routers.
//!
//! A program of its own rather than tests in a harness: see `ground`.

mod ground;
#[path = "../examples/ping/icmp.rs"]
mod icmp;
mod need;
#[path = "../examples/ping/pinger.rs"]
mod pinger;
#[path = "../examples/traceroute/tracer.rs"]
mod tracer;

use std::{
    io::{BufRead, BufReader},
    net::{IpAddr, SocketAddr},
    path::Path,
    process::{Child, ExitCode, Stdio},
    time::Duration,
};

use glasstack::{
    Error, Fd, Stack,
    host::{Host, lab::Lab},
    smoltcp::time::Instant,
    socket::blocking::{Domain, Message, Protocol, RawSocket},
    stack::{Capacity, Type, option::ChecksumOffset},
};
use ground::{FAR, LINUX, STACK};
use need::Need;

/// RFC 3692: for experiments.
const PROTOCOL: Protocol = Protocol(253);
const OTHER: Protocol = Protocol(254);
/// What takes longer has failed.
const LONG: Duration = Duration::from_secs(30);

fn main() -> ExitCode {
    ground::run(
        &[
            Need::Program("python3", "python3"),
            Need::Program("traceroute", "traceroute"),
        ],
        &[
            (
                "calls_return_what_the_kernels_return",
                calls_return_what_the_kernels_return,
            ),
            (
                "an_sctp_init_by_hand_is_answered",
                an_sctp_init_by_hand_is_answered,
            ),
            (
                "packets_of_any_protocol_travel",
                packets_of_any_protocol_travel,
            ),
            ("a_wrong_crc_is_not_answered", a_wrong_crc_is_not_answered),
            ("traceroute_finds_each_router", traceroute_finds_each_router),
            (
                "traceroute_marks_what_a_router_refuses",
                traceroute_marks_what_a_router_refuses,
            ),
            ("ping_tells_what_routers_say", ping_tells_what_routers_say),
        ],
    )
}

fn host(lab: &mut Lab) -> Host {
    Host::builder()
        .start_on([ground::interface(lab)])
        .expect("a host")
}

fn domain(address: IpAddr) -> Domain {
    match address {
        IpAddr::V4(_) => Domain::Inet,
        IpAddr::V6(_) => Domain::Inet6,
    }
}

fn script(name: &str) -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/peers");
    path.join(name).to_str().expect("UTF-8").to_owned()
}

/// A raw socket of the kernel that answers.
struct Peer(Child);

impl Peer {
    fn new(lab: &Lab, address: IpAddr, protocol: Protocol) -> Peer {
        let (address, protocol) = (address.to_string(), protocol.0.to_string());
        let mut command = lab.command(&["python3", &script("raw_peer.py"), &address, &protocol]);
        let mut child = command
            .stdout(Stdio::piped())
            .spawn()
            .expect("python3 starts");
        let mut line = String::new();
        let output = child.stdout.take().expect("a pipe");
        BufReader::new(output).read_line(&mut line).expect("a line");
        assert_eq!(line, "ready\n");
        Peer(child)
    }
}

impl Drop for Peer {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn raw(host: &Host, to: IpAddr, protocol: Protocol) -> RawSocket {
    let socket = RawSocket::new(host, domain(to), protocol).expect("a raw socket");
    socket.connect((to, 0)).expect("a way");
    socket.set_read_timeout(Some(LONG)).expect("a time");
    socket
}

/// Receives a packet, without the header that IPv4 has it with.
fn receive(socket: &RawSocket, from: IpAddr) -> Vec<u8> {
    let mut buffer = vec![0; 70_000];
    let (len, sender) = socket.recv_from(&mut buffer).expect("an answer");
    assert_eq!(sender.ip(), from);
    buffer.truncate(len);
    match from {
        IpAddr::V4(_) => buffer.split_off(20),
        IpAddr::V6(_) => buffer,
    }
}

/// RFC 9260, appendix A.
fn crc32c(octets: &[u8]) -> u32 {
    let step = |crc: u32, _| (crc >> 1) ^ if crc & 1 == 1 { 0x82f6_3b78 } else { 0 };
    let add = |crc: u32, octet: &u8| (0..8).fold(crc ^ u32::from(*octet), step);
    !octets.iter().fold(!0, add)
}

/// An SCTP packet with an INIT chunk (RFC 9260 §3.3.2).
fn init() -> Vec<u8> {
    let (source, destination): (u16, u16) = (36_412, 9_999);
    let mut packet = [source.to_be_bytes(), destination.to_be_bytes()].concat();
    packet.extend([0; 4]); // verification tag: none yet
    packet.extend([0; 4]); // checksum
    packet.extend([1, 0, 0, 20]); // INIT, flags, length
    packet.extend(0x1234_5678_u32.to_be_bytes()); // initiate tag
    packet.extend(65_536_u32.to_be_bytes()); // advertised window
    packet.extend([0, 1, 0, 1]); // streams out and in
    packet.extend(7_u32.to_be_bytes()); // first transmission sequence number
    let checksum = crc32c(&packet).to_le_bytes();
    packet[8..12].copy_from_slice(&checksum);
    packet
}

fn an_sctp_init_by_hand_is_answered(mut lab: Lab) {
    // RFC 3720, appendix B.4: what the sum of 32 zeros is.
    assert_eq!(crc32c(&[0; 32]), 0x8a91_36aa);
    let host = host(&mut lab);
    for to in LINUX {
        let _peer = Peer::new(&lab, to, Protocol::SCTP);
        let socket = raw(&host, to, Protocol::SCTP);
        let init = init();
        let (header, chunk) = init.split_at(12);
        // In two parts, as an SCTP would.
        let parts = [header, chunk];
        let sent = socket.send_msg(&Message::new(&parts)).expect("it is sent");
        assert_eq!(sent, 32);
        let mut answer = receive(&socket, to);
        assert_eq!(answer[..4], [0x27, 0x0f, 0x8e, 0x3c]); // the ports, the other way round
        assert_eq!(answer[4..8], init[16..20]); // our tag
        let checksum: [u8; 4] = answer[8..12].try_into().expect("four octets");
        answer[8..12].fill(0);
        assert_eq!(checksum, crc32c(&answer).to_le_bytes());
        assert_eq!((answer[12], &answer[16..20]), (2, &[0, 0, 0xca, 0xfe][..])); // INIT ACK
        assert_eq!(answer[32..], *b"\0\x07\0\x0ca cookie");
    }
}

fn a_wrong_crc_is_not_answered(mut lab: Lab) {
    let host = host(&mut lab);
    for to in LINUX {
        let _peer = Peer::new(&lab, to, Protocol::SCTP);
        let socket = raw(&host, to, Protocol::SCTP);
        let mut wrong = init();
        wrong[31] ^= 1;
        socket.send(&wrong).expect("it is sent");
        // What comes back is the answer to the second, whose tag is another.
        let mut right = init();
        right[16] = 0xaa;
        right[8..12].fill(0);
        let checksum = crc32c(&right).to_le_bytes();
        right[8..12].copy_from_slice(&checksum);
        socket.send(&right).expect("it is sent");
        assert_eq!(receive(&socket, to)[4..8], right[16..20]);
    }
}

/// A DCCP-Request (RFC 4340 §5.1), its checksum not filled in: nobody here asks for it.
const DCCP_REQUEST: [u8; 20] = [
    0x8e, 0x3c, 0x27, 0x0f, 5, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 7, 0, 0, 0, 42,
];
/// An IGMPv2 report of 224.0.0.251 (RFC 2236 §2).
const IGMP_REPORT: [u8; 8] = [0x16, 0, 0x09, 0x04, 224, 0, 0, 251];

fn packets_of_any_protocol_travel(mut lab: Lab) {
    let host = host(&mut lab);
    let long: Vec<u8> = (0..8_000).map(|index| (index % 251) as u8).collect();
    let packets: [(Protocol, &[u8]); 4] = [
        (Protocol::DCCP, &DCCP_REQUEST),
        (Protocol::IGMP, &IGMP_REPORT),
        (PROTOCOL, b"Michael"),
        (PROTOCOL, &long), // in fragments, there and back
    ];
    for to in LINUX {
        for (protocol, packet) in packets {
            let _peer = Peer::new(&lab, to, protocol);
            let socket = raw(&host, to, protocol);
            assert_eq!(socket.send(packet).expect("it is sent"), packet.len());
            let mut answer = receive(&socket, to);
            answer.reverse();
            assert_eq!(answer, packet, "protocol {}", protocol.0);
        }
    }
}

/// What `tests/peers/raw_calls.py` asks of the kernel, asked of a stack of ours.
struct Calls {
    stack: Stack<'static>,
    domain: Domain,
    lines: Vec<String>,
}

impl Calls {
    fn raw(&mut self, protocol: Protocol) -> Fd {
        let socket = self.stack.socket(self.domain, Type::Raw(protocol));
        socket.expect("a raw socket")
    }

    fn tell(&mut self, what: &str, result: Result<String, Error>) {
        let result = result.unwrap_or_else(|error| error.errno().to_owned());
        self.lines.push(format!("{what} {result}"));
    }

    fn done(&mut self, what: &str, result: Result<(), Error>) {
        self.tell(what, result.map(|()| "ok".to_owned()));
    }

    fn sent(&mut self, what: &str, result: Result<usize, Error>) {
        self.tell(what, result.map(|len| len.to_string()));
        while let Some(at) = self.stack.poll_loopback(Instant::ZERO)
            && at <= Instant::ZERO
        {}
    }

    fn name(&mut self, fd: Fd) {
        let name = self.stack.getsockname(fd);
        self.tell("name", name.map(|name| name.to_string()));
    }

    fn receive(&mut self, what: &str, fd: Fd, skipped: usize) {
        let mut buffer = [0; 100];
        let received = self.stack.recvfrom(fd, &mut buffer);
        let hex = |octets: &[u8]| octets.iter().map(|octet| format!("{octet:02x}")).collect();
        self.tell(what, received.map(|got| hex(&buffer[skipped..got.len])));
    }
}

fn header(is_v4: bool, first: u8, source: &str, payload: &[u8], len: u16) -> Vec<u8> {
    let source: IpAddr = source.parse().expect("an address");
    let mut header = Vec::new();
    match (is_v4, source) {
        (true, IpAddr::V4(source)) => {
            header.extend([first, 0]);
            header.extend(len.to_be_bytes());
            header.extend([0x12, 0x34, 0, 0, 9, PROTOCOL.0, 0, 0]);
            header.extend(source.octets());
            header.extend([127, 0, 0, 1]);
        }
        (false, IpAddr::V6(source)) => {
            header.extend([first, 0, 0, 0]);
            header.extend((payload.len() as u16).to_be_bytes());
            header.extend([PROTOCOL.0, 9]);
            header.extend(source.octets());
            header.extend([&[0; 15][..], &[1]].concat());
        }
        _ => unreachable!("a header is of one family"),
    }
    header.extend(payload);
    header
}

fn our_calls(is_v4: bool) -> Vec<String> {
    let mut calls = Calls {
        stack: Stack::with_capacity(Capacity::default(), [7; 16], ()),
        domain: if is_v4 { Domain::Inet } else { Domain::Inet6 },
        lines: Vec::new(),
    };
    let at = |text: &str, port: u16| {
        let address: IpAddr = text.parse().expect("an address");
        SocketAddr::new(address, port)
    };
    let (here, foreign) = match is_v4 {
        true => ("127.0.0.1", "192.0.2.1"),
        false => ("::1", "2001:db8::1"),
    };

    let fd = calls.raw(PROTOCOL);
    calls.name(fd);
    let peer = calls.stack.getpeername(fd).map(|peer| peer.to_string());
    calls.tell("peer", peer);
    let sent = calls.stack.send(fd, b"x");
    calls.sent("send without a peer", sent);
    let bound = calls.stack.bind(fd, at(foreign, 0));
    calls.done("bind elsewhere", bound);
    let bound = calls.stack.bind(fd, at(here, 0));
    calls.done("bind", bound);
    calls.name(fd);
    let connected = calls.stack.connect(fd, at(here, 0));
    calls.done("connect", connected);
    calls.name(fd);
    let bound = calls.stack.bind(fd, at(here, 0));
    calls.done("bind when connected", bound);
    let sent = calls.stack.send(fd, b"");
    calls.sent("send nothing", sent);
    let longest = if is_v4 { 65_515 } else { 65_535 };
    let sent = calls.stack.send(fd, &vec![0; longest + 1]);
    calls.sent("send too much", sent);
    for (what, port) in [("send a protocol's", 253), ("send another's", 254)] {
        let sent = calls.stack.sendto(fd, b"x", at(here, port));
        calls.sent(what, sent);
    }
    if !is_v4 {
        let mapped = at("::ffff:127.0.0.1", 0);
        let other = calls.raw(PROTOCOL);
        let bound = calls.stack.bind(other, mapped);
        calls.done("bind to a mapped one", bound);
        let sent = calls.stack.sendto(other, b"x", mapped);
        calls.sent("send to a mapped one", sent);
        let icmp = calls.raw(Protocol::ICMPV6);
        for len in 2..=4 {
            let sent = calls.stack.sendto(icmp, &vec![200; len], at(here, 0));
            calls.sent(&format!("send ICMPv6 of {len}"), sent);
        }
        let (summed, seen) = (calls.raw(PROTOCOL), calls.raw(PROTOCOL));
        for offset in [3, 2] {
            let set = calls.stack.setsockopt(summed, ChecksumOffset, Some(offset));
            calls.done(&format!("checksum at {offset}"), set);
        }
        for data in ["abc", "abcd", "Michael"] {
            let sent = calls.stack.sendto(summed, data.as_bytes(), at(here, 0));
            calls.sent(&format!("send {data}"), sent);
            calls.receive("receive", seen, 0);
        }
    }

    let (with_header, receiver) = (calls.raw(Protocol::RAW), calls.raw(PROTOCOL));
    let (first, any) = if is_v4 {
        (0x45, "0.0.0.0")
    } else {
        (0x60, "::1")
    };
    let whole = header(is_v4, first, any, b"Michael", 0);
    let short = header(is_v4, first, any, b"", 0);
    let mut packets = vec![
        ("whole", whole),
        ("short", short[..short.len() - 1].to_vec()),
        ("long", header(is_v4, first, any, &[0; 70_000], 0)),
    ];
    if is_v4 {
        packets.extend([
            (
                "header longer than the packet",
                header(is_v4, 0x4f, any, b"", 0),
            ),
            ("header too short", header(is_v4, 0x44, any, b"", 0)),
            ("wrong length", header(is_v4, first, any, b"Tracy", 9)),
            (
                "another's source",
                header(is_v4, first, "127.0.0.9", b"Sarah", 0),
            ),
        ]);
    }
    for (what, packet) in packets {
        let sent = calls.stack.sendto(with_header, &packet, at(here, 0));
        calls.sent(&format!("send {what}"), sent);
        calls.receive("receive", receiver, 0);
    }
    calls.receive("receive on IPPROTO_RAW", with_header, 0);

    let others = [calls.raw(PROTOCOL), calls.raw(OTHER)];
    let sent = calls.stack.sendto(receiver, b"Tracy", at(here, 0));
    calls.sent("send to two", sent);
    for fd in [receiver, others[0], others[1]] {
        calls.receive("receive", fd, if is_v4 { 20 } else { 0 });
    }
    calls.lines
}

fn calls_return_what_the_kernels_return(lab: Lab) {
    let output = lab.command(&["python3", &script("raw_calls.py")]).output();
    let output = output.expect("python3 runs");
    let error = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{error}");
    let kernel = String::from_utf8_lossy(&output.stdout);
    let kernel: Vec<_> = kernel.lines().collect();
    assert_eq!([our_calls(true), our_calls(false)].concat(), kernel);
}

/// What our traceroute prints.
fn trace(host: &Host, address: IpAddr, is_icmp: bool, probes: u8, patience: Duration) -> String {
    let plan = tracer::Plan {
        name: address.to_string(),
        address,
        is_icmp,
        hops: 5,
        probes,
        patience,
        port: 33_434,
        is_numeric: true,
    };
    let mut out = Vec::new();
    tracer::run(host, &plan, &mut out).expect("a way");
    String::from_utf8(out).expect("UTF-8")
}

/// The same without its times: each line's words but those, and the "ms" behind them.
fn without_times(text: &str) -> Vec<String> {
    let is_time = |word: &&str| *word == "ms" || word.contains('.') && word.parse::<f64>().is_ok();
    let lines = text.lines().skip(1);
    let words = lines.map(|line| line.split_whitespace().filter(|word| !is_time(word)));
    words
        .map(|words| words.collect::<Vec<_>>().join(" "))
        .collect()
}

fn traceroute_finds_each_router(mut lab: Lab) {
    let _path = ground::path::Path::new(&lab);
    let host = host(&mut lab);
    for (family, far) in FAR.into_iter().enumerate() {
        for is_icmp in [false, true] {
            let ours = trace(&host, far, is_icmp, 3, LONG);
            let size = if far.is_ipv4() { 60 } else { 80 };
            let title = format!("traceroute to {far} ({far}), 5 hops max, {size} byte packets");
            assert_eq!(ours.lines().next(), Some(&title[..]));
            // Debian's begins one router later, at the lab's Linux.
            let far = far.to_string();
            let mut theirs = vec!["traceroute", "-n", "-m", "5", "-N", "1"];
            theirs.extend(is_icmp.then_some("-I"));
            theirs.push(&far);
            let output = lab.command(&theirs).output().expect("traceroute runs");
            let theirs = String::from_utf8_lossy(&output.stdout);
            let expected = [vec![format!("1 {}", LINUX[family])], {
                let further = without_times(&theirs).into_iter().zip(2..);
                further
                    .map(|(line, hop)| {
                        let (_, rest) = line.split_once(' ').expect("a hop's number");
                        format!("{hop} {rest}")
                    })
                    .collect()
            }]
            .concat();
            assert_eq!(without_times(&ours), expected, "{ours}{theirs}");
            assert_eq!(expected.len(), 3, "{theirs}");
        }
    }
}

/// Ways that Linux, our router, knows not to go.
const REFUSALS: &str = "
    echo 1 > /proc/sys/net/ipv4/ip_forward
    echo 1 > /proc/sys/net/ipv6/conf/all/forwarding
    # Each error leaves at once.
    echo 0 > /proc/sys/net/ipv4/icmp_ratemask
    echo 0 > /proc/sys/net/ipv6/icmp/ratelimit
    ip route add unreachable 192.0.2.1
    ip route add prohibit 192.0.2.2
    ip route add blackhole 192.0.2.3
    ip -6 route add unreachable 2001:db8::1
    ip -6 route add prohibit 2001:db8::2
    ip -6 route add blackhole 2001:db8::3
";

fn traceroute_marks_what_a_router_refuses(mut lab: Lab) {
    let status = lab.run(&["sh", "-ec", REFUSALS]).expect("sh runs");
    assert!(status.success());
    let host = host(&mut lab);
    // Of an IPv6 route that is "unreachable" Linux says the same as where there is none.
    let nets = [("192.0.2.", "!H"), ("2001:db8::", "!N")];
    for (linux, (net, unreachable)) in LINUX.into_iter().zip(nets) {
        // One probe each: Linux tells of no more than five refused packets at once.
        for (last, mark) in [(1, unreachable), (2, "!X"), (4, "!N")] {
            let to: IpAddr = format!("{net}{last}").parse().expect("an address");
            let ours = trace(&host, to, false, 1, LONG);
            let lines = without_times(&ours);
            // A router looks at the route before it looks at the hops.
            let expected = format!("1 {linux} {mark}");
            assert_eq!(lines, [expected], "{ours}");
        }
        let to: IpAddr = format!("{net}3").parse().expect("an address");
        let silent = trace(&host, to, true, 3, Duration::from_millis(50));
        let hops = (1..=5).map(|hop| format!("{hop} * * *"));
        assert_eq!(without_times(&silent), hops.collect::<Vec<_>>());
    }
}

/// What our ping prints, its statistics included.
fn ping(host: &Host, address: IpAddr, size: usize, hop_limit: Option<u8>) -> String {
    let plan = pinger::Plan {
        name: address.to_string(),
        address,
        count: Some(1),
        interval: Duration::from_secs(1),
        size,
        hop_limit,
        patience: LONG,
    };
    let tally = pinger::Tally::new(&plan);
    let mut out = Vec::new();
    pinger::run(host, &plan, &tally, &mut out).expect("a way");
    let text = String::from_utf8(out).expect("UTF-8");
    let tally = tally.lock().expect("nobody panicked");
    assert_eq!(tally.is_answered(), text.contains(" bytes from "));
    format!("{text}{tally}")
}

fn ping_tells_what_routers_say(mut lab: Lab) {
    let _path = ground::path::Path::new(&lab);
    let host = host(&mut lab);
    let exceeded = ["Time to live exceeded", "Time exceeded: Hop limit"];
    let too_big = [
        "Frag needed and DF set (mtu = 1280)",
        "Packet too big: mtu=1280",
    ];
    for family in 0..2 {
        let (linux, far) = (LINUX[family], FAR[family]);
        let output = ping(&host, far, 56, None);
        assert!(
            output.contains(&format!("64 bytes from {far}: icmp_seq=1 ttl=62 time=")),
            "{output}"
        );
        let ending = "1 packets transmitted, 0 received, +1 errors, 100% packet loss, time 0ms\n\n";
        for (size, hops, text) in [
            (56, Some(1), exceeded[family]),
            (1_400, None, too_big[family]),
        ] {
            let output = ping(&host, far, size, hops);
            let line = format!("From {linux} icmp_seq=1 {text}");
            assert_eq!(output.lines().nth(1), Some(&line[..]), "{output}");
            assert!(output.ends_with(ending), "{output}");
        }
        assert!(ping(&host, STACK[family], 56, None).contains("1 received, 0% packet loss"));
    }
}
