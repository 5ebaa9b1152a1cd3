//! The rows: every call, with arguments that are in order and with arguments that are not.

use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use glasstack::stack::option::{
    Accepting, Broadcast, ChecksumOffset, Congestion, CongestionControl, Cork, HeaderIncluded,
    HopLimit, IcmpFilter, IcmpTypes, KeepAlive, KeepAliveCount, KeepAliveIdle, KeepAliveInterval,
    Linger, MaximumSegmentSize, MulticastHopLimit, MulticastInterface, MulticastLoop, NoDelay,
    PathMtu, ReceiveBuffer, ReceiveQueued, ReceiveTimeout, ReuseAddress, ReusePort, SendBuffer,
    SendQueued, SendTimeout, SocketError, SocketType, SoftError, TcpInfo, TypeOfService,
    UserTimeout, V6Only,
};
use glasstack::stack::{Domain, Events, Interest, InterfaceId, Message, PollFd, Shutdown, Type};
use glasstack::{Error, Fd, Result};

use crate::pair::{Bell, at};
use crate::state::{SERVICE, TAKEN, World};

macro_rules! calls {
    ($($name:ident: $heart:ident,)*) => {
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        pub(crate) enum Call {
            $($name,)*
        }

        impl Call {
            pub(crate) const ALL: [Call; [$(Call::$name),*].len()] = [$(Call::$name),*];

            pub(crate) fn name(self) -> &'static str {
                match self {
                    $(Call::$name => stringify!($name),)*
                }
            }

            /// The heart's function that the row calls.
            pub(crate) fn of_heart(self) -> &'static str {
                match self {
                    $(Call::$name => stringify!($heart),)*
                }
            }
        }
    };
}

calls! {
    SocketStream: socket,
    SocketDatagram: socket,
    Bind: bind,
    BindAnyPort: bind,
    BindTakenPort: bind,
    BindForeignAddress: bind,
    BindOtherFamily: bind,
    Listen: listen,
    Accept: accept,
    Connect: connect,
    ConnectOtherFamily: connect,
    ConnectUnroutable: connect,
    Send: send,
    SendNothing: send,
    Sendto: sendto,
    SendtoOtherFamily: sendto,
    SendtoPortZero: sendto,
    SendtoUnroutable: sendto,
    SendtoTooLong: sendto,
    Sendmsg: sendmsg,
    SendFrom: send_from,
    SendFromForeign: send_from,
    Recv: recv,
    RecvNothing: recv,
    Recvfrom: recvfrom,
    Recvmsg: recvmsg,
    Peek: peek,
    Peekfrom: peekfrom,
    ShutdownRead: shutdown,
    ShutdownWrite: shutdown,
    ShutdownBoth: shutdown,
    Close: close,
    Getsockname: getsockname,
    Getpeername: getpeername,
    JoinGroup: join_group,
    JoinGroupUnknownLink: join_group,
    JoinNoGroup: join_group,
    LeaveGroup: leave_group,
    SetNoDelay: setsockopt,
    GetNoDelay: getsockopt,
    SetCork: setsockopt,
    GetCork: getsockopt,
    SetKeepAlive: setsockopt,
    GetKeepAlive: getsockopt,
    SetKeepAliveIdle: setsockopt,
    SetKeepAliveIdleZero: setsockopt,
    SetKeepAliveIdleEndless: setsockopt,
    GetKeepAliveIdle: getsockopt,
    SetKeepAliveInterval: setsockopt,
    GetKeepAliveInterval: getsockopt,
    SetKeepAliveCount: setsockopt,
    SetKeepAliveCountZero: setsockopt,
    GetKeepAliveCount: getsockopt,
    SetLinger: setsockopt,
    GetLinger: getsockopt,
    SetReuseAddress: setsockopt,
    GetReuseAddress: getsockopt,
    SetReusePort: setsockopt,
    GetReusePort: getsockopt,
    SetSendTimeout: setsockopt,
    GetSendTimeout: getsockopt,
    SetReceiveTimeout: setsockopt,
    SetReceiveTimeoutZero: setsockopt,
    GetReceiveTimeout: getsockopt,
    SetTypeOfService: setsockopt,
    GetTypeOfService: getsockopt,
    SetBroadcast: setsockopt,
    GetBroadcast: getsockopt,
    SetMulticastHopLimit: setsockopt,
    GetMulticastHopLimit: getsockopt,
    SetMulticastLoop: setsockopt,
    GetMulticastLoop: getsockopt,
    SetMulticastInterface: setsockopt,
    GetMulticastInterface: getsockopt,
    SetHeaderIncluded: setsockopt,
    GetHeaderIncluded: getsockopt,
    SetIcmpTypes: setsockopt,
    GetIcmpTypes: getsockopt,
    SetChecksumOffset: setsockopt,
    SetChecksumOffsetOdd: setsockopt,
    GetChecksumOffset: getsockopt,
    SetMaximumSegmentSize: setsockopt,
    SetMaximumSegmentSizeTiny: setsockopt,
    GetMaximumSegmentSize: getsockopt,
    SetSendBuffer: setsockopt,
    GetSendBuffer: getsockopt,
    SetReceiveBuffer: setsockopt,
    GetReceiveBuffer: getsockopt,
    GetSocketError: getsockopt,
    GetSoftError: getsockopt,
    GetSocketType: getsockopt,
    GetAccepting: getsockopt,
    GetReceiveQueued: getsockopt,
    GetSendQueued: getsockopt,
    GetPathMtu: getsockopt,
    GetTcpInfo: getsockopt,
    SetHopLimit: setsockopt,
    SetHopLimitZero: setsockopt,
    GetHopLimit: getsockopt,
    SetV6Only: setsockopt,
    GetV6Only: getsockopt,
    SetUserTimeout: setsockopt,
    SetUserTimeoutZero: setsockopt,
    SetUserTimeoutEndless: setsockopt,
    GetUserTimeout: getsockopt,
    SetCongestion: setsockopt,
    GetCongestion: getsockopt,
    TakeError: take_error,
    Readiness: readiness,
    Poll: poll_fds,
    WakerReadable: register_waker,
    WakerWritable: register_waker,
}

fn ok<T>(result: Result<T>) -> String {
    show(result.map(|_| "ok"))
}

fn show<T: ToString>(result: Result<T>) -> String {
    match result {
        Ok(value) => value.to_string(),
        Err(error) => error.errno().to_owned(),
    }
}

fn letters(readiness: glasstack::stack::Readiness) -> String {
    let flags = [
        (readiness.readable, 'r'),
        (readiness.writable, 'w'),
        (readiness.closed, 'c'),
        (readiness.error, 'e'),
    ];
    flags
        .map(|(is_set, letter)| if is_set { letter } else { '-' })
        .iter()
        .collect()
}

/// What `poll` tells of a socket, of all that can be asked.
fn poll(stack: &mut glasstack::Stack<'_>, fd: Fd) -> String {
    let letters = [
        (Events::POLLIN, 'i'),
        (Events::POLLOUT, 'o'),
        (Events::POLLERR, 'e'),
        (Events::POLLHUP, 'h'),
        (Events::POLLRDHUP, 'd'),
        (Events::POLLNVAL, 'n'),
    ];
    let asked = Events::POLLIN | Events::POLLOUT | Events::POLLRDHUP;
    let mut row = [PollFd::new(fd, asked)];
    let count = stack.poll_fds(&mut row);
    let told = letters
        .iter()
        .filter(|(event, _)| row[0].revents.contains(*event));
    let told: String = told.map(|(_, letter)| letter).collect();
    assert_eq!(count, usize::from(!told.is_empty()));
    if told.is_empty() {
        "-".to_owned()
    } else {
        told
    }
}

fn group(domain: Domain) -> IpAddr {
    match domain {
        Domain::Inet => [239, 1, 2, 3].into(),
        Domain::Inet6 => [0xff02, 0, 0, 0, 0, 0, 0, 0x1234].into(),
    }
}

/// An address that no route leads to.
fn unroutable(domain: Domain) -> SocketAddr {
    match domain {
        Domain::Inet => SocketAddr::from(([192, 0, 2, 1], SERVICE)),
        Domain::Inet6 => SocketAddr::from(([0x2001, 0xdb8, 0, 0, 0, 0, 0, 1], SERVICE)),
    }
}

impl Call {
    /// Makes the call and says what came of it.
    pub(crate) fn make(self, world: &mut World) -> String {
        let domain = world.domain;
        let other = match domain {
            Domain::Inet => Domain::Inet6,
            Domain::Inet6 => Domain::Inet,
        };
        let service = at(domain, 2, SERVICE);
        let fd = world.fd;
        let stack = &mut world.pair.client.stack;
        let mut buffer = [0; 64];
        match self {
            Call::SocketStream => ok(stack.socket(domain, Type::Stream)),
            Call::SocketDatagram => ok(stack.socket(domain, Type::Datagram)),
            Call::Bind => ok(stack.bind(fd, at(domain, 1, 7009))),
            Call::BindAnyPort => ok(stack.bind(fd, at(domain, 1, 0))),
            Call::BindTakenPort => ok(stack.bind(fd, at(domain, 1, TAKEN))),
            Call::BindForeignAddress => ok(stack.bind(fd, at(domain, 9, 7009))),
            Call::BindOtherFamily => ok(stack.bind(fd, at(other, 1, 7009))),
            Call::Listen => ok(stack.listen(fd, 5)),
            Call::Accept => ok(stack.accept(fd)),
            Call::Connect => ok(stack.connect(fd, service)),
            Call::ConnectOtherFamily => ok(stack.connect(fd, at(other, 2, SERVICE))),
            Call::ConnectUnroutable => ok(stack.connect(fd, unroutable(domain))),
            Call::Send => show(stack.send(fd, b"four")),
            Call::SendNothing => show(stack.send(fd, b"")),
            Call::Sendto => show(stack.sendto(fd, b"four", service)),
            Call::SendtoOtherFamily => show(stack.sendto(fd, b"four", at(other, 2, SERVICE))),
            Call::SendtoPortZero => show(stack.sendto(fd, b"four", at(domain, 2, 0))),
            Call::SendtoUnroutable => show(stack.sendto(fd, b"four", unroutable(domain))),
            Call::SendtoTooLong => show(stack.sendto(fd, &[0; 65_528], service)),
            Call::Sendmsg => {
                let parts: [&[u8]; 2] = [b"fo", b"ur"];
                show(stack.sendmsg(fd, &Message::new(&parts).to(service)))
            }
            Call::SendFrom => show(stack.send_from(fd, b"four", at(domain, 1, 0).ip(), service)),
            Call::SendFromForeign => {
                show(stack.send_from(fd, b"four", at(domain, 9, 0).ip(), service))
            }
            Call::Recv => show(stack.recv(fd, &mut buffer)),
            Call::RecvNothing => show(stack.recv(fd, &mut [])),
            Call::Recvfrom => show(stack.recvfrom(fd, &mut buffer).map(|received| received.len)),
            Call::Recvmsg => {
                let (front, back) = buffer.split_at_mut(2);
                show(
                    stack
                        .recvmsg(fd, &mut [front, back])
                        .map(|received| received.len),
                )
            }
            Call::Peek => show(stack.peek(fd, &mut buffer)),
            Call::Peekfrom => show(stack.peekfrom(fd, &mut buffer).map(|received| received.len)),
            Call::ShutdownRead => ok(stack.shutdown(fd, Shutdown::Read)),
            Call::ShutdownWrite => ok(stack.shutdown(fd, Shutdown::Write)),
            Call::ShutdownBoth => ok(stack.shutdown(fd, Shutdown::Both)),
            Call::Close => ok(stack.close(fd)),
            Call::Getsockname => ok(stack.getsockname(fd)),
            Call::Getpeername => ok(stack.getpeername(fd)),
            Call::JoinGroup => ok(stack.join_group(fd, group(domain), None)),
            Call::JoinGroupUnknownLink => {
                ok(stack.join_group(fd, group(domain), InterfaceId::from_index(7)))
            }
            Call::JoinNoGroup => ok(stack.join_group(fd, service.ip(), None)),
            Call::LeaveGroup => ok(stack.leave_group(fd, group(domain), None)),
            Call::SetNoDelay => ok(stack.setsockopt(fd, NoDelay, true)),
            Call::GetNoDelay => ok(stack.getsockopt(fd, NoDelay)),
            Call::SetCork => ok(stack.setsockopt(fd, Cork, true)),
            Call::GetCork => ok(stack.getsockopt(fd, Cork)),
            Call::SetKeepAlive => ok(stack.setsockopt(fd, KeepAlive, true)),
            Call::GetKeepAlive => ok(stack.getsockopt(fd, KeepAlive)),
            Call::SetKeepAliveIdle => {
                ok(stack.setsockopt(fd, KeepAliveIdle, Duration::from_secs(1)))
            }
            Call::SetKeepAliveIdleZero => ok(stack.setsockopt(fd, KeepAliveIdle, Duration::ZERO)),
            Call::SetKeepAliveIdleEndless => ok(stack.setsockopt(fd, KeepAliveIdle, Duration::MAX)),
            Call::GetKeepAliveIdle => ok(stack.getsockopt(fd, KeepAliveIdle)),
            Call::SetKeepAliveInterval => {
                ok(stack.setsockopt(fd, KeepAliveInterval, Duration::from_secs(1)))
            }
            Call::GetKeepAliveInterval => ok(stack.getsockopt(fd, KeepAliveInterval)),
            Call::SetKeepAliveCount => ok(stack.setsockopt(fd, KeepAliveCount, 3)),
            Call::SetKeepAliveCountZero => ok(stack.setsockopt(fd, KeepAliveCount, 0)),
            Call::GetKeepAliveCount => ok(stack.getsockopt(fd, KeepAliveCount)),
            Call::SetLinger => ok(stack.setsockopt(fd, Linger, Some(Duration::from_secs(1)))),
            Call::GetLinger => ok(stack.getsockopt(fd, Linger)),
            Call::SetReuseAddress => ok(stack.setsockopt(fd, ReuseAddress, true)),
            Call::GetReuseAddress => ok(stack.getsockopt(fd, ReuseAddress)),
            Call::SetReusePort => ok(stack.setsockopt(fd, ReusePort, true)),
            Call::GetReusePort => ok(stack.getsockopt(fd, ReusePort)),
            Call::SetSendTimeout => {
                ok(stack.setsockopt(fd, SendTimeout, Some(Duration::from_secs(1))))
            }
            Call::GetSendTimeout => ok(stack.getsockopt(fd, SendTimeout)),
            Call::SetReceiveTimeout => {
                ok(stack.setsockopt(fd, ReceiveTimeout, Some(Duration::from_secs(1))))
            }
            Call::SetReceiveTimeoutZero => {
                ok(stack.setsockopt(fd, ReceiveTimeout, Some(Duration::ZERO)))
            }
            Call::GetReceiveTimeout => ok(stack.getsockopt(fd, ReceiveTimeout)),
            Call::SetTypeOfService => ok(stack.setsockopt(fd, TypeOfService, 0x10)),
            Call::GetTypeOfService => ok(stack.getsockopt(fd, TypeOfService)),
            Call::SetBroadcast => ok(stack.setsockopt(fd, Broadcast, true)),
            Call::GetBroadcast => ok(stack.getsockopt(fd, Broadcast)),
            Call::SetMulticastHopLimit => ok(stack.setsockopt(fd, MulticastHopLimit, 2)),
            Call::GetMulticastHopLimit => ok(stack.getsockopt(fd, MulticastHopLimit)),
            Call::SetMulticastLoop => ok(stack.setsockopt(fd, MulticastLoop, false)),
            Call::GetMulticastLoop => ok(stack.getsockopt(fd, MulticastLoop)),
            Call::SetMulticastInterface => ok(stack.setsockopt(fd, MulticastInterface, None)),
            Call::GetMulticastInterface => ok(stack.getsockopt(fd, MulticastInterface)),
            Call::SetHeaderIncluded => ok(stack.setsockopt(fd, HeaderIncluded, true)),
            Call::GetHeaderIncluded => ok(stack.getsockopt(fd, HeaderIncluded)),
            Call::SetIcmpTypes => ok(stack.setsockopt(fd, IcmpTypes, IcmpFilter::ALL)),
            Call::GetIcmpTypes => ok(stack.getsockopt(fd, IcmpTypes)),
            Call::SetChecksumOffset => ok(stack.setsockopt(fd, ChecksumOffset, Some(4))),
            Call::SetChecksumOffsetOdd => ok(stack.setsockopt(fd, ChecksumOffset, Some(3))),
            Call::GetChecksumOffset => ok(stack.getsockopt(fd, ChecksumOffset)),
            Call::SetMaximumSegmentSize => ok(stack.setsockopt(fd, MaximumSegmentSize, 536)),
            Call::SetMaximumSegmentSizeTiny => ok(stack.setsockopt(fd, MaximumSegmentSize, 87)),
            Call::GetMaximumSegmentSize => ok(stack.getsockopt(fd, MaximumSegmentSize)),
            Call::SetSendBuffer => ok(stack.setsockopt(fd, SendBuffer, 1)),
            Call::GetSendBuffer => ok(stack.getsockopt(fd, SendBuffer)),
            Call::SetReceiveBuffer => ok(stack.setsockopt(fd, ReceiveBuffer, 1)),
            Call::GetReceiveBuffer => ok(stack.getsockopt(fd, ReceiveBuffer)),
            Call::GetSocketError => ok(stack.getsockopt(fd, SocketError)),
            Call::GetSoftError => ok(stack.getsockopt(fd, SoftError)),
            Call::GetSocketType => ok(stack.getsockopt(fd, SocketType)),
            Call::GetAccepting => ok(stack.getsockopt(fd, Accepting)),
            Call::GetReceiveQueued => ok(stack.getsockopt(fd, ReceiveQueued)),
            Call::GetSendQueued => ok(stack.getsockopt(fd, SendQueued)),
            Call::GetPathMtu => ok(stack.getsockopt(fd, PathMtu)),
            Call::GetTcpInfo => ok(stack.getsockopt(fd, TcpInfo)),
            Call::SetHopLimit => ok(stack.setsockopt(fd, HopLimit, 1)),
            Call::SetHopLimitZero => ok(stack.setsockopt(fd, HopLimit, 0)),
            Call::GetHopLimit => ok(stack.getsockopt(fd, HopLimit)),
            Call::SetV6Only => ok(stack.setsockopt(fd, V6Only, true)),
            Call::GetV6Only => ok(stack.getsockopt(fd, V6Only)),
            Call::SetUserTimeout => {
                ok(stack.setsockopt(fd, UserTimeout, Some(Duration::from_secs(1))))
            }
            Call::SetUserTimeoutEndless => {
                ok(stack.setsockopt(fd, UserTimeout, Some(Duration::MAX)))
            }
            Call::SetUserTimeoutZero => ok(stack.setsockopt(fd, UserTimeout, Some(Duration::ZERO))),
            Call::GetUserTimeout => ok(stack.getsockopt(fd, UserTimeout)),
            Call::SetCongestion => ok(stack.setsockopt(fd, Congestion, CongestionControl::Cubic)),
            Call::GetCongestion => ok(stack.getsockopt(fd, Congestion)),
            Call::TakeError => show(
                stack
                    .take_error(fd)
                    .map(|error| error.map_or("none", Error::errno)),
            ),
            Call::Readiness => show(stack.readiness(fd).map(letters)),
            Call::Poll => poll(stack, fd),
            Call::WakerReadable => waker(world, Interest::Readable),
            Call::WakerWritable => waker(world, Interest::Writable),
        }
    }
}

fn waker(world: &mut World, interest: Interest) -> String {
    let (bell, waker) = Bell::new();
    let registered = world
        .pair
        .client
        .stack
        .register_waker(world.fd, interest, &waker);
    show(registered.map(|()| if bell.has_rung() { "woken" } else { "waits" }))
}
