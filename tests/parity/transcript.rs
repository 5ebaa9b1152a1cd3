//! What calls gave, in a form that is the same wherever they were made.

use std::{
    io::{self, ErrorKind, Read},
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr},
    sync::mpsc,
    thread,
    time::{Duration, Instant},
};

/// Far above what anything here takes; a call that hangs is a failure and not a hang.
const PATIENCE: Duration = Duration::from_secs(60);

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Family {
    V4,
    V6,
}

pub(super) const BOTH: &[Family] = &[Family::V4, Family::V6];

impl Family {
    pub(super) fn localhost(self) -> IpAddr {
        match self {
            Family::V4 => Ipv4Addr::LOCALHOST.into(),
            Family::V6 => Ipv6Addr::LOCALHOST.into(),
        }
    }

    pub(super) fn wildcard(self) -> IpAddr {
        match self {
            Family::V4 => Ipv4Addr::UNSPECIFIED.into(),
            Family::V6 => Ipv6Addr::UNSPECIFIED.into(),
        }
    }
}

/// The calls so far, a line each.
#[derive(Default)]
pub(super) struct Log {
    lines: Vec<String>,
    names: Vec<(u16, &'static str)>,
}

impl Log {
    /// Writes down what a call gave, and passes its value on.
    pub(super) fn call<T: Show>(&mut self, what: &str, result: io::Result<T>) -> Option<T> {
        let shown = match &result {
            Ok(value) => value.show(self),
            Err(error) => error.show(self),
        };
        self.lines.push(format!("{what}: {shown}"));
        result.ok()
    }

    /// Ports differ from run to run: the name is shown in this one's place.
    pub(super) fn name(&mut self, address: SocketAddr, name: &'static str) {
        self.names.push((address.port(), name));
    }
}

/// How a value is written down.
pub(super) trait Show {
    fn show(&self, log: &Log) -> String;
}

impl Show for () {
    fn show(&self, _: &Log) -> String {
        "done".into()
    }
}

macro_rules! as_debug {
    ($($type:ty),*) => {$(
        impl Show for $type {
            fn show(&self, _: &Log) -> String {
                format!("{self:?}")
            }
        }
    )*};
}
as_debug!(bool, u32, usize, String, Option<Duration>);

/// Opened, which is enough to know.
macro_rules! as_opened {
    ($($type:ty),*) => {$(
        impl Show for $type {
            fn show(&self, _: &Log) -> String {
                "a socket".into()
            }
        }
    )*};
}
as_opened!(
    std::net::TcpListener,
    std::net::TcpStream,
    std::net::UdpSocket,
    glasstack::socket::blocking::TcpListener,
    glasstack::socket::blocking::TcpStream,
    glasstack::socket::blocking::UdpSocket
);

impl Show for SocketAddr {
    fn show(&self, log: &Log) -> String {
        let mapped = self.is_ipv6() && self.ip().to_canonical().is_ipv4();
        let host = match self.ip().to_canonical() {
            ip if ip.is_loopback() => "localhost".into(),
            ip if ip.is_unspecified() => "any".into(),
            ip => ip.to_string(),
        };
        let mapped = if mapped { "mapped " } else { "" };
        let named = log
            .names
            .iter()
            .rev()
            .find(|(port, _)| *port == self.port());
        let port = match (self.port(), named) {
            (0, _) => "0",
            (_, Some((_, name))) => name,
            _ => "a port",
        };
        format!("{mapped}{host}:{port}")
    }
}

impl<A: Show, B: Show> Show for (A, B) {
    fn show(&self, log: &Log) -> String {
        format!("{} {}", self.0.show(log), self.1.show(log))
    }
}

impl Show for Option<io::Error> {
    fn show(&self, log: &Log) -> String {
        match self {
            Some(error) => format!("the error {}", error.show(log)),
            None => "no error".into(),
        }
    }
}

/// By its kind. The kernel's errors without a stable kind are shown by their name, ours by theirs.
impl Show for io::Error {
    fn show(&self, _: &Log) -> String {
        let ours = self
            .get_ref()
            .and_then(|cause| cause.downcast_ref::<glasstack::Error>());
        match (self.kind(), self.raw_os_error(), ours) {
            (ErrorKind::Other, None, Some(error)) => error.errno().into(),
            (kind, Some(errno), _) if format!("{kind:?}") == "Uncategorized" => {
                format!("{:?}", nix::errno::Errno::from_raw(errno))
            }
            (kind, _, _) => format!("{kind:?}"),
        }
    }
}

/// What `poll` told of a socket, in Linux's bits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Bits(pub(super) u16);

impl Bits {
    pub(super) const IN: Bits = Bits(0x0001);
    pub(super) const OUT: Bits = Bits(0x0004);
    pub(super) const ERR: Bits = Bits(0x0008);
    pub(super) const HUP: Bits = Bits(0x0010);
    pub(super) const NVAL: Bits = Bits(0x0020);
    pub(super) const RDHUP: Bits = Bits(0x2000);

    pub(super) fn has(self, other: Bits) -> bool {
        self.0 & other.0 == other.0
    }
}

impl Show for Bits {
    fn show(&self, _: &Log) -> String {
        let names = [
            (Bits::IN, "IN"),
            (Bits::OUT, "OUT"),
            (Bits::ERR, "ERR"),
            (Bits::HUP, "HUP"),
            (Bits::NVAL, "NVAL"),
            (Bits::RDHUP, "RDHUP"),
        ];
        let names = names.iter().filter(|(bits, _)| self.has(*bits));
        let names: Vec<_> = names.map(|(_, name)| *name).collect();
        match names.is_empty() {
            true => "nothing".into(),
            false => names.join(" "),
        }
    }
}

/// What one read gave, as text.
pub(super) fn read(mut from: impl Read, len: usize) -> io::Result<String> {
    let mut buffer = vec![0; len];
    let len = from.read(&mut buffer)?;
    Ok(String::from_utf8_lossy(&buffer[..len]).into_owned())
}

/// Repeats `condition` until it holds: what the other end did shows here when its segment has arrived, on the kernel's loopback
/// as on ours.
pub(super) fn until(mut condition: impl FnMut() -> bool) -> io::Result<()> {
    let start = Instant::now();
    while !condition() {
        if start.elapsed() > PATIENCE / 2 {
            return Err(io::Error::other("it never came true"));
        }
        thread::yield_now();
    }
    Ok(())
}

/// Runs `body` and compares what it wrote down with the lines of `expected` that are of this world.
pub(super) fn check(
    world: &str,
    family: Family,
    expected: &str,
    body: impl FnOnce(&mut Log) -> io::Result<()> + Send + 'static,
) {
    let (done, wait) = mpsc::channel();
    let thread = thread::spawn(move || {
        let mut log = Log::default();
        let result = body(&mut log);
        let _ = done.send(());
        (result, log.lines)
    });
    let hangs = wait.recv_timeout(PATIENCE) == Err(mpsc::RecvTimeoutError::Timeout);
    assert!(!hangs, "{world}, {family:?}: a call hangs");
    let (result, lines) = thread.join().expect("the calls do not panic");
    let expected = expected.trim().lines().map(str::trim);
    let expected: Vec<_> = expected
        .filter_map(|line| match line.split_once(": ") {
            Some((of @ ("kernel" | "ours"), line)) => (of == world).then_some(line),
            _ => Some(line),
        })
        .collect();
    let (expected, lines) = (expected.join("\n"), lines.join("\n"));
    assert!(
        lines == expected,
        "{world}, {family:?}, showed\n{lines}\n--- and not\n{expected}\n---"
    );
    let error = result.err();
    assert!(error.is_none(), "{world}, {family:?}: {error:?}");
}
