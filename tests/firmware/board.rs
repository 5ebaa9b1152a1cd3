//! A board in QEMU: what is on its serial line, and what its Ethernet is connected to.

use std::{
    io::{Read, Write},
    os::fd::{AsFd, AsRawFd, OwnedFd},
    path::{Path, PathBuf},
    process::{Child, ChildStdin, Command, Stdio},
    sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError},
    thread,
    time::{Duration, Instant},
};

use glasstack::host::lab::Lab;
use nix::fcntl::{FcntlArg, FdFlag, fcntl};

/// What takes longer than this does not come any more.
const PATIENCE: Duration = Duration::from_secs(40);

/// The programs, and where they are built.
const WORKSPACE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/examples/firmware");
const TARGET: &str = concat!(env!("CARGO_TARGET_TMPDIR"), "/../firmware");
const CARGO: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/.ci/cargo-for");

/// A firmware by its package's name.
pub(crate) const FIRMWARE: &str = "firmware";
pub(crate) const ECHO: &str = "echo-glasstack";

/// What the board's Ethernet is connected to.
pub(crate) enum Network {
    /// QEMU's own network, whose gateway is 10.0.2.2, by the script that `cargo run` starts: port 9999 of 127.0.0.1 is the
    /// board's.
    User,
    /// The lab's TAP.
    Tap,
    /// A cable that nobody has plugged in elsewhere. Time leaps to the next timer while the processor sleeps.
    Nothing,
}

/// Builds the programs, each for itself: together they would have each other's features.
pub(crate) fn build() {
    for package in [FIRMWARE, ECHO] {
        let mut cargo = Command::new(CARGO);
        cargo.args(["thumbv7m-none-eabi", "build", "--quiet", "--release"]);
        cargo.args(["--target-dir", TARGET, "--package", package]);
        let status = cargo.current_dir(WORKSPACE).status().expect("a shell");
        assert!(status.success(), "{package} does not build");
    }
}

fn program(package: &str) -> PathBuf {
    Path::new(TARGET)
        .join("thumbv7m-none-eabi/release")
        .join(package)
}

pub(crate) struct Board {
    qemu: Child,
    input: ChildStdin,
    output: Arc<Output>,
    /// How much of the output was looked at.
    seen: usize,
}

#[derive(Default)]
struct Output {
    /// So far, and whether that is all.
    text: Mutex<(String, bool)>,
    grows: Condvar,
}

impl Output {
    /// Also of a test that has failed meanwhile.
    fn lock(&self) -> MutexGuard<'_, (String, bool)> {
        self.text.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Board {
    pub(crate) fn start(lab: &mut Lab, package: &str, network: Network) -> Board {
        let program = program(package);
        let tap: OwnedFd;
        let mut command = match network {
            Network::User => Command::new(format!("{WORKSPACE}/run-in-qemu")),
            Network::Tap => {
                let device = lab.tap().expect("the lab's TAP is taken once");
                tap = device.as_fd().try_clone_to_owned().expect("a descriptor");
                // QEMU inherits it.
                fcntl(&tap, FcntlArg::F_SETFD(FdFlag::empty())).expect("fcntl(2)");
                qemu(&["-netdev", &format!("tap,id=net,fd={}", tap.as_raw_fd())])
            }
            Network::Nothing => {
                let time_leaps = ["-icount", "shift=auto,sleep=off"];
                qemu(&[&["-netdev", "hubport,id=net,hubid=0"], &time_leaps[..]].concat())
            }
        };
        let command = command.arg(program);
        let command = command.stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut qemu = command.spawn().expect("QEMU");
        let (input, output) = (qemu.stdin.take(), qemu.stdout.take());
        let (input, mut reader) = (input.expect("a pipe"), output.expect("a pipe"));
        let output = Arc::new(Output::default());
        let written = output.clone();
        thread::spawn(move || {
            let (mut octets, mut buffer) = (Vec::new(), [0; 4096]);
            loop {
                let length = reader.read(&mut buffer).unwrap_or(0);
                octets.extend_from_slice(&buffer[..length]);
                let text = String::from_utf8_lossy(&octets).replace('\r', "");
                *written.lock() = (text, length == 0);
                written.grows.notify_all();
                if length == 0 {
                    return;
                }
            }
        });
        Board {
            qemu,
            input,
            output,
            seen: 0,
        }
    }

    /// What the board says from where this was asked last, up to `end`, which must come.
    pub(crate) fn hear(&mut self, end: &str) -> String {
        self.hear_one_of(&[end])
    }

    /// The same up to whichever of the ends comes first.
    fn hear_one_of(&mut self, ends: &[&str]) -> String {
        let until = Instant::now() + PATIENCE;
        let mut text = self.output.lock();
        loop {
            let new = &text.0[self.seen..];
            let found = ends
                .iter()
                .filter_map(|end| Some(new.find(end)? + end.len()));
            if let Some(end) = found.min() {
                let heard = new[..end].to_owned();
                self.seen += end;
                return heard;
            }
            let left = until.saturating_duration_since(Instant::now());
            let may_come = !left.is_zero() && !text.1;
            assert!(may_come, "none of {ends:?} in:\n{}", text.0);
            let waited = self.output.grows.wait_timeout(text, left);
            text = waited.unwrap_or_else(PoisonError::into_inner).0;
        }
    }

    /// Types into the serial line.
    pub(crate) fn write(&mut self, octets: &[u8]) {
        self.input.write_all(octets).expect("QEMU reads");
        self.input.flush().expect("QEMU reads");
    }

    /// What the board says to a command, which must go well.
    pub(crate) fn command(&mut self, command: &str) -> String {
        self.write(format!("{command}\r").as_bytes());
        self.hear(command);
        let answer = self.hear_one_of(&["\nok\n", "\nerror: "]);
        let said = answer.trim_start_matches('\n').strip_suffix("ok\n");
        assert!(said.is_some(), "{command}: {answer}");
        said.unwrap_or_default().to_owned()
    }

    /// QEMU's monitor: `system_reset`, …
    pub(crate) fn monitor(&mut self, command: &str) {
        // Ctrl-A and c go there and back.
        self.write(format!("\x01c{command}\n\x01c").as_bytes());
    }
}

impl Drop for Board {
    fn drop(&mut self) {
        let _ = self.qemu.kill();
        let _ = self.qemu.wait();
    }
}

/// A counter among those that the board tells; those that are nought are left out.
pub(crate) fn counter(told: &str, name: &str) -> u32 {
    let mut lines = told.lines().map(str::trim);
    let line = lines.find_map(|line| line.strip_suffix(name)?.trim().parse().ok());
    line.unwrap_or(0)
}

fn qemu(network: &[&str]) -> Command {
    let mut command = Command::new("qemu-system-arm");
    command.args([
        "-machine",
        "mps2-an385",
        "-nographic",
        "-net",
        "nic,netdev=net",
    ]);
    command.args(network).arg("-kernel");
    command
}
