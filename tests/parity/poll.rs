//! poll: what it tells of a socket in each of its situations, and for how long it waits.

use super::{Polled, TcpStream, World, show_on, stream::pair};
use crate::transcript::{BOTH, Bits, Log, read, until};
use std::{
    io::{self, Read, Write},
    net::{Shutdown, SocketAddr},
    thread,
    time::{Duration, Instant},
};

/// What a program may ask for.
const ALL: &[Bits] = &[Bits::IN, Bits::OUT, Bits::RDHUP];

/// Writes down what is true of a socket, once this is.
fn told(world: &World, log: &mut Log, what: &str, socket: &dyn Polled, has: Bits) {
    let comes = until(|| world.events(socket, ALL).has(has));
    log.call(what, comes.map(|()| world.events(socket, ALL)));
}

/// Writes down what is true of a socket now.
fn tells(world: &World, log: &mut Log, what: &str, socket: &dyn Polled) {
    log.call(what, Ok(world.events(socket, ALL)));
}

/// Both ends of a connection, and nothing under way on it.
fn quiet(world: &World) -> io::Result<(TcpStream, TcpStream)> {
    let (client, server) = pair(world)?;
    client.set_nonblocking(true)?;
    server.set_nonblocking(true)?;
    Ok((client, server))
}

#[test]
fn before_a_connection() {
    fn body(world: &World, log: &mut Log) -> io::Result<()> {
        let fresh = world.bare()?;
        tells(world, log, "fresh", &fresh);
        log.call("fresh, asked for nothing", Ok(world.events(&fresh, &[])));
        let address = fresh.listen(world.ip())?;
        tells(world, log, "listening", &fresh);
        let client = world.bare()?;
        let _ = client.connect(address);
        told(world, log, "a connection waits", &fresh, Bits::IN);
        told(world, log, "its client", &client, Bits::OUT);
        fresh.accept()?;
        tells(world, log, "accepted", &fresh);
        Ok(())
    }
    show_on(
        BOTH,
        body,
        "fresh: OUT HUP
         fresh, asked for nothing: HUP
         listening: nothing
         a connection waits: IN
         its client: OUT
         accepted: nothing",
    );
}

#[test]
fn while_it_connects() {
    fn body(world: &World, log: &mut Log) -> io::Result<()> {
        let listener = world.bare()?;
        let address = listener.listen(world.ip())?;
        let first = world.bare()?;
        let _ = first.connect(address);
        told(
            world,
            log,
            "there was room for the first",
            &first,
            Bits::OUT,
        );
        let second = world.bare()?;
        log.call("the second", second.connect(address));
        tells(world, log, "the second connects", &second);
        let waits = world.wait(&[&second], Bits::OUT, Some(Duration::from_millis(20)));
        log.call("for 20 ms", waits);
        Ok(())
    }
    show_on(
        BOTH,
        body,
        "there was room for the first: OUT
         the second: WouldBlock
         the second connects: nothing
         for 20 ms: 0",
    );
}

#[test]
fn where_nobody_listens() {
    fn body(world: &World, log: &mut Log) -> io::Result<()> {
        // Bound, so that nobody else is given it meanwhile.
        let nobody = world.bare()?;
        let address = nobody.listen(world.ip())?;
        drop(nobody);
        let client = world.bare()?;
        let _ = client.connect(address);
        told(world, log, "refused", &client, Bits::ERR);
        log.call("asked for nothing", Ok(world.events(&client, &[])));
        log.call("SO_ERROR", client.take_error());
        tells(world, log, "afterwards", &client);
        Ok(())
    }
    show_on(
        BOTH,
        body,
        "refused: IN OUT ERR HUP RDHUP
         asked for nothing: ERR HUP
         SO_ERROR: the error ConnectionRefused
         kernel: afterwards: IN OUT HUP RDHUP
         ours: afterwards: OUT HUP",
    );
}

#[test]
fn data_is_there_until_it_is_read() {
    fn body(world: &World, log: &mut Log) -> io::Result<()> {
        let (mut client, server) = quiet(world)?;
        tells(world, log, "no data", &server);
        client.write_all(b"Michael")?;
        told(world, log, "data", &server, Bits::IN);
        tells(world, log, "again", &server);
        log.call("asked for nothing", Ok(world.events(&server, &[])));
        log.call("asked for room", Ok(world.events(&server, &[Bits::OUT])));
        log.call("a part", read(&server, 3));
        tells(world, log, "the rest is there", &server);
        log.call("the rest", read(&server, 16));
        tells(world, log, "no data any more", &server);
        Ok(())
    }
    show_on(
        BOTH,
        body,
        r#"no data: OUT
         data: IN OUT
         again: IN OUT
         asked for nothing: nothing
         asked for room: OUT
         a part: "Mic"
         the rest is there: IN OUT
         the rest: "hael"
         no data any more: OUT"#,
    );
}

#[test]
fn a_full_send_buffer_has_no_room_until_it_is_read() {
    fn body(world: &World, log: &mut Log) -> io::Result<()> {
        let (mut client, mut server) = quiet(world)?;
        // The kernel's buffers grow while they are filled: full is what stays full.
        until(|| {
            while client.write(&[7; 65_536]).is_ok() {}
            let soon = Some(Duration::from_millis(20));
            world
                .wait(&[&client], Bits::OUT, soon)
                .is_ok_and(|n| n == 0)
        })?;
        tells(world, log, "full", &client);
        let mut buffer = vec![0; 65_536];
        until(|| {
            while server.read(&mut buffer).is_ok() {}
            world.events(&client, ALL).has(Bits::OUT)
        })?;
        tells(world, log, "read", &client);
        Ok(())
    }
    show_on(
        BOTH,
        body,
        "full: nothing
         read: OUT",
    );
}

#[test]
fn half_closed_by_the_peer() {
    fn body(world: &World, log: &mut Log) -> io::Result<()> {
        let (mut client, server) = quiet(world)?;
        client.write_all(b"all I have")?;
        client.shutdown(Shutdown::Write)?;
        told(world, log, "data and the end", &server, Bits::RDHUP);
        log.call("asked for nothing", Ok(world.events(&server, &[])));
        log.call("the data", read(&server, 16));
        tells(world, log, "the end", &server);
        log.call("the end", read(&server, 16));
        tells(world, log, "it stays", &server);
        tells(world, log, "the other side", &client);
        server.shutdown(Shutdown::Write)?;
        tells(world, log, "both directions are over", &server);
        told(world, log, "on the other side, too", &client, Bits::HUP);
        Ok(())
    }
    show_on(
        BOTH,
        body,
        r#"data and the end: IN OUT RDHUP
         asked for nothing: nothing
         the data: "all I have"
         the end: IN OUT RDHUP
         the end: ""
         it stays: IN OUT RDHUP
         the other side: OUT
         both directions are over: IN OUT HUP RDHUP
         on the other side, too: IN OUT HUP RDHUP"#,
    );
}

#[test]
fn closed_by_both_with_data_unread() {
    fn body(world: &World, log: &mut Log) -> io::Result<()> {
        let (mut client, server) = quiet(world)?;
        server.shutdown(Shutdown::Write)?;
        client.write_all(b"the last")?;
        told(world, log, "data", &server, Bits::IN);
        drop(client);
        // What is unread at the client is the server's FIN alone: no reset.
        told(world, log, "and the end", &server, Bits::RDHUP);
        log.call("the data", read(&server, 16));
        tells(world, log, "the end", &server);
        Ok(())
    }
    show_on(
        BOTH,
        body,
        r#"data: IN OUT
         and the end: IN OUT HUP RDHUP
         the data: "the last"
         the end: IN OUT HUP RDHUP"#,
    );
}

#[test]
fn shut_down_by_itself() {
    fn body(world: &World, log: &mut Log) -> io::Result<()> {
        for how in [Shutdown::Write, Shutdown::Read, Shutdown::Both] {
            let (client, _server) = quiet(world)?;
            client.shutdown(how)?;
            tells(world, log, &format!("{how:?}"), &client);
        }
        Ok(())
    }
    show_on(
        BOTH,
        body,
        "Write: OUT
         Read: IN OUT RDHUP
         Both: IN OUT HUP RDHUP",
    );
}

#[test]
fn a_reset_is_an_error_and_the_end() {
    fn body(world: &World, log: &mut Log) -> io::Result<()> {
        let (mut client, server) = quiet(world)?;
        client.write_all(b"never read")?;
        until(|| world.events(&server, ALL).has(Bits::IN))?;
        drop(server);
        told(world, log, "reset", &client, Bits::ERR);
        log.call("asked for nothing", Ok(world.events(&client, &[])));
        log.call("the error", read(&client, 16));
        tells(world, log, "the end", &client);
        log.call("the end", read(&client, 16));
        tells(world, log, "it stays", &client);
        Ok(())
    }
    show_on(
        BOTH,
        body,
        r#"reset: IN OUT ERR HUP RDHUP
         asked for nothing: ERR HUP
         the error: ConnectionReset
         the end: IN OUT HUP RDHUP
         the end: ""
         it stays: IN OUT HUP RDHUP"#,
    );
}

#[test]
fn datagrams_and_what_became_of_them() {
    fn body(world: &World, log: &mut Log) -> io::Result<()> {
        let (here, there) = (world.udp((world.ip(), 0))?, world.udp((world.ip(), 0))?);
        tells(world, log, "no datagram", &there);
        here.send_to(b"", there.local_addr()?)?;
        told(world, log, "an empty one", &there, Bits::IN);
        there.recv_from(&mut [0; 1])?;
        tells(world, log, "received", &there);

        let gone = world.udp((world.ip(), 0))?;
        here.connect(gone.local_addr()?)?;
        drop(gone);
        here.send(b"to nobody")?;
        told(world, log, "nobody is there", &here, Bits::ERR);
        log.call("asked for nothing", Ok(world.events(&here, &[])));
        log.call("the error", here.recv(&mut [0; 1]));
        tells(world, log, "afterwards", &here);
        Ok(())
    }
    show_on(
        BOTH,
        body,
        "no datagram: OUT
         an empty one: IN OUT
         received: OUT
         nobody is there: OUT ERR
         asked for nothing: ERR
         the error: ConnectionRefused
         afterwards: OUT",
    );
}

#[test]
fn a_descriptor_that_is_nobodys_is_told_and_no_failure() {
    fn body(world: &World, log: &mut Log) -> io::Result<()> {
        let (fresh, stale) = (world.bare()?, world.stale()?);
        tells(world, log, "stale", &stale);
        log.call("asked for nothing", Ok(world.events(&stale, &[])));
        let both = world.wait(&[&stale, &fresh], Bits::OUT, None);
        log.call("beside another", both);
        Ok(())
    }
    show_on(
        BOTH,
        body,
        "stale: NVAL
         asked for nothing: NVAL
         beside another: 2",
    );
}

#[test]
fn it_counts_the_sockets_that_have_something() {
    fn body(world: &World, log: &mut Log) -> io::Result<()> {
        let (mut client, server) = quiet(world)?;
        let listener = world.listen((world.ip(), 0))?;
        let udp = world.udp((world.ip(), 0))?;
        let all: [&dyn Polled; 3] = [&server, &listener, &udp];
        log.call("none", world.wait(&all, Bits::IN, Some(Duration::ZERO)));
        client.write_all(b"data")?;
        log.call("data", world.wait(&all, Bits::IN, None));
        let _other = world.connect(listener.local_addr()?)?;
        let two = || world.wait(&all, Bits::IN, None);
        until(|| two().is_ok_and(|count| count == 2))?;
        udp.send_to(b"me", udp.local_addr()?)?;
        until(|| two().is_ok_and(|count| count == 3))?;
        // The same twice counts twice.
        log.call("twice", world.wait(&[&udp, &udp], Bits::IN, None));
        log.call(
            "of no sockets",
            world.wait(&[], Bits::IN, Some(Duration::ZERO)),
        );
        Ok(())
    }
    show_on(
        BOTH,
        body,
        "none: 0
         data: 1
         twice: 2
         of no sockets: 0",
    );
}

#[test]
fn it_waits_as_long_as_it_is_told_to() {
    fn body(world: &World, log: &mut Log) -> io::Result<()> {
        let (client, server) = quiet(world)?;
        for timeout in [Duration::ZERO, Duration::from_millis(50)] {
            let start = Instant::now();
            log.call(
                "nothing comes",
                world.wait(&[&server], Bits::IN, Some(timeout)),
            );
            log.call("not too early", Ok(start.elapsed() >= timeout));
        }
        log.call(
            "there already",
            world.wait(&[&server], Bits::OUT, Some(Duration::from_secs(50))),
        );
        let writer = thread::spawn(move || {
            thread::sleep(Duration::from_millis(50));
            (&client).write_all(b"data").map(|()| client)
        });
        log.call("it comes", world.wait(&[&server], Bits::IN, None));
        let _client = writer.join().expect("no panic")?;
        Ok(())
    }
    show_on(
        BOTH,
        body,
        "nothing comes: 0
         not too early: true
         nothing comes: 0
         not too early: true
         there already: 1
         it comes: 1",
    );
}

/// One thread serves a hundred clients.
#[test]
fn a_hundred_clients_of_one_thread() {
    fn body(world: &World, log: &mut Log) -> io::Result<()> {
        const CLIENTS: usize = 100;
        let listener = world.listen((world.ip(), 0))?;
        let address: SocketAddr = listener.local_addr()?;
        let mut clients = Vec::new();
        let mut servers = Vec::new();
        for _ in 0..CLIENTS {
            clients.push(world.connect(address)?);
            servers.push(Some(listener.accept()?.0));
        }
        let mut greeted = 0;
        for round in 0..3 {
            for client in clients.iter_mut().skip(round).step_by(3) {
                client.write_all(b"Michael")?;
            }
            for _ in (round..CLIENTS).step_by(3) {
                let open: Vec<&dyn Polled> = servers.iter().flatten().map(|s| s as _).collect();
                world.wait(&open, Bits::IN, None)?;
                let ready = |server: &Option<TcpStream>| {
                    let socket = server.as_ref().map(|server| world.events(server, ALL));
                    socket.is_some_and(|events| events.has(Bits::IN))
                };
                let ready = servers.iter().position(ready).expect("one is");
                let mut server = servers[ready].take().expect("it is open");
                let mut name = [0; 7];
                server.read_exact(&mut name)?;
                server.write_all(&name)?;
                greeted += 1;
            }
        }
        for client in &mut clients {
            let mut name = String::new();
            client.read_to_string(&mut name)?;
            greeted -= usize::from(name == "Michael");
        }
        log.call("left over", Ok(greeted));
        Ok(())
    }
    show_on(BOTH, body, "left over: 0");
}
