//! What the others of a host see of it: the glass, a socket on the same port, who waits for the address.

use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use glasstack::Result;
use glasstack::socket::UdpSocket;
use glasstack::trace::ladder::{Ends, Ladder, Options};
use glasstack::trace::{AddressChange, Happening, Origin};

use crate::server::{OFFER, SERVER};
use crate::{HOUR, MINUTE, Net, SECOND, address, ten};

#[test]
fn the_glass_shows_messages_probes_and_what_becomes_of_the_address() {
    let mut net = Net::perfect(60);
    let recording = net.simulation.record();
    net.configure();
    net.simulation.stop(net.server);
    net.run_for(2 * MINUTE);

    let events = recording.events();
    let changes = events.iter().filter_map(|event| {
        let event = event.event();
        match event.happening {
            Happening::Address {
                address,
                change,
                origin,
                ..
            } => Some((event.time.secs(), address, change, origin)),
            _ => None,
        }
    });
    let changes: Vec<_> = changes.collect();
    let address: IpAddr = ten(100).into();
    let [(gained, ..), lost] = changes[..] else {
        panic!("{changes:?}");
    };
    assert!((4..=7).contains(&gained), "{gained}");
    let preferred = (gained, address, AddressChange::Preferred, Origin::Dhcp);
    assert_eq!(changes[0], preferred);
    assert_eq!(lost, (60, address, AddressChange::Removed, Origin::Dhcp));

    let ends = Ends::between(
        (net.client.station(), "client"),
        (net.server.station(), "server"),
    );
    let mut ladder = Ladder::<_>::new(String::new(), ends, Options::default());
    events.replay(&mut ladder);
    ladder.finish().unwrap();
    let text = ladder.into_inner();
    let mut rest = &text[..];
    for words in [
        "DHCP Discover",
        "DHCP Offer 10.0.0.100",
        "DHCP Request 10.0.0.100",
        "DHCP ACK 10.0.0.100",
        "ARP who has 10.0.0.100?",
        "10.0.0.100 preferred",
        "10.0.0.100 removed",
    ] {
        let at = rest
            .find(words)
            .unwrap_or_else(|| panic!("no {words} in\n{text}"));
        rest = &rest[at..];
    }
}

#[test]
fn who_listens_on_the_clients_port_hears_the_server_too() {
    let mut net = Net::perfect(3_600);
    let listen = |network| async move {
        let socket = UdpSocket::bind(network, address("0.0.0.0:68"))?;
        let mut buffer = [0; 600];
        let offer = socket.recv_from(&mut buffer).await?;
        Result::Ok((offer.from, buffer[242]))
    };
    let heard = net.simulation.spawn(net.client, "hears", listen).unwrap();
    assert_eq!(net.configure().address, ten(100));
    let offer = (SocketAddr::from((SERVER, 67)), OFFER);
    assert_eq!(heard.take(), Some(Ok(offer)));
}

#[cfg(target_os = "linux")]
#[test]
fn a_host_waits_for_its_address_as_long_as_it_is_told() {
    use glasstack::device::Wire;
    use glasstack::host::Host;
    use glasstack::smoltcp::phy::Medium;
    use std::io::ErrorKind;

    let (device, _other_end) = Wire::pair(Medium::Ethernet, 1514);
    let host = Host::builder().dhcp().start(device).unwrap();
    let waiting = host.wait_until_configured(Duration::from_millis(50));
    assert_eq!(waiting.unwrap_err().kind(), ErrorKind::TimedOut);
    assert!(host.leases().is_empty());
    host.shutdown(SECOND).unwrap();
    let waiting = host.wait_until_configured(HOUR);
    assert_eq!(waiting.unwrap_err().kind(), ErrorKind::NetworkDown);

    let (device, _other_end) = Wire::pair(Medium::Ip, 1500);
    let host = Host::builder().dhcp().start(device);
    assert_eq!(host.unwrap_err().kind(), ErrorKind::InvalidInput);
    // What asks for nothing has nothing to wait for.
    let host = Host::builder().start_loopback().unwrap();
    host.wait_until_configured(Duration::ZERO).unwrap();
}
