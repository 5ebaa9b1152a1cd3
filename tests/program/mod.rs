//! The example programs as a test runs them: alone, or in the lab with a peer.
#![allow(dead_code, reason = "each test file uses its part")]

use std::{
    env,
    fs::{self, File},
    io::{self, Write},
    path::{Path, PathBuf},
    process::{Command, Output},
};

use crate::need::{self, Need};

/// Runs an example in the lab with a peer, if the machine can.
pub(crate) fn in_lab(example: &str, options: &[&str], peer: &[&str]) -> Option<Output> {
    let server = program("tcp_server");
    need::all(&[Need::Program("python3", "python3"), Need::Lab(server)]).then(|| {
        let mut command = Command::new(program(example));
        // Python keeps its output back where it is not a terminal.
        command
            .env("PYTHONUNBUFFERED", "1")
            .args(options)
            .arg("--lab")
            .arg("--")
            .args(peer);
        command.output().expect("the example starts")
    })
}

/// An example's program, which `cargo test` has put beside this one's folder.
pub(crate) fn program(example: &str) -> PathBuf {
    let test = env::current_exe().expect("this test's path");
    let target = test
        .ancestors()
        .nth(2)
        .expect("a test lies in target/*/deps");
    let program = target.join("examples").join(example);
    assert!(
        program.exists(),
        "{} is missing: cargo build --examples",
        program.display()
    );
    program
}

pub(crate) fn peer(script: &str) -> String {
    path(
        &Path::new(env!("CARGO_MANIFEST_DIR"))
            .join("tests/peers")
            .join(script),
    )
}

pub(crate) fn path(path: &Path) -> String {
    path.to_str().expect("a path in UTF-8").to_owned()
}

pub(crate) fn lines(output: &Output) -> Vec<String> {
    String::from_utf8_lossy(&output.stdout)
        .lines()
        .map(str::to_owned)
        .collect()
}

pub(crate) fn assert_success(output: &Output) {
    let (stdout, stderr) = (&output.stdout, &output.stderr);
    let (stdout, stderr) = (
        String::from_utf8_lossy(stdout),
        String::from_utf8_lossy(stderr),
    );
    assert!(
        output.status.success(),
        "{}\n{stdout}\n{stderr}",
        output.status
    );
}

/// For each of `rows`, in their order, there is a line with all of its parts.
pub(crate) fn assert_in_order(lines: &[String], rows: &[&[&str]]) {
    let mut rest = lines.iter();
    for parts in rows {
        let found = rest.any(|line| parts.iter().all(|part| line.contains(part)));
        assert!(found, "no {parts:?} where it belongs in {lines:#?}");
    }
}

/// Bytes without a pattern that a misplaced block could hide in (xorshift64).
pub(crate) fn write_noise(file: &Path, length: usize) -> io::Result<()> {
    let mut file = io::BufWriter::new(File::create(file)?);
    let mut state = 0x9E37_79B9_7F4A_7C15_u64;
    for _ in 0..length / 8 {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        file.write_all(&state.to_le_bytes())?;
    }
    file.flush()
}

/// A folder of this test's own, gone with it.
pub(crate) struct Folder(pub(crate) PathBuf);

impl Folder {
    pub(crate) fn new(name: &str) -> Folder {
        let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
        fs::create_dir_all(&folder).expect("a folder under target");
        Folder(folder)
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}
