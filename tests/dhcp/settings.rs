//! The router and the name servers that come with a lease, and those that the user gave.

use std::net::Ipv4Addr;

use glasstack::sim::HostNetwork;
use glasstack::socket::{UdpSocket, resolve};
use glasstack::stack::Addresses;
use glasstack::{Error, Result};

use crate::{MINUTE, Net, address};

const FOUND: Ipv4Addr = Ipv4Addr::new(192, 0, 2, 80);

/// A name server to whom every name is this address's.
async fn answers(network: HostNetwork) {
    let socket = UdpSocket::bind(network, address("0.0.0.0:53")).unwrap();
    let mut buffer = [0; 512];
    loop {
        let query = socket.recv_from(&mut buffer).await.unwrap();
        let mut answer = buffer[..query.len].to_vec();
        answer[2] |= 0x80;
        if answer.ends_with(&[0, 1, 0, 1]) {
            // One record: of the name that was asked for, for a minute.
            answer[7] = 1;
            answer.extend([0xc0, 12, 0, 1, 0, 1, 0, 0, 0, 60, 0, 4]);
            answer.extend(FOUND.octets());
        }
        socket.send_to(&answer, query.from).await.unwrap();
    }
}

async fn ask(network: HostNetwork) -> Result<Addresses> {
    resolve(&network, "www.example.com").await
}

fn found() -> Option<Result<Addresses>> {
    Some(Ok(Addresses::from_iter([FOUND.into()])))
}

/// To a host behind a router.
async fn send_far(network: HostNetwork) -> Result<usize> {
    let socket = UdpSocket::bind(network, address("0.0.0.0:0"))?;
    socket.send_to(b"x", address("192.0.2.1:9")).await
}

#[test]
fn the_users_own_gateway_and_name_servers_stay() {
    let mut net = Net::perfect(3_600);
    let link = net.link();
    let setup = move |stack: &mut glasstack::Stack<'static, _>| {
        stack.add_address(link, Ipv4Addr::new(10, 1, 0, 5).into(), 24)?;
        stack.set_gateway(link, Ipv4Addr::new(10, 1, 0, 1).into())?;
        stack.add_name_server(Ipv4Addr::new(10, 0, 0, 66).into())
    };
    net.simulation.configure(net.client, setup).unwrap();
    net.configure();
    // The user's server answers; the lease's would not.
    net.simulation.serve(net.other, "dns", answers).unwrap();
    assert_eq!(net.within_a_second(ask), found());
    // Behind a router it is the user's that is asked for.
    let recording = net.simulation.record();
    net.within_a_second(send_far);
    let gateway = [10, 1, 0, 1];
    let asks = |event: &glasstack::trace::Captured| match event.event().happening {
        glasstack::trace::Happening::Frame { bytes, .. } => {
            bytes.get(12..14) == Some(&[8, 6]) && bytes.get(38..42) == Some(&gateway[..])
        }
        _ => false,
    };
    assert!(recording.events().iter().any(asks));
}

#[test]
fn the_leases_name_servers_and_router_are_used_and_go_with_it() {
    let mut net = Net::perfect(60);
    net.configure();
    net.simulation.serve(net.server, "dns", answers).unwrap();
    assert_eq!(net.within_a_second(ask), found());
    assert_eq!(net.within_a_second(send_far), Some(Ok(1)));
    net.simulation.stop(net.server);
    net.run_for(2 * MINUTE);
    assert_eq!(net.lease(), None);
    let sent = net.within_a_second(send_far);
    assert_eq!(sent, Some(Err(Error::NetworkUnreachable)));
    // There is nobody left to ask.
    assert_eq!(net.within_a_second(ask), Some(Err(Error::NameNotFound)));
}
