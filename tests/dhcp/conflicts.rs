//! An address that another host has, before or after (RFC 5227).

use glasstack::Result;
use glasstack::sim::Link;
use glasstack::socket::{UdpSocket, sleep};

use crate::{MINUTE, Net, SECOND, address, ten};

#[test]
fn an_address_that_a_host_has_is_declined_for_another() {
    let mut net = Net::perfect(3_600);
    let switchless = |stack: &mut glasstack::Stack<'static, _>| {
        let interface = stack.interfaces().next().unwrap();
        stack.add_address(interface, ten(100).into(), 24)?;
        stack.add_address(interface, ten(101).into(), 24)
    };
    net.simulation.configure(net.other, switchless).unwrap();
    let lease = net.configure();
    assert_eq!(lease.address, ten(102));
    assert_eq!(net.book.borrow().declined, [ten(100), ten(101)]);
    // Ten seconds after each.
    assert!(net.simulation.elapsed() > 24 * SECOND);
}

#[test]
fn whoever_takes_the_address_later_gets_it_after_one_warning() {
    let mut net = Net::perfect(3_600);
    net.configure();
    net.run_for(MINUTE);
    // A host that has no idea of RFC 5227: it speaks from the address, to different hosts.
    let intrude = |network| async move {
        for last in [1, 77, 78] {
            let socket = UdpSocket::bind(&network, address("10.0.0.100:5000"))?;
            let _ = socket.send_to(b"x", (ten(last), 9).into()).await;
            sleep(&network, 2 * SECOND).await?;
        }
        Result::Ok(())
    };
    let intruder = net.simulation.host("intruder").unwrap();
    let plugged = (intruder, &["10.0.0.100/24"]);
    net.simulation
        .link(Link::ethernet(1514), plugged, net.switch)
        .unwrap();
    let _ = net.simulation.spawn(intruder, "intrudes", intrude).unwrap();
    net.run_for(10 * SECOND);
    assert_eq!(net.lease(), None);
    assert_eq!(net.book.borrow().declined, [ten(100)]);
    assert_eq!(net.configure().address, ten(101));
}
