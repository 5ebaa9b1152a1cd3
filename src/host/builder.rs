//! What a host is made of.

use super::{
    Host, LastHandle, driver,
    engine::{Engine, Shared},
    interface::{Interface, Settings, random},
    link::{Link, Links},
    listener::Listener,
};
use crate::{
    stack::{Capacity, Stack},
    trace::Observer,
};
use nix::sys::eventfd::{EfdFlags, EventFd};
use smoltcp::phy::Device;
use std::{fmt, io, mem, net::IpAddr, os::fd::AsFd, sync::Arc};

/// Describes a [`Host`], then starts it.
///
/// ```no_run
/// # use glasstack::host::Host;
/// # fn start<D>(device: D) -> Result<Host, Box<dyn std::error::Error>>
/// # where D: smoltcp::phy::Device + std::os::fd::AsFd + Send + 'static {
/// let host = Host::builder()
///     .address("192.168.69.1".parse()?, 24)
///     .address("fdaa:69::1".parse()?, 64)
///     .gateway("192.168.69.100".parse()?)
///     .name_server("192.168.69.100".parse()?)
///     .start(device)?;
/// # Ok(host) }
/// ```
///
/// A host with several devices has an [`Interface`] of each:
///
/// ```
/// use glasstack::device::Wire;
/// use glasstack::host::{Host, Interface};
/// use glasstack::smoltcp::phy::Medium;
///
/// let (office, _) = Wire::pair(Medium::Ethernet, 1514);
/// let (workshop, _) = Wire::pair(Medium::Ethernet, 1514);
/// let host = Host::builder().start_on([
///     Interface::new(office)
///         .address("192.168.69.1".parse()?, 24)
///         .gateway("192.168.69.100".parse()?),
///     Interface::new(workshop)
///         .address("192.168.70.1".parse()?, 24)
///         .address("fdaa:70::1".parse()?, 64),
/// ])?;
/// assert_eq!(host.interfaces().len(), 2);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Default)]
#[must_use = "nothing runs before `start`, `start_on` or `start_loopback`"]
pub struct Builder {
    /// Of the one device that [`start`](Builder::start) takes.
    settings: Settings,
    name_servers: Vec<IpAddr>,
    names: Vec<(&'static str, IpAddr)>,
    capacity: Capacity,
    key: Option<[u8; 16]>,
    observer: Option<Box<dyn Observer + Send>>,
}

impl Builder {
    /// An address of the host on the network of the one device that [`start`](Builder::start) takes, and the length of the
    /// network's prefix in bits.
    pub fn address(mut self, address: IpAddr, prefix_len: u8) -> Builder {
        self.settings.addresses.push((address, prefix_len));
        self
    }

    /// The default router for the addresses of its family, on that network.
    pub fn gateway(mut self, gateway: IpAddr) -> Builder {
        self.settings.gateways.push(gateway);
        self
    }

    /// Has the host get an IPv4 address by DHCP on that network, and with it a router and name servers, as far as none are
    /// given here. It does not have them at once: see [`Host::wait_until_configured`]. The lease is renewed as long as the host
    /// runs, and given back at its end.
    ///
    /// ```no_run
    /// # use glasstack::{device::Tap, host::Host};
    /// # use std::time::Duration;
    /// let host = Host::builder().dhcp().start(Tap::open("tap0")?)?;
    /// host.wait_until_configured(Duration::from_secs(30))?;
    /// println!("{:?}", host.leases());
    /// # Ok::<(), std::io::Error>(())
    /// ```
    #[cfg(feature = "ipv4")]
    pub fn dhcp(mut self) -> Builder {
        self.settings.has_dhcp = true;
        self
    }

    /// Has the host find IPv6 addresses, routers and name servers on that network by itself, from what routers advertise
    /// ([`Stack::autoconfigure`](crate::Stack::autoconfigure)). It does not have them at once: see
    /// [`Host::wait_until_configured`].
    ///
    /// ```no_run
    /// # use glasstack::{device::Tap, host::Host};
    /// # use std::time::Duration;
    /// let host = Host::builder().slaac().start(Tap::open("tap0")?)?;
    /// host.wait_until_configured(Duration::from_secs(30))?;
    /// println!("{:?}", host.addresses());
    /// # Ok::<(), std::io::Error>(())
    /// ```
    #[cfg(feature = "ipv6")]
    pub fn slaac(mut self) -> Builder {
        self.settings.has_slaac = true;
        self
    }

    /// A server to ask for names, after those given before.
    pub fn name_server(mut self, server: IpAddr) -> Builder {
        self.name_servers.push(server);
        self
    }

    /// A name that is known without asking a server. `localhost` is known anyway (RFC 6761 §6.3).
    pub fn name(mut self, name: &'static str, address: IpAddr) -> Builder {
        self.names.push((name, address));
        self
    }

    /// The MAC address on that device, if it is an Ethernet one. Without it one is drawn at random from the locally administered
    /// ones.
    pub fn hardware_address(mut self, address: [u8; 6]) -> Builder {
        self.settings.hardware_address = Some(address);
        self
    }

    /// The sizes of tables and buffers.
    pub fn capacity(mut self, capacity: Capacity) -> Builder {
        self.capacity = capacity;
        self
    }

    /// The 128 bits behind sequence numbers, ports and query ids. Without it they come from `/dev/urandom`, which is what
    /// a host that others can reach wants; a fixed key makes them foreseeable.
    pub fn key(mut self, key: [u8; 16]) -> Builder {
        self.key = Some(key);
        self
    }

    /// Hears every event of the stack, in order, in whichever thread causes it and under the host's lock: it must not call the
    /// sockets of this host (that would wait for itself). If it panics, the host ends: every call, waiting or new, then fails
    /// with `ErrorKind::NetworkDown`.
    pub fn observer(mut self, observer: impl Observer + Send + 'static) -> Builder {
        self.observer = Some(Box::new(observer));
        self
    }

    /// Starts the host on a device: frames in and out, and a descriptor that is readable when one came in. The addresses,
    /// gateways and hardware address given before are the host's on this device.
    ///
    /// # Errors
    /// `InvalidInput` for an address, prefix or gateway that cannot be; what the operating system says about a descriptor or
    /// thread too many.
    pub fn start<D>(mut self, device: D) -> io::Result<Host>
    where
        D: Device + AsFd + Send + 'static,
    {
        let settings = mem::take(&mut self.settings);
        self.start_on([Interface::with(device, settings)])
    }

    /// Starts the host on any number of devices, up to [`Capacity::interfaces`]. Which one leads to a destination, its
    /// addresses and gateways say. A device that goes away takes nothing with it but its own network:
    /// from then on its [link is down](Stack::set_link).
    ///
    /// # Errors
    /// Those of [`start`](Builder::start), [`Error::Exhausted`](crate::Error::Exhausted) for a device too many, and
    /// `InvalidInput` if the builder itself was given an address, a gateway or a hardware address: each belongs to an
    /// [`Interface`].
    pub fn start_on(self, interfaces: impl IntoIterator<Item = Interface>) -> io::Result<Host> {
        if self.settings != Settings::default() {
            return Err(io::Error::new(
                io::ErrorKind::InvalidInput,
                "addresses and gateways belong to a device",
            ));
        }
        self.run(interfaces)
    }

    /// Starts the host without a device: it has 127.0.0.1 and `::1`, and reaches itself.
    ///
    /// # Errors
    /// `InvalidInput` if the builder was given an address, a gateway or a hardware address: there is no device that they could
    /// belong to.
    pub fn start_loopback(self) -> io::Result<Host> {
        self.start_on([])
    }

    fn run(mut self, interfaces: impl IntoIterator<Item = Interface>) -> io::Result<Host> {
        let key = match self.key {
            Some(key) => key,
            None => random()?,
        };
        let observer = Listener::new(self.observer.take());
        let mut stack = Stack::with_capacity(self.capacity.clone(), key, observer);
        let attached = interfaces
            .into_iter()
            .map(|interface| interface.attach(&mut stack))
            .collect::<io::Result<Vec<_>>>()?;
        let devices = |(link, descriptor): (Box<dyn Link>, _)| {
            let interface = link.interface();
            (link, (interface, descriptor))
        };
        let (links, devices): (Vec<_>, Vec<_>) = attached.into_iter().map(devices).unzip();
        for server in &self.name_servers {
            stack.add_name_server(*server)?;
        }
        for (name, address) in &self.names {
            stack.add_name(name, *address)?;
        }
        let wake = EventFd::from_flags(EfdFlags::EFD_CLOEXEC | EfdFlags::EFD_NONBLOCK)?;
        let shared = Arc::new(Shared::new(Engine::new(stack, Links::new(links)), wake));
        driver::spawn(shared.clone(), devices)?;
        Ok(Host(Arc::new(LastHandle(shared))))
    }
}

impl fmt::Debug for Builder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Without the key: a secret does not belong into a log.
        f.debug_struct("Builder")
            .field("settings", &self.settings)
            .field("name_servers", &self.name_servers)
            .field("names", &self.names)
            .field("capacity", &self.capacity)
            .finish_non_exhaustive()
    }
}
