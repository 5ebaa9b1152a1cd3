//! Connecting by name (RFC 8305) in virtual time: which address wins, exactly when, and that nothing is left of the others.
#![cfg(all(feature = "std", feature = "ipv4", feature = "ipv6"))]
// A step that fails fails its test.
#![allow(clippy::unwrap_used, clippy::panic)]

mod answers;

use std::net::{IpAddr, SocketAddr};
use std::rc::Rc;
use std::time::Duration;

use answers::{A, AAAA, NO_ERROR, NXDOMAIN};
use glasstack::device::wire::Conditions;
use glasstack::sim::{HostId, HostNetwork, Link, Simulation};
use glasstack::socket::{Network, TcpListener, TcpStream, UdpSocket, sleep, timeout};
use glasstack::stack::{CONNECT_TIMEOUT, Capacity};
use glasstack::{Error, Result};

const NAME: &str = "www.example.com";
const PORT: u16 = 80;

/// The server's addresses, and two that are nobody's: what is sent to those is swallowed.
const V6: &str = "2001:db8::2";
const V4: &str = "198.51.100.2";
const V6_BLACK_HOLE: &str = "2001:db8::9";
const V4_BLACK_HOLE: &str = "198.51.100.9";

const fn ms(milliseconds: u64) -> Duration {
    Duration::from_millis(milliseconds)
}

fn ip(text: &str) -> IpAddr {
    text.parse().unwrap()
}

/// After how long a name server answers, and what.
type Reply = (Duration, u8, Vec<answers::Record>);

/// What a client came to, and how long that took.
type End = (Result<IpAddr>, Duration);

/// A client and a server.
struct World {
    simulation: Simulation,
    client: HostId,
    server: HostId,
}

impl World {
    /// Over a link that carries packets, so that nobody asks for a neighbor: a round trip takes twice the latency.
    fn new(latency: Duration, connections: usize) -> World {
        let mut simulation = Simulation::new(1);
        let capacity = Capacity {
            connections,
            sockets: 16,
            datagrams: 4,
            ..Capacity::default()
        };
        let client = simulation.host_with("client", capacity).unwrap();
        let server = simulation.host("server").unwrap();
        let link = Link::ip(1500).both(Conditions::default().latency(latency));
        let ends = (
            (client, &["198.51.100.1/24", "2001:db8::1/64"]),
            (server, &["198.51.100.2/24", "2001:db8::2/64"]),
        );
        simulation.link(link, ends.0, ends.1).unwrap();
        World {
            simulation,
            client,
            server,
        }
    }

    /// The name's addresses, known without asking.
    fn name(mut self, addresses: &'static [&'static str]) -> World {
        let add = move |stack: &mut glasstack::Stack<'static, _>| {
            let mut addresses = addresses.iter().map(|text| ip(text));
            addresses.try_for_each(|address| stack.add_name(NAME, address))
        };
        self.simulation.configure(self.client, add).unwrap();
        self
    }

    /// A name server for it, which answers for each family after a while; with no addresses: that there are none.
    fn name_server(
        self,
        v4: Option<(Duration, &[&str])>,
        v6: Option<(Duration, &[&str])>,
    ) -> World {
        let families = [(A, v4), (AAAA, v6)].map(|(kind, reply)| {
            let reply = reply.map(|(after, addresses)| {
                let addresses = addresses.iter().map(|text| ip(text));
                let records = addresses.map(|address| answers::address(NAME, address));
                (after, NO_ERROR, records.collect::<Vec<_>>())
            });
            (kind, reply)
        });
        self.answering(families)
    }

    fn answering(mut self, families: [(u16, Option<Reply>); 2]) -> World {
        let families = Rc::new(families);
        let serve = move |network: HostNetwork| {
            let families = families.clone();
            async move {
                let socket = UdpSocket::bind(network.clone(), SocketAddr::new(ip(V4), 53)).unwrap();
                let mut buffer = [0; 512];
                let mut queries = Vec::new();
                for _ in 0..2 {
                    let query = socket.recv_from(&mut buffer).await.unwrap();
                    queries.push((buffer[..query.len].to_vec(), query.from));
                }
                let mut replies: Vec<_> = families.iter().collect();
                replies.sort_by_key(|(_, reply)| reply.as_ref().map(|(after, ..)| *after));
                let mut passed = Duration::ZERO;
                for (kind, reply) in replies {
                    let Some((after, rcode, records)) = reply else {
                        continue;
                    };
                    sleep(&network, *after - passed).await.unwrap();
                    passed = *after;
                    let is_asked = |(query, _): &&(Vec<u8>, _)| answers::kind(query) == *kind;
                    let (query, from) = queries.iter().find(is_asked).unwrap();
                    let message = answers::answer(query, *rcode, records);
                    socket.send_to(&message, *from).await.unwrap();
                }
            }
        };
        self.simulation.serve(self.server, "names", serve).unwrap();
        let add = |stack: &mut glasstack::Stack<'static, _>| stack.add_name_server(ip(V4));
        self.simulation.configure(self.client, add).unwrap();
        self
    }

    /// Listens on these addresses of the server's.
    fn listen(mut self, addresses: &'static [&'static str]) -> World {
        for text in addresses {
            let serve = async |network: HostNetwork| {
                let address = SocketAddr::new(ip(text), PORT);
                let listener = TcpListener::bind(network, address, 5).unwrap();
                let mut streams = Vec::new();
                while let Ok((stream, _)) = listener.accept().await {
                    streams.push(stream);
                }
            };
            self.simulation.serve(self.server, text, serve).unwrap();
        }
        self
    }

    /// Connects. Then there is a connection or none, and no other socket, no waker and no lookup.
    fn connect(mut self) -> End {
        let client = async |network: HostNetwork| {
            let start = network.call(|stack| Ok(stack.now())).unwrap();
            let stream = TcpStream::connect_by_name(network.clone(), NAME, PORT).await;
            let end = network.call(|stack| Ok(stack.now())).unwrap();
            let usage = network.call(|stack| Ok(stack.usage())).unwrap();
            let held = usize::from(stream.is_ok());
            assert_eq!((usage.sockets, usage.connections), (held, held));
            assert_eq!((usage.lookups, usage.datagrams), (0, 0));
            let peer = stream.map(|stream| stream.peer_addr().unwrap().ip());
            (peer, (end - start).into())
        };
        let end = self
            .simulation
            .spawn(self.client, "client", client)
            .unwrap();
        self.simulation.run().unwrap();
        end.take().unwrap()
    }
}

fn world() -> World {
    World::new(ms(10), 8)
}

fn connected(address: &str, after: Duration) -> End {
    (Ok(ip(address)), after)
}

#[test]
fn where_both_families_answer_ipv6_wins() {
    for addresses in [&[V4, V6][..], &[V6, V4]] {
        let world = world().name(addresses).listen(&[V4, V6]);
        assert_eq!(world.connect(), connected(V6, ms(20)));
    }
}

#[test]
fn where_ipv6_is_a_black_hole_ipv4_connects_after_250_ms() {
    let world = world().name(&[V6_BLACK_HOLE, V4]).listen(&[V4]);
    assert_eq!(world.connect(), connected(V4, ms(250 + 20)));
}

#[test]
fn where_ipv6_refuses_ipv4_is_tried_at_once() {
    let world = world().name(&[V6, V4]).listen(&[V4]);
    assert_eq!(world.connect(), connected(V4, ms(20 + 20)));
}

#[test]
fn the_first_to_answer_wins_even_if_the_second_is_being_tried() {
    let world = World::new(ms(130), 8).name(&[V6, V4]).listen(&[V4, V6]);
    assert_eq!(world.connect(), connected(V6, ms(260)));
}

#[test]
fn the_families_take_turns_every_250_ms() {
    let addresses = &[V6_BLACK_HOLE, "2001:db8::8", V6, V4_BLACK_HOLE, V4];
    // 2001:db8::2 would be the third of its family: after V6 hole, V4 hole, V6 hole, V4.
    let world = world().name(addresses).listen(&[V4, V6]);
    assert_eq!(world.connect(), connected(V4, ms(3 * 250 + 20)));
}

#[test]
fn an_address_without_a_way_to_it_costs_no_time() {
    let world = world().name(&["2001:db8:1::1", V4]).listen(&[V4]);
    assert_eq!(world.connect(), connected(V4, ms(20)));
}

#[test]
fn where_all_refuse_the_last_says_so() {
    let world = world().name(&[V6, V4]);
    assert_eq!(world.connect(), (Err(Error::ConnectionRefused), ms(40)));
}

#[test]
fn where_nobody_answers_it_ends() {
    let world = world().name(&[V6_BLACK_HOLE, V4_BLACK_HOLE]);
    let after = CONNECT_TIMEOUT + ms(250);
    assert_eq!(world.connect(), (Err(Error::TimedOut), after));
}

#[test]
fn where_there_is_room_for_one_connection_the_addresses_are_tried_one_after_the_other() {
    let world = World::new(ms(10), 1)
        .name(&[V6_BLACK_HOLE, V4])
        .listen(&[V4]);
    let after = CONNECT_TIMEOUT + ms(20);
    assert_eq!(world.connect(), connected(V4, after));
}

#[test]
fn literals_and_names_of_one_address_are_tried_too() {
    let world = world().name(&[V4]).listen(&[V4]);
    assert_eq!(world.connect(), connected(V4, ms(20)));
}

#[test]
fn ipv4_waits_50_ms_for_ipv6_addresses() {
    let world = world()
        .name_server(Some((ms(0), &[V4])), Some((ms(30), &[V6])))
        .listen(&[V4, V6]);
    assert_eq!(world.connect(), connected(V6, ms(20 + 30 + 20)));
}

#[test]
fn ipv4_waits_no_longer_than_50_ms() {
    let world = world()
        .name_server(Some((ms(0), &[V4])), None)
        .listen(&[V4, V6]);
    assert_eq!(world.connect(), connected(V4, ms(20 + 50 + 20)));
}

#[test]
fn ipv6_waits_for_nothing() {
    let world = world()
        .name_server(None, Some((ms(0), &[V6])))
        .listen(&[V4, V6]);
    assert_eq!(world.connect(), connected(V6, ms(20 + 20)));
}

#[test]
fn that_there_are_no_ipv6_addresses_ends_the_wait() {
    let world = world()
        .name_server(Some((ms(0), &[V4])), Some((ms(10), &[])))
        .listen(&[V4]);
    assert_eq!(world.connect(), connected(V4, ms(20 + 10 + 20)));
}

#[test]
fn addresses_that_come_late_take_their_turn() {
    let world = world()
        .name_server(Some((ms(0), &[V4_BLACK_HOLE])), Some((ms(200), &[V6])))
        .listen(&[V6]);
    assert_eq!(world.connect(), connected(V6, ms(20 + 50 + 250 + 20)));
}

#[test]
fn addresses_that_come_when_all_others_have_failed_are_tried_at_once() {
    let world = world()
        .name_server(Some((ms(0), &[V4])), Some((ms(200), &[V6])))
        .listen(&[V6]);
    assert_eq!(world.connect(), connected(V6, ms(20 + 200 + 20)));
}

#[test]
fn a_name_that_does_not_exist_is_an_error_at_once() {
    let nobody = [A, AAAA].map(|kind| (kind, Some((ms(0), NXDOMAIN, vec![]))));
    let world = world().answering(nobody);
    assert_eq!(world.connect(), (Err(Error::NameNotFound), ms(20)));
}

#[test]
fn dropped_it_leaves_nothing_behind() {
    for after in [0, 10, 30, 80, 300, 600] {
        let mut world = world().name_server(
            Some((ms(0), &[V4_BLACK_HOLE])),
            Some((ms(200), &[V6_BLACK_HOLE])),
        );
        let client = async move |network: HostNetwork| {
            let connect = TcpStream::connect_by_name(network.clone(), NAME, PORT);
            let result = timeout(&network, ms(after), connect).await;
            assert!(matches!(result, Err(Error::TimedOut)));
            let usage = network.call(|stack| Ok(stack.usage())).unwrap();
            assert_eq!((usage.sockets, usage.connections), (0, 0), "{after} ms");
            assert_eq!(usage.lookups, 0, "{after} ms");
            // The driver may have one.
            assert!(usage.wakers <= 1, "{after} ms: {usage:?}");
        };
        let end = world
            .simulation
            .spawn(world.client, "client", client)
            .unwrap();
        world.simulation.run().unwrap();
        assert!(end.take().is_some());
    }
}
