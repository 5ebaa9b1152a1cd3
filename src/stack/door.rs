//! The door between smoltcp and a device: frames are handed in one at a time, and those that leave are seen.

use smoltcp::phy::{Device, DeviceCapabilities, Medium, PacketMeta, RxToken, TxToken};
use smoltcp::time::Instant;

use super::frame::{Segment, TCP, before};
use super::glass::Pane;
use super::link::Link;
use super::stamp::Stamp;
use crate::trace::Observer;

/// What left through the door during one call into smoltcp.
#[derive(Default)]
pub(super) struct Sent {
    /// Packets that left.
    pub(super) packets: u32,
    /// smoltcp wanted to send, and where to on the link is not known.
    pub(super) unresolved: bool,
    /// The device had no room for another frame.
    pub(super) exhausted: bool,
    /// The furthest TCP sequence number taken up, and the latest acknowledgment.
    pub(super) sequence: Option<(u32, Option<u32>)>,
    /// The first sequence number sent.
    pub(super) first: Option<u32>,
    /// smoltcp keeps to the window that it has sent: not to a probe's, which it forgets.
    pub(super) offers: bool,
    /// The window that went with the latest acknowledgment.
    pub(super) window: u16,
    /// What was sent before ended here; and how many segments were sent again.
    pub(super) horizon: Option<u32>,
    pub(super) again: u32,
}

impl Sent {
    /// Looks at a finished packet. smoltcp writes its IP headers without options, so the places are fixed.
    #[inline]
    fn note(&mut self, packet: &[u8]) {
        self.packets += 1;
        let transport = match packet {
            [0x45, _, _, _, _, _, _, _, _, TCP, ..] => packet.get(20..),
            [0x60..0x70, _, _, _, _, _, TCP, ..] => packet.get(40..),
            _ => None,
        };
        if let Some(segment) = transport.and_then(Segment::parse) {
            self.first.get_or_insert(segment.seq);
            let ack = segment.has_ack().then_some(segment.ack);
            self.offers |= segment.octets() != 1;
            self.window = segment.window;
            let next = segment.seq.wrapping_add(segment.len);
            // A keep-alive's octet was sent before, and is no data.
            let is_again = self
                .horizon
                .is_some_and(|horizon| before(segment.seq, horizon));
            self.again += u32::from(is_again && segment.len > 0);
            self.sequence = Some((next, ack));
        }
    }
}

/// Who looks at the frames that leave: the heart, and its observer if that listens.
pub(super) struct Watch<'o, O> {
    pub(super) sent: &'o mut Sent,
    /// The way over the link, where it is known.
    pub(super) link: Option<Link>,
    pub(super) pane: Option<Pane>,
    /// What is written into them beside what smoltcp writes.
    pub(super) stamp: Option<Stamp>,
    pub(super) observer: &'o mut O,
}

/// A transmit token that puts the link's header before the packet, and looks at the finished frame. smoltcp passes tokens by
/// value, often: a small one is a fast one.
pub(super) struct Watched<'w, 'o, T, O> {
    token: T,
    watch: &'w mut Watch<'o, O>,
}

impl<'w, 'o, T, O> Watched<'w, 'o, T, O> {
    pub(super) fn new(token: T, watch: &'w mut Watch<'o, O>) -> Self {
        Watched { token, watch }
    }
}

impl<T: TxToken, O: Observer> TxToken for Watched<'_, '_, T, O> {
    fn consume<R, F: FnOnce(&mut [u8]) -> R>(self, len: usize, f: F) -> R {
        let link = self.watch.link.unwrap_or(Link::Ip);
        let header_len = link.header_len();
        self.token.consume(header_len + len, |frame| {
            let Some(packet) = frame.get_mut(header_len..) else {
                return f(&mut []);
            };
            let result = f(packet);
            if let Some(stamp) = &self.watch.stamp {
                stamp.press(packet);
            }
            self.watch.sent.note(packet);
            link.write_around_packet(frame);
            if let Some(pane) = &mut self.watch.pane {
                pane.tell_out(self.watch.observer, frame);
            }
            result
        })
    }

    fn set_meta(&mut self, meta: PacketMeta) {
        self.token.set_meta(meta);
    }
}

/// The frame that is handed in.
pub(super) struct Lent<'f> {
    frame: &'f [u8],
    meta: PacketMeta,
}

impl RxToken for Lent<'_> {
    fn consume<R, F: FnOnce(&[u8]) -> R>(self, f: F) -> R {
        f(self.frame)
    }

    fn meta(&self) -> PacketMeta {
        self.meta
    }
}

/// Hands one packet in, with the device's own transmit token for the answer.
pub(super) struct DoorIn<'f, 'o, T, O> {
    pub(super) packet: Option<&'f [u8]>,
    pub(super) meta: PacketMeta,
    pub(super) token: Option<T>,
    pub(super) capabilities: &'f DeviceCapabilities,
    pub(super) watch: &'f mut Watch<'o, O>,
}

impl<'f, 'o, T: TxToken, O: Observer> Device for DoorIn<'f, 'o, T, O> {
    type RxToken<'a>
        = Lent<'f>
    where
        Self: 'a;
    type TxToken<'a>
        = Watched<'a, 'o, T, O>
    where
        Self: 'a;

    fn receive(&mut self, _: Instant) -> Option<(Lent<'f>, Self::TxToken<'_>)> {
        let frame = self.packet.take()?;
        let token = self.token.take()?;
        let lent = Lent {
            frame,
            meta: self.meta,
        };
        Some((lent, Watched::new(token, self.watch)))
    }

    fn transmit(&mut self, _: Instant) -> Option<Self::TxToken<'_>> {
        None
    }

    fn capabilities(&self) -> DeviceCapabilities {
        self.capabilities.clone()
    }
}

/// Lets frames out to the device, and none in.
pub(super) struct DoorOut<'d, 'o, D: ?Sized, O> {
    pub(super) device: &'d mut D,
    pub(super) watch: &'d mut Watch<'o, O>,
}

impl<'o, D: Device + ?Sized, O: Observer> Device for DoorOut<'_, 'o, D, O> {
    type RxToken<'a>
        = Lent<'a>
    where
        Self: 'a;
    type TxToken<'a>
        = Watched<'a, 'o, D::TxToken<'a>, O>
    where
        Self: 'a;

    fn receive(&mut self, _: Instant) -> Option<(Lent<'_>, Self::TxToken<'_>)> {
        None
    }

    fn transmit(&mut self, now: Instant) -> Option<Self::TxToken<'_>> {
        if self.watch.link.is_none() {
            self.watch.sent.unresolved = true;
            return None;
        }
        let Some(token) = self.device.transmit(now) else {
            self.watch.sent.exhausted = true;
            return None;
        };
        Some(Watched::new(token, self.watch))
    }

    fn capabilities(&self) -> DeviceCapabilities {
        self.device.capabilities()
    }
}

/// What smoltcp takes a device for: one that carries packets, whatever stands before them on the link.
pub(super) struct Packets(DeviceCapabilities);

impl Packets {
    pub(super) fn of(device: &DeviceCapabilities) -> Packets {
        Packets::of_size(device, device.ip_mtu())
    }

    /// The same, and none of them longer than this.
    pub(super) fn of_size(device: &DeviceCapabilities, mtu: usize) -> Packets {
        let mut capabilities = device.clone();
        capabilities.max_transmission_unit = mtu;
        capabilities.medium = Medium::Ip;
        Packets(capabilities)
    }

    /// The longest of them.
    pub(super) fn mtu(&self) -> usize {
        self.0.max_transmission_unit
    }

    /// The same device, with shorter packets.
    pub(super) fn with_mtu(&self, mtu: usize) -> Packets {
        let mut capabilities = self.0.clone();
        capabilities.max_transmission_unit = mtu;
        Packets(capabilities)
    }
}

impl Device for Packets {
    type RxToken<'a> = Lent<'a>;
    type TxToken<'a> = VoidToken;

    fn receive(&mut self, _: Instant) -> Option<(Lent<'_>, VoidToken)> {
        None
    }

    fn transmit(&mut self, _: Instant) -> Option<VoidToken> {
        None
    }

    fn capabilities(&self) -> DeviceCapabilities {
        self.0.clone()
    }
}

/// Swallows every frame: for what smoltcp is told without an answer that counts.
pub(super) struct Void;

/// A transmit token to nowhere; the octets are written to a buffer of one MTU at most, then forgotten.
pub(super) struct VoidToken;

impl TxToken for VoidToken {
    fn consume<R, F: FnOnce(&mut [u8]) -> R>(self, len: usize, f: F) -> R {
        let mut frame = [0; VOID_MTU];
        let len = len.min(frame.len());
        f(&mut frame[..len])
    }
}

/// Larger packets than this are dropped by smoltcp itself, before they reach the token.
const VOID_MTU: usize = 128;

impl Device for Void {
    type RxToken<'a> = Lent<'a>;
    type TxToken<'a> = VoidToken;

    fn receive(&mut self, _: Instant) -> Option<(Lent<'_>, VoidToken)> {
        None
    }

    fn transmit(&mut self, _: Instant) -> Option<VoidToken> {
        Some(VoidToken)
    }

    fn capabilities(&self) -> DeviceCapabilities {
        let mut capabilities = DeviceCapabilities::default();
        capabilities.medium = Medium::Ip;
        capabilities.max_transmission_unit = VOID_MTU;
        capabilities
    }
}
