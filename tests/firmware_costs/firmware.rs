//! The programs of `examples/firmware`, built as their users build them.

use std::{
    collections::BTreeMap,
    env, fs,
    path::{Path, PathBuf},
    process::Command,
    sync::{Mutex, PoisonError},
};

use crate::need::{self, Need};
use crate::program::Program;

const TARGET: &str = "thumbv7m-none-eabi";
/// Where Debian has its compiler, and what `core` is built from for a target that it does not come with.
const DEBIAN_RUSTC: &str = "/usr/bin/rustc";
const DEBIAN_CORE: &str = "test -d /usr/lib/rustlib/src/rust/library/core";

/// The libraries whose echo servers are compared. The first is the scale.
pub(crate) const LIBRARIES: [&str; 3] = ["smoltcp", "embassy-net", "glasstack"];

/// Whether the programs can be built here, and run.
pub(crate) fn can_be_built() -> bool {
    let qemu = Need::Program("qemu-system-arm", "qemu-system-arm");
    if has_target() {
        return need::all(&[qemu]);
    }
    let how =
        "rustup target add thumbv7m-none-eabi, or (Debian) apt-get install rustc-web rust-web-src";
    need::all(&[qemu, Need::Command(DEBIAN_CORE, how)])
}

/// A library's echo server, for four connections or for five.
pub(crate) fn echo(library: &str, features: &str) -> Program {
    // The tests ask for the same ones at once: each is built by the first, and left alone from then on.
    static BUILT: Mutex<BTreeMap<String, PathBuf>> = Mutex::new(BTreeMap::new());
    let mut built = BUILT.lock().unwrap_or_else(PoisonError::into_inner);
    let program = built.entry(format!("{library} {features}"));
    Program::read(program.or_insert_with(|| build(library, features)).clone())
}

fn build(library: &str, features: &str) -> PathBuf {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("firmware");
    let package = format!("echo-{library}");
    // One package at a time: what another one asks of smoltcp would be built in, too.
    let mut cargo = Command::new(env!("CARGO"));
    cargo.args(["build", "--quiet", "--release", "--package", &package]);
    cargo.args(["--features", features]);
    cargo.current_dir(concat!(env!("CARGO_MANIFEST_DIR"), "/examples/firmware"));
    cargo.env("CARGO_TARGET_DIR", &folder);
    // It would replace what the configuration there says of the linker.
    cargo.env_remove("RUSTFLAGS");
    if !has_target() {
        with_debians_compiler(&mut cargo);
    }
    let output = cargo.output().unwrap();
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{package}: {errors}");
    let built = folder.join(TARGET).join("release").join(&package);
    let kept = folder.join(format!("{package}{features}"));
    // The next one of this name takes its place.
    fs::copy(built, &kept).unwrap();
    kept
}

fn has_target() -> bool {
    let mut rustup = Command::new("rustup");
    let output = rustup.args(["target", "list", "--installed"]).output();
    output.is_ok_and(|output| {
        String::from_utf8_lossy(&output.stdout)
            .lines()
            .any(|line| line == TARGET)
    })
}

/// As `.ci/cortex-m` does it; the linker is rustup's.
fn with_debians_compiler(cargo: &mut Command) {
    let output = Command::new("rustc")
        .args(["--print", "target-libdir"])
        .output();
    let libraries = output.map(|output| output.stdout).unwrap_or_default();
    let libraries = String::from_utf8_lossy(&libraries).trim().to_owned();
    let linker = Path::new(&libraries).with_file_name("bin");
    let path = env::var("PATH").unwrap_or_default();
    cargo.env("PATH", format!("{path}:{}", linker.display()));
    cargo.env("RUSTC", DEBIAN_RUSTC).env("RUSTC_BOOTSTRAP", "1");
    cargo.arg("-Zbuild-std=core");
}

/// With which compiler they are built: the figures are its.
pub(crate) fn compiler() -> String {
    let rustc = if has_target() { "rustc" } else { DEBIAN_RUSTC };
    let output = Command::new(rustc).arg("--version").output().unwrap();
    let version = String::from_utf8_lossy(&output.stdout).into_owned();
    version.split(' ').take(2).collect::<Vec<_>>().join(" ")
}
