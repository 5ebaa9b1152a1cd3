//! The probes: each with one hop more than the last three, until the host itself answers; told as Debian's traceroute tells it.

use std::{
    io::{self, ErrorKind, Write},
    net::{IpAddr, SocketAddr},
    time::{Duration, Instant},
};

use glasstack::{
    host::Host,
    socket::blocking::{Message, RawSocket, UdpSocket},
    stack::option::IcmpTypes,
};

use super::icmp::{self, Family, HEADER, Heard, Quoted, Trouble};

/// What is asked of whom.
pub(crate) struct Plan {
    /// As it was asked for.
    pub(crate) name: String,
    pub(crate) address: IpAddr,
    /// Echo requests, in place of UDP datagrams.
    pub(crate) is_icmp: bool,
    pub(crate) hops: u8,
    pub(crate) probes: u8,
    /// How long each answer is waited for.
    pub(crate) patience: Duration,
    /// The first datagram's port; each has its own.
    pub(crate) port: u16,
    /// Addresses alone, without names.
    pub(crate) is_numeric: bool,
}

/// Octets of data in a probe.
const DATA: usize = 32;

/// How often the other socket is looked at, while one is waited for.
const GLANCE: Duration = Duration::from_millis(100);

/// Who answered a probe.
struct Answer {
    from: IpAddr,
    time: Duration,
    mark: String,
    /// It comes from the end of the way.
    is_last: bool,
}

/// Sends the probes and tells of each answer.
pub(crate) fn run(host: &Host, plan: &Plan, out: &mut impl Write) -> io::Result<()> {
    let family = Family::of(plan.address);
    let heard = RawSocket::new(host, family.domain(), family.protocol())?;
    heard.setsockopt(IcmpTypes, family.filter())?;
    let own = own_address(host, plan.address)?;
    let datagrams = UdpSocket::bind(host, (own, 0))?;
    let mut tracer = Tracer {
        plan,
        family,
        own,
        port: datagrams.local_addr()?.port(),
        datagrams,
        heard,
        // Another number than any other tracer's of this host.
        identifier: std::process::id() as u16,
        sent: 0,
    };
    tracer.run(out)
}

/// The address that a host speaks to another from: that of a socket which is connected there.
fn own_address(host: &Host, to: IpAddr) -> io::Result<IpAddr> {
    let family = Family::of(to);
    let socket = RawSocket::new(host, family.domain(), family.protocol())?;
    socket.connect((to, 0))?;
    Ok(socket.local_addr()?.ip())
}

struct Tracer<'p> {
    plan: &'p Plan,
    family: Family,
    own: IpAddr,
    port: u16,
    datagrams: UdpSocket,
    heard: RawSocket,
    identifier: u16,
    /// How many probes.
    sent: u16,
}

impl Tracer<'_> {
    fn run(&mut self, out: &mut impl Write) -> io::Result<()> {
        let Plan { name, address, .. } = self.plan;
        let (hops, size) = (self.plan.hops, self.family.ip_header() + HEADER + DATA);
        writeln!(
            out,
            "traceroute to {name} ({address}), {hops} hops max, {size} byte packets"
        )?;
        for hop in 1..=hops {
            write!(out, "{hop:2} ")?;
            let mut last_from = None;
            let mut is_last = false;
            for _ in 0..self.plan.probes {
                match self.probe(hop)? {
                    None => write!(out, " *")?,
                    Some(answer) => {
                        if last_from != Some(answer.from) {
                            write!(out, " {}", self.name_of(answer.from))?;
                        }
                        last_from = Some(answer.from);
                        is_last |= answer.is_last;
                        write!(out, "  {:.3} ms", answer.time.as_secs_f64() * 1_000.0)?;
                        if !answer.mark.is_empty() {
                            write!(out, " {}", answer.mark)?;
                        }
                    }
                }
                out.flush()?;
            }
            writeln!(out)?;
            if is_last {
                break;
            }
        }
        Ok(())
    }

    /// The host is called as it was asked for; of routers this program knows the address alone.
    fn name_of(&self, address: IpAddr) -> String {
        match (self.plan.is_numeric, address == self.plan.address) {
            (true, _) => address.to_string(),
            (false, true) => format!("{} ({address})", self.plan.name),
            (false, false) => format!("{address} ({address})"),
        }
    }

    /// Sends a probe that gets so far, and waits for the answer.
    fn probe(&mut self, hops: u8) -> io::Result<Option<Answer>> {
        self.sent += 1;
        let start = Instant::now();
        self.send(hops)?;
        let mut buffer = [0; 2_048];
        loop {
            let left = self.plan.patience.saturating_sub(start.elapsed());
            if left.is_zero() {
                return Ok(None);
            }
            self.heard.set_read_timeout(Some(left.min(GLANCE)))?;
            let received = match self.heard.recv_message(&mut buffer) {
                Ok(received) => received,
                Err(error) if error.kind() == ErrorKind::WouldBlock => match self.failure(start) {
                    Some(answer) => return Ok(Some(answer)),
                    None => continue,
                },
                Err(error) if error.kind() == ErrorKind::HostUnreachable => {
                    return Ok(Some(self.unreachable(start)));
                }
                Err(error) => return Err(error),
            };
            let packet = buffer.get(..received.len).unwrap_or_default();
            let trouble = match icmp::read(self.family, packet) {
                Some(Heard::Reply(echo))
                    if (echo.identifier, echo.sequence) == (self.identifier, self.sent) =>
                {
                    None
                }
                Some(Heard::Error(trouble, quoted)) if self.is_ours(&quoted) => Some(trouble),
                _ => continue,
            };
            return Ok(Some(Answer {
                from: received.from.ip(),
                time: start.elapsed(),
                mark: trouble.map(|trouble| trouble.mark()).unwrap_or_default(),
                is_last: trouble.is_none_or(|trouble| !is_on_the_way(trouble)),
            }));
        }
    }

    fn send(&mut self, hops: u8) -> io::Result<()> {
        let data: [u8; DATA] = std::array::from_fn(|index| b'@' + index as u8);
        let sent = match self.plan.is_icmp {
            true => {
                let request = icmp::request(self.family, self.identifier, self.sent, &data);
                let to = SocketAddr::new(self.plan.address, 0);
                let parts = [&request[..]];
                let message = Message::new(&parts).to(to).hop_limit(hops);
                self.heard.send_msg(&message)
            }
            false => {
                let to = SocketAddr::new(self.plan.address, self.destination_port());
                let parts = [&data[..]];
                let message = Message::new(&parts).to(to).hop_limit(hops);
                self.datagrams.send_msg(&message)
            }
        };
        sent.map(drop)
    }

    fn destination_port(&self) -> u16 {
        self.plan.port.wrapping_add(self.sent - 1)
    }

    /// Whether a packet is the probe that was sent last.
    fn is_ours(&self, quoted: &Quoted<'_>) -> bool {
        quoted.destination == self.plan.address
            && match self.plan.is_icmp {
                true => quoted.echo() == Some((self.identifier, self.sent)),
                false => quoted.ports() == Some((self.port, self.destination_port())),
            }
    }

    /// Where nobody answers because nobody on our own link has the address, the datagram socket hears of it.
    fn failure(&self, start: Instant) -> Option<Answer> {
        let error = self.datagrams.take_error().ok().flatten()?;
        (error.kind() == ErrorKind::HostUnreachable).then(|| self.unreachable(start))
    }

    fn unreachable(&self, start: Instant) -> Answer {
        Answer {
            from: self.own,
            time: start.elapsed(),
            mark: "!H".to_owned(),
            is_last: true,
        }
    }
}

/// Whether a router says that the probe got as far as it, and no farther.
fn is_on_the_way(trouble: Trouble) -> bool {
    matches!((trouble.is_v4, trouble.kind), (true, 11) | (false, 3))
}
