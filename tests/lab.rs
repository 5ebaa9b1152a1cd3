//! The lab from outside: what a command run in it finds, and what it leaves behind. Runs `examples/lab.rs`.

use std::io::{BufRead, BufReader};
use std::path::PathBuf;
use std::process::{Command, Output, Stdio};
use std::{env, fs};

/// The example beside this test; `cargo test` builds both.
fn example() -> PathBuf {
    let test = env::current_exe().expect("the path of this test");
    let target = test.ancestors().nth(2).expect("target/PROFILE/deps/TEST");
    let path = target.join("examples/lab");
    assert!(
        path.exists(),
        "{path:?} is missing: `cargo build --example lab`"
    );
    path
}

fn lab(command: &[&str]) -> Output {
    let mut lab = Command::new(example());
    lab.args(command).stdin(Stdio::null());
    lab.output().expect("the example runs")
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

/// Whether this machine lets the test run; in CI it must.
fn has(what: &str, probe: &Output) -> bool {
    if probe.status.success() {
        return true;
    }
    let why = text(&probe.stderr);
    assert!(
        env::var_os("CI").is_none_or(|ci| ci != "true"),
        "no {what} in CI: {why}"
    );
    eprintln!("SKIPPED, no {what}: {why}");
    false
}

fn has_lab() -> bool {
    has("lab", &lab(&["true"]))
}

#[test]
fn the_network_holds_lo_and_tap0_with_the_shared_addresses() {
    if !has_lab() || !has("ip(8)", &lab(&["ip", "-V"])) {
        return;
    }
    let output = lab(&["ip", "-brief", "address"]);
    let listing = text(&output.stdout);
    let interfaces: Vec<Vec<&str>> = listing
        .lines()
        .map(|line| line.split_whitespace().collect())
        .collect();
    let names: Vec<&str> = interfaces.iter().map(|fields| fields[0]).collect();
    assert_eq!(names, ["lo", "tap0"]);
    assert!(interfaces[0].contains(&"127.0.0.1/8"), "{listing}");
    assert!(interfaces[1].contains(&"192.168.69.100/24"), "{listing}");

    if text(&output.stderr).contains("no IPv6") {
        eprintln!("SKIPPED, the IPv6 half: {}", text(&output.stderr));
        return;
    }
    assert!(interfaces[0].contains(&"::1/128"), "{listing}");
    assert!(interfaces[1].contains(&"fdaa:69::100/64"), "{listing}");
    // Usable at once: no duplicate address detection is waited for.
    let tentative = lab(&[
        "ip",
        "-6",
        "address",
        "show",
        "to",
        "fdaa:69::100",
        "tentative",
    ]);
    assert_eq!(text(&tentative.stdout), "");
}

#[test]
fn the_commands_exit_status_is_passed_on() {
    if !has_lab() {
        return;
    }
    assert_eq!(lab(&["sh", "-c", "exit 7"]).status.code(), Some(7));
    assert_eq!(
        lab(&["sh", "-c", "kill -15 $$"]).status.code(),
        Some(128 + 15)
    );

    let missing = lab(&["no-such-program"]);
    assert_eq!(missing.status.code(), Some(127));
    assert!(text(&missing.stderr).contains("no-such-program"));
}

#[test]
fn the_user_stays_who_they_are() {
    if !has_lab() {
        return;
    }
    for flag in ["-u", "-g"] {
        let outside = Command::new("id").arg(flag).output().expect("id runs");
        assert_eq!(text(&lab(&["id", flag]).stdout), text(&outside.stdout));
    }
}

#[test]
fn a_datagram_for_the_stack_comes_out_of_the_tap_as_arp_and_neighbor_solicitation() {
    if !has_lab() || !has("python3", &lab(&["python3", "-c", ""])) {
        return;
    }
    let send = |family: &str, address: &str| {
        let script = format!(
            "import socket; socket.socket(socket.{family}, socket.SOCK_DGRAM).sendto(b'x', ('{address}', 9999))"
        );
        let output = lab(&["python3", "-c", &script]);
        assert!(output.status.success(), "{}", text(&output.stderr));
        text(&output.stderr)
    };
    let frames = send("AF_INET", "192.168.69.1");
    assert!(
        frames.contains("ARP") && frames.contains("192.168.69.1 "),
        "{frames}"
    );

    let frames = send("AF_INET6", "fdaa:69::1");
    if !frames.contains("no IPv6") {
        // RFC 4291 §2.7.1: the solicited-node address of fdaa:69::1.
        assert!(frames.contains("dst=ff02::1:ff00:1"), "{frames}");
    }
}

#[test]
fn nothing_of_it_is_seen_outside() {
    if !has_lab() {
        return;
    }
    let interfaces = || -> Vec<String> {
        let table = fs::read_to_string("/proc/self/net/dev").expect("procfs");
        let names = table
            .lines()
            .skip(2)
            .filter_map(|line| line.split(':').next());
        names.map(|name| name.trim().to_owned()).collect()
    };
    let before = interfaces();
    let mut inside = Command::new(example())
        .args(["sh", "-c", "readlink /proc/self/ns/net; cat"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .expect("the example runs");
    let mut namespace = String::new();
    BufReader::new(inside.stdout.take().expect("piped"))
        .read_line(&mut namespace)
        .expect("a line");
    // The lab stands while `cat` waits for its input to end.
    assert_eq!(interfaces(), before);
    let ours = fs::read_link("/proc/self/ns/net").expect("procfs");
    assert_ne!(namespace.trim(), ours.to_string_lossy());
    drop(inside.stdin.take());
    assert!(inside.wait().expect("waitpid").success());
}

#[test]
fn a_deleted_interface_ends_the_reading() {
    if !has_lab() || !has("ip(8)", &lab(&["ip", "-V"])) {
        return;
    }
    // An ordinary user's programs have no capability in the lab.
    if !nix::unistd::geteuid().is_root() {
        eprintln!("SKIPPED, only root's programs can delete tap0 in the lab");
        return;
    }
    let output = lab(&["sh", "-c", "ip link delete tap0 && exit 5"]);
    assert_eq!(output.status.code(), Some(5));
    assert!(text(&output.stderr).contains("tap0 is gone"));
}

/// In a user namespace where there may be no further one, as on a machine that has them switched off.
fn without_user_namespaces(script: &str) -> Output {
    let switched_off = format!("echo 0 > /proc/sys/user/max_user_namespaces && {script}");
    // The outer shell turns a missing unshare(1) into a status.
    let unshare = "exec unshare --user --map-root-user sh -c \"$@\"";
    Command::new("sh")
        .args(["-c", unshare, "sh", &switched_off, "sh"])
        .arg(example())
        .output()
        .expect("sh runs")
}

#[test]
fn root_needs_no_user_namespace() {
    if !has_lab() || !has("unshare(1)", &without_user_namespaces("true")) {
        return;
    }
    let output = without_user_namespaces("\"$1\" sh -c 'exit 7'");
    assert_eq!(output.status.code(), Some(7), "{}", text(&output.stderr));
}

#[test]
fn where_user_namespaces_are_off_the_error_names_the_switch() {
    let drop_all = "setpriv --inh-caps=-all --bounding-set=-all";
    if !has(
        "setpriv(1)",
        &without_user_namespaces(&format!("{drop_all} true")),
    ) {
        return;
    }
    let output = without_user_namespaces(&format!("{drop_all} \"$1\" true"));
    let error = text(&output.stderr);
    assert_eq!(output.status.code(), Some(127));
    assert!(
        error.contains("sudo sysctl user.max_user_namespaces="),
        "{error}"
    );
}
