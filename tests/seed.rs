//! The example programs against the same programs in Python on the kernel's sockets: TCP and UDP, each side in each part,
//! over IPv4 and IPv6; a large file by name from a real HTTP server through a real name server; a crowd; and what the glass shows.

use std::{fs::File, path::Path, process::Command};

mod need;
mod program;
use need::Need;
use program::{
    Folder, assert_in_order, assert_success, in_lab, lines, path, peer, program, write_noise,
};

const STACK: [&str; 2] = ["192.168.69.1", "fdaa:69::1"];
const LINUX: [&str; 2] = ["192.168.69.100", "fdaa:69::100"];
const GREETINGS: [&str; 3] = ["Hello, Michael!", "Hello, Tracy!", "Hello, Sarah!"];

/// Each of these was printed, in whatever order.
fn assert_contains(lines: &[String], expected: &[&str]) {
    for line in expected {
        assert!(
            lines.iter().any(|printed| printed == line),
            "no {line:?} in {lines:#?}"
        );
    }
}

#[test]
fn our_tcp_server_greets_the_kernels_client() {
    for address in STACK {
        let peer = ["python3", &peer("hello_client.py"), address, "9999"];
        let Some(output) = in_lab("tcp_server", &[], &peer) else {
            return;
        };
        assert_success(&output);
        let lines = lines(&output);
        assert_contains(&lines, &["Waiting for connection...", "Welcome!"]);
        assert_contains(&lines, &GREETINGS);
        let linux = if address.contains(':') {
            "[fdaa:69::100]"
        } else {
            "192.168.69.100"
        };
        let accepted = format!("Accept new connection from {linux}:");
        assert!(
            lines.iter().any(|line| line.starts_with(&accepted)),
            "{lines:#?}"
        );
    }
}

#[test]
fn our_udp_server_greets_the_kernels_client() {
    for address in STACK {
        let peer = ["python3", &peer("udp_client.py"), address, "9999"];
        let Some(output) = in_lab("udp_server", &[], &peer) else {
            return;
        };
        assert_success(&output);
        assert_contains(&lines(&output), &GREETINGS);
    }
}

#[test]
fn the_kernels_udp_server_greets_our_client() {
    for (address, options) in LINUX.into_iter().zip([&[][..], &["--ipv6"]]) {
        let peer = ["python3", &peer("udp_server.py"), address, "9999"];
        let Some(output) = in_lab("udp_client", options, &peer) else {
            return;
        };
        assert_success(&output);
        assert_contains(&lines(&output), &GREETINGS);
    }
}

#[test]
fn the_kernels_tcp_server_greets_our_client() {
    for (address, options) in LINUX.into_iter().zip([&[][..], &["--ipv6"]]) {
        let peer = ["python3", &peer("hello_server.py"), address, "9999"];
        let Some(output) = in_lab("hello_client", options, &peer) else {
            return;
        };
        assert_success(&output);
        let lines = lines(&output);
        assert_contains(&lines, &["Welcome!"]);
        assert_contains(&lines, &GREETINGS);
    }
}

#[test]
fn a_servers_exit_status_is_its_peers() {
    let Some(output) = in_lab("tcp_server", &[], &["sh", "-c", "exit 7"]) else {
        return;
    };
    assert_eq!(output.status.code(), Some(7), "{output:?}");
}

#[test]
fn our_server_gets_its_address_from_a_real_dhcp_server() {
    if !need::all(&[Need::Program("dnsmasq", "dnsmasq-base")]) {
        return;
    }
    if !nix::unistd::geteuid().is_root() {
        eprintln!("SKIPPED: dnsmasq serves DHCP for root only");
        return;
    }
    let peer = ["python3", &peer("hello_client.py"), STACK[0], "9999"];
    let Some(output) = in_lab("tcp_server", &["--dhcp"], &peer) else {
        return;
    };
    assert_success(&output);
    let told = String::from_utf8_lossy(&output.stderr);
    let lease = "192.168.69.1/24 from 192.168.69.100";
    assert!(told.contains(lease), "{told}");
    assert_contains(&lines(&output), &["Welcome!"]);
}

#[test]
fn our_client_fetches_a_large_file_by_name() {
    let folder = Folder::new("seed-large-file");
    let (original, copy) = (folder.0.join("large"), folder.0.join("copy"));
    write_noise(&original, 50_000_000).expect("a file of 50 MB");
    let options = [
        "http://www.example.com:8000/large",
        "--output",
        &path(&copy),
        "--name-server",
        LINUX[0],
    ];
    let script = peer("names_and_files.sh");
    let server = ["sh", &script, LINUX[0], "8000", &path(&folder.0)];
    if !need::all(&[Need::Program("dnsmasq", "dnsmasq-base")]) {
        return;
    }
    let Some(output) = in_lab("tcp_client", &options, &server) else {
        return;
    };
    assert_success(&output);
    assert_contains(&lines(&output), &["Content-Length: 50000000"]);
    assert_eq!(sha256(&original), sha256(&copy));
}

#[test]
fn a_missing_page_is_a_failure_and_saves_nothing() {
    let folder = Folder::new("seed-missing-page");
    let copy = folder.0.join("copy");
    let options = [
        "http://192.168.69.100:8000/nothing",
        "--output",
        &path(&copy),
    ];
    let server = [
        "python3",
        "-m",
        "http.server",
        "--bind",
        LINUX[0],
        "--directory",
        &path(&folder.0),
    ];
    let Some(output) = in_lab("tcp_client", &options, &server) else {
        return;
    };
    assert_eq!(output.status.code(), Some(1), "{output:?}");
    let lines = lines(&output);
    assert!(
        lines.iter().any(|line| line.starts_with("HTTP/1.0 404 ")),
        "{lines:#?}"
    );
    assert!(!copy.exists());
}

/// More clients at once than there are connections, and many more than may wait to be accepted: each is served in its turn.
#[test]
fn a_crowd_is_served_without_a_reset_or_a_refusal() {
    let options = ["--backlog", "5", "--connections", "64"];
    let crowd = ["python3", &peer("crowd.py"), STACK[0], "9999", "200"];
    let Some(output) = in_lab("tcp_server", &options, &crowd) else {
        return;
    };
    assert_success(&output);
    let evidence: Vec<_> = lines(&output)
        .into_iter()
        .filter(|l| l.contains("served") || l.contains("refused"))
        .collect();
    assert!(
        evidence
            .iter()
            .any(|line| line.starts_with("200 of 200 served")),
        "{evidence:?}"
    );
    println!("{}", evidence.join("\n"));
}

/// The kernel's client as the ladder shows it, as Wireshark reads it with its causes, and as `watch` draws it from the file.
#[test]
fn a_conversation_with_the_kernel_is_drawn_and_captured() {
    let folder = Folder::new("seed-glass");
    let capture = path(&folder.0.join("capture.pcapng"));
    if !need::all(&[Need::Program("tshark", "tshark")]) {
        return;
    }
    let client = ["python3", &peer("hello_client.py"), STACK[0], "9999"];
    let options = ["--ladder", "--pcap", &capture];
    let Some(output) = in_lab("tcp_server", &options, &client) else {
        return;
    };
    assert_success(&output);
    let ladder = lines(&output);
    assert_in_order(
        &ladder,
        &[
            &["├─ SYN seq=0 ", "►│ SYN-RECEIVED"],
            &["│◄", " SYN,ACK seq=0 ack=1 "],
            &["►│ ESTABLISHED"],
            &[" send(8) │"],
            &["│◄", " PSH,ACK seq=1 ack=1 len=8 ─┤"],
        ],
    );

    let mut tshark = Command::new("tshark");
    tshark.args(["-r", &capture, "-T", "fields"]);
    tshark.args(["-e", "tcp.srcport", "-e", "tcp.len", "-e", "frame.comment"]);
    let output = tshark.output().expect("tshark starts");
    assert_success(&output);
    assert_contains(&lines(&output), &["9999\t8\tsend(8)"]);

    let mut watch = Command::new(program("watch"));
    let output = watch.args(["--ladder", &capture]).output();
    let output = output.expect("the example starts");
    assert_success(&output);
    assert_in_order(
        &lines(&output),
        &[
            &["├─ SYN seq=0 ", "►│"],
            &["│◄", " SYN,ACK seq=0 ack=1 "],
            &["│◄", " PSH,ACK seq=1 ack=1 len=8 ─┤"],
            &["tcp 0  192.168.69.100:", " -> 192.168.69.1:9999"],
        ],
    );
}

#[test]
fn hello_shows_a_loss_and_its_repair() {
    let output = Command::new(program("hello")).output();
    let output = output.expect("the example starts");
    assert_success(&output);
    assert_in_order(
        &lines(&output),
        &[
            &["SYN-SENT │ connect(10.0.0.2:9999)"],
            &["├─ SYN seq=0 "],
            &["│ send(7) "],
            &["├─ PSH,ACK seq=1 len=7 ", "╳ lost"],
            &["│ ◷ RTO fired"],
            &["├─ ↻ PSH,ACK seq=1 ack=9 len=7 ", "►│"],
            &["├─ FIN,ACK "],
            &[" TIME-WAIT"],
        ],
    );
}

fn sha256(file: &Path) -> String {
    let output = Command::new("sha256sum")
        .stdin(File::open(file).expect("the file"))
        .output();
    let output = output.expect("sha256sum, of the same package as ls");
    assert!(output.status.success(), "{output:?}");
    String::from_utf8_lossy(&output.stdout).into_owned()
}
