//! connect, accept, read and write, peek.

use super::{TcpStream, World, show_on};
use crate::transcript::{BOTH, Family, Log, read, until};
use std::{
    io::{self, IoSlice, IoSliceMut, Read, Write},
    net::{Ipv4Addr, Shutdown, SocketAddr},
    time::Duration,
};

/// The client's end of a connection, and the server's.
pub(super) fn pair(world: &World) -> io::Result<(TcpStream, TcpStream)> {
    let listener = world.listen((world.ip(), 0))?;
    let client = world.connect(listener.local_addr()?)?;
    Ok((client, listener.accept()?.0))
}

#[test]
fn accept_gives_the_oldest_connection_first() {
    fn body(world: &World, log: &mut Log) -> io::Result<()> {
        let listener = world.listen((world.ip(), 0))?;
        let mut clients = Vec::new();
        for name in ["first", "second", "third"] {
            let client = world.connect(listener.local_addr()?)?;
            log.name(client.local_addr()?, name);
            clients.push(client);
        }
        log.call("accept", listener.accept().map(|(_, from)| from));
        for stream in listener.incoming().take(2) {
            log.call("incoming", stream?.peer_addr());
        }
        Ok(())
    }
    show_on(
        BOTH,
        body,
        "accept: localhost:first
         incoming: localhost:second
         incoming: localhost:third",
    );
}

#[test]
fn a_connection_that_ended_in_the_queue_is_accepted_with_its_data() {
    fn body(world: &World, log: &mut Log) -> io::Result<()> {
        let listener = world.listen((world.ip(), 0))?;
        let mut client = world.connect(listener.local_addr()?)?;
        log.name(client.local_addr()?, "client");
        client.write_all(b"hello and goodbye")?;
        drop(client);
        let (server, from) = listener.accept()?;
        log.call("accept", Ok(from));
        log.call("there", server.peer_addr());
        let mut text = String::new();
        (&server).read_to_string(&mut text)?;
        log.call("read to the end", Ok(text));
        log.call("still there", server.peer_addr());
        Ok(())
    }
    show_on(
        BOTH,
        body,
        r#"accept: localhost:client
         there: localhost:client
         read to the end: "hello and goodbye"
         still there: localhost:client"#,
    );
}

#[test]
fn connect_says_why_it_failed() {
    fn body(world: &World, log: &mut Log) -> io::Result<()> {
        let closed = world.listen((world.ip(), 0))?.local_addr()?;
        let second = Duration::from_secs(60);
        log.call("nobody listens", world.connect(closed));
        log.call(
            "nobody listens, with a timeout",
            world.connect_timeout(closed, second),
        );
        log.call(
            "a timeout of zero",
            world.connect_timeout(closed, Duration::ZERO),
        );
        log.call("port 0", world.connect((world.ip(), 0)));
        let udp = world.udp((world.ip(), 0))?;
        log.call("a port of UDP", world.connect(udp.local_addr()?));
        Ok(())
    }
    show_on(
        BOTH,
        body,
        "nobody listens: ConnectionRefused
         nobody listens, with a timeout: ConnectionRefused
         a timeout of zero: InvalidInput
         port 0: ConnectionRefused
         a port of UDP: ConnectionRefused",
    );
}

#[test]
fn nobody_connects_to_a_group() {
    fn body(world: &World, log: &mut Log) -> io::Result<()> {
        let broadcast = SocketAddr::from((Ipv4Addr::BROADCAST, 9999));
        log.call("the broadcast address", world.connect(broadcast));
        let broadcast = SocketAddr::from(([127, 255, 255, 255], 9999));
        log.call("the loopback's broadcast address", world.connect(broadcast));
        Ok(())
    }
    show_on(
        &[Family::V4],
        body,
        "the broadcast address: NetworkUnreachable
         the loopback's broadcast address: NetworkUnreachable",
    );
}

#[test]
fn connect_timeout_connects() {
    fn body(world: &World, log: &mut Log) -> io::Result<()> {
        let listener = world.listen((world.ip(), 0))?;
        let timeout = Duration::from_secs(60);
        let client = world.connect_timeout(listener.local_addr()?, timeout)?;
        let (mut server, _) = listener.accept()?;
        server.write_all(b"as any other")?;
        log.call("read", read(&client, 16));
        log.call("its read timeout", client.read_timeout());
        Ok(())
    }
    show_on(
        BOTH,
        body,
        r#"read: "as any other"
         its read timeout: None"#,
    );
}

#[test]
fn a_full_accept_queue_lets_connect_time_out() {
    fn body(world: &World, log: &mut Log) -> io::Result<()> {
        let listener = world.listen((world.ip(), 0))?;
        let mut clients = Vec::new();
        let error = loop {
            let timeout = Duration::from_secs(1);
            match world.connect_timeout(listener.local_addr()?, timeout) {
                Ok(client) => clients.push(client),
                Err(error) => break error,
            }
        };
        log.call("connected", Ok(clients.len()));
        log.call::<()>("the next", Err(error));
        for _ in 0..clients.len() {
            listener.accept()?;
        }
        let again = world.connect(listener.local_addr()?).map(drop);
        log.call("when there is room", again);
        Ok(())
    }
    show_on(
        BOTH,
        body,
        "connected: 129
         the next: TimedOut
         when there is room: done",
    );
}

#[test]
fn bytes_go_both_ways_and_peek_leaves_them() {
    fn body(world: &World, log: &mut Log) -> io::Result<()> {
        let (mut client, server) = pair(world)?;
        log.call("write", client.write(b"Michael"));
        log.call("flush", client.flush());
        let mut buffer = [0; 16];
        log.call("peek", server.peek(&mut buffer));
        log.call("peek a part", server.peek(&mut buffer[..3]));
        log.call("read a part", read(&server, 3));
        log.call("peek the rest", server.peek(&mut buffer));
        log.call("read the rest", read(&server, 16));
        log.call("the answer", (&server).write(b"Hello, Michael!"));
        log.call("read the answer", read(&client, 32));
        Ok(())
    }
    show_on(
        BOTH,
        body,
        r#"write: 7
         flush: done
         peek: 7
         peek a part: 3
         read a part: "Mic"
         peek the rest: 4
         read the rest: "hael"
         the answer: 15
         read the answer: "Hello, Michael!""#,
    );
}

#[test]
fn vectored_calls_gather_and_scatter() {
    fn body(world: &World, log: &mut Log) -> io::Result<()> {
        let (mut client, mut server) = pair(world)?;
        let parts = [
            IoSlice::new(b""),
            IoSlice::new(b"Hello, "),
            IoSlice::new(b"Tracy!"),
        ];
        let (mut head, mut tail) = ([0; 5], [0; 16]);
        log.call("write", client.write_vectored(&parts));
        client.write_all(b" And goodbye.")?;
        // All of it has arrived before it is read.
        until(|| server.peek(&mut [0; 64]).is_ok_and(|len| len >= 20))?;
        let mut parts = [IoSliceMut::new(&mut head), IoSliceMut::new(&mut tail)];
        let len = server.read_vectored(&mut parts)?;
        let text = [&head[..], &tail[..len.saturating_sub(5)]].concat();
        log.call("read", Ok(String::from_utf8_lossy(&text).into_owned()));
        log.call("read what is left", read(&server, 16));
        log.call("write nothing", client.write_vectored(&[]));
        log.call(
            "read into nothing",
            server.read_vectored(&mut [IoSliceMut::new(&mut [])]),
        );
        Ok(())
    }
    show_on(
        BOTH,
        body,
        r#"write: 13
         read: "Hello, Tracy! And goo"
         read what is left: "dbye."
         write nothing: 0
         read into nothing: 0"#,
    );
}

#[test]
fn reading_into_nothing_waits_for_something() {
    fn body(world: &World, log: &mut Log) -> io::Result<()> {
        let (mut client, mut server) = pair(world)?;
        log.call("write nothing", client.write(&[]));
        server.set_nonblocking(true)?;
        log.call("read into nothing", server.read(&mut []));
        log.call("peek into nothing", server.peek(&mut []));
        server.set_nonblocking(false)?;
        client.write_all(b"x")?;
        log.call("read into nothing, with a byte there", server.read(&mut []));
        log.call("peek into nothing", server.peek(&mut []));
        log.call("the byte is still there", read(&server, 8));
        client.shutdown(Shutdown::Write)?;
        log.call("write nothing after the end", client.write(&[]));
        log.call("gather nothing after the end", client.write_vectored(&[]));
        log.call("the end", read(&server, 8));
        log.call("read into nothing after the end", server.read(&mut []));
        Ok(())
    }
    show_on(
        BOTH,
        body,
        r#"write nothing: 0
         read into nothing: WouldBlock
         peek into nothing: WouldBlock
         read into nothing, with a byte there: 0
         peek into nothing: 0
         the byte is still there: "x"
         write nothing after the end: BrokenPipe
         gather nothing after the end: 0
         the end: ""
         read into nothing after the end: 0"#,
    );
}
