//! An address by DHCP: over links that lose and spoil, from servers that fall silent, refuse and come back, beside hosts that
//! have the address already, or forge answers.
#![cfg(all(feature = "std", feature = "ipv4"))]
// A step that fails fails its test.
#![allow(clippy::unwrap_used, clippy::panic)]

mod conflicts;
mod leases;
mod seen;
mod server;
mod settings;

use std::net::{Ipv4Addr, SocketAddr};
use std::time::Duration;

use glasstack::device::wire::Conditions;
use glasstack::sim::{HostId, HostNetwork, Link, Simulation, SwitchId};
use glasstack::socket::configured;
use glasstack::stack::{InterfaceId, Lease};
use server::{Book, SharedBook, serve};

const SECOND: Duration = Duration::from_secs(1);
const MINUTE: Duration = Duration::from_secs(60);
const HOUR: Duration = Duration::from_secs(3_600);

/// A client, a server, and a third host on a switch.
struct Net {
    simulation: Simulation,
    client: HostId,
    server: HostId,
    other: HostId,
    switch: SwitchId,
    book: SharedBook,
}

impl Net {
    /// With leases of so many seconds; the client's link has these conditions.
    fn new(seed: u64, seconds: u32, conditions: Conditions) -> Net {
        let mut simulation = Simulation::new(seed);
        let names = ["client", "server", "other"];
        let [client, server, other] = names.map(|name| simulation.host(name).unwrap());
        let switch = simulation.switch();
        let faulty = Link::ethernet(1514).both(conditions);
        simulation
            .link(faulty, (client, &["dhcp"]), switch)
            .unwrap();
        for (host, address) in [(server, "10.0.0.1/24"), (other, "10.0.0.66/24")] {
            let link = Link::ethernet(1514);
            simulation.link(link, (host, &[address]), switch).unwrap();
        }
        let book = Book::new(seconds);
        let shared = book.clone();
        let service = move |network| serve(network, shared.clone());
        simulation.serve(server, "dhcp", service).unwrap();
        Net {
            simulation,
            client,
            server,
            other,
            switch,
            book,
        }
    }

    fn perfect(seconds: u32) -> Net {
        Net::new(1, seconds, Conditions::default())
    }

    fn lease(&mut self) -> Option<Lease> {
        let link = self.link();
        let lease = |stack: &mut glasstack::Stack<'_, _>| Ok(stack.lease(link).cloned());
        self.simulation.with(self.client, lease).unwrap()
    }

    /// What the client has by DHCP.
    fn address(&mut self) -> Option<Ipv4Addr> {
        self.lease().map(|lease| lease.address)
    }

    /// The client's interface.
    fn link(&mut self) -> InterfaceId {
        let first = |stack: &mut glasstack::Stack<'_, _>| Ok(stack.interfaces().next().unwrap());
        self.simulation.with(self.client, first).unwrap()
    }

    fn run_for(&mut self, time: Duration) {
        self.simulation.run_for(time).unwrap();
    }

    /// What a program of the client's comes to within a second.
    fn within_a_second<F: Future + 'static>(
        &mut self,
        program: impl FnOnce(HostNetwork) -> F,
    ) -> Option<F::Output> {
        let output = self.simulation.spawn(self.client, "client", program);
        self.run_for(SECOND);
        output.unwrap().take()
    }

    /// Runs until the client has an address.
    fn configure(&mut self) -> Lease {
        let wait = |network| async move { configured(&network).await };
        let waiting = self.simulation.spawn(self.client, "waits", wait).unwrap();
        self.simulation.limit(self.simulation.elapsed() + 2 * HOUR);
        self.simulation.run().unwrap();
        assert_eq!(waiting.take(), Some(Ok(())));
        self.lease().unwrap()
    }
}

fn address(text: &str) -> SocketAddr {
    text.parse().unwrap()
}

fn ten(last: u8) -> Ipv4Addr {
    Ipv4Addr::new(10, 0, 0, last)
}
