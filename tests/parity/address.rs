//! bind, local_addr, peer_addr; addresses in use, and who overlaps whom.

use super::{World, show_on};
use crate::transcript::{BOTH, Family, Log};
use std::{
    io,
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr},
};

/// Addresses of documentation: nobody's.
fn foreign(family: Family) -> IpAddr {
    match family {
        Family::V4 => Ipv4Addr::new(192, 0, 2, 1).into(),
        Family::V6 => Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, 1).into(),
    }
}

fn family(world: &World) -> Family {
    match world.ip().is_ipv4() {
        true => Family::V4,
        false => Family::V6,
    }
}

#[test]
fn port_zero_picks_a_free_one() {
    fn body(world: &World, log: &mut Log) -> io::Result<()> {
        let first = world.listen((world.ip(), 0))?.local_addr()?;
        let one = world.udp((world.ip(), 0))?;
        let other = world.udp((world.ip(), 0))?;
        log.call("a listener has one", Ok(first.port() != 0));
        let (one, other) = (one.local_addr()?, other.local_addr()?);
        log.call("no two have the same", Ok(one.port() != 0 && one != other));
        Ok(())
    }
    show_on(
        BOTH,
        body,
        "a listener has one: true
         no two have the same: true",
    );
}

#[test]
fn both_ends_know_both_addresses() {
    fn body(world: &World, log: &mut Log) -> io::Result<()> {
        let listener = world.listen((world.ip(), 0))?;
        let server = listener.local_addr()?;
        log.name(server, "server");
        let client = world.connect(server)?;
        log.name(client.local_addr()?, "client");
        let (accepted, from) = listener.accept()?;
        log.call("listener", listener.local_addr());
        log.call("accept", Ok(from));
        log.call("client, here", client.local_addr());
        log.call("client, there", client.peer_addr());
        log.call("server, here", accepted.local_addr());
        log.call("server, there", accepted.peer_addr());
        Ok(())
    }
    show_on(
        BOTH,
        body,
        "listener: localhost:server
         accept: localhost:client
         client, here: localhost:client
         client, there: localhost:server
         server, here: localhost:server
         server, there: localhost:client",
    );
}

#[test]
fn a_wildcard_listener_is_reached_by_every_address() {
    fn body(world: &World, log: &mut Log) -> io::Result<()> {
        let any = family(world).wildcard();
        let listener = world.listen((any, 0))?;
        let port = listener.local_addr()?.port();
        log.name(listener.local_addr()?, "server");
        log.call("listener", listener.local_addr());
        for to in [world.ip(), any] {
            let client = world.connect((to, port))?;
            log.name(client.local_addr()?, "client");
            log.call("client, there", client.peer_addr());
            log.call("server, here", listener.accept()?.0.local_addr());
        }
        Ok(())
    }
    show_on(
        BOTH,
        body,
        "listener: any:server
         client, there: localhost:server
         server, here: localhost:server
         client, there: localhost:server
         server, here: localhost:server",
    );
}

#[test]
fn all_of_127_is_this_host_which_speaks_from_127_0_0_1() {
    fn body(world: &World, log: &mut Log) -> io::Result<()> {
        let listener = world.listen("127.1.2.3:0")?;
        let client = world.connect(listener.local_addr()?)?;
        let ip = |address: SocketAddr| address.ip().to_string();
        log.call("client, here", client.local_addr().map(ip));
        log.call("client, there", client.peer_addr().map(ip));
        log.call("accept", listener.accept().map(|(_, from)| ip(from)));
        let (one, any) = (world.udp("127.0.0.2:0")?, world.udp("0.0.0.0:0")?);
        let other = SocketAddr::from(([127, 0, 0, 3], one.local_addr()?.port()));
        any.send_to(b"to another", other)?;
        any.send_to(b"to this one", one.local_addr()?)?;
        let (len, from) = one.recv_from(&mut [0; 16])?;
        log.call("received", Ok(len));
        log.call("from", Ok(ip(from)));
        any.connect(one.local_addr()?)?;
        log.call("connected, here", any.local_addr().map(ip));
        log.call("send back", one.send_to(b"x", any.local_addr()?));
        log.call(
            "received",
            any.recv_from(&mut [0; 16]).map(|(_, from)| ip(from)),
        );
        Ok(())
    }
    show_on(
        &[Family::V4],
        body,
        r#"client, here: "127.0.0.1"
         client, there: "127.1.2.3"
         accept: "127.0.0.1"
         received: 11
         from: "127.0.0.1"
         connected, here: "127.0.0.1"
         send back: 1
         received: "127.0.0.2""#,
    );
}

#[test]
fn an_ipv6_wildcard_takes_ipv4_too() {
    fn body(world: &World, log: &mut Log) -> io::Result<()> {
        let listener = world.listen("[::]:0")?;
        let port = listener.local_addr()?.port();
        log.name(listener.local_addr()?, "server");
        let mapped = Ipv4Addr::LOCALHOST.to_ipv6_mapped();
        for to in [IpAddr::from(Ipv4Addr::LOCALHOST), mapped.into()] {
            let client = world.connect((to, port))?;
            log.name(client.local_addr()?, "client");
            log.call("client, here", client.local_addr());
            log.call("client, there", client.peer_addr());
            let (server, from) = listener.accept()?;
            log.call("accept", Ok(from));
            log.call("server, here", server.local_addr());
        }
        let udp = world.udp("[::]:0")?;
        let to = SocketAddr::new(Ipv4Addr::LOCALHOST.into(), udp.local_addr()?.port());
        log.name(to, "receiver");
        let sender = world.udp("127.0.0.1:0")?;
        log.name(sender.local_addr()?, "sender");
        log.call("send_to", sender.send_to(b"from IPv4", to));
        let (_, from) = udp.recv_from(&mut [0; 16])?;
        log.call("from", Ok(from));
        log.call("the answer", udp.send_to(b"back", from));
        log.call("answered", sender.recv_from(&mut [0; 16]));
        log.call(
            "to a plain IPv4 address",
            udp.send_to(b"back", sender.local_addr()?),
        );
        log.call("arrived", sender.recv_from(&mut [0; 16]));
        Ok(())
    }
    show_on(
        &[Family::V6],
        body,
        "client, here: localhost:client
         client, there: localhost:server
         accept: mapped localhost:client
         server, here: mapped localhost:server
         client, here: mapped localhost:client
         client, there: mapped localhost:server
         accept: mapped localhost:client
         server, here: mapped localhost:server
         send_to: 9
         from: mapped localhost:sender
         the answer: 4
         answered: 4 localhost:receiver
         to a plain IPv4 address: 4
         arrived: 4 localhost:receiver",
    );
}

#[test]
fn an_address_in_use_is_refused() {
    fn body(world: &World, log: &mut Log) -> io::Result<()> {
        let any = family(world).wildcard();
        let taken = world.listen((world.ip(), 0))?;
        let port = taken.local_addr()?.port();
        log.call("listen on it again", world.listen((world.ip(), port)));
        log.call("listen on the wildcard", world.listen((any, port)));
        log.call("UDP there", world.udp((world.ip(), port)));
        drop(taken);
        log.call("after it was closed", world.listen((world.ip(), port)));

        let taken = world.listen((any, 0))?;
        let port = taken.local_addr()?.port();
        log.call("beside a wildcard", world.listen((world.ip(), port)));
        log.call("two wildcards", world.listen((any, port)));

        let taken = world.udp((world.ip(), 0))?;
        let port = taken.local_addr()?.port();
        log.call("UDP again", world.udp((world.ip(), port)));
        log.call("UDP on the wildcard", world.udp((any, port)));
        log.call("TCP there", world.listen((world.ip(), port)));
        drop(taken);
        log.call("UDP after it was closed", world.udp((world.ip(), port)));
        Ok(())
    }
    show_on(
        BOTH,
        body,
        "listen on it again: AddrInUse
         listen on the wildcard: AddrInUse
         UDP there: a socket
         after it was closed: a socket
         beside a wildcard: AddrInUse
         two wildcards: AddrInUse
         UDP again: AddrInUse
         UDP on the wildcard: AddrInUse
         TCP there: a socket
         UDP after it was closed: a socket",
    );
}

#[test]
fn families_overlap_only_on_the_ipv6_wildcard() {
    fn body(world: &World, log: &mut Log) -> io::Result<()> {
        const V4: IpAddr = IpAddr::V4(Ipv4Addr::LOCALHOST);
        const V6: IpAddr = IpAddr::V6(Ipv6Addr::LOCALHOST);
        const ANY4: IpAddr = IpAddr::V4(Ipv4Addr::UNSPECIFIED);
        const ANY6: IpAddr = IpAddr::V6(Ipv6Addr::UNSPECIFIED);
        for (first, second) in [
            (V4, V6),
            (ANY4, V6),
            (V4, IpAddr::V4(Ipv4Addr::new(127, 0, 0, 2))),
            (ANY6, V4),
            (ANY6, ANY4),
            (ANY4, ANY6),
            (V4, ANY6),
            (V4, IpAddr::V6(Ipv4Addr::LOCALHOST.to_ipv6_mapped())),
            (ANY4, IpAddr::V6(Ipv4Addr::LOCALHOST.to_ipv6_mapped())),
            (V6, IpAddr::V6(Ipv4Addr::LOCALHOST.to_ipv6_mapped())),
        ] {
            let taken = world.listen((first, 0))?;
            let port = taken.local_addr()?.port();
            let result = world.listen((second, port));
            log.call(&format!("{second} beside {first}"), result);
            let taken = world.udp((first, 0))?;
            let port = taken.local_addr()?.port();
            log.call(
                &format!("{second} beside {first}, UDP"),
                world.udp((second, port)),
            );
        }
        Ok(())
    }
    show_on(
        &[Family::V6],
        body,
        "::1 beside 127.0.0.1: a socket
         ::1 beside 127.0.0.1, UDP: a socket
         ::1 beside 0.0.0.0: a socket
         ::1 beside 0.0.0.0, UDP: a socket
         127.0.0.2 beside 127.0.0.1: a socket
         127.0.0.2 beside 127.0.0.1, UDP: a socket
         127.0.0.1 beside ::: AddrInUse
         127.0.0.1 beside ::, UDP: AddrInUse
         0.0.0.0 beside ::: AddrInUse
         0.0.0.0 beside ::, UDP: AddrInUse
         :: beside 0.0.0.0: AddrInUse
         :: beside 0.0.0.0, UDP: AddrInUse
         :: beside 127.0.0.1: AddrInUse
         :: beside 127.0.0.1, UDP: AddrInUse
         ::ffff:127.0.0.1 beside 127.0.0.1: AddrInUse
         ::ffff:127.0.0.1 beside 127.0.0.1, UDP: AddrInUse
         ::ffff:127.0.0.1 beside 0.0.0.0: AddrInUse
         ::ffff:127.0.0.1 beside 0.0.0.0, UDP: AddrInUse
         ::ffff:127.0.0.1 beside ::1: a socket
         ::ffff:127.0.0.1 beside ::1, UDP: a socket",
    );
}

#[test]
fn a_foreign_address_is_not_available() {
    fn body(world: &World, log: &mut Log) -> io::Result<()> {
        let address = (foreign(family(world)), 0);
        log.call("TCP", world.listen(address));
        log.call("UDP", world.udp(address));
        Ok(())
    }
    show_on(
        BOTH,
        body,
        "TCP: AddrNotAvailable
         UDP: AddrNotAvailable",
    );
}

#[test]
fn a_port_is_free_again_while_its_connections_go_on() {
    fn body(world: &World, log: &mut Log) -> io::Result<()> {
        let listener = world.listen((world.ip(), 0))?;
        let address = listener.local_addr()?;
        let client = world.connect(address)?;
        let (server, _) = listener.accept()?;
        drop(listener);
        let again = log.call("established", world.listen(address));
        drop(again);
        // The server's side closes first, and is the one that waits in TIME-WAIT.
        drop(server);
        drop(client);
        log.call("in TIME-WAIT", world.listen(address));
        Ok(())
    }
    show_on(
        BOTH,
        body,
        "established: a socket
         in TIME-WAIT: a socket",
    );
}

#[test]
fn the_first_of_several_addresses_that_works_is_taken() {
    fn body(world: &World, log: &mut Log) -> io::Result<()> {
        let here = SocketAddr::new(world.ip(), 0);
        let foreign = SocketAddr::new(foreign(family(world)), 0);
        let listener = world.listen(&[foreign, here][..])?;
        let server = listener.local_addr()?;
        log.name(server, "server");
        log.call("bind", listener.local_addr());
        let closed = world.listen(here)?.local_addr()?;
        log.call("connect", world.connect(&[closed, server][..])?.peer_addr());
        log.call("none works", world.connect(&[closed, closed][..]));
        log.call("none given, connect", world.connect(&[][..]));
        log.call("none given, bind", world.udp(&[][..]));
        let udp = world.udp(here)?;
        log.call("none given, send_to", udp.send_to(b"", &[][..]));
        for text in ["no port", "localhost:", "localhost:65536", ":x"] {
            log.call(&format!("{text:?}"), world.connect(text));
        }
        log.call(
            "a text",
            world.connect(server.to_string().as_str())?.peer_addr(),
        );
        Ok(())
    }
    show_on(
        BOTH,
        body,
        r#"bind: localhost:server
         connect: localhost:server
         none works: ConnectionRefused
         none given, connect: InvalidInput
         none given, bind: InvalidInput
         none given, send_to: InvalidInput
         "no port": InvalidInput
         "localhost:": InvalidInput
         "localhost:65536": InvalidInput
         ":x": InvalidInput
         a text: localhost:server"#,
    );
}
