//! embedded-nal-async on each kind of network: alone with itself, or two on a wire.

use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use embedded_io_async::{Error as _, ErrorKind, Read, Write};
use embedded_nal_async::{AddrType, ConnectedUdp, Dns, TcpConnect, UdpStack, UnconnectedUdp};
use glasstack::device::Wire;
use glasstack::host::{self, Host, Parker};
use glasstack::sim::{HostNetwork, Link, Simulation};
use glasstack::smoltcp::phy::Medium;
use glasstack::smoltcp::time::Instant;
use glasstack::socket::{
    Local, Locked, Network, Runner, TcpListener, UdpSocket, block_on, timeout,
};
use glasstack::stack::Capacity;
use glasstack::{Error, Stack};

const ADDRESS: &str = "127.0.0.1:9999";
const ELSEWHERE: [u8; 4] = [192, 0, 2, 7];

type Clock = fn() -> Instant;

fn stack() -> Stack<'static> {
    let mut stack = Stack::with_capacity(Capacity::default(), [7; 16], ());
    let elsewhere_v6 = "2001:db8::7".parse().unwrap();
    stack.add_name("far", elsewhere_v6).unwrap();
    stack.add_name("far", ELSEWHERE.into()).unwrap();
    stack.add_name("near", elsewhere_v6).unwrap();
    stack.add_name("near", [127, 0, 0, 2].into()).unwrap();
    stack
}

/// Runs a program beside a stack that reaches itself, for no longer than it ought to take.
fn run(program: impl AsyncFnOnce(&Local<'static, Clock>) -> Result<(), Error>) {
    let parker = Parker::new().unwrap();
    let network = Local::new(stack(), host::now as Clock);
    let mut runner = Runner::loopback(&network, &parker);
    let program = timeout(&network, Duration::from_secs(20), program(&network));
    let outcome = block_on(&parker, runner.run_until(program)).unwrap();
    outcome.expect("within 20 s").unwrap();
    assert_eq!(network.call(|stack| Ok(stack.usage().sockets)), Ok(0));
}

/// A client that knows no network: finds the server by its name, says a name, and gives the answer.
async fn greet<T, D>(network: &T, names: &D, name: &str) -> Result<Vec<u8>, ErrorKind>
where
    T: TcpConnect,
    D: Dns<Error: embedded_io_async::Error>,
{
    let kind = AddrType::IPv4;
    let address = names.get_host_by_name(name, kind).await;
    let address = address.map_err(|error| error.kind())?;
    let connection = network.connect(SocketAddr::new(address, 9999)).await;
    let mut connection = connection.map_err(|error| error.kind())?;
    let sent = connection.write_all(b"Michael").await;
    sent.map_err(|error| error.kind())?;
    let mut answer = Vec::new();
    let mut buffer = [0; 3];
    loop {
        match connection.read(&mut buffer).await {
            Ok(0) => return Ok(answer),
            Ok(len) => answer.extend(&buffer[..len]),
            Err(error) => return Err(error.kind()),
        }
    }
}

/// The other side of `greet`, which says so much that the client has to read it in pieces.
async fn welcome<N: Network + Clone>(listener: &TcpListener<N>) -> Result<(), Error> {
    let (stream, _) = listener.accept().await?;
    stream.read_exact(&mut [0; 7]).await?;
    stream.write_all(b"Hello, Michael!").await
}

/// Both at once, as a `join!` does.
async fn both<A, B>(first: impl Future<Output = A>, second: impl Future<Output = B>) -> (A, B) {
    let (mut first, mut second) = (Box::pin(first), Box::pin(second));
    let (mut a, mut b) = (None, None);
    std::future::poll_fn(move |context| {
        use std::task::Poll;
        if a.is_none()
            && let Poll::Ready(output) = first.as_mut().poll(context)
        {
            a = Some(output);
        }
        if b.is_none()
            && let Poll::Ready(output) = second.as_mut().poll(context)
        {
            b = Some(output);
        }
        match (a.take(), b.take()) {
            (Some(a), Some(b)) => Poll::Ready((a, b)),
            (first, second) => {
                (a, b) = (first, second);
                Poll::Pending
            }
        }
    })
    .await
}

#[test]
fn a_client_runs_on_every_kind_of_network() {
    let greeting = Ok(b"Hello, Michael!".to_vec());
    let address: SocketAddr = "0.0.0.0:9999".parse().unwrap();
    run(async |local| {
        let listener = TcpListener::bind(local, address, 5)?;
        for name in ["localhost", "near", "127.0.0.1"] {
            let (answer, served) = both(greet(local, local, name), welcome(&listener)).await;
            assert_eq!((answer, served), (greeting.clone(), Ok(())));
        }
        // References are networks as well.
        let (answer, _) = both(greet(&local, &local, "near"), welcome(&listener)).await;
        assert_eq!(answer, greeting);
        Ok(())
    });

    let parker = Parker::new().unwrap();
    let locked = Locked::new(stack(), host::now as Clock);
    let listener = TcpListener::bind(&locked, address, 5).unwrap();
    let mut runner = Runner::loopback(&locked, &parker);
    let program = both(greet(&locked, &locked, "near"), welcome(&listener));
    let (answer, _) = block_on(&parker, runner.run_until(program)).unwrap();
    assert_eq!(answer, greeting);

    let host = Host::builder().start_loopback().unwrap();
    let listener = TcpListener::bind(host.clone(), address, 5).unwrap();
    let (answer, _) = block_on(
        &parker,
        both(greet(&host, &host, "localhost"), welcome(&listener)),
    );
    assert_eq!(answer, greeting);
}

/// In the simulator, where a lost segment costs no real second.
#[test]
fn a_client_runs_in_virtual_time() {
    let mut simulation = Simulation::new(1);
    let (alice, bob) = (
        simulation.host("alice").unwrap(),
        simulation.host("bob").unwrap(),
    );
    let link = Link::ethernet(1514).lose("data 1".parse().unwrap());
    let ends = ((alice, &["10.0.0.1/24"]), (bob, &["10.0.0.2/24"]));
    simulation.link(link, ends.0, ends.1).unwrap();
    let server = async |network| {
        let listener = TcpListener::bind(network, "10.0.0.2:9999".parse().unwrap(), 5)?;
        welcome(&listener).await
    };
    let client = async |network: HostNetwork| greet(&*network, &*network, "10.0.0.2").await;
    let served = simulation.spawn(bob, "server", server).unwrap();
    let answer = simulation.spawn(alice, "client", client).unwrap();
    simulation.run().unwrap();
    assert_eq!(answer.take(), Some(Ok(b"Hello, Michael!".to_vec())));
    assert_eq!(served.take(), Some(Ok(())));
    assert!(simulation.elapsed() >= Duration::from_secs(1));
}

#[test]
fn what_goes_wrong_has_its_kind() {
    run(async |network| {
        let refused = greet(network, network, "localhost").await;
        assert_eq!(refused, Err(ErrorKind::ConnectionRefused));
        let unknown = greet(network, network, "nobody").await;
        assert_eq!(unknown, Err(ErrorKind::NotFound));

        // With unread data: RST.
        let listener = TcpListener::bind(network, ADDRESS.parse().unwrap(), 5)?;
        let rude = async {
            let (stream, _) = listener.accept().await?;
            stream.ready(glasstack::stack::Interest::Readable).await
        };
        let (reset, _) = both(greet(network, network, "localhost"), rude).await;
        assert_eq!(reset, Err(ErrorKind::ConnectionReset));
        Ok(())
    });
}

#[test]
fn a_dropped_connection_is_closed() {
    run(async |network| {
        let listener = TcpListener::bind(network, ADDRESS.parse().unwrap(), 5)?;
        let connection = TcpConnect::connect(network, ADDRESS.parse().unwrap()).await?;
        let (server, _) = listener.accept().await?;
        drop(connection);
        assert_eq!(server.read(&mut [0; 8]).await, Ok(0));

        // And one that is given up before it is there leaves nothing.
        let nobody = ADDRESS.parse().unwrap();
        let mut attempt = Box::pin(TcpConnect::connect(network, nobody));
        let mut context = std::task::Context::from_waker(std::task::Waker::noop());
        assert!(attempt.as_mut().poll(&mut context).is_pending());
        let before = network.call(|stack| Ok(stack.usage().sockets))?;
        drop(attempt);
        assert_eq!(network.call(|stack| Ok(stack.usage().sockets))?, before - 1);
        Ok(())
    });
}

#[test]
fn a_name_gives_the_address_that_there_is_a_way_to() {
    run(async |network| {
        let near: IpAddr = [127, 0, 0, 2].into();
        let far_v6: IpAddr = "2001:db8::7".parse().unwrap();
        for (name, kind, address) in [
            ("near", AddrType::Either, Ok(near)),
            ("near", AddrType::IPv6, Ok(far_v6)),
            ("far", AddrType::Either, Ok(far_v6)),
            ("far", AddrType::IPv4, Ok(ELSEWHERE.into())),
            ("127.0.0.2", AddrType::IPv4, Ok(near)),
            ("127.0.0.2", AddrType::IPv6, Err(Error::NameNotFound)),
            ("nobody", AddrType::Either, Err(Error::NameNotFound)),
        ] {
            assert_eq!(
                network.get_host_by_name(name, kind.clone()).await,
                address,
                "{name} {kind:?}"
            );
        }
        let reverse = network.get_host_by_address(near, &mut [0; 255]).await;
        assert_eq!(reverse, Err(Error::NotSupported));
        Ok(())
    });
}

#[test]
fn a_connected_datagram_socket_hears_its_peer_alone_and_tells_what_was_cut() {
    run(async |network| {
        let peer = UdpSocket::bind(network, ADDRESS.parse().unwrap())?;
        let (local, mut socket) = UdpStack::connect(&network, ADDRESS.parse().unwrap()).await?;
        assert!(local.ip().is_loopback() && local.port() != 0, "{local}");
        ConnectedUdp::send(&mut socket, b"Michael").await?;
        let mut buffer = [0; 5];
        let received = peer.recv_from(&mut buffer).await?;
        assert_eq!((received.from, received.size), (local, 7));

        let stranger = UdpSocket::bind(network, "127.0.0.1:0".parse().unwrap())?;
        stranger.send_to(b"Boo", local).await?;
        peer.send_to(b"Hello, Michael!", local).await?;
        assert_eq!(
            ConnectedUdp::receive_into(&mut socket, &mut buffer).await,
            Ok(15)
        );
        assert_eq!(&buffer, b"Hello");

        let from = "127.0.0.1:7777".parse().unwrap();
        let (local, _socket) = (&network)
            .connect_from(from, ADDRESS.parse().unwrap())
            .await?;
        assert_eq!(local, from);
        let taken = (&network)
            .connect_from(from, ADDRESS.parse().unwrap())
            .await;
        assert_eq!(taken.unwrap_err().kind(), ErrorKind::AddrInUse);

        drop(peer);
        ConnectedUdp::send(&mut socket, b"Michael").await?;
        let refused = ConnectedUdp::receive_into(&mut socket, &mut buffer).await;
        assert_eq!(refused, Err(Error::ConnectionRefused));
        Ok(())
    });
}

#[test]
fn a_server_on_many_addresses_answers_from_the_one_that_was_asked() {
    run(async |network| {
        let wildcard = "0.0.0.0:9999".parse().unwrap();
        let mut server = (&network).bind_multiple(wildcard).await?;
        let client = UdpSocket::bind(network, "127.0.0.1:0".parse().unwrap())?;
        let mut buffer = [0; 5];
        for number in 1..4 {
            let asked = SocketAddr::from(([127, 0, 0, number], 9999));
            client.send_to(b"Michael", asked).await?;
            let received = UnconnectedUdp::receive_into(&mut server, &mut buffer).await?;
            assert_eq!(received, (7, asked, client.local_addr()?));
            let (_, local, remote) = received;
            UnconnectedUdp::send(&mut server, local, remote, b"Hello").await?;
            assert_eq!(client.recv_from(&mut buffer).await?.from, asked);
        }
        // From any, as for a first message.
        let remote = client.local_addr()?;
        UnconnectedUdp::send(&mut server, wildcard, remote, b"Hello").await?;
        assert_eq!(client.recv_from(&mut buffer).await?.from.port(), 9999);

        for local in ["192.0.2.7:9999", "127.0.0.1:9998"] {
            let local = local.parse().unwrap();
            let error = UnconnectedUdp::send(&mut server, local, remote, b"Hello").await;
            assert_eq!(error, Err(Error::AddrNotAvailable), "{local}");
        }
        Ok(())
    });
}

#[test]
fn bound_to_one_address_it_has_one() {
    run(async |network| {
        let (local, mut socket) = (&network).bind_single("0.0.0.0:0".parse().unwrap()).await?;
        assert!(
            local.ip() == IpAddr::from([127, 0, 0, 1]) && local.port() != 0,
            "{local}"
        );
        let client = UdpSocket::bind(network, "127.0.0.1:0".parse().unwrap())?;
        client.send_to(b"Michael", local).await?;
        let received = UnconnectedUdp::receive_into(&mut socket, &mut [0; 7]).await;
        assert_eq!(received, Ok((7, local, client.local_addr()?)));
        let elsewhere = "127.0.0.2:0".parse().unwrap();
        let error = UnconnectedUdp::send(&mut socket, elsewhere, local, b"Hello").await;
        assert_eq!(error, Err(Error::AddrNotAvailable));
        Ok(())
    });

    // An interface's address, where there is an interface; of the family that was asked for.
    let (end, _other) = Wire::pair(Medium::Ip, 1500);
    let addresses: [(IpAddr, u8); 2] =
        [([10, 0, 0, 1].into(), 24), ("fd00::1".parse().unwrap(), 64)];
    let host = addresses
        .iter()
        .fold(Host::builder(), |builder, (address, prefix)| {
            builder.address(*address, *prefix)
        });
    let host = host.start(end).unwrap();
    let parker = Parker::new().unwrap();
    for (wildcard, own) in ["0.0.0.0:9999", "[::]:9999"].iter().zip(addresses) {
        let bound = block_on(&parker, host.bind_single(wildcard.parse().unwrap()));
        let (local, _socket) = bound.unwrap();
        assert_eq!(local, SocketAddr::new(own.0, 9999));
    }
}
