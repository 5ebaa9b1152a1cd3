//! A TCP segment, read off the wire or made by hand.

use std::net::SocketAddr;

use glasstack::smoltcp::phy::{ChecksumCapabilities, Medium};
use glasstack::smoltcp::wire::{
    EthernetAddress, EthernetFrame, EthernetProtocol, IpAddress, IpProtocol, IpRepr, Ipv4Packet,
    Ipv6Packet, TcpControl, TcpPacket, TcpRepr, TcpSeqNumber,
};

use super::Side;

pub const FIN: u8 = 0x01;
pub const SYN: u8 = 0x02;
pub const RST: u8 = 0x04;
pub const ACK: u8 = 0x10;

const ETHERNET_HEADER: usize = 14;

/// A TCP segment with the parts of its IP header that matter here. PSH is left out of `flags`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Segment {
    pub source: SocketAddr,
    pub destination: SocketAddr,
    pub hop_limit: u8,
    pub flags: u8,
    pub seq: u32,
    pub ack: u32,
    pub window: u16,
    pub payload: Vec<u8>,
}

impl Segment {
    /// A segment without data.
    pub fn new(source: &str, destination: &str, flags: u8, seq: u32, ack: u32) -> Segment {
        Segment {
            source: source.parse().unwrap(),
            destination: destination.parse().unwrap(),
            hop_limit: 64,
            flags,
            seq,
            ack,
            window: 4_096,
            payload: Vec::new(),
        }
    }

    /// The segment with data.
    pub fn with(mut self, payload: &[u8]) -> Segment {
        self.payload = payload.to_vec();
        self
    }

    pub fn has(&self, flag: u8) -> bool {
        self.flags & flag != 0
    }

    /// The sequence number after its last.
    pub fn end(&self) -> u32 {
        let control = u32::from(self.has(SYN)) + u32::from(self.has(FIN));
        self.seq.wrapping_add(self.payload.len() as u32 + control)
    }

    pub fn parse(medium: Medium, frame: &[u8]) -> Option<Segment> {
        let packet = match medium {
            Medium::Ethernet => frame.get(ETHERNET_HEADER..)?,
            _ => frame,
        };
        let (source, destination, hop_limit, transport): (IpAddress, IpAddress, u8, &[u8]) =
            match packet.first()? >> 4 {
                4 => {
                    let packet = Ipv4Packet::new_checked(packet).ok()?;
                    if packet.next_header() != IpProtocol::Tcp {
                        return None;
                    }
                    let ends = (packet.src_addr().into(), packet.dst_addr().into());
                    (ends.0, ends.1, packet.hop_limit(), packet.payload())
                }
                6 => {
                    let packet = Ipv6Packet::new_checked(packet).ok()?;
                    if packet.next_header() != IpProtocol::Tcp {
                        return None;
                    }
                    let ends = (packet.src_addr().into(), packet.dst_addr().into());
                    (ends.0, ends.1, packet.hop_limit(), packet.payload())
                }
                _ => return None,
            };
        let tcp = TcpPacket::new_checked(transport).ok()?;
        assert!(
            tcp.verify_checksum(&source, &destination),
            "a host sent a wrong checksum"
        );
        let flag = |is_set: bool, flag: u8| if is_set { flag } else { 0 };
        Some(Segment {
            source: SocketAddr::new(source.into(), tcp.src_port()),
            destination: SocketAddr::new(destination.into(), tcp.dst_port()),
            hop_limit,
            flags: flag(tcp.fin(), FIN)
                | flag(tcp.syn(), SYN)
                | flag(tcp.rst(), RST)
                | flag(tcp.ack(), ACK),
            seq: tcp.seq_number().0 as u32,
            ack: tcp.ack_number().0 as u32,
            window: tcp.window_len(),
            payload: tcp.payload().to_vec(),
        })
    }

    /// Writes it as a frame for a host.
    pub fn emit(&self, medium: Medium, to: Side) -> Vec<u8> {
        let (source, destination) = (
            IpAddress::from(self.source.ip()),
            IpAddress::from(self.destination.ip()),
        );
        let control = match self.flags & (FIN | SYN | RST) {
            0 => TcpControl::None,
            FIN => TcpControl::Fin,
            SYN => TcpControl::Syn,
            RST => TcpControl::Rst,
            other => panic!("smoltcp cannot write the flags {other:#x}"),
        };
        let tcp = TcpRepr {
            src_port: self.source.port(),
            dst_port: self.destination.port(),
            control,
            seq_number: TcpSeqNumber(self.seq as i32),
            ack_number: self.has(ACK).then_some(TcpSeqNumber(self.ack as i32)),
            window_len: self.window,
            window_scale: None,
            max_seg_size: self.has(SYN).then_some(1_460),
            sack_permitted: false,
            sack_ranges: [None; 3],
            timestamp: None,
            payload: &self.payload,
        };
        let checksums = ChecksumCapabilities::default();
        let ip = IpRepr::new(
            source,
            destination,
            IpProtocol::Tcp,
            tcp.buffer_len(),
            self.hop_limit,
        );
        let link = if medium == Medium::Ethernet {
            ETHERNET_HEADER
        } else {
            0
        };
        let mut frame = vec![0; link + ip.buffer_len()];
        if medium == Medium::Ethernet {
            let mut ethernet = EthernetFrame::new_unchecked(&mut frame);
            ethernet.set_src_addr(EthernetAddress(to.other().hardware_address()));
            ethernet.set_dst_addr(EthernetAddress(to.hardware_address()));
            ethernet.set_ethertype(if self.source.is_ipv4() {
                EthernetProtocol::Ipv4
            } else {
                EthernetProtocol::Ipv6
            });
        }
        ip.emit(&mut frame[link..], &checksums);
        let mut segment = TcpPacket::new_unchecked(&mut frame[link + ip.header_len()..]);
        tcp.emit(&mut segment, &source, &destination, &checksums);
        frame
    }
}
