//! tokio: on many threads, over a shared stack or over hosts.

mod reactor;
mod stream;

use super::*;
use ::tokio::io::{AsyncReadExt, AsyncWriteExt};
use ::tokio::runtime::Builder;
use ::tokio::task::JoinSet;
use glasstack::device::{Wire, WireEnd};
use glasstack::host::{self, Host};
use glasstack::socket::tokio::Reactor;
use glasstack::socket::{Locked, sleep};
use std::future::Future;
use std::io;
use std::sync::Arc;

/// Connections at once.
const MANY: usize = 1_000;

fn capacity() -> Capacity {
    Capacity {
        sockets: MANY + 1,
        connections: MANY,
        datagrams: 1,
        receive_buffer: 4_096,
        send_buffer: 4_096,
        pending_syns: MANY,
        ..Capacity::default()
    }
}

/// A link on which a thousand requests at once are not too many.
fn wide_link() -> (WireEnd, WireEnd) {
    Wire::new(Medium::Ethernet, 1514).queue(8 * MANY).ends()
}

/// Runs on four threads, and not without end.
fn on_threads<F>(program: F) -> F::Output
where
    F: Future<Output: Send> + Send + 'static,
{
    let mut builder = Builder::new_multi_thread();
    let runtime = builder.worker_threads(4).enable_all().build().unwrap();
    let program = runtime.spawn(async { ::tokio::time::timeout(LONG, program).await });
    runtime.block_on(program).unwrap().unwrap()
}

/// As many tasks as connections on either side; all are open before the first of them says a word.
async fn a_thousand_connections<N>(client: N, server: N)
where
    N: Network + Clone + Send + Sync + 'static,
{
    let listener = TcpListener::bind(server, server_address(), MANY).unwrap();
    let mut tasks = JoinSet::new();
    tasks.spawn(async move {
        let mut echoes = JoinSet::new();
        for _ in 0..MANY {
            let (stream, _) = listener.accept().await?;
            echoes.spawn(async move {
                let (mut reader, mut writer) = stream.into_split()?;
                ::tokio::io::copy(&mut reader, &mut writer).await
            });
        }
        while let Some(echo) = echoes.join_next().await {
            assert_eq!(echo??, 1_000);
        }
        io::Result::Ok(())
    });
    let all = Arc::new(Barrier::new(MANY));
    for number in 0..MANY {
        let (client, all) = (client.clone(), Arc::clone(&all));
        tasks.spawn(async move {
            let mut stream = TcpStream::connect(client, server_address()).await?;
            all.wait().await;
            let sent = vec![number as u8; 1_000];
            AsyncWriteExt::write_all(&mut stream, &sent).await?;
            AsyncWriteExt::shutdown(&mut stream).await?;
            let mut heard = Vec::new();
            stream.read_to_end(&mut heard).await?;
            assert!(heard == sent);
            Ok(())
        });
    }
    while let Some(task) = tasks.join_next().await {
        task.unwrap().unwrap();
    }
}

#[test]
fn a_thousand_connections_over_shared_stacks() {
    on_threads(async {
        let life = Arc::new(Life::new(1));
        let (left, right) = wide_link();
        let host = |number, mut end| {
            let (stack, link) = stack(capacity(), number, &mut end);
            let clock = Arc::clone(&life);
            let network = Arc::new(Locked::new(stack, move || clock.time(host::now())));
            let runner = Runner::new(Arc::clone(&network), link, end, Reactor::new().unwrap());
            let (driven, life) = (Arc::clone(&network), Arc::clone(&life));
            let driver = ::tokio::spawn(async move { live(driven, runner, &life).await });
            (network, driver)
        };
        let (client, client_driver) = host(CLIENT, left);
        let (server, server_driver) = host(SERVER, right);
        let start = std::time::Instant::now();
        a_thousand_connections(client, server).await;
        println!(
            "{MANY} connections over shared stacks: {:?}",
            start.elapsed()
        );
        life.over.wait().await;
        assert_eq!(client_driver.await.unwrap().unwrap(), NOTHING);
        assert_eq!(server_driver.await.unwrap().unwrap(), NOTHING);
    });
}

#[test]
fn a_thousand_connections_between_hosts() {
    on_threads(async {
        let (left, right) = wide_link();
        let host = |number, end| {
            let address = [10, 0, 0, number].into();
            let host = Host::builder().address(address, 24).capacity(capacity());
            host.start(end).unwrap()
        };
        let (client, server) = (host(CLIENT, left), host(SERVER, right));
        let start = std::time::Instant::now();
        a_thousand_connections(client.clone(), server.clone()).await;
        println!("{MANY} connections between hosts: {:?}", start.elapsed());
        // The clients closed first: TIME-WAIT is theirs, and nothing else is left.
        let usage =
            |host: &Host| host.call(|stack| Ok((stack.usage(), stack.sockets().to_string())));
        loop {
            let (client, screen) = usage(&client).unwrap();
            let waiting = screen.matches("TIME-WAIT").count();
            let rest = Usage {
                connections: client.connections - waiting,
                ..client
            };
            if rest == NOTHING && usage(&server).unwrap().0 == NOTHING {
                break;
            }
            ::tokio::task::yield_now().await;
        }
        client.shutdown(LONG).unwrap();
        server.shutdown(LONG).unwrap();
    });
}

/// All of it may be spawned on a runtime of many threads.
#[test]
fn nothing_keeps_to_one_thread() {
    fn is_send<T: Send>(_: T) {}
    fn streams<N: Network + Clone + Send + Sync>(network: &N, stream: &TcpStream<N>) {
        is_send(TcpStream::connect(network.clone(), server_address()));
        is_send(stream.read(&mut [0; 8]));
        is_send(stream.write_all(b"hello"));
        is_send(sleep(network, LONG));
    }
    // Never called: that it builds is the proof.
    let _ = |host: &Host, stream: &TcpStream<Host>| streams(host, stream);
    type Shared = Arc<Locked<'static, fn() -> Instant>>;
    let _ = |network: &Shared, stream: &TcpStream<Shared>| streams(network, stream);
    let _ = |runner: Runner<Shared, WireEnd, Reactor>| {
        is_send(async move {
            let mut runner = runner;
            runner.run().await
        })
    };
}
