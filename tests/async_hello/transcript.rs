//! What was said and sent, such that two runs can be compared.

use std::{
    collections::BTreeMap,
    fmt,
    net::SocketAddr,
    sync::{Arc, Mutex, PoisonError},
};

use glasstack::trace::{
    Capture, Direction, Happening,
    dissect::{Dissection, Network, Tcp, Transport},
};

/// The lines that one of the application's functions says.
#[derive(Clone, Default)]
pub(crate) struct Lines(Arc<Mutex<Vec<String>>>);

impl Lines {
    pub(crate) fn say(
        &self,
    ) -> impl Fn(fmt::Arguments<'_>) + Clone + Send + Sync + 'static + use<> {
        let lines = self.0.clone();
        move |line| {
            let mut lines = lines.lock().unwrap_or_else(PoisonError::into_inner);
            lines.push(line.to_string());
        }
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.0.lock().expect("nobody panicked").is_empty()
    }

    /// What was said; only the ports that a stack draws are different each time.
    pub(crate) fn taken(&self) -> Vec<String> {
        let lines = self.0.lock().expect("nobody panicked");
        lines.iter().map(|line| without_ports(line)).collect()
    }
}

/// Ephemeral ports (49152 to 65535) are the only numbers of five digits.
pub(crate) fn without_ports(line: &str) -> String {
    let mut result = String::new();
    let mut rest = line;
    while let Some(start) = rest.find(|c: char| c.is_ascii_digit()) {
        let (before, number) = rest.split_at(start);
        let end = number
            .find(|c: char| !c.is_ascii_digit())
            .unwrap_or(number.len());
        let (number, after) = number.split_at(end);
        result += before;
        result += if number.len() == 5 { "PORT" } else { number };
        rest = after;
    }
    result + rest
}

/// The lines of the four functions, as they are said.
#[derive(Clone, Default)]
pub(crate) struct Said {
    pub(crate) tcp_server: Lines,
    pub(crate) tcp_client: Lines,
    pub(crate) udp_server: Lines,
    pub(crate) udp_client: Lines,
}

/// All that was said, and all that was sent: of each TCP connection what its ends sent, put together from the segments; of
/// each pair of UDP sockets the datagrams, in order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Transcript {
    tcp_server: Vec<String>,
    tcp_client: Vec<String>,
    udp_server: Vec<String>,
    udp_client: Vec<String>,
    /// To the server, and back.
    connections: Vec<[String; 2]>,
    datagrams: Vec<[Vec<String>; 2]>,
}

impl Transcript {
    /// A literal one.
    pub(crate) fn of(
        tcp_server: &[&str],
        tcp_client: &[&str],
        udp_server: &[&str],
        udp_client: &[&str],
        connections: &[[&str; 2]],
        datagrams: &[[&[&str]; 2]],
    ) -> Transcript {
        let owned = |lines: &[&str]| lines.iter().map(ToString::to_string).collect::<Vec<_>>();
        Transcript {
            tcp_server: owned(tcp_server),
            tcp_client: owned(tcp_client),
            udp_server: owned(udp_server),
            udp_client: owned(udp_client),
            connections: connections
                .iter()
                .map(|ways| ways.map(str::to_owned))
                .collect(),
            datagrams: datagrams.iter().map(|ways| ways.map(owned)).collect(),
        }
    }

    /// Of a run that is over.
    pub(crate) fn taken(said: &Said, capture: &Capture) -> Transcript {
        assert_eq!(capture.left_out(), 0);
        let (connections, datagrams) = sent(capture);
        Transcript {
            tcp_server: said.tcp_server.taken(),
            tcp_client: said.tcp_client.taken(),
            udp_server: said.udp_server.taken(),
            udp_client: said.udp_client.taken(),
            connections,
            datagrams,
        }
    }

    /// What a bad link cannot change: the UDP server answers whatever is asked again.
    pub(crate) fn without_udp(&self) -> Transcript {
        Transcript {
            udp_server: Vec::new(),
            datagrams: Vec::new(),
            ..self.clone()
        }
    }

    /// Whether the datagrams are these, each once or several times.
    pub(crate) fn udp_is_repeated(&self, questions: &[&str], answers: &[&str]) -> bool {
        let asked = |way: &[String], wanted: &[&str]| {
            let mut way = way.to_vec();
            way.dedup();
            way == wanted
        };
        // An answer that comes late may follow that to the next question: in any order.
        let answered = |way: &[String], wanted: &[&str]| {
            wanted
                .iter()
                .all(|wanted| way.iter().any(|one| one == wanted))
                && way.iter().all(|one| wanted.contains(&one.as_str()))
        };
        let mut datagrams = self.datagrams.iter();
        datagrams.all(|[there, back]| asked(there, questions) && answered(back, answers))
    }
}

/// One direction of a TCP connection.
#[derive(Default)]
struct Stream {
    /// The sequence number of the first octet.
    start: u32,
    octets: Vec<Option<u8>>,
}

impl Stream {
    fn segment(&mut self, tcp: &Tcp<'_>) {
        if tcp.has(Tcp::SYN) {
            self.start = tcp.sequence.wrapping_add(1);
        }
        let offset = tcp.sequence.wrapping_sub(self.start) as usize;
        for (place, octet) in (offset..).zip(tcp.payload) {
            if self.octets.len() <= place {
                self.octets.resize(place + 1, None);
            }
            let known = self.octets[place].replace(*octet);
            assert!(
                known.is_none_or(|known| known == *octet),
                "sent again, and not the same"
            );
        }
    }

    fn text(&self) -> String {
        let octets: Option<Vec<u8>> = self.octets.iter().copied().collect();
        String::from_utf8(octets.expect("no octet is missing")).expect("text")
    }
}

type Ends = (SocketAddr, SocketAddr);

/// What the connections and the UDP sockets sent, in the order of their first frames.
fn sent(capture: &Capture) -> (Vec<[String; 2]>, Vec<[Vec<String>; 2]>) {
    let mut streams = BTreeMap::<Ends, Stream>::new();
    let mut datagrams = BTreeMap::<Ends, Vec<String>>::new();
    let (mut connected, mut asked) = (Vec::new(), Vec::new());
    for captured in capture {
        let Happening::Frame {
            direction: Direction::Out,
            medium,
            bytes,
        } = captured.event().happening
        else {
            continue;
        };
        let Network::Ip(packet) = Dissection::parse(medium, bytes).network else {
            continue;
        };
        let (source, destination) = (packet.ip.source(), packet.ip.destination());
        match packet.transport {
            Transport::Tcp(tcp) => {
                let ends = (
                    (source, tcp.source_port).into(),
                    (destination, tcp.destination_port).into(),
                );
                if !streams.contains_key(&ends) && tcp.destination_port == 9999 {
                    connected.push(ends);
                }
                streams.entry(ends).or_default().segment(&tcp);
            }
            Transport::Udp(udp) => {
                let ends = (
                    (source, udp.source_port).into(),
                    (destination, udp.destination_port).into(),
                );
                if !datagrams.contains_key(&ends) && udp.destination_port == 9999 {
                    asked.push(ends);
                }
                let text = String::from_utf8(udp.payload.to_vec()).expect("text");
                datagrams.entry(ends).or_default().push(text);
            }
            _ => {}
        }
    }
    let mut stream = |ends| streams.remove(&ends).unwrap_or_default().text();
    let connections = connected
        .into_iter()
        .map(|(here, there)| [stream((here, there)), stream((there, here))]);
    let connections = connections.collect();
    let mut way = |ends| datagrams.remove(&ends).unwrap_or_default();
    let pairs = asked
        .into_iter()
        .map(|(here, there)| [way((here, there)), way((there, here))]);
    (connections, pairs.collect())
}
