//! UDP: boundaries, peers, refusals, sizes.

use super::{UdpSocket, World, show_on};
use crate::transcript::{BOTH, Family, Log, until};
use std::{
    io,
    net::{Ipv4Addr, SocketAddr},
    time::Duration,
};

/// Two sockets, under these names.
fn pair(world: &World, log: &mut Log) -> io::Result<(UdpSocket, UdpSocket)> {
    let (here, there) = (world.udp((world.ip(), 0))?, world.udp((world.ip(), 0))?);
    log.name(here.local_addr()?, "here");
    log.name(there.local_addr()?, "there");
    Ok((here, there))
}

/// The next datagram and its sender.
fn receive(socket: &UdpSocket, len: usize) -> io::Result<(String, SocketAddr)> {
    let mut buffer = vec![0; len];
    let (len, from) = socket.recv_from(&mut buffer)?;
    Ok((String::from_utf8_lossy(&buffer[..len]).into_owned(), from))
}

#[test]
fn datagrams_keep_their_boundaries_and_order() {
    fn body(world: &World, log: &mut Log) -> io::Result<()> {
        let (here, there) = pair(world, log)?;
        let to = there.local_addr()?;
        for name in ["Michael", "", "Sarah", "a long one", "the last"] {
            log.call("send_to", here.send_to(name.as_bytes(), to));
        }
        let mut buffer = [0; 16];
        log.call("peek_from", there.peek_from(&mut buffer));
        log.call("peek", there.peek(&mut buffer[..3]));
        log.call("recv_from", receive(&there, 16));
        log.call("empty", receive(&there, 16));
        log.call("into nothing", receive(&there, 0));
        log.call("cut", receive(&there, 6));
        log.call("recv", there.recv(&mut buffer));
        log.call("to oneself", here.send_to(b"me", here.local_addr()?));
        log.call("from oneself", receive(&here, 16));
        Ok(())
    }
    show_on(
        BOTH,
        body,
        r#"send_to: 7
         send_to: 0
         send_to: 5
         send_to: 10
         send_to: 8
         peek_from: 7 localhost:here
         peek: 3
         recv_from: "Michael" localhost:here
         empty: "" localhost:here
         into nothing: "" localhost:here
         cut: "a long" localhost:here
         recv: 8
         to oneself: 2
         from oneself: "me" localhost:here"#,
    );
}

#[test]
fn a_connected_socket_hears_its_peer_alone() {
    fn body(world: &World, log: &mut Log) -> io::Result<()> {
        let (here, there) = pair(world, log)?;
        let stranger = world.udp((world.ip(), 0))?;
        log.name(stranger.local_addr()?, "stranger");
        log.call("there, before", there.peer_addr());
        stranger.send_to(b"before connect", there.local_addr()?)?;
        there.peek(&mut [0; 1])?;
        log.call("connect", there.connect(here.local_addr()?));
        log.call("there", there.peer_addr());
        log.call("what was queued already", receive(&there, 16));
        stranger.send_to(b"after connect", there.local_addr()?)?;
        here.send_to(b"from the peer", there.local_addr()?)?;
        log.call("recv_from", receive(&there, 16));
        log.call("send", there.send(b"answer"));
        log.call("recv_from", receive(&here, 16));
        log.call(
            "send_to another",
            there.send_to(b"aside", stranger.local_addr()?),
        );
        log.call("arrived", receive(&stranger, 16));
        log.call("send nothing", there.send(b""));
        log.call("arrived", receive(&here, 16));
        log.call("connect to another", there.connect(stranger.local_addr()?));
        log.call("there", there.peer_addr());
        here.send_to(b"from the old peer", there.local_addr()?)?;
        stranger.send_to(b"from the new", there.local_addr()?)?;
        log.call("recv_from", receive(&there, 16));
        Ok(())
    }
    show_on(
        BOTH,
        body,
        r#"there, before: NotConnected
         connect: done
         there: localhost:here
         what was queued already: "before connect" localhost:stranger
         recv_from: "from the peer" localhost:here
         send: 6
         recv_from: "answer" localhost:there
         send_to another: 5
         arrived: "aside" localhost:there
         send nothing: 0
         arrived: "" localhost:there
         connect to another: done
         there: localhost:stranger
         recv_from: "from the new" localhost:stranger"#,
    );
}

#[test]
fn connect_chooses_the_address_to_speak_from() {
    fn body(world: &World, log: &mut Log) -> io::Result<()> {
        let any = match world.ip().is_ipv4() {
            true => Family::V4,
            false => Family::V6,
        }
        .wildcard();
        let (here, there) = (world.udp((any, 0))?, world.udp((world.ip(), 0))?);
        log.name(here.local_addr()?, "here");
        log.name(there.local_addr()?, "there");
        log.call("before", here.local_addr());
        log.call("connect", here.connect(there.local_addr()?));
        log.call("after", here.local_addr());
        let far = world.udp((any, 0))?;
        log.name(far.local_addr()?, "far");
        log.call(
            "send_to the wildcard",
            here.send_to(b"x", (any, far.local_addr()?.port())),
        );
        log.call("arrived", receive(&far, 16));
        Ok(())
    }
    show_on(
        BOTH,
        body,
        r#"before: any:here
         connect: done
         after: localhost:here
         send_to the wildcard: 1
         arrived: "x" localhost:here"#,
    );
}

#[test]
fn a_port_nobody_has_refuses() {
    fn body(world: &World, log: &mut Log) -> io::Result<()> {
        let (here, there) = pair(world, log)?;
        let closed = there.local_addr()?;
        drop(there);
        here.connect(closed)?;
        here.set_read_timeout(Some(Duration::from_secs(30)))?;
        log.call("send", here.send(b"x"));
        log.call("recv", here.recv(&mut [0; 16]));
        log.call("pending", here.take_error());
        log.call("send", here.send(b"x"));
        let mut pending = None;
        until(|| {
            pending = here.take_error().ok().flatten();
            pending.is_some()
        })?;
        log.call("pending", Ok(pending));
        here.set_nonblocking(true)?;
        log.call("recv", here.recv(&mut [0; 16]));
        log.call("send", here.send(b"x"));
        let mut refused = here.send(b"x");
        until(|| {
            let again = refused.is_err();
            if !again {
                refused = here.send(b"x");
            }
            again
        })?;
        log.call("send, until it is known", refused);
        let stranger = world.udp((world.ip(), 0))?;
        stranger.set_read_timeout(Some(Duration::from_millis(40)))?;
        log.call("send_to, not connected", stranger.send_to(b"x", closed));
        log.call("recv_from", stranger.recv_from(&mut [0; 16]));
        log.call("pending", stranger.take_error());
        Ok(())
    }
    show_on(
        BOTH,
        body,
        "send: 1
         recv: ConnectionRefused
         pending: no error
         send: 1
         pending: the error ConnectionRefused
         recv: WouldBlock
         send: 1
         send, until it is known: ConnectionRefused
         send_to, not connected: 1
         recv_from: WouldBlock
         pending: no error",
    );
}

#[test]
fn a_datagram_needs_a_destination() {
    fn body(world: &World, log: &mut Log) -> io::Result<()> {
        let udp = world.udp((world.ip(), 0))?;
        log.call("send", udp.send(b"x"));
        log.call("send nothing", udp.send(b""));
        log.call("there", udp.peer_addr());
        log.call("send_to port 0", udp.send_to(b"x", (world.ip(), 0)));
        log.call("connect to port 0", udp.connect((world.ip(), 0)));
        log.call("there, with port 0", udp.peer_addr().map(drop));
        log.call("send to port 0", udp.send(b"x"));
        Ok(())
    }
    show_on(
        BOTH,
        body,
        "send: EDESTADDRREQ
         send nothing: EDESTADDRREQ
         there: NotConnected
         send_to port 0: InvalidInput
         connect to port 0: done
         there, with port 0: NotConnected
         kernel: send to port 0: 1
         ours: send to port 0: InvalidInput",
    );
}

#[test]
fn families_do_not_mix() {
    fn body(world: &World, log: &mut Log) -> io::Result<()> {
        let v4 = world.udp("127.0.0.1:0")?;
        let any4 = world.udp("0.0.0.0:0")?;
        let any6 = world.udp("[::]:0")?;
        log.call("IPv4 to IPv6", v4.send_to(b"x", "[::1]:9"));
        log.call("IPv4 wildcard to IPv6", any4.send_to(b"x", "[::1]:9"));
        log.call("IPv4 connects to IPv6", v4.connect("[::1]:9"));
        log.call(
            "IPv4 to mapped IPv4",
            v4.send_to(b"x", "[::ffff:127.0.0.1]:9"),
        );
        log.call("IPv6 wildcard to IPv4", any6.send_to(b"x", "127.0.0.1:9"));
        log.call(
            "IPv6 wildcard connects to IPv4",
            any6.connect("127.0.0.1:9"),
        );
        log.call("there", any6.peer_addr().map(|there| there.is_ipv6()));
        log.call("here", any6.local_addr().map(|here| here.is_ipv6()));
        Ok(())
    }
    show_on(
        &[Family::V6],
        body,
        "IPv4 to IPv6: EAFNOSUPPORT
         IPv4 wildcard to IPv6: EAFNOSUPPORT
         IPv4 connects to IPv6: EAFNOSUPPORT
         IPv4 to mapped IPv4: EAFNOSUPPORT
         IPv6 wildcard to IPv4: 1
         IPv6 wildcard connects to IPv4: done
         there: true
         here: true",
    );
}

#[test]
fn an_ipv4_message_has_a_greatest_length() {
    fn body(world: &World, log: &mut Log) -> io::Result<()> {
        let (here, there) = pair(world, log)?;
        let to = there.local_addr()?;
        let data = vec![7; 70_000];
        log.call("70,000 octets", here.send_to(&data, to));
        log.call("65,508", here.send_to(&data[..65_508], to));
        log.call("65,507", here.send_to(&data[..65_507], to));
        log.call("received", there.recv_from(&mut vec![0; 70_000]));
        here.connect(to)?;
        log.call("65,508, connected", here.send(&data[..65_508]));
        Ok(())
    }
    show_on(
        &[Family::V4],
        body,
        "70,000 octets: EMSGSIZE
         65,508: EMSGSIZE
         65,507: 65507
         received: 65507 localhost:here
         65,508, connected: EMSGSIZE",
    );
}

#[test]
fn an_ipv6_message_has_a_greatest_length() {
    fn body(world: &World, log: &mut Log) -> io::Result<()> {
        let (here, there) = pair(world, log)?;
        let to = there.local_addr()?;
        let data = vec![7; 70_000];
        log.call("70,000 octets", here.send_to(&data, to));
        log.call("65,528", here.send_to(&data[..65_528], to));
        log.call("65,527", here.send_to(&data[..65_527], to).map(drop));
        log.call("65,488", here.send_to(&data[..65_488], to).map(drop));
        log.call("65,487", here.send_to(&data[..65_487], to));
        Ok(())
    }
    show_on(
        &[Family::V6],
        body,
        "70,000 octets: EMSGSIZE
         65,528: EMSGSIZE
         kernel: 65,527: done
         ours: 65,527: EMSGSIZE
         kernel: 65,488: done
         ours: 65,488: EMSGSIZE
         65,487: 65487",
    );
}

#[test]
fn broadcast_needs_a_permission() {
    fn body(world: &World, log: &mut Log) -> io::Result<()> {
        let udp = world.udp("127.0.0.1:0")?;
        let everybody = SocketAddr::from((Ipv4Addr::BROADCAST, 9999));
        log.call("send_to everybody", udp.send_to(b"x", everybody));
        let link = SocketAddr::from(([127, 255, 255, 255], 9999));
        log.call("send_to everybody on the link", udp.send_to(b"x", link));
        log.call("connect to them", udp.connect(link));
        log.call("there", udp.peer_addr());
        log.call("permitted", udp.broadcast());
        log.call("permit it", udp.set_broadcast(true));
        log.call("permitted", udp.broadcast());
        log.call("connect to them", udp.connect(link));
        Ok(())
    }
    show_on(
        &[Family::V4],
        body,
        "send_to everybody: PermissionDenied
         send_to everybody on the link: PermissionDenied
         connect to them: PermissionDenied
         there: NotConnected
         permitted: false
         permit it: done
         permitted: true
         connect to them: done",
    );
}
