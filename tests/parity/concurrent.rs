//! Calls that wait in one thread, and what ends their wait in another.

use super::{World, show_on, stream::pair};
use crate::transcript::{BOTH, Log, read};
use std::{
    io::{self, Read, Write},
    net::Shutdown,
    thread,
};

#[test]
fn shutdown_ends_the_wait_of_a_reader() {
    fn body(world: &World, log: &mut Log) -> io::Result<()> {
        for how in [Shutdown::Read, Shutdown::Both] {
            let (client, _server) = pair(world)?;
            let clone = client.try_clone()?;
            let reader = thread::spawn(move || read(&clone, 8));
            log.call(&format!("shutdown {how:?}"), client.shutdown(how));
            log.call("the reader", reader.join().expect("no panic"));
        }
        Ok(())
    }
    show_on(
        BOTH,
        body,
        r#"shutdown Read: done
         the reader: ""
         shutdown Both: done
         the reader: """#,
    );
}

#[test]
fn shutdown_ends_the_wait_of_a_writer() {
    fn body(world: &World, log: &mut Log) -> io::Result<()> {
        let (client, server) = pair(world)?;
        let mut clone = client.try_clone()?;
        let writer = thread::spawn(move || -> io::Result<()> {
            loop {
                clone.write_all(&[7; 16_384])?;
            }
        });
        server.peek(&mut [0; 1])?;
        log.call("shutdown", client.shutdown(Shutdown::Write));
        log.call("the writer", writer.join().expect("no panic"));
        Ok(())
    }
    show_on(
        BOTH,
        body,
        "shutdown: done
         the writer: BrokenPipe",
    );
}

#[test]
fn the_peers_end_ends_the_wait_of_a_reader_and_a_writer() {
    fn body(world: &World, log: &mut Log) -> io::Result<()> {
        let (client, server) = pair(world)?;
        let reader = thread::spawn(move || read(&client, 8));
        drop(server);
        log.call("the reader, at the end", reader.join().expect("no panic"));

        let (mut client, server) = pair(world)?;
        let writer = thread::spawn(move || -> io::Result<()> {
            loop {
                client.write_all(&[7; 16_384])?;
            }
        });
        server.peek(&mut [0; 1])?;
        drop(server);
        log.call("the writer, at the reset", writer.join().expect("no panic"));
        Ok(())
    }
    show_on(
        BOTH,
        body,
        r#"the reader, at the end: ""
         the writer, at the reset: ConnectionReset"#,
    );
}

#[test]
fn a_listener_serves_threads_that_wait_together() {
    fn body(world: &World, log: &mut Log) -> io::Result<()> {
        let listener = world.listen((world.ip(), 0))?;
        let address = listener.local_addr()?;
        let mut threads = Vec::new();
        for _ in 0..4 {
            let listener = listener.try_clone()?;
            threads.push(thread::spawn(move || -> io::Result<()> {
                let (mut stream, _) = listener.accept()?;
                stream.write_all(b"Welcome!")
            }));
        }
        for _ in 0..4 {
            let mut text = String::new();
            world.connect(address)?.read_to_string(&mut text)?;
            log.call("welcomed", Ok(text));
        }
        for thread in threads {
            thread.join().expect("no panic")?;
        }
        Ok(())
    }
    show_on(
        BOTH,
        body,
        r#"welcomed: "Welcome!"
         welcomed: "Welcome!"
         welcomed: "Welcome!"
         welcomed: "Welcome!""#,
    );
}
