//! Hosts on a switch, and what they say to each other.

use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use glasstack::sim::{HostId, Link, Recording, Simulation};
use glasstack::stack::{Domain, Fd, InterfaceId, Received, Type, option::V6Only};
use glasstack::trace::{
    Direction, Happening, Medium,
    dissect::{Dissection, Ip},
};
use glasstack::{Error, Result};

pub(crate) const PORT: u16 = 9999;

/// Both families' group, and the wildcard of each.
pub(crate) const FAMILIES: [Family; 2] = [
    Family {
        domain: Domain::Inet,
        group: "239.1.2.3",
        any: "0.0.0.0",
    },
    Family {
        domain: Domain::Inet6,
        group: "ff02::1234",
        any: "::",
    },
];

#[derive(Clone, Copy)]
pub(crate) struct Family {
    pub(crate) domain: Domain,
    pub(crate) group: &'static str,
    pub(crate) any: &'static str,
}

impl Family {
    pub(crate) fn group(&self) -> IpAddr {
        ip(self.group)
    }

    /// The group's port.
    pub(crate) fn to(&self) -> SocketAddr {
        (self.group(), PORT).into()
    }
}

pub(crate) fn ip(text: &str) -> IpAddr {
    text.parse().unwrap()
}

/// The first, or second, link of a host.
pub(crate) fn link(number: u32) -> InterfaceId {
    InterfaceId::from_index(number).unwrap()
}

/// A frame that a host sent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Said {
    /// Milliseconds after the beginning.
    pub(crate) at: i64,
    pub(crate) from: IpAddr,
    pub(crate) to: IpAddr,
    pub(crate) hops: u8,
    /// Wireshark's line.
    pub(crate) line: String,
}

/// Hosts 1, 2, … on a switch: 10.0.0.n, fd00::n and fe80::n.
pub(crate) struct Scene {
    pub(crate) net: Simulation,
    pub(crate) hosts: Vec<HostId>,
    events: Recording,
}

impl Scene {
    /// Whose hosts have told of their own addresses' groups already.
    pub(crate) fn new(count: usize) -> Scene {
        let mut net = Simulation::new(7);
        let switch = net.switch();
        let mut hosts = Vec::new();
        for number in 1..=count {
            let host = net.host(&format!("host {number}")).unwrap();
            let addresses = [
                format!("10.0.0.{number}/24"),
                format!("fe80::{number}/64"),
                format!("fd00::{number}/64"),
            ];
            let addresses = addresses.each_ref().map(String::as_str);
            let wire = Link::ethernet(1514);
            net.link(wire, (host, &addresses), switch).unwrap();
            hosts.push(host);
        }
        let events = net.record();
        let mut scene = Scene { net, hosts, events };
        scene.wait(2_000);
        scene
    }

    /// Lets milliseconds pass.
    pub(crate) fn wait(&mut self, millis: u64) {
        self.net.run_for(Duration::from_millis(millis)).unwrap();
    }

    /// Milliseconds since the beginning.
    pub(crate) fn now(&self) -> i64 {
        self.net.elapsed().as_millis() as i64
    }

    /// A UDP socket on a port, of one family.
    pub(crate) fn socket(&mut self, host: usize, family: Family) -> Fd {
        self.socket_at(host, family, (ip(family.any), PORT).into())
    }

    pub(crate) fn socket_at(&mut self, host: usize, family: Family, address: SocketAddr) -> Fd {
        let bound = self.net.with(self.hosts[host], |stack| {
            let fd = stack.socket(family.domain, Type::Datagram)?;
            stack.setsockopt(fd, V6Only, family.domain == Domain::Inet6)?;
            stack.bind(fd, address)?;
            Ok(fd)
        });
        bound.unwrap()
    }

    pub(crate) fn join(&mut self, host: usize, fd: Fd, group: IpAddr) -> Result<()> {
        let host = self.hosts[host];
        self.net
            .with(host, |stack| stack.join_group(fd, group, None))
    }

    pub(crate) fn leave(&mut self, host: usize, fd: Fd, group: IpAddr) -> Result<()> {
        let host = self.hosts[host];
        self.net
            .with(host, |stack| stack.leave_group(fd, group, None))
    }

    pub(crate) fn close(&mut self, host: usize, fd: Fd) {
        let host = self.hosts[host];
        self.net.with(host, |stack| stack.close(fd)).unwrap();
    }

    pub(crate) fn send(&mut self, host: usize, fd: Fd, data: &[u8], to: SocketAddr) {
        let host = self.hosts[host];
        let sent = self.net.with(host, |stack| stack.sendto(fd, data, to));
        assert_eq!(sent, Ok(data.len()));
        self.wait(10);
    }

    /// The next datagram of a socket.
    pub(crate) fn receive(&mut self, host: usize, fd: Fd) -> Option<(Vec<u8>, Received)> {
        let mut buffer = [0; 100];
        let host = self.hosts[host];
        match self.net.with(host, |stack| stack.recvfrom(fd, &mut buffer)) {
            Ok(received) => Some((buffer[..received.len].to_vec(), received)),
            Err(Error::WouldBlock) => None,
            Err(error) => panic!("{error}"),
        }
    }

    /// Whether a socket has received just this.
    pub(crate) fn has_received(&mut self, host: usize, fd: Fd, data: &[u8]) -> bool {
        let first = self.receive(host, fd);
        first.is_some_and(|(first, _)| first == data) && self.receive(host, fd).is_none()
    }

    /// The groups that a host's first link is in for its sockets.
    pub(crate) fn groups(&mut self, host: usize) -> Vec<(IpAddr, u16)> {
        let host = self.hosts[host];
        let groups = self.net.with(host, |stack| {
            let of_sockets =
                |(group, _): &(IpAddr, u16)| !group.to_string().starts_with("ff02::1:ff");
            Ok(stack.groups(link(1)).filter(of_sockets).collect())
        });
        groups.unwrap()
    }

    /// What a host has said of groups since a time, by IGMP and MLD.
    pub(crate) fn said(&self, host: usize, since: i64) -> Vec<Said> {
        let mut said = Vec::new();
        for captured in self.events.events().iter() {
            let event = captured.event();
            let at = event.time.total_millis();
            let Happening::Frame {
                direction: Direction::Out,
                bytes,
                ..
            } = event.happening
            else {
                continue;
            };
            if captured.station != self.hosts[host].station() || at < since {
                continue;
            }
            let dissection = Dissection::parse(Medium::Ethernet, bytes);
            let Some(packet) = dissection.packet() else {
                continue;
            };
            let line = dissection.to_string();
            if !packet.protocol().starts_with("IGMP") && !line.starts_with("Multicast Listener") {
                continue;
            }
            let has_alert = match packet.ip {
                Ip::V4(ip) => ip.options().count() == 1,
                Ip::V6(ip) => ip.extensions().count() == 1,
            };
            assert!(has_alert, "no router alert: {line}");
            said.push(Said {
                at,
                from: packet.ip.source(),
                to: packet.ip.destination(),
                hops: packet.ip.hop_limit(),
                line,
            });
        }
        said
    }
}
