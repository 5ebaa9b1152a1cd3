//! What a test needs of the machine: said aloud where it is missing, and a failure in CI.
#![allow(dead_code, reason = "each test file uses its part")]

use std::{
    env,
    fmt::Display,
    path::PathBuf,
    process::{Command, Stdio},
};

/// Whether everything is there. Where it is not, the test says so and is skipped; with `CI=true` it fails.
pub(crate) fn all(needs: &[Need]) -> bool {
    let missing: Vec<_> = needs.iter().filter_map(Need::missing).collect();
    if missing.is_empty() {
        return true;
    }
    skip(&missing.join("; "));
    false
}

/// What the machine gives. Where it gives none, the test says so and is skipped; with `CI=true` it fails.
pub(crate) fn given<T, E: Display>(outcome: Result<T, E>) -> Option<T> {
    outcome.map_err(|error| skip(&error.to_string())).ok()
}

fn skip(missing: &str) {
    let in_ci = env::var("CI").is_ok_and(|value| value == "true");
    assert!(!in_ci, "missing: {missing}");
    eprintln!("SKIPPED, missing: {missing}");
}

/// For what dnsmasq's DHCP and the kernel's bridge take: an ordinary user's programs have no capability in the lab.
pub(crate) const ROOT: Need = Need::Command("test -O /", "root");

/// Something that not every machine has.
pub(crate) enum Need {
    /// A private network with a TAP in it, made by a program that is run for the proof.
    Lab(PathBuf),
    /// A program that can be started, be it to say that it knows no `--version`, and the Debian package that has it.
    Program(&'static str, &'static str),
    /// A command that succeeds, in words without quotes, and what it takes.
    Command(&'static str, &'static str),
}

impl Need {
    /// What is missing, and how to get it.
    fn missing(&self) -> Option<String> {
        match self {
            Need::Lab(server) => {
                let mut command = Command::new(server);
                let output = command.args(["--lab", "--", "true"]).output();
                match output {
                    Ok(output) if output.status.success() => None,
                    Ok(output) => Some(String::from_utf8_lossy(&output.stderr).trim().to_owned()),
                    Err(error) => Some(format!("{}: {error}", server.display())),
                }
            }
            Need::Program(name, package) => {
                let found = ["", "/usr/sbin/", "/sbin/"].iter().any(|folder| {
                    let mut command = Command::new(format!("{folder}{name}"));
                    let command = command
                        .arg("--version")
                        .stdout(Stdio::null())
                        .stderr(Stdio::null());
                    command.status().is_ok()
                });
                (!found).then(|| format!("{name} (Debian: apt-get install {package})"))
            }
            Need::Command(command, what) => {
                let mut words = command.split(' ');
                let name = words.next()?;
                match Command::new(name).args(words).output() {
                    Ok(output) if output.status.success() => None,
                    Ok(output) => {
                        let error = String::from_utf8_lossy(&output.stderr);
                        let error = error.trim();
                        Some(match error.is_empty() {
                            true => what.to_string(),
                            false => format!("{what} ({error})"),
                        })
                    }
                    Err(error) => Some(format!("{what} ({name}: {error})")),
                }
            }
        }
    }
}
