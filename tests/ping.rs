//! The examples `ping` and `traceroute`: beside iputils' ping against the same address, on a bad link, at their end.

use std::{
    io::{BufRead, BufReader, Read},
    process::{Command, Output, Stdio},
};

use nix::{
    sys::signal::{Signal, kill},
    unistd::Pid,
};

mod need;
mod program;
use need::Need;
use program::{assert_success, in_lab, lines, program};

const LINUX: [&str; 2] = ["192.168.69.100", "fdaa:69::100"];
const STACK: [&str; 2] = ["192.168.69.1", "fdaa:69::1"];

fn run(example: &str, options: &[&str]) -> Output {
    let mut command = Command::new(program(example));
    command.args(options).output().expect("the example starts")
}

/// What a ping prints, with its measurements out of the way.
fn without_times(output: &Output) -> Vec<String> {
    let lines = lines(output).into_iter();
    lines
        .map(|line| match line.split_once("time") {
            Some((front, time)) if time.ends_with("ms") => format!("{front}time"),
            _ => match line.split_once(" = ") {
                Some((front, _)) => format!("{front} ="),
                None => line,
            },
        })
        .collect()
}

#[test]
fn our_ping_prints_what_iputils_prints() {
    if !need::all(&[Need::Program("ping", "iputils-ping")]) {
        return;
    }
    for (address, longest) in LINUX.into_iter().zip(["65507", "65527"]) {
        let sizes = ["0", "15", "16", "1472", "1473", "8000", longest];
        // For a single answer both wait long; for more, no longer than the interval.
        let plans = sizes.map(|size| ["-c", "1", "-i", "1", "-s", size]);
        for plan in plans
            .into_iter()
            .chain([["-c", "3", "-i", "0.3", "-s", "56"]])
        {
            let options = [&plan[..], &[address]].concat();
            let Some(ours) = in_lab("ping", &options, &["true"]) else {
                return;
            };
            assert_success(&ours);
            let theirs = run("lab", &[&["ping"][..], &options].concat());
            assert_success(&theirs);
            assert_eq!(without_times(&ours), without_times(&theirs));
            let answer = &without_times(&ours)[1];
            let len = 8 + plan[5].parse::<usize>().expect("a number");
            assert!(answer.starts_with(&format!("{len} bytes from {address}: ")));
        }
    }
}

#[test]
fn a_time_is_as_precise_as_iputils_finds_it_worth() {
    for delay in ["0", "0.6", "6", "60"] {
        let output = run("ping", &["-c", "2", "-i", "0.2", "--delay", delay]);
        assert_success(&output);
        // The second: the first has to find its neighbor.
        let line = &lines(&output)[2];
        let (_, time) = line.split_once(" time=").expect("a time");
        let time = time.strip_suffix(" ms").expect("a unit");
        let after_point = time.split_once('.').map_or(0, |(_, digits)| digits.len());
        let (time, delay): (f64, f64) = (
            time.parse().expect("a number"),
            delay.parse().expect("a number"),
        );
        let decimals = match time {
            100.0.. => 0,
            10.0.. => 1,
            1.0.. => 2,
            _ => 3,
        };
        assert_eq!(after_point, decimals, "{line}");
        assert!(time >= 2.0 * delay - 0.5, "{line}");
    }
}

#[test]
fn what_a_bad_link_does_is_counted() {
    for family in ["-4", "-6"] {
        let options = [
            family,
            "-c",
            "30",
            "-i",
            "0.01",
            "--loss",
            "20",
            "--duplicate",
            "20",
            "--delay",
            "1",
            "--seed",
            "3",
        ];
        let output = run("ping", &options);
        assert_success(&output);
        let lines = lines(&output);
        let (duplicates, answers): (Vec<_>, Vec<_>) = lines
            .iter()
            .filter(|line| line.contains(" bytes from server ("))
            .partition(|line| line.ends_with(" (DUP!)"));
        let (received, again) = (answers.len(), duplicates.len());
        assert!((1..30).contains(&received) && again > 0, "{lines:#?}");
        let lost = (30 - received) as f64 * 100.0 / 30.0;
        // C's %g: six significant digits.
        let lost = match (30 - received) % 3 {
            0 => format!("{lost:.0}"),
            _ => format!("{lost:.4}"),
        };
        let summary = format!(
            "30 packets transmitted, {received} received, +{again} duplicates, {lost}% packet loss, time "
        );
        assert!(
            lines.iter().any(|line| line.starts_with(&summary)),
            "{summary}: {lines:#?}"
        );
    }
}

#[test]
fn an_address_that_nobody_has_is_told_and_is_a_failure() {
    let texts = [
        "Destination Host Unreachable",
        "Destination unreachable: Address unreachable",
    ];
    let nobody = ["192.168.69.7", "fdaa:69::7"];
    for ((nobody, stack), text) in nobody.into_iter().zip(STACK).zip(texts) {
        let Some(output) = in_lab("ping", &["-c", "1", nobody], &["true"]) else {
            return;
        };
        assert_eq!(output.status.code(), Some(1));
        let lines = without_times(&output);
        assert_eq!(lines[1], format!("From {stack} icmp_seq=1 {text}"));
        let summary = "1 packets transmitted, 0 received, +1 errors, 100% packet loss, time";
        assert_eq!(lines[4], summary);
        let Some(output) = in_lab("traceroute", &["-n", "-I", "-q", "1", nobody], &["true"]) else {
            return;
        };
        let line = &program::lines(&output)[1];
        assert!(line.starts_with(&format!(" 1  {stack}  ")), "{line}");
        assert!(line.ends_with(" ms !H"), "{line}");
    }
}

#[test]
fn an_interrupt_ends_it_with_its_statistics() {
    let mut ping = Command::new(program("ping"))
        .args(["-c", "1000000", "-i", "0.01", "127.0.0.1"])
        .stdout(Stdio::piped())
        .spawn()
        .expect("the example starts");
    let mut output = BufReader::new(ping.stdout.take().expect("a pipe"));
    for _ in 0..4 {
        let mut line = String::new();
        output.read_line(&mut line).expect("a line");
    }
    kill(Pid::from_raw(ping.id().cast_signed()), Signal::SIGINT).expect("it runs");
    let mut rest = String::new();
    output.read_to_string(&mut rest).expect("text");
    let status = ping.wait().expect("waitpid(2)");
    assert_eq!(status.code(), Some(0));
    assert!(rest.contains("--- 127.0.0.1 ping statistics ---"), "{rest}");
    assert!(rest.contains("% packet loss, time "), "{rest}");
    assert!(rest.contains("rtt min/avg/max/mdev = "), "{rest}");
}

#[test]
fn what_cannot_be_is_said_in_a_line() {
    for (options, text) in [
        (&["-s", "65508", "10.0.0.2"][..], "from 0 to 65507"),
        (&["-6", "10.0.0.2"], "no address of this family"),
        (&["192.0.2.1"], "network unreachable (ENETUNREACH)"),
        (&["nobody"], "nobody: "),
    ] {
        let output = run("ping", options);
        assert_eq!(output.status.code(), Some(1), "{options:?}");
        let error = String::from_utf8_lossy(&output.stderr);
        assert!(
            error.starts_with("error: ") && error.contains(text),
            "{error}"
        );
    }
}

#[test]
fn traceroute_in_one_process_is_one_hop() {
    for options in [&["-4"][..], &["-6"], &["-4", "-I"], &["-6", "-I"]] {
        let output = run("traceroute", options);
        assert_success(&output);
        let lines = lines(&output);
        let (address, size) = match options[0] {
            "-4" => ("10.0.0.2", 60),
            _ => ("fd00::2", 80),
        };
        let title = format!("traceroute to server ({address}), 30 hops max, {size} byte packets");
        assert_eq!(lines[0], title);
        let words: Vec<_> = lines[1].split_whitespace().collect();
        assert_eq!(words[..3], ["1", "server", &format!("({address})")]);
        let units: Vec<_> = words[3..].chunks(2).map(|pair| pair[1]).collect();
        assert_eq!((units, lines.len()), (vec!["ms"; 3], 2), "{lines:#?}");
    }
    // Nobody there: silence, as far as it was to go.
    let output = run("traceroute", &["-m", "2", "-w", "0.05", "10.0.0.9"]);
    assert_eq!(lines(&output)[1..], [" 1  * * *", " 2  * * *"]);
}
