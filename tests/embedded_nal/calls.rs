//! embedded-nal on `Stack`, in virtual time: `nb` calls, descriptors as sockets.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use embedded_nal::{
    AddrType, Dns, TcpClientStack, TcpError, TcpErrorKind, TcpFullStack, UdpClientStack,
    UdpFullStack, nb,
};
use glasstack::stack::{Domain, Type};
use glasstack::{Error, Fd};

use crate::net::{self, Net, PORT};

type Stack = glasstack::Stack<'static, net::Recorder>;

const SERVERS: [&str; 2] = [net::SERVER, net::SERVER_V6];
const ADDRESS: IpAddr = IpAddr::V4(Ipv4Addr::new(192, 0, 2, 7));
const ADDRESS_V6: IpAddr = IpAddr::V6(Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, 7));

fn failed<T>(error: Error) -> nb::Result<T, Error> {
    Err(nb::Error::Other(error))
}

const fn waits<T>() -> nb::Result<T, Error> {
    Err(nb::Error::WouldBlock)
}

fn listen<S: TcpFullStack>(stack: &mut S) -> Result<S::TcpSocket, S::Error> {
    let mut socket = stack.socket()?;
    stack.bind(&mut socket, PORT)?;
    stack.listen(&mut socket)?;
    Ok(socket)
}

/// A connection, made by the traits alone: the client's end and the server's.
fn pair(net: &mut Net, to: SocketAddr) -> (Fd, Fd) {
    let mut listener = listen(&mut net.server.stack).unwrap();
    assert_eq!(
        TcpFullStack::accept(&mut net.server.stack, &mut listener),
        waits()
    );
    let mut client = TcpClientStack::socket(&mut net.client.stack).unwrap();
    let connect =
        |net: &mut Net, client: &mut Fd| TcpClientStack::connect(&mut net.client.stack, client, to);
    assert_eq!(connect(net, &mut client), waits());
    assert_eq!(connect(net, &mut client), waits());
    net.run();
    assert_eq!(connect(net, &mut client), Ok(()));
    let (server, peer) = TcpFullStack::accept(&mut net.server.stack, &mut listener).unwrap();
    // No mapped address, though the socket is an IPv6 one.
    assert_eq!(peer.is_ipv4(), to.is_ipv4(), "{peer}");
    TcpClientStack::close(&mut net.server.stack, listener).unwrap();
    (client, server)
}

fn send(stack: &mut Stack, mut socket: Fd, data: &[u8]) -> nb::Result<usize, Error> {
    TcpClientStack::send(stack, &mut socket, data)
}

fn receive(stack: &mut Stack, mut socket: Fd) -> nb::Result<Vec<u8>, Error> {
    let mut buffer = [0; 100];
    let len = TcpClientStack::receive(stack, &mut socket, &mut buffer)?;
    Ok(buffer[..len].to_vec())
}

#[test]
fn a_dialogue_over_either_family_ends_as_the_trait_says() {
    for to in SERVERS {
        let mut net = Net::new();
        let (client, server) = pair(&mut net, to.parse().unwrap());
        assert_eq!(receive(&mut net.server.stack, server), waits());
        assert_eq!(send(&mut net.client.stack, client, b"Michael"), Ok(7));
        net.run();
        let mut socket = server;
        let nothing = TcpClientStack::receive(&mut net.server.stack, &mut socket, &mut []);
        assert_eq!(nothing, Ok(0));
        assert_eq!(
            receive(&mut net.server.stack, server),
            Ok(b"Michael".to_vec())
        );

        // Half-closed: the end in one direction, and still a dialogue in the other.
        net.client
            .stack
            .shutdown(client, glasstack::stack::Shutdown::Write)
            .unwrap();
        net.run();
        for _ in 0..2 {
            let end = receive(&mut net.server.stack, server);
            assert_eq!(end, failed(Error::BrokenPipe));
        }
        assert_eq!(TcpError::kind(&Error::BrokenPipe), TcpErrorKind::PipeClosed);
        let more = send(&mut net.client.stack, client, b"more");
        assert_eq!(more, failed(Error::BrokenPipe));
        assert_eq!(send(&mut net.server.stack, server, b"Hello"), Ok(5));
        net.run();
        assert_eq!(
            receive(&mut net.client.stack, client),
            Ok(b"Hello".to_vec())
        );

        TcpClientStack::close(&mut net.server.stack, server).unwrap();
        net.run();
        assert_eq!(
            receive(&mut net.client.stack, client),
            failed(Error::BrokenPipe)
        );
        TcpClientStack::close(&mut net.client.stack, client).unwrap();
        assert_eq!(
            receive(&mut net.client.stack, client),
            failed(Error::BadDescriptor)
        );
    }
}

#[test]
fn a_full_buffer_would_block_until_there_is_room() {
    let mut net = Net::new();
    let (client, server) = pair(&mut net, net::SERVER.parse().unwrap());
    while send(&mut net.client.stack, client, &[7; 1000]).is_ok() {
        net.run();
    }
    assert_eq!(send(&mut net.client.stack, client, b"more"), waits());
    while receive(&mut net.server.stack, server).is_ok() {}
    net.run_for(glasstack::smoltcp::time::Duration::from_secs(5));
    assert_eq!(send(&mut net.client.stack, client, b"more"), Ok(4));
}

#[test]
fn nobody_there_is_refused_and_the_socket_can_try_again() {
    let mut net = Net::new();
    let to: SocketAddr = net::SERVER.parse().unwrap();
    let mut client = TcpClientStack::socket(&mut net.client.stack).unwrap();
    let connect =
        |net: &mut Net, client: &mut Fd| TcpClientStack::connect(&mut net.client.stack, client, to);
    assert_eq!(connect(&mut net, &mut client), waits());
    net.run();
    assert_eq!(
        connect(&mut net, &mut client),
        failed(Error::ConnectionRefused)
    );
    assert_eq!(
        TcpError::kind(&Error::ConnectionRefused),
        TcpErrorKind::Other
    );

    listen(&mut net.server.stack).unwrap();
    assert_eq!(connect(&mut net, &mut client), waits());
    net.run();
    assert_eq!(connect(&mut net, &mut client), Ok(()));
}

#[test]
fn a_reset_closes_the_pipe() {
    let mut net = Net::new();
    let (client, server) = pair(&mut net, net::SERVER.parse().unwrap());
    assert_eq!(send(&mut net.client.stack, client, b"unread"), Ok(6));
    net.run();
    TcpClientStack::close(&mut net.server.stack, server).unwrap();
    net.run();
    assert_eq!(
        receive(&mut net.client.stack, client),
        failed(Error::ConnectionReset)
    );
    assert_eq!(
        TcpError::kind(&Error::ConnectionReset),
        TcpErrorKind::PipeClosed
    );
    assert_eq!(
        receive(&mut net.client.stack, client),
        failed(Error::BrokenPipe)
    );
}

#[test]
fn a_taken_port_is_refused() {
    let mut net = Net::new();
    listen(&mut net.server.stack).unwrap();
    assert_eq!(listen(&mut net.server.stack), Err(Error::AddrInUse));
}

/// A socket that the application made itself will do, too.
#[test]
fn an_ipv4_socket_is_taken_as_it_is() {
    let mut net = Net::new();
    listen(&mut net.server.stack).unwrap();
    let mut client = net.client.stack.socket(Domain::Inet, Type::Stream).unwrap();
    let to = net::SERVER.parse().unwrap();
    let _ = TcpClientStack::connect(&mut net.client.stack, &mut client, to);
    net.run();
    assert_eq!(
        TcpClientStack::connect(&mut net.client.stack, &mut client, to),
        Ok(())
    );
}

#[test]
fn datagrams_over_either_family() {
    for to in SERVERS {
        let to: SocketAddr = to.parse().unwrap();
        let mut net = Net::new();
        let (client, server) = (&mut net.client.stack, &mut net.server.stack);
        let mut there = UdpClientStack::socket(server).unwrap();
        UdpFullStack::bind(server, &mut there, PORT).unwrap();
        let mut here = UdpClientStack::socket(client).unwrap();
        let mut buffer = [0; 4];
        let unsent = UdpClientStack::send(client, &mut here, b"Michael");
        assert_eq!(unsent, failed(Error::DestinationRequired));
        UdpClientStack::connect(client, &mut here, to).unwrap();
        assert_eq!(
            UdpClientStack::receive(client, &mut here, &mut buffer),
            waits()
        );
        assert_eq!(UdpClientStack::send(client, &mut here, b"Michael"), Ok(()));
        let long = UdpClientStack::send(client, &mut here, &[0; 9_000]);
        assert_eq!(long, failed(Error::MessageTooLong));
        net.run();

        let (client, server) = (&mut net.client.stack, &mut net.server.stack);
        // Cut, and no longer than the buffer.
        let (len, from) = UdpClientStack::receive(server, &mut there, &mut buffer).unwrap();
        assert_eq!(&buffer[..len], b"Mich");
        assert_eq!(from.is_ipv4(), to.is_ipv4(), "{from}");
        assert_eq!(
            UdpFullStack::send_to(server, &mut there, from, b"Hi"),
            Ok(())
        );
        assert_eq!(
            UdpClientStack::receive(server, &mut there, &mut buffer),
            waits()
        );
        assert_eq!(
            UdpClientStack::receive(client, &mut here, &mut buffer),
            waits()
        );
        net.run();
        let client = &mut net.client.stack;
        assert_eq!(
            UdpClientStack::receive(client, &mut here, &mut buffer),
            Ok((2, to))
        );
        UdpClientStack::close(client, here).unwrap();
        assert_eq!(net.client.stack.usage().sockets, 0);
    }
}

#[test]
fn a_datagram_that_nobody_takes_is_refused() {
    let mut net = Net::new();
    let client = &mut net.client.stack;
    let mut socket = UdpClientStack::socket(client).unwrap();
    UdpClientStack::connect(client, &mut socket, net::SERVER.parse().unwrap()).unwrap();
    UdpClientStack::send(client, &mut socket, b"Michael").unwrap();
    net.run();
    let client = &mut net.client.stack;
    let refused = UdpClientStack::receive(client, &mut socket, &mut [0; 8]);
    assert_eq!(refused, failed(Error::ConnectionRefused));
}

fn ask(net: &mut Net, name: &str, kind: AddrType) -> nb::Result<IpAddr, Error> {
    net.client.stack.get_host_by_name(name, kind)
}

#[test]
fn a_name_of_the_static_table_is_known_at_once() {
    let mut net = Net::new();
    net.client.stack.add_name("printer", ADDRESS_V6).unwrap();
    net.client
        .stack
        .add_name("printer", [10, 0, 0, 2].into())
        .unwrap();
    net.client.stack.add_name("elsewhere", ADDRESS).unwrap();
    let server: IpAddr = [10, 0, 0, 2].into();
    assert_eq!(ask(&mut net, "printer", AddrType::IPv4), Ok(server));
    assert_eq!(ask(&mut net, "Printer.", AddrType::IPv6), Ok(ADDRESS_V6));
    // There is no way to the first; where there is none to any, it is the one.
    assert_eq!(ask(&mut net, "printer", AddrType::Either), Ok(server));
    assert_eq!(ask(&mut net, "elsewhere", AddrType::Either), Ok(ADDRESS));
    let wrong_family = ask(&mut net, "elsewhere", AddrType::IPv6);
    assert_eq!(wrong_family, failed(Error::NameNotFound));

    assert_eq!(ask(&mut net, "192.0.2.7", AddrType::IPv4), Ok(ADDRESS));
    let localhost = Ipv6Addr::LOCALHOST.into();
    assert_eq!(ask(&mut net, "localhost", AddrType::IPv6), Ok(localhost));
    assert_eq!(
        ask(&mut net, "nobody", AddrType::Either),
        failed(Error::NameNotFound)
    );
    let reverse = net.client.stack.get_host_by_address(server, &mut [0; 255]);
    assert_eq!(reverse, failed(Error::NotSupported));
    assert!(net.frames.is_empty());
    assert_eq!(net.client.stack.usage().lookups, 0);
}

/// A client that asks 10.0.0.2, and the socket that its queries come to.
fn with_name_server() -> (Net, Fd) {
    let mut net = Net::new();
    net.client
        .stack
        .add_name_server([10, 0, 0, 2].into())
        .unwrap();
    let server = net.server.datagram(Domain::Inet, 53);
    (net, server)
}

/// Answers what was asked: with an address to A, with nothing to AAAA, or that there is no such name.
fn answer(net: &mut Net, server: Fd, exists: bool) -> usize {
    let mut buffer = [0; 512];
    let mut count = 0;
    while let Ok(query) = net.server.stack.recvfrom(server, &mut buffer) {
        let mut message = buffer[..query.len].to_vec();
        message[2] = 0x81;
        message[3] = if exists { 0x80 } else { 0x83 };
        let kind = message[message.len() - 3];
        if exists && kind == 1 {
            message[7] = 1;
            message.extend([0xc0, 12, 0, 1, 0, 1, 0, 0, 0, 60, 0, 4, 192, 0, 2, 7]);
        }
        net.server
            .stack
            .sendto(server, &message, query.from)
            .unwrap();
        count += 1;
    }
    net.run();
    count
}

#[test]
fn a_name_is_asked_for_again_until_its_server_has_answered() {
    let (mut net, server) = with_name_server();
    for _ in 0..3 {
        assert_eq!(ask(&mut net, "www.example.com", AddrType::IPv4), waits());
        net.run();
    }
    // One lookup, A and AAAA.
    assert_eq!(answer(&mut net, server, true), 2);
    assert_eq!(
        ask(&mut net, "www.example.com", AddrType::IPv4),
        Ok(ADDRESS)
    );
    assert_eq!(net.client.stack.usage().lookups, 0);

    assert_eq!(ask(&mut net, "no.example.com", AddrType::Either), waits());
    net.run();
    answer(&mut net, server, false);
    let outcome = ask(&mut net, "no.example.com", AddrType::Either);
    assert_eq!(outcome, failed(Error::NameNotFound));
    assert_eq!(net.client.stack.usage().lookups, 0);
}

#[test]
fn another_name_gives_the_first_up() {
    let (mut net, server) = with_name_server();
    for number in 0..20 {
        let name = format!("{number}.example.com");
        assert_eq!(ask(&mut net, &name, AddrType::Either), waits());
        assert_eq!(net.client.stack.usage().lookups, 1);
    }
    net.run();
    answer(&mut net, server, true);
    assert_eq!(
        ask(&mut net, "19.example.com", AddrType::Either),
        Ok(ADDRESS)
    );
    assert_eq!(ask(&mut net, "18.example.com", AddrType::Either), waits());
}
