//! The halves of a connection end in any order; and a connection that never came to be leaves nothing.

use std::rc::Rc;
use std::time::Duration;

use glasstack::socket::{Network, TcpStream};
use glasstack::stack::{Domain, Type, Usage};

use super::dialogue::{server, small, text};
use super::every::NOTHING;
use super::scene::{Scene, read_to_end};
use super::world::{Executor, World};

#[test]
fn what_the_writing_half_wrote_arrives_whichever_half_goes_first() {
    for reader_first in [true, false] {
        let mut scene = Scene::new();
        let (client, server) = scene.connected();
        let text = text(3_000);
        let data = text.clone();
        scene.start("writer", async move {
            let (reader, mut writer) = client.into_split().unwrap();
            writer.write_all(&data).await.unwrap();
            if reader_first {
                drop(reader);
                drop(writer);
            } else {
                drop(writer);
                drop(reader);
            }
        });
        let received = scene.wait(async move { read_to_end(&server).await });
        assert_eq!(received, text);
        scene.end();
    }
}

#[test]
fn one_half_goes_on_without_the_other() {
    let mut scene = Scene::new();
    let (client, server) = scene.connected();
    let (mut reader, writer) = client.into_split().unwrap();
    // The end of the writing half is a FIN, and no end of the connection.
    drop(writer);
    scene.wait(async move {
        assert_eq!(read_to_end(&server).await, b"");
        server.write_all(b"still there").await.unwrap();
    });
    let received = scene.wait(async move {
        let mut buffer = [0; 11];
        reader.read_exact(&mut buffer).await.unwrap();
        (buffer, reader.read(&mut [0]).await)
    });
    assert_eq!(received, (*b"still there", Ok(0)));

    let (client, server) = scene.connected();
    let (reader, mut writer) = client.into_split().unwrap();
    drop(reader);
    scene.wait(async move { writer.write_all(b"still there").await.unwrap() });
    let received = scene.wait(async move { read_to_end(&server).await });
    assert_eq!(received, b"still there");
    scene.end();
}

#[test]
fn the_writing_half_ends_while_another_task_waits_to_read() {
    let mut scene = Scene::new();
    let (client, server) = scene.connected();
    let (mut reader, writer) = client.into_split().unwrap();
    let read = scene.start("reader", async move {
        let mut buffer = [0; 5];
        reader.read_exact(&mut buffer).await.map(|()| buffer)
    });
    scene.executor.settle();
    drop(writer);
    scene.executor.pass(Duration::from_secs(1));
    assert!(read.take().is_none());
    scene.wait(async move { server.write_all(b"hello").await.unwrap() });
    scene.executor.settle();
    assert_eq!(read.take(), Some(Ok(*b"hello")));
    scene.end();
}

#[test]
fn the_reading_half_ends_where_it_waits() {
    let mut scene = Scene::new();
    let (client, server) = scene.connected();
    let (mut reader, mut writer) = client.into_split().unwrap();
    scene.start("reader", async move { reader.read(&mut [0]).await });
    scene.executor.settle();
    scene.executor.abort("reader");
    scene.wait(async move { writer.write_all(b"goodbye").await.unwrap() });
    let received = scene.wait(async move { read_to_end(&server).await });
    assert_eq!(received, b"goodbye");
    scene.end();
}

#[test]
fn a_clone_of_the_socket_in_another_task_reads_on() {
    let mut scene = Scene::new();
    let (client, server) = scene.connected();
    let (client, other) = (Rc::new(client), server);
    let reading = client.clone();
    let read = scene.start("reader", async move { read_to_end(&reading).await });
    scene.executor.settle();
    drop(client);
    scene.wait(async move { other.write_all(b"hello").await.unwrap() });
    scene.executor.pass(Duration::from_secs(1));
    assert_eq!(read.take(), Some(b"hello".to_vec()));
    scene.end();
}

/// RFC 9293 §3.10.4: a close in SYN-SENT deletes the connection, and the peer hears nothing of it.
#[test]
fn a_connect_that_is_dropped_sends_nothing_more_and_leaves_its_place_and_its_port() {
    let world = World::new();
    // Nobody drives the server: it is silent.
    let (client, _server) = world.pair(small(), small());
    let (near, sent) = (client.net.clone(), client.sent.clone());
    let mut executor = Executor::new(&world);
    let mut runner = client.runner;
    executor.spawn("driver", async move {
        let _ = runner.run().await;
    });
    let network = near.clone();
    executor.spawn("client", async move {
        let _ = TcpStream::connect(network, server()).await;
    });
    executor.pass(Duration::from_millis(100));
    assert_eq!(sent.get(), 1, "the SYN");
    let list = near.call(|stack| Ok(stack.sockets().to_string())).unwrap();
    let port = list.split("10.0.0.1:").nth(1).unwrap();
    let port: u16 = port
        .split(char::is_whitespace)
        .next()
        .unwrap()
        .parse()
        .unwrap();

    executor.abort("client");
    let driver = Usage {
        wakers: 1,
        ..NOTHING
    };
    assert_eq!(near.call(|stack| Ok(stack.usage())), Ok(driver));
    executor.pass(Duration::from_secs(200));
    assert_eq!(sent.get(), 1);
    let bound = near.call(|stack| {
        let fd = stack.socket(Domain::Inet, Type::Stream)?;
        stack.bind(fd, ([10, 0, 0, 1], port).into())?;
        stack.close(fd)
    });
    assert_eq!(bound, Ok(()));
    executor.abort("driver");
    assert_eq!(near.call(|stack| Ok(stack.usage())), Ok(NOTHING));
    assert_eq!(executor.leaked_wakers(), 0);
}
