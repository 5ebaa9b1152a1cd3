//! The programs of `examples/firmware`, built as their users build them.

use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
    process::Command,
    sync::{Mutex, PoisonError},
};

use crate::need::{self, Need};
use crate::program::Program;

const TARGET: &str = "thumbv7m-none-eabi";
/// The libraries whose echo servers are compared. The first is the scale.
pub(crate) const LIBRARIES: [&str; 3] = ["smoltcp", "embassy-net", "glasstack"];

/// Whether the programs can be built here, and run.
pub(crate) fn can_be_built() -> bool {
    need::all(&[
        Need::Program("qemu-system-arm", "qemu-system-arm"),
        Need::Command(
            ".ci/cargo-for thumbv7m-none-eabi",
            "a compiler for the Cortex-M3",
        ),
    ])
}

/// A library's echo server, for four connections or for five.
pub(crate) fn echo(library: &str, features: &str) -> Program {
    program(&format!("echo-{library}"), features)
}

/// A program by its package's name.
pub(crate) fn program(package: &str, features: &str) -> Program {
    // The tests ask for the same ones at once: each is built by the first, and left alone from then on.
    static BUILT: Mutex<BTreeMap<String, PathBuf>> = Mutex::new(BTreeMap::new());
    let mut built = BUILT.lock().unwrap_or_else(PoisonError::into_inner);
    let program = built.entry(format!("{package} {features}"));
    Program::read(program.or_insert_with(|| build(package, features)).clone())
}

fn build(package: &str, features: &str) -> PathBuf {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("firmware");
    // One package at a time: what another one asks of smoltcp would be built in, too.
    let mut cargo = Command::new(concat!(env!("CARGO_MANIFEST_DIR"), "/.ci/cargo-for"));
    cargo.args([
        TARGET,
        "build",
        "--quiet",
        "--release",
        "--package",
        package,
    ]);
    cargo.args(["--features", features]);
    cargo.arg("--target-dir").arg(&folder);
    cargo.current_dir(concat!(env!("CARGO_MANIFEST_DIR"), "/examples/firmware"));
    // It would replace what the configuration there says of the linker.
    cargo.env_remove("RUSTFLAGS");
    let output = cargo.output().unwrap();
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{package}: {errors}");
    let built = folder.join(TARGET).join("release").join(package);
    let kept = folder.join(format!("{package}{features}"));
    // The next one of this name takes its place.
    fs::copy(built, &kept).unwrap();
    kept
}
