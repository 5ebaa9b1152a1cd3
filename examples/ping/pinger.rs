//! The pings: what is sent when, what came back, and what it sums up to, in the words of iputils' ping.

use std::{
    collections::HashMap,
    fmt,
    io::{self, ErrorKind, Write},
    net::{IpAddr, SocketAddr},
    sync::{Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use glasstack::{
    host::Host,
    socket::blocking::{RawSocket, Received},
    stack::option::{Broadcast, HopLimit, IcmpTypes, MulticastHopLimit},
};

use super::icmp::{self, Echo, Family, HEADER, Heard, Trouble};

/// With less data there is no room for a time in it, and iputils' ping shows none.
const TIMED: usize = 16;

/// Whom to ask, how often and for how long.
#[derive(Clone)]
pub(crate) struct Plan {
    /// As it was asked for.
    pub(crate) name: String,
    pub(crate) address: IpAddr,
    /// For ever, without one.
    pub(crate) count: Option<u64>,
    pub(crate) interval: Duration,
    /// Octets of data.
    pub(crate) size: usize,
    pub(crate) hop_limit: Option<u8>,
    /// How long to wait for the last answer where there was none before.
    pub(crate) patience: Duration,
}

/// What has been sent and heard so far.
pub(crate) struct Tally {
    name: String,
    size: usize,
    start: Instant,
    end: Instant,
    sent: u64,
    received: u64,
    duplicates: u64,
    errors: u64,
    /// When each was sent, by its sequence number, and whether it was answered.
    probes: HashMap<u16, Probe>,
    round_trips: RoundTrips,
    /// How many were under way at once.
    pipe: u64,
}

struct Probe {
    number: u64,
    at: Instant,
    is_over: bool,
}

/// In microseconds.
#[derive(Default)]
struct RoundTrips {
    least: u128,
    most: u128,
    sum: u128,
    squares: u128,
}

impl Tally {
    pub(crate) fn new(plan: &Plan) -> Mutex<Tally> {
        let now = Instant::now();
        Mutex::new(Tally {
            name: plan.name.clone(),
            size: plan.size,
            start: now,
            end: now,
            sent: 0,
            received: 0,
            duplicates: 0,
            errors: 0,
            probes: HashMap::new(),
            round_trips: RoundTrips::default(),
            pipe: 1,
        })
    }

    /// Whether anybody answered.
    pub(crate) fn is_answered(&self) -> bool {
        self.received > 0
    }

    fn note_sent(&mut self, at: Instant) {
        self.sent += 1;
        let probe = Probe {
            number: self.sent,
            at,
            is_over: false,
        };
        self.probes.insert(self.sent as u16, probe);
        self.end = at;
    }

    /// The end of a probe; says whether it was over already.
    fn note_over(&mut self, sequence: u16, now: Instant) -> Option<(Duration, bool)> {
        let probe = self.probes.get_mut(&sequence)?;
        let was_over = std::mem::replace(&mut probe.is_over, true);
        self.pipe = self.pipe.max(self.sent - probe.number + 1);
        Some((now - probe.at, was_over))
    }

    /// The oldest that nobody has answered.
    fn first_open(&self) -> Option<u16> {
        let open = self.probes.values().filter(|probe| !probe.is_over);
        open.map(|probe| probe.number)
            .min()
            .map(|number| number as u16)
    }

    fn is_all_over(&self) -> bool {
        self.probes.values().all(|probe| probe.is_over)
    }
}

impl fmt::Display for Tally {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "\n--- {} ping statistics ---", self.name)?;
        write!(
            f,
            "{} packets transmitted, {} received",
            self.sent, self.received
        )?;
        if self.duplicates > 0 {
            write!(f, ", +{} duplicates", self.duplicates)?;
        }
        if self.errors > 0 {
            write!(f, ", +{} errors", self.errors)?;
        }
        if self.sent > 0 {
            let lost = self.sent.saturating_sub(self.received) as f64;
            let percent = Significant(lost * 100.0 / self.sent as f64);
            let time = (self.end - self.start).as_millis();
            write!(f, ", {percent}% packet loss, time {time}ms")?;
        }
        writeln!(f)?;
        let mut comma = "";
        if self.received > 0 && self.size >= TIMED {
            let count = u128::from(self.received + self.duplicates);
            let RoundTrips {
                least,
                most,
                sum,
                squares,
            } = self.round_trips;
            let average = sum / count;
            let deviation = ((squares - sum * sum / count) / count).isqrt();
            let [least, average, most, deviation] =
                [least, average, most, deviation].map(Milliseconds);
            write!(
                f,
                "rtt min/avg/max/mdev = {least}/{average}/{most}/{deviation} ms"
            )?;
            comma = ", ";
        }
        if self.pipe > 1 {
            write!(f, "{comma}pipe {}", self.pipe)?;
        }
        writeln!(f)
    }
}

/// Microseconds, written as milliseconds.
struct Milliseconds(u128);

impl fmt::Display for Milliseconds {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{:03}", self.0 / 1_000, self.0 % 1_000)
    }
}

/// Six significant digits, without zeros at the end: C's `%g`, for 0 to 100.
struct Significant(f64);

impl fmt::Display for Significant {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let whole = (self.0 as u64).to_string().len();
        let decimals = match self.0 {
            small if small < 1.0 => 6,
            _ => 6 - whole.min(6),
        };
        let text = format!("{:.decimals$}", self.0);
        let text = match text.contains('.') {
            true => text.trim_end_matches('0').trim_end_matches('.'),
            false => &text,
        };
        f.write_str(text)
    }
}

/// A round trip, as precise as iputils' ping finds it worth.
struct RoundTrip(u128);

impl fmt::Display for RoundTrip {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let micros = self.0;
        match micros {
            100_000.. => write!(f, "{}", (micros + 500) / 1_000),
            10_000.. => {
                let tenths = (micros + 50) / 100;
                write!(f, "{}.{}", tenths / 10, tenths % 10)
            }
            1_000.. => {
                let hundredths = (micros + 5) / 10;
                write!(f, "{}.{:02}", hundredths / 100, hundredths % 100)
            }
            _ => write!(f, "{}", Milliseconds(micros)),
        }
    }
}

/// Sends pings until the plan is carried out, and tells of each answer. (The tally is shared: who ends the program before
/// that wants it, too.)
pub(crate) fn run(
    host: &Host,
    plan: &Plan,
    tally: &Mutex<Tally>,
    out: &mut impl Write,
) -> io::Result<()> {
    let family = Family::of(plan.address);
    let socket = RawSocket::new(host, family.domain(), family.protocol())?;
    socket.setsockopt(IcmpTypes, family.filter())?;
    socket.setsockopt(Broadcast, true)?;
    if let Some(hops) = plan.hop_limit {
        socket.setsockopt(HopLimit, hops)?;
        socket.setsockopt(MulticastHopLimit, hops)?;
    }
    let mut pinger = Pinger {
        host,
        socket,
        plan,
        family,
        // Another number than any other ping's of this host.
        identifier: std::process::id() as u16,
        data: (0..plan.size).map(|index| index as u8).collect(),
        tally,
        out,
    };
    pinger.title()?;
    pinger.run()
}

fn lock(tally: &Mutex<Tally>) -> MutexGuard<'_, Tally> {
    tally.lock().unwrap_or_else(PoisonError::into_inner)
}

struct Pinger<'p, W> {
    host: &'p Host,
    socket: RawSocket,
    plan: &'p Plan,
    family: Family,
    identifier: u16,
    data: Vec<u8>,
    tally: &'p Mutex<Tally>,
    out: &'p mut W,
}

impl<W: Write> Pinger<'_, W> {
    fn title(&mut self) -> io::Result<()> {
        let Plan {
            name,
            address,
            size,
            ..
        } = self.plan;
        match self.family {
            Family::V4 => {
                let packet = size + HEADER + self.family.ip_header();
                writeln!(
                    self.out,
                    "PING {name} ({address}) {size}({packet}) bytes of data."
                )
            }
            Family::V6 => writeln!(self.out, "PING {name}({address}) {size} data bytes"),
        }
    }

    fn run(&mut self) -> io::Result<()> {
        let mut next = Instant::now();
        lock(self.tally).start = next;
        let mut buffer = vec![0; usize::from(u16::MAX)];
        loop {
            let now = Instant::now();
            let sent = lock(self.tally).sent;
            let is_more = self.plan.count.is_none_or(|count| sent < count);
            if is_more && now >= next {
                self.send()?;
                next += self.plan.interval;
                continue;
            }
            let until = match is_more {
                true => next,
                false => self.end(next - self.plan.interval),
            };
            let left = until.saturating_duration_since(Instant::now());
            let is_over = !is_more && (left.is_zero() || lock(self.tally).is_all_over());
            if is_over {
                return Ok(());
            }
            if left.is_zero() {
                continue;
            }
            self.socket.set_read_timeout(Some(left))?;
            match self.socket.recv_message(&mut buffer) {
                Ok(received) => {
                    let packet = buffer.get(..received.len).unwrap_or_default();
                    self.hear(packet, &received)?;
                }
                Err(error) if error.kind() == ErrorKind::WouldBlock => {}
                Err(error) => self.hear_failure(error)?,
            }
        }
    }

    /// How long the last answer is waited for: two round trips, if there were any.
    fn end(&self, last: Instant) -> Instant {
        let tally = lock(self.tally);
        let most = Duration::from_micros(tally.round_trips.most as u64);
        last + match tally.is_answered() {
            true => (2 * most).max(self.plan.interval),
            false => self.plan.patience,
        }
    }

    fn send(&mut self) -> io::Result<()> {
        let to = SocketAddr::new(self.plan.address, 0);
        let sequence = {
            let mut tally = lock(self.tally);
            tally.note_sent(Instant::now());
            tally.sent as u16
        };
        let message = icmp::request(self.family, self.identifier, sequence, &self.data);
        loop {
            match self.socket.send_to(&message, to) {
                Ok(_) => return Ok(()),
                // It is about one that was sent before.
                Err(error) if error.kind() == ErrorKind::HostUnreachable => {
                    self.hear_failure(error)?;
                }
                Err(error) => return Err(error),
            }
        }
    }

    fn hear(&mut self, packet: &[u8], received: &Received) -> io::Result<()> {
        match icmp::read(self.family, packet) {
            Some(Heard::Reply(echo)) if echo.identifier == self.identifier => {
                self.hear_reply(&echo, received)
            }
            Some(Heard::Error(trouble, quoted)) if quoted.destination == self.plan.address => {
                match quoted.echo() {
                    Some((identifier, sequence)) if identifier == self.identifier => {
                        self.hear_error(trouble, sequence, received.from.ip())
                    }
                    _ => Ok(()),
                }
            }
            _ => Ok(()),
        }
    }

    fn hear_reply(&mut self, echo: &Echo<'_>, received: &Received) -> io::Result<()> {
        let mut tally = lock(self.tally);
        let Some((time, was_over)) = tally.note_over(echo.sequence, Instant::now()) else {
            return Ok(()); // an answer to nothing
        };
        let micros = time.as_micros();
        let times = &mut tally.round_trips;
        times.least = match times.sum {
            0 => micros,
            _ => times.least.min(micros),
        };
        times.most = times.most.max(micros);
        times.sum += micros;
        times.squares += micros * micros;
        match was_over {
            true => tally.duplicates += 1,
            false => tally.received += 1,
        }
        drop(tally);
        let len = HEADER + echo.data.len();
        let from = self.name_of(received.from.ip());
        let (sequence, hops) = (echo.sequence, received.hop_limit);
        write!(
            self.out,
            "{len} bytes from {from}: icmp_seq={sequence} ttl={hops}"
        )?;
        if self.plan.size >= TIMED {
            write!(self.out, " time={} ms", RoundTrip(micros))?;
        }
        if was_over {
            write!(self.out, " (DUP!)")?;
        }
        let sent_and_heard = (0..).zip(self.data.iter().zip(echo.data));
        let mut wrong = sent_and_heard.filter(|(_, (sent, heard))| sent != heard);
        if let Some((index, (sent, heard))) = wrong.next() {
            let index: usize = index;
            write!(
                self.out,
                "\nwrong data byte #{index} should be 0x{sent:x} but was 0x{heard:x}"
            )?;
        }
        writeln!(self.out)?;
        self.out.flush()
    }

    fn hear_error(&mut self, trouble: Trouble, sequence: u16, from: IpAddr) -> io::Result<()> {
        let mut tally = lock(self.tally);
        if tally.note_over(sequence, Instant::now()).is_none() {
            return Ok(());
        }
        tally.errors += 1;
        drop(tally);
        let text = trouble.text();
        writeln!(self.out, "From {from} icmp_seq={sequence} {text}")?;
        self.out.flush()
    }

    /// Nobody on our own link answers for the address: that is told by this host, without a message.
    fn hear_failure(&mut self, error: io::Error) -> io::Result<()> {
        let first = lock(self.tally).first_open();
        let (ErrorKind::HostUnreachable, Some(sequence)) = (error.kind(), first) else {
            return Err(error);
        };
        let trouble = Trouble {
            is_v4: self.family == Family::V4,
            kind: if self.family == Family::V4 { 3 } else { 1 },
            code: if self.family == Family::V4 { 1 } else { 3 },
            word: 0,
        };
        let from = self.own_address()?;
        self.hear_error(trouble, sequence, from)
    }

    /// The address that this host speaks from: that of a socket which is connected there.
    fn own_address(&self) -> io::Result<IpAddr> {
        let socket = RawSocket::new(self.host, self.family.domain(), self.family.protocol())?;
        socket.connect(SocketAddr::new(self.plan.address, 0))?;
        Ok(socket.local_addr()?.ip())
    }

    /// A host is called as it was asked for, with its address.
    fn name_of(&self, address: IpAddr) -> String {
        let is_asked = address == self.plan.address && self.plan.name.parse::<IpAddr>().is_err();
        match is_asked {
            true => format!("{} ({address})", self.plan.name),
            false => address.to_string(),
        }
    }
}
