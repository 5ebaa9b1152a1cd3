//! What a network is like.

use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use glasstack::device::wire::Conditions;
use glasstack::socket::CongestionControl;
use glasstack::stack::Capacity;

use crate::luck::Luck;

const PORT: u16 = 9999;

/// A network, drawn from a seed.
#[derive(Debug)]
pub(crate) struct Plan {
    pub(crate) is_ethernet: bool,
    pub(crate) is_v4: bool,
    /// Three hosts on a switch, or two on a link.
    pub(crate) has_switch: bool,
    /// The largest IP packet.
    pub(crate) mtu: usize,
    pub(crate) hosts: Vec<Capacity>,
    /// Each link's, both ways: where it is between hosts, between the first and the second; to a switch, each host's own.
    pub(crate) links: Vec<(Conditions, Conditions)>,
    /// One after the other, or all at once.
    pub(crate) at_once: bool,
    pub(crate) talks: Vec<Talk>,
}

/// Who writes when.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Turns {
    Both,
    /// The other waits for the end of what it reads.
    ClientFirst,
    ServerFirst,
}

/// A connection.
#[derive(Debug, Clone)]
pub(crate) struct Talk {
    pub(crate) id: u8,
    pub(crate) client: usize,
    pub(crate) server: usize,
    pub(crate) turns: Turns,
    /// What the client does, and the server.
    pub(crate) ends: [EndPlan; 2],
}

/// What one end of a connection does.
#[derive(Debug, Clone)]
pub(crate) struct EndPlan {
    /// Octets that it writes.
    pub(crate) octets: usize,
    /// The most that it writes and reads in a call.
    pub(crate) write: usize,
    pub(crate) read: usize,
    /// The most that it sleeps before a call, in milliseconds, and how seldom.
    pub(crate) sleep: u64,
    pub(crate) seldom: u64,
    /// Waits until the peer knows that all arrived, before it closes.
    pub(crate) lingers: bool,
    pub(crate) no_delay: bool,
    pub(crate) congestion: CongestionControl,
    pub(crate) keep_alive: Option<Duration>,
    /// Its programs' luck.
    pub(crate) seed: u64,
}

impl Plan {
    pub(crate) fn draw(luck: &mut Luck) -> Plan {
        let is_v4 = !luck.once_in(3);
        let is_ethernet = luck.once_in(2);
        let has_switch = is_ethernet && luck.once_in(3);
        let mtu = match (is_v4, luck.between(0, 5)) {
            (true, 0) => 68,
            (true, 1) => luck.magnitude(68, 1_280) as usize,
            (true, 2) => 576,
            (false, 0..=2) => 1_280,
            (_, 3) => luck.magnitude(1_280, 65_535) as usize,
            (_, 4) => 65_535,
            _ => 1_500,
        };
        let count = if has_switch { 3 } else { 2 };
        let hosts: Vec<Capacity> = (0..count).map(|_| capacity(luck)).collect();
        // To a switch and from it: two links, and the loss of both.
        let is_calm = luck.once_in(4);
        let worst = match (is_calm, has_switch) {
            (true, _) => 0.01,
            (false, true) => 0.16,
            (false, false) => 0.3,
        };
        let links = (0..if has_switch { count } else { 1 }).map(|_| {
            let outgoing = conditions(luck, worst, mtu);
            let incoming = conditions(luck, worst, mtu);
            // What is damaged on both links of its way can look whole: a checksum of 16 bits knows nothing of two
            // flipped bits that cancel each other.
            let incoming = if has_switch {
                incoming.corrupt(0.0)
            } else {
                incoming
            };
            (outgoing, incoming)
        });
        let links: Vec<_> = links.collect();
        let talks = luck.between(1, 4) as u8;
        let at_once = luck.once_in(2);
        let talks = (0..talks)
            .map(|id| talk(luck, id, &hosts, mtu, is_calm))
            .collect();
        Plan {
            is_ethernet,
            is_v4,
            has_switch,
            mtu,
            hosts,
            links,
            at_once,
            talks,
        }
    }

    pub(crate) fn address(&self, host: usize) -> IpAddr {
        let number = host as u16 + 1;
        match self.is_v4 {
            true => IpAddr::from([10, 0, 0, number as u8]),
            false => IpAddr::from([0xfd00, 0, 0, 0, 0, 0, 0, number]),
        }
    }

    pub(crate) fn socket(&self, host: usize) -> SocketAddr {
        SocketAddr::new(self.address(host), PORT)
    }

    /// The address with its prefix.
    pub(crate) fn network(&self, host: usize) -> String {
        let prefix_len = if self.is_v4 { 24 } else { 64 };
        format!("{}/{prefix_len}", self.address(host))
    }
}

fn capacity(luck: &mut Luck) -> Capacity {
    Capacity {
        sockets: 12,
        connections: 8,
        datagrams: 0,
        receive_buffer: luck.magnitude(64, 262_144) as usize,
        send_buffer: luck.magnitude(64, 262_144) as usize,
        pending_syns: 4,
        interfaces: 1,
        loopback_buffer: 0,
        reassemblies: 0,
        lookups: 0,
        wakers: 64,
        ..Capacity::default()
    }
}

fn conditions(luck: &mut Luck, worst: f64, mtu: usize) -> Conditions {
    let mut conditions = Conditions::default();
    if !luck.once_in(4) {
        let loss = worst * luck.share();
        conditions = conditions.loss(loss);
        if luck.once_in(3) {
            conditions = conditions.burst(1.0 + 2.0 * luck.share());
        }
    }
    if !luck.once_in(4) {
        conditions = conditions.latency(Duration::from_micros(luck.magnitude(10, 500_000)));
    }
    if luck.once_in(2) {
        conditions = conditions.jitter(Duration::from_micros(luck.magnitude(10, 50_000)));
    }
    if luck.once_in(2) {
        let delay = Duration::from_micros(luck.magnitude(100, 200_000));
        conditions = conditions.reorder(0.2 * luck.share(), delay);
    }
    if luck.once_in(2) {
        conditions = conditions.duplicate(0.2 * luck.share());
    }
    if luck.once_in(2) {
        conditions = conditions.corrupt(worst / 3.0 * luck.share());
    }
    if luck.once_in(3) {
        // A packet of full size takes 5 s at the most.
        let slowest = (mtu as u64 * 8 / 5).max(8_000);
        let rate = luck.magnitude(slowest, 1_000_000_000);
        conditions = conditions.rate(rate, luck.magnitude(2, 100) as usize);
    }
    conditions
}

fn talk(luck: &mut Luck, id: u8, hosts: &[Capacity], mtu: usize, is_calm: bool) -> Talk {
    let client = luck.between(0, hosts.len() as u64 - 1) as usize;
    let server = (client + luck.between(1, hosts.len() as u64 - 1) as usize) % hosts.len();
    let turns = luck.pick(&[
        Turns::Both,
        Turns::Both,
        Turns::ClientFirst,
        Turns::ServerFirst,
    ]);
    let mut end = |own: &Capacity, other: &Capacity| {
        // What can be in one segment: the transfers are to take few enough.
        let segment = (mtu - 40).min(own.send_buffer).min(other.receive_buffer);
        let most = (300 * segment as u64).min(1_000_000);
        EndPlan {
            octets: if luck.once_in(6) {
                0
            } else {
                luck.magnitude(1, most) as usize
            },
            write: luck.magnitude(1 + segment as u64 / 4, 100_000) as usize,
            read: luck.magnitude(1 + segment as u64 / 8, 100_000) as usize,
            sleep: luck.magnitude(1, 5_000),
            seldom: luck.magnitude(2, 200),
            // What a closed connection still has to send is given up after 243 s: that bites, where much is lost.
            lingers: !is_calm | luck.once_in(2),
            no_delay: luck.once_in(3),
            congestion: luck.pick(&[
                CongestionControl::None,
                CongestionControl::Reno,
                CongestionControl::Cubic,
            ]),
            // Nine lost probes would end a connection, and so would a round trip of ten intervals.
            keep_alive: (is_calm & luck.once_in(2))
                .then(|| Duration::from_secs(luck.magnitude(75, 7_200))),
            seed: luck.draw(),
        }
    };
    let (here, there) = (&hosts[client], &hosts[server]);
    Talk {
        id,
        client,
        server,
        turns,
        ends: [end(here, there), end(there, here)],
    }
}
