//! Whatever happens to the sockets: who waits for them is woken when, and only when, `poll_fds` has something to tell.

use glasstack::smoltcp::phy::Medium;
use glasstack::smoltcp::time::Duration as Time;
use glasstack::stack::{Domain, Events, Shutdown, Type};
use glasstack::{Error, Fd};

use super::net::{Net, PORT, Side, capacity};
use super::watcher::Watcher;

const ROUNDS: usize = 1_000;

/// xorshift64.
struct Luck(u64);

impl Luck {
    fn below(&mut self, limit: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 >> 11) as usize % limit
    }

    fn choose<T: Copy>(&mut self, among: &[T]) -> Option<T> {
        (!among.is_empty()).then(|| among[self.below(among.len())])
    }
}

/// The sockets of both sides, and those that were.
struct Sockets {
    open: [Vec<Fd>; 2],
    listener: Fd,
}

impl Sockets {
    fn of(&mut self, side: Side) -> &mut Vec<Fd> {
        &mut self.open[usize::from(side.number()) - 1]
    }
}

/// One thing that a program may do, on either side.
fn step(net: &mut Net, sockets: &mut Sockets, luck: &mut Luck) {
    let side = luck.choose(&[Side::Client, Side::Server]).unwrap();
    let fd = luck.choose(sockets.of(side));
    let listener = sockets.listener;
    let stack = &mut net.host(side).stack;
    let done = match (luck.below(12), fd) {
        (0, _) if sockets.of(Side::Client).len() < 20 => {
            let kind = luck
                .choose(&[Type::Stream, Type::Stream, Type::Datagram])
                .unwrap();
            let stack = &mut net.client.stack;
            stack.socket(Domain::Inet, kind).map(|fd| {
                // Now and then to a port where nobody is.
                let port = PORT + u16::from(luck.below(8) == 0);
                let _ = stack.connect(fd, ([10, 0, 0, 2], port).into());
                sockets.of(Side::Client).push(fd);
            })
        }
        (1, _) => net
            .server
            .stack
            .accept(listener)
            .map(|(fd, _)| sockets.of(Side::Server).push(fd)),
        (2..6, Some(fd)) => stack
            .send(fd, &[7; 3_000][..1 + luck.below(3_000)])
            .map(drop),
        (6..10, Some(fd)) => stack.recv(fd, &mut [0; 9_000]).map(drop),
        (10, Some(fd)) if luck.below(4) == 0 => {
            let how = luck.choose(&[Shutdown::Write, Shutdown::Read, Shutdown::Both]);
            stack.shutdown(fd, how.unwrap())
        }
        (11, Some(fd)) => {
            sockets.of(side).retain(|open| *open != fd);
            stack.close(fd)
        }
        _ => stack.take_error(fd.unwrap_or(listener)).map(drop),
    };
    // Most calls have their errors here; none is of the test's own making.
    assert_ne!(done, Err(Error::AddressFamilyNotSupported));
}

#[test]
fn woken_when_and_only_when_there_is_something() {
    let (mut waits, mut wakes) = (0, 0);
    for seed in 1..=32 {
        let mut luck = Luck(seed << 32 | 0x9E37_79B9);
        let mut net = Net::with(Medium::Ip, capacity(), capacity());
        let listener = net.server.listen(Domain::Inet, PORT, 4);
        let datagrams = net.server.datagram(Domain::Inet, PORT);
        let mut sockets = Sockets {
            open: [Vec::new(), vec![datagrams]],
            listener,
        };
        let mut lost = Luck(seed);
        net.lose(move |_| lost.below(50) == 0);
        for round in 0..ROUNDS {
            let side = luck.choose(&[Side::Client, Side::Server]).unwrap();
            let mut rows = Vec::new();
            let mut candidates = sockets.of(side).clone();
            if side == Side::Server {
                candidates.push(listener);
            }
            for fd in candidates {
                let mut events = Events::NONE;
                for event in [Events::POLLIN, Events::POLLOUT, Events::POLLRDHUP] {
                    if luck.below(3) == 0 {
                        events |= event;
                    }
                }
                if luck.below(3) > 0 {
                    rows.push((fd, events));
                }
            }
            let mut watcher = Watcher::new(&rows);
            watcher.ready(&mut net.host(side).stack);
            if luck.below(8) > 0 {
                // Who has something already says little.
                watcher.rows.retain(|row| row.revents.is_empty());
            }
            let before = watcher.ready(&mut net.host(side).stack);
            watcher.wait(&mut net.host(side).stack);
            assert_eq!(watcher.rings(), before.min(1), "seed {seed}, round {round}");
            assert_eq!(net.host(side).stack.usage().wakers, 1 - before.min(1));
            for _ in 0..luck.below(6) {
                step(&mut net, &mut sockets, &mut luck);
            }
            net.run_for(Time::from_millis(luck.below(200) as u64));
            if before == 0 {
                waits += 1;
                wakes += watcher.rings();
                let after = watcher.ready(&mut net.host(side).stack);
                let told = &watcher.rows;
                assert_eq!(
                    watcher.rings(),
                    after.min(1),
                    "seed {seed}, round {round}: {told:?}"
                );
            }
            watcher.stop(&mut net.host(side).stack);
            assert_eq!(net.host(side).stack.usage().wakers, 0);
            assert_eq!(watcher.holders(), 0);
        }
        assert_eq!(
            net.server.stack.getsockname(listener),
            Ok("0.0.0.0:9999".parse().unwrap())
        );
    }
    println!("{waits} waits, {wakes} wakes");
    assert!(waits > 20_000 && wakes > 1_000, "too few to tell");
}
