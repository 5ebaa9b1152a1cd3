//! A client, and the words of a server put together by hand.

#![allow(clippy::unwrap_used, clippy::panic)]

mod answers;
mod leases;
mod states;
mod waits;

use core::net::{Ipv4Addr, SocketAddrV4};
use std::vec::Vec;

use smoltcp::time::{Duration, Instant};

use super::{Dhcp, Event, Lease, MESSAGE_LEN, Route};

const MAC: [u8; 6] = [2, 0, 0, 0, 0, 1];
const ADDRESS: Ipv4Addr = Ipv4Addr::new(192, 168, 69, 50);
const SERVER: Ipv4Addr = Ipv4Addr::new(192, 168, 69, 1);
const OTHER_SERVER: Ipv4Addr = Ipv4Addr::new(192, 168, 69, 2);
const NOBODY: Ipv4Addr = Ipv4Addr::UNSPECIFIED;
const EVERYBODY: Ipv4Addr = Ipv4Addr::BROADCAST;

const DISCOVER: u8 = 1;
const OFFER: u8 = 2;
const REQUEST: u8 = 3;
const DECLINE: u8 = 4;
const ACK: u8 = 5;
const NAK: u8 = 6;
const RELEASE: u8 = 7;

const SUBNET_MASK: u8 = 1;
const ROUTER: u8 = 3;
const DOMAIN_NAME_SERVER: u8 = 6;
const INTERFACE_MTU: u8 = 26;
const REQUESTED_ADDRESS: u8 = 50;
const LEASE_TIME: u8 = 51;
const OVERLOAD: u8 = 52;
const MESSAGE_TYPE: u8 = 53;
const SERVER_IDENTIFIER: u8 = 54;
const RENEWAL_TIME: u8 = 58;
const REBINDING_TIME: u8 = 59;
const CLIENT_IDENTIFIER: u8 = 61;

/// Where the fields of a message begin (RFC 2131 §2, figure 1).
const XID: usize = 4;
const SECS: usize = 8;
const FLAGS: usize = 10;
const CIADDR: usize = 12;
const YIADDR: usize = 16;
const CHADDR: usize = 28;
const SNAME: usize = 44;
const FILE: usize = 108;
const COOKIE: usize = 236;
const OPTIONS: usize = 240;

fn at(seconds: u64) -> Instant {
    Instant::ZERO + Duration::from_secs(seconds)
}

fn millis(millis: u64) -> Instant {
    Instant::ZERO + Duration::from_millis(millis)
}

/// A message that the client sent.
struct Sent {
    route: Route,
    octets: Vec<u8>,
}

impl Sent {
    fn field<const N: usize>(&self, at: usize) -> [u8; N] {
        self.octets[at..at + N].try_into().unwrap()
    }

    fn option(&self, code: u8) -> Option<&[u8]> {
        let mut rest = &self.octets[OPTIONS..];
        while rest[0] != 255 {
            let (head, tail) = rest[2..].split_at(usize::from(rest[1]));
            if rest[0] == code {
                return Some(head);
            }
            rest = tail;
        }
        None
    }

    fn address_option(&self, code: u8) -> Option<Ipv4Addr> {
        let octets: [u8; 4] = self.option(code)?.try_into().unwrap();
        Some(octets.into())
    }

    fn kind(&self) -> u8 {
        self.option(MESSAGE_TYPE).unwrap()[0]
    }
}

/// What a server says.
#[derive(Clone)]
struct Answer {
    from: SocketAddrV4,
    to: SocketAddrV4,
    header: Vec<u8>,
    options: Vec<(u8, Vec<u8>)>,
}

impl Answer {
    /// To a request, with all that a lease of an hour needs.
    fn new(kind: u8, to: &Sent) -> Answer {
        let mut header = std::vec![0; OPTIONS];
        header[..3].copy_from_slice(&[2, 1, 6]);
        header[XID..XID + 4].copy_from_slice(&to.octets[XID..XID + 4]);
        header[CHADDR..CHADDR + 6].copy_from_slice(&MAC);
        header[COOKIE..].copy_from_slice(&[0x63, 0x82, 0x53, 0x63]);
        let mut answer = Answer {
            from: SocketAddrV4::new(SERVER, 67),
            to: SocketAddrV4::new(EVERYBODY, 68),
            header,
            options: Vec::new(),
        };
        answer = answer
            .with(MESSAGE_TYPE, &[kind])
            .with(SERVER_IDENTIFIER, &SERVER.octets());
        if kind == NAK {
            return answer;
        }
        answer
            .field(YIADDR, &ADDRESS.octets())
            .with(LEASE_TIME, &3_600_u32.to_be_bytes())
            .with(SUBNET_MASK, &[255, 255, 255, 0])
            .with(ROUTER, &SERVER.octets())
            .with(DOMAIN_NAME_SERVER, &SERVER.octets())
    }

    fn field(mut self, at: usize, octets: &[u8]) -> Answer {
        self.header[at..at + octets.len()].copy_from_slice(octets);
        self
    }

    /// With an option, in place of what it was.
    fn with(mut self, code: u8, data: &[u8]) -> Answer {
        self.options.retain(|(other, _)| *other != code);
        self.options.push((code, data.to_vec()));
        self
    }

    fn lasting(self, seconds: u32) -> Answer {
        self.with(LEASE_TIME, &seconds.to_be_bytes())
    }

    fn without(mut self, code: u8) -> Answer {
        self.options.retain(|(other, _)| *other != code);
        self
    }

    fn octets(&self) -> Vec<u8> {
        let mut octets = self.header.clone();
        octets.extend(options(&self.options));
        octets
    }
}

/// Options as they are in a message, up to their END.
fn options(options: &[(u8, Vec<u8>)]) -> Vec<u8> {
    let mut octets = Vec::new();
    for (code, data) in options {
        octets.extend([*code, data.len() as u8]);
        octets.extend(data);
    }
    octets.push(255);
    octets
}

/// A client and its time.
struct Client {
    dhcp: Dhcp,
    now: Instant,
}

impl Client {
    fn new() -> Client {
        Client::of(7)
    }

    fn of(seed: u64) -> Client {
        Client {
            dhcp: Dhcp::new(MAC, 1_500, seed, Instant::ZERO),
            now: Instant::ZERO,
        }
    }

    /// What it sends now.
    fn emit(&mut self) -> Option<Sent> {
        let mut octets = [0xaa; MESSAGE_LEN];
        let route = self.dhcp.due(self.now);
        let is_sent = self.dhcp.emit(self.now, &mut octets);
        assert_eq!(is_sent, route.is_some());
        let route = route?;
        Some(Sent {
            route,
            octets: octets.to_vec(),
        })
    }

    /// Lets the time go on to the next message, through whatever happens meanwhile.
    fn next_sent(&mut self) -> (Sent, Vec<Event>) {
        let mut events = Vec::new();
        for _ in 0..10 {
            events.extend(self.dhcp.poll(self.now));
            if let Some(sent) = self.emit() {
                return (sent, events);
            }
            let at = self.dhcp.poll_at().expect("it is waiting for a time");
            assert!(
                at > self.now,
                "it asks to be called again at once, for nothing: {:?}",
                self.dhcp
            );
            self.now = at;
        }
        panic!("it never sends: {:?}", self.dhcp);
    }

    /// The next message, when nothing happens before it.
    fn sends(&mut self) -> Sent {
        let (sent, events) = self.next_sent();
        assert_eq!(events, []);
        sent
    }

    fn hear(&mut self, answer: &Answer) -> Option<Event> {
        let octets = answer.octets();
        self.dhcp.hear(self.now, answer.from, answer.to, &octets)
    }

    /// Whether an answer changes anything at all.
    fn heeds(&mut self, answer: &Answer) -> bool {
        let before = std::format!("{:?}", self.dhcp);
        let event = self.hear(answer);
        event.is_some() || std::format!("{:?}", self.dhcp) != before
    }

    /// A client that has sent a DISCOVER.
    fn selecting() -> (Client, Sent) {
        let mut client = Client::new();
        let discover = client.sends();
        (client, discover)
    }

    /// A client that has sent a REQUEST for what it was offered.
    fn requesting() -> (Client, Sent) {
        let (mut client, discover) = Client::selecting();
        assert_eq!(client.hear(&Answer::new(OFFER, &discover)), None);
        let request = client.sends();
        (client, request)
    }

    /// A client that has got the lease that `change` makes of the usual one, at time zero.
    fn bound(change: impl FnOnce(Answer) -> Answer) -> (Client, Lease) {
        let (mut client, request) = Client::requesting();
        let answer = change(Answer::new(ACK, &request));
        let address = match client.hear(&answer) {
            Some(Event::Probe(address)) => address,
            other => panic!("not acknowledged: {other:?}"),
        };
        match client.dhcp.is_free(client.now, address) {
            Some(Event::Bound(lease)) => (client, lease),
            other => panic!("not bound: {other:?}"),
        }
    }
}
