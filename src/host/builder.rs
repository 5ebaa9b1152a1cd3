//! What a host is made of.

use super::{
    Host, LastHandle, driver,
    engine::{Engine, HostStack, Shared},
    link::{Attached, Link, Loopback},
    listener::Listener,
};
use crate::{
    stack::{Capacity, Stack},
    trace::Observer,
};
use nix::sys::eventfd::{EfdFlags, EventFd};
use smoltcp::phy::{Device, Medium};
use std::{
    fmt,
    fs::File,
    io::{self, Read},
    net::IpAddr,
    os::fd::{AsFd, OwnedFd},
    sync::Arc,
};

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
#[derive(Default)]
#[must_use = "nothing runs before `start` or `start_loopback`"]
pub struct Builder {
    addresses: Vec<(IpAddr, u8)>,
    gateways: Vec<IpAddr>,
    name_servers: Vec<IpAddr>,
    names: Vec<(&'static str, IpAddr)>,
    hardware_address: Option<[u8; 6]>,
    capacity: Capacity,
    key: Option<[u8; 16]>,
    observer: Option<Box<dyn Observer + Send>>,
}

impl Builder {
    /// An address of the host on its device's network, and the length of the network's prefix in bits.
    pub fn address(mut self, address: IpAddr, prefix_len: u8) -> Builder {
        self.addresses.push((address, prefix_len));
        self
    }

    /// The default router for the addresses of its family.
    pub fn gateway(mut self, gateway: IpAddr) -> Builder {
        self.gateways.push(gateway);
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

    /// The MAC address on an Ethernet device. Without it one is drawn at random from the locally administered ones.
    pub fn hardware_address(mut self, address: [u8; 6]) -> Builder {
        self.hardware_address = Some(address);
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

    /// Starts the host on a device: frames in and out, and a descriptor that is readable when one came in.
    ///
    /// # Errors
    /// `InvalidInput` for an address, prefix or gateway that cannot be; what the operating system says about a descriptor or
    /// thread too many.
    pub fn start<D>(self, mut device: D) -> io::Result<Host>
    where
        D: Device + AsFd + Send + 'static,
    {
        let descriptor = device.as_fd().try_clone_to_owned()?;
        let hardware_address = match device.capabilities().medium {
            Medium::Ethernet => Some(match self.hardware_address {
                Some(address) => address,
                None => locally_administered(random()?),
            }),
            _ => None,
        };
        self.run(Some(descriptor), |builder, stack| {
            let interface = stack.add_interface(&mut device, hardware_address)?;
            for (address, prefix_len) in &builder.addresses {
                stack.add_address(interface, *address, *prefix_len)?;
            }
            for gateway in &builder.gateways {
                stack.set_gateway(interface, *gateway)?;
            }
            Ok(Box::new(Attached { device, interface }))
        })
    }

    /// Starts the host without a device: it has 127.0.0.1 and `::1`, and reaches itself.
    ///
    /// # Errors
    /// `InvalidInput` if the builder was given an address or a gateway: there is no device that they could belong to.
    pub fn start_loopback(self) -> io::Result<Host> {
        if !self.addresses.is_empty() || !self.gateways.is_empty() {
            return Err(io::Error::new(
                io::ErrorKind::InvalidInput,
                "addresses and gateways belong to a device",
            ));
        }
        self.run(None, |_, _| Ok(Box::new(Loopback)))
    }

    fn run(
        mut self,
        descriptor: Option<OwnedFd>,
        attach: impl FnOnce(&Builder, &mut HostStack) -> crate::Result<Box<dyn Link>>,
    ) -> io::Result<Host> {
        let key = match self.key {
            Some(key) => key,
            None => random()?,
        };
        let observer = Listener::new(self.observer.take());
        let mut stack = Stack::with_capacity(self.capacity.clone(), key, observer);
        let link = attach(&self, &mut stack)?;
        for server in &self.name_servers {
            stack.add_name_server(*server)?;
        }
        for (name, address) in &self.names {
            stack.add_name(name, *address)?;
        }
        let wake = EventFd::from_flags(EfdFlags::EFD_CLOEXEC | EfdFlags::EFD_NONBLOCK)?;
        let shared = Arc::new(Shared::new(Engine::new(stack, link), wake));
        driver::spawn(shared.clone(), descriptor)?;
        Ok(Host(Arc::new(LastHandle(shared))))
    }
}

impl fmt::Debug for Builder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Without the key: a secret does not belong into a log.
        f.debug_struct("Builder")
            .field("addresses", &self.addresses)
            .field("gateways", &self.gateways)
            .field("name_servers", &self.name_servers)
            .field("names", &self.names)
            .field("hardware_address", &self.hardware_address)
            .field("capacity", &self.capacity)
            .finish_non_exhaustive()
    }
}

/// Bytes from the operating system's generator.
fn random<const N: usize>() -> io::Result<[u8; N]> {
    let mut bytes = [0; N];
    File::open("/dev/urandom")?.read_exact(&mut bytes)?;
    Ok(bytes)
}

/// A unicast address that no manufacturer gives out (IEEE 802: the U/L bit set, the I/G bit clear).
fn locally_administered(mut address: [u8; 6]) -> [u8; 6] {
    address[0] = address[0] & !0b01 | 0b10;
    address
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_random_hardware_address_is_local_and_unicast() {
        for first in 0..=u8::MAX {
            let address = locally_administered([first, 1, 2, 3, 4, 5]);
            assert_eq!(address[0] & 0b11, 0b10);
            assert_eq!(address[1..], [1, 2, 3, 4, 5]);
        }
    }
}
