//! ICMP errors, handed to the socket they speak of.
//!
//! An error quotes the packet that caused it. It counts only if the quote is of something this host has just sent: the
//! ports of a socket, and for TCP the sequence number that is in flight (RFC 5927 §4.1). During the handshake it ends
//! `connect`; on an established connection it is a soft error, which TCP's own timers judge (RFC 5461 §2.2).

use smoltcp::phy::TxToken;
use smoltcp::socket::tcp::State;

use super::Stack;
use super::fd::Socket;
use super::flow::{Endpoint, Flow};
use super::frame::{ICMP, ICMPV6, Packet, TCP, UDP};
use super::ingress::Incoming;
use super::neighbor::{NEIGHBOR_ADVERTISEMENT, NEIGHBOR_SOLICITATION};
use crate::Error;
use crate::trace::Observer;

/// Echo requests (RFC 792, RFC 4443 §4.1).
const ECHO_REQUEST: [u8; 2] = [8, 128];

/// Octets before the quoted packet: type, code, checksum and a word of the message's own.
const HEADER: usize = 8;

impl<'a, O: Observer> Stack<'a, O> {
    /// Takes an ICMP message in, whose checksum is right.
    pub(super) fn ingress_icmp<T: TxToken>(
        &mut self,
        incoming: &Incoming<'_>,
        token: T,
        packet: &Packet<'_>,
    ) {
        let is_v6 = packet.source.is_ipv6();
        if is_v6 != (packet.protocol == ICMPV6) {
            return; // the other family's
        }
        #[cfg(feature = "ipv6")]
        self.hear_configuration(incoming, packet);
        match packet.transport.first() {
            Some(kind) if *kind == ECHO_REQUEST[usize::from(is_v6)] => {
                self.answer_echo(incoming, token, packet);
            }
            Some(&(NEIGHBOR_SOLICITATION | NEIGHBOR_ADVERTISEMENT)) if is_v6 => {
                self.hear_neighbor(incoming, token, packet);
            }
            // A redirect (RFC 1122 §3.2.2.2, RFC 4861 §8) is not obeyed: whoever is on the link could send one.
            _ => self.hear_error(incoming.interface, packet),
        }
    }

    /// Hears an ICMP or ICMPv6 message, if it is an error.
    fn hear_error(&mut self, interface: u8, packet: &Packet<'_>) {
        let &[kind, code, ..] = packet.transport else {
            return;
        };
        let Some(error) = meaning(packet.protocol == ICMP, kind, code) else {
            return;
        };
        let Some(quote) = packet.transport.get(HEADER..).and_then(Quote::parse) else {
            return;
        };
        // A router answers the host that sent the packet.
        if quote.flow.local.addr != packet.destination {
            return;
        }
        match quote.protocol {
            TCP => self.tcp_error(interface, &quote, error),
            UDP => self.udp_error(interface, &quote.flow, error),
            _ => {}
        }
    }

    fn tcp_error(&mut self, interface: u8, quote: &Quote, error: Error) {
        let Some(slot) = self.find_flow(&quote.flow) else {
            return;
        };
        let place = &self.slots[usize::from(slot)];
        let is_ours = place.interface == interface
            && place.connection().is_some_and(|connection| {
                connection.state == State::SynSent && connection.initial == Some(quote.seq)
            });
        if is_ours {
            self.fail(slot, error);
        }
    }

    /// Only a connected datagram socket hears of its peer's port (as Linux without `IP_RECVERR`).
    fn udp_error(&mut self, interface: u8, flow: &Flow, error: Error) {
        let hash = self.secret.port_hash(false, flow.local.port);
        let connected = self.ports.candidates(hash).find_map(|index| {
            let row = self.descriptors.peek(index);
            match row.socket {
                Socket::Datagram { slot, peer, .. }
                    if peer == Some(flow.remote) && row.local == flow.local =>
                {
                    Some(slot)
                }
                _ => None,
            }
        });
        if let Some(slot) = connected
            && self.slots[usize::from(slot)].interface == interface
        {
            self.datagram_error(slot, error);
        } else if self.resolver.expects(flow) {
            self.server_unreachable(flow);
        }
    }
}

/// What an ICMP error means to a socket (RFC 1122 §3.2.2.1, RFC 4443 §3).
fn meaning(is_v4: bool, kind: u8, code: u8) -> Option<Error> {
    Some(match (is_v4, kind, code) {
        // Protocol and port unreachable.
        (true, 3, 2 | 3) | (false, 1, 4) => Error::ConnectionRefused,
        // "Fragmentation needed" is about a size, not about the destination.
        (true, 3, 4) => return None,
        (true, 3, 0 | 6 | 9 | 11) | (false, 1, 0) => Error::NetworkUnreachable,
        (true, 3, _) | (false, 1, 2 | 3) => Error::HostUnreachable,
        // Forbidden on the way, or refused by policy.
        (false, 1, 1 | 5 | 6) => Error::PermissionDenied,
        // Time exceeded.
        (true, 11, _) | (false, 3, _) => Error::HostUnreachable,
        _ => return None,
    })
}

/// The packet that an error quotes: one that this host sent.
struct Quote {
    protocol: u8,
    flow: Flow,
    seq: u32,
}

impl Quote {
    /// Reads a quote, of which only eight octets behind the IP header are sure to be there (RFC 792).
    fn parse(quoted: &[u8]) -> Option<Quote> {
        let (header_len, protocol, source, destination) = match quoted.first()? >> 4 {
            4 => {
                let fixed = quoted.first_chunk::<20>()?;
                let header_len = usize::from(fixed[0] & 0x0f) * 4;
                let is_later_fragment = u16::from_be_bytes([fixed[6], fixed[7]]) & 0x1fff != 0;
                if header_len < fixed.len() || is_later_fragment {
                    return None; // no ports behind this header
                }
                let source: [u8; 4] = fixed[12..16].try_into().ok()?;
                let destination: [u8; 4] = fixed[16..20].try_into().ok()?;
                (header_len, fixed[9], source.into(), destination.into())
            }
            6 => {
                let fixed = quoted.first_chunk::<40>()?;
                let source: [u8; 16] = fixed[8..24].try_into().ok()?;
                let destination: [u8; 16] = fixed[24..40].try_into().ok()?;
                (40, fixed[6], source.into(), destination.into())
            }
            _ => return None,
        };
        let [s0, s1, d0, d1, q0, q1, q2, q3] = *quoted.get(header_len..)?.first_chunk::<8>()?;
        Some(Quote {
            protocol,
            flow: Flow {
                local: Endpoint {
                    addr: source,
                    port: u16::from_be_bytes([s0, s1]),
                },
                remote: Endpoint {
                    addr: destination,
                    port: u16::from_be_bytes([d0, d1]),
                },
            },
            seq: u32::from_be_bytes([q0, q1, q2, q3]),
        })
    }
}
