//! A DHCP server of a simulated host, and what another host may say in its place.

use std::cell::RefCell;
use std::collections::BTreeSet;
use std::future::poll_fn;
use std::net::{Ipv4Addr, SocketAddr, SocketAddrV4};
use std::rc::Rc;
use std::task::Poll;

use glasstack::sim::HostNetwork;
use glasstack::socket::Network;
use glasstack::stack::option::Broadcast;
use glasstack::stack::{Domain, Interest, Type, Waiting};
use glasstack::{Error, Fd, Result};

pub(crate) const SERVER: Ipv4Addr = Ipv4Addr::new(10, 0, 0, 1);
pub(crate) const OTHER: Ipv4Addr = Ipv4Addr::new(10, 0, 0, 66);

pub(crate) const DISCOVER: u8 = 1;
pub(crate) const OFFER: u8 = 2;
pub(crate) const REQUEST: u8 = 3;
pub(crate) const DECLINE: u8 = 4;
pub(crate) const ACK: u8 = 5;
pub(crate) const NAK: u8 = 6;
pub(crate) const RELEASE: u8 = 7;

/// What a client sent.
#[derive(Debug, Clone)]
pub(crate) struct Request {
    pub(crate) octets: Vec<u8>,
    pub(crate) kind: u8,
    pub(crate) requested: Option<Ipv4Addr>,
    pub(crate) server: Option<Ipv4Addr>,
    pub(crate) client: Ipv4Addr,
}

impl Request {
    fn parse(octets: &[u8]) -> Option<Request> {
        let mut request = Request {
            octets: octets.to_vec(),
            kind: 0,
            requested: None,
            server: None,
            client: address(octets.get(12..16)?)?,
        };
        let mut rest = octets.get(240..)?;
        while let [code, len, tail @ ..] = rest
            && *code != 255
        {
            let (data, tail) = tail.split_at_checked(usize::from(*len))?;
            match code {
                50 => request.requested = address(data),
                53 => request.kind = data[0],
                54 => request.server = address(data),
                _ => {}
            }
            rest = tail;
        }
        Some(request)
    }

    /// An answer to it, of a lease if it is no refusal.
    pub(crate) fn answer(&self, kind: u8, terms: &Terms, given: Ipv4Addr) -> Vec<u8> {
        let mut octets = vec![0; 240];
        octets[..3].copy_from_slice(&[2, 1, 6]);
        octets[4..8].copy_from_slice(&self.octets[4..8]);
        octets[28..44].copy_from_slice(&self.octets[28..44]);
        octets[236..].copy_from_slice(&[99, 130, 83, 99]);
        option(&mut octets, 53, &[kind]);
        option(&mut octets, 54, &SERVER.octets());
        if kind != NAK {
            octets[16..20].copy_from_slice(&given.octets());
            option(&mut octets, 51, &terms.seconds.to_be_bytes());
            option(&mut octets, 1, &[255, 255, 255, 0]);
            option(&mut octets, 3, &SERVER.octets());
            option(&mut octets, 6, &SERVER.octets());
            option(&mut octets, 26, &terms.mtu.to_be_bytes());
        }
        octets.push(255);
        octets
    }
}

fn address(data: &[u8]) -> Option<Ipv4Addr> {
    let octets: [u8; 4] = data.try_into().ok()?;
    Some(octets.into())
}

pub(crate) fn option(octets: &mut Vec<u8>, code: u8, data: &[u8]) {
    octets.extend([code, data.len() as u8]);
    octets.extend(data);
}

#[derive(Debug, Clone)]
pub(crate) struct Terms {
    pub(crate) seconds: u32,
    pub(crate) mtu: u16,
}

/// What a server knows, and remembers for the test. It has one client.
#[derive(Debug)]
pub(crate) struct Book {
    terms: Terms,
    /// What is given next: 10.0.0.x.
    next: u8,
    lease: Option<Ipv4Addr>,
    offered: BTreeSet<Ipv4Addr>,
    pub(crate) acknowledged: BTreeSet<Ipv4Addr>,
    /// Asked for, and never offered.
    pub(crate) astray: Vec<Ipv4Addr>,
    pub(crate) declined: Vec<Ipv4Addr>,
    pub(crate) released: Vec<Ipv4Addr>,
    pub(crate) requests: Vec<u8>,
}

pub(crate) type SharedBook = Rc<RefCell<Book>>;

impl Book {
    pub(crate) fn new(seconds: u32) -> SharedBook {
        Rc::new(RefCell::new(Book {
            terms: Terms {
                seconds,
                mtu: 1_400,
            },
            next: 100,
            lease: None,
            offered: BTreeSet::new(),
            acknowledged: BTreeSet::new(),
            astray: Vec::new(),
            declined: Vec::new(),
            released: Vec::new(),
            requests: Vec::new(),
        }))
    }

    /// Knows of no lease any more, and gives 10.0.0.`next` from now on.
    pub(crate) fn begin_anew(&mut self, next: u8) {
        self.lease = None;
        self.next = next;
    }

    fn answer(&mut self, request: &Request) -> Option<Vec<u8>> {
        self.requests.push(request.kind);
        match request.kind {
            DISCOVER => {
                let free = Ipv4Addr::new(10, 0, 0, self.next);
                let offered = self.lease.unwrap_or(free);
                self.offered.insert(offered);
                Some(request.answer(OFFER, &self.terms, offered))
            }
            REQUEST if request.server.is_none_or(|server| server == SERVER) => {
                let wanted = request.requested.unwrap_or(request.client);
                if !self.offered.contains(&wanted) {
                    self.astray.push(wanted);
                }
                let free = Ipv4Addr::new(10, 0, 0, self.next);
                if wanted != self.lease.unwrap_or(free) {
                    return Some(request.answer(NAK, &self.terms, wanted));
                }
                self.lease = Some(wanted);
                self.acknowledged.insert(wanted);
                Some(request.answer(ACK, &self.terms, wanted))
            }
            DECLINE => {
                self.declined.extend(request.requested);
                self.forget(request.requested);
                None
            }
            RELEASE => {
                self.released.push(request.client);
                self.forget(Some(request.client));
                None
            }
            _ => None,
        }
    }

    /// The lease is over, and its address not given again.
    fn forget(&mut self, address: Option<Ipv4Addr>) {
        if self.lease == address && self.lease.take().is_some() {
            self.next += 1;
        }
    }
}

/// A socket on the server's port.
struct Port {
    network: HostNetwork,
    fd: Fd,
}

impl Port {
    fn open(network: HostNetwork) -> Port {
        let fd = network.call(|stack| {
            let fd = stack.socket(Domain::Inet, Type::Datagram)?;
            stack.setsockopt(fd, Broadcast, true)?;
            stack.bind(fd, (Ipv4Addr::UNSPECIFIED, 67).into())?;
            Ok(fd)
        });
        Port {
            fd: fd.unwrap(),
            network,
        }
    }

    async fn hear(&self) -> Request {
        let mut buffer = [0; 1_500];
        loop {
            let mut waiting = Waiting::default();
            let received = poll_fn(|context| {
                let received =
                    self.network
                        .call(|stack| match stack.recvfrom(self.fd, &mut buffer) {
                            Err(Error::WouldBlock) => {
                                stack.wait(
                                    self.fd,
                                    Interest::Readable,
                                    &mut waiting,
                                    context.waker(),
                                )?;
                                Err(Error::WouldBlock)
                            }
                            other => other,
                        });
                match received {
                    Err(Error::WouldBlock) => Poll::Pending,
                    other => Poll::Ready(other),
                }
            });
            let received: Result<_> = received.await;
            // An error is that of an answer to a client that has gone.
            let Ok(received) = received else { continue };
            if let Some(request) = Request::parse(&buffer[..received.len]) {
                return request;
            }
        }
    }

    /// To the client, where it has an address, else to all: to an address that is nobody's yet, a socket cannot send.
    fn say(&self, to: Ipv4Addr, octets: &[u8]) {
        let to = if to.is_unspecified() {
            Ipv4Addr::BROADCAST
        } else {
            to
        };
        let to = SocketAddr::V4(SocketAddrV4::new(to, 68));
        // A full queue is a datagram lost.
        let _ = self.network.call(|stack| stack.sendto(self.fd, octets, to));
    }
}

/// Serves one client out of the book.
pub(crate) async fn serve(network: HostNetwork, book: SharedBook) {
    let port = Port::open(network);
    loop {
        let request = port.hear().await;
        let answer = book.borrow_mut().answer(&request);
        if let Some(answer) = answer {
            let is_refusal = answer[242] == NAK;
            let to = if is_refusal {
                Ipv4Addr::UNSPECIFIED
            } else {
                request.client
            };
            port.say(to, &answer);
        }
    }
}

/// Answers every request before the server can, each time with all answers that are wrong in one thing.
pub(crate) async fn forge(network: HostNetwork) {
    let port = Port::open(network);
    loop {
        let request = port.hear().await;
        let to = Ipv4Addr::UNSPECIFIED;
        let terms = Terms {
            seconds: 86_400,
            mtu: 600,
        };
        // Of the address that is asked for, so that it is not by this that they are known.
        let wrong = request.requested.unwrap_or(Ipv4Addr::new(10, 66, 66, 66));
        let kinds: &[u8] = match request.kind {
            DISCOVER => &[OFFER],
            REQUEST => &[ACK, NAK],
            _ => &[],
        };
        for kind in kinds {
            let right = request.answer(*kind, &terms, wrong);
            let at = |place: usize, octet: u8| {
                let mut octets = right.clone();
                octets[place] = octet;
                octets
            };
            let with = |code: u8, data: &[u8]| {
                let mut octets = right[..right.len() - 1].to_vec();
                option(&mut octets, code, data);
                octets.push(255);
                octets
            };
            port.say(to, &at(0, 1)); // a request
            port.say(to, &at(1, 6)); // another kind of link
            port.say(to, &at(2, 16)); // another length of address
            port.say(to, &at(4, right[4] ^ 1)); // another transaction
            port.say(to, &at(33, right[33] ^ 1)); // another client
            port.say(to, &at(236, 0)); // BOOTP
            port.say(to, &at(242, 1)); // another message
            port.say(to, &with(61, &[1, 2, 3])); // another client's identifier
            port.say(to, &with(53, &[*kind])); // said twice
            port.say(to, &right[..right.len() - 1]); // cut
            port.say(to, &right[..250]);
            port.say(to, &[]);
            if *kind == OFFER {
                port.say(to, &at(16, 224)); // to a group
                port.say(to, &at(16, 0));
                let no_lease = [51, 4, 0, 1, 0x51, 0x80];
                let place = right
                    .windows(6)
                    .position(|octets| octets == no_lease)
                    .unwrap();
                let mut octets = right.clone();
                octets[place + 2..place + 6].fill(0);
                port.say(to, &octets);
                let mask = right
                    .windows(6)
                    .position(|octets| octets == [1, 4, 255, 255, 255, 0]);
                port.say(to, &at(mask.unwrap() + 2, 254)); // a mask with a hole
            } else {
                // Another server than the one that was chosen.
                let place = 245;
                assert_eq!(right[place..place + 4], SERVER.octets());
                let mut octets = right.clone();
                octets[place..place + 4].copy_from_slice(&OTHER.octets());
                port.say(to, &octets);
            }
        }
    }
}
