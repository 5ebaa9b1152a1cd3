//! Who is woken, by the calls of the stack.

use std::cell::RefCell;
use std::rc::Rc;

use glasstack::smoltcp::phy::Medium;
use glasstack::smoltcp::time::Duration as Time;
use glasstack::stack::{
    Capacity, Domain, Events, Interest, PollFd, Protocol, Shutdown, Storage, Type,
};
use glasstack::trace::{Event, Happening, Line, Station};
use glasstack::{Error, Fd, Stack};

use super::net::{Net, PORT, SERVER, SERVER_V6, capacity};
use super::watcher::Watcher;

const IN: Events = Events::POLLIN;
const OUT: Events = Events::POLLOUT;

/// Two hosts of which the server has many datagram sockets and few wakers.
fn crowded(datagrams: usize, wakers: usize) -> (Net, Vec<Fd>) {
    let server = Capacity {
        sockets: datagrams + 8,
        datagrams,
        wakers,
        ..capacity()
    };
    let mut net = Net::with(Medium::Ip, capacity(), server);
    let bind = |nth| net.server.datagram(Domain::Inet, 10_000 + nth as u16);
    let sockets = (0..datagrams).map(bind).collect();
    (net, sockets)
}

/// The client sends a datagram to the nth of them.
fn send(net: &mut Net, nth: usize) {
    let from = net
        .client
        .stack
        .socket(Domain::Inet, Type::Datagram)
        .unwrap();
    let to = ([10, 0, 0, 2], 10_000 + nth as u16).into();
    net.client.stack.sendto(from, b"x", to).unwrap();
    net.run();
    net.client.stack.close(from).unwrap();
    net.run();
}

#[test]
fn by_what_it_asks_for_and_by_nothing_else() {
    let mut net = Net::new();
    let (client, accepted, _) = net.pair(SERVER);
    let mut reader = Watcher::begin(&mut net.server.stack, &[(accepted, IN)]);
    // Its own data is acknowledged, which makes room: not what was asked for.
    net.server.stack.send(accepted, b"Welcome!").unwrap();
    net.run_for(Time::from_secs(1));
    assert_eq!(reader.rings(), 0);

    net.client.stack.send(client, b"Michael").unwrap();
    net.run_for(Time::from_secs(1));
    assert_eq!((reader.rings(), reader.holders()), (1, 0));
    assert_eq!(reader.ready(&mut net.server.stack), 1);
    // Level-triggered: it is still there, and so is the answer.
    reader.wait(&mut net.server.stack);
    assert_eq!((reader.rings(), net.server.stack.usage().wakers), (2, 0));
    assert_eq!(reader.ready(&mut net.server.stack), 1);
    // Read, it is gone.
    net.server.recv(accepted).unwrap();
    assert_eq!(reader.ready(&mut net.server.stack), 0);
}

#[test]
fn by_errors_and_ends_that_it_did_not_ask_for() {
    let mut net = Net::new();
    let (client, accepted, _) = net.pair(SERVER);
    let nothing = Watcher::begin(&mut net.client.stack, &[(client, Events::NONE)]);
    net.client.stack.send(client, b"never read").unwrap();
    net.run_for(Time::from_secs(1));
    assert_eq!(nothing.rings(), 0);
    net.server.stack.close(accepted).unwrap();
    net.run_for(Time::from_secs(1));
    assert_eq!(nothing.rings(), 1);
    let mut nothing = nothing;
    assert_eq!(nothing.ready(&mut net.client.stack), 1);
    let told = Events::POLLERR | Events::POLLHUP;
    assert_eq!(nothing.rows[0].revents, told);
}

#[test]
fn by_the_peers_end_alone() {
    let mut net = Net::new();
    let (client, accepted, _) = net.pair(SERVER);
    let rows = [(accepted, Events::POLLRDHUP)];
    let mut watcher = Watcher::begin(&mut net.server.stack, &rows);
    net.client.stack.send(client, b"all I have").unwrap();
    net.run_for(Time::from_secs(1));
    assert_eq!(watcher.rings(), 0);
    net.client.stack.shutdown(client, Shutdown::Write).unwrap();
    net.run();
    assert_eq!(watcher.rings(), 1);
    assert_eq!(watcher.ready(&mut net.server.stack), 1);
    assert_eq!(watcher.rows[0].revents, Events::POLLRDHUP);
}

#[test]
fn by_a_connection_and_by_the_end_of_a_handshake() {
    let mut net = Net::new();
    let listener = net.server.listen(Domain::Inet, PORT, 4);
    let server = Watcher::begin(&mut net.server.stack, &[(listener, IN | OUT)]);
    let client = net.client.connect(SERVER);
    let connecting = Watcher::begin(&mut net.client.stack, &[(client, IN | OUT)]);
    net.run();
    assert_eq!((server.rings(), connecting.rings()), (1, 1));

    let refused = net.client.connect("10.0.0.2:1");
    let connecting = Watcher::begin(&mut net.client.stack, &[(refused, Events::NONE)]);
    net.run();
    assert_eq!(connecting.rings(), 1);
}

/// A listener whose address went away says so once, and no wait for it spins.
#[test]
fn by_an_address_that_goes_away() {
    let mut net = Net::new();
    let listener = net.server.stack.socket(Domain::Inet, Type::Stream).unwrap();
    net.server
        .stack
        .bind(listener, SERVER.parse().unwrap())
        .unwrap();
    net.server.stack.listen(listener, 4).unwrap();
    let mut watcher = Watcher::begin(&mut net.server.stack, &[(listener, IN)]);
    let (interface, address) = (net.server.interface, [10, 0, 0, 2].into());
    net.server.stack.remove_address(interface, address).unwrap();
    let stack = &mut net.server.stack;
    assert_eq!((watcher.rings(), watcher.ready(stack)), (1, 1));
    assert!(watcher.rows[0].revents.contains(Events::POLLERR));
    assert_eq!(stack.accept(listener), Err(Error::AddrNotAvailable));
    assert_eq!(stack.accept(listener), Err(Error::WouldBlock));
    assert_eq!(watcher.ready(stack), 0);
}

#[test]
fn by_a_close_and_the_next_socket_of_the_row_is_another() {
    let mut net = Net::new();
    let socket = net.server.datagram(Domain::Inet, PORT);
    let mut watcher = Watcher::begin(&mut net.server.stack, &[(socket, IN)]);
    net.server.stack.close(socket).unwrap();
    assert_eq!((watcher.rings(), watcher.holders()), (1, 0));
    let next = net.server.datagram(Domain::Inet, PORT);
    assert_ne!(next, socket);
    assert_eq!(watcher.ready(&mut net.server.stack), 1);
    assert_eq!(watcher.rows[0].revents, Events::POLLNVAL);
    // Of a stale one, too, it need not wait.
    watcher.wait(&mut net.server.stack);
    assert_eq!((watcher.rings(), net.server.stack.usage().wakers), (2, 0));
}

#[test]
fn of_any_type_and_family_at_once() {
    let mut net = Net::new();
    let (client, accepted, listener) = net.pair(SERVER);
    let stack = &mut net.server.stack;
    let datagrams = stack.socket(Domain::Inet6, Type::Datagram).unwrap();
    stack.bind(datagrams, SERVER_V6.parse().unwrap()).unwrap();
    let raw = Type::Raw(Protocol::SCTP);
    let raw = stack.socket(Domain::Inet, raw).unwrap();
    let all = [accepted, listener, datagrams, raw];
    let rows = all.map(|fd| (fd, IN));
    let mut watcher = Watcher::begin(&mut net.server.stack, &rows);
    type Event<'e> = &'e dyn Fn(&mut Net);
    let events: [Event; 4] = [
        &|net| assert_eq!(net.client.stack.send(client, b"data"), Ok(4)),
        &|net| {
            net.client.connect(SERVER);
        },
        &|net| {
            let fd = net.client.stack.socket(Domain::Inet6, Type::Datagram);
            let to = SERVER_V6.parse().unwrap();
            net.client.stack.sendto(fd.unwrap(), b"data", to).unwrap();
        },
        &|net| {
            let kind = Type::Raw(Protocol::SCTP);
            let fd = net.client.stack.socket(Domain::Inet, kind).unwrap();
            let to = "10.0.0.2:0".parse().unwrap();
            net.client.stack.sendto(fd, b"an INIT, say", to).unwrap();
        },
    ];
    for (nth, event) in events.iter().enumerate() {
        event(&mut net);
        net.run_for(Time::from_millis(50));
        assert_eq!(watcher.rings(), nth + 1);
        assert_eq!(watcher.ready(&mut net.server.stack), 1);
        let told = watcher.rows.iter().position(|row| row.revents == IN);
        assert_eq!(told, Some(nth));
        let _ = net.server.stack.accept(listener);
        let _ = net.server.recv(all[nth]);
        watcher.wait(&mut net.server.stack);
    }
}

#[test]
fn hundreds_of_sockets_take_one_place() {
    let (mut net, sockets) = crowded(300, 2);
    let rows: Vec<_> = sockets.iter().map(|fd| (*fd, IN)).collect();
    let mut watcher = Watcher::begin(&mut net.server.stack, &rows);
    assert_eq!(net.server.stack.usage().wakers, 1);
    for round in 1..=1_000 {
        let nth = round * 7 % sockets.len();
        send(&mut net, nth);
        assert_eq!(watcher.rings(), round);
        assert_eq!(watcher.ready(&mut net.server.stack), 1);
        assert_eq!(watcher.rows[nth].revents, IN);
        net.server.recv(sockets[nth]).unwrap();
        assert_eq!(watcher.ready(&mut net.server.stack), 0);
        watcher.wait(&mut net.server.stack);
        assert_eq!(net.server.stack.usage().wakers, 1);
    }
    watcher.stop(&mut net.server.stack);
    assert_eq!(net.server.stack.usage().wakers, 0);
    assert_eq!(watcher.holders(), 0);
    // Nobody is woken who waits no more.
    send(&mut net, 0);
    assert_eq!(watcher.rings(), 1_000);
}

#[test]
fn of_several_each_by_its_own_sockets_and_all_by_a_shared_one() {
    let (mut net, sockets) = crowded(5, 8);
    let stack = &mut net.server.stack;
    let (mine, yours, ours) = (&sockets[..2], &sockets[2..4], sockets[4]);
    let rows = |own: &[Fd]| -> Vec<_> { own.iter().chain([&ours]).map(|fd| (*fd, IN)).collect() };
    let (mut me, mut you) = (
        Watcher::begin(stack, &rows(mine)),
        Watcher::begin(stack, &rows(yours)),
    );
    send(&mut net, 0);
    assert_eq!((me.rings(), you.rings()), (1, 0));
    send(&mut net, 3);
    assert_eq!((me.rings(), you.rings()), (1, 1));
    for fd in [sockets[0], sockets[3]] {
        net.server.recv(fd).unwrap();
    }
    for watcher in [&mut me, &mut you] {
        assert_eq!(watcher.ready(&mut net.server.stack), 0);
        watcher.wait(&mut net.server.stack);
    }
    send(&mut net, 4);
    assert_eq!((me.rings(), you.rings()), (2, 2));
    net.server.recv(ours).unwrap();

    // One goes on alone: nobody rings for the other any more.
    me.wait(&mut net.server.stack);
    send(&mut net, 4);
    assert_eq!((me.rings(), you.rings()), (3, 2));
    assert_eq!(net.server.stack.usage().wakers, 0);
}

#[test]
fn beside_those_who_wait_for_one_of_the_sockets() {
    let mut net = Net::new();
    let (client, accepted, _) = net.pair(SERVER);
    let alone = Watcher::new(&[]);
    let waker = std::task::Waker::from(std::sync::Arc::new(Quiet));
    let stack = &mut net.server.stack;
    stack
        .register_waker(accepted, Interest::Readable, &waker)
        .unwrap();
    let many = Watcher::begin(stack, &[(accepted, IN)]);
    assert_eq!(stack.usage().wakers, 2);
    net.client.stack.send(client, b"data").unwrap();
    net.run();
    assert_eq!((many.rings(), alone.rings()), (1, 0));
    assert_eq!(net.server.stack.usage().wakers, 0);
}

struct Quiet;

impl std::task::Wake for Quiet {
    fn wake(self: std::sync::Arc<Self>) {}
}

#[test]
fn where_there_are_too_few_places_all_try_again() {
    let (mut net, sockets) = crowded(3, 1);
    let first = Watcher::begin(&mut net.server.stack, &[(sockets[0], IN)]);
    let second = Watcher::begin(&mut net.server.stack, &[(sockets[1], IN)]);
    // The only place went to the second; the first knows, and would wait anew.
    assert_eq!((first.rings(), second.rings()), (1, 0));
    send(&mut net, 1);
    assert_eq!((first.rings(), second.rings()), (1, 1));
}

#[test]
fn without_a_heap_it_is_the_same() {
    // Four connections, two datagram sockets, a listener; a loopback of 1,500 octets a packet.
    let mut storage = Storage::<7, 4, 2, 1024, 1, 4, 1500>::new();
    let mut stack = Stack::new(&mut storage, [7; 16], ());
    let address = "127.0.0.1:9999".parse().unwrap();
    let socket = stack.socket(Domain::Inet, Type::Datagram).unwrap();
    stack.bind(socket, address).unwrap();
    let listener = stack.socket(Domain::Inet, Type::Stream).unwrap();
    stack.bind(listener, address).unwrap();
    stack.listen(listener, 2).unwrap();
    let rows = [socket, listener].map(|fd| (fd, IN));
    let mut watcher = Watcher::begin(&mut stack, &rows);

    let client = stack.socket(Domain::Inet, Type::Stream).unwrap();
    let _ = stack.connect(client, address);
    let _ = stack.poll_loopback(stack.now());
    assert_eq!((watcher.rings(), watcher.ready(&mut stack)), (1, 1));
    assert_eq!(watcher.rows[1].revents, IN);
    stack.accept(listener).unwrap();

    watcher.wait(&mut stack);
    let other = stack.socket(Domain::Inet, Type::Datagram).unwrap();
    stack.sendto(other, b"x", address).unwrap();
    let _ = stack.poll_loopback(stack.now());
    assert_eq!((watcher.rings(), watcher.ready(&mut stack)), (2, 1));
    assert_eq!(watcher.rows[0].revents, IN);
    assert_eq!(stack.usage().wakers, 0);
}

#[test]
fn the_glass_shows_what_it_found() {
    let lines = Rc::new(RefCell::new(Vec::new()));
    let told = lines.clone();
    let observer = move |event: &Event| {
        if let Happening::Call { .. } = event.happening {
            told.borrow_mut().push(Line(Station(0), event).to_string());
        }
    };
    let mut stack = Stack::with_capacity(Capacity::default(), [7; 16], observer);
    let fd = stack.socket(Domain::Inet, Type::Datagram).unwrap();
    let mut rows = [PollFd::new(fd, IN), PollFd::new(fd, IN | OUT)];
    assert_eq!(stack.poll_fds(&mut rows[..1]), 0);
    assert_eq!(stack.poll_fds(&mut rows), 1);
    assert_eq!(
        lines.borrow()[1..],
        [
            "0.000000 0 call poll(1) = EAGAIN",
            "0.000000 0 call poll(2) = 1"
        ]
    );
}
