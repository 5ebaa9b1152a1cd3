//! The largest packet that the way to a host takes, where routers have said that it is less than what the link takes (RFC 1191,
//! RFC 8201). Remembered for each destination, for ten minutes; then the link's is tried again.

use heapless::Vec;
use smoltcp::iface::{Config, Interface};
use smoltcp::socket::tcp::State;
use smoltcp::time::{Duration, Instant};
use smoltcp::wire::HardwareAddress;

mod too_big;

use super::amend::unacknowledged;
use super::connection::Connection;
use super::fd::Socket;
use super::frame::before;
use super::header::Part;
use super::ip::IpAddr;
use super::option::Options;
use super::sequence::Secret;
use super::slot::Kind;
use super::{Fd, Stack};
use crate::trace::Observer;
use crate::{Error, Result};

/// Destinations that are remembered; further ones take the place of the one that is forgotten next.
const DESTINATIONS: usize = if cfg!(feature = "std") { 64 } else { 4 };

/// Linux's `mtu_expires`; RFC 1191 §6.3 and RFC 8201 §4 ask for five minutes at least, and propose ten.
const LIFETIME: Duration = Duration::from_secs(600);

/// Linux's `min_pmtu`: who claims less is not obeyed, for it is more often an attack than a link (RFC 5927 §7.2).
const LEAST_IPV4: u16 = 552;
/// RFC 8200 §5.
const LEAST_IPV6: u16 = 1_280;

/// The MTUs that there are on the way, for routers that do not say which it is (RFC 1191 §7, table 7-1).
const PLATEAUS: [u16; 9] = [32_000, 17_914, 8_166, 4_352, 2_002, 1_492, 1_006, 508, 296];

/// Octets of a packet that no way is too narrow for.
const SHORT: usize = LEAST_IPV4 as usize;

/// How long an error about a reply may be on its way.
const ROUND_TRIP: Duration = Duration::from_secs(5);

/// What a router's message means: the packet was so long, and the next hop takes so much (0 from an IPv4 router that does not
/// say). `None` where it cannot be true, as what it did not take would have fitted (RFC 5927 §7.2), or every link takes more
/// (RFC 8201 §4).
pub(super) fn mtu_of(destination: IpAddr, packet_len: usize, next_hop: u32) -> Option<u16> {
    let mtu = match (destination, next_hop) {
        (IpAddr::V4(_), 0) => *PLATEAUS
            .iter()
            .find(|plateau| usize::from(**plateau) < packet_len)?,
        _ => u16::try_from(next_hop).ok()?,
    };
    let mtu = match destination {
        IpAddr::V4(_) => mtu.max(LEAST_IPV4),
        IpAddr::V6(_) if mtu < LEAST_IPV6 => return None,
        IpAddr::V6(_) => mtu,
    };
    (usize::from(mtu) < packet_len).then_some(mtu)
}

/// What is known of the way to a destination.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Path {
    destination: IpAddr,
    mtu: u16,
    expires: Instant,
}

/// The paths that are narrower than their first link.
#[derive(Debug, Default)]
pub(super) struct Paths {
    known: Vec<Path, DESTINATIONS>,
    /// Whom the last long echo reply was for, and when.
    answered: Option<(IpAddr, Instant)>,
}

impl Paths {
    pub(super) const fn new() -> Paths {
        Paths {
            known: Vec::new(),
            answered: None,
        }
    }

    /// The path to a destination takes no more than this. Says whether that is less than what was known.
    pub(super) fn lower(&mut self, destination: IpAddr, mtu: u16, now: Instant) -> bool {
        self.known.retain(|path| now < path.expires);
        let expires = now + LIFETIME;
        let known = self
            .known
            .iter_mut()
            .find(|path| path.destination == destination);
        if let Some(known) = known {
            if mtu >= known.mtu {
                return false;
            }
            (known.mtu, known.expires) = (mtu, expires);
            return true;
        }
        if self.known.is_full() {
            let first = self
                .known
                .iter()
                .enumerate()
                .min_by_key(|(_, path)| path.expires);
            if let Some((index, _)) = first {
                self.known.swap_remove(index);
            }
        }
        let path = Path {
            destination,
            mtu,
            expires,
        };
        self.known.push(path).is_ok()
    }

    /// What the path to a destination takes, and until when that is known; none where it is not known to be less than the link
    /// takes.
    #[inline]
    pub(super) fn get(&self, destination: IpAddr, now: Instant) -> Option<(u16, Instant)> {
        if self.known.is_empty() {
            return None;
        }
        let path = self
            .known
            .iter()
            .find(|path| path.destination == destination)?;
        (now < path.expires).then_some((path.mtu, path.expires))
    }

    /// An echo reply of this length leaves: a way may be too narrow for it.
    pub(super) fn note_answer(&mut self, destination: IpAddr, len: usize, now: Instant) {
        if len > SHORT {
            self.answered = Some((destination, now));
        }
    }

    /// Whether somebody has just been sent a long echo reply, for which a way may be too narrow.
    fn has_answered(&self, destination: IpAddr, now: Instant) -> bool {
        let is_it = |(to, at): (IpAddr, _)| to == destination && now < at + ROUND_TRIP;
        self.answered.is_some_and(is_it)
    }

    /// Nobody is to cut what leaves: a router says what fits.
    pub(super) fn whole(&self, _: &mut Secret) -> Part {
        Part::Whole
    }
}

/// How much shorter packets a connection sends than its link takes, and why.
pub(super) struct Narrow {
    /// The largest packet that the way to the peer is known to take.
    path: u16,
    /// Octets of a segment's payload that the application asked for.
    maximum_segment_size: Option<u16>,
    /// It sends shorter packets than its link takes.
    is_narrow: bool,
    /// Until when a router is believed that the way takes no more.
    until: Option<Instant>,
    /// What is under way is too long for it, and is to be sent again.
    resend: bool,
}

impl Narrow {
    pub(super) const NOT: Narrow = Narrow {
        path: 0,
        maximum_segment_size: None,
        is_narrow: false,
        until: None,
        resend: false,
    };

    /// As an application asked for.
    pub(super) fn of(options: &Options) -> Narrow {
        Narrow {
            maximum_segment_size: options.maximum_segment_size,
            ..Narrow::NOT
        }
    }

    /// Whether smoltcp does not see to it by itself.
    pub(super) fn wants_care(&self) -> bool {
        self.is_narrow || self.resend
    }
}

impl Connection {
    /// The largest packet that the way to the peer is known to take.
    pub(super) fn path_mtu(&self) -> u16 {
        self.narrow.path
    }

    /// The link takes so much, and the way behind it perhaps less.
    fn set_mtu(&mut self, link: usize, path: Option<(u16, Instant)>) {
        let link = u16::try_from(link).unwrap_or(u16::MAX);
        self.narrow.until = path.map(|(_, until)| until);
        self.narrow.path = path.map_or(link, |(mtu, _)| mtu.min(link));
        let wanted = self
            .narrow
            .maximum_segment_size
            .map_or(u16::MAX, |size| size.saturating_add(self.headers()));
        self.mtu = self.narrow.path.min(wanted);
        self.narrow.is_narrow = self.mtu < link;
    }
}

impl<'a, O: Observer> Stack<'a, O> {
    /// Finds out what the way to a connection's peer takes.
    pub(super) fn find_path(&mut self, slot: u16) {
        let now = self.now;
        let place = &mut self.slots[usize::from(slot)];
        let interface = self.interfaces.get(place.interface);
        let link = interface.map_or(0, |interface| interface.mtu);
        if let Kind::Connection(connection) = &mut place.kind {
            let path = self.paths.get(connection.flow.remote.addr, now);
            connection.set_mtu(link, path);
        }
    }

    /// Before a slot is polled: what was known of its path may be too old.
    #[inline]
    pub(super) fn forget_path(&mut self, slot: u16) {
        let connection = self.slots[usize::from(slot)].connection();
        let until = connection.and_then(|connection| connection.narrow.until);
        if until.is_some_and(|until| self.now >= until) {
            self.find_path(slot);
        }
    }

    /// A router has said, believably, what the way to a destination takes. What is under way there and longer is lost, and is
    /// sent again (RFC 1191 §6.4).
    fn lower_path(&mut self, destination: IpAddr, mtu: u16) {
        if !self.paths.lower(destination, mtu, self.now) {
            return;
        }
        for slot in 0..self.slots.len() as u16 {
            let Some((socket, connection)) = self.slots[usize::from(slot)].tcp_ref() else {
                continue;
            };
            if !connection.routed || connection.flow.remote.addr != destination {
                continue;
            }
            let (old, next) = (connection.mtu, connection.next);
            let is_under_way = unacknowledged(socket, connection)
                .is_some_and(|first| before(first, next) && socket.send_queue() > 0);
            self.find_path(slot);
            if let Kind::Connection(connection) = &mut self.slots[usize::from(slot)].kind {
                connection.narrow.resend |= connection.mtu < old && is_under_way;
            }
            self.make_due(slot);
        }
    }

    /// An interface that sends no longer packets than a connection may, where that is less than its own takes. smoltcp has one
    /// size for all.
    #[inline]
    pub(super) fn narrowed(&self, index: u8, slot: u16) -> Option<Interface> {
        let connection = self.slots[usize::from(slot)].connection()?;
        let interface = self.interfaces.get(index)?;
        let mtu = usize::from(connection.mtu);
        if mtu >= interface.mtu {
            return None;
        }
        let mut config = Config::new(HardwareAddress::Ip);
        config.random_seed = 1; // nothing is drawn from it
        let mut packets = interface.packets.with_mtu(mtu);
        let mut narrow = Interface::new(config, &mut packets, self.now);
        narrow.set_any_ip(true);
        Some(narrow)
    }

    /// What `getsockopt` says of the path to a socket's peer.
    pub(super) fn path_mtu_of(&mut self, fd: Fd) -> Result<u16> {
        if let Some(connection) = self.connection_of(fd) {
            return match connection.state {
                State::Closed => Err(Error::NotConnected),
                _ => Ok(connection.path_mtu()),
            };
        }
        let row = self.descriptors.get(fd)?;
        let Socket::Datagram {
            peer: Some(peer), ..
        } = row.socket
        else {
            return Err(Error::NotConnected);
        };
        let link = self.route(row.local.addr, peer.addr)?.mtu;
        let link = u16::try_from(link).unwrap_or(u16::MAX);
        Ok(self.path_mtu(peer.addr).map_or(link, |mtu| mtu.min(link)))
    }

    /// Where all that is under way is to be sent again: when its timer would expire, which makes smoltcp do that.
    pub(super) fn resends_at(&mut self, slot: u16) -> Option<Instant> {
        let (socket, connection) = self.slots[usize::from(slot)].tcp()?;
        let is_over = matches!(socket.state(), State::Closed | State::TimeWait);
        if !core::mem::take(&mut connection.narrow.resend) || is_over || connection.window == 0 {
            return None;
        }
        connection.countdown.at()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use core::net::{Ipv4Addr, Ipv6Addr};
    use proptest::prelude::*;

    const V4: IpAddr = IpAddr::V4(Ipv4Addr::new(192, 0, 2, 1));
    const V6: IpAddr = IpAddr::V6(Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, 1));

    #[test]
    fn a_router_that_does_not_say_how_much_is_taken_by_the_plateaus() {
        assert_eq!(mtu_of(V4, 1_500, 0), Some(1_492));
        assert_eq!(mtu_of(V4, 1_492, 0), Some(1_006));
        assert_eq!(mtu_of(V4, 1_006, 0), Some(552));
        assert_eq!(mtu_of(V4, 552, 0), None);
        assert_eq!(mtu_of(V6, 1_500, 0), None);
    }

    #[test]
    fn what_cannot_be_is_not_believed() {
        assert_eq!(mtu_of(V4, 1_500, 1_280), Some(1_280));
        assert_eq!(mtu_of(V4, 1_280, 1_280), None);
        assert_eq!(mtu_of(V4, 1_280, 1_500), None);
        assert_eq!(mtu_of(V4, 1_280, u32::MAX), None);
        assert_eq!(mtu_of(V4, 1_500, 68), Some(552));
        assert_eq!(mtu_of(V6, 1_500, 1_280), Some(1_280));
        assert_eq!(mtu_of(V6, 1_500, 1_279), None);
        assert_eq!(mtu_of(V6, 1_280, 1_000), None);
    }

    #[test]
    fn it_is_never_raised_and_forgotten_after_ten_minutes() {
        let mut paths = Paths::new();
        let at = Instant::from_secs;
        assert!(paths.lower(V4, 1_400, at(0)));
        assert!(!paths.lower(V4, 1_450, at(1)));
        assert_eq!(paths.get(V4, at(599)), Some((1_400, at(600))));
        assert!(paths.lower(V4, 1_300, at(599)));
        assert_eq!(paths.get(V4, at(600)), Some((1_300, at(1_199))));
        assert_eq!(paths.get(V4, at(1_199)), None);
        assert!(paths.lower(V4, 1_450, at(1_199)));
        assert_eq!(paths.get(V6, at(0)), None);
    }

    #[test]
    fn the_one_that_is_forgotten_next_makes_room() {
        let mut paths = Paths::new();
        let host = |number: usize| IpAddr::V4(Ipv4Addr::from_bits(number as u32));
        for number in 0..=DESTINATIONS {
            assert!(paths.lower(host(number), 1_000, Instant::from_secs(number as i64)));
        }
        let now = Instant::from_secs(DESTINATIONS as i64);
        assert_eq!(paths.get(host(0), now), None);
        assert!((1..=DESTINATIONS).all(|number| paths.get(host(number), now).is_some()));
    }

    proptest! {
        #[test]
        fn whatever_is_claimed_the_mtu_is_less_than_the_packet_and_no_less_than_the_least(
            len in any::<u16>(),
            next_hop in any::<u32>(),
        ) {
            for (destination, least) in [(V4, LEAST_IPV4), (V6, LEAST_IPV6)] {
                if let Some(mtu) = mtu_of(destination, usize::from(len), next_hop) {
                    prop_assert!(mtu >= least && mtu < len);
                }
            }
        }
    }
}
