//! A dnsmasq in the lab.
#![allow(dead_code, reason = "not every test reads its log")]

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Stdio;

use glasstack::host::{Peer, lab::Lab};

/// One that knows nothing of the one before, nor of the machine's.
pub(crate) struct Dnsmasq {
    _peer: Peer,
    log: PathBuf,
}

impl Dnsmasq {
    /// Its log is this file; what it serves is in the options.
    pub(crate) fn start(lab: &Lab, log: PathBuf, options: &[String]) -> Dnsmasq {
        let programs = ["/usr/sbin/dnsmasq", "/sbin/dnsmasq"];
        let program = programs.into_iter().find(|path| Path::new(path).exists());
        let apart = [
            program.unwrap_or("dnsmasq"),
            "--no-daemon",
            "--conf-file=/dev/null",
            "--no-resolv",
            "--no-hosts",
            "--user=",
            "--pid-file=",
            "--bind-interfaces",
        ];
        let mut words = apart.map(str::to_owned).to_vec();
        words.push(format!("--log-facility={}", log.display()));
        words.extend_from_slice(options);
        let mut command = lab.command(&words);
        // What it says is in its log, too.
        let peer = Peer::spawn(command.stderr(Stdio::null())).expect("dnsmasq starts");
        Dnsmasq { _peer: peer, log }
    }

    pub(crate) fn log(&self) -> String {
        fs::read_to_string(&self.log).unwrap_or_default()
    }
}
