//! A network of one's own, without root: opens the lab, runs a command in it and shows on stderr what it sends.
//!
//! ```sh
//! cargo run --example lab -- ip address
//! cargo run --example lab -- ping -c 1 192.168.69.1
//! cargo run --example lab                               # a shell
//! ```
//!
//! No stack is at the other end yet: the ping shows Linux asking "who has 192.168.69.1?", and nobody answers.

use glasstack::device::Tap;
use glasstack::host::{exit_code, lab::Lab};
use glasstack::smoltcp::phy::{Device, RxToken};
use glasstack::smoltcp::time::Instant;
use glasstack::smoltcp::wire::{EthernetFrame, PrettyPrinter};
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use std::io::{self, PipeReader};
use std::os::fd::AsFd;
use std::process::ExitCode;
use std::{env, thread};

fn main() -> ExitCode {
    match run() {
        Ok(code) => ExitCode::from(code),
        Err(error) => {
            eprintln!("{error}");
            // As a shell says "command not found".
            ExitCode::from(127)
        }
    }
}

fn run() -> io::Result<u8> {
    let mut command: Vec<String> = env::args().skip(1).collect();
    if matches!(command.first().map(String::as_str), Some("-h" | "--help")) {
        println!(
            "Usage: lab [[--] COMMAND...]\n\nRuns COMMAND (or a shell) in a private network and shows on stderr what it sends."
        );
        return Ok(0);
    }
    // As the other examples have it.
    if command.first().is_some_and(|first| first == "--") {
        command.remove(0);
    }
    let mut lab = Lab::enter()?;
    if let Err(reason) = lab.ipv6() {
        eprintln!("the lab has no IPv6: {reason}");
    }
    let tap = lab.tap()?;
    let mut peer = lab.spawn(&command)?;

    // The pipe's end is closed when the command has ended.
    let (ended, end) = io::pipe()?;
    let waiter = thread::spawn(move || {
        let _end = end;
        peer.wait()
    });
    show_frames(tap, ended)?;
    let status = waiter
        .join()
        .map_err(|_| io::Error::other("the waiting thread panicked"))??;
    Ok(exit_code(status))
}

/// Prints each frame until the command has ended and nothing is left.
fn show_frames(mut tap: Tap, ended: PipeReader) -> io::Result<()> {
    loop {
        let mut waiting = [
            PollFd::new(tap.as_fd(), PollFlags::POLLIN),
            PollFd::new(ended.as_fd(), PollFlags::POLLIN),
        ];
        poll(&mut waiting, PollTimeout::NONE)?;
        let is_over = waiting[1].any().unwrap_or(true);

        while let Some((frame, _)) = tap.receive(Instant::now()) {
            frame.consume(|frame| {
                eprintln!("{}", PrettyPrinter::<EthernetFrame<&[u8]>>::new("", &frame));
            });
        }
        if tap.is_gone() {
            eprintln!("{} is gone", tap.name());
        }
        if is_over || tap.is_gone() {
            return Ok(());
        }
    }
}
