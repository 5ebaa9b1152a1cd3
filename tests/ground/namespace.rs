//! Another network namespace, beside the lab's.

use std::{
    ffi::OsStr,
    io::{Read, Write},
    process::{Child, Command, Stdio},
};

/// A network of its own, with nothing in it but `lo`, gone with the value (and with the test, however that ends).
pub(crate) struct Namespace {
    /// A `cat` that has it, until its input ends.
    holder: Child,
}

impl Namespace {
    pub(crate) fn new() -> Namespace {
        let mut holder = Command::new("unshare")
            .args(["--net", "cat"])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("unshare(1)");
        // Its echo says that it is there.
        let (input, output) = (holder.stdin.as_mut(), holder.stdout.as_mut());
        let (input, output) = (input.expect("a pipe"), output.expect("a pipe"));
        input.write_all(b"\n").expect("cat reads");
        output
            .read_exact(&mut [0])
            .expect("unshare(1) makes a network");
        Namespace { holder }
    }

    /// The process that `ip link set ... netns PID` knows it by.
    pub(crate) fn id(&self) -> u32 {
        self.holder.id()
    }

    /// A program with its arguments, to be run in it.
    pub(crate) fn command<S: AsRef<OsStr>>(&self, command: &[S]) -> Command {
        let mut nsenter = Command::new("nsenter");
        nsenter
            .arg(format!("--net=/proc/{}/ns/net", self.id()))
            .args(command);
        nsenter
    }
}

impl Drop for Namespace {
    fn drop(&mut self) {
        drop(self.holder.stdin.take());
        let _ = self.holder.wait();
    }
}
