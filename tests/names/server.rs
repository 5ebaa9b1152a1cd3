//! A client that resolves names, and name servers on the other host, for which the test answers.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use glasstack::smoltcp::time::Duration as Time;
use glasstack::stack::{Lookup, Type};
use glasstack::{Error, Fd};

use crate::answers::{self, NO_ERROR, Record, address};
use crate::net::{Host, Net, domain_of};

pub(crate) const NAME: &str = "www.example.com";
pub(crate) const V4: IpAddr = IpAddr::V4(Ipv4Addr::new(192, 0, 2, 7));
pub(crate) const V6: IpAddr = IpAddr::V6(Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, 7));
/// What the name has.
pub(crate) const BOTH: [IpAddr; 2] = [V4, V6];

pub(crate) const SERVER: &str = "10.0.0.2";
pub(crate) const SECOND: &str = "10.0.0.3";

pub(crate) fn ip(text: &str) -> IpAddr {
    text.parse().unwrap()
}

pub(crate) fn ips(texts: &[&str]) -> Vec<IpAddr> {
    texts.iter().map(|text| ip(text)).collect()
}

/// A question that has come to a server.
#[derive(Debug, Clone)]
pub(crate) struct Question {
    pub(crate) octets: Vec<u8>,
    pub(crate) from: SocketAddr,
}

impl Question {
    pub(crate) fn id(&self) -> [u8; 2] {
        [self.octets[0], self.octets[1]]
    }

    pub(crate) fn kind(&self) -> u16 {
        answers::kind(&self.octets)
    }

    pub(crate) fn answer(&self, rcode: u8, records: &[Record]) -> Vec<u8> {
        answers::answer(&self.octets, rcode, records)
    }

    /// The records that are of the type that it asks for.
    fn matching(&self, records: &[Record]) -> Vec<Record> {
        let mut records = records.to_vec();
        records.retain(|(_, kind, _)| *kind == self.kind());
        records
    }

    /// The answer with those of the records that it asks for.
    pub(crate) fn pick(&self, records: &[Record]) -> Vec<u8> {
        self.answer(NO_ERROR, &self.matching(records))
    }

    /// The answer with the name's address.
    pub(crate) fn address(&self) -> Vec<u8> {
        answers::compressed(
            &self.octets,
            &self.matching(&BOTH.map(|ip| address(NAME, ip))),
        )
    }
}

/// A client that asks 10.0.0.2, and the socket that its questions come to.
pub(crate) fn start() -> (Net, Fd) {
    let mut net = Net::new();
    let server = add_name_server(&mut net, SERVER);
    (net, server)
}

/// A name server on the server's host, which the client asks after those that it has.
pub(crate) fn add_name_server(net: &mut Net, text: &str) -> Fd {
    net.client.stack.add_name_server(ip(text)).unwrap();
    name_server(net, text)
}

/// A socket of the server's for questions to one of its addresses, which it gets if it is new.
pub(crate) fn name_server(net: &mut Net, text: &str) -> Fd {
    let address = SocketAddr::new(ip(text), 53);
    let server = &mut net.server;
    let stack = &mut server.stack;
    let prefix_len = if address.is_ipv4() { 24 } else { 64 };
    match stack.add_address(server.interface, address.ip(), prefix_len) {
        Ok(()) | Err(Error::AddrInUse) => {}
        Err(error) => panic!("{text}: {error}"),
    }
    let fd = stack.socket(domain_of(address), Type::Datagram).unwrap();
    stack.bind(fd, address).unwrap();
    fd
}

/// The questions that have come to a server's socket.
pub(crate) fn questions(host: &mut Host, server: Fd) -> Vec<Question> {
    let mut buffer = [0; 512];
    let receive = || {
        let received = host.stack.recvfrom(server, &mut buffer).ok()?;
        Some(Question {
            octets: buffer[..received.len].to_vec(),
            from: received.from,
        })
    };
    std::iter::from_fn(receive).collect()
}

/// Sends a message from a socket of the server's.
pub(crate) fn say(net: &mut Net, socket: Fd, message: &[u8], to: SocketAddr) {
    net.server.stack.sendto(socket, message, to).unwrap();
}

/// Answers these questions.
pub(crate) fn reply(
    net: &mut Net,
    server: Fd,
    questions: &[Question],
    answer: impl Fn(&Question) -> Vec<u8>,
) {
    for question in questions {
        say(net, server, &answer(question), question.from);
    }
    net.run();
}

/// Answers the questions that have come; says how many there were.
pub(crate) fn serve(net: &mut Net, server: Fd, answer: impl Fn(&Question) -> Vec<u8>) -> usize {
    let all = questions(&mut net.server, server);
    reply(net, server, &all, answer);
    all.len()
}

pub(crate) fn resolve(net: &mut Net, name: &str) -> Lookup {
    let lookup = net.client.stack.resolve(name).unwrap();
    net.run();
    lookup
}

pub(crate) fn resolved(net: &mut Net, lookup: Lookup) -> Result<Vec<IpAddr>, Error> {
    let resolved = net.client.stack.resolved(lookup);
    resolved.map(|addresses| addresses.to_vec())
}

pub(crate) fn is_pending(net: &mut Net, lookup: Lookup) -> bool {
    let (_, is_pending) = net.client.stack.resolved_so_far(lookup).unwrap();
    is_pending
}

/// Both questions of a lookup have come to this server, and its answers are what the lookup gives.
pub(crate) fn is_answered_by(net: &mut Net, server: Fd, lookup: Lookup) {
    assert_eq!(serve(net, server, Question::address), 2);
    assert_eq!(resolved(net, lookup), Ok(BOTH.to_vec()));
}

/// Whether a new lookup gets its answers: nothing that came before is in the way.
pub(crate) fn still_works(net: &mut Net, server: Fd) {
    questions(&mut net.server, server);
    let lookup = resolve(net, NAME);
    net.run_for(Time::from_millis(1_500));
    serve(net, server, Question::address);
    assert_eq!(resolved(net, lookup), Ok(BOTH.to_vec()));
}
