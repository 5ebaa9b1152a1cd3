//! What is made of the options of an acknowledgment.

use super::super::Terms;
use super::*;

fn lease(change: impl FnOnce(Answer) -> Answer) -> Lease {
    Client::bound(change).1
}

/// Whether an acknowledgment is taken.
fn is_taken(change: impl FnOnce(Answer) -> Answer) -> bool {
    let (mut client, request) = Client::requesting();
    client.heeds(&change(Answer::new(ACK, &request)))
}

fn terms(renewal: u64, rebinding: u64, expiry: u64) -> Option<Terms> {
    let millis = core::time::Duration::from_millis;
    Some(Terms {
        renewal: millis(renewal),
        rebinding: millis(rebinding),
        expiry: millis(expiry),
    })
}

#[test]
fn t1_and_t2_are_the_servers_where_they_come_in_order() {
    let times = |seconds: u32, t1: Option<u32>, t2: Option<u32>| {
        let lease = lease(|mut ack| {
            ack = ack.lasting(seconds);
            if let Some(t1) = t1 {
                ack = ack.with(RENEWAL_TIME, &t1.to_be_bytes());
            }
            if let Some(t2) = t2 {
                ack = ack.with(REBINDING_TIME, &t2.to_be_bytes());
            }
            ack
        });
        lease.terms
    };
    assert_eq!(times(120, None, None), terms(60_000, 105_000, 120_000));
    assert_eq!(times(120, Some(5), Some(10)), terms(5_000, 10_000, 120_000));
    assert_eq!(times(120, Some(5), None), terms(5_000, 105_000, 120_000));
    assert_eq!(times(120, None, Some(70)), terms(40_000, 70_000, 120_000));
    assert_eq!(
        times(120, Some(70), Some(70)),
        terms(40_000, 70_000, 120_000)
    );
    assert_eq!(
        times(120, Some(0), Some(0)),
        terms(60_000, 105_000, 120_000)
    );
    assert_eq!(
        times(120, Some(120), Some(120)),
        terms(60_000, 105_000, 120_000)
    );
    assert_eq!(times(1, None, None), terms(500, 875, 1_000));
    assert_eq!(times(u32::MAX, Some(5), None), None, "for ever");
    // A century, to the millisecond.
    let century = times(u32::MAX - 1, None, None).unwrap();
    assert_eq!(century.expiry.as_secs(), 4_294_967_294);
    assert_eq!(century.renewal.as_secs(), 2_147_483_647);
}

#[test]
fn a_lease_for_ever_is_never_renewed() {
    let (client, _) = Client::bound(|ack| ack.lasting(u32::MAX));
    assert_eq!(client.dhcp.poll_at(), None);
}

#[test]
fn a_lease_without_a_time_or_a_server_is_none() {
    assert!(is_taken(|ack| ack));
    assert!(!is_taken(|ack| ack.without(LEASE_TIME)));
    assert!(!is_taken(|ack| ack.lasting(0)));
    assert!(!is_taken(|ack| ack.without(SERVER_IDENTIFIER)));
}

#[test]
fn a_mask_has_no_holes() {
    let prefix = |mask: [u8; 4]| lease(|ack| ack.with(SUBNET_MASK, &mask)).prefix_len;
    assert_eq!(prefix([255, 255, 255, 0]), 24);
    assert_eq!(prefix([255, 255, 255, 128]), 25);
    assert_eq!(prefix([255, 0, 0, 0]), 8);
    assert_eq!(prefix([128, 0, 0, 0]), 1);
    assert_eq!(prefix([255, 255, 255, 254]), 31);
    assert_eq!(prefix([255, 255, 255, 255]), 32);
    for mask in [
        [255, 0, 255, 0],
        [0, 255, 255, 255],
        [255, 255, 255, 1],
        [0; 4],
        [127, 0, 0, 0],
    ] {
        assert!(!is_taken(|ack| ack.with(SUBNET_MASK, &mask)), "{mask:?}");
    }
    // Without one it is the class's: 192.168.69.0/24.
    assert_eq!(lease(|ack| ack.without(SUBNET_MASK)).prefix_len, 24);
}

#[test]
fn an_address_is_a_hosts() {
    let offered = |address: [u8; 4], mask: [u8; 4]| {
        let (mut client, discover) = Client::selecting();
        let offer = Answer::new(OFFER, &discover)
            .field(YIADDR, &address)
            .with(SUBNET_MASK, &mask);
        client.heeds(&offer)
    };
    const MASK: [u8; 4] = [255, 255, 255, 0];
    assert!(offered([10, 0, 0, 1], MASK));
    assert!(offered([223, 255, 255, 254], MASK));
    assert!(offered([10, 0, 0, 0], [255, 255, 255, 254]), "RFC 3021");
    for address in [
        [0, 0, 0, 0],
        [0, 0, 0, 1],
        [127, 0, 0, 1],
        [224, 0, 0, 1],
        [239, 255, 255, 250],
        [240, 0, 0, 1],
        [255, 255, 255, 255],
        [10, 0, 0, 0],
        [10, 0, 0, 255],
    ] {
        assert!(!offered(address, MASK), "{address:?}");
    }
}

#[test]
fn a_router_is_on_the_link() {
    let router = |addresses: &[u8]| lease(|ack| ack.with(ROUTER, addresses)).router;
    assert_eq!(router(&[192, 168, 69, 9]), Some([192, 168, 69, 9].into()));
    assert_eq!(router(&[192, 168, 70, 9]), None);
    assert_eq!(router(&ADDRESS.octets()), None, "not the host itself");
    assert_eq!(router(&[192, 168, 69, 255]), None);
    assert_eq!(router(&[0, 0, 0, 0]), None);
    // The first that will do.
    let several = [192, 168, 70, 9, 192, 168, 69, 9, 192, 168, 69, 8];
    assert_eq!(router(&several), Some([192, 168, 69, 9].into()));
    assert_eq!(lease(|ack| ack.without(ROUTER)).router, None);
}

#[test]
fn name_servers_come_in_order_four_at_most() {
    let servers =
        |addresses: &[u8]| lease(|ack| ack.with(DOMAIN_NAME_SERVER, addresses)).name_servers;
    let of = |n: u8| Ipv4Addr::new(9, 9, 9, n);
    let many: Vec<u8> = (1..=60).flat_map(|n| [9, 9, 9, n]).collect();
    assert_eq!(servers(&many), [of(1), of(2), of(3), of(4)]);
    assert_eq!(
        servers(&[9, 9, 9, 2, 0, 0, 0, 0, 127, 0, 0, 1, 224, 0, 0, 1]),
        [of(2)]
    );
    let without = lease(|ack| ack.without(DOMAIN_NAME_SERVER));
    assert!(without.name_servers.is_empty());
}

#[test]
fn a_list_in_parts_is_put_together() {
    let (mut client, request) = Client::requesting();
    let mut ack = Answer::new(ACK, &request);
    ack.options
        .push((DOMAIN_NAME_SERVER, [9, 9, 9, 9].to_vec()));
    client.hear(&ack);
    let Some(Event::Bound(lease)) = client.dhcp.is_free(client.now, ADDRESS) else {
        panic!("not bound");
    };
    assert_eq!(lease.name_servers, [SERVER, Ipv4Addr::new(9, 9, 9, 9)]);
}

#[test]
fn an_mtu_is_one_that_links_have() {
    let mtu = |mtu: u16| lease(|ack| ack.with(INTERFACE_MTU, &mtu.to_be_bytes())).mtu;
    assert_eq!(mtu(1_280), Some(1_280));
    assert_eq!(mtu(68), Some(68));
    assert_eq!(mtu(67), None);
    assert_eq!(lease(|ack| ack).mtu, None);
}

#[test]
fn options_may_lie_in_the_fields_of_the_server_name_and_the_boot_file() {
    let in_file = options(&[(ROUTER, OTHER_SERVER.octets().to_vec())]);
    let in_sname = options(&[(INTERFACE_MTU, 1_400_u16.to_be_bytes().to_vec())]);
    let found = |overload: u8| {
        let lease = lease(|ack| {
            ack.without(ROUTER)
                .field(FILE, &in_file)
                .field(SNAME, &in_sname)
                .with(OVERLOAD, &[overload])
        });
        (lease.router, lease.mtu)
    };
    assert_eq!(found(1), (Some(OTHER_SERVER), None));
    assert_eq!(found(2), (None, Some(1_400)));
    assert_eq!(found(3), (Some(OTHER_SERVER), Some(1_400)));
    // Where it is not said they are names.
    let named = lease(|ack| ack.without(ROUTER).field(FILE, &in_file));
    assert_eq!(named.router, None);
    for overload in [&[0][..], &[4], &[255], &[], &[1, 1]] {
        let answer = |ack: Answer| ack.field(FILE, &in_file).field(SNAME, &in_sname);
        assert!(
            !is_taken(|ack| answer(ack).with(OVERLOAD, overload)),
            "{overload:?}"
        );
    }
    assert!(
        !is_taken(|ack| ack.with(OVERLOAD, &[1])),
        "no END in an empty field"
    );
}
