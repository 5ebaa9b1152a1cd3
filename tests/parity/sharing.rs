//! Options that are set before a socket is bound, and what they do to others.

use super::{World, show_on};
use crate::transcript::{BOTH, Log, read};
use std::{io, io::Write, time::Duration};

#[test]
fn a_port_is_shared_by_who_wants_to() {
    fn body(world: &World, log: &mut Log) -> io::Result<()> {
        for is_stream in [true, false] {
            let kind = if is_stream { "TCP" } else { "UDP" };
            for (first, second) in [
                ([false, false], [false, false]),
                ([true, false], [false, false]),
                ([true, false], [true, false]),
                ([false, true], [false, true]),
                ([true, false], [false, true]),
            ] {
                let one = world.bare_bound(is_stream, first, 0)?;
                let port = one.local_addr()?.port();
                let other = world.bare_bound(is_stream, second, port).map(drop);
                log.call(&format!("{kind} {first:?} {second:?}"), other);
            }
        }
        let one = world.bare_bound(true, [true, false], 0)?;
        let port = one.local_addr()?.port();
        let other = world.bare_bound(true, [true, false], port)?;
        log.call("the first listens", one.listen(5));
        log.call("the second listens", other.listen(5));
        let third = world.bare_bound(true, [true, false], port).map(drop);
        log.call("a third binds", third);

        let one = world.bare_bound(true, [false, true], 0)?;
        let port = one.local_addr()?.port();
        let other = world.bare_bound(true, [false, true], port)?;
        log.call("by port, the first listens", one.listen(5));
        log.call("by port, the second listens", other.listen(5));
        Ok(())
    }
    show_on(
        BOTH,
        body,
        "TCP [false, false] [false, false]: AddrInUse
         TCP [true, false] [false, false]: AddrInUse
         TCP [true, false] [true, false]: done
         TCP [false, true] [false, true]: done
         TCP [true, false] [false, true]: AddrInUse
         UDP [false, false] [false, false]: AddrInUse
         UDP [true, false] [false, false]: AddrInUse
         UDP [true, false] [true, false]: done
         UDP [false, true] [false, true]: done
         UDP [true, false] [false, true]: AddrInUse
         the first listens: done
         the second listens: AddrInUse
         a third binds: AddrInUse
         by port, the first listens: done
         by port, the second listens: done",
    );
}

#[test]
fn a_new_socket_has_these_options() {
    fn body(world: &World, log: &mut Log) -> io::Result<()> {
        let stream = world.bare_bound(true, [false, false], 0)?;
        for (name, value) in stream.numbers()? {
            log.call(name, Ok(value));
        }
        stream.listen(1)?;
        for (name, value) in stream.numbers()?.into_iter().take(1) {
            log.call(name, Ok(value));
        }
        Ok(())
    }
    show_on(
        BOTH,
        body,
        "accepts connections: 0
         keep-alive: 0
         keep-alive, idle: 7200
         keep-alive, interval: 75
         keep-alive, count: 9
         largest segment: 536
         type of service: 0
         error: 0
         accepts connections: 1",
    );
}

#[test]
fn lingering_for_no_time_resets() {
    fn body(world: &World, log: &mut Log) -> io::Result<()> {
        for (name, linger) in [
            ("without", None),
            ("no time", Some(Duration::ZERO)),
            ("a time", Some(Duration::from_secs(10))),
        ] {
            let listener = world.listen((world.ip(), 0))?;
            let mut client = world.connect(listener.local_addr()?)?;
            let (server, _) = listener.accept()?;
            world.set_linger(&client, linger)?;
            client.write_all(b"last words")?;
            drop(client);
            if linger == Some(Duration::ZERO) {
                // What had arrived may be read before it, or not.
                let mut result = read(&server, 16);
                if result.is_ok() {
                    result = read(&server, 16);
                }
                log.call(name, result);
                continue;
            }
            log.call(name, read(&server, 16));
            log.call(name, read(&server, 16));
        }
        Ok(())
    }
    show_on(
        BOTH,
        body,
        r#"without: "last words"
         without: ""
         no time: ConnectionReset
         a time: "last words"
         a time: """#,
    );
}

#[test]
fn an_accepted_stream_has_its_listeners_timeouts() {
    fn body(world: &World, log: &mut Log) -> io::Result<()> {
        let listener = world.listen((world.ip(), 0))?;
        // A whole number of the kernel's ticks, whichever it was built with.
        let timeout = Duration::from_millis(40);
        world.set_timeouts(&listener, timeout)?;
        log.call("nobody comes", listener.accept().map(drop));
        let _client = world.connect(listener.local_addr()?)?;
        let (server, _) = listener.accept()?;
        log.call("read timeout", server.read_timeout());
        log.call("write timeout", server.write_timeout());
        log.call("read", read(&server, 1));
        Ok(())
    }
    show_on(
        BOTH,
        body,
        "nobody comes: WouldBlock
         read timeout: Some(40ms)
         write timeout: Some(40ms)
         read: WouldBlock",
    );
}
