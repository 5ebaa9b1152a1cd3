//! The `main` of a test file without a harness: each test is this program once more.

use std::{
    env,
    os::unix::process::CommandExt,
    process::{Command, ExitCode, ExitStatus},
    thread,
    time::{Duration, Instant},
};

use glasstack::host::lab::Lab;
use nix::{
    sys::signal::{Signal, killpg},
    unistd::{Pid, geteuid},
};

use crate::need::{self, Need};

/// What a test is called, and what it does in its lab.
type Test = (&'static str, fn(Lab));

/// A test that takes longer is ended, and has failed.
const LIMIT: Duration = Duration::from_secs(180);
/// How often its end is looked for meanwhile.
const INTERVAL: Duration = Duration::from_millis(5);
/// What tells this program to be the test that is named next.
const INSIDE: &str = "--inside";
/// What asks it whether there can be a lab at all ([`Need::Lab`]).
const PROOF: &str = "--lab";
/// What a lab with routers needs: the two ends of a cable, in a network where this user is root.
const CABLE: &str = "unshare --user --map-root-user --net ip link add type veth";
/// Of whom is root anyway, it asks for no user namespace.
const ROOTS_CABLE: &str = "unshare --net ip link add type veth";

/// Runs each test alone, in a lab of its own and as its root. A harness has threads, which a lab cannot be entered with; as to
/// a harness, arguments pick the tests whose names contain one of them.
pub(crate) fn run(needs: &[Need], tests: &[Test]) -> ExitCode {
    let arguments: Vec<String> = env::args().skip(1).collect();
    match arguments.first().map(String::as_str) {
        Some(INSIDE) => {
            let is_meant = |test: &&Test| arguments.get(1).is_some_and(|name| test.0 == name);
            let (_, test) = tests.iter().find(is_meant).expect("its name");
            test(Lab::enter().expect("a lab"));
            return ExitCode::SUCCESS;
        }
        Some(PROOF) => return prove(),
        _ => {}
    }
    let filters: Vec<_> = arguments
        .iter()
        .filter(|text| !text.starts_with('-'))
        .collect();
    let is_picked = |(name, _): &&Test| {
        filters.is_empty() || filters.iter().any(|filter| name.contains(filter.as_str()))
    };
    let picked: Vec<_> = tests.iter().filter(is_picked).collect();
    let cable = match geteuid().is_root() {
        true => ROOTS_CABLE,
        false => CABLE,
    };
    let of_the_ground = [
        Need::Lab(env::current_exe().expect("this test's path")),
        Need::Program("ip", "iproute2"),
        Need::Program("nsenter", "util-linux"),
        Need::Command(cable, "namespaces, and in them veth(4)"),
    ];
    println!("\nrunning {} tests", picked.len());
    if !need::all(&of_the_ground) || !need::all(needs) {
        return ExitCode::SUCCESS;
    }
    let start = Instant::now();
    let mut failed = 0;
    for (name, _) in &picked {
        let status = alone(name);
        let is_good = status.is_some_and(|status| status.success());
        let word = match status {
            _ if is_good => "ok".to_owned(),
            Some(status) => format!("FAILED ({status})"),
            None => format!("FAILED (it took more than {LIMIT:?})"),
        };
        println!("test {name} ... {word}");
        failed += usize::from(!is_good);
    }
    println!(
        "\ntest result: {}. {} passed; {failed} failed; 0 ignored; 0 measured; {} filtered out; finished in {:.2?}\n",
        if failed == 0 { "ok" } else { "FAILED" },
        picked.len() - failed,
        tests.len() - picked.len(),
        start.elapsed(),
    );
    ExitCode::from(u8::from(failed > 0))
}

fn prove() -> ExitCode {
    match Lab::enter() {
        Ok(_) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{error}");
            ExitCode::FAILURE
        }
    }
}

/// Runs one test. `None`: its time was up.
fn alone(name: &str) -> Option<ExitStatus> {
    let this = env::current_exe().expect("this test's path");
    let mut command = match geteuid().is_root() {
        true => Command::new(this),
        // An ordinary user is root to their own programs first, and then in the lab.
        false => {
            let mut unshare = Command::new("unshare");
            unshare.args(["--user", "--map-root-user"]).arg(this);
            unshare
        }
    };
    // A group of its own, so that the programs it has started can be ended with it.
    let command = command.args([INSIDE, name]).process_group(0);
    let mut child = command.spawn().expect("this program starts again");
    let end = Instant::now() + LIMIT;
    while Instant::now() < end {
        if let Some(status) = child.try_wait().expect("waitpid(2)") {
            return Some(status);
        }
        thread::sleep(INTERVAL);
    }
    // Not waited for yet, so the group is still its own.
    let _ = killpg(Pid::from_raw(child.id().cast_signed()), Signal::SIGKILL);
    let _ = child.wait();
    None
}
