//! The three worlds, each with two hosts, the same programs on them, and all that happens captured.

use std::{
    convert::Infallible,
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr},
    sync::{Arc, Mutex},
};

use embassy_futures::select::{Either, select};
use glasstack::{
    Result, Stack,
    device::{Wire, WireEnd},
    host::{self, Parker},
    sim::{HostId, Link, Simulation},
    smoltcp::phy::Medium,
    socket::{self, Local, Network, Runner},
    stack::{InterfaceId, Storage},
    trace::{At, Capture, Observer, Station},
};

use crate::{
    application,
    transcript::{Said, Transcript},
};

pub(crate) const SERVER_V4: SocketAddr =
    SocketAddr::new(IpAddr::V4(Ipv4Addr::new(10, 0, 0, 2)), 9999);
pub(crate) const SERVER_V6: SocketAddr =
    SocketAddr::new(IpAddr::V6(Ipv6Addr::new(0xfd00, 0, 0, 0, 0, 0, 0, 2)), 9999);
const ANY: SocketAddr = SocketAddr::new(IpAddr::V6(Ipv6Addr::UNSPECIFIED), 9999);

const CLIENT: Station = Station(0);
const SERVER: Station = Station(1);

async fn servers<N: Network + Clone>(network: N, said: Said) -> Result<Infallible> {
    let tcp = application::tcp_server(network.clone(), ANY, said.tcp_server.say());
    let udp = application::udp_server(network, ANY, said.udp_server.say());
    match select(tcp, udp).await {
        Either::First(end) | Either::Second(end) => end,
    }
}

async fn clients<N: Network + Clone>(network: N, said: Said) -> Result<()> {
    for server in [SERVER_V4, SERVER_V6] {
        application::tcp_client(network.clone(), server, said.tcp_client.say()).await?;
        application::udp_client(network.clone(), server, said.udp_client.say()).await?;
    }
    Ok(())
}

/// A simulation with a client's host, and the servers on the other.
pub(crate) fn served(seed: u64, link: Link) -> (Simulation, HostId) {
    served_with(seed, link, Said::default())
}

fn served_with(seed: u64, link: Link, said: Said) -> (Simulation, HostId) {
    let mut simulation = Simulation::new(seed);
    let [client, server] = ["client", "server"].map(|name| simulation.host(name).expect("room"));
    let ends = (
        (client, &["10.0.0.1/24", "fd00::1/64"]),
        (server, &["10.0.0.2/24", "fd00::2/64"]),
    );
    simulation.link(link, ends.0, ends.1).expect("a link");
    let serve = simulation.serve(server, "servers", move |network| {
        servers(network, said.clone())
    });
    serve.expect("a host with power");
    (simulation, client)
}

pub(crate) fn simulation() -> Transcript {
    simulation_with(1, Link::ethernet(1514))
}

pub(crate) fn simulation_with(seed: u64, link: Link) -> Transcript {
    let said = Said::default();
    let (mut simulation, client) = served_with(seed, link, said.clone());
    let recording = simulation.record();
    let own = said.clone();
    let program = simulation.spawn(client, "clients", |network| clients(network, own));
    let program = program.expect("a host with power");
    simulation.run().expect("it comes to its end");
    assert_eq!(program.take(), Some(Ok(())));
    simulation.settle().expect("it comes to its end");
    Transcript::taken(&said, &recording.events())
}

type Shared = Arc<Mutex<Capture>>;

/// Gives a stack the one interface that it has, and its addresses.
fn join<O: Observer>(stack: &mut Stack<'_, O>, end: &mut WireEnd, host: Station) -> InterfaceId {
    let number = host.0 + 1;
    let interface = stack
        .add_interface(end, Some([2, 0, 0, 0, 0, number]))
        .expect("room");
    let addresses: [(IpAddr, u8); 2] = [
        ([10, 0, 0, number].into(), 24),
        ([0xfd00, 0, 0, 0, 0, 0, 0, number.into()].into(), 64),
    ];
    for (address, prefix_len) in addresses {
        stack
            .add_address(interface, address, prefix_len)
            .expect("room");
    }
    interface
}

/// As on a microcontroller, but for the sleep in poll(2).
pub(crate) fn block_on() -> Transcript {
    let (said, capture) = (Said::default(), Shared::default());
    let (mut left, mut right) = Wire::pair(Medium::Ethernet, 1514);
    let (mut here, mut there) = (
        Storage::<6, 4, 1, 1024>::new(),
        Storage::<6, 4, 1, 1024>::new(),
    );
    let mut client = Stack::new(&mut here, [1; 16], At(CLIENT, capture.clone()));
    let client_link = join(&mut client, &mut left, CLIENT);
    let mut server = Stack::new(&mut there, [2; 16], At(SERVER, capture.clone()));
    let server_link = join(&mut server, &mut right, SERVER);
    let (client, server) = (Local::new(client, host::now), Local::new(server, host::now));
    let parker = Parker::new().expect("an eventfd");
    let mut client_runner = Runner::new(&client, client_link, left, &parker);
    let mut server_runner = Runner::new(&server, server_link, right, &parker);

    let clients = async {
        client_runner
            .run_until(clients(&client, said.clone()))
            .await??;
        client_runner.drain().await
    };
    let servers = server_runner.run_until(servers(&server, said.clone()));
    let end = match socket::block_on(&parker, select(clients, servers)) {
        Either::First(end) => end,
        Either::Second(end) => end.and_then(|end| end.map(|never| match never {})),
    };
    end.expect("the clients come to their end");
    Transcript::taken(&said, &capture.lock().expect("nobody panicked"))
}

#[cfg(feature = "tokio")]
pub(crate) fn tokio(mut runtime: tokio::runtime::Builder) -> Transcript {
    use glasstack::{
        smoltcp::time::Instant,
        socket::{Locked, tokio::Reactor},
        stack::Capacity,
    };

    let (said, capture) = (Said::default(), Shared::default());
    let (left, right) = Wire::pair(Medium::Ethernet, 1514);
    let host = |mut end: WireEnd, station: Station| {
        let observer = At(station, capture.clone());
        let mut stack = Stack::with_capacity(Capacity::default(), [station.0; 16], observer);
        let interface = join(&mut stack, &mut end, station);
        let network = Arc::new(Locked::new(stack, host::now as fn() -> Instant));
        let reactor = Reactor::new().expect("on a runtime");
        (
            network.clone(),
            Runner::new(network, interface, end, reactor),
        )
    };
    let runtime = runtime.enable_all().build().expect("a runtime");
    runtime.block_on(async {
        let (client, mut client_runner) = host(left, CLIENT);
        let (server, mut server_runner) = host(right, SERVER);
        tokio::spawn(async move { server_runner.run().await });
        tokio::spawn(servers(server, said.clone()));
        let clients = tokio::spawn(clients(client, said.clone()));
        let end = client_runner.run_until(clients).await.expect("a network");
        end.expect("no panic")
            .expect("the clients come to their end");
        client_runner.drain().await.expect("a network");
    });
    drop(runtime);
    Transcript::taken(&said, &capture.lock().expect("nobody panicked"))
}
