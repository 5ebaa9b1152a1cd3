//! The door between smoltcp and a device: frames are handed in one at a time, and those that leave are seen.

use smoltcp::phy::{Device, DeviceCapabilities, Medium, PacketMeta, RxToken, TxToken};
use smoltcp::time::Instant;

use super::frame::{Segment, TCP, before};
use super::glass::Pane;
use super::link::{Link, Transmit};
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

/// A transmit token that puts the link's header before the packet, and looks at the finished frame.
pub(super) struct Watched<'w, 'o, O> {
    device: &'w mut dyn Transmit,
    now: Instant,
    meta: PacketMeta,
    watch: &'w mut Watch<'o, O>,
}

impl<O: Observer> TxToken for Watched<'_, '_, O> {
    fn consume<R, F: FnOnce(&mut [u8]) -> R>(self, len: usize, f: F) -> R {
        let Watched {
            device,
            now,
            meta,
            watch,
        } = self;
        let link = watch.link.unwrap_or(Link::Ip);
        let header_len = link.header_len();
        let (mut f, mut result) = (Some(f), None);
        device.transmit(now, header_len + len, meta, &mut |frame| {
            let Some(f) = f.take() else {
                return;
            };
            let Some(packet) = frame.get_mut(header_len..) else {
                result = Some(f(&mut []));
                return;
            };
            result = Some(f(packet));
            if cfg!(feature = "options")
                && let Some(stamp) = &watch.stamp
            {
                stamp.press(packet);
            }
            watch.sent.note(packet);
            link.write_around_packet(frame);
            if watch.observer.is_listening()
                && let Some(pane) = &mut watch.pane
            {
                pane.tell_out(watch.observer, frame);
            }
        });
        match (result, f) {
            (Some(result), _) => result,
            // Whoever lends a token has taken the room for it: this is not reached.
            (None, Some(f)) => f(&mut []),
            // Whoever takes `f` leaves a result.
            (None, None) => loop {
                core::hint::spin_loop();
            },
        }
    }

    fn set_meta(&mut self, meta: PacketMeta) {
        self.meta = meta;
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

/// Hands a packet in, if there is one, and lets frames out.
pub(super) struct Door<'f, 'o, O> {
    pub(super) packet: Option<&'f [u8]>,
    pub(super) meta: PacketMeta,
    pub(super) device: &'f mut dyn Transmit,
    pub(super) watch: &'f mut Watch<'o, O>,
}

impl<'f, 'o, O: Observer> Door<'f, 'o, O> {
    /// Lets frames out, and hands none in.
    pub(super) fn out(device: &'f mut dyn Transmit, watch: &'f mut Watch<'o, O>) -> Self {
        Door {
            packet: None,
            meta: PacketMeta::default(),
            device,
            watch,
        }
    }

    fn token(&mut self, now: Instant) -> Watched<'_, 'o, O> {
        Watched {
            device: self.device,
            now,
            meta: PacketMeta::default(),
            watch: self.watch,
        }
    }
}

impl<'f, 'o, O: Observer> Device for Door<'f, 'o, O> {
    type RxToken<'a>
        = Lent<'f>
    where
        Self: 'a;
    type TxToken<'a>
        = Watched<'a, 'o, O>
    where
        Self: 'a;

    fn receive(&mut self, now: Instant) -> Option<(Lent<'f>, Self::TxToken<'_>)> {
        let frame = self.packet.take()?;
        let lent = Lent {
            frame,
            meta: self.meta,
        };
        Some((lent, self.token(now)))
    }

    fn transmit(&mut self, now: Instant) -> Option<Self::TxToken<'_>> {
        if self.watch.link.is_none() {
            self.watch.sent.unresolved = true;
            return None;
        }
        if !self.device.has_room(now) {
            self.watch.sent.exhausted = true;
            return None;
        }
        Some(self.token(now))
    }

    /// Nobody asks: an `Interface` knows its device's since it was made.
    fn capabilities(&self) -> DeviceCapabilities {
        DeviceCapabilities::default()
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
    type TxToken<'a> = Never;

    fn receive(&mut self, _: Instant) -> Option<(Lent<'_>, Never)> {
        None
    }

    fn transmit(&mut self, _: Instant) -> Option<Never> {
        None
    }

    fn capabilities(&self) -> DeviceCapabilities {
        self.0.clone()
    }
}

/// The token of a device that gives none.
pub(super) enum Never {}

impl TxToken for Never {
    fn consume<R, F: FnOnce(&mut [u8]) -> R>(self, _: usize, _: F) -> R {
        match self {}
    }
}

/// Swallows every frame: for what smoltcp is told without an answer that counts.
pub(super) struct Void;

/// Octets of a longest frame of smoltcp's own making, which the interfaces that are thrown away keep to.
const VOID_MTU: usize = 128;

impl Transmit for Void {
    fn has_room(&mut self, _: Instant) -> bool {
        true
    }

    fn reserve(&mut self, _: Instant, lend: &mut dyn FnMut(&mut dyn Transmit)) {
        lend(self);
    }

    fn transmit(
        &mut self,
        _: Instant,
        len: usize,
        _: PacketMeta,
        write: &mut dyn FnMut(&mut [u8]),
    ) -> bool {
        let mut frame = [0; VOID_MTU];
        write(frame.get_mut(..len.min(VOID_MTU)).unwrap_or_default());
        true
    }
}
