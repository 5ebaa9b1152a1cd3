//! How the screen looks: `ss`'s columns, as wide as what is in them.

use core::fmt::{self, Display, Formatter, Write};
use core::net::IpAddr;
use core::time::Duration;

use crate::stack::option::Options;

/// An address and a port, as `ss` writes them.
#[derive(Clone, Copy)]
pub(super) struct Address {
    /// `None`: any address of both families, which is `*`.
    pub(super) addr: Option<IpAddr>,
    pub(super) port: u16,
}

impl Address {
    fn host(&self) -> Host {
        Host(self.addr)
    }

    fn port(&self) -> Port {
        Port(self.port)
    }
}

struct Host(Option<IpAddr>);

impl Display for Host {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match self.0 {
            None => f.write_str("*"),
            Some(IpAddr::V4(v4)) => write!(f, "{v4}"),
            Some(IpAddr::V6(v6)) => write!(f, "[{v6}]"),
        }
    }
}

struct Port(u16);

impl Display for Port {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match self.0 {
            0 => f.write_str("*"),
            port => write!(f, "{port}"),
        }
    }
}

/// A socket's line, and the one below it.
pub(super) struct Row<'s> {
    pub(super) net: &'static str,
    pub(super) state: &'static str,
    pub(super) receive_queue: usize,
    pub(super) send_queue: usize,
    pub(super) local: Address,
    pub(super) peer: Address,
    pub(super) descriptor: Option<u16>,
    /// Which, what is left of it, how often it expired.
    pub(super) timer: Option<(&'static str, Duration, u8)>,
    pub(super) details: Option<Details<'s>>,
}

pub(super) struct Details<'s> {
    pub(super) congestion_control: &'static str,
    pub(super) rto: Option<Duration>,
    pub(super) backoff: u8,
    pub(super) options: Option<&'s Options>,
}

impl Display for Details<'_> {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.congestion_control)?;
        if let Some(rto) = self.rto {
            write!(f, " rto:{}", rto.as_millis())?;
        }
        if self.backoff > 0 {
            write!(f, " backoff:{}", self.backoff)?;
        }
        let Some(options) = self.options else {
            return Ok(());
        };
        if options.no_delay {
            write!(f, " nodelay")?;
        }
        if options.hop_limit != Options::DEFAULT.hop_limit {
            write!(f, " ttl:{}", options.hop_limit)?;
        }
        if options.keep_alive {
            write!(f, " keepalive:{}", Time(options.keep_alive_idle))?;
        }
        if let Some(time) = options.user_timeout {
            write!(f, " user_timeout:{}", Time(time))?;
        }
        Ok(())
    }
}

/// A time as `ss` shortens it, with milliseconds below ten seconds and none above.
struct Time(Duration);

impl Display for Time {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let (all, millis) = (self.0.as_secs(), self.0.subsec_millis());
        let (minutes, seconds) = (all / 60, all % 60);
        match (minutes, seconds) {
            (10.., _) | (1.., 0) => write!(f, "{minutes}min"),
            (1.., _) => write!(f, "{minutes}min{seconds}sec"),
            (0, 0) => write!(f, "{millis}ms"),
            (0, 10..) => write!(f, "{seconds}sec"),
            (0, _) if millis == 0 => write!(f, "{seconds}sec"),
            (0, _) if millis % 100 == 0 => write!(f, "{seconds}.{}sec", millis / 100),
            (0, _) => write!(f, "{seconds}.{millis:03}sec"),
        }
    }
}

/// The widths of the columns that depend on what is in them.
struct Widths {
    state: usize,
    local: (usize, usize),
    peer: (usize, usize),
}

impl Widths {
    const HEADER: Widths = Widths {
        state: "State".len(),
        local: ("Local Address".len(), "Port".len()),
        peer: ("Peer Address".len(), "Port".len()),
    };

    fn take_in(mut self, row: &Row<'_>) -> Widths {
        let address = |widths: (usize, usize), address: &Address| {
            let (addr, port) = (width(&address.host()), width(&address.port()));
            (widths.0.max(addr), widths.1.max(port))
        };
        self.state = self.state.max(row.state.len());
        self.local = address(self.local, &row.local);
        self.peer = address(self.peer, &row.peer);
        self
    }
}

/// Counts what is written into it.
struct Width(usize);

impl Write for Width {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        self.0 += text.len();
        Ok(())
    }
}

fn width(value: &impl Display) -> usize {
    let mut width = Width(0);
    // It cannot fail: all texts can be counted.
    let _ = write!(width, "{value}");
    width.0
}

/// `value` with spaces before and after it, so that both columns are filled.
fn pad(f: &mut Formatter<'_>, before: usize, value: &impl Display, after: usize) -> fmt::Result {
    let width = width(value);
    write!(f, "{:1$}", "", before.saturating_sub(width))?;
    write!(f, "{value}{:1$}", "", after.saturating_sub(width))
}

/// Prints the rows, which are asked for twice: the first time for their widths.
pub(super) fn print<'s, I: Iterator<Item = Row<'s>>>(
    f: &mut Formatter<'_>,
    rows: impl Fn() -> I,
) -> fmt::Result {
    let widths = rows().fold(Widths::HEADER, |widths, row| widths.take_in(&row));
    let Widths { state, local, peer } = widths;
    writeln!(
        f,
        "Netid {:state$} Recv-Q Send-Q {:>local_addr$}:{:local_port$} {:>peer_addr$}:{:peer_port$} Process",
        "State",
        "Local Address",
        "Port",
        "Peer Address",
        "Port",
        local_addr = local.0,
        local_port = local.1,
        peer_addr = peer.0,
        peer_port = peer.1,
    )?;
    for row in rows() {
        let (receive, send) = (row.receive_queue, row.send_queue);
        write!(
            f,
            "{:5} {:state$} {receive:<6} {send:<6} ",
            row.net, row.state
        )?;
        for (address, widths) in [(&row.local, local), (&row.peer, peer)] {
            pad(f, widths.0, &address.host(), 0)?;
            f.write_str(":")?;
            pad(f, 0, &address.port(), widths.1)?;
            f.write_str(" ")?;
        }
        match row.descriptor {
            Some(descriptor) => write!(f, "fd={descriptor}")?,
            None => write!(f, "-")?,
        }
        if let Some((name, left, expired)) = row.timer {
            write!(f, " timer:({name},{},{expired})", Time(left))?;
        }
        writeln!(f)?;
        if let Some(details) = row.details {
            writeln!(f, "\t {details}")?;
        }
    }
    Ok(())
}
