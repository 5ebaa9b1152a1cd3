//! The table of interfaces: the loopback, and the links by their number.

use core::num::NonZeroU8;

use managed::ManagedSlice;

use super::InterfaceId;
#[cfg(feature = "loopback")]
use super::interface::LOOPBACK;
use super::interface::NetworkInterface;

/// An interface's number where it is kept: never all zeros, so that "nothing" beside it takes no room.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Number(NonZeroU8);

impl Number {
    pub(super) const fn get(self) -> u8 {
        self.0.get() - 1
    }
}

impl From<u8> for Number {
    /// There is no interface 255.
    fn from(index: u8) -> Number {
        Number(NonZeroU8::MIN.saturating_add(index))
    }
}

/// The interfaces of a host. Number 0 is the loopback's, whether there is one or not.
pub(super) struct Interfaces<'a> {
    #[cfg(feature = "loopback")]
    loopback: NetworkInterface,
    links: ManagedSlice<'a, Option<NetworkInterface>>,
}

impl<'a> Interfaces<'a> {
    pub(super) fn new(
        #[cfg(feature = "loopback")] loopback: NetworkInterface,
        links: ManagedSlice<'a, Option<NetworkInterface>>,
    ) -> Interfaces<'a> {
        Interfaces {
            #[cfg(feature = "loopback")]
            loopback,
            links,
        }
    }

    pub(super) fn get(&self, index: u8) -> Option<&NetworkInterface> {
        #[cfg(feature = "loopback")]
        if index == LOOPBACK {
            return Some(&self.loopback);
        }
        self.links.get(place(index)?)?.as_ref()
    }

    pub(super) fn get_mut(&mut self, index: u8) -> Option<&mut NetworkInterface> {
        #[cfg(feature = "loopback")]
        if index == LOOPBACK {
            return Some(&mut self.loopback);
        }
        self.links.get_mut(place(index)?)?.as_mut()
    }

    /// Every interface, with its number.
    pub(super) fn iter(&self) -> impl Iterator<Item = (u8, &NetworkInterface)> {
        #[cfg(feature = "loopback")]
        let loopback = Some((LOOPBACK, &self.loopback));
        #[cfg(not(feature = "loopback"))]
        let loopback = None;
        loopback.into_iter().chain(self.links())
    }

    /// Those that lead to other hosts.
    pub(super) fn links(&self) -> impl Iterator<Item = (u8, &NetworkInterface)> {
        let rows = (1..).zip(self.links.iter());
        rows.filter_map(|(index, row)| row.as_ref().map(|row| (index, row)))
    }

    /// The numbers that there may be.
    pub(super) fn numbers(&self) -> impl Iterator<Item = u8> + use<> {
        0..=self.links.len() as u8
    }

    /// Adds a link; `None` where there is no room for it.
    pub(super) fn add(&mut self, link: NetworkInterface) -> Option<InterfaceId> {
        let mut places = (1..).zip(self.links.iter_mut());
        let (index, place) = places.find(|(_, place)| place.is_none())?;
        *place = Some(link);
        Some(InterfaceId(index))
    }

    /// Takes a link away.
    #[cfg(feature = "std")]
    pub(super) fn remove(&mut self, index: u8) {
        if let Some(place) = place(index).and_then(|place| self.links.get_mut(place)) {
            *place = None;
        }
    }
}

/// Where a link stands in the table; the loopback is beside it.
fn place(index: u8) -> Option<usize> {
    usize::from(index).checked_sub(1)
}
