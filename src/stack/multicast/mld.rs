//! A host's part of MLDv2 (RFC 3810), and of MLDv1 (RFC 2710) before a router of that age.
//!
//! Every member of ours is in the mode `EXCLUDE {}`: it wants what any source sends. Four records can say all that there is:
//!
//! | what happened | record |
//! |---|---|
//! | joined | `CHANGE_TO_EXCLUDE_MODE {}`, twice |
//! | left | `CHANGE_TO_INCLUDE_MODE {}`, twice |
//! | a router asks, about all groups or one | `MODE_IS_EXCLUDE {}` |
//! | … about some sources of a group | `MODE_IS_INCLUDE`, with just these |

use heapless::Vec;
use smoltcp::time::{Duration, Instant};

use super::member::Member;
use super::{GROUPS, Heard, Random, SOURCES, Told, random_delay};
use crate::stack::ip::{IpAddr, Ipv6Addr};
use crate::{Error, Limit, Result};

/// Every node is in it, and none reports it (RFC 3810 §6).
const ALL_NODES: Ipv6Addr = Ipv6Addr::new(0xff02, 0, 0, 0, 0, 0, 0, 1);
/// The same within the host itself (RFC 4291 §2.7.1).
const OWN_NODE: Ipv6Addr = Ipv6Addr::new(0xff01, 0, 0, 0, 0, 0, 0, 1);
const ALL_ROUTERS: Ipv6Addr = Ipv6Addr::new(0xff02, 0, 0, 0, 0, 0, 0, 2);
/// The routers that understand MLDv2 (RFC 3810 §5.2.14).
const ALL_MLDV2_ROUTERS: Ipv6Addr = Ipv6Addr::new(0xff02, 0, 0, 0, 0, 0, 0, 0x16);

const QUERY: u8 = 130;
const REPORT_V1: u8 = 131;
const DONE: u8 = 132;
const REPORT_V2: u8 = 143;

const V1_MESSAGE_LEN: usize = 24;
const V2_QUERY_LEN: usize = 28;
const REPORT_HEADER_LEN: usize = 8;
const RECORD_LEN: usize = 20;
const ADDRESS_LEN: usize = 16;

const MODE_IS_INCLUDE: u8 = 1;
const MODE_IS_EXCLUDE: u8 = 2;
const CHANGE_TO_INCLUDE: u8 = 3;
const CHANGE_TO_EXCLUDE: u8 = 4;

/// How often a change is told (RFC 3810 §9.1).
const ROBUSTNESS: u8 = 2;
/// How soon it is told again (RFC 3810 §9.11).
const UNSOLICITED_REPORT_INTERVAL: Duration = Duration::from_secs(1);
/// How long a query of MLDv1 is remembered: the robustness times the query interval, and a response time (RFC 3810 §9.12).
const V1_QUERIER_PRESENT: Duration = Duration::from_secs(2 * 125 + 10);

/// The IPv6 groups of an interface.
pub(super) struct Mld {
    rows: Vec<Row, GROUPS>,
    /// When a query about all groups is answered.
    answer_all_at: Option<Instant>,
    /// Groups, and the sources that a router asked about, while the answer is pending.
    sources: Vec<(Ipv6Addr, Ipv6Addr), SOURCES>,
    /// Until when there may be a router that knows MLDv1 alone.
    v1_querier_until: Option<Instant>,
}

/// A group. Its member's timer is that of the answer to a query about it, or of all there is to say in MLDv1.
struct Row {
    member: Member<Ipv6Addr>,
    /// How often the last change is still to be told, and when next.
    changes: u8,
    change_at: Instant,
}

impl Row {
    fn changed(&mut self, now: Instant) {
        self.member.rest();
        self.changes = ROBUSTNESS;
        self.change_at = now;
    }

    fn is_change_due(&self, now: Instant) -> bool {
        self.changes != 0 && self.change_at <= now
    }
}

/// Whether routers hear of a group: not of all nodes', nor of those that do not leave the host (RFC 3810 §6).
fn is_told(group: Ipv6Addr) -> bool {
    group != ALL_NODES && group.octets()[1] & 0x0f > 1
}

impl Mld {
    pub(super) const fn new() -> Mld {
        Mld {
            rows: Vec::new(),
            answer_all_at: None,
            sources: Vec::new(),
            v1_querier_until: None,
        }
    }

    pub(super) fn join(&mut self, group: Ipv6Addr, now: Instant) -> Result<()> {
        self.end_v1(now);
        if let Some(row) = self.row(group) {
            if row.member.add_user()? {
                self.tell_of_join(group, now);
            }
            return Ok(());
        }
        if self.rows.is_full() {
            // The room of one whose end was not told often enough yet: routers find out by themselves.
            let ended = self.rows.iter().position(|row| !row.member.is_used());
            let ended = ended.ok_or(Error::Exhausted(Limit::Groups))?;
            self.rows.swap_remove(ended);
        }
        let row = Row {
            member: Member::new(group),
            changes: 0,
            change_at: now,
        };
        let pushed = self.rows.push(row);
        pushed.map_err(|_| Error::Exhausted(Limit::Groups))?;
        self.tell_of_join(group, now);
        Ok(())
    }

    fn tell_of_join(&mut self, group: Ipv6Addr, now: Instant) {
        let is_v1 = self.v1_querier_until.is_some();
        match self.row(group) {
            Some(row) if is_told(group) => match is_v1 {
                true => row.member.joined(now),
                false => row.changed(now),
            },
            _ => {}
        }
    }

    pub(super) fn leave(&mut self, group: Ipv6Addr, now: Instant) -> Result<()> {
        self.end_v1(now);
        let is_v1 = self.v1_querier_until.is_some();
        let row = self.row(group).filter(|row| row.member.is_used());
        let row = row.ok_or(Error::AddrNotAvailable)?;
        if !row.member.remove_user() {
            return Ok(());
        }
        let is_telling = match is_v1 {
            _ if !is_told(group) => false,
            true => row.member.left(now),
            false => {
                row.changed(now);
                true
            }
        };
        if !is_telling {
            self.rows.retain(|row| row.member.group != group);
        }
        self.sources.retain(|(of, _)| *of != group);
        Ok(())
    }

    pub(super) fn is_member(&self, group: Ipv6Addr) -> bool {
        let is_it = |row: &Row| row.member.group == group && row.member.is_used();
        group == ALL_NODES || group == OWN_NODE || self.rows.iter().any(is_it)
    }

    pub(super) fn groups(&self) -> impl Iterator<Item = (IpAddr, u16)> {
        let members = self.rows.iter().map(|row| &row.member);
        let used = members.filter(|member| member.is_used());
        used.map(|member| (member.group.into(), member.users()))
    }

    pub(super) fn announce(&mut self, now: Instant) {
        self.end_v1(now);
        self.forget_pending();
        let is_v1 = self.v1_querier_until.is_some();
        for row in &mut self.rows {
            match is_told(row.member.group) {
                true if is_v1 => row.member.joined(now),
                true => row.changed(now),
                false => {}
            }
        }
    }

    /// What RFC 3810 §8.2.1 demands where the version changes.
    fn forget_pending(&mut self) {
        self.answer_all_at = None;
        self.sources.clear();
        self.rows.retain(|row| row.member.is_used());
        for row in &mut self.rows {
            row.member.rest();
            row.changes = 0;
        }
    }

    /// The last query of MLDv1 was long ago.
    fn end_v1(&mut self, now: Instant) {
        if self.v1_querier_until.is_some_and(|until| until <= now) {
            self.v1_querier_until = None;
            self.forget_pending();
        }
    }

    pub(super) fn hear(
        &mut self,
        source: Ipv6Addr,
        heard: &Heard<'_>,
        now: Instant,
        random: Random<'_>,
    ) {
        // RFC 3810 §6.2, RFC 2710 §3: all else was forged, or comes from behind a router.
        if !source.is_unicast_link_local() || heard.hop_limit != 1 || !heard.router_alert {
            return;
        }
        self.end_v1(now);
        let message = heard.message;
        let Some((head, rest)) = message.split_first_chunk::<V1_MESSAGE_LEN>() else {
            return;
        };
        let [kind, _, _, _, high, low, _, _, group @ ..] = *head;
        let (code, group) = (u16::from_be_bytes([high, low]), Ipv6Addr::from(group));
        match kind {
            QUERY if rest.is_empty() => {
                if self.v1_querier_until.is_none() {
                    self.forget_pending();
                }
                self.v1_querier_until = Some(now + V1_QUERIER_PRESENT);
                let longest = Duration::from_millis(u64::from(code));
                self.asked_by_v1(group, longest, now, random);
            }
            // RFC 3810 §8.1: lengths between the two versions' are none's.
            QUERY => {
                let Some((&[_, _, high, low], rest)) =
                    rest.split_first_chunk::<{ V2_QUERY_LEN - V1_MESSAGE_LEN }>()
                else {
                    return;
                };
                let count = usize::from(u16::from_be_bytes([high, low]));
                let Some(sources) = rest.get(..count * ADDRESS_LEN) else {
                    return;
                };
                let longest = response_time(code);
                if self.v1_querier_until.is_some() {
                    self.asked_by_v1(group, longest, now, random);
                } else if group.is_unspecified() {
                    let at = now + random_delay(longest, random);
                    self.answer_all_at = Some(self.answer_all_at.map_or(at, |due| due.min(at)));
                } else {
                    self.asked_of(group, sources, longest, now, random);
                }
            }
            REPORT_V1 if self.v1_querier_until.is_some() => {
                if let Some(row) = self.row(group).filter(|row| row.member.is_used()) {
                    row.member.overheard();
                }
            }
            _ => {}
        }
    }

    /// In MLDv1 each group answers for itself.
    fn asked_by_v1(
        &mut self,
        group: Ipv6Addr,
        longest: Duration,
        now: Instant,
        random: Random<'_>,
    ) {
        for Row { member, .. } in &mut self.rows {
            if (group.is_unspecified() || member.group == group)
                && is_told(member.group)
                && member.is_used()
            {
                member.asked(longest, now, random);
            }
        }
    }

    /// A query about one group, or some sources of it (RFC 3810 §6.2, rules 3 to 5).
    fn asked_of(
        &mut self,
        group: Ipv6Addr,
        sources: &[u8],
        longest: Duration,
        now: Instant,
        random: Random<'_>,
    ) {
        let row = self.rows.iter_mut().find(|row| row.member.group == group);
        let Some(Row { member, .. }) = row.filter(|row| row.member.is_used()) else {
            return;
        };
        if !is_told(group) {
            return;
        }
        let asked = |(of, _): &(Ipv6Addr, Ipv6Addr)| *of == group;
        // Once the whole group is to be reported, it stays at that.
        let is_whole = member.due.is_some() && !self.sources.iter().any(asked);
        member.asked(longest, now, random);
        let (sources, _) = sources.as_chunks::<ADDRESS_LEN>();
        let mut fits = !is_whole && !sources.is_empty();
        for source in sources {
            let entry = (group, Ipv6Addr::from(*source));
            if fits && !self.sources.contains(&entry) {
                fits = self.sources.push(entry).is_ok();
            }
        }
        if !fits {
            self.sources.retain(|entry| !asked(entry));
        }
    }

    pub(super) fn poll_at(&self) -> Option<Instant> {
        let rows = self.rows.iter().flat_map(|row| {
            let change_at = (row.changes != 0).then_some(row.change_at);
            [change_at, row.member.due]
        });
        rows.chain([self.answer_all_at]).flatten().min()
    }

    pub(super) fn emit(
        &mut self,
        buffer: &mut [u8],
        now: Instant,
        random: Random<'_>,
    ) -> Option<Told> {
        self.end_v1(now);
        match self.v1_querier_until {
            Some(_) => self.emit_v1(buffer, now, random),
            None => self.emit_v2(buffer, now, random),
        }
    }

    fn emit_v1(&mut self, buffer: &mut [u8], now: Instant, random: Random<'_>) -> Option<Told> {
        let buffer = buffer.first_chunk_mut::<V1_MESSAGE_LEN>()?;
        let mut members = self.rows.iter_mut().map(|row| &mut row.member);
        let member = members.find(|member| member.is_due(now))?;
        let group = member.group;
        let (kind, to) = if member.is_used() {
            member.reported(now, random);
            (REPORT_V1, group)
        } else {
            self.rows.retain(|row| row.member.group != group);
            (DONE, ALL_ROUTERS)
        };
        let (head, address) = buffer.split_at_mut(REPORT_HEADER_LEN);
        head.fill(0);
        head[0] = kind;
        address.copy_from_slice(&group.octets());
        Some(Told {
            to: to.into(),
            len: V1_MESSAGE_LEN,
        })
    }

    /// As many records as there are due and as fit.
    fn emit_v2(&mut self, buffer: &mut [u8], now: Instant, random: Random<'_>) -> Option<Told> {
        if self.answer_all_at.is_some_and(|at| at <= now) {
            self.answer_all_at = None;
            self.sources.clear();
            let told = |row: &&mut Row| row.member.is_used() && is_told(row.member.group);
            for row in self.rows.iter_mut().filter(told) {
                row.member.due = Some(now);
            }
        }
        let (head, mut room) = buffer.split_first_chunk_mut::<REPORT_HEADER_LEN>()?;
        let (mut records, mut len) = (0u16, REPORT_HEADER_LEN);
        for row in &mut self.rows {
            let group = row.member.group;
            let kind = match (row.is_change_due(now), row.member.is_used()) {
                (true, true) => CHANGE_TO_EXCLUDE,
                (true, false) => CHANGE_TO_INCLUDE,
                (false, _) if !row.member.is_due(now) => continue,
                (false, _) if self.sources.iter().any(|(of, _)| *of == group) => MODE_IS_INCLUDE,
                (false, _) => MODE_IS_EXCLUDE,
            };
            let of_group = self.sources.iter().filter(|(of, _)| *of == group);
            let sources = of_group.map(|(_, source)| *source);
            let sources = sources.filter(|_| kind == MODE_IS_INCLUDE);
            let Some((written, rest)) = write_record(room, kind, group, sources) else {
                break; // the next message's
            };
            (room, len, records) = (rest, len + written, records + 1);
            self.sources.retain(|(of, _)| *of != group);
            // What changed says what is, too.
            row.member.rest();
            if matches!(kind, CHANGE_TO_EXCLUDE | CHANGE_TO_INCLUDE) {
                row.changes -= 1;
                row.change_at = now + random_delay(UNSOLICITED_REPORT_INTERVAL, random);
            }
        }
        self.rows
            .retain(|row| row.member.is_used() || row.changes != 0);
        if records == 0 {
            return None;
        }
        let [high, low] = records.to_be_bytes();
        *head = [REPORT_V2, 0, 0, 0, 0, 0, high, low];
        Some(Told {
            to: ALL_MLDV2_ROUTERS.into(),
            len,
        })
    }

    fn row(&mut self, group: Ipv6Addr) -> Option<&mut Row> {
        self.rows.iter_mut().find(|row| row.member.group == group)
    }
}

/// Writes a record (RFC 3810 §5.2) if it fits: how long it is, and the room behind it.
fn write_record(
    room: &mut [u8],
    kind: u8,
    group: Ipv6Addr,
    sources: impl Iterator<Item = Ipv6Addr> + Clone,
) -> Option<(usize, &mut [u8])> {
    let count = sources.clone().count();
    let len = RECORD_LEN + count * ADDRESS_LEN;
    let (record, rest) = room.split_at_mut_checked(len)?;
    let (head, addresses) = record.split_first_chunk_mut::<4>()?;
    let [high, low] = (count as u16).to_be_bytes();
    *head = [kind, 0, high, low];
    let (places, _) = addresses.as_chunks_mut::<ADDRESS_LEN>();
    for (place, address) in places
        .iter_mut()
        .zip(core::iter::once(group).chain(sources))
    {
        *place = address.octets();
    }
    Some((len, rest))
}

/// The Maximum Response Code of MLDv2, which is a floating-point number above 32.767 s (RFC 3810 §5.1.3).
fn response_time(code: u16) -> Duration {
    let millis = match code {
        0..0x8000 => u64::from(code),
        _ => {
            let (exponent, mantissa) = (code >> 12 & 0b111, code & 0x0fff);
            u64::from(mantissa | 0x1000) << (exponent + 3)
        }
    };
    Duration::from_millis(millis)
}
