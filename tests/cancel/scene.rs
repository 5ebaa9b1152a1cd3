//! Two networks with their drivers, for a few tasks.

use std::cell::RefCell;
use std::future::Future;
use std::rc::Rc;
use std::time::Duration;

use glasstack::socket::{Network, TcpListener, TcpStream};

use super::dialogue::{server, small};
use super::every::NOTHING;
use super::world::{END, Executor, Net, Station, World};

/// What a task came to, if it did.
pub(crate) type Outcome<T> = Rc<RefCell<Option<T>>>;

pub(crate) struct Scene {
    pub(crate) executor: Executor,
    pub(crate) near: Net,
    pub(crate) far: Net,
}

impl Scene {
    pub(crate) fn new() -> Scene {
        let world = World::new();
        let (client, server) = world.pair(small(), small());
        let mut executor = Executor::new(&world);
        let (near, far) = (client.net.clone(), server.net.clone());
        for Station { mut runner, .. } in [client, server] {
            executor.spawn("driver", async move {
                let _ = runner.run().await;
            });
        }
        Scene {
            executor,
            near,
            far,
        }
    }

    /// Starts a task; what it comes to.
    pub(crate) fn start<T: 'static>(
        &mut self,
        name: &'static str,
        future: impl Future<Output = T> + 'static,
    ) -> Outcome<T> {
        let outcome = Outcome::<T>::default();
        let place = outcome.clone();
        self.executor.spawn(name, async move {
            *place.borrow_mut() = Some(future.await);
        });
        outcome
    }

    /// What a future comes to, once it does.
    pub(crate) fn wait<T: 'static>(&mut self, future: impl Future<Output = T> + 'static) -> T {
        let outcome = self.start("wait", future);
        loop {
            self.executor.settle();
            if let Some(outcome) = outcome.take() {
                return outcome;
            }
            assert!(self.executor.advance(Some(END)), "nobody wakes who waits");
        }
    }

    pub(crate) fn listen(&self) -> TcpListener<Net> {
        TcpListener::bind(self.far.clone(), server(), 4).unwrap()
    }

    /// The two ends of a connection.
    pub(crate) fn connected(&mut self) -> (TcpStream<Net>, TcpStream<Net>) {
        let listener = self.listen();
        let near = self.near.clone();
        self.wait(async move {
            let client = TcpStream::connect(near, server()).await.unwrap();
            (client, listener.accept().await.unwrap().0)
        })
    }

    /// Nothing stays behind once the connections are over.
    pub(crate) fn end(mut self) {
        // A minute is how long FIN-WAIT-2 may last.
        self.executor.pass(Duration::from_secs(61));
        self.executor.abort("driver");
        for net in [&self.near, &self.far] {
            assert_eq!(net.call(|stack| Ok(stack.usage())), Ok(NOTHING));
        }
        assert_eq!(self.executor.leaked_wakers(), 0);
    }
}

/// Reads until the peer's FIN.
pub(crate) async fn read_to_end(stream: &TcpStream<Net>) -> Vec<u8> {
    let mut received = Vec::new();
    let mut buffer = [0; 300];
    loop {
        match stream.read(&mut buffer).await.unwrap() {
            0 => return received,
            len => received.extend(&buffer[..len]),
        }
    }
}
