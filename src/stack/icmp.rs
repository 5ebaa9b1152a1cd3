//! ICMP errors, handed to the socket they speak of.
//!
//! An error quotes the packet that caused it. It counts only if the quote is of something this host has just sent: the
//! ports of a socket, and for TCP a sequence number that is under way (RFC 5927 §4.1).
//!
//! | message | a connection's handshake | a connection | UDP |
//! |---|---|---|---|
//! | unreachable, time exceeded | ends `connect` | a soft error: kept, and told if the peer stays silent until the end (RFC 5461 §2.2) | a connected socket's error |
//! | "fragmentation needed", "packet too big" | | shorter packets, and what was lost is sent again (RFC 1191, RFC 8201) | shorter packets, as of raw sockets and echo replies |
//! | source quench (RFC 6633), redirect, parameter problem | | | |

use smoltcp::socket::tcp::State;

use super::amend::unacknowledged;
use super::fd::Socket;
use super::flow::{Endpoint, Flow};
use super::frame::{ICMP, Packet, TCP, UDP, before};
use super::ingress::Incoming;
use super::ip;
use super::link::Transmit;
#[cfg(feature = "ipv6")]
use super::multicast;
use super::neighbor::{NEIGHBOR_ADVERTISEMENT, NEIGHBOR_SOLICITATION};
use super::slot::Kind;
use super::{Protocol, Stack};
use crate::Error;
use crate::trace::Observer;

/// Echo requests (RFC 792, RFC 4443 §4.1).
const ECHO_REQUEST: [u8; 2] = [8, 128];

/// Octets before the quoted packet: type, code, checksum and a word of the message's own.
const HEADER: usize = 8;

/// The extension header of a fragment (RFC 8200 §4.5).
const FRAGMENT: u8 = 44;

impl<'a, O: Observer> Stack<'a, O> {
    /// Takes an ICMP message in, whose checksum is right.
    pub(super) fn ingress_icmp(
        &mut self,
        incoming: &Incoming<'_>,
        token: &mut dyn Transmit,
        packet: &Packet<'_>,
    ) {
        let is_v6 = packet.source.is_ipv6();
        #[cfg(feature = "ipv6")]
        self.hear_configuration(incoming, packet);
        match packet.transport.first() {
            Some(kind) if *kind == ECHO_REQUEST[usize::from(is_v6)] => {
                self.answer_echo(incoming, token, packet);
            }
            Some(&(NEIGHBOR_SOLICITATION | NEIGHBOR_ADVERTISEMENT)) if is_v6 => {
                self.hear_neighbor(incoming, token, packet);
            }
            #[cfg(feature = "ipv6")]
            Some(kind) if is_v6 && multicast::is_mld(*kind) => {
                self.hear_membership(incoming, packet);
            }
            // A redirect (RFC 1122 §3.2.2.2, RFC 4861 §8) is not obeyed: whoever is on the link could send one.
            _ => self.hear_error(incoming.interface, packet),
        }
    }

    /// Hears an ICMP or ICMPv6 message, if it is an error.
    fn hear_error(&mut self, interface: u8, packet: &Packet<'_>) {
        let Some(message) = Message::parse(packet.protocol == ICMP, packet.transport) else {
            return;
        };
        let Some(quote) = packet.transport.get(HEADER..).and_then(Quote::parse) else {
            return;
        };
        // A router answers the host that sent the packet.
        if quote.flow.local.addr != packet.destination {
            return;
        }
        let error = match (message, quote.protocol) {
            (Message::TooBig { next_hop }, _) => {
                self.hear_too_big(interface, &quote, next_hop);
                Error::MessageTooLong
            }
            (Message::Unreachable(error), TCP) => {
                self.tcp_error(interface, &quote, error);
                error
            }
            (Message::Unreachable(error), UDP) => {
                self.udp_error(interface, &quote.flow, error);
                error
            }
            (Message::Unreachable(error), _) => error,
        };
        self.raw_error(interface, Protocol(quote.protocol), &quote.flow, error);
    }

    fn tcp_error(&mut self, interface: u8, quote: &Quote, error: Error) {
        let Some(slot) = self.find_sender(interface, quote) else {
            return;
        };
        if let Kind::Connection(connection) = &mut self.slots[usize::from(slot)].kind
            && connection.state != State::SynSent
        {
            connection.soft_error = Some(error);
            return;
        }
        self.fail(slot, error);
    }

    /// The connection that has sent what is quoted, if that is still under way. A handshake from outside is nobody's yet, and
    /// goes on.
    pub(super) fn find_sender(&self, interface: u8, quote: &Quote) -> Option<u16> {
        let slot = self.find_flow(&quote.flow)?;
        let place = &self.slots[usize::from(slot)];
        let (socket, connection) = place.tcp_ref()?;
        let is_under_way = match connection.state {
            State::SynSent => connection.initial == quote.seq.into(),
            _ => unacknowledged(socket, connection).is_some_and(|first| {
                !before(quote.seq, first) && before(quote.seq, connection.next)
            }),
        };
        (place.interface == interface && is_under_way).then_some(slot)
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

/// What an ICMP error says.
#[derive(Clone, Copy)]
enum Message {
    Unreachable(Error),
    /// A link on the way takes no more than this; 0 from a router that does not say (RFC 1191 §4).
    TooBig {
        next_hop: u32,
    },
}

impl Message {
    /// RFC 792, RFC 1122 §3.2.2, RFC 4443 §3.
    fn parse(is_v4: bool, message: &[u8]) -> Option<Message> {
        let [kind, code, _, _, word @ ..] = *message.first_chunk::<HEADER>()?;
        let word = u32::from_be_bytes(word);
        let error = match (is_v4, kind, code) {
            (true, 3, 4) => {
                // The upper half was unused before RFC 1191.
                let next_hop = word & 0xffff;
                return Some(Message::TooBig { next_hop });
            }
            (false, 2, _) => return Some(Message::TooBig { next_hop: word }),
            // Protocol and port unreachable.
            (true, 3, 2 | 3) | (false, 1, 4) => Error::ConnectionRefused,
            (true, 3, 0 | 6 | 9 | 11) | (false, 1, 0) => Error::NetworkUnreachable,
            (true, 3, _) | (false, 1, 2 | 3) => Error::HostUnreachable,
            // Forbidden on the way, or refused by policy.
            (false, 1, 1 | 5 | 6) => Error::PermissionDenied,
            // Time exceeded.
            (true, 11, _) | (false, 3, _) => Error::HostUnreachable,
            _ => return None,
        };
        Some(Message::Unreachable(error))
    }
}

/// The packet that an error quotes: one that this host sent.
pub(super) struct Quote {
    /// Octets of the packet, of which the quote may be a part.
    #[cfg_attr(not(feature = "path-mtu"), expect(dead_code, reason = "nobody asks"))]
    pub(super) len: usize,
    pub(super) protocol: u8,
    pub(super) flow: Flow,
    seq: u32,
}

impl Quote {
    /// Reads a quote, of which only eight octets behind the IP header are sure to be there (RFC 792).
    fn parse(quoted: &[u8]) -> Option<Quote> {
        let (header_len, len, protocol, source, destination) = match quoted.first()? >> 4 {
            4 => {
                let fixed = quoted.first_chunk::<20>()?;
                let header_len = usize::from(fixed[0] & 0x0f) * 4;
                let is_later_fragment = u16::from_be_bytes([fixed[6], fixed[7]]) & 0x1fff != 0;
                if header_len < fixed.len() || is_later_fragment {
                    return None; // no ports behind this header
                }
                let source: [u8; 4] = fixed[12..16].try_into().ok()?;
                let destination: [u8; 4] = fixed[16..20].try_into().ok()?;
                let len = usize::from(u16::from_be_bytes([fixed[2], fixed[3]]));
                (header_len, len, fixed[9], source.into(), destination.into())
            }
            6 => {
                let fixed = quoted.first_chunk::<40>()?;
                let source: [u8; 16] = fixed[8..24].try_into().ok()?;
                let destination: [u8; 16] = fixed[24..40].try_into().ok()?;
                let len = 40 + usize::from(u16::from_be_bytes([fixed[4], fixed[5]]));
                let (header_len, protocol) = match fixed[6] {
                    FRAGMENT => {
                        let [protocol, _, offset @ .., _, _, _, _] =
                            *quoted.get(40..)?.first_chunk::<8>()?;
                        if u16::from_be_bytes(offset) & !7 != 0 {
                            return None; // no ports behind this header
                        }
                        (48, protocol)
                    }
                    protocol => (40, protocol),
                };
                (
                    header_len,
                    len,
                    protocol,
                    ip::v6(source)?.into(),
                    ip::v6(destination)?.into(),
                )
            }
            _ => return None,
        };
        let [s0, s1, d0, d1, q0, q1, q2, q3] = *quoted.get(header_len..)?.first_chunk::<8>()?;
        Some(Quote {
            len,
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
