//! Where a program runs: on a TAP interface that exists already, or in a lab of its own.
#![allow(
    dead_code,
    reason = "each program needs its part: a server no patience, a client no waiting for the peer"
)]

use std::{
    error::Error,
    io,
    net::{IpAddr, SocketAddr},
    process::{ExitCode, Stdio},
    thread,
    time::{Duration, Instant},
};

use clap::{ArgGroup, Args};
use glasstack::{
    device::{Tap, wire::Faulty},
    host::{
        Host, Peer, exit_code,
        lab::{LINUX_V4, LINUX_V6, Lab, PREFIX_V4, PREFIX_V6, STACK_MAC, STACK_V4, STACK_V6, TAP},
    },
    stack::Capacity,
    trace::{Station, ladder::Ends},
};

#[path = "../glass/mod.rs"]
pub(crate) mod glass;
pub(crate) use glasstack::trace::ladder::Side;

/// What each program's `--help` ends with.
pub(crate) const HELP: &str = "\
Addresses on both kinds of place:
  this program's stack   192.168.69.1    fdaa:69::1
  Linux, the peer        192.168.69.100  fdaa:69::100

--lab needs no root: the program makes a network namespace with a TAP in it, seen by itself and
its peer COMMAND alone. For --tap, make the interface once:
  sudo ip tuntap add dev tap0 mode tap user $USER
  sudo ip address add 192.168.69.100/24 dev tap0
  sudo ip address add fdaa:69::100/64 dev tap0
  sudo ip link set tap0 up";

/// What takes longer than this does not come any more: a lost message or two, and the probes for the address.
pub(crate) const DHCP_PATIENCE: Duration = Duration::from_secs(60);
pub(crate) const NO_DHCP_SERVER: &str =
    "no DHCP server has answered (the lab's is dnsmasq, of the package dnsmasq-base, as root)";

/// Anything that can go wrong in a program, to be told in one line.
pub(crate) type Result<T> = std::result::Result<T, Box<dyn Error + Send + Sync>>;

/// Puts the address before an error, which by itself does not say whose it is.
pub(crate) fn with(address: impl Into<SocketAddr>) -> impl Fn(io::Error) -> String {
    let address = address.into();
    move |error| format!("{address}: {error}")
}

/// The options that say where to run.
#[derive(Args)]
#[command(group(ArgGroup::new("where").required(true)))]
pub(crate) struct Place {
    /// Run on this TAP interface, which exists already
    #[arg(long, value_name = "NAME", group = "where")]
    tap: Option<String>,
    /// Run in a private network that this program makes, with COMMAND as the peer
    #[arg(long, group = "where")]
    lab: bool,
    /// Get the IPv4 address by DHCP; in the lab from dnsmasq (as root), which gives the same one
    #[arg(long)]
    pub(crate) dhcp: bool,
    #[command(flatten)]
    pub(crate) glass: glass::Glass,
    #[command(flatten)]
    pub(crate) link: glass::Link,
    /// The peer in the lab [default: a shell]
    #[arg(last = true, value_name = "COMMAND", conflicts_with = "tap")]
    pub(crate) command: Vec<String>,
}

/// The options that say which server a client talks to.
#[derive(Args)]
pub(crate) struct Server {
    /// The server's address [default: 192.168.69.100, with --ipv6 fdaa:69::100]
    #[arg(long, conflicts_with = "ipv6")]
    address: Option<IpAddr>,
    /// The server's port
    #[arg(long, default_value_t = 9999)]
    port: u16,
    /// Talk to Linux over IPv6
    #[arg(long)]
    ipv6: bool,
}

impl Server {
    pub(crate) fn address(&self) -> SocketAddr {
        let linux: IpAddr = match self.ipv6 {
            true => LINUX_V6.into(),
            false => LINUX_V4.into(),
        };
        SocketAddr::new(self.address.unwrap_or(linux), self.port)
    }
}

/// A program in its place: the host to open sockets on, and the peer to talk to.
pub(crate) struct Running {
    /// Our own TCP/IP stack, running.
    pub(crate) host: Host,
    shown: glass::Shown,
    lab: Option<Lab>,
    command: Vec<String>,
    _dhcp_server: Option<Peer>,
}

impl Place {
    /// Whether a TAP or a lab was asked for, where a program has another place, too.
    pub(crate) fn is_given(&self) -> bool {
        self.lab || self.tap.is_some()
    }

    /// Opens the TAP, in a new lab or not. To be called before any thread is started.
    pub(crate) fn device(&self) -> Result<(Option<Lab>, Tap)> {
        match &self.tap {
            Some(name) => {
                let tap = Tap::open(name).map_err(|error| match error.kind() {
                    io::ErrorKind::NotFound => {
                        format!("{error}, and give it the addresses as --help says")
                    }
                    _ => error.to_string(),
                });
                Ok((None, tap?))
            }
            None => {
                let mut lab = Lab::enter()?;
                let tap = lab.tap()?;
                if let Err(error) = lab.ipv6() {
                    eprintln!("the peer has no IPv6 address: {error}");
                }
                Ok((Some(lab), tap))
            }
        }
    }

    /// Starts the lab's DHCP server, where there is a lab and one is asked for.
    pub(crate) fn start_dhcp_server(&self, lab: Option<&Lab>) -> Result<Option<Peer>> {
        let Some(lab) = lab.filter(|_| self.dhcp) else {
            return Ok(None);
        };
        let dnsmasq = format!(
            "PATH=$PATH:/usr/sbin:/sbin exec dnsmasq --no-daemon --conf-file=/dev/null --user= --pid-file= --port=0 \
             --interface={TAP} --bind-interfaces --no-ping --dhcp-authoritative --dhcp-leasefile=/dev/null \
             --dhcp-range={STACK_V4},{STACK_V4},1h"
        );
        let mut command = lab.command(&["sh", "-c", &dnsmasq]);
        Ok(Some(Peer::spawn(command.stderr(Stdio::null()))?))
    }

    /// Starts a host on the TAP or in a new lab, which stands on this `side` of the ladder. To be called before any thread
    /// is started.
    pub(crate) fn enter(
        self,
        side: Side,
        capacity: Capacity,
        name_server: Option<IpAddr>,
    ) -> Result<Running> {
        let (lab, device) = self.device()?;
        let dhcp_server = self.start_dhcp_server(lab.as_ref())?;
        let mut builder = Host::builder()
            .hardware_address(STACK_MAC)
            .address(STACK_V6.into(), PREFIX_V6)
            .gateway(LINUX_V6.into())
            .capacity(capacity);
        builder = match self.dhcp {
            true => builder.dhcp(),
            false => builder
                .address(STACK_V4.into(), PREFIX_V4)
                .gateway(LINUX_V4.into()),
        };
        if let Some(server) = name_server {
            builder = builder.name_server(server);
        }
        let ends = Ends::beside(side, (Station(0), "this stack"), "Linux");
        let shown = self.glass.open(ends, &[(Station(0), "this stack")])?;
        builder = builder.observer(shown.at(Station(0)));
        let host = match self.link.faults(&shown)? {
            Some(faults) => builder.start(Faulty::new(device, faults)?)?,
            None => builder.start(device)?,
        };
        if self.dhcp {
            let configured = host.wait_until_configured(DHCP_PATIENCE);
            configured.map_err(|_| NO_DHCP_SERVER)?;
            for (_, lease) in host.leases() {
                eprintln!(
                    "{}/{} from {}",
                    lease.address, lease.prefix_len, lease.server
                );
            }
        }
        Ok(Running {
            host,
            shown,
            lab,
            command: self.command,
            _dhcp_server: dhcp_server,
        })
    }
}

impl Running {
    /// A client's peer, to be started first; on a TAP there is none, the world is the peer.
    pub(crate) fn start_peer(&self) -> Result<Option<Peer>> {
        match &self.lab {
            Some(lab) => Ok(Some(lab.spawn(&self.command)?)),
            None => Ok(None),
        }
    }

    /// A server's main thread: waits until the peer ends, and passes on its status; on a TAP, for ever.
    pub(crate) fn wait_for_peer(&self) -> Result<ExitCode> {
        match self.start_peer()? {
            Some(mut peer) => {
                let status = peer.wait()?;
                // The peer is gone: what it has not acknowledged it never will.
                let _ = self.host.shutdown(Duration::from_secs(1));
                self.shown.finish()?;
                Ok(exit_code(status).into())
            }
            None => loop {
                thread::park();
            },
        }
    }

    /// A client's patience: tries until it works, for ten seconds, because the peer may still be starting
    /// (for ten minutes, where the peer is a shell and a person has to type).
    pub(crate) fn patiently<T, E>(
        &self,
        mut attempt: impl FnMut() -> std::result::Result<T, E>,
    ) -> std::result::Result<T, E> {
        let by_hand = self.lab.is_some() && self.command.is_empty();
        let deadline = Instant::now() + Duration::from_secs(if by_hand { 600 } else { 10 });
        loop {
            match attempt() {
                Err(_) if Instant::now() < deadline => thread::sleep(Duration::from_millis(50)),
                outcome => return outcome,
            }
        }
    }

    /// The end of a client: the host's last words, then the peer's end.
    pub(crate) fn end(self, peer: Option<Peer>) -> Result<()> {
        // Our connections do not outlive the process as the kernel's do: their FINs leave now or never.
        self.host.shutdown(Duration::from_secs(5))?;
        self.shown.finish()?;
        if let Some(mut peer) = peer {
            peer.stop()?;
        }
        Ok(())
    }
}

/// The end of `main`: the exit code, or the reason on stderr and 1.
pub(crate) fn exit(outcome: Result<ExitCode>) -> ExitCode {
    outcome.unwrap_or_else(|error| {
        eprintln!("error: {error}");
        ExitCode::FAILURE
    })
}
