//! Links: wires, and what they join.

use smoltcp::phy::Medium;

use super::{HostId, SwitchId};
use crate::device::{
    Wire,
    wire::{Conditions, Faults, Selector},
};

/// The plan of a link. What goes out is what its first end sends.
///
/// ```
/// use glasstack::{device::wire::Conditions, sim::Link};
/// use std::time::Duration;
///
/// let dsl = Conditions::default().latency(Duration::from_millis(20)).loss(0.01);
/// let link = Link::ethernet(1514).both(dsl).lose("SYN".parse()?);
/// # Ok::<(), glasstack::device::wire::SelectorError>(())
/// ```
#[derive(Debug)]
#[must_use = "`Simulation::link` makes it"]
pub struct Link {
    pub(super) medium: Medium,
    pub(super) wire: Wire,
    pub(super) faults: Faults,
}

impl Link {
    /// A perfect Ethernet link with frames of so many bytes, header included: 1,514 is usual.
    pub fn ethernet(mtu: usize) -> Link {
        Link::new(Medium::Ethernet, mtu)
    }

    /// A perfect link that carries IP packets of so many bytes, as a TUN device does: no ARP, no switch.
    pub fn ip(mtu: usize) -> Link {
        Link::new(Medium::Ip, mtu)
    }

    fn new(medium: Medium, mtu: usize) -> Link {
        Link {
            medium,
            wire: Wire::new(medium, mtu),
            faults: Faults::new(0),
        }
    }

    /// The conditions of both directions.
    pub fn both(mut self, conditions: Conditions) -> Link {
        self.faults = self.faults.both(conditions);
        self
    }

    /// The conditions from the first end to the second.
    pub fn outgoing(mut self, conditions: Conditions) -> Link {
        self.faults = self.faults.outgoing(conditions);
        self
    }

    /// The conditions from the second end to the first.
    pub fn incoming(mut self, conditions: Conditions) -> Link {
        self.faults = self.faults.incoming(conditions);
        self
    }

    /// Loses the frames chosen, counted over both directions; may be said several times.
    pub fn lose(mut self, selector: Selector) -> Link {
        self.faults = self.faults.lose(selector);
        self
    }

    /// How many frames may be under way in each direction: 256, unless said otherwise.
    pub fn queue(mut self, frames: usize) -> Link {
        self.wire = self.wire.queue(frames);
        self
    }
}

/// What a link ends at.
#[derive(Debug, Clone)]
pub enum End<'e> {
    /// An interface of a host, with these addresses: `"10.0.0.1/24"`; `"dhcp"` is one that a server gives,
    /// `"slaac"` stands for those that are formed of what routers advertise.
    Host(HostId, &'e [&'e str]),
    /// A port of a switch.
    Switch(SwitchId),
}

impl<'e, const COUNT: usize> From<(HostId, &'e [&'e str; COUNT])> for End<'e> {
    fn from((host, addresses): (HostId, &'e [&'e str; COUNT])) -> End<'e> {
        End::Host(host, addresses)
    }
}

impl<'e> From<(HostId, &'e [&'e str])> for End<'e> {
    fn from((host, addresses): (HostId, &'e [&'e str])) -> End<'e> {
        End::Host(host, addresses)
    }
}

impl From<SwitchId> for End<'_> {
    fn from(switch: SwitchId) -> Self {
        End::Switch(switch)
    }
}
