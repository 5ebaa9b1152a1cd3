//! Every socket on one screen, as `ss -tunaoi` prints it.

mod screen;
#[cfg(feature = "std")]
mod waits;

use core::fmt::{self, Display, Formatter};
use core::net::IpAddr;

use smoltcp::socket::tcp::State;

use super::connection::{Role, control_len};
use super::datagram::Owner;
use super::fd::{Descriptor, Socket};
use super::flow::{Endpoint, Scope, unspecified};
use super::ip;
use super::moment::left;
use super::option::CongestionControl;
use super::slot::{Kind, Slot};
use super::{Domain, Stack};
use crate::trace::Observer;
use screen::{Address, Details, Row};

impl<'a, O: Observer> Stack<'a, O> {
    /// Every socket, as `ss -tunaoi` of iproute2 prints the kernel's: UDP first, then what listens or is not connected,
    /// then the connections, those of the background too.
    ///
    /// ```
    /// # fn main() -> glasstack::Result<()> {
    /// use glasstack::{Stack, stack::{Capacity, Domain, Type}};
    ///
    /// let mut stack = Stack::with_capacity(Capacity::default(), [7; 16], ());
    /// let server = stack.socket(Domain::Inet, Type::Stream)?;
    /// stack.bind(server, ([127, 0, 0, 1], 9999).into())?;
    /// stack.listen(server, 5)?;
    /// let screen = "\
    /// Netid State  Recv-Q Send-Q Local Address:Port Peer Address:Port Process
    /// tcp   LISTEN 0      5          127.0.0.1:9999      0.0.0.0:*    fd=0
    /// \t reno
    /// ";
    /// assert_eq!(stack.sockets().to_string(), screen);
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// | column | what it says |
    /// |---|---|
    /// | `State` | `ss`'s words for RFC 9293's states; `UNCONN` without a connection |
    /// | `Recv-Q` | octets that wait for `recv`; of a listener, connections that wait for `accept` |
    /// | `Send-Q` | octets (SYN and FIN count) that the peer has not acknowledged; of a listener, its backlog |
    /// | `Process` | the descriptor; `-` where the application has none (any more): not yet accepted, or closed |
    /// | `timer:(…)` | which, what is left of it, how often it expired in a row; `on` sends again, `persist` probes a shut window |
    ///
    /// The line below has the congestion control, `rto` in milliseconds while that timer runs, `backoff`, and the options
    /// that differ from their defaults. smoltcp keeps the round-trip time and the congestion window to itself; a
    /// [`Summary`](crate::trace::Summary) measures the former on the frames. A held-back acknowledgment is no row's timer.
    pub fn sockets(&self) -> impl Display + '_ {
        Screen(self)
    }

    fn rows(&self) -> impl Iterator<Item = Row<'_>> {
        let open = || self.descriptors.open_rows();
        let datagrams = open().filter_map(|(index, row)| self.datagram_row(index, row));
        let orphans = self.slots.iter().filter_map(orphan_row);
        let idle = open().filter_map(|(index, row)| idle_row(index, row));
        let connections = self.slots.iter();
        let connections = connections.filter_map(|slot| self.connection_row(slot));
        datagrams.chain(orphans).chain(idle).chain(connections)
    }

    fn datagram_row<'s>(&'s self, index: u16, row: &'s Descriptor) -> Option<Row<'s>> {
        let Socket::Datagram {
            slot,
            peer,
            protocol,
        } = row.socket
        else {
            return None;
        };
        let Kind::Datagram(datagrams) = &self.slots.get(usize::from(slot))?.kind else {
            return None;
        };
        let mut local = Address::bound(row);
        if let Some(protocol) = protocol {
            local.port = protocol.number().0.into(); // as `ss -w`
        }
        Some(Row {
            net: if protocol.is_some() { "raw" } else { "udp" },
            state: if peer.is_some() { "ESTAB" } else { "UNCONN" },
            receive_queue: datagrams.received.payload_bytes_count(),
            send_queue: datagrams.sending.payload_bytes_count(),
            local,
            peer: peer.map_or(local.any(), |peer| Address::of(peer, row.domain)),
            descriptor: Some(index),
            timer: None,
            details: None,
        })
    }

    fn connection_row<'s>(&'s self, slot: &'s Slot<'_>) -> Option<Row<'s>> {
        let (socket, connection) = slot.tcp_ref()?;
        let holder = match connection.role {
            Role::Free => return None,
            Role::Owned(descriptor) => Some(descriptor),
            Role::HalfOpen(_) | Role::Queued(_) | Role::Orphan => None,
        };
        let likeness = match connection.role {
            Role::HalfOpen(index) | Role::Queued(index) | Role::Owned(index) => {
                Some(self.descriptors.peek(index))
            }
            _ => None,
        };
        let unacknowledged = match connection.silent {
            true => 0,
            false => socket.send_queue() + control_len(connection.state),
        };
        let domain = likeness.map_or(Domain::Inet, |row| row.domain);
        let countdown = &connection.countdown;
        let is_awaited = unacknowledged > 0;
        let name = match connection.state {
            State::Closed => None,
            State::TimeWait => Some("timewait"),
            _ if connection.window == 0 && socket.send_queue() > 0 => Some("persist"),
            _ if is_awaited => Some("on"),
            _ if connection.keep_alive.is_some() => Some("keepalive"),
            _ => None,
        };
        let timer = name.and_then(|name| Some((name, countdown.left(self.now)?)));
        let timer = match (
            connection.role,
            connection.state,
            connection.give_up_at.get(),
        ) {
            // Nothing is on its way, and the peer's FIN is not waited for without end: as Linux shows it.
            (Role::Orphan, State::FinWait2, Some(at)) => Some(("timewait", left(at, self.now))),
            _ => timer,
        };
        let rto = countdown.interval().filter(|_| name == Some("on"));
        Some(Row {
            net: "tcp",
            state: state_name(connection.state),
            receive_queue: socket.recv_queue(),
            send_queue: unacknowledged,
            local: Address::of(connection.flow.local, domain),
            peer: Address::of(connection.flow.remote, domain),
            descriptor: holder,
            timer: timer.map(|(name, left)| (name, left, countdown.expired())),
            details: Some(Details {
                congestion_control: match socket.congestion_control() {
                    smoltcp::socket::tcp::CongestionControl::None => "none",
                    smoltcp::socket::tcp::CongestionControl::Reno => "reno",
                    #[cfg(feature = "std")]
                    smoltcp::socket::tcp::CongestionControl::Cubic => "cubic",
                },
                rto,
                backoff: if rto.is_some() {
                    countdown.expired()
                } else {
                    0
                },
                options: likeness.map(|row| &row.options),
            }),
        })
    }
}

/// A stream socket without a connection.
fn idle_row(index: u16, row: &Descriptor) -> Option<Row<'_>> {
    let (state, receive_queue, send_queue) = match &row.socket {
        Socket::Idle => ("UNCONN", 0, 0),
        Socket::Listening { backlog, queue, .. } => ("LISTEN", queue.len(), usize::from(*backlog)),
        _ => return None,
    };
    let local = Address::bound(row);
    Some(Row {
        net: "tcp",
        state,
        receive_queue,
        send_queue,
        local,
        peer: local.any(),
        descriptor: Some(index),
        timer: None,
        details: Some(Details {
            congestion_control: match row.options.congestion_control {
                CongestionControl::None => "none",
                CongestionControl::Reno => "reno",
                #[cfg(feature = "std")]
                CongestionControl::Cubic => "cubic",
            },
            rto: None,
            backoff: 0,
            options: Some(&row.options),
        }),
    })
}

/// A datagram socket that is closed, while its last datagrams leave.
fn orphan_row<'s>(slot: &'s Slot<'_>) -> Option<Row<'s>> {
    let Kind::Datagram(datagrams) = &slot.kind else {
        return None;
    };
    if datagrams.owner != Owner::Orphan {
        return None;
    }
    let domain = match datagrams.bound.addr {
        ip::IpAddr::V4(_) => Domain::Inet,
        ip::IpAddr::V6(_) => Domain::Inet6,
    };
    let local = Address::of(datagrams.bound, domain);
    Some(Row {
        net: "udp",
        state: "UNCONN",
        receive_queue: 0,
        send_queue: datagrams.sending.payload_bytes_count(),
        local,
        peer: local.any(),
        descriptor: None,
        timer: None,
        details: None,
    })
}

/// `ss`'s words for the states of RFC 9293 §3.3.2.
fn state_name(state: State) -> &'static str {
    match state {
        State::Closed => "UNCONN",
        State::Listen => "LISTEN",
        State::SynSent => "SYN-SENT",
        State::SynReceived => "SYN-RECV",
        State::Established => "ESTAB",
        State::FinWait1 => "FIN-WAIT-1",
        State::FinWait2 => "FIN-WAIT-2",
        State::CloseWait => "CLOSE-WAIT",
        State::Closing => "CLOSING",
        State::LastAck => "LAST-ACK",
        State::TimeWait => "TIME-WAIT",
    }
}

impl Address {
    fn of(endpoint: Endpoint, domain: Domain) -> Address {
        let address = endpoint.to_socket_addr(domain);
        Address {
            addr: Some(address.ip()),
            port: address.port(),
        }
    }

    /// Where a socket is bound.
    fn bound(row: &Descriptor) -> Address {
        let is_dual = matches!(row.scope(), Scope::Any { v4: true, v6: true });
        let address = Address::of(row.local, row.domain);
        Address {
            addr: address.addr.filter(|_| !is_dual),
            ..address
        }
    }

    /// Nobody in particular, at the other end of this.
    fn any(self) -> Address {
        let domain = |addr: IpAddr| {
            if addr.is_ipv4() {
                Domain::Inet
            } else {
                Domain::Inet6
            }
        };
        Address {
            addr: self.addr.map(|addr| ip::outward(unspecified(domain(addr)))),
            port: 0,
        }
    }
}

struct Screen<'s, 'a, O: Observer>(&'s Stack<'a, O>);

impl<O: Observer> Display for Screen<'_, '_, O> {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        screen::print(f, || self.0.rows())
    }
}
