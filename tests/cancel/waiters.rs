//! Several wait for one thing and some of them give up: who stays is woken, and has what came.

use std::any::Any;
use std::cell::RefCell;
use std::future::{Future, poll_fn};
use std::net::SocketAddr;
use std::pin::Pin;
use std::rc::Rc;
use std::task::Poll;

use glasstack::socket::{TcpListener, TcpStream, UdpSocket};
use glasstack::stack::Interest;

use super::dialogue::server;
use super::scene::{Outcome, Scene};
use super::world::Net;

/// Something to wait for, that any number may wait for.
type Wish = Pin<Box<dyn Future<Output = ()>>>;

/// Makes it come true, and gives what must live as long as the wish.
type Grant = Box<dyn FnOnce(&mut Scene) -> Box<dyn Any>>;

/// What is waited for, and what makes it come true.
struct Case {
    name: &'static str,
    wish: Box<dyn Fn() -> Wish>,
    grant: Grant,
}

/// A scene for each direction of each type of socket.
fn cases() -> Vec<fn(&mut Scene) -> Case> {
    fn read(scene: &mut Scene) -> Case {
        let (client, server) = scene.connected();
        let server = Rc::new(server);
        Case {
            name: "read",
            wish: Box::new(move || {
                let server = server.clone();
                Box::pin(async move { assert_eq!(server.read(&mut [0]).await, Ok(1)) })
            }),
            grant: Box::new(move |scene| {
                scene.wait(async move { client.write_all(b"12").await.unwrap() });
                Box::new(())
            }),
        }
    }

    fn write(scene: &mut Scene) -> Case {
        let (client, server) = scene.connected();
        let client = Rc::new(client);
        let filling = client.clone();
        scene.start(
            "filler",
            async move { filling.write_all(&[7; 9_000]).await },
        );
        scene.executor.pass(std::time::Duration::from_secs(1));
        scene.executor.abort("filler");
        Case {
            name: "write",
            wish: Box::new(move || {
                let client = client.clone();
                Box::pin(async move { assert_eq!(client.write(&[7]).await, Ok(1)) })
            }),
            grant: Box::new(move |scene| {
                let read = async move {
                    server.read_exact(&mut [0; 1_500]).await.unwrap();
                    server
                };
                Box::new(scene.wait(read))
            }),
        }
    }

    fn accept(scene: &mut Scene) -> Case {
        let listener = Rc::new(scene.listen());
        let near = scene.near.clone();
        Case {
            name: "accept",
            wish: Box::new(move || {
                let listener = listener.clone();
                Box::pin(async move { drop(listener.accept().await.unwrap()) })
            }),
            grant: Box::new(move |scene| {
                for _ in 0..2 {
                    let connect = TcpStream::connect(near.clone(), server());
                    drop(scene.wait(connect).unwrap());
                }
                Box::new(())
            }),
        }
    }

    fn receive(scene: &mut Scene) -> Case {
        let socket = Rc::new(UdpSocket::bind(scene.far.clone(), server()).unwrap());
        let near = scene.near.clone();
        Case {
            name: "recv_from",
            wish: Box::new(move || {
                let socket = socket.clone();
                Box::pin(
                    async move { assert_eq!(socket.recv_from(&mut [0]).await.unwrap().len, 1) },
                )
            }),
            grant: Box::new(move |scene| {
                scene.wait(async move {
                    let address: SocketAddr = "10.0.0.1:9999".parse().unwrap();
                    let socket = UdpSocket::bind(near, address).unwrap();
                    for _ in 0..2 {
                        socket.send_to(b"hello", server()).await.unwrap();
                    }
                });
                Box::new(())
            }),
        }
    }

    vec![read, write, accept, receive]
}

#[test]
fn of_two_tasks_that_wait_for_one_thing_either_may_give_up() {
    for case in cases() {
        for gives_up in ["one", "other"] {
            let mut scene = Scene::new();
            let Case { name, wish, grant } = case(&mut scene);
            let one = scene.start("one", wish());
            let other = scene.start("other", wish());
            scene.executor.settle();
            scene.executor.abort(gives_up);
            let granted = grant(&mut scene);
            scene.executor.pass(std::time::Duration::from_secs(1));
            let done = [one.take().is_some(), other.take().is_some()];
            assert_eq!(done, [gives_up != "one", gives_up != "other"], "{name}");
            drop((wish, granted));
            scene.end();
        }
    }
}

#[test]
fn of_two_futures_of_one_task_that_wait_for_one_thing_either_may_give_up() {
    for case in cases() {
        for gives_up in [0, 1] {
            let mut scene = Scene::new();
            let Case { name, wish, grant } = case(&mut scene);
            let futures = Rc::new(RefCell::new([Some(wish()), Some(wish())]));
            let shared = futures.clone();
            let left: Outcome<()> = scene.start(
                "both",
                poll_fn(move |context| {
                    let mut is_done = true;
                    for future in shared.borrow_mut().iter_mut() {
                        if let Some(waiting) = future {
                            match waiting.as_mut().poll(context) {
                                Poll::Ready(()) => *future = None,
                                Poll::Pending => is_done = false,
                            }
                        }
                    }
                    if is_done {
                        Poll::Ready(())
                    } else {
                        Poll::Pending
                    }
                }),
            );
            scene.executor.settle();
            futures.borrow_mut()[gives_up] = None;
            let granted = grant(&mut scene);
            scene.executor.pass(std::time::Duration::from_secs(1));
            assert!(left.take().is_some(), "{name}");
            drop((wish, granted));
            scene.end();
        }
    }
}

#[test]
fn who_was_woken_and_goes_away_takes_no_wake_up_with_it() {
    for case in cases() {
        let mut scene = Scene::new();
        let Case { name, wish, grant } = case(&mut scene);
        let one = scene.start("one", wish());
        let other = scene.start("other", wish());
        scene.executor.settle();
        // The first in the list: it would be woken first, if one at a time were.
        scene.executor.hold("one");
        let granted = grant(&mut scene);
        scene.executor.pass(std::time::Duration::from_secs(1));
        scene.executor.abort("one");
        assert!(one.take().is_none(), "{name}");
        assert!(other.take().is_some(), "{name}");
        drop((wish, granted));
        scene.end();
    }
}

#[test]
fn a_connection_that_an_accept_was_woken_for_goes_to_the_next_accept() {
    let mut scene = Scene::new();
    let listener: Rc<TcpListener<Net>> = Rc::new(scene.listen());
    let first = listener.clone();
    scene.start("first", async move { first.accept().await });
    scene.executor.settle();
    scene.executor.hold("first");
    let near = scene.near.clone();
    let client = scene.wait(TcpStream::connect(near, server())).unwrap();
    scene.executor.abort("first");
    let (stream, peer) = scene.wait(async move { listener.accept().await }).unwrap();
    assert_eq!(Ok(peer), client.local_addr());
    assert_eq!(stream.peer_addr(), client.local_addr());
    drop((client, stream));
    scene.end();
}

#[test]
fn a_task_that_waits_to_read_is_not_disturbed_by_one_that_waits_to_write() {
    let mut scene = Scene::new();
    let (client, server) = scene.connected();
    let server = Rc::new(server);
    let both = [Interest::Readable, Interest::Writable].map(|interest| {
        let server = server.clone();
        scene.start("ready", async move {
            server.ready(interest).await.unwrap();
        })
    });
    scene.executor.settle();
    assert!(both[0].take().is_none() && both[1].take().is_some());
    scene.wait(async move { client.write_all(b"1").await.unwrap() });
    scene.executor.pass(std::time::Duration::from_secs(1));
    assert!(both[0].take().is_some());
    drop(server);
    scene.end();
}
