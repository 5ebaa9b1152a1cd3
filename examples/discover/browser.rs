//! What a link's services say of themselves by multicast DNS (RFC 6762), put together by DNS-SD (RFC 6763):
//!
//! ```text
//! _services._dns-sd._udp.local  PTR → _ipp._tcp.local                         which types there are
//! _ipp._tcp.local               PTR → Office Printer._ipp._tcp.local          which services of a type
//! Office Printer._ipp._tcp…     SRV → port 631 of printer.local               where one is
//! Office Printer._ipp._tcp…     TXT → "rp=ipp/print" "note=Second floor"      what else to know
//! printer.local                 A, AAAA → 192.168.69.100, fdaa:69::100        where that is
//! ```
//!
//! Without a socket: told what arrives, it says what to ask.

use std::{
    cmp::Ordering,
    collections::{BTreeMap, BTreeSet},
    fmt,
    net::IpAddr,
};

use glasstack::trace::dissect::{self, Dns, Record, RecordData};

/// Whose answers are the types (RFC 6763 §9).
const TYPES: &str = "_services._dns-sd._udp.local";

/// What is remembered at most: whoever is on the link may say anything.
const MAX_TYPES: usize = 64;
const MAX_SERVICES: usize = 256;
const MAX_ADDRESSES: usize = 16;

/// Octets of a query, which any link carries in one packet.
const MAX_QUERY: usize = 1_200;

const A: u16 = 1;
const PTR: u16 = 12;
const TXT: u16 = 16;
const AAAA: u16 = 28;
const SRV: u16 = 33;
const INTERNET: u16 = 1;
/// Of a record's class: what was heard before is over (RFC 6762 §10.2).
const CACHE_FLUSH: u16 = 0x8000;

/// A name, which is the same in capitals (RFC 6762 §16).
#[derive(Debug, Clone)]
pub(crate) struct Name(Vec<Vec<u8>>);

impl Name {
    /// Of labels with dots between them.
    pub(crate) fn new(text: &str) -> Name {
        let labels = text.split('.').filter(|label| !label.is_empty());
        Name(labels.map(|label| label.as_bytes().to_vec()).collect())
    }

    fn of(name: dissect::Name<'_>) -> Name {
        Name(name.labels().map(<[u8]>::to_vec).collect())
    }

    fn key(&self) -> impl Iterator<Item = Vec<u8>> {
        self.0.iter().map(|label| label.to_ascii_lowercase())
    }

    /// `Office Printer` of `Office Printer._ipp._tcp.local`, where the rest is this name.
    fn is_instance_of(&self, service_type: &Name) -> bool {
        match self.0.split_first() {
            Some((_, rest)) => Name(rest.to_vec()) == *service_type,
            None => false,
        }
    }

    fn write(&self, message: &mut Vec<u8>) {
        for label in &self.0 {
            // A label that came in a message is 63 octets at most; one of a command line may be longer.
            let label = label.get(..label.len().min(63)).unwrap_or_default();
            message.push(label.len() as u8);
            message.extend(label);
        }
        message.push(0);
    }
}

impl PartialEq for Name {
    fn eq(&self, other: &Name) -> bool {
        self.key().eq(other.key())
    }
}

impl Eq for Name {}

impl PartialOrd for Name {
    fn partial_cmp(&self, other: &Name) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Name {
    fn cmp(&self, other: &Name) -> Ordering {
        self.key().cmp(other.key())
    }
}

/// With what a terminal might obey escaped.
impl fmt::Display for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (number, label) in self.0.iter().enumerate() {
            let separator = if number > 0 { "." } else { "" };
            write!(f, "{separator}{}", Text(label))?;
        }
        Ok(())
    }
}

/// Text that somebody on the link chose.
struct Text<'t>(&'t [u8]);

impl fmt::Display for Text<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for character in String::from_utf8_lossy(self.0).chars() {
            match character {
                '"' | '\\' => write!(f, "\\{character}")?,
                _ if character.is_control() => write!(f, "{}", character.escape_default())?,
                _ => write!(f, "{character}")?,
            }
        }
        Ok(())
    }
}

/// A service, as far as it is known.
#[derive(Debug, Clone, Default)]
struct Service {
    /// Its host and its port there.
    place: Option<(Name, u16)>,
    /// What else it says of itself.
    text: Option<Vec<Vec<u8>>>,
}

/// The services of a link.
#[derive(Debug)]
pub(crate) struct Browser {
    /// The types that are looked for; with `is_open`, those that turn up, too.
    types: BTreeSet<Name>,
    is_open: bool,
    services: BTreeMap<Name, Service>,
    hosts: BTreeMap<Name, BTreeSet<IpAddr>>,
}

impl Browser {
    /// Looks for services of a type such as `_ipp._tcp`, or of all.
    pub(crate) fn new(service_type: Option<&str>) -> Browser {
        let types = service_type.map(|text| Name::new(&format!("{text}.local")));
        Browser {
            is_open: types.is_none(),
            types: types.into_iter().collect(),
            services: BTreeMap::new(),
            hosts: BTreeMap::new(),
        }
    }

    /// Takes in a message that came from port 5353; what is no answer, or not to what was asked, changes nothing.
    pub(crate) fn hear(&mut self, message: &[u8]) {
        let Some(dns) = Dns::parse_multicast(message) else {
            return;
        };
        // RFC 6762 §18: others are not multicast DNS.
        if !dns.is_response || dns.opcode != 0 || dns.response_code != 0 {
            return;
        }
        let records = || {
            dns.records()
                .filter(|record| record.class & !CACHE_FLUSH == INTERNET)
        };
        // In whatever order they came, each is of use only behind those that lead to it.
        for record in records() {
            self.hear_type(&record);
        }
        for record in records() {
            self.hear_instance(&record);
        }
        for record in records() {
            self.hear_service(&record);
        }
        self.forget_hosts();
        let flushed: Vec<Name> = records()
            .filter(|record| matches!(record.record_type, A | AAAA))
            .filter(|record| record.class & CACHE_FLUSH != 0)
            .map(|record| Name::of(record.name))
            .collect();
        for name in flushed {
            if let Some(addresses) = self.hosts.get_mut(&name) {
                let families: Vec<bool> = records()
                    .filter(|record| Name::of(record.name) == name)
                    .filter_map(|record| address(&record))
                    .map(|address| address.is_ipv4())
                    .collect();
                addresses.retain(|address| !families.contains(&address.is_ipv4()));
            }
        }
        for record in records() {
            self.hear_address(&record);
        }
    }

    fn hear_type(&mut self, record: &Record<'_>) {
        let RecordData::Name(service_type) = record.data else {
            return;
        };
        if !self.is_open || record.record_type != PTR || Name::of(record.name) != Name::new(TYPES) {
            return;
        }
        let service_type = Name::of(service_type);
        if is_goodbye(record) {
            self.types.remove(&service_type);
        } else if self.types.len() < MAX_TYPES {
            self.types.insert(service_type);
        }
    }

    fn hear_instance(&mut self, record: &Record<'_>) {
        let RecordData::Name(instance) = record.data else {
            return;
        };
        let (service_type, instance) = (Name::of(record.name), Name::of(instance));
        if record.record_type != PTR
            || !self.types.contains(&service_type)
            || !instance.is_instance_of(&service_type)
        {
            return;
        }
        if is_goodbye(record) {
            self.services.remove(&instance);
        } else if self.services.len() < MAX_SERVICES {
            self.services.entry(instance).or_default();
        }
    }

    fn hear_service(&mut self, record: &Record<'_>) {
        let Some(service) = self.services.get_mut(&Name::of(record.name)) else {
            return;
        };
        let is_over = is_goodbye(record);
        match (record.record_type, record.data) {
            (SRV, RecordData::Service { port, host, .. }) => {
                service.place = (!is_over).then(|| (Name::of(host), port));
            }
            (TXT, RecordData::Other(data)) => {
                service.text = (!is_over).then(|| strings(data));
            }
            _ => {}
        }
    }

    /// A host is of interest while a service is there.
    fn forget_hosts(&mut self) {
        let places = self.services.values().filter_map(|s| s.place.as_ref());
        let wanted: BTreeSet<Name> = places.map(|(host, _)| host.clone()).collect();
        self.hosts.retain(|host, _| wanted.contains(host));
        for host in wanted {
            self.hosts.entry(host).or_default();
        }
    }

    fn hear_address(&mut self, record: &Record<'_>) {
        let (Some(address), Some(addresses)) =
            (address(record), self.hosts.get_mut(&Name::of(record.name)))
        else {
            return;
        };
        if is_goodbye(record) {
            addresses.remove(&address);
        } else if addresses.len() < MAX_ADDRESSES {
            addresses.insert(address);
        }
    }

    /// What to ask now: for more of what is known, and for what of it is not known yet. What is known is told, so that nobody
    /// says it again (RFC 6762 §7.1).
    pub(crate) fn query(&self) -> Vec<u8> {
        let types = Name::new(TYPES);
        let mut questions = Vec::new();
        if self.is_open {
            questions.push((&types, PTR));
        }
        questions.extend(self.types.iter().map(|name| (name, PTR)));
        for (name, service) in &self.services {
            if service.place.is_none() {
                questions.push((name, SRV));
            }
            if service.text.is_none() {
                questions.push((name, TXT));
            }
        }
        for (name, addresses) in &self.hosts {
            if !addresses.iter().any(IpAddr::is_ipv4) {
                questions.push((name, A));
            }
            if !addresses.iter().any(IpAddr::is_ipv6) {
                questions.push((name, AAAA));
            }
        }
        let mut answers = Vec::new();
        if self.is_open {
            answers.extend(self.types.iter().map(|service_type| (&types, service_type)));
        }
        for service_type in &self.types {
            let instances = self.services.keys();
            let instances = instances.filter(|name| name.is_instance_of(service_type));
            answers.extend(instances.map(|name| (service_type, name)));
        }

        let mut message = vec![0; 12];
        let mut counts = [0u16; 2];
        for (name, record_type) in questions {
            let question = |message: &mut Vec<u8>| {
                name.write(message);
                message.extend([record_type, INTERNET].map(u16::to_be_bytes).as_flattened());
            };
            counts[0] += u16::from(fits(&mut message, question));
        }
        for (name, data) in answers {
            let answer = |message: &mut Vec<u8>| {
                name.write(message);
                message.extend([PTR, INTERNET].map(u16::to_be_bytes).as_flattened());
                // How long it is known for is not kept: the usual time (RFC 6762 §10).
                message.extend(4_500u32.to_be_bytes());
                let mut octets = Vec::new();
                data.write(&mut octets);
                message.extend((octets.len() as u16).to_be_bytes());
                message.extend(octets);
            };
            counts[1] += u16::from(fits(&mut message, answer));
        }
        for (count, place) in counts.into_iter().zip([4, 6]) {
            message[place..place + 2].copy_from_slice(&count.to_be_bytes());
        }
        message
    }

    /// How many types and services were heard of.
    pub(crate) fn count(&self) -> usize {
        self.types.len() + self.services.len()
    }

    /// The services that were heard of, by name and type.
    pub(crate) fn names(&self) -> impl Iterator<Item = &Name> {
        self.services.keys()
    }

    /// The services of which all is known that a client needs.
    pub(crate) fn resolved(&self) -> impl Iterator<Item = Resolved<'_>> {
        self.services.iter().filter_map(|(name, service)| {
            let (host, port) = service.place.as_ref()?;
            let addresses = self.hosts.get(host).filter(|known| !known.is_empty())?;
            Some(Resolved {
                name,
                host,
                port: *port,
                addresses,
                text: service.text.as_deref()?,
            })
        })
    }
}

/// A service and where it is. Its `Display` is what `avahi-browse -r` prints.
#[derive(Debug)]
pub(crate) struct Resolved<'b> {
    pub(crate) name: &'b Name,
    pub(crate) host: &'b Name,
    pub(crate) port: u16,
    pub(crate) addresses: &'b BTreeSet<IpAddr>,
    pub(crate) text: &'b [Vec<u8>],
}

impl fmt::Display for Resolved<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Resolved { name, host, .. } = self;
        writeln!(f, "= {}", Instance(name))?;
        writeln!(f, "   hostname = [{host}]")?;
        for address in self.addresses {
            writeln!(f, "   address = [{address}]")?;
        }
        writeln!(f, "   port = [{}]", self.port)?;
        let text = self.text.iter().map(|text| format!("\"{}\"", Text(text)));
        write!(f, "   txt = [{}]", text.collect::<Vec<_>>().join(" "))
    }
}

/// A service's name, and behind it its type.
pub(crate) struct Instance<'n>(pub(crate) &'n Name);

impl fmt::Display for Instance<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0.0.split_first() {
            Some((name, rest)) => write!(f, "{}  {}", Text(name), Name(rest.to_vec())),
            None => Ok(()),
        }
    }
}

/// Adds to a query what still fits into it; says whether it did.
fn fits(message: &mut Vec<u8>, write: impl FnOnce(&mut Vec<u8>)) -> bool {
    let before = message.len();
    write(message);
    let is_fitting = message.len() <= MAX_QUERY;
    if !is_fitting {
        message.truncate(before);
    }
    is_fitting
}

/// A record that is taken back (RFC 6762 §10.1).
fn is_goodbye(record: &Record<'_>) -> bool {
    record.time_to_live == 0
}

fn address(record: &Record<'_>) -> Option<IpAddr> {
    match record.data {
        RecordData::A(address) => Some(address.into()),
        RecordData::Aaaa(address) => Some(address.into()),
        _ => None,
    }
}

/// The strings of a TXT record, each behind its length (RFC 6763 §6.1); an empty one says nothing.
fn strings(mut data: &[u8]) -> Vec<Vec<u8>> {
    let mut strings = Vec::new();
    while let Some((&len, rest)) = data.split_first() {
        let (string, rest) = rest.split_at(rest.len().min(len.into()));
        if !string.is_empty() {
            strings.push(string.to_vec());
        }
        data = rest;
    }
    strings
}
