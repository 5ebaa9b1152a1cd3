//! Numbers that nobody outside may guess: initial sequence numbers (RFC 6528), ephemeral ports (RFC 6056) and the
//! hashes of the tables, all from one keyed hash (SipHash-2-4); and how smoltcp is made to use them.
//!
//! smoltcp draws its sequence numbers from the generator of whichever `Interface` it is given, and the
//! output of that generator gives its future away. So each such draw comes from an interface of its own, thrown
//! away afterwards, whose seed is chosen here.

#[cfg(any(feature = "embedded-nal", feature = "ipv6"))]
use core::hash::Hasher;
use core::{net::Ipv6Addr, ops::RangeInclusive};
use heapless::Vec;
use siphasher::sip::{SipHasher13, SipHasher24};
use smoltcp::{
    iface::{Config, Interface},
    time::Instant,
    wire::{HardwareAddress, IpAddress},
};

use super::ip::IpAddr;
use crate::device::Absent;

/// The dynamic ports (RFC 6335 §6).
pub(crate) const EPHEMERAL_PORTS: RangeInclusive<u16> = 49152..=65535;
/// A power of two, so that counters may wrap around and no port is likelier than another.
const EPHEMERAL_COUNT: u16 = *EPHEMERAL_PORTS.end() - *EPHEMERAL_PORTS.start() + 1;

/// What a hash is for: the same input for another purpose gives an unrelated one.
#[derive(Clone, Copy)]
enum Purpose {
    Flow,
    Port,
    SequenceNumber,
    EphemeralPort,
    PortCounter,
    Random,
    Share,
    #[cfg(feature = "embedded-nal")]
    Name,
    #[cfg(feature = "ipv6")]
    InterfaceIdentifier,
}

/// The key, and what advances between draws.
#[derive(Clone)]
pub(crate) struct Secret {
    key: [u8; 16],
    /// How far sequence numbers run ahead of RFC 6528's clock.
    clock_offset: u32,
    /// The draws of `random_u64` so far.
    counter: u64,
    /// RFC 6056 §3.3.4's table.
    ports: [u16; 16],
}

impl Secret {
    /// `key`: 128 random bits, other ones after each start.
    pub(crate) fn new(key: [u8; 16]) -> Secret {
        let mut secret = Secret {
            key,
            clock_offset: 0,
            counter: 0,
            ports: [0; 16],
        };
        for i in 0..secret.ports.len() {
            secret.ports[i] = secret.hash_number(Purpose::PortCounter, i as u64) as u16;
        }
        secret
    }

    /// The hash of a connection's 4-tuple.
    pub(crate) fn flow_hash(&self, local: (IpAddr, u16), remote: (IpAddr, u16)) -> u32 {
        self.hash_flow(Purpose::Flow, local, remote) as u32
    }

    /// How much of a claim one of the sockets that share a port has on a flow.
    pub(crate) fn share_hash(
        &self,
        local: (IpAddr, u16),
        remote: (IpAddr, u16),
        socket: u16,
    ) -> u32 {
        let flow = self.hash_flow(Purpose::Share, local, remote);
        self.hash_number(Purpose::Share, flow.wrapping_add(u64::from(socket))) as u32
    }

    /// The hash of a local TCP or UDP port.
    pub(crate) fn port_hash(&self, is_tcp: bool, port: u16) -> u32 {
        let number = (u64::from(is_tcp) << 16) | u64::from(port);
        self.hash_number(Purpose::Port, number) as u32
    }

    /// The hash of a name that is looked up.
    #[cfg(feature = "embedded-nal")]
    pub(crate) fn name_hash(&self, name: &str) -> u64 {
        let mut hasher = SipHasher24::new_with_key(&self.key);
        hasher.write(&[Purpose::Name as u8]);
        hasher.write(name.as_bytes());
        hasher.finish()
    }

    /// RFC 7217 §5's F: of a prefix and an interface, after so many identifiers that were another host's.
    #[cfg(feature = "ipv6")]
    pub(crate) fn interface_identifier(
        &self,
        prefix: Ipv6Addr,
        hardware_address: Option<[u8; 6]>,
        collisions: u8,
    ) -> u64 {
        let mut hasher = SipHasher24::new_with_key(&self.key);
        hasher.write(&[Purpose::InterfaceIdentifier as u8, collisions]);
        hasher.write(&prefix.octets());
        hasher.write(&hardware_address.unwrap_or_default());
        hasher.finish()
    }

    /// RFC 6528 §3: the 4-microsecond clock plus the keyed hash of the 4-tuple.
    pub(crate) fn initial_sequence_number(
        &self,
        now: Instant,
        local: (IpAddr, u16),
        remote: (IpAddr, u16),
    ) -> u32 {
        let clock = now.total_micros().div_euclid(4) as u32;
        let flow = self.hash_flow(Purpose::SequenceNumber, local, remote) as u32;
        clock.wrapping_add(self.clock_offset).wrapping_add(flow)
    }

    /// A connection ended at the sequence number `last`: the next one of its 4-tuple starts above it, so that old
    /// segments are not taken for new ones (RFC 9293 §3.4.1). A fast sender outruns the clock: 4 µs a byte is 2 Mbit/s.
    pub(crate) fn outrun(
        &mut self,
        now: Instant,
        local: (IpAddr, u16),
        remote: (IpAddr, u16),
        last: u32,
    ) {
        let next = self.initial_sequence_number(now, local, remote);
        if next.wrapping_sub(last) as i32 <= 0 {
            let missing = last.wrapping_sub(next).wrapping_add(1);
            self.clock_offset = self.clock_offset.wrapping_add(missing);
        }
    }

    /// The next number of a stream that nobody without the key can tell from chance.
    pub(crate) fn random_u64(&mut self) -> u64 {
        let number = self.hash_number(Purpose::Random, self.counter);
        self.counter = self.counter.wrapping_add(1);
        number
    }

    /// A local port for a connection to `remote`, by double hashing (RFC 6056 §3.3.4, algorithm 4): towards one destination
    /// the ports count up, so that none returns soon, and say nothing about those towards another. `None`: all are in use.
    pub(crate) fn ephemeral_port(
        &mut self,
        local: IpAddr,
        remote: (IpAddr, u16),
        in_use: impl Fn(u16) -> bool,
    ) -> Option<u16> {
        // The halves of one hash serve as the RFC's F and G.
        let hash = self.hash_flow(Purpose::EphemeralPort, (local, 0), remote);
        let index = (hash >> 32) as usize % self.ports.len();
        first_free(hash as u16, &mut self.ports[index], in_use)
    }

    /// A local port at random (RFC 6056 §3.3.1, algorithm 1). `None`: all are in use.
    pub(crate) fn random_port(&mut self, in_use: impl Fn(u16) -> bool) -> Option<u16> {
        first_free(self.random_u64() as u16, &mut 0, in_use)
    }

    fn hash_number(&self, purpose: Purpose, number: u64) -> u64 {
        let mut octets = [purpose as u8; 1 + 8];
        octets[1..].copy_from_slice(&number.to_le_bytes());
        SipHasher24::new_with_key(&self.key).hash(&octets)
    }

    fn hash_flow(&self, purpose: Purpose, local: (IpAddr, u16), remote: (IpAddr, u16)) -> u64 {
        // One write: the hasher takes eight octets at a time.
        let mut octets = Vec::<u8, { 1 + 2 * (16 + 2) }>::from_array([purpose as u8]);
        for (address, port) in [local, remote] {
            let _ = match address {
                IpAddr::V4(address) => octets.extend_from_slice(&address.octets()),
                IpAddr::V6(address) => octets.extend_from_slice(&address.octets()),
            };
            let _ = octets.extend_from_slice(&port.to_be_bytes());
        }
        match purpose {
            // A table only needs keys that nobody can make collide; a sequence number needs more. A small host has one of them.
            Purpose::Flow if cfg!(feature = "std") => {
                SipHasher13::new_with_key(&self.key).hash(&octets)
            }
            _ => SipHasher24::new_with_key(&self.key).hash(&octets),
        }
    }
}

/// Walks the range once from `offset + counter`, which counts on; the first port that is not in use.
fn first_free(offset: u16, counter: &mut u16, in_use: impl Fn(u16) -> bool) -> Option<u16> {
    for _ in EPHEMERAL_PORTS {
        let port = *EPHEMERAL_PORTS.start() + offset.wrapping_add(*counter) % EPHEMERAL_COUNT;
        *counter = counter.wrapping_add(1);
        if !in_use(port) {
            return Some(port);
        }
    }
    None
}

/// Whether a new `Interface` draws an IPv4 id first. smoltcp's types tell, not our features: Cargo unites the features of
/// all who depend on smoltcp, so another crate may have switched IPv4 on.
const DRAWS_IPV4_ID: bool = size_of::<IpAddress>() != size_of::<Ipv6Addr>();
// IEEE 802.15.4, which would draw too, makes the hardware address larger than a byte and a MAC.
const _: () = assert!(
    size_of::<HardwareAddress>() == 7,
    "smoltcp's feature `medium-ieee802154` changes its random draws: not supported"
);

/// smoltcp 0.14's generator (sPCG32), restated from its `src/rand.rs`; the tests below hold the two together.
#[derive(Clone, Copy)]
struct Generator {
    state: u64,
}

impl Generator {
    const MULTIPLIER: u64 = 0xbb2e_fcec_3c39_611d;
    const INCREMENT: u64 = 0x7590_ef39;
    /// `MULTIPLIER`'s inverse modulo 2⁶⁴, by Newton's iteration: each step doubles the bits that are right, of which
    /// an odd number has three to begin with.
    const INVERSE: u64 = {
        let mut inverse = Self::MULTIPLIER;
        let mut step = 0;
        while step < 5 {
            let error = Self::MULTIPLIER.wrapping_mul(inverse);
            inverse = inverse.wrapping_mul(2u64.wrapping_sub(error));
            step += 1;
        }
        inverse
    };

    /// What the draw that led to this state returned.
    fn output(self) -> u32 {
        (self.state >> (29 - (self.state >> 61))) as u32
    }

    /// The state one draw earlier.
    fn before(self) -> Generator {
        let state = self.state.wrapping_sub(Self::INCREMENT);
        Generator {
            state: state.wrapping_mul(Self::INVERSE),
        }
    }
}

fn fold(draw: u32) -> u16 {
    (draw ^ (draw >> 16)) as u16
}

/// The seed with which a [`throw_away`] interface gives a TCP socket exactly the sequence number `isn`. Many do;
/// `low_bits` (random ones) pick one of them.
pub(crate) fn seed_for(isn: u32, low_bits: u64) -> u64 {
    let mut low_bits = low_bits;
    // One round but in one of 65,536 cases.
    loop {
        let state = (u64::from(isn) << 29) | (low_bits & 0x1fff_ffff);
        let first = Generator { state }.before();
        if !DRAWS_IPV4_ID {
            return first.state;
        }
        // An IPv4 id of zero would be drawn again, and the number with it.
        if fold(first.output()) != 0 {
            return first.before().state;
        }
        low_bits = low_bits.wrapping_add(1);
    }
}

/// An interface for a single draw: `connect`, or a SYN in LISTEN (whatever address it is for).
#[inline(never)] // it is large
pub(crate) fn throw_away(seed: u64) -> Interface {
    let mut config = Config::new(HardwareAddress::Ip);
    config.random_seed = seed;
    let mut interface = Interface::new(config, &mut Absent, Instant::ZERO);
    interface.set_any_ip(true);
    interface
}

#[cfg(test)]
#[allow(clippy::unwrap_used)] // A test may fail.
mod tests;
