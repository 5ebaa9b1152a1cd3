//! A link with a host that finds its addresses by itself, two routers that say what the test wants them to, and another host.

use std::net::{IpAddr, Ipv6Addr, SocketAddr};
use std::time::Duration;

use glasstack::sim::{HostId, Link, Recording, Simulation};
use glasstack::stack::{
    AddressChange, AddressState, Domain, InterfaceAddress, InterfaceId, InterfaceRoute, Message,
    Origin, Protocol, Type,
};
use glasstack::trace::{Direction, Happening};
use glasstack::{Error, Fd, Result};

pub(crate) const SECOND: Duration = Duration::from_secs(1);
pub(crate) const PORT: u16 = 9999;

pub(crate) const ALL_NODES: &str = "ff02::1";
/// The routers' addresses on the link.
pub(crate) const ROUTERS: [&str; 2] = ["fe80::1", "fe80::2"];

pub(crate) struct Net {
    pub(crate) simulation: Simulation,
    pub(crate) host: HostId,
    pub(crate) routers: [HostId; 2],
    pub(crate) other: HostId,
    pub(crate) recording: Recording,
}

impl Net {
    /// A host and another one with these addresses, on a switch with the routers.
    pub(crate) fn new(host_addresses: &[&str], other_addresses: &[&str]) -> Net {
        let mut simulation = Simulation::new(1);
        let recording = simulation.record();
        let names = ["host", "router", "second", "other"];
        let [host, router, second, other] = names.map(|name| simulation.host(name).unwrap());
        let switch = simulation.switch();
        for (id, addresses) in [
            (host, host_addresses),
            (router, &["fe80::1/64", "10.0.0.254/24"]),
            (second, &["fe80::2/64", "10.0.0.253/24"]),
            (other, other_addresses),
        ] {
            let link = Link::ethernet(1514);
            simulation.link(link, (id, addresses), switch).unwrap();
        }
        let routers = [router, second];
        Net {
            simulation,
            host,
            routers,
            other,
            recording,
        }
    }

    /// A host that has the link's own address, and has asked for routers.
    pub(crate) fn ready() -> Net {
        let mut net = Net::new(&["slaac"], &["fd00::66/64"]);
        net.run_for(3 * SECOND);
        net
    }

    pub(crate) fn run_for(&mut self, time: Duration) {
        self.simulation.run_for(time).unwrap();
    }

    /// Until so long after the simulation's start.
    pub(crate) fn run_until(&mut self, time: Duration) {
        let left = time.checked_sub(self.simulation.elapsed());
        self.run_for(left.unwrap());
    }

    /// A host's one interface.
    pub(crate) fn link(&mut self, host: HostId) -> InterfaceId {
        let first = |stack: &mut glasstack::Stack<'_, _>| Ok(stack.interfaces().next().unwrap());
        self.simulation.with(host, first).unwrap()
    }

    /// One of the routers says this to all.
    pub(crate) fn advertise(&mut self, router: usize, advertisement: &[u8]) {
        let from = ROUTERS[router].parse().unwrap();
        self.say(self.routers[router], from, ALL_NODES, advertisement);
    }

    /// A host sends an ICMP message, over its link, with hop limit 255.
    pub(crate) fn say(&mut self, by: HostId, from: IpAddr, to: &str, message: &[u8]) {
        let link = self.link(by);
        let to: IpAddr = to.parse().unwrap();
        let (domain, protocol) = match to {
            IpAddr::V4(_) => (Domain::Inet, Protocol::ICMP),
            IpAddr::V6(_) => (Domain::Inet6, Protocol::ICMPV6),
        };
        let say = |stack: &mut glasstack::Stack<'_, _>| {
            let fd = stack.socket(domain, Type::Raw(protocol))?;
            let message = [message];
            let message = Message::new(&message)
                .from(from)
                .to(SocketAddr::new(to, 0))
                .interface(link)
                .hop_limit(255);
            stack.sendmsg(fd, &message)?;
            stack.close(fd)
        };
        self.simulation.with(by, say).unwrap();
        self.run_for(Duration::from_millis(1));
    }

    /// All addresses of a host's one interface.
    pub(crate) fn addresses(&mut self, host: HostId) -> Vec<InterfaceAddress> {
        let link = self.link(host);
        let list = |stack: &mut glasstack::Stack<'_, _>| Ok(stack.addresses(link).collect());
        self.simulation.with(host, list).unwrap()
    }

    /// Those of the host that were formed of what routers advertise.
    pub(crate) fn formed(&mut self) -> Vec<InterfaceAddress> {
        let mut formed = self.addresses(self.host);
        formed.retain(|address| address.origin == Origin::Autoconfigured);
        formed
    }

    /// The one that was formed of a prefix.
    pub(crate) fn formed_of(&mut self, prefix: u16) -> InterfaceAddress {
        let formed = self.formed();
        let mut of_prefix = formed.iter().filter(|it| is_of(it.address, prefix));
        let found = *of_prefix
            .next()
            .unwrap_or_else(|| panic!("no address of {prefix}: {formed:?}"));
        assert_eq!(of_prefix.next(), None);
        found
    }

    pub(crate) fn routes(&mut self) -> Vec<InterfaceRoute> {
        let link = self.link(self.host);
        let list = |stack: &mut glasstack::Stack<'_, _>| Ok(stack.routes(link).collect());
        self.simulation.with(self.host, list).unwrap()
    }

    pub(crate) fn source_for(&mut self, destination: &str) -> Option<IpAddr> {
        let destination = destination.parse().unwrap();
        let source = |stack: &mut glasstack::Stack<'_, _>| Ok(stack.source_for(destination));
        self.simulation.with(self.host, source).unwrap()
    }

    /// What was told of the host's addresses: which, what became of it.
    pub(crate) fn changes(&self) -> Vec<(IpAddr, AddressChange)> {
        let events = self.recording.events();
        let of_host = events.at(self.host.station());
        let change = |happening| match happening {
            Happening::Address {
                address, change, ..
            } => Some((address, change)),
            _ => None,
        };
        of_host
            .iter()
            .filter_map(|captured| change(captured.event().happening))
            .collect()
    }

    /// The frames that the host has sent, from the `skip`th on.
    pub(crate) fn frames(&self, skip: usize) -> Vec<Vec<u8>> {
        let events = self.recording.events();
        let of_host = events.at(self.host.station());
        let frame = |happening| match happening {
            Happening::Frame {
                direction: Direction::Out,
                bytes,
                ..
            } => Some(Vec::from(bytes)),
            _ => None,
        };
        let frames = of_host
            .iter()
            .filter_map(|captured| frame(captured.event().happening));
        frames.skip(skip).collect()
    }

    pub(crate) fn stream(&mut self, host: HostId, domain: Domain) -> Fd {
        let open = |stack: &mut glasstack::Stack<'_, _>| stack.socket(domain, Type::Stream);
        self.simulation.with(host, open).unwrap()
    }

    /// A listener for everything on the port.
    pub(crate) fn listen(&mut self, host: HostId) -> Fd {
        let any = SocketAddr::new(Ipv6Addr::UNSPECIFIED.into(), PORT);
        let listen = |stack: &mut glasstack::Stack<'_, _>| {
            let fd = stack.socket(Domain::Inet6, Type::Stream)?;
            stack.bind(fd, any)?;
            stack.listen(fd, 8)?;
            Ok(fd)
        };
        self.simulation.with(host, listen).unwrap()
    }

    /// A connection between two hosts: its descriptors, the client's first.
    pub(crate) fn connect(
        &mut self,
        from: HostId,
        to: HostId,
        listener: Fd,
        address: IpAddr,
    ) -> (Fd, Fd) {
        let domain = if address.is_ipv4() {
            Domain::Inet
        } else {
            Domain::Inet6
        };
        let fd = self.stream(from, domain);
        let address = SocketAddr::new(address, PORT);
        let first = self.with(from, |stack| stack.connect(fd, address));
        assert_eq!(first, Err(Error::WouldBlock));
        self.run_for(Duration::from_millis(100));
        assert_eq!(self.with(from, |stack| stack.connect(fd, address)), Ok(()));
        let (accepted, _) = self.with(to, |stack| stack.accept(listener)).unwrap();
        (fd, accepted)
    }

    pub(crate) fn with<R>(
        &mut self,
        host: HostId,
        call: impl FnOnce(&mut glasstack::Stack<'_, glasstack::sim::Eye>) -> Result<R>,
    ) -> Result<R> {
        self.simulation.with(host, call)
    }

    /// Carries a few octets from one end of a connection to the other.
    pub(crate) fn carry(&mut self, from: (HostId, Fd), to: (HostId, Fd)) {
        let text = b"Michael";
        assert_eq!(self.with(from.0, |stack| stack.send(from.1, text)), Ok(7));
        self.run_for(SECOND);
        let mut buffer = [0; 16];
        let received = self.with(to.0, |stack| stack.recv(to.1, &mut buffer));
        assert_eq!((received, &buffer[..7]), (Ok(7), &text[..]));
    }
}

/// The prefix with a number.
pub(crate) fn network(number: u16) -> Ipv6Addr {
    Ipv6Addr::new(0x2001, 0xdb8, 0, number, 0, 0, 0, 0)
}

pub(crate) fn is_of(address: IpAddr, prefix: u16) -> bool {
    match address {
        IpAddr::V6(v6) => v6.segments()[..4] == network(prefix).segments()[..4],
        IpAddr::V4(_) => false,
    }
}

pub(crate) fn ip(text: &str) -> IpAddr {
    text.parse().unwrap()
}

/// A router advertisement, but for its checksum.
pub(crate) fn advertisement(lifetime: u16, options: &[Vec<u8>]) -> Vec<u8> {
    let mut message = vec![134, 0, 0, 0, 64, 0];
    message.extend(lifetime.to_be_bytes());
    message.extend([0; 8]);
    message.extend(options.concat());
    message
}

/// An option with a prefix that is on the link and for addresses.
pub(crate) fn prefix(number: u16, valid: u32, preferred: u32) -> Vec<u8> {
    let mut option = vec![3, 4, 64, 0xc0];
    option.extend(valid.to_be_bytes());
    option.extend(preferred.to_be_bytes());
    option.extend([0; 4]);
    option.extend(network(number).octets());
    option
}

pub(crate) fn name_server(lifetime: u32, server: &str) -> Vec<u8> {
    let mut option = vec![25, 3, 0, 0];
    option.extend(lifetime.to_be_bytes());
    option.extend(server.parse::<Ipv6Addr>().unwrap().octets());
    option
}

pub(crate) fn mtu(mtu: u32) -> Vec<u8> {
    let mut option = vec![5, 1, 0, 0];
    option.extend(mtu.to_be_bytes());
    option
}

pub(crate) fn is_preferred(address: &InterfaceAddress) -> bool {
    address.state == AddressState::Preferred
}
