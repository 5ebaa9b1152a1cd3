//! Simulated hosts: a stack, its interfaces, and the tasks that run on it.

use std::{future::Future, net::IpAddr, pin::Pin, rc::Rc};

use smoltcp::phy::{Device, Medium};

use super::{
    Simulation,
    clock::{Virtual, VirtualClock},
    executor::Purpose,
    glass::{Eye, Lid},
};
use crate::{
    Error, Limit, Result, Stack,
    device::WireEnd,
    socket::{Local, Network, Runner},
    stack::Capacity,
    trace::Station,
};

/// What the tasks of a simulated host make their sockets with: a [`Network`] that is cheap to clone.
pub type HostNetwork = Rc<Local<'static, VirtualClock, Eye>>;

/// A host of a [`Simulation`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct HostId(pub(super) u8);

impl HostId {
    /// As what it tells its events.
    pub fn station(self) -> Station {
        Station(self.0)
    }
}

type Service = Rc<dyn Fn(HostNetwork) -> Pin<Box<dyn Future<Output = ()>>>>;
type Setup = Rc<dyn Fn(&mut Stack<'static, Eye>) -> Result<()>>;

/// A host, with power or without.
pub(super) struct Host {
    pub(super) name: String,
    capacity: Capacity,
    pub(super) ports: Vec<Port>,
    setups: Vec<Setup>,
    services: Vec<(String, Service)>,
    /// While it has power.
    running: Option<Running>,
}

/// A host's end of a link.
pub(super) struct Port {
    pub(super) link: usize,
    medium: Medium,
    addresses: Vec<(IpAddr, u8)>,
    /// The end once more: for the next start.
    spare: WireEnd,
}

struct Running {
    network: HostNetwork,
    /// Whether somebody drives it for the sake of its loopback.
    has_loopback: bool,
    lid: Lid,
}

impl Host {
    pub(super) fn new(name: &str, capacity: Capacity) -> Host {
        Host {
            name: name.to_owned(),
            capacity,
            ports: Vec::new(),
            setups: Vec::new(),
            services: Vec::new(),
            running: None,
        }
    }

    /// `None` while it has no power.
    pub(super) fn network(&self) -> Option<&HostNetwork> {
        self.running.as_ref().map(|running| &running.network)
    }
}

/// `10.0.0.1/24`.
fn address_and_prefix(text: &str) -> Result<(IpAddr, u8)> {
    let (address, prefix_len) = text.split_once('/').ok_or(Error::InvalidArgument)?;
    let address = address.parse().map_err(|_| Error::InvalidArgument)?;
    let prefix_len = prefix_len.parse().map_err(|_| Error::InvalidArgument)?;
    Ok((address, prefix_len))
}

impl Simulation {
    /// A host with power, for 32 connections and 16 UDP sockets at once, on up to eight links; it has its loopback.
    ///
    /// # Errors
    /// [`Exhausted`](Error::Exhausted) beyond 255 hosts.
    pub fn host(&mut self, name: &str) -> Result<HostId> {
        let capacity = Capacity {
            sockets: 128,
            connections: 32,
            datagrams: 16,
            interfaces: 8,
            wakers: 512,
            ..Capacity::default()
        };
        self.host_with(name, capacity)
    }

    /// A host of another capacity.
    ///
    /// # Errors
    /// [`Exhausted`](Error::Exhausted) beyond 255 hosts.
    pub fn host_with(&mut self, name: &str, capacity: Capacity) -> Result<HostId> {
        // The last station is the link's.
        let number = u8::try_from(self.hosts.len())
            .ok()
            .filter(|number| Station(*number) != Station::LINK)
            .ok_or(Error::Exhausted(Limit::Hosts))?;
        self.hosts.push(Host::new(name, capacity));
        let host = HostId(number);
        self.start(host)?;
        Ok(host)
    }

    fn host_mut(&mut self, host: HostId) -> Result<&mut Host> {
        let hosts = &mut self.hosts;
        hosts
            .get_mut(usize::from(host.0))
            .ok_or(Error::InvalidArgument)
    }

    /// Plugs a link into a host. The interface is there at once, and after each start.
    pub(super) fn plug_in(
        &mut self,
        host: HostId,
        link: usize,
        medium: Medium,
        end: WireEnd,
        addresses: &[&str],
    ) -> Result<()> {
        let addresses: Result<Vec<_>> = addresses
            .iter()
            .map(|text| address_and_prefix(text))
            .collect();
        let port = Port {
            link,
            medium,
            addresses: addresses?,
            spare: end,
        };
        self.host_mut(host)?.ports.push(port);
        let number = self.host_mut(host)?.ports.len() - 1;
        let plugged = self.attach(host, number);
        if plugged.is_err() {
            self.host_mut(host)?.ports.pop();
        }
        plugged
    }

    /// Makes the interface of a port, and the task that drives it.
    fn attach(&mut self, host: HostId, number: usize) -> Result<()> {
        let time = self.time.clone();
        let row = self.host_mut(host)?;
        let Some(network) = row.network().cloned() else {
            return Ok(());
        };
        let Some(port) = row.ports.get(number) else {
            return Ok(());
        };
        let mut end = port.spare.duplicate();
        let hardware_address = match port.medium {
            Medium::Ethernet => Some([2, 0, 0, number as u8, host.0, 1]),
            _ => None,
        };
        let addresses = &port.addresses;
        let interface = network.call(|stack| {
            let interface = stack.add_interface(&mut end, hardware_address)?;
            for (address, prefix_len) in addresses {
                stack.add_address(interface, *address, *prefix_len)?;
            }
            Ok(interface)
        })?;
        let name = format!("{} interface {}", row.name, number + 1);
        let drive = async move {
            let mut runner = Runner::new(network, interface, end, Virtual::new(time));
            // A network without a lock has no end.
            let _ = runner.run().await;
        };
        self.executor
            .spawn(name, Some(host), Purpose::Device, drive);
        Ok(())
    }

    /// What else a host's stack needs, now and after each start: names, name servers, a gateway.
    ///
    /// # Errors
    /// That of `setup`.
    pub fn configure(
        &mut self,
        host: HostId,
        setup: impl Fn(&mut Stack<'static, Eye>) -> Result<()> + 'static,
    ) -> Result<()> {
        let setup: Setup = Rc::new(setup);
        let row = self.host_mut(host)?;
        if let Some(network) = row.network() {
            network.with(|stack| setup(stack))?;
        }
        row.setups.push(setup);
        Ok(())
    }

    /// Runs a program on a host. The run waits for its end, or for its host's, and is content with any: whether it failed,
    /// [`Output::take`] says.
    ///
    /// # Errors
    /// [`NetworkDown`](Error::NetworkDown) where the host has no power.
    pub fn spawn<F, P>(&mut self, host: HostId, name: &str, program: P) -> Result<Output<F::Output>>
    where
        P: FnOnce(HostNetwork) -> F,
        F: Future + 'static,
        F::Output: 'static,
    {
        let network = self.host_mut(host)?.network().cloned();
        let future = program(network.ok_or(Error::NetworkDown)?);
        let output = Output::default();
        let place = output.0.clone();
        let run = async move {
            let result = future.await;
            place.replace(Some(result));
        };
        self.run_on(host, name.to_owned(), Purpose::Program, run)?;
        Ok(output)
    }

    /// Runs a service on a host, now and after each start. The run does not wait for it, and what it comes to is lost: where
    /// it must not fail, it is to panic.
    ///
    /// # Errors
    /// None but [`InvalidArgument`](Error::InvalidArgument) for a host of another simulation.
    pub fn serve<F, P>(&mut self, host: HostId, name: &str, service: P) -> Result<()>
    where
        P: Fn(HostNetwork) -> F + 'static,
        F: Future + 'static,
    {
        let service: Service = Rc::new(move |network| {
            let future = service(network);
            Box::pin(async move {
                future.await;
            })
        });
        let row = self.host_mut(host)?;
        row.services.push((name.to_owned(), service.clone()));
        if let Some(network) = row.network().cloned() {
            self.run_on(host, name.to_owned(), Purpose::Service, service(network))?;
        }
        Ok(())
    }

    /// Lets a task run on a host. Who drives the stack is the task of an interface; a host without one needs another, or
    /// neither its loopback nor its tasks' own time would go on.
    fn run_on(
        &mut self,
        host: HostId,
        name: String,
        purpose: Purpose,
        task: impl Future<Output = ()> + 'static,
    ) -> Result<()> {
        let time = self.time.clone();
        let row = self.host_mut(host)?;
        if row.ports.is_empty()
            && let Some(running) = &mut row.running
            && !std::mem::replace(&mut running.has_loopback, true)
        {
            let network = running.network.clone();
            let name = format!("{} loopback", row.name);
            let drive = async move {
                let mut runner = Runner::loopback(network, Virtual::new(time));
                // A network without a lock has no end.
                let _ = runner.run().await;
            };
            self.executor
                .spawn(name, Some(host), Purpose::Device, drive);
        }
        self.executor.spawn(name, Some(host), purpose, task);
        Ok(())
    }

    /// Takes a host's power away: its tasks end where they are, its connections are gone, nobody is told. It stays without
    /// until it is [started](Simulation::start) again.
    pub fn stop(&mut self, host: HostId) {
        let running = match self.host_mut(host) {
            Ok(row) => row.running.take(),
            Err(_) => return,
        };
        if let Some(running) = running {
            running.lid.close();
            drop(self.executor.remove(host));
        }
    }

    /// Gives a host its power (again): a new stack with the same interfaces, and its services.
    ///
    /// # Errors
    /// Those of a setup.
    pub fn start(&mut self, host: HostId) -> Result<()> {
        if self.host_mut(host)?.running.is_some() {
            return Ok(());
        }
        let mut key = [0; 16];
        for octets in key.chunks_mut(8) {
            octets.copy_from_slice(&self.luck.draw().to_be_bytes());
        }
        let now = self.time.now();
        let eye = Eye::new(host.station(), &self.glass);
        let (lid, clock) = (eye.lid(), VirtualClock(self.time.clone()));
        let row = self.host_mut(host)?;
        let mut stack = Stack::with_capacity(row.capacity.clone(), key, eye);
        stack.set_now(now);
        let network = Rc::new(Local::new(stack, clock));
        row.running = Some(Running {
            network: network.clone(),
            has_loopback: false,
            lid,
        });
        for port in &mut row.ports {
            // What arrived without power is lost.
            while port.spare.receive(now).is_some() {}
        }
        let setups = row.setups.clone();
        let services = row.services.clone();
        for number in 0..row.ports.len() {
            self.attach(host, number)?;
        }
        for setup in setups {
            network.with(|stack| setup(stack))?;
        }
        for (name, service) in services {
            self.run_on(host, name, Purpose::Service, service(network.clone()))?;
        }
        Ok(())
    }

    /// Takes a host's power away, and gives it back at once.
    ///
    /// # Errors
    /// Those of [`start`](Simulation::start).
    pub fn restart(&mut self, host: HostId) -> Result<()> {
        self.stop(host);
        self.start(host)
    }

    /// Looks at a host's stack, or changes it. [`NetworkDown`](Error::NetworkDown) where the host has no power.
    ///
    /// # Errors
    /// That of `look`.
    pub fn with<R>(
        &mut self,
        host: HostId,
        look: impl FnOnce(&mut Stack<'_, Eye>) -> Result<R>,
    ) -> Result<R> {
        let network = self.host_mut(host)?.network().cloned();
        network.ok_or(Error::NetworkDown)?.call(look)
    }
}

/// What a program comes to: [`Simulation::spawn`].
#[must_use = "whether the program failed is in it"]
pub struct Output<T>(Rc<std::cell::RefCell<Option<T>>>);

impl<T> Default for Output<T> {
    fn default() -> Self {
        Output(Rc::default())
    }
}

impl<T> Output<T> {
    /// What it came to, once; `None` while it runs, and where its host lost its power.
    pub fn take(&self) -> Option<T> {
        self.0.take()
    }
}
