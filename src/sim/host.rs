//! Simulated hosts: a stack, its interfaces, and the tasks that run on it.

use std::{future::Future, net::IpAddr, pin::Pin, rc::Rc};

use smoltcp::phy::{Device, Medium};

use super::{
    Simulation,
    clock::{Virtual, VirtualClock},
    executor::{Purpose, TaskId},
    glass::{Eye, Lid},
};
use crate::{
    Error, Limit, Result, Stack,
    device::WireEnd,
    socket::{Local, Network, Runner},
    stack::{Capacity, InterfaceId},
    trace::{Observer, Station},
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
    /// An address comes by DHCP.
    has_dhcp: bool,
    /// Addresses come of what routers advertise.
    has_slaac: bool,
    /// The end once more: for the next start.
    spare: WireEnd,
}

struct Running {
    network: HostNetwork,
    lid: Lid,
    /// The task that drives the loopback, while no link's does.
    loopback: Option<TaskId>,
}

/// A port whose link is not in use yet.
pub(super) struct Plug {
    host: HostId,
    number: usize,
    end: WireEnd,
    /// `None` without power.
    interface: Option<(HostNetwork, InterfaceId)>,
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

/// What stands for an address that a server gives.
const DHCP: &str = "dhcp";

/// What stands for the addresses that are formed of what routers advertise.
const SLAAC: &str = "slaac";

fn give_addresses<O: Observer>(
    stack: &mut Stack<'_, O>,
    interface: InterfaceId,
    port: &Port,
) -> Result<()> {
    for (address, prefix_len) in &port.addresses {
        stack.add_address(interface, *address, *prefix_len)?;
    }
    if port.has_dhcp {
        #[cfg(feature = "ipv4")]
        stack.start_dhcp(interface)?;
        #[cfg(not(feature = "ipv4"))]
        return Err(Error::AddressFamilyNotSupported);
    }
    if port.has_slaac {
        #[cfg(feature = "ipv6")]
        stack.autoconfigure(
            interface,
            Some(crate::stack::InterfaceIdentifier::default()),
        )?;
        #[cfg(not(feature = "ipv6"))]
        return Err(Error::AddressFamilyNotSupported);
    }
    Ok(())
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

    /// Plugs a link into a host. The interface is there at once, and after each start; it is to be [driven](Simulation::drive).
    pub(super) fn plug_in(
        &mut self,
        host: HostId,
        link: usize,
        medium: Medium,
        end: WireEnd,
        addresses: &[&str],
    ) -> Result<Plug> {
        let (has_dhcp, has_slaac) = (addresses.contains(&DHCP), addresses.contains(&SLAAC));
        let is_address = |text: &&&str| ![DHCP, SLAAC].contains(*text);
        let addresses = addresses.iter().filter(is_address);
        let addresses = addresses.map(|text| address_and_prefix(text));
        let row = self.host_mut(host)?;
        row.ports.push(Port {
            link,
            medium,
            addresses: addresses.collect::<Result<_>>()?,
            has_dhcp,
            has_slaac,
            spare: end,
        });
        let number = row.ports.len() - 1;
        let plug = self.attach(host, number);
        if plug.is_err() {
            self.host_mut(host)?.ports.pop();
        }
        plug
    }

    /// Takes back what was plugged in last.
    pub(super) fn pull_out(&mut self, plug: Plug) {
        if let Ok(row) = self.host_mut(plug.host) {
            row.ports.pop();
            if let Some((network, interface)) = plug.interface {
                // A network without a lock has no end.
                let _ = network.call(|stack| {
                    stack.take_back_interface(interface);
                    Ok(())
                });
            }
        }
    }

    /// Makes the interface of a port.
    fn attach(&mut self, host: HostId, number: usize) -> Result<Plug> {
        let row = self.host_mut(host)?;
        let port = row.ports.get(number).ok_or(Error::InvalidArgument)?;
        let mut end = port.spare.duplicate();
        let Some(network) = row.network().cloned() else {
            return Ok(Plug {
                host,
                number,
                end,
                interface: None,
            });
        };
        let hardware_address = match port.medium {
            Medium::Ethernet => Some([2, 0, 0, number as u8, host.0, 1]),
            _ => None,
        };
        let interface = network.call(|stack| {
            let interface = stack.add_interface(&mut end, hardware_address)?;
            match give_addresses(stack, interface, port) {
                Ok(()) => Ok(interface),
                Err(error) => {
                    stack.take_back_interface(interface);
                    Err(error)
                }
            }
        })?;
        let interface = Some((network, interface));
        Ok(Plug {
            host,
            number,
            end,
            interface,
        })
    }

    /// Starts the task that drives an interface, where its host has power.
    pub(super) fn drive(&mut self, plug: Plug) {
        let Plug {
            host,
            number,
            end,
            interface,
        } = plug;
        let Some((network, interface)) = interface else {
            return;
        };
        let Some(running) = self
            .hosts
            .get_mut(usize::from(host.0))
            .and_then(|row| row.running.as_mut())
        else {
            return;
        };
        // Who drives an interface drives the loopback, too.
        if let Some(loopback) = running.loopback.take() {
            drop(self.executor.remove(loopback));
        }
        let name = format!("interface {}", number + 1);
        let wait = Virtual::new(self.time.clone());
        self.executor
            .spawn(name, Some(host), Purpose::Device, async move {
                let mut runner = Runner::new(network, interface, end, wait);
                // A network without a lock has no end.
                let _ = runner.run().await;
            });
    }

    /// Starts the task that drives a host without links, which reaches itself.
    fn drive_loopback(&mut self, host: HostId, network: HostNetwork) {
        let wait = Virtual::new(self.time.clone());
        let drive = async move {
            let mut runner = Runner::loopback(network, wait);
            // A network without a lock has no end.
            let _ = runner.run().await;
        };
        let name = "loopback".to_owned();
        let task = self
            .executor
            .spawn(name, Some(host), Purpose::Device, drive);
        if let Some(running) = self
            .hosts
            .get_mut(usize::from(host.0))
            .and_then(|row| row.running.as_mut())
        {
            running.loopback = Some(task);
        }
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
        self.executor
            .spawn(name.to_owned(), Some(host), Purpose::Program, run);
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
            let service = service(network);
            self.executor
                .spawn(name.to_owned(), Some(host), Purpose::Service, service);
        }
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
            drop(self.executor.remove_all(host));
        }
    }

    /// Gives a host its power (again): a new stack with the same interfaces, and its services.
    ///
    /// # Errors
    /// Those of a setup; the host is then without power.
    pub fn start(&mut self, host: HostId) -> Result<()> {
        if self.host_mut(host)?.running.is_some() {
            return Ok(());
        }
        let started = self.boot(host);
        if started.is_err() {
            self.stop(host);
        }
        started
    }

    fn boot(&mut self, host: HostId) -> Result<()> {
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
            lid,
            loopback: None,
        });
        for port in &mut row.ports {
            // What arrived without power is lost.
            while port.spare.receive(now).is_some() {}
        }
        let setups = row.setups.clone();
        let services = row.services.clone();
        let ports = row.ports.len();
        if ports == 0 {
            self.drive_loopback(host, network.clone());
        }
        for number in 0..ports {
            let plug = self.attach(host, number)?;
            self.drive(plug);
        }
        for setup in setups {
            network.with(|stack| setup(stack))?;
        }
        for (name, service) in services {
            let service = service(network.clone());
            self.executor
                .spawn(name, Some(host), Purpose::Service, service);
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
