//! A device of a host, and how the host is known on its network.

use super::{
    engine::HostStack,
    link::{Attached, Link},
};
use smoltcp::phy::{Device, Medium};
use std::{
    fmt,
    fs::File,
    io::{self, Read},
    net::IpAddr,
    os::fd::{AsFd, OwnedFd},
};

/// Describes one of the interfaces of a [`Host`](super::Host): a device, and the host's addresses and router on its network.
/// [`Builder::start_on`](super::Builder::start_on) takes any number of them.
#[must_use = "an interface comes to life with `Builder::start_on`"]
pub struct Interface {
    device: Box<dyn Attach>,
    settings: Settings,
}

/// What is to be known of an interface beside its device.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Settings {
    pub(super) addresses: Vec<(IpAddr, u8)>,
    pub(super) gateways: Vec<IpAddr>,
    pub(super) hardware_address: Option<[u8; 6]>,
    pub(super) has_dhcp: bool,
    pub(super) has_slaac: bool,
}

impl Interface {
    /// A device: frames in and out, and a descriptor that is readable when one came in.
    pub fn new<D>(device: D) -> Interface
    where
        D: Device + AsFd + Send + 'static,
    {
        Interface::with(device, Settings::default())
    }

    pub(super) fn with<D>(device: D, settings: Settings) -> Interface
    where
        D: Device + AsFd + Send + 'static,
    {
        Interface {
            device: Box::new(device),
            settings,
        }
    }

    /// An address of the host on the device's network, and the length of the network's prefix in bits.
    pub fn address(mut self, address: IpAddr, prefix_len: u8) -> Interface {
        self.settings.addresses.push((address, prefix_len));
        self
    }

    /// The default router for the addresses of its family. Where several interfaces have one, the first has the way.
    pub fn gateway(mut self, gateway: IpAddr) -> Interface {
        self.settings.gateways.push(gateway);
        self
    }

    /// The MAC address on an Ethernet device. Without it one is drawn at random from the locally administered ones.
    pub fn hardware_address(mut self, address: [u8; 6]) -> Interface {
        self.settings.hardware_address = Some(address);
        self
    }

    /// Has the interface get an IPv4 address by DHCP, and with it a router and name servers, as far as none are given here. See
    /// [`Host::wait_until_configured`](super::Host::wait_until_configured).
    #[cfg(feature = "ipv4")]
    pub fn dhcp(mut self) -> Interface {
        self.settings.has_dhcp = true;
        self
    }

    /// Has the interface find IPv6 addresses, routers and name servers by itself, from what routers advertise
    /// ([`Stack::autoconfigure`](crate::Stack::autoconfigure)). See
    /// [`Host::wait_until_configured`](super::Host::wait_until_configured).
    #[cfg(feature = "ipv6")]
    pub fn slaac(mut self) -> Interface {
        self.settings.has_slaac = true;
        self
    }

    /// Makes it an interface of the stack; the link, and a duplicate of the device's descriptor.
    pub(super) fn attach(self, stack: &mut HostStack) -> io::Result<(Box<dyn Link>, OwnedFd)> {
        let settings = &self.settings;
        let (link, descriptor) = self.device.attach(stack, settings.hardware_address)?;
        for (address, prefix_len) in &settings.addresses {
            stack.add_address(link.interface(), *address, *prefix_len)?;
        }
        for gateway in &settings.gateways {
            stack.set_gateway(link.interface(), *gateway)?;
        }
        #[cfg(feature = "ipv4")]
        if settings.has_dhcp {
            stack.start_dhcp(link.interface())?;
        }
        #[cfg(feature = "ipv6")]
        if settings.has_slaac {
            let identifier = crate::stack::InterfaceIdentifier::default();
            stack.autoconfigure(link.interface(), Some(identifier))?;
        }
        Ok((link, descriptor))
    }
}

impl fmt::Debug for Interface {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Interface")
            .field("settings", &self.settings)
            .finish_non_exhaustive()
    }
}

/// A device before it has an interface. As a [`Link`] it can be a trait object, which smoltcp's `Device` cannot.
trait Attach: Send {
    fn attach(
        self: Box<Self>,
        stack: &mut HostStack,
        hardware_address: Option<[u8; 6]>,
    ) -> io::Result<(Box<dyn Link>, OwnedFd)>;
}

impl<D: Device + AsFd + Send + 'static> Attach for D {
    fn attach(
        mut self: Box<Self>,
        stack: &mut HostStack,
        hardware_address: Option<[u8; 6]>,
    ) -> io::Result<(Box<dyn Link>, OwnedFd)> {
        let descriptor = self.as_fd().try_clone_to_owned()?;
        let hardware_address = match self.capabilities().medium {
            Medium::Ethernet => Some(match hardware_address {
                Some(address) => address,
                None => locally_administered(random()?),
            }),
            _ => None,
        };
        let interface = stack.add_interface(&mut *self, hardware_address)?;
        let device = *self;
        Ok((Box::new(Attached { device, interface }), descriptor))
    }
}

/// Bytes from the operating system's generator.
pub(super) fn random<const N: usize>() -> io::Result<[u8; N]> {
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
