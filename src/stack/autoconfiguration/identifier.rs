//! The half of an autoconfigured address that tells hosts of one link apart.

use crate::stack::ip::Ipv6Addr;
use crate::stack::sequence::Secret;

/// How the interface identifiers of autoconfigured addresses are made.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum InterfaceIdentifier {
    /// Another one for each prefix, from the stack's key (RFC 7217): nobody can follow the host from link to link, nor
    /// guess its address. They last as long as the key.
    #[default]
    Opaque,
    /// The same from 128 random bits of its own, that the caller keeps: the addresses are the same ones after a restart.
    Stable([u8; 16]),
    /// From the hardware address (RFC 4291 appendix A), and so the same wherever the interface is.
    HardwareAddress,
}

impl InterfaceIdentifier {
    /// The identifier for a prefix of 64 bits. `collisions`: how many before it were another host's.
    pub(super) fn make(
        self,
        prefix: Ipv6Addr,
        hardware_address: Option<[u8; 6]>,
        collisions: u8,
        secret: &Secret,
    ) -> Option<u64> {
        let opaque = |secret: &Secret| {
            // A reserved one is passed over, as one that is another host's (RFC 7217 §5).
            let candidates = (collisions..=u8::MAX)
                .map(|count| secret.interface_identifier(prefix, hardware_address, count));
            candidates.into_iter().find(|it| !is_reserved(*it))
        };
        match self {
            InterfaceIdentifier::Opaque => opaque(secret),
            InterfaceIdentifier::Stable(key) => opaque(&Secret::new(key)),
            // There is no second one.
            InterfaceIdentifier::HardwareAddress if collisions > 0 => None,
            InterfaceIdentifier::HardwareAddress => hardware_address.map(modified_eui_64),
        }
    }
}

fn modified_eui_64(hardware_address: [u8; 6]) -> u64 {
    let [a, b, c, d, e, f] = hardware_address;
    u64::from_be_bytes([a ^ 2, b, c, 0xff, 0xfe, d, e, f])
}

/// The identifiers that no host may take (RFC 5453 §3): the routers' anycast address, the proxies' of mobile IPv6 with
/// IANA's others, and the subnet anycast addresses.
fn is_reserved(identifier: u64) -> bool {
    matches!(
        identifier,
        0 | 0x0200_5eff_fe00_0000..=0x0200_5eff_feff_ffff
            | 0xfdff_ffff_ffff_ff80..=0xfdff_ffff_ffff_ffff
    )
}

/// The address of a prefix of 64 bits and an identifier.
pub(super) fn join(prefix: Ipv6Addr, identifier: u64) -> Ipv6Addr {
    let prefix = prefix.to_bits() & !u128::from(u64::MAX);
    Ipv6Addr::from_bits(prefix | u128::from(identifier))
}

#[cfg(test)]
mod tests {
    use super::*;

    const MAC: Option<[u8; 6]> = Some([2, 0, 0, 0, 0, 1]);

    fn prefix(number: u16) -> Ipv6Addr {
        Ipv6Addr::new(0x2001, 0xdb8, 0, number, 0, 0, 0, 0)
    }

    #[test]
    fn the_hardware_address_makes_the_address_of_the_rfc() {
        // RFC 4291 appendix A: 34-56-78-9a-bc-de becomes 36-56-78-ff-fe-9a-bc-de.
        let mac = Some([0x34, 0x56, 0x78, 0x9a, 0xbc, 0xde]);
        let how = InterfaceIdentifier::HardwareAddress;
        let secret = Secret::new([1; 16]);
        let identifier = how.make(prefix(1), mac, 0, &secret);
        assert_eq!(identifier, Some(0x3656_78ff_fe9a_bcde));
        assert_eq!(how.make(prefix(1), mac, 1, &secret), None);
        assert_eq!(how.make(prefix(1), None, 0, &secret), None);
        assert_eq!(
            join(prefix(7), 0x3656_78ff_fe9a_bcde),
            Ipv6Addr::new(0x2001, 0xdb8, 0, 7, 0x3656, 0x78ff, 0xfe9a, 0xbcde)
        );
    }

    #[test]
    fn an_opaque_one_depends_on_all_it_should() {
        let how = InterfaceIdentifier::Opaque;
        let (one, other) = (Secret::new([1; 16]), Secret::new([2; 16]));
        let identifier = how.make(prefix(1), MAC, 0, &one);
        assert!(identifier.is_some());
        assert_eq!(identifier, how.make(prefix(1), MAC, 0, &one));
        let elsewhere = [
            how.make(prefix(2), MAC, 0, &one),
            how.make(prefix(1), Some([2, 0, 0, 0, 0, 2]), 0, &one),
            how.make(prefix(1), None, 0, &one),
            how.make(prefix(1), MAC, 1, &one),
            how.make(prefix(1), MAC, 0, &other),
        ];
        assert!(elsewhere.iter().all(|it| it.is_some() && *it != identifier));
        // Its own key makes it independent of the stack's.
        let stable = InterfaceIdentifier::Stable([9; 16]);
        assert_eq!(
            stable.make(prefix(1), MAC, 0, &one),
            stable.make(prefix(1), MAC, 0, &other)
        );
    }

    #[test]
    fn reserved_ones_are_known() {
        for reserved in [
            0,
            0x0200_5eff_fe00_5213,
            0xfdff_ffff_ffff_ff80,
            0xfdff_ffff_ffff_ffff,
        ] {
            assert!(is_reserved(reserved), "{reserved:x}");
        }
        for free in [1, 0x0200_5eff_fd00_0000, 0xfdff_ffff_ffff_ff7f, u64::MAX] {
            assert!(!is_reserved(free), "{free:x}");
        }
    }
}
