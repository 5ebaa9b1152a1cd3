//! Whom to ask: the name servers that the user names, and those that the networks name.

use core::net;

use heapless::Vec;

use crate::stack::dns::MAX_SERVERS;
use crate::stack::flow::to_smoltcp;
use crate::stack::ip::{self, IpAddr};
use crate::stack::{InterfaceId, Stack};
use crate::trace::Observer;
use crate::{Error, Limit, Result};

/// Name servers that the user names; the rest of [`MAX_SERVERS`] is for those that are learned.
const NAME_SERVERS: usize = 4;

/// A name server, and the interface that it was learned on, if it was.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Server {
    pub(super) addr: IpAddr,
    learned_on: Option<u8>,
}

impl Server {
    /// Whether two are one host: a link-local address names another one on each link.
    pub(super) fn is_same(&self, other: &Server) -> bool {
        self.addr == other.addr && self.link() == other.link()
    }

    /// The link that the address belongs to, if it is of that link alone.
    pub(super) fn link(&self) -> Option<u8> {
        match self.addr {
            IpAddr::V6(v6) if v6.is_unicast_link_local() => self.learned_on,
            _ => None,
        }
    }
}

pub(super) type Servers = Vec<Server, MAX_SERVERS>;

impl<O: Observer> Stack<'_, O> {
    /// Adds a name server; they are asked in order, before those that are
    /// [learned](Stack::set_learned_name_servers). [`Error::Exhausted`] beyond four.
    pub fn add_name_server(&mut self, server: net::IpAddr) -> Result<()> {
        if server.is_unspecified() || server.is_multicast() {
            return Err(Error::InvalidArgument);
        }
        let server = ip::inward(server)?;
        to_smoltcp(server).ok_or(Error::AddressFamilyNotSupported)?;
        let servers = &mut self.resolver.servers;
        let is_users = |server: &&Server| server.learned_on.is_none();
        let count = servers.iter().filter(is_users).count();
        if count >= NAME_SERVERS {
            return Err(Error::Exhausted(Limit::NameServers));
        }
        if servers.is_full() {
            servers.pop();
        }
        let added = Server {
            addr: server,
            learned_on: None,
        };
        let added = servers.insert(count, added);
        added.map_err(|_| Error::Exhausted(Limit::NameServers))
    }

    /// The name servers that an interface's network names, by DHCP (RFC 2132 §3.8) or in router advertisements
    /// (RFC 8106 §5.1), in place of those that it named before. They come after the user's, and those of which there is no
    /// address in this build, or no room for, are left out. Lookups under way go on with those that they began with.
    pub fn set_learned_name_servers(&mut self, interface: InterfaceId, servers: &[net::IpAddr]) {
        let all = &mut self.resolver.servers;
        all.retain(|server| server.learned_on != Some(interface.0));
        for addr in servers.iter().filter_map(|&addr| ip::inward(addr).ok()) {
            let server = Server {
                addr,
                learned_on: Some(interface.0),
            };
            let is_usable = !addr.is_unspecified() && !addr.is_multicast();
            if is_usable && to_smoltcp(addr).is_some() && !all.contains(&server) {
                let _ = all.push(server);
            }
        }
    }

    /// The name servers that a link's DHCP server and its routers name.
    pub(in crate::stack) fn learn_name_servers(&mut self, index: u8) {
        let mut servers: Vec<net::IpAddr, MAX_SERVERS> = Vec::new();
        let interface = InterfaceId(index);
        for server in self.leased_name_servers(interface) {
            let _ = servers.push((*server).into());
        }
        #[cfg(feature = "ipv6")]
        for server in self.advertised_name_servers(interface) {
            let _ = servers.push(server);
        }
        self.set_learned_name_servers(interface, &servers);
    }
}
