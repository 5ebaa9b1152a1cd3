//! What two hosts and the link between them tell, made by hand.

use core::net::{Ipv4Addr, SocketAddr};
use core::time::Duration;

use glasstack::smoltcp::phy::ChecksumCapabilities;
use glasstack::smoltcp::wire::{
    ArpOperation, ArpPacket, ArpRepr, EthernetAddress, EthernetFrame, EthernetProtocol,
    EthernetRepr, IpProtocol, Ipv4Packet, Ipv4Repr, TcpControl, TcpPacket, TcpRepr, TcpSeqNumber,
    UdpPacket, UdpRepr,
};
use glasstack::trace::{
    Call, Cause, Direction, DropReason, Event, Flow, Happening, Instant, Medium, Outcome, Protocol,
    RetransmissionCause, Sink, State, Station, Timer, TimerChange,
};

pub(crate) const CLIENT: Station = Station(0);
pub(crate) const SERVER: Station = Station(1);

pub(crate) fn address(station: Station) -> Ipv4Addr {
    Ipv4Addr::new(10, 0, 0, station.0 + 1)
}

/// The two hosts' initial sequence numbers: one of them wraps.
fn initial(station: Station) -> u32 {
    if station == CLIENT {
        u32::MAX - 3
    } else {
        7_000_000
    }
}

/// A TCP segment, by relative numbers.
#[derive(Clone, Copy)]
pub(crate) struct Tcp {
    pub(crate) flags: TcpControl,
    pub(crate) sequence: u32,
    pub(crate) acknowledgment: Option<u32>,
    pub(crate) len: usize,
    pub(crate) window: u16,
    pub(crate) sack: Option<(u32, u32)>,
}

pub(crate) const fn syn() -> Tcp {
    Tcp {
        flags: TcpControl::Syn,
        ..ack(0, 0)
    }
    .acking(None)
}

pub(crate) const fn ack(sequence: u32, acknowledgment: u32) -> Tcp {
    Tcp {
        flags: TcpControl::None,
        sequence,
        acknowledgment: Some(acknowledgment),
        len: 0,
        window: 2048,
        sack: None,
    }
}

pub(crate) const fn data(sequence: u32, acknowledgment: u32, len: usize) -> Tcp {
    Tcp {
        flags: TcpControl::Psh,
        len,
        ..ack(sequence, acknowledgment)
    }
}

pub(crate) const fn fin(sequence: u32, acknowledgment: u32) -> Tcp {
    Tcp {
        flags: TcpControl::Fin,
        ..ack(sequence, acknowledgment)
    }
}

impl Tcp {
    pub(crate) const fn acking(self, acknowledgment: Option<u32>) -> Tcp {
        Tcp {
            acknowledgment,
            ..self
        }
    }

    pub(crate) const fn window(self, window: u16) -> Tcp {
        Tcp { window, ..self }
    }
}

/// A frame under way.
#[derive(Clone)]
pub(crate) struct Frame {
    pub(crate) from: Station,
    pub(crate) bytes: Vec<u8>,
}

/// Tells a sink what happens between a client on `port` and the server.
pub(crate) struct Scene<'s> {
    pub(crate) sink: &'s mut dyn Sink,
    pub(crate) now: Instant,
    pub(crate) port: u16,
}

impl<'s> Scene<'s> {
    pub(crate) fn new(sink: &'s mut dyn Sink) -> Self {
        // The clock's zero is long before: a ladder's is its first event.
        Scene {
            sink,
            now: Instant::from_millis(5_000),
            port: 49152,
        }
    }

    pub(crate) fn wait(&mut self, millis: u64) {
        self.now += glasstack::smoltcp::time::Duration::from_millis(millis);
    }

    pub(crate) fn wait_micros(&mut self, micros: u64) {
        self.now += glasstack::smoltcp::time::Duration::from_micros(micros);
    }

    pub(crate) fn client(&self) -> SocketAddr {
        (address(CLIENT), self.port).into()
    }

    pub(crate) fn server(&self) -> SocketAddr {
        (address(SERVER), 9999).into()
    }

    fn flow(&self, station: Station, protocol: Protocol) -> Flow {
        let (local, remote) = match station {
            CLIENT => (self.client(), self.server()),
            _ => (self.server(), self.client()),
        };
        Flow {
            protocol,
            local,
            remote,
        }
    }

    pub(crate) fn tell(&mut self, station: Station, flow: Option<Flow>, happening: Happening<'_>) {
        let event = Event {
            time: self.now,
            interface: Some(1),
            socket: None,
            flow,
            happening,
        };
        self.sink.event(station, &event);
    }

    /// A call on a connection.
    pub(crate) fn call(&mut self, station: Station, call: Call, outcome: Outcome) {
        let flow = self.flow(station, Protocol::Tcp);
        self.tell(station, Some(flow), Happening::Call { call, outcome });
    }

    /// A call of no connection.
    pub(crate) fn call_alone(&mut self, station: Station, call: Call, outcome: Outcome) {
        self.tell(station, None, Happening::Call { call, outcome });
    }

    pub(crate) fn state(&mut self, station: Station, from: State, to: State, cause: Cause) {
        let flow = self.flow(station, Protocol::Tcp);
        self.tell(station, Some(flow), Happening::State { from, to, cause });
    }

    pub(crate) fn armed(&mut self, station: Station, timer: Timer, millis: u64) {
        let after = Duration::from_millis(millis);
        let at = self.now + after.into();
        self.timer(station, timer, TimerChange::Armed { at, after });
    }

    pub(crate) fn timer(&mut self, station: Station, timer: Timer, change: TimerChange) {
        let flow = self.flow(station, Protocol::Tcp);
        self.tell(station, Some(flow), Happening::Timer { timer, change });
    }

    pub(crate) fn again(&mut self, station: Station, cause: RetransmissionCause) {
        let flow = self.flow(station, Protocol::Tcp);
        self.tell(station, Some(flow), Happening::Retransmission { cause });
    }

    pub(crate) fn send(&mut self, from: Station, tcp: Tcp) -> Frame {
        let flow = self.flow(from, Protocol::Tcp);
        let payload = vec![0x55; tcp.len];
        let (own, other) = match from {
            CLIENT => (initial(CLIENT), initial(SERVER)),
            _ => (initial(SERVER), initial(CLIENT)),
        };
        let number = |base: u32, relative: u32| TcpSeqNumber(base.wrapping_add(relative) as i32);
        let is_syn = tcp.flags == TcpControl::Syn;
        let sack = tcp
            .sack
            .map(|(first, last)| (other.wrapping_add(first), other.wrapping_add(last)));
        let repr = TcpRepr {
            src_port: flow.local.port(),
            dst_port: flow.remote.port(),
            control: tcp.flags,
            seq_number: number(own, tcp.sequence),
            ack_number: tcp.acknowledgment.map(|relative| number(other, relative)),
            window_len: tcp.window,
            window_scale: is_syn.then_some(0),
            max_seg_size: is_syn.then_some(1460),
            sack_permitted: is_syn,
            sack_ranges: [sack, None, None],
            timestamp: None,
            payload: &payload,
        };
        let bytes = ipv4(
            from,
            IpProtocol::Tcp,
            repr.buffer_len(),
            |bytes, source, destination| {
                let mut packet = TcpPacket::new_unchecked(bytes);
                let checksums = ChecksumCapabilities::default();
                repr.emit(&mut packet, &source.into(), &destination.into(), &checksums);
            },
        );
        self.out(from, bytes)
    }

    pub(crate) fn send_udp(&mut self, from: Station, payload: &[u8]) -> Frame {
        let flow = self.flow(from, Protocol::Udp);
        let repr = UdpRepr {
            src_port: flow.local.port(),
            dst_port: flow.remote.port(),
        };
        let len = repr.header_len() + payload.len();
        let bytes = ipv4(from, IpProtocol::Udp, len, |bytes, source, destination| {
            let mut packet = UdpPacket::new_unchecked(bytes);
            let checksums = ChecksumCapabilities::default();
            let fill = |buffer: &mut [u8]| buffer.copy_from_slice(payload);
            repr.emit(
                &mut packet,
                &source.into(),
                &destination.into(),
                payload.len(),
                fill,
                &checksums,
            );
        });
        self.out(from, bytes)
    }

    pub(crate) fn send_arp(&mut self, from: Station, operation: ArpOperation) -> Frame {
        let to = if from == CLIENT { SERVER } else { CLIENT };
        let repr = ArpRepr::EthernetIpv4 {
            operation,
            source_hardware_addr: hardware(from),
            source_protocol_addr: address(from),
            target_hardware_addr: hardware(to),
            target_protocol_addr: address(to),
        };
        let bytes = ethernet(from, EthernetProtocol::Arp, repr.buffer_len(), |bytes| {
            repr.emit(&mut ArpPacket::new_unchecked(bytes));
        });
        self.out(from, bytes)
    }

    fn out(&mut self, from: Station, bytes: Vec<u8>) -> Frame {
        let frame = Frame { from, bytes };
        self.frame(from, Direction::Out, &frame);
        frame
    }

    fn frame(&mut self, station: Station, direction: Direction, frame: &Frame) {
        let happening = Happening::Frame {
            direction,
            medium: Medium::Ethernet,
            bytes: &frame.bytes,
        };
        self.tell(station, None, happening);
    }

    pub(crate) fn arrive(&mut self, frame: &Frame) {
        let to = if frame.from == CLIENT { SERVER } else { CLIENT };
        self.frame(to, Direction::In, frame);
    }

    pub(crate) fn lose(&mut self, frame: &Frame) {
        self.refuse(Station::LINK, frame, DropReason::InjectedLoss);
    }

    pub(crate) fn refuse(&mut self, by: Station, frame: &Frame, reason: DropReason) {
        let happening = Happening::Drop {
            reason,
            medium: Medium::Ethernet,
            bytes: &frame.bytes,
        };
        self.tell(by, None, happening);
    }

    /// Sent, and so many milliseconds later there.
    pub(crate) fn carry(&mut self, from: Station, tcp: Tcp, millis: u64) {
        let frame = self.send(from, tcp);
        self.wait(millis);
        self.arrive(&frame);
    }
}

fn hardware(station: Station) -> EthernetAddress {
    EthernetAddress([2, 0, 0, 0, 0, station.0 + 1])
}

fn ethernet(
    from: Station,
    ethertype: EthernetProtocol,
    len: usize,
    emit: impl FnOnce(&mut [u8]),
) -> Vec<u8> {
    let to = if from == CLIENT { SERVER } else { CLIENT };
    let repr = EthernetRepr {
        src_addr: hardware(from),
        dst_addr: hardware(to),
        ethertype,
    };
    let mut bytes = vec![0; repr.buffer_len() + len];
    let mut frame = EthernetFrame::new_unchecked(&mut bytes[..]);
    repr.emit(&mut frame);
    emit(frame.payload_mut());
    bytes
}

fn ipv4(
    from: Station,
    next_header: IpProtocol,
    payload_len: usize,
    emit: impl FnOnce(&mut [u8], Ipv4Addr, Ipv4Addr),
) -> Vec<u8> {
    let to = if from == CLIENT { SERVER } else { CLIENT };
    let repr = Ipv4Repr {
        src_addr: address(from),
        dst_addr: address(to),
        next_header,
        payload_len,
        hop_limit: 64,
    };
    ethernet(
        from,
        EthernetProtocol::Ipv4,
        repr.buffer_len() + payload_len,
        |bytes| {
            let mut packet = Ipv4Packet::new_unchecked(bytes);
            repr.emit(&mut packet, &ChecksumCapabilities::default());
            emit(packet.payload_mut(), address(from), address(to));
        },
    )
}
