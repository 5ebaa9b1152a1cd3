//! Options, timeouts, nonblocking mode, clones.

use super::{World, show_on, stream::pair};
use crate::transcript::{BOTH, Log, read, until};
use std::{
    io::{self, Read, Write},
    net::Shutdown,
    time::Duration,
};

#[test]
fn options_have_defaults_and_keep_what_was_set() {
    fn body(world: &World, log: &mut Log) -> io::Result<()> {
        let listener = world.listen((world.ip(), 0))?;
        log.call("listener, ttl", listener.ttl());
        log.call("listener, set_ttl", listener.set_ttl(99));
        log.call("listener, ttl", listener.ttl());
        log.call("listener, pending", listener.take_error());
        let client = world.connect(listener.local_addr()?)?;
        let (server, _) = listener.accept()?;
        log.call("accepted, ttl", server.ttl());
        log.call("ttl", client.ttl());
        log.call("set_ttl", client.set_ttl(1));
        log.call("ttl", client.try_clone()?.ttl());
        for ttl in [0, 256, u32::MAX] {
            log.call(&format!("set_ttl {ttl}"), client.set_ttl(ttl));
        }
        log.call("ttl", client.ttl());
        log.call("set_ttl 255", client.set_ttl(255));
        log.call("nodelay", client.nodelay());
        log.call("set_nodelay", client.set_nodelay(true));
        log.call("nodelay", client.try_clone()?.nodelay());
        log.call("set_nodelay", client.set_nodelay(false));
        log.call("nodelay", client.nodelay());
        log.call("pending", client.take_error());
        let udp = world.udp((world.ip(), 0))?;
        log.call("UDP, ttl", udp.ttl());
        log.call("UDP, set_ttl", udp.set_ttl(7));
        log.call("UDP, ttl", udp.try_clone()?.ttl());
        log.call("UDP, set_ttl 0", udp.set_ttl(0));
        log.call("UDP, pending", udp.take_error());
        Ok(())
    }
    show_on(
        BOTH,
        body,
        "listener, ttl: 64
         listener, set_ttl: done
         listener, ttl: 99
         listener, pending: no error
         accepted, ttl: 99
         ttl: 64
         set_ttl: done
         ttl: 1
         set_ttl 0: InvalidInput
         set_ttl 256: InvalidInput
         set_ttl 4294967295: done
         ttl: 64
         set_ttl 255: done
         nodelay: false
         set_nodelay: done
         nodelay: true
         set_nodelay: done
         nodelay: false
         pending: no error
         UDP, ttl: 64
         UDP, set_ttl: done
         UDP, ttl: 7
         UDP, set_ttl 0: InvalidInput
         UDP, pending: no error",
    );
}

#[test]
fn timeouts_end_a_wait() {
    fn body(world: &World, log: &mut Log) -> io::Result<()> {
        let (mut client, _server) = pair(world)?;
        // A whole number of the kernel's ticks, whichever it was built with.
        let timeout = Some(Duration::from_millis(40));
        log.call("read timeout", client.read_timeout());
        log.call("write timeout", client.write_timeout());
        log.call("set the read timeout", client.set_read_timeout(timeout));
        log.call("set the write timeout", client.set_write_timeout(timeout));
        log.call("a clone's", client.try_clone()?.read_timeout());
        log.call("write timeout", client.write_timeout());
        log.call("read", read(&client, 8));
        log.call("peek", client.peek(&mut [0; 8]));
        let full = loop {
            if let Err(error) = client.write_all(&[0; 16_384]) {
                break error;
            }
        };
        log.call::<()>("write until it is full", Err(full));
        let zero = Some(Duration::ZERO);
        log.call("a read timeout of zero", client.set_read_timeout(zero));
        log.call("a write timeout of zero", client.set_write_timeout(zero));
        log.call("read timeout", client.read_timeout());
        log.call("without", client.set_read_timeout(None));
        log.call("read timeout", client.read_timeout());
        log.call("for ever", client.set_read_timeout(Some(Duration::MAX)));
        log.call("read timeout", client.read_timeout());

        let udp = world.udp((world.ip(), 0))?;
        log.call("UDP, read timeout", udp.read_timeout());
        log.call("UDP, write timeout", udp.write_timeout());
        log.call("UDP, set the read timeout", udp.set_read_timeout(timeout));
        log.call("UDP, read timeout", udp.read_timeout());
        log.call("UDP, recv_from", udp.recv_from(&mut [0; 8]));
        log.call("UDP, recv", udp.recv(&mut [0; 8]));
        log.call("UDP, peek", udp.peek(&mut [0; 8]));
        log.call("UDP, a read timeout of zero", udp.set_read_timeout(zero));
        log.call("UDP, a write timeout of zero", udp.set_write_timeout(zero));
        Ok(())
    }
    show_on(
        BOTH,
        body,
        "read timeout: None
         write timeout: None
         set the read timeout: done
         set the write timeout: done
         a clone's: Some(40ms)
         write timeout: Some(40ms)
         read: WouldBlock
         peek: WouldBlock
         write until it is full: WouldBlock
         a read timeout of zero: InvalidInput
         a write timeout of zero: InvalidInput
         read timeout: Some(40ms)
         without: done
         read timeout: None
         for ever: done
         read timeout: None
         UDP, read timeout: None
         UDP, write timeout: None
         UDP, set the read timeout: done
         UDP, read timeout: Some(40ms)
         UDP, recv_from: WouldBlock
         UDP, recv: WouldBlock
         UDP, peek: WouldBlock
         UDP, a read timeout of zero: InvalidInput
         UDP, a write timeout of zero: InvalidInput",
    );
}

#[test]
fn nonblocking_sockets_do_not_wait() {
    fn body(world: &World, log: &mut Log) -> io::Result<()> {
        let listener = world.listen((world.ip(), 0))?;
        listener.set_nonblocking(true)?;
        log.call("accept", listener.accept().map(drop));
        log.call(
            "incoming",
            listener
                .incoming()
                .take(1)
                .collect::<io::Result<Vec<_>>>()
                .map(drop),
        );
        let client = world.connect(listener.local_addr()?)?;
        let mut accepted = None;
        until(|| {
            accepted = listener.accept().ok();
            accepted.is_some()
        })?;
        let Some((mut server, _)) = accepted else {
            return Ok(());
        };
        let mut clone = client.try_clone()?;
        client.set_nonblocking(true)?;
        log.call("read", read(&client, 8));
        log.call("a clone's read", clone.read(&mut [0; 8]));
        log.call("peek", client.peek(&mut [0; 8]));
        log.call("read into nothing", clone.read(&mut []));
        let mut written = 0;
        let full = loop {
            match clone.write(&[7; 16_384]) {
                Ok(len) => written += len,
                Err(error) => break error,
            }
        };
        log.call::<()>("write until it is full", Err(full));
        log.call("write nothing", clone.write(&[]));
        log.call("something was written", Ok(written > 16_384));
        // An accepted stream waits, whatever its listener does; so this needs no loop.
        client.set_nonblocking(false)?;
        log.call(
            "all of it is read",
            server.read_exact(&mut vec![0; written]),
        );
        server.shutdown(Shutdown::Write)?;
        log.call("the end", read(&client, 8));
        client.set_nonblocking(true)?;
        log.call("the end does not block", read(&client, 8));

        let udp = world.udp((world.ip(), 0))?;
        udp.set_nonblocking(true)?;
        log.call("UDP, recv_from", udp.recv_from(&mut [0; 8]));
        log.call(
            "UDP, a clone's peek_from",
            udp.try_clone()?.peek_from(&mut [0; 8]),
        );
        Ok(())
    }
    show_on(
        BOTH,
        body,
        r#"accept: WouldBlock
         incoming: WouldBlock
         read: WouldBlock
         a clone's read: WouldBlock
         peek: WouldBlock
         read into nothing: WouldBlock
         write until it is full: WouldBlock
         write nothing: 0
         something was written: true
         all of it is read: done
         the end: ""
         the end does not block: ""
         UDP, recv_from: WouldBlock
         UDP, a clone's peek_from: WouldBlock"#,
    );
}

#[test]
fn clones_are_one_socket() {
    fn body(world: &World, log: &mut Log) -> io::Result<()> {
        let (client, server) = pair(world)?;
        let mut clone = client.try_clone()?;
        drop(client);
        log.call("write to the one left", clone.write(b"still open"));
        log.call("read", read(&server, 16));
        let other = clone.try_clone()?;
        other.shutdown(Shutdown::Write)?;
        log.call("shut down for all", clone.write(b"x"));
        drop((clone, other));
        log.call("the end", read(&server, 16));

        let listener = world.listen((world.ip(), 0))?;
        let address = listener.local_addr()?;
        let clone = listener.try_clone()?;
        drop(listener);
        let client = world.connect(address)?;
        log.name(client.local_addr()?, "client");
        log.call(
            "a listener's clone accepts",
            clone.accept().map(|(_, from)| from),
        );
        drop(clone);
        log.call("the last one is gone", world.connect(address));
        Ok(())
    }
    show_on(
        BOTH,
        body,
        r#"write to the one left: 10
         read: "still open"
         shut down for all: BrokenPipe
         the end: ""
         a listener's clone accepts: localhost:client
         the last one is gone: ConnectionRefused"#,
    );
}
