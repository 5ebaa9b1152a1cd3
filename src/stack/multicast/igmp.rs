//! A host's part of IGMPv2 (RFC 2236), and of IGMPv1 (RFC 1112) before a router of that age.

use core::net::Ipv4Addr;

use heapless::Vec;
use smoltcp::time::{Duration, Instant};
use smoltcp::wire::checksum;

use super::member::Member;
use super::{GROUPS, Random, Told};
use crate::stack::ip::IpAddr;
use crate::{Error, Limit, Result};

/// Every host is in it, and none reports it (RFC 2236 §3).
const ALL_HOSTS: Ipv4Addr = Ipv4Addr::new(224, 0, 0, 1);
const ALL_ROUTERS: Ipv4Addr = Ipv4Addr::new(224, 0, 0, 2);

const QUERY: u8 = 0x11;
const REPORT_V1: u8 = 0x12;
const REPORT_V2: u8 = 0x16;
const LEAVE: u8 = 0x17;
const MESSAGE_LEN: usize = 8;

/// How long a query of IGMPv1 is remembered (RFC 2236 §8.11).
const V1_ROUTER_PRESENT: Duration = Duration::from_secs(400);
/// The response time that such a query does not tell (RFC 2236 §4).
const V1_RESPONSE_TIME: Duration = Duration::from_secs(10);

/// The IPv4 groups of an interface.
pub(super) struct Igmp {
    members: Vec<Member<Ipv4Addr>, GROUPS>,
    /// Until when there may be a router that knows IGMPv1 alone.
    v1_router_until: Option<Instant>,
}

impl Igmp {
    pub(super) const fn new() -> Igmp {
        Igmp {
            members: Vec::new(),
            v1_router_until: None,
        }
    }

    pub(super) fn join(&mut self, group: Ipv4Addr, now: Instant) -> Result<()> {
        let is_told = group != ALL_HOSTS;
        if let Some(member) = self.member(group) {
            if member.add_user()? && is_told {
                member.joined(now);
            }
            return Ok(());
        }
        if self.members.is_full() {
            // The room of one whose end was not told yet: routers find out by themselves.
            let ended = self.members.iter().position(|member| !member.is_used());
            let ended = ended.ok_or(Error::Exhausted(Limit::Groups))?;
            self.members.swap_remove(ended);
        }
        let mut member = Member::new(group);
        if is_told {
            member.joined(now);
        }
        let pushed = self.members.push(member);
        pushed.map_err(|_| Error::Exhausted(Limit::Groups))
    }

    pub(super) fn leave(&mut self, group: Ipv4Addr, now: Instant) -> Result<()> {
        // Routers of IGMPv1 know no such message (RFC 2236 §4).
        let is_understood = !self.is_v1_router_present(now);
        let member = self.member(group).filter(|member| member.is_used());
        let member = member.ok_or(Error::AddrNotAvailable)?;
        if member.remove_user() && !(member.left(now) && is_understood) {
            self.members.retain(|member| member.group != group);
        }
        Ok(())
    }

    pub(super) fn is_member(&self, group: Ipv4Addr) -> bool {
        let is_it = |member: &Member<_>| member.group == group && member.is_used();
        group == ALL_HOSTS || self.members.iter().any(is_it)
    }

    pub(super) fn groups(&self) -> impl Iterator<Item = (IpAddr, u16)> {
        let used = self.members.iter().filter(|member| member.is_used());
        used.map(|member| (member.group.into(), member.users()))
    }

    pub(super) fn announce(&mut self, now: Instant) {
        self.members.retain(Member::is_used);
        for member in &mut self.members {
            if member.group != ALL_HOSTS {
                member.joined(now);
            }
        }
    }

    pub(super) fn hear(&mut self, message: &[u8], now: Instant, random: Random<'_>) {
        // What is behind the eighth octet is IGMPv3's, and nothing to us; the checksum covers it (RFC 2236 §2.5).
        let Some(&[kind, code, _, _, a, b, c, d]) = message.first_chunk::<MESSAGE_LEN>() else {
            return;
        };
        if checksum::data(message) != !0 {
            return;
        }
        let group = Ipv4Addr::new(a, b, c, d);
        match kind {
            QUERY => {
                let longest = if code == 0 && message.len() == MESSAGE_LEN {
                    self.v1_router_until = Some(now + V1_ROUTER_PRESENT);
                    self.members.retain(Member::is_used);
                    V1_RESPONSE_TIME
                } else {
                    Duration::from_millis(u64::from(code) * 100)
                };
                let is_asked = |member: &&mut Member<_>| {
                    (group.is_unspecified() || member.group == group)
                        && member.group != ALL_HOSTS
                        && member.is_used()
                };
                for member in self.members.iter_mut().filter(is_asked) {
                    member.asked(longest, now, random);
                }
            }
            REPORT_V1 | REPORT_V2 => {
                if let Some(member) = self.member(group).filter(|member| member.is_used()) {
                    member.overheard();
                }
            }
            _ => {}
        }
    }

    pub(super) fn poll_at(&self) -> Option<Instant> {
        self.members.iter().filter_map(|member| member.due).min()
    }

    pub(super) fn emit(
        &mut self,
        buffer: &mut [u8],
        now: Instant,
        random: Random<'_>,
    ) -> Option<Told> {
        let buffer = buffer.first_chunk_mut::<MESSAGE_LEN>()?;
        let report = match self.is_v1_router_present(now) {
            true => REPORT_V1,
            false => REPORT_V2,
        };
        let mut members = self.members.iter_mut();
        let member = members.find(|member| member.is_due(now))?;
        let group = member.group;
        let (kind, to) = if member.is_used() {
            member.reported(now, random);
            (report, group)
        } else {
            self.members.retain(|member| member.group != group);
            (LEAVE, ALL_ROUTERS)
        };
        let [a, b, c, d] = group.octets();
        *buffer = [kind, 0, 0, 0, a, b, c, d];
        let [high, low] = (!checksum::data(buffer)).to_be_bytes();
        *buffer = [kind, 0, high, low, a, b, c, d];
        Some(Told {
            to: to.into(),
            len: MESSAGE_LEN,
        })
    }

    fn member(&mut self, group: Ipv4Addr) -> Option<&mut Member<Ipv4Addr>> {
        self.members.iter_mut().find(|member| member.group == group)
    }

    fn is_v1_router_present(&self, now: Instant) -> bool {
        self.v1_router_until.is_some_and(|until| now < until)
    }
}
