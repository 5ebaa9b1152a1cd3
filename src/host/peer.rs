//! A program that runs beside the stack and ends with it.

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use std::io;
use std::os::unix::process::ExitStatusExt;
use std::process::{Child, Command, ExitStatus};
use std::thread;
use std::time::{Duration, Instant};

/// How long a program has between SIGTERM and SIGKILL.
const GRACE: Duration = Duration::from_secs(2);
/// How often its end is looked for meanwhile.
const INTERVAL: Duration = Duration::from_millis(5);

/// A child process that is ended, and waited for, when the value is dropped.
///
/// It speaks of the program alone: what that program has started itself is that program's to end.
#[derive(Debug)]
pub struct Peer(Child);

impl Peer {
    /// Starts the program.
    ///
    /// # Errors
    ///
    /// The operating system's, with the program's name: `NotFound`, `PermissionDenied`, …
    pub fn spawn(command: &mut Command) -> io::Result<Peer> {
        let child = command.spawn().map_err(|error| {
            let program = command.get_program().to_string_lossy();
            io::Error::new(error.kind(), format!("{program}: {error}"))
        })?;
        Ok(Peer(child))
    }

    /// The process id.
    pub fn id(&self) -> u32 {
        self.0.id()
    }

    /// Waits until the program ends by itself.
    ///
    /// # Errors
    ///
    /// Those of `waitpid(2)`.
    pub fn wait(&mut self) -> io::Result<ExitStatus> {
        self.0.wait()
    }

    /// The program's status if it has ended, without waiting.
    ///
    /// # Errors
    ///
    /// Those of `waitpid(2)`.
    pub fn try_wait(&mut self) -> io::Result<Option<ExitStatus>> {
        self.0.try_wait()
    }

    /// Ends the program: SIGTERM, and SIGKILL where it goes on for two seconds more.
    ///
    /// # Errors
    ///
    /// Those of `kill(2)` and `waitpid(2)`.
    pub fn stop(&mut self) -> io::Result<ExitStatus> {
        if let Some(status) = self.0.try_wait()? {
            return Ok(status);
        }
        // Not waited for yet, so the id is still this child's.
        kill(Pid::from_raw(self.0.id().cast_signed()), Signal::SIGTERM)?;
        let end = Instant::now() + GRACE;
        while Instant::now() < end {
            if let Some(status) = self.0.try_wait()? {
                return Ok(status);
            }
            thread::sleep(INTERVAL);
        }
        self.0.kill()?;
        self.0.wait()
    }
}

impl Drop for Peer {
    fn drop(&mut self) {
        // Nobody is left to tell; what cannot be ended here ends with its terminal.
        let _ = self.stop();
    }
}

/// The status as a shell's `$?` gives it: the exit code, or 128 and the number of the signal that ended the program.
pub fn exit_code(status: ExitStatus) -> u8 {
    let code = status.code();
    let code = code.or_else(|| status.signal().map(|signal| 128 + signal));
    code.and_then(|code| u8::try_from(code).ok())
        .unwrap_or(u8::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::{BufRead, BufReader};
    use std::process::Stdio;

    /// A shell script that has said "ready": its traps are set.
    fn ready(script: &str) -> io::Result<Peer> {
        let mut command = Command::new("sh");
        command.args(["-c", script]).stdout(Stdio::piped());
        let mut peer = Peer::spawn(&mut command)?;
        if let Some(stdout) = peer.0.stdout.take() {
            BufReader::new(stdout).read_line(&mut String::new())?;
        }
        Ok(peer)
    }

    #[test]
    fn codes_are_a_shells() -> io::Result<()> {
        assert_eq!(exit_code(ready("exit 7")?.wait()?), 7);
        assert_eq!(exit_code(ready("kill -9 $$")?.wait()?), 128 + 9);
        Ok(())
    }

    #[test]
    fn stop_is_gentle_first() -> io::Result<()> {
        let mut peer = ready("trap 'exit 3' TERM; echo ready; while :; do sleep 0.01; done")?;
        assert_eq!(exit_code(peer.stop()?), 3);
        // And once more is harmless.
        assert_eq!(exit_code(peer.stop()?), 3);
        Ok(())
    }

    #[test]
    fn a_program_that_will_not_hear_is_killed() -> io::Result<()> {
        let mut peer = ready("trap '' TERM; echo ready; while :; do sleep 0.01; done")?;
        assert_eq!(exit_code(peer.stop()?), 128 + 9);
        Ok(())
    }

    #[test]
    fn a_dropped_peer_is_no_more() -> io::Result<()> {
        let peer = ready("echo ready; exec sleep 1000")?;
        let id = Pid::from_raw(peer.id().cast_signed());
        assert!(kill(id, None).is_ok());
        drop(peer);
        assert!(kill(id, None).is_err());
        Ok(())
    }

    #[test]
    fn a_missing_program_is_named() {
        let error = Peer::spawn(&mut Command::new("no-such-program")).map(drop);
        let error = error.map_err(|error| (error.kind(), error.to_string()));
        assert!(
            matches!(&error, Err((io::ErrorKind::NotFound, text)) if text.starts_with("no-such-program: ")),
            "{error:?}"
        );
    }
}
