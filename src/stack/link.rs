//! The link below IP: what stands before a packet on an Ethernet, and how a frame of the heart's own leaves.

use smoltcp::phy::{Device, PacketMeta, TxToken};
use smoltcp::time::Instant;

use super::frame::ETHERNET_HEADER;
use super::glass::Pane;
use super::ip::IpAddr;
use crate::trace::Observer;

pub(super) const ETHERTYPE_ARP: u16 = 0x0806;
const ETHERTYPE_IPV4: u16 = 0x0800;
const ETHERTYPE_IPV6: u16 = 0x86dd;

/// A hardware address of Ethernet.
pub(super) type Hardware = [u8; 6];

pub(super) const BROADCAST: Hardware = [0xff; 6];

/// Whether a hardware address is one station's.
pub(super) fn is_unicast(hardware: Hardware) -> bool {
    hardware[0] & 1 == 0 && hardware != [0; 6]
}

/// The hardware address of a group (RFC 1112 §6.4, RFC 2464 §7).
pub(super) fn group_hardware(group: IpAddr) -> Hardware {
    match group {
        IpAddr::V4(v4) => {
            let [_, b, c, d] = v4.octets();
            [0x01, 0x00, 0x5e, b & 0x7f, c, d]
        }
        IpAddr::V6(v6) => {
            let [.., a, b, c, d] = v6.octets();
            [0x33, 0x33, a, b, c, d]
        }
    }
}

/// The way over one link: from whom to whom.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Link {
    /// A link that carries bare IP packets.
    Ip,
    Ethernet {
        from: Hardware,
        to: Hardware,
    },
}

impl Link {
    /// Back to where a frame came from. None where that is no station.
    pub(super) fn back(own: Option<Hardware>, header: &[u8]) -> Option<Link> {
        let Some(from) = own else {
            return Some(Link::Ip);
        };
        let to = *header.get(6..)?.first_chunk::<6>()?;
        is_unicast(to).then_some(Link::Ethernet { from, to })
    }

    /// Octets before the packet.
    pub(super) fn header_len(&self) -> usize {
        match self {
            Link::Ip => 0,
            Link::Ethernet { .. } => ETHERNET_HEADER,
        }
    }

    /// Writes the header of a frame whose packet is in its place.
    pub(super) fn write_around_packet(&self, frame: &mut [u8]) {
        let version = frame.get(self.header_len()).map(|octet| octet >> 4);
        let ethertype = match version {
            Some(6) => ETHERTYPE_IPV6,
            _ => ETHERTYPE_IPV4,
        };
        self.write(frame, ethertype);
    }

    /// Writes the header.
    pub(super) fn write(&self, frame: &mut [u8], ethertype: u16) {
        if let Link::Ethernet { from, to } = self
            && let Some((destination, rest)) = frame.split_first_chunk_mut()
            && let Some((source, rest)) = rest.split_first_chunk_mut()
            && let Some(kind) = rest.first_chunk_mut()
        {
            (*destination, *source) = (*to, *from);
            *kind = ethertype.to_be_bytes();
        }
    }
}

/// Where frames leave: a device, or the room that came with a received frame. It is asked through a table of functions, so that
/// the heart is in the machine code once, over however many kinds of devices it runs.
pub(super) trait Transmit {
    /// Whether there is room for a frame.
    fn has_room(&mut self, now: Instant) -> bool;

    /// Takes the room for one frame, where there is some, and lends it: a device that is asked again may have none, and
    /// smoltcp cannot take back what it has begun to send.
    fn reserve(&mut self, now: Instant, lend: &mut dyn FnMut(&mut dyn Transmit));

    /// Sends a frame of so many octets, which `write` writes; says whether there was room for it.
    fn transmit(
        &mut self,
        now: Instant,
        len: usize,
        meta: PacketMeta,
        write: &mut dyn FnMut(&mut [u8]),
    ) -> bool;
}

/// A device.
pub(super) struct Port<'d, D: ?Sized>(pub(super) &'d mut D);

impl<D: Device + ?Sized> Transmit for Port<'_, D> {
    fn has_room(&mut self, now: Instant) -> bool {
        self.0.transmit(now).is_some()
    }

    fn reserve(&mut self, now: Instant, lend: &mut dyn FnMut(&mut dyn Transmit)) {
        lend(&mut Reply(self.0.transmit(now)));
    }

    fn transmit(
        &mut self,
        now: Instant,
        len: usize,
        meta: PacketMeta,
        write: &mut dyn FnMut(&mut [u8]),
    ) -> bool {
        let token = self.0.transmit(now);
        Reply(token).transmit(now, len, meta, write)
    }
}

/// The room that came with a frame, for one.
pub(super) struct Reply<T>(pub(super) Option<T>);

impl<T: TxToken> Transmit for Reply<T> {
    fn has_room(&mut self, _: Instant) -> bool {
        self.0.is_some()
    }

    fn reserve(&mut self, _: Instant, lend: &mut dyn FnMut(&mut dyn Transmit)) {
        lend(self);
    }

    fn transmit(
        &mut self,
        _: Instant,
        len: usize,
        meta: PacketMeta,
        write: &mut dyn FnMut(&mut [u8]),
    ) -> bool {
        let Some(mut token) = self.0.take() else {
            return false;
        };
        token.set_meta(meta);
        token.consume(len, write);
        true
    }
}

/// Sends a frame, which its observer is then told of, if the device has room for one; says whether it had.
pub(super) fn transmit<O: Observer>(
    device: &mut dyn Transmit,
    now: Instant,
    len: usize,
    mut pane: Option<Pane>,
    observer: &mut O,
    write: &mut dyn FnMut(&mut [u8]),
) -> bool {
    device.transmit(now, len, PacketMeta::default(), &mut |frame| {
        // Who has no room for the frame says so by an empty one.
        if frame.len() == len {
            write(frame);
            if observer.is_listening()
                && let Some(pane) = &mut pane
            {
                pane.tell_out(observer, frame);
            }
        }
    })
}
