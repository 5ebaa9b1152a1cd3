//! The lab: a network of one's own, made without root and gone with the program.
//!
//! Linux gives any user a private user namespace, and in it the right to a private network namespace
//! (`user_namespaces(7)`, `network_namespaces(7)`). The lab is such a pair with a TAP in it:
//!
//! ```text
//!   this stack                              Linux, and the programs run in the lab
//!   192.168.69.1, fdaa:69::1  ◀── tap0 ──▶  192.168.69.100, fdaa:69::100
//! ```
//!
//! Nothing else is connected to it, and the machine's own interfaces are not to be seen from inside.

use super::Peer;
use crate::device::{Tap, ioctl};
use core::net::{Ipv4Addr, Ipv6Addr};
use nix::errno::Errno;
use nix::sched::{CloneFlags, unshare};
use nix::unistd::{getegid, geteuid};
use std::ffi::OsStr;
use std::net::UdpSocket;
use std::process::{Command, ExitStatus};
use std::time::{Duration, Instant};
use std::{env, fs, io, thread};

/// The name of the lab's TAP interface.
pub const TAP: &str = "tap0";
/// The stack's IPv4 address.
pub const STACK_V4: Ipv4Addr = Ipv4Addr::new(192, 168, 69, 1);
/// The stack's IPv6 address.
pub const STACK_V6: Ipv6Addr = Ipv6Addr::new(0xfdaa, 0x69, 0, 0, 0, 0, 0, 1);
/// The stack's Ethernet address.
pub const STACK_MAC: [u8; 6] = [0x02, 0, 0, 0, 0, 0x01];
/// The IPv4 address of the Linux side.
pub const LINUX_V4: Ipv4Addr = Ipv4Addr::new(192, 168, 69, 100);
/// The IPv6 address of the Linux side.
pub const LINUX_V6: Ipv6Addr = Ipv6Addr::new(0xfdaa, 0x69, 0, 0, 0, 0, 0, 0x100);
/// Both sides' IPv4 prefix length.
pub const PREFIX_V4: u8 = 24;
/// Both sides' IPv6 prefix length.
pub const PREFIX_V6: u8 = 64;

/// The calling program is in the lab; so are the programs it starts from now on.
#[derive(Debug)]
pub struct Lab {
    tap: Option<Tap>,
    ipv6: io::Result<()>,
}

impl Lab {
    /// Moves the calling process into a lab of its own, for good.
    ///
    /// Call it first of all in `main`: threads that run already would stay outside. The user remains who
    /// they are; ports below 1024 and `ping` are free to all in the lab.
    ///
    /// # Errors
    ///
    /// Other threads run already, the kernel or its configuration forbids the namespaces, or
    /// `/dev/net/tun` cannot be opened: the text says which, and the command that mends it. After
    /// an error the process may be in half a lab, and should end.
    pub fn enter() -> io::Result<Lab> {
        let threads = fs::read_dir("/proc/self/task")?.count();
        if threads > 1 {
            let text =
                format!("the lab must be entered before the program starts threads: {threads} run");
            return Err(io::Error::new(io::ErrorKind::InvalidInput, text));
        }
        unshare_namespaces()?;

        ioctl::bring_up("lo").map_err(|e| context("bringing lo up", e))?;
        let tap = Tap::create(TAP)?;
        // Before it is up, for that is when Linux starts to talk.
        let ipv6 = quiet_ipv6();
        ioctl::set_address_v4(TAP, LINUX_V4, PREFIX_V4)
            .map_err(|e| context("giving tap0 its IPv4 address", e))?;
        ioctl::bring_up(TAP).map_err(|e| context("bringing tap0 up", e))?;
        let ipv6 = ipv6.and_then(|()| add_ipv6());
        open_to_users();
        Ok(Lab {
            tap: Some(tap),
            ipv6,
        })
    }

    /// The stack's end of the TAP. There is one: the first call has it.
    ///
    /// # Errors
    ///
    /// `NotFound` where it was taken already.
    pub fn tap(&mut self) -> io::Result<Tap> {
        self.tap.take().ok_or_else(|| {
            io::Error::new(io::ErrorKind::NotFound, "the lab's TAP is taken already")
        })
    }

    /// Whether the Linux side has its IPv6 address; if not, why.
    pub fn ipv6(&self) -> Result<(), &io::Error> {
        self.ipv6.as_ref().copied()
    }

    /// A program with its arguments, to be run in the lab; the user's `$SHELL` where nothing is given.
    pub fn command<S: AsRef<OsStr>>(&self, command: &[S]) -> Command {
        match command.split_first() {
            Some((program, arguments)) => {
                let mut command = Command::new(program);
                command.args(arguments);
                command
            }
            None => Command::new(env::var_os("SHELL").unwrap_or_else(|| "/bin/sh".into())),
        }
    }

    /// Starts a [`command`](Self::command) in the lab.
    ///
    /// # Errors
    ///
    /// Those of [`Peer::spawn`].
    pub fn spawn<S: AsRef<OsStr>>(&self, command: &[S]) -> io::Result<Peer> {
        Peer::spawn(&mut self.command(command))
    }

    /// Runs a [`command`](Self::command) in the lab to its end.
    ///
    /// # Errors
    ///
    /// Those of [`Peer::spawn`] and [`Peer::wait`].
    pub fn run<S: AsRef<OsStr>>(&self, command: &[S]) -> io::Result<ExitStatus> {
        self.spawn(command)?.wait()
    }
}

/// Makes the two namespaces, in which this user is still themselves.
fn unshare_namespaces() -> io::Result<()> {
    let (uid, gid) = (geteuid(), getegid());
    let both = CloneFlags::CLONE_NEWUSER | CloneFlags::CLONE_NEWNET;
    if let Err(errno) = unshare(both) {
        // Root needs no user namespace for it, and there may be none to have.
        if uid.is_root() && unshare(CloneFlags::CLONE_NEWNET).is_ok() {
            return Ok(());
        }
        return Err(forbidden("making the namespaces", errno.into()));
    }
    // An ordinary user may map their group only after giving up setgroups(2): user_namespaces(7).
    for (file, text) in [
        ("/proc/self/setgroups", "deny".to_owned()),
        ("/proc/self/uid_map", format!("{uid} {uid} 1")),
        ("/proc/self/gid_map", format!("{gid} {gid} 1")),
    ] {
        fs::write(file, text).map_err(|e| forbidden(&format!("writing {file}"), e))?;
    }
    Ok(())
}

/// Keeps Linux from holding its address back for duplicate address detection (RFC 4862 §5.4) and from
/// looking for routers: the lab has no others.
fn quiet_ipv6() -> io::Result<()> {
    for (key, value) in [
        ("disable_ipv6", "0"),
        ("accept_dad", "0"),
        ("accept_ra", "0"),
        ("router_solicitations", "0"),
    ] {
        let file = format!("/proc/sys/net/ipv6/conf/{TAP}/{key}");
        fs::write(&file, value).map_err(|e| context(&format!("writing {file}"), e))?;
    }
    Ok(())
}

/// Gives the Linux side its IPv6 address and waits until it may be used.
fn add_ipv6() -> io::Result<()> {
    ioctl::add_address_v6(TAP, LINUX_V6, PREFIX_V6)
        .map_err(|e| context("giving tap0 its IPv6 address", e))?;
    // Even without duplicate address detection a worker of the kernel's takes it out of "tentative", moments later.
    let end = Instant::now() + Duration::from_secs(5);
    loop {
        match UdpSocket::bind((LINUX_V6, 0)) {
            Ok(_) => return Ok(()),
            Err(error) if Instant::now() > end => {
                return Err(context("waiting for the IPv6 address of tap0", error));
            }
            Err(_) => thread::sleep(Duration::from_millis(1)),
        }
    }
}

/// What a user could do as root elsewhere, without harm here. A convenience: the lab is whole without it.
fn open_to_users() {
    let _ = fs::write("/proc/sys/net/ipv4/ip_unprivileged_port_start", "0");
    let gid = getegid();
    let _ = fs::write(
        "/proc/sys/net/ipv4/ping_group_range",
        format!("{gid} {gid}"),
    );
}

fn context(what: &str, error: io::Error) -> io::Error {
    io::Error::new(error.kind(), format!("lab: {what}: {error}"))
}

/// The error of a namespace call, with what stands in the way.
fn forbidden(what: &str, error: io::Error) -> io::Error {
    let sysctl = |key: &str| fs::read_to_string(format!("/proc/sys/{key}")).ok();
    let remedy = remedy(&error, sysctl);
    io::Error::new(error.kind(), format!("lab: {what}: {error}: {remedy}"))
}

/// What keeps this user from having namespaces, and how to get them.
fn remedy(error: &io::Error, sysctl: impl Fn(&str) -> Option<String>) -> &'static str {
    let is = |key, value| sysctl(key).is_some_and(|text| text.trim() == value);
    if is("user/max_user_namespaces", "0") {
        "user namespaces are switched off: `sudo sysctl user.max_user_namespaces=10000`"
    } else if is("kernel/unprivileged_userns_clone", "0") {
        "user namespaces are for root only: `sudo sysctl kernel.unprivileged_userns_clone=1`"
    } else if is("kernel/apparmor_restrict_unprivileged_userns", "1") {
        "AppArmor keeps user namespaces from ordinary programs: `sudo sysctl kernel.apparmor_restrict_unprivileged_userns=0`"
    } else if matches!(
        error.raw_os_error().map(Errno::from_raw),
        Some(Errno::EINVAL | Errno::ENOSYS)
    ) {
        "this kernel is built without user namespaces (CONFIG_USER_NS): run the program as root"
    } else {
        "a container, a sandbox or a chroot forbids it: run the program outside (or the container with `--privileged`)"
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_error_names_the_setting_that_mends_it() {
        let eperm = io::Error::from_raw_os_error(Errno::EPERM as i32);
        for (key, value, command) in [
            (
                "user/max_user_namespaces",
                "0\n",
                "sysctl user.max_user_namespaces=",
            ),
            (
                "kernel/unprivileged_userns_clone",
                "0\n",
                "sysctl kernel.unprivileged_userns_clone=1",
            ),
            (
                "kernel/apparmor_restrict_unprivileged_userns",
                "1\n",
                "sysctl kernel.apparmor_restrict_unprivileged_userns=0",
            ),
        ] {
            let text = remedy(&eperm, |asked| (asked == key).then(|| value.to_owned()));
            assert!(text.contains(command), "{text}");
        }
        assert!(remedy(&eperm, |_| None).contains("container"));
        let einval = io::Error::from_raw_os_error(Errno::EINVAL as i32);
        assert!(remedy(&einval, |_| None).contains("CONFIG_USER_NS"));
    }

    #[test]
    fn a_program_with_threads_is_told_so() {
        // The test harness's own thread is one already.
        let (end, wait) = std::sync::mpsc::channel::<()>();
        let other = thread::spawn(move || wait.recv());
        let error = Lab::enter().map(drop).map_err(|error| error.kind());
        assert_eq!(error, Err(io::ErrorKind::InvalidInput));
        drop(end);
        let _ = other.join();
    }
}
