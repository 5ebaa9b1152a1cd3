//! How connections end: shutdown each way, close, reset, and what the calls say afterwards.

use super::{World, show_on, stream::pair};
use crate::transcript::{BOTH, Log, read, until};
use std::{
    io::{self, IoSliceMut, Read, Write},
    net::Shutdown,
    thread,
};

#[test]
fn a_half_closed_connection_goes_on_the_other_way() {
    fn body(world: &World, log: &mut Log) -> io::Result<()> {
        let (mut client, mut server) = pair(world)?;
        client.write_all(b"all I have")?;
        log.call(
            "client, shutdown of writing",
            client.shutdown(Shutdown::Write),
        );
        log.call("client writes", client.write(b"x"));
        log.call("server reads", read(&server, 16));
        log.call("server reads on", read(&server, 16));
        log.call("server peeks", server.peek(&mut [0; 16]));
        log.call("server writes", server.write(b"thank you"));
        log.call("client reads", read(&client, 16));
        log.call("client, once more", client.shutdown(Shutdown::Write));
        log.call("client, there", client.peer_addr().map(drop));
        log.call(
            "server, shutdown of writing",
            server.shutdown(Shutdown::Write),
        );
        log.call("client reads on", read(&client, 16));
        log.call("server writes", server.write(b"x"));
        Ok(())
    }
    show_on(
        BOTH,
        body,
        r#"client, shutdown of writing: done
         client writes: BrokenPipe
         server reads: "all I have"
         server reads on: ""
         server peeks: 0
         server writes: 9
         client reads: "thank you"
         client, once more: done
         client, there: done
         server, shutdown of writing: done
         client reads on: ""
         server writes: BrokenPipe"#,
    );
}

#[test]
fn the_server_may_be_the_first_to_close() {
    fn body(world: &World, log: &mut Log) -> io::Result<()> {
        let (mut client, mut server) = pair(world)?;
        server.write_all(b"Welcome!")?;
        server.shutdown(Shutdown::Write)?;
        log.call("client reads", read(&client, 16));
        log.call("client reads on", read(&client, 16));
        log.call("client writes", client.write(b"and yet"));
        log.call("server reads", read(&server, 16));
        drop(client);
        log.call("server reads on", read(&server, 16));
        // Its FIN was acknowledged long ago: nothing is left of the connection but TIME-WAIT.
        log.call("server writes", server.write(b"x"));
        log.call("server, pending", server.take_error());
        Ok(())
    }
    show_on(
        BOTH,
        body,
        r#"client reads: "Welcome!"
         client reads on: ""
         client writes: 7
         server reads: "and yet"
         server reads on: ""
         server writes: BrokenPipe
         server, pending: no error"#,
    );
}

#[test]
fn after_both_sides_said_goodbye() {
    fn body(world: &World, log: &mut Log) -> io::Result<()> {
        // The first to close waits in TIME-WAIT, the second is done.
        let (mut client, mut server) = pair(world)?;
        client.shutdown(Shutdown::Write)?;
        read(&server, 16)?;
        server.write_all(b"goodbye")?;
        server.shutdown(Shutdown::Write)?;
        until(|| server.peer_addr().is_err())?;
        log.call("client reads", read(&client, 16));
        log.call("client reads on", read(&client, 16));
        until(|| client.peer_addr().is_err())?;
        for (name, stream) in [("client", &mut client), ("server", &mut server)] {
            log.call(&format!("{name}, here"), stream.local_addr().map(drop));
            log.call(&format!("{name}, there"), stream.peer_addr().map(drop));
            log.call(&format!("{name} writes"), stream.write(b"x"));
            log.call(&format!("{name} reads"), read(&*stream, 16));
            log.call(&format!("{name}, pending"), stream.take_error());
            for how in [Shutdown::Read, Shutdown::Write, Shutdown::Both] {
                log.call(&format!("{name}, shutdown {how:?}"), stream.shutdown(how));
            }
        }
        Ok(())
    }
    show_on(
        BOTH,
        body,
        r#"client reads: "goodbye"
         client reads on: ""
         client, here: done
         client, there: NotConnected
         client writes: BrokenPipe
         client reads: ""
         client, pending: no error
         client, shutdown Read: NotConnected
         client, shutdown Write: NotConnected
         client, shutdown Both: NotConnected
         server, here: done
         server, there: NotConnected
         server writes: BrokenPipe
         server reads: ""
         server, pending: no error
         server, shutdown Read: NotConnected
         server, shutdown Write: NotConnected
         server, shutdown Both: NotConnected"#,
    );
}

#[test]
fn shutdown_of_reading_is_this_sides_alone() {
    fn body(world: &World, log: &mut Log) -> io::Result<()> {
        let (mut client, mut server) = pair(world)?;
        log.call(
            "client, shutdown of reading",
            client.shutdown(Shutdown::Read),
        );
        log.call("client reads", read(&client, 16));
        log.call("client peeks", client.peek(&mut [0; 16]));
        log.call("client writes", client.write(b"still here"));
        log.call("server reads", read(&server, 16));
        log.call("server writes", server.write(b"hear me"));
        until(|| client.peek(&mut [0; 16]).is_ok_and(|len| len > 0))?;
        log.call("client reads what came all the same", read(&client, 16));
        log.call("client reads", read(&client, 16));
        log.call("once more", client.shutdown(Shutdown::Read));
        Ok(())
    }
    show_on(
        BOTH,
        body,
        r#"client, shutdown of reading: done
         client reads: ""
         client peeks: 0
         client writes: 10
         server reads: "still here"
         server writes: 7
         client reads what came all the same: "hear me"
         client reads: ""
         once more: done"#,
    );
}

#[test]
fn shutdown_of_both_ways() {
    fn body(world: &World, log: &mut Log) -> io::Result<()> {
        let (mut client, mut server) = pair(world)?;
        client.write_all(b"the last")?;
        log.call("client, shutdown of both", client.shutdown(Shutdown::Both));
        log.call("client reads", read(&client, 16));
        log.call("client writes", client.write(b"x"));
        log.call("client, there", client.peer_addr().map(drop));
        log.call("once more", client.shutdown(Shutdown::Both));
        log.call("server reads", read(&server, 16));
        log.call("server reads on", read(&server, 16));
        log.call("server, shutdown of both", server.shutdown(Shutdown::Both));
        log.call("server writes", server.write(b"x"));
        // The client acknowledges the server's FIN: LAST-ACK is over, and so is the connection.
        until(|| server.peer_addr().is_err())?;
        log.call("server, there", server.peer_addr().map(drop));
        log.call("server, here", server.local_addr().map(drop));
        log.call("server, once more", server.shutdown(Shutdown::Both));
        log.call("server reads", read(&server, 16));
        log.call("server, pending", server.take_error());
        Ok(())
    }
    show_on(
        BOTH,
        body,
        r#"client, shutdown of both: done
         client reads: ""
         client writes: BrokenPipe
         client, there: done
         once more: done
         server reads: "the last"
         server reads on: ""
         server, shutdown of both: done
         server writes: BrokenPipe
         server, there: NotConnected
         server, here: done
         server, once more: NotConnected
         server reads: ""
         server, pending: no error"#,
    );
}

#[test]
fn what_was_written_arrives_after_the_drop() {
    fn body(world: &World, log: &mut Log) -> io::Result<()> {
        let (mut client, mut server) = pair(world)?;
        let write = thread::spawn(move || {
            let data: Vec<u8> = (0..1_000_000u32).map(|i| (i % 251) as u8).collect();
            client.write_all(&data)
        });
        let mut received = Vec::new();
        log.call("read to the end", server.read_to_end(&mut received));
        let in_order = received
            .iter()
            .zip(0u32..)
            .all(|(byte, i)| *byte == (i % 251) as u8);
        log.call("in order", Ok(in_order));
        log.call("write", write.join().expect("no panic"));
        Ok(())
    }
    show_on(
        BOTH,
        body,
        "read to the end: 1000000
         in order: true
         write: done",
    );
}

#[test]
fn writing_to_a_peer_that_closed() {
    fn body(world: &World, log: &mut Log) -> io::Result<()> {
        let (client, mut server) = pair(world)?;
        drop(client);
        log.call("read", read(&server, 16));
        log.call("write", server.write(b"is anybody there?"));
        until(|| server.peer_addr().is_err())?;
        log.call("write after the reset", server.write(b"x"));
        log.call("write again", server.write(b"x"));
        log.call("read", read(&server, 16));
        log.call("pending", server.take_error());
        log.call("shutdown", server.shutdown(Shutdown::Write));
        Ok(())
    }
    show_on(
        BOTH,
        body,
        r#"read: ""
         write: 17
         write after the reset: BrokenPipe
         write again: BrokenPipe
         read: ""
         pending: no error
         shutdown: NotConnected"#,
    );
}

#[test]
fn reading_and_asking_after_a_peer_closed_and_reset() {
    fn body(world: &World, log: &mut Log) -> io::Result<()> {
        let (client, mut server) = pair(world)?;
        drop(client);
        read(&server, 16)?;
        server.write_all(b"is anybody there?")?;
        until(|| server.peer_addr().is_err())?;
        log.call("read", read(&server, 16));
        log.call("pending", server.take_error());
        log.call("pending again", server.take_error());
        log.call("write", server.write(b"x"));
        Ok(())
    }
    show_on(
        BOTH,
        body,
        r#"read: ""
         pending: the error BrokenPipe
         pending again: no error
         write: BrokenPipe"#,
    );
}

/// Unread data makes close a reset.
fn reset(world: &World) -> io::Result<super::TcpStream> {
    let (client, mut server) = pair(world)?;
    server.write_all(b"never read")?;
    client.peek(&mut [0; 1])?;
    drop(client);
    until(|| server.peer_addr().is_err())?;
    Ok(server)
}

#[test]
fn reading_after_a_reset() {
    fn body(world: &World, log: &mut Log) -> io::Result<()> {
        let mut server = reset(world)?;
        log.call("read into nothing", server.read(&mut []));
        log.call("read", read(&server, 16));
        log.call("read again", read(&server, 16));
        log.call("write", server.write(b"x"));
        log.call("pending", server.take_error());
        log.call("here", server.local_addr().map(drop));
        log.call("there", server.peer_addr().map(drop));
        log.call("shutdown", server.shutdown(Shutdown::Both));
        Ok(())
    }
    show_on(
        BOTH,
        body,
        r#"read into nothing: ConnectionReset
         read: ""
         read again: ""
         write: BrokenPipe
         pending: no error
         here: done
         there: NotConnected
         shutdown: NotConnected"#,
    );
}

#[test]
fn writing_after_a_reset() {
    fn body(world: &World, log: &mut Log) -> io::Result<()> {
        let mut server = reset(world)?;
        log.call("write", server.write(b"x"));
        log.call("write again", server.write(b"x"));
        log.call("write nothing", server.write(&[]));
        log.call("read", read(&server, 16));
        Ok(())
    }
    show_on(
        BOTH,
        body,
        r#"write: ConnectionReset
         write again: BrokenPipe
         write nothing: BrokenPipe
         read: """#,
    );
}

#[test]
fn peeking_and_asking_after_a_reset() {
    fn body(world: &World, log: &mut Log) -> io::Result<()> {
        let server = reset(world)?;
        log.call("peek", server.peek(&mut [0; 16]));
        log.call("peek again", server.peek(&mut [0; 16]));
        let mut server = reset(world)?;
        log.call("pending", server.take_error());
        log.call("pending again", server.take_error());
        log.call("read", read(&server, 16));
        log.call("write", server.write(b"x"));
        let mut server = reset(world)?;
        log.call("shutdown", server.shutdown(Shutdown::Both));
        log.call("write", server.write(b"x"));
        log.call("read", read(&server, 16));
        Ok(())
    }
    show_on(
        BOTH,
        body,
        r#"peek: ConnectionReset
         peek again: 0
         pending: the error ConnectionReset
         pending again: no error
         read: ""
         write: BrokenPipe
         shutdown: NotConnected
         write: ConnectionReset
         read: """#,
    );
}

#[test]
fn what_came_before_a_reset_can_still_be_read() {
    fn body(world: &World, log: &mut Log) -> io::Result<()> {
        let (mut client, mut server) = pair(world)?;
        client.write_all(b"last words")?;
        server.peek(&mut [0; 1])?;
        server.write_all(b"never read")?;
        client.peek(&mut [0; 1])?;
        drop(client);
        until(|| server.peer_addr().is_err())?;
        let (mut head, mut tail) = ([0; 10], [0; 10]);
        let mut parts = [IoSliceMut::new(&mut head), IoSliceMut::new(&mut tail)];
        log.call("read", server.read_vectored(&mut parts));
        log.call("read again", read(&server, 16));
        log.call("and again", read(&server, 16));
        Ok(())
    }
    show_on(
        BOTH,
        body,
        r#"read: 10
         read again: ConnectionReset
         and again: """#,
    );
}

#[test]
fn closing_a_listener_resets_those_that_nobody_accepted() {
    fn body(world: &World, log: &mut Log) -> io::Result<()> {
        let listener = world.listen((world.ip(), 0))?;
        let address = listener.local_addr()?;
        let mut client = world.connect(address)?;
        drop(listener);
        until(|| client.peer_addr().is_err())?;
        log.call("read", read(&client, 16));
        log.call("read again", read(&client, 16));
        log.call("write", client.write(b"x"));
        log.call("connect", world.connect(address));
        Ok(())
    }
    show_on(
        BOTH,
        body,
        r#"read: ConnectionReset
         read again: ""
         write: BrokenPipe
         connect: ConnectionRefused"#,
    );
}
