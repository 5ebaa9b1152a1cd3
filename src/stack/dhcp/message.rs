//! DHCP messages (RFC 2131 §2, RFC 2132): how a client's is written, and what is read of a server's.

use core::mem;
use core::net::Ipv4Addr;

use heapless::Vec;

use crate::stack::datagram::gather;

/// Where a client hears its server.
pub(crate) const CLIENT_PORT: u16 = 68;
/// Where a server hears its clients.
pub(crate) const SERVER_PORT: u16 = 67;

/// Octets of every message that is sent: BOOTP's, as some relays and servers drop shorter ones (RFC 1542 §2.1).
pub(crate) const MESSAGE_LEN: usize = 300;

/// Servers of a kind that are remembered; further ones are left out.
const SERVERS: usize = 4;

/// Addresses in the server's order of preference.
pub(super) type Servers = Vec<Ipv4Addr, SERVERS>;

const BOOT_REQUEST: u8 = 1;
const BOOT_REPLY: u8 = 2;
const ETHERNET: u8 = 1;
const ETHERNET_ADDRESS_LEN: u8 = 6;
const BROADCAST_FLAG: u16 = 0x8000;
const MAGIC_COOKIE: [u8; 4] = [99, 130, 83, 99];

/// The options of RFC 2132 that are written or read.
mod option {
    pub(super) const PAD: u8 = 0;
    pub(super) const SUBNET_MASK: u8 = 1;
    pub(super) const ROUTER: u8 = 3;
    pub(super) const DOMAIN_NAME_SERVER: u8 = 6;
    pub(super) const INTERFACE_MTU: u8 = 26;
    pub(super) const REQUESTED_ADDRESS: u8 = 50;
    pub(super) const LEASE_TIME: u8 = 51;
    pub(super) const OVERLOAD: u8 = 52;
    pub(super) const MESSAGE_TYPE: u8 = 53;
    pub(super) const SERVER_IDENTIFIER: u8 = 54;
    pub(super) const PARAMETER_REQUEST_LIST: u8 = 55;
    pub(super) const MAXIMUM_MESSAGE_SIZE: u8 = 57;
    pub(super) const RENEWAL_TIME: u8 = 58;
    pub(super) const REBINDING_TIME: u8 = 59;
    pub(super) const CLIENT_IDENTIFIER: u8 = 61;
    pub(super) const END: u8 = 255;
}

/// What a server is asked for: all that a [`Lease`](super::Lease) is made of.
const PARAMETERS: [u8; 8] = [
    option::SUBNET_MASK,
    option::ROUTER,
    option::DOMAIN_NAME_SERVER,
    option::INTERFACE_MTU,
    option::LEASE_TIME,
    option::SERVER_IDENTIFIER,
    option::RENEWAL_TIME,
    option::REBINDING_TIME,
];

/// The DHCP message types (RFC 2132 §9.6) between a client that wants an address and its server.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum MessageType {
    Discover = 1,
    Offer = 2,
    Request = 3,
    Decline = 4,
    Ack = 5,
    Nak = 6,
    Release = 7,
}

/// A client's name for itself (RFC 2132 §9.14): its kind of link and its address there.
pub(super) fn client_identifier(hardware_address: [u8; 6]) -> [u8; 7] {
    let [a, b, c, d, e, f] = hardware_address;
    [ETHERNET, a, b, c, d, e, f]
}

/// A client's message.
#[derive(Debug)]
pub(super) struct Request {
    pub(super) message_type: MessageType,
    pub(super) xid: u32,
    pub(super) secs: u16,
    /// The answer is to be broadcast.
    pub(super) broadcast: bool,
    /// `ciaddr`: the address that the client has, else 0.0.0.0.
    pub(super) client_address: Ipv4Addr,
    pub(super) requested: Option<Ipv4Addr>,
    pub(super) server: Option<Ipv4Addr>,
    /// The longest message that may come in answer; where none is to come, no parameters are asked for either.
    pub(super) longest_answer: Option<u16>,
}

impl Request {
    /// One that says nothing yet but what it is.
    pub(super) fn new(message_type: MessageType, xid: u32) -> Request {
        Request {
            message_type,
            xid,
            secs: 0,
            broadcast: false,
            client_address: Ipv4Addr::UNSPECIFIED,
            requested: None,
            server: None,
            longest_answer: None,
        }
    }

    /// Writes it for a client, padded to its length.
    pub(super) fn write(&self, hardware_address: [u8; 6], message: &mut [u8; MESSAGE_LEN]) {
        let flags = if self.broadcast { BROADCAST_FLAG } else { 0 };
        message.fill(option::PAD);
        let mut fields = Writer(message);
        fields.put(&[BOOT_REQUEST, ETHERNET, ETHERNET_ADDRESS_LEN, 0]);
        fields.put(&self.xid.to_be_bytes());
        fields.put(&self.secs.to_be_bytes());
        fields.put(&flags.to_be_bytes());
        fields.put(&self.client_address.octets());
        fields.put(&[0; 12]); // yiaddr, siaddr, giaddr
        fields.put(&hardware_address);
        fields.put(&[0; 10]); // the rest of chaddr
        fields.put(&[0; 64 + 128]); // sname, file
        fields.put(&MAGIC_COOKIE);
        fields.option(option::MESSAGE_TYPE, &[self.message_type as u8]);
        let identifier = client_identifier(hardware_address);
        fields.option(option::CLIENT_IDENTIFIER, &identifier);
        if let Some(address) = self.requested {
            fields.option(option::REQUESTED_ADDRESS, &address.octets());
        }
        if let Some(server) = self.server {
            fields.option(option::SERVER_IDENTIFIER, &server.octets());
        }
        if let Some(len) = self.longest_answer {
            fields.option(option::MAXIMUM_MESSAGE_SIZE, &len.to_be_bytes());
            fields.option(option::PARAMETER_REQUEST_LIST, &PARAMETERS);
        }
        fields.put(&[option::END]);
    }
}

/// What is left of a message to be written. The longest request has room to spare.
struct Writer<'m>(&'m mut [u8]);

impl Writer<'_> {
    fn put(&mut self, octets: &[u8]) {
        if let Some((place, rest)) = mem::take(&mut self.0).split_at_mut_checked(octets.len()) {
            gather(&[octets], place);
            self.0 = rest;
        }
    }

    fn option(&mut self, code: u8, data: &[u8]) {
        self.put(&[code, data.len() as u8]);
        self.put(data);
    }
}

/// A server's message. What is in it has the right form; whether it makes sense is not looked at.
#[derive(Debug)]
pub(super) struct Reply<'m> {
    pub(super) message_type: MessageType,
    pub(super) xid: u32,
    /// `chaddr`: whom it is for.
    pub(super) hardware_address: [u8; 6],
    /// `yiaddr`: the address that is given.
    pub(super) your_address: Ipv4Addr,
    pub(super) options: Options<'m>,
}

/// The options of a server's message.
#[derive(Debug, Default)]
pub(super) struct Options<'m> {
    message_type: Option<MessageType>,
    overload: Option<u8>,
    pub(super) client_identifier: Option<&'m [u8]>,
    pub(super) server: Option<Ipv4Addr>,
    pub(super) subnet_mask: Option<Ipv4Addr>,
    pub(super) routers: Servers,
    pub(super) name_servers: Servers,
    pub(super) mtu: Option<u16>,
    /// Seconds, as the next two.
    pub(super) lease_time: Option<u32>,
    pub(super) renewal_time: Option<u32>,
    pub(super) rebinding_time: Option<u32>,
}

impl<'m> Reply<'m> {
    /// `None` unless it is an offer, an acknowledgment or a refusal to an Ethernet client, well-formed to its end.
    pub(super) fn parse(message: &'m [u8]) -> Option<Reply<'m>> {
        let mut fields = Reader(message);
        let &[op, hardware_type, hardware_len, _hops] = fields.take()?;
        let xid = u32::from_be_bytes(*fields.take()?);
        let _secs_flags_ciaddr = fields.take::<8>()?;
        let your_address = Ipv4Addr::from(*fields.take::<4>()?);
        let _siaddr_giaddr = fields.take::<8>()?;
        let hardware_address = *fields.take()?;
        let _rest_of_chaddr = fields.take::<10>()?;
        let sname = fields.take::<64>()?;
        let file = fields.take::<128>()?;
        let cookie = fields.take()?;
        let is_for_ethernet = (hardware_type, hardware_len) == (ETHERNET, ETHERNET_ADDRESS_LEN);
        if op != BOOT_REPLY || !is_for_ethernet || *cookie != MAGIC_COOKIE {
            return None;
        }
        let mut options = Options::default();
        options.read(fields.0)?;
        // RFC 2132 §9.3, and RFC 2131 §4.1 for the order.
        let overload = options.overload.unwrap_or(0);
        if overload & 1 != 0 {
            options.read(file)?;
        }
        if overload & 2 != 0 {
            options.read(sname)?;
        }
        Some(Reply {
            message_type: options.message_type?,
            xid,
            hardware_address,
            your_address,
            options,
        })
    }
}

impl<'m> Options<'m> {
    /// Reads a field of options up to its END, without which something was cut off.
    fn read(&mut self, field: &'m [u8]) -> Option<()> {
        let mut fields = Reader(field);
        loop {
            match fields.take()? {
                [option::PAD] => {}
                [option::END] => return Some(()),
                &[code] => {
                    let &[len] = fields.take()?;
                    self.read_one(code, fields.take_slice(usize::from(len))?)?;
                }
            }
        }
    }

    fn read_one(&mut self, code: u8, data: &'m [u8]) -> Option<()> {
        match code {
            option::SUBNET_MASK => once(&mut self.subnet_mask, address(data)),
            option::ROUTER => append(&mut self.routers, data),
            option::DOMAIN_NAME_SERVER => append(&mut self.name_servers, data),
            option::INTERFACE_MTU => {
                let mtu = data.try_into().ok().map(u16::from_be_bytes);
                once(&mut self.mtu, mtu)
            }
            option::LEASE_TIME => once(&mut self.lease_time, number(data)),
            option::RENEWAL_TIME => once(&mut self.renewal_time, number(data)),
            option::REBINDING_TIME => once(&mut self.rebinding_time, number(data)),
            option::SERVER_IDENTIFIER => once(&mut self.server, address(data)),
            option::CLIENT_IDENTIFIER => once(&mut self.client_identifier, Some(data)),
            option::OVERLOAD => {
                let fields = match data {
                    [fields @ 1..=3] => Some(*fields),
                    _ => None,
                };
                once(&mut self.overload, fields)
            }
            option::MESSAGE_TYPE => {
                let message_type = match data {
                    [2] => Some(MessageType::Offer),
                    [5] => Some(MessageType::Ack),
                    [6] => Some(MessageType::Nak),
                    _ => None,
                };
                once(&mut self.message_type, message_type)
            }
            _ => Some(()),
        }
    }
}

/// Notes a value that a message may have only one of.
fn once<T>(place: &mut Option<T>, value: Option<T>) -> Option<()> {
    match place {
        Some(_) => None,
        None => {
            *place = Some(value?);
            Some(())
        }
    }
}

/// Notes the addresses of a list. One that is given in parts is put together (RFC 2131 §4.1).
fn append(list: &mut Servers, data: &[u8]) -> Option<()> {
    let (addresses, rest) = data.as_chunks::<4>();
    if addresses.is_empty() || !rest.is_empty() {
        return None;
    }
    for octets in addresses {
        let _ = list.push(Ipv4Addr::from(*octets)); // no room: left out
    }
    Some(())
}

fn address(data: &[u8]) -> Option<Ipv4Addr> {
    let octets: [u8; 4] = data.try_into().ok()?;
    Some(octets.into())
}

fn number(data: &[u8]) -> Option<u32> {
    Some(u32::from_be_bytes(data.try_into().ok()?))
}

/// What is left of a message to be read.
struct Reader<'m>(&'m [u8]);

impl<'m> Reader<'m> {
    fn take<const N: usize>(&mut self) -> Option<&'m [u8; N]> {
        let (head, rest) = self.0.split_first_chunk()?;
        self.0 = rest;
        Some(head)
    }

    fn take_slice(&mut self, len: usize) -> Option<&'m [u8]> {
        let (head, rest) = self.0.split_at_checked(len)?;
        self.0 = rest;
        Some(head)
    }
}
