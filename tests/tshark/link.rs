//! A link that takes time and has faults, between the two hosts of [`Net`], seen from three places.

use std::collections::BTreeMap;

use glasstack::smoltcp::time::{Duration, Instant};
use glasstack::stack::Capacity;
use glasstack::trace::Medium;
use glasstack::{Error, Fd};

use crate::capture::Capture;
use crate::net::segment::{ACK, RST, Segment};
use crate::net::{Frame, Net, Side};

/// When the copies of a frame arrive after it was sent; none is a lost frame.
type Fate = Box<dyn FnMut(&Frame) -> Vec<Duration>>;

pub(crate) struct Link {
    pub(crate) net: Net,
    fate: Fate,
    /// Frames on their way, by their arrival and in order.
    on_the_way: BTreeMap<(Instant, u64), Frame>,
    sent: u64,
    /// Every frame as its sender sends it, lost or not.
    pub(crate) at_the_senders: Capture,
    /// What the client's card sends and receives.
    pub(crate) at_the_client: Capture,
    /// What the server's card sends and receives.
    pub(crate) at_the_server: Capture,
}

impl Link {
    pub(crate) fn new(
        capacity: Capacity,
        fate: impl FnMut(&Frame) -> Vec<Duration> + 'static,
    ) -> Link {
        Link {
            net: Net::with(Medium::Ethernet, capacity.clone(), capacity),
            fate: Box::new(fate),
            on_the_way: BTreeMap::new(),
            sent: 0,
            at_the_senders: Capture::default(),
            at_the_client: Capture::default(),
            at_the_server: Capture::default(),
        }
    }

    /// From now on frames fare like this.
    pub(crate) fn fate(&mut self, fate: impl FnMut(&Frame) -> Vec<Duration> + 'static) {
        self.fate = Box::new(fate);
    }

    fn at(&mut self, side: Side) -> &mut Capture {
        match side {
            Side::Client => &mut self.at_the_client,
            Side::Server => &mut self.at_the_server,
        }
    }

    /// Puts what the hosts have sent on its way.
    fn send(&mut self) {
        for from in [Side::Client, Side::Server] {
            while let Some(octets) = self.net.host(from).card.sent.pop_front() {
                let (time, medium) = (self.net.now, Medium::Ethernet);
                let frame = Frame {
                    time,
                    from,
                    medium,
                    octets,
                    is_lost: false,
                };
                self.at_the_senders.push(time, &frame.octets);
                self.at(from).push(time, &frame.octets);
                for delay in (self.fate)(&frame) {
                    self.sent += 1;
                    self.on_the_way
                        .insert((time + delay, self.sent), frame.clone());
                }
            }
        }
    }

    /// Runs for so long.
    pub(crate) fn run_for(&mut self, time: Duration) {
        let end = self.net.now + time;
        self.net.client.poll(self.net.now);
        self.net.server.poll(self.net.now);
        loop {
            self.send();
            let arrival = self.on_the_way.keys().next().map(|(at, _)| *at);
            let next = [arrival, self.net.deadline()].into_iter().flatten().min();
            let Some(next) = next.filter(|at| *at <= end) else {
                break;
            };
            self.net.now = self.net.now.max(next);
            let now = self.net.now;
            while let Some(entry) = self.on_the_way.first_entry()
                && entry.key().0 <= now
            {
                let frame = entry.remove();
                let to = frame.from.other();
                self.at(to).push(now, &frame.octets);
                self.net.host(to).card.received.push_back(frame.octets);
            }
            for side in [Side::Client, Side::Server] {
                let host = self.net.host(side);
                if host.deadline.is_some_and(|at| at <= now) || !host.card.received.is_empty() {
                    host.poll(now);
                }
            }
        }
        self.net.now = end;
        self.net.client.stack.set_now(end);
        self.net.server.stack.set_now(end);
    }

    /// A connection, accepted: the client's end and the server's.
    pub(crate) fn pair(&mut self, to: &str) -> (Fd, Fd) {
        let address = to.parse().unwrap();
        let listener = self
            .net
            .server
            .listen(crate::net::domain_of(address), address.port(), 16);
        let client = self.net.client.connect(to);
        for _ in 0..100 {
            self.run_for(Duration::from_millis(100));
            if let Ok((server, _)) = self.net.server.stack.accept(listener) {
                self.net.server.stack.close(listener).unwrap();
                return (client, server);
            }
        }
        panic!("no connection");
    }

    /// Sends octets from one end to the other, which reads them as they come.
    pub(crate) fn transfer(&mut self, from: Side, sender: Fd, receiver: Fd, count: usize) {
        let data: Vec<u8> = (0..count).map(|i| (i % 251) as u8).collect();
        let (mut sent, mut received) = (0, 0);
        for _ in 0..1_000_000 {
            if received == count {
                return;
            }
            if sent < count {
                match self.net.host(from).stack.send(sender, &data[sent..]) {
                    Ok(taken) => sent += taken,
                    Err(error) => assert_eq!(error, Error::WouldBlock),
                }
            }
            match self.net.host(from.other()).recv(receiver) {
                Ok(part) => received += part.len(),
                Err(error) => assert_eq!(error, Error::WouldBlock),
            }
            self.run_for(Duration::from_millis(1));
        }
        panic!("it stands still");
    }

    /// Sends what fits, and does not read.
    pub(crate) fn fill(&mut self, from: Side, sender: Fd, count: usize) {
        let mut left = count;
        while left > 0
            && let Ok(taken) = self.net.host(from).stack.send(sender, &vec![b'x'; left])
        {
            left -= taken;
            self.run_for(Duration::from_millis(50));
        }
    }

    /// Reads everything that is there.
    pub(crate) fn drain(&mut self, side: Side, fd: Fd) {
        while self
            .net
            .host(side)
            .recv(fd)
            .is_ok_and(|part| !part.is_empty())
        {}
        self.run_for(Duration::from_millis(50));
    }

    pub(crate) fn close(&mut self, side: Side, fd: Fd) {
        self.net.host(side).stack.close(fd).unwrap();
        self.run_for(Duration::from_millis(300));
    }

    /// A host gives its connection up: a reset with the numbers that come next.
    pub(crate) fn reset(&mut self, from: Side) {
        let segments = self.at_the_senders.segments();
        let next = |address: &str| {
            let of = |s: &&Segment| s.source.ip().to_string() == address;
            segments.iter().rev().find(of).map_or(0, Segment::end)
        };
        let [client, server] = ["10.0.0.1", "10.0.0.2"];
        let last = segments.last().unwrap();
        let (source, seq, ack) = match from {
            Side::Client => (client, next(client), next(server)),
            Side::Server => (server, next(server), next(client)),
        };
        let is_from = last.source.ip().to_string() == source;
        let (source, destination) = if is_from {
            (last.source, last.destination)
        } else {
            (last.destination, last.source)
        };
        let (source, destination) = (source.to_string(), destination.to_string());
        let reset = Segment::new(&source, &destination, RST | ACK, seq, ack);
        let frame = reset.emit(Medium::Ethernet, from.other());
        self.net.host(from).card.sent.push_back(frame);
    }

    /// From each of the three places every frame is judged as tshark judges it.
    pub(crate) fn agrees(&self, what: &str) {
        self.at_the_senders
            .agrees(&format!("{what}, at the senders"));
        self.at_the_client.agrees(&format!("{what}, at the client"));
        self.at_the_server.agrees(&format!("{what}, at the server"));
    }
}
